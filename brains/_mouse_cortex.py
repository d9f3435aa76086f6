"""`cortex86`: both hemispheres of the mouse's isocortex, 43 areas each, and 39 thalamic nuclei, at any scale.

Statistically generated under mesoscale constraints: every edge is a sample. Populations = hemisphere x area x layer x
class (E, PV, SST, VIP), numbers from measured densities. Local wiring: who prefers whom from the peak probabilities of
V1DD (EM of one piece of V1) times density and a distance kernel; other areas keep the in-degrees of V1, not the
probabilities. Long range: who sends how much from the voxel model of Knox 2018 (contralateral: the homogeneous model,
CONTRA of the ipsilateral in all), from layers 2/3 and 5, onto layers by hierarchy. Thalamus both ways. How many
synapses a cell has in all is measured per class in V1; how they split into local, long-range and thalamic is assumed.
A steady current per population sets the mean-field rate to the measured one (`functional_fit`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bestiary.brains._mouse_tables import LAYERS, CortexTables
from bestiary.brains._sampled import Cell, Population, Projections, SampledNetwork
from bestiary.brains._sampled_scale import check_scale, scaled
from bestiary.errors import BestiaryError

Array = np.ndarray[Any, np.dtype[Any]]

# Synapses onto one cell: seed table of the biorealistic V1 model (allen_biorealistic_v1), medians of its populations;
# VIP and thalamus assumed
SYNAPSES = {"23E": 3816.0, "4E": 2189.0, "5E": 3500.0, "6E": 2292.0, "PV": 7433.0, "SST": 5305.0, "VIP": 3000.0}
THALAMIC_CELL = 2000.0
INHIBITORY_SHARE = 0.25  # of the local synapses of a cell (memory: 15 to 20 %)
LONG_RANGE = 0.3  # of a cell's synapses; assumed, 0.2 to 0.4
TO_THALAMUS = 0.2  # of a thalamic cell's synapses, from cortex; the reticular nucleus is left out (assumed)
FROM_THALAMUS = {"4": 0.12, "5": 0.03, "6": 0.06, "23": 0.02, "1": 0.05}  # assumed
CONTRA = 0.27  # M14: contralateral over ipsilateral, Knox 2018
THRESHOLD = 1e-4  # of the voxel model's normalised density: below it links are artefacts of the regression; to be swept
SIGMA_MM = 0.114  # SD of the distance of local partners (Billeh 2020, memory)
ONE_CONNECTION = {"E": 3.0, "PV": 6.0, "SST": 6.0, "VIP": 4.0}  # synapses of a pair that is connected (memory)
# Measured mean rates, Hz: Allen Neuropixels in V1 (M01-M05: E spontaneous, PV); SST, VIP, layer 1, thalamus assumed
RATES = {"23E": 0.63, "4E": 2.12, "5E": 4.05, "6E": 2.0, "23PV": 5.5, "4PV": 8.2, "5PV": 12.3, "6PV": 12.5}
OTHER_RATES = {"SST": 4.0, "VIP": 3.0, "thalamus": 5.0}
INHIBITION = 6.0  # strength of inhibitory synapses over those measured: tuned, for a stable state at the rates
# The cell of Potjans & Diesmann 2014 for all (as in the multi-area model, Schmidt 2018 PLoS CB 14:e1006359): with slow
# inhibition the measured in-degrees have no stable state at the measured rates; `glif3` draws fits
CELLS = {name: Cell() for name in ("E", "PV", "SST", "VIP", "thalamus")}
BACKGROUND_HZ, BACKGROUND_MV = 16000.0, 0.15  # Poisson events on each cell, as in Potjans & Diesmann 2014
IN_DEGREE, GROWTH = 0.56, 0.32  # tuned so that 0.1 % and 1 % hold the measured rates (`_sampled_scale.scaled`)
SPEED_M_PER_S = 0.5  # of axons between areas (memory: 0.3 to 1)
CALLOSAL_S, THALAMIC_S = 0.005, 0.003  # least delays (memory)
LOCAL_S = {"E": 0.0017, "PV": 0.0010, "SST": 0.0013, "VIP": 0.0017}  # syn_types_latency, means
# How much of its long-range share each kind of cell gets, of ascending and of descending axons (assumed after Harris &
# Shepherd 2015 Nat Neurosci 18:170 and D'Souza 2016: ascending ones reach layers 2/3 to 5, descending ones 1, 5 and 6)
UP = {"23E": 1.0, "4E": 0.5, "5E": 0.6, "6E": 0.1, "PV": 0.6, "SST": 0.15, "VIP": 0.3}
DOWN = {"23E": 0.7, "4E": 0.1, "5E": 1.0, "6E": 0.5, "PV": 0.5, "SST": 0.2, "VIP": 0.6}
SOURCES = {"up": {"23": 0.7, "5": 0.3}, "down": {"23": 0.3, "5": 0.6, "6": 0.1}}


@dataclass(frozen=True)
class _Where:
    side: str
    area: str
    layer: str
    cls: str

    @property
    def name(self) -> str:
        return f"{self.area}_{self.side}_{'L' + self.layer if self.layer else 'TH'}{self.cls}"

    @property
    def kind(self) -> str:
        return self.layer + "E" if self.cls == "E" else self.cls


def cortex86(
    scale: float = 0.001,
    in_degree: float | None = None,
    *,
    seed: int = 0,
    dt_s: float = 1e-4,
    threshold: float = THRESHOLD,
    long_range: float = LONG_RANGE,
    neurons: str = "lif",
    tables: CortexTables | None = None,
) -> SampledNetwork:
    """scale: share of the neurons, 0.001 to 1. in_degree: share of the inputs of each cell; None: scale^IN_DEGREE.
    threshold: of ipsilateral links; long_range: share of a cell's synapses. neurons: "lif" or "glif3".

    Raises BestiaryError, ConnectomeError for matrices that cannot be right, DataError where they were not fetched.
    """
    check_scale(scale)
    if neurons not in ("lif", "glif3"):
        raise BestiaryError(f"neurons is 'lif' or 'glif3', got {neurons!r}")
    if not 0 <= long_range < 0.8:
        raise BestiaryError(f"long_range is a share of a cell's synapses, 0 to 0.8, got {long_range}")
    if tables is None:
        from bestiary.brains._mouse_tables import load

        tables = load()
    where, sizes = _populations(tables)
    rows = _rows(tables, where, sizes, threshold, long_range)
    start = (-60.0, 5.0)
    populations = tuple(
        Population(w.name, int(n), w.cls == "E", CELLS[w.cls if w.layer else "thalamus"], start_mV=start)
        for w, n in zip(where, sizes, strict=True)
    )
    populations = tuple(
        replace(p, background_Hz=BACKGROUND_HZ, background_pA=BACKGROUND_MV / psp_mV_per_pA(p.cell))
        for p in populations
    )
    rates = np.array([rate_of(w) for w in where])
    about = {"threshold": threshold, "long_range": long_range, "areas": len(tables.areas), "neurons": neurons}
    network = SampledNetwork(
        populations, Projections.of(rows), dt_s, seed, source="cortex86: mesoscale-constrained samples", about=about
    )
    network = scaled(network, scale, scale**IN_DEGREE if in_degree is None else in_degree, rates, GROWTH)
    if neurons == "glif3":
        from bestiary.brains._mouse_glif import with_glif

        network = with_glif(network, [w.cls if w.layer else "E" for w in where], [w.layer for w in where])
    from bestiary.brains._mouse_meanfield import at_rates

    return at_rates(network, rates)


def rate_of(w: _Where) -> float:
    """Hz that a population is set to."""
    if not w.layer:
        return OTHER_RATES["thalamus"]
    return RATES.get(w.layer + w.cls, OTHER_RATES.get(w.cls, 1.0))


def psp_mV_per_pA(cell: Cell, inhibits: bool = False) -> float:
    """Peak of the potential after one synaptic current of 1 pA."""
    m, s = cell.tau_s, cell.inhibits_s if inhibits else cell.excites_s
    r = m / cell.capacitance_pF * 1e3  # GOhm: mV per pA
    t = m * s / (m - s) * math.log(m / s)
    return r * s / (m - s) * (math.exp(-t / m) - math.exp(-t / s))


def _populations(t: CortexTables) -> tuple[list[_Where], Array]:
    where, sizes = [], []
    for side in "LR":
        for area in t.areas:
            for layer in LAYERS:
                for cls in ("E", "PV", "SST", "VIP"):
                    n = t.cells.get((area, layer, cls), 0.0)
                    if n >= 1:
                        where.append(_Where(side, area, layer, cls))
                        sizes.append(round(n))
        for nucleus, n in zip(t.nuclei, t.thalamic, strict=True):
            where.append(_Where(side, nucleus, "", "E"))
            sizes.append(max(1, round(float(n))))
    return where, np.array(sizes)


def _v1dd(kind: str) -> tuple[str, str]:
    """(layer, class) of a row of the V1DD table."""
    layer, _, word = kind.partition("_")
    short = layer.removeprefix("L").replace("/", "")
    return short, {"Exc": "E", "ET": "E", "IT": "E", "NP": "E", "Inh": "VIP"}.get(word, word)


def local_shares(t: CortexTables) -> dict[tuple[str, str], dict[tuple[str, str], float]]:
    """(layer, class) of the target -> of the source -> share of the local synapses of a cell in V1: peak probability
    times sources times synapses of a connection, excitatory and inhibitory ones each in the share that they have. (The
    area of the kernel drops out; alone it would count the many far excitatory partners too low.)"""
    kinds = [_v1dd(k) for k in t.kinds]
    excites = {"ET": 0.25, "IT": 0.65, "NP": 0.10}  # of the pyramidal cells of layer 5 (assumed)
    part = [excites.get(k.partition("_")[2], 1.0) for k in t.kinds]
    out: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    for j, target in enumerate(kinds):
        for i, source in enumerate(kinds):
            n = t.cells.get(("VISp", *source), 0.0) * part[i]
            add = t.pmax[i, j] * n * part[j] * ONE_CONNECTION[source[1]]
            row = out.setdefault(target, {})
            row[source] = row.get(source, 0.0) + add
    shares: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    for target, row in out.items():
        excite = sum(v for s, v in row.items() if s[1] == "E")
        inhibit = sum(v for s, v in row.items() if s[1] != "E")
        shares[target] = {
            s: v * ((1 - INHIBITORY_SHARE) / excite if s[1] == "E" else INHIBITORY_SHARE / inhibit)
            for s, v in row.items()
        }
    return shares


def _synapses(w: _Where) -> float:
    return THALAMIC_CELL if not w.layer else SYNAPSES[w.kind]


def _rows(t: CortexTables, where: list[_Where], sizes: Array, threshold: float, long_range: float) -> list[Any]:
    at = {(w.side, w.area, w.layer, w.cls): i for i, w in enumerate(where)}
    shares = local_shares(t)
    rows: list[Any] = []
    # share of a target cell's long-range synapses by source area, from both sides
    volume = np.array([sum(v for (a, _), v in t.mm3.items() if a == area) for area in t.areas])
    ipsi = np.where(t.ipsi >= threshold, t.ipsi, 0.0) * volume  # density of the axons of the whole source
    np.fill_diagonal(ipsi, 0.0)
    contra = t.contra * volume
    contra *= CONTRA * ipsi.sum() / max(contra.sum(), 1e-30)
    total = ipsi.sum(1) + contra.sum(1)
    thalamus = t.from_thalamus * t.thalamic
    thalamus /= np.maximum(thalamus.sum(1, keepdims=True), 1e-30)
    area_row = {a: i for i, a in enumerate(t.areas)}

    def weight(pre: _Where, post: _Where) -> tuple[float, float]:
        mv, spread = t.psp.get((pre.cls, post.cls), (0.3, 1.0))
        cell = CELLS[post.cls if post.layer else "thalamus"]
        # one of several synapses of a connection
        mv *= 1.0 if pre.cls == "E" else INHIBITION
        return mv / ONE_CONNECTION[pre.cls] / psp_mV_per_pA(cell, pre.cls != "E"), min(max(spread, 0.3), 0.8)

    def add(pre: int, post: int, per_cell: float, delay_s: float, reach: float, tag: str) -> None:
        if per_cell * sizes[post] < 0.5:
            return
        pA, spread = weight(where[pre], where[post])
        step = 5e-4 if delay_s < 3e-3 else 1e-3  # few different delays keep the tables short
        delay = max(step, round(delay_s / step) * step)
        rows.append((pre, post, per_cell * sizes[post], pA, spread, True, delay, 0.0, reach, tag))

    for i, w in enumerate(where):
        k = _synapses(w)
        if not w.layer:  # thalamus: from cortex, layers 6 (0.7) and 5
            n = t.nuclei.index(w.area)
            back = t.to_thalamus[n] * volume
            back = back / max(back.sum(), 1e-30)
            for area, part in zip(t.areas, back, strict=True):
                if part > 0.005:
                    for layer, much in (("6", 0.7), ("5", 0.3)):
                        j = at.get((w.side, area, layer, "E"))
                        if j is not None:
                            add(j, i, TO_THALAMUS * k * part * much, THALAMIC_S, 0.0, "projectome")
            continue
        from_th = FROM_THALAMUS[w.layer] * (1.0 if w.cls in ("E", "PV") else 0.3)
        lr = long_range if w.layer != "1" else min(2 * long_range, 0.8)
        local = 1 - lr - from_th
        for source, part in shares.get((w.layer, w.cls), {}).items():
            j = at.get((w.side, w.area, *source))
            if j is not None:
                side = math.sqrt(max(t.mm3.get((w.area, w.layer), 0.0), 1e-3) / 0.25)  # 0.25 mm of a layer
                add(j, i, local * k * part, LOCAL_S[source[1]], min(SIGMA_MM / max(side, 0.3), 0.5), "EM_population")
        here = area_row[w.area]
        for n, nucleus in enumerate(t.nuclei):
            if thalamus[here, n] > 0.01:
                add(at[w.side, nucleus, "", "E"], i, from_th * k * thalamus[here, n], THALAMIC_S, 0.0, "projectome")
        for other, matrix in ((w.side, ipsi), ("LR"[w.side == "L"], contra)):
            for source_area, value in enumerate(matrix[here]):
                part = value / max(total[here], 1e-30)
                if part < 0.002:
                    continue
                way = "up" if t.hierarchy[source_area] < t.hierarchy[here] else "down"
                like = (UP if way == "up" else DOWN)[w.kind]
                far = float(np.linalg.norm(t.place[here] - t.place[source_area])) * 1e-3 / SPEED_M_PER_S
                delay = LOCAL_S["E"] + far + (CALLOSAL_S if other != w.side else 0.0)
                for layer, much in SOURCES[way].items():
                    j = at.get((other, t.areas[source_area], layer, "E"))
                    if j is not None:
                        amount = lr * k * part * much * like
                        add(j, i, amount, delay, 0.0, "projectome")
    return rows
