"""The worm's body against what can be worked out by hand: statics, drag, resistive-force theory, invariances."""

from __future__ import annotations

import os
from pathlib import Path

import mujoco
import numpy as np
import pytest

from bestiary.bodies._base import CM_G, MM_MG
from bestiary.bodies._medium import MEDIA, Medium
from bestiary.bodies.worm import Worm
from bestiary.errors import MediumError

J = 24  # joints


class Sim:
    """A compiled worm, lying straight at the origin with its head toward +x."""

    def __init__(self, timestep=None, curvature=None, **options):
        self.body = Worm(**options)
        self.model = self.body.spec().compile()
        if timestep:
            self.model.opt.timestep = timestep
        self.data = mujoco.MjData(self.model)
        self.bound = self.body.bind(self.model)
        self.body.place(self.bound, self.model, self.data, np.zeros(3), curvature=curvature)

    def run(self, seconds, action=None, every=0.01):
        """Runs with action(t) given every `every` seconds; returns the poses."""
        poses, steps = [], round(every / self.model.opt.timestep)
        for _ in range(round(seconds / every)):
            if action is not None:
                self.body.apply(self.bound, self.data, action(self.data.time))
            mujoco.mj_step(self.model, self.data, steps)
            mujoco.mj_step1(self.model, self.data)  # positions of the end of the step
            poses.append(self.pose())
        return poses

    def pose(self):
        return self.body.pose(self.bound, self.data)


def tone(body, level=-1.0, **rows):
    """An action: `level` everywhere, other values in the rows named."""
    action = np.full(95, level)
    for row, value in rows.items():
        action[[m[1:].startswith(row) for m in body.motors]] = value
    return action


def dorsoventral_wave(body, hz, wavelength, size=0.8):
    side = np.array([1 if m[1] == "D" else -1 for m in body.motors])
    return lambda t: size * side * np.sin(2 * np.pi * (hz * t - body.muscle_fraction / wavelength))


# What was compiled


def test_size_and_mass_of_an_adult():
    sim = Sim()
    assert sim.model.body_mass.sum() * sim.body.units.mass == pytest.approx(2.8e-9, rel=0.02)
    midline = sim.pose()["midline_m"]
    assert midline.shape == (26, 3)
    assert np.linalg.norm(np.diff(midline, axis=0), axis=1).sum() == pytest.approx(1e-3, rel=1e-9)
    assert midline[0, 0] == pytest.approx(5e-4) and midline[-1, 0] == pytest.approx(-5e-4)  # head first, toward +x
    links = [sim.model.geom(f"link{i:02d}").size[0] * sim.body.units.length for i in range(25)]
    assert 65e-6 < 2 * max(links) < 80e-6 and links[0] < max(links) / 2 > links[-1]
    assert sim.model.nv == 6 + J + J // 3 and Sim(side_every=1).model.nv == 6 + 2 * J
    assert not sim.model.geom_contype.any()


def test_muscles_are_those_of_the_connectome():
    motors = Worm().motors
    assert len(motors) == len(set(motors)) == 95
    assert [sum(m[1:3] == row for m in motors) for row in ("DL", "DR", "VL", "VR")] == [24, 24, 23, 24]
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    table = Path(os.environ.get("BESTIARY_DATA", default)) / "worm/connectome/celegans_herm_connectome.npz"
    if not table.is_file():
        pytest.skip("no data: set BESTIARY_DATA to the folder of downloaded data")
    assert sorted(motors) == sorted(str(m) for m in np.load(table)["muscles"])


def test_motors_come_first_in_the_compiled_order():
    sim = Sim()
    assert tuple(sim.model.actuator(i).name for i in range(95)) == sim.body.motors


# Elasticity and muscles


