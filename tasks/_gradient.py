"""How an animal finds a source: indices, turns against the change of concentration, curving against its slope."""

from __future__ import annotations

import math

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._posture import period_s, smoothed
from bestiary.tasks._states import FORWARD, REVERSING, TURNING, closed, runs, states
from bestiary.tasks._trial import Track


def chemotaxis_index(track: Track) -> float:
    """Mean over time of 1 - r/r0, r the distance to the source (Izquierdo & Beer 2013 PLoS Comput Biol 9:e1002890)."""
    return float(track.info["chemotaxis_index"][-1])


def plate_index(track: Track, radius: float = 0.3) -> float:
    """One animal's vote in the index of a plate: +1 where it first comes within `radius` of the way from start to
    source around the source, -1 around the mirror image of the source, 0 where it reaches neither.

    The mean over animals is (at the source - at the control) / all, Bargmann 1993 (Cell 74:515), whose azide holds
    each animal where it first arrives.
    """
    source = np.array([track.info["source_x_m"][0], track.info["source_y_m"][0]])
    reach = radius * float(np.linalg.norm(source))
    nose = track.midline_m[:, 0, :2]
    at = [np.flatnonzero(np.linalg.norm(nose - s, axis=1) < reach) for s in (source, -source)]
    first = [int(hits[0]) if len(hits) else math.inf for hits in at]
    return 0.0 if first[0] == first[1] else math.copysign(1.0, first[1] - first[0])


def _turn_starts(track: Track) -> Array:
    """(T,) whether a turn or a reversal begins: the pirouettes of Pierce-Shimomura 1999, each begin counted once."""
    now = states(track)
    away = (now == REVERSING) | (now == TURNING)
    away = closed(away, round(2 / period_s(track)))  # turns with short runs between are one pirouette
    starts = np.zeros(len(now), bool)
    starts[[b.start for b in runs(away) if b.start > 0]] = True
    return starts


def _change_per_s(track: Track, window_s: float) -> Array:
    return np.gradient(smoothed(track.info["concentration"], period_s(track), window_s), track.time_s)


def turns_per_min(track: Track, change: str = "any", window_s: float = 4.0) -> tuple[float, float]:
    """(pirouettes begun, minutes) while the concentration, smoothed over window_s, goes "up", "down" or "any"."""
    rate = _change_per_s(track, window_s)
    when = {"up": rate > 0, "down": rate < 0, "any": np.isfinite(rate)}[change]
    return float((_turn_starts(track) & when).sum()), float(when.sum()) * period_s(track) / 60


def turn_bias(track: Track, window_s: float = 4.0) -> float:
    """Pirouettes per minute while the concentration falls minus while it rises: + is klinokinesis towards the source
    (Pierce-Shimomura 1999, J Neurosci 19:9557). NaN where it only rose or only fell."""
    down, down_min = turns_per_min(track, "down", window_s)
    up, up_min = turns_per_min(track, "up", window_s)
    return down / down_min - up / up_min if min(up_min, down_min) > 0 else math.nan


def curving_slope(track: Track, window_s: float = 4.0, step_s: float = 0.5) -> tuple[float, float]:
    """(covariance, variance): summed over tracks their quotient is the slope of curving rate (deg/mm) on the gradient
    across the path (concentration/mm), + where the path bends up the gradient; klinotaxis, as Iino & Yoshida 2009
    (J Neurosci 29:5370). The path is that of the centroid, smoothed over window_s; turns and reversals are left out.
    """
    every = max(1, round(step_s / period_s(track)))
    path = smoothed(track.com_m[:, :2], period_s(track), window_s)[::every]
    runs_forward = smoothed((states(track) == FORWARD).astype(float), period_s(track), window_s)[::every] > 0.999
    step = np.diff(path, axis=0)
    length_mm = np.linalg.norm(step, axis=1) * 1e3
    heading = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    mean_mm = (length_mm[1:] + length_mm[:-1]) / 2
    left = np.stack([-np.sin(heading), np.cos(heading)], 1)
    gradient = np.stack([track.info["gradient_x_per_m"], track.info["gradient_y_per_m"]], 1)
    gradient = smoothed(gradient, period_s(track), window_s)[::every][1:-1] * 1e-3
    lateral = (gradient * (left[1:] + left[:-1]) / 2).sum(1)
    good = runs_forward[1:-1] & (mean_mm > 1e-3 * track.length_m * 1e3 * step_s)
    if good.sum() < 5:
        return 0.0, 0.0
    curving = np.degrees(np.diff(heading))[good] / mean_mm[good]
    lateral = lateral[good] - lateral[good].mean()
    return float(lateral @ curving), float(lateral @ lateral)
