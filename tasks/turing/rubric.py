"""Level A: the ten dimensions of emulation, 0 to 3, from facts about a model ("State of Brain Emulation 2025",
mxschons/sobe-2025-data-repository, CC BY 4.0), and the eleventh that is not summed."""

from __future__ import annotations

from dataclasses import dataclass

DIMENSIONS = (
    "connectivity",
    "percentage of neurons",
    "cell types",
    "plasticity",
    "neuronal accuracy",
    "neuromodulation",
    "temporal resolution",
    "behaviour complexity",
    "personality",
    "learning horizon",
)
UNSUMMED = "in and out of distribution"
WHOLE = 0.9  # share of neurons that is called the whole brain (our reading)


@dataclass(frozen=True)
class Facts:
    """What can be seen of a model. Defaults are the least.

    edges: "none" (invented), "rules" (a few observations), "partial" (systematic rules, part of a connectome, or a
    projectome) or "connectome" (every edge of the part that is modelled was seen). neurons: share of the brain's.
    areas: whether they are at least an area or a few interacting ones. cord: the rest of the nervous system too.
    cell_types: distinct sets of parameters in use; subclasses: whether they are finer than excitatory/inhibitory.
    plastic: "none", "short" (short-term), "rule" (long-term rules) or "growth". unit: "none", "rate", "point" or
    "compartments". modulators: their number; interacting, feedback: among them. step_s: of the brain, None without
    time; spikes: whether activity is resolved as fast as spikes (in a graded system, as its fastest signals);
    subcellular: states below the cell. behaves: "none", "response", "loop" (feedback) or "complex" (shown blind, level
    D); without_brain: the same behaviour with the brain cut. personality: "none", "traits", "scattered" or "profile";
    individual: from individual wirings. learns_s: how long what was learned lasts.
    """

    edges: str = "none"
    neurons: float = 0.0
    areas: bool = False
    cord: bool = False
    cell_types: int = 1
    subclasses: bool = False
    diverse: bool = False
    plastic: str = "none"
    unit: str = "none"
    modulators: int = 0
    interacting: bool = False
    feedback: bool = False
    step_s: float | None = None
    spikes: bool = True
    subcellular: bool = False
    behaves: str = "none"
    without_brain: bool = False
    personality: str = "none"
    individual: bool = False
    learns_s: float = 0.0


def levels(f: Facts) -> dict[str, int]:
    """The level of every dimension. KeyError for a word that `Facts` does not list."""
    whole = f.neurons >= WHOLE
    return {
        "connectivity": {"none": 0, "rules": 1, "partial": 2, "connectome": 3}[f.edges],
        "percentage of neurons": 3 if whole and f.cord else 2 if whole else 1 if f.areas else 0,
        "cell types": 0 if f.cell_types < 2 else 3 if f.diverse else 2 if f.subclasses else 1,
        "plasticity": {"none": 0, "short": 1, "rule": 2, "growth": 3}[f.plastic],
        "neuronal accuracy": {"none": 0, "rate": 1, "point": 2, "compartments": 3}[f.unit],
        "neuromodulation": 0
        if f.modulators < 1
        else 1
        if f.modulators < 2
        else 3
        if f.interacting and f.feedback
        else 2
        if f.interacting
        else 1,
        "temporal resolution": _time(f),
        "behaviour complexity": 0
        if f.without_brain
        else {"none": 0, "response": 1, "loop": 2, "complex": 3}[f.behaves],
        "personality": min(
            {"none": 0, "traits": 1, "scattered": 2, "profile": 3}[f.personality], 3 if f.individual else 1
        ),
        "learning horizon": 0 if f.learns_s <= 0 else 1 if f.learns_s < 86400 else 2 if f.learns_s < 3.2e7 else 3,
    }


def _time(f: Facts) -> int:
    if f.step_s is None:
        return 0
    if f.step_s <= 1e-6 and f.subcellular:
        return 3
    return 2 if f.step_s <= 5e-3 and f.spikes else 1


def score(f: Facts) -> str:
    """The ten levels as one word, as the authors' table has them."""
    found = levels(f)
    return "".join(str(found[d]) for d in DIMENSIONS)


# The authors' own scores of nine models, and what of each model leads to them: regression tests of `levels`.
PUBLISHED: dict[str, tuple[str, Facts]] = {
    "OpenWorm/Sarma": (
        "3330312200",
        Facts(
            "connectome",
            1.0,
            True,
            True,
            302,
            True,
            True,
            unit="compartments",
            modulators=1,
            step_s=5e-5,
            behaves="loop",
        ),
    ),
    "BAAIWorm": (
        "3130302200",
        Facts("connectome", 136 / 302, True, False, 136, True, True, unit="compartments", step_s=5e-5, behaves="loop"),
    ),
    "Kim": (
        "3220102100",
        Facts("connectome", 279 / 302, True, False, 3, True, unit="rate", step_s=1e-3, behaves="response"),
    ),
    "Shiu": (
        "3210202100",
        Facts("connectome", 0.99, True, cell_types=2, unit="point", step_s=1e-4, behaves="response"),
    ),
    "Lappalainen": (
        "3120101100",
        Facts("connectome", 0.4, True, cell_types=65, subclasses=True, unit="rate", step_s=0.02, behaves="response"),
    ),
    "simZFish": (
        "2120102200",
        Facts("partial", 0.01, True, cell_types=12, subclasses=True, unit="rate", step_s=1e-3, behaves="loop"),
    ),
    "Vishwanathan": (
        "3120101200",
        Facts("connectome", 0.02, True, cell_types=6, subclasses=True, unit="rate", step_s=0.01, behaves="loop"),
    ),
    "Billeh": (
        "2120302100",
        Facts(
            "partial", 0.003, True, cell_types=17, subclasses=True, unit="compartments", step_s=1e-4, behaves="response"
        ),
    ),
    "ZAPBench": ("0200101000", Facts("none", 0.95, True, unit="rate", step_s=0.914)),
}
