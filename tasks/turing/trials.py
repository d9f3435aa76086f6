"""Trials of the examination: run on all cores, kept on the disk, so that a run that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array
from bestiary.errors import BestiaryError
from bestiary.tasks._trial import Track
from bestiary.tasks.turing.lookup import SENSE, Lookup
from bestiary.tasks.turing.policies import Candidate

Progress = Callable[[int, int], None]
_LIGHT = 1.0
_LEAD_S = 4.0


@dataclass(frozen=True)
class Trial:
    """One run. build: options of the animal. world: task, medium, task_options, body_options, every (control steps
    between samples). changes: of body and world, see `_changed`. record: names of neurons whose voltages are kept ("*"
    for all); probe: neurons lit one by one, each from the same moment, for `seconds` each, instead of a run. keep:
    senses that are kept in every control step, with the actions, for `lookup`; library: kept trials that a lookup plays
    back in the animal's place. protect: files that the policy may not open. model: digest.
    """

    candidate: Candidate
    world: dict[str, Any]
    seconds: float
    seed: int
    build: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    record: tuple[str, ...] = ()
    probe: tuple[str, ...] = ()
    skip_s: float = 0.0
    keep: tuple[str, ...] = ()
    library: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    model: str = ""

    def key(self) -> str:
        """Of the file that keeps it: the same trial of the same model."""
        told = {k: v for k, v in asdict(self).items() if k != "protect" and (v or k not in ("keep", "library"))}
        told |= {"library": [Path(file).name for file in self.library]} if self.library else {}
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Done:
    """track: of a run, or None. arrays: voltages (T, n), or answers (probes, n) mV. names: of neurons. failure: why
    there is nothing, or ""."""

    track: Track | None
    arrays: dict[str, Array]
    names: tuple[str, ...]
    failure: str = ""


def run(trial: Trial) -> Done:
    """Runs one trial under the guard. What the policy or the physics cannot do is a failure, not an exception."""
    from bestiary.tasks.turing.guard import GuardError, guarded

    try:
        import bestiary.envs._embodied  # noqa: F401  what libraries do when first imported is not the policy's

        if not trial.candidate.own:  # ours: built without the guard, examined under it
            _policy(trial)
        with guarded(trial.protect):
            policy = _policy(trial)
            env = _changed(_env(trial, getattr(policy, "clock", None)), trial.changes)
            return _probe(trial, env, policy) if trial.probe else _run(trial, env, policy)
    except GuardError:
        raise
    except (BestiaryError, ValueError, LookupError, TypeError) as error:
        return Done(None, {}, (), f"{type(error).__name__}: {error}")


_KEPT: dict[str, Any] = {}


def _policy(trial: Trial) -> Any:
    """The last policy is kept: trials come sorted."""
    key = json.dumps([asdict(trial.candidate), trial.build, trial.library, trial.model], sort_keys=True, default=str)
    if _KEPT.get("key") != key:
        _KEPT.clear()
        library, animal = trial.library, trial.candidate.animal
        _KEPT.update(key=key, policy=Lookup.load(animal, library) if library else trial.candidate.build(**trial.build))
    return _KEPT["policy"]


def _env(trial: Trial, clock: Any) -> Any:
    from bestiary.envs import EmbodiedEnv

    options = {"seconds": trial.seconds + _LEAD_S, **trial.world.get("task_options", {})}
    return EmbodiedEnv(
        animal=trial.candidate.animal,
        task=trial.world["task"],
        medium=trial.world.get("medium"),
        clock=clock,
        task_options=options,
        body_options=trial.world.get("body_options"),
        bad_action="clip",
    )


class _Noisy:
    """Observation noise and motors that no longer answer, in front of a policy."""

    def __init__(self, policy: Any, noise: float, dead: float, seed: int) -> None:
        self.policy, self.noise, self.dead, self.seed = policy, noise, dead, seed
        if hasattr(policy, "clock"):
            self.clock = policy.clock

    def reset(self, episode_seed: int) -> None:
        from bestiary.envs import stream

        self.rng = stream(episode_seed, "turing noise")
        self.lost: Array | None = None
        self.policy.reset(episode_seed)

    def act(self, obs: Any) -> Any:
        if self.noise:
            obs = {
                k: (v * (1 + self.noise * self.rng.standard_normal(v.shape))).astype(v.dtype) for k, v in obs.items()
            }
        action = np.array(self.policy.act(obs))
        if self.dead:
            if self.lost is None:
                self.lost = np.random.default_rng(self.seed).random(len(action)) < self.dead
            action[self.lost] = 0.0
        return action


def _changed(env: Any, changes: dict[str, Any]) -> Any:
    """body_mass, friction, drag: factors on the compiled model, whatever the animal; drag is viscosity, and what
    velocity-proportional actuators make of it."""
    model = env.unwrapped.model
    if factor := changes.get("body_mass"):
        model.body_mass[:] *= factor
        model.body_inertia[:] *= factor
        mujoco.mj_setConst(model, env.unwrapped.data)  # sums of masses too: the centre of mass is divided by them
    if factor := changes.get("friction"):
        model.geom_friction[:] *= factor
    if factor := changes.get("drag"):
        model.opt.viscosity *= factor
        drag = (model.actuator_gainprm[:, 0] == 0) & (model.actuator_biasprm[:, 2] < 0)
        model.actuator_biasprm[drag, 2] *= factor
    return env


def _run(trial: Trial, env: Any, policy: Any) -> Done:
    from bestiary.tasks._trial import run_trial

    known = getattr(policy, "names", ())
    names = tuple(n for n in known if "*" in trial.record or n in trial.record)
    rows = [known.index(n) for n in names]
    seen: list[Array] = []
    moves: list[Array] = []
    felt: list[list[float]] = []
    steps, every = 0, int(trial.world.get("every", 5))

    def note(action: Any, obs: Any, reward: float, info: dict[str, Any]) -> None:
        nonlocal steps
        steps += 1
        if trial.keep:
            moves.append(np.asarray(action, np.float32))
            felt.append([float(np.mean(obs[k])) for k in trial.keep])
        if rows and steps % every == 0:
            seen.append(policy.probe()["voltage_mV"][rows].astype(np.float32))

    judged = policy
    if trial.changes.get("noise") or trial.changes.get("dead"):
        judged = _Noisy(policy, trial.changes.get("noise", 0.0), trial.changes.get("dead", 0.0), trial.seed)
    track = run_trial(env, judged, trial.seconds, trial.seed, every, on_step=note if rows or trial.keep else None)
    if track.divergence:
        return Done(None, {}, names, track.divergence)
    track = track.after(trial.skip_s)
    arrays = {"voltage_mV": np.array(seen)[-len(track.time_s) :]} if rows else {}
    if trial.keep:  # what is felt in a step is what the next action answers
        arrays["action"] = np.array(moves[1:])
        arrays |= {f"{SENSE}{k}": np.array(felt[:-1])[:, i] for i, k in enumerate(trial.keep)}
    return Done(track, arrays, names) if len(track.time_s) > 2 else Done(None, {}, names, "the trial is too short")


def _probe(trial: Trial, env: Any, policy: Any) -> Done:
    """Every neuron of `probe` lit alone for `seconds`, from one and the same state of body and brain; its answer is the
    mean change of every voltage over the second half, against the same time without light."""
    obs, info = env.reset(seed=trial.seed)
    policy.reset(info["episode_seed"])
    period = env.unwrapped.clock.control_s
    for _ in range(round(_LEAD_S / period)):
        obs = env.step(policy.act(obs))[0]
    world, state = env.unwrapped.get_state(), policy.get_state()
    steps = round(trial.seconds / period)

    def course(rows: Any) -> Array:
        now = env.unwrapped.set_state(world)
        policy.set_state(state)
        if rows is not None:
            policy.shine(rows, _LIGHT)
        total = np.zeros(len(policy.names))
        for k in range(steps):
            now = env.step(policy.act(now))[0]
            if k >= steps // 2:
                total += policy.probe()["voltage_mV"]
        return total / (steps - steps // 2)

    rest = course(None)
    answers = np.stack([course(policy.index([n])) - rest for n in trial.probe])
    return Done(None, {"answer_mV": answers}, tuple(policy.names))


# On the disk


def _save(path: Path, done: Done) -> None:
    track = done.track
    meta = {"names": list(done.names), "failure": done.failure, "track": track is not None}
    arrays = {f"array {k}": v for k, v in done.arrays.items()}
    if track is not None:
        meta |= {"length_m": track.length_m, "seed": track.seed, "ended": track.ended, "joints": list(track.joints)}
        for k in ("time_s", "midline_m", "com_m", "curvature_per_m"):
            arrays[k] = np.asarray(getattr(track, k), np.float64 if k in ("time_s", "com_m") else np.float32)
        arrays |= {f"info {k}": v for k, v in track.info.items()}
        arrays |= {f"pose {k}": v for k, v in track.pose.items()}
    new = path.with_suffix(f".{os.getpid()}.tmp")
    with new.open("wb") as file:
        np.savez_compressed(file, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def _load(path: Path) -> Done | None:
    """What was kept; None where nothing was, or what was is damaged: it is run again."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            meta = json.loads(kept["meta"].tobytes())
            arrays = {k.removeprefix("array "): kept[k] for k in kept.files if k.startswith("array ")}
            track = None
            if meta["track"]:
                info = {k.removeprefix("info "): kept[k] for k in kept.files if k.startswith("info ")}
                keys = ("time_s", "midline_m", "com_m", "curvature_per_m")
                t, m, c, k = (np.asarray(kept[x], float) for x in keys)
                pose = {k.removeprefix("pose "): kept[k] for k in kept.files if k.startswith("pose ")}
                size, seed, joints = meta["length_m"], meta["seed"], tuple(meta["joints"])
                track = Track(t, m, c, k, info, size, seed, ended=meta["ended"], pose=pose, joints=joints)
            return Done(track, arrays, tuple(meta["names"]), meta["failure"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _one(trial: Trial, folder: str | None) -> Done:
    if folder is None:
        return run(trial)
    path = Path(folder) / f"{trial.key()}.npz"
    if (kept := _load(path)) is not None:
        return kept
    done = run(trial)
    _save(path, done)
    return done


def run_all(
    trials: Sequence[Trial],
    folder: Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
    keep: Callable[[int, Done], Any] = lambda place, done: done,
) -> list[Any]:
    """What `keep` makes of each trial, called with its place, in the order of `trials`; equal ones run once. A hundred
    tracks of ten minutes fill the memory: what asks for a number keeps a number. folder: where trials are kept and
    found again. jobs: processes."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    places: dict[str, list[int]] = {}
    for i, t in enumerate(trials):
        places.setdefault(t.key(), []).append(i)
    out: list[Any] = [None] * len(trials)
    left, place = [], None if folder is None else str(folder)
    done_with = 0

    def take(key: str, done: Done) -> None:
        nonlocal done_with
        done_with += 1
        for i in places[key]:
            out[i] = keep(i, done)
        if progress is not None:
            progress(done_with, len(places))

    if progress is not None:
        progress(0, len(places))
    for k in places:
        kept = None if folder is None else _load(folder / f"{k}.npz")
        if kept is None:
            left.append(k)
        else:
            take(k, kept)
    if jobs == 1 or len(left) < 2:
        for k in left:
            take(k, _one(trials[places[k][0]], place))
        _KEPT.clear()
    else:
        with _one_thread_each(), ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            futures = {pool.submit(_one, trials[places[k][0]], place): k for k in left}
            try:
                for future in as_completed(futures):
                    take(futures.pop(future), future.result())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return out


def _one_thread_each() -> Any:
    from bestiary.tasks._assay_trials import _one_thread_each as quiet

    return quiet()


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
