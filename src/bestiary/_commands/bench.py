"""`bestiary bench NAME`."""

from __future__ import annotations

from typing import Any

from bestiary._commands._show import Outcome, bar, known_animal, number, physics, size, table
from bestiary.errors import BestiaryError


def command(options: Any) -> Outcome:
    known_animal(options.name, "interfaces")
    if options.repeats < 1 or not 0 < options.seconds < 1e6:
        raise BestiaryError(
            f"a bench needs seconds above 0 and repeats of 1 or more, got {options.seconds:g} s and {options.repeats}"
        )
    physics()
    from bestiary.tasks import _bench

    total = options.repeats + 1 + 3 * options.startup
    with bar(total, f"bench {options.name}", "parts", "{desc} {n}/{total} [{elapsed}] {postfix}") as progress:

        def note(text: str) -> None:
            progress.set_postfix_str(text, refresh=False)
            progress.update()

        with _bench.one_core():
            here = _bench.machine()
            startup = _bench.bench_startup(options.name, options.repeats, note) if options.startup else {}
            loop = _bench.bench_loop(options.name, options.seconds, options.repeats, options.seed, note)
    rows = [
        ("closed loop", loop["times_real_time"], "times real time"),
        ("closed loop", loop["times_bare"], "times MuJoCo plus the bare brain step"),
        *((f"  {part}", 100 * share, "% of the loop") for part, share in loop["share"].items()),
        *((f"{part}, per control step", us, "us") for part, us in loop["per_control_step_us"].items() if part != "act"),
        ("waking and compiling", loop["getting_ready_s"], "s"),
    ]
    if startup:
        rows.append(("import bestiary", startup["import_bestiary_s"], "s, new process"))
        if "make_s" in startup:
            rows.append(("gymnasium.make without a brain", startup["make_s"], "s, new process, imports included"))
    text = table(rows)
    if startup:
        text += f"\n  peak memory of the demo: {size(startup['demo_peak_bytes'])}"
    text += (
        f"\n  medians of {options.repeats} over {loop['life_s']:g} s of life, on one core of {here['processor']} "
        f"({here['cores']} cores, load {number(here['load'])})\n  "
        + ", ".join(f"{name} {version}" for name, version in here["versions"].items())
    )
    return Outcome({"loop": loop, "startup": startup, "machine": here}, text)
