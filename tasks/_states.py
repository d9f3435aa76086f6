"""What an animal with a midline is doing at each moment: forward, reversing, paused or turning; and its turns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bestiary.bodies._base import Array
from bestiary.errors import DataError
from bestiary.tasks._posture import load_basis, period_s, places, rhythm, smoothed, tangent_angles
from bestiary.tasks._trial import Track

PAUSED, FORWARD, REVERSING, TURNING = 0, 1, -1, 2
NAMES = {FORWARD: "forward", REVERSING: "reversing", PAUSED: "paused", TURNING: "turning"}
PAUSE_L_PER_S = 0.03
PAUSE_HZ = 0.05
SMOOTH_S = 0.5
TURN_RAD = math.radians(135)
TURN_APART_L = 0.2


def along_body_L_per_s(track: Track) -> Array:
    """(T,) velocity along its own midline, body lengths/s, + to the nose: mean over the body of each point's velocity
    along its tangent. Unlike the velocity along the axis it keeps its meaning in a body that is coiled."""
    x = track.midline_m
    tangent = np.gradient(x, axis=1)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=2, keepdims=True), 1e-12)
    velocity = np.gradient(x, track.time_s, axis=0)
    return -(velocity * tangent).sum(2).mean(1) / track.length_m


def wave_Hz(track: Track, basis: str | None = None) -> Array:
    """(T,) turns of the phase of the body wave per second, + where it runs from nose to tail.

    The phase velocity of Stephens 2008 (PLoS Comput Biol 4:e1000028), for records of postures without places. basis: a
    registered data set whose first two modes of the tangent angles span the wave, as there; None takes the wave that
    dominates the curvature of the record itself (on a recorded animal this finds 3 reversals where the basis finds 4).
    """
    if basis is None:
        curvature, place = track.curvature_per_m * track.length_m, places(track)
        mode = rhythm(curvature, period_s(track), place, 0.1, 0.9).mode
        inner = (place >= 0.1) & (place <= 0.9)
        z = (curvature[:, inner] - curvature[:, inner].mean(0)) @ mode.conj()
        mode = mode.conj()
    else:
        if (shapes := load_basis(basis)) is None:
            raise DataError(f"{basis} is not at hand: `bestiary data get {basis}`")
        pair = tangent_angles(track, len(shapes)) @ shapes[:, :2]
        pair = pair / np.maximum(pair.std(0), 1e-12)
        z, mode = pair[:, 0] + 1j * pair[:, 1], shapes[:, 0] + 1j * shapes[:, 1]
    turns = np.gradient(np.unwrap(np.angle(z)), track.time_s) / (2 * math.pi)
    slope = float(np.imag(mode[1:] @ mode[:-1].conj()))  # of the phase along the body
    return np.sign(slope) * smoothed(turns, period_s(track), SMOOTH_S)


def coiled(track: Track) -> Array:
    """(T,) whether the body is in an omega turn: bent to one side by over 135 degrees between the directions of its
    front and rear third, and its ends nearer to each other than 0.2 body lengths.

    A posture criterion after Gray 2005 (PNAS 102:3184: over 135 degrees in one head swing, the body like an omega). The
    0.2 is ours, chosen so that the recorded worm-eigenworm-series gives about Gray's share of reversals that end so.
    """
    angles = tangent_angles(track, 60)
    bend = np.abs(angles[:, 40:].mean(1) - angles[:, :20].mean(1))
    apart = np.abs(np.exp(1j * angles).mean(1))  # distance of the ends over the length
    return (bend > TURN_RAD) & (apart < TURN_APART_L)


def direction(track: Track, by: str = "motion") -> Array:
    """(T,) of FORWARD, REVERSING, PAUSED, also within turns.

    by: "motion", the velocity along the body, paused below 0.03 body lengths/s; "wave", or "wave:BASIS", its phase
    velocity (`wave_Hz`), paused below 0.05 Hz, for records without places. Both are smoothed over 0.5 s.
    """
    if by.startswith("wave"):
        v, limit = wave_Hz(track, by.partition(":")[2] or None), PAUSE_HZ
    else:
        v, limit = smoothed(along_body_L_per_s(track), period_s(track), SMOOTH_S), PAUSE_L_PER_S
    return np.where(v > limit, FORWARD, np.where(v < -limit, REVERSING, PAUSED))


def states(track: Track, by: str = "motion") -> Array:
    """(T,) of FORWARD, REVERSING, PAUSED, and TURNING in an omega turn (`coiled`), whatever its direction."""
    out = direction(track, by)
    out[coiled(track)] = TURNING
    return out


def runs(flag: Array) -> list[slice]:
    """The stretches where a (T,) flag is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flag.astype(np.int8), [0]])))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def closed(flag: Array, samples: int) -> Array:
    """The flag with gaps of fewer than `samples` filled, those at its ends excepted."""
    out = flag.copy()
    for gap in runs(~flag):
        if gap.start > 0 and gap.stop < len(flag) and gap.stop - gap.start < samples:
            out[gap] = True
    return out


