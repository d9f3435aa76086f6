"""How a neuron and a synapse are described: their equations once, as scalar functions that every back end translates.

The functions are plain arithmetic on numbers, with `exp`, `log`, `sqrt`, `tanh` and `where(condition, a, b)` and
without `if` or loops. Their arguments are found by name: states, `i` (input current), `g` (input conductance) and what
`constants` returns. One step of a network (order of Brian2 and NEST):

    1. synapses, then neurons, go on by dt (what is frozen in refractory time stands still)
    2. `spikes` decides who fires; refractory time starts
    3. spikes that arrive now add their weight to the first state of the synapse; inputs add theirs
    4. `reset` of those who fired
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from bestiary.errors import BestiaryError

Array = np.ndarray[Any, np.dtype[Any]]
Value = float | Array  # one for all neurons, or (n,)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


class Neuron:
    """Base of the neuron models. A model is a frozen dataclass of parameters with these members.

    states: names; the first is the membrane potential in mV, counted from `zero_mV`. frozen: states that stand still in
    refractory time; with "synapse" among them the synapses of the neuron stand still too and what arrives is lost, as
    under Brian2's `(unless refractory)`. clears: a spike sets the synaptic states to 0. spike_step_counts: refractory
    time begins with the step in which the spike is found (Brian2), not after it (NEST; the exact solution).
    conductance: `update` takes `g` besides `i`: the input current is i - g v. graded: no spikes; the state "r" is what
    crosses the synapses, every step.
    """

    states: ClassVar[tuple[str, ...]]
    frozen: ClassVar[tuple[str, ...]] = ("v",)
    clears: ClassVar[bool] = False
    spike_step_counts: ClassVar[bool] = False
    conductance: ClassVar[bool] = False
    graded: ClassVar[bool] = False
    update: ClassVar[Callable[..., Any]]
    spikes: ClassVar[Callable[..., Any]]
    reset: ClassVar[Callable[..., Any]]
    refractory_s: Value = 0.0

    @property
    def zero_mV(self) -> Value:
        """What the first state counts from."""
        return 0.0

    @property
    def membrane_tau_s(self) -> Value | None:
        """Time constant of a linear membrane: lets a current synapse be integrated exactly. None: not linear."""
        return None

    def constants(self, dt_s: float) -> dict[str, Value]:
        """What the functions take besides states and input, for a step of dt_s; each model gives its own."""
        raise NotImplementedError

    def initial(self) -> dict[str, Value]:
        """State at rest; states that are not named start at 0."""
        return {}


class Synapse:
    """Base of the synapse models. Arrivals add `weight` to the first state, "v" means the neuron's own potential.

    states live on the postsynaptic side, (n,) each. `update` returns the current, or (with `conductance`) the pair
    (g E, g), and then the new states. release_states live on the presynaptic side: see TsodyksMarkram.
    """

    states: ClassVar[tuple[str, ...]]
    conductance: ClassVar[bool] = False
    release_states: ClassVar[tuple[str, ...]] = ()
    update: ClassVar[Callable[..., Any]]
    release: ClassVar[Callable[..., Any]]

    def constants(self, dt_s: float, membrane_tau_s: Value | None) -> dict[str, Value]:
        """What the functions take besides states; each model gives its own."""
        raise NotImplementedError


def arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the arguments of a scalar function."""
    return tuple(inspect.signature(function).parameters)


def held(kernel: Callable[[Any], Any], dt_s: float, tau_m_s: Value | None) -> Value:
    """The constant input that does to a membrane in dt_s what kernel(t), 0 <= t <= dt_s, does: exact, to rounding.

    The mean of the kernel, weighted by exp(-(dt - t)/tau_m); tau_m None: the plain mean. By Gauss-Legendre quadrature
    of 24 nodes, which needs no special case where two time constants are equal.
    """
    t = dt_s * (_NODES + 1) / 2
    tau = np.inf if tau_m_s is None else np.asarray(tau_m_s, float)[..., None]
    w = _WEIGHTS * np.exp((t - dt_s) / tau)
    return _plain((w * kernel(t)).sum(-1) / w.sum(-1))


def integral(kernel: Callable[[Any], Any], dt_s: float) -> Value:
    """Integral of kernel(t) over 0 <= t <= dt_s."""
    return _plain(dt_s / 2 * (_WEIGHTS * kernel(dt_s * (_NODES + 1) / 2)).sum(-1))


def _plain(x: Any) -> Value:
    return float(x) if np.ndim(x) == 0 else x


def in_steps(seconds: Value, dt_s: float, what: str, *, round_to_step: bool = False) -> Array:
    """Whole steps (int32) of a time. Raises BestiaryError where it is no multiple of dt_s and round_to_step is off."""
    exact = np.asarray(seconds, float) / dt_s
    steps = np.rint(exact).astype(np.int32)
    off = np.abs(exact - steps) > 1e-3
    if off.any() and not round_to_step:
        bad = np.atleast_1d(np.asarray(seconds, float))[np.flatnonzero(off)[0]]
        raise BestiaryError(
            f"{what} {bad:g} s is no whole number of steps of {dt_s:g} s ({int(off.sum())} such); "
            f"the nearest is {round(bad / dt_s) * dt_s:g} s; change it or dt_s, or allow rounding"
        )
    return steps


def check_positive(model: Any, names: Mapping[str, Value]) -> None:
    """Raises BestiaryError for the first value that is not finite and positive."""
    for name, value in names.items():
        if not (np.isfinite(value) & (np.asarray(value) > 0)).all():
            raise BestiaryError(f"{type(model).__name__}: {name} must be positive and finite, got {value}")
