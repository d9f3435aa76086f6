"""What the statistics of level D cost, without any simulation."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from bestiary.tasks._bench import Progress, one_core, peak_bytes
from bestiary.tasks.turing import synthetic
from bestiary.tasks.turing.level_d import compare


def bench_statistics(
    animals: int = 20,
    minutes: float = 30.0,
    rate_Hz: float = 30.0,
    seed: int = 0,
    note: Progress = lambda text: None,
) -> dict[str, Any]:
    """Synthetic animals on both sides, every test of level D, 200 splits of the floor, 100 permutations, on one core.

    Returns wall_s and cpu_s of the comparison alone, peak_bytes of the process of its own that it runs in, and verdicts
    by test.
    """
    note(f"statistics of {animals} animals")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        found = alone.submit(_measured, animals, minutes, rate_Hz, seed).result()
    return {**found, "animals": animals, "minutes": minutes, "rate_Hz": rate_Hz}


def _measured(animals: int, minutes: float, rate_Hz: float, seed: int) -> dict[str, Any]:
    species = synthetic.Species(rate_Hz=rate_Hz)
    with one_core():
        real, model = (species.cohort(animals, 60 * minutes, seed + i) for i in (0, 1))
        wall, cpu = time.perf_counter(), time.process_time()
        results, _ = compare(real, model, seed=seed)
        took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    return {**took, "peak_bytes": peak_bytes(), "tests": {r.test.id: str(r.verdict) for r in results}}
