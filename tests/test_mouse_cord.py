"""The mouse's cord: the published network's gaits and what its neurons are for; walking, turning, whisking."""

from __future__ import annotations

import itertools

import mujoco
import numpy as np
import pytest

import bestiary
from bestiary.bodies.mouse import PAWS, Mouse
from bestiary.brains import mouse as brains
from bestiary.brains._mouse_cord import COMPONENTS, LIMBS, MouseCord, table
from bestiary.envs import EmbodiedEnv
from bestiary.envs._clock import Clock
from bestiary.interfaces import mouse as interface
from bestiary.interfaces._mouse_motor import GRID_MM, Motor, Proprioception, Template

STEP_S = 0.002


class Mute:
    """A decoder for a cord without a body."""

    period_s, OUTPUTS = STEP_S, ("speed",)

    def init(self):
        return {"action": np.zeros(1)}

    def advance(self, state, rate):
        pass


def phases(flexor):
    """(Hz, phase of right after left hind, of right after left fore, of left fore after left hind) of (T, 4) rates."""
    on = [np.flatnonzero(np.diff((column > 10).astype(int)) > 0) for column in flexor.T]

    def mean(of, leg):
        cycles = [(a, b, on[leg][(on[leg] >= a) & (on[leg] < b)]) for a, b in itertools.pairwise(on[of])]
        z = [(q[0] - a) / (b - a) for a, b, q in cycles if len(q)]
        return float(np.angle(np.exp(2j * np.pi * np.array(z)).mean()) / 2 / np.pi) % 1

    return 1 / (np.diff(on[2]).mean() * STEP_S), mean(2, 3), mean(0, 1), mean(2, 0)


def apart(a, b):
    return abs((a - b + 0.5) % 1 - 0.5)


