"""Adaptive exponential integrate-and-fire: Brette & Gerstner 2005 J Neurophysiol 94:3637."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bestiary.brains.spiking._describe import Neuron, Value, check_positive
from bestiary.brains.spiking._math import exp, where


@dataclass(frozen=True)
class AdEx(Neuron):
    """C dV/dt = -g_L (V - E_L) + g_L D exp((V - V_T)/D) - w + I; tau_w dw/dt = a (V - E_L) - w.

    At a spike V = reset, w += b. Defaults: table 1 of the paper, spike at peak_mV. Linear terms exactly, the
    exponential one explicitly: order 1.
    """

    capacitance_pF: Value = 281.0
    leak_nS: Value = 30.0
    rest_mV: Value = -70.6
    onset_mV: Value = -50.4
    slope_mV: Value = 2.0
    adapt_tau_s: Value = 0.144
    adapt_nS: Value = 4.0
    jump_pA: Value = 80.5
    reset_mV: Value = -70.6
    peak_mV: Value = 20.0
    refractory_s: Value = 0.0

    states: ClassVar[tuple[str, ...]] = ("v", "w")
    conductance: ClassVar[bool] = True

    def __post_init__(self) -> None:
        names = ("capacitance_pF", "leak_nS", "slope_mV", "adapt_tau_s")
        check_positive(self, {name: getattr(self, name) for name in names})

    def constants(self, dt_s: float) -> dict[str, Value]:
        return {
            "leak": self.leak_nS,
            "rest": self.rest_mV,
            "onset": self.onset_mV,
            "slope": self.slope_mV,
            "per_nS": -dt_s * 1e3 / np.asarray(self.capacitance_pF, float),
            "keep_w": np.exp(-dt_s / np.asarray(self.adapt_tau_s, float)),
            "adapt": self.adapt_nS,
            "jump": self.jump_pA,
            "to": self.reset_mV,
            "peak": self.peak_mV,
        }

    def initial(self) -> dict[str, Value]:
        return {"v": self.rest_mV}

    @staticmethod
    def update(
        v: Any,
        w: Any,
        i: Any,
        g: Any,
        leak: Any,
        rest: Any,
        onset: Any,
        slope: Any,
        per_nS: Any,
        keep_w: Any,
        adapt: Any,
        peak: Any,
    ) -> Any:
        top = where(v < peak, v, peak)
        total = leak + g
        v_inf = (leak * (rest + slope * exp((top - onset) / slope)) - w + i) / total
        w_inf = adapt * (v - rest)
        return v_inf + (v - v_inf) * exp(per_nS * total), w_inf + (w - w_inf) * keep_w

    @staticmethod
    def spikes(v: Any, peak: Any) -> Any:
        return v > peak

    @staticmethod
    def reset(w: Any, to: Any, jump: Any) -> Any:
        return to, w + jump
