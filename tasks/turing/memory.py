"""Is a model a recording played back? Its nearest neighbours among the recorded windows are then too near."""

from __future__ import annotations

from collections.abc import Sequence

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


def nearest(real: Sequence[Array], queries: Sequence[Array], rate_Hz: float) -> list[Array]:
    """(w, n_real) for each series of `queries`: distance of its windows to the nearest window of every recorded animal,
    all phases of it, in the principal axes of recorded windows."""
    frames = max(2, round(SECONDS * rate_Hz))
    sample = np.concatenate([_embed(z, _starts(z, frames, 1000), frames) for z in real])
    centre = sample.mean(0)
    axes = np.linalg.eigh(np.cov((sample - centre).T))[1][:, ::-1][:, :KEEP]
    asked = [((_embed(z, _starts(z, frames, QUERIES), frames) - centre) @ axes).astype(np.float32) for z in queries]
    out = [np.full((len(q), len(real)), np.inf) for q in asked]
    for j, z in enumerate(real):
        x = ((_embed(z, _starts(z, frames)[:: max(1, round(frames / 24))], frames) - centre) @ axes).astype(np.float32)
        square = (x**2).sum(1)
        for q, found in zip(asked, out, strict=True):
            if len(x) and len(q):
                found[:, j] = np.sqrt(np.maximum((square[None] - 2 * q @ x.T).min(1) + (q**2).sum(1), 0))
    return out


def memorisation(
    library: Sequence[Array], real: Sequence[Array], model: Sequence[Array], rate_Hz: float, rng: np.random.Generator
) -> Bounds:
    """log of the typical distance of the model's windows to the nearest recorded window, over that of an animal's
    windows to those of other animals: about 0 for another animal, far below for a copy.

    library: the whole recordings, also what is too long to be compared otherwise; real: the part of each that is
    compared, in the same order. A recorded animal is left out of its own neighbours; of the model's, one recorded
    animal is left out in turn too.
    """
    n = len(library)
    if n < 3 or len(real) < 2 or len(model) < 2:
        return Bounds(float("nan"), float("nan"), float("nan"))
    base = []
    for d in nearest(library, real, rate_Hz):
        if len(d):  # its own recording is the nearest of all: at no distance
            base.append(np.median(np.log(np.maximum(np.sort(d, 1)[:, 1], 1e-9))))
    theirs = []
    for d in nearest(library, model, rate_Hz):
        if len(d):
            order = np.log(np.maximum(np.sort(d, 1), 1e-9))
            theirs.append(np.median((order[:, 0] * (n - 1) + order[:, 1]) / n))  # the nearest is left out once in n
    if len(base) < 2 or len(theirs) < 2:
        return Bounds(float("nan"), float("nan"), float("nan"))
    a, b = np.array(theirs), np.array(base)
    value = float(a.mean() - b.mean())
    drawn = draw(len(a), rng) @ a / len(a) - draw(len(b), rng) @ b / len(b)
    return bounds(value, drawn, min(len(a), len(b)))
