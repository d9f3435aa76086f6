"""`bestiary bench NAME`: an animal, or `engine`, `runs`, `scale`, `turing`."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path
from typing import Any

import bestiary
from bestiary._commands._show import Outcome, bar, number, physics, refuse_given, size, table
from bestiary.errors import BestiaryError

# the options that each of them does not look at; --seed and --json go with all
_IDLE = {
    "animal": ("threads", "brian2", "n", "device"),
    "engine": ("n", "device", "startup", "body"),
    "runs": ("quick", "threads", "brian2", "n", "device", "startup", "body"),
    "scale": ("brian2", "body"),
    "turing": ("seconds", "repeats", "threads", "brian2", "n", "device", "startup", "body"),
}


def command(options: Any) -> Outcome:
    others = {"engine": _engine, "runs": _runs, "scale": _scale, "turing": _turing}
    if options.name not in (known := [*bestiary.animals("interfaces"), *others]):
        raise LookupError(f"no animal {options.name!r}; {bestiary.nearest(options.name, known, 'animal')}")
    refuse_given(options, _IDLE.get(options.name, _IDLE["animal"]), f"it is not of `bestiary bench {options.name}`")
    return others.get(options.name, _animal)(options)


def _animal(options: Any) -> Outcome:
    """The closed loop of one animal beside its bare parts."""
    seconds = 5.0 if options.seconds is None else options.seconds
    _check(options, seconds)
    own = importlib.util.find_spec(f"bestiary.tasks._bench_{options.name}")  # what this animal alone has to time
    if own is None:
        refuse_given(options, ["quick"], f"`bestiary bench {options.name}` has nothing that takes long")
    physics()
    if options.body:
        return _body(options)
    from bestiary.tasks import _bench

    interface = bestiary.load("interfaces", options.name)
    kinds = getattr(interface, "BENCH", {"closed loop": {}})
    most = getattr(interface, "BENCH_SECONDS", {})  # of slow kinds, at most so much life
    total = (options.repeats + 1) * len(kinds) + 3 * options.startup
    with bar(total, f"bench {options.name}", "parts", "{desc} {n_fmt}/{total_fmt} [{elapsed}] {postfix}") as progress:

        def note(text: str) -> None:
            progress.set_postfix_str(text, refresh=False)
            progress.update()

        here = _bench.machine()
        with _bench.one_core():
            startup = _bench.bench_startup(options.name, options.repeats, note) if options.startup else {}
        loops = {
            kind: _bench.bench_loop(
                options.name, min(seconds, most.get(kind, seconds)), options.repeats, options.seed, note, animal
            )
            for kind, animal in kinds.items()
        }
    rows = [row for kind, loop in loops.items() for row in _rows(kind, loop)]
    more: dict[str, Any] = {}
    if own is not None:
        more, added = importlib.import_module(own.name).bench(options.quick)
        rows += added
    if startup:
        rows.append(("import bestiary", startup["import_bestiary_s"], "s, new process"))
        if "make_s" in startup:
            rows.append(("gymnasium.make without a brain", startup["make_s"], "s, new process, imports included"))
    text = table(rows)
    if startup:
        text += f"\n  peak memory of the demo: {size(startup['demo_peak_bytes'])}"
    text += (
        f"\n  medians of {options.repeats} over {'at most ' * bool(most)}{seconds:g} s of life, on {here['processor']} "
        f"({here['cores']} cores, load {number(here['load'])})\n  "
        + ", ".join(f"{name} {version}" for name, version in here["versions"].items())
    )
    return Outcome({"loops": loops, "startup": startup, **more, "machine": here}, text)


def _rows(kind: str, loop: dict[str, Any]) -> list[tuple[str, Any, str]]:
    """One closed loop for the table."""
    cores = "one core" if loop["cores"] == 1 else f"{loop['cores']} cores, brain beside body"
    step = dict(loop["per_control_step_us"])
    act, waiting = step.pop("act"), step.pop("waiting")
    if loop["cores"] > 1:  # the body's core does the last two as well as the body
        step = {**step, "senses, cord and hand-over": act - waiting, "waiting for the brain": waiting}
    return [
        (kind, loop["times_real_time"], f"times real time, {cores}"),
        (kind, loop["times_bare"], "times MuJoCo plus the bare brain step"),
        ("  body with senses and task", loop["body_times_bare"], "times MuJoCo alone"),
        *((f"  {part}", 100 * share, "% of the loop") for part, share in loop["share"].items() if loop["cores"] == 1),
        *((f"  {part}, per control step", us, "us") for part, us in step.items()),
        ("  waking and compiling", loop["getting_ready_s"], "s"),
    ]


def _body(options: Any) -> Outcome:
    from bestiary.tasks import _bench
    from bestiary.tasks._bench_body import bench_body

    seconds = 1.0 if options.seconds is None else options.seconds
    with (
        bar(
            options.repeats + 2, f"bench {options.name}", "parts", "{desc} {n_fmt}/{total_fmt} [{elapsed}] {postfix}"
        ) as progress,
        _bench.one_core(),
    ):

        def note(text: str) -> None:
            progress.set_postfix_str(text, refresh=False)
            progress.update()

        here = _bench.machine()
        found = bench_body(options.name, seconds, options.repeats, options.seed, note)
    what = {"bare": "bare mj_step", "body": "body, all senses but sight", "eyes": "body and eyes"}
    rows = [(what[part], times, "times real time") for part, times in found["times_real_time"].items()]
    rows.append(("body, all senses but sight", found["times_bare"], "times the cost of bare mj_step"))
    if "eyes_share" in found:
        rows.append(("eyes", 100 * found["eyes_share"], "% of bare mj_step, on top"))
    rows.append(("speed of the scripted walk", 1e3 * found["speed_m_per_s"], "mm/s"))
    text = table(rows) + (
        f"\n  CPU time, medians of {options.repeats} over {found['life_s']:g} s of life, physics "
        f"{1e3 * found['physics_s']:g} ms, one core of {here['processor']} ({here['cores']} cores, "
        f"load {number(here['load'])})"
    )
    return Outcome({"body": found, "machine": here}, text)


def _scale(options: Any) -> Outcome:
    repeats = min(options.repeats, 2) if options.quick else options.repeats
    seconds = options.seconds if options.seconds is not None else 0.4 if options.quick else 2.0
    _check(options, seconds)
    physics()
    from bestiary.brains.spiking._device import chosen
    from bestiary.tasks import _bench
    from bestiary.tasks._bench_scale import bench_scale

    if options.device is not None:
        chosen(options.device)  # a wrong one stops here, and not after the minutes that the rest takes

    more = options.startup and not options.quick
    with bar(
        repeats + 5 + 6 * more, "bench scale", "parts", "{desc} {n_fmt}/{total_fmt} [{elapsed}] {postfix}"
    ) as progress:

        def note(text: str) -> None:
            progress.set_postfix_str(text, refresh=False)
            progress.update()

        here = _bench.machine()
        threads = 0 if options.threads is None else options.threads
        found = bench_scale(
            "worm", options.n, seconds, repeats, threads, options.seed, options.startup, more, options.device, note
        )
    rate = found["steps_per_s"]
    rows = [
        (f"{found['n']} worms, closed loop", rate["loop"], "control steps of a worm per s"),
        ("  their bodies alone: senses, task", rate["bodies"], ""),
        ("  their brains alone", rate["brains"], ""),
        ("raw mujoco.batch, same model", rate["raw"], ""),
        ("one worm, closed loop", rate["single"], ""),
        ("closed loop over raw", 100 * found["share_of_raw"], "%"),
        ("  in processor time", 100 * found["share_of_raw_cpu"], "%"),
        ("many over one", found["times_single"], "times"),
        ("all together", found["times_real_time"], "times real time"),
    ]
    if found.get("memory"):
        most = found["memory"]["most_bytes_per_animal"]
        rows.append(("memory of one more worm", most / 1e6, "MB, the most of two steps"))
    if more:
        rows += [(f"{part} beside one worm's loop", 100 * s, "% of its wall") for part, s in
                 found["keeping"]["wall_share"].items()]  # fmt: skip
        rows.append(
            (f"a screen on {found['screen']['jobs']} cores, computing", 100 * found["screen"]["cpu_share"], "%")
        )
    if (device := found.get("device")) is not None:
        rows.append((f"brains in JAX on {device['kind']}", device["brains_per_s"], "control periods per s, float32"))
    text = table(rows) + (
        f"\n  {found['threads']} threads on {found['cores']} cores of {here['processor']}, "
        f"load {number(here['load'])}, medians of {repeats}, {found['steps']} control steps of "
        f"{1e3 * found['control_s']:g} ms"
    )
    return Outcome({"scale": found, "machine": here}, text)


def _check(options: Any, seconds: float) -> None:
    if options.repeats < 1 or not 0 < seconds < 1e6:
        raise BestiaryError(
            f"a bench needs seconds above 0 and repeats of 1 or more, got {seconds:g} s and {options.repeats}"
        )


def _runs(options: Any) -> Outcome:
    """What recording, checkpoints, export and resume cost beside the worm's loop."""
    seconds = 60.0 if options.seconds is None else options.seconds
    _check(options, seconds)
    physics()
    from bestiary.tasks import _bench
    from bestiary.tasks._bench_runs import bench_runs

    form = "{desc} {n_fmt}/{total_fmt} [{elapsed}] {postfix}"
    with bar(options.repeats + 1, "bench runs", "parts", form) as progress:

        def note(text: str) -> None:
            progress.set_postfix_str(text, refresh=False)
            progress.update()

        here = _bench.machine()
        found = bench_runs("worm", seconds, options.repeats, options.seed, seconds / 3, note)
    wall, cpu = found["wall_share"], found["cpu_share"]
    rows = [(part, 100 * wall[part], 100 * cpu[part]) for part in wall]
    text = table(rows, ("the worm's loop, on top", "% of its wall time", "% of its CPU time")) + (
        f"\n  medians of {options.repeats} over {seconds:g} s of life, a checkpoint every {seconds / 3:g} s, "
        f"one core of {here['processor']} (load {number(here['load'])})"
    )
    return Outcome({"runs": found, "machine": here}, text)


