"""The store in memory."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.between_lines import interrupted
from tests.store_conformance import StoreConformance
from zchunk.storage import (
    MemoryStore,
    Store,
    memory,
)


class TestMemoryStore(StoreConformance):
    pickles_share = False

    def make(self, path: Path) -> Store:
        return MemoryStore()


def test_memory_store_as_zarr_has_it() -> None:
    root = {"a": {"b": bytearray(b"v")}, "c": b"w"}
    store = MemoryStore(root, dimension_separator="/")
    assert dict(store) == {"a/b": b"v", "c": b"w"}
    assert store == MemoryStore({"a": {"b": b"v"}, "c": b"w"})
    assert store != MemoryStore({"a": {"b": b"v"}})
    assert store._dimension_separator == "/"
    store["a/x"] = b"y"
    assert root["a"]["x"] == b"y"  # type: ignore[index]
    with pytest.raises(TypeError, match="folder"):
        MemoryStore([])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="dimension_separator"):
        MemoryStore(dimension_separator="-")


def test_memory_store_pickles_while_written() -> None:
    store = MemoryStore()
    stop = threading.Event()

    def write() -> None:
        i = 0
        while not stop.is_set():
            store[f"a/{i % 997}/{i % 7}"] = b"v"
            store.erase_prefix(f"a/{i % 13}")
            i += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(20):
            assert set(pickle.loads(pickle.dumps(store)).values()) <= {b"v"}
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "use",
    [
        list,
        len,
        pickle.dumps,
        lambda store: store.list_dir("a"),
        lambda store: store.is_empty("a"),
        lambda store: store.getsize("a"),
        lambda store: store.erase_many(["a/1", "b"]),
    ],
    ids=["keys", "len", "pickle", "list_dir", "is_empty", "getsize", "erase_many"],
)
def test_signal_handlers_change_what_is_read(use: Callable[[MemoryStore], Any]) -> None:
    """A handler may run before each line of the store: names come and go under it."""
    store = MemoryStore({"a": {"1": b"v", "c": {"2": b"w"}}, "b": b"x"})
    changes = 0

    def change() -> None:
        nonlocal changes
        changes += 1
        store[f"a/new{changes}"] = b"y"
        store[f"a/c/new{changes}"] = store[f"top{changes}"] = b"z"
        store.erase_many([f"a/new{changes - 2}", f"a/c/new{changes - 2}", "b", "a/1"])

    with interrupted(memory, change):
        use(store)
    assert changes > 3
