"""Find the source: one substance spread over a disc."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import disc, ground
from bestiary.tasks._motion import advance, check_positive, start_at_random

_RINGS = 6


@dataclass(frozen=True)
class Chemotaxis:
    """A source at a random bearing, `source_m` away. Reward: the rise at the head as a share of peak - floor.

    seconds: length of the episode. sense: the field that is given, in its own unit, as are peak and floor. kind:
    "gaussian", C = floor + (peak - floor) exp(-r^2 / 2 width_m^2) with r the distance to the source; or "linear",
    C falls evenly along the line from the source (peak) to the start and beyond, reaching the floor 2 source_m
    away. arena_m: radius of the ground that is drawn; nothing bounds the animal.

    info: concentration and its gradient_x_per_m, gradient_y_per_m (at the head), source_distance_m (of the head),
    source_x_m, source_y_m, chemotaxis_index (mean over time of 1 - r/r0, r0 the distance at the start: 1 at the
    source, 0 without progress; Izquierdo & Beer 2013, PLoS Comput Biol 9:e1002890, unclipped), near_share (share of
    the time spent nearer than half of r0), forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 300.0
    sense: str = "nacl_mol_per_m3"
    kind: str = "gaussian"
    peak: float = 100.0
    floor: float = 0.0
    source_m: float = 5e-3
    width_m: float = 4e-3
    arena_m: float = 0.014

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "source_m", "width_m", "arena_m")
        if self.kind not in ("gaussian", "linear"):
            raise ValueError(f"Chemotaxis: kind is 'gaussian' or 'linear', got {self.kind!r}")
        if not self.peak > self.floor >= 0:
            raise ValueError(f"Chemotaxis: needs peak > floor >= 0, got peak={self.peak}, floor={self.floor}")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, self.arena_m, layers=_RINGS + 1)
        if self.kind == "gaussian":
            for i in range(_RINGS):  # contours of equal steps in concentration, drawn darker towards the source
                level = (i + 0.5) / _RINGS
                radius_m = self.width_m * math.sqrt(-2 * math.log(level))
                disc(spec, body, f"field{i}", radius_m, (0.20, 0.55, 0.55, 0.14), _RINGS - i)
        disc(spec, body, "source", 0.15 * body.length_m, (0.75, 0.30, 0.15, 1), 0)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        bearing = rng.uniform(-np.pi, np.pi)
        source_m = self.source_m * np.array([math.cos(bearing), math.sin(bearing)])
        for i in range(model.nbody):
            if model.body(i).name.startswith(("field", "source")) and model.body_mocapid[i] >= 0:
                data.mocap_pos[model.body_mocapid[i], :2] = source_m / body.units.length
        return {**state, "source_m": source_m, "r0_m": math.nan, "c": math.nan, "sum": 0.0, "near": 0, "n": 0}

    def concentration(self, source_m: Array, position_m: Array) -> Array:
        """C (n,) at position_m (n, 2 or 3), for a source at source_m (2,), in the unit of the sense."""
        away = position_m[:, :2] - source_m
        if self.kind == "gaussian":
            share = np.exp(-(away**2).sum(1) / (2 * self.width_m**2))
        else:
            share = np.clip(1 + away @ source_m / (2 * self.source_m**2), 0, 1)
        return self.floor + (self.peak - self.floor) * share

    def gradient_per_m(self, source_m: Array, position_m: Array) -> Array:
        """dC/dx, dC/dy (n, 2) at position_m (n, 2 or 3), in the unit of the sense per m."""
        away = position_m[:, :2] - source_m
        if self.kind == "gaussian":
            return -(self.concentration(source_m, position_m) - self.floor)[:, None] * away / self.width_m**2
        share = 1 + away @ source_m / (2 * self.source_m**2)
        slope = (self.peak - self.floor) * source_m / (2 * self.source_m**2)
        return np.where(((share > 0) & (share < 1))[:, None], slope, 0.0)

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        return self.concentration(state["source_m"], position_m) if sense == self.sense else None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        _, info = advance(state, pose, time_s)
        head = pose["midline_m"][:1]
        c = float(self.concentration(state["source_m"], head)[0])
        gradient = self.gradient_per_m(state["source_m"], head)[0]
        r_m = math.dist(head[0, :2], state["source_m"])
        if state["n"] == 0:
            state["r0_m"], state["c"] = max(r_m, 1e-9), c
        else:
            state["sum"] += 1 - r_m / state["r0_m"]
            state["near"] += r_m < state["r0_m"] / 2
        reward, state["c"] = (c - state["c"]) / (self.peak - self.floor), c
        steps = max(state["n"], 1)
        state["n"] += 1
        return (
            reward,
            False,
            {
                **info,
                "concentration": c,
                "gradient_x_per_m": float(gradient[0]),
                "gradient_y_per_m": float(gradient[1]),
                "source_distance_m": r_m,
                "source_x_m": float(state["source_m"][0]),
                "source_y_m": float(state["source_m"][1]),
                "chemotaxis_index": state["sum"] / steps,
                "near_share": state["near"] / steps,
            },
        )


TASK = Chemotaxis
