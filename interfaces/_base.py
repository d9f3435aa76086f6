"""The closed loop: an animal is a policy, brain and interface together, with `reset` and `act`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

import bestiary
from bestiary.bodies._base import Array
from bestiary.envs._clock import Clock
from bestiary.errors import BestiaryError, DivergenceError
from bestiary.interfaces._controls import Control, control
from bestiary.interfaces._stimulus import Stimulus, parse


class Brain(Protocol):
    """A pure step over an explicit state. n neurons, addressed by their published names."""

    names: tuple[str, ...]
    groups: tuple[str, ...]  # kind of each neuron, for plots and films
    rest_nS: Array  # (n,) input conductance at rest: turns a wanted depolarisation into a current, and scales light

    def init(self, seed: int) -> Any:
        """The state at rest; seed: of its noise."""
        ...

    def advance(self, state: Any, current_pA: Array, light_nS: Array) -> Any:
        """One control period under constant current (n,) and optogenetic conductance (n,)."""
        ...

    def read(self, state: Any) -> dict[str, Array]:
        """What can be recorded, by name with its unit: at least `voltage_mV` (n,), and what the decoder reads."""
        ...

    def select(self, query: Any) -> Array:
        """Rows of the neurons that a `Connectome.select` query names. Raises UnknownNeuronError."""
        ...


class Interface(Protocol):
    """Senses to neurons, neurons to motors. State is explicit: receptors adapt."""

    def init(self) -> Any: ...

    def encode(self, state: Any, obs: Mapping[str, Array]) -> tuple[Any, Array]:
        """(state, current_pA (n,)) from an observation."""
        ...

    def decode(self, reading: Mapping[str, Array]) -> Array:
        """Action (n_motors,) in [-1, 1] from `Brain.read`."""
        ...


@dataclass
class Animal:
    """A brain in its interface: `reset(episode_seed)`, then `act(obs)` once per control period.

    stimuli: the schedule of experimental stimulation. control: what stands in for the measured animal (DESIGN 7).
    about: what it was made with, for recordings: parameters, connectome, lesions, control, clock.
    """

    name: str
    brain: Brain
    interface: Interface
    clock: Clock
    stimuli: tuple[Stimulus, ...] = ()
    control: Control = field(default_factory=Control)
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._targets = [(s, self.brain.select(list(s.neurons))) for s in self.stimuli]
        self._running = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the neurons, in the order of every recording."""
        return self.brain.names

    @property
    def groups(self) -> tuple[str, ...]:
        """Kind of each neuron (`sensory`, `inter`, `motor`): recordings and films sort by it."""
        return self.brain.groups

    def index(self, query: Any) -> Array:
        """Rows of the neurons that `query` names (a name, class, glob, or list). Raises UnknownNeuronError."""
        return self.brain.select(query)

    def reset(self, episode_seed: int = 0) -> None:
        """Back to rest. episode_seed: `info["episode_seed"]` of the environment, so that one seed names a whole run."""
        n = len(self.names)
        self._state = self.brain.init(int(episode_seed))
        self._skin = self.interface.init()
        self._reading = self.brain.read(self._state)
        self._injected = np.zeros(n, np.float32)
        self._lit = np.zeros(n, np.float32)
        self._steps = 0
        self.control.reset(int(episode_seed))
        self._running = True

    def inject(self, rows: Array, current_pA: Array | float) -> None:
        """Adds current to neurons from the next `act` on, until it is changed: an electrode."""
        self._need_reset("inject")
        if not np.isfinite(current_pA).all():
            raise BestiaryError(f"an injected current must be finite, got {np.asarray(current_pA)} pA")
        self._injected[rows] = current_pA

    def shine(self, rows: Array, light: Array | float) -> None:
        """Light on opsin-bearing neurons, as a share of their rest conductance (-2 to 2): + opens a cation
        channel (reversal 0 mV), - an anion channel (the brain's inhibitory reversal)."""
        self._need_reset("shine")
        light = np.asarray(light, np.float32)
        if not (np.abs(light) <= 2).all():
            raise BestiaryError(f"light must lie in [-2, 2] rest conductances, got {float(np.abs(light).max()):g}")
        self._lit[rows] = light * self.brain.rest_nS[rows]

    def act(self, obs: Mapping[str, Array]) -> Array:
        """Action (n_motors,) float32 in [-1, 1] for observation `obs`; the brain moves on by one control period."""
        self._need_reset("act")
        self._skin, current = self.interface.encode(self._skin, self.control.senses(obs))
        current = current + self._injected
        light = self._lit
        if self._targets:
            light = light.copy()
            now = self._steps * self.clock.control_s
            for stimulus, rows in self._targets:
                if stimulus.start_s <= now < stimulus.stop_s:
                    if stimulus.kind == "current":
                        current[rows] += stimulus.amount
                    else:
                        light[rows] += stimulus.amount * self.brain.rest_nS[rows]
        self._state = self.brain.advance(self._state, current, light)
        self._reading = self.brain.read(self._state)
        self._steps += 1
        action = self.control.motors(self.interface.decode(self.control.activity(self._reading)))
        if not np.isfinite(action).all():
            voltage = self._reading["voltage_mV"]
            bad = np.flatnonzero(~np.isfinite(voltage))
            where = f"{self.names[bad[0]]} and {len(bad) - 1} more" if len(bad) else "the decoder"
            raise DivergenceError(
                f"the brain is no longer finite at {self._steps * self.clock.control_s:.3f} s, first in {where}; "
                "a shorter brain period helps"
            )
        return action.astype(np.float32, copy=False)

    def probe(self) -> dict[str, Array]:
        """What `Brain.read` gave after the last `act`: `voltage_mV` (n,) and more."""
        self._need_reset("probe")
        return self._reading

    def get_state(self) -> dict[str, Any]:
        """Everything from which the animal goes on bit for bit."""
        self._need_reset("get_state")
        return {
            "brain": {k: np.array(v) for k, v in self._state.items()},
            "skin": {k: np.array(v) for k, v in self._skin.items()},
            "injected": self._injected.copy(),
            "lit": self._lit.copy(),
            "steps": self._steps,
            "control": self.control.get_state(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes back to a `get_state` of this or an equal animal. Raises BestiaryError for that of another brain."""
        for key, value in self.brain.init(0).items():
            if (got := np.shape(state["brain"].get(key))) != np.shape(value):
                raise BestiaryError(f"the state holds {key!r} of shape {got}, this brain {np.shape(value)}: another's?")
        self._state = dict(state["brain"])
        self._skin = {k: np.array(v) for k, v in state["skin"].items()}
        self._injected, self._lit = state["injected"].copy(), state["lit"].copy()
        self._steps = state["steps"]
        self.control.set_state(state["control"])
        self._reading = self.brain.read(self._state)
        self._running = True

    def _need_reset(self, what: str) -> None:
        if not self._running:
            raise BestiaryError(f"{what} before reset: call animal.reset(info['episode_seed']) first")


def build(
    name: str,
    *,
    connectome: Any = None,
    parameters: Mapping[str, float] | str | None = None,
    lesion: Iterable[str] = (),
    silence: Iterable[str] = (),
    stimulate: Iterable[Any] = (),
    control: str | None = None,
    control_seed: int = 0,
    without: Iterable[str] = (),
    clock: Clock | Mapping[str, str] | None = None,
    backend: str | None = None,
) -> Animal:
    """The animal `name`, ready for `reset`.

    connectome: a name that ships (None: the animal's own default) or a Connectome. parameters: values that replace
    the shipped ones, or the path of a file that `bestiary fit` wrote. lesion: neurons removed; silence: neurons whose
    outputs are cut. Both leave every other parameter as in the intact animal. stimulate: `Stimulus` objects or texts
    like "AVA:20pA@5-8", "AVB:light=1@2-4". control: a name from `controls()`; control_seed: of its permutations.
    without: declared components beside the wiring that are taken out (`card` lists them). clock: periods. backend: what
    computes the brain, None for the animal's fastest on a CPU; for the worm `kernel` or `brainstate`.
    """
    module = bestiary.load("interfaces", name)
    body = bestiary.load("bodies", name).BODY
    clock = Clock(**module.CLOCK) if clock is None else clock if isinstance(clock, Clock) else Clock(**clock)
    lesion, silence, without = _tuple(lesion), _tuple(silence), _tuple(without)
    chosen = control_of(control, control_seed)
    brain, interface, about = module.assemble(
        body=body(),
        connectome=connectome,
        parameters=parameters,
        rewire=chosen.rewire,
        lesion=lesion,
        silence=silence,
        without=without,
        clock=clock,
        backend=backend,
    )
    chosen.bind(module, body(), clock)
    schedule = tuple(parse(s) for s in ([stimulate] if isinstance(stimulate, str | Stimulus) else stimulate))
    asked = {"lesion": lesion, "silence": silence, "without": without, "stimuli": schedule}
    about = {**about, **asked, "control": chosen.name, "control_seed": chosen.seed, "clock": clock}
    about["moved_share"] = chosen.moved_share
    return Animal(name, brain, interface, clock, schedule, chosen, about)


def _tuple(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def control_of(name: str | None, seed: int) -> Control:
    return Control() if name is None else control(name, seed)
