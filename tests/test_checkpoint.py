"""A run that was stopped, or killed, goes on bit for bit; anything else is refused with the reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from _stub_body import StubBody
from test_cli import call, report

import bestiary
from bestiary.assets.registry import found
from bestiary.bodies.worm import Medium
from bestiary.brains._spiking_part import SpikingPart
from bestiary.envs import EmbodiedEnv, checkpoint
from bestiary.envs.recording import Recorder, open_recording
from bestiary.errors import BestiaryError, CheckpointError, DataError
from bestiary.tasks._runs import Kept

ANIMALS = {  # what a state can hold: noise, delays, frames of eyes, a slow part on another core, random streams
    "worm": {"stimulate": ["AVA:20pA@0.05-0.2"]},
    "worm poisson": {"control": "poisson"},
    "worm brainstate": {"backend": "brainstate"},
    "fly": {},
    "fly beside": {},  # its spiking part on another core: the state is taken while it still computes
    "zebrafish": {},
    "zebrafish spiking": {"backend": "spiking", "connectome": "mesoscale:2000"},
}


def made(case: str):
    name = case.split()[0]
    animal = bestiary.animal(name, **ANIMALS[case])
    return EmbodiedEnv(name, "locomotion", clock=animal.clock, task_options={"seconds": 60}), animal


def loop(env, animal, obs, steps):
    out = []
    for _ in range(steps):
        action = animal.act(obs)
        obs, reward, _, _, info = env.step(action)
        out.append((action, obs, reward, info, np.array(animal.probe()["voltage_mV"])))
    return out


def same(a, b) -> bool:
    return all(
        np.array_equal(x[0], y[0])
        and all(np.array_equal(x[1][k], y[1][k]) for k in x[1])
        and (x[2], x[3]) == (y[2], y[3])
        and np.array_equal(x[4], y[4])
        for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("case", ANIMALS)
def test_a_state_from_a_file_goes_on_bit_for_bit(case, tmp_path, monkeypatch):
    if case.endswith("beside"):
        monkeypatch.setattr(SpikingPart, "slow", True)
    if "connectome" in ANIMALS[case] and not found("zebrafish-mesoscale"):
        pytest.skip("needs the data zebrafish-mesoscale")
    env, animal = made(case)
    obs, info = env.reset(seed=4)
    animal.reset(info["episode_seed"])
    obs = loop(env, animal, obs, 12)[-1][1]
    about = checkpoint.identity(env, animal)
    checkpoint.save(tmp_path / "c.npz", [env.get_state(), animal.get_state()], about)
    went = loop(env, animal, obs, 12)
    other_env, other = made(case)
    (body, mind), then = checkpoint.load(tmp_path / "c.npz")
    checkpoint.check(then, checkpoint.identity(other_env, other))
    obs = other_env.set_state(body)
    other.set_state(mind)
    assert same(loop(other_env, other, obs, 12), went)
    first, second = env.reset()[1], other_env.reset()[1]
    assert first["episode_seed"] == second["episode_seed"], "the generator came along"


QUICK = ("--seconds", "1.2", "--no-video", "--no-plots", "--seed", "3")


def recorded(folder):
    with open_recording(folder / "recording.h5") as run:
        assert run.complete
        return {k: run[k][:] for k in run}, {k: run[k].names for k in run}, run.metadata


def assert_equal_runs(a, b):
    (left, names, about), (right, others, told) = recorded(a), recorded(b)
    assert left.keys() == right.keys() and names == others and about == told
    for key in left:
        assert left[key].tobytes() == right[key].tobytes(), key


def quantities(folder):
    timed = ("getting ready", "running", "times real time")
    got = json.loads((folder / "summary.json").read_text())["quantities"]
    return {k: v for k, v in got.items() if k not in timed}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    report("run", "worm", *QUICK, "--out", out)
    return out


def stop_after(monkeypatch, rows):
    added, add = [], Recorder.add

    def adding(self, *row):
        add(self, *row)
        added.append(1)
        if len(added) == rows:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Recorder, "add", adding)


def test_stopped_twice_and_resumed_is_the_run_that_never_stopped(whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 37)
        code, _, err = call("run", "worm", *QUICK, "--out", tmp_path)
        assert code == 130 and f"bestiary resume {tmp_path}" in err
    with open_recording(tmp_path / "recording.h5") as run:
        assert run.rows == 37 and not run.complete
    with monkeypatch.context() as patch:
        stop_after(patch, 20)
        assert call("resume", tmp_path)[0] == 130
    got = report("resume", tmp_path)
    assert not got["stopped"] and got["quantities"]["simulated"]["value"] == 1.2
    assert_equal_runs(whole, tmp_path)
    assert quantities(whole) == quantities(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"recording.h5", "summary.json"}
    assert report("resume", tmp_path)["complete"] is True


def test_killed_and_resumed_is_the_run_that_never_stopped(whole, tmp_path):
    """In new processes; the rows after the last checkpoint are done again."""
    program = (
        "import os, sys\nfrom bestiary.envs.recording import Recorder\nfrom bestiary.cli import main\n"
        "add, seen = Recorder.add, []\n"
        "def adding(self, *row):\n    add(self, *row)\n    seen.append(1)\n"
        "    if len(seen) == 75: os.kill(os.getpid(), 9)\n"
        "Recorder.add = adding\nmain(sys.argv[1:])"
    )
    words = ["run", "worm", *QUICK, "--checkpoint-every", "0.25", "--out", str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", program, *words], env=env, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    with open_recording(tmp_path / "recording.h5") as run:
        assert run.rows == 50 and not run.complete
    assert not (tmp_path / "summary.json").exists()
    report("resume", tmp_path)
    assert_equal_runs(whole, tmp_path)
    assert quantities(whole) == quantities(tmp_path)


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        assert call("run", "worm", *QUICK, "--out", tmp_path)[0] == 130
    return tmp_path


def test_what_is_not_the_same_is_refused_with_the_reason(stopped, monkeypatch):
    env = EmbodiedEnv("worm", "locomotion", clock=bestiary.animal("worm").clock, task_options={"seconds": 1.2})
    reasons = {
        "connectome": {"control": "weight-shuffle"},
        "parameters": {"parameters": {"noise_mV": 0.5}},
        "lesions": {"lesion": ["AVAL"]},
        "numba|backend|back end": {"backend": "brainstate"},
    }
    for reason, options in reasons.items():
        with pytest.raises(CheckpointError, match=reason):
            Kept(stopped).restore(env, bestiary.animal("worm", **options))
    other = EmbodiedEnv(
        "worm", "locomotion", medium=Medium.between(0.1), clock=env.clock, task_options={"seconds": 1.2}
    )
    with pytest.raises(CheckpointError, match="medium"):
        Kept(stopped).restore(other, bestiary.animal("worm"))
    env.model.body_mass[1] *= 1.001
    with pytest.raises(CheckpointError, match="physical model"):
        Kept(stopped).restore(env, bestiary.animal("worm"))
    monkeypatch.setattr(bestiary, "__version__", "9.9")
    code, _, err = call("resume", stopped)
    assert code == 2 and "bestiary is another: 0.1.0 then, 9.9 now" in err


def test_damage_is_found(stopped, tmp_path):
    state = stopped / "checkpoint" / "state.npz"
    raw = state.read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(raw), 20):
        state.write_bytes(raw[:cut])
        with pytest.raises(DataError):
            Kept(stopped)
    flipped = 0
    for at in rng.integers(0, len(raw), 200):
        state.write_bytes(raw[:at] + bytes([raw[at] ^ 0x55]) + raw[at + 1 :])
        try:
            checkpoint.load(state)
        except BestiaryError:
            flipped += 1
    assert flipped > 150  # the rest hit names, dates and padding, which carry nothing
    state.unlink()
    code, _, err = call("resume", stopped)
    assert code == 2 and "no checkpoint in" in err


def test_a_checkpoint_is_never_unpickled_and_cannot_swell(tmp_path):
    np.savez(tmp_path / "evil.npz", head=np.array([os.system], dtype=object))
    with pytest.raises(DataError, match=r"[Pp]ickle"):
        checkpoint.load(tmp_path / "evil.npz")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        packed.writestr("head.npy", bytes(50_000_000))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "a") as packed:
        assert sum(m.compress_size for m in packed.infolist()) < 60_000
    (tmp_path / "small.npz").write_bytes((tmp_path / "bomb.npz").read_bytes())
    with pytest.raises(DataError):
        checkpoint.load(tmp_path / "small.npz")


def test_trees_come_back_as_they_were(tmp_path):
    tree = {
        "a": [1, 2.5, None, True, "ü", (1, [np.float64(np.nan), np.int64(3)])],
        3: np.arange(6).reshape(2, 3),
        "empty": np.zeros((0, 4), np.float32),
        "bits": np.array([True, False]),
        "words": np.array(["a", "bc"]),
        "big": 2**200,
        "inf": float("inf"),
        "none": np.array(None),
    }
    rng = np.random.default_rng(3)
    rng.random(5)
    checkpoint.save(tmp_path / "t.npz", {"tree": tree, "rng": rng}, {"a": 1})
    back, about = checkpoint.load(tmp_path / "t.npz")
    assert about == {"a": 1} and back["rng"].random() == rng.random()
    assert repr(back["tree"]) == repr(tree)
    assert isinstance(back["tree"]["a"][5], tuple) and type(back["tree"]["a"][5][1][1]) is np.int64
    with pytest.raises(CheckpointError, match=r"what\.here of type object"):
        checkpoint.save(tmp_path / "t.npz", {"what": {"here": object()}})
    assert checkpoint.load(tmp_path / "t.npz")[1] == {"a": 1}, "the old one is still there"
    assert [p.name for p in tmp_path.iterdir()] == ["t.npz"]


def test_a_foreign_policy_can_be_kept_too(tmp_path):
    env = EmbodiedEnv(StubBody(), "locomotion")
    env.reset(seed=0)
    about = checkpoint.identity(env, lambda obs: None)
    checkpoint.save(tmp_path / "c.npz", env.get_state(), about)
    checkpoint.check(checkpoint.load(tmp_path / "c.npz")[1], about)
