"""What is exported is what is imported: NWB, Minari, and connectomes from the command line."""

from __future__ import annotations

import contextlib

import gymnasium
import numpy as np
import pytest
from _stub_body import StubBody
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_cli import call, report
from test_recording import record

import bestiary
from bestiary.brains.connectome import load_connectome
from bestiary.envs import EmbodiedEnv
from bestiary.envs.dataset import read_dataset, write_dataset
from bestiary.envs.nwb import read_nwb, write_nwb
from bestiary.envs.recording import Recorder, open_recording
from bestiary.errors import BestiaryError, DataError

pynwb = pytest.importorskip("pynwb", reason="needs pynwb: pip install 'bestiary[nwb]'")
QUIET = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_came_back(recording, nwb) -> None:
    got, about = read_nwb(nwb)
    with open_recording(recording) as run:
        assert about == run.metadata and set(got) == set(run)
        for key in run:
            assert (got[key].unit, got[key].names) == (run[key].unit, run[key].names), key
            if key == "time_s":
                np.testing.assert_allclose(got[key].data, run[key][:], rtol=1e-9)
            else:
                assert got[key].data.dtype == run[key].data.dtype
                assert got[key].data.tobytes() == run[key][:].tobytes(), key


@QUIET
@given(data=st.data())
def test_any_recording_comes_back_from_nwb(tmp_path, data):
    """Whatever was recorded, in whatever chunks, regular or not."""
    env = EmbodiedEnv(StubBody(), "chemotaxis")
    obs, info = env.reset(seed=data.draw(st.integers(0, 99)))
    n = data.draw(st.integers(1, 25), "rows")
    shape = data.draw(st.sampled_from([(4,), (2, 4), ()]))
    numbers = st.floats(-1e6, 1e6, width=32)
    size = int(np.prod(shape))
    jitter = data.draw(st.booleans(), "irregular")

    class Odd:
        names = ("A-1", "B é", "C/2", "D")

        def probe(self):
            values = data.draw(st.lists(numbers, min_size=size, max_size=size))
            return {"voltage_mV": np.reshape(np.float32(values), shape), "x": float(values[0])}

    with Recorder(tmp_path / "r.h5", env, Odd(), chunk=data.draw(st.integers(1, 9))) as recorder:
        for k in range(n):
            obs, reward, *_, info = env.step(np.zeros(3))
            recorder.add(np.zeros(3), obs, reward, {**info, "time_s": info["time_s"] + 1e-3 * (jitter and k % 2)})
    write_nwb(tmp_path / "r.h5", tmp_path / "r.nwb")
    assert_came_back(tmp_path / "r.h5", tmp_path / "r.nwb")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.h5", "r.nwb"]


@pytest.fixture(scope="module")
def worm(tmp_path_factory):
    out = tmp_path_factory.mktemp("worm")
    report("run", "worm", "--seconds", "3.2", "--no-video", "--no-plots", "--out", out)
    return out


def test_a_run_is_valid_nwb(worm):
    got = report("export", worm, worm / "run.nwb")
    assert got["rows"] == 320 and got["complete"]
    assert_came_back(worm / "recording.h5", worm / "run.nwb")
    assert pynwb.validate(path=str(worm / "run.nwb")) == []
    with pynwb.NWBHDF5IO(str(worm / "run.nwb"), "r") as opened:
        file = opened.read()
        volts = file.processing["misc"]["brain__voltage_mV"]
        assert volts.unit == "volts" and volts.conversion == 1e-3 and volts.rate == 100.0
        assert -0.1 < float(np.median(volts.data[:]) * volts.conversion) < 0.05
        assert file.subject.species == "Caenorhabditis elegans" and "simulated" in file.subject.description


def test_the_inspector_finds_nothing_that_matters(worm):
    inspector = pytest.importorskip("nwbinspector", reason="needs nwbinspector: pip install 'bestiary[nwb]'")
    write_nwb(worm / "recording.h5", worm / "i.nwb")
    found = list(inspector.inspect_nwbfile(nwbfile_path=str(worm / "i.nwb")))
    worse = [m for m in found if m.importance.name != "BEST_PRACTICE_SUGGESTION"]
    assert [m.message for m in worse] == []


def test_nwb_that_is_damaged_or_foreign(worm, tmp_path):
    write_nwb(worm / "recording.h5", tmp_path / "x.nwb")
    raw = (tmp_path / "x.nwb").read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(raw), 4):
        (tmp_path / "y.nwb").write_bytes(raw[:cut])
        with pytest.raises(DataError):
            read_nwb(tmp_path / "y.nwb")
    for at in rng.integers(0, len(raw), 6):
        (tmp_path / "y.nwb").write_bytes(raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :])
        with contextlib.suppress(DataError):
            read_nwb(tmp_path / "y.nwb")
    with pytest.raises(DataError, match="no NWB file at"):
        read_nwb(tmp_path / "none.nwb")
    code, _, err = call("export", tmp_path / "none.h5", tmp_path / "z.nwb")
    assert code == 2 and "no recording" in err and not (tmp_path / "z.nwb").exists()


