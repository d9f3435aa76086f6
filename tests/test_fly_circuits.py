"""The circuits that ship do what was published of the cells they name; what is fitted says so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bestiary import assets
from bestiary.brains import _fly_circuits as circuits
from bestiary.brains._fly_targets import EXPERIMENTS, TARGETS, residuals
from bestiary.brains._shiu import p9_connectome
from bestiary.brains._spiking_part import SpikingPart, drive_of
from bestiary.brains._surrogate import flywire_surrogate

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("BESTIARY_DATA") or ROOT.parent / "shared" / "data")
P9 = DATA / "fly" / "p9_subnetwork630"
needs_p9 = pytest.mark.skipif(not P9.is_dir(), reason="BESTIARY_DATA has no fly/p9_subnetwork630")
C = circuits.fly_circuits()


def respond(part: SpikingPart | None = None, seconds: float = 1.0, seeds: int = 2, current=(), **rates: float):
    """name -> Hz, mean over seeds. rates: of `type` or `type_L`; current: query -> mV."""
    part = circuits.central() if part is None else part
    drive = np.zeros(len(C), np.float32)
    for word, rate in rates.items():
        kind, _, side = word.rpartition("_")
        drive[C.select(f"type={kind} & side={side}" if side in ("L", "R") else f"type={word}")] = drive_of(rate)
    for word, mV in dict(current).items():
        drive[C.select(word)] = mV
    found = np.mean([part.run(seconds, drive, seed=s) for s in range(seeds)], 0)
    return dict(zip(C.names.tolist(), found.tolist(), strict=True))


@pytest.fixture(scope="module")
def table():
    return {(r["experiment"], r["cell"]): r for r in residuals(C, trials=3)}


def test_tables_are_whole_and_say_where_they_are_from():
    edges, cells = assets.rows("fly", "circuits.csv"), assets.rows("fly", "circuit_cells.csv")
    assert all(r["source"] for r in (*edges, *cells))
    assert {r["provenance"] for r in edges} == {"functional_fit", "EM_mirrored"}
    known = {c["type"] for c in cells}
    known |= {circuits.numbered(c["type"], k) for c in cells for k in range(1, int(c["per_side"]) + 1)}
    assert {r["pre"] for r in edges} | {r["post"] for r in edges} <= known
    assert len(np.unique(C.names)) == len(C)
    for name in ("DNp09", "DNg97", "DNg100", "DNa01", "DNa02", "DNp01", "DNg62", "DNge078", "MN9", "DNp15"):
        assert len(C.select(name)) == 2 and len(C.select(f"{name}_L")) == 1
    assert len(C.select("MDN")) == 4 and len(C.select("DNg02")) == 24
    assert C.ids[C.select("MN9_R")] == "720575940660219265"


def test_the_two_sides_are_wired_alike():
    twin = {n: n[:-1] + ("R" if n[-1] == "L" else "L") for n in C.names.tolist()}
    row = {n: i for i, n in enumerate(C.names.tolist())}
    mirror = np.array([row[twin[n]] for n in C.names.tolist()])
    m = C.matrix("chemical", signed=True).toarray()
    np.testing.assert_array_equal(m, m[np.ix_(mirror, mirror)])


def test_counts_of_the_p9_circuit_are_the_published_ones():
    at = C.edges("DNp09_L", "DNa02_L")
    assert C.weight[at].tolist() == [27.5] and C.provenance[at].text().tolist() == ["EM_mirrored"]
    assert C.weight[C.edges("DNa01_R", "DNa02_R")].tolist() == [167]


def test_mn9_follows_sugar_as_published(table):
    """F01, F02, F03."""
    curve = [table[f"sugar {f}", "MN9_R"]["model_Hz"] for f in (10, 30, 50, 60, 80, 100, 150, 200)]
    wanted = (0, 0.3, 19.4, 36.4, 58.1, 65.7, 83.7, 93.2)
    assert np.sqrt(np.mean(np.subtract(curve, wanted) ** 2)) < 6
    assert curve[0] < 1 and 60 <= curve[5] <= 74 and 85 <= curve[7] <= 103
    assert table["sugar 100", "MN9_L"]["model_Hz"] == pytest.approx(48.6, abs=8)


def test_named_cells_fire_as_in_the_published_spikes(table):
    rows = [r for (e, n), r in table.items() if e.startswith("sugar ") and not n.startswith("MN9")]
    error = np.array([(r["model_Hz"] - r["published_Hz"]) for r in rows])
    assert len(rows) > 35 and np.median(abs(error)) < 3 and abs(error).max() < 20
    r = np.corrcoef([r["model_Hz"] for r in rows], [r["published_Hz"] for r in rows])[0, 1]
    assert r > 0.97
    assert set(TARGETS) == set(table) and {e for e, _ in TARGETS} == set(EXPERIMENTS)


def test_bitter_and_ir94e_keep_the_proboscis_in(table):
    """F10."""
    assert table["water", "MN9_R"]["model_Hz"] > 25
    for second in ("bitter", "Ir94e"):
        assert table[f"sugar+{second}", "MN9_R"]["model_Hz"] < 8
    assert respond(water_L=100, bitter_L=100)["MN9_R"] < 15


def test_antennal_grooming_is_as_published(table):
    """F12."""
    for exp, cell, low, high in (
        ("JO 140", "aBN1_L", 38, 54),
        ("JO 140", "DNg62_R", 11, 23),
        ("JO 140", "DNge078_R", 11, 23),
        ("JO-F 150", "aBN1_L", 0, 4),
    ):
        assert low <= table[exp, cell]["model_Hz"] <= high, (exp, cell)


def test_walking_comes_in_bouts_and_rests_are_quiet():
    """F27 roughly, for 40 s; F47 for the projection neurons."""
    part = circuits.central()
    state, quiet = part.init(3), np.zeros(len(C), np.float32)
    rows, trace, total = C.select("BPN"), [], np.zeros(len(C))
    for _ in range(20_000):
        state = part.advance(state, quiet)
        trace.append(state["count"][rows].mean())
        total += state["count"]
    walks = np.array(trace).reshape(-1, 25).mean(1) / 0.002 > 20
    assert 0.2 < walks.mean() < 0.9 and 4 < np.abs(np.diff(walks.astype(int))).sum() < 60
    rate = dict(zip(C.names.tolist(), (total / 40).tolist(), strict=True))
    for cell in ("DM1_lPN_L", "VA2_adPN_R", "V_ilPN_L"):
        assert 1 < rate[cell] < 10
    for cell in ("MN9_L", "DNg62_R", "MDN1_L", "DNp01_R", "DNa01_L"):
        assert rate[cell] < 0.5
    assert rate["DNg97_L"] > 3


def test_without_background_nothing_fires():
    silent = circuits.central(background=False)
    assert silent.run(0.5, np.zeros(len(C))).sum() == 0


def test_sugar_stops_walking_and_the_stop_needs_foxglove():
    walking = respond(seconds=3)["DNg97_L"]
    assert respond(seconds=3, leg_sugar=80)["DNg97_L"] < 0.3 * walking
    cut = circuits.central().cut(C.select(["Foxglove", "Bluebell"]), np.empty(0, int))
    assert respond(cut, seconds=3, leg_sugar=80)["DNg97_L"] > 0.6 * walking


def test_odour_gates_the_turn_upwind():
    wind = {"JO_E_L": 80.0, "JO_C_R": 80.0}
    vinegar = {"ORN_DM1": 80.0, "ORN_VA2": 80.0}
    both = respond(seconds=2, **wind, **vinegar)
    assert both["DNa02_L"] > 15 > 5 > both["DNa02_R"]
    for one in (wind, vinegar):
        alone = respond(seconds=2, **one)
        assert abs(alone["DNa02_L"] - alone["DNa02_R"]) < 5
    assert both["DM1_lPN_L"] < 150


def test_p9_turns_to_its_side_and_mdn_stops_walking():
    """F25; F24 in part."""
    p9 = respond(current={"DNp09_L": float(drive_of(150.0))})  # the rate of Sapkal 2024
    assert p9["DNp09_L"] > 100 and p9["DNa02_L"] > p9["DNa02_R"] + 2
    back = respond(seconds=3, current={"MDN": 10.0})
    assert back["MDN1_L"] > 20 and back["DNg97_L"] < 1


def test_giant_fibres_are_coupled_where_that_is_wanted():
    def other(electrical):
        part = circuits.central(background=False, electrical=electrical)
        drive = np.zeros(len(C), np.float32)
        drive[C.select("DNp01_L")] = 6.9
        state = part.init(0)
        for _ in range(50):
            state = part.advance(state, drive)
        return float(part.voltage_mV(state)[C.select("DNp01_R")][0])

    assert other(True) > other(False) + 0.3


def test_a_brain_of_flywires_make_rests_as_measured_and_takes_the_stand_ins():
    """F47 on a tenth of the surrogate: projection neurons 1 to 10 Hz, Kenyon cells 0.1 Hz, others low."""
    table = flywire_surrogate(0, neurons=14_000, edges=1_500_000, real_tables=False)
    assert len(table.select("DNa02_L")) == len(table.select("MN9_R")) == 1
    part = circuits.central(table)
    assert len(part.table) == 14_058 and part.table.provenance.counts()["functional_fit"] > 200
    assert part.table.n_edges - table.n_edges == part.table.provenance.counts()["functional_fit"]
    rate = part.run(3.0, np.zeros(len(part.table), np.float32))
    of = {k: rate[(part.table.types == k) | (part.table.kinds == k)].mean() for k in ("uniglomerular", "KCg", "optic")}
    assert 1 < of["uniglomerular"] < 10 and 0.05 < of["KCg"] < 0.2 and of["optic"] < 0.1
    assert rate[part.table.kinds == "descending"].mean() < 0.5
    assert circuits.central(table, stand_ins=False).table is table
    assert circuits.with_stand_ins(C) is C


@needs_p9
def test_background_leaves_evoked_rates_as_they_are():
    c = p9_connectome(P9)
    rows = c.select("P9")
    drive = np.zeros(len(c), np.float32)
    drive[rows] = drive_of(150.0)
    rates = [
        np.mean([SpikingPart(c, 0.02, poisson=rows, background_Hz=b).run(1.0, drive, seed=s) for s in range(30)], 0)
        for b in (None, np.full(len(c), 0.1))
    ]
    assert np.corrcoef(*rates)[0, 1] > 0.995
    assert abs(rates[1].sum() / rates[0].sum() - 1) < 0.09
    sugar = [respond(circuits.central(background=b), sugar=100)["MN9_L"] for b in (False, True)]
    assert abs(sugar[1] / sugar[0] - 1) < 0.1


def test_rewired_circuits_feed_no_more():
    """Twelve degree-preserving rewirings of the same weights and signs."""
    fired = [respond(circuits.central().rewired(lambda t, k=k: t.rewire(k)), seeds=1, sugar=100) for k in range(12)]
    like = [min(r["MN9_L"], r["MN9_R"]) > 30 and r["DNg97_L"] < 5 for r in fired]
    assert sum(like) <= 1
