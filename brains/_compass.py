"""`compass`: the head-direction circuit of the central complex of the hemibrain (real counts), and steering to a goal.

What the wiring gives: every synapse count among EPG, EPGt, PEN, PEG, Delta7, FC2 and PFL3. Assumed: each neuron's input
from a type is scaled to the mean of its own type (homeostasis; without it the bump runs to a few favoured places, with
shuffled partners there is none). Fitted: strengths and biases, see `compass_*` in assets/fly/parameters.json.
Not in the table: the neurons that bring turning to PEN (drive is given to PEN itself), landmarks (given to EPG), the
goal (given to FC2), and the step from PFL3 to descending neurons (a link of the fly, declared there).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from bestiary.brains._hemibrain import hemibrain, part_of
from bestiary.brains._parameters import parameters
from bestiary.brains._rate_part import RatePart
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock

Array = np.ndarray[Any, np.dtype[Any]]

HEADING = ("EPG", "EPGt", "PEN_a", "PEN_b", "PEG", "Delta7")
GOAL = ("FC2A", "FC2B", "FC2C")
TYPES = (*HEADING, *GOAL, "PFL3")
# Glomeruli of the bridge in the order of the ring, 22.5 degrees each: the order in which EPG of neighbouring glomeruli
# synapse on one another in the table (Wolff 2015 J Comp Neurol 523:997 gives the same by light microscopy).
RING = ("L1", "R1", "L8", "R2", "L7", "R3", "L6", "R4", "L5", "R5", "L4", "R6", "L3", "R7", "L2", "R8")
# Columns of the fan-shaped body: PFL3 of one column sit in glomeruli at equal distance on both sides of its heading
# (L3 and R3 in column 5, ...), which leaves two candidates 180 degrees apart; the other one steers away from the goal.
COLUMN_5_DEG, COLUMN_DEG = 191.25, -45.0


@dataclass(frozen=True, eq=False)
class Compass(RatePart):
    """A RatePart whose EPG hold a heading. Angles grow to the left; the zero is the place of glomerulus L1.

    turn: input of PEN per rad/s.
    """

    turn: float = 0.0

    @functools.cached_property
    def ring_rad(self) -> Array:
        """(n,) place on the ring of EPG, NaN for other neurons."""
        at = [RING.index(_glomerulus(n)) if t == "EPG" else np.nan for n, t in self._pairs()]
        return np.asarray(at) * 2 * np.pi / len(RING)

    @functools.cached_property
    def column_rad(self) -> Array:
        """(n,) goal direction of FC2, NaN for other neurons."""
        found = [re.search(r"_C(\d)", n) if t in GOAL else None for n, t in self._pairs()]
        return np.array([np.radians(COLUMN_5_DEG + COLUMN_DEG * (int(m[1]) - 5)) if m else np.nan for m in found])

    @functools.cached_property
    def _pen(self) -> Array:
        """(n,) +1 PEN of the left bridge, -1 of the right, 0 others."""
        side = [{"L": 1, "R": -1}[_glomerulus(n)[0]] if t.startswith("PEN") else 0 for n, t in self._pairs()]
        return np.asarray(side, np.float32)

    def _pairs(self) -> list[tuple[str, str]]:
        return list(zip(self.table.names.tolist(), self.table.types.tolist(), strict=True))

    def init(self, seed: int) -> dict[str, Any]:
        """A settled bump; seed: of its place, since where it stands in the brain differs between flies."""
        state = super().init(seed)
        cue = self.drive(landmark_rad=float(np.random.default_rng(seed).uniform(0, 2 * np.pi)))
        for i in range(round(1.0 / self.clock.control_s)):
            state = self.advance(state, cue if i * self.clock.control_s < 0.6 else np.zeros_like(cue))
        return state

    def drive(
        self, turn_rad_per_s: float = 0.0, goal_rad: float | None = None, landmark_rad: float | None = None
    ) -> Array:
        """(n,) mV: turning (left positive) to PEN, a goal to FC2, a landmark that pulls the bump to EPG."""
        out = self.turn * turn_rad_per_s * self._pen
        for angle, places, gain in ((goal_rad, self.column_rad, 1.0), (landmark_rad, self.ring_rad, 0.6)):
            if angle is not None:
                out = out + gain * np.nan_to_num(np.maximum(np.cos(places - angle), 0))
        return (self.unit_mV * out).astype(np.float32)

    def heading_rad(self, state: dict[str, Any]) -> tuple[float, float]:
        """(angle, length) of the mean vector of EPG: where the bump is, and how sharp, 0 to 1."""
        at = np.isfinite(self.ring_rad)
        r = state["r"][at]
        vector = (r * np.exp(1j * self.ring_rad[at])).sum() / max(float(r.sum()), 1e-9)
        return float(np.angle(vector)), float(abs(vector))

    def decoded(self, state: dict[str, Any]) -> dict[str, Array]:
        """`heading_rad`: where the bump is."""
        return {"heading_rad": np.array(self.heading_rad(state)[0])}

    def steering(self, state: dict[str, Any]) -> float:
        """PFL3 of the right bridge less the left, whose axons cross (Hulse 2021 eLife 10:e66039): + turns left."""
        pfl3 = self.table.types == "PFL3"
        rate = state["r"] * self._heard
        side = np.array([_glomerulus(n)[0] for n in self.table.names[pfl3].tolist()])
        return float(rate[pfl3][side == "R"].sum() - rate[pfl3][side == "L"].sum())


def compass(clock: Clock, p: Mapping[str, float] | None = None, folder: Any = None) -> Compass:
    """The part. p: parameters of the fly, None the shipped ones. folder: of the hemibrain, None asks the registry."""
    p = parameters("fly") if p is None else p
    table = _table(folder)
    bias = np.select(
        [
            table.types == "Delta7",
            np.char.startswith(table.types, "PEN"),
            np.isin(table.types, GOAL),
            table.types == "PFL3",
        ],
        [p["compass_bias_delta7"], p["compass_bias_pen"], 0.0, p["compass_pfl3_bias"]],
        p["compass_bias_ring"],
    )
    weigh = functools.partial(_weights, p=p)
    return Compass(table, weigh, bias.astype(np.float32), clock, tau_s=p["compass_tau_s"], turn=p["compass_turn"])


@functools.lru_cache(2)
def _table(folder: Any) -> Connectome:
    whole = hemibrain("cx", folder)
    return part_of(whole, np.flatnonzero(np.isin(whole.types, TYPES)))


def _glomerulus(name: str) -> str:
    found = re.search(r"_([LR]\d)", name)
    return found[1] if found else "L0"


def _weights(table: Connectome, p: Mapping[str, float]) -> scipy.sparse.csr_array:
    """(n, n) target x source: counts, evened out over the neurons of a type, times gain and sign."""
    n, types = len(table), table.types
    pre, post = table.pre, table.post
    kind, of = np.unique(types, return_inverse=True)
    total = np.zeros((n, len(kind)))
    np.add.at(total, (post, of[pre]), table.weight)  # of each neuron from each type
    mean = np.array([total[of == k].mean(0) for k in range(len(kind))])
    count = table.weight * mean[of[post], of[pre]] / total[post, of[pre]]

    def among(names: tuple[str, ...], ends: Array) -> Array:
        return np.isin(types[ends], names)

    pen, epg, delta = ("PEN_a", "PEN_b"), ("EPG", "EPGt"), ("Delta7",)
    core, into = among(HEADING, pre) & among(HEADING, post), post
    gain = np.select(
        [
            core & among(delta, pre) & among(delta, post),
            core & among(delta, pre),
            core & among(epg, pre) & among(delta, post),
            core & among(epg, pre) & among(pen, post),
            core & among(pen, pre) & among(epg, post),
            core & among(pen, pre) & among(pen, post),
            core,
            among(HEADING, pre) & among(("PFL3",), into),
            among(GOAL, pre) & among(("PFL3",), into),
        ],
        [
            p["compass_delta7_delta7"],
            p["compass_delta7"],
            p["compass_epg_delta7"],
            p["compass_to_pen"],
            p["compass_from_pen"],
            p["compass_pen"],
            p["compass_ring"],
            p["compass_pfl3_heading"],
            p["compass_pfl3_goal"],
        ],
        0.0,
    )
    keep = gain > 0
    value = (gain * count * table.sign)[keep].astype(np.float32)
    return scipy.sparse.csr_array(scipy.sparse.coo_array((value, (post[keep], pre[keep])), (n, n)))
