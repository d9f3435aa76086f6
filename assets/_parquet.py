"""The row count of a Parquet file from its footer, without a Parquet library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bestiary.errors import DataError

_TAIL = 8  # length of the footer (4 bytes, little endian) and the magic "PAR1"


class _Compact:
    """Reads values of Thrift's compact protocol, https://github.com/apache/thrift/blob/master/doc/specs."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def zigzag(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yields (field number, type) of a struct; the caller reads or skips each value."""
        number = 0
        while kind := self.data[self.at]:
            self.at += 1
            number = number + (kind >> 4) if kind >> 4 else self.zigzag()
            yield number, kind & 15
        self.at += 1

    def skip(self, kind: int) -> None:
        if kind in (1, 2):  # a bool as a field lies in its type
            return
        if kind == 3:
            self.at += 1
        elif kind in (4, 5, 6):
            self.varint()
        elif kind == 7:
            self.at += 8
        elif kind == 8:
            length = self.varint()  # moves `at` itself, so not in one line with +=
            self.at += length
        elif kind in (9, 10):
            head = self.data[self.at]
            self.at += 1
            count = self.varint() if head >> 4 == 15 else head >> 4
            for _ in range(count):
                self.skip(3 if head & 15 in (1, 2) else head & 15)
        elif kind == 12:
            for _, inner in self.fields():
                self.skip(inner)
        else:
            raise ValueError(f"type {kind}")


def rows(path: Path) -> int:
    """Rows of the Parquet file `path`: field 3 of its FileMetaData. DataError when it is no Parquet file."""
    try:
        with open(path, "rb") as file:
            file.seek(-_TAIL, 2)
            tail = file.read(_TAIL)
            if tail[4:] != b"PAR1":
                raise ValueError(f"ends in {tail[4:]!r}")
            length = int.from_bytes(tail[:4], "little")
            file.seek(-_TAIL - length, 2)
            footer = _Compact(file.read(length))
        for number, kind in footer.fields():
            if number == 3:
                return footer.zigzag()
            footer.skip(kind)
        raise ValueError("no row count")
    except (ValueError, IndexError, OSError) as error:
        raise DataError(f"{path} is not a whole Parquet file ({error}); fetch it again") from None
