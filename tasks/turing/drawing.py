"""Figures of the report as inline SVG: no scripts, no fonts of their own, sharp in print."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

COLOURS = {
    "PASS": "#1a7f4b",
    "FAIL": "#b3261e",
    "INCONCLUSIVE": "#946200",
    "INVALID": "#6b3fa0",
    "NOT-RUN": "#6e7781",
}
_REAL, _MODEL = "#1f5fa8", "#c2571a"
_LEFT, _RIGHT = -0.6, 3.0
_ORIGIN = {
    "C": 1.0,
    "F": 1.0,
    "B.correlations": 1.0,
    "E.habituation": -0.5,
    "E.conditioning": 1.0,
    "E.extinction": -1.0,
    "E.retention": 1.0,
}


def place(row: Mapping[str, Any], value: float | None) -> float | None:
    """Where a value stands between the animals (0) and the margin (1); both margins of a two-sided test are 1."""
    if value is None or not math.isfinite(value):
        return None
    low, high = (row["margin"].get(k) for k in ("low", "high"))
    low = None if low is None or not math.isfinite(low) else low
    high = None if high is None or not math.isfinite(high) else high
    origin = _ORIGIN.get(row["id"], _ORIGIN.get(row["level"]))
    if origin is None:
        origin = 0.5 if ".turing." in row["id"] else 0.0
    if low is not None and high is not None:
        return value / high if value > 0 else value / low
    edge = high if high is not None else low
    return None if edge is None or edge == origin else (value - origin) / (edge - origin)


def forest(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line a test: value and bounds, the band of animals among themselves, controls as diamonds, margin at 1."""
    shown = [r for r in rows if r["verdict"] != "NOT-RUN" and place(r, r["value"]) is not None]
    if not shown:
        return ""
    step, left, width, right = 30, 150, 560, 190
    height = step * len(shown) + 46

    def x(v: float) -> float:
        return left + (min(max(v, _LEFT), _RIGHT) - _LEFT) / (_RIGHT - _LEFT) * width

    out = [
        f'<svg viewBox="0 0 {left + width + right} {height}" role="img" '
        'aria-label="Distance from the animals, test by test" class="forest">'
    ]
    top, foot = 8, height - 38
    out.append(
        f'<rect x="{x(_LEFT):.1f}" y="{top}" width="{x(1) - x(_LEFT):.1f}" height="{foot - top}" fill="#eaf5ee"/>'
    )
    for v, text in ((0, "like another animal"), (1, "margin"), (2, "twice"), (3, "3 times and more")):
        colour = "#1a7f4b" if v == 1 else "#c9ced6"
        out.append(
            f'<line x1="{x(v):.1f}" x2="{x(v):.1f}" y1="{top}" y2="{foot}" stroke="{colour}" '
            f'stroke-width="{2 if v == 1 else 1}"/>'
        )
        anchor = "end" if v == 3 else "middle"
        out.append(f'<text x="{x(v):.1f}" y="{foot + 16}" text-anchor="{anchor}" class="tick">{text}</text>')
    for i, r in enumerate(shown):
        y = top + step * (i + 0.5)
        colour = COLOURS[str(r["verdict"])]
        out.append(f'<text x="{left - 10}" y="{y + 4:.1f}" text-anchor="end" class="name">{escape(r["id"])}</text>')
        if r.get("floor"):
            ends = sorted(e for e in (place(r, v) for v in r["floor"]) if e is not None)
            if len(ends) == 2:
                out.append(
                    f'<rect x="{x(ends[0]):.1f}" y="{y - 8:.1f}" width="{max(x(ends[1]) - x(ends[0]), 1.5):.1f}" '
                    f'height="16" fill="{_REAL}" opacity="0.18"/>'
                )
        for k, c in r["controls"].items():
            if (at := place(r, c["value"])) is not None:
                required = k in r["must_fail"]
                fill = COLOURS["FAIL"] if str(c["verdict"]) == "PASS" and required else "#ffffff"
                cx = x(at)
                out.append(
                    f'<path d="M{cx:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z" fill="{fill}" '
                    f'stroke="{"#333a44" if required else "#aab2bd"}"><title>{escape(k)}: {c["value"]:.3g}, '
                    f"{c['verdict']}{', must not pass' if required else ''}</title></path>"
                )
        sides = [e for e in (place(r, r[k]) for k in ("low95", "high95")) if e is not None]
        if len(sides) == 2:
            if r["low95"] < 0 < r["high95"] and all(abs(m) < math.inf for m in r["margin"].values()):
                sides.append(0.0)  # two margins, folded onto one axis
            a, *_, b = sorted(x(e) for e in sides)
            out.append(
                f'<line x1="{a:.1f}" x2="{b:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="3"/>'
            )
        here = place(r, r["value"])
        assert here is not None
        out.append(f'<circle cx="{x(here):.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>')
        out.append(
            f'<text x="{left + width + 12}" y="{y + 4:.1f}" style="fill: {colour}" class="verdict">'
            f"{r['verdict']}</text>"
        )
        out.append(
            f'<text x="{left + width + right - 4}" y="{y + 4:.1f}" text-anchor="end" class="tick">'
            f"{number(r['value'])}</text>"
        )
    out.append("</svg>")
    return "".join(out)


