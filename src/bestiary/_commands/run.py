"""`bestiary run ANIMAL`: the closed loop, recorded, filmed, drawn and summed up."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bestiary
from bestiary._commands._show import Outcome, bar, check_acts, folder_for, known_animal, physics, say, table, words
from bestiary.errors import BestiaryError, RenderError

if TYPE_CHECKING:
    from bestiary.tasks._runs import Kept

_ROWS_PER_S = 100  # of the recording, at most
_CHECKPOINT_S = 60  # of the clock on the wall, between checkpoints where nothing else is asked


def command(options: Any) -> Outcome:
    known_animal(options.animal, "interfaces")
    demo = bestiary.load("interfaces", options.animal).DEMO
    given = {k: v for k in ("task", "seconds") if (v := getattr(options, k)) is not None}
    options = dataclasses.replace(options, **{**demo, **given})
    if options.task not in (tasks := bestiary.animals("tasks")):
        raise LookupError(f"no task {options.task!r}; {bestiary.nearest(options.task, tasks, 'task')}")
    if not 0 < options.seconds < 1e6:
        raise BestiaryError(f"seconds must be above 0 and below 1e6, got {options.seconds:g}")
    if not 0 < options.slow_motion <= 1e4:
        raise BestiaryError(f"slow motion must be above 0 and at most 1e4, got {options.slow_motion:g}")
    if options.checkpoint_every is not None and not options.checkpoint_every > 0:
        raise BestiaryError(f"seconds between checkpoints must be above 0, got {options.checkpoint_every:g}")
    if options.slow_motion != 1 and not options.video:
        raise BestiaryError("--slow-motion would change nothing without a video: it is the film that is slowed down")
    check_acts(options, "connectome", "parameters", "lesion", "silence", "stimulate", "without")
    physics()
    from bestiary.tasks._runs import forget

    began = time.perf_counter()
    env = environment(options)
    say(f"waking {options.animal}")
    animal = bestiary.animal(options.animal, **animal_options(options))
    for stimulus in animal.stimuli:
        if stimulus.start_s >= options.seconds:
            raise BestiaryError(
                f"--stimulate would change nothing: {', '.join(stimulus.neurons)} from {stimulus.start_s:g} s on, and "
                f"the run ends at {options.seconds:g} s; --seconds {math.ceil(stimulus.start_s) + 1} sees it"
            )
    folder = folder_for(options.out or f"runs/{options.animal}-{options.task}-{options.seed}")
    if earlier := _forget_results(folder):
        say(f"the run that was in {folder} is replaced ({', '.join(earlier)}); --out keeps both")
    forget(folder)
    obs, info = env.reset(seed=options.seed)
    animal.reset(info["episode_seed"])
    animal.act(obs)  # compiles; the run itself starts afresh
    setup_s = time.perf_counter() - began
    try:
        return close_loop(options, env, animal, folder, setup_s)
    finally:
        env.close()


def _forget_results(folder: Path) -> list[str]:
    """Removes what an earlier run wrote, which must not pass for this one's; the names of what was there."""
    if not (folder / "recording.h5").exists():
        return []
    own = ("recording.h5", "summary.json", "diverged.npz", "recording_*.png")
    films = (f"{animal}{after}.mp4" for animal in bestiary.animals("interfaces") for after in ("", "-from-*s"))
    found = sorted(path for name in (*own, *films) for path in folder.glob(name))
    for path in found:
        path.unlink()
    return [path.name for path in found]


def animal_options(options: Any) -> dict[str, Any]:
    """Arguments of `bestiary.animal` from those of the command line."""
    return {
        "connectome": options.connectome,
        "parameters": options.parameters,
        "lesion": words(options.lesion),
        "silence": words(options.silence),
        "stimulate": options.stimulate,
        "control": options.control,
        "control_seed": options.control_seed,
        "without": words(options.without),
    }


