"""The mouse's spinal cord: the published network of four half-centres, and the units that command and inform it.

Published (Danner, Shevtsova, Frigon & Rybak 2017 eLife 6:e31050): per limb a rhythm generator of a flexor and an
extensor half-centre (persistent sodium current), commissural V0V, V0D, V3 and CINi neurons, long propriospinal V0V,
V0D, Shox2 and inhibitory neurons between fore and hind limbs; equations, weights and drives are theirs, without noise.
Drive `speed` (alpha, 0 to 1.05) excites flexor half-centres and inhibits V0V and V0D: walk, trot, gallop and bound
follow. Numbers were typed in from a public re-implementation of that model, not from the paper's own tables.

Ours, `tuned`: the units of descending commands; `fast` cells, which let the body leave its trot (the network alone
keeps it up to the highest drives once it trots); the stop cells that keep paws on the ground while a mouse is not told
to walk (after the V2a stop cells of Bouvier 2015 Cell 163:1191, which however halt the rhythm itself); the feedback of
load, without which the body falls (a paw that bears weight holds its own flexors back and, the more the faster the
mouse is told to go, helps those across: Ib and crossed reflexes), and of stretch; motoneurons of the whisker pads;
righting. Rates are Hz: for the published neurons 100 times their output.
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

LIMBS = ("FL", "FR", "HL", "HR")
STEP_S = 5e-4
FAST_GATE, FAST_V0V = 0.64, 0.12  # how strongly `fast` cells hold back load afferents and V0V
SETTLE_S = 3.0  # the rhythm runs so long before an episode
ALPHA_TOP = 1.03  # of the drive: the flexors of the published network no longer fall silent from about 1.07 on
SPEED_S = 0.25  # of the drive, which rises no faster than
SPEED_HZ_PER_S = 210.0  # this: a body that is sped up faster leaps before its limbs take turns
IDLE_HZ = 5.0  # of `speed` at rest: the rhythm idles at 2 Hz, unheard, so that a walk begins in step
_OTHER = {"L": "R", "R": "L"}

COMPONENTS = {
    "V0V": "commissural V0V neurons: left and right alternate at middle speeds (Talpalar 2013)",
    "V0D": "commissural V0D neurons: left and right alternate at low speeds (Talpalar 2013)",
    "V3": "commissural V3 neurons: left and right together at high speeds",
    "Shox2": "long propriospinal Shox2 neurons: fore and hind limbs of a side take turns",
    "LPN": "all long propriospinal neurons between fore and hind limbs",
    "load-feedback": "a paw that bears weight holds its flexors back and helps those across; one that swings and meets "
    "the ground stays there, one that hangs reaches down (Ib, touch)",
    "stretch-feedback": "a paw far behind helps its flexors to begin (Ia and II of hip and shoulder flexors)",
    "vestibulospinal": "a swinging paw lands further to the side that the trunk sinks to, and legs stretch there",
    "fast": "above a trot, cells hold back load reflexes and V0V, and limbs move by a second set of numbers",
    "righting": "a mouse that lies on its side or back writhes until it is on its feet (from the otoliths)",
    "halting": "a mouse whose trunk tips up or sideways steps where it is until it is level again (from the otoliths)",
    "stop-cells": "a mouse that is not told to walk stands",
}


@dataclass(frozen=True)
class Unit:
    """Of commands and afferents: rate = clip(gain * potential, 0, top), rising by `rise` at most."""

    name: str
    type: str
    kind: str = "inter"
    tau_s: float = 0.02
    gain_Hz_per_mV: float = 10.0
    top_Hz: float = 100.0
    bias_mV: float = 0.0
    part: int = 0  # 0 a rate unit, 1 a published neuron, 2 one with persistent sodium current
    excited: float = 0.0  # constant excitatory drive of a published neuron
    rise_mV_per_s: float = np.inf


def units() -> list[Unit]:
    """Every unit, in order."""
    out = []
    for limb in LIMBS:
        out += [Unit(f"RGF_{limb}", "RGF", "motor", part=2), Unit(f"RGE_{limb}", "RGE", "motor", part=2, excited=0.1)]
        words = ("InF", "InE", "CINi", "V0V", "V0D", "V3", "V2a", "V2adiag", "InV0V")
        out += [Unit(f"{w}_{limb}", w, part=1) for w in words]
    for side in "LR":
        long = ("V0Ddiag", "V0Vdiagfh", "V0Vdiaghf", "InHom", "Shox2fh", "Shox2hf")
        out += [Unit(f"{w}_{side}", w, part=1) for w in long]
    out += [
        Unit(
            "speed",
            "speed",
            tau_s=SPEED_S,
            top_Hz=100 * ALPHA_TOP,
            bias_mV=IDLE_HZ / 10,
            rise_mV_per_s=SPEED_HZ_PER_S / 10,
        )
    ]
    out += [Unit("stop", "stop", tau_s=0.03, gain_Hz_per_mV=20, bias_mV=10)]
    out += [Unit(f"turn_{s}", "turn", tau_s=0.05) for s in "LR"]
    out += [Unit("rear", "rear", "motor", tau_s=0.1), Unit("crouch", "crouch", "motor", tau_s=0.05)]
    out += [Unit("nod", "nod", "motor", tau_s=0.1, bias_mV=5), Unit("lick", "lick", "motor", tau_s=0.01)]
    out += [Unit(f"FN_{s}", "FN", "motor", tau_s=0.005, bias_mV=2) for s in "LR"]  # protractors; 50 Hz is the middle
    out += [Unit(f"{w}_{limb}", w, "sensory", tau_s=0.005) for w in ("load", "stretch") for limb in LIMBS]
    out += [Unit("fast", "fast", "motor", bias_mV=-5)]  # silent up to a trot
    out += [Unit(f"Ib_{limb}", "Ib", tau_s=0.002) for limb in LIMBS]
    out += [Unit("crossing", "crossing", top_Hz=44)]  # so that, unloaded, crossed reflexes are silent at every speed
    out += [Unit(f"crossed_{limb}", "crossed", tau_s=0.01, bias_mV=-5) for limb in LIMBS]
    out += [Unit("tipped", "tipped", "sensory")]
    out += [Unit("righting", "righting", "motor", bias_mV=-3)]  # from 46 deg off upright
    out += [Unit(w, "tilt", "sensory", tau_s=0.02) for w in ("nose_up", "nose_down", "lean_L", "lean_R")]
    out += [Unit(f"spin_{s}", "spin", "sensory") for s in "LR"]
    out += [Unit("unsteady", "unsteady", "motor", bias_mV=-3), Unit("narrow", "narrow", "motor", tau_s=0.1)]
    return out


def _edges() -> list[tuple[str, str, float, str, tuple[str, ...]]]:
    """(source, target, weight, provenance, components it belongs to). Onto published neurons: of the conductance 10 nS
    per full output; onto rate units: mV per Hz."""
    out: list[tuple[str, str, float, str, tuple[str, ...]]] = []

    def add(pre: str, post: str, weight: float, *parts: str, by: str = "functional_fit") -> None:
        out.append((pre, post, weight, by, parts))

    for limb in LIMBS:
        across = limb[0] + _OTHER[limb[1]]
        f, e = f"RGF_{limb}", f"RGE_{limb}"
        for pre, post, weight, *parts in (
            (f, f"InF_{limb}", 0.4), (f"InF_{limb}", e, -1.0), (e, f"InE_{limb}", 0.4), (f"InE_{limb}", f, -0.08),
            (e, f"CINi_{limb}", 0.4), (f"CINi_{limb}", f"RGF_{across}", -0.03),
            (f, f"V2a_{limb}", 1.0), (f"V2a_{limb}", f"V0V_{limb}", 1.0),
            (f"V0V_{limb}", f"InV0V_{across}", 0.6, "V0V"),
            (f"InV0V_{limb}", f, -0.07), (f, f"V0D_{limb}", 0.7), (f"V0D_{limb}", f"RGF_{across}", -0.07, "V0D"),
            (f, f"V3_{limb}", 0.35), (f"V3_{limb}", f"RGF_{across}", 0.03, "V3"), (f, f"V2adiag_{limb}", 0.5),
            ("speed", f, 0.1), ("speed", f"V0V_{limb}", -0.15), ("speed", f"V0D_{limb}", -0.75),
        ):  # fmt: skip
            add(pre, post, weight, *parts)
        add(f"stretch_{limb}", f, 0.0304, "stretch-feedback", by="tuned")
        add("fast", f"V0V_{limb}", -FAST_V0V, "fast", by="tuned")
        add("fast", f"Ib_{limb}", -FAST_GATE, "fast", "load-feedback", by="tuned")
        for pre, post, weight in (
            (f"load_{limb}", f"Ib_{limb}", 0.1),
            (f"Ib_{limb}", f, -0.0265), (f"Ib_{limb}", e, 0.129), (f"Ib_{limb}", f"crossed_{limb}", 0.1),
            ("crossing", f"crossed_{limb}", 0.113), (f"crossed_{limb}", f"RGF_{across}", 0.0312),
        ):  # fmt: skip
            add(pre, post, weight, "load-feedback", by="tuned")
    add("speed", "fast", 0.1, "fast", by="tuned")
    add("speed", "crossing", 0.1, "load-feedback", by="tuned")
    for s in "LR":
        c = _OTHER[s]
        for pre, post, weight, *parts in (
            (f"RGE_F{s}", f"Shox2fh_{s}", 0.5), (f"Shox2fh_{s}", f"RGF_H{s}", 0.01, "Shox2", "LPN"),
            (f"RGE_H{s}", f"Shox2hf_{s}", 0.5), (f"Shox2hf_{s}", f"RGF_F{s}", 0.125, "Shox2", "LPN"),
            (f"RGF_F{s}", f"InHom_{s}", 0.7), (f"InHom_{s}", f"RGF_H{s}", -0.01, "LPN"),
            (f"RGF_F{s}", f"V0Ddiag_{s}", 0.5), (f"V0Ddiag_{s}", f"RGF_H{c}", -0.075, "V0D", "LPN"),
            (f"V2adiag_F{s}", f"V0Vdiagfh_{s}", 0.9), (f"V0Vdiagfh_{s}", f"RGF_H{c}", 0.02, "V0V", "LPN"),
            (f"V2adiag_H{s}", f"V0Vdiaghf_{s}", 0.9), (f"V0Vdiaghf_{s}", f"RGF_F{c}", 0.065, "V0V", "LPN"),
            ("speed", f"V0Ddiag_{s}", -0.75),
        ):  # fmt: skip
            add(pre, post, weight, *parts)
        add(f"turn_{s}", "speed", 0.008, by="tuned")  # a mouse that turns steps
        add(f"turn_{s}", f"turn_{c}", -0.1, by="tuned")
    add("speed", "stop", -1.25, "stop-cells", by="tuned")
    for tilt in ("nose_up", "lean_L", "lean_R"):
        add(tilt, "unsteady", 0.1, "halting", by="tuned")
    add("rear", "speed", -0.15, by="tuned")
    add("tipped", "righting", 0.1, "righting", by="tuned")
    add("righting", "speed", -0.1, "righting", by="tuned")
    add("speed", "rear", -0.1, by="tuned")
    return out


def table(without: Sequence[str] = ()) -> Connectome:
    """The cord's units and edges, less those of the components named."""
    check_components(without, COMPONENTS)
    every = units()
    row = {u.name: i for i, u in enumerate(every)}
    edges = [e for e in _edges() if not set(e[4]) & set(without)]
    weight = np.array([e[2] for e in edges])
    return Connectome(
        ids=np.array([u.name for u in every]),
        types=np.array([u.type for u in every]),
        kinds=np.array([u.kind for u in every]),
        sides=np.array([u.name[-1] if u.name[-1] in "LR" and u.type != u.name else "" for u in every]),
        pre=np.array([row[e[0]] for e in edges]),
        post=np.array([row[e[1]] for e in edges]),
        weight=np.abs(weight),
        sign=np.sign(weight).astype(np.int8),
        sign_by="assumed",
        provenance=np.array([e[3] for e in edges]),
        source="the mouse's cord: Danner 2017, with commands and feedback of our own",
    )


