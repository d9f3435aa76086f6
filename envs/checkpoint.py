"""Checkpoints: everything from which a run goes on bit for bit, in one file that is either whole or not there.

A state is a tree of dicts, lists, tuples, numbers, texts, arrays and random generators. It is stored as a `.npz` of
plain arrays and one JSON text: nothing is pickled, and nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import platform
import threading
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary.bodies._base import Array
from bestiary.errors import CheckpointError, DataError

FORMAT, VERSION = "bestiary-checkpoint", 1
MOST_BYTES = 16 << 30  # of one state, unpacked
_FOLDERS = ("bodies", "brains", "brains/connectome", "brains/spiking", "envs", "interfaces", "tasks")


# --- trees


def pack(tree: Any) -> tuple[Any, list[Array]]:
    """(JSON, arrays) of a tree. Raises CheckpointError for what is not plain data, naming its place."""
    arrays: list[Array] = []

    def put(value: Any, place: str) -> Any:
        if value is None or isinstance(value, bool | int | str) or type(value) is float:
            return value
        if isinstance(value, Mapping):
            return {"d": [[put(k, place), put(v, f"{place}.{k}")] for k, v in value.items()]}
        if isinstance(value, list | tuple):
            return {"l" if isinstance(value, list) else "t": [put(v, f"{place}[{i}]") for i, v in enumerate(value)]}
        if isinstance(value, np.random.Generator):
            return {"g": put(value.bit_generator.state, place)}
        if isinstance(value, np.ndarray | np.generic):
            if value.dtype.hasobject:
                if value.ndim == 0:  # a copied None
                    return {"o": put(value.item(), place)}
            else:
                arrays.append(np.asarray(value))
                return {"s" if isinstance(value, np.generic) else "a": len(arrays) - 1}
        raise CheckpointError(
            f"the state holds {place.lstrip('.') or 'something'} of type {type(value).__name__}, which is no plain "
            "data: keep numbers, texts and arrays in it"
        )

    return put(tree, ""), arrays


def unpack(tree: Any, arrays: Mapping[int, Array] | list[Array]) -> Any:
    """The tree again. Raises DataError where it cannot be one."""
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    if not isinstance(tree, dict) or len(tree) != 1:
        raise DataError(f"the checkpoint is damaged: {str(tree)[:60]!r} is no part of a state")
    ((kind, value),) = tree.items()
    if kind == "d":
        return {unpack(k, arrays): unpack(v, arrays) for k, v in value}
    if kind in ("l", "t"):
        items = [unpack(v, arrays) for v in value]
        return items if kind == "l" else tuple(items)
    if kind in ("a", "s"):
        return arrays[value] if kind == "a" else arrays[value][()]
    if kind == "o":
        return np.array(unpack(value, arrays), dtype=object)
    if kind == "g":
        state = unpack(value, arrays)
        if (name := state["bit_generator"]) not in ("PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"):
            raise DataError(f"the checkpoint is damaged: no random generator {name!r}")
        bits = getattr(np.random, name)()
        bits.state = state
        return np.random.Generator(bits)
    raise DataError(f"the checkpoint is damaged: {kind!r} is no part of a state")


# --- files


@contextlib.contextmanager
def whole_or_nothing(path: Path) -> Iterator[Any]:
    """A file that takes the place of `path` when it is written and on the disk, as one step."""
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    if os.name == "posix":  # the name, too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def save(path: str | Path, state: Any, about: Mapping[str, Any] | None = None) -> None:
    """Writes a state and what it is of (`identity`). A kill or a full disk leaves the file that was there before.

    Raises CheckpointError for a state that is not plain data, DataError when the disk refuses.
    """
    tree, arrays = pack(state)
    head = {"format": FORMAT, "version": VERSION, "about": about or {}, "state": tree}
    given: dict[str, Any] = {f"a{i}": array for i, array in enumerate(arrays)}
    text = np.frombuffer(json.dumps(head).encode(), np.uint8)
    try:
        with whole_or_nothing(Path(path)) as file:
            np.savez(file, head=text, **given)
    except OSError as error:
        raise DataError(
            f"cannot write the checkpoint {path}: {error}; the one before, if any, is still there"
        ) from error


def load(path: str | Path) -> tuple[Any, dict[str, Any]]:
    """(state, about) of a checkpoint. Raises DataError for a file that is missing, damaged or none."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no checkpoint at {path}")
    try:
        raw = _members(path)
        head = json.loads(raw.pop("head").tobytes())
        if head["format"] != FORMAT or head["version"] != VERSION:
            raise DataError(f"{path} is no checkpoint of format {VERSION}")
        arrays = [raw[f"a{i}"] for i in range(len(raw))]
        return unpack(head["state"], arrays), dict(head["about"])
    except DataError:
        raise
    except Exception as error:  # whatever zipfile, NumPy and JSON make of a damaged file
        raise DataError(f"{path} is damaged or no checkpoint: {error}") from error


