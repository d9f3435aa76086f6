"""Be threatened from above: a disc over an open field that looms, or sweeps past."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._motion import heading_rad
from bestiary.tasks._walls import nose_m
from bestiary.tasks.loom import Loom
from bestiary.tasks.open_field import OpenField


@dataclass(frozen=True)
class Overhead(OpenField):
    """An open field, and at at_s (None: half way through) a dark disc above it. Options, reward and
    info of `OpenField`, and:

    kind: "loom", on a collision course from straight above, from start_deg to end_deg with l/v of lv_s, there stays for
    stay_s and is gone, 2 to 20 deg in 0.25 s and 0.25 s there in Yilmaz & Meister 2013 (Curr Biol 23:2011; times from
    memory); "sweep", of sweep_deg all the time, passes overhead from one side to the other at deg_per_s (De Franceschi
    2016 Curr Biol 26:2150); "none", the sham. dark: its grey. elevation_deg: of a loom's course, 90 from above; from
    the left or the right, drawn, where it is less.

    info: loom_deg (angle of the disc from the place of the head at onset, 0 while there is none), threat_s (since
    onset; -1 before it; a sham has the same schedule), loom_side (1 left, -1 right), turned_away_rad.
    """

    seconds: float = 6.0
    side_m: float = 1.0
    kind: str = "loom"
    at_s: float | None = None
    lv_s: float = 0.0048
    start_deg: float = 2.0
    end_deg: float = 20.0
    stay_s: float = 0.25
    sweep_deg: float = 5.0
    deg_per_s: float = 21.0
    elevation_deg: float = 90.0
    dark: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in ("loom", "sweep", "none") or not self.deg_per_s > 0:
            raise ValueError(
                f"Overhead: kind is 'loom', 'sweep' or 'none' and deg_per_s above 0, got {self.kind!r} and "
                f"{self.deg_per_s}"
            )
        object.__setattr__(self, "_disc", Loom(
            at_s=self.onset_s, lv_s=self.lv_s, elevation_deg=self.elevation_deg, start_deg=self.start_deg,
            end_deg=self.end_deg, dark=self.dark, sham=self.kind == "none",
        ))  # fmt: skip

    @property
    def onset_s(self) -> float:
        """When the disc appears."""
        return min(self.seconds / 2, 60.0) if self.at_s is None else self.at_s

    @property
    def disc(self) -> Loom:
        """The disc's course."""
        return self._disc  # type: ignore[attr-defined]

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        super().furnish(spec, body)
        self.disc.hang(spec, body)

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        state = super().start(body, bound, model, data, rng)
        return self.disc.begin(state, body, bound, data, rng)

    def _over_s(self) -> float:
        """How long the disc is there."""
        if self.kind == "sweep":
            return 120.0 / self.deg_per_s
        return self.disc.collision_s - self.onset_s + self.stay_s

    def angle_deg(self, time_s: float) -> float:
        """Of the disc; 0 while there is none."""
        if self.kind == "none" or not self.onset_s <= time_s < self.onset_s + self._over_s():
            return 0.0
        return self.sweep_deg if self.kind == "sweep" else math.degrees(self.disc.angle_rad(time_s))

    def move(self, state: dict[str, Any], model: mujoco.MjModel, data: mujoco.MjData, time_s: float) -> None:
        angle = self.angle_deg(time_s)
        if angle and self.kind == "loom":
            self.disc.move(state, model, data, time_s)
            return
        row, size = model.body_mocapid[model.body("loom").id], self.disc.size_L * state["length_m"]
        if not angle:
            data.mocap_pos[row] = [0, 0, -1e3 * size / state["unit_m"]]
            return
        tilt = math.radians(60 - self.deg_per_s * (time_s - self.onset_s))
        bearing = state["heading"] + state["azimuth"]
        way = np.array([math.sin(tilt) * math.cos(bearing), math.sin(tilt) * math.sin(bearing), math.cos(tilt)])
        away_m = size / math.tan(math.radians(angle) / 2)
        data.mocap_pos[row] = (state["head_m"] + away_m * way) / state["unit_m"]
        mujoco.mju_quatZ2Vec(data.mocap_quat[row], way)

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        if time_s <= self.onset_s:
            state |= self.disc._aim(state["azimuth"], pose)
            state["head_m"] = nose_m(pose).copy()
        reward, ended, info = super().judge(state, pose, time_s)
        side = math.copysign(1.0, math.sin(state["azimuth"]))
        turned = (heading_rad(pose) - state["heading"] + math.pi) % (2 * math.pi) - math.pi
        since = time_s - self.onset_s
        info |= {
            "loom_deg": self.angle_deg(time_s),
            "threat_s": since if since >= 0 else -1.0,
            "loom_side": side,
            "turned_away_rad": -side * turned if since > 0 else 0.0,
        }
        return reward, ended, info


TASK = Overhead
