"""Mus musculus, 25 g: dm_control's rodent (a rat of 338 g, Merel 2020 ICLR) shrunk by stated laws.

Laws, with m the ratio of the masses, 0.074: lengths by m^(1/3) = 0.42 (geometric similarity), times by the root of
that (the same Froude number at the same gravity); torques and stiffness by m, as a muscle's force goes with its
cross-section and its arm with length, so a mouse is stronger for its weight than a rat; damping by m * time, inertia
and armature by m * length^2, contact and muscle time constants by time.

Rats and mice differ in proportion: the trunk is lengthened by 1.19 (TRUNK), to 59 mm from skull to tail base as it
stands, 68 mm along its arch; the measured mouse skeleton (talmolab/stac-mjx, 67 mm at 33 g) has 61 mm at 25 g. Limbs
stay, as their sum in mouse motion capture (hip to heel 31 mm) is that of the shrunk rat. Some 80 of the rat's 338 g are
moved from the pelvis to the chest, so that the forepaws bear more than a third of the weight (40 % in mice, memory).
Tuned: strength of the legs, damping of the hips, ranges of some joints, torque of the spine. What the rat's model lacks
is added here: whiskers, tongue, eyes, nose, ears.

Axes of the trunk: x ahead, y left, z up. Sides are the animal's own.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import mujoco
import numpy as np

from bestiary.bodies._base import CM_G, Array, Sense, Units, World, as_slice
from bestiary.bodies._eye import Eye, Sight
from bestiary.bodies._mouse_retina import mouse_retina
from bestiary.bodies._mouse_whiskers import WHISKERS, add_whiskers
from bestiary.bodies._rescale import rescale
from bestiary.bodies._walker import Media, Walker, model_file

__all__ = ["BODY", "PAWS", "WHISKERS", "Mouse"]

PAWS = ("FL", "FR", "HL", "HR")
MASS_KG, RAT_KG = 0.025, 0.33778242
LENGTH = (MASS_KG / RAT_KG) ** (1 / 3)
TIME = math.sqrt(LENGTH)
TRUNK = 1.19
_TRUNK = ("torso", "pelvis", *(f"vertebra_{i}" for i in range(1, 7)), *(f"vertebra_cervical_{i}" for i in range(1, 6)))
_TAIL = {"vertebra_C1": 0.45, "vertebra_C6": 0.2, "vertebra_C10": -0.3}  # rad, about y: the tip goes up
_WEIGHT = {"collision_torso": 2.4, **{f"collision_pelvis_{p}": 0.43 for p in ("L", "R", "gut")}}
_ARMATURE = 1e-5  # kg m^2 of the rat: leg joints, as its hips; without it paws rattle at 2 ms
_SPINE_NM = 1.0  # N m of the rat
LEG_STRENGTH = 0.75  # of the scaled rat's, tuned with the gaits: stiffer mice bounce
LEG_DAMPING = 1.0  # of its time constant, likewise
_HIP_DAMPING = 0.01  # N m s/rad of the rat, whose own 0.02 is too slow for a gallop
# Joints that the rat's model holds too tight for a mouse's steps, rad: scapulae turn with every step (Fischer 2002 J
# Exp Biol 205:1315, memory), digits bend up over the ground
_RANGES = {
    "scapula_L_extend": (-0.4, 0.4),
    "scapula_R_extend": (-0.4, 0.4),
    "shoulder": (-1.31, 1.2),
    "wrist": (-1.0, 2.09),
    "toe": (-0.9, 0.9),
    "finger": (-0.9, 0.9),
}
# Angles of standing, rad; what is not named is 0
STANCE = {
    name.replace("_S", f"_{side}"): angle
    for side in "LR"
    for name, angle in {
        "hip_S_supinate": 0.126,
        "hip_S_abduct": 0.155,
        "hip_S_extend": -0.131,
        "knee_S": -0.446,
        "ankle_S": 0.038,
        "toe_S": -0.305,
        "scapula_S_supinate": 0.155,
        "scapula_S_abduct": 0.004,
        "scapula_S_extend": 0.236,
        "shoulder_S": 0.703,
        "shoulder_sup_S": 0.4,
        "elbow_S": -0.743,
        "wrist_S": 0.635,
        "finger_S": 0.401,
    }.items()
}
_WELDED = ("vertebra_", "toe_", "finger_")  # joints that `welded` takes out, but for those of the neck
_LEG = ("hip", "knee", "ankle", "toe", "scapula", "shoulder", "elbow", "wrist", "finger")
_NECK = ("vertebra_cervical", "vertebra_axis", "vertebra_atlant")
_WELDED_MOTORS = ("lumbar_", "caudal_", "toe_", "finger_")
LOOK_S = 0.02  # eyes look so often
TONGUE_M = 4e-3  # how far it reaches out of the mouth


@functools.lru_cache(maxsize=2)
def _shrunk(welded: bool) -> mujoco.MjSpec:
    """The rat at the mouse's size and proportions, in SI, without skin, lights and sensors."""
    spec = mujoco.MjSpec.from_file(str(model_file("rodent.xml", "mouse")))
    spec.modelname = "mouse"
    for thing in (*spec.skins, *spec.lights, *spec.sensors):
        spec.delete(thing)
    if welded:
        _weld(spec)
    for body in spec.bodies[1:]:
        by = TRUNK if body.name in _TRUNK else 1.0
        for child in body.bodies:
            child.pos *= by
        for thing in (*body.geoms, *body.sites, *body.joints, *body.cameras):
            thing.pos *= by
        for geom in body.geoms:
            geom.size *= by
            geom.density *= _WEIGHT.get(geom.name, 1.0) / by**3
    for joint in spec.joints:
        if joint.name.startswith(_LEG):
            joint.armature = max(joint.armature, _ARMATURE)
        if joint.name.startswith("hip"):
            joint.damping[0] = _HIP_DAMPING
    for actuator in spec.actuators:
        for begin, (low, high) in _RANGES.items():
            if actuator.name.startswith(begin) and not actuator.name.startswith("shoulder_sup"):
                stiffness = -actuator.biasprm[1]
                spec.joint(actuator.name).range = [low, high]
                actuator.gainprm[0], actuator.biasprm[0] = stiffness * (high - low) / 2, stiffness * (high + low) / 2
        if actuator.name.startswith(("lumbar", "cervical")):  # nothing limits the rat's: at 2 ms it whips itself apart
            actuator.forcerange, actuator.forcelimited = [-_SPINE_NM, _SPINE_NM], mujoco.mjtLimited.mjLIMITED_TRUE
    for name, angle in _TAIL.items():  # the rat's hangs down to the ground
        spec.body(name).quat = [math.cos(angle / 2), 0, math.sin(angle / 2), 0]
    rescale(spec, Units(LENGTH, MASS_KG / RAT_KG), Units(1.0, 1.0))
    spec.option.gravity = [0, 0, -9.81]
    for actuator in spec.actuators:
        if actuator.name.startswith(_LEG):
            joint = spec.joint(actuator.name)
            for values in (actuator.gainprm, actuator.biasprm, actuator.forcerange, joint.damping):
                values *= LEG_STRENGTH
            joint.damping *= LEG_DAMPING
    stronger = 1 / LENGTH**2  # `rescale` keeps seconds and takes torques by mass * length^2: here they go by mass
    for thing in (*spec.joints, *spec.tendons):
        thing.stiffness *= stronger
        thing.damping *= stronger * TIME
    for joint in spec.joints:
        joint.solref_limit[0] *= TIME
    for actuator in spec.actuators:
        actuator.gainprm[:3] *= stronger
        actuator.biasprm[:3] *= stronger
        actuator.forcerange *= stronger
        actuator.dynprm[0] *= TIME
    for geom in spec.geoms:
        geom.solref[0] *= TIME
    spec.worldbody.bodies[0].add_freejoint(name="root")
    mass = spec.copy().compile().body_mass.sum()
    for geom in spec.geoms:
        geom.density *= MASS_KG / mass
    return spec


