"""FANC's leg: the importer on the real matrix, and what swing and stance do in it."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

import bestiary
from bestiary.bodies.fly import Fly
from bestiary.brains import _fly_vnc as vnc
from bestiary.brains._fly_cord import FlyCord
from bestiary.envs._clock import Clock
from bestiary.errors import DataError
from bestiary.interfaces._controls import control
from bestiary.interfaces._fly_motor import Motor
from bestiary.interfaces._fly_template import Template

ROOT = Path(os.environ.get("BESTIARY_DATA", Path(__file__).parents[2] / "shared" / "data"))
FOLDER = ROOT / "fly" / "fanc_premotor_motor"
pytestmark = pytest.mark.skipif(not (FOLDER / vnc.FILE).is_file(), reason="BESTIARY_DATA has no fanc_premotor_motor")
CLOCK = Clock("0.002", "0.0001", "0.0002")


def test_every_synapse_of_the_matrix_is_there():
    leg = vnc.read(FOLDER)
    assert (len(leg), leg.n_edges, int(leg.weight.sum())) == (1546 + 69, 11136, 212190)
    assert (leg.kinds == "motor").sum() == 69
    assert set(leg.provenance.values) == {"EM_cell"}
    assert (leg.post >= 1546).all() and (leg.pre < 1546).all()
    assert leg.select("trochanter_flex").size >= 11
    tagged = vnc.legs(leg).provenance.counts()
    assert tagged == {"EM_cell": 11136, "EM_mirrored": 11136, "statistical": 4 * 11136}


def test_swing_and_stance_drive_opposite_pools():
    part = vnc.part(CLOCK, FOLDER, ("T1L",))
    active = {}
    for unit, rows, weight in vnc.pairs(part.table):
        state, drive = part.init(0), np.zeros(len(part.table), np.float32)
        drive[rows] = weight * 100
        for _ in range(100):
            state = part.advance(state, drive)
        active[unit] = vnc.modules(part.table, part.rate_Hz(state))["T1L"]
    swing, stance = active["swing_T1L"], active["stance_T1L"]
    for module in ("coxa_promote", "trochanter_flex"):
        assert swing[module] > 2 * stance[module]
    for module in ("coxa_posterior", "trochanter_extend"):
        assert stance[module] > 2 * swing[module]


def test_its_pools_move_the_legs_and_a_shuffled_matrix_does_not():
    """The cord's unit `lift_T1L` follows `swing_T1L` through the measured matrix, not through a rewired one."""
    motor = Motor(Template.of(Fly(eyes=False)), CLOCK.control_s, pools=True)
    nerve = FlyCord(motor)
    part = vnc.part(CLOCK, FOLDER, ("T1L",))
    joints = vnc.links(part, nerve)
    row = nerve.table.select("lift_T1L")[0]
    shuffled = part.rewired(control("degree-preserving", 0).rewire)
    lift = {}
    for name, one in (("measured", part), ("shuffled", shuffled)):
        for unit in ("swing_T1L", "stance_T1L"):
            state, rate = one.init(0), np.zeros(len(nerve.table), np.float32)
            rate[nerve.table.select(unit)] = 100
            for _ in range(50):
                state = one.advance(state, joints[0].weight_mV_per_Hz @ rate)
            lift[name, unit] = (joints[1].weight_mV_per_Hz @ one.rate_Hz(state))[row]
    assert lift["measured", "swing_T1L"] == pytest.approx(10, abs=0.5)
    assert lift["measured", "stance_T1L"] < 0
    assert abs(lift["shuffled", "swing_T1L"] - lift["shuffled", "stance_T1L"]) < 5


def test_a_fly_has_it_by_name_and_can_lose_a_pool(monkeypatch):
    monkeypatch.setenv("BESTIARY_DATA", str(ROOT))
    bare = ("visual", "compass", "mushroom-body")
    fly = bestiary.animal("fly", connectome="circuits+vnc", without=bare, lesion=["type=trochanter_flex"])
    assert "FANC" in fly.about["connectome"] and {k.target for k in fly.brain.links} >= {"vnc", "cord"}
    assert not fly.brain.parts["vnc"]._alive[fly.brain.parts["vnc"].table.types == "trochanter_flex"].any()
    assert "vnc" not in bestiary.animal("fly", connectome="circuits", without=bare).brain.parts


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows[:-1], "1546 x 69"),
        (lambda rows: [*rows[:-1], rows[-1].rsplit(",", 1)[0] + ",-3"], "negative"),
        (lambda rows: [*rows[:-1], rows[-1].rsplit(",", 1)[0] + ",many"], "no number"),
        (lambda rows: ["x" + rows[0], *rows[1:]], "begin with"),
    ],
)
def test_a_broken_matrix_is_refused(tmp_path, change, says):
    rows = gzip.decompress((FOLDER / vnc.FILE).read_bytes()).decode().strip().splitlines()
    (tmp_path / vnc.FILE).write_bytes(gzip.compress("\n".join(change(rows)).encode()))
    with pytest.raises(DataError, match=says):
        vnc.read(tmp_path)
    (tmp_path / vnc.FILE).write_bytes((FOLDER / vnc.FILE).read_bytes()[:9000])
    with pytest.raises(DataError, match="download it again"):
        vnc.read(tmp_path)
    with pytest.raises(DataError, match="missing"):
        vnc.read(tmp_path / "nothing")
