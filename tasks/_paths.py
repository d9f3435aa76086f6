"""Measures of where a body goes and how it turns, whatever moves it: speed, bouts, turns, saccades, search."""

from __future__ import annotations

import math

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._posture import period_s, smoothed
from bestiary.tasks._states import closed, runs
from bestiary.tasks._trial import Track

WALK_L_PER_S = 0.4  # below, a body of that length stands: 1 mm/s for a fly
_SMOOTH_S = 0.1  # about one stride of a fly: what sways with the steps is not the path


def within(track: Track, from_s: float | None, to_s: float | None) -> Array:
    """(T,) whether a sample lies from from_s until before to_s; None leaves that end open."""
    t = track.time_s
    return (t >= (-math.inf if from_s is None else from_s)) & (t < (math.inf if to_s is None else to_s))


def heading_rad(track: Track) -> Array:
    """(T,) where the body points, unwrapped, + to its left: pose["heading_rad"], else the axis from tail to nose."""
    if "heading_rad" in track.pose:
        return np.unwrap(track.pose["heading_rad"])
    axis = track.midline_m[:, 0] - track.midline_m[:, -1]
    return np.unwrap(np.arctan2(axis[:, 1], axis[:, 0]))


def turn_rate_deg_per_s(track: Track, smooth_s: float = _SMOOTH_S) -> Array:
    """(T,) turning, smoothed, + to the left, deg/s."""
    heading = smoothed(heading_rad(track), period_s(track), smooth_s)
    return np.degrees(np.gradient(heading, track.time_s))


def velocity_m_per_s(track: Track, smooth_s: float = _SMOOTH_S) -> tuple[Array, Array]:
    """(along the heading, to its left), (T,) each, of the centre of mass in the plane, m/s."""
    place = smoothed(track.com_m[:, :2], period_s(track), smooth_s)
    v = np.gradient(place, track.time_s, axis=0)
    heading = heading_rad(track)
    ahead, aside = np.stack([np.cos(heading), np.sin(heading)], 1), np.stack([-np.sin(heading), np.cos(heading)], 1)
    return (v * ahead).sum(1), (v * aside).sum(1)


def moving(track: Track, gap_s: float = 0.1) -> Array:
    """(T,) whether the body goes faster than 0.4 of its length a second in the plane; gaps below gap_s are filled."""
    fast = np.hypot(*velocity_m_per_s(track)) > WALK_L_PER_S * track.length_m
    return closed(fast, round(gap_s / period_s(track)))


def _mean(values: Array) -> tuple[float, float]:
    return float(values.sum()), float(len(values))


