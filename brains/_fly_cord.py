"""The fly's ventral nerve cord as named, ablatable parts: commands, a stance and swing network, programs, muscles.

Nothing here is measured wiring: every edge is `tuned` by hand to published behaviour and says so. Rates in Hz, voltages
in mV above rest. Three kinds of edges: `chemical` (mV per Hz, onto a unit's potential), `graded` (mV per mV, from a
silent pattern unit's potential, as non-spiking interneurons do) and `ramp` (mV per Hz, onto the slow potential of a
silent pattern unit).

Each leg has two pattern units that exclude each other, `stance_T1L` and `swing_T1L`. The silent one's slow potential
rises as its `ramp` input over `RAMP_S` says; with its quick potential it takes over at `ESCAPE_MV`. A stance unit's
ramp has a constant input, a swing unit's comes from the commands for speed: so a swing lasts as long at any speed, and
speed is set by how long a stance lasts, as in the animal (DeAngelis 2019 eLife 8:e46409). Legs of a tripod (a front and
a hind leg, and the middle one of the other side) lift each other, so far as they are about to lift anyhow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from bestiary.brains._cord import Cord
from bestiary.brains._parts import check_components
from bestiary.brains.connectome import Connectome

Array = np.ndarray[Any, np.dtype[Any]]

GROOMING = ("groom_eyes", "groom_antennae", "groom_abdomen", "groom_wings", "groom_thorax")  # first wins
GROOM_S = 0.07  # half a sweep: about 7 Hz (Ravbar 2021), from memory
PUMP_S = 0.1  # half a stroke of the pump: about 5 Hz (Manzo 2012), from memory
LEGS = ("T1L", "T1R", "T2L", "T2R", "T3L", "T3R")
POOLS = ("lift", "press", "reach", "push")  # what motor neurons make of a leg: silent but in a fly with the part `vnc`
ESCAPE_MV = 10.0
RAMP_S = 0.02
SWING_S = 0.0265  # of the command; the leg is off the ground for 37 ms (DeAngelis 2019: 30 to 40 ms at every speed)

COMPONENTS = {
    "pattern-generator": "the slow potentials by which stance and swing units take turns without feedback",
    "coordination": "what the legs tell each other: who may swing, and when",
    "load-feedback": "campaniform sensilla: a loaded leg does not lift, a leg that meets the ground ends its swing",
    "position-feedback": "a leg far behind lifts sooner",
    "adaptation": "the fading of the steering units that DNa02 drives",
    "grooming-hierarchy": "eyes before antennae before abdomen before wings before thorax, by suppression (Seeds 2014)",
    "arbitration": "grooming, feeding and the jump hold back walking",
    "long-mode": "the take-off beside the giant fibre's: first wings rise, then legs push (Card & Dickinson 2008)",
    "posture": "on a slope the body leans uphill, crouches and goes slower",
    "search": "a foot that finds no ground reaches down for it, one that finds it early rests there",
    "adhesion": "claws that hold on in stance",
}


@dataclass(frozen=True)
class Unit:
    """One named unit. rate = clip(gain * (potential - threshold), 0, top)."""

    name: str
    type: str
    kind: str = "inter"
    tau_s: float = 0.01
    gain_Hz_per_mV: float = 10.0
    threshold_mV: float = 0.0
    top_Hz: float = 150.0
    bias_mV: float = 0.0
    adapt: float = 0.0  # mV per Hz that fade in
    adapt_s: float = 0.1

    @property
    def side(self) -> str:
        return self.name[-1] if self.name[-1] in "LR" and self.name[-2:-1] in "_123" else ""


DIAG = 0.006  # mV per Hz by which the swing units of a tripod help one another
AIR_MV = 8.0  # by which a leg that is off the ground holds back its own swing unit


def _units() -> list[Unit]:
    units = [Unit(f"{word}_{side}", word, tau_s=0.04, threshold_mV=0.5) for word in ("fore", "back") for side in "LR"]
    units += [Unit(f"turn_{s}", "turn", tau_s=0.05, gain_Hz_per_mV=5) for s in "LR"]
    units += [Unit(f"steer_{s}", "steer", tau_s=0.01, gain_Hz_per_mV=10, adapt=0.08, adapt_s=0.15) for s in "LR"]
    units += [Unit("step", "step", tau_s=0.01, threshold_mV=4, top_Hz=100), Unit("halt", "halt", tau_s=0.03)]
    for leg in LEGS:
        units += [Unit(f"stance_{leg}", "stance", tau_s=0.002, top_Hz=100)]
        units += [Unit(f"swing_{leg}", "swing", tau_s=0.002, top_Hz=100, bias_mV=-AIR_MV)]
        units += [Unit(f"touch_{leg}", "touch", tau_s=0.004, adapt=0.1, adapt_s=0.012, top_Hz=100)]
        units += [Unit(f"{word}_{leg}", word, "sensory", tau_s=0.004) for word in ("load", "contact", "behind")]
    slopes = ("uphill", "downhill", "slant_L", "slant_R")
    units += [Unit(word, "slope", "sensory", tau_s=0.05, threshold_mV=0.7) for word in slopes]
    units += [Unit("steep", "slope", tau_s=0.01, gain_Hz_per_mV=100, threshold_mV=3, top_Hz=100)]
    units += [Unit("brace", "slope", tau_s=0.01, threshold_mV=15)]
    units += [Unit(word, "groom", tau_s=0.06, threshold_mV=1, top_Hz=100) for word in GROOMING]
    units += [Unit(word, "sweep", tau_s=0.004, top_Hz=100) for word in ("return", "sweep")]
    units += [Unit("rostrum", "proboscis", "motor", tau_s=0.03, gain_Hz_per_mV=12, threshold_mV=1, top_Hz=100)]
    units += [Unit("haustellum", "proboscis", "motor", tau_s=0.05, top_Hz=100)]
    units += [Unit("labrum", "proboscis", "motor", tau_s=0.01, gain_Hz_per_mV=20, threshold_mV=7, top_Hz=100)]
    units += [Unit(word, "pump", tau_s=0.004, top_Hz=100) for word in ("fill", "pump")]
    # the giant fibre's synapses are electrical: these muscles' motor neurons follow it within a control period
    units += [Unit(f"{w}_{s}", w, "motor", 5e-4, 20, 5, 200) for w in ("TTM", "DLM") for s in "LR"]
    units += [Unit("flight", "flight", tau_s=0.02, gain_Hz_per_mV=20, threshold_mV=4, top_Hz=100)]
    units += [Unit("raise", "raise", "motor", 5e-4, 20, 5, 100), Unit("leap", "leap", "motor", 0.02, 20, 8, 100)]
    units += [Unit(f"stroke_{s}", "stroke", "motor", tau_s=0.02) for s in "LR"]
    units += [Unit(f"{word}_{leg}", "pool", "motor", tau_s=5e-4, top_Hz=120) for word in POOLS for leg in LEGS]
    return units


def _neighbours(leg: str) -> list[str]:
    at = int(leg[1])
    return [f"T{k}{leg[2]}" for k in (at - 1, at + 1) if 1 <= k <= 3] + [leg.translate(_SWAP)]


def _diagonal(leg: str) -> list[str]:
    at = int(leg[1])
    return [f"T{k}{leg[2]}".translate(_SWAP) for k in (at - 1, at + 1) if 1 <= k <= 3]


# (source, target, weight, edge kind, the component that it belongs to). Globs with a side: L and R are swapped too.
def _wiring() -> list[tuple[str, str, float, str, str]]:
    edges: list[tuple[str, str, float, str, str]] = []

    def both(pre: str, post: str, weight: float, kind: str = "chemical", part: str = "") -> None:
        edges.append((pre, post, weight, kind, part))
        edges.append((pre.translate(_SWAP), post.translate(_SWAP), weight, kind, part))

    for turner, weight in (("turn", 0.03), ("steer", 0.03)):  # to the left: right legs faster, left slower or back
        both(f"{turner}_L", "fore_R", weight)
        both(f"{turner}_L", "fore_L", -weight)
        both(f"{turner}_L", "back_L", weight)
        both(f"{turner}_L", "back_R", -weight)
        both(f"{turner}_L", "step", 0.1)
    both("fore_L", "back_L", -0.1)
    both("back_L", "fore_L", -0.1)
    for word in ("fore", "back"):
        both(f"{word}_L", "step", 1.0)
        edges.append(("halt", f"{word}_L", -0.3, "chemical", ""))
        edges.append(("halt", f"{word}_R", -0.3, "chemical", ""))
    edges += [(word, "steep", 0.1, "chemical", "posture") for word in ("uphill", "downhill", "slant_L", "slant_R")]
    edges.append(("steep", "brace", 0.125, "chemical", "posture"))
    for word in ("fore", "back"):  # where it is steep nothing goes fast
        both(f"{word}_L", "brace", 0.05, "chemical", "posture")
        edges += [("brace", f"{word}_{s}", -1.0, "chemical", "posture") for s in "LR"]
    for leg in LEGS:
        swing = f"swing_{leg}"
        edges += [
            ("step", swing, 0.0052, "ramp", "pattern-generator"),
            *((f"{w}_{s}", swing, 0.0192, "ramp", "pattern-generator") for w in ("fore", "back") for s in "LR"),
            (f"stance_{leg}", f"touch_{leg}", 0.1, "chemical", "coordination"),
            (f"load_{leg}", swing, -0.03, "chemical", "load-feedback"),
            (f"contact_{leg}", f"stance_{leg}", 0.02, "chemical", "load-feedback"),
            (f"contact_{leg}", swing, 0.01 * AIR_MV, "chemical", "load-feedback"),
            (f"behind_{leg}", swing, 0.02, "chemical", "position-feedback"),
        ]
        edges += [(f"swing_{far}", swing, DIAG, "chemical", "coordination") for far in _diagonal(leg)]
        for near in _neighbours(leg):
            edges.append((f"swing_{near}", swing, -0.10, "chemical", "coordination"))
            if near[:2] == leg[:2]:
                edges.append((f"swing_{near}", swing, 0.25, "graded", "coordination"))
            elif near < leg:  # the leg ahead
                edges.append((f"swing_{near}", swing, 0.3, "graded", "coordination"))
            else:  # the leg behind
                edges.append((f"touch_{near}", swing, 0.015, "chemical", "coordination"))
                edges.append((f"swing_{near}", swing, -0.15, "graded", "coordination"))
    for first, word in enumerate(GROOMING):
        edges.append((word, "sweep", 0.0286, "ramp", ""))
        edges.append((word, word, 0.06, "chemical", ""))
        edges += [(word, later, -0.3, "chemical", "grooming-hierarchy") for later in GROOMING[first + 1 :]]
        edges += [(word, f"{w}_{s}", -0.3, "chemical", "arbitration") for w in ("fore", "back") for s in "LR"]
    edges += [("rostrum", f"{w}_{s}", -0.3, "chemical", "arbitration") for w in ("fore", "back") for s in "LR"]
    edges += [("rostrum", word, -0.3, "chemical", "arbitration") for word in GROOMING]
    edges += [
        ("rostrum", "haustellum", 0.12, "chemical", ""),
        ("haustellum", "pump", 0.02, "ramp", ""),
        ("haustellum", "labrum", 0.06, "chemical", ""),
        ("pump", "labrum", 0.06, "chemical", ""),
        ("TTM_L", "flight", 3.0, "chemical", ""),
        ("TTM_R", "flight", 3.0, "chemical", ""),
        ("raise", "raise", 0.2, "chemical", "long-mode"),
        ("raise", "leap", 0.2, "chemical", "long-mode"),  # 15 ms later
        ("leap", "flight", 3.0, "chemical", "long-mode"),
        ("flight", "raise", -0.5, "chemical", "long-mode"),
        ("flight", "flight", 0.2, "chemical", ""),  # flight goes on until four legs touch
        *((f"contact_{leg}", "flight", -0.05, "chemical", "load-feedback") for leg in LEGS),
    ]
    for w in ("fore", "back", "turn", "steer"):
        edges += [("flight", f"{w}_{s}", -0.5, "chemical", "arbitration") for s in "LR"]
    edges += [("flight", w, -0.5, "chemical", "arbitration") for w in (*GROOMING, "rostrum", "step")]
    return edges


_SWAP = str.maketrans("LR", "RL")


def table(without: Sequence[str] = ()) -> Connectome:
    """The cord's units and edges, less those of the components named."""
    check_components(without, COMPONENTS)
    units = _units()
    row = {u.name: i for i, u in enumerate(units)}
    edges = [e for e in _wiring() if e[4] not in without]
    weight = np.array([e[2] for e in edges])
    return Connectome(
        ids=np.array([u.name for u in units]),
        types=np.array([u.type for u in units]),
        kinds=np.array([u.kind for u in units]),
        sides=np.array([u.side for u in units]),
        pre=np.array([row[e[0]] for e in edges]),
        post=np.array([row[e[1]] for e in edges]),
        weight=np.abs(weight),
        sign=np.sign(weight).astype(np.int8),
        kind=np.array([e[3] for e in edges]),
        sign_by="assumed",
        provenance="tuned",
        source="the fly's cord: hand-made, no measured wiring",
    )


