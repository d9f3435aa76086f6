"""Controls (DESIGN point 7): what stands in for a measured animal, by name, wherever an animal can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import bestiary
from bestiary.bodies._base import Array
from bestiary.envs._clock import Clock
from bestiary.envs._streams import checked_seed, stream
from bestiary.errors import BestiaryError

Rewire = Callable[[Any], Any]


class Control:
    """The intact animal: every hook passes its argument on. Others replace one of them."""

    name = "intact"
    about = "the measured wiring"
    moved_share = 0.0  # of the edges between neurons, that `rewire` changed
    brain_heard = True  # False: the brain runs and is recorded, and moves no muscle
    scripted = False  # True: neither brain nor cord nor senses move a muscle
    draws = False  # True: its seed makes a difference

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def rewire(self, connectome: Any) -> Any:
        return connectome

    def bind(self, interface: Any, body: Any, clock: Clock) -> None:
        """Sees the animal's interface module, body and clock before the first reset."""

    def reset(self, episode_seed: int) -> None: ...

    def senses(self, obs: Mapping[str, Array]) -> Mapping[str, Array]:
        return obs

    def activity(self, reading: Mapping[str, Array]) -> Mapping[str, Array]:
        return reading

    @property
    def cuts(self) -> bool:
        """Whether it changes what the cord hears."""
        return type(self).descending is not Control.descending

    def descending(self, part: str, rate_Hz: Array) -> Array:
        """What the cord hears of a part of the brain, for a brain that is made of parts."""
        return rate_Hz

    def motors(self, action: Array) -> Array:
        return action

    def get_state(self) -> Any:
        return None

    def set_state(self, state: Any) -> None: ...


class BrainOff(Control):
    name, about = (
        "brain-off",
        "K1: no brain: muscles keep their resting tone, servos the standing posture",
    )
    brain_heard, scripted = False, True

    def bind(self, interface: Any, body: Any, clock: Clock) -> None:
        self._rest = np.asarray(getattr(body, "neutral", np.zeros(len(body.motors))), np.float32)

    def motors(self, action: Array) -> Array:
        return self._rest.copy()


class CordAlone(Control):
    """Only for a brain that is made of parts, of which one is the cord."""

    name, about = "cord-alone", "K1b: the cord with its senses, and no brain above it"
    brain_heard = False

    def descending(self, part: str, rate_Hz: Array) -> Array:
        return np.zeros_like(rate_Hz)


class PoissonBrain(Control):
    """Many random releases, smoothed, are a Gaussian noise around their mean (an Ornstein-Uhlenbeck process).

    It is cut evenly on both sides of the rest, at 0 or at the most, whichever is nearer: so the mean is that of rest.
    """

    name, about = "poisson", "K2: every neuron releases at random with its resting mean, blind to all others"
    brain_heard = False
    smooth_s = 0.1  # as slow as muscle

    def bind(self, interface: Any, body: Any, clock: Clock) -> None:
        self._period_s = clock.control_s
        self._keep = float(np.exp(-clock.control_s / self.smooth_s))

    def reset(self, episode_seed: int) -> None:
        self._rng = stream(episode_seed, "poisson brain")
        self._x: Array | None = None

    def descending(self, part: str, rate_Hz: Array) -> Array:
        """As many spikes as now among all neurons, each from a random one."""
        total = int(self._rng.poisson(max(float(rate_Hz.sum()) * self._period_s, 0.0)))
        counts = np.bincount(self._rng.integers(len(rate_Hz), size=total), minlength=len(rate_Hz))
        return (counts / self._period_s).astype(np.float32)

    def activity(self, reading: Mapping[str, Array]) -> Mapping[str, Array]:
        if "release_rest" not in reading:  # a brain of parts: `descending` has done it
            return reading
        rest = reading["release_rest"]
        if self._x is None:
            self._x = self._rng.standard_normal(len(rest)).astype(np.float32)
        kick = np.sqrt(1 - self._keep**2) * self._rng.standard_normal(len(rest))
        self._x = (self._keep * self._x + kick).astype(np.float32)
        room = np.minimum(rest, reading["release_max"] - rest)
        return {**reading, "release": rest + room * np.clip(self._x, -1, 1)}

    def get_state(self) -> Any:
        return {"rng": self._rng.bit_generator.state, "x": self._x}

    def set_state(self, state: Any) -> None:
        self._rng = np.random.default_rng()
        self._rng.bit_generator.state = state["rng"]
        self._x = state["x"]


class Rewiring(Control):
    """Another wiring among the neurons. Junctions to muscle, and between muscles, stay those of the animal."""

    kinds, draws = ("chemical", "gap"), True

    def rewire(self, connectome: Any) -> Any:
        kinds = tuple(k for k in self.kinds if k in connectome.kind.values)
        new = self.rewired(connectome, kinds)
        self.moved_share = connectome.moved_share(new, kinds)
        return new

    def rewired(self, connectome: Any, kinds: tuple[str, ...]) -> Any:
        raise NotImplementedError


