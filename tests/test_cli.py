"""The command line: what is printed, what is written, what is refused, and what is left after Ctrl-C."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

import bestiary
from bestiary._commands import _show
from bestiary.cli import VERBS, main
from bestiary.envs.recording import Recorder, open_recording


def call(*words):
    """(exit status, stdout, stderr) of one command line, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(w) for w in words])
        except SystemExit as left:
            code = left.code
    return code, out.getvalue(), err.getvalue()


def report(*words):
    code, out, err = call(*words, "--json")
    assert code == 0, err
    assert out.count("\n") == 1, "one JSON object and nothing else"
    return json.loads(out)


def test_help_names_every_verb_and_every_option_has_a_text():
    code, out, _ = call("--help")
    assert code == 0 and all(verb in out for verb in VERBS)
    for verb in VERBS:
        code, out, _ = call(verb, "--help")
        assert code == 0 and "--json" in out and (VERBS[verb].__doc__ or "")[:20] in out
    out = call("run", "--help")[1]
    assert "of the animal's time" in out and out.count("a name (agar, water)") == 1, "each option has its own text"
    assert call("--version")[1] == f"bestiary {bestiary.__version__}\n"


@pytest.mark.parametrize("words", [["--help"], ["list"], ["data", "list"]])
def test_help_and_lists_need_no_brain_stack(words):
    program = (
        "import sys; from bestiary.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(sorted({'jax', 'brainpy', 'brainstate', 'numba', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_list_knows_what_the_registry_knows():
    got = report("list")
    assert list(got["animals"]) == bestiary.animals("bodies")
    assert list(got["tasks"]) == bestiary.animals("tasks")
    assert all(about["brain"] for name, about in got["animals"].items() if name in bestiary.animals("interfaces"))
    assert "weight-shuffle" in got["controls"] and "bestiary/WormCrawl-v0" in got["environments"]
    text = call("list")[1]
    for name in (
        *got["animals"],
        *got["tasks"],
        *got["controls"],
        *got["environments"],
        *got["spiking_brains"],
        "cook2019",
    ):
        assert name in text


UNKNOWN = {
    "rnu": (["rnu", "worm"], "run"),
    "animal": (["run", "wrom"], "worm"),
    "card": (["card", "wrom"], "worm"),
    "task": (["run", "worm", "--task", "tuch"], "touch"),
    "data": (["data", "path", "worm-calcum"], "worm-calcium"),
    "action": (["data", "gte"], "get"),
    "control": (["run", "worm", "--control", "weight-shufle"], "weight-shuffle"),
    "neuron": (["run", "worm", "--lesion", "AVAL,AVARR"], "AVAR"),
    "component": (["run", "worm", "--without", "arousl"], "arousal"),
    "connectome": (["run", "worm", "--connectome", "cook2018"], "cook2019"),
    "medium": (["run", "worm", "--medium", "agr"], "agar"),
    "brain": (["stimulate", "flywir", "--drive", "P9=1Hz"], "flywire"),
    "bench": (["bench", "engin"], "engine"),
    "stage": (["fit", "worm", "loup"], "loop"),
    "option": (["run", "worm", "--secnds", "1"], "--seconds"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_unknown_name_is_one_line_with_the_nearest(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words, near = UNKNOWN[case]
    code, out, err = call(*words)
    assert code == 2 and out == ""
    last = err.strip().splitlines()[-1]
    assert last.startswith("bestiary: ") and "Traceback" not in err
    assert not near or f"did you mean {near!r}?" in last
    assert not list(tmp_path.iterdir()), "nothing is written before names are known"


@pytest.mark.parametrize("words", [["run"], ["run", "worm", "--secnds", "1"], ["run", "worm", "--seed", "x"]])
def test_a_wrong_usage_is_one_line_and_one_json_object(words):
    code, out, err = call(*words, "--json")
    assert code == 2 and set(json.loads(out)) == {"error", "kind"}
    assert err.count("\n") == 1 and "bestiary run --help" in err


BAD = {
    "seconds": ["run", "worm", "--seconds", "-1"],
    "slow": ["run", "worm", "--slow-motion", "0"],
    "stimulus": ["run", "worm", "--stimulate", "AVA:20"],
    "drag": ["run", "worm", "--medium", "2,1"],
    "recording": ["plot", "nowhere.h5"],
    "name": ["data", "get"],
    "seed": ["run", "worm", "--seed", "-1"],
    "control seed": ["assay", "worm", "crawl", "--control", "weight-shuffle", "--control-seed", "-1"],
    "repeats": ["bench", "worm", "--repeats", "0"],
    "parameters": ["run", "worm", "--parameters", "nowhere.json"],
    "graded brain": ["stimulate", "worm", "--drive", "AVA=10Hz"],
    "no drive": ["stimulate", "p9"],
    "no rate": ["stimulate", "p9", "--drive", "P9"],
    "trials": ["stimulate", "p9", "--drive", "P9=1Hz", "--trials", "0"],
    "bench options": ["bench", "worm", "--quick"],
    "bench of many": ["bench", "worm", "--n", "8"],
    "folder that is a file": ["run", "worm", "--seconds", "1", "--no-video", "--out", __file__],
    "assay into a file": ["assay", "worm", "crawl", "--out", __file__],
    "fit into a folder": ["fit", "worm", "--out", "."],
    "fit below a file": ["fit", "worm", "--out", f"{__file__}/fit.json"],
    "drawing into a file": ["stimulate", "p9", "--drive", "P9=1Hz", "--out", __file__],
    "no run there": ["resume", "nowhere"],
    "size of an animal": ["estimate", "worm", "--dt-ms", "1"],
    "a folder as connectome": ["export", ".", "a.csv"],
    "a stimulus after the end": ["run", "worm", "--seconds", "2", "--stimulate", "AVA:20pA@5-8"],
    "bench of a network": ["bench", "turing", "--repeats", "0"],
    "bench of many on it": ["bench", "scale", "--device", "tpu"],
    "stimulus number": ["run", "worm", "--stimulate", "AVA:1.2.3pA@1-2"],
    "assay parameters": ["assay", "worm", "crawl", "--parameters", "nowhere.json"],
    "screen seconds": ["screen", "worm", "--lesion-each", "AVA", "--assay", "touch", "--seconds", "-1"],
    "screen drive": ["screen", "worm", "--stimulate-each", "AVA", "--assay", "touch", "--drive", "foo"],
    "screen drive of lesions": ["screen", "worm", "--lesion-each", "AVA", "--assay", "touch", "--drive", "5pA"],
    "screen among": ["screen", "worm", "--lesion-each", "AVA", "--assay", "touch", "--among", "AVB"],
    "assay of pairs": ["screen", "worm", "--stimulate-pairs", "--assay", "touch"],
    "bench python": ["bench", "engine", "--brian2", "nowhere/python"],
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line_and_as_json(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*BAD[case], "--json")
    assert code == 2 and json.loads(out)["error"] in " ".join(err.split()) and "Traceback" not in err


def test_what_the_system_refuses_is_told_without_its_number(monkeypatch):
    def command(options):
        raise PermissionError(13, "Permission denied", "/etc/shadow")

    monkeypatch.setattr("bestiary._commands.list.command", command)
    assert call("list")[::2] == (2, "bestiary: /etc/shadow: Permission denied\n")


def test_usage_errors_leave_with_status_2():
    assert call("run")[0] == 2
    code, _, err = call("run", "worm", "--lesoin", "AVA")
    assert code == 2 and "--lesion" in err


def test_a_bug_is_not_hidden_and_the_variable_shows_where_an_error_comes_from(monkeypatch):
    monkeypatch.setattr("bestiary._commands.list.command", lambda options: {}["bug"])
    with pytest.raises(KeyError):
        call("list")
    monkeypatch.setenv("BESTIARY_TRACEBACK", "1")
    with pytest.raises(LookupError):
        call("run", "wrom")


def test_doctor_and_data(tmp_path, monkeypatch):
    monkeypatch.setenv("BESTIARY_CACHE", str(tmp_path))
    monkeypatch.delenv("BESTIARY_DATA", raising=False)
    code, out, _ = call("doctor", "--quick", "--json")
    got = json.loads(out)
    assert code == (0 if got["ok"] else 1) and {f["name"] for f in got["findings"]} >= {"python", "disk", "data"}
    sets = {entry["name"]: entry for entry in report("data", "list")["data"]}
    assert not sets["worm-calcium"]["found"] and sets["worm-calcium"]["citation"]
    assert report("data", "verify", "worm-calcium")["data"]["worm-calcium"]["ok"] == 0
    assert call("data", "path", "worm-calcium")[0] == 2


def test_a_damaged_data_file_is_found(tmp_path, monkeypatch):
    from bestiary.assets import registry

    monkeypatch.delenv("BESTIARY_DATA", raising=False)
    monkeypatch.setenv("BESTIARY_CACHE", str(tmp_path))
    place = tmp_path / registry.entry("worm-calcium").files[0].path
    place.parent.mkdir(parents=True)
    place.write_bytes(b"not it")
    code, out, _ = call("data", "verify", "worm-calcium", "--json")
    assert code == 1 and json.loads(out)["data"]["worm-calcium"]["damaged"] == 1


def test_json_is_strict_and_tables_line_up():
    import numpy as np

    outcome = _show.Outcome({"a": np.float32(np.nan), "b": np.arange(2), "c": (float("inf"), None, True)}, "")
    assert json.loads(outcome.json()) == {"a": None, "b": [0, 1], "c": [None, None, True]}
    lines = _show.table([("one", 1.0, "m"), ("three", 1234567.0, "s")]).splitlines()
    assert lines == ["  one            1  m", "  three  1.235e+06  s"]
    assert _show.words(["AVAL, AVAR", "AVB"]) == ("AVAL", "AVAR", "AVB")


def test_the_bar_of_a_resumed_run_begins_where_the_run_stood():
    with _show.bar(10.0, "worm", done=4.0) as progress:
        assert progress.n == progress.initial == 4 and progress.total == 10


QUICK = ["run", "worm", "--seconds", "1.5", "--no-video", "--no-plots", "--seed", "3"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return out, report(*QUICK, "--lesion", "AVAL,AVAR", "--lesion", "AVDL", "--out", out)


def test_run_writes_what_it_says(ran):
    out, got = ran
    assert {p.name for p in out.iterdir()} == {"recording.h5", "summary.json"}
    assert json.loads((out / "summary.json").read_text()) == got
    assert got["quantities"]["simulated"] == {"value": 1.5, "unit": "s"} and not got["stopped"]
    with open_recording(out / "recording.h5") as recording:
        assert recording.complete and recording.rows == 150
        assert recording.metadata["asked"]["lesion"] == ["AVAL,AVAR", "AVDL"]
        made = recording.metadata["animal"]
        assert made["name"] == "worm" and made["lesion"] == ["AVAL", "AVAR", "AVDL"] and made["control"] == "intact"
        assert "cook2019" in made["connectome"] and made["parameters"] and recording.metadata["medium"] == "agar"
        assert "AVAL" in recording["brain/voltage_mV"].names and len(recording["action"].names) == 95


def test_the_seed_names_the_run(ran, tmp_path):
    def life(got):
        timed = ("getting ready", "running", "times real time")
        return {k: v["value"] for k, v in got["quantities"].items() if k not in timed}

    cut = ["--lesion", "AVA", "--lesion", "AVDL", "--out", tmp_path]
    assert life(report(*QUICK, *cut)) == life(ran[1])
    assert life(report(*QUICK, *cut, "--seed", "4")) != life(ran[1])


def test_nothing_of_an_earlier_run_passes_for_this_ones(tmp_path):
    quick = ["run", "worm", "--seconds", "0.1", "--no-video", "--no-plots", "--out", tmp_path]
    theirs = tmp_path / "worm.mp4"
    theirs.write_text("not of a run")
    assert "replaced" not in call(*quick)[2] and theirs.is_file()
    (tmp_path / "recording_map.png").write_text("of the run before")
    err = call(*quick)[2]
    assert "is replaced" in err and "worm.mp4" in err
    assert {p.name for p in tmp_path.iterdir()} == {"recording.h5", "summary.json"}


def test_what_cannot_act_is_refused():
    for words, said in (
        (["run", "worm", "--control", "pattern-generator", "--lesion", "AVA"], "--lesion would change nothing"),
        (["run", "worm", "--control", "brain-off", "--stimulate", "AVA:5pA@0-1", "--without", "arousal"],
         "--stimulate, --without would change nothing: under 'brain-off' no neuron moves a muscle"),
        (["run", "worm", "--control-seed", "3"], "control_seed=3 would change nothing"),
        (["run", "worm", "--control", "poisson", "--control-seed", "3"], "'poisson' has none"),
        (["run", "worm", "--no-video", "--slow-motion", "4"], "--slow-motion would change nothing"),
        (["screen", "worm", "--lesion-each", "AVA", "--assay", "touch", "--control", "brain-off"], "--lesion-each"),
        (["assay", "worm", "crawl", "--control", "pattern-generator", "--without", "arousal"], "--without would"),
        (["fit", "worm", "--control", "brain-off"], "a fit of its brain would change nothing"),
    ):  # fmt: skip
        code, _, err = call(*words)
        assert code == 2 and said in err.replace("\n", " "), err


def test_a_run_is_summed_up_in_words(monkeypatch):
    from bestiary._commands import run
    from bestiary.tasks import _summary
    from bestiary.tasks._trial import Track

    monkeypatch.setattr(_summary, "summary", lambda track: {})
    info = {"time_s": [0.1], "forward_m": [1.0], "touch_N": [1e-5], "prey_caught": [2.0], "speed_now_m_per_s": [0.5]}
    got = run.measures(Track([0.1], [], [], [], info, 1e-3))
    told = {"touch": (1e-5, "N"), "prey caught": (2.0, ""), "speed now": (0.5, "m/s")}
    assert got == {f"{name}, at the end": value for name, value in told.items()}


def test_run_goes_on_without_pictures_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "disable")
    code, out, err = call("run", "worm", "--seconds", "0.5", "--no-plots", "--out", tmp_path)
    assert code == 0 and "no video" in err and "MUJOCO_GL" in err and "Traceback" not in err
    assert not list(tmp_path.glob("*.mp4")) and "recording.h5" in out


def test_a_drawing_library_that_is_asked_for_and_missing_stops_no_physics(tmp_path):
    (tmp_path / "OpenGL").mkdir()  # what `import mujoco` meets where the library is not installed
    (tmp_path / "OpenGL" / "__init__.py").write_text("raise AttributeError('no eglQueryString')")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from bestiary._commands._show import physics; physics()\n"
        "import mujoco; print(mujoco.MjModel.from_xml_string('<mujoco/>').nbody)"
    )
    env = {**os.environ, "MUJOCO_GL": "egl"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, timeout=120)
    assert done.stdout.strip() == "1" and "going on without pictures" in done.stderr, done.stderr


def test_ctrl_c_keeps_what_was_recorded(tmp_path, monkeypatch):
    added, add = [], Recorder.add

    def adding(self, *row):
        add(self, *row)
        added.append(1)
        if len(added) == 70:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Recorder, "add", adding)
    before = signal.getsignal(signal.SIGINT)
    code, _, err = call("run", "worm", "--seconds", "500", "--no-video", "--out", tmp_path)
    assert code == 130 and "open_recording" in err and "bestiary plot" in err
    assert signal.getsignal(signal.SIGINT) is before
    assert json.loads((tmp_path / "summary.json").read_text())["stopped"] is True
    with open_recording(tmp_path / "recording.h5") as recording:
        assert recording.rows == 70 and not recording.complete


def test_media_as_text():
    from bestiary._commands.run import medium

    assert medium(None) is None and medium("agar") == "agar"
    assert medium("0.01") == 0.01 and medium("3.3e-6,5.2e-6") == (3.3e-6, 5.2e-6)


def test_every_card_adds_up():
    for animal in bestiary.animals("interfaces"):
        got = report("card", animal)
        for part in got["wiring"]["parts"].values():
            for shares in filter(None, (part["provenance"], part["signs_by"])):
                for share in ("edges", "weight"):
                    assert sum(s[share] for s in shares.values()) == pytest.approx(1)
        for parameter in got["parameters"].values():
            assert {"value", "unit", "source", "fitted_to"} <= parameter.keys()
        levels = list(got["rubric"].values())
        assert len(levels) == 11 and all(r["evidence"] for r in levels)
        assert all(r["published"] <= r["declared"] and 0 <= r["declared"] <= 3 for r in levels)
        assert got["rubric_sum"] == sum(r["published"] for r in levels[:10])
        assert got["components"] and got["left_out"]
        text = call("card", animal)[1]
        assert all(name in text for name in (*got["parameters"], *got["components"], *got["rubric"]))


def test_a_card_of_a_file_is_that_of_its_connectome(tmp_path):
    from bestiary.brains.connectome import load_connectome, write_connectome

    write_connectome(load_connectome("worm", "witvliet8"), tmp_path / "mine.npz")
    mine, shipped = (report("card", "worm", "--connectome", c) for c in (tmp_path / "mine.npz", "witvliet8"))
    assert mine["wiring"]["parts"] == shipped["wiring"]["parts"]


def test_a_bench_splits_the_loop_into_its_parts():
    from bestiary.errors import BestiaryError
    from bestiary.tasks import _bench

    got = _bench.bench_loop("worm", seconds=0.2, repeats=1)
    assert sum(got["share"].values()) == pytest.approx(1)
    assert got["times_bare"] == pytest.approx(
        got["wall_s"]["loop"] / (got["wall_s"]["physics"] + got["wall_s"]["brain"])
    )
    assert got["life_s"] == pytest.approx(0.2) and got["times_real_time"] > 0
    with pytest.raises(BestiaryError, match="repeat"):
        _bench.bench_loop("worm", repeats=0)


def test_an_assay_stands_beside_the_published_value(tmp_path, monkeypatch):
    row = {
        "id": "W02", "quantity": "frequency", "value": 0.31, "low95": 0.3, "high95": 0.32, "n": 3, "published": 0.3,
        "published_low": 0.25, "published_high": 0.35, "unit": "Hz", "source": "a | b 2010", "verdict": "inside",
    }  # fmt: skip
    asked = {}

    def run_assay(animal, name, *, progress, **options):
        asked.update(options, name=name)
        progress(1, 3)
        progress(3, 3)
        return SimpleNamespace(
            about="crawling", table=lambda: [row], as_dict=lambda: {"rows": [row]}, failures={"intact, seed 7": "NaN"},
            kept={},
        )  # fmt: skip

    def run_controls(animal, names, controls, *, parameters, **options):
        asked.update(controls=controls, parameters=parameters)
        passed = {name: {"passed": 0, "k": k} for name, k in (controls or {"brain-off": 1}).items()}
        rows = [{**row, "intact": 0.31, "controls": passed, "finding": "earned by the wiring"}]
        return SimpleNamespace(rows=rows, refitted=False, as_dict=lambda: {"rows": rows})

    from bestiary.tasks import _assay, _assay_controls, _assay_table

    monkeypatch.setattr(_assay_controls, "run_controls", run_controls)
    monkeypatch.setattr(_assay, "run_assay", run_assay)
    monkeypatch.setattr(
        _assay_table, "assays", lambda animal: {"crawl": SimpleNamespace(about="crawling", controls={})}
    )
    got = report("assay", "worm", "crawl", "--n", "3", "--seed", "5", "--control", "brain-off", "--out", tmp_path)
    assert got["assays"]["crawl"]["rows"] == [row]
    assert (asked["name"], asked["n"], asked["seed"], asked["control"]) == ("crawl", 3, 5, "brain-off")
    text = call("assay", "worm")[1]
    assert "0.31" in text and "0.3 (0.25 to 0.35)" in text and "inside" in text
    assert "crawl: crawling" in text and "intact, seed 7: NaN" in text
    assert "a / b 2010" in (tmp_path / "assay.md").read_text()
    assert json.loads((tmp_path / "assay.json").read_text())["seed"] == 5

    def stopped(animal, name, **options):
        if name == "touch":
            raise KeyboardInterrupt
        return run_assay(animal, name, **options)

    monkeypatch.setattr(_assay, "run_assay", stopped)
    two = {name: SimpleNamespace(about=name, controls={}) for name in ("crawl", "touch")}
    monkeypatch.setattr(_assay_table, "assays", lambda animal: two)
    assert call("assay", "worm", "--out", tmp_path / "cut")[0] == 130
    assert list(json.loads((tmp_path / "cut" / "assay.json").read_text())["assays"]) == ["crawl"]
    monkeypatch.setattr(_assay, "run_assay", run_assay)
    monkeypatch.setattr(_assay_table, "assays", lambda animal: {"crawl": two["crawl"]})
    code, _, err = call("assay", "worm", "crawll")
    assert code == 2 and "did you mean 'crawl'?" in err
    text = call("assay", "worm", "--rewired", "10", "--out", tmp_path)[1]
    assert text.strip() in (tmp_path / "assay.md").read_text(), "controls have a page too"
    assert asked["controls"] == {"degree-preserving": 10} and asked["parameters"] is None
    assert "NOT refitted" in text and "degree-preserving 0/10" in text and "earned by the wiring" in text
    call("assay", "worm", "--controls", "weight-shuffle=20,brain-off")
    assert asked["controls"] == {"weight-shuffle": 20, "brain-off": 1}
    call("assay", "worm", "--controls", "all")
    assert asked["controls"] is None
    assert "did you mean 'weight-shuffle'" in call("assay", "worm", "--controls", "weight-shufle=2")[2]
    assert "degree-preserving=20" in call("assay", "worm", "--controls", "weight-shuffle=x")[2]
    assert call("assay", "worm", "--rewired", "2", "--refits", "one.json")[0] == 2
    assert call("assay", "worm", "--rewired", "1", "--refits", "one.json,two.json")[0] == 2
    assert "goes with --controls" in call("assay", "worm", "--paired")[2]
    assert "every trial is a draw" in call("assay", "worm", "--paired", "--controls", "weight-shuffle=2")[2]
    assert call("assay", "worm", "--n", "0")[0] == 2
    row["n"] = 0
    assert call("assay", "worm")[0] == 1, "nothing could be measured"
