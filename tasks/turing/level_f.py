"""Level F, robustness: does the animal still get along when body, world and senses change?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
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
    world = {k: options[k] for k in ("task", "medium", "task_options") if k in options}
    worlds = dict(_unseen(world, w) for w in options.get("unseen", ()))
    n, seconds = exam.budget.repeats + 1, exam.budget.robust_s
    before = exam.candidate.digest(exam.policy)
    arms = exam.arms("F")
    changes = {c: v for c, v in CHANGES.items() if not (exam.budget.hard_only and c in _MILD)}
    conditions = {
        "": (world, {}),
        **{c: (world, v) for c, v in changes.items()},
        **{c: (w, {}) for c, w in worlds.items()},
    }
    least = float(options["least_L_per_s"])
    skip = min(4.0, seconds / 2)

    arms |= played_back(exam, arms, "F", world, seconds + skip)

    def trial(arm: str, what: str, i: int) -> Trial:
        w, c = conditions[what]
        return exam.trial(w, seconds + skip, exam.seed + i, changes=c, skip_s=skip, **arms[arm])

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
        result = judge(
            replace(test, reference=reference), _outcome(table["model"], how, n, rng), what="runs, 4 are needed"
        )
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
