"""One seed, named random streams: adding a stream moves no other."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from bestiary.errors import BestiaryError


def stream(seed: int, name: str) -> np.random.Generator:
    """An independent generator for `name` under `seed` (a non-negative integer)."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),)))


def checked_seed(seed: Any, what: str) -> int:
    """The seed as int. Raises BestiaryError for what is no integer, or below 0."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise BestiaryError(f"{what} is an integer of 0 or more, got {seed!r}")
    return int(seed)
