"""The larval zebrafish's body against what can be worked out by hand, and against the facts that set its drag."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bestiary.bodies._base import CM_G, MM_MG
from bestiary.bodies._fish_retina import levelled
from bestiary.bodies.zebrafish import Zebrafish
from bestiary.envs import EmbodiedEnv
from bestiary.errors import MediumError


class Sim:
    """A compiled fish at rest in the middle of the water, its head toward +x."""

    def __init__(self, timestep=2e-4, position_m=(0, 0, 0), curvature=None, **options):
        self.body = Zebrafish(**options)
        self.model = self.body.spec().compile()
        self.model.opt.timestep = timestep
        self.data = mujoco.MjData(self.model)
        self.bound = self.body.bind(self.model)
        self.body.place(self.bound, self.model, self.data, np.array(position_m, float), curvature=curvature)

    def run(self, seconds, action=None, every=1e-3):
        """Poses every `every` seconds under action(t); with none, the muscles are silent and the fish heavy."""
        poses, motors = [], np.zeros(len(self.body.motors))
        for _ in range(round(seconds / every)):
            self.body.apply(self.bound, self.data, motors if action is None else action(self.data.time))
            for _ in range(round(every / self.model.opt.timestep)):
                self.body.before_step(self.bound, self.model, self.data)
                mujoco.mj_step2(self.model, self.data)
                mujoco.mj_step1(self.model, self.data)
            poses.append(self.body.pose(self.bound, self.data))
        return poses


def beats(body, hz, amplitude, n, wavelength=0.9):
    """Action of time: n tail beats, a wave from head to tail whose strength grows toward the tail."""
    at = body.joint_fraction
    strength = amplitude * np.linspace(0.3, 1, len(at))

    def action(t):
        out = np.zeros(len(body.motors))
        out[-1] = 0.55  # neutrally buoyant
        if t < n / hz:
            wave = np.clip(strength * np.sin(2 * np.pi * (hz * t - (at - at[0]) / wavelength)), -1, 1)
            out[: len(at)], out[len(at) : 2 * len(at)] = np.maximum(wave, 0), np.maximum(-wave, 0)
        return out

    return action


def held(body, **motors):
    out = np.zeros(len(body.motors))
    for name, value in motors.items():
        out[body.motors.index(name)] = value
    return lambda t: out


def travelled_mm(poses):
    return 1e3 * np.linalg.norm(poses[-1]["com_m"] - poses[0]["com_m"])


def test_size_mass_and_order_of_a_larva():
    sim = Sim()
    assert sim.model.body_mass.sum() * MM_MG.mass == pytest.approx(0.40e-6, rel=0.03)
    assert sim.body.mass_kg / sim.body.volume_m3 == pytest.approx(1011)
    midline = sim.body.pose(sim.bound, sim.data)["midline_m"]
    assert midline.shape == (13, 3) and np.ptp(midline[:, 0]) == pytest.approx(4e-3)
    assert midline[0, 0] - midline[1, 0] == pytest.approx(0.9e-3)
    names = [sim.model.actuator(i).name for i in range(len(sim.body.motors))]
    assert tuple(names) == sim.body.motors and {"eye_L", "fin_R", "bladder", "MR11"} <= set(names)


def test_buoyancy_is_that_of_the_specific_gravity_and_can_be_made_neutral():
    """Sinking force = weight (1 - 1/SG); the bladder at 0.55 carries it all."""
    sim = Sim(surface_m=1, bottom_m=-1)
    force = sim.data.qfrc_actuator[2] - sim.data.qfrc_bias[2]
    assert force * MM_MG.force == pytest.approx(-sim.body.mass_kg * 9.81 * (1 - 1 / 1.011), rel=1e-6)
    sunk = sim.run(1.0)[-1]["com_m"][2]
    neutral = Sim(surface_m=1, bottom_m=-1)
    rest = neutral.run(2.0, held(neutral.body, bladder=0.55))[-1]
    assert sunk < -2e-3 and abs(rest["com_m"][2]) < 5e-5
    assert abs(rest["pitch_rad"]) < 0.05


def test_the_bladder_rights_a_fish_that_lies_on_its_side():
    sim = Sim(surface_m=1, bottom_m=-1)
    sim.data.qpos[sim.bound.root[3:]] = [np.cos(0.6), np.sin(0.6), 0, 0]
    mujoco.mj_forward(sim.model, sim.data)
    rolls = [abs(p["roll_rad"]) for p in sim.run(3.0, held(sim.body, bladder=0.55))]
    assert rolls[0] > 1.1 and rolls[-1] < 0.1


def test_it_stands_on_the_bottom_and_leaving_the_water_ends_the_episode():
    sim = Sim(position_m=(0, 0, -4.3e-3))
    low = sim.run(1.5)[-1]["midline_m"][:, 2]
    assert -5e-3 < low.min() < -4e-3
    env = EmbodiedEnv(Zebrafish(surface_m=5e-4), "locomotion")
    env.reset(seed=0)
    up = np.zeros(len(env.body.motors))
    up[-1] = 1.0
    for _ in range(3000):
        *_, terminated, truncated, info = env.step(up)
        if terminated or truncated:
            break
    assert terminated and "left the water" in info["ended"]


def test_routine_swimming_has_the_published_size():
    """Z04, Z10, Z12 and Z15 in one run at Z08's 28 Hz: five beats."""
    sim = Sim(surface_m=1, bottom_m=-1)
    poses = sim.run(0.4, beats(sim.body, 28, 0.085, 5))
    speed = 1e3 * np.array([np.linalg.norm(p["velocity_m_per_s"]) for p in poses])
    bend = max(np.abs(p["curvature_per_m"]).max() for p in poses) * sim.body.length_m
    beat = np.array([p["midline_m"][-1, 1] for p in poses[50:150]]) * 1e3
    strouhal = 28 * np.ptp(beat) / speed[50:150].mean()
    assert 1.3 < travelled_mm(poses) < 3.0
    assert 11 < speed.max() < 61
    assert 4.5 < bend < 7.5
    assert 0.72 < strouhal < 2.5 and 40 < speed.max() * 4 < 1400


