"""What a task is: a world and what is asked in it. A task never names an animal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bestiary.bodies._base import Array, Body

if TYPE_CHECKING:
    import mujoco


class Task(Protocol):
    """A world and a question. Frozen dataclass: what varies between episodes is drawn in `start` and kept in `state`.

    The state is plain data (numbers, texts, arrays), so that an environment can copy, save and restore it.

    A task whose world moves by itself has one method more, called before the physics of every control step, and at the
    start: `move(state, model, data, time_s)` sets mocap bodies, which are part of the saved physics. Where it sets
    joints too, or reads contacts, the class says `alone = True`: many bodies then run one by one. One that can judge
    many episodes faster than one by one has `judge_many(states, pose, time_s)`: a list of states, poses and times with
    a leading axis, and what `judge` returns as arrays. Whether `sample` gives a field does not depend on the episode.
    """

    seconds: float  # the episode is truncated here; infinite: never
    # fall_ends: bool = True  # what a task may have: False where a body that lies on its back goes on

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        """Adds arena, odour sources, lights: before the model is compiled."""
        ...

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        """Draws the episode: only here is anything random. Returns the task's state, passed back below."""
        ...

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        """Values (n,) of the field `sense` at (n, 3) m; None where this world has no such field."""
        ...

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        """(reward, terminated, info) after a control step. Distances in m, times in s; info has the same keys always.

        Called once at the start of the episode too (time 0), where only its info is used.
        """
        ...
