"""Rebuilds neurons.csv, muscles.csv, edges.csv.gz, peptides.csv.gz and their tables.json beside this file.

Needs the PyPI packages cect (MIT; its readers hold the published tables) and wormneuroatlas (only the CC BY table of
Fenyves 2020 is read from it); neither is needed to use Bestiary:

    uv venv cect && uv pip install --python cect/bin/python "cect==0.3.5" "wormneuroatlas==0.0.7.3"
    cect/bin/python assets/worm/build_connectome.py

Reads also soma_positions.csv and sign_overrides.csv of this folder, typed in with their sources (SOURCES.md).
"""

from __future__ import annotations

import csv
import fnmatch
import gzip
import hashlib
import importlib
import importlib.util
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl

HERE = Path(__file__).resolve().parent
NOSE_UM, TAIL_UM = -341.0, 441.9  # tips of the IL1DL and PHCL dendrites in the same OpenWorm cells as the somas
DATASETS = {
    "cook2019": "Cook2019HermReader",
    "witvliet8": "WitvlietDataReader8",
    "varshney2011": "VarshneyDataReader",
    "white1986": "White_whole",
}
MUSCLES_IN_ROW = {"MDL": 24, "MDR": 24, "MVL": 23, "MVR": 24}
MUSCLES = [f"{row}{i:02d}" for row, n in MUSCLES_IN_ROW.items() for i in range(1, n + 1)]
FAST = {"ACh": 1, "Glu": 1, "GABA": -1}  # transmitter rule
RELEASED = re.compile(r"ACh|Glu|GABA|5-HTP?|DA|tyramine|octopamine|betaine")


def reader(name: str) -> Any:
    return importlib.import_module(f"cect.readers.{name}").get_instance(from_cache=False)


