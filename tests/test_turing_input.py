"""Recordings that are wrong are named and refused, or flagged; files are read without running anything in them."""

from __future__ import annotations

import pickle
from dataclasses import replace

import h5py
import numpy as np
import pytest

pytest.importorskip("sklearn")

from bestiary.errors import DataError
from bestiary.tasks.turing import checks, readers, synthetic
from bestiary.tasks.turing.contract import Verdict
from bestiary.tasks.turing.level_d import compare
from bestiary.tasks.turing.series import Cohort, matched

SPECIES = synthetic.Species(rate_Hz=10.0)


@pytest.fixture
def cohort():
    return SPECIES.cohort(4, 40.0)


def changed(cohort, change, animal=0):
    animals = list(cohort.animals)
    animals[animal] = replace(animals[animal], values=change(animals[animal].values.copy()))
    return replace(cohort, animals=tuple(animals))


def refused(cohort, plausible=None):
    return [f.what for f in checks.check(cohort, plausible) if f.kind == "refused"]


def test_good_recordings_are_not_flagged(cohort):
    assert checks.check(cohort) == ()


def test_gaps_are_named_and_left_out(cohort):
    def gap(x):
        x[100:120] = np.nan
        return x

    flags = checks.insist(changed(cohort, gap))
    assert [f.kind for f in flags] == ["note"] and "longest gap 2 s" in str(flags[0])

    def lost(x):
        x[::3, 1] = np.nan
        return x

    (what,) = refused(changed(cohort, lost))
    assert "34%" in what and "bend1_rad" in what and "bend0_rad" not in what

    def never(x):
        x[:, 2] = np.nan
        return x

    assert "nothing was measured of bend2_rad" in refused(changed(cohort, never))[0]


def walk(path, animals=5, frames=480, unit=1.0, every=1, spoil=""):
    """A CSV of worms at 8 Hz."""
    rng = np.random.default_rng(1)
    lines = ["time_s,animal,x_m,y_m"]
    for i in range(animals):
        heading = np.cumsum(0.2 * rng.standard_normal(frames))
        xy = np.cumsum(1.2e-5 * np.stack([np.cos(heading), np.sin(heading)], 1), 0)
        xy = unit * (xy + 1e-6 * rng.standard_normal((frames, 2)))
        for k in range(frames):
            x, y = (f"{v:.9f}" for v in xy[k // every * every])
            lines.append(f"{k / 8},{i},{spoil if spoil and k == 7 else x},{y}")
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"unit": 1000.0}, r"off by 10\^3, are the units right"),
        ({"unit": 0.01}, r"off by 10\^-\d, are the units right|speed_mm_per_s is typically"),
        ({"every": 2}, "the true rate is 4 Hz, not 8: read it with every=2"),
        ({"spoil": "inf"}, "infinite values in x_m"),
        ({"spoil": "fast"}, "line 9: x_m is no number, got 'fast'"),
    ],
)
def test_a_recording_of_ones_own_is_looked_at_before_it_is_smoothed(tmp_path, options, says):
    from bestiary.tasks.turing.own import against

    with pytest.raises(DataError, match=says):
        against(walk(tmp_path / "worms.csv", **options), "worm", None)


def test_repeated_frames_tell_the_true_rate(cohort):
    (what,) = refused(changed(cohort, lambda x: np.repeat(x[::2], 2, 0)))
    assert "true rate is 5 Hz, not 10" in what and "every=2" in what
    (what,) = refused(changed(cohort, lambda x: np.where(np.arange(len(x))[:, None] > 200, x[200], x)))
    assert "held its last value" in what


def test_units_off_by_a_power_of_ten(cohort):
    plausible = {"bend0_rad": (0.05, 3.0)}
    assert refused(cohort, plausible) == []
    (what,) = refused(changed(cohort, lambda x: 1000 * x), plausible)
    assert "off by 10^3" in what
    far = replace(cohort, animals=tuple(replace(a, values=100 * a.values) for a in cohort.animals))
    (flag,) = checks.same_size(cohort, far)
    assert flag.kind == "inconclusive" and "10^2" in flag.what
    assert checks.same_size(cohort, cohort) == ()


def test_duplicate_animals(cohort):
    twice = replace(cohort, animals=(*cohort.animals, replace(cohort.animals[1], name="another")))
    assert "animal 1 and another share" in refused(twice)[0]
    shifted = replace(cohort.animals[1], name="another", values=np.roll(cohort.animals[1].values, 77, 0))
    assert "duplicate" in refused(replace(cohort, animals=(*cohort.animals, shifted)))[0]
    same = replace(cohort, animals=(*cohort.animals[:3], replace(cohort.animals[3], name="animal 0")))
    assert "two animals are called 'animal 0'" in refused(same)[0]


def test_one_animal_only_is_inconclusive(cohort):
    one = cohort.take([0])
    assert [f.kind for f in checks.check(one)] == ["inconclusive"]
    results, _ = compare(one, SPECIES.cohort(4, 40.0, 3), permutations=3, splits=5)
    assert {r.verdict for r in results} <= {Verdict.INCONCLUSIVE, Verdict.NOT_RUN}


