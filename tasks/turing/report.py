"""The report: one HTML page that needs nothing else, from a scorecard and what it shows beside numbers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bestiary.tasks.turing import drawing
from bestiary.tasks.turing.definitions import LEVELS


def html(card: Mapping[str, Any], exhibits: Mapping[str, Any], beside: Sequence[Mapping[str, Any]] = ()) -> str:
    """card: of `suite.examine`. exhibits: series to show. beside: scorecards of other animals, for the matrix."""
    import jinja2

    folder = Path(__file__).parent
    loader = jinja2.FileSystemLoader(folder)
    env = jinja2.Environment(
        loader=loader, autoescape=jinja2.select_autoescape(["j2"]), trim_blocks=True, lstrip_blocks=True
    )
    env.filters["number"] = drawing.number
    env.tests["contains_key"] = lambda table, key: key in table
    cards = [card, *(c for c in beside if c["animal"] != card["animal"])]
    tests = card["tests"]
    return env.get_template("report.html.j2").render(
        card=card,
        cards=cards,
        LEVELS=LEVELS,
        colours=drawing.COLOURS,
        forests={k: drawing.forest([t for t in tests if t["level"] == k and k != "A"]) for k in LEVELS},
        judged=_judged(tests, exhibits),
        lineup=_lineup(exhibits, str(card["model_sha256"]) if "model_sha256" in card else ""),
        not_run=[t for t in tests if str(t["verdict"]) == "NOT-RUN"],
        ran=[t for t in tests if str(t["verdict"]) != "NOT-RUN"],
        perturbations=next((t["detail"]["table"] for t in tests if t["detail"].get("table")), []),
        said=_said(tests),
        robust=next((t["detail"] for t in tests if t["id"] == "F.mean" and t["detail"].get("by_change")), None),
        references=_references(tests),
    )


def _judged(tests: Sequence[Mapping[str, Any]], exhibits: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = {t["id"]: t for t in tests}
    out = []
    for key, detail in exhibits.get("judged", {}).items():
        out.append(
            {
                **rows[key],
                "roc": drawing.roc(detail["roc"][0], detail["roc"][1], f"ROC, {key}"),
                "bars": drawing.bars(detail["gave_it_away"][:6]),
                "p": detail["p"],
                "units": detail["units"],
            }
        )
    return out


def _lineup(exhibits: Mapping[str, Any], seed: str) -> dict[str, Any] | None:
    """Recorded and simulated animals side by side without their names, and the key."""
    if not exhibits.get("real") or not exhibits.get("model"):
        return None
    channels, rate = exhibits["channels"], exhibits["rate_Hz"]
    every = [(x, True) for x in exhibits["real"]] + [(x, False) for x in exhibits["model"]]
    stack = np.concatenate([x for x, real in every if real])
    scale = np.nanquantile(stack, [0.01, 0.99], axis=0).T
    scale = np.stack([scale[:, 0] - 0.3 * np.ptp(scale, 1), scale[:, 1] + 0.3 * np.ptp(scale, 1)], 1)
    paths = [drawing.path_of(x, channels, rate) for x, _ in every]
    span = max((float(np.ptp(p, 0).max()) for p in paths if p is not None), default=0.0)
    order = np.random.default_rng(int(hashlib.sha256(seed.encode()).hexdigest()[:8], 16)).permutation(len(every))
    return {
        "traces": [drawing.trace(every[i][0], channels, rate, scale, span or None) for i in order],
        "key": ["recorded" if every[i][1] else "simulated" for i in order],
        "span_mm": span,
        "seconds": max(len(x) for x, _ in every) / rate,
    }


def _said(tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Notes that three tests or more share: they are shown once."""
    count = Counter(note for t in tests for note in t["notes"])
    return [note for note, n in count.items() if n > 2]


def _references(tests: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    seen: dict[str, Mapping[str, Any]] = {}
    for t in tests:
        if t["reference"]["name"] != "none":
            seen.setdefault(t["reference"]["name"], t["reference"])
    return list(seen.values())
