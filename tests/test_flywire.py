"""The importer of FlyWire 783 on files of its schema: what is right is read, what cannot be right is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bestiary.brains import _flywire, _shiu
from bestiary.brains._flywire import check_name, flywire_connectome, named_neurons
from bestiary.brains.connectome import Connectome
from bestiary.brains.spiking import Simulation
from bestiary.errors import ConnectomeError, DataError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("BESTIARY_DATA") or ROOT.parent / "shared" / "data")
TABLES = DATA / "fly" / "flywire783_tables"
needs_tables = pytest.mark.skipif(not TABLES.is_dir(), reason="BESTIARY_DATA has no fly/flywire783_tables")

MN9, DNA02_L, DNA02_R = 720575940660219265, 720575940629327659, 720575940604737708
IDS = [720575940000000000, MN9, DNA02_L, DNA02_R]


class Files:
    """A small release: four cells, three edges."""

    def __init__(self, folder: Path) -> None:
        self.edges, self.cells = folder / "edges.parquet", folder / "cells.csv"
        self.ids: list[object] = list(IDS)
        pre, post = [0, 1, 2], [1, 2, 3]
        self.columns: dict[str, list[object]] = {
            "Presynaptic_ID": [IDS[i] for i in pre],
            "Postsynaptic_ID": [IDS[i] for i in post],
            "Presynaptic_Index": pre,
            "Postsynaptic_Index": post,
            "Connectivity": [5, 1, 7],
            "Excitatory": [1, -1, 1],
            "Excitatory x Connectivity": [5, -1, 7],
        }

    def read(self, counts: tuple[int, int] | None = (4, 3), **options: object) -> Connectome:
        self.cells.write_text(",Completed\n" + "".join(f"{i},True\n" for i in self.ids))
        if not self.edges.is_file():
            parquet.write_table(pyarrow.table(self.columns), self.edges)
        return flywire_connectome(self.edges, self.cells, counts=counts, **options)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_a_right_release_is_read_with_its_names(files):
    c = files.read()
    assert (c.n_edges, c.weight.tolist(), c.sign.tolist()) == (3, [5, 1, 7], [1, -1, 1])
    assert c.names.tolist() == ["720575940000000000", "MN9_R", "DNa02_L", "DNa02_R"]
    assert c.select("DNa02_L").tolist() == c.select(str(DNA02_L)).tolist() == [2]
    assert c.select("DNa02").tolist() == [2, 3]  # the type
    assert _shiu.shiu_network(c, {"DNa02_L": 50.0}).plan().edges[0].w.tolist() == pytest.approx([1.375, -0.275, 1.925])


def bad(column, row, value):
    def change(files):
        files.columns[column][row] = value

    return change


def cells(*ids):
    def change(files):
        files.ids = list(ids)

    return change


def double_edge(files):
    for values in files.columns.values():
        values.append(values[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (bad("Presynaptic_ID", 1, None), r"Presynaptic_ID is missing in 1 of 3 rows \(row 1"),
        (bad("Postsynaptic_ID", 2, IDS[0]), r"do not belong together: 1 ids of 3 rows differ \(row 2"),
        (
            bad("Presynaptic_ID", 1, 720575940999999999),
            r"not one of the 4 neurons .* in 1 of 3 rows \(row 1: 7205759409",
        ),
        (bad("Presynaptic_Index", 0, -1), r"Presynaptic_Index is no row of the 4 neurons in 1 of 3 rows \(row 0: -1"),
        (bad("Postsynaptic_Index", 2, 4), "Postsynaptic_Index is no row of the 4 neurons"),
        (bad("Connectivity", 1, float("nan")), r"Connectivity is (missing|not finite) in 1 of 3 rows \(row 1"),
        (bad("Connectivity", 1, float("inf")), r"Connectivity is not finite in 1 of 3 rows \(row 1: inf"),
        (bad("Connectivity", 1, 2.5), r"Connectivity is no whole number in 1 of 3 rows \(row 1: 2.5"),
        (bad("Connectivity", 2, -7), r"Connectivity is not positive.* in 1 of 3 rows \(row 2: -7"),
        (bad("Excitatory", 0, 0), r"Excitatory is neither 1 nor -1 in 1 of 3 rows"),
        (cells(IDS[0], MN9, DNA02_L, ""), r"no FlyWire root id .* in 1 of 4 rows \(row 3"),
        (cells(IDS[0], MN9, DNA02_L, 12), r"no FlyWire root id .* in 1 of 4 rows \(row 3: 12"),
        (cells(IDS[0], MN9, DNA02_L, MN9), r"an id occurs twice in 1 of 4 rows \(row 3"),
        (cells(*IDS[::-1]), "do not belong together: 3 ids"),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_rows(files, change, says):
    change(files)
    with pytest.raises(DataError, match=says):
        files.read()


def test_a_double_edge_is_refused(files):
    double_edge(files)
    with pytest.raises(DataError, match=r"an edge occurs twice in 1 of 4 rows \(row 3"):
        files.read(counts=(4, 4))


def test_row_counts_and_the_wrong_version_are_refused(files, monkeypatch):
    with pytest.raises(DataError, match="has 4 neurons, 138639 are wanted"):
        files.read(counts=(_flywire.NEURONS, _flywire.EDGES))
    with pytest.raises(DataError, match="has 3 edges, 5 are wanted; download it again"):
        files.read(counts=(4, 5))
    monkeypatch.setattr(_flywire, "OLD_EDGES", 3)
    monkeypatch.setattr(_flywire, "OLD_NEURONS", 4)
    with pytest.raises(DataError, match="has 3 edges, 5 are wanted; that is materialisation 630"):
        files.read(counts=(4, 5))
    with pytest.raises(DataError, match="has 4 neurons, 6 are wanted; that is materialisation 630"):
        files.read(counts=(6, 3))


def test_a_file_cut_short_or_without_a_column_is_refused(files):
    files.read()
    whole = files.edges.read_bytes()
    for part in (len(whole) // 2, len(whole) - 4, 3):
        files.edges.write_bytes(whole[:part])
        with pytest.raises(DataError, match="download it again"):
            files.read()
    files.edges.unlink()
    del files.columns["Connectivity"]
    with pytest.raises(DataError, match="lacks the columns Connectivity; it has"):
        files.read()
    with pytest.raises(DataError, match="cannot be read"):
        flywire_connectome(files.edges, files.cells.with_name("none.csv"))


def test_a_foreign_file_in_the_cache_is_not_used_and_the_cache_stays_as_it_is(files, tmp_path, monkeypatch):
    files.read()
    cache = tmp_path / "cache"
    place = cache / "fly" / "flywire783_edges" / "Connectivity_783.parquet"
    place.parent.mkdir(parents=True)
    place.write_bytes(files.edges.read_bytes())
    monkeypatch.setenv("BESTIARY_CACHE", str(cache))
    monkeypatch.delenv("BESTIARY_DATA", raising=False)
    before = {p: p.read_bytes() for p in cache.rglob("*") if p.is_file()}
    with pytest.raises(DataError, match="Connectivity_783"):
        flywire_connectome(None, files.cells)
    with pytest.raises(DataError):
        flywire_connectome(place, files.cells)
    assert {p: p.read_bytes() for p in cache.rglob("*") if p.is_file()} == before


def test_a_name_on_the_wrong_side_is_told(files):
    check_name("MN9_R", str(MN9))
    check_name("something", "720575940000000000")
    with pytest.raises(
        ConnectomeError, match=r"is DNa02_L in Codex 783; that table is mirrored .* DNa02_R is 7205.*708"
    ):
        check_name("DNa02_R", str(DNA02_L))
    with pytest.raises(ConnectomeError, match=r"is MN9_R in Codex 783; that table is mirrored"):
        check_name("MN9_L", str(MN9))
    with pytest.raises(ConnectomeError, match="is not the MN9_R of Codex 783; MN9_R is"):
        check_name("MN9_R", "720575940000000000")
    with pytest.raises(ConnectomeError, match="mirrored"):
        files.read(named={"DNa02_R": str(DNA02_L)})
    assert files.read(named={"mine": str(IDS[0])}).select("mine").tolist() == [0]
    with pytest.raises(ConnectomeError, match="none of the 4 neurons"):
        files.read(named={"mine": "720575940000000001"})


@needs_tables
def test_named_neurons_lie_on_the_side_that_codex_says():
    side = _flywire.by_id(TABLES / "classification.csv.gz", "root_id", "side")
    wrong = [n for n, (i, _) in named_neurons().items() if side[i][0][:1].upper() != n[-1]]
    assert len(named_neurons()) > 300 and not wrong
    pairs = {  # notes of the project, Codex left and right
        "DNa01": ("627787609", "644438551"),
        "DNp09": ("635872101", "627652358"),
        "DNp01": ("622838154", "632499757"),
        "DNg97": ("626730883", "620300308"),
        "DNg62": ("624319124", "616185531"),
    }
    for name, ends in pairs.items():
        assert tuple(named_neurons()[f"{name}_{s}"][0][9:] for s in "LR") == ends


def test_the_published_artefacts_are_options():
    ids = np.array(["in", "out"])
    c = Connectome(ids=ids, pre=[0], post=[1], weight=[300.0])
    rate = {}
    for word, options in {
        "as published": {},
        "queued": {"discard": False},
        "tired": {"driven_refractory": True},
    }.items():
        run = Simulation(_shiu.shiu_network(c, {"in": 300.0}, **options)).run(2.0, seed=1)
        rate[word] = run.counts(2) / 2
    assert rate["queued"][1] > rate["as published"][1] * 1.05  # input that came too early counts
    assert rate["tired"][0] < rate["as published"][0] * 0.75  # 300 Hz of input in cells that rest 2.2 ms


@needs_tables
def test_tables_that_were_downloaded_are_used(tmp_path, monkeypatch):
    """Types that have no address are optional."""
    cache = tmp_path / "fly" / "flywire783_tables"
    cache.mkdir(parents=True)
    for name in ("neurons.csv.gz", "classification.csv.gz"):
        (cache / name).symlink_to(TABLES / name)
    monkeypatch.setenv("BESTIARY_CACHE", str(tmp_path))
    monkeypatch.delenv("BESTIARY_DATA", raising=False)
    ids = [_flywire.named_neurons()[name][0] for name in ("DNa02_L", "DNa02_R")]
    found = _flywire.annotated(ids)
    assert found["sides"].tolist() == ["L", "R"] and set(found["kinds"]) == {"descending"}
    monkeypatch.setenv("BESTIARY_CACHE", str(tmp_path / "empty"))
    assert _flywire.annotated(ids) == {}


def test_histamine_makes_photoreceptors_inhibit(files, monkeypatch):
    monkeypatch.setattr(
        _flywire,
        "annotated",
        lambda ids: {"types": np.array(["R7", "", "", ""]), "transmitters": np.array(["ACH"] * 4)},
    )
    assert files.read().sign.tolist() == [1, -1, 1]
    fixed = files.read(histamine=True)
    assert fixed.sign.tolist() == [-1, -1, 1] and fixed.transmitters[0] == "HIST"
    monkeypatch.setattr(_flywire, "annotated", lambda ids: {})
    with pytest.raises(DataError, match="flywire-783-annotations"):
        files.read(histamine=True)
