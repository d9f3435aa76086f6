"""A steady current for every population at which mean-field theory gives it the rate it was measured at.

The rate of a leaky integrate-and-fire cell under white noise (Siegert 1951; Brunel 2000 J Comput Neurosci 8:183), with
the threshold and reset moved for filtered synapses (Fourcaud & Brunel 2002 Neural Comput 14:2057).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import erfcx

from bestiary.brains._sampled import SampledNetwork

Array = np.ndarray[Any, np.dtype[Any]]
_X, _W = np.polynomial.legendre.leggauss(24)
_PIECES = 8
_ALPHA = 2.0653  # sqrt(2) |zeta(1/2)|


def siegert_Hz(cell: dict[str, Array], mean_mV: Array, sd_mV: Array) -> Array:
    """(P,) rates at mean inputs and their SD (mV above rest; sigma of Brunel 2000). cell: columns tau_s, synapse_s,
    refractory_s, reset_mV and threshold_mV above rest."""
    shift = 0.5 * _ALPHA * np.sqrt(cell["synapse_s"] / cell["tau_s"])
    low = np.maximum((cell["reset_mV"] - mean_mV) / sd_mV + shift, -60.0)
    high = (cell["threshold_mV"] - mean_mV) / sd_mV + shift
    silent = high > 12
    high = np.minimum(high, 12.0)
    # exp(u^2)(1 + erf u) = erfcx(-u), in pieces: it grows fast
    edges = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _PIECES + 1)
    half, middle = np.diff(edges) / 2, (edges[:, 1:] + edges[:, :-1]) / 2
    u = half[..., None] * _X + middle[..., None]
    total = (half * (_W * erfcx(-u)).sum(-1)).sum(-1)
    rate = 1.0 / (cell["refractory_s"] + cell["tau_s"] * math.sqrt(math.pi) * total)
    return np.where(silent, 0.0, rate)


def at_rates(network: SampledNetwork, rates_Hz: Array) -> SampledNetwork:
    """The network with current_pA of each population set so that rates_Hz (P,) is its fixed point."""
    p, pops = network.projections, network.populations
    cells = [q.cell for q in pops]
    r = np.array([c.tau_s / c.capacitance_pF * 1e3 for c in cells])  # mV per pA
    tau_syn = np.array([(q.cell.excites_s if q.excites else q.cell.inhibits_s) for q in pops])
    sign = np.array([1.0 if q.excites else -1.0 for q in pops])
    inputs = p.synapses / network.sizes[p.target] * rates_Hz[p.source]  # events per s and cell
    charge = p.mean_pA * tau_syn[p.source]  # pA s
    square = np.where(p.lognormal, np.exp(p.spread**2), 1 + p.spread**2)
    mean, var = np.zeros(len(pops)), np.zeros(len(pops))
    np.add.at(mean, p.target, inputs * charge * sign[p.source])
    np.add.at(var, p.target, inputs * charge**2 * square)
    mean += [q.background_Hz * q.background_pA * q.cell.excites_s for q in pops]
    var += [q.background_Hz * (q.background_pA * q.cell.excites_s) ** 2 for q in pops]
    c = {
        "tau_s": np.array([q.tau_s for q in cells]),
        "synapse_s": np.array([q.excites_s for q in cells]),
        "refractory_s": np.array([q.refractory_s for q in cells]),
        "reset_mV": np.array([q.reset_mV - q.rest_mV for q in cells]),
        "threshold_mV": np.array([q.threshold_mV - q.rest_mV for q in cells]),
    }
    sd = np.maximum(r * np.sqrt(var / c["tau_s"]), 0.2)  # mV: sigma^2 / 2 is the variance of the potential
    low, high = np.full(len(pops), -60.0), np.full(len(pops), 80.0)
    for _ in range(36):
        middle = (low + high) / 2
        under = siegert_Hz(c, middle, sd) < rates_Hz
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    current = (low + high) / 2 / r - mean
    populations = tuple(replace(q, current_pA=float(x)) for q, x in zip(pops, current, strict=True))
    return replace(network, populations=populations)
