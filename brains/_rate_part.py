"""A part of a brain whose neurons have rates: tau dr/dt = -r + f(W r + b + input), f = tanh above 0 and 0 below.

The form of Wilson & Cowan 1972 without a refractory term. 1 unit of input is `unit_mV` of depolarisation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import scipy.sparse

from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock

Array = np.ndarray[Any, np.dtype[Any]]
Weigh = Callable[[Connectome], scipy.sparse.csr_array]


@dataclass(frozen=True, eq=False)
class RatePart:
    """weigh: the weights (n, n), target x source, that a table gives. bias (n,), in units of input. tau_s, max_Hz:
    time constant and highest rate. `bestiary.brains._parts.Part`."""

    table: Connectome
    weigh: Weigh
    bias: Array
    clock: Clock
    tau_s: float = 0.05
    max_Hz: float = 100.0
    unit_mV: float = 20.0
    rest_mV: float = -52.0
    lesioned: tuple[int, ...] = ()
    silenced: tuple[int, ...] = ()
    _weight: Any = field(init=False)
    _alive: Array = field(init=False)
    _heard: Array = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.table)
        alive = np.ones(n, np.float32)
        alive[list(self.lesioned)] = 0
        heard = alive.copy()
        heard[list(self.silenced)] = 0
        object.__setattr__(self, "_weight", scipy.sparse.csr_array(self.weigh(self.table), dtype=np.float32))
        object.__setattr__(self, "_alive", alive)
        object.__setattr__(self, "_heard", heard)

    def init(self, seed: int) -> dict[str, Any]:
        n = len(self.table)
        return {"r": np.zeros(n, np.float32), "u": np.zeros(n, np.float32)}

    def advance(self, state: dict[str, Any], drive_mV: Array) -> dict[str, Any]:
        """Exponential Euler: the input stands still for a control period, which is far below tau_s."""
        r = state["r"]
        u = self._weight @ (r * self._heard) + self.bias + drive_mV / self.unit_mV
        blend = np.float32(-np.expm1(-self.clock.control_s / self.tau_s))
        r = (r + blend * (np.tanh(np.maximum(u, 0)) - r)) * self._alive
        return {"r": r.astype(np.float32), "u": u.astype(np.float32)}

    def rate_Hz(self, state: dict[str, Any]) -> Array:
        return state["r"] * self._heard * np.float32(self.max_Hz)

    def voltage_mV(self, state: dict[str, Any]) -> Array:
        return np.float32(self.rest_mV) + np.clip(state["u"], -2, 2) * np.float32(self.unit_mV)

    def cut(self, lesioned: Array, silenced: Array) -> Self:
        gone = {*self.lesioned, *map(int, lesioned)}
        return replace(self, lesioned=tuple(sorted(gone)), silenced=(*self.silenced, *map(int, silenced)))

    def rewired(self, rewire: Callable[[Connectome], Connectome]) -> RatePart:
        return replace(self, table=rewire(self.table))
