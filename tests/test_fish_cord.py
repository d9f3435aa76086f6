"""The spinal cord: the published network's own frequencies, its symmetry, and bouts in the body."""

from __future__ import annotations

import numpy as np
import pytest
from test_zebrafish_body import Sim

from bestiary.bodies.zebrafish import Zebrafish
from bestiary.brains._fish_cord import SEGMENTS, TYPES, UNIT_MV, FishCord, cord_table, segments_to_joints
from bestiary.brains._parameters import parameters as shipped
from bestiary.envs._clock import Clock

CLOCK = Clock("0.001", "0.0001", "0.0002")
BODY = Zebrafish(surface_m=1, bottom_m=-1)


def cord(**options):
    parameters = shipped("zebrafish") | options.pop("p", {})
    joints = segments_to_joints(BODY.joint_fraction, BODY.head_m / BODY.length_m)
    return FishCord(CLOCK, joints, parameters, **options)


def driven(part, seconds, drive, seed=0):
    """(states over time) under drive(t) -> {name: units}."""
    row = {name: i for i, name in enumerate(part.table.ids.tolist())}
    state, states = part.init(seed), []
    for k in range(round(seconds * 1000)):
        mV = np.zeros(len(part.table), np.float32)
        for name, value in drive(k * 1e-3).items():
            mV[row[name]] = value * UNIT_MV
        state = part.advance(state, mV)
        states.append(state)
    return states


def both(level):
    return lambda t: {"bout_L": level, "bout_R": level}


def frequency_Hz(states, name="V2a fast"):
    left = TYPES.index(name) * 2 * SEGMENTS + 15
    x = np.array([s["mean"][left] - s["mean"][left + SEGMENTS] for s in states[100:]])
    return np.fft.rfftfreq(8 * len(x), 1e-3)[np.abs(np.fft.rfft(x - x.mean(), 8 * len(x))).argmax()]


@pytest.mark.parametrize(("slow", "published_Hz"), [(0.0, 42.1), (0.5, 35.0), (1.0, 10.0)])
def test_frequency_is_that_of_the_published_model(slow, published_Hz):
    """Reference: the equations of Wandler 2025 run apart, step by step, with their parameters (fast drive 1)."""
    part = cord(gated=False, p={"slow_drive": slow})
    assert frequency_Hz(driven(part, 0.4, both(1.0))) == pytest.approx(published_Hz, abs=1.5)


def test_drive_scales_the_size_and_not_the_beat():
    part = cord(gated=False)
    weak, strong = (driven(part, 0.4, both(level)) for level in (0.5, 1.5))
    assert frequency_Hz(weak) == pytest.approx(frequency_Hz(strong), abs=0.5)
    size = [max(s["mean"].max() for s in states[200:]) for states in (weak, strong)]
    assert size[1] / size[0] == pytest.approx(3, rel=0.1)


def test_table_has_the_published_cells_and_rules():
    table = cord_table()
    assert (table.kinds == "inter").sum() == 480 and (table.types == "MN").sum() == 60
    inhibits = table.sign < 0
    assert all("V2a" not in t for t in np.unique(table.types[table.pre[inhibits]]))
    crossed = table.sides[table.pre] != table.sides[table.post]
    assert set(np.unique(table.types[table.pre[crossed]])) == {"V0d fast", "V0d slow"}
    assert table.provenance.counts().keys() == {"statistical", "tuned"}


def test_a_tonic_drive_makes_bouts_of_larval_size_and_rhythm():
    """One set of parameters: displacement, interval, tail beat (issue 5's numbers) in the body."""
    sim, part = Sim(surface_m=1, bottom_m=-1), cord()
    row = {name: i for i, name in enumerate(part.table.ids.tolist())}
    mV = np.zeros(len(part.table), np.float32)
    mV[[row["bout_L"], row["bout_R"]]], mV[row["SB"]] = UNIT_MV, 0.55 * UNIT_MV
    state, vigour = part.init(1), []

    def act(t):
        nonlocal state
        state = part.advance(state, mV)
        vigour.append(state["gate"][1])
        return np.clip(part.motor(state), -1, 1)

    poses = sim.run(14.0, act)
    swims = np.array(vigour) > 0
    onset = np.flatnonzero(swims[1:] & ~swims[:-1])
    com = np.array([p["com_m"][:2] for p in poses]) * 1e3
    far = np.linalg.norm(np.diff(com[onset], axis=0), axis=1)
    assert len(onset) > 12
    assert 0.5 < np.median(np.diff(onset)) * 1e-3 < 0.8
    assert 1.3 < np.median(far) < 2.0
    tail = np.array([p["curvature_per_m"][-3] for p in poses])
    beats = []
    for a in onset:
        x = tail[a : a + 140]
        turn = np.flatnonzero((x[1:] > 0) != (x[:-1] > 0))
        if len(turn) > 4:
            beats.append(1e3 / (2 * np.diff(turn).mean()))
    assert 26 < np.median(beats) < 32


