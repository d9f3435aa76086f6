"""Danio rerio, larva of 5 to 7 days: a rigid head, a tail of links with muscles on both sides, drag, bladder, eyes.

Axes of every link: x to the head, y to the animal's left, z up. Positive bending is concave to the left. The water's
plane z = 0 lies between its surface and its bottom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import MM_MG, Array, Sense, Units, World
from bestiary.bodies._fish_bound import Bound
from bestiary.bodies._fish_drag import WATER_KG_PER_M3, resistance, turning, viscosity_Pa_s
from bestiary.bodies._fish_model import model_spec
from bestiary.bodies._fish_motors import LEAN
from bestiary.bodies._fish_senses import felt, senses
from bestiary.bodies._fish_shape import sections
from bestiary.bodies._fish_step import before_step, before_steps

__all__ = ["BODY", "Zebrafish"]

_FULL = 1.011  # specific gravity with the bladder's gas: Stewart & McHenry 2010


@dataclass(frozen=True)
class Zebrafish:
    """A larval zebrafish as an immutable description. Everything is SI.

    medium: "water", or a viscosity in Pa s. length_m: of the whole, fin included (Z01). head_m: the rigid part.
    n_links: the head and the links of the tail, 12 to 16. specific_gravity: at rest, bladder inflated (Z02).
    normal_drag: C_n of the quadratic drag across a link, force = C_n density height length v|v| / 2: between a cylinder
        (1.2) and a flat plate (2 and more) at Reynolds numbers of 100. normal_viscous, tangential_viscous: force = c
        viscosity length v of a slender body (Lighthill 1976: 3.0 and 2.0). tangential_drag: skin friction, over the
        wetted surface. These but normal_viscous, stiffness, damping and, in the cord, the muscles' strengths and the
        share of slow drive were found together by `bestiary fit zebrafish swim` on Z04, Z07, Z08, Z10, Z12 and Z15
        (log: assets/zebrafish/fit_swim.json). No escape (Z11) is among its targets.
    reactive: share of the added mass pi/4 density height^2 of each link that is carried along (0: none; 1: a slender
        body in ideal flow). It is a force -m dv/dt behind a filter of reactive_tau_s, which stays implicit.
    muscle_tau_s: activation, rise and fall, first order: cycles of 10 ms (Z11) leave no more. muscle_bend: static
        curvature times length of a tail whose left side is fully active and whose right is silent. stiffness_Nm2: EI
        where the tail begins; it falls as width cubed times height. damping_s: inner viscosity over stiffness.
    surface_m, bottom_m: height of the water's surface and of its bottom. The head cannot sink below the bottom; a fish
        whose head is above the surface has left the water (`ended`).
    eyes: whether it has a retina (`luminance`, `uv`): without, the body is faster.
    gaze_gain: share of the head's roll and pitch that the eyes take back, as far as they reach: the utricle's reflex,
        which larvae have from 3 days on (Mo 2010 BMC Neurosci 11:110; Bianco 2012 Curr Biol 22:1285); its neurons and
        muscles are not modelled, and its gain is assumed.
    head_fixed: held by the head, as in agarose, with the tail and the eyes free.
    control_s, physics_s: default clock periods. units: of the model, for tests.
    """

    medium: Any = "water"
    length_m: float = 4.0e-3
    head_m: float = 0.9e-3
    n_links: int = 12
    specific_gravity: float = _FULL
    normal_drag: float = 2.225
    normal_viscous: float = 3.0
    tangential_viscous: float = 1.969
    tangential_drag: float = 0.0246
    reactive: float = 0.0
    reactive_tau_s: float = 5e-4
    muscle_tau_s: float = 0.0015
    muscle_bend: float = 80.0
    stiffness_Nm2: float = 3.762e-12
    damping_s: float = 0.005323
    surface_m: float = 5e-3
    bottom_m: float = -5e-3
    eyes: bool = True
    gaze_gain: float = 0.9
    head_fixed: bool = False
    control_s: str = "0.001"
    physics_s: str = "0.0002"
    units: Units = MM_MG
    radius_m: float = field(init=False)  # how far below the fish a task may draw its ground: at the bottom
    motors: tuple[str, ...] = field(init=False)
    senses: tuple[Sense, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not 12 <= self.n_links <= 16:
            raise ValueError(f"Zebrafish has 12 to 16 links, got n_links={self.n_links}")
        positive = ("length_m", "head_m", "muscle_tau_s", "stiffness_Nm2", "reactive_tau_s")
        for name in positive:
            if not (math.isfinite(value := getattr(self, name)) and value > 0):
                raise ValueError(f"{name} of Zebrafish must be positive and finite, got {value}")
        drags = ("normal_drag", "normal_viscous", "tangential_viscous", "tangential_drag", "reactive", "damping_s")
        for name in (*drags, "muscle_bend"):
            if not (math.isfinite(value := getattr(self, name)) and value >= 0):
                raise ValueError(f"{name} of Zebrafish must be finite and not negative, got {value}")
        if not 0 <= self.gaze_gain <= 1:
            raise ValueError(f"gaze_gain of Zebrafish must be from 0 to 1, got {self.gaze_gain}")
        if not self.head_m < 0.5 * self.length_m:
            raise ValueError(f"head_m must be below half of length_m ({self.length_m} m), got {self.head_m}")
        if not self.bottom_m < 0 < self.surface_m:
            raise ValueError(f"bottom_m < 0 < surface_m is needed, got {self.bottom_m} and {self.surface_m} m")
        if not 0.9 <= self.specific_gravity <= LEAN:
            raise ValueError(f"specific_gravity must be from 0.9 to {LEAN}, got {self.specific_gravity}")
        joints = range(1, self.n_links)
        set_ = object.__setattr__
        set_(self, "medium", viscosity_Pa_s(self.medium))
        set_(self, "radius_m", -self.bottom_m)
        muscles = tuple(f"M{side}{j:02d}" for side in "LR" for j in joints)
        set_(self, "motors", (*muscles, "eye_L", "eye_R", "fin_L", "fin_R", "bladder"))
        set_(self, "senses", senses(self))

    # Shape

    @property
    def mass_kg(self) -> float:
        """Of the whole: the volume of the outline times the specific gravity."""
        return self.volume_m3 * self.specific_gravity * WATER_KG_PER_M3

    @property
    def volume_m3(self) -> float:
        return float(sections(self)["volume"].sum())

    @property
    def edges_m(self) -> Array:
        """(n_links + 1,) places of the ends of the links, m from the nose."""
        return np.concatenate([[0.0], np.linspace(self.head_m, self.length_m, self.n_links)])

    @property
    def link_fraction(self) -> Array:
        """(n_links,) middles of the links, 0 nose to 1 tail."""
        return (self.edges_m[1:] + self.edges_m[:-1]) / 2 / self.length_m

    @property
    def joint_fraction(self) -> Array:
        """(n_links - 1,) places of the joints, 0 nose to 1 tail."""
        return self.edges_m[1:-1] / self.length_m

    # Model

    def spec(self) -> mujoco.MjSpec:
        """The fish, straight along x with its nose at +x, its eyes and fins, its cameras."""
        return model_spec(self)

    # Running

    def bind(self, model: mujoco.MjModel) -> Bound:
        """Indices of the fish in a compiled model."""
        return Bound.of(self, model)

    def set_medium(self, bound: Bound, model: mujoco.MjModel, medium: Any) -> float:
        """Another viscosity, in Pa s or "water", without compiling. Raises MediumError, and then changes nothing."""
        value = viscosity_Pa_s(medium)
        bound.slope[:] = [-row[2] for row in resistance(self, value)] - bound.added_rate
        model.dof_damping[bound.spin] = turning(self, value)
        model.actuator_gainprm[bound.fins, 2] *= value / float(bound.medium[0])
        bound.medium[0] = value
        return value

    def place(
        self,
        bound: Bound,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        position_m: Array,
        heading_rad: float = 0.0,
        curvature: Array | float | None = None,
    ) -> None:
        """At rest and level with its centre of mass at position_m (3,), head towards heading_rad.

        curvature: per m, a number or (n_joints,), concave to the left positive; None is straight. Muscles are silent.
        """
        data.qvel[bound.dofs] = 0
        data.qpos[bound.hinges] = 0
        spacing = self.edges_m[2] - self.edges_m[1]
        data.qpos[bound.bend] = np.asarray(0.0 if curvature is None else curvature) * spacing
        data.qpos[bound.root] = [0, 0, 0, math.cos(heading_rad / 2), 0, 0, math.sin(heading_rad / 2)]
        data.act[bound.act] = 0
        data.ctrl[:] = 0
        data.userdata[:] = 0
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        centre = data.subtree_com[bound.body]
        data.qpos[bound.root[:3]] = np.asarray(position_m) / self.units.length - centre
        mujoco.mj_forward(model, data)

    def apply(self, bound: Bound, data: mujoco.MjData, action: Array) -> None:
        """action (n_motors,) in [-1, 1]: muscles and fins 0 (or less) folded to 1 held out; eyes -1 right to 1 left, 40
        degrees; bladder -1 heavier to 1 lighter by 2 % of the weight, neutral buoyancy at 0.55."""
        data.ctrl[bound.motors] = action * bound.full

    def before_step(self, bound: Bound, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Gives the drags the present speeds, and stands the fish on the bottom."""
        before_step(self, bound, data)

    def many(self, bound: Bound, batch: Any) -> Bound:
        """`bound` for all fish of a `mujoco.batch.Batch`, for `before_steps`."""
        offset = batch.expand("actuator_biasprm")[:, bound.drags, 0]
        return replace(bound, offset=offset, resting=np.zeros(len(offset), bool))

    def before_steps(self, bound: Bound, batch: Any) -> None:
        """`before_step` of all fish of a batch."""
        before_steps(self, bound, batch)

    def ended(self, bound: Bound, data: mujoco.MjData) -> str:
        """Why the episode cannot go on, or ""."""
        height_m = data.xpos[bound.body, 2] * self.units.length
        if height_m > self.surface_m:
            return (
                f"the fish left the water: its head is {1e3 * height_m:.2f} mm up, the surface at "
                f"{1e3 * self.surface_m:g} mm"
            )
        return ""

    def sense(self, bound: Bound, data: mujoco.MjData, world: World) -> dict[str, Array]:
        """Observation: every `Sense` by name, float32, within its bounds."""
        return felt(self, bound, data, world)

    def pose(self, bound: Bound, data: mujoco.MjData) -> dict[str, Array]:
        """midline_m (n_links + 1, 3) nose to tail, com_m (3,), velocity_m_per_s (3,) of the centre of mass,
        curvature_per_m (n_joints,) concave to the left positive, heading_rad, pitch_rad (nose up), roll_rad (left
        side up) of the head, eye_rad (2,), muscle (n_motors,) activation in [0, 1]."""
        size = self.units.length
        midline = np.empty((self.n_links + 1, 3))
        midline[1:-1] = data.xpos[bound.tail]
        midline[[0, -1]] = data.site_xpos[bound.tips]
        mujoco.mj_mulM(bound.model, data, bound.momentum, data.qvel)
        turn = data.xmat[bound.body]
        muscle = np.abs(data.ctrl[bound.motors] / bound.full)
        muscle[bound.filtered] = data.act[bound.act]
        return {
            "midline_m": midline * size,
            "com_m": data.subtree_com[bound.body] * size,
            "velocity_m_per_s": bound.momentum[bound.root_dof] * (0.0 if self.head_fixed else size / bound.mass),
            "curvature_per_m": data.qpos[bound.bend] / bound.spacing_m,
            "heading_rad": np.arctan2(turn[3], turn[0]),
            "pitch_rad": np.arcsin(np.clip(turn[6], -1, 1)),
            "roll_rad": np.arctan2(turn[7], turn[8]),
            "eye_rad": data.qpos[bound.eyes],
            "muscle": muscle,
        }


BODY = Zebrafish
