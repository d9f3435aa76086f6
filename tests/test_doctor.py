"""The doctor reports and never raises."""

from __future__ import annotations

import json

import pytest

from bestiary import doctor


def test_a_report_is_whole_and_json():
    report = doctor.examine()
    assert [f.name for f in report.findings] == "python packages drawing jax brain memory disk data".split()  # noqa: SIM905
    assert {f.state for f in report.findings} <= {"ok", "limited", "broken"}
    again = json.loads(json.dumps(report.as_dict()))
    assert again["ok"] is report.ok and len(again["facts"]) == len(report.findings)
    assert all(f.name in str(report) for f in report.findings)
    by_name = {f.name: f for f in report.findings}
    assert by_name["jax"].state != "broken" and by_name["brain"].state == "ok"


def test_a_look_that_fails_is_a_finding(monkeypatch):
    def raises(facts):
        raise RuntimeError("no such thing")

    monkeypatch.setattr(doctor, "_memory", raises)
    report = doctor.examine(quick=True)
    assert not report.ok
    assert any(f.state == "broken" and "no such thing" in f.value for f in report.findings)


def test_no_drawing_is_a_limit_with_a_fix(monkeypatch):
    monkeypatch.setattr(doctor, "_child", lambda code, **env: (None, "cannot load EGL"))
    found = doctor._drawing({})
    assert found.state == "limited" and "cannot load EGL" in found.value and "libegl1" in found.fix


def test_a_child_that_dies_is_told():
    assert doctor._child("import os; os.abort()")[1] == "died with status -6"
    assert doctor._child("raise ValueError('x')")[1] == "ValueError: x"
    assert doctor._child("print('[1]')") == ([1], "")


def test_a_data_folder_that_is_none_is_a_finding(monkeypatch):
    monkeypatch.setenv("BESTIARY_DATA", "/no/such/folder")
    data = next(f for f in doctor.examine(quick=True).findings if f.name == "data")
    assert data.state == "broken" and "/no/such/folder" in data.value and "unset it" in data.value
    assert not data.fix, "it is the user's, and nothing to report"


@pytest.mark.parametrize("installed, state", [("3.17.0", "ok"), ("4.0.0", "broken")])
def test_a_package_out_of_range_is_broken(monkeypatch, installed, state):
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: ["mujoco>=3.17,<4"])
    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda name: installed)
    monkeypatch.setattr(doctor, "_lock", dict)
    assert doctor._packages({}).state == state
