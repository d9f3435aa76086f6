"""What tasks of mazes and apparatus share: walls that can be felt and seen, and a holder for the head."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import floor_of, level

GREY = (0.62, 0.61, 0.6, 0.45)  # films look through; eyes do not
CLEAR = (1.0, 1.0, 1.0, 0.0)  # neither films nor eyes see it
_SMOOTH = 0.2  # friction of walls: plastic that paws do not climb (assumed)
_CONTACT = ("friction", "solref", "solimp", "condim")


def contact_of(spec: mujoco.MjSpec) -> dict[str, Any]:
    """Contact properties of the floor that the body brought, for other things to stand on; {} without one."""
    floor = floor_of(spec)
    return {key: np.copy(getattr(floor, key)) if key != "condim" else floor.condim for key in _CONTACT} if floor else {}


def box(
    spec: mujoco.MjSpec,
    body: Body,
    name: str,
    low_m: Iterable[float],
    high_m: Iterable[float],
    rgba: Iterable[float] = GREY,
    **options: Any,
) -> mujoco.MjsGeom:
    """A fixed box between two corners (3,), m above the ground of the body."""
    unit = body.units.length
    low, high = (np.add(list(c), (0, 0, level(body))) for c in (low_m, high_m))
    return spec.worldbody.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=(high - low) / 2 / unit,
        pos=(high + low) / 2 / unit,
        rgba=list(rgba),
        **options,
    )


def walls(
    spec: mujoco.MjSpec, body: Body, lines_m: Iterable[tuple[float, float, float, float]], height_m: float,
    thick_m: float, rgba: Iterable[float] = GREY,
) -> None:  # fmt: skip
    """Upright walls along lines (x0, y0, x1, y1) parallel to x or y, of a thickness about the line."""
    contact, half = contact_of(spec), thick_m / 2
    if contact:  # above the priority of paws (1): the wall's friction counts, not theirs
        contact |= {"friction": np.array([_SMOOTH, *contact["friction"][1:]]), "priority": 2}
    for i, (x0, y0, x1, y1) in enumerate(lines_m):
        low = min(x0, x1) - half, min(y0, y1) - half, 0.0
        high = max(x0, x1) + half, max(y0, y1) + half, height_m
        box(spec, body, f"wall{i}", low, high, rgba, **contact)


def head_site(spec: mujoco.MjSpec, what: str) -> mujoco.MjsSite:
    """The site "head" of the body in a spec. Raises ValueError where it has none."""
    for site in spec.sites:
        if site.name == "head":
            return site
    raise ValueError(f"{what}: this body has no site 'head' to hold; use head_fixed=False, or the body's own option")


def hold_head(spec: mujoco.MjSpec, body: Body, what: str) -> None:
    """Adds a bar, a mocap body "holder" to which the head is welded; `clamp` puts it where the head is."""
    head = head_site(spec, what).parent
    unit = body.units.length
    holder = spec.worldbody.add_body(name="holder", mocap=True)
    for side in (-1, 1):
        holder.add_geom(
            name=f"holder{side}",
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            fromto=np.array([-0.004, 0.004 * side, 0.009, -0.012, 0.03 * side, 0.03]) / unit,
            size=[0.001 / unit, 0, 0],
            rgba=[0.7, 0.7, 0.72, 1],
            contype=0,
            conaffinity=0,
        )
    weld = spec.add_equality(
        name="holder", type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY, name1="holder", name2=head.name
    )
    weld.data[:11] = [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]  # the frame of the head is that of the holder
    weld.solref = [0.006, 1]


def clamp(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """Puts the holder where the head is, once the body has been placed."""
    head = int(model.eq_obj2id[model.equality("holder").id])
    row = model.body_mocapid[model.body("holder").id]
    data.mocap_pos[row], data.mocap_quat[row] = data.xpos[head], data.xquat[head]


def nose_m(pose: dict[str, Array]) -> Array:
    """(3,) the front end of the midline."""
    return np.asarray(pose["midline_m"][0])


def touches(model: mujoco.MjModel, data: mujoco.MjData, name: str) -> bool:
    """Whether anything touched the geom `name` in the last physics step."""
    return bool((data.contact.geom[: data.ncon] == model.geom(name).id).any())
