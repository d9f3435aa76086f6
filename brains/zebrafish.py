"""The brain of a larval zebrafish: circuits of fore-, mid- and hindbrain joined to the spinal cord by named links.

Parts that ship need no download. The integrator takes its measured wiring where the user has fetched it; a scaffold of
70 regions (`connectome="mesoscale"`), or a connectome of the user's own, runs beside them as the part `regions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from bestiary import assets
from bestiary.brains import _fish_circuits as circuits
from bestiary.brains import _parameters
from bestiary.brains._fish_cord import cord_table
from bestiary.brains._fish_integrator import integrator
from bestiary.brains._fish_mauthner import MauthnerArray
from bestiary.brains._parts import Composite, Link, Part, linked
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock

Array = np.ndarray[Any, np.dtype[Any]]

DEFAULT = "circuits"
PARTS = {
    "pretectum": "optomotor response: motion in four directions from each eye",
    "evidence": "motion gathered over seconds; edges drawn from measured connection probabilities",
    "artr": "hindbrain oscillator: turns in rows, and which bouts are turns",
    "habenula": "light and heat: light of one eye biases the oscillator, sudden dark, light and warmth start bouts",
    "passivity": "who swims and does not get on gives up for seconds",
    "tectum": "prey, large spots and looming",
    "mauthner": "Mauthner cells and homologues",
    "lateral": "lateral line: water that moves past the flanks, silenced by the fish's own swimming",
    "integrator": "holds the eyes; measured wiring where it was fetched",
    "depth": "the swim bladder's reflex (a slot: which neurons do it is not known)",
    "descending": "nMLF, vSPN and MeL, the tonic drive of the cord",
}


def parts(clock: Clock, without: Sequence[str] = (), spiking: bool = False) -> dict[str, Part]:
    """Every circuit above the cord, by name. spiking: the integrator with Poisson cells."""
    makers: dict[str, Callable[[], Part]] = {
        "pretectum": lambda: circuits.pretectum(clock),
        "evidence": lambda: circuits.evidence(clock),
        "artr": lambda: circuits.artr(clock),
        "habenula": lambda: circuits.habenula(clock),
        "passivity": lambda: circuits.passivity(clock),
        "tectum": lambda: circuits.tectum(clock),
        "mauthner": lambda: MauthnerArray(clock, tires="nerve-depression" not in without),
        "lateral": lambda: circuits.lateral(clock),
        "integrator": lambda: integrator(clock, spiking),
        "depth": lambda: circuits.depth(clock),
        "descending": lambda: circuits.descending(clock),
    }
    return {name: make() for name, make in makers.items() if name not in without}


def parameter_table() -> dict[str, dict[str, Any]]:
    """Every parameter of the cord: see `bestiary.brains._parameters`."""
    return _parameters.parameter_table("zebrafish")


def parameters(given: Mapping[str, float] | str | Path | None = None) -> dict[str, float]:
    """Name -> value, with those of `given` instead: see `bestiary.brains._parameters`."""
    return _parameters.parameters("zebrafish", given)


def tables(connectome: str | None = None) -> dict[str, Connectome]:
    """The tables of all parts, for the card."""
    clock = Clock("0.001", "0.0001", "0.0002")
    out = {name: part.table for name, part in parts(clock).items()}
    if connectome not in (None, DEFAULT):
        out["regions"] = scaffold(str(connectome), clock).table
    return out | {"cord": cord_table()}


def scaffold(name: str, clock: Clock) -> Part:
    """The part `regions` from a name: "mesoscale", "mesoscale:20000" (neurons), "mesoscale:3000:rate"."""
    from bestiary.brains._fish_regions import regions

    return regions(name, clock)


def build(
    connectome: Connectome | str | None,
    clock: Clock,
    cord: Part,
    rewire: Callable[[Connectome], Connectome] | None = None,
    lesion: Sequence[str] = (),
    silence: Sequence[str] = (),
    without: Sequence[str] = (),
    spiking: bool = False,
) -> Composite:
    """rewire: of every part above the cord that has edges to move, before anything is cut."""
    above = parts(clock, without, spiking)
    if isinstance(connectome, Connectome):
        from bestiary.brains._fish_regions import regions_of

        above["regions"] = regions_of(connectome, clock)
    elif connectome not in (None, DEFAULT):
        above["regions"] = scaffold(str(connectome), clock)
    if rewire is not None:
        above = {k: p.rewired(rewire) if p.table.n_edges else p for k, p in above.items()}
    everything = {**above, "cord": cord}
    return Composite(everything, links(everything), clock, lesion=_named(lesion), silence=_named(silence), words=WORDS)


WORDS = {
    "ARTR_L": "type=ARTR & side=L",
    "ARTR_R": "type=ARTR & side=R",
    "tectum": "TeO_L,TeO_R,Near_L,Near_R,Avoid_L,Avoid_R,Loom_L,Loom_R,Hunt,Strike",
    "vSPN_L": "type=vSPN & side=L",
    "vSPN_R": "type=vSPN & side=R",
    "lateral_line": "flow_L,flow_R",
    "eye_L": "ds_*_L,rot_*_L,loom_L,spot_L,light_L,prey_L*,near_L*",
    "eye_R": "ds_*_R,rot_*_R,loom_R,spot_R,light_R,prey_R*,near_R*",
}


def _named(words: Sequence[str]) -> tuple[str, ...]:
    """Lesions by the words of experiments: `Mauthner`, `vSPN`, `ARTR_L`, `tectum`."""
    return tuple(WORDS.get(w, w) for word in words for w in str(word).split(","))


def links(there: Mapping[str, Part]) -> list[Link]:
    """The rows of assets/zebrafish/links.csv whose parts are there."""
    out = linked(there, assets.rows("zebrafish", "links.csv"))
    if "regions" in there:
        out += _into_regions(there)
    return out


# where circuits lie in the atlas; ARTR in the ventral hindbrain of rhombomeres 2 and 3 (Dunn 2016)
SEATS = {"pretectum": ("PTAP",), "tectum": ("SFGS", "SGC", "SM"), "habenula": ("DH", "VH"), "artr": ("SVMOR",)}


def _into_regions(there: Mapping[str, Part]) -> list[Link]:
    """Circuits drive the region in which they lie, weakly; the way out is the row of nMLF in links.csv."""
    out = []
    for name, seats in SEATS.items():
        if name not in there:
            continue
        rows = np.flatnonzero(np.isin(there["regions"].table.types, seats))
        n = len(there[name].table)
        if not len(rows):
            continue  # an imported table may have no such region
        matrix = scipy.sparse.lil_array((len(there["regions"].table), n))
        for i, r in enumerate(rows.tolist()):
            matrix[r, i % n] = 0.05
        out.append(Link(name, "regions", scipy.sparse.csr_array(matrix), 0.02, "tuned", "a circuit in its region"))
    return out


BRAIN = Composite
