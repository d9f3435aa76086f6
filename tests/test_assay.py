"""Assays: the table, paired runs with a scripted animal, statistics and verdicts, and the report on controls."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from _wave import wave_animal

import bestiary
from bestiary.errors import DataError, DivergenceError
from bestiary.tasks import _assay as assay
from bestiary.tasks import _assay_table as tables
from bestiary.tasks._assay_controls import finding, run_controls
from bestiary.tasks._statistics import Estimate, estimate, verdict, wilson

_ROW = {"quantity": "q", "source": "s"}
_SMALL = {
    "small": {
        "about": "a test",
        "task": "locomotion",
        "medium": "agar",
        "seconds": 10,
        "skip_s": 3,
        "n": 2,
        "arms": {
            "intact": {},
            "cut": {"lesion": ["AVAL"]},
            "shuffled": {"control": "weight-shuffle", "control_seeds": 2},
            "light": {"stimulate": ["AVA:light=1@6-9"]},
        },
        "record": ["AVAL"],
        "rows": [
            {"id": "F", "measure": "frequency_Hz", "options": {"states": "all"}, "low": 0.3, "high": 0.5} | _ROW,
            {"id": "V", "measure": "forward_speed_mm_per_s", "arms": ["intact", "cut"], "how": "difference"}
            | {"rule": "+"}
            | _ROW,
            {"id": "S", "measure": "forward_speed_mm_per_s", "arms": ["shuffled"], "high": 0.01} | _ROW,
            {"id": "R", "measure": "reversal_response", "options": {"at_s": [6]}, "arms": ["light"], "low": 0.8} | _ROW,
            {"id": "N", "measure": "frequency_Hz", "options": {"states": "all"}, "arms": ["cut"], "rule": "beside"}
            | _ROW,
            {"id": "P", "measure": "step_response_mV", "options": {"neuron": "AVAL", "at_s": 6}, "rule": "+"} | _ROW,
        ],
    }
}


@pytest.fixture(scope="module")
def result():
    seen = []
    out = assay.run_assay(
        "worm",
        tables.parse(_SMALL)["small"],
        seed=3,
        jobs=1,
        factory=wave_animal,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(i + 1, 8) for i in range(8)]
    return out


def test_an_assay_measures_what_the_animal_does(result):
    rows = {row["id"]: row for row in result.table()}
    assert rows["F"]["value"] == pytest.approx(0.4, abs=0.02) and rows["F"]["verdict"] == "in range"
    assert rows["V"]["value"] > 0.05 and rows["V"]["verdict"] == "sign ok"
    assert rows["S"]["verdict"] == "in range" and rows["R"]["verdict"] == "in range"
    assert rows["R"]["value"] == 1 and rows["R"]["low95"] == pytest.approx(0.342, abs=1e-3)  # Wilson, 2 of 2
    assert rows["N"]["verdict"].startswith("not measured (")
    assert rows["P"]["value"] == pytest.approx(2.0, abs=0.1)  # the scripted voltage rises by 1 mV/s: 2 s apart
    assert result.failures == {}


def test_arms_share_their_seeds_and_runs_repeat(result):
    """Two arms that differ in nothing give the same numbers; another seed gives others."""
    small = {**_SMALL["small"], "seconds": 5, "skip_s": 1, "arms": {"intact": {}, "same": {}}, "record": []}
    small["rows"] = [
        {"id": "D", "measure": "centroid_speed_mm_per_s", "arms": ["intact", "same"], "how": "difference"} | _ROW
    ]
    small["rows"][0]["low"] = 0
    out = assay.run_assay("worm", tables.parse({"small": small})["small"], seed=3, jobs=1, factory=wave_animal)
    assert out.trials["intact"] == out.trials["same"]
    first, second = out.trials["intact"]["centroid_speed_mm_per_s"]
    assert first != second and out.rows[0]["value"] == 0


def test_processes_give_the_same_numbers(result):
    many = assay.run_assay("worm", tables.parse(_SMALL)["small"], seed=3, jobs=2, factory=wave_animal)
    assert json.dumps(many.as_dict()["rows"]) == json.dumps(result.as_dict()["rows"])


def test_a_result_is_json_and_a_narrow_table(result):
    text = json.dumps(result.as_dict(), allow_nan=False)
    assert json.loads(text)["rows"][0]["id"] == "F"
    assert all(len(line) <= 120 for line in str(result).splitlines())


def test_a_brain_that_diverges_is_reported_and_kept_out():
    class Diverges:
        def reset(self, seed):
            self.seed = seed

        def act(self, obs):
            raise DivergenceError("the brain is no longer finite at 0.010 s, first in AVAL")

        def index(self, name):
            return np.array([0])

    small = tables.parse(_SMALL)["small"]
    out = assay.run_assay("worm", small, n=1, jobs=1, factory=lambda name, **options: Diverges())
    assert all(row["verdict"].startswith("not measured (1 trials stopped") for row in out.rows if row["id"] in "FSR")
    assert "AVAL" in out.failures["intact, seed 0"]


def test_a_trial_of_which_nothing_is_left_is_reported():
    short = tables.parse({"small": {**_SMALL["small"], "seconds": 1}})["small"]
    out = assay.run_assay("worm", short, n=1, jobs=1, factory=wave_animal)
    assert out.rows[0]["verdict"].startswith("not measured") and "nothing is left" in out.failures["intact, seed 0"]


def test_controls_say_what_the_wiring_earns():
    """The scripted animal moves when intact and lies still under any control."""
    table = {"small": {**_SMALL["small"], "arms": {"intact": {}}, "record": [], "rows": [_SMALL["small"]["rows"][0]]}}
    table["small"]["arms"]["shuffled"] = {"control": "weight-shuffle"}
    table["small"]["rows"] += [
        {"id": "C", "measure": "forward_speed_mm_per_s", "arms": ["shuffled"], "high": 0.01} | _ROW,
        {"id": "A", "measure": "centroid_speed_mm_per_s", "high": 9.0} | _ROW,
        {"id": "B", "measure": "centroid_speed_mm_per_s", "rule": "beside"} | _ROW,
    ]
    small = tables.parse(table)["small"]
    seen = []
    wiring = run_controls(
        "worm",
        [small],
        {"degree-preserving": 2, "no AVA": {"lesion": ["AVAL", "AVAR"]}},
        n=2,
        control_n=1,
        jobs=1,
        factory=wave_animal,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (wiring.intact[0].n, wiring.others["no AVA"][0][0].n) == (2, 1)
    assert seen == [(i + 1, 4) for i in range(4)]
    found = {r["id"]: r for r in wiring.rows}
    assert {i: r["finding"] for i, r in found.items()} == {
        "F": "earned by the wiring",
        "C": "not scored",  # passes, but a control cannot be put in the place of a control
        "A": "any wiring gives it",
        "B": "not scored",
    }
    assert found["C"]["verdict"] == "in range"
    assert [found[i]["controls"]["degree-preserving"]["passed"] for i in "FA"] == [0, 2] and not wiring.refitted
    assert found["F"]["controls"]["no AVA"] == {"values": [pytest.approx(math.nan, nan_ok=True)], "passed": 0, "k": 1}
    assert found["C"]["controls"]["degree-preserving"]["k"] == 0
    assert all(len(line) <= 120 for line in str(wiring).splitlines())
    assert str(wiring).splitlines()[2].endswith("earned by the wiring")
    json.dumps(wiring.as_dict(), allow_nan=False)
    with pytest.raises(ValueError, match="2 controls need as many"):
        run_controls("worm", ["crawl"], {"degree-preserving": 2}, parameters=[{}])
    with pytest.raises(DataError, match="lists no controls"):
        run_controls("worm", [small])


_SHIPPED = {
    "worm": {"crawl", "swim", "viscosity", "touch", "ablation", "spontaneous", "chemotaxis"},
    "fly": {"walk", "spontaneous", "command", "loom", "optomotor", "odour", "feed", "groom", "compass", "flight"},
}


@pytest.mark.parametrize("animal", [a for a in bestiary.animals("bodies") if a in _SHIPPED])
def test_the_shipped_assays_can_be_read(animal):
    known = tables.assays(animal)
    assert _SHIPPED[animal] <= set(known)
    ids = [row.id for a in known.values() for row in a.rows]
    assert len(ids) == len(set(ids))
    for a in known.values():
        assert a.about and a.rows
        for arm in a.arms.values():  # a task that the arm cannot have is refused before anything runs
            options = {"seconds": arm.get("seconds", a.seconds)} | arm.get("task_options", a.task_options)
            assert bestiary.load("tasks", arm.get("task", a.task)).TASK(**options).seconds > 0
        for row in a.rows:
            assert row.source and (row.rule != "range" or row.low is not None or row.high is not None), row.id
    first = next(iter(known))
    with pytest.raises(LookupError, match=first):
        tables.find(animal, first + "l")


def test_an_assay_puts_a_policy_around_the_animal():
    flight = tables.find("fly", "flight")
    assert flight.policy in bestiary.load("interfaces", "fly").POLICIES
    unknown = replace(flight, policy="flihgt", arms={"intact": flight.arms["intact"]}, rows=flight.rows[:1])
    with pytest.raises(LookupError, match="flight"):
        assay.run_assay("fly", unknown, n=1, jobs=1, factory=lambda *args, **options: None)


def test_the_flys_assays_cover_the_facts_of_behaviour():
    ids = {row.id[:3] for a in tables.assays("fly").values() for row in a.rows}
    wanted = {f"F{i}" for i in (*range(16, 38), 43, 46)}
    assert wanted - ids == {"F19", "F33", "F35", "F36"}  # no such facts; F33 is of T4 and T5, without a body
    for a in tables.assays("fly").values():
        assert a.n >= 12 and {"weight-shuffle", "degree-preserving", "brain-off"} <= set(a.controls)
        assert min(a.controls["weight-shuffle"], a.controls["degree-preserving"]) >= 20  # 95 % of 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": {"intact": {"lesoin": []}}}, "lesion"),
        ({"rows": [{"id": "X", "measure": "frequency_Hz", "arms": ["intatc"]} | _ROW]}, "intact"),
        ({"rows": [{"id": "X", "measure": "frequency_Hz", "rule": "maybe"} | _ROW]}, "maybe"),
        ({"colour": 1}, "colour"),
        ({"controls": {"x": 0}}, "draws"),
        ({"controls": {"no AVA": {"lesoin": []}}}, "lesion"),
        ({"rows": [{"id": "X", "measure": "frequency_Hz", "how": "peak"} | _ROW]}, "as many x"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        tables.parse({"a": {"about": "", "task": "locomotion", **change}})


def test_wilson_is_wilson():
    assert wilson(78, 120) == pytest.approx((0.561, 0.729), abs=1e-3)
    assert wilson(0, 10)[0] == 0 and wilson(0, 10)[1] == pytest.approx(0.2775, abs=1e-3)


def test_estimates_are_paired_and_cover():
    rng = np.random.default_rng(1)
    base = rng.normal(10, 5, 30)
    one = estimate([list(base + 1), list(base)], "difference")
    assert one.value == pytest.approx(1) and one.high95 - one.low95 < 1e-9  # seeds cancel
    hits = 0
    for i in range(100):
        found = estimate([list(rng.normal(0, 1, 40))], seed=i)
        hits += found.low95 <= 0 <= found.high95
    assert 85 <= hits <= 100
    assert estimate([[(1.0, 2.0), (3.0, 2.0), math.nan]]).value == 1.0
    assert math.isnan(estimate([[math.nan, None]]).value)
    assert estimate([[2.0, 2.0, 2.0]]).distinct == 1 and estimate([[2.0, 2.1, math.nan]]).distinct == 2
    assert estimate([[3.0, 3.1], [2.0, 2.1], [1.0, 1.1]], "trend").value == -1
    peak = estimate([[1.0, 1.1], [3.0, 2.9], [2.0, 2.2]], "peak", x=[2.0, 8.0, 32.0])
    assert (peak.value, peak.low95, peak.high95) == (8.0, 8.0, 8.0)
    assert math.isnan(estimate([[1.0], [None]], "peak", x=[1.0, 2.0]).value)


def test_verdicts():
    def say(value, rule, low=None, high=None, spread=0.1):
        return verdict(Estimate(value, value - spread, value + spread, 5), rule, {"low": low, "high": high})

    assert say(0.3, "range", 0.26, 0.34) == "in range"
    assert say(0.2, "range", 0.26, 0.34) == "falls short"
    assert say(0.4, "range", 0.26, 0.34) == "overshoots"
    assert say(0.9, "range", 0.8) == "in range" and say(0.2, "range", None, 0.1) == "overshoots"
    assert say(0.2, "+") == "sign ok" and say(0.05, "+") == "falls short" and say(-0.2, "-") == "sign ok"
    assert say(0.2, "+", 0.3) == "falls short" and say(-0.2, "-", None, -0.1) == "sign ok"
    one = say(0.2, "+", spread=math.nan), say(-0.2, "-", spread=math.nan)
    assert all(said.startswith("too few") for said in one) and say(-0.2, "+", spread=math.nan) == "falls short"
    assert say(0.2, "beside") == "beside"
    assert say(math.nan, "range", 0, 1) == "not measured (nothing to measure in any trial)"
    shuffles = ("degree-preserving", "weight-shuffle")
    assert finding("in range", {name: (1, 20) for name in shuffles}) == "earned by the wiring"
    assert finding("in range", {"degree-preserving": (0, 20), "weight-shuffle": (2, 20)}) == "partly"
    assert finding("sign ok", {"degree-preserving": (0, 20), "weight-shuffle": (10, 20)}) == "any wiring gives it"
    assert finding("in range", {"degree-preserving": (0, 20), "pattern-generator": (1, 1)}) == "needs no brain"
    assert finding("in range", {"degree-preserving": (0, 20), "brain-off": (0, 1)}) == "earned by the wiring"
    assert finding("in range", {"brain-off": (0, 1)}) == "not scored"  # nothing was shuffled
    assert finding(one[0], {"degree-preserving": (0, 20)}) == "too few trials"
    assert finding("falls short", {"degree-preserving": (20, 20)}) == "does not come out"
    assert finding("sign ok", {"degree-preserving": (0, 20)}, "falls short") == "too few trials"
