"""Premotor neurons and leg motor neurons of the fly's nerve cord, measured (FANC), as a rate part.

The left front leg's 1,546 premotor neurons and 69 motor neurons with every synapse between them: Lesser 2024 Nature
631:369, Azevedo 2024 Nature 631:360. It is the last layer only: synapses among premotor neurons are not in the file.
The other five legs are copies of it: of the right front leg `EM_mirrored`, of the others `statistical`, because the
muscles of middle and hind legs are counterparts and not the same.

`bestiary.animal("fly", connectome="circuits+vnc")` puts it between the cord's pattern units and its legs: a unit
drives premotor neurons by the movement that their largest motor pool makes (`FUNCTIONS`, the authors' labels), motor
neurons answer through the measured synapses, and what antagonistic pools say (`ANTAGONISTS`) lifts a leg, presses it
down, takes it ahead and pushes it back along the step template of `bestiary.interfaces._fly_template`. Measured are the
counts, muscles and transmitters; which units drive whom, how strongly, and what a pool does to the template is `tuned`,
with the labels of the same matrix: so the matrix is asked to keep its pools apart, not to make a rhythm.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from bestiary.brains._parts import Link, Part, joined
from bestiary.brains._rate_part import RatePart
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock
from bestiary.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

DATA, FILE = "fanc-premotor-motor", "leg_T1L_preMN_to_MN_v840.csv.gz"
PREMOTOR, MOTOR = 1546, 69
LEGS = {"T1L": "EM_cell", "T1R": "EM_mirrored"} | {f"T{k}{s}": "statistical" for k in (2, 3) for s in "LR"}
_HEAD = ("side", "nerve", "segment", "function", "muscle", "rank", "segID", "module")
_COLUMNS = ("cell_class", "preferred_pool", "NT", "classification_system", "cell_type", "segID")
_SIGNS = {"Ach": 1, "ACh": 1, "GABA": -1, "Glu": -1}  # glutamate inhibits in the nerve cord (Liu & Wilson 2013)
# Modules that a swing and a stance use: the leg lifts, folds and goes ahead; it presses down, stretches and goes back.
FUNCTIONS = {
    "swing": ("coxa_promote", "coxa_rotate_adduct", "trochanter_flex", "tibia_extend"),
    "stance": ("coxa_posterior", "trochanter_extend", "femur_reduct", "tibia_ta_flex_A", "tibia_ta_flex_B"),
}


def read(folder: Path | None = None) -> Connectome:
    """The left front leg: premotor neurons, then motor neurons (kind `motor`; types are modules, `muscle` in extra).

    folder: None asks the registry. Raises DataError where the file is missing or is not the matrix of that paper.
    """
    if folder is None:
        from bestiary.assets import registry

        folder = registry.path(DATA)
    if not (file := folder / FILE).is_file():
        raise DataError(f"{file} is missing; `bestiary data get {DATA}` brings it")
    try:
        with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
            rows = list(csv.reader(text))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise DataError(f"{file} cannot be read: {error}; download it again") from None
    head, body = {r[0]: r[6:] for r in rows[:8] if r}, rows[9:]
    if tuple(head) != _HEAD or [r[:6] for r in rows[8:9]] != [list(_COLUMNS)]:
        raise DataError(f"{file} does not begin with the rows {', '.join(_HEAD)} and the columns {', '.join(_COLUMNS)}")
    lengths = {len(r) for r in rows}
    if lengths != {6 + MOTOR} or len(body) != PREMOTOR:
        raise DataError(
            f"{file} must hold {PREMOTOR} x {MOTOR} counts, got {len(body)} rows of {sorted(lengths)} words"
        )
    try:
        count = np.array([[float(v) for v in r[6:]] for r in body])
    except ValueError as error:
        raise DataError(f"{file}: a synapse count is no number: {error}") from None
    if not (np.isfinite(count).all() and (count >= 0).all() and (count == np.round(count)).all()):
        raise DataError(f"{file}: a synapse count is negative, broken or not finite")
    classes, pools, transmitters, _, types, ids = zip(*(r[:6] for r in body), strict=True)
    names = [*ids, *head["segID"]]
    pre, post = np.nonzero(count)
    sign = np.array([_SIGNS.get(t, 0) for t in transmitters], np.int8)
    kinds = ["sensory" if "ensory" in c else c if c else "inter" for c in classes]
    return Connectome(
        ids=np.array([f"FANC{i}" for i in names]),
        types=np.array([*types, *head["module"]]),
        kinds=np.array([*kinds, *["motor"] * MOTOR]),
        sides=np.array(["L"] * len(names)),
        transmitters=np.array([*transmitters, *[""] * MOTOR]),
        extra={
            "pool": np.array([*pools, *head["module"]]),
            "muscle": np.array([""] * PREMOTOR + head["muscle"]),
            "leg": np.array(["T1L"] * len(names)),
        },
        pre=pre,
        post=PREMOTOR + post,
        weight=count[pre, post],
        sign=sign[pre],
        sign_by="transmitter",
        provenance="EM_cell",
        source="FANC v840 left front leg, premotor to motor (Lesser 2024; Azevedo 2024)",
    )


def legs(one: Connectome, which: Sequence[str] = tuple(LEGS)) -> Connectome:
    """The leg of `read` once for each of `which`; ids gain the leg's name. The first stays EM_cell."""
    n = len(one)
    which = list(which)
    if unknown := [leg for leg in which if leg not in LEGS]:
        raise DataError(f"a fly has the legs {', '.join(LEGS)}, not {', '.join(unknown)}")

    def again(column: Array) -> Array:
        return np.tile(column, len(which))

    shift = np.repeat(np.arange(len(which)) * n, one.n_edges)
    return Connectome(
        ids=np.concatenate([np.char.add(one.ids, f"_{leg}") for leg in which]),
        types=again(one.types),
        kinds=again(one.kinds),
        sides=np.repeat([leg[2] for leg in which], n),
        transmitters=again(one.transmitters),
        extra={k: again(v) for k, v in one.extra.items()} | {"leg": np.repeat(which, n)},
        pre=again(one.pre) + shift,
        post=again(one.post) + shift,
        weight=again(one.weight),
        sign=again(one.sign),
        sign_by="transmitter",
        provenance=np.repeat([LEGS[leg] for leg in which], one.n_edges),
        source=one.source + "; other legs are its copies",
    )


