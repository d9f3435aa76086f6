"""Screens: what is asked is what is run, over any place; stopped, they go on; a failure stays its own."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from _screen_work import work
from test_cli import call, report

import bestiary
from bestiary.errors import BestiaryError, CheckpointError, DataError, UnknownNeuronError
from bestiary.tasks import _screen, _workers
from bestiary.tasks._screen import Screen, Store, neurons, run_screen

ITEMS = ["a", "fails", "b", "dies", "c", "sleeps"]


def over(place, items, folder, jobs=2, **options):
    done = _workers.over(place, work, {"folder": folder}, items, jobs, folder, options)
    return {items[k]: (got, why) for k, got, why in done}


def check(got):
    assert got.keys() == set(ITEMS)
    assert all(got[name][0]["item"] == name for name in ("a", "b", "c", "sleeps"))
    # once, or once more where the process that died beside it took its first answer along
    assert got["fails"][0] is None and re.match(r"ValueError: fails, try [12] ", got["fails"][1])
    assert got["dies"][0] is None and got["dies"][1]


def needs(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}, an optional extra")


def test_a_failure_stays_its_own(tmp_path):
    check(over("cores", ITEMS, tmp_path))


def test_ray(tmp_path):
    needs("ray")
    check(over("ray", ITEMS, tmp_path))


def test_slurm_in_this_process(tmp_path):
    needs("submitit")
    got = over("slurm", ["a", "fails", "b"], tmp_path, cluster="debug")
    assert got["a"][0]["item"] == "a" and got["b"][0] and "ValueError: fails" in got["fails"][1]


@pytest.mark.slow
def test_slurm_where_there_is_none(tmp_path, monkeypatch):
    needs("submitit")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *(p for p in sys.path if p)]))
    check(over("slurm", ITEMS, tmp_path))


def test_one_process_and_unknown_places(tmp_path, monkeypatch):
    assert over("cores", ["a", "fails"], tmp_path, jobs=1)["fails"][1].startswith("ValueError")
    with pytest.raises(LookupError, match="did you mean 'slurm'"):
        over("slrum", ["a"], tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "submitit", None)
    for place, package in (("ray", "Ray"), ("slurm", "submitit")):
        with pytest.raises(BestiaryError, match=f"{package} is not installed: pip install 'bestiary"):
            over(place, ["a"], tmp_path)


QUICK = Screen("worm", "lesion", (("AVAL", ("AVAL",)), ("AVB", ("type=AVB",))), "touch", seconds=20.0, seed=0)


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screen")
    return folder, run_screen(QUICK, folder, jobs=1)


def test_a_screen_is_a_table_with_a_figure(screened):
    folder, found = screened
    assert found.done == 3 and not found.failures
    assert {r["item"] for r in found.rows} == {"intact", "AVAL", "AVB"}
    measures = {r["measure"] for r in found.rows}
    assert measures == {"reversal_response", "speed_after_mm_per_s"} and {r["arm"] for r in found.rows} == {"front"}
    with open(folder / "table.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found.rows) == len(json.loads((folder / "table.json").read_text()))
    assert (folder / "screen.png").stat().st_size > 5000
    same = {(r["item"], r["measure"]): r["value"] for r in found.rows}
    direct = _screen.work(QUICK, QUICK.items[0])["values"]["front"]["reversal_response"][0]
    assert same["AVAL", "reversal_response"] == direct[0] / direct[1]
    values = [same[name, "speed_after_mm_per_s"] for name in ("intact", "AVAL", "AVB")]
    assert len({repr(v) for v in values}) > 1, "the lesions do something"
    difference = next(r["difference"] for r in found.rows if r["item"] == "AVAL" and "speed" in r["measure"])
    assert difference == pytest.approx(values[1] - values[0], nan_ok=True)
    assert 0.5 < found.occupied <= 1


def test_a_stopped_screen_goes_on(screened, tmp_path, monkeypatch):
    folder, found = screened
    lines = (folder / "items.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "screen.json").write_text((folder / "screen.json").read_text())
    (tmp_path / "items.jsonl").write_text(lines[0] + lines[1] + lines[2][:40])  # killed within a line
    seen, real = [], _screen.work
    monkeypatch.setattr(_screen, "work", lambda screen, item: seen.append(item[0]) or real(screen, item))
    again = run_screen(QUICK, tmp_path, jobs=1)
    assert seen == ["AVB"] and again.done == 1

    def numbers(rows):
        return [[repr(v) for v in r.values()] for r in rows]

    assert numbers(again.rows) == numbers(found.rows)
    assert run_screen(QUICK, tmp_path, jobs=1).done == 0
    with pytest.raises(CheckpointError, match="another screen"):
        Store(tmp_path, Screen("worm", "silence", QUICK.items, "touch"))
    (tmp_path / "items.jsonl").write_text("nonsense\n")
    with pytest.raises(DataError, match="damaged"):
        run_screen(QUICK, tmp_path, jobs=1)


def test_what_failed_is_tried_again_as_often_as_asked(tmp_path, monkeypatch):
    def sometimes(screen, item):
        got = work({"folder": tmp_path}, item[0])
        return {**got, "values": {}, "failures": {}, "wall_s": 0.1, "cpu_s": 0.1}

    monkeypatch.setattr(_screen, "work", sometimes)
    screen = Screen("worm", "lesion", tuple((n, (n,)) for n in ("a", "fails once", "fails")), "touch")
    found = run_screen(screen, tmp_path / "s", jobs=1, retries=1)
    assert found.failures.keys() == {"fails"} and "try 2" in found.failures["fails"]
    assert len(list(tmp_path.glob("fails.*"))) == 2 and len(list(tmp_path.glob("fails once.*"))) == 2
    assert run_screen(screen, tmp_path / "s", jobs=1, retries=1).done == 0
    assert run_screen(screen, tmp_path / "s", jobs=1, retries=2).done == 1


def test_items_are_neurons_types_or_queries():
    assert len(neurons("worm", "all")) == 302
    assert ("AVA", ("type=AVA",)) in neurons("worm", "types") and len(neurons("worm", "TYPE")) < 200
    assert [name for name, _ in neurons("worm", "AVA, ASEL")] == ["AVAL", "AVAR", "ASEL"]
    assert neurons("fly", "type:DNa0[12]") == (("DNa01", ("type=DNa01",)), ("DNa02", ("type=DNa02",)))
    both = bestiary.animal("fly", lesion=["type=DNa02"]).about["lesion"]
    assert both == ("type=DNa02",)
    with pytest.raises(UnknownNeuronError, match="did you mean"):
        neurons("worm", "AVAX")


def test_pairs_say_who_answers(tmp_path):
    names = ("AVAL", "AVAR", "AVBL", "ASEL")
    screen = Screen("worm", "pairs", tuple((n, (n,)) for n in names), drive="30")
    found = run_screen(screen, tmp_path, jobs=1)
    answer = {(r["from"], r["to"]): r["response_mV"] for r in found.rows}
    assert len(answer) == 12 and np.isfinite(list(answer.values())).all()
    assert min(answer["AVAL", "AVAR"], answer["AVAR", "AVAL"]) > 0.1, "they are joined by gap junctions"
    assert answer["AVAL", "AVBL"] < -0.05, "the command pools inhibit each other"
    assert abs(answer["AVAL", "ASEL"]) < abs(answer["AVAL", "AVBL"])
    assert (tmp_path / "screen.png").is_file()


def test_the_command_line(tmp_path):
    words = ["screen", "worm", "--lesion-each", "AVAL", "--assay", "touch", "--seconds", "5.5", "--jobs", "1"]
    got = report(*words, "--out", tmp_path / "a")
    assert got["items"] == 1 and got["done"] == 2 and got["files"]["table"].endswith("table.csv")
    assert "cores occupied" not in call(*words, "--out", tmp_path / "a")[1], "nothing was left to do"
    for wrong, near in (
        (["--lesion-each", "AVAX", "--assay", "touch"], "did you mean"),
        (["--lesion-each", "AVAL", "--assay", "tuch"], "did you mean 'touch'"),
        (["--lesion-each", "AVAL", "--assay", "touch", "--arm", "frnt"], "did you mean 'front'"),
        (["--lesion-each", "AVAL"], "--assay is missing"),
        (["--lesion-each", "AVAL", "--silence-each", "AVAR", "--assay", "touch"], "one kind"),
        (["--stimulate-each", "AVAL", "--assay", "touch"], "--drive is missing"),
        (["--lesion-each", "AVAL", "--assay", "touch", "--on", "slum"], "did you mean 'slurm'"),
    ):
        code, out, err = call("screen", "worm", *wrong, "--out", tmp_path / "b")
        assert code == 2 and out == "" and near in err, err
    assert not (tmp_path / "b").exists()
