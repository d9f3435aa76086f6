"""A hexagonal lattice of columns: ommatidia of a compound eye, and the columns of the optic lobe behind them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def hexagons(radius: int) -> Array:
    """Axial coordinates (n, 2) int, u then v, of the hexagon of columns within `radius` steps: n = 1 + 3 r (r + 1).

    Order: by u, then by v, which is that of flyvis (Lappalainen 2024 Nature 634:1132). Radius 15 has 721 columns.
    Seen from outside, in the plane: v grows towards the front, -(u + v / 2) upwards; `plane` gives that place.
    """
    u, v = (w.ravel() for w in np.mgrid[-radius : radius + 1, -radius : radius + 1])
    return np.stack([u, v], 1)[np.abs(u + v) <= radius]


def plane(axial: Array) -> Array:
    """Places (n, 2) of columns in steps of the lattice: towards the front, upwards; neighbours are 1 apart."""
    u, v = np.asarray(axial, float).T
    return np.stack([v * np.sqrt(3) / 2, -(u + v / 2)], 1)


NEIGHBOURS = np.array([[1, 0], [0, 1], [-1, 1], [-1, 0], [0, -1], [1, -1]])


def neighbours(axial: Array) -> Array:
    """(n, 6) row of each column's neighbour in the order of NEIGHBOURS; -1 beyond the edge."""
    row = {(int(u), int(v)): i for i, (u, v) in enumerate(axial)}
    return np.array([[row.get((int(u + a), int(v + b)), -1) for a, b in NEIGHBOURS] for u, v in axial])
