"""The same edges as iaf_psc_exp neurons in NEST: the deterministic cases that NEST can express (synapses go on in
refractory time, delta-free input).

in.npz: n, pre, post, weight_pA (signed), step, driven (input spikes), drive_pA (their weight), steps, dt_s, delay_s,
and the neuron: tau_s, tau_syn_s, resistance_MOhm, rest_mV, threshold_mV, reset_mV, refractory_s.
out.npz: step, neuron, wall_s, build_s.
"""

import sys
import time

import nest
import numpy as np

given = np.load(sys.argv[1])
started = time.perf_counter()
nest.ResetKernel()
dt_ms = 1e3 * float(given["dt_s"])
nest.set_verbosity("M_ERROR")
nest.SetKernelStatus({"resolution": dt_ms, "local_num_threads": 1})
n = int(given["n"])
tau_ms, resistance = 1e3 * float(given["tau_s"]), float(given["resistance_MOhm"])
cells = nest.Create(
    "iaf_psc_exp",
    n,
    {
        "tau_m": tau_ms,
        "C_m": tau_ms / resistance * 1e3,  # ms / MOhm is nF
        "E_L": float(given["rest_mV"]),
        "V_m": float(given["rest_mV"]),
        "V_th": float(given["threshold_mV"]),
        "V_reset": float(given["reset_mV"]),
        "t_ref": 1e3 * float(given["refractory_s"]),
        "tau_syn_ex": 1e3 * float(given["tau_syn_s"]),
        "tau_syn_in": 1e3 * float(given["tau_syn_s"]),
    },
)
first = cells[0].global_id
delay = np.full(len(given["pre"]), 1e3 * float(given["delay_s"]))
nest.Connect(
    given["pre"] + first,
    given["post"] + first,
    "one_to_one",
    {"weight": given["weight_pA"].astype(float), "delay": delay},
)
driven = np.unique(given["driven"])
for cell in driven:
    # NEST's generator spikes at t > 0 and a connection takes at least one step: what leaves at step k acts at k + 1
    times = given["step"][given["driven"] == cell] * dt_ms
    source = nest.Create("spike_generator", 1, {"spike_times": times})
    nest.Connect(source, cells[int(cell)], syn_spec={"weight": float(given["drive_pA"]), "delay": dt_ms})
recorder = nest.Create("spike_recorder")
nest.Connect(cells, recorder)
nest.Prepare()
build = time.perf_counter() - started
start = time.perf_counter()
nest.Run(int(given["steps"]) * dt_ms)
wall = time.perf_counter() - start
nest.Cleanup()
events = recorder.get("events")
step = np.rint(np.asarray(events["times"]) / dt_ms).astype(np.int32)
np.savez(sys.argv[2], step=step, neuron=np.asarray(events["senders"], np.int32) - first, wall_s=wall, build_s=build)
