"""The faults that must not lose or bend a result, by number: what each must do. Some are tested at length elsewhere."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from _stub_body import StubBody
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_cli import call
from test_data import CONTENT, SHA, served  # noqa: F401
from test_parts import Skin, brain
from test_recording import record

import bestiary
from bestiary.assets import registry
from bestiary.brains.connectome import (
    _io,
    _load,
    from_table,
    load_connectome,
    read_connectome,
    write_connectome,
)
from bestiary.brains.spiking import LIF, Exponential, Network, Projection, Simulation, _device
from bestiary.envs import Clock, EmbodiedEnv, checkpoint
from bestiary.envs.recording import Recorder, open_recording
from bestiary.errors import (
    ActionError,
    BestiaryError,
    CheckpointError,
    ClockError,
    ConnectomeError,
    DataError,
    DivergenceError,
    EpisodeError,
    RenderError,
    UnknownNeuronError,
)
from bestiary.interfaces._base import Animal
from bestiary.tasks._screen import Screen, Store
from bestiary.tasks.turing import readers as turing_readers

SHIU = (Projection(Exponential(0.005), 0.275),)
ROOT = Path(__file__).resolve().parents[1]
PATH = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *(p for p in sys.path if p)])}


def env(task="locomotion", **options) -> EmbodiedEnv:
    return EmbodiedEnv(StubBody(), task, **options)


def child(program: str, *arguments, **options) -> subprocess.CompletedProcess:
    words = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, **{"env": PATH, **options})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_01_an_action_that_is_not_finite(value):
    e = env()
    e.reset(seed=0)
    before = e.get_state()["physics"]
    with pytest.raises(ActionError, match=r"action\[1\] \(bend2\) is -?(nan|inf)"):
        e.step([0.0, value, 0.0])
    np.testing.assert_array_equal(e.get_state()["physics"], before)


def test_02_an_action_out_of_bounds():
    strict, clips = env(), env(bad_action="clip")
    for e in (strict, clips):
        e.reset(seed=0)
    with pytest.raises(ActionError, match=r"is 1.5, allowed is \[-1, 1\].*bad_action='clip'"):
        strict.step([0, 1.5, 0])
    assert clips.step([-3, 1.5, 0])[4]["clipped"] == 2


@pytest.mark.parametrize("action", [np.zeros(4), np.zeros((3, 1)), ["a", "b", "c"], None])
def test_03_an_action_of_another_shape_or_kind(action):
    e = env()
    e.reset(seed=0)
    with pytest.raises(ActionError, match=r"\(3,\).*got|3 numbers.*got"):
        e.step(action)
    assert e.time_s == 0


def test_04_a_body_that_diverges(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    e = env()
    e.reset(seed=0)
    e.data.qvel[-1] = np.nan
    _, _, terminated, truncated, info = e.step(np.zeros(3))
    assert terminated and not truncated and info["divergence"]
    assert not np.isfinite(e.data.qvel).all(), "it was put back in silence"
    checkpoint.save(tmp_path / "dump.npz", e.get_state())
    assert not np.isfinite(checkpoint.load(tmp_path / "dump.npz")[0]["physics"]).all()
    with pytest.raises(EpisodeError, match="diverged"):
        e.step(np.zeros(3))
    assert os.listdir(tmp_path) == ["dump.npz"], "MuJoCo writes no log"


def test_04_a_run_that_diverges_keeps_its_state(tmp_path, monkeypatch):
    add = Recorder.add

    def spoiling(self, *row):
        add(self, *row)
        if row[3]["time_s"] >= 0.05:
            self._env.data.qvel[-1] = np.nan

    monkeypatch.setattr(Recorder, "add", spoiling)
    code, out, _ = call("run", "worm", "--seconds", "1", "--no-video", "--no-plots", "--out", tmp_path)
    assert code == 1 and "it diverged" in out
    state, about = checkpoint.load(tmp_path / "diverged.npz")
    assert not np.isfinite(state["env"]["physics"]).all() and about["identity"]["wiring"]
    with open_recording(tmp_path / "recording.h5") as run:
        assert run.complete and run.divergence and np.isfinite(run["pose/com_m"][:]).all()


def test_05_a_brain_that_is_not_finite_or_runs_away():
    clock = Clock("0.002", "0.0002", "0.0002")
    for drive, said in ((np.nan, r"no longer finite at 0.1\d* s, first in A2"), (1e6, r"runs away: .* Hz .*at 0.1\d*")):

        class Driven(Skin):
            def encode(self, state, obs, drive=drive):
                return state, np.array([0, drive, 0, 0, 0], np.float32)

            def decode(self, reading):
                return np.zeros(2, np.float32)  # nothing of it reaches the motors

        animal = Animal("stub", brain(), Driven(), clock)
        animal.reset(0)
        with pytest.raises(DivergenceError, match=said):
            for _ in range(60):
                animal.act({})


def test_06_ids_that_are_double_or_do_not_match():
    edges = {"pre": list("abcdefgh"), "post": list("bcdefgha")}
    with pytest.raises(ConnectomeError, match=r"twice in 1 of 9 rows \(row 8: a\)"):
        from_table({"id": list("abcdefgha")}, edges)
    with pytest.raises(ConnectomeError, match=r"7 rows \(row 1: b.*row 5: f, \.\.\.\)"):
        from_table({"id": ["a"]}, {"pre": list("abcdefgh"), "post": ["a"] * 8})


def test_07_an_unknown_neuron():
    with pytest.raises(KeyError, match="did you mean 'AVAL'"):
        load_connectome().select("AVALL")
    with pytest.raises(UnknownNeuronError, match="did you mean"):
        bestiary.animal("worm", lesion=["AVAXX"])


def test_08_a_connectome_that_is_cut_off(tmp_path, monkeypatch):
    path = tmp_path / "e.csv"
    write_connectome(load_connectome(), path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:1001]))
    with pytest.raises(ConnectomeError, match=f"has 1000 edges, expected {len(lines) - 1}"):
        read_connectome(path, rows=len(lines) - 1)
    (tmp_path / "edges.csv.gz").write_bytes(gzip.compress(b"dataset,pre\n"))
    (tmp_path / "tables.json").write_text((ROOT / "assets/worm/tables.json").read_text())
    with pytest.raises(DataError, match=r"expected .* rows"):
        _load._read(tmp_path, "edges.csv.gz")
    assert load_connectome().n_edges == len(lines) - 1, "the whole one is still there"


def test_09_a_wrong_checksum(served, monkeypatch):  # noqa: F811
    old = registry.get("toy") / "a.bin"
    monkeypatch.setitem(CONTENT, "deep/b.txt", b"SYNAPSES\n")
    (registry.cache_folder() / "x/toy/deep/b.txt").unlink()
    came = hashlib.sha256(CONTENT["deep/b.txt"]).hexdigest()
    with pytest.raises(DataError, match=f"(?s){SHA['deep/b.txt']}.*{came}"):
        registry.get("toy")
    code, _, err = call("data", "get", "toy")
    err = "".join(err.split())
    assert code != 0 and SHA["deep/b.txt"] in err and came in err, "both hashes are said"
    assert old.read_bytes() == CONTENT["a.bin"] and not list(registry.cache_folder().rglob("*.part"))


@pytest.mark.parametrize("weight", ["nan", "inf", "-1"])
def test_10_weights_that_cannot_be(weight):
    with pytest.raises(ConnectomeError, match=r"row 1: (nan|inf|-1)"):
        from_table(None, {"pre": ["a", "b"], "post": ["b", "a"], "weight": ["1", weight]})


def test_11_delays_that_cannot_be():
    with pytest.raises(ConnectomeError, match="delay"):
        from_table(None, {"pre": ["a"], "post": ["b"], "delay_s": [-1e-3]})
    table = from_table(None, {"pre": ["a"], "post": ["b"], "delay_s": [1e-3]})
    for delay_s in (-1e-3, 0.4e-3):
        with pytest.raises(BestiaryError, match="delay"):
            Simulation(Network(table, LIF(), SHIU, delay_s=delay_s, dt_s=1e-3))


def test_12_text_of_other_editors(tmp_path):
    path = tmp_path / "e.csv"
    for raw in (b"pre,post\na,b\n", b"\xef\xbb\xbfpre,post\na,b\n", b"pre,post\r\na,b\r\n"):
        path.write_bytes(raw)
        assert read_connectome(path).ids.tolist() == ["a", "b"]
    path.write_bytes(b"pre,post\na,caf\xe9\n")
    with pytest.raises(ConnectomeError, match="not UTF-8: byte 0xe9 at offset 14"):
        read_connectome(path)


def test_13_a_table_that_is_too_large(tmp_path, monkeypatch):
    path = tmp_path / "e.csv"
    with open(path, "wb") as file:
        file.write(b"pre,post,weight\n" + b"a,b,1\n" * 200_000)
        file.truncate(10_000_000_000)  # ten gigabytes, none of them on the disk
    tracemalloc.start()
    with pytest.raises(MemoryError, match=r"edges need .* GB, .* are free"):
        read_connectome(path, memory_limit_bytes=1e9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e7
    monkeypatch.setattr(_io, "CHUNK", 1000)
    path.write_text("pre,post\n" + "a,b\n" * 2500)
    assert [len(c["pre"]) for c in _io._csv_chunks(path, {})] == [1000, 1000, 500], "it is streamed"


def test_14_tables_without_rows_or_in_another_order(tmp_path):
    path = tmp_path / "e.csv"
    for text, said in (
        ("", "is empty"),
        ("\n", "is empty"),
        ("pre,post\n", "header and no rows"),
        ("a,b\n1,2\n", "pre"),
    ):
        path.write_text(text)
        with pytest.raises(ConnectomeError, match=said):
            read_connectome(path)
    path.write_text("weight,post,pre\n2,b,a\n")
    assert read_connectome(path).weight.tolist() == [2] and read_connectome(path).ids[0] == "a"


@pytest.mark.parametrize(
    "name, periods", [("brain", ("0.01", "0.004", "0.005")), ("physics", ("0.01", "0.005", "0.004"))]
)
def test_15_periods_that_do_not_divide(name, periods):
    with pytest.raises(ClockError, match=rf"control/{name}.* 0.004 s .*nearest {name} period that fits is 0.005 s"):
        Clock(*periods)


KILLED = """
import os, sys, threading
from bestiary.envs.recording import Recorder
from test_recording import record
added, note, add = [0], os.open(sys.argv[1] + ".added", os.O_WRONLY | os.O_CREAT), Recorder.add
def adding(self, *row):
    added[0] = added[0] + 1 if row[3]["time_s"] > 0.011 else 1
    add(self, *row)
    os.pwrite(note, b"%5d" % added[0], 0)
