"""Where a larval fish is in a compiled model: its links, joints, motors, drags, and what it keeps between steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from bestiary.bodies._base import Sense
from bestiary.bodies._eye import Eye
from bestiary.bodies._fish_drag import ALONG, UP, resistance, turning
from bestiary.bodies._fish_retina import LOOKS, fish_retina
from bestiary.bodies._fish_shape import outline_m

if TYPE_CHECKING:
    from bestiary.bodies.zebrafish import Zebrafish

Array = np.ndarray[Any, np.dtype[Any]]

PAINTED, PAINTED_GROUP = ("stripe", "drum"), 2
EYE_RAD = math.radians(40)  # reach of the eyes either way


@dataclass(frozen=True)
class Bound:
    """Where a fish is in a compiled model. What is written in it belongs to the model, which it keeps."""

    model: mujoco.MjModel
    body: int  # the head
    mass: float
    momentum: Array  # (nv,) scratch
    root: Array  # (7,) in qpos
    root_z: int
    root_dof: slice
    spin: slice  # the head's turning, in its own axes
    dofs: Array
    hinges: Array
    bend: Any
    bend_dof: Any
    eyes: Array
    tail: Array  # bodies whose frames are the joints
    tips: Array
    links: Array  # sites
    link_fraction: Array
    spacing_m: float  # of the joints
    bounds: tuple[Array, Array, tuple[tuple[str, slice, tuple[int, ...]], ...]]  # of what is felt, in a row
    motors: slice
    act: slice
    filtered: Array  # which motors are filtered: muscles and fins
    full: Array
    drags: slice
    across: slice
    along: slice
    carrier: Array  # for each link, which of `along` carries it
    fins: Array
    medium: Array  # (1,) viscosity, Pa s
    slope: Array  # of the drags, a view of the model's biasprm
    offset: Array  # likewise
    added_rate: Array  # added mass over the filter's time
    keep: float
    up: slice  # in the drags
    up_sites: Array
    near_bottom: float
    bottom: float
    half_height: Array
    hold: float
    memory: slice  # of the reaction, in userdata
    eye: tuple[tuple[Eye, ...], ...]  # left and right, each with one ray a pixel, in turn
    prey: Array  # geoms
    resting: Array  # (1,) whether the bottom pushed at the last step
    views: list[Any]  # of the data last stepped: itself, speeds and commands of its drags, its qpos

    @classmethod
    def of(cls, body: Zebrafish, model: mujoco.MjModel) -> Bound:
        n, u = body.n_links, body.units

        def ids(kind: str, names: Any) -> Array:
            return np.array([getattr(model, kind)(name).id for name in names])

        root = model.joint("root")
        bends = ids("joint", [f"bend{j:02d}" for j in range(1, n)])
        pitch = ids("joint", ["pitch04"])
        eyes = ids("joint", ["eye_L", "eye_R"])
        hinges = np.concatenate([bends, pitch, eyes])
        links = ids("body", [f"link{i:02d}" for i in range(n)])
        rows = resistance(body, body.medium)
        drags = ids("actuator", [row[0] for row in rows])
        names = [row[0].split("_")[0] for row in rows]
        first = int(drags[0])
        whole = slice(first, first + len(drags))
        biasprm = model.actuator_biasprm

        def part(role: str, start: int = first) -> slice:
            at = [i for i, name in enumerate(names) if name == role]
            return slice(start + at[0], start + at[-1] + 1)

        motors = ids("actuator", body.motors)
        full = np.ones(len(motors))
        full[-5:-3] = EYE_RAD
        filtered = np.flatnonzero([not m.startswith(("eye", "bladder")) for m in body.motors])
        root_dof = int(root.dofadr[0])
        step = model.opt.timestep
        added = np.array([row[4] for row in rows])
        up_links = [f"link{i:02d}" for i in UP]
        # the same filter without an exponential each: a step of Euler over this time is the exact one over tau
        quick = motors[filtered]
        model.actuator_dyntype[quick] = mujoco.mjtDyn.mjDYN_FILTER
        model.actuator_dynprm[quick, 0] = step / -np.expm1(-step / model.actuator_dynprm[quick, 0])
        biasprm[whole, 2] -= added / body.reactive_tau_s  # the reaction's implicit half
        model.dof_damping[root_dof + 3 : root_dof + 6] = turning(body, body.medium)
        return cls(
            model=model,
            body=int(links[0]),
            mass=float(model.body_subtreemass[links[0]]),
            momentum=np.zeros(model.nv),
            root=int(root.qposadr[0]) + np.arange(7),
            root_z=int(root.qposadr[0]) + 2,
            root_dof=slice(root_dof, root_dof + 3),
            spin=slice(root_dof + 3, root_dof + 6),
            dofs=np.concatenate([root_dof + np.arange(6), model.jnt_dofadr[hinges]]),
            hinges=model.jnt_qposadr[hinges],
            bend=model.jnt_qposadr[bends],
            bend_dof=model.jnt_dofadr[bends],
            eyes=model.jnt_qposadr[eyes],
            tail=links[1:],
            tips=ids("site", ["nose", "tail"]),
            links=ids("site", [f"link{i:02d}" for i in range(n)]),
            link_fraction=body.link_fraction,
            spacing_m=float(body.edges_m[2] - body.edges_m[1]),
            bounds=_bounds([s for s in body.senses if s.name not in ("luminance", "uv")]),
            motors=_slice(motors),
            act=_slice(model.actuator_actadr[motors[filtered]]),
            filtered=filtered,
            full=full,
            drags=whole,
            across=part("across"),
            along=part("along"),
            carrier=np.abs(np.arange(n)[:, None] - ALONG).argmin(1),
            fins=ids("actuator", ["fin_L", "fin_R"]),
            medium=np.array([body.medium]),
            slope=biasprm[whole, 2],
            offset=biasprm[whole, 0],
            added_rate=added / body.reactive_tau_s,
            keep=1 - math.exp(-step / body.reactive_tau_s),
            up=part("up", 0),
            up_sites=ids("site", up_links),
            near_bottom=(body.bottom_m + 0.4 * body.length_m) / u.length,
            bottom=body.bottom_m / u.length,
            half_height=outline_m(body.link_fraction[list(UP)], body.length_m)[1] / u.length,
            hold=2e-3 / (u.force / u.length),  # N/m: the weight of a larva in water dents it by 10 um
            memory=slice(model.nuserdata - len(rows), model.nuserdata) if body.reactive else slice(0, 0),
            eye=tuple(_eye(model, side, u.length) for side in "LR") if body.eyes else (),
            prey=np.array([i for i in range(model.ngeom) if model.geom(i).name.startswith("prey")], int),
            resting=np.zeros(1, bool),
            views=[None] * 4,
        )


def _eye(model: mujoco.MjModel, side: str, unit_m: float) -> tuple[Eye, ...]:
    """One eye as so many, each with one ray of every pixel. Panels that a task draws for films and paints for eyes are
    put out of its sight: each ray would be tried on each of hundreds of them. (A drum is then as far as the sky.)"""
    for i in range(model.ngeom):
        if model.geom(i).name.startswith(PAINTED):
            model.geom_group[i] = PAINTED_GROUP
    eye = Eye.of(model, fish_retina(side), (f"eye_{side}",), unit_m, rays=LOOKS)
    groups = eye.groups.copy()
    groups[PAINTED_GROUP] = 0
    return tuple(replace(eye, rays=eye.rays[:, k::LOOKS], groups=groups) for k in range(LOOKS))


def _bounds(senses: list[Sense]) -> tuple[Array, Array, tuple[tuple[str, slice, tuple[int, ...]], ...]]:
    sizes = [math.prod(s.shape) for s in senses]
    ends = np.cumsum(sizes).tolist()
    low, high = (np.repeat([getattr(s, key) for s in senses], sizes) for key in ("low", "high"))
    return low, high, tuple((s.name, slice(e - n, e), s.shape) for s, e, n in zip(senses, ends, sizes, strict=True))


def _slice(index: Array) -> slice:
    first = int(index[0])
    if not (np.diff(index) == 1).all():
        raise ValueError("the motors of a fish must stand side by side in its model")
    return slice(first, first + len(index))
