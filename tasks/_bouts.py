"""Bouts: one way to find them in simulated and recorded tracks, and how far their distributions lie from recorded fish.

A bout is a peak of the speed of the centre of mass, smoothed over 30 ms; it begins where the speed was last lowest.
Interval, displacement and turn go from one beginning to the next, as in the recordings (Le Goc 2021 BMC Biol 19:208).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.errors import DataError
from bestiary.tasks._trial import Track

DATA, FILE = "zebrafish-bouts", "behavior_single_fish.h5"
SMOOTH_S, APART_S = 0.03, 0.15
LEAST_M_PER_S, RISE_M_PER_S = 3e-3, 2e-3
KINDS = ("interval_s", "displacement_mm", "turn_deg")


def bouts(track: Track) -> dict[str, Array]:
    """start and peak (k,) samples, peak_mm_per_s (k,); of the k - 1 whole bouts interval_s, displacement_mm, turn_deg
    (+ left)."""
    from scipy.signal import find_peaks

    t = track.time_s
    period = float(np.median(np.diff(t)))
    width = max(1, round(SMOOTH_S / period))
    step = np.linalg.norm(np.diff(track.com_m[:, :2], axis=0, prepend=track.com_m[:1, :2]), axis=1) / period
    speed = np.convolve(step, np.ones(width) / width, "same")
    peaks, _ = find_peaks(speed, LEAST_M_PER_S, distance=max(1, round(APART_S / period)), prominence=RISE_M_PER_S)
    start, last = [], 0
    for peak in peaks.tolist():
        start.append(peak - int(speed[last : peak + 1][::-1].argmin()))
        last = peak
    at = np.array(start, int)
    head = track.midline_m[:, 0, :2] - track.midline_m[:, 1, :2]
    heading = np.unwrap(np.arctan2(head[:, 1], head[:, 0]))
    return {
        "start": at,
        "peak": peaks,
        "peak_mm_per_s": 1e3 * speed[peaks],
        "interval_s": np.diff(t[at]),
        "displacement_mm": 1e3 * np.linalg.norm(np.diff(track.com_m[at, :2], axis=0), axis=1),
        "turn_deg": np.degrees(np.diff(heading[at])),
    }


def bouts_of(track: Track) -> dict[str, list[float]]:
    """Every whole bout of a track: lists by the names of `KINDS`."""
    found = bouts(track)
    return {kind: found[kind].tolist() for kind in KINDS}


def _median(values: Array) -> float:
    return float(np.median(values)) if len(values) else math.nan


def bout_interval_s(track: Track) -> float:
    """Median time from bout to bout."""
    return _median(bouts(track)["interval_s"])


def bout_displacement_mm(track: Track) -> float:
    """Median way from the beginning of a bout to that of the next."""
    return _median(bouts(track)["displacement_mm"])


def bout_peak_mm_per_s(track: Track) -> float:
    """Median of the largest speed of a bout, smoothed over 30 ms."""
    return _median(bouts(track)["peak_mm_per_s"])


def bout_turns(track: Track, over_deg: float = 10.0) -> tuple[float, float]:
    """(bouts with a turn over over_deg, bouts)."""
    turn = np.abs(bouts(track)["turn_deg"])
    return float((turn > over_deg).sum()), float(len(turn))


def bout_turn_deg(track: Track, over_deg: float = 10.0) -> tuple[float, float]:
    """(sum of the turns over over_deg, their number)."""
    turn = np.abs(bouts(track)["turn_deg"])
    return float(turn[turn > over_deg].sum()), float((turn > over_deg).sum())


def tail_beat_Hz(track: Track, joint: int = -3) -> float:
    """Median over bouts of the beat of one joint: two crossings of its mean a beat, first 150 ms of a bout."""
    bend = track.curvature_per_m[:, joint]
    period = float(np.median(np.diff(track.time_s)))
    found = []
    for a in bouts(track)["start"].tolist():
        x = bend[a : a + round(0.15 / period)]
        x = x - x.mean() if len(x) else x
        turn = np.flatnonzero((x[1:] > 0) != (x[:-1] > 0))
        if len(turn) >= 5:
            found.append(1 / (2 * period * float(np.diff(turn).mean())))
    return _median(np.array(found))


def _beating(track: Track, a: int, b: int, joint: int = -3, share: float = 0.15) -> tuple[int, int]:
    """First and last sample of the bout from a to b at which a joint is bent by over `share` of its most in it."""
    period = float(np.median(np.diff(track.time_s)))
    x = np.abs(track.curvature_per_m[a : min(b, a + round(0.5 / period)), joint])
    on = np.flatnonzero(x > share * x.max())
    return a + int(on[0]), a + int(on[-1])


def bout_duration_ms(track: Track) -> float:
    """Median over whole bouts of how long the tail moves."""
    period = float(np.median(np.diff(track.time_s)))
    spans = [_beating(track, a, b) for a, b in pairwise(bouts(track)["start"].tolist())]
    return _median(1e3 * period * np.array([last - first for first, last in spans]))


def _straight(track: Track, turn_deg: float = 10.0) -> list[tuple[int, int]]:
    """(start, start of the next) of the bouts that turn by less than turn_deg: cyclic swimming, as it was measured."""
    found = bouts(track)
    spans = pairwise(found["start"].tolist())
    return [span for span, turn in zip(spans, found["turn_deg"].tolist(), strict=True) if abs(turn) < turn_deg]


def strouhal(track: Track) -> float:
    """Beat times width of the tail tip's sweep over mean speed, while the tail beats, of straight bouts: their median
    (Z12). The sweep is across the way that the fish goes, about its centre of mass: that of the world, not of the head,
    which yaws against the tail."""
    period, beat = float(np.median(np.diff(track.time_s))), tail_beat_Hz(track)
    found = []
    for span in _straight(track):
        first, last = _beating(track, *span)
        com = track.com_m[first : last + 1, :2]
        if last - first < 0.05 / period:
            continue
        way = (com[-1] - com[0]) / np.linalg.norm(com[-1] - com[0])
        tail = track.midline_m[first : last + 1, -1, :2] - com
        speed = float(np.linalg.norm(np.diff(com, axis=0), axis=1).mean()) / period
        found.append(beat * float(np.ptp(way[0] * tail[:, 1] - way[1] * tail[:, 0])) / speed)
    return _median(np.array(found))


def bend_L(track: Track) -> float:
    """Largest curvature of the tail times length of the body in straight bouts: their median (Z15)."""
    bend = np.abs(track.curvature_per_m).max(1) * track.length_m
    return _median(np.array([bend[a:b].max() for a, b in _straight(track)]))


def turn_bend_L(track: Track) -> float:
    """The same in all other bouts."""
    bend, straight = np.abs(track.curvature_per_m).max(1) * track.length_m, _straight(track)
    spans = pairwise(bouts(track)["start"].tolist())
    return _median(np.array([bend[a:b].max() for a, b in spans if (a, b) not in straight]))


def first_bout_s(track: Track, from_s: float = 0.0) -> float:
    """From from_s to the first bout that begins after it. NaN without one."""
    at = track.time_s[bouts(track)["start"]]
    return float(at[at >= from_s].min() - from_s) if (at >= from_s).any() else math.nan


def first_beat_s(track: Track, from_s: float = 0.0, joint: int = -3, over_per_m: float = 150.0) -> float:
    """From from_s until a joint of the tail is bent by over_per_m: the latency of a fish whose head is held."""
    on = (track.time_s >= from_s) & (np.abs(track.curvature_per_m[:, joint]) > over_per_m)
    return float(track.time_s[on][0] - from_s) if on.any() else math.nan


def bouts_per_s(track: Track) -> float:
    """Bouts over the time of the track."""
    return len(bouts(track)["start"]) / float(track.time_s[-1] - track.time_s[0])


def escape_beat_Hz(track: Track, joint: int = -3, within_s: float = 0.1) -> float:
    """The fastest beat (from one crossing of 0 to the next but one) of a joint of the tail after a tap, its C-bend
    apart: 0.02 s to within_s after. NaN where the tail does not cross twice."""
    since, bend = track.info["since_tap_s"], track.curvature_per_m[:, joint]
    here = (since > 0.02) & (since <= within_s)
    x, t = bend[here], track.time_s[here]
    if not len(x):
        return math.nan
    at = np.flatnonzero((x[1:] > 0) != (x[:-1] > 0))
    if len(at) < 3:
        return math.nan
    crossing = t[at] + (t[at + 1] - t[at]) * np.abs(x[at]) / (np.abs(x[at]) + np.abs(x[at + 1]) + 1e-12)
    return float(1 / (crossing[2:] - crossing[:-2]).min())


def half_rise_s(track: Track, neuron: str, from_s: float, within_s: float = 1.0) -> float:
    """From from_s until the rate of `neuron` has risen by half of what it will in within_s. NaN where it does not rise.
    The assay records it."""
    rate, t = track.info[f"Hz {neuron}"], track.time_s
    before = float(rate[(t >= from_s - 0.3) & (t < from_s)].mean())
    here = (t >= from_s) & (t < from_s + within_s)
    most = float(rate[here].max())
    return float(t[here][(rate[here] > (before + most) / 2).argmax()] - from_s) if most > before + 1 else math.nan


def fall_s(track: Track, neuron: str, from_s: float, within_s: float = 1.0) -> float:
    """From the peak of the rate of `neuron` in within_s after from_s until what was over its rate before has fallen to
    1/e. NaN where it does not rise, or does not fall that far. The assay records it."""
    rate, t = track.info[f"Hz {neuron}"], track.time_s
    before = float(rate[(t >= from_s - 0.3) & (t < from_s)].mean())
    here = (t >= from_s) & (t < from_s + within_s)
    peak = t[here][int(rate[here].argmax())]
    over = float(rate[here].max()) - before
    low = (t > peak) & (rate < before + over / math.e)
    return float(t[low][0] - peak) if over > 1 and low.any() else math.nan


# Eyes


def eye_gain(track: Track, from_s: float = 1.0, seconds: float = 2.0) -> float:
    """Turn of the eyes over turn of the drum (`pattern_deg_per_s`) in so many seconds from from_s + 0.5 s."""
    t = track.time_s
    here = (t >= from_s + 0.5) & (t < from_s + 0.5 + seconds)
    eye = np.degrees(track.pose["eye_rad"][here].mean(1))
    drum = float(track.info["pattern_deg_per_s"][here].mean() * (t[here][-1] - t[here][0]))
    return float(eye[-1] - eye[0]) / drum if drum else math.nan


def eye_turn_deg(track: Track, from_s: float = 1.0) -> float:
    """Where the eyes stand at the end less where they stood at from_s, + to the left."""
    eye = np.degrees(track.pose["eye_rad"].mean(1))
    return float(eye[-1] - eye[np.searchsorted(track.time_s, from_s)])


def eye_decay_s(track: Track, from_s: float, to_s: float) -> float:
    """Time constant of the eyes' way back between two times: a line through the logarithm of their angle."""
    eye = np.abs(track.pose["eye_rad"].mean(1))
    here = (track.time_s >= from_s) & (track.time_s < to_s) & (eye > 1e-4)
    if here.sum() < 10:
        return math.nan
    slope = float(np.polyfit(track.time_s[here], np.log(eye[here]), 1)[0])
    return -1 / slope if slope < 0 else math.nan


