"""Contract, rubric, guard, ledger, trials and the whole examination of a worm with a small budget."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("jinja2")

from bestiary import assets
from bestiary.assets import registry
from bestiary.errors import BestiaryError, DataError
from bestiary.tasks.turing import contract, guard, level_c, level_d, level_e, level_f, pipeline, sources, synthetic
from bestiary.tasks.turing.contract import Margin, Outcome, Result, Verdict, judge, level_verdict, validate
from bestiary.tasks.turing.controls import CONTROLS
from bestiary.tasks.turing.definitions import LEVELS, TESTS
from bestiary.tasks.turing.exam import FAST, Budget
from bestiary.tasks.turing.ledger import Ledger
from bestiary.tasks.turing.policies import Candidate
from bestiary.tasks.turing.report import html
from bestiary.tasks.turing.rubric import DIMENSIONS, PUBLISHED, Facts, levels, score
from bestiary.tasks.turing.sequential import sign
from bestiary.tasks.turing.suite import examine
from bestiary.tasks.turing.trials import Done, Trial, run, run_all

HERE = Path(__file__).resolve().parents[1]
if "BESTIARY_DATA" not in os.environ and (HERE.parent / "shared" / "data").is_dir():
    os.environ["BESTIARY_DATA"] = str(HERE.parent / "shared" / "data")


def has(name):
    try:
        return registry.found(name)
    except DataError:
        return False


needs_tracks = pytest.mark.skipif(not has("worm-foraging"), reason="needs the data worm-foraging: BESTIARY_DATA")

# Contract


def test_verdicts_are_of_intervals():
    margin = Margin(high=0.1)
    assert margin.judge(-0.2, 0.09) is Verdict.PASS
    assert margin.judge(0.11, 0.5) is Verdict.FAIL
    assert margin.judge(0.05, 0.2) is Verdict.INCONCLUSIVE, "failing to reject is no PASS"
    assert margin.judge(float("nan"), 0.0) is Verdict.INCONCLUSIVE
    both = Margin(-1, 1)
    assert [both.judge(a, b) for a, b in ((-0.9, 0.9), (1.1, 3), (-3, -1.1), (-2, 0))] == [
        Verdict.PASS,
        Verdict.FAIL,
        Verdict.FAIL,
        Verdict.INCONCLUSIVE,
    ]


def a_result(low=0.0, high=0.05, animals=8, **more):
    return judge(replace(TESTS["D.arrow"], **more), Outcome((low + high) / 2, low, high, animals, animals))


def test_few_animals_cannot_pass():
    assert a_result().verdict is Verdict.PASS
    assert a_result(animals=3).verdict is Verdict.INCONCLUSIVE and "weak" in a_result(animals=3).reason
    assert a_result(animals=1).verdict is Verdict.INCONCLUSIVE


def test_a_passed_control_or_false_alarms_make_it_invalid():
    good = a_result()
    control = {"K17": (0.0, -0.1, 0.05, Verdict.PASS)}
    assert validate(replace(good, controls=control)).verdict is Verdict.INVALID
    assert validate(replace(good, controls={"K1": control["K17"]})).verdict is Verdict.PASS, "K1 need not fail here"
    assert validate(replace(good, false_alarms=0.06)).verdict is Verdict.INVALID
    assert validate(replace(good, false_alarms=0.05)).verdict is Verdict.PASS
    again = replace(good, controls={"K18": (0.5, 0.4, 0.6, Verdict.FAIL)})
    assert validate(again).verdict is Verdict.INCONCLUSIVE and "new seeds" in validate(again).reason
    unsure = replace(good, controls={"K18": (0.1, 0.0, 0.2, Verdict.INCONCLUSIVE)})
    assert validate(unsure).verdict is Verdict.PASS
    assert contract.not_run(TESTS["D.arrow"], "why").verdict is Verdict.NOT_RUN


def test_levels_need_every_test_and_not_run_is_no_pass():
    good = a_result()
    fail, unsure = a_result(0.2, 0.3), a_result(0.0, 0.2)
    missing = contract.not_run(TESTS["D.dwell"], "why")
    assert level_verdict([good, good]) is Verdict.PASS
    assert level_verdict([good, missing]) is Verdict.INCONCLUSIVE
    assert level_verdict([missing]) is Verdict.NOT_RUN
    assert level_verdict([good, unsure]) is Verdict.INCONCLUSIVE
    assert level_verdict([good, fail]) is Verdict.FAIL
    assert level_verdict([fail, replace(good, verdict=Verdict.INVALID)]) is Verdict.INVALID


def test_margins_are_frozen(tmp_path, monkeypatch):
    known = contract.margins()
    assert set(known) == set(TESTS)
    assert known["D.turing.0.1s"].high == 0.6
    now = contract.EDITIONS[contract.VERSION]
    monkeypatch.setitem(contract.EDITIONS, contract.VERSION, replace(now, margins_sha256="0" * 64))
    contract.margins.cache_clear()
    with pytest.raises(DataError, match=r"margins\.toml was changed"):
        contract.margins()
    monkeypatch.undo()
    contract.margins.cache_clear()
    changed = [name.rstrip(".") for name in now.changed]
    assert changed and all(any(test.startswith(name) for test in TESTS) for name in changed)


def test_fails_are_corrected_for_their_number():
    weak, strong = a_result(0.11, 0.2), a_result(0.5, 0.6)
    out = contract.holm([weak, a_result(), strong])
    assert [len(r.notes) for r in out] == [1, 0, 1] and "2 FAILs" in out[0].notes[0]
    alone = contract.holm([weak])[0].notes[0]
    assert float(alone.split()[2]) <= float(out[0].notes[0].split()[2])
    assert contract._p_outside(a_result(0.1, 0.2)) == pytest.approx(0.05, abs=1e-3), "a bound at the margin is p = 0.05"


def test_what_was_not_asked_beforehand_gets_a_rate_of_false_discovery():
    p = [0.01, 0.02, 0.03, 0.04, 0.5]
    assert contract.false_discovery(p) == pytest.approx([0.05, 0.05, 0.05, 0.05, 0.5])
    assert contract.false_discovery([0.5, 0.001]) == pytest.approx([0.5, 0.002]) and contract.false_discovery([]) == []
    rng = np.random.default_rng(0)
    found = [min(contract.false_discovery(rng.random(50).tolist())) < 0.05 for _ in range(400)]
    assert np.mean(found) < 0.08, "none of them true: false ones in 5 % of families"


def test_the_rank_of_a_model_among_animals():
    from bestiary.tasks.turing.distance import euclidean, rank_p

    rng = np.random.default_rng(0)
    real, mask = rng.standard_normal((19, 3)), np.r_[np.ones(19, bool), np.zeros(4, bool)]
    far = rank_p(euclidean(np.r_[real, 9 + rng.standard_normal((4, 3))]), mask)
    assert far == pytest.approx(0.05), "19 animals resolve 0.05, and no less"
    alike = [rank_p(euclidean(rng.standard_normal((23, 3))), mask) for _ in range(200)]
    assert 0.3 < np.mean(alike) < 0.75 and np.mean(np.array(alike) <= 0.05) < 0.1


def test_every_test_declares_its_contract():
    for t in TESTS.values():
        assert t.level in LEVELS and t.about and t.statistic and t.version == contract.VERSION and 0 < t.power < 1
        assert set(t.controls) <= set(CONTROLS) | {"replay", "decoupled"}
    assert set(CONTROLS) == {f"K{i}" for i in range(19)}
    needed = set("BCDEF")
    for level in needed:
        assert any(level in s.must_fail for s in CONTROLS.values())


def test_display_score_runs_from_the_strongest_control_to_the_floor():
    controls = {"K17": (0.5, 0.4, 0.6, Verdict.FAIL), "K12": (0.9, 0.8, 1.0, Verdict.FAIL)}
    r = Result(TESTS["D.arrow"], Verdict.FAIL, Outcome(0.25, 0, 0.3, 8, 8), floor=(0.0, 0.1), controls=controls)
    assert r.score == pytest.approx(0.5)
    assert replace(r, controls={}).score is None


# Rubric


@pytest.mark.parametrize("name", PUBLISHED)
def test_golden_rubric_scores(name):
    golden, facts = PUBLISHED[name]
    assert score(facts) == golden


def test_rubric_is_capped_where_the_scale_says():
    assert levels(Facts(personality="profile"))["personality"] == 1, "no individual connectomes"
    assert levels(Facts(behaves="complex", without_brain=True))["behaviour complexity"] == 0
    assert levels(Facts(step_s=1e-6))["temporal resolution"] == 2, "3 needs states below the cell"
    assert len(DIMENSIONS) == 10 and score(Facts()) == "0" * 10


# Guard, canary, ledger


def test_guard_stops_python_and_hdf5(tmp_path):
    secret = tmp_path / "reference.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = [1.0]
    with guard.guarded([secret]):
        for reach in (
            lambda: secret.read_bytes(),
            lambda: h5py.File(secret),
            lambda: np.load(secret),
            lambda: os.link(secret, tmp_path / "other.h5"),
            lambda: os.rename(secret, tmp_path / "other.h5"),
            lambda: os.system("true"),
        ):
            with pytest.raises(guard.GuardError, match=r"opened reference\.h5|os\.system"):
                reach()
        with pytest.raises(guard.GuardError):
            open(tmp_path / ".." / tmp_path.name / "reference.h5").close()
        os.symlink(secret, tmp_path / "link.h5")
        with pytest.raises(guard.GuardError):
            (tmp_path / "link.h5").read_bytes()
        (tmp_path / "own.txt").write_text("fine")
    assert h5py.File(secret)["x"][0] == 1.0


def test_canary_is_in_every_reference_that_ships_and_is_found(tmp_path):
    for animal in sources.animals():
        assert guard.CANARY in assets.file(animal, "turing.toml").read_text()
        assert guard.CANARY in assets.file(animal, "perturbations.csv").read_text()
    bad = tmp_path / "weights.bin"
    bad.write_bytes(b"\0" * ((1 << 20) - 10) + guard.CANARY.encode())
    with pytest.raises(DataError, match="canary"):
        guard.seek_canary([bad])
    guard.seek_canary([tmp_path / "none"])


def test_ledger_counts_and_shows_changes(tmp_path):
    ledger = Ledger(tmp_path / "deep" / "ledger.jsonl")
    for model in ("a", "b", "a"):
        ledger.add("worm", model, ["D.arrow"], "2" if model == "b" else "1", 0)
    assert ledger.counts("worm", "a", "1") == (2, 3, 2) and ledger.counts("fly", "a", "1") == (0, 0, 0)
    lines = ledger.path.read_text().splitlines()
    ledger.path.write_text("\n".join([lines[0], lines[2]]) + "\n")
    with pytest.raises(DataError, match="line 2"):
        ledger.lines()


CHEAT = """
import numpy as np
class Cheat:
    def reset(self, episode_seed): self.data = open(PATH, "rb").read()
    def act(self, obs): return np.zeros(95, np.float32)
