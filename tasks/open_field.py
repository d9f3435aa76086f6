"""Explore: a square box with walls, and nothing in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, check_positive, start_at
from bestiary.tasks._walls import nose_m, walls

_CELLS = 6


@dataclass(frozen=True)
class OpenField:
    """A box with walls that can be seen and felt. Reward: the share of its floor (36 fields) newly entered in a step.

    seconds: length of the episode. side_m: of the square; 0.42 is Sturman 2020's (Neuropsychopharmacology 45:1942).
    height_m: of the walls. middle_m: the start lies within so much of the middle, 0 at it.
    info: wall_m (from the centre of mass to the nearest wall), nose_wall_m (likewise of the nose), path_m (way in the
    plane, summed), explored (share of the fields entered), forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 60.0
    side_m: float = 0.42
    height_m: float = 0.35
    middle_m: float = 0.08
    fall_ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "side_m", "height_m")
        if not 0 <= self.middle_m <= self.side_m / 3:
            raise ValueError(
                f"{type(self).__name__}: middle_m must be from 0 to {self.side_m / 3:g}, a third of side_m; got "
                f"{self.middle_m}"
            )

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, self.side_m)
        thick = 0.01
        a = self.side_m / 2 + thick / 2
        lines = [(-a, -a, a, -a), (-a, a, a, a), (-a, -a, -a, a), (a, -a, a, a)]
        walls(spec, body, lines, self.height_m, thick)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        heading, place = float(rng.uniform(-np.pi, np.pi)), np.zeros(3)
        place[:2] = rng.uniform(-self.middle_m, self.middle_m, 2)
        return self.begin(start_at(body, bound, model, data, place, heading))

    def begin(self, state: dict[str, Any]) -> dict[str, Any]:
        """The task's state for an account of motion."""
        return {**state, "path_m": 0.0, "seen": np.zeros((_CELLS, _CELLS))}

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return None

    def wall_m(self, place_m: Array) -> float:
        """From a place to the nearest wall; negative beyond it."""
        x, y = place_m[:2].tolist()
        return self.side_m / 2 - max(abs(x), abs(y))

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        before = state["com_m"]
        _, info = advance(state, pose, time_s)
        com = pose["com_m"]
        state["path_m"] += math.hypot(*(com - before)[:2].tolist())
        row, column = (min(max(int((x / self.side_m + 0.5) * _CELLS), 0), _CELLS - 1) for x in com[:2].tolist())
        new = 0.0
        if not state["seen"][row, column]:
            new = 1 / _CELLS**2
            state["seen"] = state["seen"].copy()
            state["seen"][row, column] = 1
        info |= {
            "wall_m": self.wall_m(com),
            "nose_wall_m": self.wall_m(nose_m(pose)),
            "path_m": state["path_m"],
            "explored": float(state["seen"].mean()),
        }
        return new if time_s > 0 else 0.0, False, info


TASK = OpenField
