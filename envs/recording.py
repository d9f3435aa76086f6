"""Recordings: streamed to HDF5 chunk by chunk, so that a killed run loses at most its last chunk."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import bestiary
from bestiary.assets._heap import check_heaps
from bestiary.bodies._base import Array
from bestiary.errors import DataError

FORMAT = "bestiary-recording"
_LONGEST = 1000  # bytes of the text that says how a body diverged
UNITS = {  # of a name by its ending, the longest first
    "_mol_per_m3": "mol/m^3",
    "_rad_per_s": "rad/s",
    "_m_per_s": "m/s",
    "_per_m": "1/m",
    "_per_s": "1/s",
    "_rad": "rad",
    "_mV": "mV",
    "_pA": "pA",
    "_nS": "nS",
    "_uM": "umol/l",
    "_Hz": "Hz",
    "_m": "m",
    "_s": "s",
    "_N": "N",
}


def unit_of(name: str) -> str:
    """The unit that a name ends in, as text; '' for a pure number."""
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "")


class Recorder:
    """Writes one episode of an environment, and of the animal in it, to an HDF5 file.

    path: is created or replaced. env: an EmbodiedEnv or a wrapper of one. animal: anything whose `probe()` gives
    arrays by name, with `names` for their last axis and, if it likes, a group for each in `groups`, and in `shown` the
    rows that are kept; None for none. What its brain names in `constant` is left out.
    every: keep one control step in `every`. chunk: rows between two writes to the disk. metadata: anything that JSON
    takes, kept beside versions, seed and options.

    resume: what `flush` gave at a checkpoint; the recording at `path` is then cut to its rows and goes on.

    Rows: `time_s`, `reward`, `action`, `obs/<sense>`, `pose/<key>`, `brain/<probe>`, `info/<number>`; each after its
    control step. The file appears at `path` with its first row, readable from then on at any moment, also after a kill.
    Nothing is compressed: that would take longer than all the rest, and save a third. Attribute `complete` turns true
    in `close`. Raises DataError when the disk refuses; what was written before stays readable.
    """

    def __init__(
        self,
        path: str | Path,
        env: Any,
        animal: Any = None,
        *,
        every: int = 1,
        chunk: int = 200,
        metadata: dict[str, Any] | None = None,
        resume: Mapping[str, int] | None = None,
    ) -> None:
        if every < 1 or chunk < 1:
            raise ValueError(f"every and chunk are at least 1, got every={every}, chunk={chunk}")
        self.path, self._env, self._animal = Path(path), env.unwrapped, animal
        self._every, self._chunk, self._metadata = every, chunk, metadata or {}
        self._file: h5py.File | None = None
        self._sets: dict[str, h5py.Dataset] = {}
        self._rows: dict[str, Array] = {}
        self._slots: list[tuple[str, str, Array]] = []
        self._filled = self._written = self._seen = 0
        self._broken, self._divergence = False, ""
        self._names = np.asarray(getattr(animal, "names", ()))
        self._shown = np.asarray(getattr(animal, "shown", np.arange(len(self._names))))
        self._whole = len(self._shown) == len(self._names)
        self._left_out = tuple(getattr(getattr(animal, "brain", None), "constant", ()))
        self._part = self.path.with_name(f".{self.path.name}.part")  # until it can be read after a kill
        try:
            self._file = h5py.File(self._part, "w", libver="latest")
            if resume is not None and resume["rows"]:
                self._go_on(self._file, resume["rows"])
        except OSError as error:
            if self._file is not None:
                self._file.close()
                self._part.unlink(missing_ok=True)
            if isinstance(error, DataError):
                raise
            raise DataError(f"cannot write {self.path}: {error}") from error
        if resume is not None:
            self._seen = resume["seen"]

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, action: Array, obs: dict[str, Array], reward: float, info: dict[str, Any]) -> None:
        """Keeps one control step: the action and what came of it.

        A step in which the body diverged has no posture: no row, but the attribute `divergence` says when and how.
        """
        if self._file is None or self._broken:
            raise DataError(f"{self.path} takes no more rows: it is closed, or an earlier write failed")
        if info.get("divergence"):
            self._divergence = str(info["divergence"])
            return
        self._seen += 1
        if (self._seen - 1) % self._every:
            return
        told: Mapping[str, Any] = {}
        if self._animal is not None and hasattr(self._animal, "probe"):
            told = self._animal.probe()
        now = {"time_s": info["time_s"], "reward": reward, "action": action}
        groups: dict[str, Mapping[str, Any]]
        groups = {"": now, "obs": obs, "pose": self._env.last_pose, "brain": told, "info": info}
        if not self._sets:
            self._create(groups)
        if not self._slots:
            for path, buffer in self._rows.items():
                folder, _, name = path.rpartition("/")
                self._slots.append((folder, name, buffer))
        i = self._filled
        for folder, name, buffer in self._slots:
            value = groups[folder].get(name, np.nan)
            buffer[i] = value if self._whole or folder != "brain" else self._kept(value)
        self._filled += 1
        if (self._written + self._filled) % self._chunk == 0:
            self._write()

    def flush(self) -> dict[str, int]:
        """Puts all rows on the disk, for a checkpoint; returns what `resume` takes. Raises DataError as `add`."""
        if self._file is None or self._broken:
            raise DataError(f"{self.path} takes no more rows: it is closed, or an earlier write failed")
        if self._filled:
            self._write()
        if self._sets:
            os.fsync(self._file.id.get_vfd_handle())
        return {"rows": self._written, "seen": self._seen}

    def _go_on(self, file: h5py.File, rows: int) -> None:
        """Copies the first rows of the recording at `path`: a kill can then never find it half changed."""
        with open_recording(self.path) as old:
            if old.rows < rows:
                raise DataError(f"{self.path} has {old.rows} rows, the checkpoint {rows}: it is not of this run")
            for key, value in old.attributes.items():
                if key not in ("complete", "divergence"):
                    file.attrs[key] = value
            self._chunk = old["time_s"].data.chunks[0]
            for name in old:
                series = old[name]
                stored = self._dataset(file, name, series.shape[1:], series.data.dtype, series.unit)
                stored.resize(rows, 0)
                for i in range(0, rows, many := 50 * self._chunk):
                    stored[i : min(i + many, rows)] = series[i : min(i + many, rows)]
                if series.names:
                    _label(file, name, series.names)
        self._written = rows
        self._open(file)

    def _kept(self, value: Any) -> Array:
        """What is shown of an array over neurons, all of any other."""
        array = np.asarray(value)
        over = array.ndim and array.shape[-1] == len(self._names) != len(self._shown)
        return array[..., self._shown] if over else array

    def _create(self, now: Mapping[str, Mapping[str, Any]]) -> None:
        env, file = self._env, self._file
        assert file is not None
        row = {f"{folder}/{name}".lstrip("/"): value for folder, group in now.items() for name, value in group.items()}
        for path in list(row):
            folder, _, name = path.rpartition("/")
            numbers = folder != "info" or (name != "time_s" and isinstance(row[path], int | float))
            if not numbers or (folder == "brain" and name in self._left_out):
                del row[path]
            elif folder == "brain":
                row[path] = self._kept(row[path])
        about = {s.name: s for s in env.body.senses}
        file.attrs["format"], file.attrs["version"] = FORMAT, 1
        groups = getattr(self._animal, "groups", None)
        names = self._names[self._shown].tolist()
        grouped = {"groups": dict(zip(names, (groups[i] for i in self._shown), strict=True))} if groups else {}
        made = {"animal": {"name": a.name, **a.about}} if hasattr(a := self._animal, "about") else {}
        file.attrs["metadata"] = json.dumps(describe(env) | made | grouped | self._metadata, default=str)
        for name, value in row.items():
            array = np.asarray(value)
            if not array.size:  # the curvature of a body that does not bend
                continue
            kind = np.dtype(np.float64 if array.ndim == 0 else np.float32)
            folder, _, key = name.rpartition("/")
            unit = about[key].unit if folder == "obs" and key in about else unit_of(key)
            self._dataset(file, name, array.shape, kind, unit)
            axis: Sequence[str] = ()
            if name == "action":
                axis = env.body.motors
            elif folder == "brain" and array.ndim and array.shape[-1] == len(names):
                axis = names
            elif key.startswith("joint_rad"):
                axis = getattr(env.body, "joints", ())
            if len(axis):
                _label(file, name, axis)
        self._open(file)

    def _dataset(
        self, file: h5py.File, name: str, shape: tuple[int, ...], kind: np.dtype[Any], unit: str
    ) -> h5py.Dataset:
        """A quantity without rows yet, and the buffer of its next ones."""
        chunks = (self._chunk, *(max(n, 1) for n in shape))
        stored = file.create_dataset(name, (0, *shape), kind, maxshape=(None, *shape), chunks=chunks)
        stored.attrs["unit"] = unit
        self._sets[name], self._rows[name] = stored, np.empty((self._chunk, *shape), kind)
        return stored

    def _open(self, file: h5py.File) -> None:
        """From here on the file can be read at any moment, also after a kill: it takes its place."""
        file.attrs["complete"] = False
        file.attrs.create("divergence", b"", dtype=f"S{_LONGEST}")
        file.swmr_mode = True
        file.flush()
        os.replace(self._part, self.path)

    def _write(self) -> None:
        assert self._file is not None
        end = self._written + self._filled
        whole = self._filled == self._chunk  # and so begins where a chunk does
        try:
            # One by one, so that a full disk is met before the file says that it is longer; times last: they say how
            # many rows there are.
            for name, made in sorted(self._sets.items(), key=lambda item: item[0] == "time_s"):
                rows = self._rows[name][: self._filled]
                made.id.set_extent((end, *rows.shape[1:]))
                if whole:  # as it is, past the selections and conversions that it has no need of: five times faster
                    made.id.write_direct_chunk((self._written, *[0] * (rows.ndim - 1)), rows)
                else:
                    made[self._written : end] = rows
                made.id.flush()
        except (OSError, RuntimeError) as error:
            self._broken = True
            self._abandon()
            raise DataError(
                f"writing {self.path} failed after {self._written} rows, which stay readable ({error}); "
                "make room on the disk, or record less often with `every`"
            ) from error
        self._written, self._filled = end, 0

    def _abandon(self) -> None:
        """Leaves the file as the last good write left it: HDF5 would try to flush again, at exit too, and crash."""
        assert self._file is not None
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, self._file.id.get_vfd_handle())
        os.close(nowhere)

    def close(self, complete: bool = True) -> None:
        """Writes what is left and marks the file complete, unless the run was cut short; a second call does nothing."""
        file, self._file = self._file, None
        if file is None:
            return
        self._file = file
        try:
            if self._filled and not self._broken:
                self._write()
            if complete and not self._broken and self._sets:
                file.attrs.modify("divergence", np.bytes_(self._divergence.encode()[:_LONGEST]))
                file.attrs.modify("complete", True)
        finally:
            self._file = None
            try:
                file.close()
            except (OSError, RuntimeError) as error:
                if not self._broken:
                    raise DataError(f"closing {self.path} failed: {error}") from error
            self._part.unlink(missing_ok=True)  # there was no row


def _label(file: h5py.File, name: str, axis: Sequence[str]) -> None:
    """Names of the last axis of a quantity."""
    file.create_dataset(f"names/{name}", data=np.array([str(n).encode() for n in axis]))


def describe(env: Any) -> dict[str, Any]:
    """What an environment is made of: versions, seed, clocks, task and body with their options."""
    import gymnasium
    import mujoco

    env = env.unwrapped
    medium = env.medium if env.medium is not None else getattr(env.body, "medium", None)
    return {
        "id": env.spec.id if env.spec is not None else None,
        "episode_seed": getattr(env, "episode_seed", None),
        "clock_s": {"control": env.clock.control, "brain": env.clock.brain, "physics": env.clock.physics},
        "medium": getattr(medium, "name", medium),
        "task": {"name": type(env.task).__module__.rpartition(".")[2], "options": dataclasses.asdict(env.task)},
        "body": type(env.body).__name__,
        "body_options": {f.name: getattr(env.body, f.name) for f in dataclasses.fields(env.body) if f.init},
        "length_m": env.body.length_m,
        "versions": {
            "bestiary": bestiary.__version__,
            "mujoco": mujoco.__version__,
            "gymnasium": gymnasium.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


@dataclass(frozen=True)
class Series:
    """One recorded quantity, read from the disk when indexed. unit: text. names: of the last axis, or ()."""

    data: h5py.Dataset
    rows: int
    unit: str
    names: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.rows, *self.data.shape[1:])

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, key: Any) -> Array:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, slice):
            first = slice(*first.indices(self.rows))
        elif isinstance(first, (int, np.integer)):
            if not -self.rows <= first < self.rows:
                raise IndexError(f"row {first} of {self.rows}")
            first = int(first) % self.rows
        return self.data[(first, *rest)]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return np.asarray(self[:], dtype)


class Recording:
    """An episode on the disk: `recording["pose/com_m"][:]`. complete: whether it was closed, not killed.

    divergence: why the body ended it, or "". rows: that all quantities have. metadata: see `describe`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise DataError(f"no recording at {self.path}")
        try:
            self._file = _open(self.path)
            if self._file.attrs.get("format") != FORMAT:
                raise DataError(f"{self.path} is not a recording of Bestiary (attribute 'format' is missing)")
            self.complete = bool(self._file.attrs["complete"])
            self.attributes: dict[str, Any] = dict(self._file.attrs)
            told = self.attributes.get("divergence", b"")
            self.divergence = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
            self.metadata: dict[str, Any] = json.loads(self._file.attrs["metadata"])
            self._keys: list[str] = []
            self._file.visititems(self._note)
            self.rows = min(len(self._file[k]) for k in self._keys)
            if "time_s" not in self._keys:
                raise DataError(f"{self.path} has no times: damaged")
            if not self.complete:
                self._check_end()
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{self.path} is damaged or not a recording: {error}") from error

    def _note(self, name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("names/"):
            self._keys.append(name)

    def _check_end(self) -> None:
        """A file left by a kill and then cut (a copy that stopped) is refused: HDF5 itself would not look."""
        size = self.path.stat().st_size
        for name in self._keys:
            chunks = self._file[name].id
            for i in range(chunks.get_num_chunks()):
                info = chunks.get_chunk_info(i)
                if info.byte_offset + info.size > size:
                    raise DataError(f"{self.path} is damaged: cut off after {size} bytes, inside {name}")

    def keys(self) -> list[str]:
        return sorted(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: str) -> bool:
        return name in self._keys

    def __getitem__(self, name: str) -> Series:
        if name not in self._keys:
            raise DataError(f"{self.path} holds no {name!r}; {bestiary.nearest(name, self._keys, 'quantity')}")
        labels = self._file.get(f"names/{name}")
        names = tuple(n.decode() for n in labels[:]) if labels is not None else ()
        return Series(self._file[name], self.rows, str(self._file[name].attrs["unit"]), names)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(path: Path) -> h5py.File:
    """The file for reading, also one that a killed run left marked as being written."""
    check_heaps(path)
    try:
        return h5py.File(path, "r", libver="latest", locking=False)
    except OSError as error:
        if "already open" not in str(error):
            raise
    with path.open("rb") as file:  # as a reader beside a writer HDF5 does not look whether the file was cut: we must
        end = int.from_bytes(file.read(36)[28:], "little")  # superblock version 3: its end of file address
    if end > path.stat().st_size:
        raise DataError(f"{path} is damaged: cut off after {path.stat().st_size} of {end} bytes")
    return h5py.File(path, "r", libver="latest", swmr=True, locking=False)


def open_recording(path: str | Path) -> Recording:
    """Opens a recording, complete or cut short. Raises DataError for a missing, damaged or foreign file."""
    return Recording(path)
