"""Turn to a bar: a goal that can be seen."""

from __future__ import annotations

from dataclasses import dataclass

from bestiary.tasks.compass import Compass


@dataclass(frozen=True)
class Turn(Compass):
    """A bright bar at a bearing that is drawn, and the goal is to head for it. Options, reward, info: see `Compass`."""

    seconds: float = 10.0
    goal_deg: float | str | None = "bar"


TASK = Turn
