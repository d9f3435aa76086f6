"""Choose a side: a stem with two arms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, check_positive, start_at
from bestiary.tasks._walls import walls


@dataclass(frozen=True)
class TMaze:
    """A T that is walked without end: a choice is made when the animal is past the middle of an arm; the next one
    counts once it has been back in the stem. Reward: 1 for a choice other than the one before (the first pays nothing).

    seconds: length of the episode. stem_m, arm_m: from the junction. width_m: of the corridors. height_m: of walls.
    The start is at the foot of the stem. info: arm (1 in the left one, -1 right, 0 elsewhere), choices, choice (the
    last one, 0 before), alternations (choices that differ from the one before), forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 120.0
    stem_m: float = 0.30
    arm_m: float = 0.25
    width_m: float = 0.08
    height_m: float = 0.15
    fall_ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "stem_m", "arm_m", "width_m", "height_m")
        if not self.width_m < min(self.stem_m, self.arm_m):
            raise ValueError(f"TMaze: width_m must be below stem_m and arm_m, got {self.width_m}")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        thick = 0.008
        ground(spec, body, self.stem_m + self.arm_m)
        w, s, a = self.width_m / 2 + thick / 2, -self.stem_m, self.arm_m
        lines = [(s, -w, s, w), (s, w, -w, w), (s, -w, -w, -w), (-w, w, -w, a), (-w, -w, -w, -a), (w, -a, w, a),
                 (-w, a, w, a), (-w, -a, w, -a)]  # fmt: skip
        walls(spec, body, lines, self.height_m, thick)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        place = np.array([-self.stem_m + 0.8 * body.length_m, rng.uniform(-0.005, 0.005), 0])
        return self.begin(start_at(body, bound, model, data, place, float(rng.uniform(-0.1, 0.1))))

    def begin(self, state: dict[str, Any]) -> dict[str, Any]:
        """The task's state for an account of motion."""
        return {**state, "free": True, "choice": 0, "choices": 0, "alternations": 0}

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        _, info = advance(state, pose, time_s)
        x, y, _ = pose["com_m"]
        arm = int(np.sign(y)) if abs(y) > self.width_m / 2 and x > -self.width_m else 0
        reward = 0.0
        if x < -self.width_m:
            state["free"] = True
        elif state["free"] and abs(y) > self.arm_m / 2:
            reward = float(state["choice"] == -arm)
            state["alternations"] += int(reward)
            state["choices"] += 1
            state["free"], state["choice"] = False, arm
        info |= {"arm": float(arm)} | {k: float(state[k]) for k in ("choices", "choice", "alternations")}
        return reward, False, info


TASK = TMaze
