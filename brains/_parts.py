"""A brain made of parts: each a pure step over its own state, joined by links between named neurons.

A link hands the output of one control period to the next, so all parts of a period are independent of each other: a
large one (`slow`) runs on another core while small parts, body and senses go on, with the same result bit for bit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy.sparse

import bestiary
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock
from bestiary.errors import ConnectomeError, UnknownNeuronError

Array = np.ndarray[Any, np.dtype[Any]]
Rewire = Callable[[Connectome], Connectome]

MANY = 5_000  # neurons: of a larger part, recordings keep outputs and named neurons only

# Light opens a conductance of `share` times that of rest: it moves the potential by share / (1 + share) of these.
CATION_MV = 52.0  # reversal 0 mV (channelrhodopsin), from a rest of -52 mV
ANION_MV = -18.0  # reversal of chloride at -70 mV (GtACR)
_DENSE = 65536  # entries of the largest matrix that is multiplied as a dense one


class Part(Protocol):
    """A part of a brain. n neurons; arrays are (n,) float32.

    table: its neurons, and its edges where it has any, each with its provenance. A part may say `slow = True`: it is
    worth a core of its own, and its `advance` needs Python's lock for little. A large one may have `rate_at(state,
    rows)`, which is `rate_Hz(state)[rows]` in less time. It may also have `decoded(state)`, numbers by name that its
    activity stands for (a heading). The cord has `motor(state)` beside: the action (n_motors,) in [-1, 1].
    """

    @property
    def table(self) -> Connectome: ...

    def init(self, seed: int) -> dict[str, Any]:
        """The state at rest; seed: of its noise."""
        ...

    def advance(self, state: dict[str, Any], drive_mV: Array) -> dict[str, Any]:
        """One control period. drive_mV: the steady depolarisation that each neuron's input would give it alone."""
        ...

    def rate_Hz(self, state: dict[str, Any]) -> Array:
        """Output of the period just done: spikes per second, or the part's own unit of activity."""
        ...

    def voltage_mV(self, state: dict[str, Any]) -> Array: ...

    def cut(self, lesioned: Array, silenced: Array, /) -> Part:
        """Without these neurons (rows), and without the outputs of those. Every other parameter stays."""
        ...

    def rewired(self, rewire: Rewire, /) -> Part:
        """The same part on another wiring of its neurons."""
        ...


@dataclass(frozen=True)
class Link:
    """A projection between parts. weight_mV_per_Hz (n_target, n_source) sparse; tau_s: of the synapses, first order."""

    source: str
    target: str
    weight_mV_per_Hz: scipy.sparse.csr_array
    tau_s: float
    provenance: str
    about: str = ""


class Composite:
    """Parts and links as one brain: `bestiary.interfaces._base.Brain`. Currents count as mV across 1 nS.

    parts: by name, in the order of the neurons; those of the first are grouped by kind, others by part. cord: the part
    that moves the body; what a control puts in place of the brain (`Control.descending`) it does on the way to this
    part. lesion, silence: `select` queries. words: short names of queries, `tectum` say.
    """

    def __init__(
        self,
        parts: Mapping[str, Part],
        links: Sequence[Link],
        clock: Clock,
        *,
        cord: str = "cord",
        lesion: Sequence[str] = (),
        silence: Sequence[str] = (),
        words: Mapping[str, str] | None = None,
    ) -> None:
        self.parts, self.words = dict(parts), dict(words or {})
        sizes = [len(p.table) for p in self.parts.values()]
        ends = np.cumsum(sizes).tolist()
        self._slice = {k: slice(e - n, e) for k, e, n in zip(self.parts, ends, sizes, strict=True)}
        self.names = tuple(np.concatenate([p.table.names for p in self.parts.values()]).tolist())
        first = next(iter(self.parts))
        self.groups = tuple(
            (kind or key) if key == first else key for key, p in self.parts.items() for kind in p.table.kinds.tolist()
        )
        self.shown = np.concatenate([_shown(p.table) + self._slice[k].start for k, p in self.parts.items()])
        self.input_nS = np.ones(ends[-1], np.float32)
        self.cord, self.clock, self.control = cord, clock, None
        if lesion or silence:
            gone, quiet = (self.select(list(q)) if q else np.empty(0, int) for q in (lesion, silence))
            for key, at in self._slice.items():
                rows = [r[(r >= at.start) & (r < at.stop)] - at.start for r in (gone, quiet)]
                if any(map(len, rows)):
                    self.parts[key] = self.parts[key].cut(*rows)
        self._turns = sorted(((k, _slow(p)) for k, p in self.parts.items()), key=lambda turn: not turn[1])
        self.links = tuple(links)
        for link in self.links:
            self._check(link)
        self._wire()
        self._pool: ThreadPoolExecutor | None = None
        self.decoders = {  # what can be read beside rates -> the part that says it
            key: name for name, p in self.parts.items() if hasattr(p, "decoded") for key in p.decoded(p.init(0))
        }

    def _check(self, link: Link) -> None:
        for end in (link.source, link.target):
            if end not in self.parts:
                raise ConnectomeError(f"a link names the part {end!r}; {bestiary.nearest(end, self.parts, 'part')}")
        want = (len(self.parts[link.target].table), len(self.parts[link.source].table))
        if link.weight_mV_per_Hz.shape != want:
            raise ConnectomeError(
                f"the link {link.source} -> {link.target} is {link.weight_mV_per_Hz.shape}, not {want} (target, source)"
            )
        if not np.isfinite(link.weight_mV_per_Hz.data).all() or not link.tau_s > 0:
            raise ConnectomeError(f"the link {link.source} -> {link.target} needs finite weights and a tau_s above 0")

    def _wire(self) -> None:
        """All links as one matrix: from the sources that links hear, a trace for each link apart, to their targets."""
        reach = [np.unique(k.weight_mV_per_Hz.indices) for k in self.links]
        order = sorted(range(len(self.links)), key=lambda i: list(self.parts).index(self.links[i].source))
        self._heard: dict[str, Array] = {}  # part -> its neurons that are heard, those of each link in turn
        self._spans: list[tuple[Link, slice, Array]] = []
        blocks, blends, at = [], [], 0
        for i in order:
            link, rows = self.links[i], reach[i]
            self._heard[link.source] = np.concatenate([self._heard.get(link.source, rows[:0]), rows])
            self._spans.append((link, slice(at, at + len(rows)), rows))
            blends.append(np.full(len(rows), -np.expm1(-self.clock.control_s / link.tau_s), np.float32))
            block = scipy.sparse.coo_array(scipy.sparse.csr_array(link.weight_mV_per_Hz)[:, rows])
            start = self._slice[link.target].start
            blocks.append((block.data, block.coords[0] + start, block.coords[1] + at))
            at += len(rows)
        value, post, pre = (
            np.concatenate([np.empty(0, kind), *(b[k] for b in blocks)])
            for k, kind in enumerate((np.float32, np.int64, np.int64))
        )
        self._targets, row = np.unique(post, return_inverse=True)
        matrix = scipy.sparse.csr_array((value.astype(np.float32), (row, pre)), shape=(len(self._targets), at))
        self._weight = _quick(matrix)
        self._blend = np.concatenate([np.empty(0, np.float32), *blends])

    def attach(self, control: Any) -> None:
        """Sees what a control puts in place of the brain's output."""
        self.control = control

    def __deepcopy__(self, memo: Any) -> Composite:
        twin = copy.copy(self)
        twin._pool = None
        return twin

    def slice_of(self, part: str) -> slice:
        """Where the neurons of a part stand in (n,) arrays."""
        return self._slice[part]

    def select(self, query: Any) -> Array:
        """Rows of the neurons that a query names, in any part, also by one of `words`. Raises UnknownNeuronError."""
        if isinstance(query, str):
            if query in self.words:
                return self.select(self.words[query].split(","))
            found = [np.empty(0, int)]
            for key, part in self.parts.items():
                try:
                    found.append(part.table.select(query) + self._slice[key].start)
                except UnknownNeuronError:
                    continue
            if len(found) == 1:
                known = {w for p in self.parts.values() for w in (*p.table.names, *np.unique(p.table.types))}
                known |= self.words.keys()
                raise UnknownNeuronError(f"no neuron {query!r}; {bestiary.nearest(query, sorted(known), 'neuron')}")
            return np.concatenate(found)
        words = [query] if isinstance(query, int) else list(query)
        if all(isinstance(w, int | np.integer) for w in words):
            rows = np.asarray(words, int)
            if ((rows < 0) | (rows >= len(self.names))).any():
                raise UnknownNeuronError(f"rows of neurons are 0 to {len(self.names) - 1}, got {rows}")
            return rows
        rows = np.concatenate([self.select(w.strip()) for word in words for w in str(word).split(",")])
        return rows[np.sort(np.unique(rows, return_index=True)[1])]

    def init(self, seed: int) -> dict[str, Any]:
        """Every part at rest, all links silent."""
        streams = np.random.SeedSequence(seed).generate_state(len(self.parts), np.uint32)
        state: dict[str, Any] = {k: p.init(int(s)) for (k, p), s in zip(self.parts.items(), streams, strict=True)}
        state["links"] = np.zeros(len(self._blend), np.float32)
        return state

    def advance(self, state: dict[str, Any], current_pA: Array, light_nS: Array) -> dict[str, Any]:
        """One control period of every part under the outputs of the period before."""
        drive = np.array(current_pA, np.float32)
        if light_nS.dot(light_nS):  # quicker than any()
            share = np.abs(light_nS)
            drive += share / (1 + share) * np.where(light_nS > 0, CATION_MV, ANION_MV)
        before = {k: _done(state[k]) for k in self.parts}
        links = state["links"]
        if len(links):
            heard = np.concatenate([_rate_at(self.parts[k], before[k], rows) for k, rows in self._heard.items()])
            if self.control is not None and self.control.cuts:
                for link, span, rows in self._spans:
                    if link.target == self.cord:
                        rate = self.parts[link.source].rate_Hz(before[link.source])
                        heard[span] = self.control.descending(link.source, rate)[rows]
            links = links + self._blend * (heard - links)
            drive[self._targets] += self._weight @ links
        new: dict[str, Any] = {"links": links}
        for key, slow in self._turns:
            args = before[key], drive[self._slice[key]]
            new[key] = self._elsewhere(key, *args) if slow else self.parts[key].advance(*args)
        return new

    def _elsewhere(self, part: str, *args: Any) -> Future[Any]:
        self._pool = self._pool or ThreadPoolExecutor(1)
        return self._pool.submit(self.parts[part].advance, *args)

    def read(self, state: dict[str, Any]) -> Mapping[str, Any]:
        """voltage_mV and rate_Hz (n,), what parts decode, and `motor`, the action of the cord.

        Each is worked out when it is looked at."""
        return _Reading(self, state)

    def settle(self, state: dict[str, Any]) -> dict[str, Any]:
        """The state with nothing still running, as plain arrays: to keep, to copy."""
        return {k: _done(v) for k, v in state.items()}


def _quick(weight: scipy.sparse.csr_array) -> Any:
    """A small matrix is multiplied faster as a dense one."""
    return weight.toarray() if weight.shape[0] * weight.shape[1] <= _DENSE else weight


def _shown(table: Connectome) -> Array:
    """Rows that recordings and films keep: all of a small part, outputs and neurons with a name of a large one."""
    if len(table) <= MANY:
        return np.arange(len(table))
    return np.flatnonzero(np.isin(table.kinds, ("readout", "descending", "motor")) | (table.names != table.ids))


def _slow(part: Part) -> bool:
    return bool(getattr(part, "slow", False))


def _rate_at(part: Part, state: Any, rows: Array) -> Array:
    quick = getattr(part, "rate_at", None)
    return quick(state, rows) if quick else part.rate_Hz(state)[rows]


def _done(state: Any) -> Any:
    return state.result() if isinstance(state, Future) else state


class _Reading(Mapping[str, Any]):
    def __init__(self, brain: Composite, state: dict[str, Any]) -> None:
        self._brain, self._state = brain, state

    def __getitem__(self, key: str) -> Any:
        parts: Mapping[str, Any] = self._brain.parts  # what a part may have beside is in no protocol
        state = self._state
        if key == "motor":
            return parts[self._brain.cord].motor(_done(state[self._brain.cord]))
        if key in self._brain.decoders:
            part = self._brain.decoders[key]
            return parts[part].decoded(_done(state[part]))[key]
        if key in ("voltage_mV", "rate_Hz"):
            return np.concatenate([getattr(p, key)(_done(state[k])) for k, p in parts.items()])
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(("voltage_mV", "rate_Hz", *self._brain.decoders))

    def __len__(self) -> int:
        return 2 + len(self._brain.decoders)


def linked(there: Mapping[str, Part], rows: Iterable[Mapping[str, str]]) -> list[Link]:
    """Links from the rows of a links.csv, those with equal parts, time constant and tag as one.

    Columns: from, source, to, target, weight_mV_per_Hz, tau_s, provenance, and where it has one `over`: "mean" shares
    the weight among the source's cells. Rows of a part, or of a source, that is not there are left out: a small, a
    rewired or an imported table lacks neurons that another has. Tests hold the shipped rows to the shipped parts.
    """
    grouped: dict[tuple[str, str, float, str], list[tuple[str, str, float]]] = {}
    for row in rows:
        a, b = row["from"], row["to"]
        if a not in there or b not in there:
            continue
        try:
            count = len(there[a].table.select(row["source"]))
        except UnknownNeuronError:
            continue
        weight = float(row["weight_mV_per_Hz"]) / (count if row.get("over") == "mean" else 1)
        key = (a, b, float(row["tau_s"]), row["provenance"])
        grouped.setdefault(key, []).append((row["source"], row["target"], weight))
    return [Link(a, b, joined(there[a], there[b], pairs), tau, tag) for (a, b, tau, tag), pairs in grouped.items()]


def joined(source: Part, target: Part, pairs: Sequence[tuple[Any, Any, float]]) -> scipy.sparse.csr_array:
    """A link's weights (n_target, n_source) from (source query, target query, mV per Hz) rows: every named pair."""
    rows, cols, values = [np.empty(0, int)], [np.empty(0, int)], [np.empty(0, np.float32)]
    for pre, post, weight in pairs:
        a, b = source.table.select(pre), target.table.select(post)
        rows.append(np.repeat(b, len(a)))
        cols.append(np.tile(a, len(b)))
        values.append(np.full(len(a) * len(b), weight, np.float32))
    shape = (len(target.table), len(source.table))
    matrix = scipy.sparse.coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))), shape)
    out = scipy.sparse.csr_array(matrix)
    out.sum_duplicates()
    return out


def check_components(words: Sequence[str], known: Mapping[str, str]) -> None:
    """Raises LookupError for a component that an animal does not have."""
    for word in words:
        if word not in known:
            raise LookupError(f"no component {word!r}; {bestiary.nearest(word, known, 'component')}")
