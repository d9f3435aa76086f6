"""Brains made of parts: links, lesions, controls, and a part on another core."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from bestiary.brains._parts import Composite, Link, joined
from bestiary.brains.connectome import Connectome
from bestiary.envs import Clock
from bestiary.errors import ConnectomeError, UnknownNeuronError
from bestiary.interfaces._base import Animal
from bestiary.interfaces._controls import control

CLOCK = Clock("0.002", "0.0002", "0.0002")


@dataclass
class Units:
    """Leaky units, whose output is their depolarisation."""

    table: Connectome
    slow: bool = False
    alive: Any = 1.0

    def init(self, seed: int) -> dict[str, Any]:
        return {"v": np.full(len(self.table), 1e-3 * (seed % 7), np.float32)}

    def advance(self, state: dict[str, Any], drive_mV: np.ndarray) -> dict[str, Any]:
        return {"v": (0.5 * state["v"] + 0.5 * drive_mV).astype(np.float32)}

    def rate_Hz(self, state: dict[str, Any]) -> np.ndarray:
        return np.maximum(state["v"], 0) * np.float32(self.alive)

    def voltage_mV(self, state: dict[str, Any]) -> np.ndarray:
        return state["v"]

    def motor(self, state: dict[str, Any]) -> np.ndarray:
        return np.tanh(state["v"][:2])

    def cut(self, lesioned: np.ndarray, silenced: np.ndarray) -> Units:
        alive = np.ones(len(self.table), np.float32)
        alive[lesioned] = alive[silenced] = 0
        return replace(self, alive=alive)

    def rewired(self, rewire: Any) -> Units:
        return self


def part(*names: str, slow: bool = False) -> Units:
    none = np.empty(0, np.int32)
    table = Connectome(ids=np.array(names), types=np.array([n[:-1] for n in names]), pre=none, post=none, weight=none)
    return Units(table, slow)


def brain(slow: bool = False, tau_s: float = 1e-9, **options: Any) -> Composite:
    parts = {"central": part("A1", "A2", "B1", slow=slow), "cord": part("M1", "M2")}
    weight = joined(parts["central"], parts["cord"], [("A1", "M1", 1.0), ("B1", "M2", -2.0)])
    return Composite(parts, [Link("central", "cord", weight, tau_s, "functional_fit")], CLOCK, **options)


def run(b: Composite, drive: list[float], steps: int = 4) -> list[np.ndarray]:
    state, out = b.init(0), []
    for _ in range(steps):
        state = b.advance(state, np.array(drive, np.float32), np.zeros(5, np.float32))
        out.append(b.read(state)["voltage_mV"].copy())
    return out


def test_a_link_is_one_control_period_late_and_has_its_weight() -> None:
    v = run(brain(), [8, 0, 4, 0, 0])
    start = brain().read(brain().init(0))["voltage_mV"]
    assert v[0][3] == pytest.approx(0.5 * start[3] + 0.5 * max(start[0], 0))
    assert v[1][3] == pytest.approx(0.5 * v[0][3] + 0.5 * v[0][0])
    assert v[1][4] == pytest.approx(0.5 * v[0][4] - 2 * 0.5 * v[0][2])


def test_the_synapse_of_a_link_is_first_order() -> None:
    """A step of 1 Hz reaches 1 - exp(-t / tau)."""
    b = brain(tau_s=0.01)
    state = b.init(0)
    state["central"] = {"v": np.ones(3, np.float32)}
    hold = np.array([1, 1, 1, 0, 0], np.float32)
    for _ in range(5):
        state = b.advance(state, hold, np.zeros(5, np.float32))
    assert state["links"][0] == pytest.approx(1 - np.exp(-1), rel=1e-5)


def test_another_core_changes_no_bit() -> None:
    assert all(np.array_equal(a, b) for a, b in zip(run(brain(), [3] * 5), run(brain(slow=True), [3] * 5), strict=True))


def test_lesions_find_their_part() -> None:
    b = brain(lesion=["A1"])
    assert run(b, [8, 0, 4, 0, 0])[3][3] < 0.1 < abs(run(b, [8, 0, 4, 0, 0])[3][4])


def test_neurons_are_found_in_every_part() -> None:
    b = brain()
    assert b.select(["B1", "M2", "A"]).tolist() == [2, 4, 0, 1]
    with pytest.raises(UnknownNeuronError, match=r"did you mean .M"):
        b.select("M3")


@pytest.mark.parametrize("name", ["cord-alone", "poisson", "intact"])
def test_a_control_stands_between_brain_and_cord(name: str) -> None:
    b = brain()
    b.attach(control(name, 0))
    b.control.bind(None, None, CLOCK)
    b.control.reset(1)
    quiet = run(brain(), [0] * 5, 20)[-1][3]
    driven = np.mean([v[3] for v in run(b, [0, 0, 4000, 0, 0], 200)])
    assert {"intact": driven < 1, "cord-alone": abs(driven - quiet) < 1e-2, "poisson": driven > 100}[name]


def test_a_wrong_link_is_refused() -> None:
    parts = {"a": part("A1"), "cord": part("M1", "M2")}
    with pytest.raises(ConnectomeError, match=r"\(2, 1\)"):
        Composite(parts, [Link("a", "cord", scipy.sparse.csr_array((1, 2)), 0.01, "tuned")], CLOCK)
    with pytest.raises(ConnectomeError, match="parts there are: a, cord"):
        Composite(parts, [Link("b", "cord", scipy.sparse.csr_array((2, 1)), 0.01, "tuned")], CLOCK)


class Skin:
    def init(self) -> dict[str, Any]:
        return {}

    def encode(self, state: Any, obs: Any) -> tuple[Any, np.ndarray]:
        return state, np.full(5, 2, np.float32)

    def decode(self, reading: Any) -> np.ndarray:
        return reading["motor"]


def test_an_animal_of_parts_goes_on_from_its_state_bit_for_bit() -> None:
    one, two = (Animal("stub", brain(slow=True), Skin(), CLOCK) for _ in range(2))
    for animal in (one, two):
        animal.reset(3)
    for _ in range(3):
        one.act({})
    kept = one.get_state()
    ahead = [one.act({}) for _ in range(3)]
    two.set_state(kept)
    assert all(np.array_equal(a, two.act({})) for a in ahead)
