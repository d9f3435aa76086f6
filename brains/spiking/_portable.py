"""The portable back end: the same equations as a brainstate module on event-driven CSR operators, any device.

State: `F` (rows, n); `k` (step); `until` (n,) step at which refractory time ends; `ring` (slots, n) who spiked
(bool), `share` (with short-term plasticity) what each spike released; `last` (n,) of the last spike. Slower than the
fused kernel on a CPU; it can be vmapped and runs on a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bestiary.brains.spiking._describe import Array, arguments
from bestiary.brains.spiking._translate import vectorised
from bestiary.brains.spiking.network import Plan


def mix(x: Any) -> Any:
    """The hash of the fused kernel on uint32 arrays (NumPy or JAX)."""
    x = (x ^ (x >> 16)) * type_of(x)(0x7FEB352D)
    x = (x ^ (x >> 15)) * type_of(x)(0x846CA68B)
    return x ^ (x >> 16)


def type_of(x: Any) -> Any:
    return x.dtype.type


def poisson_spikes(plan: Plan, key: int, drive: Array, first: int, steps: int) -> tuple[Array, Array]:
    """(step, number of the driven input) of every Poisson spike of steps first ... first + steps - 1: what runs get."""
    found = []
    with np.errstate(over="ignore"):
        for k in range(first, first + steps):
            mixed = mix(np.array([k ^ key], np.uint32))
            hit = np.flatnonzero(mix(plan.drive[2] ^ mixed) < drive)
            found.append(np.stack([np.full(len(hit), k), hit]))
    step, which = np.concatenate(found, 1) if found else np.empty((2, 0), int)
    return step, which


def called(plan: Plan, constants: dict[str, Any]) -> Any:
    """`call(function, prefix, local)`: a scalar function of a model on arrays; constants: those of the plan."""
    from bestiary.brains._engine import jnp

    def call(function: Any, prefix: str, local: dict[str, Any]) -> Any:
        values = [local[a] if a in local else constants[f"{prefix}_{a}"] for a in arguments(function)]
        return vectorised(function, jnp)(*values)

    return call


def cells(plan: Plan, call: Any, F: Any, ok: Any, i: Any, g: Any) -> dict[str, Any]:
    """Synapses, then neurons, of one step: new states by name. F (rows, n); ok (n,) not refractory; i, g: input."""
    from bestiary.brains._engine import jnp

    neuron, held_back = plan.network.neuron, "synapse" in plan.network.neuron.frozen
    rows = {name: F[r] for r, name in enumerate(plan.rows)}
    new = dict(rows)
    for q, p in enumerate(plan.network.projections):
        if not p.synapse.states:
            continue
        local = {s: rows[f"p{q}_{s}"] for s in p.synapse.states} | {"v": F[0]}
        got = call(p.synapse.update, f"p{q}", local)
        i = i + got[0]
        if p.synapse.conductance:
            g = g + got[1]
        for s, value in zip(p.synapse.states, got[2 if p.synapse.conductance else 1 :], strict=True):
            new[f"p{q}_{s}"] = jnp.where(ok, value, rows[f"p{q}_{s}"]) if held_back else value
    got = call(neuron.update, "n", {s: rows[s] for s in neuron.states} | {"i": i, "g": g})
    for s, value in zip(neuron.states, got if isinstance(got, tuple) else (got,), strict=True):
        new[s] = jnp.where(ok, value, rows[s]) if s in neuron.frozen else value
    return new


def resets(plan: Plan, call: Any, stacked: Any, spiked: Any) -> Any:
    """F (rows, n) after the spikes of a step."""
    from bestiary.brains._engine import jnp

    neuron = plan.network.neuron
    got = call(neuron.reset, "n", {s: stacked[r] for r, s in enumerate(neuron.states)})
    for r, value in enumerate(got if isinstance(got, tuple) else (got,)):
        stacked = stacked.at[r].set(jnp.where(spiked, value, stacked[r]))
    if neuron.clears:
        for r in range(len(neuron.states), len(plan.rows)):
            if not any(e.release in (r, r - 1) for e in plan.edges if e.release >= 0):
                stacked = stacked.at[r].set(jnp.where(spiked, 0, stacked[r]))
    return stacked


def module(plan: Plan) -> Any:
    """The network as a brainstate module: `update(drive, key, current)` is one step and returns who spiked."""
    from bestiary.brains._engine import brainevent, brainstate, jax, jnp

    network, neuron, n = plan.network, plan.network.neuron, plan.n
    kind = plan.dtype
    constants = {k: jnp.asarray(v) for k, v in plan.constants.items()}
    plastic = [q for q, e in enumerate(plan.edges) if e.release >= 0]
    held_back = "synapse" in neuron.frozen
    refractory = jnp.asarray(plan.refractory)
    slots = plan.ring + 1  # one more than needed: written and read slots differ, so XLA updates in place
    p_row, p_at = (jnp.asarray(x) for x in np.divmod(plan.drive[0], n))
    p_w, p_hash = jnp.asarray(plan.drive[1]), jnp.asarray(plan.drive[2])
    events = _by_step(plan)

    def operators(e: Any) -> list[tuple[int, Any]]:
        many = len(e.delays)
        made = []
        for d, delay in enumerate(e.delays.tolist()):
            if many == 1:
                ptr, idx, w = e.ptr, e.idx, e.w
            else:
                size = np.diff(e.ptr).reshape(n, many)[:, d]
                ptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int32)
                keep = np.repeat(np.arange(n * many) % many == d, np.diff(e.ptr))
                idx, w = e.idx[keep], e.w[keep]
            if len(idx):
                csr = brainevent.CSR((jnp.asarray(w), jnp.asarray(idx), jnp.asarray(ptr)), shape=(n, n))
                brainevent.BinaryArray(jnp.zeros(n, bool)) @ csr  # makes its workspace outside of traces
                made.append((delay, csr))
        return made

    wires = [operators(e) for e in plan.edges]
    dense_gap = None
    if plan.gap is not None:
        idx, w = (jnp.asarray(x) for x in plan.gap[1:])
        owner = jnp.asarray(np.repeat(np.arange(n, dtype=np.int32), np.diff(plan.gap[0])))
        dense_gap = (idx, w, owner, jax.ops.segment_sum(w, owner, n))

    call = called(plan, constants)

    class Spiking(brainstate.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.F = brainstate.HiddenState(jnp.asarray(plan.first))
            self.k = brainstate.ShortTermState(jnp.zeros((), jnp.int32))
            self.until = brainstate.ShortTermState(jnp.zeros(n, jnp.int32))
            self.last = brainstate.ShortTermState(jnp.full(n, -(2**28), jnp.int32))
            self.ring = brainstate.ShortTermState(jnp.zeros((slots, n), bool))
            self.share = brainstate.ShortTermState(jnp.zeros((max(1, len(plastic)), slots, n), kind))

        def update(self, drive: Any, key: Any, current: Any) -> Any:
            k: Any = self.k.value
            until: Any = self.until.value
            F: Any = self.F.value
            ring: Any = self.ring.value
            share: Any = self.share.value
            last: Any = self.last.value
            ok = until <= k
            # 1. synapses, then neurons
            i: Any = current
            g: Any = jnp.zeros((), kind)
            if dense_gap is not None:
                idx, w, owner, along = dense_gap
                i = i + jax.ops.segment_sum(w * F[0][idx], owner, n)
                i, g = (i, along) if neuron.conductance else (i - along * F[0], g)
            if neuron.graded:
                for wire in wires:
                    for _, csr in wire:
                        i = i + F[plan.rows.index("r")] @ csr
            new = cells(plan, call, F, ok, i, g)
            # 2. who spikes
            if neuron.graded:
                spiked = jnp.zeros(n, bool)
            else:
                spiked = ok & call(neuron.spikes, "n", {s: new[s] for s in neuron.states})
            until = jnp.where(spiked, k + refractory, until)
            ok = until <= k
            ring = ring.at[k % slots].set(spiked)
            for m, q in enumerate(plastic):
                r = plan.edges[q].release
                u, free = F[r], F[r + 1]
                elapsed = (k - last).astype(kind)
                released, u1, free1 = call(
                    network.projections[q].synapse.release, f"p{q}", {"u": u, "free": free, "elapsed": elapsed}
                )
                new[plan.rows[r]] = jnp.where(spiked, u1, u)
                new[plan.rows[r + 1]] = jnp.where(spiked, free1, free)
                share = share.at[m, k % slots].set(jnp.where(spiked, released, 0))
            self.last.value = jnp.where(spiked, k, last)
            # 3. arrivals
            if not neuron.graded:
                for q, (wire, e) in enumerate(zip(wires, plan.edges, strict=True)):
                    name = plan.rows[e.target]
                    lost = held_back if e.target else "v" in neuron.frozen
                    for delay, csr in wire:
                        at = (k - delay) % slots
                        if q in plastic:
                            here = share[plastic.index(q), at] @ csr
                        else:
                            here = brainevent.BinaryArray(ring[at]) @ csr
                        new[name] = new[name] + (jnp.where(ok, here, 0) if lost else here)
            stacked = jnp.stack([new[name] for name in plan.rows])
            still = jnp.asarray([("v" in neuron.frozen) if r == 0 else held_back for r in range(len(plan.rows))])

            def arrive(stacked: Any, row: Any, at: Any, much: Any) -> Any:
                return stacked.at[row, at].add(jnp.where(ok[at] | ~still[row], much, 0))

            if len(plan.drive[0]):
                mixed = mix(k.astype(jnp.uint32) ^ key)
                stacked = arrive(stacked, p_row, p_at, jnp.where(mix(p_hash ^ mixed) < drive, p_w, 0))
            if events is not None:
                first, row, place, much, most = events
                event: Any = first[jnp.minimum(k, len(first) - 1)] + jnp.arange(most)
                use = (event < first[jnp.minimum(k + 1, len(first) - 1)]) & (k + 1 < len(first))
                event = jnp.minimum(event, len(row) - 1)
                stacked = arrive(stacked, row[event], place[event], jnp.where(use, much[event], 0))
            # 4. resets
            if not neuron.graded:
                stacked = resets(plan, call, stacked, spiked)
            self.F.value, self.k.value, self.until.value = stacked, k + 1, until
            self.ring.value, self.share.value = ring, share
            return spiked

    return Spiking()


def _by_step(plan: Plan) -> Any:
    """Recorded input as (first event of each step, row, neuron, weight, most in one step); None without."""
    from bestiary.brains._engine import jnp

    step, flat, weight = plan.events
    if not len(step):
        return None
    count = np.bincount(step)
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    row, at = np.divmod(flat, plan.n)
    return jnp.asarray(first), jnp.asarray(row), jnp.asarray(at), jnp.asarray(weight), int(count.max())


class Portable:
    """A plan ready to run on whatever device JAX uses."""

    def __init__(self, plan: Plan, record: Array, trace: Array) -> None:
        from bestiary.brains._engine import functional, jax, jnp

        self.plan, self.record, self.trace = plan, record, trace
        self._jax, self._jnp = jax, jnp
        with self._precision():
            self._no_current = jnp.zeros(plan.n, plan.dtype)
            example = (jnp.asarray(plan.thresholds()), jnp.uint32(0), self._no_current)
            self._first, pure = functional(module(plan), *example)
            rec, row, at = jnp.asarray(record), *(jnp.asarray(x) for x in np.divmod(trace, plan.n))

            def chunk(state: Any, drive: Any, key: Any, current: Any, steps: int) -> Any:
                def one(s: Any, _: Any) -> Any:
                    k = s["k"]
                    s = pure(s, drive, key, current)
                    return s, (s["ring"][k % (plan.ring + 1)][rec], s["F"][row, at])

                return jax.lax.scan(one, state, None, length=steps)

            self._chunk = jax.jit(chunk, static_argnums=4)
            self._batch = jax.jit(jax.vmap(chunk, in_axes=(0, None, 0, None, None)), static_argnums=4)

    def _precision(self) -> Any:
        from bestiary.brains._engine import precision

        return precision(self.plan.dtype == np.float64)

    def init(self) -> dict[str, Any]:
        """The state at rest, at step 0."""
        return dict(self._first)

    def advance(
        self, state: dict[str, Any], steps: int, key: int, drive: Array, current: Array | None
    ) -> tuple[dict[str, Any], Array, Array]:
        """As Fused.advance."""
        with self._precision():
            given = self._no_current if current is None else self._jnp.asarray(current)
            state, (spiked, trace) = self._chunk(state, drive, np.uint32(key), given, steps)
            step, which = np.nonzero(np.asarray(spiked))
        step = step + int(state["k"]) - steps
        return state, np.stack([step, self.record[which]], 1).astype(np.int32), np.asarray(trace)

    def batch(self, keys: Array, drive: Array, steps: int) -> list[Array]:
        """Spikes (m, 2) of each of many trials from rest, in one vmapped run."""
        with self._precision():
            state = {k: self._jnp.broadcast_to(v, (len(keys), *v.shape)) for k, v in self._first.items()}
            _, (spiked, _) = self._batch(state, drive, self._jnp.asarray(keys, np.uint32), self._no_current, steps)
            spiked = np.asarray(spiked)
        found = [np.nonzero(s) for s in spiked]
        return [np.stack([s, self.record[w]], 1).astype(np.int32) for s, w in found]
