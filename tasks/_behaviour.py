"""What an animal does, moment by moment, told from its track and posture."""

from __future__ import annotations

import numpy as np

from bestiary.bodies._base import Array

STATES = ("forward", "reverse", "pause", "turn")


def smooth(values: Array, time_s: Array, window_s: float) -> Array:
    """Running mean (n,) over window_s, centred; shorter at the ends."""
    if len(values) < 2:
        return values
    n = max(1, round(window_s / float(time_s[1] - time_s[0])) // 2 * 2 + 1)
    n = min(n, len(values) // 2 * 2 - 1)
    kernel = np.ones(n)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def forward_speed(time_s: Array, com_m: Array, midline_m: Array, window_s: float = 0.5) -> Array:
    """Speed (n,) m/s of the centre of mass along the axis from tail to head; mean over window_s."""
    axis = midline_m[:, 0] - midline_m[:, -1]
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-12)
    velocity = np.gradient(com_m, time_s, axis=0) if len(time_s) > 1 else np.zeros_like(com_m)
    return smooth((velocity * axis).sum(1), time_s, window_s)


def fold_rad(midline_m: Array) -> Array:
    """Angle (n,) between the directions of the front and the rear third of the body: 0 straight, pi folded."""
    n = midline_m.shape[1]
    third = max(1, n // 3)
    front = midline_m[:, 0] - midline_m[:, third]
    rear = midline_m[:, -1 - third] - midline_m[:, -1]
    cosine = (front * rear).sum(1) / np.maximum(np.linalg.norm(front, axis=1) * np.linalg.norm(rear, axis=1), 1e-18)
    return np.arccos(np.clip(cosine, -1, 1))


def states(
    time_s: Array,
    com_m: Array,
    midline_m: Array,
    length_m: float,
    pause_per_s: float = 0.02,
    turn_rad: float = np.radians(135),
) -> Array:
    """Index (n,) into STATES. pause: slower than pause_per_s body lengths a second. turn: front and rear third of the
    body at more than turn_rad to one another, the omega turn of Gray 2005 (135 degrees)."""
    speed = forward_speed(time_s, com_m, midline_m) / length_m
    state = np.where(speed > pause_per_s, 0, np.where(speed < -pause_per_s, 1, 2))
    return np.where(fold_rad(midline_m) > turn_rad, 3, state)