@lru_cache(1)
def recorded() -> dict[str, tuple[Array, ...]]:
    """Of every recorded fish: interval_s, displacement_mm, turn_deg. Raises DataError where they were not fetched."""
    import h5py

    from bestiary.assets import registry

    out: dict[str, list[Array]] = {k: [] for k in KINDS}
    names = {"interval_s": "interboutintervals", "displacement_mm": "displacements", "turn_deg": "dtheta"}
    with h5py.File(registry.path(DATA, FILE)) as file:
        for fish in sorted(file["behavior"]):
            for kind, key in names.items():
                values = np.asarray(file["behavior"][fish][key]).ravel()
                out[kind].append(values[np.isfinite(values)])
    return {k: tuple(v) for k, v in out.items()}


def distance(a: Array, b: Array) -> float:
    """Kolmogorov and Smirnov's: the largest difference of two cumulative distributions."""
    from scipy.stats import ks_2samp

    return float(ks_2samp(np.abs(a), np.abs(b)).statistic) if len(a) and len(b) else math.nan


def bout_distance(track: Track, of: str = "interval_s") -> float:
    """Distance (0 to 1) of a fish's bouts from those of all recorded fish together. NaN without the recordings."""
    if of not in KINDS:
        raise LookupError(f"no distribution {of!r} of bouts; there are: {', '.join(KINDS)}")
    try:
        real = recorded()[of]
    except DataError:
        return math.nan
    return distance(bouts(track)[of], np.concatenate(real))


