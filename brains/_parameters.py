"""Parameters: assets/<animal>/parameters.json, every value with its unit, its source and what it was fitted to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary import assets
from bestiary.errors import BestiaryError, DataError


@lru_cache(8)
def parameter_table(animal: str) -> dict[str, dict[str, Any]]:
    """Every parameter: value, unit, low, high (the range of the fit), source, fitted_to, about. Raises DataError."""
    text = assets.file(animal, "parameters.json").read_text(encoding="utf-8")
    return json.loads(text)["parameters"]


def parameters(animal: str, given: Mapping[str, float] | str | Path | None = None) -> dict[str, float]:
    """Name -> value: the shipped parameters, with those of `given` (a mapping, or a file that `fit` wrote) instead.

    Raises LookupError for a name that does not exist, DataError for a file that cannot be read, BestiaryError for a
    value that no animal can have: only what ships as a potential or a bias at or below 0 may be negative.
    """
    table = parameter_table(animal)
    values = {name: float(row["value"]) for name, row in table.items()}
    if given is None:
        return values
    if isinstance(given, str | Path):
        try:
            loaded = json.loads(Path(given).read_text(encoding="utf-8"))
            given = {k: float(v["value"] if isinstance(v, dict) else v) for k, v in loaded["parameters"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"cannot read parameters from {given}: {error}; write them with `bestiary fit`") from None
    for name in given:
        if name not in values:
            raise LookupError(f"no parameter {name!r} of the {animal}; {bestiary.nearest(name, values, 'parameter')}")
    for name, value in given.items():
        may_be_negative = table[name]["unit"] in ("mV", "input") and float(table[name]["value"]) <= 0
        if not np.isfinite(value) or (value < 0 and not may_be_negative):
            want = "finite" if may_be_negative else "finite and not negative"
            raise BestiaryError(f"parameter {name} must be {want}, got {value}; it ships as {values[name]:g}")
    return values | {k: float(v) for k, v in given.items()}
