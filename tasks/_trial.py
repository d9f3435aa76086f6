"""Trials: an animal (any policy) in an environment, from reset to the end, and the track it leaves; or many at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.envs._clock import check_same_control
from bestiary.errors import BestiaryError


@dataclass(frozen=True)
class Track:
    """What measures are computed from; simulated and recorded animals share it.

    time_s (T,), midline_m (T, n, 3) nose first, com_m (T, 3), curvature_per_m (T, n_joints) dorsal positive, (T, 0) for
    a body that does not bend; info: the task's numbers, (T,) each. length_m: of the body. divergence, ended: why the
    trial stopped early, because the numbers ran away or by the rules of the world, or "". pose: whatever else
    `Body.pose` tells, (T, ...) each: `claws_m`, `claw_load_N`, `heading_rad` ... joints: names of pose["joint_rad"].
    """

    time_s: Array
    midline_m: Array
    com_m: Array
    curvature_per_m: Array
    info: dict[str, Array]
    length_m: float
    seed: int = 0
    divergence: str = ""
    ended: str = ""
    pose: dict[str, Array] = field(default_factory=dict)
    joints: tuple[str, ...] = ()

    def after(self, start_s: float) -> Track:
        """Without what came before start_s."""
        return self.between(start_s, math.inf)

    def between(self, start_s: float, stop_s: float) -> Track:
        """What was from start_s until before stop_s; times stay as they are."""
        keep = (self.time_s >= start_s) & (self.time_s < stop_s)
        return replace(
            self,
            time_s=self.time_s[keep],
            midline_m=self.midline_m[keep],
            com_m=self.com_m[keep],
            curvature_per_m=self.curvature_per_m[keep],
            info={k: v[keep] for k, v in self.info.items()},
            pose={k: v[keep] for k, v in self.pose.items()},
        )


_FIELDS = ("midline_m", "com_m", "curvature_per_m")
Step = Callable[[Array, dict[str, Array], float, dict[str, Any]], None]


class Samples:
    """The samples of a track as they come: poses, and what the task told. `state` carries them through a checkpoint."""

    def __init__(self) -> None:
        self._poses: list[dict[str, Array]] = []
        self._infos: list[dict[str, Any]] = []

    def add(self, pose: dict[str, Array], info: dict[str, Any]) -> None:
        self._poses.append(pose)
        self._infos.append(info)

    def __len__(self) -> int:
        return len(self._poses)

    def state(self, start: int = 0) -> dict[str, dict[str, Array]]:
        """The samples from number `start` on: `pose` and `info`, (T, ...) each by name; numbers only."""
        poses, infos = self._poses[start:], self._infos[start:]
        first = next(iter(infos), {})
        numbers = [key for key, value in first.items() if isinstance(value, int | float | np.number)]
        return {
            "pose": {key: np.array([pose[key] for pose in poses]) for key in next(iter(poses), {})},
            "info": {key: np.array([info[key] for info in infos], float) for key in numbers},
        }

    def extend(self, state: dict[str, dict[str, Array]]) -> None:
        """Adds what `state` gave."""
        count = len(state["info"].get("time_s", ()))
        self._poses += [{key: rows[i] for key, rows in state["pose"].items()} for i in range(count)]
        self._infos += [{key: float(rows[i]) for key, rows in state["info"].items()} for i in range(count)]

    def track(self, length_m: float, **options: Any) -> Track:
        """options: further fields of Track."""
        state = self.state()
        pose, info = state["pose"], state["info"]
        none = np.array([])
        first: dict[str, Any] = {key: pose.get(key, none) for key in _FIELDS}
        rest = {key: rows for key, rows in pose.items() if key not in _FIELDS}
        return Track(info.get("time_s", none), **first, info=info, length_m=length_m, pose=rest, **options)


@dataclass(frozen=True)
class Moment:
    """Where a trial that was stopped goes on: the observation of that moment, control steps done, samples so far.

    Environment and policy have been put back to it (`set_state`).
    """

    obs: dict[str, Array]
    steps: int
    samples: Samples


def run_trial(
    env: Any,
    policy: Any,
    seconds: float | None = None,
    seed: int = 0,
    every: int = 5,
    on_step: Step | None = None,
    samples: Samples | None = None,
    resume: Moment | None = None,
) -> Track:
    """Runs `policy` (anything with `reset(episode_seed)` and `act(obs)`) in `env`, a Gymnasium environment of ours.

    seconds: None runs to the end of the episode. every: control steps between samples of the track. on_step: called
    after every control step with (action, obs, reward, info), for recorders, films and progress bars. samples: where
    the samples of the track go, for checkpoints. resume: goes on from there, instead of from a reset. Raises ClockError
    where the policy has another control period than env.
    """
    inner = env.unwrapped
    check_same_control(policy, inner.clock)
    if resume is None:
        obs, info = env.reset(seed=seed)
        policy.reset(info["episode_seed"])
        k, samples = 0, Samples() if samples is None else samples
    else:
        obs, k, samples = resume.obs, resume.steps, resume.samples
    steps = round(seconds / inner.clock.control_s) if seconds is not None else None
    done, divergence, ended = False, "", ""
    while not done and (steps is None or k < steps):
        action = policy.act(obs)
        obs, reward, terminated, truncated, info = env.step(action)
        k += 1
        done = terminated or truncated
        divergence, ended = info.get("divergence", ""), info.get("ended", "")
        if k % every == 0 and not divergence:
            samples.add(inner.last_pose, info)
        if on_step is not None:  # may add numbers to info
            on_step(action, obs, float(reward), info)
    return samples.track(
        inner.body.length_m,
        seed=seed,
        divergence=divergence,
        ended=ended,
        joints=getattr(inner.body, "joints", ()),
    )


def run_trials(
    env: Any,
    policies: Sequence[Any],
    lanes: Sequence[int | Sequence[int]],
    seconds: Sequence[float],
    seeds: Sequence[int],
    every: int = 5,
) -> dict[int, Track]:
    """Many trials side by side: in lane i of a vector environment what `run_trial` gives in seconds[i] with seeds[i],
    to the bit where a policy moves that lane alone.

    lanes: for each policy the lane that it moves, or for an `AnimalBatch` those of its animals. A policy that fails
    (BestiaryError) leaves no tracks, and does not stop the others.
    """
    world = env.unwrapped
    for policy in policies:
        check_same_control(policy, world.clock)
    steps = [round(s / world.clock.control_s) for s in seconds]
    obs, info = env.reset(seed=list(seeds))
    moves = list(zip(policies, lanes, strict=True))
    for policy, at in moves:
        policy.reset(info["episode_seed"][at])
    samples = [Samples() for _ in steps]
    told: dict[int, dict[str, str]] = {}
    running = np.ones(env.num_envs, bool)
    for k in range(1, max(steps) + 1):
        actions = np.zeros(env.action_space.shape, np.float32)
        for move in [m for m in moves if np.any(running[m[1]])]:
            policy, at = move
            try:
                actions[at] = policy.act({name: value[at] for name, value in obs.items()})
            except BestiaryError:
                moves.remove(move)
                running[at] = False
                world.retire(np.atleast_1d(at))
        obs, _, ended, cut, info = env.step(actions)
        done = (ended | cut | (k >= np.array(steps))) & running
        look = running if k % every == 0 else done
        for i in np.flatnonzero(look).tolist():
            mine = {name: info[name][i] for name in info if name[0] != "_" and info[f"_{name}"][i]}
            if done[i]:
                told[i] = {name: str(mine.get(name, "")) for name in ("divergence", "ended")}
            if k % every == 0 and "divergence" not in mine:
                samples[i].add(world.pose_of(i), mine)
        running &= ~done
        world.retire(np.flatnonzero(done))
        if not running.any():
            break
    body = world.envs[0].body
    joints = getattr(body, "joints", ())
    return {
        i: samples[i].track(body.length_m, seed=seeds[i], joints=joints, **told[i])
        for _, at in moves
        for i in np.atleast_1d(at).tolist()
    }
