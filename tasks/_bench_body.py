"""How fast a body with its senses is: against bare MuJoCo on the same model and commands, in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np

import bestiary
from bestiary.envs import EmbodiedEnv
from bestiary.errors import BestiaryError

_PIECE = 25  # control steps
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION


def bench_body(
    name: str,
    seconds: float = 1.0,
    repeats: int = 5,
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
    **options: Any,
) -> dict[str, Any]:
    """Times an environment without a brain that moves as the animal's scripted pattern does, over `seconds` of life.

    After half a second to get going, `repeats` times from the same state and in turns of a few steps: `bare`, only
    `mj_step` on the model under the same commands; `body`, `env.step` with all senses but sight, its checks and the
    task, no rendering; with eyes, where the body has them, `eyes`. CPU times of this process: a busy machine is not
    counted. Medians.

    options: of the body. Returns the times in s by part, `times_real_time` by part, `times_bare` (body over bare),
    `eyes_share` (what eyes add, over bare), speed_m_per_s of the walk.
    """
    if repeats < 1 or not seconds > 0:
        raise BestiaryError(f"a bench needs seconds above 0 and one repeat or more, got {seconds} s, {repeats} repeats")
    pattern = bestiary.load("interfaces", name).PATTERN
    seeing = any(s.name == "luminance" for s in bestiary.load("bodies", name).BODY(**options).senses)
    kinds = {"body": {**options, "eyes": False}, "eyes": options} if seeing else {"body": options}
    envs, starts = {}, {}
    commands = np.empty((0, 0))
    for kind, chosen in kinds.items():
        progress(f"making {kind}")
        env = EmbodiedEnv(name, "locomotion", body_options=chosen, task_options={"seconds": np.inf})
        period_s = env.clock.control_s
        action_at = pattern(env.body)
        warm, steps = round(0.5 / period_s), max(1, round(seconds / period_s))
        actions = [np.array(action_at(k * period_s)) for k in range(warm + steps)]
        env.reset(seed=seed)
        for action in actions[:warm]:
            env.step(action)
        envs[kind], starts[kind] = env, env.get_state()
        if not len(commands):
            commands = np.empty((steps, env.model.nu))
            for k, action in enumerate(actions[warm:]):
                env.step(action)
                commands[k] = env.data.ctrl
            end_m = env.pose()["com_m"]
            env.set_state(starts[kind])
            way_m = float(np.linalg.norm(end_m - env.pose()["com_m"]))
    model, each = envs["body"].model, envs["body"].clock.physics_steps
    data = mujoco.MjData(model)

    def bare(chunk: slice) -> None:
        ctrl = data.ctrl
        for command in commands[chunk]:
            ctrl[:] = command
            mujoco.mj_step(model, data, each)

    def stepped(kind: str) -> Callable[[slice], None]:
        step = envs[kind].step

        def run(chunk: slice) -> None:
            for action in actions[warm:][chunk]:
                step(action)

        return run

    # in turns by short pieces, so that a moment when the machine is busy hits all parts alike
    parts = {"bare": bare, **{kind: stepped(kind) for kind in kinds}}
    order = list(parts)
    pieces = [slice(k, min(k + _PIECE, steps)) for k in range(0, steps, _PIECE)]
    times = {part: np.empty((repeats, len(pieces))) for part in parts}
    for k in range(repeats):
        progress(f"body, repeat {k + 1} of {repeats}")
        mujoco.mj_setState(model, data, starts["body"]["physics"], _STATE)
        for kind in kinds:
            envs[kind].set_state(starts[kind])
        for i, piece in enumerate(pieces):
            turn = (i + k) % len(order)
            for part in order[turn:] + order[:turn]:
                began = time.process_time()
                parts[part](piece)
                times[part][k, i] = time.process_time() - began
    life = steps * period_s
    for env in envs.values():
        env.close()
    cpu = {part: statistics.median(t.sum(1)) for part, t in times.items()}
    out = {
        "animal": name,
        "life_s": life,
        "repeats": repeats,
        "cpu_s": cpu,
        "times_real_time": {part: life / t for part, t in cpu.items()},
        "times_bare": float(np.median(times["body"] / times["bare"])),
        "speed_m_per_s": way_m / life,
        "physics_s": model.opt.timestep,
    }
    if seeing:
        out["eyes_share"] = float(np.median((times["eyes"] - times["body"]).sum(1) / times["bare"].sum(1)))
    return out
