"""The Turing score: can a classifier tell windows of the model from windows of animals that it has not seen?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from bestiary.bodies._base import Array
from bestiary.tasks.turing.distance import Bounds, bounds, draw

FOLDS = 5
RIDGE = 0.1


@dataclass(frozen=True)
class Judgement:
    """auc: out of fold, re-centred on the mean of the permutation null, with bounds from a bootstrap over animals.
    raw: not re-centred. p: share of permuted labels with at least this AUC. features: (name, weight), largest first:
    what gave it away. roc: (false positives, true positives). units: independent units on the smaller side."""

    auc: Bounds
    raw: float
    null: float
    p: float
    features: tuple[tuple[str, float], ...]
    roc: tuple[Array, Array]
    units: float


class _Moments:
    """Count, sum and scatter of each animal's windows: from these any set of animals gives a discriminant at once."""

    def __init__(self, groups: Sequence[Array]) -> None:
        self.n = np.array([float(len(g)) for g in groups])
        self.mean = np.stack([g.mean(0) for g in groups])
        self.scatter = np.stack([(g - g.mean(0)).T @ (g - g.mean(0)) / len(g) for g in groups])

    def weights(self, model: Array, train: Array) -> Array:
        """Fisher's discriminant with a shrunken covariance; every animal counts alike, every class half."""
        sides = [np.flatnonzero(train & model), np.flatnonzero(train & ~model)]
        centres = [self.mean[s].mean(0) for s in sides]
        within = np.zeros(self.scatter.shape[1:])
        for s, c in zip(sides, centres, strict=True):
            off = self.mean[s] - c
            within += (self.scatter[s].mean(0) + off.T @ off / len(s)) / 2
        within[np.diag_indices_from(within)] += RIDGE * np.trace(within) / len(within)
        return np.linalg.solve(within, centres[0] - centres[1])


def _folds(model: Array, rng: np.random.Generator, folds: int) -> Array:
    """(n,) fold of each animal, both classes spread evenly."""
    out = np.empty(len(model), int)
    for side in (True, False):
        rows = rng.permutation(np.flatnonzero(model == side))
        out[rows] = np.arange(len(rows)) % folds
    return out


def _scores(groups: Sequence[Array], moments: _Moments, model: Array, fold: Array) -> list[Array]:
    out: list[Array] = [np.empty(0)] * len(groups)
    for f in np.unique(fold):
        w = moments.weights(model, fold != f)
        test = np.flatnonzero(fold == f)
        found = [groups[int(i)] @ w for i in test]
        every = np.concatenate(found)
        centre, spread = every.mean(), max(float(every.std()), 1e-12)
        for i, s in zip(test, found, strict=True):
            out[i] = (s - centre) / spread
    return out


def _between(scores: Sequence[Array], model: Array, fold: Array) -> tuple[Array, Array]:
    """(m, r) AUC of model animals against recorded ones, and which pairs were tested together; 0 for others."""
    ms, rs = np.flatnonzero(model), np.flatnonzero(~model)
    together = fold[ms][:, None] == fold[rs][None]
    table = np.zeros(together.shape)
    for a, b in np.argwhere(together):
        x, y = scores[int(ms[a])], scores[int(rs[b])]
        rank = rankdata(np.concatenate([x, y]))[: len(x)].sum()
        table[a, b] = (rank - len(x) * (len(x) + 1) / 2) / (len(x) * len(y))
    return table, together


def _auc(groups: Sequence[Array], moments: _Moments, model: Array, fold: Array) -> float:
    """Mean over folds of the AUC within the fold, windows weighted so that animals count alike."""
    scores = _scores(groups, moments, model, fold)
    out = []
    for f in np.unique(fold):
        rows = np.flatnonzero(fold == f)
        x = np.concatenate([scores[i] for i in rows])
        w = np.concatenate([np.full(len(scores[i]), 1 / len(scores[i])) for i in rows])
        y = np.concatenate([np.full(len(scores[i]), model[i]) for i in rows])
        order = np.argsort(x, kind="stable")
        y, w = y[order], w[order]
        below = np.cumsum(w * ~y)
        out.append(float((below[y] * w[y]).sum() / max((w * y).sum() * (w * ~y).sum(), 1e-12)))
    return float(np.mean(out))


def _standard(groups: Sequence[Array]) -> list[Array]:
    every = np.concatenate(groups)
    centre, spread = every.mean(0), np.maximum(every.std(0), 1e-9)
    return [(g - centre) / spread for g in groups]


def chance(groups: Sequence[Array], model: Array, rng: np.random.Generator, permutations: int) -> Array:
    """(permutations,) AUC when animals are called simulated at random, as many as there are."""
    groups = _standard(groups)
    moments, folds = _Moments(groups), min(FOLDS, int(model.sum()), int((~model).sum()))
    out = np.empty(permutations)
    for k in range(permutations):
        mixed = rng.permutation(model)
        out[k] = _auc(groups, moments, mixed, _folds(mixed, rng, folds))
    return out


