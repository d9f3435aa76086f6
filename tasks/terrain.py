"""Get over ground that is not level: bumps, or a slope."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import floor_of, ground, level, lit_grid
from bestiary.tasks._motion import advance, check_positive

_CONTACT = ("contype", "conaffinity", "friction", "solref", "solimp", "margin", "gap")
_FOOTPRINT_L = 0.8


@dataclass(frozen=True)
class Terrain:
    """A start on even or uneven ground. Reward: body lengths gone forward along the body in this step.

    seconds: length of the episode. kind: "flat"; "rough", bumps whose highest point is amplitude_L body lengths above
    the lowest, grain_L wide; or "slope", level for foot_L body lengths from the start, then rising by slope_deg, with
    a start towards it, turned by up to spread_deg; a foot_L below 0 lies behind the start, which is on the slope.
    terrain_seed: of the bumps, which are the same in every episode;
    the start on them is drawn. arena_L: half a side of the bumps, in body lengths.

    The ground takes the contact properties of the floor that the body brought, and its place.
    info: climbed_m (height gained by the centre of mass), forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 10.0
    kind: str = "rough"
    amplitude_L: float = 0.15
    grain_L: float = 0.5
    slope_deg: float = 30.0
    foot_L: float = -3.0
    spread_deg: float = 10.0
    terrain_seed: int = 0
    arena_L: float = 8.0

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "grain_L", "arena_L")
        if self.kind not in ("flat", "rough", "slope"):
            raise ValueError(f"Terrain: kind is 'flat', 'rough' or 'slope', got {self.kind!r}")
        if not (self.amplitude_L >= 0 and 0 <= self.slope_deg < 90 and math.isfinite(self.foot_L)):
            raise ValueError(
                f"Terrain: needs amplitude_L of 0 or more, 0 <= slope_deg < 90 and a finite foot_L, got "
                f"{self.amplitude_L}, {self.slope_deg}, {self.foot_L}"
            )

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        arena_m = self.arena_L * body.length_m
        if self.kind != "rough":
            ground(spec, body, arena_m)
        if self.kind == "flat":
            return
        floor = floor_of(spec)
        contact = {key: getattr(floor, key) for key in _CONTACT} if floor is not None else {}
        level_m = level(body)
        size = arena_m / body.units.length
        if self.kind == "slope":  # half spaces: together with the floor a level with a rise
            angle = math.radians(self.slope_deg)
            spec.worldbody.add_geom(
                name="slope",
                type=mujoco.mjtGeom.mjGEOM_PLANE,
                size=[3 * size, 3 * size, size],
                pos=[self.foot_L * body.length_m / body.units.length, 0, level_m / body.units.length],
                quat=[math.cos(angle / 2), 0, -math.sin(angle / 2), 0],
                material="ground",
                **contact,
            )
            return
        if floor is not None:
            spec.delete(floor)
        heights = self.heights()
        spec.add_hfield(
            name="bumps",
            nrow=len(heights),
            ncol=len(heights),
            size=[size, size, max(self.amplitude_L, 1e-6) * body.length_m / body.units.length, size / 10],
            userdata=heights.ravel().tolist(),
        )
        spec.worldbody.add_geom(
            name="bumps",
            type=mujoco.mjtGeom.mjGEOM_HFIELD,
            hfieldname="bumps",
            pos=[0, 0, level_m / body.units.length],
            material=lit_grid(spec, body, arena_m),
            **contact,
        )

    def heights(self) -> Array:
        """(n, n) of the bumps, 0 to 1 of the amplitude; rows along y, columns along x, from -arena_L to arena_L."""
        n = 2 * math.ceil(5 * self.arena_L / self.grain_L) + 1
        noise = np.random.default_rng(self.terrain_seed).standard_normal((n, n))
        cycles = np.hypot(*np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(n)))  # per sample
        sigma = self.grain_L / 2 / (2 * self.arena_L / (n - 1))
        smooth = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-2 * (np.pi * cycles * sigma) ** 2)).real
        return (smooth - smooth.min()) / np.ptp(smooth)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        position, heading = np.zeros(3), float(rng.uniform(-np.pi, np.pi))
        if self.kind == "slope":
            heading *= math.radians(self.spread_deg) / np.pi
        elif self.kind == "rough":
            place_L = rng.uniform(-0.4, 0.4, 2) * self.arena_L
            position[:2] = place_L * body.length_m
            position[2] = self._highest(place_L) * self.amplitude_L * body.length_m
        body.place(bound, model, data, position, heading)
        if self.kind == "slope" and self.foot_L < 0:
            self._tilt(model, data, -self.foot_L * body.length_m / body.units.length)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        com_m = body.pose(bound, data)["com_m"].copy()
        return {"start_m": com_m, "com_m": com_m, "time_s": 0.0, "forward_m": 0.0, "length_m": body.length_m}

    def _tilt(self, model: mujoco.MjModel, data: mujoco.MjData, way: float) -> None:
        """Turns what is free to move onto the slope, whose foot is `way` behind the origin."""
        angle = math.radians(self.slope_deg)
        turn, turned = np.array([math.cos(angle / 2), 0, -math.sin(angle / 2), 0]), np.empty(4)
        for at in model.jnt_qposadr[model.jnt_type == mujoco.mjtJoint.mjJNT_FREE]:
            mujoco.mju_mulQuat(turned, turn, data.qpos[at + 3 : at + 7])
            data.qpos[at + 3 : at + 7] = turned
            place = np.empty(3)
            mujoco.mju_rotVecQuat(place, data.qpos[at : at + 3], turn)
            place[2] += way * math.tan(angle)
            data.qpos[at : at + 3] = place

    def _highest(self, place_L: Array) -> float:
        """Of the bumps under a body at place_L (2,), 0 to 1."""
        heights = self.heights()
        axis = np.linspace(-self.arena_L, self.arena_L, len(heights))
        x, y = np.meshgrid(axis - place_L[0], axis - place_L[1])
        return float(heights[np.hypot(x, y) < _FOOTPRINT_L + 2 * self.arena_L / len(heights)].max())

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        step_m, info = advance(state, pose, time_s)
        climbed_m = float(pose["com_m"][2] - state["start_m"][2])
        return step_m / state["length_m"], False, {**info, "climbed_m": climbed_m}


TASK = Terrain
