"""Where the directory of a zip archive is, if the archive does not end with it.

A writer that was killed, or that ran out of disk space, has put entries behind the directory and no new
directory behind them. Up to that directory, the archive is what it was when the directory was written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

_END = struct.Struct("<4s4H2LH")
_END_MAGIC = b"PK\5\6"
_LOCATOR = struct.Struct("<4sLQL")
_LOCATOR_MAGIC = b"PK\6\7"
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_MAGIC = b"PK\6\6"
_ENTRY = struct.Struct("<4s5H3L2H")
_ENTRY_MAGIC = b"PK\3\4"
# Stands for a size or an offset that only the fields of zip64 can hold.
_ELSEWHERE = 0xFFFFFFFF
_STEP = 1 << 20
_MOST_NAMES = 1000


class Readable(Protocol):
    """A file that is read by position."""

    @property
    def size(self) -> int: ...
    def read(self, start: int, size: int) -> bytes: ...


def end_of_archive(file: Readable) -> int:
    """Return where the last complete archive in a file ends; the size of the file if it has none.

    That is behind the last directory that lies where it says that it does. An archive that is itself a value
    in this one does not, for its offsets count from its own beginning.
    """
    size = file.size
    if file.read(0, 4) not in (_ENTRY_MAGIC, _END_MAGIC):
        # Something stands in front, which `zipfile` finds its way around; or this is no archive.
        return size
    for at in _found_backwards(file, _END_MAGIC):
        record = file.read(at, _END.size)
        if len(record) < _END.size:
            continue
        *_, nbytes, offset, comment = _END.unpack(record)
        end: int = at + _END.size + comment
        if end <= size and (offset + nbytes == at or _is_end64(file, at)):
            return end
    return size


def _found_backwards(file: Readable, magic: bytes) -> Iterator[int]:
    """Yield where `magic` is in a file, from the last place to the first."""
    stop = file.size
    while stop > 0:
        start = max(stop - _STEP, 0)
        # What begins in this step may end in the one behind it.
        step = file.read(start, stop - start + len(magic) - 1)
        at = step.rfind(magic)
        while at >= 0:
            yield start + at
            at = step.rfind(magic, 0, at + len(magic) - 1)
        stop = start


def _is_end64(file: Readable, at: int) -> bool:
    """Whether a directory of zip64 ends before `at`, where the end of a directory is."""
    locator = file.read(max(at - _LOCATOR.size, 0), _LOCATOR.size)
    if len(locator) < _LOCATOR.size or locator[:4] != _LOCATOR_MAGIC:
        return False
    place = _LOCATOR.unpack(locator)[2]
    record = file.read(place, _END64.size) if place + _END64.size + _LOCATOR.size <= at else b""
    if record[:4] != _END64_MAGIC:
        return False
    *_, nbytes, offset = _END64.unpack(record)
    return bool(offset + nbytes == place)


def names_behind(file: Readable, start: int) -> list[str]:
    """Return the names of the complete entries that follow each other from `start` on."""
    names: list[str] = []
    size = file.size
    while len(names) < _MOST_NAMES:
        header = file.read(start, _ENTRY.size)
        if len(header) < _ENTRY.size or header[:4] != _ENTRY_MAGIC:
            break
        *_, packed, _, name_size, extra_size = _ENTRY.unpack(header)
        name = file.read(start + _ENTRY.size, name_size)
        start += _ENTRY.size + name_size + extra_size + packed
        if packed == _ELSEWHERE or start > size:
            break
        names.append(name.decode(errors="replace"))
    return names
