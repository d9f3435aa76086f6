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

from bestiary import nearest
from bestiary.bodies._base import MM_MG, Array, Sense, Units, World
from bestiary.bodies._fish_bound import EYE_RAD, Bound
from bestiary.bodies._fish_drag import WATER_KG_PER_M3, add_drag, resistance, turning
from bestiary.bodies._fish_retina import LOOKS, covered, fish_retina, levelled
from bestiary.bodies._fish_skin import draw
from bestiary.errors import MediumError

__all__ = ["BODY", "Zebrafish"]

# Half width and half height of the tissue, and half height with the fin fold, in body lengths / 4 (mm in a larva of
# 4 mm), at fractions of the length. Outlines after Mueller & van Leeuwen 2004 (J Exp Biol 207:853), read off by eye;
# their volume gives the 0.42 mg of notes.
_OUTLINE = np.array(
    [  # fraction, half width, half height, half height with fins
        (0.00, 0.05, 0.06, 0.06),
        (0.03, 0.20, 0.18, 0.18),
        (0.10, 0.33, 0.27, 0.27),
        (0.16, 0.31, 0.30, 0.30),
        (0.225, 0.24, 0.31, 0.31),
        (0.30, 0.19, 0.29, 0.30),
        (0.45, 0.13, 0.21, 0.26),
        (0.60, 0.09, 0.15, 0.24),
        (0.80, 0.055, 0.10, 0.25),
        (0.95, 0.02, 0.05, 0.20),
        (1.00, 0.01, 0.02, 0.10),
    ]
)
_WATER_PA_S, _GRAVITY = 1e-3, 9.81
_LEAN, _FULL = 1.063, 1.011  # specific gravity without and with the bladder's gas: Stewart & McHenry 2010
_BLADDER_RANGE = 0.02  # of specific gravity, down or up at full command: assumed
_EYE_KG = 0.01e-6  # of one, part of the head's
_FIN_LEAN, _FIN_TAU_S = math.radians(25), 0.03  # of a fin's plate from upright, and how soon it is out: assumed


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
        if not 0.9 <= self.specific_gravity <= _LEAN:
            raise ValueError(f"specific_gravity must be from 0.9 to {_LEAN}, got {self.specific_gravity}")
        joints = range(1, self.n_links)
        set_ = object.__setattr__
        set_(self, "medium", viscosity_Pa_s(self.medium))
        set_(self, "radius_m", -self.bottom_m)
        muscles = tuple(f"M{side}{j:02d}" for side in "LR" for j in joints)
        set_(self, "motors", (*muscles, "eye_L", "eye_R", "fin_L", "fin_R", "bladder"))
        set_(self, "senses", self._senses())

    def _senses(self) -> tuple[Sense, ...]:
        n = self.n_links
        seen: tuple[Sense, ...] = ()
        if self.eyes:
            shape = (2, len(fish_retina("L").directions[0]))
            seen = (
                Sense("luminance", shape, 0, 1, "1", "what each pixel of the two eyes sees", rest=0.5),
                Sense("uv", shape, 0, 1, "1", "small things that shine in the ultraviolet (geoms `prey...`)"),
            )
        return (
            *seen,
            Sense("joint_rad", (n - 1,), -3, 3, "rad", "bend of each joint of the tail, + concave to the left"),
            Sense("joint_rad_per_s", (n - 1,), -2e3, 2e3, "rad/s", "its speed"),
            Sense("eye_rad", (2,), -1, 1, "rad", "eyes in the head, + to the left"),
            Sense("gravity", (3,), -1, 1, "1", "which way is down, in the head (utricle): x ahead, y left, z up"),
            Sense("gyro_rad_per_s", (3,), -2e3, 2e3, "rad/s", "turning of the head about its axes (canals)"),
            Sense("lateral_m_per_s", (n, 2), -5, 5, "m/s", "water past each link, along to the tail and to the left"),
            Sense("depth_m", (1,), -1, 1, "m", "below the plane z = 0"),
            Sense("sound_m_per_s2", (2,), -1e3, 1e3, "m/s^2", "water moved at the ears by a tap", external=True),
            Sense("touch_N", (n,), 0, 1e-3, "N", "force on the skin of each link", external=True),
            Sense("temperature_C", (2,), 0, 50, "degC", "at the skin of the head", external=True, rest=26.0),
        )

    # Shape

    @property
    def mass_kg(self) -> float:
        """Of the whole: the volume of the outline times the specific gravity."""
        return self.volume_m3 * self.specific_gravity * WATER_KG_PER_M3

    @property
    def volume_m3(self) -> float:
        return float(self.sections()["volume"].sum())

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

    def outline_m(self, fraction: Array) -> Array:
        """(3, ...) half width and half height of the tissue, half height with fins, at places 0 nose to 1 tail."""
        scale = self.length_m / 4.0
        return np.stack([np.interp(fraction, _OUTLINE[:, 0], column) * scale for column in _OUTLINE[:, 1:].T])

    def sections(self) -> dict[str, Array]:
        """Of each link: volume, mean half width w, mean half height h, mean height with fins H, wetted girth; SI."""
        at = np.linspace(self.edges_m[:-1], self.edges_m[1:], 33) / self.length_m
        w, h, fin = self.outline_m(at)
        long = np.diff(self.edges_m)
        return {
            "volume": math.pi * (w * h).mean(0) * long,
            "w": w.mean(0),
            "h": h.mean(0),
            "height": 2 * fin.mean(0),
            "girth": math.pi * (1.5 * (w + h) - np.sqrt(w * h)).mean(0) + 4 * (fin - h).mean(0),
            "long": long,
        }

    def bending_Nm2(self) -> Array:
        """(n_joints,) stiffness EI: as width cubed times height, from `stiffness_Nm2` where the tail begins."""
        w, h, _ = self.outline_m(self.joint_fraction)
        shape = w**3 * h
        # the notochord and the fin rays keep the thin end from being a thread: a fiftieth is left of it
        return np.asarray(self.stiffness_Nm2 * np.maximum(shape / shape[0], 0.02))

    # Model

    def spec(self) -> mujoco.MjSpec:
        """The fish, straight along x with its nose at +x, its eyes and fins, its cameras."""
        u, n = self.units, self.n_links
        spec = mujoco.MjSpec()
        spec.modelname = "zebrafish"
        spec.option.timestep = float(self.physics_s)
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        # tissue in water: the weight that is left without the bladder is spread as the mass is; the bladder lifts
        spec.option.gravity = [0, 0, -_GRAVITY * (1 - 1 / _LEAN) / u.acceleration]
        off = mujoco.mjtDisableBit
        spec.option.disableflags = int(off.mjDSBL_CONTACT | off.mjDSBL_CONSTRAINT | off.mjDSBL_SENSOR)
        seen = (2 + LOOKS) * int(np.prod(self.senses[0].shape)) if self.eyes else 0
        spec.nuserdata = seen + (len(resistance(self, self.medium)) if self.reactive else 0)
        spec.worldbody.add_site(name="water", group=4)
        part, edges = self.sections(), self.edges_m / u.length
        mass = part["volume"] * self.specific_gravity * WATER_KG_PER_M3 / u.mass
        mass[0] -= 2 * _EYE_KG / u.mass
        bending, spacing = self.bending_Nm2(), self.edges_m[2] - self.edges_m[1]
        parent = root = spec.worldbody.add_body(name="link00")
        free = root.add_freejoint(name="root")
        if self.head_fixed:  # so heavy that nothing moves it, and without weight
            free.armature = 1e3 / u.mass
        for i in range(n):
            half = (edges[i + 1] - edges[i]) / 2
            if i:
                at = -edges[1] / 2 if i == 1 else -2 * half
                body = parent.add_body(name=f"link{i:02d}", pos=[at, 0, 0])
                stiffness = bending[i - 1] / spacing / u.torque
                kinds: list[tuple[str, list[float], float]] = [("bend", [0, 0, -1], 1.0)]
                if i == 4:  # small pitch, stiffer by what the tissue is higher than wide, shared by the joints
                    kinds.append(("pitch", [0, 1, 0], 1.0))
                for kind, axis, harder in kinds:
                    body.add_joint(
                        name=f"{kind}{i:02d}",
                        type=mujoco.mjtJoint.mjJNT_HINGE,
                        axis=axis,
                        stiffness=[harder * stiffness, 0, 0],
                        damping=[harder * stiffness * self.damping_s, 0, 0],
                    )
            else:
                body = root
            middle = 0.0 if i == 0 else -half
            body.add_geom(
                name=f"link{i:02d}",
                type=mujoco.mjtGeom.mjGEOM_ELLIPSOID,
                size=[half, part["w"][i] / u.length, part["h"][i] / u.length],
                pos=[middle, 0, 0],
                mass=float(mass[i]),
                contype=0,
                conaffinity=0,
                group=3,
            )
            body.add_site(name=f"link{i:02d}", pos=[middle, 0, 0], group=4)
            parent = body
        parent.add_site(name="tail", pos=[-2 * half, 0, 0], group=4)
        self._head(spec, root, edges)
        self._muscles(spec)
        add_drag(spec, self)
        draw(spec, root, self)
        return spec

    def _head(self, spec: mujoco.MjSpec, root: Any, edges: Array) -> None:
        """Eyes on hinges, fins, and the bladder over the centre of mass."""
        u, size = self.units, self.length_m / 4e-3
        mm, nN_mm = 1e-3 * size / u.length, 1e-12 / u.torque
        root.add_site(name="nose", pos=[edges[1] / 2, 0, 0], group=4)
        for side, sign in (("L", 1), ("R", -1)):
            eye = root.add_body(name=f"eye_{side}", pos=[0.06 * mm, 0.24 * sign * mm, 0.04 * mm])
            eye.add_joint(name=f"eye_{side}", axis=[0, 0, 1], damping=[1e-3 * nN_mm, 0, 0])
            eye.add_geom(
                name=f"eye_{side}",
                type=mujoco.mjtGeom.mjGEOM_ELLIPSOID,
                size=[0.15 * mm, 0.12 * mm, 0.14 * mm],
                mass=_EYE_KG / u.mass,
                rgba=[0.08, 0.07, 0.09, 1],
                contype=0,
                conaffinity=0,
                group=1,
            )
            eye.add_camera(name=f"eye_{side}", fovy=90)
        for side, sign in (("L", 1), ("R", -1)):
            angle = sign * (math.pi - 0.7)
            root.add_geom(
                name=f"fin_{side}",
                type=mujoco.mjtGeom.mjGEOM_ELLIPSOID,
                size=[0.22 * mm, 0.01 * mm, 0.12 * mm],
                pos=[(-0.38 + 0.2 * math.cos(angle)) * mm, (0.22 * sign + 0.2 * math.sin(angle)) * mm, 0],
                quat=[math.cos(angle / 2), 0, 0, math.sin(angle / 2)],
                mass=0,
                rgba=[0.75, 0.72, 0.66, 0.6],
                contype=0,
                conaffinity=0,
                group=1,
            )
            root.add_site(name=f"fin_{side}", pos=[-0.45 * mm, 0.4 * sign * mm, 0], group=4)
        root.add_site(name="bladder", pos=[self._balance_m() / u.length, 0, 0.06 * mm], group=4)

    def _balance_m(self) -> float:
        """Centre of mass of the straight fish ahead of the middle of its head, m."""
        middles = self.head_m / 2 - (self.edges_m[1:] + self.edges_m[:-1]) / 2
        volume = self.sections()["volume"]
        return float((middles * volume).sum() / volume.sum())

    def _muscles(self, spec: mujoco.MjSpec) -> None:
        """Two muscles at every joint, left and right, that can only pull; servos of eyes and fins; the bladder's lift.

        Torque = EI times the static curvature: a muscle's moment grows with its section and its arm as EI does.
        """
        u, joints = self.units, range(1, self.n_links)
        torque = self.bending_Nm2() * self.muscle_bend / self.length_m / u.torque
        for side, sign in (("L", 1), ("R", -1)):
            for j in joints:
                muscle = spec.add_actuator(
                    name=f"M{side}{j:02d}",
                    trntype=mujoco.mjtTrn.mjTRN_JOINT,
                    target=f"bend{j:02d}",
                    dyntype=mujoco.mjtDyn.mjDYN_FILTEREXACT,
                    ctrllimited=True,
                    ctrlrange=[0, 1],
                )
                muscle.dynprm[0] = self.muscle_tau_s
                muscle.gainprm[0] = sign * torque[j - 1]
        nN_mm = 1e-12 / u.torque
        for side in "LR":
            servo = spec.add_actuator(
                name=f"eye_{side}",
                trntype=mujoco.mjtTrn.mjTRN_JOINT,
                target=f"eye_{side}",
                biastype=mujoco.mjtBias.mjBIAS_AFFINE,
                ctrllimited=True,
                ctrlrange=[-EYE_RAD, EYE_RAD],
            )
            servo.gainprm[0], servo.biasprm[1] = 0.05 * nN_mm, -0.05 * nN_mm
        long = 0.4e-3 * self.length_m / 4e-3
        for side in "LR":
            # a fin that is held out is a plate: it resists motion along its normal, which leans so that it lifts
            fin = spec.add_actuator(
                name=f"fin_{side}",
                trntype=mujoco.mjtTrn.mjTRN_SITE,
                target=f"fin_{side}",
                dyntype=mujoco.mjtDyn.mjDYN_FILTEREXACT,
                gaintype=mujoco.mjtGain.mjGAIN_AFFINE,
                ctrllimited=True,
                ctrlrange=[0, 1],
            )
            fin.gear = [math.cos(_FIN_LEAN), 0, -math.sin(_FIN_LEAN), 0, 0, 0]
            fin.dynprm[0] = _FIN_TAU_S
            fin.gainprm[:3] = 0, 0, -3 * math.pi * self.medium * long / u.drag
        lift = spec.add_actuator(
            name="bladder",
            trntype=mujoco.mjtTrn.mjTRN_SITE,
            target="bladder",
            refsite="water",
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            ctrllimited=True,
            ctrlrange=[-1, 1],
        )
        lift.gear = [0, 0, 1, 0, 0, 0]
        weight = self.mass_kg * _GRAVITY / u.force
        lift.biasprm[0] = weight * (1 / self.specific_gravity - 1 / _LEAN)
        lift.gainprm[0] = weight * _BLADDER_RANGE / self.specific_gravity

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
        views = bound.views
        if views[0] is not data:  # looking these up takes a tenth of a step
            views[:] = data, data.actuator_velocity[bound.drags], data.ctrl[bound.drags], data.qpos
        _, speed, given, qpos = views
        np.abs(speed, given)
        if self.reactive:
            old = data.userdata[bound.memory]
            np.multiply(bound.added_rate, old, bound.offset)
            np.add(old, bound.keep * (speed - old), old)
        elif bound.resting.item():
            bound.offset[:] = bound.resting[0] = 0
        if qpos.item(bound.root_z) < bound.near_bottom:
            depth = bound.bottom + bound.half_height - data.site_xpos[bound.up_sites, 2]
            bound.offset[bound.up] += bound.hold * np.maximum(depth, 0)
            bound.resting[0] = True

    def many(self, bound: Bound, batch: Any) -> Bound:
        """`bound` for all fish of a `mujoco.batch.Batch`, for `before_steps`."""
        offset = batch.expand("actuator_biasprm")[:, bound.drags, 0]
        return replace(bound, offset=offset, resting=np.zeros(len(offset), bool))

    def before_steps(self, bound: Bound, batch: Any) -> None:
        """`before_step` of all fish of a batch."""
        speed = batch.actuator_velocity[:, bound.drags]
        np.abs(speed, batch.ctrl[:, bound.drags])
        if self.reactive:
            old = batch.userdata[:, bound.memory]
            np.multiply(bound.added_rate, old, bound.offset)
            np.add(old, bound.keep * (speed - old), old)
        elif bound.resting.any():
            bound.offset[bound.resting] = bound.resting[:] = 0
        if len(low := np.flatnonzero(batch.qpos[:, bound.root_z] < bound.near_bottom)):
            depth = bound.bottom + bound.half_height - batch.site_xpos[low][:, bound.up_sites, 2]
            bound.offset[low, bound.up] += bound.hold * np.maximum(depth, 0)
            bound.resting[low] = True

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
        size, now, sites = self.units.length, data.time, data.site_xpos
        skin = sites[bound.links] * size
        speed = data.actuator_velocity
        lateral = np.stack([speed[bound.along][bound.carrier], -speed[bound.across]], axis=1) * size
        lateral[:, 1] += world.sample("lateral_m_per_s", skin, bound.link_fraction, now)  # a jet, + to the left
        felt = {
            "joint_rad": data.qpos[bound.bend],
            "joint_rad_per_s": data.qvel[bound.bend_dof],
            "eye_rad": data.qpos[bound.eyes],
            "gravity": -data.xmat[bound.body, 6:9],
            "gyro_rad_per_s": data.qvel[bound.spin],
            "lateral_m_per_s": lateral,
            "depth_m": -skin[:1, 2],
            "sound_m_per_s2": world.sample("sound_m_per_s2", skin[_EARS], _AT_NOSE, now),
            "touch_N": world.sample("touch_N", skin, bound.link_fraction, now),
            "temperature_C": world.sample("temperature_C", skin[_EARS], _AT_NOSE, now),
        }
        low, high, parts = bound.bounds  # all at once: ten small arrays one by one take ten times as long
        flat = np.concatenate([felt[name].ravel() for name, _, _ in parts])
        flat = np.minimum(np.maximum(flat, low), high).astype(np.float32)
        seen = self._see(bound, data, world) if self.eyes else {}
        return {**seen, **{name: flat[at].reshape(shape) for name, at, shape in parts}}

    def _see(self, bound: Bound, data: mujoco.MjData, world: World) -> dict[str, Array]:
        """Both retinas, taken anew 100 times a second; between, they stand in `userdata`, which is saved: what is told
        of light and ultraviolet, then the last looks, one of each ray of a pixel, of which the former is the mean."""
        eyes = bound.eye
        held = data.userdata[: (2 + LOOKS) * len(eyes) * eyes[0][0].rays.shape[1]].reshape(2 + LOOKS, len(eyes), -1)
        if round(data.time / 1e-3) % round(1e3 * _LOOK_S) == 0:
            look = round(data.time / _LOOK_S)
            for i, eye in enumerate(eyes):
                axes = levelled(data.xmat[eye[0].body], self.gaze_gain)
                for k in range(LOOKS) if look == 0 else (look % LOOKS,):
                    held[2 + k, i] = eye[k].see(bound.model, data, world, data.time, axes)[0]
                held[1, i] = 0
                if len(bound.prey):
                    ways = eye[0].retina.directions[0] @ axes.T
                    places, radii = data.geom_xpos[bound.prey], bound.model.geom_size[bound.prey, 0]
                    held[1, i] = covered(ways, data.cam_xpos[eye[0].cameras[0]], places, radii)
            held[0] = held[2:].mean(0).clip(0, 1)
        return {"luminance": held[0].astype(np.float32), "uv": held[1].astype(np.float32)}

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


_LOOK_S = 0.01
_AT_NOSE = np.zeros(2)
_EARS = np.zeros(2, int)  # both lie in the head


def viscosity_Pa_s(medium: Any) -> float:
    """Of "water" (1 mPa s) or a number in Pa s, 1e-4 to 1. Raises MediumError."""
    if isinstance(medium, str):
        if medium != "water":
            raise MediumError(f"no medium {medium!r} for a fish; {nearest(medium, ['water'], 'medium')}, or Pa s")
        return _WATER_PA_S
    good = isinstance(medium, int | float) and not isinstance(medium, bool) and math.isfinite(medium)
    if not good or not 1e-4 <= medium <= 1:
        raise MediumError(f"viscosity for a fish must be from 1e-4 to 1 Pa s, got {medium!r}; water is 1e-3")
    return float(medium)


BODY = Zebrafish
