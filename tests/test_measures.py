"""Measures against tracks whose truth is known, and against recorded animals."""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from _wave import wave_track

from bestiary.assets import registry
from bestiary.errors import DataError
from bestiary.tasks import _gait as gait
from bestiary.tasks import _gradient as gradient
from bestiary.tasks import _measures as fits
from bestiary.tasks import _probes as probes
from bestiary.tasks import _responses as responses
from bestiary.tasks import _states as states
from bestiary.tasks._catalogue import MEASURES, measure
from bestiary.tasks._statistics import estimate
from bestiary.tasks._trial import Track
from bestiary.tasks.chemotaxis import Chemotaxis
from bestiary.tasks.step import Step


@pytest.mark.parametrize(("hz", "wavelength"), [(0.3, 0.65), (0.45, 0.9), (1.76, 1.54)])
def test_the_wave_comes_back_as_it_was_put_in(hz, wavelength):
    track = wave_track(hz=hz, wavelength=wavelength, seconds=30, amplitude_per_mm=4)
    assert gait.frequency_Hz(track, "all") == pytest.approx(hz, rel=0.01)
    assert gait.wavelength_L(track, "all") == pytest.approx(wavelength, rel=0.02)
    assert gait.wave_speed_mm_per_s(track, "all") == pytest.approx(hz * wavelength, rel=0.03)
    assert gait.rhythm_share(track, "all") > 0.95
    assert gait.rms_curvature_per_mm(track, "all") == pytest.approx(4 / math.sqrt(2), rel=0.02)
    assert gait.peak_curvature_per_mm(track, "all") == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize(("hz", "wavelength"), [(0.3, 0.65), (0.45, 0.9), (1.76, 1.54)])
def test_the_measures_of_fits_and_of_reports_agree(hz, wavelength):
    """Two ways to one number: a fit needs it smooth and always finite, a report only where it means something."""
    track = wave_track(hz=hz, wavelength=wavelength, seconds=30, amplitude_per_mm=4)
    assert math.exp(fits.log_frequency(track)) == pytest.approx(gait.frequency_Hz(track, "all"), rel=0.02)
    assert 1 / fits.wavenumber_L(track) == pytest.approx(gait.wavelength_L(track, "all"), rel=0.03)
    assert fits.bending_per_mm(track) == pytest.approx(gait.rms_curvature_per_mm(track, "all"), rel=0.02)
    assert fits.body_speed_mm_per_s(track) == pytest.approx(gait.forward_speed_mm_per_s(track, "all"), rel=0.02)
    assert fits.wavenumber_L(replace(track, curvature_per_m=track.curvature_per_m[:, ::-1])) < 0


def test_a_fit_sees_what_touches_do():
    """A straight body at 0.2 mm/s: 0.04 faster from a touch behind at 4 s, backing at 0.08 from one in front."""
    t = np.arange(0, 16, 0.05)

    def straight(v):
        com = np.c_[np.cumsum(v * 1e-3) * 0.05, 0 * t, 0 * t]
        midline = com[:, None] + np.linspace(0.5e-3, -0.5e-3, 26)[:, None] * np.array([1.0, 0, 0])
        info = {"touches": (t >= 4).astype(float) + (t >= 10), "touch_place": np.where(t < 10, 0.8, 0.2)}
        return Track(t, midline, com, np.zeros((len(t), 24)), info, 1e-3)

    track, sham = straight(np.select([t < 4, t < 10, t < 12], [0.2, 0.24, -0.08], 0.2)), straight(0 * t + 0.2)
    assert fits.speeding_mm_per_s(track, sham) == pytest.approx(0.04, abs=0.003)
    assert fits.backing_mm_per_s(track) == pytest.approx(0.08, abs=0.003) == fits.unasked_mm_per_s(track)
    assert fits.unasked_mm_per_s(track.between(0, 8)) == 0
    assert math.isnan(fits.backing_mm_per_s(track.after(11)))


