"""Fitting: what the wiring does not give is searched for, to stated targets, with a stated budget and seed.

A fit is a list of trials with targets (assets/<animal>/fit.toml) and the parameters that have a range (`low`, `high`)
in assets/<animal>/parameters.json. The search is a (1 + 8) evolution strategy over the logarithms: the landscape of a
closed loop is rugged, and CMA-ES, which follows the mean of its population, fell behind its own best here. A point is
tried seed after seed, and dropped where it has fallen clearly behind the best.
"""

from __future__ import annotations

import importlib
import json
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary import assets
from bestiary.bodies._base import Array
from bestiary.envs._streams import stream
from bestiary.errors import BestiaryError, DataError

Progress = Callable[[int, int, float], None]
Values = Mapping[str, float]


@dataclass(frozen=True)
class Stage:
    """One search: which parameters, which trials, and what they should give.

    runs: where another search does the work: a module of bestiary.brains with a function `run` (parameters and trials
    are then empty, and what is fitted is its own). budget: evaluations, or steps of a descent, if none are asked for.
    start: the file in assets/<animal> from which the search begins where it is not told; "": the shipped parameters.
    body: options of the body that are searched too: name -> [low, high]; the search begins from its defaults.

    trials: tables with `task`, `medium`, `seconds`, `skip_s`, optional `options` of `bestiary.animal` (and in them
    `fixed`, parameters held at a value in this trial), `repeats` (seeds over which its loss is averaged),
    `task_options`, `sham` (the number of the trial that is its sham: the same seed without the stimulus) and `targets`:
    measure -> [value, tolerance].
    """

    name: str
    about: str
    parameters: tuple[str, ...]
    trials: tuple[dict[str, Any], ...]
    clock: dict[str, str]
    runs: str = ""
    budget: int = 400
    start: str = ""
    body: Mapping[str, Sequence[float]] = field(default_factory=dict)


def stages(animal: str) -> dict[str, Stage]:
    """The searches that `fit ANIMAL` knows, in their order."""
    if (file := assets.find(animal, "fit.toml")) is None:
        raise DataError(f"no assets/{animal}/fit.toml: nothing to fit for {animal}")
    return {
        name: Stage(
            name,
            s["about"],
            tuple(s.get("parameters", ())),
            tuple(s.get("trials", ())),
            s.get("clock", {}),
            s.get("runs", ""),
            s.get("budget", 400),
            s.get("start", ""),
            s.get("body", {}),
        )
        for name, s in tomllib.loads(file.read_text(encoding="utf-8")).items()
    }


