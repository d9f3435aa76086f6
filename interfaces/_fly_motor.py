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
from bestiary.bodies.fly import LEGS
from bestiary.interfaces._limb import Limb

JOINTS = ("coxa_abduct", "coxa_twist", "coxa", "femur_twist", "femur", "tibia", "tarsus")  # of a leg, in this order
NEUTRAL_MM = {"T1": (0.87, 0.88), "T2": (-0.05, 1.60), "T3": (-1.35, 1.06)}  # middle of a stance, thorax frame, left
# Height of the middle of a claw against the thorax, for a body that walks pitched up by 8 degrees, front legs far down
STANCE_MM = {"T1": -1.38, "T2": -1.33, "T3": -1.29}
LIFT = {"T1": 0.95, "T2": 1.0, "T3": 3.2}  # of the arc of a swing, relative: hind legs lag behind their commands most
# Ways of the claw in grooming, mm in the thorax frame of the left side (x ahead, y left, z up), each gone through
# once a cycle: two sweeps and, where legs can meet, a rub of one against the other. Places are the model's own.
PROGRAMS: dict[str, tuple[str, tuple[tuple[float, float, float], ...], dict[str, float]]] = {
    "groom_eyes": (
        "T1",
        (
            *((0.72, 0.50, 0.22), (0.95, 0.42, 0.05), (1.05, 0.34, -0.20), (1.02, 0.50, -0.30)) * 2,
            *((1.15, 0.06, -0.62), (1.30, 0.03, -0.62), (1.15, 0.06, -0.62), (1.30, 0.03, -0.62)),
        ),
        {"head": -0.25},
    ),
    "groom_antennae": (
        "T1",
        (
            *((0.95, 0.14, 0.06), (1.06, 0.12, -0.18), (1.12, 0.12, -0.42), (1.16, 0.34, -0.25)) * 2,
            *((1.15, 0.06, -0.66), (1.30, 0.03, -0.66), (1.15, 0.06, -0.66), (1.30, 0.03, -0.66)),
        ),
        {"head": -0.4, "antenna": 0.3},
    ),
    "groom_abdomen": (
        "T3",
        (
            *((-0.95, 0.44, 0.02), (-1.35, 0.42, -0.12), (-1.75, 0.30, -0.40), (-1.55, 0.62, -0.40)) * 2,
            *((-1.95, 0.07, -0.85), (-2.15, 0.03, -0.85), (-1.95, 0.07, -0.85), (-2.15, 0.03, -0.85)),
        ),
        {"abdomen": -0.2},
    ),
    "groom_wings": (
        "T3",
        (
            *((-0.75, 0.42, 0.22), (-1.25, 0.40, 0.18), (-1.85, 0.34, 0.02), (-1.45, 0.60, -0.10)) * 2,
            *((-1.95, 0.07, -0.85), (-2.15, 0.03, -0.85), (-1.95, 0.07, -0.85), (-2.15, 0.03, -0.85)),
        ),
        {"abdomen": -0.4},
    ),
    "groom_thorax": (
        "T2",
        ((0.15, 0.42, 0.42), (-0.10, 0.40, 0.46), (-0.35, 0.42, 0.40), (-0.10, 0.65, 0.30)) * 3,
        {},
    ),
}
ABDOMEN_RAD = 0.4  # of a fly on its legs
CYCLE = 48  # steps of a program's table
LEAN_MM = {"T1": -0.05, "T2": 0.0, "T3": 0.35}  # how far ahead the body goes over the legs that stay
LEAN_MM_PER_HZ, CROUCH_MM_PER_HZ = 0.009, 0.006
PRESS_MM = {"T1": 0.2, "T2": 0.07, "T3": 0.05}  # how far below the ground a swing aims, as the body is pitched up
SLOW_MM = {"T1": 0.0, "T2": 0.08, "T3": 0.0}  # how much lower the slower, down to standing, as the body rides higher
RELAX_S = 0.04  # in which a leg that has landed gives way again
GIVES_MM = 0.4  # by which a leg whose pools press it down not at all gives way in stance
RAISE_S, RAISE = 0.016, -0.045  # wings go up by 1.5 rad: the pulse, and the action of both yaw motors in it
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
        chain = Limb.of(model, [f"{j}_{_side(leg)}" for j in JOINTS], f"claw_{_side(leg)}", "thorax", damping=1e-3)
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
    ways, users, holds, leans = _programs(legs, tables, origin, body, mm)
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
        kick=_kick(legs, _pose(legs, tables, origin, mm, {"T1": (0, 0, 0), "T2": (0, 0, 0), "T3": (0, 0, 0)})),
        tuck=_pose(
            legs, tables, origin, mm, {"T1": (0.0, -0.3, 0.7), "T2": (-0.3, -0.3, 0.6), "T3": (-0.3, -0.2, 0.7)}
        ),
        lead_s=lead,
        delay_s=delay,
        spring=spring,
        rest_rad=rest_rad,
        where=np.array([[motors[f"{j}_{_side(leg)}"] for j in (*JOINTS, "adhere_claw")] for leg in LEGS]),
        motors=motors,
    )


