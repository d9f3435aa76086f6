"""A spiking brain spread over devices fires as it does on one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

SRC = Path(__file__).resolve().parents[1] / "src"
# 300 neurons, delays of 1.2 to 1.4 ms, and of 0.2 ms back to themselves; driven by Poisson and by recorded spikes.
NETWORK = """
import json, sys
import numpy as np
from bestiary.brains.connectome import from_table
from bestiary.brains.spiking import *
from bestiary.brains.spiking.simulation import Simulation

def network(seed=0, n=300, m=6000, far_s=1.2e-3, neuron=None, **options):
    rng = np.random.default_rng(seed)
    pre, post = rng.integers(0, n, (2, m))
    post[:100] = pre[:100]
    delay = np.where(pre == post, 2e-4, far_s + 1e-4 * rng.integers(0, 3, m))
    sign = np.where(rng.random(n) < 0.8, 1, -1)[pre]
    edges = {"pre": [f"n{i}" for i in pre], "post": [f"n{i}" for i in post], "weight": rng.random(m),
             "sign": sign, "delay_s": delay}
    c = from_table({"id": [f"n{i}" for i in range(n)]}, edges)
    inputs = (Poisson([f"n{i}" for i in range(0, n, 2)], rate_Hz=300, weight=14.0),
              SpikeTrains(["n3", "n250"], np.array([1e-3, 2e-3, 9e-3]), np.array([0, 1, 0]), weight=20.0))
    return Network(c, neuron or LIF(), (Projection(Exponential(0.004), 400.0),), inputs=inputs, **options)

def spikes(run):
    order = np.lexsort((run.neuron, run.step))
    return np.stack([run.step, run.neuron], 1)[order].tolist()
"""


def python(program: str, devices: int = 1, **environment: str) -> subprocess.Popen[str]:
    flags = f"--xla_force_host_platform_device_count={devices}"
    path = os.pathsep.join(p for p in (str(SRC), os.environ.get("PYTHONPATH", "")) if p)
    env = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path, **environment}
    code = NETWORK + textwrap.dedent(program)
    return subprocess.Popen([sys.executable, "-c", code], env=env, stdout=-1, stderr=-1, text=True)


def answer(process: subprocess.Popen[str]) -> dict:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out.strip().splitlines()[-1])


def test_one_shard_and_eight_give_the_same_spikes_as_the_fused_kernel():
    program = """
    net, found = network(), {}
    for options in ({"shards": 1}, {"shards": 8}, {"backend": "fused"}):
        sim = Simulation(net, trace=["n5", "n299"], **options)
        run = sim.run(0.03, seed=1)
        found[str(options)] = spikes(run), run.trace_mV.tolist()
        if options == {"shards": 8}:
            about = sim.engine.every, sim.engine.shards
    print(json.dumps({"found": list(found.values()), "about": about}))
    """
    got = answer(python(program, 8))
    one, eight, fused = got["found"]
    assert len(one[0]) > 300 and len({n for _, n in one[0]}) > 100
    assert eight == one, "spikes and voltages to the bit"
    assert got["about"] == [12, 8], "exchanged once per shortest delay between shards"
    assert fused[0] == one[0]
    np.testing.assert_allclose(fused[1], one[1], rtol=0, atol=1e-3)


@pytest.mark.slow
def test_pieces_quick_edges_other_neurons_and_other_numbers_of_shards():
    program = """
    net, parts = network(), []
    sim = Simulation(net, shards=8)
    state = sim.init()
    for steps in (7, 93, 1, 199):  # and through NumPy, as a file would give it
        state, run = sim.step({k: np.asarray(v) for k, v in state.items()}, steps, seed=1)
        parts += spikes(run)
    quick = network(far_s=1e-4)
    print(json.dumps({
        "parts": parts,
        "runs": [spikes(Simulation(net, **k).run(0.03, seed=1)) for k in ({"shards": 3}, {"backend": "portable"})],
        "quick": [spikes(Simulation(quick, shards=s).run(0.01, seed=1)) for s in (1, 8)],
        "quick_every": Simulation(quick, shards=8).engine.every,
        "shiu": [spikes(Simulation(network(neuron=Shiu()), **k).run(0.02, seed=2)) for k in ({"shards": 8}, {})],
    }))
    """
    got = answer(python(program, 8))
    assert got["runs"][0] == got["runs"][1] == got["parts"] and len(got["parts"]) > 300
    assert got["quick"][0] == got["quick"][1] and len(got["quick"][0]) > 50 and got["quick_every"] == 1
    assert got["shiu"][0] == got["shiu"][1] and len(got["shiu"][0]) > 50


def test_two_processes_share_a_brain_and_both_see_all_spikes():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{s.getsockname()[1]}"
    program = f"""
    from bestiary.brains._engine import jax
    jax.distributed.initialize("{address}", num_processes=2, process_id=NUMBER)
    sim = Simulation(network(), shards=0)
    run = sim.run(0.03, seed=1)
    print(json.dumps({{"spikes": spikes(run), "shards": sim.engine.shards, "processes": jax.process_count()}}))
    """
    both = [python(program.replace("NUMBER", str(k)), 2) for k in range(2)]
    alone = python('print(json.dumps({"spikes": spikes(Simulation(network(), shards=1).run(0.03, seed=1))}))')
    a, b = (answer(p) for p in both)
    assert a["shards"] == 4 and a["processes"] == 2
    assert a["spikes"] == b["spikes"] == answer(alone)["spikes"] != []


def test_what_needs_more_than_spikes_and_shards_that_are_not_there_are_refused():
    from bestiary.brains.connectome import from_table
    from bestiary.brains.spiking import LIF, Exponential, Network, Projection, Simulation, TsodyksMarkram
    from bestiary.errors import BestiaryError

    c = from_table(None, {"pre": ["a"], "post": ["b"], "weight": [1.0], "delay_s": [1e-3]})
    plain = Network(c, LIF(), (Projection(Exponential(0.004), 1.0),))
    with pytest.raises(BestiaryError, match=r"shards must be 1 to \d+.*device_count=64"):
        Simulation(plain, shards=64)
    with pytest.raises(BestiaryError, match="leave out backend"):
        Simulation(plain, shards=1, backend="fused")
    with pytest.raises(BestiaryError, match="short-term plasticity"):
        Simulation(Network(c, LIF(), (Projection(TsodyksMarkram(), 1.0),)), shards=1)
