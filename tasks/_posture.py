"""What measures build on: samples in time, postures as angles, and the rhythm of a kymograph of curvature."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bestiary.assets import registry
from bestiary.bodies._base import Array
from bestiary.errors import DataError
from bestiary.tasks._trial import Track

_MIN_HZ = 0.05
_MIN_SHARE = 0.4  # of the power within the band; white noise sampled at 20 Hz has less than 0.1
_MIN_BEND_L = 0.2  # rms change of curvature, 1/L, below which a body counts as still


def period_s(track: Track) -> float:
    """Time between samples, s."""
    return float(np.median(np.diff(track.time_s))) if len(track.time_s) > 1 else math.nan


def smoothed(x: Array, period: float, window_s: float) -> Array:
    """Running mean over window_s along the first axis; at the ends over what there is."""
    reach = round(window_s / period / 2)
    if reach < 1:
        return x
    total = np.concatenate([np.zeros_like(x[:1], dtype=float), np.cumsum(x, axis=0)])
    i = np.arange(len(x))
    half = np.minimum(np.minimum(i, len(x) - 1 - i), reach)  # symmetric at the ends, so that no speed is lost there
    count = (2 * half + 1).reshape(-1, *[1] * (x.ndim - 1))
    return (total[i + half + 1] - total[i - half]) / count


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
    return angles - angles.mean(1, keepdims=True)


def load_basis(name: str) -> Array | None:
    """The modes (n, n) of a registered data set, a column each; None where it is not at hand."""
    try:
        table = next(f for f in registry.entry(name).files if f.path.endswith(".csv"))
        return np.loadtxt(registry.path(name, table.path.split("/", 2)[2]), delimiter=",")
    except DataError:
        return None
