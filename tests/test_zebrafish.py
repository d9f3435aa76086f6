"""The closed loop of the fish: what it is made of, what it does, what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import bestiary
from bestiary import assets
from bestiary.bodies._fish_retina import fish_retina
from bestiary.bodies.zebrafish import Zebrafish
from bestiary.brains import _fish_regions
from bestiary.brains import zebrafish as brains
from bestiary.brains._fish_circuits import ACROSS, CELLS, SAME, artr, evidence_table, passivity, tectum
from bestiary.brains._fish_mauthner import UNIT_MV, MauthnerArray
from bestiary.brains._fish_regions import check, scaffold
from bestiary.envs import EmbodiedEnv
from bestiary.envs._clock import Clock
from bestiary.errors import ConnectomeError, DataError, UnknownNeuronError
from bestiary.interfaces._controls import control
from bestiary.tasks import _bouts
from bestiary.tasks._fit import stages
from bestiary.tasks._trial import Track
from bestiary.tasks.optomotor import Optomotor

CLOCK = Clock("0.001", "0.0001", "0.0002")


def live(task, seconds, seed=0, body=None, task_options=None, **options):
    """(infos, poses, animal) of a run in the closed loop."""
    animal = bestiary.animal("zebrafish", **options)
    given = {"seconds": seconds, **(task_options or {})}
    env = EmbodiedEnv("zebrafish", task, clock=animal.clock, task_options=given, body_options=body)
    obs, info = env.reset(seed=seed)
    animal.reset(info["episode_seed"])
    infos, poses, done = [], [], False
    while not done:
        obs, _, terminated, truncated, info = env.step(animal.act(obs))
        infos.append(info)
        poses.append(env.pose())
        done = terminated or truncated
    return infos, poses, animal


def test_every_part_and_link_is_tagged_and_names_are_unique():
    parts = brains.parts(CLOCK)
    assert set(parts) == set(brains.PARTS)
    tags = {tag for part in parts.values() for tag in part.table.provenance.counts()}
    assert {"EM_population", "functional_fit"} <= tags
    animal = bestiary.animal("zebrafish")
    assert len(set(animal.names)) == len(animal.names)
    assert all(link.provenance in ("functional_fit", "tuned") for link in animal.brain.links)


def test_evidence_is_drawn_from_the_measured_probabilities():
    table = evidence_table()
    left = table.sides == "L"
    for a, n in CELLS.items():
        for b in CELLS:
            for share, crossed in ((SAME, False), (ACROSS, True)):
                if share[a][b] == 0:
                    here = (table.types[table.pre] == a) & (table.types[table.post] == b)
                    here &= (left[table.pre] != left[table.post]) == crossed
                    assert not here.any(), (a, b, crossed)
        assert (table.types == a).sum() == 2 * n
    assert set(table.provenance.values) == {"EM_population"}


def test_oscillator_takes_sides_and_lets_go():
    part = artr(CLOCK)
    state, side = part.init(0), []
    drive = np.zeros(len(part.table), np.float32)
    for k in range(60_000):
        state = part.advance(state, drive)
        if k % 50 == 0:
            side.append(state["r"][:5].mean() - state["r"][5:10].mean())
    side = np.array(side)
    assert (np.abs(side) > 0.4).mean() > 0.6
    assert 2 <= (np.diff(np.sign(side)) != 0).sum() <= 40


def tap(part, state, left, right):
    """(state, names that fired in 60 ms after a 3 ms tap, first the first)."""
    names = part.table.ids.tolist()
    fired = []
    for k in range(60):
        drive = np.zeros(len(names), np.float32)
        if k < 3:
            drive[names.index("viii_L")], drive[names.index("viii_R")] = left * UNIT_MV, right * UNIT_MV
        state = part.advance(state, drive)
        fired += [n for n, out in zip(names, state["out"], strict=True) if out and n.startswith("M")]
    return state, fired


def test_mauthner_fires_first_on_the_side_of_the_tap_and_its_homologues_remain():
    part = MauthnerArray(CLOCK)
    assert tap(part, part.init(0), 1.2, 0.6)[1][0] == "Mauthner_L"
    assert tap(part, part.init(0), 0.6, 1.2)[1][0] == "Mauthner_R"
    assert tap(part, part.init(0), 0.3, 0.2)[1] == []
    gone = part.cut(part.table.select("type=Mauthner"), np.empty(0, int))
    assert tap(gone, gone.init(0), 1.2, 0.6)[1][0] == "MiD2cm_L"


def test_mauthner_habituates_and_recovers():
    part = MauthnerArray(CLOCK)
    state, answers = part.init(0), []
    quiet = np.zeros(len(part.table), np.float32)
    for _ in range(30):
        state, fired = tap(part, state, 1.2, 0.6)
        answers.append(any(n.startswith("Mauthner") for n in fired))
        for _ in range(940):
            state = part.advance(state, quiet)
    assert all(answers[:3]) and not any(answers[-5:])
    for _ in range(200_000):
        state = part.advance(state, quiet)
    assert any(n.startswith("Mauthner") for n in tap(part, state, 1.2, 0.6)[1])
    rested = MauthnerArray(CLOCK, tires=False)
    state = rested.init(0)
    for _ in range(30):
        state, fired = tap(rested, state, 1.2, 0.6)
    assert any(n.startswith("Mauthner") for n in fired), "without depression nothing habituates"


def test_a_tap_makes_a_c_bend_away_and_its_latency_hangs_on_the_mauthner_cells():
    options = {"first_s": 0.05, "side": 1}
    latency = []
    for lesion in ((), ("type=Mauthner",)):
        infos, _, _ = live("startle", 0.15, task_options=options, lesion=lesion)
        bend = np.degrees([i["bend_rad"] for i in infos])
        assert bend.max() > 60  # away from the left
        latency.append(int((bend > 10).argmax()) - 50)
    assert 3 <= latency[0] <= 15 < latency[1]


@pytest.mark.parametrize("side", [1, -1])
def test_a_jet_on_the_flank_makes_a_c_bend_away_through_the_lateral_line(side):
    def bends(**options):
        given = {"first_s": 0.05, "side": side}
        infos, _, _ = live("jet", 0.15, task_options=given, body={"eyes": False}, **options)
        assert infos[-1]["tap_side"] == side
        return np.degrees([i["bend_rad"] for i in infos])

    assert bends().max() > 60  # away from the jet
    assert np.abs(bends(lesion=("lateral_line",))).max() < 60
    assert np.abs(bends(without=("lateral",))).max() < 60


@pytest.mark.parametrize(("lesion", "low", "high"), [((), 0, 20), (("OEN",), 30, 100)])
def test_efferents_silence_the_lateral_line_while_the_fish_swims(lesion, low, high):
    animal = bestiary.animal("zebrafish", lesion=lesion)
    env = EmbodiedEnv("zebrafish", "locomotion", clock=animal.clock, body_options={"eyes": False})
    obs, info = env.reset(seed=3)
    animal.reset(info["episode_seed"])
    heard, felt = [], []
    for _ in range(1500):
        obs = env.step(animal.act(obs))[0]
        heard.append(animal.probe()["rate_Hz"][animal.index(["OLN_L", "OLN_R"])].max())
        felt.append(np.abs(obs["lateral_m_per_s"][:, 1]).max())
    assert max(felt) > 0.02, "it swam"
    assert low <= max(heard) <= high


def test_who_swims_without_getting_on_becomes_passive_and_who_gets_on_does_not():
    part = passivity(CLOCK)
    names = part.table.ids.tolist()
    for felt, low, high in ((0.0, 0.5, 1.0), (1.0, 0.0, 0.01)):
        state = part.init(0)
        for k in range(20_000):
            drive = np.zeros(len(names), np.float32)
            if k % 650 < 140:  # a bout
                drive[names.index("Effort")], drive[names.index("swum")] = 1.6 * UNIT_MV, felt * 1.6 * UNIT_MV
            state = part.advance(state, drive)
        assert low <= state["r"][names.index("Astro")] <= high


def test_an_escape_beats_its_tail_two_to_three_times_as_fast_as_a_routine_bout():
    infos, poses, _ = live("startle", 0.16, task_options={"first_s": 0.05, "side": 1}, body={"eyes": False})
    bend = np.array([p["curvature_per_m"] for p in poses])
    info = {"since_tap_s": np.array([i["since_tap_s"] for i in infos])}
    still = np.zeros((len(bend), 3))
    track = Track(np.arange(len(bend)) * 1e-3, still[:, None], still, bend, info, 4e-3)
    assert 75 < _bouts.escape_beat_Hz(track) < 105


def test_words_of_experiments_name_neurons_and_are_offered():
    animal = bestiary.animal("zebrafish", stimulate="tectum:20pA@0-1")
    assert set(np.array(animal.names)[animal.brain.select("tectum")]) >= {"TeO_L", "Hunt"}
    with pytest.raises(UnknownNeuronError, match="did you mean 'tectum'"):
        bestiary.animal("zebrafish", lesion=("tecum",))


def test_lesions_by_the_words_of_experiments_change_only_their_cells():
    whole = bestiary.animal("zebrafish")
    words = {"vSPN": "vSPN", "tectum": "Hunt", "lateral_line": "flow_R", "ARTR_L": "type=ARTR & side=L"}
    for word, silent in {**words, "eye_L": "ds_fwd_L"}.items():
        cut = bestiary.animal("zebrafish", lesion=(word,))
        assert cut.names == whole.names
        rows = cut.index(silent)
        cut.reset(0)
        cut.inject(rows, 40.0)
        obs = EmbodiedEnv("zebrafish", "locomotion").reset(seed=0)[0]
        for _ in range(30):
            cut.act(obs)
        assert cut.probe()["rate_Hz"][rows].max() == 0
    with pytest.raises(UnknownNeuronError, match="Mauthner"):
        bestiary.animal("zebrafish", lesion=("Mautner",))


def test_same_seed_same_life_and_a_saved_one_goes_on():
    ends = [live("locomotion", 0.6, seed=3)[1][-1]["com_m"] for _ in range(2)]
    assert (ends[0] == ends[1]).all()
    animal = bestiary.animal("zebrafish")
    env = EmbodiedEnv("zebrafish", "locomotion", clock=animal.clock)
    obs, info = env.reset(seed=1)
    animal.reset(info["episode_seed"])
    for _ in range(203):
        obs = env.step(animal.act(obs))[0]
    kept, mind = env.get_state(), animal.get_state()

    def on(obs):
        for _ in range(120):
            obs = env.step(animal.act(obs))[0]
        return env.pose()["com_m"]

    first = on(obs)
    obs = env.set_state(kept)
    animal.set_state(mind)
    assert (on(obs) == first).all()


def test_held_by_the_head_it_beats_its_tail_and_stays():
    _, poses, _ = live("locomotion", 1.5, body={"head_fixed": True})
    assert np.ptp([p["midline_m"][0] for p in poses], axis=0).max() < 1e-5
    assert max(np.abs(p["curvature_per_m"]).max() for p in poses) > 500


def test_transposed_foreign_or_broken_projectomes_are_refused():
    names = ("Ret", "SFGS", "DH", "IPN", "Cb")
    matrix = np.zeros((5, 5))
    matrix[1, 0], matrix[3, 2], matrix[4, 1] = 0.7, 0.6, 0.2  # row = target
    table = scaffold(matrix, names, 1000)
    assert len(table) == 1000 and set(table.provenance.values) == {"projectome"}
    assert set(table.types[table.pre[table.types[table.post] == "SFGS"]]) == {"Ret"}
    with pytest.raises(ConnectomeError, match="seems transposed"):
        check(matrix.T, names)
    with pytest.raises(ConnectomeError, match="must be square"):
        check(matrix[:4], names)
    with pytest.raises(ConnectomeError, match="not finite at row 1, column 0"):
        check(np.where(matrix == 0.7, np.inf, matrix), names)
    with pytest.raises(ConnectomeError, match="unknown region 'Ret'"):
        check(matrix, names, known=("SFGS",))
    with pytest.raises(ConnectomeError, match="1000 to 100000"):
        scaffold(matrix, names, 10)
    with pytest.raises(ConnectomeError, match="0 everywhere"):
        scaffold(0 * matrix, names)


def test_prey_on_one_side_turns_the_eyes_in_and_the_fish_to_it_through_the_tectum():
    options = {"azimuth_deg": 40.0, "distance_m": 2.5e-3, "from_s": 0.1}
    seen = {}
    for lesion in ((), ("tectum",)):
        infos, _, animal = live("hunt", 0.6, task_options=options, lesion=lesion)
        rate = animal.probe()["rate_Hz"]
        left, right = (float(rate[animal.index(f"MeL_{side}")][0]) for side in "LR")
        seen[lesion] = (np.degrees(infos[-1]["converged_rad"]), left - right)
    assert seen[()][0] > 20 and seen[()][1] > 5  # Hz: it turns by less than the azimuth (tectum)
    assert abs(seen["tectum",][0]) < 3 and abs(seen["tectum",][1]) < 1


def test_the_fish_does_not_sink_before_its_bladder_is_set():
    infos, poses, _ = live("locomotion", 0.5, body={"eyes": False})
    assert abs(poses[-1]["com_m"][2]) < 1e-4 and len(infos) == 500


def test_a_strike_needs_prey_near_for_both_eyes_and_a_hunt():
    part = tectum(CLOCK)
    names = part.table.ids.tolist()

    def strike(**units):
        state = part.init(0)
        drive = np.zeros(len(names), np.float32)
        for name, value in units.items():
            drive[names.index(name)] = value * part.unit_mV
        for _ in range(1500):
            state = part.advance(state, drive)
        return float(state["r"][names.index("Strike")])

    one = {"near_L15": 1.5, "near_L30": 1.5}
    both = {"near_L15": 1.5, "near_R15": 1.5}
    assert strike(**both, prey_L30=1.0) > 0.3
    assert strike(**one, prey_L30=1.0) < 0.05 and strike(**both, spot_L=1.5, spot_R=1.5, loom_L=2.0) == 0


def test_near_prey_wins_over_far_prey_once_a_hunt_is_on():
    part = tectum(CLOCK)
    names = part.table.ids.tolist()
    at = {n: i for i, n in enumerate(names)}
    state, seen = part.init(0), []
    for near in (0.0, 1.5):
        drive = np.zeros(len(names), np.float32)
        drive[at["prey_R60"]], drive[at["near_L60"]] = part.unit_mV, near * part.unit_mV
        for _ in range(1500):
            state = part.advance(state, drive)
        seen.append(float(state["r"][at["TeO_L"]] - state["r"][at["TeO_R"]]))  # the right eye's less the left eye's
    assert seen[0] > 0.1 and seen[1] < -0.1


@pytest.mark.parametrize(("spot", "side"), [("R", -1), ("L", 1)])
def test_a_large_spot_starts_a_burst_away_from_it(spot, side):
    """Avoid_R hears the left eye. Of the first bout: when, its drive (1 in a usual one) and its bias."""
    obs = EmbodiedEnv("zebrafish", "locomotion", body_options={"eyes": False}).reset(seed=0)[0]
    animal = bestiary.animal("zebrafish", stimulate=[f"Avoid_{spot}:20pA@0-1"])
    for seed in (1, 2):
        animal.reset(seed)
        for _ in range(600):
            animal.act(obs)
            gate = animal._state["cord"]["gate"]
            if gate[1] > 0:
                break
        assert gate[2] > 1.3 and side * gate[4] > 0


def test_the_bladders_reflex_lifts_a_fish_that_is_too_deep():
    animal = bestiary.animal("zebrafish")
    obs = EmbodiedEnv("zebrafish", "locomotion", body_options={"eyes": False}).reset(seed=0)[0]  # it does without eyes
    lift = []
    for depth_m in (-1e-3, 0.0, 1e-3):
        animal.reset(0)
        for _ in range(600):
            animal.act({**obs, "depth_m": np.array([depth_m], np.float32)})
        lift.append(float(animal.probe()["motor"][-1]))
    assert lift[1] == pytest.approx(0.55, abs=0.02) and lift[0] < 0.5 < 0.6 < lift[2]
    assert "depth" in brains.PARTS


def test_the_scaffold_drives_nmlf():
    matrix = np.zeros((3, 3))
    matrix[1, 0], matrix[2, 1] = 0.7, 0.5
    animal = bestiary.animal("zebrafish", connectome=scaffold(matrix, ("PTAP", "NMLF", "SVMOR"), 1000))
    out = [k for k in animal.brain.links if k.source == "regions"]
    assert [k.target for k in out] == ["descending"]
    cells = animal.brain.parts["regions"].table.types[np.unique(out[0].weight_mV_per_Hz.indices)]
    assert set(cells) == {"NMLF"}
    assert {k.source for k in animal.brain.links if k.target == "regions"} == {"pretectum", "artr"}


@pytest.mark.slow
def test_the_scaffolds_regions_correlate_as_in_an_imaged_fish_and_rewired_ones_less(monkeypatch):
    nearby = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not os.environ.get("BESTIARY_DATA") and nearby.is_dir():
        monkeypatch.setenv("BESTIARY_DATA", str(nearby))
    try:
        (matrix, names), fish = _fish_regions.measured(), _fish_regions.recorded()
    except DataError as error:
        pytest.skip(f"needs zebrafish-mesoscale: {error}")
    table = scaffold(matrix, names, 3000)
    like = []
    for wiring in (table, control("degree-preserving", 0).rewire(table), control("erdos-renyi", 0).rewire(table)):
        rates = _fish_regions.regional_rates(_fish_regions.regions_of(wiring, CLOCK), names, 10)
        like.append(_fish_regions.likeness(rates, fish))
    assert like[0] > 0.3 and like[0] > like[1] + 0.1 and abs(like[2]) < 0.15


def test_each_eye_can_be_shown_a_motion_of_its_own():
    across = {"where": "ground", "temporal_Hz": 1.0, "direction": 1, "way_deg": 90.0, "with_heading": True}
    task = Optomotor(**across, left=-1.0, right=1.0)
    state = {"first": 0.3, "heading": 0.3, "com_m": np.zeros(3), "length_m": 4e-3, "level_m": -5e-3, "shift": 1e-3}
    left = np.array([-np.sin(0.3), np.cos(0.3), 0])
    places = np.array([0.011 * left, -0.011 * left]) - [0, 0, 5e-3]
    moved = task.sample(state, "luminance", places, np.zeros(2), 2.0)
    still = [
        Optomotor(**across).sample({**state, "shift": s}, "luminance", places, np.zeros(2), 2.0) for s in (-1e-3, 1e-3)
    ]
    assert moved == pytest.approx([still[0][0], still[1][1]])


def test_a_motion_too_fast_to_be_shown_is_refused_with_the_limit():
    for task, options in (("flow", {"current_m_per_s": 5.0}), ("dots", {"speed_m_per_s": 2.0})):
        with pytest.raises(ValueError, match="at most at"):
            EmbodiedEnv("zebrafish", task, task_options=options)
    with pytest.raises(ValueError, match="at most"):
        EmbodiedEnv("zebrafish", "optomotor", task_options={"where": "ground", "temporal_Hz": 900.0})
    with pytest.raises(ValueError, match="current_m_per_s is not a number"):
        EmbodiedEnv("zebrafish", "flow", task_options={"current_m_per_s": float("nan")})
    with pytest.raises(ValueError, match="period_deg must be above 0 and finite"):
        EmbodiedEnv("zebrafish", "optomotor", task_options={"period_deg": float("inf")})


def made_up_track():
    """Five steps of 2 mm every 0.6 s, with a turn of 30 degrees to the left at each."""
    t = np.arange(0, 3.6, 0.005)
    com, heading = np.zeros((len(t), 3)), np.zeros(len(t))
    for k in range(5):
        rise = np.clip((t - 0.3 - 0.6 * k) / 0.15, 0, 1)
        rise = rise * rise * (3 - 2 * rise)
        heading += np.radians(30) * rise
        com[:, 0] += 2e-3 * rise
    nose = com + 1e-3 * np.stack([np.cos(heading), np.sin(heading), 0 * t], 1)
    pose = {"heading_rad": heading, "eye_rad": np.zeros((len(t), 2))}
    return Track(t, np.stack([nose, com], 1), com, np.zeros((len(t), 1)), {}, 4e-3, pose=pose)


def test_bouts_of_a_made_up_track_are_found():
    track = made_up_track()
    found = _bouts.bouts(track)
    assert found["interval_s"] == pytest.approx([0.6] * 4, abs=0.03)
    assert found["displacement_mm"] == pytest.approx([2] * 4, abs=0.1)
    assert found["turn_deg"] == pytest.approx([30] * 4, abs=3)


@pytest.mark.parametrize("name", ["Free", "OMR", "Flow", "Phototaxis", "Hunt", "Startle", "Loom", "Dots", "OMRFixed"])
def test_every_id_can_be_made_and_stepped(name):
    env = gymnasium.make(f"bestiary:bestiary/Zebrafish{name}-v0")
    obs, _ = env.reset(seed=0)
    obs, reward, *_ = env.step(env.action_space.sample())
    assert env.observation_space.contains(obs) and np.isfinite(reward)


def test_what_ships_is_what_the_fit_found():
    fit = json.loads(assets.file("zebrafish", "fit_swim.json").read_text(encoding="utf-8"))
    shipped, body = brains.parameters(), Zebrafish(eyes=False)
    assert {k: shipped[k] for k in fit["fitted"]} == pytest.approx(
        {k: fit["parameters"][k] for k in fit["fitted"]}, 5e-3
    )
    assert {k: getattr(body, k) for k in fit["body"]} == pytest.approx(fit["body"], rel=5e-3)
    assert set(stages("zebrafish")[fit["stage"]].body) == set(fit["body"])


def test_a_pixel_averages_over_its_three_degrees():
    """A sine of 0.25 cycles per degree is nearly gone, one of 0.083 nearly whole: no aliasing (Z25)."""
    swing = {}
    for period_deg in (4.0, 12.0):
        options = {"where": "drum", "period_deg": period_deg, "temporal_Hz": 0.0, "direction": 1}
        light = EmbodiedEnv("zebrafish", "optomotor", task_options=options).reset(seed=0)[0]["luminance"]
        height = fish_retina("L").directions[0][:, 2]
        level = (height > 0) & (height < 0.3)  # above the ground
        swing[period_deg] = float(light[0][level].std())
    assert swing[12.0] > 0.22 and swing[4.0] < 0.1 * swing[12.0]


def test_only_fast_and_large_turns_of_the_head_are_c_bends():
    t = np.arange(0, 1, 0.005)
    still = np.zeros((len(t), 3))
    for length_s, expected in ((0.015, True), (0.06, False)):
        turn = {"heading_rad": np.radians(110) * np.clip((t - 0.5) / length_s, 0, 1)}
        track = Track(t, still[:, None], still, still, {"loom_deg": 90 * t}, 4e-3, pose=turn)
        assert bool(_bouts.c_bends(track).any()) == expected
        assert _bouts.loom_response(track)[0] == expected


def test_measures_of_eyes_beats_and_first_bouts():
    t = np.arange(0, 6, 0.005)
    eye = np.radians(10) * np.exp(-np.maximum(t - 1, 0) / 5)
    still = np.zeros((len(t), 3))
    bend = np.where(t > 2.5, 1000 * np.sin(2 * np.pi * 25 * t), 0)[:, None].repeat(5, 1)
    info = {"pattern_deg_per_s": np.full(len(t), -2.0), "since_tap_s": t - 2.5}
    pose = {"eye_rad": np.stack([eye, eye], 1)}
    track = Track(t, np.stack([still, still], 1), still, bend, info, 4e-3, pose=pose)
    assert _bouts.eye_decay_s(track, 1.5, 6.0) == pytest.approx(5.0, rel=0.01)
    assert 0.5 < _bouts.eye_gain(track, 1.0, 2.0) < 1.0  # 10 deg with 5 s, against 2 deg/s
    assert _bouts.first_beat_s(track, 2.0) == pytest.approx(0.505, abs=0.01)
    assert _bouts.escape_beat_Hz(track) == pytest.approx(25, rel=0.05)
    assert np.isnan(_bouts.first_bout_s(track, 1.0)) and _bouts.bouts_per_s(track) == 0
