"""Fits run their trials side by side, and find what trials one by one would find."""

from __future__ import annotations

import json

import numpy as np
import pytest

import bestiary
from bestiary import assets
from bestiary.envs import EmbodiedEnv, EmbodiedVectorEnv
from bestiary.errors import BestiaryError, DivergenceError
from bestiary.interfaces._batch import AnimalBatch
from bestiary.tasks._fit import Objective, Stage, _write, stages, tried
from bestiary.tasks._trial import run_trial, run_trials

CLOCK = {"control": "0.01", "brain": "0.005", "physics": "0.01"}
SHORT = {"task": "locomotion", "medium": "agar", "seconds": 0.4, "targets": {"bending_per_mm": [4, 1]}}
WET = {**SHORT, "medium": "water", "seconds": 0.2}
POKED = {**SHORT, "task": "touch", "task_options": {"stimuli": [[0.1, 0.1, 0.2, 1e-5]]}, "sham": 0}


def objective(*trials: dict) -> Objective:
    shipped = bestiary.load("brains", "worm").parameters()
    return Objective("worm", Stage("short", "", ("muscle_b", "synapse_nS"), trials, CLOCK), shipped, {}, 0)


def same(a, b, atol=0.0):
    assert (a.divergence, a.ended, a.seed, a.info.keys(), a.pose.keys()) == (
        b.divergence, b.ended, b.seed, b.info.keys(), b.pose.keys())  # fmt: skip
    for name in ("time_s", "midline_m", "com_m"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=0, atol=atol)
    for name in a.pose if not atol else ():
        np.testing.assert_array_equal(a.pose[name], b.pose[name])


class Fails:
    """Stops after some steps."""

    def __init__(self, animal, steps):
        self.animal, self.left, self.clock = animal, steps, animal.clock

    def reset(self, seed):
        self.animal.reset(seed)

    def act(self, obs):
        self.left -= 1
        if self.left < 0:
            raise DivergenceError("gone")
        return self.animal.act(obs)


def test_trials_side_by_side_are_those_of_one_by_one():
    worm = bestiary.animal("worm", clock=CLOCK)
    places = [("locomotion", "agar"), ("touch", "water")] * 2
    options = {"touch": {"stimuli": ((0.1, 0.1, 0.2, 1e-5),), "seconds": 0.3}, "locomotion": None}
    each = [{"task": task, "medium": medium, "task_options": options[task]} for task, medium in places]
    envs = EmbodiedVectorEnv(4, "worm", None, each=each, clock=CLOCK)
    seconds, seeds = [0.4, 0.4, 0.2, 0.4], [3, 4, 5, 6]
    policies = [*(worm.sibling() for _ in range(3)), Fails(worm.sibling(), 5)]
    alone = run_trials(envs, policies, range(4), seconds, seeds)
    herd = AnimalBatch([worm.sibling() for _ in range(4)], width=8)
    together = run_trials(envs, [herd], [range(4)], seconds, seeds)
    assert alone.keys() == {0, 1, 2} and together.keys() == {0, 1, 2, 3} and herd.together.all()
    for i, (task, medium) in enumerate(places):
        env = EmbodiedEnv("worm", task, medium, clock=CLOCK, task_options=options[task])
        single = run_trial(env, worm, seconds[i], seeds[i])
        assert len(single.time_s) == [8, 6, 4, 6][i]
        same(together[i], single, atol=1e-8)
        if i in alone:
            same(alone[i], single)


