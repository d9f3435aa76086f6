"""The ledger: every evaluation leaves a line, so that a score says how often the examination was tried."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from bestiary.errors import DataError

NAME = "turing-ledger.jsonl"


@dataclass(frozen=True)
class Ledger:
    """Lines of JSON, each with the hash of the one before, so that one that is taken out or changed shows."""

    path: Path

    @classmethod
    def standard(cls) -> Ledger:
        """In the cache folder of the machine (BESTIARY_CACHE)."""
        from bestiary.assets.registry import cache_folder

        return cls(cache_folder() / NAME)

    def add(self, animal: str, model: str, tests: list[str], version: str, seed: int) -> dict[str, Any]:
        """Writes an evaluation; safe in several processes at once. Returns the line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(str(self.path) + ".lock"):
            before = self.lines()
            line = {
                "animal": animal,
                "model": model,
                "tests": tests,
                "version": version,
                "seed": seed,
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "before": _hash(before[-1]) if before else "",
            }
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, sort_keys=True) + "\n")
        return line

    def lines(self) -> list[dict[str, Any]]:
        """All evaluations. DataError where a line was changed or taken out."""
        if not self.path.is_file():
            return []
        out: list[dict[str, Any]] = []
        for number, text in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                line = json.loads(text)
            except ValueError:
                raise DataError(f"{self.path}, line {number} is no JSON: the ledger was damaged") from None
            if line.get("before") != (_hash(out[-1]) if out else ""):
                raise DataError(f"{self.path}, line {number} does not follow the one before: the ledger was changed")
            out.append(line)
        return out

    def counts(self, animal: str, model: str, version: str) -> tuple[int, int, int]:
        """(evaluations of this model, of any model of this animal, of these in this version of the examination)."""
        mine = [line for line in self.lines() if line["animal"] == animal]
        return sum(line["model"] == model for line in mine), len(mine), sum(x["version"] == version for x in mine)


def _hash(line: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()
