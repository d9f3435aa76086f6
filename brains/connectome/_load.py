"""The connectomes that ship in assets/, by animal and name."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary.brains.connectome._core import Connectome
from bestiary.errors import ConnectomeError, DataError

Array = np.ndarray[Any, np.dtype[Any]]
WIRED = ("chemical", "gap", "neuromuscular", "neuromuscular_gap", "muscle_gap")
MUSCULAR = WIRED[2:]
AMINES = ("dopamine", "serotonin", "tyramine", "octopamine")
PEPTIDES = ("short", "mid", "long")


def _folder(animal: str) -> Path:
    ships = {p.parent.name: p.parent for place in bestiary.__path__ for p in Path(place).glob("assets/*/tables.json")}
    if animal not in ships:
        raise LookupError(f"no connectome ships for {animal!r}; {bestiary.nearest(animal, ships, 'animal')}")
    return ships[animal]


def connectomes(animal: str = "worm") -> list[str]:
    """Names of the connectomes that ship for `animal`."""
    return list(sources(animal))


def sources(animal: str = "worm") -> dict[str, str]:
    """Where each connectome of `animal` is from, by name; the first is the default."""
    try:
        return tomllib.loads((_folder(animal) / "connectomes.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"assets/{animal}/connectomes.toml cannot be read: {error}; reinstall bestiary") from error


def load_connectome(
    animal: str = "worm",
    name: str | None = None,
    *,
    gap_cap: float | None = None,
    wireless: Iterable[str] = (),
    muscles: str | None = None,
) -> Connectome:
    """A shipped connectome: for the worm, 302 neurons and 95 body-wall muscles, always in the same order.

    name: one of `connectomes(animal)`, None for the first; for the worm `cook2019`, `witvliet8`, `varshney2011` and
    `white1986` (the last two have no neuromuscular edges to single muscles, and lack neurons: those are there, without
    edges).
    gap_cap: largest weight of a gap junction. Raw (None), ALA-CAN has 401 sections and ALA-PVD 250, CAN-PVD 100: a
    fasciculation artefact of thin canal-associated processes. The largest of all others is 81 (RIGL-RIGR).
    wireless: also `dopamine`, `serotonin`, `tyramine`, `octopamine`, or `monoamine` for the four (Bentley 2016 PLoS
    Comput Biol 12:e1005283; weight 1, the transmitter is the kind of the edge), and `peptide_short`, `peptide_mid`,
    `peptide_long` (Ripoll-Sanchez 2023 Neuron 111:3570; weight = peptide-receptor pathways). They have sign 0.
    muscles: the connectome whose edges onto and between muscles stand in place of this one's own; `source` says so.

    extra: `along` (N,), soma or muscle place as a fraction of body length, 0 nose to 1 tail; `row` (`DL`, `DR`, `VL`,
    `VR` for muscles) and `index` in the row, from 1 at the head (0 for neurons).
    Raises LookupError for an unknown name, DataError for a damaged table.
    """
    folder = _folder(animal)
    known = sources(animal)
    name = next(iter(known)) if name is None else name
    if name not in known:
        raise LookupError(f"no connectome {name!r} for {animal!r}; {bestiary.nearest(name, known, 'connectome')}")
    if muscles is not None and muscles not in known:
        raise LookupError(f"no connectome {muscles!r} for {animal!r}; {bestiary.nearest(muscles, known, 'connectome')}")
    lent = muscles or name
    extra_kinds = _wireless(wireless)
    cells = _read(folder, "neurons.csv")
    fibres = _read(folder, "muscles.csv")
    ids = np.array(cells["name"] + fibres["name"])
    nothing = [""] * len(fibres["name"])
    row = {cell: i for i, cell in enumerate(ids.tolist())}

    table = _read(folder, "edges.csv.gz")
    chosen = [
        i
        for i, (data, kind) in enumerate(zip(table["dataset"], table["kind"], strict=True))
        if data == (lent if kind in MUSCULAR else name) or kind in extra_kinds
    ]
    edges = {column: [values[i] for i in chosen] for column, values in table.items()}
    kind, by = edges["kind"], edges["sign_by"]
    weight, sign = [float(w) for w in edges["weight"]], [int(s) for s in edges["sign"]]
    provenance = ["EM_cell" if k in WIRED else "statistical" for k in kind]
    pre, post = edges["pre"], edges["post"]
    for reach in (k.removeprefix("peptide_") for k in extra_kinds if k.startswith("peptide_")):
        pairs = _read(folder, "peptides.csv.gz")
        there = [i for i, count in enumerate(pairs[reach]) if count != "0"]
        pre, post = pre + [pairs["pre"][i] for i in there], post + [pairs["post"][i] for i in there]
        weight, sign = weight + [float(pairs[reach][i]) for i in there], sign + [0] * len(there)
        kind, by = kind + [f"peptide_{reach}"] * len(there), by + [""] * len(there)
        provenance = provenance + ["statistical"] * len(there)

    value = np.array(weight, dtype=np.float32)
    if gap_cap is not None:
        if not gap_cap > 0:
            raise ConnectomeError(f"gap_cap must be positive, got {gap_cap}; None keeps the raw weights")
        gaps = np.isin(kind, [k for k in WIRED if k.endswith("gap")])
        value[gaps] = np.minimum(value[gaps], gap_cap)
    place = [[float(cells[c][i]) for c in ("x_um", "y_um", "z_um")] for i in range(len(cells["name"]))]
    return Connectome(
        ids=ids,
        types=np.array(cells["class"] + [f"M{r}" for r in fibres["row"]]),
        kinds=np.array(cells["kind"] + ["muscle"] * len(nothing)),
        sides=np.array(cells["side"] + [r[1] for r in fibres["row"]]),
        transmitters=np.array(cells["transmitter"] + nothing),
        position_um=np.array(place + [[np.nan] * 3] * len(nothing)),
        extra={
            "along": np.array([float(a) for a in cells["along"] + fibres["along"]], dtype=np.float32),
            "row": np.array([""] * len(cells["name"]) + fibres["row"]),
            "index": np.array([0] * len(cells["name"]) + [int(i) for i in fibres["index"]], dtype=np.int32),
        },
        pre=np.array([row[c] for c in pre], dtype=np.int32),
        post=np.array([row[c] for c in post], dtype=np.int32),
        weight=value,
        sign=np.array(sign, dtype=np.int8),
        kind=np.array(kind),
        sign_by=np.array(by),
        provenance=np.array(provenance),
        source=f"{animal} {name}: {known[name]}{f'; neuromuscular edges from {lent}' if lent != name else ''}",
    )


def _wireless(words: Iterable[str]) -> set[str]:
    known = {*AMINES, *(f"peptide_{p}" for p in PEPTIDES)}
    found: set[str] = set()
    for word in [words] if isinstance(words, str) else words:
        if word == "monoamine":
            found.update(AMINES)
        elif word in known:
            found.add(word)
        else:
            raise LookupError(f"no wireless edges {word!r}; {bestiary.nearest(word, [*sorted(known), 'monoamine'])}")
    return found


def _read(folder: Path, name: str) -> dict[str, list[str]]:
    """Columns of a shipped table, after its checksum and its rows were compared with tables.json."""
    expected = json.loads((folder / "tables.json").read_text(encoding="utf-8"))[name]
    raw = (folder / name).read_bytes()
    got = hashlib.sha256(raw).hexdigest()
    if got != expected["sha256"]:
        raise DataError(
            f"{folder / name} is damaged: sha256 {got}, expected {expected['sha256']} ({expected['rows']} rows); "
            f"reinstall bestiary, or run {folder / 'build_connectome.py'}"
        )
    body = gzip.decompress(raw) if name.endswith(".gz") else raw
    rows = list(csv.reader(io.StringIO(body.decode("utf-8"))))
    return dict(zip(rows[0], (list(column) for column in zip(*rows[1:], strict=True)), strict=True))
