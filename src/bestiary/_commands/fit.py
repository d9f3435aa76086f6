"""`bestiary fit ANIMAL`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bestiary._commands._show import Outcome, bar, known_animal, table
from bestiary.errors import BestiaryError


def command(options: Any) -> Outcome:
    known_animal(options.animal, "interfaces")
    if options.budget < 1:
        raise BestiaryError(f"a fit needs a budget of one trial or more, got {options.budget}")
    try:
        from bestiary.brains._fit import run_fit
    except ImportError as error:
        raise BestiaryError(f"the fit cannot start: {error}") from error
    out = Path(options.out or f"runs/fit-{options.animal}-{options.seed}")
    out.mkdir(parents=True, exist_ok=True)
    with bar(options.budget, f"fit {options.animal}", "trials") as progress:

        def note(done: int, loss: float) -> None:
            progress.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            progress.update(done - progress.n)

        result = run_fit(
            options.animal,
            budget=options.budget,
            seed=options.seed,
            connectome=options.connectome,
            control=options.control,
            out=out,
            progress=note,
        )
    report = {"animal": options.animal, "seed": options.seed, "budget": options.budget, "out": out, "result": result}
    plain = [(k, v) for k, v in result.items() if isinstance(v, str | int | float)] if isinstance(result, dict) else []
    return Outcome(report, "\n".join(filter(None, [table(plain), f"  written to {out}"])))
