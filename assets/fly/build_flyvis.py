"""Rebuilds flyvis_types.csv.gz and flyvis_offsets.csv.gz beside this file; the same bytes every time.

Reads connectome/fib25-fib19_v2.2.json of the PyPI package flyvis 1.2.0 (MIT): give its path, or put the data set
`flyvis` into the folder BESTIARY_DATA.

    python assets/fly/build_flyvis.py [fib25-fib19_v2.2.json]
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILE = "fib25-fib19_v2.2.json"


def write(name: str, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    with gzip.GzipFile(HERE / name, "wb", mtime=0) as out:
        out.write(text.getvalue().encode())


def main() -> None:
    given = sys.argv[1:] or [str(Path(os.environ.get("BESTIARY_DATA", "")) / "fly" / "flyvis_connectome" / FILE)]
    spec = json.loads(Path(given[0]).read_text(encoding="utf-8"))
    role = dict.fromkeys(spec["input_units"], "input") | dict.fromkeys(spec["output_units"], "output")
    types = [(n["name"], role.get(n["name"], ""), *n["pattern"][1]) for n in spec["nodes"]]
    assert all(n["pattern"][0] == "stride" and n["activation"] == "relu" for n in spec["nodes"])
    offsets = [
        (e["src"], e["tar"], e["alpha"], ";".join(e["alpha_references"]), du, dv, f"{count:.6g}")
        for e in spec["edges"]
        for (du, dv), count in e["offsets"]
    ]
    assert (len(types), len(spec["edges"]), len(offsets)) == (65, 605, 2140), (len(types), len(offsets))
    write("flyvis_types.csv.gz", ("type", "role", "stride_u", "stride_v"), types)
    write("flyvis_offsets.csv.gz", ("pre", "post", "sign", "sign_source", "du", "dv", "synapses"), offsets)


if __name__ == "__main__":
    main()
