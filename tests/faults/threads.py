"""Threads of native code beside each other, for `make tsan`: which reports every data race in it.

Only modules of zchunk are compiled with ThreadSanitizer. Of Python it sees the locks, the GIL among them, so
what is done under that is in order. Run by itself it checks that the work comes out right.

    python tests/faults/threads.py [SECONDS]
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

import numpy as np

import zchunk

# What a thread of some number does again and again.
Work: TypeAlias = Callable[[int], None]
THREADS = 4
ITEMS = np.arange(60_000.0).reshape(300, 200)


@contextmanager
def chunks(folder: str) -> Iterator[Work]:
    """Helpers of the crew decode and encode chunks of jobs that several threads have begun."""
    z = zchunk.array(ITEMS, chunks=(20, 25), store=f"{folder}/chunks", overwrite=True)

    def work(thread: int) -> None:
        assert (z[...] == ITEMS).all()
        assert (z[thread::7, ::3] == ITEMS[thread::7, ::3]).all()
        z[thread * 50 : thread * 50 + 30] = ITEMS[thread * 50 : thread * 50 + 30]

    yield work


@contextmanager
def shards(folder: str) -> Iterator[Work]:
    """Parts of the same shards are written by all threads, under the locks of chunks."""
    z = zchunk.array(
        ITEMS, chunks=(20, 25), shards=(100, 100), store=f"{folder}/shards", zarr_format=3, checksum=True
    )

    def work(thread: int) -> None:
        z[thread::THREADS, :30] = ITEMS[thread::THREADS, :30]
        assert (z[...] == ITEMS).all()

    yield work


@contextmanager
def large_chunks(folder: str) -> Iterator[Work]:
    """A team of threads decodes the blocks of one frame."""
    items = np.arange(2_000_000)
    z = zchunk.array(items, chunks=items.shape, store=f"{folder}/large")

    def work(thread: int) -> None:
        assert z[-1] == items[-1]
        assert (z[...] == items).all()

    yield work


@contextmanager
def archives(folder: str) -> Iterator[Work]:
    """Entries of an archive are read where they lie, while others are written."""
    with zchunk.ZipStore(f"{folder}/a.zip") as store:
        z = zchunk.array(ITEMS, chunks=(50, 50), store=store)

        def work(thread: int) -> None:
            assert (z[...] == ITEMS).all()
            store[f"more/{thread}"] = b"value"

        yield work


@contextmanager
def caches(folder: str) -> Iterator[Work]:
    """Values and decoded chunks are kept for all threads, and dropped again."""
    cached = zchunk.LRUStoreCache(zchunk.DirectoryStore(f"{folder}/cached"), max_size=1 << 16)
    zchunk.array(ITEMS, chunks=(50, 50), store=cached)
    z = zchunk.open_array(cached, "r+", cache_bytes=1 << 16)

    def work(thread: int) -> None:
        z[thread * 60, :] = ITEMS[thread * 60]
        assert (z[...] == ITEMS).all()

    yield work


@contextmanager
def selections(folder: str) -> Iterator[Work]:
    """Points and masks are planned and gathered by threads, structures field by field."""
    z = zchunk.array(ITEMS, chunks=(20, 25), store=f"{folder}/points")
    rows, columns = np.random.default_rng(0).integers(0, 200, (2, 5000))

    def work(thread: int) -> None:
        assert (z.vindex[rows, columns] == ITEMS[rows, columns]).all()
        assert (z.oindex[rows[:50], ::9] == ITEMS[rows[:50], ::9]).all()
        z.vindex[rows, columns] = ITEMS[rows, columns]

    yield work


def run(make: Callable[[str], AbstractContextManager[Work]], seconds: float) -> int:
    """Have threads do some work again and again; return how often they did."""
    counts, errors = [0] * THREADS, list[BaseException]()

    def repeat(thread: int, end: float) -> None:
        try:
            while time.monotonic() < end or not counts[thread]:
                work(thread)
                counts[thread] += 1
        except BaseException as error:
            errors.append(error)
            raise

    with tempfile.TemporaryDirectory() as folder, make(folder) as work:
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=repeat, args=(n, end)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors, errors
    return sum(counts)


KINDS = (chunks, shards, large_chunks, archives, caches, selections)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    print(f"{zchunk.__file__}, {THREADS} threads", flush=True)
    zchunk.set_threads(THREADS)
    for make in KINDS:
        print(f"threads, {make.__name__}: {run(make, seconds):,} times: no race", flush=True)


if __name__ == "__main__":
    main()
