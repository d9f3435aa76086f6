"""One trial: an animal (any policy) in an environment, from reset to the end, and the track it leaves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.envs._clock import check_same_control


@dataclass(frozen=True)
class Track:
    """What measures are computed from; simulated and recorded animals share it.

    time_s (T,), midline_m (T, n, 3) nose first, com_m (T, 3), curvature_per_m (T, n_joints) dorsal positive, (T, 0) for
    a body that does not bend; info: the task's numbers, (T,) each. length_m: of the body. divergence, ended: why the
    trial stopped early, because the numbers ran away or by the rules of the world, or "". pose: whatever else
    `Body.pose` tells, (T, ...) each: `claws_m`, `claw_load_N`, `heading_rad` ... joints: names of pose["joint_rad"].
    """

    time_s: Array
    midline_m: Array
    com_m: Array
    curvature_per_m: Array
    info: dict[str, Array]
    length_m: float
    seed: int = 0
    divergence: str = ""
    ended: str = ""
    pose: dict[str, Array] = field(default_factory=dict)
    joints: tuple[str, ...] = ()

    def after(self, start_s: float) -> Track:
        """Without what came before start_s."""
        return self.between(start_s, math.inf)

    def between(self, start_s: float, stop_s: float) -> Track:
        """What was from start_s until before stop_s; times stay as they are."""
        keep = (self.time_s >= start_s) & (self.time_s < stop_s)
        return replace(
            self,
            time_s=self.time_s[keep],
            midline_m=self.midline_m[keep],
            com_m=self.com_m[keep],
            curvature_per_m=self.curvature_per_m[keep],
            info={k: v[keep] for k, v in self.info.items()},
            pose={k: v[keep] for k, v in self.pose.items()},
        )


_FIELDS = ("midline_m", "com_m", "curvature_per_m")
Step = Callable[[Array, dict[str, Array], float, dict[str, Any]], None]


def run_trial(
    env: Any,
    policy: Any,
    seconds: float | None = None,
    seed: int = 0,
    every: int = 5,
    on_step: Step | None = None,
) -> Track:
    """Runs `policy` (anything with `reset(episode_seed)` and `act(obs)`) in `env`, a Gymnasium environment of ours.

    seconds: None runs to the end of the episode. every: control steps between samples of the track. on_step: called
    after every control step with (action, obs, reward, info), for recorders, films and progress bars. Raises ClockError
    where the policy has another control period than env.
    """
    inner = env.unwrapped
    check_same_control(policy, inner.clock)
    obs, info = env.reset(seed=seed)
    policy.reset(info["episode_seed"])
    steps = round(seconds / inner.clock.control_s) if seconds is not None else None
    rows: list[dict[str, Array]] = []
    notes: list[dict[str, Any]] = []
    done, k, divergence, ended = False, 0, "", ""
    while not done and (steps is None or k < steps):
        action = policy.act(obs)
        obs, reward, terminated, truncated, info = env.step(action)
        k += 1
        done = terminated or truncated
        divergence, ended = info.get("divergence", ""), info.get("ended", "")
        if on_step is not None:
            on_step(action, obs, float(reward), info)
        if k % every == 0 and not divergence:
            rows.append(inner.pose())
            notes.append(info)
    numbers = [key for key, value in notes[0].items() if isinstance(value, int | float | np.number)] if notes else []

    def stack(key: str) -> Array:
        return np.array([row[key] for row in rows])

    return Track(
        time_s=np.array([note["time_s"] for note in notes]),
        midline_m=stack("midline_m"),
        com_m=stack("com_m"),
        curvature_per_m=stack("curvature_per_m"),
        info={key: np.array([note[key] for note in notes], float) for key in numbers},
        length_m=inner.body.length_m,
        seed=seed,
        divergence=divergence,
        ended=ended,
        pose={key: stack(key) for key in (rows[0] if rows else ()) if key not in _FIELDS},
        joints=getattr(inner.body, "joints", ()),
    )
