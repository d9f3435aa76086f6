"""How fast and how small the mouse's brain is: the microcircuit at full size beside NEST, bytes of a synapse, scales.

Ours and NEST take turns, each run in a process of its own, on the same cores; NEST (nest-simulator of PyPI) gets an
environment of its own in the cache, which is made where there is none. Both simulate the same model, from populations
and numbers of synapses; each draws its own edges, so that their statistics, not their spikes, can be compared.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bestiary.brains._mouse_microcircuit import microcircuit, parameters
from bestiary.brains._sampled import SampledNetwork, available_bytes, memory
from bestiary.brains._sampled_run import SampledSimulation
from bestiary.errors import BestiaryError, DataError
from bestiary.tasks._bench import peak_bytes
from bestiary.tasks._spikes import spike_statistics

Progress = Callable[[str], None]
NEST = "3.10.0"
WARM_S = 0.1


def bench(quick: bool = False) -> tuple[dict[str, Any], list[tuple[str, Any, str]]]:
    """What `bestiary bench mouse` adds: (for JSON, rows of its table). quick: the microcircuit at a tenth.

    On two cores where there are. NEST that cannot be had or run is said, and left out.
    """
    threads = min(2, os.cpu_count() or 1)
    scale = 0.1 if quick else 1.0
    try:
        found = bench_microcircuit(scale, threads=threads)
    except BestiaryError as error:
        found = bench_microcircuit(scale, threads=threads, nest=False) | {"nest_missing": str(error)}
    # two threads meet at every step: on a machine that is busy with other things one is faster
    for name, stored in (("ours, one core", True), ("ours, one core, edges made anew", False)):
        found[name] = bench_microcircuit(scale, threads=1, nest=False, stored=stored)["ours"]
    rows: list[tuple[str, Any, str]] = []
    for who in ("ours", "nest", "ours, one core", "ours, one core, edges made anew"):
        if who in found:
            cores = "one core" if "one" in who else f"{threads} cores"
            name = f"microcircuit, {found['neurons']:,} neurons, {who.replace('nest', 'NEST')}"
            rows += [
                (name, found[who]["wall_s_per_s"], f"wall s per s of life, {cores}"),
                ("  processor", found[who]["cpu_s_per_s"], "CPU s per s of life, waiting of threads included"),
                ("  synaptic events", found[who]["synaptic_events_per_wall_s"] / 1e6, "million per wall s"),
                ("  peak memory", found[who]["bytes_per_synapse"], "bytes per synapse"),
            ]
    if "times_faster" in found:
        rows.append(("  ours over NEST", found["times_faster"], "times faster"))
    if "nest_missing" in found:
        rows.append((f"  {found['nest_missing']}", float("nan"), ""))
    return {"microcircuit": found, "scales": scales()}, rows


def scales() -> dict[str, dict[str, Any]]:
    """What the microcircuit, and the 86-area cortex where its data are, would take at each scale, unbuilt."""
    out: dict[str, dict[str, Any]] = {}
    networks: dict[str, Callable[[], SampledNetwork]] = {"microcircuit": microcircuit}
    try:
        from bestiary.brains._mouse_cortex import cortex86
        from bestiary.brains._mouse_tables import load

        tables = load()
        for scale in (0.001, 0.01, 0.1, 1.0):
            networks[f"cortex86:{scale:g}"] = lambda s=scale: cortex86(s, tables=tables)  # type: ignore[misc]
    except DataError:
        pass
    for name, make in networks.items():
        need = memory(make())
        out[name] = {
            "neurons": need.neurons,
            "synapses": need.synapses,
            "stored_bytes": need.stored,
            "made_bytes": need.made,
            "account": need.text(),
        }
    return out


_OURS = """
import json, sys
from bestiary.tasks._bench_mouse import run_ours
print(json.dumps(run_ours(json.loads(sys.argv[1]), sys.argv[2])))
"""


def bench_microcircuit(
    scale: float = 1.0,
    seconds: float = 1.0,
    threads: int = 2,
    repeats: int = 1,
    nest: bool = True,
    stored: bool = True,
    progress: Progress = lambda text: None,
) -> dict[str, Any]:
    """Ours and NEST in turns. Medians of `repeats`: `wall_s_per_s`, `cpu_s_per_s`, `synaptic_events_per_wall_s`,
    `bytes_per_synapse` (peak of the process over synapses), statistics by population, `times_faster`. seconds:
    simulated after WARM_S."""
    asked = {"scale": scale, "seconds": seconds, "threads": threads, "stored": stored}
    network = microcircuit(scale)
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "nest": []}
    with tempfile.TemporaryDirectory() as folder:
        for k in range(repeats):
            progress(f"microcircuit, ours {k + 1}/{repeats}")
            found["ours"].append(_child_ours(asked, f"{folder}/ours.npz", threads))
            if nest:
                progress(f"microcircuit, NEST {k + 1}/{repeats}")
                found["nest"].append(_child_nest(network, seconds, threads, folder))
    published = {"rate_Hz": parameters()["rates_Hz"], "source": "Potjans & Diesmann 2014 (M10)"}
    out: dict[str, Any] = {"asked": asked, "neurons": network.n, "synapses": network.n_synapses, "published": published}
    for who, runs in found.items():
        if runs:
            out[who] = {
                key: statistics.median(r[key] for r in runs) if isinstance(value, float) else value
                for key, value in runs[-1].items()
            }
            out[who]["all_wall_s_per_s"] = [r["wall_s_per_s"] for r in runs]
    scaling = network.about["scaling"]
    if not scaling.keeps("correlations"):
        for who in found:
            if who in out:
                out[who]["statistics"].pop("correlation")
        out["left_out"] = "correlations: a smaller network has others (van Albada 2015)"
    if nest:
        out["times_faster"] = out["nest"]["wall_s_per_s"] / out["ours"]["wall_s_per_s"]
    return out


def run_ours(asked: dict[str, Any], file: str) -> dict[str, Any]:
    """Inside a process of its own."""
    network = microcircuit(asked["scale"])
    began = time.perf_counter()
    sim = SampledSimulation(network, stored=asked["stored"], threads=asked["threads"])
    state = sim.init(1)
    state, _ = sim.step(state, 1)
    state, _ = sim.step(state, round(WARM_S / network.dt_s) - 1)
    built = time.perf_counter() - began
    sim.delivered = 0
    start, cpu = time.perf_counter(), time.process_time()
    state, run = sim.step(state, round(asked["seconds"] / network.dt_s))
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    np.savez(file, step=run.step, neuron=run.neuron)
    return {
        **_measures(wall, cpu, asked["seconds"], float(sim.delivered), network, peak_bytes()),
        "build_s": built,
        "account": sim.memory.text(),
        "statistics": spike_statistics(run.step, run.neuron, network.sizes, network.dt_s, asked["seconds"]),
    }


def _measures(wall: float, cpu: float, seconds: float, events: float, net: SampledNetwork, peak: int) -> dict[str, Any]:
    return {
        "wall_s_per_s": wall / seconds,
        "cpu_s_per_s": cpu / seconds,
        "synaptic_events_per_s": events / seconds,
        "synaptic_events_per_wall_s": events / wall,
        "peak_bytes": peak,
        "bytes_per_synapse": peak / net.n_synapses,
    }


def _child_ours(asked: dict[str, Any], file: str, threads: int) -> dict[str, Any]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "NUMBA_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
    }
    command = [sys.executable, "-c", _OURS, json.dumps(asked), file]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BestiaryError(f"the microcircuit could not be timed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    out: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return out


def _child_nest(network: SampledNetwork, seconds: float, threads: int, folder: str) -> dict[str, Any]:
    given = as_json(network) | {
        "warm_ms": 1e3 * WARM_S,
        "run_ms": 1e3 * seconds,
        "threads": threads,
        "seed": 1,
        "limit_bytes": int(0.75 * available_bytes()),
    }
    Path(f"{folder}/in.json").write_text(json.dumps(given), encoding="utf-8")
    script = Path(__file__).parent / "_peers" / "nest_microcircuit.py"
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    environment.pop("PYTHONPATH", None)
    command = [str(nest_python()), str(script), f"{folder}/in.json", f"{folder}/nest.npz"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        why = "; ".join([f"status {done.returncode}", *done.stderr.strip().splitlines()[-2:]])
        raise BestiaryError(f"NEST did not run (out of memory?): {why}; a smaller scale, or nest=False")
    got = np.load(f"{folder}/nest.npz")
    out_degree = np.bincount(network.projections.source, network.projections.synapses, len(network.sizes))
    pop = np.repeat(np.arange(len(network.sizes)), network.sizes)[got["neuron"]]
    events = float((out_degree / network.sizes)[pop].sum())  # on average
    return {
        **_measures(float(got["wall_s"]), float(got["cpu_s"]), seconds, events, network, int(got["bytes"])),
        "build_s": float(got["build_s"]),
        "statistics": spike_statistics(got["step"], got["neuron"], network.sizes, network.dt_s, seconds),
    }


def as_json(network: SampledNetwork) -> dict[str, Any]:
    """The microcircuit, also a scaled one, as the NEST script takes it."""
    pops, p = network.populations, network.projections
    size = (len(pops), len(pops))
    synapses, weight, delay = np.zeros(size), np.zeros(size), np.zeros(size)
    sign = np.array([1 if q.excites else -1 for q in pops])
    synapses[p.target, p.source] = p.synapses
    weight[p.target, p.source] = p.mean_pA * sign[p.source]
    delay[p.target, p.source] = 1e3 * p.delay_s
    c = pops[0].cell
    return {
        "names": [q.name for q in pops],
        "sizes": network.sizes.tolist(),
        "cell": {
            "tau_m": 1e3 * c.tau_s,
            "C_m": c.capacitance_pF,
            "E_L": c.rest_mV,
            "V_th": c.threshold_mV,
            "V_reset": c.reset_mV,
            "t_ref": 1e3 * c.refractory_s,
            "tau_syn_ex": 1e3 * c.excites_s,
            "tau_syn_in": 1e3 * c.inhibits_s,
        },
        "start_mV": pops[0].start_mV,
        "background_Hz": [q.background_Hz for q in pops],
        "background_pA": [q.background_pA for q in pops],
        "current_pA": [q.current_pA for q in pops],
        "synapses": synapses.astype(int).tolist(),
        "weight_pA": weight.tolist(),
        "weight_cv": float(p.spread[0]),
        "delay_ms": delay.tolist(),
        "delay_cv": float(p.delay_sd_s[0] / p.delay_s[0]),
        "dt_ms": 1e3 * network.dt_s,
    }


def nest_python() -> Path:
    """The Python of NEST's environment; made in the cache where there is none (uv, or venv and pip)."""
    from bestiary.assets.registry import cache_folder

    folder = cache_folder() / f"nest-{NEST}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (folder / "done").is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    need = [f"nest-simulator=={NEST}", "numpy"]
    if uv:
        commands = [[uv, "venv", "-q", "--python", sys.executable, str(folder)]]
        commands += [[uv, "pip", "install", "-q", "--python", str(python), *need]]
    else:
        commands = [[sys.executable, "-m", "venv", str(folder)], [str(python), "-m", "pip", "install", "-q", *need]]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise BestiaryError(
                f"NEST cannot be installed here: {done.stderr.strip()[-300:]}; nest=False leaves it out"
            )
    (folder / "done").touch()
    return python