class Objective:
    """Loss of a point of the search: the sum over targets of a pseudo-Huber of the error in units of its tolerance."""

    def __init__(self, animal: str, stage: Stage, base: Mapping[str, float], options: Mapping[str, Any], seed: int):
        self.animal, self.stage, self.base, self.options, self.seed = animal, stage, dict(base), dict(options), seed
        table = bestiary.load("brains", animal).parameter_table()
        bounds = []
        for name in stage.parameters:
            if name not in table:
                raise LookupError(f"no parameter {name!r} to fit; {bestiary.nearest(name, table, 'parameter')}")
            if table[name]["low"] is None:
                raise BestiaryError(f"parameter {name!r} has no range to search in")
            bounds.append((table[name]["low"], table[name]["high"]))
        bounds += [(low, high) for low, high in stage.body.values()]
        self.names = (*stage.parameters, *stage.body)
        self.low, self.high = np.log(np.array(bounds)).T
        body = bestiary.load("bodies", animal).BODY()
        self.start = {**self.base, **{name: getattr(body, name) for name in stage.body}}
        self._animals: dict[str, list[Any]] = {}  # of the points of this generation

    def values(self, x: Array) -> dict[str, float]:
        """Parameters at a point of the search (unbounded), to six digits: a typed value comes back as it was."""
        share = 1 / (1 + np.exp(-4 * np.asarray(x)))
        found = np.exp(self.low + (self.high - self.low) * share)
        return {name: float(f"{value:.6g}") for name, value in zip(self.names, found, strict=True)}

    def point(self, values: Mapping[str, float]) -> Array:
        """The inverse of `values`, kept off the ends of the range."""
        log = np.log([values[name] for name in self.names])
        share = np.clip((log - self.low) / (self.high - self.low), 0.02, 0.98)
        return np.asarray(np.log(share / (1 - share)) / 4)

    @property
    def seeds(self) -> int:
        """How many a point is tried with: the most repeats of any trial."""
        return max(trial.get("repeats", 1) for trial in self.stage.trials)

    def tried(
        self, points: Sequence[Values], totals: Sequence[float], seeds: range
    ) -> list[tuple[list[float], list[Values]]]:
        """(loss after each of the `seeds`, adding up; the measures of each trial) of every point.

        points: parameters over the base. totals: their losses after the seeds before. The trials are the lanes of
        vector environments, and those of one point share its brain.
        """
        if seeds.start == 0:
            self._animals = {}
        trials = self.stage.trials
        runs = [(k, i) for k in seeds for i, trial in enumerate(trials) if k < trial.get("repeats", 1)]
        tracks = self._run(points, runs)
        out = []
        for p, total in enumerate(totals):
            found = [self._measured(i, {j: tracks.get((p, k, j)) for j in range(len(trials))}) for k, i in runs]
            sums = dict.fromkeys(seeds, 0.0)
            for (k, i), measured in zip(runs, found, strict=True):
                for name, (target, tolerance) in trials[i]["targets"].items():
                    error = (measured.get(name, np.nan) - target) / tolerance
                    loss = 2 * (np.sqrt(1 + error**2) - 1) if np.isfinite(error) else 15.0
                    total += loss / trials[i].get("repeats", 1)
                sums[k] = float(total)
            out.append((list(sums.values()), found))
        return out

    def _run(self, points: Sequence[Values], runs: Sequence[tuple[int, int]]) -> dict[tuple[int, int, int], Any]:
        """Tracks by (point, seed, trial) of `runs`, (seed, trial) each: side by side in one vector environment."""
        from bestiary.envs import EmbodiedVectorEnv
        from bestiary.interfaces._batch import AnimalBatch
        from bestiary.tasks._trial import run_trials

        policies: list[Any] = []
        lanes: list[Any] = []
        what: list[tuple[int, int, int]] = []
        for p, values in enumerate(points):
            try:
                animals = self._made(values, [i for _, i in runs])
            except (BestiaryError, np.linalg.LinAlgError):
                continue
            mine = [len(what) + i for i in range(len(runs))]
            together = len(runs) >= _TOGETHER
            policies += [AnimalBatch(animals, threads=1, width=8)] if together else animals
            lanes += [mine] if together else mine
            what += [(p, k, i) for k, i in runs]
        if not what:
            return {}
        trials = [self.stage.trials[i] for _, _, i in what]
        each = [{name: trial.get(name) for name in ("task", "medium", "task_options")} for trial in trials]
        for one, trial, (p, _, _) in zip(each, trials, what, strict=True):
            bodily = {name: points[p][name] for name in self.stage.body}
            one["body_options"] = {**trial.get("body_options", {}), **bodily}
        env = EmbodiedVectorEnv(len(what), self.animal, None, each=each, clock=self.stage.clock, threads=1)
        seconds, seeds = [trial["seconds"] for trial in trials], [self.seed + k for _, k, _ in what]
        tracks = run_trials(env, policies, lanes, seconds, seeds)
        env.close()
        return {what[lane]: track for lane, track in tracks.items()}

    def _made(self, values: Values, trials: Sequence[int]) -> list[Any]:
        """The animal of a point for each of the trials; those that agree on all options share a brain."""
        out: list[Any] = []
        used: dict[str, int] = {}
        for i in trials:
            own = self.stage.trials[i].get("options", {})
            options = {**self.options, **own}
            own_values = {name: value for name, value in values.items() if name not in self.stage.body}
            parameters = {**self.base, **own_values, **options.pop("fixed", {})}
            key = json.dumps([list(values.values()), own])
            same, n = self._animals.setdefault(key, []), used.get(key, 0)
            if n == len(same) and n and options.get("control") is None:
                same.append(same[0].sibling())
            elif n == len(same):  # the first, and all of those under a control, which has a state
                same.append(bestiary.animal(self.animal, parameters=parameters, clock=self.stage.clock, **options))
            out.append(same[n])
            used[key] = n + 1
        return out

    def _measured(self, i: int, tracks: Mapping[int, Any]) -> Values:
        """What trial i aims at, from the tracks of all trials with the same seed; {} where they give nothing."""
        from bestiary.tasks._measures import MEASURES, PAIRED

        trial = self.stage.trials[i]

        def cleaned(j: int) -> Any:
            track = tracks.get(j)
            return None if track is None or track.divergence else track.after(self.stage.trials[j].get("skip_s", 0.0))

        if (track := cleaned(i)) is None:
            return {}
        sham = cleaned(trial["sham"]) if "sham" in trial else None
        sham = track if sham is None else sham
        try:
            return {
                name: float(PAIRED[name](track, sham) if name in PAIRED else MEASURES[name](track))
                for name in trial["targets"]
            }
        except (BestiaryError, np.linalg.LinAlgError):
            return {}


