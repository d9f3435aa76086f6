"""Numbers of today, so that a change of tomorrow is seen: the worm's body under a fixed wave, and a small network.

Where a change is meant, run the test and copy what it says it got. Neither depends on fitted parameters.
"""

from __future__ import annotations

import hashlib

import mujoco
import numpy as np
import pytest
from test_graded import network, run

import bestiary
from bestiary.envs import EmbodiedEnv

BODY = {"3.17.0": "cb1bdf3915b3849b"}  # MuJoCo version: digest of 1 s of crawling
VOLTAGE_MV = np.array(
    [
        [-32.91, -22.149, -30.179, -27.116, -26.313, -21.606],
        [-32.646, -21.514, -29.884, -27.215, -26.365, -21.054],
        [-32.748, -21.722, -29.757, -27.357, -26.853, -20.999],
    ]
)  # after 20, 60 and 100 steps


def test_the_body_crawls_as_it_did() -> None:
    if (version := mujoco.__version__) not in BODY:
        pytest.skip(f"no digest for MuJoCo {version}")
    env = EmbodiedEnv("worm", "locomotion", "agar")
    env.reset(seed=0)
    wave = bestiary.load("interfaces", "worm").PATTERN(env.body)
    seen = []
    for step in range(1, 101):
        _, _, _, _, info = env.step(wave(step * env.clock.control_s).astype(np.float32))
        if step % 10 == 0:
            seen.append(np.append(env.pose()["midline_m"].ravel(), info["forward_m"]))
    micrometres = np.rint(np.array(seen) * 1e6).astype(np.int64)
    assert np.ptp(micrometres[:, -1]) > 0
    assert hashlib.sha256(micrometres.tobytes()).hexdigest()[:16] == BODY[version]


def test_the_network_computes_as_it_did() -> None:
    rng = np.random.default_rng(0)
    n = 6
    gap = np.triu(rng.random((n, n)) < 0.4, 1) * rng.random((n, n))
    net = network(
        n,
        synapse_nS=(rng.random((n, n)) < 0.5) * rng.random((n, n)),
        reversal_mV=np.where(rng.random((n, n)) < 0.3, -75.0, 0.0),
        gap_nS=gap + gap.T,
        plateau=np.array([0, 1.5, 0, 0.8, 0, 0]),
        adaptation=np.array([0, 0, 0, 1.0, 0, 0]),
        noise_mV=np.full(n, 0.5),
    )
    volts = run(net, np.array([5.0, 0, 0, 5.0, 0, -5.0]), 0.2, 2e-3)[[19, 59, 99]]
    assert np.abs(volts[-1] - net.equilibrium()["v_eq"]).max() > 5
    assert volts == pytest.approx(VOLTAGE_MV, abs=1e-2), np.round(volts, 3).tolist()
