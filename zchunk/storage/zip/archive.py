"""Zip archives that grow at the end: what `ZipStore` writes its values to.

`zipfile` does the directory of the archive. Writing of entries is here, for a key written twice is an entry
replaced, and by position, which disturbs no reader.
"""

from __future__ import annotations

import errno
import io
import os
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from copy import copy

from zchunk._ext.engine.file_job import crc32
from zchunk._ext.threads.guards import Guard
from zchunk.errors import StoreError, change_in_progress
from zchunk.storage.local.files import sync_file, sync_folder
from zchunk.storage.local.leftovers import partial_path, tidy_beside
from zchunk.storage.zip.methods import encode
from zchunk.storage.zip.reader import File, Reader

_LZMA_END_MARKER = 0x2
# Permissions, and the flag of MS-DOS for a folder.
_FOLDER = 0o40775 << 16 | 0x10
_ZIP32_SIZE = (1 << 31) - 1
_ZIP32_ENTRIES = (1 << 16) - 1


class Archive(Reader):
    """An archive in a file: its entries by key, and where the next one goes.

    Entries that are replaced or deleted leave the directory, and their bytes become dead space, as does the
    directory of an earlier `flush`. `close` copies the archive (and replaces it in one step) when more
    than half of it is dead. So replacing costs what writing costs, no matter how large the archive.
    """

    def __init__(self, path: str, mode: str, allow_zip64: bool, synced: bool = False) -> None:
        self.path = path
        self.writable = mode != "r"
        # Nothing is made or replaced before the first write, so that a call that fails loses nothing.
        self._create_flag = os.O_TRUNC if mode == "w" else os.O_EXCL
        self.dirty = mode in ("w", "x")
        self._allow_zip64 = allow_zip64
        self._synced = synced
        self._owner = os.getpid()
        self._lock = Guard()
        file = None if self.dirty else self._open()
        if mode == "x" and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        # Behind what a killed writer may have left, which is dead space: another writer may be alive.
        self._end = 0 if file is None else file.size
        super().__init__(repr(path), file if self._end or mode == "r" else None)
        self._file = file

    def _open(self) -> File | None:
        try:
            return File(self.path, os.O_RDWR if self.writable else os.O_RDONLY)
        except FileNotFoundError:
            if not self.writable:
                raise
            return None

    @property
    def file(self) -> File:
        file = super().file
        assert isinstance(file, File)
        return file

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
        _check_name(key)

        def append(file: File) -> None:
            self._check_room(len(packed) + len(key), 1)
            info.header_offset = self._end
            self.dirty = True
            try:
                end = file.write(self._end, info.FileHeader())
                self._end = file.write(end, packed)
            except BaseException:
                # A full disk must not leave rubbish that later entries would be written behind.
                self._end = info.header_offset
                _truncate(file, self._end)
                raise
            if folder:
                self._foreign = [other for other in self._foreign if other.orig_filename != key]
                self._foreign.append(info)
            else:
                self.entries[key] = info

        self._change(append)

    def _check_room(self, nbytes: int, entries: int) -> None:
        """Raise `StoreError` if more of it would need what an archive without Zip64 does not have."""
        grown = self._end + nbytes + 1024 * entries
        count = len(self.entries) + len(self._foreign) + entries
        if not self._allow_zip64 and (grown > _ZIP32_SIZE or count > _ZIP32_ENTRIES):
            raise StoreError(
                f"{self.path!r} would exceed 2 GiB or 65,535 entries; open it with allowZip64=True"
            )

    def delete(self, key: str) -> None:
        """Drop an entry from the directory."""
        if key not in self.entries:
            raise KeyError(key)

        def drop(file: File) -> None:
            # KeyError, if another thread was first.
            del self.entries[key]
            self.dirty = True

        self._change(drop)

    def delete_many(self, keys: list[str]) -> None:
        """Drop those entries that are there from the directory: all, or none if that fails."""
        if self.entries.keys().isdisjoint(keys):
            return

        def drop(file: File) -> None:
            gone = {*keys}
            self.entries = {key: info for key, info in self.entries.items() if key not in gone}
            self.dirty = True

        self._change(drop)

    def move(self, names: list[tuple[str, str]]) -> None:
        """Append entries once more under new names, and drop the old ones: all, or none if that fails."""
        for _, new in names:
            _check_name(new)

        def append(file: File) -> None:
            size = file.size
            found = [(new, self.entries[old]) for old, new in names]
            self._check_room(sum(info.compress_size + len(new) for new, info in found), len(names))
            moved, end = dict[str, zipfile.ZipInfo](), self._end
            try:
                for new, info in found:
                    start = self._start(file, info, size)
                    moved[new] = renamed = _renamed(info, new, end)
                    end = file.write(end, renamed.FileHeader())
                    end = _copy(file, start, info.compress_size, file, end)
            except BaseException as error:
                _truncate(file, self._end)
                if isinstance(error, ValueError):
                    raise self._damaged(new, error) from error
                raise
            gone = {old for old, _ in names}
            self.entries = {key: info for key, info in self.entries.items() if key not in gone} | moved
            self._end, self.dirty = end, True

        self._change(append)

    def _change(self, work: Callable[[File], None]) -> None:
        """Have `work` change the file as its one writer, once it is sure that there is no other."""
        if os.getpid() != self._owner:
            raise StoreError(
                f"zip store {self.name} was opened by process {self._owner}; a forked child can only read"
            )
        with self._lock as first:
            # Not before: another thread may close the archive while this one waits.
            self.check_open()
            self._check_unchanged(first)
            work(self._file_to_change())

    def _check_unchanged(self, first: bool) -> None:
        """Refuse the change of a signal handler that interrupts one: it gets the lock of its thread, too."""
        if not first:
            raise change_in_progress(f"zip store {self.name}")

    def _file_to_change(self) -> File:
        """Return the file, made if need be. The lock is held."""
        if self._file is None:
            self._file = File(self.path, os.O_RDWR | os.O_CREAT | self._create_flag)
            self.dirty = True
        status = os.fstat(self.file.fd)
        if status.st_size != self._end or not status.st_nlink:
            raise StoreError(
                f"zip store {self.name} was changed by another writer; only one may have it open"
            )
        return self.file

    def flush(self) -> None:
        """Write the directory of the archive, so that others can open it."""
        self.check_open()
        if self.dirty:
            self._change(self._flush)

    def _flush(self, file: File) -> None:
        if not self.dirty:
            return
        if self._synced:
            # A directory on the disk is one of entries that are there.
            sync_file(file.fd)
        try:
            end = self._write_directory(file, self._end, self._infos())
            if self._synced:
                sync_file(file.fd)
                sync_folder(os.path.dirname(os.path.realpath(self.path)))
        except BaseException:
            _truncate(file, self._end)
            raise
        self._end = self._complete = end
        self.dirty = False

    def close(self) -> None:
        """Flush, or rewrite without dead space if there is much; then let go of the file. May be repeated.

        If that fails, by a full disk perhaps, the file becomes what it was at the last `flush`.
        """
        if os.getpid() != self._owner:
            self._closed, self._file = True, None
            return
        with self._lock as first:
            if not self._closed:
                self._check_unchanged(first)
                self._close()

    def _close(self) -> None:
        try:
            if self.dirty:
                self._finish(self._file_to_change())
        finally:
            self._closed, self._file = True, None

    def _finish(self, file: File) -> None:
        # Of a compaction that was killed.
        tidy_beside(os.path.realpath(self.path))
        live = sum(info.compress_size for info in self._infos())
        # What else an entry takes: two headers with its name.
        live += sum(128 + 2 * len(info.filename) for info in self._infos())
        if self._end > 2 * live + 4096:
            # Where it fails (full disk, damaged entry), dead space is the lesser evil.
            with suppress(OSError, ValueError):
                self._compact(file)
        if not self.dirty:
            # It has taken the place of the archive; a failure to sync its name is raised.
            if self._synced:
                sync_folder(os.path.dirname(os.path.realpath(self.path)))
            return
        try:
            self._flush(file)
        except BaseException:
            if self._complete:
                _truncate(file, self._complete)
            raise

    def release(self) -> None:
        """Close an archive that no store uses any more; without a file, there is nothing to close."""
        if self._file is not None:
            self.close()

    def _infos(self) -> list[zipfile.ZipInfo]:
        return [*self._foreign, *self.entries.values()]

    def _compact(self, file: File) -> None:
        path = os.path.realpath(self.path)
        partial = partial_path(path)
        target = File(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            os.fchmod(target.fd, os.fstat(file.fd).st_mode & 0o777)
            end = 0
            moved = []
            for info in self._infos():
                start = info.header_offset
                size = self._start(file, info, file.size) - start + info.compress_size
                # A copy, for other threads may be reading.
                moved.append(copy(info))
                moved[-1].header_offset = end
                end = _copy(file, start, size, target, end)
            self._write_directory(target, end, moved)
            # Or a power cut could leave an empty file by the name of the archive.
            sync_file(target.fd)
            os.replace(partial, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(partial)
            raise
        self.dirty = False

    def _write_directory(self, file: File, start: int, infos: list[zipfile.ZipInfo]) -> int:
        """Write the central directory at `start`; return where it ends."""
        # zipfile writes it at the end of what it believes to have written: a stream that begins at `start`.
        stream = _Tail(start)
        directory = zipfile.ZipFile(stream, "w", allowZip64=self._allow_zip64)
        directory.filelist.extend(infos)
        directory.comment = self._comment
        directory.close()
        return file.write(start, stream.getbuffer())


def _check_name(key: str) -> None:
    if len(key.encode()) >= 1 << 16:
        raise StoreError(f"a key in a zip archive has less than 65,536 bytes, not {len(key.encode())}")


def _renamed(info: zipfile.ZipInfo, name: str, start: int) -> zipfile.ZipInfo:
    """Return an entry with the same bytes under another name, elsewhere in the archive."""
    new = zipfile.ZipInfo(name, info.date_time)
    for known in ("compress_type", "external_attr", "create_system", "CRC", "file_size", "compress_size"):
        setattr(new, known, getattr(info, known))
    new.flag_bits = info.flag_bits & _LZMA_END_MARKER
    new.header_offset = start
    return new


def _copy(source: File, start: int, size: int, target: File, end: int) -> int:
    """Copy bytes from one place to another; return where they end."""
    while size:
        part = source.read(start, min(size, 1 << 24))
        if not part:
            raise ValueError("the file ends within it")
        end = target.write(end, part)
        start += len(part)
        size -= len(part)
    return end


def _truncate(file: File, size: int) -> None:
    with suppress(OSError):
        os.ftruncate(file.fd, size)


class _Tail(io.BytesIO):
    """A stream whose positions count from `start`."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self._start = start

    def tell(self) -> int:
        return self._start + super().tell()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._start + super().seek(offset - (self._start if whence == 0 else 0), whence)
