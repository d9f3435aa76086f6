"""Worlds of the mouse, and measures that take simulated and recorded tracks alike."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from bestiary.bodies._mouse_retina import mouse_retina
from bestiary.bodies.mouse import WHISKERS, Mouse
from bestiary.envs import EmbodiedEnv
from bestiary.interfaces._mouse_senses import flanked
from bestiary.tasks import _explore, _quadruped, _replay, _units
from bestiary.tasks._assay_table import assays
from bestiary.tasks._catalogue import MEASURES
from bestiary.tasks._trial import Track
from bestiary.tasks.beam import Beam
from bestiary.tasks.gratings import Gratings
from bestiary.tasks.labyrinth import HOME, NODES, SIZE, Labyrinth, lines, parent, runs
from bestiary.tasks.open_field import OpenField
from bestiary.tasks.overhead import Overhead
from bestiary.tasks.tmaze import TMaze
from bestiary.tasks.treadmill import Treadmill
from bestiary.tasks.whisker import Whisker

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("BESTIARY_DATA", ROOT.parent / "shared" / "data")) / "mouse"


def made(task, seed=0, **body):
    env = EmbodiedEnv(Mouse(**body), task)
    env.reset(seed=seed)
    return env


def stand(env, steps, **angles):
    action = env.body.action_of(angles).astype(np.float32)
    for _ in range(steps):
        out = env.step(action)
        if out[2] or out[3]:
            break
    return out


def track(time_s, com_m=None, info=None, pose=None, length_m=0.088):
    com = np.zeros((len(time_s), 3)) if com_m is None else com_m
    ahead = np.array([0.04, 0, 0])
    return Track(time_s, np.stack([com + ahead, com, com - ahead], 1), com, np.zeros((len(time_s), 0)), info or {},
                 length_m, pose=pose or {})  # fmt: skip


# Labyrinth


def test_the_labyrinth_is_a_tree_of_63_branchings_and_64_ends():
    cells = [c for run in runs() for c in run]
    assert len(runs()) == NODES == 127 and len(set(cells)) == len(cells)
    walls = set()
    for x0, y0, x1, y1 in lines():
        for k in range(int(max(x1 - x0, y1 - y0))):
            walls.add(frozenset([(x0 - 1, y0 + k), (x0, y0 + k)] if x0 == x1 else [(x0 + k, y0 - 1), (x0 + k, y0)]))
    near = {c: [d for d in ((c[0] + 1, c[1]), (c[0] - 1, c[1]), (c[0], c[1] + 1), (c[0], c[1] - 1))
                if d in set(cells) and frozenset((c, d)) not in walls] for c in cells}  # fmt: skip
    assert sum(map(len, near.values())) // 2 == len(cells) - 1  # a tree, once it hangs together
    seen, front = {cells[0]}, [cells[0]]
    while front:
        front = [d for c in front for d in near[c] if d not in seen and not seen.add(d)]
    assert len(seen) == len(cells)
    degrees = [len(near[run[-1]]) for run in runs()]
    assert degrees[:63] == [3] * 63 and degrees[63:] == [1] * 64
    assert frozenset([(-1, SIZE // 2), (0, SIZE // 2)]) not in walls  # the door


def test_places_are_known_by_their_node_and_water_is_given_there():
    task = Labyrinth(port=70, again_s=5)
    for node in range(NODES):
        assert task.node_at(task.place_m(runs()[node][-1])) == node
    assert task.node_at(np.array([-0.4, 0.1])) == HOME and task.node_at(task.place_m((2, 7))) is None
    env = made(Labyrinth(start_node=4), eyes=False)
    assert env.reset(seed=1)[1]["node"] == 4
    spot = np.append(task.port_place_m(), 0.01)
    state = task.begin({"com_m": spot, "start_m": spot, "time_s": 0.0, "forward_m": 0.0, "length_m": 0.09})
    pose = {"com_m": spot, "midline_m": np.stack([spot, spot - [0.01, 0, 0]])}
    paid = [task.judge(state, pose, t)[0] for t in (1.0, 2.0, 7.0)]
    assert paid == [1.0, 0.0, 1.0]


def test_a_standing_mouse_fits_into_the_corridors():
    env = made(Labyrinth(start_node=3), eyes=False, whiskers=False)
    stand(env, 30)
    assert env.pose()["upright"] > 0.95 and env.pose()["height_m"] < 0.03


@pytest.mark.parametrize("task", [Labyrinth(), TMaze()])
def test_a_start_has_room_for_the_tail(task):
    env = made(task, eyes=False)
    names = {env.model.geom(int(g)).name for pair in env.data.contact.geom[: env.data.ncon] for g in pair}
    assert not {n for n in names if n.startswith("wall")}


def test_a_lid_that_eyes_do_not_see_keeps_it_in_the_labyrinth():
    env = made(Labyrinth(start_node=3))
    assert env.model.geom_rgba[env.model.geom("lid").id, 3] == 0  # a clear geom stops no ray
    env.data.qvel[env.bound.root[2]] = 200.0  # cm/s, up
    stand(env, 60)
    assert env.pose()["height_m"] < 0.05


def test_whiskers_tell_a_corridor_by_their_back_rows():
    obs = stand(made(Labyrinth(start_node=3), eyes=False), 40)[0]
    back, front = flanked(obs["whisker_Nm"]).reshape(2, 2)
    assert (back > front + 1).all()


@pytest.mark.skipif(not (DATA / "rosenberg_labyrinth").is_dir(), reason="recorded labyrinth not at hand")
def test_recorded_mice_walk_in_our_labyrinth():
    task = Labyrinth()
    track_ = _replay.labyrinth_nodes(DATA / "rosenberg_labyrinth" / "D9a_nodes.csv")
    way = _explore.nodes(track_)
    steps = [(a, b) for a, b in itertools.pairwise(way.tolist()) if HOME not in (a, b)]
    near = [b == parent(a) or a == parent(b) or (a and b and parent(a) == parent(b)) for a, b in steps]
    assert np.mean(near) > 0.99
    hits, hours = _explore.decisions_per_hour(track_)
    assert 1500 < hits / hours < 3500 and _explore.nodes_visited(track_) > 110
    chance = {k: np.divide(*_explore.turn_chance(track_, k)) for k in ("SF", "SA", "BF", "BS")}
    assert all(0.6 < v < 0.9 for v in chance.values())  # Rosenberg 2021 figure 9: all above chance
    rows = np.loadtxt(DATA / "rosenberg_labyrinth" / "D9a_nose_xy_10hz.csv", delimiter=",", skiprows=1, max_rows=3000)
    cells = np.clip(np.floor(rows[np.isfinite(rows).all(1), 2:] * SIZE).astype(int), 0, SIZE - 1)
    used = {c for run in runs() for c in run}
    assert np.mean([tuple(c) in used for c in cells.tolist()]) > 0.95
    assert task.width_m / SIZE == pytest.approx(0.0406, abs=1e-4)


def test_turn_chances_of_a_made_up_walk():
    nodes = [HOME, 0, 1, 4, 9, 4, 1, 3, 1, 0, 2, 6, 2]
    t = np.arange(2 * len(nodes)) * 0.1
    walk = track(t, info={"node": np.repeat(nodes, 2).astype(float)})
    found = {kind: _explore.turn_chance(walk, kind) for kind in ("SF", "SA", "BF", "BS")}
    assert found == {"SF": (4, 7), "SA": (2, 2), "BF": (4, 4), "BS": (2, 4)}
    left = [HOME, 0, 2, 5, 11]  # a spiral to the left all the way
    assert _explore.turn_chance(track(np.arange(5) * 0.1, info={"node": np.array(left, float)}), "SA") == (0, 2)
    assert _explore.decisions_per_hour(walk)[0] == 12
    assert _explore.nodes_visited(walk) == 7


# Other worlds


def test_walls_hold_a_mouse_and_its_whiskers_feel_them():
    env = made(OpenField(middle_m=0.0), eyes=False)
    free = np.abs(stand(env, 20, whisk_L=1, whisk_R=1)[0]["whisker_Nm"][..., 0]).max()
    env.body.place(env.bound, env.model, env.data, np.array([0.163, 0, 0]), 0.0)
    obs, _, _, _, info = stand(env, 15, whisk_L=1, whisk_R=1)
    assert np.abs(obs["whisker_Nm"][..., 0]).max() > 3 * free and info["nose_wall_m"] < 0.03
    assert env.task.wall_m(np.array([0.2, 0.1])) == pytest.approx(0.01)


def test_paws_do_not_climb_walls():
    env = made(OpenField(middle_m=0.0), eyes=False)
    env.body.place(env.bound, env.model, env.data, np.array([0.205, 0, 0]), 0.0)  # through the wall
    friction = {
        env.model.geom(int(own)).name[:4]: float(touch.friction[0])
        for touch in env.data.contact
        for own, other in (touch.geom, touch.geom[::-1])
        if env.model.geom(int(other)).name.startswith("wall")
    }
    assert friction["hand"] == friction["fing"] == pytest.approx(0.2)


def test_a_standing_mouse_falls_from_a_thread_and_the_episode_ends():
    env = made(Beam(width_m=0.005), eyes=False, whiskers=False)
    *_, done, _, info = stand(env, 400)
    assert done and info["fell"] and not info["crossed"] and 1.0 < info["time_s"] < 3.0
    env = made(Beam(width_m=0.06), eyes=False, whiskers=False)
    *_, done, _, info = stand(env, 60)
    assert not done and not info["fell"]


def test_a_belt_carries_a_standing_mouse_and_a_held_one_stays():
    env = made(Treadmill(belt_m_per_s=0.1), eyes=False, whiskers=False)
    *_, info = stand(env, 100)
    assert info["off_m"] == pytest.approx(-0.095, abs=0.01) and abs(info["run_m"]) < 0.01
    env = made(Treadmill(belt_m_per_s=0.1, head_fixed=True), eyes=False, whiskers=False)
    before = env.pose()["midline_m"][0].copy()
    *_, info = stand(env, 100)
    assert np.abs(env.pose()["midline_m"][0] - before).max() < 1.5e-3 and info["run_m"] > 0.08


@pytest.mark.parametrize("side", [1, -1])
def test_a_pole_bends_the_whiskers_of_its_side(side):
    moments = []
    for place in (0, -1):
        env = made(Whisker(side=side, place=place), eyes=False)
        stand(env, 80, whisk_L=-0.5, whisk_R=-0.5)
        obs, *_, info = stand(env, 20, whisk_L=0.5, whisk_R=0.5)
        moments.append(obs["whisker_Nm"])
        assert (info["touches"] > 0) == (place == 0) and info["licks"] == 0
    bent = np.abs(moments[0] - moments[1]).max((1, 2))
    near, far = bent if side > 0 else bent[::-1]
    assert near > 1e-8 and near > 20 * far


def test_places_of_the_pole_touch_other_whiskers():
    arcs, bare = [], None
    for place in (-1, 0, 1):
        env = made(Whisker(side=1, place=place), eyes=False)
        felt = np.zeros(len(WHISKERS))
        for k in range(100):
            obs, *_ = stand(env, 1, whisk_L=0.7 * np.sin(0.5 * k), whisk_R=0)
            felt += np.abs(obs["whisker_Nm"][0, :, 0]) * (k > 70)
        if bare is None:
            bare = felt
            continue
        felt = np.maximum(felt - bare, 0)
        arc = np.array([0 if len(w) > 2 else int(w[1]) for w in WHISKERS])
        arcs.append(float((felt * arc).sum() / felt.sum()))
    assert arcs[0] < arcs[1] - 0.5  # further back: arcs further back


def test_a_lick_at_the_go_place_pays_and_elsewhere_costs():
    for place, pays in ((0, 1.0), (1, -1.0)):
        env = made(Whisker(place=place, seconds=1.2), eyes=False)
        total = 0.0
        for k in range(120):
            on = 85 < k < 100
            _, reward, *_, info = env.step(env.body.action_of({"tongue": float(on)}).astype(np.float32))
            total += reward
        assert total == pays and info["answered"] == 1 and info["correct"] == float(place == 0) and info["licks"] == 1
    assert sum(made(Whisker(place=1, seconds=1.0), eyes=False).task.go) == 0


def test_gratings_drift_over_one_eye_at_their_frequency():
    task = Gratings(directions_deg=(0.0,), grey_s=0.5, on_s=2.0, temporal_Hz=2.0)
    env = made(task, whiskers=False)
    seen, on = [], []
    for _ in range(200):
        obs, *_, info = stand(env, 1)
        seen.append(obs["luminance"])
        on.append(info["on"])
    seen = np.array(seen)
    there = np.ptp(seen[60:], axis=0) > 0.5
    assert there[0].sum() > 3 * there[1].sum() > 0  # the left eye, and where both see
    assert (np.ptp(seen[10:45], axis=0)[there] < 0.05).mean() > 0.95 and on[10] == 0 and on[100] == 1
    pixel = int(np.flatnonzero(there[0])[0])
    power = np.abs(np.fft.rfft(seen[60:160, 0, pixel] - seen[60:160, 0, pixel].mean()))
    assert np.fft.rfftfreq(100, 0.01)[power.argmax()] == pytest.approx(2.0)
    assert mouse_retina().directions.shape[0] == 2


def test_a_disc_grows_above_or_sweeps_past():
    task = Overhead(at_s=0.2, start_deg=5, end_deg=60, lv_s=0.04, stay_s=0.5)
    angles = [task.angle_deg(t) for t in np.arange(0, 3, 0.05)]
    assert angles[0] == 0 and max(angles) == pytest.approx(60) and angles[-1] == 0
    published = Overhead(at_s=0.2)
    assert published.angle_deg(0.201) < 2.1 and published.angle_deg(0.45) == pytest.approx(20, rel=0.05)
    env = made(task, whiskers=False)
    before = stand(env, 10)[0]["luminance"]
    after = stand(env, 110)[0]["luminance"]
    darker = before - after > 0.3
    up = mouse_retina().directions[..., 2]
    assert darker.sum() > 20 and up[darker].mean() > 0.5
    sweep = Overhead(kind="sweep", at_s=0.2)
    assert {sweep.angle_deg(t) for t in (0.3, 2.0, 5.0)} == {5.0}
    env = made(sweep, eyes=False, whiskers=False)
    places = []
    for _ in range(3):
        stand(env, 100)
        places.append(env.data.mocap_pos[0].copy())
    way = np.diff(places, axis=0)
    assert np.linalg.norm(way, axis=1).min() > 1 and places[0][2] > 0
    assert Overhead(kind="none").angle_deg(3.0) == 0


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Labyrinth(port=5), "port is an end node"),
        (lambda: Labyrinth(corridor_m=0.1), "corridor_m must be below"),
        (lambda: Overhead(kind="owl"), "kind is"),
        (lambda: Gratings(contrast=2), "contrast"),
        (lambda: Whisker(place=7), "place is from -1"),
        (lambda: Treadmill(belt_m_per_s=9), "belt_m_per_s"),
        (lambda: Beam(width_m=0), "width_m must be above 0"),
        (lambda: OpenField(middle_m=1.0), "middle_m"),
        (lambda: TMaze(width_m=0.5), "width_m must be below"),
    ],
)
def test_worlds_that_cannot_be(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_body_without_a_head_cannot_be_held():
    from _stub_body import StubBody

    with pytest.raises(ValueError, match="no site 'head'"):
        EmbodiedEnv(StubBody(), Treadmill(head_fixed=True))


# Measures


def test_choices_alternate_in_a_t_maze():
    legs = [(-0.25, 0), (0, 0), (0, 0.2), (0, 0), (-0.2, 0), (0, 0), (0, -0.2), (0, 0), (-0.2, 0), (0, 0), (0, -0.2)]
    way = np.concatenate([np.linspace((*a, 0.02), (*b, 0.02), 20) for a, b in itertools.pairwise(legs)])
    told = _replay.replay(TMaze(), track(np.arange(len(way)) * 0.05, way))
    assert _explore.alternation(told) == (1, 2) and told.info["choice"][-1] == -1


def test_after_a_choice_it_is_put_back_where_it_began():
    env = made(TMaze(), eyes=False)
    stand(env, 3)
    start = env.pose()["com_m"][:2].copy()
    env.data.qpos[env.bound.root[:2]] = 0.0, 20.0  # cm, in the left arm
    first = stand(env, 1)
    second = stand(env, 1)
    assert (first[1], first[4]["choice"], second[4]["choices"]) == (0.0, 1.0, 1.0)
    assert np.abs(env.pose()["com_m"][:2] - start).max() < 0.01
    env.data.qpos[env.bound.root[:2]] = 0.0, -20.0
    third = stand(env, 1)
    assert (third[1], third[4]["alternations"]) == (1.0, 1.0)
    walks = made(TMaze(put_back=False), eyes=False)
    walks.data.qpos[walks.bound.root[:2]] = 0.0, 20.0
    stand(walks, 3)
    assert walks.pose()["com_m"][1] > 0.15


def test_a_circle_along_the_walls_is_thigmotactic_and_one_in_the_middle_is_not():
    t = np.arange(0, 10, 0.05)
    for radius, share in ((0.19, 1.0), (0.05, 0.0)):
        com = np.stack([radius * np.cos(t), radius * np.sin(t), np.zeros_like(t)], 1)
        told = _replay.replay(OpenField(), track(t, com))
        near, n = _explore.thigmotaxis(told, 0.125)
        assert near / n == pytest.approx(share, abs=0.2)
        way, minutes = _explore.path_m_per_min(told)
        assert way / minutes == pytest.approx(60 * radius, rel=0.05)


def test_freezing_fleeing_and_neither():
    t = np.arange(0, 6, 0.01)
    since = np.where(t >= 2, t - 2, -1.0)
    speeds = {"freeze": np.where(t < 2.3, 0.1, 0.0), "flee": np.where((t > 2.3) & (t < 2.9), 0.5, 0.05),
              "none": np.full_like(t, 0.1), "stood before": np.zeros_like(t)}  # fmt: skip
    found = {}
    for name, v in speeds.items():
        com = np.stack([np.cumsum(v) * 0.01, 0 * t, 0 * t], 1)
        here = track(t, com, {"threat_s": since})
        found[name] = (_explore.freezing(here)[0], _explore.fleeing(here)[0], _explore.threat_response(here)[0])
    assert found == {"freeze": (1, 0, 1), "flee": (0, 1, 1), "none": (0, 0, 0), "stood before": (0, 0, 0)}


def walking(phases, hz=4.0, duty=0.6, speed=0.2):
    t = np.arange(0, 4, 0.005)
    load = np.stack([np.where((hz * t - p) % 1 < 1 - duty, 0.0, 0.06) for p in phases], 1)
    com = np.stack([speed * t, 0 * t, 0 * t], 1)
    claws = np.zeros((len(t), 4, 3))
    return track(t, com, pose={"claw_load_N": load, "claws_m": claws, "heading_rad": 0 * t})


@pytest.mark.parametrize(
    ("gait", "phases"),
    [("walk", (0.25, 0.75, 0, 0.5)), ("trot", (0.5, 0, 0, 0.5)), ("gallop", (0.6, 0.7, 0, 0.15)),
     ("bound", (0.5, 0.5, 0, 0.02))],
)  # fmt: skip
def test_gaits_are_told_by_their_phases(gait, phases):
    here = walking(phases)
    hits, n = _quadruped.gait_share(here, gait)
    assert n >= 8 and hits == n
    total, strides = _quadruped.stride_s(here)
    assert total / strides == pytest.approx(0.25, abs=0.01)
    assert np.divide(*_quadruped.duty_factor(here)) == pytest.approx(0.6, abs=0.04)
    assert np.divide(*_quadruped.stride_length_mm(here)) == pytest.approx(50, rel=0.05)


def test_whisking_and_rears_are_found():
    t = np.arange(0, 10, 0.01)
    angle = np.radians(10) * np.sin(2 * np.pi * 8 * t)
    pitch = np.where((t % 5 > 2) & (t % 5 < 3), 1.0, 0.0)
    nose = np.where(t < 5, 0.01, 0.1)
    here = track(t, info={"nose_wall_m": nose}, pose={"whisk_rad": np.stack([angle, angle], 1), "pitch_rad": pitch})
    assert _explore.whisk_Hz(here) == pytest.approx(8, abs=0.1) and 15 < _explore.whisk_deg(here) < 20
    assert [_explore.rears_per_10min(here, w)[0] for w in ("all", "wall", "free")] == [2, 1, 1]


def test_selectivity_of_a_cell_that_prefers_one_orientation():
    ways = np.repeat(np.arange(0, 360, 45.0), 100)
    t = np.arange(len(ways)) * 0.01
    info = {"on": np.ones(len(t)), "trial": ways // 45 + 1, "direction_deg": ways}
    info |= {"Hz a": np.where(ways % 180 == 90, 10.0, 0.0), "Hz b": np.full(len(t), 5.0)}
    here = track(t, info=info)
    assert _units.selectivity(here, "a") == (pytest.approx(1.0), 1)
    assert _units.selectivity(here, "a", "DSI")[0] == pytest.approx(0, abs=1e-9)
    assert _units.selectivity(here, "b")[0] == pytest.approx(0, abs=1e-9)
    assert _units.cell_rate_Hz(here, "a+b", "on") == (pytest.approx(len(t) * 7.5), 2 * len(t))
    touch = track(t, info={"touching": (t % 1 > 0.5).astype(float), "Hz c": np.where(t % 1 > 0.5, 20.0, 0.0)})
    spikes, n = _units.spikes_per_touch(touch, "c")
    assert spikes / n == pytest.approx(1.0, abs=0.25)


def test_assays_of_the_mouse_use_what_is_there():
    table = assays("mouse")
    assert {row.measure for a in table.values() for row in a.rows} <= set(MEASURES)
    told = {row.id for a in table.values() for row in a.rows}
    assert {"M17", "M20", "M26", "M27", "M30", "M32"} <= {i.rstrip("abcdefghs") for i in told}
