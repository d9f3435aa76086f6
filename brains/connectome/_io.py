"""Connectomes from and to files. One schema, whatever the format.

Neurons: `id` (text or integer, unique; required), `name`, `type`, `kind`, `side`, `transmitter` (text), `x_um`, `y_um`,
`z_um`; any other column becomes `extra`.
Edges: `pre`, `post` (ids; required), `weight` (>= 0, default 1), `sign` (-1, 0, 1; default 1), `kind`, `sign_by`,
`provenance` (text), `delay_s` (>= 0). The order of columns and rows is free; other columns are ignored.

| format | neurons | edges |
|---|---|---|
| `.csv`, `.csv.gz`, `.parquet` | `<stem>.neurons.<suffix>`, or `neurons=`; else the ids of the edges | the file |
| `.npz` | one file for both, no pickles | |
| `.graphml` | node attributes (yEd and networkx dialects of typed keys) | edge attributes |
| `.h5` (SONATA) | `/nodes/<population>/0/*`, in the file or `neurons=`; x, y, z in um | `/edges/<population>` |

SONATA: `syn_weight` or `nsyns` is the weight, `delay` is in ms, a population without a `kind` gives its name as kind;
attributes that stand only in node_types or edge_types CSV files are not read.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

import bestiary
from bestiary.brains.connectome._core import Connectome, Labels
from bestiary.errors import BestiaryError, ConnectomeError

Array = np.ndarray[Any, np.dtype[Any]]
Columns = Mapping[str, Any]
TEXT = {"name": "names", "type": "types", "kind": "kinds", "side": "sides", "transmitter": "transmitters"}
PLACE = ("x_um", "y_um", "z_um")
LABELS = {"kind": "chemical", "sign_by": "", "provenance": "EM_cell"}
NUMBERS = {"weight": np.float32, "sign": np.int8, "delay_s": np.float32}
EDGE = ("pre", "post", *NUMBERS, *LABELS)
CHUNK = 200_000  # rows held as text at a time
BYTES_PER_EDGE = 2 * 24  # the columns, and once more while the chunks are joined


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
    return Connectome(ids=names, pre=pre, post=post, weight=weight, sign=sign, kind=kind, source=source)  # type: ignore[arg-type]


def read_connectome(
    path: str | os.PathLike[str],
    neurons: str | os.PathLike[str] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    signed: bool = False,
    rows: int | None = None,
    memory_limit_bytes: float | None = None,
) -> Connectome:
    """Reads any format of the table above, by its suffix.

    columns: {name here: name in the file}, as {"pre": "Presynaptic_ID", "weight": "Connectivity"}, for CSV and Parquet.
    signed: weights carry the sign. rows: edges that there must be (a shorter file is refused).
    memory_limit_bytes: for CSV, refuses a file whose table would need more; default: the memory that is free.
    Raises ConnectomeError for a file that is damaged or cannot be right, MemoryError for one too large.
    """
    path = Path(path)
    suffix = _suffix(path)
    if not path.is_file():
        raise ConnectomeError(f"no file {path}")
    beside = Path(neurons) if neurons is not None else _beside(path, suffix)
    rename = {theirs: ours for ours, theirs in (columns or {}).items()}
    options = {"signed": signed, "source": path.name}
    try:
        if suffix in (".csv", ".csv.gz"):
            _preflight(path, memory_limit_bytes)
            cells = _whole(_csv_chunks(beside, rename)) if beside.is_file() else None
            table = from_table(cells, _csv_chunks(path, rename), **options)
        elif suffix == ".parquet":
            cells = _whole(_parquet_chunks(beside, rename)) if beside.is_file() else None
            table = from_table(cells, _parquet_chunks(path, rename), **options)
        elif suffix == ".npz":
            table = _read_npz(path)
        elif suffix == ".graphml":
            table = _read_graphml(path, options)
        else:
            table = _read_sonata(path, Path(neurons) if neurons is not None else path, options)
    except (BestiaryError, MemoryError, ImportError):
        raise
    except Exception as error:  # whatever zlib, zipfile, HDF5, Arrow or the XML parser makes of a damaged file
        raise ConnectomeError(f"{path} is damaged or not {suffix}: {error}") from error
    if rows is not None and table.n_edges != rows:
        raise ConnectomeError(f"{path} has {table.n_edges} edges, expected {rows}: the file is cut off or another one")
    return table


def write_connectome(
    table: Connectome, path: str | os.PathLike[str], neurons: str | os.PathLike[str] | None = None
) -> None:
    """Writes `table` in the format of the suffix; CSV and Parquet put the neurons into a second file."""
    path = Path(path)
    suffix = _suffix(path)
    beside = Path(neurons) if neurons is not None else _beside(path, suffix)
    cells, edges = to_table(table)
    if suffix in (".csv", ".csv.gz"):
        _write_csv(path, edges)
        _write_csv(beside, cells)
    elif suffix == ".parquet":
        pyarrow, parquet = _pyarrow()
        for file, part in ((path, edges), (beside, cells)):
            parquet.write_table(pyarrow.table(part), file)
    elif suffix == ".npz":
        _write_npz(table, path)
    elif suffix == ".graphml":
        _write_graphml(path, cells, edges)
    else:
        _write_sonata(table, path, cells)


def to_table(table: Connectome) -> tuple[dict[str, Array], dict[str, Array]]:
    """(neurons, edges) as columns by the schema above, edges by id."""
    cells = {"id": table.ids} | {c: getattr(table, f) for c, f in TEXT.items()}
    cells |= dict(zip(PLACE, table.position_um.T, strict=True)) | dict(table.extra)
    edges = {"pre": table.ids[table.pre], "post": table.ids[table.post]}
    edges |= {c: getattr(table, c) for c in NUMBERS} | {c: getattr(table, c).text() for c in LABELS}
    return cells, edges


def _suffix(path: Path) -> str:
    name = path.name.lower()
    for suffix in (".csv.gz", ".csv", ".parquet", ".npz", ".graphml", ".h5"):
        if name.endswith(suffix):
            return suffix
    raise ConnectomeError(
        f"{path.name}: unknown format; formats there are: .csv, .csv.gz, .parquet, .npz, .graphml, .h5"
    )


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name[: -len(suffix)] + ".neurons" + suffix)


def _whole(chunks: Iterator[Columns]) -> dict[str, Array]:
    parts = list(chunks)
    return {c: np.concatenate([np.asarray(p[c]) for p in parts]) for c in parts[0]}


# --- CSV


def _lines(path: Path) -> Iterator[str]:
    """Lines of UTF-8 text, with or without BOM, any line end. Raises ConnectomeError with the byte offset otherwise."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    opener: Any = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as file:
        offset = 0
        while line := file.readline():
            if offset == 0:
                line = line.removeprefix(codecs.BOM_UTF8)
            try:
                yield decoder.decode(line, final=True)
            except UnicodeDecodeError as error:
                at = offset + error.start + (3 if offset == 0 and file.tell() > len(line) else 0)
                raise ConnectomeError(
                    f"{path.name} is not UTF-8: byte {line[error.start]:#04x} at offset {at}; save it as UTF-8"
                ) from None
            offset = file.tell()


