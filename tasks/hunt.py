"""Catch prey: small things that drift in the water and shine in the ultraviolet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, check_positive, heading_rad, start_at_random, wrapped

_GONE_M = 1.0  # where eaten prey waits, far below


@dataclass(frozen=True)
class Hunt:
    """Prey (spheres named `prey...`, as paramecia) in water without walls. Reward: 1 for each that is caught.

    seconds: length of the episode. prey: how many in the square of side 2 reach_m about the animal, wherever it goes:
    what it leaves behind by more than reach_m comes up as far in front, unseen. layer_m: they keep to so thick a layer
    at the height of the start. The defaults are 100 a ml (dishes have some 30 to 100; recall). size_m: their diameter
    (a paramecium: 0.1 to 0.2 mm). wander_m, wander_Hz: each goes round its place that far, so often. mouth_m: what
    comes so near the nose, within 45 degrees of its axis, is caught. azimuth_deg, distance_m: a single target there,
    standing still from `from_s` on and gone before, which goes with the animal's first heading: the spot of Bianco 2011
    (its angle is size over distance).

    info: caught, nearest_m, azimuth_rad (of the nearest, + to the left), turned_rad (since the start, + to the left),
    converged_rad (the eyes turned in), and those of plain motion.
    """

    seconds: float = 30.0
    prey: int = 8
    size_m: float = 1.5e-4
    reach_m: float = 8e-3
    layer_m: float = 3e-4
    wander_m: float = 1e-3
    wander_Hz: float = 0.1
    mouth_m: float = 3e-4
    azimuth_deg: float | None = None
    distance_m: float = 3e-3
    from_s: float = 0.0

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "prey", "size_m", "reach_m", "layer_m", "mouth_m", "distance_m")

    @property
    def _count(self) -> int:
        return self.prey if self.azimuth_deg is None else 1

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, 5 * self.reach_m)
        self.hatch(spec, body)

    def hatch(self, spec: mujoco.MjSpec, body: Body) -> None:
        """The prey alone, for a world that has its ground."""
        for i in range(self._count):
            holder = spec.worldbody.add_body(name=f"prey{i:02d}", mocap=True, pos=[0, 0, -_GONE_M / body.units.length])
            holder.add_geom(
                name=f"prey{i:02d}",
                type=mujoco.mjtGeom.mjGEOM_SPHERE,
                size=[self.size_m / 2 / body.units.length, 0, 0],
                rgba=[0.25, 0.5, 0.9, 1],
                contype=0,
                conaffinity=0,
            )

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        pose = body.pose(bound, data)
        heading, n = heading_rad(pose), self._count
        spread = np.array([self.reach_m, self.reach_m, self.layer_m / 2])
        home = rng.uniform(-1, 1, (n, 3)) * spread
        near = np.linalg.norm(home[:, :2], axis=1) < 1e-3  # not in its mouth
        home[near, :2] += self.reach_m
        if self.azimuth_deg is not None:
            bearing = heading + math.radians(self.azimuth_deg)
            home = pose["midline_m"][:1] + self.distance_m * np.array([[math.cos(bearing), math.sin(bearing), 0]])
        return {
            **state,
            "home": home,
            "phase": rng.uniform(0, 2 * math.pi, (n, 2)),
            "alive": np.ones(n, bool),
            "last": heading,
            "turned": 0.0,
            "unit_m": body.units.length,
        }

    def _places(self, state: dict[str, Any], time_s: float) -> Array:
        places = state["home"].copy()
        if self.azimuth_deg is None:
            turn = 2 * math.pi * self.wander_Hz * time_s
            places[:, :2] += self.wander_m * np.sin(turn * np.array([1.0, 1.3]) + state["phase"])
            about, side = state["com_m"][:2], 2 * self.reach_m
            places[:, :2] -= side * np.round((places[:, :2] - about) / side)
        places[~state["alive"] | (time_s < self.from_s), 2] = -_GONE_M
        return places

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        places = self._places(state, time_s) / state["unit_m"]
        for i, place in enumerate(places):
            data.mocap_pos[model.body_mocapid[model.body(f"prey{i:02d}").id]] = place

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        _, info = advance(state, pose, time_s)
        now = heading_rad(pose)
        state["turned"] += wrapped(now - state["last"])
        state["last"] = now
        nose = pose["midline_m"][0]
        to = self._places(state, time_s) - nose
        far = np.linalg.norm(to, axis=1)
        ahead = to @ [math.cos(now), math.sin(now), 0] > math.cos(math.radians(45)) * far
        got = state["alive"] & (far < self.mouth_m) & ahead & (self.azimuth_deg is None)
        state["alive"] &= ~got
        near = int(far.argmin())
        eyes = pose.get("eye_rad", np.zeros(2))
        info |= {
            "caught": int((~state["alive"]).sum()),
            "nearest_m": float(min(far[near], _GONE_M)),
            "azimuth_rad": wrapped(math.atan2(to[near, 1], to[near, 0]) - now),
            "turned_rad": state["turned"],
            "converged_rad": float(eyes[1] - eyes[0]),
        }
        return float(got.sum()), not state["alive"].any(), info


TASK = Hunt
