"""The spinal cord of a larval zebrafish: the published eight-population network, bouts, and the last motor neurons.

Published (Wandler, Lemberger, McLean & Murray 2025 eLife 14:RP106658, their `8pop` model): 30 segments, two sides, V1
(inhibitory, ascending), V2b (inhibitory, descending), commissural V0d and excitatory V2a neurons, each fast and slow;
who reaches whom, strengths, time constants and delays. tau dr/dt = -r + [sum w r(t - delay) + drive]+. Its frequency
depends on the ratio of fast to slow drive alone, not on their size.
Not published there, and ours: the pace of escapes (their fast half alone ends at 42 Hz: after a C-bend its time
constants and delays are shorter, as faster V2a and motor neurons join with drive, McLean 2007, 2008; Menelaou & McLean
2019; by how much is a `functional_fit` to Z11), the gate that makes bouts of a tonic drive (an accumulator after which
swimming starts and fades), the bias of the first cycle (Huang 2013 Curr Biol 23:1566: what vSPN do), the C-bend, and
how motor neurons share out their muscles (`tuned`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numba
import numpy as np

from bestiary.brains._graded_kernel import normal
from bestiary.brains._parameters import parameters
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock

Array = np.ndarray[Any, np.dtype[Any]]

SEGMENTS, STEP_S = 30, 1e-4
TYPES = ("V1 fast", "V1 slow", "V2b fast", "V2b slow", "V0d fast", "V0d slow", "V2a fast", "V2a slow")
TAU_S = {"fast": 1e-3, "slow": 10e-3}
DELAY_S = {"fast": 2e-4, "slow": 5e-4}  # times 1 + the distance in segments
INHIBITION, EXCITATION = 0.125, 0.0625  # of one edge: C^2 x strength x speedmix = 0.25 x (1 or 0.5) x 0.5
REACH = {"V2a fast": 15, "V2a slow": 3, "": 13}  # segments; V2a skip the nearest two
# What descends and what leaves, beside the segments. `bout` starts swimming; `speed` adds fast drive; `bias` turns the
# first cycle of a bout to its side; `bend` is a C-bend to its side; `fine` makes the next bouts smaller, their turn
# not; `hold` makes a turn last longer; `brief` makes the next bout fade sooner
PORTS = tuple(f"{name}_{side}" for name in ("bout", "speed", "bias", "bend", "fine", "hold", "brief") for side in "LR")
CRANIAL = ("LR_L", "LR_R", "MR_L", "MR_R", "FIN_L", "FIN_R", "SB")  # rectus muscles of the eyes, fins, swim bladder
UNIT_MV = 20.0  # of drive that counts as 1
# How much more each segment bends in a J-turn than in other turns: none at the neck, 5 times at the tip (McElligott &
# O'Malley 2005, memory). By how much was set on their size: some 40 degrees in 0.4 mm (tuned)
J_SHAPE = 5 * np.linspace(0, 1, SEGMENTS) - 1


def _edges() -> list[tuple[int, int, bool, float]]:
    """(type of the source, target segment - source segment, crossed, weight) of the published rules."""
    out = []
    for t, name in enumerate(TYPES):
        reach = REACH.get(name, REACH[""])
        for far in range(-reach, reach + 1):
            if name.startswith("V2a"):
                if far > 2:
                    out.append((t, far, False, EXCITATION))
                continue
            crossed = name.startswith("V0d")
            if (name.startswith("V1") and far > 0) or (name.startswith("V2b") and far <= 0):
                continue
            phase = abs(far) / SEGMENTS + crossed / 2
            if 0.3 - 1e-9 <= (phase if far > 0 else 1 - phase) % 1 <= 0.8 + 1e-9:
                out.append((t, far, crossed, -INHIBITION))
    return out


def cord_table() -> Connectome:
    """The published network as a table: 480 neurons of the rhythm (`V2a fast_L01` ...), 60 motor neurons (`MN_L01`),
    the ports and the cranial motor neurons. Weights are the model's, delays in s; provenance `statistical`."""
    ids, types, sides = [], [], []
    for name in TYPES:
        for side in "LR":
            ids += [f"{name}_{side}{k + 1:02d}" for k in range(SEGMENTS)]
            types += [name] * SEGMENTS
            sides += [side] * SEGMENTS
    first = len(ids)
    for side in "LR":
        ids += [f"MN_{side}{k + 1:02d}" for k in range(SEGMENTS)]
        types += ["MN"] * SEGMENTS
        sides += [side] * SEGMENTS
    for name in (*PORTS, *CRANIAL):
        ids.append(name)
        types.append(name.split("_")[0])
        sides.append(name[-1] if name[-2:] in ("_L", "_R") else "")
    rows: list[tuple[int, int, float, float]] = []
    for t, far, crossed, w in _edges():
        delay = DELAY_S[TYPES[t].split()[1]] * (1 + abs(far))
        for at in (0, 1):
            for k in range(max(0, -far), min(SEGMENTS, SEGMENTS - far)):
                a = (2 * t + at) * SEGMENTS + k
                for target in range(len(TYPES)):
                    b = (2 * target + (1 - at if crossed else at)) * SEGMENTS + k + far
                    rows.append((a, b, w, delay))
    for at in (0, 1):  # V2a drive the motor neurons of their segment and the two behind it
        for t in (TYPES.index("V2a fast"), TYPES.index("V2a slow")):
            for k in range(SEGMENTS):
                for far in range(min(3, SEGMENTS - k)):
                    a, b = (2 * t + at) * SEGMENTS + k, first + at * SEGMENTS + k + far
                    rows.append((a, b, 1 / 6, 0.0))
    pre, post, value, delays = (np.array(column) for column in zip(*rows, strict=True))
    kinds = ["inter"] * first + ["motor"] * (2 * SEGMENTS) + ["port"] * len(PORTS) + ["motor"] * len(CRANIAL)
    tags = np.where(post < first, "statistical", "tuned")
    return Connectome(
        ids=np.array(ids), types=np.array(types), kinds=np.array(kinds), sides=np.array(sides),
        pre=pre, post=post, weight=np.abs(value), sign=np.sign(value).astype(np.int8),
        delay_s=delays, provenance=tags, sign_by="assumed",
        source="Wandler 2025 eLife 14:RP106658, eight populations; motor neurons ours",
    )  # fmt: skip


@numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
def _run(
    steps: int, at: int, r: Array, past: Array, drive: Array, blend: Array, alive: Array,
    row_of: Array, ptr: Array, pre: Array, weight: Array, lag: Array, mean: Array
) -> None:  # fmt: skip
    """`steps` steps of 0.1 ms of the rhythm, in place. past (H, n): rates of the last H steps, H a power of two,
    step k in row k % H.

    ptr, pre, weight, lag: the inputs of each distinct row; row_of (n,): which row a neuron has. mean (n,) of r.
    """
    n, mask = len(r), len(past) - 1  # a power of two, less one
    rows = np.empty(len(ptr) - 1, np.float32)
    mean[:] = 0
    for k in range(steps):
        now = at + k
        for i in range(len(rows)):
            total = np.float32(0)
            for e in range(ptr[i], ptr[i + 1]):
                total += weight[e] * past[(now - lag[e]) & mask, pre[e]]
            rows[i] = total
        for i in range(n):
            x = rows[row_of[i]] + drive[i]
            if x < 0:
                x = np.float32(0)
            r[i] += blend[i] * (x - r[i])
            if r[i] < 1e-12:  # numbers that small take a CPU ages
                r[i] = np.float32(0)
            past[now & mask, i] = r[i] * alive[i]
            mean[i] += r[i] * alive[i]
    for i in range(n):
        mean[i] /= steps


