"""FlyWire 783: the importer of the whole fly brain, its names and its sides. Files that cannot be right are refused.

Sides are those of Codex. The table of descending neurons of Stuerner 2025 and the notebook of Shiu 2024 are mirrored
against it; whoever names a neuron by them is told (`check_name`).
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bestiary import assets
from bestiary.brains.connectome import Connectome
from bestiary.errors import ConnectomeError, DataError

Array = np.ndarray[Any, np.dtype[Any]]

NEURONS, EDGES = 138_639, 15_091_983  # rows of Completeness_783.csv and Connectivity_783.parquet, Shiu et al. 2024
OLD_NEURONS, OLD_EDGES = 127_400, 14_687_178  # the same files of materialisation 630
PREFIX = "720575940"  # of every FlyWire root id; short ids leave it out
COLUMNS = (
    "Presynaptic_ID",
    "Postsynaptic_ID",
    "Presynaptic_Index",
    "Postsynaptic_Index",
    "Connectivity",
    "Excitatory",
)
HISTAMINERGIC = ("R1-6", "R7", "R8", "photo_receptor")  # Davis 2020 eLife 9:e50901; the classifier calls them ACh


def flywire_connectome(
    edges: str | Path | None = None,
    completeness: str | Path | None = None,
    *,
    counts: tuple[int, int] | None = (NEURONS, EDGES),
    named: Mapping[str, str] | None = None,
    histamine: bool = False,
) -> Connectome:
    """All connections of FlyWire 783 in the order of the published model: 138,639 neurons, 15,091,983 edges.

    edges: a Parquet file with the columns COLUMNS; Connectivity is synapses, Excitatory 1 or -1. completeness: CSV
    whose first column is the root id of each index. None takes them from the registry. counts: neurons and edges that
    the files must have; None takes what comes. named: further names -> root ids, checked by `check_name`. histamine:
    photoreceptors inhibit (they are histaminergic; the published model takes them as excitatory).

    Types and transmitters come from the annotation tables of the registry where they are at hand.
    Raises DataError for files that are missing, cut short, of another version, or do not belong together.
    """
    from bestiary.assets import registry

    edges = Path(edges) if edges is not None else registry.path("flywire-783-edges", "Connectivity_783.parquet")
    if completeness is None:
        completeness = registry.path("flywire-shiu-model", "Completeness_783.csv")
    ids = _ids(Path(completeness), None if counts is None else counts[0])
    table = _edges(Path(edges), ids, Path(completeness), None if counts is None else counts[1])
    about = annotated(ids) or _from_names(ids)
    for name, root in (named or {}).items():
        check_name(name, root)
    names, types = names_of(ids, about.get("types"), named or {})
    columns: dict[str, Any] = {**about, "types": types, "names": names}
    made = Connectome(
        ids=np.array(ids),
        **columns,
        pre=table["Presynaptic_Index"].astype(np.int32),
        post=table["Postsynaptic_Index"].astype(np.int32),
        weight=table["Connectivity"].astype(np.float32),
        sign=table["Excitatory"].astype(np.int8),
        sign_by="transmitter",
        source=f"FlyWire 783, {edges.name}",
    )
    return histaminergic(made) if histamine else made


def histaminergic(table: Connectome) -> Connectome:
    """The table with photoreceptors inhibitory. Raises DataError where it does not say who they are."""
    cells = np.isin(table.types, HISTAMINERGIC)
    if not cells.any():
        raise DataError(
            f"no cell of the types {', '.join(HISTAMINERGIC)}: the correction needs the registry's "
            "flywire-783-annotations (`bestiary data get flywire-783-annotations`)"
        )
    return replace(
        table,
        sign=np.where(cells[table.pre], -1, table.sign).astype(np.int8),
        transmitters=np.where(cells, "HIST", table.transmitters),
        source=f"{table.source}; photoreceptors histaminergic",
    )


def _ids(file: Path, count: int | None) -> list[str]:
    """Root ids in the order of the model."""
    try:
        with open(file, encoding="utf-8", newline="") as text:
            ids = [row[0].strip() if row else "" for row in csv.reader(text)][1:]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}") from None
    if count is not None and len(ids) != count:
        raise DataError(f"{file} has {len(ids)} neurons, {count} are wanted{_version(len(ids), OLD_NEURONS)}")
    found = np.array(ids)
    good = np.array([i.isdigit() and len(i) == 18 and i.startswith(PREFIX) for i in ids], bool)
    _refuse(file, ~good, f"an id is missing or no FlyWire root id ({PREFIX}...)", found)
    order = np.argsort(found, kind="stable")
    double = np.zeros(len(found), bool)
    double[order[1:]] = found[order[1:]] == found[order[:-1]]
    _refuse(file, double, "an id occurs twice", found)
    return ids


def _edges(file: Path, ids: list[str], completeness: Path, count: int | None) -> dict[str, Array]:
    """The columns, checked against the ids and against each other."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise DataError("reading Parquet needs pyarrow: pip install bestiary[parquet]") from None
    try:
        with parquet.ParquetFile(file) as opened:
            there, rows = opened.schema_arrow.names, opened.metadata.num_rows
            if missing := [c for c in COLUMNS if c not in there]:
                raise DataError(f"{file} lacks the columns {', '.join(missing)}; it has {', '.join(there)}")
            if count is not None and rows != count:
                raise DataError(f"{file} has {rows} edges, {count} are wanted{_version(rows, OLD_EDGES)}")
            table = opened.read(columns=list(COLUMNS))
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file} cannot be read as Parquet: {error}; download it again") from None
    out = {}
    for name in COLUMNS:
        column = table[name]
        if column.null_count:
            _refuse(file, column.is_null().to_numpy(), f"{name} is missing", np.full(rows, "null"))
        values = column.to_numpy()
        if values.dtype.kind not in "iuf":
            raise DataError(f"{file}: {name} must be numbers, got {column.type}")
        if values.dtype.kind == "f":
            _refuse(file, ~np.isfinite(values), f"{name} is not finite", values)
            _refuse(file, values != np.rint(values), f"{name} is no whole number", values)
        out[name] = values
    n, known = len(ids), np.array(ids, np.int64) if ids else np.empty(0, np.int64)
    order = np.sort(known)
    for end in ("Presynaptic", "Postsynaptic"):
        index, root = out[f"{end}_Index"], out[f"{end}_ID"].astype(np.int64)
        place = np.minimum(np.searchsorted(order, root), n - 1)
        strange = order[place] != root if n else np.ones(len(root), bool)
        _refuse(file, strange, f"{end}_ID is not one of the {n} neurons of {completeness.name}", root)
        _refuse(file, (index < 0) | (index >= n), f"{end}_Index is no row of the {n} neurons", index)
        wrong = known[index] != root
        if wrong.any():
            at = np.flatnonzero(wrong)
            first = ", ".join(f"row {i}: {root[i]}, not {known[index[i]]}" for i in at[:5].tolist())
            raise DataError(
                f"{file} and {completeness} do not belong together: {len(at)} ids of {len(root)} rows differ "
                f"({first}); take both from one release"
            )
    count_of = out["Connectivity"]
    _refuse(file, count_of <= 0, "Connectivity is not positive: it counts synapses, Excitatory has the sign", count_of)
    sign = out["Excitatory"]
    _refuse(file, ~np.isin(sign, (-1, 1)), "Excitatory is neither 1 nor -1", sign)
    key = out["Presynaptic_Index"].astype(np.int64) * n + out["Postsynaptic_Index"]
    by_key = np.argsort(key, kind="stable")
    double = np.zeros(len(key), bool)
    double[by_key[1:]] = key[by_key[1:]] == key[by_key[:-1]]
    _refuse(file, double, "an edge occurs twice", out["Presynaptic_ID"])
    return out


