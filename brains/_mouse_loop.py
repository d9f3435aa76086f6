"""`sensorimotor`: a reduced loop of the mouse's cortex that ships. Whisker and visual thalamus, S1, V1 and M1.

About 10,000 leaky integrate-and-fire neurons. Who is wired to whom is drawn from in-degrees between populations
(assets/mouse/loop.csv), never measured cell by cell. Sides are those of the brain: `VPM_L_C2` lies in the left thalamus
and hears the RIGHT whisker C2, `LGN_L_...` the right eye.

Names: `VPM_<side>_<whisker>_slow1`, `..._rapid1`; `LGN_<side>_<channel>_c<column>_r<row>_1`, columns from the front to
the back of the eye's field, rows from below, six places in each (`lgn_place`); `S1_<side>_<whisker>_L4E_1`,
`V1_<side>_c0_r0_L4E_1`, `M1_<side>_L5E_1`.
Types are the names without the last number (`VPM_L_C2_slow`, `S1_L_C2_L4E`, `M1_L_L5E`), so that `S1_L_*`, `VPM_R_C2_*`
and `M1_*_L5E` select. The drive of VPM and LGN neurons is their rate: 1 mV stands for 1 Hz.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from bestiary import assets
from bestiary.brains._spiking_part import SpikingPart
from bestiary.brains.connectome import Connectome, Labels
from bestiary.brains.spiking import LIF, Exponential, Network, Projection
from bestiary.envs._clock import Clock
from bestiary.envs._streams import stream

Array = np.ndarray[Any, np.dtype[Any]]

WHISKERS = ("alpha", "beta", "gamma", "delta", *(f"{row}{arc}" for row in "ABCDE" for arc in (1, 2, 3, 4)))
CHANNELS = ("sON", "sOFF", "tON", "tOFF")
COLUMNS, ROWS = 8, 4  # of the visual field of one eye
SIDES = ("L", "R")

# Cells of one column (barrel, or patch of the field), and of the whole of M1. Layer shares about as in the mouse's
# SSp-bfd and VISp, inhibitory 15 %; a barrel of the animal has some 6,500 (Lefort 2009), of which here are about 100.
VPM = {"slow": 8, "rapid": 8}
S1 = {"L4E": 36, "L4I": 6, "L23E": 30, "L23I": 6, "L5E": 18, "L5I": 5}
V1 = {"L4E": 16, "L4I": 3, "L23E": 8, "L23I": 2, "L5E": 4, "L5I": 1}
M1 = {"L23E": 160, "L23I": 40, "L5E": 120, "L5I": 30}
LGN_CELLS = 6
LGN_POOL = 7  # relay cells that one neuron stands for: its spikes are theirs together, its synapses as much weaker
PATCH_DEG = (20.0, 30.0)  # of the field, wide and high
# Subfields of a cell of V1's layer 4, deg: ON and OFF, sustained and transient inputs lie apart along the direction
# that the cell prefers (Lien & Scanziani 2013 Nat Neurosci 16:1315, 2018 Nature 558:80); distance and width are `tuned`
APART_DEG, WIDTH_DEG = 12.0, 2.5

REST_MV = -65.0
CELL = LIF()  # of Potjans & Diesmann 2014: 10 ms, 40 MOhm, 15 mV from rest to threshold
EXCITES_S, INHIBITS_S = 0.002, 0.005  # AMPA, GABA-A (memory)
SPREAD = 0.7  # SD of the logarithm of weights (M11's pairs have 0.5 to 1.1)
DT_S = 2e-4
KICK_MV, KICK_HZ = 3.0, 160.0  # of the cortex not modelled: 4.8 mV on average, SD 2.7 mV (tuned to spontaneous rates)
INHIBITORY_HZ = 220.0  # on inhibitory cells
BACKGROUND_HZ = {"V1_L4E": 70.0, "V1_L4I": 210.0, "V1_L23E": 75.0, "V1_L5E": 145.0, "V1_L5I": 230.0}  # others: as above
# SD of ln(gain of all inputs) in V1, fitted to M07; rheobases have 0.4 to 0.6 (Teeter 2018 Nat Commun 9:709)
GAIN_SPREAD = 0.15


@dataclass(frozen=True)
class Group:
    """Cells of one kind in one column of one side: rows first ... first + size - 1."""

    kind: str  # "S1_L4E"
    side: str
    column: int
    first: int
    size: int


def lgn_place(number: int) -> tuple[float, float]:
    """Of LGN cell 1 to LGN_CELLS of a patch: from the patch's middle to the back, and up, in patches."""
    up, back = divmod(number - 1, 2)
    return 0.5 * (back - 0.5), (up - 1) / 3


def preferred_rad(group: Group) -> Array:
    """(size,) directions of motion that cells of a patch of V1 prefer: all round, salt and pepper (Ohki 2005 Nature
    433:597). 0 is from front to back, a quarter up."""
    turn = (np.arange(group.size) / group.size + 0.381966 * group.column) % 1
    return np.asarray(2 * math.pi * turn)


