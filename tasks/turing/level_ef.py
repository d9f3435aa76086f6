"""Level E, learning: does a repeated stimulus lose its effect? Level F, robustness: does the animal still get along?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._catalogue import measure
from bestiary.tasks._posture import period_s, smoothed
from bestiary.tasks._trial import Track
from bestiary.tasks.turing import controls
from bestiary.tasks.turing.contract import Outcome, Reference, Result, Test, Verdict, judge, not_run, validate
from bestiary.tasks.turing.definitions import TESTS
from bestiary.tasks.turing.distance import bounds
from bestiary.tasks.turing.exam import Exam
from bestiary.tasks.turing.trials import Done, Trial

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
_MILD = ("mass -20 %", "friction doubled", "drag halved", "senses 10 % noisy")


def speed_L_per_s(track: Track) -> float:
    """Mean speed of the centre over ground, smoothed over a second, body lengths/s: who sinks gets nowhere."""
    path = smoothed(track.com_m[:, :2], period_s(track), 1.0)
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
    return [_habituation(exam), _conditioning(exam)]


def _conditioning(exam: Exam) -> Result:
    """No animal here can show it yet: each table says why."""
    why = exam.plan.get("missing", {}).get("conditioning", "no task gives a cue and what it stands for")
    return not_run(TESTS["E.conditioning"], exam.why_not or why)


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
    n, arms = exam.budget.learning, _arms(exam, "E")
    if options.get("plastic") and len(arms) > 1:  # K16: what holds the memory is taken out
        if exam.budget.fast:
            arms.pop("K1", None)  # no brain, no answer
        arms["K16"] = {"without": [options["plastic"]]}
    seconds = float(options["seconds"])
    if exam.budget.learning_s:
        seconds = min(seconds, max(exam.budget.learning_s, float(options.get("fast_s", 0.0))))
    worlds = (world, {**world, "task_options": naive(world["task_options"], seconds)})
    trials = [exam.trial(w, seconds, exam.seed + i, build=b) for b in arms.values() for w in worlds for i in range(n)]
    done = exam.run("E learning", trials)
    rng = np.random.default_rng(exam.seed)
    found = {}
    for a, k in enumerate(arms):
        mine = done[2 * a * n : 2 * (a + 1) * n]
        found[k] = _decline(mine[:n], mine[n:], rng, options)
    reference = Reference(options["source"], options.get("doi", ""), n_animals=int(options["n_animals"]))
    result = judge(replace(test, reference=reference), replace(found["model"], n_real=reference.n_animals))
    if result.verdict is not Verdict.INCONCLUSIVE and (verdict := _fell(found["model"])) is not result.verdict:
        result = replace(result, verdict=verdict, reason="the answers did not fall")
    if not options.get("plastic", False):  # nothing to switch off: the model is its own control
        found["K16"] = found["model"]
    against = {k: (o.value, o.low95, o.high95, _fell(o)) for k, o in found.items() if k != "model"}
    return validate(replace(result, controls=against))


def _fell(outcome: Outcome) -> Verdict:
    """By the margin, whose edge is no fall: an interval that ends at exactly 0 does not pass."""
    if outcome.low95 >= 0:
        return Verdict.FAIL
    found = TESTS["E.habituation"].margin.judge(outcome.low95, outcome.high95)
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
    worlds = dict(_unseen(world, w) for w in options.get("unseen", ()))
    n, seconds = exam.budget.repeats + 1, exam.budget.robust_s
    before = exam.candidate.digest(exam.policy)
    arms = _arms(exam, "F")
    changes = {c: v for c, v in CHANGES.items() if not (exam.budget.hard_only and c in _MILD)}
    conditions = {
        "": (world, {}),
        **{c: (world, v) for c, v in changes.items()},
        **{c: (w, {}) for c, w in worlds.items()},
    }
    least = float(options["least_L_per_s"])
    skip = min(4.0, seconds / 2)

    def trial(arm: str, what: str, i: int) -> Trial:
        w, c = conditions[what]
        return exam.trial(w, seconds + skip, exam.seed + i, build=arms[arm], changes=c, skip_s=skip)

    plain = [(k, "", i) for k in arms for i in range(n)]
    done = dict(zip(plain, exam.run("F unchanged", [trial(*key) for key in plain]), strict=True))
    # who does not get along unchanged scores 0 whatever is changed: nothing more is run
    able = [k for k in arms if any(_speed(done[k, "", i]) >= least for i in range(n))]
    index = [(k, what, i) for k in able for what in conditions if what for i in range(n)]
    done |= dict(zip(index, exam.run("F robustness", [trial(*key) for key in index]), strict=True))
    empty = Done(None, {}, ())
    done |= {(k, what, i): empty for k in arms if k not in able for what in conditions if what for i in range(n)}
    rng = np.random.default_rng(exam.seed)
    kept = exam.candidate.digest(exam.candidate.build()) == before
    usual = np.array([_speed(done["model", "", i]) for i in range(n)])
    table = {k: _shares({key: d for key, d in done.items() if key[0] == k}, usual, least) for k in arms}
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


def _unseen(world: dict[str, Any], other: Any) -> tuple[str, dict[str, Any]]:
    """A name and a world that no fit has seen: a medium, or a table of what is different."""
    if not isinstance(other, dict):
        return f"unseen: medium {other}", {**world, "medium": other}
    words = [str(v) for v in (other.get("task", ""), *other.get("task_options", {}).values()) if v]
    return f"unseen: {' '.join(words)}", {**world, **other}


def _shares(done: dict[tuple[str, str, int], Done], usual: Array, least: float) -> dict[str, Array]:
    """Change -> (n,) speed over that of the model without change (`usual`), at most 1: faster is no credit, and a
    control that hardly moves is not robust for moving as little when things change. 0 where the unchanged animal, or
    the control, does not get along, or a trial stops."""
    n = len(usual)
    out: dict[str, Array] = {}
    for (_, what, i), d in done.items():
        out.setdefault(what, np.zeros(n))[i] = _speed(d)
    plain = np.minimum(out.pop(""), usual)
    return {k: np.where(plain >= least, np.minimum(v / np.maximum(usual, 1e-12), 1.0), 0.0) for k, v in out.items()}


def _speed(done: Done) -> float:
    return speed_L_per_s(done.track) if done.track is not None else 0.0


def _outcome(shares: dict[str, Array], how: Any, n: int, rng: np.random.Generator) -> Outcome:
    stack = np.stack(list(shares.values()))  # (changes, n)
    value = float(how(stack.mean(1)))
    draws = np.array([how(stack[:, rows].mean(1)) for rows in rng.integers(n, size=(400, n))])
    b = bounds(value, draws, n)
    detail = {"by_change": {k: float(v.mean()) for k, v in shares.items()}}
    return Outcome(b.value, b.low95, b.high95, n, n, detail)


def all_tests() -> list[Test]:
    return [t for t in TESTS.values() if t.level in "EF"]
