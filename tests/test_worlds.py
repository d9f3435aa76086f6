"""Worlds against what can be worked out by hand: ground, wind, food, dust, looming, gratings, landmarks, air."""

from __future__ import annotations

import math
from pathlib import Path

import mujoco
import numpy as np
import pytest
from _stub_body import StubBody

import bestiary
from bestiary.envs import EmbodiedEnv
from bestiary.tasks.compass import Compass
from bestiary.tasks.feed import Feed
from bestiary.tasks.flight import Flight
from bestiary.tasks.groom import Groom
from bestiary.tasks.loom import Loom
from bestiary.tasks.odour import Odour
from bestiary.tasks.optomotor import Optomotor
from bestiary.tasks.spot import Spot
from bestiary.tasks.terrain import Terrain

NEW = ["terrain", "odour", "feed", "groom", "loom", "optomotor", "compass", "turn", "flight", "open_field",
       "overhead", "beam", "labyrinth", "tmaze", "treadmill", "spot"]  # fmt: skip
L = StubBody().length_m


def made(task, seed=0, body=None, **options):
    env = EmbodiedEnv(body or StubBody(), task, task_options=options)
    env.reset(seed=seed)
    return env


def sample(env, sense, *places, time_s=0.0):
    at = np.array(places, float)
    return env.task.sample(env._state, sense, at, np.zeros(len(at)), time_s)


class Standing(StubBody):
    """The double as a box of ten body masses that stands on a floor of its own, or falls over."""

    ground_m = 0.0
    roll = 0.0

    def spec(self):
        spec = mujoco.MjSpec()
        spec.option.timestep = 0.002
        spec.worldbody.add_geom(
            name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[50, 50, 1], friction=[2, 0.01, 0.001]
        )
        body = spec.worldbody.add_body(name="box", pos=[0, 0, 0.2])
        body.add_freejoint()
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5, 0.2, 0.1])
        spec.add_actuator(name="push", target="box", trntype=mujoco.mjtTrn.mjTRN_BODY)
        return spec

    def bind(self, model):
        return model

    def place(self, bound, model, data, position_m, heading_rad, curvature=None):
        data.qpos[:3] = np.asarray(position_m) * 1e3 + [0, 0, 0.11]
        data.qpos[3:] = [math.cos(heading_rad / 2), 0, 0, math.sin(heading_rad / 2)]
        if self.roll:
            data.qpos[3:] = [math.cos(self.roll / 2), math.sin(self.roll / 2), 0, 0]

    def apply(self, bound, data, action):
        pass

    def sense(self, bound, data, world):
        return {}

    def pose(self, bound, data):
        axes = data.xmat[1].reshape(3, 3)
        at = data.xpos[1] * 1e-3
        return {"midline_m": np.stack([at + axes[:, 0] * 5e-4, at - axes[:, 0] * 5e-4]), "com_m": at.copy(),
                "curvature_per_m": np.empty(0), "upright": np.array(axes[2, 2])}  # fmt: skip


def standing(task, steps=300, seed=0, roll=0.0, **options):
    body = Standing(senses=())
    object.__setattr__(body, "roll", roll)
    env = made(task, seed, body, **options)
    for _ in range(steps):
        _, _, done, _, info = env.step(np.zeros(3))
        if done:
            break
    return env, info


@pytest.mark.parametrize("task", NEW)
def test_a_task_names_no_animal_and_says_what_it_tells(task):
    module = bestiary.load("tasks", task)
    env = made(task)
    info = env.reset(seed=1)[1]
    told = set(info) - {"time_s", "episode_seed"}
    text = "".join(kind.__doc__ or "" for kind in module.TASK.__mro__)
    assert [key for key in told if key not in text and not key.endswith("antenna")] == []
    source = Path(module.__file__).read_text(encoding="utf-8").lower()
    assert not [a for a in bestiary.animals("bodies") if f" {a} " in source.replace('"', " ")]
    with pytest.raises(ValueError, match=r"seconds must be above 0"):
        module.TASK(seconds=0)