def _standing(body: Any) -> Array:
    """(n_motors,) the body's own standing action, the abdomen raised to the line of the thorax."""
    out = np.array(body.neutral)
    at = body.motors.index("abdomen")
    out[at] = (ABDOMEN_RAD - body.middle[at]) / body.half[at]
    return out


def _programs(
    legs: Sequence[Limb], tables: Sequence[Array], origin: Array, body: Any, mm: float
) -> tuple[Array, Array, Array, Array]:
    ways, users = np.zeros((len(PROGRAMS), CYCLE, 6, 7)), np.zeros((len(PROGRAMS), 6))
    holds, leans = np.zeros((len(PROGRAMS), len(body.motors))), np.zeros(len(PROGRAMS))
    for p, (pair, points, posture) in enumerate(PROGRAMS.values()):
        leans[p] = LEAN_MM[pair]
        for name, angle in posture.items():
            for m, motor in enumerate(body.motors):
                if motor == name or (name == "antenna" and motor.startswith("antenna_") and "twist" not in motor):
                    holds[p, m] = angle
        for i, leg in enumerate(LEGS):
            if leg[:2] != pair or (pair == "T2" and leg[2] == "R"):
                continue
            users[p, i] = 1
            key = np.array(points) * [1, 1 if leg[2] == "L" else -1, 1] * mm
            start = _search(legs[i], key[0], tables[i][6, 3, 2])
            keys = np.zeros((len(key) + 1, 7))
            for k in (*range(len(key)), *range(len(key) + 1)):  # the second time round begins where the first ended
                keys[k] = start = legs[i].solve(key[k % len(key)][None], start, start, 15)[0]
            at = np.arange(CYCLE) / CYCLE * len(key)
            ways[p, :, i] = np.stack([np.interp(at, np.arange(len(keys)), q) for q in keys.T], 1)
    return ways, users, holds, leans


def _search(leg: Limb, target: Array, rest: Array) -> Array:
    """(7,) angles that reach target (3,) and are nearest to `rest`, from many starts."""
    starts = np.random.default_rng(0).uniform(leg.low, leg.high, (100, 7))
    found = leg.solve(np.broadcast_to(target, (100, 3)), starts, rest, 25)
    miss = np.linalg.norm(leg.forward(found)[0] - target, axis=1) / np.abs(leg.links[0][0]).max()
    return np.asarray(found[np.argmin(np.where(miss > miss.min() + 0.02, 1e3, 0) + np.abs(found - rest).sum(1))])


def _pose(legs: Sequence[Limb], tables: Sequence[Array], origin: Array, mm: float, by: Mapping[str, Any]) -> Array:
    """(6, 7) rad: every foot moved from its neutral place by mm (ahead, outward, up)."""
    out = np.zeros((6, 7))
    for i, leg in enumerate(LEGS):
        shift = np.array(by[leg[:2]]) * [1, 1 if leg[2] == "L" else -1, 1]
        rest = tables[i][6, 3, 2]
        for part in (0.25, 0.5, 0.75, 1.0):
            out[i] = rest = legs[i].solve(((origin[i] + part * shift) * mm)[None], rest, rest, 20)[0]
    return out


