"""Synthetic tracks of a six-legged walker whose every number is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from bestiary.tasks._trial import Track

TRIPOD = (0.0, 0.5, 0.5, 0.0, 0.0, 0.5)  # phase of the lift of T1L, T1R, T2L, T2R, T3L, T3R
TETRAPOD = (0.0, 0.5, 1 / 3, 5 / 6, 2 / 3, 1 / 6)


def walk_track(
    seconds: float = 4.0,
    hz: float = 10.0,
    swing_ms: float = 36.0,
    speed_mm_per_s: Any = 20.0,
    phases: tuple[float, ...] = TRIPOD,
    turn_deg_per_s: Any = 0.0,
    period_s: float = 0.002,
    length_m: float = 2.5e-3,
    info: dict[str, Any] | None = None,
    **pose: Any,
) -> Track:
    """Walks along its heading at speed_mm_per_s, a number or (T,), legs stepping at hz, each lifting at its phase;
    stands where the speed is 0. turn_deg_per_s: a number or (T,), + to the left. Claws stay where they landed."""
    t = np.arange(0, seconds, period_s)
    speed = np.broadcast_to(np.asarray(speed_mm_per_s, float), t.shape) * 1e-3
    heading = np.radians(np.cumsum(np.broadcast_to(np.asarray(turn_deg_per_s, float), t.shape)) * period_s)
    way = speed[:, None] * np.stack([np.cos(heading), np.sin(heading)], 1)
    com = np.c_[np.cumsum(way, 0) * period_s, np.full(len(t), 1e-3)]
    phase = np.cumsum(np.where(speed != 0, hz, 0.0)) * period_s
    cycle = (phase[:, None] + 1e-9 - np.array(phases)) % 1
    swings = (cycle < np.broadcast_to(swing_ms * 1e-3 * np.asarray(hz), t.shape)[:, None]) & (speed != 0)[:, None]
    claws = np.zeros((len(t), 6, 3))
    side = np.array([1.0, -1.0] * 3) * length_m * 0.5
    front = np.repeat([0.5, 0.0, -0.5], 2) * length_m
    for i in range(len(t)):
        ahead, left = (
            np.array([np.cos(heading[i]), np.sin(heading[i])]),
            np.array([-np.sin(heading[i]), np.cos(heading[i])]),
        )
        now = com[i, :2] + front[:, None] * ahead + side[:, None] * left
        claws[i, :, :2] = np.where((swings[i] | (i == 0))[:, None], now, claws[i - 1, :, :2])
    load = np.where(swings, 0.0, 1e-5 / np.maximum((~swings).sum(1), 1)[:, None])
    axis = np.stack([np.cos(heading), np.sin(heading), 0 * t], 1) * length_m / 2
    midline = np.stack([com + axis, com, com - axis], 1)
    known = {"claws_m": claws, "claw_load_N": load, "heading_rad": np.angle(np.exp(1j * heading))}
    known |= {key: np.broadcast_to(np.asarray(value, float), t.shape) for key, value in pose.items()}
    told = {key: np.broadcast_to(np.asarray(value, float), t.shape) for key, value in (info or {}).items()}
    return Track(t, midline, com, np.zeros((len(t), 0)), told, length_m, pose=known)
