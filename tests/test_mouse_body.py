"""The mouse's body: its size and proportions, standing and falling, whiskers, tongue and senses."""

from __future__ import annotations

import os
import re
from pathlib import Path

import mujoco
import numpy as np
import pytest

from bestiary.bodies._base import Units
from bestiary.bodies._mouse_rat import LEG_DAMPING, LEG_STRENGTH, MASS_KG
from bestiary.bodies._mouse_whiskers import REACH_RAD, whisker_array
from bestiary.bodies._walker import model_file
from bestiary.bodies.mouse import PAWS, WHISKERS, Mouse
from bestiary.errors import MediumError

WEIGHT_N = MASS_KG * 9.81


class Field:
    """A world with the given fields of place, and a grey sky."""

    def __init__(self, **fields):
        self.fields = fields

    def sample(self, sense, position_m, fraction, time_s):
        if sense in self.fields:
            return self.fields[sense](position_m)
        return np.full(len(position_m), np.nan if sense == "luminance" else 0.0)


class Sim:
    def __init__(self, place=None, furnish=None, **options):
        self.body = Mouse(**{"eyes": False, "whiskers": False, **options})
        spec = self.body.spec()
        if furnish:
            furnish(spec, self.body)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.bound = self.body.bind(self.model)
        self.body.place(self.bound, self.model, self.data, **{"position_m": np.zeros(3), **(place or {})})

    def run(self, seconds, action=None):
        action = self.body.neutral if action is None else action
        for _ in range(round(seconds / self.model.opt.timestep)):
            self.body.apply(self.bound, self.data, action)
            mujoco.mj_step(self.model, self.data)
        mujoco.mj_forward(self.model, self.data)
        return self.pose()

    def pose(self):
        return self.body.pose(self.bound, self.data)

    def sense(self, **fields):
        return self.body.sense(self.bound, self.data, Field(**fields))


# What was compiled


def test_it_is_a_mouse_and_not_a_rat():
    sim = Sim(whiskers=True)
    model, u = sim.model, sim.body.units
    assert model.body_mass.sum() * u.mass == pytest.approx(MASS_KG, rel=2e-3)
    assert (len(sim.body.joints), len(sim.body.motors), model.nu) == (67, 41, 41)
    assert tuple(model.actuator(i).name for i in range(41)) == sim.body.motors
    length = np.linalg.norm(np.diff(sim.pose()["midline_m"], axis=0), axis=1).sum()
    assert length == pytest.approx(sim.body.length_m, rel=0.08)


def test_the_laws_of_its_shrinking():
    """Torque goes with mass, its time constants with the root of length."""
    rat, sim = mujoco.MjSpec.from_file(str(model_file("rodent.xml", "mouse"))).compile(), Sim()
    mouse, u = sim.model, sim.body.units
    mass = MASS_KG / rat.body_mass.sum()
    length = mass ** (1 / 3)

    def joint(model, name):
        i = model.joint(name).id
        k = np.ravel(model.actuator(name).biasprm)[1]
        return -k, np.ravel(model.dof_damping[model.jnt_dofadr[i]])[0]

    for name in ("knee_R", "elbow_L", "ankle_L"):
        (k_rat, c_rat), (k, c) = joint(rat, name), joint(mouse, name)
        assert k * u.torque == pytest.approx(k_rat * mass * LEG_STRENGTH, rel=1e-6)
        assert c / k == pytest.approx(c_rat / k_rat * length**0.5 * LEG_DAMPING, rel=1e-6)
    thigh = np.linalg.norm(mouse.body("lower_leg_L").pos) * u.length
    assert thigh == pytest.approx(np.linalg.norm(rat.body("lower_leg_L").pos) * length)
    assert -mouse.opt.gravity[2] * u.length == pytest.approx(9.81)


def _data() -> Path:
    here = Path(__file__).parents[1] / "../shared/data"
    return Path(os.environ.get("BESTIARY_DATA", here)) / "mouse/mouse_body_mocap/mouse/mouse_with_meshes.xml"