def test_what_a_kill_left_can_be_exported(tmp_path):
    env, _ = record(tmp_path / "whole.h5", steps=30)
    recorder = Recorder(tmp_path / "cut.h5", env, chunk=5)
    for _ in range(12):
        obs, reward, *_, info = env.step(np.zeros(3))
        recorder.add(np.zeros(3), obs, reward, info)
    recorder.close(complete=False)
    got = report("export", tmp_path / "cut.h5", tmp_path / "cut.nwb")
    assert got["rows"] == 12 and not got["complete"]
    with pynwb.NWBHDF5IO(str(tmp_path / "cut.nwb"), "r") as opened:
        assert "cut short" in opened.read().session_description


def test_a_minari_dataset_is_what_happened(tmp_path):
    pytest.importorskip("minari", reason="needs minari: pip install 'bestiary[minari]'")
    name, options = "bestiary/worm/cook2019-v0", {"task_options": {"seconds": 0.2}, "clock": {"control": "0.02"}}
    animal = bestiary.animal("worm", clock={"control": "0.02"})
    write_dataset(name, "bestiary/WormCrawl-v0", animal, episodes=2, seed=3, folder=tmp_path, **options)
    data = read_dataset(name, tmp_path)
    assert data.total_episodes == 2 and data.total_steps == 20
    env = data.recover_environment()
    for k, episode in enumerate(data):
        obs, _ = env.reset(seed=3 + k)
        for t, action in enumerate(episode.actions):
            assert all(np.array_equal(episode.observations[s][t], obs[s]) for s in obs)
            obs, reward, *_ = env.step(action)
            assert reward == episode.rewards[t]
        assert all(np.array_equal(episode.observations[s][-1], obs[s]) for s in obs)
    with pytest.raises(BestiaryError, match="is there already"):
        write_dataset(name, "bestiary/WormCrawl-v0", animal, folder=tmp_path, **options)
    with pytest.raises(BestiaryError, match="Minari refuses"):
        write_dataset("no version", "bestiary/WormCrawl-v0", None, folder=tmp_path, **options)  # nobody has to act
    with pytest.raises(DataError, match="no Minari dataset"):
        read_dataset("bestiary/none-v0", tmp_path)
    assert gymnasium.make("bestiary/WormCrawl-v0").unwrapped.task.seconds == 60


@pytest.mark.parametrize("suffix", [".csv", ".graphml", ".h5", ".npz"])
def test_a_connectome_goes_out_is_read_and_runs(suffix, tmp_path):
    file = tmp_path / f"worm{suffix}"
    sent = report("export", "worm", file)
    got = report("import", file, "--rows", sent["edges"])
    table = load_connectome()
    assert (got["neurons"], got["edges"]) == (len(table), table.n_edges) == (sent["neurons"], sent["edges"])
    assert got["kinds"] == table.kind.counts() and "along" in got["columns"]
    if suffix == ".h5":
        again = report("import", file, "--out", tmp_path / "again.csv")
        assert again["out"] and (tmp_path / "again.neurons.csv").is_file()
        mine = bestiary.animal("worm", connectome=str(file))
        ours = bestiary.animal("worm", connectome=load_connectome())
        mine.reset(0), ours.reset(0)
        env = EmbodiedEnv("worm", "locomotion", clock=mine.clock)
        obs, _ = env.reset(seed=0)
        assert np.array_equal(mine.act(obs), ours.act(obs))


def test_verbs_refuse_in_one_line(tmp_path):
    (tmp_path / "f.csv").write_text("a,b,n\n1,2,-3\n")
    got = report("import", tmp_path / "f.csv", "--column", "pre=a,post=b,weight=n", "--signed")
    assert got["signs"]["-1"] == 1 and got["weight"]["sum"] == 3
    for words, said in (
        (["import", tmp_path / "f.csv"], "no column 'pre'"),
        (["import", tmp_path / "f.csv", "--column", "pre"], "cannot read the column"),
        (["import", tmp_path / "f.txt"], "unknown format"),
        (["export", "wrom", tmp_path / "x.csv"], "did you mean 'worm'"),
        (["export", "fly:centrl", tmp_path / "x.csv"], "did you mean 'central'"),
        (["export", "worm", tmp_path / "x.txt"], "unknown format"),
        (["export", "bestiary/WormCrwl-v0", "minari:a/b-v0"], "did you mean 'bestiary/WormCrawl-v0'"),
    ):
        code, out, err = call(*words)
        assert code == 2 and out == "" and said in err, err
