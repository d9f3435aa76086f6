"""Three clocks (control, brain, physics) on one integer grid, checked when built."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from bestiary.errors import ClockError


@dataclass(frozen=True, slots=True)
class Clock:
    """Periods in seconds, as decimal strings so that "0.0001" means exactly 1/10000.

    control: one `env.step`. brain, physics: whole divisors of it. Raises ClockError otherwise, with the nearest fit.
    """

    control: str = "0.01"
    brain: str = "0.002"
    physics: str = "0.005"

    def __post_init__(self) -> None:
        for field in ("control", "brain", "physics"):
            text = str(getattr(self, field))
            try:
                value = Fraction(text)
            except (ValueError, ZeroDivisionError):
                raise ClockError(f"{field} period {text!r} s is not a number; write it like '0.005'") from None
            if value <= 0:
                raise ClockError(f"{field} period must be positive, got {text} s")
            object.__setattr__(self, field, text)
        for field in ("brain", "physics"):
            self._ratio(field)

    def _ratio(self, field: str) -> int:
        control, period = Fraction(self.control), Fraction(getattr(self, field))
        ratio = control / period
        if ratio.denominator != 1:
            whole = max(1, round(ratio))
            raise ClockError(
                f"control/{field}: {self.control} s is not a whole multiple of {getattr(self, field)} s "
                f"(ratio {float(ratio):.6g}); the nearest {field} period that fits is {float(control / whole):.9g} s"
            )
        return int(ratio)

    @property
    def brain_steps(self) -> int:
        """Brain steps in one control period."""
        return self._ratio("brain")

    @property
    def physics_steps(self) -> int:
        """Physics steps in one control period."""
        return self._ratio("physics")

    @property
    def control_s(self) -> float:
        return float(Fraction(self.control))

    @property
    def brain_s(self) -> float:
        return float(Fraction(self.brain))

    @property
    def physics_s(self) -> float:
        return float(Fraction(self.physics))
