"""K0 to K18: what stands in for the model, and which levels must tell it apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bestiary.tasks.turing import synthetic
from bestiary.tasks.turing.series import Cohort

REWIRINGS = 19  # of each kind: a rank among N animals resolves 1 / (N + 1), so 0.05 needs 19


@dataclass(frozen=True)
class Stand:
    """One control. animal: its name in `bestiary.interfaces._controls`, run in body and world. series: made from the
    recordings themselves. must_fail: levels that must not pass it. many: one wiring an animal, `REWIRINGS` at C."""

    id: str
    about: str
    animal: str = ""
    series: Callable[[Cohort, int], Cohort] | None = None
    must_fail: str = ""
    many: bool = False


CONTROLS: dict[str, Stand] = {
    s.id: s
    for s in (
        Stand("K0", "held-out recorded animals: must pass everywhere"),
        Stand("K1", "brain cut", "brain-off", must_fail="BCDEF"),
        Stand("K2", "Poisson brain", "poisson", must_fail="BCDEF"),
        Stand("K3", "Erdos-Renyi wiring", "erdos-renyi", must_fail="ABCD", many=True),
        Stand("K4", "degree-preserving rewiring", "degree-preserving", must_fail="C", many=True),
        Stand("K5", "degree-, weight- and class-preserving rewiring", "class-preserving", must_fail="C", many=True),
        Stand("K6", "weights shuffled", "weight-shuffle", must_fail="C", many=True),
        Stand("K7", "signs shuffled", "sign-shuffle", must_fail="BC", many=True),
        Stand("K8", "receptors permuted", "sensor-permutation", must_fail="R", many=True),
        Stand("K9", "motors permuted", "motor-permutation", must_fail="D", many=True),
        Stand("K10", "a scripted rhythm of the body, no brain", "pattern-generator", must_fail="CREF"),
        Stand("K11", "stimulus-keyed lookup of recordings", series=synthetic.lookup, must_fail="CMEF"),
        Stand("K12", "IAAFT surrogates of recordings", series=synthetic.iaaft, must_fail="D"),
        Stand("K13", "frames of recordings in random order", series=synthetic.iid, must_fail="D"),
        Stand("K14", "clones of a mean animal", series=synthetic.clones, must_fail="I"),
        Stand("K15", "policy that learned to get along, no connectome; may pass D", must_fail="AC"),
        Stand("K16", "plasticity off", must_fail="E"),
        Stand("K17", "time reversed", series=synthetic.backward, must_fail="D"),
        Stand("K18", "the model with new seeds: must pass where it passed"),
    )
}
# Beside the K numbers of the notes: what their synthetic experiment found single statistics to miss.
EXTRA = {
    "replay": Stand("replay", "recordings with 1 % noise", series=synthetic.replay, must_fail="M"),
    "decoupled": Stand("decoupled", "channels shifted against each other", series=synthetic.decoupled, must_fail="D"),
}
# Which single test of level D must catch what: no test catches everything, the level does.
CATCHES: dict[str, tuple[str, ...]] = {
    "D.spectrum": ("K13",),
    "D.coupling": ("decoupled",),
    "D.arrow": ("K17",),
    "D.turing.1s": ("K13",),
    "D.turing.10s": ("K12", "K13"),
    "D.memory": ("K11", "replay"),
    "D.individuality": ("K14",),
}


def rules(levels: str) -> list[Stand]:
    """The controls that at least one of the levels must tell apart."""
    return [s for s in CONTROLS.values() if set(s.must_fail) & set(levels)]
