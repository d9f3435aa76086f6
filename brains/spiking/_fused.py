"""The CPU back end: one kernel per (neuron, synapses), written out from their equations, compiled by numba and
registered with JAX through brainevent. One call goes any number of steps.

State (a pytree): `F` (rows, n) float states; `I` int32, packed: step, head of the ring, next recorded input, -, then
start and count of each slot of the ring, the step at which each neuron's refractory time ends, the ring of spike
numbers, and the last spike of each neuron for each projection with short-term plasticity; `X` (only with such) the
share released by each spike in the ring.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from bestiary.brains.spiking._describe import Array
from bestiary.brains.spiking._kernel_source import kernel_source
from bestiary.brains.spiking.network import Plan

_COMPILED: dict[str, Any] = {}


def compiled(plan: Plan, tiled: bool = False, counted: bool = False) -> Any:
    """The numba kernel of a plan (`kernel_source`); equal texts are compiled once in a process."""
    text = kernel_source(plan, tiled, counted)
    name = "k" + hashlib.sha256((text + str(plan.dtype)).encode()).hexdigest()[:16]
    if name in _COMPILED:
        return _COMPILED[name]
    import numba

    flags = {"contract", "nsz"}  # no reordering, NaN stays NaN: results do not depend on the length of a call
    kind = np.dtype(plan.dtype).type

    @numba.njit
    def where(condition: Any, a: Any, b: Any) -> Any:
        return a if condition else b

    @numba.njit
    def mix(x: Any) -> Any:
        """A well-mixing hash of 32 bits ("lowbias32", Wellons 2018): the random numbers, from step, input and seed."""
        x = np.uint32(x)
        x = np.uint32((x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
        x = np.uint32((x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
        return np.uint32(x ^ (x >> np.uint32(16)))

    space: dict[str, Any] = {"np": np, "F": kind, "where": where, "mix": mix}
    space |= {f: getattr(math, f) for f in ("exp", "log", "sqrt", "tanh")}
    # unique names: brainevent tells kernels apart by their own code and names, not by the functions they call
    for part in text.split("\n\n")[:-1]:
        own = part[4 : part.index("(")]
        text = text.replace(f"{own}(", f"{own}_{name}(")
    text = text.replace("F.dtype.type(", "kind_of_F(").replace("def kernel(", f"def {name}(")
    space["kind_of_F"] = kind
    # in the kernel F is the array; in the functions it is the type
    functions, _, body = text.rpartition("\n\n")
    exec(functions, space)
    for own, function in list(space.items()):
        if own.endswith(f"_{name}"):
            space[own] = numba.njit(fastmath=flags)(function)
    exec(body, space)
    _COMPILED[name] = numba.njit(nogil=True, fastmath=flags)(space[name])
    return _COMPILED[name]


def packed(plan: Plan, record: Array, trace: Array, offset: int = 0) -> tuple[Array, Array]:
    """(constants, integers) as the kernel reads them. offset: number of the first neuron of a part."""
    rec_of = np.full(plan.n, -1, np.int32)
    rec_of[record] = np.arange(len(record))
    window = max(1, min((int(e.delays.min()) for e in plan.edges if e.delays.size), default=plan.ring - 1))
    most = int(np.ceil(window / np.maximum(plan.refractory[record], 1)).sum())
    header = np.array(
        [len(trace), len(plan.drive[0]), plan.ring, plan.room, len(record), offset, window, most], np.int32
    )
    delays = [part for e in plan.edges for part in ([len(e.delays)], e.delays)]
    meta = [header, plan.refractory, rec_of, trace, plan.drive[0], plan.drive[2].view(np.int32), *delays]
    scalars = [v for v in plan.constants.values() if not v.ndim]
    arrays = [np.broadcast_to(v, plan.n) for v in plan.constants.values() if v.ndim]
    constants = np.concatenate([np.asarray(scalars, plan.dtype), *arrays, plan.drive[1]]).astype(plan.dtype)
    return constants, np.concatenate(meta).astype(np.int32)


class Fused:
    """A plan ready to run on the CPU. `advance` goes any number of steps in calls of the kernel."""

    def __init__(self, plan: Plan, record: Array, trace: Array, room: int = 65536) -> None:
        """record: rows whose spikes are kept. trace (m,): state row * n + neuron, kept every step."""
        from bestiary.brains._engine import jax, jnp, registered

        self.plan, self.record, self.trace = plan, record, trace
        self.x64 = bool(plan.dtype == np.float64)
        c, meta = packed(plan, record, trace)
        after = []
        if len(plan.events[0]):
            after += [np.stack(plan.events[:2]), plan.events[2]]
        for e in plan.edges:
            after += [e.ptr, e.idx, e.w]
        after += plan.gap or ()
        self.kernel = compiled(plan)
        self.room = 2 + 2 * (room + len(record))  # one step may fill len(record); the kernel stops before it overflows
        self._plastic = sum(e.release >= 0 for e in plan.edges)
        self._calls: dict[int, Any] = {}
        self._registered = registered
        with self._precision():
            self._before = (jnp.asarray(c), jnp.asarray(meta))
            self._after = tuple(jax.device_put(a, may_alias=True) for a in after)  # aligned arrays are shared
        self._jax, self._jnp = jax, jnp

    def _precision(self) -> Any:
        from bestiary.brains._engine import precision

        return precision(self.x64)

    def init(self) -> dict[str, Any]:
        """The state at rest, at step 0."""
        plan = self.plan
        ints = np.zeros(4 + 2 * plan.ring + plan.n + plan.room + self._plastic * plan.n, np.int32)
        if self._plastic:
            ints[-self._plastic * plan.n :] = -(2**28)  # the last spike was long ago
        state = {"F": plan.first, "I": ints}
        if self._plastic:
            state["X"] = np.ones((self._plastic, plan.room), plan.dtype)
        with self._precision():
            return {k: self._jnp.array(v) for k, v in state.items()}  # a copy: the kernel works in place

    def _call(self, n_trace_steps: int) -> Any:
        """The jitted call whose trace has this many rows."""
        if n_trace_steps not in self._calls:
            plan, shape = self.plan, self._jax.ShapeDtypeStruct
            state = [shape(plan.first.shape, plan.dtype), shape(self.init()["I"].shape, np.int32)]
            state += [shape((self._plastic, plan.room), plan.dtype)] if self._plastic else []
            outs = [*state, shape((self.room,), np.int32), shape((n_trace_steps, len(self.trace)), plan.dtype)]
            call = self._registered(self.kernel, tuple(outs), {i: i for i in range(len(state))})
            self._calls[n_trace_steps] = self._jax.jit(lambda s, *a: call(*s, *a), donate_argnums=0)
        return self._calls[n_trace_steps]

    def advance(
        self, state: dict[str, Any], steps: int, key: int, drive: Array, current: Array | None
    ) -> tuple[dict[str, Any], Array, Array]:
        """(state, spikes (m, 2) of step and neuron, trace (steps, n_trace)). The given state is used up."""
        names = [k for k in ("F", "I", "X") if k in state]
        values = tuple(state[k] for k in names)
        spikes, traces, left = [], [], steps
        with self._precision():
            while left:
                ctl = np.array([left, key], np.uint32).view(np.int32)
                given = (ctl, drive) if current is None else (ctl, drive, current)
                *values, out, trace = self._call(left if len(self.trace) else 1)(
                    values, *self._before, *given, *self._after
                )
                got = np.asarray(out)
                done, m = int(got[0]), int(got[1])
                spikes.append(got[2 : 2 + 2 * m].reshape(m, 2).copy())
                if len(self.trace):
                    traces.append(np.asarray(trace)[:done])
                left -= done
        where = np.concatenate(traces) if traces else np.empty((steps, 0), self.plan.dtype)
        return (
            dict(zip(names, values, strict=True)),
            np.concatenate(spikes) if spikes else np.empty((0, 2), np.int32),
            where,
        )