def weigh(table: Connectome) -> scipy.sparse.csr_array:
    """(n, n), target x source: each motor neuron's signed counts as shares of all its synapses, times `_GAIN`."""
    n = len(table)
    count = scipy.sparse.coo_array((table.weight * table.sign, (table.post, table.pre)), shape=(n, n)).tocsr()
    total = np.bincount(table.post, table.weight, minlength=n)
    out = scipy.sparse.diags_array(_GAIN / np.maximum(total, 1)) @ count
    return scipy.sparse.csr_array(out)


_GAIN = 6.0  # `tuned`: a motor neuron whose whole excitation is active comes near its highest rate


TAU_S = 0.003  # `tuned`: short, as a swing lasts 26 ms and two layers of neurons lie in its way


def part(clock: Clock, folder: Path | None = None, which: Sequence[str] = tuple(LEGS)) -> RatePart:
    """Premotor and motor neurons of the legs `which` as a part of a brain."""
    table = legs(read(folder), which)
    return RatePart(table, weigh, np.zeros(len(table), np.float32), clock, tau_s=TAU_S)


def pairs(table: Connectome) -> list[tuple[str, Array, float]]:
    """(unit of the cord, rows of its premotor neurons, mV per Hz) for a `Link` from the cord, `tuned`.

    A pattern unit drives excitatory premotor neurons whose preferred pool belongs to its movement, and inhibitory ones
    whose preferred pool belongs to the other.
    """
    excites = np.isin(table.transmitters, [t for t, s in _SIGNS.items() if s > 0])
    inhibits = np.isin(table.transmitters, [t for t, s in _SIGNS.items() if s < 0])
    local = (table.kinds != "motor") & (table.kinds != "sensory") & (table.kinds != "descending")
    out = []
    for leg in dict.fromkeys(table.extra["leg"].tolist()):
        here = local & (table.extra["leg"] == leg)
        for unit, other in (("swing", "stance"), ("stance", "swing")):
            own = np.isin(table.extra["pool"], FUNCTIONS[unit]) & excites
            against = np.isin(table.extra["pool"], FUNCTIONS[other]) & inhibits
            out.append((f"{unit}_{leg}", np.flatnonzero(here & (own | against)), 0.2))
    return out


ANTAGONISTS = {  # of the cord's units of motor pools: the pools that drive, those that oppose, when they do so
    "lift": ("trochanter_flex", "trochanter_extend", "swing"),
    "press": ("trochanter_extend", "trochanter_flex", "stance"),
    "reach": ("coxa_promote", "coxa_posterior", "swing"),
    "push": ("coxa_posterior", "coxa_promote", "stance"),
}


def links(vnc: RatePart, cord: Part) -> list[Link]:
    """From the cord's pattern units to the premotor neurons of `vnc`, and from its pools to the cord's units of them.

    Such a unit is driven by the difference of two pools, scaled so that a whole swing, or stance, of the intact matrix
    gives it 10 mV: its 100 Hz.
    """
    table, tau_s = vnc.table, vnc.clock.control_s / 10  # relays: no synapse of their own
    down = joined(cord, vnc, pairs(table))
    steady = {}
    for unit in FUNCTIONS:
        drive = np.zeros(len(table), np.float32)
        for name, rows, weight in pairs(table):
            drive[rows] += 100 * weight * name.startswith(unit)
        state = vnc.init(0)
        for _ in range(round(20 * vnc.tau_s / vnc.clock.control_s)):
            state = vnc.advance(state, drive)
        steady[unit] = modules(table, vnc.rate_Hz(state))
    up = []
    for leg in steady["swing"]:
        for word, (drives, opposes, when) in ANTAGONISTS.items():
            scale = 10 / (steady[when][leg][drives] - steady[when][leg][opposes])
            for pool, sign in ((drives, 1), (opposes, -1)):
                rows = np.flatnonzero((table.kinds == "motor") & (table.types == pool) & (table.extra["leg"] == leg))
                up.append((rows, f"{word}_{leg}", sign * scale / len(rows)))
    about = "pattern units to premotor neurons by preferred pool", "pools to the leg's step template"
    return [
        Link("cord", "vnc", down, tau_s, "tuned", about[0]),
        Link("vnc", "cord", joined(vnc, cord, up), tau_s, "tuned", about[1]),
    ]


def modules(table: Connectome, rate_Hz: Array) -> Mapping[str, Mapping[str, float]]:
    """Mean rate in Hz of each leg's motor pools: leg -> module -> Hz."""
    out: dict[str, dict[str, float]] = {}
    motor = table.kinds == "motor"
    for leg in dict.fromkeys(table.extra["leg"].tolist()):
        here = motor & (table.extra["leg"] == leg)
        out[leg] = {m: float(rate_Hz[here & (table.types == m)].mean()) for m in np.unique(table.types[here]).tolist()}
    return out
