"""The table of neurons and edges: compact arrays, checked once, never changed in place."""

from __future__ import annotations

import fnmatch
import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import bestiary
from bestiary.brains.connectome import _controls
from bestiary.errors import ConnectomeError, UnknownNeuronError

if TYPE_CHECKING:
    import scipy.sparse

Array = np.ndarray[Any, np.dtype[Any]]
Query = str | int | Sequence[str] | Sequence[int] | Array
UNDIRECTED = frozenset({"gap", "muscle_gap", "neuromuscular_gap"})  # stored once a pair, in either order
_TEXT = ("names", "types", "kinds", "sides", "transmitters")


@dataclass(frozen=True, eq=False, slots=True)
class Labels:
    """One word per row, as a small code: `values[codes[i]]`. codes (n,) uint8 or int32."""

    codes: Array
    values: tuple[str, ...]

    @classmethod
    def of(cls, words: Labels | str | Sequence[str] | Array, n: int) -> Labels:
        """From one word for all n rows, a word a row, or Labels."""
        if isinstance(words, Labels):
            return words
        if isinstance(words, str):
            return cls(np.zeros(n, np.uint8), (words,))
        values, codes = np.unique(np.asarray(words, dtype=str), return_inverse=True)
        return cls(codes.astype(np.uint8 if len(values) <= 256 else np.int32), tuple(map(str, values)))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: Any) -> Labels:
        return Labels(self.codes[index], self.values)

    def mask(self, *words: str) -> Array:
        """(n,) bool: rows whose word is one of `words`."""
        return np.isin(self.codes, [i for i, v in enumerate(self.values) if v in words])

    def text(self) -> Array:
        """(n,) str."""
        return np.asarray(self.values, dtype=str)[self.codes] if self.values else np.empty(0, str)

    def counts(self) -> dict[str, int]:
        """Rows per word, without words that no row has."""
        return {
            v: int(c)
            for v, c in zip(self.values, np.bincount(self.codes, minlength=len(self.values)), strict=True)
            if c
        }


# What stands for a column until `__post_init__` has made it
_UNSAID: Any = None
_PLUS: Any = 1
_NO_DELAY: Any = 0.0
_CHEMICAL: Any = "chemical"
_NOBODY: Any = ""
_SEEN: Any = "EM_cell"


