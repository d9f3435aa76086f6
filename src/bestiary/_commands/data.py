"""`bestiary data list|get|verify|path`."""

from __future__ import annotations

from typing import Any

import bestiary
from bestiary._commands._show import Outcome, bar, size, table
from bestiary.assets import registry
from bestiary.errors import BestiaryError


def command(options: Any) -> Outcome:
    actions = {"list": _list, "get": _get, "verify": _verify, "path": _path}
    if options.action not in actions:
        raise LookupError(f"no action {options.action!r}; {bestiary.nearest(options.action, actions, 'action')}")
    for name in options.names:
        registry.entry(name)  # unknown names before any work
    if not options.names and options.action in ("get", "path"):
        known = ", ".join(e.name for e in registry.entries())
        raise BestiaryError(f"data {options.action} needs a name: {known}")
    return actions[options.action](options.names or tuple(e.name for e in registry.entries()))


def _list(names: tuple[str, ...]) -> Outcome:
    report = []
    for this in map(registry.entry, names):
        facts = {k: getattr(this, k) for k in ("name", "about", "unlocks", "licence", "redistribute", "citation")}
        report.append({**facts, "bytes": this.bytes, "files": len(this.files), "found": registry.found(this.name)})
    rows = [(r["name"], "here" if r["found"] else "-", size(r["bytes"]), r["licence"], r["unlocks"]) for r in report]
    return Outcome({"data": report}, table(rows, ("name", "found", "size", "licence", "unlocks"), indent=""))


def _get(names: tuple[str, ...]) -> Outcome:
    folders = {name: registry.get(name, progress=True) for name in names}
    return Outcome({"folders": folders}, table(folders.items(), indent=""))


def _verify(names: tuple[str, ...]) -> Outcome:
    report: dict[str, Any] = {}
    with bar(len(names), "verifying", "data sets") as progress:
        for name in names:
            checks = registry.verify(name)
            states = {state: sum(c.state == state for c in checks) for state in ("ok", "missing", "damaged")}
            report[name] = {**states, "problems": [c.problem for c in checks if c.state == "damaged"]}
            progress.update()
    rows = [(name, r["ok"], r["missing"], r["damaged"], "; ".join(r["problems"])) for name, r in report.items()]
    damaged = any(r["damaged"] for r in report.values())
    return Outcome({"data": report}, table(rows, ("name", "ok", "missing", "damaged", ""), indent=""), int(damaged))


def _path(names: tuple[str, ...]) -> Outcome:
    folders = {name: registry.path(name) for name in names}
    return Outcome({"folders": folders}, "\n".join(map(str, folders.values())))
