"""`bestiary turing ANIMAL`."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

from bestiary._commands._show import Outcome, bar, number, physics, table
from bestiary.errors import BestiaryError


def needed() -> None:
    """BestiaryError where a library of the Turing test is not installed."""
    for name, module in (("scikit-learn", "sklearn"), ("jinja2", "jinja2"), ("cryptography", "cryptography")):
        if importlib.util.find_spec(module) is None:
            raise BestiaryError(f"the Turing test needs {name}: pip install 'bestiary[turing]'")


def command(options: Any) -> Outcome:
    needed()
    if options.jobs is not None and options.jobs < 1:
        raise BestiaryError(f"jobs must be at least 1, got {options.jobs}")
    from bestiary.interfaces._controls import control
    from bestiary.tasks.turing.sources import plan

    if options.key and not options.sealed:
        raise BestiaryError("--key is of a sealed set: --sealed FILE")
    plan(options.animal)  # an unknown animal, or control, before anything heavy is imported
    if options.policy and ":" not in options.policy and options.policy != "learned":
        control(options.policy)
    physics()
    if options.sealed:
        return _sealed(options)
    from bestiary.tasks.turing.suite import examine

    with _bar(options.animal) as note:
        card = examine(
            options.animal,
            options.level,
            policy=options.policy or "",
            parameters=options.parameters or "",
            out=options.out,
            fast=options.fast,
            seed=options.seed,
            jobs=options.jobs,
            note=note,
        )
    return Outcome(card, _text(card))


def _sealed(options: Any) -> Outcome:
    from bestiary.tasks.turing.sealed import score
    from bestiary.tasks.turing.suite import plain, row

    if not options.key:
        raise BestiaryError("--sealed needs --key, the file that `bestiary seal` wrote beside it")
    found = score(
        options.animal,
        options.sealed,
        options.key,
        policy=options.policy or "",
        parameters=options.parameters or "",
        out=options.out,
        seed=options.seed,
    )
    rows = [row(r) for r in found["results"]]
    mine, all_ = found["scored"]
    text = [
        f"{options.animal}, {options.policy or 'as it ships'}, against {found['animals']} sealed animals",
        _tests(rows),
        f"scored on this set so far: this model {mine} times, all models {all_} times",
    ]
    return Outcome(plain({**found, "results": rows}), "\n".join(text))


@contextlib.contextmanager
def _bar(animal: str) -> Iterator[Callable[[str, int, int], None]]:
    with bar(None, animal, "trials", "{desc} {n_fmt}/{total_fmt} [{elapsed}]") as progress:

        def note(what: str, done: int, total: int) -> None:
            progress.set_description_str(f"{animal} {what}", refresh=False)
            progress.total = total
            progress.update(done - progress.n)

        yield note


def _text(card: dict[str, Any]) -> str:
    levels = [(k, v["name"], v["verdict"].value, v["reason"]) for k, v in card["levels"].items()]
    parts = [
        f"{card['animal']}, {card['policy']}",
        *(["FAST: A LOOK, NOT A VERDICT"] if card["fast"] else []),
        table(levels, ("level", "", "verdict", "")),
        _tests(card["tests"]),
    ]
    if card["rubric"]:
        rubric = [(d["name"], d["published"], d["declared"], d["computed"], d["saw"]) for d in card["rubric"]]
        parts.append(table(rubric, ("dimension", "level", "declared", "computed", "what the running model shows")))
    seen = card["evaluations"]
    parts += [
        f"emulation claim: {card['emulation_claim']}",
        f"evaluations so far: {seen['of_this_model']} of this model, {seen['of_this_animal']} of this animal, "
        f"{seen['in_this_version']} in version {card['version']} of the examination",
        f"{card['folder']}/report.html, {card['folder']}/scorecard.json",
    ]
    return "\n".join(parts)


def _tests(found: list[dict[str, Any]]) -> str:
    rows = [
        (
            t["id"],
            t["verdict"].value,
            t["value"],
            f"{number(t['low95'])} to {number(t['high95'])}" if t["value"] is not None else "",
            f"{t['n_real']}, {t['n_model']}",
            "; ".join(x for x in (t["reason"], *t["notes"]) if x),
        )
        for t in found
    ]
    return table(rows, ("test", "verdict", "value", "95 % bounds", "animals, model", "why"))