def test_unit_doubt_makes_everything_inconclusive(cohort):
    far = SPECIES.cohort(4, 40.0, 3)
    far = replace(far, animals=tuple(replace(a, values=1000 * a.values) for a in far.animals))
    results, _ = compare(cohort, far, permutations=3, splits=5)
    ran = [r for r in results if r.verdict is not Verdict.NOT_RUN]
    assert ran and all(r.verdict in (Verdict.INCONCLUSIVE, Verdict.INVALID) for r in ran)
    assert any("units" in r.reason for r in ran)


def test_rates_and_channels_must_agree(cohort):
    with pytest.raises(DataError, match="5 Hz"):
        matched(cohort, synthetic.Species(rate_Hz=5.0).cohort(4, 40.0))
    with pytest.raises(DataError, match="bend2_rad"):
        matched(cohort, synthetic.Species(rate_Hz=10.0, channels=3).cohort(4, 40.0))
    long, short = matched(cohort, SPECIES.cohort(4, 20.0))
    assert long.seconds == short.seconds == 20


# Files


def csv_text(cohort, animal=True):
    lines = [",".join(["time_s", *(["animal"] if animal else []), *cohort.channels])]
    for a in cohort.animals:
        for k, row in enumerate(a.values):
            cells = [f"{k / a.rate_Hz:.4f}", *([a.name] if animal else []), *(f"{v:.6f}" for v in row)]
            lines.append(",".join(cells))
    return "\n".join(lines)


def test_csv_round_trip_with_gap(cohort, tmp_path):
    path = tmp_path / "tracks.csv"
    text = csv_text(cohort).splitlines()
    path.write_bytes(("\ufeff" + "\r\n".join(text[:50] + text[60:])).encode())  # BOM, CRLF, ten frames missing
    back = readers.read(path)
    assert [a.name for a in back.animals] == [a.name for a in cohort.animals] and back.rate_Hz == pytest.approx(10)
    assert np.isnan(back.animals[0].values[49:59]).all() and np.isfinite(back.animals[0].values[:49]).all()
    assert np.allclose(back.animals[1].values, cohort.animals[1].values, atol=1e-6)
    assert len(back.sha256) == 64


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("time_s,x", "no rows"),
        ("t,x\n0,1\n", "no column time_s"),
        ("time_s,x\n0,1\n0.1,2,3\n", "line 3: 3 cells"),
        ("time_s,x\n0,1\n0.1,two\n0.2,3\n", "line 3"),
        ("time_s,x\n0,1\n0.2,2\n0.1,3\n", "does not go on at frame 2"),
        ("time_s,x\n0,1\n0.1,2\n0.234,3\n0.3,2\n", "not regular"),
        ("time_s\n0\n1\n2\n", "no channels"),
        ("time_s,x,x\n0,1,1\n", "twice"),
    ],
)
def test_bad_csv(tmp_path, text, says):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        readers.read(path)


def test_csv_that_is_not_utf8(tmp_path):
    (tmp_path / "bad.csv").write_bytes(b"time_s,x\n0,1\n0.1,\xff\n")
    with pytest.raises(DataError, match="byte 17"):
        readers.read(tmp_path / "bad.csv")


def hdf5(path, cohort, **more):
    with h5py.File(path, "w") as file:
        for a in cohort.animals:
            group = file.create_group(a.name)
            group["values"] = a.values
            group.attrs["rate_Hz"], group.attrs["channels"] = a.rate_Hz, list(a.channels)
            if a.stimulus is not None:
                group["stimulus"] = a.stimulus


def test_hdf5_round_trip(cohort, tmp_path):
    hdf5(tmp_path / "a.h5", cohort)
    back = readers.read(tmp_path)
    assert back.channels == cohort.channels and len(back) == 4
    assert np.array_equal(back.animals[2].values, cohort.animals[2].values)
    assert np.array_equal(back.animals[2].stimulus, cohort.animals[2].stimulus)
    assert readers.read(tmp_path, every=2).rate_Hz == 5


def test_damaged_hdf5_gives_only_data_errors(cohort, tmp_path):
    hdf5(tmp_path / "a.h5", cohort.take([0, 1]))
    good = (tmp_path / "a.h5").read_bytes()
    rng = np.random.default_rng(0)
    for k in range(40):
        bad = bytearray(good[: rng.integers(1, len(good))] if k % 2 else good)
        for at in rng.integers(0, len(bad), 8):
            bad[at] ^= 0xFF
        (tmp_path / "b.h5").write_bytes(bad)
        try:
            checks.check(readers.read(tmp_path / "b.h5"))
        except DataError as error:
            assert "b.h5" in str(error) or "animal" in str(error)


def test_objects_and_pickles_are_never_loaded(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("worm")
        group.create_dataset("values", data=np.array([b"x", b"y"], dtype=object), dtype=h5py.string_dtype())
        group.attrs["rate_Hz"] = 10.0
    with pytest.raises(DataError, match="never loaded"):
        readers.read(tmp_path / "a.h5")
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([1]))
    with pytest.raises(DataError, match=r"cannot read '\.pkl'"):
        readers.read(tmp_path / "a.pkl")
    with pytest.raises(DataError, match="no recording"):
        readers.read(tmp_path / "none.csv")


