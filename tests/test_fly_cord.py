"""The fly's cord: what its commands make the body do, and what is lost with each of its parts."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import mujoco
import numpy as np
import pytest

fly = pytest.importorskip("bestiary.bodies.fly")

from bestiary import assets  # noqa: E402
from bestiary.bodies.fly import LEGS  # noqa: E402
from bestiary.brains import _fly_cord as cord  # noqa: E402
from bestiary.interfaces._fly_motor import Motor  # noqa: E402
from bestiary.interfaces._fly_proprioception import Proprioception  # noqa: E402
from bestiary.interfaces._fly_template import Template  # noqa: E402
from bestiary.tasks.terrain import Terrain  # noqa: E402

PERIOD_S = 0.002


class _Void:
    def sample(self, sense: str, position_m: Any, fraction: Any, time_s: float) -> Any:
        return np.zeros(len(position_m))


@functools.cache
def _body() -> tuple[Any, mujoco.MjModel, Template]:
    body = fly.Fly()
    return body, body.spec().compile(), Template.of(body)


def run(
    drive: Mapping[str, float] | Callable[[float], Mapping[str, float]],
    seconds: float,
    without: tuple[str, ...] = (),
    uphill_deg: float = 0.0,
    rough_mm: float = 0.0,
    seed: int = 1,
) -> Any:
    """Poses, and which legs were in the air, of a fly under a drive of its cord's units."""
    body, model, template = _body()
    world = Terrain(kind="slope", slope_deg=uphill_deg)
    if rough_mm:
        model = _rough(body, rough_mm)
    elif uphill_deg:
        spec = body.spec()
        world.furnish(spec, body)
        model = spec.compile()
    data = mujoco.MjData(model)
    bound = body.bind(model)
    if uphill_deg:
        world.start(body, bound, model, data, np.random.default_rng(seed))
    else:
        body.place(bound, model, data, np.array([0, 0, rough_mm * 1e-3]))
    motor = Motor(template, PERIOD_S, adhesion="adhesion" not in without, search="search" not in without)
    part = cord.FlyCord(motor, without=without)
    felt = Proprioception(body, template, part.table.names.tolist())
    state, poses, air = part.init(seed), [], []
    for i in range(int(seconds / PERIOD_S)):
        current = np.zeros(len(part.table), np.float32)
        felt.encode(body.sense(bound, data, _Void()), current)
        for unit, value in (drive(i * PERIOD_S) if callable(drive) else drive).items():
            current[part.table.select(unit)] += value
        state = part.advance(state, current)
        body.apply(bound, data, part.motor(state))
        mujoco.mj_step(model, data, 10)
        poses.append(body.pose(bound, data))
        air.append(state["turn"][:6].copy())
    return {k: np.array([p[k] for p in poses]) for k in poses[0]} | {"air": np.array(air)}


def _rough(body: Any, height_mm: float) -> mujoco.MjModel:
    spec = body.spec()
    spec.delete(spec.geom("floor"))
    noise = np.random.default_rng(3).uniform(0, 1, (200, 200))
    for axis in (0, 1):  # bumps of about 0.4 mm
        noise = sum(w * np.roll(noise, k, axis) for k, w in ((-2, 0.1), (-1, 0.2), (0, 0.4), (1, 0.2), (2, 0.1)))
    noise = (noise - noise.min()) / np.ptp(noise)
    spec.add_hfield(name="ground", nrow=200, ncol=200, size=[20, 20, height_mm, 1], userdata=noise.ravel())
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_HFIELD,
        hfieldname="ground",
        friction=[0.6, 0.005, 0.0001],
        solref=[2e-4, 1],
        solimp=[0.95, 0.99, 0.01, 0.5, 2],
    )
    return spec.compile()


def tripod(air: Any) -> float:
    """Time with all three legs of a tripod in the air as a share of the time with any of them."""
    sets = [air[:, [LEGS.index(leg) for leg in legs]] for legs in (("T1L", "T2R", "T3L"), ("T1R", "T2L", "T3R"))]
    return float(np.mean([(s.sum(1) == 3).sum() / max((s.sum(1) > 0).sum(), 1) for s in sets]))


def swings_ms(air: Any) -> Any:
    """Mean duration of each leg's swings."""
    return air.sum(0) * PERIOD_S * 1e3 / np.maximum((np.diff(air, axis=0) > 0).sum(0), 1)


WALK = {"fore": 9.0}


def test_template_reaches_every_foothold_of_a_step():
    assert _body()[2].worst_mm < 0.15