class MouseCord(Cord):
    """The mouse's cord; decoder: `bestiary.interfaces._mouse_motor.Motor`."""

    components = COMPONENTS
    units_and_edges = staticmethod(table)

    def prepare(self) -> None:
        every, without, row = units(), self.without, self._row
        self._steps = max(1, round(self.decoder.period_s / STEP_S))
        self._unit = np.array(
            [
                (
                    u.part,
                    -np.expm1(-STEP_S / u.tau_s),
                    u.gain_Hz_per_mV,
                    u.top_Hz,
                    u.bias_mV,
                    u.excited,
                    u.rise_mV_per_s,
                )
                for u in every
            ]
        )
        if "vestibulospinal" in without:
            self._speaks[[row[w] for w in ("nose_up", "nose_down", "lean_L", "lean_R", "spin_L", "spin_R")]] = 0
        if "load-feedback" in without:
            self._speaks[[row[f"load_{limb}"] for limb in LIMBS]] = 0

    def init(self, seed: int) -> dict[str, Any]:
        """Standing, the rhythm idling; where it is in its cycle comes from the seed."""
        rng = np.random.default_rng(seed)
        published = self._unit[:, 0] > 0
        n = len(self.table)
        state: dict[str, Any] = {
            "potential": np.where(published, -60.0 + rng.uniform(0, 5, n), self._unit[:, 4]),
            "inactivation": rng.uniform(0.3, 0.7, n) * (self._unit[:, 0] == 2),
            "rate": np.zeros(n),
        }
        for _ in range(round(SETTLE_S / self.decoder.period_s)):
            self._step(state, np.zeros(n))
        return {**state, "limbs": self.decoder.init()}

    def _step(self, state: dict[str, Any], drive_mV: Array) -> None:
        _network(
            state["potential"],
            state["inactivation"],
            state["rate"],
            np.asarray(drive_mV, float),
            self._unit,
            self._alive,
            self._speaks,
            self._pre,
            self._post,
            self._weight,
            self._steps,
        )

    def advance(self, state: dict[str, Any], drive_mV: Array) -> dict[str, Any]:
        """One control period. drive_mV: of a published neuron, the millivolts by which it shifts its leak."""
        new = {k: v.copy() for k, v in state.items() if k != "limbs"}
        new["limbs"] = {k: v.copy() for k, v in state["limbs"].items()}
        self._step(new, drive_mV)
        self.decoder.advance(new["limbs"], (new["rate"] * self._speaks)[self._outputs])
        return new

    def voltage_mV(self, state: dict[str, Any]) -> Array:
        """(n,) membrane potential of the published neurons, above rest of the others."""
        return np.asarray(state["potential"], np.float32)


