"""What keeping a run costs: recording, checkpoints, export and resume, as shares of the loop, in one process."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary.bodies._base import Array
from bestiary.envs import EmbodiedEnv
from bestiary.envs.recording import Recorder
from bestiary.errors import BestiaryError, DataError
from bestiary.tasks._bench import Progress, one_core
from bestiary.tasks._runs import Keeper, Kept
from bestiary.tasks._trial import Samples

ROWS_PER_S = 100  # as `bestiary run` records


def bench_runs(
    name: str = "worm",
    seconds: float = 10.0,
    repeats: int = 5,
    seed: int = 0,
    every_s: float = 5.0,
    progress: Progress = lambda text: None,
) -> dict[str, Any]:
    """Shares of the closed loop's own time that recording and a checkpoint every `every_s` seconds of life take,
    and that an export to NWB (of all that the loop did, None without pynwb) and one resume at the end add.

    Loops turn by turn, each over the same `seconds` of life from the same state; medians of the differences within a
    turn. On one core. `wall_share` holds waiting for the disk too, and whatever else the machine was doing; `cpu_share`
    is what was computed.
    """
    if repeats < 1 or not 0 < every_s <= seconds < math.inf:
        raise BestiaryError(f"a bench needs a repeat or more and checkpoints within {seconds:g} s, got {every_s:g} s")
    with one_core(), tempfile.TemporaryDirectory() as folder:
        return _bench(name, seconds, repeats, seed, every_s, progress, Path(folder))


def _bench(
    name: str, seconds: float, repeats: int, seed: int, every_s: float, progress: Progress, folder: Path
) -> dict[str, Any]:
    animal = bestiary.animal(name)
    env = EmbodiedEnv(name, "locomotion", clock=animal.clock, task_options={"seconds": 1e9})
    steps, each = (max(1, round(s / env.clock.control_s)) for s in (seconds, every_s))
    obs, info = env.reset(seed=seed)
    animal.reset(info["episode_seed"])
    for _ in range(max(2, steps // 4)):
        obs = env.step(animal.act(obs))[0]
    start, mind = env.get_state(), animal.get_state()
    every = max(1, round(1 / (ROWS_PER_S * env.clock.control_s)))
    asked = {"animal": name}

    def loop(on_step: Callable[..., None] | None = None) -> Array:
        obs = env.set_state(start)
        animal.set_state(mind)
        t = _now()
        for _ in range(steps):
            action = animal.act(obs)
            obs, reward, _, _, info = env.step(action)
            if on_step is not None:
                on_step(action, obs, reward, info)
        return _now() - t

    def recorded(checkpoints: bool) -> Array:
        recorder = Recorder(folder / "recording.h5", env, animal, every=every)
        samples, done = Samples(), 0
        keeper = Keeper(folder, env, animal, recorder, asked) if checkpoints else None

        def on_step(*row: Any) -> None:
            nonlocal done
            done += 1
            if keeper is not None and done % 5 == 0:
                samples.add(env.last_pose, row[3])
            recorder.add(*row)
            if keeper is not None and done % each == 0:
                keeper.save(done, samples, 0.0)

        spent = loop(on_step)
        t = _now()
        recorder.close()
        return spent + _now() - t

    def export() -> Array:
        from bestiary.envs.nwb import write_nwb

        t = _now()
        write_nwb(folder / "recording.h5", folder / "run.nwb")
        return _now() - t

    def resume() -> Array:
        t = _now()
        kept = Kept(folder)
        kept.restore(env, animal)
        Recorder(folder / "recording.h5", env, animal, every=every, resume=kept.recorder).close(complete=False)
        return _now() - t

    progress("caches")
    loop(), recorded(True)
    try:
        export()
        exports = True
    except DataError:
        exports = False
    times: dict[str, list[Array]] = {"loop": [], "recording": [], "checkpoints": [], "export": [], "resume": []}
    for k in range(repeats):
        progress(f"repeat {k + 1} of {repeats}")
        plain = loop()
        with_rows = recorded(False)
        times["loop"].append(plain)
        times["recording"].append((with_rows - plain) / plain)
        times["checkpoints"].append((recorded(True) - with_rows) / plain)
        if exports:
            times["export"].append(export() / plain)
        times["resume"].append(resume() / plain)
    env.close()
    middle = {k: np.median(v, axis=0) if v else np.full(2, np.nan) for k, v in times.items()}
    wall = float(middle.pop("loop")[0])
    return {
        "animal": name,
        "life_s": steps * env.clock.control_s,
        "repeats": repeats,
        "checkpoint_every_s": every_s,
        "loop_s": wall,
        "times_real_time": steps * env.clock.control_s / wall,
        "wall_share": {k: float(v[0]) for k, v in middle.items()},
        "cpu_share": {k: float(v[1]) for k, v in middle.items()},
    }


def _now() -> Array:
    """(wall, CPU) seconds."""
    return np.array([time.perf_counter(), time.process_time()])
