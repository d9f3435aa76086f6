"""Be conditioned: a cue, what it stands for, and later the cue alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, check_positive, start_at_random

GROUPS = ("paired", "unpaired", "naive")


@dataclass(frozen=True)
class Conditioning:
    """Fields of the world by name, the same everywhere: `cue` and `event`. Reward: 0.

    seconds: length of the episode. cue, event: senses. cue_value, event_value: while they are there, in the unit of the
    sense; cue_rest, event_rest: else. first_s, every_s, trials: when cues come. cue_s, event_s: how long they last.
    delay_s: from cue to event in the group "paired"; in "unpaired" the event comes half-way to the next cue; "naive"
    gets neither before the tests. rest_s: after the last trial. tests: cues alone, at the same times in every group;
    late: only the last `late` of them, 0 for all.

    info: cues (begun so far), events (likewise), cue_on, event_on, and those of plain motion.
    """

    seconds: float = 60.0
    cue: str = "odour"
    event: str = "touch_N"
    cue_value: float = 1.0
    event_value: float = 1.0
    cue_rest: float = 0.0
    event_rest: float = 0.0
    group: str = "paired"
    first_s: float = 5.0
    every_s: float = 10.0
    trials: int = 6
    cue_s: float = 3.0
    event_s: float = 1.0
    delay_s: float = 2.0
    rest_s: float = 5.0
    tests: int = 6
    late: int = 0

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "every_s", "cue_s", "event_s", "delay_s")
        if self.group not in GROUPS:
            raise ValueError(f"Conditioning: group is {', '.join(GROUPS)}, got {self.group!r}")
        if self.cue == self.event:
            raise ValueError(f"Conditioning: cue and event are both {self.cue!r}; they are two senses")
        if not 0 <= self.late <= self.tests or self.tests < 1 or self.trials < 1:
            raise ValueError(
                f"Conditioning: trials and tests are at least 1, late 0 to tests; got {self.trials}, {self.tests}, "
                f"{self.late}"
            )
        if max(self.cue_s, self.delay_s + self.event_s) > self.every_s / 2:
            raise ValueError(
                f"Conditioning: cue and event must be over in half of every_s={self.every_s:g} s, or unpaired events "
                f"meet cues; cue_s={self.cue_s:g}, delay_s + event_s={self.delay_s + self.event_s:g}"
            )

    @property
    def training_s(self) -> Array:
        """(trials,) when cues of the training begin, where there are any."""
        return self.first_s + self.every_s * np.arange(self.trials)

    @property
    def tests_s(self) -> Array:
        """(tests,) when cues alone begin, those that are left out too."""
        return self.first_s + self.every_s * (self.trials + np.arange(self.tests)) + self.rest_s

    @property
    def events_s(self) -> Array:
        if self.group == "naive":
            return np.empty(0)
        return self.training_s + (self.delay_s if self.group == "paired" else self.every_s / 2 + self.delay_s)

    @property
    def cues_s(self) -> Array:
        """When cues begin."""
        tests = self.tests_s[self.tests - self.late :] if self.late else self.tests_s
        return tests if self.group == "naive" else np.r_[self.training_s, tests]

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        known = [s.name for s in body.senses]
        for name in (self.cue, self.event):
            if name not in known:
                raise LookupError(f"the body has no sense {name!r}: it has {', '.join(known)}")
        ground(spec, body, 20 * body.length_m)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        return {**start_at_random(body, bound, model, data, rng), "cues": self.cues_s, "events": self.events_s}

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense == self.cue:
            on = _within(state["cues"], self.cue_s, time_s)
            return np.full(len(position_m), self.cue_value if on else self.cue_rest)
        if sense == self.event:
            on = _within(state["events"], self.event_s, time_s)
            return np.full(len(position_m), self.event_value if on else self.event_rest)
        return None

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        _, info = advance(state, pose, time_s)
        for name, begun, lasts in (("cue", state["cues"], self.cue_s), ("event", state["events"], self.event_s)):
            info |= {f"{name}s": int((begun <= time_s + _SOON_S).sum()), f"{name}_on": _within(begun, lasts, time_s)}
        return 0.0, False, info


_SOON_S = 1e-9  # 0.2 + 0.1 is not 0.3


def _within(begins: Array, lasts: float, time_s: float) -> bool:
    since = time_s + _SOON_S - begins
    return bool(((since >= 0) & (since < lasts)).any())


TASK = Conditioning
