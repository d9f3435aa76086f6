"""Forecasts of neural activity: error by horizon, and skill against what needs no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bestiary.bodies._base import Array
from bestiary.errors import DataError


def mae(forecast: Array, truth: Array) -> Array:
    """(H,) mean absolute error by horizon of (W, H, F) forecasts, over windows and channels (ZAPBench,
    arXiv:2503.02618)."""
    return np.nanmean(np.abs(forecast - truth), axis=(0, 2))


def crps(ensemble: Array, truth: Array) -> Array:
    """(H,) continuous ranked probability score of an ensemble (E, W, H, F): E|X - y| - E|X - X'| / 2 (Gneiting and
    Raftery 2007, J Am Stat Assoc 102:359), pairs of different members only. For one member it is the absolute error."""
    members = len(ensemble)
    spread = np.zeros(truth.shape)
    ranked = np.sort(ensemble, 0)
    if members > 1:
        weight = 2 * np.arange(members) - members + 1
        spread = np.tensordot(weight, ranked, 1) / (members * (members - 1))
    return np.nanmean(np.abs(ensemble - truth).mean(0) - spread, axis=(0, 2))


def baselines(train: Array, last: Array, horizon: int) -> dict[str, Array]:
    """(W, H, F) forecasts that need no model. train (T, F): what the baseline may see; last (W, F): the frame before
    each window. mean; persistence; AR(1), each channel falling back to its mean by its autocorrelation."""
    mean = np.nanmean(train, 0)
    dev = train - mean
    phi = np.nansum(dev[1:] * dev[:-1], 0) / np.maximum(np.nansum(dev[:-1] ** 2, 0), 1e-12)
    power = np.clip(phi, -1, 1)[None, :] ** np.arange(1, horizon + 1)[:, None]
    shape = (len(last), horizon, train.shape[1])
    return {
        "mean": np.broadcast_to(mean, shape),
        "persistence": np.broadcast_to(last[:, None], shape),
        "AR(1)": mean + power[None] * (last - mean)[:, None],
    }


@dataclass(frozen=True)
class Skill:
    """(H,) each: 1 - error / error of the baseline; `least` against the best baseline at each horizon. until: frames up
    to which forecasts are scored (where repeats still predict each other)."""

    by: Mapping[str, Array]
    least: Array
    until: int

    @property
    def value(self) -> float:
        """Mean skill against the best baseline, up to `until`; NaN where nothing is predictable."""
        return float(np.mean(self.least[: self.until])) if self.until else float("nan")


def skill(forecast: Array, truth: Array, train: Array, last: Array, until: int | None = None) -> Skill:
    """Raises DataError where the shapes of forecast and truth differ: a forecast that is cut short is not scored."""
    if forecast.shape != truth.shape:
        raise DataError(
            f"the forecast has shape {forecast.shape}, the truth {truth.shape}: (windows, horizon, channels)"
        )
    error = mae(forecast, truth)
    by = {k: 1 - error / np.maximum(mae(v, truth), 1e-12) for k, v in baselines(train, last, truth.shape[1]).items()}
    least = np.min(list(by.values()), 0)
    return Skill(by, least, truth.shape[1] if until is None else until)


def predictable(trials: Array) -> int:
    """Frames up to which repeats (n, T, F) of one stimulus predict each other better than the mean does: each trial
    against the mean of the others, the first frame where that skill reaches 0."""
    n = len(trials)
    if n < 2:
        return 0
    others = (trials.sum(0) - trials) / (n - 1)
    flat = trials.mean((0, 1))
    error = np.abs(trials - others).mean((0, 2))
    plain = np.abs(trials - flat).mean((0, 2))
    lost = np.flatnonzero(error >= plain)
    return int(lost[0]) if len(lost) else trials.shape[1]


def feve(answers: Array, prediction: Array, least: float = 0.15) -> Array:
    """(neurons,) share of the variance between stimuli that a prediction explains of what repeats have in common: 1 -
    (error - noise) / (total - noise), for neurons of which at least `least` of the variance can be explained, NaN for
    others (Willeke 2022, arXiv:2206.08666). answers (repeats, stimuli, neurons), prediction (stimuli, neurons).
    """
    if len(answers) < 2 or prediction.shape != answers.shape[1:]:
        raise DataError(f"answers {answers.shape} are (two repeats or more, stimuli, neurons), got {prediction.shape}")
    total = answers.var((0, 1), ddof=1)
    noise = answers.var(0, ddof=1).mean(0)
    error = ((answers - prediction) ** 2).mean((0, 1))
    good = total - noise >= least * np.maximum(total, 1e-12)
    return np.where(good, 1 - (error - noise) / np.where(good, total - noise, 1), np.nan)


def observe(activity: Array, rate_Hz: float, out_Hz: float, decay_s: float, noise: float, seed: int = 0) -> Array:
    """Model activity (T, F) as the recording would see it: indicator (exponential decay_s), frame rate, noise (SD, in
    units of each channel's SD). Raises DataError where out_Hz does not divide rate_Hz."""
    every = rate_Hz / out_Hz
    if abs(every - round(every)) > 1e-6 or every < 1:
        raise DataError(f"{out_Hz:g} Hz does not divide {rate_Hz:g} Hz: nothing is interpolated here")
    keep = np.exp(-1 / (decay_s * rate_Hz)) if decay_s > 0 else 0.0
    seen = np.empty_like(activity, dtype=float)
    state = activity[0].astype(float)
    for t, x in enumerate(activity):
        state = keep * state + (1 - keep) * x
        seen[t] = state
    seen = seen[:: round(every)]
    return seen + noise * seen.std(0) * np.random.default_rng(seed).standard_normal(seen.shape)
