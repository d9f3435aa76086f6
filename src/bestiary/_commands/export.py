"""`bestiary export WHAT OUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bestiary
from bestiary._commands._show import Outcome, physics, say, size
from bestiary.errors import BestiaryError, DataError


def command(options: Any) -> Outcome:
    if options.out.startswith("minari:"):
        return _minari(options, options.out.removeprefix("minari:"))
    out = Path(options.out)
    if out.suffix == ".nwb":
        return _nwb(Path(options.what), out)
    from bestiary.brains.connectome import write_connectome

    table = connectome(options.what)
    write_connectome(table, out)
    report = {"what": table.source, "neurons": len(table), "edges": table.n_edges, "file": out}
    return Outcome(report, f"{len(table)} neurons and {table.n_edges} edges of {table.source}\n  written to {out}")


def connectome(what: str) -> Any:
    """A connectome from ANIMAL, ANIMAL:NAME or a file."""
    from bestiary.brains.connectome import load_connectome, read_connectome

    if Path(what).is_file():
        return read_connectome(what)
    if Path(what).is_dir():
        raise BestiaryError(f"{what} is a folder: a recording goes to FILE.nwb, a connectome is ANIMAL:NAME or a file")
    animal, _, name = what.partition(":")
    if animal not in (known := bestiary.animals("interfaces")):
        raise LookupError(f"no animal and no file {what!r}; {bestiary.nearest(animal, known, 'animal')}")
    brains = bestiary.load("brains", animal)
    if not hasattr(brains, "tables"):
        return load_connectome(animal, name or None)
    parts = brains.tables(None)
    if name not in parts:
        raise LookupError(
            f"the brain of {animal} is made of parts, ANIMAL:PART; {bestiary.nearest(name, parts, 'part')}"
        )
    return parts[name]


def _nwb(what: Path, out: Path) -> Outcome:
    from bestiary.envs.nwb import write_nwb
    from bestiary.envs.recording import open_recording

    recording = what / "recording.h5" if what.is_dir() else what
    with open_recording(recording) as run:
        if not run.complete:
            say(f"{recording} was cut short: its {run.rows} rows are written")
        write_nwb(run, out)
        rows, quantities, complete = run.rows, run.keys(), run.complete
    report = {"what": recording, "rows": rows, "quantities": quantities, "complete": complete, "file": out}
    text = f"{rows} rows of {len(quantities)} quantities, {size(out.stat().st_size)}"
    return Outcome(report, f"{text}\n  written to {out}")


def _minari(options: Any, name: str) -> Outcome:
    from bestiary._ids import IDS

    known = {**{i: i for i in IDS}, **{about["animal"]: i for i, about in reversed(IDS.items())}}
    if options.what not in known:
        raise LookupError(f"no environment {options.what!r}; {bestiary.nearest(options.what, known, 'environment')}")
    if options.episodes < 1 or (options.seconds is not None and not options.seconds > 0):
        raise BestiaryError(
            f"a dataset needs an episode and seconds above 0, got {options.episodes}, {options.seconds}"
        )
    physics()
    from bestiary.envs.dataset import write_dataset

    env_id = known[options.what]
    animal = bestiary.animal(about := IDS[env_id]["animal"])
    seconds = {} if options.seconds is None else {"seconds": options.seconds}
    clock = {k: getattr(animal.clock, k) for k in ("control", "brain", "physics")}
    given = {**IDS[env_id].get("task_options", {}), **seconds}
    try:
        made = write_dataset(
            name, env_id, animal, episodes=options.episodes, seed=options.seed, clock=clock, task_options=given
        )
    except TypeError as error:
        raise DataError(f"{env_id} cannot be made so that Minari makes it again: {error}") from error
    report = {
        "dataset": name,
        "animal": about,
        "environment": env_id,
        "episodes": int(made.total_episodes),
        "steps": int(made.total_steps),
    }
    return Outcome(report, f"{report['episodes']} episodes, {report['steps']} steps: minari.load_dataset({name!r})")