_TOGETHER = 4  # animals of one brain, from which on stepping them together is faster than one by one
Ask = Callable[[Sequence[Values], Sequence[float], range], Sequence[list[float]]]


def tried(points: Sequence[Values], bar: Sequence[float], seeds: int, first: int, ask: Ask) -> list[list[float]]:
    """The loss of each point after each seed, adding up; it ends early where that exceeds the `bar` of the same seed.

    first: seeds after which a point may be dropped; those left try all others at once. What they try in vain does not
    count, so that the answer does not depend on this number. ask: (points, totals before, seeds) -> totals after each.
    """
    sums: list[list[float]] = [[] for _ in points]
    left = list(range(len(points)))
    for now in (range(min(first, seeds)), range(first, seeds)):
        if not left or not now:
            break
        totals = ask([points[i] for i in left], [sums[i][-1] if now.start else 0.0 for i in left], now)
        going = []
        for i, after in zip(left, totals, strict=True):
            behind = [k for k, total in zip(now, after, strict=True) if k < len(bar) and total > bar[k]]
            sums[i] += after[: behind[0] - now.start + 1] if behind else after
            going += [] if behind else [i]
        left = going
    return sums


_OBJECTIVE: Objective | None = None


def _start(*arguments: Any) -> None:
    global _OBJECTIVE
    _OBJECTIVE = Objective(*arguments)


def _ask(points: Sequence[Values], totals: Sequence[float], seeds: range) -> list[list[float]]:
    assert _OBJECTIVE is not None
    return [sums for sums, _ in _OBJECTIVE.tried(points, totals, seeds)]


BROOD = 8  # children of the best point so far, in each generation
FIRST = 1  # seeds that a point is tried with before it may be dropped: most are
SLACK = 1.1  # a child is dropped at a seed by which it has lost so many times what the best point had


def _mutated(centre: Array, spread: float, rng: np.random.Generator) -> Array:
    """A child: about a third of the coordinates moved, by a step whose size is itself drawn over two decades."""
    step = spread * 10 ** rng.uniform(-1.5, 0.3)
    moved = rng.random(len(centre)) < 0.3
    moved[rng.integers(len(centre))] = True
    return np.asarray(np.clip(centre + step * moved * rng.standard_normal(len(centre)), -1.2, 1.2))


