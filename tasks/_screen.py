"""Screens: the same short experiment for every neuron, type or pair, as one table.

A screen is a list of items, the intact animal first. Each result is appended to `items.jsonl` as it comes, one line in
one write, so that a screen that was stopped or killed goes on where it was; `screen.json` says what it is a screen of.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary.bodies._base import Array
from bestiary.envs.checkpoint import whole_or_nothing
from bestiary.errors import BestiaryError, CheckpointError, DataError
from bestiary.tasks import _workers
from bestiary.tasks._assay import _key
from bestiary.tasks._assay_table import Assay, assays
from bestiary.tasks._assay_text import plain
from bestiary.tasks._assay_trials import Trial
from bestiary.tasks._statistics import estimate

KINDS = ("lesion", "silence", "stimulate", "pairs")
INTACT = "intact"
# a task that is no assay: what is measured of it
OF_TASK = {
    "turn": ("heading_error_deg", "turn_deg_per_s", "ahead_mm_per_s", "ended_early"),
    "locomotion": ("ahead_mm_per_s", "turn_deg_per_s", "turning_deg_per_s"),
}
BASELINE_S, PULSE_S = 1.0, 1.0  # of pairs: before the current, and under it
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Screen:
    """What is screened. kind: "lesion", "silence", "stimulate" or "pairs". items: (name, neurons as queries).

    assay: an assay, or a task of OF_TASK; arms: of the assay, () for its first. seconds: of a trial, None for the
    assay's. n: trials of each item, at seeds `seed`, `seed + 1`, ... drive: of "stimulate", as in `bestiary.animal`
    after the neuron ("20pA@2-4"); of "pairs" the current in pA. The rest as in `bestiary.animal`.
    """

    animal: str
    kind: str
    items: tuple[tuple[str, tuple[str, ...]], ...]
    assay: str = ""
    arms: tuple[str, ...] = ()
    seconds: float | None = None
    n: int = 1
    seed: int = 0
    drive: str = ""
    connectome: str | None = None
    parameters: Any = None
    control: str | None = None
    control_seed: int = 0
    without: tuple[str, ...] = ()

    def digest(self) -> str:
        about = {**asdict(self), "bestiary": bestiary.__version__}
        return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Found:
    """rows: the table. failures: items that gave nothing, and why. wall_s: of this call. done: items in this call.

    occupied: share of `jobs` x wall_s that lay between start and end of an item; cpu: that was computed, imports
    included; NaN where nothing was left to do.
    """

    rows: list[dict[str, Any]]
    failures: dict[str, str]
    wall_s: float
    done: int
    occupied: float
    cpu: float
    files: dict[str, Path]


def neurons(animal: str, what: str, **options: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Items of a screen. what: "all" neurons, "types" (or TYPE: one item a type), "type:QUERY" (types among the
    neurons that a query names), or queries joined with commas: every neuron that they name. options: of the animal.

    Raises UnknownNeuronError with the nearest name.
    """
    brain = bestiary.animal(animal, **options).brain
    kinds = _types(brain)
    if what in ("types", "TYPE") or what.startswith("type:"):
        rows = brain.select(what.removeprefix("type:")) if what.startswith("type:") else np.arange(len(brain.names))
        words = [w for w in dict.fromkeys(kinds[rows].tolist()) if w]
        return tuple((word, (f"type={word}",)) for word in words)
    rows = np.arange(len(brain.names)) if what == "all" else brain.select([w.strip() for w in what.split(",")])
    return tuple((name, (name,)) for name in dict.fromkeys(np.asarray(brain.names)[rows].tolist()))


def _types(brain: Any) -> Array:
    """(n,) type of each neuron, "" where it has none."""
    parts = getattr(brain, "parts", None)
    if parts is not None:
        return np.concatenate([part.table.types for part in parts.values()])
    return np.asarray(brain.connectome.types[brain.connectome.neurons])


