"""Types of bout by their kinematics, and the distributions of bouts beside recorded fish."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_zebrafish import made_up_track

from bestiary.tasks import _bout_pool, _bouts
from bestiary.tasks._bout_types import TYPES, bout_type_share, bout_types, name


def test_there_are_thirteen_and_each_can_be_met():
    met = {
        name(3, 0.8, 8, 10, False), name(3, 2, 15, 10, False), name(30, 2, 15, 20, False),
        name(80, 2, 15, 20, False), name(3, 4, 50, 10, False), name(40, 4, 50, 20, False),
        name(150, 3, 20, 40, False), name(4, 0.4, 5, 5, True), name(25, 0.5, 6, 20, True),
        name(5, 1.0, 20, 10, True), name(5, 2.0, 20, 10, True), name(130, 5, 90, 110, False),
        name(130, 5, 90, 110, False, late=True),
    }  # fmt: skip
    assert met == set(TYPES) and len(TYPES) == 13


def test_bouts_of_a_made_up_track_are_named():
    track = made_up_track()
    found = bout_types(track)
    assert len(found) == len(_bouts.bouts(track)["start"])
    assert sum(bout_type_share(track, kind)[0] for kind in TYPES) == len(found)
    with pytest.raises(LookupError, match="J-turn"):
        bout_type_share(track, "J-turns")


def test_pooled_bouts_lie_as_near_as_they_do(monkeypatch, tmp_path):
    rng = np.random.default_rng(1)
    real = {k: tuple(rng.exponential(1, 200) for _ in range(6)) for k in _bouts.KINDS}
    monkeypatch.setattr(_bouts, "recorded", lambda: real)
    monkeypatch.setattr(_bout_pool, "recorded", lambda: real)
    like = [{k: rng.exponential(1, 100).tolist() for k in _bouts.KINDS} for _ in range(5)]
    other = [{k: (3 + rng.exponential(1, 100)).tolist() for k in _bouts.KINDS} for _ in range(5)]
    near, far = _bout_pool.pooled(like)[0], _bout_pool.pooled(other)[0]
    assert near["bouts"] == 500 and near["recorded"] == 1200
    assert near["ks"]["value"] < 0.08 and near["ks"]["low95"] <= near["ks"]["high95"]
    assert far["ks"]["value"] > 0.9 and far["wasserstein"]["value"] == pytest.approx(3, abs=0.2)
    assert near["wasserstein"]["fish_high"] < 0.4
    assert "500 bouts and 1200 recorded" in _bout_pool.text([near])
    _bout_pool.draw(like, tmp_path / "bouts.png")
    assert (tmp_path / "bouts.png").stat().st_size > 10_000


def test_the_rest_before_a_bout_is_no_part_of_it():
    """A fish that drifts a little faster and faster was slowest long before its bout."""
    track = made_up_track()
    k = int((track.time_s <= 0.3).sum())  # where the first bout begins

    def rested(x):
        return np.concatenate([np.repeat(x[:1], 200, axis=0), x[k:]])

    time_s = 0.005 * np.arange(len(track.time_s) - k + 200)
    com = rested(track.com_m)
    com[:200, 0] -= 1e-5 * (time_s[200] ** 2 - time_s[:200] ** 2)
    pose = {key: rested(value) for key, value in track.pose.items()}
    late = replace(track, time_s=time_s, midline_m=rested(track.midline_m), com_m=com, pose=pose)
    assert _bouts.bouts(late)["start"][0] < 100
    assert bout_types(late) == bout_types(track)