def nwb(path, cohort, subject):
    with h5py.File(path, "w") as file:
        file["general/subject/subject_id"] = subject
        group = file.create_group("processing/behavior/Position/centre")
        group["data"] = cohort.animals[0].values[:, :2]
        group["data"].attrs["conversion"], group["data"].attrs["unit"] = 1e-3, "m"
        group["timestamps"] = np.arange(len(group["data"])) / cohort.rate_Hz


def test_nan_keypoints_stay_lost_and_too_many_are_refused(cohort, tmp_path):
    """A keypoint that the tracker lost is a gap in an NWB file, too; what is rarely seen is no measurement."""
    lost = cohort.animals[0].values.copy()
    lost[50:60, 0] = np.nan
    nwb(tmp_path / "a.nwb", replace(cohort, animals=(replace(cohort.animals[0], values=lost),)), "fish")
    back = readers.read(tmp_path / "a.nwb")
    assert np.isnan(back.animals[0].values[50:60, 0]).all() and np.isfinite(back.animals[0].values[50:60, 1]).all()
    assert [f.kind for f in checks.check(back)] == ["inconclusive", "note"]
    lost[::2] = np.nan
    nwb(tmp_path / "b.nwb", replace(cohort, animals=(replace(cohort.animals[0], values=lost),)), "fish")
    with pytest.raises(DataError, match="51% of frames have missing values"):
        checks.insist(readers.read(tmp_path / "b.nwb"))


def test_damaged_nwb_and_csv_give_only_data_errors(cohort, tmp_path):
    nwb(tmp_path / "a.nwb", cohort, "fish")
    (tmp_path / "a.csv").write_text(csv_text(cohort.take([0, 1])))
    rng = np.random.default_rng(1)
    for k in range(40):
        name = ("b.nwb", "b.csv")[k % 2]
        good = (tmp_path / name.replace("b", "a", 1)).read_bytes()
        bad = bytearray(good[: rng.integers(1, len(good))] if k % 4 > 1 else good)
        for at in rng.integers(0, len(bad), 8):
            bad[at] ^= 0xFF
        (tmp_path / name).write_bytes(bad)
        try:
            checks.check(readers.read(tmp_path / name))
        except DataError as error:
            assert name in str(error)


def test_a_wrong_frame_rate_is_named_not_resampled(cohort, tmp_path):
    """Two animals of one file at different rates; a model at another rate than the recording."""
    lines = csv_text(cohort.take([0])).splitlines()
    slow = [f"{k / 5:.4f},slow," + row.split(",", 2)[2] for k, row in enumerate(lines[1:201])]
    (tmp_path / "a.csv").write_text("\n".join([*lines, *slow]))
    with pytest.raises(DataError, match="slow was recorded at 5 Hz, animal 0 at 10 Hz"):
        readers.read(tmp_path / "a.csv")
    with pytest.raises(DataError, match="recorded at 10 Hz, simulated at 5 Hz"):
        compare(cohort, synthetic.Species(rate_Hz=5.0).cohort(4, 40.0))


def test_duplicate_animals_stop_a_comparison(cohort):
    twice = replace(cohort, animals=(*cohort.animals, replace(cohort.animals[1], name="another")))
    with pytest.raises(DataError, match="duplicate animals"):
        compare(twice, SPECIES.cohort(4, 40.0, 3))


def test_nwb_files_of_a_folder_are_a_cohort(cohort, tmp_path):
    for k in range(3):
        nwb(tmp_path / f"{k}.nwb", cohort, f"fish {k}")
    back = readers.read(tmp_path)
    assert [a.name for a in back.animals] == ["fish 0", "fish 1", "fish 2"]
    assert back.channels == ("centre_x m", "centre_y m") and back.rate_Hz == pytest.approx(10)
    assert np.allclose(back.animals[0].values, 1e-3 * cohort.animals[0].values[:, :2])
    assert any("share" in what for what in refused(back)), "the same values three times"


def test_real_nwb_is_read(tmp_path, cohort):
    pynwb = pytest.importorskip("pynwb")
    from datetime import UTC, datetime

    file = pynwb.NWBFile("session", "id", datetime(2026, 1, 1, tzinfo=UTC))
    file.subject = pynwb.file.Subject(subject_id="mouse 7", species="Mus musculus", sex="U", age="P90D")
    module = file.create_processing_module("behavior", "behaviour")
    position = pynwb.behavior.Position(name="Position")
    position.create_spatial_series(
        name="nose", data=cohort.animals[0].values[:, :2], rate=10.0, reference_frame="arena", unit="m"
    )
    module.add(position)
    with pynwb.NWBHDF5IO(tmp_path / "m.nwb", "w") as io:
        io.write(file)
    back = readers.read(tmp_path / "m.nwb")
    assert back.animals[0].name == "mouse 7" and back.rate_Hz == 10
    assert np.allclose(back.animals[0].values, cohort.animals[0].values[:, :2])


def test_an_empty_cohort_is_refused():
    assert refused(Cohort(())) == ["no animals"]
