"""`bestiary assay ANIMAL ASSAY`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import bestiary
from bestiary._commands._show import (
    Outcome,
    bar,
    check_acts,
    folder_for,
    known_animal,
    number,
    physics,
    table,
    words,
)
from bestiary.errors import BestiaryError, DataError

_HEAD = ("fact", "quantity", "model", "95 % interval", "n", "published", "unit", "verdict", "source")


def command(options: Any) -> Outcome:
    known_animal(options.animal, "interfaces")
    check_acts(options, "parameters", "without")
    physics()
    from bestiary.tasks._assay_table import assays

    known = assays(options.animal)
    if options.assay != "all" and options.assay not in known:
        raise LookupError(f"no assay {options.assay!r}; {bestiary.nearest(options.assay, [*known, 'all'], 'assay')}")
    for name, least in (("n", 1), ("jobs", 1), ("rewired", 1), ("control_n", 1)):
        if (value := getattr(options, name)) is not None and value < least:
            raise BestiaryError(f"{name} must be at least {least}, got {value}")
    if (refits := words(options.refits)) and len(refits) != options.rewired:
        raise BestiaryError(f"{len(refits)} refits for {options.rewired or 0} rewired connectomes: give one each")
    names = list(known) if options.assay == "all" else [options.assay]
    if options.out is not None:
        folder_for(options.out)
    if options.paired:
        return _kept(options, *_paired(options, names, known))
    if options.rewired is not None or options.controls:
        return _kept(options, *_controls(options, names))
    return _kept(options, *_assays(options, names))


def _kept(options: Any, report: dict[str, Any], text: str) -> Outcome:
    """The outcome, written into --out where that was asked for."""
    rows = [row for assay in report.get("assays", {}).values() for row in assay["rows"]]
    nothing = bool(rows) and not any(row["n"] for row in rows)
    asked = {"animal": options.animal, "seed": options.seed, "control": options.control}
    outcome = Outcome({**asked, **report}, text, int(nothing))
    if options.out is not None:
        folder = Path(options.out)
        (folder / "assay.json").write_text(outcome.json() + "\n", encoding="utf-8")
        page = markdown(report["assays"]) if "assays" in report else f"```\n{text}\n```\n"
        (folder / "assay.md").write_text(page, encoding="utf-8")
    return outcome


def _assays(options: Any, names: list[str]) -> tuple[dict[str, Any], str]:
    from bestiary.tasks._assay import run_assay

    found: dict[str, Any] = {}
    texts: list[str] = []
    for name in names:
        if found:  # an assay takes minutes: whoever stops at the next one keeps these
            _kept(options, {"assays": found}, "\n\n".join(texts))
        with _bar(f"{options.animal} {name}") as note:
            result = run_assay(
                options.animal,
                name,
                n=options.n,
                seed=options.seed,
                control=options.control,
                control_seed=options.control_seed,
                parameters=options.parameters,
                without=words(options.without),
                jobs=options.jobs,
                progress=note,
            )
        found[name] = result.as_dict()
        beside = _distributions(result.kept, options.out, found[name])
        failed = [f"  stopped: {where}: {why}" for where, why in result.failures.items()]
        texts.append("\n".join([f"{name}: {result.about}", table(map(_row, result.table()), _HEAD), *beside, *failed]))
    return {"assays": found}, "\n\n".join(texts)


def _distributions(kept: dict[str, Any], out: str | None, report: dict[str, Any]) -> list[str]:
    """Lines on bouts that an assay kept, beside the recorded ones; into the report, and as a picture into `out`."""
    if not (fish := kept.get("intact", {}).get("bouts")):
        return []
    from bestiary.tasks import _bout_pool

    try:
        rows = _bout_pool.pooled(fish)
    except DataError as error:
        return [f"  no recorded bouts: {error}"]
    report["distributions"] = rows
    lines = ["  all bouts together, with 95 % intervals over fish:", _bout_pool.text(rows)]
    if out is not None:
        _bout_pool.draw(fish, Path(out) / "bouts.png")
        lines.append(f"  picture: {Path(out) / 'bouts.png'}")
    return lines


def _controls(options: Any, names: list[str]) -> tuple[dict[str, Any], str]:
    """The same assays with controls in the animal's place: which rows does the wiring earn?"""
    from bestiary.tasks._assay_controls import passes, run_controls

    with _bar(f"{options.animal}, measured and controls") as note:
        wiring = run_controls(
            options.animal,
            names,
            _asked(options),
            parameters=words(options.refits) or None,
            intact_parameters=options.parameters,
            n=options.n,
            control_n=options.control_n,
            without=words(options.without),
            seed=options.seed,
            jobs=options.jobs,
            progress=note,
        )
    rows = [
        (r["id"], r["quantity"], r["intact"], r["unit"], r["verdict"], passes(r), r["finding"]) for r in wiring.rows
    ]
    how = "refitted with the same budget" if wiring.refitted else "NOT refitted: the measured wiring has the advantage"
    head = ("fact", "quantity", "measured wiring", "unit", "verdict", "controls that pass", "finding")
    return {"wiring": wiring.as_dict()}, f"controls, {how}\n{table(rows, head)}"


