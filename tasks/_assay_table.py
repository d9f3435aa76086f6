"""Assays as data: `assets/<animal>/assays.toml`, its keys and their check. Several rows come from the same runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import bestiary
from bestiary import assets
from bestiary.errors import DataError
from bestiary.tasks._catalogue import KEPT, measure

WORLD = ("task", "medium", "seconds", "skip_s", "task_options", "body_options")
ANIMAL = ("lesion", "silence", "stimulate", "without", "connectome", "control")
_HOW = ("value", "difference", "ratio", "percent", "trend", "peak", "exceeds")


@dataclass(frozen=True)
class Row:
    """One published quantity. measure, options: of the catalogue. arms, how: what is combined (`_statistics.combine`),
    margin: of "exceeds", x: of "peak" (`_statistics.estimate`).

    value: as published, for the eye. low, high: the range that is scored. rule: "range", "+", "-" or "beside"; why says
    what the rule rests on where the source alone does not.
    """

    id: str
    quantity: str
    measure: str
    source: str
    options: dict[str, Any] = field(default_factory=dict)
    arms: tuple[str, ...] = ("intact",)
    how: str = "value"
    margin: float = 0.0
    x: tuple[float, ...] = ()
    value: Any = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    rule: str = "range"
    why: str = ""


@dataclass(frozen=True)
class Assay:
    """n trials in every arm, seeds shared. An arm may replace task, medium, seconds, skip_s, task_options and
    body_options of the assay, and gives lesion, silence, stimulate, without, connectome or control to the animal;
    control_seeds: over how many draws of its control the trials are spread. skip_s: what is left out of every track at
    its start. every: control steps between samples of a track. record: neurons whose voltages are kept for the
    measures; probe: other scalars of `Animal.probe` that are.

    controls: what `run_controls` puts in the animal's place: the name of a control with the number of its draws, or any
    other name with options of the animal ("no DNa02": silence = [...]). paired: ids of the rows that `run_paired` holds
    against them; none: all that it can. keep: what of every track is kept whole (`_catalogue.KEPT`). policy: what is
    put around the animal, of `POLICIES` in its interface: a controller that the cord steers, say.
    """

    name: str
    about: str
    task: str
    rows: tuple[Row, ...]
    medium: Any = None
    seconds: float = 60.0
    skip_s: float = 0.0
    n: int = 10
    task_options: dict[str, Any] = field(default_factory=dict)
    body_options: dict[str, Any] = field(default_factory=dict)
    arms: dict[str, dict[str, Any]] = field(default_factory=lambda: {"intact": {}})
    every: int = 5
    record: tuple[str, ...] = ()
    probe: tuple[str, ...] = ()
    controls: dict[str, Any] = field(default_factory=dict)
    paired: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    policy: str = ""


def assays(animal: str) -> dict[str, Assay]:
    """The assays of an animal by name. Raises DataError where it has none, or where the table cannot be right."""
    if (file := assets.find(animal, "assays.toml")) is None:
        raise DataError(f"no assets/{animal}/assays.toml: {animal} has no assays yet")
    return parse(tomllib.loads(file.read_text(encoding="utf-8")))


def parse(table: Mapping[str, Any]) -> dict[str, Assay]:
    """Assays from a table of plain data. Raises DataError naming the assay, the row and the key."""
    out = {}
    for name, given in table.items():
        text = dict(given)
        try:
            rows = [_row(row) for row in text.pop("rows", ())]
            text |= {key: tuple(text.get(key, ())) for key in ("record", "probe", "paired", "keep")}
            assay = Assay(name=name, rows=tuple(rows), **text)
        except TypeError as error:
            raise DataError(f"assay {name!r}: {error}") from None
        for arm, options in assay.arms.items():
            _check_keys(f"assay {name!r}, arm {arm!r}", options, (*WORLD, *ANIMAL, "control_seeds"))
        for control, what in assay.controls.items():
            if isinstance(what, Mapping):
                _check_keys(f"assay {name!r}, control {control!r}", what, ANIMAL)
            elif not isinstance(what, int) or what < 1:
                raise DataError(f"assay {name!r}, control {control!r}: a number of draws or options, got {what!r}")
        for kept in assay.keep:
            if kept not in KEPT:
                raise DataError(f"assay {name!r}, keep: no {kept!r}; {bestiary.nearest(kept, KEPT)}")
        for id_ in assay.paired:
            if id_ not in (ids := [r.id for r in rows]):
                raise DataError(f"assay {name!r}, paired: no row {id_!r}; {bestiary.nearest(id_, ids)}")
        for row in assay.rows:
            for arm in row.arms:
                if arm not in assay.arms:
                    raise DataError(f"assay {name!r}, {row.id}: no arm {arm!r}; {bestiary.nearest(arm, assay.arms)}")
            if row.how not in _HOW or row.rule not in ("range", "+", "-", "beside"):
                raise DataError(f"assay {name!r}, {row.id}: cannot read how={row.how!r}, rule={row.rule!r}")
            if row.how == "peak" and len(row.x) != len(row.arms):
                raise DataError(f"assay {name!r}, {row.id}: a peak over {len(row.arms)} arms needs as many x")
            measure(row.measure)
        out[name] = assay
    return out


def _row(given: Mapping[str, Any]) -> Row:
    text: dict[str, Any] = {**given, "arms": tuple(given.get("arms", ("intact",))), "x": tuple(given.get("x", ()))}
    return Row(**text)


def _check_keys(where: str, options: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in options:
        if key not in known:
            raise DataError(f"{where}: no key {key!r}; {bestiary.nearest(key, known)}")


def find(animal: str, name: str) -> Assay:
    """The assay `name` of an animal. Raises LookupError with the nearest name."""
    known = assays(animal)
    if name not in known:
        raise LookupError(f"no assay {name!r} for {animal}; {bestiary.nearest(name, known, 'assay')}")
    return known[name]
