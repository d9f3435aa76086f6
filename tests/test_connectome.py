"""The connectome table, its queries, its controls and its refusals."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bestiary.brains.connectome import Connectome, _load, connectomes, load_connectome
from bestiary.errors import ConnectomeError, DataError, UnknownNeuronError

DATA = Path(os.environ.get("BESTIARY_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="module")
def cook() -> Connectome:
    return load_connectome("worm", "cook2019")


def total(c: Connectome, kind: str) -> tuple[int, float]:
    at = c.kind.mask(kind)
    return int(at.sum()), float(c.weight[at].sum())


def autapses(c: Connectome, kind: str) -> int:
    return int((c.kind.mask(kind) & (c.pre == c.post)).sum())


def test_cook_counts(cook):
    assert (len(cook), len(cook.neurons), len(cook.muscles)) == (397, 302, 95)
    assert total(cook, "chemical") == (3709, 20965) and autapses(cook, "chemical") == 38
    assert total(cook, "gap")[0] == 1091 + 14 and autapses(cook, "gap") == 14
    assert cook.weight[cook.kind.mask("gap") & (cook.pre != cook.post)].sum() == 5744
    assert total(cook, "neuromuscular") == (956, 5515)
    nmj = cook.kind.mask("neuromuscular")
    assert len(np.unique(cook.pre[nmj])) == 162 and len(np.unique(cook.post[nmj])) == 95
    assert total(cook, "muscle_gap")[0] == 96


def test_witvliet_counts():
    c = load_connectome("worm", "witvliet8")
    assert total(c, "chemical") == (1933, 7099) and total(c, "neuromuscular") == (216, 802)
    assert total(c, "gap")[0] == 296 + 8
    ring = c.kind.mask("chemical", "gap")
    assert len(np.unique(np.concatenate([c.pre[ring], c.post[ring]]))) <= 180


@pytest.mark.parametrize("name", connectomes("worm"))
def test_every_data_set_has_the_same_neurons(cook, name):
    c = load_connectome("worm", name)
    assert (c.ids == cook.ids).all() and c.n_edges > 2000


def test_wireless_edges():
    c = load_connectome(wireless=["monoamine", "peptide_short", "peptide_mid", "peptide_long"])
    counts = c.kind.counts()
    assert [counts[a] for a in ("dopamine", "serotonin", "tyramine", "octopamine")] == [1176, 492, 228, 56]
    assert [counts[f"peptide_{r}"] for r in ("short", "mid", "long")] == [31417, 40425, 53558]
    with pytest.raises(LookupError, match="did you mean 'dopamine'"):
        load_connectome(wireless=["dopamin"])


def test_agrees_with_the_independent_copy(cook):
    path = DATA / "worm" / "connectome" / "celegans_herm_connectome.npz"
    if not path.is_file():
        pytest.skip(f"no {path}: set BESTIARY_DATA")
    with np.load(path, allow_pickle=False) as other:
        n, m = cook.select(list(other["neurons"])), cook.select(list(other["muscles"]))
        for name, kind, rows, columns in (
            ("cook_chem", "chemical", n, n),
            ("cook_gap", "gap", n, n),
            ("cook_nmj", "neuromuscular", n, m),
            ("cook_muscle_gap", "muscle_gap", m, m),
        ):
            np.testing.assert_array_equal(cook.matrix(kind, rows=rows, columns=columns).toarray(), other[name])
        wit = load_connectome("worm", "witvliet8")
        np.testing.assert_array_equal(wit.matrix("chemical", rows=n, columns=n).toarray(), other["wit8_chem"])
        pep = load_connectome(wireless=["peptide_mid"])
        np.testing.assert_array_equal(pep.matrix("peptide_mid", rows=n, columns=n).toarray(), other["pep_mid"])


def test_bodies_of_cells_lie_along_the_worm(cook):
    along = dict(zip(cook.ids.tolist(), cook.extra["along"], strict=True))
    assert min(along.values()) >= 0 and max(along.values()) <= 1
    assert along["I2L"] < along["AVAL"] < along["DB1"] < along["AVM"] < along["HSNL"] < along["PVDL"] < along["PLML"]
    assert abs(along["HSNL"] - 0.5) < 0.05  # beside the vulva, at mid-body
    for row in ("DL", "DR", "VL", "VR"):
        at = cook.select(f"type=M{row}")
        assert len(at) == (23 if row == "VL" else 24)
        assert (np.diff(cook.extra["along"][at]) > 0).all() and (np.diff(cook.extra["index"][at]) == 1).all()


def test_motor_neurons_pull_the_muscles_beside_them(cook):
    """Dorsal exciters reach dorsal rows, ventral ones ventral rows; the soma of a B neuron is near its muscles."""
    rows = {t: set(cook.extra["row"][cook.post[cook.edges(t, "muscle")]].tolist()) for t in ("DB", "VB", "DD", "VD")}
    weight = {
        t: {
            side: cook.weight[[e for e in cook.edges(t, "muscle") if cook.extra["row"][cook.post[e]][0] == side]].sum()
            for side in "DV"
        }
        for t in rows
    }
    for t in rows:
        own, other = ("D", "V") if t in ("DB", "DD") else ("V", "D")
        assert weight[t][own] > 20 * weight[t][other], t


@pytest.mark.parametrize(
    ("pre", "post", "sign", "by"),
    [
        ("AWC", "AIY", -1, "physiology"),
        ("AWC", "AIB", 1, "physiology"),
        ("AVM", "AVB", -1, "physiology"),
        ("ALM", "PVC", -1, "physiology"),
        ("PLM", "AVA", -1, "physiology"),
        ("PLM", "AVD", -1, "physiology"),
        ("LUA", "AVA", -1, "physiology"),
        ("DD", "muscle", -1, "physiology"),
        ("VB", "muscle", 1, "physiology"),
        ("RME", "muscle", -1, "physiology"),
    ],
)
def test_signs_of_the_override_table(cook, pre, post, sign, by):
    at = cook.edges(pre, post, ["chemical", "neuromuscular"])
    assert at.size and (cook.sign[at] == sign).all() and set(cook.sign_by[at].text()) == {by}


def test_touch_receptors_oppose_both_pools(cook):
    """74 sections from ALM and AVM onto AVB and PVC, 35 from PLM onto AVA, AVD and AVE: all inhibit."""
    for pre, post, sections in ((["ALM", "AVM"], ["AVB", "PVC"], 74), (["PLM"], ["AVA", "AVD", "AVE"], 35)):
        at = cook.edges(pre, post, "chemical")
        assert (cook.weight[at] * cook.sign[at]).sum() == -sections


def test_every_sign_has_its_author(cook):
    synapses = cook.kind.mask("chemical", "neuromuscular")
    assert set(cook.sign_by[synapses].text()) == {"physiology", "receptor", "transmitter", "assumed"}
    assert (cook.sign[synapses] != 0).all()
    rule = synapses & cook.sign_by.mask("transmitter")
    first = cook.transmitters[cook.pre[rule]]
    gaba = np.array([t.startswith("GABA") and "uptake" not in t.split(";")[0] for t in first])
    assert (cook.sign[rule][gaba] == -1).all() and gaba.sum() > 20
    ach = np.char.startswith(first, "ACh")
    assert (cook.sign[rule][ach] == 1).all()


def test_gap_cap_changes_only_the_artefacts(cook):
    capped = load_connectome(gap_cap=81)
    changed = np.flatnonzero(capped.weight != cook.weight)
    pairs = {
        frozenset((cook.types[cook.pre[e]], cook.types[cook.post[e]])) for e in changed if cook.kind.mask("gap")[e]
    }
    assert pairs == {frozenset(p) for p in (("ALA", "CAN"), ("ALA", "PVD"), ("CAN", "PVD"))}
    assert not np.isin(cook.kind[changed].text(), ["chemical", "neuromuscular"]).any()
    with pytest.raises(ConnectomeError, match="gap_cap"):
        load_connectome(gap_cap=0)


def test_select(cook):
    assert cook.ids[cook.select("AVA")].tolist() == ["AVAL", "AVAR"]
    assert cook.ids[cook.select(["PVCR", "AVAL", "AVA"])].tolist() == ["PVCR", "AVAL", "AVAR"]
    assert set(cook.types[cook.select("V[AB]*")]) == {"VA", "VB"}
    assert set(cook.kinds[cook.select("kind=motor & side=L")]) == {"motor"}
    assert "SMDDL" in cook.ids[cook.select("transmitter=GABA")]  # second transmitter counts
    assert cook.select(np.array([5, 3])).tolist() == [5, 3]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("AVALL", "'AVAL'"),
        ("sid=L", "'side'"),
        ("kind=moto", "'motor'"),
        (400, "397"),
        ("side=L & side=R", "meets all"),
    ],
)
def test_unknown_neuron(cook, query, words):
    with pytest.raises(UnknownNeuronError, match=words):
        cook.select(query)


def test_unknown_names():
    with pytest.raises(LookupError, match="did you mean 'cook2019'"):
        load_connectome("worm", "cook2020")
    with pytest.raises(LookupError, match="did you mean 'worm'"):
        load_connectome("wrom")


def test_lesion_and_silence(cook):
    ava = cook.select("AVA")
    without = cook.lesion("AVA")
    assert not (np.isin(without.pre, ava) | np.isin(without.post, ava)).any()
    assert (without.ids == cook.ids).all()
    kept = ~(np.isin(cook.pre, ava) | np.isin(cook.post, ava))
    np.testing.assert_array_equal(without.weight, cook.weight[kept])
    quiet = cook.silence("AVA")
    assert quiet.matrix("chemical", rows="AVA").nnz == 0 and quiet.matrix("gap", rows="AVA").nnz == 0
    np.testing.assert_array_equal(
        quiet.matrix("chemical", rows="AVB", columns="AVA").toarray(),
        cook.matrix("chemical", rows="AVB", columns="AVA").toarray(),
    )
    assert cook.silence("AVA", inputs_too=True).n_edges == without.n_edges < quiet.n_edges < cook.n_edges


def test_matrices(cook):
    gap = cook.matrix("gap")
    assert (gap != gap.T).nnz == 0
    signed = cook.matrix("chemical", signed=True)
    np.testing.assert_array_equal(abs(signed).toarray(), cook.matrix("chemical").toarray())
    assert signed.min() < 0
    nmj = cook.matrix("neuromuscular", rows=cook.neurons, columns=cook.muscles)
    assert nmj.shape == (302, 95) and nmj.nnz == 956
    with pytest.raises(ConnectomeError, match="did you mean 'chemical'"):
        cook.matrix("chemica")


# --- what each control keeps and what it changes

KINDS = st.sampled_from(["chemical", "gap", "neuromuscular"])


@st.composite
def tables(draw) -> Connectome:
    """Small random connectomes without doubled edges: 6 to 14 neurons, 3 muscles."""
    n = draw(st.integers(6, 14))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    edges: dict[tuple[int, int, str], float] = {}
    for _ in range(draw(st.integers(10, 80))):
        kind = ("chemical", "gap", "neuromuscular")[rng.integers(3)]
        a, b = int(rng.integers(n)), int(rng.integers(n, n + 3) if kind == "neuromuscular" else rng.integers(n))
        if kind == "gap" and a > b:
            a, b = b, a
        edges[a, b, kind] = float(rng.integers(1, 4))
    a, b, kind = zip(*edges, strict=True)
    return Connectome(
        ids=[f"n{i}" for i in range(n)] + ["m0", "m1", "m2"],
        kinds=["sensory", "motor"] * (n // 2) + ["inter"] * (n % 2) + ["muscle"] * 3,
        pre=list(a),
        post=list(b),
        weight=list(edges.values()),
        sign=rng.choice([-1, 1], len(a)),
        kind=list(kind),
    )


def degrees(c: Connectome, kind: str) -> tuple[list[int], list[int]]:
    at = c.kind.mask(kind)
    n = len(c)
    if kind == "gap":
        both = np.bincount(c.pre[at], minlength=n) + np.bincount(c.post[at], minlength=n)
        return both.tolist(), []
    return np.bincount(c.pre[at], minlength=n).tolist(), np.bincount(c.post[at], minlength=n).tolist()


def strength(c: Connectome, kind: str, end: str) -> list[float]:
    at = c.kind.mask(kind)
    return np.bincount(getattr(c, end)[at], weights=c.weight[at] * c.sign[at], minlength=len(c)).tolist()


def pairs(c: Connectome) -> Counter:
    text = c.kind.text().tolist()
    ends = zip(c.pre.tolist(), c.post.tolist(), text, strict=True)
    return Counter((min(a, b), max(a, b), k) if k == "gap" else (a, b, k) for a, b, k in ends)


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(0, 100), st.sampled_from(["degree", "class"]))
def test_rewire_keeps(c, seed, keep):
    r = c.rewire(seed, keep=keep)
    for kind in c.kind.values:
        assert degrees(r, kind) == degrees(c, kind)
        assert autapses(r, kind) == autapses(c, kind)
        if kind != "gap":
            assert strength(r, kind, "pre") == strength(c, kind, "pre")
    assert max(pairs(r).values()) == 1
    if keep == "class":
        for kind in set(c.kind.values) - {"gap"}:
            assert strength(r, kind, "post") == strength(c, kind, "post")

        def blocks(t: Connectome) -> Counter:
            a, b = t.kinds[t.pre].tolist(), t.kinds[t.post].tolist()
            k, w = t.kind.text().tolist(), t.weight.tolist()
            return Counter(
                (*(sorted(p) if q == "gap" else p), q, x) for p, q, x in zip(zip(a, b, strict=True), k, w, strict=True)
            )

        assert blocks(r) == blocks(c)


@settings(max_examples=40, deadline=None)
@given(tables(), st.integers(0, 100))
def test_shuffles_and_random_graphs_keep(c, seed):
    w = c.shuffle_weights(seed)
    assert pairs(w) == pairs(c) and (w.sign == c.sign).all()
    s = c.shuffle_signs(seed)
    assert pairs(s) == pairs(c) and (s.weight == c.weight).all()
    for kind in c.kind.values:
        at = c.kind.mask(kind)
        assert sorted(w.weight[at]) == sorted(c.weight[at]) and sorted(s.sign[at]) == sorted(c.sign[at])
    try:
        e = c.erdos_renyi(seed)
    except ConnectomeError:  # a table so full of autapses that there is no room without them
        return
    assert max(pairs(e).values()) == 1 and (e.pre != e.post).all()
    assert (e.weight == c.weight).all() and (e.sign == c.sign).all()
    muscle = e.kinds == "muscle"
    nmj = e.kind.mask("neuromuscular")
    assert not muscle[e.pre].any() and muscle[e.post[nmj]].all() and not muscle[e.post[~nmj]].any()


CONTROLS = {
    "weights": lambda c, s: c.shuffle_weights(s),
    "signs": lambda c, s: c.shuffle_signs(s),
    "degree": lambda c, s: c.rewire(s),
    "class": lambda c, s: c.rewire(s, keep="class"),
    "random": lambda c, s: c.erdos_renyi(s),
}
RESTRICTED = {
    "weights": lambda c, k: c.shuffle_weights(0, k),
    "signs": lambda c, k: c.shuffle_signs(0, kinds=k),
    "degree": lambda c, k: c.rewire(0, kinds=k),
    "class": lambda c, k: c.rewire(0, keep="class", weights="log2", kinds=k),
    "random": lambda c, k: c.erdos_renyi(0, k),
}


@pytest.mark.parametrize("name", RESTRICTED)
def test_controls_leave_other_kinds_of_edges_alone(cook, name):
    touched = ("chemical", "gap")
    new = RESTRICTED[name](cook, touched)
    stay = ~cook.kind.mask(*touched)
    assert stay.sum() > 1000
    for column in ("pre", "post", "weight", "sign"):
        np.testing.assert_array_equal(getattr(new, column)[stay], getattr(cook, column)[stay])
    assert cook.moved_share(new, touched) > 0.2
    assert cook.moved_share(new) == pytest.approx(cook.moved_share(new, touched) * (~stay).mean())
    with pytest.raises(ConnectomeError, match="did you mean 'chemical'"):
        RESTRICTED[name](cook, ("chemicl",))


def test_classes_and_powers_of_two_are_kept_while_most_edges_move(cook):
    new = cook.rewire(0, keep="class", weights="log2")
    assert cook.moved_share(new) > 0.6 > 6 * cook.moved_share(cook.rewire(0, keep="class", by="types"))

    def blocks(t: Connectome) -> Counter:
        power = np.floor(np.log2(np.maximum(t.weight, 1e-9)))
        ends = [sorted(p) for p in zip(t.kinds[t.pre].tolist(), t.kinds[t.post].tolist(), strict=True)]
        return Counter((*e, k, w) for e, k, w in zip(ends, t.kind.text().tolist(), power.tolist(), strict=True))

    assert blocks(new) == blocks(cook)
    assert degrees(new, "chemical") == degrees(cook, "chemical")
    with pytest.raises(ConnectomeError, match="'exact' or 'log2'"):
        cook.rewire(weights="log")


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_are_seeded_and_change_much(cook, name):
    control = CONTROLS[name]
    one, again, two = control(cook, 1), control(cook, 1), control(cook, 2)
    for column in ("pre", "post", "weight", "sign"):
        np.testing.assert_array_equal(getattr(one, column), getattr(again, column))
    moved = (one.matrix(signed=True) != cook.matrix(signed=True)).nnz / cook.n_edges
    assert moved > (0.15 if name == "signs" else 0.7)
    assert (one.matrix(signed=True) != two.matrix(signed=True)).nnz > 0


def test_degree_rewiring_forgets_the_wiring(cook):
    """The share of chemical edges that fall on a former edge is near that of a random graph with these degrees."""
    before, after = cook.matrix("chemical") > 0, cook.rewire(0).matrix("chemical") > 0
    kept = before.multiply(after).sum() / before.sum()
    out, into = np.asarray(before.sum(1)).ravel(), np.asarray(before.sum(0)).ravel()
    n = before.sum()
    expected = float((np.minimum(1, np.outer(out, into) / n) * before.toarray()).sum() / n)
    assert kept < 1.3 * expected, (kept, expected)


# --- bad input


def small(**change) -> Connectome:
    table = {"ids": ["a", "b", "c"], "pre": [0, 1], "post": [1, 2], "weight": [1.0, 2.0]}
    return Connectome(**(table | change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ids": ["a", "b", "a"]}, "twice in 1 of 3 rows .row 2: a"),
        ({"ids": []}, "empty"),
        ({"ids": ["a", "", "c"]}, "no id.*row 1"),
        ({"weight": [1.0, np.nan]}, "not finite in 1 of 2 rows .row 1"),
        ({"weight": [np.inf, 1.0]}, "not finite.*row 0"),
        ({"weight": [1.0, -2.0]}, "negative; an inhibitory edge has weight > 0 and sign -1 in 1 of 2 rows"),
        ({"weight": [1.0]}, "weight has 1 rows, pre has 2"),
        ({"pre": [0, 3]}, "pre is not a row of the 3 neurons in 1 of 2 rows .row 1: 3"),
        ({"post": [-1, 1]}, "post is not a row.*row 0: -1"),
        ({"pre": ["a", "b"]}, "row numbers"),
        ({"sign": [1, 2]}, "sign is not.*row 1: 2"),
        ({"delay_s": [0.0, -1e-3]}, "delay_s is negative"),
        ({"delay_s": [0.0, np.nan]}, "delay_s is not finite"),
        ({"types": ["x"]}, "types has 1 rows, ids has 3"),
        ({"position_um": np.zeros((3, 2))}, "position_um"),
        ({"extra": {"along": [0.0]}}, "extra"),
    ],
)
def test_refuses(change, words):
    with pytest.raises(ConnectomeError, match=words):
        small(**change)


def test_arrays_are_frozen(cook):
    with pytest.raises(ValueError):
        cook.weight[0] = 3
    with pytest.raises(ConnectomeError, match="keep must be"):
        cook.rewire(keep="clas")


def test_damaged_table_is_refused(tmp_path, monkeypatch):
    folder = Path(_load._folder("worm"))
    for file in folder.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    whole = (tmp_path / "edges.csv.gz").read_bytes()
    (tmp_path / "edges.csv.gz").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(_load, "_folder", lambda animal: tmp_path)
    with pytest.raises(DataError, match=r"damaged.*15828 rows"):
        load_connectome()
