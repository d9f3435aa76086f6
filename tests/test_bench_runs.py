"""The bench of what keeping a run costs gives shares of one loop."""

from __future__ import annotations

import numpy as np
import pytest

from bestiary.errors import BestiaryError
from bestiary.tasks._bench_runs import bench_runs


def test_shares_of_the_loop():
    got = bench_runs("worm", seconds=0.6, repeats=1, every_s=0.3)
    assert got["life_s"] == 0.6 and got["loop_s"] > 0
    for shares in (got["wall_share"], got["cpu_share"]):
        assert list(shares) == ["recording", "checkpoints", "export", "resume"]
        assert np.isfinite([shares["recording"], shares["checkpoints"], shares["resume"]]).all()
    with pytest.raises(BestiaryError, match="checkpoints within"):
        bench_runs("worm", seconds=1, every_s=2)
