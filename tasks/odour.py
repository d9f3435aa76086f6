"""Find an odour's source in the wind, or in still air."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import disc, ground
from bestiary.tasks._motion import advance, check_positive, start_at_random

_PUFFS = 1024  # drawn; they come round again


@dataclass(frozen=True)
class Odour:
    """A source of odour, upwind. Reward: body lengths by which the head came nearer to it.

    seconds: length of the episode. sense: the field that smells, in its own unit, as is peak, at the source. kind:
    "plume", puffs that the wind carries, which wander and spread (after Farrell 2002, Environ Fluid Mech 2:143);
    "mean", the same plume averaged over time; "gradient", still around the source, peak exp(-r^2 / 2 width_L^2); or
    "uniform", peak everywhere, as in a wind tunnel that odour is fed into. on_s: (start, stop) of the odour's release;
    None is always. wind_m_per_s: 0.12 as in Alvarez-Salvado 2018 (eLife 7:e37815); 0 with "gradient" where none is
    wanted. wind_to_deg: where it blows; None draws it. source_L, aside_L: body lengths from the start to the source,
    upwind, and the most that it lies to a side (drawn). puff_Hz, puff_L: puffs per second and their first radius
    (sigma). meander: sideways over downwind speed of a puff, one standard deviation. diffusion_m2_per_s: their growth.
    found_L: the episode ends so near to the source.

    info: concentration, source_distance_m (both at the head), odour_on, upwind_m (way of the centre of mass against the
    wind), source_x_m, source_y_m, wind_to_rad, found, chemotaxis_index (mean of 1 - r/r0), forward_m, speed_m_per_s,
    distance_m.
    """

    seconds: float = 30.0
    sense: str = "vinegar"
    kind: str = "plume"
    peak: float = 100.0
    on_s: tuple[float, float] | None = None
    wind_m_per_s: float = 0.12
    wind_to_deg: float | None = None
    source_L: float = 20.0
    aside_L: float = 3.0
    width_L: float = 8.0
    puff_Hz: float = 10.0
    puff_L: float = 0.4
    meander: float = 0.15
    diffusion_m2_per_s: float = 3e-6
    found_L: float = 1.0

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "peak", "source_L", "width_L", "puff_Hz", "puff_L")
        if self.kind not in ("plume", "mean", "gradient", "uniform"):
            raise ValueError(f"Odour: kind is 'plume', 'mean', 'gradient' or 'uniform', got {self.kind!r}")
        if self.wind_m_per_s < 0 or (self.wind_m_per_s == 0 and self.kind in ("plume", "mean")):
            raise ValueError(f"Odour: a plume needs wind_m_per_s above 0, got {self.wind_m_per_s}")
        if self.on_s is not None and not 0 <= self.on_s[0] < self.on_s[1]:
            raise ValueError(f"Odour: on_s is (start, stop) with 0 <= start < stop, got {self.on_s}")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, 1.3 * self.source_L * body.length_m, layers=1)
        disc(spec, body, "source", 0.3 * body.length_m, (0.75, 0.30, 0.15, 1), 0)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        bearing = rng.uniform(-np.pi, np.pi)
        to = bearing if self.wind_to_deg is None else math.radians(self.wind_to_deg)
        wind, left = np.array([math.cos(to), math.sin(to)]), np.array([-math.sin(to), math.cos(to)])
        source_m = body.length_m * (rng.uniform(-1, 1) * self.aside_L * left - self.source_L * wind)
        data.mocap_pos[model.body_mocapid[model.body("source").id], :2] = source_m / body.units.length
        puffs = rng.standard_normal(_PUFFS)
        return {**state, "wind": wind, "wind_to": to, "source_m": source_m, "puffs": puffs, "r_m": math.nan,
                "r0_m": math.nan, "sum": 0.0, "n": 0}  # fmt: skip

    def smell(self, state: dict[str, Any], position_m: Array, time_s: float) -> Array:
        """(n,) at position_m (n, 2 or 3), in the unit of the sense."""
        away = position_m[:, :2] - state["source_m"]
        if self.kind == "uniform":
            return np.full(len(away), self.peak * self.released(time_s))
        if self.kind == "gradient":
            width = self.width_L * state["length_m"]
            return self.peak * self.released(time_s) * np.exp(-(away**2).sum(1) / (2 * width**2))
        wind = state["wind"]
        down, side = away @ wind, away @ np.array([-wind[1], wind[0]])
        return (self._puffs if self.kind == "plume" else self._mean)(state, down, side, time_s)

    def _puffs(self, state: dict[str, Any], down: Array, side: Array, time_s: float) -> Array:
        """Puff k leaves at k / puff_Hz, drifts with the wind and to its own side, and spreads, keeping its amount."""
        r0, speed = self.puff_L * state["length_m"], self.wind_m_per_s
        oldest = min(time_s, 3 * self.source_L * state["length_m"] / speed)
        k = np.arange(math.ceil((time_s - oldest) * self.puff_Hz), math.floor(time_s * self.puff_Hz) + 1)
        if self.on_s is not None:
            k = k[(k >= self.on_s[0] * self.puff_Hz) & (k < self.on_s[1] * self.puff_Hz)]
        age = time_s - k / self.puff_Hz
        across = self.meander * speed * age * state["puffs"][k % _PUFFS]
        size2 = r0**2 + 2 * self.diffusion_m2_per_s * age
        r2 = (down[:, None] - speed * age) ** 2 + (side[:, None] - across) ** 2
        return self.peak * (r0**2 / size2 * np.exp(-r2 / (2 * size2))).sum(1)

    def _mean(self, state: dict[str, Any], down: Array, side: Array, time_s: float) -> Array:
        """The puffs' mean over time far enough from the source, on its lee side."""
        r0, speed = self.puff_L * state["length_m"], self.wind_m_per_s
        age = np.maximum(down, 0) / speed
        sigma2 = r0**2 + 2 * self.diffusion_m2_per_s * age + (self.meander * speed * age) ** 2
        line = self.puff_Hz * math.sqrt(2 * math.pi) * r0**2 / speed / np.sqrt(sigma2)
        there = (down > 0) & (self.on_s is None or self.released_at(time_s - age))
        return self.peak * np.where(there, line * np.exp(-(side**2) / (2 * sigma2)), 0.0)

    def released_at(self, time_s: Array) -> Array:
        """(n,) whether the source gave off odour at times (n,)."""
        start, stop = self.on_s or (0.0, math.inf)
        return (time_s >= start) & (time_s < stop)

    def released(self, time_s: float) -> float:
        """1 while the source gives off odour, else 0."""
        return float(self.released_at(np.array([time_s]))[0])

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense == self.sense:
            return self.smell(state, position_m, time_s)
        if sense in ("wind_x_m_per_s", "wind_y_m_per_s"):
            return np.full(len(position_m), self.wind_m_per_s * state["wind"]["xy".index(sense[5])])
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        _, info = advance(state, pose, time_s)
        head = pose["midline_m"][:1]
        r_m = math.dist(head[0, :2], state["source_m"])
        if state["n"] == 0:
            state["r0_m"] = state["r_m"] = max(r_m, 1e-9)
        else:
            state["sum"] += 1 - r_m / state["r0_m"]
        reward = (state["r_m"] - r_m) / state["length_m"]
        state["r_m"] = r_m
        found = r_m < self.found_L * state["length_m"]
        info |= {
            "concentration": float(self.smell(state, head, time_s)[0]),
            "source_distance_m": r_m,
            "odour_on": self.released(time_s),
            "upwind_m": -float((pose["com_m"] - state["start_m"])[:2] @ state["wind"]),
            "source_x_m": float(state["source_m"][0]),
            "source_y_m": float(state["source_m"][1]),
            "wind_to_rad": state["wind_to"],
            "found": float(found),
            "chemotaxis_index": state["sum"] / max(state["n"], 1),
        }
        state["n"] += 1
        return reward, found, info


TASK = Odour
