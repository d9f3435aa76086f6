"""The trials of an assay: each a pair of world and animal and a seed, one after the other or in several processes."""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import bestiary
from bestiary.errors import BestiaryError, DataError, UnknownNeuronError
from bestiary.tasks._assay_table import ANIMAL, WORLD, Assay
from bestiary.tasks._catalogue import KEPT, measure

Factory = Callable[..., Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Trial:
    """One trial, plain data that can be sent to another process. world, build: JSON, the keys of the caches."""

    animal: str
    arm: str
    world: str
    build: str
    seconds: float
    skip_s: float
    seed: int
    every: int
    record: tuple[str, ...]
    probe: tuple[str, ...]
    keep: tuple[str, ...]
    measures: dict[str, tuple[str, dict[str, Any]]]
    parameters: Any
    policy: str = ""

    @classmethod
    def of(
        cls,
        animal: str,
        assay: Assay,
        arm: str,
        common: Mapping[str, Any],
        control: str | None,
        control_seed: int,
        seed: int,
        i: int,
        measures: dict[str, tuple[str, dict[str, Any]]],
    ) -> Trial:
        asked = assay.arms[arm]
        here = {k: asked.get(k, getattr(assay, k)) for k in WORLD}
        here["task_options"] = {"seconds": here["seconds"], **here["task_options"]}
        build = {k: asked[k] for k in ANIMAL if k in asked}
        for key, value in common["options"].items():  # lists add up: silenced in the arm, and silenced everywhere
            build[key] = sorted({*build.get(key, ()), *value}) if isinstance(value, list | tuple) else value
        if control is not None:
            build.update(control=control, control_seed=control_seed)
        elif "control" in build:
            build["control_seed"] = control_seed + i % asked.get("control_seeds", 1)
        return cls(
            animal,
            arm,
            json.dumps({k: here[k] for k in ("task", "medium", "task_options", "body_options")}, sort_keys=True),
            json.dumps(build, sort_keys=True),
            here["seconds"],
            here["skip_s"],
            seed + i,
            assay.every,
            assay.record,
            assay.probe,
            assay.keep,
            measures,
            common["parameters"],
            assay.policy,
        )

    def run(self, factory: Factory) -> tuple[dict[str, Any], str]:
        """(measures by key, and what is kept under its name; why it stopped early or "")."""
        from bestiary.tasks._trial import run_trial

        try:
            policy = _kept(_POLICIES, self, (self.build, self.policy, factory), lambda: self._policy(factory))
            rows = {name: policy.index(name) for name in self.record}
        except (UnknownNeuronError, DataError) as error:  # a part of the brain that is not there: its rows say so
            return {}, str(error)
        clock = getattr(policy, "clock", None)
        env = _kept(_ENVS, self, (self.world, clock), lambda: self._env(clock))
        if hasattr(policy, "watch"):
            policy.watch(env)

        def note(action: Any, obs: Any, reward: float, info: dict[str, Any]) -> None:
            reading = policy.probe()
            for key, unit in (("voltage_mV", "mV"), ("rate_Hz", "Hz")):
                if rows and key in reading:
                    values = reading[key]
                    info.update({f"{unit} {name}": float(values[row].mean()) for name, row in rows.items()})
            info.update({f"probe {name}": float(reading.get(name, math.nan)) for name in self.probe})

        try:
            listen = note if rows or self.probe else None
            track = run_trial(env, policy, self.seconds, self.seed, self.every, listen)
        except BestiaryError as error:
            return {}, str(error)
        if track.divergence:
            return {}, track.divergence
        track = track.after(self.skip_s)
        if len(track.time_s) < 2:
            return {}, f"nothing is left of {self.seconds:g} s after the first {self.skip_s:g} s"
        values = {key: measure(name)(track, **options) for key, (name, options) in self.measures.items()}
        return values | {name: KEPT[name](track) for name in self.keep}, track.ended

    def _policy(self, factory: Factory) -> Any:
        animal = factory(self.animal, parameters=self.parameters, **json.loads(self.build))
        if not self.policy:
            return animal
        known = getattr(bestiary.load("interfaces", self.animal), "POLICIES", {})
        if self.policy not in known:
            raise LookupError(f"no policy {self.policy!r}; {bestiary.nearest(self.policy, known, 'policy')}")
        return known[self.policy](animal)

    def _env(self, clock: Any) -> Any:
        from bestiary.envs import EmbodiedEnv

        return EmbodiedEnv(animal=self.animal, clock=clock, **json.loads(self.world))


_POLICIES: dict[Any, Any] = {}
_ENVS: dict[Any, Any] = {}


def _kept(cache: dict[Any, Any], trial: Trial, key: Any, make: Callable[[], Any]) -> Any:
    """The last thing made for a key: trials come sorted, so that one is enough."""
    key = (trial.animal, repr(trial.parameters), *key)
    if key not in cache:
        cache.clear()
        cache[key] = make()
    return cache[key]


def _run(trial: Trial, factory: Factory) -> tuple[dict[str, Any], str]:
    return trial.run(factory)


def run_all(
    work: Sequence[Trial], jobs: int, progress: Progress | None, factory: Factory
) -> list[tuple[Trial, tuple[dict[str, Any], str]]]:
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
