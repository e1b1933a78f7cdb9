"""Where the directory of a zip archive is, if the archive does not end with it.

A writer that was killed, or that ran out of disk space, has put entries behind the directory and no new
directory behind them. Up to that directory, the archive is what it was when the directory was written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
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
_STEP = 4 << 20
# The last record of an archive, with the longest comment.
_LONGEST = _END.size + 0xFFFF
_MOST_NAMES = 1000
# How much of the end of an archive is looked at where that takes requests, and at how many records.
FAR = 64 << 20
_MOST_RECORDS = 100


class Readable(Protocol):
    """A file that is read by position."""

    @property
    def size(self) -> int: ...
    def read(self, start: int, size: int) -> bytes: ...


def end_of_archive(file: Readable, first: int = _STEP, most: int | None = None) -> int | None:
    """Return where the last complete archive in a file ends; the size of the file if it has none.

    That is behind the last directory that lies where it says that it does. An archive that is itself a value
    in this one does not, for its offsets count from its own beginning. Nor does one that was put behind
    another one (``cat old new``); there the old one, not the header of a value, is before its beginning.

    Parameters
    ----------
    file : Readable
        The file.
    first : int
        How many bytes of its end are looked at first. Mostly the directory is there.
    most : int, optional
        How many are looked at if it is not; then None is returned if there may be a directory before.
    """
    size = file.size
    middle = max(size - first, 0)
    found = next(_ends(file, size, middle), None)
    if found != size and _ends_with_whole(file):
        return size
    if found is not None:
        return found
    if file.read(0, 4) not in (_ENTRY_MAGIC, _END_MAGIC):
        # Something stands in front, which `zipfile` finds its way around; or this is no archive.
        return size
    least = 0 if most is None else max(size - most, 0)
    found = next(_ends(file, middle, least, None if most is None else _MOST_RECORDS), None)
    return size if found is None and not least else found


def _ends(file: Readable, stop: int, start: int, most: int | None = None) -> Iterator[int]:
    """Yield where archives end whose last record is between two places, from the last one to the first."""
    size = file.size
    for at, data in islice(_records(file, stop, start), most):
        *_, nbytes, offset, comment = _END.unpack(data)
        end: int = at + _END.size + comment
        if end <= size and (offset + nbytes == at or _is_end64(file, at)):
            yield end


def _ends_with_whole(file: Readable) -> bool:
    """Whether a file ends with an archive whose offsets count from the end of another archive before it."""
    size = file.size
    for at, data in _records(file, size, max(size - _LONGEST, 0)):
        *_, nbytes, offset, comment = _END.unpack(data)
        if at + _END.size + comment == size:
            start = at - nbytes - offset
            return start > 0 and any(
                end + _END.size + _END.unpack(record)[-1] == start
                for end, record in _records(file, start, max(start - _LONGEST, 0))
            )
    return False


def _records(file: Readable, stop: int, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield place and bytes of what may be the last records of archives, from the last one to the first."""
    while stop > start:
        first = max(stop - _STEP, start)
        # What begins in this step may end in the one behind it.
        step = file.read(first, min(stop + _END.size - 1, file.size) - first)
        at = step.rfind(_END_MAGIC, 0, stop - first + len(_END_MAGIC) - 1)
        while at >= 0:
            if len(step) - at >= _END.size:
                yield first + at, step[at : at + _END.size]
            at = step.rfind(_END_MAGIC, 0, at + len(_END_MAGIC) - 1)
        stop = first


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


def names_behind(file: Readable, start: int, most: int = _MOST_NAMES) -> list[str]:
    """Return the names of the first complete entries that follow each other from `start` on."""
    names: list[str] = []
    size = file.size
    while len(names) < most:
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
