"""From the cord's units to the mouse's motors: where each paw goes, and the joint angles that bring it there.

The rhythm, the gait and the swing are the cord's: a paw swings while its flexor half-centre is active and stands while
it is not. Here a planted paw moves back with the ground under a body of the speed that belongs to the cord's drive
(`SPEEDS`, from M20) and turns with it; a lifted paw flies in an arc to where its next stance should begin. Joint angles
come from a table of inverse kinematics, made once for a body, and go to the servos with their lag made good. All of it
is `tuned`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import mujoco
import numba
import numpy as np

from bestiary import assets
from bestiary.bodies._base import Array
from bestiary.bodies._mouse_bound import PAWS
from bestiary.bodies._mouse_rat import STANCE
from bestiary.interfaces._limb import Limb
from bestiary.interfaces._look_up import look

FORE = ("scapula_S_supinate", "scapula_S_abduct", "scapula_S_extend", "shoulder_S", "shoulder_sup_S", "elbow_S",
        "wrist_S")  # fmt: skip
HIND = ("hip_S_supinate", "hip_S_abduct", "hip_S_extend", "knee_S", "ankle_S")
JOINTS = 8  # room for those of a limb and its digits
GRID_MM = (np.linspace(-30, 30, 16), np.linspace(-9, 9, 5), np.linspace(-6, 14, 11))  # about the paw as it stands
RISE = {"F": (0.39, 0.004), "H": (-0.3, 0.012)}  # sine at which hand and foot rise ahead: middle, more per mm ahead
CANALS_S = 0.028  # of turning that counts as much as a tilt
CROUCH_MM = 5.0
NARROW_MM = 7.0  # by which paws are drawn in between two walls
HALT_HZ, HALT_MM = 20.0, 3.0  # of `unsteady`, from where on a mouse steps in its place; how much wider then
WRITHE_S = 0.12  # of one writhe of righting; its two postures were found by search (righting.csv)
STRETCH_MM = 18.0  # behind the middle of its stance, from where a paw is felt to be far behind
# Paws of a rearing mouse, mm from where they stand, in the frame of a trunk that is pitched up by 55 degrees, and the
# sine at which hand and foot rise there: the centre of mass is above the hind paws
REAR = {"F": ((4.0, 0.0, 8.0), np.nan), "H": ((-12.0, 0.0, -2.0), -0.82)}
# Drive of the cord (alpha); speed in m/s of the body that it stands for: up to a trot about strides of M20 at the
# network's rhythm, above it what the body reached in the search
SPEEDS = ((0.05, 0.07), (0.1, 0.1), (0.2, 0.2), (0.3, 0.3), (0.5, 0.44), (0.75, 0.45), (1.0, 0.71))


@dataclass(frozen=True)
class Template:
    """Tables that turn places of the paws into actions, for one body."""

    table: Array  # (4, nx, ny, nz, 8) rad
    origin: Array  # (4, 3) mm, of each paw as it stands, trunk frame
    worst_mm: float  # largest miss of the table on the ground within a walking step
    where: Array  # (4, 8) motor of each joint, -1 none
    centre: Array  # (n_motors,) angle of action 0
    half: Array
    neutral: Array
    rear: Array  # (4, 8) rad: limbs of a mouse that stands on its hind paws
    lead_s: Array  # (n_motors,) lag of each servo by its joint's damping
    delay_s: Array  # (n_motors,) of its activation
    righting: Array  # (2, 2, n_motors) action less neutral, by the side that lies below (left first), in two postures
    motors: Mapping[str, int] = field(repr=False)

    @classmethod
    def of(cls, body: Any) -> Template:
        """For `bestiary.bodies.mouse.Mouse`; solved once for equal bodies."""
        return _template(body)


@functools.lru_cache(4)
def _template(body: Any) -> Template:
    model = body.spec().compile()
    mm = 1e-3 / body.units.length
    motors = {name: i for i, name in enumerate(body.motors)}
    tables, rear, origin, worst = {}, {}, np.zeros((4, 3)), 0.0
    for kind, joints in (("F", FORE), ("H", HIND)):
        chain = Limb.of(model, [j.replace("_S", "_L") for j in joints], f"paw_{kind}L", "torso")
        rest = np.array([STANCE[j.replace("_S", "_L")] for j in joints])
        middle = chain.forward(rest[None])[0][0]
        for i, paw in enumerate(PAWS):
            if paw[0] == kind:
                origin[i] = middle / mm * [1, 1 if paw[1] == "L" else -1, 1]
        n = len(joints)
        tables[kind], miss = _solved(chain, rest, kind, mm)
        worst = max(worst, float(miss[np.abs(GRID_MM[0]) < 19, 1:-1, 2:4].max()))
        way, flat = REAR[kind]
        found = chain.solve(middle + np.array([way]) * mm, rest, rest, 200, 0.05, np.array([flat]))
        level = np.arctan2(*chain.forward(found)[1][0, 2, [0, 2]])
        rear[kind] = np.r_[found[0], np.clip(level, -0.88, 0.88), np.zeros(JOINTS - n - 1)]
    where = np.full((4, JOINTS), -1)
    for i, paw in enumerate(PAWS):
        names = (*FORE, "finger_S") if paw[0] == "F" else (*HIND, "toe_S")
        for k, name in enumerate(names):
            where[i, k] = motors.get(name.replace("_S", f"_{paw[1]}"), -1)
    lead, delay = np.zeros((2, len(motors)))
    for name, a in motors.items():
        i = model.actuator(name).id
        if model.actuator_trntype[i] == mujoco.mjtTrn.mjTRN_JOINT and name in body.joints:
            j = model.joint(name).id
            lead[a] = np.ravel(model.dof_damping[model.jnt_dofadr[j]])[0] / -model.actuator_biasprm[i, 1]
        if model.actuator_dyntype[i] != mujoco.mjtDyn.mjDYN_NONE:
            delay[a] = model.actuator_dynprm[i, 0]
    return Template(
        table=np.ascontiguousarray([tables[paw[0]] for paw in PAWS]),
        origin=origin,
        worst_mm=worst,
        where=where,
        centre=body.middle,
        half=body.half,
        neutral=body.neutral,
        rear=np.array([rear[paw[0]] for paw in PAWS]),
        lead_s=lead,
        delay_s=delay,
        righting=_righting(motors),
        motors=motors,
    )


def _solved(chain: Limb, rest: Array, kind: str, mm: float) -> tuple[Array, Array]:
    """(nx, ny, nz, 8) angles that bring a paw to each place of the grid, and by how many mm they miss it (nx, ny, nz).

    Angles of places beside each other must not differ much: a wrist that flips over between two of them kicks the
    ground. So all places start in the middle and move outward together; and a paw in the air starts from the angles of
    one on the ground below it, and keeps near its neighbours rather than exactly to its place.
    """
    grid = np.stack(np.meshgrid(*GRID_MM, indexing="ij"), -1)
    place, middle, n = grid.reshape(-1, 3), chain.forward(rest[None])[0][0], len(rest)
    angle = np.broadcast_to(rest, (len(place), n))
    for share in np.minimum(np.arange(1, 31) / 20, 1):
        now = share * place
        sole = np.where(now[:, 2] < 1, RISE[kind][0] + RISE[kind][1] * now[:, 0], np.nan)
        near = 0.7 * _beside(angle.reshape(*grid.shape[:3], n)) + 0.3 * rest
        angle = chain.solve(middle + now * mm, angle, near.reshape(-1, n), 4, 0.1, sole)
    ground = int(np.abs(GRID_MM[2]).argmin())
    angle = angle.reshape(*grid.shape[:3], n)
    angle[:, :, ground + 1 :] = angle[:, :, ground : ground + 1]
    loose, above = replace(chain, damping=0.2), middle + grid[:, :, ground + 1 :].reshape(-1, 3) * mm
    for _ in range(60):
        near, air = _beside(angle)[:, :, ground + 1 :], angle[:, :, ground + 1 :]
        air[...] = loose.solve(above, air.reshape(-1, n), near.reshape(-1, n), 1, 0.3).reshape(air.shape)
    tip, turn = (x.reshape(*grid.shape[:3], *x.shape[1:]) for x in chain.forward(angle.reshape(-1, n))[:2])
    out = np.zeros((*grid.shape[:3], JOINTS))
    out[..., :n] = angle
    out[..., n] = np.clip(np.arctan2(turn[..., 2, 0], turn[..., 2, 2]), -0.88, 0.88)  # digits lie flat
    return out, np.linalg.norm(tip - middle - grid * mm, axis=-1) / mm


def _beside(angle: Array) -> Array:
    """The mean of the neighbours of each place of (nx, ny, nz, n), fewer at the edges."""
    total, count = np.zeros_like(angle), np.zeros((*angle.shape[:3], 1))
    for axis in range(3):
        a, b = ([slice(None)] * axis + [s] for s in (slice(None, -1), slice(1, None)))
        total[tuple(a)] += angle[tuple(b)]
        total[tuple(b)] += angle[tuple(a)]
        count[tuple(a)] += 1
        count[tuple(b)] += 1
    return np.asarray(total / count)


def _righting(motors: Mapping[str, int]) -> Array:
    out = np.zeros((2, 2, len(motors)))
    for row in assets.rows("mouse", "righting.csv"):
        for side, (below, above) in enumerate((("L", "R"), ("R", "L"))):
            name = row["motor"].replace("below", below).replace("above", above)
            sign = -1 if side and name.endswith(("bend", "twist")) else 1
            if name in motors:  # a welded body has no spine
                out[side, :, motors[name]] = sign * float(row["first"]), sign * float(row["second"])
    return out


# Of assets/mouse/parameters.json, in the order in which `_limbs` takes them
MOTOR_PARAMETERS = (
    "lift_mm",
    "fore_lift",
    "push_mm",
    "air",
    "blend",
    "down",
    "place_mm",
    "early_Hz",
    "settle_s",
    "reach_mm",
    "sink_mm_per_s",
    "turn_rad_per_s",
    "roll_mm",
    "pitch_mm",
    "arch_rad",
    "low_mm",
    "hind_mm",
    "yield_mm",
    "ahead_mm",
    "wide_mm",
    "aside_mm",
    "steady",
)


class Motor:
    """Rates of the cord's units to the action. period_s: of control. parameters: at least MOTOR_PARAMETERS, by name."""

    # the units that it reads, in this order
    OUTPUTS = (
        *(f"RGF_{paw}" for paw in PAWS),
        *(f"load_{paw}" for paw in PAWS),
        *("speed", "stop", "turn_L", "turn_R", "rear", "crouch", "nod", "lick", "FN_L", "FN_R"),
        *("nose_up", "nose_down", "lean_L", "lean_R", "righting", "fast", "spin_L", "spin_R", "unsteady", "narrow"),
    )

    def __init__(self, template: Template, period_s: float, parameters: Mapping[str, float]) -> None:
        t = self.template = template
        self.period_s = period_s
        share = np.where(t.delay_s > 0, -np.expm1(-period_s / np.maximum(t.delay_s, 1e-9)), 1.0)
        names = ("lumbar_extend", "lumbar_bend", "cervical_extend", "cervical_bend", "atlas", "mandible", "tongue",
                 "whisk_L", "whisk_R")  # fmt: skip
        others = np.array([t.motors.get(name, -1) for name in names])
        self._fixed = (
            *(t.table, t.origin, t.rear, t.where, t.centre, t.half, t.lead_s, share, others),
            np.array([[g[0], g[1] - g[0]] for g in GRID_MM]),
            np.array(SPEEDS),
            np.clip(t.neutral + t.righting, -1, 1),
            np.array([[float(parameters[pace + name]) for name in MOTOR_PARAMETERS] for pace in ("", "fast_")]),
            period_s,
        )

    def init(self) -> dict[str, Array]:
        """Standing."""
        t = self.template
        state = {
            "paws": t.origin.copy(),  # mm, trunk frame: where each is told to be
            "lifted": t.origin[:, :2].copy(),
            # s since flexors changed; last swing, s; share of this, 2 at rest; s since it landed; last stance, s
            "clock": np.array([[0.0, 0.1, 2.0, 0.0, 0.2]] * 4),
            "told": np.full((4, JOINTS), np.nan),
            "active": t.centre + t.half * t.neutral,
            "action": t.neutral.copy(),
            "fallen": np.zeros(2),  # s since it writhes, the side that lay below then
        }
        rate = np.zeros(len(self.OUTPUTS))
        rate[[self.OUTPUTS.index(name) for name in ("stop", "nod", "FN_L", "FN_R")]] = 100, 50, 50, 50
        self.advance(state, rate)
        return state

    def advance(self, state: dict[str, Array], rate_Hz: Array) -> None:
        """One control period, in place. rate_Hz: of the units OUTPUTS."""
        _limbs(*[state[k] for k in _STATE], rate_Hz, *self._fixed)  # type: ignore[call-arg]  # as many as _limbs takes


