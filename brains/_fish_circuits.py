"""Small circuits of the fish's brain as populations with rates: what is known of their parts, fitted to behaviour.

Wiring here is not measured: who excites whom is from the papers named, strengths are `functional_fit` (to the facts of
validation/zebrafish.csv) or `tuned` (set by hand so that the parts fit each other). `evidence` alone draws its edges
from connection probabilities that were measured cell by cell (`EM_population`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse

from bestiary.brains._rate_part import RatePart
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock
from bestiary.envs._streams import stream

Array = np.ndarray[Any, np.dtype[Any]]
Edge = tuple[str, str, float]

AZIMUTHS_DEG = tuple(range(0, 121, 15))  # in each eye from straight ahead to the side, of the tectum's prey neurons
NEUTRAL, GAS = 0.55, 1.4  # command of the bladder at which the fish neither sinks nor rises; strength of its reflex
TURNED_IN_DEG = 21.0  # by how much each eye turns in for a hunt: what both see there is straight ahead
NEAR_IN_DEG = 10.0  # likewise half a millimetre away, where disparity is larger
STRIKE_DEG = 30.0  # zone of both eyes there


@dataclass(frozen=True, eq=False)
class Circuit(RatePart):
    """A RatePart with a time constant and a noise (SD, as input; time constant noise_s) for each of its neurons.
    start: their first rates, 0 to 1."""

    taus_s: Any = 0.05
    noise: Any = 0.0
    noise_s: float = 0.3
    start: Any = 0.0

    stride: int = 5  # control periods in one step: its neurons are slower than that
    _step: Any = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_weight", self._weight.toarray())  # small: dense is faster
        dt = self.clock.control_s * self.stride
        noise = np.broadcast_to(np.asarray(self.noise, np.float32), len(self.table))
        keep = math.exp(-dt / self.noise_s)
        blend = -np.expm1(-dt / np.asarray(self.taus_s))
        object.__setattr__(self, "_step", (np.float32(keep), noise, math.sqrt(1 - keep**2), blend.astype(np.float32)))

    def init(self, seed: int) -> dict[str, Any]:
        _, noise, _, _ = self._step
        state = super().init(seed)
        x = noise * np.random.default_rng(seed).standard_normal(len(noise))
        drive = np.zeros(len(noise), np.float32)
        state["r"] = (state["r"] + np.asarray(self.start, np.float32)) * self._alive
        return state | {"x": x.astype(np.float32), "drive": drive, "key": np.array([seed, 0])}

    def advance(self, state: dict[str, Any], drive_mV: Array) -> dict[str, Any]:
        """Gathers its drive over `stride` periods, then makes one step of exponential Euler."""
        key, drive = state["key"] + np.array([0, 1]), state["drive"] + drive_mV
        if key[1] % self.stride:
            return {**state, "key": key, "drive": drive}
        keep, noise, size, blend = self._step
        r, x = state["r"], state["x"]
        if noise.any():
            x = keep * x + size * noise * self._normal(key)
        u = self._weight @ (r * self._heard) + self.bias + drive / np.float32(self.unit_mV * self.stride) + x
        r = (r + blend * (np.tanh(np.maximum(u, 0)) - r)) * self._alive
        return {"r": r, "u": u, "x": x.astype(np.float32), "drive": np.zeros_like(drive), "key": key}

    def _normal(self, key: Array) -> Array:
        """(n,) normal numbers of the step `key` (seed, number)."""
        rng = np.random.Generator(np.random.Philox(key=key.astype(np.uint64)))
        return rng.standard_normal(len(self.table), dtype=np.float32)


def weigh(table: Connectome) -> scipy.sparse.csr_array:
    """Weights (target x source) as they stand in the table, in units of input."""
    size = (len(table), len(table))
    return scipy.sparse.csr_array((table.weight * table.sign, (table.post, table.pre)), shape=size)


def circuit_table(
    names: list[str], edges: list[Edge], source: str, tag: str = "functional_fit", sign_by: str = "assumed"
) -> Connectome:
    """Names end in _L or _R where a neuron has a side; its type is the name before that. Sensory: those without input
    and whose names begin with a lower-case letter."""
    row = {name: i for i, name in enumerate(names)}
    sides = [n[-1] if n[-2:] in ("_L", "_R") else "" for n in names]
    value = np.array([w for *_, w in edges], float)
    return Connectome(
        ids=np.array(names),
        types=np.array([n[:-2] if s else n for n, s in zip(names, sides, strict=True)]),
        kinds=np.where([n[0].islower() for n in names], "sensory", "inter"),
        sides=np.array(sides),
        pre=np.array([row[a] for a, _, _ in edges], int),
        post=np.array([row[b] for _, b, _ in edges], int),
        weight=np.abs(value),
        sign=np.sign(value).astype(np.int8),
        sign_by=sign_by,
        provenance=tag,
        source=source,
    )


def _other(side: str) -> str:
    return "R" if side == "L" else "L"


def pretectum(clock: Clock) -> Circuit:
    """The optomotor response (Naumann 2016 Cell 167:947): four directions from each eye, summed with rectification.

    `ds_left_L` is motion to the left as the left eye sees it, on the floor; `rot_...` is motion around the fish. A turn
    cell of one side is excited by motion to its side in both eyes and inhibited by the opposite: converging motion
    cancels, two eyes add. Motion from ahead (`Pt_back`) makes the next bouts turns, to either side (Orger 2008,
    memory). Time constants of 0.03 s leave to the eyes' own slowness what Z18 allows. Rotation cells
    store velocity (1 s, assumed): a loop that follows three quarters of the slip is not steady with less, at the delays
    of correlators and integrator.
    """
    names, edges = [], []
    for eye in "LR":
        names += [f"ds_{way}_{eye}" for way in ("left", "right", "fwd", "back")]
        names += [f"rot_{way}_{eye}" for way in ("left", "right")]
    for side, way in (("L", "left"), ("R", "right")):
        names += [f"Pt_turn_{side}", f"Pt_fwd_{side}", f"Pt_rot_{side}", f"Pt_back_{side}"]
        against = "right" if way == "left" else "left"
        for eye in "LR":
            edges += [(f"ds_{way}_{eye}", f"Pt_turn_{side}", 0.7), (f"ds_{against}_{eye}", f"Pt_turn_{side}", -0.7)]
            edges += [(f"ds_fwd_{eye}", f"Pt_fwd_{side}", 0.8), (f"ds_back_{eye}", f"Pt_fwd_{side}", -0.8)]
            edges += [(f"ds_back_{eye}", f"Pt_back_{side}", 0.8), (f"ds_fwd_{eye}", f"Pt_back_{side}", -0.8)]
            edges += [(f"rot_{way}_{eye}", f"Pt_rot_{side}", 0.6), (f"rot_{against}_{eye}", f"Pt_rot_{side}", -0.6)]
    taus = np.full(len(names), 0.03)
    taus[[n.startswith("rot") for n in names]] = 0.05
    taus[[n.startswith("Pt_rot") for n in names]] = 1.0
    table = circuit_table(names, edges, "optomotor circuit after Naumann 2016, strengths fitted")
    return Circuit(table, weigh, np.zeros(len(names), np.float32), clock, taus_s=taus)


# Boulanger-Weill 2025 (bioRxiv 2025.03.14.643363, MIT): cells of each class, share that excite, probability of a
# connection from the first class to the second, on its side and across (its section 5, typed in)
CELLS = {"iMI": 15, "cMI": 15, "MON": 2, "sMI": 11}
EXCITE = {"iMI": 0.7, "cMI": 0.1, "MON": 0.1, "sMI": 1 / 3}
SAME = {
    "iMI": {"iMI": 0.1125, "cMI": 0.18, "MON": 0.475, "sMI": 0.065},
    "cMI": {"iMI": 0.0, "cMI": 0.0, "MON": 0.0, "sMI": 0.0},
    "MON": {"iMI": 0.08, "cMI": 0.45, "MON": 0.09, "sMI": 0.04},
    "sMI": {"iMI": 0.02, "cMI": 0.0, "MON": 0.0, "sMI": 0.0},
}
ACROSS = {
    "iMI": {"iMI": 0.0, "cMI": 0.0, "MON": 0.0, "sMI": 0.0},
    "cMI": {"iMI": 0.2, "cMI": 0.3, "MON": 0.04, "sMI": 0.06},
    "MON": {"iMI": 0.03, "cMI": 0.15, "MON": 0.0, "sMI": 0.0},
    "sMI": {"iMI": 0.05, "cMI": 0.05, "MON": 0.05, "sMI": 0.0},
}
EVIDENCE_TAU_S, EVIDENCE_LEAD = 0.1, 0.94  # of a cell (their model); the eigenvalue, fitted to Z21: 1.7 s together


def evidence_table(seed: int = 0) -> Connectome:
    """Both sides, drawn once from the measured probabilities; the right side is the left one's mirror image."""
    rng = stream(seed, "evidence")
    cells = [(k, i) for k, n in CELLS.items() for i in range(n)]
    excites = {(k, i): i < round(EXCITE[k] * CELLS[k]) for k, i in cells}
    names = [f"{k}{i + 1}_{s}" for s in "LR" for k, i in cells]
    edges: list[Edge] = []
    for a, i in cells:
        for b, j in cells:
            for share, crossed in ((SAME, False), (ACROSS, True)):
                if (a, i) != (b, j) and rng.random() < share[a][b]:
                    w = 1.0 if excites[a, i] else -1.0
                    edges += [(f"{a}{i + 1}_{s}", f"{b}{j + 1}_{_other(s) if crossed else s}", w) for s in "LR"]
    source = "drawn from the connection probabilities of Boulanger-Weill 2025"
    table = circuit_table(names, edges, source, "EM_population", "transmitter")
    types = np.array([k for _ in "LR" for k, _ in cells])
    return replace(table, types=types, kinds=np.full(len(names), "inter"))


