"""Recordings from CSV, HDF5, NWB and our own files. Nothing here runs code of a file: no pickles, no object arrays."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from bestiary.assets._heap import check_heaps
from bestiary.bodies._base import Array
from bestiary.errors import DataError
from bestiary.tasks.turing.series import Cohort, Series

_SUFFIXES = (".csv", ".h5", ".hdf5", ".nwb")
_REGULAR = 0.02


def read(path: str | Path, every: int = 1) -> Cohort:
    """A cohort from a file, or from all files of a folder (an animal each, or more).

    CSV: columns `time_s`, `animal` (or one animal, named after the file), `lab` and `stimulus` if there was any, and a
    channel each. HDF5: a group per animal with `values` (T, F), attributes `rate_Hz`, `channels` and `lab` (or a
    dataset `time_s`), and `stimulus` (T,) if any. NWB: every SpatialSeries and PoseEstimationSeries below
    processing/behavior of one subject; its laboratory is general/lab.
    every: keeps one frame in `every`, for files that repeat frames.

    Raises DataError, naming file and place, for what is missing, damaged, irregular in time or not numbers.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"no recording at {path}")
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path} holds none of {', '.join('*' + s for s in _SUFFIXES)}")
    readers: dict[str, Callable[[Path], list[Series]]] = {".csv": _csv, ".h5": _hdf5, ".hdf5": _hdf5, ".nwb": _nwb}
    animals: list[Series] = []
    digest = hashlib.sha256()
    for file in files:
        kind = readers.get(file.suffix.lower())
        if kind is None:
            raise DataError(f"{file}: cannot read {file.suffix!r}; there are readers for {', '.join(_SUFFIXES)}")
        try:
            animals += kind(file)
            digest.update(file.read_bytes())
        except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{file} is damaged or not what its name says: {error}") from error
    if every > 1:
        animals = [_thinned(a, every) for a in animals]
    first = animals[0]
    for a in animals:
        if a.channels != first.channels:
            raise DataError(
                f"{a.name} has channels {', '.join(a.channels)}; {first.name} has {', '.join(first.channels)}"
            )
        if not np.isclose(a.rate_Hz, first.rate_Hz, rtol=1e-3):
            raise DataError(f"{a.name} was recorded at {a.rate_Hz:g} Hz, {first.name} at {first.rate_Hz:g} Hz")
    return Cohort(tuple(animals), str(path.name), sha256=digest.hexdigest())


def _thinned(a: Series, every: int) -> Series:
    stimulus = None if a.stimulus is None else a.stimulus[::every]
    return replace(a, rate_Hz=a.rate_Hz / every, values=a.values[::every], stimulus=stimulus)


def on_grid(name: str, time_s: Array, values: Array) -> tuple[float, Array]:
    """(rate in Hz, values with NaN rows where frames are missing). Frames must lie on one regular grid: DataError for
    times that run backward, repeat or jitter by over 2 % of a period."""
    if len(time_s) < 3 or not np.isfinite(time_s).all():
        raise DataError(f"{name}: {len(time_s)} frames, {(~np.isfinite(time_s)).sum()} of them without a time")
    step = np.diff(time_s)
    if (step <= 0).any():
        row = int(np.flatnonzero(step <= 0)[0]) + 1
        raise DataError(f"{name}: time does not go on at frame {row} ({time_s[row - 1]:g} s, then {time_s[row]:g} s)")
    period = float(np.median(step))
    at = (time_s - time_s[0]) / period
    place = np.round(at).astype(int)
    if (off := np.abs(step / period - np.round(step / period)).max()) > _REGULAR * 5 or len(np.unique(place)) < len(
        place
    ):
        raise DataError(
            f"{name}: frames are not regular, off by {off:.0%} of {period:.4g} s; resample them on purpose, not here"
        )
    if place[-1] + 1 > 20 * len(place):
        raise DataError(f"{name}: {len(place)} frames in {place[-1] + 1} periods: not one recording")
    out = np.full((place[-1] + 1, values.shape[1]), np.nan)
    out[place] = values
    return 1 / period, out


def _csv(path: Path) -> list[Series]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 at byte {error.start}") from None
    rows = list(csv.reader(text.splitlines()))
    if len(rows) < 2:
        raise DataError(f"{path} is empty" if not rows else f"{path} has a header and no rows")
    head = [h.strip() for h in rows[0]]
    if "time_s" not in head:
        raise DataError(f"{path} has no column time_s; it has {', '.join(head[:8])}")
    if len(set(head)) < len(head):
        raise DataError(f"{path}: a column name is there twice in {', '.join(head[:8])}")
    channels = [h for h in head if h not in ("time_s", "animal", "stimulus", "lab")]
    if not channels:
        raise DataError(f"{path} has no channels beside {', '.join(head)}")
    table: dict[str, list[list[float]]] = {}
    order = ["time_s", *channels, *(["stimulus"] if "stimulus" in head else [])]
    at = [head.index(c) for c in order]
    who, where = (head.index(k) if k in head else None for k in ("animal", "lab"))
    labs: dict[str, str] = {}
    cells: list[float]
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != len(head):
            raise DataError(f"{path}, line {number}: {len(row)} cells under {len(head)} names")
        cells = []
        for i in at:
            try:
                cells.append(float(row[i]) if row[i].strip() else np.nan)
            except ValueError:
                raise DataError(f"{path}, line {number}: {head[i]} is no number, got {row[i]!r}") from None
        name = row[who] if who is not None else path.stem
        table.setdefault(name, []).append(cells)
        lab = row[where].strip() if where is not None else ""
        if labs.setdefault(name, lab) != lab:
            raise DataError(f"{path}, line {number}: {name} is of {lab!r}, before of {labs[name]!r}")
    out = []
    for name, lines in table.items():
        x = np.array(lines)
        rate, values = on_grid(f"{path.name}, {name}", x[:, 0], x[:, 1:])
        stimulus = np.nan_to_num(values[:, -1]) if "stimulus" in head else None
        out.append(Series(name, rate, values[:, : len(channels)], tuple(channels), stimulus, lab=labs[name]))
    return out


