"""`bestiary resume FOLDER`: a run that was stopped or killed goes on from its last checkpoint, bit for bit."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import bestiary
from bestiary._commands._show import Outcome, known_animal, physics, say
from bestiary._commands.run import animal_options, close_loop, environment
from bestiary.errors import DataError


def command(options: Any) -> Outcome:
    from bestiary.cli import Run
    from bestiary.envs.recording import open_recording

    folder = Path(options.folder)
    physics()
    from bestiary.tasks._runs import FOLDER, Kept

    recording = folder / "recording.h5"
    if not (folder / FOLDER).is_dir() and recording.is_file():
        with open_recording(recording) as made:
            if made.complete:
                return Outcome({"complete": True, "folder": folder}, f"{folder} is complete: nothing is left to do")
    kept = Kept(folder)
    known = {field.name for field in dataclasses.fields(Run)}
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in kept.asked.items()}
    if set(given) != known:
        raise DataError(f"the checkpoint in {folder} is of another version of `bestiary run`: start the run again")
    asked = Run(**{**given, "out": str(folder), "json": options.json})
    known_animal(asked.animal, "interfaces")
    began = time.perf_counter()
    env = environment(asked)
    say(f"waking {asked.animal}")
    try:
        animal = bestiary.animal(asked.animal, **animal_options(asked))
        kept.restore(env, animal)
        say(f"going on at {env.time_s:.2f} of {asked.seconds:g} s")
        return close_loop(asked, env, animal, folder, time.perf_counter() - began, kept)
    finally:
        env.close()
