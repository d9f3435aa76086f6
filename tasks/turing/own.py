"""A recording and a brain of one's own: level D in one call."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bestiary.errors import DataError
from bestiary.tasks.turing import checks, level_d, pipeline, readers, synthetic
from bestiary.tasks.turing.contract import VERSION, Result, Verdict, level_verdict
from bestiary.tasks.turing.controls import CONTROLS, EXTRA
from bestiary.tasks.turing.guard import guarded
from bestiary.tasks.turing.series import Cohort
from bestiary.tasks.turing.sources import plan


def against(
    recording: str | Path | Cohort,
    animal: str,
    policy: Any,
    *,
    task: str = "locomotion",
    medium: Any = None,
    seconds: float = 60.0,
    smooth_s: float = 0.5,
    out_Hz: float = 4.0,
    every: int = 1,
    permutations: int = 100,
    seed: int = 0,
    out: str | Path | None = None,
    protect: Sequence[str | Path] = (),
) -> list[Result]:
    """Runs `policy` in the body of `animal`, once for every recorded animal, and compares tracks.

    recording: a file or folder that `readers.read` takes, or what it gives, with channels x_m and y_m, the centre in m.
    policy: anything with reset(episode_seed) and act(obs); it may open neither the recording nor `protect`.
    smooth_s, out_Hz: both kinds of track are smoothed over smooth_s and thinned to out_Hz, which must divide the frame
    rate; simulated ones get the tracking noise of the recorded ones first.
    out: folder for scorecard.json and report.html. Raises DataError for recordings that cannot be used.
    """
    from bestiary.envs import EmbodiedEnv
    from bestiary.tasks._trial import run_trial

    read = recording if isinstance(recording, Cohort) else readers.read(recording, every)
    if tuple(read.channels) != ("x_m", "y_m"):
        raise DataError(f"{read.source} has channels {', '.join(read.channels)}; tracks are x_m, y_m")
    table = plan(animal).get("plausible", {})
    checks.insist(read)  # as it was recorded: what smoothing would hide
    rate = read.rate_Hz
    noise_m = max(pipeline.tracking_noise_m(a.values) for a in read.animals)
    paths = [pipeline.centroid(a.name, a.values, rate, smooth_s, out_Hz) for a in read.animals]
    real = Cohort(tuple(paths), read.source, sha256=read.sha256)
    checks.insist(real, {k: tuple(v) for k, v in table.items()})
    options = {"camera_Hz": rate, "smooth_s": smooth_s, "out_Hz": out_Hz}
    env = EmbodiedEnv(animal, task, medium, getattr(policy, "clock", None), task_options={"seconds": seconds + 1})
    files = [*protect, *([] if isinstance(recording, Cohort) else [recording])]
    with guarded(files):
        tracks = [run_trial(env, policy, min(seconds, real.seconds), seed + i, every=1) for i in range(len(real))]
    if stopped := [t.divergence for t in tracks if t.divergence]:
        raise DataError(f"{len(stopped)} of {len(tracks)} trials stopped: {stopped[0]}")
    model = Cohort(tuple(pipeline.from_track(t, options, noise_m) for t in tracks), "simulated")
    stand_ins = {"K12": synthetic.iaaft(real), "K13": synthetic.iid(real), "K17": synthetic.backward(real)}
    stand_ins |= {"K14": synthetic.clones(real), "replay": synthetic.replay(real)}
    results, _ = level_d.compare(real, model, stand_ins, permutations=permutations, seed=seed)
    if out is not None:
        _write(Path(out), animal, policy, real, model, results, seed)
    return results


def _write(
    folder: Path, animal: str, policy: Any, real: Cohort, model: Cohort, results: list[Result], seed: int
) -> None:
    from bestiary.tasks.turing.suite import exploratory, save

    verdict = level_verdict(results)
    counts = {v: sum(r.verdict is v for r in results) for v in Verdict}
    card = {
        "format": "bestiary-turing-scorecard",
        "version": VERSION,
        "animal": animal,
        "policy": type(policy).__name__,
        "fast": False,
        "seed": seed,
        "levels": {"D": {"name": "behaviour", "verdict": verdict, "reason": "", "counts": counts, "controls": {}}},
        "emulation_claim": "not asked: it needs A, C and D",
        "rubric": [],
        "exploratory": exploratory(results),
        "controls": {s.id: s.about for s in (*CONTROLS.values(), *EXTRA.values())},
        "controls_not_run": {
            k: "not part of a comparison of tracks" for k in CONTROLS if k not in ("K12", "K13", "K14", "K17")
        },
        "model_sha256": hashlib.sha256(model.digest().encode()).hexdigest(),
        "evaluations": None,
    }
    save(folder, card, results, level_d.exhibits(real, model, results))
