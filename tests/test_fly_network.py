"""The published fly model: against the published spikes, against other simulators, and the surrogate of its size."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bestiary.brains import _shiu, _stimulate
from bestiary.brains._surrogate import flywire_surrogate
from bestiary.brains.connectome import Connectome
from bestiary.brains.spiking import LIF, Exponential, Network, Projection, Simulation, SpikeTrains
from bestiary.brains.spiking._portable import poisson_spikes
from bestiary.brains.spiking.simulation import _key
from bestiary.errors import BestiaryError, UnknownNeuronError

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("BESTIARY_DATA") or ROOT.parent / "shared" / "data")
P9 = DATA / "fly" / "p9_subnetwork630"
needs_p9 = pytest.mark.skipif(not P9.is_dir(), reason="BESTIARY_DATA has no fly/p9_subnetwork630")


@pytest.fixture(scope="module")
def p9():
    return _shiu.p9_connectome(P9)


def first_spikes(trial, neuron, time_s, shape):
    first = np.full(shape, np.nan)
    key, at = np.unique(trial * shape[1] + neuron, return_index=True)
    first.flat[key] = time_s[at]
    return first


@needs_p9
def test_p9_subnetwork_fires_as_published_neuron_by_neuron(p9):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(P9 / "spikes_P9.parquet")
    row = {int(i): k for k, i in enumerate(p9.ids)}
    trial, time_s = table["trial"].to_numpy(), table["t"].to_numpy()
    neuron = np.array([row[i] for i in table["database_id"].to_numpy()])  # every published cell is there
    order = np.lexsort((time_s, trial))
    trial, time_s, neuron = trial[order], time_s[order], neuron[order]
    n, trials = len(p9), 30
    ours = _stimulate.stimulate(p9, drive={"P9": 150.0}, trials=trials, seed=0)
    count = np.zeros((trials, n))
    np.add.at(count, (trial, neuron), 1)
    rate = ours.rates_Hz()
    r = np.corrcoef(rate.mean(0), count.mean(0))[0, 1]
    halves = np.corrcoef(count[:15].mean(0), count[15:].mean(0))[0, 1]
    error = np.abs(rate.mean(0) - count.mean(0))
    sem = np.sqrt((rate.var(0) + count.var(0)) / trials)
    z = (rate.mean(0) - count.mean(0)) / np.maximum(sem, 0.05)
    theirs = first_spikes(trial, neuron, time_s, (trials, n))
    mine = ours._first_s()
    use = (np.isfinite(theirs).sum(0) >= 25) & (np.isfinite(mine).sum(0) >= 25)
    a, b = np.nanmean(mine[:, use], 0), np.nanmean(theirs[:, use], 0)
    first_z = (a - b) / np.sqrt((np.nanvar(mine[:, use], 0) + np.nanvar(theirs[:, use], 0)) / trials)
    print(
        f"\nrates: r = {r:.5f} (published halves {halves:.5f}), largest error {error.max():.2f} Hz at "
        f"{p9.names[error.argmax()]}; first spikes of {use.sum()} cells: r = {np.corrcoef(a, b)[0, 1]:.3f}, "
        f"largest error {1e3 * np.abs(a - b).max():.1f} ms; sd of z {z.std():.2f} and {first_z.std():.2f}"
    )
    assert r > 0.998 and r > halves - 0.001
    assert np.abs(z).max() < 5 and z.std() < 1.5
    assert use.sum() > 50 and np.abs(first_z).max() < 5 and first_z.std() < 1.3


def peer(tmp_path, variable, script, *extra, **arrays):
    """Runs a script of tasks/_peers in the environment that the variable names; skips without."""
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} does not name a Python that has the other simulator")
    np.savez(tmp_path / "in.npz", **arrays)
    command = [python, str(ROOT / "tasks" / "_peers" / script), str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]
    subprocess.run([*command, *extra], check=True, capture_output=True, cwd=tmp_path)
    return np.load(tmp_path / "out.npz")


@needs_p9
@pytest.mark.slow
def test_brian2_fires_every_spike_in_the_same_step(p9, tmp_path):
    steps = 10_000
    sim = Simulation(_shiu.shiu_network(p9, {"P9": 150.0}), precision="float64")
    ours = sim.run(steps * 1e-4, seed=3)
    step, which = poisson_spikes(sim.plan, _key(3), sim.plan.thresholds(), 0, steps)
    theirs = peer(
        tmp_path,
        "BESTIARY_BRIAN2_PYTHON",
        "brian2_shiu.py",
        "cython",
        n=len(p9),
        pre=p9.pre,
        post=p9.post,
        weight_mV=p9.weight.astype(float) * p9.sign * _shiu.WEIGHT_MV,
        step=step,
        driven=sim.plan.drive[0][which],
        drive_mV=_shiu.DRIVE_MV,
        steps=steps,
        dt_s=1e-4,
        delay_s=_shiu.DELAY_S,
    )
    assert len(ours.step) > 1000
    assert set(zip(ours.step, ours.neuron, strict=True)) == set(zip(theirs["step"], theirs["neuron"], strict=True))


@pytest.mark.slow
def test_nest_fires_every_spike_in_the_same_step(tmp_path):
    rng = np.random.default_rng(0)
    n, edges, steps = 200, 4000, 5000
    pre, post = rng.integers(0, n, (2, edges))
    keep = np.unique(pre * n + post, return_index=True)[1]
    pre, post = pre[keep], post[keep]
    sign = np.where(rng.random(n) < 0.2, -1, 1)[pre]
    c = Connectome(ids=np.arange(n).astype(str), pre=pre, post=post, weight=np.full(len(pre), 200.0), sign=sign)
    count = rng.poisson(0.04, (steps - 10, 50)) > 0
    step, driven = np.nonzero(count)
    step = step + 1
    inputs = (SpikeTrains([str(i) for i in range(50)], (step + 1) * 1e-4, driven, 800.0, onto=0),)
    cell = LIF()
    network = Network(c, cell, (Projection(Exponential(0.002)),), delay_s=0.0015, inputs=inputs)
    ours = Simulation(network, precision="float64").run(steps * 1e-4)
    theirs = peer(
        tmp_path,
        "BESTIARY_NEST_PYTHON",
        "nest_lif.py",
        n=n,
        pre=pre,
        post=post,
        weight_pA=200.0 * sign,
        step=step,
        driven=driven,
        drive_pA=800.0,
        steps=steps,
        dt_s=1e-4,
        delay_s=0.0015,
        tau_s=cell.tau_s,
        tau_syn_s=0.002,
        resistance_MOhm=cell.resistance_MOhm,
        rest_mV=cell.rest_mV,
        threshold_mV=cell.threshold_mV,
        reset_mV=cell.reset_mV,
        refractory_s=cell.refractory_s,
    )
    a = sorted(zip(ours.neuron.tolist(), ours.step.tolist(), strict=True))
    ended = theirs["step"] < steps  # NEST dates a spike by the end of its step, we by its beginning
    b = sorted(zip(theirs["neuron"][ended].tolist(), theirs["step"][ended].tolist(), strict=True))
    assert len(a) > 1000
    assert a == b


@needs_p9
def test_silencing_cuts_outputs_and_lesion_inputs_too(p9):
    base = _stimulate.stimulate(p9, drive=["P9=150Hz"], trials=2)
    silent = _stimulate.stimulate(p9, drive=["P9=150Hz"], silence="P9", trials=2)
    fired = {r["name"] for r in silent.table()}
    assert fired == {"P9_l", "P9_r"}  # they fire, nobody hears
    assert len(base.table()) > 50
    target = base.table()[3]["name"]
    gone = _stimulate.stimulate(p9, drive=["P9=150Hz"], lesion=target, trials=2)
    assert target not in {r["name"] for r in gone.table()}


@needs_p9
def test_stimulation_is_reproducible_and_writes_its_files(p9, tmp_path):
    runs = [
        _stimulate.stimulate(p9, drive={("P9_l",): 100.0}, record="DNa*", trials=3, seed=7, threads=t) for t in (1, 2)
    ]
    for field in ("trial", "step", "neuron"):
        np.testing.assert_array_equal(getattr(runs[0], field), getattr(runs[1], field))
    five = _stimulate.stimulate(p9, drive={("P9_l",): 100.0}, record="DNa*", trials=5, seed=7)
    assert (five.step[five.trial < 3] == runs[0].step).all()
    assert {r["type"] for r in five.table(active=False)} == {"DNa01", "DNa02", "DNa06"}
    for draw in (five.plot_raster, five.plot_rates):
        assert draw(tmp_path / f"{draw.__name__}.png").stat().st_size > 5000
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(five.to_parquet(tmp_path / "spikes.parquet"))
    assert table.num_rows == len(five.step) and table.column_names == ["t", "trial", "id", "exp_name"]


@needs_p9
def test_what_cannot_be_stimulated_is_refused(p9):
    with pytest.raises(BestiaryError, match="NEURONS=RATE"):
        _stimulate.stimulate(p9, drive=["P9"])
    with pytest.raises(UnknownNeuronError, match="did you mean"):
        _stimulate.stimulate(p9, drive={"DNa1": 10.0})
    with pytest.raises(LookupError, match="did you mean 'flywire'"):
        _stimulate.brain("flywir")


def test_surrogate_is_deterministic_and_keeps_its_statistics():
    a, b = (flywire_surrogate(3, neurons=4000, edges=200_000, real_tables=False) for _ in range(2))
    for column in ("ids", "pre", "post", "weight", "sign", "transmitters"):
        np.testing.assert_array_equal(getattr(a, column), getattr(b, column))
    other = flywire_surrogate(4, neurons=4000, edges=200_000, real_tables=False)
    assert not np.array_equal(other.pre, a.pre)
    assert 180_000 < a.n_edges <= 200_000 and (a.pre != a.post).all()
    assert len(np.unique(a.pre.astype(np.int64) * 4000 + a.post)) == a.n_edges
    assert a.weight.mean() == pytest.approx(3.61, rel=0.05)  # 54,492,922 synapses on 15,091,983 edges
    assert (a.weight >= 5).mean() == pytest.approx(0.179, abs=0.01)
    degree = [np.bincount(x, minlength=4000) for x in (a.pre, a.post)]
    assert 0.5 < np.corrcoef(np.log1p(degree))[0, 1] < 0.85
    per_cell = [set(a.sign[a.pre == i]) for i in range(0, 4000, 400)]
    assert all(len(s) <= 1 for s in per_cell)  # Dale
