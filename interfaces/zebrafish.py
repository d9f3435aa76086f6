"""The fish's interface: eyes, ears, skin and balance to named neurons; the cord to the muscles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.spatial import cKDTree

import bestiary
from bestiary.bodies._fish_retina import PIXEL_DEG, fish_retina
from bestiary.bodies.zebrafish import Zebrafish
from bestiary.brains import zebrafish as brains
from bestiary.brains._fish_circuits import AZIMUTHS_DEG, NEUTRAL, TURNED_IN_DEG
from bestiary.brains._fish_cord import FishCord, segments_to_joints
from bestiary.brains._parts import Composite
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock

__all__ = ["CLOCK", "COMPONENTS", "INTERFACE", "PATTERN", "FishInterface", "assemble"]

Array = np.ndarray[Any, np.dtype[Any]]

CLOCK = {"control": "0.001", "brain": "0.0001", "physics": "0.0002"}
DEMO = {"task": "stream", "seconds": 15.0}  # what `bestiary run` shows
# closed loops that `bestiary bench zebrafish` times
BENCH: dict[str, dict[str, Any]] = {
    "what ships": {},
    "3,000 spiking neurons": {"connectome": "mesoscale:3000"},
    "100,000 spiking neurons": {"connectome": "mesoscale:100000"},
}
BENCH_SECONDS = {"what ships": 1.5, "3,000 spiking neurons": 1.5, "100,000 spiking neurons": 0.4}
COMPONENTS = {
    "bout-gate": "the cord's accumulator that turns a tonic drive into bouts (functional_fit)",
    "nerve-depression": "synapses of the VIIIth nerve on the Mauthner cells tire: habituation (functional_fit)",
    **brains.PARTS,
}
LOOK_S = 0.01  # the body's eyes look so often
UNIT_MV = 20.0


def assemble(
    body: Zebrafish,
    connectome: Connectome | str | None,
    parameters: Any,
    rewire: Any,
    lesion: tuple[str, ...],
    silence: tuple[str, ...],
    without: tuple[str, ...],
    clock: Clock,
    backend: str | None = None,
) -> tuple[Composite, FishInterface, dict[str, Any]]:
    """Brain, interface and what a card says of them, for `bestiary.animal("zebrafish", ...)`.

    backend: "rate", or "spiking" for an integrator of Poisson cells. parameters: of the cord, by name.
    """
    if backend not in (None, "rate", "spiking"):
        raise LookupError(f"no backend {backend!r}; {bestiary.nearest(backend, ['rate', 'spiking'], 'backend')}")
    p = brains.parameters(parameters)
    joints = segments_to_joints(body.joint_fraction, body.head_m / body.length_m)
    nerve = FishCord(clock, joints, p, gated="bout-gate" not in without)
    brain = brains.build(connectome, clock, nerve, rewire, lesion, silence, without, backend == "spiking")
    source = connectome if isinstance(connectome, str) else getattr(connectome, "source", brains.DEFAULT)
    about = {"connectome": source, "components": COMPONENTS, "parts": list(brain.parts), "parameters": p}
    return brain, FishInterface.of(body, brain, clock), about


@dataclass(frozen=True)
class FishInterface:
    """rows: names of sensory neurons -> their places. pairs: (eyes, ways, 2, m) pixels side by side, for motion to
    `WAYS`; bins: (eyes, k, n) which pixels each prey neuron looks at."""

    size: int
    rows: Mapping[str, int]
    floor: Mapping[str, list[Array]]
    around: list[Array]
    bins: Array
    upper: Array
    clock: Clock
    deaf: ClassVar[tuple[str, ...]] = ("luminance", "uv")  # it does without, where the body has no eyes

    @classmethod
    def of(cls, body: Zebrafish, brain: Composite, clock: Clock) -> FishInterface:
        names = {n: i for i, n in enumerate(brain.names)}
        ways = [fish_retina(s).directions[0] for s in "LR"]
        floor: dict[str, list[Array]] = {
            "fwd": [_pairs(w, np.array([1.0, 0, 0]), True) for w in ways],
            "left": [_pairs(w, np.array([0, 1.0, 0]), True) for w in ways],
        }
        around = [_pairs(w, None, False) for w in ways]
        azimuth = [np.degrees(np.arctan2(s * w[:, 1], w[:, 0])) for s, w in zip((1, -1), ways, strict=True)]
        level = [np.abs(w[:, 2]) < math.sin(math.radians(45)) for w in ways]
        wide = AZIMUTHS_DEG[1] - AZIMUTHS_DEG[0]  # tuning falls to nothing at the neighbour
        bins = np.stack(
            [
                [np.maximum(1 - np.abs(a - c) / wide, 0) * f for c in AZIMUTHS_DEG]
                for a, f in zip(azimuth, level, strict=True)
            ]
        ).astype(np.float32)
        upper = np.stack([w[:, 2] > 0 for w in ways])  # what looms comes from above; floors have stripes
        return cls(len(brain.names), names, floor, around, bins, upper, clock)

    def init(self) -> dict[str, Any]:
        n = self.upper.shape[1]
        return {
            "step": np.zeros(1, np.int64),
            "mean": np.full((2, n), np.nan, np.float32),  # slow luminance of each pixel
            "past": np.zeros((2, n), np.float32),  # its contrast, low-passed
            "ground": np.full((2, n), np.nan, np.float32),  # luminance as floor cells have adapted to it
            "crept": np.zeros((2, n), np.float32),  # their contrast, low-passed
            "size": np.zeros((2, 2), np.float32),  # angle of what is dark, its growth, of each eye
            "light": np.full(2, np.nan, np.float32),
            "seen": np.zeros(0, np.float32),
            "quiet_s": np.zeros(1, np.float32),  # since its own bout swept the scene
            "heat": np.full(1, np.nan, np.float32),
        }

    def encode(self, state: dict[str, Any], obs: Mapping[str, Array]) -> tuple[dict[str, Any], Array]:
        """Drive (n,) mV. Eyes at their own pace (100 Hz), the rest in every period."""
        drive = np.zeros(self.size, np.float32)
        new = dict(state)
        each = max(1, round(LOOK_S / self.clock.control_s))
        moved = float(np.abs(obs["gyro_rad_per_s"]).max()) > SWEEP_RAD_PER_S
        new["quiet_s"] = np.where(moved, 0.0, state["quiet_s"] + self.clock.control_s).astype(np.float32)
        if "luminance" in obs:
            if int(state["step"][0]) % each == 0 or not len(state["seen"]):
                new["seen"] = self._look(new, obs["luminance"], obs["uv"])
            drive += new["seen"]
        new["step"] = state["step"] + 1
        for side, a in zip("LR", np.abs(obs["sound_m_per_s2"]).tolist(), strict=True):
            self._give(drive, f"viii_{side}", UNIT_MV * min(a / TAP_M_PER_S2, 2.0))
        across = obs["lateral_m_per_s"][:, 1]  # water from the left goes to the right; neuromasts saturate
        for side, fastest in (("L", -float(across.min())), ("R", float(across.max()))):
            self._give(drive, f"flow_{side}", UNIT_MV * min(max(fastest, 0.0) / FLOW_M_PER_S, 2.0))
        along, turning = abs(float(obs["lateral_m_per_s"][0, 0])), float(np.abs(obs["gyro_rad_per_s"]).max())
        self._give(drive, "swum", UNIT_MV * min(max(along / SWUM_M_PER_S, turning / SWUM_RAD_PER_S), 2.0))
        warm = float(obs["temperature_C"].mean())
        before = float(state["heat"][0])
        before = warm if before != before else before
        new["heat"] = np.array([before + (warm - before) * self.clock.control_s / HEAT_S], np.float32)
        self._give(drive, "heat", UNIT_MV * min(max(warm - before, 0.0), 2.0))
        squeezed = SQUEEZE_PER_M * float(obs["depth_m"][0])
        self._give(drive, "slack", UNIT_MV * max(squeezed, 0.0))
        self._give(drive, "stretch", UNIT_MV * max(-squeezed, 0.0))
        return new, drive

    def _give(self, drive: Array, name: str, mV: float) -> None:
        if (row := self.rows.get(name)) is not None:
            drive[row] += mV

    def _look(self, state: dict[str, Any], light: Array, uv: Array) -> Array:
        """Drive from the eyes: motion (correlation of neighbours, divided by their power, so that it tells speed and
        not contrast), things that darken and grow, spots by size, light of each eye."""
        drive = np.zeros(self.size, np.float32)
        calm = state["quiet_s"][0] > QUIET_S
        mean, past = state["mean"], state["past"]
        if np.isnan(mean[0, 0]):
            mean = light.copy()
        mean = mean + np.float32(LOOK_S / 0.6) * (light - mean)
        contrast = light - mean
        state["mean"] = mean
        keep = np.float32(-math.expm1(-LOOK_S / 0.06))
        state["past"] = past + keep * (contrast - past)
        ground = np.where(np.isnan(state["ground"]), light, state["ground"])
        ground = ground + np.float32(LOOK_S / FLOOR_S) * (light - ground)
        floor, crept = light - ground, state["crept"]
        state["ground"], state["crept"] = ground, crept + keep * (floor - crept)
        for e, eye in enumerate("LR"):
            for way, back, pairs in (("fwd", "back", self.floor["fwd"][e]), ("left", "right", self.floor["left"][e])):
                m = _motion(floor[e], crept[e], pairs)
                self._give(drive, f"ds_{way}_{eye}", UNIT_MV * MOTION * max(m, 0.0))
                self._give(drive, f"ds_{back}_{eye}", UNIT_MV * MOTION * max(-m, 0.0))
            m = _motion(contrast[e], past[e], self.around[e]) if calm else 0.0
            self._give(drive, f"rot_left_{eye}", UNIT_MV * ROTATION * max(m, 0.0))
            self._give(drive, f"rot_right_{eye}", UNIT_MV * ROTATION * max(-m, 0.0))
            dark = self.upper[e] & (contrast[e] < -0.3 * np.maximum(mean[e], 0.05))
            angle = 2 * math.sqrt(PIXEL_DEG**2 * int(dark.sum()) / math.pi)
            was, growth = state["size"][e].tolist()
            growth += 0.4 * ((angle - was) / LOOK_S - growth)
            state["size"] = state["size"].copy()
            state["size"][e] = angle, growth
            if growth > GROWS_DEG_PER_S and angle > LOOM_DEG and calm:
                self._give(drive, f"loom_{eye}", 2 * UNIT_MV)
            if uv[e].any():
                area = PIXEL_DEG**2 * (self.bins[e] @ uv[e])  # deg^2 in the view of each prey neuron
                whole = area + np.r_[area[1:], 0] + np.r_[0, area[:-1]]  # a large spot silences all cells that see some
                size = np.where(np.array(AZIMUTHS_DEG) <= TURNED_IN_DEG, area, whole)
                small = area / (area + 4.0) / (1 + (size / PREY_DEG2) ** 3)
                close = area / np.maximum(whole, 1e-3) / (1 + (NEAR_DEG2 / np.maximum(whole, 1e-3)) ** 3)
                for azimuth, far, by in zip(AZIMUTHS_DEG, small.tolist(), close.tolist(), strict=True):
                    self._give(drive, f"prey_{eye}{azimuth}", UNIT_MV * 1.5 * far)
                    self._give(drive, f"near_{eye}{azimuth}", UNIT_MV * 1.5 * by)
                large = float(whole[2:].max())
                self._give(drive, f"spot_{eye}", UNIT_MV * max(0.0, (large - SMALL_DEG2) / (large + SMALL_DEG2)))
        glow = light.mean(1)
        side = float((glow[0] - glow[1]) / max(float(glow.sum()), 1e-3))
        self._give(drive, "light_L", UNIT_MV * 4 * max(side, 0.0))
        self._give(drive, "light_R", UNIT_MV * 4 * max(-side, 0.0))
        known = float(state["light"][0])
        now = float(glow.mean())
        known = now if known != known else known
        state["light"] = np.array([known + (now - known) * LOOK_S / 0.5, now], np.float32)
        self._give(drive, "dark", UNIT_MV * 2 * max(0.0, (known - now) / max(known, 1e-3) - 0.3))
        self._give(drive, "bright", UNIT_MV * 2 * max(0.0, (now - known) / max(now, 1e-3) - 0.3))
        return drive

    def decode(self, reading: Mapping[str, Array]) -> Array:
        return reading["motor"]


TAP_M_PER_S2 = 50.0  # of the water: always startles; about 28 dB re 1 m/s^2 is the threshold (Bhandiwad 2013, recall)
FLOW_M_PER_S = 0.05  # of water across a neuromast: its afferents fire at three quarters of their most (assumed)
SWUM_M_PER_S, SWUM_RAD_PER_S = 5e-3, 3.0  # past the head, and of its turning, that count as having swum (assumed)
HEAT_S = 0.25  # of warmth that is new: with the cells behind, effects last some 0.4 s (set on Z40)
SQUEEZE_PER_M = 150.0  # what stretch cells of the bladder hear, per m below the depth where they rest (tuned)
MOTION = 3.0  # units of drive per unit of correlation: 1 at 10 mm/s, the knee of Z17 (functional_fit)
ROTATION = 1.0  # likewise of motion around the fish: not saturated before 24 deg/s, so that eyes can follow smoothly
FLOOR_S = 0.2  # floor cells adapt so fast: what the eye saw before a turn must not pass for motion after it (tuned)
FAINT = 5e-3  # power at which motion counts half: a sine of 20 % contrast (assumed); what is finer than Z25 is below it
LOOM_DEG, GROWS_DEG_PER_S = 35.0, 40.0  # Z34: one critical size at all rates, 20 to 75 deg by lab
SWEEP_RAD_PER_S, QUIET_S = (
    1.5,
    0.1,
)  # its own turning blinds loom and rotation cells so long (corollary discharge, assumed)
NEAR_DEG2 = 50.0  # where cells of near prey are half awake: 0.9 mm before the nose (tuned)
SMALL_DEG2 = 20.0  # area of a spot of 5 deg: smaller is prey alone, larger is danger (Z36)
PREY_DEG2 = 60.0  # where prey cells are half silent: what a hunting fish comes near to is not lost (tuned)


def _pairs(ways: Array, along: Array | None, floor: bool) -> Array:
    """(2, m) pixels p, q such that q lies a pixel (3 degrees) from p the way a thing goes that moves `along`: on the
    floor (what looks at least 25 deg down), or around the fish to its left (no more than 30 deg up or down)."""
    if floor:
        here = np.flatnonzero(ways[:, 2] < -math.sin(math.radians(25)))
        w = ways[here]
        assert along is not None
        step = along - w * (w @ along)[:, None]
    else:
        here = np.flatnonzero(np.abs(ways[:, 2]) < 0.5)
        w = ways[here]
        step = np.stack([-w[:, 1], w[:, 0], 0 * w[:, 0]], axis=1)
    step /= np.linalg.norm(step, axis=1, keepdims=True)
    apart = math.radians(PIXEL_DEG)
    want = math.cos(apart) * w + math.sin(apart) * step
    far, other = cKDTree(ways).query(want)
    good = (far < apart / 2) & (other != here)
    return np.stack([here[good], other[good]])


def _motion(now: Array, past: Array, pairs: Array) -> float:
    """Correlation of each pixel's past with its neighbour's present, less the other way round, over power + `FAINT`."""
    p, q = pairs
    a, b, c, d = past[p], now[q], now[p], past[q]
    power = float(np.dot(c, c) + np.dot(b, b)) / 2
    return float(np.dot(a, b) - np.dot(c, d)) / (power + FAINT * len(p))


class PATTERN:
    """Control K10: bouts of three tail beats at 28 Hz every 0.7 s, without brain or senses."""

    def __init__(self, body: Zebrafish) -> None:
        at = body.joint_fraction
        self._phase = 2 * np.pi * (at - at[0]) / 0.9
        self._strength = 0.075 * np.interp(at, [at[0], 0.7, 1], [0.6, 1, 0.4])
        self._n = len(body.motors)

    def __call__(self, time_s: float) -> Array:
        out = np.zeros(self._n)
        out[-1] = NEUTRAL
        t = time_s % 0.7
        if t < 3 / 28:
            wave = self._strength * np.sin(2 * np.pi * 28 * t - self._phase)
            n = len(wave)
            out[:n], out[n : 2 * n] = np.maximum(wave, 0), np.maximum(-wave, 0)
        return out


INTERFACE = FishInterface
