"""What moves a larval fish: muscles on both sides of every joint, servos of eyes and fins, the bladder's lift."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import mujoco

from bestiary.bodies._fish_bound import EYE_RAD
from bestiary.bodies._fish_shape import bending_Nm2

if TYPE_CHECKING:
    from bestiary.bodies.zebrafish import Zebrafish

GRAVITY = 9.81
LEAN = 1.063  # specific gravity without the bladder's gas: Stewart & McHenry 2010
_BLADDER_RANGE = 0.02  # of specific gravity, down or up at full command: assumed
_FIN_LEAN, _FIN_TAU_S = math.radians(25), 0.03  # of a fin's plate from upright, and how soon it is out: assumed


def add_motors(spec: mujoco.MjSpec, body: Zebrafish) -> None:
    """Two muscles at every joint, left and right, that can only pull; servos of eyes and fins; the bladder's lift.

    Torque = EI times the static curvature: a muscle's moment grows with its section and its arm as EI does.
    """
    u, joints = body.units, range(1, body.n_links)
    torque = bending_Nm2(body) * body.muscle_bend / body.length_m / u.torque
    for side, sign in (("L", 1), ("R", -1)):
        for j in joints:
            muscle = spec.add_actuator(
                name=f"M{side}{j:02d}",
                trntype=mujoco.mjtTrn.mjTRN_JOINT,
                target=f"bend{j:02d}",
                dyntype=mujoco.mjtDyn.mjDYN_FILTEREXACT,
                ctrllimited=True,
                ctrlrange=[0, 1],
            )
            muscle.dynprm[0] = body.muscle_tau_s
            muscle.gainprm[0] = sign * torque[j - 1]
    nN_mm = 1e-12 / u.torque
    for side in "LR":
        servo = spec.add_actuator(
            name=f"eye_{side}",
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            target=f"eye_{side}",
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            ctrllimited=True,
            ctrlrange=[-EYE_RAD, EYE_RAD],
        )
        servo.gainprm[0], servo.biasprm[1] = 0.05 * nN_mm, -0.05 * nN_mm
    long = 0.4e-3 * body.length_m / 4e-3
    for side in "LR":
        # a fin that is held out is a plate: it resists motion along its normal, which leans so that it lifts
        fin = spec.add_actuator(
            name=f"fin_{side}",
            trntype=mujoco.mjtTrn.mjTRN_SITE,
            target=f"fin_{side}",
            dyntype=mujoco.mjtDyn.mjDYN_FILTEREXACT,
            gaintype=mujoco.mjtGain.mjGAIN_AFFINE,
            ctrllimited=True,
            ctrlrange=[0, 1],
        )
        fin.gear = [math.cos(_FIN_LEAN), 0, -math.sin(_FIN_LEAN), 0, 0, 0]
        fin.dynprm[0] = _FIN_TAU_S
        fin.gainprm[:3] = 0, 0, -3 * math.pi * body.medium * long / u.drag
    lift = spec.add_actuator(
        name="bladder",
        trntype=mujoco.mjtTrn.mjTRN_SITE,
        target="bladder",
        refsite="water",
        biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        ctrllimited=True,
        ctrlrange=[-1, 1],
    )
    lift.gear = [0, 0, 1, 0, 0, 0]
    weight = body.mass_kg * GRAVITY / u.force
    lift.biasprm[0] = weight * (1 / body.specific_gravity - 1 / LEAN)
    lift.gainprm[0] = weight * _BLADDER_RANGE / body.specific_gravity
