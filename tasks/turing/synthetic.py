"""Animals whose truth is known, and cheats made from them: what the suite proves itself on.

An animal is a semi-Markov chain of four states. Each state has a posture, a rhythm of its own (a skewed wave that
travels over the channels, so that time has an arrow) and a dwell time; a stimulus sends the animal into flight, the
likelier the stronger it is. Every individual has its own speed, size, dwell times and threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks.turing.series import Cohort, Series

_STATES = 4
_NEXT = np.array([[0, 0.7, 0.2, 0.1], [0.1, 0, 0.8, 0.1], [0.75, 0.1, 0, 0.15], [0.5, 0.4, 0.1, 0]])
_DWELL_S = np.array([2.0, 1.0, 1.5, 0.8])
_HZ = np.array([0.8, 1.6, 1.1, 2.4])
_SIZE = np.array([0.6, 1.0, 0.8, 1.4])


@dataclass(frozen=True)
class Species:
    """channels: of a series. individual: spread between animals (0: clones of the mean). dwell: factor on how long a
    visit lasts. noise: of measurement. stimulus_every_s: mean interval, 0 for none."""

    channels: int = 4
    rate_Hz: float = 15.0
    individual: float = 0.12
    dwell: float = 1.0
    noise: float = 0.05
    stimulus_every_s: float = 12.0

    def animal(self, seconds: float, seed: int, name: str = "") -> Series:
        rng = np.random.default_rng([20261121, seed])
        own = np.exp(self.individual * rng.standard_normal(5))
        posture = _postures(self.channels) + self.individual * rng.standard_normal((1, self.channels))
        frames, period = round(seconds * self.rate_Hz), 1 / self.rate_Hz
        strength = np.zeros(frames)
        state = np.empty(frames, int)
        now, left = int(rng.integers(_STATES)), 0.0
        next_stimulus = rng.exponential(self.stimulus_every_s) + 2 if self.stimulus_every_s else np.inf
        t = 0
        while t < frames:
            if left <= 0:
                now = int(rng.choice(_STATES, p=_NEXT[now]))
                left = rng.gamma(4, _DWELL_S[now] * self.dwell * own[0] / 4)
            if t * period >= next_stimulus:
                level = float(rng.choice([0.25, 0.5, 1.0]))
                strength[t : t + max(1, round(0.3 * self.rate_Hz))] = level
                next_stimulus = t * period + 4 + rng.exponential(self.stimulus_every_s)
                if rng.random() < 1 / (1 + np.exp(-10 * (level - 0.45 * own[4]))):
                    now, left = 3, rng.gamma(4, _DWELL_S[3] * self.dwell * own[0] / 4)
            state[t] = now
            left -= period
            t += 1
        phase = 2 * np.pi * np.cumsum(_HZ[state] * own[1]) * period + rng.uniform(0, 2 * np.pi)
        lag = 2 * np.pi * np.arange(self.channels) / (1.5 * self.channels)
        angle = phase[:, None] - lag
        wave = np.sin(angle) + 0.45 * np.sin(2 * angle + 0.9)  # skewed: it rises faster than it falls
        slow = _noise(frames, self.channels, 1.0, self.rate_Hz, rng)
        blend = _smooth(np.eye(_STATES)[state], 0.15 * self.rate_Hz)
        size = (blend @ _SIZE * own[2])[:, None]
        values = blend @ posture + size * wave * own[3] + 0.35 * slow
        values = values + self.noise * rng.standard_normal(values.shape)
        names = tuple(f"bend{i}_rad" for i in range(self.channels))
        return Series(
            name or f"animal {seed}", self.rate_Hz, values, names, strength if self.stimulus_every_s else None
        )

    def cohort(self, n: int, seconds: float, seed: int = 0) -> Cohort:
        return Cohort(tuple(self.animal(seconds, 1000 * seed + i) for i in range(n)), "synthetic")


def _postures(k: int) -> Array:
    place = np.arange(k) / max(k - 1, 1)
    return np.array([[np.cos(np.pi * s * place[c]) * (1 - 0.3 * s) for c in range(k)] for s in range(_STATES)])


def _smooth(x: Array, sd: float) -> Array:
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(x, sd, axis=0, mode="nearest")


def _noise(frames: int, k: int, tau_s: float, rate_Hz: float, rng: np.random.Generator) -> Array:
    from scipy.signal import lfilter

    keep = np.exp(-1 / (tau_s * rate_Hz))
    return lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.standard_normal((frames, k)), axis=0)


def _each(cohort: Cohort, change: object, name: str) -> Cohort:
    animals = tuple(replace(a, name=f"{name} {i}", values=change(a, i)) for i, a in enumerate(cohort.animals))  # type: ignore[operator]
    return replace(cohort, animals=animals, source=f"{name} of {cohort.source}", sha256="")


def iid(cohort: Cohort, seed: int = 0) -> Cohort:
    """K13: the animals' own frames in random order."""
    rng = np.random.default_rng(seed)
    return _each(cohort, lambda a, i: a.values[rng.permutation(len(a.values))], "i.i.d. frames")


