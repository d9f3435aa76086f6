"""Measures of recorded cells: rates, tuning to gratings, spikes per touch. Of `Track.info`: "Hz <name>" per sample."""

from __future__ import annotations

import fnmatch
import math

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._paths import within
from bestiary.tasks._posture import period_s
from bestiary.tasks._trial import Track


def _cells(track: Track, cells: str) -> Array:
    """(n, T) rates of the recorded names that a pattern fits, Hz; several patterns are joined by +."""
    wanted = cells.split("+")
    names = [k for k in track.info if k.startswith("Hz ") and any(fnmatch.fnmatchcase(k[3:], w) for w in wanted)]
    return np.array([track.info[k] for k in names]).reshape(len(names), len(track.time_s))


def cell_rate_Hz(
    track: Track, cells: str, while_: str = "", from_s: float | None = None, to_s: float | None = None
) -> tuple[float, float]:
    """(sum, samples) of the rate of recorded cells, Hz. while_: "on", only while the task tells `on`; "off", else."""
    kept = within(track, from_s, to_s)
    if while_:
        kept &= (track.info["on"] > 0) == (while_ == "on")
    rates = _cells(track, cells)[:, kept]
    return float(rates.sum()), float(rates.size)


def rate_spread(track: Track, cells: str, from_s: float | None = None, to_s: float | None = None) -> float:
    """Standard deviation of ln(rate) over recorded cells that fired; NaN below 8 of them."""
    mean = _cells(track, cells)[:, within(track, from_s, to_s)].mean(1)
    mean = mean[mean > 0]
    return float(np.log(mean).std(ddof=1)) if len(mean) >= 8 else math.nan


def selectivity(track: Track, cells: str, kind: str = "OSI", least_Hz: float = 0.1) -> tuple[float, float]:
    """(sum, cells) of the global orientation (kind "OSI") or direction ("DSI") selectivity of recorded cells: the
    length of the mean of exp(2i direction) or exp(i direction), weighted by the rate while each is shown. Cells below
    least_Hz are left out. Noise of counting makes it larger in cells with few spikes: see `selectivity_shuffled`.
    """
    return _selectivity(track, cells, kind, least_Hz, None)


def selectivity_shuffled(
    track: Track, cells: str, kind: str = "OSI", least_Hz: float = 0.1, draws: int = 20
) -> tuple[float, float]:
    """The same with the directions of the gratings permuted: what is left is the noise of counting."""
    rng = np.random.default_rng(track.seed)
    each = [_selectivity(track, cells, kind, least_Hz, rng) for _ in range(draws)]
    return sum(a for a, _ in each) / draws, each[0][1] if each else 0.0


def _selectivity(
    track: Track, cells: str, kind: str, least_Hz: float, rng: np.random.Generator | None
) -> tuple[float, float]:
    on, trial = track.info["on"] > 0, track.info["trial"].astype(int)
    rates = _cells(track, cells)
    shown = np.unique(trial[on])
    if not len(shown) or not len(rates):
        return 0.0, 0.0
    per = np.array([rates[:, on & (trial == k)].mean(1) for k in shown])  # (trials, n)
    way = np.radians([track.info["direction_deg"][on & (trial == k)][0] for k in shown])
    total = per.sum(0)
    kept = per.mean(0) >= least_Hz
    if rng is None:
        turn = np.exp((2j if kind == "OSI" else 1j) * way)
        index = np.abs(turn @ per[:, kept]) / total[kept]
        return float(index.sum()), float(kept.sum())
    value = 0.0
    for i in np.flatnonzero(kept):
        turn = np.exp((2j if kind == "OSI" else 1j) * rng.permutation(way))
        value += float(np.abs(turn @ per[:, i]) / total[i])
    return value, float(kept.sum())


def spikes_per_touch(track: Track, cells: str, window_s: float = 0.05) -> tuple[float, float]:
    """(spikes of recorded cells within window_s of the onset of each `touching`, less what they fire in the window_s
    before; cells times touches). Touches within 2 windows of the one before are left out."""
    touching = track.info["touching"] > 0
    period = period_s(track)
    span = max(1, round(window_s / period))
    onset = np.flatnonzero(touching & ~np.concatenate([[False], touching[:-1]]))
    kept: list[int] = []
    for i in onset:
        if i >= span and i + span < len(touching) and (not kept or i - kept[-1] >= 2 * span):
            kept.append(int(i))
    rates = _cells(track, cells)
    spikes = sum(float(rates[:, i : i + span].sum() - rates[:, i - span : i].sum()) * period for i in kept)
    return spikes, float(len(kept) * len(rates))