def test_bodies_stand_on_the_ground_that_is_there():
    env, _ = standing("terrain", kind="flat")
    assert env.pose()["com_m"][2] == pytest.approx(1e-4, abs=2e-5)
    heights = Terrain().heights()
    assert heights.min() == 0 and heights.max() == 1
    env, _ = standing("terrain", kind="rough", amplitude_L=0.4, seed=3)
    assert not any(g.name == "floor" for g in map(env.model.geom, range(env.model.ngeom)))
    assert env.model.geom("bumps").friction[0] == 2  # of the floor that the body brought
    x, y, z = env.pose()["com_m"] / L
    axis = np.linspace(-8, 8, len(heights))
    below = 0.4 * heights[np.abs(axis - y).argmin(), np.abs(axis - x).argmin()]  # rows along y
    assert 0 < below < z < below + 0.35
    assert len({tuple(standing("terrain", 0 + 1, seed=s)[0].pose()["com_m"].round(5)) for s in range(3)}) == 3


def test_a_slope_rises_by_its_angle_after_its_foot():
    env = made("terrain", body=Standing(senses=()), kind="slope", slope_deg=30, foot_L=2.0)
    for x, height in ((0.0, 0.0), (1.9, 0.0), (3.0, math.tan(math.pi / 6)), (4.0, 2 * math.tan(math.pi / 6))):
        start, geom = np.array([x, 0, 20.0]), np.zeros(1, np.int32)
        env.data.qpos[:3] = [0, 30, 5]
        mujoco.mj_kinematics(env.model, env.data)
        hit = mujoco.mj_ray(env.model, env.data, start, np.array([0, 0, -1.0]), None, 1, -1, geom, None)
        assert 20 - hit == pytest.approx(height, abs=0.011)  # the drawn ground lies just below
    on, _ = standing("terrain", 100, kind="slope", slope_deg=30)
    assert on.pose()["upright"] == pytest.approx(math.cos(math.pi / 6), abs=0.01)  # rests on it: friction 2 holds
    assert on._info["climbed_m"] == pytest.approx(0, abs=3e-5)
    assert on.pose()["com_m"][2] == pytest.approx(3 * L * math.tan(math.pi / 6) + 1e-4, abs=5e-5)
    heading = [made("terrain", s, Standing(senses=()), kind="slope").pose()["midline_m"] for s in range(4)]
    assert all(abs(math.atan2(*(m[0] - m[1])[1::-1])) < math.radians(10.1) for m in heading)


def test_a_body_on_its_back_has_fallen_and_one_on_its_side_has_not():
    env, info = standing("terrain", 2000, roll=math.pi, kind="flat")
    assert "on its back" in info["ended"] and env.time_s == pytest.approx(1.0, abs=0.05)
    assert "ended" not in standing("terrain", 300, roll=1.2, kind="flat")[1]


def test_fallen_time_is_part_of_the_state():
    env, _ = standing("terrain", 60, roll=math.pi, kind="flat")
    state = env.get_state()

    def steps_left():
        return next(i for i in range(90) if env.step(np.zeros(3))[2])

    first = steps_left()
    env.reset(seed=5)
    env.set_state(state)
    assert steps_left() == first > 10


def test_puffs_average_to_the_mean_plume():
    env = made("odour", wind_to_deg=0.0, aside_L=0.0)
    task, state = env.task, env._state
    downwind = state["source_m"] + np.array([[8e-3, 0], [8e-3, 1e-3], [15e-3, -1e-3], [15e-3, 6e-3]])
    times = np.arange(2, 104, 0.0037)
    puffs = np.mean([task.smell(state, downwind, t) for t in times], 0)
    mean = Odour(kind="mean", wind_to_deg=0.0, aside_L=0.0).smell(state, downwind, 9.0)
    np.testing.assert_allclose(puffs, mean, rtol=0.1, atol=0.02)
    one = np.array([task.smell(state, downwind[1:2], t)[0] for t in times])
    assert 0.5 < (one < 0.02 * one.max()).mean() < 0.98  # intermittent
    assert task.smell(state, state["source_m"][None] - [[2e-3, 0]], 9.0)[0] < 1e-3 * task.peak  # nothing upwind


