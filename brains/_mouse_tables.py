"""The measured tables of the 86-area cortex, checked: areas, matrices, numbers of cells, probabilities.

Nothing of them ships: they come through the registry (`mouse-86`, `mouse-mesoscale`, `mouse-densities`, `mouse-v1`).
Rows are targets and columns sources in every matrix.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary.errors import ConnectomeError, DataError

Array = np.ndarray[Any, np.dtype[Any]]

LAYERS = ("1", "23", "4", "5", "6")
CLASSES = ("E", "PV", "SST", "VIP")
# (target, source): far stronger this way than back, both in the voxel and the homogeneous model of Knox 2018; auditory
# to visual cortex is the known one (Ibrahim 2016 Neuron 89:1031)
ONE_WAY = (("VISp", "AUDp"), ("VISpm", "AUDp"), ("VISp", "RSPv"), ("MOs", "SSp-n"), ("TEa", "SSp-bfd"))
FIRST_ORDER = (("VISp", "LGd"), ("SSp-bfd", "VPM"), ("AUDp", "MG"), ("MOp", "VAL"))  # area, nucleus
# Density of a neighbour where the table lacks one (5 rows)
NEIGHBOUR = {"AIp": "AIv", "FRP": "ORBl", "ORBm": "ORBl"}


@dataclass(frozen=True, eq=False)
class CortexTables:
    """areas (43,), nuclei (39,). ipsi, contra (43, 43), from_thalamus (43, 39), to_thalamus (39, 43). cells: (area,
    layer, class) -> cells of one hemisphere; thalamic (39,) likewise. mm3: (area, layer) -> volume in one hemisphere.
    hierarchy (43,), 0 to 1. place (43, 2) on the flat map, mm (assumed size). pmax (19, 19) pre x post with kinds;
    psp: (class, class) -> (mV, SD of ln)."""

    areas: tuple[str, ...]
    nuclei: tuple[str, ...]
    ipsi: Array
    contra: Array
    from_thalamus: Array
    to_thalamus: Array
    cells: dict[tuple[str, str, str], float]
    thalamic: Array
    mm3: dict[tuple[str, str], float]
    hierarchy: Array
    place: Array
    pmax: Array
    kinds: tuple[str, ...]
    psp: dict[tuple[str, str], tuple[float, float]]


def check_matrix(
    matrix: Any, rows: Sequence[str], columns: Sequence[str], targets: Sequence[str], sources: Sequence[str], what: str
) -> Array:
    """The matrix in the order of targets and sources. Raises ConnectomeError, with names, for labels that are unknown,
    missing or double, values that are missing, negative or not finite, a wrong shape, and a transposed matrix."""
    found = np.asarray(matrix, float)
    if found.shape != (len(rows), len(columns)):
        raise ConnectomeError(f"{what} is {found.shape}, its labels say {(len(rows), len(columns))} (target, source)")
    if set(rows) == set(sources) != set(targets) and set(columns) == set(targets):
        raise ConnectomeError(f"{what}: rows are the sources and columns the targets: it seems transposed")
    for side, labels, known in (("row", rows, targets), ("column", columns, sources)):
        for name in labels:
            if name not in known:
                raise ConnectomeError(f"{what}: unknown {side} {name!r}; {bestiary.nearest(name, known, 'area')}")
            if list(labels).count(name) > 1:
                raise ConnectomeError(f"{what}: {side} {name!r} is there twice")
        missing = [name for name in known if name not in labels]
        if missing:
            raise ConnectomeError(f"{what} lacks the {side}s {', '.join(missing[:5])} ({len(missing)} of {len(known)})")
    bad = np.argwhere(~np.isfinite(found) | (found < 0))
    if len(bad):
        i, j = bad[0]
        raise ConnectomeError(
            f"{what}: {columns[j]} to {rows[i]} (row {rows[i]}, column {columns[j]}) is {found[i, j]}; "
            f"{len(bad)} such: a strength is finite and not negative"
        )
    out = found[np.ix_([list(rows).index(t) for t in targets], [list(columns).index(s) for s in sources])]
    _check_way(out, targets, sources, what)
    return out


def _check_way(matrix: Array, targets: Sequence[str], sources: Sequence[str], what: str) -> None:
    if list(targets) != list(sources):
        return
    row = {name: i for i, name in enumerate(targets)}
    pairs = [(t, s) for t, s in ONE_WAY if t in row and s in row]
    against = [(t, s) for t, s in pairs if matrix[row[s], row[t]] > matrix[row[t], row[s]]]
    if pairs and 2 * len(against) > len(pairs):
        t, s = against[0]
        raise ConnectomeError(
            f"{what}: {s} projects to {t} more than back, but here row {t}, column {s} is {matrix[row[t], row[s]]:g} "
            f"and row {s}, column {t} is {matrix[row[s], row[t]]:g} (and {len(against) - 1} more of {len(pairs)}): "
            "rows are targets; the matrix seems transposed"
        )


def check_thalamus(matrix: Array, areas: Sequence[str], nuclei: Sequence[str], what: str) -> None:
    """Raises ConnectomeError where most first-order nuclei are not among the five strongest inputs of their areas."""
    wrong = []
    for area, nucleus in FIRST_ORDER:
        if area in areas and nucleus in nuclei:
            order = np.argsort(-matrix[list(areas).index(area)])
            if list(nuclei).index(nucleus) not in order[:5]:
                wrong.append(f"{nucleus} to {area}")
    if len(wrong) > 1:
        raise ConnectomeError(f"{what}: {', '.join(wrong)} are weak: are its rows and columns in another order?")


def load() -> CortexTables:
    """From the registry. Raises DataError where something was not fetched, ConnectomeError where it cannot be right."""
    from bestiary.assets import registry

    cells, mm3, areas = read_cells(registry.path("mouse-86", "area_layer_celltype_counts.csv"))

    def square(name: str, what: str) -> Array:
        columns, rows, values = labelled(registry.path("mouse-86", name))
        return check_matrix(values, rows, columns, areas, areas, what)

    ipsi = square("ipsi_43x43_knox2018_voxel_ncd_rows-target_cols-source.csv", "the ipsilateral matrix")
    contra = square("contra_43x43_knox2018_homogeneous_rows-target_cols-source.csv", "the contralateral matrix")

    def meso(name: str) -> Path:
        return registry.path("mouse-mesoscale", name)

    listed = meso("ding2024_area_list.csv").read_text(encoding="utf-8-sig").split()
    nuclei = tuple(meso("ding2024_thal_list.csv").read_text(encoding="utf-8-sig").split())
    from_th = check_matrix(bare(meso("ding2024_conn_thcx.csv")), listed, nuclei, areas, nuclei, "thalamus to cortex")
    to_th = check_matrix(bare(meso("ding2024_conn_cxth.csv")), nuclei, listed, nuclei, areas, "cortex to thalamus")
    check_thalamus(from_th, areas, nuclei, "thalamus to cortex")
    order = {r[0]: float(r[1]) for r in _table(meso("ding2024_dfHier.csv"))[1:]}
    at = {r[0]: (float(r[1]), float(r[2])) for r in _table(meso("ding2024_brainmapCord.csv"))[1:]}
    middle = np.mean(list(at.values()), 0)
    kinds, pre, pmax = labelled(registry.path("mouse-v1", "base_props/pmax_matrix_v1dd.csv"), " ")
    pmax = check_matrix(pmax, pre, kinds, kinds, kinds, "the connection probabilities")
    return CortexTables(
        areas=areas,
        nuclei=nuclei,
        ipsi=ipsi,
        contra=contra,
        from_thalamus=from_th,
        to_thalamus=to_th,
        cells=cells,
        thalamic=thalamic_cells(nuclei),
        mm3=mm3,
        hierarchy=np.array([order.get(a, 0.5) for a in areas]),
        place=np.array([at.get(a, middle) for a in areas]) * MM_PER_UNIT,
        pmax=pmax,
        kinds=tuple(kinds),
        psp=read_psp(registry.path("mouse-v1", "base_props/psp_characterization.csv")),
    )


def rewired(tables: CortexTables, seed: int = 0) -> CortexTables:
    """The control: sources of long-range input change places, each area keeps its strengths (not its partners)."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(11,)))
    out = {}
    for name in ("ipsi", "contra"):
        matrix = getattr(tables, name).copy()
        for i, row in enumerate(matrix):
            others = np.delete(np.arange(len(row)), i)
            row[others] = row[rng.permutation(others)]
        out[name] = matrix
    return replace(tables, **out)


