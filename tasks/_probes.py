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
