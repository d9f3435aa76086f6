"""Recordings as NWB files (Neurodata Without Borders 2), and back: needs the extra `nwb`.

| recording | NWB |
|---|---|
| `action`, `obs/*`, `reward`, `info/*` | `TimeSeries` in `acquisition`, `/` written as `__` |
| `pose/com_m`, `pose/midline_m` ... | `TimeSeries` in the processing module `behavior` |
| `brain/*` | `TimeSeries` in the processing module `misc` |
| names of the last axis | `DynamicTable` `names__<quantity>` in the processing module `misc` |
| metadata | `notes`, as JSON |

Units are those of the recording, millivolts as volts with `conversion` 1e-3: data are stored as they were recorded. A
simulation has no date: the start time is 1970. Its subject is the animal that is modelled (card.toml), and says so.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bestiary import assets
from bestiary.bodies._base import Array
from bestiary.envs.recording import Recording, open_recording
from bestiary.errors import DataError

_SI = {"mV": ("volts", 1e-3), "": ("unitless", 1.0)}
_TIGHT = 1e-6  # relative jitter of a step below which times count as regular
_MODULES = {"pose": "behavior", "brain": "misc"}
_ABOUT = {"behavior": "posture of the simulated body", "misc": "simulated neurons; names along axes"}
_ROWS = 20_000  # read at a time


@dataclass(frozen=True)
class Quantity:
    """One quantity read from an NWB file. data (T, ...), unit as in the recording, names of the last axis or ()."""

    data: Array
    unit: str
    names: tuple[str, ...]


def _pynwb() -> Any:
    try:
        import pynwb
        import pynwb.file
    except ImportError:
        raise DataError("NWB needs pynwb: pip install 'bestiary[nwb]'") from None
    return pynwb


def write_nwb(recording: Recording | str | Path, path: str | Path) -> Path:
    """Writes a recording as NWB; a file appears under `path` when it is whole.

    Raises DataError for a recording that is damaged or empty, or where pynwb is not installed.
    """
    if not isinstance(recording, Recording):
        with open_recording(recording) as opened:
            return write_nwb(opened, path)
    pynwb = _pynwb()
    if not recording.rows:
        raise DataError(f"{recording.path} has no rows: there is nothing to write")
    path = Path(path)
    file = _file(pynwb, recording)
    for name in recording:
        if name != "time_s":
            _add(pynwb, file, recording, name)
    part = path.with_name(f".{path.name}.{os.getpid()}.nwb")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pynwb.NWBHDF5IO(str(part), "w") as out:
            out.write(file)
        os.replace(part, path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _file(pynwb: Any, recording: Recording) -> Any:
    from datetime import UTC, datetime

    about = recording.metadata
    animal = str(about.get("animal", {}).get("name", about.get("body", "")).lower())
    task = about.get("task", {}).get("name", "")
    end = "" if recording.complete else "; cut short"
    if recording.divergence:
        end = f"; the body diverged: {recording.divergence}"
    modelled = _modelled(animal)
    file = pynwb.NWBFile(
        session_description=f"simulated {animal} in the task {task}{end}",
        identifier=f"bestiary-{animal}-{task}-{about.get('episode_seed')}",
        session_start_time=datetime(1970, 1, 1, tzinfo=UTC),
        experiment_description="closed loop of a simulated brain and body; no animal was used",
        keywords=[word for word in ("simulation", animal, task) if word],
        notes=json.dumps(about),
        source_script="bestiary export",
        source_script_file_name="bestiary",
    )
    if modelled:
        stage = modelled.pop("stage", "")
        about_it = f"simulated; species, sex and age are those of the animal modelled: {stage}"
        file.subject = pynwb.file.Subject(subject_id=f"simulated-{animal}", description=about_it, **modelled)
    return file


def _modelled(animal: str) -> dict[str, str]:
    """Species, sex and age that the animal's card gives; empty for a body without a card."""
    import tomllib

    found = assets.find(animal, "card.toml") if animal else None
    return dict(tomllib.loads(found.read_text(encoding="utf-8")).get("subject", {})) if found else {}


