"""The fly's eyes: where they look, what they meet, and what a task paints."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest

from bestiary.bodies._eye import Eye, Retina, Sight, fly_retina
from bestiary.bodies._hex import hexagons, neighbours, plane
from bestiary.errors import BestiaryError

UNIT_M = 1e-3


def scene(**ball):
    """An animal of one ball with two eye cameras at the origin, over a black and white ground, before a sphere."""
    spec = mujoco.MjSpec()
    body = spec.worldbody.add_body(name="head")
    body.add_freejoint()
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.5, 0, 0], group=1)
    for name in ("left", "right"):
        body.add_camera(name=name, pos=[0, 0, 0])
    spec.add_texture(
        name="grid", type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0, 0, 0], rgb2=[1, 1, 1], width=64, height=64,
    )  # fmt: skip
    material = spec.add_material(name="grid", texrepeat=[0.25, 0.25], texuniform=True)
    textures = material.textures
    textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "grid"
    material.textures = textures
    spec.worldbody.add_geom(
        name="ground", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[99, 99, 1], pos=[0, 0, -1], material="grid"
    )
    if ball:
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, **ball)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def eye_of(model, rays=3):
    return Eye.of(model, fly_retina(), ("left", "right"), UNIT_M, rays=rays)


class Painted:
    """World luminance: a function of positions."""

    def __init__(self, paint):
        self.paint = paint

    def sample(self, sense, position_m, fraction, time_s):
        assert sense == "luminance" and position_m.shape == (len(fraction), 3)
        return self.paint(position_m)


def test_the_lattice_is_that_of_flyvis():
    axial = hexagons(15)
    assert len(axial) == 721 == 1 + 3 * 15 * 16
    assert axial[0].tolist() == [-15, 0] and axial[1].tolist() == [-15, 1] and axial[-1].tolist() == [15, 0]
    near = neighbours(axial)
    middle = int(np.flatnonzero((axial == 0).all(1))[0])
    assert (near[middle] >= 0).all() and (near >= 0).sum(1).min() == 3
    away = np.linalg.norm(plane(axial)[near[middle]] - plane(axial)[middle], axis=1)
    np.testing.assert_allclose(away, 1)


def test_two_eyes_cover_the_field_and_overlap_in_front():
    retina = fly_retina()
    d = retina.directions
    assert d.shape == (2, 721, 3)
    np.testing.assert_allclose(d[0] * [1, -1, 1], d[1])
    azimuth = np.degrees(np.arctan2(d[0, :, 1], d[0, :, 0]))
    equator = np.abs(d[0, :, 2]) < 0.05
    assert -10 <= azimuth[equator].min() <= -7.5  # the left eye sees 15-20 deg in common with the right
    assert 140 < azimuth[equator].max() < 160
    near = neighbours(retina.axial)
    cosine = (d[0][:, None] * d[0][near]).sum(-1)[near >= 0]
    apart = np.degrees(np.arccos(cosine))
    assert 4.5 < apart.mean() < 6 and apart.min() > 3.5 and apart.max() < 6.5
    # v grows towards the front, u + v / 2 downwards
    x, y = plane(retina.axial).T
    middle = np.abs(y) < 2
    assert np.corrcoef(x[middle], -azimuth[middle])[0, 1] > 0.98
    assert np.corrcoef(y, d[0, :, 2])[0, 1] > 0.95
    assert 0.25 < retina.pale.mean() < 0.35
    with pytest.raises(BestiaryError, match="unit vectors"):
        Retina(2 * d, 0.1, retina.axial, retina.pale)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_dark_ball_is_where_it_stands(side):
    sign = 1 if side == "left" else -1
    model, data = scene(size=[2, 0, 0], pos=[5, sign * 8, 6], rgba=[0, 0, 0, 1])
    seen = eye_of(model).see(model, data, None, 0.0)
    assert seen.shape == (2, 721) and seen.dtype == np.float32
    way = np.array([5, sign * 8, 6]) / math.sqrt(125)
    eye = 0 if side == "left" else 1
    angle = np.arccos(fly_retina().directions[eye] @ way)
    radius = math.asin(2 / math.sqrt(125))
    assert (seen[eye][angle < radius - 0.1] == 0).all() and (angle < radius - 0.1).any()
    above = fly_retina().directions[eye][:, 2] > 0.1
    assert seen[eye][(angle > radius + 0.1) & above] == pytest.approx(0.7)
    assert seen[1 - eye][fly_retina().directions[1 - eye][:, 2] > 0.1] == pytest.approx(0.7)


def test_the_eyes_turn_with_the_head_and_never_see_the_animal():
    model, data = scene(size=[2, 0, 0], pos=[0, 10, 0], rgba=[0, 0, 0, 1])
    eye = eye_of(model)
    before = eye.see(model, data, None, 0.0)
    data.qpos[3:7] = [0, 0, 0, 1]  # half a turn: what was left is right
    mujoco.mj_forward(model, data)
    after = eye.see(model, data, None, 0.0)
    dark = (before < 0.01).sum(1), (after < 0.01).sum(1)
    sky = eye.retina.directions[0][:, 2] > 0.1
    assert before[0][sky].min() < 0.1 < 0.6 < before[1][sky].min()
    assert after[1][sky].min() < 0.1 < 0.6 < after[0][sky].min()
    assert dark[0][0] > 0


def test_a_task_paints_and_leaves_the_rest_to_the_scene():
    model, data = scene()
    eye = eye_of(model, rays=1)
    bare = eye.see(model, data, None, 0.0)
    world = Painted(lambda p: np.where(p[:, 0] > 0, 0.25, np.nan))
    seen = eye.see(model, data, world, 0.0)
    ahead = eye.retina.directions[..., 0] > 0
    assert seen[ahead] == pytest.approx(0.25)
    np.testing.assert_array_equal(seen[~ahead], bare[~ahead])
    places = []
    eye.see(model, data, Painted(lambda p: places.append(p) or np.full(len(p), np.nan)), 0.0)
    down = eye.retina.directions.reshape(-1, 3)[:, 2] < -0.1
    np.testing.assert_allclose(places[0][down][:, 2], -1e-3, atol=1e-12)  # metres, on the ground


def test_the_ground_has_its_tiles_and_they_fade_far_away():
    model, data = scene()
    eye = eye_of(model, rays=1)
    seen = eye.see(model, data, None, 0.0)
    height = eye.retina.directions[..., 2]
    below, far = seen[height < -0.7], seen[(height < -0.01) & (height > -0.04)]
    assert below.std() > 0.3 and np.isin(np.round(below), [0, 1]).all()
    assert far.std() < 0.1 and far.mean() == pytest.approx(0.5, abs=0.1)


def test_acceptance_blurs_an_edge_by_its_width():
    model, data = scene()
    world = Painted(lambda p: (p[:, 1] > 0.5).astype(float))  # bright to the left of a plane 0.5 m away: 30 deg
    sharp, soft = (eye_of(model, rays).see(model, data, world, 0.0)[0] for rays in (1, 7))
    assert set(np.unique(sharp)) == {0.0, 1.0}
    between = (soft > 0.01) & (soft < 0.99)
    away = np.abs(np.degrees(np.arcsin(fly_retina().directions[0][:, 1])) - 30)
    up = fly_retina().directions[0][:, 2] > 0.05
    assert between[up].any() and away[up & between].max() < 5 and not between[up & (away > 5)].any()


def test_pale_ommatidia_see_blue_and_yellow_ones_green():
    model, data = scene(size=[2, 0, 0], pos=[0, 8, 4], rgba=[0, 0, 1, 1])
    eye = eye_of(model, rays=1)
    colours = eye.colours(model, data, None, 0.0)
    ball = (colours[0] == [0, 0, 1]).all(1)
    r8 = eye.see_r8(colours)
    assert (r8[0][ball & eye.retina.pale[0]] == 1).all() and (r8[0][ball & ~eye.retina.pale[0]] == 0).all()
    np.testing.assert_allclose(eye.see(model, data, None, 0.0), colours @ [0.1, 0.5, 0.4], atol=1e-6)


def test_sight_holds_a_frame_for_its_period():
    model, data = scene()
    asked = []
    world = Painted(lambda p: asked.append(1) or np.full(len(p), len(asked) / 10))
    sight = Sight(eye_of(model, rays=1), 0.01)
    first = []
    for step in range(11):
        data.time = step * 0.002
        first.append(float(sight(data, world)[0, 0]))
    assert first == pytest.approx([0.1] * 5 + [0.2] * 5 + [0.3])


def test_a_world_geom_in_the_animals_group_is_refused():
    model, _ = scene(size=[2, 0, 0], pos=[5, 0, 0], group=1)
    with pytest.raises(BestiaryError, match="put it into group 0"):
        eye_of(model)
    with pytest.raises(BestiaryError, match="3 to 7 rays"):
        eye_of(scene()[0], rays=2)