def spread(of: str, far: Callable[[Array, Array], float] = distance) -> Array:
    """(fish,) the same distance of each recorded fish from all others: what is as near is one of them."""
    real = recorded()[of]
    rest: Any = [np.concatenate([v for j, v in enumerate(real) if j != i]) for i in range(len(real))]
    return np.array([far(a, b) for a, b in zip(real, rest, strict=True)])


# What a stimulus does: the tasks tell it in their info


def _last(track: Track, key: str) -> float:
    return float(track.info[key][-1]) if key in track.info and len(track.info[key]) else math.nan


def info_last(track: Track, key: str, scale: float = 1.0) -> float:
    """The last value of a number that the task tells, times scale."""
    return scale * _last(track, key)


def info_most(track: Track, key: str, scale: float = 1.0) -> float:
    """Its largest value."""
    return scale * float(track.info[key].max()) if key in track.info else math.nan


def startle_latency_ms(track: Track, bend_deg: float = 10.0, within_s: float = 0.1) -> tuple[float, float]:
    """(ms from taps to a turn of the head by bend_deg, such responses)."""
    waits = [w for w in _startles(track, bend_deg, within_s) if math.isfinite(w)]
    return 1e3 * sum(waits), float(len(waits))


def startle_response(
    track: Track, bend_deg: float = 60.0, within_s: float = 0.1, first: int = 1, last: int = 10_000
) -> tuple[float, float]:
    """(taps, the first to the last of them, answered by a C-bend, taps)."""
    waits = _startles(track, bend_deg, within_s)[first - 1 : last]
    return float(sum(map(math.isfinite, waits))), float(len(waits))


