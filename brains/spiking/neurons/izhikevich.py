"""Izhikevich 2003 IEEE Trans Neural Netw 14:1569."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bestiary.brains.spiking._describe import Neuron, Value


@dataclass(frozen=True)
class Izhikevich(Neuron):
    """dv/dt = 0.04 v^2 + 5 v + 140 - u + I, du/dt = a (b v - u) per ms; at v >= 30: v = c, u += d.

    I in the paper's units (mV/ms); forward Euler, order 1. Defaults: regular spiking.
    """

    a_per_ms: Value = 0.02
    b_per_ms: Value = 0.2
    c_mV: Value = -65.0
    d_mV_per_ms: Value = 8.0
    peak_mV: Value = 30.0
    refractory_s: Value = 0.0

    states: ClassVar[tuple[str, ...]] = ("v", "u")
    conductance: ClassVar[bool] = True

    def constants(self, dt_s: float) -> dict[str, Value]:
        return {
            "h": dt_s * 1e3,
            "a": self.a_per_ms,
            "b": self.b_per_ms,
            "c": self.c_mV,
            "d": self.d_mV_per_ms,
            "peak": self.peak_mV,
        }

    def initial(self) -> dict[str, Value]:
        return {"v": self.c_mV, "u": self.b_per_ms * self.c_mV}

    @staticmethod
    def update(v: Any, u: Any, i: Any, g: Any, h: Any, a: Any, b: Any) -> Any:
        return v + h * (0.04 * v * v + 5 * v + 140 - u + i - g * v), u + h * a * (b * v - u)

    @staticmethod
    def spikes(v: Any, peak: Any) -> Any:
        return v >= peak

    @staticmethod
    def reset(u: Any, c: Any, d: Any) -> Any:
        return c, u + d
