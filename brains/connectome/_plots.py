"""Pictures of a connectome. matplotlib is imported when one is drawn. Each returns the axes it drew on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bestiary.brains.connectome._core import UNDIRECTED, Connectome, Query


def _axes(ax: Any, size: tuple[float, float]) -> Any:
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=size, layout="constrained").add_subplot()
    return ax


def plot_adjacency(c: Connectome, kind: str | Sequence[str] = "chemical", by: str = "types", ax: Any = None) -> Any:
    """Summed signed weight from class to class (symmetric logarithm): rows presynaptic. by: a neuron column."""
    import scipy.sparse

    words, code = np.unique(getattr(c, by), return_inverse=True)
    group = scipy.sparse.csr_array((np.ones(len(c)), (code, np.arange(len(c)))), shape=(len(words), len(c)))
    table = (group @ c.matrix(kind, signed=True) @ group.T).toarray()
    ax = _axes(ax, (8, 7))
    limit = np.log1p(abs(table)).max() or 1
    image = ax.imshow(
        np.sign(table) * np.log1p(abs(table)), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest"
    )
    ax.figure.colorbar(image, ax=ax, label="sign x ln(1 + weight)")
    step = max(1, len(words) // 60)
    ax.set_xticks(range(0, len(words), step), words[::step], rotation=90, fontsize=6)
    ax.set_yticks(range(0, len(words), step), words[::step], fontsize=6)
    ax.set(xlabel="postsynaptic", ylabel="presynaptic", title=c.source.split(":")[0])
    return ax


def plot_degrees(c: Connectome, kind: str = "chemical", ax: Any = None) -> Any:
    """How many nodes have at least so many partners, in and out, on logarithmic axes."""
    at = c.kind.mask(kind)
    ends = {"out": c.pre[at], "in": c.post[at]}
    if kind in UNDIRECTED:
        ends = {"partners": np.concatenate([c.pre[at], c.post[at]])}
    ax = _axes(ax, (5, 4))
    for label, rows in ends.items():
        degree = np.sort(np.bincount(rows, minlength=len(c)))
        ax.step(degree[degree > 0], np.arange(len(degree), 0, -1)[degree > 0], where="post", label=label)
    ax.set(xscale="log", yscale="log", xlabel=f"{kind} degree", ylabel="nodes with at least this degree")
    ax.legend()
    return ax


def plot_paths(
    c: Connectome,
    pre: Query,
    post: Query,
    *,
    hops: int = 3,
    kind: str | Sequence[str] = "chemical",
    top: int = 15,
    ax: Any = None,
) -> Any:
    """The strongest paths (`Connectome.paths`) drawn from left to right; red excites, blue inhibits."""
    found = c.paths(pre, post, hops=hops, kind=kind, top=top)
    row = {str(name): i for i, name in enumerate(c.ids)}
    column: dict[str, int] = {}
    for _, path in found:
        for i, name in enumerate(path):
            column[name] = max(column.get(name, 0), i)
    for _, path in found:
        column[path[-1]] = hops
    place: dict[str, tuple[int, float]] = {}
    for i in sorted(set(column.values())):
        here = [n for n, k in column.items() if k == i]
        place |= {n: (i, j - (len(here) - 1) / 2) for j, n in enumerate(here)}
    ax = _axes(ax, (7, 5))
    signed = c.matrix(kind, signed=True)
    for a, b in dict.fromkeys((p[i], p[i + 1]) for _, p in found for i in range(len(p) - 1)):
        value = float(signed[row[a], row[b]])
        arrow = {
            "arrowstyle": "->",
            "color": "tab:red" if value > 0 else "tab:blue",
            "lw": 0.5 + np.log1p(abs(value)) / 2,
        }
        ax.annotate("", place[b], place[a], arrowprops=arrow)
    for name, (x, y) in place.items():
        ax.text(x, y, name, ha="center", va="center", fontsize=8, bbox={"boxstyle": "round", "fc": "white", "lw": 0.5})
    heights = [y for _, y in place.values()] or [0.0]
    ax.set(xlim=(-0.5, hops + 0.5), ylim=(min(heights) - 1, max(heights) + 1))
    ax.set_axis_off()
    return ax
