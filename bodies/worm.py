"""C. elegans, adult hermaphrodite: a bending rod of rigid links, 95 muscles in four rows, viscous drag.

Axes of every link: x to the head, y dorsal, z to the animal's right. It lies on its left side, so that dorsoventral
bending is in the plane z = 0, which is the height of its midline on agar. Positive bending is dorsal, or left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import mujoco
import numpy as np

from bestiary.bodies._base import MM_MG, Array, Sense, Units, World, as_slice
from bestiary.bodies._medium import Medium

__all__ = ["BODY", "Medium", "Worm"]

ROWS = {"DL": 24, "DR": 24, "VL": 23, "VR": 24}  # White et al 1986; names as in Cook et al 2019
_DORSAL = {"D": 1, "V": -1}
_LEFT = {"L": 1, "R": -1}
_REFERENCE_M = 1e-3  # the length to which the drag of a Medium belongs
# Added to every joint. The joint's own damping stops it within 1e-6 s, so it has no effect on the motion; without it a
# muscle that switches on accelerates the bare tip (1e-22 kg m2) past a limit that MuJoCo checks before it is implicit
_ARMATURE_KGM2 = 1e-17
_HOLD_EVERY, _ROLL_EVERY = 2, 5  # links; the totals do not depend on it


@dataclass(frozen=True)
class Worm:
    """C. elegans, adult hermaphrodite, as an immutable description. Everything is SI.

    medium: name, viscosity in Pa s, (tangential, normal) drag in N s/m, or a `Medium`.
    length_m, radius_m: body and its largest radius; the radius falls to the ends as an ellipse (Boyle 2012).
    n_links: rigid links, odd. Every joint bends dorsoventrally, in the plane of the agar.
    side_every: one lateral hinge for so many joints, in their middle, with their compliance and their muscles together:
        1 gives each joint its own, at two thirds of the speed.
    density_kg_per_m3: 1090 gives 2.8 ug; the worm has no weight here: the film carries it, or it is taken as buoyant.
    bending_Nm2: EI, 9.5e-14 (Fang-Yen 2010), the same all along the body and in both planes.
    internal_Nm3s: inner viscosity, the upper bound of Fang-Yen 2010 (5e-16): EI relaxes in 5 ms by itself.
    muscle_tau_s: first-order activation of the muscles (Boyle 2012).
    peak_curvature_per_m: static bend when one side is fully active and the other silent; it sets the muscles' force.
    strength_slope: muscles weaken along the body as 1 - slope * s; 0.6 in Boyle 2012.
    film_N_per_m2: stiffness with which the film on agar holds the body down, per length: 2 * 0.07 N/m over a radius.
    control_s, physics_s: default clock periods. Springs and drag are implicit: speed and bend of a gait change by less
        than 0.5 % from 0.5 to 5 ms, in water as on agar, and by 1 % up to 10 ms.
    units: of the model, for tests.

    There are no contacts, not with itself either, and no gravity.
    """

    medium: Any = "agar"
    length_m: float = 1.0e-3
    radius_m: float = 35e-6
    n_links: int = 25
    side_every: int = 3
    density_kg_per_m3: float = 1090.0
    bending_Nm2: float = 9.5e-14
    internal_Nm3s: float = 5e-16
    muscle_tau_s: float = 0.1
    peak_curvature_per_m: float = 13e3
    strength_slope: float = 0.0
    film_N_per_m2: float = 4e3
    control_s: str = "0.01"
    physics_s: str = "0.005"
    units: Units = MM_MG
    leading: ClassVar[bool] = True
    motors: tuple[str, ...] = field(init=False)
    senses: tuple[Sense, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.n_links < 25 or self.n_links % 2 == 0:
            raise ValueError(f"Worm needs an odd number of links, 25 or more, got n_links={self.n_links}")
        half = self.n_links // 2
        if self.side_every not in (fits := [k for k in range(1, half + 1, 2) if half % k == 0]):
            raise ValueError(
                f"side_every of Worm must be odd and divide the {half} joints of half a worm: {fits}, "
                f"got side_every={self.side_every}"
            )
        for name in ("length_m", "radius_m", "density_kg_per_m3", "bending_Nm2", "muscle_tau_s"):
            if not (math.isfinite(value := getattr(self, name)) and value > 0):
                raise ValueError(f"{name} of Worm must be positive and finite, got {value}")
        for name in ("internal_Nm3s", "peak_curvature_per_m", "film_N_per_m2"):
            if not (math.isfinite(value := getattr(self, name)) and value >= 0):
                raise ValueError(f"{name} of Worm must be finite and not negative, got {value}")
        if not 0 <= self.strength_slope <= 1:
            raise ValueError(f"strength_slope of Worm must be from 0 (uniform) to 1, got {self.strength_slope}")
        set_ = object.__setattr__
        set_(self, "medium", Medium.of(self.medium))
        set_(self, "motors", tuple(f"M{row}{i + 1:02d}" for row, n in ROWS.items() for i in range(n)))
        nose = (2,)  # left, right amphid
        set_(
            self,
            "senses",
            (
                Sense("stretch", (4, self.n_links - 1), -1, 1, "1", f"strain of rows {', '.join(ROWS)}, + is longer"),
                Sense("touch_N", (self.n_links,), 0, 1e-3, "N", "force on the skin of each link", external=True),
                Sense("nacl_mol_per_m3", nose, 0, 2e3, "mol/m^3", "salt (ASE)", external=True),
                Sense("butanone_mol_per_m3", nose, 0, 2e3, "mol/m^3", "attractive odour (AWC)", external=True),
                Sense("diacetyl_mol_per_m3", nose, 0, 2e3, "mol/m^3", "attractive odour (AWA)", external=True),
                Sense("glycerol_mol_per_m3", nose, 0, 1e4, "mol/m^3", "noxious osmolarity (ASH)", external=True),
                Sense("oxygen_kPa", nose, 0, 101, "kPa", "partial pressure (URX)", external=True, rest=21.0),
                Sense("temperature_C", nose, 0, 50, "degC", "temperature (AFD)", external=True, rest=20.0),
            ),
        )

    # Shape

    @property
    def joint_fraction(self) -> Array:
        """(n_links - 1,) places of the joints, 0 nose to 1 tail."""
        return np.arange(1, self.n_links) / self.n_links

    @property
    def muscle_fraction(self) -> Array:
        """(95,) places of the middles of the muscles; the 23 of VL share the length that the other rows share by 24."""
        return np.concatenate([(np.arange(n) + 0.5) / n for n in ROWS.values()])

    def radius_at_m(self, fraction: Array) -> Array:
        """Radius at a place along the body, the ellipse of Boyle 2012."""
        return self.radius_m * 2 * np.sqrt(np.clip(fraction * (1 - fraction), 0, None))

    def muscle_weight(self) -> Array:
        """(95, n_joints) share of each joint's bending that a muscle covers: a tent over two of its own lengths.

        At every joint the shares of one row add up to 1, so that even tone bends the body evenly.
        """
        n = np.concatenate([np.full(n, n) for n in ROWS.values()])
        return np.clip(1 - np.abs(self.joint_fraction - self.muscle_fraction[:, None]) * n[:, None], 0, None)

    @property
    def side_joint(self) -> Array:
        """(n_joints,) the joint, counted from 1, whose lateral hinge stands for each joint."""
        group = self.side_every
        return np.arange(self.n_links - 1) // group * group + group // 2 + 1

    # Model

    def spec(self) -> mujoco.MjSpec:
        """The worm, straight along x with its head at +x, with its cameras."""
        u, n, mid = self.units, self.n_links, self.n_links // 2
        link = self.length_m / n / u.length
        spec = mujoco.MjSpec()
        spec.modelname = "worm"
        spec.option.timestep = float(self.physics_s)
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.gravity = [0, 0, 0]
        off = mujoco.mjtDisableBit
        spec.option.disableflags = int(off.mjDSBL_CONTACT | off.mjDSBL_CONSTRAINT)
        spec.worldbody.add_site(name="surface", group=4)

        stiffness = self.bending_Nm2 * n / self.length_m / u.torque
        damping = self._damping(spec.option.timestep)
        sides = set(self.side_joint.tolist())
        parent = root = self._link(spec.worldbody, mid, [0, 0, 0], 0)
        root.add_freejoint(name="root")
        for branch, toward in ((range(mid - 1, -1, -1), 1), (range(mid + 1, n), -1)):
            # two half chains from the middle: half the depth, and less than half the arithmetic, of one from the head
            parent = root
            for i in branch:
                body = self._link(parent, i, [toward * link * (0.5 if parent is root else 1), 0, 0], toward * link / 2)
                joint = i if toward < 0 else i + 1
                kinds = {"bend": ([0, 0, toward], 1)}
                if joint in sides:
                    kinds["side"] = ([0, toward, 0], self.side_every)
                for kind, (axis, joints) in kinds.items():
                    body.add_joint(
                        name=f"{kind}{joint:02d}",
                        type=mujoco.mjtJoint.mjJNT_HINGE,
                        axis=axis,
                        stiffness=[stiffness / joints, 0, 0],
                        damping=[damping / joints, 0, 0],
                        armature=_ARMATURE_KGM2 / u.torque,
                    )
                parent = body
        self._muscles(spec)
        self._drag(spec)
        self._draw(spec, root)
        return spec

    def _link(self, parent: Any, i: int, pos: list[float], middle: float) -> Any:
        """Link i (0 at the nose), whose middle is `middle` along x from its joint."""
        u, half = self.units, self.length_m / self.n_links / 2 / self.units.length
        edges = np.linspace(i, i + 1, 9) / self.n_links
        area = math.pi * np.trapezoid(self.radius_at_m(edges) ** 2, edges) * self.n_links  # m^2
        mass = self.density_kg_per_m3 * area * self.length_m / self.n_links / u.mass
        radius = math.sqrt(area / math.pi) / u.length
        body = parent.add_body(name=f"link{i:02d}", pos=pos)
        body.add_geom(
            name=f"link{i:02d}",
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            fromto=[middle - half, 0, 0, middle + half, 0, 0],
            size=[radius, 0, 0],
            mass=mass,
            contype=0,
            conaffinity=0,
            group=3,  # a skin is drawn instead
        )
        body.add_site(name=f"link{i:02d}", pos=[middle, 0, 0], group=4)
        if i == 0:
            side = float(self.radius_at_m(np.array(0.01))) / u.length
            body.add_site(name="nose", pos=[middle + half, 0, 0], group=4)
            body.add_site(name="amphid_L", pos=[middle + half, 0, -side], group=4)
            body.add_site(name="amphid_R", pos=[middle + half, 0, side], group=4)
        if i == self.n_links - 1:
            body.add_site(name="tail", pos=[middle - half, 0, 0], group=4)
        return body

    def _muscles(self, spec: mujoco.MjSpec) -> None:
        """Each muscle is a tendon with a moment arm to every joint that it covers, pulling as its activation says.

        Moment arm: the quadrants lie at 45 degrees, so radius / sqrt(2) in either plane. Two rows of one side pull
        together: EI * peak curvature = 2 * force * radius / sqrt(2).
        """
        u = self.units
        arm = self.radius_at_m(self.joint_fraction) / math.sqrt(2)
        force = self.bending_Nm2 * self.peak_curvature_per_m / (2 * self.radius_at_m(self.muscle_fraction) / 2**0.5)
        force = force * (1 - self.strength_slope * self.muscle_fraction)
        for name, weights, strength in zip(self.motors, self.muscle_weight(), force, strict=True):
            tendon = spec.add_tendon(name=name)
            shortens = weights * arm / u.length
            for j in np.flatnonzero(shortens):
                tendon.wrap_joint(f"bend{j + 1:02d}", float(-shortens[j]) * _DORSAL[name[1]])
            for j in np.unique(self.side_joint[shortens > 0]):
                mean = shortens[self.side_joint == j].mean()  # the joints of a group share its angle
                tendon.wrap_joint(f"side{j:02d}", float(-mean) * _LEFT[name[2]])
            actuator = spec.add_actuator(
                name=name,
                trntype=mujoco.mjtTrn.mjTRN_TENDON,
                target=name,
                dyntype=mujoco.mjtDyn.mjDYN_FILTEREXACT,
                ctrllimited=True,
                ctrlrange=[0, 1],
            )
            actuator.dynprm[0] = self.muscle_tau_s
            actuator.gainprm[0] = -strength / u.force

    def _drag(self, spec: mujoco.MjSpec) -> None:
        """Affine actuators without gain: -c v along an axis of a link, integrated implicitly. `set_medium` sets c."""

        resistance = self._resistance(self.medium, spec.option.timestep)

        def add(kind: str, link: int, axis: int, **where: str) -> None:
            gear = np.zeros(6)
            gear[axis] = 1
            actuator = spec.add_actuator(
                name=f"{kind}{link:02d}",
                trntype=mujoco.mjtTrn.mjTRN_SITE,
                target=f"link{link:02d}",
                biastype=mujoco.mjtBias.mjBIAS_AFFINE,
                **where,
            )
            actuator.gear = gear
            actuator.gainprm[0] = 0
            actuator.biasprm[1:3] = resistance[kind]

        for i in range(self.n_links):
            for axis, kind in enumerate(("along", "dorsal", "right")):
                add(kind, i, axis)
        for i in range(self.n_links // 2 % _ROLL_EVERY, self.n_links, _ROLL_EVERY):
            add("roll", i, 3)
        for i in range(0, self.n_links, _HOLD_EVERY):
            add("film", i, 2, refsite="surface")

    def _resistance(self, medium: Medium, timestep: float) -> dict[str, tuple[float, float]]:
        """Position and speed terms of one drag actuator of each kind, in model units.

        Roll: a turning cylinder, 4 pi viscosity radius^2 per length. The film's speed term is timestep * stiffness,
        which makes its spring implicit, as `_damping` does for the joints.
        """
        u, n = self.units, self.n_links
        size = self.length_m / _REFERENCE_M / n / u.drag
        share = self.length_m / len(range(n // 2 % _ROLL_EVERY, n, _ROLL_EVERY))
        square = 2 / 3 * self.radius_m**2  # mean of radius^2 along an ellipse
        roll = 4 * math.pi * medium.viscosity_Pa_s * square * share / u.torque
        film = self.film_N_per_m2 * self.length_m / len(range(0, n, _HOLD_EVERY)) / (u.force / u.length)
        film *= medium.on_surface
        return {
            "along": (0.0, -medium.tangential_Ns_per_m * size),
            "dorsal": (0.0, -medium.normal_Ns_per_m * size),
            "right": (0.0, -medium.normal_Ns_per_m * size),
            "roll": (0.0, -roll),
            "film": (-film, -film * timestep),
        }

    def _damping(self, timestep: float) -> float:
        """Of one joint, model units: the inner viscosity, and timestep * stiffness.

        MuJoCo integrates damping implicitly and springs explicitly; h k of damping turns -k q into -k (q + h v), the
        spring at the end of the step. That is backward Euler: stable at any step, and it adds no damping of its own
        that would remain as h -> 0.
        """
        n = self.n_links
        return (self.internal_Nm3s + timestep * self.bending_Nm2) * n / self.length_m / self.units.torque

    def _draw(self, spec: mujoco.MjSpec, root: Any) -> None:
        """A smooth skin over the links, darker along the back, and two cameras. Ground and light are the world's."""
        mm = 1e-3 / self.units.length
        spec.stat.extent = 2 * mm
        spec.stat.center = [0, 0, 0]
        spec.visual.map.znear = 0.01
        spec.visual.map.zfar = 100
        root.add_camera(name="tracking", mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM, pos=[0, 0, 5 * mm], fovy=24)
        spec.worldbody.add_camera(name="overview", pos=[0, 0, 30 * mm], fovy=28)
        self._skin(spec, "skin", np.linspace(0, 2 * np.pi, 25), 1.0, [0.74, 0.60, 0.44, 1])
        self._skin(spec, "back", np.radians(np.linspace(-40, 40, 7)), 1.01, [0.36, 0.22, 0.12, 1])

    def _skin(self, spec: mujoco.MjSpec, name: str, angle: Array, swell: float, rgba: list[float]) -> None:
        """A tube, or the strip of it between two angles from dorsal, that bends with the two nearest links."""
        n, size = self.n_links, self.length_m / self.units.length
        # rings closer at the ends, where the radius changes fast
        along = (1 - np.cos(np.linspace(0, np.pi, 6 * n))) / 2
        radius = swell * self.radius_at_m(along) / self.units.length
        vertices = np.stack(
            [
                np.repeat((0.5 - along) * size, len(angle)),
                np.outer(radius, np.cos(angle)).ravel(),
                np.outer(radius, np.sin(angle)).ravel(),
            ],
            axis=1,
        )
        corner = (np.arange(len(along) - 1)[:, None] * len(angle) + np.arange(len(angle) - 1)).ravel()
        across, ahead = corner + 1, corner + len(angle)
        faces = np.concatenate([np.stack(f, 1) for f in ((corner, ahead, across), (across, ahead, ahead + 1))])
        nearness = np.clip(1 - np.abs(along * n - 0.5 - np.arange(n)[:, None]), 0, None)
        nearness[0, along < 0.5 / n] = nearness[-1, along > 1 - 0.5 / n] = 1
        owned = [np.flatnonzero(w) for w in nearness]
        middles = (0.5 - (np.arange(n) + 0.5) / n) * size
        # the frame of a link is at its joint toward the middle of the body, the root's in its own middle
        frames = middles + np.sign(np.arange(n) - n // 2) * size / n / 2
        spec.add_skin(
            name=name,
            rgba=rgba,
            vert=vertices.ravel().tolist(),
            face=faces.ravel().tolist(),
            bodyname=[f"link{i:02d}" for i in range(n)],
            bindpos=np.stack([frames, 0 * frames, 0 * frames], 1).ravel().tolist(),
            bindquat=np.tile([1.0, 0, 0, 0], n).tolist(),
            vertid=[(o[:, None] * len(angle) + np.arange(len(angle))).ravel().tolist() for o in owned],
            vertweight=[np.repeat(w[o], len(angle)).tolist() for w, o in zip(nearness, owned, strict=True)],
        )

    # Running

    def bind(self, model: mujoco.MjModel) -> Bound:
        """Indices of the worm in a compiled model; also fits the implicit springs to the model's own timestep."""
        bound = Bound.of(self, model)
        model.dof_damping[bound.hinge_dof] = self._damping(model.opt.timestep) / bound.hinge_joints
        film = bound.drags["film"]
        model.actuator_biasprm[film, 2] = model.opt.timestep * model.actuator_biasprm[film, 1]
        return bound

    def set_medium(self, bound: Bound, model: mujoco.MjModel, medium: Any) -> Medium:
        """Puts a running worm into another medium, without compiling. Raises MediumError, and then changes nothing."""
        medium = Medium.of(medium)
        for kind, terms in self._resistance(medium, model.opt.timestep).items():
            model.actuator_biasprm[bound.drags[kind], 1:3] = terms
        return medium

    def place(
        self,
        bound: Bound,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        position_m: Array,
        heading_rad: float = 0.0,
        curvature: Array | float | None = None,
        lies_on: str = "left",
    ) -> None:
        """At rest with its centre of mass at position_m (3,), the middle of the body pointing to heading_rad.

        curvature: per m, a number or (n_joints,), dorsal positive; None is straight.
        lies_on: left (dorsal is to the left of the heading) or right.
        All muscles are at half tone, which an action of 0 keeps.
        """
        if lies_on not in ("left", "right"):
            raise ValueError(f"a worm lies on its 'left' or 'right' side, got {lies_on!r}")
        c, s = math.cos(heading_rad / 2), math.sin(heading_rad / 2)
        data.qvel[bound.dofs] = 0
        data.qpos[bound.hinges] = 0
        data.qpos[bound.bend] = np.asarray(0.0 if curvature is None else curvature) * self.length_m / self.n_links
        data.qpos[bound.root] = [0, 0, 0, *((c, 0, 0, s) if lies_on == "left" else (0, c, s, 0))]
        data.act[bound.act] = data.ctrl[bound.muscles] = 0.5
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        centre = data.subtree_com[bound.body]
        data.qpos[bound.root[:3]] = np.asarray(position_m) / self.units.length - centre
        mujoco.mj_forward(model, data)

    def apply(self, bound: Bound, data: mujoco.MjData, action: Array) -> None:
        """action (95,) in [-1, 1], in the order of `motors`: -1 is a silent muscle, 0 half tone, 1 full activation."""
        data.ctrl[..., bound.muscles] = 0.5 * action + 0.5

    def sense(self, bound: Bound, data: mujoco.MjData, world: World) -> dict[str, Array]:
        """Observation: every `Sense` by name, float32, within its bounds."""
        size, now, sites = self.units.length, data.time, data.site_xpos
        skin, nose = sites.take(bound.links, -2) * size, sites.take(bound.amphids, -2) * size
        many = sites.shape[:-2]
        value = np.empty((*many, len(bound.low)))
        value[:] = bound.low
        for name, where, _ in bound.fields:
            if name == "stretch":
                bent = data.qpos.take(bound.bend, -1) * bound.bend_strain
                turned = data.qpos.take(bound.side, -1) * bound.side_strain
                rows = [-bent - turned, turned - bent, bent - turned, bent + turned]  # DL, DR, VL, VR
                value[..., where] = np.concatenate(rows, -1)
            elif name == "touch_N":
                value[..., where] = world.sample(name, skin, bound.link_fraction, now)
            else:
                value[..., where] = world.sample(name, nose, _AT_NOSE, now)
        seen = np.minimum(np.maximum(value, bound.low), bound.high).astype(np.float32)
        return {name: seen[..., where].reshape(*many, *shape) for name, where, shape in bound.fields}

    def pose(self, bound: Bound, data: mujoco.MjData) -> dict[str, Array]:
        """midline_m (n_links + 1, 3) nose to tail, com_m (3,), velocity_m_per_s (3,) of the centre of mass,
        curvature_per_m (n_joints,) dorsal positive, muscle (95,) activation in [0, 1]."""
        out = self.posture(bound, data)
        # the generalised momentum of a free joint's translation is the momentum of the whole tree
        mujoco.mj_mulM(bound.model, data, bound.momentum, data.qvel)
        out["velocity_m_per_s"] = bound.momentum[bound.root_dof] * (self.units.length / bound.mass)
        return out

    def posture(self, bound: Bound, data: Any) -> dict[str, Array]:
        """`pose` but for the velocity."""
        size = self.units.length
        midline = np.empty((*data.xpos.shape[:-2], self.n_links + 1, 3))
        midline[..., 1:-1, :] = data.xpos.take(bound.joint_bodies, -2)
        midline[..., :: self.n_links, :] = data.site_xpos.take(bound.tips, -2)
        midline *= size
        return {
            "midline_m": midline,
            "com_m": data.subtree_com[..., bound.body, :] * size,
            "curvature_per_m": data.qpos.take(bound.bend, -1) * (self.n_links / self.length_m),
            "muscle": data.act[..., bound.act].copy(),
        }


_AT_NOSE = np.zeros(2)


@dataclass(frozen=True)
class Bound:
    """Where a worm is in a compiled model. Indices are slices wherever they are contiguous, which they are."""

    model: mujoco.MjModel
    body: int  # the root body
    mass: float
    momentum: Array  # (nv,) scratch
    root: Array  # (7,) in qpos
    root_dof: slice
    dofs: Any  # all, in qvel
    hinges: Array  # in qpos: bends head to tail, then sides
    hinge_dof: Array
    hinge_joints: Array  # for how many joints each hinge stands
    bend: Array  # (n_joints,) in qpos
    side: Array  # (n_joints,) in qpos: the side hinge that stands for each joint
    bend_strain: Array  # (n_joints,) strain of the rows at each joint, per rad of its bend
    side_strain: Array  # (n_joints,) likewise, of its side hinge
    joint_bodies: Array
    tips: Array
    links: Array
    link_fraction: Array
    amphids: Array
    muscles: Any  # in ctrl
    act: Any
    drags: dict[str, Any]
    fields: tuple[tuple[str, slice, tuple[int, ...]], ...]  # name, place among all receptors, shape: of each sense
    low: Array  # of all receptors
    high: Array

    @classmethod
    def of(cls, body: Worm, model: mujoco.MjModel) -> Bound:
        n = body.n_links
        mid = n // 2

        def ids(kind: str, names: Any) -> Array:
            return np.array([getattr(model, kind)(name).id for name in names])

        root = model.joint("root")
        sides = np.unique(body.side_joint)
        joints = ids("joint", [*(f"bend{j:02d}" for j in range(1, n)), *(f"side{j:02d}" for j in sides)])
        links = ids("body", [f"link{i:02d}" for i in range(n)])
        muscles = ids("actuator", body.motors)
        # one row's strain: its moment arm, over the length that a joint stands for
        per_rad = body.radius_at_m(body.joint_fraction) / math.sqrt(2) * n / body.length_m
        kinds = {"along": range(n), "dorsal": range(n), "right": range(n)}
        kinds["roll"] = range(mid % _ROLL_EVERY, n, _ROLL_EVERY)
        kinds["film"] = range(0, n, _HOLD_EVERY)
        sizes = [math.prod(s.shape) for s in body.senses]
        ends = np.cumsum(sizes).tolist()
        root_dof = int(root.dofadr[0])
        hinge_dof = model.jnt_dofadr[joints]
        return cls(
            model=model,
            body=int(links[mid]),
            mass=float(model.body_subtreemass[links[mid]]),
            momentum=np.zeros(model.nv),
            root=int(root.qposadr[0]) + np.arange(7),
            root_dof=slice(root_dof, root_dof + 3),
            dofs=np.concatenate([root_dof + np.arange(6), hinge_dof]),
            hinges=model.jnt_qposadr[joints],
            hinge_dof=hinge_dof,
            hinge_joints=np.where(np.arange(len(joints)) < n - 1, 1, body.side_every),
            bend=model.jnt_qposadr[joints[: n - 1]],
            side=model.jnt_qposadr[ids("joint", [f"side{j:02d}" for j in body.side_joint])],
            bend_strain=per_rad,
            side_strain=per_rad / body.side_every,
            # the frame of every link but the root's is at its joint toward the middle
            joint_bodies=np.delete(links, mid),
            tips=ids("site", ["nose", "tail"]),
            links=ids("site", [f"link{i:02d}" for i in range(n)]),
            link_fraction=(np.arange(n) + 0.5) / n,
            amphids=ids("site", ["amphid_L", "amphid_R"]),
            muscles=as_slice(muscles),
            act=as_slice(model.actuator_actadr[muscles]),
            fields=tuple(
                (s.name, slice(end - size, end), s.shape) for s, size, end in zip(body.senses, sizes, ends, strict=True)
            ),
            low=np.repeat([float(s.low) for s in body.senses], sizes),
            high=np.repeat([float(s.high) for s in body.senses], sizes),
            drags={kind: ids("actuator", [f"{kind}{i:02d}" for i in where]) for kind, where in kinds.items()},
        )


BODY = Worm
