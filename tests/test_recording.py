"""A recording survives a kill, a full disk and a foreign file; figures and video come from real runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from _stub_animal import StubAnimal
from _stub_body import StubBody

from bestiary.envs import Clock, EmbodiedEnv
from bestiary.envs.perturb import PerturbBrain
from bestiary.envs.recording import Recorder, open_recording, unit_of
from bestiary.errors import ActionError, ClockError, DataError, UnknownNeuronError
from bestiary.tasks._trial import run_trial


def record(path, steps=130, task="chemotaxis", animal=None, **options):
    env = EmbodiedEnv(StubBody(), task)
    obs, info = env.reset(seed=1)
    animal = animal or StubAnimal()
    animal.reset(info["episode_seed"])
    kept = []
    with Recorder(path, env, animal, **{"chunk": 50, **options}) as recorder:
        for _ in range(steps):
            action = animal.act(obs)
            obs, reward, _, _, info = env.step(action)
            recorder.add(action, obs, reward, info)
            kept.append((action, obs, reward, info, env.pose(), animal.probe()))
    return env, kept


def test_what_is_read_is_what_happened(tmp_path):
    env, kept = record(tmp_path / "run.h5", metadata={"note": "mine"})
    with open_recording(tmp_path / "run.h5") as run:
        assert run.complete and run.rows == len(kept) == 130
        np.testing.assert_array_equal(run["time_s"], [k[3]["time_s"] for k in kept])
        np.testing.assert_array_equal(run["obs/bend_rad"], [k[1]["bend_rad"] for k in kept])
        np.testing.assert_array_equal(run["reward"], [k[2] for k in kept])
        np.testing.assert_allclose(run["pose/midline_m"], [k[4]["midline_m"] for k in kept], rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(run["brain/voltage_mV"], [k[5]["voltage_mV"] for k in kept], rtol=1e-6)
        np.testing.assert_array_equal(run["info/concentration"], [k[3]["concentration"] for k in kept])
        assert run["action"].names == env.body.motors and run["brain/voltage_mV"].names == StubAnimal.names
        assert run["obs/nacl_mol_per_m3"].unit == "mol/m^3" and run["pose/curvature_per_m"].unit == "1/m"
        assert run["brain/voltage_mV"].unit == "mV" and run["action"].shape == (130, 3)
        np.testing.assert_array_equal(run["time_s"][-1], kept[-1][3]["time_s"])
        np.testing.assert_array_equal(run["action"][5:9, 1], np.float32([k[0][1] for k in kept[5:9]]))
        about = run.metadata
        assert about["episode_seed"] == env.episode_seed and about["note"] == "mine"
        assert about["task"] == {"name": "chemotaxis", "options": about["task"]["options"]}
        assert about["body_options"]["length_m"] == 1e-3 and run.divergence == ""
        assert about["groups"]["AVAL"] == "command" and about["versions"]["bestiary"]
        with pytest.raises(DataError, match="did you mean 'obs/touch_N'"):
            run["obs/toch_N"]
        with pytest.raises(IndexError):
            run["time_s"][130]


def test_every_other_step(tmp_path):
    record(tmp_path / "run.h5", steps=21, every=5)
    with open_recording(tmp_path / "run.h5") as run:
        np.testing.assert_allclose(run["time_s"], [0.01, 0.06, 0.11, 0.16, 0.21])


CHILD = """
import os, sys
import numpy as np
from _stub_animal import StubAnimal
from test_recording import record
class Noisy(StubAnimal):
    names = tuple(f"N{i}" for i in range(300)); groups = names; rng = np.random.default_rng(0); n = 0
    def probe(self):
        self.n += 1
        if self.n == int(sys.argv[2]): os.kill(os.getpid(), 9)
        return {"voltage_mV": self.rng.normal(size=300)}
