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


def latency_ms(track: Track, neuron: str, to: str, above_mV: float = 5.0, from_s: float = 0.0) -> tuple[float, float]:
    """(ms from the first spike of `neuron` after from_s to that of `to`, 1); (0, 0) without both.

    In a brain without rates: from the moment when it is above its first value by above_mV. No finer than the samples.
    """
    times = []
    for name in (neuron, to):
        rate, v = track.info.get(f"Hz {name}"), track.info[f"mV {name}"]
        risen = np.flatnonzero((track.time_s >= from_s) & (rate > 0 if rate is not None else v - v[0] > above_mV))
        if not len(risen):
            return 0.0, 0.0
        times.append(float(track.time_s[risen[0]]))
    return 1e3 * (times[1] - times[0]), 1.0


def wins(track: Track, neuron: str, over: str, from_s: float = 0.0) -> tuple[float, float]:
    """(1 where `neuron` fires more than twice as much as `over` after from_s; 1), (0, 0) where neither does.

    Rates, or in a brain without them the rise of voltage over its first value.
    """
    kept = track.time_s >= from_s
    mean = []
    for name in (neuron, over):
        v = track.info.get(f"Hz {name}")
        v = v if v is not None else track.info[f"mV {name}"] - track.info[f"mV {name}"][0]
        mean.append(float(v[kept].mean()) if kept.any() else 0.0)
    return (float(mean[0] > 2 * max(mean[1], 0.0)), 1.0) if max(mean) > 0 else (0.0, 0.0)
