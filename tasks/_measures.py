"""Measures for fits: smooth everywhere, finite even for a body that hardly moves; those for reports are in measures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks import _bouts
from bestiary.tasks._posture import period_s, smoothed
from bestiary.tasks._responses import stimuli_s
from bestiary.tasks._states import SMOOTH_S, along_body_L_per_s
from bestiary.tasks._trial import Track


def _dominant(track: Track) -> tuple[float, float, Array, float]:
    """Of the strongest component: frequency Hz, wavenumber 1/L signed, modulation (n,) 1/mm, ripple rad."""
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
    line = np.polyfit(place, phase, 1, w=weight) if weight.max() > 0 else np.zeros(2)
    off = (phase - np.polyval(line, place)) ** 2
    ripple = float(np.sqrt((weight @ off) / max(weight.sum(), 1e-12)))
    return float(hz[best]), -float(line[0]) / (2 * np.pi), dynamic.std(0), ripple


def log_frequency(track: Track) -> float:
    """Natural logarithm of the dominant frequency in Hz."""
    return float(np.log(max(_dominant(track)[0], 0.02)))


def wavenumber_L(track: Track) -> float:
    """Waves per body length, positive from nose to tail."""
    return _dominant(track)[1]


def ripple_rad(track: Track) -> float:
    """RMS departure of the phase along the body from a straight line, rad: a wave that stands in part has much."""
    return _dominant(track)[3]


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


def _along_mm_per_s(track: Track) -> Array:
    """(T,) velocity along the body, + to the nose, smoothed as `direction` does."""
    return smoothed(along_body_L_per_s(track), period_s(track), SMOOTH_S) * track.length_m * 1e3


def backing_mm_per_s(track: Track) -> float:
    """Fastest backing within 3 s of touches on the front half, mean over them, at most 0.1."""
    v, t = _along_mm_per_s(track), track.time_s
    fastest = [-float(v[(t >= at) & (t < at + 3)].min()) for at in stimuli_s(track, where="front")]
    return float(np.mean(np.minimum(fastest, 0.1))) if fastest else np.nan


def unasked_mm_per_s(track: Track) -> float:
    """Fastest backing of all: what a sham should not bring out. 0 where it never backs."""
    return max(0.0, -float(_along_mm_per_s(track).min()))


def speeding_mm_per_s(track: Track, sham: Track) -> float:
    """Speed from 0.5 to 5 s after touches on the rear half, less that of the sham of the same seed at the same time:
    mean over touches, each at most 0.06."""
    gains = []
    for at in stimuli_s(track, where="rear"):
        touched, untouched = (t.between(at + 0.5, at + 5) for t in (track, sham))
        both = [float(along_body_L_per_s(t).mean()) * t.length_m * 1e3 for t in (touched, untouched)]
        gains.append(min(both[0] - both[1], 0.06))
    return float(np.mean(gains)) if gains else np.nan


MEASURES: dict[str, Callable[[Track], float]] = {
    f.__name__: f
    for f in (
        *(log_frequency, wavenumber_L, ripple_rad, bending_per_mm, asymmetry_per_mm, tail_share, body_speed_mm_per_s),
        *(backing_mm_per_s, unasked_mm_per_s),
        *(_bouts.bout_displacement_mm, _bouts.bout_duration_ms, _bouts.bout_peak_mm_per_s, _bouts.tail_beat_Hz),
        *(_bouts.strouhal, _bouts.bend_L),
    )
}
PAIRED: dict[str, Callable[[Track, Track], float]] = {"speeding_mm_per_s": speeding_mm_per_s}
