"""Measured runs: reads of arrays in files, and in an object store behind a simulated network."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np

import zchunk
from benchmarks.datasets import make_field
from tests.servers.s3 import fast_server
from zchunk.wings.profiling.costs import OBJECTS, PAGE_CACHE, Place, Work

Shape = tuple[int, ...]

CODECS: dict[str, Any] = {
    "raw": None,
    "lz4": zchunk.Blosc("lz4", 5, 1),
    "zstd": zchunk.Zstd(3),
    "deflate": zchunk.GZip(1),
}
PLANE = (128, 256)


class Stored(NamedTuple):
    """How an array is stored, and whether reading all of it is held out of the fit."""

    codec: str
    chunks: Shape
    shards: Shape | None = None
    held_out: bool = False

    @property
    def name(self) -> str:
        """As it is called in tables."""
        kib = int(np.prod(self.chunks)) * 4 >> 10
        return f"{self.codec}, chunks of {kib:,} KiB" + (" in shards" if self.shards else "")

    def create(self, store: Any, values: np.ndarray[Any, Any]) -> zchunk.Array:
        """Store the values."""
        more = {"zarr_format": 3, "shards": self.shards} if self.shards else {}
        codec = CODECS[self.codec]
        z = zchunk.create(values.shape, self.chunks, values.dtype, codec, 0, store=store, **more)
        z[...] = values
        return z


FAST = ("raw", "lz4", "zstd")
# Chunks of 16, 128 and 1,024 KiB; those of 64 and 512 are held out.
LOCAL = (
    *(Stored(codec, (n, 64, 64)) for codec in FAST for n in (1, 8, 64)),
    *(Stored(codec, (n, 64, 64), (64, 128, 256)) for codec in FAST for n in (1, 8)),
    Stored("deflate", (8, 64, 64)),
    *(Stored(codec, (n, 64, 64), held_out=True) for codec in FAST for n in (4, 32)),
    *(Stored(codec, (4, 64, 64), (64, 128, 256), True) for codec in FAST),
    Stored("deflate", (32, 64, 64), held_out=True),
)
REMOTE = (
    Stored("raw", (2, 64, 128)),
    Stored("lz4", (2, 64, 64)),
    Stored("lz4", (8, 64, 64)),
    Stored("lz4", (8, 64, 64), (64, 128, 256)),
)
# Milliseconds, and whether these runs are held out.
NETWORKS = ((10, False), (20, True), (50, False))


class Run(NamedTuple):
    """What was read, where, by how many threads, and how long it took at least."""

    name: str
    work: Work
    place: Place
    threads: int
    seconds: float
    held_out: bool


def timed(work: Callable[[], object], clock: Callable[[], float] = perf_counter) -> float:
    """Return the seconds of one run."""
    start = clock()
    work()
    return clock() - start


def best(work: Callable[[], object], repeat: int) -> float:
    """Return the least seconds of several runs, after one that is not counted."""
    work()
    return min(timed(work) for _ in range(repeat))


def local(folder: Path, steps: int, repeat: int, busy: bool = False) -> list[Run]:
    """Return runs in files that are in the page cache: by turns, so that what else runs hits nobody alone.

    On a `busy` machine one thread is measured, by the time of the processor that it takes.
    """
    clock = process_time if busy else perf_counter
    field = make_field((steps, *PLANE))
    reads = []
    for number, stored in enumerate(LOCAL):
        z = stored.create(folder / str(number), field)
        selections = {"all": np.s_[...]}
        if stored.codec == "zstd":
            # Half of the array, in chunks that are decoded whole.
            selections["half"] = np.s_[: steps // 2]
        for (what, selection), threads in itertools.product(selections.items(), (1,) if busy else (1, 2)):
            text = f"{stored.name}, {what}, {threads} thread{'s' * (threads > 1)}"
            work = zchunk.profile(z, selection)._work(False)
            run = Run(text, work, PAGE_CACHE, threads, 0.0, stored.held_out or what == "half")
            reads.append((run, z, selection))
    least = [float("inf")] * len(reads)
    for _, (number, (run, z, selection)) in itertools.product(range(repeat), enumerate(reads)):
        zchunk.set_threads(run.threads)
        least[number] = min(least[number], timed(lambda z=z, selection=selection: z[selection], clock))
    zchunk.set_threads(None)
    return [run._replace(seconds=took) for (run, _, _), took in zip(reads, least, strict=True)]


def remote(steps: int, repeat: int) -> Iterator[Run]:
    """Yield runs in an object store, on this machine, whose answers begin after a latency."""
    field = make_field((steps, *PLANE))
    zchunk.set_threads(2)
    with fast_server() as server:
        server.make_bucket("scaling")
        options = {**server.options(server.endpoint), "client_options": {"allow_http": True}}
        for concurrency, (number, stored) in itertools.product((16, 64), enumerate(REMOTE)):
            at = f"s3://scaling/{number}-{concurrency}"
            z = stored.create(zchunk.ObjectStore.from_url(at, concurrency=concurrency, **options), field)
            work = zchunk.profile(z)._work(True)
            for milliseconds, held_out in NETWORKS:
                server.network.set(latency=milliseconds / 1000)
                took = best(lambda z=z: z[...], repeat)
                place = OBJECTS._replace(
                    latency=milliseconds / 1000, bandwidth=float("inf"), in_flight=concurrency
                )
                text = f"{stored.name}, object store at {milliseconds} ms, {concurrency} at a time"
                yield Run(text, work, place, 2, took, held_out)
            server.network.set()
    zchunk.set_threads(None)
