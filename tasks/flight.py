"""Stay in the air: hover, or go level."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground, level
from bestiary.tasks._motion import advance, check_positive, heading_rad


@dataclass(frozen=True)
class Flight:
    """A start at rest in the air, by the body's `launch` where it has one. Reward: exp(-error) per second, the error
    being that of altitude in body lengths plus that of speed in body lengths per second over 100.

    seconds: length of the episode. altitude_L: of the start and of the goal, in body lengths. speed_L_per_s: along the
    heading; 0 is hovering. The episode ends on the ground: `info["ended"]` says so.

    info: altitude_m, altitude_error_m, speed_error_m_per_s, drift_m (sideways from the first heading), forward_m,
    speed_m_per_s, distance_m, crashed.
    """

    seconds: float = 2.0
    altitude_L: float = 10.0
    speed_L_per_s: float = 0.0

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "altitude_L")
        if not math.isfinite(self.speed_L_per_s):
            raise ValueError(f"Flight: speed_L_per_s must be finite, got {self.speed_L_per_s}")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, 3 * self.altitude_L * body.length_m)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        heading, level_m = float(rng.uniform(-np.pi, np.pi)), level(body)
        start = getattr(body, "launch", body.place)
        start(bound, model, data, np.array([0, 0, level_m + self.altitude_L * body.length_m]), heading)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        com_m = body.pose(bound, data)["com_m"].copy()
        return {"start_m": com_m, "com_m": com_m, "time_s": 0.0, "forward_m": 0.0, "length_m": body.length_m,
                "level_m": level_m, "heading": heading}  # fmt: skip

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        period_s, before, length = time_s - state["time_s"], state["com_m"], state["length_m"]
        _, info = advance(state, pose, time_s)
        com, heading = pose["com_m"], heading_rad(pose)
        step = (com - before)[:2] @ np.array([math.cos(heading), math.sin(heading)])
        speed = float(step) / period_s if period_s > 0 else self.speed_L_per_s * length
        aside = np.array([-math.sin(state["heading"]), math.cos(state["heading"])])
        error_m = float(com[2] - state["start_m"][2])
        info |= {
            "altitude_m": float(com[2] - state["level_m"]),
            "altitude_error_m": error_m,
            "speed_error_m_per_s": speed - self.speed_L_per_s * length,
            "drift_m": float((com - state["start_m"])[:2] @ aside),
        }
        crashed = info["altitude_m"] < length  # one that sits on its tail is 0.6 lengths high
        info["crashed"] = float(crashed)
        off = abs(error_m) / length + abs(info["speed_error_m_per_s"]) / length / 100
        if crashed:
            info["ended"] = f"it came down at {time_s:.3g} s"  # type: ignore[assignment]
        return math.exp(-off) * period_s, bool(crashed), info


TASK = Flight
