"""Assays as data: paired runs with common seeds in every arm, and what they give beside published values.

`assets/<animal>/assays.toml` holds them; see `Assay` and `Row` for its keys. Several rows come from the same runs.
"""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import os
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bestiary
from bestiary.errors import BestiaryError, DataError
from bestiary.tasks._catalogue import FRACTIONS, measure
from bestiary.tasks._statistics import PASSED, Estimate, estimate, verdict

Factory = Callable[..., Any]
Progress = Callable[[int, int], None]

_WORLD = ("task", "medium", "seconds", "skip_s", "task_options")
_ANIMAL = ("lesion", "silence", "stimulate", "without", "connectome", "control")
_HOW = ("value", "difference", "ratio", "percent", "trend", "exceeds")


@dataclass(frozen=True)
class Row:
    """One published quantity. measure, options: of the catalogue. arms, how: what is combined (`_statistics.combine`),
    margin: of "exceeds" (`_statistics.estimate`).

    value: as published, for the eye. low, high: the range that is scored. rule: "range", "+", "-" or "beside"; why says
    what the rule rests on where the source alone does not.
    """

    id: str
    quantity: str
    measure: str
    source: str
    options: dict[str, Any] = field(default_factory=dict)
    arms: tuple[str, ...] = ("intact",)
    how: str = "value"
    margin: float = 0.0
    value: Any = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    rule: str = "range"
    why: str = ""


@dataclass(frozen=True)
class Assay:
    """n trials in every arm, seeds shared. An arm may replace task, medium, seconds, skip_s and task_options of the
    assay, and gives lesion, silence, stimulate, without, connectome or control to the animal; control_seeds: over how
    many draws of its control the trials are spread. skip_s: what is left out of every track at its start. record:
    neurons whose voltages are kept for the measures."""

    name: str
    about: str
    task: str
    rows: tuple[Row, ...]
    medium: Any = None
    seconds: float = 60.0
    skip_s: float = 0.0
    n: int = 10
    task_options: dict[str, Any] = field(default_factory=dict)
    arms: dict[str, dict[str, Any]] = field(default_factory=lambda: {"intact": {}})
    record: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What an assay gave. rows: see `table`. trials: arm -> measure -> value of each trial, (a, b) where a quotient of
    sums is meant. failures: what stopped trials, by arm and seed. wall_s: how long it took."""

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

    def table(self) -> list[dict[str, Any]]:
        """One dict per row: id, assay, quantity, value, low95, high95, n, distinct (of the n, how many differ),
        published, published_low, published_high, unit, source, why, ran (all its arms), verdict."""
        return [dict(row) for row in self.rows]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: NaN becomes None."""
        return _plain(vars(self))  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return table_text(self.rows)


def assays(animal: str) -> dict[str, Assay]:
    """The assays of an animal by name. Raises DataError where it has none, or where the table cannot be right."""
    for place in bestiary.__path__:
        if (file := Path(place) / "assets" / animal / "assays.toml").is_file():
            return parse(tomllib.loads(file.read_text(encoding="utf-8")))
    raise DataError(f"no assets/{animal}/assays.toml: {animal} has no assays yet")


def parse(table: Mapping[str, Any]) -> dict[str, Assay]:
    """Assays from a table of plain data. Raises DataError naming the assay, the row and the key."""
    out = {}
    for name, given in table.items():
        text = dict(given)
        try:
            rows = [_row(row) for row in text.pop("rows", ())]
            text["record"] = tuple(text.get("record", ()))
            assay = Assay(name=name, rows=tuple(rows), **text)
        except TypeError as error:
            raise DataError(f"assay {name!r}: {error}") from None
        for arm, options in assay.arms.items():
            for key in options:
                if key not in (known := (*_WORLD, *_ANIMAL, "control_seeds")):
                    raise DataError(f"assay {name!r}, arm {arm!r}: no key {key!r}; {bestiary.nearest(key, known)}")
        for row in assay.rows:
            for arm in row.arms:
                if arm not in assay.arms:
                    raise DataError(f"assay {name!r}, {row.id}: no arm {arm!r}; {bestiary.nearest(arm, assay.arms)}")
            if row.how not in _HOW or row.rule not in ("range", "+", "-", "beside"):
                raise DataError(f"assay {name!r}, {row.id}: cannot read how={row.how!r}, rule={row.rule!r}")
            measure(row.measure)
        out[name] = assay
    return out


