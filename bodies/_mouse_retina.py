"""The two retinas of a mouse: half a sphere each, looking to the side and up, 4 degrees per pixel."""

from __future__ import annotations

import functools
import math

import numpy as np

from bestiary.bodies._base import Array
from bestiary.bodies._eye import Retina

# A mouse's eye sees about 180 deg across (Drager & Olsen 1980), its axis 22 deg up and 64 deg to the side of the nose
# (Oommen & Stahl 2008): all three from memory. Acuity is finer, about 0.5 cycles per degree (Prusky 2000, memory).
FIELD_DEG, PIXEL_DEG = 180.0, 4.0
AZIMUTH_DEG, ELEVATION_DEG = 64.0, 22.0


@functools.lru_cache(maxsize=1)
def mouse_retina() -> Retina:
    """Both eyes, (2, 1289, 3), left first: a spiral of equal areas about each eye's axis (Vogel 1979), head frame."""
    depth = 1 - math.cos(math.radians(FIELD_DEG / 2))
    n = round(2 * math.pi * depth / math.radians(PIXEL_DEG) ** 2)
    height = 1 - depth * (np.arange(n) + 0.5) / n
    turn = math.pi * (3 - math.sqrt(5)) * np.arange(n)
    azimuth, elevation = math.radians(AZIMUTH_DEG), math.radians(ELEVATION_DEG)
    axis = np.array(
        [math.cos(azimuth) * math.cos(elevation), math.sin(azimuth) * math.cos(elevation), math.sin(elevation)]
    )
    flat = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    across = np.sqrt(1 - height**2)[:, None]
    left: Array = height[:, None] * axis + across * (
        np.cos(turn)[:, None] * flat + np.sin(turn)[:, None] * np.cross(axis, flat)
    )
    return Retina(
        np.stack([left, left * [1, -1, 1]]), math.radians(PIXEL_DEG), np.empty((0, 2)), np.zeros((2, n), bool)
    )
