"""Connectomes through files: nothing is lost on the way, and nothing wrong gets in."""

from __future__ import annotations

import contextlib
import pickle
import re
import threading
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bestiary.brains.connectome import (
    Connectome,
    _io,
    from_scipy,
    from_table,
    load_connectome,
    plot_adjacency,
    plot_degrees,
    plot_paths,
    read_connectome,
    write_connectome,
)
from bestiary.errors import BestiaryError, ConnectomeError

FORMATS = ["x.csv", "x.csv.gz", "x.parquet", "x.npz", "x.graphml", "x.h5"]


@pytest.fixture(scope="module")
def cook() -> Connectome:
    return load_connectome()


def same(a: Connectome, b: Connectome) -> None:
    for name in (
        "ids",
        "names",
        "types",
        "kinds",
        "sides",
        "transmitters",
        "position_um",
        "pre",
        "post",
        "weight",
        "sign",
    ):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    np.testing.assert_allclose(a.delay_s, b.delay_s, rtol=1e-6)
    for name in ("kind", "sign_by", "provenance"):
        np.testing.assert_array_equal(getattr(a, name).text(), getattr(b, name).text(), err_msg=name)
    assert set(a.extra) == set(b.extra)
    for name in a.extra:
        if a.extra[name].dtype.kind == "f":
            np.testing.assert_allclose(a.extra[name], b.extra[name], rtol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(a.extra[name], b.extra[name], err_msg=name)


def needs(name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'bestiary[parquet]'")


@pytest.mark.parametrize("name", FORMATS)
def test_round_trip_of_the_worm(cook, tmp_path, name):
    needs(name)
    path = tmp_path / "new" / name  # a folder that is not there is made
    write_connectome(cook, path)
    same(read_connectome(path, rows=cook.n_edges), cook)
    with pytest.raises(ConnectomeError, match="expected 6000"):
        read_connectome(path, rows=6000)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_round_trip_of_any_table(tmp_path, name, data):
    needs(name)
    words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs")), min_size=1, max_size=5)
    ids = data.draw(st.lists(words, min_size=2, max_size=6, unique=True))
    n, e = len(ids), data.draw(st.integers(1, 12))
    rows = st.lists(st.integers(0, n - 1), min_size=e, max_size=e)
    floats = st.floats(0, 1e6, width=32)
    c = Connectome(
        ids=ids,
        types=data.draw(st.lists(words, min_size=n, max_size=n)),
        pre=data.draw(rows),
        post=data.draw(rows),
        weight=data.draw(st.lists(floats, min_size=e, max_size=e)),
        sign=data.draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=e, max_size=e)),
        kind=data.draw(st.lists(st.sampled_from(["chemical", "gap"]), min_size=e, max_size=e)),
        delay_s=data.draw(st.lists(st.sampled_from([0.0, 0.0018, 0.01]), min_size=e, max_size=e)),
    )
    write_connectome(c, tmp_path / name)
    same(read_connectome(tmp_path / name), c)


def test_scipy_round_trip(cook):
    m = cook.matrix("chemical", signed=True)
    back = from_scipy(m, cook.ids, signed=True)
    assert (back.matrix(signed=True) != m).nnz == 0
    with pytest.raises(ConnectomeError, match="negative"):
        from_scipy(m)
    with pytest.raises(ConnectomeError, match="square"):
        from_scipy(scipy.sparse.eye_array(3, 4))


def test_networkx_reads_our_graphml_and_we_read_theirs(tmp_path):
    nx = pytest.importorskip("networkx")
    write_connectome(small(), tmp_path / "x.graphml")
    graph = nx.read_graphml(tmp_path / "x.graphml")
    assert graph.number_of_edges() == 2 and graph.edges["a", "b"]["weight"] == 1.5
    nx.write_graphml(graph, tmp_path / "y.graphml")
    same(read_connectome(tmp_path / "y.graphml"), small())


def small() -> Connectome:
    return Connectome(
        ids=["a", "b", "c"], types=["T", "U", "U"], pre=[0, 1], post=[1, 2], weight=[1.5, 2], sign=[1, -1]
    )


def text(tmp_path, body: bytes, neurons: bytes | None = None):
    (tmp_path / "e.csv").write_bytes(body)
    if neurons is not None:
        (tmp_path / "e.neurons.csv").write_bytes(neurons)
    return tmp_path / "e.csv"


