"""Neuron models, one small file each; `neuron("lif")` finds one by name."""

from __future__ import annotations

from typing import Any

import bestiary
from bestiary.brains.spiking._describe import Neuron
from bestiary.brains.spiking.neurons.adex import AdEx
from bestiary.brains.spiking.neurons.glif import GLIF
from bestiary.brains.spiking.neurons.hodgkin_huxley import HodgkinHuxley
from bestiary.brains.spiking.neurons.izhikevich import Izhikevich
from bestiary.brains.spiking.neurons.lif import LIF, ConductanceLIF
from bestiary.brains.spiking.neurons.rate import Rate
from bestiary.brains.spiking.neurons.shiu import Shiu

NEURONS: dict[str, type[Neuron]] = {
    "lif": LIF,
    "lif_conductance": ConductanceLIF,
    "shiu": Shiu,
    "glif": GLIF,
    "adex": AdEx,
    "izhikevich": Izhikevich,
    "hodgkin_huxley": HodgkinHuxley,
    "rate": Rate,
}


def neuron(name: str, **parameters: Any) -> Neuron:
    """The neuron model `name`. Raises LookupError with the nearest name."""
    if name not in NEURONS:
        raise LookupError(f"no neuron model {name!r}; {bestiary.nearest(name, NEURONS, 'model')}")
    return NEURONS[name](**parameters)


__all__ = ["GLIF", "LIF", "NEURONS", "AdEx", "ConductanceLIF", "HodgkinHuxley", "Izhikevich", "Rate", "Shiu", "neuron"]