def number(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def roc(false: Sequence[float], true: Sequence[float], title: str) -> str:
    """One receiver operating curve."""
    size, pad = 150, 26
    points = " ".join(f"{pad + size * f:.1f},{8 + size * (1 - t):.1f}" for f, t in zip(false, true, strict=True))
    return (
        f'<svg viewBox="0 0 {size + pad + 10} {size + 44}" class="roc" role="img" aria-label="{escape(title)}">'
        f'<rect x="{pad}" y="8" width="{size}" height="{size}" fill="#fff" stroke="#c9ced6"/>'
        f'<line x1="{pad}" y1="{8 + size}" x2="{pad + size}" y2="8" stroke="#c9ced6" stroke-dasharray="4 4"/>'
        f'<polyline points="{points}" fill="none" stroke="{_MODEL}" stroke-width="2.5"/>'
        f'<text x="{pad + size / 2}" y="{size + 24}" text-anchor="middle" class="tick">animals mistaken</text>'
        f'<text transform="translate(12 {8 + size / 2}) rotate(-90)" text-anchor="middle" class="tick">'
        "model found out</text></svg>"
    )


def path_of(values: Any, channels: Sequence[str], rate_Hz: float) -> Any:
    """(T, 2) path in mm from speed and rate of turning, for both kinds of animal alike; None without these channels."""
    if "speed_mm_per_s" not in channels or "turn_rad_per_s" not in channels:
        return None
    speed = np.nan_to_num(values[:, list(channels).index("speed_mm_per_s")])
    heading = np.cumsum(np.nan_to_num(values[:, list(channels).index("turn_rad_per_s")])) / rate_Hz
    return np.cumsum(np.stack([speed * np.cos(heading), speed * np.sin(heading)], 1), 0) / rate_Hz


def trace(values: Any, channels: Sequence[str], rate_Hz: float, scale: Any, span_mm: float | None) -> str:
    """One animal, unnamed: its path and every channel over time. scale (F, 2): low and high of each channel."""
    wide, tall, map_size = 330, 42, 132
    path = path_of(values, channels, rate_Hz) if span_mm else None
    shown = list(channels)[:4]
    left = map_size + 16 if path is not None else 0
    height = max(map_size if path is not None else 0, tall * len(shown)) + 6
    out = [f'<svg viewBox="0 0 {left + wide} {height}" class="trace" role="img" aria-label="one animal">']
    if path is not None and span_mm:
        middle = (path.max(0) + path.min(0)) / 2
        xy = map_size / 2 + (path - middle) / span_mm * (map_size - 10)
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in xy[:: max(1, len(xy) // 400)])
        out.append(f'<rect x="0.5" y="0.5" width="{map_size}" height="{map_size}" fill="#fff" stroke="#c9ced6"/>')
        out.append(f'<polyline points="{line}" fill="none" stroke="#333a44" stroke-width="1.4"/>')
        out.append(f'<circle cx="{xy[0, 0]:.1f}" cy="{xy[0, 1]:.1f}" r="3" fill="#333a44"/>')
    t = np.linspace(0, wide - 2, len(values))
    for i, name in enumerate(shown):
        low, high = scale[i]
        top = tall * i
        y = top + tall - 4 - (np.clip(values[:, i], low, high) - low) / max(high - low, 1e-12) * (tall - 20)
        out.append(f'<text x="{left + 2}" y="{top + 9}" class="small">{escape(name)}</text>')
        for part in _pieces(t, y):
            out.append(
                f'<polyline points="{part}" transform="translate({left} 0)" fill="none" stroke="#333a44" '
                'stroke-width="1"/>'
            )
    out.append("</svg>")
    return "".join(out)


def _pieces(t: Any, y: Any) -> list[str]:
    """Polylines, broken where a value is missing."""
    out, now = [], []
    thin = max(1, len(t) // 600)
    for a, b in zip(t[::thin], y[::thin], strict=True):
        if math.isfinite(b):
            now.append(f"{a:.1f},{b:.1f}")
        elif now:
            out.append(" ".join(now))
            now = []
    if now:
        out.append(" ".join(now))
    return out


def bars(features: Sequence[tuple[str, float]]) -> str:
    """What gave it away: names with shares."""
    wide, step = 310, 19
    most = max((w for _, w in features), default=1.0) or 1.0
    out = [
        f'<svg viewBox="0 0 {wide} {step * len(features) + 4}" class="bars" role="img" aria-label="what gave it away">'
    ]
    for i, (name, w) in enumerate(features):
        y = step * i
        out.append(
            f'<rect x="0" y="{y + 2}" width="{w / most * 90:.1f}" height="{step - 6}" fill="{_MODEL}" opacity="0.75"/>'
        )
        out.append(f'<text x="96" y="{y + 13}" class="small">{escape(str(name))}</text>')
    out.append("</svg>")
    return "".join(out)