def _turing(options: Any) -> Outcome:
    """The statistics of the Turing test alone: 20 animals of 30 min at 30 Hz on each side; --quick: 6 of 2 min."""
    from bestiary._commands.turing import needed
    from bestiary.tasks import _bench

    needed()
    from bestiary.tasks.turing.bench import bench_statistics

    with bar(2, "bench turing", "parts", "{desc} {n_fmt}/{total_fmt} [{elapsed}] {postfix}") as progress:

        def note(text: str) -> None:
            progress.set_postfix_str(text, refresh=False)
            progress.update()

        here = _bench.machine()
        size_of = {"animals": 6, "minutes": 2.0} if options.quick else {}
        found = bench_statistics(**size_of, seed=options.seed, note=note)  # type: ignore[arg-type]
    verdicts = list(found["tests"].values())
    rows = [
        ("every test of level D", found["cpu_s"], "s of CPU"),
        ("", found["wall_s"], "s of wall time, one core"),
        ("a copy of the same species passes", verdicts.count("PASS"), f"of {len(verdicts)} tests"),
    ]
    text = f"{table(rows)}\n  peak memory: {size(found['peak_bytes'])}\n" + (
        f"  {found['animals']} animals of {found['minutes']:g} min at {found['rate_Hz']:g} Hz on each side, 200 splits "
        f"and 100 permutations, on {here['processor']} ({here['cores']} cores, load {number(here['load'])})"
    )
    return Outcome({"turing": found, "machine": here}, text)


