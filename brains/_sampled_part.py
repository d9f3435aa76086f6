"""A sampled network as one part of a brain (contract: bestiary.brains._parts)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from bestiary.brains._sampled import SampledNetwork
from bestiary.brains._sampled_run import SampledSimulation
from bestiary.brains.connectome import Connectome
from bestiary.brains.spiking._describe import in_steps

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class SampledPart:
    """network, stepped control_s at a time. A cell is called `<population>_<number>`, its type is the population.

    Has no table of edges, so nothing that moves edges changes it: `population_table` is for the card. `advance` uses up
    the state that it is given."""

    network: SampledNetwork
    control_s: float
    stored: bool | None = None
    lesioned: Array = field(default_factory=lambda: np.empty(0, int))
    silenced: Array = field(default_factory=lambda: np.empty(0, int))

    @cached_property
    def table(self) -> Connectome:
        pops = self.network.populations
        types = np.repeat([p.name for p in pops], self.network.sizes)
        number = np.concatenate([np.arange(1, p.size + 1) for p in pops])
        words = [p.name.split("_") for p in pops]
        sides = np.repeat([w[1] if len(w) > 2 and w[1] in "LR" else "" for w in words], self.network.sizes)
        none = np.empty(0, np.int32)
        return Connectome(
            ids=np.char.add(np.char.add(types, "_"), number.astype(str)),
            types=types,
            kinds=np.full(self.network.n, "inter"),
            sides=sides,
            transmitters=np.repeat(["Glut" if p.excites else "GABA" for p in pops], self.network.sizes),
            pre=none,
            post=none,
            weight=np.empty(0, np.float32),
            source=self.network.source,
        )

    @property
    def slow(self) -> bool:
        """Worth a core of its own."""
        return self.network.n > 20_000

    @cached_property
    def _sim(self) -> SampledSimulation:
        return SampledSimulation(
            self.network, stored=self.stored, drive=True, lesion_cells=self.lesioned, silence_cells=self.silenced
        )

    @cached_property
    def steps(self) -> int:
        return int(in_steps(self.control_s, self.network.dt_s, "control period"))

    def init(self, seed: int) -> dict[str, Array]:
        return self._sim.init(seed) | {"spikes": np.zeros(self.network.n, np.float32)}

    def advance(self, state: dict[str, Array], drive_mV: Array) -> dict[str, Array]:
        state, run = self._sim.step(state, self.steps, drive_mV)
        return {**state, "spikes": np.bincount(run.neuron, minlength=self.network.n).astype(np.float32)}

    def rate_Hz(self, state: dict[str, Array]) -> Array:
        rate = state["spikes"] / np.float32(self.control_s)
        rate[self.silenced] = 0
        return np.asarray(rate)

    def voltage_mV(self, state: dict[str, Array]) -> Array:
        rest = np.repeat([p.cell.rest_mV for p in self.network.populations], self.network.sizes)
        return np.asarray(state["V"] + rest.astype(np.float32))

    def cut(self, lesioned: Array, silenced: Array) -> SampledPart:
        return replace(self, lesioned=np.union1d(self.lesioned, lesioned), silenced=np.union1d(self.silenced, silenced))

    def rewired(self, rewire: Callable[[Connectome], Connectome]) -> SampledPart:
        """The same: there is no table of edges to move. `cortex86(...)` takes another matrix instead."""
        return self


def population_table(network: SampledNetwork) -> Connectome:
    """Populations as nodes and projections as edges, weight = synapses, each with its provenance."""
    p = network.projections
    keep = p.synapses > 0
    excites = np.array([q.excites for q in network.populations])
    return Connectome(
        ids=np.array([q.name for q in network.populations]),
        kinds=np.full(len(network.populations), "inter"),
        pre=p.source[keep],
        post=p.target[keep],
        weight=p.synapses[keep],
        sign=np.where(excites[p.source[keep]], 1, -1).astype(np.int8),
        sign_by="transmitter",
        delay_s=p.delay_s[keep],
        provenance=p.provenance[keep],
        source=f"{network.source}: populations, {network.n} neurons, {network.n_synapses} synapses",
    )
