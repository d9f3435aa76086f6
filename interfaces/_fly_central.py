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

GOAL_RAD = 0.0  # of FC2, on the ring: the fly keeps the sun ahead, in a world that has one
TURN_S = 0.05  # set by hand, half a stride
FULL_ODOUR = 100.0  # ppm that drive projection neurons fully; half at the geometric mean of 1 and this (assumed)


@dataclass(frozen=True)
class CompassSense:
    """Turning from the halteres (the gyroscope) to PEN, and the direction of the light, if it has one, to EPG.

    Turning is averaged over TURN_S: the sway of the steps, ten times as fast as the turns, would saturate the shifters.
    Ring neurons learn where landmarks are (Kim 2019 Nature 576:126); here the map is given: the bump stands at minus
    the azimuth of the mean light. even: vector length of the light above which it counts as a landmark.
    """

    part: Compass
    even: float = 0.02
    _flat: Array = field(init=False)  # of the direction of each ommatidium: length of its level part,
    _azimuth: Array = field(init=False)  # and that part's unit vector, a complex number
    _ahead: Any = field(init=False)  # their mean: both eyes look ahead more than back

    def __post_init__(self) -> None:
        ways = fly_retina().directions
        flat, azimuth = np.hypot(ways[..., 0], ways[..., 1]), np.exp(1j * np.arctan2(ways[..., 1], ways[..., 0]))
        for name, value in (("_flat", flat), ("_azimuth", azimuth), ("_ahead", (flat * azimuth).mean())):
            object.__setattr__(self, name, value)

    def init(self) -> dict[str, Array]:
        return {"turn": np.zeros(1)}

    def encode(self, state: Any, obs: Mapping[str, Array], drive: Array) -> Any:
        landmark = None
        if "luminance" in obs:
            light = obs["luminance"]
            vector = (light * self._flat * self._azimuth).mean() - light.mean() * self._ahead
            if abs(vector) > self.even:
                landmark = -float(np.angle(vector))
        blend = -np.expm1(-self.part.clock.control_s / TURN_S)
        turn = state["turn"] + (float(obs["gyro_rad_per_s"][2]) - state["turn"]) * blend
        drive[:] = self.part.drive(float(turn[0]), GOAL_RAD, landmark)
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
