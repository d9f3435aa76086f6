"""The data registry: what large data there is, whose it is, and where it lies on this machine.

`registry.toml` describes the entries, `registry_files.txt` holds size and sha256 of their files. A file is looked for
in the folder BESTIARY_DATA (never written to), then in the cache (BESTIARY_CACHE, or the platform's). It is used only
if its sha256 is the registered one. Licences that forbid redistribution are respected: we point, we do not copy.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote

from bestiary import nearest
from bestiary.assets import _download, _parquet
from bestiary.errors import DataError

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class File:
    """One file of an entry. path: below the data folder. sha256: None where not known. url: None if converted."""

    path: str
    bytes: int
    sha256: str | None
    url: str | None
    rows: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A data set. folder: below the data folder. rows: counts by file or by what is counted. unlocks: what needs it."""

    name: str
    folder: str
    about: str
    unlocks: str
    licence: str
    redistribute: bool
    citation: str
    format: str
    source: tuple[str, ...]
    rows: dict[str, int]
    files: tuple[File, ...]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Check:
    """What became of one file: state is "ok", "missing" or "damaged"; problem says how."""

    file: File
    state: str
    place: Path | None
    problem: str = ""


def entries() -> tuple[Entry, ...]:
    """Every entry, in the order of `registry.toml`."""
    return tuple(_entries().values())


def entry(name: str) -> Entry:
    """The entry `name`. DataError with the nearest name otherwise."""
    if name not in (known := _entries()):
        raise DataError(f"no data {name!r}; {nearest(name, known)}")
    return known[name]


def data_folder() -> Path | None:
    """The folder BESTIARY_DATA that stands in for downloads. DataError when it is set and is no folder."""
    if not (text := os.environ.get("BESTIARY_DATA")):
        return None
    if not (folder := Path(text).expanduser()).is_dir():
        raise DataError(f"BESTIARY_DATA={text} is no folder; unset it, or name one laid out like the registry")
    return folder.resolve()


def cache_folder() -> Path:
    """Where downloads lie: BESTIARY_CACHE, or the platform's cache. It need not exist yet."""
    if text := os.environ.get("BESTIARY_CACHE"):
        return Path(text).expanduser().resolve()
    import pooch

    return Path(pooch.os_cache("bestiary"))


def verify(name: str) -> tuple[Check, ...]:
    """Looks at every file of an entry where it lies, without downloading. One `Check` a file; raises nothing for them.

    DataError only for an unknown name or a BESTIARY_DATA that is no folder.
    """
    return tuple(_check(file) for file in entry(name).files)


def found(name: str) -> bool:
    """Whether every file of an entry is there in its right size: quick, hashes are not read."""
    return all((place := _place(f)) is not None and place.stat().st_size == f.bytes for f in entry(name).files)


def path(name: str, file: str | None = None) -> Path:
    """The folder of an entry that is there and right, or one `file` of it (its name inside the entry); offline.

    DataError names the first file that is missing or damaged, with both hashes, and what to do.
    """
    wanted = _files(entry(name), file)
    checks = [_use(name, each) for each in wanted]
    return checks[0] if file is not None else _root(entry(name), checks[0])


def at_hand(name: str, *files: str) -> tuple[Path, ...] | None:
    """Some files of an entry (their names inside it), or None where one of them is not here; offline.

    DataError where one of them is damaged.
    """
    wanted = [file for each in files for file in _files(entry(name), each)]
    return tuple(_use(name, file) for file in wanted) if all(map(_place, wanted)) else None


def get(name: str, *, progress: bool = False) -> Path:
    """The folder of an entry; what is missing from the cache, or damaged in it, is downloaded first.

    Safe in several processes at once: one downloads, the others wait and find it. progress: bar per file.
    DataError when a file is damaged in BESTIARY_DATA, has no address, cannot be reached or is not what it should be.
    """
    this = entry(name)
    checks = [_check(file) for file in this.files]
    wrong = [c for c in checks if c.state != "ok"]
    data = data_folder()
    for check in wrong:
        if check.place is not None and data is not None and check.place.is_relative_to(data):
            raise DataError(check.problem)  # the user's folder: not ours to mend
    _fill(this, [check.file for check in wrong if check.file.url], progress)
    homeless = [check.file for check in wrong if not check.file.url]
    if homeless:
        more = f" and {len(homeless) - 1} more" if len(homeless) > 1 else ""
        raise DataError(
            f"{name}: {homeless[0].path}{more} cannot be downloaded: converted from {', '.join(this.source)}. Set "
            f"BESTIARY_DATA to a folder that holds it at that place (sha256 {homeless[0].sha256})"
        )
    return _root(this, _use(name, this.files[0]))