def _members(path: Path) -> dict[str, Array]:
    """The arrays of a .npz; each is read whole, with its checksum, before NumPy looks at it."""
    out = {}
    with zipfile.ZipFile(path) as packed:
        need = sum(member.file_size for member in packed.infolist())
        if need > MOST_BYTES or need > 2000 * path.stat().st_size:
            raise DataError(f"{path} unpacks to {need / 1e9:.3g} GB, more than a checkpoint has")
        for member in packed.infolist():
            out[member.filename.removesuffix(".npy")] = np.load(io.BytesIO(packed.read(member)), allow_pickle=False)
    return out


# --- what a checkpoint is of


def identity(env: Any, animal: Any = None) -> dict[str, Any]:
    """What must be equal for a run to go on bit for bit, as texts by name: versions, code, model, wiring, parameters.

    env: an EmbodiedEnv or a wrapper of one. animal: any policy; one of ours tells its wiring and parameters.
    """
    import mujoco

    from bestiary.envs.recording import describe

    env = env.unwrapped
    world = describe(env)
    out = {
        "bestiary": bestiary.__version__,
        "code": _code(),
        "mujoco": mujoco.__version__,
        "numpy": np.__version__,
        "processor": platform.machine(),
        "world": _digest([world[k] for k in ("clock_s", "medium", "task", "body", "body_options")]),
        "model": _model(env),
        "animal": getattr(animal, "name", type(animal).__name__),
    }
    if hasattr(animal, "about"):
        about = animal.about
        made = ("lesion", "silence", "without", "stimuli", "control", "control_seed", "clock", "backend")
        out["wiring"] = _wiring(animal.brain)
        out["parameters"] = _digest(about.get("parameters"))
        out["making"] = _digest([about.get(k) for k in made])
        import importlib.metadata as installed

        for package in ("numba", "jax") if about.get("backend") == "brainstate" else ("numba",):
            with contextlib.suppress(installed.PackageNotFoundError):
                out[package] = installed.version(package)
    return out


def check(then: Mapping[str, Any], now: Mapping[str, Any], what: str = "the checkpoint") -> None:
    """Raises CheckpointError that names the first difference between two identities."""
    said = {
        "wiring": "the connectome (its neurons, edges and links)",
        "model": "the physical model (body, world or medium)",
        "world": "the clock, task, medium or body options",
        "parameters": "the parameters",
        "making": "lesions, stimuli, control, clock or back end",
        "code": "the code of bestiary, in a checkout or another build,",
    }
    for key in dict.fromkeys((*then, *now)):
        if then.get(key) != now.get(key):
            old, new = (str(side.get(key, "none"))[:12] for side in (then, now))
            raise CheckpointError(
                f"{what} cannot go on bit for bit: {said.get(key, key)} is another: {old} then, {new} now; "
                "go on with what it was made with, or start the run again"
            )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else repr(value)


@cache
def _code() -> str:
    """sha256 of everything that computes: a checkout changes without changing its version."""
    out = hashlib.sha256()
    for folder in _FOLDERS:
        for place in bestiary.__path__:
            for file in sorted((Path(place) / folder).glob("*.py")):
                out.update(f"{folder}/{file.name}".encode() + file.read_bytes())
    return out.hexdigest()


def _model(env: Any) -> str:
    """sha256 of the compiled model, without the size of pictures, and what a body itself writes before every step."""
    import mujoco

    model, size = env.model, env.model.vis.global_
    kept, wide, high = model.actuator_biasprm[:, 2].copy(), size.offwidth, size.offheight
    try:
        size.offwidth = size.offheight = 0
        if hasattr(env.body, "before_step"):
            model.actuator_biasprm[:, 2] = 0
        buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
        mujoco.mj_saveModel(model, None, buffer)
    finally:
        model.actuator_biasprm[:, 2], size.offwidth, size.offheight = kept, wide, high
    return hashlib.sha256(buffer.data).hexdigest()


def _wiring(brain: Any) -> str:
    """sha256 of the tables of a brain, and of the links between them."""
    out = hashlib.sha256()

    def add(*arrays: Any) -> None:
        for array in arrays:
            flat = np.ascontiguousarray(array)
            out.update(f"{flat.dtype.str}{flat.shape}".encode())
            out.update(flat.tobytes())

    parts = getattr(brain, "parts", None)
    tables = [p.table for p in parts.values()] if parts is not None else [getattr(brain, "connectome", None)]
    for table in tables:
        if table is None:
            add(np.array(getattr(brain, "names", ())))
            continue
        add(table.ids, table.pre, table.post, table.weight, table.sign, table.delay_s, table.kind.codes)
        out.update(repr(table.kind.values).encode())
    for link in getattr(brain, "links", ()):
        weight = link.weight_mV_per_Hz
        add(weight.indptr, weight.indices, weight.data)
        out.update(f"{link.source}>{link.target} {link.tau_s}".encode())
    return out.hexdigest()
