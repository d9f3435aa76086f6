"""What tasks share: a random start, the account of motion and heading, and the check of their numbers."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body


def start_at_random(
    body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
) -> dict[str, Any]:
    """Puts the body at the origin, heading drawn from the whole circle; returns the account for `advance`."""
    return start_at(body, bound, model, data, np.zeros(3), float(rng.uniform(-np.pi, np.pi)))


def start_at(
    body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, position_m: Array, heading_rad: float
) -> dict[str, Any]:
    """Puts the body somewhere; returns the account for `advance`."""
    body.place(bound, model, data, position_m, heading_rad)
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    return account(body.pose(bound, data)["com_m"].copy(), body.length_m)


def account(com_m: Array, length_m: float) -> dict[str, Any]:
    """The account for `advance` of a body whose centre of mass starts at com_m (3,)."""
    return {"start_m": com_m, "com_m": com_m, "time_s": 0.0, "forward_m": 0.0, "length_m": length_m}


def advance(state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, dict[str, float]]:
    """(metres gone forward since the last call, info). Forward is along the axis from tail to head.

    info: forward_m (sum over the episode, backing counts negative), speed_m_per_s (signed), distance_m (from the
    start, straight).
    """
    axis = pose["midline_m"][0] - pose["midline_m"][-1]
    length = math.sqrt(_dot(axis, axis))
    step_m = float(_dot(pose["com_m"] - state["com_m"], axis)) / length if length > 0 else 0.0
    period_s = time_s - state["time_s"]
    state["forward_m"] += step_m
    state["com_m"], state["time_s"] = pose["com_m"].copy(), time_s
    away = state["com_m"] - state["start_m"]
    return step_m, {
        "forward_m": state["forward_m"],
        "speed_m_per_s": step_m / period_s if period_s > 0 else 0.0,
        "distance_m": math.sqrt(_dot(away, away)),
    }


def advance_many(states: list[dict[str, Any]], pose: dict[str, Array], time_s: Array) -> tuple[Array, dict[str, Array]]:
    """`advance` of many episodes, bit for bit: arrays of a pose, times (n,) and answers have a leading axis."""
    before, start, then, gone = (np.array([s[k] for s in states]) for k in ("com_m", "start_m", "time_s", "forward_m"))
    com = pose["com_m"]
    axis = pose["midline_m"][:, 0] - pose["midline_m"][:, -1]
    length = np.sqrt(_dot(axis, axis))
    zero = np.zeros(len(states))
    step_m = np.divide(_dot(com - before, axis), length, out=zero.copy(), where=length > 0)
    period_s = time_s - then
    gone = gone + step_m
    for state, c, t, g in zip(states, com, time_s.tolist(), gone.tolist(), strict=True):
        state["com_m"], state["time_s"], state["forward_m"] = c, t, g
    away = com - start
    speed = np.divide(step_m, period_s, out=zero, where=period_s > 0)
    return step_m, {"forward_m": gone, "speed_m_per_s": speed, "distance_m": np.sqrt(_dot(away, away))}


def _dot(a: Array, b: Array) -> Any:
    """Of places (..., 3), in one order of sums whatever the number of them."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def heading_rad(pose: dict[str, Array]) -> float:
    """Where a body points in the plane: its own account, else the axis from tail to head; + is to the left."""
    if "heading_rad" in pose:
        return float(pose["heading_rad"])
    axis = pose["midline_m"][0] - pose["midline_m"][-1]
    return math.atan2(axis[1], axis[0])


def wrapped(angle_rad: float) -> float:
    """The same angle from -pi to pi."""
    return (angle_rad + math.pi) % (2 * math.pi) - math.pi


def check_positive(task: Any, *names: str) -> None:
    """Raises ValueError naming the first field of the task that is no number, and of `names` the first that is not
    above 0 or, `seconds` apart, not finite."""
    for field in fields(task):
        if isinstance(value := getattr(task, field.name), float) and math.isnan(value):
            raise ValueError(f"{type(task).__name__}: {field.name} is not a number (NaN)")
    for name in names:
        value = getattr(task, name)
        if not value > 0 or (math.isinf(value) and name != "seconds"):
            raise ValueError(f"{type(task).__name__}: {name} must be above 0 and finite, got {value}")


def check_contrast(task: Any) -> None:
    """Raises ValueError where a grating of `contrast` about `mean` is darker than black or brighter than white."""
    if not (0 <= task.contrast <= 1 and task.mean > 0 and task.mean * (1 + task.contrast) <= 1 + 1e-9):
        raise ValueError(
            f"{type(task).__name__}: needs 0 <= contrast <= 1 and mean * (1 + contrast) <= 1, got {task.contrast}, "
            f"{task.mean}"
        )


def check_pictures(task: Any, body: Body) -> None:
    """Raises ValueError where a grating moves faster than the body's control periods can show."""
    fastest = 0.5 / float(body.control_s)
    if task.temporal_Hz > fastest:
        raise ValueError(
            f"{type(task).__name__}: a control period of {body.control_s} s shows at most {fastest:g} periods a "
            f"second, two pictures each; got temporal_Hz={task.temporal_Hz:g}"
        )
