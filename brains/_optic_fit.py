"""The fit of the optic lobe to optic flow: what a fly's T4 and T5 must tell of how a scene drifts.

Time constants, resting potentials and one scale for each pair of types are found by gradient descent (Adam; the
gradient runs backwards through time by hand, `_optic_kernel.backward`) so that a linear read-out of the eight types
T4a-d, T5a-d gives the velocity at every column; a weak prior holds synapses onto one type alike. Nothing says which
type should prefer which direction: that is left to the wiring.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import bestiary
from bestiary.bodies._hex import NEIGHBOURS
from bestiary.brains import _optic_movies as movies
from bestiary.brains._optic_kernel import backward, forward
from bestiary.brains._optic_lobe import (
    DT_S,
    MOTION,
    RECEPTORS,
    Lobe,
    Parameters,
    Wiring,
    parameters,
    untrained,
    wiring,
)  # fmt: skip
from bestiary.brains._optic_probe import direction_table
from bestiary.envs._streams import stream

Array = np.ndarray[Any, np.dtype[Any]]

LANES = 16  # scenes in a step of the descent
SIDE = 12  # columns along each side of the torus
STEPS, SKIP, EVERY = 45, 15, 3  # of DT_S: 0.45 s a scene; every third step after the first 0.15 s is judged
JUDGED = slice(SKIP, None, EVERY)
UNIT = 8.0  # columns/s: the target is direction * sqrt(speed / UNIT)
ALIVE = 0.05  # mean v of a type that a penalty keeps it above: one that falls silent does not come back
PRIOR = 3e-5  # of the squared logarithm by which a pair's strength per synapse leaves that of its target's others
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


def _target(velocity: Array) -> Array:
    """(T, 2, lanes): direction * sqrt(speed / UNIT)."""
    speed = np.linalg.norm(velocity, axis=1, keepdims=True)
    return np.asarray(velocity / np.maximum(speed, 1e-9) * np.sqrt(speed / UNIT))


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
        call: Any = forward
        return call(v0.astype(f32), movie, self.is_input, *self.wires, weight, rest, blend, self.mask, LANES)

    def features(self, v: Array) -> tuple[Array, Array, Array, Array]:
        """(r, q, bottom, share) of v at the judged steps: activity, its mean over seven columns, sigma + mean over the
        types, and q / bottom; (t, 8, columns, LANES)."""
        r = np.maximum(v[1:][JUDGED, self.watched], 0).reshape(-1, len(MOTION), self.side**2, LANES)
        q = np.sum([r[:, :, to] for to in self.near], 0) / len(self.near)
        bottom = _SIGMA + q.mean(1, keepdims=True)
        return r, q, bottom, q / bottom

    def decoder(self, p: Parameters, rng: np.random.Generator, batches: int = 4) -> Array:
        """(2, 9): least squares (ridge) on some scenes: where the descent begins."""
        left, right = 1e-3 * np.eye(9), np.zeros((9, 2))
        for _ in range(batches):
            light, velocity = movies.scenes(rng, LANES, STEPS, self.side, DT_S)
            share = self.features(self.run(p, light))[3]
            x = np.moveaxis(share, 1, -1).reshape(-1, 8)
            x = np.hstack([x, np.ones((len(x), 1))])
            shape = (share.shape[0], share.shape[2], LANES)
            y = np.broadcast_to(_target(velocity)[JUDGED, :, None], (*shape[:1], 2, *shape[1:]))
            left += x.T @ x / len(x)
            right += x.T @ np.moveaxis(y, 1, -1).reshape(-1, 2) / len(x)
        return np.linalg.solve(left, right).T

    def loss(
        self, p: Parameters, decoder: Array, light: Array, velocity: Array, v0: Array | None = None
    ) -> tuple[float, dict[str, Array]]:
        """(mean error of the flow, gradients by log scale, log tau, rest and decoder).

        decoder (2, 9): flow = decoder @ (q / (sigma + mean q), 1), q the activity of T4 and T5 over seven columns.
        """
        v = self.run(p, light, v0)
        steps, types = len(v) - 1, v.shape[1]
        r, q, bottom, share = self.features(v)
        flow = np.einsum("dk,tkcb->tdcb", decoder[:, :8], share) + decoder[:, 8:, None]
        error = flow - _target(velocity)[JUDGED, :, None]
        size = np.sqrt((error**2).sum(1, keepdims=True) + 1e-4)
        value = float(size.mean())
        late = v[1:][JUDGED]
        mean = late.mean((0, 2, 3)) / np.maximum(self.density, 1e-9)  # of v, per type
        low, high = np.maximum(ALIVE - mean, 0), np.maximum(mean - 3, 0)
        total = value + 0.5 * float((low**2).sum()) + 0.02 * float((high**2).sum())
        e = error / size / size.size
        d_decoder = np.hstack([np.einsum("tdcb,tkcb->dk", e, share), e.sum((0, 2, 3))[:, None]])
        d_share = np.einsum("dk,tdcb->tkcb", decoder[:, :8], e)
        d_q = (d_share - (d_share * share).sum(1, keepdims=True) / q.shape[1]) / bottom
        d_r = np.zeros_like(r)
        for to in self.near:
            d_r[:, :, to] += d_q / len(self.near)
        slope = np.zeros((steps, len(MOTION), *v.shape[2:]), np.float32)
        slope[JUDGED] = (d_r * (r > 0)).reshape(-1, *slope.shape[1:])
        steady = np.zeros((steps, types), np.float32)
        steady[JUDGED] = (-low + 0.04 * high) / (late.size / types * np.maximum(self.density, 1e-9))
        weight, blend = p.weight(self.w), p.blend(DT_S)
        arrays = (weight.astype(np.float32), blend.astype(np.float32), self.mask, self.watched, steady, LANES)
        call: Any = backward
        d_weight, d_rest, d_blend = call(v, slope, *self.wires, *arrays)
        d_scale = np.bincount(self.w.pair, d_weight * weight, len(p.scale))
        d_tau = d_blend * -(1 - blend) * DT_S / p.tau_s  # by log tau
        return value, {"scale": d_scale, "tau_s": d_tau, "rest": d_rest, "decoder": d_decoder, "total": np.array(total)}


Found = tuple[Parameters, Array, list[dict[str, float]]]


def descend(
    w: Wiring,
    budget: int,
    seed: int,
    start: Parameters | None = None,
    decoder: Array | None = None,
    rate: float = 0.015,
    keep: Callable[[int, Found], None] | None = None,
) -> Found:
    """`budget` steps of gradient descent, each on LANES new scenes. (parameters, decoder (2, 9), log of the loss).

    keep: gets the step and what is found so far, every 20 steps.
    """
    flow, p = Flow(w), start or untrained(w)
    rng = stream(seed, "optic flow")
    decoder = flow.decoder(p, rng) if decoder is None else decoder
    alike = np.log(untrained(w).scale)
    x = {"scale": np.log(p.scale), "tau_s": np.log(p.tau_s), "rest": p.rest, "decoder": decoder}
    adam = {k: Adam.of(a, rate) for k, a in x.items()}
    log: list[dict[str, float]] = []
    smooth = np.nan
    for i in range(budget):
        light, velocity = movies.scenes(rng, LANES, STEPS, SIDE, DT_S)
        p = Parameters(np.exp(x["tau_s"]), x["rest"], np.exp(x["scale"]))
        value, g = flow.loss(p, x["decoder"], light, velocity)
        g["scale"] += 2 * PRIOR * (x["scale"] - alike)
        norm = {k: float(np.linalg.norm(g[k])) for k in x}
        if np.isfinite(sum(norm.values())):
            share = min(1.0, 2 * (1 - i / budget) + 0.05)  # the second half slows down
            for k in x:
                x[k] = adam[k].move(x[k], g[k] / max(1.0, norm[k]), share)
            smooth = value if np.isnan(smooth) else smooth + 0.05 * (value - smooth)
        else:  # a network that ran away: back towards silence
            x["scale"] = x["scale"] - 0.05
        x["tau_s"] = np.clip(x["tau_s"], *np.log(TAU_S))
        x["rest"] = np.clip(x["rest"], *REST)
        if i % 20 == 19 or i == budget - 1:
            log.append({"step": i + 1, "loss": float(smooth)})
            p = Parameters(np.exp(x["tau_s"]), x["rest"], np.exp(x["scale"]))
            if keep is not None:
                keep(i + 1, (p, x["decoder"], log))
    return p, x["decoder"], log


CONTROLS = {
    "offset-shuffle": "column offsets permuted among all rows: who reaches whom, how strongly, but not from where",
    "weight-shuffle": "synapse counts permuted among all rows",
}


def shuffled(w: Wiring, control: str | None, seed: int) -> Wiring:
    """The wiring, or one of CONTROLS of it. Raises LookupError."""
    if control is None:
        return w
    if control not in CONTROLS:
        raise LookupError(f"no control {control!r} of the optic lobe; {bestiary.nearest(control, CONTROLS, 'control')}")
    order = stream(seed, control).permutation(len(w.pre))
    return replace(w, offset=w.offset[order]) if control == "offset-shuffle" else replace(w, count=w.count[order])


def run(
    budget: int,
    seed: int,
    start: Any = None,
    control: str | None = None,
    control_seed: int = 0,
    keep: Callable[[dict[str, Any], int, float], None] | None = None,
) -> dict[str, Any]:
    """The stage `visual` of `bestiary fit fly`: the descent, then moving edges that it has not seen.

    start: a file of an earlier fit to go on from; None: `untrained`. keep: gets the result so far, step and loss.
    """
    w = shuffled(wiring(), control, control_seed)
    first = None if start is None else parameters(start)[0]
    began = time.process_time()

    def so_far(step: int, found: Found) -> None:
        if keep is not None:
            keep(described(w, found, np.ones(len(MOTION))), step, found[2][-1]["loss"])

    p, decoder, log = descend(w, budget, seed, first, keep=so_far)
    table = direction_table(Lobe(w, p, radius=8))
    result = described(w, (p, decoder, log), np.array([r["peak"] for r in table]))
    right = sum(r["off_by_deg"] < 30 for r in table)
    rows = [
        (r["type"], f"dsi {r['dsi']:.2f} to {r['direction_deg']:.0f} deg ({r['published_deg']:.0f})") for r in table
    ]
    summary = [*rows, ("within 30 deg of the published direction", f"{right} of {len(table)}")]
    return {**result, "directions": table, "summary": summary, "cpu_s": round(time.process_time() - began, 1)}


def described(w: Wiring, found: Found, peak: Array) -> dict[str, Any]:
    """parameters: each with value, unit, about, source and fitted_to; decoder, loss and log."""
    p, decoder, log = found
    task = "optic flow of generated natural-like scenes (`bestiary fit fly visual`)"

    def row(names: tuple[str, ...], value: Array, unit: str, about: str, source: str, fitted_to: str = task) -> Any:
        return {
            "value": {name: float(f"{x:.6g}") for name, x in zip(names, value, strict=True)},
            "unit": unit,
            "about": about,
            "source": source,
            "fitted_to": fitted_to,
        }

    lappalainen = "form of Lappalainen 2024 Nature 634:1132"
    return {
        "parameters": {
            "tau_s": row(w.types, p.tau_s, "s", "time constant of a type", f"{lappalainen}; begins at 50 ms"),
            "rest": row(w.types, p.rest, "1", "resting potential of a type, in units of light 0..1", lappalainen),
            "scale": row(w.pairs, p.scale, "1/synapse", "input per synapse and unit of activity", lappalainen),
            "edge_peak": row(
                MOTION, peak, "1", "peak activity above grey at the best moving edge: unit of motion energy",
                "computed on the fitted lobe", "",
            ),
        },
        "decoder": np.round(decoder, 4).tolist(),
        "fitted": ["tau_s", "rest", "scale"],
        "loss": log[-1]["loss"],
        "log": log[::5],
    }  # fmt: skip
