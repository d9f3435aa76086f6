"""Conditioning: after a cue was paired with an event, is it answered, is that kept, and is it lost without the event?

Five groups of animals of the same seeds meet the same cues at the same times (`bestiary.tasks.conditioning`): paired;
unpaired, with as many events between the cues (Rescorla 1967, Psychol Rev 74:71: what events do to any cue is no
association); naive, without training; and paired and unpaired ones that meet only the last cues, so that extinction is
told from forgetting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._catalogue import Measure, measure
from bestiary.tasks._trial import Track
from bestiary.tasks.conditioning import Conditioning
from bestiary.tasks.turing.contract import Outcome, Reference, Result, Verdict, judge, not_run, validate
from bestiary.tasks.turing.definitions import TESTS
from bestiary.tasks.turing.distance import bounds
from bestiary.tasks.turing.exam import Exam
from bestiary.tasks.turing.lookup import played_back
from bestiary.tasks.turing.trials import Done

IDS = ("E.conditioning", "E.extinction", "E.retention")
PROBE = 2  # cues that are a test: the first ones, or the last
FIRST: dict[str, dict[str, Any]] = {g: {"group": g} for g in ("paired", "unpaired", "naive")}
LATER: dict[str, dict[str, Any]] = {f"{g}, late": {"group": g, "late": PROBE} for g in ("paired", "unpaired")}


@dataclass(frozen=True)
class Learnt:
    """answers: group -> (animals, tests) change of the measure at each cue of the tests, + as animals are published to
    answer, over what the event itself changes; NaN where nothing was met. training (animals, trials): at cues of the
    paired, before the event. event: that change, in the measure's unit, of the paired or the unpaired."""

    answers: Mapping[str, Array]
    training: Array
    event: float


def conditioning(learnt: Learnt, rng: np.random.Generator) -> Outcome:
    """Learning index: first test cues, paired less unpaired, and less naive; the one of the two whose lower bound is
    lower. Animals of one seed are compared."""
    first = {g: learnt.answers[g][:, :PROBE].mean(1) for g in FIRST}
    least: Outcome | None = None
    for g in ("unpaired", "naive"):
        found = _contrast(first["paired"] - first[g], rng)
        if least is None or found.low95 < least.low95 or not np.isfinite(found.low95):
            least = found
    assert least is not None
    training = _mean(learnt.training)
    half = np.flatnonzero(training >= 0.5 * np.nanmean(first["paired"]))
    curves = {g: _mean(a).tolist() for g, a in learnt.answers.items()}
    detail = {"cue by cue": curves, "training": training.tolist(), "event": learnt.event}
    detail |= {"trials_to_half": int(half[0]) + 1 if least.low95 > 0 and len(half) else None}
    return replace(least, detail=detail)


def extinction(learnt: Learnt, rng: np.random.Generator) -> Outcome:
    """Last cues of those that met all test cues, less those that met only the last, over the learning index of the
    latter: -1 is all that was learned, and kept so long."""
    late = {g: learnt.answers[g][:, -PROBE:].mean(1) for g in ("paired", *LATER)}
    kept = float(np.nanmean(late["paired, late"] - late["unpaired, late"]))
    if not kept > 0.05:
        return _nothing("nothing was left to extinguish at the time of the last cues")
    return _contrast((late["paired"] - late["paired, late"]) / kept, rng)


def retention(learnt: Learnt, rng: np.random.Generator) -> Outcome:
    """Learning index at the last cues, of animals that met no cue since the training."""
    late = [learnt.answers[g][:, -PROBE:].mean(1) for g in LATER]
    return _contrast(late[0] - late[1], rng)


def _mean(x: Array) -> Array:
    """Over animals; NaN where none was measured."""
    good = np.isfinite(x)
    return np.where(good, x, 0).sum(0) / np.where(good.any(0), good.sum(0), np.nan)


def _contrast(differences: Array, rng: np.random.Generator) -> Outcome:
    x = differences[np.isfinite(differences)]
    if len(x) < 2:
        return _nothing("fewer than two animals gave an answer to measure")
    b = bounds(float(x.mean()), x[rng.integers(len(x), size=(400, len(x)))].mean(1), len(x))
    return Outcome(b.value, b.low95, b.high95, 0, len(x))


def _nothing(reason: str) -> Outcome:
    nan = float("nan")
    return Outcome(nan, nan, nan, reason=reason)


_STATISTIC = {"E.conditioning": conditioning, "E.extinction": extinction, "E.retention": retention}


def outcome(test_id: str, learnt: Learnt | None, seed: int, least: float = 0.0) -> Outcome:
    """learnt: None where no trial gave anything. least: change by the event below which nothing stands for anything."""
    if learnt is None:
        return _nothing("every trial stopped")
    if not learnt.event > least:
        return _nothing(f"the event itself changes {learnt.event:.2g}, under {least:g}: a cue can stand for nothing")
    return _STATISTIC[test_id](learnt, np.random.default_rng(seed))


