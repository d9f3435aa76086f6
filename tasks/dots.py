"""Decide which way it goes: dots that drift to one side, some of them, while the rest come and go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground, level
from bestiary.tasks._motion import advance, check_positive, heading_rad, start_at_random, wrapped


@dataclass(frozen=True)
class Dots:
    """Dots on the floor that drift to the animal's left or right (drawn), with its heading (Bahl & Engert 2020).
    Reward: degrees turned in their direction.

    seconds: length of the episode. coherence: contrast of the drifting dots; the rest of the contrast goes to dots that
    are drawn anew every `life_s` (the experiment gives shares of dots). speed_m_per_s, dot_m: of the dots. direction:
    1 left, -1 right, 0 drawn. from_s: when they begin to move. A drift that skips more than half a dot in a control
    period is refused.

    info: motion (1 left, -1 right, 0 while still), turned_rad (since from_s, + in the direction of motion), and those
    of plain motion.
    """

    seconds: float = 12.0
    coherence: float = 1.0
    speed_m_per_s: float = 0.01
    dot_m: float = 0.003
    life_s: float = 0.2
    direction: int = 0
    from_s: float = 2.0

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "dot_m", "life_s")
        if not 0 <= self.coherence <= 1 or self.direction not in (-1, 0, 1) or self.speed_m_per_s < 0:
            raise ValueError(
                f"Dots: needs coherence from 0 to 1, direction -1, 0 or 1 and a speed of 0 or more, got "
                f"{self.coherence}, {self.direction}, {self.speed_m_per_s}"
            )

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        limit = self.dot_m / 2 / float(body.control_s)
        if self.speed_m_per_s > limit:
            raise ValueError(
                f"Dots: dots of {self.dot_m} m are shown at most at {limit:g} m/s; got {self.speed_m_per_s:g}"
            )
        ground(spec, body, 20 * body.length_m)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        drawn = int(rng.choice([-1, 1]))
        return {
            **state,
            "sign": self.direction or drawn,
            "last": heading_rad(body.pose(bound, data)),
            "turned": 0.0,
            "shift": 0.0,
            "seed": int(rng.integers(2**31)),
            "level_m": level(body),
        }

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense != "luminance":
            return None
        out = np.full(len(position_m), np.nan)
        floor = position_m[:, 2] <= state["level_m"] + 0.02 * state["length_m"]
        c, s = math.cos(state["last"]), math.sin(state["last"])
        at = (position_m[floor, :2] - state["com_m"][:2]) @ np.array([[c, -s], [s, c]])  # ahead, left
        drift = np.floor((at - [0, state["shift"]]) / self.dot_m).astype(np.int64)
        still = np.floor(at / self.dot_m).astype(np.int64)
        fresh = int(time_s / self.life_s) + 1
        mixed = self.coherence * _coin(drift, state["seed"]) + (1 - self.coherence) * _coin(
            still, state["seed"] + 7919 * fresh
        )
        out[floor] = 0.5 + 0.45 * mixed
        return out

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        step_s = time_s - state["time_s"]
        _, info = advance(state, pose, time_s)
        on = time_s > self.from_s
        now = heading_rad(pose)
        turn = wrapped(now - state["last"]) * state["sign"]
        state["last"] = now
        if on:
            state["shift"] += state["sign"] * self.speed_m_per_s * step_s
            state["turned"] += turn
        info |= {"motion": state["sign"] if on else 0, "turned_rad": state["turned"]}
        return math.degrees(turn) if on else 0.0, False, info


def _coin(cells: Array, seed: int) -> Array:
    """+1 or -1 for each cell (n, 2), the same whenever it is asked."""
    h = (cells[:, 0] * 73856093) ^ (cells[:, 1] * 19349663) ^ (seed * 83492791)
    h = (h ^ (h >> 13)) * 1274126177
    return np.where((h ^ (h >> 16)) & 1, 1.0, -1.0)


TASK = Dots