def _evidence_weights(table: Connectome) -> scipy.sparse.csr_array:
    """Excitation and inhibition scaled together so that the side-against-side mode has the fitted eigenvalue."""
    w = weigh(table)
    half = len(table) // 2
    dense = w.toarray()
    difference = dense[:half, :half] - dense[:half, half:]
    lead = float(np.linalg.eigvals(difference).real.max())
    return scipy.sparse.csr_array(w * (EVIDENCE_LEAD / lead)) if lead > 0 else w


def evidence(clock: Clock) -> Circuit:
    """Integrates motion to one side against motion to the other over seconds (Bahl & Engert 2020)."""
    table = evidence_table()
    bias = np.full(len(table), 0.05, np.float32)
    return Circuit(table, _evidence_weights, bias, clock, taus_s=EVIDENCE_TAU_S, noise=0.03, noise_s=0.1)


def artr(clock: Clock) -> Circuit:
    """The hindbrain oscillator (Dunn 2016 eLife 5:e12741; Wolf 2017 Nat Commun 8:651): two noisy pools that inhibit
    each other, so that turns to one side come in rows. `Sel` decides whether a bout is a turn (half are: Z05)."""
    names = [f"ARTR{i + 1}_{s}" for s in "LR" for i in range(5)] + ["Sel"]
    edges: list[Edge] = []
    for side in "LR":
        for i in range(5):
            for j in range(5):
                edges.append((f"ARTR{i + 1}_{_other(side)}", f"ARTR{j + 1}_{side}", -0.5))
                if i != j:
                    edges.append((f"ARTR{i + 1}_{side}", f"ARTR{j + 1}_{side}", 0.3))
    table = circuit_table(names, edges, "ARTR after Dunn 2016 and Wolf 2017, strengths fitted to flips")
    types = np.array(["ARTR"] * 10 + ["Sel"])
    table = replace(table, types=types)
    bias = np.array([0.7] * 10 + [0.0], np.float32)
    noise = np.array([0.95] * 10 + [1.5])
    taus = np.array([0.15] * 10 + [0.05])
    return Circuit(table, weigh, bias, clock, taus_s=taus, noise=noise, noise_s=0.4)