def _row(given: Mapping[str, Any]) -> Row:
    text: dict[str, Any] = {**given, "arms": tuple(given.get("arms", ("intact",)))}
    return Row(**text)


def find(animal: str, name: str) -> Assay:
    """The assay `name` of an animal. Raises LookupError with the nearest name."""
    known = assays(animal)
    if name not in known:
        raise LookupError(f"no assay {name!r} for {animal}; {bestiary.nearest(name, known, 'assay')}")
    return known[name]


def run_assay(
    animal: str,
    name: str | Assay,
    *,
    n: int | None = None,
    seed: int = 0,
    control: str | None = None,
    control_seed: int = 0,
    parameters: Mapping[str, float] | str | None = None,
    without: Sequence[str] = (),
    jobs: int = 2,
    progress: Progress | None = None,
    factory: Factory | None = None,
) -> Result:
    """Runs an assay: trial i of every arm has seed `seed + i`.

    n: trials per arm, None for the assay's own. control, control_seed, parameters, without: of the animal in every arm,
    as in `bestiary.animal`; arms that have a control of their own are then left out. jobs: processes; each builds
    environment and animal once per arm. A script that uses more than one needs `if __name__ == "__main__":`.
    progress: called with (trials done, trials in all). factory: instead of `bestiary.animal`, same arguments.

    A trial whose brain or body diverges is kept out and reported in `failures`. Raises LookupError (no such assay),
    ValueError and what building the animal raises.
    """
    assay = find(animal, name) if isinstance(name, str) else name
    n = assay.n if n is None else n
    if n < 1 or jobs < 1:
        raise ValueError(f"an assay needs at least 1 trial per arm and 1 job, got n={n}, jobs={jobs}")
    begin = time.perf_counter()
    common = {"parameters": parameters, "without": tuple(without)}
    needed = {arm: _measures(assay, arm) for arm in assay.arms}
    work = []
    for arm, options in assay.arms.items():
        if not needed[arm] or (control is not None and options.get("control")):
            continue
        for i in range(n):
            work.append(_Trial.of(animal, assay, arm, options, common, control, control_seed, seed, i, needed[arm]))
    work.sort(key=lambda t: (t.arm, t.build))  # trials that share an animal follow one another
    done = _run_all(work, jobs, progress, factory or bestiary.animal)

    trials: dict[str, dict[str, list[Any]]] = {}
    failures: dict[str, str] = {}
    for trial, (values, failure) in sorted(done, key=lambda d: (d[0].arm, d[0].seed)):
        for key in needed[trial.arm]:
            trials.setdefault(trial.arm, {}).setdefault(key, []).append(values.get(key))
        if failure:
            failures[f"{trial.arm}, seed {trial.seed}"] = failure
    rows = [_judge(assay, row, trials, failures) for row in assay.rows]
    wall = time.perf_counter() - begin
    return Result(
        animal, assay.name, assay.about, n, seed, control, control_seed, rows, trials, failures, round(wall, 1)
    )


def _key(row: Row) -> str:
    return row.measure + (f" {json.dumps(row.options, sort_keys=True)}" if row.options else "")


def _measures(assay: Assay, arm: str) -> dict[str, tuple[str, dict[str, Any]]]:
    return {_key(row): (row.measure, row.options) for row in assay.rows if arm in row.arms}


def _judge(
    assay: Assay, row: Row, trials: Mapping[str, Mapping[str, list[Any]]], failures: Mapping[str, str]
) -> dict[str, Any]:
    missing = [arm for arm in row.arms if arm not in trials]
    if missing:
        found, reason = Estimate(math.nan, math.nan, math.nan, 0), f"arm {missing[0]} has a control of its own"
    else:
        values = [trials[arm][_key(row)] for arm in row.arms]
        found = estimate(values, row.how, row.measure in FRACTIONS, margin=row.margin)
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


