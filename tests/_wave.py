"""A scripted animal and synthetic tracks: travelling waves whose every number is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bestiary.tasks._trial import Track


def wave_track(
    seconds: float = 60.0,
    hz: float = 0.3,
    wavelength: float = 0.65,
    amplitude_per_mm: float = 6.0,
    speed_L_per_s: Any = 0.15,
    period_s: float = 0.05,
    length_m: float = 1e-3,
    extra_per_m: Any = 0.0,
    curving_rad_per_s: float = 0.0,
) -> Track:
    """A body that slides along its own axis at speed_L_per_s, a number or (T,), its wave in step with the way gone;
    extra_per_m: curvature added, a number or (T, 1)."""
    t = np.arange(0, seconds, period_s)
    speed = np.broadcast_to(np.asarray(speed_L_per_s, float), t.shape)
    phase = 2 * np.pi * hz * np.cumsum(np.sign(speed)) * period_s
    n = 24
    s = np.arange(1, n + 1) / (n + 1)
    curvature = amplitude_per_mm * 1e3 * np.cos(phase[:, None] - 2 * np.pi * s / wavelength) + extra_per_m
    bend = curvature * length_m / (n + 1)
    # a posture is turned so that its nose-to-tail axis has the heading, and put where its centre should be
    angle = np.concatenate([np.zeros((len(t), 1)), np.cumsum(bend, 1)], 1)
    step = np.stack([np.cos(angle), np.sin(angle)], 2) * length_m / (n + 1)
    x = np.concatenate([np.zeros((len(t), 1, 2)), np.cumsum(step, 1)], 1)
    heading = curving_rad_per_s * t
    chord = x[:, 0] - x[:, -1]
    turn = heading - np.arctan2(chord[:, 1], chord[:, 0])
    rotate = np.stack([np.stack([np.cos(turn), -np.sin(turn)], 1), np.stack([np.sin(turn), np.cos(turn)], 1)], 1)
    x = np.einsum("tij,tnj->tni", rotate, x)
    way = speed[:, None] * length_m * np.stack([np.cos(heading), np.sin(heading)], 1)
    com = np.cumsum(way, 0) * period_s
    x += (com - x.mean(1))[:, None]
    flat = np.zeros((len(t), n + 2, 1))
    return Track(t, np.concatenate([x, flat], 2), np.c_[com, 0 * t], curvature, {}, length_m)


@dataclass
class WaveAnimal:
    """A policy that drives the muscles with a wave whatever it senses; the options of `bestiary.animal` change it."""

    hz: float = 0.4
    wavelength: float = 0.65
    drive: float = 0.5
    about: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    backward: tuple[float, float] = (np.inf, np.inf)

    def reset(self, episode_seed: int = 0) -> None:
        self.steps = 0
        self.phase = np.random.default_rng(episode_seed).uniform(0, 2 * np.pi)

    def act(self, obs: Any) -> Any:
        from bestiary.bodies.worm import BODY

        now = self.steps * 0.01
        self.steps += 1
        sign = -1 if self.backward[0] <= now < self.backward[1] else 1
        self.phase += sign * 2 * np.pi * self.hz * 0.01
        place = BODY().muscle_fraction
        side = np.array([1 if m[1] == "D" else -1 for m in BODY().motors])
        return (self.drive * side * np.sin(self.phase - 2 * np.pi * place / self.wavelength)).astype(np.float32)

    def index(self, name: str) -> Any:
        return np.array([0])

    def probe(self) -> dict[str, Any]:
        return {"voltage_mV": np.array([-60.0 + self.steps * 0.01])}


def wave_animal(
    name: str,
    *,
    parameters: Any = None,
    lesion: Iterable[str] = (),
    stimulate: Iterable[str] = (),
    control: str | None = None,
    control_seed: int = 0,
    without: Iterable[str] = (),
) -> WaveAnimal:
    """In the place of `bestiary.animal`: lesions stop it, light at "NAME:light=1@A-B" turns it round."""
    made = WaveAnimal(**(parameters or {}))
    if list(lesion) or control:
        made.drive = 0.0
    for text in stimulate:
        start, stop = text.split("@")[1].split("-")
        made.backward = (float(start), float(stop))
    return made
