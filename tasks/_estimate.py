"""What a network costs: arithmetic, memory, traffic, and from them the time that a second of its life takes.

N neurons, S synapses, r mean rate (Hz), dt the step (ms), D steps of the longest delay, S_p plastic synapses:

    FLOP/s   = N f_n 1000/dt + S r f_s + S_p 2 r f_p            spiking
             = (N f_n + S f_g [+ 2 N^2]) 1000/dt                rate, graded: every synapse at every step
    bytes    = N b_n + S b_s + D N/8 [+ 4 N^2]
    traffic  = N b_n 1000/dt + S r (b_s + 8)                    bytes per second of life
             = (N b_n + S b_s [+ 4 N^2]) 1000/dt                rate, graded
    time     = max(FLOP/peak, traffic/bandwidth, events/(events per s)),   events = S r

f_n by model: FLOP of a neuron in one step. Izhikevich 2004 (IEEE Trans Neural Netw 15:1063) counts, per ms of life:
integrate-and-fire 5, his own model 13, Hodgkin-Huxley 1200 in steps of 0.1 ms (numbers: memory); with the step these
give the 4 to 40 FLOP per ms of a LIF neuron of the State of Brain Emulation report. f_s 2 to 10 by synapse: 5 here;
f_p about 10. The graded network solves its gap junctions with a dense matrix: the terms in brackets are its alone; its
f_n 40 and f_g 4 are counted in brains/graded.py, an exponential as 10, those of rate units (20 and 2) in
brains/_rate_part.py. b_n counts float32 state, b_s an int32 target and a float32 weight; 8 bytes are what an event
reads and writes at its target. Time is a bound from below, on one machine as if its memory held the network: no code
reaches the limits, and exchange between machines is not in it.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import bestiary
from bestiary.errors import BestiaryError

FLOP_SYNAPSE, FLOP_PLASTIC = 5.0, 10.0
FLOP_STEADY = {"graded": 4.0, "rate": 2.0}  # of a synapse that acts at every step
BYTES_SYNAPSE, BYTES_EVENT = 8, 8


@dataclass(frozen=True)
class Model:
    """flop: of a neuron, or compartment, in one step; state_bytes: of it; source: of the count."""

    flop: float
    state_bytes: int
    about: str


MODELS = {
    "lif": Model(5, 12, "potential, synaptic current, clock of the refractory time; Izhikevich 2004"),
    "izhikevich": Model(13, 12, "v, u, synaptic current; Izhikevich 2004"),
    "hh": Model(120, 20, "V, m, h, n, synaptic current a compartment; Izhikevich 2004, 1200 per ms in steps of 0.1"),
    "graded": Model(40, 16, "potential, release, slow current, noise; counted in brains/graded.py"),
    "rate": Model(20, 8, "rate and input; counted in brains/_rate_part.py"),
}


@dataclass(frozen=True)
class Machine:
    """Named hardware. flop_per_s: float32 peak. events_per_s: synaptic events that were measured on it, or None."""

    name: str
    flop_per_s: float
    bytes_per_s: float
    memory_bytes: float
    events_per_s: float | None
    source: str


MACHINES = (
    Machine("NVIDIA H200", 67e12, 4.8e12, 141e9, None, "vendor: 141 GB and 4.8 TB/s looked up, FP32 from memory"),
    Machine("NVIDIA A100 80 GB", 19.5e12, 2.039e12, 80e9, None, "vendor (memory)"),
    Machine("NVIDIA RTX 4090", 82.6e12, 1.008e12, 24e9, 3.0e9, "vendor, looked up; 2.5 to 3.6 G events/s: memory"),
    Machine("AMD EPYC 9654, 96 cores", 7.4e12, 461e9, 768e9, None, "96 x 2.4 GHz x 32; 12 x DDR5-4800 (memory)"),
    Machine("Fugaku node, A64FX", 6.76e12, 1.024e12, 32e9, None, "vendor (memory)"),
)


@dataclass(frozen=True)
class Network:
    """What is to be estimated. delay_steps: of the longest delay. plastic: synapses that learn."""

    neurons: float
    synapses: float
    model: str = "lif"
    rate_Hz: float = 1.0
    dt_ms: float = 0.1
    compartments: int = 1
    delay_steps: int = 20
    plastic: float = 0.0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise LookupError(f"no model {self.model!r}; {bestiary.nearest(self.model, MODELS, 'model')}")
        for name in ("neurons", "synapses", "rate_Hz", "dt_ms", "compartments", "delay_steps", "plastic"):
            value = getattr(self, name)
            least = 1 if name in ("neurons", "compartments") else 0
            if not (least <= value < math.inf) or (name == "dt_ms" and value == 0):
                raise BestiaryError(f"{name} must be {'above' if name == 'dt_ms' else 'at least'} {least}, got {value}")


def cost(net: Network) -> dict[str, float]:
    """`flop_per_s`, `bytes`, `traffic_bytes_per_s`, `events_per_s`, each per second of life."""
    model, steps = MODELS[net.model], 1000 / net.dt_ms
    units = net.neurons * net.compartments
    neurons_flop, state = units * model.flop * steps, units * model.state_bytes
    matrix = net.neurons**2 if net.model == "graded" else 0.0
    if net.model in FLOP_STEADY:
        events = net.synapses * steps
        synapse_flop = events * FLOP_STEADY[net.model] + 2 * matrix * steps
        synapse_traffic = events * BYTES_SYNAPSE + 4 * matrix * steps
    else:
        events = net.synapses * net.rate_Hz
        synapse_flop, synapse_traffic = events * FLOP_SYNAPSE, events * (BYTES_SYNAPSE + BYTES_EVENT)
    return {
        "flop_per_s": neurons_flop + synapse_flop + net.plastic * 2 * net.rate_Hz * FLOP_PLASTIC,
        "bytes": state + net.synapses * BYTES_SYNAPSE + net.delay_steps * net.neurons / 8 + 4 * matrix,
        "traffic_bytes_per_s": state * steps + synapse_traffic,
        "events_per_s": events,
    }


def on(machine: Machine, costs: dict[str, float], steady: bool = False) -> dict[str, Any]:
    """`wall_s_per_s`, what limits it, and how many such machines hold it (memory alone). steady: no events."""
    limits = {
        "arithmetic": costs["flop_per_s"] / machine.flop_per_s,
        "memory traffic": costs["traffic_bytes_per_s"] / machine.bytes_per_s,
    }
    if machine.events_per_s and not steady:
        limits["events"] = costs["events_per_s"] / machine.events_per_s
    limit = max(limits, key=limits.__getitem__)
    return {
        "machine": machine.name,
        "wall_s_per_s": limits[limit],
        "limit": limit,
        "machines_for_memory": math.ceil(costs["bytes"] / machine.memory_bytes),
        "source": machine.source,
    }


def here(quick: bool = True) -> Machine:
    """This machine, one core: measured float32 peak (a matrix product), bandwidth (STREAM triad out of cache) and
    synaptic events per second of the spiking engine."""
    from bestiary.tasks._bench import machine, one_core
    from bestiary.tasks._bench_engine import triad_bytes_per_s

    with one_core():
        n = 500 if quick else 1000
        a = np.random.default_rng(0).standard_normal((n, n)).astype(np.float32)
        flop = 2 * n**3 / statistics.median(_times(lambda: a @ a, 7))
        bandwidth = triad_bytes_per_s(8_000_000, 7)
        events = _events_per_s(0.1 if quick else 0.5)
    return Machine(f"here, one core: {machine()['processor']}", flop, bandwidth, _memory(), events, "measured now")


def _times(call: Any, repeats: int) -> list[float]:
    call()
    out = []
    for _ in range(repeats):
        t = time.perf_counter()
        call()
        out.append(time.perf_counter() - t)
    return out


def _events_per_s(seconds: float) -> float:
    """Synaptic events per wall second of the fused kernel, in a busy network of 5,000 neurons and 500,000 edges."""
    from bestiary.brains._shiu import DT_S
    from bestiary.brains._surrogate import flywire_surrogate
    from bestiary.tasks._bench_engine import _ready

    table = flywire_surrogate(neurons=5000, edges=500_000, real_tables=False)
    sim, _ = _ready(table, "dense", 1)
    out_degree = np.bincount(table.pre, minlength=len(table))
    state, _ = sim.step(sim.init(), round(0.05 / DT_S))
    t = time.perf_counter()
    state, run = sim.step(state, round(seconds / DT_S))
    return float(out_degree[run.neuron].sum()) / (time.perf_counter() - t)


def _memory() -> float:
    import os

    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) if hasattr(os, "sysconf") else math.inf


def of_animal(name: str, measure_s: float = 0.5) -> tuple[list[tuple[str, Network]], dict[str, float]]:
    """(parts of an animal's brain as networks, measured wall seconds per second: `brain` alone, and the whole `loop`).

    A part of rates is stepped once a control period; a spiking part as LIF at the mean rate that it has while
    the animal moves freely. measure_s: of life, after as long again to get going.
    """
    from bestiary.envs import EmbodiedEnv
    from bestiary.tasks._bench import one_core

    animal = bestiary.animal(name)
    env = EmbodiedEnv(name, "locomotion", clock=animal.clock, task_options={"seconds": math.inf})
    steps = max(5, round(measure_s / env.clock.control_s))
    brain: Any = animal.brain
    advance, inside, rates = brain.advance, 0.0, []

    with one_core():
        obs, info = env.reset(seed=0)
        animal.reset(info["episode_seed"])
        for _ in range(steps):
            obs = env.step(animal.act(obs))[0]
        t = time.perf_counter()
        for _ in range(steps):
            obs = env.step(animal.act(obs))[0]
        loop_s = time.perf_counter() - t
        n = len(animal.names)
        current, light, state = np.zeros(n, np.float32), np.zeros(n, np.float32), animal.get_state()["brain"]
        t = time.perf_counter()
        for _ in range(steps):
            state = advance(state, current.copy(), light)
            if hasattr(brain, "parts"):
                rates.append({k: p.rate_Hz(_settled(state[k])).mean() for k, p in brain.parts.items()})
        inside = time.perf_counter() - t
    life = steps * env.clock.control_s
    env.close()
    measured = {"brain": inside / life, "loop": loop_s / life}
    if not hasattr(brain, "parts"):
        edges = float(len(brain.connectome.pre))
        return [("brain", Network(n, edges, "graded", dt_ms=1e3 * animal.clock.brain_s))], measured
    from bestiary.brains._spiking_part import SpikingPart

    parts = []
    for key, part in brain.parts.items():
        spiking = isinstance(part, SpikingPart)
        rate = float(np.mean([r[key] for r in rates])) if spiking else 0.0
        dt_s = part.dt_s if isinstance(part, SpikingPart) else animal.clock.control_s
        kind = "lif" if spiking else "rate"
        parts.append((key, Network(len(part.table), float(part.table.n_edges), kind, rate, 1e3 * dt_s)))
    return parts, measured


def _settled(state: Any) -> Any:
    return state.result() if hasattr(state, "result") else state


def estimate(networks: list[tuple[str, Network]], machines: tuple[Machine, ...]) -> dict[str, Any]:
    """The costs of each network and of all together, and the time on every machine."""
    parts = [{"part": name, **asdict(net), **cost(net)} for name, net in networks]
    keys = ("flop_per_s", "bytes", "traffic_bytes_per_s", "events_per_s")
    total = {key: sum(float(part[key]) for part in parts) for key in keys}
    steady = all(net.model in FLOP_STEADY for _, net in networks)
    return {"parts": parts, "total": total, "machines": [on(m, total, steady) for m in machines]}
