"""What an animal does after a stimulus: backs off, speeds up, and how soon."""

from __future__ import annotations

import math

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._posture import period_s
from bestiary.tasks._states import REVERSING, along_body_L_per_s, direction
from bestiary.tasks._trial import Track

FASTER_L_PER_S = 0.02  # the least change of speed that counts as a response: a tenth of a crawl


def stimuli_s(track: Track, at_s: tuple[float, ...] | list[float] | None = None, where: str = "any") -> list[float]:
    """Times of the stimuli: at_s where given, else the touches that the task's info tells, shams included.

    where: "front" (nearer to the nose), "rear" or "any".
    """
    if at_s is not None:
        return [float(t) for t in at_s if track.time_s[0] < t < track.time_s[-1]]
    if "touches" not in track.info:
        return []
    begun, place = track.info["touches"], track.info["touch_place"]
    first = np.flatnonzero(np.diff(begun, prepend=begun[:1]) > 0)  # not those before the track begins
    wanted = {"front": place[first] <= 0.5, "rear": place[first] > 0.5, "any": place[first] >= 0}[where]
    return [float(t) for t in track.time_s[first[wanted]]]


def _onsets(track: Track, times: list[float], within_s: float, min_s: float) -> list[tuple[float, float]]:
    """(time of stimulus, time until a reversal of at least min_s begins, infinite without one).

    A stimulus given to an animal that already reverses cannot be judged and is left out.
    """
    back = direction(track) == REVERSING
    period = period_s(track)
    lasts, out = max(1, round(min_s / period)), []
    for t in times:
        now = int(np.searchsorted(track.time_s, t))
        if back[max(0, now - 1)]:
            continue
        stop = now + round(within_s / period)
        starts = [i for i in range(now, min(stop, len(back) - lasts) + 1) if back[i : i + lasts].all()]
        out.append((t, float(track.time_s[starts[0]]) - t if starts else math.inf))
    return out


def reversal_response(
    track: Track,
    at_s: tuple[float, ...] | None = None,
    where: str = "any",
    within_s: float = 3.0,
    min_s: float = 0.5,
) -> tuple[float, float]:
    """(stimuli followed within within_s by a reversal of at least min_s, stimuli)."""
    found = _onsets(track, stimuli_s(track, at_s, where), within_s, min_s)
    return float(sum(math.isfinite(wait) for _, wait in found)), float(len(found))


def reversal_latency_s(
    track: Track,
    at_s: tuple[float, ...] | None = None,
    where: str = "any",
    within_s: float = 3.0,
    min_s: float = 0.5,
) -> tuple[float, float]:
    """(seconds from stimulus to reversal, reversals): their mean."""
    waits = [w for _, w in _onsets(track, stimuli_s(track, at_s, where), within_s, min_s) if math.isfinite(w)]
    return sum(waits), float(len(waits))


def _changes(track: Track, times: list[float], before_s: float, delay_s: float, after_s: float) -> Array:
    v, t = along_body_L_per_s(track), track.time_s
    out = []
    for at in times:
        before = v[(t >= at - before_s) & (t < at)]
        after = v[(t >= at + delay_s) & (t < at + delay_s + after_s)]
        if len(before) and len(after):
            out.append(after.mean() - before.mean())
    return np.array(out)


def speed_change_mm_per_s(
    track: Track,
    at_s: tuple[float, ...] | None = None,
    where: str = "any",
    before_s: float = 3.0,
    delay_s: float = 0.5,
    after_s: float = 3.0,
) -> tuple[float, float]:
    """(sum over stimuli of velocity along the body after minus before, stimuli), mm/s; + is faster to the nose."""
    changes = _changes(track, stimuli_s(track, at_s, where), before_s, delay_s, after_s)
    return float(changes.sum()) * track.length_m * 1e3, float(len(changes))


def acceleration_response(
    track: Track,
    at_s: tuple[float, ...] | None = None,
    where: str = "any",
    before_s: float = 3.0,
    delay_s: float = 0.5,
    after_s: float = 3.0,
) -> tuple[float, float]:
    """(stimuli after which the animal goes forward faster by 0.02 body lengths/s or more, stimuli)."""
    changes = _changes(track, stimuli_s(track, at_s, where), before_s, delay_s, after_s)
    return float((changes > FASTER_L_PER_S).sum()), float(len(changes))
