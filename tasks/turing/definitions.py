"""The tests by name, level by level."""

from __future__ import annotations

from bestiary.tasks.turing.contract import Test, margin_of
from bestiary.tasks.turing.controls import CATCHES, CONTROLS

_ENERGY = "energy coefficient between animals"
_D: dict[str, tuple[str, str, str]] = {
    "D.features": ("level, spread, step and autocorrelation of each channel", _ENERGY, "-"),
    "D.marginals": ("distribution of each channel (Wasserstein)", _ENERGY, "-"),
    "D.spectrum": ("power spectrum of each channel (Hellinger)", _ENERGY, "-"),
    "D.coupling": ("correlations between channels, with lags", _ENERGY, "-"),
    "D.arrow": ("what changes its sign when time runs backward", _ENERGY, "-"),
    "D.usage": ("how often each syllable is used (Jensen-Shannon)", _ENERGY, "-"),
    "D.transitions": ("which syllable follows which (Jensen-Shannon)", _ENERGY, "-"),
    "D.dwell": ("how long a syllable lasts (Kolmogorov-Smirnov)", _ENERGY, "-"),
    "D.response": ("stimulus-response curve: threshold, size, share, latency", _ENERGY, "-"),
    "D.turing.0.1s": ("classifier on windows of 0.1 s", "AUC, re-centred", "AUC"),
    "D.turing.1s": ("classifier on windows of 1 s", "AUC, re-centred", "AUC"),
    "D.turing.10s": ("classifier on windows of 10 s", "AUC, re-centred", "AUC"),
    "D.turing.60s": ("classifier on windows of 60 s", "AUC, re-centred", "AUC"),
    "D.memory": ("is it a recording? distance to the nearest recorded window", "log ratio to animals", "log"),
    "D.individuality": ("variance between individuals", "log ratio to animals", "log"),
}
_OTHER: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "A.structure": ("provenance and completeness of the connectome", "level of connectivity", "level", ()),
    "B.correlations": ("correlations between identified neurons", "rank correlation", "rank r", ("neurons",)),
    "B.rates": ("distribution of activity of each class (Kolmogorov-Smirnov)", _ENERGY, "-", ("neurons",)),
    "B.spectrum": ("power spectrum of activity (Hellinger)", _ENERGY, "-", ("neurons",)),
    "B.states": ("where in state space activity stays (Kullback-Leibler)", _ENERGY, "-", ("neurons",)),
    "B.dimension": ("dimensionality and divergence of activity", _ENERGY, "-", ("neurons",)),
    "B.forecast": (
        "forecast of activity, up to where repeats lose it",
        "skill against the best baseline",
        "-",
        ("forecast",),
    ),
    "B.evoked": (
        "answers to stimuli, of what repeats have in common",
        "explained share of the variance",
        "share",
        ("neurons",),
    ),
    "C.atlas": ("which neurons answer to which: responds or not", "balanced accuracy", "share", ("neurons",)),
    "C.signs": ("of neurons that answer: more or less active", "balanced accuracy", "share", ("neurons",)),
    "C.behaviour": ("lesions and stimulation: behaviour up, none, down", "balanced accuracy", "share", ("neurons",)),
    "E.habituation": (
        "response to repeated stimuli falls, beside naive animals",
        "change of the last responses, trained - naive",
        "share",
        (),
    ),
    "E.conditioning": (
        "a cue that was paired with an event is answered, beside unpaired and naive animals",
        "answer to the cue, paired - others, over that to the event",
        "share",
        (),
    ),
    "E.extinction": (
        "the answer goes when the event stays away, beside animals that met no cue",
        "change of what was learned",
        "share",
        (),
    ),
    "E.retention": (
        "the answer is kept without cues, beside unpaired animals",
        "answer to the cue, paired - unpaired, over that to the event",
        "share",
        (),
    ),
    "F.mean": ("answer to a stimulus under changed body, world and noise, mean", "share of unchanged", "-", ()),
    "F.minimum": ("answer to a stimulus under changed body, world and noise, worst", "share of unchanged", "-", ()),
}


def _controls(test_id: str, level: str) -> tuple[str, ...]:
    if level == "D":
        return CATCHES.get(test_id, ())
    if test_id in ("E.extinction", "E.retention"):  # asked of those that learned: no control did
        return ()
    if level in "ABCEF":
        return tuple(s.id for s in CONTROLS.values() if level in s.must_fail)
    return ()


TESTS: dict[str, Test] = {
    **{
        k: Test(k, k[0], about, statistic, unit, margin_of(k), _controls(k, k[0]), capabilities=capabilities)
        for k, (about, statistic, unit, capabilities) in _OTHER.items()
    },
    **{
        k: Test(k, "D", about, statistic, unit, margin_of(k), _controls(k, "D"), needs=40)
        for k, (about, statistic, unit) in _D.items()
    },
}
LEVELS = {
    "A": "structure",
    "B": "dynamics",
    "C": "perturbation",
    "D": "behaviour",
    "E": "learning",
    "F": "robustness",
}