def environment(options: Any) -> Any:
    """The environment on the animal's clock, ready to be filmed."""
    from bestiary.envs import EmbodiedEnv

    try:
        return EmbodiedEnv(
            options.animal,
            options.task,
            medium=medium(options.medium),
            clock=bestiary.load("interfaces", options.animal).CLOCK,
            render_mode="rgb_array",
            width=540,
            height=540,
            task_options={"seconds": options.seconds},
        )
    except ValueError as error:  # a number that the task or the body refuses
        raise error if isinstance(error, BestiaryError) else BestiaryError(str(error)) from error


def medium(text: str | None) -> Any:
    """None, a name, a viscosity in Pa s, or a pair of drags in N s/m: as `Body.set_medium` takes it."""
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return text
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def close_loop(options: Any, env: Any, animal: Any, folder: Path, setup_s: float, kept: Kept | None = None) -> Outcome:
    """The run itself, from its start or from a checkpoint to which env and animal have been put back."""
    from bestiary.envs.recording import Recorder
    from bestiary.tasks._runs import Keeper, forget
    from bestiary.tasks._summary import FINE
    from bestiary.tasks._trial import Samples, run_trial

    files: dict[str, Any] = {"recording": folder / "recording.h5"}
    missing: list[str] = []
    asked = {k: v for k, v in vars(options).items() if k not in ("json", "out", "video", "plots", "checkpoint_every")}
    every = max(1, round(1 / (_ROWS_PER_S * env.clock.control_s)))
    start = kept.moment if kept is not None else None
    steps, samples = (start.steps, start.samples) if start is not None else (0, Samples())
    began_s = steps * env.clock.control_s
    film = _film(options, env, animal, folder, missing, began_s)
    track, stopped = None, False
    resume = kept.recorder if kept is not None else None
    recorder = Recorder(files["recording"], env, animal, every=every, metadata={"asked": asked}, resume=resume)
    keeper = Keeper(folder, env, animal, recorder, {**vars(options), "out": None})
    if kept is not None:
        keeper.went_on(kept)
    each = options.checkpoint_every and max(1, round(options.checkpoint_every / env.clock.control_s))
    began = last = time.perf_counter()
    before_s = kept.run_s if kept is not None else 0.0
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: recorder.close(complete=track is not None))
        if film is not None:
            files["video"] = film[1]
            stack.callback(film[0].close)
        progress = stack.enter_context(bar(options.seconds, options.animal, done=began_s))
        interrupted = stack.enter_context(_interrupts())

        def on_step(action: Any, obs: Any, reward: float, info: dict[str, Any]) -> None:
            nonlocal steps, last
            steps += 1
            recorder.add(action, obs, reward, info)
            if film is not None:
                film[0].add()
            progress.update(env.clock.control_s)
            if info.get("divergence"):
                files["state"] = keeper.dump(folder / "diverged.npz")
            if env.over:
                return
            due = steps % each == 0 if each else time.perf_counter() - last > _CHECKPOINT_S
            if due or interrupted:
                keeper.save(steps, samples, before_s + time.perf_counter() - began)
                last = time.perf_counter()
            if interrupted:
                raise KeyboardInterrupt

        try:
            sampled = 1 if FINE.intersection(env.pose()) else 5
            track = run_trial(
                env, animal, seed=options.seed, every=sampled, on_step=on_step, samples=samples, resume=start
            )
        except KeyboardInterrupt:
            stopped = True
        run_s = before_s + time.perf_counter() - began
    seconds = steps * env.clock.control_s
    if stopped:
        say(f"stopped at {seconds:.2f} s; what was recorded is kept: `bestiary plot {files['recording']}` draws it, "
            f"bestiary.envs.recording.open_recording reads it, `bestiary resume {folder}` goes on")  # fmt: skip
    else:
        forget(folder)
    if options.plots and not stopped:
        files["plots"] = _plots(files["recording"], missing)
    quantities = {
        "simulated": (seconds, "s"),
        "getting ready": (setup_s, "s"),
        "running": (run_s, "s"),
        "times real time": (seconds / run_s, ""),
        **(measures(track) if track is not None and len(track.time_s) > 1 else {}),
    }
    report = {
        **asked,
        "quantities": {name: {"value": value, "unit": unit} for name, (value, unit) in quantities.items()},
        "divergence": track.divergence if track is not None else "",
        "ended": track.ended if track is not None else "",
        "stopped": stopped,
        "files": files,
        "missing": missing,
        "bestiary": bestiary.__version__,
    }
    files["summary"] = folder / "summary.json"
    code = 130 if stopped else 1 if report["divergence"] else 0
    outcome = Outcome(report, _text(options, quantities, report), code)
    files["summary"].write_text(json.dumps(json.loads(outcome.json()), indent=1) + "\n", encoding="utf-8")
    for lack in missing:
        say(lack)
    return outcome