@pytest.mark.parametrize(
    "body",
    [
        b"pre,post,weight,sign\na,b,1.5,1\nb,c,2,-1\n",
        b"\xef\xbb\xbfpre,post,weight,sign\r\na,b,1.5,1\r\nb,c,2,-1\r\n",
        b"sign,weight,colour,post,pre\n1,1.5,red,b,a\n-1,2,blue,c,b",
        b'pre,post,weight,sign\n"a",b,1.5,1\n\nb,c,2,-1\n\n',
    ],
)
def test_csv_dialects(tmp_path, body):
    c = read_connectome(text(tmp_path, body, b"id,type\na,T\nb,U\nc,U\n"))
    same(c, small())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"pre,post,weight\n", "header and no rows"),
        (b"pre,weight\na,1\n", "no column 'post'"),
        (b"pre,post,pre\na,b,c\n", "twice"),
        (b"pre,post,weight\na,b,1\nb,c\n", "row 1 has 2 fields, the header has 3"),
        (b"pre,post,weight\na,b,1\na,zz,1\na,yy,1\n", r"post is not among the 3 neurons in 2 rows \(row 1: zz"),
        (b"pre,post,weight\na,b,1\nb,c,many\n", "weight is not a number in 1 rows .row 1: many"),
        (b"pre,post,weight\na,b,1\nb,c,nan\n", "not finite in 1 of 2 rows .row 1"),
        (b"pre,post,weight\na,b,-1\n", "negative"),
        (b"pre,post,sign\na,b,2\n", "sign is not"),
        (b"pre,post,delay_s\na,b,-0.1\n", "delay_s is negative"),
        (b"pre,post\na,b\n\xe9,c\n", "byte 0xe9 at offset 13"),
        (b"\xef\xbb\xbfpre,post\na,b\n\xe9,c\n", "byte 0xe9 at offset 16"),
        (b"\xef\xbb\xbfpr\xe9,post\na,b\n", "byte 0xe9 at offset 5"),
    ],
)
def test_csv_refuses(tmp_path, body, words):
    with pytest.raises(ConnectomeError, match=words):
        read_connectome(text(tmp_path, body, b"id\na\nb\nc\n"))


def test_neuron_table_refuses(tmp_path):
    for cells, words in ((b"name\na\n", "no column 'id'"), (b"id\na\nb\na\n", "twice"), (b"id\n", "no rows")):
        with pytest.raises(ConnectomeError, match=words):
            read_connectome(text(tmp_path, b"pre,post\na,b\n", cells))


def test_large_csv_is_streamed_and_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "e.csv"
    path.write_text("pre,post,weight\n" + "".join(f"n{i % 7},n{i % 5},{i}\n" for i in range(1000)))
    (tmp_path / "e.neurons.csv").write_text("id\n" + "".join(f"n{i}\n" for i in range(7)))
    whole = read_connectome(path)
    monkeypatch.setattr(_io, "CHUNK", 64)
    same(read_connectome(path, rows=1000), whole)
    path.write_text(path.read_text().replace("n5,n2,537", "n5,xx,537"))
    with pytest.raises(ConnectomeError, match="row 537: xx"):  # rows count through the chunks
        read_connectome(path)
    with pytest.raises(MemoryError, match=r"1e\+03 edges need"):
        read_connectome(path, memory_limit_bytes=1000)