def test_walks_straight_with_swings_of_constant_length():
    fast, slow = run({"fore": 9.0}, 0.8), run({"fore": 3.0}, 0.8)
    for out, low, high in ((fast, 20, 40), (slow, 5, 15)):
        speed = (out["com_m"][-1] - out["com_m"][150])[0] * 1e3 / 0.5
        assert low < speed < high
        turned = np.unwrap(out["heading_rad"])[[200, -1]] - out["heading_rad"][[0, 200]]
        assert abs(turned[0]) < 0.6  # the first steps find the rhythm
        assert abs(turned[1]) < 0.3
        assert out["height_m"].min() > 0.9e-3
        assert (np.abs(swings_ms(out["air"]) - 1e3 * cord.SWING_S) < 8).all()
    assert fast["air"][100:].mean() > 1.5 * slow["air"][100:].mean()  # stance shortens, swing does not
    assert tripod(fast["air"][200:]) > 0.5 > tripod(slow["air"][200:])


def test_without_coordination_the_tripod_is_lost():
    assert tripod(run({"fore": 12.0}, 1.0)["air"][300:]) > 0.8
    assert tripod(run({"fore": 12.0}, 1.0, without=("coordination",))["air"][300:]) < 0.6


@pytest.mark.parametrize(("side", "sign"), [("L", 1), ("R", -1)])
@pytest.mark.parametrize("unit", ["turn", "steer"])
def test_turns_to_the_side_of_its_command(unit: str, side: str, sign: int):
    out = run({"fore": 5.0, f"{unit}_{side}": 5.0}, 0.5)
    assert sign * np.degrees(np.unwrap(out["heading_rad"])[-1]) > 15


def test_backs():
    out = run({"back": 6.0}, 0.9)
    assert out["com_m"][-1, 0] < -2e-3


@pytest.mark.parametrize("seed", [1, 2])
def test_climbs_thirty_degrees(seed: int):
    out = run({"fore": 10.0}, 0.8, uphill_deg=30, seed=seed)
    assert out["com_m"][-1, 2] - out["com_m"][0, 2] > 1.5e-3
    assert out["upright"].min() > 0.5


def test_slides_down_without_adhesion():
    out = run({}, 0.3, uphill_deg=40, without=("adhesion",))
    assert out["com_m"][-1, 0] - out["com_m"][0, 0] < -1e-3


def test_search_carries_it_over_rough_ground():
    out = run({"fore": 6.0}, 0.6, rough_mm=0.4)
    assert out["com_m"][-1, 0] > 6e-3
    assert out["upright"].min() > 0.8


def test_stands_and_halts():
    out = run(lambda t: {"fore": 8.0, "halt": 20.0 if t > 0.3 else 0.0}, 0.7)
    assert out["com_m"][150, 0] > 2e-3
    assert np.linalg.norm(out["com_m"][-1] - out["com_m"][250]) < 3e-4
    assert not run({}, 0.2)["air"].any()


def test_steering_fades_and_turning_lasts():
    _, _, template = _body()
    part = cord.FlyCord(Motor(template, PERIOD_S))
    fresh = cord.FlyCord(Motor(template, PERIOD_S), without=["adaptation"])
    for p, fades in ((part, True), (fresh, False)):
        state, rates = p.init(0), []
        drive = np.zeros(len(p.table), np.float32)
        drive[p.table.select(["steer_L", "turn_L"])] = 8.0
        for _ in range(500):
            state = p.advance(state, drive)
            rates.append(p.rate_Hz(state)[p.table.select(["steer_L", "turn_L"])])
        steer, turn = np.array(rates).T
        assert (steer[-1] < 0.65 * steer.max()) == fades
        assert turn[-1] > 0.99 * turn.max()


def test_a_cut_unit_takes_its_leg_out_of_the_step():
    _, _, template = _body()
    part = cord.FlyCord(Motor(template, PERIOD_S))
    at = part.table.select("swing_T2L")
    lame = part.cut(at, np.empty(0, int))
    drive = np.zeros(len(part.table), np.float32)
    drive[part.table.select("fore")] = 8.0
    state, air = lame.init(0), []
    for _ in range(300):
        state = lame.advance(state, drive)
        air.append(state["turn"][:6])
    steps = (np.diff(np.array(air), axis=0) > 0).sum(0)
    assert steps[2] == 0 and (np.delete(steps, 2) > 2).all()
    assert part._alive.all()


def test_advance_is_pure_and_repeats():
    _, _, template = _body()
    part = cord.FlyCord(Motor(template, PERIOD_S))
    drive = np.full(len(part.table), 6.0, np.float32)
    start = part.init(3)
    frozen = {k: v.copy() for k, v in start.items() if k != "limbs"}
    once, again = part.advance(start, drive), part.advance(start, drive)
    assert all((start[k] == frozen[k]).all() for k in frozen)
    assert (part.motor(once) == part.motor(again)).all()
    assert part.motor(once).shape == (78,) and np.abs(part.motor(once)).max() <= 1


def test_unknown_component_is_told():
    with pytest.raises(LookupError, match="coordination"):
        cord.table(["cordination"])