def _engine(options: Any) -> Outcome:
    repeats = min(options.repeats, 2) if options.quick else options.repeats
    seconds = options.seconds if options.seconds is not None else 0.1 if options.quick else 0.3
    _check(options, seconds)
    threads = 1 if options.threads is None else options.threads
    if threads < 1:
        raise BestiaryError(f"threads must be 1 or more, got {threads}")
    if options.brian2 is not None and not Path(options.brian2).is_file():
        raise BestiaryError(f"--brian2 names no Python: {options.brian2}")
    from bestiary.brains._surrogate import flywire_surrogate
    from bestiary.tasks import _bench, _bench_engine

    total = 3 * repeats + 6 + 6 * (options.brian2 is not None)
    with (
        bar(total, "bench engine", "parts", "{desc} {n_fmt}/{total_fmt} [{elapsed}] {postfix}") as progress,
        _bench.one_core() if threads == 1 else contextlib.nullcontext(),
    ):

        def note(text: str) -> None:
            progress.set_postfix_str(text, refresh=False)
            progress.update()

        here = _bench.machine()
        small = flywire_surrogate(neurons=5000, edges=200_000, real_tables=False) if options.quick else None
        found = _bench_engine.bench_engine(
            repeats, seconds, connectome=small, threads=threads, brian2_python=options.brian2, note=note
        )
    regimes = [
        (
            name,
            r["wall_s_per_s"],
            r["spikes_per_s"],
            r["events_per_wall_s"],
            100 * r["share_of_bandwidth"],
            r["first_call_s"],
        )
        for name, r in found["regimes"].items()
    ]
    head = ("regime", "wall s per s", "spikes per s", "events per wall s", "% of bandwidth", "first call s")
    rest = [(f"300 neurons, {k.removesuffix('_us').replace('_', ' ')}", us, "us") for k, us in found["small"].items()]
    rest += [(f"building, {k.replace('_', ' ')}", s, "s") for k, s in found["build_s"].items()]
    for name, r in found.get("brian2", {}).items():
        if name != "mode":
            rest.append((f"{name}, times faster than Brian2 {found['brian2']['mode']}", r["times_faster"], ""))
    text = (
        f"{found['neurons']} neurons, {found['edges']} edges, {threads} core{'s' * (threads > 1)}\n"
        f"{table(regimes, head)}\n{table(rest)}\n  peak memory: {size(found['peak_bytes'])}\n"
        f"  medians of {repeats} over {seconds:g} s on {here['processor']} "
        f"({here['cores']} cores, load {number(here['load'])})"
    )
    return Outcome({"engine": found, "machine": here}, text)