def test_no_rhythm_is_nan():
    rng = np.random.default_rng(0)
    track = wave_track(seconds=30)
    still = replace(track, curvature_per_m=np.full_like(track.curvature_per_m, 3e3))
    noise = replace(track, curvature_per_m=4e3 * rng.standard_normal(track.curvature_per_m.shape))
    standing = 4e3 * np.cos(2 * np.pi * 0.3 * track.time_s)[:, None] * np.ones(24)
    for dull in (still, noise):
        assert math.isnan(gait.frequency_Hz(dull, "all"))
        assert math.isnan(gait.wavelength_L(dull, "all"))
    assert gait.rhythm_share(noise, "all") < 0.4
    assert math.isnan(gait.wavelength_L(replace(track, curvature_per_m=standing), "all"))


def test_speeds_are_those_of_the_track_and_scale_with_the_body():
    for length in (1e-3, 4e-3):
        track = wave_track(speed_L_per_s=0.2, length_m=length, amplitude_per_mm=4e-3 / length)
        assert gait.forward_speed_mm_per_s(track) == pytest.approx(0.2 * length * 1e3, rel=0.02)
        assert gait.centroid_speed_mm_per_s(track) == pytest.approx(0.2 * length * 1e3, rel=0.02)
        assert gait.speed_over_wave_speed(track) == pytest.approx(0.2 / (0.3 * 0.65), rel=0.04)


def test_a_pure_wave_lies_in_two_modes():
    track = wave_track()
    assert gait.posture_variance(track, 2) > 0.999
    assert gait.posture_variance(track, 1) < 0.9
    assert math.isnan(gait.posture_variance(replace(track, curvature_per_m=0 * track.curvature_per_m)))


def _with_reversals(times, seconds=60.0):
    t = np.arange(0, seconds, 0.05)
    speed = np.full(len(t), 0.2)
    for start, stop in times:
        speed[(t >= start) & (t < stop)] = -0.2
    return wave_track(seconds=seconds, speed_L_per_s=speed)


@pytest.mark.parametrize("by", ["motion", "wave"])
def test_reversals_are_found_where_they_were_put(by):
    track = _with_reversals([(10, 13), (30, 34), (45, 45.4)])
    found = states.reversals(track, 1.0, by=by)
    assert [r.start_s for r in found] == pytest.approx([10, 30], abs=0.4)
    assert [r.seconds for r in found] == pytest.approx([3, 4], abs=0.5)
    count, minutes = states.reversals_per_min(track, by=by)
    assert count == 2 and minutes == pytest.approx(1, abs=0.01)
    shares = {s: np.divide(*states.time_share(track, s, by)) for s in ("forward", "reversing", "paused")}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["reversing"] == pytest.approx(7.4 / 60, abs=0.01)
    assert states.omega_share(track, by=by) == (0.0, 2.0)


def test_an_omega_after_a_reversal_counts_and_one_apart_does_not():
    track = _with_reversals([(10, 13), (30, 34)])
    bend = np.zeros((len(track.time_s), 1))
    bend[(track.time_s > 34.5) & (track.time_s < 36)] = 5.5e3  # per m: an open circle
    bend[(track.time_s > 50) & (track.time_s < 51)] = 5.5e3
    track = replace(track, curvature_per_m=track.curvature_per_m + bend)
    assert states.omega_share(track) == (1.0, 2.0)
    assert states.omegas_per_min(track)[0] == 2
    assert 0 < np.divide(*states.time_share(track, "turning")) < 0.06


def test_a_strong_wave_is_not_an_omega():
    assert states.omegas_per_min(wave_track(amplitude_per_mm=12))[0] == 0
    assert states.omegas_per_min(wave_track(amplitude_per_mm=12, wavelength=1.0))[0] == 0


def test_a_still_body_is_paused():
    track = wave_track(speed_L_per_s=0.0)
    still = replace(track, midline_m=np.repeat(track.midline_m[:1], len(track.time_s), 0))
    assert np.divide(*states.time_share(still, "paused")) == 1
    assert gait.forward_speed_mm_per_s(still) == 0


def _touched(track: Track, times, places):
    begun = np.sum([track.time_s >= t for t in times], 0).astype(float)
    place = np.select([track.time_s >= t for t in times[::-1]], places[::-1], -1.0)
    return replace(track, info={"touches": begun, "touch_place": place, "touch_N": 0 * begun})


