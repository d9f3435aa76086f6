"""Level F, robustness: does the animal still answer what it senses when body, world and senses change?

Each trial is run twice from the same seed: with a stimulus, and with its counterpart, which reaches the same sense at
the same time and is not answered so (touch of the other end, a grating that stands, a pole at the other place). The
index is the difference of a measure. Who crawls blindly crawls on in water too, but has the same index of 0 in both; a
lookup holds recordings of the counterpart only, so the stimulus is one that it never met.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._catalogue import Measure, measure
from bestiary.tasks._posture import period_s, smoothed
from bestiary.tasks._trial import Track
from bestiary.tasks.turing.contract import Outcome, Reference, Result, Verdict, judge, not_run, validate
from bestiary.tasks.turing.definitions import TESTS
from bestiary.tasks.turing.distance import bounds
from bestiary.tasks.turing.exam import Exam
from bestiary.tasks.turing.lookup import played_back
from bestiary.tasks.turing.trials import Done, Trial

CHANGES: dict[str, dict[str, Any]] = {
    "mass -20 %": {"body_mass": 0.8},
    "mass +20 %": {"body_mass": 1.2},
    "friction halved": {"friction": 0.5},
    "friction doubled": {"friction": 2.0},
    "drag halved": {"drag": 0.5},
    "drag doubled": {"drag": 2.0},
    "senses 10 % noisy": {"noise": 0.1},
    "senses 30 % noisy": {"noise": 0.3},
    "a tenth of the motors lost": {"dead": 0.1},
}
_MILD = ("mass -20 %", "friction doubled", "drag halved", "senses 10 % noisy")
_SIDES = ("stimulus", "counterpart")
_WORLD = ("task", "medium", "task_options", "body_options", "every")


def speed_L_per_s(track: Track) -> float:
    """Mean speed of the centre over ground, smoothed over a second, body lengths/s: who sinks gets nowhere."""
    path = smoothed(track.com_m[:, :2], period_s(track), 1.0)
    return float(np.linalg.norm(np.gradient(path, track.time_s, axis=0), axis=1).mean() / track.length_m)


def run(exam: Exam) -> list[Result]:
    tests = [TESTS["F.mean"], TESTS["F.minimum"]]
    if exam.why_not:
        return [not_run(t, exam.why_not) for t in tests]
    options = exam.plan.get("robustness")
    if options is None:
        reason = exam.plan.get("missing", {}).get("F", "no world is described in turing.toml")
        return [not_run(t, reason) for t in tests]
    plain = {k: options[k] for k in _WORLD if k in options}
    changes = {c: v for c, v in CHANGES.items() if not (exam.budget.hard_only and c in _MILD)}
    conditions = {"": (plain, {}), **{c: (plain, v) for c, v in changes.items()}}
    conditions |= {name: (world, {}) for name, world in (_unseen(plain, w) for w in options["unseen"])}
    n, least, seconds = exam.budget.robust, float(options["least"]), float(options["seconds"])
    before = exam.candidate.digest(exam.policy)
    build = options.get("build", {})
    arms = {k: {**arm, "build": {**build, **arm.get("build", {})}} for k, arm in exam.arms("F").items()}
    arms |= played_back(exam, arms, "F", _side(plain, options, "counterpart"), seconds, build=build)
    rule = measure(options["measure"])

    def measured(place: int, done: Done) -> tuple[float, float]:
        return _answer(done, rule, options.get("options", {})), _speed(done)

    def indices(what: Sequence[str], arm: str) -> dict[str, tuple[Array, Array]]:
        """Change -> (n,) index, (n,) speed beside the counterpart."""
        trials: list[Trial] = [
            exam.trial(
                _side(conditions[c][0], options, s), seconds, exam.seed + i, changes=conditions[c][1], **arms[arm]
            )
            for c in what
            for s in _SIDES
            for i in range(n)
        ]
        found = np.array(exam.run(f"F {arm}", trials, measured)).reshape(len(what), 2, n, 2)
        return {c: (x[0, :, 0] - x[1, :, 0], x[1, :, 1]) for c, x in zip(what, found, strict=True)}

    table: dict[str, dict[str, tuple[Array, Array]]] = {}
    for k in arms:
        table[k] = indices([""], k)
        # who does not answer unchanged scores 0 whatever is changed: nothing more is run
        if _mean(table[k][""][0]) >= least:
            table[k] |= indices([c for c in conditions if c], k)
    rng = np.random.default_rng(exam.seed)
    kept = exam.candidate.digest(exam.candidate.build()) == before
    usual = table["model"][""][0]
    speeds = {c: _mean(v) for c, (_, v) in table["model"].items()}
    reference = Reference("declared envelope: no recorded animals under these changes", n_animals=n)
    out = []
    for test, how in zip(tests, (np.mean, np.min), strict=True):
        mine = outcome({c: x for c, (x, _) in table["model"].items()}, usual, how, least, rng)
        speed = {c: v / speeds[""] for c, v in speeds.items() if c and speeds[""] > 0.05}  # a held head has none
        mine = replace(mine, detail={**mine.detail, "index": _mean(usual), "speed_by_change": speed})
        result = judge(replace(test, reference=reference), mine, what="runs, 4 are needed")
        against = {}
        for k, found in table.items():
            if k != "model":
                o = outcome({c: x for c, (x, _) in found.items()}, usual, how, least, rng)
                against[k] = (o.value, o.low95, o.high95, test.margin.judge(o.low95, o.high95))
        result = replace(validate(replace(result, controls=against)), floor=(1.0, 1.0))
        if not kept:
            result = replace(result, verdict=Verdict.INVALID, reason="the parameters changed between trials")
        out.append(result)
    return out


def _side(world: Mapping[str, Any], options: Mapping[str, Any], side: str) -> dict[str, Any]:
    """A world with the stimulus or its counterpart."""
    return {**world, "task_options": {**world.get("task_options", {}), **options[side]}}


def _unseen(world: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A name and a world that no fit has seen: what is different in it, and `name`."""
    changed = {k: {**world.get(k, {}), **v} if isinstance(v, Mapping) else v for k, v in other.items() if k != "name"}
    return f"unseen: {other['name']}", {**world, **changed}


