"""Predicted against published outcomes of perturbations: up, none, down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bestiary.bodies._base import Array
from bestiary.errors import DataError


@dataclass(frozen=True)
class Agreement:
    """accuracy, balanced (mean recall of the published classes), mcc (Gorodkin 2004, Comput Biol Chem 28:367), with
    one-sided 95 % bounds where they are shown. majority: share of the commonest published outcome. p_majority: exact
    binomial, accuracy above the majority share. p_order: permutation of predictions, of the MCC."""

    n: int
    accuracy: float
    accuracy_low95: float
    accuracy_high95: float
    balanced: float
    balanced_low95: float
    balanced_high95: float
    mcc: float
    majority: float
    p_majority: float
    p_order: float


def mcc(truth: Array, guess: Array) -> float:
    """Matthews correlation for any number of classes; 0 for a constant guess."""
    classes = np.unique(np.r_[truth, guess])
    t, g = truth[:, None] == classes, guess[:, None] == classes
    n, right = len(truth), float((truth == guess).sum())
    top = right * n - float((t.sum(0) * g.sum(0)).sum())
    bottom = np.sqrt(float(n**2 - (g.sum(0) ** 2).sum())) * np.sqrt(float(n**2 - (t.sum(0) ** 2).sum()))
    return top / bottom if bottom > 0 else 0.0


def balanced_accuracy(truth: Array, guess: Array) -> float:
    return float(np.mean([(guess[truth == c] == c).mean() for c in np.unique(truth)]))


def agreement(truth: Array, guess: Array, cluster: Array | None = None, seed: int = 0) -> Agreement:
    """truth, guess (n,) of -1, 0, 1. cluster (n,): rows that are not independent (one stimulated neuron) and are drawn
    together in the bootstrap. Raises DataError for no rows."""
    if len(truth) == 0 or len(truth) != len(guess):
        raise DataError(f"{len(truth)} published outcomes, {len(guess)} predicted: they come in pairs")
    n, right = len(truth), int((truth == guess).sum())
    share = float(np.unique(truth, return_counts=True)[1].max() / n)
    exact = stats.binomtest(right, n, share, alternative="greater")
    two = stats.binomtest(right, n).proportion_ci(0.90, "exact")
    rng = np.random.default_rng(seed)
    found = mcc(truth, guess)
    null = np.array([mcc(truth, rng.permutation(guess)) for _ in range(999)])
    groups = np.arange(n) if cluster is None else cluster
    names = np.unique(groups)
    rows = [np.flatnonzero(groups == g) for g in names]
    drawn = []
    for _ in range(400):
        pick = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        drawn.append(balanced_accuracy(truth[pick], guess[pick]))
    low, high = np.percentile(drawn, [5, 95])
    return Agreement(
        n,
        right / n,
        float(two.low),
        float(two.high),
        balanced_accuracy(truth, guess),
        float(low),
        float(high),
        found,
        share,
        float(exact.pvalue),
        float((1 + (null >= found).sum()) / 1000),
    )


def needed(n: int, majority: float, alpha: float = 0.05) -> int:
    """Right answers of n that beat the majority share in an exact one-sided binomial test; n + 1 if none does."""
    for k in range(n + 1):
        if stats.binom.sf(k - 1, n, majority) <= alpha:
            return k
    return n + 1