def _weld(spec: mujoco.MjSpec) -> None:
    for actuator in list(spec.actuators):
        if actuator.name.startswith(_WELDED_MOTORS):
            spec.delete(actuator)
    for tendon in list(spec.tendons):
        if tendon.name.startswith(_WELDED_MOTORS):
            spec.delete(tendon)
    for joint in list(spec.joints):
        if joint.name.startswith(_WELDED) and not joint.name.startswith(_NECK):
            if half := STANCE.get(joint.name, 0.0) / 2:
                axis = np.asarray(joint.axis) / np.linalg.norm(joint.axis)
                joint.parent.quat = [math.cos(half), *(math.sin(half) * axis)]
            spec.delete(joint)


@functools.lru_cache(maxsize=2)
def _names(welded: bool) -> tuple[tuple[str, ...], tuple[str, ...], Array]:
    """(hinges, servos, (n, 2) angle of each servo's own coordinate at commands -1 and 1)."""
    spec = _shrunk(welded)
    hinges = tuple(j.name for j in spec.joints if j.type == mujoco.mjtJoint.mjJNT_HINGE)
    ends = [[(a.biasprm[0] + s * a.gainprm[0]) / -a.biasprm[1] for s in (-1, 1)] for a in spec.actuators]
    return hinges, tuple(a.name for a in spec.actuators), np.array(ends)


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
        joints, servos, ends = _names(self.welded)
        motors = (*servos, "tongue", *(("whisk_L", "whisk_R") if self.whiskers else ()))
        middle, half = np.zeros(len(motors)), np.ones(len(motors))
        middle[: len(servos)], half[: len(servos)] = ends.mean(1), np.ptp(ends, axis=1) / 2
        goal = np.array([STANCE.get(m, 0.0) for m in motors])
        neutral = np.clip((goal - middle) / half, -1, 1)
        for array in (middle, half, neutral):
            array.flags.writeable = False
        senses = _senses(len(joints), len(servos), self.whiskers)
        for name, value in (
            ("motors", motors),
            ("joints", joints),
            ("middle", middle),
            ("half", half),
            ("neutral", neutral),
            ("senses", (*senses, *([_LIGHT] if self.eyes else []))),
        ):
            object.__setattr__(self, name, value)

    # Model

    def spec(self) -> mujoco.MjSpec:
        """The mouse in `units` with its receptors, its cameras, and its floor if it has one."""
        spec = _shrunk(self.welded).copy()
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


