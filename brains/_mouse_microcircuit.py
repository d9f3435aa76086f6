"""`microcircuit`: the cortical microcircuit of Potjans & Diesmann 2014, under 1 mm^2 of cortex, as published.

77,169 neurons, 0.3 billion synapses. Smaller ones lose neurons and inputs alike, with the means kept (`scaled`).
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from bestiary import assets
from bestiary.brains._sampled import Cell, Population, Projections, SampledNetwork
from bestiary.brains._sampled_scale import check_scale, scaled

Array = np.ndarray[Any, np.dtype[Any]]


def parameters() -> dict[str, Any]:
    """assets/mouse/microcircuit.json."""
    table: dict[str, Any] = json.loads(assets.file("mouse", "microcircuit.json").read_text(encoding="utf-8"))
    return table


def microcircuit(
    scale: float = 1.0, in_degree: float | None = None, seed: int = 0, dt_s: float = 1e-4
) -> SampledNetwork:
    """scale: share of the neurons, 0.001 to 1. in_degree: share of the inputs of each, None: as scale (below 1, the
    strengths and a steady current make good for it). The number of synapses of each projection is the published one,
    drawn with replacement as the paper says (its equation 1)."""
    p = parameters()
    check_scale(scale)
    names, sizes = p["populations"], np.array(p["neurons"])
    probability = np.array(p["probability_rows_target_columns_source"])
    rows = []
    for t in range(8):
        for s in range(8):
            if not probability[t, s]:
                continue
            pairs = float(sizes[t]) * float(sizes[s])
            synapses = round(math.log1p(-probability[t, s]) / math.log1p(-1 / pairs))
            inhibits = names[s].endswith("I")
            weight = p["weight_pA"] * (p["inhibitory_over_excitatory"] if inhibits else 1.0)
            if (names[s], names[t]) == ("L4E", "L23E"):
                weight *= p["L4E_to_L23E_over_others"]
            delay = p["delay_inhibitory_ms" if inhibits else "delay_excitatory_ms"] * 1e-3
            rows.append(
                (s, t, synapses, weight, p["weight_cv"], False, delay, delay * p["delay_cv"], 0.0, "statistical")
            )
    start = (p["start_mV"]["mean"], p["start_mV"]["sd"])
    populations = tuple(
        Population(name, int(n), name.endswith("E"), Cell(), k * p["external_Hz"], p["weight_pA"], 0.0, start)
        for name, n, k in zip(names, sizes, p["external_in_degree"], strict=True)
    )
    network = SampledNetwork(
        populations, Projections.of(rows), dt_s, seed, exact=True, source="Potjans & Diesmann 2014, scale 1"
    )
    return scaled(network, scale, in_degree, np.array(p["rates_Hz"]))