def gains(names: Sequence[str]) -> Array:
    """(n,) by which cells weigh all their inputs: log-normal in V1, 1 elsewhere."""
    out = np.ones(len(names))
    rows = [i for i, name in enumerate(names) if name.startswith("V1_")]
    out[rows] = np.exp(stream(0, "mouse gains").normal(0, GAIN_SPREAD, len(rows)))
    return out


def neighbours(area: str, column: int) -> list[int]:
    """Columns that touch a column: barrels of the next row or arc, patches beside a patch."""
    if area in ("S1", "VPM"):
        if column < 4:
            return [c for c in (column - 1, column + 1) if 0 <= c < 4] + [4 + 4 * column]
        row, arc = divmod(column - 4, 4)
        near = [(row + dr, arc + da) for dr, da in ((-1, 0), (1, 0), (0, -1), (0, 1))]
        return [4 + 4 * r + a for r, a in near if 0 <= r < 5 and 0 <= a < 4]
    row, col = divmod(column, COLUMNS)
    near = [(row + dr, col + dc) for dr, dc in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    return [r * COLUMNS + c for r, c in near if 0 <= r < ROWS and 0 <= c < COLUMNS]


@lru_cache(1)
def _groups() -> tuple[tuple[Group, ...], tuple[str, ...], tuple[str, ...]]:
    """(groups, names, types) in the order of the table."""
    groups: list[Group] = []
    names: list[str] = []
    types: list[str] = []

    def add(kind: str, side: str, column: int, word: str, size: int, dash: str = "_") -> None:
        groups.append(Group(kind, side, column, len(names), size))
        names.extend(f"{word}{dash}{i + 1}" for i in range(size))
        types.extend([word] * size)

    for side in SIDES:
        for c, whisker in enumerate(WHISKERS):
            for sort, size in VPM.items():
                add("VPM", side, c, f"VPM_{side}_{whisker}_{sort}", size, "")
        for channel in CHANNELS:
            for c in range(COLUMNS * ROWS):
                word = f"LGN_{side}_{channel}_c{c % COLUMNS}_r{c // COLUMNS}"
                add(f"LGN_{channel}", side, c, word, LGN_CELLS)
        for c, whisker in enumerate(WHISKERS):
            for layer, size in S1.items():
                add(f"S1_{layer}", side, c, f"S1_{side}_{whisker}_{layer}", size)
        for c in range(COLUMNS * ROWS):
            for layer, size in V1.items():
                add(f"V1_{layer}", side, c, f"V1_{side}_c{c % COLUMNS}_r{c // COLUMNS}_{layer}", size)
        for layer, size in M1.items():
            add(f"M1_{layer}", side, 0, f"M1_{side}_{layer}", size)
    return tuple(groups), tuple(names), tuple(types)


@lru_cache(2)
def loop_table(seed: int = 0) -> Connectome:
    """The neurons and the edges drawn for `seed`. weight: pA. Provenance by the rows of loop.csv."""
    groups, names, types = _groups()
    sources: dict[tuple[str, str], dict[int, list[Group]]] = {}
    for g in groups:
        sources.setdefault((g.kind, g.side), {}).setdefault(g.column, []).append(g)
    rng = stream(seed, "mouse loop")
    pre, post, weight, delay, tag = [], [], [], [], []
    tags: list[str] = []
    per_pA = {1: psp_per_pA(EXCITES_S), -1: psp_per_pA(INHIBITS_S)}
    for row in assets.rows("mouse", "loop.csv"):
        k, size = int(row["in_degree"]), float(row["psp_mV"])
        sign = 1 if size > 0 else -1
        if row["provenance"] not in tags:
            tags.append(row["provenance"])
        for g in groups:
            if g.kind != row["target"]:
                continue
            side = g.side if row["where"] != "across" else "LR"[g.side == "L"]
            columns = sources[row["source"], side]
            chosen = _reached(row["where"], row["source"].split("_")[0], g.column, columns)
            cells = np.concatenate([np.arange(s.first, s.first + s.size) for s in chosen])
            odds = _odds(row["where"], g, chosen)
            if odds is None:
                a = cells[rng.integers(len(cells), size=(g.size, k))]
            else:
                below = np.cumsum(odds, 1) / odds.sum(1, keepdims=True)
                a = cells[(rng.random((g.size, k, 1)) > below[:, None, :-1]).sum(2)]
            b = np.repeat(np.arange(g.first, g.first + g.size)[:, None], k, 1)
            keep = a != b
            pre.append(a[keep])
            post.append(b[keep])
            drawn = np.exp(rng.normal(-(SPREAD**2) / 2, SPREAD, int(keep.sum())))
            weight.append(np.minimum(drawn, 6) * abs(size) / per_pA[sign])
            steps = np.rint(float(row["delay_ms"]) * 1e-3 / DT_S * rng.uniform(0.7, 1.3, int(keep.sum())))
            delay.append(np.maximum(steps, 1) * DT_S)
            tag.append(np.full(int(keep.sum()), tags.index(row["provenance"])))
    kinds = np.array([_kind(t) for t in types])
    inhibits = np.array([t.endswith("I") for t in types])
    a, b = np.concatenate(pre), np.concatenate(post)
    return Connectome(
        ids=np.array(names),
        types=np.array(types),
        kinds=kinds,
        sides=np.array([t.split("_")[1] for t in types]),
        transmitters=np.where(inhibits, "GABA", "Glut"),
        pre=a,
        post=b,
        weight=np.concatenate(weight) * gains(names)[b],
        sign=np.where(inhibits[a], -1, 1).astype(np.int8),
        sign_by="transmitter",
        delay_s=np.concatenate(delay),
        provenance=Labels(np.concatenate(tag).astype(np.uint8), tuple(tags)),
        source="sensorimotor loop of the mouse: drawn from in-degrees between populations",
    )


def _reached(where: str, area: str, column: int, columns: dict[int, list[Group]]) -> list[Group]:
    if where == "area":
        return [g for groups in columns.values() for g in groups]
    if where == "near":
        return [g for c in neighbours(area, column) for g in columns[c]]
    if where in ("behind", "ahead"):
        return [g for c in (column, *neighbours(area, column)) for g in columns[c]]
    return columns[column]  # "same" and "like", and "across": the same column of the other side


def _odds(where: str, target: Group, chosen: list[Group]) -> Array | None:
    """(cells of target, cells chosen): how likely each is a source; None where all are alike.

    "behind", "ahead": LGN cells about one of the places of the target's own patch, and about the place APART_DEG from
    it along the direction that the target prefers. "like": cells that prefer about the same (Ko 2011 Nature 473:87),
    `tuned`.
    """
    way = preferred_rad(target)[:, None]
    if where == "like":
        apart = way - np.concatenate([preferred_rad(g) for g in chosen])
        return np.asarray(np.exp(2 * np.cos(2 * apart) + np.cos(apart)))
    if where not in ("behind", "ahead"):
        return None
    row, column = divmod(target.column, COLUMNS)
    seen = [(divmod(g.column, COLUMNS), lgn_place(i + 1)) for g in chosen for i in range(g.size)]
    at = np.array([(c - column + x, r - row + y) for (r, c), (x, y) in seen]) * PATCH_DEG
    goal = np.array([lgn_place(i % LGN_CELLS + 1) for i in range(target.size)]) * PATCH_DEG
    if where == "ahead":
        goal = goal + APART_DEG * np.hstack([np.cos(way), np.sin(way)])
    from_goal = at[None] - goal[:, None]
    return np.asarray(np.exp(-(from_goal**2).sum(2) / (2 * WIDTH_DEG**2)))


def _kind(word: str) -> str:
    if word.startswith(("VPM", "LGN")):
        return "sensory"
    return "motor" if word.startswith("M1") and word.endswith("L5E") else "inter"


def psp_per_pA(tau_s: float) -> float:
    """Peak of the potential (mV) after one synaptic current of 1 pA that decays with tau_s."""
    m, r = float(CELL.tau_s), float(CELL.resistance_MOhm) * 1e-3
    t = m * tau_s / (m - tau_s) * math.log(m / tau_s)
    return r * tau_s / (m - tau_s) * (math.exp(-t / m) - math.exp(-t / tau_s))


def loop_network(table: Connectome, dt_s: float, current: bool = True, gap_nS: float = 0.0) -> Network:
    """LIF with two currents; resistance 1 mV/pA for the input alone is made good in the weights."""
    scale = float(CELL.resistance_MOhm) * 1e-3
    cell = replace(CELL, resistance_MOhm=1e3)  # an input of 1 pA is 1 mV
    projections = (
        Projection(Exponential(EXCITES_S), scale, "excitatory"),
        Projection(Exponential(INHIBITS_S), -scale, "inhibitory"),
    )
    return Network(table, cell, projections, dt_s=dt_s, current=current, round_delays=True)


def loop(clock: Clock, table: Connectome | None = None) -> SpikingPart:
    """The part `loop`, at the seed that ships."""
    table = loop_table() if table is None else table
    sensory = np.flatnonzero(table.kinds == "sensory")
    inhibits = table.transmitters == "GABA"
    usual = np.where(inhibits, INHIBITORY_HZ, KICK_HZ)
    kinds = [f"{t.split('_')[0]}_{t.split('_')[-1]}" for t in table.types]
    background = np.array([BACKGROUND_HZ.get(k, hz) for k, hz in zip(kinds, usual.tolist(), strict=True)])
    background = background * gains(table.names.tolist())
    background[sensory] = 0
    return SpikingPart(
        table,
        clock.control_s,
        DT_S,
        poisson=sensory,
        in_Hz=True,
        background_Hz=background,
        kick_mV=KICK_MV,
        in_place=True,
        network=loop_network,
        rest_mV=REST_MV,
    )
