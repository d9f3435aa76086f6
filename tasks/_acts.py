"""Measures of what legs, mouth and wings do beside walking: feeding, grooming, take-off, wingbeat."""

from __future__ import annotations

import math

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._paths import within
from bestiary.tasks._posture import period_s
from bestiary.tasks._states import runs
from bestiary.tasks._trial import Track

_OUT = 0.5  # of its reach: a proboscis that is extended
_PUSH_L_PER_S, _WING_RAD_PER_S = 8.0, 30.0
_RAISE_S = 0.04  # before the push: wings that go up then belong to it
_SHORT_MS = 7.0  # take-offs below are of the short mode (von Reyn 2014, Nat Neurosci 17:962)


def _share(flag: Array) -> tuple[float, float]:
    return float(flag.sum()), float(len(flag))


def proboscis_share(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """(samples with the proboscis extended by half or more, samples)."""
    return _share((track.pose["proboscis"] >= _OUT)[within(track, from_s, to_s)])


def proboscis_response(track: Track, from_s: float | None = None, to_s: float | None = None) -> tuple[float, float]:
    """(1 where the proboscis is extended by half at any time, 1): animals that answer out of animals."""
    out = (track.pose["proboscis"] >= _OUT)[within(track, from_s, to_s)]
    return float(out.any()), 1.0


def feeding_latency_s(track: Track) -> tuple[float, float]:
    """(seconds from the first taste of sugar, `on_sugar`, to the first extension; 1), (0, 0) where one is missing."""
    tastes, out = track.info["on_sugar"] > 0, track.pose["proboscis"] >= _OUT
    if not tastes.any():
        return 0.0, 0.0
    first = int(tastes.argmax())
    if not out[first:].any():
        return 0.0, 0.0
    return float(track.time_s[first + int(out[first:].argmax())] - track.time_s[first]), 1.0


def groom_share(
    track: Track, part: str = "antenna", from_s: float | None = None, to_s: float | None = None
) -> tuple[float, float]:
    """(samples in which a part of the body is swept, `swept_<part>`, samples)."""
    return _share((track.info[f"swept_{part}"] > 0)[within(track, from_s, to_s)])


def dust_left(track: Track, part: str = "antenna") -> tuple[float, float]:
    """(dust on a part at the end, dust at the start)."""
    dust = track.info[f"dust_{part}"]
    return float(dust[-1]), float(dust[0])


def groom_order(track: Track, order: tuple[str, ...] | list[str]) -> float:
    """Rank correlation of the mean times at which parts are swept with their place in `order`; 1: in that order.

    Parts that are never swept are left out; NaN below three.
    """
    t = track.time_s
    times = [float(t[swept].mean()) for part in order if (swept := track.info.get(f"swept_{part}", 0 * t) > 0).any()]
    if len(times) < 3:
        return math.nan
    return float(np.corrcoef(np.argsort(np.argsort(times)), np.arange(len(times)))[0, 1])


def _height_m(track: Track) -> Array:
    return track.pose["height_m"] if "height_m" in track.pose else track.com_m[:, 2]


def takeoff_s(track: Track, from_s: float = 0.0) -> float:
    """When the last claw leaves the ground for 10 ms or more and the body is 0.1 of its length higher by then, s; NaN
    where it stays."""
    period = period_s(track)
    bare = track.pose["claw_load_N"].max(1) <= 0
    height, kept = _height_m(track), within(track, from_s, None)
    before = (track.time_s < from_s) if (track.time_s < from_s).any() else kept
    rest = float(np.median(height[before]))
    for run in runs(bare & kept):
        high = height[run].max() > rest + 0.1 * track.length_m
        if (run.stop - run.start) * period >= 0.01 and high and run.start > 0:
            return float(track.time_s[run.start])
    return math.nan


def takeoff_response(track: Track, from_s: float = 0.0) -> tuple[float, float]:
    """(1 where it takes off after from_s, 1)."""
    return float(math.isfinite(takeoff_s(track, from_s))), 1.0


def takeoff_latency_ms(track: Track, from_s: float = 0.0) -> tuple[float, float]:
    """(ms from from_s to take-off, take-offs)."""
    at = takeoff_s(track, from_s)
    return (1e3 * (at - from_s), 1.0) if math.isfinite(at) else (0.0, 0.0)


def takeoff_before_collision(track: Track, from_s: float = 0.0) -> tuple[float, float]:
    """(1 where it takes off after from_s and before `collision_s`, 1)."""
    at = takeoff_s(track, from_s)
    return float(at < track.info["collision_s"][0]), 1.0


def takeoff_sequence_ms(track: Track, from_s: float = 0.0) -> tuple[float, float]:
    """(ms from the first movement to take-off, take-offs), as Card & Dickinson 2008 (J Exp Biol 211:341) time it.

    The push is the rise of the body by 8 lengths a second or more; wings that go up, at 30 rad/s or more, in the 40 ms
    before it begin the sequence earlier.
    """
    at = takeoff_s(track, from_s)
    if not math.isfinite(at):
        return 0.0, 0.0
    slow = np.gradient(_height_m(track), track.time_s) < _PUSH_L_PER_S * track.length_m  # steps rise more slowly
    rests = np.flatnonzero(slow & (track.time_s < at))
    if not len(rests):
        return 0.0, 0.0
    first = float(track.time_s[rests[-1] + 1])
    wings = [i for i, joint in enumerate(track.joints) if joint.startswith("wing_yaw")]
    if wings:
        fast = np.abs(np.gradient(track.pose["joint_rad"][:, wings], track.time_s, axis=0)).max(1) > _WING_RAD_PER_S
        raising = track.time_s[fast & (track.time_s > first - _RAISE_S) & (track.time_s < first)]
        first = float(raising[0]) if len(raising) else first
    return 1e3 * (at - first), 1.0


def short_mode_share(track: Track, from_s: float = 0.0) -> tuple[float, float]:
    """(take-offs whose sequence takes less than 7 ms, take-offs): those of the giant fibre (von Reyn 2014)."""
    ms, n = takeoff_sequence_ms(track, from_s)
    return float(n > 0 and ms < _SHORT_MS), n


def short_takeoff(track: Track, from_s: float = 0.0) -> tuple[float, float]:
    """(1 where it takes off after from_s in the short mode, 1)."""
    return short_mode_share(track, from_s)[0], 1.0


def wingbeat_Hz(track: Track, joint: str = "wing_yaw_left") -> float:
    """Strongest frequency of a wing's hinge, Hz; NaN where it hardly moves. The track must be sampled twice as fast."""
    if joint not in track.joints or len(track.time_s) < 32:
        return math.nan
    angle = track.pose["joint_rad"][:, track.joints.index(joint)]
    angle = angle - angle.mean()
    if angle.std() < 0.1:
        return math.nan
    size = 8 * len(angle)
    power = np.abs(np.fft.rfft(angle * np.hanning(len(angle)), size)) ** 2
    return float(np.fft.rfftfreq(size, period_s(track))[1:][power[1:].argmax()])


def stroke_deg(track: Track, joint: str = "wing_yaw_left", from_s: float | None = None) -> float:
    """Amplitude of a wing's stroke, deg: of the sine that has its spread; NaN where there is no such joint."""
    if joint not in track.joints:
        return math.nan
    angle = track.pose["joint_rad"][within(track, from_s, None), track.joints.index(joint)]
    return math.degrees(math.sqrt(2) * float(angle.std())) if len(angle) else math.nan