def package_file(package: str, path: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / path


def neuron_class(name: str, names: set[str]) -> tuple[str, str]:
    """(class, side): `DB`, `AVA`, `SMDD`, `RME` ..., and L, R or nothing."""
    if match := re.fullmatch(r"(AS|DA|DB|DD|VA|VB|VC|VD)\d+", name):
        return match[1], ""
    side = name[-1] if name[-1] in "LR" and {name[:-1] + "L", name[:-1] + "R"} <= names else ""
    if name.startswith("RME"):
        return "RME", side
    return (name[:-1] if side else name), side


def clean(cell: object) -> str:
    """One entry of Wang 2024: `?` marks dim or variable expression, `(uptake)` a neuron that only takes it up."""
    text = str(cell or "").replace("- NEW", "").strip()
    found = RELEASED.search(text)
    if not found or "unknown" in text.lower():
        return ""
    uptake_only = "uptake" in text and "synthesis" not in text
    return found[0] + ("(uptake)" if uptake_only else "") + ("?" if text.startswith("*") else "")


def transmitters(names: list[str]) -> dict[str, str]:
    """Neuron -> `ACh;GABA?`, first the main one: Wang 2024, Supplementary File 2, columns W, X and Y of the sheet."""
    sheet = openpyxl.load_workbook(package_file("cect", "data/elife-95402-supp2-v1.xlsx"), data_only=True).active
    rows = list(sheet.iter_rows(values_only=True))
    head = next(r for r in rows if "Neuron" in r)
    who, what = head.index("Neuron"), head.index("Neurotransmitter(s)")
    found = {}
    for row in rows[rows.index(head) + 1 :]:
        if (name := plain(row[who])) in names:
            found[name] = ";".join(t for t in map(clean, row[what : what + 3]) if t)
    assert set(found) == set(names), sorted(set(names) - set(found))
    return found


def plain(name: object) -> str:
    """`DB01` and `DB1/3` -> `DB1`."""
    return re.sub(r"^(AS|DA|DB|DD|VA|VB|VC|VD)0?(\d+)(/\d)?$", r"\1\2", str(name or "").strip())


def receptor_signs() -> dict[tuple[str, str], int]:
    """Fenyves 2020, S3 file, sheet 5: only `+` and `-`; `complex` and `no pred` fall through to the transmitter."""
    path = package_file("wormneuroatlas", "data/journal.pcbi.1007974.s003.xlsx")
    sheet = openpyxl.load_workbook(path, data_only=True, read_only=True)["5. Sign prediction"]
    return {
        (plain(row[0]), plain(row[3])): {"+": 1, "-": -1}[row[16]]
        for row in sheet.iter_rows(values_only=True)
        if row[16] in ("+", "-")
    }


class Signs:
    """Sign of a synapse and who says so: physiology (our table) > receptor (Fenyves) > transmitter > assumed."""

    def __init__(self, classes: dict[str, str], transmitter: dict[str, str]) -> None:
        with open(HERE / "sign_overrides.csv", newline="", encoding="utf-8") as file:
            self.overrides = list(csv.DictReader(file))
        self.classes, self.transmitter, self.receptor = classes, transmitter, receptor_signs()
        self.used: set[int] = set()

    def __call__(self, pre: str, post: str) -> tuple[int, str]:
        for i, row in enumerate(self.overrides):
            if self._is(pre, row["pre"]) and self._is(post, row["post"]):
                self.used.add(i)
                return (1 if row["sign"] == "+" else -1), "physiology"
        if (pre, post) in self.receptor:
            return self.receptor[pre, post], "receptor"
        for name in self.transmitter[pre].split(";"):  # the first fast one it releases
            if name.rstrip("?") in FAST:
                return FAST[name.rstrip("?")], "transmitter"
        return 1, "assumed"

    def _is(self, cell: str, query: str) -> bool:
        kind = self.classes.get(cell, "muscle")
        return query in (cell, kind) or ("*" in query and fnmatch.fnmatchcase(kind, query))


def nonzero(matrix: np.ndarray, rows: list[int], columns: list[int]) -> Iterator[tuple[int, int, float]]:
    block = matrix[np.ix_(rows, columns)]
    for i, j in np.argwhere(block != 0):
        yield int(i), int(j), float(block[i, j])


def places(data: Any, names: list[str]) -> tuple[list[int], list[str]]:
    """Where `names` stand in a cect data set, and those that it has."""
    here = [n for n in names if n in data.nodes]
    return [data.nodes.index(n) for n in here], here


def muscle_name(name: str) -> str:
    return re.sub(r"^(M[DV][LR])(\d)$", r"\g<1>0\2", name)


def edges(neurons: list[str], signs: Signs) -> Iterator[tuple[object, ...]]:
    for dataset, source in DATASETS.items():
        data = reader(source)
        data.nodes = [muscle_name(n) for n in data.nodes]
        (at, names), (mat, muscles) = places(data, neurons), places(data, MUSCLES)
        chemical, gap = data.connections["Generic_CS"], data.connections["Generic_GJ"]
        for i, j, w in nonzero(chemical, at, at):
            yield dataset, names[i], names[j], "chemical", w, *signs(names[i], names[j])
        for i, j, w in nonzero(chemical, at, mat):
            yield dataset, names[i], muscles[j], "neuromuscular", w, *signs(names[i], muscles[j])
        assert (gap == gap.T).all()
        for i, j, w in nonzero(gap, at, at):
            if i <= j:
                yield dataset, names[i], names[j], "gap", w, 1, ""
        for i, j, w in nonzero(gap, at, mat):
            yield dataset, names[i], muscles[j], "neuromuscular_gap", w, 1, ""
        for i, j, w in nonzero(gap, mat, mat):
            if i <= j:
                yield dataset, muscles[i], muscles[j], "muscle_gap", w, 1, ""
    data = reader("Bentley2016MAReader")
    at, names = places(data, neurons)
    for amine in ("Dopamine", "Serotonin", "Tyramine", "Octopamine"):
        for i, j, w in nonzero(data.connections[amine], at, at):
            yield "bentley2016", names[i], names[j], amine.lower(), w, 0, ""


def peptides(neurons: list[str]) -> Iterator[tuple[object, ...]]:
    """Number of peptide-receptor pathways from one neuron to another, for three ranges of diffusion."""
    ranges = []
    for reach in ("Short", "Mid", "Long"):
        data = reader(f"RipollSanchez{reach}RangeReader")
        at, names = places(data, neurons)
        assert names == neurons
        ranges.append(data.connections["Peptidergic"][np.ix_(at, at)])
    for i, j in np.argwhere(sum(ranges) > 0):
        yield neurons[i], neurons[j], *(int(r[i, j]) for r in ranges)


def along(y_um: str) -> float:
    """Fraction of body length, 0 nose to 1 tail."""
    return (float(y_um) - NOSE_UM) / (TAIL_UM - NOSE_UM)


MANIFEST: dict[str, dict[str, object]] = {}


def write(name: str, head: str, rows: Iterable[Iterable[object]]) -> int:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(head.split(","))
    count = 0
    for row in rows:
        table.writerow([int(x) if isinstance(x, float) and x == int(x) else x for x in row])
        count += 1
    body = text.getvalue().encode()
    if name.endswith(".gz"):
        with open(HERE / name, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:  # same bytes each time
            packed.write(body)
    else:
        (HERE / name).write_bytes(body)
    MANIFEST[name] = {"rows": count, "sha256": hashlib.sha256((HERE / name).read_bytes()).hexdigest()}
    return count


def main() -> None:
    from cect.Cells import PREFERRED_HERM_NEURON_NAMES, get_SIM_class

    neurons = list(PREFERRED_HERM_NEURON_NAMES)
    released = transmitters(neurons)
    classes = {n: neuron_class(n, set(neurons)) for n in neurons}
    with open(HERE / "soma_positions.csv", newline="", encoding="utf-8") as file:
        soma = {row["cell"]: [row["x_um"], row["y_um"], row["z_um"]] for row in csv.DictReader(file)}
    kinds = {"Sensory": "sensory", "Interneuron": "inter", "Motorneuron": "motor", "Other": "other"}
    write(
        "neurons.csv",
        "name,class,side,kind,transmitter,x_um,y_um,z_um,along",
        ([n, *classes[n], kinds[get_SIM_class(n)], released[n], *soma[n], f"{along(soma[n][1]):.4f}"] for n in neurons),
    )
    write(
        "muscles.csv",
        "name,row,index,along",
        (
            [f"{row}{i:02d}", row[1:], i, f"{(i - 0.5) / n:.4f}"]
            for row, n in MUSCLES_IN_ROW.items()
            for i in range(1, n + 1)
        ),
    )
    signs = Signs({n: c for n, (c, _) in classes.items()}, released)
    print(write("edges.csv.gz", "dataset,pre,post,kind,weight,sign,sign_by", edges(neurons, signs)), "edges")
    print(write("peptides.csv.gz", "pre,post,short,mid,long", peptides(neurons)), "peptide pairs")
    (HERE / "tables.json").write_text(json.dumps(MANIFEST, indent=2) + "\n")
    for i in sorted(set(range(len(signs.overrides))) - signs.used):
        print("no synapse in any data set for override", signs.overrides[i]["pre"], signs.overrides[i]["post"])


if __name__ == "__main__":
    main()
