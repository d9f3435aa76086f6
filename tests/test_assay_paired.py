"""Controls in the same trials as the animal: draws, paired differences, and the word on the wiring."""

import json
import math

import numpy as np
import pytest
from _wave import wave_animal

from bestiary.errors import DataError
from bestiary.tasks import _assay_table as tables
from bestiary.tasks._assay_paired import NO_DIFFERENCE, chosen, run_paired, word
from bestiary.tasks._statistics import contrast

_ROW = {"quantity": "q", "source": "s"}
_SMALL = {
    "about": "a test", "task": "locomotion", "medium": "agar", "seconds": 4, "skip_s": 1, "n": 3,
    "controls": {"degree-preserving": 3, "brain-off": 1, "no AVA": {"lesion": ["AVAL"]}},
    "arms": {"intact": {}, "shuffled": {"control": "weight-shuffle"}},
    "rows": [
        {"id": "V", "measure": "forward_speed_mm_per_s", "low": 0.05, "high": 1.0} | _ROW,
        {"id": "B", "measure": "forward_speed_mm_per_s", "rule": "beside"} | _ROW,
        {"id": "S", "measure": "forward_speed_mm_per_s", "arms": ["shuffled"], "high": 0.01} | _ROW,
    ],
}  # fmt: skip


def small(**changes):
    return tables.parse({"small": {**_SMALL, **changes}})["small"]


def test_controls_run_in_the_animals_trials_each_with_another_draw():
    """The scripted animal moves when intact and lies still under any control."""
    made, lesions, seen = [], [], []

    def factory(name, **options):
        made.append((options.get("control"), options.get("control_seed", 0)))
        lesions.append(list(options.get("lesion", ())))
        return wave_animal(name, **options)

    found = run_paired("worm", [small()], n=3, seed=5, jobs=1, factory=factory, progress=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert [draw for control, draw in made if control == "degree-preserving"] == [0, 1, 2]
    assert {draw for control, draw in made if control == "brain-off"} == {0}
    (row,) = found.rows
    assert row["id"] == "V" and list(row["controls"]) == ["degree-preserving", "brain-off"]
    less = row["controls"]["degree-preserving"]["less"]
    assert less["low95"] <= less["value"] <= less["high95"] and row["finding"] == "wiring matters"
    assert all(len(line) <= 120 for line in str(found).splitlines())
    json.dumps(found.as_dict(), allow_nan=False)
    cut = run_paired("worm", [small()], ["no AVA"], n=1, jobs=1, factory=factory)
    assert list(cut.rows[0]["controls"]) == ["no AVA"] and made[-1] == (None, 0) and lesions[-1] == ["AVAL"]
    with pytest.raises(DataError, match="lists no controls"):
        run_paired("worm", [small(controls={})])


def test_the_rows_that_controls_are_held_against():
    assert [row.id for row in chosen(small()).rows] == ["V"]
    assert [row.id for row in chosen(small(paired=["B"])).rows] == ["B"]
    with pytest.raises(DataError, match="no row 'W'"):
        small(paired=["W"])
    with pytest.raises(DataError, match="no 'bout'"):
        small(keep=["bout"])


def test_a_contrast_is_paired():
    rng = np.random.default_rng(0)
    base = rng.normal(10, 5, 20)
    one = contrast([list(base + 1)], [list(base)])
    assert one.value == pytest.approx(1) and one.high95 - one.low95 < 1e-9
    twice = contrast([list(base + 3), list(base)], [list(base + 1), list(base)], "difference")
    assert twice.value == pytest.approx(2)
    assert contrast([[(1.0, 1.0)] * 4], [[(0.0, 1.0)] * 4]).low95 == 1
    assert math.isnan(contrast([[1.0, 2.0]], [[None, None]]).value)


def test_the_plain_word():
    def c(low, high, verdict="in range"):
        return {"less": {"value": (low + high) / 2, "low95": low, "high95": high}, "verdict": verdict}

    lost, same, gone = c(1, 2), c(-1, 2), {"less": dict.fromkeys(("value", "low95", "high95"), math.nan), "verdict": ""}
    assert word("falls short", {"erdos-renyi": lost}) == "does not come out"
    assert word("in range", {"brain-off": same, "erdos-renyi": lost}) == "needs no brain"
    assert word("in range", {"brain-off": c(1, 2, "falls short"), "erdos-renyi": lost}) == "wiring matters"
    assert word("sign ok", {"erdos-renyi": same, "sign-shuffle": same}) == NO_DIFFERENCE
    assert word("beside", {"erdos-renyi": same, "sign-shuffle": gone}) == "no difference from erdos-renyi"
    assert word("in range", {"cord-alone": lost}) == "nothing was rewired"
