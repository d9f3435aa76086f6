"""What an examination is given: who, against what, how much of it, and where the work is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bestiary
from bestiary.tasks.turing import sources
from bestiary.tasks.turing.policies import Candidate
from bestiary.tasks.turing.trials import Done, Trial, run_all

Note = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Budget:
    """How much is run. seconds: of behaviour of each animal. splits: of the floor. neurons: lit at C (0: all). repeats:
    seeds of a paired run. permutations: of the Turing score. fast: no verdict, only a look."""

    name: str
    fast: bool
    seconds: float
    skip_s: float
    splits: int
    slow_splits: int
    neurons: int
    rewirings: int
    repeats: int
    behaviour_s: float
    learning: int
    robust_s: float
    permutations: int
    every_control: bool


FAST = Budget("fast", True, 60.0, 6.0, 200, 12, 16, 2, 3, 25.0, 4, 10.0, 40, False)
FULL = Budget("full", False, 600.0, 10.0, 200, 200, 0, 19, 10, 120.0, 10, 60.0, 200, True)


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
        return out

    def trial(self, world: dict[str, Any], seconds: float, seed: int, **more: Any) -> Trial:
        return Trial(self.candidate, world, seconds, seed, protect=self.protect, model=self.digest, **more)

    def run(self, text: str, trials: Sequence[Trial]) -> list[Done]:
        """All trials, kept and resumed."""
        kept = self.folder / "trials"
        return run_all(trials, kept, self.jobs, lambda done, total: self.note(text, done, total))

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
