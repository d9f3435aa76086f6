"""What the verbs share: the outcome, tables, numbers, progress bars."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bestiary
from bestiary.errors import BestiaryError


@dataclass(frozen=True)
class Outcome:
    """What a verb found. report: for --json. text: for people. code: the exit status."""

    report: Mapping[str, Any]
    text: str
    code: int = 0

    def json(self) -> str:
        """The report as one line of strict JSON: what is not finite becomes null."""
        return json.dumps(_plain(self.report), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):  # numpy, without importing it
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def table(rows: Iterable[Sequence[Any]], head: Sequence[str] = (), indent: str = "  ") -> str:
    """Columns side by side, numbers to the right; the last column may be long."""
    rows = list(rows)
    cells = [[number(c) for c in row] for row in rows]
    right = [all(isinstance(c, int | float) or c is None for c in column) for column in zip(*rows, strict=True)]
    body = [list(head), *cells] if head else cells
    wide = [max(len(row[i]) for row in body) for i in range(len(body[0]))] if body else []
    lines = [
        indent + "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, wide, right, strict=True)).rstrip()
        for row in body
    ]
    return "\n".join(lines)


def number(value: Any) -> str:
    """A number to four places that count; text as it is; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "-"
    return str(value)


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.3g} {unit}"
        count /= 1000
    return ""


def bar(total: float | None, text: str, unit: str = "s", form: str | None = None, done: float = 0) -> Any:
    """A progress bar on stderr, `done` of `total` at its start; where that is no terminal, a line every ten seconds."""
    from tqdm import tqdm

    live = sys.stderr.isatty()
    left = "{l_bar}{bar}| {n_fmt}/{total_fmt} " + unit + " [{elapsed}<{remaining}{postfix}]"
    return tqdm(
        total=total,
        initial=done,
        desc=text,
        unit=unit,
        unit_scale=isinstance(total, float),
        file=sys.stderr,
        mininterval=0.2 if live else 10,
        bar_format=form or left,
        dynamic_ncols=True,
        leave=live,
    )


def say(text: str) -> None:
    """A remark on stderr."""
    print(f"bestiary: {text}", file=sys.stderr, flush=True)


def folder_for(files: str | Path) -> Path:
    """The folder, made where it is missing. BestiaryError, before any work is lost, where nothing can be written."""
    folder = Path(files)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise BestiaryError(f"cannot write into {folder} ({error.strerror}): give --out another place") from error
    return folder


def words(given: Iterable[str]) -> tuple[str, ...]:
    """Names that were given one by one or joined with commas."""
    return tuple(word for text in given for word in text.replace(" ", "").split(",") if word)


def known_animal(name: str, folder: str = "bodies") -> None:
    """LookupError with the nearest name, before anything heavy is imported."""
    if name not in (names := bestiary.animals(folder)):
        raise LookupError(f"no animal {name!r}; {bestiary.nearest(name, names, 'animal')}")


def refuse_given(options: Any, names: Iterable[str], why: str) -> None:
    """BestiaryError for those of the options `names` that were given: they would change nothing, and why."""
    default = {field.name: field.default for field in dataclasses.fields(options)}
    if given := ["--" + name.replace("_", "-") for name in names if getattr(options, name) != default[name]]:
        raise BestiaryError(f"{', '.join(given)} would change nothing: {why}")


def check_acts(options: Any, *names: str) -> None:
    """BestiaryError where an option of the brain among `names` cannot act under the control that was asked for."""
    from bestiary.interfaces._controls import check_acts as check

    asked = {f"--{n.replace('_', '-')}": getattr(options, n) for n in names}
    check(options.control, options.control_seed, asked)


def physics() -> None:
    """Imports MuJoCo, which fails where MUJOCO_GL names a library that is not here: then without pictures."""
    try:
        import mujoco  # noqa: F401
    except Exception as error:
        if not (asked := os.environ.get("MUJOCO_GL")):
            raise
        say(f"MUJOCO_GL={asked} does not work here ({type(error).__name__}: {error}); going on without pictures")
        os.environ["MUJOCO_GL"] = "disable"  # also for the processes that we start
        importlib.import_module("mujoco")