def _version(rows: int, old: int) -> str:
    return "; that is materialisation 630, whose ids differ: take 783" if rows == old else "; download it again"


def _refuse(file: Path, bad: Array, what: str, values: Array) -> None:
    """DataError for the rows where `bad`: how many, and the first five."""
    if (at := np.flatnonzero(bad)).size:
        first = ", ".join(f"row {i}: {values[i]}" for i in at[:5].tolist())
        raise DataError(f"{file}: {what} in {at.size} of {len(values)} rows ({first}{', ...' if at.size > 5 else ''})")


# --- names and sides


@lru_cache(1)
def named_neurons() -> dict[str, tuple[str, str]]:
    """name -> (root id, type) of assets/fly/named_neurons.csv: `DNa02_L`, `MN9_R`, `sugar1_L`. Sides are Codex's."""
    return {r["name"]: (r["root_id"], r["type"]) for r in assets.rows("fly", "named_neurons.csv")}


def check_name(name: str, root_id: str) -> None:
    """Raises ConnectomeError where `name` stands for another neuron than `root_id`, and says which side it is on."""
    known = named_neurons()
    root_id = str(root_id)
    if known.get(name, (root_id, ""))[0] == root_id and (owner := _owner(root_id)) in (name, ""):
        return
    owner = _owner(root_id)
    right = known.get(name, ("", ""))[0]
    mirrored = bool(owner) and owner[:-1] == name[:-1] and owner != name
    why = "; that table is mirrored against Codex (Stuerner 2025 and the notebook of Shiu 2024 are)" if mirrored else ""
    is_now = f"{root_id} is {owner} in Codex 783{why}" if owner else f"{root_id} is not the {name} of Codex 783"
    raise ConnectomeError(f"{is_now}; {name} is {right}" if right else is_now)


