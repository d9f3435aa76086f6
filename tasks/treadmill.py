"""Keep pace: a belt that moves backward, or one that the feet can push."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import floor_of, level, lit_grid
from bestiary.tasks._motion import account, advance, check_positive
from bestiary.tasks._walls import clamp, contact_of, hold_head

_WRAP_M = 0.5  # the belt is put back by so much, which nothing on it can tell


@dataclass(frozen=True)
class Treadmill:
    """A start on a belt, heading against its motion. Reward: for keeping place, 1 - |way from the start| in body
    lengths, at least 0; with the head held: body lengths that the belt is moved under the animal.

    seconds: length of the episode. belt_m_per_s: speed of the belt toward -x, from from_s on, reached at ramp_m_per_s2;
    None: it moves as the feet push it, with mass belt_kg. head_fixed: the head is held by a bar.
    info: belt_m_per_s, run_m (way over the belt, + forward), off_m (from the start, in the room, + forward), forward_m,
    speed_m_per_s (both in the room), distance_m.
    """

    seconds: float = 20.0
    belt_m_per_s: float | None = 0.1
    from_s: float = 0.0
    ramp_m_per_s2: float = 1.0
    belt_kg: float = 0.03
    head_fixed: bool = False
    fall_ends: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "ramp_m_per_s2", "belt_kg")
        if self.belt_m_per_s is not None and not abs(self.belt_m_per_s) <= 3:
            raise ValueError(f"Treadmill: belt_m_per_s must be from -3 to 3 or None, got {self.belt_m_per_s}")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        contact, unit, z = contact_of(spec), body.units.length, level(body) / body.units.length
        if (floor := floor_of(spec)) is not None:
            spec.delete(floor)
        name = lit_grid(spec, body, 1.0)
        spec.worldbody.add_geom(
            name="ground", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[3 / unit, 3 / unit, 1], pos=[0, 0, z - 0.05 / unit],
            material=name, **contact,
        )  # fmt: skip
        belt = spec.worldbody.add_body(name="belt", pos=[0, 0, z - 0.005 / unit])
        heavy = self.belt_m_per_s is not None
        mass = (100.0 if heavy else self.belt_kg) / body.units.mass
        belt.add_joint(
            name="belt", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[-1, 0, 0], limited=mujoco.mjtLimited.mjLIMITED_FALSE,
            damping=[0, 0, 0], stiffness=[0, 0, 0], armature=0,
        )  # fmt: skip
        belt.add_geom(
            name="belt", type=mujoco.mjtGeom.mjGEOM_BOX, size=[3.0 / unit, 0.06 / unit, 0.005 / unit], mass=mass,
            rgba=[0.25, 0.25, 0.27, 1], **contact,
        )  # fmt: skip
        for i in range(-20, 21):  # marks, for eyes and films
            belt.add_geom(
                name=f"mark{i}", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.004 / unit, 0.06 / unit, 1e-4 / unit],
                pos=[i * 0.05 / unit, 0, 0.005 / unit], mass=0, rgba=[0.75, 0.75, 0.7, 1], contype=0, conaffinity=0,
            )  # fmt: skip
        if self.head_fixed:
            hold_head(spec, body, "Treadmill")

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        body.place(bound, model, data, np.zeros(3), float(rng.uniform(-0.02, 0.02)))
        mujoco.mj_forward(model, data)
        if self.head_fixed:
            clamp(model, data)
        com_m = body.pose(bound, data)["com_m"].copy()
        return {**account(com_m, body.length_m), "belt": 0.0, "gone_m": 0.0, "unit_m": body.units.length}

    def _speed(self, time_s: float) -> float:
        asked = self.belt_m_per_s or 0.0
        most = self.ramp_m_per_s2 * max(time_s - self.from_s, 0.0)
        return math.copysign(min(abs(asked), most), asked)

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        joint = model.joint("belt")
        q, v = int(joint.qposadr[0]), int(joint.dofadr[0])
        if self.belt_m_per_s is not None:
            data.qvel[v] = self._speed(time_s) / state["unit_m"]
        wrap = _WRAP_M / state["unit_m"]
        data.qpos[q] -= wrap * np.trunc(data.qpos[q] / wrap)
        state["belt"] = float(data.qvel[v] * state["unit_m"])

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        before, period_s = state["com_m"], time_s - state["time_s"]
        _, info = advance(state, pose, time_s)
        step_m = state["belt"] * period_s + float(pose["com_m"][0] - before[0])
        state["gone_m"] += step_m
        off = float(pose["com_m"][0] - state["start_m"][0])
        info |= {"belt_m_per_s": state["belt"], "run_m": state["gone_m"], "off_m": off}
        size = state["length_m"]
        return (step_m / size if self.head_fixed else max(1 - abs(off) / size, 0.0)), False, info


TASK = Treadmill
