"""The examination proves itself: on synthetic animals whose truth is known, cheats are caught and copies are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn")

from bestiary.tasks.turing import synthetic
from bestiary.tasks.turing.battery import COMPARE, Battery, missing
from bestiary.tasks.turing.contract import Verdict, margin_of
from bestiary.tasks.turing.definitions import TESTS
from bestiary.tasks.turing.level_d import compare

N, SECONDS = 20, 150.0
SPECIES = synthetic.Species()
CHEATS = {
    "i.i.d. marginals": ("D.spectrum", lambda real: synthetic.iid(real)),
    "IAAFT surrogate": ("D.arrow", lambda real: synthetic.iaaft(real)),
    "decoupled channels": ("D.coupling", lambda real: synthetic.decoupled(real)),
    "doubled dwell times": ("D.dwell", lambda real: synthetic.Species(dwell=2.0).cohort(N, SECONDS, 3)),
    "replay with 1 % noise": ("D.memory", lambda real: synthetic.replay(real)),
    "mean-animal clone": ("D.individuality", lambda real: synthetic.Species(individual=0.0).cohort(N, SECONDS, 4)),
    "clones made of recordings": ("D.individuality", lambda real: synthetic.clones(real)),
    "time reversal": ("D.arrow", lambda real: synthetic.backward(SPECIES.cohort(N, SECONDS, 9))),
    "stimulus-keyed lookup": ("D.memory", lambda real: synthetic.lookup(real)),
}


@pytest.fixture(scope="module")
def recorded():
    real = SPECIES.cohort(N, SECONDS)
    return (real, *Battery.of(real))


def judged(battery, real, model, test_id, seed=0):
    mask = np.r_[np.ones(len(real), bool), np.zeros(len(model), bool)]
    o = COMPARE[test_id](battery, [*real, *model], mask, np.random.default_rng(seed))
    return margin_of(test_id).judge(o.low95, o.high95), o


@pytest.mark.parametrize("name", CHEATS)
def test_every_cheat_is_caught_by_the_test_that_should(recorded, name):
    real, battery, portraits = recorded
    test_id, make = CHEATS[name]
    verdict, o = judged(battery, portraits, battery.portraits(make(real)), test_id)
    assert verdict is Verdict.FAIL, f"{name}: {test_id} gives {o.value:.3f} [{o.low95:.3f}, {o.high95:.3f}]"


def test_a_perfect_copy_fails_nothing(recorded):
    _, battery, portraits = recorded
    battery = replace(battery, permutations=20)
    copy = battery.portraits(SPECIES.cohort(N, SECONDS, 7))
    asked = [k for k in COMPARE if not missing(battery, k, [*portraits, *copy])]
    assert len(asked) >= 14
    verdicts = {k: judged(battery, portraits, copy, k)[0] for k in asked}
    assert Verdict.FAIL not in verdicts.values(), verdicts
    assert sum(v is Verdict.PASS for v in verdicts.values()) >= 6, verdicts


def test_single_statistics_can_be_gamed_but_not_the_level(recorded):
    """What the notes found: marginals alone pass frames in random order, a spectrum alone passes IAAFT."""
    real, battery, portraits = recorded
    for cheat, blind in ((synthetic.iid(real), "D.marginals"), (synthetic.iaaft(real), "D.spectrum")):
        assert judged(battery, portraits, battery.portraits(cheat), blind)[0] is not Verdict.FAIL


def test_the_judge_says_what_gave_it_away(recorded):
    _, battery, portraits = recorded
    battery = replace(battery, permutations=10)
    backward = battery.portraits(synthetic.backward(SPECIES.cohort(N, SECONDS, 9)))
    verdict, o = judged(battery, portraits, backward, "D.turing.1s")
    assert verdict is Verdict.FAIL and o.detail["p"] < 0.1
    assert o.detail["gave_it_away"][0][0].startswith("arrow"), o.detail["gave_it_away"]


def test_a_control_that_passes_makes_the_test_invalid():
    real = SPECIES.cohort(12, 60.0)
    stand_ins = {"K17": SPECIES.cohort(12, 60.0, 5)}  # "time reversal" that is none: the test cannot fail it
    results, _ = compare(real, SPECIES.cohort(12, 60.0, 6), stand_ins, permutations=5, splits=10)
    arrow = next(r for r in results if r.test.id == "D.arrow")
    passed = arrow.controls["K17"][3] is Verdict.PASS
    assert (arrow.verdict is Verdict.INVALID) == passed
    assert all(r.floor is not None for r in results if r.verdict is not Verdict.NOT_RUN)


@pytest.mark.slow
def test_held_out_animals_pass_and_power_is_as_declared():
    """200 random splits of 120 animals, 40 against 40: at most 5 % of splits fail any test; each test passes its
    declared share of them."""
    pool = synthetic.Species(stimulus_every_s=4.0).cohort(120, 240.0, 5)
    battery, portraits = Battery.of(pool, permutations=40)
    rng = np.random.default_rng(1)
    battery = battery.for_splits(portraits[:80], rng)
    failed, passed = np.zeros(200, bool), dict.fromkeys(COMPARE, 0)
    for split in range(200):
        rows = rng.permutation(120)[:80]
        for test_id in COMPARE:
            verdict, _ = judged(
                battery, [portraits[i] for i in rows[:40]], [portraits[i] for i in rows[40:]], test_id, split
            )
            passed[test_id] += verdict is Verdict.PASS
            failed[split] |= verdict is Verdict.FAIL
    assert failed.mean() <= 0.05, f"{failed.mean():.1%} of splits fail"
    shares = {k: n / 200 for k, n in passed.items()}
    print(f"{failed.mean():.1%} of splits fail a test; power:", shares)
    assert all(shares[k] >= TESTS[k].power - 0.05 for k in COMPARE), shares


@pytest.mark.slow
def test_a_perfect_copy_passes_the_level():
    species = synthetic.Species(stimulus_every_s=4.0)
    results, _ = compare(species.cohort(80, 240.0, 31), species.cohort(80, 240.0, 32), permutations=40, splits=50)
    assert {r.test.id: r.verdict for r in results if r.verdict is not Verdict.PASS} == {}
