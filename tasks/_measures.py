"""Measures for fits: smooth everywhere, finite even for a body that hardly moves; those for reports are in measures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._trial import Track


def _dominant(track: Track) -> tuple[float, float, Array]:
    """(frequency Hz, wavenumber 1/L signed, modulation (n,) 1/mm) of the strongest component of the curvature."""
    k = track.curvature_per_m * 1e-3
    dynamic = k - k.mean(0)
    period = float(np.median(np.diff(track.time_s)))
    size = 8 * len(k)
    spectrum = np.fft.rfft(dynamic * np.hanning(len(k))[:, None], n=size, axis=0)
    hz = np.fft.rfftfreq(size, period)
    inner = slice(int(0.1 * k.shape[1]), int(0.9 * k.shape[1]))
    best = int((np.abs(spectrum[:, inner]) ** 2).sum(1)[1:].argmax()) + 1
    phase = np.unwrap(np.angle(spectrum[best, inner]))
    place = (np.arange(k.shape[1]) + 1)[inner] / (k.shape[1] + 1)
    weight = np.abs(spectrum[best, inner])
    slope = float(np.polyfit(place, phase, 1, w=weight)[0]) if weight.max() > 0 else 0.0
    return float(hz[best]), -slope / (2 * np.pi), dynamic.std(0)


def log_frequency(track: Track) -> float:
    """Natural logarithm of the dominant frequency in Hz."""
    return float(np.log(max(_dominant(track)[0], 0.02)))


def wavenumber_L(track: Track) -> float:
    """Waves per body length, positive from nose to tail."""
    return _dominant(track)[1]


def bending_per_mm(track: Track) -> float:
    """RMS of the changing part of curvature, 1/mm."""
    return float(np.sqrt((_dominant(track)[2] ** 2).mean()))


def asymmetry_per_mm(track: Track) -> float:
    """RMS over the body of the constant part of curvature, 1/mm."""
    return float(np.sqrt((track.curvature_per_m.mean(0) ** 2).mean())) * 1e-3


def tail_share(track: Track) -> float:
    """Smallest bending in the posterior half over the mean bending, at most 1."""
    amplitude = _dominant(track)[2]
    rear = amplitude[len(amplitude) // 2 : int(0.92 * len(amplitude))]
    return float(min(1.0, rear.min() / max(amplitude.mean(), 1e-9)))


def body_speed_mm_per_s(track: Track) -> float:
    """Mean velocity of the centre of mass toward the head, mm/s."""
    axis = track.midline_m[:, 0] - track.midline_m[:, -1]
    axis = axis / np.linalg.norm(axis, axis=1)[:, None]
    step = np.diff(track.com_m, axis=0)
    return float((step * axis[1:]).sum() / (track.time_s[-1] - track.time_s[0])) * 1e3


MEASURES: dict[str, Callable[[Track], float]] = {
    f.__name__: f
    for f in (log_frequency, wavenumber_L, bending_per_mm, asymmetry_per_mm, tail_share, body_speed_mm_per_s)
}
