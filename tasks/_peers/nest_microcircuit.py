"""The microcircuit of Potjans & Diesmann 2014 in NEST: populations and numbers of synapses as given, drawn by NEST.

    python nest_microcircuit.py in.json out.npz

in.json: names, sizes, cells' and synapses' parameters, `synapses` [target][source], weights and delays likewise,
background, current_pA, dt_ms, warm_ms, run_ms, threads, seed, limit_bytes. out.npz: step, neuron of spikes after
warm_ms, wall_s of these run_ms, build_s, cpu_s, bytes (most memory held), synapses. Written for nest-simulator 3.10 of
PyPI; bestiary.tasks._bench_mouse makes its environment.
"""

import json
import re
import resource
import sys
import time
from pathlib import Path

import numpy as np

given = json.loads(Path(sys.argv[1]).read_text())
if given["limit_bytes"]:  # dies alone, and takes no other process with it
    resource.setrlimit(resource.RLIMIT_AS, (given["limit_bytes"], given["limit_bytes"]))
started = time.perf_counter()

import nest  # noqa: E402

nest.set_verbosity("M_ERROR")
nest.ResetKernel()
dt = given["dt_ms"]
nest.SetKernelStatus(
    {"resolution": dt, "local_num_threads": given["threads"], "rng_seed": given["seed"], "print_time": False}
)
cell = given["cell"]
populations = []
for size, current in zip(given["sizes"], given["current_pA"], strict=True):
    cells = nest.Create("iaf_psc_exp", size, {**cell, "I_e": current})
    cells.V_m = nest.random.normal(given["start_mV"][0], given["start_mV"][1])
    populations.append(cells)
recorder = nest.Create("spike_recorder")
for i, cells in enumerate(populations):
    noise = nest.Create("poisson_generator", 1, {"rate": given["background_Hz"][i]})
    nest.Connect(noise, cells, syn_spec={"weight": given["background_pA"][i], "delay": dt})
    nest.Connect(cells, recorder)
for t, target in enumerate(populations):
    for s, source in enumerate(populations):
        number = given["synapses"][t][s]
        if not number:
            continue
        weight, delay = given["weight_pA"][t][s], given["delay_ms"][t][s]
        spread = abs(weight) * given["weight_cv"]
        low, high = (0.0, float("inf")) if weight > 0 else (float("-inf"), 0.0)
        model = f"static_synapse_{s}_{t}"  # one model holds 134,217,726 synapses of a thread and no more
        nest.CopyModel("static_synapse_hpc", model)  # the smallest
        nest.Connect(
            source,
            target,
            {"rule": "fixed_total_number", "N": number},
            {
                "synapse_model": model,
                "weight": nest.math.redraw(nest.random.normal(weight, spread), min=low, max=high),
                "delay": nest.math.redraw(
                    nest.random.normal(delay, delay * given["delay_cv"]), min=dt - 0.5 * dt, max=float("inf")
                ),
            },
        )
first = populations[0][0].global_id
nest.Prepare()
nest.Run(given["warm_ms"])
build = time.perf_counter() - started
start, cpu = time.perf_counter(), time.process_time()
nest.Run(given["run_ms"])
wall, cpu = time.perf_counter() - start, time.process_time() - cpu
nest.Cleanup()
events = recorder.get("events")
step = np.rint(np.asarray(events["times"]) / dt).astype(np.int64)
keep = step > round(given["warm_ms"] / dt)
status = Path("/proc/self/status")
found = status.is_file() and re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
np.savez(
    sys.argv[2],
    step=step[keep],
    neuron=np.asarray(events["senders"])[keep] - first,
    wall_s=wall,
    cpu_s=cpu,
    build_s=build,
    bytes=int(found[1]) * 1024 if found else 0,
    synapses=nest.GetKernelStatus("num_connections"),
)