def _add(pynwb: Any, file: Any, recording: Recording, name: str) -> None:
    series = recording[name]
    unit, conversion = _SI.get(series.unit, (series.unit, 1.0))
    time = np.asarray(recording["time_s"][:], float)
    step = np.diff(time)
    regular = len(time) > 1 and np.ptp(step) < _TIGHT * abs(step.mean()) and step.mean() > 0
    when: dict[str, Any]
    when = {"starting_time": float(time[0]), "rate": _rate(time)} if regular else {"timestamps": time}
    made = pynwb.TimeSeries(
        name=name.replace("/", "__"),
        data=_stream(series),
        unit=unit,
        conversion=conversion,
        description=f"{name} of the recording" + (f", in {series.unit}" if conversion != 1 else ""),
        **when,
    )
    module = _MODULES.get(name.partition("/")[0])
    if module is None:
        file.add_acquisition(made)
    else:
        _module(file, module).add(made)
    if series.names:
        from hdmf.common import DynamicTable, VectorData

        column = VectorData(name="label", description=f"of each column of {name}", data=list(series.names))
        _module(file, "misc").add(
            DynamicTable(name=f"names__{made.name}", description=f"the last axis of {name}", columns=[column])
        )


def _rate(time: Array) -> float:
    """Hz of regular times; the whole number that it is within rounding."""
    rate = (len(time) - 1) / float(time[-1] - time[0])
    return float(round(rate)) if abs(rate - round(rate)) < 1e-6 * rate else rate


def _module(file: Any, name: str) -> Any:
    if name in file.processing:
        return file.processing[name]
    return file.create_processing_module(name, _ABOUT[name])


def _stream(series: Any) -> Any:
    """Data that are read from the disk block by block while they are written."""
    from hdmf.data_utils import GenericDataChunkIterator

    class Blocks(GenericDataChunkIterator):
        def _get_data(self, selection: Any) -> Array:
            return np.asarray(series[selection])

        def _get_maxshape(self) -> tuple[int, ...]:
            return tuple(series.shape)

        def _get_dtype(self) -> Any:
            return series.data.dtype

    rows = min(len(series), _ROWS)
    chunk = (min(rows, series.data.chunks[0]), *series.shape[1:])
    return Blocks(buffer_shape=(chunk[0] * max(1, rows // chunk[0]), *series.shape[1:]), chunk_shape=chunk)


def read_nwb(path: str | Path) -> tuple[dict[str, Quantity], dict[str, Any]]:
    """(quantities by their names in the recording, metadata) of a file that `write_nwb` wrote, `time_s` among them.

    Raises DataError for a file that is missing, damaged or of someone else.
    """
    pynwb = _pynwb()
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no NWB file at {path}")
    try:
        with pynwb.NWBHDF5IO(str(path), "r") as opened:
            return _read(opened.read())
    except DataError:
        raise
    except Exception as error:  # whatever HDF5, hdmf and JSON make of a damaged file
        raise DataError(f"{path} is damaged or no NWB file of bestiary: {error}") from error


def _read(file: Any) -> tuple[dict[str, Quantity], dict[str, Any]]:
    found: dict[str, Any] = dict(file.acquisition)
    for module in _MODULES.values():
        if module in file.processing:
            found |= file.processing[module].data_interfaces
    names = {key: found.pop(key) for key in list(found) if key.startswith("names__")}
    back = {si: ours for ours, (si, _) in _SI.items()}
    out: dict[str, Quantity] = {}
    for key, series in found.items():
        axis = names.get(f"names__{key}")
        labels = tuple(str(v) for v in axis["label"][:]) if axis is not None else ()
        data = np.asarray(series.data[:])
        out[key.replace("__", "/", 1)] = Quantity(data, back.get(series.unit, series.unit), labels)
        if "time_s" not in out:
            time = series.timestamps
            start = series.starting_time
            time = np.asarray(time[:]) if time is not None else start + np.arange(len(data)) / series.rate
            out["time_s"] = Quantity(time, "s", ())
    if not out:
        raise DataError("it holds no quantity")
    return out, json.loads(file.notes)
