"""The measures by name: functions of a `Track` that give a number, or (a, b) whose quotient is taken over the sums of
all tracks. NaN, or a b of 0: there was nothing to measure. Names end in the unit; without one they are shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bestiary
from bestiary.tasks import _acts, _bouts, _gait, _gradient, _legs, _paths, _probes, _responses, _states

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
        _probes.latency_ms,
        _probes.wins,
        _paths.walking_speed_mm_per_s,
        _paths.moving_share,
        _paths.ahead_mm_per_s,
        _paths.turn_deg_per_s,
        _paths.turning_deg_per_s,
        _paths.turn_transience,
        _paths.saccade_deg,
        _paths.saccades_per_s,
        _paths.bout_s,
        _paths.pause_s,
        _paths.upwind_mm_per_s,
        _paths.with_motion_deg_per_s,
        _paths.optomotor_gain,
        _paths.heading_error_deg,
        _paths.compass_error_deg,
        _paths.altitude_error_mm,
        _paths.climbed_mm,
        _paths.ended_early,
        _legs.swing_ms,
        _legs.stance_ms,
        _legs.stride_Hz,
        _legs.step_length_mm,
        _legs.stance_against_speed,
        _legs.swing_against_speed,
        _legs.legs_down,
        _legs.tripod_strength,
        _legs.leg_phase,
        _legs.antiphase,
        _acts.proboscis_share,
        _acts.proboscis_response,
        _acts.feeding_latency_s,
        _acts.groom_share,
        _acts.dust_left,
        _acts.groom_order,
        _acts.takeoff_response,
        _acts.takeoff_latency_ms,
        _acts.takeoff_before_collision,
        _acts.takeoff_sequence_ms,
        _acts.short_mode_share,
        _acts.short_takeoff,
        _acts.wingbeat_Hz,
        _bouts.bout_interval_s,
        _bouts.bout_displacement_mm,
        _bouts.bout_peak_mm_per_s,
        _bouts.bout_turns,
        _bouts.bout_turn_deg,
        _bouts.tail_beat_Hz,
        _bouts.bout_duration_ms,
        _bouts.strouhal,
        _bouts.bend_L,
        _bouts.first_bout_s,
        _bouts.first_beat_s,
        _bouts.bouts_per_s,
        _bouts.escape_beat_Hz,
        _bouts.eye_gain,
        _bouts.eye_turn_deg,
        _bouts.eye_decay_s,
        _bouts.bout_distance,
        _bouts.info_last,
        _bouts.info_most,
        _bouts.startle_latency_ms,
        _bouts.startle_response,
        _bouts.loom_angle_deg,
        _bouts.loom_response,
    )
}

# Counts out of counts: their interval is Wilson's
FRACTIONS = (
    "bout_turns",
    "startle_response",
    "loom_response",
    "omega_share",
    "reversal_response",
    "proboscis_response",
    "takeoff_response",
    "takeoff_before_collision",
    "short_mode_share",
    "short_takeoff",
    "wins",
    "ended_early",
)


def measure(name: str) -> Measure:
    """The measure `name`. Raises LookupError with the nearest name."""
    if name not in MEASURES:
        raise LookupError(f"no measure {name!r}; {bestiary.nearest(name, MEASURES, 'measure')}")
    return MEASURES[name]
