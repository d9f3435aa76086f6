"""Receptors of the fly: what the body senses becomes the rate of named cells."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bestiary.bodies._eye import fly_retina
from bestiary.brains._fly_circuits import central, fly_circuits
from bestiary.interfaces._fly_central import CompassSense
from bestiary.interfaces._fly_senses import SENSES, SPONTANEOUS_HZ, FlySenses

C = fly_circuits()
STILL = {
    "sugar_mol_per_m3": np.zeros(8),
    "bitter_mol_per_m3": np.zeros(8),
    "water": np.zeros(8),
    "vinegar": np.zeros(4),
    "geosmin": np.zeros(4),
    "co2": np.zeros(2),
    "wind_m_per_s": np.zeros((2, 3)),
    "antenna_load_N": np.zeros(2),
    "gravity": np.array([0.0, 0.0, -1.0]),
}


def felt(seconds: float = 0.002, state=None, senses=None, **obs):
    """(state, rates of the groups) after some time under an observation."""
    senses = senses or FlySenses(C)
    state, drive = senses.init() if state is None else state, np.zeros(len(senses.table), np.float32)
    for _ in range(round(seconds / 0.002)):
        state = senses.encode(state, STILL | obs, drive)
    return state, senses.rates_Hz(drive)


def at(*places, value=1.0, size=8):
    out = np.zeros(size)
    out[list(places)] = value
    return out


def test_nothing_is_felt_where_nothing_is():
    _, rate = felt()
    assert len(rate) == 36 and all(abs(r) < 1e-6 for r in rate.values())
    assert all(len(row) == 3 for row in SENSES.values())


def test_sugar_at_one_foot_drives_the_cells_of_that_foot_and_fades():
    state, early = felt(0.01, sugar_mol_per_m3=at(1, value=60.0))  # T1R
    assert early["leg_sugar_T1R"] == pytest.approx(90, rel=0.05)  # half of the most
    assert early["leg_sugar_T1L"] == early["leg_sugar_T2R"] == early["sugar_R"] == 0
    _, late = felt(2.0, state, sugar_mol_per_m3=at(1, value=60.0))
    assert late["leg_sugar_T1R"] == pytest.approx(0.6 * 90, rel=0.03)
    _, both = felt(0.002, sugar_mol_per_m3=at(6, value=60.0), bitter_mol_per_m3=at(6, value=1e3))
    assert both["sugar_L"] == pytest.approx(45, rel=0.05) and both["bitter_L"] > 100 and both["bitter_R"] == 0


def test_more_sugar_is_more_and_water_less_in_it():
    rates = [felt(sugar_mol_per_m3=at(7, value=c))[1]["sugar_R"] for c in (1, 10, 50, 200, 1000)]
    assert np.all(np.diff(rates) > 0) and rates[-1] < 180
    assert felt(water=at(6))[1]["water_L"] > felt(water=at(6), sugar_mol_per_m3=at(6, value=400.0))[1]["water_L"] > 0


def test_an_odour_is_adapted_to_and_leaves_receptors_below_rest():
    state, first = felt(0.002, vinegar=at(0, 1, value=100.0, size=4))
    state, used = felt(3.0, state, vinegar=at(0, 1, value=100.0, size=4))
    assert first["ORN_DM1_L"] > 150 and first["ORN_DM1_L"] > first["ORN_VA2_L"] > 100
    assert 0.3 < used["ORN_DM1_L"] / first["ORN_DM1_L"] < 0.6
    _, again = felt(0.002, state, vinegar=at(0, 1, value=1000.0, size=4))
    assert again["ORN_DM1_L"] > 1.4 * used["ORN_DM1_L"]  # Weber: an odour ten times as strong is news
    state, after = felt(0.2, state)
    assert -SPONTANEOUS_HZ["ORN_DM1"] <= after["ORN_DM1_L"] < -4
    assert after["OFF_search_L"] > used["OFF_search_L"] + 0.3  # and the fly searches
    _, palp = felt(vinegar=at(2, 3, value=100.0, size=4))
    assert palp["ORN_DM1_L"] == 0


def test_odour_on_one_side_is_stronger_there():
    _, rate = felt(0.002, geosmin=at(1, value=1.0, size=4))
    assert rate["ORN_DA2_R"] > 90 and rate["ORN_DA2_L"] == 0
    assert felt(0.002, co2=np.array([1e3, 0]))[1]["ORN_V_L"] > 90


@pytest.mark.parametrize(("from_deg", "most"), [(45, "JO_E_L"), (-45, "JO_E_R"), (135, "JO_C_R"), (-135, "JO_C_L")])
def test_wind_bends_the_antennae_by_where_it_is_from(from_deg, most):
    way = -np.array([np.cos(np.radians(from_deg)), np.sin(np.radians(from_deg)), 0]) * 0.3
    _, rate = felt(0.5, wind_m_per_s=np.tile(way, (2, 1)))
    found = {k: rate[k] for k in ("JO_C_L", "JO_C_R", "JO_E_L", "JO_E_R")}
    assert max(found, key=found.__getitem__) == most and found[most] > 60
    assert rate["JO_F_L"] == 0


def test_dust_on_an_antenna_drives_all_zones_of_that_side():
    _, rate = felt(antenna_load_N=np.array([1e-6, 0]))
    assert min(rate[f"JO_{z}_L"] for z in "CDEF") > 130 and max(rate[f"JO_{z}_R"] for z in "CDEF") < 1e-6


def test_cells_that_a_brain_lacks_are_left_out():
    rows = C.select(["MN9_L", "DNa02_L"])
    small = type(C)(ids=C.ids[rows], types=C.types[rows], sides=C.sides[rows], pre=[], post=[], weight=[])
    drive = np.zeros(2, np.float32)
    FlySenses(small).encode(FlySenses(small).init(), STILL, drive)
    assert drive.tolist() == [0, 0]


def test_receptors_and_circuits_close_the_reflex():
    """Sugar at the feet makes MN9 fire; bitter with it does not."""
    part, senses = central(), FlySenses(C)
    mn9 = C.select("MN9")

    def fires(**obs):
        state, skin, drive = part.init(0), senses.init(), np.zeros(len(C), np.float32)
        total = 0.0
        for _ in range(500):
            skin = senses.encode(skin, STILL | obs, drive)
            state = part.advance(state, drive)
            total += state["count"][mn9].mean()
        return total

    feet = at(*range(6), value=50.0)
    assert fires(sugar_mol_per_m3=feet) > 10
    assert fires(sugar_mol_per_m3=feet, bitter_mol_per_m3=at(*range(6), value=20.0)) < 3


@pytest.mark.parametrize("bar_deg", [-120, -40, 0, 75])
def test_the_compass_is_told_where_a_bright_bar_stands_whatever_sky_and_ground_are(bar_deg):
    sense = CompassSense(SimpleNamespace())  # the part itself is not asked
    ways = fly_retina().directions
    azimuth, up = np.degrees(np.arctan2(ways[..., 1], ways[..., 0])), np.degrees(np.arcsin(ways[..., 2]))
    drum = np.where(np.abs((azimuth - bar_deg + 180) % 360 - 180) < 15, 1.0, 0.05)
    for sky, ground in ((0.7, 0.9), (0.0, 0.0)):
        light = np.where(up > 35, sky, np.where(up < -5, ground, drum))
        assert np.degrees(sense.landmark_rad(light)) == pytest.approx(bar_deg, abs=10)
    assert sense.landmark_rad(np.where(up > 0, 0.7, 0.1)) is None
