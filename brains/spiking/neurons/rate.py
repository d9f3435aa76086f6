"""Rate units: Wilson & Cowan 1972 Biophys J 12:1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bestiary.brains.spiking._describe import Neuron, Value, check_positive
from bestiary.brains.spiking._math import tanh, where


@dataclass(frozen=True)
class Rate(Neuron):
    """tau dx/dt = -x + sum w r + I, with r = max_Hz tanh(gain (x - threshold)) where positive, else 0.

    What crosses an edge is r, each step, with no delay but the step; no spikes. Exact for constant input.
    """

    tau_s: Value = 0.010
    gain: Value = 1.0
    threshold: Value = 0.0
    max_Hz: Value = 100.0

    states: ClassVar[tuple[str, ...]] = ("v", "r")
    frozen: ClassVar[tuple[str, ...]] = ()
    graded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive(self, {"tau_s": self.tau_s, "max_Hz": self.max_Hz})

    def constants(self, dt_s: float) -> dict[str, Value]:
        keep = np.exp(-dt_s / np.asarray(self.tau_s, float))
        return {"keep": keep, "lose": 1 - keep, "slope": self.gain, "threshold": self.threshold, "top": self.max_Hz}

    @staticmethod
    def update(v: Any, i: Any, keep: Any, lose: Any, slope: Any, threshold: Any, top: Any) -> Any:
        x = keep * v + lose * i
        drive = slope * (x - threshold)
        return x, top * tanh(where(drive > 0, drive, 0))
