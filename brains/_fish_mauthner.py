"""The Mauthner cells and their homologues: a tap becomes a C-bend away from it within milliseconds.

Leaky integrate-and-fire pairs. Each VIIIth nerve excites the cells of its side at once and, a millisecond later,
interneurons (PHP) that inhibit both sides: so a slow rise never fires them (Koyama 2011 PNAS 108:1148; Eaton 2001).
The first to fire inhibits the other side. The nerve's synapses depress, which is the habituation of Wolman 2011.
MiD2cm and MiD3cm come later, here by a slow relay that is assumed: alone they make the late C-bends (Z31).
Who meets whom is published; strengths are `functional_fit` to Z30, Z31 and Z33.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bestiary.brains._fish_circuits import Edge, circuit_table
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock

Array = np.ndarray[Any, np.dtype[Any]]

TAU_S = {"Mauthner": 2e-3, "MiD2cm": 25e-3, "MiD3cm": 29e-3, "PHP": 5e-3, "viii": 1e-3, "relay": 40e-3}
THRESHOLD = {"Mauthner": 1.0, "MiD2cm": 0.4, "MiD3cm": 0.4, "PHP": 0.15, "viii": 0.0, "relay": 0.0}
REFRACTORY_S, SPIKE_HZ, UNIT_MV = 0.02, 1000.0, 20.0
DEPRESS, RECOVER_S = 0.08, 60.0  # share of the synapse's strength that a full tap uses up, and how it comes back


def mauthner_table() -> Connectome:
    names = [f"{k}_{s}" for k in ("viii", "PHP", "relay", "Mauthner", "MiD2cm", "MiD3cm") for s in "LR"]
    edges: list[Edge] = []
    for s, o in (("L", "R"), ("R", "L")):
        edges += [(f"viii_{s}", f"Mauthner_{s}", 2.2), (f"viii_{s}", f"relay_{s}", 11.0)]
        edges += [(f"relay_{s}", f"MiD2cm_{s}", 1.0), (f"relay_{s}", f"MiD3cm_{s}", 1.0)]
        edges += [
            (f"viii_{s}", f"PHP_{s}", 1.0),
            (f"PHP_{s}", f"Mauthner_{s}", -1.6),
            (f"PHP_{s}", f"Mauthner_{o}", -1.6),
        ]
        edges += [(f"Mauthner_{s}", f"{k}_{o}", -6.0) for k in ("Mauthner", "MiD2cm", "MiD3cm")]
        edges += [(f"MiD2cm_{s}", f"{k}_{o}", -6.0) for k in ("MiD2cm", "MiD3cm")]
    return circuit_table(names, edges, "Mauthner array after Koyama 2011, Kohashi & Oda 2008, strengths fitted")


@dataclass(frozen=True, eq=False)
class MauthnerArray:
    """`bestiary.brains._parts.Part`. drive_mV of `viii`: 20 mV is a tap that always startles. A spike lasts a control
    period and is shown as 1000 Hz."""

    clock: Clock
    table: Connectome = field(default_factory=mauthner_table)
    lesioned: tuple[int, ...] = ()
    silenced: tuple[int, ...] = ()
    tires: bool = True  # whether the nerve's synapses depress
    _k: dict[str, Array] = field(init=False)

    def __post_init__(self) -> None:
        table = self.table
        alive = np.ones(len(table), np.float32)
        alive[list(self.lesioned)] = 0
        heard = alive.copy()
        heard[list(self.silenced)] = 0
        w = np.zeros((len(table), len(table)), np.float32)
        np.add.at(w, (table.post, table.pre), table.weight * table.sign)
        types = table.types.tolist()
        object.__setattr__(self, "_k", {
            "w": w, "alive": alive, "heard": heard,
            "tau": np.array([TAU_S[t] for t in types]), "threshold": np.array([THRESHOLD[t] for t in types]),
            "graded": np.isin(types, ("viii", "PHP", "relay")), "nerve": np.isin(types, ("viii",)),
        })  # fmt: skip

    def init(self, seed: int) -> dict[str, Any]:
        n = len(self.table)
        return {"v": np.zeros(n, np.float32), "out": np.zeros(n, np.float32), "since": np.full(n, 1.0, np.float32),
                "strength": np.ones(n, np.float32), "key": np.array([seed, 0])}  # fmt: skip

    def advance(self, state: dict[str, Any], drive_mV: Array) -> dict[str, Any]:
        k, dt = self._k, self.clock.control_s
        key = state["key"] + np.array([0, 1])
        given = drive_mV / UNIT_MV
        if not (given.any() or state["out"].any()) and (np.abs(state["v"]) < 1e-6).all():
            strength = 1 - (1 - state["strength"]) * np.float32(np.exp(-dt / RECOVER_S))
            return {**state, "since": state["since"] + np.float32(dt), "strength": strength, "key": key}
        rng = np.random.Generator(np.random.Philox(key=key.astype(np.uint64)))
        heard = state["out"] * k["heard"] * np.where(k["nerve"], state["strength"], 1)
        noise = np.where(k["graded"], 0, 0.06) * rng.standard_normal(len(given))
        target = k["w"] @ heard + given + noise
        v = state["v"] + (-np.expm1(-dt / k["tau"])) * (target - state["v"])
        v = np.where(k["nerve"], given, v) * k["alive"]
        since = state["since"] + dt
        spikes = ~k["graded"] & (v > k["threshold"]) & (since > REFRACTORY_S)
        v = np.where(spikes, 0, np.maximum(v, -3))
        out = np.where(k["graded"], np.maximum(v - k["threshold"] * ~k["nerve"], 0), spikes)
        use = DEPRESS * self.tires * np.clip(np.where(k["nerve"], given, 0), 0, 1) * (state["out"] == 0)
        strength = state["strength"] * (1 - use)
        strength = 1 - (1 - strength) * np.exp(-dt / RECOVER_S)
        return {
            "v": v.astype(np.float32), "out": out.astype(np.float32),
            "since": np.where(spikes, 0, since).astype(np.float32), "strength": strength.astype(np.float32), "key": key,
        }  # fmt: skip

    def rate_Hz(self, state: dict[str, Any]) -> Array:
        return np.asarray(SPIKE_HZ * state["out"] * self._k["heard"], np.float32)

    def voltage_mV(self, state: dict[str, Any]) -> Array:
        return np.asarray(-75 + 20 * state["v"] + 90 * (state["out"] > 0) * ~self._k["graded"], np.float32)

    def cut(self, lesioned: Array, silenced: Array) -> MauthnerArray:
        return replace(self, lesioned=(*self.lesioned, *map(int, lesioned)),
                       silenced=(*self.silenced, *map(int, silenced)))  # fmt: skip

    def rewired(self, rewire: Callable[[Connectome], Connectome]) -> MauthnerArray:
        return replace(self, table=rewire(self.table))
