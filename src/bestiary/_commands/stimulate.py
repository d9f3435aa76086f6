"""`bestiary stimulate BRAIN`."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import bestiary
from bestiary._commands._show import Outcome, bar, folder_for, say, table
from bestiary.errors import BestiaryError, DataError

_SHOWN = 20  # rows of the printed table; --json and summary.json hold all


def command(options: Any) -> Outcome:
    if options.trials < 1 or options.jobs < 1 or not 0 < options.seconds < math.inf:
        raise BestiaryError(
            f"seconds must be above 0, trials and jobs 1 or more; got {options.seconds:g} s, "
            f"{options.trials} trials and {options.jobs} jobs"
        )
    _has("pynwb", "nwb", needed=options.nwb)
    from bestiary.brains import _stimulate

    drive = _stimulate.parse_drive(options.drive)
    if not drive:
        raise BestiaryError("nothing is driven: --drive NEURONS=RATE, as in --drive P9=150Hz; it can be given again")
    asked = {name: queries(getattr(options, name)) for name in ("silence", "lesion", "record")}
    began = time.perf_counter()
    brain = _stimulate.brain(options.brain)
    for query in (*drive, *asked["silence"], *asked["lesion"], *asked["record"]):
        brain.select(query)  # unknown names before any work
    label = Path(options.brain).name if os.path.exists(options.brain) else options.brain
    folder = folder_for(options.out or f"runs/stimulate-{label}-{options.seed}")
    with bar(options.trials, label, "trials") as progress:
        result = _stimulate.stimulate(
            brain,
            drive=drive,
            silence=asked["silence"],
            lesion=asked["lesion"],
            record=asked["record"] or None,
            trials=options.trials,
            seconds=options.seconds,
            seed=options.seed,
            device=options.device,
            threads=options.jobs,
            name=label,
            on_trial=lambda done: progress.update(done - progress.n),
        )
    wall_s = time.perf_counter() - began
    rows = result.table()
    files: dict[str, Any] = {}
    if _has("pyarrow", "parquet", needed=False):
        files["spikes"] = result.to_parquet(folder / "spikes.parquet")
    if options.nwb:
        files["nwb"] = result.to_nwb(folder / "spikes.nwb")
    if options.plots:
        files["raster"] = result.plot_raster(folder / "raster.png")
        files["rates"] = result.plot_rates(folder / "rates.png")
    files["summary"] = folder / "summary.json"
    report = {
        "brain": label,
        "source": brain.source,
        "neurons": len(brain),
        "edges": brain.n_edges,
        "trials": options.trials,
        "seconds": options.seconds,
        "seed": options.seed,
        "drive_Hz": {q if isinstance(q, str) else ",".join(q): hz for q, hz in drive.items()},
        "driven": len(result.driven),
        **asked,
        "recorded": len(result.recorded),
        "spikes": len(result.trial),
        "wall_s": wall_s,
        "table": rows,
        "files": files,
        "bestiary": bestiary.__version__,
    }
    outcome = Outcome(report, _text(report, rows))
    files["summary"].write_text(json.dumps(json.loads(outcome.json()), indent=1) + "\n", encoding="utf-8")
    return outcome


def queries(given: tuple[str, ...]) -> list[str]:
    """Queries that were given one by one or joined with commas; blanks inside them stay: "motor & side=L"."""
    return [part.strip() for text in given for part in text.split(",") if part.strip()]


def _has(module: str, extra: str, *, needed: bool) -> bool:
    """Whether an optional library is here, asked before the long work. Raises DataError where it is needed."""
    if importlib.util.find_spec(module) is not None:
        return True
    fix = f"{module} is not installed: pip install 'bestiary[{extra}]'"
    if needed:
        raise DataError(f"writing {extra.upper()} needs what is not here; {fix}")
    if module == "pyarrow":
        say(f"the spikes are not written, only their table: {fix}")
    return False


def _text(report: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    head = (
        f"{report['brain']}: {report['neurons']} neurons, {report['edges']} edges; {report['driven']} driven, "
        f"{report['trials']} trials of {report['seconds']:g} s, seed {report['seed']}\n"
        f"{report['spikes']} spikes; {len(rows)} of {report['recorded']} recorded neurons fired"
    )
    columns = ("name", "type", "side", "driven_Hz", "rate_Hz", "sd_Hz", "share", "first_ms")
    shown = [tuple(row[c] for c in columns) for row in rows[:_SHOWN]]
    more = [f"  ... {len(rows) - _SHOWN} more in {report['files']['summary']}"] if len(rows) > _SHOWN else []
    places = [f"  {name}: {path}" for name, path in report["files"].items()]
    return "\n".join([head, *([table(shown, columns)] if shown else []), *more, *places])