def test_descending_table_names_units_of_the_cord():
    table = cord.table()
    rows = [(r["source"], r["target"], float(r["weight_mV_per_Hz"])) for r in assets.rows("fly", "descending.csv")]
    assert {r[0] for r in rows} >= {"DNa02_L", "DNp09_R", "MDN*_L", "DNg100_R", "DNg97_L"}
    for _, target, weight in rows:
        assert len(table.select(target)) and weight > 0


def test_proboscis_follows_and_stops_the_walk():
    out = run(lambda t: {"fore": 6.0, "rostrum": 12.0 if t > 0.2 else 0.0}, 0.5)
    assert out["proboscis"][95] < 0.15 and out["proboscis"][-1] > 0.7
    assert np.linalg.norm(out["com_m"][-1] - out["com_m"][200]) < 5e-4 < out["com_m"][100, 0]


@pytest.mark.parametrize(
    ("unit", "legs", "site", "near_mm"),
    [("groom_antennae", (0, 1), "antenna_L", 0.35), ("groom_abdomen", (4, 5), "tail", 0.9)],
)
def test_grooming_brings_the_claws_to_the_place_while_the_others_stand(
    unit: str, legs: tuple[int, ...], site: str, near_mm: float
):
    body, model, _ = _body()
    out = run({unit: 10.0, "fore": 4.0}, 0.6)
    data = mujoco.MjData(model)
    place = []
    for joint in out["joint_rad"][150::3]:
        data.qpos[3] = 1
        data.qpos[body.bind(model).hinges] = joint
        mujoco.mj_kinematics(model, data)
        claws = [data.site(f"claw_{_full(LEGS[i])}").xpos for i in legs]
        place.append([np.linalg.norm(c - data.site(site).xpos) for c in claws])
    nearest = np.min(place, axis=0)
    assert nearest.min() < near_mm
    assert np.ptp(np.array(place)[:, 0]) > 0.3  # they move
    others = [i for i in range(6) if i not in legs]
    assert out["claws_m"][200:, others, 2].max() < 0.3e-3
    assert np.linalg.norm(out["com_m"][-1] - out["com_m"][150]) < 0.5e-3
    assert out["upright"].min() > 0.9


def _full(leg: str) -> str:
    return f"{leg[:2]}_{'left' if leg[2] == 'L' else 'right'}"


def test_eyes_are_groomed_before_antennae_and_not_without_the_hierarchy():
    template = _body()[2]
    for without, ratio in (((), 0.1), (("grooming-hierarchy",), 0.9)):
        part = cord.FlyCord(Motor(template, PERIOD_S), without=without)
        state, drive = part.init(0), np.zeros(len(part.table), np.float32)
        drive[part.table.select(list(cord.GROOMING))] = 8.0
        for _ in range(200):
            state = part.advance(state, drive)
        rate = part.rate_Hz(state)[part.table.select(list(cord.GROOMING))]
        assert rate[0] > 50
        assert (rate[1:] <= ratio * rate[0]).all() == (not without)


def test_the_long_take_off_raises_the_wings_before_the_legs_push():
    """Card & Dickinson 2008: some 22 ms, wings first; without the component nothing follows."""
    lit = {"raise": 200.0}
    out = run(lambda t: lit if 0.1 <= t < 0.1015 else {}, 0.14)
    wing = out["joint_rad"][:, list(_body()[0].joints).index("wing_yaw_left")]
    ms = 2.0 * np.arange(len(wing)) - 100
    raised, gone = ms[wing < 0.75][0], ms[out["claws_m"][:, :, 2].min(1) > 0.2e-3][0]
    assert 4 <= raised <= 14 and 16 <= gone <= 30
    stays = run(lambda t: lit if 0.1 <= t < 0.1015 else {}, 0.14, without=("long-mode",))
    assert stays["claws_m"][:, :, 2].min(1).max() < 0.2e-3


def test_jump_leaves_the_ground_within_ten_milliseconds():
    spike = {"TTM_L": 200.0, "TTM_R": 200.0}
    out = run(lambda t: spike if 0.1 <= t < 0.1015 else {}, 0.124)
    claws = out["claws_m"][:, :, 2].min(1)
    assert claws[50] < 0.15e-3
    assert claws[56] > 0.2e-3
    assert out["height_m"][60] - out["height_m"][49] > 1.5e-3


@pytest.mark.parametrize(("unit", "fore"), [("TTM", 0.0), ("raise", 5.0)])
def test_a_jump_without_flight_comes_down_on_its_feet(unit: str, fore: float):
    """Standing, by the giant fibre's muscle, and walking, in the long mode."""
    lit = {f"{unit}*": 200.0}
    out = run(lambda t: {"fore": fore} | (lit if 0.1 <= t < 0.1015 else {}), 0.26)
    assert out["claws_m"][:, :, 2].min(1).max() > 0.5e-3
    assert out["upright"][-1] > 0.9
