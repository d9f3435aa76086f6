"""Means, intervals and verdicts of paired trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bestiary.bodies._base import Array

DRAWS = 2000
_Z = 1.959964


@dataclass(frozen=True)
class Estimate:
    """value with its 95 % interval; n: trials that had something to measure. NaN where none had. distinct: how many of
    the n differ; 1 means that the trials are copies of one run, and that the interval says nothing."""

    value: float
    low95: float
    high95: float
    n: int
    distinct: int = 0


def pairs(values: Sequence[object]) -> Array:
    """(n, 2) of numerator and denominator; a plain number x counts as (x, 1), NaN or None as (0, 0)."""
    out = np.zeros((len(values), 2))
    for i, value in enumerate(values):
        a, b = value if isinstance(value, tuple | list) else (value, 1.0)
        if a is not None and b is not None and math.isfinite(a) and math.isfinite(b):
            out[i] = a, b
    return out


def _quotient(sums: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], np.nan)


def combine(how: str, arms: Sequence[Array], x: Sequence[float] = ()) -> Array:
    """`how`: "value" of the first arm; "difference", "ratio" or "percent" change of the first against the second;
    "trend", Spearman's rank correlation of the arms with their order; or "peak", the x of the highest arm. Arms are
    arrays of one shape."""
    first = arms[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        if how == "value":
            return first
        if how == "difference":
            return first - arms[1]
        if how == "ratio":
            return first / arms[1]
        if how == "percent":
            return 100 * (first - arms[1]) / arms[1]
    if how == "trend":
        stack = np.stack(arms)
        rank = stack.argsort(0).argsort(0).astype(float)
        order = np.arange(len(arms), dtype=float).reshape(-1, *[1] * first.ndim)
        rho = ((rank - rank.mean(0)) * (order - order.mean())).sum(0) / ((order - order.mean()) ** 2).sum()
        return np.where(np.isfinite(stack).all(0), rho, np.nan)
    if how == "peak":
        stack = np.stack(arms)
        return np.where(np.isfinite(stack).all(0), np.asarray(x, float)[stack.argmax(0)], np.nan)
    raise ValueError(f"arms are combined as value, difference, ratio, percent, trend or peak; got {how!r}")


def estimate(
    values: Sequence[Sequence[object]],
    how: str = "value",
    fraction: bool = False,
    seed: int = 0,
    margin: float = 0.0,
    x: Sequence[float] = (),
) -> Estimate:
    """What one or several arms give together. values: per arm, per trial; trial i of every arm shares its seed.

    how: see `combine`; or "exceeds", the share of seeds at which the first arm is above the second by margin or more.
    The interval is the percentile bootstrap over trials, drawn together in all arms; for a fraction of one arm, and for
    "exceeds", it is Wilson's (J Am Stat Assoc 22:209, 1927).
    """
    arms = [pairs(v) for v in values]
    if how == "exceeds":
        first, second = (_quotient(a) for a in arms)
        above = (first - second >= margin)[np.isfinite(first - second)]
        arms, how, fraction = [np.stack([above, np.ones(len(above))], 1).astype(float)], "value", True
    n = min(int((a[:, 1] > 0).sum()) for a in arms)
    together = np.concatenate(arms, 1)[np.all([a[:, 1] > 0 for a in arms], 0)]
    distinct = len(np.unique(together, axis=0))
    value = float(combine(how, [_quotient(a.sum(0)) for a in arms], x))
    if not math.isfinite(value):
        return Estimate(math.nan, math.nan, math.nan, n, distinct)
    if fraction and how == "value":
        return Estimate(value, *wilson(float(arms[0][:, 0].sum()), float(arms[0][:, 1].sum())), n, distinct)
    return Estimate(value, *_interval(_drawn(arms, how, seed, x), n), n, distinct)


def _drawn(arms: Sequence[Array], how: str, seed: int, x: Sequence[float]) -> Array:
    """(DRAWS,) bootstrap over trials, drawn together in all arms."""
    draws = np.random.default_rng(seed).integers(len(arms[0]), size=(DRAWS, len(arms[0])))
    return combine(how, [_quotient(a[draws].sum(1)) for a in arms], x)


def _interval(drawn: Array, n: int) -> tuple[float, float]:
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.percentile(drawn, [2.5, 97.5]) if n > 1 and len(drawn) else (math.nan, math.nan)
    return float(low), float(high)


def contrast(
    first: Sequence[Sequence[object]],
    second: Sequence[Sequence[object]],
    how: str = "value",
    seed: int = 0,
    x: Sequence[float] = (),
) -> Estimate:
    """What a row gives in one set of arms less in another; trial i of all shares its seed. how: of `combine`. The
    interval is the bootstrap over trials, drawn together in both."""
    both = [[pairs(v) for v in arms] for arms in (first, second)]
    a, b = (float(combine(how, [_quotient(arm.sum(0)) for arm in arms], x)) for arms in both)
    n = min(int((arm[:, 1] > 0).sum()) for arms in both for arm in arms)
    if not math.isfinite(a - b):
        return Estimate(math.nan, math.nan, math.nan, n)
    drawn = _drawn(both[0], how, seed, x) - _drawn(both[1], how, seed, x)
    return Estimate(a - b, *_interval(drawn, n), n)


def wilson(hits: float, n: float) -> tuple[float, float]:
    """95 % interval of a fraction, hits of n > 0."""
    share, z2 = hits / n, _Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def verdict(found: Estimate, rule: str, published: Mapping[str, float | None], reason: str = "") -> str:
    """rule: "range" (of the published low and high, either may be missing); "+" or "-" (the whole interval has that
    sign, and the value reaches low, for "-" high, where given: an effect too small to see is none); or "beside"
    (nothing published excludes a value: shown, not scored). A sign needs an interval, and that two trials."""
    if not math.isfinite(found.value):
        return f"not measured ({reason or 'nothing to measure in any trial'})"
    if rule == "beside":
        return "beside"
    if rule in ("+", "-"):
        good = found.low95 > 0 if rule == "+" else found.high95 < 0
        if math.isnan(found.low95) and (found.value > 0 if rule == "+" else found.value < 0):
            return f"too few (n = {found.n:g}: no interval)"
        least, most = published.get("low"), published.get("high")
        good = good and (least is None or found.value >= least) and (most is None or found.value <= most)
        return "sign ok" if good else "falls short"
    low, high = published.get("low"), published.get("high")
    if low is not None and found.value < low:
        return "falls short"
    return "overshoots" if high is not None and found.value > high else "in range"


PASSED = ("in range", "sign ok")