MM_PER_UNIT = 0.4  # of the flat map of Ding 2024, whose unit is not said: V1 to MOp is then about 6 mm (assumed)


def read_cells(
    path: Path,
) -> tuple[dict[tuple[str, str, str], float], dict[tuple[str, str], float], tuple[str, ...]]:
    """(cells of one hemisphere by area, layer, class; mm^3 of one hemisphere by area and layer; areas).

    Layers 6a and 6b together. In layer 1 all cells count as VIP (its inhibitory cells are mostly of the 5HT3a kind);
    elsewhere the inhibitory cells that are of no class are shared among PV, SST and VIP. Rows without a density take
    that of a neighbour (NEIGHBOUR). Raises ConnectomeError for an area or layer that is not known or a number that is
    not one."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    fields = ("exc_both", "pv_both", "sst_both", "vip_both", "rest_inh_both", "inh_both")
    density: dict[tuple[str, str], Array] = {}
    volume: dict[tuple[str, str], float] = {}
    for number, row in enumerate(rows, 2):
        key = (row["area"], row["layer"])
        if row["layer"] not in ("1", "2/3", "4", "5", "6a", "6b"):
            raise ConnectomeError(f"{path.name} line {number}: layer {row['layer']!r} is none of 1, 2/3, 4, 5, 6a, 6b")
        if key in volume:
            raise ConnectomeError(f"{path.name} line {number}: {key[0]} layer {key[1]} is there twice")
        try:
            volume[key] = float(row["volume_mm3_both"])
            if row["neurons_both"]:
                density[key] = np.array([float(row[f]) for f in fields]) / volume[key]
        except ValueError as error:
            raise ConnectomeError(f"{path.name} line {number}: {error}") from None
    cells: dict[tuple[str, str, str], float] = {}
    mm3: dict[tuple[str, str], float] = {}
    for (area, layer), size in volume.items():
        if (area, layer) not in density:
            donor = (NEIGHBOUR.get(area, ""), layer)
            if donor not in density:
                raise ConnectomeError(
                    f"{path.name}: {area} layer {layer} has no density, and no neighbour that has one"
                )
            exc, pv, sst, vip, rest, inh = density[donor] * size
        else:
            exc, pv, sst, vip, rest, inh = density[area, layer] * size
        short = layer.replace("/", "").rstrip("ab")
        mm3[area, short] = mm3.get((area, short), 0.0) + size / 2
        known = max(pv + sst + vip, 1e-9)
        split = (0.0, 0.0, 0.0, inh) if short == "1" else (exc, *((x + rest * x / known) for x in (pv, sst, vip)))
        for cls, n in zip(CLASSES, split, strict=True):
            cells[area, short, cls] = cells.get((area, short, cls), 0.0) + n / 2
    return cells, mm3, tuple(sorted({a for a, _ in volume}))


def thalamic_cells(nuclei: Sequence[str]) -> Array:
    """(n,) cells of one hemisphere: densities of Rodarie 2022 by full name."""
    from bestiary.assets import registry

    graph = json.loads(registry.path("mouse-densities", "allen_ccf_structure_graph_1.json").read_text(encoding="utf-8"))
    names: dict[str, str] = {}
    todo = list(graph["msg"])
    while todo:
        node = todo.pop()
        names[node["acronym"]] = node["name"]
        todo += node["children"]
    path = registry.path("mouse-densities", "rodarie2022_cell_density_by_region.csv")
    with open(path, encoding="utf-8-sig", newline="") as file:
        table = {r["Brain region"]: r for r in csv.DictReader(file)}
    out = []
    for nucleus in nuclei:
        row = table.get(names.get(nucleus, ""))
        if row is None:
            raise ConnectomeError(f"no density of the nucleus {nucleus!r} in {path.name}")
        out.append(float(row["Neuron [mm^-3]"]) * float(row["Volumes [mm^3]"]) / 2)
    return np.array(out)


def read_psp(path: Path) -> dict[tuple[str, str], tuple[float, float]]:
    """(class, class) -> (mean PSP in mV, SD of its logarithm), over the pairs of synphys (Campagnola 2022)."""
    columns, *rows = _table(path, " ")
    at = {name: i for i, name in enumerate(columns)}
    short = {"pvalb": "PV", "sst": "SST", "vip": "VIP"}
    gathered: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for row in rows:
        pre, post = (short.get(row[at[k]], "E") for k in ("pre", "post"))
        try:
            n, mean, shape = (float(row[at[k]]) for k in ("N_resting", "mean_resting", "logn_shape_resting"))
        except ValueError:
            continue  # pairs that were not found
        if n >= 3 and mean:
            gathered.setdefault((pre, post), []).append((n, abs(mean), shape))
    out = {}
    for key, found in gathered.items():
        n, mean, shape = np.array(found).T
        out[key] = (float((n * mean).sum() / n.sum()), float((n * shape).sum() / n.sum()))
    if ("E", "E") not in out:
        raise DataError(f"{path.name} has no pair of pyramidal cells: it is not the table of synphys")
    return out


def labelled(path: Path, separator: str = ",") -> tuple[list[str], list[str], Array]:
    """(columns, rows, values) of a table with labels. Raises ConnectomeError for a gap, with its place."""
    first, *rest = _table(path, separator)
    columns, rows = first[1:], [r[0] for r in rest]
    values = np.full((len(rows), len(columns)), np.nan)
    for i, row in enumerate(rest):
        if len(row) != len(first):
            raise ConnectomeError(f"{path.name}: row {rows[i]!r} has {len(row) - 1} values for {len(columns)} columns")
        for j, text in enumerate(row[1:]):
            try:
                values[i, j] = float(text)
            except ValueError:
                raise ConnectomeError(
                    f"{path.name}: row {rows[i]}, column {columns[j]} is {text!r}, no number: a gap in the matrix"
                ) from None
    return columns, rows, values


def bare(path: Path) -> Array:
    """A table of numbers alone."""
    return np.loadtxt(path, delimiter=",", ndmin=2)


def _table(path: Path, separator: str = ",") -> list[list[str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return [row for row in csv.reader(file, delimiter=separator) if row]
