"""What an examination is given: who, against what, how much of it, and where the work is kept."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import bestiary
from bestiary.tasks.turing import sources
from bestiary.tasks.turing.controls import CONTROLS
from bestiary.tasks.turing.policies import Candidate
from bestiary.tasks.turing.trials import Done, Trial, run_all

Note = Callable[[str, int, int], None]
QUICK = 0.1  # s of one core for a simulated second: an animal that is cheaper gets the whole fast budget
CPU_S = 60.0  # of one core for a slow animal's simulations in the fast mode, besides what its plan's `fast_s` asks for


@dataclass(frozen=True)
class Budget:
    """How much is run. seconds: of behaviour of each animal. splits: of the floor. neurons: lit at C (0: all). repeats:
    seeds of a paired run. robust: seeds under each change at F. permutations: of the Turing score. fast: no verdict,
    only a look."""

    name: str
    fast: bool
    seconds: float
    skip_s: float
    splits: int
    neurons: int
    rewirings: int
    repeats: int
    behaviour_s: float
    learning: int
    robust: int
    permutations: int
    every_control: bool
    animals: int = 0  # simulated at D, 0: as many as were recorded
    stand_ins: int = 0  # of each control at D, 0: as many as the model
    simulated: tuple[str, ...] = ("K1", "K2", "K3", "K8", "K9", "K10", "K11", "K18")  # controls run in body and world
    rows_s: float = 0.0  # simulated seconds for the rows of C, 0: no limit; rows come in the order of the table
    learning_s: float = 0.0  # of a learning experiment, 0: as long as it is described
    hard_only: bool = False  # at F of each pair of changes the one that asks more
    groups: bool = True  # whether animals are conditioned, in all the groups that it takes
    looks: tuple[int, ...] = ()  # seeds after which a row of C whose sign is decided gets no more (`sequential`)

    def paced(self, cpu_s: float, levels: Mapping[str, float]) -> Budget:
        """The fast budget for an animal whose second costs cpu_s of one core: CPU_S in all. levels: weights of those
        that the animal's table describes. Verdicts are not for sale: the full budget stays what it is."""
        whole = CPU_S / max(cpu_s, 1e-3)
        if not self.fast or cpu_s < QUICK:
            return self
        share = {k: whole * w / sum(levels.values()) for k, w in levels.items()}
        return replace(
            self,
            seconds=min(self.seconds, max(4.0, share.get("D", 0.0) / 7 - 1)),
            skip_s=1.0,
            animals=3,
            stand_ins=2,
            simulated=("K1",),
            neurons=4,
            rows_s=share.get("C", 0.0),
            learning_s=min(40.0, share.get("E", 0.0) / 6),
        )


FAST = Budget(
    name="fast",
    fast=True,
    seconds=30.0,
    skip_s=4.0,
    splits=200,
    neurons=8,
    rewirings=1,
    repeats=1,
    behaviour_s=22.0,
    learning=2,
    robust=2,
    permutations=40,
    every_control=False,
    animals=5,
    stand_ins=2,
    learning_s=42.0,
    hard_only=True,
    groups=False,
)
FULL = Budget("full", False, 600.0, 10.0, 200, 0, 19, 10, 120.0, 10, 11, 200, True, stand_ins=5, looks=(4, 7))


