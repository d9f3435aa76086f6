"""`bestiary stimulate` and `bestiary bench engine`: what they write, print and refuse."""

from __future__ import annotations

import contextlib
import io
import json
import sys

import numpy as np
import pytest

from bestiary.brains.connectome import Connectome, write_connectome
from bestiary.brains.spiking import stimulate
from bestiary.cli import main
from bestiary.errors import DataError


def call(*words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(w) for w in words])
    return code, out.getvalue(), err.getvalue()


def chain() -> Connectome:
    """a drives b and c strongly, b drives d; e hears nobody."""
    return Connectome(
        ids=list("abcde"),
        types=["S", "I", "I", "M", "M"],
        sides=["L", "L", "R", "L", "R"],
        pre=[0, 0, 1],
        post=[1, 2, 3],
        weight=[250.0, 250.0, 250.0],
        source="a chain",
    )


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_connectome(chain(), tmp_path / "chain.npz")
    return tmp_path / "chain.npz"


WORDS = ("--drive", "S=100Hz", "--trials", 3, "--seconds", 0.2, "--seed", 4)


def test_what_it_writes_is_what_it_says(file):
    code, out, err = call("stimulate", file, *WORDS, "--json")
    assert code == 0, err
    got = json.loads(out)
    folder = file.parent / "runs" / "stimulate-chain.npz-4"
    assert {p.name for p in folder.iterdir()} >= {"raster.png", "rates.png", "summary.json"}
    assert json.loads((folder / "summary.json").read_text()) == got
    assert (got["neurons"], got["edges"], got["driven"], got["recorded"]) == (5, 3, 1, 5)
    rate = {row["id"]: row["rate_Hz"] for row in got["table"]}
    assert rate.keys() == set("abcd") and 50 < rate["a"] < 160
    first = {row["id"]: row["first_ms"] for row in got["table"]}
    assert first["a"] + 1.8 < first["b"] == first["c"] < first["d"] - 1.8  # the delay of each synapse, at least
    assert got["spikes"] == pytest.approx(sum(rate.values()) * 3 * 0.2)
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(folder / "spikes.parquet").num_rows == got["spikes"]


def test_silence_lesion_and_record_reach_the_network(file):
    def fired(*words):
        code, out, err = call("stimulate", file, *WORDS, *words, "--no-plots", "--out", "o", "--json")
        assert code == 0, err
        return {row["id"] for row in json.loads(out)["table"]}

    assert fired("--silence", "S") == {"a"}
    assert fired("--silence", "b") == {"a", "b", "c"}
    assert fired("--lesion", "I & side=L") == {"a", "c"}
    assert fired("--record", "b,c", "--record", "M") == {"b", "c", "d"}
    assert fired("--drive", "d,e=100Hz") == set("abcde")


def test_its_table_is_the_scripts(file):
    code, text, _ = call("stimulate", file, *WORDS, "--no-plots", "--out", "o")
    assert code == 0 and "chain.npz: 5 neurons, 3 edges; 1 driven, 3 trials of 0.2 s, seed 4" in text
    script = stimulate(str(file), drive=["S=100Hz"], trials=3, seconds=0.2, seed=4).table()
    assert json.loads((file.parent / "o" / "summary.json").read_text())["table"] == script


def test_unknown_neurons_and_missing_libraries_are_one_line(file, monkeypatch):
    code, out, err = call("stimulate", file, "--drive", "S=100Hz", "--silence", "SS")
    assert code == 2 and not out and "did you mean" in err.strip().splitlines()[-1]
    assert not (file.parent / "runs").exists()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = call("stimulate", file, *WORDS, "--nwb")
    assert code == 2 and "pip install 'bestiary[nwb]'" in err
    code, _, err = call("stimulate", file, *WORDS, "--no-plots", "--out", "o")
    assert code == 0 and "bestiary[parquet]" in err and not (file.parent / "o" / "spikes.parquet").exists()
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(DataError, match="nwb"):
        stimulate(chain(), drive=["S=100Hz"], trials=1, seconds=0.01).to_nwb("x.nwb")


def test_nwb_is_valid_and_holds_the_spikes(file):
    pynwb = pytest.importorskip("pynwb")
    assert call("stimulate", file, *WORDS, "--nwb", "--no-plots", "--out", "o")[0] == 0
    path = file.parent / "o" / "spikes.nwb"
    with pynwb.NWBHDF5IO(str(path), "r") as opened:
        assert not pynwb.validate(io=opened)
        got = opened.read()
        units = {i: np.array(t) for i, t in zip(got.units["neuron_id"][:], got.units["spike_times"][:], strict=True)}
        trials = got.trials["start_time"][:]
    np.testing.assert_allclose(trials, [0, 0.2, 0.4])
    wanted = stimulate(str(file), drive=["S=100Hz"], trials=3, seconds=0.2, seed=4)
    assert list(units) == list("abcd")
    for row, name in enumerate("abcd"):
        mine = wanted.neuron == row
        np.testing.assert_allclose(units[name], (wanted.time_s + 0.2 * wanted.trial)[mine])
    assert [p.name for p in path.parent.iterdir() if "part" in p.name] == []


def test_bench_engine_prints_its_report(monkeypatch):
    from bestiary.tasks import _bench_engine

    asked = {}

    def bench_engine(repeats, seconds, **options):
        asked.update(options, repeats=repeats, seconds=seconds)
        options["note"]("sparse 1/2")
        row = {"wall_s_per_s": 0.34, "spikes_per_s": 13e3, "events_per_wall_s": 1e7, "share_of_bandwidth": 0.5}
        return {
            "neurons": 5000,
            "edges": 2,
            "regimes": {"sparse": row | {"first_call_s": 1.0}},
            "small": {"10_steps_us": 90.0},
            "build_s": {"from_cache": 0.9},
            "peak_bytes": 9.3e8,
        }

    monkeypatch.setattr(_bench_engine, "bench_engine", bench_engine)
    code, out, err = call("bench", "engine", "--quick")
    assert code == 0, err
    assert all(text in out for text in ("sparse", "0.34", "300 neurons, 10 steps", "building, from cache", "930 MB"))
    assert (asked["repeats"], len(asked["connectome"]), asked["threads"]) == (2, 5000, 1)
    code, out, err = call("bench", "engine", "--repeats", 3, "--json")
    assert json.loads(out)["engine"]["neurons"] == 5000
    assert (asked["repeats"], asked["seconds"], asked["connectome"]) == (3, 0.3, None)
    assert call("bench", "engine", "--threads", 0)[0] == 2