def test_reading_a_csv_needs_memory_for_the_arrays_not_for_the_text(tmp_path):
    path = tmp_path / "e.csv"
    row = "neuron_with_a_long_name_{},neuron_with_a_long_name_{},1,a remark that nobody reads, and another\n"
    path.write_text("pre,post,weight,a,b\n" + "".join(row.format(i % 500, i % 300) for i in range(100_000)))
    read_connectome(path)  # warm
    tracemalloc.start()
    try:
        _io.CHUNK, chunk = 5_000, _io.CHUNK
        c = read_connectome(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        _io.CHUNK = chunk
        tracemalloc.stop()
    assert c.n_edges == 100_000 and peak < 0.8 * path.stat().st_size


@pytest.mark.parametrize("name", FORMATS)
def test_cut_off_and_flipped_files(cook, tmp_path, name):
    """Only our own errors come out, and never a table that passes for whole when rows are declared."""
    needs(name)
    path = tmp_path / name
    write_connectome(cook, path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for share in (0.0, 0.3, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(BestiaryError):
            read_connectome(path, rows=cook.n_edges)
    for _ in range(5):
        bad = bytearray(whole)
        bad[rng.integers(len(bad))] ^= 0xFF
        path.write_bytes(bad)
        with contextlib.suppress(BestiaryError):
            read_connectome(path)


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return (open, (str(self.place), "w"))


def test_never_unpickles(tmp_path):
    trap = Trap(tmp_path / "sprung")
    np.savez(tmp_path / "x.npz", ids=np.array([trap, trap]), pre=[0], post=[0], weight=[1.0])
    (tmp_path / "y.npz").write_bytes(pickle.dumps(trap))
    for name in ("x.npz", "y.npz"):
        with pytest.raises(ConnectomeError, match="damaged"):
            read_connectome(tmp_path / name)
    assert not trap.place.exists()


def test_the_library_unpickles_and_unpacks_nothing():
    """No pickle is read, and no archive is unpacked into files, so none can write outside its folder."""
    root = Path(__file__).resolve().parents[1]
    if not (root / "brains").is_dir():
        pytest.skip("looks at the files of a checkout")
    folders = ("src", "bodies", "brains", "envs", "interfaces", "tasks", "assets")
    files = [f for folder in folders for f in (root / folder).rglob("*.py")]
    wrong = re.compile(
        r"import pickle|pickle\.loads?\(|allow_pickle\s*=\s*True|\.extract(all)?\(|unpack_archive|Unzip|Untar"
    )
    assert len(files) > 50
    assert [f.name for f in files if wrong.search(f.read_text(encoding="utf-8"))] == []


def test_a_small_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    write_connectome(small(), tmp_path / "x.npz")
    monkeypatch.setattr(_io, "_free_bytes", lambda: 100.0)
    with pytest.raises(MemoryError, match=r"x.npz unpacks to"):
        read_connectome(tmp_path / "x.npz")


@pytest.mark.parametrize("name", FORMATS)
def test_a_writer_that_fails_leaves_the_old_file(cook, tmp_path, monkeypatch, name):
    needs(name)
    write_connectome(small(), tmp_path / name)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(OSError, match="No space"):
        write_connectome(cook, tmp_path / name)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_two_writers_of_one_file(cook, tmp_path):
    path = tmp_path / "cache.npz"
    write_connectome(cook, path)
    writers = [threading.Thread(target=write_connectome, args=(cook, path)) for _ in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert read_connectome(path).n_edges == cook.n_edges  # never half a file
    same(read_connectome(path), cook)
    assert [p.name for p in tmp_path.iterdir()] == ["cache.npz"]


def test_formats_and_extras_are_named(tmp_path, monkeypatch):
    with pytest.raises(ConnectomeError, match=r"formats there are: .csv"):
        read_connectome(tmp_path / "x.mat")
    with pytest.raises(ConnectomeError, match="no file"):
        read_connectome(tmp_path / "x.csv")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"bestiary\[parquet\]"):
        write_connectome(small(), tmp_path / "x.parquet")


def test_foreign_column_names_and_signed_weights(tmp_path):
    needs("x.parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = np.array([720575940600000001, 720575940600000002])
    pq.write_table(
        pa.table({"Presynaptic_ID": ids, "Postsynaptic_ID": ids[::-1], "W": [3, -4]}), tmp_path / "f.parquet"
    )
    columns = {"pre": "Presynaptic_ID", "post": "Postsynaptic_ID", "weight": "W"}
    c = read_connectome(tmp_path / "f.parquet", columns=columns, signed=True)
    assert c.weight.tolist() == [3, 4] and c.sign.tolist() == [1, -1] and c.ids[c.pre[0]] == str(ids[0])


def test_delays():
    c = Connectome(ids=["a", "b"], pre=[0, 1, 0], post=[1, 0, 0], weight=[1, 1, 1], delay_s=[0.0018, 0.0001, 0])
    assert c.delay_steps(1e-4).tolist() == [18, 1, 0]
    with pytest.raises(ConnectomeError, match=r"shorter than dt 0.001 s.*row 1"):
        c.delay_steps(1e-3)
    assert c.delay_steps(1e-3, "nearest").tolist() == [2, 1, 0] and c.delay_steps(5e-4, "up").tolist() == [4, 1, 0]
    with pytest.raises(ConnectomeError, match="no whole number"):
        Connectome(ids=["a"], pre=[0], post=[0], weight=[1], delay_s=[0.0015]).delay_steps(1e-3)


def test_from_table_agrees_with_order_of_neurons(cook):
    """The same edges by id on a permuted neuron table give the same matrix."""
    cells, edges = _io.to_table(cook)
    order = np.random.default_rng(0).permutation(len(cook))
    other = from_table({k: v[order] for k, v in cells.items()}, edges)
    rows = other.select(cook.ids.tolist())
    assert (other.matrix(signed=True, rows=rows, columns=rows) != cook.matrix(signed=True)).nnz == 0


def test_paths_are_found_by_strength(cook):
    found = cook.paths("ASH", "AVA", hops=2, top=30)
    strengths = [w for w, _ in found]
    assert strengths == sorted(strengths, reverse=True) and len(found) == 30
    matrix, row = cook.matrix("chemical"), {str(n): i for i, n in enumerate(cook.ids)}
    for weakest, path in found:
        assert path[0][:3] == "ASH" and path[-1][:3] == "AVA" and len(path) <= 3
        assert weakest == min(matrix[row[a], row[b]] for a, b in pairwise(path))
    assert cook.paths("CANL", "AVA", hops=1) == []


def test_summary_and_plots(cook, tmp_path):
    s = cook.summary()
    assert s["nodes"] == 397 and s["edges"]["chemical"]["edges"] == 3709
    assert s["edges"]["chemical"]["positive"] + s["edges"]["chemical"]["negative"] == 3709
    for ax in (plot_adjacency(cook), plot_degrees(cook, "gap"), plot_degrees(cook), plot_paths(cook, "ASH", "AVA")):
        ax.figure.savefig(tmp_path / "x.png")
        assert (tmp_path / "x.png").stat().st_size > 5000
