"""Level D as one object: portraits of animals, by rulers fitted to the recorded ones, and every test between groups."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks.turing import distance, features, individuality, judge, memory, repeated, responses
from bestiary.tasks.turing.contract import Outcome
from bestiary.tasks.turing.distance import Bounds
from bestiary.tasks.turing.series import Cohort, Frame, Series
from bestiary.tasks.turing.syllables import Alphabet, Grammar, dwell_distances, grammar

SCALES_S = (0.1, 1.0, 10.0, 60.0)
WINDOWS = {0.1: 400, 1.0: 300, 10.0: 120, 60.0: 60}  # of each animal, at most
PERMUTATIONS = 100


@dataclass(frozen=True)
class Portrait:
    """What the tests need of one animal."""

    z: Array
    vectors: dict[str, Array]
    grammar: Grammar
    windows: dict[float, Array]
    psychometric: Array | None = None  # `repeated.PARAMETERS`
    whole: Array | None = None  # the recording before it was cut to the length of the model's


@dataclass(frozen=True)
class Battery:
    """frame, alphabet, strengths, spread, ruler (centre and spread of each vector): fitted to recorded animals."""

    rate_Hz: float
    frame: Frame
    alphabet: Alphabet
    strengths: Array | None
    spread: Array
    scales_s: tuple[float, ...]
    ruler: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    axes: tuple[str, ...] = ()  # names of the frame's axes: channels where it does not mix them

    @classmethod
    def fit(cls, real: Cohort) -> Battery:
        frame = Frame.fit(real)
        series = [frame(a) for a in real.animals]
        strengths = None
        if all(a.stimulus is not None and len(responses.onsets(a)[0]) >= 4 for a in real.animals):
            strengths = responses.levels(real.animals)
            strengths = strengths if len(strengths) else None
        scales = tuple(s for s in SCALES_S if s * real.rate_Hz >= 1 and real.seconds >= 2 * s)
        spread = np.nanstd(np.concatenate(series), 0)
        alphabet = Alphabet.fit(series, real.rate_Hz)
        mixed = len(real.channels) != frame.basis.shape[1] or not np.array_equal(frame.basis, np.eye(len(frame.basis)))
        axes = [f"axis {i + 1}" for i in range(frame.basis.shape[1])] if mixed else map(_word, real.channels)
        return cls(real.rate_Hz, frame, alphabet, strengths, spread, scales, axes=tuple(axes))

    @classmethod
    def of(cls, real: Cohort) -> tuple[Battery, list[Portrait]]:
        """The battery of a recorded cohort, and the portraits of its animals."""
        bare = cls.fit(real)
        found = bare.portraits(real)
        ruler = {}
        for key in found[0].vectors:
            ruler[key] = distance.ruler(np.stack([p.vectors[key] for p in found]))
        return replace(bare, ruler=ruler), found

    def portrait(self, series: Series) -> Portrait:
        z, rate = self.frame(series), self.rate_Hz
        vectors = {
            "features": features.summary(z, rate),
            "marginals": features.quantiles(z),
            "spectrum": features.spectrum(z, rate),
            "arrow": features.arrow(z, rate),
        }
        if z.shape[1] > 1:
            vectors["coupling"] = features.lagged(z, rate)
        if self.strengths is not None and series.stimulus is not None:
            vectors["response"] = responses.curve(series, z, self.strengths, self.spread)
        fit = None
        if "response" in vectors:
            fit = repeated.psychometric(*responses.answered(series, z, self.spread))
        words = grammar(self.alphabet.read(z, rate), self.alphabet.n, self.alphabet.step / rate)
        scales = {}
        for s in self.scales_s:
            cut = features.windows(z, max(1, round(s * rate)), WINDOWS[s])
            scales[s] = features.window_features(cut, rate)[0].astype(np.float32)
        return Portrait(z, vectors, words, scales, fit)

    def portraits(self, cohort: Cohort) -> list[Portrait]:
        return [self.portrait(a) for a in cohort.animals]

    def names(self, scale_s: float) -> list[str]:
        k = self.frame.basis.shape[1]
        frames = max(1, round(scale_s * self.rate_Hz))
        return features.window_features(np.zeros((1, frames, k)), self.rate_Hz, self.axes)[1]


def _word(channel: str) -> str:
    """A channel without its unit."""
    return re.split(r"_(?:mm|rad|deg|um|s|Hz|per)(?:_|$)", channel)[0]


Compare = Callable[[Battery, Sequence[Portrait], Array, np.random.Generator], Outcome]


def _outcome(found: Bounds, real: Array, **detail: Any) -> Outcome:
    n = int(real.sum())
    return Outcome(found.value, found.low95, found.high95, n, len(real) - n, detail)


def _by(key: str, scale: bool) -> Compare:
    def compare(battery: Battery, all_: Sequence[Portrait], real: Array, rng: np.random.Generator) -> Outcome:
        x = np.stack([p.vectors[key] for p in all_])
        if scale:
            centre, spread = battery.ruler[key]
            x = (x - centre) / spread
        x = x[:, np.isfinite(x).all(0)]
        if not x.shape[1]:  # nothing was measured in every animal: no distance is no likeness
            nan = float("nan")
            return Outcome(
                nan, nan, nan, int(real.sum()), int((~real).sum()), reason="nothing was measured in every animal"
            )
        return _outcome(distance.excess(distance.euclidean(x), real, rng), real)

    return compare


def _table(metric: Callable[[Sequence[Grammar]], Array]) -> Compare:
    def compare(battery: Battery, all_: Sequence[Portrait], real: Array, rng: np.random.Generator) -> Outcome:
        return _outcome(distance.excess(metric([p.grammar for p in all_]), real, rng), real)

    return compare


def _judge(scale_s: float) -> Compare:
    def compare(battery: Battery, all_: Sequence[Portrait], real: Array, rng: np.random.Generator) -> Outcome:
        groups = [p.windows[scale_s] for p in all_]
        names = battery.names(scale_s)
        found = judge.turing_score(groups, ~real, names, rng, PERMUTATIONS)
        detail = {
            "raw": found.raw,
            "null": found.null,
            "p": found.p,
            "gave_it_away": list(found.features),
            "roc": [found.roc[0].tolist(), found.roc[1].tolist()],
            "units": found.units,
        }
        return _outcome(found.auc, real, **detail)

    return compare


def _memory(battery: Battery, all_: Sequence[Portrait], real: Array, rng: np.random.Generator) -> Outcome:
    """The library is the whole recordings of the animals that stand for the recorded ones here: in a split of recorded
    animals, a held-out one is not in it."""
    mine = [p for p, r in zip(all_, real, strict=True) if r]
    theirs = [p.z for p, r in zip(all_, real, strict=True) if not r]
    whole = [p.whole if p.whole is not None else p.z for p in mine]
    return _outcome(memory.memorisation(whole, [p.z for p in mine], theirs, battery.rate_Hz, rng), real)


def _individuality(battery: Battery, all_: Sequence[Portrait], real: Array, rng: np.random.Generator) -> Outcome:
    mine, theirs = ([p.z for p, r in zip(all_, real, strict=True) if r == side] for side in (True, False))
    found = individuality.variance_ratio(mine, theirs, battery.rate_Hz, rng)
    parts = np.stack([individuality.blocks(z, battery.rate_Hz) for z in theirs])
    return _outcome(found, real, repeatability=individuality.repeatability(parts))


def _response(battery: Battery, all_: Sequence[Portrait], real: Array, rng: np.random.Generator) -> Outcome:
    """Beside the distance between curves: threshold, slope, guess and lapse of each animal, compared by animal."""
    found = _by("response", True)(battery, all_, real, rng)
    none = np.full(4, np.nan)
    fits = np.stack([none if p.psychometric is None else p.psychometric for p in all_])
    c = repeated.by_animal(fits, ~real, rng, 199)
    table = {
        k: {"model_less_real": float(d), "p": float(p), "p_all": float(q)}
        for k, d, p, q in zip(repeated.PARAMETERS, c.difference, c.p, c.p_all, strict=True)
    }
    return replace(found, detail={**found.detail, "by_animal": table, "exact": c.exact})


def _usage(grammars: Sequence[Grammar]) -> Array:
    x = np.stack([g.usage for g in grammars])
    return distance.jensen_shannon(x[:, None], x[None])


def _order(grammars: Sequence[Grammar]) -> Array:
    x = np.stack([g.transitions.ravel() for g in grammars])
    return distance.jensen_shannon(x[:, None], x[None])


COMPARE: dict[str, Compare] = {
    "D.features": _by("features", True),
    "D.marginals": _by("marginals", False),
    "D.spectrum": _by("spectrum", False),
    "D.coupling": _by("coupling", False),
    "D.arrow": _by("arrow", True),
    "D.usage": _table(_usage),
    "D.transitions": _table(_order),
    "D.dwell": _table(dwell_distances),
    "D.response": _response,
    **{f"D.turing.{s:g}s": _judge(s) for s in SCALES_S},
    "D.memory": _memory,
    "D.individuality": _individuality,
}


def missing(battery: Battery, test_id: str, portraits: Sequence[Portrait]) -> str:
    """Why a test cannot be run, or ""."""
    if test_id.startswith("D.turing."):
        scale = float(test_id.removeprefix("D.turing.").removesuffix("s"))
        if scale not in battery.scales_s:
            return f"windows of {scale:g} s: shorter than a frame, or fewer than two in a recording"
        if any(len(p.windows[scale]) < 2 for p in portraits):
            return f"an animal has fewer than two windows of {scale:g} s without a gap"
    key = test_id.removeprefix("D.")
    if key == "response" and any("response" not in p.vectors for p in portraits):
        return "no stimulus with at least four onsets in every recording"
    if key == "coupling" and any("coupling" not in p.vectors for p in portraits):
        return "one channel only"
    return ""