def tectum(clock: Clock) -> Circuit:
    """Prey and danger (Bianco 2011; Semmelhack 2014 eLife 3:e04878; Temizer 2015 Curr Biol 25:1823).

    `prey_L45` sees small ultraviolet spots 45 deg to the left of the left eye's straight ahead, `near_L45` larger ones,
    as prey is within a millimetre, and only in a hunt. Of each kind cells compete, so that one spot wins, and what is
    near wins over what is far; those of one eye drive TeO of the other side. Near gathers what one eye has near in
    front. Hunt holds on by itself and turns the eyes in; Strike answers to Near of both eyes during a hunt (Bianco
    2015; Henriques 2019 Curr Biol 29:3887). Loom answers to a dark thing past its critical
    size, Avoid to large spots at the side; a hunt holds Avoid down.
    """
    prey = [(eye, a) for eye in "LR" for a in AZIMUTHS_DEG]
    names = [f"{k}_{e}{a}" for k in ("prey", "near") for e, a in prey]
    names += [f"{k}_{s}" for k in ("spot", "loom") for s in "LR"]
    names += [f"{k}_{s}" for k in ("TeO", "Near", "Avoid", "Loom") for s in "LR"] + ["Hunt", "Strike"]
    edges: list[Edge] = []
    for eye, a in prey:
        far, near, side = f"prey_{eye}{a}", f"near_{eye}{a}", _other(eye)
        # a fish turns about its middle, 1 mm behind its nose: by less than the azimuth that the nose has to prey
        if a > TURNED_IN_DEG:
            edges.append((far, f"TeO_{side}", ((a - TURNED_IN_DEG) / 140) ** 1.25))
        if a > NEAR_IN_DEG:
            edges.append((near, f"TeO_{side}", (a - NEAR_IN_DEG) / 150))
        if a <= STRIKE_DEG:
            edges.append((near, f"Near_{side}", 1.5))
        edges += [(far, "Hunt", 1.6), (far, far, 0.3), (near, "Hunt", 1.6), ("Hunt", near, 0.5)]
        for other, b in prey:  # cells that may look at one thing do not compete: what one eye, turned in, sees further
            # out the other sees further in
            same = abs(a - b) <= 15 if other == eye else abs(a + b - 2 * TURNED_IN_DEG) <= 20
            if not same:
                edges += [(far, f"prey_{other}{b}", -1.5), (near, f"prey_{other}{b}", -1.5)]
            if not (same or (other != eye and a + b <= 2 * TURNED_IN_DEG)):  # near: disparity is larger
                edges.append((near, f"near_{other}{b}", -0.8))
    for side in "LR":  # named by the side of the brain: what the other eye sees
        eye = _other(side)
        edges += [(f"spot_{eye}", f"Avoid_{side}", 1.5), (f"loom_{eye}", f"Loom_{side}", 2.0)]
        edges += [(f"Avoid_{side}", "Hunt", -3.0), (f"Loom_{side}", "Hunt", -3.0), ("Hunt", f"Avoid_{side}", -2.0)]
        edges += [(f"Avoid_{side}", f"TeO_{side}", -1.0)]  # nobody turns to what is large before it hunts
        edges += [(f"Near_{side}", "Strike", 1.2), (f"Loom_{side}", "Strike", -3.0)]
    edges += [("Hunt", "Hunt", 0.5), ("Hunt", "Strike", 0.8)]
    taus = {"Hunt": 0.25, "TeO_L": 0.03, "TeO_R": 0.03, "Loom_L": 0.005, "Loom_R": 0.005, "Strike": 0.03}
    table = circuit_table(names, edges, "tectal prey and loom pathways, strengths fitted")
    biases = {"Hunt": -0.45, "Strike": -2.0, "near": -0.5}
    bias = np.array([biases.get(n.split("_")[0], 0.0) for n in names], np.float32)
    return Circuit(table, weigh, bias, clock, taus_s=np.array([taus.get(n, 0.02) for n in names]))


