"""Many animals as one policy do what each would do alone."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import bestiary
from bestiary.errors import BestiaryError, ObservationError

N = 5


def observations(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Of bent worms, some touched, some in salt that changes."""
    rng = np.random.default_rng(seed)
    body = bestiary.load("bodies", "worm").BODY()
    obs = {s.name: np.full((n, *s.shape), s.rest, np.float32) for s in body.senses}
    obs["stretch"] = rng.uniform(-0.2, 0.2, obs["stretch"].shape).astype(np.float32)
    obs["touch_N"][::2] = rng.uniform(0, 1e-5, obs["touch_N"][::2].shape)
    obs["nacl_mol_per_m3"][1:] = rng.uniform(10, 20, obs["nacl_mol_per_m3"][1:].shape)
    return obs


def row(obs, i):
    return {k: v[i] for k, v in obs.items()}


@pytest.mark.parametrize("backend", ["kernel", "brainstate"])
def test_worms_together_agree_with_each_alone(backend):
    each = [{"stimulate": "AVA:5pA@0-0.02"}, {}, {"stimulate": "AVB:light=1@0.01-1"}, {"lesion": "AVA"}, {}]
    many = bestiary.animal("worm", batch=N, each=each, backend=backend)
    assert many.together.tolist() == [True, True, True, False, True]
    single = [bestiary.animal("worm", **one, backend=backend) for one in each]
    many.reset(np.arange(N) + 10)
    for i, animal in enumerate(single):
        animal.reset(10 + i)
    rows = many.index(["RIML", "RIMR"])
    many.inject(rows, [[1.0, 2.0]], ids=[4])
    single[4].inject(rows, np.array([1.0, 2.0]))
    for k in range(4):
        obs = observations(N, k)
        action = many.act(obs)
        for i, animal in enumerate(single):
            alone = animal.act(row(obs, i))
            np.testing.assert_allclose(action[i], alone, rtol=0, atol=2e-5)
            if not many.together[i]:
                np.testing.assert_array_equal(action[i], alone)
    seen = many.probe()
    for i, animal in enumerate(single):
        np.testing.assert_allclose(seen["voltage_mV"][i], animal.probe()["voltage_mV"], rtol=0, atol=5e-3)
        np.testing.assert_allclose(seen["release"][i], animal.probe()["release"], rtol=0, atol=1e-4)
    assert np.ptp(seen["voltage_mV"], axis=0).max() > 1


def test_a_worm_does_not_feel_how_many_stand_beside_it_nor_the_threads():
    big, small = bestiary.animal("worm", batch=70, threads=2), bestiary.animal("worm", batch=2, threads=1)
    big.reset(np.arange(70))
    small.reset([68, 3])
    for k in range(3):
        obs = observations(70, k)
        a, b = big.act(obs), small.act({name: value[[68, 3]] for name, value in obs.items()})
    np.testing.assert_allclose(a[[68, 3]], b, rtol=0, atol=1e-6)
    state = big.get_state()[68]["brain"]
    for name, value in small.get_state()[0]["brain"].items():
        np.testing.assert_allclose(state[name], value, rtol=0, atol=1e-4)


def test_one_can_be_reset_alone_and_a_moment_comes_back():
    many = bestiary.animal("worm", batch=3)
    many.reset([1, 2, 3])
    obs = observations(3)
    first = many.act(obs)
    many.act(obs)
    many.reset([2], ids=[1])
    kept = many.get_state()
    again = many.act(obs)
    np.testing.assert_array_equal(again[1], first[1])
    assert not np.array_equal(again[0], first[0])
    many.set_state(kept)
    np.testing.assert_array_equal(many.act(obs), again)
    alone = bestiary.animal("worm")
    alone.set_state(kept[2])
    np.testing.assert_allclose(alone.act(row(obs, 2)), again[2], rtol=0, atol=2e-5)


def test_animals_without_a_common_step_act_one_by_one_as_they_do_alone():
    many = bestiary.animal("worm", batch=2, control="poisson")
    assert not many.together.any()
    many.reset([4, 5])
    alone = bestiary.animal("worm", control="poisson")
    alone.reset(5)
    obs = observations(2)
    for _ in range(2):
        np.testing.assert_array_equal(many.act(obs)[1], alone.act(row(obs, 1)))


def test_many_worms_in_many_bodies_close_the_loop():
    envs = gymnasium.make_vec("bestiary/WormCrawl-v0", 3, "vector_entry_point", task_options={"seconds": 0.05})
    many = bestiary.animal("worm", batch=3)
    obs, info = envs.reset(seed=0)
    many.reset(info["episode_seed"])
    begun = 0
    for _ in range(9):
        obs, _, _, _, info = envs.step(many.act(obs))
        if (new := info.get("_episode_seed")) is not None:
            begun += int(new.sum())
            many.reset(info["episode_seed"][new], np.flatnonzero(new))
    assert begun == 3


def test_bad_calls_are_named():
    with pytest.raises(BestiaryError, match="one mapping"):
        bestiary.animal("worm", batch=2, each=[{}])
    many = bestiary.animal("worm", batch=2)
    with pytest.raises(BestiaryError, match="before reset"):
        many.act(observations(2))
    many.reset([0, 1])
    obs = observations(2)
    obs["stretch"][1, 0, 0] = np.nan
    with pytest.raises(ObservationError, match="'stretch' must be finite"):
        many.act(obs)
    with pytest.raises(ObservationError, match=r"'touch_N'.*\(2, 25\)"):
        many.act({**observations(2), "touch_N": np.zeros(25, np.float32)})


@pytest.mark.slow
def test_the_bench_of_many_says_what_it_ran_on_and_what_they_take():
    from bestiary.tasks._bench_scale import bench_scale

    got = bench_scale("worm", n=8, seconds=0.1, repeats=2, more=False, device="cpu")
    assert got["together"] and got["observed"] == "together" and got["steps"] == 10
    assert 0 < got["share_of_raw"] < 1.5 and got["steps_per_s"]["loop"] < got["steps_per_s"]["bodies"]
    assert got["device"]["platform"] == "cpu" and got["device"]["brains_per_s"] > 0
    assert len(got["memory"]["bytes_per_animal"]) == 2
