"""One control period of the fly's limbs, compiled: from the rates of the cord's units to the action of 78 motors.

Planted feet move back together as a rigid body would over the ground (a twist of forward speed and turning), a lifted
foot flies in an arc to where its next stance should begin. Joint angles come from the tables of
`bestiary.interfaces._fly_template`; the servos' lag, the lag of activation and the joints' springs are made good.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from bestiary.bodies._base import Array
from bestiary.bodies.fly import LEGS
from bestiary.interfaces._fly_postures import PROGRAMS
from bestiary.interfaces._look_up import look

OUTPUTS = (  # the units whose rates are read, in this order
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
CONTACT = OUTPUTS.index("contact_T1L")
FORE_L, FORE_R, BACK_L, BACK_R = (OUTPUTS.index(word) for word in ("fore_L", "fore_R", "back_L", "back_R"))
SWEEP, RETURN, PROGRAM = (OUTPUTS.index(word) for word in ("sweep", "return", next(iter(PROGRAMS))))
ROSTRUM, HAUSTELLUM, LABRUM = (OUTPUTS.index(word) for word in ("rostrum", "haustellum", "labrum"))
TTM_L, TTM_R, FLIGHT = (OUTPUTS.index(word) for word in ("TTM_L", "TTM_R", "flight"))
UPHILL, DOWNHILL, SLANT_L, SLANT_R = (OUTPUTS.index(w) for w in ("uphill", "downhill", "slant_L", "slant_R"))
LIFT, PRESS, REACH, PUSH = (OUTPUTS.index(f"{word}_T1L") for word in ("lift", "press", "reach", "push"))
RAISE, LEAP = OUTPUTS.index("raise"), OUTPUTS.index("leap")
# places in `State.clock`
STROKE, PROGRESS, LEAN, JUMP, LEAN_LEFT, CROUCH, WINGS = range(7)

LEAN_MM_PER_HZ, CROUCH_MM_PER_HZ = 0.009, 0.006
RELAX_S = 0.04  # in which a leg that has landed gives way again
GIVES_MM = 0.4  # by which a leg whose pools press it down not at all gives way in stance
RAISE_S, RAISE_ACTION = 0.016, -0.045  # wings go up by 1.5 rad: the pulse, and the action of both yaw motors in it
KICK_S = 0.006  # in which a jump stretches the legs; then they are drawn up
TOUCH_HZ = 50.0  # of a contact unit: below it the claw is in the air, and the rate is what fades of the last touch


class State(NamedTuple):
    """What a fly's limbs carry from one period to the next."""

    feet: Array  # (6, 3) mm, where each is told to be, thorax frame
    lifted: Array  # (6, 2) mm, where each lifted
    arc: Array  # (6,) progress of a swing, -1 in stance
    ground: Array  # (6,) mm, how much higher than level each foot found it
    told: Array  # (6, 7) rad, the angles told before
    active: Array  # (n_motors,) rad, activation of each motor
    action: Array  # (n_motors,)
    groom: Array  # (5,) 0 to 1, how far each program has its legs
    clock: (
        Array  # (7,) stroke of a sweep, progress in it, lean mm, s since a jump, lean left, crouch mm, wings up 0 to 1
    )


class Fixed(NamedTuple):
    """What does not change: the tables of a `Template`, and what `Motor` was made with."""

    table: Array
    origin: Array
    low: Array
    step: Array
    where: Array
    centre: Array
    half: Array
    neutral: Array
    lead_s: Array
    spring: Array
    rest_rad: Array
    ways: Array
    users: Array
    holds: Array
    leans: Array
    kick: Array
    tuck: Array
    mouth: Array  # motors: rostrum, haustellum, both of the labrum, head
    wings: Array  # both yaw motors
    others: Array  # motors of head, mouth, antennae, abdomen
    share: Array  # of the way to a command that an activation goes in a period
    heights: Array  # (6,) of the arc of a swing, relative
    press: Array  # (6,) mm
    slow: Array  # (6,) mm
    period_s: float
    speed_mm_s_per_Hz: float
    lift_mm: float
    half_track_mm: float
    swing_s: float
    stance_per_s: float
    stance_share: float
    groom_s: float
    adhesion: bool
    search: bool
    pools: bool


@numba.njit(cache=True, nogil=True)
def advance(s, rate, f):
    """One control period of a State `s`, in place. rate: of the units OUTPUTS, Hz; f: Fixed."""
    own, cycle = _groom(s, rate, f)
    steep = _lean(s, rate, f)
    touching = _jump(s, rate, f)
    _wings(s, rate, f)
    _head(s, rate, f)
    _step(s, rate, f, own, steep)
    _servos(s, f, own, cycle, touching)