def _paired(options: Any, names: list[str], known: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Every control in the same trials as the animal: what does it lose?"""
    from bestiary.tasks._assay_paired import run_paired

    others = ("control", "control_n", "rewired", "refits")
    if not options.controls or any(getattr(options, name) for name in others):
        raise BestiaryError(f"--paired goes with --controls NAMES (or all), and not with {', '.join(others)}")
    asked = _asked(options, {k for name in names for k in known[name].controls})
    if asked is not None and (many := [name for name, k in asked.items() if k > 1]):
        raise BestiaryError(f"with --paired every trial is a draw: write {many[0]}, and --n for their number")
    if asked is None and options.assay == "all":
        names = [name for name in names if known[name].controls]
    with _bar(f"{options.animal}, measured and controls") as note:
        found = run_paired(
            options.animal,
            names,
            None if asked is None else list(asked),
            n=options.n,
            seed=options.seed,
            parameters=options.parameters,
            without=words(options.without),
            jobs=options.jobs,
            progress=note,
        )
    return {"paired": found.as_dict()}, f"controls, paired seeds\n{found}"


def _asked(options: Any, lesions: Collection[str] = ()) -> dict[str, int] | None:
    """Controls and their draws from the command line; None for those that the assays list. lesions: further names."""
    if options.rewired is not None:
        return {options.control or "degree-preserving": options.rewired}
    from bestiary.interfaces._controls import CONTROLS

    if list(given := words(options.controls)) == ["all"]:
        return None
    asked = {}
    for text in given:
        name, _, k = text.partition("=")
        if name not in CONTROLS and name not in lesions:
            known = ["all", *CONTROLS, *lesions]
            raise LookupError(f"no control {name!r}; {bestiary.nearest(name, known, 'control')}")
        if not (k or "1").isdigit() or int(k or 1) < 1:
            raise BestiaryError(f"cannot read the control {text!r}; write NAME or NAME=DRAWS, degree-preserving=20")
        asked[name] = int(k or 1)
    return asked


@contextlib.contextmanager
def _bar(text: str) -> Iterator[Callable[[int, int], None]]:
    with bar(None, text, "trials", "{desc} {n_fmt}/{total_fmt} [{elapsed}]") as progress:

        def note(done: int, total: int) -> None:
            progress.total = total
            progress.update(min(done, total) - progress.n)

        yield note


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row.get("id"),
        row.get("quantity"),
        row.get("value"),
        _range(row.get("low95"), row.get("high95")),
        row.get("n"),
        _published(row),
        row.get("unit"),
        row.get("verdict"),
        row.get("source"),
    )


def _published(row: dict[str, Any]) -> str:
    spread = _range(row.get("published_low"), row.get("published_high"))
    value = number(row.get("published"))
    return f"{value} ({spread})" if value and spread else value or spread


def _range(low: Any, high: Any) -> str:
    known = [x for x in (low, high) if x is not None and math.isfinite(x)]
    return f"{number(low)} to {number(high)}" if known else ""


def markdown(found: dict[str, Any]) -> str:
    """The rows of assays as one table for a README."""
    rows = [_row(row) for assay in found.values() for row in assay["rows"]]
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    lines += ["| " + " | ".join(number(cell).replace("|", "/") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
