"""Assays: paired runs with common seeds in every arm, and what they give beside published values."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import bestiary
from bestiary.tasks._assay_table import Assay, Row, find
from bestiary.tasks._assay_text import plain, table_text
from bestiary.tasks._assay_trials import Factory, Progress, Trial, run_all
from bestiary.tasks._catalogue import FRACTIONS
from bestiary.tasks._statistics import Estimate, estimate, verdict


@dataclass(frozen=True)
class Result:
    """What an assay gave. rows: see `table`. trials: arm -> measure -> value of each trial, (a, b) where a quotient of
    sums is meant. failures: what stopped trials, by arm and seed. wall_s: how long it took. kept: arm -> what the assay
    keeps -> of each trial, numbers by name."""

    animal: str
    assay: str
    about: str
    n: int
    seed: int
    control: str | None
    control_seed: int
    rows: list[dict[str, Any]]
    trials: dict[str, dict[str, list[Any]]]
    failures: dict[str, str]
    wall_s: float
    kept: dict[str, dict[str, list[Any]]] = field(default_factory=dict)

    def table(self) -> list[dict[str, Any]]:
        """One dict per row: id, assay, quantity, value, low95, high95, n, distinct (of the n, how many differ),
        published, published_low, published_high, unit, source, why, ran (all its arms), verdict."""
        return [dict(row) for row in self.rows]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: NaN becomes None."""
        return plain(vars(self))

    def __str__(self) -> str:
        return table_text(self.rows)


def run_assay(
    animal: str,
    name: str | Assay,
    *,
    n: int | None = None,
    seed: int = 0,
    control: str | None = None,
    control_seed: int = 0,
    control_draws: int = 1,
    options: Mapping[str, Any] | None = None,
    parameters: Mapping[str, float] | str | None = None,
    without: Sequence[str] = (),
    jobs: int = 2,
    progress: Progress | None = None,
    factory: Factory | None = None,
) -> Result:
    """Runs an assay: trial i of every arm has seed `seed + i`.

    n: trials per arm, None for the assay's own. control, control_seed, parameters, without: of the animal in every arm,
    as in `bestiary.animal`; arms that have a control of their own are then left out. control_draws: over how many draws
    of the control, from control_seed on, the trials are spread in turn. options: lesion, silence,
    stimulate or connectome of the animal in every arm, beside what the arm asks for. jobs: processes; each builds
    environment and animal once per arm. A script that uses more than one needs `if __name__ == "__main__":`.
    progress: called with (trials done, trials in all). factory: instead of `bestiary.animal`, same arguments.

    A trial whose brain or body diverges is kept out and reported in `failures`; one that ends early by the rules of its
    world (it fell) is reported and kept. Raises LookupError (no such assay),
    ValueError and what building the animal raises.
    """
    assay = find(animal, name) if isinstance(name, str) else name
    n = assay.n if n is None else n
    if n < 1 or jobs < 1:
        raise ValueError(f"an assay needs at least 1 trial per arm and 1 job, got n={n}, jobs={jobs}")
    if parameters is not None:
        bestiary.load("brains", animal).parameters(parameters)  # a bad file stops here, and not every trial
    begin = time.perf_counter()
    common = {"parameters": parameters, "options": {**(options or {}), "without": [*without]}}
    needed = {arm: _measures(assay, arm) for arm in assay.arms}

    def draw(i: int) -> int:
        return control_seed + i % control_draws

    work = []
    for arm, asked in assay.arms.items():
        if not needed[arm] or (control is not None and asked.get("control")):
            continue
        for i in range(n):
            work.append(Trial.of(animal, assay, arm, common, control, draw(i), seed, i, needed[arm]))
    work.sort(key=lambda t: (t.arm, t.build))  # trials that share an animal follow one another
    done = run_all(work, jobs, progress, factory or bestiary.animal)

    trials: dict[str, dict[str, list[Any]]] = {}
    kept: dict[str, dict[str, list[Any]]] = {}
    failures: dict[str, str] = {}
    for trial, (values, failure) in sorted(done, key=lambda d: (d[0].arm, d[0].seed)):
        for key in needed[trial.arm]:
            trials.setdefault(trial.arm, {}).setdefault(key, []).append(values.get(key))
        for name in assay.keep:
            kept.setdefault(trial.arm, {}).setdefault(name, []).append(values.get(name, {}))
        if failure:
            failures[f"{trial.arm}, seed {trial.seed}"] = failure
    rows = [judge(assay, row, trials, failures) for row in assay.rows]
    wall = time.perf_counter() - begin
    return Result(
        animal, assay.name, assay.about, n, seed, control, control_seed, rows, trials, failures, round(wall, 1), kept
    )


def _key(row: Row) -> str:
    return row.measure + (f" {json.dumps(row.options, sort_keys=True)}" if row.options else "")


def row_values(row: Row, trials: Mapping[str, Mapping[str, list[Any]]]) -> list[list[Any]]:
    """What a row is made of: per arm, per trial. trials: of a `Result`."""
    return [trials[arm][_key(row)] for arm in row.arms]


def _measures(assay: Assay, arm: str) -> dict[str, tuple[str, dict[str, Any]]]:
    return {_key(row): (row.measure, row.options) for row in assay.rows if arm in row.arms}


def judge(
    assay: Assay,
    row: Row,
    trials: Mapping[str, Mapping[str, list[Any]]],
    failures: Mapping[str, str],
    first: int | None = None,
) -> dict[str, Any]:
    """A row of `Result.table` from `Result.trials`; first: from so many of them only."""
    missing = [arm for arm in row.arms if arm not in trials]
    if missing:
        found, reason = Estimate(math.nan, math.nan, math.nan, 0), f"arm {missing[0]} has a control of its own"
    else:
        values = [v[:first] for v in row_values(row, trials)]
        found = estimate(values, row.how, row.measure in FRACTIONS, margin=row.margin, x=row.x)
        stopped = [text for where, text in failures.items() if where.split(", seed")[0] in row.arms]
        reason = f"{len(stopped)} trials stopped: {stopped[0]}" if stopped else ""
    return {
        "id": row.id,
        "assay": assay.name,
        "quantity": row.quantity,
        "value": found.value,
        "low95": found.low95,
        "high95": found.high95,
        "n": found.n,
        "distinct": found.distinct,
        "published": row.value,
        "published_low": row.low,
        "published_high": row.high,
        "unit": row.unit,
        "source": row.source,
        "why": row.why,
        "ran": not missing,
        "verdict": verdict(found, row.rule, {"low": row.low, "high": row.high}, reason),
    }
