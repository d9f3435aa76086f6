"""The whole examination: levels in their order, verdicts, ledger, scorecard."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary.errors import BestiaryError
from bestiary.tasks.turing import learned, level_a, level_b, level_c, level_d, level_e, level_f
from bestiary.tasks.turing.contract import EDITIONS, VERSION, Result, Verdict, false_discovery, holm, level_verdict
from bestiary.tasks.turing.controls import CONTROLS, EXTRA
from bestiary.tasks.turing.definitions import LEVELS, TESTS
from bestiary.tasks.turing.exam import FAST, FULL, Budget, Exam, Note, write
from bestiary.tasks.turing.ledger import Ledger
from bestiary.tasks.turing.policies import Candidate
from bestiary.tasks.turing.trials import cores


def examine(
    animal: str,
    levels: str = "ABCDEF",
    *,
    policy: str = "",
    parameters: str = "",
    out: str | Path | None = None,
    fast: bool = False,
    seed: int = 0,
    jobs: int | None = None,
    budget: Budget | None = None,
    ledger: Ledger | None = None,
    note: Note = lambda text, done, total: None,
) -> dict[str, Any]:
    """Examines a policy and writes `scorecard.json` and `report.html` into `out` (runs/turing-ANIMAL). Trials are kept
    in out/trials: a run that was stopped goes on where it was.

    levels: of A to F. policy, parameters: see `policies.Candidate`. fast: a look, no verdict. jobs: processes, None for
    all cores. ledger: None for that of the machine. note: called with (what, done, total).

    Raises LookupError (animal, control, with the nearest), BestiaryError (levels, a policy that gives none) and
    GuardError for a policy that reaches for the recordings.
    """
    wanted = sorted(set(levels.upper()))
    if not wanted or set(wanted) - set(LEVELS):
        raise BestiaryError(f"levels are of {''.join(LEVELS)}, got {levels!r}")
    begin = time.perf_counter()
    folder = Path(out) if out is not None else Path("runs") / f"turing-{animal}{'-' + _short(policy) if policy else ''}"
    budget = budget or (FAST if fast else FULL)
    candidate = Candidate(animal, policy, parameters)
    exam = Exam.of(candidate, budget, folder, jobs=jobs or cores(), seed=seed, note=note)
    book = ledger or Ledger.standard()
    digest = exam.digest or candidate.digest()
    tests = [t for t in TESTS if t[0] in wanted]
    book.add(animal, digest, tests, VERSION, seed)
    mine, all_, alike = book.counts(animal, digest, VERSION)

    results: dict[str, list[Result]] = {}
    level_controls: dict[str, dict[str, Verdict]] = {}
    if "B" in wanted:
        results["B"] = level_b.run(exam)
    if "C" in wanted:
        results["C"] = level_c.run(exam)
    if "D" in wanted:
        results["D"], level_controls["D"] = level_d.run(exam)
    if "E" in wanted:
        results["E"] = level_e.run(exam)
    if "F" in wanted:
        results["F"] = level_f.run(exam)
    rubric: list[level_a.Dimension] = []
    if "A" in wanted:
        results["A"], rubric = level_a.run(exam, results)
    results = {k: results[k] for k in sorted(results)}
    corrected = iter(holm([r for found in results.values() for r in found]))
    results = {k: [next(corrected) for _ in found] for k, found in results.items()}
    card = _card(exam, results, level_controls, rubric)
    card |= {
        "model_sha256": digest,
        "evaluations": {
            "of_this_model": mine,
            "of_this_animal": all_,
            "in_this_version": alike,
            "ledger": book.path.name,
        },
        "wall_s": round(time.perf_counter() - begin, 1),
    }
    save(folder, card, [r for found in results.values() for r in found], exam.exhibits)
    return {**card, "folder": str(folder)}


def save(folder: Path, card: dict[str, Any], results: Sequence[Result], exhibits: Mapping[str, Any]) -> None:
    """Writes scorecard.json and report.html; scorecards of other animals beside the folder join the matrix. card: gets
    the rows of its tests and what it was made with."""
    from bestiary.tasks.turing.report import html

    card["tests"] = [row(r) for r in results]
    card["environment"] = {
        "bestiary": bestiary.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "scorecard.json", json.dumps(plain(card), indent=1, allow_nan=False))
    write(folder / "report.html", html(card, exhibits, _beside(folder)))


def _beside(folder: Path) -> list[dict[str, Any]]:
    """The newest scorecard of every animal in folders beside this one."""
    out: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.resolve().parent.glob("turing-*/scorecard.json"), key=lambda p: p.stat().st_mtime):
        try:
            card = json.loads(file.read_text(encoding="utf-8"))
            if card["format"] == "bestiary-turing-scorecard" and card["policy"] == "as it ships" and card["levels"]:
                out[card["animal"]] = card
        except (OSError, ValueError, KeyError):
            continue
    return list(out.values())


def _short(policy: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in policy.rpartition("/")[2])


def _card(
    exam: Exam,
    results: Mapping[str, list[Result]],
    level_controls: Mapping[str, Mapping[str, Verdict]],
    rubric: Sequence[level_a.Dimension],
) -> dict[str, Any]:
    levels = {}
    for k, found in results.items():
        verdict, reason = level_verdict(found), ""
        passed = [c for c, v in level_controls.get(k, {}).items() if v is Verdict.PASS and k in _stand(c).must_fail]
        if passed:
            verdict, reason = Verdict.INVALID, f"{', '.join(passed)} passes every test of the level"
        levels[k] = {
            "name": LEVELS[k],
            "verdict": verdict,
            "reason": reason,
            "counts": {v: sum(r.verdict is v for r in found) for v in Verdict},
            "controls": dict(level_controls.get(k, {})),
        }
    passes = {k for k, v in levels.items() if v["verdict"] is Verdict.PASS}
    return {
        "format": "bestiary-turing-scorecard",
        "version": VERSION,
        "changed": dict(EDITIONS[VERSION].changed),
        "margins_sha256": EDITIONS[VERSION].margins_sha256,
        "animal": exam.candidate.animal,
        "policy": exam.candidate.policy or "as it ships",
        "fast": exam.budget.fast,
        "verdict_allowed": not exam.budget.fast,
        "emulation_claim": "supported"
        if {"A", "C", "D"} <= passes and not exam.budget.fast
        else "not supported: it needs A, C and D",
        "levels": levels,
        "rubric": [
            {
                "name": d.name,
                "declared": d.declared,
                "computed": d.computed,
                "published": d.published,
                "evidence": d.evidence,
                "saw": d.saw,
            }
            for d in rubric
        ],
        "exploratory": exploratory([r for found in results.values() for r in found]),
        "controls": {s.id: s.about for s in (*CONTROLS.values(), *EXTRA.values())},
        "controls_not_run": _controls_not_run(exam, results),
        "seed": exam.seed,
        "budget": exam.budget.__dict__,
    }


def exploratory(results: Sequence[Result]) -> list[dict[str, Any]]:
    """p of what no verdict rests on, with q over all of them: ranks of the model among animals, parameters of single
    animals' responses, single rows of perturbations."""
    rows: list[tuple[str, str, float]] = []
    for r in results:
        detail = r.outcome.detail if r.outcome else {}
        rows.append((r.test.id, "rank of the model among the animals", detail.get("rank_p", math.nan)))
        rows += [(r.test.id, f"{k} of the response", v["p"]) for k, v in detail.get("by_animal", {}).items()]
        rows += [(r.test.id, f"row {x['id']}: {x['what']}", x["p_flips"]) for x in detail.get("table", ())]
    rows = [row for row in rows if math.isfinite(row[2])]
    found = false_discovery([p for _, _, p in rows])
    return [{"test": t, "what": what, "p": p, "q": q} for (t, what, p), q in zip(rows, found, strict=True)]


