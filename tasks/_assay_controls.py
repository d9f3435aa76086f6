"""What the wiring earns: the same assays with the measured wiring, and with controls in its place.

A behaviour counts as the brain's only when the measured wiring passes and at least 95 % of the shuffled ones fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bestiary.errors import DataError
from bestiary.tasks._assay import Result, judge, run_assay
from bestiary.tasks._assay_table import Assay, find
from bestiary.tasks._assay_text import cut, number, plain
from bestiary.tasks._assay_trials import Factory, Progress
from bestiary.tasks._statistics import PASSED

SHUFFLES = ("erdos-renyi", "degree-preserving", "class-preserving", "weight-shuffle", "sign-shuffle")
BRAINLESS = ("brain-off", "pattern-generator")
EARNED = "earned by the wiring"


@dataclass(frozen=True)
class Wiring:
    """The same assays with the measured wiring and with controls.

    rows: id, assay, quantity, unit, intact (value), verdict, controls (name -> values, passed, k), finding: see
    `finding`. intact: the results with the measured wiring; others: control -> draw -> results.
    """

    animal: str
    refitted: bool
    rows: list[dict[str, Any]]
    intact: list[Result]
    others: dict[str, list[list[Result]]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: NaN becomes None."""
        return {
            "animal": self.animal,
            "refitted": self.refitted,
            "rows": plain(self.rows),
            "intact": [r.as_dict() for r in self.intact],
            "controls": {name: [[r.as_dict() for r in draw] for draw in k] for name, k in self.others.items()},
        }

    def __str__(self) -> str:
        head = f"{'id':5} {'quantity':32} {'intact':>10} {'verdict':14} {'controls that pass':30}  finding"
        lines = [head, "-" * 120]
        for r in self.rows:
            lines.append(
                f"{r['id']:5} {cut(r['quantity'], 32):32} {number(r['intact']):>10} {cut(r['verdict'], 14):14} "
                f"{cut(passes(r), 30):30}  {r['finding']}"[:120]
            )
        return "\n".join(lines)


def passes(row: Mapping[str, Any]) -> str:
    """How many draws of each control pass a row of `Wiring`, as text."""
    return ", ".join(f"{name} {c['passed']}/{c['k']}" for name, c in row["controls"].items() if c["k"]) or "-"


def run_controls(
    animal: str,
    names: Sequence[str | Assay],
    controls: Mapping[str, Any] | None = None,
    *,
    parameters: Sequence[Mapping[str, float] | str] | None = None,
    intact_parameters: Mapping[str, float] | str | None = None,
    n: int | None = None,
    control_n: int | None = None,
    without: Sequence[str] = (),
    seed: int = 0,
    jobs: int = 2,
    progress: Progress | None = None,
    factory: Factory | None = None,
) -> Wiring:
    """Runs assays with the measured wiring and with controls, seeds shared, and says which rows the wiring earns.

    controls: as in `Assay.controls`, {"degree-preserving": 20, "no DNa02": {"silence": ["DNa02_L", "DNa02_R"]}}, draws
    with control_seed 0 to k - 1; None takes those of each assay. control_n: trials of each draw, None for as many as
    the measured wiring has; with fewer, the measured wiring must pass with as few too, on the same seeds. parameters:
    one set per draw, refitted with the budget that the shipped ones had (`bestiary fit --control`); None keeps the
    shipped ones, and the report says so. without: components taken out of all, the measured wiring too.
    progress: (runs done, runs in all). Raises ValueError, DataError where an assay has no controls.
    """
    assays = [find(animal, name) if isinstance(name, str) else name for name in names]
    asked = [a.controls if controls is None else dict(controls) for a in assays]
    for a, c in zip(assays, asked, strict=True):
        if not c:
            raise DataError(f"assay {a.name!r} lists no controls: name some, such as degree-preserving=20")
    draws = {name: what if isinstance(what, int) else 1 for c in asked for name, what in c.items()}
    if parameters is not None and any(k != len(parameters) for k in draws.values()):
        raise ValueError(f"{max(draws.values())} controls need as many sets of parameters, got {len(parameters)}")
    total, done = sum(1 + sum(draws[name] for name in c) for c in asked), 0

    def run(assay: Assay, chosen: Any, trials: int | None, **instead: Any) -> Result:
        nonlocal done
        fixed = {"n": trials, "seed": seed, "parameters": chosen, "without": without, "jobs": jobs, "factory": factory}
        out = run_assay(animal, assay, **fixed, **instead)
        done += 1
        if progress is not None:
            progress(done, total)
        return out

    intact = [run(a, intact_parameters, n) for a in assays]
    rows, others = [], {name: [[] for _ in range(k)] for name, k in draws.items()}  # type: ignore[var-annotated]
    for result, assay, these in zip(intact, assays, asked, strict=True):
        found: dict[str, list[Result]] = {}
        for name, what in these.items():
            for i in range(draws[name]):
                chosen = parameters[i] if parameters is not None else intact_parameters
                instead = {"control": name, "control_seed": i} if isinstance(what, int) else {"options": what}
                found.setdefault(name, []).append(run(assay, chosen, control_n or n, **instead))
                others[name][i].append(found[name][-1])
        for r, row in enumerate(result.rows):
            few = judge(assay, assay.rows[r], result.trials, result.failures, control_n)["verdict"]
            rows.append(_row(row, few, r, found))
    return Wiring(animal, parameters is not None, rows, intact, others)


def _row(row: Mapping[str, Any], few: str, r: int, found: Mapping[str, Sequence[Result]]) -> dict[str, Any]:
    """few: the verdict of the measured wiring with as many trials as each draw of a control has."""
    controls: dict[str, Any] = {}
    for name, results in found.items():
        theirs = [result.rows[r] for result in results if result.rows[r]["ran"]]
        passed = sum(t["verdict"] in PASSED for t in theirs)
        controls[name] = {"values": [t["value"] for t in theirs], "passed": passed, "k": len(theirs)}
    return {
        **{key: row[key] for key in ("id", "assay", "quantity", "unit", "verdict")},
        "intact": row["value"],
        "controls": controls,
        "finding": finding(row["verdict"], {name: (c["passed"], c["k"]) for name, c in controls.items()}, few),
    }


def finding(intact: str, controls: Mapping[str, tuple[int, int]], few: str = "") -> str:
    """What controls say of a row whose verdict with the measured wiring is `intact`; controls: name -> (passed, k).
    few: its verdict with as few trials as the controls had, where they had fewer.

    "does not come out": the intact animal fails. "needs no brain": it passes, and so does the body without one, or with
    a pattern generator. "earned by the wiring": it passes, and at least 95 % of each kind of shuffle fail; else
    "any wiring gives it", where at least half of some kind pass, or "partly". "not scored": no rule, no shuffle was
    run, or an arm of the row is a control itself, which cannot be run under another one. "too few trials": the
    measured wiring had one trial, or fails too with as few as the controls had.
    """
    ran = {name: c for name, c in controls.items() if c[1]}
    if intact == "beside" or not ran:
        return "not scored"
    if intact.startswith("too few") or (intact in PASSED and few and few not in PASSED):
        return "too few trials"
    if intact not in PASSED:
        return "does not come out"
    if any(ran[name][0] for name in BRAINLESS if name in ran):
        return "needs no brain"
    shares = [passed / k for name, (passed, k) in ran.items() if name in SHUFFLES]
    if not shares:
        return "not scored"
    if max(shares) <= 0.05:
        return EARNED
    return "any wiring gives it" if max(shares) >= 0.5 else "partly"
