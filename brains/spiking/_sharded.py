"""The portable equations with the neurons spread over many devices: each owns a block of targets and their inputs.

Spikes travel packed, a bit a neuron, and are gathered by all once per shortest delay between shards; edges that are
quicker than that lie within a shard, by the choice of that period. Blocks are contiguous in the order of the
connectome, so a target adds up its inputs in one order whatever the number of shards: 1 and 8 give the same spikes.

Arrivals are event-driven while few neurons fire (their edges are listed and added up), else all edges are passed over;
on a CPU both add in the same order. Where several processes share the mesh (`jax.distributed`), each calls the same
methods with the same arguments, and each gets all spikes.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from bestiary.brains.spiking._describe import Array
from bestiary.brains.spiking._portable import called, cells, mix, resets
from bestiary.brains.spiking.network import Edges, Plan
from bestiary.errors import BestiaryError

AXIS = "neurons"
_WORD = 32
_MOST_STEPS = 32  # between two exchanges
_EDGES_A_NEURON = 50  # what a neuron's own step costs, in edges: for blocks of equal work


def mesh_of(shards: int | None, devices: Any = None) -> Any:
    """The first `shards` of JAX's devices, of all processes (None: all), as a mesh. Raises BestiaryError."""
    from bestiary.brains._engine import jax

    found = list(jax.devices() if devices is None else devices)
    if shards is None:
        shards = len(found)
    if not 1 <= shards <= len(found):
        raise BestiaryError(
            f"shards must be 1 to {len(found)}, the devices that JAX has here, got {shards}; on a CPU "
            f"XLA_FLAGS=--xla_force_host_platform_device_count={shards}, set before JAX starts, makes more"
        )
    return jax.sharding.Mesh(np.array(found[:shards]), (AXIS,))