def test_a_pulse_of_odour_arrives_with_the_wind():
    env = made("odour", wind_to_deg=0.0, aside_L=0.0, on_s=(5.0, 6.0), wind_m_per_s=0.02)
    head = np.zeros((1, 2))
    times = np.arange(0, 10, 0.05)
    smell = np.array([env.task.smell(env._state, head, t)[0] for t in times])
    assert not smell[times < 5].any()
    assert (smell * times).sum() / smell.sum() == pytest.approx(5.5 + 20 * L / 0.02, abs=0.15)
    uniform = Odour(kind="uniform", on_s=(5.0, 6.0), peak=7.0)
    assert [uniform.smell(env._state, head, t)[0] for t in (4.9, 5.0, 5.9, 6.0)] == [0, 7, 7, 0]


def test_wind_blows_from_the_source_over_the_start():
    env = made("odour", seed=4)
    wind = np.array([sample(env, f"wind_{a}_m_per_s", [0, 0, 0])[0] for a in "xy"])
    info = env._info
    assert np.hypot(*wind) == pytest.approx(0.12)
    source = np.array([info["source_x_m"], info["source_y_m"]])
    assert source @ wind / 0.12 == pytest.approx(-20 * L)
    moved = {
        "midline_m": np.array([[*source * 0.5, 0], [0, 0, 0]]),
        "com_m": env._state["start_m"] + [*source * 0.5, 0],
    }
    reward, done, told = env.task.judge(env._state, moved, 1.0)
    assert told["upwind_m"] == pytest.approx(10 * L, rel=1e-6) and reward > 5 and not done
    there = {**moved, "midline_m": np.array([[*source, 0], [0, 0, 0]])}
    assert env.task.judge(env._state, there, 2.0)[1]
    assert sample(env, "geosmin", [0, 0, 0]) is None


def test_food_lies_where_it_is_drawn_and_pays_when_eaten():
    env = made("feed", smell="vinegar")
    unit, state = env.body.units.length, env._state
    for taste, amount in (("sugar", 50.0), ("bitter", 1.0)):
        place = env.data.body(taste).xpos * unit
        assert np.hypot(*place[:2]) == pytest.approx(5 * L)
        inside, outside = place + np.array([1.4 * L, 0, 0]), place - np.array([0, 1.6 * L, 0])
        assert sample(env, f"{taste}_mol_per_m3", inside, outside).tolist() == [amount, 0]
    sugar, bitter = state["sugar"], state["bitter"]
    assert sample(env, "vinegar", [*sugar, 0])[0] == pytest.approx(100)

    def eat(place, out, time_s):
        head = np.array([*place, 0.0])
        return env.task.judge(state, {"midline_m": np.stack([head, head - [L, 0, 0]]), "com_m": head,
                                      "proboscis": np.array(out)}, time_s)  # fmt: skip

    eat(sugar, 0.0, 1.0)
    assert eat(sugar, 0.5, 1.2)[0] == pytest.approx(0.1)
    assert eat(bitter, 1.0, 1.3)[0] == pytest.approx(-0.1)
    reward, _, info = eat((0, 0), 1.0, 1.4)
    assert reward == 0 and info["fed_s"] == pytest.approx(0.0) and info["on_sugar"] == 0
    mixed = made("feed", distance_L=0.0)
    assert sample(mixed, "sugar_mol_per_m3", [0, 0, 0]) == 50 and sample(mixed, "bitter_mol_per_m3", [0, 0, 0]) == 1
    assert made("feed", bitter_mol_per_m3=0).model.nmocap == 1


