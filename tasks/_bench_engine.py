"""How fast the spiking engine is: a brain of the fly's size in three regimes, a small brain, building and memory.

Every rate is the median of repeats that take turns (A B C A B C ...), in wall seconds per simulated second on one core;
compilation is timed apart. Where a Python with Brian2 is named, the same network and input spikes run there in turn.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bestiary.brains import _flywire, _shiu
from bestiary.brains._surrogate import flywire_surrogate
from bestiary.brains.connectome import Connectome, read_connectome, write_connectome
from bestiary.brains.spiking import Simulation
from bestiary.brains.spiking._portable import poisson_spikes
from bestiary.brains.spiking.simulation import _key

Progress = Callable[[str], None]
REGIMES = {"sparse": (21, 200.0), "middle": (3_000, 50.0), "dense": (20_000, 50.0)}  # driven neurons, Hz
WARM_S = 0.1
PERIOD_STEPS = 10  # a control period of 1 ms


def bench_engine(
    repeats: int = 5,
    seconds: float = 0.3,
    *,
    connectome: Connectome | None = None,
    threads: int = 1,
    brian2_python: str | None = None,
    brian2_mode: str = "cython",
    note: Progress = lambda text: None,
) -> dict[str, Any]:
    """All of it, as a dict for JSON. connectome: default the surrogate. seconds: simulated, of each repeat.
    threads: cores of the kernel.

    brian2_python: interpreter with Brian2 2.9 and numpy < 2.4; brian2_mode: "cython" or "cpp_standalone".
    """
    note("building")
    start = time.perf_counter()
    c = flywire_surrogate() if connectome is None else connectome
    built = time.perf_counter() - start
    sims = {name: _ready(c, name, threads) for name in REGIMES}
    note("memory bandwidth")
    bandwidth = triad_bytes_per_s(len(c))
    wall: dict[str, list[float]] = {name: [] for name in sims}
    cpu: dict[str, list[float]] = {name: [] for name in sims}
    spikes: dict[str, float] = {}
    events: dict[str, float] = {}
    out_degree = np.bincount(c.pre, minlength=len(c))
    steps = round(seconds / _shiu.DT_S)
    states = {name: sim[0].step(sim[0].init(), round(WARM_S / _shiu.DT_S))[0] for name, sim in sims.items()}
    for k in range(repeats):
        for name, (sim, _) in sims.items():
            note(f"{name} {k + 1}/{repeats}")
            state = sim.copy(states[name])
            t, p, fired = time.perf_counter(), time.process_time(), []
            for _ in range(steps // PERIOD_STEPS):
                state, run = sim.step(state, PERIOD_STEPS)
                fired.append(run.neuron)
            wall[name].append((time.perf_counter() - t) / seconds)
            cpu[name].append((time.process_time() - p) / seconds)
            who = np.concatenate(fired)
            spikes[name], events[name] = len(who) / seconds, float(out_degree[who].sum()) / seconds
    regimes = {}
    for name, (_, compiling) in sims.items():
        median = statistics.median(wall[name])
        # a step reads and writes V and g and reads the refractory clock; an event reads index, weight, g and writes g
        moved = len(c) * 20 / _shiu.DT_S + events[name] * 16
        regimes[name] = {
            "wall_s_per_s": median,
            "cpu_s_per_s": statistics.median(cpu[name]),
            "all_wall_s_per_s": wall[name],
            "spikes_per_s": spikes[name],
            "events_per_simulated_s": events[name],
            "events_per_wall_s": events[name] / median,
            "share_of_bandwidth": moved / median / bandwidth,
            "first_call_s": compiling,
        }
    times, peak = build_times(c, note)
    report = {
        "neurons": len(c),
        "edges": c.n_edges,
        "threads": threads,
        "dt_s": _shiu.DT_S,
        "control_period_s": PERIOD_STEPS * _shiu.DT_S,
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "triad_bytes_per_s": bandwidth,
        "regimes": regimes,
        "small": small_brain(note),
        "build_s": ({"surrogate": built} if connectome is None else {}) | times,
        "peak_bytes": peak,
    }
    if brian2_python is not None:
        report["brian2"] = _against_brian2(c, sims, brian2_python, brian2_mode, seconds, note)
    return report


def regime(c: Connectome, name: str) -> dict[Any, float]:
    """The drive of a regime: the sparse one takes well-connected excitatory cells, the others are drawn at random."""
    count, rate = REGIMES[name]
    if name == "sparse":
        degree = np.bincount(c.pre, weights=np.where(c.sign > 0, 1.0, 0.0), minlength=len(c))
        first = min(800, max(0, len(c) - count))  # on the surrogate: about 13 thousand spikes per simulated second
        rows = np.argsort(-degree, kind="stable")[first : first + count]
    else:
        rows = np.random.default_rng(0).choice(len(c), min(count, len(c)), replace=False)
    return {tuple(rows.tolist()): rate}


def _ready(c: Connectome, name: str, threads: int) -> tuple[Simulation, float]:
    start = time.perf_counter()
    sim = Simulation(_shiu.shiu_network(c, regime(c, name)), threads=threads)
    sim.step(sim.init(), 1)
    return sim, time.perf_counter() - start


def small_brain(note: Progress = lambda text: None, calls: int = 2000) -> dict[str, float]:
    """Microseconds of one control period of 300 neurons, Python included, by number of steps in it."""
    note("small brain")
    rng = np.random.default_rng(0)
    n, edges = 300, 6000
    c = Connectome(
        ids=np.arange(n).astype(str),
        pre=rng.integers(0, n, edges),
        post=rng.integers(0, n, edges),
        weight=np.ones(edges),
    )
    sim = Simulation(_shiu.shiu_network(c, {tuple(range(20)): 200.0}, current=True))
    current = np.zeros(n, np.float32)
    found = {}
    for steps in (1, PERIOD_STEPS, 5 * PERIOD_STEPS):
        state, _ = sim.step(sim.init(), steps, current=current)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(calls // 5):
                state, _ = sim.step(state, steps, current=current)
            times.append((time.perf_counter() - start) / (calls // 5) * 1e6)
        found[f"{steps}_steps_us"] = statistics.median(times)
    return found


def build_times(c: Connectome, note: Progress = lambda text: None) -> tuple[dict[str, float], int]:
    """(seconds, peak bytes of a process that loads the npz cache and runs it).

    Seconds from a Parquet edge list in FlyWire's schema, and from that cache, to arrays ready to run.
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        try:
            note("building from Parquet")
            _write_flywire(c, here)
            start = time.perf_counter()
            _shiu.shiu_network(
                _flywire.flywire_connectome(here / "edges.parquet", here / "cells.csv", counts=None)
            ).plan()
            found["from_parquet"] = time.perf_counter() - start
        except ImportError:
            pass  # no pyarrow, no Parquet: the report leaves it out
        note("building from cache")
        write_connectome(c, here / "cache.npz")
        start = time.perf_counter()
        _shiu.shiu_network(read_connectome(here / "cache.npz")).plan()
        found["from_cache"] = time.perf_counter() - start
        note("memory")
        code = _MEMORY.format(path=str(here / "cache.npz"))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peak = int(done.stdout.split()[-1])
    return found, peak