def _fill(this: Entry, files: list[File], progress: bool) -> None:
    if not files:
        return
    from filelock import FileLock

    cache = cache_folder()
    try:
        (cache / this.folder).mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache / this.folder / ".lock")
        with lock:
            for file in files:
                if _check(file).state == "ok":
                    continue  # another process was here while we waited
                assert file.url is not None
                target = cache / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                _download.download(file.url, target, file.sha256, file.bytes, progress=progress)
                if (check := _check(file)).state != "ok":
                    target.unlink(missing_ok=True)
                    raise DataError(check.problem)
    except DataError:
        raise
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be written ({error.strerror}); set BESTIARY_CACHE to a folder that can"
        ) from None


def _use(name: str, file: File) -> Path:
    check = _check(file)
    if check.state == "ok" and check.place is not None:
        return check.place
    if check.state == "damaged":
        raise DataError(check.problem)
    raise DataError(
        f"{name}: {file.path} is not here ({file.bytes} bytes, sha256 {file.sha256 or 'not known'}); "
        f"`bestiary data get {name}` fetches it, or set BESTIARY_DATA to a folder that holds it, or put it at "
        f"{cache_folder() / file.path}"
    )


def _root(this: Entry, first: Path) -> Path:
    """The folder of an entry from where its first file lies; an entry may be split between BESTIARY_DATA and cache."""
    inside = len(Path(this.files[0].path).relative_to(this.folder).parts)
    return first.parents[inside - 1]


def _files(this: Entry, name: str | None) -> tuple[File, ...]:
    if name is None:
        return this.files
    known = {file.path.removeprefix(this.folder + "/"): file for file in this.files}
    if name not in known:
        raise DataError(f"{this.name} has no file {name!r}; {nearest(name, known, 'file')}")
    return (known[name],)


def _place(file: File) -> Path | None:
    for folder in (data_folder(), cache_folder()):
        if folder is not None and (place := folder / file.path).is_file():
            return place
    return None


def _check(file: File) -> Check:
    place = _place(file)
    if place is None:
        return Check(file, "missing", None, f"{file.path} is not here")
    stat = place.stat()
    problem = _problem(file, str(place), stat.st_size, stat.st_mtime_ns)
    return Check(file, "damaged" if problem else "ok", place, problem)


@functools.lru_cache(maxsize=4096)
def _problem(file: File, place: str, size: int, modified_ns: int) -> str:
    """What is wrong with the file that lies at `place`, or "". Size and time are the key that keeps this fresh."""
    again = "delete it and get it again"
    here = "" if size == file.bytes and file.sha256 is None else _sha256(place)
    if size != file.bytes or here not in ("", file.sha256):
        return (
            f"{place} is damaged or foreign and is not used: {size} bytes with sha256 {here}, registered are "
            f"{file.bytes} bytes with sha256 {file.sha256 or 'not known'}; {again}"
        )
    if file.sha256 is None and file.rows is not None and place.endswith(".parquet"):
        try:
            rows = _parquet.rows(Path(place))
        except DataError as error:
            return str(error)
        if rows != file.rows:
            return f"{place} is foreign: {rows} rows, registered are {file.rows}; {again}"
    return ""


def _sha256(place: str) -> str:
    with open(place, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def _entries() -> dict[str, Entry]:
    with open(_HERE / "registry.toml", "rb") as toml:
        described = tomllib.load(toml)
    by_folder: dict[str, list[tuple[str, int, str | None]]] = {}
    for line in (_HERE / "registry_files.txt").read_text(encoding="utf-8").splitlines():
        sha256, size, place = line.split(" ", 2)
        folder = "/".join(place.split("/")[:2])
        by_folder.setdefault(folder, []).append((place, int(size), None if sha256 == "-" else sha256))
    out = {}
    for name, this in described.items():
        fetch, rows, folder = this.pop("fetch", {}), this.pop("rows", {}), this["folder"]
        files = []
        for place, length, known in by_folder[folder]:
            inside = place.removeprefix(folder + "/")
            url = next((u for pattern, u in fetch.items() if fnmatchcase(inside, pattern)), None)
            address = quote(url.replace("{file}", inside), safe=":/") if url else None
            files.append(File(place, length, known, address, rows.get(inside)))
        source = tuple(this.pop("source"))
        out[name] = Entry(name=name, source=source, rows=rows, files=tuple(files), **this)
    return out
