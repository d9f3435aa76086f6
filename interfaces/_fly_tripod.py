"""A scripted tripod walk for the fly: claw paths turned into actions once, by inverse kinematics; no brain, no senses.

It is a yardstick for the body (benches, tests of ground and slope), not a model of the cord.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array

__all__ = ["tripod"]


def tripod(
    body: Any,
    hz: float = 10.0,
    stride_m: float = 1.6e-3,
    lift_m: float = 0.4e-3,
    swing: float = 0.4,
    press_m: float = 0.1e-3,
    lag_s: float = 0.02,
) -> Array:
    """(n, 78) actions of one step cycle at the body's control period, T1L, T2R, T3L against the other three.

    hz: steps a second of each leg. stride_m: way of a claw in stance relative to the thorax, along it. lift_m: height
    of a claw in mid-swing. swing: share of the cycle. press_m: how far below the ground stance aims, which loads the
    legs. lag_s: by which the legs trail their servos' commands; claws let go and hold on so much later.
    Claws are led along their paths in the neutral posture's frame of the thorax by damped least squares.
    """
    period_s = float(body.control_s)
    n = max(8, round(1 / hz / period_s))
    model = body.spec().compile()
    data = mujoco.MjData(model)
    bound = body.bind(model)
    body.place(bound, model, data, np.zeros(3))
    root = data.qpos[bound.root].copy()
    home = data.site_xpos[bound.claws].copy()
    servo = np.array([model.actuator_trntype[i] == mujoco.mjtTrn.mjTRN_JOINT.value for i in range(model.nu)])
    names = [f"{segment}_{side}" for segment in ("T1", "T2", "T3") for side in ("left", "right")]
    legs = [[i for i, m in enumerate(body.motors) if servo[i] and m.endswith(name)] for name in names]
    phase = (np.arange(n)[:, None] / n + np.array([0, 0.5, 0.5, 0, 0, 0.5])) % 1  # stance first
    stance = 1 - swing
    forward = np.where(phase < stance, 0.5 - phase / stance, (phase - stance) / swing - 0.5)
    up = np.where(phase < stance, 0.0, np.sin(np.pi * (phase - stance) / swing))
    unit = body.units.length
    path = np.zeros((n, 6, 3))
    path[..., 0] = forward * stride_m / unit
    path[..., 2] = (up * lift_m - np.where(phase < stance, press_m, 0)) / unit
    jacobian = np.zeros((3, model.nv))
    actions = np.tile(body.neutral, (2 * n, 1))
    for k in range(2 * n):  # the second round starts where the first ended
        for leg, motors in enumerate(legs):
            joints = model.actuator_trnid[motors, 0]
            dofs, places = model.jnt_dofadr[joints], model.jnt_qposadr[joints]
            for _ in range(12):
                mujoco.mj_kinematics(model, data)
                mujoco.mj_comPos(model, data)
                error = home[leg] + path[k % n, leg] - data.site_xpos[bound.claws[leg]]
                if error @ error < 1e-6:
                    break
                mujoco.mj_jacSite(model, data, jacobian, None, bound.claws[leg])
                j = jacobian[:, dofs]
                # pulled softly to the neutral angles, so that the cycle closes
                away = bound.rest[places - bound.root[-1] - 1] - data.qpos[places]
                step = j.T @ np.linalg.solve(j @ j.T + 1e-3 * np.eye(3), error - j @ (0.05 * away)) + 0.05 * away
                data.qpos[places] = np.clip(data.qpos[places] + step, *model.jnt_range[joints].T)
            # the command that holds this angle against the joint's own spring
            gain = -model.actuator_biasprm[motors, 1]
            spring = np.ravel(model.jnt_stiffness[joints]).reshape(len(joints), -1)[:, 0]
            angle = data.qpos[places] + spring / gain * (data.qpos[places] - model.qpos_spring[places])
            actions[k, motors] = np.clip((angle - body.middle[motors]) / body.half[motors], -1, 1)
        data.qpos[bound.root] = root
        late = (k - round(lag_s / period_s)) % n
        for leg, name in enumerate(names):
            actions[k, body.motors.index(f"adhere_claw_{name}")] = float(phase[late, leg] < stance)
    return actions[n:]
