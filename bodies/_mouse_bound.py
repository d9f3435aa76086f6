"""What a mouse feels, and where it is in a compiled model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Sense, as_slice
from bestiary.bodies._eye import Eye, Sight
from bestiary.bodies._mouse_rat import STANCE, names
from bestiary.bodies._mouse_retina import mouse_retina
from bestiary.bodies._mouse_whiskers import WHISKERS

if TYPE_CHECKING:
    from bestiary.bodies.mouse import Mouse

PAWS = ("FL", "FR", "HL", "HR")
LOOK_S = 0.02  # eyes look so often


def senses(joints: int, servos: int, whiskers: bool) -> tuple[Sense, ...]:
    out = [
        Sense("joint_rad", (joints,), -7, 7, "rad", "angles of all hinges, as in Mouse.joints"),
        Sense("joint_rad_per_s", (joints,), -1e4, 1e4, "rad/s", "speeds of all hinges"),
        Sense("motor_Nm", (servos,), -10, 10, "N m", "torque of every servo, in the order of Mouse.motors"),
        Sense("paw_load_N", (4,), 0, 100, "N", "press of the ground on the paws: FL, FR, HL, HR"),
        Sense("gyro_rad_per_s", (3,), -1e4, 1e4, "rad/s", "turning of the head about x ahead, y left, z up"),
        Sense("accelerometer_m_per_s2", (3,), -1e5, 1e5, "m/s^2", "acceleration of the head less gravity, its axes"),
        Sense("gravity", (3,), -1, 1, "1", "direction of gravity in the axes of the head"),
        Sense("odour", (2,), 0, 1e3, "1", "odour, 1 is 1 ppm: nostril L, R", external=True),
        Sense("sound_Pa", (2,), 0, 1e3, "Pa", "amplitude of sound at ear L, R", external=True),
        Sense("mouth_N", (1,), 0, 100, "N", "touch at the mouth"),
        Sense("tongue_N", (1,), 0, 100, "N", "touch at the tip of the tongue"),
        Sense("water", (1,), 0, 1, "1", "wetness of what the tongue touches", external=True),
    ]
    if whiskers:
        n = len(WHISKERS)
        out += [
            Sense("whisker_rad", (2, n), -4, 4, "rad", "protraction of whiskers, from rest: left, right; as WHISKERS"),
            Sense("whisker_Nm", (2, n, 2), -1, 1, "N m", "moment at the base: against protraction, against lifting"),
        ]
    return tuple(out)


LIGHT = Sense("luminance", (2, mouse_retina().directions.shape[1]), 0, 1, "1", "light on each pixel: L, R", rest=0.5)


@dataclass(frozen=True)
class Bound:
    """Where a mouse is in a compiled model."""

    model: mujoco.MjModel
    trunk: int
    skull: int
    root: Array  # (7,) in qpos
    dofs: Array
    hinges: Any  # in qpos
    hinge_dofs: Any
    others: Array  # in qpos: whiskers, tongue
    rods: Array  # (2, 24, 2) in qpos
    rod_stiffness: Array  # (2, 24, 2)
    whisk: Array  # (2,) in ctrl
    rest: Array  # (n_joints,) of standing
    motors: Array  # in ctrl
    tongue: int
    tongue_motor: int
    servos: Array  # in ctrl
    act: Array
    sensors: slice
    receptors: Array  # sites: nostrils, ears, tongue
    fraction: Array
    low: Array
    high: Array
    parts: tuple[tuple[str, slice, tuple[int, ...]], ...]
    claws: Array
    paw_geoms: Array
    ends: Array
    spine: Array
    sight: Sight | None

    def lowest(self, model: mujoco.MjModel, data: mujoco.MjData) -> Array:
        """(n,) height of the lowest point of each geom of the paws, in model units."""
        g = self.paw_geoms
        up, size = data.geom_xmat[g].reshape(-1, 3, 3)[:, 2], model.geom_size[g]
        ellipsoid = np.sqrt(((up * size) ** 2).sum(1))
        capsule = size[:, 0] + size[:, 1] * np.abs(up[:, 2])
        kind = model.geom_type[g] == mujoco.mjtGeom.mjGEOM_CAPSULE.value
        return np.asarray(data.geom_xpos[g, 2] - np.where(kind, capsule, ellipsoid))

    @classmethod
    def of(cls, body: Mouse, model: mujoco.MjModel) -> Bound:
        def ids(kind: str, names: Any) -> Array:
            return np.array([getattr(model, kind)(name).id for name in names], dtype=int)

        hinges = ids("joint", body.joints)
        motors = ids("actuator", body.motors)
        servos = motors[: len(names(body.welded)[1])]
        first = model.sensor("accelerometer").adr[0]
        free = model.joint("root")
        rods = np.empty((0, 0, 2), int)
        if body.whiskers:
            rods = np.array(
                [[ids("joint", (f"whisker_{w}_{s}", f"whisker_{w}_{s}_up")) for w in WHISKERS] for s in "LR"]
            )
        tongue = model.joint("tongue").id
        others = np.r_[rods.ravel(), tongue]
        felt = senses(len(body.joints), len(servos), body.whiskers)
        ends = np.cumsum([math.prod(s.shape) for s in felt])
        paws = [g for g in range(model.ngeom) if model.geom(g).name.startswith(("foot_", "toe_", "hand_", "finger_"))]
        sight = None
        if body.eyes:
            eye = Eye.of(model, mouse_retina(), ("eye_left", "eye_right"), body.units.length, rays=1)
            sight = Sight(eye, LOOK_S)
        stiffness = np.array(model.jnt_stiffness).reshape(model.njnt, -1)[:, 0]
        trunk = model.body("torso").id
        return cls(
            model=model,
            trunk=trunk,
            skull=model.body("skull").id,
            root=int(free.qposadr[0]) + np.arange(7),
            dofs=np.concatenate([int(free.dofadr[0]) + np.arange(6), model.jnt_dofadr[np.r_[hinges, others]]]),
            hinges=as_slice(model.jnt_qposadr[hinges]),
            hinge_dofs=as_slice(model.jnt_dofadr[hinges]),
            others=model.jnt_qposadr[others],
            rods=model.jnt_qposadr[rods],
            rod_stiffness=stiffness[rods],
            whisk=ids("actuator", ("whisk_L", "whisk_R")) if body.whiskers else np.empty(0, int),
            rest=np.array([STANCE.get(j, 0.0) for j in body.joints]),
            motors=motors,
            tongue=model.actuator("tongue").id,
            tongue_motor=body.motors.index("tongue"),
            servos=servos,
            act=model.actuator_actadr[servos] if body.motor_tau_s else np.empty(0, int),
            sensors=slice(first, first + 19),
            receptors=ids("site", ("nostril_L", "nostril_R", "ear_L", "ear_R", "tongue")),
            fraction=np.array([0.0, 0.0, 0.2, 0.2, 0.0]),
            low=np.concatenate([np.full(math.prod(s.shape), s.low) for s in felt]),
            high=np.concatenate([np.full(math.prod(s.shape), s.high) for s in felt]),
            parts=tuple(
                (s.name, slice(int(end) - math.prod(s.shape), int(end)), s.shape)
                for s, end in zip(felt, ends, strict=True)
            ),
            claws=ids("site", [f"paw_{p}" for p in PAWS]),
            paw_geoms=np.array(paws),
            ends=ids("site", ["nose", "tail"]),
            spine=ids("body", ["skull", "vertebra_cervical_5", "torso", "vertebra_1", "vertebra_4", "pelvis"]),
            sight=sight,
        )