def assay_of(screen: Screen) -> Assay:
    """The assay of a screen, with its `seconds`. Raises LookupError with the nearest name."""
    known = assays(screen.animal)
    if screen.assay in known:
        assay = known[screen.assay]
    elif screen.assay in OF_TASK:
        assay = Assay(screen.assay, f"the task {screen.assay}", screen.assay, (), seconds=5.0, every=1)
    else:
        both = [*known, *OF_TASK]
        raise LookupError(
            f"no assay {screen.assay!r} for {screen.animal}; {bestiary.nearest(screen.assay, both, 'assay')}"
        )
    for arm in screen.arms:
        if arm not in assay.arms:
            raise LookupError(f"no arm {arm!r} in {assay.name}; {bestiary.nearest(arm, assay.arms, 'arm')}")
    if screen.seconds is None:
        return assay
    return replace(assay, seconds=screen.seconds, skip_s=min(assay.skip_s, screen.seconds / 2))


def _measures(assay: Assay) -> dict[str, tuple[str, dict[str, Any]]]:
    if assay.name in OF_TASK and not assay.rows:
        return {name: (name, {}) for name in OF_TASK[assay.name]}
    return {_key(row): (row.measure, row.options) for row in assay.rows if not row.options.get("at_s")}


def work(screen: Screen, item: tuple[str, tuple[str, ...]]) -> dict[str, Any]:
    """One item, in any process: `values` by arm and measure, one a seed; `failures`; of pairs the `response`."""
    began, name = time.time(), item[0]
    t = time.perf_counter()
    out = _pairs(screen, item) if screen.kind == "pairs" else _trials(screen, item)
    spent = {"wall_s": time.perf_counter() - t, "cpu_s": time.process_time(), "pid": os.getpid(), "began": began}
    return {"item": name, **out, **spent}


def _trials(screen: Screen, item: tuple[str, tuple[str, ...]]) -> dict[str, Any]:
    name, queries = item
    assay = assay_of(screen)
    options: dict[str, Any] = {"without": [*screen.without]}
    if screen.connectome is not None:
        options["connectome"] = screen.connectome
    if name != INTACT:
        options[screen.kind] = [f"{q}:{screen.drive}" for q in queries] if screen.kind == "stimulate" else [*queries]
    common = {"parameters": screen.parameters, "options": options}
    needed = _measures(assay)
    values: dict[str, dict[str, list[Any]]] = {}
    failures: dict[str, str] = {}
    for arm in screen.arms or (next(iter(assay.arms)),):
        for i in range(screen.n):
            trial = Trial.of(
                screen.animal, assay, arm, common, screen.control, screen.control_seed, screen.seed, i, needed
            )
            got, failure = trial.run(bestiary.animal)
            for key in needed:
                values.setdefault(arm, {}).setdefault(key, []).append(got.get(key))
            if failure:
                failures[f"{arm}, seed {screen.seed + i}"] = failure
    return {"values": plain(values), "failures": failures}


_PAIRS: dict[str, Any] = {}


def _pairs(screen: Screen, item: tuple[str, tuple[str, ...]]) -> dict[str, Any]:
    """Mean change of voltage (mV) of every neuron shown under a current into one, against the same seed without it."""
    name, queries = item
    if screen.digest() not in _PAIRS:  # what all items share is made once in a process
        _PAIRS.clear()
        _PAIRS[screen.digest()] = _Probe(screen)
    probe = _PAIRS[screen.digest()]
    if name == INTACT:
        return {"response": [0.0] * len(probe.animal.shown), "failures": {}}
    rows = probe.animal.index([*queries])
    change = [probe.run(i, rows) - probe.run(i, None) for i in range(screen.n)]
    return {"response": np.round(np.mean(change, 0), 4).tolist(), "failures": {}}


