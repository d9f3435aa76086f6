"""Many bodies in step: a Gymnasium vector environment on `mujoco.batch`, bit for bit the single environments."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from mujoco import batch

import bestiary
from bestiary.bodies._base import Array
from bestiary.envs._embodied import _FATAL, _STATE, EmbodiedEnv, _nothing
from bestiary.errors import ActionError, BestiaryError, EpisodeError, RenderError

_NOW = mujoco.mjtStage.mjSTAGE_VEL.value  # after a period, what depends on positions and speeds is that of its end
_EACH = ("task", "medium", "body_options", "task_options")


class EmbodiedVectorEnv(gymnasium.vector.VectorEnv[dict[str, Array], Array, Array]):
    """num_envs environments `EmbodiedEnv`, stepped together on `threads` threads (0: all cores).

    `gymnasium.make_vec("bestiary/WormCrawl-v0", 256, "vector_entry_point")`. Observations, rewards, ends and infos are
    those that `SyncVectorEnv` makes of single environments, bit for bit: environment i of `reset(seed=s)` is a single
    one reset with s + i. An ended episode starts anew in the next step, which ignores its action
    (`metadata["autoreset_mode"]`, NEXT_STEP).

    each: for every environment a mapping with those of `task`, `medium`, `body_options` and `task_options` that differ
    from the common ones: worms of several lengths, in several media and worlds. Their models must have the same parts.
    `set_medium(medium, ids)` changes them as they go; `retire(ids)` lets some rest. `batch`: the `mujoco.batch.Batch`,
    to read any field of all bodies, or to push them (`envs.batch.xfrc_applied[3, body] = ...`).

    `batched`: whether the physics is on `mujoco.batch`. A body that writes into its model before every physics step
    (`Body.before_step`: drag that grows with the square of speed), and either cannot do so for many (`before_steps`) or
    differs between environments, runs in a loop of single ones instead: the same results, at their speed. So does a
    task that sets joints (`Task.move`: a treadmill). `observed`: "together", in few array operations for all bodies,
    where the body can (`Body.leading`), else "one by one".

    max_episode_steps: an episode is truncated there, if its task does not end it before, as `gymnasium.make` does.
    Other arguments are those of EmbodiedEnv; render_mode is None or "rgb_array". Raises what EmbodiedEnv raises.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array"],
        "render_fps": 100.0,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        animal: Any,
        task: Any,
        *,
        each: Sequence[Mapping[str, Any]] | None = None,
        threads: int = 0,
        max_episode_steps: int | None = None,
        **options: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs is 1 or more, got {num_envs}")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ValueError(f"max_episode_steps is 1 or more, got {max_episode_steps}")
        if options.get("render_mode") not in (None, *self.metadata["render_modes"]):
            raise RenderError(f"render_mode of many is None or 'rgb_array', got {options['render_mode']!r}")
        kinds, self._kind_of = _kinds(each, num_envs)

        def make(kind: Mapping[str, Any]) -> EmbodiedEnv:
            return EmbodiedEnv(animal, **{"task": task, **options, **kind})

        self._made = made = [make(kind) for kind in kinds]
        first = made[0]
        for env in made[1:]:
            if env.observation_space != first.observation_space or env.body.motors != first.body.motors:
                raise BestiaryError("environments of one vector share senses and motors; leave out what changes them")
        self.num_envs, self.clock, self.render_mode = num_envs, first.clock, first.render_mode
        self.metadata = {**self.metadata, "render_fps": first.metadata["render_fps"]}
        self.single_observation_space, self.single_action_space = first.observation_space, first.action_space
        self.observation_space = batch_space(first.observation_space, num_envs)
        self.action_space = batch_space(first.action_space, num_envs)
        writes = hasattr(first.body, "before_step")
        able = not writes or (hasattr(first.body, "before_steps") and len(made) == 1)
        self.batched = able and not any(getattr(env.task, "alone", False) for env in made)
        self.observed = "together" if self.batched and getattr(first.body, "leading", False) else "one by one"
        self.batch: batch.Batch | None = None
        if self.batched:
            self.envs = [_sibling(made[k]) for k in self._kind_of]
            # one MjData a body: the next step goes on from what was computed for the senses
            self.batch = batch.Batch(first.model, num_envs, threads, persistent=True)
            self._many = first.body.many(first.bound, self.batch) if writes else None
            if len(made) > 1:
                self._use_models()
        else:
            spare: list[EmbodiedEnv | None] = list(made)
            self.envs = []
            for k in self._kind_of:
                taken, spare[k] = spare[k], None
                self.envs.append(taken or make(kinds[k]))
        if max_episode_steps is not None:
            for env in self.envs:
                env._last_step = min(env._last_step, max_episode_steps)
        bodies = [kind.get("body_options") for kind in kinds]
        body_of = np.array([bodies.index(body) for body in bodies])[self._kind_of]
        self._alike = [
            np.flatnonzero(body_of == k) for k in np.unique(body_of)
        ]  # of one body: acted and sensed at once
        self._moved = {i for i, env in enumerate(self.envs) if hasattr(env.task, "move")}
        self._obs = {s.name: np.zeros((num_envs, *s.shape), np.float32) for s in first.body.senses}
        # the last good measures of all, where they are observed together, and whose task tells them
        self._info: dict[str, Array] = {}
        self._tells: dict[str, Array] = {}
        self._steps = np.zeros(num_envs, np.int64)
        self._last = np.array([env._last_step for env in self.envs])
        self._over, self._resting = np.zeros(num_envs, bool), np.zeros(num_envs, bool)
        self._phase = "new"

    # Episodes

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Starts an episode in each environment, or in those of `options["reset_mask"]` (num_envs,) bool.

        seed: s for s, s + 1, ...; or one for each. Raises EpisodeError after close.
        """
        if self._phase == "closed":
            raise EpisodeError("reset after close: make a new environment")
        n = self.num_envs
        seeds: Sequence[int | None]
        seeds = [None] * n if seed is None else [seed + i for i in range(n)] if isinstance(seed, int) else seed
        if len(seeds) != n:
            raise ValueError(f"one seed for each of {n} environments, or one for all; got {len(seeds)}")
        mask = np.ones(n, bool) if not options or "reset_mask" not in options else np.asarray(options["reset_mask"])
        if mask.shape != (n,) or mask.dtype != bool or not mask.any():
            raise ValueError(f"reset_mask is ({n},) bool with a True in it, got {mask.dtype} {mask.shape}")
        if self._phase == "new" and not mask.all():
            raise EpisodeError("the first reset is of all environments: leave out reset_mask")
        infos: dict[str, Any] = {}
        for i in np.flatnonzero(mask).tolist():
            infos = self._add_info(infos, self._start(i, seeds[i]), i)
        self._phase = "running"
        return _copies(self._obs), infos

    def step(self, actions: Array) -> tuple[dict[str, Array], Array, Array, Array, dict[str, Any]]:
        """One control period of all under `actions` (num_envs, n_motors) in [-1, 1].

        Raises ActionError, which names the environment, with all states untouched, and EpisodeError before reset.
        """
        if self._phase != "running":
            raise EpisodeError("step before reset: call reset() first" if self._phase == "new" else "step after close")
        over, n = self._over, self.num_envs
        go = np.flatnonzero(~over & ~self._resting)
        commands, clipped = self._commands(actions, go)
        out = _Out(np.zeros(n), np.zeros(n, bool), np.zeros(n, bool), {})
        if len(go):
            (self._together if self.observed == "together" else self._one_by_one)(go, commands, clipped, out)
        for i in np.flatnonzero(over & ~self._resting).tolist():
            out.infos = self._add_info(out.infos, self._start(i, None), i)
        self._over = out.ends | out.cuts
        return _copies(self._obs), out.rewards, out.ends, out.cuts, out.infos

    def _start(self, i: int, seed: int | None) -> dict[str, Any]:
        """Begins an episode in environment i; its info."""
        env = self.envs[i]
        obs, info = env.reset(seed=seed)
        self._keep(i, obs, env._info if self.observed == "together" else {})
        self._steps[i] = 0
        self._over[i] = self._resting[i] = False
        if self.batch is not None:
            self._send(i)
        return info

    def retire(self, ids: Sequence[int]) -> None:
        """Lets environments rest until their next `reset`: they are neither stepped nor begun anew."""
        self._resting[list(ids)] = True

    def _keep(self, i: int, obs: Mapping[str, Array], info: Mapping[str, Any]) -> None:
        for name, value in obs.items():
            self._obs[name][i] = value
        for name, number in info.items():
            if name not in self._info:
                self._info[name] = np.zeros((self.num_envs, *np.shape(number)), np.asarray(number).dtype)
                self._tells[name] = np.zeros(self.num_envs, bool)
            self._info[name][i], self._tells[name][i] = number, True

    def _commands(self, actions: Any, go: Array) -> tuple[Array, Array]:
        """(commands (num_envs, n_motors), how many entries of each were cut). Raises ActionError."""
        shape = self.action_space.shape
        try:
            commands = np.array(actions, np.float64)
        except (TypeError, ValueError):
            raise ActionError(f"actions are {shape} numbers in [-1, 1], got {type(actions).__name__}") from None
        if commands.shape != shape:
            raise ActionError(f"expected actions of shape {shape}, a row for each environment; got {commands.shape}")
        clipped = np.zeros(self.num_envs, int)
        for i in go[~(np.abs(commands[go]) <= 1).all(1)].tolist():
            try:
                commands[i], clipped[i] = self.envs[i]._checked(commands[i])
            except ActionError as error:
                raise ActionError(f"environment {i}: {error}") from None
        return commands, clipped

    def _one_by_one(self, go: Array, commands: Array, clipped: Array, out: _Out) -> None:
        if self.batch is not None:
            for i in go.tolist():
                env = self.envs[i]
                self._fetch(i, env.data.ctrl, "ctrl")
                env.body.apply(env.bound, env.data, commands[i])
                self.batch.ctrl[i] = env.data.ctrl
            self._physics(go)
        for i in go.tolist():
            env = self.envs[i]
            if self.batch is None:
                obs, reward, end, cut, info = env.step(commands[i])
            else:
                self.batch.get_data(i, env.data)
                obs, reward, end, cut, info = env._judged(env._divergence(), int(clipped[i]))
                self.batch.time[i] = env.data.time
                if env.model.nuserdata:
                    self.batch.userdata[i] = env.data.userdata
                self._steps[i] += 1
            out.rewards[i], out.ends[i], out.cuts[i] = reward, end, cut
            self._keep(i, obs, {})
            out.infos = self._add_info(out.infos, info, i)

    def _together(self, go: Array, commands: Array, clipped: Array, out: _Out) -> None:
        b, n = self.batch, self.num_envs
        assert b is not None
        for group in self._alike:
            env = self.envs[group[0]]
            rows = b if len(group) == n else _Rows(b, group)
            env.body.apply(env.bound, rows, commands[group])
            if rows is not b:
                b.ctrl[group] = rows.ctrl
        self._physics(go)
        lost = {i: text for i in self._suspects(go) if (text := self._diverged(i))}
        self._steps[go] += 1
        time_s = self._steps * self.clock.control_s
        b.time[go] = time_s[go]
        whole = len(go) == n and not lost
        going = np.zeros(n, bool)
        going[go] = True
        going[list(lost)] = False
        for group in self._alike:
            env, good = self.envs[group[0]], group[going[group]]
            if not len(good):
                continue
            rows = b if len(good) == n else _Rows(b, good)
            parts = [_Part(self.envs, good, at) for at in _split(self._kind_of[good])]
            for name, value in env.body.sense(env.bound, rows, _Worlds(parts, env._rest)).items():
                self._obs[name][good] = value
            pose = env.body.posture(env.bound, rows)
            for part in parts:
                mine = part.ids
                of = pose if len(parts) == 1 else {name: value[part.at] for name, value in pose.items()}
                out.rewards[mine], out.ends[mine], info = _judge(part.task, part.states, of, time_s[mine])
                info["time_s"] = time_s[mine]
                if env.bad_action == "clip":
                    info["clipped"] = clipped[mine]
                for name, value in info.items():
                    self._info[name][mine] = value
            out.cuts[good] = self._steps[good] >= self._last[good]
        done = np.zeros(n, bool)
        done[go] = True
        for name, kept in self._info.items():
            out.infos[name] = kept.copy() if whole else np.where(done.reshape(-1, *[1] * (kept.ndim - 1)), kept, 0)
            out.infos[f"_{name}"] = done & self._tells[name]
        for i, text in lost.items():
            out.ends[i] = True
            out.infos = self._add_info(out.infos, {"time_s": float(time_s[i]), "divergence": text}, i)

    # Physics

    def _physics(self, go: Array) -> None:
        """One control period of bodies `go`, under the commands that stand in the batch."""
        b = self.batch
        assert b is not None
        for i in [i for i in go.tolist() if i in self._moved] if self._moved else ():
            env = self.envs[i]
            env._steps = int(self._steps[i])
            self._fetch(i, env.data.mocap_pos, "mocap_pos")
            self._fetch(i, env.data.mocap_quat, "mocap_quat")
            env._move()
            b.mocap_pos[i], b.mocap_quat[i] = env.data.mocap_pos, env.data.mocap_quat
        before = mujoco.get_mju_user_warning()
        mujoco.set_mju_user_warning(_nothing)
        try:
            ids, steps = None if len(go) == self.num_envs else go, self.clock.physics_steps
            if self._many is None:
                b.step(ids, steps, _NOW)
            for _ in range(steps if self._many is not None else 0):
                self.envs[0].body.before_steps(self._many, b)
                b.step(ids, 1, _NOW)
        finally:
            mujoco.set_mju_user_warning(before)

    def _fetch(self, i: int, into: Array, field: str) -> None:
        into[:] = getattr(self.batch, field)[i]

    def _send(self, i: int) -> None:
        """The state of environment i's MjData to its row of the batch, whose warnings begin anew."""
        assert self.batch is not None
        self.batch.reset(ids=[i], stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        mujoco.mj_getState(self.envs[i].model, self.envs[i].data, self.batch.state[i], _STATE)
        self.batch.forward(ids=[i], stage=_NOW)

    def _suspects(self, go: Array) -> list[int]:
        """Which bodies of `go` MuJoCo warned of, or are no longer finite."""
        b = self.batch
        assert b is not None
        sums = b.qpos[go].sum(1) + b.qvel[go].sum(1) + b.act[go].sum(1)
        return go[(b.warning[go][:, list(_FATAL.values()), 1] != 0).any(1) | ~np.isfinite(sums)].tolist()

    def _diverged(self, i: int) -> str:
        assert self.batch is not None
        self.batch.get_data(i, self.envs[i].data)
        return self.envs[i]._divergence()

    def set_medium(self, medium: Any, ids: Sequence[int] | None = None) -> None:
        """Puts the bodies `ids` (None: all) into another medium, from the next step on. Raises MediumError."""
        if self.batch is not None and self._many is not None:
            raise BestiaryError(
                "a body that writes into its model is given its medium when it is made: medium=..., each="
            )
        for i in range(self.num_envs) if ids is None else ids:
            env = self.envs[i]
            if self.batch is not None and env.model is self._made[self._kind_of[i]].model:
                env.model = copy.copy(env.model)
            env.body.set_medium(env.bound, env.model, medium)
        if self.batch is not None:
            self._use_models()

    def _use_models(self) -> None:
        assert self.batch is not None
        try:
            self.batch.set_models([env.model for env in self.envs])
        except (ValueError, mujoco.FatalError) as error:
            raise BestiaryError(f"the models of one vector must have the same parts: {error}") from None

    # Moments

    def get_state(self) -> list[dict[str, Any]]:
        """`EmbodiedEnv.get_state` of every environment."""
        return [self._present(i).get_state() for i in range(self.num_envs)]

    def set_state(self, states: Sequence[dict[str, Any]]) -> dict[str, Array]:
        """Goes back to a `get_state` of this or an equal vector; returns the observations of that moment."""
        for i, (env, state) in enumerate(zip(self.envs, states, strict=True)):
            obs = env.set_state(state)
            self._keep(i, obs, env._info if self.observed == "together" else {})
            self._steps[i], self._over[i] = env._steps, env._phase != "running"
            if self.batch is not None:
                self._send(i)
        self._phase = "running"
        return _copies(self._obs)

    def pose_of(self, i: int) -> dict[str, Array]:
        """Ground truth of the present posture of environment i: `body.pose`, SI."""
        env = self.envs[i]
        if self.batch is not None:
            self.batch.get_data(i, env.data)
        return env.pose()

    def pose(self) -> dict[str, Array]:
        """Ground truth of all present postures: `body.pose`, SI, with a leading axis."""
        poses = [self._present(i).pose() for i in range(self.num_envs)]
        return {name: np.stack([p[name] for p in poses]) for name in poses[0]}

    def render(self) -> tuple[Array, ...] | None:
        """A picture of each body, (height, width, 3) uint8, with "rgb_array". Raises RenderError."""
        if self.render_mode is None:
            return None
        pictures = []
        for i in range(self.num_envs):
            env, shared = self._present(i), self._made[self._kind_of[i]]
            if self.batch is not None:
                env._picture = shared._picture
            picture = env.render()
            assert picture is not None
            shared._picture = env._picture
            pictures.append(picture)
        return tuple(pictures)

    def _present(self, i: int) -> EmbodiedEnv:
        """Environment i with its MjData, steps, observation and measures up to date."""
        env = self.envs[i]
        if self._phase != "running":
            raise EpisodeError("nothing to see before reset: call reset() first")
        if self.batch is not None:
            self.batch.get_data(i, env.data)
            env._steps = int(self._steps[i])
            env._phase = "the end of the episode: call reset()" if self._over[i] else "running"
            env._obs = {name: value[i].copy() for name, value in self._obs.items()}
            if self.observed == "together":
                env._info = {
                    name: value[i].item() if value.ndim == 1 else value[i] for name, value in self._info.items()
                }
        return env

    def close_extras(self, **kwargs: Any) -> None:
        for env in (*self._made, *self.envs):
            env.close()
        self._phase = "closed"


@dataclasses.dataclass
class _Out:
    """What a step gives, while it is put together."""

    rewards: Array
    ends: Array
    cuts: Array
    infos: dict[str, Any]


class _Rows:
    """Some rows of a batch, read as if they were all."""

    def __init__(self, b: batch.Batch, ids: Array) -> None:
        self._batch, self._ids = b, ids

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._batch, name)[self._ids]
        setattr(self, name, value)
        return value


