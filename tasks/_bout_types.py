"""Which of the thirteen types of bout a larva makes (Z16).

Names and what tells them apart are from Marques 2018 (Curr Biol 28:181), who clustered millions of bouts; the bounds
below are ours, by what their figures show (memory), since the bouts themselves are not at hand: a bout is named by its
kinematics and by whether the eyes are turned in (Bianco 2011: hunts begin with that), C-starts by their latency after a
tap as well (Burgess & Granato 2007).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

import bestiary
from bestiary.bodies._base import Array
from bestiary.tasks._bouts import bouts
from bestiary.tasks._trial import Track

TYPES = {
    "S1": "slow swim, straight and small",
    "S2": "slow swim, straight and larger",
    "RT": "routine turn",
    "HAT": "high-angle turn",
    "BS": "burst swim: straight and fast",
    "SAT": "shadow-avoidance turn: a turn into a burst",
    "O-bend": "very large and slow turn, as after a dark flash",
    "AS": "approach swim: small and straight, eyes turned in",
    "J-turn": "fine turn, eyes turned in",
    "SCS": "short capture swim",
    "LCS": "long capture swim",
    "SLC": "short-latency C-start",
    "LLC": "long-latency C-start",
}
STRAIGHT_DEG, HIGH_DEG, O_DEG = 10.0, 60.0, 120.0  # size of turn: routine from, high-angle from, O-bend from
SMALL_MM, SLOW_MM_PER_S, BURST_MM_PER_S = 1.2, 12.0, 40.0
CAPTURE_MM_PER_S, LONG_MM = 12.0, 1.5  # capture swims are faster than approaches; the long ones go further
C_DEG, C_S, LATE_S = 100.0, 0.02, 0.015  # a C-start turns the head so far so soon (`c_bends`); short latency is below
CONVERGED_DEG = 30.0
_LONGEST_S, _RISE_S = 0.5, 0.2  # of what is looked at, and from its beginning to its fastest


def bout_types(track: Track) -> list[str]:
    """The type of every bout of a track, of the last one too: what it does in at most 0.5 s."""
    found = bouts(track)
    period = float(np.median(np.diff(track.time_s)))
    start = np.maximum(found["start"], found["peak"] - round(_RISE_S / period))  # less the rest before
    peaks = found["peak_mm_per_s"]
    heading = np.degrees(np.unwrap(track.pose["heading_rad"]))
    eyes = np.degrees(track.pose["eye_rad"][:, 1] - track.pose["eye_rad"][:, 0])
    out = []
    for (a, b), peak in zip(pairwise([*start.tolist(), len(track.time_s) - 1]), peaks.tolist(), strict=True):
        span = slice(a, min(b, a + round(_LONGEST_S / period)) + 1)
        way = 1e3 * float(np.linalg.norm(track.com_m[span][-1, :2] - track.com_m[a, :2]))
        quick = _quickest(heading[span], max(1, round(C_S / period)))
        since = track.info["since_tap_s"][span] if "since_tap_s" in track.info else None
        late = since is not None and _latency_s(since, heading[span]) > LATE_S
        turn = abs(float(heading[span][-1] - heading[a]))
        out.append(name(turn, way, peak, quick, float(eyes[a]) > CONVERGED_DEG, late))
    return out


def name(
    turn_deg: float, way_mm: float, peak_mm_per_s: float, quick_deg: float, hunting: bool, late: bool = False
) -> str:
    """The type of a bout of which this is known. quick_deg: the most that the head turned in `C_S`; late: whether it
    began more than `LATE_S` after a tap."""
    if quick_deg >= C_DEG:
        return "LLC" if late else "SLC"
    if hunting:
        if peak_mm_per_s >= CAPTURE_MM_PER_S and turn_deg < 3 * STRAIGHT_DEG:
            return "LCS" if way_mm >= LONG_MM else "SCS"
        return "J-turn" if turn_deg >= STRAIGHT_DEG else "AS"
    if turn_deg >= O_DEG:
        return "O-bend"
    if peak_mm_per_s >= BURST_MM_PER_S:
        return "SAT" if turn_deg >= STRAIGHT_DEG else "BS"
    if turn_deg >= STRAIGHT_DEG:
        return "HAT" if turn_deg >= HIGH_DEG else "RT"
    return "S1" if way_mm < SMALL_MM and peak_mm_per_s < SLOW_MM_PER_S else "S2"


def bout_type_share(track: Track, kind: str) -> tuple[float, float]:
    """(bouts of a type, bouts). Raises LookupError for a type that is not one of the thirteen."""
    if kind not in TYPES:
        raise LookupError(f"no type of bout {kind!r}; {bestiary.nearest(kind, TYPES, 'type')}")
    found = bout_types(track)
    return float(found.count(kind)), float(len(found))


def _quickest(heading_deg: Array, samples: int) -> float:
    """The most that it turns in so many samples."""
    if len(heading_deg) <= samples:
        return abs(float(np.ptp(heading_deg))) if len(heading_deg) else 0.0
    return float(np.abs(heading_deg[samples:] - heading_deg[:-samples]).max())


def _latency_s(since_tap_s: Array, heading_deg: Array, bend_deg: float = 10.0) -> float:
    """From the tap to a turn by bend_deg from the heading at the tap; 0 where there was none in the span."""
    after = np.flatnonzero((since_tap_s >= 0) & (since_tap_s < 0.5))
    if not len(after):
        return 0.0
    turned = np.abs(heading_deg[after] - heading_deg[after[0]]) > bend_deg
    return float(since_tap_s[after][turned.argmax()]) if turned.any() else 0.0
