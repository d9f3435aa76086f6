"""Every script in examples/ runs as a user would start it, and shows what it says it shows."""

from __future__ import annotations

import os
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from bestiary.envs.recording import open_recording

FOLDER = Path(__file__).resolve().parents[1] / "examples"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="examples/ is part of a checkout, not of an installation")


def run(monkeypatch, capsys, name: str, *words: str) -> str:
    """What `python examples/NAME.py WORDS` prints, in this process."""
    monkeypatch.setattr(sys, "argv", [name, *words])
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    return capsys.readouterr().out


def test_every_example_is_tested_here_and_says_how_to_start_it():
    tested = Path(__file__).read_text(encoding="utf-8")
    for path in FOLDER.glob("*.py"):
        assert f'"{path.stem}"' in tested, f"{path.name} has no test"
        assert f"python examples/{path.name}" in path.read_text(encoding="utf-8").split('"""')[1]


def test_closed_loop(monkeypatch, capsys):
    words = ("--seconds", "0.8", "--seed", "1")
    out = run(monkeypatch, capsys, "closed_loop", *words)
    rows = dict(re.findall(r"^(.+?) +forward +(-?[\d.]+) mm", out, re.M))
    assert len(rows) == 7 and "in 0.8 s" in out
    assert len({v for k, v in rows.items()}) > 4, f"the changes change nothing: {out}"
    assert run(monkeypatch, capsys, "closed_loop", *words) == out


def test_perturb_neurons(monkeypatch, capsys):
    out = run(monkeypatch, capsys, "perturb_neurons", "--seconds", "2", "--shift_mV", "-3")
    free, wanted, held = (float(x) for x in re.findall(r"(-?[\d.]+) mV", out))
    assert wanted == pytest.approx(free - 3, abs=0.02)
    assert held < free - 0.5, "the current does not reach the neurons"


def test_record_and_plot(monkeypatch, capsys, tmp_path):
    out = run(monkeypatch, capsys, "record_and_plot", "--seconds", "1.2", "--out", str(tmp_path))
    with open_recording(tmp_path / "recording.h5") as recording:
        assert recording.complete and recording.rows == 120
        assert recording["info/touch_N"][:].max() > 0
    drawn = [Path(line) for line in out.splitlines() if line.endswith(".png")]
    assert len(drawn) == 4 and all(path.stat().st_size > 5000 for path in drawn)


@pytest.mark.parametrize("mode", ["batch", "sync", "async"])
def test_vector(monkeypatch, capsys, mode):
    out = run(monkeypatch, capsys, "vector", "--seconds", "0.3", "--mode", mode)
    assert len(re.findall(r"environment \d: .* in 0.3 s", out)) == 4


@pytest.mark.parametrize("medium", ["agar", "0.01"])
def test_own_policy(monkeypatch, capsys, medium):
    out = run(monkeypatch, capsys, "own_policy", "--seconds", "3", "--medium", medium)
    sine, noise = (float(x) for x in re.findall(r"return (-?[\d.]+) body lengths", out))
    assert sine > 0.05 > abs(noise), "a travelling wave carries a worm forward, noise does not"


def test_turing(monkeypatch, capsys, tmp_path):
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    lines = ["time_s,animal,x_m,y_m"]
    for animal in range(5):
        heading = np.cumsum(0.2 * rng.standard_normal(200))
        x, y = np.cumsum(4e-5 * np.cos(heading)), np.cumsum(4e-5 * np.sin(heading))
        lines += [f"{k / 8},worm {animal},{x[k]:.7f},{y[k]:.7f}" for k in range(200)]
    (tmp_path / "tracks.csv").write_text("\n".join(lines))
    words = ("--recording", str(tmp_path / "tracks.csv"), "--seconds", "12", "--out", str(tmp_path / "out"))
    out = run(monkeypatch, capsys, "turing", *words)
    verdicts = dict(re.findall(r"^(D\.\S+) +(\S+)", out, re.M))
    assert len(verdicts) == 15 and "FAIL" in verdicts.values() and verdicts["D.response"] == "NOT-RUN"
    assert (tmp_path / "out" / "report.html").stat().st_size > 20000


def test_turing_without_a_recording_says_so_in_one_line(monkeypatch, capsys, tmp_path):
    pytest.importorskip("sklearn")
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, capsys, "turing", "--recording", str(tmp_path / "none.csv"))
    said = capsys.readouterr().err.strip()
    assert stopped.value.code == 2 and "no recording at" in said and "\n" not in said


@pytest.mark.parametrize(
    ("animal", "envs", "length"), [("worm", "2", "130"), pytest.param("fly", "1", "22", marks=pytest.mark.slow)]
)
def test_rl_cleanrl(monkeypatch, capsys, tmp_path, animal, envs, length):
    words = ("--envs", envs, "--rounds", "1", "--length", length, "--out", str(tmp_path))
    out = run(monkeypatch, capsys, "rl_cleanrl", animal, *words)
    assert re.search(rf"{animal}: mean return [+-]\d\.\d+ at first", out)
    assert (tmp_path / "curve.json").is_file()


def test_rl_connectome(monkeypatch, capsys):
    out = run(monkeypatch, capsys, "rl_connectome", "--generations", "2", "--worms", "4", "--seconds", "0.5")
    assert out.count("generation") == 2 and "measured wiring, 4 unseen starts" in out


def test_rl_sb3(monkeypatch, capsys):
    pytest.importorskip("stable_baselines3", reason="needs bestiary[rl]")
    out = run(monkeypatch, capsys, "rl_sb3", "--steps", "512", "--envs", "2")
    assert re.search(r"WormCrawl-v0: mean return [+-]\d\.\d+ before, [+-]\d\.\d+ after 512 decisions", out)


@pytest.mark.slow
def test_fit_calcium(monkeypatch, capsys, tmp_path):
    data = os.environ.get("BESTIARY_DATA", str(FOLDER.parents[1] / "shared" / "data"))
    if not (Path(data) / "worm" / "uzel2022_calcium_corr").is_dir():
        pytest.skip("no worm/uzel2022_calcium_corr in BESTIARY_DATA")
    out = run(
        monkeypatch, capsys, "fit_calcium", "--steps", "12", "--seconds", "4", "--worms", "2", "--out", str(tmp_path)
    )
    first, last = (float(x) for x in re.search(r"^measured: loss ([\d.]+) to ([\d.]+)", out, re.M).groups())
    assert last < first and "held pairs" in out
