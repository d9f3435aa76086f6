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

_TAIL = 1.5  # body lengths from the foot of the stem to the trunk: room for a tail


@dataclass(frozen=True)
class TMaze:
    """Runs in a T: a choice is made when the animal is past the middle of an arm. It is then put back, standing, at the
    foot of the stem (Deacon & Rawlins 2006 Nat Protoc 1:7, without their 30 s in the arm and their partition); or,
    with put_back False, it walks on, and the next choice counts once it has been back in the stem. Reward: 1 for a
    choice other than the one before (the first pays nothing).

    seconds: length of the episode. stem_m, arm_m: from the junction. width_m: of the corridors (arms of 30 by 10 cm:
    theirs). height_m: of walls. info: arm (1 in the left one, -1 right, 0 elsewhere), choices, choice (the last one, 0
    before), alternations (choices that differ from the one before), forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 120.0
    stem_m: float = 0.30
    arm_m: float = 0.30
    width_m: float = 0.10
    height_m: float = 0.20
    put_back: bool = True
    fall_ends: ClassVar[bool] = False
    alone: ClassVar[bool] = True

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
        place = np.array([-self.stem_m + _TAIL * body.length_m, rng.uniform(-0.005, 0.005), 0])
        state = self.begin(start_at(body, bound, model, data, place, float(rng.uniform(-0.1, 0.1))))
        return state | {"standing": data.qpos.copy(), "tone": data.act.copy(), "due": False}

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        if state["due"]:
            data.qpos[:], data.qvel[:], data.act[:] = state["standing"], 0, state["tone"]
            state["due"], state["free"] = False, True

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
            state["free"], state["choice"], state["due"] = False, arm, self.put_back
        info |= {"arm": float(arm)} | {k: float(state[k]) for k in ("choices", "choice", "alternations")}
        return reward, False, info


TASK = TMaze
