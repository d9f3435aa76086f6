"""The mouse's brainstem as populations with rates: what commands the cord, from what it hears of cortex and colliculus.

Who excites whom is from the papers named in `EDGES`; strengths are `functional_fit` or `tuned`, none is measured. Sides
are those of the brain: `SC_L` hears the RIGHT eye; `Gi_L` turns the mouse to the left.

Inputs (20 mV is 1): SC_L, SC_R (something dark that grows), sweep_L, sweep_R (something small that passes); Sp5b_L,
Sp5b_R, Sp5f_L, Sp5f_R (trigeminal nuclei, of their own side: bends of whiskers at the back and in front). Outputs, 0 to
100 Hz: MLR_L, MLR_R (speed), Gi_L, Gi_R (turn), InC_up, InC_down (pitch of the head), vIRt_L, vIRt_R (whisking: one
burst a cycle), whisk_set (set-point, 50 Hz is the middle), rear, lick, PAG_freeze, dPAG_flee, narrow (paws drawn in).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numba
import numpy as np

from bestiary.brains._fish_circuits import Circuit, circuit_table, weigh
from bestiary.brains._spiking_period import uniform
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock

Array = np.ndarray[Any, np.dtype[Any]]

OUTPUTS = ("MLR_L", "MLR_R", "Gi_L", "Gi_R", "InC_up", "InC_down", "vIRt_L", "vIRt_R", "whisk_set", "rear", "lick",
           "PAG_freeze", "dPAG_flee")  # fmt: skip
INPUTS = ("SC_L", "SC_R", "sweep_L", "sweep_R")
TRIGEMINAL = ("Sp5b_L", "Sp5b_R", "Sp5f_L", "Sp5f_R")
WHISK_HZ = 8.0  # M26; `whisk-rhythm` stands for the oscillator of vIRt (Takatoh 2022 Nature 609:560)

EDGES = [
    # Evans 2018 Nature 558:590: the colliculus excites dorsal PAG, whose threshold and recurrence make an escape
    *((f"SC_{s}", "dPAG_flee", 1.1) for s in "LR"),
    *((f"SC_{s}", f"SC_{s}", 0.9) for s in "LR"),  # amplifies and sustains the drive to it (likewise)
    ("dPAG_flee", "dPAG_flee", 1.6),
    *((f"sweep_{s}", "PAG_freeze", 1.2) for s in "LR"),  # Tovote 2016 Nature 534:206; De Franceschi 2016
    *((f"SC_{s}", "PAG_freeze", 0.25) for s in "LR"),
    ("PAG_freeze", "PAG_freeze", 1.5),
    ("dPAG_flee", "PAG_freeze", -3.0),
    ("PAG_freeze", "dPAG_flee", -0.4),
    # Caggiano 2018 Nature 553:455; Josset 2018 Curr Biol 28:884: both MLR nuclei make a mouse walk, faster with more
    *(("Go", f"MLR_{s}", 0.6) for s in "LR"),
    *(("dPAG_flee", f"MLR_{s}", 2.0) for s in "LR"),
    *(("PAG_freeze", f"MLR_{s}", -4.0) for s in "LR"),
    # Cregg 2020 Nat Neurosci 23:730: Gi V2a of one side turn to it. SC_L hears the right eye: away is left
    ("Gi_L", "Gi_R", -1.2),
    ("Gi_R", "Gi_L", -1.2),
    *((f"SC_{s}", f"Gi_{s}", 0.8) for s in "LR"),
    *(("PAG_freeze", f"Gi_{s}", -2.0) for s in "LR"),
    # the interstitial nucleus of Cajal holds and moves the head up and down (Fukushima 1987 Prog Neurobiol 29:107,
    # memory); up with a rear, down while it walks, nose to the ground
    ("InC_up", "InC_down", -1.2),
    ("InC_down", "InC_up", -1.2),
    ("rear", "InC_up", 0.8),
    *((f"MLR_{s}", "InC_down", 0.2) for s in "LR"),
    *(("dPAG_flee", f"InC_{way}", -2.0) for way in ("up", "down")),
    # whisking goes with locomotion (Sofroniew 2014 J Neurosci 34:9537)
    *((f"MLR_{s}", f"vIRt_{s}", 0.5) for s in "LR"),
    *((f"MLR_{s}", "whisk_set", 0.3) for s in "LR"),
    ("PAG_freeze", "vIRt_L", -2.0),
    ("PAG_freeze", "vIRt_R", -2.0),
    ("PAG_freeze", "rear", -3.0),
    ("dPAG_flee", "rear", -3.0),
    *((f"MLR_{s}", "rear", -0.6) for s in "LR"),
    ("rear", "rear", 0.8),
    # walls along both flanks, not one ahead: it draws its paws in and goes straight on (assumed; whiskers tell rodents
    # whether a gap is wide enough: Krupa 2001 J Neurosci 21:5752, memory)
    *((f"Sp5b_{s}", f"flank_{s}", 8.0) for s in "LR"),
    *((f"Sp5f_{s}", f"flank_{s}", -8.0) for s in "LR"),
    *((f"flank_{s}", "narrow", 4.0) for s in "LR"),
    *(("narrow", f"Gi_{s}", -1.0) for s in "LR"),
    ("narrow", "rear", -3.0),
]
BIAS = {
    "Go": 0.35, "MLR": 0.0, "Gi": 0.0, "vIRt": -0.25, "whisk_set": 0.35, "rear": -1.0, "lick": 0.0,
    "dPAG_flee": -0.55, "PAG_freeze": -0.45, "narrow": -4.2,
}  # fmt: skip
TAU_S = {"Go": 0.3, "MLR": 0.05, "Gi": 0.06, "InC_up": 0.1, "InC_down": 0.1, "vIRt": 0.01,
         "whisk_set": 0.1, "rear": 0.2, "lick": 0.05,
         "dPAG_flee": 0.05, "PAG_freeze": 0.3, "SC": 0.02, "sweep": 0.05, "flank": 0.2, "narrow": 0.3}  # fmt: skip
NOISE = {"Go": 0.35, "Gi": 0.35, "InC_up": 0.35, "InC_down": 0.35, "rear": 0.65}
NOISE_S = 0.6


def brainstem_table() -> Connectome:
    """The units and their edges."""
    names = [*INPUTS, "Go", *OUTPUTS, *TRIGEMINAL, "flank_L", "flank_R", "narrow"]
    source = "commands of the mouse's brainstem after the literature, strengths fitted or tuned"
    table = circuit_table(names, [e for e in EDGES if e[2]], source)
    kinds = np.full(len(table), "inter", dtype="<U10")
    kinds[np.isin(table.names, (*INPUTS, *TRIGEMINAL))] = "sensory"
    kinds[np.isin(table.names, (*OUTPUTS, "narrow"))] = "descending"
    return replace(table, kinds=kinds)


@dataclass(frozen=True, eq=False)
class Brainstem(Circuit):
    """A Circuit whose vIRt units also hear a rhythm of WHISK_HZ (`whisk-rhythm`); rhythm 0 takes it out."""

    rhythm: float = 1.0

    @cached_property
    def _whisks(self) -> Array:
        return np.flatnonzero(self.table.types == "vIRt")

    def advance(self, state: dict[str, Any], drive_mV: Array) -> dict[str, Any]:
        if self.rhythm:
            drive_mV = np.array(drive_mV, np.float32)
            phase = 2 * math.pi * WHISK_HZ * self.clock.control_s * int(state["key"][1])
            drive_mV[self._whisks] += np.float32(20 * self.rhythm * 0.6 * math.sin(phase))
        return super().advance(state, drive_mV)

    def _normal(self, key: Array) -> Array:
        """Likewise, in a hundredth of the time that a new generator of NumPy takes."""
        return _normals(len(self.table), key.astype(np.uint64))


@numba.njit  # no cache: `uniform` is of another file
def _normals(n: int, key: Array) -> Array:
    """(n,) by Box & Muller 1958."""
    out = np.empty(n, np.float32)
    seed = key[0] << np.uint64(32) | key[1]
    for i in range(n):
        size = math.sqrt(-2 * math.log(uniform(seed, 2 * i)))
        out[i] = size * math.cos(2 * math.pi * uniform(seed, 2 * i + 1))
    return out


def brainstem(clock: Clock, rhythm: bool = True) -> Brainstem:
    """The part `brainstem`."""
    table = brainstem_table()

    def per_unit(values: dict[str, float], default: float) -> Array:
        return np.array([values.get(t, values.get(n, default)) for n, t in zip(table.names, table.types, strict=True)])

    return Brainstem(
        table,
        weigh,
        per_unit(BIAS, 0.0).astype(np.float32),
        clock,
        taus_s=per_unit(TAU_S, 0.05),
        noise=per_unit(NOISE, 0.0),
        noise_s=NOISE_S,
        stride=max(1, round(0.002 / clock.control_s)),
        rhythm=float(rhythm),
    )