def test_bending_rigidity_under_a_pure_couple():
    torque = 3e-10  # N m, on the ends, opposed
    sim = Sim(medium="water")
    sim.data.act[:] = 0
    for link, sign in ((0, 1), (24, -1)):
        sim.data.xfrc_applied[sim.model.body(f"link{link:02d}").id, 5] = sign * torque / sim.body.units.torque
    curvature = sim.run(1.0, lambda t: np.full(95, -1.0))[-1]["curvature_per_m"]
    np.testing.assert_allclose(curvature, torque / 9.5e-14, rtol=1e-3)  # head turned counterclockwise is dorsal


@pytest.mark.parametrize(("medium", "inner_s"), [("agar", 0.0), (1.0, 0.0), ("agar", 5e-16)])
def test_a_bend_relaxes_as_a_free_beam_in_a_viscous_medium(medium, inner_s):
    """The slowest mode of a free rod: rate EI (4.730/L)^4 / c per length, slowed by the inner viscosity."""
    s = np.arange(1, 25) / 25
    b, ratio = 4.7300407, 0.98250222
    # second derivative of the first free-free mode
    mode = np.cos(b * s) - np.cosh(b * s) - ratio * (np.sin(b * s) - np.sinh(b * s))
    sim = Sim(medium=medium, physics_s="0.001", internal_Nm3s=inner_s, curvature=300 * mode / np.abs(mode).max())
    per_length = sim.body.medium.normal_Ns_per_m / 1e-3
    stiff = (b / 1e-3) ** 4
    expected_s = per_length / (9.5e-14 * stiff) + inner_s / 9.5e-14
    every = max(0.001, round(expected_s / 40, 3))
    size = [np.abs(p["curvature_per_m"]).max() for p in sim.run(expected_s / 2, every=every)]
    measured_s = (len(size) - 1) * every / np.log(size[0] / size[-1])
    assert measured_s == pytest.approx(expected_s, rel=0.03)  # 25 links, not a rod


def test_every_muscle_bends_the_worm_to_its_own_side_and_place():
    sim = Sim(medium="water")
    for i, name in enumerate(sim.body.motors):
        sim.body.place(sim.bound, sim.model, sim.data, np.zeros(3))
        sim.data.act[:] = 0
        sim.data.act[i] = 1
        sim.body.apply(sim.bound, sim.data, 2 * (np.arange(95) == i) - 1.0)
        mujoco.mj_step(sim.model, sim.data, 20)
        bend, side = np.split(sim.data.qpos[sim.bound.hinges], [J])
        side = side[np.searchsorted(np.unique(sim.body.side_joint), sim.body.side_joint)]  # the hinge of each joint
        here = np.abs(sim.body.joint_fraction - sim.body.muscle_fraction[i]) < 1 / 24
        assert here.any()
        assert (bend[here] * {"D": 1, "V": -1}[name[1]] > 0).all(), name
        assert (side[here] * {"L": 1, "R": -1}[name[2]] > 0).all(), name
        assert np.abs(bend[~here]).max() < 0.1 * np.abs(bend).max(), name


def test_dorsal_is_in_the_plane_and_left_is_out_of_it():
    sim = Sim(medium="water")
    sim.run(1.5, lambda t: tone(sim.body, D=-0.7))
    middle, ends = sim.pose()["midline_m"][12:14].mean(0), sim.pose()["midline_m"][[0, -1]].mean(0)
    assert ends[1] - middle[1] > 1e-4 and abs(ends[2] - middle[2]) < 1e-6  # ends curl up the +y, dorsal, side
    sim = Sim(medium="water")
    sim.run(1.5, lambda t: tone(sim.body, DL=-0.7, VL=-0.7))
    middle, ends = sim.pose()["midline_m"][12:14].mean(0), sim.pose()["midline_m"][[0, -1]].mean(0)
    assert ends[2] - middle[2] < -1e-4 and abs(ends[1] - middle[1]) < 1e-6  # it lies on its left