@numba.njit(cache=True, nogil=True)
def _groom(s, rate, f):
    """Which program owns which leg (6,) 0 to 1, and where in its cycle it is, 0 to 6."""
    own = np.zeros(6)
    for p in range(s.groom.size):
        s.groom[p] += (min(rate[PROGRAM + p] / 50.0, 1.0) - s.groom[p]) * (1 - np.exp(-f.period_s / 0.04))
        for i in range(6):
            own[i] = max(own[i], s.groom[p] * f.users[p, i])
    half_cycle = 1 if rate[RETURN] > rate[SWEEP] else 0
    if rate[SWEEP] + rate[RETURN] > 0:
        if int(s.clock[STROKE]) % 2 != half_cycle:
            s.clock[STROKE] = (s.clock[STROKE] + 1) % 6
            s.clock[PROGRESS] = 0.0
        more = f.period_s / f.groom_s * (rate[SWEEP] + rate[RETURN]) / 100
        s.clock[PROGRESS] = min(s.clock[PROGRESS] + more, 1.0)
    return own, s.clock[STROKE] + s.clock[PROGRESS]


@numba.njit(cache=True, nogil=True)
def _lean(s, rate, f):
    """Over the legs that a program leaves, and uphill with a crouch; how steep it is in Hz: 30 degrees are 50."""
    lean = 0.0
    for p in range(s.groom.size):
        lean += s.groom[p] * f.leans[p]
    lean += LEAN_MM_PER_HZ * (rate[UPHILL] - rate[DOWNHILL])
    left = LEAN_MM_PER_HZ * (rate[SLANT_R] - rate[SLANT_L])
    steep = np.sqrt((rate[UPHILL] - rate[DOWNHILL]) ** 2 + (rate[SLANT_R] - rate[SLANT_L]) ** 2)
    follows = 1 - np.exp(-f.period_s / 0.03)
    s.clock[LEAN] += (lean - s.clock[LEAN]) * follows
    s.clock[LEAN_LEFT] += (left - s.clock[LEAN_LEFT]) * follows
    s.clock[CROUCH] += (min(CROUCH_MM_PER_HZ * steep, 0.4) - s.clock[CROUCH]) * follows
    return steep


@numba.njit(cache=True, nogil=True)
def _jump(s, rate, f):
    """Begins with the tergotrochanteral muscle, or a leap, and ends when two claws touch again; how many do."""
    touching = 0
    for i in range(6):
        touching += rate[CONTACT + i] > TOUCH_HZ
    if s.clock[JUMP] < 0 and max(rate[TTM_L], rate[TTM_R], rate[LEAP]) > 50:
        s.clock[JUMP] = 0.0
    elif s.clock[JUMP] >= 0:
        s.clock[JUMP] += f.period_s
        s.feet[:] = f.origin
        if s.clock[JUMP] > 0.04 and touching >= 2 and rate[FLIGHT] < 50:
            s.clock[JUMP] = -1.0
    return touching


@numba.njit(cache=True, nogil=True)
def _wings(s, rate, f):
    """Their motors are torques against much damping: how long one lasts says how far the wing goes."""
    up = 0.0
    if rate[RAISE] > 50 and s.clock[WINGS] < 1:
        up = 1.0
    elif rate[RAISE] < 50 and s.clock[JUMP] < 0 and s.clock[WINGS] > 0:
        up = -1.0
    s.clock[WINGS] += up * f.period_s / RAISE_S
    for m in f.wings:
        s.action[m] = up * RAISE_ACTION


@numba.njit(cache=True, nogil=True)
def _head(s, rate, f):
    """Head, mouth, antennae and abdomen: the posture of a program, and the proboscis."""
    out, bend = min(rate[ROSTRUM] / 100, 1.0), min(rate[HAUSTELLUM] / 100, 1.0)
    for m in f.others:
        goal = f.centre[m] + f.half[m] * f.neutral[m]
        for p in range(s.groom.size):
            goal += s.groom[p] * f.holds[p, m]
        if m == f.mouth[0]:
            goal += out * (f.centre[m] - f.half[m] - goal)
        elif m == f.mouth[1]:
            goal += bend * (f.centre[m] - 0.8 * f.half[m] - goal)
        elif m == f.mouth[2] or m == f.mouth[3]:
            goal += min(rate[LABRUM] / 100, 1.0) * (f.centre[m] + f.half[m] - goal)
        elif m == f.mouth[4]:
            goal += out * (-0.35 - goal)
        s.action[m] = min(max((goal - f.centre[m]) / f.half[m], -1.0), 1.0)