def habenula(clock: Clock) -> Circuit:
    """Light and heat. `light` cells tell which side is brighter (to ARTR: Wolf 2017), `Dark` and `Bright` that it has
    become so at once (Z32), `Warm` that it is warmer than just before (Haesemeyer 2015 Cell Syst 1:338; Z40). Hb, the
    habenula itself, is a slot: nothing that moves the fish hears it yet."""
    names = ["light_L", "light_R", "heat", "dark", "bright", "Dark", "Bright", "Warm", "Hb_L", "Hb_R"]
    edges: list[Edge] = [(f"light_{s}", "Hb_L", 1.0) for s in "LR"] + [("heat", "Hb_R", 1.0)]
    edges += [("dark", "Dark", 2.0), ("bright", "Bright", 2.0), ("heat", "Warm", 1.0)]
    taus = np.array([0.2, 0.2, 0.02, 0.02, 0.02, 0.35, 0.15, 0.05, 0.3, 0.3])
    return Circuit(circuit_table(names, edges, "slot", "tuned"), weigh, np.zeros(10, np.float32), clock, taus_s=taus)


def passivity(clock: Clock) -> Circuit:
    """Who swims and does not get on gives up for a while (Mu 2019 Cell 178:27): NE, noradrenergic cells, hear the
    effort (a copy of what the cord does) less what is felt of it (`swum`: water past the head, or its turning) and fill
    Astro, radial astrocytes, which hold swimming back for seconds. A fish that is held swims seldom; in a free one
    nothing of it is active."""
    names = ["swum", "Effort", "NE", "Astro"]
    edges: list[Edge] = [("Effort", "NE", 1.5), ("swum", "NE", -2.0), ("NE", "Astro", 30.0)]
    table = circuit_table(names, edges, "futile swimming after Mu 2019, strengths fitted")
    bias = np.array([0, 0, -0.2, -0.5], np.float32)
    return Circuit(table, weigh, bias, clock, taus_s=np.array([0.02, 0.02, 1.0, 12.0]))