@pytest.mark.parametrize("side_every", [1, 3])
def test_sideways_it_is_as_stiff_and_as_strong_however_many_hinges_share_it(side_every):
    sim = Sim(medium="water", side_every=side_every)
    sim.run(1.0, lambda t: tone(sim.body, DL=-0.7, VL=-0.7))
    z = sim.pose()["midline_m"][:, 2]
    bent = np.ptp(z)
    sim = Sim(medium="water")
    sim.run(1.0, lambda t: tone(sim.body, D=-0.7))
    assert bent == pytest.approx(np.ptp(sim.pose()["midline_m"][:, 1]), rel=0.05)
    sim = Sim(medium="water", side_every=side_every)
    sim.run(1.0, lambda t: tone(sim.body, DL=-0.7, VL=-0.7))
    stretch = sim.body.sense(sim.bound, sim.data, Field())["stretch"]
    strain = 0.15 * 13e3 * sim.body.radius_at_m(sim.body.joint_fraction) / np.sqrt(2)
    np.testing.assert_allclose(stretch[:, 4:20], np.outer([-1, 1, -1, 1], strain[4:20]), rtol=0.06)


def test_full_one_sided_activation_gives_the_stated_curvature():
    sim = Sim(medium="water")
    curvature = sim.run(2.0, lambda t: tone(sim.body, V=1.0))[-1]["curvature_per_m"]
    np.testing.assert_allclose(curvature[6:18], -13e3, rtol=0.05)


@pytest.mark.parametrize("level", [-1.0, 0.0, 0.7])
def test_even_tone_keeps_it_straight(level):
    sim = Sim()
    sim.run(2.0, lambda t: np.full(95, level))
    assert np.abs(sim.data.qpos[sim.bound.hinges]).max() < 2e-3  # 0.1 degree


def test_activation_follows_the_command_with_its_time_constant():
    sim = Sim()
    sim.run(0.1, lambda t: np.ones(95))
    np.testing.assert_allclose(sim.pose()["muscle"], 1 - 0.5 * np.exp(-1), rtol=1e-6)


# Medium


@pytest.mark.parametrize("medium", ["agar", "water", "agar_shen2012", 0.1])
@pytest.mark.parametrize(("axis", "kind"), [(0, "tangential_Ns_per_m"), (1, "normal_Ns_per_m")])
def test_a_steady_pull_moves_at_force_over_drag(medium, axis, kind):
    sim = Sim(medium=medium)
    c = getattr(sim.body.medium, kind)
    force = 1e-4 * c  # for 0.1 mm/s
    share = sim.model.body_mass / sim.model.body_mass.sum()
    links = slice(sim.model.body("link12").id, None)
    # along the axis the links pull one another; across it the load is spread as the drag is
    spread = share[links] if axis == 0 else np.full(25, 1 / 25)
    sim.data.xfrc_applied[links, axis] = force * spread / sim.body.units.force
    velocity = sim.run(0.2)[-1]["velocity_m_per_s"]
    expected = np.zeros(3)
    expected[axis] = 1e-4
    np.testing.assert_allclose(velocity, expected, atol=1e-6)


def test_roll_has_the_drag_of_a_turning_cylinder():
    sim = Sim(medium="water")
    torque = 1e-17
    sim.data.xfrc_applied[sim.model.body("link12").id, 3] = torque / sim.body.units.torque
    sim.run(0.05)
    expected = torque / (4 * np.pi * 1e-3 * (2 / 3 * 35e-6**2) * 1e-3)
    assert sim.data.qvel[3] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("k", "drag"), [(40, (3.2e-3, 128e-3)), (10, (22e-3, 220e-3)), (1, (5e-3, 5e-3))])
