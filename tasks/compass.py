"""Keep a heading by landmarks: bright bars on a dark drum, and darkness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground, on_ring, panel_ring, turn_mocap
from bestiary.tasks._motion import advance, check_positive, heading_rad, start_at_random, wrapped

_PANELS = 72  # 5 degrees each


@dataclass(frozen=True)
class Compass:
    """Upright bars on a dark drum around the start, and a goal. Reward: cosine of (heading - goal), per second.

    seconds: length of the episode. bars_deg: bearings of the bars from the first, + to the left; the first stands at
    bar_deg from the heading at the start, drawn where None. width_deg: of a bar. bright, dark: luminance of bars and of
    the rest. dark_s: (start, stop) without any light; None is never. jump_s, jump_deg: the bars leap round the drum,
    jump_deg to the left at jump_s. goal_deg: the goal's bearing from the heading at the start; None draws it; "bar" is
    the first bar. drum_L: radius of the drum in body lengths, as high as wide.

    Eyes that cast rays see the bars themselves (the field `luminance`, NaN where the world is left as it is).
    info: heading_error_rad (heading - goal, -pi to pi, + is too far left), bar_bearing_rad (first bar from the
    heading), lit, forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 20.0
    bars_deg: tuple[float, ...] = (0.0,)
    bar_deg: float | None = None
    width_deg: float = 15.0
    bright: float = 1.0
    dark: float = 0.05
    dark_s: tuple[float, float] | None = None
    jump_s: float = math.inf
    jump_deg: float = 90.0
    goal_deg: float | str | None = None
    drum_L: float = 12.0

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_positive(self, "seconds", "width_deg", "drum_L")
        if not 0 <= self.dark <= 1 or not 0 <= self.bright <= 1:
            raise ValueError(f"{name}: luminance is from 0 to 1, got bright={self.bright}, dark={self.dark}")
        if isinstance(self.goal_deg, str) and self.goal_deg != "bar":
            raise ValueError(f"{name}: goal_deg is a number, None or 'bar', got {self.goal_deg!r}")
        if self.dark_s is not None and not 0 <= self.dark_s[0] < self.dark_s[1]:
            raise ValueError(f"{name}: dark_s is (start, stop) with 0 <= start < stop, got {self.dark_s}")

    def _bright(self, bearing_rad: Array) -> Array:
        """(n,) bool: on a bar, at bearings from the first."""
        apart = bearing_rad[:, None] - np.radians(self.bars_deg)
        apart = (apart + math.pi) % (2 * math.pi) - math.pi
        return np.asarray((np.abs(apart) <= math.radians(self.width_deg) / 2).any(1))

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        radius_m = self.drum_L * body.length_m
        ground(spec, body, radius_m)
        middles = (np.arange(_PANELS) + 0.5) * 2 * math.pi / _PANELS
        greys = np.where(self._bright(middles), self.bright, self.dark)
        panel_ring(spec, body, radius_m, radius_m, greys.tolist())

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        heading = heading_rad(body.pose(bound, data))
        bar, goal = rng.uniform(-math.pi, math.pi, 2)
        bar = heading + (bar if self.bar_deg is None else math.radians(self.bar_deg))
        if self.goal_deg == "bar":
            goal = bar
        else:
            goal = heading + (goal if self.goal_deg is None else math.radians(float(self.goal_deg)))
        return {**state, "bar": float(bar), "goal": float(goal)}

    def _bar(self, state: dict[str, Any], time_s: float) -> float:
        return float(state["bar"]) + (math.radians(self.jump_deg) if time_s >= self.jump_s else 0.0)

    def lit(self, time_s: float) -> bool:
        """Whether there is light."""
        return self.dark_s is None or not self.dark_s[0] <= time_s < self.dark_s[1]

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        turn_mocap(model, data, "drum", self._bar(state, time_s))

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense != "luminance":
            return None
        if not self.lit(time_s):
            return np.zeros(len(position_m))
        out = np.full(len(position_m), np.nan)
        radius_m = self.drum_L * state["length_m"]
        there = on_ring(position_m, radius_m, radius_m)
        at = position_m[there]
        on = self._bright(np.arctan2(at[:, 1], at[:, 0]) - self._bar(state, time_s))
        out[there] = np.where(on, self.bright, self.dark)
        return out

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        period_s = time_s - state["time_s"]
        _, info = advance(state, pose, time_s)
        heading = heading_rad(pose)
        error = wrapped(heading - (self._bar(state, time_s) if self.goal_deg == "bar" else state["goal"]))
        info |= {
            "heading_error_rad": error,
            "bar_bearing_rad": wrapped(self._bar(state, time_s) - heading),
            "lit": float(self.lit(time_s)),
        }
        return math.cos(error) * period_s, False, info


TASK = Compass
