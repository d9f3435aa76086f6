"""From the units of the fly's cord to its 78 motors: a declared step template and postures, solved on the body's legs.

The template says where a foot goes, never when: planted feet move back together as a rigid body would over the ground
(a twist of forward speed and turning), a lifted foot flies in an arc to where its next stance should begin. Joint
angles come from a table of inverse kinematics, made once for a body.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mujoco
import numba
import numpy as np

from bestiary.bodies._base import Array

LEGS = ("T1L", "T1R", "T2L", "T2R", "T3L", "T3R")
JOINTS = ("coxa_abduct", "coxa_twist", "coxa", "femur_twist", "femur", "tibia", "tarsus")  # of a leg, in this order
NEUTRAL_MM = {"T1": (0.90, 0.88), "T2": (-0.05, 1.60), "T3": (-1.35, 1.06)}  # middle of a stance, thorax frame, left
# Height of the middle of a claw against the thorax: as the model stands, and so much lower as the leg gives way
STANCE_MM = {"T1": -1.26, "T2": -1.28, "T3": -1.36}
LIFT = {"T1": 0.9, "T2": 1.0, "T3": 1.3}  # of the arc of a swing, relative: hind legs lag behind their commands most
GRID_MM = (np.linspace(-1.5, 1.5, 13), np.linspace(-0.75, 0.75, 7), np.linspace(-0.4, 1.0, 8))  # about the neutral foot


@dataclass(frozen=True)
class Leg:
    """The chain of hinges from the thorax to the middle of one claw, for many postures at a time."""

    links: tuple[tuple[Array, Array, tuple[tuple[Array, int], ...]], ...]  # offset (3,), turn (3, 3), (axis, joint)
    tip: Array  # (3,) in the last link
    low: Array  # (7,) joint limits, rad
    high: Array

    @classmethod
    def of(cls, model: mujoco.MjModel, leg: str, tip: str = "claw") -> Leg:
        """leg: `T1_left`. tip: the site at its end, `claw` or `tarsus`. Lengths in the model's unit."""
        number = {f"{j}_{leg}": i for i, j in enumerate(JOINTS)}
        site = model.site(f"{tip}_{leg}")
        links, body = [], int(site.bodyid[0])
        while model.body(body).name != "thorax":
            joints = []
            for j in range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body]):
                if (name := model.joint(j).name) in number:
                    joints.append((model.jnt_axis[j].copy(), number[name]))
            turn = np.zeros(9)
            mujoco.mju_quat2Mat(turn, model.body_quat[body])
            links.append((model.body_pos[body].copy(), turn.reshape(3, 3), tuple(joints)))
            body = int(model.body_parentid[body])
        limits = np.array([model.jnt_range[model.joint(f"{j}_{leg}").id] for j in JOINTS])
        return cls(tuple(reversed(links)), site.pos.copy(), limits[:, 0] + 0.02, limits[:, 1] - 0.02)

    def forward(self, angle: Array) -> tuple[Array, Array]:
        """Tip (n, 3) in the thorax frame and its Jacobian (n, 3, 7), from joint angles (n, 7) rad."""
        n = len(angle)
        place, turn = np.zeros((n, 3)), np.broadcast_to(np.eye(3), (n, 3, 3))
        axes, anchors = np.zeros((7, n, 3)), np.zeros((7, n, 3))
        for offset, fixed, joints in self.links:
            place = place + turn @ offset
            turn = turn @ fixed
            for axis, j in joints:
                axes[j], anchors[j] = turn @ axis, place
                turn = turn @ _rotation(axis, angle[:, j])
        tip = place + turn @ self.tip
        return tip, np.cross(axes, tip - anchors).transpose(1, 2, 0)

    def solve(self, target: Array, start: Array, rest: Array | None = None, steps: int = 30) -> Array:
        """Joint angles (n, 7) that bring the tip to target (n, 3), else as near as the limits allow.

        Damped least squares; what the target leaves free stays near `rest` (7,).
        """
        angle = np.array(np.broadcast_to(start, (len(target), 7)), float)
        rest = np.asarray(start if rest is None else rest)
        reach = np.abs(self.tip).max() + sum(np.abs(o).max() for o, _, _ in self.links)
        for _ in range(steps):
            tip, jacobian = self.forward(angle)
            error, home, free = target - tip, 0.2 * (rest - angle), np.ones_like(angle)
            for _ in range(3):  # joints that would leave their range stand still, the others take over
                able = jacobian * free[:, None]
                square = able @ able.transpose(0, 2, 1) + (1e-3 * reach) ** 2 * np.eye(3)
                back = np.linalg.solve(square, able).transpose(0, 2, 1)
                wish = home * free
                step = (back @ (error - (able @ wish[..., None])[..., 0])[..., None])[..., 0] + wish
                step = np.clip(step, -0.3, 0.3)
                free = free * ~(((angle <= self.low) & (step < 0)) | ((angle >= self.high) & (step > 0)))
            angle = np.clip(angle + step * free, self.low, self.high)
        return angle


