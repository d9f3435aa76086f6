"""The mouse's interface: whiskers, eyes, nose, limbs and labyrinth to named neurons; the cord to the motors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bestiary.bodies.mouse import Mouse
from bestiary.brains import _mouse_cord as cord
from bestiary.brains import mouse as brains
from bestiary.brains._mouse_brainstem import TRIGEMINAL
from bestiary.brains._parts import Composite
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock
from bestiary.interfaces._mouse_motor import Motor, Proprioception, Template
from bestiary.interfaces._mouse_senses import EyeSense, WhiskerSense, flanked, senses, smelt

__all__ = ["BENCH", "CLOCK", "COMPONENTS", "DEMO", "INTERFACE", "PATTERN", "MouseInterface", "assemble"]

Array = np.ndarray[Any, np.dtype[Any]]

CLOCK = {"control": "0.002", "brain": "0.0002", "physics": "0.002"}
DEMO = {"task": "overhead", "seconds": 8.0}  # what `bestiary run` shows
# closed loops that `bestiary bench mouse` times
BENCH: dict[str, dict[str, Any]] = {"what ships": {}, "decorticate": {"without": ["loop"]}}
COMPONENTS = {**brains.PARTS, **cord.COMPONENTS}


def assemble(
    body: Mouse,
    connectome: Connectome | str | None,
    parameters: Any,
    rewire: Any,
    lesion: tuple[str, ...],
    silence: tuple[str, ...],
    without: tuple[str, ...],
    clock: Clock,
    backend: str | None = None,
) -> tuple[Composite, MouseInterface, dict[str, Any]]:
    """Brain, interface and what a card says of them, for `bestiary.animal("mouse", ...)`."""
    if backend is not None:
        raise LookupError(f"no backend {backend!r}: the mouse's brain has one, which backend=None takes")
    p = brains.parameters(parameters)
    template = Template.of(body)
    motor = Motor(template, clock.control_s, p)
    nerve = cord.MouseCord(motor, without=[w for w in without if w in cord.COMPONENTS])
    above = [w for w in without if w in brains.PARTS]
    brain = brains.build(connectome, clock, nerve, rewire, lesion, silence, above)
    source = connectome if isinstance(connectome, str) else getattr(connectome, "source", brains.DEFAULT)
    about = {"connectome": source, "components": COMPONENTS, "parts": list(brain.parts), "parameters": p}
    return brain, MouseInterface.of(body, brain, template, clock), about


@dataclass(frozen=True)
class MouseInterface:
    """places: where each part's neurons stand. whiskers, eyes: None where the body or the brain has none."""

    size: int
    places: Mapping[str, slice]
    proprioception: Proprioception
    whiskers: WhiskerSense | None
    eyes: EyeSense | None
    nose: Array  # rows of OSN_L and OSN_R, empty without them
    flanks: Array  # rows of TRIGEMINAL, likewise

    @classmethod
    def of(cls, body: Mouse, brain: Composite, template: Template, clock: Clock) -> MouseInterface:
        places = {part: brain.slice_of(part) for part in brain.parts}
        names = {part: brain.parts[part].table.names.tolist() for part in brain.parts}
        has, loop = senses(body), names.get("loop", [])
        felt = Proprioception(body, template, names["cord"])
        whiskers = WhiskerSense(loop, clock.control_s) if has["whiskers"] and loop else None
        seen = (
            EyeSense(loop, names.get("brainstem", []), clock.control_s)
            if has["eyes"] and (loop or "brainstem" in names)
            else None
        )
        nose = brain.select(["OSN_L", "OSN_R"]) if "olfactory" in names else np.empty(0, int)
        flanks = brain.select(list(TRIGEMINAL)) if "brainstem" in names and has["whiskers"] else np.empty(0, int)
        return cls(len(brain.names), places, felt, whiskers, seen, nose, flanks)

    @property
    def deaf(self) -> tuple[str, ...]:
        """Senses that an observation may lack: those of bodies without eyes or whiskers."""
        return ("luminance", "whisker_rad", "whisker_Nm")

    def init(self) -> dict[str, Any]:
        return {
            "whiskers": self.whiskers.init() if self.whiskers else {},
            "eyes": self.eyes.init() if self.eyes else {},
        }

    def encode(self, state: dict[str, Any], obs: Mapping[str, Array]) -> tuple[dict[str, Any], Array]:
        """Drive (n,) mV, which are pA across the 1 nS of every neuron."""
        drive = np.zeros(self.size, np.float32)
        drive[self.places["cord"]] = self.proprioception.encode(obs)
        new = dict(state)
        loop = drive[self.places["loop"]] if "loop" in self.places else np.empty(0, np.float32)
        commands = drive[self.places["brainstem"]] if "brainstem" in self.places else np.empty(0, np.float32)
        if self.whiskers and "whisker_Nm" in obs:
            new["whiskers"] = self.whiskers.encode(state["whiskers"], obs, loop)
        if len(self.flanks) and "whisker_Nm" in obs:
            drive[self.flanks] = flanked(obs["whisker_Nm"])
        if len(self.nose):
            drive[self.nose] = smelt(obs["odour"])
        if self.eyes and "luminance" in obs:
            new["eyes"] = self.eyes.encode(state["eyes"], obs, loop, commands)
        return new, drive

    def decode(self, reading: Mapping[str, Array]) -> Array:
        return reading["motor"]


class PATTERN:
    """Control K10: the cord's own walk at a middle speed, without brain or senses, played again and again."""

    STEP_S, SECONDS = 0.002, 4.0

    def __init__(self, body: Mouse) -> None:
        nerve = cord.MouseCord(Motor(Template.of(body), self.STEP_S, brains.parameters()))
        state = nerve.init(0)
        drive = np.zeros(len(nerve.table))
        drive[nerve.table.names.tolist().index("speed")] = 1.0
        self._actions = []
        for _ in range(round(self.SECONDS / self.STEP_S)):
            state = nerve.advance(state, drive)
            self._actions.append(nerve.motor(state))

    def __call__(self, time_s: float) -> Array:
        return self._actions[round(time_s / self.STEP_S) % len(self._actions)]


INTERFACE = MouseInterface
