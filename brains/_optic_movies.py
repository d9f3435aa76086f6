"""Movies for the optic lobe, made here: natural-like scenes for the fit, and edges that no fit has seen to test it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bestiary.bodies._hex import plane

Array = np.ndarray[Any, np.dtype[Any]]

SPEED = (3.0, 25.0)  # columns/s of the fit's scenes: 16-130 deg/s
_BLUR = 0.45  # columns: standard deviation of the ommatidia's acceptance (5 deg wide, 5.3 deg apart)


def torus(side: int) -> Array:
    """Axial coordinates (side^2, 2) of a lattice whose edges meet."""
    return np.stack([w.ravel() for w in np.mgrid[:side, :side]], 1)


def hops(side: int, offset: Array) -> Array:
    """(m, side^2): the column at each `offset` (m, 2) from each column."""
    u, v = torus(side).T
    return ((u + offset[:, :1]) % side) * side + (v + offset[:, 1:]) % side


def _modes(side: int) -> tuple[Array, Array]:
    """Fourier modes of the torus: numbers (m, 2), and wave vectors in the plane (m, 2) rad/column, shortest alias."""
    k = np.stack([w.ravel() for w in np.mgrid[:side, :side]], 1)
    basis = plane(np.eye(2))  # places of the steps in u and in v
    best, length = None, None
    for a in (-1, 0):
        for b in (-1, 0):
            number = k + side * np.array([a, b])
            wave = np.linalg.solve(basis, 2 * np.pi * number.T / side).T
            size = np.linalg.norm(wave, axis=1)
            if best is None or length is None:
                best, waves, length = number, wave, size
            else:
                nearer = size < length
                best[nearer], waves[nearer], length[nearer] = number[nearer], wave[nearer], size[nearer]
    assert best is not None
    return best, waves


def scenes(rng: np.random.Generator, lanes: int, steps: int, side: int, dt_s: float) -> tuple[Array, Array]:
    """(light (steps, side^2, lanes), velocity (steps, 2, lanes) columns/s): random scenes that drift, stand or flicker.

    Amplitudes fall as 1/f^a (a 0.7-1.5), as in natural images; half of the scenes are cut to patches with sharp edges.
    Direction and speed (SPEED, even in the logarithm) are drawn once a scene and turn once within it. One in eight
    stands still, half of these flickering: they carry no motion. In one in eight the light as a whole goes up and down.
    Mean luminance 0.3-0.7, rms contrast 0.15-0.5.
    """
    number, wave = _modes(side)
    first = number[:, 0] * side + number[:, 1] > 0  # of each pair of conjugate modes
    number, wave = number[first], wave[first]
    k = np.linalg.norm(wave, axis=1)
    at = np.exp(2j * np.pi * torus(side) @ number.T / side)  # (columns, modes)
    blur = np.exp(-0.5 * (k * _BLUR) ** 2)
    light = np.empty((steps, side * side, lanes), np.float32)
    velocity = np.empty((steps, 2, lanes))
    for lane in range(lanes):
        amplitude = np.where(k > 0, 1 / np.maximum(k, 1e-9) ** rng.uniform(0.7, 1.5), 0) * blur
        spectrum = amplitude * (rng.standard_normal(len(k)) + 1j * rng.standard_normal(len(k)))
        turn = int(steps * rng.uniform(0.3, 0.7))
        for part, begin in ((slice(0, turn), 0), (slice(turn, steps), turn)):
            speed = math.exp(rng.uniform(*np.log(SPEED)))
            angle = rng.uniform(0, 2 * np.pi)
            velocity[part, :, lane] = speed * np.array([math.cos(angle), math.sin(angle)])
            if begin and rng.random() < 0.5:
                velocity[part, :, lane] = velocity[0, :, lane]  # half keep their course
        still = rng.random() < 1 / 8
        if still:
            velocity[:, :, lane] = 0
        place = np.cumsum(velocity[:, :, lane], 0) * dt_s
        wave_t = np.exp(-1j * place @ wave.T) * spectrum
        movie = wave_t.real @ at.real.T - wave_t.imag @ at.imag.T
        movie /= movie.std()
        if rng.random() < 0.5:
            movie = np.tanh(rng.uniform(1, 4) * (movie - rng.uniform(-0.5, 0.5)))
            movie = (movie - movie.mean()) / max(movie.std(), 1e-6)
        if still and rng.random() < 0.5:
            movie *= np.sign(np.sin(2 * np.pi * rng.uniform(1, 8) * dt_s * np.arange(steps) + rng.uniform(0, 6)))[
                :, None
            ]
        level = rng.uniform(0.3, 0.7)
        if rng.random() < 1 / 8:
            level = level + 0.2 * np.sin(2 * np.pi * rng.uniform(1, 6) * dt_s * np.arange(steps) + rng.uniform(0, 6))
            level = level[:, None]
        light[:, :, lane] = np.clip(level + rng.uniform(0.15, 0.5) * movie, 0, 1)
    return light, velocity


def edge(axial: Array, angle_rad: float, speed: float, bright: bool, dt_s: float, lead_s: float = 0.0) -> Array:
    """A moving edge (T, n): grey 0.5, then after lead_s bright (1) or dark (0) behind a front that moves to angle_rad
    (0 to the front of the animal, pi/2 up) at `speed` columns/s over the whole lattice."""
    along = plane(axial) @ np.array([math.cos(angle_rad), math.sin(angle_rad)])
    span = along.max() - along.min() + 2
    times = np.arange(0, lead_s + span / speed, dt_s) - lead_s
    behind = along.min() - 1 + speed * times[:, None] - along
    share = 0.5 * (1 + np.tanh(behind / _BLUR))  # a step seen through the acceptance, nearly
    share[times < 0] = 0
    return np.asarray(0.5 + (0.5 if bright else -0.5) * share, np.float32)


def looming(
    retina: Array, toward: Array, ratio_s: float, dt_s: float, begin_s: float = -0.5, dark: float = 0.0
) -> Array:
    """A disc on a collision course (T, eyes, n), of luminance `dark` on grey 0.5. Its half angle is atan(l/v / time
    left), l/v = ratio_s (Gabbiani 1999 J Neurosci 19:1122), up to 63 deg, where it stays until 0.1 s after the contact
    that it would make. begin_s: of the film; contact is at 0. retina (eyes, n, 3), toward (3,): directions."""
    times = np.minimum(np.arange(begin_s, 0.1, dt_s), -ratio_s / 2)
    half = np.arctan(ratio_s / -times)
    angle = np.arccos(np.clip(retina @ (toward / np.linalg.norm(toward)), -1, 1))
    inside = 0.5 * (1 + np.tanh((half[:, None, None] - angle) / math.radians(2.5)))
    return np.asarray(0.5 + (dark - 0.5) * inside, np.float32)
