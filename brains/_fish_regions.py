"""A scaffold of the whole brain: neurons spread over 70 regions whose projections were measured one by one.

Legare 2025 (doi:10.5683/SP3/IIVGOB, CC BY 4.0), from the single-neuron atlas of Kunst 2019 (Neuron 103:21): row =
TARGET region, column = SOURCE region. A projectome says how much of a region's axons enters another, not who synapses
on whom: partners are drawn at random in proportion to it, every neuron the same number. Signs are assumed (80 %
excite), and regions get equal shares of the neurons (volumes are not in the data). The same slot takes a full edge
list, when there is one: `connectome=` a `Connectome` of your own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from bestiary.brains._fish_integrator import square
from bestiary.brains._parts import Part
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock
from bestiary.envs._streams import stream
from bestiary.errors import ConnectomeError

Array = np.ndarray[Any, np.dtype[Any]]

DATA = "zebrafish-mesoscale"
NEURONS, INPUTS, EXCITE = 3000, 50, 0.8
# Synapses an edge of the spiking equations, and how much stronger those that inhibit are: set so that the correlations
# between the regions' rates are as the one imaged fish's (`likeness`, r = 0.4); ten fewer and no region hears another
STRENGTH, INHIBIT = 25.0, 3.0
FEW, MANY = 1000, 100_000
# Projections that only go one way (checked in the data): (target, source)
ONE_WAY = (("SFGS", "Ret"), ("IPN", "DH"))


@lru_cache(1)
def measured() -> tuple[Array, tuple[str, ...]]:
    """(70, 70) target x source, and the regions' acronyms. Raises DataError where it was not fetched."""
    from bestiary.assets import registry

    matrix = np.load(registry.path(DATA, "SC.npy"))
    names = np.load(registry.path(DATA, "region_acronyms.npy"))
    return matrix, tuple(map(str, names.ravel().tolist()))


def check(matrix: Any, regions: Sequence[str], known: Sequence[str] | None = None) -> Array:
    """The projectome as float64. Raises ConnectomeError where it is not square, not finite, names a region twice or one
    that is not `known`, or where projections that go one way go the other: rows are targets."""
    found = square(matrix, regions, "the projectome")
    for name in regions:
        if list(regions).count(name) > 1:
            raise ConnectomeError(f"region {name!r} is named twice")
        if known is not None and name not in known:
            raise ConnectomeError(f"unknown region {name!r}; there are: {', '.join(known)}")
    row = {name: i for i, name in enumerate(regions)}
    for target, source in ONE_WAY:
        if target in row and source in row:
            a, b = found[row[target], row[source]], found[row[source], row[target]]
            if b > a:
                raise ConnectomeError(
                    f"{source} projects to {target} and not back, but here row {source}, column {target} is {b:g} and "
                    f"row {target}, column {source} is {a:g}: rows are targets; the matrix seems transposed"
                )
    return found


def scaffold(matrix: Any, regions: Sequence[str], neurons: int = NEURONS, seed: int = 0) -> Connectome:
    """`neurons` cells (1,000 to 100,000) in equal shares over the regions, types their acronyms, INPUTS edges onto each
    from regions in proportion to the row of its own. Provenance `projectome`. Raises ConnectomeError."""
    found = check(matrix, regions)
    if not FEW <= neurons <= MANY:
        raise ConnectomeError(f"a scaffold has {FEW} to {MANY} neurons, got {neurons}")
    if not found.any():
        raise ConnectomeError("the projectome is 0 everywhere: no region projects to another")
    rng = stream(seed, "scaffold")
    home = np.arange(neurons) * len(regions) // neurons
    first = np.searchsorted(home, np.arange(len(regions) + 1))
    heard = found / np.maximum(found.sum(1, keepdims=True), 1e-30)
    pre, post = [], []
    for r in range(len(regions)):
        mine = np.arange(first[r], first[r + 1])
        if not found[r].any():
            continue
        source = rng.choice(len(regions), (len(mine), INPUTS), p=heard[r])
        low, size = first[source], first[source + 1] - first[source]
        pre.append((low + (rng.random(source.shape) * size).astype(int)).ravel())
        post.append(np.repeat(mine, INPUTS))
    a, b = np.concatenate(pre), np.concatenate(post)
    keep = a != b
    excites = rng.random(neurons) < EXCITE
    count = np.arange(neurons) - first[home]
    return Connectome(
        ids=np.array([f"{regions[h]}_{c + 1}" for h, c in zip(home.tolist(), count.tolist(), strict=True)]),
        types=np.asarray(regions)[home],
        kinds=np.full(neurons, "inter"),
        pre=a[keep],
        post=b[keep],
        weight=np.where(excites[a[keep]], STRENGTH, INHIBIT * STRENGTH).astype(np.float32),
        sign=np.where(excites[a[keep]], 1, -1).astype(np.int8),
        sign_by="assumed",
        provenance="projectome",
        source=f"scaffold of {neurons} cells on the projectome of Legare 2025",
    )


