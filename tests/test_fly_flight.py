"""The fly in the air: what its wings lift, and what the flight controller and its ablations do."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

import bestiary
from bestiary.bodies.fly import Fly
from bestiary.envs import EmbodiedEnv
from bestiary.interfaces._fly_flight import CLOCK, Command, Flight, SteeredFlight

PERIOD_S = float(CLOCK["control"])


class Still:
    """A world without fields."""

    def sample(self, sense, position_m, fraction, time_s):
        return np.zeros(len(position_m))


def fly(seconds, command=None, start=None, posture="fly", heading=0.0, held=False, **options):
    """Flies at 20 mm; returns poses, one per control period, and the mean fluid force in N while `held` in place."""
    body = Fly(physics_s=CLOCK["physics"], control_s=CLOCK["control"], eyes=False)
    model = body.spec().compile()
    data = mujoco.MjData(model)
    bound = body.bind(model)
    body.place(bound, model, data, np.zeros(3), heading, height_m=0.02, posture=posture)
    if start:
        data.qvel[bound.dofs[:6]] = start
        mujoco.mj_forward(model, data)
    policy, root = Flight(body, **options), data.qpos[bound.root].copy()
    poses, forces = [], []
    for _ in range(round(seconds / PERIOD_S)):
        pose = body.pose(bound, data)
        action = policy.act(body.sense(bound, data, Still()), pose, command)
        body.apply(bound, data, action)
        for _ in range(round(PERIOD_S / model.opt.timestep)):
            if held:
                data.qpos[bound.root], data.qvel[bound.dofs[:6]] = root, 0
            mujoco.mj_step(model, data)
            forces.append(data.qfrc_fluid[bound.dofs[:3]] * body.units.force)
        mujoco.mj_step1(model, data)
        poses.append(pose)
    return poses, np.array(forces)


def steered(seconds, stimulate=("flight:light=2@0-0.04",), task="flight", **options):
    """(degrees turned to the left, mm above the start, whether it came down, `upright`) of a fly flown by its cord."""
    bare = ("visual", "compass", "mushroom-body", "background")
    policy = SteeredFlight(bestiary.animal("fly", connectome="circuits", without=bare, stimulate=stimulate, **options))
    env = EmbodiedEnv("fly", task, "air", clock=policy.clock, body_options={"eyes": False})
    policy.watch(env)
    obs, info = env.reset(seed=0)
    policy.reset(info["episode_seed"])
    first, down = env.last_pose, False
    while env.time_s < seconds and not down:
        obs, _, down, _, info = env.step(policy.act(obs))
    last = env.last_pose
    turned = np.degrees(np.angle(np.exp(1j * (last["heading_rad"] - first["heading_rad"]))))
    return float(turned), 1e3 * float(last["com_m"][2] - first["com_m"][2]), bool(down), float(last["upright"])


@pytest.mark.parametrize(("side", "sign"), [("L", -1), ("R", 1)])
def test_dng02_of_one_side_turns_it_to_the_other(side, sign):
    lit = ["flight:light=2@0-0.04", f"DNg02*_{side}:light=1"]
    turned, high_mm, *_ = steered(0.12, lit)
    assert sign * turned > 10 and abs(high_mm) < 5
    assert abs(steered(0.06, lit, silence=["DNg02"])[0]) < 2


def test_the_cord_begins_the_flight_and_without_its_unit_or_a_brain_it_falls():
    assert abs(steered(0.1)[1]) < 3
    assert steered(0.1, lesion=["flight"])[2]
    assert steered(0.1, control="brain-off")[2]


def test_a_jump_goes_on_as_a_flight():
    _, high_mm, _, upright = steered(0.12, ["DNp01:light=2@0.02-0.03"], "locomotion")
    assert high_mm > 8 and upright > 0.4


def track(poses, name):
    return np.array([p[name] for p in poses])


def test_its_wings_lift_its_weight():
    beats = 4 / 218
    _, force = fly(beats, held=True, stabilise=False)
    force = force[len(force) // 2 :].mean(0)
    assert force[2] == pytest.approx(0.8827e-6 * 9.81, rel=0.05)
    assert np.abs(force[:2]).max() < 0.03 * force[2]


def test_it_hovers():
    poses, _ = fly(1.0, heading=1.0)
    com = track(poses, "com_m")
    assert np.abs(com - com[0]).max() < 1.5e-3
    assert np.ptp(np.degrees(track(poses, "pitch_rad"))) < 8 and np.abs(np.degrees(track(poses, "roll_rad"))).max() < 2
    assert np.abs(np.degrees(track(poses, "heading_rad")) - np.degrees(1.0)).max() < 2


def test_it_flies_level_and_turns():
    poses, _ = fly(0.8, Command(ahead_m_per_s=0.1))
    com = track(poses, "com_m")
    half = len(com) // 2
    speed = (com[-1] - com[half]) / (PERIOD_S * (len(com) - 1 - half))
    np.testing.assert_allclose(speed, [0.1, 0, 0], atol=0.01)
    assert np.ptp(com[:, 2]) < 1e-3
    poses, _ = fly(0.4, Command(turn_rad_per_s=4.0))
    heading = np.unwrap(track(poses, "heading_rad"))
    assert (heading[-1] - heading[len(heading) // 2]) / 0.2 == pytest.approx(4, rel=0.1)


def test_a_gust_is_answered():
    poses, _ = fly(1.0, start=[100.0, 100.0, 0, 10, 10, 10])
    com = track(poses, "com_m")
    assert 1e-3 < np.abs(com - com[0]).max() < 8e-3
    assert np.abs(com[-1] - com[0]).max() < 2e-3


def test_from_level_it_pitches_up_and_hovers():
    poses, _ = fly(0.6, posture="stand")
    assert np.degrees(poses[0]["pitch_rad"]) == pytest.approx(0, abs=1)
    assert np.degrees(poses[-1]["pitch_rad"]) == pytest.approx(48.4, abs=3)
    com = track(poses, "com_m")
    assert np.abs(com - com[0]).max() < 8e-3


def test_without_reflexes_it_tumbles_and_without_wing_beat_it_falls():
    poses, _ = fly(0.1, stabilise=False)
    assert abs(np.degrees(poses[-1]["pitch_rad"]) - 47.5) > 20
    poses, _ = fly(0.05, beat=False)
    fallen = poses[0]["com_m"][2] - poses[-1]["com_m"][2]
    assert fallen == pytest.approx(9.81 * 0.05**2 / 2, rel=0.15)  # spread wings brake


def test_a_beat_that_no_fly_has():
    with pytest.raises(ValueError, match="hz=500"):
        Flight(Fly(), hz=500)