def test_speed_of_a_given_wave_is_that_of_resistive_force_theory(k, drag):
    """Curvature rms 4.15 per mm, 0.65 L, 0.3 Hz, imposed; the closed form is for an endless wave (Gray & Hancock).

    With psi the tangent's angle to the axis: U / (f wavelength) = <cos psi> (1 - 1 / (b + K (1 - b))), b = <cos^2 psi>.
    """
    hz, wavelength = 0.3, 0.65
    peak = 4.15e3 * np.sqrt(2)
    phase = 2 * np.pi * np.arange(1, 25) / 25 / wavelength
    sim = Sim(medium=drag, curvature=-peak * np.sin(phase))
    sim.model.jnt_stiffness[1:] *= 300  # a servo: the springs' rest angles are the wave
    sim.model.dof_damping[6:] = sim.model.opt.timestep * np.ravel(sim.model.jnt_stiffness)[1:]
    com, times = [], np.arange(1, round(3 / hz / 0.005) + 1) * 0.005
    for t in times:
        sim.model.qpos_spring[sim.bound.bend] = peak * np.sin(2 * np.pi * hz * t - phase) * 1e-3 / 25
        mujoco.mj_step(sim.model, sim.data)
        com.append(sim.pose()["com_m"])
    assert sim.pose()["curvature_per_m"].std() == pytest.approx(4.15e3, rel=0.1)
    com, period = np.array(com), round(1 / hz / 0.005)
    speed = np.linalg.norm(com[-1] - com[-1 - period]) / (period * 0.005)
    psi = peak / (2 * np.pi / (wavelength * 1e-3)) * np.cos(np.linspace(0, 2 * np.pi, 1000, endpoint=False))
    b = (np.cos(psi) ** 2).mean()
    expected = np.cos(psi).mean() * (1 - 1 / (b + k * (1 - b)))
    assert speed / (hz * wavelength * 1e-3) == pytest.approx(expected, rel=0.06, abs=0.01)
    if k > 1:
        assert com[-1, 0] > com[0, 0]  # the wave runs to the tail, the worm to its head


def test_medium_changes_on_the_fly_as_if_compiled_so():
    sim = Sim(medium="agar")
    for what in ("water", "agar", 0.5, (1e-3, 4e-3), "water"):
        sim.body.set_medium(sim.bound, sim.model, what)
        np.testing.assert_array_equal(sim.model.actuator_biasprm, Sim(medium=what).model.actuator_biasprm)
    before = sim.model.actuator_biasprm.copy()
    with pytest.raises(MediumError):
        sim.body.set_medium(sim.bound, sim.model, "agra")
    np.testing.assert_array_equal(sim.model.actuator_biasprm, before)


def test_the_film_holds_it_on_agar_and_nothing_in_water():
    height = {}
    for medium in ("agar", "water"):
        sim = Sim(medium=medium)
        sim.run(2.0, lambda t, body=sim.body: tone(body, DL=-0.6, VL=-0.6))
        height[medium] = np.ptp(sim.pose()["midline_m"][:, 2])
    assert height["agar"] < 3e-5 and height["water"] > 2e-4


def test_media_between_water_and_agar_are_continuous():
    drags = [Medium.between(f) for f in np.linspace(0, 1, 11)]
    assert drags[0].normal_Ns_per_m == pytest.approx(MEDIA["water"].normal_Ns_per_m)
    assert drags[-1].tangential_Ns_per_m == pytest.approx(MEDIA["agar"].tangential_Ns_per_m)
    assert (np.diff([m.ratio for m in drags]) > 0).all()
    assert Medium.of(0.001).normal_Ns_per_m == pytest.approx(MEDIA["water"].normal_Ns_per_m)
    assert Medium.of(10).ratio == pytest.approx(1.58, abs=0.01)
    assert Medium.of(2.0).viscosity_Pa_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("agra", "did you mean 'agar'"),
        ("mud", "mediums there are: agar, water"),
        (0.0, "from 0.0001 to 1000 Pa s"),
        (-1.0, "from 0.0001 to 1000 Pa s"),
        (25000, "did you mean 25"),
        (float("nan"), "viscosity"),
        (True, "viscosity"),
        ((1e-3, float("inf")), "normal_Ns_per_m"),
        ((0.0, 1e-3), "tangential_Ns_per_m"),
        ((2e-3, 1e-3), "the other way"),
        ((1e-3,), "two drags"),
        ((1, 2, 3), "two drags"),
        (None, "two drags"),
        ({"a": 1}, "two drags"),
    ],
)
def test_media_that_cannot_be(what, says):
    with pytest.raises(MediumError, match=says):
        Medium.of(what)
    with pytest.raises(MediumError):
        Worm(medium=what)


