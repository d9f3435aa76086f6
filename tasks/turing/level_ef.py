"""Level E, learning: does a repeated stimulus lose its effect? Level F, robustness: does the animal still get along?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._posture import period_s, smoothed
from bestiary.tasks._trial import Track
from bestiary.tasks.turing import controls
from bestiary.tasks.turing.contract import Outcome, Reference, Result, Test, Verdict, judge, not_run, validate
from bestiary.tasks.turing.definitions import TESTS
from bestiary.tasks.turing.distance import bounds
from bestiary.tasks.turing.exam import Exam
from bestiary.tasks.turing.trials import Done

CHANGES: dict[str, dict[str, Any]] = {
    "mass -20 %": {"mass": 0.8},
    "mass +20 %": {"mass": 1.2},
    "friction halved": {"friction": 0.5},
    "friction doubled": {"friction": 2.0},
    "drag halved": {"drag": 0.5},
    "drag doubled": {"drag": 2.0},
    "senses 10 % noisy": {"noise": 0.1},
    "senses 30 % noisy": {"noise": 0.3},
    "a tenth of the motors lost": {"dead": 0.1},
}


def speed_L_per_s(track: Track) -> float:
    """Mean speed of the centre, smoothed over a second, body lengths/s."""
    path = smoothed(track.com_m, period_s(track), 1.0)
    return float(np.linalg.norm(np.gradient(path, track.time_s, axis=0), axis=1).mean() / track.length_m)


def _arms(exam: Exam, level: str) -> dict[str, dict[str, Any]]:
    """The model and its controls, as options of the animal."""
    out: dict[str, dict[str, Any]] = {"model": {}}
    if not exam.candidate.own and not exam.candidate.policy:
        for s in controls.CONTROLS.values():
            if level in s.must_fail and s.animal and s.id in exam.budget.simulated:
                out[s.id] = {"control": s.animal}
    return out


# E


def learning(exam: Exam) -> list[Result]:
    test = TESTS["E.habituation"]
    if exam.why_not:
        return [not_run(test, exam.why_not)]
    options = exam.plan.get("learning")
    if options is None:
        return [
            not_run(test, exam.plan.get("missing", {}).get("E", "no learning experiment is described in turing.toml"))
        ]
    world = {k: options[k] for k in ("task", "medium", "task_options") if k in options}
    n, arms = exam.budget.learning, _arms(exam, "E")
    trials = [
        exam.trial(world, float(options["seconds"]), exam.seed + i, build=b) for b in arms.values() for i in range(n)
    ]
    done = exam.run("E learning", trials)
    rng = np.random.default_rng(exam.seed)
    found = {k: _decline(done[a * n : a * n + n], rng) for a, k in enumerate(arms)}
    reference = Reference(options["source"], options.get("doi", ""), n_animals=int(options["n_animals"]))
    result = judge(replace(test, reference=reference), replace(found["model"], n_real=reference.n_animals))
    against = {
        k: (o.value, o.low95, o.high95, test.margin.judge(o.low95, o.high95)) for k, o in found.items() if k != "model"
    }
    if exam.plan.get("plastic") is not True:  # nothing to switch off: the model is its own control
        o = found["model"]
        against["K16"] = (o.value, o.low95, o.high95, test.margin.judge(o.low95, o.high95))
    return [validate(replace(result, controls=against))]


def _decline(done: list[Done], rng: np.random.Generator) -> Outcome:
    """Size of the answer (change of velocity along the axis, 3 s after against 3 s before) to the last third of stimuli
    over that to the first third, less 1. NaN where the first stimuli have no answer over 5 % of a body length/s."""
    first, last = [], []
    for d in done:
        if d.track is None or "touches" not in d.track.info:
            continue
        size = _answers(d.track)
        third = len(size) // 3
        if third:
            first.append(size[:third].mean())
            last.append(size[-third:].mean())
    if len(first) < 2 or np.mean(first) < 0.05:
        return Outcome(float("nan"), float("nan"), float("nan"), 0, len(first), reason="no answer to the first stimuli")
    a, b = np.array(first), np.array(last)
    draws = np.array([b[i].mean() / max(a[i].mean(), 1e-9) - 1 for i in rng.integers(len(a), size=(400, len(a)))])
    found = bounds(float(b.mean() / a.mean() - 1), draws, len(a))
    return Outcome(found.value, found.low95, found.high95, 0, len(a), {"first": a.tolist(), "last": b.tolist()})


def _answers(track: Track) -> Array:
    axis = track.midline_m[:, 0] - track.midline_m[:, -1]
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1), 1e-12)[:, None]
    v = (np.gradient(smoothed(track.com_m, period_s(track), 0.5), track.time_s, axis=0) * axis).sum(1) / track.length_m
    rows = np.flatnonzero(np.diff(track.info["touches"], prepend=track.info["touches"][:1]) > 0)
    span = round(3 / period_s(track))
    good = rows[(rows >= span) & (rows + span <= len(v))]
    return np.array([abs(v[r : r + span].mean() - v[r - span : r].mean()) for r in good])


# F


def robustness(exam: Exam) -> list[Result]:
    tests = [TESTS["F.mean"], TESTS["F.minimum"]]
    if exam.why_not:
        return [not_run(t, exam.why_not) for t in tests]
    options = exam.plan.get("robustness")
    if options is None:
        reason = exam.plan.get("missing", {}).get("F", "no world is described in turing.toml")
        return [not_run(t, reason) for t in tests]
    world = {k: options[k] for k in ("task", "medium", "task_options") if k in options}
    worlds = {f"unseen: {w}": {**world, "medium": w} for w in options.get("unseen", ())}
    n, seconds = exam.budget.repeats + 1, exam.budget.robust_s
    before = exam.candidate.digest(exam.policy)
    trials, index = [], []
    for k, build in _arms(exam, "F").items():
        for what, (w, c) in {
            "": (world, {}),
            **{c: (world, v) for c, v in CHANGES.items()},
            **{c: (w, {}) for c, w in worlds.items()},
        }.items():
            for i in range(n):
                skip = min(4.0, seconds)
                trials.append(exam.trial(w, seconds + skip, exam.seed + i, build=build, changes=c, skip_s=skip))
                index.append((k, what, i))
    done = dict(zip(index, exam.run("F robustness", trials), strict=True))
    least = float(options["least_L_per_s"])
    rng = np.random.default_rng(exam.seed)
    kept = exam.candidate.digest(exam.candidate.build()) == before
    table = {
        k: _shares({key: d for key, d in done.items() if key[0] == k}, n, least)
        for k in dict.fromkeys(k for k, _, _ in index)
    }
    out = []
    for test, how in zip(tests, (np.mean, np.min), strict=True):
        reference = Reference("declared envelope: no recorded animals under these changes", n_animals=n)
        result = judge(replace(test, reference=reference), _outcome(table["model"], how, n, rng), least=2)
        against = {}
        for k, shares in table.items():
            if k != "model":
                o = _outcome(shares, how, n, rng)
                against[k] = (o.value, o.low95, o.high95, test.margin.judge(o.low95, o.high95))
        result = replace(validate(replace(result, controls=against)), floor=(1.0, 1.0))
        if not kept:
            result = replace(result, verdict=Verdict.INVALID, reason="the parameters changed between trials")
        out.append(result)
    return out


def _shares(done: dict[tuple[str, str, int], Done], n: int, least: float) -> dict[str, Array]:
    """Change -> (n,) speed over that without change, at most 1: faster is no credit. 0 where the unchanged animal does
    not get along, or a trial stops."""
    out: dict[str, Array] = {}
    for (_, what, i), d in done.items():
        out.setdefault(what, np.zeros(n))[i] = speed_L_per_s(d.track) if d.track is not None else 0.0
    plain = out.pop("")
    return {k: np.where(plain >= least, np.minimum(v / np.maximum(plain, 1e-12), 1.0), 0.0) for k, v in out.items()}


def _outcome(shares: dict[str, Array], how: Any, n: int, rng: np.random.Generator) -> Outcome:
    stack = np.stack(list(shares.values()))  # (changes, n)
    value = float(how(stack.mean(1)))
    draws = np.array([how(stack[:, rows].mean(1)) for rows in rng.integers(n, size=(400, n))])
    b = bounds(value, draws, n)
    detail = {"by_change": {k: float(v.mean()) for k, v in shares.items()}}
    return Outcome(b.value, b.low95, b.high95, n, n, detail)


def all_tests() -> list[Test]:
    return [t for t in TESTS.values() if t.level in "EF"]
