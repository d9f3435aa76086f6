"""How fast many animals are together, against the raw `mujoco.batch` on the same model; what keeping a run costs; how
busy a screen keeps the cores: all in one call."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
from mujoco import batch

import bestiary
from bestiary.envs import EmbodiedEnv, EmbodiedVectorEnv
from bestiary.errors import BestiaryError
from bestiary.tasks._bench_runs import bench_runs
from bestiary.tasks._screen import Screen, run_screen

_PIECE = 5  # control steps
_SCREENED = ("AVAL", "AVAR", "AVBL", "AVBR", "AVDL", "AVDR", "AVEL", "AVER", "PVCL", "PVCR", "RIML", "RIMR", "AIBL",
             "AIBR", "AIYL", "AIYR", "RIAL", "RIAR", "RIBL")  # fmt: skip
_MEMORY = """
import sys
from pathlib import Path
import numpy as np
import bestiary
from bestiary.envs import EmbodiedVectorEnv
def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
n, name = int(sys.argv[1]), sys.argv[2]
for count in (2, n):  # the first loads what all need
    if count == n:
        before = held()
    many = bestiary.animal(name, batch=count)
    envs = EmbodiedVectorEnv(count, name, "locomotion", clock=many.clock)
    obs, info = envs.reset(seed=0)
    many.reset(info["episode_seed"])
    for _ in range(5):
        obs = envs.step(many.act(obs))[0]