"""


def test_a_policy_that_reads_the_recordings_is_stopped(tmp_path):
    secret = tmp_path / "reference.npy"
    secret.write_bytes(b"x")
    (tmp_path / "cheat.py").write_text(CHEAT.replace("PATH", repr(str(secret))))
    trial = Trial(
        Candidate("worm", f"{tmp_path}/cheat.py:Cheat"), {"task": "locomotion"}, 0.1, 0, protect=(str(secret),)
    )
    with pytest.raises(guard.GuardError, match=r"reference\.npy"):
        run(trial)


# Trials


STILL = """
import numpy as np
class Still:
    def reset(self, episode_seed): pass
    def act(self, obs): return np.zeros(95, np.float32)
"""


def own_policy(tmp_path):
    (tmp_path / "still.py").write_text(STILL)
    return f"{tmp_path}/still.py:Still"


def test_trials_are_kept_and_found_again_and_damage_is_run_again(tmp_path):
    trials = [Trial(Candidate("worm", own_policy(tmp_path)), {"task": "locomotion"}, 0.5, s) for s in (0, 1)]
    seen = []
    first = run_all(trials, tmp_path / "t", 1, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2, 2) and not any(d.failure for d in first)
    files = sorted((tmp_path / "t").iterdir())
    assert len(files) == 2 and all(f.suffix == ".npz" for f in files)
    files[0].write_bytes(files[0].read_bytes()[:100])
    stamp = files[1].stat().st_mtime_ns
    again = run_all(trials, tmp_path / "t", 1)
    assert files[1].stat().st_mtime_ns == stamp
    for a, b in zip(first, again, strict=True):
        assert np.allclose(a.track.com_m, b.track.com_m) and a.track.seed == b.track.seed
    assert trials[0].key() != trials[1].key() != replace(trials[1], model="other").key()


KILLED = """
import sys
from pathlib import Path
from bestiary.tasks.turing.policies import Candidate
from bestiary.tasks.turing.trials import Trial, run_all
world = {"task": "locomotion"}
if __name__ == "__main__":
    trials = [Trial(Candidate("worm", sys.argv[1]), world, 4.0, s) for s in range(6)]
    run_all(trials, Path(sys.argv[2]), int(sys.argv[3]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_run_that_was_killed_goes_on(tmp_path, jobs):
    """kill -9 in the middle: what was done is whole and is not run again, on one core and on two."""
    import signal
    import subprocess
    import sys
    import time

    (tmp_path / "go.py").write_text(KILLED)
    policy, kept = own_policy(tmp_path), tmp_path / "kept"
    words = [sys.executable, str(tmp_path / "go.py"), policy, str(kept), jobs]
    process = subprocess.Popen(words, start_new_session=True)
    while process.poll() is None and len(list(kept.glob("*.npz"))) < 2:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {p.name: p.stat().st_mtime_ns for p in kept.glob("*.npz")}
    assert 2 <= len(before) < 6
    assert subprocess.run(words).returncode == 0
    after = {p.name: p.stat().st_mtime_ns for p in kept.glob("*.npz")}
    assert len(after) == 6 and all(after[k] == v for k, v in before.items())


def test_what_a_policy_cannot_do_is_a_failure_not_a_crash(tmp_path):
    (tmp_path / "bad.py").write_text(STILL.replace("np.zeros(95", "np.zeros(3"))
    done = run(Trial(Candidate("worm", f"{tmp_path}/bad.py:Still"), {"task": "locomotion"}, 0.1, 0))
    assert done.track is None and "ActionError" in done.failure
    with pytest.raises(DataError, match="did you mean 'Still'"):
        Candidate("worm", f"{tmp_path}/bad.py:Stil").build()
    with pytest.raises(DataError, match="no file"):
        Candidate("worm", f"{tmp_path}/none.py:Still").build()


def test_changes_of_the_body_are_felt():
    ways = {}
    for name, change in (("", {}), ("drag", {"drag": 3.0}), ("mass", {"body_mass": 1.2}), ("dead", {"dead": 0.5})):
        trial = Trial(
            Candidate("worm", "pattern-generator"), {"task": "locomotion", "medium": "water"}, 2.0, 0, changes=change
        )
        ways[name] = run(trial).track.com_m[-1]
    assert all(not np.array_equal(ways[""], ways[k]) for k in ("drag", "mass", "dead"))


def test_a_heavier_body_is_where_its_parts_are():
    from bestiary.envs import EmbodiedEnv
    from bestiary.tasks.turing.trials import _changed

    for animal in ("worm", "zebrafish"):
        env = _changed(EmbodiedEnv(animal, "locomotion"), {"body_mass": 1.5})
        env.reset(seed=0)
        env.step(env.action_space.sample() * 0)
        body = env.bound.body
        mine = np.flatnonzero(env.model.body_rootid == env.model.body_rootid[body])
        centre = np.average(env.data.xipos[mine], axis=0, weights=env.model.body_mass[mine])
        assert env.last_pose["com_m"] == pytest.approx(centre * env.body.units.length, abs=1e-7)


def test_probing_every_neuron_starts_from_one_moment():
    trial = Trial(Candidate("worm"), {"task": "locomotion", "medium": "agar"}, 0.4, 0, probe=("AVAL", "AWCL", "AVAL"))
    done = run(trial)
    answers = done.arrays["answer_mV"]
    assert answers.shape == (3, 302) and np.array_equal(answers[0], answers[2])
    assert answers[0][done.names.index("AVAL")] > 1 and not np.array_equal(answers[0], answers[1])


# Recordings


@needs_tracks
def test_the_worms_are_read_at_their_true_rate():
    options = sources.plan("worm")["behaviour"]
    real, noise_m = sources.behaviour(options)
    assert len(real) == 8 and real.rate_Hz == 4 and 34 * 60 < real.seconds < 36 * 60
    assert 1e-6 < noise_m < 2e-5
    speeds = [np.nanmean(a.values[:, 0]) for a in real.animals]
    assert 0.05 < min(speeds) < max(speeds) < 0.25
    with pytest.raises(DataError, match="does not divide"):
        sources.behaviour({**options, "out_Hz": 3.0})


def test_centroid_pipeline_on_a_circle():
    t = np.arange(0, 60, 1 / 8)
    xy = 1e-3 * np.stack([np.cos(0.2 * t), np.sin(0.2 * t)], 1)
    series = pipeline.centroid("a", xy, 8.0, 0.5, 4.0)
    middle = series.values[20:-20]
    assert middle[:, 0] == pytest.approx(0.2, rel=0.01) and middle[:, 2] == pytest.approx(0.2, rel=0.03)
    noise = 5e-6 * np.random.default_rng(0).standard_normal(xy.shape)
    assert pipeline.tracking_noise_m(xy + noise) == pytest.approx(5e-6, rel=0.15)


def test_a_gap_stays_a_gap():
    t = np.arange(0, 40, 1 / 8)
    xy = 1e-3 * np.stack([t, 0 * t], 1)
    xy[100:105] = np.nan
    found = pipeline.centroid("a", xy, 8.0, 0.5, 4.0).values
    lost = ~np.isfinite(found).all(1)
    assert lost[50:53].all() and lost.sum() == 3 and found[~lost, 0] == pytest.approx(1.0, rel=0.02)


def test_bouts_of_a_swimmer():
    t = np.arange(0, 20, 0.01)
    moving = (t % 1.0) < 0.2
    x = np.cumsum(np.where(moving, 0.02, 0.0)) * 0.01
    xy = np.stack([x, 0 * x], 1)
    midline = np.stack([np.c_[xy, 0 * x], np.c_[xy - [4e-3, 0], 0 * x]], 1)
    found = pipeline.bouts("fish", t, xy, midline)
    assert len(found.values) == pytest.approx(19, abs=1)
    assert np.median(found.values[:, 2]) == pytest.approx(1.0, abs=0.02)
    assert np.median(found.values[:, 0]) == pytest.approx(4.0, rel=0.15)


@pytest.mark.parametrize("animal", ["worm", "zebrafish", "fly", "mouse"])
def test_perturbation_rows_name_their_source_and_can_be_run(animal):
    import inspect

    import bestiary
    from bestiary.tasks._catalogue import measure

    rows = level_c.rows(animal)
    assert len({r["id"] for r in rows}) == len(rows) >= 8
    assert {r["used_for_tuning"] for r in rows} == {"yes", "no"}
    for r in rows:
        assert r["source"] and (not r["doi"] or r["doi"].startswith("10.")) and float(r["least"]) > 0
        takes = inspect.signature(measure(r["measure"])).parameters
        assert set(json.loads(r["options"] or "{}")) <= set(takes), r["id"]
        a, build_a, b, build_b = level_c.arms(r)
        assert (a, build_a) != (b, build_b), f"{r['id']}: both arms are the same"
        for world in (a, b):
            bestiary.load("tasks", world["task"]).TASK(**world["task_options"])
        assert set(build_a) | set(build_b) <= {"lesion", "silence", "without", "stimulate"}
        components = bestiary.load("interfaces", animal).COMPONENTS
        assert set(build_a.get("without", ())) <= set(components), r["id"]


def test_rows_that_share_an_arm_are_paid_for_once():
    rows = [r for r in level_c.rows("zebrafish") if r["task"] == "startle" and r["manipulation"] == "lesion"]
    assert len(rows) >= 3 and len({r["seconds"] for r in rows}) == 1
    one = float(rows[0]["seconds"])
    assert len(level_c.affordable(rows, 2.5 * one, 99)) == 2, "the same lesion twice, and one intact arm"
    assert level_c.affordable(rows, 0, 99) == rows and level_c.affordable(rows, 0.1, 99) == []


def test_a_run_that_goes_on_keeps_its_budget(tmp_path, monkeypatch):
    from bestiary.tasks.turing import exam as exams

    paces = iter([0.5, 0.7, 0.9])
    monkeypatch.setattr(exams, "_pace", lambda exam: next(paces))
    exam = exams.Exam(Candidate("worm"), {}, FAST, tmp_path / "out", digest="a")
    first = exams._kept(exam, {"C": 1.0})
    assert exams._kept(exam, {"C": 1.0}) == first == FAST.paced(0.5, {"C": 1.0}), "trials are found again"
    exam.digest = "b"
    assert exams._kept(exam, {"C": 1.0}) != first, "another model is measured anew"


def test_a_slow_animal_gets_a_shorter_look_and_a_full_budget_is_never_cut():
    from bestiary.tasks.turing.exam import FULL

    levels = {"C": 3.0, "D": 3.0, "F": 2.5}
    slow, slower = FAST.paced(0.5, levels), FAST.paced(1.5, levels)
    assert FAST.paced(0.05, levels) == FAST and FULL.paced(9.0, levels) == FULL
    assert 0 < slower.rows_s < slow.rows_s
    assert slow.splits == FAST.splits and slow.fast


def test_a_learned_policy_has_a_body_and_no_neurons():
    """K15: it gets along, and fails A and C, which need a wiring."""
    from bestiary.tasks.turing import learned

    assert "worm" in learned.animals()
    k15 = Candidate("worm", "learned")
    policy = k15.build()
    assert k15.own and k15.capabilities(policy) == () and not k15.takes("lesion")
    assert policy.size == len(policy._genes) and k15.files()
    done = run(Trial(k15, {"task": "locomotion", "medium": "agar"}, 8.0, 3))
    way = np.linalg.norm(done.track.com_m[-1] - done.track.com_m[0]) / done.track.length_m
    assert way > 0.5, f"it went {way:.2f} body lengths in 8 s"
    with pytest.raises(LookupError, match="there is one for"):
        learned.load("nobody")


def test_learning_makes_the_worm_faster():
    from bestiary.tasks.turing.learned import train

    genes, course = train("worm", {"task": "locomotion", "medium": "agar"}, 0.15, 6, 4, 2.0)
    assert len(course) == 6 and np.isfinite(genes).all() and max(course[3:]) > course[0]


def test_a_wiring_that_will_hardly_pass_is_stopped_and_rows_until_decided(tmp_path, monkeypatch):
    from bestiary.tasks.turing import exam as exams

    signs = ["+", "-", "0"] * 10
    table = [{"id": str(i), "seconds": str(1 + i // 12), "least": "0.5", "sign": s} for i, s in enumerate(signs)]
    truth = np.array([{"+": 1, "-": -1, "0": 0}[s] for s in signs])
    asked = []

    def changes(exam, rows, builds, seeds):
        asked.append((len(builds), len(rows), len(seeds)))
        right = {"+": 1.0, "-": -1.0, "0": 0.0}
        noise = np.array([-0.25 + (-1) ** s * 0.85 for s in seeds])
        return [
            [
                right[r["sign"]] * (b.get("control_seed", 0) == 0) + noise * (r["id"] == "0" and "control" not in b)
                for r in rows
            ]
            for b in builds
        ]

    monkeypatch.setattr(
        level_c, "_changes", lambda *a: [[np.atleast_1d(c) * np.ones(len(a[3])) for c in m] for m in changes(*a)]
    )
    exam = exams.Exam(Candidate("worm"), {}, replace(FAST, rewirings=3, repeats=10, looks=(4, 7)), tmp_path)
    found = level_c._rewired(exam, TESTS["C.behaviour"], table, truth, "weight-shuffle")
    assert found[0].value == 1.0 and found[0].detail["rows"] == 30
    assert [o.detail["rows"] for o in found[1:]] == [12, 12] and max(o.high95 for o in found[1:]) < 0.6
    assert asked == [(3, 12, 1), (1, 12, 1), (1, 6, 1)], "only one could still pass"
    asked.clear()
    seeds = [len(c) for c in level_c._until_decided(exam, table)]
    assert seeds == [10] + [4] * 29 and [n for _, n, _ in asked] == [30, 1, 1], "the noisy row got all seeds"


@pytest.mark.parametrize("animal", ["worm", "zebrafish", "mouse", pytest.param("fly", marks=pytest.mark.slow)])
def test_every_target_of_the_rows_is_there(animal):
    import bestiary

    named: dict[str, set[str]] = {}
    for row in level_c.rows(animal):
        for build in level_c.arms(row)[1::2]:
            for option, targets in build.items():
                named.setdefault(option, set()).update(targets)
    parts = named.pop("without", set())
    assert parts <= set(bestiary.load("interfaces", animal).COMPONENTS)
    try:
        bestiary.animal(animal, **{k: sorted(v) for k, v in named.items()})  # a name that selects nothing is refused
    except DataError as error:
        pytest.skip(str(error))
    with pytest.raises(LookupError):
        bestiary.animal(animal, lesion=["nobody"])


def test_the_sign_of_a_paired_change():
    assert sign(np.array([1.0, 1.1, 0.9]), 0.5) == 1
    assert sign(np.array([1.0, -1.1, 0.9]), 0.1) == 0, "not sure"
    assert sign(np.array([-0.1, -0.1, -0.1]), 0.5) == 0, "too small"
    assert sign(np.array([np.nan]), 0.5) == 0


# Learning and robustness

FALLS = TESTS["E.habituation"].margin


def taps(answers):
    """A fish that answers taps, one a second, with a C-bend or not."""
    from bestiary.tasks._trial import Track

    t = np.arange(0, len(answers) + 0.95, 0.05)
    number = np.floor(t + 1e-9).clip(0, len(answers))
    since = np.where(number > 0, t - number, 1e3)
    bend = np.array(
        [2.0 if n and answers[int(n) - 1] and s < 0.11 else 0.0 for n, s in zip(number, since, strict=True)]
    )
    place = np.zeros((len(t), 3))
    info = {"taps": number, "since_tap_s": since, "bend_rad": bend}
    return Done(Track(t, np.zeros((len(t), 2, 3)), place, np.zeros((len(t), 0)), info, 4e-3), {}, ())


def test_habituation_is_measured_beside_naive_animals():
    options = {"measure": "startle_response"}
    rng = np.random.default_rng(0)
    tired, fresh = [taps([1] * 6 + [0] * 3)] * 4, [taps([1, 1, 1])] * 4
    found = level_e._decline(tired, fresh, rng, options)
    assert found.value == -1.0 and found.high95 <= 0 and found.detail["last, naive"] == [1.0] * 4
    weak = level_e._decline(tired, [taps([0, 0, 0])] * 4, rng, options)
    assert np.isnan(weak.value), "naive animals that answer no more at that time: that is no learning"
    same = level_e._decline([taps([1] * 9)] * 4, fresh, rng, options)
    assert same.value == 0.0 and level_e._fell(same, FALLS) is Verdict.FAIL, "an interval of 0 alone is no fall"
    assert level_e._fell(found, FALLS) is Verdict.PASS and level_e._fell(weak, FALLS) is Verdict.INCONCLUSIVE


def test_naive_animals_meet_the_last_third_at_the_same_times():
    options = level_e.naive({"first_s": 1.0, "every_s": 1.0, "taps": 30, "side": 1}, 30.3)
    assert options == {"first_s": 21.0, "every_s": 1.0, "taps": 10, "side": 1}
    assert level_e.naive({"first_s": 6.0, "every_s": 6.0}, 42.0) == {"first_s": 36.0, "every_s": 6.0}


def kept(indices, usual, how=np.mean):
    rng = np.random.default_rng(0)
    return level_f.outcome({k: np.array(v, float) for k, v in indices.items()}, np.array(usual, float), how, 0.3, rng)


def test_what_is_left_of_an_answer():
    usual = [1.0, 0.9, 1.0, 1.0, 0.9, 1.0]
    same = kept({"": usual, "mass": usual, "water": [2.0] * 6}, usual)
    assert same.value == 1 and TESTS["F.mean"].margin.judge(same.low95, same.high95) is Verdict.PASS, (
        "no credit for more"
    )
    half = kept({"": usual, "mass": usual, "water": [0.0] * 6}, usual)
    assert half.value == pytest.approx(0.5) and half.detail["by_change"] == {"mass": 1.0, "water": 0.0}
    worst = kept({"": usual, "mass": usual, "water": [0.0] * 6}, usual, np.min)
    assert TESTS["F.minimum"].margin.judge(worst.low95, worst.high95) is Verdict.FAIL
    assert kept({"": usual, "lost": [-1.0] * 6}, usual).value == pytest.approx(-1, abs=0.1), (
        "the wrong way counts against"
    )
    gaps = kept({"": usual, "mass": [1, np.nan, 1, 1, np.nan, 1]}, usual)
    assert gaps.value == 1, "what could not be scored is left out"


def test_who_answers_nothing_keeps_nothing():
    usual, none = [1.0, 0.9, 1.0, 1.0, 0.9, 1.0], [0.0] * 6
    control = kept({"": none}, usual)
    assert control.value == 0 and TESTS["F.mean"].margin.judge(control.low95, control.high95) is Verdict.FAIL
    model = kept({"": none}, none)
    assert TESTS["F.mean"].margin.judge(model.low95, model.high95) is Verdict.FAIL and "hardly answers" in model.reason
    unsure = kept({"": [1, 0, 0, 0, 0, 0]}, [1, 0, 0, 0, 0, 0])
    assert TESTS["F.mean"].margin.judge(unsure.low95, unsure.high95) is Verdict.INCONCLUSIVE


def test_the_interval_of_what_is_left_covers_it():
    rng, true, inside = np.random.default_rng(4), 0.6, 0
    for _ in range(100):
        usual = 1 + 0.3 * rng.standard_normal(11)
        o = kept({"": usual, "a": usual * 0 + true + 0.3 * rng.standard_normal(11)}, usual)
        inside += o.low95 <= true <= o.high95
    assert inside >= 84, f"{inside} of 100 intervals of 90 % hold the truth"


@pytest.mark.parametrize("animal", ["worm", "zebrafish", "fly", "mouse"])
def test_a_stimulus_and_its_counterpart_reach_the_same_sense(animal):
    """In the world of the plan, unchanged and unseen: both are built, and differ."""
    import bestiary

    options = sources.plan(animal)["robustness"]
    plain = {k: options[k] for k in ("task", "medium", "task_options") if k in options}
    for world in (plain, *(level_f._unseen(plain, w)[1] for w in options["unseen"])):
        a, b = (level_f._side(world, options, s)["task_options"] for s in ("stimulus", "counterpart"))
        task = bestiary.load("tasks", world["task"]).TASK
        assert a != b and set(a) == set(b) and task(**a) != task(**b)
    names = [level_f._unseen(plain, w)[0] for w in options["unseen"]]
    assert len(set(names)) == len(names) >= 1


def test_a_trial_that_was_kept_comes_back_whole(tmp_path):
    from bestiary.tasks.turing.trials import _load, _save

    done = taps([1, 0])
    track = replace(done.track, pose={"heading_rad": np.arange(len(done.track.time_s))}, joints=("a",), ended="fell")
    _save(tmp_path / "x.npz", Done(track, {"voltage_mV": np.ones(3)}, ("AVA",)))
    back = _load(tmp_path / "x.npz")
    assert back.track.joints == ("a",) and back.track.ended == "fell" and back.names == ("AVA",)
    assert np.array_equal(back.track.pose["heading_rad"], track.pose["heading_rad"])
    (tmp_path / "x.npz").write_bytes((tmp_path / "x.npz").read_bytes()[:200])
    assert _load(tmp_path / "x.npz") is None, "a damaged file is run again"


# The whole


TINY = replace(FAST, seconds=12.0, skip_s=1.0, splits=10, neurons=2, rewirings=1, repeats=1, behaviour_s=6.0)
TINY = replace(TINY, learning=3, robust=2, permutations=5)


@needs_tracks
def test_a_still_policy_fails_and_is_told_why(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    card = examine(
        "worm", "ABCDF", policy=own_policy(tmp_path), out=tmp_path / "out", budget=TINY, jobs=1, ledger=ledger
    )
    by = {t["id"]: t for t in card["tests"]}
    assert (
        card["levels"]["D"]["verdict"] in (Verdict.FAIL, Verdict.INVALID)
        and by["D.marginals"]["verdict"] is Verdict.FAIL
    )
    assert by["F.mean"]["verdict"] is Verdict.FAIL and by["F.mean"]["value"] == 0
    assert by["C.atlas"]["verdict"] is Verdict.NOT_RUN and "no named neurons" in by["C.atlas"]["reason"]
    assert by["B.forecast"]["verdict"] is Verdict.NOT_RUN and by["A.structure"]["verdict"] is Verdict.FAIL
    assert card["emulation_claim"].startswith("not supported") and card["evaluations"]["of_this_model"] == 1
    assert by["D.spectrum"]["controls"]["K13"]["verdict"] is Verdict.FAIL, "random frames must be told apart"
    saved = json.loads((tmp_path / "out" / "scorecard.json").read_text())
    assert saved["fast"] and saved["tests"][0]["id"] == card["tests"][0]["id"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "not a verdict" in page and "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert page.count("<svg") > 4 and "NOT-RUN" in page and "Which are alive?" in page
    examine("worm", "F", policy=own_policy(tmp_path), out=tmp_path / "out", budget=TINY, jobs=1, ledger=ledger)
    assert ledger.counts("worm", saved["model_sha256"], contract.VERSION) == (2, 2, 2)


@pytest.mark.parametrize("animal", ["zebrafish", "fly", "mouse"])
def test_what_is_missing_is_not_run_with_its_reason(animal, tmp_path):
    import bestiary

    if animal in bestiary.animals("interfaces"):
        pytest.skip("this animal ships: its examination takes longer than a test may")
    card = examine(animal, out=tmp_path, budget=TINY, jobs=1, ledger=Ledger(tmp_path / "ledger.jsonl"))
    assert {t["verdict"] for t in card["tests"]} == {Verdict.NOT_RUN} and all(t["reason"] for t in card["tests"])
    assert {k for k, v in card["levels"].items() if v["verdict"] is Verdict.NOT_RUN} == set(LEVELS)
    assert (tmp_path / "report.html").is_file()


def test_wrong_questions_get_the_nearest_answer(tmp_path):
    with pytest.raises(LookupError, match="did you mean 'worm'"):
        examine("wrom", out=tmp_path)
    with pytest.raises(BestiaryError, match="levels are of ABCDEF"):
        examine("worm", "AX", out=tmp_path)


def test_report_of_made_up_results_needs_no_network():
    species = synthetic.Species()
    results, _ = level_d.compare(species.cohort(5, 30.0), species.cohort(5, 30.0, 2), permutations=3, splits=5)
    from bestiary.tasks.turing.suite import row

    levels_ = {
        "D": {"name": "behaviour", "verdict": Verdict.FAIL, "reason": "", "counts": {Verdict.FAIL: 2}, "controls": {}}
    }
    card = {"animal": "<b>worm</b>", "policy": "x", "version": "1", "seed": 0, "fast": False, "levels": levels_}
    card |= {"tests": [row(r) for r in results], "rubric": [], "controls": {}, "controls_not_run": {}}
    card |= {"environment": {}, "emulation_claim": "no", "model_sha256": "ab", "evaluations": None}
    page = html(card, {})
    assert "<b>worm</b>" not in page and "&lt;b&gt;worm" in page and "<script" not in page


def test_the_statistics_alone_have_a_bench(capsys):
    from bestiary.cli import main

    assert main(["bench", "turing", "--quick", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["turing"]
    assert found["animals"] == 6 and found["cpu_s"] > 0 and found["peak_bytes"] < 2e9
    assert set(found["tests"]) == {t.id for t in level_d.tests()} and "FAIL" not in found["tests"].values()


def test_budgets_say_what_they_are():
    from bestiary.tasks.turing.exam import FULL

    assert isinstance(FULL, Budget) and not FULL.fast and FULL.rewirings >= 19 and FULL.splits >= 200
    assert FAST.fast
