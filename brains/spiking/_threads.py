"""The fused kernel on several cores: neurons are split by number, each thread owns the synapses onto its own.

What a neuron sends arrives at least one delay later, so the parts need not meet more often: each runs a window of the
shortest delay alone, then the spikes of all are merged in the order of neurons. Results are those of one thread,
bit for bit. The kernel is called directly, on NumPy arrays, and lets go of Python's lock.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse

from bestiary.brains.spiking._describe import Array
from bestiary.brains.spiking._fused import compiled, packed
from bestiary.brains.spiking.network import Edges, Plan, _aligned
from bestiary.errors import BestiaryError


@dataclass(frozen=True, eq=False)
class _Part:
    """Neurons first ... stop - 1: plan, arguments of the kernel, and which of all drives and traces are theirs."""

    first: int
    stop: int
    plan: Plan
    constants: Array
    meta: Array
    after: tuple[Array, ...]
    drives: Array
    traces: Array
    out: Array


class Threads:
    """A plan on `threads` cores. State: lists of `F` and `I` of each part (NumPy)."""

    def __init__(self, plan: Plan, record: Array, trace: Array, threads: int) -> None:
        self.window = min((int(e.delays.min()) for e in plan.edges), default=plan.ring)
        if plan.gap is not None or plan.network.neuron.graded or any(e.release >= 0 for e in plan.edges):
            raise BestiaryError("several threads need spiking neurons without gap junctions and short-term plasticity")
        if self.window < 1:
            raise BestiaryError("several threads need delays of at least one step")
        self.plan = plan
        inputs = sum(np.bincount(e.idx, minlength=plan.n) for e in plan.edges) + np.zeros(plan.n)
        load = np.cumsum(inputs + inputs.mean() + 1)
        cuts = [0, *np.searchsorted(load, load[-1] * np.arange(1, threads) / threads).tolist(), plan.n]
        self.parts = [_part(plan, a, b, record, trace, self.window) for a, b in pairwise(cuts) if b > a]
        self.kernel = compiled(plan)
        self.pool = ThreadPoolExecutor(len(self.parts))

    def init(self) -> dict[str, Any]:
        """The state at rest, at step 0."""
        size = [4 + 2 * self.plan.ring + p.plan.n + self.plan.room for p in self.parts]
        return {"F": [p.plan.first.copy() for p in self.parts], "I": [np.zeros(s, np.int32) for s in size]}

    def advance(
        self, state: dict[str, Any], steps: int, key: int, drive: Array, current: Array | None
    ) -> tuple[dict[str, Any], Array, Array]:
        """As Fused.advance."""
        spikes, traces, left = [], [], steps
        drives = [np.ascontiguousarray(drive[p.drives]) for p in self.parts]
        currents = [() if current is None else (current[p.first : p.stop],) for p in self.parts]
        while left:
            n = min(left, self.window)
            ctl = np.array([n, key], np.uint32).view(np.int32)
            trace = [np.empty((n, len(p.traces)), self.plan.dtype) for p in self.parts]
            head = [int(i[1]) for i in state["I"]]

            def run(m: int, ctl: Array = ctl, trace: list[Array] = trace) -> None:
                p, f, i = self.parts[m], state["F"][m], state["I"][m]
                self.kernel(f, i, p.constants, p.meta, ctl, drives[m], *currents[m], *p.after, f, i, p.out, trace[m])

            list(self.pool.map(run, range(len(self.parts))))
            spikes.append(self._merge(state, head[0], n))
            row = np.empty((n, sum(len(p.traces) for p in self.parts)), self.plan.dtype)
            for p, t in zip(self.parts, trace, strict=True):
                row[:, p.traces] = t
            traces.append(row)
            left -= n
        empty = np.empty((0, 2), np.int32)
        return state, np.concatenate([empty, *spikes]), np.concatenate([*traces]) if traces else np.empty((0, 0))

    def _merge(self, state: dict[str, Any], head: int, n: int) -> Array:
        """Puts the spikes of all parts into the ring of each; gives the recorded ones."""
        slots, cap = self.plan.ring, self.plan.room
        now = int(state["I"][0][0])
        slot = np.arange(now - n, now) % slots
        found, steps = [], []
        for p, i in zip(self.parts, state["I"], strict=True):
            count = i[4 + slots : 4 + 2 * slots][slot]
            ring = i[4 + 2 * slots + p.plan.n :]
            found.append(ring[(head + np.arange(count.sum())) % cap].copy())
            steps.append(np.repeat(np.arange(n), count))
        step = np.concatenate(steps)
        order = np.argsort(step, kind="stable")  # parts are in the order of neurons
        who, step = np.concatenate(found)[order], step[order]
        count = np.bincount(step, minlength=n)
        start = (head + np.concatenate([[0], np.cumsum(count)])) % cap
        for p, i in zip(self.parts, state["I"], strict=True):
            i[4 : 4 + slots][slot] = start[:-1]
            i[4 + slots : 4 + 2 * slots][slot] = count
            i[4 + 2 * slots + p.plan.n :][(head + np.arange(len(who))) % cap] = who
            i[1] = start[-1]
        out = [p.out[2 : 2 + 2 * p.out[1]].reshape(-1, 2) for p in self.parts]
        events = np.concatenate(out)
        return events[np.argsort(events[:, 0], kind="stable")]


def _part(plan: Plan, first: int, stop: int, record: Array, trace: Array, window: int) -> _Part:
    """Neurons first ... stop - 1 with the synapses onto them. Presynaptic rows and the ring keep the numbers of all."""
    size, n = stop - first, plan.n

    def own(flat: Array) -> tuple[Array, Array]:
        row, at = np.divmod(flat, n)
        mine = np.flatnonzero((at >= first) & (at < stop))
        return mine, (row[mine] * size + at[mine] - first).astype(np.int32)

    edges = []
    for e in plan.edges:
        whole = scipy.sparse.csr_array((e.w, e.idx, e.ptr), shape=(len(e.ptr) - 1, n))
        local = whole[:, first:stop]
        local.sort_indices()
        ptr, idx, w = (
            _aligned(local.indptr, np.int32),
            _aligned(local.indices, np.int32),
            _aligned(local.data, plan.dtype),
        )
        edges.append(Edges(ptr, idx, w, e.delays, e.target, e.release))
    drives, flat = own(plan.drive[0])
    mine, at = own(plan.events[1])
    traces, trace_at = own(trace)
    here = replace(
        plan,
        n=size,
        constants={k: v[first:stop] if v.ndim else v for k, v in plan.constants.items()},
        first=np.ascontiguousarray(plan.first[:, first:stop]),
        refractory=plan.refractory[first:stop],
        edges=tuple(edges),
        drive=(flat, plan.drive[1][drives], plan.drive[2][drives]),
        events=(plan.events[0][mine], at, plan.events[2][mine]),
    )
    recorded = record[(record >= first) & (record < stop)] - first
    constants, meta = packed(here, recorded, trace_at, offset=first)
    # the kernel's form follows the whole plan: a part without recorded input still takes the (empty) arrays
    after: tuple[Array, ...] = (np.stack(here.events[:2]), here.events[2]) if len(plan.events[0]) else ()
    for e in edges:
        after += (e.ptr, e.idx, e.w)
    out = np.zeros(2 + 2 * len(recorded) * (window + 1), np.int32)
    return _Part(first, stop, here, constants, meta, after, drives, traces, out)
