"""Tasks against what can be worked out by hand, for any body."""

from __future__ import annotations

import numpy as np
import pytest
from _stub_body import StubBody

from bestiary.envs import EmbodiedEnv
from bestiary.tasks.chemotaxis import Chemotaxis
from bestiary.tasks.touch import Touch


def run(task, options=None, seconds=1.0, seed=0, action=None):
    env = EmbodiedEnv(StubBody(), task, task_options=options)
    out = [env.reset(seed=seed)]
    for i in range(round(seconds / env.clock.control_s)):
        out.append(env.step(np.zeros(3) if action is None else action(i)))
    return env, out


def wave(i):
    return 0.9 * np.sin(2 * np.pi * 0.5 * i * 0.01 - 1.5 * np.arange(3))


def test_locomotion_reward_adds_up_to_the_way_gone():
    env, out = run("locomotion", seconds=4, action=wave)
    info = out[-1][-1]
    assert sum(step[1] for step in out[1:]) * env.body.length_m == pytest.approx(info["forward_m"])
    way = env.pose()["com_m"] - out[0][1].get("start_m", 0)
    assert info["distance_m"] <= sum(abs(s[-1]["speed_m_per_s"]) for s in out[1:]) * 0.01 + 1e-4
    assert abs(info["forward_m"]) > 1e-5 and np.isfinite(way).all()


def test_headings_fill_the_circle():
    env = EmbodiedEnv(StubBody(), "locomotion")
    env.reset(seed=0)
    headings = []
    for _ in range(60):
        env.reset()
        axis = env.pose()["midline_m"][0] - env.pose()["midline_m"][-1]
        headings.append(np.arctan2(axis[1], axis[0]))
    assert (np.histogram(headings, 4, (-np.pi, np.pi))[0] >= 5).all()


def test_a_touch_is_given_where_and_when_it_is_asked_for():
    stimuli = ((0.2, 0.1, 0.125, 5e-6), (0.5, 0.1, 0.875, 2e-6))
    _, out = run("touch", {"stimuli": stimuli}, 0.8)
    force = np.array([step[0]["touch_N"] for step in out])
    time = np.array([step[-1]["time_s"] for step in out])
    first, second = (time >= 0.2 - 1e-9) & (time < 0.3 - 1e-9), (time >= 0.5 - 1e-9) & (time < 0.6 - 1e-9)
    np.testing.assert_allclose(force[first, 0], 5e-6, rtol=1e-6)  # the middle of the first of four links
    np.testing.assert_allclose(force[second, 3], 2e-6, rtol=1e-6)
    np.testing.assert_allclose(force[first, 1], 5e-6 * np.exp(-0.5 * (0.25 / 0.05) ** 2), rtol=1e-5)
    assert not force[~first & ~second].any()
    info = out[-1][-1]
    assert (info["touches"], info["touch_place"], info["touch_N"]) == (2, 0.875, 0.0)


def test_senses_and_task_agree_on_when_a_touch_begins_and_ends():
    """MuJoCo's sum of steps is just below most decimals: a touch would be felt a control step late."""
    _, out = run("touch", {"stimuli": ((0.05, 0.02, 0.125, 5e-6), (1.0, 0.5, 0.125, 5e-6))}, 1.6)
    assert [step[0]["touch_N"].any() for step in out] == [step[-1]["touch_N"] > 0 for step in out]


def test_a_sham_is_the_same_schedule_without_force():
    options = {"first_s": 0.1, "every_s": 0.2}
    _, real = run("touch", options, seed=4)
    _, sham = run("touch", {**options, "sham": True}, seed=4)
    assert any(step[0]["touch_N"].any() for step in real) and not any(step[0]["touch_N"].any() for step in sham)
    for a, b in zip(real, sham, strict=True):
        assert a[-1]["touches"] == b[-1]["touches"] and a[-1]["touch_place"] == b[-1]["touch_place"]
    places = [step[-1]["touch_place"] for step in real if step[-1]["touch_N"]]
    assert {0.2, 0.8} == set(places)


def test_both_ends_are_touched_first_over_seeds():
    first = {run("touch", {"first_s": 0.01}, 0.02, seed)[1][-1][-1]["touch_place"] for seed in range(8)}
    assert first == {0.2, 0.8}


@pytest.mark.parametrize(
    "stimulus",
    [(1, 1, 2, 1e-6), (1, 0, 0.5, 1e-6), (-1, 1, 0.5, 1e-6), (1, 1, 0.5), (np.nan, 1, 0.5, 1e-6), (1, 1, 0.5, np.inf)],
)
def test_a_stimulus_that_cannot_be(stimulus):
    with pytest.raises(ValueError, match="place 0 nose to 1 tail"):
        Touch(stimuli=(stimulus,))


@pytest.mark.parametrize("kind", ["gaussian", "linear"])
def test_the_field_is_the_one_that_was_asked_for(kind):
    task = Chemotaxis(kind=kind, peak=90.0, floor=10.0)
    source = np.array([3e-3, 4e-3])
    at = np.array([[3e-3, 4e-3, 0], [0, 0, 0], [-3e-3, -4e-3, 0], [-9e-3, -12e-3, 0]])
    expected = (
        10 + 80 * np.exp(-(np.array([0, 5e-3, 10e-3, 20e-3]) ** 2) / (2 * 4e-3**2))
        if kind == "gaussian"
        else np.array([90, 50, 10, 10])
    )
    np.testing.assert_allclose(task.concentration(source, at), expected, rtol=1e-9)


def test_chemotaxis_measures():
    env, out = run("chemotaxis", seconds=3, action=wave)
    info, start = out[-1][-1], out[0][1]
    head = env.pose()["midline_m"][0, :2]
    source = np.array([info["source_x_m"], info["source_y_m"]])
    assert np.hypot(*source) == pytest.approx(5e-3)
    assert info["source_distance_m"] == pytest.approx(np.hypot(*(head - source)))
    rise = sum(step[1] for step in out[1:])
    assert rise == pytest.approx((info["concentration"] - start["concentration"]) / 100)
    distance = np.array([step[-1]["source_distance_m"] for step in out])
    assert info["chemotaxis_index"] == pytest.approx(np.mean(1 - distance[1:] / distance[0]))
    np.testing.assert_allclose(out[-1][0]["nacl_mol_per_m3"], info["concentration"], rtol=1e-5)


def test_the_drawn_source_stands_where_the_field_has_its_peak():
    env, out = run("chemotaxis", seconds=0.01)
    drawn = env.data.body("source").xpos[:2] * env.body.units.length
    np.testing.assert_allclose(drawn, [out[0][1]["source_x_m"], out[0][1]["source_y_m"]], rtol=1e-9)


def test_a_field_that_the_world_lacks_rests():
    _, out = run("locomotion", seconds=0.05)
    assert all(step[0]["nacl_mol_per_m3"] == 7 for step in out)
    with pytest.raises(ValueError, match="gaussian"):
        Chemotaxis(kind="square")
    with pytest.raises(ValueError, match="peak"):
        Chemotaxis(peak=1, floor=2)
