"""Stimulus and response of one animal: how much, how often, how soon, at each strength."""

from __future__ import annotations

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks.turing.series import Series

BEFORE_S, AFTER_S = 1.0, 1.5


def onsets(series: Series) -> tuple[Array, Array]:
    """(frames, strengths) at which the stimulus rises from 0."""
    assert series.stimulus is not None
    s = np.nan_to_num(series.stimulus)
    rows = np.flatnonzero((s[1:] != 0) & (s[:-1] == 0)) + 1
    return rows, s[rows]


def levels(animals: tuple[Series, ...]) -> Array:
    """The strengths, at most five (by quantile), that every animal was given at least twice."""
    each = [onsets(a)[1] for a in animals]
    every = np.concatenate(each)
    distinct = np.unique(every.round(9))
    if len(distinct) > 5:
        distinct = np.quantile(every, [0.1, 0.3, 0.5, 0.7, 0.9])

    def given(strength: float, mine: Array) -> int:
        return int((np.abs(mine[:, None] - distinct[None]).argmin(1) == np.flatnonzero(distinct == strength)[0]).sum())

    return np.array([s for s in distinct if all(given(s, mine) >= 2 for mine in each)])


def answered(series: Series, z: Array, spread: Array) -> tuple[Array, Array]:
    """(strengths, 1 or 0) of every onset: whether any channel changes by over one `spread` after it."""
    rows, given = onsets(series)
    before, after = round(BEFORE_S * series.rate_Hz), round(AFTER_S * series.rate_Hz)
    good = (rows >= before) & (rows + after <= len(z))
    rows, given = rows[good], given[good]
    moved = [(np.abs(z[r : r + after] - z[r - before : r].mean(0)) > spread).any() for r in rows]
    return given, np.array(moved, float)


def curve(series: Series, z: Array, strengths: Array, spread: Array) -> Array:
    """(levels * (2 k + 2),) for each strength: mean and SD of the change of every channel, the share of responses (any
    channel changes by over one `spread`), and their mean latency in s. NaN where a strength was never given."""
    rows, given = onsets(series)
    before, after = round(BEFORE_S * series.rate_Hz), round(AFTER_S * series.rate_Hz)
    good = (rows >= before) & (rows + after <= len(z))
    rows, given = rows[good], given[good]
    out = []
    for strength in strengths:
        mine = rows[np.argmin(np.abs(given[:, None] - strengths[None]), 1) == np.flatnonzero(strengths == strength)[0]]
        if len(mine) < 2:
            out.append(np.full(2 * z.shape[1] + 2, np.nan))
            continue
        base = np.stack([z[r - before : r].mean(0) for r in mine])
        course = np.stack([z[r : r + after] for r in mine]) - base[:, None]
        change = course.mean(1)
        moved = (np.abs(course) > spread).any(2)
        answered = moved.any(1)
        wait = moved[answered].argmax(1).mean() / series.rate_Hz if answered.any() else AFTER_S
        out.append(np.r_[change.mean(0), change.std(0), answered.mean(), wait])
    return np.concatenate(out)
