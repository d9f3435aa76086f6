"""`flywire-surrogate`: a stand-in of the size and statistics of the adult fly brain, for tests and benchmarks.

Not a connectome: who is wired to whom is random. Kept from FlyWire 783: number of neurons, edges and synapses; ids,
types, classes, sides and transmitters where the registry's tables are at hand, and how the degrees are spread; the
distribution of synapses per edge; half of the edges stay within the neuropil group of their neuron.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from bestiary.brains._flywire import annotated, by_id, kind_of, named_neurons, names_of
from bestiary.brains.connectome import Connectome, Labels
from bestiary.envs._streams import stream

Array = np.ndarray[Any, np.dtype[Any]]

NEURONS = 138_639  # Dorkenwald et al. 2024 Nature 634:124; the rows of Completeness_783.csv of Shiu et al. 2024
EDGES = 15_091_983  # rows of Connectivity_783.parquet, Shiu et al. 2024
# Synapses per edge: rounded log-normal, fitted to 54,492,922 synapses on EDGES and to 2,700,513 edges of 5 or more that
# carry 63 % of them (file statistics of the FlyWire 783 edge list).
COUNT_MU, COUNT_SIGMA = 0.16, 1.45
# Degrees of the thresholded graph (degrees_fafb783.csv.gz): ln k is near normal, in and out correlate with 0.71
DEGREE_SIGMA = (1.01, 1.11)
DEGREE_CORRELATION = 0.71
LOCAL = 0.5
# Of classified neurons, neurons.csv.gz; the sign is that of Shiu et al. 2024
TRANSMITTERS = {"ACH": 0.591, "GLUT": 0.141, "GABA": 0.115, "SER": 0.0073, "DA": 0.0042, "OCT": 0.0005, "": 0.141}
INHIBITORY = ("GABA", "GLUT")
SUPER_CLASSES = {  # classification.csv.gz
    "optic": 77_873,
    "central": 32_381,
    "sensory": 16_938,
    "visual_projection": 7_684,
    "ascending": 1_750,
    "descending": 1_305,
    "visual_centrifugal": 522,
    "motor": 110,
    "endocrine": 80,
}
CLASSES = {"uniglomerular": 278, "multiglomerular": 399, "KCg": 2_490, "Kenyon_Cell": 2_687}  # the same table


def flywire_surrogate(
    seed: int = 0, *, neurons: int = NEURONS, edges: int = EDGES, real_tables: bool = True
) -> Connectome:
    """The surrogate; equal arguments give equal arrays. Takes seconds. neurons, edges: less than the fly for tests.

    real_tables: use the tables of ids, types, transmitters and degrees where the registry finds them.
    """
    rng = stream(seed, "flywire-surrogate")
    files = _tables() if real_tables and neurons == NEURONS else None
    columns, degree, group = _real(files) if files is not None else _statistical(neurons, rng)
    columns["transmitters"] = np.asarray(columns["transmitters"])
    columns["names"], columns["types"] = _named(columns)
    pre, post = _matched(_stubs(degree[0], edges, rng), _stubs(degree[1], edges, rng), group, rng)
    n = len(degree[0])
    key = pre.astype(np.int64) * n + post
    key = key[pre != post]
    del pre, post
    key.sort()
    key = key[np.concatenate([[True], key[1:] != key[:-1]])]
    if len(key) > edges:
        gone = rng.choice(len(key), len(key) - edges, replace=False)
        key = np.delete(key, gone)
    pre = (key // n).astype(np.int32)
    post = (key - pre.astype(np.int64) * n).astype(np.int32)
    del key
    z = rng.standard_normal(len(pre), dtype=np.float32)
    count = np.maximum(np.rint(np.exp(COUNT_MU + COUNT_SIGMA * z)), 1).astype(np.float32)
    sign = np.where(np.isin(columns["transmitters"], INHIBITORY), -1, 1).astype(np.int8)[pre]
    return Connectome(
        **columns,
        pre=pre,
        post=post,
        weight=count,
        sign=sign,
        sign_by=Labels.of("transmitter", len(pre)),
        provenance=Labels.of("statistical", len(pre)),
        source=f"flywire-surrogate seed {seed}: random wiring with FlyWire 783 statistics, "
        f"{'real' if files else 'statistical'} tables",
    )


def _named(columns: dict[str, Any]) -> tuple[Array, Array]:
    """(names, types) with the published names of FlyWire cells: on those cells, else on any of their kind and side.

    Only their names (with tables, types, transmitters and degrees too) are theirs: the wiring is random.
    """
    if columns["ids"][0].isdigit():
        return names_of(columns["ids"].tolist(), columns["types"], {})
    names, types = columns["ids"].astype("U32"), columns["types"].astype("U32")
    free = {
        (kind, side): iter(np.flatnonzero((columns["kinds"] == kind) & (columns["sides"] == side)).tolist())
        for kind in SUPER_CLASSES
        for side in "LR"
    }
    for name, (_, word) in named_neurons().items():
        row = next(free[kind_of(word), name[-1]], None)
        if row is not None:
            names[row], types[row] = name, word
    return names, types


def _tables() -> tuple[Path, ...] | None:
    """Model order; degrees, cells and classes of FlyWire 783."""
    from bestiary.assets import registry

    order = registry.at_hand("flywire-shiu-model", "Completeness_783.csv")
    names = ("degrees_fafb783.csv.gz", "neurons.csv.gz", "classification.csv.gz")
    tables = registry.at_hand("flywire-783-annotations", *names)
    return None if order is None or tables is None else (*order, *tables)


def _real(files: tuple[Path, ...]) -> tuple[dict[str, Any], list[Array], Array]:
    with open(files[0], encoding="utf-8", newline="") as file:
        ids = [row[0] for row in csv.reader(file)][1:]
    degrees = by_id(files[1], "neuron_id", "out_degree", "in_degree")
    groups = by_id(files[2], "root_id", "group")
    degree = np.array([degrees.get(i, ("0", "0")) for i in ids], dtype=np.float64).T + 0.5
    group = np.array([groups.get(i, ("",))[0] for i in ids])
    return {"ids": np.array(ids), **annotated(ids)}, list(degree), np.unique(group, return_inverse=True)[1]


def _statistical(n: int, rng: np.random.Generator) -> tuple[dict[str, Any], list[Array], Array]:
    z = rng.standard_normal((2, n))
    z[1] = DEGREE_CORRELATION * z[0] + np.sqrt(1 - DEGREE_CORRELATION**2) * z[1]
    degree = [np.exp(s * row) for s, row in zip(DEGREE_SIGMA, z, strict=True)]
    share = np.array(list(TRANSMITTERS.values()))
    kinds = np.repeat(list(SUPER_CLASSES), np.round(np.array(list(SUPER_CLASSES.values())) / 138_643 * n).astype(int))
    group = np.minimum(rng.geometric(0.12, n), 60)  # a few large neuropils, many small ones
    kinds, types = np.resize(kinds, n), np.array([f"T{i % 8000}" for i in range(n)], dtype="U32")
    free = np.flatnonzero(kinds == "central")[::-1]  # named cells take the first
    for word, count in CLASSES.items():
        many = int(count / 138_643 * n)
        types[free[:many]], free = word, free[many:]
    columns = {
        "ids": np.array([f"s{i}" for i in range(n)]),
        "types": types,
        "kinds": kinds,
        "sides": np.where(np.arange(n) % 2, "R", "L"),
        "transmitters": rng.choice(list(TRANSMITTERS), n, p=share / share.sum()),
    }
    return columns, degree, group


def _stubs(degree: Array, edges: int, rng: np.random.Generator) -> Array:
    """(about 1.1 edges,) int32: each neuron as often as its degree, scaled, in order of neurons."""
    wanted = degree * (1.10 * edges / degree.sum())  # some are lost to doubles and autapses
    whole = np.floor(wanted).astype(np.int64)
    whole += rng.random(len(wanted)) < wanted - whole
    return np.repeat(np.arange(len(degree), dtype=np.int32), whole)


def _matched(pre: Array, post: Array, group: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Random pairs of out- and in-stubs; the share LOCAL is matched within groups as far as the stubs go."""
    m = min(len(pre), len(post))
    pre, post = (rng.permutation(x)[:m] for x in (pre, post))
    near = int(LOCAL * m)
    code = group.astype(np.int16)
    a = pre[:near][np.argsort(code[pre[:near]], kind="stable")]
    b = post[:near][np.argsort(code[post[:near]], kind="stable")]
    size = int(code.max()) + 1
    have = [np.bincount(code[x], minlength=size) for x in (a, b)]
    both = np.minimum(*have)
    keep = [_leading(code[x], h, both) for x, h in zip((a, b), have, strict=True)]
    left = [rng.permutation(x[~k]) for x, k in zip((a, b), keep, strict=True)]
    return (
        np.concatenate([a[keep[0]], left[0], pre[near:]]),
        np.concatenate([b[keep[1]], left[1], post[near:]]),
    )


def _leading(sorted_codes: Array, have: Array, take: Array) -> Array:
    """Mask of the first take[c] entries of each run c of a sorted array."""
    start = np.concatenate([[0], np.cumsum(have)[:-1]])
    return np.arange(len(sorted_codes)) - start[sorted_codes] < take[sorted_codes]
