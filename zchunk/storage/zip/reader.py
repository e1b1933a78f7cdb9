"""Zip archives as they are read: the directory once, entries on demand, from all that has bytes by position.

`zipfile` does the directory. Reading of entries is here, for two reasons: by position (pread, or a range of a
value), so that threads read at the same time and a forked child shares no file offset; and inflating never
beyond the size that an entry claims.
"""

from __future__ import annotations

import errno
import io
import lzma
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import TypeAlias

from zchunk._ext.engine.file_job import crc32
from zchunk._ext.io.descriptor import Descriptor
from zchunk.errors import StoreError
from zchunk.runtime import requests
from zchunk.spec.keys import METADATA_KEYS, is_key
from zchunk.storage.base import Store
from zchunk.storage.checks import check_range
from zchunk.storage.local.files import read_at
from zchunk.storage.zip import directory
from zchunk.storage.zip.directory import end_of_archive, names_behind
from zchunk.storage.zip.methods import decode

_CALL_MAX = 1 << 30
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1
_BAD_ARCHIVE = (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error, OSError)
# Of an archive in another store: what is read of its end at first, in which the directory often is; the gap
# up to which entries are read together, and how much at once; what a local header often has beyond what the
# directory says.
_END = 1 << 16
_GAP = 1 << 16
_RUN = 8 << 20
_MORE = 64
# What an entry may have in any case; and how many times the bytes that are stored of it, if nothing else is
# known of a chunk, and of metadata.
_LARGE = 1 << 26
_PER_STORED = 1000
_PER_STORED_TEXT = 100
# How many names of entries a warning tells.
_TOLD = 5

Place: TypeAlias = tuple[int, int, int]


