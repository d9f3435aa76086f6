"""`mushroom-body`: projection neurons, Kenyon cells, APL, output and dopamine neurons of the hemibrain (real counts).

What the wiring gives: which projection neurons each Kenyon cell samples and with how many synapses, who drives and
whom quiets APL, which Kenyon cells and which dopamine neurons meet at each output neuron. Fitted: two gains and the
threshold of Kenyon cells, to the share of them that answers an odour. Axo-axonic synapses among Kenyon cells (638
thousand of unknown effect) are left out.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

import bestiary
from bestiary.brains._hemibrain import hemibrain, part_of
from bestiary.brains._parameters import parameters
from bestiary.brains._rate_part import RatePart
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock

Array = np.ndarray[Any, np.dtype[Any]]

ANSWERS_HZ = 5.0  # a Kenyon cell answers above this rate, a twentieth of the highest
# Glomeruli that an odour drives: cider vinegar (Semmelhack & Wang 2009 Nature 459:218), geosmin (Stensmyr 2012 Cell
# 151:1345), CO2 (Suh 2004 Nature 431:854). Shares of the highest rate are ours.
ODOURS: dict[str, dict[str, float]] = {
    "vinegar": {"DM1": 0.8, "VA2": 0.8, "DM4": 0.6, "DM2": 0.5, "DC1": 0.4, "DP1m": 0.5},
    "geosmin": {"DA2": 0.9},
    "co2": {"V": 0.9},
}


@dataclass(frozen=True, eq=False)
class MushroomBody(RatePart):
    """A RatePart with odours, and with dopamine that depresses the synapses of active Kenyon cells onto the output
    neurons it reaches (Hige 2015 Neuron 88:985) at learning_per_s."""

    learning_per_s: float = 0.0

    @functools.cached_property
    def kenyon(self) -> Array:
        """Rows of the Kenyon cells."""
        return np.flatnonzero(np.char.startswith(self.table.types, "KC"))

    @functools.cached_property
    def _plastic(self) -> tuple[Array, Array, Array, scipy.sparse.csr_array]:
        """(places in the weights' data of KC -> MBON synapses, their KC, their MBON, dopamine reach (n, n))."""
        w, types = self._weight, self.table.types
        target = np.repeat(np.arange(w.shape[0]), np.diff(w.indptr))
        at = np.flatnonzero(np.char.startswith(types[target], "MBON") & np.char.startswith(types[w.indices], "KC"))
        counts = scipy.sparse.csr_array(self.table.matrix("chemical", signed=False).T, dtype=np.float32)
        dopamine = np.char.startswith(types, "PAM") | np.char.startswith(types, "PPL1")
        reach = counts @ scipy.sparse.diags_array(dopamine.astype(np.float32))
        total = np.maximum(np.asarray(reach.sum(1)).ravel(), 1)
        return at, w.indices[at], target[at], scipy.sparse.csr_array(scipy.sparse.diags_array(1 / total) @ reach)

    def init(self, seed: int) -> dict[str, Any]:
        state = super().init(seed)
        return state | {"kept": np.ones(len(self._plastic[0]), np.float32)} if self.learning_per_s else state

    def advance(self, state: dict[str, Any], drive_mV: Array) -> dict[str, Any]:
        if not self.learning_per_s:
            return super().advance(state, drive_mV)
        at, kenyon, output, reach = self._plastic
        kept, r = state["kept"], state["r"]
        weight = self._weight.copy()
        weight.data[at] *= kept
        new = RatePart.advance(_with_weight(self, weight), state, drive_mV)
        change = self.learning_per_s * self.clock.control_s * r[kenyon] * (reach @ r)[output]
        return new | {"kept": (kept * np.exp(-change)).astype(np.float32)}

    def odour_drive(self, levels: Mapping[str, float]) -> Array:
        """(n,) mV into projection neurons for odours at 0 to 1. Raises LookupError for one that is not known."""
        drive = np.zeros(len(self.table), np.float32)
        for name, level in levels.items():
            if name not in ODOURS:
                raise LookupError(f"no odour {name!r}; {bestiary.nearest(name, ODOURS, 'odour')}")
            for glomerulus, share in ODOURS[name].items():
                drive += self.unit_mV * level * np.arctanh(0.99 * share) * self.glomerulus(glomerulus)
        return drive

    def glomerulus(self, name: str) -> Array:
        """(n,) bool: its projection neurons of one glomerulus."""
        return np.char.startswith(self.table.types, f"{name}_") & _projection(self.table.types)

    @functools.cached_property
    def glomeruli(self) -> tuple[str, ...]:
        """Names of the glomeruli that have projection neurons of their own."""
        types = np.unique(self.table.types[_projection(self.table.types)])
        return tuple(sorted({t.partition("_")[0] for t in types.tolist() if not t.startswith("M_")}))


def _with_weight(part: MushroomBody, weight: Any) -> MushroomBody:
    """A light twin of `part` with other weights."""
    twin = object.__new__(MushroomBody)
    twin.__dict__.update(part.__dict__, _weight=weight)
    return twin


def mushroom_body(
    clock: Clock, p: Mapping[str, float] | None = None, folder: Any = None, *, learning: bool = False, apl: bool = True
) -> MushroomBody:
    """The part. p: parameters of the fly, None the shipped ones. folder: of the hemibrain, None asks the registry.

    apl: False leaves its inhibition out.
    """
    p = parameters("fly") if p is None else p
    table = _table(folder)
    part = MushroomBody(
        table,
        functools.partial(_weights, p=p),
        np.where(np.char.startswith(table.types, "KC"), -p["mushroom_threshold"], 0).astype(np.float32),
        clock,
        tau_s=p["mushroom_tau_s"],
        learning_per_s=p["mushroom_learning_per_s"] if learning else 0.0,
    )
    return part if apl else part.cut(np.flatnonzero(table.types == "APL"), np.empty(0, int))


@functools.lru_cache(2)
def _table(folder: Any) -> Connectome:
    whole = hemibrain("mb", folder)
    types = whole.types
    starts = [np.char.startswith(types, w) for w in ("KC", "MBON", "PAM", "PPL1")]
    return part_of(whole, np.flatnonzero(np.logical_or.reduce([*starts, _projection(types), types == "APL"])))


def _projection(types: Array) -> Array:
    """Uni- and multiglomerular projection neurons: `DM1_lPN`, `M_vPNml50`."""
    return (np.char.find(types, "PN") > 0) & (np.char.find(types, "_") > 0)


def _weights(table: Connectome, p: Mapping[str, float]) -> scipy.sparse.csr_array:
    """(n, n) target x source."""
    types = table.types
    kc, mbon = np.char.startswith(types, "KC"), np.char.startswith(types, "MBON")
    projection, apl = _projection(types), types == "APL"
    pre, post = table.pre, table.post
    gain = np.select(
        [projection[pre] & kc[post], kc[pre] & apl[post], apl[pre] & kc[post], kc[pre] & mbon[post]],
        [p["mushroom_pn"], p["mushroom_to_apl"], p["mushroom_apl"], p["mushroom_out"]],
        0.0,
    )
    keep = gain > 0
    value = (gain * table.weight * table.sign)[keep].astype(np.float32)
    matrix = scipy.sparse.coo_array((value, (post[keep], pre[keep])), (len(types), len(types)))
    return scipy.sparse.csr_array(matrix)


def sparseness(part: MushroomBody, odours: int = 30, seed: int = 0, seconds: float = 0.3) -> Array:
    """(odours,) share of Kenyon cells above ANSWERS_HZ at the end of an odour.

    A random odour drives every glomerulus with an exponential share (mean 0.25, cut at 0.95): about the spread that
    Hallem & Carlson 2006 (Cell 125:143) found over receptors.
    """
    rng = np.random.default_rng(seed)
    masks = np.array([part.glomerulus(g) for g in part.glomeruli])
    out = []
    for _ in range(odours):
        share = np.minimum(rng.exponential(0.25, len(masks)), 0.95)
        drive = (part.unit_mV * (np.arctanh(share)[:, None] * masks).sum(0)).astype(np.float32)
        state = part.init(0)
        for _ in range(round(seconds / part.clock.control_s)):
            state = part.advance(state, drive)
        out.append(float((part.rate_Hz(state)[part.kenyon] > ANSWERS_HZ).mean()))
    return np.array(out)
