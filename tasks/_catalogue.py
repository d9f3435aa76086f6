"""The measures by name: functions of a `Track` that give a number, or (a, b) whose quotient is taken over the sums of
all tracks. NaN, or a b of 0: there was nothing to measure. Names end in the unit; without one they are shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bestiary
from bestiary.tasks import _gait, _gradient, _probes, _responses, _states

Measure = Callable[..., Any]

MEASURES: dict[str, Measure] = {
    f.__name__: f
    for f in (
        _gait.frequency_Hz,
        _gait.rhythm_share,
        _gait.wavelength_L,
        _gait.wave_speed_mm_per_s,
        _gait.forward_speed_mm_per_s,
        _gait.centroid_speed_mm_per_s,
        _gait.speed_over_wave_speed,
        _gait.rms_curvature_per_mm,
        _gait.peak_curvature_per_mm,
        _gait.posture_variance,
        _states.time_share,
        _states.reversals_per_min,
        _states.reversal_s,
        _states.omega_share,
        _states.omegas_per_min,
        _responses.reversal_response,
        _responses.reversal_latency_s,
        _responses.speed_after_mm_per_s,
        _gradient.chemotaxis_index,
        _gradient.plate_index,
        _gradient.turns_per_min,
        _gradient.turn_bias,
        _gradient.curving_slope,
        _probes.step_response_mV,
    )
}

# Counts out of counts: their interval is Wilson's
FRACTIONS = ("omega_share", "reversal_response")


def measure(name: str) -> Measure:
    """The measure `name`. Raises LookupError with the nearest name."""
    if name not in MEASURES:
        raise LookupError(f"no measure {name!r}; {bestiary.nearest(name, MEASURES, 'measure')}")
    return MEASURES[name]