def _rotation(axis: Array, angle: Array) -> Array:
    """(n, 3, 3) rotations about one unit axis (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.asarray(np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross))


@dataclass(frozen=True)
class Template:
    """Tables that turn foot positions into actions, for one body."""

    legs: tuple[Leg, ...]
    table: Array  # (6, nx, ny, nz, 7) rad
    origin: Array  # (6, 3) mm, the neutral foot of each leg in the thorax frame
    low: Array  # (3,) mm, first grid point about the origin
    step: Array  # (3,) mm
    worst_mm: float  # largest miss of the table inside a walking step
    centre: Array  # (n_motors,) of each servo: the angle of action 0
    half: Array  # (n_motors,) rad per unit of action
    neutral: Array  # (n_motors,) the action of standing still
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
        chain = Leg.of(model, _side(leg))
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
        neutral=body.neutral,
        lead_s=lead,
        delay_s=delay,
        spring=spring,
        rest_rad=rest_rad,
        where=np.array([[motors[f"{j}_{_side(leg)}"] for j in (*JOINTS, "adhere_claw")] for leg in LEGS]),
        motors=motors,
    )


def _side(leg: str) -> str:
    """`T1L` -> `T1_left`, as in the body's names."""
    return f"{leg[:2]}_{'left' if leg[2] == 'L' else 'right'}"


class Motor:
    """Rates of the cord's units to the action. State: where each foot is told to be, and what was told before.

    period_s: of control. speed_mm_s_per_Hz: of the side's `fore` and `back` units. lift_mm: height of a swing's arc.
    half_track_mm: half the distance between the sides, by which their difference in speed becomes a turn.
    swing_s: time of a whole arc at a rate of 100 Hz. stance (rate, share): the template's own idea of how long a
    stance lasts, 1 / (rate + share * speed), by which a swing knows how far ahead to put the foot.
    """

    def __init__(
        self,
        template: Template,
        period_s: float,
        *,
        speed_mm_s_per_Hz: float = 0.4,
        lift_mm: float = 0.6,
        half_track_mm: float = 1.2,
        swing_s: float = 0.034,
        stance: tuple[float, float] = (2.6, 0.48),
        adhesion: bool = True,
    ) -> None:
        self.template = template
        self.period_s = period_s
        self._speed = speed_mm_s_per_Hz
        # what share of the way to a command an activation goes in one period
        self._share = np.where(template.delay_s > 0, -np.expm1(-period_s / np.maximum(template.delay_s, 1e-9)), 1.0)
        self._heights = np.array([LIFT[leg[:2]] for leg in LEGS])
        self._numbers = np.array([period_s, lift_mm, half_track_mm, swing_s, *stance, float(adhesion)])

    def init(self) -> dict[str, Array]:
        """Standing: every foot at the middle of its stance."""
        t = self.template
        feet = t.origin.copy()
        told = np.zeros((6, 7))
        for i in range(6):
            told[i] = _look(t.table[i], t.low, t.step, np.zeros(3))
        state = {"feet": feet, "lifted": feet[:, :2].copy(), "arc": np.full(6, -1.0), "told": told}
        state["action"] = t.neutral.copy()
        state["active"] = t.centre + t.half * t.neutral
        state["active"][t.where[:, :7]] = told + t.spring[t.where[:, :7]] * (told - t.rest_rad[t.where[:, :7]])
        self.advance(state, np.zeros(6), np.zeros(6), np.zeros(2))
        return state

    def advance(self, state: dict[str, Array], swing_Hz: Array, contact_Hz: Array, side_Hz: Array) -> None:
        """One control period, in place. swing_Hz, contact_Hz (6,); side_Hz (2,) left and right, backward negative."""
        t = self.template
        _limbs(
            state["feet"],
            state["lifted"],
            state["arc"],
            state["told"],
            state["action"],
            state["active"],
            swing_Hz,
            contact_Hz,
            side_Hz * self._speed,
            t.table,
            t.origin,
            t.low,
            t.step,
            t.where,
            t.centre,
            t.half,
            t.lead_s,
            t.spring,
            t.rest_rad,
            self._share,
            self._heights,
            self._numbers,
        )


@numba.njit(cache=True, nogil=True)
def _look(table: Array, low: Array, step: Array, at: Array) -> Array:
    """Trilinear look-up (7,) in a table (nx, ny, nz, 7), held at its edges."""
    base = np.zeros(3, np.int64)
    part = np.zeros(3)
    for k in range(3):
        x = (at[k] - low[k]) / step[k]
        x = min(max(x, 0.0), table.shape[k] - 1.000001)
        base[k] = int(x)
        part[k] = x - base[k]
    out = np.zeros(table.shape[3])
    for a in range(2):
        for b in range(2):
            for c in range(2):
                w = (part[0] if a else 1 - part[0]) * (part[1] if b else 1 - part[1]) * (part[2] if c else 1 - part[2])
                row = table[base[0] + a, base[1] + b, base[2] + c]
                for j in range(out.size):
                    out[j] += w * row[j]
    return out


