"""The benchmark of the engine runs and reports what it should; how fast is not asked here."""

from __future__ import annotations

import json

import pytest

from bestiary.brains._surrogate import flywire_surrogate
from bestiary.tasks._bench_engine import bench_engine


def test_bench_reports_all_regimes():
    small = flywire_surrogate(neurons=2000, edges=40_000, real_tables=False)
    notes = []
    report = json.loads(json.dumps(bench_engine(2, 0.02, connectome=small, note=notes.append)))
    assert list(report["regimes"]) == ["sparse", "middle", "dense"]
    for name, found in report["regimes"].items():
        assert found["wall_s_per_s"] > 0 and len(found["all_wall_s_per_s"]) == 2, name
        assert found["spikes_per_s"] > 0 and found["events_per_wall_s"] > 0
    # the driven cells alone give their rate
    assert report["regimes"]["middle"]["spikes_per_s"] > 0.6 * 2000 * 50
    assert report["build_s"]["from_cache"] > 0 and report["peak_bytes"] > 1e8
    assert {"1_steps_us", "10_steps_us", "50_steps_us"} == set(report["small"])
    # regimes take turns
    turns = [n for n in notes if n.endswith("/2")]
    assert turns == [f"{r} {k}/2" for k in (1, 2) for r in ("sparse", "middle", "dense")]
    pytest.importorskip("pyarrow")
    assert report["build_s"]["from_parquet"] > 0
