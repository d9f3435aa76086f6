"""Statistics of the Turing test against values that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("sklearn")

from bestiary.errors import DataError
from bestiary.tasks.turing import (
    distance,
    features,
    forecast,
    individuality,
    invariants,
    judge,
    level_b,
    memory,
    outcomes,
    syllables,
    synthetic,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_energy_coefficient_is_unbiased_and_grows_with_distance(rng):
    values = []
    for shift in (0.0, 1.0, 3.0):
        found = []
        for _ in range(60):
            x = np.r_[rng.normal(0, 1, (15, 3)), rng.normal(shift, 1, (15, 3))]
            d = distance.euclidean(x)
            real = np.arange(30) < 15
            found.append(float(distance.coefficient(d, real.astype(float), (~real).astype(float))))
        values.append(np.mean(found))
    assert abs(values[0]) < 0.02 and values[0] < values[1] < values[2] < 1


def test_energy_coefficient_equals_its_definition_and_skips_an_animal_drawn_twice(rng):
    x = rng.normal(size=(7, 2))
    d = np.linalg.norm(x[:, None] - x[None], axis=2)
    assert np.allclose(distance.euclidean(x), d, atol=1e-7)
    r, m = np.arange(3), np.arange(3, 7)
    across = d[np.ix_(r, m)].mean()
    within = [d[np.ix_(s, s)].sum() / (len(s) * (len(s) - 1)) for s in (r, m)]
    weights = np.array([[1.0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1]])
    expected = (2 * across - sum(within)) / (2 * across)
    assert float(distance.coefficient(d, *weights)) == pytest.approx(expected)
    twice = np.array([2.0, 1, 0, 0, 0, 0, 0])
    by_hand = d[0, 1] * 2 * 2 / (3**2 - (2**2 + 1))
    got = float(distance.coefficient(d, twice, weights[1]))
    a = (2 * d[0, m].mean() + d[1, m].mean()) / 3
    assert got == pytest.approx((2 * a - by_hand - within[1]) / (2 * a))


def test_bounds_are_wider_for_fewer_animals_and_cover(rng):
    draws = rng.normal(0, 1, 400)
    assert distance.bounds(0.0, draws, 4).high95 > distance.bounds(0.0, draws, 40).high95
    assert np.isnan(distance.bounds(0.0, draws, 1).high95)


def test_jensen_shannon_and_ks(rng):
    assert distance.jensen_shannon(np.array([1.0, 0]), np.array([0, 1.0])) == pytest.approx(1)
    assert distance.jensen_shannon(np.array([3.0, 1]), np.array([0.75, 0.25])) == pytest.approx(0)
    a, b = rng.normal(size=300), rng.normal(1, 1, 300)
    assert distance.ks_similarity(a, b) == pytest.approx(1 - stats.ks_2samp(a, b).statistic)
    assert distance.wasserstein(a, a + 2) > 1


def test_units_needed_are_those_of_the_notes():
    assert [judge.units_needed(0.5, m) for m in (0.60, 0.55)] == [143, 571]
    assert [judge.units_needed(0.5, m, power=0.8) for m in (0.60, 0.70)] == [104, 26]
    assert [outcomes.needed(n, 0.75) for n in (20, 60, 164)] == [19, 51, 133]


def test_judge_agrees_with_scikit_learn_and_goes_by_animal(rng):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.metrics import roc_auc_score

    model = np.arange(20) < 10
    groups = [rng.normal(0.8 * m, 1, (60, 5)) for m in model]
    found = judge.turing_score(groups, model, list("abcde"), np.random.default_rng(0), 20)
    x, y = np.concatenate(groups), np.repeat(model, 60)
    half = np.arange(len(y)) % 2 == 0
    theirs = LinearDiscriminantAnalysis().fit(x[half], y[half]).decision_function(x[~half])
    assert found.raw == pytest.approx(roc_auc_score(y[~half], theirs), abs=0.05)
    assert found.p < 0.06 and abs(found.null - 0.5) < 0.1 and found.auc.high95 <= 1
    # animals that differ, all from one population: many windows of each are no evidence
    own = rng.normal(size=(20, 1, 5)) * 2
    alike = [rng.normal(size=(200, 5)) + own[i] for i in range(20)]
    found = judge.turing_score(alike, model, list("abcde"), np.random.default_rng(0), 40)
    assert found.auc.low95 < 0.6 and found.p > 0.02 and found.units < 60


def test_a_judge_that_is_always_right_is_not_quite_sure(rng):
    model = np.arange(10) < 5
    groups = [rng.normal(9.0 * m, 1, (30, 3)) for m in model]
    found = judge.turing_score(groups, model, list("abc"), np.random.default_rng(0), 10)
    assert found.raw == 1 and 0.6 < found.auc.low95 < found.auc.value - 0.1, "five animals a side leave some doubt"
    assert judge._spread(1.0, 40) < judge._spread(1.0, 5) / 3


def test_mcc_and_balanced_accuracy(rng):
    from sklearn.metrics import balanced_accuracy_score, matthews_corrcoef

    truth, guess = rng.integers(-1, 2, 200), rng.integers(-1, 2, 200)
    guess[:100] = truth[:100]
    assert outcomes.mcc(truth, guess) == pytest.approx(matthews_corrcoef(truth, guess))
    assert outcomes.balanced_accuracy(truth, guess) == pytest.approx(balanced_accuracy_score(truth, guess))
    found = outcomes.agreement(truth, guess)
    assert (
        found.p_majority < 0.01
        and found.p_order < 0.01
        and found.balanced_low95 < found.balanced < found.balanced_high95
    )
    constant = outcomes.agreement(truth, np.zeros(200, int))
    assert constant.mcc == 0 and constant.balanced == pytest.approx(1 / 3) and constant.p_majority > 0.05
    with pytest.raises(DataError, match="pairs"):
        outcomes.agreement(truth, guess[:3])


def test_forecast_skill_of_truth_mean_persistence_and_repeats(rng):
    t = np.arange(400)
    series = np.stack([np.sin(t / 9), np.cos(t / 7)], 1) + 0.05 * rng.normal(size=(400, 2))
    starts = np.arange(250, 380, 5)
    truth = np.stack([series[s : s + 20] for s in starts])
    last = series[starts - 1]
    perfect = forecast.skill(truth + 0.01, truth, series[:200], last)
    assert perfect.value > 0.8
    for name, guess in forecast.baselines(series[:200], last, 20).items():
        found = forecast.skill(np.array(guess), truth, series[:200], last)
        assert found.by[name] == pytest.approx(np.zeros(20), abs=1e-9) and found.value <= 1e-9
    with pytest.raises(DataError, match="shape"):
        forecast.skill(truth[:, :5], truth, series, last)
    drift = np.cumsum(rng.normal(size=(8, 60, 3)) * np.linspace(0, 1, 60)[None, :, None], axis=1)
    repeats = np.sin(np.arange(60) / 5)[None, :, None] * np.exp(-np.arange(60) / 15)[None, :, None] + 0.1 * drift
    assert 5 < forecast.predictable(repeats) < 60 and forecast.predictable(repeats[:1]) == 0


def test_a_policy_that_forecasts_is_scored_up_to_where_repeats_predict(rng):
    """A rotation with noise: who knows it beats AR(1), who repeats the last frame does not; noise is not asked for."""
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    x = np.zeros((1200, 2))
    x[0] = 1
    for t in range(1199):
        x[t + 1] = 0.98 * turn @ x[t] + 0.1 * rng.normal(size=2)

    class Knows:
        def forecast(self, context, horizon):
            return np.stack([np.linalg.matrix_power(0.98 * turn, k + 1) @ context[-1] for k in range(horizon)])

    class Repeats:
        def forecast(self, context, horizon):
            return np.repeat(context[None, -1:], horizon, 1) + 0.1 * rng.normal(size=(8, horizon, 2))

    good = level_b.forecasts(Knows(), x, horizon=8)
    assert good.outcome.low95 > 0.2 and len(good.outcome.detail["by_horizon"]) == 8
    bad = level_b.forecasts(Repeats(), x, horizon=8)
    assert str(bad.verdict) == "FAIL" and bad.outcome.detail["crps"][0] > 0
    noise = rng.normal(size=(6, 8, 2))
    assert str(level_b.forecasts(Knows(), x, noise, horizon=8).verdict) == "NOT-RUN", "no horizon is predictable"


def test_crps_is_the_error_of_one_member_and_rewards_spread(rng):
    truth = rng.normal(size=(30, 4, 2))
    one = rng.normal(size=(1, 30, 4, 2))
    assert forecast.crps(one, truth) == pytest.approx(forecast.mae(one[0], truth))
    wide, narrow = rng.normal(size=(40, 30, 4, 2)), 0.01 * rng.normal(size=(40, 30, 4, 2)) + 1.5
    assert forecast.crps(wide, truth).mean() < forecast.crps(narrow, truth).mean()


def test_observation_space_thins_and_never_interpolates(rng):
    x = rng.normal(size=(200, 3))
    assert forecast.observe(x, 20, 5, 0.5, 0.0).shape == (50, 3)
    with pytest.raises(DataError, match="does not divide"):
        forecast.observe(x, 20, 3, 0.5, 0.0)


def test_invariants_of_known_systems(rng):
    t = np.arange(3000) / 20
    plane = np.stack([np.sin(t), np.cos(t), 0 * t + 1e-3 * rng.normal(size=3000)], 1)
    assert invariants.participation(plane) == pytest.approx(2, abs=0.1)
    assert invariants.participation(rng.normal(size=(3000, 5))) == pytest.approx(5, abs=0.2)
    p, q = invariants.occupancy(rng.normal(size=(4000, 2))), invariants.occupancy(rng.normal(1.5, 1, (4000, 2)))
    assert invariants.state_space_divergence(p, p) == 0 < 0.5 < invariants.state_space_divergence(p, q)
    x = np.empty(3000)
    x[0] = 0.4
    for i in range(2999):
        x[i + 1] = 3.99 * x[i] * (1 - x[i])
    chaos = invariants.lyapunov_per_s(np.stack([x[:-1], x[1:]], 1), 1.0, 5.0)
    assert chaos > 0.3 > invariants.lyapunov_per_s(plane[:, :2], 20.0)


def test_level_b_between_cohorts_of_activity():
    species = synthetic.Species(stimulus_every_s=0)
    real = species.cohort(10, 60.0)
    verdicts = {
        name: {r.test.id: str(r.verdict) for r in level_b.compare(real, other)}
        for name, other in (("copy", species.cohort(10, 60.0, 5)), ("iid", synthetic.iid(real)))
    }
    assert "FAIL" not in verdicts["copy"].values(), verdicts
    assert verdicts["iid"]["B.spectrum"] == "FAIL" and verdicts["iid"]["B.rates"] != "FAIL", verdicts


def test_iaaft_keeps_spectrum_marginals_and_coupling():
    real = synthetic.Species().cohort(1, 60.0)
    fake = synthetic.iaaft(real)
    a, b = real.animals[0].values, fake.animals[0].values
    assert np.allclose(np.sort(a, 0), np.sort(b, 0)) and not np.allclose(a, b)
    spectra = [features.spectrum(x, 15.0) for x in (a, b)]
    assert np.abs(spectra[0] - spectra[1]).max() < 0.06
    assert np.abs(np.corrcoef(a.T) - np.corrcoef(b.T)).max() < 0.1


def test_arrow_changes_its_sign_with_time_and_spectrum_does_not():
    z = synthetic.Species().animal(60.0, 1).values
    assert features.arrow(z[::-1], 15.0) == pytest.approx(-features.arrow(z, 15.0), abs=1e-9)
    assert features.spectrum(z[::-1], 15.0) == pytest.approx(features.spectrum(z, 15.0), abs=0.03)


def test_memory_of_a_copy_and_of_another_animal(rng):
    real = [synthetic.Species().animal(60.0, i).values for i in range(6)]
    other = [synthetic.Species().animal(60.0, 50 + i).values for i in range(6)]
    copies = [np.roll(x, 200, 0) for x in real]
    gaze = memory.Gaze.fit(real, 15.0)
    library = [gaze.library(z) for z in real]

    def memorised(mine, theirs):
        near = [[np.stack([memory.nearest(gaze.asked(z), x) for x in library], 1) for z in s] for s in (mine, theirs)]
        return memory.memorisation(*near, rng).value

    assert abs(memorised(real, other)) < 0.2
    assert memorised(real, copies) < -2
    # what is copied from a part of the recordings that is not compared is found too
    assert memorised([x[:300] for x in real], [x[500:800] for x in real]) < -2


def test_three_animals_have_an_interval(rng):
    """Of three mice the bootstrap drew always all three: an interval of no width, and a FAIL out of nothing."""
    parts = rng.normal(size=(6, 4, 3)) + 2 * rng.normal(size=(6, 1, 3))
    found = individuality.variance_ratio(parts[:3], parts[3:], rng)
    assert found.low95 < found.value - 0.1 and found.high95 > found.value + 0.1
    assert np.isnan(individuality.variance_ratio(parts[:2], parts[2:], rng).value)
    many = rng.normal(size=(20, 40, 4, 3)) + 2 * rng.normal(size=(20, 40, 1, 3))
    copies = [individuality.variance_ratio(x[:20], x[20:], rng).value for x in many]
    assert abs(np.mean(copies)) < 0.25


def test_explained_share_of_what_repeats_have_in_common(rng):
    from bestiary.tasks.turing.forecast import feve

    truth = rng.normal(size=(200, 4)) * np.array([1, 1, 1, 0])
    answers = truth + rng.normal(size=(10, 200, 4))
    assert feve(answers, truth)[:3] == pytest.approx(1, abs=0.1) and np.isnan(feve(answers, truth)[3])
    assert feve(answers, np.zeros_like(truth))[:3] == pytest.approx(0, abs=0.1)
    assert str(level_b.evoked(answers, truth).verdict) == "INCONCLUSIVE", "one animal fails a model, and passes none"
    assert str(level_b.evoked(answers, -truth).verdict) == "FAIL"
    with pytest.raises(DataError, match="two repeats"):
        feve(answers[:1], truth)


def test_variance_components_of_known_size(rng):
    parts = rng.normal(size=(400, 4, 1)) + 2 * rng.normal(size=(400, 1, 1))
    between, within = individuality.components(parts)
    assert between[0] == pytest.approx(4, rel=0.2) and within[0] == pytest.approx(1, rel=0.1)
    assert individuality.repeatability(parts) == pytest.approx(0.8, abs=0.05)


def test_grammar_of_a_known_sequence():
    found = syllables.grammar([np.array([0, 0, 1, 1, 1, 2, 0])], 3, 0.5)
    assert found.usage == pytest.approx(np.array([3, 3, 1]) / 7)
    assert found.transitions.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert found.dwells.sum() == 2  # the first and the last visit are cut by the ends
    other = syllables.grammar([np.array([0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2])], 3, 0.5)
    apart = syllables.dwell_distances([found, found, other])
    assert apart[0, 1] == 0 and apart[0, 2] == apart[2, 0] == 1
    none = syllables.grammar([np.array([0, 0])], 3, 0.5)
    assert syllables.dwell_distances([found, none])[0, 1] == 1


def test_windows_with_gaps_are_left_out(rng):
    z = rng.normal(size=(100, 2))
    z[50] = np.nan
    cut = features.windows(z, 10, 100)
    assert len(cut) and np.isfinite(cut).all()
    assert np.isfinite(features.window_features(cut, 10.0)[0]).all()
    rows, names = features.window_features(cut, 10.0)
    assert rows.shape[1] == len(names) == len(set(names))