@numba.njit(cache=True, nogil=True)
def _limbs(  # type: ignore[no-untyped-def]
    feet,
    lifted,
    arc,
    told,
    action,
    active,
    swing_Hz,
    contact_Hz,
    side_mm_s,
    table,
    origin,
    low,
    step,
    where,
    centre,
    half,
    lead_s,
    spring,
    rest_rad,
    share,
    heights,
    numbers,
):
    dt, lift, track, swing_s, stance_base, stance_share, adhesion = numbers
    ahead = (side_mm_s[0] + side_mm_s[1]) / 2
    turn = (side_mm_s[1] - side_mm_s[0]) / (2 * track)  # rad/s, to the left
    pace = (abs(side_mm_s[0]) + abs(side_mm_s[1])) / 2
    reach = 0.5 / (stance_base + stance_share * pace)  # s, half a stance
    at = np.zeros(3)
    for i in range(6):
        vx, vy = ahead - turn * origin[i, 1], turn * origin[i, 0]  # the ground's speed under this foot, reversed
        if swing_Hz[i] > 0:
            if arc[i] < 0:
                arc[i] = 0.0
                lifted[i] = feet[i, :2]
            arc[i] = min(arc[i] + dt / swing_s * swing_Hz[i] / 100, 1.0)
            s = arc[i] * arc[i] * (3 - 2 * arc[i])
            feet[i, 0] = lifted[i, 0] + (origin[i, 0] + vx * reach - lifted[i, 0]) * s
            feet[i, 1] = lifted[i, 1] + (origin[i, 1] + vy * reach - lifted[i, 1]) * s
            feet[i, 2] = origin[i, 2] + lift * heights[i] * np.sin(np.pi * arc[i]) ** 2
        else:
            arc[i] = -1.0
            x, y = feet[i, 0], feet[i, 1]
            feet[i, 0] = min(max(x - dt * (ahead - turn * y), origin[i, 0] - 1.4), origin[i, 0] + 1.4)
            feet[i, 1] = min(max(y - dt * turn * x, origin[i, 1] - 0.7), origin[i, 1] + 0.7)
            feet[i, 2] += (origin[i, 2] - feet[i, 2]) * 0.5
        for k in range(3):
            at[k] = feet[i, k] - origin[i, k]
        angle = _look(table[i], low, step, at)
        for j in range(7):
            m = where[i, j]
            target = angle[j] + (angle[j] - told[i, j]) / dt * lead_s[m] + spring[m] * (angle[j] - rest_rad[m])
            command = active[m] + (target - active[m]) / share[m]
            command = min(max(command, centre[m] - half[m]), centre[m] + half[m])
            active[m] += (command - active[m]) * share[m]
            action[m] = (command - centre[m]) / half[m]
            told[i, j] = angle[j]
        action[where[i, 7]] = adhesion if arc[i] < 0 or arc[i] > 0.85 else 0.0


class Proprioception:
    """What the legs feel, as drive of named units of the cord.

    load: 10 mV for the whole weight on one leg; contact: 10 mV for a claw that touches; behind: 5 mV with the foot in
    the middle of its stance, 10 mV 1 mm behind it, from the joint angles (a linear read-out of the step template).
    """

    def __init__(self, body: Any, template: Template, units: Sequence[str], weight_N: float = 8.7e-6) -> None:
        row = {name: i for i, name in enumerate(units)}
        self._size, self._weight = len(units), weight_N
        self._load = np.array([row[f"load_{leg}"] for leg in LEGS])
        self._contact = np.array([row[f"contact_{leg}"] for leg in LEGS])
        self._behind = np.array([row[f"behind_{leg}"] for leg in LEGS])
        self._joints = np.array([[body.joints.index(f"{j}_{_side(leg)}") for j in JOINTS] for leg in LEGS])
        ahead = np.repeat(GRID_MM[0], len(GRID_MM[1]) * len(GRID_MM[2]))
        self._fit = np.zeros((6, 8))
        for i in range(6):
            angle = template.table[i].reshape(-1, 7)
            self._fit[i] = np.linalg.lstsq(np.c_[angle, np.ones(len(angle))], ahead, rcond=None)[0]

    def encode(self, obs: Mapping[str, Array]) -> Array:
        """Drive (n,) mV of the cord's units from an observation of the body."""
        drive = np.zeros(self._size, np.float32)
        drive[self._load] = 10 / self._weight * obs["leg_load_N"]
        drive[self._contact] = 10.0 * (obs["claw_contact_N"] > 1e-8)
        ahead = (self._fit[:, :7] * obs["joint_rad"][self._joints]).sum(1) + self._fit[:, 7]
        drive[self._behind] = np.clip(5 - 5 * ahead, 0, 15)
        return drive