def test_sweeping_legs_take_dust_off_their_side():
    task = Groom(load_N=2e-6, parts=("antenna", "abdomen"))
    env = EmbodiedEnv(StubBody(), task)
    env.reset(seed=0)
    head, up, claws = np.array([5e-4, 0, 0]), np.array([0, 0, 1e-4]), np.zeros((6, 3))
    claws[:, 1] = 5e-3  # far away

    def step(i, left):
        feet = claws.copy()
        feet[0] = left
        pose = {"midline_m": np.stack([head, -head]), "com_m": np.zeros(3), "claws_m": feet}
        return task.judge(env._state, pose, 0.01 * i)

    for i in range(1, 20):
        reward, _, info = step(i, head + up * (i % 2))
    assert reward > 0 and info["swept_antenna"] == 1 and info["swept_abdomen"] == 0
    load = task.sample(env._state, "antenna_load_N", np.zeros((2, 3)), np.zeros(2), 1.0)
    assert load[1] == 2e-6 and load[0] < 0.6 * load[1]  # ways of 0.1 body lengths, 18 times
    assert load[0] == pytest.approx(2e-6 * math.exp(-18 * 0.1 / 3), rel=0.01)
    reward, _, info = step(21, head + up)
    reward, _, info = step(22, head + up)
    assert reward == 0 and info["swept_antenna"] == 0  # rests there
    assert task.sample(env._state, "wing_load_N", np.zeros((2, 3)), np.zeros(2), 1.0) is None
    assert not Groom(at_s=5).sample(env._state, "antenna_load_N", np.zeros((2, 3)), np.zeros(2), 1.0).any()


def test_a_disc_looms_as_it_should():
    task = Loom(lv_s=0.04, azimuth_deg=90, elevation_deg=30)
    env = EmbodiedEnv(StubBody(), task)
    env.reset(seed=2)
    head, heading = env.pose()["midline_m"][0], env.pose()["midline_m"][0] - env.pose()["midline_m"][-1]
    seen = []
    while env.time_s < 1.2:
        info = env.step(np.zeros(3))[-1]
        disc, before = env.data.mocap_pos[0] * 1e-3 - head, env.time_s - env.clock.control_s
        radius = env.model.geom("loom").size[0] * 1e-3
        angle = 2 * math.degrees(math.atan(radius / np.linalg.norm(disc)))
        if before >= task.at_s:
            seen.append((before, angle))
            assert math.degrees(math.asin(disc[2] / np.linalg.norm(disc))) == pytest.approx(30, abs=0.5)
            side = np.cross(heading / L, disc)[2]
            assert side > 0  # from the left
    times, angles = np.array(seen).T
    expected = np.degrees(2 * np.arctan2(0.04, np.maximum(task.collision_s - times, 1e-9)))
    np.testing.assert_allclose(angles, np.minimum(expected, 90), rtol=0.02)
    assert angles[0] == pytest.approx(10, rel=0.02) and task.collision_s == pytest.approx(
        0.5 + 0.04 / math.tan(math.radians(5))
    )
    assert info["loom_side"] == 1 and info["loom_deg"] == 90
    assert Loom(sham=True).angle_rad(0.9) == 0
    assert {made("loom", s)._info["loom_side"] for s in range(6)} == {-1.0, 1.0}


def test_a_restored_world_moves_on_bit_for_bit():
    for task in ("loom", "optomotor", "compass"):
        env = made(task)
        for _ in range(60):
            env.step(np.zeros(3))
        state = env.get_state()
        ahead = [(env.step(np.zeros(3))[-1], env.data.mocap_pos.copy(), env.data.mocap_quat.copy()) for _ in range(60)]
        env.reset(seed=9)
        env.set_state(state)
        for info, at, turned in ahead:
            assert env.step(np.zeros(3))[-1] == info
            np.testing.assert_array_equal(env.data.mocap_pos, at)
            np.testing.assert_array_equal(env.data.mocap_quat, turned)


def test_the_drum_turns_at_its_temporal_frequency():
    env = made("optomotor", temporal_Hz=5.0, period_deg=30.0, direction=1, contrast=0.8, wave="square")
    at = 12 * L * np.array([[math.cos(a), math.sin(a), 0.1] for a in np.arange(0, 2 * math.pi, 0.001)])
    still = sample(env, "luminance", *at)
    assert {*np.round(still, 6)} == {0.1, 0.9} and (np.diff(still) != 0).sum() in (23, 24)
    for _ in range(110):
        info = env.step(np.zeros(3))[-1]
    assert info["pattern_deg_per_s"] == pytest.approx(150)
    before = env._state["shift"]
    quat = env.data.mocap_quat[0]
    assert 2 * math.atan2(quat[3], quat[0]) == pytest.approx(before - math.radians(1.5), abs=1e-9)  # of a step ago
    env.step(np.zeros(3))
    assert math.degrees(env._state["shift"] - before) == pytest.approx(1.5)
    point = sample(env, "luminance", [12 * L, 0, 0], [3 * L, 0, 0], [1.0, 0, 0], [12 * L, 0, 20 * L], [0.0, 0.0, 1.0])
    assert np.isnan(point).tolist() == [False, True, False, True, True]  # the drum, the ground, far off; above it twice
    with pytest.raises(ValueError, match="shows at most 50"):
        made("optomotor", temporal_Hz=60.0)


