"""`bestiary list`."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import bestiary
from bestiary._commands._show import Outcome, table
from bestiary.errors import DataError


def command(options: Any) -> Outcome:
    from bestiary._ids import IDS
    from bestiary.brains._stimulate import BRAINS
    from bestiary.brains.connectome._load import sources
    from bestiary.interfaces._controls import CONTROLS

    animals: dict[str, Any] = {}
    known: dict[str, dict[str, str]] = {}
    for name in bestiary.animals("bodies"):
        try:
            wired = sources(name)
        except LookupError:  # a body without a brain yet
            wired = {}
        known[name] = wired
        animals[name] = {
            "about": _first_line("bodies", name),
            "brain": name in bestiary.animals("interfaces"),
            "connectomes": list(wired),
            "assays": _assays(name),
        }
    tasks = {name: _first_line("tasks", name) for name in bestiary.animals("tasks")}
    controls = {name: control.about for name, control in CONTROLS.items()}
    report = {"animals": animals, "environments": IDS, "tasks": tasks, "controls": controls}
    report["spiking_brains"] = BRAINS
    parts = {
        "Animals": [(n, a["about"] + ("" if a["brain"] else " (body only)")) for n, a in animals.items()],
        "Environments": [(n, ", ".join(i[k] for k in ("animal", "task", "medium") if k in i)) for n, i in IDS.items()],
        "Tasks": list(tasks.items()),
        "Connectomes": [(f"{n} {c}", about) for n, these in known.items() for c, about in these.items()],
        "Spiking brains": list(BRAINS.items()),
        "Controls": list(controls.items()),
        "Assays": [(f"{n} {key}", about) for n, a in animals.items() for key, about in a["assays"].items()],
    }
    return Outcome(report, "\n".join(f"{title}\n{table(rows)}" for title, rows in parts.items() if rows))


def _first_line(folder: str, name: str) -> str:
    """The first line of a module's docstring, read without importing it."""
    for place in bestiary.__path__:
        if (file := Path(place) / folder / f"{name}.py").is_file():
            return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n")[0]
    return ""


def _assays(animal: str) -> dict[str, str]:
    try:
        from bestiary.tasks._assay_table import assays

        return {name: assay.about for name, assay in assays(animal).items()}
    except (ImportError, DataError):  # an animal without assays yet
        return {}