def _answer(done: Done, rule: Measure, options: Mapping[str, Any]) -> float:
    """The measure; 0 where a trial stopped, NaN where nothing could be scored."""
    if done.track is None:
        return 0.0
    found: Any = rule(done.track, **options)
    if isinstance(found, tuple):
        return found[0] / found[1] if found[1] else float("nan")
    return float(found)


def _speed(done: Done) -> float:
    return speed_L_per_s(done.track) if done.track is not None else 0.0


def _mean(x: Array) -> float:
    good = x[np.isfinite(x)]
    return float(good.mean()) if len(good) else 0.0


def outcome(indices: Mapping[str, Array], usual: Array, how: Any, least: float, rng: np.random.Generator) -> Outcome:
    """The share of the model's unchanged index `usual` (n,) that is left under each change, at most 1 (more is no
    credit), their mean or minimum by `how`, with bounds from a bootstrap over runs. indices: change -> (n,), "" for
    none. A model whose own index is under `least` answers nothing that could be kept, nor does such a control: 0."""
    n = len(usual)
    b = bounds(_mean(usual), np.array([_mean(usual[r]) for r in rng.integers(n, size=(400, n))]), n)
    if b.value < least:
        high = 1.0 if b.high95 >= least else 0.0
        return Outcome(0.0, 0.0, high, n, n, reason=f"unchanged it hardly answers: {b.value:.2g}, {least:g} is asked")
    if _mean(indices[""]) < least:
        return Outcome(0.0, 0.0, 0.0, n, n, reason="unchanged it does not answer")

    def shares(rows: Array) -> Array:
        whole = max(_mean(usual[rows]), least)
        return np.array([min(_mean(x[rows]) / whole, 1.0) for c, x in indices.items() if c])

    found = shares(np.arange(n))
    draws = np.array([how(shares(rows)) for rows in rng.integers(n, size=(400, n))])
    b = bounds(float(how(found)), draws, n)
    by_change = dict(zip((c for c in indices if c), found.tolist(), strict=True))
    return Outcome(b.value, b.low95, b.high95, n, n, {"by_change": by_change})
