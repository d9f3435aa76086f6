"""A connectome as a part of a brain that steps by the control period."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bestiary.brains._spiking_part import REST_MV, SpikingPart, drive_of, rate_of
from bestiary.brains._spiking_period import events, guide
from bestiary.brains.connectome import Connectome
from bestiary.errors import BestiaryError


def chain(weight: float = 400.0, sign: int = 1) -> Connectome:
    """in -> a -> b, and c alone."""
    ids = np.array(["in", "a", "b", "c"])
    return Connectome(ids=ids, pre=[0, 1], post=[1, 2], weight=[weight, weight], sign=[sign, sign])


def drive(part: SpikingPart, **rates: float) -> np.ndarray:
    out = np.zeros(len(part.table), np.float32)
    for name, rate in rates.items():
        out[part.table.select(name)] = drive_of(rate)
    return out


def test_rate_and_drive_are_inverse_and_the_cell_agrees():
    rates = np.array([0, 0.5, 4, 5, 20, 100, 300.0])
    np.testing.assert_allclose(rate_of(drive_of(rates).astype(np.float32)), rates, rtol=0.02, atol=1e-6)
    part = SpikingPart(chain())
    for rate in (20.0, 100.0, 300.0):  # a steady current, no Poisson: the equations themselves
        assert part.run(2.0, drive(part, c=rate))[3] == pytest.approx(rate, rel=0.04)


def test_receptors_fire_as_poisson_and_drive_the_next_cells():
    part = SpikingPart(chain(), poisson=np.array([0]))
    found = np.mean([part.run(1.0, drive(part, **{"in": 80.0}), seed=k) for k in range(10)], 0)
    assert found[0] == pytest.approx(80, rel=0.1)
    assert found[1] > 60 and found[2] > 50 and found[3] == 0


def test_receptors_that_hear_their_rate_fire_at_it():
    part = SpikingPart(chain(), poisson=np.array([0]), in_Hz=True)
    found = np.mean([part.run(1.0, np.array([80.0, 0, 0, 0]), seed=k)[0] for k in range(10)])
    assert found == pytest.approx(80, rel=0.1)
    assert part.run(1.0, np.array([-80.0, 0, 0, 0]))[0] == 0


def test_a_guide_finds_the_cells_that_a_search_finds():
    rate = np.random.default_rng(0).lognormal(0, 2, 500) * (np.arange(500) % 3 > 0)  # some never fire
    running = np.cumsum(rate)
    for seed in range(20):
        found = events(running, guide(running), 10, 1e-2, np.uint64(seed), 0)
        for a, b in zip(found, events(running, np.empty(0, np.int32), 10, 1e-2, np.uint64(seed), 0), strict=True):
            np.testing.assert_array_equal(a, b)
    assert len(found[1]) > 50 and (rate[found[1]] > 0).all()


def test_one_flywire_synapse_peaks_at_0_0433_mV_after_9_3_ms():
    """Validation fact F50, from the model equations."""
    part = SpikingPart(chain(weight=1.0), control_s=1e-4)
    state, psp, fired = part.init(0), [], []
    for k in range(300):
        drive = np.array([2000.0 if k == 0 else 0, 0, 0, 0])  # one spike, and no more
        state = part.advance(state, drive)
        fired.append(state["count"][0])
        psp.append(part.voltage_mV(state)[1] - REST_MV)
    assert sum(fired) == 1
    arrival = fired.index(1) + 18  # steps of 0.1 ms: the delay of 1.8 ms
    assert max(psp) == pytest.approx(0.0433, abs=5e-5)
    assert (np.argmax(psp) - arrival) * 1e-4 == pytest.approx(9.3e-3, abs=3e-4)


def test_a_period_at_a_time_is_the_same_as_the_state_says():
    part = SpikingPart(chain(), poisson=np.array([0]), background_Hz=np.full(4, 20.0))
    d = drive(part, **{"in": 100.0})
    state = part.init(5)
    for _ in range(20):
        state = part.advance(state, d)
    kept = {k: v.copy() for k, v in state.items()}
    once = [part.rate_Hz(state := part.advance(state, d)) for _ in range(20)]
    again = [part.rate_Hz(kept := part.advance(kept, d)) for _ in range(20)]
    np.testing.assert_array_equal(once, again)
    other = part.init(6)
    assert any((part.rate_Hz(other := part.advance(other, d)) != r).any() for r in once)
    quick = replace(part, in_place=True)
    state = quick.init(5)
    for _ in range(20):
        state = quick.advance(state, d)
    np.testing.assert_array_equal([quick.rate_Hz(state := quick.advance(state, d)) for _ in range(20)], once)


def test_a_lesion_removes_and_silence_cuts_outputs_only():
    part = SpikingPart(chain(), poisson=np.array([0]), background_Hz=np.full(4, 10.0))
    d = drive(part, **{"in": 100.0})
    rows = part.table.select
    silent = part.cut(np.empty(0, int), rows("a")).run(2.0, d)
    gone = part.cut(rows("a"), np.empty(0, int)).run(2.0, d)
    assert silent[1] > 60 and silent[2] < 20  # a fires, b hears only its own background
    assert gone[1] == 0 and gone[2] < 20
    lost = part.cut(rows("c"), rows("in"))
    assert lost.run(1.0, d)[3] == 0 and lost.run(1.0, d)[0] > 60


def test_background_fires_cells_at_its_rate_and_inhibition_holds_them():
    n = 200
    free = Connectome(ids=np.arange(n).astype(str), pre=np.empty(0, int), post=np.empty(0, int), weight=np.empty(0))
    rate = SpikingPart(free, background_Hz=np.full(n, 5.0)).run(2.0, np.zeros(n))
    assert rate.mean() == pytest.approx(5, rel=0.1)
    held = SpikingPart(free, background_Hz=np.full(n, 5.0)).run(2.0, np.full(n, -6.0))
    assert held.mean() < 0.5  # two events within a few ms still get through


def test_a_rewired_part_keeps_its_cells():
    part = SpikingPart(chain(), poisson=np.array([0]))
    crossed = part.rewired(lambda t: replace(t, post=np.array([3, 2], np.int32)))
    found = crossed.run(1.0, drive(part, **{"in": 100.0}))
    assert found[3] > 60 and found[1] == found[2] == 0


def test_what_cannot_be_is_refused():
    with pytest.raises(BestiaryError, match="control period"):
        SpikingPart(chain(), control_s=0.00205)
    with pytest.raises(BestiaryError, match="background_Hz"):
        SpikingPart(chain(), background_Hz=np.array([1, -1, 0, 0.0]))


def test_blocks_of_neurons_give_the_spikes_of_single_steps_bit_for_bit():
    rng = np.random.default_rng(0)
    n, m = 2500, 60_000  # more than two blocks
    ids = np.array([f"n{i}" for i in range(n)])
    pre, post = rng.integers(0, n, (2, m))
    table = Connectome(ids=ids, pre=pre, post=post, weight=rng.uniform(1, 40, m), sign=rng.choice([-1, 1], m))
    runs = []
    for calm in (np.inf, -1.0):
        part = SpikingPart(table, poisson=np.arange(0, n, 50), background_Hz=rng.permuted(np.full(n, 5.0)))
        part.__dict__.update(_calm=calm, _tileable=True)  # they choose the form
        state, counts = part.init(1), []
        for _ in range(60):
            state = part.advance(state, np.full(n, 6.9, np.float32))
            counts.append(state["count"])
        runs.append((np.array(counts), state))
    (a, end_a), (b, end_b) = runs
    assert a.sum() > 5000
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(end_a["F"], end_b["F"])