@pytest.mark.parametrize(
    "bad",
    [
        {"n_links": 24},
        {"n_links": 11},
        {"length_m": 0},
        {"bending_Nm2": float("nan")},
        {"side_every": 5},
        {"side_every": 2},
    ],
)
def test_bodies_that_cannot_be(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))}.*{next(iter(bad.values()))}"):
        Worm(**bad)


# Invariances


GAITS = {"agar": (0.3, 0.65), "water": (1.76, 1.54)}


def gait(seconds=3.0, **options):
    """(centres of mass, curvatures) every 10 ms while the muscles run the gait of the medium."""
    sim = Sim(**options)
    wave = dorsoventral_wave(sim.body, *GAITS[options["medium"]])
    poses = sim.run(seconds, wave)
    return np.array([p["com_m"] for p in poses]), np.array([p["curvature_per_m"] for p in poses])


@pytest.mark.parametrize("medium", ["agar", "water"])
def test_the_step_does_not_change_the_gait(medium):
    (com, curvature), (fine_com, fine_curvature) = (gait(medium=medium, physics_s=h) for h in ("0.005", "0.0005"))
    settled = slice(100, None)
    assert curvature[settled].std() == pytest.approx(fine_curvature[settled].std(), rel=0.02)
    path, fine = (np.linalg.norm(c[-1] - c[100]) for c in (com, fine_com))
    assert path == pytest.approx(fine, rel=0.02)


@pytest.mark.parametrize("medium", ["agar", "water"])
def test_same_worm_in_any_unit_system(medium):
    runs = []
    for units in (MM_MG, CM_G):
        sim = Sim(medium=medium, units=units)
        rng = np.random.default_rng(3)
        runs.append([p["midline_m"] for p in sim.run(1.0, lambda t, rng=rng: rng.uniform(-1, 1, 95))])
    np.testing.assert_allclose(runs[0], runs[1], rtol=0, atol=1e-12)


def test_a_timestep_set_after_compiling_is_the_same_as_before():
    for medium in ("agar", "water"):
        a, b = Sim(medium=medium, timestep=0.001), Sim(medium=medium, physics_s="0.001")
        np.testing.assert_array_equal(a.model.dof_damping, b.model.dof_damping)
        np.testing.assert_array_equal(a.model.actuator_biasprm, b.model.actuator_biasprm)


@pytest.mark.parametrize("physics_s", ["0.001", "0.005", "0.01"])
@pytest.mark.parametrize("medium", ["agar", "water"])
def test_random_commands_never_break_it(medium, physics_s):
    sim = Sim(medium=medium, physics_s=physics_s)
    rng = np.random.default_rng(0)
    poses = sim.run(20.0, lambda t: rng.choice([-1.0, 1.0], 95), every=0.05)
    assert not sim.data.warning.number.any()
    assert np.abs(poses[-1]["midline_m"]).max() < 5e-3
    assert max(np.abs(p["curvature_per_m"]).max() for p in poses) < 14e3


def test_media_change_under_a_moving_worm():
    sim = Sim(medium="water")
    rng = np.random.default_rng(1)
    for medium in ("agar", "water", 1.0) * 5:
        sim.run(0.2, lambda t: rng.choice([-1.0, 1.0], 95))
        sim.body.set_medium(sim.bound, sim.model, medium)
    assert not sim.data.warning.number.any()


# Posture, senses and looks


