"""Zip archives that grow at the end: what `ZipStore` writes its values to.

`zipfile` does the directory of the archive. Reading and writing of entries is here, for three reasons: by
position (pread, pwrite), so that threads read at the same time and a forked child shares no file offset;
inflating never beyond the size that an entry claims; and a key written twice is an entry replaced.
"""

from __future__ import annotations

import bz2
import errno
import io
import lzma
import os
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy

from zchunk._ext.codecs import crc32
from zchunk.errors import StoreError
from zchunk.keys import is_key

_CALL_MAX = 1 << 30
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1
_LZMA_END_MARKER = 0x2
# Permissions, and the flag of MS-DOS for a folder.
_FOLDER = 0o40775 << 16 | 0x10
_ZIP32_SIZE = (1 << 31) - 1
_ZIP32_ENTRIES = (1 << 16) - 1
_BAD_ARCHIVE = (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error, OSError)
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


class _File:
    """A file descriptor, closed when the last reader lets go of it: closing a store disturbs no reader."""

    def __init__(self, path: str, flags: int) -> None:
        self.fd = -1
        self.fd = os.open(path, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0), 0o666)

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    @property
    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def read(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start`, fewer at the end of the file."""
        parts = []
        while size > 0:
            part = os.pread(self.fd, min(size, _CALL_MAX), start)
            if not part:
                break
            parts.append(part)
            start += len(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, start: int, data: bytes | memoryview) -> int:
        """Write all of `data` at `start`; return where it ends."""
        view = memoryview(data)
        while view:
            done = os.pwrite(self.fd, view[:_CALL_MAX], start)
            start += done
            view = view[done:]
        return start


class Archive:
    """An open archive: its file, its entries by key, and where the next one goes.

    Entries that are replaced or deleted leave the directory, and their bytes become dead space, as does the
    directory of an earlier `flush`. `close` copies the archive (and replaces it in one step) when more
    than half of it is dead. So replacing costs what writing costs, no matter how large the archive.
    """

    def __init__(self, path: str, mode: str, allow_zip64: bool) -> None:
        self.path = path
        self.writable = mode != "r"
        self.dirty = False
        self._allow_zip64 = allow_zip64
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._file: _File | None = None
        self._foreign: list[zipfile.ZipInfo] = []
        self._comment = b""
        self._end = 0
        self._closed = False
        self.entries: dict[str, zipfile.ZipInfo] = {}
        # Nothing is made or replaced before the first write, so that a call that fails loses nothing.
        self._create_flag = os.O_TRUNC if mode == "w" else os.O_EXCL
        if mode in ("w", "x"):
            if mode == "x" and os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            self.dirty = True
            return
        try:
            self._file = _File(path, os.O_RDWR if self.writable else os.O_RDONLY)
        except FileNotFoundError:
            if mode == "r":
                raise
            return
        self._end = self._file.size
        if self._end or mode == "r":
            self._parse()

    def _parse(self) -> None:
        try:
            with open(self.file.fd, "rb", closefd=False) as stream, zipfile.ZipFile(stream) as directory:
                infos, self._comment = directory.infolist(), directory.comment
        except _BAD_ARCHIVE as error:
            raise StoreError(
                f"cannot open {self.path!r} as a zip store: {error}. It was probably not closed after "
                "writing, or was cut short, or is no zip archive"
            ) from error
        for info in infos:
            # `orig_filename`: zipfile cuts the name at a NUL.
            if is_key(info.orig_filename):
                self.entries[info.orig_filename] = info
            else:
                self._foreign.append(info)

    @property
    def file(self) -> _File:
        file = self._file
        if self._closed:
            raise StoreError(f"zip store {self.path!r} is closed; open it again")
        if file is None:
            raise StoreError(f"zip store {self.path!r} has no file yet")
        return file

    @property
    def closed(self) -> bool:
        return self._closed

    def check_open(self) -> None:
        """Raise `StoreError` if the archive was closed."""
        if self._closed:
            raise StoreError(f"zip store {self.path!r} is closed; open it again")

    def read(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return bytes ``start:stop`` of an entry.

        Of an entry that is not compressed, a part is read alone, and the CRC is not checked.
        """
        self.check_open()
        info = self.entries[key]
        try:
            if info.compress_type == zipfile.ZIP_STORED and (start or stop is not None):
                offset = self._data_start(info)
                stop = info.file_size if stop is None else min(stop, info.file_size)
                data = self.file.read(offset + start, stop - start)
                if len(data) != max(stop - start, 0):
                    raise ValueError("the file ends within it")
                return data
            packed = self.file.read(self._data_start(info), info.compress_size)
            data = decode(packed, info.compress_type, info.file_size)
            if len(data) != info.file_size:
                raise ValueError(f"it has {len(data)} bytes, the directory says {info.file_size}")
            if crc32(data) != info.CRC:
                raise ValueError("its CRC is wrong")
        except (ValueError, EOFError, zlib.error, lzma.LZMAError, MemoryError) as error:
            raise StoreError(f"entry {key!r} of zip store {self.path!r} is damaged: {error}") from error
        except OSError as error:
            # bz2 says OSError without an errno for damaged data.
            if error.errno is None and not isinstance(error, StoreError):
                raise StoreError(f"entry {key!r} of zip store {self.path!r} is damaged: {error}") from error
            raise
        return data[start:stop]

    def _data_start(self, info: zipfile.ZipInfo) -> int:
        if info.flag_bits & _ENCRYPTED:
            raise ValueError("it is encrypted, which is not supported")
        header = self.file.read(info.header_offset, _LOCAL_HEADER.size) if info.header_offset >= 0 else b""
        if len(header) < _LOCAL_HEADER.size:
            raise ValueError("the file ends before it")
        magic, name_size, extra_size = _LOCAL_HEADER.unpack(header)
        if magic != b"PK\3\4":
            raise ValueError("no local header is where the directory says")
        start: int = info.header_offset + _LOCAL_HEADER.size + name_size + extra_size
        if info.compress_size > self.file.size - start:
            raise ValueError(f"the directory says {info.compress_size} bytes, which the file does not have")
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            raise ValueError("it is not compressed, yet has two sizes")
        return start

    def write(self, key: str, data: bytes | memoryview, method: int) -> None:
        """Append an entry and make it the value of `key`; one ending in a slash is a folder and no key."""
        folder = key.endswith("/")
        info = zipfile.ZipInfo(key, max(time.localtime()[:6], (1980, 1, 1, 0, 0, 0)))
        info.compress_type = method
        info.external_attr = _FOLDER if folder else 0o644 << 16
        info.CRC = crc32(data)
        info.file_size = len(data)
        packed = encode(data, method)
        info.compress_size = len(packed)
        if method == zipfile.ZIP_LZMA:
            info.flag_bits |= _LZMA_END_MARKER
        if len(key.encode()) >= 1 << 16:
            raise StoreError(f"a key in a zip archive has less than 65,536 bytes, not {len(key.encode())}")
        with self._writing() as file:
            grown = self._end + len(packed) + len(key) + 1024
            count = len(self.entries) + len(self._foreign) + 1
            if not self._allow_zip64 and (grown > _ZIP32_SIZE or count > _ZIP32_ENTRIES):
                raise StoreError(
                    f"{self.path!r} would exceed 2 GiB or 65,535 entries; open it with allowZip64=True"
                )
            info.header_offset = self._end
            self.dirty = True
            try:
                end = file.write(self._end, info.FileHeader())
                self._end = file.write(end, packed)
            except BaseException:
                # A full disk must not leave rubbish that later entries would be written behind.
                with suppress(OSError):
                    os.ftruncate(file.fd, info.header_offset)
                raise
            if folder:
                self._foreign = [other for other in self._foreign if other.orig_filename != key]
                self._foreign.append(info)
            else:
                self.entries[key] = info

    def delete(self, key: str) -> None:
        """Drop an entry from the directory."""
        if key not in self.entries:
            raise KeyError(key)
        with self._writing():
            del self.entries[key]
            self.dirty = True

    @contextmanager
    def _writing(self) -> Iterator[_File]:
        """Give the file to the one writer, once it is sure that there is no other."""
        self.check_open()
        if os.getpid() != self._owner:
            # Before the lock, which a thread of the parent may have held during the fork.
            raise StoreError(
                f"zip store {self.path!r} was opened by process {self._owner}; a forked child can only read"
            )
        with self._lock:
            if self._file is None:
                self._file = _File(self.path, os.O_RDWR | os.O_CREAT | self._create_flag)
                self.dirty = True
            status = os.fstat(self.file.fd)
            if status.st_size != self._end or not status.st_nlink:
                raise StoreError(
                    f"zip store {self.path!r} was changed by another writer; only one may have it open"
                )
            yield self.file

    def flush(self) -> None:
        """Write the directory of the archive, so that others can open it."""
        self.check_open()
        if not self.dirty:
            return
        with self._writing() as file:
            self._end = self._write_directory(file, self._end, self._infos())
            self.dirty = False

    def close(self) -> None:
        """Flush, or rewrite without dead space if there is much; then let go of the file. May be repeated."""
        if os.getpid() != self._owner:
            self._closed, self._file = True, None
            return
        with self._lock:
            if self._closed:
                return
            try:
                if self.dirty:
                    live = sum(info.compress_size for info in self._infos())
                    # What else an entry takes: two headers with its name.
                    live += sum(128 + 2 * len(info.filename) for info in self._infos())
                    if self._end > 2 * live + 4096:
                        # Where it fails (full disk, damaged entry), dead space is the lesser evil.
                        with self._writing() as file, suppress(OSError, ValueError):
                            self._compact(file)
                    self.flush()
            finally:
                self._closed, self._file = True, None

    def release(self) -> None:
        """Close an archive that nobody can use any more; without a file, there is nothing to close."""
        if self._file is not None:
            self.close()

    def _infos(self) -> list[zipfile.ZipInfo]:
        return [*self._foreign, *self.entries.values()]

    def _compact(self, file: _File) -> None:
        path = os.path.realpath(self.path)
        partial = f"{path}.{os.urandom(8).hex()}.partial"
        target = _File(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            os.fchmod(target.fd, os.fstat(file.fd).st_mode & 0o777)
            end = 0
            moved = []
            for info in self._infos():
                start = info.header_offset
                size = self._data_start(info) - start + info.compress_size
                # A copy, for others may be reading.
                moved.append(copy(info))
                moved[-1].header_offset = end
                while size:
                    part = file.read(start, min(size, 1 << 24))
                    end = target.write(end, part)
                    start += len(part)
                    size -= len(part)
            self._write_directory(target, end, moved)
            os.replace(partial, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(partial)
            raise
        self.dirty = False

    def _write_directory(self, file: _File, start: int, infos: list[zipfile.ZipInfo]) -> int:
        """Write the central directory at `start`; return where it ends."""
        # zipfile writes it at the end of what it believes to have written: a stream that begins at `start`.
        stream = _Tail(start)
        directory = zipfile.ZipFile(stream, "w", allowZip64=self._allow_zip64)
        directory.filelist.extend(infos)
        directory.comment = self._comment
        directory.close()
        return file.write(start, stream.getbuffer())


class _Tail(io.BytesIO):
    """A stream whose positions count from `start`."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self._start = start

    def tell(self) -> int:
        return self._start + super().tell()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._start + super().seek(offset - (self._start if whence == 0 else 0), whence)


def encode(data: bytes | memoryview, method: int) -> bytes | memoryview:
    """Compress as a zip entry of that method is."""
    if method == zipfile.ZIP_STORED:
        return data
    if method == zipfile.ZIP_DEFLATED:
        return zlib.compress(data, wbits=-15)
    if method == zipfile.ZIP_BZIP2:
        return bz2.compress(data)
    # The old .lzma format has 5 bytes of properties, 8 of size, the stream; zip has a version, the length of
    # the properties, the properties, the stream.
    alone = lzma.compress(data, format=lzma.FORMAT_ALONE)
    return b"\x09\x04" + struct.pack("<H", 5) + alone[:5] + alone[13:]


def decode(packed: bytes, method: int, size: int) -> bytes:
    """Decompress a zip entry, but never to more than `size` bytes."""
    if method == zipfile.ZIP_STORED:
        return packed
    if size == 0:
        # To the decompressors, a limit of 0 may mean none.
        return b""
    if method == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-15).decompress(packed, size)
    if method == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor().decompress(packed, size)
    if method == zipfile.ZIP_LZMA:
        if len(packed) < 9 or packed[2:4] != b"\5\0":
            raise ValueError("its LZMA header is wrong")
        # A dictionary beyond the value's size is never used, and the claimed one could be 4 GiB.
        dictionary = min(int.from_bytes(packed[5:9], "little"), max(size, 4096))
        header = packed[4:5] + struct.pack("<I", dictionary) + b"\xff" * 8
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(header + packed[9:], size)
    raise ValueError(f"its compression method {method} is not supported")
