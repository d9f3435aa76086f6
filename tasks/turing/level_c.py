"""Level C, perturbation: predicted against published outcomes of stimulation and lesions, on rows no fit has seen."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from bestiary import assets
from bestiary.assets import registry
from bestiary.bodies._base import Array
from bestiary.errors import DataError
from bestiary.tasks._catalogue import measure
from bestiary.tasks.turing import controls
from bestiary.tasks.turing.contract import Outcome, Reference, Result, Test, Verdict, judge, not_run, validate
from bestiary.tasks.turing.definitions import TESTS
from bestiary.tasks.turing.exam import Exam
from bestiary.tasks.turing.outcomes import agreement
from bestiary.tasks.turing.repeated import paired
from bestiary.tasks.turing.sequential import decided, hopeless, order, right_to_pass, sign
from bestiary.tasks.turing.trials import Done, Trial

_REWIRED = ("K3", "K4", "K5", "K6", "K7")
_MUTE = ("K1", "K2", "K10", "K11", "K15")  # no neuron moves a muscle: nothing is run
ROWS_NEEDED = 60
CONTROL_NEURONS = 40
_STAGE = 12  # rows after which a wiring is looked at again
COLUMNS = (
    "id",
    "manipulation",
    "targets",
    "assay",
    "sign",
    "effect",
    "unit",
    "n",
    "doi",
    "source",
    "used_for_tuning",
    "task",
    "medium",
    "task_options",
    "body_options",
    "both",
    "sham",
    "seconds",
    "every",
    "measure",
    "options",
    "least",
)


def run(exam: Exam) -> list[Result]:
    wanted = [TESTS[k] for k in ("C.atlas", "C.signs", "C.behaviour")]
    if reason := exam.lacks(("neurons",)):
        return [not_run(t, reason) for t in wanted]
    return [*_atlas(exam), _behaviour(exam)]


# Stimulation of single neurons, answers of all others


def pairs(options: Mapping[str, Any], names: Sequence[str]) -> tuple[Array, Array, Array, Array, list[str]]:
    """(stimulated, answering, answers: 0 or 1, measured change dF/F, 0 for no answer, all ids): pairs of the atlas that
    were tested and that the model has. One pair without answer is drawn for each with one, from the same stimulated
    neuron, always the same ones."""
    with np.load(registry.path(options["data"], options["file"]), allow_pickle=False) as file:
        ids = [str(n) for n in file["neuron_ids"]]
        q, size, seen = file["wt_q"], file["wt_dFF"], file["wt_occ1"]
    known = np.isin(ids, names)
    tested = np.isfinite(q) & (seen >= 1) & known[:, None] & known[None] & ~np.eye(len(ids), dtype=bool)
    hits = tested & (q < 0.05) & np.isfinite(size) & (size != 0)
    rng = np.random.default_rng(20230923)
    rows = []
    for j in range(len(ids)):
        yes, no = np.flatnonzero(hits[:, j]), np.flatnonzero(tested[:, j] & (q[:, j] >= 0.05))
        if len(no) > len(yes):
            no = np.sort(rng.choice(no, len(yes), replace=False))
        rows += [(j, i, 1, size[i, j]) for i in yes] + [(j, i, 0, 0.0) for i in no]
    stimulated, answering, answers, change = np.array(rows).T
    return stimulated.astype(int), answering.astype(int), answers.astype(int), change, ids


def _atlas(exam: Exam) -> list[Result]:
    tests = [TESTS["C.atlas"], TESTS["C.signs"]]
    options = exam.plan.get("atlas")
    if options is None:
        reason = exam.plan.get("missing", {}).get("C", "no table of answers to stimulation is described in turing.toml")
        return [not_run(t, reason) for t in tests]
    try:
        stimulated, answering, answers, size, ids = pairs(options, exam.policy.names)
        entry = registry.entry(options["data"])
        sums = [f.sha256 or "" for f in entry.files if f.path.endswith(options["file"])]
    except DataError as error:
        return [not_run(t, str(error)) for t in tests]
    reference = Reference(
        entry.citation, options.get("doi", ""), entry.licence, ",".join(sums), int(options["n_animals"])
    )
    order = np.random.default_rng(7).permutation(np.unique(stimulated))
    chosen = np.sort(order[: exam.budget.neurons] if exam.budget.neurons else order)
    keep = np.isin(stimulated, chosen)
    stimulated, answering, answers, size = (x[keep] for x in (stimulated, answering, answers, size))
    sign = np.sign(size).astype(int)
    lit = tuple(ids[j] for j in chosen)
    arms: list[tuple[str, dict[str, Any]]] = [("model", {})]
    if not exam.candidate.own and not exam.candidate.policy:
        for k in _REWIRED:
            arms += [
                (k, {"control": controls.CONTROLS[k].animal, "control_seed": i}) for i in range(exam.budget.rewirings)
            ]
    world = {k: options[k] for k in ("task", "medium", "task_options") if k in options}
    few = lit[:CONTROL_NEURONS]  # that an ensemble of wirings lights up
    seconds = float(options["seconds"])
    trials = [exam.trial(world, seconds, exam.seed, build=b, probe=few if b else lit) for _, b in arms]
    done = exam.run("C stimulation", trials)
    least = float(options["least_mV"])
    where = {n: i for i, n in enumerate(lit)}
    at = np.array([where[ids[j]] for j in stimulated])

    def outcomes(d: Done) -> tuple[Outcome, Outcome]:
        column = {n: i for i, n in enumerate(d.names)}
        seen = at < len(d.arrays["answer_mV"])
        change = d.arrays["answer_mV"][at[seen], [column[ids[i]] for i in answering[seen]]]
        guess, direction = (np.abs(change) >= least).astype(int), np.sign(change * (np.abs(change) > 1e-3))
        found = _scored(answers[seen], guess, stimulated[seen], sign[seen], direction)
        hit = answers[seen] == 1
        if hit.sum() > 2:  # how large, beside whether
            rank = float(spearmanr(np.abs(change[hit]), np.abs(size[seen][hit])).statistic)
            found = (replace(found[0], detail={**found[0].detail, "spearman_of_size": rank}), found[1])
        return found

    none = _scored(answers, np.zeros_like(answers), stimulated, sign, np.zeros_like(sign))
    if done[0].failure:
        return [not_run(t, done[0].failure) for t in tests]
    found = outcomes(done[0])
    out = []
    for which, test in enumerate(tests):
        test = replace(test, reference=reference)
        outcome = replace(found[which], n_real=reference.n_animals, n_model=len(lit))
        result = judge(test, outcome)
        against = {k: _ensemble(test, [none[which]]) for k in _MUTE}
        for k in _REWIRED:
            theirs = [
                outcomes(d)[which] for (name, _), d in zip(arms, done, strict=True) if name == k and not d.failure
            ]
            if theirs:
                against[k] = _ensemble(test, theirs)
        result = validate(replace(result, controls=against, floor=None))
        out.append(_wiring_specific(result))
    return out


def _scored(truth: Array, guess: Array, cluster: Array, sign: Array, sign_guess: Array) -> tuple[Outcome, Outcome]:
    """(responds or not, sign among those that do)."""
    out = []
    for t, g, c in ((truth, guess, cluster), (sign[sign != 0], sign_guess[sign != 0].astype(int), cluster[sign != 0])):
        if len(np.unique(t)) < 2:
            out.append(Outcome(float("nan"), float("nan"), float("nan"), reason="only one outcome in the table"))
            continue
        a = agreement(t, g, c)
        detail = {"rows": a.n, "mcc": a.mcc, "accuracy": a.accuracy, "majority": a.majority}
        detail |= {"p_majority": a.p_majority, "p_order": a.p_order}
        out.append(Outcome(a.balanced, a.balanced_low95, a.balanced_high95, 0, 0, detail))
    return out[0], out[1]


def _ensemble(test: Test, found: Sequence[Outcome]) -> tuple[float, float, float, Verdict]:
    """The median of an ensemble; it passes if over 5 % of it do."""
    verdicts = [test.margin.judge(o.low95, o.high95) for o in found]
    middle = sorted(found, key=lambda o: o.value)[len(found) // 2]
    share = sum(v is Verdict.PASS for v in verdicts) / len(verdicts)
    verdict = Verdict.PASS if share > 0.05 else Verdict.FAIL if Verdict.FAIL in verdicts else Verdict.INCONCLUSIVE
    return middle.value, middle.low95, middle.high95, verdict


def _wiring_specific(result: Result) -> Result:
    if "K5" in result.controls and result.controls["K5"][3] is Verdict.PASS:
        return replace(
            result, notes=(*result.notes, "not wiring-specific: wirings with the same degrees and classes pass")
        )
    return result


# Lesions and stimulation, behaviour


def rows(animal: str) -> list[dict[str, str]]:
    """The table of an animal. DataError naming line and column where it cannot be right."""
    file = assets.find(animal, "perturbations.csv")
    if file is None:
        return []
    lines = [x for x in file.read_text(encoding="utf-8").splitlines() if x and not x.startswith("#")]
    reader = csv.DictReader(lines)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise DataError(f"{file.name}: columns are {', '.join(COLUMNS)}; got {', '.join(reader.fieldnames or ())}")
    out = list(reader)
    for number, row in enumerate(out, 1):
        if row["sign"] not in ("+", "-", "0") or row["manipulation"] not in _OPTION:
            raise DataError(
                f"{file.name}, row {number}: sign is +, - or 0; manipulation is one of {', '.join(_OPTION)}"
            )
        if row["used_for_tuning"] not in ("yes", "no"):
            raise DataError(f"{file.name}, row {number}: used_for_tuning is yes or no, got {row['used_for_tuning']!r}")
    return out


def arms(row: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """(world, build) of the perturbed arm, then of the one it is compared with.

    targets: parted by spaces; none for a stimulus. both: options of the animal in both arms. sham: options of the task
    in the arm that a stimulus is compared with.
    """
    told = {k: json.loads(row[k] or "{}") for k in ("task_options", "body_options", "both", "sham")}
    world: dict[str, Any] = {"task": row["task"], "task_options": told["task_options"], "every": int(row["every"] or 5)}
    world |= {"medium": row["medium"]} if row["medium"] else {}
    world |= {"body_options": told["body_options"]} if told["body_options"] else {}
    build, option = told["both"], _OPTION[row["manipulation"]]
    if option:
        return world, {**build, option: [*build.get(option, []), *row["targets"].split(" ")]}, world, build
    return world, build, {**world, "task_options": {**told["task_options"], **told["sham"]}}, build


_OPTION = {"lesion": "lesion", "silence": "silence", "without": "without", "light": "stimulate", "stimulus": ""}


def affordable(table: Sequence[Mapping[str, str]], seconds: float, most: float) -> list[Mapping[str, str]]:
    """The first rows of a table whose trials, `most` seconds at most each, take no more than `seconds` together; all
    for 0. Arms that rows share count once."""
    out: list[Mapping[str, str]] = []
    seen: set[str] = set()
    spent = 0.0
    for row in table:
        a, build_a, b, build_b = arms(row)
        new = {json.dumps([w, k, row["seconds"]], sort_keys=True) for w, k in ((a, build_a), (b, build_b))} - seen
        spent += len(new) * min(float(row["seconds"]), most)
        if seconds and spent > seconds:
            break
        seen |= new
        out.append(row)
    return out


def _behaviour(exam: Exam) -> Result:
    test = TESTS["C.behaviour"]
    every = rows(exam.candidate.animal)
    held_out = [r for r in every if r["used_for_tuning"] == "no"]
    if not held_out:
        return not_run(test, "no published perturbations of behaviour that no fit has used are in the tables")
    if not (exam.candidate.takes("lesion") and exam.candidate.takes("stimulate")):
        return not_run(test, "the policy takes no lesion and no stimulate")
    repeats = exam.budget.repeats
    table = affordable(held_out, exam.budget.rows_s / repeats, exam.budget.behaviour_s)
    if not table:
        return not_run(test, "the budget of the fast mode is too small for the first row")
    notes = [f"{len(every) - len(held_out)} rows that were used for tuning are left out"]
    if len(table) < len(held_out):
        notes.append(f"the first {len(table)} of {len(held_out)} rows: that is the budget of the fast mode")
    truth = np.array([{"+": 1, "-": -1, "0": 0}[r["sign"]] for r in table])
    changes = _until_decided(exam, table)
    guess = np.array([decided(c, float(r["least"]), repeats) for c, r in zip(changes, table, strict=True)], int)
    flips = [paired(c, np.random.default_rng(r)) for r, c in enumerate(changes)]
    found = _agreed(truth, guess, len(table), repeats)
    lines = [
        {
            "id": r["id"],
            "what": f"{r['manipulation']} {r['targets']}",
            "assay": r["assay"],
            "change": float(np.nanmean(c)) if np.isfinite(c).any() else float("nan"),
            "p_flips": p,
            "seeds": len(c),
            "unit": r["unit"],
            "source": r["source"],
            "published": int(t),
            "predicted": int(g),
        }
        for r, t, g, c, p in zip(table, truth, guess, changes, flips, strict=True)
    ]
    result = judge(test, replace(found, detail={**found.detail, "table": lines}))
    against = {k: _ensemble(test, [_agreed(truth, np.zeros_like(truth), len(table), 0)]) for k in _MUTE}
    if exam.budget.every_control and not exam.candidate.own and not exam.candidate.policy:
        for k in _REWIRED:
            against[k] = _ensemble(test, _rewired(exam, test, table, truth, controls.CONTROLS[k].animal))
    result = validate(replace(result, controls=against, notes=tuple(notes)))
    if repeats < 2 and result.verdict is Verdict.INCONCLUSIVE:
        result = replace(result, reason=f"one run of each arm, {len(table)} rows: {ROWS_NEEDED} are needed")
    elif len(table) < ROWS_NEEDED and result.verdict in (Verdict.PASS, Verdict.FAIL):
        why = f"{len(table)} rows, {ROWS_NEEDED} are needed to beat a majority of 75 %"
        result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=why)
    return _wiring_specific(result)


def _changes(
    exam: Exam, table: Sequence[Mapping[str, str]], builds: Sequence[dict[str, Any]], seeds: range
) -> list[list[Array]]:
    """For each build and row, (seeds,) change of the measure between the two arms, run from the same seeds."""
    trials: list[Trial] = []
    for more in builds:
        for row in table:
            a, build_a, b, build_b = arms(row)
            seconds = min(float(row["seconds"]), exam.budget.behaviour_s)
            skip = 5.0 if seconds > 20 else 0.0
            for world, build in ((a, build_a), (b, build_b)):
                for s in seeds:
                    seed = exam.seed + s + int(more.get("control_seed", 0))
                    trials.append(exam.trial(world, seconds, seed, build={**build, **more}, skip_s=skip))
    each = 2 * len(seeds)  # trials of a row
    found = exam.run("C behaviour", trials, lambda place, done: _value(done, table[place // each % len(table)]))
    values = np.array(found, float).reshape(len(builds), len(table), 2, len(seeds))
    return [list(mine[:, 0] - mine[:, 1]) for mine in values]


def _until_decided(exam: Exam, table: Sequence[Mapping[str, str]]) -> list[Array]:
    """For each row the paired changes of as many seeds as it takes, all of them at most (`sequential.decided`)."""
    changes, whole, begin = [np.empty(0) for _ in table], exam.budget.repeats, 0
    for stop in (*(n for n in exam.budget.looks if n < whole), whole):
        left = [i for i, r in enumerate(table) if not begin or decided(changes[i], float(r["least"]), whole) is None]
        if not left:
            break
        (found,) = _changes(exam, [table[i] for i in left], [{}], range(begin, stop))
        for i, more in zip(left, found, strict=True):
            changes[i] = np.concatenate([changes[i], more])
        begin = stop
    return changes


def _agreed(truth: Array, guess: Array, n_real: int, n_model: int) -> Outcome:
    a = agreement(truth, guess)
    detail = {"rows": a.n, "mcc": a.mcc, "accuracy": a.accuracy, "majority": a.majority}
    detail |= {"p_majority": a.p_majority, "p_order": a.p_order}
    return Outcome(a.balanced, a.balanced_low95, a.balanced_high95, n_real, n_model, detail)


def _rewired(exam: Exam, test: Test, table: Sequence[Mapping[str, str]], truth: Array, control: str) -> list[Outcome]:
    """An ensemble of wirings, one run of each arm. A wiring is stopped where it will hardly pass any more
    (`sequential.hopeless`); its outcome is that of the rows it was asked."""
    turn = order(truth, [float(r["seconds"]) for r in table])
    needed = right_to_pass(truth, test.margin.low)
    alive, guess = list(range(exam.budget.rewirings)), np.zeros((exam.budget.rewirings, len(table)), int)
    asked = np.zeros(exam.budget.rewirings, int)
    for begin in range(0, len(turn), _STAGE):
        part = turn[begin : begin + _STAGE]
        rows_ = [table[i] for i in part]
        builds = [{"control": control, "control_seed": i} for i in alive]
        found = _changes(exam, rows_, builds, range(1)) if alive else []
        for i, mine in zip(alive, found, strict=True):
            guess[i, part] = [sign(c, float(r["least"])) for c, r in zip(mine, rows_, strict=True)]
        asked[alive] = seen = begin + len(part)
        right = (guess[:, turn[:seen]] == truth[turn[:seen]]).sum(1)
        alive = [i for i in alive if not hopeless(int(right[i]), seen, needed, len(turn))]
    return [_agreed(truth[turn[:n]], g[turn[:n]], n, 1) for g, n in zip(guess, asked, strict=True)]


def _value(done: Done, row: Mapping[str, str]) -> float:
    if done.track is None:
        return float("nan")
    found = measure(row["measure"])(done.track, **json.loads(row["options"] or "{}"))
    if isinstance(found, tuple):
        return found[0] / found[1] if found[1] else float("nan")
    return float(found)