def _owner(root_id: str) -> str:
    return next((n for n, (i, _) in named_neurons().items() if i == root_id), "")


def names_of(ids: Sequence[str], types: Array | None, more: Mapping[str, str]) -> tuple[Array, Array]:
    """(names, types): the published name where there is one, else the id; a named cell has the type of its name."""
    row = {i: k for k, i in enumerate(ids)}
    names = np.array(ids, dtype="U32")
    kinds = np.array([""] * len(ids) if types is None else types, dtype="U32")
    taken: dict[int, str] = {}
    for name, (root, word) in named_neurons().items():
        if root in row:
            names[row[root]], kinds[row[root]], taken[row[root]] = name, word, name
    for name, root in more.items():
        if str(root) not in row:
            raise ConnectomeError(f"{name} is named {root}, which is none of the {len(ids)} neurons")
        names[row[str(root)]] = name
    _descending(row, names, kinds, taken)
    return names, kinds


def _descending(row: Mapping[str, int], names: Array, types: Array, taken: Mapping[int, str]) -> None:
    """Types of the other descending neurons, where the registry's table of them is at hand."""
    from bestiary.assets import registry

    if (files := registry.at_hand("fly-neck", "Supplemental_file5_FAFB_DNs.tsv")) is None:
        return
    with open(files[0], encoding="utf-8", newline="") as text:
        for cell in csv.DictReader(text, delimiter="\t"):
            at = row.get(cell["root_id"])
            if at is not None and at not in taken and cell["type"]:
                types[at] = cell["type"]


def _from_names(ids: Sequence[str]) -> dict[str, Array]:
    """Kinds and sides of the named cells, where the tables are not at hand."""
    cell = {root: (kind_of(word), name[-1]) for name, (root, word) in named_neurons().items()}
    kinds, sides = zip(*(cell.get(i, ("", "")) for i in ids), strict=True)
    return {"kinds": np.array(kinds), "sides": np.array(sides)}


_SENSORY = ("sugar", "water", "bitter", "Ir94e", "JO_", "ORN_")


def kind_of(word: str) -> str:
    """The super-class of a type of named_neurons.csv."""
    if word.startswith(_SENSORY):
        return "sensory"
    if word.startswith("MN"):
        return "motor"
    return "descending" if word.startswith(("DN", "MDN", "cDN")) and word != "MDN_hIN" else "central"


def annotated(ids: Sequence[str]) -> dict[str, Array]:
    """Columns `types`, `kinds`, `sides`, `transmitters` of FlyWire 783 root ids; {} where the tables are not at hand.

    A type is the visual type where that table is at hand too, else the sub-class, else the class.
    """
    from bestiary.assets import registry

    tables = registry.at_hand("flywire-783-annotations", "neurons.csv.gz", "classification.csv.gz")
    if tables is None:
        return {}
    cells = by_id(tables[0], "root_id", "nt_type")
    classes = by_id(tables[1], "root_id", "super_class", "class", "sub_class", "side")
    visual = registry.at_hand("flywire-783-annotations", "visual_neuron_types.csv.gz")
    types = by_id(visual[0], "root_id", "type") if visual else {}
    kind, broad, narrow, side = zip(*(classes.get(i, ("",) * 4) for i in ids), strict=True)
    return {
        "types": np.array([types.get(i, (n or b,))[0] for i, b, n in zip(ids, broad, narrow, strict=True)]),
        "kinds": np.array(kind),
        "sides": np.array([{"left": "L", "right": "R"}.get(s, "") for s in side]),
        "transmitters": np.array([cells.get(i, ("",))[0] for i in ids]),
    }


def by_id(path: Path, key: str, *columns: str) -> dict[str, tuple[str, ...]]:
    """Rows of a gzipped CSV by their id."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        head = next(rows)
        k, at = head.index(key), [head.index(c) for c in columns]
        return {row[k]: tuple(row[a] for a in at) for row in rows}