def iaaft(cohort: Cohort, seed: int = 0, rounds: int = 30) -> Cohort:
    """K12: spectra, cross-spectra and marginals of the animal, phases at random (Schreiber and Schmitz 1996, Phys Rev
    Lett 77:635; 2000, Physica D 142:346). Gaps are filled with the mean."""
    rng = np.random.default_rng(seed)

    def make(a: Series, i: int) -> Array:
        x = np.where(np.isfinite(a.values), a.values, np.nanmean(a.values, 0))
        spectrum = np.fft.rfft(x, axis=0)
        size, ranked = np.abs(spectrum), np.sort(x, 0)
        turn = np.exp(2j * np.pi * rng.random((len(spectrum), 1)))
        out = np.fft.irfft(spectrum * turn, len(x), axis=0)
        for _ in range(rounds):
            out = np.take_along_axis(ranked, out.argsort(0).argsort(0), 0)
            now = np.fft.rfft(out, axis=0)
            # the common turn that is nearest to the phases now keeps the phases between channels
            gap = np.angle(now) - np.angle(spectrum)
            common = np.angle((size * np.exp(1j * gap)).sum(1, keepdims=True))
            out = np.fft.irfft(size * np.exp(1j * (np.angle(spectrum) + common)), len(x), axis=0)
        return np.take_along_axis(ranked, out.argsort(0).argsort(0), 0)

    return _each(cohort, make, "IAAFT")


def decoupled(cohort: Cohort, seed: int = 0) -> Cohort:
    """Every channel shifted in time on its own: each is perfect, together they are nobody."""
    rng = np.random.default_rng(seed)

    def make(a: Series, i: int) -> Array:
        n, k = a.values.shape
        return np.stack([np.roll(a.values[:, c], int(rng.integers(n // 10, n))) for c in range(k)], 1)

    return _each(cohort, make, "decoupled")


def backward(cohort: Cohort, seed: int = 0) -> Cohort:
    """K17: time reversed."""
    out = tuple(
        replace(
            a, name=f"reversed {i}", values=a.values[::-1].copy(), stimulus=None if a.stimulus is None else a.stimulus
        )
        for i, a in enumerate(cohort.animals)
    )
    return replace(cohort, animals=out, source=f"time reversal of {cohort.source}")


def replay(cohort: Cohort, seed: int = 0, noise: float = 0.01) -> Cohort:
    """The recordings themselves, begun elsewhere, with noise of 1 % of each channel's SD."""
    rng = np.random.default_rng(seed)

    def make(a: Series, i: int) -> Array:
        x = np.roll(a.values, int(rng.integers(len(a.values))), 0)
        return x + noise * np.nanstd(a.values, 0) * rng.standard_normal(x.shape)

    return _each(cohort, make, "replay")


def clones(cohort: Cohort, seed: int = 0) -> Cohort:
    """K14: every animal is brought to the mean and spread of all of them, and its speed to the mean speed: what is left
    of individuals is what a summary of them would not show."""
    rng = np.random.default_rng(seed)
    means = np.nanmean([np.nanmean(a.values, 0) for a in cohort.animals], 0)
    pieces = 12

    def make(a: Series, i: int) -> Array:
        # pieces of all animals in turn: each clone is the same mixture
        n = len(a.values) // pieces
        parts = []
        for k in range(pieces):
            donor = cohort.animals[(i + k) % len(cohort.animals)].values
            start = int(rng.integers(max(1, len(donor) - n)))
            part = donor[start : start + n]
            parts.append(part - np.nanmean(donor, 0) + means)
        out = np.concatenate(parts)
        return np.concatenate([out, np.full((len(a.values) - len(out), out.shape[1]), np.nan)])

    return _each(cohort, make, "clone")


def lookup(cohort: Cohort, seed: int = 0) -> Cohort:
    """K11: at each stimulus, what some animal did after a stimulus of that strength is played back until the next."""
    from bestiary.tasks.turing.responses import onsets

    rng = np.random.default_rng(seed)
    library: dict[float, list[Array]] = {}
    for a in cohort.animals:
        rows, given = onsets(a)
        for r, stop, g in zip(rows, np.r_[rows[1:], len(a.values)], given, strict=True):
            library.setdefault(round(float(g), 6), []).append(a.values[r:stop])

    def make(a: Series, i: int) -> Array:
        rows, given = onsets(a)
        out = a.values.copy()
        every = [p for parts in library.values() for p in parts]
        for r, stop, g in zip(np.r_[0, rows], np.r_[rows, len(out)], np.r_[np.nan, given], strict=True):
            pool = library.get(round(float(g), 6), every)
            at = r
            while at < stop:
                part = pool[int(rng.integers(len(pool)))][: stop - at]
                out[at : at + len(part)] = part
                at, pool = at + len(part), every
        return out

    return _each(cohort, make, "lookup")
