"""Which device a simulation runs on: a GPU where one is asked for, the CPU with one warning where it may do without."""

from __future__ import annotations

import warnings
from typing import Any

import bestiary
from bestiary.errors import BestiaryError

DEVICES = ("cpu", "gpu", "prefer-gpu")
_warned = False


def gpus() -> list[Any]:
    """The GPUs that JAX can use."""
    from bestiary.brains._engine import jax

    try:
        return list(jax.devices("gpu"))
    except RuntimeError:  # JAX has no GPU platform here
        return []


def chosen(name: str | None) -> tuple[Any, bool]:
    """(device of JAX, whether it is a GPU) of a name; None takes the one that JAX takes by itself.

    Raises BestiaryError for "gpu" where there is none; "prefer-gpu" then warns, once a process, and takes the CPU.
    """
    from bestiary.brains._engine import jax

    if name is None:
        return (None, False) if jax.default_backend() == "cpu" else (jax.devices()[0], True)
    if name not in DEVICES:
        raise BestiaryError(f"no device {name!r}; {bestiary.nearest(name, DEVICES, 'device')}")
    if name != "cpu" and (found := gpus()):
        return found[0], True
    if name == "gpu":
        raise BestiaryError(
            "device='gpu', but JAX finds no GPU here: `bestiary doctor` says what JAX sees, pip install 'jax[cuda12]' "
            "adds CUDA; device='prefer-gpu' goes on with the CPU"
        )
    if name == "prefer-gpu":
        warn_once("JAX finds no GPU here: going on with the CPU")
    return cpu(), False


def cpu() -> Any:
    """JAX's CPU."""
    from bestiary.brains._engine import jax

    return jax.devices("cpu")[0]


def warn_once(text: str) -> None:
    """A RuntimeWarning, one for all simulations of the process."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(text, RuntimeWarning, stacklevel=4)
