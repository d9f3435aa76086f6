"""The closed loop: an animal is a policy, brain and interface together, with `reset` and `act`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import bestiary
from bestiary.bodies._base import Array, Sense
from bestiary.envs._clock import Clock
from bestiary.envs._streams import checked_seed
from bestiary.errors import BestiaryError, ConnectomeError, DivergenceError, ObservationError
from bestiary.interfaces._controls import Control, control
from bestiary.interfaces._stimulus import Stimulus, parse


class Brain(Protocol):
    """A pure step over an explicit state. n neurons, addressed by their published names."""

    names: tuple[str, ...]
    groups: tuple[str, ...]  # kind of each neuron, for plots and films
    input_nS: Array  # (n,) input conductance at rest: turns a wanted depolarisation into a current, and scales light

    def init(self, seed: int) -> Any:
        """The state at rest; seed: of its noise."""
        ...

    def advance(self, state: Any, current_pA: Array, light_nS: Array) -> Any:
        """One control period under constant current (n,) and optogenetic conductance (n,)."""
        ...

    def read(self, state: Any) -> Mapping[str, Array]:
        """What can be recorded, by name with its unit, (n,) each: at least `voltage_mV`, and what the decoder reads.

        The control `poisson` also needs `release`, `release_rest` and `release_max`; a neuron that is gone has its rest
        in all three, so that nothing makes it release. A brain of parts (brains/_parts.py) needs none of them.
        """
        ...

    def select(self, query: Any) -> Array:
        """Rows of the neurons that a `Connectome.select` query names. Raises UnknownNeuronError."""
        ...

    # What a brain may have besides, for a batch (`_batch.py`): many(n, threads, width), which steps n brains like it in
    # one state (`brains/_graded_many.py`), and read_many(many, state), `read` of them with a leading axis. Its
    # interface then has join(states), encode_many(state, obs) and decode_many(reading), likewise.


class Interface(Protocol):
    """Senses to neurons, neurons to motors. State is explicit: receptors adapt."""

    def init(self) -> Any: ...

    def encode(self, state: Any, obs: Mapping[str, Array]) -> tuple[Any, Array]:
        """(state, current_pA (n,), which the caller may change) from an observation."""
        ...

    def decode(self, reading: Mapping[str, Array]) -> Array:
        """Action (n_motors,) in [-1, 1] from `Brain.read`."""
        ...


_LOOK_S = 0.1  # between looks at the whole brain: what has run away shows in no action yet
_RUNAWAY_HZ = 300.0  # mean over all neurons; they cannot fire faster than 450 Hz


@dataclass(repr=False)
class Animal:
    """A brain in its interface: `reset(episode_seed)`, then `act(obs)` once per control period.

    stimuli: the schedule of experimental stimulation. control: what stands in for the measured animal (DESIGN 7).
    about: what it was made with, for recordings: parameters, connectome, lesions, control, clock. senses: of its body,
    to name what is wrong with an observation.
    """

    name: str
    brain: Brain
    interface: Interface
    clock: Clock
    stimuli: tuple[Stimulus, ...] = ()
    control: Control = field(default_factory=Control)
    about: dict[str, Any] = field(default_factory=dict)
    senses: tuple[Sense, ...] = ()

    def __repr__(self) -> str:
        cut = [f"without {', '.join(self.about[k])}" for k in ("lesion", "silence", "without") if self.about.get(k)]
        what = [f"{len(self.names)} neurons", str(self.about.get("connectome", "")), self.control.name, *cut]
        return f"<Animal {self.name}: {'; '.join(w for w in what if w)}>"

    def __post_init__(self) -> None:
        self._targets = [(s, self.brain.select(list(s.neurons))) for s in self.stimuli]
        self._expected = [s.shape for s in self.senses]
        self._look = max(1, round(_LOOK_S / self.clock.control_s))
        self._running = False

    def sibling(self, stimulate: Iterable[Any] = ()) -> Animal:
        """One more such animal, with its own state and stimuli, that shares brain, interface and what they hold."""
        if self.control.name != "intact":
            raise BestiaryError(f"animals do not share a control, which has a state: build another {self.control.name}")
        schedule = _schedule(stimulate)
        return replace(self, stimuli=schedule, about={**self.about, "stimuli": schedule})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the neurons, in the order of every recording."""
        return self.brain.names

    @property
    def groups(self) -> tuple[str, ...]:
        """Kind of each neuron (`sensory`, `inter`, `motor`): recordings and films sort by it."""
        return self.brain.groups

    @property
    def shown(self) -> Array:
        """Rows of the neurons that recordings and films keep: all of them but in a very large brain."""
        rows = getattr(self.brain, "shown", None)
        return np.arange(len(self.names)) if rows is None else np.asarray(rows)

    def index(self, query: Any) -> Array:
        """Rows of the neurons that `query` names (a name, class, glob, or list). Raises UnknownNeuronError."""
        return self.brain.select(query)

    def reset(self, episode_seed: int = 0) -> None:
        """Back to rest. episode_seed: `info["episode_seed"]` of the environment, so that one seed names a whole run."""
        episode_seed = checked_seed(episode_seed, "episode_seed")
        n = len(self.names)
        self._state = self.brain.init(episode_seed)
        self._skin = self.interface.init()
        self._reading = self.brain.read(self._state)
        self._injected, self._injects = np.zeros(n, np.float32), False
        self._lit = np.zeros(n, np.float32)
        self._steps = 0
        self.control.reset(episode_seed)
        self._running = True

    def inject(self, rows: Array, current_pA: Array | float) -> None:
        """Adds current to neurons from the next `act` on, until it is changed: an electrode."""
        self._need_reset("inject")
        if not np.isfinite(current_pA).all():
            raise BestiaryError(f"an injected current must be finite, got {np.asarray(current_pA)} pA")
        self._injected[rows], self._injects = current_pA, True

    def shine(self, rows: Array, light: Array | float) -> None:
        """Light on opsin-bearing neurons, as a share of their rest conductance (-2 to 2): + opens a cation
        channel (reversal 0 mV), - an anion channel (the brain's inhibitory reversal)."""
        self._need_reset("shine")
        light = np.asarray(light, np.float32)
        if not (np.abs(light) <= 2).all():
            raise BestiaryError(f"light must lie in [-2, 2] rest conductances, got {float(np.abs(light).max()):g}")
        self._lit[rows] = light * self.brain.input_nS[rows]

    def act(self, obs: Mapping[str, Array]) -> Array:
        """Action (n_motors,) float32 in [-1, 1] for observation `obs`; the brain moves on by one control period.

        Raises ObservationError for a sense that is missing, not finite or of the wrong shape, with the state untouched.
        """
        self._need_reset("act")
        try:
            if felt := [obs[s.name] for s in self.senses]:
                flat = np.concatenate(felt, None)
                # where the square is not finite, a sense is not, or is so far out of bounds that `_check` must look
                if [x.shape for x in felt] != self._expected or not math.isfinite(flat.dot(flat)):
                    self._check(obs)
            skin, current = self.interface.encode(self._skin, self.control.senses(obs))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            self._check(obs)
            raise
        self._skin = skin
        if self._injects:
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
                        light[rows] += stimulus.amount * self.brain.input_nS[rows]
        self._state = self.brain.advance(self._state, current, light)
        self._reading = self.control.activity(self.brain.read(self._state))
        self._steps += 1
        action = self.control.motors(self.interface.decode(self._reading))
        if not math.isfinite(action.dot(action)) or self._steps % self._look == 0:
            self._check_brain(action)
        return action.astype(np.float32, copy=False)

    def probe(self) -> Mapping[str, Array]:
        """What the decoder read in the last `act`: `voltage_mV` (n,) and more. `about["brain_heard"]` is False where a
        control moves the muscles without the brain: the voltages then are those of a brain that nobody listens to."""
        self._need_reset("probe")
        return self._reading

    def get_state(self) -> dict[str, Any]:
        """Everything from which the animal goes on bit for bit."""
        self._need_reset("get_state")
        settle = getattr(self.brain, "settle", lambda state: state)
        return {
            "brain": _copied(settle(self._state)),
            "skin": _copied(self._skin),
            "reading": _copied(dict(self._reading)),
            "injected": self._injected.copy(),
            "lit": self._lit.copy(),
            "steps": self._steps,
            "control": self.control.get_state(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes back to a `get_state` of this or an equal animal. Raises BestiaryError for that of another brain."""
        given = dict(_leaves(state["brain"]))
        for key, value in _leaves(self.brain.init(0)):
            if (got := np.shape(given[key]) if key in given else None) != np.shape(value):
                raise BestiaryError(f"the state holds {key!r} of shape {got}, this brain {np.shape(value)}: another's?")
        self._state = _copied(state["brain"])
        self._skin = _copied(state["skin"])
        self._injected, self._lit = state["injected"].copy(), state["lit"].copy()
        self._injects = bool(self._injected.any())
        self._steps = state["steps"]
        self.control.set_state(state["control"])
        self._reading = dict(state["reading"])
        self._running = True

    def _check(self, obs: Any) -> None:
        """Raises ObservationError for the first sense that cannot be right."""
        if not isinstance(obs, Mapping):
            raise ObservationError(
                f"an observation is a mapping of senses, got {type(obs).__name__}; env.reset gives one"
            )
        for sense in self.senses:
            if sense.name not in obs:
                raise ObservationError(
                    f"the observation lacks {sense.name!r} {sense.shape} in {sense.unit}; it has {', '.join(obs)}"
                )
            value = np.asarray(obs[sense.name])
            if value.shape != sense.shape:
                raise ObservationError(f"{sense.name!r} has shape {value.shape}, expected {sense.shape}")
            if value.dtype.kind not in "fiub" or not np.isfinite(value).all():
                raise ObservationError(
                    f"{sense.name!r} must be finite, from {sense.low:g} to {sense.high:g}; got {value}"
                )

    def _check_brain(self, action: Array) -> None:
        """Raises DivergenceError where numbers are no longer finite, or everything fires as fast as it can."""
        time_s = self._steps * self.clock.control_s
        bad = np.flatnonzero(~np.isfinite(self._reading["voltage_mV"]))
        if len(bad) or not np.isfinite(action).all():
            where = f"{self.names[bad[0]]} and {len(bad) - 1} more" if len(bad) else "the decoder"
            raise DivergenceError(
                f"the brain is no longer finite at {time_s:.3f} s, first in {where}; a shorter brain period helps"
            )
        if "rate_Hz" in self._reading and (mean := float((rate := self._reading["rate_Hz"]).mean())) > _RUNAWAY_HZ:
            first = self.names[int(np.argmax(rate))]
            raise DivergenceError(
                f"the brain runs away: {mean:.0f} Hz on average at {time_s:.3f} s, above {_RUNAWAY_HZ:g}, first in "
                f"{first}; weaker input or weights help"
            )

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

    connectome: a name that ships (None: the animal's own default), the path of a file that `read_connectome` reads, or
    a Connectome. parameters: values that replace
    the shipped ones, or the path of a file that `bestiary fit` wrote. lesion: neurons removed; silence: neurons whose
    outputs are cut. Both leave every other parameter as in the intact animal. stimulate: `Stimulus` objects or texts
    like "AVA:20pA@5-8", "AVB:light=1@2-4". control: a name from `controls()`; control_seed: of its permutations.
    without: declared components beside the wiring that are taken out (`card` lists them). clock: a Clock or periods by
    name, the animal's for those not given. backend: what computes the brain, None for the animal's fastest on a CPU;
    for the worm `kernel` or `brainstate`, for the zebrafish `rate` or `spiking`.

    Raises LookupError for a name that is not known, with the nearest one; ConnectomeError, BestiaryError.
    """
    from bestiary.brains._parts import check_components
    from bestiary.brains.connectome import Connectome

    if connectome is not None and not isinstance(connectome, str | Connectome):
        raise ConnectomeError(
            f"connectome is a name or a Connectome, got {type(connectome).__name__}; "
            "bestiary.brains.connectome has from_table, from_scipy and read_connectome"
        )
    if isinstance(connectome, str) and Path(connectome).is_file():
        from bestiary.brains.connectome import read_connectome

        connectome = read_connectome(connectome)
    module = bestiary.load("interfaces", name)
    body = bestiary.load("bodies", name).BODY
    clock = Clock.of(clock, module.CLOCK)
    lesion, silence, without = _tuple(lesion), _tuple(silence), _tuple(without)
    check_components(without, module.COMPONENTS)
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
    if hasattr(brain, "attach"):
        brain.attach(chosen)
    elif chosen.name == "cord-alone":
        raise BestiaryError(f"{name} has no cord apart from its brain: control='brain-off' silences both")
    schedule = _schedule(stimulate)
    asked = {"lesion": lesion, "silence": silence, "without": without, "stimuli": schedule}
    about = {**about, **asked, "control": chosen.name, "control_seed": chosen.seed, "clock": clock}
    about |= {"moved_share": chosen.moved_share, "brain_heard": chosen.brain_heard}
    needed = tuple(s for s in body().senses if s.name not in getattr(interface, "deaf", ()))
    return Animal(name, brain, interface, clock, schedule, chosen, about, needed)


def _copied(tree: Any) -> Any:
    """A copy of a state: dicts and lists of arrays."""
    if isinstance(tree, Mapping):
        return {k: _copied(v) for k, v in tree.items()}
    return [_copied(v) for v in tree] if isinstance(tree, list | tuple) else np.array(tree)


def _leaves(tree: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """(path, array) of a state."""
    items: Iterable[tuple[Any, Any]]
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list | tuple) else ()
    if not isinstance(tree, Mapping | list | tuple):
        yield path, tree
    for key, value in items:
        yield from _leaves(value, f"{path}.{key}" if path else str(key))


def _schedule(stimulate: Iterable[Any]) -> tuple[Stimulus, ...]:
    return tuple(parse(s) for s in ([stimulate] if isinstance(stimulate, str | Stimulus) else stimulate))


def _tuple(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def control_of(name: str | None, seed: int) -> Control:
    """The control `name`, None for the intact animal: see `control`."""
    return control(Control.name if name is None else name, seed)
