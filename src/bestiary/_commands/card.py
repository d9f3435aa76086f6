"""`bestiary card ANIMAL`: what is measured, fitted, assumed, added, and left out."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import bestiary
from bestiary._commands._show import Outcome, known_animal, table
from bestiary.errors import DataError

DIMENSIONS = (
    "connectivity",
    "percentage of neurons",
    "cell types",
    "plasticity",
    "neuronal accuracy",
    "neuromodulation",
    "temporal resolution",
    "behaviour complexity",
    "personality",
    "learning horizon",
)
UNSUMMED = "in and out of distribution"


def command(options: Any) -> Outcome:
    known_animal(options.animal, "interfaces")
    interface = bestiary.load("interfaces", options.animal)
    wiring, computed = _wiring(options.animal, options.connectome)
    parameters = _parameters(options.animal)
    computed["temporal resolution"] = _resolution(float(interface.CLOCK["brain"]))
    declared = _declared(options.animal)
    rubric = {}
    for name in (*DIMENSIONS, UNSUMMED):
        said = declared["rubric"].get(name, {"level": 0, "evidence": "not declared"})
        counts = [level for level in (said["level"], computed.get(name)) if level is not None]
        rubric[name] = {
            "declared": said["level"],
            "computed": computed.get(name),
            "published": min(counts),
            "evidence": said["evidence"],
        }
    total = sum(rubric[name]["published"] for name in DIMENSIONS)
    report = {
        "animal": options.animal,
        "wiring": wiring,
        "parameters": {name: {**row, "origin": _origin(row)} for name, row in parameters.items()},
        "components": getattr(interface, "COMPONENTS", {}),
        "rubric": rubric,
        "rubric_sum": total,
        "left_out": declared.get("left_out", []),
    }
    return Outcome(report, _text(report))


def _wiring(animal: str, name: str | None) -> tuple[dict[str, Any], dict[str, int | None]]:
    """(shares of edges by what they rest on, levels of the rubric that can be computed from the table)."""
    import numpy as np

    from bestiary.brains.connectome import load_connectome

    connectome = load_connectome(animal, name)
    signed = np.isin(connectome.kind.text(), ("chemical", "neuromuscular"))

    def shares(labels: Any, which: Any) -> dict[str, dict[str, float]]:
        """Share of edges, and of their weight, for each word."""
        text, weight = labels.text()[which], connectome.weight[which]
        return {
            str(word or "none"): {
                "edges": float((text == word).mean()),
                "weight": float(weight[text == word].sum() / weight.sum()),
            }
            for word in np.unique(text)
        }

    every = np.ones(connectome.n_edges, bool)
    measured = shares(connectome.provenance, every).get("EM_cell", {"edges": 0.0})["edges"]
    wired = np.unique(np.concatenate([connectome.pre, connectome.post]))
    neurons = len(connectome.neurons)
    part = float(np.isin(connectome.neurons, wired).sum() / neurons)
    levels: dict[str, int | None] = {
        "connectivity": 3 if measured >= 0.99 else 2 if measured >= 0.5 else 1 if measured > 0 else 0,
        "percentage of neurons": 3 if part >= 0.9 and len(connectome.muscles) else 2 if part >= 0.9 else 1,
    }
    wiring = {
        "source": connectome.source,
        "neurons": neurons,
        "neurons_with_edges": part,
        "muscles": len(connectome.muscles),
        "edges": connectome.kind.counts(),
        "provenance": shares(connectome.provenance, every),
        "signs_by": shares(connectome.sign_by, signed),
    }
    return wiring, levels


def _resolution(brain_s: float) -> int:
    """The rubric's level for a brain step: 0.1 s and more is slow, a few milliseconds see a spike; 3 needs parts of a
    cell at microseconds, which no point neuron has."""
    return 1 if brain_s > 5e-3 else 2


def _file(animal: str, name: str) -> Path | None:
    places = (Path(place) / "assets" / animal / name for place in bestiary.__path__)
    return next((file for file in places if file.is_file()), None)


def _parameters(animal: str) -> dict[str, dict[str, Any]]:
    if (file := _file(animal, "parameters.json")) is None:
        return {}
    try:
        return json.loads(file.read_text(encoding="utf-8"))["parameters"]  # type: ignore[no-any-return]
    except (ValueError, KeyError) as error:
        raise DataError(f"{file} is damaged ({error}); reinstall bestiary") from error


def _declared(animal: str) -> dict[str, Any]:
    if (file := _file(animal, "card.toml")) is None:
        return {"rubric": {}}
    with open(file, "rb") as toml:
        return tomllib.load(toml)


def _origin(parameter: dict[str, Any]) -> str:
    """Where a value comes from: "fitted", "assumed" (its source says so) or "from a source"."""
    if parameter.get("fitted_to"):
        return "fitted"
    return "assumed" if "assumed" in parameter.get("source", "assumed") else "from a source"


def _text(report: dict[str, Any]) -> str:
    wiring = report["wiring"]

    def percent(shares: dict[str, Any]) -> str:
        ranked = sorted(shares.items(), key=lambda item: -item[1]["edges"])
        return ", ".join(f"{k} {100 * v['edges']:.1f} % ({100 * v['weight']:.1f} % of weight)" for k, v in ranked)

    parameters = report["parameters"]
    origin = Counter(map(_origin, parameters.values()))
    rows = [
        (name, p["value"], p.get("unit"), ("fitted to " + p["fitted_to"]) if p.get("fitted_to") else p.get("source"))
        for name, p in parameters.items()
    ]
    levels = [
        (name, r["published"], r["declared"], r["computed"], r["evidence"]) for name, r in report["rubric"].items()
    ]
    parts = [
        report["animal"],
        f"wiring: {wiring['source']}",
        table(
            [
                ("neurons", f"{wiring['neurons']}, {100 * wiring['neurons_with_edges']:.1f} % with edges"),
                ("muscles", str(wiring["muscles"])),
                ("edges", ", ".join(f"{k} {v}" for k, v in wiring["edges"].items())),
                ("edges rest on", percent(wiring["provenance"])),
                ("signs rest on", percent(wiring["signs_by"])),
            ]
        ),
        f"parameters: {len(parameters)}, " + ", ".join(f"{n} {word}" for word, n in origin.items()),
        table(rows),
        "beside the wiring, each can be taken out with --without NAME",
        table(report["components"].items()) if report["components"] else "  nothing",
        f"emulation rubric, 0 to 3: sum {report['rubric_sum']} of 30; the lower of declared and computed counts",
        table(levels, ("dimension", "level", "declared", "computed", "evidence")),
        f"  ({UNSUMMED} is not summed)",
        "left out",
        "\n".join(f"  {line}" for line in report["left_out"]) or "  not declared",
    ]
    return "\n".join(parts)
