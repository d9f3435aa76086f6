"""Read-outs of the optic lobe: LC4, LPLC2, LC16, LC10a, HS and VS. Not measured: functional fits, and declared as such.

Each pools the motion energy of T4 and T5 over a receptive field, as its published tuning asks. No synapse of the flyvis
table reaches these cells: pools here are geometry, and gains are set so that a named stimulus gives a named rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bestiary.bodies._hex import plane
from bestiary.brains._optic_lobe import MOTION

Array = np.ndarray[Any, np.dtype[Any]]

# the type of outward motion on each side of the middle of a receptive field: ahead of it, behind, above, below
OUTWARD = {"b": (1, 0), "a": (-1, 0), "c": (0, 1), "d": (0, -1)}
OPPOSITE = {"a": "b", "b": "a", "c": "d", "d": "c"}
ABOUT = {
    "LC4": "speed of a looming edge: dark motion of any direction, less that of the whole eye "
    "(von Reyn 2017 Neuron 94:1190; Ache 2019 Curr Biol 29:1073)",
    "LPLC2": "outward motion in four quadrants at once, vetoed by inward motion (Klapoetke 2017 Nature 551:237)",
    "LC16": "looming ahead, sustained (Wu 2016 eLife 5:e21022; Sen 2017 Curr Biol 27:766)",
    "LC10a": "small moving objects: dark motion less that of the surround (Ribeiro 2018 Cell 174:607)",
    "HS": "front-to-back less back-to-front motion, over the upper, middle or lower field "
    "(Schnell 2010 J Neurophysiol 103:1646; Mauss 2015 Cell 162:351)",
    "VS": "downward less upward motion in a vertical strip, VS1 in front (Scott 2002; Mauss 2015)",
}
REST_HZ = {"HS": 50.0, "VS": 50.0}  # graded cells: about this, up and down; the others are silent at rest
# Hz per unit of pooled energy. Set so that the disc of l/v 40 ms drives LC4, LPLC2 and LC16, a dark spot of 10 deg
# LC10a, to about 100 Hz, and a grating in the preferred direction HS and VS to about 100 Hz.
GAIN_HZ = {"LC4": 400.0, "LPLC2": 400.0, "LC16": 400.0, "LC10a": 400.0, "HS": 200.0, "VS": 200.0}
MOST_HZ = 300.0


@dataclass(frozen=True)
class Readouts:
    """The read-outs of one eye: names `LC4_1`, `HSN`, ...; types; and where each looks, columns (m,), or -1.

    pools (m, k, 8 n): weights over the motion energies of MOTION, type by type; a cell has k = 4 pools, whose
    geometric mean counts (all must be above 0), or one pool and three empty ones.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    columns: Array
    pools: Array
    together: Array  # (m,) bool: all four pools must be above 0

    def rate_Hz(self, energy: Array) -> Array:
        """(m,) float32 of motion energies (8, n): activity above that in grey, 1 at the best edge."""
        pooled = self.pools @ energy.reshape(-1)  # (m, 4)
        all_four = np.sqrt(np.sqrt(np.maximum(pooled, 0).prod(1)))
        value = np.where(self.together, all_four, pooled[:, 0]) * self._gain + self._rest
        return np.clip(value, 0, MOST_HZ).astype(np.float32)

    @property
    def _gain(self) -> Array:
        return np.array([GAIN_HZ[t] for t in self.types], np.float32)

    @property
    def _rest(self) -> Array:
        return np.array([REST_HZ.get(t, 0.0) for t in self.types], np.float32)


def _within(axial: Array, middle: Array, reach: int) -> Array:
    away = axial - middle
    return np.asarray(np.abs(np.stack([*away.T, away.sum(1)])).max(0) <= reach)


def _centres(axial: Array, spacing: int, reach: int) -> Array:
    """Columns spread over the lattice, `spacing` apart, at most `reach` steps from the middle one."""
    on = (axial % spacing == 0).all(1) & _within(axial, np.zeros(2, int), reach)
    return np.flatnonzero(on)


def readouts(axial: Array) -> Readouts:
    """The read-outs over a lattice of columns (n, 2), the same for either eye: front to +v, up to -(u + v / 2).

    LC4 and LPLC2: 19 each, LC10a: 37, LC16: 7 (v783 counts 54, 108, 116 LC4, LPLC2, LC10a on the left: pooled here).
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

    dark = tuple(f"T5{d}" for d in "abcd")
    whole = mean(np.ones(n))
    for k, c in enumerate(_centres(axial, 5, 10)):
        field = mean(_within(axial, axial[c], 5))  # 50-60 deg across
        rows.append((f"LC4_{k + 1}", "LC4", c, [pool(**dict.fromkeys(dark, field - whole))]))
    for k, c in enumerate(_centres(axial, 5, 10)):
        field = _within(axial, axial[c], 5)  # 60 deg (Klapoetke 2017)
        four = []
        for d, (px, py) in OUTWARD.items():
            forward, sideways = px * (x - x[c]) + py * (y - y[c]), np.abs(py * (x - x[c])) + np.abs(px * (y - y[c]))
            branch = mean(field & (forward > 0) & (sideways <= forward))
            wide = mean(field)
            four.append(
                pool(**{f"T4{d}": branch, f"T5{d}": branch, f"T4{OPPOSITE[d]}": -wide, f"T5{OPPOSITE[d]}": -wide})
            )
        rows.append((f"LPLC2_{k + 1}", "LPLC2", c, four))
    ahead = [c for c in _centres(axial, 5, 10) if x[c] > 2]
    for k, c in enumerate(ahead):
        field = mean(_within(axial, axial[c], 4))
        rows.append((f"LC16_{k + 1}", "LC16", c, [pool(**dict.fromkeys(dark, field - 0.7 * whole))]))
    for k, c in enumerate(_centres(axial, 4, 12)):
        centre, ring = _within(axial, axial[c], 2), _within(axial, axial[c], 5)
        weight = mean(centre) - 2 * mean(ring & ~centre)
        rows.append((f"LC10a_{k + 1}", "LC10a", c, [pool(**dict.fromkeys(dark, weight))]))
    for name, part in (("HSN", y > 4), ("HSE", np.abs(y) <= 4), ("HSS", y < -4)):
        w = mean(part)
        rows.append((name, "HS", -1, [pool(T4a=w, T5a=w, T4b=-w, T5b=-w)]))
    edges = np.linspace(x.max() + 0.01, x.min() - 0.01, 7)
    for k in range(6):
        w = mean((x < edges[k]) & (x >= edges[k + 1]))
        rows.append((f"VS{k + 1}", "VS", -1, [pool(T4d=w, T5d=w, T4c=-w, T5c=-w)]))
    pools = np.zeros((len(rows), 4, 8 * n), np.float32)
    for i, row in enumerate(rows):
        for j, p in enumerate(row[3]):
            pools[i, j] = p
    return Readouts(
        names=tuple(r[0] for r in rows),
        types=tuple(r[1] for r in rows),
        columns=np.array([r[2] for r in rows]),
        pools=pools,
        together=np.array([len(r[3]) == 4 for r in rows]),
    )