def _kick(legs: Sequence[Limb], pose: Array) -> Array:
    """(6, 7) rad: every joint of middle and hind legs that moves the claw down goes to the end of its range."""
    out = pose.copy()
    for i in range(2, 6):
        down = -legs[i].forward(pose[i : i + 1])[2][0, 2]
        strong = np.abs(down) > 0.3 * np.abs(down).max()
        out[i] = np.where(strong, np.where(down > 0, legs[i].high + 0.02, legs[i].low - 0.02), pose[i])
    return out


def _side(leg: str) -> str:
    """`T1L` -> `T1_left`, as in the body's names."""
    return f"{leg[:2]}_{'left' if leg[2] == 'L' else 'right'}"


class Motor:
    """Rates of the cord's units to the action. State: where each foot is told to be, and what was told before.

    period_s: of control. speed_mm_s_per_Hz: of the side's `fore` and `back` units. lift_mm: height of a swing's arc.
    half_track_mm: half the distance between the sides, by which their difference in speed becomes a turn.
    swing_s: time of a whole arc at a rate of 100 Hz. stance (rate, share): the template's own idea of how long a
    stance lasts, 1 / (rate + share * speed), by which a swing knows how far ahead to put the foot. groom_s: of half a
    grooming sweep at 100 Hz. search: a foot that finds no ground reaches down for it, one that finds it early rests
    there. pools: legs go by the cord's units of motor pools (`bestiary.brains._fly_vnc`), not straight by `swing`: one
    is in swing while `lift` is above 50 Hz, gets as far ahead as `reach` says, and in stance stands and pushes back as
    far as `press` and `push` say, 100 Hz being all the way.
    """

    # the units that it reads, in this order
    OUTPUTS = (
        *(f"swing_{leg}" for leg in LEGS),
        *(f"contact_{leg}" for leg in LEGS),
        *("fore_L", "fore_R", "back_L", "back_R"),
        *("sweep", "return"),
        *PROGRAMS,
        *("rostrum", "haustellum", "labrum"),
        *("TTM_L", "TTM_R", "flight"),
        *("uphill", "downhill", "slant_L", "slant_R"),
        *(f"{word}_{leg}" for word in ("lift", "press", "reach", "push") for leg in LEGS),
        *("raise", "leap"),
    )

    def __init__(
        self,
        template: Template,
        period_s: float,
        *,
        speed_mm_s_per_Hz: float = 0.3,
        lift_mm: float = 0.6,
        half_track_mm: float = 1.2,
        swing_s: float = 0.0255,
        stance: tuple[float, float] = (6.5, 0.55),
        groom_s: float = 0.07,
        adhesion: bool = True,
        search: bool = True,
        pools: bool = False,
    ) -> None:
        t = self.template = template
        self.period_s = period_s
        # what share of the way to a command an activation goes in one period
        share = np.where(t.delay_s > 0, -np.expm1(-period_s / np.maximum(t.delay_s, 1e-9)), 1.0)
        numbers = (period_s, speed_mm_s_per_Hz, lift_mm, half_track_mm, swing_s, *stance, groom_s)
        parts = ("head", "rostrum", "haustellum", "labrum", "antenna", "abdomen")
        others = np.array([i for m, i in t.motors.items() if m.startswith(parts)])
        mouth = [t.motors[m] for m in ("rostrum", "haustellum", "labrum_left", "labrum_right", "head")]
        wings = [t.motors[m] for m in ("wing_yaw_left", "wing_yaw_right")]
        self._fixed = (
            *(t.table, t.origin, t.low, t.step, t.where, t.centre, t.half, t.neutral, t.lead_s, t.spring, t.rest_rad),
            *(t.ways, t.users, t.holds, t.leans, t.kick, t.tuck, np.array(mouth), np.array(wings), others, share),
            *(np.array([by[leg[:2]] for leg in LEGS]) for by in (LIFT, PRESS_MM, SLOW_MM)),
            np.array((*numbers, float(adhesion), float(search), float(pools))),
        )

    def init(self) -> dict[str, Array]:
        """Standing: every foot at the middle of its stance."""
        t = self.template
        told = np.stack([_look(t.table[i], t.low, t.step, np.zeros(3)) for i in range(6)])
        at = t.where[:, :7]
        active = t.centre + t.half * t.neutral
        active[at] = told + t.spring[at] * (told - t.rest_rad[at])
        state = {
            "feet": t.origin.copy(),
            "lifted": t.origin[:, :2].copy(),
            "arc": np.full(6, -1.0),
            "ground": np.zeros(6),  # mm, how much higher than level each foot found it
            "told": told,
            "active": active,
            "action": t.neutral.copy(),
            "groom": np.zeros(len(PROGRAMS)),
            # sweep, progress in it, lean mm, time since a jump, lean left, crouch mm, share by which wings are up
            "clock": np.array([0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0]),
        }
        self.advance(state, np.zeros(len(self.OUTPUTS)))
        return state

    def advance(self, state: dict[str, Array], rate_Hz: Array) -> None:
        """One control period, in place. rate_Hz: of the units OUTPUTS."""
        _limbs(*[state[k] for k in _STATE], rate_Hz, *self._fixed)  # type: ignore[call-arg]  # as many as _limbs takes


