"""The limits of the machine: the parts of each case that no library can leave out, timed alone.

- ``codec``: the chunks that the case touches, encoded or decoded whole, in memory, by numcodecs, which
  releases the GIL
- ``copy``: first touch of the output and a copy into it. A write has none: codec and system call read the
  input where it is.
- ``files``: as many files of the same sizes opened, read and closed; or created, written and renamed; or
  removed; or looked for in vain. System calls from Python into one buffer per thread: about 2 µs a file
  above what C needs. From a shard, which is one file, each selection reads the chunks that it touches,
  neighbours together; the first selection also reads the index, which can be kept.

Each part is timed with one thread and with all, and the faster counts. The limit of a case is the sum of its
parts: the same processors do all of them, and each part already had all processors for itself, so nothing is
left that could overlap.

A library can stay below the limit in three ways: by decoding block by block where only a part of a chunk is
selected; by reading an uncompressed chunk straight into the output instead of into a buffer first; and by
finding in the processor's cache what an earlier part left there, since every part here takes its own input
from memory.

An object store has the limits of its network, which are not measured: the bytes over the bandwidth, and the
latency for every `objects.CONCURRENCY` requests of a round, in which no request waits for another. A shard
whose index is not known takes two rounds. Processor time is not counted; bytes and waits could overlap.

A case that waits for its storage has as many requests in flight as pay there, whatever the number of threads,
and its limit is not the sum: processors work while requests are in flight, so they count only as far as they
take longer than these. Selections that follow each other have one request in flight. What is to be on the
disk is written with each number of files under way, through the system's cache and past it, and the best
counts; the folder is synced once.

Import and memory have no physical limit; their limit is the promise of zchunk.
"""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from benchmarks import many_limits, slow
from benchmarks.cases import Case
from benchmarks.datasets import GROUP_ARRAYS, MANY_ARRAYS, STORED, Codec, Layout
from benchmarks.files import drop_cache
from benchmarks.objects import CONCURRENCY, Network
from benchmarks.selections import Selection, everything, of_array, touched_chunks, touched_count
from benchmarks.shards import Chunk, Index, Range, ShardFile, reads, shard_files, shard_of, start_of

Measure = Callable[[], float]

IMPORT_ALLOWANCE = 0.015
MEMORY_ALLOWANCE = 32 << 20

# A shorter part is repeated, and its best time counts.
SHORTEST_TIMING = 0.01
MOST_REPETITIONS = 20

# How many requests are in flight where a case waits for its storage; the best counts.
IN_FLIGHT = (2, 8, 32)

# The largest block whose release makes glibc keep such blocks for what comes next
KEPT_BLOCK = 31 << 20

# About the size of the metadata of an array
METADATA = b"{}" * 180


