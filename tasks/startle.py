"""Be startled: taps on the dish, seen by no eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, check_positive, heading_rad, start_at_random, wrapped


@dataclass(frozen=True)
class Startle:
    """Taps that move the water at the ears. Reward: body lengths gone in the 0.1 s after each.

    seconds: length of the episode. first_s, every_s, taps: when they come. tap_m_per_s2: acceleration of the water at
    the nearer ear; the other gets `far` of it. duration_s: of a tap. side: 1 from the left, -1 from the right, 0 drawn
    for each. sham: the same schedule without taps. sense: the field that is given.

    info: taps (begun so far), tap_side, since_tap_s (1e3 before the first), bend_rad (turn of the head since the last
    tap, + away from it), and those of plain motion.
    """

    seconds: float = 4.0
    first_s: float = 1.0
    every_s: float = 3.0
    taps: int = 1
    tap_m_per_s2: float = 60.0
    far: float = 0.5
    duration_s: float = 0.003
    side: int = 0
    sham: bool = False
    sense: str = "sound_m_per_s2"

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "every_s", "duration_s", "tap_m_per_s2")
        if self.side not in (-1, 0, 1) or self.taps < 0 or not 0 <= self.far <= 1:
            raise ValueError(
                f"Startle: side is -1, 0 or 1, taps 0 or more, far 0 to 1; got {self.side}, {self.taps}, {self.far}"
            )

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, 20 * body.length_m)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        sides = rng.choice([-1, 1], max(self.taps, 1))
        times = self.first_s + self.every_s * np.arange(self.taps)
        heading = heading_rad(body.pose(bound, data))
        return {**state, "times": times, "sides": sides, "heading": heading, "done": 0}

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense != self.sense:
            return None
        side = self.tapping(state, time_s)
        ears = np.array([1.0, self.far]) if side > 0 else np.array([self.far, 1.0])
        return self.tap_m_per_s2 * abs(side) * np.resize(ears, len(position_m))

    def tapping(self, state: dict[str, Any], time_s: float) -> int:
        """Side of the tap that is given now, 0 while there is none."""
        for i, at in enumerate(state["times"].tolist()):
            if at - 1e-9 <= time_s < at + self.duration_s - 1e-9 and not self.sham:
                return self.side or int(state["sides"][i])
        return 0

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        step_m, info = advance(state, pose, time_s)
        begun = int((state["times"] <= time_s + 1e-9).sum())
        now = heading_rad(pose)
        if begun > state["done"]:
            state["done"], state["heading"] = begun, now
        since = time_s - float(state["times"][begun - 1]) if begun else 1e3
        side = (self.side or int(state["sides"][begun - 1])) if begun else 0
        info |= {
            "taps": begun,
            "tap_side": side,
            "since_tap_s": since,
            "bend_rad": -side * wrapped(now - state["heading"]),
        }
        return abs(step_m) / state["length_m"] if since < 0.1 else 0.0, False, info


TASK = Startle
