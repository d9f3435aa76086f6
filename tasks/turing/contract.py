"""What a test is, and what a verdict means."""

from __future__ import annotations

import enum
import functools
import hashlib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary.errors import DataError

VERSION = "4"


@dataclass(frozen=True)
class Edition:
    """A version of the examination. margins_sha256: of margins.toml, which a scorecard names.
    changed: test id, or prefix of ids, -> what it asks otherwise than the version before: lines of the ledger with this
    and an older version cannot be compared in these tests."""

    margins_sha256: str
    changed: Mapping[str, str]


# A margin or a statistic that changes needs a new version here, so that no score moves in silence.
EDITIONS = {
    "1": Edition("72b80973dae35a3662b85d79d2d53f5899fcea4e4abdcf13f543552831718279", {}),
    "2": Edition(
        "3f8672bec1bafbc4cd60f013c8b3741bff3dd708e675bfa7dbd233394945ae2c",
        {
            "B.evoked": "new: explained share of what repeats of a stimulus have in common",
            "C.behaviour": "more rows; a rewiring stops when it can no longer pass",
            "C.atlas": "rewirings light up at most 40 neurons",
            "C.signs": "as C.atlas",
            "D.response": "a mixed model beside the distance between curves; margin and distance as before",
            "D.turing.": "splits of the animals share one null, that of random labels",
            "D.memory": "one set of axes, of all recorded animals, for all splits",
            "D.individuality": "three animals are drawn anew too: their interval had a width of 0",
            "E.habituation": "against naive animals of the same seeds; the worm is touched every 30 s, not 6",
            "E.conditioning": "new: paired against unpaired",
        },
    ),
    "3": Edition(
        "00df292080d6d782235f3c4f1015f04c84cb006155fc3f3d319ed39102b97cb0",
        {
            "C.behaviour": "more rows",
            "E.habituation": "K11 plays recordings back; within the animals' interval where one is published",
            "E.conditioning": "run in a world with cue and event, beside unpaired and naive animals; margin 0.1, was 0",
            "E.extinction": "new",
            "E.retention": "new",
            "F.": "K11 plays recordings back; speeds of heavier and lighter bodies were off by the factor of mass",
        },
    ),
    "4": Edition(
        "77487ed4e21d8c5e9b597d04538fea089be9cc8af4b8f99a7bbaf0f5065c8a1f",
        {
            "C.behaviour": "more rows; a row stops at 4 or 7 of 10 seeds where its sign is decided, a wiring where it "
            "will hardly pass",
            "F.": "asks what is left of the answer to a stimulus; was speed, which recordings played back keep too",
        },
    ),
}


class Verdict(enum.StrEnum):
    """PASS: the whole interval lies within the margin. FAIL: it lies outside. INCONCLUSIVE: neither. INVALID: the test
    passed a control that it must fail, or failed held-out animals. NOT_RUN: not measured, and `reason` says why."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
    NOT_RUN = "NOT-RUN"


@dataclass(frozen=True)
class Margin:
    """The values that count as equal to an animal: from low to high. Fixed in margins.toml before any run."""

    low: float = -math.inf
    high: float = math.inf

    def judge(self, low95: float, high95: float) -> Verdict:
        """The verdict of an interval whose ends are each a one-sided 95 % bound (two one-sided tests)."""
        if not (math.isfinite(low95) and math.isfinite(high95)):
            return Verdict.INCONCLUSIVE
        if self.low <= low95 and high95 <= self.high:
            return Verdict.PASS
        return Verdict.FAIL if low95 > self.high or high95 < self.low else Verdict.INCONCLUSIVE


@dataclass(frozen=True)
class Reference:
    """What a model is held against. n_animals: 0 where only a published number is known."""

    name: str
    doi: str = ""
    licence: str = ""
    sha256: str = ""
    n_animals: int = 0


@dataclass(frozen=True)
class Test:
    """One question. capabilities: what a policy must offer. controls: those it must tell apart (`controls.CONTROLS`).
    power: to pass a perfect copy with `needs` animals on each side, as declared and tested on synthetic animals."""

    __test__ = False  # not pytest's

    id: str
    level: str
    about: str
    statistic: str
    unit: str
    margin: Margin
    controls: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    species: tuple[str, ...] = ("any",)
    needs: int = 5
    power: float = 0.9
    version: str = VERSION
    reference: Reference = field(default_factory=lambda: Reference("none"))


@dataclass(frozen=True)
class Outcome:
    """A statistic with its one-sided 95 % bounds. n_real, n_model: animals. detail: curves and what gave it away."""

    value: float
    low95: float
    high95: float
    n_real: int = 0
    n_model: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Result:
    """A test, what it gave, and its verdict. floor: (median, 95 % quantile) of the same statistic between animals.
    controls: name -> (value, low95, high95, verdict)."""

    test: Test
    verdict: Verdict
    outcome: Outcome | None = None
    reason: str = ""
    floor: tuple[float, float] | None = None
    false_alarms: float | None = None
    controls: Mapping[str, tuple[float, float, float, Verdict]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def score(self) -> float | None:
        """For display: 1 at the floor, 0 at the strongest control that must fail; None without both."""
        ranked = [v[0] for k, v in self.controls.items() if k in self.test.controls and math.isfinite(v[0])]
        if self.outcome is None or self.floor is None or not ranked or not math.isfinite(self.outcome.value):
            return None
        best = min(ranked, key=lambda x: abs(x - self.floor[0]))  # type: ignore[index]
        if (room := best - self.floor[0]) == 0:
            return None
        return min(1.0, max(0.0, (best - self.outcome.value) / room))


def holm(results: Sequence[Result]) -> list[Result]:
    """FAILs with a note of their p, corrected for their number (Holm 1979, Scand J Stat 6:65). That a model fails is a
    claim for each test by itself; that it passes needs all, and no correction."""
    sampled = [(i, r) for i, r in enumerate(results) if r.verdict is Verdict.FAIL and r.outcome]
    claims = sorted((_p_outside(r), i) for i, r in sampled if r.outcome and r.outcome.high95 > r.outcome.low95)
    out, largest = list(results), 0.0
    for rank, (p, i) in enumerate(claims):
        largest = max(largest, min(1.0, p * (len(claims) - rank)))
        size = f"= {largest:.2g}" if largest > 1e-6 else "< 1e-06"
        said = f"p {size} after Holm, {len(claims)} FAIL{'s' * (len(claims) > 1)}"
        out[i] = replace(out[i], notes=(*out[i].notes, said))
    return out


def false_discovery(p: Sequence[float]) -> list[float]:
    """q of each p: the share of false ones among those at or below it (Benjamini & Hochberg 1995, J R Stat Soc B
    57:289). For what was not asked beforehand: ranks, single parameters, single rows."""
    order, n = np.argsort(p), len(p)
    ranked = np.asarray(p, float)[order] * n / np.arange(1, n + 1)
    out = np.empty(n)
    out[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return [float(q) for q in out]


def _p_outside(r: Result) -> float:
    """One-sided, normal: that the value lies beyond the margin, from the bound on the margin's side."""
    assert r.outcome is not None
    o, m = r.outcome, r.test.margin
    gap, half = (o.value - m.high, o.value - o.low95) if o.value > m.high else (m.low - o.value, o.high95 - o.value)
    return 0.0 if half <= 0 else 0.5 * math.erfc(1.6449 * gap / half / math.sqrt(2))