if len(sys.argv) > 3:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
record(sys.argv[1], steps=600, animal=Noisy())
"""


def child(*arguments) -> subprocess.CompletedProcess:
    path = os.pathsep.join([str(Path(__file__).parent), *(p for p in sys.path if p)])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, "-c", CHILD, *map(str, arguments)], env=environment, capture_output=True)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX signal")
def test_a_killed_run_loses_at_most_its_last_chunk(tmp_path):
    assert child(tmp_path / "run.h5", 2 * 333).returncode == -9  # record() probes twice a step
    with open_recording(tmp_path / "run.h5") as run:
        assert not run.complete and run.rows == 300
        np.testing.assert_allclose(run["time_s"][-1], 3.0)
        assert np.isfinite(run["brain/voltage_mV"][:]).all()
        assert run["brain/voltage_mV"].names[299] == "N299"
    whole = (tmp_path / "run.h5").read_bytes()
    (tmp_path / "half.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cut off"):
        open_recording(tmp_path / "half.h5")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of file size are POSIX")
def test_a_full_disk_is_a_typed_error_and_keeps_what_was_written(tmp_path):
    ended = child(tmp_path / "run.h5", -1, 300_000)
    assert ended.returncode == 1 and b"DataError" in ended.stderr and b"stay readable" in ended.stderr, ended.stderr
    with open_recording(tmp_path / "run.h5") as run:
        assert not run.complete and run.rows >= 100
        assert f"failed after {run.rows} rows".encode() in ended.stderr
        assert np.isfinite(run["brain/voltage_mV"][:]).all()


def test_files_that_are_no_recording(tmp_path):
    with pytest.raises(DataError, match="no recording"):
        open_recording(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(DataError, match="damaged"):
        open_recording(tmp_path / "text.h5")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["a"] = [1]
    with pytest.raises(DataError, match="not a recording"):
        open_recording(tmp_path / "foreign.h5")
    record(tmp_path / "run.h5")
    whole = (tmp_path / "run.h5").read_bytes()
    (tmp_path / "half.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError):
        open_recording(tmp_path / "half.h5")
    with pytest.raises(DataError, match="cannot write"):
        record(tmp_path / "no" / "such" / "folder.h5")


def test_units_are_read_from_names():
    names = ["com_m", "curvature_per_m", "speed_m_per_s", "voltage_mV", "touch_N", "bend_rad", "muscle", "time_s"]
    assert [unit_of(n) for n in names] == ["m", "1/m", "m/s", "mV", "N", "rad", "", "s"]


def test_figures_of_a_run(tmp_path):
    from matplotlib.image import imread

    from bestiary.tasks._plots import figures

    record(tmp_path / "run.h5")
    made = figures(tmp_path / "run.h5", tmp_path / "figures")
    assert [p.stem for p in made] == ["run_kymograph", "run_neurons", "run_track", "run_behaviour"]
    for path in made:
        assert imread(path)[..., :3].std() > 0.02, f"{path.name} is blank"


def test_a_body_that_diverges_leaves_a_recording_that_can_be_drawn(tmp_path):
    from bestiary.tasks._plots import figures

    env, animal = EmbodiedEnv(StubBody(), "locomotion"), StubAnimal()
    obs, info = env.reset(seed=1)
    animal.reset(info["episode_seed"])
    with Recorder(tmp_path / "run.h5", env, animal) as recorder:
        for k in range(30):
            if k == 20:
                env.data.qvel[-1] = np.nan
            action = animal.act(obs)
            obs, reward, terminated, _, info = env.step(action)
            recorder.add(action, obs, reward, info)
            if terminated:
                break
    with open_recording(tmp_path / "run.h5") as run:
        assert run.rows == 20 and run.complete and "nan" in run.divergence.lower()
        assert np.isfinite(run["pose/midline_m"][:]).all()
    assert len(figures(tmp_path / "run.h5")) == 4


def test_the_raster_shows_turns():
    from _wave import wave_track

    from bestiary.tasks._plots import behaviour

    track = wave_track(seconds=20, amplitude_per_mm=1)
    turn = ((track.time_s > 10) & (track.time_s < 15))[:, None]
    made = {
        "time_s": track.time_s,
        "pose/com_m": track.com_m,
        "pose/midline_m": track.midline_m,
        "pose/curvature_per_m": track.curvature_per_m + 5.5e3 * turn,  # an open circle
    }
    about = {"length_m": 1e-3, "body": "Worm", "task": {"name": "locomotion"}, "episode_seed": 7, "asked": {"seed": 3}}

    class Made(dict):
        metadata, complete = about, True

    figure = behaviour(Made(made))
    assert "seed 3" in "".join(axes.get_title(where) for axes in figure.axes for where in ("left", "center"))
    labels = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    share = {name: int(text.split()[0]) for name, text in (label.split("  ") for label in labels)}
    assert share["turning"] == pytest.approx(25, abs=2)


def make_perturbed(neurons=("AVAL", "AVB"), **options):
    return PerturbBrain(EmbodiedEnv(StubBody(), "locomotion"), StubAnimal(), neurons, **options)


def test_perturbing_named_neurons_moves_them_and_the_body():
    moved, still = make_perturbed(), make_perturbed()
    assert moved.action_space.shape == (2,) and moved.action_space.high[0] == 20
    obs, _ = moved.reset(seed=2)
    still.reset(seed=2)
    assert moved.observation_space.contains(obs)
    for _ in range(100):
        info = moved.step(np.array([15.0, -5.0]))[4]
        rest = still.step(np.zeros(2))[4]
    # the stub's units settle at -40 mV + current; a class is the mean of its neurons
    np.testing.assert_allclose(info["voltage_mV"], [-25, -45], atol=1e-2)
    np.testing.assert_allclose(rest["voltage_mV"], [-40, -40], atol=1e-2)
    np.testing.assert_allclose(info["action"], np.tanh(2.0), atol=1e-3)
    assert np.abs(moved.unwrapped.data.qpos - still.unwrapped.data.qpos).max() > 0.01
    moved.reset(seed=2)
    assert not moved.animal.current.any()


def test_bad_perturbations():
    env = make_perturbed(limit_pA=10)
    env.reset(seed=0)
    with pytest.raises(ActionError, match=r"AVB is given 12 pA, allowed is -10 to 10 pA"):
        env.step(np.array([0, 12.0]))
    with pytest.raises(ActionError, match="AVAL is given nan"):
        env.step(np.array([np.nan, 0]))
    for bad in (np.zeros(3), ["a", "b"], None):
        with pytest.raises(ActionError, match="2 currents"):
            env.step(bad)
    with pytest.raises(UnknownNeuronError, match="did you mean 'AVA"):
        make_perturbed(["AVAK"])
    with pytest.raises(ValueError, match="twice"):
        make_perturbed(["AVA", "AVAL"])


def test_an_animal_of_another_pace_is_refused():
    env, animal = EmbodiedEnv(StubBody(), "locomotion"), StubAnimal()
    animal.clock = Clock(control="0.02")
    with pytest.raises(ClockError, match=r"every 0.02 s.*every 0.01 s"):
        PerturbBrain(env, animal, ["AVAL"])
    with pytest.raises(ClockError):
        run_trial(env, animal, 0.1)


def test_a_walker_is_recorded_and_drawn(tmp_path):
    """A body that steps and does not bend has no curvature, and is drawn by its steps."""
    from bestiary.tasks._plots import figures

    env = EmbodiedEnv("fly", "odour", body_options={"eyes": False})
    env.reset(seed=0)
    with Recorder(tmp_path / "recording.h5", env, every=2) as recorder:
        for _ in range(40):
            recorder.add(env.body.neutral, *env.step(env.body.neutral)[:2], env._info)
    with open_recording(tmp_path / "recording.h5") as recording:
        assert "pose/curvature_per_m" not in recording and recording["pose/claws_m"].shape == (20, 6, 3)
        assert recording["pose/joint_rad"].names == env.body.joints
    assert {f.stem for f in figures(tmp_path / "recording.h5")} == {"recording_track", "recording_steps"}
