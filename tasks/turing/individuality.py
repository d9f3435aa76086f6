"""Do the model's animals differ from one another as animals do? Clones of a mean animal do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks.turing.distance import DRAWS, Bounds, bounds
from bestiary.tasks.turing.features import summary

BLOCKS = 4
_LEAST = 0.02


def blocks(z: Array, rate_Hz: float) -> Array:
    """(BLOCKS, d) summaries of the quarters of one animal's series."""
    return np.stack([summary(part, rate_Hz) for part in np.array_split(z, BLOCKS)])


def components(parts: Array) -> tuple[Array, Array]:
    """(between, within) variance (d,) of (animals, blocks, d): one-way analysis of variance with random effects."""
    within = parts.var(1, ddof=1).mean(0)
    between = parts.mean(1).var(0, ddof=1) - within / parts.shape[1]
    return between, within


def repeatability(parts: Array) -> float:
    """Intraclass correlation, mean over features: the share of variance that lies between animals."""
    between, within = components(parts)
    good = between + within > 0
    return float(np.clip(between[good] / (between + within)[good], 0, 1).mean()) if good.any() else float("nan")


def variance_ratio(real: Sequence[Array], model: Sequence[Array], rate_Hz: float, rng: np.random.Generator) -> Bounds:
    """log of the variance between the model's animals over that between recorded ones, what varies within an animal
    taken off; features weighted by the spread between recorded animals. 0: as different as animals; the bounds come
    from a bootstrap over animals. NaN where recorded animals do not differ."""
    a = np.stack([blocks(z, rate_Hz) for z in real])
    b = np.stack([blocks(z, rate_Hz) for z in model])
    if min(len(a), len(b)) < 3:
        return Bounds(float("nan"), float("nan"), float("nan"))
    between, within = components(a)
    used = between > within / BLOCKS  # features in which recorded animals do differ
    if not used.any():
        return Bounds(float("nan"), float("nan"), float("nan"))
    weight = 1 / (between + within / BLOCKS)[used]

    def ratio(x: Array, y: Array) -> float:
        top, bottom = (float(np.mean(components(p[:, :, used])[0] * weight)) for p in (y, x))
        return float(np.log(max(top, _LEAST) / max(bottom, _LEAST)))

    value = ratio(a, b)
    drawn = np.array([ratio(a[_pick(len(a), rng)], b[_pick(len(b), rng)]) for _ in range(DRAWS // 2)])
    return bounds(value, drawn, min(len(a), len(b)))


def _pick(n: int, rng: np.random.Generator) -> Array:
    rows = rng.integers(n, size=n)
    return rows if len(np.unique(rows)) > 2 else np.arange(n)
