"""One environment for all animals: a body in a world, with no brain inside."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces

import bestiary
from bestiary.bodies._base import Array
from bestiary.envs._clock import Clock
from bestiary.envs._streams import stream
from bestiary.errors import ActionError, EpisodeError, RenderError

_FATAL = {
    "BADQPOS": mujoco.mjtWarning.mjWARN_BADQPOS.value,
    "BADQVEL": mujoco.mjtWarning.mjWARN_BADQVEL.value,
    "BADQACC": mujoco.mjtWarning.mjWARN_BADQACC.value,
    "BADCTRL": mujoco.mjtWarning.mjWARN_BADCTRL.value,
}
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION
_BUILT = ("model", "data", "bound", "_warned", "_world", "_picture", "_window")  # what no copy shares
_PIXELS = 16384  # a side: what graphics libraries can draw into, at most
_DOWN_S = 1.0  # upside down for so long: a body that stands has fallen


def _nothing(_: str) -> None:
    pass


def _of(folder: str, what: str, given: Any, options: dict[str, Any] | None) -> Any:
    """A body or task from its name and options, or itself. LookupError, with the nearest name, for an unknown one."""
    if not isinstance(given, str):
        if options:
            raise ValueError(f"{type(given).__name__} is made already: give {', '.join(options)} when you make it")
        return given
    kind = getattr(bestiary.load(folder, given), what)
    known = [f.name for f in dataclasses.fields(kind) if f.init]
    for name in options or {}:
        if name not in known:
            raise LookupError(f"{kind.__name__} has no option {name!r}; {bestiary.nearest(name, known, 'option')}")
    return kind(**options or {})


class _World:
    """The task's fields as the body's receptors see them: `Sense.rest` where the task has no such field.

    Light is NaN there: eyes then see the scene (bodies/_eye.py).
    """

    def __init__(self, task: Any, state: dict[str, Any], rest: dict[str, float]) -> None:
        self.task, self.state, self.rest = task, state, rest
        self._resting: dict[tuple[str, int], Array] = {}

    def sample(self, sense: str, position_m: Array, fraction: Array, time_s: float) -> Array:
        value = self.task.sample(self.state, sense, position_m, fraction, time_s)
        if value is not None:
            return value
        if (key := (sense, len(position_m))) not in self._resting:
            self._resting[key] = np.full(len(position_m), np.nan if sense == "luminance" else self.rest.get(sense, 0.0))
        return self._resting[key]


class EmbodiedEnv(gymnasium.Env[dict[str, Array], Array]):
    """A body with receptors and motors in the world of a task. One step is one control period.

    Observation: Dict of bounded float32 Boxes, one per `body.senses`, SI. Action: Box(-1, 1, (n_motors,), float32) in
    the order of `body.motors`. `info` holds ground truth: time_s and the task's measures; at reset `episode_seed`, from
    which a brain may seed itself.

    animal, task: names of files in bodies/ and tasks/, or a Body and a Task themselves. medium: passed to
    `body.set_medium`; None keeps the body's own. clock: a Clock or periods by name; those not given are the body's.
    render_mode: None, "rgb_array" or "human". slow_motion: how many times slower than life pictures run; it only
    changes `metadata["render_fps"]` and the pace of the window. width, height: pixels. camera: "follow" (the
    default), "arena" (all of it from above), or the name of a camera of the model. bad_action: "raise", or "clip" to
    cut actions into [-1, 1] and count the cut ones in `info["clipped"]`. task_options, body_options: arguments of the
    task's and the body's class, which then are given by name.

    A copy (`copy`, `pickle`) is a world of its own at the same moment, made anew from these arguments: what somebody
    wrote into `model` stays behind.

    Raises LookupError (unknown name, with the nearest), ValueError, ClockError, MediumError, RenderError.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "human"], "render_fps": 100.0}  # noqa: RUF012

    def __init__(
        self,
        animal: Any,
        task: Any,
        medium: Any = None,
        clock: Clock | dict[str, str] | None = None,
        render_mode: str | None = None,
        slow_motion: float = 1.0,
        width: int = 640,
        height: int = 480,
        camera: str = "follow",
        bad_action: str = "raise",
        task_options: dict[str, Any] | None = None,
        body_options: dict[str, Any] | None = None,
    ) -> None:
        if bad_action not in ("raise", "clip"):
            raise ValueError(f"bad_action is 'raise' or 'clip', got {bad_action!r}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise RenderError(f"render_mode is None, 'rgb_array' or 'human', got {render_mode!r}")
        if not 0 < slow_motion < math.inf:
            raise ValueError(f"slow_motion is how many times slower than life, above 0; got {slow_motion}")
        if not (0 < width <= _PIXELS and 0 < height <= _PIXELS):
            raise RenderError(f"a picture is 1 to {_PIXELS} pixels wide and high, got {width} x {height}")
        self.body = _of("bodies", "BODY", animal, body_options)
        self.task = _of("tasks", "TASK", task, task_options)
        physics = self.body.physics_s
        self.clock = Clock.of(clock, {"control": self.body.control_s, "brain": physics, "physics": physics})
        self.medium, self.render_mode, self.slow_motion, self.camera = medium, render_mode, float(slow_motion), camera
        self.metadata = {**self.metadata, "render_fps": 1 / (self.clock.control_s * self.slow_motion)}
        self.width, self.height, self.bad_action = int(width), int(height), bad_action

        self._build()
        self.observation_space = spaces.Dict(  # type: ignore[assignment]
            {s.name: spaces.Box(s.low, s.high, s.shape, np.float32) for s in self.body.senses}
        )
        self.action_space = spaces.Box(-1.0, 1.0, (len(self.body.motors),), np.float32)
        self._rest = {s.name: s.rest for s in self.body.senses}
        self._last_step = (
            round(self.task.seconds / self.clock.control_s) if math.isfinite(self.task.seconds) else math.inf
        )
        self._steps = self._down = 0
        self._phase = "new"  # new, running, or why no step is possible
        self._state: dict[str, Any] = {}
        self._obs: dict[str, Array] = {}
        self.last_pose: dict[str, Array] = {}  # of the last step or reset: `pose` without working it out again
        self._info: dict[str, Any] = {}
        if render_mode == "human":
            from bestiary.envs._render import check_window

            check_window()

    def _build(self) -> None:
        """What points into MuJoCo's memory: model, data, the body's view of them, and pictures."""
        medium = self.medium
        spec = self.body.spec()
        self.task.furnish(spec, self.body)
        spec.visual.global_.offwidth, spec.visual.global_.offheight = self.width, self.height
        self.model = spec.compile()
        self.model.opt.timestep = self.clock.physics_s
        # A diverged body must be seen: without this flag MuJoCo puts it back to its start in silence.
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self.data = mujoco.MjData(self.model)
        self._warned = self.data.warning.number  # seen as it is, without asking for it anew in every period
        self.bound = self.body.bind(self.model)
        if medium is not None:
            given = self.body.set_medium(self.bound, self.model, medium)
            if not getattr(given, "on_surface", True):  # who swims rolls, and would dip into a ground just beneath
                drawn = (self.model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE) & (self.model.geom_contype == 0)
                self.model.geom_pos[drawn, 2] -= self.body.length_m / self.body.units.length
        self._picture: Any = None
        self._window: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """For `copy` and `pickle`: a copy has a model of its own, in which the body finds its place anew."""
        kept = {name: value for name, value in self.__dict__.items() if name not in _BUILT}
        return {**kept, "moment": None if self._phase in ("new", "closed") else self.get_state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        moment = state.pop("moment")
        self.__dict__.update(state)
        self._build()
        if moment is not None:
            self.set_state(moment)

    @property
    def time_s(self) -> float:
        """Time since the start of the episode, s."""
        return self._steps * self.clock.control_s

    @property
    def over(self) -> bool:
        """Whether the episode has ended, or not begun."""
        return self._phase != "running"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Starts an episode. The first one after `reset(seed)` and all that follow are functions of that seed."""
        if self._phase == "closed":
            raise EpisodeError("reset after close: make a new environment")
        super().reset(seed=seed)
        self.episode_seed = int(self.np_random.integers(2**63))
        mujoco.mj_resetData(self.model, self.data)  # everything: act, ctrl, warmstart, mocap, time, warnings
        rng = stream(self.episode_seed, "task")
        self._state = self.task.start(self.body, self.bound, self.model, self.data, rng)
        self._world = _World(self.task, self._state, self._rest)
        self._steps = self._down = 0
        self._phase = "running"
        self._move()
        mujoco.mj_forward(self.model, self.data)
        self._obs = self.body.sense(self.bound, self.data, self._world)
        self.last_pose = self.pose()
        self._info = {"time_s": 0.0, **self.task.judge(self._state, self.last_pose, 0.0)[2]}
        if self.bad_action == "clip":
            self._info["clipped"] = 0
        if self.render_mode == "human":
            self.render()
        return dict(self._obs), {"episode_seed": self.episode_seed, **self._info}

    def step(self, action: Array) -> tuple[dict[str, Array], float, bool, bool, dict[str, Any]]:
        """One control period under `action` (n_motors,) in [-1, 1].

        A body that diverges ends the episode: terminated, with `info["divergence"]` saying what and when; observation
        and measures are then the last good ones. So does one that stands (its pose tells `upright`, the cosine of its
        tilt) and lies on its back for 1 s (not where the task has `fall_ends` False), and one that its body says cannot
        go on where it is (`Body.ended`: a fish out of the water): `info["ended"]` says so. Raises ActionError (state
        untouched) and EpisodeError.
        """
        if self._phase != "running":
            raise EpisodeError(
                "step before reset: call reset() first" if self._phase == "new" else f"step after {self._phase}"
            )
        command, clipped = self._checked(action)
        self._move()
        return self._judged(self._physics(command), clipped)

    def _judged(self, divergence: str, clipped: int) -> tuple[dict[str, Array], float, bool, bool, dict[str, Any]]:
        """What `step` returns, once the physics of a control period is done."""
        self._steps += 1
        self.data.time = self.time_s  # MuJoCo's own sum drifts: senses and task would differ on when a stimulus begins
        if divergence:
            self._phase = "the end of the episode (it diverged): call reset()"
            info = {**self._info, "time_s": self.time_s, "divergence": divergence}
            return dict(self._obs), 0.0, True, False, info
        self._obs = self.body.sense(self.bound, self.data, self._world)
        self.last_pose = pose = self.pose()
        reward, terminated, measures = self.task.judge(self._state, pose, self.time_s)
        self._info = {"time_s": self.time_s, **measures}
        if ended := self._ended():
            terminated, self._info["ended"] = True, ended
        self._down = self._down + 1 if float(pose.get("upright", 1.0)) < 0 else 0
        if self._down * self.clock.control_s >= _DOWN_S and getattr(self.task, "fall_ends", True):
            terminated, self._info["ended"] = True, f"it fell, and lay on its back from {self.time_s - _DOWN_S:.3g} s"
        if self.bad_action == "clip":
            self._info["clipped"] = clipped
        truncated = self._steps >= self._last_step
        if terminated or truncated:
            self._phase = f"the end of the episode ({'terminated' if terminated else 'truncated'}): call reset()"
        if self.render_mode == "human":
            self.render()
        return dict(self._obs), float(reward), bool(terminated), truncated, dict(self._info)

    def _move(self) -> None:
        if (move := getattr(self.task, "move", None)) is not None:
            move(self._state, self.model, self.data, self.time_s)

    def _checked(self, action: Any) -> tuple[Array, int]:
        """The action as float64 and how many of its entries were cut into [-1, 1]."""
        motors = self.body.motors
        try:
            command = np.asarray(action, np.float64)
        except (TypeError, ValueError):
            raise ActionError(f"an action is {len(motors)} numbers in [-1, 1], got {type(action).__name__}") from None
        if command.shape != (len(motors),):
            raise ActionError(
                f"expected an action of shape ({len(motors)},), one number per motor; got {command.shape}"
            )
        if not (np.abs(command) <= 1).all():  # NaN included
            finite = np.isfinite(command)
            bad = np.flatnonzero(~finite if not finite.all() else np.abs(command) > 1)
            if not finite.all() or self.bad_action == "raise":
                fix = "send a finite number" if not finite.all() else "scale it, or make the env with bad_action='clip'"
                raise ActionError(
                    f"action[{bad[0]}] ({motors[bad[0]]}) is {command[bad[0]]:g}, allowed is [-1, 1]; {fix}"
                    + (f" ({len(bad)} such entries)" if len(bad) > 1 else "")
                )
            return np.clip(command, -1, 1), len(bad)
        return command, 0

    def _physics(self, command: Array) -> str:
        """Runs the physics of one control period; returns what diverged, or ''.

        step2 before step1, so that positions, velocities and what depends on them are those of the end of the period.
        """
        model, data, body, bound = self.model, self.data, self.body, self.bound
        before = mujoco.get_mju_user_warning()
        mujoco.set_mju_user_warning(_nothing)  # else MuJoCo writes a log file where the user stands
        try:
            body.apply(bound, data, command)
            if (before_step := getattr(body, "before_step", None)) is not None:
                step1, step2 = mujoco.mj_step1, mujoco.mj_step2
                for _ in range(self.clock.physics_steps):
                    before_step(bound, model, data)
                    step2(model, data)
                    step1(model, data)
            else:  # the same, bit for bit: mj_step is step1 and step2
                mujoco.mj_step2(model, data)
                if self.clock.physics_steps > 1:
                    mujoco.mj_step(model, data, self.clock.physics_steps - 1)
                mujoco.mj_step1(model, data)
        finally:
            mujoco.set_mju_user_warning(before)
        return self._divergence()

    def _divergence(self) -> str:
        """What has diverged, or ''."""
        data = self.data
        numbers = self._warned.tolist()
        if any(numbers):
            for name, number in _FATAL.items():
                # MuJoCo warns of an acceleration above 1e10 before it is damped implicitly. A body of micrograms in
                # agar (time constant 1e-8 s) passes that in good health: only what is not finite has diverged.
                healthy = name == "BADQACC" and math.isfinite(data.qacc.sum())
                if numbers[number] and not healthy:
                    text = mujoco.mju_warningText(number, int(data.warning.lastinfo[number]))
                    return f"{name} at {data.time:.6g} s: {text}"
        qpos, qvel, act = data.qpos, data.qvel, data.act
        if not math.isfinite(qpos.dot(qpos) + qvel.dot(qvel) + act.dot(act)):  # then which, if any: squares overflow
            for name in ("qpos", "qvel", "act"):
                bad = np.flatnonzero(~np.isfinite(getattr(data, name)))
                if len(bad):
                    return f"{name}[{bad[0]}] is {getattr(data, name)[bad[0]]} at {data.time:.6g} s"
        return ""

    def _ended(self) -> str:
        """Why the body cannot go on (a fish out of water), or ""; bodies without `ended` always can."""
        ended = getattr(self.body, "ended", None)
        return ended(self.bound, self.data) if ended is not None else ""

    def pose(self) -> dict[str, Array]:
        """Ground truth of the present posture: `body.pose`, SI."""
        return self.body.pose(self.bound, self.data)

    def get_state(self) -> dict[str, Any]:
        """Everything from which the episode can go on bit for bit: physics, task, clock and generator."""
        if self._phase in ("new", "closed"):
            raise EpisodeError("get_state needs a running episode: call reset() first")
        physics = np.empty(mujoco.mj_stateSize(self.model, _STATE))
        mujoco.mj_getState(self.model, self.data, physics, _STATE)
        kept = (self._state, self._steps, self._down, self._phase, self._obs, self._info, self.episode_seed)
        return {"physics": physics, "kept": copy.deepcopy(kept), "rng": copy.deepcopy(self.np_random)}

    def set_state(self, state: dict[str, Any]) -> dict[str, Array]:
        """Goes back to a `get_state` of this or an equal environment; returns the observation of that moment."""
        if self._phase == "closed":
            raise EpisodeError("set_state after close: make a new environment")
        size = mujoco.mj_stateSize(self.model, _STATE)
        if state["physics"].shape != (size,):
            raise ValueError(f"this state has {state['physics'].size} numbers, this model {size}: another animal's?")
        mujoco.mj_resetData(self.model, self.data)
        mujoco.mj_setState(self.model, self.data, state["physics"], _STATE)
        kept = copy.deepcopy(state["kept"])
        self._state, self._steps, self._down, self._phase, self._obs, self._info, self.episode_seed = kept
        self._world = _World(self.task, self._state, self._rest)
        self.np_random = copy.deepcopy(state["rng"])
        mujoco.mj_step1(self.model, self.data)  # what depends on positions and velocities; touches no state
        if resume := getattr(self.body, "resume", None):
            resume(self.bound, self.data, self._obs)
        self.last_pose = self.pose()
        return dict(self._obs)

    def _view(self, com_m: Array) -> mujoco.MjvCamera:
        camera = mujoco.MjvCamera()
        length = self.body.units.length
        if self.camera in ("follow", "arena"):
            camera.type = mujoco.mjtCamera.mjCAMERA_FREE
            wide = self.camera == "arena"
            size_m = 2 * getattr(self.task, "arena_m", 5 * self.body.length_m) if wide else 1.6 * self.body.length_m
            camera.lookat = np.zeros(3) if wide else com_m / length
            camera.distance = size_m / length * 1.25
            # a body that does not lie flat says from where it is best seen
            camera.azimuth, camera.elevation = (90, -90) if wide else getattr(self.body, "view_deg", (90, -70))
            return camera
        number = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_CAMERA.value, self.camera)
        if number < 0:
            known = ["follow", "arena", *(self.model.camera(i).name for i in range(self.model.ncam))]
            raise RenderError(f"no camera {self.camera!r}; {bestiary.nearest(self.camera, known, 'camera')}")
        camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, number
        return camera

    def render(self) -> Array | None:
        """The picture (height, width, 3) uint8 with "rgb_array"; None with "human". Raises RenderError."""
        if self.render_mode is None:
            return None
        if self._phase in ("new", "closed"):
            raise EpisodeError("render needs a running episode: call reset() first")
        from bestiary.envs._render import Picture, Window

        com_m = self.pose()["com_m"]
        if self.render_mode == "rgb_array":
            self._picture = self._picture or Picture(self.model, self.width, self.height)
            return self._picture.draw(self.data, self._view(com_m))
        self._window = self._window or Window(self.model, self.data, self._view(com_m))
        lookat = com_m / self.body.units.length if self.camera == "follow" else None
        self._window.draw(self.clock.control_s * self.slow_motion, lookat)
        return None

    def close(self) -> None:
        """Frees the graphics; a second call does nothing."""
        for screen in (self._picture, self._window):
            if screen is not None:
                screen.close()
        self._picture = self._window = None
        self._phase = "closed"