@dataclass(frozen=True)
class _Trial:
    """One trial, plain data that can be sent to another process. world, build: JSON, the keys of the caches."""

    animal: str
    arm: str
    world: str
    build: str
    seconds: float
    skip_s: float
    seed: int
    record: tuple[str, ...]
    measures: dict[str, tuple[str, dict[str, Any]]]
    parameters: Any

    @classmethod
    def of(
        cls,
        animal: str,
        assay: Assay,
        arm: str,
        options: Mapping[str, Any],
        common: Mapping[str, Any],
        control: str | None,
        control_seed: int,
        seed: int,
        i: int,
        measures: dict[str, tuple[str, dict[str, Any]]],
    ) -> _Trial:
        here = {k: options.get(k, getattr(assay, k)) for k in _WORLD}
        here["task_options"] = {"seconds": here["seconds"], **here["task_options"]}
        build = {k: options[k] for k in _ANIMAL if k in options}
        build["without"] = sorted({*build.get("without", ()), *common["without"]})
        if control is not None:
            build.update(control=control, control_seed=control_seed)
        elif "control" in build:
            build["control_seed"] = control_seed + i % options.get("control_seeds", 1)
        return cls(
            animal,
            arm,
            json.dumps({k: here[k] for k in ("task", "medium", "task_options")}, sort_keys=True),
            json.dumps(build, sort_keys=True),
            here["seconds"],
            here["skip_s"],
            seed + i,
            assay.record,
            measures,
            common["parameters"],
        )

    def run(self, factory: Factory) -> tuple[dict[str, Any], str]:
        """(measures by key, why it stopped or "")."""
        from bestiary.tasks._trial import run_trial

        policy = _kept(_POLICIES, self, (self.build, factory), lambda: self._policy(factory))
        clock = getattr(policy, "clock", None)
        env = _kept(_ENVS, self, (self.world, clock), lambda: self._env(clock))
        rows = {name: policy.index(name) for name in self.record}

        def note(action: Any, obs: Any, reward: float, info: dict[str, Any]) -> None:
            voltage = policy.probe()["voltage_mV"]
            info.update({f"mV {name}": float(voltage[row].mean()) for name, row in rows.items()})

        try:
            track = run_trial(env, policy, self.seconds, self.seed, on_step=note if rows else None)
        except BestiaryError as error:
            return {}, str(error)
        if track.divergence:
            return {}, track.divergence
        track = track.after(self.skip_s)
        if len(track.time_s) < 2:
            return {}, f"nothing is left of {self.seconds:g} s after the first {self.skip_s:g} s"
        return {key: measure(name)(track, **options) for key, (name, options) in self.measures.items()}, ""

    def _policy(self, factory: Factory) -> Any:
        return factory(self.animal, parameters=self.parameters, **json.loads(self.build))

    def _env(self, clock: Any) -> Any:
        from bestiary.envs import EmbodiedEnv

        return EmbodiedEnv(animal=self.animal, clock=clock, **json.loads(self.world))


_POLICIES: dict[Any, Any] = {}
_ENVS: dict[Any, Any] = {}


def _kept(cache: dict[Any, Any], trial: _Trial, key: Any, make: Callable[[], Any]) -> Any:
    """The last thing made for a key: trials come sorted, so that one is enough."""
    key = (trial.animal, repr(trial.parameters), *key)
    if key not in cache:
        cache.clear()
        cache[key] = make()
    return cache[key]


def _run(trial: _Trial, factory: Factory) -> tuple[dict[str, Any], str]:
    return trial.run(factory)


def _run_all(
    work: Sequence[_Trial], jobs: int, progress: Progress | None, factory: Factory
) -> list[tuple[_Trial, tuple[dict[str, Any], str]]]:
    def tell(done: int) -> None:
        if progress is not None:
            progress(done, len(work))

    out = []
    if jobs == 1 or len(work) == 1:
        try:
            for trial in work:
                out.append((trial, trial.run(factory)))
                tell(len(out))
        finally:
            _POLICIES.clear()
            _ENVS.clear()
        return out
    with _one_thread_each(), ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(_run, trial, factory): trial for trial in work}
        try:
            for future in as_completed(futures):
                out.append((futures[future], future.result()))
                tell(len(out))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return out


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started within take one thread each: they inherit it before they import anything."""
    wanted = {"NPROC": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


# Controls


@dataclass(frozen=True)
class Wiring:
    """The same assays with the measured wiring and with k rewired ones.

    rows: id, assay, quantity, intact (value), verdict, rewired (k values), passed (how many of them), k, finding:
    "earned by the wiring": the intact animal passes and at least 95 % of the rewired ones fail;
    "any wiring gives it": the intact animal passes, and so do at least half of the rewired;
    "partly": it passes, and so do some; "does not come out": the intact animal fails; "not scored": no rule, or an arm
    of the row is a control itself, which cannot be run under another one.
    """

    animal: str
    control: str
    refitted: bool
    rows: list[dict[str, Any]]
    intact: list[Result]
    rewired: list[list[Result]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: NaN becomes None."""
        return {
            "animal": self.animal,
            "control": self.control,
            "refitted": self.refitted,
            "rows": _plain(self.rows),
            "intact": [r.as_dict() for r in self.intact],
            "rewired": [[r.as_dict() for r in k] for k in self.rewired],
        }

    def __str__(self) -> str:
        head = f"{'id':5} {'quantity':32} {'intact':>10} {'verdict':14} {'rewired':20} {'passed':>7}  finding"
        lines = [head, "-" * 120]
        for r in self.rows:
            found = sorted(v for v in r["rewired"] if math.isfinite(v))
            spread = f"{number(found[0])} to {number(found[-1])}" if found else "-"
            lines.append(
                f"{r['id']:5} {cut(r['quantity'], 32):32} {number(r['intact']):>10} {cut(r['verdict'], 14):14} "
                f"{cut(spread, 20):20} {r['passed']:>3}/{r['k']:<3}  {r['finding']}"[:120]
            )
        return "\n".join(lines)


