"""One Gymnasium environment for all animals, its clocks and streams, recordings and video."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bestiary.envs._clock import Clock

if TYPE_CHECKING:
    from bestiary.envs._embodied import EmbodiedEnv
    from bestiary.envs._streams import stream
    from bestiary.envs.perturb import PerturbBrain
    from bestiary.envs.vector import EmbodiedVectorEnv

__all__ = ["Clock", "EmbodiedEnv", "EmbodiedVectorEnv", "PerturbBrain", "stream"]

_PLACES = {"EmbodiedEnv": "_embodied", "EmbodiedVectorEnv": "vector", "PerturbBrain": "perturb", "stream": "_streams"}


def __getattr__(name: str) -> Any:
    """What needs MuJoCo or NumPy comes when it is asked for: brains need the clock alone."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
