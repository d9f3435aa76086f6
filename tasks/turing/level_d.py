"""Level D, behaviour: simulated and recorded tracks through one pipeline, every test, the floor and the controls."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from scipy.stats import binomtest

from bestiary.bodies._base import Array
from bestiary.errors import DataError
from bestiary.tasks.turing import battery as batteries
from bestiary.tasks.turing import checks, controls, distance, learned, mixed, pipeline, sources
from bestiary.tasks.turing.battery import COMPARE, Battery, Portrait
from bestiary.tasks.turing.contract import Outcome, Reference, Result, Test, Verdict, judge, not_run, validate
from bestiary.tasks.turing.definitions import TESTS
from bestiary.tasks.turing.exam import Exam
from bestiary.tasks.turing.policies import Candidate
from bestiary.tasks.turing.series import Cohort, Series, matched
from bestiary.tasks.turing.trials import Done


def tests() -> list[Test]:
    return [t for t in TESTS.values() if t.level == "D"]


def run(exam: Exam) -> tuple[list[Result], dict[str, Verdict]]:
    """(results, verdict of the whole level for each control)."""
    options = exam.plan.get("behaviour")
    if options is None:
        reason = exam.plan.get("missing", {}).get("D", "no recorded behaviour is described in turing.toml")
        return [not_run(t, reason) for t in tests()], {}
    try:
        real, noise_m = sources.behaviour(options)
        checks.insist(real, {k: tuple(v) for k, v in exam.plan.get("plausible", {}).items()})
    except DataError as error:
        return [not_run(t, str(error)) for t in tests()], {}
    if exam.why_not or "task" not in options:
        return _floor_only(exam, real, exam.why_not or str(options.get("why", "no world for it"))), {}
    model, stand_ins, failures = _simulated(exam, real, noise_m)
    if model is None:
        why = f"every trial stopped: {failures[0]}" if failures else "fewer than two trials gave enough to measure"
        return [not_run(t, why) for t in tests()], {}
    return compare(
        real,
        model,
        {**stand_ins, **_from_recordings(real, exam.seed)},
        permutations=exam.budget.permutations,
        splits=exam.budget.splits,
        seed=exam.seed,
        exam=exam,
        notes=tuple(f"stopped: {f}" for f in failures[:3]),
    )


def _simulated(exam: Exam, real: Cohort, noise_m: float) -> tuple[Cohort | None, dict[str, Cohort], list[str]]:
    options, budget = exam.plan["behaviour"], exam.budget
    seconds = min(budget.seconds, real.seconds) if options.get("pipeline") != "bouts" else budget.seconds
    world = {k: options[k] for k in ("task", "medium", "task_options", "body_options") if k in options}
    seconds = max(seconds, float(options.get("fast_s", 0.0)))
    n = min(len(real), budget.animals or len(real))
    wanted: dict[str, dict[str, Any]] = {"model": {}}
    if "K18" in budget.simulated:
        wanted["K18"] = {}
    if not exam.candidate.own and not exam.candidate.policy:
        for k in budget.simulated:
            if animal := controls.CONTROLS[k].animal:
                wanted[k] = {"control": animal}
        if budget.every_control and exam.candidate.animal in learned.animals():
            wanted["K15"] = {}
    trials, whose = [], []
    for k, build in wanted.items():
        most = (
            n if k == "model" else 2 if k == "K15" else budget.stand_ins or n
        )  # K15 may pass: two show how near it is
        for i in range(min(n, most)):
            seed = exam.seed + i + (1000 if k == "K18" else 0)
            options_of = {**build, "control_seed": i} if build and controls.CONTROLS[k].many else build
            trial = exam.trial(world, seconds + budget.skip_s, seed, build=options_of, skip_s=budget.skip_s)
            if k == "K15":
                trial = replace(trial, candidate=Candidate(exam.candidate.animal, "learned"))
            trials.append(trial)
            whose.append(k)

    def seen(place: int, done: Done) -> tuple[str, Series | None, Array | None]:
        """Of a track, what the camera shows; the paths of the first few for the page."""
        if done.track is None:
            return done.failure, None, None
        path = done.track.com_m[:, :2].copy() if whose[place] == "model" and place < 3 else None
        return "", pipeline.from_track(done.track, options, noise_m), path

    done = exam.run("D behaviour", trials, seen)
    cohorts: dict[str, Cohort] = {}
    failures = [f"{k}: {why}" for k, (why, _, _) in zip(whose, done, strict=True) if why and k == "model"]
    if paths := [path for _, _, path in done if path is not None]:
        exam.exhibits["tracks"] = paths
    for k in wanted:
        series = [s for w, (_, s, _) in zip(whose, done, strict=True) if w == k and s is not None]
        series = [replace(s, name=f"{s.name} ({i})") for i, s in enumerate(series) if len(s.values) > 10]
        if len(series) > 1:
            cohorts[k] = Cohort(tuple(series), f"simulated, {k}")
    model = cohorts.pop("model", None)
    return model, cohorts, failures


def _from_recordings(real: Cohort, seed: int) -> dict[str, Cohort]:
    """The controls that are made of recordings. Lookup needs stimuli."""
    out = {}
    stimulated = all(a.stimulus is not None and (np.asarray(a.stimulus) != 0).any() for a in real.animals)
    for stand in (*controls.CONTROLS.values(), *controls.EXTRA.values()):
        if stand.series is not None and (stimulated or stand.id != "K11"):
            out[stand.id] = stand.series(real, seed)
    return out


def compare(
    real: Cohort,
    model: Cohort,
    stand_ins: dict[str, Cohort] | None = None,
    *,
    permutations: int = 100,
    splits: int = 200,
    seed: int = 0,
    exam: Exam | None = None,
    notes: tuple[str, ...] = (),
) -> tuple[list[Result], dict[str, Verdict]]:
    """Every test of level D between recorded and simulated animals, with floor and controls: for recordings and models
    of one's own. Both in the same channels and frame rate, already through the same pipeline; they are cut to the same
    length. splits: of the floor. Raises DataError for recordings that `checks` refuses.
    """
    flags = [
        *checks.insist(real),
        *[f for f in checks.check(model) if f.kind != "note"],
        *checks.same_size(real, model),
    ]
    if bad := [f.what for f in flags if f.kind == "refused"]:
        raise DataError(f"the model's series: {bad[0]}")
    doubt = "; ".join(f.what for f in flags if f.kind == "inconclusive")
    notes = (*notes, *[f.what for f in flags if f.kind == "note"][:3])
    recorded = real
    real, model = matched(real, model)
    battery, mine = Battery.of(real, recorded, permutations)
    halves = battery.for_splits(mine, np.random.default_rng([seed, 1]))
    theirs = battery.portraits(model)
    others = {k: battery.portraits(_cut(c, real)) for k, c in (stand_ins or {}).items()}
    reference = Reference(real.source, real.doi, real.licence, real.sha256, len(real))
    results = []
    for number, test in enumerate(tests()):
        if exam is not None:
            exam.note("D statistics", number, len(tests()))
        results.append(
            _test(replace(test, reference=reference), battery, halves, mine, theirs, others, splits, seed, doubt, notes)
        )
    whole = {
        k: _whole([r.controls[k][3] for r in results if k in r.controls]) for k in others if k not in ("K15", "K18")
    }
    if exam is not None:
        exam.exhibits |= exhibits(real, model, results)
    return results, whole


def _cut(cohort: Cohort, real: Cohort) -> Cohort:
    return cohort.first(min(real.seconds, cohort.seconds))


def _whole(verdicts: Sequence[Verdict]) -> Verdict:
    if not verdicts:
        return Verdict.NOT_RUN
    for v in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if v in verdicts:
            return v
    return Verdict.PASS


def _test(
    test: Test,
    battery: Battery,
    halves: Battery,
    mine: list[Portrait],
    theirs: list[Portrait],
    others: dict[str, list[Portrait]],
    splits: int,
    seed: int,
    doubt: str,
    notes: tuple[str, ...],
) -> Result:
    if reason := batteries.missing(battery, test.id, [*mine, *theirs]):
        return not_run(test, reason)
    rng = np.random.default_rng([seed, zlib.crc32(test.id.encode())])
    found = _measure(test, battery, mine, theirs, rng)
    if test.id == "D.response":
        known = [(p.trials, side) for side, ps in ((False, mine), (True, theirs)) for p in ps if p.trials is not None]
        fitted = mixed.fit([t for t, _ in known], np.array([side for _, side in known]))
        found = replace(found, detail={**found.detail, "mixed_model": asdict(fitted) if fitted else None})
    result = judge(test, found)
    floor, alarms = _floor(test, halves, mine, splits, rng)
    against = {}
    for k, portraits in others.items():
        if len(portraits) > 1 and not batteries.missing(battery, test.id, portraits):
            o = _measure(test, battery, mine, portraits, rng)
            against[k] = (o.value, o.low95, o.high95, test.margin.judge(o.low95, o.high95))
    result = replace(result, floor=floor, false_alarms=alarms, controls=against, notes=notes)
    result = validate(result)
    if doubt and result.verdict in (Verdict.PASS, Verdict.FAIL):
        result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=doubt)
    return result


def _measure(
    test: Test, battery: Battery, mine: Sequence[Portrait], theirs: Sequence[Portrait], rng: np.random.Generator
) -> Outcome:
    real = np.r_[np.ones(len(mine), bool), np.zeros(len(theirs), bool)]
    return COMPARE[test.id](battery, [*mine, *theirs], real, rng)


def _floor(
    test: Test, battery: Battery, mine: list[Portrait], splits: int, rng: np.random.Generator
) -> tuple[tuple[float, float] | None, float | None]:
    """((median, 95 % quantile) between random halves of the recorded animals, share of halves that would FAIL)."""
    if len(mine) < 4:
        return None, None
    values, alarms = [], 0
    for label in distance.halves(len(mine), splits, rng):
        a, b = [[mine[i] for i in np.flatnonzero(label == side)] for side in (1, -1)]
        o = _measure(test, battery, a, b, rng)
        values.append(o.value)
        alarms += test.margin.judge(o.low95, o.high95) is Verdict.FAIL
    good = [v for v in values if np.isfinite(v)]
    if not good:
        return None, None
    chance = binomtest(alarms, splits, 0.05, alternative="greater").pvalue  # few splits: one alarm is no evidence
    return (float(np.median(good)), float(np.quantile(good, 0.95))), alarms / splits if chance < 0.05 else min(
        alarms / splits, 0.05
    )


def _floor_only(exam: Exam, real: Cohort, reason: str) -> list[Result]:
    """Where no model can run: what the animals themselves give, so that the reference is examined at least."""
    battery, mine = Battery.of(real, permutations=20)
    halves = battery.for_splits(mine, np.random.default_rng([exam.seed, 1]))
    out = []
    reference = Reference(real.source, real.doi, real.licence, real.sha256, len(real))
    for test in tests():
        test = replace(test, reference=reference)
        floor, alarms = None, None
        if not batteries.missing(battery, test.id, mine):
            rng = np.random.default_rng([exam.seed, zlib.crc32(test.id.encode())])
            floor, alarms = _floor(test, halves, mine, exam.budget.splits, rng)
        out.append(replace(not_run(test, reason), floor=floor, false_alarms=alarms))
    return out


def exhibits(real: Cohort, model: Cohort, results: Sequence[Result]) -> dict[str, Any]:
    def piece(c: Cohort) -> list[Array]:
        return [a.values[: round(60 * a.rate_Hz)] for a in c.animals[:3]]

    judged = {r.test.id: dict(r.outcome.detail) for r in results if r.outcome and "roc" in r.outcome.detail}
    return {
        "real": piece(real),
        "model": piece(model),
        "channels": list(real.channels),
        "rate_Hz": real.rate_Hz,
        "judged": judged,
    }