@dataclass(frozen=True, eq=False)
class FishCord:
    """The cord as a part of a brain (`bestiary.brains._parts.Part`), and the last stage before every motor.

    n_joints: of the body's tail; joint_segment (n_joints, 30): share of each segment's motor neurons in a joint's
    muscles. gated: whether the gate makes bouts; without it the tonic drive goes to the rhythm as it comes.
    """

    clock: Clock
    joint_segment: Array
    p: Mapping[str, float] = field(default_factory=lambda: parameters("zebrafish"))
    table: Connectome = field(default_factory=cord_table)
    gated: bool = True
    lesioned: tuple[int, ...] = ()
    silenced: tuple[int, ...] = ()
    _k: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        table = self.table
        n = 2 * SEGMENTS * len(TYPES)
        steps = round(self.clock.control_s / STEP_S)
        alive = np.ones(len(table), np.float32)
        alive[list(self.lesioned)] = 0
        heard = alive.copy()
        heard[list(self.silenced)] = 0
        inner = (table.post < n) & (table.pre < n)
        pre, post = table.pre[inner], table.post[inner]
        weight = (table.weight * table.sign)[inner]
        lag = np.maximum(1, np.rint(table.delay_s[inner] / STEP_S)).astype(np.int32)
        order = np.lexsort((lag, pre, post))
        post, pre, weight, lag = post[order], pre[order], weight[order], lag[order]
        ends = np.searchsorted(post, np.arange(n + 1))
        # neurons that hear the same share one sum: 60 sums for the 480 neurons of the published network
        known: dict[bytes, int] = {}
        starts: list[slice] = []
        row_of = np.empty(n, np.int32)
        for i in range(n):
            here = slice(ends[i], ends[i + 1])
            key = pre[here].tobytes() + weight[here].tobytes() + lag[here].tobytes()
            if key not in known:
                known[key] = len(starts)
                starts.append(here)
            row_of[i] = known[key]
        take = np.concatenate([np.arange(s.start, s.stop) for s in starts])
        slow = np.array(["slow" in t for t in table.types[:n]])
        to_motor = np.zeros((2 * SEGMENTS, n), np.float32)
        out = (table.post >= n) & (table.post < n + 2 * SEGMENTS) & (table.pre < n)
        np.add.at(to_motor, (table.post[out] - n, table.pre[out]), (table.weight * table.sign)[out])
        used = np.flatnonzero(to_motor.any(0))
        ids = table.ids.tolist()
        at = np.linspace(0, 1, len(self.joint_segment))
        strength = np.interp(at, [0, 0.6, 1], [self.p["neck"], 1, self.p["tip"]])[:, None]
        object.__setattr__(self, "_k", {
            "n": n, "steps": steps, "alive": alive, "heard": heard, "row_of": row_of,
            "ptr": np.concatenate([[0], np.cumsum([s.stop - s.start for s in starts])]).astype(np.int32),
            "pre": pre[take].astype(np.int32), "weight": weight[take].astype(np.float32), "lag": lag[take],
            "blend": np.where(slow, STEP_S / TAU_S["slow"], STEP_S / TAU_S["fast"]).astype(np.float32),
            "high": 1 << int(lag.max(initial=1)).bit_length(),
            "share": np.where(slow, self.p["slow_drive"], self.p["fast_drive"]).astype(np.float32),
            "quick": np.where(slow, 0.0, 1.0).astype(np.float32),
            "left": np.array([s == "L" for s in table.sides[:n]]),
            "to_motor": np.ascontiguousarray(to_motor[:, used]), "used": used,
            "muscle": (self.joint_segment * strength).astype(np.float32),
            **{name: ids.index(name) for name in (*PORTS, *CRANIAL)},
        })  # fmt: skip

    def init(self, seed: int) -> dict[str, Any]:
        """At rest, somewhere between two bouts."""
        k = self._k
        rng = np.random.default_rng(seed)
        gate = np.zeros(10, np.float32)
        gate[0], gate[7], gate[9] = rng.uniform(0, 0.6), self.p["bias_s"], 1.0
        return {
            "r": (1e-3 * rng.random(k["n"])).astype(np.float32),
            "past": np.zeros((k["high"], k["n"]), np.float32),
            "mean": np.zeros(k["n"], np.float32),
            "motor": np.zeros(2 * SEGMENTS, np.float32),
            "plant": np.zeros(len(self.table) - k["n"] - 2 * SEGMENTS, np.float32),
            # accumulator, drive, its first value, s since the start, bias, bend side, s since the bend, bias time,
            # share of a J-turn, how many times sooner it fades
            "gate": gate,
            "key": np.array([rng.integers(2**32), 0], np.uint32),
            "at": np.zeros(1, np.int64),
        }

    def advance(self, state: dict[str, Any], drive_mV: Array) -> dict[str, Any]:
        k, p, dt = self._k, self.p, self.clock.control_s
        n, steps = k["n"], k["steps"]
        key = state["key"].copy()
        key[1] += 1
        rest = np.maximum(drive_mV[n + 2 * SEGMENTS :] / UNIT_MV, -2) * k["alive"][n + 2 * SEGMENTS :]
        port = dict(zip(PORTS, rest[: len(PORTS)].tolist(), strict=True))
        gate, vigour, quick = self._gate(state["gate"], port, key, dt)
        r, past, mean, at = state["r"], state["past"], state["mean"], int(state["at"][0])
        given = drive_mV[:n]
        if vigour or given.any() or r.max() > 1e-6:
            size = vigour * (k["share"] * (1 - quick) + k["quick"] * quick)
            drive = size + given / UNIT_MV
            for port_side, here in ((port["speed_L"], k["left"]), (port["speed_R"], ~k["left"])):
                drive = drive + port_side * vigour * k["quick"] * here
            if vigour:
                # a rhythm begins on the side of the bias, after a C-bend on the other side (a share of 0.1, tuned: the
                # stroke back must not undo the turn), else on either
                if quick:
                    lean, since = -0.1 * float(gate[5]) * vigour, float(gate[6]) - p["bend_s"]
                else:
                    lean, since = 0.02 * (np.sign(gate[4]) if gate[4] else normal(key[0], key[1], 7)), float(gate[3])
                drive += lean * max(0.0, 1 - since / 5e-3) * np.where(k["left"], 1, -1)
            r, past, mean = r.copy(), past.copy(), mean.copy()
            # a drive beyond that of routine swims recruits cells with ever shorter time constants and delays
            over = (vigour - p["vigour"]) / (p["escape_vigour"] - p["vigour"])
            steps = round(k["steps"] * (1 + (p["escape_pace"] - 1) * quick * min(max(over, 0.0), 1.0)))
            _run(
                steps, at, r, past, (drive * k["alive"][:n]).astype(np.float32), k["blend"], k["heard"][:n],
                k["row_of"], k["ptr"], k["pre"], k["weight"], k["lag"], mean
            )  # fmt: skip
        elif r.any():  # between bouts nothing moves: not worked out
            r, past, mean = np.zeros_like(r), np.zeros_like(past), np.zeros_like(mean)
        motor = p["muscle"] * (k["to_motor"] @ mean[k["used"]])
        early = math.exp(-float(gate[3]) / float(gate[7])) if vigour else 0.0
        turn = p["bias_muscle"] * float(gate[4]) * early * vigour
        shape = 1 + float(gate[8]) * J_SHAPE  # 1 along the tail in other bouts
        motor[:SEGMENTS] += shape * max(turn, 0.0)
        motor[SEGMENTS:] += shape * max(-turn, 0.0)
        if gate[5] and gate[6] <= p["bend_s"]:
            inner = p["bend_muscle"]
            motor[:SEGMENTS], motor[SEGMENTS:] = (inner, 0.0) if gate[5] > 0 else (0.0, inner)
        motor = motor + drive_mV[n : n + 2 * SEGMENTS] / UNIT_MV
        motor = np.clip(motor, 0, 1) * k["heard"][n : n + 2 * SEGMENTS]
        return {
            "r": r, "past": past, "mean": mean, "motor": motor.astype(np.float32), "plant": rest.astype(np.float32),
            "gate": gate, "key": key, "at": np.array([at + steps]),
        }  # fmt: skip

    def _gate(self, old: Array, port: dict[str, float], key: Array, dt: float) -> tuple[Array, float, float]:
        """(gate, drive of the rhythm, share of it that goes to fast neurons alone) of this period."""
        p, gate = self.p, old.copy()
        tonic = max(0.0, (port["bout_L"] + port["bout_R"]) / 2)
        bend = port["bend_L"] - port["bend_R"]
        gate[6] += dt
        if abs(bend) > 0.5 and (not gate[5] or gate[6] > p["bend_rest_s"]):
            gate[:7] = 0.0, p["escape_vigour"], p["escape_vigour"], 0.0, 0.0, math.copysign(1, bend), 0.0
            gate[9] = 1.0
        if not self.gated:
            gate[3] += dt
            gate[1] = tonic * p["vigour"]
        elif gate[1] > 0:
            gate[3] += dt
            gate[1] *= math.exp(-dt * float(gate[9]) / p["fade_s"])
            if gate[1] < p["stop"] * gate[2]:
                gate[1] = 0.0
                gate[5] = 0.0 if gate[6] > p["bend_rest_s"] else gate[5]
        else:
            step = tonic * dt / p["interval_s"]
            noise = p["interval_noise"] * math.sqrt(dt) * math.sqrt(min(tonic, 1.0)) * normal(key[0], key[1], 3)
            gate[0] = max(0.0, gate[0] + step + noise)
            if gate[0] >= 1:
                finer = 1 + max(0.0, (port["fine_L"] + port["fine_R"]) / 2)  # small swims, which vary less
                spread = p["vigour_sd"] * float(normal(key[0], key[1], 5)) / finer**2
                vigour = p["vigour"] * max(tonic, 1.0) ** p["vigour_rise"] * math.exp(spread) / finer
                bias = p["bias_max"] * math.tanh((port["bias_L"] - port["bias_R"]) / p["bias_max"])
                # J-turns: the end of the tail is held to one side for longer, which turns more and pushes less
                # in recorded fish (zebrafish-bouts) the size of a turn does not hang on how far the bout goes (r = 0)
                gate[:5] = 0.0, vigour, vigour, 0.0, bias * p["vigour"] / vigour
                hold = 1 + max(0.0, (port["hold_L"] + port["hold_R"]) / 2)
                brief = 1 + max(0.0, (port["brief_L"] + port["brief_R"]) / 2)
                gate[7:] = p["bias_s"] * finer**2 * hold, min(finer - 1, 1.0), brief
        escaping = gate[5] != 0 and gate[6] > p["bend_s"]
        held = gate[5] != 0 and gate[6] <= p["bend_s"]
        return gate, 0.0 if held else float(gate[1]), float(escaping)

    def motor(self, state: dict[str, Any]) -> Array:
        """The action: muscles left and right from head to tail, eyes (left positive), fins, swim bladder."""
        k, plant = self._k, state["plant"]
        muscles = np.minimum(k["muscle"] @ state["motor"].reshape(2, SEGMENTS).T, 1).T.ravel()
        base = len(self.table) - len(plant)
        lr_l, lr_r, mr_l, mr_r, fin_l, fin_r, bladder = (plant[k[name] - base] for name in CRANIAL)
        rest = np.clip([lr_l - mr_l, mr_r - lr_r, fin_l, fin_r, bladder], -1, 1)
        return np.concatenate([muscles, rest]).astype(np.float32)

    def rate_Hz(self, state: dict[str, Any]) -> Array:
        """The model's rates have no unit: 1 is shown as 100 Hz."""
        out = np.concatenate([state["mean"], state["motor"], np.maximum(state["plant"], 0)])
        return (100 * out * self._k["heard"]).astype(np.float32)

    def voltage_mV(self, state: dict[str, Any]) -> Array:
        out = np.concatenate([state["mean"], state["motor"], state["plant"]])
        return (-60 + 30 * np.tanh(out)).astype(np.float32)

    def cut(self, lesioned: Array, silenced: Array) -> FishCord:
        return replace(
            self,
            lesioned=(*self.lesioned, *map(int, lesioned)),
            silenced=(*self.silenced, *map(int, silenced)),
        )

    def rewired(self, rewire: Callable[[Connectome], Connectome]) -> FishCord:
        return replace(self, table=rewire(self.table))


def segments_to_joints(joint_fraction: Array, tail_from: float) -> Array:
    """(n_joints, 30): each joint is bent by the segments around it; those lie evenly from `tail_from` to the end."""
    at = tail_from + (np.arange(SEGMENTS) + 0.5) / SEGMENTS * (1 - tail_from)
    width = (joint_fraction[1] - joint_fraction[0]) / 2
    weight = np.exp(-0.5 * ((joint_fraction[:, None] - at) / width) ** 2)
    return np.asarray(weight / weight.sum(1, keepdims=True))
