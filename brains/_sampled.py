"""Networks whose every edge is a sample: populations, projections between them, and no table of edges.

A projection says how many synapses go from one population to another, how strong they are, how long they take and, if
it falls with distance, over what reach. Which cells they join comes from a counter-based random generator (a hash of
seed, projection, delay, source cell and number of the synapse), so that the edges can be kept in memory, 3 bytes each,
or be made anew at every spike (`stored=False`): both give the same edges in the same order, and the same spikes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import bestiary
from bestiary.errors import BestiaryError, ConnectomeError

Array = np.ndarray[Any, np.dtype[Any]]

SHARD = 65_536  # cells that a 16-bit number can tell apart
CODES = 256  # levels of a weight, evenly spaced in its logarithm
TAIL = 6.0  # SDs of a delay that get their own steps; what lies beyond joins the last
MAX_BYTES_SHARE = 0.8  # of the memory that is free, which a network may take


@dataclass(frozen=True)
class Cell:
    """A leaky integrate-and-fire cell with exponential currents. Defaults: Potjans & Diesmann 2014, table 5."""

    tau_s: float = 0.010
    capacitance_pF: float = 250.0
    rest_mV: float = -65.0
    threshold_mV: float = -50.0
    reset_mV: float = -65.0
    refractory_s: float = 0.002
    excites_s: float = 0.0005
    inhibits_s: float = 0.0005


@dataclass(frozen=True)
class Population:
    """`size` equal cells. Background: Poisson events on each cell, excitatory. current_pA: steady. start_mV: mean and
    SD of the potential at time 0. fits: rows of `Network.glif` that its cells are drawn from; empty: `cell`."""

    name: str
    size: int
    excites: bool
    cell: Cell = Cell()
    background_Hz: float = 0.0
    background_pA: float = 0.0
    current_pA: float = 0.0
    start_mV: tuple[float, float] = (-58.0, 10.0)
    fits: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Projections:
    """Columns, (p,) each. source, target: populations. synapses: how many in all. mean_pA: of one, without sign.
    spread: SD of the weight over its mean, or with `lognormal` SD of its logarithm. delay_s, delay_sd_s: normal, drawn
    again where below half a step. reach: SD of the distance, in sides of the (square, periodic) sheet; 0: none.
    provenance: words."""

    source: Array
    target: Array
    synapses: Array
    mean_pA: Array
    spread: Array
    lognormal: Array
    delay_s: Array
    delay_sd_s: Array
    reach: Array
    provenance: Array

    def __len__(self) -> int:
        return len(self.source)

    @classmethod
    def of(cls, rows: Sequence[tuple[Any, ...]]) -> Projections:
        """From rows in the order of the columns."""
        columns = list(zip(*rows, strict=True)) if rows else [()] * 10
        kinds = (np.int32, np.int32, float, float, float, bool, float, float, float, str)
        return cls(*(np.asarray(c, dtype=k) for c, k in zip(columns, kinds, strict=True)))


@dataclass(frozen=True, eq=False)
class SampledNetwork:
    """Populations and projections. exact: every projection has its number of synapses exactly (NEST's
    fixed_total_number); else the number of each source cell is Poisson. glif: (fits, 10), see brains._mouse_glif.

    Raises ConnectomeError, BestiaryError for what cannot be.
    """

    populations: tuple[Population, ...]
    projections: Projections
    dt_s: float = 1e-4
    seed: int = 0
    exact: bool = False
    glif: Array | None = None
    source: str = ""
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        p, n = self.projections, len(self.populations)
        for name in ("source", "target"):
            bad = np.flatnonzero((getattr(p, name) < 0) | (getattr(p, name) >= n))
            if len(bad):
                raise ConnectomeError(f"projection {bad[0]}: its {name} is no row of the {n} populations")
        for name in ("synapses", "mean_pA", "spread", "delay_s", "delay_sd_s", "reach"):
            value = getattr(p, name)
            bad = np.flatnonzero(~np.isfinite(value) | (value < 0))
            if len(bad):
                raise ConnectomeError(f"projection {bad[0]}: {name} must be finite and not negative: {value[bad[0]]}")
        if not self.dt_s > 0:
            raise BestiaryError(f"dt_s must be positive, got {self.dt_s}")
        empty = [q.name for q in self.populations if q.size < 1]
        if empty:
            raise ConnectomeError(f"population {empty[0]!r} has no cell ({len(empty)} such): leave it out")

    @property
    def sizes(self) -> Array:
        """(P,) cells."""
        return np.array([p.size for p in self.populations], np.int64)

    @property
    def n(self) -> int:
        return int(self.sizes.sum())

    @property
    def first(self) -> Array:
        """(P + 1,) first cell of each population, and their number."""
        return np.concatenate([[0], np.cumsum(self.sizes)])

    @property
    def n_synapses(self) -> int:
        """Synapses expected; with `exact`, of the network to the last one."""
        return round(float(self.projections.synapses.sum()))

    def row(self, name: str) -> int:
        """Number of a population. Raises LookupError with the nearest name."""
        names = [p.name for p in self.populations]
        if name not in names:
            raise LookupError(f"no population {name!r}; {bestiary.nearest(name, names, 'population')}")
        return names.index(name)

    def in_degree(self) -> Array:
        """(P, P) mean synapses onto one target cell, target x source."""
        out = np.zeros((len(self.populations),) * 2)
        np.add.at(out, (self.projections.target, self.projections.source), self.projections.synapses)
        return out / self.sizes[:, None]


@dataclass(frozen=True, eq=False)
class Rows:
    """Projections cut by delay, in the order of (source, delay, target): what the kernels read.

    delays (D,) steps. of[shard, source * D + d] to upto[...]: rows whose targets reach into the shard.
    """

    source: Array
    first: Array
    size: Array
    wide: Array  # cells of a side of the target's sheet, and of the other
    high: Array
    mean: Array  # synapses of one source cell
    table: Array  # row of `codes`
    reach: Array  # of 2^16
    key: Array  # uint64
    projection: Array
    delays: Array
    at: Array  # (P * D + 1,) first row of each source and delay
    of: Array
    upto: Array
    bounds: Array  # (shards + 1,) cells
    codes: Array  # (tables, 256) uint8: the weight of a random byte
    level_pA: Array  # (256,) float64: what a code stands for, in whole units
    level: Array  # (256,) int32: in units
    unit_pA: float
    share: Array  # (rows,) of the projection's synapses


def shards(network: SampledNetwork) -> Array:
    """Bounds (s + 1,) of at most SHARD cells each, about equal in inputs; of the network alone, not of threads."""
    incoming = np.zeros(len(network.populations))
    np.add.at(incoming, network.projections.target, network.projections.synapses)
    per_cell = incoming / network.sizes + 1000.0
    count = max(math.ceil(network.n / SHARD), 2 if network.n > 2000 else 1)
    while True:
        # load is linear inside a population
        edges = np.concatenate([[0.0], np.cumsum(per_cell * network.sizes)])
        cuts = np.interp(np.linspace(0, edges[-1], count + 1), edges, network.first)
        bounds = np.rint(cuts).astype(np.int64)
        if np.diff(bounds).max() <= SHARD:
            return bounds
        count += 1


def make_rows(network: SampledNetwork) -> Rows:
    """The rows, weights as codes included."""
    p, first, sizes = network.projections, network.first, network.sizes
    bins: dict[tuple[float, float], tuple[Array, Array]] = {}
    parts: list[tuple[Array, ...]] = []
    for delay in {*zip(p.delay_s.tolist(), p.delay_sd_s.tolist(), strict=True)}:
        bins[delay] = delay_bins(*delay, network.dt_s)
    for i, delay in enumerate(zip(p.delay_s.tolist(), p.delay_sd_s.tolist(), strict=True)):
        if p.synapses[i] <= 0:
            continue
        step, share = bins[delay]
        parts.append((np.full(len(step), i), step, share))
    if not parts:
        raise ConnectomeError("a network without a synapse: every projection has 0")
    which, step, share = (np.concatenate(c) for c in zip(*parts, strict=True))
    delays, code = np.unique(step, return_inverse=True)
    source, target = p.source[which], p.target[which]
    order = np.lexsort((which, first[target], code, source))
    which, code, share, source, target = (c[order] for c in (which, code, share, source, target))
    d = len(delays)
    cell = source.astype(np.int64) * d + code
    at = np.searchsorted(cell, np.arange(len(sizes) * d + 1))
    kinds, table = np.unique(np.stack([p.mean_pA, p.spread, p.lognormal.astype(float)], 1), axis=0, return_inverse=True)
    codes, level_pA, level, unit = weight_codes(kinds)
    bounds = shards(network)
    wide = np.ceil(np.sqrt(sizes)).astype(np.int64)
    t0, t1 = first[target], first[target] + sizes[target]
    of = np.empty((len(bounds) - 1, len(at) - 1), np.int32)
    upto = np.empty_like(of)
    for s in range(len(bounds) - 1):
        # rows of one source and delay are in order of target: those that reach into a shard stand together
        inside = ((t1 > bounds[s]) & (t0 < bounds[s + 1])).astype(np.int64)
        count = np.add.reduceat(np.append(inside, 0), at[:-1]) * (np.diff(at) > 0)
        before = np.add.reduceat(np.append((t1 <= bounds[s]).astype(np.int64), 0), at[:-1]) * (np.diff(at) > 0)
        of[s] = at[:-1] + before
        upto[s] = of[s] + count
    key = _mix64((which.astype(np.uint64) << np.uint64(20)) ^ delays[code].astype(np.uint64))
    seed = _mix64(np.array([network.seed], np.uint64) + np.uint64(0x9E3779B97F4A7C15))[0]
    return Rows(
        source=source.astype(np.int32),
        first=t0.astype(np.int64),
        size=sizes[target].astype(np.int64),
        wide=wide[target],
        high=-(-sizes[target] // wide[target]),
        mean=p.synapses[which] * share / sizes[source],
        table=table.ravel()[which].astype(np.int32),
        reach=np.rint(p.reach[which] * 2**16).astype(np.int64),
        key=key ^ seed,
        projection=which.astype(np.int32),
        delays=delays.astype(np.int32),
        at=at.astype(np.int32),
        of=of,
        upto=upto,
        bounds=bounds,
        codes=codes,
        level_pA=level_pA,
        level=level,
        unit_pA=unit,
        share=share,
    )


def delay_bins(mean_s: float, sd_s: float, dt_s: float) -> tuple[Array, Array]:
    """(steps, shares) of a normal delay that is drawn again below half a step and rounded to steps."""
    if sd_s == 0:
        return np.array([max(1, round(mean_s / dt_s))]), np.ones(1)
    last = max(1, math.ceil((mean_s + TAIL * sd_s) / dt_s))
    edge = (np.arange(1, last + 2) - 0.5) * dt_s
    below = np.array([0.5 * math.erfc((mean_s - e) / (sd_s * math.sqrt(2))) for e in edge])
    below[-1] = 1.0
    share = np.diff(below)
    share /= share.sum()
    keep = share > 1e-9
    return np.arange(1, last + 1)[keep], share[keep] / share[keep].sum()


def weight_codes(kinds: Array) -> tuple[Array, Array, Array, float]:
    """(codes (m, 256), level in pA, level in whole units, pA of a unit) for kinds of (mean, spread, log-normal).

    A random byte picks one of 256 equally likely weights; each is written as the nearest of 256 levels whose rounding
    errors are carried on, so that the mean is kept to about 1e-4. Sums of whole units do not depend on their order.
    """
    from scipy.special import ndtri

    z = ndtri((np.arange(CODES) + 0.5) / CODES)
    drawn = np.empty((len(kinds), CODES))
    for i, (mean, spread, log) in enumerate(kinds):
        value = np.exp(spread * z) if log else np.maximum(1 + spread * z, 0)
        drawn[i] = mean * value / max(value.mean(), 1e-12)
    top = max(float(drawn.max()), 1e-9)
    low = max(float(drawn[drawn > 0].min()) if (drawn > 0).any() else top, top * 1e-5)
    ratio = (top / low) ** (1 / (CODES - 2)) if top > low else 1.0
    unit = top / 2**16  # 32,768 of the largest at once do not overflow
    level = np.concatenate([[0], np.rint(low * ratio ** np.arange(CODES - 1) / unit)]).astype(np.int32)
    level_pA = level * unit
    codes = np.empty((len(kinds), CODES), np.uint8)
    middle = (level_pA[1:] + level_pA[:-1]) / 2
    for i, row in enumerate(drawn):
        owed = 0.0
        for j, value in enumerate(row):
            code = int(np.searchsorted(middle, value + owed))
            codes[i, j] = code
            owed += value - level_pA[code]
    return codes, level_pA, level, unit


def _mix64(x: Array) -> Array:
    """Mixes 64 bits (splitmix64: Steele, Lea & Flood 2014 OOPSLA)."""
    x = np.asarray(x, np.uint64).copy()
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True)
class Memory:
    """Bytes of a network, by use. `stored`: with its edges; `made`: with edges made anew at every spike."""

    neurons: int
    synapses: int
    state: int
    tables: int
    edges: int
    pointers: int
    counts: int

    @property
    def stored(self) -> int:
        return self.state + self.tables + self.edges + self.pointers

    @property
    def made(self) -> int:
        return self.state + self.tables + self.counts

    def text(self) -> str:
        """The account that is printed."""
        per = [b / max(self.synapses, 1) for b in (self.edges, self.pointers, self.counts)]
        return (
            f"{self.neurons:,} neurons, {self.synapses:,} synapses: state {self.state / 1e6:.1f} MB, tables "
            f"{self.tables / 1e6:.1f} MB; edges stored {per[0]:.2f} + {per[1]:.2f} B/synapse (16-bit target, 8-bit "
            f"weight; pointers) = {self.stored / 1e9:.3f} GB in all; made anew {per[2]:.2f} B/synapse = "
            f"{self.made / 1e9:.3f} GB in all"
        )


def memory(network: SampledNetwork, rows: Rows | None = None) -> Memory:
    """What the network would take, before it is built. rows: where they are there already."""
    n, synapses = network.n, network.n_synapses
    if rows is None:
        delays = {s for d in {*zip(network.projections.delay_s.tolist(), network.projections.delay_sd_s.tolist(),
                                   strict=True)} for s in delay_bins(*d, network.dt_s)[0].tolist()}  # fmt: skip
        d, count = len(delays), max(1, math.ceil(n / SHARD), 2 if n > 2000 else 1)
        row_bytes, slots = len(network.projections) * 50, max(delays, default=1) + 1
    else:
        d, count, slots = len(rows.delays), len(rows.bounds) - 1, int(rows.delays.max()) + 1
        row_bytes = len(rows.source) * 50 + 2 * rows.of.nbytes
    two = any(p.cell.excites_s != p.cell.inhibits_s for p in network.populations) or network.glif is not None
    floats, glif = (3 if two else 2), (5 if network.glif is not None else 0)
    steps = min(max(1, round(p.cell.refractory_s / network.dt_s)) for p in network.populations)
    ring = 4 * math.ceil(n * slots / steps)
    state = n * 4 * (floats + glif + (2 if two else 1) + 1) + ring
    edges = 3 * synapses
    counts = 0
    if network.exact:
        per_source = np.bincount(network.projections.source, minlength=len(network.sizes)) * d
        counts = int((per_source * network.sizes).sum())
    return Memory(n, synapses, state, row_bytes, edges, 8 * count * (n * d + 1), counts)


def available_bytes() -> int:
    """Memory that is free now; where the system does not say, 4 GB."""
    import os

    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 4 * 2**30


def fits(need: Memory, stored: bool | None, limit_bytes: int | None = None) -> bool:
    """Whether to store the edges: what was asked for, or, where that is None, what fits.

    Raises BestiaryError, with the estimate, where the network does not fit; nothing has been built by then.
    """
    room = int(available_bytes() * MAX_BYTES_SHARE) if limit_bytes is None else limit_bytes
    choice = need.stored <= room if stored is None else stored
    want = need.stored if choice else need.made
    if want > room:
        other = (
            "" if stored is None or not choice or need.made > room else "stored=False makes its edges anew and fits; "
        )
        raise BestiaryError(
            f"this network needs {want / 1e9:.2f} GB and {room / 1e9:.2f} GB may be used: {need.text()}. {other}"
            f"a scale of {room / want * 0.9:.2g} times this one would fit"
        )
    return choice