class _Probe:
    """An animal on the move, into which current is given."""

    def __init__(self, screen: Screen) -> None:
        from bestiary.envs import EmbodiedEnv

        self.screen = screen
        self.animal = bestiary.animal(
            screen.animal,
            connectome=screen.connectome,
            parameters=screen.parameters,
            control=screen.control,
            control_seed=screen.control_seed,
            without=screen.without,
        )
        options = {"seconds": BASELINE_S + PULSE_S + 1}
        self.env = EmbodiedEnv(screen.animal, "locomotion", clock=self.animal.clock, task_options=options)
        self._still: dict[int, Array] = {}

    def run(self, i: int, rows: Array | None) -> Array:
        """(n shown,) mean mV during the pulse; rows None: without current, remembered."""
        if rows is None and i in self._still:
            return self._still[i]
        env, animal = self.env, self.animal
        obs, info = env.reset(seed=self.screen.seed + i)
        animal.reset(info["episode_seed"])
        start, steps = (round(s / env.clock.control_s) for s in (BASELINE_S, BASELINE_S + PULSE_S))
        total = np.zeros(len(animal.shown))
        for k in range(steps):
            if k == start and rows is not None:
                animal.inject(rows, float(self.screen.drive or 20.0))
            obs = env.step(animal.act(obs))[0]
            if k >= start:
                total += np.asarray(animal.probe()["voltage_mV"])[animal.shown]
        if rows is None:
            self._still[i] = total / (steps - start)
        return total / (steps - start)


# --- the store


class Store:
    """`items.jsonl` in the folder of a screen: one line for each try of an item."""

    def __init__(self, folder: Path, screen: Screen) -> None:
        self._file = folder / "items.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        about = folder / "screen.json"
        if about.is_file():
            try:
                then = json.loads(about.read_text(encoding="utf-8"))["digest"]
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{about} is damaged: {error}") from error
            if then != screen.digest():
                raise CheckpointError(
                    f"{folder} holds another screen (other items, assay, seed, animal or version): give another folder"
                )
        else:
            text = json.dumps({"digest": screen.digest(), "bestiary": bestiary.__version__, **asdict(screen)}, indent=1)
            with whole_or_nothing(about) as file:
                file.write(text.encode())
        if self._file.is_file():  # a kill may have cut the last line
            raw = self._file.read_bytes()
            if (end := raw.rfind(b"\n") + 1) < len(raw):
                os.truncate(self._file, end)

    def read(self) -> list[dict[str, Any]]:
        if not self._file.is_file():
            return []
        try:
            records = [json.loads(line) for line in self._file.read_bytes().decode().split("\n")[:-1]]
        except ValueError as error:
            raise DataError(f"{self._file} is damaged: {error}") from error
        for number, record in enumerate(records, 1):
            if not isinstance(record, dict) or "item" not in record or not {"error", "failures"} & record.keys():
                raise DataError(f"{self._file} is damaged: line {number} is no item of a screen")
        return records

    def add(self, record: Mapping[str, Any]) -> None:
        """One line in one write, and on the disk."""
        line = (json.dumps(record, allow_nan=False) + "\n").encode()
        handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if os.write(handle, line) < len(line):
                raise DataError(f"the disk took only a part of a line of {self._file}")
            os.fsync(handle)
        except OSError as error:
            raise DataError(f"cannot write {self._file}: {error}; what was done is kept") from error
        finally:
            os.close(handle)


