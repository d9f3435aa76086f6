"""Video is streamed, plays at the right speed, and shows what it is given."""

from __future__ import annotations

import tracemalloc

import imageio.v3 as iio
import numpy as np
import pytest
from _stub_animal import StubAnimal
from _stub_body import StubBody
from test_envs import needs_drawing

from bestiary.envs import EmbodiedEnv
from bestiary.envs.video import Film, Scroll, Stage, VideoWriter, _fit, by_class
from bestiary.errors import DataError


def test_frames_come_back_in_order_and_at_their_rate(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 25, (161, 91)) as video:
        for i in range(50):
            video.add(np.full((91, 161, 3), 5 * i, np.uint8))
    back = iio.imread(tmp_path / "a.mp4", plugin="pyav")
    assert back.shape == (50, 92, 162, 3)
    np.testing.assert_allclose(back.mean((1, 2, 3)), 5 * np.arange(50), atol=4)
    about = iio.immeta(tmp_path / "a.mp4", plugin="pyav")
    assert about["fps"] == 25 and about["codec"] == "h264" and about["video_format"] == "yuv420p"


def test_video_is_not_held_in_memory(tmp_path):
    frame = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    with VideoWriter(tmp_path / "a.mp4", 30, (160, 120)) as video:
        video.add(frame)
        tracemalloc.start()
        for _ in range(100):
            video.add(frame)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held < 5 * frame.nbytes


def test_bad_video(tmp_path):
    with pytest.raises(DataError, match="cannot write"):
        VideoWriter(tmp_path / "no" / "folder.mp4", 30, (16, 16))
    with pytest.raises(ValueError, match="fps"):
        VideoWriter(tmp_path / "a.mp4", 0, (16, 16))
    with VideoWriter(tmp_path / "b.mp4", 30, (16, 16)) as video:
        with pytest.raises(ValueError, match="expected a frame"):
            video.add(np.zeros((8, 8, 3), np.uint8))
        video.add(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(DataError, match="closed"):
        video.add(np.zeros((16, 16, 3), np.uint8))


def test_a_scroll_shows_the_past_at_the_left():
    scroll = Scroll((100, 20), 2, seconds=1.0, limits=(0, 1), cmap="gray")
    for i in range(100):
        scroll.add(np.array([i >= 50, i < 50], float), i * 0.01)
    picture = scroll.draw()[..., 0] > 128
    assert not picture[5, :48].any() and picture[5, 52:].all()  # first channel above, low and then high
    assert picture[15, :48].all() and not picture[15, 52:].any()


def test_a_stage_puts_neurons_of_a_group_together_and_muscles_in_rows():
    assert by_class(["b", "c", "a"]).tolist() == [2, 0, 1]
    assert by_class(["b", "c", "a"], ["y", "x", "y"]).tolist() == [1, 2, 0]
    muscles = [f"M{row}{i:02d}" for row in ("DL", "DR", "VL", "VR") for i in range(1, 4)]
    assert by_class(["VA10", "VA2", "VA1", "AVAL"]).tolist() == [3, 2, 1, 0]
    stage = Stage((400, 240), (240, 240), neurons=StubAnimal.names, muscles=muscles, title="t")
    body = np.full((240, 240, 3), 77, np.uint8)
    silent = stage.draw(body, 0.0, np.full(4, -40.0), np.zeros(12))
    active = stage.draw(body, 0.1, np.full(4, -40.0), np.repeat([1.0, 0, 0, 0], 3))
    assert silent.shape == (240, 400, 3) and (silent[60:, :240] == 77).all()
    x, y, wide, tall = stage._muscle
    changed = np.abs(active.astype(int) - silent)[y : y + 4 * tall, x : x + wide].max((1, 2)) > 50
    assert changed[: tall - 2].all() and not changed[tall:].any()
    plain, told = (Stage((400, 240), (240, 240), foot=foot).draw(body, 0.0) for foot in ("", "cord: tuned"))
    assert (told != plain)[-17:, 252:].any() and (told == plain)[:-17].all()
    with pytest.raises(ValueError, match="no room"):
        Stage((300, 240), (240, 240))


def test_a_label_keeps_to_its_column():
    from PIL import ImageFont

    font = ImageFont.load_default(10)
    assert _fit("cord", 56, font) == "cord"
    assert 40 < font.getlength(_fit("descending neurons", 56, font)) <= 56


@needs_drawing
@pytest.mark.parametrize("slow_motion", [1.0, 2.0])
def test_a_film_lasts_as_long_as_what_it_shows(tmp_path, slow_motion):
    env = EmbodiedEnv(StubBody(), "locomotion", render_mode="rgb_array", width=120, height=120)
    animal = StubAnimal()
    obs, info = env.reset(seed=0)
    animal.reset(info["episode_seed"])
    with Film(tmp_path / "a.mp4", env, animal, fps=20, slow_motion=slow_motion, size=(280, 160)) as film:
        for _ in range(60):
            obs = env.step(animal.act(obs))[0]
            film.add("forward")
    back = iio.imread(tmp_path / "a.mp4", plugin="pyav")
    assert len(back) / 20 == pytest.approx(0.6 * slow_motion, abs=0.06)
    assert back[-1].std() > 10 and not np.array_equal(back[0], back[-1])
