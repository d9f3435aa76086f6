"""Syllables: stereotyped states of posture and motion; how often, in what order, and for how long."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bestiary.bodies._base import Array

SYLLABLES = 8
WINDOW_S = 0.75
RATE_HZ = 8.0  # states are read this often
SHORTEST_S = 0.25  # runs that are shorter join the one before: noise at a border is no behaviour
DWELL_BINS = np.geomspace(SHORTEST_S, 60.0, 13)


@dataclass(frozen=True)
class Alphabet:
    """k-means centres of what is done within WINDOW_S, fitted to recorded animals alone."""

    means: Any
    spread: Array
    step: int

    @classmethod
    def fit(cls, series: Sequence[Array], rate_Hz: float, n: int = SYLLABLES) -> Alphabet:
        from sklearn.cluster import KMeans

        step = max(1, round(rate_Hz / RATE_HZ))
        every = np.concatenate([_states(z, rate_Hz, step) for z in series])
        every = every[np.isfinite(every).all(1)]
        if len(every) > 20000:
            every = every[np.random.default_rng(0).choice(len(every), 20000, replace=False)]
        spread = np.maximum(every.std(0), 1e-9)
        return cls(KMeans(n, n_init=3, random_state=0).fit(every / spread), spread, step)

    def read(self, z: Array, rate_Hz: float) -> list[Array]:
        """Label sequences, one for each stretch without a gap."""
        x = _states(z, rate_Hz, self.step) / self.spread
        good = np.isfinite(x).all(1)
        edges = np.flatnonzero(np.diff(np.r_[0, good.astype(int), 0])).reshape(-1, 2)
        shortest = max(1, round(SHORTEST_S * rate_Hz / self.step))
        return [_settled(self.means.predict(x[a:b]), shortest) for a, b in edges]

    @property
    def n(self) -> int:
        return len(self.means.cluster_centers_)


def _states(z: Array, rate_Hz: float, step: int) -> Array:
    """(T / step, 3 k) mean, log SD and log step over WINDOW_S around each moment: what is done, not its phase."""
    width = max(2, round(WINDOW_S * rate_Hz))

    def mean(x: Array) -> Array:
        total = np.cumsum(np.concatenate([np.zeros((1, x.shape[1])), x]), 0)
        return (total[width:] - total[:-width]) / width

    if len(z) <= width:
        return np.empty((0, 3 * z.shape[1]))
    good = np.isfinite(z)
    x = np.where(good, z, 0.0)
    stride = np.abs(np.diff(x, axis=0, prepend=x[:1]))
    level = mean(x)
    spread = np.log(np.sqrt(np.maximum(mean(x**2) - level**2, 0)) + 0.05)
    out = np.concatenate([level, spread, np.log(mean(stride) + 0.05 / rate_Hz)], 1)
    out[mean((~good).astype(float)).any(1)] = np.nan  # a window with a gap has no state
    return out[::step]


def _settled(labels: Array, shortest: int) -> Array:
    out = labels.copy()
    cuts = np.r_[0, np.flatnonzero(np.diff(labels)) + 1, len(labels)]
    for a, b in itertools.pairwise(cuts):
        if b - a < shortest and a > 0:
            out[a:b] = out[a - 1]
    return out


@dataclass(frozen=True)
class Grammar:
    """Of one animal. usage (n,): shares of time. transitions (n, n): counts from, to, without staying. dwells (n,
    bins): counts of how long a visit lasts; visits cut by the ends of a record are left out."""

    usage: Array
    transitions: Array
    dwells: Array


def grammar(sequences: Sequence[Array], n: int, period_s: float) -> Grammar:
    usage, transitions = np.zeros(n), np.zeros((n, n))
    dwells = np.zeros((n, len(DWELL_BINS)))
    for labels in sequences:
        usage += np.bincount(labels, minlength=n)
        cuts = np.r_[0, np.flatnonzero(np.diff(labels)) + 1, len(labels)]
        visited = labels[cuts[:-1]]
        np.add.at(transitions, (visited[:-1], visited[1:]), 1)
        seconds = np.diff(cuts)[1:-1] * period_s
        np.add.at(dwells, (visited[1:-1], np.clip(np.searchsorted(DWELL_BINS, seconds) - 1, 0, None)), 1)
    return Grammar(usage / max(usage.sum(), 1), transitions, dwells)


def dwell_distances(grammars: Sequence[Grammar]) -> Array:
    """(n, n) Kolmogorov-Smirnov distances of how long visits last, weighted by the visits to each syllable; 1 where no
    syllable was visited by both."""
    counts = np.stack([g.dwells for g in grammars])  # (animals, syllables, bins)
    visits = counts.sum(2)
    share = np.cumsum(counts, 2) / np.maximum(visits, 1)[:, :, None]
    apart = np.stack([np.abs(share - one).max(2) for one in share])
    weight = np.sqrt(visits[:, None] * visits[None])
    total = weight.sum(2)
    out = np.where(total > 0, (apart * weight).sum(2) / np.maximum(total, 1e-12), 1.0)
    return out * (1 - np.eye(len(out)))
