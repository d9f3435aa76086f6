"""How fast the fish's physics is with the drag of the water, and its body with all senses."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

import bestiary
from bestiary.envs import EmbodiedEnv
from bestiary.tasks._bench_body import bench_body


def bench(quick: bool = False) -> tuple[dict[str, Any], list[tuple[str, Any, str]]]:
    """What `bestiary bench zebrafish` adds: (for JSON, rows of its table). CPU times of this process."""
    seconds, repeats = (0.5, 2) if quick else (1.0, 5)
    drag = bench_drag(seconds, repeats)
    body = bench_body("zebrafish", seconds, repeats)
    rows: list[tuple[str, Any, str]] = [
        ("physics with its drag", drag, "times real time, CPU time of one core, 0.2 ms"),
        ("  the same without its drag: bare mj_step", body["times_real_time"]["bare"], "times real time"),
        ("body with all senses but sight", body["times_real_time"]["body"], "times real time"),
        ("body with both eyes", body["times_real_time"]["eyes"], "times real time"),
    ]
    return {"drag_times_real_time": drag, "body": body}, rows


def bench_drag(seconds: float, repeats: int) -> float:
    """Times real time of the physics with its drag under the scripted pattern, without senses: the median."""
    env = EmbodiedEnv("zebrafish", "locomotion", body_options={"eyes": False})
    pattern = bestiary.load("interfaces", "zebrafish").PATTERN(env.body)
    steps = round(seconds / env.clock.control_s)
    actions = [np.asarray(pattern(k * env.clock.control_s)) for k in range(steps)]
    found = []
    for _ in range(repeats + 1):  # the first warms up
        env.reset(seed=0)
        began = time.process_time()
        for action in actions:
            env._physics(action)
        found.append(seconds / (time.process_time() - began))
    env.close()
    return statistics.median(found[1:])
