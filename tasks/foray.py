"""A day in short: find sugar and eat, be dusted, be approached by a dark disc."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._motion import check_positive
from bestiary.tasks.feed import Feed
from bestiary.tasks.groom import Groom
from bestiary.tasks.loom import Loom


@dataclass(frozen=True)
class Foray:
    """`feed`, `groom` and `loom` in one world: sugar from the start, dust at dust_s, the disc at loom_s.

    seconds: length of the episode. feed: options of `tasks.feed` where they differ from here. reward: that of feeding.
    info: that of the three tasks.
    """

    seconds: float = 8.0
    dust_s: float = 5.0
    loom_s: float = 6.0
    feed: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "dust_s", "loom_s")
        put = object.__setattr__
        feed = {"ahead_deg": 15.0, "distance_L": 4.0, "patch_L": 2.0, **self.feed}
        put(self, "_feed", Feed(seconds=self.seconds, **feed))
        put(self, "_groom", Groom(seconds=self.seconds, at_s=self.dust_s))
        put(self, "_loom", Loom(seconds=self.seconds, at_s=self.loom_s))

    @property
    def _parts(self) -> dict[str, Any]:
        return {"feed": self._feed, "groom": self._groom, "loom": self._loom}  # type: ignore[attr-defined]

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        self._parts["feed"].furnish(spec, body)
        self._parts["loom"].hang(spec, body)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        fed = self._parts["feed"].start(body, bound, model, data, rng)
        placed = {k: v for k, v in fed.items() if k not in ("sugar", "bitter", "fed_s")}
        return {
            "feed": fed,
            "groom": self._parts["groom"].begin(dict(placed)),
            "loom": self._parts["loom"].begin(dict(placed), body, bound, data, rng),
        }

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        self._parts["loom"].move(state["loom"], model, data, time_s)

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        for name, task in self._parts.items():
            if (value := task.sample(state[name], sense, position_m, fraction, time_s)) is not None:
                return value
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        reward, ends = 0.0, False
        info: dict[str, Any] = {}
        for name, task in self._parts.items():
            earned, end, measures = task.judge(state[name], pose, time_s)
            reward += earned if name == "feed" else 0.0
            ends |= end
            info |= measures
        return reward, ends, info


TASK = Foray
