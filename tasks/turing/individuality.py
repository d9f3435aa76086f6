"""Do the model's animals differ from one another as animals do? Clones of a mean animal do not."""

from __future__ import annotations

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks.turing.distance import Bounds, bounds, draw
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
    """Intraclass correlation, mean over features: the share of variance that lies between animals; NaN for one."""
    if len(parts) < 2:
        return float("nan")
    between, within = components(parts)
    good = between + within > 0
    return float(np.clip(between[good] / (between + within)[good], 0, 1).mean()) if good.any() else float("nan")


def variance_ratio(real: Array, model: Array, rng: np.random.Generator) -> Bounds:
    """log of the variance between the model's animals over that between recorded ones, what varies within an animal
    taken off; features weighted by the spread between recorded animals. 0: as different as animals; the bounds come
    from a bootstrap over animals.

    real, model: (animals, BLOCKS, d), see `blocks`. NaN for fewer than 3 animals on a side, and where recorded ones do
    not differ.
    """
    nan = Bounds(float("nan"), float("nan"), float("nan"))
    if min(len(real), len(model)) < 3:
        return nan
    between, within = components(real)
    used = between > within / BLOCKS  # features in which recorded animals do differ
    if not used.any():
        return nan
    weight = 1 / (between + within / BLOCKS)[used]

    def spread(parts: Array, times: Array) -> Array:
        """(draws,) weighted variance between animals that count `times` (draws, animals)."""
        n, mean, inner = len(parts), parts.mean(1)[:, used], parts.var(1, ddof=1)[:, used]
        variance = (times @ mean**2 - (times @ mean) ** 2 / n) / (n - 1)
        return np.maximum(((variance - times @ inner / n / BLOCKS) * weight).mean(1), _LEAST)

    def ratio(times_real: Array, times_model: Array) -> Array:
        return np.log(spread(model, times_model) / spread(real, times_real))

    value = float(ratio(np.ones((1, len(real))), np.ones((1, len(model))))[0])
    return bounds(value, ratio(draw(len(real), rng), draw(len(model), rng)), min(len(real), len(model)))