def _write_flywire(c: Connectome, folder: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    numeric = np.char.isdigit(c.ids)
    ids = c.ids.astype(np.int64) if numeric.all() else np.arange(len(c)) + 720575940000000000
    (folder / "cells.csv").write_text(",Completed\n" + "".join(f"{i},True\n" for i in ids.tolist()))
    columns = {
        "Presynaptic_ID": ids[c.pre],
        "Postsynaptic_ID": ids[c.post],
        "Presynaptic_Index": c.pre.astype(np.int64),
        "Postsynaptic_Index": c.post.astype(np.int64),
        "Connectivity": c.weight.astype(np.int64),
        "Excitatory": c.sign.astype(np.int64),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "edges.parquet")


def triad_bytes_per_s(n: int, repeats: int = 200) -> float:
    """Bandwidth of one core on three float32 arrays of n: a[i] = b[i] + s c[i] (STREAM triad), median of repeats.

    With n = neurons this is the memory, or the cache, that the state of the network lives in.
    """
    import numba

    @numba.njit(fastmath=True)
    def triad(a: Any, b: Any, c: Any, s: Any) -> None:
        for i in range(a.size):
            a[i] = b[i] + s * c[i]

    a, b, c = (np.ones(n, np.float32) for _ in range(3))
    triad(a, b, c, np.float32(2))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        triad(a, b, c, np.float32(2))
        times.append(time.perf_counter() - start)
    return 12 * n / statistics.median(times)


# In a process of its own, whose peak is this alone.
_MEMORY = """
from bestiary.brains import _shiu
from bestiary.brains.connectome import read_connectome
from bestiary.brains.spiking import Simulation
from bestiary.tasks._bench import peak_bytes
from bestiary.tasks._bench_engine import regime
c = read_connectome({path!r})
Simulation(_shiu.shiu_network(c, regime(c, "sparse"))).run(0.1)
print(peak_bytes())
"""


def _against_brian2(
    c: Connectome, sims: dict[str, tuple[Simulation, float]], python: str, mode: str, seconds: float, note: Progress
) -> dict[str, Any]:
    """Ours, Brian2, ours, Brian2 on the same input spikes from rest; also how many spikes are the same."""
    script = Path(__file__).parent / "_peers" / "brian2_shiu.py"
    steps = round(seconds / _shiu.DT_S)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (sim, _) in sims.items():
            step, which = poisson_spikes(sim.plan, _key(0), sim.plan.thresholds(), 0, steps)
            np.savez(
                f"{folder}/in.npz",
                n=len(c),
                pre=c.pre,
                post=c.post,
                weight_mV=c.weight * c.sign * np.float32(_shiu.WEIGHT_MV),
                step=step,
                driven=sim.plan.drive[0][which],
                drive_mV=_shiu.DRIVE_MV,
                steps=steps,
                dt_s=_shiu.DT_S,
                delay_s=_shiu.DELAY_S,
            )
            ours, theirs = [], []
            for k in range(2):
                note(f"{name}: ours and Brian2 {k + 1}/2")
                start = time.perf_counter()
                run = sim.run(seconds, seed=0)
                ours.append((time.perf_counter() - start) / seconds)
                command = [python, str(script), f"{folder}/in.npz", f"{folder}/out.npz", mode, f"{folder}/code"]
                subprocess.run(command, check=True, capture_output=True, cwd=folder)
                peer = np.load(f"{folder}/out.npz")
                theirs.append(float(peer["wall_s"]) / seconds)
            mine = run.step.astype(np.int64) * len(c) + run.neuron
            same = np.intersect1d(mine, peer["step"].astype(np.int64) * len(c) + peer["neuron"])
            found[name] = {
                "ours_wall_s_per_s": ours,
                "brian2_wall_s_per_s": theirs,
                "times_faster": statistics.median(theirs) / statistics.median(ours),
                "spikes": [len(mine), len(peer["step"]), len(same)],
            }
    return {"mode": mode, **found}
