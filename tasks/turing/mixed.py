"""Stimulus and response by a mixed model: one curve for a kind of animal, a threshold of its own for each animal.

P(answer) = guess + (1 - guess - lapse) / (1 + exp(-slope (strength - threshold - u))), u normal over animals.
Threshold, log slope and lapse may differ between two groups. The integral over u is a sum over a grid, finer than what
many trials say of an animal; each difference is tested by the likelihood ratio. The mixed models of statsmodels know
neither guess nor lapse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from scipy.stats import chi2

from bestiary.bodies._base import Array

_NODES = np.linspace(-3.6, 3.6, 25)  # SD
_LOG_WEIGHTS = -(_NODES**2) / 2 - logsumexp(-(_NODES**2) / 2)
DIFFERENCES = ("threshold", "log slope", "lapse")


@dataclass(frozen=True)
class Mixed:
    """threshold, slope, guess, lapse: of the first group, in units of the strength and their inverse. spread: SD of the
    threshold over animals. difference: second group less first, by `DIFFERENCES`. p: of each, likelihood ratio."""

    threshold: float
    slope: float
    guess: float
    lapse: float
    spread: float
    difference: tuple[float, float, float]
    p: tuple[float, float, float]


def fit(trials: Sequence[tuple[Array, Array]], second: Array) -> Mixed | None:
    """trials: of each animal (strengths, answers 0 or 1). second (animals,): true for the second group. None for fewer
    than two animals a group, one strength only, or one answer only."""
    second = np.asarray(second, bool)
    s, y = (np.concatenate([np.asarray(t[i], float) for t in trials]) for i in (0, 1))
    if min(second.sum(), (~second).sum()) < 2 or np.ptp(s) == 0 or np.ptp(y) == 0:
        return None
    start = np.concatenate([[0], np.cumsum([len(t[0]) for t in trials])[:-1]]).astype(int)
    group = np.repeat(second, [len(t[0]) for t in trials]).astype(float)
    middle, span = float(s.mean()), float(np.ptp(s))
    z = (s - middle) / span

    def loss(x: Array) -> float:
        threshold, steep, guess, lapse, wide, *gap = x
        gain = np.exp(np.clip(steep + gap[1] * group, -3, 6))
        low, high = 0.5 * expit(guess), 0.5 * expit(lapse + gap[2] * group)
        u = np.exp(np.clip(wide, -6, 2)) * _NODES
        p = low + (1 - low - high)[:, None] * expit(gain[:, None] * ((z - threshold - gap[0] * group)[:, None] - u))
        p = np.clip(p, 1e-9, 1 - 1e-9)
        each = np.add.reduceat(np.where(y[:, None] > 0, np.log(p), np.log1p(-p)), start, axis=0)
        # weak priors: guess and lapse near 5 %, slopes and differences within reason; no infinite estimate
        prior = (
            ((x[2:4] + 2.2) ** 2).sum() / 4 + (steep - 1.5) ** 2 / 8 + (wide + 2) ** 2 / 8 + np.square(gap).sum() / 18
        )
        return float(prior - logsumexp(each + _LOG_WEIGHTS, axis=1).sum())

    def best(free: Array) -> tuple[float, Array]:
        begin = np.array([0.0, 1.5, -2.2, -2.2, -2.0, 0.0, 0.0, 0.0])

        def whole(x: Array) -> Array:
            out = begin.copy()
            out[free] = x
            return out

        found = minimize(lambda x: loss(whole(x)), begin[free], method="L-BFGS-B")
        return float(found.fun), whole(found.x)

    every = np.arange(8)
    full, x = best(every)
    p = tuple(float(chi2.sf(max(0.0, 2 * (best(np.delete(every, 5 + k))[0] - full)), 1)) for k in range(3))
    lapse = 0.5 * expit(x[3])
    gap = (x[5] * span, x[6], 0.5 * expit(x[3] + x[7]) - lapse)
    return Mixed(
        float(middle + span * x[0]),
        float(np.exp(x[1]) / span),
        0.5 * float(expit(x[2])),
        float(lapse),
        float(np.exp(x[4]) * span),
        (float(gap[0]), float(gap[1]), float(gap[2])),
        (p[0], p[1], p[2]),
    )
