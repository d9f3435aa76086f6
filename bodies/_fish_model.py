"""The model of a larval fish in MuJoCo: its links and joints, eyes, fins and bladder."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array
from bestiary.bodies._fish_drag import WATER_KG_PER_M3, add_drag, resistance
from bestiary.bodies._fish_motors import GRAVITY, LEAN, add_motors
from bestiary.bodies._fish_retina import LOOKS
from bestiary.bodies._fish_shape import balance_m, bending_Nm2, sections
from bestiary.bodies._fish_skin import draw

if TYPE_CHECKING:
    from bestiary.bodies.zebrafish import Zebrafish

_EYE_KG = 0.01e-6  # of one, part of the head's


def model_spec(body: Zebrafish) -> mujoco.MjSpec:
    """The fish, straight along x with its nose at +x, its eyes and fins, its cameras."""
    u, n = body.units, body.n_links
    spec = mujoco.MjSpec()
    spec.modelname = "zebrafish"
    spec.option.timestep = float(body.physics_s)
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # tissue in water: the weight that is left without the bladder is spread as the mass is; the bladder lifts
    spec.option.gravity = [0, 0, -GRAVITY * (1 - 1 / LEAN) / u.acceleration]
    off = mujoco.mjtDisableBit
    spec.option.disableflags = int(off.mjDSBL_CONTACT | off.mjDSBL_CONSTRAINT | off.mjDSBL_SENSOR)
    seen = (2 + LOOKS) * int(np.prod(body.senses[0].shape)) if body.eyes else 0
    spec.nuserdata = seen + (len(resistance(body, body.medium)) if body.reactive else 0)
    spec.worldbody.add_site(name="water", group=4)
    part, edges = sections(body), body.edges_m / u.length
    mass = part["volume"] * body.specific_gravity * WATER_KG_PER_M3 / u.mass
    mass[0] -= 2 * _EYE_KG / u.mass
    bending, spacing = bending_Nm2(body), body.edges_m[2] - body.edges_m[1]
    parent = root = spec.worldbody.add_body(name="link00")
    free = root.add_freejoint(name="root")
    if body.head_fixed:  # so heavy that nothing moves it, and without weight
        free.armature = 1e3 / u.mass
    for i in range(n):
        half = (edges[i + 1] - edges[i]) / 2
        if i:
            at = -edges[1] / 2 if i == 1 else -2 * half
            link = parent.add_body(name=f"link{i:02d}", pos=[at, 0, 0])
            stiffness = bending[i - 1] / spacing / u.torque
            kinds: list[tuple[str, list[float], float]] = [("bend", [0, 0, -1], 1.0)]
            if i == 4:  # small pitch, stiffer by what the tissue is higher than wide, shared by the joints
                kinds.append(("pitch", [0, 1, 0], 1.0))
            for kind, axis, harder in kinds:
                link.add_joint(
                    name=f"{kind}{i:02d}",
                    type=mujoco.mjtJoint.mjJNT_HINGE,
                    axis=axis,
                    stiffness=[harder * stiffness, 0, 0],
                    damping=[harder * stiffness * body.damping_s, 0, 0],
                )
        else:
            link = root
        middle = 0.0 if i == 0 else -half
        link.add_geom(
            name=f"link{i:02d}",
            type=mujoco.mjtGeom.mjGEOM_ELLIPSOID,
            size=[half, part["w"][i] / u.length, part["h"][i] / u.length],
            pos=[middle, 0, 0],
            mass=float(mass[i]),
            contype=0,
            conaffinity=0,
            group=3,
        )
        link.add_site(name=f"link{i:02d}", pos=[middle, 0, 0], group=4)
        parent = link
    parent.add_site(name="tail", pos=[-2 * half, 0, 0], group=4)
    _head(spec, root, edges, body)
    add_motors(spec, body)
    add_drag(spec, body)
    draw(spec, root, body)
    return spec


def _head(spec: mujoco.MjSpec, root: Any, edges: Array, body: Zebrafish) -> None:
    """Eyes on hinges, fins, and the bladder over the centre of mass."""
    u, size = body.units, body.length_m / 4e-3
    mm, nN_mm = 1e-3 * size / u.length, 1e-12 / u.torque
    root.add_site(name="nose", pos=[edges[1] / 2, 0, 0], group=4)
    for side, sign in (("L", 1), ("R", -1)):
        eye = root.add_body(name=f"eye_{side}", pos=[0.06 * mm, 0.24 * sign * mm, 0.04 * mm])
        eye.add_joint(name=f"eye_{side}", axis=[0, 0, 1], damping=[1e-3 * nN_mm, 0, 0])
        eye.add_geom(
            name=f"eye_{side}",
            type=mujoco.mjtGeom.mjGEOM_ELLIPSOID,
            size=[0.15 * mm, 0.12 * mm, 0.14 * mm],
            mass=_EYE_KG / u.mass,
            rgba=[0.08, 0.07, 0.09, 1],
            contype=0,
            conaffinity=0,
            group=1,
        )
        eye.add_camera(name=f"eye_{side}", fovy=90)
    for side, sign in (("L", 1), ("R", -1)):
        angle = sign * (math.pi - 0.7)
        root.add_geom(
            name=f"fin_{side}",
            type=mujoco.mjtGeom.mjGEOM_ELLIPSOID,
            size=[0.22 * mm, 0.01 * mm, 0.12 * mm],
            pos=[(-0.38 + 0.2 * math.cos(angle)) * mm, (0.22 * sign + 0.2 * math.sin(angle)) * mm, 0],
            quat=[math.cos(angle / 2), 0, 0, math.sin(angle / 2)],
            mass=0,
            rgba=[0.75, 0.72, 0.66, 0.6],
            contype=0,
            conaffinity=0,
            group=1,
        )
        root.add_site(name=f"fin_{side}", pos=[-0.45 * mm, 0.4 * sign * mm, 0], group=4)
    root.add_site(name="bladder", pos=[balance_m(body) / u.length, 0, 0.06 * mm], group=4)