def bouts(track: Track, kind: str = "forward", min_s: float = 1.0, by: str = "motion") -> list[slice]:
    """Stretches of one state that last at least min_s; kind "all" is the whole track."""
    if kind == "all":
        return [slice(0, len(track.time_s))] if len(track.time_s) else []
    code = {name: number for number, name in NAMES.items()}[kind]
    return [b for b in runs(states(track, by) == code) if _seconds(track, b) >= min_s]


def _seconds(track: Track, b: slice) -> float:
    return (b.stop - b.start) * period_s(track)


def time_share(track: Track, state: str, by: str = "motion") -> tuple[float, float]:
    """(samples in `state`, samples). Forward, reversing and paused sum to 1: turns are shared out by direction."""
    now = (states if state == "turning" else direction)(track, by)
    code = {name: number for number, name in NAMES.items()}[state]
    return float((now == code).sum()), float(len(now))


@dataclass(frozen=True)
class Reversal:
    """start_s, stop_s: in the track. omega: whether it ended in an omega turn."""

    start_s: float
    stop_s: float
    omega: bool

    @property
    def seconds(self) -> float:
        return self.stop_s - self.start_s


def reversals(track: Track, min_s: float = 1.0, after_s: float = 2.0, by: str = "motion") -> list[Reversal]:
    """Reversals of at least min_s, gaps under 0.3 s closed. omega: the body is in an omega turn at some time from 0.5 s
    before their end to after_s after it."""
    period = period_s(track)
    turning = coiled(track)
    back = closed(direction(track, by) == REVERSING, round(0.3 / period))
    before, after, out = round(0.5 / period), round(after_s / period), []
    for b in runs(back):
        if _seconds(track, b) >= min_s:
            follows = bool(turning[max(b.start, b.stop - before) : b.stop + after].any())
            out.append(Reversal(float(track.time_s[b.start]), float(track.time_s[b.stop - 1] + period), follows))
    return out


def reversals_per_min(track: Track, min_s: float = 1.0, by: str = "motion") -> tuple[float, float]:
    """(reversals, minutes)."""
    return float(len(reversals(track, min_s, by=by))), float(track.time_s[-1] - track.time_s[0]) / 60


def reversal_s(track: Track, min_s: float = 1.0, by: str = "motion") -> tuple[float, float]:
    """(seconds in reversals, reversals): their mean duration."""
    found = reversals(track, min_s, by=by)
    return sum(r.seconds for r in found), float(len(found))


def omega_share(track: Track, min_s: float = 1.0, by: str = "motion") -> tuple[float, float]:
    """(reversals that end in an omega turn, reversals)."""
    found = reversals(track, min_s, by=by)
    return float(sum(r.omega for r in found)), float(len(found))


def omegas_per_min(track: Track) -> tuple[float, float]:
    """(omega turns, minutes); what is less than 1 s apart is one turn."""
    turns = len(runs(closed(coiled(track), round(1 / period_s(track)))))
    return float(turns), float(track.time_s[-1] - track.time_s[0]) / 60
