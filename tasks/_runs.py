"""The checkpoints of one run: its last state in `checkpoint/state.npz`, samples of its track in pieces beside it.

Samples grow with the run, so each checkpoint writes only those that came since the one before.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from bestiary.envs import checkpoint
from bestiary.errors import DataError
from bestiary.tasks._trial import Moment, Samples

FOLDER = "checkpoint"


class Keeper:
    """Writes the checkpoints of a run of `animal` in `env`, recorded by `recorder`, into `folder`/checkpoint.

    asked: what the run was asked for, plain data, to build it again.
    """

    def __init__(self, folder: Path, env: Any, animal: Any, recorder: Any, asked: dict[str, Any]) -> None:
        self._folder, self._env, self._animal, self._recorder = folder / FOLDER, env, animal, recorder
        self._about = {"identity": checkpoint.identity(env, animal), "asked": asked}
        self._pieces = self._kept = 0

    def went_on(self, kept: Kept) -> None:
        """After a resume: the pieces that are there stay."""
        self._pieces, self._kept = kept.pieces, len(kept.moment.samples)

    def save(self, steps: int, samples: Samples, run_s: float) -> None:
        """Between two control steps. The recording is flushed first: it never lacks rows that the state has seen.

        Raises DataError when the disk refuses; the checkpoint before then stays.
        """
        rows = self._recorder.flush()
        self._folder.mkdir(exist_ok=True)
        if len(samples) > self._kept:
            checkpoint.save(self._folder / f"samples-{self._pieces:05d}.npz", samples.state(self._kept))
            self._pieces, self._kept = self._pieces + 1, len(samples)
        state = {**self._state(), "steps": steps, "recorder": rows, "pieces": self._pieces, "run_s": run_s}
        checkpoint.save(self._folder / "state.npz", state, self._about)

    def dump(self, path: Path) -> Path:
        """The present state, to be looked at (`bestiary.envs.checkpoint.load`): of a body that diverged."""
        checkpoint.save(path, self._state(), self._about)
        return path

    def _state(self) -> dict[str, Any]:
        animal = self._animal.get_state() if hasattr(self._animal, "get_state") else None
        return {"env": self._env.unwrapped.get_state(), "animal": animal}


class Kept:
    """A checkpoint read back. asked: what the run was asked for. Raises DataError where there is none, or damage."""

    def __init__(self, folder: str | Path) -> None:
        place = Path(folder) / FOLDER
        if not Path(folder).is_dir():
            raise DataError(f"no folder {folder}: `bestiary run` makes one, runs/ANIMAL-TASK-SEED or --out")
        if not (place / "state.npz").is_file():
            raise DataError(
                f"no checkpoint in {folder}: the run there ended by itself, or was killed before its first checkpoint "
                "(`bestiary run --checkpoint-every` says how often)"
            )
        self._state, about = checkpoint.load(place / "state.npz")
        try:
            self.asked: dict[str, Any] = about["asked"]
            self._identity = about["identity"]
            self.pieces = int(self._state["pieces"])
            self.recorder: dict[str, int] = self._state["recorder"]
            self.run_s = float(self._state["run_s"])
            samples = Samples()
            for i in range(self.pieces):
                samples.extend(checkpoint.load(place / f"samples-{i:05d}.npz")[0])
            self.moment = Moment({}, int(self._state["steps"]), samples)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{place} holds no checkpoint of a run: {error!r}") from error

    def restore(self, env: Any, animal: Any) -> None:
        """Puts env and animal back to that moment. Raises CheckpointError where they are not the same as then."""
        checkpoint.check(self._identity, checkpoint.identity(env, animal))
        obs = env.unwrapped.set_state(self._state["env"])
        if self._state["animal"] is not None:
            animal.set_state(self._state["animal"])
        self.moment = Moment(obs, self.moment.steps, self.moment.samples)


def forget(folder: Path) -> None:
    """Removes the checkpoints of a run that is over, or of another that was here before."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
