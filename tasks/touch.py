"""Be touched: presses on the skin at places along the body, on a schedule, with a sham."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, check_positive, start_at_random

Stimulus = tuple[float, float, float, float]
_SOON_S = 1e-9  # 0.2 + 0.1 is not 0.3: far below any period, far above rounding


@dataclass(frozen=True)
class Touch:
    """Touches of given force at given places. Reward: body lengths gone away from the last touch within `escape_s`.

    seconds: length of the episode. stimuli: (time_s, duration_s, place, force_N) each; place 0 nose to 1 tail. None
    draws them: the first at `first_s`, then every `every_s`, anterior (place `front`) and posterior (`rear`) in turn,
    which of them first being drawn. duration_s, force_N: of drawn touches. The force is that of a gentle stroke, and
    falls with the distance along the body as a Gaussian of sigma `spread` body lengths. sham: the same schedule with
    no force, the control of every touch assay. sense: the field that is given.

    info: touch_N (the present force), touch_place (of the present or last touch, -1 before the first), touches
    (begun so far), and those of plain motion: forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 60.0
    stimuli: tuple[Stimulus, ...] | None = None
    sham: bool = False
    first_s: float = 10.0
    every_s: float = 10.0
    duration_s: float = 0.5
    force_N: float = 1e-5
    front: float = 0.2
    rear: float = 0.8
    spread: float = 0.05
    escape_s: float = 3.0
    sense: str = "touch_N"
    arena_m: float = 0.02

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "every_s", "duration_s", "spread", "arena_m")
        for stimulus in self.stimuli or ():
            good = len(stimulus) == 4 and all(map(math.isfinite, stimulus))
            if not good or not 0 <= stimulus[2] <= 1 or stimulus[1] <= 0 or stimulus[0] < 0:
                raise ValueError(
                    f"a stimulus is (time_s >= 0, duration_s > 0, place 0 nose to 1 tail, force_N), got {stimulus}"
                )

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, self.arena_m)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        stimuli = self.stimuli if self.stimuli is not None else self._draw(rng)
        schedule = np.array(sorted(stimuli), np.float64).reshape(-1, 4)
        if self.sham:
            schedule[:, 3] = 0.0
        return {**state, "schedule": schedule}

    def _draw(self, rng: np.random.Generator) -> list[Stimulus]:
        seconds = self.seconds if math.isfinite(self.seconds) else 3600.0
        front_first = bool(rng.integers(2))
        times = np.arange(self.first_s, seconds, self.every_s)
        return [
            (float(t), self.duration_s, self.front if (i % 2 == 0) == front_first else self.rear, self.force_N)
            for i, t in enumerate(times)
        ]

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense != self.sense:
            return None
        force = np.zeros(len(fraction))
        for begin, duration, place, newton in state["schedule"]:
            if _lasts(begin, duration, time_s):
                force += newton * np.exp(-0.5 * ((fraction - place) / self.spread) ** 2)
        return force

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        step_m, info = advance(state, pose, time_s)
        touch_N, place, begun, reward = 0.0, -1.0, 0, 0.0
        for begin, duration, where, newton in state["schedule"]:
            if begin > time_s + _SOON_S:
                break
            place, begun = float(where), begun + 1
            touch_N = float(newton) if _lasts(begin, duration, time_s) else 0.0
            away = step_m if where > 0.5 else -step_m
            reward = away / state["length_m"] if time_s < begin + self.escape_s else 0.0
        return reward, False, {**info, "touch_N": touch_N, "touch_place": place, "touches": begun}


def _lasts(begin_s: float, duration_s: float, time_s: float) -> bool:
    return begin_s <= time_s + _SOON_S < begin_s + duration_s


TASK = Touch
