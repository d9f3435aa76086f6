"""A model from one unit system into another: every dimensional number of an MjSpec, in place."""

from __future__ import annotations

import mujoco
import numpy as np

from bestiary.bodies._base import Units

__all__ = ["rescale"]


def rescale(spec: mujoco.MjSpec, old: Units, new: Units) -> None:
    """Turns a spec whose numbers are in `old` units into one of the same thing in `new` units; time stays in seconds.

    Hinges and ball joints, free joints, sites, meshes, cameras, lights, contacts, fluid, adhesion, fixed tendons over
    hinges and actuators on them. Raises ValueError for what it does not know how to rescale.
    """
    length, mass = old.length / new.length, old.mass / new.mass
    torque, force = mass * length**2, mass * length
    for body in spec.bodies[1:]:
        body.pos *= length
        if body.explicitinertial:
            body.mass *= mass
            body.ipos *= length
            body.inertia *= torque
            body.fullinertia *= torque
    for geom in spec.geoms:
        for values in (geom.pos, geom.fromto, geom.size):
            values *= length
        geom.mass *= mass
        geom.density *= mass / length**3
        geom.friction[1:] *= length
        geom.solimp[2] *= length
        geom.margin *= length
        geom.gap *= length
    for site in spec.sites:
        for values in (site.pos, site.fromto, site.size):
            values *= length
    for mesh in spec.meshes:
        mesh.scale *= length
        mesh.refpos *= length
    for thing in (*spec.cameras, *spec.lights):
        thing.pos *= length
    for light in spec.lights:
        light.range *= length
        light.bulbradius *= length
    for joint in spec.joints:
        joint.pos *= length
        if joint.type == mujoco.mjtJoint.mjJNT_SLIDE:
            raise ValueError(f"a slide joint cannot be rescaled yet: {joint.name}")
        if joint.type == mujoco.mjtJoint.mjJNT_FREE and (joint.armature or np.any(joint.damping)):
            raise ValueError(f"a free joint with armature or damping mixes units: {joint.name}")
        joint.stiffness *= torque
        joint.damping *= torque
        joint.armature *= torque
        joint.frictionloss *= torque
        joint.actfrcrange *= torque
    for tendon in spec.tendons:  # fixed: their length is an angle
        tendon.stiffness *= torque
        tendon.damping *= torque
        tendon.armature *= torque
        tendon.frictionloss *= torque
    strength = {
        mujoco.mjtTrn.mjTRN_JOINT: torque,
        mujoco.mjtTrn.mjTRN_TENDON: torque,
        mujoco.mjtTrn.mjTRN_BODY: force,
    }
    for actuator in spec.actuators:
        if actuator.trntype not in strength:
            raise ValueError(f"an actuator on {actuator.trntype} cannot be rescaled yet: {actuator.name}")
        by = strength[actuator.trntype]
        actuator.gainprm[:3] *= by
        actuator.biasprm[:3] *= by
        actuator.forcerange *= by
    option = spec.option
    option.gravity = option.gravity * length
    option.wind = option.wind * length
    option.density *= mass / length**3
    option.viscosity *= mass / length
    spec.stat.meansize *= length
    spec.stat.extent *= length
    spec.stat.center *= length
    spec.visual.map.force /= force / length  # drawn metres per newton
