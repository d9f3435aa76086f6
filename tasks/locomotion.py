"""Get forward: an empty plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, advance_many, check_positive, start_at_random


@dataclass(frozen=True)
class Locomotion:
    """An empty plane, a start at a random heading. Reward: body lengths gone forward along the body in this step.

    seconds: length of the episode. arena_m: radius of the ground that is drawn; nothing bounds the animal.
    info: forward_m (sum over the episode, backing counts negative), speed_m_per_s (signed, along the body),
    distance_m (from the start, straight).
    """

    seconds: float = 60.0
    arena_m: float = 0.02

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "arena_m")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, max(self.arena_m, 5 * body.length_m))

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        return start_at_random(body, bound, model, data, rng)

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        step_m, info = advance(state, pose, time_s)
        return step_m / state["length_m"], False, info

    def judge_many(
        self, states: list[dict[str, Any]], pose: dict[str, Array], time_s: Array
    ) -> tuple[Array, Array, dict[str, Array]]:
        step_m, info = advance_many(states, pose, time_s)
        return step_m / np.array([s["length_m"] for s in states]), np.zeros(len(states), bool), info


TASK = Locomotion
