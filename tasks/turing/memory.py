"""Is a model a recording played back? Its nearest neighbours among the recorded windows are then too near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks.turing.distance import Bounds, bounds, draw

SECONDS = 1.5
POINTS = 12  # samples of a window
QUERIES = 24  # windows of each animal
KEEP = 16


def _embed(z: Array, starts: Array, frames: int) -> Array:
    """(w, POINTS * k) samples of the windows at `starts`, those with a gap left out."""
    at = np.round(np.linspace(0, frames - 1, min(POINTS, frames))).astype(int)
    out = z[starts[:, None] + at].reshape(len(starts), -1)
    return out[np.isfinite(out).all(1)]


def _starts(z: Array, frames: int, most: int | None = None) -> Array:
    last = len(z) - frames
    return np.arange(last + 1) if most is None else np.unique(np.linspace(0, max(last, 0), most).astype(int))


@dataclass(frozen=True)
class Gaze:
    """Windows in the principal axes of those of recorded animals: what near and far mean."""

    frames: int
    centre: Array
    axes: Array

    @classmethod
    def fit(cls, real: Sequence[Array], rate_Hz: float) -> Gaze:
        frames = max(2, round(SECONDS * rate_Hz))
        sample = np.concatenate([_embed(z, _starts(z, frames, 1000), frames) for z in real])
        centre = sample.mean(0)
        return cls(frames, centre, np.linalg.eigh(np.cov((sample - centre).T))[1][:, ::-1][:, :KEEP])

    def _seen(self, z: Array, starts: Array) -> Array:
        return ((_embed(z, starts, self.frames) - self.centre) @ self.axes).astype(np.float32)

    def asked(self, z: Array) -> Array:
        """(QUERIES, KEEP): the windows of an animal that are looked up."""
        return self._seen(z, _starts(z, self.frames, QUERIES))

    def library(self, z: Array) -> Array:
        """(w, KEEP): windows at all phases of a whole recording."""
        return self._seen(z, _starts(z, self.frames)[:: max(1, round(self.frames / 24))])


def nearest(asked: Array, library: Array) -> Array:
    """(w,) distance of each window of `asked` to the nearest of `library`."""
    if not len(library):
        return np.full(len(asked), np.inf)
    x = 2 * asked @ library.T
    return np.sqrt(np.maximum(((library**2).sum(1)[None] - x).min(1) + (asked**2).sum(1), 0))


def memorisation(mine: Sequence[Array], theirs: Sequence[Array], rng: np.random.Generator) -> Bounds:
    """log of the typical distance of the model's windows to the nearest recorded window, over that of an animal's
    windows to those of other animals: about 0 for another animal, far below for a copy.

    mine, theirs: of each recorded and each simulated animal, (w, n) distances of its windows to the n whole recordings
    (`nearest`). A recorded animal is left out of its own neighbours; of the model's, one recorded animal is left out in
    turn too.
    """
    n = len(mine)
    if n < 3 or len(theirs) < 2:
        return Bounds(float("nan"), float("nan"), float("nan"))
    # its own recording is the nearest of all: at no distance
    b = np.array([np.median(np.log(np.maximum(np.sort(d, 1)[:, 1], 1e-9))) for d in mine if len(d)])
    ranked = [np.log(np.maximum(np.sort(d, 1)[:, :2], 1e-9)) for d in theirs if len(d)]
    a = np.array([np.median((x[:, 0] * (n - 1) + x[:, 1]) / n) for x in ranked])  # the nearest is left out once in n
    if len(a) < 2 or len(b) < 2:
        return Bounds(float("nan"), float("nan"), float("nan"))
    value = float(a.mean() - b.mean())
    drawn = draw(len(a), rng) @ a / len(a) - draw(len(b), rng) @ b / len(b)
    return bounds(value, drawn, min(len(a), len(b)))