def test_touch_responses_are_told_from_none():
    track = _touched(_with_reversals([(10.5, 13), (30, 34)]), [10.0, 20.0, 32.0], [0.2, 0.8, 0.2])
    assert responses.reversal_response(track) == (1.0, 2.0)  # the third came during a reversal: not judged
    assert responses.reversal_response(track, where="front") == (1.0, 1.0)
    assert responses.reversal_response(track, where="rear") == (0.0, 1.0)
    total, count = responses.reversal_latency_s(track)
    assert count == 1 and total == pytest.approx(0.5, abs=0.4)
    assert responses.reversal_response(track, at_s=[29.5]) == (1.0, 1.0)
    assert responses.stimuli_s(track.after(15.0)) == pytest.approx([20.0, 32.0])  # the touch at 10 s was cut off


def test_speed_after_a_stimulus_does_not_hang_on_the_phase_of_the_gait():
    """A speed that swings with the gait: means over 3 s differ between phases, over whole periods they do not."""
    t = np.arange(0, 40, 0.05)
    swing = 0.15 + 0.1 * np.sin(2 * np.pi * 0.45 * t)
    track = wave_track(seconds=40, speed_L_per_s=swing, hz=0.45)
    touched = _touched(track, [20.0, 20.7, 21.5, 22.0], [0.2, 0.8, 0.2, 0.2])
    speeds = [responses.speed_after_mm_per_s(touched, at_s=[at])[0] for at in (20.0, 20.7, 21.5, 22.0)]
    assert max(speeds) - min(speeds) < 0.003
    raw = [swing[(t >= at) & (t < at + 3)].mean() for at in (20.0, 20.7, 21.5, 22.0)]
    assert max(raw) - min(raw) > 0.03
    assert responses.speed_after_mm_per_s(touched, where="rear")[1] == 1
    assert responses.speed_after_mm_per_s(track.after(39.0), at_s=[39.5]) == (0.0, 0.0)  # nothing is left to average


def test_faster_than_the_sham_of_the_same_seed():
    t = np.arange(0, 40, 0.05)
    base = np.random.default_rng(0).uniform(0.1, 0.3, 6)  # seeds differ more than the touch does
    touched = [wave_track(seconds=40, speed_L_per_s=np.where(t < 20, v, v + 0.04)) for v in base]
    sham = [wave_track(seconds=40, speed_L_per_s=v) for v in base]
    fast, slow = ([responses.speed_after_mm_per_s(k, at_s=[20.0]) for k in arm] for arm in (touched, sham))
    assert estimate([fast, slow], "exceeds", margin=0.02).value == 1
    assert estimate([slow, fast], "exceeds", margin=0.02).value == 0
    assert estimate([fast, slow], "exceeds", margin=0.06).value == 0
    assert estimate([fast, slow], "exceeds", margin=0.02).low95 == pytest.approx(0.61, abs=0.01)  # Wilson, 6 of 6


def _in_field(track: Track, task: Chemotaxis, source) -> Track:
    source = np.array(source)
    nose = track.midline_m[:, 0]
    slope = task.gradient_per_m(source, nose)
    index = 1 - np.linalg.norm(nose[:, :2] - source, axis=1) / np.linalg.norm(nose[0, :2] - source)
    return replace(
        track,
        info={
            "concentration": task.concentration(source, nose),
            "gradient_x_per_m": slope[:, 0],
            "gradient_y_per_m": slope[:, 1],
            "source_x_m": np.full(len(nose), source[0]),
            "source_y_m": np.full(len(nose), source[1]),
            "chemotaxis_index": np.cumsum(index) / np.arange(1, len(nose) + 1),
        },
    )


@pytest.mark.parametrize("kind", ["gaussian", "linear"])
def test_the_gradient_is_the_derivative_of_the_field(kind):
    task, source = Chemotaxis(kind=kind), np.array([3e-3, 4e-3])
    at, h = np.array([[1e-3, -0.5e-3], [2e-3, 2.5e-3]]), 1e-7
    for axis in (0, 1):
        step = np.eye(2)[axis] * h
        numeric = (task.concentration(source, at + step) - task.concentration(source, at - step)) / (2 * h)
        np.testing.assert_allclose(task.gradient_per_m(source, at)[:, axis], numeric, rtol=1e-5)


