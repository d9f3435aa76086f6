"""Drosophila melanogaster, adult female: the fruitfly_v2 model of dm_control (Vaxenburg et al 2025 Nature 643:1312).

Axes of the thorax: x ahead, y left, z up. Sides are the animal's own.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import mujoco
import numpy as np

from bestiary.bodies._base import CM_G, MM_MG, Array, Sense, Units, World, as_slice
from bestiary.bodies._eye import Eye, Sight, fly_retina
from bestiary.bodies._rescale import rescale
from bestiary.bodies._walker import Media, Walker, model_file

__all__ = ["BODY", "LEGS", "Fly"]

LEGS = ("T1L", "T1R", "T2L", "T2R", "T3L", "T3R")
_SIDES = {"L": "left", "R": "right"}
# Sites that the model lacks, in its own cm: name, body, place. Funiculi; maxillary palps; labellar lobes; both ends.
_SITES = (
    ("antenna_L", "antenna_left", (0.0, 0.0114, 0.00263)),
    ("antenna_R", "antenna_right", (-0.000616, -0.0114, -0.00231)),
    ("palp_L", "rostrum", (0.0085, 0.0285, -0.0118)),
    ("palp_R", "rostrum", (-0.0085, 0.0285, -0.0118)),
    ("labellum_L", "labrum_left", (-0.000603, 0.0106, -0.00438)),
    ("labellum_R", "labrum_right", (0.00116, 0.0106, -0.00414)),
    ("nose", "head", (0.0, 0.04, 0.0)),
    ("tail", "abdomen_7", (0.0, 0.035, -0.0119)),
)
_NEXT, _LAST = [1, 2, 0], [2, 0, 1]  # of a cross product
_JUMP = ("coxa_T2", "femur_T2", "tibia_T2", "tarsus_T2")
_TASTES_WITHIN_M = 1e-4
HOVER_PITCH_RAD = math.radians(47.5)  # nose up; the stroke plane of the model's wings is then level


@functools.lru_cache(maxsize=1)
def _original() -> mujoco.MjSpec:
    return mujoco.MjSpec.from_file(str(model_file("fruitfly_v2/fruitfly.xml", "fly")))


@functools.lru_cache(maxsize=1)
def _names() -> tuple[tuple[str, ...], tuple[str, ...], Array]:
    """(hinges, actuators, (n, 2) range of each actuator's command in rad or 1)."""
    spec = _original()
    hinges = tuple(j.name for j in spec.joints if j.type == mujoco.mjtJoint.mjJNT_HINGE)
    return hinges, tuple(a.name for a in spec.actuators), np.array([a.ctrlrange for a in spec.actuators])


@functools.lru_cache(maxsize=1)
def _tucked() -> dict[str, float]:
    """Angle of every servo of the legs in flight: the rest angle of the spring of its joint, as dm_control has it."""
    out = {}
    for actuator in _original().actuators:
        name = actuator.name
        if actuator.trntype == mujoco.mjtTrn.mjTRN_JOINT and "_T" in name:
            joint = _original().joint(actuator.target)
            out[name] = min(max(joint.springref, joint.range[0]), joint.range[1])
    return out


@dataclass(frozen=True)
class Fly(Walker):
    """Drosophila melanogaster, adult female, as an immutable description: 102 hinges, 78 motors. Everything is SI.

    floor: bring a level plane at height 0, named "floor", to stand on; a world with its own terrain deletes it. Every
        part of the body collides with every geom of the world.
    self_contact: parts of the body collide with one another too, at about 1.3 times the cost.
    eyes: both compound eyes, 2 x 721 ommatidia, as the sense `luminance`, 100 times a second.
    motor_tau_s: activation of the servos, first order; 0.01 in dm_control's walker. Wings and adhesion act at once.
    jump_tau_s: the same of the servos of the middle legs, which the tergotrochanteral muscle stretches: a
        tubular muscle that twitches within 2 ms; at least 1e-4. With 0.01 the fly cannot leave the ground.
    control_s, physics_s: default clock periods.
    units: of the model, for tests.

    An action is (78,) in [-1, 1]. Servos: the angle goes linearly over the joint's range, from its low end at -1 to its
    high end at 1. Wings: the torque as a share of the largest. Adhesion: the share of the largest force; a negative
    number is none. `neutral` is the action of standing still, `tucked` folds the legs for flight and lets go,
    `action_of` makes actions from angles.
    """

    floor: bool = True
    self_contact: bool = False
    eyes: bool = True
    motor_tau_s: float = 0.01
    jump_tau_s: float = 0.002
    control_s: str = "0.002"
    physics_s: str = "0.0002"
    units: Units = MM_MG
    view_deg: ClassVar[tuple[float, float]] = (140.0, -22.0)  # azimuth, elevation of a camera that follows it
    media: ClassVar[Media] = {"air": (1.28, 1.85e-5), "vacuum": (0.0, 0.0)}  # air as in the model
    length_m: float = field(init=False, default=3.0e-3)
    ground_m: float = field(init=False, default=0.0)  # height of the ground below position_m = 0
    motors: tuple[str, ...] = field(init=False)
    joints: tuple[str, ...] = field(init=False)
    senses: tuple[Sense, ...] = field(init=False)
    middle: Array = field(init=False, repr=False, compare=False)  # command = middle + half * action
    half: Array = field(init=False, repr=False, compare=False)
    neutral: Array = field(init=False, repr=False, compare=False)
    tucked: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, least in (("motor_tau_s", 0.0), ("jump_tau_s", 1e-4)):
            if not (math.isfinite(value := getattr(self, name)) and value >= least):
                raise ValueError(f"{name} of Fly must be finite and at least {least:g}, got {value}")
        joints, motors, ranges = _names()
        sticks = np.array([m.startswith("adhere") for m in motors])
        middle = np.where(sticks, 0.0, ranges.mean(1))
        half = np.where(sticks, 1.0, np.ptp(ranges, axis=1) / 2)
        neutral = -middle / half
        neutral[[m.startswith("adhere_claw") for m in motors]] = 1.0
        tucked = neutral.copy()
        tucked[sticks] = -1.0
        for name, angle in _tucked().items():
            i = motors.index(name)
            tucked[i] = (angle - middle[i]) / half[i]
        for array in (middle, half, neutral, tucked):
            array.flags.writeable = False
        for name, value in (
            ("motors", motors),
            ("joints", joints),
            ("middle", middle),
            ("half", half),
            ("neutral", neutral),
            ("tucked", tucked),
            ("senses", (*_senses(), *([_LIGHT] if self.eyes else []))),
        ):
            object.__setattr__(self, name, value)

    # Model

    def spec(self) -> mujoco.MjSpec:
        """The fly as in dm_control, in `units`, with its receptors' sites, its cameras, and its floor if it has one."""
        spec = _original().copy()
        spec.modelname = "fly"
        for light in list(spec.lights):  # light is the world's
            spec.delete(light)
        for name, body, place in _SITES:
            spec.body(body).add_site(name=name, pos=place, size=[0.001] * 3, group=4)
        for side in _SIDES.values():
            # What the flight task of Vaxenburg 2025 sets, and the XML leaves to it: the ellipsoid fluid model (blunt,
            # slender and angular drag, Kutta lift, Magnus lift), motors and damping. With the XML's own motors (3, 2
            # and 1 dyn cm) a wing cannot turn over at 218 Hz: its armature alone asks for 1.5 about the span.
            wing = spec.geom(f"wing_{side}_fluid")
            wing.fluid_ellipsoid = 1
            wing.fluid_coefs = [1.0, 0.5, 1.5, 1.7, 1.0]
            for axis in ("yaw", "roll", "pitch"):
                spec.joint(f"wing_{axis}_{side}").damping[0] = 0.00776923
                spec.actuator(f"wing_{axis}_{side}").gainprm[0] = 18.0
        for site in spec.sites:
            if site.name.startswith("claw_"):  # the touch sensors' zones: claws hover by their margin, out of the zone
                site.size[0] *= 1.5
        for geom in spec.geoms:
            if geom.contype and not self.self_contact:
                geom.conaffinity = 0  # meets the world's geoms (1, 1), not its own kind
        if self.motor_tau_s:
            for actuator in spec.actuators:
                if actuator.biastype == mujoco.mjtBias.mjBIAS_AFFINE:
                    actuator.dyntype = mujoco.mjtDyn.mjDYN_FILTEREXACT
                    quick = actuator.name.startswith(_JUMP)
                    actuator.dynprm[0] = min(self.motor_tau_s, self.jump_tau_s) if quick else self.motor_tau_s
        if self.floor:
            spec.worldbody.add_geom(
                name="floor",
                type=mujoco.mjtGeom.mjGEOM_PLANE,
                size=[100, 100, 1],
                group=4,
                rgba=[0, 0, 0, 0],
                friction=[0.6, 0.005, 0.0001],
                solref=[2e-4, 1],
                solimp=[0.95, 0.99, 0.01, 0.5, 2],
            )
        spec.option.timestep = float(self.physics_s)
        spec.option.impratio = 10  # a standing fly creeps a tenth as far, at no cost
        rescale(spec, CM_G, self.units)
        return spec

    # Running

    def bind(self, model: mujoco.MjModel) -> Bound:
        """Indices of the fly in a compiled model."""
        return Bound.of(self, model)

    def place(
        self,
        bound: Bound,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        position_m: Array,
        heading_rad: float = 0.0,
        curvature: Any = None,
        height_m: float | None = None,
        posture: str = "stand",
    ) -> None:
        """At rest, the thorax above position_m (3,), a point of the ground, its claws on it.

        height_m: of the thorax over position_m instead, for a start in the air. posture: "stand" is the neutral one,
        "fly" has the legs tucked, the wings spread and the body pitched up by 47.5 degrees, so that the plane of the
        wing stroke is level. curvature: nothing, a fly has none.
        """
        if posture not in ("stand", "fly"):
            raise ValueError(f"posture of a fly is 'stand' or 'fly', got {posture!r}")
        flies = posture == "fly"
        self.apply(bound, data, self.tucked if flies else self.neutral)
        data.qvel[bound.dofs] = 0
        data.qpos[bound.hinges] = bound.tucked if flies else bound.rest
        data.act[bound.act] = data.ctrl[bound.servos]
        half_pitch = HOVER_PITCH_RAD / 2 if flies else 0.0
        c, s, up, over = *_turn(heading_rad / 2), *_turn(half_pitch)
        data.qpos[bound.root] = [0, 0, 0, c * up, s * over, -c * over, s * up]  # heading, then nose up: about -y
        self.put(bound, model, data, position_m, height_m)

    def launch(
        self, bound: Bound, model: mujoco.MjModel, data: mujoco.MjData, position_m: Array, heading_rad: float = 0.0
    ) -> None:
        """At rest in the air, the thorax at position_m (3,), in the posture of flight."""
        self.place(bound, model, data, position_m, heading_rad, height_m=0.0, posture="fly")

    def apply(self, bound: Bound, data: mujoco.MjData, action: Array) -> None:
        """action (78,) in [-1, 1], in the order of `motors`."""
        ctrl = self.middle + self.half * action
        ctrl[bound.sticky] = np.maximum(ctrl[bound.sticky], 0)
        data.ctrl[bound.motors] = ctrl

    def sense(self, bound: Bound, data: mujoco.MjData, world: World) -> dict[str, Array]:
        """Observation: every `Sense` by name, float32, within its bounds."""
        u, now, b = self.units, data.time, bound
        measured = data.sensordata[b.sensors]
        force = measured[9:27].reshape(6, 3)
        at = data.site_xpos[b.receptors] * u.length
        smell, taste = at[:4], at[4:]
        touch = measured[27:33]
        wet = self._touching(b, data, touch)
        sample, antennae = world.sample, b.fraction[:2]
        values = np.concatenate(  # in the order of `_senses`
            [
                data.qpos[b.hinges],
                data.qvel[b.hinge_dofs],
                np.sqrt((force * force).sum(1)) * u.force,
                touch * u.force,
                measured[3:6],
                measured[:3] * u.acceleration,
                -data.xmat[b.thorax, 6:],
                self._wind(b, data, world, smell[:2]).ravel(),
                sample("antenna_load_N", smell[:2], antennae, now),
                sample("vinegar", smell, b.fraction[:4], now),
                sample("geosmin", smell, b.fraction[:4], now),
                sample("co2", smell[:2], antennae, now),
                sample("sugar_mol_per_m3", taste, b.fraction[4:], now) * wet,
                sample("bitter_mol_per_m3", taste, b.fraction[4:], now) * wet,
                sample("water", taste, b.fraction[4:], now) * wet,
            ]
        )
        return self.seen(b, data, world, values)

    def _wind(self, b: Bound, data: mujoco.MjData, world: World, at: Array) -> Array:
        """(2, 3) m/s: air past each antenna in the frame of the head."""
        air = np.zeros((2, 3))
        air[:, 0] = world.sample("wind_x_m_per_s", at, b.fraction[:2], data.time)
        air[:, 1] = world.sample("wind_y_m_per_s", at, b.fraction[:2], data.time)
        # velocity of a point of the antenna: that of the tree's centre of mass frame, plus spin times arm
        spatial = data.cvel[b.antennae]
        arm = data.site_xpos[b.receptors[:2]] - data.subtree_com[b.thorax]
        spin, moving = spatial[:, :3], spatial[:, 3:]
        own = moving + spin[:, _NEXT] * arm[:, _LAST] - spin[:, _LAST] * arm[:, _NEXT]
        return (air - own * self.units.length) @ (data.xmat[b.head].reshape(3, 3) @ b.head_axes)

    def _touching(self, b: Bound, data: mujoco.MjData, touch: Array) -> Array:
        """(8,) 1 where a tarsus, or a lobe of the labellum, is on the ground."""
        wet = np.zeros(9)
        wet[:6] = touch > 0
        wet[b.taster_of[data.contact.geom].ravel()] = 1
        if self.floor:
            height = data.site_xpos[b.receptors[4:], 2] - b.reach
            wet[:8] = np.maximum(wet[:8], height < _TASTES_WITHIN_M / self.units.length)
        return wet[:8]

    def pose(self, bound: Bound, data: mujoco.MjData) -> dict[str, Array]:
        """Ground truth in SI: midline_m (11, 3) front of the head, head, thorax, abdomen to its tip; com_m (3,) and
        velocity_m_per_s (3,) of the whole; heading_rad; pitch_rad, nose up; roll_rad, left side up; upright, the cosine
        of the tilt; height_m of the thorax; claws_m (6, 3); claw_load_N (6,); joint_rad (102,); proboscis, 0 at rest to
        1 as far out as it goes; curvature_per_m (0,)."""
        b, size = bound, self.units.length
        ahead_x, _, _, ahead_y, _, _, ahead_z, left_z, up_z = data.xmat[b.thorax].tolist()
        midline = np.empty((2 + len(b.trunk), 3))
        midline[[0, -1]] = data.site_xpos[b.ends]
        midline[1:-1] = data.xpos[b.trunk]
        midline *= size
        joints = data.qpos[b.hinges].copy()
        out = ((joints[b.proboscis] - b.folded) / (b.extended - b.folded)).tolist()
        # the generalised momentum of a free joint's translation is the momentum of the whole tree
        mujoco.mj_mulM(b.model, data, b.momentum, data.qvel)
        return {
            "midline_m": midline,
            "com_m": data.subtree_com[b.thorax] * size,
            "velocity_m_per_s": b.momentum[b.dofs[:3]] * (size / b.mass),
            "heading_rad": np.array(math.atan2(ahead_y, ahead_x)),
            "pitch_rad": np.array(math.asin(min(max(ahead_z, -1.0), 1.0))),
            "roll_rad": np.array(math.atan2(left_z, up_z)),
            "upright": np.array(up_z),
            "height_m": data.xpos[b.thorax, 2] * size,
            "claws_m": data.site_xpos[b.claws] * size,
            "claw_load_N": data.sensordata[b.sensors][27:33] * self.units.force,
            "joint_rad": joints,
            "proboscis": np.array((min(max(out[0], 0.0), 1.0) + min(max(out[1], 0.0), 1.0)) / 2),
            "curvature_per_m": np.empty(0),
        }


def _senses() -> tuple[Sense, ...]:
    place = "antenna L, R, maxillary palp L, R"
    taste = "tarsi of T1L, T1R, T2L, T2R, T3L, T3R, labellum L, R; 0 off the ground"
    return (
        Sense("joint_rad", (102,), -7, 7, "rad", "angles of all hinges, as in Fly.joints"),
        Sense("joint_rad_per_s", (102,), -1e5, 1e5, "rad/s", "speeds of all hinges"),
        Sense("leg_load_N", (6,), 0, 1e-2, "N", "force on each tarsus: T1L, T1R, T2L, T2R, T3L, T3R"),
        Sense("claw_contact_N", (6,), 0, 1e-2, "N", "press of each claw on what it touches, adhesion included"),
        Sense("gyro_rad_per_s", (3,), -1e5, 1e5, "rad/s", "turning of the thorax about x ahead, y left, z up"),
        Sense("accelerometer_m_per_s2", (3,), -1e5, 1e5, "m/s^2", "acceleration of the thorax less gravity, its axes"),
        Sense("gravity", (3,), -1, 1, "1", "direction of gravity in the axes of the thorax", rest=0.0),
        Sense("wind_m_per_s", (2, 3), -1e2, 1e2, "m/s", "air past antenna L, R in the axes of the head"),
        Sense("antenna_load_N", (2,), 0, 1e-3, "N", "dust or touch on antenna L, R", external=True),
        Sense("vinegar", (4,), 0, 1e3, "1", f"odour, 1 is 1 ppm: {place}", external=True),
        Sense("geosmin", (4,), 0, 1e3, "1", f"odour, 1 is 1 ppm: {place}", external=True),
        Sense("co2", (2,), 0, 1e3, "1", "carbon dioxide above that of air: antenna L, R", external=True),
        Sense("sugar_mol_per_m3", (8,), 0, 1e4, "mol/m^3", taste, external=True),
        Sense("bitter_mol_per_m3", (8,), 0, 1e4, "mol/m^3", taste, external=True),
        Sense("water", (8,), 0, 1, "1", f"wetness: {taste}", external=True),
    )


_LIGHT = Sense("luminance", (2, 721), 0, 1, "1", "light on R1-R6 of each ommatidium: left eye, right eye", rest=0.5)


@dataclass(frozen=True)
class Bound:
    """Where a fly is in a compiled model. Indices are slices wherever they are contiguous, which they are."""

    model: mujoco.MjModel
    mass: float
    momentum: Array  # (nv,) scratch
    thorax: int
    head: int
    head_axes: Array  # (3, 3): from the axes of the head's frame to ahead, left, up
    antennae: Array
    root: Array  # (7,) in qpos
    dofs: Any
    hinges: Any  # in qpos
    hinge_dofs: Any
    rest: Array  # (102,) angles at which servos and springs balance
    tucked: Array  # (102,) angles in flight
    motors: Any  # in ctrl
    sticky: Array  # adhesion, in an action
    servos: Array  # in ctrl, those with an activation
    act: Any
    sensors: slice
    receptors: Array  # sites: antennae, palps, six claws, labellum
    fraction: Array
    low: Array  # of every number that is sensed, light aside, in a row
    high: Array
    parts: tuple[tuple[str, slice, tuple[int, ...]], ...]  # name, place in that row, shape
    reach: Array  # (8,) how far taste organs reach below their site
    claws: Array
    claw_geoms: Array
    taster_of: Array  # (ngeom,) taste organ, 8 for none
    ends: Array
    trunk: Array
    sight: Sight | None
    proboscis: Array  # rostrum and haustellum in `joints`
    folded: Array
    extended: Array

    def lowest(self, model: mujoco.MjModel, data: mujoco.MjData) -> Array:
        """(6,) height of the lowest point of each claw, a capsule, in model units."""
        g = self.claw_geoms
        radius, half = model.geom_size[g, :2].T
        return np.asarray(data.geom_xpos[g, 2] - radius - half * np.abs(data.geom_xmat[g, 8]))

    @classmethod
    def of(cls, body: Fly, model: mujoco.MjModel) -> Bound:
        def ids(kind: str, names: Any) -> Array:
            return np.array([getattr(model, kind)(name).id for name in names])

        hinges = ids("joint", body.joints)
        motors = ids("actuator", body.motors)
        sticky = np.array([i for i, m in enumerate(body.motors) if m.startswith("adhere")])
        servos = motors[model.actuator_actadr[motors] >= 0]
        full = [f"{leg[:2]}_{_SIDES[leg[2]]}" for leg in LEGS]
        claws = ids("site", [f"claw_{leg}" for leg in full])
        names = ["antenna_L", "antenna_R", "palp_L", "palp_R"]
        receptors = np.concatenate([ids("site", names), claws, ids("site", ["labellum_L", "labellum_R"])])
        claw_geoms = ids("geom", [f"tarsal_claw_{leg}_collision" for leg in full])
        lobes = ids("geom", [f"labrum_{side}_lower_collision" for side in _SIDES.values()])
        taster_of = np.full(model.ngeom, 8)
        taster_of[claw_geoms], taster_of[lobes] = np.arange(6), [6, 7]
        radius = float(model.geom_size[claw_geoms, 0].max())
        lobe = model.geom_size[lobes].max()
        thorax, head = model.body("thorax").id, model.body("head").id
        head_axes = np.empty(9)
        mujoco.mju_quat2Mat(head_axes, model.body_quat[head])
        first = model.sensor("accelerometer").adr[0]
        free = model.joint("free")
        root = int(free.qposadr[0]) + np.arange(7)
        dof = model.jnt_dofadr[hinges]
        rest = _balance(model, hinges)
        senses = _senses()
        cameras = ("eye_left", "eye_right")
        sight = Sight(Eye.of(model, fly_retina(), cameras, body.units.length)) if body.eyes else None
        tucked = rest.copy()
        for name, angle in _tucked().items():
            tucked[body.joints.index(name)] = angle
        tucked[[j.startswith("wing") for j in body.joints]] = 0
        tucked[[j.startswith("wing_pitch") for j in body.joints]] = 0.74  # the chord upright
        proboscis = np.array([body.joints.index(name) for name in ("rostrum", "haustellum")])
        return cls(
            model=model,
            mass=float(model.body_subtreemass[thorax]),
            momentum=np.zeros(model.nv),
            thorax=thorax,
            head=head,
            head_axes=head_axes.reshape(3, 3).T.copy(),
            antennae=ids("body", ["antenna_left", "antenna_right"]),
            root=root,
            dofs=np.concatenate([int(free.dofadr[0]) + np.arange(6), dof]),
            hinges=as_slice(model.jnt_qposadr[hinges]),
            hinge_dofs=as_slice(dof),
            rest=rest,
            tucked=tucked,
            motors=as_slice(motors),
            sticky=sticky,
            servos=servos,
            act=as_slice(model.actuator_actadr[servos]) if len(servos) else slice(0, 0),
            sensors=slice(first, first + 33),
            receptors=receptors,
            fraction=np.array([0.0, 0.0, 0.05, 0.05, 0.2, 0.2, 0.45, 0.45, 0.7, 0.7, 0.05, 0.05]),
            low=np.concatenate([np.full(math.prod(s.shape), s.low) for s in senses]),
            high=np.concatenate([np.full(math.prod(s.shape), s.high) for s in senses]),
            parts=tuple(
                (s.name, slice(int(end) - math.prod(s.shape), int(end)), s.shape)
                for s, end in zip(senses, np.cumsum([math.prod(s.shape) for s in senses]), strict=True)
            ),
            reach=np.array([radius] * 6 + [lobe] * 2),
            claws=claws,
            claw_geoms=claw_geoms,
            taster_of=taster_of,
            ends=ids("site", ["nose", "tail"]),
            trunk=ids("body", ["head", "thorax", "abdomen", *(f"abdomen_{i}" for i in range(2, 8))]),
            sight=sight,
            proboscis=proboscis,
            folded=rest[proboscis],
            extended=_balance(model, hinges, -1.0)[proboscis],
        )


def _balance(model: mujoco.MjModel, hinges: Array, share: float = 0.0) -> Array:
    """Angles at which the springs of the hinges balance their servos, weight aside.

    share: the command, 0 for an angle of 0, -1 for the low end of the range.
    """
    stiffness = np.ravel(model.jnt_stiffness[hinges]).reshape(len(hinges), -1)[:, 0]
    gain, command = np.zeros((2, model.njnt))
    for i in np.flatnonzero(model.actuator_trntype == mujoco.mjtTrn.mjTRN_JOINT.value):
        joint = model.actuator_trnid[i, 0]
        gain[joint] = -model.actuator_biasprm[i, 1]
        command[joint] = -share * model.actuator_ctrlrange[i, 0]
    spring = model.qpos_spring[model.jnt_qposadr[hinges]]
    pull = stiffness * spring + gain[hinges] * command[hinges]
    total = gain[hinges] + stiffness
    angle = np.divide(pull, total, out=np.zeros(len(hinges)), where=total > 0)
    return np.asarray(np.clip(angle, *model.jnt_range[hinges].T))


def _turn(angle: float) -> tuple[float, float]:
    return math.cos(angle), math.sin(angle)


BODY = Fly
