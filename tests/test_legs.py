"""Measures of stepping, paths and acts against tracks whose truth is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from _walk import TETRAPOD, TRIPOD, walk_track
from _wave import wave_track

from bestiary.tasks import _acts as acts
from bestiary.tasks import _legs as legs
from bestiary.tasks import _paths as paths
from bestiary.tasks._summary import summary
from bestiary.tasks._trial import Track


def mean(pair):
    return pair[0] / pair[1]


@pytest.mark.parametrize(("hz", "swing", "speed"), [(10.0, 36.0, 20.0), (6.0, 30.0, 10.0), (14.0, 34.0, 35.0)])
def test_steps_come_back_as_they_were_put_in(hz, swing, speed):
    track = walk_track(hz=hz, swing_ms=swing, speed_mm_per_s=speed)
    assert mean(legs.swing_ms(track)) == pytest.approx(swing, abs=2)
    assert mean(legs.stance_ms(track)) == pytest.approx(1e3 / hz - swing, abs=2)
    assert mean(legs.stride_Hz(track)) == pytest.approx(hz, rel=0.02)
    assert mean(legs.step_length_mm(track)) == pytest.approx(speed / hz, rel=0.06)
    assert mean(paths.walking_speed_mm_per_s(track)) == pytest.approx(speed, rel=0.01)
    assert legs.swing_ms(track)[1] == pytest.approx(6 * (4 * hz - 1.5), abs=6)


def test_tripod_and_tetrapod_are_told_apart():
    tripod, tetrapod = walk_track(phases=TRIPOD), walk_track(phases=TETRAPOD, swing_ms=33.0)
    assert mean(legs.tripod_strength(tripod)) == pytest.approx(1, abs=0.02)
    assert mean(legs.tripod_strength(tetrapod)) < 0.1
    assert mean(legs.legs_down(tetrapod)) == pytest.approx(4, abs=0.1)
    assert mean(legs.legs_down(walk_track(swing_ms=50))) == pytest.approx(3, abs=0.1)
    assert legs.tripod_strength(tripod, least_mm_per_s=30) == (0.0, 0.0)
    assert legs.leg_phase(tetrapod, 2, 0) == pytest.approx(1 / 3, abs=0.03)
    assert legs.antiphase(tripod) > 0.98
    assert legs.antiphase(walk_track(phases=(0.0,) * 6)) < -0.98
    # a middle leg that lifts a tenth of a cycle late: 26 of 46 ms together
    late = walk_track(phases=(0.0, 0.5, 0.6, 0.1, 0.0, 0.5))
    assert mean(legs.tripod_strength(late)) == pytest.approx(26 / 46, abs=0.06)


def test_bounces_are_no_steps():
    track = walk_track()
    load = track.pose["claw_load_N"].copy()
    load[::50] = 0.0
    bounced = replace(track, pose=track.pose | {"claw_load_N": load})
    assert legs.stride_Hz(bounced) == legs.stride_Hz(track)


def test_stance_shortens_with_speed_where_it_does():
    speed = np.repeat([10.0, 20.0, 30.0], 700)
    t = np.arange(len(speed)) * 0.002
    rates = np.repeat([6.0, 9.0, 13.0], 700)
    track = walk_track(seconds=len(t) * 0.002, hz=rates, swing_ms=34.0, speed_mm_per_s=speed)
    assert legs.stance_against_speed(track) < -0.8
    assert math.isnan(legs.swing_against_speed(track))  # always 34 ms: nothing to rank
    assert math.isnan(legs.stance_against_speed(walk_track(seconds=0.2)))


def test_a_body_without_legs_has_no_steps():
    track = wave_track(seconds=5)
    assert legs.stride_Hz(track) == (0.0, 0.0) and legs.legs_down(track) == (0.0, 0.0)
    assert math.isnan(legs.antiphase(track))
    assert mean(paths.ahead_mm_per_s(track)) == pytest.approx(0.15, rel=0.05)  # heading from the midline


def test_backward_and_turning_have_their_signs():
    back = walk_track(speed_mm_per_s=-10.0)
    assert mean(paths.ahead_mm_per_s(back)) == pytest.approx(-10, rel=0.02)
    assert mean(paths.walking_speed_mm_per_s(back)) == pytest.approx(10, rel=0.02)
    t = np.arange(0, 4, 0.002)
    left = walk_track(turn_deg_per_s=np.where((t > 1) & (t < 3), 90.0, 0.0))
    assert mean(paths.turn_deg_per_s(left, 1.2, 2.8)) == pytest.approx(90, rel=0.01)
    assert mean(paths.turn_deg_per_s(left, 3.2)) == pytest.approx(0, abs=0.1)
    assert paths.turn_transience(left, 1.0, 3.0) == pytest.approx(0.5, abs=0.01)
    brief = walk_track(turn_deg_per_s=np.where((t > 1) & (t < 1.5), 90.0, 0.0))
    assert paths.turn_transience(brief, 1.0, 3.0) == pytest.approx(1, abs=0.01)


def test_saccades_are_found_and_sway_and_circling_are_not():
    t = np.arange(0, 4, 0.002)

    def turns(*at, deg=15.0, seconds=0.1):
        return sum(np.where((t >= a) & (t < a + seconds), deg / seconds, 0.0) for a in at)

    track = walk_track(turn_deg_per_s=turns(1.0, 3.0) - turns(2.0))
    assert paths.saccade_deg(track)[1] == 3
    assert mean(paths.saccade_deg(track)) == pytest.approx(15, rel=0.1)
    sway = 200 * np.sin(2 * np.pi * 10 * t)
    assert paths.saccade_deg(walk_track(turn_deg_per_s=sway))[1] == 0
    assert paths.saccade_deg(walk_track(turn_deg_per_s=turns(1.0, 3.0) + sway))[1] == 2
    assert paths.saccade_deg(walk_track(turn_deg_per_s=100.0))[1] == 0


def test_bouts_and_pauses():
    t = np.arange(0, 12, 0.002)
    walking = ((t >= 1) & (t < 3)) | ((t >= 4.5) & (t < 6.5)) | ((t >= 8) & (t < 10))
    track = walk_track(seconds=12, speed_mm_per_s=np.where(walking, 20.0, 0.0))
    assert paths.bout_s(track) == pytest.approx(2, abs=0.12)
    assert paths.pause_s(track) == pytest.approx(1.5, abs=0.12)
    assert mean(paths.moving_share(track)) == pytest.approx(0.5, abs=0.03)
    assert math.isnan(paths.pause_s(walk_track()))
    assert legs.stride_Hz(track)[1] < 6 * 6.1  # standing counts for no stride


def test_tracking_of_patterns_goals_and_altitudes():
    t = np.arange(0, 4, 0.002)
    pattern = np.where(t > 2, -60.0, 0.0)
    track = walk_track(turn_deg_per_s=0.5 * pattern, info={"pattern_deg_per_s": pattern, "upwind_m": 5e-3 * t})
    assert mean(paths.optomotor_gain(track, 2.2, 3.8)) == pytest.approx(0.5, rel=0.01)
    assert mean(paths.with_motion_deg_per_s(track, 2.2, 3.8)) == pytest.approx(30, rel=0.01)
    assert paths.upwind_mm_per_s(track, 1.0, 2.0) == pytest.approx(5)
    heading = paths.heading_rad(track)
    rng = np.random.default_rng(0)
    noisy = {"probe heading_rad": heading + 1.3 + rng.normal(0, 0.2, len(t)), "altitude_error_m": 0 * t - 2e-3}
    track = replace(track, info=track.info | noisy | {"heading_error_rad": 0 * t - 0.1})
    assert paths.compass_error_deg(track) == pytest.approx(math.degrees(0.2), rel=0.1)
    assert paths.compass_error_deg(replace(track, info={"probe heading_rad": 7 * heading})) > 25
    assert mean(paths.altitude_error_mm(track)) == pytest.approx(2)
    assert mean(paths.heading_error_deg(track)) == pytest.approx(math.degrees(0.1))


def test_feeding_and_grooming():
    t = np.arange(0, 4, 0.002)
    track = walk_track(
        proboscis=np.where((t > 2.5) & (t < 3.5), 0.9, 0.1),
        info={"on_sugar": t > 2.0, "dust_antenna": np.exp(-t), "swept_antenna": (t > 1) & (t < 2),
              "swept_eye": t < 0.5, "swept_wing": t > 3},
    )  # fmt: skip
    assert mean(acts.proboscis_share(track)) == pytest.approx(0.25, abs=0.01)
    assert acts.proboscis_response(track) == (1.0, 1.0) and acts.proboscis_response(track, 0, 2) == (0.0, 1.0)
    assert acts.feeding_latency_s(track)[0] == pytest.approx(0.5, abs=0.01)
    assert acts.feeding_latency_s(replace(track, info={"on_sugar": 0 * t})) == (0.0, 0.0)
    assert mean(acts.groom_share(track)) == pytest.approx(0.25, abs=0.01)
    assert mean(acts.dust_left(track)) == pytest.approx(math.exp(-4), rel=0.02)
    assert acts.groom_order(track, ["eye", "antenna", "wing"]) == pytest.approx(1)
    assert acts.groom_order(track, ["wing", "antenna", "eye"]) == pytest.approx(-1)
    assert math.isnan(acts.groom_order(track, ["eye", "antenna"]))


@pytest.mark.parametrize(("push_ms", "short"), [(6, 1.0), (22, 0.0)])
def test_take_off_is_timed(push_ms, short):
    period = 0.001
    t = np.arange(0, 1, period)
    height = 1e-3 + np.maximum(0, t - 0.6) * 0.1  # the push begins at 0.6 s
    gone = t >= 0.6 + push_ms * 1e-3
    track = walk_track(1.0, speed_mm_per_s=0.0, period_s=period, height_m=height, info={"collision_s": 0.7})
    load = np.where(gone[:, None], 0.0, track.pose["claw_load_N"])
    track = replace(track, pose=track.pose | {"claw_load_N": load})
    assert acts.takeoff_s(track, 0.5) == pytest.approx(0.6 + push_ms * 1e-3, abs=0.0011)
    assert acts.takeoff_latency_ms(track, 0.5)[0] == pytest.approx(100 + push_ms, abs=1.1)
    assert acts.takeoff_sequence_ms(track, 0.5)[0] == pytest.approx(push_ms, abs=2)
    assert acts.short_mode_share(track, 0.5) == (short, 1.0) == acts.short_takeoff(track, 0.5)
    assert acts.takeoff_before_collision(track, 0.5) == (1.0, 1.0)
    yaw = np.clip((t - 0.585) / 0.01, 0, 1)[:, None] * -1.0  # wings that go up before the legs push
    winged = replace(track, joints=("wing_yaw_left",), pose=track.pose | {"joint_rad": yaw})
    assert acts.takeoff_sequence_ms(winged, 0.5)[0] == pytest.approx(15 + push_ms, abs=2)
    stays = walk_track(1.0, speed_mm_per_s=0.0, period_s=period, height_m=1e-3, info={"collision_s": 0.7})
    assert acts.takeoff_response(stays, 0.5) == (0.0, 1.0) and acts.takeoff_before_collision(stays, 0.5) == (0.0, 1.0)
    assert acts.short_mode_share(stays, 0.5) == (0.0, 0.0) and acts.short_takeoff(stays, 0.5) == (0.0, 1.0)


def test_wingbeat():
    t = np.arange(0, 0.5, 0.001)
    angle = np.stack([0 * t, np.sin(2 * np.pi * 218 * t)], 1)
    track = walk_track(0.5, period_s=0.001)
    track = replace(track, pose=track.pose | {"joint_rad": angle}, joints=("head", "wing_yaw_left"))
    assert acts.wingbeat_Hz(track) == pytest.approx(218, abs=1)
    assert math.isnan(acts.wingbeat_Hz(track, "head")) and math.isnan(acts.wingbeat_Hz(track, "tail"))
    assert acts.stroke_deg(track, from_s=0.02) == pytest.approx(math.degrees(1), rel=0.02)
    assert math.isnan(acts.stroke_deg(track, "tail"))


def test_a_summary_tells_what_the_body_can_do():
    walker = summary(walk_track(proboscis=0.0, speed_mm_per_s=12.0))
    assert walker["speed in motion"] == (pytest.approx(12, rel=0.02), "mm/s")
    assert walker["strides"][0] == pytest.approx(10, rel=0.05) and "wavelength" not in walker
    crawler = summary(wave_track(seconds=20))
    assert crawler["frequency"][0] == pytest.approx(0.3, rel=0.03) and "strides" not in crawler
    assert summary(walk_track(seconds=0.01)) == {}


def test_a_fish_is_summed_up_in_bouts():
    t = np.arange(0, 6, 0.001)
    speed = np.where((t % 0.6) < 0.15, 0.01, 1e-4)  # ten bouts of 1.5 mm
    beat = np.where((t % 0.6) < 0.15, 300 * np.sin(2 * np.pi * 27 * t), 0)
    x = np.cumsum(speed) * 0.001
    com = np.stack([x, 0 * x, 0 * x], 1)
    midline = com[:, None] - np.linspace(0, 4e-3, 5)[:, None] * np.array([1.0, 0, 0])
    eyes = {"eye_rad": np.zeros((len(t), 2))}
    fish = Track(t, midline, com, np.repeat(beat[:, None], 6, 1), {}, 4e-3, pose=eyes)
    got = summary(fish)
    assert got["bouts"][0] == pytest.approx(100, abs=6) and got["interval between bouts"] == (
        pytest.approx(0.6, abs=0.003),
        "s",
    )
    assert got["way of a bout"][0] == pytest.approx(1.54, abs=0.05)
    assert got["tail beat"][0] == pytest.approx(27, abs=1.5)
    assert got["bouts with a turn over 10 deg"] == (0, "%") and not {"frequency", "wavelength", "reversals"} & set(got)


def test_height_and_falls():
    track = walk_track()
    climbing = replace(track, com_m=track.com_m + np.c_[0 * track.time_s, 0 * track.time_s, 1e-3 * track.time_s])
    assert paths.climbed_mm(climbing, 1.0, 3.0) == pytest.approx(2, abs=0.01)
    assert paths.ended_early(track) == (0.0, 1.0) and paths.ended_early(replace(track, ended="it fell")) == (1.0, 1.0)
