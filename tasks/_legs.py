"""Measures of stepping, for any body with legs in pairs: swing and stance, strides, and how legs go together.

Of `Track.pose`: claws_m (T, legs, 3) and claw_load_N (T, legs), legs in pairs from the front, left before right.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._paths import moving, velocity_m_per_s
from bestiary.tasks._posture import period_s
from bestiary.tasks._states import closed, runs
from bestiary.tasks._trial import Track

_LOADED = 0.02  # of the usual load of all legs together: a leg that bears more stands
_BRIEF_S = 0.006  # shorter touches and lifts are bounces,
_BRIEF_S_PER_ROOT_M = 0.085  # longer ones too in long bodies, by the root of the length (Froude): 25 ms at 88 mm


def stance(track: Track) -> Array:
    """(T, legs) whether a leg stands: its load is above 2 % of what all legs bear, without bounces."""
    load = track.pose["claw_load_N"]
    down = load > _LOADED * max(float(np.median(load.sum(1))), 1e-12)
    brief = round(max(_BRIEF_S, _BRIEF_S_PER_ROOT_M * math.sqrt(track.length_m)) / period_s(track))
    for leg in down.T:
        leg[:] = ~closed(~closed(leg, brief), brief)
    return down


@dataclass(frozen=True)
class Stride:
    """One cycle of a leg, in samples of the track: it lifts, lands and lifts again. speed_m_per_s: of the body."""

    leg: int
    lift: int
    land: int
    next: int
    speed_m_per_s: float


def strides(track: Track) -> list[Stride]:
    """All cycles during which the body moves from lift to lift."""
    if "claw_load_N" not in track.pose or len(track.time_s) < 3:
        return []
    down, on = stance(track), moving(track)
    speed = np.hypot(*velocity_m_per_s(track))
    out = []
    for leg in range(down.shape[1]):
        swings = [r for r in runs(~down[:, leg]) if r.start > 0 and r.stop < len(on)]
        for a, b in itertools.pairwise(swings):
            if on[a.start : b.start].all():
                out.append(Stride(leg, a.start, a.stop, b.start, float(speed[a.start : b.start].mean())))
    return out


def swing_ms(track: Track) -> tuple[float, float]:
    """(sum, number) of the durations of swings, ms."""
    found = strides(track)
    return 1e3 * period_s(track) * sum(s.land - s.lift for s in found), float(len(found))


def stance_ms(track: Track) -> tuple[float, float]:
    """(sum, number) of the durations of stances, ms."""
    found = strides(track)
    return 1e3 * period_s(track) * sum(s.next - s.land for s in found), float(len(found))


def stride_Hz(track: Track) -> tuple[float, float]:
    """(strides, seconds they took): strides of one leg per second."""
    found = strides(track)
    return float(len(found)), period_s(track) * sum(s.next - s.lift for s in found)


def step_length_mm(track: Track) -> tuple[float, float]:
    """(sum, number) of the ways of a claw over the ground from lift to landing, mm."""
    found, claws = strides(track), 1e3 * track.pose.get("claws_m", np.zeros((0, 0, 3)))
    return float(sum(math.dist(claws[s.land, s.leg, :2], claws[s.lift - 1, s.leg, :2]) for s in found)), float(
        len(found)
    )


def _rank_correlation(x: Array, y: Array) -> float:
    """Spearman's, ties by mean rank; NaN below 8 pairs or without a spread."""
    if len(x) < 8:
        return math.nan
    ranks = []
    for values in (x, y):
        _, back, count = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(count) - (count - 1) / 2)[back])
    if min(np.std(r) for r in ranks) == 0:
        return math.nan
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def stance_against_speed(track: Track) -> float:
    """Rank correlation over strides of the duration of stance with the body's speed: negative in animals."""
    found = strides(track)
    return _rank_correlation(
        np.array([s.speed_m_per_s for s in found]), np.array([float(s.next - s.land) for s in found])
    )


def swing_against_speed(track: Track) -> float:
    """The same of swing: near 0 in animals, whose swings hardly change."""
    found = strides(track)
    return _rank_correlation(
        np.array([s.speed_m_per_s for s in found]), np.array([float(s.land - s.lift) for s in found])
    )


def legs_down(track: Track) -> tuple[float, float]:
    """(sum, samples) of the number of legs that stand while the body moves: of six, 3 in tripod, 4 in tetrapod."""
    if "claw_load_N" not in track.pose:
        return 0.0, 0.0
    down = stance(track).sum(1)[moving(track)]
    return float(down.sum()), float(len(down))


def tripod_strength(track: Track, least_mm_per_s: float = 0.0) -> tuple[float, float]:
    """(sum, number) of t1 / t2 over the swings of a middle leg, with the two legs that swing with it in a tripod.

    t1: how long all three swing at once; t2: from the first lift to the last landing (Wosnitza 2013, J Exp Biol
    216:480). 1 is a perfect tripod, 0: they never all swing. least_mm_per_s: only strides at such a speed. With four
    legs the middle pair is the rear one, and the group a diagonal.
    """
    found = strides(track)
    by_leg: dict[int, list[Stride]] = {}
    for s in found:
        by_leg.setdefault(s.leg, []).append(s)
    legs = track.pose["claw_load_N"].shape[1] if "claw_load_N" in track.pose else 0
    total, n = 0.0, 0
    for middle in (2, 3):
        others = [i for i in range(legs) if i != middle and (i // 2 + i % 2 - middle // 2 - middle % 2) % 2 == 0]
        for s in by_leg.get(middle, []):
            if 1e3 * s.speed_m_per_s < least_mm_per_s or not all(by_leg.get(i) for i in others):
                continue
            centre = (s.lift + s.land) / 2
            near = [min(by_leg[i], key=lambda o: abs((o.lift + o.land) / 2 - centre)) for i in others]
            lifts, lands = [s.lift, *(o.lift for o in near)], [s.land, *(o.land for o in near)]
            total += max(0, min(lands) - max(lifts)) / (max(lands) - min(lifts))
            n += 1
    return total, float(n)


def _phases(track: Track, leg: int, of: int) -> Array:
    """Lifts of `leg` as phases, 0 to 1, of the cycles of the leg `of`."""
    found = strides(track)
    lifts = np.array([s.lift for s in found if s.leg == leg])
    return np.array(
        [
            (lift - s.lift) / (s.next - s.lift)
            for s in found
            if s.leg == of
            for lift in lifts[(lifts >= s.lift) & (lifts < s.next)]
        ]
    )


def _circular(phases: Array) -> complex:
    return complex(np.exp(2j * np.pi * phases).mean()) if len(phases) else complex(math.nan, math.nan)


def leg_phase(track: Track, leg: int, of: int) -> float:
    """Mean phase, 0 to 1, at which `leg` lifts in the cycle of the leg `of`. Legs by number, 0 the left front one."""
    z = _circular(_phases(track, leg, of))
    return (math.atan2(z.imag, z.real) / (2 * math.pi)) % 1 if math.isfinite(z.real) else math.nan


def antiphase(track: Track) -> float:
    """How nearly left and right legs of a pair alternate, -1 to 1: 1 is half a cycle apart, -1 together, 0 no order."""
    legs = track.pose["claw_load_N"].shape[1] if "claw_load_N" in track.pose else 0
    each = [-_circular(_phases(track, i + 1, i)).real for i in range(0, legs, 2)]
    good = [x for x in each if math.isfinite(x)]
    return float(np.mean(good)) if good else math.nan
