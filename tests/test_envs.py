"""Every registered environment, and a double of an animal, keeps the promises that all environments make."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import warnings

import gymnasium
import mujoco
import numpy as np
import pytest
from _stub_body import StubBody
from gymnasium.utils.env_checker import check_env

import bestiary
from bestiary._ids import IDS
from bestiary.envs import Clock, EmbodiedEnv
from bestiary.errors import ActionError, ClockError, EpisodeError, MediumError, RenderError

STUB = {
    f"tests/Stub-{task}-v0": {"animal": StubBody(), "task": task, "medium": "agar"}
    for task in ("locomotion", "touch", "chemotaxis")
}
for _name, _arguments in STUB.items():
    if _name not in gymnasium.registry:
        gymnasium.register(_name, entry_point="bestiary.envs:EmbodiedEnv", kwargs=_arguments)
LOADS = [name for name, arguments in IDS.items() if arguments["animal"] in bestiary.animals("bodies")]
every_id = pytest.mark.parametrize("name", [*LOADS, *STUB])
_FIRST = {IDS[name]["animal"]: name for name in reversed(LOADS)}  # of each animal: what no task changes
every_animal = pytest.mark.parametrize("name", [*_FIRST.values(), *STUB])


def make(name: str = "tests/Stub-locomotion-v0", **options) -> EmbodiedEnv:
    return gymnasium.make(name, disable_env_checker=True, **options).unwrapped


def can_draw() -> bool:
    from bestiary.envs._render import Picture

    try:
        Picture(mujoco.MjModel.from_xml_string("<mujoco/>"), 16, 16).close()
    except RenderError:
        return False
    return True


needs_drawing = pytest.mark.skipif(not can_draw(), reason="no EGL, OSMesa or display here")


def rollout(env, seed: int = 3, steps: int = 40) -> tuple[np.ndarray, list]:
    rng = np.random.default_rng(0)
    obs, info = env.reset(seed=seed)
    rows, infos = [np.concatenate([v.ravel() for v in obs.values()])], [info]
    for _ in range(steps):
        obs, reward, _, _, info = env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))
        rows.append(np.concatenate([v.ravel() for v in obs.values()]))
        infos.append({**info, "reward": reward})
    return np.array(rows), infos


@every_id
def test_check_env_without_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(name, disable_env_checker=True).unwrapped
        check_env(env, skip_render_check=True)
    for space in env.observation_space.values():
        assert np.isfinite(space.low).all() and np.isfinite(space.high).all() and space.dtype == np.float32
    assert len(set(env.body.motors)) == env.action_space.shape[0]


@every_id
def test_two_fresh_runs_are_bit_equal_and_the_seed_matters(name):
    (a, info_a), (b, info_b) = rollout(make(name)), rollout(make(name))
    np.testing.assert_array_equal(a, b)
    assert info_a == info_b
    assert info_a[0]["episode_seed"] != rollout(make(name), seed=4, steps=1)[1][0]["episode_seed"]


@every_id
def test_reset_forgets_the_episode_before(name):
    env = make(name)
    first = rollout(env)
    assert not np.array_equal(first[0][0], first[0][-1])
    again = rollout(env)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]


@every_id
def test_a_restored_state_goes_on_bit_for_bit(name):
    env, other = make(name), make(name)
    rng = np.random.default_rng(1)
    actions = rng.uniform(-1, 1, (60, *env.action_space.shape))
    env.reset(seed=5)
    for action in actions[:30]:
        env.step(action)
    kept = env.get_state()
    seen = [env.step(action) for action in actions[30:]]
    other.reset(seed=99)
    for goes_on in (other, env):
        obs = goes_on.set_state(kept)
        assert obs.keys() == seen[0][0].keys()
        for action, (obs, reward, *_, info) in zip(actions[30:], seen, strict=True):
            got = goes_on.step(action)
            assert all(np.array_equal(got[0][k], obs[k]) for k in obs)
            assert (got[1], got[4]) == (reward, info)
    np.testing.assert_array_equal(env.data.qpos, other.data.qpos)
    np.testing.assert_array_equal(env.pose()["midline_m"], other.pose()["midline_m"])
    assert env.reset()[1]["episode_seed"] == other.reset()[1]["episode_seed"]  # the generator went along


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda env: pickle.loads(pickle.dumps(env))}


@every_animal
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_lives_on_as_the_first_does_and_apart_from_it(name, how):
    env = gymnasium.make(name, disable_env_checker=True).unwrapped
    rng = np.random.default_rng(1)
    actions = rng.uniform(-1, 1, (40, *env.action_space.shape))
    fresh = COPIES[how](env)
    assert fresh.reset(seed=5)[1] == env.reset(seed=5)[1]
    for action in actions[:20]:
        env.step(action)
    two = COPIES[how](env)
    assert two.spec == env.spec and two.model is not env.model
    seen = [two.step(action) for action in actions[20:]]
    for action, (obs, reward, *_, info) in zip(actions[20:], seen, strict=True):
        got = env.step(action)
        assert all(np.array_equal(got[0][k], obs[k]) for k in obs)
        assert (got[1], got[4]) == (reward, info)
    two.data.warning.number[mujoco.mjtWarning.mjWARN_BADQVEL.value] = 1
    assert "BADQVEL" in two._divergence() and not env._divergence()
    assert env.reset()[1] == two.reset()[1]


def test_a_copy_of_a_closed_environment_is_closed():
    env = make()
    env.reset(seed=0)
    env.close()
    with pytest.raises(EpisodeError, match="close"):
        copy.deepcopy(env).reset()


def test_a_state_of_another_animal_is_refused():
    env = make()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="another animal"):
        env.set_state({**env.get_state(), "physics": np.zeros(3)})


BAD = {
    "nan": (lambda a: a.__setitem__(2, np.nan), "action[2] (bend3) is nan"),
    "inf": (lambda a: a.__setitem__(0, np.inf), "action[0] (bend1) is inf"),
    "large": (lambda a: a.__setitem__(1, 1.5), "action[1] (bend2) is 1.5, allowed is [-1, 1]"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_action_is_named_and_changes_nothing(case):
    spoil, message = BAD[case]
    env = make()
    env.reset(seed=0)
    env.step(np.full(3, 0.3))
    before = env.get_state()
    action = np.zeros(3)
    spoil(action)
    with pytest.raises(ActionError) as raised:
        env.step(action)
    assert message in str(raised.value)
    after = env.get_state()
    np.testing.assert_array_equal(before["physics"], after["physics"])
    assert before["kept"][1:3] == after["kept"][1:3]


@pytest.mark.parametrize("action", [np.zeros(4), np.zeros((1, 3)), 0.0, ["a", "b", "c"], None, {"a": 1}])
def test_an_action_of_the_wrong_shape_or_kind(action):
    env = make()
    env.reset(seed=0)
    with pytest.raises(ActionError, match="3"):
        env.step(action)
    assert env.time_s == 0


def test_clipping_is_asked_for_and_counted():
    env, twin = make(bad_action="clip"), make(bad_action="clip")
    assert env.reset(seed=0)[1]["clipped"] == 0
    twin.reset(seed=0)
    assert env.step(np.array([2.0, 0.5, -7.0]))[4]["clipped"] == 2
    assert twin.step(np.array([1.0, 0.5, -1.0]))[4]["clipped"] == 0
    np.testing.assert_array_equal(env.data.qpos, twin.data.qpos)
    with pytest.raises(ActionError, match="nan"):
        env.step(np.full(3, np.nan))


@every_animal
@pytest.mark.parametrize(("field", "value"), [("qvel", np.nan), ("qpos", np.inf), ("qvel", 1e12)])
def test_a_diverged_body_ends_the_episode_and_says_so(name, field, value, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    env = make(name)
    env.reset(seed=0)
    zero = np.zeros(env.action_space.shape)
    env.step(zero)
    getattr(env.data, field)[-1] = value
    obs, reward, terminated, truncated, info = env.step(zero)
    assert terminated and not truncated and np.isfinite(reward)
    assert "s" in info["divergence"] and ("BAD" in info["divergence"] or field in info["divergence"])
    assert env.observation_space.contains(obs)
    assert not np.isfinite(np.r_[env.data.qpos, env.data.qvel]).all() or abs(env.data.qvel).max() > 1e6, (
        "it was reset in silence"
    )
    with pytest.raises(EpisodeError, match="diverged"):
        env.step(zero)
    assert os.listdir(tmp_path) == [] and "WARNING" not in capfd.readouterr().err
    assert np.isfinite(env.reset()[0][env.body.senses[0].name]).all()
    assert "divergence" not in env.step(zero)[4]


def test_calls_at_the_wrong_moment():
    env = make()
    with pytest.raises(EpisodeError, match="reset"):
        env.step(np.zeros(3))
    env = make(task_options={"seconds": 0.02})
    env.reset(seed=0)
    assert env.step(np.zeros(3))[3] is False
    assert env.step(np.zeros(3))[3] is True
    with pytest.raises(EpisodeError, match="truncated"):
        env.step(np.zeros(3))
    env.close()
    env.close()
    for call in (env.reset, lambda: env.step(np.zeros(3)), env.get_state):
        with pytest.raises(EpisodeError):
            call()


def test_names_that_do_not_exist():
    with pytest.raises(LookupError, match="did you mean 'touch'"):
        make(task="tuch")
    with pytest.raises(MediumError):
        make(medium="honey")
    with pytest.raises(ValueError, match="bad_action"):
        make(bad_action="ignore")
    for never in (0, np.inf, np.nan):
        with pytest.raises(ValueError, match="slow_motion"):
            make(slow_motion=never)
    for size in ({"width": 0}, {"height": -1}, {"width": 10**6}):
        with pytest.raises(RenderError, match="pixels"):
            make(**size)
    with pytest.raises(ValueError, match="made already: give n"):
        make(body_options={"n": 4})
    with pytest.raises(ValueError, match="seconds"):
        make(task_options={"seconds": -1})
    with pytest.raises(LookupError, match="did you mean 'seconds'"):
        make(task_options={"secnds": 1})


@every_animal
def test_clocks(name):
    with pytest.raises(ClockError, match="nearest physics period"):
        make(name, clock={"control": "0.01", "brain": "0.01", "physics": "0.003"})
    slower = {"control": str(2 * float(make(name).body.control_s))}  # what is not given is the body's
    assert make(name, clock=slower).clock.physics == make(name).clock.physics
    with pytest.raises(ClockError, match="did you mean 'control'"):
        make(name, clock={"contrl": "0.01"})
    with pytest.raises(ClockError, match="by name"):
        make(name, clock="0.01")
    clock = Clock(control="0.02", brain="0.01", physics="0.004")
    env = make(name, clock=clock, slow_motion=4.0)
    env.reset(seed=0)
    env.step(np.zeros(env.action_space.shape))
    assert env.data.time == pytest.approx(0.02, abs=1e-12) and env.model.opt.timestep == 0.004
    assert env.metadata["render_fps"] == pytest.approx(1 / 0.02 / 4)
    assert EmbodiedEnv.metadata["render_fps"] == 100


@every_animal
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vector_environments_equal_single_ones(name, mode):
    vector = gymnasium.make_vec(name, num_envs=2, vectorization_mode=mode)
    assert vector.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.NEXT_STEP
    obs, info = vector.reset(seed=7)
    singles = [make(name), make(name)]
    alone = [env.reset(seed=7 + i) for i, env in enumerate(singles)]
    assert list(info["episode_seed"]) == [a[1]["episode_seed"] for a in alone]
    rng = np.random.default_rng(2)
    for _ in range(10):
        action = rng.uniform(-1, 1, vector.action_space.shape).astype(np.float32)
        obs, reward, *_ = vector.step(action)
        for i, env in enumerate(singles):
            one = env.step(action[i])
            assert all(np.array_equal(obs[k][i], one[0][k]) for k in one[0])
            assert reward[i] == one[1]
    vector.close()


def test_vector_environments_start_again_by_themselves():
    vector = gymnasium.make_vec(
        "tests/Stub-locomotion-v0", 2, "sync", vector_kwargs=None, task_options={"seconds": 0.03}
    )
    vector.reset(seed=0)
    ends = [vector.step(np.zeros((2, 3), np.float32))[3].tolist() for _ in range(8)]
    assert [e[0] for e in ends] == [False, False, True, False] * 2
    vector.close()


@needs_drawing
@every_animal
def test_pictures(name):
    env = make(name, render_mode="rgb_array", width=160, height=120)
    with pytest.raises(EpisodeError, match="reset"):
        env.render()
    env.reset(seed=1)
    first = env.render()
    assert first.shape == (120, 160, 3) and first.dtype == np.uint8 and first.std() > 3
    other = make(name, render_mode="rgb_array", width=160, height=120, camera="arena")
    other.reset(seed=1)
    assert not np.array_equal(first, other.render())
    np.testing.assert_array_equal(first, env.render())  # two contexts side by side do not mix
    env.close()
    other.close()


@needs_drawing
def test_an_unknown_camera_is_named():
    env = make(render_mode="rgb_array", camera="folow")
    env.reset(seed=0)
    with pytest.raises(RenderError, match="did you mean 'follow'"):
        env.render()


def test_a_window_without_a_display_says_what_to_do(monkeypatch):
    if not sys.platform.startswith("linux"):
        pytest.skip("a display is always assumed here")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(RenderError, match="rgb_array"):
        make(render_mode="human")


def test_a_missing_backend_says_what_to_install(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setitem(sys.modules, "mujoco.egl", None)
    env = make(render_mode="rgb_array")
    env.reset(seed=0)
    with pytest.raises(RenderError, match="apt-get install libegl1"):
        env.render()


def test_importing_and_stepping_leave_the_users_environment_alone():
    code = (
        "import os; before = dict(os.environ)\n"
        "from _stub_body import StubBody; from bestiary.envs import EmbodiedEnv\n"
        "env = EmbodiedEnv(StubBody(), 'locomotion'); env.reset(seed=0); env.step([0, 0, 0])\n"
        "assert dict(os.environ) == before, set(os.environ) ^ set(before)\n"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    environment = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    subprocess.run([sys.executable, "-c", code], check=True, env={**environment, "PYTHONPATH": path})


@needs_drawing
def test_an_environment_left_open_ends_in_silence():
    code = (
        "from _stub_body import StubBody; from bestiary.envs import EmbodiedEnv\n"
        "env = EmbodiedEnv(StubBody(), 'locomotion', render_mode='rgb_array'); env.reset(seed=0); env.render()\n"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    ended = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_worm_that_swims_rolls_above_the_ground_drawn_beneath_it():
    on, off = (make("bestiary/WormCrawl-v0", medium=medium) for medium in ("agar", "water"))
    length = on.body.length_m / on.body.units.length
    plane = on.model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE
    assert plane.sum() == 1
    assert (on.model.geom_pos[plane, 2] - off.model.geom_pos[plane, 2]).item() == pytest.approx(length)
    np.testing.assert_array_equal(on.model.geom_pos[~plane], off.model.geom_pos[~plane])
