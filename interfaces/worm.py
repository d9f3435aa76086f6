"""The worm's interface: receptors to named sensory neurons, proprioception, and motor neurons to 95 muscles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bestiary.bodies.worm import Worm
from bestiary.brains import worm as brains
from bestiary.brains.connectome import Connectome
from bestiary.brains.worm import GROUPS, HEAD_D, HEAD_V, WormBrain
from bestiary.envs._clock import Clock
from bestiary.errors import ConnectomeError

Array = np.ndarray[Any, np.dtype[Any]]

CLOCK = {"control": "0.01", "brain": "0.002", "physics": "0.005"}
DEMO = {"task": "locomotion", "seconds": 30.0}  # what `bestiary run` shows
COMPONENTS = {
    "head-proprioception": "stretch of the body bends SMD and RMD back (Yeon 2018); the neck leads SMD",
    "b-proprioception": "B-type motor neurons follow the bend ahead (Wen 2012) and oppose that behind (Boyle 2012)",
    "a-proprioception": "A-type motor neurons follow the bend behind them: the mirror image of B, assumed",
    "adaptation": "slow outward current of head, A and B motor neurons, AVA and AVE",
    "phasic-stretch": "part of the response of head and B motor neurons to bending fades at once: assumed",
    "plateaus": "regenerative currents of head, A, B and command neurons",
    "arousal": "constant current that favours AVB and PVC over AVA, AVD and AVE, as off food",
}
# Neuromuscular classes that share one gain `muscle_<group>`; every other class has the gain `muscle_other`.
MUSCLE_GROUPS = {
    "head": ("SMDD", "SMDV"),
    "rmd": ("RMDD", "RMDV", "RMD"),
    "b": GROUPS["b"],
    "a": GROUPS["a"],
    "as": ("AS",),
    "d": ("DD", "VD"),
}
# From muscle 9 on, Cook 2019 gives the sublateral neurons one constant count per muscle: an extrapolation.
LAST_TRACED_MUSCLE = 8
NECK_L = 0.27  # muscles 5 to 8, which SMD and the first B types share
INTERVAL = ("temperature_C",)  # senses where a difference means something and a share does not
# Ends of the mechanosensory processes, fractions of the body (Chalfie 1985; White 1986).
TOUCH_FIELDS = {"ALM": (0.0, 0.5), "AVM": (0.08, 0.5), "PLM": (0.5, 0.95)}


def assemble(
    body: Worm,
    connectome: Connectome | str | None,
    parameters: Any,
    rewire: Any,
    lesion: tuple[str, ...],
    silence: tuple[str, ...],
    without: tuple[str, ...],
    clock: Clock,
    backend: str | None = None,
) -> tuple[WormBrain, WormInterface, dict[str, Any]]:
    """Brain, interface and what a card says of them, for `bestiary.animal("worm", ...)`."""
    p = brains.parameters(parameters)
    brain = brains.build(connectome, p, clock, rewire, lesion, silence, without, backend or brains.BACKENDS[0])
    about = {"parameters": p, "connectome": brain.connectome.source, "components": COMPONENTS, "backend": brain.backend}
    return brain, WormInterface.of(body, brain, p, without, clock.control_s), about


@dataclass(frozen=True)
class WormInterface:
    """Receptors and neuromuscular junctions of one worm.

    stretch (n, 4 * n_joints): mV per unit strain, before saturation at stretch_mV (n,), which is most_pA (n,).
    touch (n, n_links): pA at a
    saturating change of force on each link. nmj (95, n): muscle drive per unit release above rest. Chemical senses: see
    `encode`.
    """

    names: tuple[str, ...]
    stretch: Array
    phasic: Array  # (n,) part of the response to bending that fades, beside 1 that lasts
    follow: float  # share of the way that it fades in a control period
    stretch_mV: Array
    most_pA: Array
    touch: Array
    nmj: Array
    chemical: dict[str, tuple[Array, Array]]  # sense -> pA (n,) per unit rise, per unit fall of the relative signal
    p: Mapping[str, float]
    period_s: float

    @classmethod
    def of(
        cls, body: Worm, brain: WormBrain, p: Mapping[str, float], without: tuple[str, ...], period_s: float
    ) -> WormInterface:
        connectome = brain.connectome
        muscles = muscle_rows(connectome, body.motors)
        rows = connectome.neurons
        types, acts = connectome.types[rows], _places(connectome)
        rest = brain.membrane_nS
        n = len(rows)

        # Proprioception: mV of depolarisation per 1/mm of bending, times the rest conductance.
        joints = body.joint_fraction
        bend = np.zeros((n, len(joints)))
        for i, kind in enumerate(types):
            toward = 1 if kind[0] == "D" or kind in HEAD_D else -1  # dorsal motor neurons see dorsal bends as positive
            if kind in GROUPS["b"] and "b-proprioception" not in without:
                x = acts[i]
                near, far = _ahead(joints, x, p["reach_L"]), _box(joints, x, p)
                bend[i] = toward * (p["stretch_b_mV"] * near - p["local_b_mV"] * far)
            elif kind in GROUPS["a"] and "a-proprioception" not in without:
                x, back = acts[i], joints[::-1]  # distance from the tail: the same rule, mirrored
                near = _bump(back, max(1 - x - p["reach_a_L"], 0.04), p["reach_width_L"])
                bend[i] = toward * p["stretch_a_mV"] * near
                if 1 - x < p["tail_rhythm_L"]:
                    bend[i] = -toward * p["stretch_tail_mV"] * _span(back, p["head_from_L"], p["head_to_L"])
            elif kind in (*HEAD_D, *HEAD_V) and "head-proprioception" not in without:
                back_of_head = _span(joints, p["head_from_L"], p["head_to_L"])
                if kind.startswith("SMD"):
                    ahead = _bump(joints, max(NECK_L - p["reach_neck_L"], 0.04), p["reach_width_L"])
                    bend[i] = toward * (p["stretch_neck_mV"] * ahead - p["stretch_head_mV"] * back_of_head)
                else:
                    bend[i] = -toward * p["stretch_rmd_mV"] * back_of_head
        # curvature of joint j from the strain of its four rows, which lie at 45 degrees: 1/mm per unit strain
        per_strain = np.sqrt(2) / body.radius_at_m(joints) * 1e-3 / 4
        stretch = np.concatenate([bend * per_strain * side for side in (-1, -1, 1, 1)], axis=1)

        limit = np.select(
            [np.isin(types, GROUPS["a"]), np.isin(types, GROUPS["b"])],
            [p["stretch_max_a_mV"], p["stretch_max_b_mV"]],
            p["stretch_max_mV"],
        )

        links = (np.arange(body.n_links) + 0.5) / body.n_links
        touch = np.zeros((n, body.n_links))
        for kind, (low, high) in TOUCH_FIELDS.items():
            touch[types == kind] = (links >= low) & (links <= high)
        touch *= p["touch_mV"]
        touch[types == "PVD"] = p["harsh_touch_mV"]

        def cells(*which: str) -> Array:
            return np.isin(types, which) | np.isin(connectome.ids[rows], which)

        gain = p["chemical_mV"] * brain.input_nS
        none = np.zeros(n)
        chemical = {
            "nacl_mol_per_m3": (gain * cells("ASEL"), gain * cells("ASER")),
            "butanone_mol_per_m3": (-gain * cells("AWC"), gain * cells("AWC")),
            "diacetyl_mol_per_m3": (gain * cells("AWA"), none),
            "glycerol_mol_per_m3": (gain * cells("ASH"), none),
            "oxygen_kPa": (gain * cells("URX"), none),
            "temperature_C": (gain * cells("AFD"), none),
        }
        classes = [np.isin(types, GROUPS["head"]), np.isin(types, GROUPS["b"])]
        phasic = np.select(classes, [p["phasic_head"], p["phasic_b"]]) * ("phasic-stretch" not in without)
        return cls(
            names=brain.names,
            stretch=stretch.astype(np.float32),
            phasic=phasic.astype(np.float32),
            follow=min(1.0, period_s / p["phasic_tau_s"]),
            stretch_mV=limit.astype(np.float32),
            most_pA=rest * limit.astype(np.float32),
            touch=(touch * brain.input_nS[:, None]).astype(np.float32),
            nmj=_junctions(connectome, muscles, p).astype(np.float32),
            chemical={k: (a.astype(np.float32), b.astype(np.float32)) for k, (a, b) in chemical.items()},
            p=p,
            period_s=period_s,
        )

    def init(self) -> dict[str, Array]:
        """Receptors adapt to what they first meet: NaN until then."""
        return {
            "averages": np.full((2, len(self.chemical)), np.nan),
            "touch": np.zeros(self.touch.shape[1]),
            "stretch": np.zeros(self.stretch.shape[1], np.float32),
        }

    def encode(self, state: dict[str, Array], obs: Mapping[str, Array]) -> tuple[dict[str, Array], Array]:
        """Currents (n,) pA.

        Stretch: the weighted strain and, `phasic` times, what of it is newer than `phasic_tau_s`; then saturation.
        Touch: the receptors answer to changes of force and adapt (O'Hagan 2005 Nat Neurosci 8:43), saturating with
        half at `touch_half_N`. Chemical senses: the difference of a fast and a slow average of the concentration at
        the nose, as a share of the slow one (Weber); ASEL and AWA answer to rises, ASER to falls, AWC to falls and is
        quieted by rises (Suzuki 2008 Nature 454:114; Chalasani 2007 Nature 450:63). Oxygen likewise; temperature, whose
        zero in degC means nothing, by its difference in K.
        """
        p = self.p
        force, strain = obs["touch_N"], obs["stretch"].ravel()
        new = dict(state)
        new["stretch"] = state["stretch"] + (strain - state["stretch"]) * np.float32(self.follow)
        felt = self.stretch @ strain + self.phasic * (self.stretch @ (strain - new["stretch"]))
        current = self.most_pA * np.tanh(felt / self.stretch_mV)
        if np.count_nonzero(force) or np.count_nonzero(state["touch"]):
            new["touch"] = state["touch"] + (force - state["touch"]) * min(1.0, self.period_s / p["touch_tau_s"])
            change = np.abs(force - new["touch"])
            current = current + self.touch @ (change / (change + p["touch_half_N"]))
        fast, slow = min(1.0, self.period_s / p["chemical_fast_s"]), min(1.0, self.period_s / p["chemical_slow_s"])
        averages = state["averages"]
        quick, lazy = averages.tolist()
        for k, (sense, (rise, fall)) in enumerate(self.chemical.items()):
            left, right = obs[sense].tolist()
            now, a, b = 0.5 * (left + right), quick[k], lazy[k]
            if now == a == b:
                continue
            if a != a:
                a = b = now
            a, b = a + (now - a) * fast, b + (now - b) * slow
            if averages is state["averages"]:
                averages = new["averages"] = averages.copy()
            averages[:, k] = a, b
            scale = 1.0 if sense in INTERVAL else b + p["chemical_floor"]
            signal = np.tanh((a - b) / scale / p["chemical_half"])
            current = current + (rise * signal if signal > 0 else fall * -signal)
        return new, current

    def decode(self, reading: Mapping[str, Array]) -> Array:
        """Muscle action (95,): tanh of the summed junctions times `muscle_max`; 0, half tone, at rest."""
        active = (reading["release"] - reading["release_rest"]) / reading["release_max"]
        return self.p["muscle_max"] * np.tanh(self.nmj @ active)

    # Many worms: the same with a leading axis

    def join(self, states: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        """States of single worms side by side."""
        return {name: np.stack([state[name] for state in states]) for name in states[0]}

    def encode_many(self, state: dict[str, Array], obs: Mapping[str, Array]) -> tuple[dict[str, Array], Array]:
        """`encode` of many worms: currents (worms, n)."""
        p, worms = self.p, len(obs["stretch"])
        force, strain = obs["touch_N"], obs["stretch"].reshape(worms, -1)
        new = dict(state)
        new["stretch"] = state["stretch"] + (strain - state["stretch"]) * np.float32(self.follow)
        felt = self.stretch @ strain.T + self.phasic[:, None] * (self.stretch @ (strain - new["stretch"]).T)
        current = self.most_pA[:, None] * np.tanh(felt / self.stretch_mV[:, None])
        if len(felt_now := np.flatnonzero(force.any(1) | state["touch"].any(1))):
            old, now = state["touch"][felt_now], force[felt_now]
            kept = old + (now - old) * min(1.0, self.period_s / p["touch_tau_s"])
            new["touch"] = state["touch"].copy()
            new["touch"][felt_now] = kept
            change = np.abs(now - kept)
            current[:, felt_now] += self.touch @ (change / (change + p["touch_half_N"])).T.astype(np.float32)
        averages = state["averages"].copy()
        fast, slow = min(1.0, self.period_s / p["chemical_fast_s"]), min(1.0, self.period_s / p["chemical_slow_s"])
        smelt = np.stack([obs[sense] for sense in self.chemical]).astype(float).mean(2)  # (senses, worms)
        changed = (smelt[:, None] != averages.transpose(2, 1, 0)).any(1)
        for k, (sense, (rise, fall)) in enumerate(self.chemical.items()):
            if not (busy := changed[k]).any():
                continue
            now, a, b = smelt[k], averages[:, 0, k], averages[:, 1, k]
            first = np.isnan(a)
            a, b = np.where(first, now, a), np.where(first, now, b)
            a, b = a + (now - a) * fast, b + (now - b) * slow
            averages[busy, 0, k], averages[busy, 1, k] = a[busy], b[busy]
            scale = 1.0 if sense in INTERVAL else b + p["chemical_floor"]
            signal = np.tanh((a - b) / scale / p["chemical_half"])
            if signal.any():
                up, down = np.maximum(signal, 0).astype(np.float32), np.maximum(-signal, 0).astype(np.float32)
                current += np.outer(rise, up) + np.outer(fall, down)
        new["averages"] = averages
        return new, current.T

    def decode_many(self, reading: Mapping[str, Array]) -> Array:
        """`decode` of many worms: (worms, 95)."""
        active = (reading["release"] - reading["release_rest"]) / reading["release_max"]
        return np.float32(self.p["muscle_max"]) * np.tanh(active @ self.nmj.T)


def muscle_rows(connectome: Connectome, motors: tuple[str, ...]) -> Array:
    """Rows of the body's muscles in the connectome, in the order of actions.

    Raises ConnectomeError where it lacks them, their junctions, or the columns that this interface reads.
    """
    for column in ("along", "index"):
        if column not in connectome.extra:
            raise ConnectomeError(
                f"the connectome has no extra[{column!r}], which says where its cells lie: see `load`"
            )
    row = {str(name): i for i, name in enumerate(connectome.ids.tolist())}
    if missing := [m for m in motors if m not in row]:
        first = ", ".join(missing[:5])
        raise ConnectomeError(f"the connectome lacks {len(missing)} of the {len(motors)} muscles of the body: {first}")
    if "neuromuscular" not in connectome.kind.values:
        raise ConnectomeError(
            "the connectome has no neuromuscular edges, so nothing would move; "
            "load_connectome('worm', NAME, muscles='cook2019') takes those of another data set"
        )
    return np.array([row[m] for m in motors])


def _places(connectome: Connectome) -> Array:
    """(n,) where each neuron acts: the middle of the muscles that it innervates, else its soma; 0 nose to 1 tail.

    The soma of DB3 lies at 0.19 of the body, the muscles that it drives at 0.5.
    """
    rows, muscles = connectome.neurons, connectome.muscles
    along = connectome.extra["along"]
    count = connectome.matrix("neuromuscular").toarray()[np.ix_(rows, muscles)]
    total = count.sum(1)
    return np.where(total > 0, count @ along[muscles] / np.maximum(total, 1e-9), along[rows])


def _bump(at: Array, middle: float, width: float) -> Array:
    weight = np.exp(-0.5 * ((at - middle) / width) ** 2)
    return np.asarray(weight / weight.sum())


def _ahead(at: Array, x: float, reach: float) -> Array:
    """Weights that fall off from x toward 0, to 1/e within `reach`."""
    weight = np.where(at <= x, np.exp((at - x) / reach), 0.0)
    return np.asarray(weight / max(weight.sum(), 1e-9))


def _span(at: Array, low: float, high: float) -> Array:
    weight = ((at >= low) & (at <= high)).astype(float)
    return weight / max(weight.sum(), 1.0)


def _box(at: Array, x: float, p: Mapping[str, float]) -> Array:
    start = min(x + p["local_shift_L"], 0.9)
    return _span(at, start, start + p["local_length_L"])


def _junctions(connectome: Connectome, muscles: Array, p: Mapping[str, float]) -> Array:
    """(95, n): signed share of each motor neuron in the drive of each of the `muscles` (rows of the table).

    Section counts say who innervates whom and in what proportion; sections were counted more densely in some parts of
    the body than in others, so within each group of classes a muscle's counts are normalised to their sum, and the
    group's strength is one fitted gain. Muscles that are coupled by gap junctions share their drive.
    """
    rows = connectome.neurons
    count = connectome.matrix("neuromuscular").toarray()[np.ix_(rows, muscles)].T.astype(float)
    effect = connectome.matrix("neuromuscular", signed=True).toarray()[np.ix_(rows, muscles)].T
    types, place = connectome.types[rows], connectome.extra["index"][muscles]
    out = np.zeros_like(count)
    grouped = {c for classes in MUSCLE_GROUPS.values() for c in classes}
    groups = MUSCLE_GROUPS | {"other": tuple(sorted(set(types.tolist()) - grouped))}
    for name, classes in groups.items():
        mine = np.isin(types, classes)
        part = count[:, mine].copy()
        total = part.sum(1)
        if name in ("head", "rmd", "other"):
            traced = place <= LAST_TRACED_MUSCLE
            part[~traced] *= p["sublateral_share"]
            if name == "head":  # beyond the neck they share the muscle with others: no normalisation up
                total = np.where(traced, total, total[traced].mean())
        usual = total[total > 0].mean() if (total > 0).any() else 1.0
        out[:, mine] = p[f"muscle_{name}"] * part / np.maximum(total, 0.5 * usual)[:, None]
    out = np.where(effect < 0, -out, out)
    if p["muscle_coupling"] > 0 and "muscle_gap" in connectome.kind.values:
        gap = connectome.matrix("muscle_gap").toarray()[np.ix_(muscles, muscles)].astype(float)
        np.fill_diagonal(gap, 0)
        laplacian = np.diag(gap.sum(1)) - gap
        out = np.linalg.solve(np.eye(len(gap)) + p["muscle_coupling"] * laplacian / max(gap.sum(1).mean(), 1e-9), out)
    return out


class Pattern:
    """Control K10: a travelling wave of muscle activation at the frequency and wavelength of a crawling worm.

    0.30 Hz and 0.65 body lengths (Fang-Yen 2010), amplitude for the crawling curvature: no brain, no senses.
    """

    def __init__(self, body: Worm, frequency_Hz: float = 0.30, wavelength_L: float = 0.65, amplitude: float = 0.6):
        self._phase = 2 * np.pi * body.muscle_fraction / wavelength_L
        self._side = amplitude * np.array([1.0 if m[1] == "D" else -1.0 for m in body.motors])
        self._turn = 2 * np.pi * frequency_Hz

    def __call__(self, time_s: float) -> Array:
        """Action (95,) at time_s of the episode."""
        return self._side * np.sin(self._turn * time_s - self._phase)


PATTERN = Pattern
INTERFACE = WormInterface
