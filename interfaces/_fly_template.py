"""The fly's step template: where a foot goes, and tables that turn places of feet into joint angles, for one body.

It says where a foot goes, never when. The tables are inverse kinematics, made once for a body.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array
from bestiary.bodies.fly import LEGS
from bestiary.interfaces._fly_postures import grooming_ways, jump_pose, moved_feet
from bestiary.interfaces._limb import Limb

JOINTS = ("coxa_abduct", "coxa_twist", "coxa", "femur_twist", "femur", "tibia", "tarsus")  # of a leg, in this order
NEUTRAL_MM = {"T1": (0.87, 0.88), "T2": (-0.05, 1.60), "T3": (-1.35, 1.06)}  # middle of a stance, thorax frame, left
# Height of the middle of a claw against the thorax, for a body that walks pitched up by 8 degrees, front legs far down
STANCE_MM = {"T1": -1.38, "T2": -1.33, "T3": -1.29}
ABDOMEN_RAD = 0.4  # of a fly on its legs
GRID_MM = (np.linspace(-1.5, 1.5, 13), np.linspace(-0.75, 0.75, 7), np.linspace(-0.4, 1.0, 8))  # about the neutral foot


@dataclass(frozen=True)
class Template:
    """Tables that turn foot positions into actions, for one body."""

    legs: tuple[Limb, ...]
    table: Array  # (6, nx, ny, nz, 7) rad
    origin: Array  # (6, 3) mm, the neutral foot of each leg in the thorax frame
    low: Array  # (3,) mm, first grid point about the origin
    step: Array  # (3,) mm
    worst_mm: float  # largest miss of the table inside a walking step
    centre: Array  # (n_motors,) of each servo: the angle of action 0
    half: Array  # (n_motors,) rad per unit of action
    neutral: Array  # (n_motors,) the action of standing still
    ways: Array  # (5, CYCLE, 6, 7) rad: grooming programs
    users: Array  # (5, 6) which legs a program takes
    holds: Array  # (5, n_motors) what it adds to the commands of other motors, rad
    leans: Array  # (5,) mm
    kick: Array  # (6, 7) rad: legs as a jump stretches them
    tuck: Array  # (6, 7) rad: legs drawn up in flight
    lead_s: Array  # (n_motors,) time constant of each servo with its joint's damping
    delay_s: Array  # (n_motors,) time constant of each motor's activation
    spring: Array  # (n_motors,) stiffness of the joint as a share of the servo's
    rest_rad: Array  # (n_motors,) where that spring rests
    where: Array  # (6, 8) motors of each leg: its seven joints and the claw's adhesion
    motors: Mapping[str, int] = field(repr=False)

    @classmethod
    def of(cls, body: Any) -> Template:
        """For `bestiary.bodies.fly.Fly`, or a body with the same names; solved once for equal bodies."""
        return _template(body)


@functools.lru_cache(4)
def _template(body: Any) -> Template:
    model = body.spec().compile()
    mm = 1e-3 / body.units.length  # model units per mm
    motors = {name: i for i, name in enumerate(body.motors)}
    legs, tables, worst = [], [], 0.0
    grid = np.stack(np.meshgrid(*GRID_MM, indexing="ij"), -1)
    origin = np.zeros((6, 3))
    for i, leg in enumerate(LEGS):
        chain = Limb.of(model, [f"{j}_{side(leg)}" for j in JOINTS], f"claw_{side(leg)}", "thorax", damping=1e-3)
        x, y = NEUTRAL_MM[leg[:2]]
        origin[i] = x, y * (1 if leg[2] == "L" else -1), STANCE_MM[leg[:2]]
        rest = chain.solve(origin[i : i + 1] * mm, np.zeros(7))
        angle = np.zeros((*grid.shape[:3], 7))
        ground = int(np.abs(GRID_MM[2]).argmin())
        for level in (*range(ground, len(GRID_MM[2])), *range(ground - 1, -1, -1)):  # each from the one next to it
            target = (origin[i] + grid[:, :, level].reshape(-1, 3)) * mm
            near = level - np.sign(level - ground)
            start = rest[0] if level == ground else angle[:, :, near].reshape(-1, 7)
            found = chain.solve(target, start, rest[0], 30 if level == ground else 10)
            angle[:, :, level] = found.reshape(*grid.shape[:2], 7)
            miss = np.linalg.norm(chain.forward(found)[0] - target, axis=1).reshape(grid.shape[:2]) / mm
            if abs(GRID_MM[2][level]) < 0.3:
                worst = max(worst, float(miss[2:-2, 2:-2].max()))
        legs.append(chain)
        tables.append(angle)
    ways, users, holds, leans = grooming_ways(legs, tables, origin, body, mm)
    n = model.nu
    kp = np.where(model.actuator_biasprm[:, 1] < 0, model.actuator_gainprm[:, 0], 0.0)
    lead, delay, spring, rest_rad = np.zeros((4, n))
    for a in range(n):
        if kp[a] > 0 and model.actuator_trntype[a] == mujoco.mjtTrn.mjTRN_JOINT:
            j = model.actuator_trnid[a, 0]
            lead[a] = model.dof_damping[model.jnt_dofadr[j]] / kp[a]
            spring[a] = model.jnt_stiffness[j] / kp[a]
            rest_rad[a] = model.qpos_spring[model.jnt_qposadr[j]]
        if model.actuator_dyntype[a] != mujoco.mjtDyn.mjDYN_NONE:
            delay[a] = model.actuator_dynprm[a, 0]
    return Template(
        legs=tuple(legs),
        table=np.ascontiguousarray(tables, dtype=np.float64),
        origin=origin,
        low=np.array([g[0] for g in GRID_MM]),
        step=np.array([g[1] - g[0] for g in GRID_MM]),
        worst_mm=worst,
        centre=body.middle,
        half=body.half,
        neutral=_standing(body),
        ways=ways,
        users=users,
        holds=holds,
        leans=leans,
        kick=jump_pose(
            legs, moved_feet(legs, tables, origin, mm, {"T1": (0, 0, 0.5), "T2": (0, 0, 0), "T3": (0, 0, 0)})
        ),
        tuck=moved_feet(
            legs, tables, origin, mm, {"T1": (0.0, -0.3, 0.7), "T2": (-0.3, -0.3, 0.6), "T3": (-0.3, -0.2, 0.7)}
        ),
        lead_s=lead,
        delay_s=delay,
        spring=spring,
        rest_rad=rest_rad,
        where=np.array([[motors[f"{j}_{side(leg)}"] for j in (*JOINTS, "adhere_claw")] for leg in LEGS]),
        motors=motors,
    )


def _standing(body: Any) -> Array:
    """(n_motors,) the body's own standing action, the abdomen raised to the line of the thorax."""
    out = np.array(body.neutral)
    at = body.motors.index("abdomen")
    out[at] = (ABDOMEN_RAD - body.middle[at]) / body.half[at]
    return out


def side(leg: str) -> str:
    """`T1L` -> `T1_left`, as in the body's names."""
    return f"{leg[:2]}_{'left' if leg[2] == 'L' else 'right'}"
