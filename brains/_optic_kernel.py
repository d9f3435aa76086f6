"""The optic lobe's arithmetic in numba: hexagonal convolutions of rectified activity, forwards and backwards.

`steps` runs a padded hexagon, one long stripe per cell type, so that an offset is one shift of the stripe.
`forward` and `backward` run a torus of columns with several movies side by side (lanes), and give the gradient of any
loss.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_MOST = np.float32(30)  # activity: a rewired lobe may run away, a fitted one stays below 5
_FAST = {"contract", "reassoc", "nsz", "arcp"}


@numba.njit(cache=True, fastmath=_FAST, nogil=True)
def _add(d: Array, s: Array, w: float) -> None:
    for k in range(len(d)):
        d[k] += w * s[k]


@numba.njit(cache=True, fastmath=_FAST, nogil=True)
def steps(
    n_steps: int,
    v: Array,
    first: int,
    last: int,
    ptr: Array,
    pre: Array,
    shift: Array,
    weight: Array,
    rest: Array,
    blend: Array,
    drive: Array,
    hears: Array,
    speaks: Array,
) -> Array:
    """v (types, stripe) after n_steps of v += blend (rest + drive + hears * sum w relu(v) - v); inputs untouched.

    first, last: the part of the stripe that holds columns. ptr, pre, shift, weight: for each target type (CSR), the
    source type, how far before the target its source lies in the stripe, and the weight. drive, hears, speaks (types,
    stripe): outer input; 0 where a neuron gets no synapses; 0 where it has no outputs or there is no neuron.
    """
    types, stripe = v.shape
    v = v.copy()
    r = np.empty_like(v)
    total = np.empty(stripe, np.float32)
    for _ in range(n_steps):
        for i in range(types):
            for p in range(first, last):
                r[i, p] = min(max(v[i, p], np.float32(0)), _MOST) * speaks[i, p]
            for p in range(first):
                r[i, p] = 0
            for p in range(last, stripe):
                r[i, p] = 0
        for i in range(types):
            total[:] = 0
            for k in range(ptr[i], ptr[i + 1]):
                _add(total[first:last], r[pre[k], first - shift[k] : last - shift[k]], weight[k])
            for p in range(first, last):
                v[i, p] += blend[i] * (rest[i] + drive[i, p] + hears[i, p] * total[p] - v[i, p])
    return v


@numba.njit(cache=True, fastmath=_FAST, nogil=True)
def _dot(a: Array, b: Array) -> Any:
    total = np.float32(0)
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@numba.njit(cache=True, fastmath=_FAST, nogil=True)
def _spread(w: float, source: Array, target: Array, du: int, dv: int, lanes: int) -> None:
    """target += w * source, moved by (du, dv) on a torus of side^2 columns; both (side, side * lanes)."""
    side, width = source.shape
    cut = width - dv * lanes
    for u in range(side):
        s, d = source[u], target[(u + du) % side]
        _add(d[width - cut :], s[:cut], w)
        _add(d[: width - cut], s[cut:], w)


@numba.njit(cache=True, fastmath=_FAST, nogil=True)
def forward(
    v0: Array, light: Array, is_input: Array, post: Array, pre: Array, du: Array, dv: Array, weight: Array,
    rest: Array, blend: Array, mask: Array, lanes: int,
) -> Array:  # fmt: skip
    """v (T + 1, types, side, side * lanes) of the movies light (T, side, side * lanes), from v0 (types,) everywhere.

    is_input (types,): whether a type gets the light. post, pre, du, dv, weight: for each offset; du and dv are 0 to
    side - 1. mask (types, side, side * lanes): 0 where a type has no neuron.
    """
    times, side, width = light.shape
    types = len(rest)
    v = np.zeros((times + 1, types, side, width), np.float32)
    r = np.empty((types, side, width), np.float32)
    y = np.empty((types, side, width), np.float32)
    for i in range(types):
        v[0, i] = v0[i] * mask[i]
    for t in range(times):
        for i in range(types):
            for u in range(side):
                for k in range(width):
                    r[i, u, k] = max(v[t, i, u, k], np.float32(0))
                    y[i, u, k] = rest[i]
                if is_input[i]:
                    for k in range(width):
                        y[i, u, k] += light[t, u, k]
        for o in range(len(post)):
            _spread(weight[o], r[pre[o]], y[post[o]], du[o], dv[o], lanes)
        for i in range(types):
            a = blend[i]
            for u in range(side):
                for k in range(width):
                    v[t + 1, i, u, k] = (v[t, i, u, k] + a * (y[i, u, k] - v[t, i, u, k])) * mask[i, u, k]
    return v


@numba.njit(cache=True, fastmath=_FAST, nogil=True)
def backward(
    v: Array, slope: Array, post: Array, pre: Array, du: Array, dv: Array, weight: Array, blend: Array, mask: Array,
    watched: Array, steady: Array, lanes: int,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Gradients by weight (offsets,), rest (types,) and blend (types,) of a loss, by hand through time.

    slope (T, watched types, side, side * lanes): d loss / d v at steps 1..T of the types `watched`. steady (T, types):
    a further slope, the same for every value of a type.
    """
    times = len(v) - 1
    types, side, width = v.shape[1:]
    d_weight, d_rest, d_blend = np.zeros(len(post)), np.zeros(types), np.zeros(types)
    lam = np.zeros((types, side, width), np.float32)
    g = np.empty_like(lam)
    dr = np.empty_like(lam)
    r = np.empty_like(lam)
    for back in range(times):
        t = times - 1 - back
        for n in range(len(watched)):
            lam[watched[n]] += slope[t, n]
        for i in range(types):
            a, even = blend[i], steady[t, i]
            sum_g = np.float32(0)
            sum_a = np.float32(0)
            for u in range(side):
                for k in range(width):
                    now = v[t, i, u, k]
                    r[i, u, k] = max(now, np.float32(0))
                    x = (lam[i, u, k] + even) * mask[i, u, k]
                    lam[i, u, k] = x
                    g[i, u, k] = x * a
                    sum_g += x * a
                    sum_a += x * (v[t + 1, i, u, k] - now)
                    dr[i, u, k] = 0
            d_rest[i] += sum_g
            d_blend[i] += sum_a / a
        for o in range(len(post)):
            w, source, down, up = weight[o], r[pre[o]], dr[pre[o]], g[post[o]]
            cut = width - dv[o] * lanes
            total = np.float32(0)
            for u in range(side):
                s, d, h = source[u], down[u], up[(u + du[o]) % side]
                _add(d[:cut], h[width - cut :], w)
                _add(d[cut:], h[: width - cut], w)
                total += _dot(h[width - cut :], s[:cut]) + _dot(h[: width - cut], s[cut:])
            d_weight[o] += total
        for i in range(types):
            keep = np.float32(1) - blend[i]
            for u in range(side):
                for k in range(width):
                    x = lam[i, u, k] * keep
                    if v[t, i, u, k] > 0:
                        x += dr[i, u, k]
                    lam[i, u, k] = x
    return d_weight, d_rest, d_blend
