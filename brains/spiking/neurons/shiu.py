"""The neuron of the published whole-brain fly model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bestiary.brains.spiking._describe import Value
from bestiary.brains.spiking.neurons.lif import LIF


@dataclass(frozen=True)
class Shiu(LIF):
    """LIF of Shiu et al. 2024 Nature 634:210, with what Brian2 makes of their equations.

    `(unless refractory)` holds V and g still in refractory time and discards what arrives in it; a spike sets g to 0.
    Currents are in mV of steady depolarisation (R = 1 GOhm). Synapse: Exponential(0.005), weight 0.275 mV a synapse,
    delay 1.8 ms. Driven cells have no refractory time: Poisson(..., refractory=False).
    """

    rest_mV: Value = -52.0
    reset_mV: Value = -52.0
    threshold_mV: Value = -45.0
    tau_s: Value = 0.020
    resistance_MOhm: Value = 1000.0
    refractory_s: Value = 0.0022

    frozen: ClassVar[tuple[str, ...]] = ("v", "synapse")
    clears: ClassVar[bool] = True
    spike_step_counts: ClassVar[bool] = True