@pytest.mark.skipif(not _data().is_file(), reason="needs the measured mouse skeleton of BESTIARY_DATA")
def test_its_segments_against_the_measured_skeleton(capsys):
    """Lengths of a 33 g mouse, shrunk to 25 g. The skeleton's hind limbs are longer than those of motion capture."""
    text = re.sub(r"<(geom|mesh)[^>]*?/>", "", _data().read_text())
    real = mujoco.MjModel.from_xml_string(text.replace("<compiler", '<compiler boundmass="1" boundinertia="1"', 1))
    data = mujoco.MjData(real)
    mujoco.mj_kinematics(real, data)
    ours = Sim()
    scale = (25 / 33) ** (1 / 3)

    def apart(a, b):
        return 1e3 * scale * np.linalg.norm(data.body(a).xpos - data.body(b).xpos)

    def segment(*names):
        place = [ours.data.body(n).xpos for n in names]
        return 1e3 * ours.body.units.length * np.linalg.norm(np.diff(place, axis=0), axis=1).sum()

    spine = ("vertebra_atlant", "vertebra_cervical_1", "vertebra_cervical_5", "torso", "vertebra_1", "vertebra_4",
             "pelvis", "vertebra_C1")  # fmt: skip
    rows = {
        "skull to tail base": (segment(*spine), apart("mouse__Head", "mouse__Tail1"), 0.12),
        "upper arm": (segment("upper_arm_L", "lower_arm_L"), apart("mouse__LHumerus", "mouse__LUlna"), 0.12),
        "forearm": (segment("lower_arm_L", "hand_L"), apart("mouse__LUlna", "mouse__LCarpus"), 0.12),
        "thigh": (segment("upper_leg_L", "lower_leg_L"), apart("mouse__LFemur", "mouse__LTibia"), 0.28),
        "shank": (segment("lower_leg_L", "foot_L"), apart("mouse__LTibia", "mouse__LTarsus"), 0.28),
    }
    for name, (mine, measured, within) in rows.items():
        print(f"{name}: {mine:.1f} mm, measured {measured:.1f} mm")
        assert mine == pytest.approx(measured, rel=within), name
    assert "skull to tail base" in capsys.readouterr().out


# Standing and falling


@pytest.mark.parametrize("options", [{}, {"welded": True}, {"whiskers": True}])
def test_it_stands_still(options):
    sim = Sim(**options)
    start = sim.run(0.5)
    after = sim.run(2.0)
    assert after["upright"] > 0.98 and 0.018 < after["height_m"] < 0.03
    assert np.abs(after["com_m"] - start["com_m"]).max() < 1e-3 and abs(np.degrees(after["heading_rad"])) < 2
    assert after["claw_load_N"].min() > 0.1 * WEIGHT_N
    assert after["claw_load_N"].sum() == pytest.approx(WEIGHT_N, rel=0.12)  # the tail bears a little


@pytest.mark.parametrize("welded", [False, True])
def test_it_starts_on_the_ground_and_not_in_it(welded):
    sim = Sim(welded=welded, whiskers=True)
    deepest = min((c.dist for c in sim.data.contact), default=0.0) * sim.body.units.length
    assert deepest > -2e-4
    assert (sim.bound.lowest(sim.model, sim.data) > -1e-9).all()


def test_without_a_floor_it_falls_freely():
    sim = Sim(floor=False)
    sim.body.set_medium(sim.bound, sim.model, "vacuum")
    fallen = sim.pose()["com_m"][2] - sim.run(0.1)["com_m"][2]
    assert fallen == pytest.approx(9.81 * 0.1**2 / 2, rel=0.03)
    assert sim.pose()["velocity_m_per_s"][2] == pytest.approx(-0.981, rel=0.03)


def test_dropped_it_lands_and_on_its_back_it_lies():
    sim = Sim(place={"height_m": 0.06})
    assert sim.run(1.0)["upright"] > 0.95
    sim.data.qpos[sim.bound.root[2:]] = [0.05 / sim.body.units.length, 0, 1, 0, 0]
    after = sim.run(1.0)
    assert after["upright"] < 0 and 0.005 < after["height_m"] < 0.04


@pytest.mark.parametrize("heading", [0.0, 2.0, -3.0])
def test_it_stands_where_it_is_put(heading):
    sim = Sim(place={"position_m": np.array([0.1, -0.2, 0.005]), "heading_rad": heading})
    pose = sim.pose()
    assert pose["heading_rad"] == pytest.approx(heading) and pose["upright"] == pytest.approx(1)
    np.testing.assert_allclose(pose["midline_m"][3, :2], [0.1, -0.2], atol=1e-9)
    axis = pose["midline_m"][0] - pose["midline_m"][-1]
    assert np.cos(np.arctan2(axis[1], axis[0]) - heading) > 0.99  # head first
    left = pose["claws_m"][::2].mean(0) - pose["claws_m"][1::2].mean(0)
    assert np.sin(np.arctan2(left[1], left[0]) - heading) > 0.99
    ahead = pose["claws_m"] @ [np.cos(heading), np.sin(heading), 0]
    assert ahead[:2].min() > ahead[2:].max()  # fore, hind