@numba.njit(cache=True, nogil=True)
def _step(s, rate, f, own, steep):
    """Where each foot goes: `feet`, `arc`, `ground`."""
    dt, swing_Hz, pressed, reached, pushed = f.period_s, rate[:6], np.ones(6), np.ones(6), np.ones(6)
    if f.pools:
        swing_Hz = np.where(rate[LIFT : LIFT + 6] > 50, rate[LIFT : LIFT + 6], 0.0)
        pressed = np.minimum(rate[PRESS : PRESS + 6] / 100, 1.0)
        reached = np.minimum(rate[REACH : REACH + 6] / 100, 1.0)
        pushed = np.minimum(rate[PUSH : PUSH + 6] / 100, 1.0)
    left = f.speed_mm_s_per_Hz * (rate[FORE_L] - rate[BACK_L])
    right = f.speed_mm_s_per_Hz * (rate[FORE_R] - rate[BACK_R])
    ahead, turn = (left + right) / 2, (right - left) / (2 * f.half_track_mm)  # mm/s; rad/s to the left
    stretch = 0.0  # of the planted foot that is furthest behind: no leg pulls the body beyond its neighbours' reach
    for i in range(6):
        if swing_Hz[i] == 0 and ahead > 0:
            stretch = max(stretch, f.origin[i, 0] - s.feet[i, 0])
    slowed = min(max((1.35 - stretch) / 0.35, 0.0), 1.0)
    reach = 0.5 / (f.stance_per_s + f.stance_share * (abs(left) + abs(right)) / 2)  # s, half a stance
    ease = min(max(1 - ahead / 40, 0.0), 1.0) * max(1 - steep / 25, 0.0)  # on a slope the body keeps low
    for i in range(6):
        low_mm = f.slow[i] * ease if ahead > 0 else 0.0
        x0, y0, z0 = f.origin[i]
        vx, vy = ahead - turn * y0, turn * x0  # the ground's speed under this foot, reversed
        if swing_Hz[i] > 0:
            if s.arc[i] < 0:
                s.arc[i] = 0.0
                s.lifted[i] = s.feet[i, :2]
            s.arc[i] = min(s.arc[i] + dt / f.swing_s * swing_Hz[i] / 100, 1.0)
            way = s.arc[i] * s.arc[i] * (3 - 2 * s.arc[i])
            s.feet[i, 0] = s.lifted[i, 0] + (x0 + vx * reach - s.lifted[i, 0]) * way * reached[i]
            s.feet[i, 1] = s.lifted[i, 1] + (y0 + vy * reach - s.lifted[i, 1]) * way * reached[i]
            up = f.lift_mm * f.heights[i] * np.sin(np.pi * s.arc[i]) ** 2
            s.feet[i, 2] = z0 + up - (f.press[i] + low_mm) * way
        else:
            height, felt = s.feet[i, 2] - z0, rate[CONTACT + i]
            if s.arc[i] > 0.4 and felt > 0 and f.search:
                s.ground[i] = min(max(height, 0.0), 0.3)
            elif s.arc[i] >= 0:
                s.ground[i] = -f.press[i] - low_mm
            elif felt == 0 and f.search and height < 0.05 and own[i] < 0.1 and s.clock[JUMP] < 0:
                s.ground[i] = max(s.ground[i] - 40.0 * dt, -0.35)
            else:
                s.ground[i] -= (s.ground[i] + low_mm) * min(dt / RELAX_S, 1.0)
            s.arc[i] = -1.0
            x, y = s.feet[i, 0], s.feet[i, 1]
            way = dt * slowed * pushed[i]
            s.feet[i, 0] = min(max(x - way * (ahead - turn * y), x0 - 1.4), x0 + 1.4)
            s.feet[i, 1] = min(max(y - way * turn * x, y0 - 0.7), y0 + 0.7)
            s.feet[i, 2] += (z0 + s.ground[i] + GIVES_MM * (1 - pressed[i]) - s.feet[i, 2]) * 0.5


@numba.njit(cache=True, nogil=True)
def _servos(s, f, own, cycle, touching):
    """Angles of the legs, by foot, program or jump, and commands that bring them there: `told`, `active`, `action`."""
    jump, n = s.clock[JUMP], f.ways.shape[1]
    at_cycle = cycle / 6 * n
    first = int(at_cycle) % n
    second, part = (first + 1) % n, at_cycle - int(at_cycle)
    at = np.zeros(3)
    for i in range(6):
        for k in range(3):
            at[k] = s.feet[i, k] - f.origin[i, k]
        at[0] -= s.clock[LEAN]
        at[1] -= s.clock[LEAN_LEFT]
        at[2] += s.clock[CROUCH]
        angle = look(f.table[i], f.low, f.step, at)
        for j in range(7):
            if own[i] > 0:
                total, mixed = 1e-9, 0.0
                for p in range(s.groom.size):
                    w = s.groom[p] * f.users[p, i]
                    total += w
                    mixed += w * ((1 - part) * f.ways[p, first, i, j] + part * f.ways[p, second, i, j])
                angle[j] += own[i] * (mixed / total - angle[j])
            if jump >= 0:
                if jump < KICK_S:
                    angle[j] = f.kick[i, j]
                elif touching == 0:  # else legs that meet something stretch to stand on it
                    angle[j] = f.tuck[i, j]
            m = f.where[i, j]
            ahead = (angle[j] - s.told[i, j]) / f.period_s * f.lead_s[m]
            target = angle[j] + ahead + f.spring[m] * (angle[j] - f.rest_rad[m])
            command = s.active[m] + (target - s.active[m]) / f.share[m]
            command = min(max(command, f.centre[m] - f.half[m]), f.centre[m] + f.half[m])
            s.active[m] += (command - s.active[m]) * f.share[m]
            s.action[m] = (command - f.centre[m]) / f.half[m]
            s.told[i, j] = angle[j]
        holds_on = (s.arc[i] < 0 or s.arc[i] > 0.85) and own[i] < 0.3 and (jump < 0 or (i // 2 == 1 and jump < 0.003))
        s.action[f.where[i, 7]] = 1.0 if holds_on and f.adhesion else 0.0