@numba.njit(cache=True, nogil=True)
def _network(potential, inactivation, rate, drive, unit, alive, speaks, pre, post, weight, steps):
    """Exponential Euler: C = 10 pF, synapses of 10 nS at -10 and -75 mV, output (V + 50 mV) / 50 mV in 0..1."""
    n, dt_ms = potential.size, 0.5
    for _ in range(steps):
        excites, inhibits = np.zeros(n), np.zeros(n)
        for e in range(pre.size):
            out = rate[pre[e]] * speaks[pre[e]]
            if unit[post[e], 0] > 0:
                if weight[e] > 0:
                    excites[post[e]] += weight[e] * out / 100
                else:
                    inhibits[post[e]] -= weight[e] * out / 100
            else:
                excites[post[e]] += weight[e] * out  # mV
        for i in range(n):
            part = unit[i, 0]
            if part == 0:
                goal = excites[i] + drive[i] + unit[i, 4]
                potential[i] += min((goal - potential[i]) * unit[i, 1], unit[i, 6] * STEP_S)
                rate[i] = min(max(unit[i, 2] * potential[i], 0.0), unit[i, 3]) * alive[i]
                continue
            v = potential[i]
            leak, rest = (4.5, -62.5) if part == 2 else (2.8, -60.0)
            up, down = 10 * (excites[i] + unit[i, 5]), 10 * inhibits[i]
            conductance = leak + up + down
            current = leak * (rest + drive[i]) - 10 * up - 75 * down
            if part == 2:
                sodium = 4.5 * inactivation[i] / (1 + np.exp(-(v + 40) / 6))
                conductance += sodium
                current += 50 * sodium
                tau_ms = 80 + 80 / np.cosh((v + 35) / 15)
                goal = 1 / (1 + np.exp((v + 45) / 4))
                inactivation[i] += (goal - inactivation[i]) * (1 - np.exp(-dt_ms / tau_ms))
            v += (current / conductance - v) * (1 - np.exp(-conductance * dt_ms / 10))
            potential[i] = v
            rate[i] = 100 * min(max((v + 50) / 50, 0.0), 1.0) * alive[i]