_FIRST = (5.1, 2.2, 0.3, 0.1, 6.5, 7.3)  # mV of each leg's swing unit at the start: hind legs first, as on a slope
_KINDS = ("chemical", "graded", "ramp")


class FlyCord(Cord):
    """The fly's cord; decoder: `bestiary.interfaces._fly_motor.Motor`."""

    components = COMPONENTS
    units_and_edges = staticmethod(table)

    def prepare(self) -> None:
        units, dt, without, row = _units(), self.decoder.period_s, self.without, self._row
        adapt = [0.0 if u.type == "steer" and "adaptation" in without else u.adapt for u in units]
        bias = [0.0 if u.type == "swing" and "load-feedback" in without else u.bias_mV for u in units]
        self._unit = np.array(
            [
                (
                    -np.expm1(-dt / u.tau_s),
                    u.gain_Hz_per_mV,
                    u.threshold_mV,
                    u.top_Hz,
                    b,
                    a,
                    -np.expm1(-dt / u.adapt_s),
                )
                for u, a, b in zip(units, adapt, bias, strict=True)
            ]
        )
        self._speaks[[u.type == "slope" and "posture" in without for u in units]] = 0
        code = np.array([_KINDS.index(v) for v in self.table.kind.values])
        self._kind = code[self.table.kind.codes[self._order]].astype(np.int64)
        pairs = [*((f"swing_{leg}", f"stance_{leg}") for leg in LEGS), ("sweep", "return"), ("pump", "fill")]
        self._pairs = np.array([[row[a], row[b]] for a, b in pairs])
        # the second of each pair has a constant input of its own; that of a leg is active at rest
        lasts_s = np.array([SWING_S] * len(LEGS) + [GROOM_S, PUMP_S])
        self._second = np.stack([ESCAPE_MV * RAMP_S / lasts_s, np.arange(len(pairs)) < len(LEGS)], 1)
        self._numbers = np.array([dt / RAMP_S, ESCAPE_MV])

    def init(self, seed: int) -> dict[str, Any]:
        """Standing, every unit silent; where each leg is in its cycle comes from the seed."""
        n = len(self.table)
        rng = np.random.default_rng(seed)
        state: dict[str, Any] = {
            "potential": np.zeros(n),
            "fatigue": np.zeros(n),
            "slow": np.zeros((len(self._pairs), 2)),
            "turn": np.zeros(len(self._pairs)),  # whose: 0 the second of the pair, 1 the first
            "rate": np.zeros(n),
            "limbs": self.decoder.init(),
        }
        first = np.array(_FIRST)[[1, 0, 3, 2, 5, 4]] if rng.integers(2) else np.array(_FIRST)
        state["slow"][: len(LEGS), 0] = first + rng.uniform(0, 0.5, len(LEGS))
        standing = self._pairs[: len(LEGS), 1]
        state["rate"][standing] = 100.0 * self._speaks[standing]
        return state

    def advance(self, state: dict[str, Any], drive_mV: Array) -> dict[str, Any]:
        """One control period."""
        new = {k: v.copy() for k, v in state.items() if k != "limbs"}
        new["limbs"] = {k: v.copy() for k, v in state["limbs"].items()}
        rate = new["rate"]
        _network(
            new["potential"],
            new["fatigue"],
            new["slow"],
            new["turn"],
            rate,
            np.asarray(drive_mV, float),
            self._unit,
            self._alive,
            self._speaks,
            self._pre,
            self._post,
            self._weight,
            self._kind,
            self._pairs,
            self._second,
            self._numbers,
        )
        self.decoder.advance(new["limbs"], rate[self._outputs])
        return new

    def voltage_mV(self, state: dict[str, Any]) -> Array:
        """(n,) above rest; of a silent pattern unit with its slow potential."""
        out = state["potential"].copy()
        out[self._pairs] += state["slow"]
        return np.asarray(out, np.float32)


