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


@dataclass(frozen=True)
class Portrait:
    """What the tests need of one animal."""

    z: Array
    vectors: dict[str, Array]
    grammar: Grammar
    windows: dict[float, Array]
    blocks: Array  # `individuality.blocks`
    asked: Array  # `memory.Gaze.asked`
    library: Array | None = None  # `memory.Gaze.library` of the whole recording, before it was cut
    trials: tuple[Array, Array] | None = None  # strengths of stimuli, and whether they were answered
    psychometric: Array | None = None  # `repeated.PARAMETERS` of these
    # distances to libraries, as they are asked; not shown: portraits hold one another, and a print would never end
    near: dict[int, tuple[Portrait, Array]] = field(default_factory=dict, repr=False)

    def nearest(self, other: Portrait) -> Array:
        """(w,) distances of this animal's windows to the nearest of the other's recording, kept."""
        if id(other) not in self.near:
            assert other.library is not None
            self.near[id(other)] = other, memory.nearest(self.asked, other.library)
        return self.near[id(other)][1]


@dataclass(frozen=True)
class Battery:
    """frame, alphabet, strengths, spread, gaze, ruler (centre, spread of each vector): fitted to recorded animals."""

    rate_Hz: float
    frame: Frame
    alphabet: Alphabet
    strengths: Array | None
    spread: Array
    scales_s: tuple[float, ...]
    gaze: memory.Gaze
    ruler: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    null: dict[float, Array] = field(default_factory=dict)  # of splits of the recorded animals, see `for_splits`
    names: dict[float, list[str]] = field(default_factory=dict)  # of window features at each scale
    permutations: int = 100  # of the Turing score

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
        axes = [f"axis {i + 1}" for i in range(frame.basis.shape[1])] if mixed else [*map(_word, real.channels)]
        blank = {s: np.zeros((1, max(1, round(s * real.rate_Hz)), len(axes))) for s in scales}
        names = {s: features.window_features(x, real.rate_Hz, axes)[1] for s, x in blank.items()}
        gaze = memory.Gaze.fit(series, real.rate_Hz)
        return cls(real.rate_Hz, frame, alphabet, strengths, spread, scales, gaze, names=names)

    @classmethod
    def of(cls, real: Cohort, whole: Cohort | None = None, permutations: int = 100) -> tuple[Battery, list[Portrait]]:
        """The battery of a recorded cohort, and the portraits of its animals. whole: the same recordings uncut: what is
        copied from a part that is not compared is found too."""
        bare = cls.fit(real)
        found = [
            replace(p, library=bare.gaze.library(bare.frame(a)))
            for p, a in zip(bare.portraits(real), (whole or real).animals, strict=True)
        ]
        ruler = {}
        for key in found[0].vectors:
            ruler[key] = distance.ruler(np.stack([p.vectors[key] for p in found]))
        return replace(bare, ruler=ruler, permutations=permutations), found

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
        trials = responses.answered(series, z, self.spread) if "response" in vectors else None
        fit = None if trials is None else repeated.psychometric(*trials)
        words = grammar(self.alphabet.read(z, rate), self.alphabet.n, self.alphabet.step / rate)
        scales = {}
        for s in self.scales_s:
            cut = features.windows(z, max(1, round(s * rate)), WINDOWS[s])
            scales[s] = features.window_features(cut, rate)[0].astype(np.float32)
        parts = individuality.blocks(z, rate)
        return Portrait(z, vectors, words, scales, parts, self.gaze.asked(z), trials=trials, psychometric=fit)

    def portraits(self, cohort: Cohort) -> list[Portrait]:
        return [self.portrait(a) for a in cohort.animals]

    def for_splits(self, found: Sequence[Portrait], rng: np.random.Generator) -> Battery:
        """The same with the null of the Turing score for halves of these animals: labels at random are what a split is,
        so that all splits share it."""
        half = np.arange(2 * (len(found) // 2)) < len(found) // 2
        null = {}
        for s in self.scales_s:
            if half.sum() > 1 and all(len(p.windows[s]) > 1 for p in found):
                null[s] = judge.chance([p.windows[s] for p in found[: len(half)]], half, rng, self.permutations)
        return replace(self, null=null)


def _word(channel: str) -> str:
    """A channel without its unit."""
    return re.split(r"_(?:mm|rad|deg|um|s|Hz|per)(?:_|$)", channel)[0]


Compare = Callable[[Battery, Sequence[Portrait], Array, np.random.Generator], Outcome]


def _outcome(found: Bounds, real: Array, **detail: Any) -> Outcome:
    n = int(real.sum())
    return Outcome(found.value, found.low95, found.high95, n, len(real) - n, detail)


def _between(d: Array, real: Array, rng: np.random.Generator) -> Outcome:
    return _outcome(distance.excess(d, real, rng), real, rank_p=distance.rank_p(d, real))


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
        return _between(distance.euclidean(x), real, rng)

    return compare


def _table(metric: Callable[[Sequence[Grammar]], Array]) -> Compare:
    def compare(battery: Battery, all_: Sequence[Portrait], real: Array, rng: np.random.Generator) -> Outcome:
        return _between(metric([p.grammar for p in all_]), real, rng)

    return compare


def _judge(scale_s: float) -> Compare:
    def compare(battery: Battery, all_: Sequence[Portrait], real: Array, rng: np.random.Generator) -> Outcome:
        groups = [p.windows[scale_s] for p in all_]
        found = judge.turing_score(
            groups, ~real, battery.names[scale_s], rng, battery.permutations, battery.null.get(scale_s)
        )
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
    near = [np.stack([p.nearest(m) for m in mine], 1) for p in all_]
    theirs = [d for d, r in zip(near, real, strict=True) if not r]
    return _outcome(memory.memorisation([d for d, r in zip(near, real, strict=True) if r], theirs, rng), real)


def _individuality(battery: Battery, all_: Sequence[Portrait], real: Array, rng: np.random.Generator) -> Outcome:
    parts = np.stack([p.blocks for p in all_])
    found = individuality.variance_ratio(parts[real], parts[~real], rng)
    return _outcome(found, real, repeatability=individuality.repeatability(parts[~real]))


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
