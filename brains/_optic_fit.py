"""The fit of the optic lobe to optic flow: what a fly's T4 and T5 must tell of how a scene drifts.

Time constants, resting potentials and one scale for each pair of types are found by gradient descent (Adam; the
gradient runs backwards through time by hand, `_optic_kernel.backward`) so that a linear read-out of the eight types
T4a-d, T5a-d gives the velocity at every column. Nothing says which type should prefer which direction: that is
left to the wiring.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bestiary.bodies._hex import NEIGHBOURS
from bestiary.brains import _optic_movies as movies
from bestiary.brains._optic_kernel import backward, forward
from bestiary.brains._optic_lobe import DT_S, MOTION, RECEPTORS, Parameters, Wiring, untrained
from bestiary.envs._streams import stream

Array = np.ndarray[Any, np.dtype[Any]]

LANES = 16  # scenes in a step of the descent
SIDE = 12  # columns along each side of the torus
STEPS, SKIP = 45, 15  # of DT_S: a scene lasts 0.45 s, and its first 0.15 s are not judged
UNIT = 8.0  # columns/s: the target is direction * sqrt(speed / UNIT)
TAU_S = (0.012, 0.5)
REST = (-2.0, 4.0)
_SIGMA = 0.05  # activity at which the decoder's normalisation sets in


@dataclass
class Adam:
    """Kingma & Ba 2015. `move` takes x a step down the gradient g."""

    rate: float
    m: Array
    s: Array
    t: int = 0

    @classmethod
    def of(cls, x: Array, rate: float) -> Adam:
        return cls(rate, np.zeros_like(x), np.zeros_like(x))

    def move(self, x: Array, g: Array, share: float = 1.0) -> Array:
        self.t += 1
        self.m += 0.1 * (g - self.m)
        self.s += 0.01 * (g * g - self.s)
        step = self.m / (1 - 0.9**self.t) / (np.sqrt(self.s / (1 - 0.99**self.t)) + 1e-8)
        return np.asarray(x - share * self.rate * step)


class Flow:
    """The loss of the optic-flow task over a wiring, and its gradient."""

    def __init__(self, w: Wiring, side: int = SIDE) -> None:
        self.w, self.side = w, side
        there = w.has(movies.torus(side)).astype(np.float32)
        self.density = there.mean(1)
        self.mask = np.repeat(there.reshape(-1, side, side), LANES, 2)
        self.watched = np.array([w.row(name) for name in MOTION])
        self.is_input = np.isin(w.types, RECEPTORS)
        self.near = movies.hops(side, np.vstack([[0, 0], NEIGHBOURS]))  # (7, columns)
        shift = (w.offset % side).astype(np.int32)
        self.wires = (w.post.astype(np.int32), w.pre.astype(np.int32), *np.ascontiguousarray(shift.T))

    def even(self, p: Parameters, light: float = 0.5) -> Array:
        """v (65,) in an even light, where every type is the same everywhere."""
        n = len(p.rest)
        matrix = np.zeros((n, n))
        np.add.at(matrix, (self.w.post, self.w.pre), p.weight(self.w) * self.density[self.w.pre])
        v = p.rest.copy()
        for _ in range(300):
            v = v + p.blend(0.02) * (p.rest + light * self.is_input + matrix @ np.maximum(v, 0) - v)
            v = np.clip(v, -50, 50)
        return v

    def run(self, p: Parameters, light: Array, v0: Array | None = None) -> Array:
        """v (T + 1, types, side, side * LANES) of movies (T, columns, LANES), from v0 (types,) or an even light."""
        f32, side = np.float32, self.side
        v0 = self.even(p, float(light[0].mean())) if v0 is None else v0
        weight, rest, blend = p.weight(self.w).astype(f32), p.rest.astype(f32), p.blend(DT_S).astype(f32)
        movie = light.reshape(-1, side, side * LANES)
        return forward(v0.astype(f32), movie, self.is_input, *self.wires, weight, rest, blend, self.mask, LANES)  # type: ignore[no-any-return]

    def loss(
        self, p: Parameters, decoder: Array, light: Array, velocity: Array, v0: Array | None = None
    ) -> tuple[float, dict[str, Array]]:
        """(mean error of the flow, gradients by log scale, log tau, rest and decoder).

        decoder (2, 8): flow = decoder @ q / (sigma + mean q), q the activity of T4 and T5 over seven columns.
        """
        v = self.run(p, light, v0)
        steps, types = len(v) - 1, v.shape[1]
        r = np.maximum(v[1 + SKIP :, self.watched], 0).reshape(steps - SKIP, len(MOTION), -1, LANES)
        q = sum(r[:, :, to] for to in self.near) / len(self.near)
        bottom = _SIGMA + q.mean(1, keepdims=True)
        top = np.einsum("dk,tkcb->tdcb", decoder, q)
        speed = np.linalg.norm(velocity, axis=1, keepdims=True)
        target = velocity / np.maximum(speed, 1e-9) * np.sqrt(speed / UNIT)
        error = top / bottom - target[SKIP:, :, None, :]
        size = np.sqrt((error**2).sum(1, keepdims=True) + 1e-4)
        value = float(size.mean())
        late = v[1 + SKIP :]
        mean = late.mean((0, 2, 3)) / np.maximum(self.density, 1e-9)  # of v, per type
        low, high = np.maximum(0.05 - mean, 0), np.maximum(mean - 3, 0)
        total = value + 0.1 * float((low**2).sum()) + 0.02 * float((high**2).sum())
        e = error / size / size.size
        d_top = e / bottom
        d_bottom = -(e * top).sum(1, keepdims=True) / bottom**2
        d_decoder = np.einsum("tdcb,tkcb->dk", d_top, q)
        d_q = np.einsum("dk,tdcb->tkcb", decoder, d_top) + d_bottom / q.shape[1]
        d_r = np.zeros_like(r)
        for to in self.near:
            d_r[:, :, to] += d_q / len(self.near)
        slope = np.zeros((steps, len(MOTION), *v.shape[2:]), np.float32)
        slope[SKIP:] = (d_r * (r > 0)).reshape(-1, *slope.shape[1:])
        steady = np.zeros((steps, types), np.float32)
        steady[SKIP:] = (-0.2 * low + 0.04 * high) / (late.size / types * np.maximum(self.density, 1e-9))
        weight, blend = p.weight(self.w), p.blend(DT_S)
        arrays = (weight.astype(np.float32), blend.astype(np.float32), self.mask, self.watched, steady, LANES)
        d_weight, d_rest, d_blend = backward(v, slope, *self.wires, *arrays)
        d_scale = np.bincount(self.w.pair, d_weight * weight, len(p.scale))
        d_tau = d_blend * -(1 - blend) * DT_S / p.tau_s  # by log tau
        return value, {"scale": d_scale, "tau_s": d_tau, "rest": d_rest, "decoder": d_decoder, "total": np.array(total)}


def descend(
    w: Wiring,
    budget: int,
    seed: int,
    start: Parameters | None = None,
    decoder: Array | None = None,
    rate: float = 0.01,
    seconds: float = float("inf"),
    progress: Callable[[int, int, float], None] | None = None,
) -> tuple[Parameters, Array, list[dict[str, float]]]:
    """`budget` steps of gradient descent, each on LANES new scenes. (parameters, decoder (2, 8), log)."""
    flow, p = Flow(w), start or untrained(w)
    rng = stream(seed, "optic flow")
    decoder = 0.1 * rng.standard_normal((2, len(MOTION))) if decoder is None else decoder
    x = {"scale": np.log(p.scale), "tau_s": np.log(p.tau_s), "rest": p.rest, "decoder": decoder}
    adam = {k: Adam.of(a, rate) for k, a in x.items()}
    log: list[dict[str, float]] = []
    smooth, began = np.nan, time.perf_counter()
    for i in range(budget):
        light, velocity = movies.scenes(rng, LANES, STEPS, SIDE, DT_S)
        p = Parameters(np.exp(x["tau_s"]), x["rest"], np.exp(x["scale"]))
        value, g = flow.loss(p, x["decoder"], light, velocity)
        norm = np.sqrt(sum(float((g[k] ** 2).sum()) for k in x))
        if np.isfinite(norm):
            share = min(1.0, 2 * (1 - i / budget) + 0.05)  # the last half slows down
            for k in x:
                x[k] = adam[k].move(x[k], g[k] / max(1.0, norm), share)
        else:  # a network that ran away: back towards silence
            x["scale"] = x["scale"] - 0.05
        x["tau_s"] = np.clip(x["tau_s"], *np.log(TAU_S))
        x["rest"] = np.clip(x["rest"], *REST)
        smooth = value if np.isnan(smooth) else smooth + 0.02 * (value - smooth)
        if i % 20 == 0 or i == budget - 1:
            log.append({"step": i + 1, "loss": float(smooth), "seconds": time.perf_counter() - began})
            if progress is not None:
                progress(i + 1, budget, float(smooth))
        if time.perf_counter() - began > seconds:
            break
    return replace(p, tau_s=np.exp(x["tau_s"]), rest=x["rest"], scale=np.exp(x["scale"])), x["decoder"], log
