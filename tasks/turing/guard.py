"""The guard: a policy under examination may not open the recordings that it is compared with, nor start programs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bestiary.errors import BestiaryError, DataError

# In every file of reference data that ships: whoever finds it in a model's files has found a leak.
CANARY = "BESTIARY-TURING-CANARY-7d1f6a52-0c8e-4f5e-9a54-6f3f0b1a2c9d"
# What libraries ask of the system when they are first imported; these print what they know of it, and no file.
_HARMLESS = ("ldconfig", "uname", "lscpu", "gcc", "cc", "ld", "nvidia-smi")
_PROGRAMS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen", "os.spawn")
_state: dict[str, Any] = {"on": False, "paths": (), "hooked": False}


class GuardError(BestiaryError, PermissionError):
    """A policy reached for reference data, or for another program, during its examination."""


def _below(path: str) -> str | None:
    real = os.path.realpath(path)
    return next((p for p in _state["paths"] if real == p or real.startswith(p + os.sep)), None)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _state["on"]:
        return
    if (
        event in ("open", "os.listdir", "os.scandir", "os.link", "os.rename", "os.remove")  # a link opens the same file
        and arguments
        and isinstance(arguments[0], str | bytes | os.PathLike)
    ):
        if (found := _below(os.fsdecode(arguments[0]))) is not None:
            raise GuardError(f"the policy opened {Path(found).name}, which it is examined with")
    elif event == "subprocess.Popen" and os.path.basename(os.fsdecode(arguments[0] or arguments[1][0])) in _HARMLESS:
        return
    elif event in _PROGRAMS:
        raise GuardError(f"the policy called {event}: no other program runs during an examination")


@contextlib.contextmanager
def guarded(paths: Iterable[str | Path]) -> Iterator[None]:
    """Within, opening one of `paths` (files, or folders with all below them) or starting a program raises GuardError.

    It watches Python's own calls and HDF5's; code in C that opens files by itself is out of its reach, so it makes
    cheating deliberate, not impossible. The hook, once set, stays for the life of the process, asleep.
    """
    if not _state["hooked"]:
        sys.addaudithook(_hook)
        _state["hooked"] = True
    before = _state["on"], _state["paths"]
    opener = _patched()
    _state.update(on=True, paths=tuple(os.path.realpath(p) for p in paths))
    try:
        yield
    finally:
        _state.update(on=before[0], paths=before[1])
        opener()


def _patched() -> Any:
    """HDF5 opens files in C, where no audit event is raised: its Python door is watched instead."""
    import h5py

    real = h5py.File.__init__

    def init(self: Any, name: Any, *args: Any, **options: Any) -> None:
        if _state["on"] and isinstance(name, str | bytes | os.PathLike) and _below(os.fsdecode(name)) is not None:
            raise GuardError(f"the policy opened {Path(os.fsdecode(name)).name}, which it is examined with")
        real(self, name, *args, **options)

    h5py.File.__init__ = init

    def undo() -> None:
        h5py.File.__init__ = real

    return undo


def seek_canary(files: Iterable[str | Path]) -> None:
    """Raises DataError for the first of a model's files that holds the canary: it was made with reference data."""
    word = CANARY.encode()
    for file in map(Path, files):
        if file.is_file():
            tail = b""
            with file.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    if word in tail + chunk:
                        raise DataError(f"{file.name} holds the canary of the reference data: it was made from them")
                    tail = chunk[-len(word) :]
