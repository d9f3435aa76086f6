"""What the tests of screens let processes do."""

from __future__ import annotations

import os
import time
from pathlib import Path


def work(about: dict, item: str) -> dict:
    """Leaves a mark for each try; items are told by name what to do."""
    mark = Path(about["folder"]) / f"{item}.{time.monotonic_ns()}"
    mark.touch()
    tries = len(list(mark.parent.glob(f"{item}.*")))
    if item == "dies" or (item == "dies once" and tries == 1):
        os._exit(9)
    if item == "fails" or (item == "fails once" and tries == 1):
        raise ValueError(f"{item}, try {tries}")
    if item == "sleeps":
        time.sleep(0.2)
    return {"item": item, "pid": os.getpid()}
