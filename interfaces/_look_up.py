"""Look-up in the tables that turn the place of a foot into the angles of its joints."""

from __future__ import annotations

import numba
import numpy as np

from bestiary.bodies._base import Array


@numba.njit(cache=True, nogil=True)
def look(table: Array, low: Array, step: Array, at: Array) -> Array:
    """Trilinear look-up (n,) in a table (nx, ny, nz, n), held at its edges."""
    base = np.zeros(3, np.int64)
    part = np.zeros(3)
    for k in range(3):
        x = (at[k] - low[k]) / step[k]
        x = min(max(x, 0.0), table.shape[k] - 1.000001)
        base[k] = int(x)
        part[k] = x - base[k]
    out = np.zeros(table.shape[3])
    for a in range(2):
        for b in range(2):
            for c in range(2):
                w = (part[0] if a else 1 - part[0]) * (part[1] if b else 1 - part[1]) * (part[2] if c else 1 - part[2])
                row = table[base[0] + a, base[1] + b, base[2] + c]
                for j in range(out.size):
                    out[j] += w * row[j]
    return out
