"""A test double of a closed-loop animal: leaky units that push the motors and answer to injected current."""

from __future__ import annotations

import numpy as np

from bestiary import nearest
from bestiary.envs import stream
from bestiary.errors import UnknownNeuronError


class StubAnimal:
    names = ("AVAL", "AVAR", "AVBL", "AVBR")
    groups = ("command", "command", "motor", "motor")

    def __init__(self, n_motors: int = 3) -> None:
        self.n_motors = n_motors

    def reset(self, episode_seed: int) -> None:
        self.v = stream(episode_seed, "brain").normal(-40, 1, 4)
        self.current = np.zeros(4)

    def index(self, names) -> np.ndarray:
        found = []
        for name in names:
            match = [i for i, n in enumerate(self.names) if n == name or n[:-1] == name]
            if not match:
                raise UnknownNeuronError(f"no neuron {name!r}; {nearest(name, self.names)}")
            found += match
        return np.array(found)

    def inject(self, indices, current_pA) -> None:
        self.current[indices] = current_pA

    def act(self, obs) -> np.ndarray:
        self.v += 0.1 * (-40 - self.v + self.current)
        return np.tanh((self.v[0] - self.v[2]) / 10 + np.zeros(self.n_motors)).astype(np.float32)

    def probe(self) -> dict[str, np.ndarray]:
        return {"voltage_mV": self.v.copy()}