class _Part:
    """The environments of one task among `good` ones: their places in these, their numbers and states."""

    def __init__(self, envs: Sequence[EmbodiedEnv], good: Array, at: Array) -> None:
        self.at, self.ids = at, good[at]
        self.task = envs[self.ids[0]].task
        self.states = [envs[i]._state for i in self.ids.tolist()]


def _split(kinds: Array) -> list[Array]:
    """The places of each of the kinds."""
    if (kinds == kinds[0]).all():
        return [np.arange(len(kinds))]
    return [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]


class _Worlds:
    """The fields of many episodes: places (k, n, 3) and times (k,) give (k, n)."""

    def __init__(self, parts: Sequence[_Part], rest: Mapping[str, float]) -> None:
        self.parts, self.rest = parts, rest

    def sample(self, sense: str, position_m: Array, fraction: Array, time_s: Array) -> Array:
        out = np.full(position_m.shape[:2], self.rest.get(sense, 0.0))
        times = time_s.tolist()
        for part in self.parts:
            for at, state in zip(part.at.tolist(), part.states, strict=True):
                value = part.task.sample(state, sense, position_m[at], fraction, times[at])
                if value is None:  # a field that this task does not have
                    break
                out[at] = value
        return out


def _judge(
    task: Any, states: list[dict[str, Any]], pose: dict[str, Array], time_s: Array
) -> tuple[Array, Array, dict[str, Array]]:
    if (many := getattr(task, "judge_many", None)) is not None:
        return many(states, pose, time_s)
    one = [
        task.judge(state, {name: value[i] for name, value in pose.items()}, t)
        for i, (state, t) in enumerate(zip(states, time_s.tolist(), strict=True))
    ]
    rewards, ends, infos = zip(*one, strict=True)
    return np.array(rewards), np.array(ends), {name: np.array([info[name] for info in infos]) for name in infos[0]}


