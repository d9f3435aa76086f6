"""The compass and the mushroom body on the real counts of the hemibrain."""

from __future__ import annotations

import gzip
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from bestiary.assets import registry
from bestiary.brains._compass import Compass, compass
from bestiary.brains._hemibrain import DATA, hemibrain
from bestiary.brains._mushroom_body import mushroom_body, sparseness
from bestiary.envs import Clock
from bestiary.errors import DataError

CLOCK = Clock("0.01", "0.001", "0.001")
needs_data = pytest.mark.skipif(not registry.found(DATA), reason=f"needs the data set {DATA}")


@lru_cache(1)
def intact() -> Compass:
    return compass(CLOCK)


def go(part: Any, state: Any, seconds: float, **drive: float) -> Any:
    given = part.drive(**drive)
    for _ in range(round(seconds / CLOCK.control_s)):
        state = part.advance(state, given)
    return state


def apart_deg(a: float, b: float) -> float:
    return abs(float(np.degrees(np.angle(np.exp(1j * (a - b))))))


@needs_data
def test_the_counts_are_those_published() -> None:
    """F48 of validation/fly.csv."""
    table = intact().table
    number = {k: int((table.types == k).sum()) for k in ("EPG", "Delta7", "PEN_a", "PEN_b", "PFL3")}
    assert number == {"EPG": 46, "Delta7": 42, "PEN_a": 20, "PEN_b": 22, "PFL3": 24}
    onto = np.char.startswith(table.types[table.pre], "EPG") & (table.types[table.post] == "Delta7")
    assert table.weight[onto].sum() == 17_698


@needs_data
def test_the_bump_holds_in_the_dark_and_needs_its_wiring() -> None:
    def held(part: Compass) -> tuple[float, float]:
        drift, sharp = [], []
        for angle in np.arange(8) * np.pi / 4:
            state = go(part, {k: np.zeros(len(part.table), np.float32) for k in ("r", "u")}, 0.6, landmark_rad=angle)
            before = part.heading_rad(state)[0]
            after, length = part.heading_rad(go(part, state, 2.0))
            drift.append(apart_deg(before, after))
            sharp.append(length)
        return float(np.median(drift)), float(np.min(sharp))

    drift, sharp = held(intact())
    assert drift < 15 and sharp > 0.4
    for seed in range(3):
        lost, flat = held(intact().rewired(lambda table, s=seed: table.rewire(s)))
        assert lost > 30 or flat < 0.1


@needs_data
@pytest.mark.parametrize("speed", [-4.0, -1.0, 1.0, 4.0])
def test_the_bump_follows_turning(speed: float) -> None:
    part, path = intact(), []
    state = part.init(1)
    for _ in range(15):
        state = go(part, state, 0.1, turn_rad_per_s=speed)
        path.append(part.heading_rad(state)[0])
    turned = np.unwrap(path)
    assert (turned[-1] - turned[0]) / 1.4 / speed == pytest.approx(0.9, abs=0.25)


@needs_data
def test_the_bump_does_not_turn_without_its_shifters() -> None:
    part = intact()
    part = part.cut(part.table.select(["PEN_a", "PEN_b"]), np.empty(0, int))
    state = part.init(1)
    before = part.heading_rad(state)[0]
    assert apart_deg(part.heading_rad(go(part, state, 1.0, turn_rad_per_s=2.0))[0], before) < 20


@needs_data
def test_pfl3_steers_to_the_goal() -> None:
    part, sides = intact(), []
    for seed in range(4):
        state = part.init(seed)
        now = part.heading_rad(state)[0]
        for away in (np.pi / 2, -np.pi / 2):
            sides.append(np.sign(away) * part.steering(go(part, state, 0.3, goal_rad=now + away)))
    assert np.mean(np.array(sides) > 0) >= 7 / 8


@needs_data
def test_kenyon_cells_are_sparse_through_apl() -> None:
    """F40: 5 to 10 %; Lin 2014: far more without APL."""
    assert 0.05 <= sparseness(mushroom_body(CLOCK), odours=8).mean() <= 0.10
    assert sparseness(mushroom_body(CLOCK, apl=False), odours=3).mean() > 0.3


@needs_data
def test_an_odour_with_dopamine_loses_its_output_neurons() -> None:
    part = mushroom_body(CLOCK, learning=True)
    odour, other = part.odour_drive({"vinegar": 1.0}), part.odour_drive({"geosmin": 1.0})
    reward = odour + 30 * np.char.startswith(part.table.types, "PAM").astype(np.float32)
    output = np.char.startswith(part.table.types, "MBON")

    def answer(state: Any, drive: np.ndarray) -> float:
        state = {**state, "r": np.zeros_like(state["r"])}
        for _ in range(20):
            state = part.advance(state, drive)
        return float(part.rate_Hz(state)[output].sum())

    state = part.init(0)
    before = answer(state, odour), answer(state, other)
    for _ in range(100):
        state = part.advance(state, reward)
    after = answer(state, odour), answer(state, other)
    assert after[0] < 0.8 * before[0] and after[1] > 0.9 * before[1]


@needs_data
def test_geosmin_has_its_own_glomerulus() -> None:
    part = mushroom_body(CLOCK)
    driven = part.table.types[part.odour_drive({"geosmin": 1.0}) > 0]
    assert set(driven.tolist()) == {"DA2_lPN"}
    with pytest.raises(LookupError, match="vinegar"):
        part.odour_drive({"vinegr": 1.0})


def test_damaged_files_are_refused(tmp_path: Any) -> None:
    (tmp_path / "cx_neurons.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(DataError, match="download it again"):
        hemibrain("cx", tmp_path)
    (tmp_path / "cx_neurons.csv.gz").write_bytes(gzip.compress(b"bodyId,type,instance\n1,EPG,EPG_L1\n"))
    (tmp_path / "cx_counts_csr.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(DataError, match="download it again"):
        hemibrain("cx", tmp_path)
