"""Repeated measures: many trials of few animals. Each animal is summed up by its own curve, and animals are permuted.

That is the summary-statistics form of a mixed model with animals as random effects (Holmes & Friston 1998 NeuroImage
7:S754): trials of one animal are never taken for independent witnesses.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from bestiary.bodies._base import Array

PARAMETERS = ("threshold", "log slope", "guess", "lapse")
_EXACT = 5000


def psychometric(strengths: Array, answered: Array) -> Array:
    """(4,) `PARAMETERS` of P = guess + (1 - guess - lapse) / (1 + exp(-slope (s - threshold))), of one animal.

    strengths (n,), answered (n,) 0 or 1. Threshold in units of the strength, slope in their inverse. Most probable
    values under weak priors (threshold: mean and range of the strengths; log slope: 4 / range, SD 1.5; guess, lapse:
    beta 1.2, 12), so that few trials give no infinite slope. NaN for one strength only.
    """
    s, y = np.asarray(strengths, float), np.asarray(answered, float)
    span = float(np.ptp(s)) if len(s) else 0.0
    if span == 0:
        return np.full(4, np.nan)
    middle, steep = float(s.mean()), math.log(4 / span)

    def loss(x: Array) -> float:
        guess, lapse = 0.5 * expit(x[2]), 0.5 * expit(x[3])
        rate = np.exp(np.clip(x[1], steep - 5, steep + 5))
        p = np.clip(guess + (1 - guess - lapse) * expit(rate * (s - x[0])), 1e-9, 1 - 1e-9)
        fit = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum()
        prior = 0.5 * ((x[0] - middle) / span) ** 2 + 0.5 * ((x[1] - steep) / 1.5) ** 2
        for v in (guess, lapse):
            prior -= 0.2 * np.log(v) + 11 * np.log(1 - v)
        return float(fit + prior)

    found = minimize(loss, [middle, steep, -2.0, -2.0], method="L-BFGS-B").x
    return np.array([found[0], found[1], 0.5 * expit(found[2]), 0.5 * expit(found[3])])


@dataclass(frozen=True)
class Contrast:
    """difference (d,): second group less first, of means over animals. p (d,): two-sided, by permutation of animals;
    p_all (d,): the same for the largest of all d, which holds for all of them together (Westfall & Young 1993). exact:
    every permutation was tried."""

    difference: Array
    p: Array
    p_all: Array
    exact: bool


def by_animal(values: Array, second: Array, rng: np.random.Generator, permutations: int = 999) -> Contrast:
    """Do two groups of animals differ? values (n, d), a row an animal; second (n,) true for the second group. Animals
    with NaN are left out; fewer than two on a side give NaN."""
    kept = np.isfinite(values).all(1)
    x, side = np.asarray(values[kept], float), np.asarray(second[kept], bool)
    n, k = len(side), int(side.sum())
    if k < 2 or n - k < 2:
        nan = np.full(values.shape[1], np.nan)
        return Contrast(nan, nan, nan, False)
    exact = math.comb(n, k) <= _EXACT
    if exact:
        labels = np.zeros((math.comb(n, k), n), bool)
        for row, pick in zip(labels, itertools.combinations(range(n), k), strict=True):
            row[list(pick)] = True
    else:
        labels = np.stack([side, *(rng.permutation(side) for _ in range(permutations))])

    def score(which: Array) -> tuple[Array, Array]:
        w = which.astype(float)
        a, b = w @ x / k, (1 - w) @ x / (n - k)
        within = (w @ x**2 - k * a**2 + (1 - w) @ x**2 - (n - k) * b**2) / (n - 2)
        return a - b, np.abs(a - b) / np.sqrt(np.maximum(within, 1e-18) * (1 / k + 1 / (n - k)))

    difference, mine = score(side[None])
    null = score(labels)[1]
    reached = 1 - 1e-9
    p = (null >= mine * reached).mean(0)
    p_all = (null.max(1)[:, None] >= mine * reached).mean(0)
    return Contrast(difference[0], p, p_all, exact)


def paired(changes: Array, rng: np.random.Generator, permutations: int = 4999) -> float:
    """Two-sided p of a mean change of 0 over paired runs or animals, (n,), by flips of their signs; all of them where
    n is at most 12. NaN for fewer than two."""
    x = changes[np.isfinite(changes)]
    if len(x) < 2:
        return float("nan")
    if len(x) <= 12:
        flips = np.array(list(itertools.product((1, -1), repeat=len(x))))
    else:
        flips = np.concatenate([np.ones((1, len(x))), rng.choice([-1, 1], (permutations, len(x)))])
    return float((np.abs(flips @ x) >= np.abs(x.sum()) * (1 - 1e-9)).mean())
