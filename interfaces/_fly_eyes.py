"""Eyes to optic lobes: luminance of 2 x 721 ommatidia onto R1 to R8 of the column behind each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bestiary.brains._visual import Visual

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class EyeEncoder:
    """`encode(state, obs, drive)` of the part `visual`: its drive, made anew only when the eyes see something new."""

    part: Visual

    def init(self) -> dict[str, Any]:
        grey = np.full(self.part.receptors.shape[:2], 0.5, np.float32)
        return {"seen": grey, "drive": self.part.lit(grey)}

    def encode(self, state: dict[str, Any], obs: Mapping[str, Array], drive: Array) -> dict[str, Any]:
        """The new state; drive (n,) in units of luminance."""
        seen = obs["luminance"]
        if not np.array_equal(seen, state["seen"]):
            state = {"seen": seen, "drive": self.part.lit(seen)}
        drive[:] = state["drive"]
        return state