def test_indices_know_the_source_from_its_mirror_image():
    track = wave_track(seconds=60, speed_L_per_s=0.2, wavelength=0.65)  # goes 12 mm along +x
    task = Chemotaxis(source_m=10e-3)
    to, away = _in_field(track, task, [10e-3, 0]), _in_field(track, task, [-10e-3, 0])
    assert gradient.plate_index(to) == 1 and gradient.plate_index(away) == -1
    assert gradient.plate_index(_in_field(track, task, [0, 10e-3])) == 0
    assert gradient.chemotaxis_index(to) > 0.3 > -0.3 > gradient.chemotaxis_index(away)


def test_curving_up_the_gradient_has_a_positive_slope():
    """A path that swings from side to side in a gradient across it that is in proportion to its curving."""
    track = wave_track(seconds=300, speed_L_per_s=0.2)
    t = track.time_s
    heading, curving = np.sin(2 * np.pi * t / 60), np.gradient(np.sin(2 * np.pi * t / 60), t)
    com = np.cumsum(0.2e-3 * 0.05 * np.stack([np.cos(heading), np.sin(heading), 0 * t], 1), 0)
    left = np.stack([-np.sin(heading), np.cos(heading)], 1)
    for sign in (1, -1):
        g = sign * 50e3 * curving[:, None] * left  # per m, for a curving in rad/s
        a, b = gradient.curving_slope(
            replace(track, com_m=com, info={"gradient_x_per_m": g[:, 0], "gradient_y_per_m": g[:, 1]})
        )
        assert a / b == pytest.approx(sign * math.degrees(1 / 0.2) / 50, rel=0.1)


def test_turns_while_the_concentration_falls_are_klinokinesis():
    track = _with_reversals([(20, 22), (40, 42)])
    t = track.time_s
    down = ((t > 15) & (t < 25)) | ((t > 35) & (t < 45))
    c = 50 + np.cumsum(np.where(down, -1.0, 1.0)) * 0.05
    fell = replace(track, info={"concentration": c})
    assert gradient.turns_per_min(fell, "down")[0] == 2
    assert gradient.turn_bias(fell) > 3
    assert gradient.turn_bias(replace(track, info={"concentration": 100 - c})) < -1


def test_a_step_is_there_when_it_should_be():
    task = Step(values=(50, 60, 50), times_s=(0.0, 20.0, 40.0))
    assert [task.value(t) for t in (0, 19.99, 20, 39, 40, 1e3)] == [50, 50, 60, 60, 50, 50]
    with pytest.raises(ValueError, match="rising from 0"):
        Step(values=(1, 2), times_s=(0.0,))


def test_an_unknown_measure_gets_the_nearest():
    with pytest.raises(LookupError, match="frequency_Hz"):
        measure("frequency_hz")
    assert all(f.__doc__ for f in MEASURES.values())


# Recorded animals


@pytest.fixture(scope="module", autouse=True)
def data_beside_the_checkout():
    """BESTIARY_DATA, or the folder that stands in for the downloads."""
    place = Path(__file__).resolve().parents[2] / "shared" / "data"
    with pytest.MonkeyPatch.context() as patch:
        if "BESTIARY_DATA" not in os.environ and place.is_dir():
            patch.setenv("BESTIARY_DATA", str(place))
        yield


def _data(name: str) -> Path:
    try:
        return registry.path(name)
    except DataError as error:
        pytest.skip(str(error))


def _filled(x: np.ndarray) -> np.ndarray:
    x, i = x.copy(), np.arange(len(x))
    for column in x.T:
        bad = np.isnan(column)
        column[bad] = np.interp(i[bad], i[~bad], column[~bad])
    return x


@pytest.fixture(scope="module")
def recorded_posture() -> Track:
    """35 min of one N2 from its 5 eigenworm amplitudes, 16 Hz; no places, so it slides nowhere."""
    shapes = np.loadtxt(_data("worm-eigenworms") / "EigenWorms.csv", delimiter=",")
    angles = _filled(np.load(_data("worm-eigenworm-series") / "eigenworm.npy")) @ shapes[:, :5].T
    n = angles.shape[1]
    at = np.arange(1, 25) / 25 * n - 1
    low = at.astype(int)
    bend = np.diff(angles, axis=1, append=angles[:, -1:])
    curvature = sum(bend[:, low + d] for d in (-2, -1, 0, 1, 2)) / 5 * n / 1e-3
    time = np.arange(len(angles)) / 16
    midline = np.zeros((len(angles), 26, 3))
    return Track(time, midline, midline[:, 0], curvature, {}, 1e-3)


