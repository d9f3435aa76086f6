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

SONATA: words of edges are enumerated (`@library`); `syn_weight` or `nsyns` is the weight, `delay` is in ms, a
population without a `kind` gives its name as kind; attributes that stand only in node_types or edge_types CSV files
are not read.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import os
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bestiary.brains.connectome._core import Connectome, Labels
from bestiary.brains.connectome._formats import read_graphml, read_sonata, write_graphml, write_sonata
from bestiary.brains.connectome._table import (
    EDGE,
    LABELS,
    NUMBERS,
    TEXT,
    Array,
    Columns,
    from_table,
    shortest,
    to_table,
)
from bestiary.errors import BestiaryError, ConnectomeError

CHUNK = 200_000  # rows held as text at a time
BYTES_PER_EDGE = 2 * 24  # the columns, and once more while the chunks are joined


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
            table = read_graphml(path, options)
        else:
            table = read_sonata(path, Path(neurons) if neurons is not None else path, options)
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
    """Writes `table` in the format of the suffix; CSV and Parquet put the neurons into a second file.

    A file appears when it is complete: a reader sees the old one or the new one, also with several writers.
    """
    path = Path(path)
    suffix = _suffix(path)
    cells, edges = to_table(table) if suffix != ".npz" else ({}, {})  # ids of every edge are large text
    with _whole_or_nothing(path, suffix) as part:
        if suffix in (".csv", ".csv.gz"):
            _write_csv(part, edges)
        elif suffix == ".parquet":
            _write_parquet(part, edges)
        elif suffix == ".npz":
            _write_npz(table, part)
        elif suffix == ".graphml":
            write_graphml(part, cells, edges)
        else:
            write_sonata(table, part, cells)
    if suffix in (".csv", ".csv.gz", ".parquet"):
        beside = Path(neurons) if neurons is not None else _beside(path, suffix)
        with _whole_or_nothing(beside, suffix) as part:
            (_write_parquet if suffix == ".parquet" else _write_csv)(part, cells)


@contextlib.contextmanager
def _whole_or_nothing(path: Path, suffix: str) -> Iterator[Path]:
    """A file of this writer's own, which takes the place of `path` when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}{suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


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
            writer.writerows(zip(*(shortest(v[i : i + CHUNK]) for v in columns.values()), strict=True))


# --- Parquet


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ImportError("Parquet needs pyarrow: pip install 'bestiary[parquet]'") from None
    return pyarrow, pyarrow.parquet


def _write_parquet(path: Path, columns: Mapping[str, Array]) -> None:
    pyarrow, parquet = _pyarrow()
    parquet.write_table(pyarrow.table(columns), path)


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
    with zipfile.ZipFile(path) as packed:
        need, limit = sum(member.file_size for member in packed.infolist()), _free_bytes()
    if need > limit:  # a small file can unpack to any size
        raise MemoryError(f"{path.name} unpacks to {need / 1e9:.2g} GB, {limit / 1e9:.2g} GB are free")
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
