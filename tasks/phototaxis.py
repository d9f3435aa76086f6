"""Find the light: one half of the surroundings is brighter than the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, check_positive, heading_rad, start_at_random, wrapped


@dataclass(frozen=True)
class Phototaxis:
    """Light from one side of the horizon, drawn at the start. Reward: body lengths gone toward it.

    seconds: length of the episode. contrast: (bright - dark) / (bright + dark) of opposite directions; 0 is the
    control. mean: luminance all round. bearing_deg: of the light from the first heading, + to the left; None draws
    90 left or right. with_fish: the light goes round with the animal, as if its two eyes were lit apart.
    info: toward_m (gone toward the light), bearing_rad (of the light from the heading), toward_turn_rad (turn since
    the start, + to the light's first side), and those of plain motion.
    """

    seconds: float = 20.0
    contrast: float = 0.6
    mean: float = 0.5
    bearing_deg: float | None = None
    with_fish: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "mean")
        if not 0 <= self.contrast <= 1 or self.mean * (1 + self.contrast) > 1 + 1e-9:
            raise ValueError(
                f"Phototaxis: needs 0 <= contrast <= 1 and mean * (1 + contrast) <= 1, got {self.contrast}, {self.mean}"
            )

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, 20 * body.length_m)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        drawn = float(rng.choice([-90.0, 90.0]))
        bearing = math.radians(drawn if self.bearing_deg is None else self.bearing_deg)
        heading = heading_rad(body.pose(bound, data))
        return {**state, "bearing": bearing, "last": heading, "light": heading + bearing, "turned": 0.0, "toward": 0.0}

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense != "luminance":
            return None
        to = position_m[:, :2] - state["com_m"][:2]
        way = np.array([math.cos(state["light"]), math.sin(state["light"])])
        share = to @ way / np.maximum(np.linalg.norm(to, axis=1), 1e-12)
        return self.mean * (1 + self.contrast * share)

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        before = state["com_m"]
        _, info = advance(state, pose, time_s)
        now = heading_rad(pose)
        turn = wrapped(now - state["last"])
        state["last"] = now
        if self.with_fish:
            state["light"] += turn
        step = float((pose["com_m"] - before)[:2] @ [math.cos(state["light"]), math.sin(state["light"])])
        state["toward"] += step
        state["turned"] += math.copysign(turn, turn * state["bearing"])
        info |= {
            "toward_m": state["toward"],
            "bearing_rad": wrapped(state["light"] - now),
            "toward_turn_rad": state["turned"],
        }
        return step / state["length_m"], False, info


TASK = Phototaxis