def run_screen(
    screen: Screen,
    folder: str | Path,
    *,
    jobs: int = 2,
    place: str = "cores",
    retries: int = 1,
    progress: Progress | None = None,
    options: Mapping[str, Any] | None = None,
) -> Found:
    """Does what is left of a screen and writes its table and a figure into `folder`.

    jobs: items at a time. place: `_workers.PLACES`. retries: how often an item that failed (an exception, a process
    that died) is tried again, in this call or the next. progress: called with (items done, items in all). options: of
    the place. Raises CheckpointError where the folder holds another screen.
    """
    if jobs < 1 or screen.n < 1 or retries < 0 or not screen.items:
        raise BestiaryError(
            f"a screen needs one item, one trial and one job or more, got {len(screen.items)}, {screen.n} and {jobs}"
        )
    if screen.kind != "pairs":
        assay_of(screen)
    folder = Path(folder)
    store = Store(folder, screen)
    items = ((INTACT, ()), *screen.items)
    records = store.read()
    began = time.perf_counter()
    fresh: list[dict[str, Any]] = []
    for _ in range(retries + 1):
        good = {r["item"] for r in records if not r.get("error")}
        tries = {name: sum(r["item"] == name for r in records) for name, _ in items}
        left = [item for item in items if item[0] not in good and tries[item[0]] <= retries]
        if not left:
            break
        if progress is not None:
            progress(len(good), len(items))
        results = _workers.over(place, work, screen, left, jobs, folder, dict(options or {}))
        for done, (number, got, error) in enumerate(results, 1):
            record: dict[str, Any] = got if got is not None else {"item": left[number][0], "error": error}
            store.add(record)
            records.append(record)
            fresh.append(record)
            if progress is not None:
                progress(len(good) + done, len(items))
    wall_s = time.perf_counter() - began
    good_records = {r["item"]: r for r in records if not r.get("error")}
    failures = {r["item"]: r["error"] for r in records if r.get("error") and r["item"] not in good_records}
    if screen.kind == "pairs":
        rows = _pair_rows(screen, good_records)
    else:
        rows = table(screen, good_records)
        for name, record in good_records.items():
            for where, why in record["failures"].items():
                failures[f"{name}: {where}"] = why
    files = _write(screen, rows, folder)
    busy = [r for r in fresh if "wall_s" in r]
    workers = {r["pid"]: max(o["cpu_s"] for o in busy if o["pid"] == r["pid"]) for r in busy}
    room = jobs * wall_s if busy else float("nan")
    occupied, cpu = sum(r["wall_s"] for r in busy) / room, sum(workers.values()) / room
    return Found(rows, failures, wall_s, len(fresh), occupied, cpu, files)


def table(screen: Screen, records: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One dict for each item, arm and measure: item, arm, measure, value, low95, high95, n, and the difference to the
    intact animal at the same seeds with its interval (None where one of the two is missing)."""
    rows = []
    reference = records.get(INTACT, {}).get("values", {})
    for name, _ in ((INTACT, ()), *screen.items):
        for arm, measured in records.get(name, {}).get("values", {}).items():
            for key, values in measured.items():
                here = estimate([values], "value")
                row = {"item": name, "arm": arm, "measure": key, "value": here.value, "low95": here.low95}
                row |= {"high95": here.high95, "n": here.n, "difference": None, "difference_low95": None}
                row["difference_high95"] = None
                if name != INTACT and key in reference.get(arm, {}):
                    change = estimate([values, reference[arm][key]], "difference")
                    row |= {"difference": change.value, "difference_low95": change.low95}
                    row["difference_high95"] = change.high95
                rows.append(row)
    return rows


def _pair_rows(screen: Screen, records: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One dict for each stimulated and each responding neuron: from, to, response_mV."""
    animal = bestiary.animal(screen.animal, connectome=screen.connectome)
    shown = np.asarray(animal.names)[animal.shown].tolist()
    wanted = {name for name, _ in screen.items}
    return [
        {"from": name, "to": other, "response_mV": value}
        for name, _ in screen.items
        for other, value in zip(shown, records.get(name, {}).get("response", ()), strict=False)
        if other in wanted and other != name
    ]


def _write(screen: Screen, rows: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Path]:
    files = {"table": folder / "table.csv", "json": folder / "table.json"}
    if not rows:
        return {}
    with whole_or_nothing(files["table"]) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        text.flush()
        text.detach()
    with whole_or_nothing(files["json"]) as raw:
        raw.write(json.dumps(plain(list(rows))).encode())
    try:
        from bestiary.tasks._screen_plot import draw

        files["plot"] = draw(screen, rows, folder / "screen.png")
    except ImportError:
        pass
    return files
