"""Be dusted: dirt on parts of the body that its legs can sweep off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, check_positive, start_at_random

_SWEEPING_L_PER_S = 0.5  # a claw that is slower against the body rests there

# part: (place along the midline, 0 head to 1 tail; legs that reach it: the first pair or the last)
PARTS = {
    "eye": (0.0, "front"),
    "antenna": (0.0, "front"),
    "abdomen": (1.0, "rear"),
    "wing": (0.75, "rear"),
    "thorax": (0.4, "rear"),
}


@dataclass(frozen=True)
class Groom:
    """Dust at the start, on the parts named, left and right. Reward: the share of all dust that this step took off.

    seconds: length of the episode. parts: of "eye", "antenna", "abdomen", "wing", "thorax". load_N: of each part and
    side, the field `<part>_load_N`; a receptor on the left has the left one's. at_s: when the dust comes. Legs take it
    off: a claw of the pair that cleans the part, within reach_L body lengths of it (or of where pose tells `<part>_m`,
    (2, 3), left and right) and moving against the body by 0.5 body lengths a second or more, sweeps off
    1 - exp(-way / sweep_L) of what is on that side, way in body lengths.

    info, for each part: dust_<part> (share left, mean of both sides), swept_<part> (1 while a claw sweeps there);
    dust_N (sum of all), forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 10.0
    parts: tuple[str, ...] = ("antenna",)
    load_N: float = 1e-6
    at_s: float = 0.0
    reach_L: float = 0.25
    sweep_L: float = 3.0

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "load_N", "reach_L", "sweep_L")
        for part in self.parts:
            if part not in PARTS:
                raise ValueError(f"Groom: a part is one of {', '.join(PARTS)}, got {part!r}")

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, 8 * body.length_m)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        return self.begin(start_at_random(body, bound, model, data, rng))

    def begin(self, state: dict[str, Any]) -> dict[str, Any]:
        """The task's state for an animal that has been placed."""
        return {**state, "dust": {part: np.ones(2) for part in self.parts}, "claws": None}

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        part = sense.removesuffix("_load_N")
        if part == sense or part not in self.parts:
            return None
        if time_s < self.at_s:
            return np.zeros(len(position_m))
        side = np.arange(len(position_m)) * 2 // max(len(position_m), 1)  # receptors come left ones first
        return self.load_N * state["dust"][part][side]

    def _sweeps(self, state: dict[str, Any], pose: dict[str, Array], period_s: float) -> dict[str, Array]:
        """Body lengths that claws swept over each part in this step, (2,) left and right."""
        way = {part: np.zeros(2) for part in self.parts}
        if "claws_m" not in pose:
            return way
        midline, length = pose["midline_m"], state["length_m"]
        origin = pose["com_m"]
        axis = midline[0] - midline[-1]
        axis = axis / max(math.sqrt(axis @ axis), 1e-12)
        left = np.cross([0.0, 0.0, 1.0], axis)
        left = left / max(math.sqrt(left @ left), 1e-12)
        frame = np.stack([axis, left, np.cross(axis, left)], 1)
        claws = (pose["claws_m"] - origin) @ frame / length  # as the body sees them
        moved = np.zeros(len(claws)) if state["claws"] is None else np.linalg.norm(claws - state["claws"], axis=1)
        state["claws"], moved = claws, np.where(moved >= _SWEEPING_L_PER_S * period_s, moved, 0.0)
        for part in self.parts:
            place, pair = PARTS[part]
            at = np.array([np.interp(place * (len(midline) - 1), np.arange(len(midline)), x) for x in midline.T])
            ends = pose.get(f"{part}_m", np.stack([at, at]))
            for claw in (0, 1) if pair == "front" else (-2, -1):
                near = np.linalg.norm(ends - pose["claws_m"][claw], axis=1) < self.reach_L * length
                sides = near & (np.arange(2) == claw % 2) if near.all() else near  # within reach of both: its own
                way[part][sides] += moved[claw]
        return way

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        way = self._sweeps(state, pose, time_s - state["time_s"])
        _, info = advance(state, pose, time_s)
        dust, before = state["dust"], sum(float(d.sum()) for d in state["dust"].values())
        for part in self.parts:
            if time_s >= self.at_s:
                dust[part] = dust[part] * np.exp(-way[part] / self.sweep_L)
            info[f"dust_{part}"] = float(dust[part].mean()) if time_s >= self.at_s else 0.0
            info[f"swept_{part}"] = float(way[part].max() > 0)
        after = sum(float(d.sum()) for d in dust.values())
        info["dust_N"] = self.load_N * after if time_s >= self.at_s else 0.0
        return (before - after) / max(2 * len(self.parts), 1), False, info


TASK = Groom
