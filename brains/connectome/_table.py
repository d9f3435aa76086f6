"""Connectomes from and to columns, by the schema of `_io`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

import bestiary
from bestiary.brains.connectome._core import Connectome, Labels
from bestiary.errors import ConnectomeError

Array = np.ndarray[Any, np.dtype[Any]]
Columns = Mapping[str, Any]
TEXT = {"name": "names", "type": "types", "kind": "kinds", "side": "sides", "transmitter": "transmitters"}
PLACE = ("x_um", "y_um", "z_um")
LABELS = {"kind": "chemical", "sign_by": "", "provenance": "EM_cell"}
NUMBERS = {"weight": np.float32, "sign": np.int8, "delay_s": np.float32}
EDGE = ("pre", "post", *NUMBERS, *LABELS)


class _Edges:
    """Collects edges chunk by chunk into compact columns, so that memory follows the arrays and not the text."""

    def __init__(self, ids: Array | None, signed: bool) -> None:
        self.closed, self.signed, self.rows = ids is not None, signed, 0
        self.row: dict[str, int] = {} if ids is None else {v: i for i, v in enumerate(ids.astype(str).tolist())}
        self.parts: dict[str, list[Array]] = {c: [] for c in EDGE}
        self.words: dict[str, dict[str, int]] = {c: {} for c in LABELS}

    def add(self, columns: Columns) -> None:
        for end in ("pre", "post"):
            if end not in columns:
                raise ConnectomeError(f"no column {end!r} in the edges; {bestiary.nearest(end, columns, 'column')}")
        n = len(columns["pre"])
        for end in ("pre", "post"):
            self.parts[end].append(self._ends(end, columns[end]))
        weight = None
        for name, dtype in NUMBERS.items():
            if name in columns:
                value = self._numbers(name, columns[name])
                if name == "weight" and self.signed:
                    weight, value = value, abs(value)
                if name == "sign" and (bad := np.flatnonzero(~np.isin(value, (-1, 0, 1)))).size:
                    raise self._bad("a sign is not -1, 0 or 1", bad, value)
                self.parts[name].append(value.astype(dtype))
        if weight is not None:
            self.parts["sign"] = [*self.parts["sign"][: len(self.parts["weight"]) - 1], np.sign(weight).astype(np.int8)]
        for name, words in self.words.items():
            if name in columns:
                unique, inverse = np.unique(np.asarray(columns[name]).astype(str), return_inverse=True)
                codes = np.array([words.setdefault(str(u), len(words)) for u in unique], dtype=np.int32)[inverse]
                self.parts[name].append(codes.astype(np.uint8 if len(words) <= 256 else np.int32))
        self.rows += n

    def _ends(self, end: str, ids: Any) -> Array:
        unique, inverse = np.unique(np.asarray(ids), return_inverse=True)
        text = unique.astype(str).tolist()
        if self.closed:
            rows = np.array([self.row.get(t, -1) for t in text], dtype=np.int32)
            if (bad := np.flatnonzero((rows < 0)[inverse])).size:
                raise self._bad(f"{end} is not among the {len(self.row)} neurons", bad, unique[inverse])
        else:
            rows = np.array([self.row.setdefault(t, len(self.row)) for t in text], dtype=np.int32)
        return rows[inverse]

    def _numbers(self, name: str, values: Any) -> Array:
        array = np.asarray(values)
        if array.dtype.kind in "biuf":
            return array
        try:
            return array.astype(np.float64)
        except ValueError:
            for i, word in enumerate(array.tolist()):
                try:
                    float(word)
                except (ValueError, TypeError):
                    raise self._bad(f"{name} is not a number", np.array([i]), array) from None
            raise

    def _bad(self, what: str, rows: Array, values: Array) -> ConnectomeError:
        first = ", ".join(f"row {self.rows + i}: {values[i]}" for i in rows[:5].tolist())
        return ConnectomeError(f"{what} in {rows.size} rows ({first}{', ...' if rows.size > 5 else ''})")

    def finish(self) -> dict[str, Any]:
        done: dict[str, Any] = {}
        for name in EDGE:
            if parts := self.parts.pop(name):
                done[name] = np.concatenate(parts)
                if len(done[name]) != self.rows:
                    raise ConnectomeError(f"{name} has {len(done[name])} rows, pre has {self.rows}")
        for name, words in self.words.items():
            if name in done:
                done[name] = Labels(done[name], tuple(words))
        for end in ("pre", "post"):
            done.setdefault(end, np.empty(0, np.int32))
        done.setdefault("weight", np.ones(self.rows, np.float32))
        return done


def from_table(neurons: Columns | None, edges: Columns | Iterable[Columns], **options: Any) -> Connectome:
    """From columns by the schema above; `edges` may come in chunks. neurons None: the ids that occur in the edges.

    signed: weights carry the sign (negative = inhibitory). source: text for `Connectome.source`.
    Raises ConnectomeError for missing columns, unknown or double ids and bad numbers, with their rows.
    """
    signed, source = options.pop("signed", False), options.pop("source", "")
    if options:
        raise TypeError(f"unknown options {sorted(options)}; there are: signed, source")
    if neurons is not None and "id" not in neurons:
        raise ConnectomeError(f"no column 'id' in the neurons; {bestiary.nearest('id', neurons, 'column')}")
    table = _Edges(None if neurons is None else np.asarray(neurons["id"]), signed)
    for chunk in [edges] if isinstance(edges, Mapping) else edges:
        table.add(chunk)
    about: dict[str, Any] = {}
    if neurons is None:
        about["ids"] = np.array(list(table.row), dtype=str)
    else:
        about["ids"] = np.asarray(neurons["id"]).astype(str)
        about |= {TEXT[c]: v for c, v in neurons.items() if c in TEXT}
        if all(c in neurons for c in PLACE):
            about["position_um"] = np.stack([_floats(neurons[c], c) for c in PLACE], 1)
        known = {"id", *TEXT, *PLACE}
        about["extra"] = {c: _typed(v) for c, v in neurons.items() if c not in known}
    return Connectome(**about, **table.finish(), source=source)


def _floats(values: Any, name: str) -> Array:
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float32)
    try:
        return np.array([float(v) if v not in ("", None) else np.nan for v in array.tolist()], dtype=np.float32)
    except ValueError as error:
        raise ConnectomeError(f"neuron column {name!r} is not numeric: {error}") from None


def _typed(values: Any) -> Array:
    """Text columns that hold only numbers become numbers."""
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array
    for dtype in (np.int64, np.float64):
        try:
            return array.astype(str).astype(dtype)
        except (ValueError, OverflowError):
            pass
    return array.astype(str)


def from_scipy(
    matrix: Any, ids: Any = None, *, kind: str = "chemical", signed: bool = False, source: str = ""
) -> Connectome:
    """From a square sparse (or dense) matrix, row = presynaptic. ids (N,), default 0 to N-1. signed: as in
    from_table.
    """
    import scipy.sparse

    coo = scipy.sparse.coo_array(matrix)
    if coo.ndim != 2 or coo.shape[0] != coo.shape[1]:
        raise ConnectomeError(f"the matrix must be square (neurons x neurons), got {coo.shape}")
    names = np.arange(coo.shape[0]) if ids is None else np.asarray(ids)
    if len(names) != coo.shape[0]:
        raise ConnectomeError(f"{len(names)} ids for a matrix of {coo.shape[0]} neurons")
    pre, post = coo.coords
    sign: Any = np.sign(coo.data).astype(np.int8) if signed else 1
    weight = abs(coo.data) if signed else coo.data
    return Connectome(ids=names, pre=pre, post=post, weight=weight, sign=sign, kind=kind, source=source)


def to_table(table: Connectome) -> tuple[dict[str, Array], dict[str, Array]]:
    """(neurons, edges) as columns by the schema above, edges by id."""
    cells = {"id": table.ids} | {c: getattr(table, f) for c, f in TEXT.items()}
    cells |= dict(zip(PLACE, table.position_um.T, strict=True)) | dict(table.extra)
    edges = {"pre": table.ids[table.pre], "post": table.ids[table.post]}
    edges |= {c: getattr(table, c) for c in NUMBERS} | {c: getattr(table, c).text() for c in LABELS}
    return cells, edges


def shortest(values: Array) -> list[Any]:
    """Shortest text that reads back as the same float32."""
    return np.asarray(values).astype(str).tolist() if values.dtype.kind == "f" else values.tolist()