def test_the_same_commands_give_the_same_motion_in_any_unit_system():
    seen = []
    for units in (Mouse.units, Units(1e-2, 1e-4), Units(1.0, 1.0)):
        sim = Sim(units=units, place={"height_m": 0.1})  # in the air: contacts are solved to a tolerance in model units
        action = np.clip(sim.body.neutral + 0.3 * np.random.default_rng(1).uniform(-1, 1, 39), -1, 1)
        pose = sim.run(0.1, action)
        seen.append((pose["com_m"], pose["joint_rad"]))
    for other in seen[1:]:
        np.testing.assert_allclose(seen[0][0], other[0], rtol=0, atol=1e-8)
        np.testing.assert_allclose(seen[0][1], other[1], rtol=0, atol=1e-5)


# Motors


def test_every_servo_moves_its_own_joint_to_its_own_side():
    sim = Sim(floor=False)
    sim.model.opt.gravity = np.zeros(3)
    for i, motor in enumerate(sim.body.motors):
        if motor not in sim.body.joints:
            continue
        ends = []
        for sign in (1, -1):
            sim.data.time = 0
            sim.body.place(sim.bound, sim.model, sim.data, np.zeros(3))
            action = sim.body.neutral.copy()
            action[i] = np.clip(action[i] + 0.5 * sign, -1, 1)
            ends.append(sim.run(0.1, action)["joint_rad"])
        apart = ends[0] - ends[1]
        assert apart[sim.body.joints.index(motor)] == apart[np.abs(apart).argmax()] > 0, motor


def test_actions_come_from_angles():
    body = Mouse(eyes=False)
    action = body.action_of({"knee_L": 0.4, "whisk_L": 0.5})
    i = body.motors.index("knee_L")
    assert (body.middle + body.half * action)[i] == pytest.approx(0.4) and action[body.motors.index("whisk_L")] == 0.5
    with pytest.raises(LookupError, match="did you mean 'knee_L'"):
        body.action_of({"kne_L": 0.0})


def test_the_tongue_reaches_out_and_tastes_what_it_touches():
    sim = Sim()
    sim.run(0.1)
    tip = sim.data.site("tongue").xpos.copy()
    sim.run(0.1, sim.body.action_of({"tongue": 1.0}))
    out = np.linalg.norm(sim.data.site("tongue").xpos - tip) * sim.body.units.length
    assert 2.5e-3 < out < 5e-3
    wet = {"water": lambda x: np.ones(len(x))}
    assert sim.sense(**wet)["water"] == 0  # nothing there
    at = sim.data.site("tongue").xpos * sim.body.units.length
    sim = Sim(furnish=lambda spec, body: spec.worldbody.add_geom(
        name="spout", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[8e-4 / body.units.length, 0, 0],
        pos=at / body.units.length, group=0))  # fmt: skip
    sim.run(0.1)
    sim.run(0.06, sim.body.action_of({"tongue": 1.0}))
    assert sim.sense(**wet)["tongue_N"] > 0 and sim.sense(**wet)["water"] == 1


# Whiskers


def test_the_array():
    array = whisker_array()
    assert len(WHISKERS) == 24 == len(set(WHISKERS))
    np.testing.assert_allclose(np.linalg.norm(array.way, axis=1), 1)
    row = {name: i for i, name in enumerate(WHISKERS)}
    length = [array.length_m[row[name]] for name in ("gamma", "C1", "C2", "C3", "C4")]
    assert all(np.diff(length) < 0) and length[-1] > 0.008 and length[0] < 0.03
    assert array.way[row["A2"], 2] > 0.5 and array.way[row["E2"], 2] < -0.5
    assert array.way[row["C4"], 0] > array.way[row["C1"], 0]


def test_free_whiskers_sweep_together_and_each_side_alone():
    sim = Sim(whiskers=True, place={"height_m": 0.2}, floor=False)
    sim.model.opt.gravity = np.zeros(3)
    for command in (1.0, -1.0):
        action = sim.body.action_of({"whisk_L": command})
        sim.run(0.05, action)
        obs = sim.sense()
        np.testing.assert_allclose(obs["whisker_rad"][0], command * REACH_RAD, atol=0.03)
        assert np.abs(obs["whisker_rad"][1]).max() < 0.03
        assert np.abs(obs["whisker_Nm"]).max() < 2e-8
    tip = {}
    for side in "LR":
        rod = sim.data.geom(f"whisker_C2_{side}")
        tip[side] = (rod.xpos - sim.data.body("skull").xpos)[0]
    assert tip["L"] < tip["R"]  # retraction goes to the rear


