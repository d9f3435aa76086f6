"""The mouse's brain: a cortex made from measured statistics, a brainstem, and what the interface gives as a cord.

No neuron-level connectome of a mouse's cortex exists: every edge here is a sample (`statistical`), a projection of the
mesoscale connectome spread over cells (`projectome`), or fitted. What ships: `sensorimotor` and `microcircuit`; the
86-area cortex takes its matrices through the registry.

Contract with the interface (sides are those of the BRAIN; thalamus and colliculus hear the other side of the body):
inputs `VPM_<side>_<whisker>_slow*|_rapid*` and `LGN_<side>_<channel>_c<column>_r<row>_*` (part `loop`; 1 mV of drive is
1 Hz of their spikes; whiskers in the order of `WHISKERS`, channels `CHANNELS`, 8 columns from front to back and 4 rows
from below of the opposite eye's field); `SC_L`, `SC_R`, `sweep_L`, `sweep_R`, `Sp5b_L` to `Sp5f_R` (part `brainstem`;
20 mV is 1); `OSN_L`, `OSN_R` (part `olfactory`, likewise; of their own nostril). Outputs, 0 to 100 Hz: see
`_mouse_brainstem.OUTPUTS`. Rows of assets/mouse/links.csv, and of cord_links.csv where there is one, join parts; the
cord's part is called `cord`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary import assets
from bestiary.brains import _parameters
from bestiary.brains._mouse_brainstem import brainstem
from bestiary.brains._mouse_cord import table as cord_table
from bestiary.brains._mouse_loop import CHANNELS, COLUMNS, ROWS, WHISKERS, loop
from bestiary.brains._mouse_microcircuit import microcircuit
from bestiary.brains._mouse_olfactory import olfactory
from bestiary.brains._parts import Composite, Link, Part, linked
from bestiary.brains._sampled import SampledNetwork
from bestiary.brains._sampled_part import SampledPart, population_table
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock

__all__ = ["BRAIN", "CHANNELS", "COLUMNS", "PARTS", "ROWS", "WHISKERS", "build", "links", "parts", "tables"]

Array = np.ndarray[Any, np.dtype[Any]]

DEFAULT = "sensorimotor"
# `cortex`, `S1`, `barrel_L`, `V1`, `M1_R`, `thalamus`: words of experiments for neurons of the loop
WORDS = {"cortex": "S1_*,V1_*,M1_*", "thalamus": "VPM_*,LGN_*", "barrel_L": "S1_L_*", "barrel_R": "S1_R_*"}
for _area in ("S1", "V1", "M1", "VPM", "LGN"):
    WORDS |= {_area: f"{_area}_*", f"{_area}_L": f"{_area}_L_*", f"{_area}_R": f"{_area}_R_*"}
CORTEX = {
    "sensorimotor": "whisker and visual thalamus, S1, V1, M1 as 10,000 spiking neurons; ships",
    "microcircuit": "beside it, the microcircuit of Potjans & Diesmann 2014: 77,169 neurons; ships; moves nothing",
    "cortex86": "beside it, 86 areas and 39 thalamic nuclei at a scale, `cortex86:0.001`; downloaded; moves nothing",
}
PARTS = {
    "loop": "cortex: whisker and visual thalamus, S1, V1, M1 (statistical)",
    "brainstem": "commands of speed, turn, pitch, whisking, rearing, licking, freezing and flight (functional_fit)",
    "olfactory": "olfactory bulb, anterior olfactory nucleus and piriform cortex (functional_fit)",
    "whisk-rhythm": "the brainstem's oscillator of whisking (functional_fit)",
}


def parts(clock: Clock, without: Sequence[str] = ()) -> dict[str, Part]:
    """Every part above the cord, by name."""
    out: dict[str, Part] = {}
    if "loop" not in without:
        out["loop"] = loop(clock)
    if "brainstem" not in without:
        out["brainstem"] = brainstem(clock, "whisk-rhythm" not in without)
    if "olfactory" not in without:
        out["olfactory"] = olfactory(clock)
    return out


def build(
    connectome: Connectome | str | None,
    clock: Clock,
    cord: Part | None,
    rewire: Callable[[Connectome], Connectome] | None = None,
    lesion: Sequence[str] = (),
    silence: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Composite:
    """rewire: of the cortex, before anything is cut. cord: None for a brain alone.

    Raises LookupError for a connectome that is not known.
    """
    above = parts(clock, without)
    if isinstance(connectome, Connectome):
        above["loop"] = loop(clock, connectome)
    elif connectome not in (None, DEFAULT):
        above |= beside(str(connectome), clock)
    if rewire is not None:
        above = {k: p.rewired(rewire) if p.table.n_edges else p for k, p in above.items()}
    everything = above if cord is None else {**above, "cord": cord}
    named = _named(lesion), _named(silence)
    return Composite(everything, links(everything), clock, lesion=named[0], silence=named[1], words=WORDS)


def beside(name: str, clock: Clock) -> dict[str, Part]:
    """A further part from its name: "microcircuit", "microcircuit:0.1" (share of the neurons), "cortex86",
    "cortex86:0.01", "cortex86:0.01:glif3", "cortex86:0.001:rewired" (long-range sources permuted)."""
    word = name.split(":")[0]
    return {word: SampledPart(sampled(name), clock.control_s)}


def sampled(name: str) -> SampledNetwork:
    """The network that a name means: see `beside`. Raises LookupError."""
    word, *options = name.split(":")
    if word not in ("microcircuit", "cortex86") or len(options) > 2:
        raise LookupError(f"no connectome {name!r} of the mouse; {bestiary.nearest(word, CORTEX, 'connectome')}")
    try:
        scale = float(options[0]) if options and options[0] else None
    except ValueError:
        raise LookupError(f"{word}:SCALE needs a number, 0.001 to 1, got {options[0]!r}") from None
    if word == "microcircuit":
        return microcircuit(1.0 if scale is None else scale)
    from bestiary.brains import _mouse_tables
    from bestiary.brains._mouse_cortex import cortex86

    extra = options[1] if len(options) > 1 else ""
    if extra not in ("", "glif3", "rewired"):
        raise LookupError(f"cortex86 takes 'glif3' or 'rewired', got {extra!r}")
    tables = _mouse_tables.rewired(_mouse_tables.load()) if extra == "rewired" else None
    return cortex86(scale or 0.001, neurons="glif3" if extra == "glif3" else "lif", tables=tables)


def tables(connectome: str | None = None) -> dict[str, Connectome]:
    """The tables of all parts, for the card."""
    clock = Clock("0.002", "0.0002", "0.002")
    out = {name: part.table for name, part in parts(clock).items()}
    if connectome not in (None, DEFAULT):
        out[str(connectome).split(":")[0]] = population_table(sampled(str(connectome)))
    return out | {"cord": cord_table()}


def _named(words: Sequence[str]) -> tuple[str, ...]:
    """Lesions by the words of experiments: see WORDS."""
    return tuple(WORDS.get(w, w) for word in words for w in str(word).split(","))


def parameter_table() -> dict[str, dict[str, Any]]:
    """Every parameter of the mouse: see `bestiary.brains._parameters`."""
    return _parameters.parameter_table("mouse")


def parameters(given: Mapping[str, float] | str | Path | None = None) -> dict[str, float]:
    """Name -> value, with those of `given` instead: see `bestiary.brains._parameters`."""
    return _parameters.parameters("mouse", given)


def links(there: Mapping[str, Part]) -> list[Link]:
    """The rows of links.csv and cord_links.csv whose parts are there."""
    files = ("links.csv", "cord_links.csv")
    return linked(there, [row for file in files for row in assets.rows("mouse", file)])


BRAIN = Composite
