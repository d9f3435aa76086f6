"""A stretch of stream: hold station over the bed, then prey in still water, then a tap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._motion import check_positive
from bestiary.tasks.flow import Flow
from bestiary.tasks.hunt import Hunt
from bestiary.tasks.startle import Startle


@dataclass(frozen=True)
class Stream:
    """`flow`, `hunt` and `startle` in one world: the current from 1 s to still_s, prey from then on, a tap at tap_s.

    seconds: length of the episode. reward: the sum of the three tasks'. info: that of the three.
    """

    seconds: float = 15.0
    current_m_per_s: float = 0.004
    still_s: float = 8.0
    tap_s: float = 14.0

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "still_s", "tap_s")
        put = object.__setattr__
        put(self, "_flow", Flow(seconds=self.seconds, current_m_per_s=self.current_m_per_s, to_s=self.still_s))
        put(self, "_hunt", Hunt(seconds=self.seconds, from_s=self.still_s))
        put(self, "_tap", Startle(seconds=self.seconds, first_s=self.tap_s))

    @property
    def _parts(self) -> dict[str, Any]:
        return {"flow": self._flow, "hunt": self._hunt, "tap": self._tap}  # type: ignore[attr-defined]

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        self._parts["flow"].furnish(spec, body)
        self._parts["hunt"].hatch(spec, body)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        return {name: part.start(body, bound, model, data, rng) for name, part in self._parts.items()}

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        for name in ("flow", "hunt"):
            self._parts[name].move(state[name], model, data, time_s)

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        for name, part in self._parts.items():
            if (value := part.sample(state[name], sense, position_m, fraction, time_s)) is not None:
                return value
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        reward, done = 0.0, False
        info: dict[str, Any] = {}
        for name, part in self._parts.items():
            gain, over, more = part.judge(state[name], pose, time_s)
            reward, done, info = reward + gain, done or over, {**info, **more}
        return reward, done, info


TASK = Stream
