"""A spiking network described: who is wired to whom, by which equations, with which inputs. Nothing here computes.

`Network.plan` turns the description into plain arrays, the one form that both back ends take.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse

from bestiary.brains.connectome import Connectome
from bestiary.brains.connectome._core import UNDIRECTED, Query
from bestiary.brains.spiking._describe import Array, Neuron, Synapse, Value, in_steps
from bestiary.brains.spiking.synapses import Exponential
from bestiary.errors import BestiaryError


@dataclass(frozen=True)
class Projection:
    """Edges of the connectome through one synapse model.

    weight: what one unit of connectome weight does, in the unit of the synapse. edges: "all" (times their sign),
    "excitatory" or "inhibitory" (sign > 0 or < 0, weight positive: for conductances), or a kind of edge ("chemical").
    """

    synapse: Synapse = field(default_factory=Exponential)
    weight: float = 1.0
    edges: str = "all"


@dataclass(frozen=True)
class Poisson:
    """Independent Poisson spikes onto each of `neurons`: at most one a step, with probability rate_Hz dt.

    weight: added to the state that `onto` names, "v" (mV) or the number of a projection. refractory: False takes the
    refractory time from the driven cells, as Shiu et al. 2024 do.
    """

    neurons: Query
    rate_Hz: Value = 100.0
    weight: float = 1.0
    onto: str | int = "v"
    refractory: bool = True


@dataclass(frozen=True)
class SpikeTrains:
    """Recorded spikes as input: spike m comes at time_s[m] onto neurons[which[m]]. weight, onto: as in Poisson."""

    neurons: Query
    time_s: Array
    which: Array
    weight: float = 1.0
    onto: str | int = "v"


@dataclass(frozen=True, eq=False)
class Network:
    """A connectome with dynamics. dt_s: step.

    delay_s: of every edge; None takes each edge's own. round_delays: allow delays that are no whole number of steps.
    gap_nS: conductance of one unit of weight of the gap kinds; 0 leaves them out. current: reserve an input current
    for every neuron, set at each `step`. initial: state names to (n,) or one value, in place of the resting state
    ("v" counts from the model's zero_mV).
    Raises BestiaryError where parts do not fit together.
    """

    connectome: Connectome
    neuron: Neuron
    projections: tuple[Projection, ...]
    dt_s: float = 1e-4
    delay_s: float | None = None
    round_delays: bool = False
    gap_nS: float = 0.0
    current: bool = False
    inputs: tuple[Poisson | SpikeTrains, ...] = ()
    initial: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.dt_s > 0:
            raise BestiaryError(f"dt_s must be positive, got {self.dt_s}")
        for p in self.projections:
            if p.synapse.conductance and not self.neuron.conductance:
                raise BestiaryError(
                    f"{type(self.neuron).__name__} takes currents, {type(p.synapse).__name__} gives a conductance; "
                    "leave reversal_mV out or take a neuron with conductances (lif_conductance, adex, ...)"
                )
            if p.synapse.conductance and p.edges not in ("excitatory", "inhibitory") and self._signs(p) < 0:
                raise BestiaryError(
                    f"a conductance cannot be negative: split the edges of {type(p.synapse).__name__} into "
                    "edges='excitatory' and edges='inhibitory'"
                )

    def _signs(self, p: Projection) -> int:
        return int(self.connectome.sign.min(initial=1)) if p.edges == "all" else 1

    def plan(self, dtype: Any = np.float32) -> Plan:
        """The description as arrays of `dtype`."""
        n, neuron = len(self.connectome), self.neuron
        rows = list(neuron.states)
        constants = {f"n_{k}": v for k, v in neuron.constants(self.dt_s).items()}
        targets, releases = [], []
        for q, p in enumerate(self.projections):
            targets.append(len(rows) if p.synapse.states else 0)
            rows += [f"p{q}_{s}" for s in p.synapse.states]
            made = p.synapse.constants(self.dt_s, neuron.membrane_tau_s)
            constants |= {f"p{q}_{k}": v for k, v in made.items()}
        for q, p in enumerate(self.projections):
            releases.append(len(rows) if p.synapse.release_states else -1)
            rows += [f"p{q}_{s}" for s in p.synapse.release_states]
        first = np.zeros((len(rows), n), dtype)
        start = {**neuron.initial(), **self.initial}
        for name, value in start.items():
            if name not in rows:
                raise BestiaryError(f"no state {name!r} to begin from; states there are: {', '.join(rows)}")
            first[rows.index(name)] = value
        for q in range(len(self.projections)):
            if releases[q] >= 0:
                first[releases[q] + 1] = 1  # all resources free
        still = in_steps(neuron.refractory_s, self.dt_s, "refractory time") + (0 if neuron.spike_step_counts else 1)
        refractory = np.broadcast_to(still.astype(np.int32), n).copy()
        flat, weight, hashes, rate, events = self._inputs(targets, refractory)
        edges = [self._edges(p, q, targets[q], releases[q], dtype) for q, p in enumerate(self.projections)]
        ring = 1 + max((int(e.delays.max(initial=0)) for e in edges), default=0)
        return Plan(
            network=self,
            n=n,
            dtype=np.dtype(dtype),
            rows=tuple(rows),
            constants={k: np.asarray(v, dtype) for k, v in constants.items()},
            first=first,
            refractory=refractory,
            edges=tuple(edges),
            gap=self._gap(dtype),
            ring=ring,
            room=int(np.ceil(ring / np.maximum(refractory, 1)).sum()) + 1,
            drive=(flat, weight.astype(dtype), hashes),
            rate_Hz=rate,
            events=(events[0], events[1], events[2].astype(dtype)),
        )

    def _chosen(self, p: Projection, dtype: Any) -> tuple[Array, Array]:
        """(edge mask or slice, signed weight of the edges that p takes)."""
        c = self.connectome
        wired: Any = ~c.kind.mask(*UNDIRECTED)
        if p.edges == "excitatory":
            wired &= c.sign > 0
        elif p.edges == "inhibitory":
            wired &= c.sign < 0
        elif p.edges != "all":
            wired &= c._kind_mask(p.edges)
        if wired.all():
            wired = slice(None)
        w = c.weight[wired].astype(dtype) * np.dtype(dtype).type(p.weight)
        if p.edges not in ("excitatory", "inhibitory"):
            w *= c.sign[wired]
        return wired, w

    def _edges(self, p: Projection, q: int, target: int, release: int, dtype: Any) -> Edges:
        """Rows (neuron, delay) in CSR; equal edges add up."""
        c, n = self.connectome, len(self.connectome)
        at, w = self._chosen(p, dtype)
        pre, post = c.pre[at], c.post[at]
        if self.delay_s is None:
            steps = in_steps(c.delay_s[at], self.dt_s, "delay", round_to_step=self.round_delays)
        else:
            steps = in_steps(self.delay_s, self.dt_s, "delay", round_to_step=self.round_delays)
        if (steps < 0).any():
            raise BestiaryError(
                f"a delay is negative in {int((steps < 0).sum())} edges: a spike cannot arrive before it is sent"
            )
        if steps.ndim == 0:
            delays, row = np.array([steps], np.int32), pre
        else:
            delays, code = np.unique(steps, return_inverse=True)
            row = pre.astype(np.int64) * len(delays) + code
        if not len(delays):
            delays = np.zeros(1, np.int32)
        if n * len(delays) > 2**31 - 1:
            raise BestiaryError(f"{len(delays)} different delays on {n} neurons are too many: round them to fewer")
        csr = scipy.sparse.coo_array((w, (row, post)), shape=(n * len(delays), n)).tocsr()
        csr.sort_indices()
        return Edges(
            ptr=_aligned(csr.indptr, np.int32),
            idx=_aligned(csr.indices, np.int32),
            w=_aligned(csr.data, dtype),
            delays=delays.astype(np.int32),
            target=target,
            release=release,
        )

    def _gap(self, dtype: Any) -> tuple[Array, Array, Array] | None:
        kinds = [k for k in UNDIRECTED if k in self.connectome.kind.values]
        if not self.gap_nS or not kinds:
            return None
        if not self.neuron.conductance and np.ndim(self.neuron.zero_mV):
            raise BestiaryError("gap junctions between neurons of different rest_mV need a conductance-based neuron")
        m = self.connectome.matrix(kinds)
        m.sort_indices()
        return m.indptr.astype(np.int32), m.indices.astype(np.int32), (m.data * self.gap_nS).astype(dtype)

    def _inputs(self, targets: list[int], refractory: Array) -> tuple[Array, Array, Array, Array, tuple[Array, ...]]:
        n, ids = len(self.connectome), self.connectome.ids
        flat, weight, hashes, rate = [], [], [], []
        steps, where, much = [], [], []
        for number, given in enumerate(self.inputs):
            rows = self.connectome.select(given.neurons)
            if given.onto != "v" and not (isinstance(given.onto, int) and 0 <= given.onto < len(targets)):
                raise BestiaryError(f"onto must be 'v' or a projection 0 to {len(targets) - 1}, got {given.onto!r}")
            row = 0 if given.onto == "v" else targets[int(given.onto)]
            if isinstance(given, Poisson):
                if not (np.isfinite(given.rate_Hz) & (np.asarray(given.rate_Hz) >= 0)).all():
                    raise BestiaryError(f"rate_Hz must be finite and not negative, got {given.rate_Hz}")
                flat.append(row * n + rows)
                weight.append(np.full(len(rows), given.weight))
                # the stream belongs to the neuron's id, not to its row: order of neurons does not matter
                hashes.append([zlib.crc32(f"{number} {ids[r]}".encode()) for r in rows])
                rate.append(np.broadcast_to(given.rate_Hz, len(rows)))
                if not given.refractory:
                    refractory[rows] = 0
            else:
                at = in_steps(given.time_s, self.dt_s, "spike time", round_to_step=True)
                steps.append(at)
                where.append(row * n + rows[np.asarray(given.which)])
                much.append(np.full(len(at), given.weight))
        order: Any = np.argsort(np.concatenate(steps), kind="stable") if steps else []
        return (
            _joined(flat, np.int32),
            _joined(weight, np.float64),
            _joined(hashes, np.uint32),
            _joined(rate, np.float64),
            tuple(
                _joined(x, d)[order] if steps else np.empty(0, d)
                for x, d in ((steps, np.int32), (where, np.int32), (much, np.float64))
            ),
        )


@dataclass(frozen=True, eq=False)
class Edges:
    """CSR of a projection: row pre * len(delays) + delay number. target: row of the state that jumps."""

    ptr: Array
    idx: Array
    w: Array
    delays: Array
    target: int
    release: int


@dataclass(frozen=True, eq=False)
class Plan:
    """A network as arrays. rows: names of the float states; first: their values at rest (rows, n)."""

    network: Network
    n: int
    dtype: np.dtype[Any]
    rows: tuple[str, ...]
    constants: dict[str, Array]
    first: Array
    refractory: Array
    edges: tuple[Edges, ...]
    gap: tuple[Array, Array, Array] | None
    ring: int
    room: int
    drive: tuple[Array, Array, Array]
    rate_Hz: Array
    events: tuple[Array, Array, Array]

    def thresholds(self, rate_Hz: Value | None = None) -> Array:
        """Rates as (n_driven,) uint32 that a random uint32 must stay under for a spike."""
        rate = self.rate_Hz if rate_Hz is None else np.broadcast_to(np.asarray(rate_Hz, float), self.rate_Hz.shape)
        p = rate * self.network.dt_s
        if not (np.isfinite(p) & (p >= 0)).all():
            raise BestiaryError(f"rates must be finite and not negative, got {float(rate.min()):g} Hz at least")
        return np.minimum(np.rint(p * 2.0**32), 2.0**32 - 1).astype(np.uint32)


def _joined(parts: list[Any], dtype: Any) -> Array:
    return np.concatenate([np.asarray(p) for p in parts]).astype(dtype) if parts else np.empty(0, dtype)


def _aligned(values: Array, dtype: Any) -> Array:
    """A copy at a multiple of 64 bytes, which JAX shares in place of copying it once more."""
    size = values.size * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    copy = raw[start : start + size].view(dtype)
    copy[:] = values
    return copy