print(held() - before)
"""


def bench_scale(
    name: str = "worm",
    n: int = 256,
    seconds: float = 2.0,
    repeats: int = 5,
    threads: int = 0,
    seed: int = 0,
    memory: bool = True,
    more: bool = True,
    device: str | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Times n animals in closed loop on `threads` threads (0: all cores), beside their parts, in turns of a few steps.

    `raw`: `mujoco.batch.Batch.step` alone, on the same model and thread count, from the same states under the commands
    that the loop gave, nothing read out. `loop`: vector environment and brains. `bodies`, `brains`: the parts of it.
    `single`: one environment and one animal. Animal steps a second of each are medians over `repeats` stretches that
    together last `seconds` of life. memory: of n / 4, n / 2 and n animals, each in a process of its own.
    more: also `keeping`, the shares of one worm's loop of `bench_runs`, and `screen`: `cpu_share`, what a screen of 19
    lesions and the intact worm computed over cores x wall time, the start of its processes and its figure included.
    device: also the brains alone as JAX has them on that device ("cpu", "gpu"), and what device that was.

    Returns rates (control steps of one animal a wall second), `share_of_raw` (loop over raw, what is asked for),
    `share_of_raw_cpu` (the same in processor time, which a busy machine changes less), `times_single`,
    `bytes_per_animal` between the sizes, and what it ran on.
    """
    if n < 4 or repeats < 1 or not seconds > 0:
        raise BestiaryError(f"needs 4 animals or more, repeats of 1 or more and seconds above 0, got {n}, {repeats}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    progress("waking")
    many, alone = bestiary.animal(name, batch=n, threads=threads), bestiary.animal(name)
    envs = EmbodiedVectorEnv(n, name, "locomotion", clock=many.clock, task_options={"seconds": np.inf}, threads=threads)
    env = EmbodiedEnv(name, "locomotion", clock=alone.clock, task_options={"seconds": np.inf})
    if envs.batch is None:
        raise BestiaryError(f"the body of {name} does not run on mujoco.batch")
    obs, info = envs.reset(seed=seed)
    many.reset(info["episode_seed"])
    seen, told = env.reset(seed=seed)
    alone.reset(told["episode_seed"])
    raw = batch.Batch(envs.envs[0].model, n, threads, persistent=True)
    raw.state[:] = envs.batch.state
    steps = max(1, round(seconds / envs.clock.control_s / repeats / _PIECE)) * _PIECE
    commands = np.empty((_PIECE, n, envs.envs[0].model.nu))
    rates: dict[str, list[float]] = {part: [] for part in ("raw", "loop", "bodies", "brains", "single")}
    cpu = {"raw": 0.0, "loop": 0.0}
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda text: None)
    try:
        for repeat in range(repeats + 1):  # the first warms up
            progress(f"repeat {repeat} of {repeats}" if repeat else "warming up")
            spent = dict.fromkeys(rates, 0.0)
            for _ in range(steps // _PIECE):
                busy = time.process_time()
                for k in range(_PIECE):
                    a = time.perf_counter()
                    action = many.act(obs)
                    b = time.perf_counter()
                    obs = envs.step(action)[0]
                    c = time.perf_counter()
                    spent["brains"] += b - a
                    spent["bodies"] += c - b
                    commands[k] = envs.batch.ctrl
                cpu["loop"] += time.process_time() - busy
                busy = time.process_time()
                for command in commands:
                    raw.ctrl[:] = command
                    a = time.perf_counter()
                    raw.step(nstep=envs.clock.physics_steps)
                    spent["raw"] += time.perf_counter() - a
                cpu["raw"] += time.process_time() - busy
                a = time.perf_counter()
                for _ in range(_PIECE):
                    seen = env.step(alone.act(seen))[0]
                spent["single"] += time.perf_counter() - a
            spent["loop"] = spent["brains"] + spent["bodies"]
            for part, wall in spent.items():
                if repeat:
                    rates[part].append(steps * (1 if part == "single" else n) / wall)
    finally:
        mujoco.set_mju_user_warning(before)
    rate = {part: statistics.median(r) for part, r in rates.items()}
    shares = [loop / free for loop, free in zip(rates["loop"], rates["raw"], strict=True)]
    out: dict[str, Any] = {
        "animal": name,
        "n": n,
        "cores": cores,
        "threads": envs.batch.nthread,
        "steps": steps * repeats,
        "control_s": envs.clock.control_s,
        "physics_steps": envs.clock.physics_steps,
        "repeats": repeats,
        "together": bool(many.together.all()),
        "observed": envs.observed,
        "steps_per_s": rate,
        "share_of_raw": statistics.median(shares),
        "share_of_raw_range": [min(shares), max(shares)],
        "share_of_raw_cpu": cpu["raw"] / cpu["loop"],
        "times_single": rate["loop"] / rate["single"],
        "times_real_time": rate["loop"] * envs.clock.control_s,
    }
    envs.close()
    env.close()
    if memory:
        out["memory"] = _memory(name, n, progress)
    if more:
        out["keeping"] = bench_runs("worm", 60.0, 3, seed, 20.0, progress)
        progress("a screen")
        out["screen"] = _screen(cores, seed)
    if device is not None:
        progress(f"brains on {device}")
        out["device"] = _on_device(name, n, device, seed)
    return out


def _memory(name: str, n: int, progress: Callable[[str], None]) -> dict[str, Any]:
    """What n / 4, n / 2 and n animals take, beyond what two take; empty where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return {}
    sizes = [n // 4, n // 2, n]
    taken = []
    for size in sizes:
        progress(f"memory of {size}")
        done = subprocess.run(
            [sys.executable, "-c", _MEMORY, str(size), name],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise BestiaryError(f"{size} animals could not be made: {done.stderr.strip().splitlines()[-1:]}")
        taken.append(int(done.stdout.strip().splitlines()[-1]))
    each = [(b - a) / (m - k) for a, b, k, m in zip(taken, taken[1:], sizes, sizes[1:], strict=False)]
    return {"animals": sizes, "bytes": taken, "bytes_per_animal": each, "most_bytes_per_animal": max(each)}


def _screen(cores: int, seed: int) -> dict[str, Any]:
    items = tuple((name, (name,)) for name in _SCREENED)
    with tempfile.TemporaryDirectory() as folder:
        found = run_screen(Screen("worm", "lesion", items, "touch", n=3, seed=seed), folder, jobs=cores)
    return {"items": found.done, "jobs": cores, "wall_s": found.wall_s, "cpu_share": found.cpu,
            "inside_items": found.occupied}  # fmt: skip


def _on_device(name: str, n: int, device: str, seed: int) -> dict[str, Any]:
    """Control periods of one brain a second, of n in one vmapped JAX step on `device`; the same code on all."""
    from bestiary.brains._engine import jax
    from bestiary.brains.spiking._device import chosen

    place = chosen(device)[0]
    with jax.default_device(place):
        many = bestiary.animal(name, batch=n, backend="brainstate")
        many.reset(np.arange(n) + seed)
        pack = many._packs[0]
        current = np.zeros((n, len(many.names)), np.float32)
        state = jax.block_until_ready(pack.many.advance(pack.state, current, current))
        walls = []
        for _ in range(5):
            a = time.perf_counter()
            for _ in range(10):
                state = pack.many.advance(state, current, current)
            jax.block_until_ready(state)
            walls.append((time.perf_counter() - a) / 10)
    return {"asked": device, "platform": place.platform, "kind": place.device_kind, "precision": "float32",
            "brains_per_s": n / statistics.median(walls)}  # fmt: skip