@dataclass(frozen=True, eq=False)
class Connectome:
    """Neurons (N) and edges (E). Muscles that receive neuromuscular edges are nodes too, of kind `muscle`.

    ids (N,) str, unique. names, types (class: `AVA`, `DB`, `KCg-m`), kinds (`sensory`, `inter`, `motor`, `muscle` or
    another broad class), sides (`L`, `R`), transmitters (`ACh;GABA?`, first the main one): (N,) str, empty = unknown.
    position_um (N, 3), NaN = unknown. extra: further columns, (N,) each.

    pre, post (E,) int32: rows of the neuron table. weight (E,) float32, counts or areas, never negative: the sign is
    apart. sign (E,) int8, +1, -1 or 0 where it has no meaning. kind: `chemical`, `gap`, `neuromuscular`, ...; gap
    kinds (UNDIRECTED) stand once a pair. sign_by: who says the sign (`physiology`, `receptor`, `transmitter`,
    `assumed`). provenance: DESIGN point 6 (`EM_cell`, ...). delay_s (E,) float32.

    Raises ConnectomeError, with row numbers and counts, for a table that cannot be right.
    """

    ids: Array
    pre: Array
    post: Array
    weight: Array
    names: Array = _UNSAID
    types: Array = _UNSAID
    kinds: Array = _UNSAID
    sides: Array = _UNSAID
    transmitters: Array = _UNSAID
    position_um: Array = _UNSAID
    extra: Mapping[str, Array] = field(default_factory=dict)
    sign: Array = _PLUS
    kind: Labels = _CHEMICAL
    sign_by: Labels = _NOBODY
    provenance: Labels = _SEEN
    delay_s: Array = _NO_DELAY
    source: str = ""

    if TYPE_CHECKING:  # what it may be made of is wider than what it then holds

        def __init__(
            self,
            ids: Any,
            pre: Any,
            post: Any,
            weight: Any,
            names: Any = None,
            types: Any = None,
            kinds: Any = None,
            sides: Any = None,
            transmitters: Any = None,
            position_um: Any = None,
            extra: Mapping[str, Any] = ...,
            sign: Any = 1,
            kind: Any = "chemical",
            sign_by: Any = "",
            provenance: Any = "EM_cell",
            delay_s: Any = 0.0,
            source: str = "",
        ) -> None: ...

    def __post_init__(self) -> None:
        put = object.__setattr__
        ids = np.asarray(self.ids).astype(str)
        n = len(ids)
        put(self, "ids", ids)
        for name in _TEXT:
            given = getattr(self, name)
            column = (ids if name == "names" else np.full(n, "")) if given is None else np.asarray(given).astype(str)
            put(self, name, column)
        place = np.full((n, 3), np.nan) if self.position_um is None else self.position_um
        put(self, "position_um", np.asarray(place, dtype=np.float32))
        put(self, "extra", {k: np.asarray(v) for k, v in self.extra.items()})
        self._check_neurons(n)

        rows = len(np.asarray(self.pre))
        for name in ("pre", "post"):
            put(self, name, self._index(name, n))
        for name in ("weight", "delay_s"):
            put(self, name, self._number(name, rows))
        sign = np.asarray(self.sign)
        _refuse(~np.isin(sign, (-1, 0, 1)), "a sign is not -1, 0 or 1", sign)
        put(self, "sign", _column(sign.astype(np.int8), rows))
        for name in ("kind", "sign_by", "provenance"):
            put(self, name, Labels.of(getattr(self, name), rows))
        for name in ("pre", "post", "weight", "sign", "delay_s", "kind", "sign_by", "provenance"):
            if len(got := getattr(self, name)) != rows:
                raise ConnectomeError(f"{name} has {len(got)} rows, pre has {rows}: every edge column needs one length")
        for name, value in list(vars(self).items()):
            if isinstance(value, np.ndarray):
                put(self, name, _frozen(value))
            elif isinstance(value, Labels):
                put(self, name, Labels(_frozen(value.codes), value.values))

    def __repr__(self) -> str:
        return f"<Connectome {self.source or 'unnamed'}: {len(self)} nodes, {self.n_edges} edges {self.kind.counts()}>"

    def _check_neurons(self, n: int) -> None:
        if not n:
            raise ConnectomeError("no neurons: the table is empty")
        for name in (*_TEXT, "position_um"):
            if len(got := getattr(self, name)) != n:
                raise ConnectomeError(f"{name} has {len(got)} rows, ids has {n}: every neuron column needs one length")
        for name, got in self.extra.items():
            if len(got) != n:
                raise ConnectomeError(f"extra[{name!r}] has {len(got)} rows, ids has {n}")
        if self.position_um.shape != (n, 3):
            raise ConnectomeError(f"position_um must be ({n}, 3), got {self.position_um.shape}")
        _refuse(self.ids == "", "a neuron has no id", self.ids)
        order = np.argsort(self.ids, kind="stable")
        double = np.zeros(n, bool)
        double[order[1:]] = self.ids[order[1:]] == self.ids[order[:-1]]
        _refuse(double, "a neuron id occurs twice", self.ids)

    def _index(self, name: str, n: int) -> Array:
        given = np.asarray(getattr(self, name))
        if given.size and given.dtype.kind not in "iu":
            raise ConnectomeError(
                f"{name} must be row numbers of the neuron table, got {given.dtype}; use from_table for ids"
            )
        _refuse((given < 0) | (given >= n), f"{name} is not a row of the {n} neurons", given)
        return given.astype(np.int32)

    def _number(self, name: str, rows: int) -> Array:
        value = np.asarray(getattr(self, name), dtype=np.float32)
        _refuse(~np.isfinite(value), f"{name} is not finite", value)
        hint = "; an inhibitory edge has weight > 0 and sign -1" if name == "weight" else ""
        _refuse(value < 0, f"{name} is negative{hint}", value)
        return _column(value, rows)

    # --- asking

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_edges(self) -> int:
        return len(self.pre)

    @property
    def neurons(self) -> Array:
        """Rows that are neurons, not muscles."""
        return np.flatnonzero(self.kinds != "muscle")

    @property
    def muscles(self) -> Array:
        """Rows that are muscles."""
        return np.flatnonzero(self.kinds == "muscle")

    def select(self, query: Query) -> Array:
        """Rows (n,) int64 of the neurons that `query` names.

        A word is an id, a name, a type, a kind or a glob over them (`AVAL`, `AVA`, `motor`, `V[AB]*`), or
        `column=word` (`side=L`, `transmitter=GABA`), and several joined by `&` must all hold: `kind=motor & side=L`.
        A list is the union in its own order; integers are rows. Raises UnknownNeuronError with the nearest name.
        """
        if isinstance(query, str):
            masks = [self._match(term.strip()) for term in query.split("&")]
            both = np.logical_and.reduce(masks)
            if not both.any():
                raise UnknownNeuronError(f"no neuron meets all of {query!r}")
            return np.flatnonzero(both)
        items = [query] if isinstance(query, int) else list(query)
        if all(isinstance(i, int | np.integer) for i in items):
            rows = np.asarray(items, dtype=np.int64)
            if (bad := rows[(rows < 0) | (rows >= len(self))]).size:
                raise UnknownNeuronError(f"row {bad[0]} is not one of the {len(self)} neurons (0 to {len(self) - 1})")
            return rows
        found = np.concatenate([self.select(str(i)) for i in items])
        return found[np.sort(np.unique(found, return_index=True)[1])]

    def _match(self, term: str) -> Array:
        columns = {c.rstrip("s"): c for c in ("ids", *_TEXT)}
        column, equals, word = (part.strip() for part in term.partition("="))
        if not equals:
            for name in ("ids", "names", "types", "kinds"):
                if (hit := getattr(self, name) == term).any():
                    return hit
            if any(c in term for c in "*?["):
                hits = [_glob(getattr(self, name), term) for name in ("ids", "names", "types")]
                if (hit := np.logical_or.reduce(hits)).any():
                    return hit
            raise self._unknown(term, ("ids", "names", "types", "kinds"))
        if column.rstrip("s") not in columns:
            raise UnknownNeuronError(f"no column {column!r} in {term!r}; {bestiary.nearest(column, columns, 'column')}")
        values = getattr(self, columns[column.rstrip("s")])
        if column.startswith("transmitter"):
            has = {v: any(fnmatch.fnmatchcase(t.rstrip("?"), word) for t in v.split(";")) for v in set(values.tolist())}
            hit = np.array([has[v] for v in values.tolist()])
        else:
            hit = _glob(values, word)
        if not hit.any():
            raise self._unknown(word, (columns[column.rstrip("s")],))
        return hit

    def _unknown(self, word: str, columns: tuple[str, ...]) -> UnknownNeuronError:
        known = dict.fromkeys(str(v) for c in columns for v in np.unique(getattr(self, c)) if v)
        return UnknownNeuronError(f"no neuron {word!r} among {len(self)} cells; {bestiary.nearest(word, known)}")

    def edges(
        self, pre: Query | None = None, post: Query | None = None, kind: str | Sequence[str] | None = None
    ) -> Array:
        """Rows (n,) of the edges from `pre` to `post` of `kind`; None is any. Gap pairs are found in both orders."""
        keep = np.ones(self.n_edges, bool) if kind is None else self._kind_mask(kind)
        none = np.ones(len(self), bool)
        a, b = (none if q is None else np.isin(np.arange(len(self)), self.select(q)) for q in (pre, post))
        there = a[self.pre] & b[self.post]
        back = a[self.post] & b[self.pre] & self.kind.mask(*UNDIRECTED)
        return np.flatnonzero(keep & (there | back))

    def _kind_mask(self, kind: str | Sequence[str]) -> Array:
        words = (kind,) if isinstance(kind, str) else tuple(kind)
        for word in words:
            if word not in self.kind.values:
                raise ConnectomeError(f"no edges of kind {word!r}; {bestiary.nearest(word, self.kind.values, 'kind')}")
        return self.kind.mask(*words)

    def matrix(
        self,
        kind: str | Sequence[str] | None = None,
        *,
        signed: bool = False,
        rows: Query | None = None,
        columns: Query | None = None,
    ) -> scipy.sparse.csr_array:
        """Weights as CSR (n_pre, n_post), float32: all nodes, or those of `rows` and `columns`.

        signed: times the sign. Gap kinds come out symmetric. Edges between the same two neurons add up.
        """
        import scipy.sparse

        at = np.arange(self.n_edges) if kind is None else np.flatnonzero(self._kind_mask(kind))
        value = self.weight[at] * self.sign[at] if signed else self.weight[at]
        i, j = self.pre[at], self.post[at]
        if (two := self.kind[at].mask(*UNDIRECTED) & (i != j)).any():
            i, j = np.concatenate([i, j[two]]), np.concatenate([j, i[two]])
            value = np.concatenate([value, value[two]])
        whole = scipy.sparse.coo_array((value, (i, j)), shape=(len(self), len(self))).tocsr()
        if rows is not None:
            whole = whole[self.select(rows)]
        return whole if columns is None else whole[:, self.select(columns)]

    def delay_steps(self, dt_s: float, rounding: str = "refuse") -> Array:
        """Delays in steps of dt_s, (E,) int32. Zero stays zero.

        rounding="refuse": ConnectomeError where a delay is shorter than a step or no whole number of them (to 1e-4).
        "nearest" and "up" round, and never below one step.
        """
        if rounding not in ("refuse", "nearest", "up"):
            raise ConnectomeError(f"rounding must be 'refuse', 'nearest' or 'up', got {rounding!r}")
        if not dt_s > 0:
            raise ConnectomeError(f"dt_s must be positive, got {dt_s}")
        steps = self.delay_s.astype(np.float64) / dt_s
        whole = np.round(steps) if rounding != "up" else np.ceil(steps - 1e-4)
        if rounding == "refuse":
            hint = "; rounding='nearest' or 'up' accepts it"
            _refuse((steps > 0) & (whole < 1), f"a delay is shorter than dt {dt_s} s{hint}", self.delay_s)
            _refuse(abs(steps - whole) > 1e-4, f"a delay is no whole number of dt {dt_s} s{hint}", self.delay_s)
        return np.where(steps > 0, np.maximum(whole, 1), 0).astype(np.int32)

    def paths(
        self,
        pre: Query,
        post: Query,
        *,
        hops: int = 3,
        kind: str | Sequence[str] = "chemical",
        top: int = 20,
    ) -> list[tuple[float, tuple[str, ...]]]:
        """The `top` paths of at most `hops` edges from any of `pre` to any of `post`, strongest weakest edge first.

        Each: (weight of its weakest edge, ids along it). Paths do not cross themselves.
        """
        graph = self.matrix(kind)
        ends = np.zeros(len(self), bool)
        ends[self.select(post)] = True
        reach = [ends]  # reach[k]: an end is at most k edges away
        for _ in range(hops):
            reach.append(reach[-1] | (graph @ reach[-1].astype(np.float32) > 0))
        heap: list[tuple[float, int, tuple[int, ...]]] = [(-np.inf, 0, (int(i),)) for i in self.select(pre)]
        found: list[tuple[float, tuple[str, ...]]] = []
        while heap and len(found) < top:  # best first, so paths come out in order
            low, length, path = heapq.heappop(heap)
            if length and ends[path[-1]]:
                found.append((-low, tuple(str(self.ids[i]) for i in path)))
                continue
            if length == hops:
                continue
            row = slice(graph.indptr[path[-1]], graph.indptr[path[-1] + 1])
            for j, w in zip(graph.indices[row].tolist(), graph.data[row].tolist(), strict=True):
                if w > 0 and reach[hops - length - 1][j] and j not in path:
                    heapq.heappush(heap, (max(low, -w), length + 1, (*path, j)))
        return found

    def summary(self) -> dict[str, Any]:
        """Counts for printing and JSON: nodes by kind, and for each kind of edge its number, weight, signs, degrees."""
        edges = {}
        for word in self.kind.counts():
            at = self.kind.mask(word)
            out = np.bincount(self.pre[at], minlength=len(self))
            into = np.bincount(self.post[at], minlength=len(self))
            edges[word] = {
                "edges": int(at.sum()),
                "weight": float(self.weight[at].sum(dtype=np.float64)),
                "autapses": int((self.pre[at] == self.post[at]).sum()),
                "positive": int((self.sign[at] > 0).sum()),
                "negative": int((self.sign[at] < 0).sum()),
                "sign_by": {k or "none": v for k, v in self.sign_by[at].counts().items()},
                "largest_out_degree": [str(self.ids[out.argmax()]), int(out.max())],
                "largest_in_degree": [str(self.ids[into.argmax()]), int(into.max())],
            }
        kinds, counts = np.unique(self.kinds, return_counts=True)
        return {
            "source": self.source,
            "nodes": len(self),
            "kinds": dict(zip(kinds.tolist(), counts.tolist(), strict=True)),
            "edges": edges,
            "provenance": self.provenance.counts(),
        }

    # --- changing: every method returns a new table and leaves the order of neurons alone

    def keep_edges(self, which: Array) -> Self:
        """The table with these edges only: rows or a mask (E,)."""
        columns = ("pre", "post", "weight", "sign", "kind", "sign_by", "provenance", "delay_s")
        return replace(self, **{c: getattr(self, c)[which] for c in columns})

    def lesion(self, neurons: Query) -> Self:
        """Without any edge from or to `neurons`. Their rows stay, so indices keep their meaning."""
        return self.silence(neurons, inputs_too=True)

    def silence(self, neurons: Query, inputs_too: bool = False) -> Self:
        """Without the outputs of `neurons`, or without inputs too. A gap junction is both, so it goes either way."""
        hit = np.zeros(len(self), bool)
        hit[self.select(neurons)] = True
        gone = hit[self.pre] | (hit[self.post] & (inputs_too | self.kind.mask(*UNDIRECTED)))
        return self.keep_edges(~gone)

    def shuffle_weights(self, seed: int = 0, kinds: Sequence[str] | None = None) -> Self:
        """Weights permuted among the edges of each kind: keeps who is wired to whom, signs and all weights.

        kinds: of the edges that this touches, here and in the other controls; None is all.
        """
        return replace(self, weight=self.weight[self._permuted("weights", seed, kinds)])

    def shuffle_signs(self, seed: int = 0, kinds: Sequence[str] | None = None) -> Self:
        """Signs permuted among the edges of each kind: keeps wiring, weights, and how many edges of each sign."""
        order = self._permuted("signs", seed, kinds)
        return replace(self, sign=self.sign[order], sign_by=self.sign_by[order])

    def _permuted(self, name: str, seed: int, kinds: Sequence[str] | None) -> Array:
        order = _controls.permute_within(self.kind.codes, seed, name)
        return order if kinds is None else np.where(self._kind_mask(kinds), order, np.arange(self.n_edges))

    def rewire(
        self,
        seed: int = 0,
        keep: str = "degree",
        *,
        by: str = "kinds",
        weights: str = "exact",
        rounds: int = 20,
        kinds: Sequence[str] | None = None,
    ) -> Self:
        """Edges swap their targets (Maslov & Sneppen 2002 Science 296:910), within each kind of edge.

        keep="degree": in- and out-degree of every neuron, and its outgoing weights and signs (they go with the
        presynaptic side). keep="class": besides, its incoming weights and signs, and how many edges of each weight
        run between any two classes; a class is a word of the neuron column `by`. Edges that are alone in their class
        and weight stay; weights="log2" takes weights from 2^k up to 2^(k+1) as one, so that fewer are alone. No edge
        is doubled and no autapse made; autapses stay where they are. kinds: of the edges that swap; None is all.
        rounds: each tries half as many swaps as there are edges (15 million edges: about 12 s a round on one core).
        """
        if keep not in ("degree", "class"):
            raise ConnectomeError(f"keep must be 'degree' or 'class', got {keep!r}")
        if weights not in ("exact", "log2"):
            raise ConnectomeError(f"weights must be 'exact' or 'log2', got {weights!r}")
        if by not in _TEXT:
            raise ConnectomeError(f"no neuron column {by!r}; {bestiary.nearest(by, _TEXT, 'column')}")
        at = np.arange(self.n_edges) if kinds is None else np.flatnonzero(self._kind_mask(kinds))
        muscle = (self.kinds == "muscle").astype(np.int64)
        classes = np.unique(getattr(self, by), return_inverse=True)[1] * 2 + muscle if keep == "class" else muscle
        size = self.weight if weights == "exact" else np.frexp(self.weight)[1]
        features = (size[at], self.sign[at]) if keep == "class" else ()
        undirected = self.kind.mask(*UNDIRECTED)
        pre, post = self.pre.copy(), self.post.copy()
        pre[at], post[at] = _controls.swap(
            pre[at], post[at], len(self), self.kind.codes[at], undirected[at], classes, features, seed, rounds
        )
        return replace(self, pre=pre, post=post)

    def erdos_renyi(self, seed: int = 0, kinds: Sequence[str] | None = None) -> Self:
        """As many edges of each kind, with the same weights and signs, between neurons drawn at random.

        Keeps only whether a side is neuron or muscle. No edge is doubled, no autapse made. kinds: None is all.
        """
        muscle = self.kinds == "muscle"
        pre, post = self.pre.copy(), self.post.copy()
        touched = np.ones(self.n_edges, bool) if kinds is None else self._kind_mask(kinds)
        for code, word in enumerate(self.kind.values):
            at = np.flatnonzero((self.kind.codes == code) & touched)
            if at.size:
                sides = [np.flatnonzero(np.isin(muscle, np.unique(muscle[end[at]]))) for end in (self.pre, self.post)]
                a, b = sides
                pre[at], post[at] = _controls.random_pairs(at.size, a, b, word in UNDIRECTED, len(self), seed, word)
        return replace(self, pre=pre, post=post)

    def moved_share(self, other: Connectome, kinds: Sequence[str] | None = None) -> float:
        """Share of the edges of `kinds` (None: all) that `other`, a control of this table, does not have as they are:
        between these two neurons, with this weight and sign."""

        def rows(table: Connectome) -> Counter[tuple[Any, ...]]:
            at = np.arange(table.n_edges) if kinds is None else np.flatnonzero(table._kind_mask(kinds))
            a, b, two = table.pre[at], table.post[at], table.kind[at].mask(*UNDIRECTED) & (table.pre > table.post)[at]
            columns = (np.where(two, b, a), np.where(two, a, b), table.kind.codes[at], table.weight[at], table.sign[at])
            return Counter(zip(*(c.tolist() for c in columns), strict=True))

        mine = rows(self)
        return (mine - rows(other)).total() / max(mine.total(), 1)


def _frozen(value: Array) -> Array:
    view = value.view()  # the caller's own array stays writable
    view.setflags(write=False)
    return view


def _column(value: Array, rows: int) -> Array:
    """(rows,); one number for all rows costs no memory."""
    return np.broadcast_to(value, (rows,)) if value.ndim == 0 else value


def _glob(values: Array, pattern: str) -> Array:
    if not any(c in pattern for c in "*?["):
        return values == pattern
    unique, inverse = np.unique(values, return_inverse=True)
    return np.array([fnmatch.fnmatchcase(str(u), pattern) for u in unique], dtype=bool)[inverse]


def _refuse(bad: Array, what: str, values: Array) -> None:
    """Raises ConnectomeError for the rows where `bad`: how many, and the first five."""
    if (rows := np.flatnonzero(bad)).size:
        flat = np.atleast_1d(values)
        first = ", ".join(f"row {i}: {flat[i]}" for i in rows[:5])
        raise ConnectomeError(f"{what} in {rows.size} of {flat.size} rows ({first}{', ...' if rows.size > 5 else ''})")
