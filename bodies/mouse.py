"""Mus musculus, 25 g: dm_control's rat, shrunk (`_mouse_rat`), with what that model lacks: whiskers, tongue, eyes, nose
and ears.

Axes of the trunk: x ahead, y left, z up. Sides are the animal's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import mujoco
import numpy as np

from bestiary.bodies._base import CM_G, Array, Sense, Units, World
from bestiary.bodies._mouse_bound import LIGHT, PAWS, Bound, senses
from bestiary.bodies._mouse_rat import LENGTH, STANCE, names, shrunk
from bestiary.bodies._mouse_whiskers import WHISKERS, add_whiskers
from bestiary.bodies._rescale import rescale
from bestiary.bodies._walker import Media, Walker

__all__ = ["BODY", "PAWS", "WHISKERS", "Mouse"]

TONGUE_M = 4e-3  # how far it reaches out of the mouth


@dataclass(frozen=True)
class Mouse(Walker):
    """A mouse as an immutable description. Everything is SI.

    floor: bring a level plane at height 0, named "floor", to stand on; a world with its own terrain deletes it.
    welded: spine, tail and digits are rigid, for speed: 33 hinges and 29 servos instead of 67 and 38.
    whiskers: 24 rods a side, that touch the world and nothing of the mouse itself.
    self_contact: parts of the body collide with one another too.
    eyes: both eyes, 2 x 1289 pixels of 4 degrees, as the sense `luminance`, 50 times a second.
    motor_tau_s: activation of the servos, first order; 0.003, of fast muscle (memory); the shrunk rat would have 0.026.
    control_s, physics_s: default clock periods. units: of the model, for tests.

    An action is (n_motors,) in [-1, 1] in the order of `motors`. Servos: the angle goes linearly from its low end at -1
    to its high end at 1 (`middle` + `half` * action); those named lumbar, cervical and caudal pull several joints by
    fixed tendons. `whisk_L`, `whisk_R`: protraction of free whiskers, by 30 degrees at 1. `tongue`: out by 4 mm at 1,
    in at 0 and below. `neutral` is the action of standing still; `action_of` makes actions from angles.
    """

    floor: bool = True
    welded: bool = False
    whiskers: bool = True
    self_contact: bool = False
    eyes: bool = True
    motor_tau_s: float = 0.003
    control_s: str = "0.01"
    physics_s: str = "0.002"
    units: Units = CM_G
    view_deg: ClassVar[tuple[float, float]] = (140.0, -20.0)  # azimuth, elevation of a camera that follows it
    media: ClassVar[Media] = {"air": (1.2, 1.8e-5), "vacuum": (0.0, 0.0)}
    length_m: float = field(init=False, default=0.088)  # nose to tail base
    ground_m: float = field(init=False, default=0.0)  # height of the ground below position_m = 0
    motors: tuple[str, ...] = field(init=False)
    joints: tuple[str, ...] = field(init=False)
    senses: tuple[Sense, ...] = field(init=False)
    middle: Array = field(init=False, repr=False, compare=False)  # angle = middle + half * action
    half: Array = field(init=False, repr=False, compare=False)
    neutral: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.motor_tau_s) and self.motor_tau_s >= 0):
            raise ValueError(f"motor_tau_s of Mouse must be finite and at least 0, got {self.motor_tau_s}")
        joints, servos, ends = names(self.welded)
        motors = (*servos, "tongue", *(("whisk_L", "whisk_R") if self.whiskers else ()))
        middle, half = np.zeros(len(motors)), np.ones(len(motors))
        middle[: len(servos)], half[: len(servos)] = ends.mean(1), np.ptp(ends, axis=1) / 2
        goal = np.array([STANCE.get(m, 0.0) for m in motors])
        neutral = np.clip((goal - middle) / half, -1, 1)
        for array in (middle, half, neutral):
            array.flags.writeable = False
        felt = senses(len(joints), len(servos), self.whiskers)
        for name, value in (
            ("motors", motors),
            ("joints", joints),
            ("middle", middle),
            ("half", half),
            ("neutral", neutral),
            ("senses", (*felt, *([LIGHT] if self.eyes else []))),
        ):
            object.__setattr__(self, name, value)

    # Model

    def spec(self) -> mujoco.MjSpec:
        """The mouse in `units` with its receptors, its cameras, and its floor if it has one."""
        spec = shrunk(self.welded).copy()
        u = self.units
        cm = 1e-2
        if self.motor_tau_s:
            for actuator in spec.actuators:
                actuator.dyntype = mujoco.mjtDyn.mjDYN_FILTEREXACT
                actuator.dynprm[0] = self.motor_tau_s
        else:
            for actuator in spec.actuators:
                actuator.dyntype = mujoco.mjtDyn.mjDYN_NONE
        for geom in spec.geoms:
            geom.group = 2  # its own alone: eyes see all others
            if not self.self_contact:
                geom.conaffinity = 0
            geom.rgba = _colour(geom.name)
            if self.welded and geom.name.startswith("vertebra_C"):
                geom.contype = 0  # a stiff tail would be a fifth leg
        rescale(spec, Units(1.0, 1.0), u)
        skull, jaw = spec.body("skull"), spec.body("jaw")
        size = [0.1 * cm / u.length] * 3
        for paw in PAWS:
            front, side = paw[0] == "F", paw[1]
            for part, body, at, radius in _SOLES[front]:
                place = np.array(at) * [1, 1 if side == "L" else -1, 1] * LENGTH / u.length
                zone = [radius * LENGTH / u.length] * 3
                spec.body(f"{body}_{side}").add_site(name=f"{part}_{paw}", pos=place, size=zone, group=4)
            spec.body(f"{_SOLES[front][1][1]}_{side}").add_site(name=f"paw_{paw}", size=size, group=4)
        for name, at in (("nostril_L", (14.6, 1.0, -2.4)), ("nostril_R", (14.6, -1.0, -2.4)), ("nose", (15.0, 0, -2.4)),
                         ("ear_L", (-9, 5, 2)), ("ear_R", (-9, -5, 2))):  # fmt: skip
            skull.add_site(name=name, pos=np.array(at) * 1e-3 / u.length, size=size, group=4)
        for side, sign in (("L", 1), ("R", -1)):  # drawn only
            skull.add_geom(
                name=f"ear_{side}",
                type=mujoco.mjtGeom.mjGEOM_ELLIPSOID,
                size=np.array([0.8, 5.0, 6.5]) * 1e-3 / u.length,
                pos=np.array([-10.5, 6.5 * sign, 6.0]) * 1e-3 / u.length,
                euler=[-0.7 * sign, -0.35, 0.45 * sign],
                mass=0,
                rgba=[0.45, 0.34, 0.31, 1],
                group=2,
                contype=0,
                conaffinity=0,
            )
        jaw.add_site(name="mouth", pos=np.array([6.0, 0, -1.5]) * 1e-3 / u.length, size=[3e-3 / u.length] * 3, group=4)
        spec.body("vertebra_C1").add_site(name="tail", size=size, group=4)
        tongue = jaw.add_body(name="tongue", pos=np.array([5.0, 0, -0.6]) * 1e-3 / u.length)
        tongue.add_joint(
            name="tongue",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[0.97, 0, -0.24],
            range=[0, TONGUE_M / u.length],
            limited=True,
            damping=[2e-3 / u.drag, 0, 0],
            armature=1e-5 / u.mass,
            solimp_limit=[0.9, 0.95, 1e-3 / u.length, 0.5, 2],
        )
        tongue.add_geom(
            name="tongue",
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            fromto=np.array([-2.0, 0, 0.5, 1.0, 0, -0.24]) * 1e-3 / u.length,
            size=[0.6e-3 / u.length, 0, 0],
            mass=1e-5 / u.mass,
            rgba=[0.85, 0.45, 0.45, 1],
            group=2,
            contype=1,
            conaffinity=0,
            condim=1,
        )
        tip = np.array([1.4, 0, -0.34]) * 1e-3 / u.length
        tongue.add_site(name="tongue", pos=tip, size=[1.5e-3 / u.length] * 3, group=4)
        stiff = 0.2 / u.drag  # N/m
        spec.add_actuator(
            name="tongue",
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            target="tongue",
            gainprm=[stiff * TONGUE_M / u.length, *[0] * 9],
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            biasprm=[0, -stiff, *[0] * 8],
            ctrllimited=True,
            ctrlrange=[-1, 1],
        )
        if self.whiskers:
            add_whiskers(spec, skull, u)
        _eyes(skull, u)
        _sensors(spec)
        if self.floor:
            spec.worldbody.add_geom(
                name="floor",
                type=mujoco.mjtGeom.mjGEOM_PLANE,
                size=[100, 100, 1],
                group=4,
                rgba=[0, 0, 0, 0],
                friction=[0.7, 0.005 / u.length, 0.0001 / u.length],
                solref=[0.004, 1],
                solimp=[0.9, 0.95, 1e-3 / u.length, 0.5, 2],
            )
        spec.option.timestep = float(self.physics_s)
        spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        spec.option.impratio = 10  # with this a standing mouse does not creep
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        return spec

    # Running

    def bind(self, model: mujoco.MjModel) -> Bound:
        """Indices of the mouse in a compiled model."""
        return Bound.of(self, model)

    def place(
        self,
        bound: Bound,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        position_m: Array,
        heading_rad: float = 0.0,
        curvature: Any = None,
        height_m: float | None = None,
    ) -> None:
        """At rest, the trunk above position_m (3,), a point of the ground, its paws on it.

        height_m: of the trunk over position_m instead, for a start in the air. curvature: nothing, a mouse has none.
        """
        self.apply(bound, data, self.neutral)
        data.qvel[bound.dofs] = 0
        data.qpos[bound.hinges] = bound.rest
        data.qpos[bound.others] = 0
        data.act[bound.act] = data.ctrl[bound.servos]
        data.qpos[bound.root] = [0, 0, 0, math.cos(heading_rad / 2), 0, 0, math.sin(heading_rad / 2)]
        self.put(bound, model, data, position_m, height_m)

    def apply(self, bound: Bound, data: mujoco.MjData, action: Array) -> None:
        """action (n_motors,) in [-1, 1], in the order of `motors`."""
        data.ctrl[bound.motors] = action
        data.ctrl[bound.tongue] = max(float(action[bound.tongue_motor]), 0.0)

    def sense(self, bound: Bound, data: mujoco.MjData, world: World) -> dict[str, Array]:
        """Observation: every `Sense` by name, float32, within its bounds."""
        u, now, b = self.units, data.time, bound
        measured = data.sensordata[b.sensors]
        at = data.site_xpos[b.receptors] * u.length
        sample = world.sample
        angle = data.qpos[b.hinges]
        parts = [
            angle,
            data.qvel[b.hinge_dofs],
            data.actuator_force[b.servos] * u.torque,
            (measured[9:13] + measured[13:17]) * u.force,
            measured[3:6],
            measured[:3] * u.acceleration,
            -data.xmat[b.skull, 6:],
            sample("odour", at[:2], b.fraction[:2], now),
            sample("sound_Pa", at[2:4], b.fraction[2:4], now),
            measured[17:18] * u.force,
            measured[18:19] * u.force,
            sample("water", at[4:5], b.fraction[4:5], now) * (measured[18] > 0),
        ]
        if self.whiskers:
            rods = data.qpos[b.rods]  # side, whisker, (protraction, up)
            bent = rods.copy()
            bent[..., 0] -= data.actuator_force[b.whisk][:, None]
            parts += [rods[..., 0].ravel(), (-b.rod_stiffness * bent).ravel() * u.torque]
        values = np.concatenate(parts)
        return self.seen(b, data, world, values)

    def pose(self, bound: Bound, data: mujoco.MjData) -> dict[str, Array]:
        """Ground truth in SI: midline_m (8, 3) nose, skull, neck, trunk, back, loin, pelvis, tail base; com_m (3,) and
        velocity_m_per_s (3,) of the whole; heading_rad; pitch_rad, nose up; roll_rad, left side up; upright, the cosine
        of the tilt; height_m of the trunk; claws_m (4, 3) and claw_load_N (4,) of the paws FL, FR, HL, HR; joint_rad;
        nose_m (3,); head_rad (2,), azimuth and elevation of the head in the world; whisk_rad (2,), mean protraction;
        curvature_per_m (0,)."""
        b, size = bound, self.units.length
        ahead_x, _, _, ahead_y, _, _, ahead_z, left_z, up_z = data.xmat[b.trunk].tolist()
        midline = np.empty((2 + len(b.spine), 3))
        midline[[0, -1]] = data.site_xpos[b.ends]
        midline[1:-1] = data.xpos[b.spine]
        midline *= size
        measured = data.sensordata[b.sensors]
        face = data.xmat[b.skull].reshape(3, 3)[:, 0]
        whisk = data.qpos[b.rods][..., 0].mean(1) if self.whiskers else np.zeros(2)
        return {
            "midline_m": midline,
            "com_m": data.subtree_com[b.trunk] * size,
            "velocity_m_per_s": measured[6:9] * size,
            "heading_rad": np.array(math.atan2(ahead_y, ahead_x)),
            "pitch_rad": np.array(math.asin(min(max(ahead_z, -1.0), 1.0))),
            "roll_rad": np.array(math.atan2(left_z, up_z)),
            "upright": np.array(up_z),
            "height_m": data.xpos[b.trunk, 2] * size,
            "claws_m": data.site_xpos[b.claws] * size,
            "claw_load_N": (measured[9:13] + measured[13:17]) * self.units.force,
            "joint_rad": data.qpos[b.hinges].copy(),
            "nose_m": data.site_xpos[b.ends[0]] * size,
            "head_rad": np.array([math.atan2(face[1], face[0]), math.asin(min(max(face[2], -1.0), 1.0))]),
            "whisk_rad": whisk,
            "curvature_per_m": np.empty(0),
        }


# Zones of the touch sensors, in m of the rat: (site, body, place on the left, radius), hind and fore
_SOLES = {
    False: (("foot", "foot", (0.0083, 0.0023, -0.0023), 0.018), ("toe", "toe", (0.0078, 0.0023, 0.0), 0.014)),
    True: (("hand", "hand", (0.0015, 0.0008, -0.0045), 0.010), ("finger", "finger", (0.0042, 0.0006, 0.0), 0.010)),
}


def _colour(name: str) -> list[float]:
    if name.startswith("eye"):
        return [0.02, 0.02, 0.02, 1]
    if name.startswith(("foot", "toe", "hand", "finger", "vertebra_C")):
        return [0.86, 0.66, 0.60, 1]
    if "_T1" in name or "_T2" in name:
        return [0.9, 0.88, 0.8, 1]
    return [0.28, 0.24, 0.21, 1]


def _eyes(skull: mujoco.MjsBody, units: Units) -> None:
    """Where the rays of both eyes begin: the surface of the model's eyes."""
    for side, sign in (("left", 1), ("right", -1)):
        place = np.array([0.0011, sign * 0.0150, 0.0035]) * LENGTH / units.length
        skull.add_camera(name=f"eye_{side}", pos=place, quat=[0.5, 0.5, -0.5, -0.5], fovy=100)


def _sensors(spec: mujoco.MjSpec) -> None:
    kind, site, body = mujoco.mjtSensor, mujoco.mjtObj.mjOBJ_SITE, mujoco.mjtObj.mjOBJ_BODY
    for name, type_, of, what in (
        ("accelerometer", kind.mjSENS_ACCELEROMETER, site, "head"),
        ("gyro", kind.mjSENS_GYRO, site, "head"),
        ("velocity", kind.mjSENS_SUBTREELINVEL, body, "torso"),
        *((f"touch_{p}", kind.mjSENS_TOUCH, site, f"{'hand' if p[0] == 'F' else 'foot'}_{p}") for p in PAWS),
        *((f"digits_{p}", kind.mjSENS_TOUCH, site, f"{'finger' if p[0] == 'F' else 'toe'}_{p}") for p in PAWS),
        ("mouth", kind.mjSENS_TOUCH, site, "mouth"),
        ("tongue", kind.mjSENS_TOUCH, site, "tongue"),
    ):
        spec.add_sensor(name=name, type=type_, objtype=of, objname=what)


BODY = Mouse
