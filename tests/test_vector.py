"""Vector environments are the single ones, bit for bit, whatever they run on."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from test_envs import LOADS

import bestiary
from bestiary.envs import EmbodiedEnv, EmbodiedVectorEnv
from bestiary.errors import ActionError, BestiaryError, EpisodeError

N = 3


def make(name: str, n: int = N, **options) -> EmbodiedVectorEnv:
    return gymnasium.make_vec(name, n, "vector_entry_point", **options)


def same(a, b, where: str = "") -> None:
    """Of arrays and dicts of them, to the bit."""
    if isinstance(a, dict):
        assert sorted(a) == sorted(b), where
        for key in a:
            same(a[key], b[key], f"{where}.{key}")
    else:
        np.testing.assert_array_equal(a, b, where, strict=True)


def compare(name: str, steps: int, seed: int = 5, **options) -> tuple[EmbodiedVectorEnv, int]:
    """Runs a vector and gymnasium's loop of single environments side by side; also the number of ends."""
    envs, singles = make(name, **options), gymnasium.make_vec(name, N, "sync", **options)
    envs, rng, ended = envs.unwrapped, np.random.default_rng(0), 0
    (obs, info), (obs_1, info_1) = envs.reset(seed=seed), singles.reset(seed=seed)
    same(obs, obs_1)
    same(info, info_1)
    assert obs in envs.observation_space
    for _ in range(steps):
        actions = rng.uniform(-1, 1, envs.action_space.shape).astype(np.float32)
        mine, theirs = envs.step(actions), singles.step(actions)
        for what, a, b in zip(("obs", "reward", "terminated", "truncated", "info"), mine, theirs, strict=True):
            same(a, b, what)
        ended += int((mine[2] | mine[3]).sum())
    return envs, ended


@pytest.mark.parametrize("name", LOADS)
def test_every_id_has_a_vector_that_equals_its_singles(name):
    envs, _ = compare(name, 12)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert envs.batched != any(alone in name for alone in ("Treadmill", "Whisker", "TMaze"))
    assert envs.observed == ("together" if "Worm" in name else "one by one")


@pytest.mark.parametrize("name", ["bestiary/WormTouch-v0", "bestiary/FlyWalk-v0", "bestiary/ZebrafishFree-v0"])
def test_ended_episodes_start_anew(name):
    animal = bestiary._ids.IDS[name]["animal"]
    seconds = 6 * float(bestiary.load("bodies", animal).BODY().control_s)
    _, ended = compare(name, 20, task_options={"seconds": seconds})
    assert ended == 3 * N


def test_a_fish_on_the_bottom_and_one_with_added_mass_equal_their_singles():
    name = "bestiary/ZebrafishFree-v0"
    for reactive in (0.0, 0.5):
        options = {"body_options": {"reactive": reactive, "eyes": False}}
        envs = make(name, **options).unwrapped
        singles = [gymnasium.make(name, **options).unwrapped for _ in range(N)]
        envs.reset(seed=0)
        states = []
        for i, env in enumerate(singles):
            env.reset(seed=i)
            state = env.get_state()
            if i != 1:  # two of three lie on the bottom
                env.data.qpos[env.bound.root_z] += env.bound.bottom
                state = env.get_state()
            states.append(state)
            env.set_state(state)
        envs.set_state(states)
        rng = np.random.default_rng(0)
        for k in range(40):
            if k == 20:  # and one leaves it
                envs.batch.qpos[0, singles[0].bound.root_z] += 1.0
                state = singles[0].get_state()
                singles[0].data.qpos[singles[0].bound.root_z] += 1.0
                singles[0].set_state({**singles[0].get_state(), "kept": state["kept"]})
                envs.set_state([e.get_state() for e in singles])
            actions = rng.uniform(-1, 1, envs.action_space.shape)
            obs = envs.step(actions)[0]
            for i, env in enumerate(singles):
                same({n: v[i] for n, v in obs.items()}, env.step(actions[i])[0], f"{k} {i}")
                same(envs.batch.qpos[i], env.data.qpos)


