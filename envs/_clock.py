"""Three clocks (control, brain, physics) on one integer grid, checked when built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import bestiary
from bestiary.errors import ClockError

_NAMES = ("control", "brain", "physics")


@dataclass(frozen=True, slots=True)
class Clock:
    """Periods in seconds, as decimal strings so that "0.0001" means exactly 1/10000.

    control: one `env.step`. brain, physics: whole divisors of it. Raises ClockError otherwise, with the nearest fit.
    """

    control: str = "0.01"
    brain: str = "0.002"
    physics: str = "0.005"
    brain_steps: int = field(init=False, compare=False)  # in one control period
    physics_steps: int = field(init=False, compare=False)
    control_s: float = field(init=False, compare=False)
    brain_s: float = field(init=False, compare=False)
    physics_s: float = field(init=False, compare=False)

    def __post_init__(self) -> None:
        for name in _NAMES:
            text = str(getattr(self, name))
            try:
                value = Fraction(text)
            except (ValueError, ZeroDivisionError):
                raise ClockError(f"{name} period {text!r} s is not a number; write it like '0.005'") from None
            if value <= 0:
                raise ClockError(f"{name} period must be positive, got {text} s")
            object.__setattr__(self, name, text)
        for name in ("brain", "physics"):
            object.__setattr__(self, f"{name}_steps", self._ratio(name))
        for name in _NAMES:
            object.__setattr__(self, f"{name}_s", float(Fraction(getattr(self, name))))

    @classmethod
    def of(cls, given: Clock | Mapping[str, str] | None, usual: Mapping[str, str]) -> Clock:
        """A clock as it is, or from periods by name, with the `usual` ones of those not given. Raises ClockError."""
        if isinstance(given, Clock):
            return given
        given = {} if given is None else given
        if not isinstance(given, Mapping):
            raise ClockError(f"a clock is a Clock or its periods by name, {{'control': '0.01'}}; got {given!r}")
        for name in given:
            if name not in _NAMES:
                raise ClockError(f"a clock has no period {name!r}; {bestiary.nearest(name, _NAMES, 'period')}")
        return cls(**{**usual, **given})

    def _ratio(self, name: str) -> int:
        control, period = Fraction(self.control), Fraction(getattr(self, name))
        ratio = control / period
        if ratio.denominator != 1:
            whole = max(1, round(ratio))
            raise ClockError(
                f"control/{name}: {self.control} s is not a whole multiple of {getattr(self, name)} s "
                f"(ratio {float(ratio):.6g}); the nearest {name} period that fits is {float(control / whole):.9g} s"
            )
        return int(ratio)


def check_same_control(animal: object, env_clock: Clock) -> None:
    """Raises ClockError where an animal that has a clock would be asked to act at another pace than its own."""
    mine = getattr(animal, "clock", None)
    if isinstance(mine, Clock) and Fraction(mine.control) != Fraction(env_clock.control):
        raise ClockError(
            f"the animal acts every {mine.control} s, the environment asks it every {env_clock.control} s; "
            "give both one clock: EmbodiedEnv(..., clock=animal.clock)"
        )
