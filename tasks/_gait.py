"""Measures of undulation, for any body with a midline: rhythm, wave, speed, bending and posture space."""

from __future__ import annotations

import math

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._posture import Rhythm, load_basis, period_s, places, rhythm, smoothed, tangent_angles
from bestiary.tasks._states import bouts
from bestiary.tasks._trial import Track


def _rhythms(track: Track, states: str, min_s: float) -> list[tuple[float, Rhythm, slice]]:
    """(seconds, rhythm, samples) of each bout; states: "forward", or "all" for the whole track as one bout."""
    period = period_s(track)
    spans = bouts(track, states, min_s)
    curvature = track.curvature_per_m * track.length_m
    return [((b.stop - b.start) * period, rhythm(curvature[b], period, places(track)), b) for b in spans]


def _weighted(pairs: list[tuple[float, float]]) -> float:
    good = [(w, x) for w, x in pairs if math.isfinite(x)]
    return sum(w * x for w, x in good) / sum(w for w, _ in good) if good else math.nan


def frequency_Hz(track: Track, states: str = "forward", min_s: float = 4.0) -> float:
    """Undulation frequency, Hz: mean over bouts of at least min_s, weighted by their length; NaN without a rhythm."""
    return _weighted([(s, r.frequency_Hz) for s, r, _ in _rhythms(track, states, min_s)])


def rhythm_share(track: Track, states: str = "forward", min_s: float = 4.0) -> float:
    """Share of the power of the curvature that belongs to the rhythm, 0 to 1."""
    return _weighted([(s, r.share) for s, r, _ in _rhythms(track, states, min_s)])


def wavelength_L(track: Track, states: str = "forward", min_s: float = 4.0) -> float:
    """Wavelength along the body over body length; waves from tail to nose do not count."""
    each = [(s, r.wavelength_L) for s, r, _ in _rhythms(track, states, min_s)]
    return _weighted([(s, x) for s, x in each if x > 0])


def wave_speed_mm_per_s(track: Track, states: str = "forward", min_s: float = 4.0) -> float:
    """Speed of the wave along the body, frequency x wavelength, mm/s."""
    each = [(s, r.frequency_Hz * r.wavelength_L) for s, r, _ in _rhythms(track, states, min_s)]
    return _weighted([(s, x) for s, x in each if x > 0]) * track.length_m * 1e3


def along_axis_m_per_s(track: Track, smooth_s: float = 0.5) -> Array:
    """(T,) velocity of the centre of mass along the axis from tail to nose, m/s, over smooth_s."""
    axis = track.midline_m[:, 0] - track.midline_m[:, -1]
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1), 1e-12)[:, None]
    velocity = np.gradient(smoothed(track.com_m, period_s(track), smooth_s), track.time_s, axis=0)
    return (velocity * axis).sum(1)


def forward_speed_mm_per_s(track: Track, states: str = "forward", min_s: float = 1.0) -> float:
    """Mean velocity along the axis during forward bouts, mm/s; over everything with states="all"."""
    v = along_axis_m_per_s(track)
    spans = bouts(track, states, min_s)
    return float(np.concatenate([v[b] for b in spans]).mean()) * 1e3 if spans else 0.0


def centroid_speed_mm_per_s(track: Track, window_s: float = 1.0) -> float:
    """Mean speed of the centroid, smoothed over window_s, mm/s, whatever the animal does."""
    path = smoothed(track.com_m, period_s(track), window_s)
    return float(np.linalg.norm(np.gradient(path, track.time_s, axis=0), axis=1).mean()) * 1e3


def speed_over_wave_speed(track: Track, states: str = "forward", min_s: float = 4.0) -> float:
    """Speed along the axis over speed of the wave along the body: 1 is no slip, less the folding of the body."""
    v = along_axis_m_per_s(track)
    each = [
        (s, float(v[b].mean()) / (r.frequency_Hz * r.wavelength_L * track.length_m))
        for s, r, b in _rhythms(track, states, min_s)
        if r.wavelength_L > 0
    ]
    return _weighted(each)


def rms_curvature_per_mm(track: Track, states: str = "forward", min_s: float = 4.0) -> float:
    """Root mean square curvature over the whole body and the time of the bouts, 1/mm."""
    spans = bouts(track, states, min_s)
    if not spans:
        return math.nan
    return math.sqrt(float(np.mean(np.concatenate([track.curvature_per_m[b] for b in spans]) ** 2))) * 1e-3


def peak_curvature_per_mm(track: Track, states: str = "forward", min_s: float = 4.0) -> float:
    """Largest curvature along the body within one cycle, mean over the cycles, 1/mm.

    Our definition of the peak of Krajacic 2012 (Genetics 191:1015), who give no formula that could be followed.
    """
    period, peaks = period_s(track), []
    for _, r, b in _rhythms(track, states, min_s):
        if math.isfinite(r.frequency_Hz):
            cycle = max(1, round(1 / r.frequency_Hz / period))
            body = np.abs(track.curvature_per_m[b]).max(1)
            peaks += [body[i : i + cycle].max() for i in range(0, len(body) - cycle + 1, cycle)]
    return float(np.mean(peaks)) * 1e-3 if peaks else math.nan


def posture_variance(track: Track, modes: int = 4, basis: str | None = None) -> float:
    """Share of the variance of the tangent angles that lies in `modes` modes: the run's own, or those of a data set.

    basis: name of a registered data set that holds one CSV of modes, a column each; NaN where it is not at hand.
    """
    angles = tangent_angles(track)
    angles = angles - angles.mean(0)
    total = float((angles**2).sum())
    if total < 1e-9:
        return math.nan
    if basis is None:
        return float((np.linalg.svd(angles, compute_uv=False)[:modes] ** 2).sum()) / total
    if (shapes := load_basis(basis)) is None:
        return math.nan
    return float(((angles @ shapes[:, :modes]) ** 2).sum()) / total