def test_a_wall_beside_the_face_bends_the_whiskers_of_that_side():
    def wall(spec, body):
        u = body.units.length
        spec.worldbody.add_geom(
            name="wall", type=mujoco.mjtGeom.mjGEOM_BOX, size=np.array([0.2, 0.002, 0.1]) / u,
            pos=np.array([0, 0.021, 0.1]) / u, group=0)  # fmt: skip

    sim = Sim(whiskers=True, furnish=wall)
    com = sim.run(0.3)["com_m"]
    felt = np.abs(sim.sense()["whisker_Nm"]).max((1, 2))
    assert felt[0] > 1e-7 and felt[1] < 0.1 * felt[0] and np.isfinite(felt).all()
    assert felt[0] < 1e-4  # whiskers bend, they do not hold a mouse up
    assert abs(sim.run(0.3)["com_m"][1] - com[1]) < 2e-3


def test_pushing_against_a_pole_is_felt_at_the_base_against_protraction():
    def pole(spec, body):
        u = body.units.length
        spec.worldbody.add_geom(
            name="pole", type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=np.array([0.001, 0.05, 0]) / u,
            pos=np.array([0.0412, 0.0192, 0.05]) / u, group=0)  # fmt: skip

    sim = Sim(whiskers=True, furnish=pole)
    sim.run(0.2, sim.body.action_of({"whisk_L": -1.0, "whisk_R": -1.0}))
    before = sim.sense()["whisker_Nm"][..., 0]
    for command in np.linspace(-1, 1, 50):  # as fast as they whisk
        sim.run(0.002, sim.body.action_of({"whisk_L": command, "whisk_R": command}))
    after = sim.sense()["whisker_Nm"][..., 0]
    assert np.abs(before).max() < 1e-7
    assert after[0].max() > 1e-7 and np.abs(after[1]).max() < 0.2 * after[0].max()


# Senses and pose


def test_observations_are_as_declared():
    for options in ({"eyes": True, "whiskers": True}, {"welded": True}):
        sim = Sim(**options)
        obs = sim.sense()
        assert list(obs) == [s.name for s in sim.body.senses]
        for s in sim.body.senses:
            value = obs[s.name]
            assert value.shape == s.shape and value.dtype == np.float32
            assert (value >= s.low).all() and (value <= s.high).all()


def test_tilts_have_their_signs_and_gravity_follows():
    sim = Sim(place={"height_m": 0.2})
    half = np.radians(10)
    for axis, name, down in (([0, -1, 0], "pitch_rad", [-1, 0, 0]), ([1, 0, 0], "roll_rad", [0, -1, 0])):
        sim.data.qpos[sim.bound.root[3:]] = [np.cos(half), *(np.sin(half) * np.array(axis))]
        mujoco.mj_forward(sim.model, sim.data)
        assert sim.pose()[name] == pytest.approx(2 * half)  # nose up; left side up
        gravity = sim.sense()["gravity"]
        np.testing.assert_allclose(gravity, [*(np.sin(2 * half) * np.array(down))[:2], -np.cos(2 * half)], atol=0.02)


def test_turning_and_resting_are_felt():
    sim = Sim()
    sim.run(0.5)
    np.testing.assert_allclose(sim.sense()["accelerometer_m_per_s2"], [0, 0, 9.81], atol=1.0)
    sim.data.qvel[:] = 0
    sim.data.qvel[sim.bound.dofs[3:6]] = [1, 2, 3]
    mujoco.mj_forward(sim.model, sim.data)
    np.testing.assert_allclose(sim.sense()["gyro_rad_per_s"], [1, 2, 3], atol=0.4)


def test_smell_and_sound_are_left_before_right():
    sim = Sim()
    obs = sim.sense(odour=lambda x: 100 + 1e4 * x[:, 1], sound_Pa=lambda x: 100 + 1e4 * x[:, 1])
    for name in ("odour", "sound_Pa"):
        assert obs[name][0] > obs[name][1] + 5
    assert len(PAWS) == 4


def test_each_eye_sees_its_own_side():
    def wall(spec, body):
        u = body.units.length
        spec.worldbody.add_geom(
            name="wall", type=mujoco.mjtGeom.mjGEOM_BOX, size=np.array([0.3, 0.01, 0.3]) / u,
            pos=np.array([0, 0.1, 0]) / u, rgba=[0, 0, 0, 1], group=0)  # fmt: skip

    sim = Sim(eyes=True, furnish=wall)
    left, right = sim.sense()["luminance"]
    assert left.mean() < right.mean() - 0.15


@pytest.mark.parametrize("bad", ["water", "honey", 3, (1.0,), (-1.0, 0.0), (1.0, float("nan")), None])
def test_media_that_cannot_be(bad):
    sim = Sim()
    with pytest.raises(MediumError):
        sim.body.set_medium(sim.bound, sim.model, bad)


def test_a_body_that_cannot_be():
    with pytest.raises(ValueError, match="motor_tau_s"):
        Mouse(motor_tau_s=-1)
