"""What an animal is held against: `assets/<animal>/turing.toml`, and the recordings that it names."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import bestiary
from bestiary import assets
from bestiary.assets import registry
from bestiary.bodies._base import Array
from bestiary.errors import DataError
from bestiary.tasks.turing import pipeline
from bestiary.tasks.turing.series import Cohort, Series


def animals() -> list[str]:
    """Those that have a turing.toml, with a body or without."""
    found: set[str] = set()
    for place in bestiary.__path__:
        found |= {p.parent.name for p in (Path(place) / "assets").glob("*/turing.toml")}
    return sorted(found)


def plan(animal: str) -> dict[str, Any]:
    """The table of an animal. LookupError with the nearest name where there is none."""
    file = assets.find(animal, "turing.toml")
    if file is None:
        raise LookupError(f"no Turing test for {animal!r}; {bestiary.nearest(animal, animals(), 'animal')}")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def files(table: Mapping[str, Any]) -> list[Path]:
    """The reference files of a plan that are at hand: what a policy may not open."""
    out = []
    for part in table.values():
        if isinstance(part, Mapping) and "data" in part:
            for name in part.get("files", [part["file"]] if "file" in part else []):
                try:
                    out.append(registry.path(part["data"], name))
                except DataError:
                    continue
    return out


def behaviour(options: Mapping[str, Any]) -> tuple[Cohort, float]:
    """(recorded cohort in channels, tracking noise in m). DataError where the data are not at hand."""
    name = options["data"]
    wanted = options.get("files", [options["file"]] if "file" in options else [])
    paths = [registry.path(name, f) for f in wanted]
    found = _KINDS[options["layout"]](paths, options)
    entry = registry.entry(name)
    sums = [f.sha256 or "" for f in entry.files if any(f.path.endswith(w) for w in wanted)]
    noise = 0.0
    if options.get("pipeline", "centroid") == "centroid":
        rate = float(options["camera_Hz"])
        noise = float(np.median([pipeline.tracking_noise_m(xy) for _, xy in found]))
        series = [
            pipeline.centroid(n, xy, rate, float(options["smooth_s"]), float(options["out_Hz"])) for n, xy in found
        ]
    else:
        series = [Series(n, 1.0, x, pipeline.BOUTS) for n, x in found]
    return (
        Cohort(tuple(series), entry.citation, options.get("doi", ""), entry.licence, ",".join(sums)),
        noise,
    )


def _array(paths: list[Path], options: Mapping[str, Any]) -> list[tuple[str, Array]]:
    """One HDF5 data set (animals, frames, 2); every: frames kept of a file that repeats them."""
    with h5py.File(paths[0], "r", locking=False) as file:
        x = np.asarray(file[options["dataset"]], float)[:, :: int(options.get("every", 1))] * float(options["unit_m"])
    x[(x == 0).all(2)] = np.nan
    return [(f"animal {i}", track) for i, track in enumerate(x)]


def _bouts(paths: list[Path], options: Mapping[str, Any]) -> list[tuple[str, Array]]:
    """A group per fish with (trajectory, bout) arrays; trajectories are parted by a row of NaN."""
    out = []
    with h5py.File(paths[0], "r", locking=False) as file:
        for name, group in file[options["dataset"]].items():
            d, turn, wait = (np.asarray(group[k]) for k in ("displacements", "dtheta", "interboutintervals"))
            rows = []
            for i in range(len(d)):
                good = np.isfinite(d[i]) & np.isfinite(turn[i]) & np.isfinite(wait[i])
                rows += [np.stack([d[i], turn[i], wait[i]], 1)[good], np.full((1, 3), np.nan)]
            out.append((name, np.concatenate(rows)))
    return out


def _visits(paths: list[Path], options: Mapping[str, Any]) -> list[tuple[str, Array]]:
    """A CSV per animal: bout, frame_in_bout, x, y; bouts are parted by NaN."""
    out = []
    for path in paths:
        with path.open(encoding="utf-8") as file:
            rows = np.array([[float(c) for c in row[:4]] for row in list(csv.reader(file))[1:]])
        parts = []
        for b in np.unique(rows[:, 0]):
            parts += [rows[rows[:, 0] == b, 2:] * float(options["unit_m"]), np.full((5, 2), np.nan)]
        out.append((path.name.split("_")[0], np.concatenate(parts)))
    return out


_KINDS = {"array": _array, "bouts": _bouts, "visits": _visits}
