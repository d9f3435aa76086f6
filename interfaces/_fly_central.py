"""What compass and mushroom body are told by the senses: turning and the sun, odours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bestiary.bodies._eye import fly_retina
from bestiary.brains._compass import Compass
from bestiary.brains._mushroom_body import MushroomBody

Array = np.ndarray[Any, np.dtype[Any]]

# Of FC2, on the ring: the fly keeps the bar ahead. In the middle of the fan-shaped body PFL3 steer by
# the sine of the error (r 0.98 to 0.99 from 135 to 270 degrees); towards its edges they do worse (0.68 at 0)
GOAL_RAD = np.pi
TURN_S = 0.05  # set by hand, half a stride
WEDGES, SURROUND = 24, (2, 3, 4)  # of the horizon; wedges away on each side
FULL_ODOUR = 100.0  # ppm that drive projection neurons fully; half at the geometric mean of 1 and this (assumed)


@dataclass(frozen=True)
class CompassSense:
    """Turning from the halteres (the gyroscope) to PEN, and where a bright bar stands, if there is one, to EPG.

    Turning is averaged over TURN_S: the sway of the steps, ten times as fast as the turns, would saturate the shifters.
    Bars are seen as ring neurons see them (Seelig & Jayaraman 2013 Nature 503:262): patches of the eye, here wedges of
    15 degrees between 5 and 30 above the horizon, less a surround of 30 to 60 degrees on both sides.
    Ring neurons learn where landmarks are (Kim 2019 Nature 576:126); here the map is given: the bump stands at the goal
    when the bar is ahead. faint: contrast (of 1) of the best wedge above which it counts as a landmark, set by hand.
    """

    part: Compass
    faint: float = 0.15
    _wedges: Array = field(init=False)  # (WEDGES, ommatidia) mean over a wedge less mean over its surround
    _azimuth: Array = field(init=False)  # (WEDGES,) complex unit vectors

    def __post_init__(self) -> None:
        ways = fly_retina().directions.reshape(-1, 3)
        elevation = np.degrees(np.arcsin(np.clip(ways[:, 2], -1, 1)))
        at = ((np.arctan2(ways[:, 1], ways[:, 0]) / (2 * np.pi) + 0.5) * WEDGES).astype(int) % WEDGES
        inside = (at == np.arange(WEDGES)[:, None]) & (elevation > 5) & (elevation <= 30)
        mean = inside / np.maximum(inside.sum(1, keepdims=True), 1)
        seen = inside.any(1)
        away = (np.arange(WEDGES) - np.arange(WEDGES)[:, None]) % WEDGES
        around = np.isin(away, [*SURROUND, *(WEDGES - k for k in SURROUND)]) & seen
        surround = (around / np.maximum(around.sum(1, keepdims=True), 1)) @ mean
        middles = 2 * np.pi * ((np.arange(WEDGES) + 0.5) / WEDGES - 0.5)
        object.__setattr__(self, "_wedges", ((mean - surround) * seen[:, None]).astype(np.float32))
        object.__setattr__(self, "_azimuth", np.exp(1j * middles))

    def init(self) -> dict[str, Array]:
        return {"turn": np.zeros(1)}

    def landmark_rad(self, luminance: Array) -> float | None:
        """Azimuth of what is brighter than its surround, + to the left; None where nothing is. luminance (2, 721)."""
        contrast = np.maximum(self._wedges @ luminance.ravel(), 0)
        if contrast.max() < self.faint:
            return None
        return float(np.angle((contrast**2 * self._azimuth).sum()))

    def encode(self, state: Any, obs: Mapping[str, Array], drive: Array) -> Any:
        seen = self.landmark_rad(obs["luminance"]) if "luminance" in obs else None
        blend = -np.expm1(-self.part.clock.control_s / TURN_S)
        turn = state["turn"] + (float(obs["gyro_rad_per_s"][2]) - state["turn"]) * blend
        drive[:] = self.part.drive(float(turn[0]), GOAL_RAD, None if seen is None else GOAL_RAD - seen)
        return {"turn": turn}


@dataclass(frozen=True)
class OdourSense:
    """Odours at the antennae to projection neurons, by the logarithm of their concentration; local neurons that do this
    in the fly (Olsen & Wilson 2008 Nature 452:956) are not simulated here."""

    part: MushroomBody

    def init(self) -> dict[str, Array]:
        return {}

    def encode(self, state: Any, obs: Mapping[str, Array], drive: Array) -> Any:
        level = {k: float(np.log1p(obs[k][:2].mean()) / np.log1p(FULL_ODOUR)) for k in ("vinegar", "geosmin", "co2")}
        if any(level.values()):
            drive[:] = self.part.odour_drive({k: min(v, 1.0) for k, v in level.items()})
        return state
