"""Fitted neurons of the mouse's V1 in place of mid-range ones: GLIF level 3 (Teeter et al. 2018 Nat Commun 9:709)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bestiary.brains._sampled import Cell, SampledNetwork
from bestiary.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

INHIBITORY = {"Pvalb": "PV", "Sst": "SST", "Vip": "VIP", "Htr3a": "VIP", "Ndnf": "VIP", "Chat": "VIP", "Nkx2": "PV"}
OF_LAYER = {"Cux2": "23", "Nr5a1": "4", "Scnn1a": "4", "Rorb": "4", "Rbp4": "5", "Ctgf": "6", "Ntsr1": "6"}


def fits() -> tuple[Array, list[str], list[str]]:
    """((f, 11) parameters, class, layer or "" of each): tau_s, capacitance_pF, threshold and reset above rest (mV),
    refractory_s, k1, k2 (1/s), jump1, jump2 (pA), keep1, keep2. Reset is to rest, as GLIF 3 is fitted."""
    from bestiary.assets import registry

    path = registry.path("mouse-glif", "glif_params_645cells_levels1-5.csv")
    out, classes, layers = [], [], []
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["glif_level"] != "3":
                continue
            c, r = float(row["C_F"]) * 1e12, float(row["R_input_ohm"])
            taus = float(row["asc_tau1_s"]), float(row["asc_tau2_s"])
            jumps = float(row["asc_amp1_A"]) * 1e12, float(row["asc_amp2_A"]) * 1e12
            # upstream files name the rates 1/tau as tau in some rows: both are times of 3 to 300 ms, so taken as times
            value = [r * c * 1e-12, c, 1e3 * float(row["threshold_eff_V_above_El"]), 0.0]
            value += [max(1e-3 * float(row["t_ref_ms"]), 1e-3), 1 / taus[0], 1 / taus[1], *jumps, 1.0, 1.0]
            if not np.isfinite(value).all() or value[0] <= 0:
                continue
            out.append(value)
            classes.append(next((v for k, v in INHIBITORY.items() if row["cre"].startswith(k)), "E"))
            layers.append(next((v for k, v in OF_LAYER.items() if row["cre"].startswith(k)), ""))
    if not out:
        raise DataError(f"{path.name} has no fits of level 3")
    return np.array(out), classes, layers


def with_glif(network: SampledNetwork, classes: Sequence[str], layers: Sequence[str]) -> SampledNetwork:
    """Every cell drawn from the fits of its class, and of its layer where there are some; equations of level 3.

    The mean field then is that of the median fit of each population.
    """
    table, cls, layer = fits()
    out = []
    for p, c, at in zip(network.populations, classes, layers, strict=True):
        rows = [i for i in range(len(table)) if cls[i] == c and (c != "E" or layer[i] in ("", at))]
        exact = [i for i in rows if layer[i] == at and c == "E"]
        rows = exact or rows
        middle = np.median(table[rows], 0)
        cell = Cell(
            float(middle[0]), float(middle[1]), -70.0, -70.0 + float(middle[2]), -70.0 + float(middle[3]),
            float(middle[4]), p.cell.excites_s, p.cell.inhibits_s,
        )  # fmt: skip
        out.append(replace(p, cell=cell, fits=tuple(rows)))
    return replace(network, populations=tuple(out), glif=table)
