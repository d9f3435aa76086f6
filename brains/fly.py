"""The fly's brain: a central brain of spiking neurons by name, optic lobes, compass, mushroom body and cord.

Parts are joined by links (assets/fly/links.csv, assets/fly/descending.csv): each with its weight, tag and source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary import assets
from bestiary.brains import _parameters
from bestiary.brains._parts import Composite, Link, Part, linked
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock
from bestiary.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

CENTRAL = {
    "circuits": "small circuits typed in from publications, mostly fitted; ships",
    "flywire783": "the whole brain, 138,639 neurons and 15,091,983 edges; downloaded by the user",
    "flywire-surrogate": "carries no measured wiring: a random network of the whole brain's size and statistics",
}
PARTS = {
    "visual": "optic lobes of flyvis: measured counts, fitted strengths, read-outs LC4 to VS fitted",
    "compass": "head direction and goal steering of the hemibrain (needs its data)",
    "mushroom-body": "projection neurons, Kenyon cells and their outputs of the hemibrain (needs its data)",
}
VNC = "+vnc"  # ends the name of a connectome whose legs go through FANC's motor neurons (needs its data)
SYNAPSE_S = 0.005  # of links without their own (Shiu 2024)


def parameter_table() -> dict[str, dict[str, Any]]:
    """Every parameter of the fly: see `bestiary.brains._parameters`."""
    return _parameters.parameter_table("fly")


def parameters(given: Mapping[str, float] | str | Path | None = None) -> dict[str, float]:
    """Name -> value, with those of `given` instead: see `bestiary.brains._parameters`."""
    return _parameters.parameters("fly", given)


def with_legs(name: str | None) -> tuple[str | None, bool]:
    """(the name of the central connectome, whether `name` ends in VNC)."""
    if name is not None and name.endswith(VNC):
        return name.removesuffix(VNC) or None, True
    return name, False


def default() -> str:
    """flywire783 where its edges have been downloaded, else what ships."""
    from bestiary.assets import registry

    return "flywire783" if registry.found("flywire-783-edges") else "circuits"


@lru_cache(2)
def central_table(name: str) -> Connectome:
    """The connectome of a central brain by name. Raises LookupError, DataError where it must be downloaded first."""
    if name == "circuits":
        from bestiary.brains._fly_circuits import fly_circuits

        return fly_circuits()
    if name == "flywire783":
        from bestiary.brains._flywire import flywire_connectome

        return flywire_connectome()
    if name == "flywire-surrogate":
        from bestiary.brains._surrogate import flywire_surrogate

        return flywire_surrogate()
    raise LookupError(f"no connectome {name!r} of the fly; {bestiary.nearest(name, CENTRAL, 'connectome')}")


def tables(connectome: str | None = None) -> dict[str, Connectome]:
    """The tables of all parts, for the card."""
    from bestiary.brains._fly_cord import table as cord_table
    from bestiary.brains._visual import type_table

    clock = Clock("0.002", "0.0001", "0.0002")
    optional, _ = optional_parts(clock, parameters())
    measured = {k: p.table for k, p in optional.items()} | {"visual": type_table()}  # its units repeat the types
    name, legs = with_legs(connectome)
    if legs:
        from bestiary.brains import _fly_vnc

        measured["vnc"] = _fly_vnc.legs(_fly_vnc.read())
    return {"central": central_table(name or default()), **measured, "cord": cord_table()}


def central(connectome: Connectome | str | None, clock: Clock, rewire: Any, spontaneous: bool) -> Part:
    """The spiking part. rewire: of its edges, before anything is cut."""
    from bestiary.brains import _fly_circuits

    table = connectome if isinstance(connectome, Connectome) else central_table(connectome or default())
    if rewire is not None:
        table = rewire(table)
    return _fly_circuits.central(table, clock.control_s, clock.brain_s, background=spontaneous)


def optional_parts(
    clock: Clock, p: Mapping[str, float], without: Sequence[str] = ()
) -> tuple[dict[str, Part], dict[str, str]]:
    """(parts that are there, why others are not)."""
    parts: dict[str, Part] = {}
    missing: dict[str, str] = {}
    for name, make in _makers().items():
        if name in without:
            missing[name] = "taken out"
            continue
        try:
            parts[name] = make(clock, p)
        except DataError as error:
            missing[name] = str(error)
    return parts, missing


def _makers() -> Mapping[str, Callable[[Clock, Mapping[str, float]], Part]]:
    from bestiary.brains import _visual
    from bestiary.brains._compass import compass
    from bestiary.brains._mushroom_body import mushroom_body

    return {"visual": lambda clock, p: _visual.build(clock), "compass": compass, "mushroom-body": mushroom_body}


def build(
    connectome: Connectome | str | None,
    p: Mapping[str, float],
    clock: Clock,
    cord: Part,
    rewire: Callable[[Connectome], Connectome] | None = None,
    lesion: Sequence[str] = (),
    silence: Sequence[str] = (),
    without: Sequence[str] = (),
    legs: bool = False,
) -> tuple[Composite, dict[str, str]]:
    """(the brain, optional parts that are missing and why). rewire: of every part above the cord. legs: with FANC's
    premotor and motor neurons (`bestiary.brains._fly_vnc`) between cord and legs."""
    optional, missing = optional_parts(clock, p, without)
    extra: list[Link] = []
    if legs:
        from bestiary.brains import _fly_vnc

        vnc = optional["vnc"] = _fly_vnc.part(clock)
        extra = _fly_vnc.links(vnc, cord)  # those of the measured matrix, whatever is made of it then
    if rewire is not None:
        optional = {k: p.rewired(rewire) for k, p in optional.items()}
    parts = {"central": central(connectome, clock, rewire, "background" not in without), **optional, "cord": cord}
    brain = Composite(parts, [*links(parts), *extra], clock, lesion=lesion, silence=silence)
    return brain, missing


def links(parts: Mapping[str, Part]) -> list[Link]:
    """Links among the parts that are there. A row whose source neuron a brain does not have is left out."""
    own = {"from": "central", "to": "cord", "tau_s": f"{SYNAPSE_S}", "provenance": "tuned"}
    rows = [{**row, "tau_s": row["tau_s"] or f"{SYNAPSE_S}"} for row in assets.rows("fly", "links.csv")]
    return linked(parts, [*rows, *({**own, **row} for row in assets.rows("fly", "descending.csv"))])


BRAIN = Composite
