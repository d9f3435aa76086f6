"""K11: what the animal did in training recordings, looked up by stimulus and played back, whatever became of the body.

At each onset of a stimulus it plays the motor commands that followed some recorded onset of the same sense, until the
next onset there; without one, a recorded stretch before the first. It learns nothing, and no joint tells it anything.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import bestiary
from bestiary.bodies._base import Array
from bestiary.envs._clock import Clock

if TYPE_CHECKING:
    from bestiary.tasks.turing.exam import Exam

SENSE = "sense "  # before the name of a sense, in the arrays of a recording
_RECORDINGS = 3


class Lookup:
    """Has `clock`, `reset` and `act`, and no neurons. recordings: `action` (T, m), and `sense NAME` (T,), the mean
    over its receptors, for every sense that a stimulus may come by."""

    def __init__(self, clock: Clock, recordings: Sequence[Mapping[str, Array]]) -> None:
        self.clock = clock
        self._actions = [np.asarray(r["action"], np.float32) for r in recordings]
        names = [k.removeprefix(SENSE) for k in recordings[0] if k.startswith(SENSE)]
        seen = {n: [np.asarray(r[SENSE + n], float) for r in recordings] for n in names}
        rest = {n: float(np.median(np.concatenate(x))) for n, x in seen.items()}
        most = {n: max(float(np.abs(x - rest[n]).max()) for x in seen[n]) for n in names}
        self._rest, self._half = rest, {n: m / 2 for n, m in most.items() if m > 0}  # senses that were stimulated
        self._onsets: dict[str, list[tuple[int, int]]] = {n: [] for n in self._half}
        starts: list[list[int]] = [[] for _ in recordings]
        for n in self._half:
            for r, x in enumerate(seen[n]):
                on = np.abs(x - rest[n]) > self._half[n]
                rows = [int(t) for t in np.flatnonzero(on & ~np.r_[False, on[:-1]])]
                self._onsets[n] += [(r, t) for t in rows]
                starts[r] += rows
        self._stops = [sorted({*s, len(a)}) for s, a in zip(starts, self._actions, strict=True)]

    @classmethod
    def load(cls, animal: str, files: Sequence[str]) -> Lookup:
        """From kept trials."""
        clock = Clock(**importlib.import_module(f"bestiary.interfaces.{animal}").CLOCK)
        recordings = []
        for file in files:
            with np.load(file, allow_pickle=False) as kept:
                arrays = {k.removeprefix("array "): kept[k] for k in kept.files if k.startswith("array ")}
            recordings.append({k: v for k, v in arrays.items() if k == "action" or k.startswith(SENSE)})
        return cls(clock, recordings)

    def reset(self, episode_seed: int) -> None:
        self._rng = np.random.default_rng(episode_seed)
        self._on = dict.fromkeys(self._half, False)
        self._go(int(self._rng.integers(len(self._actions))), 0)

    def _go(self, recording: int, frame: int) -> None:
        self._which, self._at = recording, frame
        self._stop = next(s for s in self._stops[recording] if s > frame)

    def act(self, obs: Mapping[str, Array]) -> Array:
        if self._at >= self._stop:
            self._go(int(self._rng.integers(len(self._actions))), 0)
        for name, half in self._half.items():
            on = abs(float(np.mean(obs[name])) - self._rest[name]) > half
            if on and not self._on[name]:
                self._go(*self._onsets[name][int(self._rng.integers(len(self._onsets[name])))])
            self._on[name] = on
        self._at += 1
        return self._actions[self._which][self._at - 1]


def played_back(
    exam: Exam,
    arms: Mapping[str, Any],
    text: str,
    world: Mapping[str, Any],
    seconds: float,
    senses: Sequence[str] = (),
    build: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """K11 as an arm of an examination, {} where there are no other controls or the model gave nothing to play back.

    It plays recordings of the model in a world, with other seeds than those it is examined with. senses: by which
    stimuli may come, beside the fields of the world that the body feels. build: options of the model.
    """
    if "K11" not in exam.budget.simulated or len(arms) < 2:
        return {}
    body = bestiary.load("bodies", exam.candidate.animal).BODY()
    keep = (*(s.name for s in body.senses if s.external), *senses)
    more = {"build": dict(build)} if build else {}
    trials = [
        exam.trial(dict(world), seconds, exam.seed + 500 + i, keep=tuple(dict.fromkeys(keep)), **more)
        for i in range(_RECORDINGS)
    ]
    whole = exam.run(f"{text}, recordings for K11", trials, lambda place, done: not done.failure)
    kept = [t.key() for t, good in zip(trials, whole, strict=True) if good]
    files = tuple(str(Path(exam.folder) / "trials" / f"{key}.npz") for key in kept)
    return {"K11": {"library": files}} if files else {}
