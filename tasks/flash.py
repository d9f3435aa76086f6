"""A flash: the light all round rises or falls at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, check_positive, start_at_random


@dataclass(frozen=True)
class Flash:
    """A field, by default the luminance, is `before` everywhere, and from at_s on `after`. Reward: body lengths gone
    from then on.

    seconds: length of the episode. before, after: luminances 0 to 1, or in the unit of `sense`; equal ones are the
    sham. sense: the field that is given. info: lit (its value now), and those of plain motion.
    """

    seconds: float = 3.0
    at_s: float = 1.0
    before: float = 0.6
    after: float = 0.0
    sense: str = "luminance"

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "at_s")
        if self.sense == "luminance" and not (0 <= self.before <= 1 and 0 <= self.after <= 1):
            raise ValueError(f"Flash: before and after are luminances from 0 to 1, got {self.before} and {self.after}")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, 20 * body.length_m)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        return start_at_random(body, bound, model, data, rng)

    def _lit(self, time_s: float) -> float:
        return self.before if time_s < self.at_s else self.after

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return np.full(len(position_m), self._lit(time_s)) if sense == self.sense else None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        step_m, info = advance(state, pose, time_s)
        reward = step_m / state["length_m"] if time_s > self.at_s else 0.0
        return reward, False, info | {"lit": self._lit(time_s)}


TASK = Flash
