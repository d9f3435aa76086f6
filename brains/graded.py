"""Graded (non-spiking) networks in the form of Wicks & Kunert, with a step that stays stable however strong a gap.

Neuron i (V in mV, conductance in nS, current in pA, capacitance in pF, time in s; 1 nS x 1 mV = 1 pA):

    C dV/dt = g_leak (E_leak - V) + sum_j g_gap,ij (V_j - V_i) + sum_j g_syn,ij s_j (E_ij - V)
              + g_p m(V) (E_p - V) - k (w - 1/2) + I + noise
    ds/dt   = a_r phi(V) (1 - s) - a_d s,   phi(V) = 1 / (1 + exp(-beta (V - V_th)))
    dw/dt   = (m(V) - w) / tau_w

(Wicks, Roehrig & Rankin 1996 J Neurosci 16:4017; Kunert, Shlizerman & Kutz 2014 Phys Rev E 89:052805.) The g_p term
is an instantaneous regenerative (plateau) current, m a logistic in V: RMD and AVA have two stable states
(Mellem et al. 2008 Nat Neurosci 11:865), and B motor neurons sit near such a point (Xu et al. 2018 PNAS 115:E4493).
The slow outward current, linearised, stops a plateau: with it a neuron oscillates by itself, as A types do (Gao et al.
2018 eLife 7:e29915). It is given as `adaptation`, in units of the plateau's slope.

g_p is given as `plateau`, the ratio of the regenerative slope to the neuron's rest conductance: bistable above 1.

V_th and the plateau's half point are the neuron's own equilibrium when every synapse releases at half (Kunert 2014),
plus an offset: `equilibrium` solves it, and a lesioned network is given the intact one's values.

Integration, step h: the leak, the gap junctions and a bound of the synaptic conductance are implicit (one constant
matrix, inverted once), the rest explicit: fixed points are exact and no conductance in range makes it unstable. s is
exact for the new V.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
ROWS = (  # the constants that have one value a neuron
    *("keep", "base", "plateau", "half", "slope", "beta", "rise", "decay", "ou_keep", "ou_kick", "adapt", "adapt_step"),
)


@dataclass(frozen=True)
class GradedNetwork:
    """Description of a graded network of n neurons; arrays are per neuron (n,) or post x pre (n, n).

    synapse_nS, reversal_mV: (n, n) largest conductance and reversal of each chemical synapse. gap_nS: (n, n),
    symmetric. capacitance_pF, leak_nS, leak_mV, beta_per_mV, rise_per_s (a_r), decay_per_s (a_d), plateau,
    plateau_slope_mV, tonic_pA: (n,). offset_mV (n,): half points above the equilibrium. quiet_mV (n,): the same, but
    the equilibrium knows of it: these neurons release little at rest. noise_mV (n,): SD of an Ornstein-Uhlenbeck
    current, given as the steady depolarisation that it would give through the rest conductance; noise_tau_s its time
    constant. plateau_mV: reversal of the regenerative current. adaptation (n,), adaptation_tau_s: the slow current.
    frozen: the `equilibrium` of an intact network, for a lesioned one.
    """

    synapse_nS: Array
    reversal_mV: Array
    gap_nS: Array
    capacitance_pF: Array
    leak_nS: Array
    leak_mV: Array
    beta_per_mV: Array
    rise_per_s: Array
    decay_per_s: Array
    plateau: Array
    plateau_slope_mV: Array
    offset_mV: Array
    quiet_mV: Array
    tonic_pA: Array
    noise_mV: Array
    adaptation: Array
    noise_tau_s: float = 0.1
    adaptation_tau_s: float | Array = 1.0
    plateau_mV: float = 40.0
    frozen: dict[str, Array] | None = field(default=None)

    def equilibrium(self, clamp: dict[int, float] | None = None) -> dict[str, Array]:
        """`v_eq` (mV), `membrane_nS`, `input_nS`, `plateau_nS`, each (n,), with all synapses and plateaus at half.

        membrane_nS: leak and synapses. input_nS: what an electrode in the cell finds, through its gap junctions too.
        clamp: neurons held at this many mV from their own free equilibrium, their release following: the set point of
        the others while command neurons are active or silent.
        """
        if self.frozen is not None:
            return self.frozen
        s0 = self.release_at_rest()
        laplacian = np.diag(self.gap_nS.sum(1)) - self.gap_nS
        free = self.equilibrium() if clamp else None
        if clamp and free is not None:
            at, dv = np.array(list(clamp)), np.array(list(clamp.values()))
            phi = 1 / (1 + np.exp(-self.beta_per_mV[at] * dv))
            s0[at] = self.rise_per_s[at] * phi / (self.rise_per_s[at] * phi + self.decay_per_s[at])
        g = self.synapse_nS * s0[None, :]
        rest = self.leak_nS + g.sum(1)
        b = self.leak_nS * self.leak_mV + (g * self.reversal_mV).sum(1) + self.tonic_pA
        v_eq, g_p = self.leak_mV, np.zeros_like(rest)
        for _ in range(8):  # g_p depends on the driving force at V_eq: converges in a few rounds
            g_p = self.plateau * rest / ((self.plateau_mV - v_eq) / (4 * self.plateau_slope_mV) - 0.5)
            a = np.diag(rest + g_p / 2) + laplacian
            rhs = b + g_p / 2 * self.plateau_mV
            if clamp and free is not None:
                a[at] = np.eye(len(a))[at]
                rhs[at] = free["v_eq"][at] + dv
            v_eq = np.linalg.solve(a, rhs)
        half, seen = v_eq + self.offset_mV + self.quiet_mV, 1 / np.diag(np.linalg.inv(np.diag(rest) + laplacian))
        return {"v_eq": v_eq, "half": half, "membrane_nS": rest, "input_nS": seen, "plateau_nS": g_p}

    def release_at_rest(self) -> Array:
        """s (n,) at the equilibrium: where phi is 1/2, less in quiet neurons."""
        phi = 1 / (1 + np.exp(self.beta_per_mV * self.quiet_mV))
        return self.rise_per_s * phi / (self.rise_per_s * phi + self.decay_per_s)

    def release_max(self) -> Array:
        """s (n,) where phi is 1."""
        return self.rise_per_s / (self.rise_per_s + self.decay_per_s)

    def compiled(self, dt_s: float) -> dict[str, Array]:
        """The constants of the step of dt_s, float32: what the jitted step takes as its argument."""
        eq = self.equilibrium()
        bound = self.leak_nS + self.synapse_nS @ self.release_max()  # >= half of any conductance in range: stable
        laplacian = np.diag(self.gap_nS.sum(1)) - self.gap_nS
        c = self.capacitance_pF * 1e-3 / dt_s  # pF/s in nS
        out = {
            "solve": np.linalg.inv(np.diag(c + bound) + laplacian),
            "syn": np.concatenate([self.synapse_nS, self.synapse_nS * self.reversal_mV]),
            "keep": c + bound - self.leak_nS,
            "base": self.leak_nS * self.leak_mV + self.tonic_pA,
            "plateau": eq["plateau_nS"],
            "half": eq["half"],
            "slope": 1 / self.plateau_slope_mV,
            "beta": self.beta_per_mV,
            "rise": self.rise_per_s,
            "decay": self.decay_per_s,
            "adapt": self.adaptation * eq["membrane_nS"] * 4 * self.plateau_slope_mV,
            "adapt_step": (1 - np.exp(-dt_s / self.adaptation_tau_s)) * np.ones(len(c)),
            "ou_keep": np.exp(-dt_s / self.noise_tau_s) * np.ones(len(c)),
            "ou_kick": self.noise_mV * eq["membrane_nS"] * np.sqrt(1 - np.exp(-2 * dt_s / self.noise_tau_s)),
            "plateau_mV": np.full(len(c), self.plateau_mV),
            "dt": np.full(1, dt_s),
            "inhibitory_mV": np.full(1, self.reversal_mV.min()),
        }
        return {k: np.asarray(v, np.float32) for k, v in out.items()}


def settled(net: GradedNetwork, tracked: Array, push_pA: Array, seconds: float = 2.0, dt_s: float = 0.02) -> Array:
    """V (n,) mV to which the noiseless network settles under push_pA while the `tracked` neurons (mask) stay at half.

    Their half points follow their voltage, so that they neither release more than half nor fall into a plateau: what
    comes out is the set point that a homeostat would find.
    """
    c = {k: a.astype(float) for k, a in replace(net, tonic_pA=0 * net.tonic_pA).compiled(dt_s).items()}
    v, s, half = net.equilibrium()["v_eq"].copy(), net.release_at_rest(), c["half"].copy()
    n = len(v)
    for _ in range(round(seconds / dt_s)):
        half[tracked] = v[tracked]
        syn = (c["syn"] @ s).reshape(2, n)
        m = 1 / (1 + np.exp(-(v - half) * c["slope"]))
        drive = c["base"] + syn[1] + c["plateau"] * m * (c["plateau_mV"] - v) + push_pA
        v = c["solve"] @ ((c["keep"] - syn[0]) * v + drive)
        phi = 1 / (1 + np.exp(-(v - half) * c["beta"]))
        s = c["rise"] * phi / (c["rise"] * phi + c["decay"])
    return v


def normal(key: Any, n: int) -> Any:
    """Standard normal numbers (n,) of a counter-based generator: the sum of eight hashed bytes (kurtosis 2.85).

    key (2,) uint32: seed and step. The hash is the finaliser of MurmurHash3 (public domain); numba gives the same.
    """
    from bestiary.brains._engine import jnp

    u = jnp.uint32
    h = (key[0] ^ (key[1] * u(0x9E3779B9))) + jnp.arange(2 * n, dtype=u) * u(0x85EBCA6B)
    h = (h ^ (h >> 16)) * u(0x85EBCA6B)
    h = (h ^ (h >> 13)) * u(0xC2B2AE35)
    h = h ^ (h >> 16)
    total = ((h & 255) + ((h >> 8) & 255) + ((h >> 16) & 255) + (h >> 24)).reshape(n, 2).sum(1)
    return (total.astype(jnp.float32) - 1020) * (1 / 209.02153)


def module(n: int) -> Any:
    """The network as a brainstate module of n neurons: `update(constants, current_pA, light_nS)` is one step.

    light_nS: extra conductance of an opsin, + with reversal 0 mV, - with the inhibitory reversal.
    """
    from bestiary.brains._engine import brainstate, jax, jnp

    class Graded(brainstate.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.v = brainstate.HiddenState(jnp.zeros(n, jnp.float32))
            self.s = brainstate.HiddenState(jnp.zeros(n, jnp.float32))
            self.noise = brainstate.HiddenState(jnp.zeros(n, jnp.float32))
            self.w = brainstate.HiddenState(jnp.full(n, 0.5, jnp.float32))
            self.key = brainstate.ShortTermState(jnp.zeros(2, jnp.uint32))

        def update(self, p: dict[str, Any], current_pA: Any, light_nS: Any) -> None:
            v, s = self.v.value, self.s.value
            key = jnp.asarray(self.key.value).at[1].add(1)
            noise = p["ou_keep"] * self.noise.value + p["ou_kick"] * normal(key, n)
            syn = (p["syn"] @ s).reshape(2, n)
            m = jax.nn.sigmoid((v - p["half"]) * p["slope"])
            drive = p["base"] + syn[1] + p["plateau"] * m * (p["plateau_mV"] - v) + current_pA + noise
            drive = drive - p["adapt"] * (self.w.value - 0.5)
            drive = drive + jnp.minimum(light_nS, 0) * -p["inhibitory_mV"]
            v = p["solve"] @ ((p["keep"] - syn[0] - jnp.abs(light_nS)) * v + drive)
            phi = jax.nn.sigmoid((v - p["half"]) * p["beta"])
            rate = p["rise"] * phi + p["decay"]
            s_inf = p["rise"] * phi / rate
            self.v.value = v
            self.s.value = s_inf + (s - s_inf) * jnp.exp(-p["dt"] * rate)
            self.noise.value = noise
            self.w.value = self.w.value + p["adapt_step"] * (m - self.w.value)
            self.key.value = key

    return Graded()