def _csv_chunks(path: Path, rename: Mapping[str, str]) -> Iterator[Columns]:
    reader = csv.reader(_lines(path))
    head = next(reader, None)
    if not head or not any(h.strip() for h in head):
        raise ConnectomeError(f"{path.name} is empty: it needs a header line and rows")
    names = [rename.get(h.strip(), h.strip()) for h in head]
    if len(set(names)) != len(names):
        raise ConnectomeError(f"{path.name}: a column occurs twice in the header {names}")
    rows: list[list[str]] = []
    count = 0
    for row in reader:
        if not row:
            continue
        if len(row) != len(names):
            raise ConnectomeError(f"{path.name}: row {count} has {len(row)} fields, the header has {len(names)}")
        rows.append(row)
        count += 1
        if len(rows) == CHUNK:
            yield dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
            rows = []
    if not count:
        raise ConnectomeError(f"{path.name} has a header and no rows")
    if rows:
        yield dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _preflight(path: Path, limit: float | None) -> None:
    """Refuses before reading when the columns would not fit: rows are estimated from the first megabyte."""
    if path.name.lower().endswith(".gz"):
        return  # the unpacked size is not known
    size = path.stat().st_size
    with open(path, "rb") as file:
        sample = file.read(1 << 20)
    rows = size / max(1, len(sample)) * max(1, sample.count(b"\n"))
    need = rows * BYTES_PER_EDGE
    if limit is None:
        limit = _free_bytes()
    if need > limit:
        raise MemoryError(
            f"{path.name}: about {rows:.3g} edges need {need / 1e9:.2g} GB, {limit / 1e9:.2g} GB are free; "
            "split the file, or keep only edges above a weight"
        )


