"""Level E, learning: does a repeated stimulus lose its effect? `conditioned` asks what a cue has come to stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._catalogue import measure
from bestiary.tasks._posture import period_s, smoothed
from bestiary.tasks._trial import Track
from bestiary.tasks.turing import conditioned
from bestiary.tasks.turing.contract import Margin, Outcome, Reference, Result, Verdict, judge, not_run, validate
from bestiary.tasks.turing.definitions import TESTS
from bestiary.tasks.turing.distance import bounds
from bestiary.tasks.turing.exam import Exam
from bestiary.tasks.turing.lookup import played_back
from bestiary.tasks.turing.trials import Done


def run(exam: Exam) -> list[Result]:
    return [_habituation(exam), *conditioned.run(exam)]


def _habituation(exam: Exam) -> Result:
    test = TESTS["E.habituation"]
    if exam.why_not:
        return not_run(test, exam.why_not)
    options = exam.plan.get("learning")
    if options is None:
        return not_run(
            test, exam.plan.get("missing", {}).get("E", "no learning experiment is described in turing.toml")
        )
    keys = ("task", "medium", "task_options", "body_options", "every")
    world = {k: options[k] for k in keys if k in options}
    n, arms = exam.budget.learning, exam.arms("E")
    if options.get("plastic") and len(arms) > 1:  # K16: what holds the memory is taken out
        if exam.budget.fast:
            arms.pop("K1", None)  # no brain, no answer
        arms["K16"] = {"build": {"without": [options["plastic"]]}}
    seconds = float(options["seconds"])
    if exam.budget.learning_s:
        seconds = min(seconds, max(exam.budget.learning_s, float(options.get("fast_s", 0.0))))
    worlds = (world, {**world, "task_options": naive(world["task_options"], seconds)})
    arms |= played_back(exam, arms, "E", worlds[1], seconds)
    some = min(n, exam.budget.stand_ins or n)
    runs = [(k, w, i) for k in arms for w in worlds for i in range(n if k == "model" else some)]
    done = exam.run("E learning", [exam.trial(w, seconds, exam.seed + i, **arms[k]) for k, w, i in runs])
    rng = np.random.default_rng(exam.seed)
    found = {}
    for k in arms:
        mine = [d for (whose, _, _), d in zip(runs, done, strict=True) if whose == k]
        found[k] = _decline(mine[: len(mine) // 2], mine[len(mine) // 2 :], rng, options)
    reference = Reference(options["source"], options.get("doi", ""), n_animals=int(options["n_animals"]))
    low, high = options.get("interval", (test.margin.low, test.margin.high))  # of the animals, where it is published
    test = replace(test, reference=reference, margin=Margin(low, min(high, test.margin.high)))
    result = judge(test, replace(found["model"], n_real=reference.n_animals))
    if result.verdict is not Verdict.INCONCLUSIVE and (verdict := _fell(found["model"], test.margin)) != result.verdict:
        result = replace(result, verdict=verdict, reason="the answers did not fall")
    if not options.get("plastic", False):  # nothing to switch off: the model is its own control
        found["K16"] = found["model"]
    against = {k: (o.value, o.low95, o.high95, _fell(o, test.margin)) for k, o in found.items() if k != "model"}
    return validate(replace(result, controls=against))


def _fell(outcome: Outcome, margin: Margin) -> Verdict:
    """By the margin, whose edge at 0 is no fall: an interval that ends at exactly 0 does not pass."""
    if outcome.low95 >= 0:
        return Verdict.FAIL
    found = margin.judge(outcome.low95, outcome.high95)
    return Verdict.INCONCLUSIVE if found is Verdict.PASS and outcome.high95 >= 0 else found


def naive(task_options: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """The same world in which only the last third of the stimuli comes, at the same times: the yoked control. What
    changes with time alone, or with the way an animal happens to go, changes in both."""
    first, every = float(task_options["first_s"]), float(task_options["every_s"])
    count = int((seconds - first) / every + 1e-9) + 1
    count = min(count, int(task_options.get("taps", count)))
    third = max(1, count // 3)
    out = {**task_options, "first_s": first + every * (count - third)}
    return out | ({"taps": third} if "taps" in task_options else {})


def _decline(trained: list[Done], fresh: list[Done], rng: np.random.Generator, options: Mapping[str, Any]) -> Outcome:
    """Size of the answers to the last third of the stimuli over that of animals (same seeds) that met no others before,
    less 1. The answer: that of `measure` in the plan, 1 or 0 for each stimulus; else the change of velocity along the
    axis, 3 s after against 3 s before. NaN where the naive give none, or one under 5 % of a body length/s."""
    rows, criterion = [], []
    for d, f in zip(trained, fresh, strict=True):
        if d.track is None or f.track is None:
            continue
        a, b = (_answered(t, options["measure"]) if "measure" in options else _answers(t) for t in (d.track, f.track))
        m = min(len(b), len(a) // 3)
        if m:
            rows.append((a[:m].mean(), a[-m:].mean(), b[-m:].mean()))
            # stimuli until the answer, mean of three, is half of the naive one
            low = np.flatnonzero(np.convolve(a, np.ones(3) / 3, "valid") <= 0.5 * b[-m:].mean())
            criterion.append(int(low[0]) + 3 if len(low) else None)
    if len(rows) < 2 or np.mean([r[2] for r in rows]) < 0.05:
        nan = float("nan")
        return Outcome(nan, nan, nan, 0, len(rows), reason="no answer to the first stimulus met")
    first, last, new = np.array(rows).T
    draws = np.array(
        [last[i].mean() / max(new[i].mean(), 1e-9) - 1 for i in rng.integers(len(new), size=(400, len(new)))]
    )
    found = bounds(float(last.mean() / new.mean() - 1), draws, len(new))
    detail = {"first": first.tolist(), "last": last.tolist(), "last, naive": new.tolist(), "stimuli_to_half": criterion}
    return Outcome(found.value, found.low95, found.high95, 0, len(new), detail)


def _answered(track: Track, name: str) -> Array:
    """(stimuli,) whether each was answered, by a measure that takes `first` and `last`."""
    count = int(track.info["taps"].max(initial=0))
    return np.array([measure(name)(track, first=i, last=i)[0] for i in range(1, count + 1)])


def _answers(track: Track) -> Array:
    if "touches" not in track.info:
        return np.empty(0)
    axis = track.midline_m[:, 0] - track.midline_m[:, -1]
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1), 1e-12)[:, None]
    v = (np.gradient(smoothed(track.com_m, period_s(track), 0.5), track.time_s, axis=0) * axis).sum(1) / track.length_m
    rows = np.flatnonzero(np.diff(track.info["touches"], prepend=track.info["touches"][:1]) > 0)
    span = round(3 / period_s(track))
    good = rows[(rows >= span) & (rows + span <= len(v))]
    return np.array([abs(v[r : r + span].mean() - v[r - span : r].mean()) for r in good])
