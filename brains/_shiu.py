"""The published whole-brain fly model (Shiu et al. 2024 Nature 634:210) on any connectome, and the P9 circuit."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bestiary.brains._flywire import PREFIX
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


# What the published code does and its text does not say. Each is how `shiu_network` is unless told otherwise.
ARTEFACTS = {
    "discard": "input that arrives within 2.2 ms after a spike is lost, and a spike clears the input current",
    "driven_refractory": "cells with Poisson input have no refractory time (False)",
    "silence": "silencing cuts outputs only: `silence`; `lesion` cuts inputs too",
    "histamine": "photoreceptors count as cholinergic: `flywire_connectome(histamine=True)` corrects it",
}


@dataclass(frozen=True)
class _Queued(Shiu):
    """Shiu's cell with input that goes on in refractory time, as the text of the publication reads."""

    frozen: ClassVar[tuple[str, ...]] = ("v",)
    clears: ClassVar[bool] = False


def shiu_network(
    connectome: Connectome,
    drive: Mapping[Any, float] | None = None,
    *,
    dt_s: float = DT_S,
    discard: bool = True,
    driven_refractory: bool = False,
    **options: Any,
) -> Network:
    """The model on `connectome`: weight = synapse counts. drive: neurons (a `select` query, lists as tuples) to Hz.

    discard, driven_refractory: see ARTEFACTS; the published code is the default. options: further fields of Network,
    such as current=True.
    """
    inputs = tuple(
        Poisson(list(q) if isinstance(q, tuple) else q, hz, DRIVE_MV, refractory=driven_refractory)
        for q, hz in (drive or {}).items()
    )
    synapses = (Projection(Exponential(SYNAPSE_TAU_S), WEIGHT_MV),)
    cell = Shiu() if discard else _Queued()
    return Network(connectome, cell, synapses, dt_s=dt_s, delay_s=DELAY_S, inputs=inputs, **options)


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
        sign_by="transmitter",
        source="P9 subnetwork of FlyWire 630, Sapkal et al. 2024 Nature 634:191",
    )


def _named(folder: Path) -> list[dict[str, str]]:
    table = folder.parent / "shiu_model" / "bidaye_named_ids_630.csv"
    return [r for r in _rows(table) if r["side"] in ("L", "R")] if table.is_file() else []


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
