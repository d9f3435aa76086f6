"""The fly's body against what can be worked out by hand, the model it comes from, and invariances."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from bestiary.bodies._base import CM_G, MM_MG
from bestiary.bodies._walker import model_file
from bestiary.bodies.fly import LEGS, Fly
from bestiary.errors import MediumError
from bestiary.interfaces._fly_tripod import tripod
from bestiary.tasks._bench_body import bench_body

WEIGHT_N = 0.8827e-6 * 9.81


class Field:
    """A world whose fields are given by name as functions of (n, 3) m."""

    def __init__(self, **fields):
        self.fields = fields

    def sample(self, sense, position_m, fraction, time_s):
        return self.fields.get(sense, lambda x: np.zeros(len(x)))(position_m)


class Sim:
    """A compiled fly, standing at the origin with its head toward +x unless told otherwise."""

    def __init__(self, place=None, **options):
        self.body = Fly(**options)
        self.model = self.body.spec().compile()
        self.data = mujoco.MjData(self.model)
        self.bound = self.body.bind(self.model)
        self.steps = round(float(self.body.control_s) / self.model.opt.timestep)
        self.body.place(self.bound, self.model, self.data, **(place or {"position_m": np.zeros(3)}))

    def run(self, seconds, actions=None):
        """Runs with actions (n, 78), over and over; returns the last pose."""
        actions = self.body.neutral[None] if actions is None else np.atleast_2d(actions)
        for k in range(round(seconds / float(self.body.control_s))):
            self.body.apply(self.bound, self.data, actions[k % len(actions)])
            mujoco.mj_step(self.model, self.data, self.steps)
        mujoco.mj_step1(self.model, self.data)
        return self.pose()

    def pose(self):
        return self.body.pose(self.bound, self.data)

    def sense(self, **fields):
        return self.body.sense(self.bound, self.data, Field(**fields))

    def tilt(self, degrees, azimuth=0.0):
        """Turns gravity, as if the floor sloped upward ahead (or to where azimuth points)."""
        angle, g = np.radians(degrees), np.linalg.norm(self.model.opt.gravity)
        down = [-np.sin(angle) * np.cos(azimuth), -np.sin(angle) * np.sin(azimuth), -np.cos(angle)]
        self.model.opt.gravity = g * np.array(down)


def grip(body, share):
    action = body.neutral.copy()
    action[[m.startswith("adhere_claw") for m in body.motors]] = share
    return action


# What was compiled


def test_it_is_the_whole_model():
    sim = Sim()
    model, u = sim.model, sim.body.units
    assert model.body_mass.sum() * u.mass == pytest.approx(0.883e-6, rel=1e-3)
    assert (len(sim.body.joints), model.njnt, len(sim.body.motors), model.nu, model.nsensor) == (102, 103, 78, 78, 15)
    assert tuple(model.actuator(i).name for i in range(78)) == sim.body.motors
    assert {"eye_left", "eye_right"} <= {model.camera(i).name for i in range(model.ncam)}
    length = np.linalg.norm(np.diff(sim.pose()["midline_m"], axis=0), axis=1).sum()
    assert length == pytest.approx(sim.body.length_m, rel=0.05)


def test_in_its_own_units_every_number_is_dm_controls():
    ours = Fly(units=CM_G, floor=False, self_contact=True, motor_tau_s=0).spec().compile()
    theirs = mujoco.MjSpec.from_file(str(model_file("fruitfly_v2/fruitfly.xml", "fly"))).compile()
    for motor in (m for m in Fly().motors if m.startswith("wing")):  # those are of the flight task
        theirs.actuator(motor).gainprm[0], theirs.joint(motor).damping[0] = 18, 0.00776923
    for name in (
        *("body_mass", "body_inertia", "body_pos", "jnt_range", "jnt_stiffness", "dof_damping", "dof_armature"),
        *("geom_size", "geom_friction", "geom_solimp", "geom_margin", "geom_contype", "geom_conaffinity"),
        *("actuator_gainprm", "actuator_biasprm", "actuator_ctrlrange", "actuator_forcerange", "mesh_pos"),
    ):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    np.testing.assert_array_equal(ours.opt.gravity, theirs.opt.gravity)


@pytest.mark.parametrize("how", ["walk", "flail"])
def test_the_same_actions_give_the_same_motion_in_any_unit_system(how):
    body = Fly()
    rng = np.random.default_rng(0)
    actions = tripod(body) if how == "walk" else np.clip(body.neutral + rng.uniform(-0.3, 0.3, (100, 78)), -1, 1)
    seen = []
    for units in (MM_MG, CM_G):
        sim = Sim(units=units, jump_tau_s=0.01)  # with quick middle legs the flail is chaos
        sim.model.opt.tolerance = 0  # it is measured in units of cost: else the solver would stop a step apart
        pose = sim.run(0.2, actions)
        seen.append((pose["claws_m"], pose["joint_rad"], sim.sense()))
    np.testing.assert_allclose(seen[0][0], seen[1][0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(seen[0][1], seen[1][1], rtol=0, atol=1e-5)
    for name, value in seen[0][2].items():
        np.testing.assert_allclose(value, seen[1][2][name], rtol=1e-3, atol=1e-6 * (1 + np.abs(value).max()))


# Standing and holding on


@pytest.mark.parametrize("physics_s", ["0.0001", "0.0002"])
def test_it_stands_on_its_claws(physics_s):
    sim = Sim(physics_s=physics_s)
    start = sim.run(0.2)
    after = sim.run(0.6)
    assert after["upright"] > 0.999 and 1.2e-3 < after["height_m"] < 1.4e-3
    assert np.abs(after["claws_m"] - start["claws_m"]).max() < 5e-6
    assert abs(np.degrees(after["heading_rad"])) < 0.1
    lowest = sim.bound.lowest(sim.model, sim.data) * sim.body.units.length
    assert lowest.min() > -2e-6 and lowest.max() < 5.1e-6  # within the contact's margin: on the floor, not in it
    assert (after["claw_load_N"] > 9e-6).all()  # adhesion presses every claw down with 9.85 uN
    assert after["claw_load_N"].sum() == pytest.approx(6 * 9.85e-6 + WEIGHT_N, rel=0.02)


def test_without_adhesion_the_claws_carry_the_weight():
    sim = Sim()
    sim.run(1.0, grip(sim.body, 0.0))
    vertical = np.zeros(6)
    total = 0.0
    for i, contact in enumerate(sim.data.contact):
        mujoco.mj_contactForce(sim.model, sim.data, i, vertical)
        total += vertical[0] * contact.frame[2]
    assert abs(total) * sim.body.units.force == pytest.approx(WEIGHT_N, rel=0.01)
    assert sim.sense()["claw_contact_N"].sum() <= WEIGHT_N * 1.01


def test_slower_it_walks_up_a_wall():
    sim = Sim()
    actions = tripod(sim.body, hz=4, stride_m=1e-3, swing=0.2, lag_s=0.03)
    sim.run(0.1)
    sim.tilt(90)
    start = sim.run(0.25, actions)
    after = sim.run(0.5, actions)
    assert (after["com_m"] - start["com_m"])[0] > 1e-3 and after["upright"] > 0.99


@pytest.mark.parametrize(("degrees", "azimuth"), [(30, 0), (30, np.pi / 2), (60, np.pi), (90, 0), (180, 0)])
def test_adhesion_holds_it_on_slopes_walls_and_ceilings(degrees, azimuth):
    sim = Sim()
    start = sim.run(0.1)
    sim.tilt(degrees, azimuth)
    after = sim.run(0.5)
    assert np.abs(after["claws_m"] - start["claws_m"])[:, :2].max() < 5e-5 and after["upright"] > 0.99


@pytest.mark.parametrize("degrees", [45, 180])
def test_without_adhesion_it_slides_or_falls(degrees):
    sim = Sim()
    start = sim.run(0.1, grip(sim.body, 0.0))
    sim.tilt(degrees)
    after = sim.run(0.3, grip(sim.body, 0.0))
    assert np.linalg.norm(after["com_m"] - start["com_m"]) > 2e-3


def test_it_walks_straight_at_either_step_and_climbs():
    speed = {}
    for physics_s, slope in (("0.0001", 0), ("0.0002", 0), ("0.0002", 30)):
        sim = Sim(physics_s=physics_s)
        actions = tripod(sim.body)
        sim.tilt(slope)
        start = sim.run(0.2, actions)
        after = sim.run(0.5, actions)
        assert after["upright"] > 0.95 and abs(np.degrees(after["heading_rad"])) < 15
        speed[physics_s, slope] = (after["com_m"] - start["com_m"])[0] / 0.5
    assert speed["0.0002", 0] > 15e-3
    assert speed["0.0002", 0] == pytest.approx(speed["0.0001", 0], rel=0.05)
    assert speed["0.0002", 30] > 12e-3


def test_a_world_that_deletes_the_floor_lets_it_fall():
    sim = Sim(floor=False)
    sim.body.set_medium(sim.bound, sim.model, "vacuum")
    fallen = sim.pose()["com_m"][2] - sim.run(0.1)["com_m"][2]
    assert fallen == pytest.approx(9.81 * 0.1**2 / 2, rel=0.01)


def test_every_part_of_it_meets_the_ground():
    """On its back, without adhesion, it lies on the floor and not in it."""
    sim = Sim()
    sim.data.qpos[sim.bound.root[3:]] = [0, 1, 0, 0]
    sim.data.qpos[sim.bound.root[2]] = 2e-3 / sim.body.units.length
    after = sim.run(0.5, grip(sim.body, 0.0))
    assert after["upright"] < 0 and 0.1e-3 < after["height_m"] < 1.5e-3


# Motors


def test_neutral_is_an_angle_of_zero_and_actions_come_from_angles():
    body = Fly()
    assert body.neutral.shape == (78,) and (np.abs(body.neutral) <= 1).all() and not body.neutral.flags.writeable
    command = body.middle + body.half * body.neutral
    np.testing.assert_allclose(command[[not m.startswith("adhere") for m in body.motors]], 0, atol=1e-12)
    action = body.action_of({"rostrum": -1.24, "tibia_T1_left": 0.5, "wing_yaw_left": -0.25})
    sim = Sim()
    sim.body.apply(sim.bound, sim.data, action)
    ctrl = {m: sim.data.ctrl[i] for i, m in enumerate(body.motors)}
    assert ctrl["rostrum"] == pytest.approx(-1.24) and ctrl["tibia_T1_left"] == pytest.approx(0.5)
    assert ctrl["wing_yaw_left"] == -0.25 and ctrl["adhere_claw_T1_left"] == 1 and ctrl["adhere_labrum_left"] == 0
    with pytest.raises(LookupError, match="did you mean 'rostrum'"):
        body.action_of({"rostrun": 0.0})


def test_no_command_leaves_its_range():
    sim = Sim()
    low, high = sim.model.actuator_ctrlrange.T
    for action in (np.ones(78), -np.ones(78), np.random.default_rng(0).uniform(-1, 1, 78)):
        sim.body.apply(sim.bound, sim.data, action)
        assert (sim.data.ctrl >= low - 1e-12).all() and (sim.data.ctrl <= high + 1e-12).all()
        adhesion = [i for i, m in enumerate(sim.body.motors) if m.startswith("adhere")]
        np.testing.assert_array_equal(sim.data.ctrl[adhesion], np.maximum(action[adhesion], 0))


def test_every_servo_moves_its_own_joint_to_its_own_side():
    sim = Sim(floor=False)
    sim.model.opt.gravity = np.zeros(3)
    names = {m: (m,) for m in sim.body.motors if not m.startswith("adhere")}
    names["abdomen_abduct"] = ("abdomen_abduct", *(f"abdomen_abduct_{i}" for i in range(2, 8)))
    names["abdomen"] = ("abdomen", *(f"abdomen_{i}" for i in range(2, 8)))
    for i, motor in enumerate(sim.body.motors):
        if motor not in names:
            continue
        moved = []
        for sign in (1, -1):
            sim.body.place(sim.bound, sim.model, sim.data, np.zeros(3))
            action = sim.body.neutral.copy()
            action[i] += sign * 0.3 * (1 - abs(action[i]))
            moved.append(sim.run(0.03, action)["joint_rad"])
        apart = moved[0] - moved[1]
        own = [sim.body.joints.index(n) for n in names[motor]]
        assert (apart[own] > 0).all(), motor
        if motor.startswith("tarsus2"):
            own += [sim.body.joints.index(motor.replace("tarsus2", f"tarsus{k}")) for k in (3, 4, 5)]
        assert np.abs(np.delete(apart, own)).max() < np.abs(apart[own]).max(), motor


def test_the_proboscis_reaches_out_and_folds():
    sim = Sim()
    assert sim.run(0.1)["proboscis"] < 0.05
    out = sim.run(0.2, sim.body.action_of({"rostrum": -1.24, "haustellum": -1.59}))
    assert out["proboscis"] > 0.9
    height = sim.data.site("labellum_L").xpos[2]
    assert sim.run(0.2)["proboscis"] < 0.05 and sim.data.site("labellum_L").xpos[2] > height + 0.2


# Senses and pose


def test_observations_are_as_declared():
    sim = Sim()
    obs = sim.sense()
    assert list(obs) == [s.name for s in sim.body.senses]
    for s in sim.body.senses:
        value = obs[s.name]
        assert value.shape == s.shape and value.dtype == np.float32
        assert (value >= s.low).all() and (value <= s.high).all()


@pytest.mark.parametrize("heading", [0.0, 2.0, -3.0])
def test_it_stands_where_it_is_put(heading):
    sim = Sim(place={"position_m": np.array([1e-3, -2e-3, 0.5e-3]), "heading_rad": heading})
    pose = sim.pose()
    assert pose["heading_rad"] == pytest.approx(heading) and pose["upright"] == pytest.approx(1)
    np.testing.assert_allclose(pose["midline_m"][2, :2], [1e-3, -2e-3], atol=1e-9)
    axis = pose["midline_m"][0] - pose["midline_m"][-1]
    assert np.cos(np.arctan2(axis[1], axis[0]) - heading) > 0.99  # head first
    assert pose["claws_m"][:, 2].min() == pytest.approx(0.5e-3, abs=1e-4)
    left = pose["claws_m"][::2].mean(0) - pose["claws_m"][1::2].mean(0)
    assert np.sin(np.arctan2(left[1], left[0]) - heading) > 0.99
    ahead = pose["claws_m"] @ [np.cos(heading), np.sin(heading), 0]
    assert ahead[:2].min() > ahead[2:4].max() and ahead[2:4].min() > ahead[4:].max()  # front, middle, hind


def test_tilts_have_their_signs_and_gravity_follows():
    sim = Sim(place={"position_m": np.zeros(3), "height_m": 5e-3})
    half = np.radians(10)
    for axis, name, down in (([0, -1, 0], "pitch_rad", [-1, 0, 0]), ([1, 0, 0], "roll_rad", [0, -1, 0])):
        sim.data.qpos[sim.bound.root[3:]] = [np.cos(half), *(np.sin(half) * np.array(axis))]
        mujoco.mj_forward(sim.model, sim.data)
        assert sim.pose()[name] == pytest.approx(2 * half)  # nose up; left side up
        gravity = sim.sense()["gravity"]
        np.testing.assert_allclose(gravity, [*(np.sin(2 * half) * np.array(down))[:2], -np.cos(2 * half)], atol=1e-6)


def test_turning_and_resting_are_felt():
    sim = Sim()
    sim.run(0.3)
    obs = sim.sense()
    np.testing.assert_allclose(obs["accelerometer_m_per_s2"], [0, 0, 9.81], atol=0.3)
    sim.data.qvel[sim.bound.dofs[3:6]] = [1, 2, 3]
    mujoco.mj_forward(sim.model, sim.data)
    np.testing.assert_allclose(sim.sense()["gyro_rad_per_s"], [1, 2, 3], rtol=1e-5)


def test_air_past_the_antennae():
    sim = Sim(place={"position_m": np.zeros(3), "heading_rad": np.pi / 2, "height_m": 5e-3})
    sim.data.qvel[:] = 0
    mujoco.mj_forward(sim.model, sim.data)
    wind = sim.sense(wind_x_m_per_s=lambda x: np.ones(len(x)))["wind_m_per_s"]
    np.testing.assert_allclose(wind, [[0, -1, 0]] * 2, atol=1e-3)  # from its left: it heads toward +y
    sim.data.qvel[sim.bound.dofs[:3]] = np.array([0, 0.1, 0]) / sim.body.units.length
    mujoco.mj_forward(sim.model, sim.data)
    np.testing.assert_allclose(sim.sense()["wind_m_per_s"], [[-0.1, 0, 0]] * 2, atol=1e-3)
    sim.data.qvel[:] = 0
    sim.data.qvel[sim.bound.dofs[5]] = 10.0  # turning left about the thorax: the right antenna runs ahead
    mujoco.mj_forward(sim.model, sim.data)
    ahead = sim.sense()["wind_m_per_s"][:, 0]
    apart = np.linalg.norm(np.diff(sim.data.site_xpos[sim.bound.receptors[:2], :2], axis=0)) * sim.body.units.length
    assert ahead[0] - ahead[1] == pytest.approx(10 * apart, rel=0.05)


def test_smell_is_at_antennae_and_palps_left_before_right():
    sim = Sim()
    across = sim.sense(vinegar=lambda x: 100 + x[:, 1] * 1e5)["vinegar"] - 100
    assert across[0] > 5 and across[2] > 5 and across[1] < -5 and across[3] < -5
    low = sim.sense(vinegar=lambda x: x[:, 2] * 1e5)["vinegar"]
    assert low[:2].min() > low[2:].max()


def test_taste_is_felt_on_the_ground_only():
    sugar = {"sugar_mol_per_m3": lambda x: np.full(len(x), 50.0)}
    sim = Sim()
    np.testing.assert_array_equal(sim.sense(**sugar)["sugar_mol_per_m3"], [50] * 6 + [0, 0])
    sim = Sim(place={"position_m": np.zeros(3), "height_m": 5e-3})
    assert not sim.sense(**sugar)["sugar_mol_per_m3"].any()
    sim.data.qpos[sim.bound.root[2]] -= sim.data.site("labellum_L").xpos[2] - 0.05  # head on the floor
    mujoco.mj_forward(sim.model, sim.data)
    assert (sim.sense(**sugar)["sugar_mol_per_m3"][6:] == 50).all()


def test_legs_feel_their_load():
    sim = Sim()
    sim.run(0.5, grip(sim.body, 0.0))
    light = sim.sense()["leg_load_N"].sum()
    heavy = Sim()
    heavy.model.opt.gravity *= 2
    heavy.run(0.5, grip(heavy.body, 0.0))
    assert heavy.sense()["leg_load_N"].sum() > 1.4 * light > 0
    assert len(LEGS) == 6


def test_the_bench_of_the_body_walks_and_counts_every_part():
    found = bench_body("fly", 0.2, 1)
    assert found["speed_m_per_s"] > 10e-3 and list(found["cpu_s"]) == ["bare", "body", "eyes"]
    assert found["times_bare"] > 0.9 and found["eyes_share"] > 0


@pytest.mark.parametrize("bad", [{"motor_tau_s": -1}, {"motor_tau_s": float("nan")}])
def test_bodies_that_cannot_be(bad):
    with pytest.raises(ValueError, match="motor_tau_s"):
        Fly(**bad)


@pytest.mark.parametrize("bad", ["water", "honey", 3, (1.0,), (-1.0, 0.0), (1.0, float("nan")), None])
def test_media_that_cannot_be(bad):
    sim = Sim()
    before = sim.model.opt.density, sim.model.opt.viscosity
    with pytest.raises(MediumError):
        sim.body.set_medium(sim.bound, sim.model, bad)
    assert (sim.model.opt.density, sim.model.opt.viscosity) == before
