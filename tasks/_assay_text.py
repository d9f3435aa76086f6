"""Results as text in at most 120 columns, and as plain data for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def number(value: Any) -> str:
    """Three figures, or "-"."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of any results' rows in at most 120 columns."""
    lines = [f"{'id':5} {'quantity':40} {'measured [95 %]':27} {'published':24} {'unit':7} verdict", "-" * 120]
    for r in rows:
        measured = f"{number(r['value'])} [{number(r['low95'])}, {number(r['high95'])}]"
        low, high = r["published_low"], r["published_high"]
        limits = f" ({number(low)} to {number(high)})" if low is not None or high is not None else ""
        published = f"{number(r['published'])}{limits}"
        line = (
            f"{r['id']:5} {cut(r['quantity'], 40):40} {cut(measured, 27):27} {cut(published, 24):24} "
            f"{cut(r['unit'], 7):7} {r['verdict']}"
        )
        lines.append(cut(line, 120))
    return "\n".join(lines)


def plain(value: Any) -> Any:
    """For JSON: NaN and infinity become None, tuples lists."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
