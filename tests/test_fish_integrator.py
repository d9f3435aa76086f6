"""The hindbrain integrator: Z26's order from the wiring, its loss with random wiring, and refusals of bad matrices."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bestiary.brains import _fish_integrator as fish
from bestiary.envs._clock import Clock
from bestiary.errors import ConnectomeError, DataError

CLOCK = Clock("0.001", "0.0001", "0.0002")


@pytest.fixture
def measured(monkeypatch):
    nearby = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not os.environ.get("BESTIARY_DATA") and nearby.is_dir():
        monkeypatch.setenv("BESTIARY_DATA", str(nearby))
    try:
        return fish.measured()
    except DataError as error:
        pytest.skip(f"needs zebrafish-hindbrain: {error}")


def small():
    """Two integrating cells, one motor cell, one axon: (matrix, cells, types, inputs), row = target."""
    matrix = np.array([[0, 3, 0, 1], [2, 0, 0, 0], [5, 5, 0, 0], [0, 0, 0, 0]])
    return matrix, [11, 12, 13, 14], ["Int", "Int", "ABD_m", "Axl"], [10, 10, 20, 10]


def test_order_of_the_slopes_is_in_the_wiring_and_random_wiring_loses_it(measured):
    found = fish.slopes(measured)
    assert found == pytest.approx({"VPNI": 1, "ABDm": 1.05, "ABDi": 3.53, "DO": 0.30}, abs=0.02)
    random = [fish.slopes(measured.erdos_renyi(seed)) for seed in range(6)]
    spread = [s["ABDi"] / s["ABDm"] for s in random]
    assert np.median(spread) < 1.3 and max(spread) < 2.5 < found["ABDi"] / found["ABDm"]
    assert np.mean([s["DO"] for s in random]) > 0.6 > found["DO"]


def test_measured_cells_and_tags(measured):
    count = {k: int((measured.types[measured.sides == "R"] == k).sum()) for k in np.unique(measured.types)}
    assert count == {"VPNI": 255, "DO": 34, "ABDm": 32, "ABDi": 22, "vSPN": 15}
    assert set(measured.provenance.values) == {"EM_cell", "EM_mirrored"}
    motor = np.isin(measured.types, fish.SILENT)
    assert not motor[measured.pre].any()
    inhibits = measured.types[measured.pre] == "DO"
    assert ((measured.sign < 0) == inhibits).all()


@pytest.mark.parametrize("spiking", [False, True])
def test_it_holds_what_a_saccade_left(spiking):
    part = fish.Integrator(fish.stand_in(), CLOCK, spiking)
    rows = part.table.select("type=ABDi & side=R")
    burst = np.zeros(len(part.table), np.float32)
    burst[part.table.select("type=VPNI & side=R")] = 20 * fish.UNIT_MV
    state, kept = part.init(0), []
    for k in range(3000):
        state = part.advance(state, burst if k < 50 else 0 * burst)
        kept.append(float(state["r"][rows].mean()))
    assert kept[400] > 5
    if not spiking:
        decay_s = -2.0 / np.log(kept[2500] / kept[500])
        assert 3 < decay_s < 20  # Z27
        assert abs(state["r"][part.table.select("side=L")]).max() == 0


def test_removing_its_cells_makes_it_forget():
    part = fish.Integrator(fish.stand_in(), CLOCK)
    part = part.cut(part.table.select("type=VPNI"), np.empty(0, int))
    drive = np.full(len(part.table), 20.0, np.float32)
    state = part.init(0)
    for k in range(700):
        state = part.advance(state, drive if k < 100 else 0 * drive)
    assert abs(state["r"]).max() < 0.01


def test_impossible_matrices_are_refused_with_the_reason():
    matrix, cells, types, inputs = small()
    assert len(fish.integrator_table(matrix, cells, types, inputs)) == 6
    with pytest.raises(ConnectomeError, match="seems transposed"):
        fish.integrator_table(matrix.T, cells, types, inputs)
    with pytest.raises(ConnectomeError, match="must be square"):
        fish.integrator_table(matrix[:3], cells, types, inputs)
    with pytest.raises(ConnectomeError, match="unknown type of cell 'Purkinje'"):
        fish.integrator_table(matrix, cells, ["Purkinje", *types[1:]], inputs)
    with pytest.raises(ConnectomeError, match="not finite at row 0, column 1"):
        fish.integrator_table(np.where(matrix == 3, np.nan, matrix), cells, types, inputs)
    with pytest.raises(ConnectomeError, match="3 cells are named"):
        fish.integrator_table(matrix, cells[:3], types, inputs)
    with pytest.raises(ConnectomeError, match="from inside"):
        fish.integrator_table(matrix, cells, types, [2, 2, 2, 2])
