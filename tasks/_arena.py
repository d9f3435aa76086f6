"""What tasks share: a drawn ground, and light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco

from bestiary.bodies._base import Body

if TYPE_CHECKING:
    from collections.abc import Sequence

_GROUND = (0.93, 0.91, 0.86, 1.0)


_GAP = 0.01  # body lengths between two discs: less, and a camera far away mixes them up


def _height(body: Body, sunk: int) -> float:
    """Model units, of what lies `sunk` layers under the ground of the body: under its lowest point, or `ground_m`."""
    ground_m = getattr(body, "ground_m", -getattr(body, "radius_m", 0.05 * body.length_m))
    return (ground_m - sunk * _GAP * body.length_m) / body.units.length


def ground(spec: mujoco.MjSpec, body: Body, radius_m: float, layers: int = 0, tint: Sequence[float] = _GROUND) -> None:
    """A ground, 3 radius_m each way, with a grid one body length wide, and a light that casts no shadow (fast).

    Drawn only: a body that needs a floor to stand on brings it. layers: room for so many discs on top.
    """
    unit = body.units.length
    length = body.length_m / unit
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
    size = radius_m / unit
    spec.worldbody.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[3 * size, 3 * size, size],
        pos=[0, 0, _height(body, layers)],
        material=name,
        contype=0,
        conaffinity=0,
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
    spec.visual.map.zfar = max(50.0, 8 * size / length)
    spec.visual.quality.offsamples = 4


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
