"""Shards that others replace while they are read: one state, in every store, with a cache and without."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.engine import chunk_and_shard_locks
from zchunk.errors import ChunkError
from zchunk.storage import KVStore

pytestmark = pytest.mark.usefixtures("path")


class Ranged(dict):  # type: ignore[type-arg]
    """A mapping that gives ranges, and does something before it gives one."""

    before: Callable[[], None] = staticmethod(lambda: None)

    def get_range(self, key: str, start: int, stop: int | None) -> bytes:
        self.before()
        found: bytes = self[key][start:stop]
        return found

    def size(self, key: str) -> int:
        return len(self[key])


def raw(store: Any, **kwargs: Any) -> zchunk.Array:
    """An array of one shard, whose chunks have the same size and lie where there was room."""
    return zchunk.create(
        12, chunks=2, shards=12, dtype="i4", store=store, zarr_format=3, compressor=None, **kwargs
    )


@pytest.mark.parametrize("cache_bytes", [None, 1000])
def test_a_read_in_parts_is_of_one_state(cache_bytes: int | None) -> None:
    """Between index and chunk another chunk appears in front of it."""
    store = Ranged()
    z = raw(store, cache_bytes=cache_bytes)
    z[6:8] = [1, 2]
    todo = [lambda: z.__setitem__(slice(0, 2), [8, 9]), lambda: None]
    other = zchunk.open_array(store, "r")

    def once() -> None:
        # Before the second range: the index was read.
        if len(todo) == 1:
            todo.pop()()
        elif todo:
            todo.pop()

    store.before = once
    reader = zchunk.open_array(store, "r", cache_bytes=cache_bytes)
    assert reader[6:8].tolist() == [1, 2]
    store.before = lambda: None
    assert not todo
    assert reader[6:8].tolist() == other[6:8].tolist() == [1, 2]
    assert reader[:2].tolist() == [8, 9]


def test_a_shard_that_is_erased_while_it_is_read() -> None:
    store = Ranged()
    z = raw(store, fill_value=5)
    z[:] = 1
    store.before = lambda: store.pop("c/0", None)
    assert z[:].tolist() in ([5] * 12, [1] * 12)


def test_a_damaged_shard_is_an_error_in_any_case() -> None:
    store = Ranged()
    z = raw(store)
    z[:] = 1
    store["c/0"] = store["c/0"][:-1] + b"x"
    with pytest.raises(ChunkError, match="checksum"):
        z[:]


def test_what_is_being_replaced_is_read_in_one_piece() -> None:
    store = Ranged()
    z = raw(store)
    z[:] = 1
    asked: list[int] = []
    store.before = lambda: asked.append(1)
    assert z[3] == 1
    # Index, chunk, and the index again: is it what it was?
    assert len(asked) == 3
    asked.clear()
    with chunk_and_shard_locks.Replacing((z._current.lock_seed, "c/0")):
        assert z[3] == 1
    assert asked == []
    assert z[3] == 1
    assert len(asked) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_nothing_is_being_replaced_in_a_forked_child() -> None:
    with chunk_and_shard_locks.Replacing("x"):
        pid = os.fork()
        if not pid:
            os._exit(chunk_and_shard_locks.state("x") is None)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert chunk_and_shard_locks.state("x") is None


@pytest.mark.parametrize("cache_bytes", [None, 600, 10**6])
@pytest.mark.parametrize("kind", ["folder", "zip", "memory", "mapping", "ranged"])
def test_readers_of_chunks_that_appear_and_vanish(kind: str, cache_bytes: Any, tmp_path: Path) -> None:
    """Every chunk holds its own number or nothing at all, whatever happens beside it."""
    store: Any = {
        "folder": lambda: tmp_path / "a",
        "zip": lambda: zchunk.ZipStore(tmp_path / "a.zip"),
        "memory": zchunk.MemoryStore,
        "mapping": lambda: KVStore({}),
        "ranged": Ranged,
    }[kind]()
    z = zchunk.create(
        (12, 8), chunks=(2, 4), shards=(12, 8), dtype="i4", store=store, zarr_format=3, compressor=None,
        write_empty_chunks=False, cache_bytes=cache_bytes,
    )  # fmt: skip
    numbers = np.repeat(np.arange(1, 7), 2)[:, None] * np.ones((1, 8), "i4")
    z[4:6] = numbers[4:6]
    stop = threading.Event()
    errors: list[BaseException] = []

    def write() -> None:
        rng = np.random.default_rng(1)
        while not stop.is_set():
            row = 2 * int(rng.choice([0, 1, 3, 4, 5]))
            z[row : row + 2] = numbers[row : row + 2] * rng.integers(2)

    def read() -> None:
        try:
            for n in range(80):
                found = z[n % 3 :: 2, ::3] if n % 2 else z[4:6]
                wanted = numbers[n % 3 :: 2, ::3] if n % 2 else numbers[4:6]
                assert ((found == wanted) | ((found == 0) & (n % 2 == 1))).all(), found
        except BaseException as error:
            errors.append(error)

    writer = threading.Thread(target=write)
    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in (writer, *readers):
        thread.start()
    for thread in readers:
        thread.join(60)
    stop.set()
    writer.join(60)
    if errors:
        raise errors[0]


def test_what_another_process_does_is_seen_without_versions() -> None:
    """A shard that is replaced behind this process's back, whose old index points into the new one."""
    store, other = Ranged(), Ranged()
    for target, value in ((store, 0), (other, 100)):
        z = zchunk.create(
            64, chunks=8, shards=64, dtype="i4", store=target, zarr_format=3, compressor=None, fill_value=-1
        )
        if value:
            z[8:] = np.arange(100, 156)
        else:
            z[...] = 9
    new = other["c/0"] + other["c/0"][:0]
    z = zchunk.open_array(store, "r")
    calls = []

    def replace() -> None:
        calls.append(1)
        if len(calls) == 2:
            store["c/0"] = new

    store.before = replace  # type: ignore[method-assign]
    found = z[56:64]
    assert found.tolist() in ([9] * 8, list(range(148, 156)))
