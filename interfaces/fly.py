"""The fly's interface: receptors to named neurons, and the cord to 78 motors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bestiary.bodies.fly import Fly
from bestiary.brains import _fly_cord as cord
from bestiary.brains import fly as brains
from bestiary.brains._parts import Composite
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock
from bestiary.interfaces._fly_central import CompassSense, OdourSense
from bestiary.interfaces._fly_eyes import EyeEncoder
from bestiary.interfaces._fly_flight import SteeredFlight
from bestiary.interfaces._fly_motor import Motor
from bestiary.interfaces._fly_proprioception import Proprioception
from bestiary.interfaces._fly_senses import FlySenses
from bestiary.interfaces._fly_template import Template
from bestiary.interfaces._fly_tripod import tripod

__all__ = ["BENCH", "CLOCK", "COMPONENTS", "DEMO", "PATTERN", "POLICIES", "FlyInterface", "assemble"]

Array = np.ndarray[Any, np.dtype[Any]]

CLOCK = {"control": "0.002", "brain": "0.0001", "physics": "0.0002"}
DEMO = {"task": "foray", "seconds": 8.0}  # what `bestiary run` shows
POLICIES = {"flight": SteeredFlight}  # what an assay can put around the animal
_SUGAR_100_HZ = 21.7  # mV (pA across 1 nS) that the receptors read as about 100 Hz
# closed loops that `bestiary bench fly` times; in both the fly walks; body_options: of the body
BENCH: dict[str, dict[str, Any]] = {
    "what ships": {"stimulate": ["fore:9pA@0-100000"]},
    "whole brain": {
        "connectome": "flywire-surrogate",
        "without": ["visual", "compass", "mushroom-body", "background"],
        "stimulate": ["fore:9pA@0-100000", f"sugar*_L:{_SUGAR_100_HZ}pA@0-100000"],
        "body_options": {"eyes": False},
        "silence": ["DNp01"],  # random wiring fires the giant fibre, and the fly jumps
    },
}
COMPONENTS = {
    "background": "spontaneous events of the central brain's neurons, fitted to resting rates",
    **brains.PARTS,
    **cord.COMPONENTS,
}


def assemble(
    body: Fly,
    connectome: Connectome | str | None,
    parameters: Any,
    rewire: Any,
    lesion: tuple[str, ...],
    silence: tuple[str, ...],
    without: tuple[str, ...],
    clock: Clock,
    backend: str | None = None,
) -> tuple[Composite, FlyInterface, dict[str, Any]]:
    """Brain, interface and what a card says of them, for `bestiary.animal("fly", ...)`."""
    if backend is not None:
        raise LookupError(f"no backend {backend!r}: the fly's brain has one, which backend=None takes")
    p = brains.parameters(parameters)
    template = Template.of(body)
    legs = False
    if not isinstance(connectome, Connectome):
        connectome, legs = brains.with_legs(connectome)
    adhesion, search = (word not in without for word in ("adhesion", "search"))
    motor = Motor(template, clock.control_s, adhesion=adhesion, search=search, pools=legs)
    nerve = cord.FlyCord(motor, without=[w for w in without if w in cord.COMPONENTS])
    brain, missing = brains.build(connectome, p, clock, nerve, rewire, lesion, silence, without, legs)
    source = "; ".join(brain.parts[k].table.source for k in ("central", "vnc") if k in brain.parts)
    about = {"parameters": p, "connectome": source, "components": COMPONENTS}
    about |= {"parts": list(brain.parts), "missing": missing}
    return brain, FlyInterface.of(body, brain, template, clock), about


@dataclass(frozen=True)
class FlyInterface:
    """encoders: part of the brain -> receptors, whose `encode(state, obs, drive)` gives the new state and writes into
    the part's drive in mV, which begins as 0."""

    size: int
    places: Mapping[str, slice]
    proprioception: Proprioception
    encoders: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, body: Fly, brain: Composite, template: Template, clock: Clock) -> FlyInterface:
        places = {part: brain.slice_of(part) for part in brain.parts}
        felt = Proprioception(body, template, brain.parts["cord"].table.names.tolist())
        made = {"visual": EyeEncoder, "compass": CompassSense, "mushroom-body": OdourSense}
        encoders: dict[str, Any] = {k: make(brain.parts[k]) for k, make in made.items() if k in brain.parts}
        encoders["central"] = FlySenses(brain.parts["central"].table, float(clock.control_s))
        return cls(len(brain.names), places, felt, encoders)

    @property
    def deaf(self) -> tuple[str, ...]:
        """Senses that nothing in this brain listens to: an observation may lack them."""
        return () if "visual" in self.encoders else ("luminance",)

    def init(self) -> dict[str, Any]:
        return {k: e.init() for k, e in self.encoders.items()}

    def encode(self, state: dict[str, Any], obs: Mapping[str, Array]) -> tuple[dict[str, Any], Array]:
        """Drive (n,) mV, which are pA across the 1 nS of every neuron."""
        drive = np.zeros(self.size, np.float32)
        self.proprioception.encode(obs, drive[self.places["cord"]])
        return {k: e.encode(state[k], obs, drive[self.places[k]]) for k, e in self.encoders.items()}, drive

    def decode(self, reading: Mapping[str, Array]) -> Array:
        return reading["motor"]


def PATTERN(body: Fly) -> Callable[[float], Array]:
    """A scripted tripod at 10 steps a second: (78,) at a time in s, for the control `pattern-generator`."""
    actions = tripod(body)
    period_s = float(body.control_s)
    return lambda time_s: np.asarray(actions[round(time_s / period_s) % len(actions)])