_STATE = ("paws", "lifted", "clock", "told", "active", "action", "fallen")


@numba.njit(cache=True, nogil=True)
def _limbs(
    paws, lifted, clock, told, active, action, fallen, rate, table, origin, rear, where, centre, half, lead_s, share,
    others, grid, speeds, righted, numbers, dt,
):  # fmt: skip
    flexor, load = rate[:4], rate[4:8]
    speed, stop, turn_L, turn_R, rears = rate[8], rate[9], rate[10], rate[11], rate[12]
    crouch, nod, lick, FN_L, FN_R = rate[13], rate[14], rate[15], rate[16], rate[17]
    up, down, lean_L, lean_R = rate[18], rate[19], rate[20], rate[21]
    now = numbers[0] + min(rate[23] / 50, 1.0) * (numbers[1] - numbers[0])
    lift, fore_lift, push, air, blend, falls, place, early = now[:8]
    settle_s, deeper, sink, turn_top, roll, pitch, arch, low = now[8:16]
    hind, yields, shift, wide, aside, steady = now[16:]
    go = 1 - min(stop / 50, 1.0)
    ahead = 1e3 * np.interp(speed / 100, speeds[:, 0], speeds[:, 1]) * go  # mm/s
    turn = turn_top * (turn_L - turn_R) / 100  # rad/s, to the left
    halt = min(rate[26] / HALT_HZ, 1.0)
    ahead, turn = ahead * (1 - halt), turn * (1 - halt)
    turn = go * (turn + steady * (turn - (rate[24] - rate[25]) / 10))
    upright = min(rears / 100, 1.0)
    at = np.zeros(3)
    for i in range(4):
        vx, vy = ahead - turn * origin[i, 1], turn * origin[i, 0]
        clock[i, 0] += dt
        clock[i, 3] += dt
        if flexor[i] > 10 and go > 0 and clock[i, 2] >= 2:  # it lifts
            clock[i, 4] = min(clock[i, 3], 0.4)
            clock[i, 0] = clock[i, 2] = 0.0
            lifted[i] = paws[i, :2]
        if flexor[i] <= 10 and clock[i, 2] < 2:  # its flexors fall silent
            clock[i, 1] = min(max(clock[i, 0], 0.05), 0.16)
            clock[i, 0], clock[i, 2] = 0.0, 2.0
        if clock[i, 2] < 1:
            clock[i, 2] = min(clock[i, 0] / (air * clock[i, 1]), 1.0)
            if clock[i, 2] > 0.5 and load[i] > early:  # it meets the ground early, and stays there
                clock[i, 2] = 1.0
            if clock[i, 2] >= 1:
                clock[i, 3] = 0.0
        ground = origin[i, 2] - push - (hind if i > 1 else 0.0)
        if clock[i, 2] < 1:
            s = clock[i, 2]
            # to where its next stance should begin, and to the side that the trunk sinks to, to catch it
            x = origin[i, 0] + shift + place * (down - up) / 100 + vx * clock[i, 4] / 2
            y = (
                origin[i, 1]
                + aside * (lean_L - lean_R) / 100
                + vy * clock[i, 4] / 2
                + (wide + HALT_MM * halt - NARROW_MM * min(rate[27] / 100, 1.0)) * (-1 if i % 2 else 1)
            )
            # by a cubic that leaves and meets the ground at the ground's own speed
            there, out = s * s * (3 - 2 * s), s * (1 - s) * (1 - 2 * s) * air * clock[i, 1] * blend
            paws[i, 0] = lifted[i, 0] + (x - lifted[i, 0]) * there - vx * out
            paws[i, 1] = lifted[i, 1] + (y - lifted[i, 1]) * there - vy * out
            arc = min(s / 0.35, 1.0, (1 - s) / falls)
            height = lift * (fore_lift if i < 2 else 1.0) + push
            paws[i, 2] = ground + height * (1 - np.cos(np.pi * arc)) / 2
        else:
            x, y = paws[i, 0], paws[i, 1]
            paws[i, 0] = min(max(x - dt * (ahead - turn * y), origin[i, 0] - 24), origin[i, 0] + 24)
            paws[i, 1] = min(max(y - dt * turn * x, origin[i, 1] - 7), origin[i, 1] + 7)
            if load[i] > early:
                paws[i, 2] += (ground - paws[i, 2]) * min(dt / settle_s, 1.0)
            else:  # it goes down to where the ground should be, and a little deeper
                paws[i, 2] = max(ground - deeper, paws[i, 2] - sink * dt)
        for k in range(3):
            at[k] = paws[i, k] - origin[i, k]
        # legs stretch on the side that the trunk sinks to
        lean = (lean_L - lean_R) / 100 * (-1 if i % 2 else 1)
        dip = (down - up) / 100 * (1 if i < 2 else -1)
        at[2] += CROUCH_MM * crouch / 100 + low * ahead / 500 - min(max(roll * lean + pitch * dip, -5.0), 5.0)
        at[2] += yields * load[i] / 100
        if i % 2:
            at[1] = -at[1]
        angle = look(table[i], grid[:, 0], grid[:, 1], at)
        angle += upright * (rear[i] - angle)
        for j in range(angle.size):
            m = where[i, j]
            if m >= 0:
                before = told[i, j] if told[i, j] == told[i, j] else angle[j]
                _drive(m, angle[j], (angle[j] - before) / dt, active, action, centre, half, lead_s, share)
                told[i, j] = angle[j]
    # trunk, head, mouth and whiskers
    bend, mouth = (turn_L - turn_R) / 100, lick / 100
    # the loin bends when both hind legs go forward
    together = go * (flexor[2] + flexor[3] - flexor[0] - flexor[1]) / 200
    posture = np.array([-arch * together, 0.15 * bend, -0.3 * (nod - 50) / 50, 0.3 * bend, 0.0, -0.2 * mouth])
    direct = np.array([mouth, (FN_L - 50) / 50, (FN_R - 50) / 50])
    for k in range(others.size):
        m = others[k]
        if m < 0:
            continue
        if k >= 6:
            action[m] = min(max(direct[k - 6], -1.0), 1.0)
        else:
            _drive(m, posture[k], 0.0, active, action, centre, half, lead_s, share)
    if rate[22] > 5:
        if fallen[0] == 0:
            fallen[1] = 0 if lean_L > lean_R else 1
        writhe = righted[int(fallen[1]), int(2 * fallen[0] / WRITHE_S) % 2]
        action += min(rate[22] / 70, 1.0) * (writhe - action)
        fallen[0] += dt
    else:
        fallen[0] = 0


