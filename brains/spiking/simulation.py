"""Running a network: pure steps over an explicit state for closed loops, whole runs for open ones."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bestiary.brains.connectome._core import Query
from bestiary.brains.spiking import _device
from bestiary.brains.spiking._describe import Array, Value, in_steps
from bestiary.brains.spiking.network import Network, Plan
from bestiary.errors import BestiaryError, DivergenceError, EpisodeError

CHUNK_STEPS = 1000


@dataclass(frozen=True)
class Run:
    """Spikes of the recorded neurons and traces. step, neuron (m,): in order of time; a neuron is a row of the table.

    trace_mV (steps, n_trace): the first state after each step (mV for spiking models). duration_s, dt_s.
    """

    step: Array
    neuron: Array
    trace_mV: Array
    steps: int
    dt_s: float

    @property
    def time_s(self) -> Array:
        """(m,) time of each spike."""
        return self.step * self.dt_s

    @property
    def duration_s(self) -> float:
        return self.steps * self.dt_s

    def counts(self, n: int) -> Array:
        """(n,) spikes of each of n neurons."""
        return np.bincount(self.neuron, minlength=n)


class Simulation:
    """A network ready to run.

    backend: "fused" (CPU: one compiled kernel call per `step`), "portable" (any device; vmapped `run_batch`), None:
    fused on the CPU. device: "cpu"; "gpu", BestiaryError where there is none or its memory is too small; "prefer-gpu",
    which then warns once and takes the CPU; None: what JAX takes by itself. record: neurons whose spikes are kept, None
    all. trace: neurons whose potential is kept every step. precision: "float32" or "float64". threads: cores of the
    fused kernel, for large brains; results do not depend on it. shards: spread the neurons over so many of the devices
    of JAX, 0 all, those of other processes included (`jax.distributed`): spikes are the same for any number of them.

    `step` uses up the state that it is given: keep a copy (`copy`) to go back. EpisodeError for a state that is none,
    is used up or belongs to another network.
    """

    def __init__(
        self,
        network: Network,
        *,
        backend: str | None = None,
        record: Query | None = None,
        trace: Query = (),
        precision: str = "float32",
        threads: int = 1,
        device: str | None = None,
        shards: int | None = None,
    ) -> None:
        if precision not in ("float32", "float64"):
            raise BestiaryError(f"precision must be 'float32' or 'float64', got {precision!r}")
        if backend not in (None, "fused", "portable"):
            raise BestiaryError(f"backend must be 'fused' or 'portable', got {backend!r}")
        if shards is not None and (backend is not None or device is not None or threads != 1):
            raise BestiaryError("shards= takes the devices that JAX has: leave out backend, device and threads")
        self.shards = shards
        if backend == "fused" and device is None:
            device = "cpu"
        self.device, on_gpu = _device.chosen(device)
        if backend == "fused" and on_gpu:
            raise BestiaryError(f"the fused kernel runs on the CPU: backend='portable' for device={device!r}")
        backend = backend or ("sharded" if shards is not None else "portable" if on_gpu else "fused")
        c = network.connectome
        self.network, self.backend = network, backend
        self.recorded = np.arange(len(c)) if record is None else c.select(record)
        self.traced = np.empty(0, np.int64) if np.size(trace) == 0 else c.select(trace)
        plan = network.plan(np.dtype(precision))
        self._thresholds = plan.thresholds()
        self._no_current = np.zeros(len(c), precision) if network.current else None
        self._zero = np.broadcast_to(np.asarray(network.neuron.zero_mV, float), len(c))[self.traced]
        rows = self.recorded.astype(np.int32), self.traced.astype(np.int32)
        try:
            self.engine = self._build(plan, rows, threads)
        except Exception as error:
            if not on_gpu or "RESOURCE_EXHAUSTED" not in str(error):
                raise
            text = f"the GPU has too little memory for {len(c)} neurons and {c.n_edges} edges"
            if device != "prefer-gpu":
                raise BestiaryError(f"{text}; device='prefer-gpu' goes on with the CPU") from error
            _device.warn_once(f"{text}: going on with the CPU")
            self.device, self.backend = _device.cpu(), "fused"
            self.engine = self._build(plan, rows, threads)
        self.plan = self.engine.plan
        self._shapes = {k: np.shape(v) for k, v in self.init().items() if not isinstance(v, list)}

    def _build(self, plan: Plan, rows: tuple[Array, Array], threads: int) -> Any:
        """The back end, ready to run."""
        if self.backend == "sharded":
            from bestiary.brains.spiking._sharded import Sharded

            return Sharded(plan, *rows, self.shards or None)
        if threads != 1:
            if threads < 1 or self.backend != "fused":
                raise BestiaryError(
                    f"threads must be at least 1, and need backend='fused'; got {threads}, {self.backend!r}"
                )
            from bestiary.brains.spiking._threads import Threads

            return Threads(plan, *rows, threads)
        with self._on_device():
            if self.backend == "fused":
                from bestiary.brains.spiking._fused import Fused

                return Fused(plan, *rows)
            from bestiary.brains.spiking._portable import Portable

            return Portable(plan, *rows)

    def _on_device(self) -> Any:
        if self.device is None or self.backend == "sharded":
            return contextlib.nullcontext()
        from bestiary.brains._engine import jax

        return jax.default_device(self.device)

    def init(self) -> dict[str, Any]:
        """The state at rest, at time 0: a dict of arrays."""
        with self._on_device():
            return self.engine.init()

    def step(
        self,
        state: dict[str, Any],
        steps: int = 1,
        *,
        seed: int | Sequence[int] = 0,
        rate_Hz: Value | None = None,
        current: Array | None = None,
    ) -> tuple[dict[str, Any], Run]:
        """(state, what happened) after `steps` steps under constant input. seed: of the Poisson input.

        rate_Hz: of the Poisson inputs (n_driven,), in the order of `inputs`; None keeps theirs. current (n,): into
        every neuron, in the unit of the neuron model (pA; mV for Shiu); needs Network(current=True).
        """
        if steps < 0:
            raise BestiaryError(f"steps must not be negative, got {steps}")
        if current is not None:
            if self._no_current is None:
                raise BestiaryError("this network has no input for currents: build it with Network(current=True)")
            current = np.asarray(current, self.plan.dtype)
            if current.shape != (self.plan.n,):
                raise BestiaryError(f"current must be ({self.plan.n},), got {current.shape}")
        drive = self._thresholds if rate_Hz is None else self.plan.thresholds(rate_Hz)
        given = self._no_current if current is None else current
        self._refuse_foreign(state)
        with self._on_device():
            state, spikes, trace = self.engine.advance(state, steps, _key(seed), drive, given)
        return state, Run(spikes[:, 0], spikes[:, 1], trace + self._zero, steps, self.network.dt_s)

    def run(
        self,
        seconds: float,
        *,
        seed: int | Sequence[int] = 0,
        rate_Hz: Value | None = None,
        current: Array | None = None,
        state: dict[str, Any] | None = None,
        on_chunk: Callable[[int], None] | None = None,
    ) -> Run:
        """From rest (or `state`) for `seconds`. on_chunk(steps done): for progress bars. Raises DivergenceError."""
        total = int(in_steps(seconds, self.network.dt_s, "duration"))
        state = self.init() if state is None else state
        parts, done = [], 0
        while done < total:
            n = min(CHUNK_STEPS, total - done)
            state, part = self.step(state, n, seed=seed, rate_Hz=rate_Hz, current=current)
            done += n
            self.check(state)
            parts.append(part)
            if on_chunk is not None:
                on_chunk(done)
        if not parts:
            return Run(
                np.empty(0, np.int32), np.empty(0, np.int32), np.empty((0, len(self.traced))), 0, self.network.dt_s
            )
        return Run(
            np.concatenate([p.step for p in parts]),
            np.concatenate([p.neuron for p in parts]),
            np.concatenate([p.trace_mV for p in parts]),
            total,
            self.network.dt_s,
        )

    def run_batch(
        self, seconds: float, seeds: Iterable[int | Sequence[int]], rate_Hz: Value | None = None
    ) -> list[Run]:
        """Trials from rest, one for each seed, in one vmapped run. Only the portable back end can."""
        if self.backend != "portable":
            raise BestiaryError("run_batch needs backend='portable'; the fused kernel runs trials one by one")
        total = int(in_steps(seconds, self.network.dt_s, "duration"))
        drive = self._thresholds if rate_Hz is None else self.plan.thresholds(rate_Hz)
        with self._on_device():
            found = self.engine.batch(np.array([_key(s) for s in seeds], np.uint32), drive, total)
        none = np.empty((total, 0))
        return [Run(s[:, 0], s[:, 1], none, total, self.network.dt_s) for s in found]

    def _refuse_foreign(self, state: Any) -> None:
        if not isinstance(state, dict) or "F" not in state:
            raise EpisodeError(f"no state to step from, got {type(state).__name__}: begin with `state = sim.init()`")
        for key, shape in self._shapes.items():
            value: Any = state.get(key)
            if np.shape(value) != shape:
                raise EpisodeError(
                    f"this state is of another network or back end: {key} has shape {np.shape(value)}, here {shape}; "
                    "begin with `state = sim.init()`"
                )
            if getattr(value, "is_deleted", bool)():  # of JAX; a restored state may be NumPy
                raise EpisodeError("this state was used up by an earlier step: go on from what that step returned")

    def check(self, state: dict[str, Any]) -> None:
        """Raises DivergenceError with the first neuron and the time if the state is no longer finite."""
        if self.backend == "sharded" and self.engine.finite(state):
            return
        parts = state["F"] if isinstance(state["F"], list) else [state["F"]]
        values = np.concatenate([np.asarray(p) for p in parts], 1) if len(parts) > 1 else np.asarray(parts[0])
        if not np.isfinite(values.sum(dtype=np.float64)):
            bad = np.flatnonzero(~np.isfinite(values).all(0))
            if len(bad):
                raise DivergenceError(
                    f"{len(bad)} neurons are no longer finite at {self.now_s(state):.4f} s, first "
                    f"{self.network.connectome.names[bad[0]]}; a shorter dt_s than {self.network.dt_s:g} s may help"
                )

    def now_s(self, state: dict[str, Any]) -> float:
        """Time of a state."""
        return int(np.ravel(state["I"][0] if "I" in state else state["k"])[0]) * self.network.dt_s

    def copy(self, state: dict[str, Any]) -> dict[str, Any]:
        """A copy that `step` will not use up."""
        return {k: [a.copy() for a in v] if isinstance(v, list) else v.copy() for k, v in state.items()}


def _key(seed: int | Sequence[int]) -> int:
    """32 bits from any seed."""
    return _word(seed if isinstance(seed, int) else tuple(seed))


@functools.lru_cache(maxsize=256)
def _word(seed: int | tuple[int, ...]) -> int:
    return int(np.random.SeedSequence(seed).generate_state(1)[0])
