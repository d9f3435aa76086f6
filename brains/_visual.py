"""The part `visual`: the optic lobes of both eyes, at 100 Hz, and their read-outs (`bestiary.brains._parts.Part`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from bestiary.bodies._hex import hexagons
from bestiary.brains._optic_lobe import DT_S, MOTION, RADIUS, RECEPTORS, Lobe, Parameters, Wiring, parameters, wiring
from bestiary.brains._optic_readouts import Readouts, readouts
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock
from bestiary.errors import BestiaryError, ConnectomeError

Array = np.ndarray[Any, np.dtype[Any]]

SIDES = ("L", "R")
SETTLING = 100  # steps: 1 s
_REST_MV, _UNIT_MV = -60.0, 20.0  # how v of a unit is shown as a voltage: the model itself has none


def type_table(w: Wiring | None = None) -> Connectome:
    """The 65 types and 2,140 column offsets as a table: what controls rewire. Counts are means over columns."""
    w = w or wiring()
    receptor = np.isin(w.types, RECEPTORS)
    return Connectome(
        ids=np.array(w.types),
        pre=w.pre,
        post=w.post,
        weight=w.count,
        sign=w.sign,
        types=np.array(w.types),
        kinds=np.where(receptor, "sensory", "inter"),
        sign_by=np.where(np.array(w.sign_source) == "", "assumed", "transmitter"),
        provenance="EM_population",
        source="flyvis fib25-fib19 v2.2 (Lappalainen 2024)",
    )


@lru_cache(2)
def _neurons(radius: int, names: tuple[str, ...], types: tuple[str, ...]) -> tuple[Connectome, Array]:
    """(neurons of both eyes, then read-outs; (units of one eye, 2) type row and column)."""
    w, axial = wiring(), hexagons(radius)
    unit = np.argwhere(w.has(axial))
    ids, kinds, sides, cells = [], [], [], []
    label = [f"{u}_{v}" for u, v in axial.tolist()]
    for side in SIDES:
        ids += [f"{w.types[i]}_{side}_{label[c]}" for i, c in unit.tolist()]
        kinds += ["sensory" if w.types[i] in RECEPTORS else "inter" for i in unit[:, 0].tolist()]
        cells += [w.types[i] for i in unit[:, 0].tolist()]
        sides += [side] * len(unit)
    for side in SIDES:
        ids += [_named(name, side) for name in names]
        kinds += ["readout"] * len(names)
        cells += types
        sides += [side] * len(names)
    none = np.empty(0, np.int32)
    table = Connectome(
        ids=np.array(ids), pre=none, post=none, weight=none, types=np.array(cells), kinds=np.array(kinds),
        sides=np.array(sides), source="flyvis columns of both eyes, with read-outs",
    )  # fmt: skip
    return table, unit


def _named(name: str, side: str) -> str:
    """`LC4_3` on the left is `LC4_L3`; `HSN`, `HSN_L`."""
    head, _, number = name.partition("_")
    return f"{head}_{side}{number}"


@dataclass(frozen=True, eq=False)
class Visual:
    """Both optic lobes. Its input is light on R1 to R8 (`lit`), in units of luminance; so is `drive_mV` for all units.

    table: the neurons, named TYPE_SIDE_u_v, and read-outs (`LC4_L1`, `HSE_R`, ...). lobes: left, right.
    grey (2, 8, columns), peak (8,): activity of T4 and T5 in grey, and above it at the best edge: motion energy 1.
    adapt_s: photoreceptors divide by the mean light of their eye over so long (Weber's law); 0 takes light as it is.
    """

    table: Connectome
    lobes: tuple[Lobe, Lobe]
    readouts: Readouts
    peak: Array
    every: int
    steps: int
    adapt_s: float = 1.0
    quiet: Array = field(default_factory=lambda: np.empty(0, int))  # rows of read-outs that say nothing
    grey: Array = field(init=False)
    receptors: Array = field(init=False)  # (2, columns, 8) rows of the table
    _unit: Array = field(init=False)  # place of each unit in the flattened v of its eye
    _start: Array = field(init=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        lobe = self.lobes[0]
        _, unit = _neurons(lobe.radius, self.readouts.names, self.readouts.types)
        put(self, "_unit", unit[:, 0] * lobe.shape[1] + lobe.place[unit[:, 1]])
        same = self.lobes[0] is self.lobes[1]
        start = np.stack([lobe.start(0.5)] * 2 if same else [each.start(0.5) for each in self.lobes])
        put(self, "_start", start)
        put(self, "grey", self._motion(start))
        at = np.full((len(lobe.wiring.types), len(lobe.axial)), -1)
        at[unit[:, 0], unit[:, 1]] = np.arange(len(unit))
        eye = at[[lobe.wiring.row(name) for name in RECEPTORS]].T
        put(self, "receptors", np.stack([eye, eye + len(unit)]))

    @property
    def provenance(self) -> dict[str, int]:
        """Rows of what this part is built on, by tag: column offsets of the table, and pools of the read-outs."""
        return {**type_table().provenance.counts(), "functional_fit": 2 * len(self.readouts.names)}

    def lit(self, luminance: Array) -> Array:
        """Drive (n,) float32 of what the eyes see, luminance (2, 721) 0..1: the encoder of this part.

        Raises BestiaryError for another shape."""
        if np.shape(luminance) != self.receptors.shape[:2]:
            raise BestiaryError(
                f"luminance is {self.receptors.shape[:2]}, an ommatidium a column; got {np.shape(luminance)}"
            )
        drive = np.zeros(len(self.table), np.float32)
        drive[self.receptors] = np.asarray(luminance, np.float32)[..., None]
        return drive

    def init(self, seed: int) -> dict[str, Any]:
        """In even grey light; nothing here is random."""
        v = self._start.copy()
        return {"v": v, "tick": 0, "light": np.zeros(2, np.float32), "rate": self._rates(v)}

    def advance(self, state: dict[str, Any], drive_mV: Array) -> dict[str, Any]:
        """One control period; the lobes move on at the first of every `every` and hold in between.

        In the first of all they settle on what is seen: eyes that open are not a flash."""
        tick = state["tick"]
        if tick % self.every:
            return {**state, "tick": tick + 1}
        m = len(self._unit)
        light = state["light"].copy()
        v = np.empty_like(state["v"])
        for e, lobe in enumerate(self.lobes):
            drive = np.zeros(lobe.shape, np.float32)
            flat = drive.reshape(-1)
            flat[self._unit] = drive_mV[e * m : (e + 1) * m]
            if self.adapt_s:
                eye = self._receptor_units
                mean = float(flat[eye].mean())
                blend = 1.0 if not tick else -np.expm1(-lobe.dt_s * self.steps / self.adapt_s)
                light[e] += blend * (mean - light[e])
                flat[eye] = np.clip(flat[eye] * (0.5 / max(float(light[e]), 1e-3)), 0, 1)
            v[e] = lobe.advance(state["v"][e], drive, self.steps if tick else SETTLING)
        return {"v": v, "tick": tick + 1, "light": light, "rate": self._rates(v)}

    @property
    def _receptor_units(self) -> Array:
        return self._unit[self.receptors[0].ravel()]

    def energy(self, v: Array) -> Array:
        """Motion energy (2, 8, columns) of v: activity of T4a-d and T5a-d above that in grey, 1 at the best edge."""
        return np.asarray(np.maximum(self._motion(v) - self.grey, 0) / self.peak[:, None], np.float32)

    def _motion(self, v: Array) -> Array:
        """relu of T4a-d, T5a-d, (2, 8, columns), as others hear them: 0 of silenced ones."""
        rows = [self.lobes[0].wiring.row(name) for name in MOTION]
        heard = np.stack([lobe.speaks[rows] for lobe in self.lobes])
        return np.maximum(v[:, rows][:, :, self.lobes[0].place], 0) * heard

    def _rates(self, v: Array) -> Array:
        units = np.maximum(v.reshape(2, -1)[:, self._unit], 0)
        out = np.concatenate([units.ravel(), self.readouts.rate_Hz(self.energy(v)).ravel()])
        out[self.quiet] = 0
        return out

    def rate_Hz(self, state: dict[str, Any]) -> Array:
        """(n,): of units their activity, relu(v), which has no unit; of read-outs Hz."""
        return state["rate"]

    def voltage_mV(self, state: dict[str, Any]) -> Array:
        units = state["v"].reshape(2, -1)[:, self._unit].ravel()
        read = state["rate"][len(units) :] / 100
        return (_REST_MV + _UNIT_MV * np.concatenate([units, read])).astype(np.float32)

    def cut(self, lesioned: Array, silenced: Array) -> Visual:
        """Without these neurons (rows), and without the outputs of those. Each neuron has one column: cut all of a type
        by its name."""
        n, m = len(self.table), len(self._unit)
        gone = np.zeros((2, n), bool)
        gone[0, np.asarray(lesioned, int)] = True
        gone[1, np.asarray(lesioned, int)] = gone[1, np.asarray(silenced, int)] = True
        lobes = []
        for e, lobe in enumerate(self.lobes):
            stripes = np.zeros((2, *lobe.shape), bool)
            stripes.reshape(2, -1)[:, self._unit] = gone[:, e * m : (e + 1) * m]
            lobes.append(lobe.muted(*stripes[:, :, lobe.place]))
        quiet = np.flatnonzero(gone[1, 2 * m :]) + 2 * m
        return replace(self, lobes=(lobes[0], lobes[1]), quiet=np.union1d(self.quiet, quiet).astype(int))

    def rewired(self, rewire: Callable[[Connectome], Connectome]) -> Visual:
        """The same on another wiring of its types: `rewire` gets `type_table`. Offsets and scales stay with their rows.

        Raises ConnectomeError where rows were added or taken away."""
        w = self.lobes[0].wiring
        table = rewire(type_table(w))
        if table.n_edges != len(w.pre):
            raise ConnectomeError(f"the optic lobe keeps its {len(w.pre)} rows when it is rewired, got {table.n_edges}")
        other = replace(w, pre=table.pre, post=table.post, count=table.weight.astype(float), sign=table.sign)
        left, right = self.lobes
        first = left.rewired(other)
        return replace(self, lobes=(first, first if right is left else right.rewired(other)))


def build(clock: Clock, given: Any = None, peak: Array | None = None, adapt_s: float = 1.0) -> Visual:
    """The part for a clock. given: Parameters, or a file of `bestiary fit fly`; None: the shipped ones.

    peak (8,): motion energy's unit; None: that of the parameter file. Raises BestiaryError for a control period that is
    no whole part or multiple of 10 ms."""
    p, found = (given, None) if isinstance(given, Parameters) else parameters(given)
    peak = np.asarray(found if peak is None else peak, np.float32)
    ratio = clock.control_s / DT_S
    every, steps = max(1, round(1 / ratio)), max(1, round(ratio))
    if abs(steps / every - ratio) > 1e-6 * ratio:
        raise BestiaryError(
            f"the optic lobe moves in steps of {DT_S} s, got a control period of {clock.control} s; "
            "0.002, 0.005 or 0.01 fit"
        )
    lobe = Lobe(wiring(), p)
    read = readouts(hexagons(RADIUS))
    table, _ = _neurons(RADIUS, read.names, read.types)
    return Visual(table, (lobe, lobe), read, np.maximum(peak, 1e-6), every, steps, adapt_s)
