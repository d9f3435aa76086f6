"""What every body shares: units, the description of its senses, and the protocol that environments call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import mujoco

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Units:
    """SI size of one model unit. Time is always seconds, so fps, solref and data.time keep their meaning."""

    length: float  # m
    mass: float  # kg

    @property
    def force(self) -> float:
        """N per model unit."""
        return self.mass * self.length

    @property
    def torque(self) -> float:
        """N m per model unit; also hinge stiffness (per rad), hinge damping (times s) and inertia (times s^2)."""
        return self.mass * self.length**2

    @property
    def drag(self) -> float:
        """N s/m per model unit."""
        return self.mass

    @property
    def density(self) -> float:
        """kg/m^3 per model unit."""
        return self.mass / self.length**3

    @property
    def viscosity(self) -> float:
        """Pa s per model unit."""
        return self.mass / self.length

    @property
    def acceleration(self) -> float:
        """m/s^2 per model unit."""
        return self.length


MM_MG = Units(length=1e-3, mass=1e-6)  # water: density 1, viscosity 1; gravity 9810; force in nN
CM_G = Units(length=1e-2, mass=1e-3)


@dataclass(frozen=True, slots=True)
class Sense:
    """One key of the observation: what a group of receptors sees, in SI.

    shape, low, high: of the float32 Box. unit: SI unit as text. external: the value is a field of the world, which
    the task gives at the receptors' places (`World.sample`); otherwise the body measures it on itself. rest: the value
    where the world has no such field.
    """

    name: str
    shape: tuple[int, ...]
    low: float
    high: float
    unit: str
    about: str
    external: bool = False
    rest: float = 0.0


class World(Protocol):
    """What a task offers to the senses of any body."""

    def sample(self, sense: str, position_m: Array, fraction: Array, time_s: float) -> Array:
        """Field values (n,) of `sense` in its unit at world positions (n, 3) m.

        fraction (n,): where on the body the receptor sits, 0 nose to 1 tail (a touch is given at a place on the body).
        A field that the world does not have is `Sense.rest` everywhere.
        """
        ...


class Body(Protocol):
    """A body: immutable description. All lengths, forces and signals that cross this interface are SI."""

    units: Units
    length_m: float
    motors: tuple[str, ...]  # the order of every action
    senses: tuple[Sense, ...]
    control_s: str  # default clock periods, decimal strings
    physics_s: str

    def spec(self) -> mujoco.MjSpec:
        """A fresh, editable model; tasks furnish it before it is compiled."""
        ...

    def bind(self, model: mujoco.MjModel) -> Any:
        """Indices of this body in a compiled model, passed back to `apply`, `sense` and `pose`."""
        ...

    def set_medium(self, bound: Any, model: mujoco.MjModel, medium: Any) -> None:
        """Puts the body into a medium, by name or by value, changing only `model`. Raises MediumError."""
        ...

    def place(
        self,
        bound: Any,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        position_m: Array,
        heading_rad: float,
        curvature: Any = None,
    ) -> None:
        """Puts the body at position_m (3,), head towards heading_rad in the ground plane, before an episode."""
        ...

    def apply(self, bound: Any, data: mujoco.MjData, action: Array) -> None:
        """Writes motor commands, action (n_motors,) in [-1, 1], into `data`."""
        ...

    def sense(self, bound: Any, data: mujoco.MjData, world: World) -> dict[str, Array]:
        """Observation: every `Sense` by name, float32, clipped into its bounds."""
        ...

    # What a body may have besides.
    # before_step(bound, model, data): called before every physics step (drag that depends on speed).
    # before_steps(many, batch): the same of all bodies of a `mujoco.batch.Batch`, with many = `many(bound, batch)`.
    # resume(bound, data, obs): called after a jump to another moment, whose observation was `obs`, for what receptors
    #   hold between frames. What a bound holds of one simulation alone (`_eye.Sight`) has `fresh()`, for another one.
    # leading: True where `apply`, `sense` and `posture` (`pose` but for what needs a whole MjData, which a task then
    #   does without) take arrays with a leading axis of many simulations; such a body has no `ended` or `upright`.
    # view_deg: (azimuth, elevation) from where it is best seen.
    # ground_m: the height of the ground below a position of height 0.

    def pose(self, bound: Any, data: mujoco.MjData) -> dict[str, Array]:
        """Ground truth for measures and plots: at least `midline_m` (n, 3), head first, and `com_m` (3,)."""
        ...


def as_slice(index: Array) -> Any:
    """A slice where the indices are contiguous (faster), else themselves."""
    first = int(index[0])
    return slice(first, first + len(index)) if (np.diff(index) == 1).all() else index
