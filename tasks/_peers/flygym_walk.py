"""The fly's walk beside that of flygym 1.2.1 on flat ground, on one core of this machine.

    python tasks/_peers/flygym_walk.py [--seconds 0.5] [--repeats 3]

makes an environment for flygym (it pins mujoco 3.2.7 and dm_control 1.0.27) in the cache with uv, or with venv and pip,
and times both in turns. flygym walks as in its own example: NeuroMechFly, position control, adhesion, six coupled
oscillators at 12 Hz over recorded steps, physics and control 0.1 ms, no camera. Ours walks its scripted tripod with all
senses but sight: physics 0.2 ms, control 2 ms. CPU times, one thread each; prints one JSON object. Each walk has its
own process, which `--inside` makes this file.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

VERSION = "1.2.1"


def walk_flygym(seconds: float) -> dict[str, float]:
    """Inside flygym's environment: CPU s of `seconds` of walking, all and in flygym's step alone; the way in mm."""
    import numpy as np
    from flygym import Fly, SingleFlySimulation
    from flygym.examples.locomotion import CPGNetwork, PreprogrammedSteps

    out_of_phase = np.add.outer(np.arange(6), np.arange(6)) % 2
    oscillators = CPGNetwork(
        timestep=1e-4,
        intrinsic_freqs=np.full(6, 12.0),
        intrinsic_amps=np.ones(6),
        coupling_weights=10.0 * out_of_phase,
        phase_biases=np.pi * out_of_phase,
        convergence_coefs=np.full(6, 20.0),
        seed=0,
    )
    steps = PreprogrammedSteps()
    fly = Fly(enable_adhesion=True, init_pose="stretch", control="position")
    world = SingleFlySimulation(fly=fly, timestep=1e-4)
    obs, _ = world.reset(seed=0)

    def walk(seconds: float) -> float:
        nonlocal obs
        stepping = 0.0
        for _ in range(round(seconds / 1e-4)):
            oscillators.step()
            phase, size = oscillators.curr_phases, oscillators.curr_magnitudes
            action = {
                "joints": np.concatenate(
                    [steps.get_joint_angles(g, phase[i], size[i]) for i, g in enumerate(steps.legs)]
                ),
                "adhesion": np.array([steps.get_adhesion_onoff(g, phase[i]) for i, g in enumerate(steps.legs)], int),
            }
            began = time.process_time()
            obs = world.step(action)[0]
            stepping += time.process_time() - began
        return stepping

    walk(0.1)
    start, began = np.array(obs["fly"][0]), time.process_time()
    stepping = walk(seconds)
    return {
        "cpu_s": time.process_time() - began,
        "step_s": stepping,
        "way_mm": float(np.linalg.norm(obs["fly"][0] - start)),
    }


def walk_ours(seconds: float) -> dict[str, float]:
    """CPU s of `seconds` of walking in our environment, its policy included; the way in mm."""
    import numpy as np

    import bestiary
    from bestiary.envs import EmbodiedEnv

    env = EmbodiedEnv("fly", "locomotion", body_options={"eyes": False}, task_options={"seconds": np.inf})
    action_at = bestiary.load("interfaces", "fly").PATTERN(env.body)
    env.reset(seed=0)
    period_s = env.clock.control_s

    def walk(first: int, steps: int) -> None:
        for k in range(first, first + steps):
            env.step(action_at(k * period_s))

    walk(0, round(0.1 / period_s))
    start, began = env.pose()["com_m"], time.process_time()
    walk(round(0.1 / period_s), round(seconds / period_s))
    took = time.process_time() - began
    return {"cpu_s": took, "way_mm": float(1e3 * np.linalg.norm(env.pose()["com_m"] - start))}


def environment() -> Path:
    """The Python of flygym's environment; made in the cache where there is none."""
    from bestiary.assets.registry import cache_folder

    folder = cache_folder() / f"flygym-{VERSION}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (folder / "done").is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    need = [f"flygym=={VERSION}", "networkx>=3,<4"]  # its walk imports networkx, which it names for examples only
    if uv:
        commands = [[uv, "venv", "-q", "--python", sys.executable, str(folder)]]
        commands += [[uv, "pip", "install", "-q", "--python", str(python), *need]]
    else:
        commands = [[sys.executable, "-m", "venv", str(folder)], [str(python), "-m", "pip", "install", "-q", *need]]
    for command in commands:
        print(" ".join(command), file=sys.stderr)
        subprocess.run(command, check=True)
    (folder / "done").touch()
    return python


def main(arguments: list[str]) -> None:
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    seconds, repeats = float(options.get("--seconds", 0.5)), int(options.get("--repeats", 3))
    if inside := options.get("--inside"):
        print(json.dumps({"flygym": walk_flygym, "ours": walk_ours}[inside](seconds)))
        return
    python = {"flygym": str(environment()), "ours": sys.executable}
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")}
    runs: dict[str, list[dict[str, float]]] = {"flygym": [], "ours": []}
    for _ in range(repeats):
        for who, found in runs.items():
            command = [python[who], __file__, "--inside", who, "--seconds", str(seconds)]
            paths = {} if who == "flygym" else {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
            done = subprocess.run(command, env={**os.environ, **one, **paths}, stdout=subprocess.PIPE, check=True)
            found.append(json.loads(done.stdout.decode().strip().splitlines()[-1]))
    median = {who: {k: statistics.median(r[k] for r in found) for k in found[0]} for who, found in runs.items()}
    report = {
        "life_s": seconds,
        "repeats": repeats,
        "flygym": {**median["flygym"], "times_real_time": seconds / median["flygym"]["cpu_s"]},
        "ours": {**median["ours"], "times_real_time": seconds / median["ours"]["cpu_s"]},
        "times_faster": median["flygym"]["cpu_s"] / median["ours"]["cpu_s"],
        "times_faster_than_its_step": median["flygym"]["step_s"] / median["ours"]["cpu_s"],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1:])
