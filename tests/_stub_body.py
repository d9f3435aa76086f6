"""A test double: a four-link chain in a plane. It also proves that a new animal needs one file and no other change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import mujoco
import numpy as np

from bestiary.bodies._base import MM_MG, Array, Sense, Units, World
from bestiary.errors import MediumError


@dataclass(frozen=True)
class StubBody:
    """Links of 0.25 mm, hinges moved by torque, every link dragged anisotropically."""

    length_m: float = 1e-3
    control_s: str = "0.01"
    physics_s: str = "0.005"
    units: ClassVar[Units] = MM_MG
    n: ClassVar[int] = 4
    motors: tuple[str, ...] = field(default=("bend1", "bend2", "bend3"))
    senses: tuple[Sense, ...] = field(
        default=(
            Sense("bend_rad", (3,), -4.0, 4.0, "rad", "hinge angles"),
            Sense("touch_N", (4,), 0.0, 1e-4, "N", "press on each link", external=True),
            Sense("nacl_mol_per_m3", (1,), 0.0, 1e3, "mol/m^3", "salt at the head", external=True, rest=7.0),
        )
    )

    def spec(self) -> mujoco.MjSpec:
        spec = mujoco.MjSpec()
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.gravity = [0, 0, 0]
        spec.compiler.degree = False
        link = self.length_m / self.units.length / self.n
        body = spec.worldbody.add_body(name="link0")
        body.add_joint(name="x", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[1, 0, 0])
        body.add_joint(name="y", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 1, 0])
        body.add_joint(name="turn", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 0, 1])
        for i in range(self.n):
            if i:
                body = body.add_body(name=f"link{i}", pos=[-link, 0, 0])
                body.add_joint(
                    name=f"bend{i}", axis=[0, 0, 1], stiffness=[200, 0, 0], damping=[20, 0, 0], range=[-2, 2]
                )
                spec.add_actuator(
                    name=f"bend{i}",
                    target=f"bend{i}",
                    trntype=mujoco.mjtTrn.mjTRN_JOINT,
                    gainprm=[200] + [0] * 9,
                    dyntype=mujoco.mjtDyn.mjDYN_FILTER,
                    dynprm=[0.1] + [0] * 9,
                )
            body.add_geom(
                type=mujoco.mjtGeom.mjGEOM_CAPSULE,
                fromto=[0, 0, 0, -link, 0, 0],
                size=[0.04, 0, 0],
                rgba=[0.8, 0.7, 0.5, 1],
                contype=0,
                conaffinity=0,
            )
            site = body.add_site(name=f"drag{i}", pos=[-link / 2, 0, 0])
            for axis, c in ((0, 1.0), (1, 10.0)):
                gear = [0.0] * 6
                gear[axis] = 1
                spec.add_actuator(
                    name=f"drag{i}{'xy'[axis]}",
                    target=site.name,
                    trntype=mujoco.mjtTrn.mjTRN_SITE,
                    gear=gear,
                    gainprm=[0] * 10,
                    biastype=mujoco.mjtBias.mjBIAS_AFFINE,
                    biasprm=[0, 0, -1e3 * c] + [0] * 7,
                )
        return spec

    def bind(self, model: mujoco.MjModel) -> dict[str, Array]:
        return {
            "motor": np.array([model.actuator(m).id for m in self.motors]),
            "hinge": np.array([model.jnt_qposadr[model.joint(m).id] for m in self.motors]),
            "link": np.array([model.body(f"link{i}").id for i in range(self.n)]),
            "drag": np.array([model.actuator(f"drag{i}{a}").id for i in range(self.n) for a in "xy"]),
        }

    def set_medium(self, bound: Any, model: mujoco.MjModel, medium: Any) -> None:
        share = {"agar": 1.0, "water": 0.1}
        if medium not in share:
            raise MediumError(f"no medium {medium!r}")
        model.actuator_biasprm[bound["drag"], 2] = np.tile([-1e3, -1e4], self.n) * share[medium]

    def place(
        self,
        bound: Any,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        position_m: Array,
        heading_rad: float,
        curvature: Any = None,
    ) -> None:
        data.qpos[:2] = position_m[:2] / self.units.length
        data.qpos[2] = heading_rad

    def apply(self, bound: Any, data: mujoco.MjData, action: Array) -> None:
        data.ctrl[bound["motor"]] = action

    def before_step(self, bound: Any, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        pass

    def sense(self, bound: Any, data: mujoco.MjData, world: World) -> dict[str, Array]:
        at = data.xpos[bound["link"]] * self.units.length
        place = (np.arange(self.n) + 0.5) / self.n
        value = {
            "bend_rad": data.qpos[bound["hinge"]],
            "touch_N": world.sample("touch_N", at, place, data.time),
            "nacl_mol_per_m3": world.sample("nacl_mol_per_m3", at[:1], place[:1], data.time),
        }
        return {s.name: np.clip(value[s.name], s.low, s.high).astype(np.float32) for s in self.senses}

    def pose(self, bound: Any, data: mujoco.MjData) -> dict[str, Array]:
        at = data.xpos[bound["link"]] * self.units.length
        frame = data.xmat[bound["link"][-1]].reshape(3, 3)[:, 0]
        tail = at[-1] - frame * self.length_m / self.n
        midline = np.vstack([at, tail])
        return {
            "midline_m": midline,
            "com_m": (midline[1:] + midline[:-1]).mean(0) / 2,
            "curvature_per_m": data.qpos[bound["hinge"]] / (self.length_m / self.n),
            "muscle": data.act.copy(),
        }
