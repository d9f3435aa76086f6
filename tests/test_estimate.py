"""Costs agree with hand calculations, grow as they should, and lie below what is measured."""

from __future__ import annotations

import pytest
from test_cli import call, report

from bestiary.errors import BestiaryError
from bestiary.tasks._estimate import MACHINES, MODELS, Machine, Network, cost, estimate, on


def test_a_network_by_hand():
    """Nine million LIF neurons and 26 G synapses at 3 Hz: the mouse's cortex."""
    got = cost(Network(9e6, 26e9, "lif", rate_Hz=3, dt_ms=0.1, delay_steps=20))
    assert got["events_per_s"] == pytest.approx(78e9)
    assert got["flop_per_s"] == pytest.approx(9e6 * 5 * 1e4 + 78e9 * 5)
    assert got["bytes"] == pytest.approx(9e6 * 12 + 26e9 * 8 + 20 * 9e6 / 8)
    assert got["traffic_bytes_per_s"] == pytest.approx(9e6 * 12 * 1e4 + 78e9 * 16)


@pytest.mark.parametrize("step_ms", [0.1, 1.0])
def test_flop_of_a_millisecond_are_those_published(step_ms):
    per_ms = {m: cost(Network(1, 0, m, dt_ms=step_ms))["flop_per_s"] / 1000 for m in MODELS}
    if step_ms == 0.1:
        assert per_ms["hh"] == pytest.approx(1200)
    else:
        assert (per_ms["lif"], per_ms["izhikevich"]) == pytest.approx((5, 13))
    assert 4 <= per_ms["lif"] <= 50


def test_costs_grow_with_what_they_should():
    base = Network(1e4, 1e6)
    one = cost(base)
    assert cost(Network(1e4, 1e6, rate_Hz=2))["events_per_s"] == 2 * one["events_per_s"]
    assert cost(Network(1e4, 1e6, rate_Hz=0))["flop_per_s"] < one["flop_per_s"]
    assert cost(Network(1e4, 1e6, plastic=1e6))["flop_per_s"] == pytest.approx(one["flop_per_s"] + 2e7)
    assert cost(Network(1e4, 1e6, "hh", compartments=3))["flop_per_s"] > 20 * one["flop_per_s"]
    slow, fast = (cost(Network(300, 6000, "graded", dt_ms=dt)) for dt in (2, 1))
    assert fast["flop_per_s"] == 2 * slow["flop_per_s"] and slow["bytes"] == fast["bytes"]


def test_the_nearest_limit_is_named():
    machine = Machine("m", 1e9, 1e9, 1e6, 1e6, "")
    costs = {"flop_per_s": 5e8, "traffic_bytes_per_s": 2e9, "events_per_s": 1e6, "bytes": 2.5e6}
    got = on(machine, costs)
    assert (got["wall_s_per_s"], got["limit"], got["machines_for_memory"]) == (2.0, "memory traffic", 3)
    assert on(machine, {**costs, "events_per_s": 9e6})["limit"] == "events"
    assert on(machine, {**costs, "events_per_s": 9e6}, steady=True)["limit"] == "memory traffic"
    assert all(m.source for m in MACHINES)
    whole = estimate([("a", Network(10, 10)), ("b", Network(20, 20))], (machine,))
    assert whole["total"]["events_per_s"] == 30


def test_the_worm_is_estimated_beside_its_measure():
    got = report("estimate", "worm", "--no-measure")
    assert got["parts"][0]["neurons"] == 302 and got["parts"][0]["model"] == "graded"
    best = min(m["wall_s_per_s"] for m in got["machines"])
    assert 0 < best < got["measured_wall_s_per_s"]["brain"] < got["measured_wall_s_per_s"]["loop"]


def test_what_cannot_be():
    with pytest.raises(LookupError, match="did you mean 'lif'"):
        Network(1, 1, "lf")
    with pytest.raises(BestiaryError, match="dt_ms must be above 0"):
        Network(1, 1, dt_ms=0)
    with pytest.raises(BestiaryError, match="neurons must be at least 1"):
        Network(0, 1)
    for words in (["estimate"], ["estimate", "worm", "--neurons", "3"], ["estimate", "--neurons", "3"]):
        assert call(*words)[0] == 2
    assert "did you mean 'worm'" in call("estimate", "wrm")[2]
