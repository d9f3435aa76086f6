"""Tell by touch where a pole stands, and lick for it: go or no-go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import account, advance, check_positive
from bestiary.tasks._walls import clamp, hold_head, touches

_RISE_S = 0.15


@dataclass(frozen=True)
class Whisker:
    """A pole comes up beside the face at one of several places along it; a lick is asked for where its place is in
    `go`, and none elsewhere (O'Connor 2010 J Neurosci 30:1947). Reward: 1 for the first lick at a go place after
    from_s, -1 for the first one elsewhere; the end of an episode without a lick pays 1 at a no-go place.

    seconds: length of the episode, one trial. at_s: when the pole comes. from_s: from when licks count.
    places_m: of the pole, ahead of the nose (+) or behind; go: which of them, by number. place: which one stands this
    time; None draws it; -1: the pole does not come. aside_m: from the midline. side: 1 left, -1 right, 0 drawn.
    pole_radius_m. head_fixed: the head is held by a bar, with a spout before the mouth; otherwise the animal is free,
    and so is the spout.

    info: place (its number, -1 none), go (1 or 0), touching (1: something touches the pole), touches (begun so far),
    licks (of the spout, begun so far), answered (1: licked in the time that counts), correct (as it stands: a lick at
    a go place, none elsewhere), pole_s (since the pole stands, -1 before), forward_m, speed_m_per_s, distance_m.
    """

    alone: ClassVar[bool] = True  # `move` counts contacts
    seconds: float = 2.5
    at_s: float = 0.5
    from_s: float = 0.8
    places_m: tuple[float, ...] = (-0.0105, -0.001)
    go: tuple[int, ...] = (0,)
    place: int | None = None
    aside_m: float = 0.0095
    side: int = 0
    pole_radius_m: float = 0.0008
    head_fixed: bool = True
    fall_ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "pole_radius_m", "aside_m")
        object.__setattr__(self, "places_m", tuple(self.places_m))
        object.__setattr__(self, "go", tuple(self.go))
        n = len(self.places_m)
        if self.side not in (-1, 0, 1) or not n or any(not 0 <= g < n for g in self.go):
            raise ValueError(
                f"Whisker: side is -1, 0 or 1 and go are numbers of {n} places; got {self.side}, {self.go}"
            )
        if self.place is not None and not -1 <= self.place < n:
            raise ValueError(f"Whisker: place is from -1 to {n - 1} or None, got {self.place}")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        unit = body.units.length
        ground(spec, body, 4 * body.length_m)
        pole = spec.worldbody.add_body(name="pole", mocap=True, pos=[0, 0, -1e3])
        pole.add_geom(
            name="pole", type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[self.pole_radius_m / unit, 0.025 / unit, 0],
            rgba=[0.8, 0.55, 0.1, 1], solref=[0.004, 1],
        )  # fmt: skip
        spout = spec.worldbody.add_body(name="spout", mocap=True, pos=[0, 0, -1e3])
        spout.add_geom(
            name="spout", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.001 / unit, 0, 0], rgba=[0.2, 0.45, 0.9, 1],
            solref=[0.004, 1], contype=0, conaffinity=2,
        )  # fmt: skip
        tongue = next((g for g in spec.geoms if g.name == "tongue"), None)
        if tongue is None or not any(s.name == "tongue" for s in spec.sites):
            raise ValueError("Whisker: this body has no geom and site 'tongue', so it cannot lick")
        tongue.contype |= 2  # it alone touches the spout
        if self.head_fixed:
            hold_head(spec, body, "Whisker")

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        drawn, side = int(rng.integers(len(self.places_m))), int(rng.choice([-1, 1]))
        body.place(bound, model, data, np.zeros(3), 0.0)
        mujoco.mj_forward(model, data)
        if self.head_fixed:
            clamp(model, data)
        pose = body.pose(bound, data)
        head = int(model.site_bodyid[model.site("head").id])
        axes, unit = data.xmat[head].reshape(3, 3), body.units.length
        flat = np.array([axes[0, 0], axes[1, 0], 0.0])
        flat /= np.linalg.norm(flat)
        place = drawn if self.place is None else self.place
        side = self.side or side
        pole = pose["midline_m"][0] + self.places_m[place] * flat
        pole = pole + side * self.aside_m * np.array([-flat[1], flat[0], 0])
        if self.head_fixed:  # 1.5 mm of tongue reach it
            tip = data.site("tongue").xpos + 0.0031 / unit * (0.97 * axes[:, 0] - 0.24 * axes[:, 2])
            data.mocap_pos[model.body_mocapid[model.body("spout").id]] = tip
        com_m = pose["com_m"].copy()
        state = {"pole": pole, "place": place, "unit_m": unit, **account(com_m, body.length_m)}
        return state | {"touching": 0.0, "touches": 0.0, "licking": 0.0, "licks": 0.0, "answered": 0.0}

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        up = min(max((time_s - self.at_s) / _RISE_S, 0.0), 1.0) if state["place"] >= 0 else 0.0
        row = model.body_mocapid[model.body("pole").id]
        data.mocap_pos[row] = (state["pole"] + [0, 0, -0.06 * (1 - up)]) / state["unit_m"]
        for key, many, name in (("touching", "touches", "pole"), ("licking", "licks", "spout")):
            now = float(time_s > 0 and touches(model, data, name))
            state[many] += float(now > state[key])
            state[key] = now

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense != "water":
            return None
        wet = state["place"] in self.go and time_s >= self.from_s
        return np.full(len(position_m), float(wet))

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        _, info = advance(state, pose, time_s)
        go = state["place"] in self.go
        first = bool(state["licking"]) and not state["answered"] and time_s >= self.from_s
        if first:
            state["answered"] = 1.0
        last = time_s >= self.seconds - 1e-9 and not go and not state["answered"]
        info |= {
            "place": float(state["place"]),
            "go": float(go),
            "touching": state["touching"],
            "touches": state["touches"],
            "licks": state["licks"],
            "answered": state["answered"],
            "correct": float(bool(state["answered"]) == go),
            "pole_s": time_s - self.at_s if time_s >= self.at_s and state["place"] >= 0 else -1.0,
        }
        return (1.0 if go else -1.0) * first + float(last), False, info


TASK = Whisker