def regions(name: str, clock: Clock) -> Part:
    """The part from its name: "mesoscale", "mesoscale:20000", "mesoscale:3000:rate"."""
    words = name.split(":")
    if words[0] != "mesoscale" or len(words) > 3:
        raise LookupError(
            f"no connectome {name!r} of the fish; there are: circuits, mesoscale, mesoscale:N, mesoscale:N:rate"
        )
    try:
        neurons = int(words[1]) if len(words) > 1 and words[1] else NEURONS
    except ValueError:
        raise LookupError(f"mesoscale:NEURONS needs a number, got {words[1]!r}") from None
    matrix, acronyms = measured()
    return regions_of(scaffold(matrix, acronyms, neurons), clock, rate="rate" in words[2:])


def regions_of(table: Connectome, clock: Clock, rate: bool = False) -> Part:
    """Any table as the part `regions`: spiking (5 Hz of background), or rates."""
    if rate:
        from bestiary.brains._fish_circuits import weigh
        from bestiary.brains._rate_part import RatePart

        def scaled(t: Connectome) -> Any:
            return weigh(t) * (1.5 / INPUTS / STRENGTH)

        return RatePart(table, scaled, np.full(len(table), 0.1, np.float32), clock, tau_s=0.1)
    from bestiary.brains._spiking_part import SpikingPart

    return SpikingPart(table, clock.control_s, clock.brain_s, background_Hz=np.full(len(table), 5.0), in_place=True)


def regional_rates(part: Part, regions: Sequence[str], seconds: float, seed: int = 0, bin_s: float = 0.1) -> Array:
    """(regions, bins) mean rates of a scaffold left to itself, without its first second; a control period of 1 ms."""
    row = {name: i for i, name in enumerate(regions)}
    home = np.array([row[t] for t in part.table.types.tolist()])
    cells = np.maximum(np.bincount(home, minlength=len(regions)), 1)
    state, still, each = part.init(seed), np.zeros(len(home), np.float32), round(bin_s / 1e-3)
    out = np.zeros((len(regions), int(seconds / bin_s)))
    for k in range(each * out.shape[1]):
        state = part.advance(state, still)
        out[:, k // each] += np.bincount(home, part.rate_Hz(state), minlength=len(regions)) / cells / each
    return out[:, round(1 / bin_s) :]


def likeness(a: Array, b: Array) -> float:
    """Correlation, over pairs of regions, of the correlations in two records (regions, time); silent regions apart."""
    live = np.flatnonzero((a.std(1) > 0) & (b.std(1) > 0))
    pair = np.triu_indices(len(live), 1)
    return float(np.corrcoef(np.corrcoef(a[live])[pair], np.corrcoef(b[live])[pair])[0, 1])


def recorded() -> Array:
    """(70, 892) activity of one imaged fish, regions in the order of `measured`. Raises DataError."""
    from bestiary.assets import registry

    return np.asarray(np.load(registry.path(DATA, "timeseries_regions_fish6.npy")))
