"""Rules by which level C stops a row or a wiring, against runs of full length on synthetic rows of known truth."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from bestiary.tasks.turing.outcomes import agreement
from bestiary.tasks.turing.sequential import decided, hopeless, order, right_to_pass, sign

LOOKS = (4, 7, 10)


def stopped(changes, least):
    """(sign, seeds) of a row that is looked at after 4, 7 and 10 seeds."""
    for n in LOOKS:
        if (found := decided(changes[:n], least, LOOKS[-1])) is not None:
            return found, n
    raise AssertionError("all seeds were run")


def a_row(rng, kind, size):
    """Ten paired changes: normal ones, or of shares, 1 or 0 in each arm."""
    if kind == "normal":
        return size + rng.standard_normal(10)
    return (rng.random(10) < 0.1 + 0.8 * size).astype(float) - (rng.random(10) < 0.1)


@pytest.mark.parametrize(
    ("kind", "size", "least"),
    [("normal", s, least) for s in (0.0, 0.5, 1.0, 2.0, 4.0) for least in (0.2, 2.0)]
    + [("share", s, 0.3) for s in (0.0, 0.25, 0.5, 1.0)],
)
def test_a_row_that_stops_has_the_sign_that_all_seeds_give(kind, size, least):
    rng = np.random.default_rng(0)
    rows = [a_row(rng, kind, size) for _ in range(200)]
    found = [stopped(c, least) for c in rows]
    other = np.mean([s != sign(c, least) for (s, _), c in zip(found, rows, strict=True)])
    assert other <= 0.04, f"{other:.1%} of rows would have another sign with all seeds"
    if size == 0:
        wrong, usual = np.mean([s != 0 for s, _ in found]), np.mean([sign(c, least) != 0 for c in rows])
        assert wrong <= max(0.05, usual + 0.01), "nothing there, and a sign given"


def test_clear_rows_cost_few_seeds_and_doubtful_ones_all():
    assert stopped(np.zeros(10), 0.3) == (0, 4) and stopped(np.ones(10), 0.3) == (1, 4)
    assert stopped(np.array([1.0, 0.0] * 5), 0.3)[1] == 10
    assert decided(np.full(4, np.nan), 0.3, 10) is None, "nothing was measured yet"
    assert decided(np.full(10, np.nan), 0.3, 10) == 0
    assert decided(np.zeros(3), 0.3, 10) is None, "three equal answers are no certainty"


def test_the_first_rows_hold_each_outcome_and_are_cheap():
    truth, cost = np.array([0] * 6 + [1] * 3 + [-1] * 3), [9, 1, 2, 3, 4, 5, 8, 1, 2, 7, 1, 2]
    turn = order(truth, cost)
    assert sorted(turn) == list(range(12)) and sorted(truth[turn[:3]]) == [-1, 0, 1] == sorted(truth[turn[3:6]])
    assert [cost[i] for i in turn[:3]] == [1, 1, 1] and turn[-1] == 0


TABLE = np.repeat([0, -1, 1], [29, 37, 15])  # the worm's


def a_wiring(rng, recall):
    """Right or wrong in each of the table's rows, in the order in which they are asked."""
    right = rng.random(len(TABLE)) < recall
    return np.where(right, TABLE, np.where(TABLE == 0, 1, 0))


def asked(guess, turn, needed):
    """Rows until a wiring is stopped, and whether it was."""
    right = np.cumsum(guess[turn] == TABLE[turn])
    for n in (*range(12, len(turn), 12), len(turn)):
        if hopeless(int(right[n - 1]), n, needed, len(turn)):
            return n, True
    return len(turn), False


def test_a_wiring_that_passes_is_hardly_ever_stopped_and_a_dead_one_soon():
    rng, turn, needed = np.random.default_rng(1), order(TABLE, np.ones(len(TABLE))), right_to_pass(TABLE, 0.6)
    assert 0.66 * len(TABLE) < needed < 0.74 * len(TABLE)
    lost = passed = 0
    for _ in range(150):
        guess = a_wiring(rng, 0.75)
        if agreement(TABLE, guess).balanced_low95 >= 0.6:
            passed += 1
            lost += asked(guess, turn, needed)[1]
    assert passed > 60 and lost / passed <= 0.03, f"{lost} of {passed} that pass were stopped"
    few = [asked(a_wiring(rng, 1 / 3), turn, needed) for _ in range(100)]
    assert np.mean([s for _, s in few]) == 1 and np.mean([n for n, _ in few]) < 24
    assert asked(np.zeros(len(TABLE), int), turn, needed) == (12, True), "who answers nothing is asked 12 rows"
