"""Generalised leaky integrate-and-fire, levels 1 to 5: Teeter et al. 2018 Nat Commun 9:709."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bestiary.brains.spiking._describe import Neuron, Value, check_positive
from bestiary.errors import BestiaryError


@dataclass(frozen=True)
class GLIF(Neuron):
    """C dV/dt = I + I1 + I2 - G (V - E_L); a spike where V > threshold + S + A.

    level 1: LIF. 2: V = E_L + f (V - E_L) - dV at a spike, S += dS, decaying at rate b_s. 3: after-spike currents,
    I_j = f_j I_j + dI_j at a spike, decaying at rate k_j, without 2. 4: 2 and 3. 5: besides, the threshold follows the
    potential: dA/dt = a_v (V - E_L) - b_v A. What a level lacks is taken as 0.

    States are frozen in refractory time as in the paper's code: I_j, S and A have their reset value at its end.
    Everything is linear between spikes; V is exact for constant input and held I_j, I_j and S are exact, A is exact for
    a V that is constant during a step. Defaults: a mid-range Vip-like cell, no fit; values come with the cell type.
    """

    level: int = 1
    rest_mV: Value = -75.0
    capacitance_pF: Value = 100.0
    leak_nS: Value = 5.0
    threshold_mV: Value = -45.0
    reset_mV: Value = -75.0  # levels 1 and 3
    reset_fraction: Value = 0.3
    reset_drop_mV: Value = 5.0
    spike_threshold_mV: Value = 2.0
    spike_threshold_per_s: Value = 100.0
    after_pA: tuple[Value, Value] = (-20.0, -5.0)
    after_keep: tuple[Value, Value] = (1.0, 1.0)
    after_per_s: tuple[Value, Value] = (100.0, 10.0)
    follow_per_s: Value = 5.0
    forget_per_s: Value = 50.0
    refractory_s: Value = 0.003

    states: ClassVar[tuple[str, ...]] = ("v", "s", "a", "i1", "i2")
    frozen: ClassVar[tuple[str, ...]] = ("v", "s", "a", "i1", "i2")

    def __post_init__(self) -> None:
        if self.level not in (1, 2, 3, 4, 5):
            raise BestiaryError(f"GLIF has levels 1 to 5, got {self.level}")
        check_positive(self, {"capacitance_pF": self.capacitance_pF, "leak_nS": self.leak_nS})

    @property
    def zero_mV(self) -> Value:
        return self.rest_mV

    @property
    def membrane_tau_s(self) -> Value | None:
        return np.asarray(self.capacitance_pF) / np.asarray(self.leak_nS) * 1e-3

    def constants(self, dt_s: float) -> dict[str, Value]:
        resets, currents, follows = self.level in (2, 4, 5), self.level >= 3, self.level == 5
        tau = np.asarray(self.membrane_tau_s, float)
        k1, k2 = (np.asarray(k, float) for k in self.after_per_s)
        b_v = np.asarray(self.forget_per_s, float)
        return {
            "keep": np.exp(-dt_s / tau),
            "gain": -np.expm1(-dt_s / tau) / np.asarray(self.leak_nS),
            "mean1": -np.expm1(-dt_s * k1) / (dt_s * k1),
            "mean2": -np.expm1(-dt_s * k2) / (dt_s * k2),
            "keep1": np.exp(-dt_s * k1),
            "keep2": np.exp(-dt_s * k2),
            "keep_s": np.exp(-dt_s * np.asarray(self.spike_threshold_per_s, float)),
            "keep_a": np.exp(-dt_s * b_v),
            "gain_a": (-np.expm1(-dt_s * b_v) / b_v * self.follow_per_s) if follows else 0.0,
            "threshold": np.subtract(self.threshold_mV, self.rest_mV),
            "fraction": self.reset_fraction if resets else 0.0,
            "drop": self.reset_drop_mV if resets else np.subtract(self.rest_mV, self.reset_mV),
            "jump_s": self.spike_threshold_mV if resets else 0.0,
            "jump1": self.after_pA[0] if currents else 0.0,
            "jump2": self.after_pA[1] if currents else 0.0,
            "stay1": self.after_keep[0],
            "stay2": self.after_keep[1],
        }

    @staticmethod
    def update(
        v: Any,
        s: Any,
        a: Any,
        i1: Any,
        i2: Any,
        i: Any,
        keep: Any,
        gain: Any,
        mean1: Any,
        mean2: Any,
        keep1: Any,
        keep2: Any,
        keep_s: Any,
        keep_a: Any,
        gain_a: Any,
    ) -> Any:
        v1 = keep * v + gain * (i + mean1 * i1 + mean2 * i2)
        return v1, keep_s * s, keep_a * a + gain_a * v, keep1 * i1, keep2 * i2

    @staticmethod
    def spikes(v: Any, s: Any, a: Any, threshold: Any) -> Any:
        return v > threshold + s + a

    @staticmethod
    def reset(
        v: Any,
        s: Any,
        a: Any,
        i1: Any,
        i2: Any,
        fraction: Any,
        drop: Any,
        jump_s: Any,
        jump1: Any,
        jump2: Any,
        stay1: Any,
        stay2: Any,
    ) -> Any:
        return fraction * v - drop, s + jump_s, a, stay1 * i1 + jump1, stay2 * i2 + jump2