@pytest.mark.parametrize(("lies_on", "dorsal"), [("left", 1), ("right", -1)])
def test_place(lies_on, dorsal):
    sim = Sim()
    where = np.array([1e-3, -2e-3, 0])
    sim.body.place(sim.bound, sim.model, sim.data, where, np.pi / 2, np.full(J, 2e3), lies_on)
    pose = sim.pose()
    np.testing.assert_allclose(pose["com_m"], where, atol=1e-12)
    np.testing.assert_allclose(pose["curvature_per_m"], 2e3)
    midline = pose["midline_m"]
    assert midline[0, 1] > midline[-1, 1] and np.ptp(midline[:, 2]) < 1e-12
    assert dorsal * (midline[12, 0] - midline[[0, -1], 0].mean()) > 0  # heading +y, dorsal is at -x
    with pytest.raises(ValueError, match="'left' or 'right'"):
        sim.body.place(sim.bound, sim.model, sim.data, where, lies_on="back")


def test_velocity_is_that_of_the_centre_of_mass():
    sim = Sim(medium="water", physics_s="0.001")
    poses = sim.run(0.5, dorsoventral_wave(sim.body, 1.76, 1.54), every=0.001)
    moved = (poses[-1]["com_m"] - poses[-3]["com_m"]) / 0.002
    assert np.linalg.norm(moved) > 1e-5
    np.testing.assert_allclose(poses[-2]["velocity_m_per_s"], moved, rtol=0.05, atol=1e-6)


def test_the_skin_that_is_drawn_follows_the_body():
    sim = Sim(medium="water")
    sim.run(1.0, lambda t: tone(sim.body, D=-0.6, VL=-0.8))
    scene = mujoco.MjvScene(sim.model, 100)
    camera, option = mujoco.MjvCamera(), mujoco.MjvOption()
    mujoco.mj_forward(sim.model, sim.data)
    mujoco.mjv_updateScene(sim.model, sim.data, option, None, camera, mujoco.mjtCatBit.mjCAT_ALL.value, scene)
    mujoco.mjv_updateSkin(sim.model, sim.data, scene)
    drawn = np.reshape(scene.skinvert, (-1, 3)) * sim.body.units.length
    midline = sim.pose()["midline_m"]
    s = np.linspace(0, 25, 251)
    fine = np.stack([np.interp(s, np.arange(26), x) for x in midline.T], axis=1)
    away = np.linalg.norm(drawn[:, None] - fine, axis=2).min(axis=1)
    assert away.max() < 40e-6  # the radius is 35
    back = drawn[sim.model.skin_vertadr[1] :]
    lower = np.linalg.norm(back[:, None] - fine, axis=2).argmin(axis=1)
    dorsal = sim.data.xmat[sim.model.body("link12").id].reshape(3, 3)[:, 1]
    near = (lower > 120) & (lower < 130)
    assert ((back[near] - fine[lower[near]]) @ dorsal > 15e-6).all()


class Field:
    """A world whose values tell where they were asked."""

    def sample(self, sense, position_m, fraction, time_s):
        assert position_m.shape == (len(fraction), 3)
        if sense == "touch_N":
            return 1e-4 * (fraction < 0.5)
        return 1e6 * position_m[:, 0] if sense == "nacl_mol_per_m3" else np.full(len(fraction), 1e9)


def test_senses_are_bounded_and_in_their_places():
    sim = Sim(curvature=5e3)
    obs = sim.body.sense(sim.bound, sim.data, Field())
    assert list(obs) == [s.name for s in sim.body.senses]
    for s in sim.body.senses:
        assert obs[s.name].shape == s.shape and obs[s.name].dtype == np.float32
        assert s.low <= obs[s.name].min() and obs[s.name].max() <= s.high
    strain = 5e3 * sim.body.radius_at_m(sim.body.joint_fraction) / np.sqrt(2)
    np.testing.assert_allclose(obs["stretch"], np.outer([-1, -1, 1, 1], strain), rtol=1e-5)  # dorsal rows shorten
    nose = sim.pose()["midline_m"][0, 0]
    np.testing.assert_allclose(obs["nacl_mol_per_m3"], 1e6 * nose, rtol=0.02)
    np.testing.assert_allclose(obs["touch_N"], 1e-4 * (np.arange(25) < 12), rtol=1e-6)
    assert obs["oxygen_kPa"][0] == 101 and {s.name: s.rest for s in sim.body.senses}["oxygen_kPa"] == 21
