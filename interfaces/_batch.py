"""Many animals in step: brains of one wiring advance together, side by side in the vectors of the processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.envs._clock import Clock
from bestiary.errors import BestiaryError, DivergenceError, ObservationError
from bestiary.interfaces._base import Animal, build

__all__ = ["AnimalBatch", "build_many"]


class AnimalBatch:
    """n animals of one kind as one policy: `reset(episode_seeds)`, then `act(obs)`; arrays have a leading axis n.

    Animals whose brains are one object, with the intact animal's senses and muscles, are stepped `together`, where
    brain and interface can (`Brain.many`, `Interface.encode_many`); the rest act one by one, to the bit as they would
    alone. Those together agree with themselves alone to rounding; what each does depends neither on the others, nor on
    their number, nor on threads. `together` (n,) bool says who is. width: of the vectors of those together, 0 for the
    brain's own; a narrow one suits a few animals, and rounds in another way.
    """

    def __init__(self, animals: Sequence[Animal], threads: int = 0, width: int = 0) -> None:
        if not animals:
            raise BestiaryError("a batch needs an animal or more")
        first = animals[0]
        for i, animal in enumerate(animals):
            if animal.name != first.name or animal.names != first.names or animal.clock != first.clock:
                raise BestiaryError(f"animals of one batch share kind, neurons and clock; number {i} does not")
        self.animals, self.n = tuple(animals), len(animals)
        self.together = np.zeros(self.n, bool)
        kin: dict[int, list[int]] = {}
        for i, animal in enumerate(animals):
            able = hasattr(animal.brain, "many") and hasattr(animal.interface, "encode_many")
            if able and animal.control.name == "intact":
                kin.setdefault(id(animal.brain), []).append(i)
        self._packs = [
            _Pack([animals[i] for i in ids], np.array(ids), threads, width) for ids in kin.values() if len(ids) > 1
        ]
        for pack in self._packs:
            self.together[pack.ids] = True
        self._alone = np.flatnonzero(~self.together).tolist()
        self._running = False

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"<{self.n} animals, {int(self.together.sum())} of them together: {self.animals[0]!r}>"

    @property
    def name(self) -> str:
        """Of the kind."""
        return self.animals[0].name

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the neurons, in the order of every recording."""
        return self.animals[0].names

    @property
    def clock(self) -> Clock:
        return self.animals[0].clock

    def index(self, query: Any) -> Array:
        """Rows of the neurons that `query` names: see `Animal.index`."""
        return self.animals[0].index(query)

    def reset(self, episode_seeds: Any, ids: Sequence[int] | None = None) -> None:
        """Back to rest. episode_seeds: `info["episode_seed"]` (n,), or one for each of `ids`, the animals to reset."""
        chosen = list(range(self.n)) if ids is None else [int(i) for i in ids]
        seeds = [int(s) for s in np.atleast_1d(episode_seeds)]
        if len(seeds) != len(chosen):
            raise BestiaryError(f"one episode_seed for each of {len(chosen)} animals, got {len(seeds)}")
        if not self._running and len(chosen) < self.n:
            raise BestiaryError("the first reset is of all animals: leave out ids")
        for i, seed in zip(chosen, seeds, strict=True):
            self.animals[i].reset(seed)
        for pack in self._packs:
            pack.take(set(chosen), new=not self._running)
        self._running = True

    def inject(self, rows: Array, current_pA: Any, ids: Sequence[int] | None = None) -> None:
        """Adds current to neurons `rows` of animals `ids` (None: all) from the next `act` on: a number, one for each
        of the rows, or (len(ids), len(rows))."""
        self._perturb("inject", rows, current_pA, ids)

    def shine(self, rows: Array, light: Any, ids: Sequence[int] | None = None) -> None:
        """Light, likewise: see `Animal.shine`."""
        self._perturb("shine", rows, light, ids)

    def _perturb(self, how: str, rows: Array, amount: Any, ids: Sequence[int] | None) -> None:
        self._need_reset(how)
        chosen = list(range(self.n)) if ids is None else list(ids)
        rows = np.atleast_1d(rows)
        for i, value in zip(chosen, np.broadcast_to(amount, (len(chosen), len(rows))), strict=True):
            getattr(self.animals[i], how)(rows, value)
        for pack in self._packs:
            pack.perturbed()

    def act(self, obs: Mapping[str, Array]) -> Array:
        """Actions (n, n_motors) float32 in [-1, 1] for observations with a leading axis n.

        Raises ObservationError, with all states untouched, and DivergenceError, which names the animal.
        """
        self._need_reset("act")
        for sense, shape in [(s.name, s.shape) for s in self.animals[0].senses]:
            value = obs.get(sense)
            if value is None or value.shape != (self.n, *shape) or not np.isfinite(value.sum()):
                got = "nothing" if value is None else f"{value.shape}, finite: {bool(np.isfinite(value).all())}"
                raise ObservationError(f"{sense!r} must be finite, of shape {(self.n, *shape)}; got {got}")
        out: Array | None = None
        for pack in self._packs:
            action = pack.act({k: v[pack.ids] for k, v in obs.items()} if len(pack.ids) < self.n else obs)
            out = np.empty((self.n, action.shape[1]), np.float32) if out is None else out
            out[pack.ids] = action
        for i in self._alone:
            action = self.animals[i].act({k: v[i] for k, v in obs.items()})
            out = np.empty((self.n, len(action)), np.float32) if out is None else out
            out[i] = action
        assert out is not None
        return out

    def probe(self) -> dict[str, Array]:
        """What can be recorded of every animal, as `Animal.probe`: (n, neurons) each."""
        self._need_reset("probe")
        for pack in self._packs:
            pack.give()
        each = [animal.probe() for animal in self.animals]
        return {name: np.stack([e[name] for e in each]) for name in each[0]}

    def get_state(self) -> list[dict[str, Any]]:
        """`Animal.get_state` of every animal."""
        self._need_reset("get_state")
        for pack in self._packs:
            pack.give()
        return [animal.get_state() for animal in self.animals]

    def set_state(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Goes back to a `get_state` of this or an equal batch, or of single animals."""
        for animal, state in zip(self.animals, states, strict=True):
            animal.set_state(state)
        for pack in self._packs:
            pack.take(set(range(self.n)), new=True)
        self._running = True

    def _need_reset(self, what: str) -> None:
        if not self._running:
            raise BestiaryError(f"{what} before reset: call reset(info['episode_seed']) first")


class _Pack:
    """Animals that share brain and interface. Between `take` and `give` their state is here, not in them."""

    def __init__(self, animals: Sequence[Animal], ids: Array, threads: int, width: int) -> None:
        self.animals, self.ids = animals, ids
        first = animals[0]
        self.brain, self.interface, self.clock = first.brain, first.interface, first.clock
        self.many = first.brain.many(len(animals), threads, width)  # type: ignore[attr-defined]
        self.steps = np.zeros(len(animals), int)
        self._timed = [i for i, a in enumerate(animals) if a._targets]

    def take(self, chosen: set[int], new: bool) -> None:
        """The states of single animals: of all where `new`, else of those whose number is in `chosen`."""
        mine = [k for k, i in enumerate(self.ids.tolist()) if new or i in chosen]
        if new:
            self.state = self.many.joined([a._state for a in self.animals])
            self.skin = self.interface.join([a._skin for a in self.animals])  # type: ignore[attr-defined]
        for k in mine:
            animal = self.animals[k]
            if not new:
                self.many.put(self.state, k, animal._state)
                for name, value in animal._skin.items():
                    self.skin[name][k] = value
            self.steps[k] = animal._steps
        self.perturbed()

    def give(self) -> None:
        """Writes the states into the single animals."""
        for k, animal in enumerate(self.animals):
            animal._state = self.many.one(self.state, k)
            animal._skin = {name: value[k].copy() for name, value in self.skin.items()}
            animal._steps = int(self.steps[k])
            animal._reading = self.brain.read(animal._state)

    def perturbed(self) -> None:
        self.injected = np.stack([a._injected for a in self.animals])
        self.lit = np.stack([a._lit for a in self.animals])
        self._driven = bool(self.injected.any())

    def act(self, obs: Mapping[str, Array]) -> Array:
        self.skin, current = self.interface.encode_many(self.skin, obs)  # type: ignore[attr-defined]
        if self._driven:
            current = current + self.injected
        light = self.lit
        if self._timed:
            light = light.copy()
            for k in self._timed:
                now = self.steps[k] * self.clock.control_s
                for stimulus, rows in self.animals[k]._targets:
                    if stimulus.start_s <= now < stimulus.stop_s:
                        if stimulus.kind == "current":
                            current[k, rows] += stimulus.amount
                        else:
                            light[k, rows] += stimulus.amount * self.brain.input_nS[rows]
        self.state = self.many.advance(self.state, current, light)
        self.steps += 1
        action = self.interface.decode_many(self.brain.read_many(self.many, self.state))  # type: ignore[attr-defined]
        if not np.isfinite(action.sum()):
            k = int(np.flatnonzero(~np.isfinite(action).all(1))[0])
            raise DivergenceError(
                f"the brain of animal {self.ids[k]} is no longer finite at "
                f"{self.steps[k] * self.clock.control_s:.3f} s; a shorter brain period helps"
            )
        return action


def build_many(
    name: str, n: int, each: Sequence[Mapping[str, Any]] | None = None, threads: int = 0, **options: Any
) -> AnimalBatch:
    """n animals `name`: see `bestiary.animal` and `interfaces/_base.build`.

    each: for every animal a mapping with those options that differ from the common `options`: its own lesion, stimuli,
    connectome. Animals that differ in nothing but stimuli share a brain, and are stepped together.
    """
    if n < 1 or (each is not None and len(each) != n):
        raise BestiaryError(f"a batch has 1 animal or more and one mapping of `each` for each; got {n}, each={each!r}")
    made: list[tuple[dict[str, Any], Animal]] = []
    animals = []
    for one in each or [{}] * n:
        given = {**options, **one}
        stimuli = given.pop("stimulate", ())
        found = next((a for known, a in made if known == given), None)
        if found is None or found.control.name != "intact":
            found = build(name, **given, stimulate=stimuli)
            made.append((given, found))
            animals.append(found)
        else:
            animals.append(found.sibling(stimuli))
    return AnimalBatch(animals, threads)