def _numbers(item: Any, where: str) -> Array:
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
        raise DataError(f"{where} holds no numbers (dtype {getattr(item, 'dtype', 'group')}): objects are never loaded")
    if item.size > 2e9:
        raise DataError(f"{where} has {item.size} numbers: too large to read at once")
    return np.asarray(item[()], float)


def _words(value: Any) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in np.atleast_1d(value)]


def _hdf5(path: Path) -> list[Series]:
    check_heaps(path)
    with h5py.File(path, "r", locking=False) as file:
        if file.attrs.get("format") == "bestiary-recording":
            x = _numbers(file["pose/com_m"], f"{path}: pose/com_m")
            time_s = _numbers(file["time_s"], f"{path}: time_s")
            n = min(len(x), len(time_s))
            rate, values = on_grid(str(path), time_s[:n], x[:n, :2])
            return [Series(path.stem, rate, values, ("x_m", "y_m"))]
        out = []
        for name, group in file.items():
            if not isinstance(group, h5py.Group) or "values" not in group:
                continue
            where = f"{path}: {name}"
            values = _numbers(group["values"], f"{where}/values")
            values = values[:, None] if values.ndim == 1 else values.reshape(len(values), -1)
            told = group.attrs.get("channels")
            channels = _words(told) if told is not None else [f"channel {i}" for i in range(values.shape[1])]
            if len(channels) != values.shape[1]:
                raise DataError(f"{where}: {len(channels)} channel names for {values.shape[1]} columns")
            stimulus = _numbers(group["stimulus"], f"{where}/stimulus") if "stimulus" in group else None
            if "time_s" in group:
                both = values if stimulus is None else np.c_[values, stimulus]
                rate, both = on_grid(where, _numbers(group["time_s"], f"{where}/time_s"), both)
                values, stimulus = (both, None) if stimulus is None else (both[:, :-1], np.nan_to_num(both[:, -1]))
            elif "rate_Hz" in group.attrs:
                rate = float(group.attrs["rate_Hz"])
            else:
                raise DataError(f"{where} has neither the attribute rate_Hz nor times in time_s")
            lab = _words(group.attrs.get("lab", ""))[0]
            out.append(Series(name, rate, values, tuple(channels), stimulus, lab=lab))
        if not out:
            raise DataError(f"{path}: no group has `values` (frames, channels); it has {', '.join(list(file)[:6])}")
        return out


def _nwb(path: Path) -> list[Series]:
    """NWB is HDF5 with agreed places: read without pynwb, so without its extensions."""
    check_heaps(path)
    with h5py.File(path, "r", locking=False) as file:
        if "processing/behavior" not in file:
            raise DataError(f"{path} has no processing/behavior")
        found: list[tuple[str, h5py.Group]] = []

        def note(name: str, item: Any) -> None:
            if isinstance(item, h5py.Group) and "data" in item and ("timestamps" in item or "starting_time" in item):
                found.append((name, item))

        file["processing/behavior"].visititems(note)
        if not found:
            raise DataError(f"{path}: no series with data and times below processing/behavior")
        parts, names, grid = [], [], None
        for name, group in found:
            data = _numbers(group["data"], f"{path}: {name}/data")
            data = data[:, None] if data.ndim == 1 else data.reshape(len(data), -1)
            data = data * float(group["data"].attrs.get("conversion", 1.0))
            if "timestamps" in group:
                rate, data = on_grid(f"{path.name}, {name}", _numbers(group["timestamps"], f"{path}: {name}"), data)
            else:
                rate = float(group["starting_time"].attrs["rate"])
            if grid is not None and (not np.isclose(rate, grid[0], rtol=1e-3) or len(data) != grid[1]):
                raise DataError(
                    f"{path}: {name} has {len(data)} frames at {rate:g} Hz, others {grid[1]} at {grid[0]:g} Hz"
                )
            grid = (rate, len(data))
            unit = _words(group["data"].attrs.get("unit", ""))[0]
            parts.append(data)
            names += [
                f"{name.split('/')[-1]}_{'xyz'[i] if data.shape[1] < 4 else i} {unit}".strip()
                for i in range(data.shape[1])
            ]
        assert grid is not None
        who = file.get("general/subject/subject_id")
        subject = _words(who[()])[0] if who is not None else path.stem
        lab = file.get("general/lab")
        told = "" if lab is None else _words(lab[()])[0]
        return [Series(subject, grid[0], np.concatenate(parts, 1), tuple(names), lab=told)]
