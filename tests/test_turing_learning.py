"""Level E on animals whose truth is known: those that learn pass, those that only seem to do not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from _stub_body import StubBody

pytest.importorskip("sklearn")
pytest.importorskip("jinja2")

from bestiary.envs import EmbodiedEnv
from bestiary.tasks.conditioning import Conditioning
from bestiary.tasks.turing import conditioned
from bestiary.tasks.turing.conditioned import FIRST, LATER, PROBE, Learnt, outcome
from bestiary.tasks.turing.contract import Verdict
from bestiary.tasks.turing.definitions import TESTS
from bestiary.tasks.turing.exam import FULL, Exam
from bestiary.tasks.turing.lookup import Lookup
from bestiary.tasks.turing.policies import Candidate

TASK = Conditioning(trials=6, tests=6)


@dataclass(frozen=True)
class Pupil:
    """An answer that follows Rescorla and Wagner (1972). learns, unlearns: share of the way at each cue with event and
    without. forgets: share of what was learned that is gone by the tests' end. roused: by each event, whatever it came
    with; born: answer to any cue of an animal that met nothing."""

    learns: float = 0.4
    unlearns: float = 0.4
    forgets: float = 0.0
    roused: float = 0.0
    born: float = 0.1
    noise: float = 0.15

    def answers(self, task: Conditioning, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(training, tests)."""
        value, rouse, last = 0.0, 0.0, task.tests_s[-1]
        seen: dict[float, float] = {}
        for time in np.sort(task.cues_s):
            gone = 1 - self.forgets * max(0.0, time - task.training_s[-1]) / (last - task.training_s[-1])
            rouse = self.roused * (task.events_s < time).sum()
            seen[float(time)] = value * gone + rouse + self.born + self.noise * rng.standard_normal()
            paired = ((task.events_s - time >= 0) & (task.events_s - time <= task.cue_s)).any()
            value += self.learns * (1 - value) if paired else -self.unlearns * value
        return tuple(np.array([seen.get(float(t), np.nan) for t in times]) for times in (task.training_s, task.tests_s))

    def cohort(self, n: int = 10, seed: int = 0) -> Learnt:
        rng = np.random.default_rng(seed)
        found = {
            name: [self.answers(replace(TASK, **group), rng) for _ in range(n)]
            for name, group in (FIRST | LATER).items()
        }
        training = np.stack([t for t, _ in found["paired"]])
        return Learnt({g: np.stack([a for _, a in rows]) for g, rows in found.items()}, training, 1.0)


def verdict(test_id, pupil, seed=0):
    o = outcome(test_id, pupil.cohort(seed=seed), seed)
    return TESTS[test_id].margin.judge(o.low95, o.high95)


def test_who_learns_keeps_and_unlearns_passes_all_three():
    assert all(verdict(t, Pupil()) is Verdict.PASS for t in conditioned.IDS)
    detail = outcome("E.conditioning", Pupil().cohort(), 0).detail
    assert 2 <= detail["trials_to_half"] <= 4, "0.4 of the way each time: half after two"


@pytest.mark.parametrize(
    ("who", "test_id"),
    [
        (Pupil(learns=0.0), "E.conditioning"),
        (Pupil(learns=0.0, roused=0.15), "E.conditioning"),  # every event makes it answer more to anything
        (Pupil(learns=0.0, born=0.9), "E.conditioning"),  # a lookup keyed on the cue
        (Pupil(unlearns=0.0), "E.extinction"),
        (Pupil(forgets=1.0), "E.retention"),
    ],
)
def test_who_only_seems_to_learn_fails(who, test_id):
    found = [verdict(test_id, who, seed) for seed in range(8)]
    assert Verdict.PASS not in found and found.count(Verdict.FAIL) >= 4


def test_who_forgets_is_not_said_to_have_unlearned():
    o = outcome("E.extinction", Pupil(unlearns=0.0, forgets=1.0).cohort(), 0)
    assert not np.isfinite(o.value) or o.high95 > TESTS["E.extinction"].margin.high


def test_false_alarms_of_conditioning_are_rare():
    passed = sum(verdict("E.conditioning", Pupil(learns=0.0), seed) is Verdict.PASS for seed in range(200))
    assert passed <= 10


def test_a_cue_can_stand_for_nothing_where_the_event_does_nothing():
    learnt = replace(Pupil().cohort(), event=0.01)
    o = outcome("E.conditioning", learnt, 0, least=0.02)
    assert not np.isfinite(o.value) and "stand for nothing" in o.reason


# The world


def test_groups_meet_the_same_cues_and_as_many_events():
    tasks = {g: replace(TASK, **o) for g, o in (FIRST | LATER).items()}
    assert np.array_equal(tasks["paired"].cues_s, tasks["unpaired"].cues_s)
    assert len(tasks["paired"].events_s) == len(tasks["unpaired"].events_s) == TASK.trials
    assert np.array_equal(tasks["naive"].cues_s, TASK.tests_s) and not len(tasks["naive"].events_s)
    assert np.array_equal(tasks["paired, late"].cues_s[-PROBE:], TASK.tests_s[-PROBE:])
    assert len(tasks["paired, late"].cues_s) == TASK.trials + PROBE
    gap = np.abs(tasks["unpaired"].events_s[:, None] - TASK.cues_s[None]).min()
    assert gap >= TASK.cue_s, "an unpaired event meets no cue"


