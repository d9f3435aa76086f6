"""Synapse models. `weight` is the peak of the response to one spike: a current in pA, or a conductance in nS where the
model has a reversal_mV; for Delta a step of the potential in mV. `synapse("alpha")` finds one by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import bestiary
from bestiary.brains.spiking._describe import Synapse, Value, check_positive, held, integral
from bestiary.brains.spiking._math import exp


@dataclass(frozen=True)
class Delta(Synapse):
    """V += weight on arrival."""

    states: ClassVar[tuple[str, ...]] = ()

    def constants(self, dt_s: float, membrane_tau_s: Value | None) -> dict[str, Value]:
        return {}

    @staticmethod
    def update() -> Any:
        return None


def _exponential(x: Any, mean: Any, keep: Any) -> Any:
    return mean * x, keep * x


def _exponential_g(x: Any, mean: Any, keep: Any, reversal: Any) -> Any:
    return mean * x * reversal, mean * x, keep * x


@dataclass(frozen=True)
class Exponential(Synapse):
    """weight exp(-t/tau). Exact. reversal_mV: conductance in place of current."""

    tau_s: float = 0.005
    reversal_mV: float | None = None

    states: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        check_positive(self, {"tau_s": self.tau_s})

    @property
    def conductance(self) -> bool:  # type: ignore[override]  # the model's own, by its parameters
        return self.reversal_mV is not None

    @property
    def update(self) -> Callable[..., Any]:  # type: ignore[override]  # the model's own, by its parameters
        return _exponential_g if self.conductance else _exponential

    def constants(self, dt_s: float, membrane_tau_s: Value | None) -> dict[str, Value]:
        mean = held(lambda t: np.exp(-t / self.tau_s), dt_s, None if self.conductance else membrane_tau_s)
        return {"mean": mean, "keep": float(np.exp(-dt_s / self.tau_s)), **_reversal(self.reversal_mV)}


def _cascade(x: Any, y: Any, mean_x: Any, mean_y: Any, keep_x: Any, keep_y: Any, feed: Any) -> Any:
    return mean_x * x + mean_y * y, keep_x * x, keep_y * y + feed * x


def _cascade_g(x: Any, y: Any, mean_x: Any, mean_y: Any, keep_x: Any, keep_y: Any, feed: Any, reversal: Any) -> Any:
    now = mean_x * x + mean_y * y
    return now * reversal, now, keep_x * x, keep_y * y + feed * x


@dataclass(frozen=True)
class DoubleExponential(Synapse):
    """weight k (exp(-t/decay) - exp(-t/rise)), k so that the peak is weight. Exact, equal time constants included."""

    rise_s: float = 0.001
    decay_s: float = 0.005
    reversal_mV: float | None = None

    states: ClassVar[tuple[str, ...]] = ("x", "y")

    def __post_init__(self) -> None:
        check_positive(self, {"rise_s": self.rise_s, "decay_s": self.decay_s})

    @property
    def conductance(self) -> bool:  # type: ignore[override]  # the model's own, by its parameters
        return self.reversal_mV is not None

    @property
    def update(self) -> Callable[..., Any]:  # type: ignore[override]  # the model's own, by its parameters
        return _cascade_g if self.conductance else _cascade

    def constants(self, dt_s: float, membrane_tau_s: Value | None) -> dict[str, Value]:
        peak_s = self._peak_s()
        k = 1 / self._cascade_at(peak_s)
        tau = None if self.conductance else membrane_tau_s
        return {
            "mean_x": held(lambda t: k * np.array([self._cascade_at(s) for s in t]), dt_s, tau),
            "mean_y": held(lambda t: np.exp(-t / self.decay_s), dt_s, tau),
            "keep_x": float(np.exp(-dt_s / self.rise_s)),
            "keep_y": float(np.exp(-dt_s / self.decay_s)),
            "feed": k * self._cascade_at(dt_s),
            **_reversal(self.reversal_mV),
        }

    def _cascade_at(self, t: float) -> float:
        """y(t) after x(0) = 1 for dx/dt = -x/rise, dy/dt = -y/decay + x (per second)."""
        rise, decay = self.rise_s, self.decay_s
        return float(integral(lambda s: np.exp(-(t - s) / decay - s / rise), t)) if t > 0 else 0.0

    def _peak_s(self) -> float:
        rise, decay = self.rise_s, self.decay_s
        if abs(rise - decay) < 1e-6 * decay:
            return decay
        return float(rise * decay / (decay - rise) * np.log(decay / rise))


@dataclass(frozen=True)
class Alpha(DoubleExponential):
    """weight (t/tau) exp(1 - t/tau): the double exponential with equal time constants (Rall 1967). Exact."""

    rise_s: float = 0.002
    decay_s: float = -1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "decay_s", self.rise_s)
        super().__post_init__()


def _nmda(
    x: Any, y: Any, v: Any, mean_x: Any, mean_y: Any, keep_x: Any, keep_y: Any, feed: Any, reversal: Any, block: Any
) -> Any:
    now = (mean_x * x + mean_y * y) / (1 + block * exp(-0.062 * v))
    return now * reversal, now, keep_x * x, keep_y * y + feed * x


@dataclass(frozen=True)
class NMDA(DoubleExponential):
    """Double exponential conductance behind the magnesium block 1/(1 + [Mg]/3.57 mM exp(-0.062 V)).

    Jahr & Stevens 1990 J Neurosci 10:3178. Spikes sum linearly: no saturation.
    """

    rise_s: float = 0.002
    decay_s: float = 0.100
    reversal_mV: float | None = 0.0
    magnesium_mM: float = 1.0

    @property
    def update(self) -> Callable[..., Any]:  # type: ignore[override]  # the model's own, by its parameters
        return _nmda

    def constants(self, dt_s: float, membrane_tau_s: Value | None) -> dict[str, Value]:
        return super().constants(dt_s, membrane_tau_s) | {"block": self.magnesium_mM / 3.57}


@dataclass(frozen=True)
class TsodyksMarkram(Synapse):
    """Short-term plasticity in front of another synapse: each spike releases u x of its weight.

    Tsodyks, Pawelzik & Markram 1998 Neural Comput 10:821, exact between spikes: facilitation u jumps by U (1 - u) and
    decays to 0 with facil_s, resources x lose u x and recover to 1 with recover_s. The first spike after rest gives U.
    """

    onto: Synapse = Exponential()
    use: float = 0.5
    recover_s: float = 0.8
    facil_s: float = 0.001

    release_states: ClassVar[tuple[str, ...]] = ("u", "free")

    def __post_init__(self) -> None:
        check_positive(self, {"use": self.use, "recover_s": self.recover_s, "facil_s": self.facil_s})

    @property
    def states(self) -> tuple[str, ...]:  # type: ignore[override]  # the model's own, by its parameters
        return self.onto.states

    @property
    def conductance(self) -> bool:  # type: ignore[override]  # the model's own, by its parameters
        return self.onto.conductance

    @property
    def update(self) -> Callable[..., Any]:  # type: ignore[override]  # the model's own, by its parameters
        return self.onto.update

    def constants(self, dt_s: float, membrane_tau_s: Value | None) -> dict[str, Value]:
        return self.onto.constants(dt_s, membrane_tau_s) | {
            "U": self.use,
            "recover": -dt_s / self.recover_s,
            "facil": -dt_s / self.facil_s,
        }

    @staticmethod
    def release(u: Any, free: Any, elapsed: Any, U: Any, recover: Any, facil: Any) -> Any:
        """(share released, u, free resources) from the values just after the last spike, `elapsed` steps ago."""
        u1 = U + u * (1 - U) * exp(facil * elapsed)
        free1 = 1 + (free - 1) * exp(recover * elapsed)
        return u1 * free1, u1, free1 - u1 * free1


def _reversal(mV: float | None) -> dict[str, Value]:
    return {} if mV is None else {"reversal": mV}


SYNAPSES: dict[str, type[Synapse]] = {
    "delta": Delta,
    "exponential": Exponential,
    "alpha": Alpha,
    "double_exponential": DoubleExponential,
    "nmda": NMDA,
    "tsodyks_markram": TsodyksMarkram,
}


def synapse(name: str, **parameters: Any) -> Synapse:
    """The synapse model `name`. Raises LookupError with the nearest name."""
    if name not in SYNAPSES:
        raise LookupError(f"no synapse model {name!r}; {bestiary.nearest(name, SYNAPSES, 'model')}")
    return SYNAPSES[name](**parameters)