def test_environments_may_differ_in_body_medium_and_task():
    each = [
        {"medium": "water", "body_options": {"length_m": 0.8e-3}},
        {"medium": (3e-3, 2e-1)},
        {"task_options": {"stimuli": ((0.0, 0.1, 0.2, 1e-5),)}},
        {"medium": (3e-3, 2e-1)},
    ]
    envs = make("bestiary/WormTouch-v0", 4, each=each).unwrapped
    assert envs.batched and len(envs._made) == 3
    singles = [gymnasium.make("bestiary/WormTouch-v0", **kind).unwrapped for kind in each]
    obs, _ = envs.reset(seed=2)
    for i, env in enumerate(singles):
        same({n: v[i] for n, v in obs.items()}, env.reset(seed=2 + i)[0])
    rng = np.random.default_rng(0)
    for k in range(10):
        if k == 5:
            envs.set_medium("water", [1])
            singles[1].body.set_medium(singles[1].bound, singles[1].model, "water")
        actions = rng.uniform(-1, 1, envs.action_space.shape)
        obs, reward, _, _, info = envs.step(actions)
        for i, env in enumerate(singles):
            seen, r, _, _, told = env.step(actions[i])
            same({n: v[i] for n, v in obs.items()}, seen)
            assert reward[i] == r and all(info[n][i] == v for n, v in told.items())
    with pytest.raises(LookupError, match="did you mean 'medium'"):
        make("bestiary/WormCrawl-v0", 2, each=[{"medum": "agar"}, {}])
    with pytest.raises(BestiaryError, match="share senses and motors"):
        make("bestiary/WormCrawl-v0", 2, each=[{"body_options": {"n_links": 49}}, {}])
    loop = make("bestiary/ZebrafishFree-v0", 2, each=[{"medium": 2e-3}, {}], body_options={"eyes": False}).unwrapped
    assert not loop.batched
    loop.reset(seed=0)
    assert not np.array_equal(*loop.step(np.full(loop.action_space.shape, 0.5))[0]["joint_rad_per_s"])


@pytest.mark.parametrize("animal, task", [("worm", "touch"), ("mouse", "treadmill")])
def test_environments_may_have_tasks_of_their_own(animal, task):
    each = [{"task": task}, {"task": "locomotion", "task_options": {"seconds": 0.04}}, {"task": task}]
    envs = EmbodiedVectorEnv(3, animal, None, each=each)
    assert envs.batched == (animal == "worm")
    singles = [EmbodiedEnv(animal, one["task"], task_options=one.get("task_options")) for one in each]
    obs, info = envs.reset(seed=[7, 8, 9])
    for i, env in enumerate(singles):
        same({n: v[i] for n, v in obs.items()}, env.reset(seed=7 + i)[0])
    rng = np.random.default_rng(0)
    for k in range(6):
        if k == 5:  # the second has ended: it rests, where it would begin anew
            envs.retire([1])
        actions = rng.uniform(-0.2, 0.2, envs.action_space.shape)
        obs, reward, ended, cut, info = envs.step(actions)
        for i, env in enumerate(singles):
            if env.over:
                assert not info["_time_s"][i] and not (ended | cut)[i] and reward[i] == 0
                continue
            seen, r, end, stop, told = env.step(actions[i])
            same({n: v[i] for n, v in obs.items()}, seen)
            assert (reward[i], ended[i], cut[i]) == (r, end, stop)
            assert {n: info[n][i] for n in info if n[0] != "_" and info[f"_{n}"][i]} == told
            same(envs.pose_of(i), env.pose())
        if cut[1]:
            assert k == round(0.04 / envs.clock.control_s) - 1 or animal == "mouse"
            envs.retire([1])
    obs, info = envs.reset(seed=[1, 2, 3], options={"reset_mask": np.array([False, True, False])})
    same({n: v[1] for n, v in obs.items()}, singles[1].reset(seed=2)[0])
    assert envs.step(np.zeros(envs.action_space.shape))[4]["_time_s"].all()
    if animal == "worm":
        with pytest.raises(BestiaryError, match="same parts"):
            EmbodiedVectorEnv(2, animal, "locomotion", each=[{}, {"task": "chemotaxis"}])


