"""Be given a step: a field that is the same everywhere and jumps at set times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, check_positive, start_at_random


@dataclass(frozen=True)
class Step:
    """A uniform field of `sense`: `values`[i], in the unit of the sense, from `times_s`[i] on. Reward: 0.

    seconds: length of the episode. info: concentration (the present value), forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 60.0
    sense: str = "nacl_mol_per_m3"
    values: tuple[float, ...] = (50.0, 60.0, 50.0)
    times_s: tuple[float, ...] = (0.0, 20.0, 40.0)
    arena_m: float = 0.02

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "arena_m")
        times = list(self.times_s)
        if len(times) != len(self.values) or times[:1] != [0.0] or times != sorted(times):
            raise ValueError(f"Step needs a time for every value, rising from 0; got {self.times_s} for {self.values}")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, self.arena_m)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        return start_at_random(body, bound, model, data, rng)

    def value(self, time_s: float) -> float:
        """The field at a time."""
        return self.values[int(np.searchsorted(self.times_s, time_s, side="right")) - 1]

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return np.full(len(position_m), self.value(time_s)) if sense == self.sense else None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        _, info = advance(state, pose, time_s)
        return 0.0, False, {**info, "concentration": self.value(time_s)}


TASK = Step