class Limits:
    """Measures the parts of the cases of one group."""

    def __init__(
        self, size: str, folder: Path, threads: int, source: Callable[[str], NDArray[Any]], cold: bool
    ) -> None:
        self.size, self.folder, self.threads, self.source, self.cold = size, folder, threads, source, cold
        self.pool, self.waiting = ThreadPoolExecutor(threads), ThreadPoolExecutor(max(IN_FLIGHT))
        self.local = threading.local()
        # Encoded chunks of the group's array, by their first index
        self.frames: dict[Index, bytes] = {}
        # Each call on its own thread with its own context, and the GIL released.
        blosc.use_threads = False
        # The encoders allocate their output. Without this, every call would touch fresh pages, which takes as
        # long as LZ4 itself; only for chunks of 32 MiB, which no setting of glibc keeps, it still does.
        np.empty(KEPT_BLOCK, np.uint8)

    def prepare(self, case: Case) -> dict[str, Measure]:
        """Encode the chunks of a case, lay out its files, and return how each part is measured."""
        layout = STORED[case.stored].layout(self.size)
        if case.network:
            return self._network(case, case.network, layout)
        make: dict[str, Callable[[Case, Layout], dict[str, Measure]]] = {
            "write": self._write,
            "write-synced": self._write,
            "append": self._write,
            "read": self._read,
            "read-kept": self._read,
            "read-together": self._read,
            "first-read": self._read,
            "resize": self._resize,
            # Only a part of it: no library does the rest without reading.
            "rechunk": self._read,
            "xarray-load": self._read,
            "xarray-point": self._read,
            "xarray-write": self._write,
            "xarray-write-dask": self._write,
            "xarray-region": self._write,
            "read-memory": self._memory,
            "write-memory": self._memory,
        }
        if case.action in make:
            return make[case.action](case, layout)
        if case.action == "import":
            return {"numpy + 15 ms": _numpy_import}
        if case.stored in ("many", "million"):
            return many_limits.parts(case.action, self.folder / case.name, layout.chunk_count, self.threads)
        count = GROUP_ARRAYS[self.size] + 1
        metadata = {
            "open": [METADATA],
            "open-group": [METADATA] * count,
            "open-consolidated": [METADATA * count],
            "xarray-open": [METADATA * count],
            # As many as nodes
            "consolidate": [METADATA] * MANY_ARRAYS[self.size],
        }
        if case.action == "consolidate-memory":
            # Parsed, collected and written; and 8 MiB that an operation takes to run at all
            return {"16 KiB per array": lambda: float((8 << 20) + (MANY_ARRAYS[self.size] << 14))}
        return {"files": self._files_read(case, metadata[case.action])}

    def _read(self, case: Case, layout: Layout) -> dict[str, Measure]:
        data = self.source(STORED[case.stored].source)
        selections = case.select(layout)
        count = case.count(layout)
        outputs = [np.ascontiguousarray(of_array(data, selection)).reshape(-1) for selection in selections]
        copy = self._timed(self._copy_all, outputs, count, split=False)
        if not STORED[case.stored].written:
            absent = sum(touched_count(layout, selection) for selection in selections)
            paths = [f"{self.folder}/{i}" for i in range(absent)]
            return {"copy": copy, "files": self._timed(_look_for, paths, count)}
        chunks = [chunk for selection in selections for chunk in touched_chunks(layout, selection)]
        frames = [self._frame(data, chunk, layout) for chunk in chunks]
        parts = {}
        if layout.codec.kind != "none":
            parts["codec"] = self._timed(self._decode, [(frame, layout) for frame in frames], count)
        parts["copy"] = copy
        if layout.shards:
            parts["files"] = self._shards_read(case, layout, data, selections, count)
        elif layout.container == "folder":
            parts["files"] = self._files_read(case, frames, count)
        if layout.container == "zip":
            parts["files"] = self._files_read(case, [b"".join(frames)])
        return _overlapped(parts) if case.waits else parts

    def _write(self, case: Case, layout: Layout) -> dict[str, Measure]:
        data = self.source(STORED[case.stored].source)
        chunks = [_full_chunk(data, chunk, layout) for chunk in _all_chunks(layout)]
        if layout.shards:
            frames = [file.content for file in self._shards(data, layout).values()]
        else:
            frames = [self._frame(data, chunk, layout) for chunk in _all_chunks(layout)]
        parts = {}
        if layout.codec.kind != "none":
            parts["codec"] = self._timed(self._encode, [(chunk, layout.codec) for chunk in chunks])
        if layout.container == "memory":
            return parts
        if layout.container == "zip":
            frames = [b"".join(frames)]
        folder = self._empty_folder(case)
        files = [(f"{folder}/{i}", frame) for i, frame in enumerate(frames)]
        if case.action == "write-synced":
            parts["files"] = lambda: self._sync_files(case, files)
            name = "codec or files, whichever takes longer" if "codec" in parts else "files"
            return {name: lambda: max(measure() for measure in parts.values())}
        parts["files"] = self._timed(_create_files, files, before=lambda: self._empty_folder(case))
        return parts

    def _sync_files(self, case: Case, files: Sequence[tuple[str, bytes]]) -> float:
        """Return how long it takes until files and their names are on the disk, in the best way there is."""

        def seconds(create: Callable[[Any], None], requests: int) -> float:
            folder = self._empty_folder(case)
            os.sync()
            start = time.perf_counter()
            list(self.waiting.map(create, [files[i::requests] for i in range(min(requests, len(files)))]))
            _sync_folder(folder)
            return time.perf_counter() - start

        ways = [_create_synced_files] + [self._create_direct_files] * hasattr(os, "O_DIRECT")
        return min(seconds(create, requests) for create in ways for requests in IN_FLIGHT)

    def _create_direct_files(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Write files past the system's cache, which takes whole pages out of memory that begins at one."""
        if not hasattr(self.local, "pages"):
            self.local.pages = mmap.mmap(-1, 1 << 20)
        pages = memoryview(self.local.pages)
        for path, data in items:
            fd = os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_DIRECT, 0o666)
            for at in range(0, len(data), len(pages)):
                n = min(len(pages), len(data) - at)
                pages[:n] = data[at : at + n]
                os.write(fd, pages[: -(-n // mmap.PAGESIZE) * mmap.PAGESIZE])
            os.ftruncate(fd, len(data))
            os.fsync(fd)
            os.close(fd)
            os.rename(f"{path}.tmp", path)

    def _resize(self, case: Case, layout: Layout) -> dict[str, Measure]:
        contents = [METADATA] * (len(_all_chunks(layout)) // 2)
        paths = self._lay_out(case, contents)
        return {"files": self._timed(_remove_files, paths, before=lambda: self._lay_out(case, contents))}

    def _memory(self, case: Case, layout: Layout) -> dict[str, Measure]:
        """The bound: a chunk per thread, encoded and decoded, and an allowance."""
        data = self.source(STORED[case.stored].source)
        chunks = _all_chunks(layout) if STORED[case.stored].written else []
        encoded = max((len(self._frame(data, chunk, layout)) for chunk in chunks), default=0)
        bound = self.threads * (layout.chunk_nbytes + encoded) + MEMORY_ALLOWANCE
        return {"threads × (chunk + encoded) + 32 MiB": lambda: float(bound)}

    def _network(self, case: Case, network: Network, layout: Layout) -> dict[str, Measure]:
        """The time that a network needs for the bytes and for the rounds of requests."""
        nbytes, rounds = self._traffic(case, layout)
        count = case.count(layout)
        waits = sum(max(1.0, requests / CONCURRENCY) for requests in rounds)
        parts = {f"requests / {CONCURRENCY} × latency": lambda: waits * network.latency / count}
        if (bandwidth := network.bandwidth) is None:
            return parts
        return {"bytes / bandwidth": lambda: nbytes / bandwidth / count, **parts}

    def _traffic(self, case: Case, layout: Layout) -> tuple[int, list[int]]:
        """Return how many bytes a case needs, and the number of requests in each round."""
        if case.action == "open-consolidated":
            return len(METADATA) * (GROUP_ARRAYS[self.size] + 1), [1]
        data = self.source(STORED[case.stored].source)
        touched = [touched_chunks(layout, selection) for selection in case.select(layout)]
        if not layout.shards:
            nbytes = sum(len(self._frame(data, chunk, layout)) for chunks in touched for chunk in chunks)
            return nbytes, [len(chunks) for chunks in touched]
        ranges = reads(layout, self._shards(data, layout), case.select(layout))
        nbytes = sum(end - start for _, some in ranges for start, end in some)
        known: set[Index] = set()
        rounds = []
        for chunks in touched:
            new = {shard_of(chunk, layout) for chunk in chunks} - known
            rounds += [len(new), len(chunks)] if new else [len(chunks)]
            known |= new
        return nbytes, rounds

    def _frame(self, data: NDArray[Any], chunk: Chunk, layout: Layout) -> bytes:
        """Return a chunk encoded."""
        start = start_of(chunk)
        if start not in self.frames:
            full, codec = _full_chunk(data, chunk, layout), _codec(layout.codec)
            self.frames[start] = bytes(codec.encode(full)) if codec else full.tobytes()
        return self.frames[start]

    def _shards(self, data: NDArray[Any], layout: Layout) -> dict[Index, ShardFile]:
        return shard_files(layout, lambda chunk: self._frame(data, chunk, layout))

    def _shards_read(
        self, case: Case, layout: Layout, data: NDArray[Any], selections: list[Selection], count: int
    ) -> Measure:
        """Return how reading the selected parts of shards is measured."""
        files = self._shards(data, layout)
        paths = dict(zip(files, self._lay_out(case, [file.content for file in files.values()]), strict=True))
        work = [(paths[shard], ranges) for shard, ranges in reads(layout, files, selections)]
        return self._reading(case, self._read_ranges, work, os.path.dirname(work[0][0]), count)

    def _empty_folder(self, case: Case) -> str:
        """Return the path of a case's folder, without files in it."""
        folder = self.folder / case.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return os.fspath(folder)

    def _lay_out(self, case: Case, contents: Sequence[bytes]) -> list[str]:
        """Write files and return their paths."""
        folder = self._empty_folder(case)
        paths = [f"{folder}/{i}" for i in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            Path(path).write_bytes(content)
        return paths

    def _files_read(self, case: Case, contents: Sequence[bytes], count: int = 1) -> Measure:
        """Return how reading files is measured."""
        paths = self._lay_out(case, contents)
        return self._reading(case, self._read_files, paths, os.path.dirname(paths[0]), count)

    def _reading(
        self, case: Case, function: Callable[[Any], None], work: Sequence[Any], folder: str, count: int
    ) -> Measure:
        """Return how reading the files of a folder is measured."""
        if not case.waits:
            return self._timed(
                function, work, count, before=lambda: drop_cache(folder) if self.cold else None
            )
        in_turn = case.per == "case" and len(case.select(STORED[case.stored].layout(self.size))) > 1

        def seconds(requests: int) -> float:
            if case.cold:
                drop_cache(folder)
            shares = [work[i::requests] for i in range(min(requests, len(work)))]
            with slow.calls(folder, case.latency) if case.latency else nullcontext():
                start = time.perf_counter()
                list(self.waiting.map(function, shares))
                return time.perf_counter() - start

        return lambda: min(map(seconds, (1,) if in_turn else IN_FLIGHT)) / count

    def _timed(
        self,
        function: Callable[[Any], None],
        work: Sequence[Any],
        count: int = 1,
        split: bool = True,
        before: Callable[[], object] = lambda: None,
    ) -> Measure:
        """Return a function that measures ``function(work)`` / ``count``, on one thread or, split, on all.

        ``before`` is called before every timing and not timed.
        """
        shares = [work[i :: self.threads] for i in range(min(self.threads, len(work)))]

        def seconds(run: Callable[[], object]) -> float:
            before()
            start = time.perf_counter()
            run()
            return time.perf_counter() - start

        def once() -> float:
            best = seconds(lambda: function(work))
            if split and len(shares) > 1:
                best = min(best, seconds(lambda: list(self.pool.map(function, shares))))
            return best

        def measure() -> float:
            best = once()
            repetitions = min(MOST_REPETITIONS, int(SHORTEST_TIMING / max(best, 1e-9)))
            return min([best, *(once() for _ in range(repetitions))]) / count

        return measure

    def _copy_all(self, sources: Sequence[NDArray[Any]]) -> None:
        for source in sources:
            out = np.empty_like(source)
            if source.nbytes < 1 << 20:
                np.copyto(out, source)
                continue
            bounds = np.linspace(0, source.size, self.threads + 1).astype(int)
            parts = [slice(a, b) for a, b in pairwise(bounds)]
            outs, ins = [out[part] for part in parts], [source[part] for part in parts]
            list(self.pool.map(np.copyto, outs, ins))

    def _scratch(self, nbytes: int) -> NDArray[np.uint8]:
        """Return memory that the thread keeps, so that the work is timed, not the first touch of memory."""
        if getattr(self.local, "scratch", np.empty(0)).size < nbytes:
            self.local.scratch = np.zeros(nbytes, np.uint8)
        scratch: NDArray[np.uint8] = self.local.scratch[:nbytes]
        return scratch

    def _encode(self, items: Sequence[tuple[NDArray[Any], Codec]]) -> None:
        for chunk, codec in items:
            _codec(codec).encode(chunk)

    def _decode(self, items: Sequence[tuple[bytes, Layout]]) -> None:
        for frame, layout in items:
            _codec(layout.codec).decode(frame, self._scratch(layout.chunk_nbytes))

    def _read_files(self, paths: Sequence[str]) -> None:
        # More than a chunk of 1 MiB, whose end is then known.
        buffer = self._scratch((1 << 20) + 1)
        for path in paths:
            fd = os.open(path, os.O_RDONLY)
            # A short read is the end of the file: no second call to find that out.
            while os.readv(fd, [buffer.data]) == len(buffer):
                pass
            os.close(fd)

    def _read_ranges(self, items: Sequence[tuple[str, Sequence[Range]]]) -> None:
        buffer = self._scratch(1 << 20)
        for path, ranges in items:
            fd = os.open(path, os.O_RDONLY)
            for start, end in ranges:
                for at in range(start, end, len(buffer)):
                    os.preadv(fd, [buffer.data[: end - at]], at)
            os.close(fd)


def _overlapped(parts: dict[str, Measure]) -> dict[str, Measure]:
    """Return the files, and how much longer than these all other parts take together."""
    last = 0.0

    def files() -> float:
        nonlocal last
        last = parts["files"]()
        return last

    def beyond() -> float:
        return max(sum(measure() for part, measure in parts.items() if part != "files") - last, 0.0)

    return {"files": files, "beyond them": beyond}


def _create_files(items: Sequence[tuple[str, bytes]]) -> None:
    for path, data in items:
        temporary = path + ".tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.write(fd, data)
        os.close(fd)
        os.rename(temporary, path)


def _create_synced_files(items: Sequence[tuple[str, bytes]]) -> None:
    for path, data in items:
        fd = os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        os.write(fd, data)
        os.fsync(fd)
        os.close(fd)
        os.rename(f"{path}.tmp", path)


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def _remove_files(paths: Sequence[str]) -> None:
    for path in paths:
        os.unlink(path)


def _look_for(paths: Sequence[str]) -> None:
    """Look for files that do not exist; not by `open`, whose exception would take longer than the call."""
    for path in paths:
        os.access(path, os.F_OK)


@cache
def _codec(codec: Codec) -> Any:
    """Return the codec of numcodecs, None for uncompressed."""
    if codec.kind == "blosc":
        return numcodecs.Blosc(codec.cname, codec.level, codec.shuffle)
    return numcodecs.Zstd(codec.level) if codec.kind == "zstd" else None


def _all_chunks(layout: Layout) -> list[Chunk]:
    return touched_chunks(layout, everything(layout)[0])


def _full_chunk(data: NDArray[Any], chunk: Chunk, layout: Layout) -> NDArray[Any]:
    """Return the values of a chunk, padded with zeros where it reaches over the edge."""
    part = data[chunk]
    out = np.zeros(layout.chunks, part.dtype)
    out[tuple(slice(0, n) for n in part.shape)] = part
    return out


def _numpy_import() -> float:
    command = [sys.executable, "-m", "benchmarks.probe", "import", "numpy"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout) + IMPORT_ALLOWANCE
