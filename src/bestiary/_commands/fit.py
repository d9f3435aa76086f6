"""`bestiary fit ANIMAL`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bestiary
from bestiary._commands._show import Outcome, bar, folder_for, known_animal, physics, say, table
from bestiary.errors import BestiaryError


def command(options: Any) -> Outcome:
    known_animal(options.animal, "interfaces")
    if (options.budget is not None and options.budget < 1) or options.jobs < 1:
        raise BestiaryError(f"a fit needs a budget of one or more, and one job or more, got {options.budget} and "
                            f"{options.jobs}")  # fmt: skip
    from bestiary.interfaces._controls import check_acts

    check_acts(options.control, options.control_seed, {"a fit of its brain": True})
    physics()
    from bestiary.tasks._fit import run_fit, stages
    from bestiary.tasks.turing import learned

    if options.stage == learned.STAGE:
        return _learned(options)
    known = stages(options.animal)
    if options.stage and options.stage not in known:
        raise LookupError(f"no stage {options.stage!r} in the fit of {options.animal}; "
                          f"{bestiary.nearest(options.stage, known, 'stage')}")  # fmt: skip
    stage = options.stage or next(iter(known))

    out = _file(options.out or f"runs/fit-{options.animal}-{options.seed}.json")
    with bar(options.budget or known[stage].budget, f"fit {options.animal}", "trials") as progress:

        def note(done: int, total: int, loss: float) -> None:
            progress.total = total
            progress.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            progress.update(min(done, total) - progress.n)

        try:
            result = run_fit(
                options.animal,
                budget=options.budget,
                seed=options.seed,
                stage=stage,
                start=options.start,
                connectome=options.connectome,
                control=options.control,
                control_seed=options.control_seed,
                out=out,
                jobs=options.jobs,
                progress=note,
            )
        except KeyboardInterrupt:
            if out.is_file():
                say(f"the best so far is kept in {out}; `--start {out}` goes on from it")
            raise
    fitted = result.get("summary") or [(name, result["parameters"][name]) for name in result["fitted"]]
    text = f"{result['stage']}: {result['about']}\n{table([('loss', result['loss']), *fitted])}\n  written to {out}"
    return Outcome({"animal": options.animal, "out": out, **result}, text)


def _file(name: str) -> Path:
    """Where the result goes. BestiaryError, before the search, where no file can be written there."""
    if (out := Path(name)).is_dir():
        raise BestiaryError(f"{out} is a folder, and a fit is a file: --out {out / 'fit.json'}")
    folder_for(out.parent)
    return out


def _learned(options: Any) -> Outcome:
    """K15 of the Turing test: a policy without connectome, by the same command, with seed and budget."""
    from bestiary.tasks.turing import learned

    if taken := [k for k in ("start", "connectome", "control") if getattr(options, k)]:
        raise BestiaryError(
            f"{', '.join(taken)} would change nothing: a learned policy has no connectome; leave it out"
        )
    out = _file(options.out or f"runs/learned-{options.animal}-{options.seed}.json")
    with bar(None, f"learn {options.animal}", "episodes") as progress:

        def note(done: int, total: int, loss: float) -> None:
            progress.total = total
            progress.set_postfix_str(f"reward {1 - loss:.3g}", refresh=False)
            progress.update(done - progress.n)

        result = learned.learn(options.animal, out, options.budget, options.seed, note)
    first, last = result["reward"][0], result["reward"][-1]
    text = f"{result['about']}\n{table([('reward, first', first), ('reward, last', last)])}\n  written to {out}"
    return Outcome({"animal": options.animal, "out": out, **result}, text)
