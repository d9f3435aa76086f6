"""All bouts of an assay beside those of the recorded fish: distances of their distributions, and a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._bouts import KINDS, distance, recorded, spread

DRAWS = 500
LABELS = {
    "interval_s": "interval from bout to bout (s)",
    "displacement_mm": "displacement (mm)",
    "turn_deg": "size of turn (deg)",
}
_MOST = {"interval_s": 3.0, "displacement_mm": 5.0, "turn_deg": 120.0}  # of the axes


def earth_mover(a: Array, b: Array) -> float:
    """Wasserstein's first distance of sizes, in their unit."""
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(np.abs(a), np.abs(b))) if len(a) and len(b) else math.nan


def pooled(fish: Sequence[Mapping[str, Sequence[float]]], seed: int = 0) -> list[dict[str, Any]]:
    """One dict for each of `KINDS`: kind, bouts (simulated), recorded (bouts), ks and wasserstein: value (all simulated
    against all recorded bouts), low95, high95, fish_low, fish_high (95 % of single recorded fish, from the others).

    fish: `bouts_of` each simulated fish. Intervals are from a bootstrap over fish, simulated and recorded ones. Raises
    DataError where the recordings were not fetched.
    """
    rng, out = np.random.default_rng(seed), []
    for kind in KINDS:
        ours = [np.asarray(f.get(kind, ())) for f in fish]
        real = list(recorded()[kind])
        row: dict[str, Any] = {"kind": kind, "bouts": sum(map(len, ours)), "recorded": sum(map(len, real))}
        draws = [([ours[i] for i in rng.integers(len(ours), size=len(ours))],
                  [real[i] for i in rng.integers(len(real), size=len(real))]) for _ in range(DRAWS)]  # fmt: skip
        measures: dict[str, Callable[[Array, Array], float]] = {"ks": distance, "wasserstein": earth_mover}
        for name, far in measures.items():
            drawn = [far(np.concatenate(a), np.concatenate(b)) for a, b in draws]
            low, high = np.nanpercentile(drawn, [2.5, 97.5]) if row["bouts"] else (math.nan, math.nan)
            between = np.percentile(spread(kind, far), [2.5, 97.5])
            row[name] = {
                "value": far(np.concatenate(ours), np.concatenate(real)), "low95": float(low), "high95": float(high),
                "fish_low": float(between[0]), "fish_high": float(between[1]),
            }  # fmt: skip
        out.append(row)
    return out


def text(rows: Sequence[Mapping[str, Any]]) -> str:
    """`pooled` for people."""
    lines = []
    for r in rows:
        parts = [
            f"{label} {r[key]['value']:.3g} ({r[key]['low95']:.3g} to {r[key]['high95']:.3g}; single recorded fish "
            f"{r[key]['fish_low']:.2g} to {r[key]['fish_high']:.2g})"
            for key, label in (("ks", "KS"), ("wasserstein", "Wasserstein"))
        ]
        lines.append(f"  {r['kind']:16} {r['bouts']} bouts and {r['recorded']} recorded: {'; '.join(parts)}")
    return "\n".join(lines)


def draw(fish: Sequence[Mapping[str, Sequence[float]]], path: Path) -> None:
    """A picture of the three cumulative distributions: every recorded fish, all of them, and the simulated ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for ax, kind in zip(figure.subplots(1, 3), KINDS, strict=True):
        real = recorded()[kind]
        for one in real:
            _steps(ax, one, color="0.8", linewidth=0.8)
        _steps(ax, np.concatenate(real), color="black", label=f"{len(real)} recorded fish")
        ours = np.concatenate([np.asarray(f.get(kind, ())) for f in fish])
        _steps(ax, ours, color="tab:red", label=f"{len(fish)} simulated, {len(ours)} bouts")
        ax.set(xlabel=LABELS[kind], xlim=(0, _MOST[kind]), ylim=(0, 1))
    figure.axes[0].set_ylabel("share of bouts below")
    figure.axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def _steps(ax: Any, values: Array, **style: Any) -> None:
    x = np.sort(np.abs(values))
    ax.step(x, np.arange(1, len(x) + 1) / max(len(x), 1), where="post", **style)
