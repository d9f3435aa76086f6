"""A spiking network as one part of a brain: a connectome under the equations of Shiu et al. 2024, stepped by the
control period.

The fused kernel is called directly on NumPy arrays: no JAX, and it lets go of Python's lock while it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

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
CALM = 0.2  # arrivals a neuron and period; measured: beyond it, sorting them costs more than it saves
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


SLOW_MV = float(drive_of(SLOW_HZ))


def rate_of(drive_mV: Any) -> Array:
    """Hz of a cell under a steady depolarisation: the inverse of `drive_of`."""
    drive = np.asarray(drive_mV, float)
    over = np.maximum(drive, SLOW_MV)
    fast = 1 / (REFRACTORY_S - TAU_S * np.log1p(-THRESHOLD_MV / over))
    return np.where(drive > SLOW_MV, fast, SLOW_HZ * drive / SLOW_MV)


@dataclass(frozen=True, eq=False)
class SpikingPart:
    """`table` as leaky integrate-and-fire neurons that step `control_s` at a time (contract: bestiary.brains._parts).

    poisson: rows whose drive is read as a rate (`rate_of`; in_Hz: 1 mV is 1 Hz) and comes as Poisson spikes without
    refractory time, as the published model drives its receptors; a steady current would make equal cells fire in step.
    background_Hz (n,): events of KICK_MV in each cell; None is the published model, silent at rest. gap_nS: of one unit
    of weight of edges of kind `gap`, on 1 GOhm cells. in_place: `advance` uses up the state that it is given, which
    saves copying 2 MB a step in a whole brain. network: gives a table its equations, whose potentials count from
    rest_mV.
    """

    table: Connectome
    control_s: float = 0.002
    dt_s: float = DT_S
    poisson: Array = field(default_factory=lambda: np.empty(0, int))
    in_Hz: bool = False
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
    def _plan(self) -> tuple[Any, ...]:
        """(plan, arguments of its kernels after the input)."""
        # makes the kernel take events; they come anew each call
        never = SpikeTrains([0], np.array([1e4]), np.array([0]))
        gone = self.silenced
        table = self.table.silence(gone) if len(gone) else self.table
        table = table.lesion(self.lesioned) if len(self.lesioned) else table
        network = self.network(table, dt_s=self.dt_s, current=True, gap_nS=self.gap_nS)
        plan = replace(network, inputs=(never,)).plan()
        plan.refractory[self.poisson] = 0
        after = tuple(a for e in plan.edges for a in (e.ptr, e.idx, e.w)) + (plan.gap or ())
        return plan, after

    @cached_property
    def _tileable(self) -> bool:
        from bestiary.brains.spiking._kernel_source import BLOCK, tileable

        return len(self.table) > 8 * BLOCK and tileable(self._plan[0])  # fewer lie in a near cache anyhow

    def _form(self, tiled: bool) -> tuple[Any, ...]:
        """(compiled call of one period, arguments of its kernel before and after the input). tiled: the form that is
        faster while few cells fire."""
        if tiled not in self._forms:
            from bestiary.brains._spiking_period import period
            from bestiary.brains.spiking._fused import compiled, packed

            plan, nobody = self._plan[0], np.empty(0, int)
            before = packed(plan, nobody if tiled else np.arange(plan.n), nobody)
            self._forms[tiled] = period(compiled(plan, tiled, counted=tiled), tiled), before, self._plan[1]
        return self._forms[tiled]

    @cached_property
    def _forms(self) -> dict[bool, tuple[Any, ...]]:
        return {}

    @cached_property
    def _calm(self) -> float:
        """Cells that fire in a period, up to which the tiled form is the faster."""
        return CALM * len(self.table) ** 2 / max(1, sum(len(e.idx) for e in self._plan[0].edges))

    @cached_property
    def _alive(self) -> Array:
        alive = np.ones(len(self.table), np.float32)
        alive[self.lesioned] = 0
        return alive

    @cached_property
    def _steered(self) -> Array:
        """1 for the cells that a steady drive moves."""
        steered = self._alive.copy()
        steered[self.poisson] = 0
        return steered

    @cached_property
    def _speaks(self) -> Array:
        speaks = np.ones(len(self.table), np.float32)
        speaks[self.silenced] = 0
        return speaks

    @cached_property
    def _receptors(self) -> tuple[Array, Array, Array, bool]:
        """(rows, 1 for those that are not lesioned, background in Hz) of the cells whose drive is a rate; in_Hz."""
        rows, alive = self.poisson, self._alive[self.poisson]
        rest = np.zeros(len(rows)) if self.background_Hz is None else (self.background_Hz * self._alive)[rows]
        return rows, alive, rest, self.in_Hz

    @cached_property
    def _spontaneous(self) -> tuple[Array, Array, Array, float]:
        """(rows, running sum of their event rates, its `guide`, mV of an event)."""
        from bestiary.brains._spiking_period import guide

        if self.background_Hz is None:
            return np.empty(0, int), np.empty(0), np.empty(0, np.int32), self.kick_mV
        rate = self.background_Hz * self._alive
        rate[self.poisson] = 0  # theirs come with their drive
        rows = np.flatnonzero(rate)
        running = np.cumsum(rate[rows])
        return rows, running, guide(running), self.kick_mV

    def init(self, seed: int) -> dict[str, Array]:
        """At rest. seed: of the Poisson input and the background, a non-negative integer."""
        plan = self._plan[0]
        mixed = np.random.SeedSequence(seed).generate_state(1, np.uint32)[0]
        return {
            "F": plan.first.astype(np.float32),
            "I": np.zeros(4 + 2 * plan.ring + plan.n + plan.room, np.int32),
            "count": np.zeros(plan.n, np.int32),
            "key": np.array([mixed, 0], np.uint32),
        }

    def advance(self, state: dict[str, Array], drive_mV: Array) -> dict[str, Array]:
        """One control period. drive_mV (n,): steady depolarisation each cell would have from its input current.

        All but a little is compiled and holds no lock of Python's."""
        names = ("F", "I")
        F, I = (state[k] if self.in_place else np.array(state[k]) for k in names)  # noqa: E741  # the current, as in the published model
        seed, number = state["key"].tolist()
        flush = number % max(1, round(FLUSH_S / self.control_s)) == 0
        calm = self._tileable and bool(np.count_nonzero(state["count"]) <= self._calm)
        call, before, after = self._form(calm)
        out = np.zeros(2 + len(self.table), np.int32)
        inputs = (np.asarray(drive_mV, np.float32), self._steered, self._receptors, DRIVE_MV, self._spontaneous)
        call(F, I, before, after, self.steps, self.dt_s, *inputs, np.uint64(seed << 32 | number), flush, out)
        return {"F": F, "I": I, "count": out[2:], "key": np.array([seed, number + 1], np.uint32)}

    def rate_Hz(self, state: dict[str, Array]) -> Array:
        """(n,) spikes of the last period over its length, as others hear them: 0 from a silenced cell."""
        rate = np.divide(state["count"], np.float32(self.control_s), dtype=np.float32)
        rate[self.silenced] = 0
        return rate

    def rate_at(self, state: dict[str, Array], rows: Array) -> Array:
        """`rate_Hz` of some rows."""
        rate = np.divide(state["count"][rows], np.float32(self.control_s), dtype=np.float32)
        return rate * self._speaks[rows]

    def voltage_mV(self, state: dict[str, Array]) -> Array:
        """(n,) membrane potential."""
        return state["F"][0] + np.float32(self.rest_mV)

    def cut(self, lesioned: Array, silenced: Array) -> Self:
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
