"""dm_control's rodent (a rat of 338 g, Merel 2020 ICLR) shrunk to a mouse of 25 g by stated laws.

Laws, with m the ratio of the masses, 0.074: lengths by m^(1/3) = 0.42 (geometric similarity), times by the root of
that (the same Froude number at the same gravity); torques and stiffness by m, as a muscle's force goes with its
cross-section and its arm with length, so a mouse is stronger for its weight than a rat; damping by m * time, inertia
and armature by m * length^2, contact and muscle time constants by time.

Rats and mice differ in proportion: the trunk is lengthened by 1.19 (TRUNK), to 59 mm from skull to tail base as it
stands, 68 mm along its arch; the measured mouse skeleton (talmolab/stac-mjx, 67 mm at 33 g) has 61 mm at 25 g. Limbs
stay, as their sum in mouse motion capture (hip to heel 31 mm) is that of the shrunk rat. Some 80 of the rat's 338 g are
moved from the pelvis to the chest, so that the forepaws bear more than a third of the weight (40 % in mice, memory).
Tuned: strength of the legs, damping of the hips, ranges of some joints, torque of the spine.
"""

from __future__ import annotations

import functools
import math

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Units
from bestiary.bodies._rescale import rescale
from bestiary.bodies._walker import model_file

MASS_KG, RAT_KG = 0.025, 0.33778242
LENGTH = (MASS_KG / RAT_KG) ** (1 / 3)
TIME = math.sqrt(LENGTH)
TRUNK = 1.19
_TRUNK = ("torso", "pelvis", *(f"vertebra_{i}" for i in range(1, 7)), *(f"vertebra_cervical_{i}" for i in range(1, 6)))
_TAIL = {"vertebra_C1": 0.45, "vertebra_C6": 0.2, "vertebra_C10": -0.3}  # rad, about y: the tip goes up
_WEIGHT = {"collision_torso": 2.4, **{f"collision_pelvis_{p}": 0.43 for p in ("L", "R", "gut")}}
_ARMATURE = 1e-5  # kg m^2 of the rat: leg joints, as its hips; without it paws rattle at 2 ms
_SPINE_NM = 1.0  # N m of the rat
LEG_STRENGTH = 0.614  # of the scaled rat's, tuned with the gaits: stiffer mice bounce
LEG_DAMPING = 1.02  # of its time constant, likewise
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


@functools.lru_cache(maxsize=2)
def shrunk(welded: bool) -> mujoco.MjSpec:
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
def names(welded: bool) -> tuple[tuple[str, ...], tuple[str, ...], Array]:
    """(hinges, servos, (n, 2) angle of each servo's own coordinate at commands -1 and 1)."""
    spec = shrunk(welded)
    hinges = tuple(j.name for j in spec.joints if j.type == mujoco.mjtJoint.mjJNT_HINGE)
    ends = [[(a.biasprm[0] + s * a.gainprm[0]) / -a.biasprm[1] for s in (-1, 1)] for a in spec.actuators]
    return hinges, tuple(a.name for a in spec.actuators), np.array(ends)
