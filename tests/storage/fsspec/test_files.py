"""Files by fsspec: names, errors, many at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import zchunk
from tests.storage.fsspec.test_store import Bucket, Plain
from tests.store_conformance import in_child
from zchunk.storage import FSStore


@pytest.fixture(autouse=True)
def no_files_in_memory() -> Iterator[None]:
    yield
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def bucket(**kwargs: Any) -> FSStore:
    Bucket.objects = {}
    return FSStore("bucket/data", fs=Bucket(), **kwargs)


def test_many_at_a_time() -> None:
    store = bucket()
    store.set_many({f"{i}": b"v" for i in range(50)})
    assert len(Bucket.objects) == 50
    assert len(store.get_many([str(i) for i in range(60)])) == 50
    assert store.fs.most > 10
    store.fs.most = 0
    z = zchunk.array(np.arange(300), chunks=10, store=store, path="a")
    assert (z[...] == np.arange(300)).all()
    assert store.fs.most > 5


def test_keys_are_no_patterns() -> None:
    store = bucket()
    keys = ["a/*", "a/x", "b[1]/k", "b1/k", "q?", "qq"]
    store.set_many({key: key.encode() for key in keys})
    assert store.get_many(keys) == {key: key.encode() for key in keys}
    assert store.get_many(["*", "a?x"]) == {}
    store.erase_many(["a/*", "q?"])
    store.erase_prefix("b[1]")
    assert sorted(store) == ["a/x", "b1/k", "qq"]


def test_only_what_means_missing_is_missing() -> None:
    store = bucket()
    store["k"] = b"v"
    for read in (lambda: store["broken"], lambda: store.get_many(["k", "broken", "x"])):
        with pytest.raises(OSError, match="network"):
            read()
    z = zchunk.zeros(10, chunks=5, store=store, path="z")
    z[:] = 1
    del Bucket.objects["bucket/data/z/1"]
    assert z[...].tolist() == [1] * 5 + [0] * 5
    lenient = bucket(exceptions=[KeyError, OSError])
    assert "broken" not in lenient.get_many(["broken"])
    with pytest.raises(KeyError):
        lenient["broken"]


def test_web_addresses_are_quoted() -> None:
    class Web(Bucket):
        protocol = "https"

    store = FSStore("https://host/data", fs=Web())
    Bucket.objects = {"host/data/a%252e%252e%3Fb%23c": b"v"}
    assert store["a%2e%2e?b#c"] == b"v"


@pytest.mark.parametrize("cache", ["simplecache", "filecache", "blockcache"])
def test_web_addresses_are_quoted_through_caches(cache: str, tmp_path: Path) -> None:
    class Web(Bucket):
        protocol = "https"

    fs = fsspec.filesystem(cache, fs=Web(), cache_storage=str(tmp_path))
    assert FSStore("host/data", fs=fs)._files._file("a?b#c%") == "host/data/a%3Fb%23c%25"  # type: ignore[attr-defined]
    plain = fsspec.filesystem(cache, fs=Plain(), cache_storage=str(tmp_path))
    assert FSStore("/data", fs=plain)._files._file("a?b#c%") == "/data/a?b#c%"  # type: ignore[attr-defined]


def test_fork_with_an_event_loop() -> None:
    store = bucket()
    store["k"] = b"v"
    assert in_child(lambda: store.get_many(["k"])) == {"k": b"v"}
    assert store["k"] == b"v"
