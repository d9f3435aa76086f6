"""Closed-loop experiments: an environment whose actions are currents into, or light on, named neurons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from bestiary.bodies._base import Array
from bestiary.envs._clock import check_same_control
from bestiary.errors import ActionError, EpisodeError

LIGHT_LIMIT = 2.0  # rest conductances, as `Animal.shine` allows
_UNITS = {
    "current": ("currents", "pA", "raise limit_pA if you mean it"),
    "light": ("lights", "rest conductances", "more than that no opsin was modelled for"),
}


class PerturbBrain(
    gymnasium.Wrapper[dict[str, Array], Array, dict[str, Array], Array], gymnasium.utils.RecordConstructorArgs
):
    """Wraps (env, animal): the animal moves the body, the action perturbs its brain.

    Action: Box(-limit_pA, limit_pA, (len(neurons),), float32), the current into each named neuron in pA, held for one
    control period; a name that stands for several neurons (a class) gives each of them that current. kind="light":
    Box(-2, 2), light as a share of each neuron's rest conductance, as `Animal.shine`. Observation: that of env. info
    adds `action`, the motor commands of the animal, and `voltage_mV` (len(neurons),), the mean of each name's neurons,
    where the animal can be probed for it.

    neurons: names, or one name. animal: has reset(episode_seed), act(obs), inject(indices, current_pA) or
    shine(indices, light), index(names), and may have probe().
    Raises UnknownNeuronError for a name that the animal does not have, ClockError for an animal of another control
    period, ActionError for a bad current, EpisodeError for a step before reset.
    """

    def __init__(
        self, env: Any, animal: Any, neurons: str | Sequence[str], limit_pA: float = 20.0, kind: str = "current"
    ) -> None:
        gymnasium.utils.RecordConstructorArgs.__init__(
            self, _disable_deepcopy=True, animal=animal, neurons=neurons, limit_pA=limit_pA, kind=kind
        )
        gymnasium.Wrapper.__init__(self, env)
        neurons = (neurons,) if isinstance(neurons, str) else tuple(neurons)
        if not neurons or not limit_pA > 0:
            raise ValueError(f"needs a neuron or more and a limit above 0 pA, got {list(neurons)} and {limit_pA}")
        check_same_control(animal, env.unwrapped.clock)
        self.animal, self.neurons = animal, neurons
        if kind not in _UNITS:
            raise ValueError(f"kind is 'current' or 'light', got {kind!r}")
        self.kind, self.limit = kind, float(limit_pA) if kind == "current" else LIGHT_LIMIT
        each = [np.atleast_1d(animal.index([name])) for name in self.neurons]
        self._index = np.concatenate(each)
        self._of = np.repeat(np.arange(len(each)), [len(e) for e in each])  # which action goes to which index
        if len(np.unique(self._index)) < len(self._index):
            raise ValueError(f"a neuron is named twice, by itself or by its class: {', '.join(self.neurons)}")
        self.action_space = spaces.Box(-self.limit, self.limit, (len(each),), np.float32)
        self._obs: dict[str, Array] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        self._obs, info = self.env.reset(seed=seed, options=options)
        self.animal.reset(info["episode_seed"])
        self._perturb(np.zeros(len(self.neurons)))
        return self._obs, info

    def step(self, action: Array) -> tuple[dict[str, Array], Any, bool, bool, dict[str, Any]]:
        if self._obs is None:
            raise EpisodeError("step before reset: call reset(seed=...) first")
        what, unit, fix = _UNITS[self.kind]
        try:
            given = np.asarray(action, np.float64)
        except (TypeError, ValueError):
            raise ActionError(f"an action is {len(self.neurons)} {what}, got {action!r}") from None
        if given.shape != (len(self.neurons),):
            raise ActionError(f"expected {len(self.neurons)} {what}, one per named neuron; got shape {given.shape}")
        bad = np.flatnonzero(~(np.abs(given) <= self.limit))
        if len(bad):
            raise ActionError(
                f"{self.neurons[bad[0]]} is given {given[bad[0]]:g} {unit}, "
                f"allowed is {-self.limit:g} to {self.limit:g} {unit}; {fix}"
            )
        self._perturb(given)
        command = self.animal.act(self._obs)
        self._obs, reward, terminated, truncated, info = self.env.step(command)
        info = {**info, "action": command}
        voltage = self.animal.probe().get("voltage_mV") if hasattr(self.animal, "probe") else None
        if voltage is not None:
            count = np.bincount(self._of)
            info["voltage_mV"] = np.bincount(self._of, np.asarray(voltage)[self._index]) / count
        return self._obs, reward, terminated, truncated, info

    def _perturb(self, given: Array) -> None:
        give = self.animal.inject if self.kind == "current" else self.animal.shine
        give(self._index, given[self._of])
