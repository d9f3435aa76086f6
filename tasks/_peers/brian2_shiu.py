"""The model of Shiu et al. 2024 in Brian2, with recorded input in place of its Poisson groups.

in.npz: n, pre, post, weight_mV (signed), step, driven (input spikes: step, neuron), drive_mV, steps, dt_s, delay_s.
out.npz: step, neuron of every spike, wall_s of the run without building and compiling, build_s.
Arguments: in.npz out.npz cython|cpp_standalone [folder for generated code]. Written for Brian2 2.9 with numpy < 2.4.
"""

import sys
import time

import numpy as np

given = np.load(sys.argv[1])
standalone = sys.argv[3] == "cpp_standalone"
started = time.perf_counter()

import brian2 as b  # noqa: E402

b.prefs.codegen.target = "cython"
if standalone:
    b.set_device("cpp_standalone", build_on_run=False)
    b.prefs.devices.cpp_standalone.openmp_threads = 0
b.defaultclock.dt = float(given["dt_s"]) * b.second
n, steps = int(given["n"]), int(given["steps"])
driven = np.unique(given["driven"])
space = {"v_0": -52 * b.mV, "v_th": -45 * b.mV, "t_m": 20 * b.ms, "tau": 5 * b.ms}
cells = b.NeuronGroup(
    n,
    """dv/dt = (v_0 - v + g) / t_m : volt (unless refractory)
    dg/dt = -g / tau : volt (unless refractory)
    rfc : second""",
    method="linear",
    threshold="v > v_th",
    reset="v = v_0; g = 0 * mV",
    refractory="rfc",
    namespace=space,
)
cells.v = -52 * b.mV
rfc = np.full(n, 2.2)
rfc[driven] = 0
cells.rfc = rfc * b.ms
synapses = b.Synapses(cells, cells, "w : volt", on_pre="g += w", delay=float(given["delay_s"]) * b.second)
synapses.connect(i=given["pre"], j=given["post"])
synapses.w = given["weight_mV"] * b.mV
at = np.searchsorted(driven, given["driven"])
source = b.SpikeGeneratorGroup(len(driven), at, given["step"] * b.defaultclock.dt)
drive = b.Synapses(source, cells, on_pre="v += drive_mV", namespace={"drive_mV": float(given["drive_mV"]) * b.mV})
drive.connect(i=np.arange(len(driven)), j=driven)
monitor = b.SpikeMonitor(cells)
net = b.Network(cells, synapses, source, drive, monitor)
duration = steps * b.defaultclock.dt
if standalone:
    net.run(duration)
    b.device.build(directory=sys.argv[4], compile=True, run=False)
    build = time.perf_counter() - started
    b.device.run(sys.argv[4], with_output=False, run_args=[])
    wall = b.device._last_run_time
else:
    net.run(0 * b.ms)  # compiles
    build = time.perf_counter() - started
    start = time.perf_counter()
    net.run(duration)
    wall = time.perf_counter() - start
step = np.rint(np.asarray(monitor.t / b.defaultclock.dt)).astype(np.int32)
np.savez(sys.argv[2], step=step, neuron=np.asarray(monitor.i, np.int32), wall_s=wall, build_s=build)
