"""Be approached: a dark disc on a collision course."""

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
class Loom:
    """A disc of half size l approaches at speed v: its angle is 2 atan((l/v) / (time to collision)), from start_deg to
    end_deg, where it stays. Reward: body lengths gone away from it, from its onset to 0.1 s after collision.

    seconds: length of the episode. at_s: onset; the disc then stands in its direction from the head, which is where it
    would collide. lv_s: l/v, 0.01 to 0.08 in von Reyn 2014 (Nat Neurosci 17:962). azimuth_deg: from the heading, + to
    the left; None draws left or right, 90. elevation_deg: above the horizon. size_L: l in body lengths. dark: its grey,
    0 black; sham: the disc never comes.

    The disc is a thing in the world, with no substance: eyes that render and eyes that cast rays see it.
    info: loom_deg (its angle; 0 before onset), collision_s, loom_side (1 left, -1 right of the heading at onset),
    turned_away_rad (turn since onset, + away from it), height_m (the centre of mass over its start), forward_m,
    speed_m_per_s, distance_m.
    """

    seconds: float = 2.0
    at_s: float = 0.5
    lv_s: float = 0.04
    azimuth_deg: float | None = None
    elevation_deg: float = 45.0
    start_deg: float = 10.0
    end_deg: float = 90.0
    size_L: float = 2.0
    dark: float = 0.0
    sham: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "lv_s", "size_L")
        if not 0 < self.start_deg < self.end_deg < 180 or self.at_s < 0 or not 0 <= self.dark <= 1:
            raise ValueError(
                "Loom: needs 0 < start_deg < end_deg < 180, at_s of 0 or more and dark from 0 to 1; got "
                f"{self.start_deg}, {self.end_deg}, {self.at_s}, {self.dark}"
            )

    @property
    def collision_s(self) -> float:
        """When the disc would be at the head."""
        return self.at_s + self.lv_s / math.tan(math.radians(self.start_deg) / 2)

    def angle_rad(self, time_s: float) -> float:
        """Full angle of the disc at the place of collision; 0 before its onset."""
        if time_s < self.at_s or self.sham:
            return 0.0
        left_s = max(self.collision_s - time_s, 0.0)
        return min(2 * math.atan2(self.lv_s, left_s), math.radians(self.end_deg))

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, 10 * body.length_m)
        self.hang(spec, body)

    def hang(self, spec: mujoco.MjSpec, body: Body) -> None:
        """Adds the disc, out of sight."""
        size = self.size_L * body.length_m / body.units.length
        holder = spec.worldbody.add_body(name="loom", mocap=True, pos=[0, 0, -1e3 * size])
        holder.add_geom(
            name="loom",
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            size=[size, 1e-3 * size, 0],
            rgba=[self.dark] * 3 + [1],
            contype=0,
            conaffinity=0,
        )

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        return self.begin(start_at_random(body, bound, model, data, rng), body, bound, data, rng)

    def begin(
        self, state: dict[str, Any], body: Body, bound: Any, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        """The task's state for an animal that has been placed."""
        side = float(rng.choice([-1, 1]))
        azimuth = math.radians(side * 90 if self.azimuth_deg is None else self.azimuth_deg)
        return {**state, "azimuth": azimuth, "unit_m": body.units.length, **self._aim(azimuth, body.pose(bound, data))}

    def _aim(self, azimuth: float, pose: dict[str, Array]) -> dict[str, Any]:
        """Where the disc comes from, and to."""
        heading, up = heading_rad(pose), math.radians(self.elevation_deg)
        bearing = heading + azimuth
        way = np.array([math.cos(up) * math.cos(bearing), math.cos(up) * math.sin(bearing), math.sin(up)])
        return {"way": way, "head_m": pose["midline_m"][0].copy(), "heading": heading}

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        angle = self.angle_rad(time_s)
        row = model.body_mocapid[model.body("loom").id]
        if angle <= 0:
            data.mocap_pos[row] = [0, 0, -1e3 * self.size_L * state["length_m"] / state["unit_m"]]
            return
        away_m = self.size_L * state["length_m"] / math.tan(angle / 2)
        data.mocap_pos[row] = (state["head_m"] + away_m * state["way"]) / state["unit_m"]
        mujoco.mju_quatZ2Vec(data.mocap_quat[row], state["way"])

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        before = state["com_m"]
        _, info = advance(state, pose, time_s)
        heading = heading_rad(pose)
        if time_s <= self.at_s:
            state |= self._aim(state["azimuth"], pose)
        on = self.at_s < time_s <= self.collision_s + 0.1
        reward = -float((pose["com_m"] - before) @ state["way"]) / state["length_m"] if on else 0.0
        side = math.copysign(1.0, wrapped(state["azimuth"]))
        info |= {
            "loom_deg": math.degrees(self.angle_rad(time_s)),
            "collision_s": self.collision_s,
            "loom_side": side,
            "turned_away_rad": -side * wrapped(heading - state["heading"]) if time_s > self.at_s else 0.0,
            "height_m": float(pose["com_m"][2] - state["start_m"][2]),
        }
        return reward, False, info


TASK = Loom