class ErdosRenyi(Rewiring):
    name, about = "erdos-renyi", "K3: as many edges of each kind and sign, between random neurons; muscles keep theirs"

    def rewired(self, connectome: Any, kinds: tuple[str, ...]) -> Any:
        return connectome.erdos_renyi(self.seed, kinds)


class DegreePreserving(Rewiring):
    name = "degree-preserving"
    about = "K4: edges between neurons swap targets, every neuron keeps its degrees; muscles keep theirs"

    def rewired(self, connectome: Any, kinds: tuple[str, ...]) -> Any:
        return connectome.rewire(self.seed, kinds=kinds)


class ClassPreserving(Rewiring):
    name = "class-preserving"
    about = "K5: as K4, within sensory, inter and motor neurons and within weights of one power of two"

    def rewired(self, connectome: Any, kinds: tuple[str, ...]) -> Any:
        return connectome.rewire(self.seed, keep="class", by="kinds", weights="log2", kinds=kinds)


class WeightShuffle(Rewiring):
    name = "weight-shuffle"
    about = "K6: the weights of each kind of edge between neurons are permuted; muscles keep theirs"

    def rewired(self, connectome: Any, kinds: tuple[str, ...]) -> Any:
        return connectome.shuffle_weights(self.seed, kinds)


class SignShuffle(Rewiring):
    name = "sign-shuffle"
    about = "K7: the signs of each kind of edge between neurons are permuted; muscles keep theirs"

    def rewired(self, connectome: Any, kinds: tuple[str, ...]) -> Any:
        return connectome.shuffle_signs(self.seed, kinds)


class SensorPermutation(Control):
    """Fields of the world that share shape and unit (odours, salt) change places in one cycle: none keeps its."""

    name = "sensor-permutation"
    about = "K8: the receptors of each sense are wired up in random order, and odours and salt in each other's place"
    draws = True

    def bind(self, interface: Any, body: Any, clock: Clock) -> None:
        alike: dict[Any, list[str]] = {}
        for s in body.senses:
            alike.setdefault((s.shape, s.unit) if s.external else s.name, []).append(s.name)
        self._from: dict[str, str] = {}
        for names in alike.values():
            cycle = [names[i] for i in stream(self.seed, f"senses {names[0]}").permutation(len(names))]
            self._from |= dict(zip(cycle, cycle[1:] + cycle[:1], strict=True))
        self._order = {
            s.name: stream(self.seed, f"sense {s.name}").permutation(int(np.prod(s.shape))) for s in body.senses
        }

    def senses(self, obs: Mapping[str, Array]) -> Mapping[str, Array]:
        return {key: obs[self._from[key]].ravel()[self._order[key]].reshape(value.shape) for key, value in obs.items()}


class MotorPermutation(Control):
    name, about = "motor-permutation", "K9: the motors are wired up in random order"
    draws = True

    def bind(self, interface: Any, body: Any, clock: Clock) -> None:
        self._order = stream(self.seed, "motors").permutation(len(body.motors))

    def motors(self, action: Array) -> Array:
        return action[self._order]


class PatternGenerator(Control):
    name, about = "pattern-generator", "K10: a scripted rhythm of the body, without brain or senses"
    brain_heard, scripted = False, True

    def bind(self, interface: Any, body: Any, clock: Clock) -> None:
        self._pattern, self._period_s = interface.PATTERN(body), clock.control_s
        self._steps = 0

    def reset(self, episode_seed: int) -> None:
        self._steps = 0

    def motors(self, action: Array) -> Array:
        self._steps += 1
        return self._pattern(self._steps * self._period_s)

    def get_state(self) -> Any:
        return self._steps

    def set_state(self, state: Any) -> None:
        self._steps = state


CONTROLS: dict[str, type[Control]] = {
    c.name: c
    for c in (
        BrainOff,
        CordAlone,
        PoissonBrain,
        ErdosRenyi,
        DegreePreserving,
        ClassPreserving,
        WeightShuffle,
        SignShuffle,
        SensorPermutation,
        MotorPermutation,
        PatternGenerator,
    )
}


def control(name: str, seed: int = 0) -> Control:
    """The control `name`, seeded. Raises LookupError with the nearest name, BestiaryError for a seed below 0."""
    seed = checked_seed(seed, "control_seed")
    if name == Control.name:
        return Control(seed)
    if name not in CONTROLS:
        raise LookupError(f"no control {name!r}; {bestiary.nearest(name, ['intact', *CONTROLS], 'control')}")
    return CONTROLS[name](seed)


def check_acts(name: str | None, seed: int, asked: Mapping[str, Any]) -> None:
    """Raises BestiaryError where something that was asked for changes nothing that the animal does.

    asked: options of an animal's brain by name; empty ones were not asked for.
    """
    chosen = control(Control.name if name is None else name, seed)
    given = ", ".join(option for option, value in asked.items() if value)
    if chosen.scripted and given:
        raise BestiaryError(f"{given} would change nothing: under {name!r} no neuron moves a muscle; leave one out")
    if seed and not chosen.draws:
        raise BestiaryError(
            f"control_seed={seed} would change nothing: it is of the permutations of a control, and {chosen.name!r} "
            "has none; `seed` is of the run"
        )
