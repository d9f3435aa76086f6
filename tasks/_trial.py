"""Trials: an animal (any policy) in an environment, from reset to the end, and the track it leaves; or many at once."""

from __future__ import annotations

import itertools
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


Lane = tuple[int, int]  # which vector environment, and which row of it


def run_trials(
    envs: Sequence[Any],
    seeds: Sequence[Sequence[int]],
    policies: Sequence[Any],
    lanes: Sequence[Lane | Sequence[Lane]],
    seconds: float,
    every: int = 5,
) -> dict[Lane, Track]:
    """Many trials side by side: in every lane what `run_trial` gives, bit for bit where a policy moves one lane.

    envs: vector environments of one clock, lane i of number e reset with seeds[e][i]. lanes: for each policy the lane
    that it moves, or for an `AnimalBatch` those of its animals. A policy that fails (BestiaryError) leaves no tracks,
    and does not stop the others.
    """
    worlds = [env.unwrapped for env in envs]
    for world, policy in itertools.product(worlds, policies):
        check_same_control(policy, world.clock)
    begun = [env.reset(seed=list(given)) for env, given in zip(envs, seeds, strict=True)]
    obs, start = [o for o, _ in begun], [info["episode_seed"] for _, info in begun]
    moves = []  # of every policy: whether it is a batch, and its rows of each environment
    for policy, at in zip(policies, lanes, strict=True):
        many = [at] if (alone := isinstance(at, tuple)) else at
        parts = [(e, [i for _, i in part]) for e, part in itertools.groupby(many, lambda lane: lane[0])]
        first = [start[e][i] for e, i in many]
        policy.reset(first[0] if alone else first)
        moves.append((policy, alone, parts))
    samples = [[Samples() for _ in range(env.num_envs)] for env in envs]
    told: dict[Lane, dict[str, str]] = {}
    over = [np.zeros(env.num_envs, bool) for env in envs]
    for k in range(1, round(seconds / worlds[0].clock.control_s) + 1):
        commands = [np.zeros(env.action_space.shape, np.float32) for env in envs]
        for move in list(moves):
            policy, alone, parts = move
            try:
                if alone:
                    ((e, (i,)),) = parts
                    commands[e][i] = policy.act({name: value[i] for name, value in obs[e].items()})
                else:
                    action = policy.act({name: np.concatenate([obs[e][name][i] for e, i in parts]) for name in obs[0]})
                    for e, rows in parts:
                        commands[e][rows], action = action[: len(rows)], action[len(rows) :]
            except BestiaryError:
                moves.remove(move)
        for e, env in enumerate(envs):
            obs[e], _, ended, cut, info = env.step(commands[e])
            done = ended | cut
            poses = worlds[e].pose() if k % every == 0 else {}
            for i in np.flatnonzero(~over[e] & (done | bool(poses))).tolist():
                mine = {name: info[name][i] for name in info if name[0] != "_" and info[f"_{name}"][i]}
                if done[i]:
                    told[e, i] = {name: str(mine.get(name, "")) for name in ("divergence", "ended")}
                if poses and "divergence" not in mine:
                    samples[e][i].add({name: value[i] for name, value in poses.items()}, mine)
            over[e] |= done
        if not moves or all(o.all() for o in over):
            break
    tracks = {}
    for e, i in [(e, i) for _, _, parts in moves for e, rows in parts for i in rows]:
        body = worlds[e].envs[0].body
        about = {"seed": seeds[e][i], "joints": getattr(body, "joints", ()), **told.get((e, i), {})}
        tracks[e, i] = samples[e][i].track(body.length_m, **about)
    return tracks
