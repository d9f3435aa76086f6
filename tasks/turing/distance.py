"""Distances between animals, and whether model and animals differ more than animals do among themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bestiary.bodies._base import Array

DRAWS = 400


def euclidean(vectors: Array) -> Array:
    """(n, n) distances of (n, d) vectors."""
    square = (vectors**2).sum(1)
    return np.sqrt(np.maximum(square[:, None] + square - 2 * vectors @ vectors.T, 0)) * (1 - np.eye(len(vectors)))


def ruler(vectors: Array) -> tuple[Array, Array]:
    """(centre, spread) (d,) of recorded animals' features (n, d). A spread under 2 % of the feature's size counts as
    2 %: two animals are not told apart by the third digit."""
    if len(vectors) < 2:
        return vectors[0], np.maximum(0.1 * np.abs(vectors[0]), 1e-9)
    spread = vectors.std(0, ddof=1)
    return vectors.mean(0), np.maximum(np.maximum(spread, 0.02 * np.abs(vectors).mean(0)), 1e-9)


def coefficient(d: Array, real: Array, model: Array) -> Array:
    """Energy coefficient H = (2 d_rm - d_rr - d_mm) / (2 d_rm) of Szekely & Rizzo (2013, J Stat Plan Inference
    143:1249), in the unbiased form: 0 on average where the model is one of the animals, toward 1 where it is far away.

    d (n, n): distances. real, model (..., n): how often each animal counts, so that a bootstrap is one call; an animal
    drawn twice makes no pair with itself.
    """

    def pairs(a: Array, b: Array) -> Array:
        return np.einsum("...i,ij,...j->...", a, d, b, optimize=True)

    def within(w: Array) -> Array:
        return pairs(w, w) / np.maximum(w.sum(-1) ** 2 - (w**2).sum(-1), 1e-12)

    across = pairs(real, model) / np.maximum(real.sum(-1) * model.sum(-1), 1e-12)
    return (2 * across - within(real) - within(model)) / np.maximum(2 * across, 1e-12)


@dataclass(frozen=True)
class Bounds:
    value: float
    low95: float
    high95: float


def bounds(value: float, draws: Array, n: int) -> Bounds:
    """One-sided 95 % bounds: value -+ t SE, SE from a bootstrap over animals, t with n - 1 degrees of freedom: the
    percentiles of a bootstrap over a handful of animals are too narrow."""
    good = draws[np.isfinite(draws)]
    if n < 2 or len(good) < 2:
        return Bounds(value, float("nan"), float("nan"))
    half = stats.t.ppf(0.95, n - 1) * good.std(ddof=1) * np.sqrt(n / (n - 1))
    return Bounds(value, float(value - half), float(value + half))


def draw(n: int, rng: np.random.Generator, times: int = DRAWS) -> Array:
    """(times, n): how often each of n animals is in a bootstrap sample; at least two different ones."""
    counts = rng.multinomial(n, np.full(n, 1 / n), size=times).astype(float)
    lonely = (counts > 0).sum(1) < 2
    counts[lonely] = 1.0
    return counts


def excess(d: Array, real: Array, rng: np.random.Generator) -> Bounds:
    """The coefficient with its bounds; d (n, n), real (n,) true for recorded animals. Both sides are drawn anew."""
    r, m = np.flatnonzero(real), np.flatnonzero(~real)
    if len(r) < 2 or len(m) < 2:
        return Bounds(float("nan"), float("nan"), float("nan"))
    value = float(coefficient(d, real.astype(float), (~real).astype(float)))
    wr, wm = np.zeros((DRAWS, len(d))), np.zeros((DRAWS, len(d)))
    wr[:, r], wm[:, m] = draw(len(r), rng), draw(len(m), rng)
    return bounds(value, coefficient(d, wr, wm), min(len(r), len(m)))


def rank_p(d: Array, real: Array) -> float:
    """The model among N recorded animals: (1 + animals that lie at least as far from the others) / (N + 1), the least
    of which 19 animals resolve 0.05. The model lies where the median of its animals lies. NaN for fewer than two."""
    r, m = np.flatnonzero(real), np.flatnonzero(~real)
    if len(r) < 2 or not len(m):
        return float("nan")
    theirs = d[np.ix_(r, r)].sum(1) / (len(r) - 1)
    mine = float(np.median(d[np.ix_(m, r)].mean(1)))
    return float((1 + (theirs >= mine * (1 - 1e-9)).sum()) / (len(r) + 1))


def halves(n: int, splits: int, rng: np.random.Generator) -> Array:
    """(splits, n) of -1, 0, 1: random halves of n animals, one animal of an odd number left out (0)."""
    half = n // 2
    labels = np.r_[np.ones(half), -np.ones(half), np.zeros(n - 2 * half)]
    return np.array([rng.permutation(labels) for _ in range(splits)])


def floor(
    statistic: Callable[[Array, Array], Bounds], n: int, splits: int, rng: np.random.Generator
) -> tuple[Array, list[Bounds]]:
    """What `statistic(first, second)` (row numbers) gives between random halves of the animals themselves."""
    found = [statistic(np.flatnonzero(s > 0), np.flatnonzero(s < 0)) for s in halves(n, splits, rng)]
    return np.array([b.value for b in found]), found


def ks_similarity(a: Array, b: Array) -> float:
    """1 - the Kolmogorov-Smirnov distance of two samples."""
    return 1 - float(stats.ks_2samp(a, b).statistic)


def wasserstein(a: Array, b: Array) -> float:
    """First Wasserstein distance over the spread of both together."""
    return float(stats.wasserstein_distance(a, b)) / max(float(np.concatenate([a, b]).std()), 1e-12)


def jensen_shannon(p: Array, q: Array) -> Array:
    """Square root of the Jensen-Shannon divergence in bits, a metric, 0 to 1; over the last axis."""
    p, q = p / np.maximum(p.sum(-1, keepdims=True), 1e-12), q / np.maximum(q.sum(-1, keepdims=True), 1e-12)
    m = (p + q) / 2

    def against(x: Array) -> Array:
        return np.where(x > 0, x * np.log2(np.where(x > 0, x, 1) / np.where(m > 0, m, 1)), 0).sum(-1)

    return np.sqrt(np.maximum((against(p) + against(q)) / 2, 0))
