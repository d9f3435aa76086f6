"""Measures of recorded neurons. A trial that records them adds a column `mV NAME` to the info of its track."""

from __future__ import annotations

import numpy as np

from bestiary.tasks._trial import Track


def step_response_mV(
    track: Track, neuron: str, at_s: float, before_s: float = 2.0, delay_s: float = 0.0, after_s: float = 2.0
) -> float:
    """Mean voltage of `neuron` in after_s from at_s + delay_s, minus its mean in before_s before at_s, mV."""
    v, t = track.info[f"mV {neuron}"], track.time_s
    before, after = (t >= at_s - before_s) & (t < at_s), (t >= at_s + delay_s) & (t < at_s + delay_s + after_s)
    return float(np.mean(v[after]) - np.mean(v[before])) if before.any() and after.any() else float("nan")


def latency_ms(track: Track, neuron: str, to: str, above_mV: float = 5.0) -> tuple[float, float]:
    """(ms from the moment when `neuron` is above its first value by above_mV to that of `to`, 1); (0, 0) without both.

    No finer than the samples of the track.
    """
    times = []
    for name in (neuron, to):
        v = track.info[f"mV {name}"]
        risen = np.flatnonzero(v - v[0] > above_mV)
        if not len(risen):
            return 0.0, 0.0
        times.append(float(track.time_s[risen[0]]))
    return 1e3 * (times[1] - times[0]), 1.0


def wins(track: Track, neuron: str, over: str, from_s: float = 0.0) -> tuple[float, float]:
    """(1 where `neuron` rises more than twice as much as `over`, means after from_s against the first values; 1)."""
    kept = track.time_s >= from_s
    if not kept.any():
        return 0.0, 0.0
    rise = {name: float((v := track.info[f"mV {name}"])[kept].mean() - v[0]) for name in (neuron, over)}
    return float(rise[neuron] > 2 * max(rise[over], 0.0)), 1.0