def test_escape_is_fast_and_nothing_was_set_on_it():
    """Z11: at 90 Hz and full force it moves its tail at that rate, bends into a C and is at least 3 times as fast."""
    sim = Sim(surface_m=1, bottom_m=-1)
    poses = sim.run(0.08, beats(sim.body, 90, 1.0, 6))
    tail = np.array([p["curvature_per_m"][-2] for p in poses])
    spectrum = np.abs(np.fft.rfft(tail - tail.mean(), 8 * len(tail)))
    assert np.fft.rfftfreq(8 * len(tail), 1e-3)[spectrum.argmax()] == pytest.approx(90, abs=8)
    assert max(np.linalg.norm(p["velocity_m_per_s"]) for p in poses) > 0.045


@pytest.mark.parametrize("reactive", [0.0, 1.0])
def test_step_does_not_change_a_bout(reactive):
    far = []
    for step in (1e-4, 5e-4):
        sim = Sim(step, surface_m=1, bottom_m=-1, reactive=reactive)
        far.append(travelled_mm(sim.run(0.3, beats(sim.body, 28, 0.1, 4), every=1e-3)))
    assert far[0] == pytest.approx(far[1], rel=0.1)


def test_same_fish_in_any_unit_system():
    ends = []
    for units in (MM_MG, CM_G):
        sim = Sim(units=units, surface_m=1, bottom_m=-1)
        ends.append(sim.run(0.05, beats(sim.body, 28, 0.3, 2))[-1]["midline_m"])
    np.testing.assert_allclose(*ends, rtol=0, atol=1e-9)


def test_left_muscles_bend_to_the_left_and_a_mirror_image_swims_mirrored():
    sim = Sim(surface_m=1, bottom_m=-1)
    tail = sim.run(0.02, held(sim.body, **{f"ML{j:02d}": 0.3 for j in range(1, 12)}))[-1]
    assert tail["curvature_per_m"].mean() > 500 and tail["midline_m"][-1, 1] > tail["midline_m"][1, 1]
    left, right = (Sim(surface_m=1, bottom_m=-1) for _ in range(2))
    wave = beats(left.body, 28, 0.3, 2)
    n = left.body.n_links - 1
    swap = np.r_[np.arange(n, 2 * n), np.arange(n), 2 * n : len(left.body.motors)]
    a = left.run(0.1, wave)[-1]["midline_m"]
    b = right.run(0.1, lambda t: wave(t)[swap])[-1]["midline_m"]
    np.testing.assert_allclose(a * [1, -1, 1], b, atol=1e-8)


def test_thicker_water_stops_it_sooner_and_impossible_media_are_refused():
    thin, thick = Sim(surface_m=1, bottom_m=-1), Sim(surface_m=1, bottom_m=-1)
    thick.body.set_medium(thick.bound, thick.model, 0.01)
    far = [travelled_mm(s.run(0.3, beats(s.body, 28, 0.1, 4))) for s in (thin, thick)]
    assert far[1] < far[0] / 3
    with pytest.raises(MediumError, match="did you mean 'water'"):
        Zebrafish(medium="watre")
    with pytest.raises(MediumError, match="1e-4 to 1 Pa s"):
        thick.body.set_medium(thick.bound, thick.model, 1e4)
    with pytest.raises(ValueError, match="12 to 16 links"):
        Zebrafish(n_links=4)


def test_eyes_turn_and_fins_brake():
    sim = Sim(surface_m=1, bottom_m=-1)
    assert np.degrees(sim.run(0.2, held(sim.body, eye_L=-0.5, eye_R=0.5))[-1]["eye_rad"]) == pytest.approx(
        [-20, 20], abs=0.5
    )
    free, braked = Sim(surface_m=1, bottom_m=-1), Sim(surface_m=1, bottom_m=-1)
    wave, out = beats(free.body, 28, 0.11, 4), held(free.body, fin_L=1, fin_R=1)
    assert travelled_mm(braked.run(0.3, lambda t: wave(t) + out(t))) < 0.9 * travelled_mm(free.run(0.3, wave))


@pytest.mark.parametrize(("gain", "left"), [(0.0, 20.0), (0.9, 2.0), (1.0, 0.0)])
def test_eyes_take_back_the_tilt_of_the_head_and_not_its_heading(gain, left):
    head = Rotation.from_euler("ZYX", [40.0, 0.0, 20.0], degrees=True).as_matrix()
    heading, _, roll = Rotation.from_matrix(levelled(head.ravel(), gain)).as_euler("ZYX", degrees=True)
    assert heading == pytest.approx(40, abs=1e-6) and roll == pytest.approx(left, abs=1e-6)
