"""The graded network's control period as one fused numba kernel: the same step as `graded.module`, for one CPU core.

XLA spends more on starting its small operations than a kernel needs for all 302 neurons. Tested against the module.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from bestiary.brains.graded import ROWS

Array = np.ndarray[Any, np.dtype[Any]]


@numba.njit(cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"}, nogil=True)
def advance(
    steps: int,
    v: Array,
    s: Array,
    noise: Array,
    w: Array,
    key: Array,
    ptr: Array,
    pre: Array,
    g_syn: Array,
    ge_syn: Array,
    solve: Array,
    c: Array,
    current: Array,
    light: Array,
    plateau_mV: float,
    inhibitory_mV: float,
    dt: float,
) -> None:
    """Moves v, s, noise, w (n,) and key (2,) on by `steps` steps, in place. c (12, n): constants in ROWS' order."""
    n = len(v)
    rhs = np.empty(n, np.float32)
    one = np.float32(1)
    for _ in range(steps):
        key[1] = (np.int64(key[1]) + 1) & 0xFFFFFFFF
        for i in range(n):
            g = np.float32(0)
            ge = np.float32(0)
            for k in range(ptr[i], ptr[i + 1]):
                g += g_syn[k] * s[pre[k]]
                ge += ge_syn[k] * s[pre[k]]
            noise[i] = c[8, i] * noise[i] + c[9, i] * normal(key[0], key[1], i)
            m = one / (one + np.exp(-(v[i] - c[3, i]) * c[4, i]))
            drive = c[1, i] + ge + c[2, i] * m * (plateau_mV - v[i]) + current[i] + noise[i]
            drive -= c[10, i] * (w[i] - np.float32(0.5))
            w[i] += c[11, i] * (m - w[i])
            drive += min(light[i], np.float32(0)) * -inhibitory_mV
            rhs[i] = (c[0, i] - g - abs(light[i])) * v[i] + drive
        np.dot(solve, rhs, v)
        for i in range(n):
            phi = one / (one + np.exp(-(v[i] - c[3, i]) * c[5, i]))
            rate = c[6, i] * phi + c[7, i]
            final = c[6, i] * phi / rate
            s[i] = final + (s[i] - final) * np.exp(-dt * rate)


@numba.njit(cache=True, inline="always")
def normal(seed: int, count: int, i: int) -> float:
    """A standard normal number of neuron i at step `count`: eight hashed bytes summed (see `graded.normal`)."""
    total = np.int64(0)
    for part in range(2):
        h = (np.int64(seed) ^ (np.int64(count) * 0x9E3779B9)) + (2 * i + part) * 0x85EBCA6B
        h = h & 0xFFFFFFFF
        h = ((h ^ (h >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
        h = ((h ^ (h >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
        h = h ^ (h >> 16)
        total += (h & 255) + ((h >> 8) & 255) + ((h >> 16) & 255) + (h >> 24)
    return float(np.float32(total - 1020) * np.float32(1 / 209.02153))


STATE = ("v", "s", "noise", "w", "key")


class Kernel:
    """`Kernel(constants, steps)(state, current_pA, light_nS) -> state`, from `GradedNetwork.compiled`."""

    def __init__(self, constants: dict[str, Array], steps: int) -> None:
        n = len(constants["base"])
        syn = constants["syn"]
        used = (syn[:n] != 0) | (syn[n:] != 0)
        post, pre = np.nonzero(used)
        self.ptr = np.searchsorted(post, np.arange(n + 1)).astype(np.int32)
        self.pre = pre.astype(np.int32)
        self.g, self.ge = syn[:n][used], syn[n:][used]
        self.solve = np.ascontiguousarray(constants["solve"])
        self.c = np.ascontiguousarray(np.stack([constants[name] for name in ROWS]))
        self.scalars = tuple(np.float32(constants[k].ravel()[0]) for k in ("plateau_mV", "inhibitory_mV", "dt"))
        self.steps = steps

    def __call__(self, state: dict[str, Array], current_pA: Array, light_nS: Array) -> dict[str, Array]:
        current = current_pA.astype(np.float32, copy=False)
        arrays = (self.ptr, self.pre, self.g, self.ge, self.solve, self.c, current, light_nS)
        call: Any = advance
        new = {k: state[k].copy() for k in STATE}
        call(self.steps, *new.values(), *arrays, *self.scalars)
        return new