Recorder.add = adding
threading.Timer(float(sys.argv[2]), lambda: os.kill(os.getpid(), 9)).start()
while True:
    record(sys.argv[1], steps=400, chunk=20)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX signal")
@pytest.mark.parametrize("after_s", [0.02, 0.11, 0.23])
def test_16_kill_9_at_any_moment(tmp_path, after_s):
    """While it is made, filled, closed and begun again: the file under the name can always be read."""
    assert child(KILLED, tmp_path / "run.h5", after_s).returncode == -9
    if (tmp_path / "run.h5").exists():
        with open_recording(tmp_path / "run.h5") as run:
            assert run.complete == (run.rows == 400) or not run.complete
            assert run.rows % 20 == 0 and np.isfinite(run["pose/midline_m"][:]).all()
            added = int((tmp_path / "run.h5.added").read_text())
            # at the first rows of the next episode the file under the name may still be the last one, whole
            assert added - 20 <= run.rows <= added + 1 or (run.complete and added <= 20), "no more than a chunk is lost"
            np.testing.assert_allclose(run["time_s"][:], 0.01 * np.arange(1, run.rows + 1))


FULL = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from bestiary.envs import checkpoint
from bestiary.brains.connectome import load_connectome, write_connectome
import numpy as np
where = Path(sys.argv[1])
checkpoint.save(where / "c.npz", {"a": 1})
table = load_connectome()
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
for write in (lambda: checkpoint.save(where / "c.npz", {"a": np.zeros(100000)}),
              lambda: write_connectome(table, where / "t.csv")):
    try:
        write()
    except OSError as error:
        print(type(error).__name__, error)
