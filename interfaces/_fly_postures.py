"""What the fly's legs do beside walking, as angles solved on the body: grooming, the jump, legs drawn up in flight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.bodies.fly import LEGS
from bestiary.interfaces._limb import Limb

# Ways of the claw in grooming, mm in the thorax frame of the left side (x ahead, y left, z up), each gone through
# once a cycle: two sweeps and, where legs can meet, a rub of one against the other. Places are the model's own.
PROGRAMS: dict[str, tuple[str, tuple[tuple[float, float, float], ...], dict[str, float]]] = {
    "groom_eyes": (
        "T1",
        (
            *((0.72, 0.50, 0.22), (0.95, 0.42, 0.05), (1.05, 0.34, -0.20), (1.02, 0.50, -0.30)) * 2,
            *((1.15, 0.06, -0.62), (1.30, 0.03, -0.62), (1.15, 0.06, -0.62), (1.30, 0.03, -0.62)),
        ),
        {"head": -0.25},
    ),
    "groom_antennae": (
        "T1",
        (
            *((0.95, 0.14, 0.06), (1.06, 0.12, -0.18), (1.12, 0.12, -0.42), (1.16, 0.34, -0.25)) * 2,
            *((1.15, 0.06, -0.66), (1.30, 0.03, -0.66), (1.15, 0.06, -0.66), (1.30, 0.03, -0.66)),
        ),
        {"head": -0.4, "antenna": 0.3},
    ),
    "groom_abdomen": (
        "T3",
        (
            *((-0.95, 0.44, 0.02), (-1.35, 0.42, -0.12), (-1.75, 0.30, -0.40), (-1.55, 0.62, -0.40)) * 2,
            *((-1.95, 0.07, -0.85), (-2.15, 0.03, -0.85), (-1.95, 0.07, -0.85), (-2.15, 0.03, -0.85)),
        ),
        {"abdomen": -0.2},
    ),
    "groom_wings": (
        "T3",
        (
            *((-0.75, 0.42, 0.22), (-1.25, 0.40, 0.18), (-1.85, 0.34, 0.02), (-1.45, 0.60, -0.10)) * 2,
            *((-1.95, 0.07, -0.85), (-2.15, 0.03, -0.85), (-1.95, 0.07, -0.85), (-2.15, 0.03, -0.85)),
        ),
        {"abdomen": -0.4},
    ),
    "groom_thorax": (
        "T2",
        ((0.15, 0.42, 0.42), (-0.10, 0.40, 0.46), (-0.35, 0.42, 0.40), (-0.10, 0.65, 0.30)) * 3,
        {},
    ),
}
CYCLE = 48  # steps of a program's table
LEAN_MM = {"T1": -0.05, "T2": 0.0, "T3": 0.35}  # how far ahead the body goes over the legs that stay
# How far from the end of its range each joint stays in a jump: middle claws are 0.3 mm ahead of the centre of mass, and
# pushed as far as they go they threw the fly on its back
SHORT_RAD = {"T2": np.array([0, 0, 0.5, 0, 0, 0.7, 0]), "T3": np.zeros(7)}


def grooming_ways(
    legs: Sequence[Limb], tables: Sequence[Array], origin: Array, body: Any, mm: float
) -> tuple[Array, Array, Array, Array]:
    """Of every program: the ways of the legs, which legs use it, what it adds to other motors, and the lean; as in
    `Template`. mm: model units per mm."""
    ways, users = np.zeros((len(PROGRAMS), CYCLE, 6, 7)), np.zeros((len(PROGRAMS), 6))
    holds, leans = np.zeros((len(PROGRAMS), len(body.motors))), np.zeros(len(PROGRAMS))
    for p, (pair, points, posture) in enumerate(PROGRAMS.values()):
        leans[p] = LEAN_MM[pair]
        for name, angle in posture.items():
            for m, motor in enumerate(body.motors):
                if motor == name or (name == "antenna" and motor.startswith("antenna_") and "twist" not in motor):
                    holds[p, m] = angle
        for i, leg in enumerate(LEGS):
            if leg[:2] != pair or (pair == "T2" and leg[2] == "R"):
                continue
            users[p, i] = 1
            key = np.array(points) * [1, 1 if leg[2] == "L" else -1, 1] * mm
            start = _search(legs[i], key[0], tables[i][6, 3, 2])
            keys = np.zeros((len(key) + 1, 7))
            for k in (*range(len(key)), *range(len(key) + 1)):  # the second time round begins where the first ended
                keys[k] = start = legs[i].solve(key[k % len(key)][None], start, start, 15)[0]
            at = np.arange(CYCLE) / CYCLE * len(key)
            ways[p, :, i] = np.stack([np.interp(at, np.arange(len(keys)), q) for q in keys.T], 1)
    return ways, users, holds, leans


def _search(leg: Limb, target: Array, rest: Array) -> Array:
    """(7,) angles that reach target (3,) and are nearest to `rest`, from many starts."""
    starts = np.random.default_rng(0).uniform(leg.low, leg.high, (100, 7))
    found = leg.solve(np.broadcast_to(target, (100, 3)), starts, rest, 25)
    miss = np.linalg.norm(leg.forward(found)[0] - target, axis=1) / np.abs(leg.links[0][0]).max()
    return np.asarray(found[np.argmin(np.where(miss > miss.min() + 0.02, 1e3, 0) + np.abs(found - rest).sum(1))])


def moved_feet(legs: Sequence[Limb], tables: Sequence[Array], origin: Array, mm: float, by: Mapping[str, Any]) -> Array:
    """(6, 7) rad: every foot moved from its neutral place by mm (ahead, outward, up)."""
    out = np.zeros((6, 7))
    for i, leg in enumerate(LEGS):
        shift = np.array(by[leg[:2]]) * [1, 1 if leg[2] == "L" else -1, 1]
        rest = tables[i][6, 3, 2]
        for part in (0.25, 0.5, 0.75, 1.0):
            out[i] = rest = legs[i].solve(((origin[i] + part * shift) * mm)[None], rest, rest, 20)[0]
    return out


def jump_pose(legs: Sequence[Limb], pose: Array) -> Array:
    """(6, 7) rad: every joint of middle and hind legs that moves the claw down goes to the end of its range, or as near
    to it as SHORT_RAD says."""
    out = pose.copy()
    for i in range(2, 6):
        down = -legs[i].forward(pose[i : i + 1])[2][0, 2]
        strong = np.abs(down) > 0.3 * np.abs(down).max()
        short = SHORT_RAD[LEGS[i][:2]]
        end = np.where(down > 0, legs[i].high + 0.02 - short, legs[i].low - 0.02 + short)
        out[i] = np.where(strong, end, pose[i])
    return out
