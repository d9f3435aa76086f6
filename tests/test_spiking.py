"""The spiking engine against what can be computed by hand, and its two back ends against each other."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from bestiary.brains.connectome import Connectome
from bestiary.brains.spiking import (
    GLIF,
    LIF,
    NMDA,
    AdEx,
    Alpha,
    ConductanceLIF,
    Delta,
    DoubleExponential,
    Exponential,
    HodgkinHuxley,
    Izhikevich,
    Network,
    Poisson,
    Projection,
    Rate,
    Shiu,
    Simulation,
    SpikeTrains,
    TsodyksMarkram,
    _device,
    _portable,
    neuron,
    synapse,
)
from bestiary.brains.spiking._portable import poisson_spikes
from bestiary.errors import BestiaryError, DivergenceError, EpisodeError

SHIU = (Projection(Exponential(0.005), 0.275),)


def pair(**edge):
    return Connectome(ids=np.array(["a", "b"]), pre=[0], post=[1], **{"weight": [1.0], **edge})


def random_net(n=60, edges=900, seed=0, weight=20.0, delays=(0.0018,)):
    rng = np.random.default_rng(seed)
    pre, post = rng.integers(0, n, (2, edges))
    return Connectome(
        ids=np.array([f"c{i}" for i in range(n)]),
        pre=pre,
        post=post,
        weight=rng.gamma(2, weight / 2, edges),
        sign=np.where(rng.random(n) < 0.3, -1, 1)[pre],
        delay_s=rng.choice(delays, edges),
    )


def fly(connectome, rate_Hz=300.0, driven=20, **options):
    ids = [f"c{i}" for i in range(driven)]
    return Network(connectome, Shiu(), SHIU, inputs=(Poisson(ids, rate_Hz, 68.75, refractory=False),), **options)


def spikes(run):
    return set(zip(run.step.tolist(), run.neuron.tolist(), strict=True))


def once(who="a", at_s=0.001, weight=68.75, **kw):
    return SpikeTrains([who], np.array([at_s]), np.array([0]), weight, **kw)


# --- solutions known by hand


def test_one_flywire_synapse_peaks_at_0_0433_mV_after_9_3_ms():
    network = Network(pair(), Shiu(), SHIU, delay_s=0.0018, inputs=(once(),))
    run = Simulation(network, trace=["b"], precision="float64").run(0.06)
    psp = run.trace_mV[:, 0] + 52
    arrival = int(run.step[0]) + 18
    assert psp.max() == pytest.approx(0.0433, abs=5e-5)
    assert (psp.argmax() - arrival) * 0.1 == pytest.approx(20 * 5 / 15 * np.log(4), abs=0.1)
    t = (np.arange(len(psp)) - arrival) * 1e-4
    exact = np.where(t > 0, 0.275 * 5 / 15 * (np.exp(-t / 0.02) - np.exp(-t / 0.005)), 0)
    np.testing.assert_allclose(psp, exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dt_s", [1e-4, 5e-4, 1e-3])
def test_lif_under_constant_current_is_exact_at_any_step(dt_s):
    cell = LIF(threshold_mV=-30.0)
    sim = Simulation(Network(pair(), cell, (), dt_s=dt_s, delay_s=0, current=True), trace=["a"], precision="float64")
    _, run = sim.step(sim.init(), round(0.03 / dt_s), current=np.array([500.0, 0.0]))
    t = dt_s * np.arange(1, run.steps + 1)
    np.testing.assert_allclose(run.trace_mV[:, 0], -65 + 20 * (1 - np.exp(-t / 0.01)), rtol=0, atol=1e-10)


def test_lif_fires_at_the_analytic_period():
    sim = Simulation(Network(pair(), LIF(), (), delay_s=0, current=True), record=["a"], precision="float64")
    _, run = sim.step(sim.init(), 5000, current=np.array([500.0, 0.0]))
    climb = int(np.floor(0.010 * np.log(20 / 5) / 1e-4)) + 1
    assert set(np.diff(run.step)) == {20 + climb}


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (Exponential(0.003), lambda t: np.exp(-t / 0.003)),
        (Alpha(0.003), lambda t: t / 0.003 * np.exp(1 - t / 0.003)),
        (DoubleExponential(0.001, 0.004), lambda t: (np.exp(-t / 0.004) - np.exp(-t / 0.001)) / 0.47247),
    ],
)
def test_current_synapses_have_their_peak_and_shape(model, shape):
    """A membrane much faster than the synapse shows the current itself."""
    cell = LIF(tau_s=1e-6, resistance_MOhm=1000.0, threshold_mV=0)
    inputs = (once("b", 0.0, 1.0, onto=0),)
    sim = Simulation(
        Network(pair(), cell, (Projection(model),), delay_s=0, inputs=inputs), trace=["b"], precision="float64"
    )
    seen = sim.run(0.03).trace_mV[:, 0] + 65
    np.testing.assert_allclose(seen[1:], shape(1e-4 * np.arange(1, 300)), rtol=0, atol=2e-3)


@pytest.mark.parametrize("model", [Exponential(0.003), Alpha(0.003), Alpha(0.01), DoubleExponential(0.001, 0.01)])
def test_current_synapses_on_a_linear_membrane_are_exact(model):
    """The same potential at common times whatever the step: what is exact has no order of convergence."""
    seen = []
    for dt_s in (1e-3, 1e-4):
        network = Network(pair(), LIF(), (Projection(model),), dt_s, 0.002, inputs=(once("b", 0.0, 50.0, onto=0),))
        trace = Simulation(network, trace=["b"], precision="float64").run(0.05).trace_mV[:, 0]
        arrival = 1
        seen.append(trace[arrival + round(1e-3 / dt_s) - 1 :: round(1e-3 / dt_s)][:45])
    np.testing.assert_allclose(*seen, rtol=0, atol=1e-10)
    assert seen[0].max() > -64.7


@pytest.mark.parametrize("backend", ["fused", "portable"])
def test_delays_arrive_in_the_step_that_hand_calculation_gives(backend):
    steps = [0, 1, 7, 18, 23]
    c = Connectome(
        ids=np.array(["a", "b", "c", "d", "e", "f"]),
        pre=[0] * 5,
        post=[1, 2, 3, 4, 5],
        weight=[1.0] * 5,
        delay_s=np.array(steps) * 1e-4,
    )
    network = Network(c, LIF(), (Projection(Delta(), 1.0),), inputs=(once("a", 0.0005),))
    run = Simulation(network, backend=backend, trace=list("bcdef")).run(0.01)
    fired = int(run.step[0])
    assert fired == 6  # input at the end of step 5, seen by the update of step 6
    first = (run.trace_mV > -65).argmax(0)
    assert (first - fired).tolist() == steps


def test_spikes_in_refractory_time_are_lost_and_driven_cells_have_none():
    times = np.array([0.001, 0.0015, 0.0030, 0.0034])
    inputs = (SpikeTrains(["a"], times, np.zeros(4, int), 68.75),)
    run = Simulation(Network(pair(), Shiu(), SHIU, delay_s=0.0018, inputs=inputs)).run(0.01)
    assert run.step.tolist() == [11, 35]  # 0.0015 and 0.0030 fall into 1.1 to 3.3 ms, 0.0034 does not
    free = Network(pair(), Shiu(refractory_s=np.array([0, 0.0022])), SHIU, delay_s=0.0018, inputs=inputs)
    assert Simulation(free).run(0.01).step.tolist() == [11, 16, 31, 35]


def test_shiu_spike_clears_its_synapses_and_discards_arrivals_up_to_the_last_refractory_step():
    def after(at_step):
        inputs = (once("b", 0.001), once("b", at_step * 1e-4, 40.0, onto=0))
        run = Simulation(Network(pair(), Shiu(), SHIU, delay_s=0.0018, inputs=inputs), trace=["b"]).run(0.008)
        assert run.step[0] == 11
        return run.trace_mV[12:, 0].max() > -52 + 1e-3

    assert not after(9) and not after(11) and not after(32)  # refractory through step 32
    assert after(33)


def test_tsodyks_markram_releases_what_the_closed_form_says():
    use, recover, facil, interval = 0.2, 0.3, 0.2, 0.05
    model = TsodyksMarkram(Delta(), use, recover, facil)
    times = 0.001 + interval * np.arange(6)
    cells = LIF(tau_s=np.array([0.01, 1e3]), threshold_mV=np.array([-60.0, 1e6]), refractory_s=0)
    inputs = (SpikeTrains(["a"], times, np.zeros(6, int), 50.0),)
    network = Network(pair(), cells, (Projection(model, 1.0),), delay_s=0.001, inputs=inputs)
    run = Simulation(network, trace=["b"], precision="float64").run(0.4)
    jumps = np.diff(run.trace_mV[:, 0])
    seen = jumps[jumps > 1e-3]
    u, x, expected = 0.0, 1.0, []
    for m in range(6):
        if m:
            u, x = u * np.exp(-interval / facil), 1 + (x - 1) * np.exp(-interval / recover)
        u = use + u * (1 - use)
        expected.append(u * x)
        x -= u * x
    np.testing.assert_allclose(seen, expected, rtol=2e-5)


def test_gap_junction_equalises_two_cells_and_keeps_their_mean():
    c = pair(kind="gap")
    cell = ConductanceLIF(threshold_mV=0)
    network = Network(c, cell, (), delay_s=0, gap_nS=5.0, initial={"v": np.array([-60.0, -80.0])})
    run = Simulation(network, trace=["a", "b"], precision="float64").run(0.05)
    np.testing.assert_allclose(run.trace_mV.mean(1), -70, atol=1e-9)
    gap = run.trace_mV[:, 0] - run.trace_mV[:, 1]
    tau = 200 / (10 + 2 * 5) * 1e-3
    np.testing.assert_allclose(gap, 20 * np.exp(-1e-4 * np.arange(1, 501) / tau), rtol=0.02, atol=1e-3)


def test_magnesium_blocks_nmda_as_jahr_and_stevens_say():
    def response(rest):
        cell = ConductanceLIF(rest_mV=rest, leak_nS=1000.0, threshold_mV=100)
        projections = (Projection(NMDA(), 1.0, "excitatory"),)
        network = Network(pair(), cell, projections, delay_s=0, inputs=(once("b", 0.0, 1.0, onto=0),))
        v = Simulation(network, trace=["b"], precision="float64").run(0.05).trace_mV[:, 0]
        return (v - rest).max() / -rest  # per unit of driving force

    ratio = response(-70.0) / response(-20.0)
    expected = (1 + np.exp(-0.062 * -20) / 3.57) / (1 + np.exp(-0.062 * -70) / 3.57)
    assert ratio == pytest.approx(expected, rel=0.01)


def test_glif_level_1_is_the_lif_and_each_level_adds_what_it_should():
    def run(cell, pA=400.0):
        sim = Simulation(Network(pair(), cell, (), delay_s=0, current=True), record=["a"], precision="float64")
        return sim.step(sim.init(), 5000, current=np.array([pA, 0.0]))[1].step

    lif = LIF(rest_mV=-75, reset_mV=-75, threshold_mV=-45, tau_s=0.02, resistance_MOhm=200, refractory_s=0.003)
    assert (run(GLIF(1)) == run(lif)).all()
    counts = {level: len(run(GLIF(level))) for level in range(1, 6)}
    assert counts[3] < counts[1]  # after-spike currents are inhibitory
    intervals = np.diff(run(GLIF(3)))
    assert intervals[-1] > intervals[0]  # and add up
    assert counts[5] <= counts[4]  # the threshold follows the potential
    with pytest.raises(BestiaryError, match="levels 1 to 5"):
        GLIF(6)


def test_known_behaviour_of_the_larger_models():
    def train(cell, amount, seconds=0.5, dt_s=5e-5):
        network = Network(pair(), cell, (), dt_s=dt_s, delay_s=0, current=True)
        sim = Simulation(network, record=["a"], precision="float64")
        return np.diff(sim.step(sim.init(), round(seconds / dt_s), current=np.array([amount, 0.0]))[1].time_s)

    adex = train(AdEx(), 1000.0)
    assert adex[-1] > 1.5 * adex[0]  # adapts
    regular = train(Izhikevich(), 10.0)
    assert 0.02 < regular[-1] < 0.08  # regular spiking at 10: near 25 Hz (figure 2 of the paper)
    fast = train(Izhikevich(a_per_ms=0.1, d_mV_per_ms=2.0), 10.0)
    assert fast[-1] < regular[-1] / 1.5
    squid = train(HodgkinHuxley(), 2000.0, dt_s=1e-5)  # 10 uA/cm2 on 2e4 um2
    assert squid[-1] == pytest.approx(0.0146, abs=0.0005)  # 68 Hz, the textbook's value
    assert len(train(HodgkinHuxley(), 400.0, dt_s=1e-5)) == 0  # 2 uA/cm2 is below rheobase
    assert len(train(HodgkinHuxley(coupling_nS=200.0, dendrite_leak_nS=50.0), 2000.0, dt_s=1e-5)) < len(squid)  # a load


@pytest.mark.parametrize(
    ("cell", "amount"), [(AdEx(peak_mV=1e3, onset_mV=0.0), 300.0), (HodgkinHuxley(threshold_mV=1e3), 1000.0)]
)
def test_error_falls_at_least_with_the_first_order_of_the_step(cell, amount):
    def end(dt_s):
        sim = Simulation(
            Network(pair(), cell, (), dt_s=dt_s, delay_s=0, current=True), trace=["a"], precision="float64"
        )
        return sim.step(sim.init(), round(0.004 / dt_s), current=np.array([amount, 0.0]))[1].trace_mV[-1, 0]

    reference = end(2.5e-7)
    errors = [abs(end(dt_s) - reference) for dt_s in (4e-5, 2e-5, 1e-5)]
    order = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (order > 0.85).all(), (errors, order)


def test_rate_units_settle_where_their_equation_says():
    c = Connectome(ids=np.array(["a", "b"]), pre=[0], post=[1], weight=[0.01])
    network = Network(c, Rate(), (Projection(Delta(), 1.0),), delay_s=0, current=True)
    sim = Simulation(network, trace=["a", "b"], precision="float64")
    _, run = sim.step(sim.init(), 3000, current=np.array([0.5, 0.0]))
    assert run.trace_mV[-1, 0] == pytest.approx(0.5)
    assert run.trace_mV[-1, 1] == pytest.approx(0.01 * 100 * np.tanh(0.5), rel=1e-6)


# --- what must not change a result


def test_spikes_do_not_depend_on_the_length_of_the_calls():
    sim = Simulation(fly(random_net(delays=(0.0003, 0.0018, 0.002))))
    whole = spikes(sim.run(0.2, seed=5))
    state, parts, k = sim.init(), set(), 0
    rng = np.random.default_rng(0)
    while k < 2000:
        n = min(int(rng.integers(1, 60)), 2000 - k)
        state, part = sim.step(state, n, seed=5)
        parts |= spikes(part)
        k += n
    assert parts == whole and len(whole) > 500


def test_recording_few_neurons_or_a_small_buffer_changes_nothing():
    from bestiary.brains.spiking._fused import Fused

    network = fly(random_net())
    whole = spikes(Simulation(network).run(0.2, seed=5))
    few = Simulation(network, record=["c3", "c40"], trace=["c50"]).run(0.2, seed=5)
    assert spikes(few) == {s for s in whole if s[1] in (3, 40)}
    sim = Simulation(network)
    sim.engine = Fused(sim.plan, sim.recorded.astype(np.int32), np.empty(0, np.int32), room=1)  # stops and goes on
    assert spikes(sim.run(0.2, seed=5)) == whole


@pytest.mark.parametrize("threads", [2, 3])
def test_spikes_do_not_depend_on_the_number_of_threads(threads):
    network = fly(random_net(n=200, edges=6000, weight=8.0, delays=(0.0007, 0.0018)))
    sims = [Simulation(network, record=["c*"], trace=["c150", "c3"], threads=t) for t in (1, threads)]
    one, many = (s.run(0.2, seed=5) for s in sims)
    assert len(one.step) > 500
    np.testing.assert_array_equal(one.step, many.step)
    np.testing.assert_array_equal(one.neuron, many.neuron)
    np.testing.assert_array_equal(one.trace_mV, many.trace_mV)


def test_order_of_neurons_and_edges_does_not_matter():
    c = random_net(delays=(0.0003, 0.0018))
    rng = np.random.default_rng(1)
    p, e = rng.permutation(len(c)), rng.permutation(c.n_edges)
    back = np.argsort(p)
    moved = Connectome(
        ids=c.ids[p], pre=back[c.pre][e], post=back[c.post][e], weight=c.weight[e], sign=c.sign[e], delay_s=c.delay_s[e]
    )
    a = Simulation(fly(c), precision="float64").run(0.2, seed=2)
    b = Simulation(fly(moved), precision="float64").run(0.2, seed=2)
    assert len(a.step) > 500
    assert {(k, c.ids[i]) for k, i in spikes(a)} == {(k, moved.ids[i]) for k, i in spikes(b)}


def test_float32_agrees_with_float64():
    c = random_net(n=200, edges=6000, weight=8.0)
    a, b = (Simulation(fly(c), precision=p).run(0.5, seed=1) for p in ("float32", "float64"))
    rates = [r.counts(len(c)) / 0.5 for r in (a, b)]
    assert np.corrcoef(*rates)[0, 1] > 0.999
    assert abs(len(a.step) - len(b.step)) < 0.01 * len(b.step)


CONDUCTANCES = (
    Projection(Exponential(0.005, 0.0), 0.2, "excitatory"),
    Projection(NMDA(), 0.05, "excitatory"),
    Projection(DoubleExponential(0.001, 0.01, -80.0), 0.3, "inhibitory"),
)
PAIRS = {
    "shiu exponential": (Shiu(), SHIU, {}),
    "lif alpha delta": (LIF(), (Projection(Alpha(), 8.0), Projection(Delta(), 0.05)), {}),
    "lif tsodyks": (LIF(), (Projection(TsodyksMarkram(Exponential(0.002), 0.5, 0.1, 0.02), 40.0),), {}),
    "per-cell": (
        LIF(tau_s=np.linspace(0.005, 0.03, 60), refractory_s=np.repeat([0.0, 0.002], 30)),
        (Projection(Exponential(), 8.0),),
        {},
    ),
    "conductance": (ConductanceLIF(), CONDUCTANCES, {}),
    "glif": (GLIF(5), (Projection(Exponential(), 8.0),), {}),
    "adex gap": (AdEx(), CONDUCTANCES, {"gap_nS": 0.02}),
    "izhikevich": (Izhikevich(), (Projection(Exponential(), 0.4),), {}),
    "hodgkin_huxley": (HodgkinHuxley(coupling_nS=30.0), CONDUCTANCES, {"dt_s": 2e-5}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_both_back_ends_give_the_same_spikes(name):
    cell, projections, options = PAIRS[name]
    c = random_net(delays=(0.0018,) if name == "hodgkin_huxley" else (0.0002, 0.0018))
    if options.get("gap_nS"):
        rng = np.random.default_rng(3)
        gap = rng.integers(0, 60, (2, 100))
        c = Connectome(
            ids=c.ids,
            pre=np.concatenate([c.pre, gap[0]]),
            post=np.concatenate([c.post, gap[1]]),
            weight=np.concatenate([c.weight, np.ones(100)]),
            sign=np.concatenate([c.sign, np.ones(100)]),
            delay_s=np.concatenate([c.delay_s, np.zeros(100)]),
            kind=np.array(["chemical"] * c.n_edges + ["gap"] * 100),
        )
    first = [f"c{i}" for i in range(20)]
    weight = 68.75 if not cell.conductance or isinstance(cell, Izhikevich) else 40.0
    inputs = (Poisson(first, 200.0, weight), once("c30", 0.003, weight))
    network = Network(c, cell, projections, inputs=inputs, **options)
    steps = 1500
    runs = []
    for backend in ("fused", "portable"):
        sim = Simulation(network, backend=backend, trace=["c25", "c45"], precision="float64")
        runs.append(sim.run(steps * network.dt_s, seed=4))
    assert len(runs[0].step) > 60
    assert spikes(runs[0]) == spikes(runs[1])
    np.testing.assert_allclose(runs[0].trace_mV, runs[1].trace_mV, rtol=0, atol=1e-6)


def test_rate_units_agree_between_back_ends():
    network = Network(random_net(), Rate(), (Projection(Delta(), 1e-3),), delay_s=0, current=True)
    current = np.random.default_rng(0).normal(0.5, 0.5, 60)
    traces = []
    for backend in ("fused", "portable"):
        sim = Simulation(network, backend=backend, trace=["c*"], precision="float64")
        traces.append(sim.step(sim.init(), 300, current=current)[1].trace_mV)
    np.testing.assert_allclose(*traces, rtol=0, atol=1e-9)


def test_a_vmapped_batch_is_the_trials_one_by_one():
    sim = Simulation(fly(random_net()), backend="portable")
    batch = sim.run_batch(0.05, seeds=range(3))
    for seed, run in enumerate(batch):
        assert spikes(run) == spikes(sim.run(0.05, seed=seed))
    assert spikes(batch[0]) != spikes(batch[1])


# --- inputs


def test_poisson_input_has_its_rate_and_independent_trains():
    c = Connectome(ids=np.array([f"c{i}" for i in range(200)]), pre=[0], post=[1], weight=[0.0])
    network = Network(c, LIF(), (), delay_s=0, inputs=(Poisson("c*", 100.0, 100.0),))
    plan = network.plan()
    step, which = poisson_spikes(plan, 77, plan.thresholds(), 0, 20000)
    count = np.bincount(which, minlength=200)
    assert count.mean() == pytest.approx(200, abs=4 * np.sqrt(200 / 200))
    assert 0.7 < count.var() / count.mean() < 1.4
    binned = np.zeros((200, 200))
    np.add.at(binned, (which, step // 100), 1)
    off = np.corrcoef(binned)[~np.eye(200, dtype=bool)]
    assert abs(off.mean()) < 0.01 and off.std() == pytest.approx(1 / np.sqrt(200), rel=0.1)
    gaps = np.concatenate([np.diff(step[which == i]) for i in range(200)])
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03)  # exponential intervals


def test_rates_can_change_between_steps_and_streams_belong_to_ids():
    sim = Simulation(fly(random_net(), rate_Hz=0.0))
    state, quiet = sim.step(sim.init(), 500)
    _, loud = sim.step(state, 500, rate_Hz=300.0)
    assert len(quiet.step) == 0 and len(loud.step) > 50
    with pytest.raises(BestiaryError, match="rates must be finite"):
        sim.step(sim.init(), 1, rate_Hz=-1.0)


# --- what cannot be right


def test_descriptions_that_do_not_fit_are_refused():
    with pytest.raises(BestiaryError, match="takes currents"):
        Network(pair(), LIF(), (Projection(Exponential(0.005, 0.0)),))
    with pytest.raises(BestiaryError, match="cannot be negative"):
        Network(pair(sign=[-1]), ConductanceLIF(), (Projection(Exponential(0.005, 0.0)),))
    with pytest.raises(BestiaryError, match="no whole number of steps"):
        Network(pair(), LIF(), SHIU, delay_s=0.00185).plan()
    Network(pair(), LIF(), SHIU, delay_s=0.00185, round_delays=True).plan()
    with pytest.raises(BestiaryError, match="onto must be"):
        Network(pair(), LIF(), SHIU, inputs=(Poisson("a", onto=3),)).plan()
    with pytest.raises(BestiaryError, match="Network\\(current=True\\)"):
        sim = Simulation(Network(pair(), LIF(), SHIU))
        sim.step(sim.init(), 1, current=np.zeros(2))
    with pytest.raises(LookupError, match="did you mean 'izhikevich'"):
        neuron("izhikevitch")
    with pytest.raises(LookupError, match="did you mean 'alpha'"):
        synapse("alfa")


def test_a_network_that_blows_up_says_where_and_when():
    network = Network(pair(), Izhikevich(peak_mV=np.nan), (), delay_s=0, current=True, dt_s=1e-3)
    with pytest.raises(DivergenceError, match=r"no longer finite at .* s, first a"):
        Simulation(network).run(0.2, current=np.array([50.0, 0.0]))


# --- devices, and calls at the wrong moment


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(_device, "gpus", lambda: [])
    monkeypatch.setattr(_device, "_warned", False)
    network = Network(pair(), LIF(), SHIU, delay_s=0.001, current=True)
    with pytest.raises(BestiaryError, match="device='gpu', but JAX finds no GPU"):
        Simulation(network, device="gpu")
    with pytest.raises(BestiaryError, match="did you mean 'prefer-gpu'"):
        Simulation(network, device="prefer_gpu")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sims = [Simulation(network, device=name) for name in ("prefer-gpu", "prefer-gpu", "cpu", None)]
    assert [str(w.message) for w in caught if w.category is RuntimeWarning] == [
        "JAX finds no GPU here: going on with the CPU"
    ]
    assert [s.backend for s in sims] == ["fused"] * 4
    runs = [s.run(0.1, current=np.full(2, 600.0)) for s in sims]
    assert len(runs[0].step) > 0 and all((r.step == runs[0].step).all() for r in runs)


def test_a_gpu_that_is_too_small(monkeypatch):
    """A pretended GPU: its memory is full when the network is put there."""

    def full(*_):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes.")

    monkeypatch.setattr(_device, "gpus", lambda: [_device.cpu()])
    monkeypatch.setattr(_device, "_warned", False)
    network = Network(pair(), LIF(), SHIU, delay_s=0.001)
    assert Simulation(network, device="gpu").backend == "portable"
    with pytest.raises(BestiaryError, match="the fused kernel runs on the CPU"):
        Simulation(network, device="gpu", backend="fused")
    monkeypatch.setattr(_portable, "Portable", full)
    with pytest.raises(BestiaryError, match="too little memory for 2 neurons"):
        Simulation(network, device="gpu")
    with pytest.warns(RuntimeWarning, match="too little memory for 2 neurons.*going on with the CPU"):
        sim = Simulation(network, device="prefer-gpu")
    assert sim.backend == "fused" and sim.run(0.01).steps == 100
    monkeypatch.setattr(_portable, "Portable", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # what is no lack of memory stays what it is
        Simulation(network, device="prefer-gpu")


@pytest.mark.parametrize("backend", ["fused", "portable"])
def test_steps_from_a_state_that_is_none_of_its_own(backend):
    network = Network(pair(), LIF(), SHIU, delay_s=0.001)
    sim = Simulation(network, backend=backend)
    for nothing in (None, {}, 3):
        with pytest.raises(EpisodeError, match="begin with"):
            sim.step(nothing)
    other = Simulation(network, backend={"fused": "portable", "portable": "fused"}[backend])
    with pytest.raises(EpisodeError, match="another network or back end"):
        sim.step(other.init())
    with pytest.raises(EpisodeError, match="another network"):
        sim.step(Simulation(Network(pair(), LIF(), SHIU, delay_s=0.01), backend=backend).init())
    first = sim.init()
    kept = sim.copy(first)
    after, _ = sim.step(first, 3)
    if backend == "fused":
        with pytest.raises(EpisodeError, match="used up by an earlier step"):
            sim.step(first)
    assert sim.now_s(sim.step(kept, 3)[0]) == sim.now_s(after) == pytest.approx(3e-4)


@pytest.mark.parametrize("backend", ["fused", "portable"])
def test_a_state_from_a_file_goes_on_bit_for_bit(backend, tmp_path):
    sim = Simulation(fly(random_net()), backend=backend)
    state, _ = sim.step(sim.init(), 300, seed=5)
    np.savez(tmp_path / "state.npz", **dict(reversed(state.items())))  # in another order
    _, straight = sim.step(state, 300, seed=5)
    with np.load(tmp_path / "state.npz") as saved:
        _, resumed = sim.step(dict(saved), 300, seed=5)
    assert len(straight.step) > 20
    np.testing.assert_array_equal(resumed.step, straight.step)
    np.testing.assert_array_equal(resumed.neuron, straight.neuron)