def fictive(alpha, without=(), seed=0, seconds=4.0):
    cord = MouseCord(Mute(), without=without)
    drive = np.zeros(len(cord.table))
    drive[cord.table.names.tolist().index("speed")] = 10 * alpha - 0.5
    rows = [cord.table.names.tolist().index(f"RGF_{limb}") for limb in LIMBS]
    state, out = cord.init(seed), []
    for _ in range(round(seconds / STEP_S)):
        state = cord.advance(state, drive)
        out.append(state["rate"][rows])
    return np.array(out)[len(out) // 2 :]


class Walker:
    """A body with a cord and nothing above it, under constant drive of the cord's units."""

    def __init__(self, without=(), seed=0, **options):
        self.body = Mouse(**{"eyes": False, "whiskers": False, **options})
        template = Template.of(self.body)
        self.cord = MouseCord(Motor(template, STEP_S, brains.parameters()), without=without)
        names = self.cord.table.names.tolist()
        self.row = {name: i for i, name in enumerate(names)}
        self.felt = Proprioception(self.body, template, names)
        self.model = self.body.spec().compile()
        self.data = mujoco.MjData(self.model)
        self.bound = self.body.bind(self.model)
        self.body.place(self.bound, self.model, self.data, np.zeros(3))
        self.state = self.cord.init(seed)
        self.touched = set()  # parts that have touched anything

    def sample(self, sense, position_m, fraction, time_s):
        return np.zeros(len(position_m))

    def run(self, seconds, **drives_mV):
        poses = []
        for _ in range(round(seconds / STEP_S)):
            drive = self.felt.encode(self.body.sense(self.bound, self.data, self))
            for name, value in drives_mV.items():
                drive[self.row[name]] += value
            self.state = self.cord.advance(self.state, drive)
            self.body.apply(self.bound, self.data, self.cord.motor(self.state))
            mujoco.mj_step(self.model, self.data)
            self.touched |= {self.model.geom(g).name for c in self.data.contact for g in (c.geom1, c.geom2)}
            poses.append(self.body.pose(self.bound, self.data))
        return poses


def track(poses):
    com = np.array([p["com_m"] for p in poses])
    way = np.linalg.norm(com[-1, :2] - com[0, :2])
    upright = min(float(p["upright"]) for p in poses)
    turned = np.unwrap([float(p["heading_rad"]) for p in poses])
    return way / (len(poses) * STEP_S), upright, turned[-1] - turned[0]


# The published network


def test_gaits_of_the_published_network_by_drive():
    """Danner 2017: walk, trot, gallop, bound; M20's strides per second at walk 2.7, trot 5.9, gallop 9.8."""
    hz, hind, fore, same = phases(fictive(0.1))
    assert hz == pytest.approx(2.7, abs=0.2) and apart(hind, 0.5) < 0.05 and apart(fore, 0.5) < 0.05
    assert 0.2 < same < 0.4  # a lateral sequence: left hind, left fore, right hind, right fore
    hz, hind, fore, same = phases(fictive(0.5))
    assert hz == pytest.approx(5.9, abs=0.4) and apart(hind, 0.5) < 0.05 and apart(same, 0.5) < 0.05
    hz, hind, fore, same = phases(fictive(0.96, seconds=8.0, without=("fast",)))
    assert hz == pytest.approx(9.8, abs=0.3) and 0.05 < apart(hind, 0.0) < 0.35
    hz, hind, fore, same = phases(fictive(1.02, seconds=8.0, without=("fast",)))
    assert hz > 9.8 and apart(hind, 0.0) < 0.05 and apart(fore, 0.0) < 0.05


@pytest.mark.parametrize("seed", [1, 2])
def test_gaits_do_not_depend_on_where_the_rhythm_began(seed):
    assert phases(fictive(0.5, seed=seed))[0] == pytest.approx(phases(fictive(0.5))[0], rel=0.02)


def test_what_commissural_neurons_are_for():
    """Talpalar 2013, Bellardita 2015: without V0V no trot, without V0 hopping at every speed; without V3 no bound."""
    assert apart(phases(fictive(0.5, without=("V0V",)))[1], 0.0) < 0.05
    assert apart(phases(fictive(0.1, without=("V0V",)))[1], 0.5) < 0.1
    for alpha in (0.1, 0.5):
        assert apart(phases(fictive(alpha, without=("V0V", "V0D")))[1], 0.0) < 0.05
    assert apart(phases(fictive(1.0, without=("V3", "fast")))[1], 0.0) > 0.1


def test_components_are_edges_and_provenance_is_told():
    whole = table()
    for word in ("V0V", "V0D", "V3", "Shox2", "LPN", "stretch-feedback"):
        assert table((word,)).n_edges < whole.n_edges, word
    assert set(whole.provenance.values) == {"functional_fit", "tuned"}
    with pytest.raises(LookupError, match="did you mean 'V0V'"):
        table(("V0v",))
    assert set(COMPONENTS) <= set(interface.COMPONENTS)
    assert brains.tables()["cord"].n_edges == whole.n_edges  # the card shows it


# On four legs


def test_not_told_to_walk_it_stands():
    speed, upright, _ = track(Walker().run(1.0))
    assert speed < 2e-3 and upright > 0.98


@pytest.mark.parametrize(("alpha", "low", "high"), [(0.1, 0.06, 0.14), (0.3, 0.2, 0.4)])
def test_it_walks_at_the_speed_of_its_drive(alpha, low, high):
    walker = Walker()
    walker.run(0.6, speed=10 * alpha - 0.5)
    poses = walker.run(1.2, speed=10 * alpha - 0.5)
    speed, upright, _ = track(poses)
    assert low < speed < high and upright > 0.9
    assert min(float(p["height_m"]) for p in poses) > 0.014
    assert not {t for t in walker.touched if t.startswith(("collision_", "upper_"))}  # it drags no belly


def test_a_fast_drive_bounds_on_the_body_and_mostly_keeps_it_on_its_feet():
    bounds = []
    for seed in (8001, 8002, 8003):
        walker, rates, poses = Walker(seed=seed), [], []
        walker.run(2.4, speed=9.5)
        for _ in range(500):
            poses += walker.run(STEP_S, speed=9.5)
            rates.append(walker.state["rate"][[walker.row["RGF_HL"], walker.row["RGF_HR"]]])
        speed, upright, _ = track(poses)
        left, right = (np.array(rates) > 10).T
        together = (left == right).mean()  # hind limbs: in a trot 0.2
        bounds.append(speed > 0.4 and upright > 0.8 and together > 0.8)
    assert sum(bounds) >= 2, bounds  # one in six to ten falls while it speeds up


def test_every_paw_steps_and_carries():
    walker = Walker()
    walker.run(0.6, speed=0.5)
    load = np.array([p["claw_load_N"] for p in walker.run(1.2, speed=0.5)])
    down = (load > 0.01).mean(0)
    assert (down > 0.3).all() and (down < 0.9).all() and len(PAWS) == 4


def test_narrow_draws_the_paws_in():
    def width_m(**drive):
        walker = Walker()
        walker.run(0.5, speed=0.5, **drive)
        paws = np.array([p["claws_m"][:, 1] for p in walker.run(0.8, speed=0.5, **drive)])
        return (paws[:, ::2] - paws[:, 1::2]).mean(0)

    assert (width_m(narrow=10.0) < width_m() - 0.005).all()


@pytest.mark.parametrize(("side", "sign"), [("L", 1), ("R", -1)])
def test_gi_turns_it_to_its_own_side(side, sign):
    walker = Walker()
    walker.run(0.5, speed=0.5)
    _, upright, turned = track(walker.run(1.0, speed=0.5, **{f"turn_{side}": 5.0}))
    assert sign * turned > 0.4 and upright > 0.7


def best_of_fallen(without=()):
    """How upright a mouse gets within 1.2 s that was put down on its left side."""
    walker = Walker(without=without, seed=100)
    walker.body.place(walker.bound, walker.model, walker.data, np.zeros(3), height_m=0.03)
    walker.data.qpos[walker.bound.root[3:]] = np.cos(-0.75), np.sin(-0.75), 0, 0
    mujoco.mj_forward(walker.model, walker.data)
    return max(float(p["upright"]) for p in walker.run(1.2)[100:])


def test_a_fallen_mouse_gets_up_by_its_righting_reflex():
    assert best_of_fallen() > 0.8
    assert best_of_fallen(without=("righting",)) < 0.3


def test_whiskers_follow_the_facial_motoneurons():
    walker = Walker(whiskers=True)
    high = np.mean([p["whisk_rad"] for p in walker.run(0.1, FN_L=8.0)[-10:]], axis=0)
    assert high[0] > 0.3 and high[1] < 0.0


def test_a_lick_is_a_tongue():
    walker = Walker()
    before = walker.data.qpos[walker.model.joint("tongue").qposadr[0]]
    walker.run(0.06, lick=10.0)
    assert walker.data.qpos[walker.model.joint("tongue").qposadr[0]] > before + 0.2  # cm


def test_runs_repeat_bit_for_bit():
    a, b = (Walker(seed=3).run(0.2, speed=1.0)[-1] for _ in range(2))
    np.testing.assert_array_equal(a["joint_rad"], b["joint_rad"])


# The whole animal


def closed_loop(seconds, seed=0, **options):
    env = EmbodiedEnv("mouse", "locomotion", clock=interface.CLOCK, task_options={"seconds": np.inf, "arena_m": 0.3})
    animal = bestiary.animal("mouse", **options)
    obs, info = env.reset(seed=seed)
    animal.reset(info["episode_seed"])
    poses = []
    for _ in range(round(seconds / STEP_S)):
        obs, _, over, _, _ = env.step(animal.act(obs))
        poses.append(env.pose())
        if over:
            break
    return poses


def test_a_decorticate_mouse_walks_and_whisks():
    """Without thalamus and cortex: brainstem and cord alone. M26: whisking at 8 Hz and more."""
    poses = closed_loop(2.5, without=["loop"])
    way = np.linalg.norm(np.diff([p["com_m"][:2] for p in poses][::50], axis=0), axis=1).sum()
    assert way > 0.05 and poses[-1]["upright"] > 0.8
    whisk = np.array([p["whisk_rad"][0] for p in poses[500:]])
    power = np.abs(np.fft.rfft(whisk - whisk.mean()))
    assert np.fft.rfftfreq(len(whisk), STEP_S)[power.argmax()] == pytest.approx(8, abs=1.5)
    assert np.ptp(whisk) > np.radians(10)


def test_pitch_is_commanded_from_the_brainstem():
    """InC holds the head up or down; without it both commands do nothing."""
    up, down = (
        closed_loop(0.6, without=["loop"], stimulate=["PAG_freeze:20pA", f"InC_{way}:40pA"])[-1]["head_rad"][1]
        for way in ("up", "down")
    )
    assert up > down + 0.15


def test_a_smell_at_the_nose_reaches_its_own_side_of_the_brain():
    body = Mouse(eyes=False, whiskers=False)
    brain, felt, _ = interface.assemble(body, None, None, None, (), (), ("loop",), Clock(**interface.CLOCK))
    obs = {s.name: np.zeros(s.shape, np.float32) for s in body.senses} | {"odour": np.array([3.0, 0], np.float32)}
    drive = felt.encode(felt.init(), obs)[1]
    assert drive[brain.select("OSN_L")[0]] == pytest.approx(15) and drive[brain.select("OSN_R")[0]] == 0


def test_places_beside_each_other_have_angles_alike():
    """A wrist that flips over between two of them kicks the ground, and the mouse falls."""
    template = Template.of(Mouse())
    used = template.table[:, np.abs(GRID_MM[0]) < 21, 1:-1]
    assert max(np.abs(np.diff(used, axis=axis)).max() for axis in (1, 2, 3)) < 1.3
    assert template.worst_mm < 1


def test_a_mouse_that_tips_halts():
    """Held at a slope nothing; by the otoliths alone: the drive of walking goes on, its paws do not."""
    cord = MouseCord(Mute())
    row = {name: i for i, name in enumerate(cord.table.names.tolist())}

    def after(tilt):
        drive, state = np.zeros(len(row)), cord.init(0)
        drive[row["speed"]], drive[row[tilt]] = 1.0, 6.0
        for _ in range(300):
            state = cord.advance(state, drive)
        return state["rate"][row["unsteady"]]

    assert min(after(t) for t in ("nose_up", "lean_L", "lean_R")) > 20 and after("nose_down") == 0


def test_the_scripted_pattern_walks():
    body = Mouse(eyes=False)
    pattern = interface.PATTERN(body)
    action = pattern(1.0)
    assert action.shape == (len(body.motors),) and np.abs(action).max() <= 1
    assert not np.array_equal(action, pattern(1.1))
