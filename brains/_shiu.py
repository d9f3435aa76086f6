"""The published whole-brain fly model (Shiu et al. 2024 Nature 634:210) on any connectome, and its connectomes."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bestiary.brains.connectome import Connectome
from bestiary.brains.spiking import Exponential, Network, Poisson, Projection, Shiu
from bestiary.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

# Shiu et al. 2024, Methods, and model.py of their repository
WEIGHT_MV = 0.275  # one synapse, times the sign of the transmitter
DRIVE_MV = 0.275 * 250  # one Poisson input spike
DELAY_S = 0.0018
SYNAPSE_TAU_S = 0.005
DT_S = 1e-4
PREFIX = "720575940"  # of every FlyWire root id; short ids leave it out


def shiu_network(
    connectome: Connectome, drive: Mapping[Any, float] | None = None, *, dt_s: float = DT_S, **options: Any
) -> Network:
    """The model on `connectome`: weight = synapse counts. drive: neurons (a `select` query, lists as tuples) to Hz.

    options: further fields of Network, such as current=True.
    """
    inputs = tuple(
        Poisson(list(q) if isinstance(q, tuple) else q, hz, DRIVE_MV, refractory=False)
        for q, hz in (drive or {}).items()
    )
    synapses = (Projection(Exponential(SYNAPSE_TAU_S), WEIGHT_MV),)
    return Network(connectome, Shiu(), synapses, dt_s=dt_s, delay_s=DELAY_S, inputs=inputs, **options)


def p9_connectome(folder: str | Path | None = None) -> Connectome:
    """The 196 neurons of FlyWire 630 that are active when P9 (DNp09) is driven (Sapkal et al. 2024 Nature 634:191).

    4,715 signed edges. ids: FlyWire root ids; names: published names or the short id. folder: None asks the registry.
    """
    if folder is None:
        from bestiary.assets import registry

        folder = registry.path("fly-p9")
    folder = Path(folder)
    if not (folder / "nodes.csv").is_file():
        raise DataError(f"no nodes.csv in {folder}; `bestiary data path fly-p9` names the folder that has it")
    nodes, edges = _rows(folder / "nodes.csv"), _rows(folder / "edges.csv")
    named = {f"{r['name']}_{r['side'].lower()}": r["root_id_630"] for r in _named(folder)}
    names = [r["id"] for r in nodes]
    row = {name: i for i, name in enumerate(names)}
    return Connectome(
        ids=np.array([named.get(n, PREFIX + n if n.isdigit() else n) for n in names]),
        names=np.array(names),
        types=np.array(
            [n.rpartition("_")[0] if r["named"] == "true" else "" for n, r in zip(names, nodes, strict=True)]
        ),
        sides=np.array([r["side"].strip("?") for r in nodes]),
        pre=np.array([row[r["pre"]] for r in edges], np.int32),
        post=np.array([row[r["post"]] for r in edges], np.int32),
        weight=np.array([float(r["weight"]) for r in edges], np.float32),
        sign=np.array([int(r["sign"]) for r in edges], np.int8),
        sign_by="transmitter",  # type: ignore[arg-type]
        source="P9 subnetwork of FlyWire 630, Sapkal et al. 2024 Nature 634:191",
    )


def flywire_connectome(edges: str | Path | None = None, completeness: str | Path | None = None) -> Connectome:
    """All connections of FlyWire 783 in the order of the published model: 138,639 neurons, 15,091,983 edges.

    edges: a Parquet file with Presynaptic_Index, Postsynaptic_Index, Connectivity (synapses), Excitatory (1, -1)
    and the ids in Presynaptic_ID. completeness: CSV whose first column is the root id of each index. None
    takes them from the registry. Types and transmitters come from its annotation tables where they are at hand.
    Raises DataError for files that are missing, cut short or do not belong together.
    """
    from bestiary.assets import registry

    edges = Path(edges) if edges is not None else registry.path("flywire-783-edges", "Connectivity_783.parquet")
    if completeness is None:
        completeness = registry.path("flywire-shiu-model", "Completeness_783.csv")
    try:
        import pyarrow.parquet
    except ImportError:
        raise DataError("reading Parquet needs pyarrow: pip install bestiary[parquet]") from None
    with open(completeness, encoding="utf-8", newline="") as file:
        ids = [row[0] for row in csv.reader(file)][1:]
    wanted = ["Presynaptic_Index", "Postsynaptic_Index", "Connectivity", "Excitatory", "Presynaptic_ID"]
    try:
        table = pyarrow.parquet.read_table(edges, columns=wanted)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{edges} cannot be read as Parquet: {error}; download it again") from None
    if missing := [w for w in wanted if w not in table.column_names]:
        raise DataError(f"{edges} lacks the columns {', '.join(missing)}; it has {', '.join(table.column_names)}")
    pre, post = (table[c].to_numpy().astype(np.int32) for c in wanted[:2])
    ends = table["Presynaptic_ID"].to_numpy()
    if len(pre) and max(pre.max(), post.max()) < len(ids) and (wrong := np.asarray(ids, np.int64)[pre] != ends).any():
        first = ", ".join(f"row {i}: {ends[i]}, not {ids[pre[i]]}" for i in np.flatnonzero(wrong)[:5].tolist())
        raise DataError(
            f"{edges} and {completeness} do not belong together: {int(wrong.sum())} ids differ ({first}); take both "
            "from one release"
        )
    return Connectome(
        ids=np.array(ids),
        **annotated(ids),  # type: ignore[arg-type]
        pre=pre,
        post=post,
        weight=table["Connectivity"].to_numpy().astype(np.float32),
        sign=table["Excitatory"].to_numpy().astype(np.int8),
        sign_by="transmitter",  # type: ignore[arg-type]
        source=f"FlyWire 783, {Path(edges).name}",
    )


def annotated(ids: Sequence[str]) -> dict[str, Array]:
    """Columns `types`, `kinds`, `sides`, `transmitters` of FlyWire 783 root ids; {} where the tables are not at hand.

    A type is the visual type, else the sub-class, else the class.
    """
    from bestiary.assets import registry

    root = registry.data_folder()
    tables = (root or Path()) / "fly" / "flywire783_tables"
    if not (tables / "classification.csv.gz").is_file():
        return {}
    cells = by_id(tables / "neurons.csv.gz", "root_id", "nt_type")
    classes = by_id(tables / "classification.csv.gz", "root_id", "super_class", "class", "sub_class", "side")
    types = by_id(tables / "visual_neuron_types.csv.gz", "root_id", "type")
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


def _named(folder: Path) -> list[dict[str, str]]:
    table = folder.parent / "shiu_model" / "bidaye_named_ids_630.csv"
    return [r for r in _rows(table) if r["side"] in ("L", "R")] if table.is_file() else []


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