def _senses(joints: int, servos: int, whiskers: bool) -> tuple[Sense, ...]:
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


_LIGHT = Sense("luminance", (2, mouse_retina().directions.shape[1]), 0, 1, "1", "light on each pixel: L, R", rest=0.5)


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
        servos = motors[: len(_names(body.welded)[1])]
        first = model.sensor("accelerometer").adr[0]
        free = model.joint("root")
        rods = np.empty((0, 0, 2), int)
        if body.whiskers:
            rods = np.array(
                [[ids("joint", (f"whisker_{w}_{s}", f"whisker_{w}_{s}_up")) for w in WHISKERS] for s in "LR"]
            )
        tongue = model.joint("tongue").id
        others = np.r_[rods.ravel(), tongue]
        senses = _senses(len(body.joints), len(servos), body.whiskers)
        ends = np.cumsum([math.prod(s.shape) for s in senses])
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
            low=np.concatenate([np.full(math.prod(s.shape), s.low) for s in senses]),
            high=np.concatenate([np.full(math.prod(s.shape), s.high) for s in senses]),
            parts=tuple(
                (s.name, slice(int(end) - math.prod(s.shape), int(end)), s.shape)
                for s, end in zip(senses, ends, strict=True)
            ),
            claws=ids("site", [f"paw_{p}" for p in PAWS]),
            paw_geoms=np.array(paws),
            ends=ids("site", ["nose", "tail"]),
            spine=ids("body", ["skull", "vertebra_cervical_5", "torso", "vertebra_1", "vertebra_4", "pelvis"]),
            sight=sight,
        )


BODY = Mouse
