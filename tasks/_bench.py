"""How fast a closed loop is: against real time, and against MuJoCo and the brain step called alone, in the same run."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

import bestiary
from bestiary.bodies._base import Array
from bestiary.envs import EmbodiedEnv
from bestiary.errors import BestiaryError

Progress = Callable[[str], None]
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION
_IMPORT = "import time; t = time.perf_counter(); import bestiary; print(time.perf_counter() - t)"
_MAKE = """
import time; t = time.perf_counter()
import gymnasium, bestiary
gymnasium.make({id!r})
print(time.perf_counter() - t)
"""
_DEMO = """
import sys
from bestiary.cli import main
from bestiary.tasks._bench import peak_bytes
code = main(["run", {animal!r}, "--seed", "0", "--out", {out!r}, "--json"])
print(peak_bytes())
sys.exit(code)
"""


def peak_bytes() -> int:
    """The most memory this process has held. ru_maxrss would begin at the size of what started it (Linux)."""
    status = Path("/proc/self/status")
    found = status.is_file() and re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    unit = 1 if sys.platform == "darwin" else 1024
    return int(found[1]) * 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class _Tap:
    """A brain that keeps what it is given, so that it can be called alone with the same."""

    def __init__(self, brain: Any) -> None:
        self.brain = brain
        self.given: list[tuple[Array, Array]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.brain, name)

    def advance(self, state: Any, current_pA: Array, light_nS: Array) -> Any:
        self.given.append((np.array(current_pA), np.array(light_nS)))
        return self.brain.advance(state, current_pA, light_nS)


def bench_loop(
    name: str,
    seconds: float = 5.0,
    repeats: int = 5,
    seed: int = 0,
    progress: Progress = lambda text: None,
    options: Mapping[str, Any] = types.MappingProxyType({}),
) -> dict[str, Any]:
    """Times the closed loop of the animal `name`, and its two parts alone, over the same `seconds` of its life.

    First the loop runs for `seconds` to get going, then `repeats` times over the next `seconds`, each repeat from the
    same state: physics alone (`mj_step` of the same model under the same controls), the body (`env.step` under the same
    actions: physics, senses and task), brain alone (`advance` under the same currents), and the loop; the order turns,
    so that a busy moment of the machine hits none always. Medians. All on one core, unless the brain has a part that
    takes another (`cores`). options: of the animal, and `body_options`.

    Returns wall times in s by part, `times_real_time`, `times_bare` (loop over physics plus brain), `body_times_bare`
    (body over physics), the share of each part on one core, and the quartiles of the loop. `waiting`: the time in
    `act` in which its thread did nothing.
    """
    if repeats < 1 or not seconds > 0:
        raise BestiaryError(f"a bench needs seconds above 0 and one repeat or more, got {seconds} s, {repeats} repeats")
    progress("waking")
    given = {k: v for k, v in options.items() if k != "body_options"}
    animal = bestiary.animal(name, **given)
    several = any(getattr(part, "slow", False) for part in getattr(animal.brain, "parts", {}).values())
    with contextlib.nullcontext() if several else one_core():
        found = _loop(name, animal, options.get("body_options"), seconds, repeats, seed, progress)
    return {**found, "options": dict(options), "cores": 2 if several else 1}


def _loop(
    name: str, animal: Any, body: Any, seconds: float, repeats: int, seed: int, progress: Progress
) -> dict[str, Any]:
    """`bench_loop` of an animal that is there."""
    began = time.perf_counter()
    env = EmbodiedEnv(name, "locomotion", clock=animal.clock, task_options={"seconds": np.inf}, body_options=body)
    steps = max(1, round(seconds / env.clock.control_s))
    obs, info = env.reset(seed=seed)
    animal.reset(info["episode_seed"])
    obs = env.step(animal.act(obs))[0]
    compile_s = time.perf_counter() - began
    for _ in range(steps):
        obs = env.step(animal.act(obs))[0]
    start_env, start_animal = env.get_state(), animal.get_state()

    brain = animal.brain
    animal.brain = tap = _Tap(brain)
    controls, actions = np.empty((steps, env.model.nu)), np.empty((steps, len(env.body.motors)))
    obs = env.set_state(start_env)
    for k in range(steps):
        actions[k] = animal.act(obs)
        obs = env.step(actions[k])[0]
        controls[k] = env.data.ctrl
    animal.brain = brain
    bare = mujoco.MjData(env.model)

    def physics() -> float:
        mujoco.mj_setState(env.model, bare, start_env["physics"], _STATE)
        each, ctrl, model = env.clock.physics_steps, bare.ctrl, env.model
        t = time.perf_counter()
        for k in range(steps):
            ctrl[:] = controls[k]
            mujoco.mj_step(model, bare, each)
        return time.perf_counter() - t

    def whole_body() -> float:
        env.set_state(start_env)
        t = time.perf_counter()
        for k in range(steps):
            env.step(actions[k])
        return time.perf_counter() - t

    def brain_alone() -> float:
        animal.set_state(start_animal)
        state = animal._state
        t = time.perf_counter()
        for current_pA, light_nS in tap.given:
            state = brain.advance(state, current_pA, light_nS)
        np.asarray(brain.read(state)["voltage_mV"])  # waits for the last step
        return time.perf_counter() - t

    def loop() -> float:
        obs = env.set_state(start_env)
        animal.set_state(start_animal)
        t = time.perf_counter()
        for _ in range(steps):
            obs = env.step(animal.act(obs))[0]
        return time.perf_counter() - t

    waits: list[float] = []

    def acting() -> float:
        """The time of the loop that is spent in `act`; what of it was no work of this thread goes to `waits`."""
        obs, spent, worked = env.set_state(start_env), 0.0, 0.0
        animal.set_state(start_animal)
        for _ in range(steps):
            t, c = time.perf_counter(), time.thread_time()
            action = animal.act(obs)
            spent, worked = spent + time.perf_counter() - t, worked + time.thread_time() - c
            obs = env.step(action)[0]
        waits.append(max(spent - worked, 0.0))
        return spent

    parts: dict[str, Callable[[], float]] = {
        "physics": physics,
        "body": whole_body,
        "brain": brain_alone,
        "loop": loop,
        "act": acting,
    }
    for run in parts.values():
        run()  # caches warm
    times: dict[str, list[float]] = {part: [] for part in parts}
    order = list(parts)
    for k in range(repeats):
        progress(f"repeat {k + 1} of {repeats}")
        for part in order[k % len(order) :] + order[: k % len(order)]:
            times[part].append(parts[part]())
    wall = {part: statistics.median(t) for part, t in times.items()}
    wall["waiting"] = statistics.median(waits[1:])  # where the brain has a core of its own: for it
    life = steps * env.clock.control_s
    env.close()
    share = {
        "physics": wall["physics"],
        "brain": wall["brain"],
        "interface and controls": wall["act"] - wall["brain"],
        "senses, task and checks": wall["loop"] - wall["act"] - wall["physics"],
    }
    return {
        "animal": name,
        "life_s": life,
        "repeats": repeats,
        "seed": seed,
        "clock_s": {k: getattr(env.clock, k) for k in ("control", "brain", "physics")},
        "wall_s": wall,
        "loop_quartiles_s": np.percentile(times["loop"], [25, 75]),
        "times_real_time": life / wall["loop"],
        "times_bare": wall["loop"] / (wall["physics"] + wall["brain"]),
        "body_times_bare": wall["body"] / wall["physics"],
        "share": {part: value / wall["loop"] for part, value in share.items()},
        "per_control_step_us": {part: 1e6 * value / steps for part, value in wall.items()},
        "getting_ready_s": compile_s,
    }


def bench_startup(name: str, repeats: int = 5, progress: Progress = lambda text: None) -> dict[str, Any]:
    """Medians over new processes: `import_bestiary_s`, `make_s` (imports and `gymnasium.make`, no brain), and once
    `demo_peak_bytes`, the most memory that `bestiary run NAME` held, video and plots included."""
    from bestiary._ids import IDS

    identity = next((i for i, about in IDS.items() if about["animal"] == name), None)
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        programs = {"import_bestiary_s": _IMPORT}
        if identity is not None:
            programs["make_s"] = _MAKE.format(id=identity)
        for key, program in programs.items():
            progress(f"new processes: {key.removesuffix('_s').replace('_', ' ')}")
            out[key] = statistics.median(_child(program, folder) for _ in range(repeats))
        progress("memory of the demo")
        out["demo_peak_bytes"] = int(_child(_DEMO.format(animal=name, out=str(Path(folder) / "demo")), folder))
    return out


def _child(program: str, folder: str) -> float:
    """The number on the last line that a new Python prints, standing in an empty folder."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise BestiaryError(f"a new Python could not be timed: {last}")
    return float(done.stdout.strip().splitlines()[-1])


def machine() -> dict[str, Any]:
    """What a time was measured on: processor, cores, versions."""
    import importlib.metadata as installed

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    versions = {"python": platform.python_version(), "bestiary": bestiary.__version__}
    for package in ("mujoco", "gymnasium", "numpy", "jax", "brainpy", "brainstate", "numba"):
        with contextlib.suppress(installed.PackageNotFoundError):
            versions[package] = installed.version(package)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    processor = model or platform.processor() or platform.machine()
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load": load,
        "versions": versions,
    }


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keeps this process, and the threads that it starts inside, on one core; where the system can."""
    for name in ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
