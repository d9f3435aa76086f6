"""HDF5 looks for ever at a damaged heap of variable-length text: what it cannot walk through is refused before."""

from __future__ import annotations

import mmap
from pathlib import Path

from bestiary.errors import DataError

_HEADER = 16  # bytes before the data of an object, and of the collection before its first object
_MOST = 1 << 28  # bytes: larger files are ours or downloads with a checksum, and take too long to look through


def check_heaps(path: Path) -> None:
    """Raises DataError where the objects of a global heap collection do not end where the next begins.

    Layout: HDF5 File Format Specification 3.0, III.E. An object that claims no room at all makes libhdf5 (1.14, 2.0)
    turn round in one place.
    """
    size = path.stat().st_size
    if not 64 <= size <= _MOST:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        lengths = data[9:11] if data[8] >= 2 else data[13:15]  # of the superblock: of offsets and of lengths
        if lengths != b"\x08\x08":
            return
        at = -1
        while (at := data.find(b"GCOL\x01\0\0\0", at + 1)) >= 0:
            end = at + int.from_bytes(data[at + 8 : at + 16], "little")
            here = at + _HEADER
            while here + _HEADER <= min(end, size):
                number, length = data[here : here + 2], int.from_bytes(data[here + 8 : here + 16], "little")
                need = _HEADER + -(-length // 8) * 8 if any(number) else length  # number 0 is what is free
                if not _HEADER <= need <= end - here:
                    raise DataError(f"{path} is damaged: an object of {need} bytes in the heap at byte {here}")
                here += need