def test_the_drawn_drum_is_the_one_that_is_seen():
    env = made("optomotor", contrast=0.8, wave="square", direction=-1)
    for _ in range(107):
        env.step(np.zeros(3))
    env._move()
    mujoco.mj_kinematics(env.model, env.data)
    grey = {}
    for a in np.radians(np.arange(2.3, 360, 7.1)):
        way, geom = np.array([math.cos(a), math.sin(a), 0.3]), np.zeros(1, np.int32)
        away = mujoco.mj_ray(
            env.model, env.data, np.array([0, 0, 0.5]), way, np.array([1] * 6, np.uint8), 1, 1, geom, None
        )
        seen = sample(env, "luminance", (np.array([0, 0, 0.5]) + away * way) * 1e-3)[0]
        grey[a] = (seen, env.model.geom_rgba[geom[0], 0])
    wrong = [a for a, (seen, drawn) in grey.items() if abs(seen - drawn) > 1e-3]
    assert len(wrong) <= 2, wrong  # rays that meet an edge


def test_an_open_loop_slips_at_the_same_speed_whatever_the_animal_does():
    turning = {"midline_m": np.zeros((2, 3)), "com_m": np.zeros(3)}
    gone = {}
    for loop in ("open", "closed"):
        env = made("optomotor", loop=loop, direction=1, temporal_Hz=2.0)
        state, start, first = env._state, env._state["shift"], env._state["heading"]
        for i in range(1, 201):
            turning["heading_rad"] = np.array(first + 0.002 * max(0, i - 100))
            info = env.task.judge(state, turning, 0.01 * i)[-1]
        gone[loop] = state["shift"] - start
    assert gone["closed"] == pytest.approx(math.radians(60.0))
    assert gone["open"] - gone["closed"] == pytest.approx(0.2) == pytest.approx(info["turned_rad"])
    assert info["slip_deg_per_s"] == pytest.approx(60 - math.degrees(0.2))


def test_the_ground_glides_along_the_first_heading():
    env = made("optomotor", where="ground", direction=1, temporal_Hz=3.0, period_L=2.0, contrast=1.0, wave="sine")
    way = env.pose()["midline_m"][0] - env.pose()["midline_m"][-1]
    way = way / np.linalg.norm(way)
    at = [way * d * L - [0, 0, 0.05 * L] for d in np.linspace(0, 2, 9)]
    first = sample(env, "luminance", *at)
    np.testing.assert_allclose(first, 0.5 + 0.5 * np.sin(np.pi * np.linspace(0, 2, 9)), atol=1e-6)
    for _ in range(110):
        info = env.step(np.zeros(3))[-1]
    assert info["pattern_m_per_s"] == pytest.approx(6 * L) and env._state["shift"] == pytest.approx(0.6 * L)
    moved = sample(env, "luminance", *[a + way * 0.6 * L for a in at])
    np.testing.assert_allclose(moved, first, atol=1e-6)
    assert np.isnan(sample(env, "luminance", [0, 0, 1e-3]))[0]


@pytest.mark.parametrize("direction", [1, -1])
def test_the_way_along_a_gratings_axis_has_a_sign_of_its_own(direction):
    env = made("optomotor", where="ground", direction=direction, temporal_Hz=1.0, from_s=0.5)
    first, turned = env._state["first"], env._state["first"] + 2.0
    way = np.array([math.cos(first), math.sin(first), 0])
    start_m = env._state["com_m"].copy()
    for time_s, gone_m in ((0.4, 1e-4), (0.6, 3e-4), (0.8, 2e-4)):  # what is gone before it moves does not count
        pose = {"midline_m": np.zeros((2, 3)), "com_m": start_m + gone_m * way, "heading_rad": np.array(turned)}
        info = env.task.judge(env._state, pose, time_s)[-1]
    assert info["along_m"] == pytest.approx(1e-4)