def _free_bytes() -> float:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next(float(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return float("inf")


def _write_csv(path: Path, columns: Mapping[str, Array]) -> None:
    opener: Any = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        n = len(next(iter(columns.values())))
        for i in range(0, n, CHUNK):
            writer.writerows(zip(*(_shortest(v[i : i + CHUNK]) for v in columns.values()), strict=True))


def _shortest(values: Array) -> list[Any]:
    """Shortest text that reads back as the same float32."""
    return np.asarray(values).astype(str).tolist() if values.dtype.kind == "f" else values.tolist()


# --- Parquet


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ImportError("Parquet needs pyarrow: pip install 'bestiary[parquet]'") from None
    return pyarrow, pyarrow.parquet


def _parquet_chunks(path: Path, rename: Mapping[str, str]) -> Iterator[Columns]:
    file = _pyarrow()[1].ParquetFile(path)
    wanted = {*EDGE, "id", *rename}
    names = (
        [n for n in file.schema_arrow.names if n in wanted]
        if "pre" in {rename.get(n, n) for n in file.schema_arrow.names}
        else None
    )
    rows = 0
    for batch in file.iter_batches(1_000_000, columns=names):
        rows += batch.num_rows
        yield {rename.get(n, n): batch.column(n).to_numpy(zero_copy_only=False) for n in batch.schema.names}
    if not rows:
        raise ConnectomeError(f"{path.name} has no rows")


# --- npz


def _write_npz(table: Connectome, path: Path) -> None:
    arrays: dict[str, Any] = {"ids": table.ids, "position_um": table.position_um, "source": np.array(table.source)}
    arrays |= {f: getattr(table, f) for f in TEXT.values()} | {c: getattr(table, c) for c in ("pre", "post", *NUMBERS)}
    arrays |= {f"extra/{k}": v for k, v in table.extra.items()}
    for name in LABELS:
        labels = getattr(table, name)
        arrays |= {f"{name}/codes": labels.codes, f"{name}/values": np.array(labels.values, dtype=str)}
    np.savez_compressed(path, **arrays)


def _read_npz(path: Path) -> Connectome:
    with np.load(path, allow_pickle=False) as file:
        got = {name: file[name] for name in file.files}
    for name in ("ids", "pre", "post", "weight"):
        if name not in got:
            raise ConnectomeError(f"{path.name} has no array {name!r}; arrays there are: {', '.join(sorted(got))}")
    known = {"ids", "position_um", *TEXT.values(), "pre", "post", *NUMBERS}
    fields: dict[str, Any] = {k: v for k, v in got.items() if k in known}
    for name in LABELS:
        if f"{name}/codes" in got:
            codes, values = got[f"{name}/codes"], tuple(got[f"{name}/values"].tolist())
            if codes.size and codes.max() >= len(values):
                raise ConnectomeError(f"{path.name}: {name} has code {codes.max()} for {len(values)} words")
            fields[name] = Labels(codes, values)
    extra = {k.removeprefix("extra/"): v for k, v in got.items() if k.startswith("extra/")}
    return Connectome(**fields, extra=extra, source=str(got.get("source", path.name)))


# --- GraphML


def _read_graphml(path: Path, options: dict[str, Any]) -> Connectome:
    """Streams the file; `<data>` keys are looked up by their attr.name, edges keep the schema's columns."""
    names: dict[str, str] = {}
    cells: list[dict[str, str]] = []
    edges: list[dict[str, str]] = []
    for _, element in ElementTree.iterparse(path):
        tag = element.tag.rpartition("}")[2]
        if tag == "key":
            names[element.attrib["id"]] = element.attrib.get("attr.name", element.attrib["id"])
        elif tag in ("node", "edge"):
            data = {names.get(d.attrib["key"], d.attrib["key"]): d.text or "" for d in element}
            if tag == "node":
                cells.append({**data, "id": element.attrib["id"]})
            else:
                edges.append({**data, "pre": element.attrib["source"], "post": element.attrib["target"]})
            element.clear()
    if not cells:
        raise ConnectomeError(f"{path.name} has no nodes")
    neurons = {c: [row.get(c, "") for row in cells] for c in dict.fromkeys(k for row in cells for k in row)}
    default = {"weight": "1", "sign": "1", "delay_s": "0", **LABELS}
    present = [c for c in EDGE if c in ("pre", "post") or any(c in e for e in edges)]
    return from_table(neurons, {c: [e.get(c, default.get(c, "")) for e in edges] for c in present}, **options)


def _write_graphml(path: Path, cells: Mapping[str, Array], edges: Mapping[str, Array]) -> None:
    from xml.sax.saxutils import escape, quoteattr

    with open(path, "w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n')
        for owner, columns in (("node", cells), ("edge", edges)):
            for c, v in columns.items():
                if c not in ("id", "pre", "post"):
                    kind = {"f": "double", "i": "long", "u": "long"}.get(v.dtype.kind, "string")
                    name = f"id={quoteattr(owner + '_' + c)} attr.name={quoteattr(c)}"
                    file.write(f'<key {name} for="{owner}" attr.type="{kind}"/>\n')
        file.write('<graph edgedefault="directed">\n')
        for owner, columns in (("node", cells), ("edge", edges)):
            text = {c: _shortest(v) for c, v in columns.items()}
            for i in range(len(next(iter(text.values())))):
                ends = (
                    f"id={quoteattr(text['id'][i])}"
                    if owner == "node"
                    else (f"source={quoteattr(text['pre'][i])} target={quoteattr(text['post'][i])}")
                )
                data = "".join(
                    f"<data key={quoteattr(owner + '_' + c)}>{escape(str(v[i]))}</data>"
                    for c, v in text.items()
                    if c not in ("id", "pre", "post")
                )
                file.write(f"<{owner} {ends}>{data}</{owner}>\n")
        file.write("</graph>\n</graphml>\n")


# --- SONATA (Dai et al. 2020 PLoS Comput Biol 16:e1007696)


def _read_sonata(path: Path, nodes: Path, options: dict[str, Any]) -> Connectome:
    import h5py

    with h5py.File(nodes, "r") as file:
        if "nodes" not in file:
            raise ConnectomeError(f"{nodes.name} has no /nodes; give the nodes file as neurons=")
        start: dict[str, int] = {}
        parts: list[dict[str, Array]] = []
        for name, population in file["nodes"].items():
            start[name] = sum(len(p["id"]) for p in parts)
            parts.append(_sonata_nodes(name, population, len(file["nodes"]) > 1))
    columns = [c for c in parts[0] if all(c in p for p in parts)]
    cells = {c: np.concatenate([p[c] for p in parts]) for c in columns}
    with h5py.File(path, "r") as file:
        if "edges" not in file:
            raise ConnectomeError(f"{path.name} has no /edges")
        chunks = [_sonata_edges(n, p, start, cells["id"]) for n, p in file["edges"].items()]
    return from_table(cells, chunks, **options)


def _sonata_nodes(name: str, population: Any, several: bool) -> dict[str, Array]:
    n = len(population["node_type_id"])
    got = {k: _text(v[()]) for k, v in population.get("0", {}).items() if getattr(v, "shape", (0,))[0] == n}
    place = {"x": "x_um", "y": "y_um", "z": "z_um"}
    cells = {place.get(k, k): v for k, v in got.items()}
    number = population["node_id"][()] if "node_id" in population else np.arange(n)
    cells.setdefault("id", np.array([f"{name}/{i}" if several else str(i) for i in number.tolist()]))
    return cells


def _sonata_edges(name: str, population: Any, start: Mapping[str, int], ids: Array) -> dict[str, Any]:
    edges: dict[str, Any] = {}
    for end, ours in (("source_node_id", "pre"), ("target_node_id", "post")):
        whose = population[end].attrs.get("node_population", next(iter(start)))
        whose = whose.decode() if isinstance(whose, bytes) else str(whose)
        if whose not in start:
            raise ConnectomeError(
                f"edges {name!r}: {end} points to {whose!r}; {bestiary.nearest(whose, start, 'population')}"
            )
        rows = population[end][()].astype(np.int64) + start[whose]
        if (bad := np.flatnonzero((rows < 0) | (rows >= len(ids)))).size:
            raise ConnectomeError(f"edges {name!r}: {end} is no node in {bad.size} rows (row {bad[0]}: {rows[bad[0]]})")
        edges[ours] = ids[rows]
    n = len(edges["pre"])
    group = population.get("0", {})
    for theirs, ours in (("nsyns", "weight"), ("syn_weight", "weight"), *((c, c) for c in EDGE[2:])):
        if theirs in group:
            edges[ours] = _text(group[theirs][()])
    if "delay" in group and "delay_s" not in edges:
        edges["delay_s"] = group["delay"][()] / 1e3
    for column, value in {
        "weight": 1.0,
        "sign": 1,
        "delay_s": 0.0,
        "kind": name,
        "sign_by": "",
        "provenance": "EM_cell",
    }.items():
        edges.setdefault(column, np.full(n, value))
    return edges


def _text(values: Array) -> Array:
    return (
        np.array([v.decode() if isinstance(v, bytes) else str(v) for v in values])
        if values.dtype.kind in "SO"
        else values
    )


def _write_sonata(table: Connectome, path: Path, cells: Mapping[str, Array]) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["magic"] = np.uint32(0x0A7A)
        file.attrs["version"] = np.array([0, 1], dtype=np.uint32)
        nodes = file.create_group("nodes/neurons")
        nodes["node_type_id"] = np.zeros(len(table), np.int32)
        nodes["node_id"] = np.arange(len(table))
        for c, v in cells.items():
            nodes[f"0/{c.removesuffix('_um') if c in PLACE else c}"] = (
                v.astype("S")
                if v.dtype.kind == "U" and _ascii(v)
                else (v.astype(h5py.string_dtype()) if v.dtype.kind == "U" else v)
            )
        edges = file.create_group("edges/neurons_to_neurons")
        for end, rows in (("source_node_id", table.pre), ("target_node_id", table.post)):
            edges[end] = rows.astype(np.uint64)
            edges[end].attrs["node_population"] = "neurons"
        edges["edge_type_id"] = np.zeros(table.n_edges, np.int32)
        edges["edge_group_id"] = np.zeros(table.n_edges, np.int32)
        edges["edge_group_index"] = np.arange(table.n_edges)
        edges["0/syn_weight"] = table.weight
        edges["0/delay"] = table.delay_s.astype(np.float64) * 1e3
        edges["0/sign"] = table.sign
        for name in LABELS:
            edges[f"0/{name}"] = getattr(table, name).text().astype("S")


def _ascii(values: Array) -> bool:
    return all(str(v).isascii() for v in np.unique(values))