def test_without_its_gate_it_swims_on_and_without_drive_it_rests():
    assert all(s["motor"].max() > 0 for s in driven(cord(gated=False), 0.6, both(1.0))[150:])
    assert max(s["motor"].max() for s in driven(cord(), 1.0, both(0.0))) < 1e-3


def test_bias_and_bend_turn_to_their_side_and_mirrored():
    for port, first in (("bend_L", 0), ("bend_R", SEGMENTS)):
        states = driven(cord(), 0.02, lambda t, port=port: {port: 2.0 if t < 0.002 else 0.0})
        motor = states[3]["motor"]
        assert motor[first] > 0.2 and motor[SEGMENTS - first] == 0
    left = driven(cord(), 1.0, lambda t: {"bout_L": 1, "bout_R": 1, "bias_L": 1.0})
    start = next(i for i, s in enumerate(left) if s["gate"][1] > 0)
    early = np.sum([s["motor"] for s in left[start : start + 40]], axis=0)
    assert early[:SEGMENTS].sum() > 1.5 * early[SEGMENTS:].sum()


def test_cut_neurons_fall_silent_and_rewiring_changes_the_rhythm():
    part = cord(gated=False)
    rows = part.table.select("V2a fast_L*")
    gone = part.cut(rows, np.empty(0, int))
    assert max(s["mean"][rows].max() for s in driven(gone, 0.2, both(1.0))) == 0
    shuffled = part.rewired(lambda table: table.rewire(0, kinds=("chemical",)))
    assert len(shuffled._k["ptr"]) > len(part._k["ptr"])
    intact, other = (driven(x, 0.3, both(1.0))[-1]["mean"] for x in (part, shuffled))
    assert not np.allclose(intact, other)


def test_fine_bouts_are_smaller_and_their_turn_lasts_longer():
    starts = []
    for fine in (0.0, 1.0):
        drive = {"bout_L": 1.0, "bout_R": 1.0, "bias_L": 1.0, "fine_L": fine, "fine_R": fine}
        gates = [s["gate"] for s in driven(cord(p={"vigour_sd": 0.0}), 1.2, lambda t, d=drive: d, seed=1)]
        starts.append(next(g for g in gates if g[1] > 0))
    plain, small = starts
    assert small[2] == pytest.approx(plain[2] / 2) and small[4] == pytest.approx(2 * plain[4])
    assert small[7] == pytest.approx(4 * plain[7])


def test_a_hold_makes_the_turn_of_a_bout_last_longer_and_no_j_turn_of_it():
    drive = {"bout_L": 1.0, "bout_R": 1.0, "bias_L": 1.0, "hold_L": 1.5, "hold_R": 1.5}
    gates = [s["gate"] for s in driven(cord(), 1.2, lambda t: drive, seed=1)]
    first = next(g for g in gates if g[1] > 0)
    assert first[7] == pytest.approx(2.5 * shipped("zebrafish")["bias_s"]) and first[8] == 0


def test_a_cord_between_bouts_stands_still_and_starts_again():
    pulse = driven(cord(), 1.2, lambda t: {"bout_L": 1.0, "bout_R": 1.0} if t < 0.7 else {})
    moving = np.array([s["r"].any() for s in pulse])
    assert moving.any() and not moving[-1] and not pulse[-1]["past"].any()


def test_a_brief_bout_fades_sooner_and_is_as_strong():
    usual, brief = (
        driven(cord(), 1.2, lambda t, more=more: {"bout_L": 1.0, "bout_R": 1.0, "brief_L": more, "brief_R": more})
        for more in (0.0, 1.0)
    )
    lasts = [next(i for i, g in enumerate(v[v.argmax() :]) if g == 0) for v in map(vigour_of, (usual, brief))]
    assert max(vigour_of(usual)) == max(vigour_of(brief))
    assert lasts[1] == pytest.approx(lasts[0] / 2, abs=2)


def vigour_of(states):
    """Drive of the rhythm over time, up to the end of the first bout."""
    vigour = np.array([s["gate"][1] for s in states])
    start = np.flatnonzero(vigour)[0]
    end = start + np.flatnonzero(vigour[start:] == 0)[0]
    return vigour[: end + 1]
