"""A spiking network as one part of a brain: a connectome under the equations of Shiu et al. 2024, stepped by the
control period.

The fused kernel is called directly on NumPy arrays: no JAX, and it lets go of Python's lock while it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from bestiary.brains._shiu import DRIVE_MV, DT_S, shiu_network
from bestiary.brains.connectome import Connectome
from bestiary.brains.spiking import Network, SpikeTrains
from bestiary.brains.spiking._describe import in_steps
from bestiary.errors import BestiaryError

Array = np.ndarray[Any, np.dtype[Any]]

REST_MV, THRESHOLD_MV = -52.0, 7.0  # resting potential, and how far above it a cell fires (Shiu et al. 2024, Methods)
TAU_S, REFRACTORY_S = 0.020, 0.0022
FLUSH_S = 0.05  # too short for 1e-25 to decay to a denormal number
KICK_MV = 8.0  # of one background event: fires a cell at rest, and not one that is held down
FASTEST_HZ = 450.0  # just below 1 / REFRACTORY_S
SLOW_HZ = 5.0  # below it the curve is a wall at 7 mV, thinner than a float: taken as a straight line from 0 mV


def drive_of(rate_Hz: Any) -> Array:
    """Steady depolarisation (mV) under which the cell fires at `rate_Hz`, from 1 / (2.2 ms + 20 ms ln(I / (I - 7 mV))).

    Below SLOW_HZ proportional to the rate: only for receptors (`SpikingPart.poisson`), which read it back; there a
    negative rate takes from the background.
    Rates above FASTEST_HZ are taken as that.
    """
    rate = np.asarray(rate_Hz, float)
    usual = np.clip(rate, SLOW_HZ, FASTEST_HZ)
    drive = THRESHOLD_MV / -np.expm1(-(1 / usual - REFRACTORY_S) / TAU_S)
    return drive * np.minimum(rate / SLOW_HZ, 1)


_SLOW_MV = float(drive_of(SLOW_HZ))


def rate_of(drive_mV: Any) -> Array:
    """Hz of a cell under a steady depolarisation: the inverse of `drive_of`."""
    drive = np.asarray(drive_mV, float)
    over = np.maximum(drive, _SLOW_MV)
    fast = 1 / (REFRACTORY_S - TAU_S * np.log1p(-THRESHOLD_MV / over))
    return np.where(drive > _SLOW_MV, fast, SLOW_HZ * drive / _SLOW_MV)


@dataclass(frozen=True, eq=False)
class SpikingPart:
    """`table` as leaky integrate-and-fire neurons that step `control_s` at a time (contract: bestiary.brains._parts).

    poisson: rows whose drive is read as a rate (`rate_of`) and comes as Poisson spikes without refractory time, as the
    published model drives its receptors; a steady current would make equal cells fire in step. background_Hz (n,):
    events of KICK_MV in each cell; None is the published model, silent at rest. gap_nS: of one unit of weight of edges
    of kind `gap`, on 1 GOhm cells. in_place: `advance` uses up the state that it is given, which saves copying 2 MB a
    step in a whole brain. network: gives a table its equations, whose potentials count from rest_mV.
    """

    table: Connectome
    control_s: float = 0.002
    dt_s: float = DT_S
    poisson: Array = field(default_factory=lambda: np.empty(0, int))
    background_Hz: Array | None = None
    kick_mV: float = KICK_MV
    gap_nS: float = 0.0
    in_place: bool = False
    lesioned: Array = field(default_factory=lambda: np.empty(0, int))
    silenced: Array = field(default_factory=lambda: np.empty(0, int))
    network: Callable[..., Network] = shiu_network
    rest_mV: float = REST_MV
    steps: int = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.table)
        steps = in_steps(self.control_s, self.dt_s, "control period")
        if steps < 1:
            raise BestiaryError(f"a control period of {self.control_s} s is shorter than a step of {self.dt_s} s")
        put = object.__setattr__
        put(self, "steps", int(steps))
        for name in ("poisson", "lesioned", "silenced"):
            put(self, name, np.unique(np.asarray(getattr(self, name), int)))
        if self.background_Hz is not None:
            rate = np.broadcast_to(np.asarray(self.background_Hz, float), n)
            if not (np.isfinite(rate) & (rate >= 0)).all():
                raise BestiaryError(f"background_Hz must be finite and not negative, got {rate.min():g} at least")
            put(self, "background_Hz", rate)

    @property
    def slow(self) -> bool:
        """Worth a core of its own."""
        return len(self.table) > 20_000

    @cached_property
    def _kernel(self) -> tuple[Any, ...]:
        """(plan, kernel, arguments before and after the input)."""
        from bestiary.brains.spiking._fused import compiled, packed

        # makes the kernel take events; they come anew each call
        never = SpikeTrains([0], np.array([1e4]), np.array([0]))
        gone = self.silenced
        table = self.table.silence(gone) if len(gone) else self.table
        table = table.lesion(self.lesioned) if len(self.lesioned) else table
        network = self.network(table, dt_s=self.dt_s, current=True, gap_nS=self.gap_nS)
        plan = replace(network, inputs=(never,)).plan()
        plan.refractory[self.poisson] = 0
        before = packed(plan, np.arange(plan.n), np.empty(0, int))
        after = tuple(a for e in plan.edges for a in (e.ptr, e.idx, e.w)) + (plan.gap or ())
        return plan, compiled(plan), before, after

    @cached_property
    def _alive(self) -> Array:
        alive = np.ones(len(self.table), np.float32)
        alive[self.lesioned] = 0
        return alive

    @cached_property
    def _resting(self) -> Array:
        """Background of the cells whose drive is a rate."""
        if self.background_Hz is None:
            return np.zeros(len(self.poisson))
        return np.asarray((self.background_Hz * self._alive)[self.poisson])

    @cached_property
    def _spontaneous(self) -> tuple[Array, Array] | None:
        """(rows, running sum of their event rates)."""
        if self.background_Hz is None:
            return None
        rate = self.background_Hz * self._alive
        rate[self.poisson] = 0  # theirs come with their drive
        rows = np.flatnonzero(rate)
        return (rows, np.cumsum(rate[rows])) if len(rows) else None

    def init(self, seed: int) -> dict[str, Array]:
        """At rest. seed: of the Poisson input and the background, a non-negative integer."""
        plan = self._kernel[0]
        mixed = np.random.SeedSequence(seed).generate_state(1, np.uint32)[0]
        return {
            "F": plan.first.astype(np.float32),
            "I": np.zeros(4 + 2 * plan.ring + plan.n + plan.room, np.int32),
            "count": np.zeros(plan.n, np.float32),
            "key": np.array([mixed, 0], np.uint32),
        }

    def advance(self, state: dict[str, Array], drive_mV: Array) -> dict[str, Array]:
        """One control period. drive_mV (n,): steady depolarisation each cell would have from its input current."""
        plan, kernel, before, after = self._kernel
        names = ("F", "I")
        F, I = (state[k] if self.in_place else np.array(state[k]) for k in names)  # noqa: E741
        period = int(state["key"][1])
        current = np.asarray(drive_mV, np.float32) * self._alive
        at, weight = self._events(state["key"], int(I[0]), current)
        current[self.poisson] = 0
        I[2] = 0
        if period % max(1, round(FLUSH_S / self.control_s)) == 0:
            F[np.abs(F) < 1e-25] = 0  # denormal numbers would make the kernel ten times slower
        count = np.zeros(plan.n, np.float32)
        out = np.empty(2 + 2 * (plan.n * 3), np.int32)  # the kernel stops before it is full
        left, trace, no_rate = self.steps, np.empty((1, 0), np.float32), np.empty(0, np.uint32)
        while left:
            ctl = np.array([left, 0], np.int32)
            kernel(F, I, *before, ctl, no_rate, current, at, weight, *after, F, I, out, trace)
            done, m = int(out[0]), int(out[1])
            if m:
                np.add.at(count, out[3 : 3 + 2 * m : 2], 1)
            left -= done
        return {"F": F, "I": I, "count": count, "key": np.array([state["key"][0], period + 1], np.uint32)}

    def _events(self, key: Array, first: int, drive: Array) -> tuple[Array, Array]:
        """Input spikes of one period, in order of time: (2, m) step and neuron, and (m,) mV."""
        rng = np.random.Generator(np.random.Philox(key=key.astype(np.uint64)))
        who, size = [], []
        if len(self.poisson):
            rate, given = self._resting.copy(), drive[self.poisson]
            driven = np.flatnonzero(given)
            rate[driven] += rate_of(given[driven])
            on = np.flatnonzero(rate > 0)
            who.append(np.repeat(self.poisson[on], rng.poisson(rate[on] * self.control_s)))
            size.append(np.full(len(who[-1]), DRIVE_MV, np.float32))
        if self._spontaneous is not None:
            rows, running = self._spontaneous
            many = rng.poisson(running[-1] * self.control_s)
            who.append(rows[np.searchsorted(running, rng.random(many) * running[-1], side="right")])
            size.append(np.full(many, self.kick_mV, np.float32))
        if not who:
            return np.empty((2, 0), np.int32), np.empty(0, np.float32)
        neuron, weight = np.concatenate(who), np.concatenate(size)
        step = rng.integers(first, first + self.steps, len(neuron))
        order = np.argsort(step, kind="stable")
        return np.stack([step[order], neuron[order]]).astype(np.int32), weight[order]

    def rate_Hz(self, state: dict[str, Array]) -> Array:
        """(n,) spikes of the last period over its length, as others hear them: 0 from a silenced cell."""
        rate = state["count"] / np.float32(self.control_s)
        rate[self.silenced] = 0
        return rate

    def voltage_mV(self, state: dict[str, Array]) -> Array:
        """(n,) membrane potential."""
        return state["F"][0] + np.float32(self.rest_mV)

    def cut(self, lesioned: Array, silenced: Array) -> SpikingPart:
        """Without some neurons (no input, no output, no background), and without the outputs of others."""
        return replace(self, lesioned=np.union1d(self.lesioned, lesioned), silenced=np.union1d(self.silenced, silenced))

    def rewired(self, rewire: Callable[[Connectome], Connectome]) -> SpikingPart:
        """The same cells on `rewire(table)`."""
        return replace(self, table=rewire(self.table))

    def run(self, seconds: float, drive_mV: Array, seed: int = 0) -> Array:
        """(n,) mean Hz from rest under constant drive, onset included: an open-loop experiment."""
        state, total = self.init(seed), np.zeros(len(self.table))
        periods = int(in_steps(seconds, self.control_s, "duration"))
        for _ in range(periods):
            state = self.advance(state, drive_mV)
            total += state["count"]
        return total / seconds