def _startles(track: Track, bend_deg: float, within_s: float) -> list[float]:
    taps, since, bend = (track.info[k] for k in ("taps", "since_tap_s", "bend_rad"))
    out = []
    for i in range(1, int(taps.max(initial=0)) + 1):
        here = (taps == i) & (since <= within_s)
        hit = here & (np.abs(np.degrees(bend)) > bend_deg)
        out.append(float(since[hit][0]) if hit.any() else math.inf)
    return out


def c_bends(track: Track, turn_deg: float = 100.0, within_s: float = 0.02) -> Array:
    """(T,) whether the head has turned by turn_deg in the last within_s: a C-bend, which is larger and earlier than any
    routine turn (100 to 140 deg: Z30)."""
    period = float(np.median(np.diff(track.time_s)))
    back = max(1, round(within_s / period))
    heading = np.unwrap(track.pose["heading_rad"])
    turned = np.abs(heading - np.concatenate([np.full(back, heading[0]), heading])[: len(heading)])
    return np.degrees(turned) > turn_deg


def loom_angle_deg(track: Track) -> tuple[float, float]:
    """(angle of the disc when a C-bend is done, 1), once the disc is larger than 12 deg; (0, 0) without one."""
    here = (track.info["loom_deg"] > 12) & c_bends(track)
    return (float(track.info["loom_deg"][here.argmax()]), 1.0) if here.any() else (0.0, 0.0)


def loom_response(track: Track) -> tuple[float, float]:
    """(1 where the fish made a C-bend after the disc began to grow, 1)."""
    return loom_angle_deg(track)[1], 1.0
