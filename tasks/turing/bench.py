"""What the statistics of level D cost, without any simulation."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

from bestiary.tasks._bench import Progress, one_core
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

    Returns wall_s and cpu_s of the comparison alone, peak_bytes of this process, and verdicts by test.
    """
    species = synthetic.Species(rate_Hz=rate_Hz)
    with one_core():
        note("making animals")
        real, model = (species.cohort(animals, 60 * minutes, seed + i) for i in (0, 1))
        note("statistics")
        wall, cpu = time.perf_counter(), time.process_time()
        results, _ = compare(real, model, seed=seed)
        took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    verdicts = {r.test.id: str(r.verdict) for r in results}
    return {**took, "peak_bytes": peak, "animals": animals, "minutes": minutes, "rate_Hz": rate_Hz, "tests": verdicts}
