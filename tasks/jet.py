"""Be hit by a jet of water on one flank, felt by the lateral line alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._motion import check_positive
from bestiary.tasks.startle import Startle


@dataclass(frozen=True)
class Jet:
    """Short jets that move the water past the skin; the animal is not pushed. Reward: as in `tasks.startle`.

    seconds: length of the episode. first_s, every_s, jets: when they come; duration_s of each. speed_m_per_s: of the
    water across the flank, where it is fastest. at, width: that place, 0 nose to 1 tail, and the SD about it. side: 1
    from the left, -1 from the right, 0 drawn for each. sham: the same schedule without jets. sense: the field that is
    given, water across the body, + to its left.

    info: that of `tasks.startle`, whose taps are the jets.
    """

    seconds: float = 2.0
    first_s: float = 1.0
    every_s: float = 3.0
    jets: int = 1
    duration_s: float = 0.03
    speed_m_per_s: float = 0.1
    at: float = 0.3
    width: float = 0.15
    side: int = 0
    sham: bool = False
    sense: str = "lateral_m_per_s"
    _taps: Startle = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_taps", Startle(
            seconds=self.seconds, first_s=self.first_s, every_s=self.every_s, taps=self.jets,
            duration_s=self.duration_s, side=self.side, sham=self.sham, sense=self.sense,
        ))  # fmt: skip
        check_positive(self, "speed_m_per_s", "width")
        if not 0 <= self.at <= 1:
            raise ValueError(f"Jet: at is a place from 0 (nose) to 1 (tail), got {self.at}")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        self._taps.furnish(spec, body)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        return self._taps.start(body, bound, model, data, rng)

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense != self.sense:
            return None
        side = self._taps.tapping(state, time_s)
        return -side * self.speed_m_per_s * np.exp(-(((fraction - self.at) / self.width) ** 2) / 2)

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        return self._taps.judge(state, pose, time_s)


TASK = Jet
