"""The one place where the BrainPy stack (brainstate, brainevent) and JAX are imported.

Brains are brainstate modules; `functional` turns one into pure functions over an explicit state, so that a brain can be
jitted, vmapped, sharded, saved and restored, and has no hidden state and no global dt.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("NPROC", "1")  # XLA:CPU threads cost more than they give on small brains (jax 0.10)

import brainevent
import brainstate
import jax
import jax.numpy as jnp

__all__ = ["brainevent", "brainstate", "functional", "jax", "jnp", "precision", "registered"]

Tree = dict[str, Any]


def functional(module: Any, *example: Any) -> tuple[Tree, Callable[..., Tree]]:
    """(state, step) of a brainstate module: `step(state, *args) -> state`, pure, ready for jit, vmap and scan.

    example: arguments of `module.update` with the shapes and dtypes that `step` will get.
    state: the value of every `brainstate.State` of the module, by its path joined with dots.
    """
    traced = brainstate.transform.StatefulFunction(module.update)
    traced.make_jaxpr(*example)
    names = {id(s): ".".join(map(str, path)) for path, s in module.states().items()}
    order = [names[id(s)] for s in traced.get_states(*example)]

    def step(values: Tree, *args: Any) -> Tree:
        new, _ = traced.jaxpr_call([values[name] for name in order], *args)
        return values | dict(zip(order, new, strict=True))

    return {name: s.value for s, name in zip(module.states().values(), names.values(), strict=True)}, step


def registered(kernel: Any, outs: tuple[Any, ...], in_place: dict[int, int]) -> Callable[..., Any]:
    """A numba kernel (inputs, then outputs) as a JAX function on the CPU. in_place: inputs that outputs reuse."""
    return brainevent.numba_kernel(kernel, outs=outs, input_output_aliases=in_place)


def precision(x64: bool) -> Any:
    """Context in which JAX keeps float64 as it is, or the default one."""
    return jax.enable_x64(True) if x64 else contextlib.nullcontext()
