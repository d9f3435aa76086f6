"""What an optic lobe prefers: the direction selectivity of its types, from edges that no fit has seen."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from bestiary.brains import _optic_movies as movies
from bestiary.brains._optic_lobe import DT_S, MOTION, Lobe

Array = np.ndarray[Any, np.dtype[Any]]

# Maisak 2013 Nature 500:212: a front to back, b back to front, c up, d down; T4 bright, T5 dark edges
PREFERRED_DEG = dict(zip("abcd", (180.0, 0.0, 90.0, 270.0), strict=True))
ANGLES = 12
SPEEDS = (3.6, 9.2, 18.0)  # columns/s: 19, 49, 95 deg/s
_LEAD_S = 0.3


def edge_responses(
    lobe: Lobe, types: Iterable[str] = MOTION, speeds: Iterable[float] = SPEEDS, angles: int = ANGLES
) -> dict[str, Array]:
    """Type -> (2, angles, speeds): the peak of relu(v) above its value in grey, mean over the seven central columns,
    to dark (0) and bright (1) edges. Angle k points to k / angles of a turn: 0 forwards, a quarter up."""
    types, speeds = tuple(types), tuple(speeds)
    centre = np.flatnonzero(np.abs(np.stack([*lobe.axial.T, lobe.axial.sum(1)])).max(0) <= 1)
    grey = lobe.start(0.5)
    found = {name: np.zeros((2, angles, len(speeds))) for name in types}
    rows = np.array([lobe.wiring.row(name) for name in types])
    spots = lobe.place[centre]
    rest = np.maximum(grey[np.ix_(rows, spots)], 0)
    for bright in (0, 1):
        for k in range(angles):
            for s, speed in enumerate(speeds):
                film = movies.edge(lobe.axial, 2 * math.pi * k / angles, speed, bool(bright), lobe.dt_s, _LEAD_S)
                v, peak = grey, np.zeros_like(rest)
                for frame in film:
                    v = lobe.advance(v, lobe.lit(frame))
                    peak = np.maximum(peak, np.maximum(v[np.ix_(rows, spots)], 0) - rest)
                for name, value in zip(types, peak.mean(1), strict=True):
                    found[name][bright, k, s] = value
    return found


def tuning(response: Array) -> tuple[float, float]:
    """(direction selectivity 0..1, preferred direction in deg) of responses (angles, ...): |sum r e^{i a}| / sum r."""
    r = response.reshape(len(response), -1).mean(1)
    vector = (r * np.exp(2j * np.pi * np.arange(len(r)) / len(r))).sum() / max(r.sum(), 1e-12)
    return float(abs(vector)), float(np.degrees(np.angle(vector)) % 360)


def direction_table(lobe: Lobe, **options: Any) -> list[dict[str, Any]]:
    """One row for each T4 and T5: preferred polarity, and at that polarity dsi, direction_deg and how far it is from
    the published one. on_share: bright / (bright + dark) of the best responses."""
    rows = []
    for name, found in edge_responses(lobe, **options).items():
        bright = int(name.startswith("T4"))
        best = found.mean(2).max(1)
        dsi, angle = tuning(found[bright])
        away = abs((angle - PREFERRED_DEG[name[-1]] + 180) % 360 - 180)
        rows.append(
            {
                "type": name,
                "edge": "bright" if bright else "dark",
                "dsi": dsi,
                "direction_deg": angle,
                "published_deg": PREFERRED_DEG[name[-1]],
                "off_by_deg": away,
                "on_share": float(best[1] / max(best.sum(), 1e-12)),
                "peak": float(best[bright]),
            }
        )
    return rows


def loom_responses(
    part: Any, retina: Array, ratios_s: Iterable[float] = (0.01, 0.02, 0.04, 0.08)
) -> list[dict[str, Any]]:
    """Dark discs on a collision course from the left (69 deg, 11 deg up), one row for each l/v: `lv_s`, and for LC4 and
    LPLC2 of each side `<type>_<side>_Hz`, the best cell's peak, and `_sum_Hz`, the peak of all. retina (2, n, 3)."""
    rows = []
    for ratio in ratios_s:
        state, rates = part.init(0), []
        for frame in movies.looming(retina, np.array([math.cos(1.2), math.sin(1.2), 0.2]), ratio, DT_S):
            for _ in range(part.every):
                state = part.advance(state, part.lit(frame))
            rates.append(part.rate_Hz(state))
        row: dict[str, Any] = {"lv_s": ratio}
        for kind in ("LC4", "LPLC2"):
            for side in "LR":
                found = np.array(rates)[:, part.table.select(f"type={kind} & side={side}")]
                row[f"{kind}_{side}_Hz"] = float(found.max())
                row[f"{kind}_{side}_sum_Hz"] = float(found.sum(1).max())
        rows.append(row)
    return rows