def run_fit(
    animal: str,
    budget: int | None = None,
    seed: int = 0,
    stage: str | None = None,
    start: Mapping[str, float] | str | Path | None = None,
    connectome: str | None = None,
    control: str | None = None,
    control_seed: int = 0,
    out: str | Path | None = None,
    jobs: int = 2,
    spread: float = 0.2,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Searches the parameters of one stage (None: the first) of `animal`; returns, and writes to `out`, the result.

    budget: evaluations (None: what the stage asks for). start: parameters to begin from (a mapping or a file of an
    earlier fit; None: the stage's own start, else the shipped ones). connectome, control, control_seed: as in
    `bestiary.animal`; a rewired animal is fitted with the same budget.
    jobs: processes; the result does not depend on it. The result holds parameters, loss, log, seed, budget, versions.
    """
    import multiprocessing

    known = stages(animal)
    if stage is not None and stage not in known:
        raise LookupError(f"no stage {stage!r} in the fit of {animal}; {bestiary.nearest(stage, known, 'stage')}")
    this = known[stage or next(iter(known))]
    budget = budget or this.budget
    if this.runs:
        module = importlib.import_module(f"bestiary.brains.{this.runs}")

        def keep(found: Mapping[str, Any], done: int, loss: float) -> None:
            if progress is not None:
                progress(done, budget, loss)
            if out is not None:
                _write(out, {**head, **found})

        head: dict[str, Any] = {
            "stage": this.name,
            "about": this.about,
            "budget": budget,
            "seed": seed,
            "versions": _versions(),
        }
        head["options"] = {"connectome": connectome, "control": control, "control_seed": control_seed}
        result: dict[str, Any] = {**head, **module.run(budget, seed, start, control, control_seed, keep)}
        if out is not None:
            _write(out, result)
        return result
    if start is None and this.start:
        start = assets.file(animal, this.start)
    base = bestiary.load("brains", animal).parameters(start)
    options = {"connectome": connectome, "control": control, "control_seed": control_seed}
    arguments = (animal, this, base, options, seed)
    objective = Objective(*arguments)
    rng = stream(seed, "fit")
    centre = objective.point(objective.start)
    log: list[dict[str, float]] = []
    best, values, done = np.inf, {k: objective.start[k] for k in objective.names}, 0
    bar: list[float] = []
    began = time.perf_counter()
    with ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=_start, initargs=arguments
    ) as workers:

        def ask(points: Sequence[Values], totals: Sequence[float], seeds: range) -> list[list[float]]:
            parts = [slice(k, None, jobs) for k in range(min(jobs, len(points)))]
            answers = workers.map(_ask, *zip(*[(points[p], totals[p], seeds) for p in parts], strict=True))
            out: list[list[float]] = [[]] * len(points)
            for part, answer in zip(parts, answers, strict=True):
                out[part] = answer
            return out

        while done < budget:
            points = [_mutated(centre, spread, rng) for _ in range(min(BROOD, budget - done))]
            if not log:
                points[0] = centre
            sums = tried([objective.values(x) for x in points], bar, objective.seeds, FIRST, ask)
            losses = [s[-1] if len(s) == objective.seeds else np.inf for s in sums]
            done += len(points)
            if min(losses) < best:
                first = int(np.argmin(losses))
                best, centre = losses[first], points[first]
                values, bar = objective.values(centre), [SLACK * x for x in sums[first]]
            log.append({"evaluations": done, "best": best, "finished": int(np.isfinite(losses).sum())})
            if progress is not None:
                progress(done, budget, best)
            if out is not None:
                _write(out, _result(this, values, base, objective, log, budget, seed, options, began))
    result = _result(this, values, base, objective, log, budget, seed, options, began)
    if out is not None:
        _write(out, result)
    return result


def _result(
    stage: Stage,
    values: Mapping[str, float],
    base: Mapping[str, float],
    objective: Objective,
    log: list[dict[str, float]],
    budget: int,
    seed: int,
    options: Mapping[str, Any],
    began: float,
) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "about": stage.about,
        "parameters": {**base, **{k: v for k, v in values.items() if k not in stage.body}},
        **({"body": {k: values[k] for k in stage.body}} if stage.body else {}),
        "fitted": list(stage.parameters),
        "loss": log[-1]["best"],
        "log": log,
        "budget": budget,
        "seed": seed,
        "options": dict(options),
        "seconds": round(time.perf_counter() - began, 1),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    import mujoco

    return {"bestiary": bestiary.__version__, "mujoco": mujoco.__version__, "numpy": np.__version__}


def _write(out: str | Path, result: Mapping[str, Any]) -> None:
    """At once or not at all, also of what has been found so far: an interrupted fit is not lost."""
    file = Path(out)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1), encoding="utf-8")
    part.replace(file)