def walking_speed_mm_per_s(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """(sum, samples) of the speed in the plane while it moves, mm/s."""
    kept = moving(track) & within(track, from_s, to_s)
    return _mean(1e3 * np.hypot(*velocity_m_per_s(track))[kept])


def moving_share(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """(samples in motion, samples)."""
    return _mean(moving(track)[within(track, from_s, to_s)].astype(float))


def ahead_mm_per_s(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """(sum, samples) of the velocity along the heading, mm/s: negative is backward."""
    return _mean(1e3 * velocity_m_per_s(track)[0][within(track, from_s, to_s)])


def turn_deg_per_s(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """(sum, samples) of the turn rate, deg/s: + is to the left."""
    return _mean(turn_rate_deg_per_s(track)[within(track, from_s, to_s)])


def turning_deg_per_s(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """(sum, samples) of the turn rate whatever its side, deg/s: high in a search, low in a straight run."""
    return _mean(np.abs(turn_rate_deg_per_s(track))[within(track, from_s, to_s)])


def turn_transience(track: Track, from_s: float, to_s: float) -> float:
    """Share of the turn between from_s and to_s that its first half makes: 0.5 is a steady turn, 1 a transient one."""
    heading, t = heading_rad(track), track.time_s
    if not (t[0] <= from_s < to_s <= t[-1] + period_s(track)):
        return math.nan
    start, middle, stop = np.interp([from_s, (from_s + to_s) / 2, to_s], t, heading)
    return float((middle - start) / (stop - start)) if abs(stop - start) > math.radians(2) else math.nan


def _saccades(track: Track, least_deg: float, longest_s: float) -> list[tuple[float, float]]:
    """(deg, s) of each: turns of at least least_deg within 0.1 s that last no longer than longest_s."""
    rate, period = turn_rate_deg_per_s(track), period_s(track)
    heading = np.degrees(smoothed(heading_rad(track), period, 0.5 * _SMOOTH_S))
    reach = round(_SMOOTH_S / period / 2)  # the running mean began to move so much earlier, and is none at the ends
    rate[:reach] = rate[len(rate) - reach :] = 0
    out = []
    for sign in (1, -1):
        for run in runs(sign * rate > 0.5 * least_deg / _SMOOTH_S):
            seconds = (run.stop - run.start) * period
            if seconds > longest_s + _SMOOTH_S or (sign * rate[run]).max() < least_deg / _SMOOTH_S:
                continue
            first, last = max(run.start - reach, 0), min(run.stop - 1 + reach, len(heading) - 1)
            out.append((float(abs(heading[last] - heading[first])), seconds))
    return out


def saccade_deg(track: Track, least_deg: float = 8.0, longest_s: float = 0.3) -> tuple[float, float]:
    """(sum, number) of the body saccades' angles, deg.

    A saccade turns by least_deg or more within 0.1 s and is over after longest_s. Geurten 2014 (Front Behav Neurosci
    8:365) ask for 200 deg/s; over 0.1 s, which takes out the sway of the steps, 15 deg in 0.1 s have 150.
    """
    found = _saccades(track, least_deg, longest_s)
    return sum(a for a, _ in found), float(len(found))


def saccades_per_s(track: Track, least_deg: float = 8.0, longest_s: float = 0.3) -> tuple[float, float]:
    """(saccades, seconds in motion)."""
    return float(len(_saccades(track, least_deg, longest_s))), float(moving(track).sum()) * period_s(track)


def _median_run_s(flag: Array, period: float) -> float:
    whole = [r.stop - r.start for r in runs(flag) if r.start > 0 and r.stop < len(flag)]
    return float(np.median(whole)) * period if whole else math.nan


def bout_s(track: Track, gap_s: float = 0.1) -> float:
    """Median duration of the bouts of motion that begin and end within the track, s."""
    return _median_run_s(moving(track, gap_s), period_s(track))


def pause_s(track: Track, gap_s: float = 0.1) -> float:
    """Median duration of the pauses of gap_s or more that begin and end within the track, s."""
    return _median_run_s(~moving(track, gap_s), period_s(track))


def upwind_mm_per_s(track: Track, from_s: float | None = None, to_s: float | None = None) -> float:
    """Way gone against the wind over time, mm/s, from the task's `upwind_m`."""
    kept = within(track, from_s, to_s)
    x, t = track.info["upwind_m"][kept], track.time_s[kept]
    return 1e3 * float((x[-1] - x[0]) / (t[-1] - t[0])) if len(t) > 1 else math.nan


def with_motion_deg_per_s(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """(sum, samples) of the turn rate in the direction in which the surroundings turn (`pattern_deg_per_s`), deg/s."""
    pattern = track.info["pattern_deg_per_s"]
    kept = within(track, from_s, to_s) & (pattern != 0)
    return _mean((turn_rate_deg_per_s(track) * np.sign(pattern))[kept])


def optomotor_gain(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """Turn rate over that of the surroundings: 1 keeps pace with them."""
    pattern = track.info["pattern_deg_per_s"]
    kept = within(track, from_s, to_s) & (pattern != 0)
    rate = turn_rate_deg_per_s(track)[kept] * np.sign(pattern[kept])
    return float(rate.sum()), float(np.abs(pattern[kept]).sum())


def heading_error_deg(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """(sum, samples) of the angle between heading and goal (`heading_error_rad`), deg, whatever its side."""
    return _mean(np.degrees(np.abs(track.info["heading_error_rad"][within(track, from_s, to_s)])))


def compass_error_deg(
    track: Track, probe: str = "heading_rad", from_s: float | None = None, to_s: float | None = None
) -> float:
    """Circular standard deviation of (the brain's own heading - the body's), deg: whatever the offset, 0 follows it.

    The brain's heading is the probe of that name (`Assay.probe`).
    """
    kept = within(track, from_s, to_s)
    apart = np.exp(1j * (track.info[f"probe {probe}"] - heading_rad(track)))[kept]
    length = abs(apart.mean()) if len(apart) else 0.0
    return math.degrees(math.sqrt(-2 * math.log(length))) if length > 0 else math.nan


def altitude_error_mm(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """(sum, samples) of the distance from the altitude that was asked for (`altitude_error_m`), mm."""
    return _mean(1e3 * np.abs(track.info["altitude_error_m"][within(track, from_s, to_s)]))


def climbed_mm(track: Track, from_s: float | None = None, to_s: float | None = None) -> float:
    """Height that the centre of mass gains, mm."""
    height = track.com_m[within(track, from_s, to_s), 2]
    return 1e3 * float(height[-1] - height[0]) if len(height) else math.nan


def ended_early(track: Track) -> tuple[float, float]:
    """(1 where the world ended the trial before its time, as after a fall; 1)."""
    return float(bool(track.ended)), 1.0
