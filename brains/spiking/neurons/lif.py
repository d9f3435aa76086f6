"""Leaky integrate-and-fire, driven by currents or by conductances. Lapicque 1907; Gerstner et al. 2014, ch. 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bestiary.brains.spiking._describe import Neuron, Value, check_positive
from bestiary.brains.spiking._math import exp


@dataclass(frozen=True)
class LIF(Neuron):
    """tau dV/dt = rest - V + R I; a spike where V > threshold, then V = reset for the refractory time.

    Exact for the linear current synapses (Rotter & Diesmann 1999 Biol Cybern 81:381) and for a current that is constant
    during a step. Synapses go on in refractory time, as in NEST's iaf_psc_exp. Defaults: Potjans & Diesmann 2014
    Cereb Cortex 24:785 (R = 10 ms / 250 pF).
    """

    rest_mV: Value = -65.0
    reset_mV: Value = -65.0
    threshold_mV: Value = -50.0
    tau_s: Value = 0.010
    resistance_MOhm: Value = 40.0
    refractory_s: Value = 0.002

    states: ClassVar[tuple[str, ...]] = ("v",)

    def __post_init__(self) -> None:
        check_positive(self, {"tau_s": self.tau_s, "resistance_MOhm": self.resistance_MOhm})

    @property
    def zero_mV(self) -> Value:
        return self.rest_mV

    @property
    def membrane_tau_s(self) -> Value | None:
        return self.tau_s

    def constants(self, dt_s: float) -> dict[str, Value]:
        keep = np.exp(-dt_s / np.asarray(self.tau_s, float))
        return {
            "keep": keep,
            "gain": np.asarray(self.resistance_MOhm) * 1e-3 * -np.expm1(-dt_s / np.asarray(self.tau_s, float)),
            "threshold": np.subtract(self.threshold_mV, self.rest_mV),
            "to": np.subtract(self.reset_mV, self.rest_mV),
        }

    @staticmethod
    def update(v: Any, i: Any, keep: Any, gain: Any) -> Any:
        return keep * v + gain * i

    @staticmethod
    def spikes(v: Any, threshold: Any) -> Any:
        return v > threshold

    @staticmethod
    def reset(to: Any) -> Any:
        return to


@dataclass(frozen=True)
class ConductanceLIF(Neuron):
    """C dV/dt = g_leak (rest - V) + sum g (E - V) + I. Exact where conductances are constant during a step."""

    rest_mV: Value = -70.0
    reset_mV: Value = -60.0
    threshold_mV: Value = -50.0
    capacitance_pF: Value = 200.0
    leak_nS: Value = 10.0
    refractory_s: Value = 0.002

    states: ClassVar[tuple[str, ...]] = ("v",)
    conductance: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive(self, {"capacitance_pF": self.capacitance_pF, "leak_nS": self.leak_nS})

    def constants(self, dt_s: float) -> dict[str, Value]:
        return {
            "leak": self.leak_nS,
            "base": np.multiply(self.leak_nS, self.rest_mV),
            "per_nS": -dt_s * 1e3 / np.asarray(self.capacitance_pF, float),
            "threshold": self.threshold_mV,
            "to": self.reset_mV,
        }

    def initial(self) -> dict[str, Value]:
        return {"v": self.rest_mV}

    @staticmethod
    def update(v: Any, i: Any, g: Any, leak: Any, base: Any, per_nS: Any) -> Any:
        total = leak + g
        v_inf = (base + i) / total
        return v_inf + (v - v_inf) * exp(per_nS * total)

    spikes = staticmethod(LIF.spikes)
    reset = staticmethod(LIF.reset)