def run_controls(
    animal: str,
    names: Sequence[str | Assay],
    *,
    k: int = 10,
    control: str = "degree-preserving",
    parameters: Sequence[Mapping[str, float] | str] | None = None,
    intact_parameters: Mapping[str, float] | str | None = None,
    n: int | None = None,
    seed: int = 0,
    jobs: int = 2,
    progress: Progress | None = None,
    factory: Factory | None = None,
) -> Wiring:
    """Runs assays with the measured wiring and k controls (seeds 0 to k - 1) and says which rows the wiring earns.

    parameters: one per control, refitted with the budget that the shipped ones had (`bestiary fit --control`); None
    keeps the shipped ones, and the report then says that nothing was refitted. progress: (runs done, runs in all).
    """
    if parameters is not None and len(parameters) != k:
        raise ValueError(f"{k} controls need {k} sets of parameters, got {len(parameters)}")
    total, done = (k + 1) * len(names), 0

    def run(name: str | Assay, which: int | None) -> Result:
        nonlocal done
        chosen = intact_parameters if which is None else parameters[which] if parameters is not None else None
        rewired = {} if which is None else {"control": control, "control_seed": which}
        out = run_assay(
            animal,
            name,
            n=n,
            seed=seed,
            parameters=chosen,
            jobs=jobs,
            factory=factory,
            **rewired,  # type: ignore[arg-type]
        )
        done += 1
        if progress is not None:
            progress(done, total)
        return out

    intact = [run(name, None) for name in names]
    others = [[run(name, i) for name in names] for i in range(k)]
    rows = []
    for a, result in enumerate(intact):
        for r, row in enumerate(result.rows):
            theirs = [other[a].rows[r] for other in others]
            passed = sum(t["verdict"] in PASSED for t in theirs)
            ran = any(t["ran"] for t in theirs)
            rows.append(
                {
                    **{key: row[key] for key in ("id", "assay", "quantity", "unit", "verdict")},
                    "intact": row["value"],
                    "rewired": [t["value"] for t in theirs],
                    "passed": passed,
                    "k": k,
                    "finding": finding(row["verdict"], passed, k) if ran else "not scored",
                }
            )
    return Wiring(animal, control, parameters is not None, rows, intact, others)


def finding(intact: str, passed: int, k: int) -> str:
    """What `passed` of k rewired animals say of a row whose verdict with the measured wiring is `intact`."""
    if intact == "beside":
        return "not scored"
    if intact not in PASSED:
        return "does not come out"
    if passed <= 0.05 * k:
        return "earned by the wiring"
    return "any wiring gives it" if passed >= 0.5 * k else "partly"


# Text


def number(value: Any) -> str:
    """Three figures, or "-"."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of any results' rows in at most 120 columns."""
    lines = [f"{'id':5} {'quantity':40} {'measured [95 %]':27} {'published':24} {'unit':7} verdict", "-" * 120]
    for r in rows:
        measured = f"{number(r['value'])} [{number(r['low95'])}, {number(r['high95'])}]"
        low, high = r["published_low"], r["published_high"]
        limits = f" ({number(low)} to {number(high)})" if low is not None or high is not None else ""
        published = f"{number(r['published'])}{limits}"
        line = (
            f"{r['id']:5} {cut(r['quantity'], 40):40} {cut(measured, 27):27} {cut(published, 24):24} "
            f"{cut(r['unit'], 7):7} {r['verdict']}"
        )
        lines.append(cut(line, 120))
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, Result):
        return value.as_dict()
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
