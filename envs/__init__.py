"""One Gymnasium environment for all animals, its clocks and streams, recordings and video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bestiary.envs._clock import Clock

if TYPE_CHECKING:
    from bestiary.envs._embodied import EmbodiedEnv
    from bestiary.envs._streams import stream
    from bestiary.envs.vector import EmbodiedVectorEnv

__all__ = ["Clock", "EmbodiedEnv", "EmbodiedVectorEnv", "stream"]


def __getattr__(name: str) -> Any:
    """The environment and the streams come when they are asked for: brains need the clock, not MuJoCo."""
    if name == "EmbodiedEnv":
        from bestiary.envs._embodied import EmbodiedEnv

        return EmbodiedEnv
    if name == "EmbodiedVectorEnv":
        from bestiary.envs.vector import EmbodiedVectorEnv

        return EmbodiedVectorEnv
    if name == "stream":
        from bestiary.envs._streams import stream

        return stream
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