def descending(clock: Clock) -> Circuit:
    """nMLF (how often and how fast: Severi 2014 Neuron 83:692) and vSPN, RoV3, MiV1, MiV2 (turns: Huang 2013 Curr Biol
    23:1566; Orger 2008). At rest nMLF fire at half their rate, which is the tonic drive of 1 under which the cord makes
    spontaneous bouts. MeL stands for MeLr and MeLc, which hear the tectum and without which prey is not caught (Gahtan
    2005 J Neurosci 25:9294): turns to prey, in bouts that are finer."""
    names = [f"nMLF_{s}" for s in "LR"] + [f"{k}_{s}" for k in ("RoV3", "MiV1", "MiV2", "MeL") for s in "LR"]
    edges: list[Edge] = []
    for a in ("RoV3", "MiV1", "MiV2"):
        for b in ("RoV3", "MiV1", "MiV2"):
            edges += [(f"{a}_{s}", f"{b}_{_other(s)}", -0.2) for s in "LR"]
    table = circuit_table(names, edges, "spinal projection neurons, strengths fitted")
    types = np.where(np.isin(table.types, ("nMLF", "MeL")), table.types, "vSPN")
    table = replace(table, types=types)
    bias = np.array([np.arctanh(0.5)] * 2 + [0.0] * 8, np.float32)
    return Circuit(table, weigh, bias, clock, taus_s=np.array([0.05] * 2 + [0.03] * 8))


def lateral(clock: Clock) -> Circuit:
    """The lateral line: `flow_L` are afferents of neuromasts on the left, OLN the octavolateral nucleus behind them.

    What they make the fish do: one neuromast that is bent fast enough starts a swim (Haehnel-Taguchi 2014 J
    Neurophysiol 112:1329), and larvae burst away from a suction source (Olszewski 2012 PLoS ONE 7:e36661). OEN are the
    efferents that silence afferents from the start of a swim to after its end (Lunsford 2019 J Neurophysiol 122:2438):
    a fish does not startle at the water that it moves itself.
    """
    names = ["flow_L", "flow_R", "OLN_L", "OLN_R", "OEN"]
    edges: list[Edge] = []
    for side in "LR":
        edges += [(f"flow_{side}", f"OLN_{side}", 1.5), ("OEN", f"flow_{side}", -8.0)]
        edges += [(f"OLN_{side}", f"OLN_{_other(side)}", -1.0)]
    table = circuit_table(names, edges, "lateral line after Haehnel-Taguchi 2014 and Lunsford 2019, strengths fitted")
    taus = np.array([0.002, 0.002, 0.01, 0.01, 0.05])
    return Circuit(table, weigh, np.zeros(len(names), np.float32), clock, taus_s=taus, stride=1)


def depth(clock: Clock) -> Circuit:
    """Depth: the swim bladder's wall is stretched above the depth where it is neutral and slack below; vagal motor
    neurons, tonic at what holds the fish up, give it gas or take it. Fish do fill it by such reflexes; which neurons do
    it in larvae is not known (`tuned`)."""
    edges: list[Edge] = [("slack", "Vagal", GAS), ("stretch", "Vagal", -GAS)]
    table = circuit_table(["slack", "stretch", "Vagal"], edges, "slot for the bladder's reflex", "tuned")
    bias = np.array([0, 0, math.atanh(NEUTRAL)], np.float32)
    start = np.array([0, 0, NEUTRAL])  # or it would sink by 0.4 mm before they have woken
    return Circuit(table, weigh, bias, clock, taus_s=np.array([0.05, 0.05, 0.1]), start=start)
