"""Writes the lines of `registry_files.txt` for a data folder: `python -m bestiary.assets.hash_data FOLDER`.

A line is sha256, bytes and path. Notes on the origin (SOURCE.txt) are not data. Lines without a hash ("-") in the
present file are kept: their data were not at hand.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path


def lines(folder: Path) -> list[str]:
    """One line for each file below `folder`, sorted by path."""
    out = []
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SOURCE.txt"):
        data = file.read_bytes()
        out.append(f"{hashlib.sha256(data).hexdigest()} {len(data)} {file.relative_to(folder).as_posix()}")
    return out


def main(folder: Path) -> None:
    target = Path(__file__).with_name("registry_files.txt")
    known = target.read_text(encoding="utf-8").splitlines() if target.exists() else []
    new = lines(folder) + [line for line in known if line.startswith("- ")]
    new.sort(key=lambda line: line.split(" ", 2)[2])
    target.write_text("\n".join(new) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