print(checkpoint.load(where / "c.npz")[0], sorted(p.name for p in where.iterdir()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of file size are POSIX")
def test_17_a_full_disk(tmp_path):
    done = child(FULL, tmp_path)
    assert done.returncode == 0, done.stderr
    first, second, last = done.stdout.strip().splitlines()
    assert first.startswith("DataError cannot write the checkpoint") and "File too large" in second
    assert last == "{'a': 1} ['c.npz']", "the old one is whole, and nothing half-made has a name"
    if os.path.exists("/dev/full"):
        with pytest.raises((DataError, OSError)):
            record("/dev/full/run.h5", steps=2)


def test_18_resume():
    """Bit for bit, or refused: see test_checkpoint.py for every animal, processes and kills."""
    e, twin = env(), env()
    e.reset(seed=0)
    for _ in range(5):
        e.step(np.full(3, 0.4))
    twin.set_state(e.get_state())
    for _ in range(5):
        assert e.step(np.full(3, -0.2))[4] == twin.step(np.full(3, -0.2))[4]
    np.testing.assert_array_equal(e.get_state()["physics"], twin.get_state()["physics"])
    np.testing.assert_array_equal(e.data.qacc_warmstart, twin.data.qacc_warmstart)
    assert e.reset()[1]["episode_seed"] == twin.reset()[1]["episode_seed"]
    with pytest.raises(CheckpointError, match=r"mujoco is another: 3.17.0 then, 3.18.0 now"):
        checkpoint.check({"mujoco": "3.17.0"}, {"mujoco": "3.18.0"})


SEEDED = """
import hashlib, sys
import numpy as np
from bestiary.envs import EmbodiedEnv
from _stub_body import StubBody
env = EmbodiedEnv(StubBody(), "chemotaxis"); env.reset(seed=11)
for _ in range(20): env.step(np.full(3, 0.3))
print(hashlib.sha256(env.get_state()["physics"].tobytes()).hexdigest())
"""


def test_19_one_seed_one_run():
    """In other processes, and in vectors; brains together agree within tolerance (test_spiking.py, test_batch.py)."""
    assert len({child(SEEDED).stdout for _ in range(2)}) == 1
    periods = {"control": "0.02", "brain": "0.005", "physics": "0.005"}
    # processes begin anew: a fork of one in which JAX runs may stand still
    modes = {"sync": {}, "async": {"vector_kwargs": {"context": "spawn"}}, "vector_entry_point": {}}
    vectors = [gymnasium.make_vec("bestiary/WormCrawl-v0", 2, m, clock=periods, **how) for m, how in modes.items()]
    single = [EmbodiedEnv("worm", "locomotion", medium="agar", clock=Clock(**periods)) for _ in range(2)]
    action = np.full((2, 95), 0.3, np.float32)
    alone = []
    for i, one in enumerate(single):
        one.reset(seed=5 + i)
        alone.append(one.step(action[i])[0]["stretch"])
    for vector in vectors:
        vector.reset(seed=5)
        np.testing.assert_array_equal(vector.step(action)[0]["stretch"], alone)
        vector.close()


def test_20_no_gpu(monkeypatch):
    monkeypatch.setattr(_device, "gpus", lambda: [])
    monkeypatch.setattr(_device, "_warned", False)
    network = Network(from_table(None, {"pre": ["a"], "post": ["b"]}), LIF(), SHIU, delay_s=0.001)
    with pytest.raises(BestiaryError, match="device='gpu', but JAX finds no GPU"):
        Simulation(network, device="gpu")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            Simulation(network, device="prefer-gpu")
    assert len([w for w in caught if w.category is RuntimeWarning]) == 1


def test_21_two_processes_one_cache(served, tmp_path):  # noqa: F811
    program = (
        "import sys; from pathlib import Path; from bestiary.assets import registry\n"
        "registry._HERE = Path(sys.argv[1]); print(registry.get('toy'))"
    )
    words = [sys.executable, "-c", program, str(registry._HERE)]
    both = [subprocess.Popen(words, env={**os.environ, **PATH}, stdout=subprocess.PIPE) for _ in range(2)]
    assert len({p.communicate(timeout=60)[0] for p in both}) == 1 and {p.returncode for p in both} == {0}
    assert len(served.asked) == len(CONTENT), "each file was fetched once"


def sources() -> str:
    folders = ("src", "bodies", "brains", "envs", "interfaces", "tasks", "assets")
    files = [f for folder in folders for f in (ROOT / folder).rglob("*.py")]
    if len(files) < 50:
        pytest.skip("looks at the files of a checkout")
    return "\n".join(f.read_text(encoding="utf-8") for f in files)


def test_22_no_archive_escapes(tmp_path):
    """None is unpacked into files at all; what is read in place has a limit of size."""
    assert not re.search(r"\.extract(all)?\(|unpack_archive|import tarfile|Unzip|Untar", sources())
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("../../head.npy", bytes(100_000_000))
    with pytest.raises(DataError, match=r"unpacks to|damaged"):
        checkpoint.load(tmp_path / "x.npz")
    with pytest.raises(BestiaryError):
        read_connectome(tmp_path / "x.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


def test_23_nothing_is_unpickled(tmp_path):
    modules = (
        r"(import|from) (pickle|dill|cloudpickle|shelve|marshal)|yaml\.(unsafe_)?load\(|torch\.load\(|joblib\.load\("
    )
    assert not re.search(modules + r"|pickle\.loads?\(|allow_pickle\s*=\s*True", sources())
    np.savez(tmp_path / "x.npz", ids=np.array([print, print]), pre=[0], post=[0], weight=[1.0], head=np.array([print]))
    for read in (read_connectome, checkpoint.load):
        with pytest.raises(BestiaryError, match="damaged"):
            read(tmp_path / "x.npz")


def test_24_calls_at_the_wrong_moment():
    e = env(task_options={"seconds": 0.01})
    with pytest.raises(EpisodeError, match="reset"):
        e.step(np.zeros(3))
    e.reset(seed=0)
    e.step(np.zeros(3))
    with pytest.raises(EpisodeError, match="truncated"):
        e.step(np.zeros(3))
    e.close()
    e.close()
    with pytest.raises(EpisodeError, match="close"):
        e.step(np.zeros(3))
    with pytest.raises(BestiaryError, match="before reset"):
        bestiary.animal("worm").act({})


def test_25_no_network(served, monkeypatch):  # noqa: F811
    kept = registry.get("toy")
    toml = registry._HERE / "registry.toml"
    toml.write_text(toml.read_text().replace("127.0.0.1:", "127.0.0.1:1/"))  # nobody listens at port 1
    registry._entries.cache_clear()
    assert registry.get("toy") == kept, "what is cached works"
    (kept / "a.bin").unlink()
    with pytest.raises(DataError) as error:
        registry.get("toy")
    assert all(t in str(error.value) for t in ("http://127.0.0.1:1/", SHA["a.bin"], str(kept / "a.bin")))


def test_26_nothing_to_draw_with(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setitem(sys.modules, "mujoco.egl", None)
    e = env(render_mode="rgb_array")
    obs, _ = e.reset(seed=0)
    assert np.isfinite(e.step(np.zeros(3))[0]["bend_rad"]).all() and obs
    with pytest.raises(RenderError, match="install"):
        e.render()


def test_27_ctrl_c(tmp_path, monkeypatch):
    add, rows = Recorder.add, []

    def adding(self, *row):
        add(self, *row)
        rows.append(1)
        if len(rows) == 7:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Recorder, "add", adding)
    code, _, err = call("run", "worm", "--seconds", "1", "--no-video", "--no-plots", "--out", tmp_path)
    assert code == 130 and "bestiary resume" in err
    with open_recording(tmp_path / "recording.h5") as run:
        assert run.rows == 7 and not run.complete
    assert checkpoint.load(tmp_path / "checkpoint" / "state.npz")[0]["steps"] == 7


def test_28_a_home_that_cannot_be_written_and_odd_names(tmp_path):
    """Root may write anywhere, so home is a place under a file."""
    place = tmp_path / "ein Größe ☂ Ordner"
    place.mkdir()
    (place / "file").write_text("")
    home = str(place / "file" / "home")
    words = ["run", "worm", "--seconds", "0.2", "--no-video", "--no-plots", "--out", "Lauf № 1"]
    names = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "BESTIARY_CACHE")
    done = child(
        "import sys; from bestiary.cli import main; sys.exit(main(sys.argv[1:]))",
        *words,
        cwd=place,
        env={**PATH, **dict.fromkeys(names, home)},
    )
    assert done.returncode == 0, done.stderr
    with open_recording(place / "Lauf № 1" / "recording.h5") as run:
        assert run.complete and run.rows == 20
    table = load_connectome()
    write_connectome(table, place / "é è.csv")
    assert read_connectome(place / "é è.csv").n_edges == table.n_edges


# --- readers, fuzzed: only declared errors come out

QUIET = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What can be read: name -> (bytes, reader)."""
    folder = tmp_path_factory.mktemp("whole")
    table = from_table(
        {"id": ["a", "b", "c"], "type": ["x", "y", "é"]},
        {"pre": ["a", "b", "c"], "post": ["b", "c", "a"], "weight": [1.0, 2.5, 3.0], "delay_s": [0, 1e-3, 0]},
    )
    out = {}
    formats = ["x.csv", "x.csv.gz", "x.npz", "x.graphml", "x.h5"]
    for name in formats + ["x.parquet"] * (importlib.util.find_spec("pyarrow") is not None):
        write_connectome(table, folder / name)
        out[name] = ((folder / name).read_bytes(), read_connectome)
    record(folder / "run.h5", steps=60)
    out["run.h5"] = ((folder / "run.h5").read_bytes(), lambda p: open_recording(p).close())
    e = env()
    e.reset(seed=0)
    checkpoint.save(folder / "c.npz", e.get_state())
    out["c.npz"] = ((folder / "c.npz").read_bytes(), checkpoint.load)
    fitted = {"parameters": {"synapse_nS": 0.03, "gap_nS": {"value": 0.02}}}
    worm = bestiary.load("brains", "worm")
    out["fit.json"] = (json.dumps(fitted).encode(), worm.parameters)
    screen = Screen("worm", "lesion", (("AVAL", ("AVAL",)),), "touch")
    store = Store(folder / "screen", screen)
    store.add({"item": "intact", "values": {"front": {"reversal_response": [[1, 1]]}}, "failures": {}})
    store.add({"item": "AVAL", "error": "ValueError: no"})
    for name in ("items.jsonl", "screen.json"):
        out[name] = ((folder / "screen" / name).read_bytes(), lambda p: Store(p.parent, screen).read())
    t = np.arange(40) / 30
    rows = "\n".join(f"{a:.6f},{b:.6f}" for a, b in zip(t, np.sin(t), strict=True))
    out["mine.csv"] = (f"time_s,mode1\n{rows}\n".encode(), lambda p: turing_readers.read(p))
    return out


def test_a_heap_that_hdf5_would_look_at_for_ever_is_refused(whole, tmp_path):
    for name in ("x.h5", "run.h5"):
        raw, read = whole[name]
        at = raw.index(b"GCOL") + 16
        (tmp_path / name).write_bytes(raw[:at] + bytes(16) + raw[at + 16 :])
        with pytest.raises(BestiaryError, match=r"damaged: an object of 0 bytes in the heap at byte \d+"):
            read(tmp_path / name)


FUZZED = ["x.csv", "x.csv.gz", "x.npz", "x.graphml", "x.h5", "x.parquet", "run.h5", "c.npz", "fit.json", "items.jsonl",
          "screen.json", "mine.csv"]  # fmt: skip


@pytest.mark.parametrize("name", FUZZED)
@QUIET
@given(data=st.data())
def test_fuzzed_files_give_declared_errors_only(name, whole, tmp_path, data):
    if name not in whole:
        pytest.skip("no pyarrow: pip install 'bestiary[parquet]'")
    raw, read = whole[name]
    if data.draw(st.booleans(), "cut"):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1), "end")]
    else:
        bad = bytearray(raw)
        for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=8), "places"):
            bad[at] ^= data.draw(st.integers(1, 255), "flip")
        raw = bytes(bad)
    (tmp_path / name).write_bytes(raw)
    with contextlib.suppress(BestiaryError, LookupError if name == "fit.json" else BestiaryError, MemoryError):
        read(tmp_path / name)
