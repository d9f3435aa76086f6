"""Hodgkin-Huxley soma with two passive dendritic compartments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bestiary.brains.spiking._describe import Neuron, Value, check_positive
from bestiary.brains.spiking._math import exp, where


@dataclass(frozen=True)
class HodgkinHuxley(Neuron):
    """C dV/dt = g_Na m^3 h (E_Na - V) + g_K n^4 (E_K - V) + g_L (E_L - V) + coupling (V_d - V) + I.

    A chain soma - d1 - d2. Rates of Hodgkin & Huxley 1952 J Physiol 117:500 at 6.3 C with V in today's sign, rest
    near -65 mV; conductances are those of 1952 on an area of 2e4 um^2. Dendrites: leak only; coupling_nS 0 leaves a
    single compartment. Synapses and currents enter the soma. A spike is V crossing threshold_mV upwards. Gates and
    potentials by exponential Euler (Rush & Larsen 1978 IEEE Trans Biomed Eng 25:389), gates first: order 2 was
    measured below threshold.
    """

    capacitance_pF: Value = 200.0
    sodium_nS: Value = 24000.0
    potassium_nS: Value = 7200.0
    leak_nS: Value = 60.0
    sodium_mV: Value = 50.0
    potassium_mV: Value = -77.0
    leak_mV: Value = -54.387
    coupling_nS: Value = 0.0
    dendrite_pF: Value = 100.0
    dendrite_leak_nS: Value = 3.0
    dendrite_mV: Value = -65.0
    threshold_mV: Value = 0.0
    refractory_s: Value = 0.0

    states: ClassVar[tuple[str, ...]] = ("v", "m", "h", "n", "d1", "d2", "was")
    frozen: ClassVar[tuple[str, ...]] = ()
    conductance: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive(self, {name: getattr(self, name) for name in ("capacitance_pF", "dendrite_pF", "leak_nS")})

    def constants(self, dt_s: float) -> dict[str, Value]:
        return {
            "dt": dt_s * 1e3,
            "na": self.sodium_nS,
            "k": self.potassium_nS,
            "leak": self.leak_nS,
            "e_na": self.sodium_mV,
            "e_k": self.potassium_mV,
            "e_l": self.leak_mV,
            "axial": self.coupling_nS,
            "per_nS": -dt_s * 1e3 / np.asarray(self.capacitance_pF, float),
            "per_nS_d": -dt_s * 1e3 / np.asarray(self.dendrite_pF, float),
            "leak_d": self.dendrite_leak_nS,
            "e_d": self.dendrite_mV,
            "threshold": self.threshold_mV,
        }

    def initial(self) -> dict[str, Value]:
        v = -65.0
        return {
            "v": v,
            "was": v,
            "m": 0.052932,
            "h": 0.596121,
            "n": 0.317677,
            "d1": self.dendrite_mV,
            "d2": self.dendrite_mV,
        }

    @staticmethod
    def update(
        v: Any,
        m: Any,
        h: Any,
        n: Any,
        d1: Any,
        d2: Any,
        i: Any,
        g: Any,
        dt: Any,
        na: Any,
        k: Any,
        leak: Any,
        e_na: Any,
        e_k: Any,
        e_l: Any,
        axial: Any,
        per_nS: Any,
        per_nS_d: Any,
        leak_d: Any,
        e_d: Any,
    ) -> Any:
        x = (v + 40) / 10
        y = (v + 55) / 10
        am = where(x * x < 1e-8, 1 + x / 2, x / (1 - exp(-where(x * x < 1e-8, 1, x))))
        bm = 4 * exp(-(v + 65) / 18)
        ah = 0.07 * exp(-(v + 65) / 20)
        bh = 1 / (1 + exp(-(v + 35) / 10))
        an = 0.1 * where(y * y < 1e-8, 1 + y / 2, y / (1 - exp(-where(y * y < 1e-8, 1, y))))
        bn = 0.125 * exp(-(v + 65) / 80)
        m1 = am / (am + bm) + (m - am / (am + bm)) * exp(-dt * (am + bm))
        h1 = ah / (ah + bh) + (h - ah / (ah + bh)) * exp(-dt * (ah + bh))
        n1 = an / (an + bn) + (n - an / (an + bn)) * exp(-dt * (an + bn))
        g_na = na * m1 * m1 * m1 * h1
        g_k = k * n1 * n1 * n1 * n1
        total = g_na + g_k + leak + axial + g
        v_inf = (g_na * e_na + g_k * e_k + leak * e_l + axial * d1 + i) / total
        v1 = v_inf + (v - v_inf) * exp(per_nS * total)
        t1 = leak_d + 2 * axial
        d1_inf = (leak_d * e_d + axial * (v + d2)) / t1
        t2 = leak_d + axial
        d2_inf = (leak_d * e_d + axial * d1) / t2
        d1_new = d1_inf + (d1 - d1_inf) * exp(per_nS_d * t1)
        d2_new = d2_inf + (d2 - d2_inf) * exp(per_nS_d * t2)
        return v1, m1, h1, n1, d1_new, d2_new, v

    @staticmethod
    def spikes(v: Any, was: Any, threshold: Any) -> Any:
        return (v > threshold) & (was <= threshold)

    @staticmethod
    def reset(v: Any, m: Any, h: Any, n: Any, d1: Any, d2: Any, was: Any) -> Any:
        return v, m, h, n, d1, d2, was
