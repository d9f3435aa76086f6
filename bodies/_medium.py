"""What a slender body moves in: viscous drag along and across it, from water to agar, continuously."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bestiary import nearest
from bestiary.errors import MediumError

WATER_PA_S = 1e-3  # viscosity of water and of dilute buffers at 20 C
_WATER = (3.3e-6, 5.2e-6)  # N s/m, tangential and normal, 1 mm worm: Boyle, Berri & Cohen 2012 (Lighthill 1976)
_LIMIT_PA_S = (1e-4, 1e3)


@dataclass(frozen=True, slots=True)
class Medium:
    """Drag of a whole straight 1 mm worm, N s/m: force over speed along its axis, and across it.

    on_surface: held flat on the surface by a film of water (agar), or free in three dimensions.
    Raises MediumError where a coefficient is not finite and positive, or where moving along is harder than across.
    """

    name: str
    tangential_Ns_per_m: float
    normal_Ns_per_m: float
    on_surface: bool = False

    def __post_init__(self) -> None:
        for field in ("tangential_Ns_per_m", "normal_Ns_per_m"):
            value = getattr(self, field)
            if not (isinstance(value, int | float) and math.isfinite(value) and 1e-9 <= value <= 1e3):
                raise MediumError(
                    f"{field} of medium {self.name!r} must be a number from 1e-9 to 1e3 N s/m, got {value!r}; "
                    f"water is {_WATER[0]:g} along and {_WATER[1]:g} across, agar 0.0032 and 0.128"
                )
        if self.tangential_Ns_per_m > self.normal_Ns_per_m:
            raise MediumError(
                f"drag along the body ({self.tangential_Ns_per_m:g} N s/m) is above the drag across it "
                f"({self.normal_Ns_per_m:g} N s/m): a slender body has it the other way; give (along, across)"
            )

    @property
    def ratio(self) -> float:
        """K, normal over tangential drag: 1 gives no thrust, 40 almost no slip."""
        return self.normal_Ns_per_m / self.tangential_Ns_per_m

    @property
    def viscosity_Pa_s(self) -> float:
        """Viscosity of the Newtonian liquid with the same normal drag (agar: 25 Pa s)."""
        return WATER_PA_S * self.normal_Ns_per_m / _WATER[1]

    @classmethod
    def from_viscosity(cls, pa_s: float) -> Medium:
        """A Newtonian liquid: both drags grow with its viscosity (Stokes flow), K stays that of water, 1.58.

        As in the swim-to-crawl experiment of Fang-Yen 2010 (1 mPa s to 28 Pa s). pa_s: 1e-4 to 1e3 Pa s.
        """
        low, high = _LIMIT_PA_S
        if isinstance(pa_s, bool) or not math.isfinite(pa_s) or not low <= pa_s <= high:
            hint = f"; water is {WATER_PA_S:g} Pa s" + (f", did you mean {pa_s / 1e3:g}?" if pa_s > high else "")
            raise MediumError(f"viscosity must be from {low:g} to {high:g} Pa s, got {pa_s!r}{hint}")
        scale = float(pa_s) / WATER_PA_S
        return cls(f"{float(pa_s):g} Pa s", _WATER[0] * scale, _WATER[1] * scale)

    @classmethod
    def between(cls, fraction: float) -> Medium:
        """From water (0) to agar (1) through gels: each drag geometrically between, so that K grows from 1.58 to 40.

        Boyle 2012 mixes the same ends linearly; the logarithm spreads the four decades evenly. Held flat above 0.5.
        """
        if not 0 <= fraction <= 1:
            raise MediumError(f"a medium between water (0) and agar (1) needs a fraction from 0 to 1, got {fraction!r}")
        ends = zip(_WATER, (MEDIA["agar"].tangential_Ns_per_m, MEDIA["agar"].normal_Ns_per_m), strict=True)
        along, across = (water ** (1 - fraction) * agar**fraction for water, agar in ends)
        return cls(f"{fraction:g} of the way from water to agar", along, across, on_surface=fraction > 0.5)

    @classmethod
    def of(cls, what: Any) -> Medium:
        """A medium from its name, a viscosity in Pa s, a (tangential, normal) pair in N s/m, or itself."""
        if isinstance(what, Medium):
            return what
        if isinstance(what, str):
            if what not in MEDIA:
                raise MediumError(
                    f"no medium {what!r}; {nearest(what, MEDIA, 'medium')} "
                    "(or give a viscosity in Pa s, or two drags, along and across, in N s/m)"
                )
            return MEDIA[what]
        if isinstance(what, int | float):
            return cls.from_viscosity(what)
        try:
            along, across = (float(x) for x in what)
        except (TypeError, ValueError):
            raise MediumError(
                f"a medium is a name, a viscosity in Pa s, or two drags (along, across) in N s/m, got {what!r}"
            ) from None
        return cls(f"{along:g}, {across:g} N s/m", along, across)


MEDIA = {
    # Boyle, Berri & Cohen 2012, Front Comput Neurosci 6:10: K = 40 (from Berri 2009) and 1.58
    "agar": Medium("agar", 3.2e-3, 128e-3, on_surface=True),
    "water": Medium("water", *_WATER),
    "buffer": Medium("buffer", *_WATER),  # M9, NGM liquid: water to within a few per cent
    # Shen et al 2012, Biophys J 102:2772: K about 10 on agar
    "agar_shen2012": Medium("agar_shen2012", 22e-3, 220e-3, on_surface=True),
}
