"""Gaits of four-legged bodies: duty, stride length, phases, and what they are called. Legs: FL, FR, HL, HR."""

from __future__ import annotations

import math

import numpy as np

from bestiary.tasks._legs import Stride, strides
from bestiary.tasks._posture import period_s
from bestiary.tasks._trial import Track

GAITS = ("walk", "trot", "gallop", "bound")


def stride_s(track: Track) -> tuple[float, float]:
    """(sum, number) of the durations of step cycles of all legs, from lift to lift, s."""
    found = strides(track)
    return period_s(track) * sum(s.next - s.lift for s in found), float(len(found))


def stride_length_mm(track: Track) -> tuple[float, float]:
    """(sum, number) of the ways of the body during one cycle of a leg, mm."""
    found = strides(track)
    period = period_s(track)
    return 1e3 * sum(s.speed_m_per_s * (s.next - s.lift) * period for s in found), float(len(found))


def duty_factor(track: Track) -> tuple[float, float]:
    """(stance, cycle) summed over strides: the share of a cycle in which a leg stands."""
    found = strides(track)
    return float(sum(s.next - s.land for s in found)), float(sum(s.next - s.lift for s in found))


def _phase(other: list[Stride], s: Stride) -> float:
    """When one of `other` lifts within s, 0 to 1; NaN if none does."""
    for o in other:
        if s.lift <= o.lift < s.next:
            return (o.lift - s.lift) / (s.next - s.lift)
    return math.nan


def gaits(track: Track) -> list[str]:
    """The gait of every cycle of the left hind leg.

    By the phases at which other legs lift (Lemieux 2016 Front Neurosci 10:42; the borders are ours): hind legs that
    alternate (right at 0.25 to 0.75) trot where the right foreleg lifts within 0.125 of the left hind one, else walk;
    hind legs together within 0.1 bound; else gallop.
    """
    by_leg: dict[int, list[Stride]] = {i: [] for i in range(4)}
    for s in strides(track):
        by_leg.setdefault(s.leg, []).append(s)
    out = []
    for s in by_leg[2]:
        hind, diagonal = _phase(by_leg[3], s), _phase(by_leg[1], s)
        if not (math.isfinite(hind) and math.isfinite(diagonal)):
            continue
        if 0.25 <= hind <= 0.75:
            out.append("trot" if min(diagonal, 1 - diagonal) <= 0.125 else "walk")
        else:
            out.append("bound" if min(hind, 1 - hind) <= 0.1 else "gallop")
    return out


def gait_share(track: Track, gait: str) -> tuple[float, float]:
    """(cycles of the left hind leg in a gait, cycles). gait: of GAITS, or several with a + between them."""
    found, wanted = gaits(track), gait.split("+")
    return float(sum(g in wanted for g in found)), float(len(found))


def diagonal_sync(track: Track) -> tuple[float, float]:
    """(sum, number) over cycles of the left hind leg of cos(2 pi phase) of the right foreleg: 1 is a trot."""
    by_leg: dict[int, list[Stride]] = {}
    for s in strides(track):
        by_leg.setdefault(s.leg, []).append(s)
    phases = np.array([_phase(by_leg.get(1, []), s) for s in by_leg.get(2, [])])
    phases = phases[np.isfinite(phases)]
    return float(np.cos(2 * np.pi * phases).sum()), float(len(phases))