class File:
    """A file, closed when the last reader lets go of it: closing a store disturbs no reader."""

    def __init__(self, path: str, flags: int) -> None:
        flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._opened = Descriptor(os.fsencode(path), flags)
        self.fd = self._opened.fd

    @property
    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def read(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start`, fewer at the end of the file."""
        return read_at(self.fd, start, size)

    def write(self, start: int, data: bytes | memoryview) -> int:
        """Write all of `data` at `start`; return where it ends."""
        view = memoryview(data)
        while view:
            done = os.pwrite(self.fd, view[:_CALL_MAX], start)
            start += done
            view = view[done:]
        return start


class Value:
    """The value of a key of a store, read as a file is; its end is read at once."""

    def __init__(self, store: Store, key: str) -> None:
        self.store = store
        self._key = key
        self.tail, self.size, self._version = store.get_piece(key, _END, at_end=True)

    def read(self, start: int, size: int) -> bytes:
        stop = min(start + size, self.size)
        if start >= stop:
            return b""
        try:
            return self.store.get_ranges(self._key, [(start, stop)], self._version)[0]
        except KeyError as error:
            raise self._deleted() from error

    def read_ranges(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        """Return several ranges ``(start, stop)``, which lie in the value."""
        try:
            return self.store.get_ranges(self._key, ranges, self._version)
        except KeyError as error:
            raise self._deleted() from error

    def _deleted(self) -> StoreError:
        # A reader would take a KeyError for an entry that is missing.
        return StoreError(f"{self._key!r} was deleted from {self.store!r}")


class Piece:
    """A piece of a value in memory; what lies beyond is read from the store."""

    def __init__(self, value: Value, start: int, data: bytes) -> None:
        self._file = value
        self._start = start
        self._data = data
        self.size = value.size

    def read(self, start: int, size: int) -> bytes:
        first = start - self._start
        if first < 0 or first + size > len(self._data):
            return self._file.read(start, size)
        return self._data[first : first + size]


Bytes: TypeAlias = File | Value | Piece


class _Stream(io.RawIOBase):
    """What `zipfile` reads the directory from."""

    def __init__(self, file: Bytes, size: int | None = None) -> None:
        self._file = file
        self._size = file.size if size is None else size
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0, /) -> int:
        at = offset + (0, self._at, self._size)[whence]
        if at < 0:
            # zipfile looks for what is in front of small archives, and expects this.
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = at
        return at

    def read(self, size: int | None = -1, /) -> bytes:
        rest = max(self._size - self._at, 0)
        data = self._file.read(self._at, rest if size is None or size < 0 else min(size, rest))
        self._at += len(data)
        return data


class Reader:
    """An archive: its file, and its entries by key.

    Parameters
    ----------
    name : str
        What errors call it.
    file : File or Value, optional
        Where it is; None if there is no file yet.
    """

    def __init__(self, name: str, file: File | Value | None) -> None:
        self.name = name
        self.entries: dict[str, zipfile.ZipInfo] = {}
        self._foreign: list[zipfile.ZipInfo] = []
        self._comment = b""
        self._file = file
        self._closed = False
        # What of the file is not shown, in words.
        self.left_out = ""
        # Where the last complete directory ends.
        self._complete = 0
        # Where the bytes of an entry begin, by where its header does.
        self._starts: dict[int, int] = {}
        if file is not None:
            self._parse()

    def _parse(self) -> None:
        end = self._complete = self._end_of(self.file)
        try:
            with self.stream() as stream, zipfile.ZipFile(stream) as archive:
                infos, self._comment = archive.infolist(), archive.comment
        except _BAD_ARCHIVE as error:
            if isinstance(error, StoreError):
                raise
            raise StoreError(
                f"cannot open {self.name} as a zip store: {error}. It was probably not closed after "
                "writing, or was cut short, or is no zip archive"
            ) from error
        for info in infos:
            # `orig_filename`: zipfile cuts the name at a NUL.
            if is_key(info.orig_filename):
                self.entries[info.orig_filename] = info
            else:
                self._foreign.append(info)
        if end < self.file.size:
            self.left_out = self._tell(self.file, end)

    def _end_of(self, file: File | Value) -> int:
        """Return where the last complete archive in the file ends."""
        if isinstance(file, File):
            found = end_of_archive(file)
        else:
            found = end_of_archive(_at_end(file, file.size), len(file.tail), directory.FAR)
        if found is None:
            raise StoreError(
                f"cannot open {self.name} as a zip store: the last {directory.FAR >> 20} MiB of it have no "
                "complete directory. It was probably not closed after writing; copy it to a local file, of "
                "which all is looked at"
            )
        return found

    def _tell(self, file: File | Value, end: int) -> str:
        """Warn that an archive is read as far as its last complete directory; return what is left out."""
        # Each name takes two requests where there are any.
        names = names_behind(file, end) if isinstance(file, File) else names_behind(file, end, _TOLD + 1)
        told = ", ".join(map(repr, names[:_TOLD])) + (", ..." if len(names) > _TOLD else "")
        left_out = f"{file.size - end} bytes behind its last complete directory are left out"
        left_out += f", values of {told}" if names else ""
        warnings.warn(
            f"{self.name} was not closed after writing, or is being written: it is read as it was before. "
            f"{left_out}",
            UserWarning,
            stacklevel=6,
        )
        return left_out

    def stream(self) -> io.RawIOBase:
        """Return the archive, as far as it is complete, as a file for `zipfile`."""
        file, end = self.file, self._complete
        return _Stream(file if isinstance(file, File) else _at_end(file, end), end)

    @property
    def file(self) -> File | Value:
        file = self._file
        self.check_open()
        if file is None:
            raise StoreError(f"zip store {self.name} has no file yet")
        return file

    @property
    def closed(self) -> bool:
        return self._closed

    def check_open(self) -> None:
        """Raise `StoreError` if the archive was closed."""
        if self._closed:
            raise StoreError(f"zip store {self.name} is closed; open it again")

    def flush(self) -> None:
        """Raise `StoreError` if the archive was closed; there is nothing to write."""
        self.check_open()

    def close(self) -> None:
        """Let go of the file. May be repeated."""
        self._closed, self._file = True, None

    # ---- entries

    def refuse_larger(self, key: str, most: int | None) -> None:
        """Raise `StoreError` if an entry says that it is larger than a chunk of `most` bytes, or than likely.

        A compressed entry may be a thousand times as large as its bytes; and in a value of another store many
        names may share the bytes of one large entry.
        """
        info, file = self.entries.get(key), self._file
        if info is None or (info.compress_type == zipfile.ZIP_STORED and isinstance(file, File)):
            return
        if most is None:
            # As codecs of objects are bounded.
            most = max(_LARGE, _PER_STORED * info.compress_size)
        if info.file_size > most:
            raise StoreError(
                f"{key!r} in zip store {self.name} has {info.file_size} bytes, and {most} are possible"
            )

    def read(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return bytes ``start:stop`` of an entry.

        Of an entry that is not compressed, a part is read alone, and the CRC is not checked.
        """
        self.check_open()
        info, file = self.entries[key], self.file
        if isinstance(file, Value) and not _in_parts(info, start, stop):
            return self._read(_piece(file, [(key, info)]), key, info, start, stop)
        return self._read(file, key, info, start, stop)

    def read_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the entries of those keys that exist; neighbours in another store are read together."""
        self.check_open()
        wanted = {key: self.entries[key] for key in keys if key in self.entries}
        if not wanted:
            return {}
        file = self.file
        if isinstance(file, File):
            return {key: self._read(file, key, info) for key, info in wanted.items()}
        found: dict[str, bytes] = {}

        def work(run: list[tuple[str, zipfile.ZipInfo]]) -> None:
            piece = _piece(file, run)
            for key, info in run:
                found[key] = self._read(piece, key, info)

        requests.each(work, _runs(wanted), file.store.concurrency)
        return found

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return several ranges of bytes ``(start, stop)`` of an entry."""
        self.check_open()
        info, file = self.entries[key], self.file
        for start, stop in ranges:
            check_range(start, stop)
        if not isinstance(file, Value) or info.compress_type != zipfile.ZIP_STORED:
            return [self.read(key, start, stop) for start, stop in ranges]
        try:
            first, size = self._start(file, info, file.size), info.file_size
        except ValueError as error:
            raise self._damaged(key, error) from error
        parts = [(first + min(start, size), first + min(stop, size)) for start, stop in ranges]
        return file.read_ranges(parts)

    def locate(self, keys: Iterable[str]) -> tuple[File, list[Place | None]] | None:
        """Return a local file, and offset, size and CRC of every entry in it; None for one that is missing.

        None if there is no such file, or one of the entries is compressed. What is there stays there as long
        as a reader has the file: entries that replace others lie further on.
        """
        self.check_open()
        if not isinstance(self._file, File):
            return None
        file, places = self._file, list[Place | None]()
        infos = [(key, self.entries.get(key)) for key in keys]
        # Not before: what is added meanwhile makes the file longer.
        size = file.size
        for key, info in infos:
            if info is None:
                places.append(None)
                continue
            if info.compress_type != zipfile.ZIP_STORED:
                return None
            try:
                places.append((self._start(file, info, size), info.file_size, info.CRC))
            except ValueError as error:
                raise self._damaged(key, error) from error
        return file, places

    def _read(
        self, file: Bytes, key: str, info: zipfile.ZipInfo, start: int = 0, stop: int | None = None
    ) -> bytes:
        try:
            offset = self._start(file, info, file.size)
            if _in_parts(info, start, stop):
                stop = info.file_size if stop is None else min(stop, info.file_size)
                data = file.read(offset + start, stop - start)
                if len(data) != max(stop - start, 0):
                    raise ValueError("the file ends within it")
                return data
            _check_document(key, info)
            data = decode(file.read(offset, info.compress_size), info.compress_type, info.file_size)
            if len(data) != info.file_size:
                raise ValueError(f"it has {len(data)} bytes, the directory says {info.file_size}")
            if crc32(data) != info.CRC:
                raise ValueError("its CRC is wrong")
        except (ValueError, EOFError, zlib.error, lzma.LZMAError, MemoryError) as error:
            raise self._damaged(key, error) from error
        except OSError as error:
            # bz2 says OSError without an errno for damaged data.
            if error.errno is None and not isinstance(error, StoreError):
                raise self._damaged(key, error) from error
            raise
        return data[start:stop]

    def _damaged(self, key: str, error: BaseException) -> StoreError:
        return StoreError(f"entry {key!r} of zip store {self.name} is damaged: {error}")

    def _start(self, file: Bytes, info: zipfile.ZipInfo, size: int) -> int:
        """Return where the bytes of an entry begin in a file of `size`; `ValueError` if it has them not."""
        if info.flag_bits & _ENCRYPTED:
            raise ValueError("it is encrypted, which is not supported")
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            raise ValueError("it is not compressed, yet has two sizes")
        start = self._starts.get(info.header_offset)
        if start is None:
            start = self._starts[info.header_offset] = _after_header(file, info.header_offset)
        if info.compress_size > size - start:
            raise ValueError(f"the directory says {info.compress_size} bytes, which the file does not have")
        return start


def _at_end(value: Value, end: int) -> Piece:
    """Return a value of which the last bytes before `end` are in memory."""
    if end == value.size:
        return Piece(value, end - len(value.tail), value.tail)
    start = max(end - _END, 0)
    return Piece(value, start, value.read(start, end - start))


def _check_document(key: str, info: zipfile.ZipInfo) -> None:
    """Raise `ValueError` for metadata that say they are far larger than text that is compressed so well."""
    most = max(_LARGE, _PER_STORED_TEXT * info.compress_size)
    if info.file_size > most and key.rpartition("/")[2] in METADATA_KEYS:
        raise ValueError(f"it would have {info.file_size} bytes, and metadata have no more than {most}")


def _after_header(file: Bytes, offset: int) -> int:
    header = file.read(offset, _LOCAL_HEADER.size) if offset >= 0 else b""
    if len(header) < _LOCAL_HEADER.size:
        raise ValueError("the file ends before it")
    magic, name_size, extra_size = _LOCAL_HEADER.unpack(header)
    if magic != b"PK\3\4":
        raise ValueError("no local header is where the directory says")
    return int(offset + _LOCAL_HEADER.size + name_size + extra_size)


def _in_parts(info: zipfile.ZipInfo, start: int, stop: int | None) -> bool:
    """Whether a part of an entry is wanted, and can be read alone."""
    return info.compress_type == zipfile.ZIP_STORED and (start > 0 or stop is not None)


def _end(info: zipfile.ZipInfo) -> int:
    """Return where an entry ends, or some bytes behind it."""
    name = len(info.orig_filename.encode(errors="replace"))
    return info.header_offset + _LOCAL_HEADER.size + name + len(info.extra) + _MORE + info.compress_size


def _runs(wanted: dict[str, zipfile.ZipInfo]) -> Iterator[list[tuple[str, zipfile.ZipInfo]]]:
    """Yield groups of entries that are neighbours."""
    run: list[tuple[str, zipfile.ZipInfo]] = []
    first = last = 0
    for offset, key in sorted([(info.header_offset, key) for key, info in wanted.items()], key=itemgetter(0)):
        end = _end(wanted[key])
        if run and (offset > last + _GAP or max(end, last) > first + _RUN):
            yield run
            run = []
        first, last = (first, max(last, end)) if run else (offset, end)
        run.append((key, wanted[key]))
    if run:
        yield run


def _piece(value: Value, run: list[tuple[str, zipfile.ZipInfo]]) -> Bytes:
    """Return the piece of a value that a group of entries lies in."""
    first = run[0][1].header_offset
    if first < 0:
        return value
    return Piece(value, first, value.read(first, max(_end(info) for _, info in run) - first))
