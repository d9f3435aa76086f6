"""Closed-loop experiments: an environment whose actions are currents into named neurons of the animal in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from bestiary.bodies._base import Array
from bestiary.envs._clock import check_same_control
from bestiary.errors import ActionError


class PerturbBrain(gymnasium.Wrapper[dict[str, Array], Array, dict[str, Array], Array]):
    """Wraps (env, animal): the animal moves the body, the action perturbs its brain.

    Action: Box(-limit_pA, limit_pA, (len(neurons),), float32), the current into each named neuron in pA, held for one
    control period; a name that stands for several neurons (a class) gives each of them that current. Observation: that
    of env. info adds `action`, the motor commands of the animal, and `voltage_mV` (len(neurons),), the mean of
    each name's neurons, where the animal can be probed for it.

    animal: has reset(episode_seed), act(obs), inject(indices, current_pA), index(names), and may have probe().
    Raises UnknownNeuronError for a name that the animal does not have, ClockError for an animal of another control
    period, ActionError for a bad current.
    """

    def __init__(self, env: Any, animal: Any, neurons: Sequence[str], limit_pA: float = 20.0) -> None:
        super().__init__(env)
        if not neurons or not limit_pA > 0:
            raise ValueError(f"needs a neuron or more and a limit above 0 pA, got {list(neurons)} and {limit_pA}")
        check_same_control(animal, env.unwrapped.clock)
        self.animal, self.neurons, self.limit_pA = animal, tuple(neurons), float(limit_pA)
        each = [np.atleast_1d(animal.index([name])) for name in self.neurons]
        self._index = np.concatenate(each)
        self._of = np.repeat(np.arange(len(each)), [len(e) for e in each])  # which action goes to which index
        if len(np.unique(self._index)) < len(self._index):
            raise ValueError(f"a neuron is named twice, by itself or by its class: {', '.join(self.neurons)}")
        self.action_space = spaces.Box(-self.limit_pA, self.limit_pA, (len(each),), np.float32)
        self._obs: dict[str, Array] = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        self._obs, info = self.env.reset(seed=seed, options=options)
        self.animal.reset(info["episode_seed"])
        self.animal.inject(self._index, np.zeros(len(self._index)))
        return self._obs, info

    def step(self, action: Array) -> tuple[dict[str, Array], Any, bool, bool, dict[str, Any]]:
        try:
            current = np.asarray(action, np.float64)
        except (TypeError, ValueError):
            raise ActionError(f"an action is {len(self.neurons)} currents in pA, got {action!r}") from None
        if current.shape != (len(self.neurons),):
            raise ActionError(f"expected {len(self.neurons)} currents, one per named neuron; got shape {current.shape}")
        bad = np.flatnonzero(~(np.abs(current) <= self.limit_pA))
        if len(bad):
            raise ActionError(
                f"the current into {self.neurons[bad[0]]} is {current[bad[0]]:g} pA, "
                f"allowed is {-self.limit_pA:g} to {self.limit_pA:g} pA; raise limit_pA if you mean it"
            )
        self.animal.inject(self._index, current[self._of])
        command = self.animal.act(self._obs)
        self._obs, reward, terminated, truncated, info = self.env.step(command)
        info = {**info, "action": command}
        voltage = self.animal.probe().get("voltage_mV") if hasattr(self.animal, "probe") else None
        if voltage is not None:
            count = np.bincount(self._of)
            info["voltage_mV"] = np.bincount(self._of, np.asarray(voltage)[self._index]) / count
        return self._obs, reward, terminated, truncated, info
