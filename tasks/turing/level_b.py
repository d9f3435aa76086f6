"""Level B, dynamics: activity as indicator and frame rate would have shown it, against recorded activity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bestiary.assets import registry
from bestiary.bodies._base import Array
from bestiary.errors import DataError
from bestiary.tasks.turing import distance, features, forecast, invariants
from bestiary.tasks.turing.contract import Outcome, Reference, Result, judge, not_run, validate
from bestiary.tasks.turing.definitions import TESTS
from bestiary.tasks.turing.distance import bounds
from bestiary.tasks.turing.exam import Exam
from bestiary.tasks.turing.series import Cohort, Frame, matched

_COMPARED = ("B.rates", "B.spectrum", "B.states", "B.dimension")


def run(exam: Exam) -> list[Result]:
    missing = exam.plan.get("missing", {})
    why = missing.get("B", "no recorded activity of several animals is at hand")
    out = [_correlations(exam)]
    out += [not_run(TESTS[k], exam.lacks(("neurons",)) or why) for k in _COMPARED]
    out.append(not_run(TESTS["B.evoked"], exam.lacks(("neurons",)) or missing.get("evoked", why)))
    out.append(not_run(TESTS["B.forecast"], exam.lacks(("forecast",)) or missing.get("forecast", why)))
    return out


def _correlations(exam: Exam) -> Result:
    """Rank correlation, over pairs of identified neurons, of simulated and recorded correlations of activity. One mean
    matrix says nothing of how animals differ: a model can fail it, not pass."""
    test = TESTS["B.correlations"]
    if reason := exam.lacks(test.capabilities):
        return not_run(test, reason)
    options = exam.plan.get("correlations")
    if options is None:
        return not_run(test, exam.plan.get("missing", {}).get("B", "no recorded correlations"))
    try:
        recorded = np.loadtxt(registry.path(options["data"], options["file"]))
        names = registry.path(options["data"], options["names"]).read_text(encoding="utf-8").split("\t")
    except (DataError, ValueError) as error:
        return not_run(test, str(error))
    names = [n.strip() for n in names]
    if recorded.shape != (len(names), len(names)):
        return not_run(test, f"{options['file']} is {recorded.shape}, for {len(names)} names: damaged")
    kept = [i for i, n in enumerate(names) if n in exam.policy.names]
    recorded, names = recorded[np.ix_(kept, kept)], [names[i] for i in kept]
    world = {k: options[k] for k in ("task", "medium", "task_options") if k in options}
    arms: list[dict[str, Any]] = [{}]
    if not exam.candidate.own and not exam.candidate.policy:
        arms += [{"control": "sign-shuffle", "control_seed": 0}, {"control": "poisson"}, {"control": "brain-off"}]
    n, seconds = max(3, exam.budget.learning - 1), min(120.0, exam.budget.seconds / 2)
    trials = [
        exam.trial(world, seconds + 5, exam.seed + i, build=b, record=tuple(names), skip_s=5.0)
        for b in arms
        for i in range(n)
    ]
    done = exam.run("B activity", trials)

    def score(which: int) -> Outcome:
        found = []
        for d in done[which * n : which * n + n]:
            if d.track is None:
                continue
            rate = 1 / float(np.median(np.diff(d.track.time_s)))
            seen = forecast.observe(
                d.arrays["voltage_mV"], rate, rate / 4, float(options["decay_s"]), float(options["noise"])
            )
            order = [d.names.index(x) for x in names]
            seen = seen[:, order]
            moving = seen.std(0) > 1e-9
            matrix = np.where(
                moving[:, None] & moving[None],
                np.corrcoef(seen.T + 1e-12 * np.random.default_rng(0).standard_normal(seen.T.shape)),
                0.0,
            )
            found.append(matrix)
        if not found:
            return Outcome(float("nan"), float("nan"), float("nan"), 1, 0, reason="every trial stopped")
        mean = np.mean(found, 0)
        rng = np.random.default_rng(exam.seed)
        draws = np.array([_rank(recorded, mean, rng.integers(len(names), size=len(names))) for _ in range(300)])
        b = bounds(_rank(recorded, mean, np.arange(len(names))), draws, len(names))
        return Outcome(b.value, b.low95, b.high95, 1, len(found), {"neurons": len(names)})

    entry = registry.entry(options["data"])
    reference = Reference(entry.citation, options.get("doi", ""), entry.licence, "", 1)
    test = replace(test, reference=reference)
    result = judge(test, score(0), least=1)
    against = {}
    for k, which in (("K7", 1), ("K2", 2), ("K1", 3)):
        if which < len(arms):
            o = score(which)
            against[k] = (o.value, o.low95, o.high95, test.margin.judge(o.low95, o.high95))
    return validate(replace(result, controls=against))


def _rank(a: Array, b: Array, rows: Array) -> float:
    """Spearman over pairs of different neurons among `rows`, drawn with replacement in a bootstrap over neurons."""
    i, j = np.triu_indices(len(rows), 1)
    i, j = rows[i], rows[j]
    keep = i != j
    x, y = a[i[keep], j[keep]], b[i[keep], j[keep]]
    rx, ry = x.argsort().argsort(), y.argsort().argsort()
    return float(np.corrcoef(rx, ry)[0, 1])


# For recordings of one's own


def forecasts(
    policy: Any, activity: Array, repeats: Array | None = None, context: int = 4, horizon: int = 32, seed: int = 0
) -> Result:
    """B.forecast: mean skill of `policy.forecast(context (context, F), horizon)`, which gives (H, F) or an ensemble (E,
    H, F), against the best of mean, persistence and AR(1), at windows of the last fifth of activity (T, F); the first
    70 % is what baselines may see (the parts of ZAPBench). repeats (n, H, F) of one stimulus: horizons at which these
    no longer predict one another are not scored. Bounds from a bootstrap over stretches of `horizon` frames.
    """
    test, n = TESTS["B.forecast"], len(activity)
    train, starts = activity[: round(0.7 * n)], np.arange(round(0.8 * n), n - horizon, max(1, horizon // 4))
    until = horizon if repeats is None else min(horizon, forecast.predictable(repeats))
    if len(starts) < 8 or not until:
        return not_run(test, f"{len(starts)} windows in the last fifth, {until} horizons that repeats predict")
    found = np.stack([_members(policy.forecast(activity[s - context : s], horizon)) for s in starts], 1)
    truth, last = np.stack([activity[s : s + horizon] for s in starts]), activity[starts - 1]
    middle = np.median(found, 0)
    whole = forecast.skill(middle, truth, train, last, until)
    group = (starts - starts[0]) // horizon
    rng, draws = np.random.default_rng(seed), []
    for _ in range(200):
        rows = np.concatenate([np.flatnonzero(group == g) for g in rng.integers(group.max() + 1, size=group.max() + 1)])
        draws.append(forecast.skill(middle[rows], truth[rows], train, last[rows], until).value)
    b = bounds(whole.value, np.array(draws), int(group.max()) + 1)
    detail = {"by_horizon": whole.least.tolist(), "crps": forecast.crps(found, truth).tolist(), "until": until}
    return judge(test, Outcome(b.value, b.low95, b.high95, 1, 1, detail), least=1)


def _members(found: Any) -> Array:
    x = np.asarray(found, float)
    return x[None] if x.ndim == 2 else x


def evoked(answers: Array, prediction: Array, seed: int = 0) -> Result:
    """B.evoked: mean of `forecast.feve` over neurons, bounds from a bootstrap over neurons. answers (repeats, stimuli,
    neurons) of one animal: a model can fail it, and passes for no more than that animal."""
    share = forecast.feve(answers, prediction)
    share = share[np.isfinite(share)]
    test = TESTS["B.evoked"]
    if len(share) < 2:
        return not_run(test, "fewer than two neurons answer the stimuli alike each time")
    rng = np.random.default_rng(seed)
    b = bounds(float(share.mean()), share[rng.integers(len(share), size=(400, len(share)))].mean(1), len(share))
    return judge(test, Outcome(b.value, b.low95, b.high95, 1, 1, {"neurons": len(share)}), least=1)


def compare(real: Cohort, model: Cohort, seed: int = 0) -> list[Result]:
    """Distribution, spectrum, state space and dimensionality of activity, recorded against simulated, both as observed
    (`forecast.observe`): the energy coefficient between animals for each. Raises DataError as `level_d.compare`."""
    real, model = matched(real, model)
    frame = Frame.fit(real, keep=8)
    animals = [*real.animals, *model.animals]
    z = [frame(a) for a in animals]
    mask = np.r_[np.ones(len(real), bool), np.zeros(len(model), bool)]
    rate = real.rate_Hz
    whole = [(a.values - frame.mean) / frame.scale for a in animals]
    classes = real.animals[0].classes or ("all",) * len(real.channels)
    shapes = np.stack([[invariants.participation(x), invariants.lyapunov_per_s(x, rate)] for x in z])
    centre, spread = distance.ruler(shapes[: len(real)])
    places = [invariants.occupancy(x) for x in z]
    tables: dict[str, Callable[[int, int], float]] = {
        "B.rates": lambda i, j: 1 - np.mean([_similar(whole[i], whole[j], classes, c) for c in sorted(set(classes))]),  # type: ignore[dict-item, return-value]
        "B.states": lambda i, j: float(np.sqrt(invariants.state_space_divergence(places[i], places[j]))),
    }
    vectors = {
        "B.spectrum": np.stack([features.spectrum(x, rate) for x in z]),
        "B.dimension": np.nan_to_num((shapes - centre) / spread),
    }
    rng = np.random.default_rng(seed)
    out = []
    for key in _COMPARED:
        if key in vectors:
            d = distance.euclidean(vectors[key])
        else:
            d = np.zeros((len(animals), len(animals)))
            for i in range(len(animals)):
                for j in range(i):
                    d[i, j] = d[j, i] = tables[key](i, j)
        b = distance.excess(d, mask, rng)
        out.append(judge(TESTS[key], Outcome(b.value, b.low95, b.high95, len(real), len(model))))
    return out


def _similar(a: Array, b: Array, classes: tuple[str, ...], which: str) -> float:
    rows = [i for i, c in enumerate(classes) if c == which]
    x, y = a[:, rows].ravel(), b[:, rows].ravel()
    return distance.ks_similarity(x[np.isfinite(x)][::7], y[np.isfinite(y)][::7])