def turing_score(
    groups: Sequence[Array],
    model: Array,
    names: Sequence[str],
    rng: np.random.Generator,
    permutations: int = 100,
    null: Array | None = None,
) -> Judgement:
    """groups: (w, d) window features of each animal; model (n,) true for simulated ones. Folds, permutations and the
    bootstrap go by animal: windows of one animal are no independent witnesses (Lopez-Paz & Oquab 2017, ICLR). null: of
    `chance`, where it is known: halves of one and the same animals share it."""
    folds = min(FOLDS, int(model.sum()), int((~model).sum()))
    if folds < 2:
        nan = float("nan")
        return Judgement(Bounds(nan, nan, nan), nan, nan, nan, (), (np.empty(0), np.empty(0)), 0.0)
    if null is None:
        null = chance(groups, model, rng, permutations)
    groups = _standard(groups)
    moments = _Moments(groups)
    fold = _folds(model, rng, folds)
    scores = _scores(groups, moments, model, fold)
    table, together = _between(scores, model, fold)
    raw = float(table[together].mean())
    shift = float(null.mean()) - 0.5
    wm, wr = draw(len(table), rng), draw(len(table[0]), rng)
    drawn = np.einsum("bi,ij,bj->b", wm, table * together, wr) / np.maximum(
        np.einsum("bi,ij,bj->b", wm, together.astype(float), wr), 1e-12
    )
    drawn = drawn[drawn > 0]
    if len(drawn) and np.ptp(drawn) < 1e-9:  # every pair says the same: the bootstrap knows no spread
        drawn = raw + _spread(raw, min(table.shape)) * np.array([-1, 1]) / np.sqrt(2)
    found = bounds(raw - shift, drawn, min(table.shape))
    found = Bounds(*(float(np.clip(v, 0, 1)) for v in (found.value, found.low95, found.high95)))
    weight = moments.weights(model, np.ones(len(model), bool))
    gap = weight * (moments.mean[model].mean(0) - moments.mean[~model].mean(0))
    order = np.argsort(-np.abs(gap))[:8]
    total = max(float(np.abs(gap).sum()), 1e-12)
    features = tuple((str(names[i]), float(abs(gap[i]) / total)) for i in order)
    return Judgement(
        found,
        raw,
        shift + 0.5,
        float((1 + (null >= raw).sum()) / (1 + len(null))),
        features,
        _roc(scores, model),
        _units(scores, model),
    )


def _spread(auc: float, n: int) -> float:
    """SD of an AUC of n animals a side (Hanley & McNeil 1982, Radiology 143:29), one of which may yet be misjudged."""
    a = (auc * n + 0.5) / (n + 1)
    more = (n - 1) * (a / (2 - a) - a**2 + 2 * a**2 / (1 + a) - a**2)
    return float(np.sqrt((a * (1 - a) + more) / n**2))


def _roc(scores: Sequence[Array], model: Array, points: int = 60) -> tuple[Array, Array]:
    x = np.concatenate([scores[int(i)] for i in np.flatnonzero(model)])
    y = np.concatenate([scores[int(i)] for i in np.flatnonzero(~model)])
    cuts = np.quantile(np.concatenate([x, y]), np.linspace(1, 0, points))
    return np.array([(y >= c).mean() for c in cuts]), np.array([(x >= c).mean() for c in cuts])


def _units(scores: Sequence[Array], model: Array) -> float:
    """Windows over the design effect 1 + (m - 1) ICC, the smaller side (Kish 1965)."""
    out = []
    for side in (True, False):
        mine = [scores[int(i)] for i in np.flatnonzero(model == side)]
        m = float(np.mean([len(s) for s in mine]))
        means = np.array([s.mean() for s in mine])
        within = float(np.mean([s.var(ddof=1) if len(s) > 1 else 0.0 for s in mine]))
        between = max(0.0, float(means.var(ddof=1)) - within / m)
        icc = between / max(between + within, 1e-12)
        out.append(sum(len(s) for s in mine) / (1 + (m - 1) * icc))
    return float(min(out))


def units_needed(auc: float, margin: float, power: float = 0.9, alpha: float = 0.05) -> int:
    """Independent units a class for a one-sided bound of an AUC to fall below `margin`: normal approximation with the
    variance of the Mann-Whitney statistic at equal sizes, (2 n + 1) / (12 n^2) (Hanley & McNeil 1982)."""
    from scipy.stats import norm

    z = norm.ppf(1 - alpha) + norm.ppf(power)
    return int(np.ceil(z**2 / (6 * (margin - auc) ** 2)))