def test_recorded_postures_give_the_published_gait(recorded_posture):
    """W03: 0.40 +- 0.05 Hz, 0.70 L, rms 6.6 / L over forward bouts of 6 s or longer."""
    spans = states.bouts(recorded_posture, "forward", 6, "wave:worm-eigenworms")
    place = gait.places(recorded_posture)
    kymograph = recorded_posture.curvature_per_m * 1e-3
    found = [gait.rhythm(kymograph[b], 1 / 16, place) for b in spans]
    assert 35 <= len(spans) <= 70
    assert np.nanmean([r.frequency_Hz for r in found]) == pytest.approx(0.40, abs=0.05)
    assert np.nanmedian([r.wavelength_L for r in found]) == pytest.approx(0.70, abs=0.05)
    assert math.sqrt(np.mean([(kymograph[b] ** 2).mean() for b in spans])) == pytest.approx(6.6, rel=0.1)
    assert gait.posture_variance(recorded_posture, 4) > 0.95


def test_recorded_postures_give_the_published_states(recorded_posture):
    """W07: 79 / 17 / 5 %; W15: 2.7 per min, 3.1 s."""
    by = "wave:worm-eigenworms"
    shares = [np.divide(*states.time_share(recorded_posture, s, by)) for s in ("forward", "reversing", "paused")]
    assert shares == pytest.approx([0.79, 0.17, 0.05], abs=0.015)
    assert np.divide(*states.reversals_per_min(recorded_posture, by=by)) == pytest.approx(2.7, abs=0.2)
    assert np.divide(*states.reversal_s(recorded_posture, by=by)) == pytest.approx(3.1, abs=0.4)
    assert 0.2 < np.divide(*states.omega_share(recorded_posture, by=by)) < 0.5  # W17; `coiled` was set to it


def test_recorded_centroids_give_the_published_speed():
    """W05: 0.136 mm/s, animals from 0.086 to 0.194."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(_data("worm-foraging") / "worm_centroids.h5") as file:
        paths = file["X_cm"][:].astype(float)  # mm; 0 where lost
    speeds = []
    for path in paths:
        path = _filled(np.where((path == 0).all(1, keepdims=True), np.nan, path)) * 1e-3
        n = len(path)
        com = np.c_[path, np.zeros(n)]
        track = Track(np.arange(n) / 16, np.zeros((n, 2, 3)), com, np.zeros((n, 1)), {}, 1e-3)
        speeds.append(gait.centroid_speed_mm_per_s(track))
    assert np.mean(speeds) == pytest.approx(0.136, abs=0.003)
    assert min(speeds) == pytest.approx(0.086, abs=0.003) and max(speeds) == pytest.approx(0.194, abs=0.003)


def test_spikes_time_latencies_and_contests():
    t = np.arange(0, 1, 0.002)
    rate = {name: np.where(np.abs(t - at) < 1e-3, 500.0, 0.0) for name, at in (("GF", 0.506), ("TTM", 0.508))}
    info = {f"Hz {n}": r for n, r in rate.items()} | {f"mV {n}": 0 * t for n in rate} | {"Hz idle": 0 * t, "mV idle": t}
    track = Track(t, np.zeros((len(t), 2, 3)), np.zeros((len(t), 3)), np.zeros((len(t), 0)), info, 1e-3)
    assert probes.latency_ms(track, "GF", "TTM") == (pytest.approx(2), 1.0)
    assert probes.latency_ms(track, "GF", "TTM", from_s=0.6) == (0.0, 0.0)
    assert probes.wins(track, "GF", "idle") == (1.0, 1.0) and probes.wins(track, "idle", "GF") == (0.0, 1.0)
    assert probes.wins(track, "GF", "TTM") == (0.0, 1.0) and probes.wins(track, "GF", "TTM", 0.6) == (0.0, 0.0)
    graded = replace(track, info={"mV a": 10 * t, "mV b": 4 * t})
    assert probes.wins(graded, "a", "b") == (1.0, 1.0)
    assert probes.latency_ms(graded, "a", "b", above_mV=2.0)[0] == pytest.approx(300, abs=5)