class Sharded:
    """A plan ready to run on the devices of a mesh. `init` and `advance` are those of `_portable.Portable`."""

    def __init__(self, plan: Plan, record: Array, trace: Array, shards: int | None = None, mesh: Any = None) -> None:
        from bestiary.brains._engine import jax

        network = plan.network
        for bad, what in (
            (network.neuron.graded, "graded units"),
            (plan.gap is not None, "gap junctions"),
            (any(e.release >= 0 for e in plan.edges), "short-term plasticity"),
        ):
            if bad:
                raise BestiaryError(f"{what} need more than spikes from other shards: leave out shards=")
        self.plan, self.record, self.trace = plan, record, trace
        self._jax, self.mesh = jax, mesh if mesh is not None else mesh_of(shards)
        self.shards = int(self.mesh.devices.size)
        self.cuts = _cuts(plan, self.shards)
        self.width = max(_WORD, -(-int(np.diff(self.cuts).max()) // _WORD) * _WORD)  # neurons a shard, padded
        owner = np.repeat(np.arange(self.shards), np.diff(self.cuts))
        self.place = owner * self.width + np.arange(plan.n) - self.cuts[owner]  # of each neuron in padded rows
        with self._precision():
            self._build(owner)

    def _precision(self) -> Any:
        from bestiary.brains._engine import precision

        return precision(self.plan.dtype == np.float64)

    def _build(self, owner: Array) -> None:
        from bestiary.brains._engine import jnp

        jax, plan, shards, width = self._jax, self.plan, self.shards, self.width
        P = jax.sharding.PartitionSpec
        wires, self.every = self._wires(owner)
        self.slots, self.near_slots = (
            1 + max((int(delays[-1]) for _, delays, near, _ in wires if near is within), default=0)
            for within in (False, True)
        )
        parts: dict[str, Array] = {f"wire{m}_{k}": v for m, wire in enumerate(wires) for k, v in wire[3].items()}
        common: dict[str, Array] = {}
        for name, value in plan.constants.items():
            if value.ndim:
                parts[f"c_{name}"] = self._padded(value)
            else:
                common[f"c_{name}"] = value
        parts["refractory"] = self._padded(plan.refractory)
        parts["alive"] = np.arange(width) < np.diff(self.cuts)[:, None]
        row, at = np.divmod(plan.drive[0], plan.n)
        parts |= _lists(owner[at], shards, width, at=at - self.cuts[owner[at]], row=row, which=np.arange(len(at)),
                        weight=plan.drive[1], hashes=plan.drive[2])  # fmt: skip
        t_row, t_at = np.divmod(self.trace, plan.n)
        t_place = self.place[t_at]
        events = self._events()
        self._parts = {k: self._put(v, P(AXIS)) for k, v in parts.items()}
        self._common = {k: self._put(v, P()) for k, v in common.items()}
        self._spec = {"F": P(None, AXIS), "until": P(AXIS), "near": P(None, AXIS), "ring": P(), "k": P()}
        neuron, held_back = plan.network.neuron, "synapse" in plan.network.neuron.frozen
        still = np.array([("v" in neuron.frozen) if r == 0 else held_back for r in range(len(plan.rows))])
        targets = [plan.edges[q].target for q, *_ in wires]

        def step(carry: Any, part: Any, common: Any, drive: Any, key: Any, current: Any, ring: Any, me: Any) -> Any:
            F, until, near, k = carry
            constants = {n[2:]: v for n, v in (common | part).items() if n.startswith("c_")}
            call = called(plan, constants)
            ok = until <= k
            new = cells(plan, call, F, ok, current, jnp.zeros((), plan.dtype))
            spiked = ok & part["alive"] & call(neuron.spikes, "n", {s: new[s] for s in neuron.states})
            until = jnp.where(spiked, k + part["refractory"], until)
            ok = until <= k
            near = near.at[k % self.near_slots].set(spiked)
            for m, (_, delays, is_near, _) in enumerate(wires):
                name = plan.rows[targets[m]]
                lost = held_back if targets[m] else "v" in neuron.frozen
                then = k - jnp.asarray(delays)
                sent = near[then % self.near_slots].ravel() if is_near else _unpacked(ring[then % self.slots])
                ptr, idx, w = (part[f"wire{m}_{x}"] for x in ("ptr", "idx", "w"))
                new[name] = _arrived(new[name], sent, ptr, idx, w, ok | (not lost))
            stacked = jnp.stack([new[name] for name in plan.rows])
            wet = jnp.concatenate([ok, jnp.zeros(1, bool)])  # place `width` takes what is not of this shard

            def arrive(stacked: Any, row: Any, at: Any, much: Any) -> Any:
                return stacked.at[row, at].add(jnp.where(wet[at] | ~jnp.asarray(still)[row], much, 0), mode="drop")

            if len(plan.drive[0]):
                hit = mix(part["hashes"] ^ mix(k.astype(jnp.uint32) ^ key)) < drive[part["which"]]
                stacked = arrive(stacked, part["row"], part["at"], jnp.where(hit, part["weight"], 0))
            if events is not None:
                first, rows, places, much = (jnp.asarray(x) for x in events[:4])
                event = first[jnp.minimum(k, len(first) - 1)] + jnp.arange(events[4])
                use = (event < first[jnp.minimum(k + 1, len(first) - 1)]) & (k + 1 < len(first))
                event = jnp.minimum(event, len(rows) - 1)
                mine = use & (places[event] // width == me)
                at = jnp.where(mine, places[event] % width, width)
                stacked = arrive(stacked, rows[event], at, jnp.where(mine, much[event], 0))
            stacked = resets(plan, call, stacked, spiked)
            mine = t_place // width == me
            seen = jnp.where(mine, stacked[t_row, jnp.where(mine, t_place % width, 0)], 0)
            return (stacked, until, near, k + 1), (_packed(spiked), seen)

        def chunk(state: Any, part: Any, common: Any, drive: Any, key: Any, current: Any, steps: int) -> Any:
            part = {k: v[0] for k, v in part.items()}
            me = jax.lax.axis_index(AXIS)

            def window(state: Any, length: int) -> Any:
                ring, k = state["ring"], state["k"]
                carry = tuple(state[n] for n in ("F", "until", "near", "k"))
                carry, (words, seen) = jax.lax.scan(
                    lambda c, _: step(c, part, common, drive, key, current, ring, me), carry, None, length=length
                )
                words = jax.lax.all_gather(words, AXIS, axis=1, tiled=True)
                seen = jax.lax.psum(seen, AXIS)
                kept = min(length, self.slots)
                slots = (k + length - kept + jnp.arange(kept)) % self.slots
                ring = ring.at[slots].set(words[length - kept :])
                new = dict(zip(("F", "until", "near", "k"), carry, strict=True)) | {"ring": ring}
                return new, (words, seen)

            whole, rest = divmod(steps, self.every)
            out = []
            if whole:
                state, (words, seen) = jax.lax.scan(lambda s, _: window(s, self.every), state, None, length=whole)
                out.append((words.reshape(whole * self.every, -1), seen.reshape(whole * self.every, -1)))
            if rest:
                state, got = window(state, rest)
                out.append(got)
            return state, *(jnp.concatenate(x) for x in zip(*out, strict=True))

        def run(state: Any, part: Any, common: Any, drive: Any, key: Any, current: Any, steps: int) -> Any:
            return jax.shard_map(
                functools.partial(chunk, steps=steps),
                mesh=self.mesh,
                in_specs=(self._spec, P(AXIS), P(), P(), P(), P(AXIS)),
                out_specs=(self._spec, P(), P()),
                check_vma=False,
            )(state, part, common, drive, key, current)

        self._run = jax.jit(run, static_argnums=6)
        self._finite = jax.jit(
            lambda F: jnp.isfinite(F).all(), out_shardings=jax.sharding.NamedSharding(self.mesh, P())
        )

    def _put(self, value: Any, spec: Any) -> Any:
        """An array over the mesh; each process makes its own part."""
        value = np.asarray(value)
        sharding = self._jax.sharding.NamedSharding(self.mesh, spec)
        return self._jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])

    def _padded(self, value: Array, fill: float = 0) -> Array:
        """(n,) as (shards, width); what is over repeats the last neuron."""
        out = np.empty((self.shards, self.width), value.dtype)
        for s, (a, b) in enumerate(zip(self.cuts[:-1], self.cuts[1:], strict=True)):
            out[s, : b - a], out[s, b - a :] = value[a:b], value[max(b - 1, 0)]
        return out

    def _wires(self, owner: Array) -> tuple[list[tuple[int, Array, bool, dict[str, Array]]], int]:
        """((projection, delays in steps, within shards, CSR of each shard), steps between two exchanges).

        A row of the CSR is a delay and a source. Shorter delays come first, so that sums have one order.
        """
        found = [_edges(e) for e in self.plan.edges]
        between = [d[owner[pre] != owner[post]].min(initial=_MOST_STEPS) for pre, post, _, d in found]
        every = int(min([*between, _MOST_STEPS]))
        if every < 1:
            raise BestiaryError("edges between shards have a delay of 0 steps; give them a step or more, or one shard")
        out = []
        for q, (pre, post, w, d) in enumerate(found):
            for near in (True, False):
                mine = np.flatnonzero((d < every) == near)
                if not len(mine):
                    continue
                delays, which = np.unique(d[mine], return_inverse=True)
                of, source = owner[post[mine]], pre[mine]
                source = source - self.cuts[of] if near else self.place[source]
                sources = self.width if near else self.shards * self.width
                target = post[mine] - self.cuts[of]
                csr = _csr(
                    of, which * sources + source, target, w[mine], self.shards, self.width, len(delays) * sources
                )
                out.append((q, delays.astype(np.int32), near, csr))
        return out, every

    def _events(self) -> Any:
        from bestiary.brains.spiking._portable import _by_step

        events = _by_step(self.plan)
        if events is None:
            return None
        first, row, at, much, most = events
        return *(np.asarray(x) for x in (first, row)), self.place[np.asarray(at)], np.asarray(much), most

    def init(self) -> dict[str, Any]:
        """The state at rest, at step 0."""
        plan, total = self.plan, self.shards * self.width
        first = np.stack([self._padded(row).ravel() for row in plan.first])
        state = {
            "F": first,
            "until": np.zeros(total, np.int32),
            "near": np.zeros((self.near_slots, total), bool),
            "ring": np.zeros((self.slots, total // _WORD), np.uint32),
            "k": np.zeros((), np.int32),
        }
        with self._precision():
            return {name: self._put(value, self._spec[name]) for name, value in state.items()}

    def advance(
        self, state: dict[str, Any], steps: int, key: int, drive: Array, current: Array | None
    ) -> tuple[dict[str, Any], Array, Array]:
        """As Fused.advance."""
        P = self._jax.sharding.PartitionSpec
        if steps == 0:
            return state, np.empty((0, 2), np.int32), np.empty((0, len(self.trace)), self.plan.dtype)
        given = np.zeros(self.plan.n, self.plan.dtype) if current is None else current
        with self._precision():
            state = {
                name: self._put(v, self._spec[name]) if isinstance(v, np.ndarray) else v for name, v in state.items()
            }
            inputs = (
                self._put(drive, P()),
                self._put(np.uint32(key), P()),
                self._put(self._padded(given).ravel(), P(AXIS)),
            )
            state, words, trace = self._run(state, self._parts, self._common, *inputs, steps)
            words, trace, end = np.asarray(words), np.asarray(trace), int(np.asarray(state["k"]))
        bits = np.unpackbits(words.astype("<u4").view(np.uint8), axis=1, bitorder="little")
        step, which = np.nonzero(bits[:, self.place[self.record]])
        return state, np.stack([step + end - steps, self.record[which]], 1).astype(np.int32), trace

    def finite(self, state: dict[str, Any]) -> bool:
        """Whether all of the state is, on whatever devices and processes it lies."""
        return bool(np.asarray(self._finite(state["F"])))


def _cuts(plan: Plan, shards: int) -> Array:
    """(shards + 1,) first neuron of each block, of about equal work."""
    work = np.full(plan.n, float(_EDGES_A_NEURON))
    for e in plan.edges:
        work += np.bincount(e.idx, minlength=plan.n)
    total = np.cumsum(work)
    inner = np.searchsorted(total, total[-1] * np.arange(1, shards) / shards) + 1
    return np.concatenate([[0], np.minimum(inner, plan.n), [plan.n]])


def _edges(e: Edges) -> tuple[Array, Array, Array, Array]:
    """(pre, post, weight, delay in steps) of a projection."""
    row = np.repeat(np.arange(len(e.ptr) - 1), np.diff(e.ptr))
    pre, which = np.divmod(row, len(e.delays))
    return pre, e.idx, e.w, e.delays[which]


def _csr(owner: Array, row: Array, target: Array, w: Array, shards: int, width: int, rows: int) -> dict[str, Array]:
    """ptr, idx, w of every shard (shards, ...); padded with edges to place `width`, which is none."""
    most = max(1, int(np.bincount(owner, minlength=shards).max()))
    ptr = np.zeros((shards, rows + 1), np.int32)
    idx, weight = np.full((shards, most), width, np.int32), np.zeros((shards, most), w.dtype)
    for s in range(shards):
        mine = np.flatnonzero(owner == s)
        mine = mine[np.argsort(row[mine], kind="stable")]
        ptr[s, 1:] = np.cumsum(np.bincount(row[mine], minlength=rows))
        idx[s, : len(mine)], weight[s, : len(mine)] = target[mine], w[mine]
    return {"ptr": ptr, "idx": idx, "w": weight}


def _lists(owner: Array, shards: int, width: int, **columns: Array) -> dict[str, Array]:
    """Columns of a list as (shards, most), each shard's own; padded with place `width`."""
    most = max(1, int(np.bincount(owner, minlength=shards).max(initial=0)))
    out = {name: np.zeros((shards, most), values.dtype) for name, values in columns.items()}
    out["at"][:] = width
    for s in range(shards):
        mine = np.flatnonzero(owner == s)
        for name, values in columns.items():
            out[name][s, : len(mine)] = values[mine]
    return out


def _packed(spiked: Any) -> Any:
    """(n,) bool as (n / 32,) uint32."""
    from bestiary.brains._engine import jnp

    bits = spiked.reshape(-1, _WORD).astype(jnp.uint32) << jnp.arange(_WORD, dtype=jnp.uint32)
    return bits.sum(1, dtype=jnp.uint32)


def _unpacked(words: Any) -> Any:
    from bestiary.brains._engine import jnp

    return ((words[..., None] >> jnp.arange(_WORD, dtype=jnp.uint32)) & 1).astype(bool).reshape(-1)


def _arrived(x: Any, sent: Any, ptr: Any, idx: Any, w: Any, takes: Any) -> Any:
    """x (n,) after the spikes of `sent` (rows,), added one by one in the order of the edges where `takes` (n,)."""
    from bestiary.brains._engine import jax, jnp

    rows, edges, n = len(ptr) - 1, len(idx), len(x)
    few, most = min(rows, max(64, n // 2)), min(edges, max(256, edges // 8))
    count = ptr[1:] - ptr[:-1]
    events = jnp.where(sent, count, 0).sum()
    takes = jnp.concatenate([takes, jnp.zeros(1, bool)])

    def add(use: Any, target: Any, much: Any) -> Any:
        return x.at[jnp.where(use & takes[target], target, n)].add(much, mode="drop")

    def listed() -> Any:
        row = jnp.nonzero(sent, size=few, fill_value=rows)[0]
        size = jnp.concatenate([count, jnp.zeros(1, count.dtype)])[row]
        end, number = jnp.cumsum(size), jnp.arange(most)
        which = jnp.minimum(jnp.searchsorted(end, number, side="right"), few - 1)
        use = number < end[-1]
        edge = jnp.where(use, ptr[row[which]] + number - (end - size)[which], 0)
        return add(use, idx[edge], w[edge])

    def passed() -> Any:
        of = jnp.repeat(jnp.arange(rows), count, total_repeat_length=edges)
        return add(sent[of] & (jnp.arange(edges) < ptr[-1]), idx, w)

    return jax.lax.switch(
        jnp.where(events == 0, 0, jnp.where((events <= most) & (sent.sum() <= few), 1, 2)), (lambda: x, listed, passed)
    )