def test_bars_stand_at_their_bearings_and_go_out():
    env = made("compass", bars_deg=(0.0, 120.0), bar_deg=40.0, goal_deg=-30.0, dark_s=(2.0, 3.0), jump_s=4.0)
    axis = env.pose()["midline_m"][0] - env.pose()["midline_m"][-1]
    heading = math.atan2(axis[1], axis[0])

    def light(deg, time_s=0.0):
        a = heading + math.radians(deg)
        return sample(env, "luminance", [12 * L * math.cos(a), 12 * L * math.sin(a), 0], time_s=time_s)[0]

    assert [light(d) for d in (40, 46, 48.5, 160, 100)] == [1, 1, 0.05, 1, 0.05]
    assert light(40, 2.5) == 0 and sample(env, "luminance", [0, 0, 0], time_s=2.5)[0] == 0
    assert light(130, 4.5) == 1 and light(40, 4.5) == 0.05
    assert env._info["heading_error_rad"] == pytest.approx(math.radians(30))
    assert env._info["bar_bearing_rad"] == pytest.approx(math.radians(40))
    assert env.step(np.zeros(3))[1] == pytest.approx(math.cos(math.radians(30)) * 0.01)
    fixate = made("turn", bar_deg=-70.0)
    assert fixate._info["heading_error_rad"] == pytest.approx(math.radians(70))
    with pytest.raises(ValueError, match="goal_deg"):
        Compass(goal_deg="tree")


def test_a_small_ball_goes_to_and_fro_beside_the_head():
    env = made("spot", side=-1, from_s=0.01, size_deg=10, distance_L=3)
    pose, ball = env.pose(), env.model.geom("spot")
    heading = math.atan2(*(pose["midline_m"][0] - pose["midline_m"][-1])[1::-1])
    for time_s, bearing in ((0.02, 21), (0.51, 70), (0.56, 65), (1.01, 20)):
        env.task.move(env._state, env.model, env.data, time_s)
        mujoco.mj_kinematics(env.model, env.data)
        away = env.data.geom("spot").xpos * env.body.units.length - pose["midline_m"][0]
        assert np.linalg.norm(away) == pytest.approx(3 * L)
        assert math.degrees(heading - math.atan2(away[1], away[0])) % 360 == pytest.approx(bearing)
        assert 2 * math.degrees(math.asin(ball.size[0] * env.body.units.length / (3 * L))) == pytest.approx(10)
    assert math.isnan(env.task.bearing_deg(0.0, -1)) and math.isnan(Spot(sham=True).bearing_deg(2.0, 1))
    with pytest.raises(ValueError, match="far_deg"):
        Spot(near_deg=80)


