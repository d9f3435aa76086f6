"""`bestiary card ANIMAL`: what is measured, fitted, assumed, added, and left out."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import bestiary
from bestiary import assets
from bestiary._commands._show import Outcome, known_animal, table
from bestiary.errors import DataError
from bestiary.tasks.turing.rubric import DIMENSIONS, UNSUMMED


def command(options: Any) -> Outcome:
    known_animal(options.animal, "interfaces")
    interface = bestiary.load("interfaces", options.animal)
    declared = _declared(options.animal)
    wiring, computed = _wiring(options.animal, options.connectome, declared.get("neurons"))
    parameters = _parameters(options.animal)
    computed["temporal resolution"] = _resolution(float(interface.CLOCK["brain"]))
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


def _wiring(animal: str, name: str | None, neurons_known: int | None) -> tuple[dict[str, Any], dict[str, int | None]]:
    """(what each part of the brain rests on, levels of the rubric that can be computed from the tables).

    neurons_known: of the whole animal, by the card; None: the table is all of it.
    """
    import numpy as np

    from bestiary.brains.connectome import load_connectome, read_connectome

    brains = bestiary.load("brains", animal)
    if name is not None and Path(name).is_file():
        tables = {"": read_connectome(name)}
    else:
        tables = brains.tables(name) if hasattr(brains, "tables") else {"": load_connectome(animal, name)}
    parts = {part: _part(connectome) for part, connectome in tables.items()}
    edges = max(sum(c.n_edges for c in tables.values()), 1)
    measured = sum(int(c.provenance.mask("EM_cell").sum()) for c in tables.values()) / edges
    wired = sum(len(np.unique(np.concatenate([c.pre, c.post]))) - len(c.muscles) for c in tables.values())
    part = wired / (neurons_known or sum(len(c.neurons) for c in tables.values()))
    muscles = any(len(c.muscles) for c in tables.values())
    levels: dict[str, int | None] = {
        "connectivity": 3 if measured >= 0.99 else 2 if measured >= 0.5 else 1 if measured > 0 else 0,
        "percentage of neurons": (3 if muscles else 2) if part >= 0.9 else 1 if part >= 0.01 else 0,
    }
    wiring = {"parts": parts, "edges_measured": measured, "neurons_simulated": part}
    return wiring, levels


def _part(connectome: Any) -> dict[str, Any]:
    """One part's size, and shares of its edges by what they and their signs rest on."""
    import numpy as np

    signed = np.isin(connectome.kind.text(), ("chemical", "neuromuscular"))
    wired = np.unique(np.concatenate([connectome.pre, connectome.post]))
    return {
        "source": connectome.source,
        "neurons": len(connectome.neurons),
        "neurons_with_edges": float(np.isin(connectome.neurons, wired).mean()),
        "muscles": len(connectome.muscles),
        "edges": connectome.kind.counts(),
        "provenance": _shares(connectome, connectome.provenance, np.ones(connectome.n_edges, bool)),
        "signs_by": _shares(connectome, connectome.sign_by, signed),
    }


def _shares(connectome: Any, labels: Any, which: Any) -> dict[str, dict[str, float]]:
    """Share of edges, and of their weight, for each word."""
    import numpy as np

    text, weight = labels.text()[which], connectome.weight[which]
    total = max(float(weight.sum()), 1e-30)
    return {
        str(word or "none"): {
            "edges": float((text == word).mean()),
            "weight": float(weight[text == word].sum() / total),
        }
        for word in np.unique(text)
    }


def _resolution(brain_s: float) -> int:
    """The rubric's level for a brain step: 0.1 s and more is slow, a few milliseconds see a spike; 3 needs parts of a
    cell at microseconds, which no point neuron has."""
    return 1 if brain_s > 5e-3 else 2


def _parameters(animal: str) -> dict[str, dict[str, Any]]:
    if (file := assets.find(animal, "parameters.json")) is None:
        return {}
    try:
        return json.loads(file.read_text(encoding="utf-8"))["parameters"]
    except (ValueError, KeyError) as error:
        raise DataError(f"{file} is damaged ({error}); reinstall bestiary") from error


def _declared(animal: str) -> dict[str, Any]:
    if (file := assets.find(animal, "card.toml")) is None:
        return {"rubric": {}}
    with open(file, "rb") as toml:
        return tomllib.load(toml)


def _origin(parameter: dict[str, Any]) -> str:
    """Where a value comes from: "fitted", "assumed" (its source says so) or "from a source"."""
    if parameter.get("fitted_to"):
        return "fitted"
    return "assumed" if "assumed" in parameter.get("source", "assumed") else "from a source"


def _part_text(name: str, part: dict[str, Any], percent: Any) -> str:
    rows = [
        ("neurons", f"{part['neurons']}, {100 * part['neurons_with_edges']:.1f} % with edges"),
        *([("muscles", str(part["muscles"]))] if part["muscles"] else []),
        ("edges", ", ".join(f"{k} {v}" for k, v in part["edges"].items()) or "none"),
        ("edges rest on", percent(part["provenance"])),
        ("signs rest on", percent(part["signs_by"])),
    ]
    return f"{name or 'wiring'}: {part['source']}\n{table([r for r in rows if r[1]])}"


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
        *(_part_text(name, part, percent) for name, part in wiring["parts"].items()),
        f"parameters: {len(parameters)}, " + ", ".join(f"{n} {word}" for word, n in origin.items()),
        table(rows),
        "beside the wiring, each can be taken out with --without NAME",
        table(report["components"].items()) if report["components"] else "  nothing",
        f"emulation rubric, 0 to 3: sum {report['rubric_sum']} of 30; the lower of declared and computed counts",
        table(levels, ("dimension", "level", "declared", "computed", "evidence")),
        f"  ({UNSUMMED} is not summed; `bestiary turing {report['animal']} --level A` runs the model and sees more)",
        "left out",
        "\n".join(f"  {line}" for line in report["left_out"]) or "  not declared",
    ]
    return "\n".join(parts)
