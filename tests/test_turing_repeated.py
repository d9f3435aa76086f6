"""Repeated measures: curves of single animals, permutations by animal, paired runs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from bestiary.tasks.turing.repeated import PARAMETERS, by_animal, paired, psychometric


def trials(rng, threshold, slope=4.0, guess=0.05, lapse=0.1, n=400):
    s = rng.uniform(0, 3, n)
    return s, (rng.random(n) < guess + (1 - guess - lapse) * expit(slope * (s - threshold))).astype(float)


def test_a_known_curve_is_found():
    threshold, slope, guess, lapse = psychometric(*trials(np.random.default_rng(0), 1.4, n=4000))
    assert threshold == pytest.approx(1.4, abs=0.1) and np.exp(slope) == pytest.approx(4, rel=0.3)
    assert guess == pytest.approx(0.05, abs=0.04) and lapse == pytest.approx(0.1, abs=0.04)


def test_few_or_perfect_trials_give_finite_values_and_one_strength_none():
    s = np.array([0.0, 0, 1, 1])
    assert np.isfinite(psychometric(s, (s > 0.5).astype(float))).all()
    assert (
        np.isnan(psychometric(np.ones(5), np.ones(5))).all() and np.isnan(psychometric(np.empty(0), np.empty(0))).all()
    )


def test_animals_not_trials_are_permuted():
    """Animals differ much, groups do not: a test over pooled trials would be fooled, this one is wrong 1 time in 20."""
    rng = np.random.default_rng(1)
    wrong = []
    for _ in range(200):
        each = rng.normal(0, 1, (10, 1)) + rng.normal(0, 0.01, (10, 1))
        wrong.append(by_animal(each, np.arange(10) < 5, rng).p[0] <= 0.05)
    assert np.mean(wrong) < 0.1


def test_groups_that_differ_are_told_and_which_parameter():
    rng = np.random.default_rng(2)
    fits = np.stack([psychometric(*trials(rng, 1.0 if i < 6 else 1.8)) for i in range(12)])
    found = by_animal(fits, np.arange(12) >= 6, rng)
    assert found.exact and found.difference[0] == pytest.approx(0.8, abs=0.2)
    assert PARAMETERS[0] == "threshold" and found.p_all[0] < 0.02 and found.p[3] > 0.02
    assert (found.p_all >= found.p - 1e-12).all()


def test_too_few_animals_have_no_p():
    assert np.isnan(by_animal(np.zeros((3, 2)), np.array([True, False, False]), np.random.default_rng()).p).all()


def test_signs_of_paired_runs_are_flipped():
    rng = np.random.default_rng(3)
    assert paired(np.array([1.0, 1.1, 0.9, 1.0, 1.2, 1.0]), rng) == pytest.approx(2 / 64)
    assert paired(np.array([1.0, -1.0, 0.5, -0.5]), rng) == 1.0
    assert np.isnan(paired(np.array([1.0]), rng)) and paired(rng.normal(1, 0.2, 40), rng) < 0.01


def test_a_mixed_model_finds_curve_spread_and_difference():
    from bestiary.tasks.turing.mixed import fit

    rng = np.random.default_rng(4)

    def animals(n, threshold, lapse=0.1):
        return [trials(rng, threshold + 0.2 * rng.standard_normal(), lapse=lapse, n=60) for _ in range(n)]

    second = np.arange(28) >= 14
    same, other = fit(animals(28, 1.4), second), fit(animals(14, 1.4) + animals(14, 1.8), second)
    assert same.threshold == pytest.approx(1.4, abs=0.15) and same.slope == pytest.approx(4, rel=0.4)
    assert 0.1 < same.spread < 0.32 and same.lapse == pytest.approx(0.1, abs=0.05) and min(same.p) > 0.01
    assert other.difference[0] == pytest.approx(0.4, abs=0.15) and other.p[0] < 0.005 < min(other.p[1:])
    tired = fit(animals(14, 1.4) + animals(14, 1.4, lapse=0.4), second)
    assert tired.difference[2] == pytest.approx(0.3, abs=0.12) and tired.p[2] < 0.005
    assert fit(animals(2, 1.4), np.array([True, False])) is None, "one animal on a side"


@pytest.mark.slow
def test_the_mixed_model_is_wrong_one_time_in_twenty():
    from bestiary.tasks.turing.mixed import fit

    rng = np.random.default_rng(5)
    p = [
        fit([trials(rng, 1.4 + 0.3 * rng.standard_normal(), n=40) for _ in range(16)], np.arange(16) >= 8).p
        for _ in range(100)
    ]
    assert (np.mean(np.array(p) < 0.05, 0) <= 0.12).all()
