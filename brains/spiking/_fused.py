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

from bestiary.brains.spiking import _translate
from bestiary.brains.spiking._describe import Array, arguments
from bestiary.brains.spiking.network import Plan

BLOCK = 1024


def kernel_source(plan: Plan) -> str:
    """Text of the kernel. Its arrays' sizes are arguments, so networks of one form share one compilation."""
    neuron, projections = plan.network.neuron, plan.network.projections
    arrays = [k for k, v in plan.constants.items() if v.ndim]
    scalars = [k for k, v in plan.constants.items() if not v.ndim]
    held_back = "synapse" in neuron.frozen
    # Where a spike clears g and what arrives in refractory time is lost, g is 0 all that time: it is enough to take it
    # as 0 up to the step in which refractory time ends, and deliver without asking. That spares a random read an event.
    lazily = held_back and neuron.clears
    plastic = [q for q, p in enumerate(projections) if p.synapse.release_states]
    n_rows = len(plan.rows)
    functions: list[str] = []

    def constant(name: str, at: str) -> str:
        return f"{name}_a[{at}]" if name in arrays else name

    def call(function: Any, prefix: str, local: dict[str, str], at: str) -> str:
        name = f"{prefix}_{function.__name__.strip('_')}"
        text = _translate.source(function, name)
        if text not in functions:
            functions.append(text)
        parts = [local[a] if a in local else constant(f"{prefix}_{a}", at) for a in arguments(function)]
        return f"{name}({', '.join(parts)})"

    out: list[str] = []

    def line(depth: int, text: str) -> None:
        out.append("    " * depth + text)

    state_arguments = ["F_", "I_"] + (["X_"] if plastic else [])
    given = ["C", "meta", "ctl", "drive"]
    given += ["cur"] if plan.network.current else []
    given += ["ev_at", "ev_w"] if len(plan.events[0]) else []
    for q in range(len(projections)):
        given += [f"ptr{q}", f"idx{q}", f"w{q}"]
    given += ["gap_ptr", "gap_idx", "gap_w"] if plan.gap is not None else []
    results = ["F", "I"] + (["X"] if plastic else []) + ["out", "trace"]
    line(0, f"def kernel({', '.join(state_arguments + given + results)}):")
    line(1, "n = F.shape[1]")
    line(1, "n_trace, n_p, ring_slots, cap = meta[0], meta[1], meta[2], meta[3]")
    line(1, "n_rec, offset = meta[4], meta[5]  # offset: number of the first neuron of this part")
    line(1, "base = 8")
    for name, size in [
        ("refractory", "n"),
        ("rec_of", "n"),
        ("trace_at", "n_trace"),
        ("p_at", "n_p"),
        ("p_hash", "n_p"),
    ]:
        line(1, f"{name} = meta[base:base + {size}]")
        line(1, f"base += {size}")
    for q in range(len(projections)):
        line(1, f"delays{q} = meta[base + 1:base + 1 + meta[base]]")
        line(1, f"base += 1 + delays{q}.size")
    for at, name in enumerate(scalars):
        line(1, f"{name} = C[{at}]")
    for at, name in enumerate(arrays):
        line(1, f"{name}_all = C[{len(scalars)} + {at} * n:{len(scalars)} + {at + 1} * n]")
    line(1, f"p_w = C[{len(scalars)} + {len(arrays)} * n:]")
    for r in range(n_rows):
        line(1, f"s{r} = F[{r}]")
    line(1, "start = I[4:4 + ring_slots]")
    line(1, "count = I[4 + ring_slots:4 + 2 * ring_slots]")
    line(1, "until = I[4 + 2 * ring_slots:4 + 2 * ring_slots + n]")
    line(1, "ring = I[4 + 2 * ring_slots + n:4 + 2 * ring_slots + n + cap]")
    line(1, "tail = 4 + 2 * ring_slots + n + cap")
    for m, q in enumerate(plastic):
        line(1, f"last{q} = I[tail + {m} * n:tail + {m + 1} * n]")
        line(1, f"share{q} = X[{m}]")
    line(1, "steps, key = ctl[0], np.uint32(ctl[1])")
    line(1, "room = (out.size - 2) // 2")
    line(1, "done = 0; events = 0")
    line(1, f"flags = np.zeros({BLOCK}, np.uint8); words = flags.view(np.uint64)")
    extra = plan.gap is not None or neuron.graded
    if extra:
        line(1, "into = np.empty(n, F.dtype)")
        line(1, "along = np.zeros(n, F.dtype)")
        if plan.gap is not None:
            line(1, "for i in range(n):")
            line(2, "for e in range(gap_ptr[i], gap_ptr[i + 1]):")
            line(3, "along[i] += gap_w[e]")
    line(1, "while done < steps and events + n_rec <= room:")
    line(2, "k = I[0]; head = I[1]; slot = k % ring_slots")
    line(2, "start[slot] = head; fired = np.int32(0)")
    if extra:
        line(2, "into[:] = 0")
    if plan.gap is not None:
        line(2, "for i in range(n):")
        line(3, "x = F.dtype.type(0) * s0[i]")
        line(3, "for e in range(gap_ptr[i], gap_ptr[i + 1]):")
        line(4, "x += gap_w[e] * s0[gap_idx[e]]")
        line(3, "into[i] = x" if neuron.conductance else "into[i] = x - along[i] * s0[i]")
    if neuron.graded:
        at = neuron.states.index("r")
        for q in range(len(projections)):
            line(2, "for i in range(n):")
            line(3, f"if s{at}[i] != 0:")
            line(4, f"for e in range(ptr{q}[i], ptr{q}[i + 1]):")
            line(5, f"into[idx{q}[e]] += w{q}[e] * s{at}[i]")
    # 1. integrate, block by block, so that a block stays in the nearest cache; selects, no branches: it vectorises
    line(2, f"for b in range(0, n, {BLOCK}):")
    line(3, f"e = min(b + {BLOCK}, n); c = False")
    used = sorted({r for r in range(n_rows) if not _is_release(plan, r)})
    for r in used:
        line(3, f"b{r} = s{r}[b:e]")
    line(3, "bu = until[b:e]")
    for name in arrays:
        line(3, f"{name}_a = {name}_all[b:e]")
    if plan.network.current:
        line(3, "bc = cur[b:e]")
    if extra:
        line(3, "bi = into[b:e]; bl = along[b:e]")
    line(3, "for i in range(e - b):")
    line(4, "ok = bu[i] <= k")
    for r in used:
        late = lazily and r >= len(neuron.states)
        line(4, f"x{r} = b{r}[i]")
        if late:
            line(4, f"x{r} = x{r} if bu[i] < k else F.dtype.type(0)")
    currents, conductances, new = [], [], {}
    if plan.network.current:
        currents.append("bc[i]")
    if extra:
        currents.append("bi[i]")
    if plan.gap is not None and neuron.conductance:
        conductances.append("bl[i]")
    for q, p in enumerate(projections):
        if not p.synapse.states:
            continue
        local = {s: f"x{plan.rows.index(f'p{q}_{s}')}" for s in p.synapse.states} | {"v": "x0"}
        states = [plan.rows.index(f"p{q}_{s}") for s in p.synapse.states]
        lead = [f"i{q}", f"g{q}"] if p.synapse.conductance else [f"i{q}"]
        line(4, f"{', '.join(lead + [f'y{r}' for r in states])} = {call(p.synapse.update, f'p{q}', local, 'i')}")
        currents.append(f"i{q}")
        if p.synapse.conductance:
            conductances.append(f"g{q}")
        for r in states:
            new[r] = held_back and not lazily
    local = {s: f"x{r}" for r, s in enumerate(neuron.states)}
    local["i"] = " + ".join(currents) or "F.dtype.type(0)"
    local["g"] = " + ".join(conductances) or "F.dtype.type(0)"
    names = [f"y{r}" for r in range(len(neuron.states))]
    line(4, f"{', '.join(names)} = {call(neuron.update, 'n', local, 'i')}")
    for r, s in enumerate(neuron.states):
        new[r] = s in neuron.frozen
    for r, frozen in sorted(new.items()):
        if frozen:
            line(4, f"y{r} = y{r} if ok else x{r}")
        line(4, f"b{r}[i] = y{r}")
    if not neuron.graded:
        local = {s: f"y{r}" for r, s in enumerate(neuron.states)}
        line(4, f"spiked = {call(neuron.spikes, 'n', local, 'i')}")
        line(4, "flags[i] = spiked; c |= spiked")
        # 2. who fired: eight flags at a time, where a block has any
        line(3, "if c:")
        line(4, "flags[e - b:] = 0")
        line(4, "for w in range(words.size):")
        line(5, "if words[w] != 0:")
        line(6, "for i in range(8 * w, 8 * w + 8):")
        line(7, "if flags[i] != 0 and bu[i] <= k:")
        line(8, "ring[head] = offset + b + i; fired += 1; head += 1")
        line(8, "if head == cap: head = 0")
        line(2, "count[slot] = fired; I[1] = head")
        line(2, "q = start[slot]")
        line(2, "for m in range(fired):")
        line(3, "i = ring[q] - offset; until[i] = k + refractory[i]; r = rec_of[i]")
        line(3, "if r >= 0:")
        line(4, "out[2 + 2 * events] = k; out[3 + 2 * events] = offset + i; events += 1")
        for q in plastic:
            r = plan.edges[q].release
            local = {"u": f"s{r}[i]", "free": f"s{r + 1}[i]", "elapsed": f"F.dtype.type(k - last{q}[i])"}
            line(3, f"share{q}[q], s{r}[i], s{r + 1}[i] = {call(projections[q].synapse.release, f'p{q}', local, 'i')}")
            line(3, f"last{q}[i] = k")
        line(3, "q += 1")
        line(3, "if q == cap: q = 0")
        # 3. what was sent one delay ago arrives
        for q, edges in enumerate(plan.edges):
            lost = (held_back and not lazily) if edges.target else "v" in neuron.frozen
            line(2, f"for d in range(delays{q}.size):")
            line(3, f"if delays{q}[d] > k: continue")
            line(3, f"past = (k - delays{q}[d]) % ring_slots; q = start[past]")
            line(3, "for m in range(count[past]):")
            line(4, f"row = ring[q] * delays{q}.size + d")
            if q in plastic:
                line(4, f"share = share{q}[q]")
            line(4, f"for e in range(ptr{q}[row], ptr{q}[row + 1]):")
            add = f"s{edges.target}[j] += w{q}[e]" + (" * share" if q in plastic else "")
            line(5, f"j = idx{q}[e]")
            line(5, f"if until[j] <= k: {add}" if lost else add)
            line(4, "q += 1")
            line(4, "if q == cap: q = 0")
    # inputs
    line(2, "mixed = mix(np.uint32(k) ^ key)")
    line(2, "for b in range(0, n_p, 64):")
    line(3, "e = min(b + 64, n_p); c = False")
    line(3, "for i in range(b, e):")
    line(4, "c |= mix(np.uint32(p_hash[i]) ^ mixed) < drive[i]")
    line(3, "if c:")
    line(4, "for i in range(b, e):")
    line(5, "if mix(np.uint32(p_hash[i]) ^ mixed) < drive[i]:")
    _arrive(line, 6, "p_at[i]", "p_w[i]", neuron, held_back)
    if len(plan.events[0]):
        line(2, "while I[2] < ev_w.size and ev_at[0, I[2]] <= k:")
        line(3, "if ev_at[0, I[2]] == k:")
        _arrive(line, 4, "ev_at[1, I[2]]", "ev_w[I[2]]", neuron, held_back)
        line(3, "I[2] += 1")
    # 4. resets
    if not neuron.graded:
        line(2, "q = start[slot]")
        line(2, "for m in range(fired):")
        line(3, "i = ring[q] - offset")
        local = {s: f"s{r}[i]" for r, s in enumerate(neuron.states)}
        # reset gives as many values as it has states among its results: those named in its return, in order
        targets = ", ".join(f"s{r}[i]" for r in range(len(neuron.states)))
        text = call(neuron.reset, "n", local, "i").replace("_a[i]", "_all[i]")
        line(3, f"{targets} = {text}")
        if neuron.clears:
            for r in used:
                if r >= len(neuron.states):
                    line(3, f"s{r}[i] = 0")
        line(3, "q += 1")
        line(3, "if q == cap: q = 0")
    line(2, "for m in range(n_trace):")
    line(3, "trace[done, m] = F[trace_at[m] // n, trace_at[m] % n]")
    line(2, "I[0] = k + 1; done += 1")
    line(1, "out[0] = done; out[1] = events")
    return "\n\n".join(functions) + "\n\n" + "\n".join(out) + "\n"


def _is_release(plan: Plan, row: int) -> bool:
    return any(e.release >= 0 and e.release <= row < e.release + 2 for e in plan.edges)


def _arrive(line: Any, depth: int, flat: str, weight: str, neuron: Any, held_back: bool) -> None:
    """Input onto a state: lost where that state stands still."""
    line(depth, f"row = {flat} // n; j = {flat} % n")
    line(depth, f"still = {'v' in neuron.frozen} if row == 0 else {held_back}")
    line(depth, f"if until[j] <= k or not still: F[row, j] += {weight}")


_COMPILED: dict[str, Any] = {}


def compiled(plan: Plan) -> Any:
    """The numba kernel of a plan; equal texts are compiled once in a process."""
    text = kernel_source(plan)
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
    header = np.array([len(trace), len(plan.drive[0]), plan.ring, plan.room, len(record), offset, 0, 0], np.int32)
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
