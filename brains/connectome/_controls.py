"""Random wirings that keep one thing and lose another. All vectorised, all seeded."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def generator(seed: int, name: str) -> np.random.Generator:
    """An independent generator for each use of one seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),)))


def permute_within(groups: Array, seed: int, name: str) -> Array:
    """A permutation (n,) that leaves every row in its group."""
    order = np.arange(len(groups))
    rng = generator(seed, name)
    for group in np.unique(groups):
        at = np.flatnonzero(groups == group)
        order[at] = rng.permutation(at)
    return order


def swap(
    pre: Array,
    post: Array,
    n: int,
    kind: Array,
    undirected: Array,
    classes: Array,
    features: tuple[Array, ...],
    seed: int,
    rounds: int,
) -> tuple[Array, Array]:
    """Double-edge swaps a->b, c->d to a->d, c->b between random pairs of edges that agree in kind, classes, features.

    A round pairs all edges at once and refuses the swaps that would double an edge or make an autapse.
    """
    rng = generator(seed, "rewire")
    pre, post = pre.astype(np.int64), post.astype(np.int64)
    kind = kind.astype(np.int64)
    flip = undirected & (classes[pre] > classes[post])  # lower class first, so that a block has one orientation
    pre[flip], post[flip] = post[flip], pre[flip]
    inside = undirected & (classes[pre] == classes[post])
    group = kind
    for column in (classes[pre], classes[post], *features):
        values, codes = np.unique(column, return_inverse=True)
        if len(values) > 1:
            group = np.unique(group * len(values) + codes, return_inverse=True)[1]
    group = group.astype(np.min_scalar_type(int(group.max(initial=0))))  # short integers sort in linear time
    several = bool((group != group[:1]).any())
    free = np.flatnonzero(pre != post)
    for _ in range(rounds):
        turn = inside & (rng.random(len(pre)) < 0.5)
        pre[turn], post[turn] = post[turn], pre[turn]
        order = rng.permutation(free)
        if several:
            order = order[np.argsort(group[order], kind="stable")]
        same = group[order[:-1]] == group[order[1:]]
        start = np.flatnonzero(np.concatenate([[True], ~same])) if len(order) else np.empty(0, np.int64)
        rank = np.arange(len(order)) - np.repeat(start, np.diff(np.append(start, len(order))))
        first = np.flatnonzero(same & (rank[:-1] % 2 == 0))  # pairs 0-1, 2-3, ... inside each group
        e, f = order[first], order[first + 1]
        new = np.stack(
            [_key(pre[e], post[f], n, kind[e], undirected[e]), _key(pre[f], post[e], n, kind[e], undirected[e])]
        )
        ok = (pre[e] != post[f]) & (pre[f] != post[e])
        taken = np.sort(np.concatenate([_key(pre, post, n, kind, undirected), *new[:, ok]]))
        twice = np.unique(taken[1:][taken[1:] == taken[:-1]])  # few, so that looking them up is cheap
        if twice.size:
            ok &= (twice[np.minimum(np.searchsorted(twice, new), twice.size - 1)] != new).all(0)
        e, f = e[ok], f[ok]
        post[e], post[f] = post[f], post[e]
    return pre.astype(np.int32), post.astype(np.int32)


def _key(a: Array, b: Array, n: int, kind: Array, undirected: Array) -> Array:
    """One integer per edge, equal for equal edges."""
    if undirected.any():
        turned = undirected & (a > b)
        a, b = np.where(turned, b, a), np.where(turned, a, b)
    return (kind * n + a) * n + b


def random_pairs(
    count: int, sources: Array, targets: Array, undirected: bool, n: int, seed: int, name: str
) -> tuple[Array, Array]:
    """`count` different pairs (source, target), no self pairs, uniform."""
    rng = generator(seed, f"erdos_renyi {name}")
    same = np.isin(sources, targets).sum()
    room = len(sources) * len(targets) - same
    if undirected and same:
        room //= 2
    if count > room:
        from bestiary.errors import ConnectomeError

        raise ConnectomeError(f"{count} edges of kind {name!r} do not fit between different nodes: room for {room}")
    keys = np.empty(0, np.int64)
    while len(keys) < count:
        draw = int((count - len(keys)) * 1.1) + 16
        a, b = rng.choice(sources, draw).astype(np.int64), rng.choice(targets, draw).astype(np.int64)
        if undirected and same:
            a, b = np.minimum(a, b), np.maximum(a, b)
        keys = np.union1d(keys, (a * n + b)[a != b])
    keys = rng.permutation(keys)[:count]
    return (keys // n).astype(np.int32), (keys % n).astype(np.int32)
