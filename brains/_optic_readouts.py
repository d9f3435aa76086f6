"""Read-outs of the optic lobe: LC4, LPLC2, LC16, LC10a, HS and VS. Not measured: functional fits, and declared as such.

Each pools the motion energy of T4 and T5 over a receptive field, as its published tuning asks. No synapse of the flyvis
table reaches these cells: pools here are geometry, and gains are set so that a named stimulus gives a named rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse

from bestiary.bodies._hex import plane
from bestiary.brains._optic_lobe import MOTION

Array = np.ndarray[Any, np.dtype[Any]]

# the type of outward motion on each side of the middle of a receptive field: ahead of it, behind, above, below
OUTWARD = {"b": (1, 0), "a": (-1, 0), "c": (0, 1), "d": (0, -1)}
OPPOSITE = {"a": "b", "b": "a", "c": "d", "d": "c"}
# LC4: speed of a dark looming edge: outward less half of inward dark motion, less the eye's (von Reyn 2017 Neuron
#   94:1190; Ache 2019 Curr Biol 29:1073)
# LPLC2: outward motion in four quadrants at once, vetoed by inward motion and by motion of the whole eye; bright edges
#   count half (Klapoetke 2017 Nature 551:237)
# LC16: dark looming ahead (Wu 2016 eLife 5:e21022; Sen 2017 Curr Biol 27:766), in four quadrants at once, as LPLC2: one
#   edge of a bar that swept past a turning fly made it back off, and fall
# LC10a: small moving objects: dark motion less that of surround and eye (Ribeiro 2018 Cell 174:607)
# HS: front-to-back less back-to-front motion over the upper, middle or lower field; the other eye's with the opposite
#   sign (Schnell 2010 J Neurophysiol 103:1646; Mauss 2015 Cell 162:351)
# VS: downward less upward motion in a vertical strip, VS1 in front (Scott 2002; Mauss 2015)
REST_HZ = {"HS": 50.0, "VS": 50.0}  # graded cells: about this, up and down; the others are silent at rest
# Hz per unit of pooled energy. A dark disc of l/v 40 ms at the side brings LC4 and LPLC2 near MOST_HZ, a dark spot
# of 12 deg LC10a to 110 Hz, a grating of 30 deg at 5 Hz HS and VS to 200 to 300 Hz.
GAIN_HZ = {"LC4": 600.0, "LPLC2": 600.0, "LC16": 800.0, "LC10a": 300.0, "HS": 200.0, "VS": 200.0}
MOST_HZ = 300.0
FLOOR = {"LC4": 0.15}  # pooled energy that says nothing: what a still scene and walking leave
OTHER_EYE = 0.3  # of HS: the share of the other eye's front-to-back motion that is taken away (through H2; share ours)


@dataclass(frozen=True)
class Readouts:
    """The read-outs of an eye: names `LC4_1`, `HSN`, ...; types; columns (m,) that they look at, -1 for wide ones.

    pools (4 m, 8 n): weights over the motion energies of MOTION, type by type. A cell has four pools, whose geometric
    mean counts (`together`: all four above 0), or one, and three empty ones.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    columns: Array
    pools: Any
    together: Array  # (m,) bool
    _even: Array = field(init=False)  # (4 m, 8) what a pool gives to a whole field alike, and
    _uneven: Any = field(init=False)  # (4 m, 8 n) sparse, the rest: a twentieth of the work
    _gain: Array = field(init=False)
    _rest: Array = field(init=False)
    _wide: Array = field(init=False)
    _floor: Array = field(init=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        dense = np.asarray(self.pools.todense()).reshape(len(self.pools.indptr) - 1, len(MOTION), -1)
        even = np.median(dense, axis=2)
        put(self, "_even", even)
        put(self, "_uneven", scipy.sparse.csr_array((dense - even[..., None]).reshape(len(dense), -1)))
        put(self, "_gain", np.array([GAIN_HZ[t] for t in self.types], np.float32))
        put(self, "_rest", np.array([REST_HZ.get(t, 0.0) for t in self.types], np.float32))
        put(self, "_floor", np.array([FLOOR.get(t, 0.0) for t in self.types], np.float32))
        put(self, "_wide", np.array([t == "HS" for t in self.types]))

    def rate_Hz(self, energy: Array) -> Array:
        """(eyes, m) float32 of motion energies (eyes, 8, n): activity above that in grey, 1 at the best edge."""
        pooled = np.stack([self._uneven @ eye.ravel() + self._even @ eye.sum(1) for eye in energy])
        pooled = pooled.reshape(len(energy), -1, 4)
        all_four = np.sqrt(np.sqrt(np.maximum(pooled, 0).prod(2)))
        value = np.where(self.together, all_four, pooled[..., 0])
        value[:, self._wide] -= OTHER_EYE * value[::-1, self._wide]
        return np.clip((value - self._floor) * self._gain + self._rest, 0, MOST_HZ).astype(np.float32)


def _within(axial: Array, middle: Array, reach: int) -> Array:
    away = axial - middle
    return np.asarray(np.abs(np.stack([*away.T, away.sum(1)])).max(0) <= reach)


def _centres(axial: Array, spacing: int, reach: int) -> Array:
    """Columns spread over the lattice, `spacing` apart, at most `reach` steps from the middle one."""
    on = (axial % spacing == 0).all(1) & _within(axial, np.zeros(2, int), reach)
    return np.flatnonzero(on)


def readouts(axial: Array) -> Readouts:
    """The read-outs over a lattice of columns (n, 2), the same for either eye: front to +v, up to -(u + v / 2).

    LC4 37, LPLC2 61, LC10a 37 (v783 counts 54, 108 and 116 on the left: pooled here), LC16 14, HS 3, VS 6.
    """
    n = len(axial)
    x, y = plane(axial).T
    at = {name: i for i, name in enumerate(MOTION)}
    rows: list[tuple[str, str, int, list[Array]]] = []

    def pool(**weights: Array) -> Array:
        """(8 n,) of weights (n,) by type."""
        out = np.zeros((len(MOTION), n), np.float32)
        for name, w in weights.items():
            out[at[name]] += w
        return out.ravel()

    def mean(mask: Array) -> Array:
        return np.asarray(mask / max(mask.sum(), 1), np.float32)

    def quadrant(c: int, d: str, near: Array) -> Array:
        """(n,) bool: where, of the field `near`, motion of type d goes away from column c."""
        px, py = OUTWARD[d]
        forward, sideways = px * (x - x[c]) + py * (y - y[c]), np.abs(py * (x - x[c])) + np.abs(px * (y - y[c]))
        return np.asarray(near & (forward > 0) & (sideways <= forward))

    def expansion(c: int, reach: int, types: tuple[str, ...]) -> Array:
        """(8 n,): outward less half of inward motion in the four quadrants, together, less all motion of the eye: so
        a part of the field that darkens at once, as under a very fast disc, counts too."""
        near = _within(axial, axial[c], reach)
        weights: dict[str, Array] = {}
        for d in OUTWARD:
            out, into = mean(quadrant(c, d, near)), mean(quadrant(c, OPPOSITE[d], near))
            weights |= {f"{t}{d}": (out - into / 2 - whole) / 4 for t in types}
        return pool(**weights)

    def branches(c: int, reach: int, types: Mapping[str, float]) -> list[Array]:
        """Four (8 n,): in each quadrant outward motion of types by weight, less inward and all motion of the eye."""
        near, four = _within(axial, axial[c], reach), []
        for d in OUTWARD:
            branch = mean(quadrant(c, d, near))
            motion = {t: -whole / 4 for t in MOTION}
            for t in ("T4", "T5"):
                motion[f"{t}{d}"] = motion[f"{t}{d}"] + types.get(t, 0.0) * branch
                motion[f"{t}{OPPOSITE[d]}"] = motion[f"{t}{OPPOSITE[d]}"] - branch
            four.append(pool(**motion))
        return four

    whole = mean(np.ones(n))
    for k, c in enumerate(_centres(axial, 4, 12)):
        rows.append((f"LC4_{k + 1}", "LC4", c, [expansion(c, 5, ("T5",))]))
    for k, c in enumerate(_centres(axial, 3, 12)):  # 60 deg across (Klapoetke 2017)
        rows.append((f"LPLC2_{k + 1}", "LPLC2", c, branches(c, 5, {"T4": 0.5, "T5": 1.0})))
    ahead = [c for c in _centres(axial, 4, 12) if x[c] > 2]
    for k, c in enumerate(ahead):
        rows.append((f"LC16_{k + 1}", "LC16", c, branches(c, 6, {"T5": 1.0})))
    for k, c in enumerate(_centres(axial, 4, 12)):
        centre, ring = _within(axial, axial[c], 2), _within(axial, axial[c], 5)
        weight = mean(centre) - 2 * mean(ring & ~centre) - 2 * whole
        rows.append((f"LC10a_{k + 1}", "LC10a", c, [pool(**{f"T5{d}": weight for d in "abcd"})]))
    for name, part in (("HSN", y > 4), ("HSE", np.abs(y) <= 4), ("HSS", y < -4)):
        w = mean(part)
        rows.append((name, "HS", -1, [pool(T4a=w, T5a=w, T4b=-w, T5b=-w)]))
    edges = np.linspace(x.max() + 0.01, x.min() - 0.01, 7)
    for k in range(6):
        w = mean((x < edges[k]) & (x >= edges[k + 1]))
        rows.append((f"VS{k + 1}", "VS", -1, [pool(T4d=w, T5d=w, T4c=-w, T5c=-w)]))
    pools = np.zeros((len(rows), 4, 8 * n), np.float32)
    for i, row in enumerate(rows):
        pools[i, : len(row[3])] = row[3]
    return Readouts(
        names=tuple(r[0] for r in rows),
        types=tuple(r[1] for r in rows),
        columns=np.array([r[2] for r in rows]),
        pools=scipy.sparse.csr_array(pools.reshape(-1, 8 * n)),
        together=np.array([len(r[3]) == 4 for r in rows]),
    )
