"""`bestiary screen ANIMAL`: one short experiment for every neuron, type or pair."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import bestiary
from bestiary._commands._show import Outcome, bar, check_acts, known_animal, physics, refuse_given, say, table, words
from bestiary.errors import BestiaryError
from bestiary.interfaces._stimulus import parse

_SHOWN = 10  # rows of each measure in the text


def command(options: Any) -> Outcome:
    known_animal(options.animal, "interfaces")
    asked = {
        kind: text
        for kind in ("lesion", "silence", "stimulate")
        if (text := getattr(options, f"{kind}_each")) is not None
    }
    if len(asked) + options.stimulate_pairs != 1:
        raise BestiaryError(
            "a screen is of one kind: --lesion-each, --silence-each or --stimulate-each WHAT (all, TYPE, type:DN*, "
            "AVA,AVB), or --stimulate-pairs"
        )
    if options.stimulate_pairs:
        kind, what = "pairs", ",".join(words(options.among)) or "all"
        refuse_given(options, ("assay", "arm", "seconds"), "pairs are of animals on the move, without an assay")
    else:
        ((kind, what),) = asked.items()
        refuse_given(options, ("among", *(["drive"] * (kind != "stimulate"))), f"it is not of --{kind}-each")
        if options.seconds is not None and not 0 < options.seconds < math.inf:
            raise BestiaryError(f"seconds must be above 0, got {options.seconds:g}")
        if not options.assay:
            raise BestiaryError("--assay is missing: `bestiary list` names the assays of an animal")
    brain = "lesion_each", "silence_each", "stimulate_each", "connectome", "parameters", "without"
    if kind != "pairs":  # what neurons answer is heard without muscles too
        check_acts(options, *brain)
    drive = options.drive or ("20pA" if kind == "pairs" else "")
    if kind == "stimulate":
        if not drive:
            raise BestiaryError("--drive is missing: what each is given and when, 20pA@2-4 or light=1@2-4")
        parse(f"EACH:{drive}")
    if kind == "pairs":
        try:
            drive = f"{float(drive.removesuffix('pA')):g}"
        except ValueError:
            raise BestiaryError(f"--drive of pairs is a current, 20pA; got {drive!r}") from None
    physics()
    from bestiary.tasks import _workers
    from bestiary.tasks._screen import Screen, assay_of, neurons, run_screen

    if options.on not in _workers.PLACES:
        raise LookupError(f"no place {options.on!r}; {bestiary.nearest(options.on, _workers.PLACES, 'place')}")
    made = {"connectome": options.connectome, "parameters": options.parameters, "without": words(options.without)}
    screen = Screen(
        animal=options.animal,
        kind=kind,
        items=(("", ()),),
        assay=options.assay or "",
        arms=options.arm,
        seconds=options.seconds,
        n=options.n,
        seed=options.seed,
        drive=drive,
        control=options.control,
        control_seed=options.control_seed,
        **made,
    )
    if kind != "pairs":
        assay_of(screen)  # names first, before anything is made
    screen = dataclasses.replace(screen, items=neurons(options.animal, what, **made))
    folder = Path(options.out or f"runs/screen-{options.animal}-{kind}-{options.assay or 'pairs'}-{options.seed}")
    try:
        place = json.loads(options.on_options) if options.on_options else {}
    except ValueError as error:
        raise BestiaryError(f"--on-options is one JSON object, got {options.on_options!r}: {error}") from None
    with bar(None, f"screen {options.animal}", "items", "{desc} {n_fmt}/{total_fmt} [{elapsed}]") as progress:

        def note(done: int, total: int) -> None:
            progress.total = total
            progress.update(min(done, total) - progress.n)

        try:
            found = run_screen(
                screen, folder, jobs=options.jobs, place=options.on, retries=options.retries, progress=note,
                options=place,
            )  # fmt: skip
        except KeyboardInterrupt:
            say(f"stopped; what was done is kept in {folder}: the same command goes on")
            raise
    for name, why in list(found.failures.items())[:_SHOWN]:
        say(f"{name}: {why}")
    report = {
        "animal": options.animal,
        "kind": kind,
        "items": len(screen.items),
        "done": found.done,
        "rows": found.rows,
        "failures": found.failures,
        "wall_s": found.wall_s,
        "occupied": found.occupied,
        "cpu": found.cpu,
        "files": found.files,
    }
    return Outcome(report, _text(screen, found), 1 if any(n in dict(screen.items) for n in found.failures) else 0)


def _text(screen: Any, found: Any) -> str:
    beside = "" if screen.kind == "pairs" else " and the intact animal"
    lines = [f"{len(screen.items)} items{beside}, {found.done} done now, {len(found.failures)} failures"]
    if math.isfinite(found.occupied):
        lines[0] += f"; cores occupied {100 * found.occupied:.0f} %, computing {100 * found.cpu:.0f} %"
    if screen.kind == "pairs":
        top = sorted(found.rows, key=lambda r: -abs(r["response_mV"]))[:_SHOWN]
        lines.append(table([(r["from"], r["to"], r["response_mV"]) for r in top], ("current into", "answers", "mV")))
    else:
        groups = dict.fromkeys((r["arm"], r["measure"]) for r in found.rows)
        for arm, measure in groups:
            mine = [r for r in found.rows if (r["arm"], r["measure"]) == (arm, measure)]
            known = [r for r in mine if r["difference"] is not None and math.isfinite(r["difference"])]
            top = sorted(known, key=lambda r: -abs(r["difference"]))[:_SHOWN]
            rows = [(r["item"], r["value"], r["difference"], r["n"]) for r in [*mine[:1], *top]]
            lines += [f"{arm}: {measure}, the largest differences", table(rows, ("item", "value", "less intact", "n"))]
    return "\n".join([*lines, "files", table([(k, v) for k, v in found.files.items()])])
