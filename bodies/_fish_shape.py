"""The outline of a larval fish, and the sections of its links that follow from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bestiary.bodies._base import Array

if TYPE_CHECKING:
    from bestiary.bodies.zebrafish import Zebrafish

# Half width and half height of the tissue, and half height with the fin fold, in body lengths / 4 (mm in a larva of
# 4 mm), at fractions of the length. Outlines after Mueller & van Leeuwen 2004 (J Exp Biol 207:853), read off by eye;
# their volume gives the 0.42 mg of notes.
_OUTLINE = np.array(
    [  # fraction, half width, half height, half height with fins
        (0.00, 0.05, 0.06, 0.06),
        (0.03, 0.20, 0.18, 0.18),
        (0.10, 0.33, 0.27, 0.27),
        (0.16, 0.31, 0.30, 0.30),
        (0.225, 0.24, 0.31, 0.31),
        (0.30, 0.19, 0.29, 0.30),
        (0.45, 0.13, 0.21, 0.26),
        (0.60, 0.09, 0.15, 0.24),
        (0.80, 0.055, 0.10, 0.25),
        (0.95, 0.02, 0.05, 0.20),
        (1.00, 0.01, 0.02, 0.10),
    ]
)


def outline_m(fraction: Array, length_m: float) -> Array:
    """(3, ...) half width and half height of the tissue, half height with fins, at places 0 nose to 1 tail."""
    scale = length_m / 4.0
    return np.stack([np.interp(fraction, _OUTLINE[:, 0], column) * scale for column in _OUTLINE[:, 1:].T])


def sections(body: Zebrafish) -> dict[str, Array]:
    """Of each link: volume, mean half width w, mean half height h, mean height with fins H, wetted girth; SI."""
    at = np.linspace(body.edges_m[:-1], body.edges_m[1:], 33) / body.length_m
    w, h, fin = outline_m(at, body.length_m)
    long = np.diff(body.edges_m)
    return {
        "volume": math.pi * (w * h).mean(0) * long,
        "w": w.mean(0),
        "h": h.mean(0),
        "height": 2 * fin.mean(0),
        "girth": math.pi * (1.5 * (w + h) - np.sqrt(w * h)).mean(0) + 4 * (fin - h).mean(0),
        "long": long,
    }


def bending_Nm2(body: Zebrafish) -> Array:
    """(n_joints,) stiffness EI: as width cubed times height, from `stiffness_Nm2` where the tail begins."""
    w, h, _ = outline_m(body.joint_fraction, body.length_m)
    shape = w**3 * h
    # the notochord and the fin rays keep the thin end from being a thread: a fiftieth is left of it
    return np.asarray(body.stiffness_Nm2 * np.maximum(shape / shape[0], 0.02))


def balance_m(body: Zebrafish) -> float:
    """Centre of mass of the straight fish ahead of the middle of its head, m."""
    middles = body.head_m / 2 - (body.edges_m[1:] + body.edges_m[:-1]) / 2
    volume = sections(body)["volume"]
    return float((middles * volume).sum() / volume.sum())
