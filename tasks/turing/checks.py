"""What is wrong with recordings, before any statistic: named, refused or flagged, never mended in silence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bestiary.bodies._base import Array
from bestiary.errors import DataError
from bestiary.tasks.turing.series import Cohort, Series

MOST_MISSING = 0.2
REPEATED = 0.3


@dataclass(frozen=True)
class Flag:
    """kind: "refused" (no statistic may use it), "inconclusive" (nothing can pass) or "note"."""

    kind: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def check(cohort: Cohort, plausible: Mapping[str, tuple[float, float]] | None = None) -> tuple[Flag, ...]:
    """Looks for missing values, gaps, repeated frames, duplicate animals, single animals and impossible units.

    plausible: channel -> (low, high) in which its typical size (median of |x|, gaps left out) must lie.
    """
    out: list[Flag] = []
    if not cohort.animals:
        return (Flag("refused", "no animals"),)
    if len(cohort) == 1:
        out.append(Flag("inconclusive", f"one animal only ({cohort.animals[0].name}): nothing says how animals differ"))
    names = [a.name for a in cohort.animals]
    out += [Flag("refused", f"two animals are called {n!r}") for n in sorted({n for n in names if names.count(n) > 1})]
    for a in cohort.animals:
        out += _series(a, plausible or {})
    out += _alike(cohort)
    return tuple(out)


def _series(a: Series, plausible: Mapping[str, tuple[float, float]]) -> list[Flag]:
    out = []
    bad: Array = ~np.isfinite(a.values)
    if np.isinf(a.values).any():
        out.append(Flag("refused", f"{a.name}: infinite values in {_names(a, np.asarray(np.isinf(a.values).any(0)))}"))
    lost = bad.any(1).mean() if len(a.values) else 1.0
    if len(a.values) < 10:
        return [*out, Flag("refused", f"{a.name}: {len(a.values)} frames")]
    if bad.all(0).any():
        out.append(Flag("refused", f"{a.name}: nothing was measured of {_names(a, np.asarray(bad.all(0)))}"))
    elif lost > MOST_MISSING:
        out.append(
            Flag("refused", f"{a.name}: {lost:.0%} of frames have missing values ({_names(a, np.asarray(bad.any(0)))})")
        )
    elif lost > 0:
        longest = max((b - c for c, b in _runs(np.asarray(bad.any(1)))), default=0) / a.rate_Hz
        out.append(
            Flag("note", f"{a.name}: {lost:.1%} of frames are missing, the longest gap {longest:.2g} s; left out")
        )
    good = a.values[~bad.any(1)]
    if len(good) > 2:
        still = (np.diff(good, axis=0) == 0).all(1)
        share = float(still.mean())
        if share > REPEATED:
            every = 1 / max(1 - share, 1e-9)
            if np.abs(every - round(every)) < 0.1 and round(every) > 1 and _regular(still, round(every)):
                n = round(every)
                why = f"the true rate is {a.rate_Hz / n:g} Hz, not {a.rate_Hz:g}: read it with every={n}"
            else:
                why = "the tracker held its last value"
            out.append(Flag("refused", f"{a.name}: {share:.0%} of frames repeat the one before; {why}"))
    for i, channel in enumerate(a.channels):
        if channel in plausible and np.isfinite(a.values[:, i]).any():
            low, high = plausible[channel]
            size = float(np.nanmedian(np.abs(a.values[:, i])))
            if not low <= size <= high:
                out.append(Flag("refused", f"{a.name}: {channel} is typically {size:.3g}{_power(size, low, high)}"))
    return out


def _power(size: float, low: float, high: float) -> str:
    text = f", not {low:g} to {high:g}"
    if size > 0:
        power = round(math.log10(size / math.sqrt(low * high))) if low > 0 else round(math.log10(size / high))
        if power and low <= size / 10**power <= high:
            text += f": off by 10^{power}, are the units right?"
    return text


def _regular(still: Array, every: int) -> bool:
    return any(still[k::every].mean() < 0.1 for k in range(every))


def _runs(flag: Array) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[0, flag.astype(int), 0])).reshape(-1, 2)
    return [(int(a), int(b)) for a, b in edges]


def _names(a: Series, which: Array) -> str:
    found = [c for c, w in zip(a.channels, which, strict=True) if w]
    return ", ".join(found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")


def _alike(cohort: Cohort) -> list[Flag]:
    """Animals that are copies of each other, whole or shifted: found by a fingerprint of rows of values."""
    seen: dict[bytes, int] = {}
    shared: dict[tuple[int, int], int] = {}
    for i, a in enumerate(cohort.animals):
        rows = a.values[np.isfinite(a.values).all(1)]
        rows = rows[np.any(np.diff(rows, axis=0, prepend=np.nan) != 0, 1)]
        step = max(1, len(rows) // 5000)
        mine = {r.tobytes() for r in np.ascontiguousarray(rows[::step], np.float64)}
        every = {r.tobytes() for r in np.ascontiguousarray(rows, np.float64)} if step > 1 else mine
        for key in every & seen.keys():
            shared[(seen[key], i)] = shared.get((seen[key], i), 0) + 1
        for key in mine - seen.keys():
            seen[key] = i
    return [
        Flag("refused", f"{cohort.animals[i].name} and {cohort.animals[j].name} share {n} frames: duplicate animals")
        for (i, j), n in shared.items()
        if (n > 20 and len(cohort.channels) > 1) or n > 500
    ]


def insist(cohort: Cohort, plausible: Mapping[str, tuple[float, float]] | None = None) -> tuple[Flag, ...]:
    """`check`, and DataError with all refusals if there are any; returns the other flags."""
    found = check(cohort, plausible)
    if bad := [f.what for f in found if f.kind == "refused"]:
        more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise DataError("; ".join(bad[:3]) + more)
    return found


def same_size(real: Cohort, model: Cohort) -> tuple[Flag, ...]:
    """Whether a model's channels are a power of ten off the recorded ones: that is a unit, not a behaviour."""
    out = []
    for i, channel in enumerate(real.channels):
        a = np.nanmedian([np.nanstd(s.values[:, i]) for s in real.animals])
        b = np.nanmedian([np.nanstd(s.values[:, i]) for s in model.animals])
        if a > 0 and b > 0 and abs(power := math.log10(b / a)) > 0.9 and abs(power - round(power)) < 0.12:
            out.append(f"{channel} varies 10^{round(power)} times as much as in the animals")
    if out and len(out) == len(real.channels):
        return (Flag("inconclusive", f"{'; '.join(out[:3])}: are the units right?"),)
    return ()
