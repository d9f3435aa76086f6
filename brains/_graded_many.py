"""Many graded networks of one wiring in step: `_graded_kernel.advance` with the animals side by side in the vectors.

The step is memory-bound for one animal (its matrix passes through the core five times a period) and compute-bound for
many, which share the matrix. Sums are taken in another order than for one animal, and exponentials come from a rational
approximation of tanh, so results agree to rounding (a thousandth of a mV after a period), not to the bit. What an
animal does depends neither on how many stand beside it nor on the number of threads, but on the width of the vectors:
a block of 32 takes 0.54 ms a control period of the worm, one of 8 takes 0.3 ms.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from bestiary.brains._graded_kernel import STATE, Kernel

Array = np.ndarray[Any, np.dtype[Any]]
WIDTH = 32  # animals side by side


@numba.njit(fastmath=True, error_model="numpy")
def _tanh(x: Any) -> Any:
    """Of a float32, to 3e-7: 2 t / (1 + t^2) of half the angle, which is a convergent of the continued fraction."""
    y = min(max(np.float32(0.5) * x, np.float32(-4.9)), np.float32(4.9))
    q = y * y
    top = y * (np.float32(135135) + q * (np.float32(17325) + q * (np.float32(378) + q)))
    low = np.float32(135135) + q * (np.float32(62370) + q * (np.float32(3150) + q * np.float32(28)))
    return np.float32(2) * top * low / (low * low + top * top)


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def advance(
    steps: int,
    state: Array,
    seed: Array,
    count: Array,
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
    """`steps` steps, in place, of state (4, n, WIDTH): v, s, noise, w. seed, count (WIDTH,) uint32."""
    n = state.shape[1]
    v, s, noise, w = state[0], state[1], state[2], state[3]
    width = state.shape[2]
    rhs = np.empty((n, width), np.float32)
    g, ge = np.empty(width, np.float32), np.empty(width, np.float32)
    mixed, kick = np.empty(width, np.uint32), np.empty(width, np.float32)
    half = np.float32(0.5)
    for _ in range(steps):
        for a in range(width):
            count[a] += np.uint32(1)
            mixed[a] = seed[a] ^ np.uint32(count[a] * np.uint32(0x9E3779B9))
        for i in range(n):
            g[:] = 0
            ge[:] = 0
            for k in range(ptr[i], ptr[i + 1]):
                _add(g, ge, s[pre[k]], g_syn[k], ge_syn[k])
            _kick(kick, mixed, np.uint32(2 * i * 0x85EBCA6B), np.uint32((2 * i + 1) * 0x85EBCA6B))
            _blend(noise[i], kick, c[8, i], c[9, i])
            vi, wi, out = v[i], w[i], rhs[i]
            for a in range(width):
                ge[a] += c[1, i] + noise[i, a] + current[i, a] - c[10, i] * (wi[a] - half)
            for a in range(width):
                m = half + half * _tanh(half * (vi[a] - c[3, i]) * c[4, i])
                wi[a] += c[11, i] * (m - wi[a])
                ge[a] += c[2, i] * m * (plateau_mV - vi[a])
            for a in range(width):
                shut = light[i, a]
                out[a] = (c[0, i] - g[a] - abs(shut)) * vi[a] + ge[a] + min(shut, np.float32(0)) * -inhibitory_mV
        np.dot(solve, rhs, v)
        for i in range(n):
            _release(s[i], v[i], c[3, i], c[5, i], c[6, i], c[7, i], half * dt)


@numba.njit(fastmath=True, error_model="numpy")
def _add(g: Array, ge: Array, s: Array, one: Any, other: Any) -> None:
    for a in range(len(g)):
        g[a] += one * s[a]
        ge[a] += other * s[a]


@numba.njit(fastmath=True, error_model="numpy")
def _mixed(h: Any) -> Any:
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    h = np.uint32(h ^ (h >> np.uint32(16)))
    byte = np.uint32(255)
    low = np.uint32(h & byte) + np.uint32((h >> np.uint32(8)) & byte)
    return np.uint32(low) + np.uint32((h >> np.uint32(16)) & byte) + np.uint32(h >> np.uint32(24))


@numba.njit(fastmath=True, error_model="numpy")
def _kick(kick: Array, mixed: Array, first: Any, second: Any) -> None:
    """Standard normal numbers: `_graded_kernel.normal`."""
    for a in range(len(kick)):
        total = np.int32(_mixed(np.uint32(mixed[a] + first)) + _mixed(np.uint32(mixed[a] + second)))
        kick[a] = (np.float32(total) - np.float32(1020)) * np.float32(1 / 209.02153)


@numba.njit(fastmath=True, error_model="numpy")
def _blend(x: Array, kick: Array, keep: Any, size: Any) -> None:
    for a in range(len(x)):
        x[a] = keep * x[a] + size * kick[a]


@numba.njit(fastmath=True, error_model="numpy")
def _release(s: Array, v: Array, middle: Any, slope: Any, rise: Any, decay: Any, half_dt: Any) -> None:
    """s is exact for the new V: exp(-2 x) = (1 - tanh x) / (1 + tanh x)."""
    half, one = np.float32(0.5), np.float32(1)
    for a in range(len(s)):
        phi = half + half * _tanh(half * (v[a] - middle) * slope)
        rate = rise * phi + decay
        t = _tanh(half_dt * rate)
        final = rise * phi / rate
        s[a] = final + (s[a] - final) * ((one - t) / (one + t))


class ManyKernels:
    """n networks of one wiring, for `bestiary.interfaces._batch`: a state holds all, in blocks of `width`.

    state: `block` (blocks, 4, neurons, width) of v, s, noise, w; `seed` and `count` (blocks, width).
    """

    def __init__(self, kernel: Kernel, n: int, threads: int, width: int = WIDTH) -> None:
        self.kernel, self.n, self.width = kernel, n, width
        self.blocks = -(-n // self.width)
        self.threads = min(threads or _cores(), self.blocks)
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def joined(self, singles: Sequence[dict[str, Array]]) -> dict[str, Array]:
        """The states of single networks side by side."""
        first = singles[0]
        block = np.zeros((self.blocks, 4, len(first["v"]), self.width), np.float32)
        key = np.zeros((2, self.blocks, self.width), np.uint32)
        block[:] = np.stack([first[name] for name in STATE[:4]])[None, :, :, None]  # what fills up the last block
        state = {"block": block, "seed": key[0], "count": key[1]}
        for i, single in enumerate(singles):
            self.put(state, i, single)
        return state

    def put(self, state: dict[str, Array], i: int, single: dict[str, Array]) -> None:
        """Sets network i, in place."""
        b, a = divmod(i, self.width)
        state["block"][b, :, :, a] = [single[name] for name in STATE[:4]]
        state["seed"][b, a], state["count"][b, a] = single["key"]

    def one(self, state: dict[str, Array], i: int) -> dict[str, Array]:
        """Network i, as a single one has it."""
        b, a = divmod(i, self.width)
        key = np.array([state["seed"][b, a], state["count"][b, a]], np.uint32)
        return {**dict(zip(STATE, state["block"][b, :, :, a].copy(), strict=False)), "key": key}

    def advance(self, state: dict[str, Array], current_pA: Array, light_nS: Array) -> dict[str, Array]:
        """One control period under current and light (n, neurons)."""
        new = {name: value.copy() for name, value in state.items()}
        given = [self._blocked(x) for x in (current_pA, light_nS)]
        if self._pool is None:
            for b in range(self.blocks):
                self._run(new, given, b)
        else:
            list(self._pool.map(lambda b: self._run(new, given, b), range(self.blocks)))
        return new

    def _run(self, new: dict[str, Array], given: list[Array], b: int) -> None:
        k = self.kernel
        arrays = (k.ptr, k.pre, k.g, k.ge, k.solve, k.c, given[0][b], given[1][b])
        call: Any = advance
        call(k.steps, new["block"][b], new["seed"][b], new["count"][b], *arrays, *k.scalars)

    def _blocked(self, x: Array) -> Array:
        """(n, neurons) as (blocks, neurons, width)."""
        out = np.zeros((self.blocks, x.shape[1], self.width), np.float32)
        for b in range(self.blocks):
            part = x[b * self.width : (b + 1) * self.width]
            out[b, :, : len(part)] = part.T
        return out

    def column(self, state: dict[str, Array], name: str) -> Array:
        """v, s, noise or w (n, neurons) of all."""
        part = state["block"][:, STATE.index(name)]
        return part.transpose(0, 2, 1).reshape(-1, part.shape[1])[: self.n]


class ManyModules:
    """The same of the JAX module, vmapped: for GPUs. A state holds (n, ...) arrays by name."""

    def __init__(self, step: Any, constants: dict[str, Any], n: int) -> None:
        self.step, self.constants, self.n = step, constants, n

    def joined(self, singles: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return {name: np.stack([np.asarray(s[name]) for s in singles]) for name in singles[0]}

    def put(self, state: dict[str, Any], i: int, single: dict[str, Any]) -> None:
        for name, value in single.items():
            state[name] = np.array(state[name])
            state[name][i] = value

    def one(self, state: dict[str, Any], i: int) -> dict[str, Array]:
        return {name: np.array(value[i]) for name, value in state.items()}

    def advance(self, state: dict[str, Any], current_pA: Array, light_nS: Array) -> dict[str, Any]:
        return self.step(self.constants, state, current_pA, light_nS)

    def column(self, state: dict[str, Any], name: str) -> Array:
        return np.asarray(state[name])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
