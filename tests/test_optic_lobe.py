"""The optic lobe: its table, its arithmetic, the gradient of its fit, and what the shipped values prefer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bestiary.bodies._eye import fly_retina
from bestiary.bodies._hex import hexagons, plane
from bestiary.brains import _optic_fit as fit
from bestiary.brains import _optic_movies as movies
from bestiary.brains._optic_lobe import DT_S, MOTION, RECEPTORS, Lobe, parameters, untrained, wiring
from bestiary.brains._optic_probe import PREFERRED_DEG, direction_table, loom_responses, tuning
from bestiary.brains._optic_readouts import readouts
from bestiary.brains._visual import build, type_table
from bestiary.envs._clock import Clock
from bestiary.errors import BestiaryError, DataError
from bestiary.interfaces._fly_eyes import EyeEncoder


@pytest.fixture(scope="module")
def part():
    return build(Clock("0.002", "0.001", "0.001"))


def row_of(part, name):
    return int(part.table.select(name)[0])


def test_the_table_is_the_published_one():
    w = wiring()
    assert (len(w.types), len(w.pairs), len(w.pre)) == (65, 605, 2140)
    assert w.has(hexagons(15)).sum() == 45_669  # neurons of one eye (Lappalainen 2024)
    assert set(w.sign) == {-1, 1} and np.abs(w.offset).max() == 6 and (w.count > 0).all()
    pair = w.pair == w.pairs.index("R1>L1")
    assert w.count[pair].tolist() == [40] and w.sign[pair].tolist() == [-1]  # histamine
    table = type_table()
    assert table.provenance.counts() == {"EM_population": 2140}
    assert {str(t) for t in table.types[table.kinds == "sensory"]} == set(RECEPTORS)


def test_an_offset_leads_from_the_source_to_the_target_column():
    """One synapse, one step: the light of one column moves the target `offset` away and no other."""
    w = wiring()
    one = w.pairs.index("Mi9>T4b")
    at = np.flatnonzero(w.pair == one)[1]  # (-1, 1)
    only = replace(w, count=np.where(np.arange(len(w.count)) == at, w.count, 0.0))
    n = len(w.types)
    p = replace(untrained(w), rest=np.zeros(n), scale=np.ones(len(w.pairs)))
    lobe = Lobe(only, p, radius=5)
    v = np.zeros(lobe.shape, np.float32)
    middle = int(np.flatnonzero((lobe.axial == 0).all(1))[0])
    v[w.row("Mi9"), lobe.place[middle]] = 1
    after = lobe.advance(v, np.zeros(lobe.shape, np.float32))
    moved = np.flatnonzero(lobe.read(after, "T4b"))
    assert lobe.axial[moved].tolist() == [w.offset[at].tolist()]
    blend = 1 - math.exp(-DT_S / 0.05)
    assert lobe.read(after, "T4b")[moved[0]] == pytest.approx(-w.count[at] * blend, rel=1e-5)


def test_the_stripe_and_the_sparse_matrix_agree():
    """The kernel against a dense sum over the same table, on a small lattice, from a random state."""
    w = wiring()
    lobe = Lobe(w, untrained(w), radius=3)
    rng = np.random.default_rng(0)
    n, columns = len(w.types), len(lobe.axial)
    v = rng.standard_normal((n, columns)) * lobe.there
    light = rng.random(columns).astype(np.float32)
    whole = np.zeros(lobe.shape, np.float32)
    whole[:, lobe.place] = v
    r = np.maximum(v, 0) * lobe.there
    total = np.zeros_like(v)
    at = {tuple(a): i for i, a in enumerate(lobe.axial.tolist())}
    weight = lobe.parameters.weight(w)
    for k in range(len(w.pre)):
        for c, a in enumerate(lobe.axial):
            if (to := at.get(tuple((a + w.offset[k]).tolist()))) is not None:
                total[w.post[k], to] += weight[k] * r[w.pre[k], c]
    drive = lobe.parameters.rest[:, None] + total * lobe.there
    drive[[w.row(t) for t in RECEPTORS]] += light
    expected = v + lobe.parameters.blend(DT_S)[:, None] * (drive - v)
    got = lobe.advance(whole, lobe.lit(light))[:, lobe.place]
    np.testing.assert_allclose(got[lobe.there], expected[lobe.there], rtol=2e-4, atol=2e-5)


def test_scenes_drift_as_they_say():
    rng = np.random.default_rng(1)
    light, velocity = movies.scenes(rng, 8, 30, 12, DT_S)
    assert light.shape == (30, 144, 8) and light.min() >= 0 and light.max() <= 1
    axial, basis = movies.torus(12), plane(np.eye(2))
    found = 0
    for lane in range(8):
        if not velocity[:10, :, lane].any() or (velocity[0, :, lane] != velocity[9, :, lane]).any():
            continue
        # dI/dt = -v . grad I, fitted over the lattice
        du = np.array(
            [light[:, :, lane][:, movies.hops(12, np.array([o]))[0]] for o in ((1, 0), (0, 1), (-1, 0), (0, -1))]
        )
        slope = np.stack([du[0] - du[2], du[1] - du[3]], -1)[4:9] / 2
        gradient = slope @ np.linalg.inv(basis).T
        change = (light[5:10, :, lane] - light[3:8, :, lane]) / (2 * DT_S)
        flow = np.linalg.lstsq(gradient.reshape(-1, 2), -change.ravel(), rcond=None)[0]
        true = velocity[0, :, lane]
        cosine = flow @ true / np.linalg.norm(flow) / np.linalg.norm(true)
        assert cosine > 0.9, (lane, flow, true)
        found += 1
    assert found >= 3 and len(axial) == 144


def test_the_gradient_is_that_of_the_loss():
    w = wiring()
    flow, p = fit.Flow(w), untrained(w)
    rng = np.random.default_rng(0)
    light, velocity = movies.scenes(rng, fit.LANES, fit.STEPS, fit.SIDE, DT_S)
    decoder = flow.decoder(p, rng, 1)
    v0 = flow.even(p)
    _, g = flow.loss(p, decoder, light, velocity, v0)

    def loss(kind, i, by):
        x = {"tau_s": np.log(p.tau_s), "rest": p.rest.copy(), "scale": np.log(p.scale)}
        x[kind][i] += by
        moved = fit.Parameters(np.exp(x["tau_s"]), x["rest"], np.exp(x["scale"]))
        return float(flow.loss(moved, decoder, light, velocity, v0)[1]["total"])

    for kind, i in (("scale", w.pairs.index("Mi1>T4a")), ("tau_s", w.row("Mi1")), ("rest", w.row("Tm9"))):
        slope = (loss(kind, i, 3e-3) - loss(kind, i, -3e-3)) / 6e-3
        assert g[kind][i] == pytest.approx(slope, rel=0.05, abs=2e-5), kind


def test_a_few_steps_of_the_fit_are_repeatable_and_lower_nothing_by_chance():
    w = wiring()
    first, second = (fit.descend(w, 3, 5) for _ in range(2))
    np.testing.assert_array_equal(first[0].scale, second[0].scale)
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[0].tau_s, untrained(w).tau_s)


def test_tuning_reads_a_cosine():
    angle = 2 * np.pi * np.arange(12) / 12
    dsi, preferred = tuning(1 + np.cos(angle - np.radians(60)))
    assert dsi == pytest.approx(0.5) and preferred == pytest.approx(60)


def test_t4_and_t5_prefer_four_directions_after_the_fit():
    """Edges that no fit has seen: T4 bright, T5 dark, each subtype within 30 degrees of the published direction."""
    rows = direction_table(Lobe(wiring(), parameters()[0], radius=7), speeds=(9.2,), angles=8)
    assert [r["type"] for r in rows] == list(MOTION)
    for r in rows:
        assert r["dsi"] > 0.25, r
        assert r["off_by_deg"] < 30, r
        assert (r["on_share"] > 0.5) == r["type"].startswith("T4"), r


def test_readouts_look_out_for_what_they_are_named_after():
    """On motion energies drawn by hand: expansion drives LPLC2 and not contraction or drift; drift drives HS and VS."""
    axial = hexagons(15)
    read = readouts(axial)
    x, y = plane(axial).T
    at = {name: i for i, name in enumerate(read.names)}
    middle = at[
        next(n for n, c in zip(read.names, read.columns, strict=True) if n.startswith("LPLC2") and not axial[c].any())
    ]

    def energy(vx, vy):
        e = np.zeros((8, len(axial)), np.float32)
        for k, d in enumerate("abcd"):
            angle = math.radians(PREFERRED_DEG[d])
            e[k] = e[k + 4] = np.maximum(vx * math.cos(angle) + vy * math.sin(angle), 0)
        return np.stack([e, e])

    def rates(energy):
        both = read.rate_Hz(energy)
        np.testing.assert_array_equal(both[0], both[1])
        return both[0]

    near = np.hypot(x, y) < 5
    size = np.maximum(np.hypot(x, y), 1e-9)
    out = rates(energy(near * x / size, near * y / size))
    into = rates(energy(near * -x / size, near * -y / size))
    drift = rates(energy(np.ones(721), np.zeros(721)))
    assert out[middle] > 50 and into[middle] == 0 and drift[middle] == 0
    back = rates(energy(-np.ones(721), np.zeros(721)))
    assert back[at["HSE"]] > 100 > 50 > drift[at["HSE"]]
    down = rates(energy(np.zeros(721), -np.ones(721)))
    assert down[at["VS3"]] > 100 and down[at["HSE"]] == pytest.approx(50)
    still = rates(np.zeros((2, 8, 721), np.float32))
    assert all(still[i] == (50 if t in ("HS", "VS") else 0) for i, t in enumerate(read.types))
    assert back[at["LC4_1"]] == pytest.approx(0, abs=1)  # the whole field moves: nothing looms
    ahead = [i for i, t in enumerate(read.types) if t == "LC16"]
    cx, cy = x - x[read.columns[ahead[5]]], y - y[read.columns[ahead[5]]]
    away = (np.hypot(cx, cy) < 5) / np.maximum(np.hypot(cx, cy), 1e-9)
    assert rates(energy(cx * away, cy * away))[ahead[5]] > 50
    edge = rates(energy(1.0 * (np.abs(cx) < 1), 0 * x))  # a bar that sweeps past a turning fly does not loom
    assert (edge[ahead] == 0).all()


def test_a_looming_disc_drives_lc4_and_lplc2_on_its_side(part):
    row = loom_responses(part, fly_retina().directions, [0.04])[0]
    assert row["LC4_L_Hz"] > 100 and row["LPLC2_L_Hz"] > 100
    assert row["LPLC2_R_Hz"] < 20 and row["LC4_R_sum_Hz"] < 0.7 * row["LC4_L_sum_Hz"]


def test_the_part_steps_at_100_hz_and_is_pure(part):
    assert part.every == 5 and part.steps == 1
    state = part.init(0)
    drive = part.lit(np.full((2, 721), 0.5))
    dark = part.lit(np.zeros((2, 721)))
    first = part.advance(state, drive)
    held = [first]
    for _ in range(4):
        held.append(part.advance(held[-1], dark))
    assert all(h["v"] is first["v"] for h in held)  # nothing moves until the next frame
    assert not np.array_equal(part.advance(held[-1], dark)["v"], first["v"])
    again = part.advance(part.init(1), drive)
    np.testing.assert_array_equal(again["v"], first["v"])
    rate = part.rate_Hz(first)
    assert rate.shape == (len(part.table),) == part.voltage_mV(first).shape and rate.dtype == np.float32
    with pytest.raises(BestiaryError, match="an ommatidium a column"):
        part.lit(np.zeros((2, 700)))
    with pytest.raises(BestiaryError, match=r"0\.003"):
        build(Clock("0.003", "0.001", "0.001"))


def test_the_encoder_lights_every_receptor_of_a_column_and_no_other(part):
    encoder = EyeEncoder(part)
    state = encoder.init()
    seen = np.random.default_rng(0).random((2, 721)).astype(np.float32)
    drive = np.zeros(len(part.table), np.float32)
    state = encoder.encode(state, {"luminance": seen}, drive)
    np.testing.assert_array_equal(drive[part.receptors[1, 5]], np.full(8, seen[1, 5]))
    assert np.count_nonzero(drive) == 2 * 721 * 8
    assert encoder.encode(state, {"luminance": seen.copy()}, drive) is state


def test_names_sides_and_receptors(part):
    table = part.table
    assert len(table.select("T4a & side=L")) == 721 and len(table.select("LC4")) == 2 * 37
    assert table.select("HSE_R").tolist() == table.select("type=HS & side=R")[1:2].tolist()
    assert len(table) == 2 * (45_669 + len(part.readouts.names))
    assert (table.types[part.receptors[1, :, 3]] == "R4").all() and (table.sides[part.receptors[0]] == "L").all()
    axial = hexagons(15)
    assert str(table.ids[part.receptors[1, 100, 0]]) == f"R1_R_{axial[100, 0]}_{axial[100, 1]}"


def test_lesions_and_silences(part):
    """A lesioned L1 hears nothing; silenced R1-8 leave every other cell without light."""
    rng = np.random.default_rng(0)
    drive = part.lit(rng.random((2, 721)))
    blind = part.cut(np.empty(0, int), part.receptors[0].ravel())
    state = blind.init(0)
    for _ in range(11):
        state = blind.advance(state, drive)
    lobe = part.lobes[0]
    inner = np.abs(lobe.axial).max(1) < 4
    left, right = (lobe.read(state["v"][e], "Mi1")[inner].std() for e in (0, 1))
    assert 10 * left < right and right > 0.01
    deaf = part.cut(part.table.select("L1"), np.empty(0, int))
    state = deaf.advance(deaf.init(0), drive)
    assert lobe.read(state["v"][0], "L1") == pytest.approx(float(lobe.parameters.rest[lobe.wiring.row("L1")]), abs=1e-3)
    quiet = part.cut(np.empty(0, int), part.table.select("HSE_L"))
    rates = quiet.rate_Hz(quiet.init(0))
    assert rates[row_of(quiet, "HSE_L")] == 0 < rates[row_of(quiet, "HSE_R")]


def test_silenced_motion_cells_move_no_readout(part):
    mute = part.cut(
        np.empty(0, int), np.concatenate([part.table.select(f"{t}{d}") for t in ("T4", "T5") for d in "abcd"])
    )
    v = part._start + np.random.default_rng(0).random(part._start.shape).astype(np.float32)
    assert part.energy(v).max() > 0 == mute.energy(v).max()


def test_a_rewired_lobe_keeps_all_but_its_wiring(part):
    other = part.rewired(lambda t: t.shuffle_weights(3))
    w, x = part.lobes[0].wiring, other.lobes[0].wiring
    assert sorted(w.count.tolist()) == pytest.approx(sorted(x.count.tolist())) and (w.count != x.count).any()
    assert (w.pre == x.pre).all() and len(other.table) == len(part.table)
    np.testing.assert_array_equal(other.lobes[0].parameters.tau_s, part.lobes[0].parameters.tau_s)
    cut = part.cut(part.table.select("L1"), np.empty(0, int)).rewired(lambda t: t.shuffle_weights(3))
    state = cut.advance(cut.init(0), cut.lit(np.ones((2, 721))))
    rest = float(cut.lobes[0].parameters.rest[w.row("L1")])
    assert cut.lobes[0].read(state["v"][0], "L1") == pytest.approx(rest, abs=1e-3)
    wild = part.rewired(lambda t: t.rewire(1))
    state = wild.init(0)
    for _ in range(50):
        state = wild.advance(state, wild.lit(np.full((2, 721), 0.6)))
    assert np.isfinite(state["v"]).all()


def test_the_fit_command_writes_what_the_lobe_reads(tmp_path, monkeypatch):
    """One step of `bestiary fit fly visual`, its edges left out: the file has every value with its source."""
    from bestiary.tasks._fit import run_fit, stages

    rows = [
        {"type": t, "peak": 0.5, "off_by_deg": 3.0, "dsi": 0.5, "direction_deg": 1.0, "published_deg": 0.0}
        for t in MOTION
    ]
    monkeypatch.setattr(fit, "direction_table", lambda *_, **__: rows)
    assert stages("fly")["visual"].budget > 100
    result = run_fit("fly", budget=1, stage="visual", out=tmp_path / "fit.json", control="offset-shuffle")
    assert result["stage"] == "visual" and result["options"]["control"] == "offset-shuffle"
    p, peak = parameters(tmp_path / "fit.json")
    assert (peak == 0.5).all() and p.scale.shape == (605,)
    for row in result["parameters"].values():
        assert {"value", "unit", "source", "fitted_to"} <= row.keys()
    with pytest.raises(LookupError, match="offset-shuffle"):
        run_fit("fly", budget=1, stage="visual", control="offset-shufle")


def test_shuffled_offsets_keep_who_and_how_many():
    w = wiring()
    x = fit.shuffled(w, "offset-shuffle", 1)
    assert (x.pre == w.pre).all() and (x.count == w.count).all() and (x.offset != w.offset).any()
    assert sorted(map(tuple, x.offset)) == sorted(map(tuple, w.offset))


def test_bad_parameters_are_refused(tmp_path):
    file = tmp_path / "p.json"
    with pytest.raises(DataError, match="cannot read"):
        parameters(file)
    with pytest.raises(DataError, match="missing"):
        parameters({"parameters": {}})
