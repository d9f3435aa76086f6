"""`bestiary plot RECORDING`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bestiary._commands._show import Outcome
from bestiary.errors import DataError


def command(options: Any) -> Outcome:
    path = Path(options.recording)
    path = path / "recording.h5" if path.is_dir() else path
    if not path.is_file():
        raise DataError(f"no recording at {path}; `bestiary run` writes one")
    from bestiary.tasks._plots import figures

    drawn = figures(path, options.out)
    text = "\n".join(map(str, drawn)) or f"{path} is too short to draw"
    return Outcome({"recording": path, "plots": drawn}, text)
