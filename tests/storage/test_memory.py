"""The store in memory."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import pytest

from tests.store_conformance import StoreConformance
from zchunk.storage import (
    MemoryStore,
    Store,
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
