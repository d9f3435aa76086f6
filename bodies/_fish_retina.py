"""The two retinas of a larval zebrafish: 163 degrees each, about 3 degrees per pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bestiary.bodies._eye import Retina

Array = np.ndarray[Any, np.dtype[Any]]

FIELD_DEG, PIXEL_DEG = 163.0, 3.0  # of one eye (SimFish); Z25: 0.16 cycles per degree, so 3 degrees a cone and more
LOOKS = 4  # rays of a pixel, on a ring in its 3 degrees, cast in turn; it tells their mean: 40 ms and no aliasing (Z25)
TILT_DEG = 30.0  # how far an eye can turn back the tilt of the head (assumed)
AXIS_DEG = 78.0  # of an eye at rest from straight ahead: a few degrees of the fields overlap in front (assumed)


def fish_retina(side: str) -> Retina:
    """One eye, (1, 1953, 3): a spiral of equal areas about the eye's axis (Vogel 1979), in the frame of the head."""
    pixel = math.radians(PIXEL_DEG) ** 2
    depth = 1 - math.cos(math.radians(FIELD_DEG / 2))
    n = round(2 * math.pi * depth / pixel)
    height = 1 - depth * (np.arange(n) + 0.5) / n
    turn = math.pi * (3 - math.sqrt(5)) * np.arange(n)
    across = np.sqrt(1 - height**2)
    sign = 1 if side == "L" else -1
    azimuth = math.radians(AXIS_DEG) * sign
    axis = np.array([math.cos(azimuth), math.sin(azimuth), 0.0])
    flat = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    spiral = (across * np.cos(turn))[:, None] * flat * sign + (across * np.sin(turn))[:, None] * np.array([0, 0, 1.0])
    way = height[:, None] * axis + spiral
    return Retina(way[None], math.radians(PIXEL_DEG), np.empty((0, 2)), np.zeros((1, n), bool))


def levelled(axes: Array, gain: float) -> Array:
    """Axes (3, 3) in the world of an eye of a tilted head that turns back by `gain` of the tilt, or as far as it can.
    axes: (9,) or (3, 3) of one that does not."""
    own = axes.reshape(3, 3)
    up = own[:, 2]
    tilt = math.acos(min(max(float(up[2]), -1.0), 1.0))
    if gain == 0 or not 1e-6 < tilt < math.pi - 1e-6:
        return own
    back = min(gain * tilt, math.radians(TILT_DEG))
    x, y = up[1] / math.sin(tilt), -up[0] / math.sin(tilt)  # level axis about which it turns up towards the vertical
    c, s = math.cos(back), math.sin(back)
    turn = np.array([[c + x * x * (1 - c), x * y * (1 - c), y * s], [x * y * (1 - c), c + y * y * (1 - c), -x * s],
                     [-y * s, x * s, c]])  # fmt: skip
    return np.asarray(turn @ own)


def covered(ways: Array, eye: Array, places: Array, radii: Array) -> Array:
    """(n,) how much of each pixel small bright things fill. ways (n, 3): where pixels look, world frame; eye (3,);
    places (k, 3), radii (k,) in one unit of length."""
    to = places - eye
    far = np.linalg.norm(to, axis=1)
    size = np.arcsin(np.minimum(radii / np.maximum(far, 1e-12), 1.0))
    half = math.radians(PIXEL_DEG) / 2
    width = np.hypot(size * 0.7, 0.8 * half)
    angle2 = 2 * np.maximum(1 - ways @ (to / far[:, None]).T, 0)
    peak = np.minimum(1.0, (size / half) ** 2)
    return np.asarray(np.minimum((peak * np.exp(-0.5 * angle2 / width**2)).sum(1), 1.0))
