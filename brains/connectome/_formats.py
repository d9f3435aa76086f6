"""GraphML and SONATA files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

import bestiary
from bestiary.assets._heap import check_heaps
from bestiary.brains.connectome._core import Connectome
from bestiary.brains.connectome._table import EDGE, LABELS, PLACE, Array, from_table, shortest
from bestiary.errors import ConnectomeError


def read_graphml(path: Path, options: dict[str, Any]) -> Connectome:
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


def write_graphml(path: Path, cells: Mapping[str, Array], edges: Mapping[str, Array]) -> None:
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
            text = {c: shortest(v) for c, v in columns.items()}
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


def read_sonata(path: Path, nodes: Path, options: dict[str, Any]) -> Connectome:
    import h5py

    for each in {path, nodes}:
        check_heaps(each)
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
    group = population.get("0", {})
    got = {k: _column(group, k) for k, v in group.items() if getattr(v, "shape", (0,))[0] == n}
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
            edges[ours] = _column(group, theirs)
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


def _column(group: Any, name: str) -> Array:
    """An attribute; one that is enumerated (`@library`) as words."""
    values = _text(group[name][()])
    if name not in group.get("@library", {}):
        return values
    words = _text(group["@library"][name][()])
    if values.size and not 0 <= int(values.min()) <= int(values.max()) < len(words):
        raise ConnectomeError(f"{name!r} is enumerated from 0 to {len(words) - 1}, and has {values.max()}")
    return np.asarray(words[values])


def _text(values: Array) -> Array:
    return (
        np.array([v.decode() if isinstance(v, bytes) else str(v) for v in values])
        if values.dtype.kind in "SO"
        else values
    )


def write_sonata(table: Connectome, path: Path, cells: Mapping[str, Array]) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["magic"] = np.uint32(0x0A7A)
        file.attrs["version"] = np.array([0, 1], dtype=np.uint32)
        nodes = file.create_group("nodes/neurons")
        n, e = len(table), table.n_edges
        nodes["node_type_id"] = nodes["node_group_id"] = np.zeros(n, np.int32)
        nodes["node_id"] = nodes["node_group_index"] = np.arange(n)
        words = h5py.string_dtype()  # of any length, UTF-8: what readers of SONATA expect
        for c, v in cells.items():
            nodes[f"0/{c.removesuffix('_um') if c in PLACE else c}"] = v.astype(words) if v.dtype.kind == "U" else v
        edges = file.create_group("edges/neurons_to_neurons")
        for end, rows in (("source_node_id", table.pre), ("target_node_id", table.post)):
            edges[end] = rows.astype(np.uint64)
            edges[end].attrs["node_population"] = "neurons"
        edges["edge_type_id"] = edges["edge_group_id"] = np.zeros(e, np.int32)
        edges["edge_group_index"] = np.arange(e)
        edges["0/syn_weight"] = table.weight
        edges["0/delay"] = table.delay_s.astype(np.float64) * 1e3
        edges["0/sign"] = table.sign
        for name in LABELS:  # enumerated, for a word an edge would be large
            labels = getattr(table, name)
            edges[f"0/{name}"] = labels.codes.astype(np.uint32)
            edges[f"0/@library/{name}"] = np.asarray(labels.values, dtype=object).astype(words)
