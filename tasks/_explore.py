"""Measures of exploring boxes and mazes, of whiskers, rearing and fear: for simulated and recorded tracks alike."""

from __future__ import annotations

import math

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._paths import heading_rad, within
from bestiary.tasks._posture import period_s, smoothed
from bestiary.tasks._states import closed, runs
from bestiary.tasks._trial import Track
from bestiary.tasks.labyrinth import HOME, NODES, parent, way_of

_SMOOTH_S = 0.2
_WALL_M = 0.03  # a nose so near is at the wall


def _speed(track: Track, smooth_s: float = _SMOOTH_S) -> Array:
    """(T,) of the centre of mass in the plane, smoothed, m/s."""
    if len(track.time_s) < 2:
        return np.zeros(len(track.time_s))
    place = smoothed(track.com_m[:, :2], period_s(track), smooth_s)
    return np.asarray(np.hypot(*np.gradient(place, track.time_s, axis=0).T))


def path_m_per_min(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """(way in the plane, m; minutes): at any speed, smoothed over 0.2 s."""
    kept = within(track, from_s, to_s)
    period = period_s(track)
    return float(_speed(track)[kept].sum() * period), float(kept.sum()) * period / 60


def thigmotaxis(track: Track, near_m: float = 0.08) -> tuple[float, float]:
    """(samples with the centre of mass nearer than near_m to a wall, samples). A box of 0.42 m has 62 % of its floor
    within 0.08 m of a wall."""
    near = track.info["wall_m"] < near_m
    return float(near.sum()), float(len(near))


def explored(track: Track) -> float:
    """Share of the floor's fields that were entered, at the end."""
    return float(track.info["explored"][-1])


def leaves_wall(track: Track, within_s: float = 3.0, away_m: float = 0.05) -> tuple[float, float]:
    """(meetings of the nose with a wall (3 cm) after which it is away_m or more from every wall within within_s, or has
    turned along it by 45 degrees or more; meetings). Meetings less than within_s before the end are left out."""
    at, heading = track.info["nose_wall_m"] < _WALL_M, heading_rad(track)
    met = [r.start for r in runs(closed(at, round(0.5 / period_s(track)))) if r.start > 0]
    span = round(within_s / period_s(track))
    met = [i for i in met if i + span < len(at)]
    good = 0
    for i in met:
        after = slice(i, i + span)
        turned = np.abs(heading[after] - heading[i]).max() >= math.pi / 4
        good += bool(turned or (track.info["nose_wall_m"][after] >= away_m).any())
    return float(good), float(len(met))


def rears_per_10min(
    track: Track, where: str = "all", up_deg: float = 30.0, least_s: float = 0.15
) -> tuple[float, float]:
    """(rears, time in units of 10 min). A rear: the trunk is up by up_deg or more for least_s. where: "wall"
    (supported, the nose within 3 cm of a wall at its middle), "free" (unsupported), or "all"."""
    period = period_s(track)
    up = closed(np.degrees(track.pose["pitch_rad"]) >= up_deg, round(0.1 / period))
    found = [r for r in runs(up) if (r.stop - r.start) * period >= least_s]
    if where != "all":
        near = [bool(track.info["nose_wall_m"][(r.start + r.stop) // 2] < _WALL_M) for r in found]
        found = [r for r, n in zip(found, near, strict=True) if n == (where == "wall")]
    return float(len(found)), len(track.time_s) * period / 600


def whisk_Hz(track: Track, least_deg: float = 1.0, from_s: float | None = None, to_s: float | None = None) -> float:
    """Frequency of the strongest rhythm of the mean whisker angle between 3 and 30 Hz, Hz; NaN below least_deg rms."""
    angle = np.degrees(track.pose["whisk_rad"][within(track, from_s, to_s)].mean(1))
    period = period_s(track)
    if len(angle) < 0.5 / period or angle.std() < least_deg:
        return math.nan
    power = np.abs(np.fft.rfft((angle - angle.mean()) * np.hanning(len(angle)), 8 * len(angle))) ** 2
    hz = np.fft.rfftfreq(8 * len(angle), period)
    band = (hz >= 3) & (hz <= 30)
    return float(hz[band][power[band].argmax()]) if band.any() else math.nan


def whisk_deg(track: Track, from_s: float | None = None, to_s: float | None = None) -> float:
    """Sweep of the mean whisker angle, deg: its 95th less its 5th percentile."""
    angle = np.degrees(track.pose["whisk_rad"][within(track, from_s, to_s)].mean(1))
    return float(np.ptp(np.percentile(angle, [5, 95]))) if len(angle) else math.nan


# Mazes


def nodes(track: Track) -> Array:
    """The nodes of the labyrinth one after the other, each change of `node` (the home is 127)."""
    node = track.info["node"].astype(int)
    return node[np.concatenate([[True], np.diff(node) != 0])]


def decisions_per_hour(track: Track) -> tuple[float, float]:
    """(nodes entered but the home, hours outside the home)."""
    way, inside = nodes(track), track.info["node"] != HOME
    return float((way[1:] != HOME).sum()), float(inside.sum()) * period_s(track) / 3600


def nodes_visited(track: Track) -> float:
    """How many of the 127 nodes were entered."""
    way = nodes(track)
    return float(len(np.unique(way[(way != HOME) & (way < NODES)])))


def turn_chance(track: Track, kind: str) -> tuple[float, float]:
    """(steps that were so, steps that could have been), at T junctions (Rosenberg 2021 eLife 10:e66175, figure 9).

    kind: "SF", from the stem, forward into a branch rather than back; "SA", of those, to the other side than at the
    junction before; "BF", from a branch, forward (stem or other branch) rather than back; "BS", of those, into the
    stem.
    """
    way = nodes(track).tolist()
    hits = total = 0
    for i in range(1, len(way) - 1):
        came, here, goes = way[i - 1 : i + 2]
        if here >= NODES // 2:
            continue
        from_stem, back = came == parent(here), goes == came
        if from_stem and kind == "SF":
            total, hits = total + 1, hits + (not back)
        elif from_stem and kind == "SA" and not back and came != HOME and parent(here) == came and i > 1:
            if way[i - 2] == parent(came) and goes in (2 * here + 1, 2 * here + 2):
                total, hits = total + 1, hits + (_turn(came, here) != _turn(here, goes))
        elif not from_stem and kind == "BF":
            total, hits = total + 1, hits + (not back)
        elif not from_stem and kind == "BS" and not back:
            total, hits = total + 1, hits + (goes == parent(here))
    return float(hits), float(total)


def _turn(node: int, child: int) -> int:
    """1 where one turns left from a node's corridor into a child's, -1 right."""
    (ax, ay), (bx, by) = way_of(node), way_of(child)
    return 1 if ax * by - ay * bx > 0 else -1


def alternation(track: Track) -> tuple[float, float]:
    """(choices in a T-maze that differ from the one before, choices less the first)."""
    return float(track.info["alternations"][-1]), float(max(track.info["choices"][-1] - 1, 0))


# Fear


def _freezes(track: Track, within_s: float, least_s: float, slow_m_per_s: float) -> bool:
    """Slower than slow_m_per_s for least_s or more, from a moment within within_s of the threat on, though it moved in
    the second before: one that never moves does not freeze."""
    since, still = track.info["threat_s"], _speed(track) < slow_m_per_s
    start = int((since >= 0).argmax())
    if start and still[max(start - round(1 / period_s(track)), 0) : start].all():
        return False
    need = least_s / period_s(track)
    return any(r.stop - r.start >= need and since[r.start] <= within_s for r in runs(still & (since >= 0)))


def _flees(track: Track, within_s: float, fast_m_per_s: float) -> bool:
    """Faster than fast_m_per_s within within_s of the threat, and at least twice as fast as in the second before it."""
    since, speed = track.info["threat_s"], _speed(track, 0.1)
    after = (since >= 0) & (since <= within_s)
    start = int((since >= 0).argmax())
    before = speed[max(start - round(1 / period_s(track)), 0) : start]
    top = speed[after].max(initial=0.0)
    return bool(top >= fast_m_per_s and top >= 2 * before.mean()) if len(before) else bool(top >= fast_m_per_s)


def freezing(
    track: Track, within_s: float = 2.0, least_s: float = 1.0, slow_m_per_s: float = 0.02
) -> tuple[float, float]:
    """(1 where it freezes at the threat, 1): see `threat_response`."""
    return float(_freezes(track, within_s, least_s, slow_m_per_s)), 1.0


def fleeing(track: Track, within_s: float = 1.0, fast_m_per_s: float = 0.25) -> tuple[float, float]:
    """(1 where it flees from the threat, 1): see `threat_response`."""
    return float(_flees(track, within_s, fast_m_per_s)), 1.0


def threat_response(
    track: Track, within_s: float = 2.0, least_s: float = 1.0, slow_m_per_s: float = 0.02, fast_m_per_s: float = 0.25
) -> tuple[float, float]:
    """(1 where it flees within 1 s after the threat (`threat_s`) began, or freezes for least_s or more; 1). Thresholds
    are ours; a sham says how often they are met without a threat."""
    hit = _flees(track, 1.0, fast_m_per_s) or _freezes(track, within_s, least_s, slow_m_per_s)
    return float(hit), 1.0


def immobile_share(
    track: Track, from_s: float | None = None, to_s: float | None = None, slow_m_per_s: float = 0.02
) -> tuple[float, float]:
    """(samples slower than slow_m_per_s, samples)."""
    still = (_speed(track) < slow_m_per_s)[within(track, from_s, to_s)]
    return float(still.sum()), float(len(still))


def fallen_share(track: Track) -> tuple[float, float]:
    """(samples in which the body lies on its side or back: `upright` below 0.3; samples)."""
    down = track.pose["upright"] < 0.3
    return float(down.sum()), float(len(down))


def correct(track: Track) -> tuple[float, float]:
    """(1 where the task tells at the end that it was `correct`, 1)."""
    return float(track.info["correct"][-1] > 0), 1.0


def happened(track: Track, key: str) -> tuple[float, float]:
    """(1 where a number that the task tells was above 0 at any time, 1)."""
    return float((track.info[key] > 0).any()), 1.0