def test_flight_pays_for_altitude_and_speed_and_ends_on_the_ground():
    task = Flight(altitude_L=10, speed_L_per_s=50)
    state = made(task)._state | {"level_m": 0.0, "start_m": np.array([0, 0, 0.01])}

    def fly(x, z, time_s):
        at = np.array([x, 0, z])
        ahead = np.array([L / 2, 0, 0])
        return task.judge(state, {"midline_m": np.stack([at + ahead, at - ahead]), "com_m": at}, time_s)

    fly(0, 0.01, 0.1)
    reward, done, info = fly(50 * L * 0.1, 0.01, 0.2)
    assert reward == pytest.approx(0.1) and not done and info["altitude_error_m"] == pytest.approx(0)
    assert fly(50 * L * 0.2, 0.012, 0.3)[0] == pytest.approx(0.1 * math.exp(-2))
    _, done, info = fly(0, 0.4e-3, 0.4)
    assert done and "came down" in info["ended"] and info["crashed"] == 1


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Terrain(kind="hill"), "flat"),
        (lambda: Terrain(kind="slope", slope_deg=95), "slope_deg"),
        (lambda: Odour(kind="cloud"), "plume"),
        (lambda: Odour(wind_m_per_s=0), "wind"),
        (lambda: Odour(on_s=(3, 2)), "on_s"),
        (lambda: Feed(sugar_mol_per_m3=-1), "sugar"),
        (lambda: Groom(parts=("antena",)), "antenna"),
        (lambda: Loom(start_deg=100), "start_deg"),
        (lambda: Optomotor(period_deg=31), "divide 360"),
        (lambda: Optomotor(contrast=2), "contrast"),
        (lambda: Optomotor(wave="saw"), "sine"),
        (lambda: Compass(dark_s=(1, 1)), "dark_s"),
        (lambda: Flight(speed_L_per_s=math.inf), "finite"),
    ],
)
def test_worlds_that_cannot_be(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def seen_by_a_fly(task, *times_s):
    """Luminance (times, 2, 721) that a standing fly's eyes get, the body held still."""
    from bestiary.bodies.fly import Fly

    env = EmbodiedEnv(Fly(), task)
    env.reset(seed=0)
    out = []
    for time_s in times_s:
        task.move(env._state, env.model, env.data, time_s)
        mujoco.mj_forward(env.model, env.data)
        env.data.time = time_s
        eye = env.bound.sight.eye
        out.append(eye.see(env.model, env.data, env._world, time_s))
    return np.array(out)


def test_a_flys_eyes_see_the_disc_come():
    task = Loom(azimuth_deg=90, elevation_deg=20, lv_s=0.04)
    light = seen_by_a_fly(task, 0.1, 0.6, 0.9, task.collision_s)
    dark = (light < 0.2).sum(2)
    assert (dark[0] == 0).all() and (dark[:, 1] == 0).all()
    assert 0 < dark[1, 0] < 10 < dark[2, 0] < dark[3, 0]
    assert dark[3, 0] == pytest.approx(
        721 * (1 - math.cos(math.pi / 4)) / 2 / (721 * 5.3**2 / 41253), rel=0.25
    )  # of 90 deg


def test_a_flys_eyes_see_gratings_bars_and_darkness():
    light = seen_by_a_fly(Optomotor(contrast=0.9), 0.0)
    assert light.std() > 0.2 and light.min() < 0.1 and light.max() > 0.85
    bar = seen_by_a_fly(Compass(bar_deg=60, dark_s=(2.0, 3.0)), 0.0, 2.5)
    assert (bar[0, 0] > 0.9).sum() > 10 and (bar[0, 1] > 0.9).sum() == 0 and not bar[1].any()


@pytest.mark.parametrize("reflexes", [True, False])
def test_a_fly_hovers_by_its_declared_controller_and_not_without_reflexes(reflexes):
    import gymnasium

    from bestiary.interfaces._fly_flight import Flight as Wings

    env = gymnasium.make("bestiary/FlyFlight-v0", body_options={"eyes": False}).unwrapped
    obs, _ = env.reset(seed=0)
    wings = Wings(env.body, stabilise=reflexes)
    wings.reset()
    total = 0.0
    while env.time_s < 0.25:
        obs, reward, done, _, info = env.step(wings.act(obs, env.pose()))
        total += reward
        if done:
            break
    held = not done and abs(info["altitude_error_m"]) < 2e-3 and total > 0.15
    assert held == reflexes


@pytest.mark.parametrize(
    ("options", "least_mm"), [({"kind": "slope", "slope_deg": 30}, 1.0), ({"kind": "rough"}, -0.5)]
)
def test_a_scripted_tripod_gets_over_the_ground(options, least_mm):
    from bestiary.interfaces._fly_tripod import tripod

    env = EmbodiedEnv("fly", Terrain(**options), body_options={"eyes": False})
    actions = tripod(env.body)
    env.reset(seed=1)
    for i in range(250):
        info = env.step(actions[i % len(actions)])[-1]
    assert info["climbed_m"] > least_mm * 1e-3 and info["forward_m"] > 2e-3 and env.pose()["upright"] > 0.5
