"""What an animal does after a stimulus: backs off, speeds up, and how soon."""

from __future__ import annotations

import math

import numpy as np

from bestiary.tasks._posture import period_s, places, rhythm
from bestiary.tasks._states import REVERSING, along_body_L_per_s, direction
from bestiary.tasks._trial import Track

_RECALL_S = 10.0  # of the track before a stimulus, from which the period of the gait is taken


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


def _window_s(track: Track, at: float, delay_s: float, after_s: float) -> float:
    """A whole number of gait periods, at least after_s where the track is long enough; 0 where not one fits in.

    Speed swings with the phase of the gait: over parts of a period, animals that change nothing seem to.
    """
    room = float(track.time_s[-1]) - at - delay_s
    before = (track.time_s >= at - _RECALL_S) & (track.time_s < at)
    gait_s = math.nan
    if track.curvature_per_m.shape[1] and before.sum() > 16:
        gait_s = 1 / rhythm(track.curvature_per_m[before] * track.length_m, period_s(track), places(track)).frequency_Hz
    if not math.isfinite(gait_s):
        return min(after_s, room)
    return min(math.ceil(after_s / gait_s), math.floor(room / gait_s)) * gait_s


def speed_after_mm_per_s(
    track: Track,
    at_s: tuple[float, ...] | None = None,
    where: str = "any",
    delay_s: float = 0.5,
    after_s: float = 3.0,
) -> tuple[float, float]:
    """(sum over stimuli of the mean velocity along the body after them, stimuli), mm/s; + is towards the head.

    The mean is over whole periods of the gait before the stimulus, after_s or longer. Alone it says little: compare it
    with a sham of the same seed, whose animal was doing the same until the stimulus (how = "difference", "exceeds").
    """
    v, t = along_body_L_per_s(track), track.time_s
    means = []
    for at in stimuli_s(track, at_s, where):
        begin = at + delay_s
        if (kept := (t >= begin) & (t < begin + _window_s(track, at, delay_s, after_s))).any():
            means.append(float(v[kept].mean()))
    return sum(means) * track.length_m * 1e3, float(len(means))