@pytest.mark.parametrize("name", ["bestiary/WormCrawl-v0", "bestiary/FlyWalk-v0", "bestiary/MouseTreadmill-v0"])
def test_episodes_can_be_cut_as_gymnasium_cuts_them(name):
    assert compare(name, 8, max_episode_steps=3)[1] == 2 * N
    with pytest.raises(ValueError, match="max_episode_steps"):
        make(name, max_episode_steps=0)


def test_one_that_diverges_ends_alone_and_says_why():
    envs = make("bestiary/WormCrawl-v0").unwrapped
    envs.reset(seed=0)
    still = np.zeros(envs.action_space.shape)
    before = envs.step(still)[0]
    envs.batch.qvel[1] = 1e9
    obs, reward, ended, _, info = envs.step(still)
    assert ended.tolist() == [False, True, False] and "BADQPOS at 0.02 s" in info["divergence"][1]
    assert reward[1] == 0 and info["time_s"].tolist() == [0.02] * 3
    same(obs["stretch"][1], before["stretch"][1])
    _, _, ended, _, info = envs.step(still)
    assert not ended.any() and info["time_s"].tolist() == [0.03, 0, 0.03] and "divergence" not in info


def test_bad_calls_are_named_and_change_nothing():
    envs = make("bestiary/WormCrawl-v0").unwrapped
    still = np.zeros(envs.action_space.shape)
    with pytest.raises(EpisodeError, match="call reset"):
        envs.step(still)
    envs.reset(seed=0)
    state = envs.batch.state.copy()
    bad = still.copy()
    bad[2, 5] = np.nan
    with pytest.raises(ActionError, match=r"environment 2: action\[5\] \(MDL06\) is nan"):
        envs.step(bad)
    with pytest.raises(ActionError, match=r"expected actions of shape \(3, 95\)"):
        envs.step(still[0])
    same(envs.batch.state, state)
    with pytest.raises(ValueError, match="one seed for each of 3"):
        envs.reset(seed=[1, 2])
    envs.close()
    with pytest.raises(EpisodeError, match="after close"):
        envs.reset()


def test_a_moment_comes_back_and_is_that_of_a_single_one():
    envs, single = make("bestiary/WormTouch-v0").unwrapped, gymnasium.make("bestiary/WormTouch-v0").unwrapped
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (8, *envs.action_space.shape))
    envs.reset(seed=[3, None, 9])
    for action in actions[:4]:
        envs.step(action)
    kept = envs.get_state()
    first = [envs.step(action) for action in actions[4:]]
    envs.set_state(kept)
    for action, then in zip(actions[4:], first, strict=True):
        same(envs.step(action)[0], then[0])
    single.reset(seed=0)
    single.set_state(kept[2])
    seen = [single.step(action[2]) for action in actions[4:]][-1]
    same(seen[0], {n: v[2] for n, v in first[-1][0].items()})
    assert seen[1] == first[-1][1][2]
    same(single.pose()["midline_m"], envs.pose()["midline_m"][2])


def test_some_can_be_reset_alone_and_threads_change_nothing():
    one, two = (make("bestiary/WormCrawl-v0", threads=n).unwrapped for n in (1, 2))
    action = np.random.default_rng(0).uniform(-1, 1, one.action_space.shape)
    for envs in (one, two):
        envs.reset(seed=4)
        envs.step(action)
        _, info = envs.reset(seed=7, options={"reset_mask": np.array([False, True, False])})
        assert info["_episode_seed"].tolist() == [False, True, False]
    a, b = one.step(action), two.step(action)
    same(a[0], b[0])
    assert a[4]["time_s"].tolist() == [0.02, 0.01, 0.02]
    single = EmbodiedEnv("worm", "locomotion", "agar")
    single.reset(seed=8)
    same(single.step(action[1])[0], {n: v[1] for n, v in a[0].items()})
