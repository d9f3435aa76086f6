"""What is measured of a series: windows for classifiers, and numbers that describe one animal."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from bestiary.bodies._base import Array

SPECTRUM_BINS = 12


def windows(z: Array, frames: int, most: int) -> Array:
    """(w, frames, k): evenly spread windows of a (T, k) series that hold no gap, at most `most`."""
    if len(z) < frames:
        return np.empty((0, frames, z.shape[1]))
    count = min(most, max(1, 2 * len(z) // frames - 1))
    starts = np.unique(np.linspace(0, len(z) - frames, count).astype(int))
    out = z[starts[:, None] + np.arange(frames)]
    return out[np.isfinite(out).all((1, 2))]


def _pairs(k: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(k), 2))


def window_features(x: Array, rate_Hz: float, channels: Sequence[str] = ()) -> tuple[Array, list[str]]:
    """(w, d) features of (w, n, k) windows, and their names, with those of channels if given: level, spread, extremes,
    products at several lags (the autocorrelation), products between channels, and sums that change their sign when time
    is reversed."""
    w, n, k = x.shape
    out: list[Array] = []
    names: list[str] = []

    def add(value: Array, text: str, over: list[str]) -> None:
        out.append(value.reshape(w, -1))
        names.extend(f"{text} {o}" for o in over)

    each = list(channels) or [str(i) for i in range(k)]
    mean = x.mean(1)
    add(mean, "mean", each)
    if n == 1:
        add(mean**2, "square", each)
        if k > 1:
            i, j = np.array(_pairs(k)).T
            add(mean[:, i] * mean[:, j], "product", [f"{each[a]}*{each[b]}" for a, b in _pairs(k)])
        return np.concatenate(out, 1), names
    dev = x - mean[:, None]
    step = np.diff(x, axis=1)
    sd = np.sqrt((dev**2).mean(1)) + 1e-6
    add(np.log(sd), "log SD", each)
    add(np.log(np.abs(step).mean(1) + 1e-6), "log step", each)
    add(step.mean(1), "trend", each)
    add(mean**2, "square", each)
    if n >= 4:
        add(x.max(1), "max", each)
        add(x.min(1), "min", each)
        add(((dev / sd[:, None]) ** 3).mean(1), "skew", each)
        add((step**3).mean(1) / ((step**2).mean(1) ** 1.5 + 1e-9), "arrow: step skew", each)
        add(np.log((np.diff(step, axis=1) ** 2).mean(1) + 1e-9), "log curvature", each)
    lags = sorted({lag for lag in (1, n // 16, n // 8, n // 4) if 1 <= lag < n}) if n >= 4 else []
    for lag in lags:
        a, b = dev[:, :-lag], dev[:, lag:]
        seconds = f"{lag / rate_Hz:.2g} s"
        add((a * b).mean(1) / sd**2, f"autocorrelation {seconds}", each)
        add((a * a * b - a * b * b).mean(1) / sd**3, f"arrow: {seconds}", each)
        if k > 1:
            i, j = np.array(_pairs(k)).T
            turn = (a[:, :, i] * b[:, :, j] - a[:, :, j] * b[:, :, i]).mean(1) / (sd[:, i] * sd[:, j])
            add(turn, f"arrow: turn {seconds}", [f"{each[p]}->{each[q]}" for p, q in _pairs(k)])
    if k > 1:
        i, j = np.array(_pairs(k)).T
        add(
            (dev[:, :, i] * dev[:, :, j]).mean(1) / (sd[:, i] * sd[:, j]),
            "coupling",
            [f"{each[p]},{each[q]}" for p, q in _pairs(k)],
        )
    return np.clip(np.concatenate(out, 1), -20, 20), names


def quantiles(z: Array, n: int = 21) -> Array:
    """(n * k,) quantiles of each channel: the Euclidean distance of two is near their Wasserstein distance."""
    return np.nanquantile(z, np.linspace(0.01, 0.99, n), axis=0).T.ravel()


def spectrum(z: Array, rate_Hz: float, seconds: float = 16.0) -> Array:
    """(bins * k,) square root of the power in logarithmic bands over that of all, mean of Hann windows without gaps:
    the Euclidean distance of two is a Hellinger distance."""
    n = min(len(z), max(8, round(seconds * rate_Hz)))
    x = windows(z, n, 4000)
    if not len(x):
        return np.full(SPECTRUM_BINS * z.shape[1], np.nan)
    power = (np.abs(np.fft.rfft((x - x.mean(1, keepdims=True)) * np.hanning(n)[:, None], axis=1)) ** 2).mean(0)
    hz = np.fft.rfftfreq(n, 1 / rate_Hz)
    edges = np.geomspace(hz[1] * 0.999, hz[-1] * 1.001, SPECTRUM_BINS + 1)
    band = np.searchsorted(edges, hz[1:]) - 1
    share = np.stack([power[1:][band == b].sum(0) for b in range(SPECTRUM_BINS)])
    return np.sqrt(share / np.maximum(share.sum(0), 1e-12)).T.ravel()


def lagged(z: Array, rate_Hz: float, seconds: tuple[float, ...] = (0.0, 0.25, 1.0)) -> Array:
    """Correlations between channels at lags of both signs: how the channels hang together."""
    k = z.shape[1]
    dev = z - np.nanmean(z, 0)
    dev = dev / np.maximum(np.nanstd(z, 0), 1e-9)
    out = []
    for lag in sorted({round(s * rate_Hz) for s in seconds}):
        if lag >= len(z):
            continue
        a, b = dev[: len(z) - lag], dev[lag:]
        for i in range(k):
            for j in range(k):
                if i != j and (lag or i < j):
                    out.append(np.nanmean(a[:, i] * b[:, j]))
    return np.array(out)


def arrow(z: Array, rate_Hz: float, seconds: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0)) -> Array:
    """Numbers that change sign when time runs backward: third moments at lags, circulation between channels (0 for any
    reversible process)."""
    k = z.shape[1]
    dev = (z - np.nanmean(z, 0)) / np.maximum(np.nanstd(z, 0), 1e-9)
    out = []
    for lag in sorted({max(1, round(s * rate_Hz)) for s in seconds}):
        if lag >= len(z):
            continue
        a, b = dev[:-lag], dev[lag:]
        out += list(np.nanmean(a * a * b - a * b * b, 0))
        out += list(np.nanmean((b - a) ** 3, 0) / np.maximum(np.nanmean((b - a) ** 2, 0), 1e-9) ** 1.5)
        out += [np.nanmean(a[:, i] * b[:, j] - a[:, j] * b[:, i]) for i, j in _pairs(k)]
    return np.array(out)


def summary(z: Array, rate_Hz: float) -> Array:
    """A few robust numbers of one animal, for its individuality: level, spread, step and autocorrelation a channel. NaN
    where all of it is a gap."""
    if not np.isfinite(z).any(0).all():
        return np.full(4 * z.shape[1], np.nan)
    dev = z - np.nanmean(z, 0)
    lag = max(1, round(0.5 * rate_Hz))
    var = np.maximum(np.nanmean(dev**2, 0), 1e-12)
    auto = _mean(dev[:-lag] * dev[lag:]) / var if len(z) > lag else np.zeros(z.shape[1])
    step = np.log(_mean(np.abs(np.diff(z, axis=0))) + 1e-9)
    return np.concatenate([np.nanmean(z, 0), 0.5 * np.log(var), step, auto])


def _mean(x: Array) -> Array:
    """Over frames; NaN for a channel that has none."""
    good = np.isfinite(x)
    n = good.sum(0)
    return np.where(good, x, 0).sum(0) / np.where(n, n, np.nan)
