"""One way from positions to channels for recorded and simulated animals: frame rate, tracking noise, smoothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.errors import DataError
from bestiary.tasks._posture import smoothed
from bestiary.tasks._trial import Track
from bestiary.tasks.turing.series import Series

CENTROID = ("speed_mm_per_s", "acceleration_mm_per_s2", "turn_rad_per_s")
BOUTS = ("distance_mm", "turn_deg", "interval_s")
_SLOW_M_PER_S = 3e-5  # below this a direction means nothing


def tracking_noise_m(xy_m: Array) -> float:
    """SD of the position of one frame, m: from third differences, in which smooth motion vanishes; white noise of SD s
    gives them a variance of 20 s^2."""
    third = np.diff(xy_m, 3, axis=0)
    return float(1.4826 * np.nanmedian(np.abs(third)) / np.sqrt(20))


def centroid(name: str, xy_m: Array, rate_Hz: float, smooth_s: float, out_Hz: float) -> Series:
    """(T, 2) positions in m to speed, acceleration and rate of turning of the path, smoothed over smooth_s, one sample
    in rate_Hz / out_Hz. DataError where out_Hz does not divide rate_Hz."""
    every = rate_Hz / out_Hz
    if abs(every - round(every)) > 1e-3 or every < 1:
        raise DataError(f"{name}: {out_Hz:g} Hz does not divide {rate_Hz:g} Hz")
    bad = ~np.isfinite(xy_m).all(1)
    if bad.any():  # each piece by itself: a smoother carries a gap over the whole recording
        edges = np.flatnonzero(np.diff(np.r_[1, bad.astype(int), 1])).reshape(-1, 2)
        whole = np.full((len(xy_m), 3), np.nan)
        for start, stop in edges:
            if stop - start >= max(4, round(smooth_s * rate_Hz)):
                whole[start:stop] = centroid(name, xy_m[start:stop], rate_Hz, smooth_s, rate_Hz).values
        return Series(name, out_Hz, whole[:: round(every)], CENTROID)
    path = smoothed(xy_m, 1 / rate_Hz, smooth_s)
    v = np.gradient(path, axis=0) * rate_Hz
    a = np.gradient(v, axis=0) * rate_Hz
    speed = np.linalg.norm(v, axis=1)
    turn = (v[:, 0] * a[:, 1] - v[:, 1] * a[:, 0]) / (speed**2 + _SLOW_M_PER_S**2)
    along = (v * a).sum(1) / (speed + _SLOW_M_PER_S)
    values = np.stack([1e3 * speed, 1e3 * along, np.clip(turn, -6, 6)], 1)
    return Series(name, out_Hz, values[:: round(every)], CENTROID)


def from_track(track: Track, options: Mapping[str, Any], noise_m: float) -> Series:
    """A simulated animal as the camera would have seen it. options: of the reference (`behaviour` in turing.toml)."""
    rng = np.random.default_rng([track.seed, 77])
    kind = options.get("pipeline", "centroid")
    name = f"seed {track.seed}"
    if kind == "bouts":
        return bouts(name, track.time_s, track.com_m[:, :2], track.midline_m)
    if kind != "centroid":
        raise DataError(f"no pipeline {kind!r} for simulated tracks")
    rate = float(options["camera_Hz"])
    times = np.arange(track.time_s[0], track.time_s[-1], 1 / rate)
    seen = np.stack([np.interp(times, track.time_s, track.com_m[:, i]) for i in (0, 1)], 1)
    seen += noise_m * rng.standard_normal(seen.shape)
    return centroid(name, seen, rate, float(options["smooth_s"]), float(options["out_Hz"]))


def bouts(name: str, time_s: Array, xy_m: Array, midline_m: Array, still_m_per_s: float = 2e-3) -> Series:
    """Swimming in bouts, a row each: distance, turn of the body axis, and time to the next (the rate counts bouts: it
    is 1). A bout: the speed stays over still_m_per_s for 50 ms or more."""
    period = float(np.median(np.diff(time_s)))
    speed = np.linalg.norm(np.gradient(smoothed(xy_m, period, 0.04), time_s, axis=0), axis=1)
    moving = np.r_[0, (speed > still_m_per_s).astype(int), 0]
    edges = np.flatnonzero(np.diff(moving)).reshape(-1, 2)
    edges = edges[(edges[:, 1] - edges[:, 0]) * period >= 0.05]
    if len(edges) < 2:
        return Series(name, 1.0, np.full((1, 3), np.nan), BOUTS)
    edges = np.minimum(edges, len(time_s) - 1)
    axis = midline_m[:, 0, :2] - midline_m[:, -1, :2]
    heading = np.unwrap(np.arctan2(axis[:, 1], axis[:, 0]))
    start, stop = edges[:-1, 0], edges[:-1, 1]
    distance = 1e3 * np.linalg.norm(xy_m[stop] - xy_m[start], axis=1)
    turn = np.degrees(heading[stop] - heading[start])
    return Series(name, 1.0, np.stack([distance, turn, np.diff(time_s[edges[:, 0]])], 1), BOUTS)
