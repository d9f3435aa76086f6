"""Spiking networks on a connectome: described once, run by a fused kernel on the CPU or as portable JAX.

network = Network(connectome, Shiu(), (Projection(Exponential(0.005), 0.275),), delay_s=0.0018,
                  inputs=(Poisson(["sugar*"], 200.0, 68.75, refractory=False),))
run = Simulation(network).run(1.0, seed=0)
"""

from bestiary.brains._stimulate import Stimulation, stimulate
from bestiary.brains.spiking._describe import Neuron, Synapse
from bestiary.brains.spiking.network import Network, Poisson, Projection, SpikeTrains
from bestiary.brains.spiking.neurons import (
    GLIF,
    LIF,
    AdEx,
    ConductanceLIF,
    HodgkinHuxley,
    Izhikevich,
    Rate,
    Shiu,
    neuron,
)
from bestiary.brains.spiking.simulation import Run, Simulation
from bestiary.brains.spiking.synapses import NMDA, Alpha, Delta, DoubleExponential, Exponential, TsodyksMarkram, synapse

__all__ = [
    "GLIF",
    "LIF",
    "NMDA",
    "AdEx",
    "Alpha",
    "ConductanceLIF",
    "Delta",
    "DoubleExponential",
    "Exponential",
    "HodgkinHuxley",
    "Izhikevich",
    "Network",
    "Neuron",
    "Poisson",
    "Projection",
    "Rate",
    "Run",
    "Shiu",
    "Simulation",
    "SpikeTrains",
    "Stimulation",
    "Synapse",
    "TsodyksMarkram",
    "neuron",
    "stimulate",
    "synapse",
]