@numba.njit(cache=True, nogil=True)
def _drive(m, angle, speed, active, action, centre, half, lead_s, share):
    """The command at which a servo with its lag follows the angle."""
    target = angle + speed * lead_s[m]
    command = active[m] + (target - active[m]) / share[m]
    command = min(max(command, centre[m] - half[m]), centre[m] + half[m])
    active[m] += (command - active[m]) * share[m]
    action[m] = min(max((command - centre[m]) / half[m], -1.0), 1.0)


class Proprioception:
    """What the limbs and the labyrinth feel, as drive of named units of the cord, mV.

    load: 10 for the whole weight on one paw. stretch: from STRETCH_MM on 10 for every 15 mm that the paw is behind the
    middle of its stance, by the joint angles (a linear read-out of the step template). Tilts: 10 times the share of
    gravity along that axis, as the otoliths feel it, and CANALS_S times the turning that the semicircular canals feel.
    tipped: 10 on a side, 20 on the back. Spin: 1 for every rad/s that the canals feel the head turn to that side.
    """

    def __init__(self, body: Any, template: Template, names: Sequence[str], weight_N: float = 0.245) -> None:
        row = {name: i for i, name in enumerate(names)}
        self._size, self._weight = len(names), weight_N
        self._load = np.array([row[f"load_{p}"] for p in PAWS])
        self._stretch = np.array([row[f"stretch_{p}"] for p in PAWS])
        self._tilt = np.array([row[w] for w in ("nose_up", "nose_down", "lean_L", "lean_R")])
        self._tipped, self._spin = row["tipped"], np.array([row["spin_L"], row["spin_R"]])
        self._ahead, self._rest = np.zeros((4, len(body.joints))), np.zeros(4)  # of each paw, mm from the angles
        ahead = np.repeat(GRID_MM[0], len(GRID_MM[1]) * len(GRID_MM[2]))
        for i, paw in enumerate(PAWS):
            joints = [j.replace("_S", f"_{paw[1]}") for j in (FORE if paw[0] == "F" else HIND)]
            angle = template.table[i].reshape(-1, JOINTS)[:, : len(joints)]
            fit = np.linalg.lstsq(np.c_[angle, np.ones(len(angle))], ahead, rcond=None)[0]
            self._ahead[i, [body.joints.index(j) for j in joints]], self._rest[i] = fit[:-1], fit[-1]

    def encode(self, obs: Mapping[str, Array]) -> Array:
        """Drive (n,) mV of the cord's units from an observation of the body."""
        drive = np.zeros(self._size, np.float32)
        drive[self._load] = 10 / self._weight * obs["paw_load_N"]
        behind_mm = -(self._ahead @ obs["joint_rad"] + self._rest)
        drive[self._stretch] = np.minimum(np.maximum(10 / 15 * (behind_mm - STRETCH_MM), 0.0), 15.0)
        gx, gy, gz = obs["gravity"].tolist()
        rolls, pitches, spin = obs["gyro_rad_per_s"].tolist()
        pitch, roll = gx + CANALS_S * pitches, gy - CANALS_S * rolls
        drive[self._tipped] = 10 * (1 + gz)
        drive[self._spin] = spin, -spin
        drive[self._tilt] = -10 * pitch, 10 * pitch, 10 * roll, -10 * roll
        return drive
