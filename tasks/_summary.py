"""What can be said of a track in a few numbers, by what the body can do: bend, step, eat."""

from __future__ import annotations

import math

import numpy as np

from bestiary.tasks import _acts, _bouts, _gait, _legs, _paths, _states
from bestiary.tasks._trial import Track

Quantities = dict[str, tuple[float, str]]
# poses of bodies whose swings and beats last a few hundredths of a second: every control step is looked at
FINE = frozenset({"claws_m", "eye_rad"})


def summary(track: Track) -> Quantities:
    """(value, unit) by name, NaN where there was nothing to measure. The first tenth, the start, is left out."""
    kept = track.after(0.1 * float(track.time_s[-1]))
    if len(kept.time_s) < 10:
        return {}
    out: Quantities = {
        "path": (1e3 * float(np.linalg.norm(np.diff(kept.com_m, axis=0), axis=1).sum()), "mm"),
        "displacement": (1e3 * float(np.linalg.norm(kept.com_m[-1] - kept.com_m[0])), "mm"),
    }
    if "eye_rad" in kept.pose:
        out |= _bouting(kept)
    elif kept.curvature_per_m.shape[1]:
        out |= _bending(kept)
    if "claws_m" in kept.pose:
        out |= _stepping(kept)
    if "proboscis" in kept.pose:
        out["time with the proboscis out"] = (100 * _ratio(_acts.proboscis_share(kept)), "%")
    return out


def _bending(track: Track) -> Quantities:
    shares = {f"time {n}": (100 * _ratio(_states.time_share(track, n)), "%") for n in _states.NAMES.values()}
    return {
        "mean speed along the body": (1e3 * track.length_m * float(_states.along_body_L_per_s(track).mean()), "mm/s"),
        "speed when forward": (_gait.forward_speed_mm_per_s(track) or math.nan, "mm/s"),  # 0: no bout of 1 s
        "frequency": (_gait.frequency_Hz(track), "Hz"),
        "wavelength": (_gait.wavelength_L(track), "body lengths"),
        "curvature, RMS": (_gait.rms_curvature_per_mm(track, "all"), "1/mm"),
        "reversals": (_ratio(_states.reversals_per_min(track)), "1/min"),
        **shares,
    }


def _bouting(track: Track) -> Quantities:
    return {
        "bouts": (60 * _bouts.bouts_per_s(track), "1/min"),
        "interval between bouts": (_bouts.bout_interval_s(track), "s"),
        "way of a bout": (_bouts.bout_displacement_mm(track), "mm"),
        "peak speed of a bout": (_bouts.bout_peak_mm_per_s(track), "mm/s"),
        "bouts with a turn over 10 deg": (100 * _ratio(_bouts.bout_turns(track)), "%"),
        "duration of a bout": (_bouts.bout_duration_ms(track), "ms"),
        "tail beat": (_bouts.tail_beat_Hz(track), "Hz"),
    }


def _stepping(track: Track) -> Quantities:
    together = "tripod strength" if track.pose["claws_m"].shape[1] == 6 else "diagonal strength"
    return {
        "time in motion": (100 * _ratio(_paths.moving_share(track)), "%"),
        "speed in motion": (_ratio(_paths.walking_speed_mm_per_s(track)), "mm/s"),
        "mean velocity ahead": (_ratio(_paths.ahead_mm_per_s(track)), "mm/s"),
        "mean turn to the left": (_ratio(_paths.turn_deg_per_s(track)), "deg/s"),
        "strides": (_ratio(_legs.stride_Hz(track)), "Hz"),
        "swing": (_ratio(_legs.swing_ms(track)), "ms"),
        "stance": (_ratio(_legs.stance_ms(track)), "ms"),
        "step length": (_ratio(_legs.step_length_mm(track)), "mm"),
        "legs on the ground": (_ratio(_legs.legs_down(track)), ""),
        together: (_ratio(_legs.tripod_strength(track)), ""),
    }


def _ratio(pair: tuple[float, float]) -> float:
    return pair[0] / pair[1] if pair[1] else math.nan
