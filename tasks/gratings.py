"""Look at gratings: a screen before one eye, the head held; nothing is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import account, advance, check_contrast, check_pictures, check_positive, heading_rad
from bestiary.tasks._walls import clamp, hold_head

_STRIPES = 24


@dataclass(frozen=True)
class Gratings:
    """Sine gratings that drift in several directions, in a drawn order, with grey between them. Reward: 0.

    seconds: length of the episode. directions_deg: of the motion on the screen as the animal sees it, 0 to its right,
    90 up. orientation: of the stripes, at right angles. sf_per_deg: cycles per degree, counted from the middle of the
    screen; temporal_Hz. contrast, mean: of luminance. on_s, grey_s: of one grating, and before each. The screen stands
    azimuth_deg from the nose (+ left), distance_m away, 2 * half_m wide and 1.25 * half_m high (Allen: 15 cm
    from the right eye, 52 cm wide; from memory). head_fixed: the head is held by a bar.

    Eyes that cast rays see the sine itself (the field `luminance`); drawn are stripes. info: on (1 while a grating is
    there), direction_deg (of this or the last one, -1 before), trial (gratings begun so far), forward_m, speed_m_per_s,
    distance_m.
    """

    seconds: float = 13.0
    directions_deg: tuple[float, ...] = (0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0)
    sf_per_deg: float = 0.04
    temporal_Hz: float = 2.0
    contrast: float = 0.8
    mean: float = 0.5
    on_s: float = 1.0
    grey_s: float = 0.5
    azimuth_deg: float = 60.0
    distance_m: float = 0.15
    half_m: float = 0.26
    head_fixed: bool = True
    fall_ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "sf_per_deg", "on_s", "distance_m", "half_m", "mean")
        object.__setattr__(self, "directions_deg", tuple(self.directions_deg))
        if not self.directions_deg or self.grey_s < 0 or self.temporal_Hz < 0:
            raise ValueError("Gratings: needs at least one of directions_deg, grey_s and temporal_Hz of 0 or more")
        check_contrast(self)

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        check_pictures(self, body)
        unit = body.units.length
        ground(spec, body, 4 * body.length_m)
        wide, high = self.half_m / unit, 0.625 * self.half_m / unit
        screen = spec.worldbody.add_body(name="screen", mocap=True)
        screen.add_geom(
            name="screen", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.002 / unit, wide, high], pos=[0.004 / unit, 0, 0],
            rgba=[self.mean] * 3 + [1], contype=0, conaffinity=0,
        )  # fmt: skip
        stripes, step = spec.worldbody.add_body(name="stripes", mocap=True), 2 * high / _STRIPES
        for i in range(_STRIPES):
            at = -high + (i + 0.5) * step
            size = [0.0005 / unit, step / 2, math.sqrt(max(high**2 - at**2, 0))]
            grey = self._grey(np.array((i + 0.5) * self._drawn_cycles() / _STRIPES))
            stripes.add_geom(
                name=f"stripe{i}", type=mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=[0, at, 0],
                rgba=[float(grey)] * 3 + [1], contype=0, conaffinity=0,
            )  # fmt: skip
        if self.head_fixed:
            hold_head(spec, body, "Gratings")

    def _drawn_cycles(self) -> float:
        """Periods over the round patch that is drawn."""
        return max(1.0, 2 * math.degrees(math.atan2(0.625 * self.half_m, self.distance_m)) * self.sf_per_deg)

    def _grey(self, cycles: Array) -> Array:
        return np.asarray(self.mean * (1 + self.contrast * np.sin(2 * math.pi * cycles)))

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        order = np.concatenate([rng.permutation(len(self.directions_deg)) for _ in range(self._rounds())])
        body.place(bound, model, data, np.zeros(3), 0.0)
        mujoco.mj_forward(model, data)
        if self.head_fixed:
            clamp(model, data)
        pose = body.pose(bound, data)
        eye = data.xpos[int(model.site_bodyid[model.site("head").id])] if self.head_fixed else None
        eye_m = pose["midline_m"][0].copy() if eye is None else eye * body.units.length
        bearing = heading_rad(pose) + math.radians(self.azimuth_deg)
        ahead = np.array([math.cos(bearing), math.sin(bearing), 0.0])
        com_m = pose["com_m"].copy()
        return {**account(com_m, body.length_m), "order": order, "eye_m": eye_m, "ahead": ahead, "bearing": bearing,
                "unit_m": body.units.length}  # fmt: skip

    def _rounds(self) -> int:
        whole = self.on_s + self.grey_s
        return math.ceil((self.seconds if math.isfinite(self.seconds) else 3600) / whole / len(self.directions_deg)) + 1

    def now(self, state: dict[str, Any], time_s: float) -> tuple[bool, float, int]:
        """(whether a grating is there, its direction or that of the last one, -1 before; gratings begun)."""
        whole = self.on_s + self.grey_s
        trial = math.floor(time_s / whole + 1e-9)
        on = time_s - trial * whole >= self.grey_s - 1e-9
        begun = trial + int(on)
        return on, self.directions_deg[int(state["order"][begun - 1])] if begun else -1.0, begun

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        on, direction, _ = self.now(state, time_s)
        unit = state["unit_m"]
        place = (state["eye_m"] + self.distance_m * state["ahead"]) / unit
        half = state["bearing"] / 2
        upright = np.array([math.cos(half), 0, 0, math.sin(half)])
        row = model.body_mocapid[model.body("screen").id]
        data.mocap_pos[row], data.mocap_quat[row] = place, upright
        row = model.body_mocapid[model.body("stripes").id]
        angle = math.radians(direction) + math.pi  # the stripes' own y is to the left
        mujoco.mju_mulQuat(data.mocap_quat[row], upright, np.array([math.cos(angle / 2), -math.sin(angle / 2), 0, 0]))
        data.mocap_pos[row] = place if on else place - [0, 0, 1e3]

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense != "luminance":
            return None
        out = np.full(len(position_m), np.nan)
        way = position_m - state["eye_m"]
        depth = way @ state["ahead"]
        right = way @ np.array([state["ahead"][1], -state["ahead"][0], 0.0])
        on_screen = (np.abs(depth - self.distance_m) < 0.01) & (np.abs(right) <= self.half_m)
        on_screen &= np.abs(way[:, 2]) <= 0.625 * self.half_m
        on, direction, _ = self.now(state, time_s)
        if not on:
            out[on_screen] = self.mean
            return out
        x = np.degrees(np.arctan2(right[on_screen], depth[on_screen]))
        y = np.degrees(np.arctan2(way[on_screen, 2], depth[on_screen]))
        a = math.radians(direction)
        along = x * math.cos(a) + y * math.sin(a)
        out[on_screen] = self._grey(self.sf_per_deg * along - self.temporal_Hz * time_s)
        return out

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        _, info = advance(state, pose, time_s)
        on, direction, begun = self.now(state, time_s)
        return 0.0, False, {**info, "on": float(on), "direction_deg": float(direction), "trial": float(begun)}


TASK = Gratings
