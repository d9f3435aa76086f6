"""`bestiary assay ANIMAL ASSAY`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bestiary
from bestiary._commands._show import Outcome, bar, known_animal, number, table
from bestiary.errors import BestiaryError

_HEAD = ("fact", "quantity", "model", "95 % interval", "n", "published", "unit", "verdict", "source")


def command(options: Any) -> Outcome:
    known_animal(options.animal, "interfaces")
    try:
        from bestiary.tasks._assay import assays, run_assay
    except ImportError as error:
        raise BestiaryError(f"the assays cannot start: {error}") from error

    known = assays(options.animal)
    if options.assay != "all" and options.assay not in known:
        raise LookupError(f"no assay {options.assay!r}; {bestiary.nearest(options.assay, [*known, 'all'], 'assay')}")
    if options.n is not None and options.n < 1:
        raise BestiaryError(f"an assay needs one animal or more in each arm, got n={options.n}")
    names = list(known) if options.assay == "all" else [options.assay]
    report: dict[str, Any] = {"animal": options.animal, "seed": options.seed, "control": options.control, "assays": {}}
    texts = []
    for name in names:
        began = time.perf_counter()
        with bar(None, f"{options.animal} {name}", "trials", "{desc} {n}/{total} [{elapsed}<{remaining}]") as progress:

            def note(done: int, total: int, progress: Any = progress) -> None:
                progress.total = total
                progress.update(done - progress.n)

            result = run_assay(
                options.animal,
                name,
                n=options.n,
                seed=options.seed,
                control=options.control,
                jobs=options.jobs,
                progress=note,
            )
        rows = [dict(row) for row in result.table()]
        report["assays"][name] = {"rows": rows, "wall_s": time.perf_counter() - began}
        texts.append(f"{name}\n{table([_row(r) for r in rows], _HEAD)}")
    outcome = Outcome(report, "\n\n".join(texts))
    if options.out is not None:
        folder = Path(options.out)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "assay.json").write_text(outcome.json() + "\n", encoding="utf-8")
        (folder / "assay.md").write_text(markdown(report), encoding="utf-8")
    return outcome


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
    return "" if low is None and high is None else f"{number(low)} to {number(high)}"


def markdown(report: dict[str, Any]) -> str:
    """The tables for a README."""
    rows = [_row(row) for assay in report["assays"].values() for row in assay["rows"]]
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    lines += ["| " + " | ".join(number(cell).replace("|", "/") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
