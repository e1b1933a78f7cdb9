"""What the machine allows: the parts of each case's work that no library can leave out, timed alone.

- ``copy``: first touch of the output and a copy into it (read), or a copy of the input (write)
- ``codec``: the chunks that the case touches, encoded or decoded whole, in memory, by numcodecs
- ``files``: as many files of the same sizes opened, read and closed; or created, written and renamed; or
  removed. System calls from Python into one buffer per thread: about 2 µs a file above what C needs.

Each part is timed with one thread and with all, and the faster counts. The limit of a case is the largest of
its parts: a library that overlapped all of them perfectly would need that long. Where only a part of a chunk
is wanted, decoding by block can stay below ``codec``.

Import and memory have no physical limit; theirs is what zchunk promises.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from benchmarks.cases import Case
from benchmarks.datasets import GROUP_ARRAYS, STORED, Codec, Layout
from benchmarks.selections import by_chunk, touched_chunks

Measure = Callable[[], float]

IMPORT_ALLOWANCE = 0.015
MEMORY_ALLOWANCE = 32 << 20

# A part that is shorter is repeated, and its best counts.
SHORTEST_TIMING = 0.01
MOST_REPETITIONS = 20

# About the size of the metadata of an array
METADATA = b"{}" * 180


class Limits:
    """Measures the parts of the cases of one group."""

    def __init__(
        self, size: str, folder: Path, threads: int, source: Callable[[str], NDArray[Any]]
    ) -> None:
        self.size, self.folder, self.threads, self.source = size, folder, threads, source
        self.pool = ThreadPoolExecutor(threads)
        self.local = threading.local()
        self.frames: dict[tuple[slice, ...], bytes] = {}
        # Each call on its own thread with its own context, and the GIL released.
        blosc.use_threads = False

    def prepare(self, case: Case) -> dict[str, Measure]:
        """Encode the chunks of a case, lay out its files, and return how each part is measured."""
        layout = STORED[case.stored].layout(self.size)
        make: dict[str, Callable[[Case, Layout], dict[str, Measure]]] = {
            "write": self._write,
            "append": self._write,
            "read": self._read,
            "resize": self._resize,
            "memory": self._memory,
        }
        if case.action in make:
            return make[case.action](case, layout)
        if case.action == "import":
            return {"numpy + 15 ms": _numpy_import}
        count = GROUP_ARRAYS[self.size] + 1
        metadata = {"open": [METADATA], "open-group": [METADATA] * count, "open-consolidated": [METADATA * count]}
        return {"files": self._timed(self._read_files, self._lay_out(case, metadata[case.action]))}

    def _read(self, case: Case, layout: Layout) -> dict[str, Measure]:
        data = self.source(STORED[case.stored].source)
        selections = case.select(layout)
        count = len(selections) if case.average else 1
        chunks = [chunk for selection in selections for chunk in touched_chunks(layout, selection)]
        frames = [self._frame(data, chunk, layout) for chunk in chunks]
        outputs = [np.ascontiguousarray(data[selection]).reshape(-1) for selection in selections]
        parts = {"copy": self._timed(self._copy_all, outputs, count, split=False)}
        if layout.codec.kind != "none":
            parts["codec"] = self._timed(self._decode, [(frame, layout) for frame in frames], count)
        if layout.container == "folder":
            parts["files"] = self._timed(self._read_files, self._lay_out(case, frames), count)
        if layout.container == "zip":
            parts["files"] = self._timed(self._read_files, self._lay_out(case, [b"".join(frames)]))
        return parts

    def _write(self, case: Case, layout: Layout) -> dict[str, Measure]:
        data = self.source(STORED[case.stored].source)
        chunks = [_full_chunk(data, chunk, layout) for chunk in self._all_chunks(layout)]
        frames = [self._frame(data, chunk, layout) for chunk in self._all_chunks(layout)]
        parts = {"copy": self._timed(self._copy_all, [data.reshape(-1)], split=False)}
        if layout.codec.kind != "none":
            parts["codec"] = self._timed(self._encode, [(chunk, layout.codec) for chunk in chunks])
        if layout.container == "memory":
            return parts
        if layout.container == "zip":
            frames = [b"".join(frames)]
        paths = self._lay_out(case, frames)
        parts["files"] = self._timed(_replace_files, list(zip(paths, frames, strict=True)))
        return parts

    def _resize(self, case: Case, layout: Layout) -> dict[str, Measure]:
        count = len(self._all_chunks(layout)) // 2

        def measure() -> float:
            paths = self._lay_out(case, [METADATA] * count)
            start = time.perf_counter()
            for path in paths:
                os.unlink(path)
            return time.perf_counter() - start

        return {"files": measure}

    def _memory(self, case: Case, layout: Layout) -> dict[str, Measure]:
        """The bound: what each thread may hold of a chunk, encoded and decoded, and an allowance."""
        data = self.source(STORED[case.stored].source)
        encoded = max(len(self._frame(data, chunk, layout)) for chunk in self._all_chunks(layout))
        bound = self.threads * (layout.chunk_nbytes + encoded) + MEMORY_ALLOWANCE
        return {"threads × (chunk + encoded) + 32 MiB": lambda: float(bound)}

    @staticmethod
    def _all_chunks(layout: Layout) -> list[tuple[slice, ...]]:
        return [chunk for part in by_chunk(layout) for chunk in touched_chunks(layout, part)]  # type: ignore[arg-type]

    def _frame(self, data: NDArray[Any], chunk: tuple[slice, ...], layout: Layout) -> bytes:
        key = tuple(slice(part.start, part.stop) for part in chunk)
        name = repr(key)
        if name not in self._frames_by_name():
            full = _full_chunk(data, chunk, layout)
            codec = _codec(layout.codec)
            self._frames_by_name()[name] = bytes(codec.encode(full)) if codec else full.tobytes()
        return self._frames_by_name()[name]
