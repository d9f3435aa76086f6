"""The optic lobe of flyvis: 65 cell types of a fly's lamina, medulla and lobula in hexagonal columns, as rate units.

Lappalainen 2024 (Nature 634:1132): tau dv/dt = -v + rest + light + sum sign * count * scale * relu(v), where counts and
signs are measured per pair of types and column offset, and tau, rest (per type) and scale (per pair) are fitted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bestiary import assets
from bestiary.bodies._hex import hexagons
from bestiary.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

RADIUS = 15  # 721 columns
DT_S = 0.01  # of the update, and of the fit: 100 Hz
RECEPTORS = tuple(f"R{i}" for i in range(1, 9))
T4 = ("T4a", "T4b", "T4c", "T4d")
T5 = ("T5a", "T5b", "T5c", "T5d")
MOTION = (*T4, *T5)


@dataclass(frozen=True)
class Wiring:
    """The measured table: types, and for each of 2,140 offsets who, to whom, how far, how many, and which sign.

    types (65,) str; stride (65, 2): a type has a neuron in every such column. pre, post (E,): rows of types.
    offset (E, 2): target column minus source column. count (E,): synapses, mean over columns. sign (E,): +1, -1.
    pair (E,): which of the 605 pairs of types; pairs: their names, `pre>post`.
    """

    types: tuple[str, ...]
    stride: Array
    pre: Array
    post: Array
    offset: Array
    count: Array
    sign: Array
    sign_source: tuple[str, ...]
    pair: Array
    pairs: tuple[str, ...]

    def row(self, name: str) -> int:
        return self.types.index(name)

    def has(self, axial: Array) -> Array:
        """(65, n) bool: whether a type has a neuron in each column."""
        return (axial % self.stride[:, None] == 0).all(-1)


@lru_cache(1)
def wiring() -> Wiring:
    """The flyvis table of assets/fly (fib25-fib19 v2.2, MIT)."""
    types, rows = (assets.rows("fly", f"flyvis_{word}.csv.gz") for word in ("types", "offsets"))
    names = tuple(t["type"] for t in types)
    at = {name: i for i, name in enumerate(names)}
    pairs = tuple(dict.fromkeys(f"{r['pre']}>{r['post']}" for r in rows))
    number = {name: i for i, name in enumerate(pairs)}
    return Wiring(
        types=names,
        stride=np.array([[int(t["stride_u"]), int(t["stride_v"])] for t in types]),
        pre=np.array([at[r["pre"]] for r in rows]),
        post=np.array([at[r["post"]] for r in rows]),
        offset=np.array([[int(r["du"]), int(r["dv"])] for r in rows]),
        count=np.array([float(r["synapses"]) for r in rows]),
        sign=np.array([int(r["sign"]) for r in rows]),
        sign_source=tuple(r["sign_source"] for r in rows),
        pair=np.array([number[f"{r['pre']}>{r['post']}"] for r in rows]),
        pairs=pairs,
    )


@dataclass(frozen=True)
class Parameters:
    """What the wiring does not give. tau_s, rest (65,); scale (605,): input per synapse of a pair of types."""

    tau_s: Array
    rest: Array
    scale: Array

    def weight(self, w: Wiring) -> Array:
        """(E,) signed weight of each offset."""
        return w.sign * w.count * self.scale[w.pair]

    def blend(self, dt_s: float) -> Array:
        """(65,) share of the way to its target that v goes in one step: exact for a held input, so stable."""
        return np.asarray(1 - np.exp(-dt_s / self.tau_s))


def untrained(w: Wiring, gain: float = 1.5, level: float = 0.2, quiet: float = 0.02) -> Parameters:
    """Where the fit begins: tau 50 ms for all (Lappalainen 2024), every synapse onto a type counts alike and all that
    it gets adds up to `gain`, and rest such that in even light every type stands at `level`, T4 and T5 at `quiet`.
    (Theirs, 0.01 a pair and rest 0.5, begins with types that are silent and signals that do not reach T4 and T5.)"""
    n = len(w.types)
    into = np.bincount(w.post, w.count, n)
    target = np.zeros(len(w.pairs), int)
    target[w.pair] = w.post
    p = Parameters(np.full(n, 0.05), np.zeros(n), gain / np.maximum(into[target], 1e-9))
    v = np.where(np.isin(w.types, MOTION), quiet, level)
    spread = np.bincount(w.post, p.weight(w) * (v / w.stride.prod(1))[w.pre], n)  # a strided type is that much rarer
    return replace(p, rest=v - spread - 0.5 * np.isin(w.types, RECEPTORS))


@dataclass(frozen=True)
class Lobe:
    """One eye's optic lobe compiled for a lattice: `advance(v, light, steps)`. Pure: the state is v alone.

    radius: of the hexagon of columns. A stripe holds the columns row by row with empty places between, so that an
    offset is one shift of it; `place` (n,) is where each column lies.
    """

    wiring: Wiring
    parameters: Parameters
    radius: int = RADIUS
    dt_s: float = DT_S
    axial: Array = field(init=False)
    place: Array = field(init=False)
    there: Array = field(init=False)  # (types, n) bool
    _arrays: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        w, p = self.wiring, self.parameters
        axial = hexagons(self.radius)
        pad = int(np.abs(w.offset).max())
        row = 2 * self.radius + 1 + pad
        place = (axial[:, 0] + self.radius + pad) * row + axial[:, 1] + self.radius + pad
        put(self, "axial", axial)
        put(self, "place", place)
        put(self, "there", w.has(axial))
        order = np.argsort(w.post, kind="stable")
        stripe = int(place.max()) + pad * row + pad + 1
        mask = np.zeros((len(w.types), stripe), np.float32)
        mask[:, place] = self.there
        f32 = np.float32
        arrays = {
            "first": int(place.min()),
            "last": int(place.max()) + 1,
            "ptr": np.searchsorted(w.post[order], np.arange(len(w.types) + 1)).astype(np.int32),
            "pre": w.pre[order].astype(np.int32),
            "shift": (w.offset[order, 0] * row + w.offset[order, 1]).astype(np.int32),
            "weight": p.weight(w)[order].astype(f32),
            "rest": p.rest.astype(f32),
            "blend": p.blend(self.dt_s).astype(f32),
            "hears": mask.copy(),
            "speaks": mask,
        }
        put(self, "_arrays", arrays)

    @property
    def shape(self) -> tuple[int, int]:
        """Of v: (types, stripe)."""
        return self._arrays["speaks"].shape

    def start(self, luminance: float = 0.5, seconds: float = 4.0) -> Array:
        """v (types, stripe) float32 after so long in an even light."""
        v = np.zeros(self.shape, np.float32)
        v[:, self.place] = self.parameters.rest[:, None]
        return self.advance(v, self.lit(np.full(len(self.place), luminance)), round(seconds / self.dt_s))

    def lit(self, luminance: Array) -> Array:
        """Outer input (types, stripe) of luminance (n,) 0..1: R1 to R8 of a column take it as it is."""
        drive = np.zeros(self.shape, np.float32)
        for name in RECEPTORS:
            drive[self.wiring.row(name), self.place] = luminance
        return drive

    def advance(self, v: Array, drive: Array, n_steps: int = 1) -> Array:
        """v after n_steps of dt_s under drive (types, stripe)."""
        from bestiary.brains._optic_kernel import steps

        return steps(n_steps, v, drive=drive, **self._arrays)

    def read(self, v: Array, name: str) -> Array:
        """v (n,) of one type over the columns."""
        return v[self.wiring.row(name), self.place]

    def rewired(self, wiring: Wiring) -> Lobe:
        """On another wiring of the same types; what is cut off stays so."""
        other = replace(self, wiring=wiring)
        other._arrays.update({key: self._arrays[key] for key in ("hears", "speaks")})
        return other

    @property
    def speaks(self) -> Array:
        """(types, n) 1 for the neurons whose outputs are not cut."""
        return np.asarray(self._arrays["speaks"][:, self.place])

    def muted(self, deaf: Array, mute: Array) -> Lobe:
        """With some neurons cut off. deaf, mute (types, n) bool: without inputs, without outputs."""
        cut = replace(self)
        for key, gone in (("hears", deaf), ("speaks", mute)):
            mask = self._arrays[key].copy()
            mask[:, self.place] *= ~gone
            cut._arrays[key] = mask
        return cut


def parameters(given: Mapping[str, Any] | str | Path | None = None) -> tuple[Parameters, Array]:
    """(values, edge_peak (8,)) of assets/fly/visual_parameters.json, or of a file that `bestiary fit fly` wrote.

    edge_peak: what T4a-d and T5a-d do at the best moving edge: the unit of motion energy. Raises DataError.
    """
    w = wiring()
    if isinstance(given, Mapping):
        read: Any = given
    else:
        file = assets.file("fly", "visual_parameters.json") if given is None else Path(given)
        try:
            read = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"cannot read the optic lobe's parameters from {file}: {error}") from None
    try:
        table = read["parameters"]
        found = [
            np.array([float(table[kind]["value"][name]) for name in names])
            for kind, names in (("tau_s", w.types), ("rest", w.types), ("scale", w.pairs), ("edge_peak", MOTION))
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"these are no parameters of the optic lobe: {error!r} is missing or no number") from None
    for kind, value in zip(("tau_s", "rest", "scale", "edge_peak"), found, strict=True):
        if (
            not np.isfinite(value).all()
            or (kind != "rest" and (value < 0).any())
            or (kind == "tau_s" and not value.all())
        ):
            raise DataError(f"{kind} of the optic lobe must be finite{'' if kind == 'rest' else ' and above 0'}")
    return Parameters(*found[:3]), found[3]
