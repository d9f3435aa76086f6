"""Sealed animals: drawn by laboratory, unreadable without the key, scored and counted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("jinja2")

from bestiary.cli import main
from bestiary.errors import DataError
from bestiary.tasks.turing import readers, sealed, synthetic
from bestiary.tasks.turing.guard import CANARY, GuardError, seek_canary
from bestiary.tasks.turing.ledger import Ledger
from bestiary.tasks.turing.series import Cohort


def cohort(labs=("A", "B", "C"), each=4):
    animals = []
    for n, lab in enumerate(labs):
        found = synthetic.Species(rate_Hz=10.0).cohort(each, 20.0, n).animals
        animals += [replace(a, name=f"{lab}{i}", lab=lab) for i, a in enumerate(found)]
    return Cohort(tuple(animals), "made up")


def test_one_laboratory_is_sealed_whole_and_a_share_of_the_others():
    real = cohort()
    dev, kept = sealed.split(real, b"key")
    assert sorted(dev + kept) == list(range(12))
    sealed_labs = [real.animals[i].lab for i in kept]
    counts = sorted(sealed_labs.count(lab) for lab in "ABC")
    assert counts == [2, 2, 4]
    assert (dev, kept) == sealed.split(real, b"key") != sealed.split(real, b"other")
    alone = sealed.split(cohort(labs=("A",), each=5), b"key")
    assert [len(part) for part in alone] == [3, 2]
    with pytest.raises(DataError, match="two are needed"):
        sealed.split(cohort(labs=("A",), each=3), b"key")


def tracks(path, animals=8, lab=lambda i: "north" if i < 4 else "south"):
    """A CSV of worms that walk at random."""
    rng = np.random.default_rng(0)
    lines = ["time_s,animal,lab,x_m,y_m"]
    for i in range(animals):
        heading = np.cumsum(0.3 * rng.standard_normal(160))
        xy = np.cumsum(1e-5 * np.stack([np.cos(heading), np.sin(heading)], 1), 0) + 1e-6 * rng.standard_normal((160, 2))
        lines += [f"{k / 8},{i},{lab(i)},{x:.9f},{y:.9f}" for k, (x, y) in enumerate(xy)]
    path.write_text("\n".join(lines))
    return path


def test_what_is_sealed_comes_back_with_the_key_alone(tmp_path, capsys):
    recording = tracks(tmp_path / "worms.csv")
    assert main(["seal", str(recording), str(tmp_path / "set"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sum(told["dev"].values()) == 2 and sum(told["sealed"].values()) == 6 and "north" in told["sealed"]
    at = tmp_path / "set"
    back, dev, whole = (
        sealed.opened(at / "sealed.bin", at / "sealed.key"),
        readers.read(at / "dev.h5"),
        readers.read(recording),
    )
    names = {a.name: a for a in whole.animals}
    assert {a.name for a in back.animals} | {a.name for a in dev.animals} == set(names)
    assert all(np.array_equal(a.values, names[a.name].values) and a.lab == names[a.name].lab for a in back.animals)
    raw = (at / "sealed.bin").read_bytes()
    assert CANARY.encode() in raw and names[back.animals[0].name].values.tobytes()[:64] not in raw
    with pytest.raises(DataError, match="canary"):
        seek_canary([at / "sealed.bin"])
    assert (at / "sealed.key").stat().st_mode & 0o077 == 0, "nobody else may read the key"
    assert main(["seal", str(recording), str(at)]) == 2 and "drawn once" in capsys.readouterr().err


def test_a_wrong_key_and_a_changed_file_are_told(tmp_path):
    sealed.seal(tracks(tmp_path / "worms.csv"), tmp_path / "a")
    sealed.seal(tmp_path / "worms.csv", tmp_path / "b")
    file, key = tmp_path / "a" / "sealed.bin", tmp_path / "a" / "sealed.key"
    with pytest.raises(DataError, match="not the key of"):
        sealed.opened(file, tmp_path / "b" / "sealed.key")
    raw = bytearray(file.read_bytes())
    raw[-5] ^= 1
    file.write_bytes(bytes(raw))
    with pytest.raises(DataError, match="file was changed"):
        sealed.opened(file, key)
    key.write_text("no key")
    with pytest.raises(DataError, match="holds no key"):
        sealed.opened(file, key)
    with pytest.raises(DataError, match="no sealed recording"):
        sealed.opened(tmp_path / "worms.csv", key)
    with pytest.raises(DataError, match="no file"):
        sealed.opened(tmp_path / "none", key)


STILL = """
import numpy as np
class Still:
    def reset(self, episode_seed): READ
    def act(self, obs): return np.zeros(95, np.float32)
"""


def test_scoring_is_counted_and_a_policy_that_reaches_for_the_key_is_stopped(tmp_path):
    sealed.seal(tracks(tmp_path / "worms.csv"), tmp_path / "set")
    file, key, ledger = tmp_path / "set" / "sealed.bin", tmp_path / "set" / "sealed.key", Ledger(tmp_path / "ledger")
    (tmp_path / "still.py").write_text(STILL.replace("READ", "pass"))
    (tmp_path / "cheat.py").write_text(STILL.replace("READ", f"open({str(key)!r}).read()"))
    options = {"seconds": 8.0, "ledger": ledger}
    found = sealed.score("worm", file, key, policy=f"{tmp_path}/still.py:Still", **options)
    assert found["animals"] == 6 and found["scored"] == (1, 1) and len(found["results"]) == 15
    with pytest.raises(GuardError, match=r"sealed\.key"):
        sealed.score("worm", file, key, policy=f"{tmp_path}/cheat.py:Still", **options)
    assert len(ledger.lines()) == 2, "who was stopped was counted"


def test_the_command_line_says_what_is_missing(tmp_path, capsys):
    assert main(["turing", "worm", "--sealed", "x"]) == 2 and "needs --key" in capsys.readouterr().err
    assert main(["turing", "worm", "--key", "x"]) == 2 and "of a sealed set" in capsys.readouterr().err
    tracks(tmp_path / "two.csv", lab=lambda i: "north")
    text = (tmp_path / "two.csv").read_text().replace("0.125,0,north", "0.125,0,south")
    (tmp_path / "two.csv").write_text(text)
    assert main(["seal", str(tmp_path / "two.csv"), str(tmp_path / "out")]) == 2
    assert "is of 'south', before of 'north'" in capsys.readouterr().err
