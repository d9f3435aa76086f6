"""The central complex and the mushroom body of the hemibrain (Scheffer 2020 eLife 9:e57443), with their counts."""

from __future__ import annotations

import csv
import gzip
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from bestiary.brains.connectome import Connectome
from bestiary.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

DATA = "hemibrain-cx-mb"
ROWS = {"cx": (7_349, 511_930), "mb": (11_690, 1_277_773)}  # neurons and edges of the registered files
# Glutamate (Delta7: Turner-Evans 2020 Neuron 108:145) and GABA (ring neurons: Hulse 2021 eLife 10:e66039; APL: Lin
# 2014 Nat Neurosci 17:559) inhibit; every other type of the two circuits is taken as excitatory.
INHIBITORY = ("Delta7", "ER*", "APL")


def hemibrain(region: str, folder: str | Path | None = None) -> Connectome:
    """All neurons that touch a region, "cx" or "mb", with exact synapse counts. ids: hemibrain body ids.

    names: the instance of the hemibrain with a number (`EPG_L1.1`), types: without the parentheses (`PEN_a`). sides: of
    the instance's last L or R. Signs are those of INHIBITORY. folder: None asks the registry. Raises DataError for
    files that are missing, damaged, of another size, or where neurons and matrix do not belong together.
    """
    if folder is None:
        from bestiary.assets import registry

        folder = registry.path(DATA)
    folder = Path(folder)
    try:
        with gzip.open(folder / f"{region}_neurons.csv.gz", "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with np.load(folder / f"{region}_counts_csr.npz", allow_pickle=False) as stored:
            start, pre, counts, body = (
                stored[k] for k in ("indptr", "indices", "counts", "body_id")
            )  # a column is presynaptic
    except (OSError, KeyError, ValueError, EOFError, csv.Error, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"cannot read the hemibrain's {region} in {folder}: {error}; download it again") from None
    ids = np.array([r["bodyId"] for r in rows])
    want = ROWS[region]
    if (len(ids), len(counts)) != want:
        raise DataError(f"the hemibrain's {region} has {len(ids)} neurons and {len(counts)} edges, expected {want}")
    if not np.array_equal(ids, body.astype(str)):
        raise DataError(f"neurons and matrix of the hemibrain's {region} are not in one order; take both files anew")
    if not (counts > 0).all():
        raise DataError(f"{int((counts <= 0).sum())} counts of the hemibrain's {region} are not above 0")
    types = np.array([r["type"].partition("(")[0] for r in rows])
    names = _numbered([_short(r["instance"], r["type"].partition("(")[0], r["bodyId"]) for r in rows])
    inhibits = np.logical_or.reduce(
        [np.char.startswith(types, w[:-1]) if w.endswith("*") else types == w for w in INHIBITORY]
    )
    pre = pre.astype(np.int32)  # a column is presynaptic
    return Connectome(
        ids=ids,
        names=names,
        types=types,
        sides=np.array([_side(r["instance"]) for r in rows]),
        pre=pre,
        post=np.repeat(np.arange(len(ids), dtype=np.int32), np.diff(start)),
        weight=counts.astype(np.float32),
        sign=np.where(inhibits, -1, 1).astype(np.int8)[pre],
        sign_by="transmitter",
        source=f"hemibrain {region.upper()}, Scheffer 2020 eLife 9:e57443",
    )


def part_of(table: Connectome, rows: Array) -> Connectome:
    """The neurons `rows` with the edges among them."""
    place = np.full(len(table), -1, np.int32)
    place[rows] = np.arange(len(rows), dtype=np.int32)
    keep = (place[table.pre] >= 0) & (place[table.post] >= 0)
    return Connectome(
        ids=table.ids[rows],
        names=table.names[rows],
        types=table.types[rows],
        kinds=table.kinds[rows],
        sides=table.sides[rows],
        pre=place[table.pre[keep]],
        post=place[table.post[keep]],
        weight=table.weight[keep],
        sign=table.sign[keep],
        kind=table.kind[keep],
        sign_by=table.sign_by[keep],
        provenance=table.provenance[keep],
        source=table.source,
    )


def _short(instance: str, type_: str, body: str) -> str:
    """`EPG(PB08)_L1` is `EPG_L1`; a neuron without a name has its body id."""
    _, _, end = instance.partition(")")
    return (type_ + end if end.startswith("_") and type_ else instance or body) or body


def _side(instance: str) -> str:
    letters = [w[0] for w in instance.split("_")[1:] if w[:1] in ("L", "R") and (len(w) == 1 or w[1].isdigit())]
    return letters[0] if letters else ""


def _numbered(names: list[str]) -> Array:
    """Names that several neurons share get .1, .2, ..."""
    total: dict[str, int] = {}
    for name in names:
        total[name] = total.get(name, 0) + 1
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(f"{name}.{seen[name]}" if total[name] > 1 else name)
    return np.array(out)
