"""The graded network against analytic results, and its two back ends against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bestiary.brains._graded_kernel import Kernel
from bestiary.brains.graded import GradedNetwork, module, normal, settled


def network(n: int, **given: object) -> GradedNetwork:
    one = np.ones(n)
    values: dict[str, object] = {
        "synapse_nS": np.zeros((n, n)),
        "reversal_mV": np.zeros((n, n)),
        "gap_nS": np.zeros((n, n)),
        "capacitance_pF": 1.5 * one,
        "leak_nS": 0.25 * one,
        "leak_mV": -60.0 * one,
        "beta_per_mV": 0.125 * one,
        "rise_per_s": 40.0 * one,
        "decay_per_s": 22.0 * one,
        "plateau": 0 * one,
        "plateau_slope_mV": 5 * one,
        "offset_mV": 0 * one,
        "quiet_mV": 0 * one,
        "tonic_pA": 0 * one,
        "noise_mV": 0 * one,
        "adaptation": 0 * one,
    }
    return GradedNetwork(**(values | given))


def run(net: GradedNetwork, current_pA: np.ndarray, seconds: float, dt_s: float) -> np.ndarray:
    """Voltages (steps, n) under constant current from rest."""
    n = len(net.leak_nS)
    kernel = Kernel(net.compiled(dt_s), 1)
    eq = net.equilibrium()
    state = {
        "v": eq["v_eq"].astype(np.float32),
        "s": net.release_at_rest().astype(np.float32),
        "noise": np.zeros(n, np.float32),
        "w": np.full(n, 0.5, np.float32),
        "key": np.array([1, 0], np.uint32),
    }
    out = []
    for _ in range(round(seconds / dt_s)):
        state = kernel(state, current_pA.astype(np.float32), np.zeros(n, np.float32))
        out.append(state["v"])
    return np.array(out)


def test_a_lone_neuron_charges_like_an_rc_circuit() -> None:
    dt = 1e-4
    v = run(network(1), np.array([5.0]), 0.04, dt)[:, 0]
    t = dt * np.arange(1, len(v) + 1)
    exact = -60 + 5 / 0.25 * (1 - np.exp(-t / (1.5e-3 / 0.25)))
    assert np.abs(v - exact).max() < 0.2  # first order: 20 mV * dt / 2 tau
    assert v[-1] == pytest.approx(exact[-1], abs=0.01)


def test_error_falls_with_the_step_as_first_order() -> None:
    errors = []
    for dt in (1e-3, 5e-4, 2.5e-4):
        v = run(network(1), np.array([5.0]), 0.006, dt)[-1, 0]
        errors.append(abs(v - (-60 + 20 * (1 - np.exp(-1)))))
    assert 1.7 < errors[0] / errors[1] < 2.3 and 1.7 < errors[1] / errors[2] < 2.3


def test_two_neurons_reach_the_postsynaptic_potential_of_the_equations() -> None:
    synapse = np.zeros((2, 2))
    synapse[1, 0] = 0.5
    net = network(2, synapse_nS=synapse)
    v = run(net, np.array([10.0, 0.0]), 1.0, 1e-3)[-1]
    v0 = net.equilibrium()["v_eq"][0] + 10 / 0.25
    phi = 1 / (1 + np.exp(-0.125 * (v0 - net.equilibrium()["half"][0])))
    s = 40 * phi / (40 * phi + 22)
    assert v[0] == pytest.approx(v0, abs=0.01)
    assert v[1] == pytest.approx((0.25 * -60 + 0.5 * s * 0) / (0.25 + 0.5 * s), abs=0.01)


def test_a_gap_junction_of_any_strength_is_stable_and_divides_the_current() -> None:
    gap = np.array([[0.0, 400.0], [400.0, 0.0]])
    v = run(network(2, gap_nS=gap), np.array([10.0, 0.0]), 0.5, 5e-3)
    assert np.isfinite(v).all()
    assert v[-1] == pytest.approx([-60 + 20.0, -60 + 20.0], abs=0.1)  # both share 10 pA over 0.5 nS


def test_the_equilibrium_is_one() -> None:
    rng = np.random.default_rng(0)
    n = 20
    net = network(
        n,
        synapse_nS=rng.random((n, n)) * 0.1,
        reversal_mV=rng.choice([0.0, -75.0], (n, n)),
        quiet_mV=np.where(np.arange(n) < 5, 15.0, 0.0),
    )
    v = run(net, np.zeros(n), 0.5, 2e-3)
    assert v[-1] == pytest.approx(net.equilibrium()["v_eq"], abs=0.02)


@pytest.mark.parametrize("ratio,states", [(0.7, 1), (2.0, 2)])
def test_a_plateau_is_bistable_above_one(ratio: float, states: int) -> None:
    net = network(1, plateau=np.array([ratio]))
    ends = []
    for push in (-20.0, 20.0):
        kicked = replace(net, frozen=net.equilibrium())
        start = run(kicked, np.array([push]), 0.5, 1e-3)[-1]
        again = replace(kicked, frozen={**kicked.frozen, "v_eq": start})
        ends.append(run(again, np.zeros(1), 2.0, 1e-3)[-1, 0])
    assert len({round(e) for e in ends}) == states


def test_settled_neurons_stand_at_half() -> None:
    rng = np.random.default_rng(1)
    n = 12
    net = network(n, synapse_nS=rng.random((n, n)) * 0.2, plateau=np.full(n, 0.5))
    tracked = np.arange(n) < 4
    push = np.where(np.arange(n) == 11, 5.0, 0.0)
    v = settled(net, tracked, push)
    offset = np.where(tracked, v - net.equilibrium()["v_eq"], 0)
    moved = replace(net, offset_mV=offset, tonic_pA=push)
    moved = replace(moved, frozen=replace(moved, tonic_pA=0 * push).equilibrium())
    assert run(moved, np.zeros(n), 2.0, 2e-3)[-1][tracked] == pytest.approx(moved.equilibrium()["half"][tracked], abs=1)


def test_kernel_and_module_agree() -> None:
    from bestiary.brains._engine import functional, jnp

    rng = np.random.default_rng(2)
    n = 40
    net = network(
        n,
        synapse_nS=rng.random((n, n)) * (rng.random((n, n)) < 0.2),
        reversal_mV=rng.choice([0.0, -75.0], (n, n)),
        gap_nS=np.ones((n, n)) * 0.05 - 0.05 * np.eye(n),
        plateau=rng.random(n) * 2,
        noise_mV=np.full(n, 2.0),
        adaptation=rng.random(n),
    )
    constants = net.compiled(2e-3)
    current, light = rng.normal(size=n).astype(np.float32), (rng.random(n) - 0.5).astype(np.float32)
    state = {
        "v": net.equilibrium()["v_eq"].astype(np.float32),
        "s": net.release_at_rest().astype(np.float32),
        "noise": np.zeros(n, np.float32),
        "w": np.full(n, 0.5, np.float32),
        "key": np.array([7, 0], np.uint32),
    }
    put = {k: jnp.asarray(v) for k, v in constants.items()}
    _, step = functional(module(n), put, jnp.asarray(current), jnp.asarray(light))
    other = {k: jnp.asarray(v) for k, v in state.items()}
    kernel = Kernel(constants, 1)
    for _ in range(50):
        state = kernel(state, current, light)
        other = step(other, put, jnp.asarray(current), jnp.asarray(light))
    assert int(other["key"][1]) == int(state["key"][1]) == 50
    for name in ("v", "s", "noise", "w"):
        assert np.asarray(other[name]) == pytest.approx(state[name], abs=2e-3), name


def test_the_noise_is_normal_and_white() -> None:
    x = np.array([normal(np.array([5, k], np.uint32), 500) for k in range(100)])
    assert abs(x.mean()) < 0.02 and abs(x.std() - 1) < 0.02
    assert abs(np.corrcoef(x[:-1].ravel(), x[1:].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(x[:, :-1].ravel(), x[:, 1:].ravel())[0, 1]) < 0.02
    assert not np.array_equal(x[0], np.asarray(normal(np.array([6, 0], np.uint32), 500)))


def test_chunks_do_not_matter() -> None:
    net = network(3, synapse_nS=np.ones((3, 3)) * 0.1, noise_mV=np.full(3, 1.0))
    state = {
        "v": np.full(3, -60, np.float32),
        "s": np.zeros(3, np.float32),
        "noise": np.zeros(3, np.float32),
        "w": np.full(3, 0.5, np.float32),
        "key": np.array([1, 0], np.uint32),
    }
    one, many, zero = Kernel(net.compiled(1e-3), 1), Kernel(net.compiled(1e-3), 10), np.zeros(3, np.float32)
    whole = many(state, zero, zero)
    for _ in range(10):
        state = one(state, zero, zero)
    assert all(np.array_equal(state[k], whole[k]) for k in state)
