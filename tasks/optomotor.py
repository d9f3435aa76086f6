"""Be turned round: a grating that moves past, on a drum around the animal or on the ground beneath it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground, level, on_ring, panel_ring, turn_mocap
from bestiary.tasks._motion import (
    advance,
    check_contrast,
    check_pictures,
    check_positive,
    heading_rad,
    start_at_random,
    wrapped,
)

_DRAWN = 8  # panels a period, so that a film shows a sine too
_MOST = 400  # panels


@dataclass(frozen=True)
class Optomotor:
    """A grating that stands still until from_s and then moves until to_s. Reward: the turn (drum) in degrees, or the
    way in body lengths (ground), in its direction.

    seconds: length of the episode. where: "drum", turning about the start, or "ground", gliding. period_deg: of the
    drum's grating; a whole number of periods goes round. period_L: of the ground's, in body lengths. temporal_Hz:
    periods that pass a point per second. contrast: (bright - dark) / (bright + dark), about mean. wave: "sine" or
    "square". direction: drum 1 to the left, -1 to the right; ground 1 the way the animal heads at the start, -1
    against it; 0 draws it. loop: "closed", what the animal does changes what it sees; "open", the grating goes with it,
    so that it always slips at the same speed. drum_L: radius of the drum, as high as wide.
    Of the ground's: with_heading keeps it at one angle to the animal, way_deg (+ to the left), however that turns;
    left, right: how often the speed it has on the animal's two sides: 1, 0 shows motion to one eye; -1, 1 with
    way_deg=90 motion from both sides to the middle (Naumann 2016).

    Eyes that cast rays see the grating itself (the field `luminance`, NaN where the world is left as it is); drawn
    are panels. info: pattern_deg_per_s (+ to the left, 0 while it stands; ground: 0), pattern_m_per_s (ground),
    slip_deg_per_s (pattern less turn), turned_rad (since from_s), along_m (ground, since from_s: way along its axis,
    + where direction 1 moves to), forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 5.0
    where: str = "drum"
    period_deg: float = 30.0
    period_L: float = 2.0
    temporal_Hz: float = 8.0
    contrast: float = 1.0
    mean: float = 0.5
    wave: str = "sine"
    direction: int = 0
    loop: str = "closed"
    from_s: float = 1.0
    to_s: float = math.inf
    drum_L: float = 12.0
    way_deg: float = 0.0
    with_heading: bool = False
    left: float = 1.0
    right: float = 1.0

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "period_deg", "period_L", "drum_L")
        for name, allowed in (
            ("where", ("drum", "ground")),
            ("wave", ("sine", "square")),
            ("direction", (-1, 0, 1)),
            ("loop", ("closed", "open")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"Optomotor: {name} is one of {', '.join(map(str, allowed))}, got {getattr(self, name)!r}"
                )
        if abs(360 / self.period_deg - round(360 / self.period_deg)) > 1e-6:
            raise ValueError(f"Optomotor: period_deg must divide 360, got {self.period_deg}")
        check_contrast(self)
        if self.temporal_Hz < 0:
            raise ValueError(
                f"Optomotor: temporal_Hz must be 0 or more, got {self.temporal_Hz}; direction gives the sign"
            )

    def _grey(self, cycles: Array) -> Array:
        """Luminance at phases of the grating, in periods."""
        x = np.sin(2 * math.pi * cycles)
        return self.mean * (1 + self.contrast * (x if self.wave == "sine" else np.where(x >= 0, 1.0, -1.0)))

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        check_pictures(self, body)
        radius_m = self.drum_L * body.length_m
        ground(spec, body, radius_m, layers=1)
        if self.where == "drum":
            periods = round(360 / self.period_deg)
            each = max(2, min(_DRAWN if self.wave == "sine" else 2, _MOST // periods))
            n = periods * each
            panel_ring(spec, body, radius_m, radius_m, self._grey((np.arange(n) + 0.5) / each).tolist())
            return
        unit, step = body.units.length, self.period_L * body.length_m / _DRAWN
        holder = spec.worldbody.add_body(name="stripes", mocap=True)
        n = 2 * _DRAWN * min(_MOST // _DRAWN // 2, math.ceil(radius_m / step / _DRAWN))
        level_m = level(body)
        for i in range(n):
            grey = float(self._grey(np.array((i + 0.5) / _DRAWN)))
            holder.add_geom(
                name=f"stripe{i}",
                type=mujoco.mjtGeom.mjGEOM_BOX,
                size=[step / 2 / unit, radius_m / unit, 1e-3 * body.length_m / unit],
                pos=[(i + 0.5 - n // 2) * step / unit, 0, (level_m - 5e-3 * body.length_m) / unit],
                rgba=[grey, grey, grey, 1],
                contype=0,
                conaffinity=0,
            )

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = start_at_random(body, bound, model, data, rng)
        drawn = int(rng.choice([-1, 1]))
        pose = body.pose(bound, data)
        phase = float(rng.uniform(0, self.period_deg)) if self.where == "drum" else 0.0
        return {
            **state,
            "sign": self.direction or drawn,
            "shift": math.radians(phase),
            "heading": heading_rad(pose),
            "first": heading_rad(pose),
            "turned": 0.0,
            "along": 0.0,
            "unit_m": body.units.length,
            "level_m": level(body),
        }

    def _bearing_rad(self, state: dict[str, Any]) -> float:
        """Where direction 1 moves to, on the ground."""
        return float(state["heading"] if self.with_heading else state["first"]) + math.radians(self.way_deg)

    def _on(self, time_s: float) -> bool:
        return self.from_s < time_s <= self.to_s

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        if self.where == "drum":
            turn_mocap(model, data, "drum", state["shift"])
            return
        bearing = self._bearing_rad(state)
        turn_mocap(model, data, "stripes", bearing)
        way = np.array([math.cos(bearing), math.sin(bearing)])
        gone_m = state["shift"] % (self.period_L * state["length_m"])
        data.mocap_pos[model.body_mocapid[model.body("stripes").id], :2] = gone_m * way / state["unit_m"]

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense != "luminance":
            return None
        out = np.full(len(position_m), np.nan)
        if self.where == "drum":
            radius_m = self.drum_L * state["length_m"]
            there = on_ring(position_m, radius_m, radius_m)
            at = position_m[there]
            out[there] = self._grey((np.arctan2(at[:, 1], at[:, 0]) - state["shift"]) / math.radians(self.period_deg))
            return out
        there = position_m[:, 2] <= state["level_m"] + 0.02 * state["length_m"]
        bearing = self._bearing_rad(state)
        ahead = bearing - math.radians(self.way_deg)
        at = position_m[there, :2] - (state["com_m"][:2] if self.with_heading else 0)
        along = at @ [math.cos(bearing), math.sin(bearing)]
        gone = np.full(len(along), state["shift"])
        if self.left != 1 or self.right != 1:
            aside = (position_m[there, :2] - state["com_m"][:2]) @ [-math.sin(ahead), math.cos(ahead)]
            gone *= np.where(aside > 0, self.left, self.right)
        out[there] = self._grey((along - gone) / (self.period_L * state["length_m"]))
        return out

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        period_s, before_m = time_s - state["time_s"], state["com_m"]
        step_m, info = advance(state, pose, time_s)
        now = heading_rad(pose)
        turn = wrapped(now - state["heading"])
        state["heading"] = now
        on = self._on(time_s)
        drum, gone_m = self.where == "drum", pose["com_m"] - before_m
        if on:
            state["turned"] += turn
            if not drum:
                bearing = self._bearing_rad(state)
                state["along"] += float(gone_m[0] * math.cos(bearing) + gone_m[1] * math.sin(bearing))
        per_s = state["sign"] * self.temporal_Hz * (
            math.radians(self.period_deg) if drum else self.period_L * state["length_m"]
        )  # fmt: skip
        if on:
            own = (turn if drum else step_m) if self.loop == "open" else 0.0
            state["shift"] += per_s * period_s + own
        speed = per_s if on else 0.0
        turning = turn / period_s if period_s > 0 else 0.0
        info |= {
            "pattern_deg_per_s": math.degrees(speed) if drum else 0.0,
            "pattern_m_per_s": 0.0 if drum else speed,
            "slip_deg_per_s": math.degrees(speed - (turning if self.loop == "closed" else 0.0)) if drum and on else 0.0,
            "turned_rad": state["turned"],
            "along_m": state["along"],
        }
        reward = state["sign"] * (math.degrees(turn) if drum else step_m / state["length_m"]) if on else 0.0
        return reward, False, info


TASK = Optomotor
