"""Hold station in a current: water that carries the animal over a striped bed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground, level
from bestiary.tasks._motion import advance, check_positive, heading_rad, start_at_random

_STRIPES = 16


@dataclass(frozen=True)
class Flow:
    """An even current toward +x over a bed with stripes across it. Reward: the way kept against it, in body lengths.

    A body in an even current feels nothing of it: the world here goes with the water, and the bed moves the other way
    past it, which is the same thing (Galilei). seconds: length of the episode. current_m_per_s: of the water over the
    bed. from_s, to_s: when it begins and ends. period_m, contrast: of the bed's stripes (`luminance`). dark: no
    stripes to be seen, the control. A current faster than the stripes can be shown is refused.

    info: drift_m (over the bed, + downstream, since from_s), held (1 held its place, 0 drifted with the water),
    upstream (cosine of heading and upstream), and those of plain motion in the water.
    """

    seconds: float = 20.0
    current_m_per_s: float = 0.005
    from_s: float = 1.0
    to_s: float = math.inf
    period_m: float = 0.008
    contrast: float = 0.9
    dark: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "period_m")
        if not 0 <= self.contrast <= 1 or self.current_m_per_s < 0:
            raise ValueError(
                f"Flow: needs contrast from 0 to 1 and a current of 0 or more, got {self.contrast} and "
                f"{self.current_m_per_s} m/s"
            )

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        limit = self.period_m / 2 / float(body.control_s)
        if self.current_m_per_s > limit:
            raise ValueError(
                f"Flow: stripes of {self.period_m} m are shown at most at {limit:g} m/s, two pictures a period of "
                f"{body.control_s} s each; got current_m_per_s={self.current_m_per_s:g}"
            )
        ground(spec, body, 20 * body.length_m, layers=1)
        holder = spec.worldbody.add_body(name="bed", mocap=True)
        unit, wide = body.units.length, self.period_m / 2
        for i in range(0 if self.dark else _STRIPES):  # for pictures: eyes get the sine itself
            holder.add_geom(
                name=f"bed{i}",
                type=mujoco.mjtGeom.mjGEOM_BOX,
                size=[wide / 2 / unit, 15 * body.length_m / unit, 1e-3 * body.length_m / unit],
                pos=[(i - _STRIPES / 2) * 2 * wide / unit, 0, (level(body) - 5e-3 * body.length_m) / unit],
                rgba=[0.45, 0.44, 0.42, 1],
                contype=0,
                conaffinity=0,
            )

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        return {**state, "carried": 0.0, "begun": math.nan, "level_m": level(body), "reach": 0.02 * body.length_m,
                "unit_m": body.units.length}  # fmt: skip

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        gone_m = -(state["carried"] % self.period_m) + self.period_m * math.floor(state["com_m"][0] / self.period_m)
        data.mocap_pos[model.body_mocapid[model.body("bed").id], 0] = gone_m / state["unit_m"]

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense != "luminance" or self.dark:
            return None
        out = np.full(len(position_m), np.nan)
        bed = position_m[:, 2] <= state["level_m"] + state["reach"]
        phase = (position_m[bed, 0] + state["carried"]) / self.period_m
        out[bed] = 0.5 + 0.5 * self.contrast * np.sin(2 * math.pi * phase)
        return out

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        on = self.from_s < time_s <= self.to_s
        step_s = time_s - state["time_s"]
        before = float(state["com_m"][0])
        _, info = advance(state, pose, time_s)
        x = float(pose["com_m"][0])
        state["carried"] += self.current_m_per_s * step_s if on else 0.0
        if on and math.isnan(state["begun"]):
            state["begun"] = x
        drift = x - state["begun"] + state["carried"] if not math.isnan(state["begun"]) else 0.0
        passed = state["carried"]
        info |= {
            "drift_m": drift,
            "held": 1 - drift / passed if passed > 0 else 1.0,
            "upstream": -math.cos(heading_rad(pose)),
        }
        return (before - x) / state["length_m"] if on else 0.0, False, info


TASK = Flow
