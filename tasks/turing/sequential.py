"""When are a row of perturbations, and a wiring that is a control, decided? Rules fixed before any run, so that seeds
and rows go where something is left to learn (stochastic curtailment: Lan, Simon & Halperin 1982, Sequential Analysis
1:207). tests/test_turing_sequential.py holds their rates of error against runs of full length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from bestiary.bodies._base import Array

CONFIDENCE = 0.98  # that all seeds would give the sign at which a row stops
HOPELESS = 0.01  # chance of so few right answers in a wiring that would pass with all rows


def sign(change: Array, least: float) -> int:
    """1 or -1 where the 95 % interval of the paired change leaves 0 out and its mean is at least `least`; else 0."""
    good = change[np.isfinite(change)]
    if not len(good):
        return 0
    mean = float(good.mean())
    if abs(mean) < least:
        return 0
    if len(good) > 1 and abs(mean) <= stats.t.ppf(0.975, len(good) - 1) * good.std(ddof=1) / np.sqrt(len(good)):
        return 0
    return int(np.sign(mean))


def decided(change: Array, least: float, whole: int) -> int | None:
    """The sign of a row after some of `whole` paired seeds, None where the others could change it.

    Student's interval predicts the mean that all seeds would have, and with it what `sign` would say. A change of size
    `least` that was not seen counts as one more seed in the spread: equal answers of few seeds are no certainty.
    """
    if len(change) >= whole:
        return sign(change, least)
    good = change[np.isfinite(change)]
    n = len(good)
    if n < 3:
        return None
    whole = n + whole - len(change)
    mean = float(good.mean())
    spread = float(np.sqrt((((good - mean) ** 2).sum() + least**2) / n))
    reach = stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) * spread * np.sqrt(1 / n - 1 / whole)
    edge = max(least, stats.t.ppf(0.975, whole - 1) * spread / np.sqrt(whole))
    if abs(mean) + reach < edge:
        return 0
    return int(np.sign(mean)) if abs(mean) - reach > edge else None


def order(truth: Array, cost: Sequence[float]) -> Array:
    """Rows so that every few hold each published outcome alike, the cheap ones of each first: what a wiring answers to
    the first rows is then near its balanced accuracy."""
    ranked = np.argsort(np.asarray(cost, float), kind="stable")
    turn = np.empty(len(truth), int)
    for outcome in np.unique(truth):
        mine = ranked[truth[ranked] == outcome]
        turn[mine] = np.arange(len(mine))
    return ranked[np.argsort(turn[ranked], kind="stable")]


def right_to_pass(truth: Array, low: float) -> int:
    """Right rows, of all, with which a wiring that is as good at each outcome has a balanced accuracy whose lower 95 %
    bound is `low`: fewer hardly pass."""
    counts = np.unique(truth, return_counts=True)[1]
    share = low
    for _ in range(20):
        share = min(1.0, low + 1.645 * np.sqrt(share * (1 - share) * (1 / counts).sum()) / len(counts))
    return int(np.ceil(share * len(truth)))


def hopeless(right: int, n: int, needed: int, rows: int) -> bool:
    """Whether a wiring with `right` of its first n rows right is stopped: of those that have `needed` of all `rows`
    right, under 1 % begin so badly (hypergeometric; cheap rows are taken to be as hard as others)."""
    return bool(stats.hypergeom.cdf(right, rows, needed, n) < HOPELESS)