def test_cue_and_event_reach_the_senses_they_are_named_after():
    options = {"cue": "nacl_mol_per_m3", "event": "touch_N", "first_s": 0.2, "every_s": 1.0, "trials": 1, "tests": 1}
    options |= {"cue_s": 0.3, "event_s": 0.1, "delay_s": 0.2, "rest_s": 0.0, "cue_value": 50.0, "event_value": 5e-5}
    env = EmbodiedEnv(StubBody(), "conditioning", task_options=options)
    env.reset(seed=0)
    rows = []
    for _ in range(60):
        obs, _, _, _, info = env.step(np.zeros(3))
        rows.append((info["time_s"], obs["nacl_mol_per_m3"].max(), obs["touch_N"].max()))
    t, cue, event = np.array(rows).T
    assert t[cue > 40].min() == pytest.approx(0.2, abs=0.02) and t[cue > 40].max() == pytest.approx(0.5, abs=0.02)
    assert t[event > 4e-5].min() == pytest.approx(0.4, abs=0.02) and event[-1] == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"group": "pared"}, "group is paired"),
        ({"cue": "odour", "event": "odour"}, "two senses"),
        ({"cue_s": 8.0}, "half of every_s"),
        ({"late": 9}, "late 0 to tests"),
    ],
)
def test_what_cannot_be_is_refused(options, says):
    with pytest.raises(ValueError, match=says):
        Conditioning(**options)


def test_a_body_without_the_sense_is_named():
    with pytest.raises(LookupError, match="no sense 'shock'"):
        EmbodiedEnv(StubBody(), "conditioning", task_options={"cue": "touch_N", "event": "shock"})


# In a body: a worm that goes by a rhythm, stops at an event, and may learn what announces it

LEARNER = """
import numpy as np
import bestiary
from bestiary.interfaces.worm import CLOCK, PATTERN
from bestiary.envs._clock import Clock

class Learner:
    rate = RATE
    def __init__(self):
        self.clock, self.rhythm = Clock(**CLOCK), PATTERN(bestiary.load("bodies", "worm").BODY())
    def reset(self, episode_seed):
        self.value = self.trace = 0.0
        self.phase = np.random.default_rng(episode_seed).uniform(0, 10)  # or all begin alike, and stay so
        self.was = False
    def act(self, obs):
        dt = self.clock.control_s
        cue, event = obs["diacetyl_mol_per_m3"].mean() > 0.05, obs["touch_N"].mean() > 5e-6
        if cue and not self.was:
            self.trace = 1.0
        self.was = cue
        self.trace *= np.exp(-dt / 3.0)
        if event and not self.felt:
            self.value += self.rate * self.trace * (1 - self.value)
        self.felt = event
        self.hurt = 1.5 if event else max(0.0, self.hurt - dt)
        still = 1.0 if self.hurt else self.value if cue else 0.0
        self.phase += dt * (1 - still)
        return np.asarray(self.rhythm(self.phase), np.float32)
    felt, hurt = False, 0.0
"""
WORLD = {"first_s": 4.0, "every_s": 8.0, "trials": 4, "cue_s": 3.0, "event_s": 0.5, "delay_s": 2.0, "rest_s": 2.0}
WORLD |= {"cue": "diacetyl_mol_per_m3", "cue_value": 0.1, "event": "touch_N", "event_value": 1e-5, "tests": 3}


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "expected"), [(0.9, Verdict.PASS), (0.0, Verdict.FAIL)])
def test_a_worm_that_learns_passes_through_its_senses(tmp_path, rate, expected):
    (tmp_path / "learner.py").write_text(LEARNER.replace("RATE", str(rate)))
    plan = {"conditioning": {"medium": "water", "measure": "ahead_mm_per_s", "expect": -1, "least": 1e-3}}
    plan["conditioning"] |= {"task_options": WORLD, "source": "made up", "n_animals": 10}
    exam = Exam(Candidate("worm", f"{tmp_path}/learner.py:Learner"), plan, replace(FULL, learning=6), tmp_path / "out")
    exam.policy = exam.candidate.build()
    results = conditioned.run(exam)
    assert results[0].verdict is expected, results[0]
    if rate == 0:
        assert {r.verdict for r in results[1:]} == {Verdict.NOT_RUN}
    else:
        assert results[2].verdict is Verdict.PASS and results[1].verdict is not Verdict.PASS, "it never unlearns"


# K11


def test_a_lookup_plays_back_what_followed_the_stimulus():
    from bestiary.envs._clock import Clock

    stimulus = np.zeros(100)
    stimulus[60:65] = 1.0
    recording = {"action": np.arange(100)[:, None], "sense touch": stimulus, "sense smell": np.zeros(100)}
    lookup = Lookup(Clock("0.01", "0.01", "0.001"), [recording])
    lookup.reset(0)
    calm, touched = {"touch": np.zeros(3)}, {"touch": np.ones(3)}
    assert [int(lookup.act(calm)[0]) for _ in range(3)] == [0, 1, 2]
    assert [int(lookup.act(touched)[0]) for _ in range(3)] == [60, 61, 62]
    assert [int(lookup.act(calm)[0]) for _ in range(2)] == [63, 64]
    assert int(lookup.act(touched)[0]) == 60, "each onset alike: it does not habituate"
    rest = [int(lookup.act(calm)[0]) for _ in range(200)]
    assert max(rest) == 99 and rest[39] == 0 and 60 not in rest[39:], "without a stimulus, the calm stretch"
