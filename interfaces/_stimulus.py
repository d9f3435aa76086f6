"""Experimental stimulation on a schedule: current or light on named neurons."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from bestiary.errors import BestiaryError

_NUMBER = r"(?:\d+\.?\d*|\.\d+)"
_FORM = re.compile(
    rf"^(?P<who>[^:]+):(?P<light>light=)?(?P<amount>[+-]?{_NUMBER}(?:e[+-]?\d+)?)(?P<unit>pA)?"
    rf"(?:@(?P<start>{_NUMBER})(?:-(?P<stop>{_NUMBER}))?)?$"
)


@dataclass(frozen=True, slots=True)
class Stimulus:
    """From start_s to stop_s. amount: pA ("current"), or light in rest conductances, -2 to 2 ("light")."""

    neurons: tuple[str, ...]
    amount: float
    kind: str = "current"
    start_s: float = 0.0
    stop_s: float = math.inf

    def __post_init__(self) -> None:
        if self.kind not in ("current", "light"):
            raise BestiaryError(f"a stimulus is 'current' or 'light', got {self.kind!r}")
        if not math.isfinite(self.amount) or (self.kind == "light" and abs(self.amount) > 2):
            raise BestiaryError(f"{self.kind} must be finite, light within [-2, 2]; got {self.amount}")
        if not 0 <= self.start_s < self.stop_s:
            raise BestiaryError(f"a stimulus needs 0 <= start < stop, got {self.start_s} to {self.stop_s} s")


def parse(text: Any) -> Stimulus:
    """A Stimulus from "AVA:20pA@5-8" (20 pA into AVAL and AVAR from 5 to 8 s) or "AVB,PVC:light=1@2-4"."""
    if isinstance(text, Stimulus):
        return text
    found = _FORM.match(str(text).replace(" ", ""))
    if found is None or bool(found["light"]) == bool(found["unit"]):
        raise BestiaryError(f"cannot read the stimulus {text!r}; write NEURONS:20pA@START-STOP or NEURONS:light=1@2-4")
    return Stimulus(
        tuple(found["who"].split(",")),
        float(found["amount"]),
        "light" if found["light"] else "current",
        float(found["start"] or 0),
        float(found["stop"] or math.inf),
    )
