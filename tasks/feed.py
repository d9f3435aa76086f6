"""Find food and eat it: a patch of sugar and a patch of something bitter on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import disc, ground
from bestiary.tasks._motion import advance, check_positive, start_at_random

_COLOURS = {"sugar": (0.85, 0.55, 0.75, 1), "bitter": (0.45, 0.50, 0.20, 1)}


@dataclass(frozen=True)
class Feed:
    """Two discs on the ground, of sugar and of bitter. Reward: seconds for which the mouth is out over sugar that is
    not bitter, less those over bitter; each second weighs with the extension of the proboscis, 0 to 1.

    seconds: length of the episode. sugar_mol_per_m3, bitter_mol_per_m3: in the discs, fields of these names; 0 leaves
    one out. 50 mol/m3 of sugar as in Shiu 2024. distance_L: from the start to the middle of each disc, at bearings that
    are drawn, the two opposite; 0 lays both under the start, where tastes mix. patch_L: their radius. ahead_deg: the
    most that the sugar's bearing lies off the heading; 180 is anywhere. smell: a field that the sugar gives off, peak
    smell_peak above it, smell_L wide; "" is none.

    The field is the same at any height: a receptor tastes what it touches, which is the body's matter.
    info: on_sugar, on_bitter (share of the claws over them; of the head where a body has none), mouth_on_sugar,
    mouth_on_bitter, proboscis, fed_s (the sum of rewards), sugar_distance_m (of the head from the rim), forward_m,
    speed_m_per_s, distance_m.
    """

    seconds: float = 20.0
    sugar_mol_per_m3: float = 50.0
    bitter_mol_per_m3: float = 1.0
    distance_L: float = 5.0
    patch_L: float = 1.5
    ahead_deg: float = 180.0
    smell: str = ""
    smell_peak: float = 100.0
    smell_L: float = 5.0

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "patch_L", "smell_L")
        if min(self.sugar_mol_per_m3, self.bitter_mol_per_m3, self.distance_L) < 0 or not 0 <= self.ahead_deg <= 180:
            raise ValueError(
                "Feed: sugar_mol_per_m3, bitter_mol_per_m3 and distance_L must be 0 or more, ahead_deg from 0 to 180; "
                f"got {self.sugar_mol_per_m3}, {self.bitter_mol_per_m3}, {self.distance_L}, {self.ahead_deg}"
            )

    def _amount(self, taste: str) -> float:
        return self.sugar_mol_per_m3 if taste == "sugar" else self.bitter_mol_per_m3

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, 2 * (self.distance_L + self.patch_L) * body.length_m, layers=2)
        for layer, (taste, rgba) in enumerate(_COLOURS.items()):
            if self._amount(taste) > 0:
                disc(spec, body, taste, self.patch_L * body.length_m, rgba, layer)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        axis = body.pose(bound, data)["midline_m"]
        ahead = math.atan2(*(axis[0] - axis[-1])[1::-1])
        bearing = ahead + rng.uniform(-1, 1) * math.radians(self.ahead_deg)
        way = self.distance_L * body.length_m * np.array([math.cos(bearing), math.sin(bearing)])
        places = {"sugar": way, "bitter": -way}
        for taste, place in places.items():
            if self._amount(taste) > 0:
                data.mocap_pos[model.body_mocapid[model.body(taste).id], :2] = place / body.units.length
        return {**state, **places, "fed_s": 0.0}

    def inside(self, state: dict[str, Any], taste: str, position_m: Array) -> Array:
        """(n,) bool: over the disc of "sugar" or "bitter"."""
        if self._amount(taste) <= 0:
            return np.zeros(len(position_m), bool)
        away = position_m[:, :2] - state[taste]
        return (away**2).sum(1) <= (self.patch_L * state["length_m"]) ** 2

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        for taste in _COLOURS:
            if sense == f"{taste}_mol_per_m3":
                return self._amount(taste) * self.inside(state, taste, position_m)
        if self.smell and sense == self.smell:
            away = position_m[:, :2] - state["sugar"]
            return self.smell_peak * np.exp(-(away**2).sum(1) / (2 * (self.smell_L * state["length_m"]) ** 2))
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        period_s = time_s - state["time_s"]
        _, info = advance(state, pose, time_s)
        head = pose["midline_m"][:1]
        feet = pose.get("claws_m", head)
        out = float(pose.get("proboscis", 1.0))  # a body without one eats where its head is
        mouth = {taste: bool(self.inside(state, taste, head)[0]) for taste in _COLOURS}
        reward = out * period_s * (mouth["sugar"] - 2 * mouth["bitter"] if mouth["sugar"] else -mouth["bitter"])
        state["fed_s"] += reward
        info |= {
            "on_sugar": float(self.inside(state, "sugar", feet).mean()),
            "on_bitter": float(self.inside(state, "bitter", feet).mean()),
            "mouth_on_sugar": float(mouth["sugar"]),
            "mouth_on_bitter": float(mouth["bitter"]),
            "proboscis": out,
            "fed_s": state["fed_s"],
            "sugar_distance_m": math.dist(head[0, :2], state["sugar"]) - self.patch_L * state["length_m"],
        }
        return reward, False, info


TASK = Feed
