"""Statistics of many spikes, the same for every simulator: rates, irregularity, correlation."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def spike_statistics(
    step: Array, neuron: Array, sizes: Array, dt_s: float, seconds: float, bin_s: float = 0.002, cells: int = 200
) -> dict[str, list[float]]:
    """Of each population (P,): `rate_Hz`; `cv_isi`, mean over cells with 5 spikes or more (NaN where none has);
    `correlation`, mean over pairs among the first `cells` cells that fire, of counts in bins of bin_s; `sd_ln_rate`, SD
    of ln(rate) over cells that fire. step, neuron (m,)."""
    first = np.concatenate([[0], np.cumsum(sizes)])
    order = np.lexsort((step, neuron))
    who, when = np.asarray(neuron)[order], np.asarray(step)[order].astype(np.int64)
    count = np.bincount(who, minlength=first[-1])
    interval = np.diff(when).astype(float)
    same = who[1:] == who[:-1]
    interval, owner = interval[same], who[1:][same]
    n = np.maximum(np.bincount(owner, minlength=first[-1]), 1)
    mean = np.bincount(owner, interval, first[-1]) / n
    var = np.bincount(owner, interval**2, first[-1]) / n - mean**2
    cv = np.sqrt(np.maximum(var, 0)) / np.maximum(mean, 1e-12)
    out: dict[str, list[float]] = {"rate_Hz": [], "cv_isi": [], "correlation": [], "sd_ln_rate": []}
    start = int(when.min(initial=0))
    width = max(1, round(bin_s / dt_s))
    for a, b in pairwise(first.tolist()):
        c = count[a:b]
        out["rate_Hz"].append(float(c.mean() / seconds))
        many = np.flatnonzero(c >= 5) + a
        out["cv_isi"].append(float(cv[many].mean()) if len(many) else float("nan"))
        some = np.flatnonzero(c > 0)[:cells] + a
        out["sd_ln_rate"].append(float(np.log(c[c > 0] / seconds).std()) if (c > 0).sum() > 1 else float("nan"))
        rows = np.full(first[-1], -1)
        rows[some] = np.arange(len(some))
        mine = rows[who] >= 0
        table = np.zeros((len(some), int((when.max(initial=0) - start) // width) + 1), np.float32)
        np.add.at(table, (rows[who[mine]], (when[mine] - start) // width), 1)
        if len(some) > 1:
            with np.errstate(invalid="ignore"):
                r: Array = np.atleast_2d(np.corrcoef(table))
            out["correlation"].append(float(np.nanmean(r[np.triu_indices(len(some), 1)])))
        else:
            out["correlation"].append(float("nan"))
    return out
