"""Cross a beam: narrow, high, and one can fall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import floor_of, level, lit_grid
from bestiary.tasks._motion import advance, check_positive, start_at
from bestiary.tasks._walls import box, contact_of

_DOWN_S = 1.0


@dataclass(frozen=True)
class Beam:
    """A beam along x, with a platform at its end. Reward: body lengths gone along it; the episode ends 1 s after a
    fall, or on the platform, which pays 1 more.

    seconds: length of the episode. width_m: 0.025, 0.012 and 0.005 in the recordings at hand (AutoGaitA).
    beam_m: its length. height_m: over the floor below.
    info: along_m (from the start), fell and crossed (1 from when it did), forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 20.0
    width_m: float = 0.025
    beam_m: float = 1.0
    height_m: float = 0.3

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "width_m", "beam_m", "height_m")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        contact, unit = contact_of(spec), body.units.length
        if (floor := floor_of(spec)) is not None:
            spec.delete(floor)
        spec.worldbody.add_geom(
            name="ground",
            type=mujoco.mjtGeom.mjGEOM_PLANE,
            size=[3 * self.beam_m / unit, 3 * self.beam_m / unit, 1],
            pos=[0, 0, (level(body) - self.height_m) / unit],
            material=lit_grid(spec, body, self.beam_m),
            **contact,
        )
        back, half = 1.2 * body.length_m, self.width_m / 2
        beam = (0.45, 0.36, 0.26, 1)
        box(spec, body, "beam", (-back, -half, -0.02), (self.beam_m, half, 0), beam, **contact)
        end = self.beam_m + 0.15
        box(spec, body, "platform", (self.beam_m, -0.075, -0.02), (end, 0.075, 0), (0.2, 0.2, 0.2, 1), **contact)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at(body, bound, model, data, np.zeros(3), float(rng.uniform(-0.03, 0.03)))
        return {**state, "level_m": level(body), "fell_s": -1.0}

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        before = float(state["com_m"][0])
        _, info = advance(state, pose, time_s)
        x, _, z = pose["com_m"]
        if z < state["level_m"] and state["fell_s"] < 0:
            state["fell_s"] = time_s
        fell = state["fell_s"] >= 0
        crossed = bool(x > self.beam_m) and not fell
        along = float(x - state["start_m"][0])
        info |= {"along_m": along, "fell": float(fell), "crossed": float(crossed)}
        reward = 0.0 if fell else float(x - before) / state["length_m"] + float(crossed)
        return reward, crossed or (fell and time_s >= state["fell_s"] + _DOWN_S), info


TASK = Beam
