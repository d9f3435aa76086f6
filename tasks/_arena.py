"""What tasks share: a drawn ground, discs on it, a ring around it, and light."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body

if TYPE_CHECKING:
    from collections.abc import Sequence

_GROUND = (0.93, 0.91, 0.86, 1.0)


_GAP = 0.01  # body lengths between two discs: less, and a camera far away mixes them up


def level(body: Body) -> float:
    """Height of the ground, m: the body's `ground_m`, else just under a body whose middle is at 0."""
    return float(getattr(body, "ground_m", -getattr(body, "radius_m", 0.05 * body.length_m)))


def _height(body: Body, sunk: int) -> float:
    """Model units, of what lies `sunk` layers under the ground of the body: under its lowest point, or `ground_m`."""
    return (level(body) - sunk * _GAP * body.length_m) / body.units.length


def floor_of(spec: mujoco.MjSpec) -> mujoco.MjsGeom | None:
    """The level plane that a body brought to stand on, if it did."""
    return next((g for g in spec.geoms if g.name == "floor"), None)


def lit_grid(spec: mujoco.MjSpec, body: Body, radius_m: float, tint: Sequence[float] = _GROUND) -> str:
    """A material with a grid one body length wide, its name; sky, and a light that casts no shadow (fast)."""
    length = body.length_m / body.units.length
    name = "ground"
    spec.add_texture(
        name=name,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        mark=mujoco.mjtMark.mjMARK_EDGE,
        rgb1=tint[:3],
        markrgb=[0.86 * c for c in tint[:3]],
        width=256,
        height=256,
    )
    material = spec.add_material(name=name, specular=0, texrepeat=[1 / length, 1 / length], texuniform=True)
    textures = material.textures
    textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    material.textures = textures
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        rgb1=tint[:3],
        width=16,
        height=96,
    )
    spec.worldbody.add_light(
        pos=[0, 0, 20 * length],
        dir=[0.3, 0.2, -1],
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        castshadow=False,
        diffuse=[0.4] * 3,
        specular=[0.1] * 3,
    )
    spec.visual.headlight.ambient = [0.45] * 3
    spec.visual.headlight.diffuse = [0.15] * 3
    spec.visual.headlight.specular = [0.05] * 3
    spec.visual.quality.numslices = 64
    spec.stat.extent = length
    spec.visual.map.znear = 0.02
    spec.visual.map.zfar = max(50.0, 8 * radius_m / body.length_m)
    spec.visual.quality.offsamples = 4
    return name


def ground(spec: mujoco.MjSpec, body: Body, radius_m: float, layers: int = 0, tint: Sequence[float] = _GROUND) -> None:
    """A ground, 3 radius_m each way, with a grid one body length wide, and a light that casts no shadow (fast).

    Drawn only: a body that needs a floor to stand on brings it. layers: room for so many discs on top.
    """
    size = radius_m / body.units.length
    spec.worldbody.add_geom(
        name="ground",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[3 * size, 3 * size, size],
        pos=[0, 0, _height(body, layers)],
        material=lit_grid(spec, body, radius_m, tint),
        contype=0,
        conaffinity=0,
    )


def disc(spec: mujoco.MjSpec, body: Body, name: str, radius_m: float, rgba: Sequence[float], sunk: int) -> None:
    """A thin mocap disc, `sunk` layers under the body, so that an episode can move it."""
    length = body.length_m / body.units.length
    spec.add_material(name=name, specular=0, rgba=list(rgba))
    holder = spec.worldbody.add_body(name=name, mocap=True, pos=[0, 0, _height(body, sunk)])
    holder.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=[radius_m / body.units.length, 5e-4 * length, 0],
        material=name,
        contype=0,
        conaffinity=0,
    )


def panel_ring(spec: mujoco.MjSpec, body: Body, radius_m: float, height_m: float, greys: Sequence[float]) -> None:
    """A ring of upright panels about the origin, the mocap body "drum", drawn only. Panel i has luminance greys[i] and
    lies from i / n to (i + 1) / n of a turn, to the left."""
    n, unit = len(greys), body.units.length
    radius, half = radius_m / unit, math.pi * radius_m / n / unit
    holder = spec.worldbody.add_body(name="drum", mocap=True)
    for i, grey in enumerate(greys):
        angle = 2 * math.pi * (i + 0.5) / n
        holder.add_geom(
            name=f"drum{i}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[0.01 * radius, 1.002 * half / math.cos(math.pi / n), height_m / unit],
            pos=[radius * math.cos(angle), radius * math.sin(angle), 0],
            quat=[math.cos(angle / 2), 0, 0, math.sin(angle / 2)],
            rgba=[grey, grey, grey, 1],
            contype=0,
            conaffinity=0,
        )


def on_ring(position_m: Array, radius_m: float, height_m: float) -> Array:
    """(n,) which places lie on the ring, or where it would be for a ray that went past it."""
    away = np.hypot(position_m[:, 0], position_m[:, 1])
    return (away > 0.9 * radius_m) & (np.abs(position_m[:, 2]) <= height_m * np.maximum(away / radius_m, 1))


def turn_mocap(model: mujoco.MjModel, data: mujoco.MjData, name: str, angle_rad: float) -> None:
    """Turns a mocap body about the vertical."""
    data.mocap_quat[model.body_mocapid[model.body(name).id]] = [
        math.cos(angle_rad / 2), 0, 0, math.sin(angle_rad / 2)
    ]  # fmt: skip