def test_the_loss_is_that_of_single_trials_however_many_seeds_at_once():
    trials = ({**SHORT, "repeats": 3}, {**WET, "repeats": 2}, {**POKED, "repeats": 3})
    search = objective(*trials)
    shipped = search.values(search.point(search.base))
    points = [shipped, {**shipped, "muscle_b": shipped["muscle_b"] / 2}]
    one, all_three = search.tried(points, [0, 0], range(1)), search.tried(points, [0, 0], range(3))
    assert [len(found) for _, found in all_three] == [8, 8]
    np.testing.assert_allclose([s[0] for s, _ in all_three], [s[0] for s, _ in one], rtol=1e-5)
    assert 0 < one[0][0][0] != one[1][0][0]
    total = 0.0
    for trial, measured in zip(trials, one[1][1], strict=True):
        env = EmbodiedEnv("worm", trial["task"], trial["medium"], CLOCK, task_options=trial.get("task_options"))
        animal = bestiary.animal("worm", parameters={**search.base, **points[1]}, clock=CLOCK)
        from bestiary.tasks._measures import MEASURES

        bending = MEASURES["bending_per_mm"](run_trial(env, animal, trial["seconds"], 0))
        assert measured == {"bending_per_mm": bending}
        total += 2 * (np.sqrt(1 + (bending - 4) ** 2) - 1) / trial["repeats"]
    assert one[1][0][0] == pytest.approx(total, rel=1e-12)


def test_a_point_that_cannot_live_costs_most_and_harms_no_other():
    search = objective(SHORT)
    fine = search.values(search.point(search.base))
    (good, _), (bad, found) = search.tried([fine, {**fine, "synapse_nS": np.nan}], [0, 0], range(1))
    assert bad == [15.0] and found == [{}]
    assert good == search.tried([fine], [0], range(1))[0][0] and good[0] < 15


def test_a_point_is_dropped_at_the_same_seed_however_many_are_tried_at_once():
    curves = {"a": [1.0, 2, 3, 4, 5], "b": [1.0, 5, 6, 7, 8], "c": [4.0, 5, 6, 7, 8], "d": [1.0, 2, 3, 4, 9]}
    asked = []

    def ask(points, totals, seeds):
        assert totals == [curves[p][seeds.start - 1] if seeds.start else 0.0 for p in points]
        asked.append(len(points) * len(seeds))
        return [curves[p][seeds.start : seeds.stop] for p in points]

    bar = [2.0, 3.0, 4.0, 5.0, 6.0]
    cost = []
    for first in (1, 2, 5):
        asked.clear()
        assert tried(list(curves), bar, 5, first, ask) == [curves["a"], [1.0, 5], [4.0], curves["d"]]
        cost.append(sum(asked))
    assert cost == [4 + 3 * 4, 4 * 2 + 2 * 3, 4 * 5]
    assert tried(["c"], [], 5, 2, ask) == [curves["c"]]


def test_a_control_is_fitted_with_a_state_of_its_own_in_every_lane():
    stage = Stage("short", "", ("muscle_b",), ({**SHORT, "repeats": 2}, POKED), CLOCK)
    search = Objective("worm", stage, bestiary.load("brains", "worm").parameters(), {"control": "poisson"}, 0)
    made = search._made(search.values(np.zeros(1)), [0, 0, 1])
    assert len({id(a) for a in made}) == len({id(a.control) for a in made}) == 3
    assert len({id(a) for a in search._made(search.values(np.zeros(1)), [0, 1])} - {id(a) for a in made}) == 0
    with pytest.raises(BestiaryError, match="share"):
        made[0].sibling()


@pytest.mark.slow
def test_what_the_worm_ships_has_the_loss_that_its_search_found():
    fit = json.loads(assets.file("worm", "fit_loop.json").read_text(encoding="utf-8"))
    stage = stages("worm")[fit["stage"]]
    base = bestiary.load("brains", "worm").parameters(assets.file("worm", stage.start))
    search = Objective("worm", stage, base, fit["options"], fit["seed"])
    shipped = bestiary.load("brains", "worm").parameters()
    ((sums, _),) = search.tried([{name: shipped[name] for name in stage.parameters}], [0], range(search.seeds))
    assert sums[-1] == pytest.approx(fit["loss"], rel=1e-4)


def test_a_fit_is_written_at_once_or_not_at_all(tmp_path):

    file = tmp_path / "new" / "fit.json"
    _write(file, {"loss": 1.0})
    with pytest.raises(TypeError):
        _write(file, {"loss": object()})
    assert file.read_text() == '{\n "loss": 1.0\n}'
    _write(file, {"loss": 2.0})
    assert "2.0" in file.read_text() and [p.name for p in file.parent.iterdir()] == ["fit.json"]