@numba.njit(cache=True, nogil=True)
def _network(
    potential, fatigue, slow, turn, rate, drive, unit, alive, speaks, pre, post, weight, kind, pairs, second, numbers
):
    ramp_step, escape = numbers
    n = potential.size
    graded = np.zeros(n)  # what a silent pattern unit tells without spikes
    for i in range(pairs.shape[0]):
        for k in range(2):
            graded[pairs[i, k]] = slow[i, k] * speaks[pairs[i, k]]
    quick, ramp = np.zeros(n), np.zeros(n)
    for e in range(pre.size):
        if kind[e] == 0:
            quick[post[e]] += weight[e] * rate[pre[e]]
        elif kind[e] == 1:
            quick[post[e]] += weight[e] * graded[pre[e]]
        else:
            ramp[post[e]] += weight[e] * rate[pre[e]]
    for i in range(n):
        goal = quick[i] + drive[i] + unit[i, 4] - fatigue[i]
        potential[i] += (goal - potential[i]) * unit[i, 0]
        out = min(max(unit[i, 1] * (potential[i] - unit[i, 2]), 0.0), unit[i, 3]) * alive[i]
        fatigue[i] += (unit[i, 5] * out - fatigue[i]) * unit[i, 6]
        rate[i] = out * speaks[i]
    for i in range(pairs.shape[0]):
        a, b = pairs[i, 0], pairs[i, 1]
        if turn[i] == 0:
            slow[i, 0] = min(slow[i, 0] + max(ramp[a], 0.0) * ramp_step, 2.0 * escape)
            ready = slow[i, 0] + potential[a] >= escape and ramp[a] > 0 and alive[a] > 0
        else:
            slow[i, 1] += (second[i, 0] + max(ramp[b], 0.0)) * ramp_step
            ready = slow[i, 1] + max(potential[b], 0.0) >= escape and alive[b] > 0
        if ready:
            turn[i] = 1 - turn[i]
            slow[i] = 0.0
        rate[a] = 100.0 * turn[i] * alive[a] * speaks[a]
        rests = second[i, 1] > 0 or ramp[a] > 0  # stance is rest; the others begin with it and end with it
        rate[b] = 100.0 * (1 - turn[i]) * alive[b] * speaks[b] * rests
