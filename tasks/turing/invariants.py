"""What stays when single trajectories are forgotten: where a system is, how many dimensions, how fast it diverges."""

from __future__ import annotations

import numpy as np

from bestiary.bodies._base import Array

BINS = 12


def occupancy(z: Array, dims: int = 3) -> Array:
    """Histogram of the first `dims` axes in BINS bins from -3 to 3 SD, as shares: of an animal's state space."""
    x = z[np.isfinite(z).all(1)][:, :dims]
    edges = [np.linspace(-3, 3, BINS + 1)] * x.shape[1]
    counts = np.histogramdd(np.clip(x, -2.999, 2.999), edges)[0].ravel()
    return counts / max(counts.sum(), 1)


def state_space_divergence(p: Array, q: Array, floor: float = 1e-5) -> float:
    """D_stsp, the Kullback-Leibler divergence of two occupancies in nats (Koppe 2019, PLoS Comput Biol 15:e1007263),
    symmetrised; empty bins get `floor`."""
    p, q = (p + floor) / (p + floor).sum(), (q + floor) / (q + floor).sum()
    return float(((p - q) * np.log(p / q)).sum() / 2)


def participation(z: Array) -> float:
    """Dimensionality: (sum of variances of the axes)^2 / sum of their squares."""
    values = np.linalg.eigvalsh(np.cov(z[np.isfinite(z).all(1)].T).reshape(z.shape[1], z.shape[1]))
    return float(values.sum() ** 2 / max((values**2).sum(), 1e-12))


def lyapunov_per_s(z: Array, rate_Hz: float, seconds: float = 1.0, most: int = 1500) -> float:
    """Largest exponent, 1/s, after Rosenstein 1993 (Physica D 65:117): the slope of the mean log distance between
    neighbours in state space, not near in time. Noise makes it larger: compare only what was observed alike."""
    x = z[np.isfinite(z).all(1)]
    ahead = max(2, round(seconds * rate_Hz))
    if len(x) < 4 * ahead:
        return float("nan")
    usable = len(x) - ahead
    rows = np.unique(np.linspace(0, usable - 1, min(most, usable)).astype(int))
    square = ((x[rows, None] - x[None, rows]) ** 2).sum(2)
    square[np.abs(rows[:, None] - rows[None]) < ahead] = np.inf
    near = square.argmin(1)
    good = np.isfinite(square.min(1))
    a, b = rows[good], rows[near[good]]
    steps = np.arange(ahead)
    gap = np.sqrt(((x[a[:, None] + steps] - x[b[:, None] + steps]) ** 2).sum(2))
    course = np.log(np.maximum(gap, 1e-9)).mean(0)
    return float(np.polyfit(steps / rate_Hz, course, 1)[0])
