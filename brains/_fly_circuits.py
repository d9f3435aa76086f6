"""The fly's central brain without downloads: small circuits typed in from publications (assets/fly/circuits.csv).

Who is named here was found by others; how many synapses join them is not public for most, so those weights are fitted
to published rates (`functional_fit`), each with what it was fitted to. The P9 circuit has measured counts, mean of both
sides (`EM_mirrored`). Both sides are equal by construction.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from bestiary import assets
from bestiary.brains._parts import MANY
from bestiary.brains._shiu import DT_S
from bestiary.brains._spiking_part import SpikingPart
from bestiary.brains.connectome import Connectome, Labels
from bestiary.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

SIDES = ("L", "R")
POISSON = ("sensory", "input")  # kinds whose drive is a rate
INHIBITORY = ("GABA", "GLUT", "HIST")


def numbered(word: str, k: int) -> str:
    """MDN1, DNg02_1: the k-th of several of a type, from 1."""
    return f"{word}_{k}" if word[-1].isdigit() else f"{word}{k}"


@lru_cache(1)
def fly_circuits() -> Connectome:
    """The circuits as one connectome. Names are TYPE_L and TYPE_R, or TYPE1_L ... where a type has several a side."""
    names, types, kinds, sides, transmitters = [], [], [], [], []
    known = {r["name"]: r["root_id"] for r in assets.rows("fly", "named_neurons.csv") if not r["group"]}
    ids = []
    for cell in assets.rows("fly", "circuit_cells.csv"):
        many = int(cell["per_side"])
        for side in SIDES:
            for k in range(1, many + 1):
                stem = numbered(cell["type"], k) if many > 1 else cell["type"]
                names.append(f"{stem}_{side}")
                ids.append(known.get(names[-1], names[-1]))
                types.append(cell["type"])
                kinds.append(cell["kind"])
                sides.append(side)
                transmitters.append(cell["transmitter"])
    stems = np.array([n[:-2] for n in names])
    of = np.array(types)
    at = np.array(sides)

    def found(word: str, side: str) -> Array:
        hit = np.flatnonzero(((of == word) | (stems == word)) & (at == side))
        if not len(hit):
            raise DataError(f"circuits.csv names {word!r}, which circuit_cells.csv does not have")
        return hit

    pre, post, weight, tags, words = [], [], [], [], []
    for edge in assets.rows("fly", "circuits.csv"):
        for a in SIDES:
            for b in SIDES:
                if edge["side"] != "both" and (edge["side"] == "ipsi") != (a == b):
                    continue
                i, j = np.meshgrid(found(edge["pre"], a), found(edge["post"], b), indexing="ij")
                use = (i != j) if edge["kind"] == "chemical" else (i < j)  # a gap junction stands once a pair
                pre.append(i[use])
                post.append(j[use])
                weight.append(np.full(use.sum(), float(edge["weight"])))
                tags += [edge["provenance"]] * int(use.sum())
                words += [edge["kind"]] * int(use.sum())
    p = np.concatenate(pre)
    return Connectome(
        ids=np.array(ids),
        names=np.array(names),
        types=of,
        kinds=np.array(kinds),
        sides=at,
        transmitters=np.array(transmitters),
        pre=p,
        post=np.concatenate(post),
        weight=np.concatenate(weight),
        sign=np.where(np.isin(np.array(transmitters)[p], INHIBITORY), -1, 1),
        kind=np.array(words),
        sign_by="transmitter",
        provenance=np.array(tags),
        source="fly circuits typed in from publications; weights fitted but for the P9 circuit",
    )


# cells beside a whole brain: what FlyWire does not hold (legs), and what no wiring is known to do (bouts, saccades)
STAND_INS = ("walk_on", "walk_off", "saccade", "saccade_burst", "OFF_search", "leg_sugar", "leg_bitter")


def with_stand_ins(table: Connectome) -> Connectome:
    """A whole brain and the cells of STAND_INS, joined to its named neurons as in the circuits; also what holds a bout.

    Added edges keep their tag `functional_fit`. A target that the brain does not have is left out.
    """
    c = fly_circuits()
    new = np.flatnonzero(np.isin(c.types, STAND_INS) & ~np.isin(c.types, np.unique(table.types)))
    if not len(new):
        return table
    place = {n: i for i, n in enumerate(table.names.tolist())} | {
        str(c.names[r]): len(table) + k for k, r in enumerate(new)
    }
    at = np.array([place.get(n, -1) for n in c.names.tolist()])
    bout = (c.types[c.pre] == "BPN") & (c.types[c.post] == "BPN")
    keep = np.flatnonzero((np.isin(c.pre, new) | bout) & (at[c.pre] >= 0) & (at[c.post] >= 0) & c.kind.mask("chemical"))

    def both(name: str) -> Array:
        return np.concatenate([getattr(table, name), getattr(c, name)[new]])

    def labels(mine: Labels, word: str) -> Labels:
        known = (*mine.values, word) if word not in mine.values else mine.values
        more = np.full(len(keep), known.index(word), mine.codes.dtype)
        return Labels(np.concatenate([mine.codes, more]), known)

    columns: dict[str, Any] = {
        k: both(k) for k in ("ids", "names", "types", "kinds", "sides", "transmitters", "position_um")
    }
    return Connectome(
        **columns,
        pre=np.concatenate([table.pre, at[c.pre[keep]].astype(np.int32)]),
        post=np.concatenate([table.post, at[c.post[keep]].astype(np.int32)]),
        weight=np.concatenate([table.weight, c.weight[keep]]),
        sign=np.concatenate([table.sign, c.sign[keep]]),
        kind=labels(table.kind, "chemical"),
        sign_by=labels(table.sign_by, "transmitter"),
        provenance=labels(table.provenance, "functional_fit"),
        source=f"{table.source}; {len(new)} stand-in cells",
    )


def spontaneous(table: Connectome) -> Array:
    """(n,) background events in Hz of each cell: the types and kinds of assets/fly/background.csv that it has."""
    rate = np.zeros(len(table))
    brain = "whole" if (table.kinds == "central").any() else "circuits"
    for cells in assets.rows("fly", "background.csv"):
        word = cells["cells"]
        if cells["brain"] not in (brain, "any"):
            continue
        rate[(table.types == word) | (table.kinds == word)] = float(cells["event_Hz"])
    return rate


def central(
    table: Connectome | None = None,
    control_s: float = 0.002,
    dt_s: float = DT_S,
    *,
    background: bool = True,
    electrical: bool = True,
    stand_ins: bool = True,
) -> SpikingPart:
    """The central brain as a part: `fly_circuits()`, or FlyWire, or its surrogate.

    Cells of the kinds POISSON take their drive as a rate. background: the spontaneous state; without it the published
    model, silent at rest. electrical: the gap junctions of the table (the giant fibres') conduct.
    stand_ins: see `with_stand_ins`.
    """
    table = fly_circuits() if table is None else table
    table = with_stand_ins(table) if stand_ins else table
    return SpikingPart(
        table,
        control_s,
        dt_s,
        poisson=np.flatnonzero(np.isin(table.kinds, POISSON)),
        background_Hz=spontaneous(table) if background else None,
        gap_nS=1.0 if electrical and "gap" in table.kind.values else 0.0,
        in_place=len(table) > MANY,  # nobody goes back to the state before the last
    )
