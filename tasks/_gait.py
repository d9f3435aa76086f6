"""Measures of undulation, for any body with a midline: rhythm, wave, speed, bending and posture space."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._states import bouts
from bestiary.tasks._trial import Track

_MIN_HZ = 0.05
_MIN_SHARE = 0.4  # of the power within the band; white noise sampled at 20 Hz has less than 0.1
_MIN_BEND_L = 0.2  # rms change of curvature, 1/L, below which a body counts as still


@dataclass(frozen=True)
class Rhythm:
    """frequency_Hz: of the strongest rhythm, NaN where there is none. share: of the power of the curvature that lies
    within 40 % of that frequency (also where the rhythm is too weak to be called one). wavelength_L: in body lengths,
    positive where the wave runs from nose to tail. mode (n,): complex, the wave along the body (leading eigenvector of
    the cross-spectral matrix in the band)."""

    frequency_Hz: float
    share: float
    wavelength_L: float
    mode: Array


def places(track: Track) -> Array:
    """(n_joints,) places along the body where curvature is known, 0 nose to 1 tail."""
    n = track.curvature_per_m.shape[1]
    return np.arange(1, n + 1) / (n + 1)


def rhythm(curvature_L: Array, period_s: float, place: Array, front: float = 0.2, rear: float = 0.8) -> Rhythm:
    """The rhythm of a curvature kymograph (T, n) in 1/L, sampled every period_s at `place` (n,) of the body.

    Frequency: peak of the Hann-windowed spectrum averaged over the body from `front` to `rear`. Wavelength: slope of
    the phase along that stretch, as Fang-Yen 2010 (PNAS 107:20323) take it from the lag of curvature.
    """
    inner = (place >= front) & (place <= rear)
    x = curvature_L[:, inner] - curvature_L[:, inner].mean(0)
    n = len(x)
    nothing = Rhythm(math.nan, 0.0, math.nan, np.zeros(inner.sum(), complex))
    if n < 16 or math.sqrt(float((x**2).mean())) < _MIN_BEND_L:
        return nothing
    spectrum = np.fft.rfft(x * np.hanning(n)[:, None], 1 << (8 * n).bit_length(), axis=0)
    hz = np.fft.rfftfreq(1 << (8 * n).bit_length(), period_s)
    power = (np.abs(spectrum) ** 2).sum(1)
    allowed = np.flatnonzero((hz >= max(_MIN_HZ, 1 / (n * period_s))) & (hz <= 0.4 / period_s))
    peak = int(allowed[power[allowed].argmax()])
    below, top, above = np.log(power[peak - 1 : peak + 2] + 1e-300)
    frequency = float(hz[peak] + hz[1] * 0.5 * (below - above) / min(below - 2 * top + above, -1e-12))
    # a short record cannot resolve 40 % of a slow rhythm: the main lobe of the window counts as the rhythm
    half = max(0.4 * frequency, 2 / (n * period_s))
    band = np.abs(hz - frequency) <= half
    share = float(power[band].sum() / power.sum())
    cross = spectrum[band].T @ spectrum[band].conj()
    mode = np.linalg.eigh(cross)[1][:, -1]
    if share < _MIN_SHARE or frequency <= 0:
        return Rhythm(math.nan, share, math.nan, mode)
    weight = np.abs(mode)
    slope = np.polyfit(place[inner], np.unwrap(np.angle(mode)), 1, w=weight)[0]
    wavelength = -2 * math.pi / slope if abs(slope) > 0.3 else math.nan  # over 20 body lengths: a standing wave
    return Rhythm(frequency, share, float(wavelength), mode)


def _rhythms(track: Track, states: str, min_s: float) -> list[tuple[float, Rhythm, slice]]:
    """(seconds, rhythm, samples) of each bout; states: "forward", or "all" for the whole track as one bout."""
    period = period_s(track)
    spans = bouts(track, states, min_s)
    curvature = track.curvature_per_m * track.length_m
    return [((b.stop - b.start) * period, rhythm(curvature[b], period, places(track)), b) for b in spans]


def period_s(track: Track) -> float:
    """Time between samples, s."""
    return float(np.median(np.diff(track.time_s))) if len(track.time_s) > 1 else math.nan


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
    return (velocity * axis).sum(1)  # type: ignore[no-any-return]


def smoothed(x: Array, period: float, window_s: float) -> Array:
    """Running mean over window_s along the first axis; at the ends over what there is."""
    reach = round(window_s / period / 2)
    if reach < 1:
        return x
    total = np.concatenate([np.zeros_like(x[:1], dtype=float), np.cumsum(x, axis=0)])
    i = np.arange(len(x))
    half = np.minimum(np.minimum(i, len(x) - 1 - i), reach)  # symmetric at the ends, so that no speed is lost there
    count = (2 * half + 1).reshape(-1, *[1] * (x.ndim - 1))
    return (total[i + half + 1] - total[i - half]) / count  # type: ignore[no-any-return]


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


def tangent_angles(track: Track, n: int = 100) -> Array:
    """(T, n) tangent angles nose to tail, rad, mean over the body removed (Stephens 2008, PLoS Comput Biol
    4:e1000028). From the curvature, so that a body that rolls keeps its own dorsal side."""
    curvature = track.curvature_per_m * track.length_m
    joints = curvature.shape[1]
    links = np.concatenate([np.zeros((len(curvature), 1)), np.cumsum(curvature / (joints + 1), axis=1)], axis=1)
    at = (np.arange(n) + 0.5) / n * (joints + 1) - 0.5  # the links' middles are at 0, 1, ...
    at = np.clip(at, 0, joints)
    low = np.minimum(at.astype(int), joints - 1)
    angles = links[:, low] * (1 - (at - low)) + links[:, low + 1] * (at - low)
    return angles - angles.mean(1, keepdims=True)  # type: ignore[no-any-return]


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


def load_basis(name: str) -> Array | None:
    """The modes (n, n) of a registered data set, a column each; None where it is not at hand."""
    from bestiary.assets import registry
    from bestiary.errors import DataError

    try:
        table = next(f for f in registry.entry(name).files if f.path.endswith(".csv"))
        return np.loadtxt(registry.path(name, table.path.split("/", 2)[2]), delimiter=",")
    except DataError:
        return None
