"""What the wiring earns, seed by seed: the animal and its controls in the same trials, each trial another draw.

A control shares its seeds with the animal, so that what it loses is a paired difference with an interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bestiary.errors import DataError
from bestiary.interfaces._controls import control
from bestiary.tasks._assay import Result, row_values, run_assay
from bestiary.tasks._assay_controls import BRAINLESS, SHUFFLES
from bestiary.tasks._assay_table import Assay, Row, find
from bestiary.tasks._assay_text import cut, number, plain
from bestiary.tasks._assay_trials import Factory, Progress
from bestiary.tasks._statistics import PASSED, contrast

NO_DIFFERENCE = "wiring makes no difference"


@dataclass(frozen=True)
class Paired:
    """The same trials with the animal and with controls. rows: id, assay, quantity, unit, value, low95, high95, n,
    verdict, controls (name -> value, low95, high95, n, verdict and `less`: the animal less the control with its
    interval), finding: see `word`. results: assay -> "intact" or control -> its trials."""

    animal: str
    rows: list[dict[str, Any]]
    results: dict[str, dict[str, Result]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: NaN becomes None."""
        trials = {a: {c: r.as_dict() for c, r in found.items()} for a, found in self.results.items()}
        return {"animal": self.animal, "rows": plain(self.rows), "results": trials}

    def __str__(self) -> str:
        lines = [f"{'id':5} {'quantity':30} {'control':19} {'value [95 %]':25} {'less [95 %]':25} verdict", "-" * 120]
        for row in self.rows:
            lines.append(
                f"{row['id']:5} {cut(row['quantity'], 30):30} {'intact':19} {cut(spread(row), 25):25} {'':25} "
                f"{cut(row['verdict'], 12)}"
            )
            for name, c in row["controls"].items():
                lines.append(
                    f"{'':36} {name:19} {cut(spread(c), 25):25} {cut(spread(c['less']), 25):25} {cut(c['verdict'], 12)}"
                )
            lines.append(f"{'':36} -> {row['finding']}"[:120])
        return "\n".join(lines)


def spread(found: Mapping[str, Any]) -> str:
    """A value with its interval, as text."""
    return f"{number(found['value'])} [{number(found['low95'])}, {number(found['high95'])}]"


def chosen(assay: Assay) -> Assay:
    """The assay with only the rows that controls are held against: those it names in `paired`, else those that it
    scores and in which no arm is a control itself."""

    def fits(row: Row) -> bool:
        free = not any(assay.arms[arm].get("control") for arm in row.arms)
        return row.id in assay.paired if assay.paired else free and row.rule != "beside" and row.how != "exceeds"

    return replace(assay, rows=tuple(row for row in assay.rows if fits(row)))


def run_paired(
    animal: str,
    names: Sequence[str | Assay],
    controls: Sequence[str] | None = None,
    *,
    n: int | None = None,
    seed: int = 0,
    parameters: Mapping[str, float] | str | None = None,
    without: Sequence[str] = (),
    jobs: int = 2,
    progress: Progress | None = None,
    factory: Factory | None = None,
) -> Paired:
    """Runs assays with the animal and with controls: trial i of all has seed `seed + i`, and of a control that is drawn
    at random draw i.

    controls: names, also of lesions that an assay lists; None takes those that each assay lists, less lesions. n:
    trials of each, None for the assay's own. progress: (runs done, runs in all). The rest as in `run_assay`. Raises
    DataError where an assay has no controls, LookupError for an unknown one.
    """
    assays = [chosen(find(animal, name) if isinstance(name, str) else name) for name in names]
    asked: dict[str, dict[str, Any]] = {
        a.name: {k: v for k, v in a.controls.items() if isinstance(v, int)} for a in assays
    }
    if controls is not None:
        asked = {a.name: {k: a.controls.get(k, 1) for k in controls} for a in assays}
    for name, these in asked.items():
        if not these:
            raise DataError(f"assay {name!r} lists no controls: name some, such as degree-preserving")
    total, done = sum(1 + len(these) for these in asked.values()), 0
    rows: list[dict[str, Any]] = []
    results: dict[str, dict[str, Result]] = {}
    fixed: dict[str, Any] = {
        "n": n, "seed": seed, "parameters": parameters, "without": without, "jobs": jobs, "factory": factory,
    }  # fmt: skip
    for assay in assays:
        found: dict[str, Result] = {}
        for name, what in {"intact": {}, **asked[assay.name]}.items():
            if isinstance(what, int):
                draws = (n or assay.n) if control(name).draws else 1
                found[name] = run_assay(animal, assay, control=name, control_draws=draws, **fixed)
            else:
                found[name] = run_assay(animal, assay, options=what, **fixed)
            done += 1
            if progress is not None:
                progress(done, total)
        results[assay.name] = found
        rows += compare(assay, found)
    return Paired(animal, rows, results)


def compare(assay: Assay, found: Mapping[str, Result]) -> list[dict[str, Any]]:
    """`Paired.rows` of one assay. found: "intact" and controls by name, all with the same seeds and rows."""
    rows, intact = [], found["intact"]
    for r, row in enumerate(assay.rows):
        mine, controls = intact.rows[r], {}
        for name, result in found.items():
            if name == "intact":
                continue
            values, theirs = row_values(row, intact.trials), row_values(row, result.trials)
            less = contrast(values, theirs, row.how, x=row.x)
            keys = ("value", "low95", "high95", "n", "verdict")
            controls[name] = {**{k: result.rows[r][k] for k in keys}, "less": vars(less)}
        rows.append(
            {k: mine[k] for k in ("id", "assay", "quantity", "unit", "value", "low95", "high95", "n", "verdict")}
            | {"controls": controls, "finding": word(mine["verdict"], controls)}
        )
    return rows


def word(intact: str, controls: Mapping[str, Mapping[str, Any]]) -> str:
    """What paired controls say of a row whose verdict with the animal is `intact`.

    "does not come out": the animal fails the row. "needs no brain": it passes, and the body without one does as well as
    it. Else, of the rewired and shuffled ones, from which the animal differs: the interval of its paired difference
    leaves out 0, or there was nothing to measure in the control. "wiring matters": from all; "wiring makes no
    difference": from none; else those from which it does not are named. Intervals are not corrected for their number.
    """
    if intact not in (*PASSED, "beside"):
        return "does not come out"
    without = [controls[name] for name in BRAINLESS if name in controls]
    if any(c["verdict"] in PASSED and not _differs(c["less"]) for c in without):
        return "needs no brain"
    shuffles = {name: _differs(c["less"]) for name, c in controls.items() if name in SHUFFLES}
    if not shuffles:
        return "nothing was rewired"
    if not any(shuffles.values()):
        return NO_DIFFERENCE
    same = [name for name, other in shuffles.items() if not other]
    return "no difference from " + ", ".join(same) if same else "wiring matters"


def _differs(less: Mapping[str, Any]) -> bool:
    low, high = less["low95"], less["high95"]
    return math.isnan(less["value"]) or low > 0 or high < 0
