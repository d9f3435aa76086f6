"""What ships with each animal: the files of assets/<animal>. What is downloaded is in `bestiary.assets.registry`."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import bestiary
from bestiary.errors import DataError


def find(animal: str, name: str) -> Path | None:
    """assets/<animal>/<name>, or None where nothing of that name ships."""
    places = (Path(place) / "assets" / animal / name for place in bestiary.__path__)
    return next((file for file in places if file.is_file()), None)


def file(animal: str, name: str) -> Path:
    """As `find`. Raises DataError where it is missing."""
    if (found := find(animal, name)) is None:
        raise DataError(f"assets/{animal}/{name} is missing; reinstall bestiary")
    return found


def rows(animal: str, name: str) -> list[dict[str, str]]:
    """The rows of a CSV table, gzipped or not. Raises DataError where it is missing."""
    path = file(animal, name)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))
