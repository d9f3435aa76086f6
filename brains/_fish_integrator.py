"""The oculomotor integrator of the hindbrain, from its measured wiring: it holds the eyes where a saccade put them.

Vishwanathan et al. 2024 (Nat Neurosci 27:2443): cells of one (the right) hindbrain, traced in EM. Their model, derived
here anew: tau dr/dt = -r + W r + input, W = synapses over all inputs of the cell, DO (vestibular, inhibitory) negative,
axons without a soma left out, motor cells without outputs; W is scaled so that its lead eigenvalue is `lead`, which
makes the effective time constant tau / (1 - lead). The scaling is a fit, the pattern is measured. The left side is the
right one's mirror image, tagged so. Without the data (no licence: the user fetches it) four populations a side stand
in for the cells, with the ratios that the wiring model gave: a fit, and tagged as one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse

from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock
from bestiary.errors import ConnectomeError, DataError

Array = np.ndarray[Any, np.dtype[Any]]

TYPES = {"Int": "VPNI", "DOs": "DO", "DO": "DO", "Vest": "DO", "ABD_m": "ABDm", "ABDm": "ABDm", "ABD_i": "ABDi"}
TYPES |= {"ABDi": "ABDi", "vSPNs": "vSPN", "vSPN": "vSPN", "Axl": "Axl"}
SILENT = ("ABDm", "ABDi", "vSPN")  # their outputs leave the integrator
TAU_S, LEAD = 0.1, 0.99  # time constant of a cell, eigenvalue: 10 s together (Z27; Chen 2016)
SLOPES = {"VPNI": 1.0, "ABDm": 1.05, "ABDi": 3.53, "DO": 0.30}  # what the wiring model gives (validation, Z26)
DATA = "zebrafish-hindbrain"
UNIT_MV, UNIT_HZ = 20.0, 20.0  # of input, and of activity, that count as 1
STRIDE = 5  # control periods in one step of rates
BASE_HZ = 40.0  # around which spiking cells go up and down: their model is linear


def square(matrix: Any, cells: Any, what: str) -> Array:
    """The matrix (row = target, column = source) as float64. Raises ConnectomeError where it cannot be one."""
    array = np.asarray(matrix)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ConnectomeError(f"{what} must be square, target x source; got shape {array.shape}")
    if len(array) != len(cells):
        raise ConnectomeError(f"{what} is {array.shape} and {len(cells)} cells are named: one row and column each")
    if array.dtype.kind not in "fiub":
        raise ConnectomeError(f"{what} must hold numbers, got {array.dtype}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ConnectomeError(f"{what} is not finite at row {row}, column {column}: {array[row, column]}")
    if (array < 0).any():
        row, column = np.argwhere(array < 0)[0]
        raise ConnectomeError(f"{what} counts synapses and is negative at row {row}, column {column}; signs are apart")
    return array


def integrator_table(matrix: Any, cells: Any, types: Any, inputs: Any, mirror: bool = True) -> Connectome:
    """The centre as a table: weight = synapses / all inputs of the target.

    matrix (n, n): synapses, row = postsynaptic, column = presynaptic. cells: ids. types: as published (`Int`, `Axl`,
    `DOs`, `ABD_m`, `ABD_i`, `vSPNs`). inputs (n,): synapses onto each cell from anywhere. Raises ConnectomeError for a
    matrix that is not square, not finite, transposed (motor cells then have outputs and no inputs) or has more inputs
    from inside than in all, and for types that are not known.
    """
    counts = square(matrix, cells, "the synapse matrix")
    unknown = sorted({str(t) for t in types} - set(TYPES))
    if unknown:
        raise ConnectomeError(f"unknown type of cell {unknown[0]!r}; there are: {', '.join(sorted(TYPES))}")
    kind = np.array([TYPES[str(t)] for t in types])
    total = np.asarray(inputs, float)
    if total.shape != (len(kind),) or not (np.isfinite(total) & (total >= 0)).all():
        raise ConnectomeError(f"inputs must be {len(kind)} finite numbers of 0 or more, got shape {total.shape}")
    motor = np.isin(kind, SILENT)
    if motor.any() and counts[:, motor].sum() > counts[motor].sum():
        raise ConnectomeError("motor cells have more outputs than inputs: rows are targets and columns sources; "
                              "the matrix seems transposed, give matrix.T")  # fmt: skip
    over = counts.sum(1) > total
    if over.any():
        raise ConnectomeError(f"cell {np.asarray(cells)[over][0]} has {counts.sum(1)[over][0]:g} synapses from inside "
                              f"and {total[over][0]:g} in all: are rows the targets?")  # fmt: skip
    counts[:, motor] = 0
    keep = np.flatnonzero(kind != "Axl")
    counts = counts[np.ix_(keep, keep)] / np.maximum(total[keep], 1)[:, None]
    kind, names = kind[keep], [str(c) for c in np.asarray(cells)[keep].tolist()]
    post, pre = np.nonzero(counts)
    value = counts[post, pre]
    n, sides = len(kind), "RL" if mirror else "R"
    return Connectome(
        ids=np.array([f"{k}_{c}_{s}" for s in sides for k, c in zip(kind, names, strict=True)]),
        types=np.tile(kind, len(sides)),
        kinds=np.tile(np.where(np.isin(kind, SILENT), "motor", "inter"), len(sides)),
        sides=np.repeat(list(sides), n),
        pre=np.concatenate([pre + n * i for i in range(len(sides))]),
        post=np.concatenate([post + n * i for i in range(len(sides))]),
        weight=np.tile(value, len(sides)),
        sign=np.tile(np.where(kind[pre] == "DO", -1, 1), len(sides)).astype(np.int8),
        sign_by="transmitter",
        provenance=np.repeat(["EM_cell", "EM_mirrored"][: len(sides)], len(pre)),
        source="Vishwanathan 2024 Nat Neurosci 27:2443, centre of the right hindbrain, left side mirrored",
    )


@lru_cache(1)
def measured() -> Connectome:
    """The published 609-cell centre. Raises DataError where the user has not fetched it."""
    from scipy.io import loadmat

    from bestiary.assets import registry

    def load(file: str, key: str) -> Array:
        return np.asarray(loadmat(registry.path(DATA, f"{file}.mat"))[key])

    name = "CO_top500_2blocks_gamma038_08062020"
    matrix = load(f"ConnMatrix_{name}", f"ConnMat_{name}")
    cells = load(f"MatOrder_{name}", f"MatOrder_{name}").ravel()
    types = [str(t).strip().strip("_") for t in load(f"cellIDType_{name}", f"cellIDType_{name}").ravel()]
    inputs = load(f"totalInputs_{name}", f"totalInputs_{name}").ravel()
    return integrator_table(matrix, cells, types, inputs)


def stand_in() -> Connectome:
    """Four populations a side with the slopes of the wiring model: what ships."""
    kind, pre, post, weight = list(SLOPES), [], [], []
    for s in range(2):
        for i, k in enumerate(kind):
            pre.append(4 * s)
            post.append(4 * s + i)
            weight.append(SLOPES[k])
    return Connectome(
        ids=np.array([f"{k}_{s}" for s in "RL" for k in kind]),
        types=np.array(kind * 2),
        kinds=np.array(["inter", "motor", "motor", "inter"] * 2),
        sides=np.repeat(["R", "L"], 4),
        pre=np.array(pre),
        post=np.array(post),
        weight=np.array(weight),
        provenance="functional_fit",
        source="four populations with the slopes of Vishwanathan 2024's wiring model (the data is not here)",
    )


def weights(table: Connectome, lead: float = LEAD) -> scipy.sparse.csr_array:
    """W (n, n), target x source, scaled so that the largest real part of its eigenvalues is `lead`."""
    size = (len(table), len(table))
    w = scipy.sparse.csr_array((table.weight * table.sign, (table.post, table.pre)), shape=size)
    largest = 0.0
    for side in np.unique(table.sides):
        rows = np.flatnonzero(table.sides == side)
        largest = max(largest, float(np.linalg.eigvals(w[rows][:, rows].toarray()).real.max()))
    if not largest > 1e-9:  # a rewired one may have no loop: it holds nothing, and no scale makes it
        return scipy.sparse.csr_array(w)
    return scipy.sparse.csr_array(w * (lead / largest))


def slopes(table: Connectome, lead: float = LEAD) -> dict[str, float]:
    """Mean activity of each type in the mode that is held, per that of VPNI, of the right side."""
    rows = np.flatnonzero(table.sides == "R")
    w = weights(table, lead)[rows][:, rows].toarray()
    value, vector = np.linalg.eig(w)
    held = vector[:, value.real.argmax()].real
    types = table.types[rows]
    mean = {k: float(held[types == k].mean()) for k in ("VPNI", "ABDm", "ABDi", "DO")}
    return {k: v / mean["VPNI"] for k, v in mean.items()}


@dataclass(frozen=True, eq=False)
class Integrator:
    """`bestiary.brains._parts.Part`: rates, or with `spiking` Poisson cells whose synapses are the memory."""

    table: Connectome
    clock: Clock
    spiking: bool = False
    tau_s: float = TAU_S
    lead: float = LEAD
    lesioned: tuple[int, ...] = ()
    silenced: tuple[int, ...] = ()
    _w: Any = field(init=False)
    _heard: Array = field(init=False)
    _alive: Array = field(init=False)

    def __post_init__(self) -> None:
        alive = np.ones(len(self.table), np.float32)
        alive[list(self.lesioned)] = 0
        heard = alive.copy()
        heard[list(self.silenced)] = 0
        put = object.__setattr__
        put(self, "_w", weights(self.table, self.lead).astype(np.float32))
        put(self, "_alive", alive)
        put(self, "_heard", heard)

    def init(self, seed: int) -> dict[str, Any]:
        n = len(self.table)
        still = np.zeros(n, np.float32)
        return {"r": still, "out": still.copy(), "drive": still.copy(), "count": np.array([seed, 0], np.uint64)}

    def advance(self, state: dict[str, Any], drive_mV: Array) -> dict[str, Any]:
        """Rates gather their drive over STRIDE periods, then make one step: cells are slower than that."""
        each = 1 if self.spiking else STRIDE
        dt = self.clock.control_s * each
        count, drive = state["count"] + np.array([0, 1], np.uint64), state["drive"] + drive_mV
        if int(count[1]) % each:
            return {**state, "count": count, "drive": drive}
        blend = np.float32(-np.expm1(-dt / self.tau_s))
        r = state["r"] + blend * (self._w @ (state["out"] * self._heard) + drive / (UNIT_MV * each) - state["r"])
        r = (r * self._alive).astype(np.float32)
        out = r
        if self.spiking:
            rng = np.random.Generator(np.random.Philox(key=count))
            out = (rng.poisson(np.maximum(BASE_HZ + UNIT_HZ * r, 0) * dt) / dt - BASE_HZ) / UNIT_HZ
        return {"r": r, "out": np.asarray(out, np.float32), "count": count, "drive": np.zeros_like(drive)}

    def rate_Hz(self, state: dict[str, Any]) -> Array:
        """Activity above and below rest, 1 shown as 20 Hz: what the eye muscles on two sides subtract."""
        return np.asarray(UNIT_HZ * state["out"] * self._heard, np.float32)

    def voltage_mV(self, state: dict[str, Any]) -> Array:
        return np.asarray(-60 + 10 * np.tanh(state["r"]), np.float32)

    def cut(self, lesioned: Array, silenced: Array) -> Integrator:
        return replace(self, lesioned=(*self.lesioned, *map(int, lesioned)),
                       silenced=(*self.silenced, *map(int, silenced)))  # fmt: skip

    def rewired(self, rewire: Callable[[Connectome], Connectome]) -> Integrator:
        return replace(self, table=rewire(self.table))


def integrator(clock: Clock, spiking: bool = False) -> Integrator:
    """On the measured wiring where it is found, else on the stand-in."""
    try:
        table = measured()
    except DataError:
        table = stand_in()
    return Integrator(table, clock, spiking)
