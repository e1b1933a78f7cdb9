"""What programs do without a library for checkpoints: no commit, so a kill leaves something half written."""

from __future__ import annotations

import math
import mmap
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.checkpoints.base import CHUNK_ROWS, ROW_ITEMS, Items, Part, System, sync_folder, write_file

# What goes to the disk at a time
PIECE = 4 << 20
GIVES_WAY = 16


class Raw(System):
    """A file for each process: the least that a save can take on this machine."""

    sync = False
    version = "-"

    def _file(self, step: int, rank: int) -> str:
        return os.path.join(self.path(step), f"{rank}.raw")

    def save(self, step: int) -> None:
        os.makedirs(self.path(step), exist_ok=True)
        write_file(self._file(step, self.part.rank), self.values, self.sync)

    def restore(self, step: int) -> Items:
        first, last = self.part.slices
        found = np.empty((last - first, ROW_ITEMS))
        saved = len(os.listdir(self.path(step)))
        for rank in range(saved):
            start, stop = self.part.rows * rank // saved, self.part.rows * (rank + 1) // saved
            begin, end = max(first, start), min(last, stop)
            if begin < end:
                self._read(step, rank, begin - start, found[begin - first : end - first])
        return found

    def _read(self, step: int, rank: int, row: int, target: Items) -> None:
        view, at = memoryview(target.view(np.uint8).reshape(-1)), row * ROW_ITEMS * 8
        fd = os.open(self._file(step, rank), os.O_RDONLY)
        try:
            done = 0
            while done < len(view):
                done += os.preadv(fd, [view[done:]], at + done)
        finally:
            os.close(fd)


class RawSync(Raw):
    """The same, on the disk: the limit that checkpoints are measured by."""

    sync = True


class RawDirect(RawSync):
    """The same past the system's cache, where the file system can do that."""

    def __init__(self, part: Part, folder: str) -> None:
        super().__init__(part, folder)
        # The disk takes it from where memory pages begin.
        self._piece = mmap.mmap(-1, PIECE)

    def save(self, step: int) -> None:
        os.makedirs(self.path(step), exist_ok=True)
        self._write(self._file(step, self.part.rank), self.values)
        sync_folder(self.path(step))

    def _write(self, path: str, values: Items) -> None:
        view, piece = memoryview(values).cast("B"), memoryview(self._piece)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_DIRECT
        fd = os.open(path, flags, 0o666)
        try:
            # Rows are multiples of what disks write, and so are parts.
            for start in range(0, len(view), PIECE):
                n = min(PIECE, len(view) - start)
                piece[:n] = view[start : start + n]
                if os.write(fd, piece[:n]) != n:
                    raise OSError("the disk has taken less")
            os.fsync(fd)
        finally:
            os.close(fd)


class _InThread(RawDirect):
    """Writes in a thread, of a copy: what a step must suffer from a save in the background."""

    def __init__(self, part: Part, folder: str) -> None:
        super().__init__(part, folder)
        self._copy = self.values.copy()
        self._thread: threading.Thread | None = None

    def save(self, step: int) -> None:
        np.copyto(self._copy, self.values)
        os.makedirs(self.path(step), exist_ok=True)
        target = self._file(step, self.part.rank)
        self._thread = threading.Thread(target=self._write, args=(target, self._copy))
        self._thread.start()

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def busy(self) -> Callable[[], bool]:
        return self._thread.is_alive if self._thread is not None else lambda: False


class RawThread(_InThread):
    """Through the system's cache, as programs do it."""

    def _write(self, path: str, values: Items) -> None:
        write_file(path, values, True)


class DirectThread(_InThread):
    """Past the cache, and where it can be by a thread that gives way: the least that any save does."""

    def _write(self, path: str, values: Items) -> None:
        if sys.platform == "linux":
            # That of the thread alone.
            os.nice(GIVES_WAY)
        super()._write(path, values)


class NumPy(System):
    """`numpy.save` by each process."""

    version = np.__version__

    def save(self, step: int) -> None:
        os.makedirs(self.path(step), exist_ok=True)
        np.save(os.path.join(self.path(step), f"{self.part.rank}.npy"), self.values)


class H5py(System):
    """One file, which the first process writes: the others copy their parts into memory that all share."""

    def __init__(self, part: Part, folder: str) -> None:
        super().__init__(part, folder)
        import h5py

        self._h5py: Any = h5py
        shared = os.path.join(part.meeting, "gathered")
        if part.rank == 0:
            with open(f"{shared}.new", "wb") as file:
                file.truncate(part.rows * ROW_ITEMS * 8)
            os.rename(f"{shared}.new", shared)
        part.barrier("gathered is there")
        self._gathered = np.memmap(shared, np.float64, "r+", shape=part.shape)
        self._gathered[slice(*part.slices)] = 0

    @property
    def version(self) -> str:
        return str(self._h5py.__version__)

    def save(self, step: int) -> None:
        if self.part.size > 1:
            self._gathered[slice(*self.part.slices)] = self.values
            self.part.barrier(f"gathered {step}")
        if self.part.rank == 0:
            values = self.values if self.part.size == 1 else self._gathered
            with self._h5py.File(self.path(step), "w") as file:
                file.create_dataset("u", data=values)


class ZchunkArray(System):
    """An array of zchunk that all processes write, a shard each, with zchunk's defaults for safety."""

    def __init__(self, part: Part, folder: str) -> None:
        super().__init__(part, folder)
        import zchunk

        self._zchunk: Any = zchunk

    @property
    def version(self) -> str:
        return str(self._zchunk.__version__)

    def _create(self, step: int, shards: tuple[int, int]) -> Any:
        chunks = math.gcd(CHUNK_ROWS, shards[0]), ROW_ITEMS
        return self._zchunk.create_array(
            self.path(step), shape=self.part.shape, dtype="f8", chunks=chunks, shards=shards,
            compressors=None, zarr_format=3,
        )  # fmt: skip

    def _open(self, step: int) -> Any:
        return self._zchunk.open_array(self.path(step), mode="r+")

    def save(self, step: int) -> None:
        if self.part.rank == 0:
            self._create(step, (self.part.rows // self.part.size, ROW_ITEMS))
        self.part.barrier(f"created {step}")
        self._open(step)[slice(*self.part.slices)] = self.values


class Zarr3Array(ZchunkArray):
    """The same with zarr-python 3."""

    def __init__(self, part: Part, folder: str) -> None:
        System.__init__(self, part, folder)
        import zarr

        self._zchunk = zarr
