"""Smaller networks that keep what large ones do on average: van Albada, Helias & Diesmann 2015 PLoS CB 11:e1004490.

Fewer neurons with the inputs of each kept, as long as there are many more neurons than inputs. Where inputs are
taken too (a share k), strengths grow by 1/sqrt(k), which keeps the variance of the input, and a steady current
tau_syn (1 - sqrt k) sum K J r makes good for its mean. Rates survive that; correlations do so in a limited range only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bestiary.brains._sampled import Projections, SampledNetwork
from bestiary.errors import BestiaryError

Array = np.ndarray[Any, np.dtype[Any]]

SMALLEST = 0.001
CORRELATIONS_FROM = 1.0  # shares of neurons and of inputs below which correlations are those of another network


def check_scale(scale: float) -> None:
    """Raises BestiaryError for a scale outside 0.1 % to 100 %."""
    if not (math.isfinite(scale) and SMALLEST <= scale <= 1):
        raise BestiaryError(f"scale is the share of the neurons, {SMALLEST} to 1; got {scale}")


@dataclass(frozen=True)
class Scaling:
    """What was done to a network. densest: largest mean number of inputs of a cell over the size of their source."""

    scale: float
    in_degree: float
    densest: float

    def keeps(self, statistic: str) -> bool:
        """Whether the scaling keeps "rates" or "correlations"."""
        if statistic == "rates":
            return True
        return self.scale >= CORRELATIONS_FROM and self.in_degree >= CORRELATIONS_FROM

    def need(self, statistic: str) -> None:
        """Raises BestiaryError where the scaling does not keep the statistic: it is not to be printed then."""
        if not self.keeps(statistic):
            raise BestiaryError(
                f"{statistic} are not kept at {self.scale:.3g} of the neurons with {self.in_degree:.3g} of the inputs "
                f"(the densest projection takes {self.densest:.0%} of its sources): correlations grow as neurons get "
                "fewer (van Albada 2015); rates are kept; scale=1 gives them all"
            )


def scaled(
    network: SampledNetwork, scale: float, in_degree: float | None, rates_Hz: Array, growth: float = 0.5
) -> SampledNetwork:
    """scale: share of the neurons. in_degree: share of the inputs; None: as few as scale. rates_Hz (P,): of the whole
    network, for the mean that gets lost. growth: strengths grow by k^-growth: 0.5 keeps the variance of the input, less
    keeps single spikes small. The result's `about["scaling"]` says what was done."""
    check_scale(scale)
    k = scale if in_degree is None else float(in_degree)
    if not 0 < k <= 1:
        raise BestiaryError(f"in_degree is the share of the inputs of a cell, above 0 and at most 1; got {in_degree}")
    sizes = np.maximum(np.rint(network.sizes * scale), 1).astype(int)
    p = network.projections
    inputs = p.synapses / network.sizes[p.target] * k
    densest = float((inputs / sizes[p.source]).max(initial=0))
    about = {**network.about, "scaling": Scaling(scale, k, densest)}
    if scale == 1 and k == 1:
        return replace(network, about=about)
    root, left = math.sqrt(k), k ** (1 - growth)
    sign = np.where([q.excites for q in network.populations], 1.0, -1.0)
    tau = np.array([(q.cell.excites_s if q.excites else q.cell.inhibits_s) for q in network.populations])
    lost = np.zeros(len(sizes))
    charge = p.synapses / network.sizes[p.target] * p.mean_pA * sign[p.source] * rates_Hz[p.source] * tau[p.source]
    np.add.at(lost, p.target, charge)
    populations = tuple(
        replace(
            q,
            size=int(n),
            background_Hz=q.background_Hz * k,
            background_pA=q.background_pA / root,
            current_pA=q.current_pA
            + (1 - left) * lost[i]
            + (1 - root) * q.background_Hz * q.background_pA * q.cell.excites_s,
        )
        for i, (q, n) in enumerate(zip(network.populations, sizes.tolist(), strict=True))
    )
    projections = Projections(
        p.source, p.target, np.rint(inputs * sizes[p.target]) if network.exact else inputs * sizes[p.target],
        p.mean_pA * k**-growth, p.spread, p.lognormal, p.delay_s, p.delay_sd_s, p.reach, p.provenance,
    )  # fmt: skip
    source = f"{network.source}, cut to {scale:g} of the neurons and {k:g} of the inputs"
    return replace(network, populations=populations, projections=projections, about=about, source=source)
