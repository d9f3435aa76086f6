"""One Gymnasium environment for all animals, its clocks and streams, recordings and video."""

from __future__ import annotations

from bestiary.envs._clock import Clock
from bestiary.envs._embodied import EmbodiedEnv
from bestiary.envs._streams import stream

__all__ = ["Clock", "EmbodiedEnv", "stream"]