def _film(
    options: Any, env: Any, animal: Any, folder: Path, missing: list[str], began_s: float
) -> tuple[Any, Path] | None:
    """The film and its path; None, and why in `missing`, where it is not wanted or nothing can be drawn.

    A run that goes on has a second film, from that moment: a film cannot be added to.
    """
    if not options.video:
        return None
    try:
        from bestiary.envs.video import Film

        env.render()
        path = folder / (f"{options.animal}-from-{began_s:g}s.mp4" if began_s else f"{options.animal}.mp4")
        return Film(path, env, animal, slow_motion=options.slow_motion, title=_title(options)), path
    except (RenderError, ImportError) as error:
        missing.append(f"no video: {error}; `bestiary doctor` looks for what is missing")
        return None


def _plots(recording: Path, missing: list[str]) -> list[Path]:
    try:
        from bestiary.tasks._plots import figures
    except ImportError as error:
        missing.append(f"no plots: {error}; `bestiary doctor` looks for what is missing")
        return []
    say("drawing the figures")
    return figures(recording)


def measures(track: Any) -> dict[str, tuple[float, str]]:
    """(value, unit) by name: the summary of the track, and what the task told last."""
    from bestiary.envs.recording import UNITS, unit_of
    from bestiary.tasks._summary import summary

    motion = ("time_s", "forward_m", "speed_m_per_s", "distance_m")
    told = {}
    for key, values in track.info.items():
        if key not in motion:
            unit = unit_of(key)
            ending = next((e for e, u in UNITS.items() if u == unit and key.endswith(e)), "")
            told[f"{key.removesuffix(ending).replace('_', ' ')}, at the end"] = (float(values[-1]), unit)
    return summary(track) | told


def _title(options: Any) -> str:
    parts = [options.animal, options.task, options.medium, options.connectome, options.control]
    done = {"without": options.lesion + options.without, "silent": options.silence, "stimulated": options.stimulate}
    parts += [f"{how} {' '.join(which)}" for how, what in done.items() if (which := words(what))]
    return " · ".join(p for p in parts if p)


def _text(options: Any, quantities: dict[str, tuple[float, str]], report: dict[str, Any]) -> str:
    rows: list[tuple[str, Any, str]] = [(name, value, unit) for name, (value, unit) in quantities.items()]
    lines = [f"{_title(options)} · seed {options.seed}", table(rows)]
    if report["divergence"]:
        lines.append(f"it diverged: {report['divergence']}")
    if report["ended"]:
        lines.append(f"it ended early: {report['ended']}")
    files = [(k, ", ".join(map(str, v)) if isinstance(v, list) else v) for k, v in report["files"].items() if v]
    return "\n".join([*lines, "files", table(files)])


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """A list that is no longer empty after Ctrl-C, so that a step is never cut in two; a second Ctrl-C cuts it."""
    seen: list[int] = []

    def note(number: int, frame: Any) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread: whoever runs us decides
        yield seen
        return
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