def _kinds(each: Sequence[Mapping[str, Any]] | None, n: int) -> tuple[list[dict[str, Any]], Array]:
    """(the different ones of `each`, which of them every environment is)."""
    if each is None:
        return [{}], np.zeros(n, int)
    if len(each) != n:
        raise ValueError(f"each has one mapping for each of {n} environments, got {len(each)}")
    kinds: list[dict[str, Any]] = []
    of = []
    for one in each:
        for name in one:
            if name not in _EACH:
                raise LookupError(f"environments cannot differ in {name!r}; {bestiary.nearest(name, _EACH, 'option')}")
        if (kind := dict(one)) not in kinds:
            kinds.append(kind)
        of.append(kinds.index(kind))
    return kinds, np.array(of)


def _sibling(env: EmbodiedEnv) -> EmbodiedEnv:
    """One more environment of the same model that shares its MjData, as a place to work in."""
    new = object.__new__(EmbodiedEnv)  # `copy.copy` would give it a model of its own
    new.__dict__.update(env.__dict__)
    if dataclasses.is_dataclass(env.bound) and not isinstance(env.bound, type):
        held = {f.name: getattr(env.bound, f.name) for f in dataclasses.fields(env.bound)}
        new.bound = dataclasses.replace(env.bound, **{k: v.fresh() for k, v in held.items() if hasattr(v, "fresh")})
    new._np_random = None
    return new


def _copies(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: value.copy() for name, value in arrays.items()}
