"""Notice something small: a dark ball that goes to and fro on one side."""

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
class Spot:
    """A dark ball that sweeps to and fro between two bearings on one side, at eye height, and turns with the animal: a
    turn does not bring it nearer to the middle. Reward: degrees turned towards it.

    seconds: length of the episode. size_deg: its angle. distance_L: from the head, in body lengths. near_deg, far_deg:
    bearings between which it goes, deg_per_s: how fast. side: 1 left, -1 right, 0 drawn. from_s: when it comes; sham:
    it never does. The ball has no substance.

    info: spot_deg (its bearing, + left; NaN before it comes), turned_rad (since from_s, + towards it), forward_m,
    speed_m_per_s, distance_m.
    """

    seconds: float = 3.0
    size_deg: float = 12.0
    distance_L: float = 2.0
    near_deg: float = 20.0
    far_deg: float = 70.0
    deg_per_s: float = 100.0
    side: int = 0
    from_s: float = 1.0
    sham: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "size_deg", "distance_L", "deg_per_s")
        if not 0 <= self.near_deg < self.far_deg <= 180 or self.side not in (-1, 0, 1) or self.size_deg >= 90:
            raise ValueError(
                "Spot: needs 0 <= near_deg < far_deg <= 180, a size_deg below 90 and side -1, 0 or 1; got "
                f"{self.near_deg}, {self.far_deg}, {self.size_deg}, {self.side}"
            )

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, 10 * body.length_m)
        away = self.distance_L * body.length_m / body.units.length
        holder = spec.worldbody.add_body(name="spot", mocap=True, pos=[0, 0, -1e3 * away])
        holder.add_geom(
            name="spot",
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[away * math.sin(math.radians(self.size_deg) / 2), 0, 0],
            rgba=[0, 0, 0, 1],
            contype=0,
            conaffinity=0,
        )

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        drawn = int(rng.choice([-1, 1]))
        pose = body.pose(bound, data)
        return {
            **state,
            "side": self.side or drawn,
            "unit_m": body.units.length,
            "heading": heading_rad(pose),
            "head_m": pose["midline_m"][0].copy(),
            "turned": 0.0,
        }

    def bearing_deg(self, time_s: float, side: int) -> float:
        """Of the ball from the heading, + to the left; NaN while it is away."""
        if time_s < self.from_s or self.sham:
            return math.nan
        reach = self.far_deg - self.near_deg
        gone = (self.deg_per_s * (time_s - self.from_s)) % (2 * reach)
        return side * (self.near_deg + min(gone, 2 * reach - gone))

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        bearing = self.bearing_deg(time_s, state["side"])
        if math.isnan(bearing):
            return
        at = state["heading"] + math.radians(bearing)
        way = np.array([math.cos(at), math.sin(at), 0.0])
        row = model.body_mocapid[model.body("spot").id]
        data.mocap_pos[row] = (state["head_m"] + self.distance_L * state["length_m"] * way) / state["unit_m"]

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        _, info = advance(state, pose, time_s)
        now = heading_rad(pose)
        turn = state["side"] * wrapped(now - state["heading"]) if time_s > self.from_s else 0.0
        state |= {"heading": now, "head_m": pose["midline_m"][0].copy(), "turned": state["turned"] + turn}
        info |= {"spot_deg": self.bearing_deg(time_s, state["side"]), "turned_rad": state["turned"]}
        return math.degrees(turn), False, info


TASK = Spot
