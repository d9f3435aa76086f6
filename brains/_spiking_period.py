"""One control period of a spiking part in one compiled call, which holds no lock of Python's: its Poisson input, then
the kernel."""

from __future__ import annotations

import functools
import math
from typing import Any

import numba
import numpy as np

from bestiary.brains._spiking_part import REFRACTORY_S, SLOW_HZ, SLOW_MV, TAU_S, THRESHOLD_MV

Array = np.ndarray[Any, np.dtype[Any]]


@numba.njit(cache=True)
def uniform(seed: Any, count: Any) -> Any:
    """Number `count` of the random stream `seed`, in (0, 1]: SplitMix64 (Steele et al. 2014, OOPSLA) by its counter."""
    z = np.uint64(seed) + np.uint64(count + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) + 1.0) * 2.0**-53


def guide(running: Array) -> Array:
    """(n,) int32: the first row whose `running` sum is above each of n equal parts of the whole, for `events`."""
    at = np.searchsorted(running, np.arange(running.size) * (running[-1:] / max(1, running.size)), side="right")
    return np.minimum(at, max(0, running.size - 1)).astype(np.int32)


@numba.njit(cache=True)
def events(running: Array, near: Array, steps: int, dt_s: float, seed: Any, count: int) -> tuple[Array, Array, int]:
    """(step, row) of each event, in order of time, of cells that fire as Poisson; numbers drawn so far.

    running (n,): sum of the rates (Hz) up to each cell. Together they are one Poisson process, and each event falls to
    a cell by its share. near: their `guide`, which spares most of the search; empty: there is none.
    """
    total = running[-1] if running.size else 0.0
    parts = near.size / total if total > 0 else 0.0
    step = np.empty(16, np.int32)
    row = np.empty(16, np.int32)
    m, at = 0, 0.0
    while total > 0:
        at -= math.log(uniform(seed, count)) / total
        if at >= steps * dt_s:
            break
        if m == step.size:
            step, row = np.append(step, step), np.append(row, row)
        step[m] = min(int(at / dt_s), steps - 1)
        share = (1.0 - uniform(seed, count + 1)) * total
        if near.size:
            r = near[min(int(share * parts), near.size - 1)]
            while r > 0 and running[r - 1] > share:
                r -= 1
            while running[r] <= share and r < running.size - 1:
                r += 1
            row[m] = r
        else:
            row[m] = np.searchsorted(running, share, side="right")
        count += 2
        m += 1
    return step[:m], row[:m], count + 1


@numba.njit  # no cache: it would keep the constants of another file when that is edited
def wanted(drive_mV: Array, rows: Array, factor: Array, rest_Hz: Array, plain: bool) -> tuple[Array, Array]:
    """(rows with a rate above 0, running sum of these rates in Hz): `rate_of` their drive, or plain, the drive itself
    (0 where it is negative), and rest_Hz."""
    on, running = np.empty_like(rows), np.empty(rows.size)
    m, total = 0, 0.0
    for k in range(rows.size):
        rate, mV = rest_Hz[k], float(drive_mV[rows[k]] * factor[k])
        if plain:
            rate += max(mV, 0.0)
        elif mV > SLOW_MV:
            rate += 1 / (REFRACTORY_S - TAU_S * math.log1p(-THRESHOLD_MV / mV))
        else:
            rate += SLOW_HZ * mV / SLOW_MV
        if rate > 0:
            total += rate
            on[m], running[m] = rows[k], total
            m += 1
    return on[:m], running[:m]


@functools.cache
def period(kernel: Any, counted: bool) -> Any:
    """`kernel` preceded by its input, compiled.

    drive (n,): mV, of the cells that steered (n,) is 1 for. receptors: cells whose drive is a rate, a factor of it, the
    rate (Hz) that it adds to, whether 1 mV is 1 Hz; their events are poisson_mV. background: cells, running sum of
    their rates, its `guide`, mV of theirs. out (2 + n,): takes how often each cell fired, from its third entry on.
    counted: whether the kernel writes that itself.
    """

    @numba.njit(nogil=True)
    def call(
        F: Array,
        I: Array,  # noqa: E741  # the current, as in the published model
        before: Any,
        after: Any,
        steps: int,
        dt_s: float,
        drive: Array,
        steered: Array,
        receptors: Any,
        poisson_mV: float,
        background: Any,
        seed: Any,
        flush: bool,
        out: Array,
    ) -> None:
        rows, running, near, kick_mV = background
        on, given = wanted(drive, *receptors)
        steady = drive * steered
        a_step, a_row, used = events(given, np.empty(0, np.int32), steps, dt_s, seed, 0)
        b_step, b_row, used = events(running, near, steps, dt_s, seed, used)
        size, first = a_step.size + b_step.size, I[0]
        at, weight = np.empty((2, size), np.int32), np.empty(size, np.float32)
        i = j = 0
        for m in range(size):
            if j == b_step.size or (i < a_step.size and a_step[i] <= b_step[j]):
                at[0, m], at[1, m], weight[m] = first + a_step[i], on[a_row[i]], poisson_mV
                i += 1
            else:
                at[0, m], at[1, m], weight[m] = first + b_step[j], rows[b_row[j]], kick_mV
                j += 1
        I[2] = 0
        if flush:  # denormal numbers would make the kernel ten times slower
            for r in range(F.shape[0]):
                for n in range(F.shape[1]):
                    F[r, n] = F[r, n] if abs(F[r, n]) >= np.float32(1e-25) else np.float32(0)
        trace, rate = np.empty((1, 0), np.float32), np.empty(0, np.uint32)
        ctl = np.array([steps, 0], np.int32)
        to = out if counted else np.empty(2 + 6 * F.shape[1], np.int32)  # the kernel stops before it is full
        while ctl[0] > 0:
            kernel(F, I, *before, ctl, rate, steady, at, weight, *after, F, I, to, trace)
            if not counted:
                for m in range(to[1]):
                    out[2 + to[3 + 2 * m]] += 1
            ctl[0] -= to[0]

    return call