_STATE = ("feet", "lifted", "arc", "ground", "told", "active", "action", "groom", "clock")


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
def _limbs(
    feet,
    lifted,
    arc,
    ground,
    told,
    active,
    action,
    groom,
    clock,
    rate,
    table,
    origin,
    low,
    step,
    where,
    centre,
    half,
    neutral,
    lead_s,
    spring,
    rest_rad,
    ways,
    users,
    holds,
    leans,
    kick,
    tuck,
    mouth,
    wings,
    others,
    share,
    heights,
    press,
    slow,
    numbers,
):
    dt, speed, lift, track, swing_s, stance_base, stance_share, groom_s, adhesion, search, pools = numbers
    swing_Hz, pressed, reached, pushed = rate[:6], np.ones(6), np.ones(6), np.ones(6)
    if pools > 0:
        swing_Hz = np.where(rate[33:39] > 50, rate[33:39], 0.0)
        pressed = np.minimum(rate[39:45] / 100, 1.0)
        reached = np.minimum(rate[45:51] / 100, 1.0)
        pushed = np.minimum(rate[51:57] / 100, 1.0)
    left, right = speed * (rate[12] - rate[14]), speed * (rate[13] - rate[15])
    ahead, turn = (left + right) / 2, (right - left) / (2 * track)  # mm/s; rad/s to the left
    stretch = 0.0  # of the planted foot that is furthest behind: no leg pulls the body beyond its neighbours' reach
    for i in range(6):
        if swing_Hz[i] == 0 and ahead > 0:
            stretch = max(stretch, origin[i, 0] - feet[i, 0])
    slowed = min(max((1.35 - stretch) / 0.35, 0.0), 1.0)
    reach = 0.5 / (stance_base + stance_share * (abs(left) + abs(right)) / 2)  # s, half a stance

    # Grooming: which program owns which leg, and where in its cycle it is.
    own, lean = np.zeros(6), 0.0
    for p in range(groom.size):
        groom[p] += (min(rate[18 + p] / 50.0, 1.0) - groom[p]) * (1 - np.exp(-dt / 0.04))
        lean += groom[p] * leans[p]
        for i in range(6):
            own[i] = max(own[i], groom[p] * users[p, i])
    # On a slope the body leans uphill and crouches; a slope of 30 degrees is 50 Hz.
    lean += LEAN_MM_PER_HZ * (rate[29] - rate[30])
    clock[2] += (lean - clock[2]) * (1 - np.exp(-dt / 0.03))
    clock[4] += (LEAN_MM_PER_HZ * (rate[32] - rate[31]) - clock[4]) * (1 - np.exp(-dt / 0.03))
    steep = np.sqrt((rate[29] - rate[30]) ** 2 + (rate[32] - rate[31]) ** 2)
    clock[5] += (min(CROUCH_MM_PER_HZ * steep, 0.4) - clock[5]) * (1 - np.exp(-dt / 0.03))
    half_cycle = 1 if rate[17] > rate[16] else 0
    if rate[16] + rate[17] > 0:
        if int(clock[0]) % 2 != half_cycle:
            clock[0] = (clock[0] + 1) % 6
            clock[1] = 0.0
        clock[1] = min(clock[1] + dt / groom_s * (rate[16] + rate[17]) / 100, 1.0)
    at_cycle = (clock[0] + clock[1]) / 6 * ways.shape[1]
    first = int(at_cycle) % ways.shape[1]
    second, part = (first + 1) % ways.shape[1], at_cycle - int(at_cycle)

    # A jump begins with the tergotrochanteral muscle, or a leap, and ends when two claws touch again.
    touching = 0
    for i in range(6):
        touching += rate[6 + i] > 0
    if clock[3] < 0 and max(rate[26], rate[27], rate[58]) > 50:
        clock[3] = 0.0
    elif clock[3] >= 0:
        clock[3] += dt
        feet[:] = origin
        if clock[3] > 0.04 and touching >= 2 and rate[28] < 50:
            clock[3] = -1.0
    jump = clock[3]
    # The motors of wings are torques against much damping: how long one lasts says how far the wing goes.
    up = 0.0
    if rate[57] > 50 and clock[6] < 1:
        up = 1.0
    elif rate[57] < 50 and jump < 0 and clock[6] > 0:
        up = -1.0
    clock[6] += up * dt / RAISE_S
    for m in wings:
        action[m] = up * RAISE

    # Head, mouth, antennae and abdomen: the posture of a program, and the proboscis.
    out, bend = min(rate[23] / 100, 1.0), min(rate[24] / 100, 1.0)
    for k in range(others.size):
        m = others[k]
        goal = centre[m] + half[m] * neutral[m]
        for p in range(groom.size):
            goal += groom[p] * holds[p, m]
        if m == mouth[0]:
            goal += out * (centre[m] - half[m] - goal)
        elif m == mouth[1]:
            goal += bend * (centre[m] - 0.8 * half[m] - goal)
        elif m == mouth[2] or m == mouth[3]:
            goal += min(rate[25] / 100, 1.0) * (centre[m] + half[m] - goal)
        elif m == mouth[4]:
            goal += out * (-0.35 - goal)
        action[m] = min(max((goal - centre[m]) / half[m], -1.0), 1.0)

    at = np.zeros(3)
    ease = min(max(1 - ahead / 40, 0.0), 1.0) * max(1 - steep / 25, 0.0)  # on a slope the body keeps low
    for i in range(6):
        low_mm = slow[i] * ease if ahead > 0 else 0.0
        vx, vy = ahead - turn * origin[i, 1], turn * origin[i, 0]  # the ground's speed under this foot, reversed
        if swing_Hz[i] > 0:
            if arc[i] < 0:
                arc[i] = 0.0
                lifted[i] = feet[i, :2]
            arc[i] = min(arc[i] + dt / swing_s * swing_Hz[i] / 100, 1.0)
            s = arc[i] * arc[i] * (3 - 2 * arc[i])
            feet[i, 0] = lifted[i, 0] + (origin[i, 0] + vx * reach - lifted[i, 0]) * s * reached[i]
            feet[i, 1] = lifted[i, 1] + (origin[i, 1] + vy * reach - lifted[i, 1]) * s * reached[i]
            feet[i, 2] = origin[i, 2] + lift * heights[i] * np.sin(np.pi * arc[i]) ** 2 - (press[i] + low_mm) * s
        else:
            height = feet[i, 2] - origin[i, 2]
            if arc[i] > 0.4 and rate[6 + i] > 0 and search > 0:
                ground[i] = min(max(height, 0.0), 0.3)
            elif arc[i] >= 0:
                ground[i] = -press[i] - low_mm
            elif rate[6 + i] == 0 and search > 0 and height < 0.05 and own[i] < 0.1 and jump < 0:
                ground[i] = max(ground[i] - 40.0 * dt, -0.35)
            else:
                ground[i] -= (ground[i] + low_mm) * min(dt / RELAX_S, 1.0)
            arc[i] = -1.0
            x, y = feet[i, 0], feet[i, 1]
            way = dt * slowed * pushed[i]
            feet[i, 0] = min(max(x - way * (ahead - turn * y), origin[i, 0] - 1.4), origin[i, 0] + 1.4)
            feet[i, 1] = min(max(y - way * turn * x, origin[i, 1] - 0.7), origin[i, 1] + 0.7)
            feet[i, 2] += (origin[i, 2] + ground[i] + GIVES_MM * (1 - pressed[i]) - feet[i, 2]) * 0.5
        for k in range(3):
            at[k] = feet[i, k] - origin[i, k]
        at[0] -= clock[2]
        at[1] -= clock[4]
        at[2] += clock[5]
        angle = _look(table[i], low, step, at)
        for j in range(7):
            if own[i] > 0:
                total, mixed = 1e-9, 0.0
                for p in range(groom.size):
                    w = groom[p] * users[p, i]
                    total += w
                    mixed += w * ((1 - part) * ways[p, first, i, j] + part * ways[p, second, i, j])
                angle[j] += own[i] * (mixed / total - angle[j])
            if jump >= 0:
                if jump < 0.012:
                    angle[j] = kick[i, j]
                elif touching == 0:  # else legs that meet something stretch to stand on it
                    angle[j] = tuck[i, j]
            m = where[i, j]
            target = angle[j] + (angle[j] - told[i, j]) / dt * lead_s[m] + spring[m] * (angle[j] - rest_rad[m])
            command = active[m] + (target - active[m]) / share[m]
            command = min(max(command, centre[m] - half[m]), centre[m] + half[m])
            active[m] += (command - active[m]) * share[m]
            action[m] = (command - centre[m]) / half[m]
            told[i, j] = angle[j]
        holds_on = (arc[i] < 0 or arc[i] > 0.85) and own[i] < 0.3 and (jump < 0 or (i // 2 == 1 and jump < 0.003))
        action[where[i, 7]] = adhesion if holds_on else 0.0


class Proprioception:
    """What the legs feel, as drive of named units of the cord.

    load: 10 mV for the whole weight on one leg; contact: 10 mV for a claw that touches; behind: 5 mV with the foot in
    the middle of its stance, 10 mV 1 mm behind it, from the joint angles (a linear read-out of the step template).
    uphill, downhill, slant (the side that is lower): 10 mV times the share of gravity along that axis, as Johnston's
    organs feel it (Kamikouchi 2009 Nature 458:165).
    """

    def __init__(self, body: Any, template: Template, units: Sequence[str], weight_N: float = 8.7e-6) -> None:
        row = {name: i for i, name in enumerate(units)}
        self._weight = weight_N
        self._load = np.array([row[f"load_{leg}"] for leg in LEGS])
        self._contact = np.array([row[f"contact_{leg}"] for leg in LEGS])
        self._behind = np.array([row[f"behind_{leg}"] for leg in LEGS])
        self._slope = np.array([row[name] for name in ("uphill", "downhill", "slant_L", "slant_R")])
        self._joints = np.array([[body.joints.index(f"{j}_{_side(leg)}") for j in JOINTS] for leg in LEGS])
        ahead = np.repeat(GRID_MM[0], len(GRID_MM[1]) * len(GRID_MM[2]))
        self._fit = np.zeros((6, 8))
        for i in range(6):
            angle = template.table[i].reshape(-1, 7)
            self._fit[i] = np.linalg.lstsq(np.c_[angle, np.ones(len(angle))], ahead, rcond=None)[0]

    def encode(self, obs: Mapping[str, Array], drive: Array) -> None:
        """drive (n,) mV takes what an observation of the body drives."""
        ahead = (self._fit[:, :7] * obs["joint_rad"][self._joints]).sum(1) + self._fit[:, 7]
        x, y, _ = obs["gravity"].tolist()
        drive[self._load] = 10 / self._weight * obs["leg_load_N"]
        drive[self._contact] = 10.0 * (obs["claw_contact_N"] > 1e-8)
        drive[self._behind] = np.minimum(np.maximum(5 - 5 * ahead, 0), 15)
        drive[self._slope] = -10 * x, 10 * x, 10 * y, -10 * y