@dataclass
class Exam:
    """candidate: who. plan: the table of the animal. folder: where trials are kept. why_not: why no body can be run."""

    candidate: Candidate
    plan: dict[str, Any]
    budget: Budget
    folder: Path
    jobs: int = 1
    seed: int = 0
    note: Note = lambda text, done, total: None
    why_not: str = ""
    capabilities: tuple[str, ...] = ()
    digest: str = ""
    policy: Any = None
    protect: tuple[str, ...] = ()
    exhibits: dict[str, Any] = field(default_factory=dict)  # what the report shows beside numbers

    @classmethod
    def of(cls, candidate: Candidate, budget: Budget, folder: Path, **options: Any) -> Exam:
        """Builds the candidate once. LookupError for an animal without a plan; what building raises for a policy of the
        user's own; a body that does not ship is no error but `why_not`."""
        from bestiary.tasks.turing.guard import seek_canary

        out = cls(candidate, sources.plan(candidate.animal), budget, folder, **options)
        seek_canary(candidate.files())
        out.protect = tuple(str(p) for p in sources.files(out.plan))
        parts = ("bodies",) if candidate.own else ("bodies", "brains", "interfaces")
        lacks = [p for p in parts if candidate.animal not in bestiary.animals(p)]
        if lacks:
            out.why_not = f"no {candidate.animal} in {', '.join(f'{p}/' for p in lacks)} yet"
            return out
        out.policy = candidate.build()
        out.capabilities = candidate.capabilities(out.policy)
        out.digest = candidate.digest(out.policy)
        if budget.fast:
            weights = {"D": 3.0, "C": 3.0, "E": 1.5, "F": 2.5}
            described = {"D": "behaviour", "E": "learning", "F": "robustness"}
            here = {k: w for k, w in weights.items() if k == "C" or described[k] in out.plan}
            out.budget = _kept(out, here)
        return out

    def arms(self, level: str) -> dict[str, dict[str, Any]]:
        """The model, and the controls of this level that are animals: what `trial` takes for each."""
        out: dict[str, dict[str, Any]] = {"model": {}}
        if not self.candidate.own and not self.candidate.policy:
            for s in CONTROLS.values():
                if level in s.must_fail and s.animal and s.id in self.budget.simulated:
                    out[s.id] = {"build": {"control": s.animal}}
        return out

    def trial(self, world: dict[str, Any], seconds: float, seed: int, **more: Any) -> Trial:
        return Trial(self.candidate, world, seconds, seed, protect=self.protect, model=self.digest, **more)

    def run(
        self, text: str, trials: Sequence[Trial], keep: Callable[[int, Done], Any] = lambda place, done: done
    ) -> list[Any]:
        """What `keep` makes of each trial; all are written to the disk, and a run that was stopped finds them there."""
        kept = self.folder / "trials"
        return run_all(trials, kept, self.jobs, lambda done, total: self.note(text, done, total), keep)

    def lacks(self, needed: Sequence[str]) -> str:
        """Why a test that needs these capabilities cannot be run, or ""."""
        if self.why_not:
            return self.why_not
        missing = [c for c in needed if c not in self.capabilities]
        words = {
            "neurons": "the policy has no named neurons to light up and to read",
            "forecast": "the policy does not forecast: it has no forecast(context, horizon)",
        }
        return "; ".join(words.get(c, c) for c in missing)


def _kept(exam: Exam, levels: Mapping[str, float]) -> Budget:
    """The paced budget, and the same one again when the run goes on: a speed is never measured twice alike, and trials
    of other lengths would not be found again."""
    file = exam.folder / "fast.json"
    asked = json.dumps([exam.digest, asdict(exam.budget), levels, CPU_S])
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["asked"] == asked:
            fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in kept["budget"].items()}
            return Budget(**fields)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = exam.budget.paced(_pace(exam), levels)
    exam.folder.mkdir(parents=True, exist_ok=True)
    write(file, json.dumps({"asked": asked, "budget": asdict(found)}))
    return found


def write(path: Path, text: str) -> None:
    """All of it or nothing."""
    new = path.with_suffix(f".{os.getpid()}.tmp")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def _pace(exam: Exam) -> float:
    """Seconds of one core for a simulated second: of half a second, after one that compiles."""
    from bestiary.envs import EmbodiedEnv

    options = exam.plan.get("behaviour") or exam.plan.get("robustness") or {}
    clock = getattr(exam.policy, "clock", None)
    env = EmbodiedEnv(
        exam.candidate.animal, options.get("task", "locomotion"), options.get("medium"), clock, bad_action="clip"
    )
    obs, info = env.reset(seed=0)
    exam.policy.reset(info["episode_seed"])
    begin = 0.0
    half = round(0.5 / env.clock.control_s)
    for k in range(2 * half):
        if k == half:
            begin = time.process_time()
        obs, _, terminated, truncated, _ = env.step(exam.policy.act(obs))
        if terminated or truncated:
            break
    env.close()
    return 2 * (time.process_time() - begin)
