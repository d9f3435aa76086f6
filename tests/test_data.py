"""The data registry, on a small registry of its own and a server of this process; the real one where data are here."""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bestiary.assets import _parquet, registry
from bestiary.errors import DataError

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("BESTIARY_DATA") or ROOT.parent / "shared" / "data")
with_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs the data folder: set BESTIARY_DATA")
CONTENT = {"a.bin": bytes(range(256)) * 8000, "deep/b.txt": b"synapses\n"}
SHA = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; breaks off at `cut` bytes once; counts what it was asked."""

    cut: int | None = None
    asked: list[tuple[str, str | None]]  # set afresh by the fixture

    def do_GET(self) -> None:
        kind = type(self)
        kind.asked.append((self.path, self.headers.get("Range")))
        whole = CONTENT.get(self.path.lstrip("/"))
        if whole is None:
            return self.send_error(404)
        start = int((self.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
        body = whole[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut, kind.cut = kind.cut, None
        self.wfile.write(body[:cut])

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A registry of one entry, `toy`, at a server of this process; an empty cache; no BESTIARY_DATA."""

    class Mine(Server):
        asked: list[tuple[str, str | None]] = []  # noqa: RUF012

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here = tmp_path / "registry"
    here.mkdir()
    keys = ["about", "unlocks", "licence", "citation", "format"]
    (here / "registry.toml").write_text(
        '[toy]\nfolder = "x/toy"\nredistribute = true\nsource = ["nowhere"]\n'
        + "".join(f'{key} = "-"\n' for key in keys)
        + f'[toy.fetch]\n"*" = "http://127.0.0.1:{server.server_port}/{{file}}"\n'
    )
    lines = [f"{SHA[name]} {len(data)} x/toy/{name}" for name, data in CONTENT.items()]
    (here / "registry_files.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(registry, "_HERE", here)
    monkeypatch.setenv("BESTIARY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BESTIARY_DATA", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    registry._entries.cache_clear()
    yield Mine
    server.shutdown()
    registry._entries.cache_clear()


def test_missing_then_fetched_then_found_offline(served, monkeypatch):
    assert [c.state for c in registry.verify("toy")] == ["missing", "missing"]
    assert not registry.found("toy")
    with pytest.raises(DataError, match=f"{SHA['a.bin']}.*bestiary data get toy"):
        registry.path("toy")
    folder = registry.get("toy")
    assert (folder / "a.bin").read_bytes() == CONTENT["a.bin"]
    assert (folder / "deep" / "b.txt").read_bytes() == CONTENT["deep/b.txt"]
    asked = len(served.asked)
    assert registry.get("toy") == registry.path("toy") == folder
    assert registry.path("toy", "deep/b.txt") == folder / "deep" / "b.txt"
    assert registry.found("toy")
    assert len(served.asked) == asked == 2


def test_a_download_that_breaks_off_is_resumed(served):
    served.cut = 1_000_000
    with pytest.raises(DataError, match=r"could not be fetched.*put it at .*a\.bin"):
        registry.get("toy")
    assert [c.state for c in registry.verify("toy")] == ["missing", "missing"]  # nothing half there
    folder = registry.get("toy")
    assert (folder / "a.bin").read_bytes() == CONTENT["a.bin"]
    ranges = [int(asked[6:-1]) for _, asked in served.asked if asked]
    assert len(ranges) == 1 and 900_000 < ranges[0] <= 1_000_000  # only the rest was asked for


def test_a_damaged_file_in_the_cache_is_not_used_and_is_fetched_again(served):
    file = registry.get("toy") / "a.bin"
    bad = bytearray(CONTENT["a.bin"])
    bad[5] ^= 1
    file.write_bytes(bad)
    with pytest.raises(DataError) as error:
        registry.path("toy")
    assert SHA["a.bin"] in str(error.value) and hashlib.sha256(bad).hexdigest() in str(error.value)
    assert (registry.get("toy") / "a.bin").read_bytes() == CONTENT["a.bin"]


def test_the_folder_of_the_user_comes_first_and_is_never_written(served, tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    (mine / "x" / "toy" / "deep").mkdir(parents=True)
    for name, data in CONTENT.items():
        (mine / "x" / "toy" / name).write_bytes(data)
    monkeypatch.setenv("BESTIARY_DATA", str(mine))
    assert registry.get("toy") == (mine / "x" / "toy").resolve()
    assert served.asked == []
    (mine / "x" / "toy" / "a.bin").write_bytes(b"foreign")
    for use in (registry.get, registry.path):
        with pytest.raises(DataError, match=f"not used.*7 bytes.*{SHA['a.bin']}"):
            use("toy")
    assert (mine / "x" / "toy" / "a.bin").read_bytes() == b"foreign" and served.asked == []
    monkeypatch.setenv("BESTIARY_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"BESTIARY_DATA=.*no folder"):
        registry.verify("toy")


def test_what_the_server_holds_must_be_what_is_registered(served, monkeypatch):
    monkeypatch.setitem(CONTENT, "deep/b.txt", b"SYNAPSES\n")
    with pytest.raises(DataError, match="not the file that is registered") as error:
        registry.get("toy")
    assert SHA["deep/b.txt"] in str(error.value) and hashlib.sha256(b"SYNAPSES\n").hexdigest() in str(error.value)
    assert [c.state for c in registry.verify("toy")] == ["ok", "missing"]


def test_offline_says_address_hash_and_place(served, monkeypatch):
    toml = registry._HERE / "registry.toml"
    toml.write_text(toml.read_text().replace("127.0.0.1:", "127.0.0.1:1/"))  # port 1: refused
    registry._entries.cache_clear()
    with pytest.raises(DataError) as error:
        registry.get("toy")
    place = registry.cache_folder() / "x" / "toy" / "a.bin"
    assert all(text in str(error.value) for text in ("http://127.0.0.1:1/", SHA["a.bin"], str(place), "BESTIARY_DATA"))


def test_a_file_without_address_names_its_source(served):
    toml = registry._HERE / "registry.toml"
    toml.write_text(toml.read_text().replace('"*" =', '"a.*" ='))
    registry._entries.cache_clear()
    with pytest.raises(DataError, match=r"deep/b.txt cannot be downloaded: converted from nowhere"):
        registry.get("toy")
    assert registry.path("toy", "a.bin").is_file()  # what has an address is there


def test_two_processes_download_once(served):
    code = (
        "import sys; from pathlib import Path; from bestiary.assets import registry\n"
        f"registry._HERE = Path({str(registry._HERE)!r}); print(registry.get('toy'))"
    )
    env = dict(os.environ, PYTHONPATH=str(ROOT / "src"))
    both = [subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE) for _ in range(2)]
    out = {process.communicate(timeout=60)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(out) == 1
    assert sorted(served.asked) == [("/a.bin", None), ("/deep/b.txt", None)]


def test_a_name_that_is_wrong_gets_the_nearest():
    with pytest.raises(DataError, match="did you mean 'worm-connectome'"):
        registry.get("worm-conectome")
    with pytest.raises(DataError, match=r"did you mean 'Connectivity_783.parquet'"):
        registry.path("flywire-783-edges", "connectivity_783.parquet")


def test_every_entry_says_whose_it_is():
    known = registry.entries()
    assert {e.name.split("-")[0] for e in known} >= {"worm", "zebrafish", "flywire", "mouse", "flyvis", "hemibrain"}
    for entry in known:
        assert entry.files and entry.source and entry.citation and entry.licence and entry.unlocks, entry.name
        assert all(f.bytes > 0 and f.path.startswith(entry.folder + "/") for f in entry.files), entry.name
        assert all(f.sha256 is None or len(f.sha256) == 64 for f in entry.files), entry.name
        assert all(url.startswith("https://") for f in entry.files if (url := f.url)), entry.name
        if "none stated" in entry.licence or "NC" in entry.licence:
            assert not entry.redistribute, entry.name
    files = [f.path for e in known for f in e.files]
    assert len(files) == len(set(files)) == len((registry._HERE / "registry_files.txt").read_text().splitlines())
    edges = registry.entry("flywire-783-edges")
    assert (edges.bytes, edges.files[0].rows, edges.files[0].sha256) == (100_804_642, 15_091_983, None)


@with_data
def test_the_real_data_are_what_is_registered(monkeypatch):
    monkeypatch.setenv("BESTIARY_DATA", str(DATA))
    states = {e.name: {c.state for c in registry.verify(e.name)} for e in registry.entries()}
    assert "damaged" not in set().union(*states.values())
    assert states["worm-connectome"] == {"ok"}


@with_data
def test_parquet_rows_without_a_library(monkeypatch, tmp_path):
    monkeypatch.setenv("BESTIARY_DATA", str(DATA))
    entry = registry.entry("fly-olfactory-783")
    for file in entry.files:
        assert _parquet.rows(DATA / file.path) == file.rows
    short = tmp_path / "short.parquet"
    short.write_bytes((DATA / entry.files[0].path).read_bytes()[:-1])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        _parquet.rows(short)
