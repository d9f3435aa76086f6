"""The figure of a screen: every item against the intact animal, or who answers to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from bestiary.tasks._plots import STYLE
from bestiary.tasks._screen import INTACT, Screen

_NAMED = 8  # items named at each end


def draw(screen: Screen, rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Writes a PNG: items in the order of their value, the ends named; of pairs a matrix."""
    with matplotlib.rc_context(STYLE):
        figure = _matrix(screen, rows) if screen.kind == "pairs" else _ranks(screen, rows)
        figure.savefig(path)
    return path


def _ranks(screen: Screen, rows: Sequence[Mapping[str, Any]]) -> Figure:
    panels = list(dict.fromkeys((r["arm"], r["measure"]) for r in rows))
    figure = Figure(figsize=(8, 1 + 2.2 * len(panels)))
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axis, (arm, measure) in zip(axes, panels, strict=True):
        mine = [r for r in rows if (r["arm"], r["measure"]) == (arm, measure)]
        intact = next((r["value"] for r in mine if r["item"] == INTACT), np.nan)
        items = [r for r in mine if r["item"] != INTACT and r["value"] is not None and np.isfinite(r["value"])]
        items.sort(key=lambda r: r["value"])
        values = np.array([r["value"] for r in items], float)
        axis.axhline(intact, color="#009E73", lw=1, label="intact")
        axis.plot(np.arange(len(values)), values, ".", ms=3, color="#333333")
        below = [r["item"] for r in items if r["value"] < intact][:_NAMED]
        above = [r["item"] for r in items[::-1] if r["value"] > intact][:_NAMED]
        for names, word, x, y, side in ((below, "lowest", 0.07, 0.05, "left"), (above, "highest", 0.93, 0.92, "right")):
            if names:
                axis.text(x, y, f"{word}: {', '.join(names)}", ha=side, fontsize=7, transform=axis.transAxes)
        axis.set_title(f"{arm}: {measure}")
        axis.set_xticks([])
        axis.legend(frameon=False, fontsize=7)
    axes[-1].set_xlabel(f"{len(screen.items)} items ({screen.kind}), each at its rank; {screen.n} seed(s) each")
    return figure


def _matrix(screen: Screen, rows: Sequence[Mapping[str, Any]]) -> Figure:
    names = [name for name, _ in screen.items]
    at = {name: i for i, name in enumerate(names)}
    grid = np.full((len(names), len(names)), np.nan)
    for row in rows:
        grid[at[row["from"]], at[row["to"]]] = row["response_mV"]
    figure = Figure(figsize=(7, 6))
    axis = figure.subplots()
    top = float(np.nanpercentile(np.abs(grid), 99)) if np.isfinite(grid).any() else 1.0
    image = axis.imshow(grid, cmap="RdBu_r", vmin=-max(top, 1e-6), vmax=max(top, 1e-6), interpolation="nearest")
    if len(names) <= 60:
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=5)
        axis.set_yticks(range(len(names)), names, fontsize=5)
    axis.set_xlabel("answers")
    axis.set_ylabel(f"is given {screen.drive or '20'} pA")
    figure.colorbar(image, label="change of voltage (mV)")
    return figure
