"""A list of work over cores, Ray or SLURM: results come as they are done, and a failure stays that item's own."""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import bestiary
from bestiary.errors import BestiaryError
from bestiary.tasks._assay_trials import _one_thread_each

PLACES = {
    "cores": "processes of this machine (joblib)",
    "ray": "a Ray cluster, or this machine (pip install 'bestiary[ray]')",
    "slurm": "a SLURM array, or without SLURM processes here (pip install 'bestiary[cluster]')",
}
Work = Callable[[Any, Any], dict[str, Any]]
Done = tuple[int, dict[str, Any] | None, str]  # number of the item, what came of it or None, why not


def over(
    place: str, work: Work, about: Any, items: Sequence[Any], jobs: int, folder: Path, options: dict[str, Any]
) -> Iterator[Done]:
    """Calls work(about, item) for every item, `jobs` at a time, in `place`; yields in the order in which they end.

    folder: for what the place itself writes. options: of `submitit.AutoExecutor.update_parameters` for slurm (and its
    `cluster`), of `ray.init` for ray. Raises LookupError for an unknown place, BestiaryError where it is not installed.
    """
    if place not in PLACES:
        raise LookupError(f"no place {place!r} to work in; {bestiary.nearest(place, PLACES, 'place')}")
    if place == "ray":
        return _ray(work, about, items, jobs, options)
    if place == "slurm":
        return _slurm(work, about, items, jobs, folder, options)
    return _cores(work, about, items, jobs)


def _try(work: Work, about: Any, number: int, item: Any) -> Done:
    try:
        return number, work(about, item), ""
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return number, None, f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"


def _missing(package: str, extra: str) -> BestiaryError:
    return BestiaryError(f"{package} is not installed: pip install 'bestiary[{extra}]'")


def _cores(work: Work, about: Any, items: Sequence[Any], jobs: int) -> Iterator[Done]:
    if jobs == 1:
        for number, item in enumerate(items):
            yield _try(work, about, number, item)
        return
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    left = dict(enumerate(items))
    one = joblib.delayed(_try)
    try:
        with _one_thread_each():
            pool = joblib.Parallel(jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="all")
            for done in pool(one(work, about, k, item) for k, item in list(left.items())):
                left.pop(done[0])
                yield done
    except TerminatedWorkerError:  # which item killed it nobody knows: what is left goes each into its own process
        with _one_thread_each():
            pool = joblib.Parallel(jobs, backend="threading", return_as="generator_unordered", pre_dispatch="all")
            yield from pool(joblib.delayed(_alone)(work, about, k, item) for k, item in list(left.items()))


def _alone(work: Work, about: Any, number: int, item: Any) -> Done:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_try, work, about, number, item).result()
        except Exception as error:  # BrokenProcessPool
            return number, None, f"its process died: {error}"


def _ray(work: Work, about: Any, items: Sequence[Any], jobs: int, options: dict[str, Any]) -> Iterator[Done]:
    try:
        import ray
    except ImportError:
        raise _missing("Ray", "ray") from None
    with _one_thread_each():
        if not ray.is_initialized():
            path = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}  # its workers import as we do
            ray.init(
                **{"num_cpus": jobs, "include_dashboard": False, "log_to_driver": False, "runtime_env": path, **options}
            )
        there = ray.put(about)
        remote = ray.remote(num_cpus=1, max_retries=0)(_try)
        waiting = {remote.remote(work, there, k, item): k for k, item in enumerate(items)}
        while waiting:
            ready, _ = ray.wait(list(waiting))
            for reference in ready:
                number = waiting.pop(reference)
                try:
                    yield ray.get(reference)
                except Exception as error:  # the worker died
                    yield number, None, f"{type(error).__name__}: {error}"


def _slurm(
    work: Work, about: Any, items: Sequence[Any], jobs: int, folder: Path, options: dict[str, Any]
) -> Iterator[Done]:
    """Without SLURM on this machine submitit starts processes here, so that the same list can be tried."""
    try:
        import submitit
    except ImportError:
        raise _missing("submitit", "cluster") from None
    with _one_thread_each():
        asked = {"timeout_min": 60, "cpus_per_task": 1, "name": "bestiary", **options}
        executor = submitit.AutoExecutor(folder=folder / "slurm", cluster=asked.pop("cluster", None))
        if executor.cluster == "slurm":
            asked = {"slurm_array_parallelism": jobs, **asked}
        executor.update_parameters(**asked)
        size = len(items) if executor.cluster == "slurm" else jobs  # a process here each: not all at once
        for first in range(0, len(items), size):
            chunk = range(first, min(first + size, len(items)))
            with executor.batch():
                started = [executor.submit(_try, work, about, k, items[k]) for k in chunk]
            numbers = {job.job_id: k for job, k in zip(started, chunk, strict=True)}
            for job in submitit.helpers.as_completed(started):
                try:
                    yield job.result()
                except Exception as error:  # killed, out of time or out of memory
                    yield numbers[job.job_id], None, f"{type(error).__name__}: {error}"