def not_run(test: Test, reason: str) -> Result:
    return Result(test, Verdict.NOT_RUN, reason=reason)


def judge(test: Test, outcome: Outcome, least: int = 2, what: str = "recorded animals: no floor, weak") -> Result:
    """The verdict of a measured statistic. Fewer than `least` animals on a side, or fewer than 4 recorded ones (`what`
    they are), can fail a model but not pass it."""
    verdict, reason = test.margin.judge(outcome.low95, outcome.high95), outcome.reason
    few = min(outcome.n_real, outcome.n_model)
    if few < least or not math.isfinite(outcome.value):
        return Result(test, Verdict.INCONCLUSIVE, outcome, reason or f"{few} animals on one side, {least} are needed")
    if verdict is Verdict.PASS and outcome.n_real < 4:
        verdict, reason = Verdict.INCONCLUSIVE, reason or f"{outcome.n_real} {what}"
    if verdict is Verdict.INCONCLUSIVE and not reason:
        reason = "the interval crosses the margin"
        if test.level == "D":
            reason += f"; about {test.needs} animals a side give a power of {test.power:.0%}"
    return Result(test, verdict, outcome, reason)


def validate(result: Result, allowed: float = 0.05) -> Result:
    """INVALID where a required control passes or held-out animals fail too often; a PASS that new seeds (K18) take back
    is none; else the result itself."""
    if result.verdict is Verdict.NOT_RUN:
        return result
    passed = [k for k in result.test.controls if k in result.controls and result.controls[k][3] is Verdict.PASS]
    if passed:
        return replace(result, verdict=Verdict.INVALID, reason=f"passes {', '.join(passed)}, which it must fail")
    if result.false_alarms is not None and result.false_alarms > allowed:
        why = f"fails {result.false_alarms:.0%} of splits of the animals themselves"
        return replace(result, verdict=Verdict.INVALID, reason=why)
    again = result.controls.get("K18")
    if result.verdict is Verdict.PASS and again is not None and again[3] is Verdict.FAIL:
        return replace(result, verdict=Verdict.INCONCLUSIVE, reason="the same model with new seeds fails (K18)")
    return result


def level_verdict(results: list[Result]) -> Verdict:
    """All must pass, so no correction for their number (intersection-union). INVALID outweighs all: a level whose tests
    do not tell controls apart says nothing."""
    seen = {r.verdict for r in results}
    ran = seen - {Verdict.NOT_RUN}
    if not ran:
        return Verdict.NOT_RUN
    for verdict in (Verdict.INVALID, Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in ran:
            return verdict
    return Verdict.PASS if Verdict.NOT_RUN not in seen else Verdict.INCONCLUSIVE


@functools.cache
def margins() -> dict[str, Margin]:
    """The margins by test id. DataError where the file is not the one that was frozen for this version."""
    file = Path(__file__).with_name("margins.toml")
    text = file.read_bytes().replace(b"\r\n", b"\n")
    if (got := hashlib.sha256(text).hexdigest()) != EDITIONS[VERSION].margins_sha256:
        raise DataError(f"{file.name} was changed (sha256 {got}): margins are fixed by version, this is {VERSION}")
    table = tomllib.loads(text.decode())
    return {k: Margin(v.get("low", -math.inf), v.get("high", math.inf)) for k, v in table["margin"].items()}


def margin_of(test_id: str) -> Margin:
    known = margins()
    if test_id not in known:
        raise LookupError(f"no margin for {test_id!r}; {bestiary.nearest(test_id, known, 'margin')}")
    return known[test_id]
