"""One file from an address into the cache: checked, atomic, resumed where the server can, once for all processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bestiary.errors import DataError

_CHUNK = 1 << 16  # what a break can lose


def _resume(part: Path, size: int, progress: bool) -> Any:
    """A downloader for pooch that keeps what has arrived in `part` and asks the server only for the rest."""

    def fetch(url: str, output_file: Any, pooch: Any) -> None:
        import requests

        have = part.stat().st_size if part.exists() else 0
        if have < size:
            ask = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {}
            with requests.get(url, headers=ask, stream=True, timeout=30) as reply:
                reply.raise_for_status()
                have = have if reply.status_code == 206 else 0  # a server that cannot resume sends everything
                with open(part, "r+b" if have else "wb") as file, _bar(part.name, have, size, progress) as bar:
                    file.seek(have)
                    for chunk in reply.iter_content(_CHUNK):
                        have += len(chunk)
                        if have > size:
                            raise OSError(f"more than the {size} bytes it should have")
                        file.write(chunk)
                        bar.update(len(chunk))
        if have < size:
            raise OSError(f"broke off at {have} of {size} bytes; the same command goes on from there")
        os.replace(part, output_file)

    return fetch


def _bar(name: str, have: int, size: int, progress: bool) -> Any:
    from tqdm import tqdm

    label = name.removesuffix(".part")
    return tqdm(total=size, initial=have, unit="B", unit_scale=True, desc=label, disable=not progress, delay=1)


def download(url: str, target: Path, sha256: str | None, size: int, *, progress: bool = False) -> None:
    """Fetches `url` to `target` (its folder exists). DataError names address, hash and place when it cannot.

    Nothing appears at `target` that was not checked: by sha256, or by size alone where no hash is known.
    """
    import logging

    import pooch

    part = target.with_name(target.name + ".part")
    fetch = _resume(part, size, progress)
    log = pooch.get_logger()
    level = log.level
    log.setLevel(logging.ERROR)  # it would print every step
    try:
        pooch.retrieve(url, sha256 and f"sha256:{sha256}", fname=target.name, path=target.parent, downloader=fetch)
    except ValueError as error:  # pooch: the hash of what came differs, and both hashes
        raise DataError(f"{url} is not the file that is registered, and is not used: {error}") from None
    except OSError as error:  # requests' errors are OSErrors
        raise DataError(
            f"{url} could not be fetched ({type(error).__name__}: {error}). Fetch it elsewhere and put it at {target} "
            f"({size} bytes, sha256 {sha256 or 'not known'}), or set BESTIARY_DATA to a folder that holds it"
        ) from None
    finally:
        log.setLevel(level)
