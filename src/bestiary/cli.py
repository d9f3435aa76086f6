"""The command line. A verb is a dataclass of its options; `_commands/<verb>.py`, imported when asked for, does it.

Every verb prints a text, or with --json one JSON object and nothing else; progress and remarks go to stderr.
Exit status: 0 done; 1 done, and the answer is bad (damaged data, a diverged body, a broken machine); 2 it cannot be
done as asked, and one line says why; 130 stopped with Ctrl-C. BESTIARY_TRACEBACK=1 shows where an error comes from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import itertools
import keyword
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

import bestiary
from bestiary._commands._show import Outcome
from bestiary.errors import BestiaryError, DivergenceError

_ABOUT = "Measured connectomes in physical bodies, in closed loop. `bestiary run worm` is a good start."

Flag = FlagCreatePairsOff[bool]
Names = UseAppendAction[tuple[str, ...]]
Count = Annotated[int | None, arg(metavar="INT", help_behavior_hint="")]
Text = Annotated[str | None, arg(metavar="TEXT", help_behavior_hint="")]
Real = Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="")]


@dataclass(frozen=True)
class List:
    """What there is: animals, environments, tasks, connectomes, controls, assays."""

    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Run:
    """Puts an animal into its body and closes the loop: recording, video, plots and a summary."""

    animal: Positional[str]  # a name of `bestiary list`
    task: Text = None  # the world and what is asked in it; else what shows the animal best
    # a name (agar, water), a viscosity in Pa s, or two drags ALONG,ACROSS in N s/m; else the body's own
    medium: Text = None
    seconds: Real = None  # of the animal's time; else as long as that takes
    connectome: Text = None  # by name; else the animal's own
    lesion: Names = ()  # neurons that are removed: AVAL,AVAR or a class, AVA
    silence: Names = ()  # neurons whose outputs are cut
    stimulate: Names = ()  # "AVA:20pA@5-8" or "AVB:light=1@2-4" (seconds)
    control: Text = None  # what stands in for the measured animal: weight-shuffle, brain-off, ...
    control_seed: int = 0  # of the control's permutations
    without: Names = ()  # components beside the wiring to take out; `bestiary card ANIMAL` lists them
    parameters: Text = None  # a file that `bestiary fit` wrote; else the shipped ones
    seed: int = 0  # of the whole run
    video: bool = True  # film it, with the neurons beside the body
    slow_motion: float = 1.0  # how many times slower than life the video is
    plots: bool = True  # draw the figures
    # seconds of the animal's time between checkpoints, from which `bestiary resume` goes on; else a minute of yours
    checkpoint_every: Real = None
    out: Text = None  # folder; else runs/ANIMAL-TASK-SEED
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Resume:
    """Goes on with a run that was stopped or killed, from its last checkpoint, bit for bit."""

    folder: Positional[str]  # of `bestiary run`
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Plot:
    """Draws the figures of a recording again."""

    recording: Positional[str]  # recording.h5, or the folder that holds it
    out: Text = None  # folder; else beside the recording
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Assay:
    """Runs an experiment on the model and shows it beside the published one: mean and 95 % interval."""

    animal: Positional[str]  # a name of `bestiary list`
    assay: Positional[str] = "all"  # a name of `bestiary list`, or all
    n: Count = None  # animals in each arm; else what the assay asks for
    control: Text = None  # put a control in the animal's place
    control_seed: int = 0  # of the control's permutations
    rewired: Count = None  # put so many draws of one control beside the animal, and say what the wiring earns
    controls: Names = ()  # several: all that the assay lists, or degree-preserving=20,brain-off
    control_n: Count = None  # trials of each draw of a control; else as many as the animal's
    paired: Flag = False  # with --controls: another draw in every trial, and what each control loses against the animal
    refits: Names = ()  # a file of `bestiary fit --control` for each of them; else they keep the animal's parameters
    without: Names = ()  # components beside the wiring to take out
    parameters: Text = None  # a file that `bestiary fit` wrote; else the shipped ones
    jobs: int = 2  # processes
    seed: int = 0  # of the first animal; both arms share seeds
    out: Text = None  # folder for assay.json and assay.md
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Screen:
    """Runs one short experiment for every neuron, type or pair, resumably, over cores, Ray or SLURM: one table."""

    animal: Positional[str]  # a name of `bestiary list`
    lesion_each: Text = None  # all, TYPE (an item for each type), type:DN*, or neurons: AVA,AVB
    silence_each: Text = None  # the same, only their outputs are cut
    stimulate_each: Text = None  # the same, each is given --drive
    stimulate_pairs: Flag = False  # current into each neuron, and how every other answers
    among: Names = ()  # of pairs: these neurons; else all
    drive: Text = None  # 20pA@2-4 or light=1@2-4; of pairs a current, else 20pA
    assay: Text = None  # an assay of `bestiary list`, or the task turn or locomotion
    arm: Names = ()  # of the assay; else its first
    seconds: Real = None  # of a trial; else the assay's
    n: int = 1  # trials of each item, at the seeds from --seed on
    control: Text = None  # put a control in the animal's place
    control_seed: int = 0  # of the control's permutations
    connectome: Text = None  # by name; else the animal's own
    without: Names = ()  # components beside the wiring to take out
    parameters: Text = None  # a file that `bestiary fit` wrote; else the shipped ones
    on: str = "cores"  # where: cores, ray or slurm
    on_options: Text = None  # of slurm (submitit) or ray, as JSON: '{"slurm_partition": "cpu", "timeout_min": 30}'
    jobs: int = 2  # items at a time
    retries: int = 1  # of an item that failed
    seed: int = 0  # of the first trial; all items share seeds
    out: Text = None  # folder, in which a screen that was stopped goes on; else runs/screen-ANIMAL-KIND-ASSAY-SEED
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Turing:
    """Examines an animal, a control or a policy of your own against recorded animals; writes a scorecard and a page."""

    animal: Positional[str]  # worm, zebrafish, fly or mouse
    level: str = "ABCDEF"  # A structure, B dynamics, C perturbation, D behaviour, E learning, F robustness
    policy: Text = None  # a control of `bestiary list`, learned (K15), or FILE.py:NAME; else the animal as it ships
    parameters: Text = None  # a file that `bestiary fit` wrote; else the shipped ones
    fast: Flag = False  # minutes instead of hours: a look, no verdict
    jobs: Count = None  # processes; else all cores
    seed: int = 0  # of the whole examination
    sealed: Text = None  # a set of `bestiary seal`: level D against its animals alone
    key: Text = None  # of the sealed set
    out: Text = None  # folder, in which a run that was stopped goes on; else runs/turing-ANIMAL
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Seal:
    """Parts a recording by animal and laboratory: some to develop with, others sealed, for `turing --sealed`."""

    recording: Positional[str]  # a CSV, HDF5 or NWB file, or a folder of them; labs are its column or attribute `lab`
    out: Positional[str]  # folder for dev.h5, sealed.bin and sealed.key; take the key away
    share: float = 0.5  # of the animals that is sealed; with several laboratories one of them is, as a whole
    every: int = 1  # keeps one frame in so many, of a file that repeats frames
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Card:
    """What a model is made of: how much of it was measured, fitted or assumed, and what is left out."""

    animal: Positional[str]  # a name of `bestiary list`
    connectome: Text = None  # by name; else the animal's own
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Stimulate:
    """Drives some neurons of a spiking brain with Poisson input and sees who fires; no body."""

    brain: Positional[str]  # flywire, flywire-surrogate, p9, or a connectome file
    drive: Names = ()  # "P9=150Hz"; neurons are ids, names, types or classes, joined with &: "motor & side=L=50Hz"
    silence: Names = ()  # neurons whose outputs are cut
    lesion: Names = ()  # neurons whose outputs and inputs are cut
    record: Names = ()  # neurons whose spikes are kept; else all
    trials: int = 30  # of equal input statistics
    seconds: float = 1.0  # of each trial
    jobs: int = 1  # trials at a time
    device: Text = None  # cpu; gpu; prefer-gpu, which makes do with the CPU; else what JAX finds
    plots: bool = True  # draw raster and rates
    nwb: Flag = False  # write an NWB file too
    seed: int = 0  # of the whole experiment
    out: Text = None  # folder; else runs/stimulate-BRAIN-SEED
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Bench:
    """Speed against real time and against its bare parts, start-up times, peak memory; on one core."""

    # an animal; engine: a spiking network; runs: keeping a run; scale: many worms; turing: its statistics alone
    name: Positional[str]
    # simulated in each repeat; else 5 of an animal, 0.3 of the engine, 60 of runs
    seconds: Real = None
    repeats: int = 5  # of which the median is taken
    quick: Flag = False  # of engine, scale and turing: less of it
    threads: Count = None  # of the engine: cores of its kernel, else 1; of scale: else all cores
    n: int = 256  # of scale: worms
    device: Text = None  # of scale: also the brains in JAX on cpu, gpu or prefer-gpu
    brian2: Text = None  # of the engine: a Python that has Brian2, to run side by side
    startup: bool = True  # also times of import and make, and the memory of the demo
    body: Flag = False  # only the body, walking with its senses, against bare MuJoCo
    seed: int = 0  # of the run
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Estimate:
    """What a network costs: FLOP/s, memory, traffic, and time per second of life on named hardware and on this one."""

    animal: Positional[str] = ""  # a name of `bestiary list`; else --neurons and --synapses
    neurons: Real = None  # 71.8e6
    synapses: Real = None  # 1e12
    model: str = "lif"  # lif, izhikevich, hh, rate or graded
    rate: float = 1.0  # spikes per second of a mean neuron
    dt_ms: float = 0.1  # step
    compartments: int = 1  # of a neuron
    delay_steps: int = 20  # of the longest delay
    plastic: float = 0.0  # synapses that learn
    measure: bool = True  # also this machine: bandwidth, arithmetic, synaptic events
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Data:
    """Large data: list it, get it by name, verify its hashes, or say where it lies."""

    action: Positional[str] = "list"  # list, get, verify or path
    names: Positional[tuple[str, ...]] = ()  # data sets; `list` and `verify` take all when none is named
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Fit:
    """Searches the parameters that nobody has measured; takes long, and can be stopped."""

    animal: Positional[str]  # a name of `bestiary list`
    stage: Positional[str] = ""  # which search of assets/ANIMAL/fit.toml; else its first
    budget: Count = None  # evaluations, or steps of a descent; else what the stage asks for
    seed: int = 0  # of the search
    start: Text = None  # a file of an earlier fit to begin from; else the shipped parameters
    connectome: Text = None  # by name; else the animal's own
    control: Text = None  # fit a control, with the same budget
    control_seed: int = 0  # of the control's permutations
    jobs: int = 2  # processes
    out: Text = None  # file; else runs/fit-ANIMAL-SEED.json
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Export:
    """A recording as NWB, a connectome in another format (SONATA, GraphML, Parquet, CSV), or episodes for Minari."""

    what: Positional[str]  # a recording or its folder; a connectome, ANIMAL:NAME or a file; of episodes an id or animal
    out: Positional[str]  # FILE.nwb; FILE.h5 (SONATA), .graphml, .parquet, .csv, .csv.gz, .npz; minari:NAME-v0
    episodes: int = 1  # of a Minari dataset
    seconds: Real = None  # of each; else the task's
    seed: int = 0  # of the first episode
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Import:
    """Reads a connectome file, checks it, says what is in it, and writes it as another file if asked."""

    file: Positional[str]  # .csv, .csv.gz, .parquet, .npz, .graphml or .h5 (SONATA)
    neurons: Text = None  # their table, where it is another file than FILE.neurons.csv
    column: Names = ()  # a column of another name: pre=Presynaptic_ID,weight=Connectivity
    signed: Flag = False  # weights below 0 are inhibitory
    rows: Count = None  # edges that there must be
    out: Text = None  # file, in any of these formats; `run ANIMAL --connectome FILE` takes it
    json: Flag = False  # one JSON object instead of text


@dataclass(frozen=True)
class Doctor:
    """What works on this machine: versions, drawing, JAX, brain stack, memory, disk, data."""

    quick: Flag = False  # leave out what starts other processes
    json: Flag = False  # one JSON object instead of text


VERBS: dict[str, Any] = {
    c.__name__.lower(): c
    for c in (
        List,
        Run,
        Resume,
        Plot,
        Assay,
        Screen,
        Turing,
        Seal,
        Card,
        Stimulate,
        Bench,
        Estimate,
        Data,
        Fit,
        Export,
        Import,
        Doctor,
    )
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit status. Help leaves through SystemExit(0)."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # threads of BLAS would fight ours over small products
        os.environ.setdefault(name, "1")
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        if given == ["--version"]:
            print(f"bestiary {bestiary.__version__}")
            return 0
        if given and not given[0].startswith("-") and given[0] not in VERBS:
            raise LookupError(f"no command {given[0]!r}; {bestiary.nearest(given[0], VERBS, 'command')}")
        options = _parse(given)
        for name in ("seed", "control_seed"):
            if (seed := getattr(options, name, 0)) < 0:
                raise BestiaryError(f"{name.replace('_', ' ')} must be 0 or more, got {seed}")
        verb = type(options).__name__.lower()
        command = importlib.import_module(f"bestiary._commands.{verb}{'_' * keyword.iskeyword(verb)}").command
        with _stdout_to_stderr():
            outcome: Outcome = command(options)
        print(outcome.json() if as_json else outcome.text)
        sys.stdout.flush()
        return outcome.code
    except KeyboardInterrupt:
        return _refuse("stopped", as_json, 130)
    except BrokenPipeError:  # `bestiary list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        ours = isinstance(error, BestiaryError | OSError) or type(error) is LookupError
        if not ours or os.environ.get("BESTIARY_TRACEBACK"):
            raise
        code = 1 if isinstance(error, DivergenceError) else 2
        return _refuse(_said(error), as_json, code, type(error).__name__)


def _said(error: Exception) -> str:
    """An error in one line; what the system refuses, without its number."""
    text = str(error)
    if isinstance(error, OSError) and not isinstance(error, BestiaryError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    return " ".join(text.split())


def _parse(given: list[str]) -> Any:
    import tyro

    refused = io.StringIO()
    try:
        with contextlib.redirect_stderr(refused):
            return tyro.extras.subcommand_cli_from_dict(
                VERBS,
                prog="bestiary",
                description=_ABOUT,
                args=given or ["--help"],
                config=(tyro.conf.PositionalMetavarFromFieldName,),
            )
    except SystemExit as left:
        if not left.code:
            raise
        raise LookupError(_in_one_line(refused.getvalue(), given)) from None


def _in_one_line(box: str, given: list[str]) -> str:
    """What a box of tyro's says above its first rule, with the option nearest to one that the verb does not have."""
    lines = [line.strip(" │") for line in box.splitlines() if line[:1] not in "╭╰"]
    said = " ".join(itertools.takewhile(lambda line: line[:1] != "─", lines))
    verb = given[0] if given[0] in VERBS else ""
    help_ = f"see `bestiary {verb} --help`" if verb else "see `bestiary --help`"
    if verb and said.startswith("Unrecognized"):
        known = ["--" + field.name.replace("_", "-") for field in dataclasses.fields(VERBS[verb])]
        wrong = next((w.split("=")[0] for w in given[1:] if w[:2] == "--" and w.split("=")[0] not in known), "")
        if wrong:
            return f"{verb} has no option {wrong}; {bestiary.nearest(wrong, known, 'option')} ({help_})"
    return f"{said[:1].lower()}{said[1:]}; {help_}"


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """What libraries print must not stand in the way of a result that another program reads."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _refuse(message: str, as_json: bool, code: int, kind: str = "") -> int:
    print(f"bestiary: {message}", file=sys.stderr)
    if as_json:
        print(Outcome({"error": message, "kind": kind}, "").json())
    return code


if __name__ == "__main__":
    sys.exit(main())