def run(exam: Exam) -> list[Result]:
    tests = [TESTS[k] for k in IDS]
    options = exam.plan.get("conditioning")
    if exam.why_not or options is None:
        why = exam.plan.get("missing", {}).get("conditioning", "no cue and event are described in turing.toml")
        return [not_run(t, exam.why_not or why) for t in tests]
    if not exam.budget.groups:
        return [not_run(t, "left out by the fast mode: it takes minutes of life of each animal") for t in tests]
    least = float(options["least"])
    reference = Reference(options["source"], options.get("doi", ""), n_animals=int(options["n_animals"]))
    arms = exam.arms("E")
    if options.get("plastic") and len(arms) > 1:
        arms["K16"] = {"build": {"without": [options["plastic"]]}}
    task = _task(options, FIRST["naive"])
    naive = _world(options, FIRST["naive"])
    arms |= played_back(exam, arms, "E conditioning", naive, task.seconds, (task.cue, task.event))
    found = {k: _learnt(exam, options, arm, FIRST, k) for k, arm in arms.items()}
    if not options.get("plastic") and len(arms) > 1:  # nothing to switch off: the model is its own control
        found["K16"] = found["model"]
    mine = outcome("E.conditioning", found["model"], exam.seed, least)
    test = replace(tests[0], reference=reference)
    result = judge(test, replace(mine, n_real=reference.n_animals))
    against = {}
    for k, learnt in found.items():
        if k != "model":
            o = outcome("E.conditioning", learnt, exam.seed, least)
            against[k] = (o.value, o.low95, o.high95, test.margin.judge(o.low95, o.high95))
    out = [validate(replace(result, controls=against))]
    if result.verdict is Verdict.FAIL or not mine.low95 > 0:  # NaN too
        return [*out, *(not_run(t, "nothing was learned that could be kept or lost") for t in tests[1:])]
    both = _learnt(exam, options, {}, FIRST | LATER, "model")
    for t in tests[1:]:
        o = replace(outcome(t.id, both, exam.seed, least), n_real=reference.n_animals)
        out.append(judge(replace(t, reference=reference), o))
    return out


def _task(options: Mapping[str, Any], group: Mapping[str, Any]) -> Conditioning:
    """The task, as long as its last cue asks."""
    task = Conditioning(**{**options["task_options"], **group})
    return replace(task, seconds=float(task.tests_s[-1]) + 2 * task.delay_s + 1.0)


def _arm(options: Mapping[str, Any], arm: Mapping[str, Any]) -> dict[str, Any]:
    """An arm without those components that the table leaves out for speed, in the model as in its controls."""
    left_out, build = options.get("without", []), arm.get("build", {})
    if not left_out or "library" in arm:
        return dict(arm)
    return {**arm, "build": {**build, "without": [*left_out, *build.get("without", [])]}}


def _world(options: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    world = {k: options[k] for k in ("medium", "body_options", "every") if k in options}
    seconds = _task(options, group).seconds
    return {"task": "conditioning", "task_options": {**options["task_options"], **group, "seconds": seconds}, **world}


def _learnt(
    exam: Exam, options: Mapping[str, Any], arm: Mapping[str, Any], groups: Mapping[str, Any], name: str
) -> Learnt | None:
    """An arm in several groups, animals of the same seeds in each."""
    n = exam.budget.learning if name == "model" else exam.budget.stand_ins or exam.budget.learning
    n = min(n, exam.budget.learning)
    rule, sign = measure(options["measure"]), float(options["expect"])
    trials = [
        exam.trial(_world(options, g), _task(options, g).seconds, exam.seed + i, **_arm(options, arm))
        for g in groups.values()
        for i in range(n)
    ]
    tasks = [_task(options, g) for g in groups.values()]

    def seen(place: int, done: Done) -> tuple[Array, Array, Array]:
        """Answers to the tests, to the cues of the training, and to the events."""
        task = tasks[place // n]
        times = (task.tests_s, task.training_s, task.events_s)
        if done.track is None:
            tests, training, events = (np.full(len(t), np.nan) for t in times)
        else:
            after = (task.delay_s, task.delay_s, max(task.delay_s, task.event_s))
            tests, training, events = (_changes(done.track, rule, t, s) for t, s in zip(times, after, strict=True))
        return tests, training, events

    done = exam.run(f"E conditioning {name}", trials, seen)
    parts = {g: done[k * n : (k + 1) * n] for k, g in enumerate(groups)}
    event = [np.abs([e for _, _, e in parts[g]]) for g in ("paired", "unpaired")]
    if not any(np.isfinite(e).any() for e in event):
        return None
    size = max(float(np.nanmean(e)) for e in event if np.isfinite(e).any())
    answers = {g: sign * np.stack([a for a, _, _ in rows]) / max(size, 1e-12) for g, rows in parts.items()}
    training = sign * np.stack([t for _, t, _ in parts["paired"]]) / max(size, 1e-12)
    return Learnt(answers, training, size)


def _changes(track: Track, rule: Measure, times_s: Array, span_s: float) -> Array:
    """(times,) a measure over span_s after each time less that over span_s before."""

    def value(start: float, stop: float) -> float:
        got: Any = rule(track, from_s=start, to_s=stop)
        if isinstance(got, tuple):
            return float(got[0] / got[1]) if got[1] else float("nan")
        return float(got)

    return np.array([value(t, t + span_s) - value(t - span_s, t) for t in times_s])
