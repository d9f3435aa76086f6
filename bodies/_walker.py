"""What the bodies that come from dm_control and stand on servos share."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import mujoco
import numpy as np

import bestiary
from bestiary.bodies._base import Array, Units, World
from bestiary.errors import DataError, MediumError

Media = dict[str, tuple[float, float]]  # name -> density kg/m^3, viscosity Pa s


def model_file(name: str, animal: str) -> Path:
    """An XML file of dm_control's walkers; dm_control is not imported for it. Raises DataError."""
    found = importlib.util.find_spec("dm_control")
    for place in (found.submodule_search_locations or []) if found else []:
        path = Path(place) / "locomotion/walkers/assets" / name
        if path.is_file():
            return path
    raise DataError(f"the {animal}'s model comes with dm_control 1.0.50, which is missing: pip install dm-control")


class Walker:
    """Methods of such a body."""

    media: ClassVar[Media]
    units: Units
    motors: tuple[str, ...]
    middle: Array  # angle = middle + half * action
    half: Array
    neutral: Array

    def action_of(self, angles_rad: Mapping[str, float]) -> Array:
        """(n_motors,) the neutral action with some motors at other commands, cut into [-1, 1].

        angles_rad: by name of the motor: rad for servos, share of the largest for the others. LookupError.
        """
        action = self.neutral.copy()
        for name, angle in angles_rad.items():
            if name not in self.motors:
                who = type(self).__name__
                raise LookupError(f"{who} has no motor {name!r}; {bestiary.nearest(name, self.motors, 'motor')}")
            i = self.motors.index(name)
            action[i] = min(max((angle - self.middle[i]) / self.half[i], -1.0), 1.0)
        return action

    def set_medium(self, bound: Any, model: mujoco.MjModel, medium: Any) -> None:
        """A name of `media`, or (density kg/m^3, viscosity Pa s) of the fluid around it. Raises MediumError."""
        who = type(self).__name__
        if isinstance(medium, str):
            if medium not in self.media:
                raise MediumError(f"no medium {medium!r} for {who}; {bestiary.nearest(medium, self.media, 'medium')}")
            medium = self.media[medium]
        try:
            density, viscosity = (float(v) for v in medium)
        except (TypeError, ValueError):
            raise MediumError(f"{who}'s medium is {', '.join(self.media)} or (kg/m^3, Pa s), got {medium!r}") from None
        if not (0 <= density < 2000 and 0 <= viscosity < 10):
            raise MediumError(f"density is from 0 to 2000 kg/m^3, viscosity from 0 to 10 Pa s, got {medium!r}")
        model.opt.density, model.opt.viscosity = density / self.units.density, viscosity / self.units.viscosity

    def put(
        self, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, position_m: Array, height_m: float | None
    ) -> None:
        """Sets a body that is in its posture above position_m (3,): its lowest point on it, or its root height_m over
        it."""
        mujoco.mj_kinematics(model, data)
        data.qpos[bound.root[:3]] = np.asarray(position_m) / self.units.length
        if height_m is None:
            data.qpos[bound.root[2]] -= bound.lowest(model, data).min()
        else:
            data.qpos[bound.root[2]] += height_m / self.units.length
        mujoco.mj_forward(model, data)

    def seen(self, bound: Any, data: mujoco.MjData, world: World, values: Array) -> dict[str, Array]:
        """The observation from the values (used up) of all senses but the eyes, in their order."""
        np.minimum(np.maximum(values, bound.low, out=values), bound.high, out=values)
        flat = values.astype(np.float32)
        obs = {name: flat[part].reshape(shape) for name, part, shape in bound.parts}
        if bound.sight is not None:
            obs["luminance"] = bound.sight(data, world).copy()  # held between frames
        return obs

    def resume(self, bound: Any, data: mujoco.MjData, obs: Mapping[str, Array]) -> None:
        """After a jump to another moment: the eyes hold what they saw then."""
        if bound.sight is not None:
            bound.sight.hold(data, obs["luminance"])
