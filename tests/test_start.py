"""`start.py`: what it refuses, what it composes. That it really sets up is what CI shows by using it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def start():
    spec = importlib.util.spec_from_file_location("start", ROOT / "start.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_another_python_is_told_what_to_do(start, monkeypatch, capsys):
    monkeypatch.setattr(start.sys, "version_info", (3, 13, 0))
    monkeypatch.setattr(start.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit) as stopped:
        start.use_supported_python()
    said = capsys.readouterr().err
    assert stopped.value.code == 1
    assert "this is Python 3.13" in said and "3.11 or 3.12" in said and "uv python install 3.12" in said


def test_another_python_goes_on_with_one_that_fits(start, monkeypatch):
    calls = []
    monkeypatch.setattr(start.sys, "version_info", (3, 10, 1))
    monkeypatch.setattr(start.shutil, "which", lambda name: "/bin/" + name)
    monkeypatch.setattr(start, "version", lambda python: "3.12" if python.endswith("3.12") else "")  # a dead shim
    monkeypatch.setattr(start.subprocess, "call", lambda command: calls.append(command) or 0)
    with pytest.raises(SystemExit):
        start.use_supported_python()
    assert [c[:2] for c in calls] == [["/bin/python3.12", str(ROOT / "start.py")]]


def test_a_folder_of_somebody_else_is_left_alone(start, monkeypatch, capsys, tmp_path):
    (tmp_path / "precious").write_text("mine")
    for name, value in {"ENV": tmp_path, "OURS": tmp_path / "ours", "READY": tmp_path / "ready"}.items():
        monkeypatch.setattr(start, name, str(value))
    with pytest.raises(SystemExit):
        start.setup()
    assert (tmp_path / "precious").read_text() == "mine"
    assert "left alone" in capsys.readouterr().err


def test_the_environment_is_of_one_lock_interpreter_and_place(start, monkeypatch):
    first = start.fingerprint()
    assert first == start.fingerprint()
    monkeypatch.setattr(start, "ENV", "/elsewhere")
    assert start.fingerprint() != first


def test_pytest_gets_what_follows(start, monkeypatch):
    monkeypatch.setattr(start, "cores", lambda: 2)
    assert start.tests(["x.py"], False)[1:] == ["-m", "pytest", "x.py", "-n", "2", "--dist", "loadfile"]
    assert start.tests(["-n0", "-x"], False)[1:] == ["-m", "pytest", "-n0", "-x"]
    assert start.tests([], True)[1:5] == ["-m", "pytest", "-m", "slow or not slow"]


def test_help_without_arguments_needs_no_environment(tmp_path):
    env = dict(os.environ, BESTIARY_VENV=str(tmp_path / "none"))
    done = subprocess.run([sys.executable, ROOT / "start.py"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "start.py demo" in done.stdout
    wrong = subprocess.run([sys.executable, ROOT / "start.py", "tset"], env=env, capture_output=True, timeout=60)
    assert wrong.returncode == 2 and not (tmp_path / "none").exists()


@pytest.mark.parametrize("lock", ["py311.txt", "py312.txt"])
def test_a_lock_is_exact_hashed_and_names_no_index(lock):
    text = (ROOT / "requirements" / lock).read_text()
    pins = re.split(r"\n(?=\w)", text.split("\n", 2)[2])
    assert len(pins) > 60
    for pin in pins:
        assert re.match(r"[\w.-]+==[\w.]+ \\\n    --hash=sha256:", pin), pin.splitlines()[0]
    assert "://" not in text and "index" not in re.sub("--no-emit-index-url", "", text)
    versions = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.M))
    assert versions["mujoco"].startswith("3.") and versions["dm-control"].startswith("1.0.")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [Requirement(r) for r in project["dependencies"] + extras["test"] + extras["dev"]]
    for need in asked:
        if need.name != "bestiary":
            assert need.specifier.contains(versions[need.name]), f"{need}: renew the locks, requirements/README.md"


@pytest.mark.parametrize("root, works", [(False, False), (True, True), (True, False)])
def test_the_drawing_library_is_installed_where_we_may(start, monkeypatch, capsys, tmp_path, root, works):
    ran = []
    monkeypatch.setattr(start, "ENV", str(tmp_path))
    monkeypatch.setattr(start.sys, "platform", "linux")
    monkeypatch.setattr(start.ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(start.shutil, "which", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr(start.os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(start, "quiet", lambda command, limit_s: ran.append(command) or works)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BESTIARY_NO_APT"):
        monkeypatch.delenv(name, raising=False)
    for _ in range(2):
        start.drawing_library()
    said = capsys.readouterr().err
    if not root:  # sudo would ask for a password
        assert ran == [["sudo", "-n", "true"]] * 2
    elif works:
        assert [c[:3] for c in ran] == [["apt-get", "install", "-y"]] * 2
    else:  # tried once: install, then update; the second run is quiet
        assert [c[1] for c in ran] == ["install", "update"]
    assert ("going on without" in said) is not works
    monkeypatch.setenv("DISPLAY", ":0")
    ran.clear()
    start.drawing_library()
    assert ran == []