def _stand(name: str) -> Any:
    return CONTROLS.get(name) or EXTRA[name]


def _controls_not_run(exam: Exam, results: Mapping[str, list[Result]]) -> dict[str, str]:
    seen = {k for found in results.values() for r in found for k in r.controls}
    why = {
        "K0": ""
        if any(r.false_alarms is not None for f in results.values() for r in f)
        else "fewer than four recorded animals",
        "K8": "no stimulus in the recordings that receptors could be confused about",
        "K10": "no stimulus-response test could be run at D",
        "K11": "no stimulus in the recordings to key a lookup on",
        "K14": "fewer than two recorded animals",
        "K15": "" if exam.candidate.animal in learned.animals() else "no learned policy ships for this animal",
        "K16": "the model has no plasticity to switch off" if "K16" not in seen else "",
    }
    out = {}
    for k, stand in CONTROLS.items():
        if k in seen:
            continue
        if not {"D" if x in "RMI" else x for x in stand.must_fail or "D"} & set(results):
            out[k] = "none of its levels was asked for"
            continue
        cut = exam.budget.fast and (stand.animal or k == "K18") and k not in exam.budget.simulated
        rest = "only at level C" if k in ("K4", "K5", "K6", "K7") else "the policy under test cannot be rewired"
        if text := why.get(k, exam.why_not or ("left out by the fast mode" if cut else rest)):
            out[k] = text
    return out


def row(r: Result) -> dict[str, Any]:
    o, ref = r.outcome, r.test.reference
    return {
        "id": r.test.id,
        "version": r.test.version,
        "level": r.test.level,
        "about": r.test.about,
        "statistic": r.test.statistic,
        "unit": r.test.unit,
        "verdict": r.verdict,
        "reason": r.reason,
        "value": o.value if o else None,
        "low95": o.low95 if o else None,
        "high95": o.high95 if o else None,
        "margin": {"low": r.test.margin.low, "high": r.test.margin.high},
        "floor": r.floor,
        "false_alarms": r.false_alarms,
        "display_score": r.score,
        "n_real": o.n_real if o else ref.n_animals,
        "n_model": o.n_model if o else 0,
        "power": {"needs": r.test.needs, "power": r.test.power},
        "reference": {
            "name": ref.name,
            "doi": ref.doi,
            "licence": ref.licence,
            "sha256": ref.sha256,
            "animals": ref.n_animals,
        },
        "must_fail": list(r.test.controls),
        "controls": {k: {"value": v[0], "low95": v[1], "high95": v[2], "verdict": v[3]} for k, v in r.controls.items()},
        "notes": list(r.notes),
        "detail": {k: v for k, v in (o.detail if o else {}).items() if k != "roc"},
    }


def plain(value: Any) -> Any:
    """For JSON: arrays become lists, what is not finite null."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)
