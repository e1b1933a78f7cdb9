"""What the machine allows: the parts of each case's work that no library can leave out, timed alone.

- ``copy``: first touch of the output and a copy into it (read), or a copy of the input (write)
- ``codec``: the chunks that the case touches, encoded or decoded whole, in memory, by numcodecs
- ``files``: as many files of the same sizes opened, read and closed; or created, written and renamed

The limit of a case is the largest of the three: a library that overlapped all of them perfectly would need
that long. Where only a part of a chunk is wanted, decoding by block can stay below ``codec``.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from benchmarks.adapters.base import CLEVEL, CNAME, SHUFFLE
from benchmarks.cases import Case, Layout, Selection


def touched_chunks(layout: Layout, selection: Selection) -> list[tuple[slice, ...]]:
    """Return the element ranges of every chunk that a selection of integers and unit-step slices touches."""
    axes = []
    for entry, n, c in zip(selection, layout.shape, layout.chunks, strict=True):
        start, stop, _ = entry.indices(n) if isinstance(entry, slice) else (entry, entry + 1, 1)
        axes.append([slice(i * c, (i + 1) * c) for i in range(start // c, (stop - 1) // c + 1)])
    return list(product(*axes))


class Limits:
    """Times the parts of a case, each with one thread and with ``threads``, and keeps the faster."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads)
        self.local = threading.local()
        self.codec = numcodecs.Blosc(CNAME, CLEVEL, SHUFFLE)
        # Each call on its own thread with its own context, and the GIL released.
        blosc.use_threads = False

    def prepare(
        self, case: Case, layout: Layout, data: NDArray[Any], folder: Path
    ) -> Callable[[], dict[str, float]]:
        """Encode the chunks of a case, lay out its files, and return a function that times the parts once."""
        selection = case.select(layout)
        chunks = [self._full_chunk(data[ranges], layout) for ranges in touched_chunks(layout, selection)]
        frames = [self.codec.encode(chunk) for chunk in chunks]
        if case.action == "open":
            frames = [b"{}" * 150]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        paths = [os.fspath(folder / str(i)) for i in range(len(frames))]
        for path, frame in zip(paths, frames, strict=True):
            Path(path).write_bytes(frame)
        source = np.ascontiguousarray(data[selection]).reshape(-1)

        def run() -> dict[str, float]:
            if case.action == "open":
                return {"files": self._best(_read_files, paths)}
            if case.action == "write":
                return {
                    "copy": self._copy(source),
                    "codec": self._best(self._encode, chunks),
                    "files": self._best(_replace_files, list(zip(paths, frames, strict=True))),
                }
            return {
                "copy": self._copy(source),
                "codec": self._best(self._decode, frames),
                "files": self._best(_read_files, paths),
            }

        return run

    @staticmethod
    def _full_chunk(part: NDArray[Any], layout: Layout) -> NDArray[Any]:
        chunk = np.zeros(layout.chunks, part.dtype)
        chunk[tuple(slice(0, n) for n in part.shape)] = part
        return chunk

    def _parts(self, work: Sequence[Any]) -> list[Sequence[Any]]:
        return [work[i :: self.threads] for i in range(min(self.threads, len(work)))]

    def _best(self, function: Callable[[Any], None], work: Sequence[Any]) -> float:
        start = time.perf_counter()
        function(work)
        best = time.perf_counter() - start
        if self.threads > 1 and len(work) > 1:
            start = time.perf_counter()
            list(self.pool.map(function, self._parts(work)))
            best = min(best, time.perf_counter() - start)
        return best

    def _copy(self, source: NDArray[Any]) -> float:
        start = time.perf_counter()
        out = np.empty_like(source)
        if source.nbytes < 1 << 20:
            np.copyto(out, source)
        else:
            bounds = np.linspace(0, source.size, self.threads + 1).astype(int)
            parts = [slice(a, b) for a, b in pairwise(bounds)]
            list(self.pool.map(lambda part: np.copyto(out[part], source[part]), parts))
        return time.perf_counter() - start

    def _encode(self, chunks: Sequence[NDArray[Any]]) -> None:
        for chunk in chunks:
            self.codec.encode(chunk)

    def _decode(self, frames: Sequence[bytes]) -> None:
        # A destination that each thread keeps: decoding is to be timed, not the first touch of memory.
        nbytes = int.from_bytes(frames[0][4:8], "little")
        if getattr(self.local, "nbytes", -1) != nbytes:
            self.local.nbytes, self.local.scratch = nbytes, np.zeros(nbytes, np.uint8)
        for frame in frames:
            self.codec.decode(frame, self.local.scratch)


def _read_files(paths: Sequence[str]) -> None:
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        while os.read(fd, 1 << 24):
            pass
        os.close(fd)


def _replace_files(items: Sequence[tuple[str, bytes]]) -> None:
    for path, data in items:
        temporary = path + ".tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.write(fd, data)
        os.close(fd)
        os.rename(temporary, path)
