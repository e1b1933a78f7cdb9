"""What a process leaves in a store that it was killed in while it erased a node, and what comes after."""

from __future__ import annotations

from typing import Any

import pytest

import zchunk
from tests.store_conformance import in_child
from zchunk.errors import ForeignFilesError
from zchunk.spec.keys import ERASING_KEY
from zchunk.storage import traces
from zchunk.storage.base import Store


class Bucket(Store):
    """A store of keys and values that anybody may use, and that fails at a key while it erases."""

    shared = True
    verbatim = True

    def __init__(self) -> None:
        self.values_: dict[str, bytes] = {}
        self.fails = ""

    def __getitem__(self, key: str) -> bytes:
        return self.values_[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.values_[key] = bytes(value)

    def __delitem__(self, key: str) -> None:
        if key == self.fails:
            raise OSError("killed")
        del self.values_[key]

    def __iter__(self) -> Any:
        return iter(list(self.values_))

    def __len__(self) -> int:
        return len(self.values_)


@pytest.fixture
def half_erased() -> Bucket:
    store = Bucket()
    zchunk.open_group(store).create("a", shape=4, chunks=2)[:] = 1
    store["notes.txt"] = b"of the group, as all in it"
    store.fails = "a/1"
    with pytest.raises(OSError, match="killed"):
        store.erase_prefix()
    store.fails = ""
    store["thesis.txt"] = b"mine"
    zchunk.array([1, 2], store=store, path="b/c")
    return store


def test_what_is_not_being_erased_is_foreign(half_erased: Bucket) -> None:
    del half_erased[".zgroup"], half_erased["b/.zgroup"]
    assert {ERASING_KEY, "a/1"} <= {*half_erased}
    assert half_erased.foreign() == ["b/c/.zarray", "b/c/0", "thesis.txt"]
    before = dict(half_erased)
    with pytest.raises(ForeignFilesError, match=r"thesis\.txt"):
        zchunk.open_group(half_erased, "w")
    assert dict(half_erased) == before


def test_the_next_node_finishes_what_was_begun_and_erases_nothing_else(half_erased: Bucket) -> None:
    del half_erased[".zgroup"], half_erased["b/.zgroup"]
    zchunk.open_group(half_erased, "a")
    assert sorted(half_erased) == [".zgroup", "b/c/.zarray", "b/c/0", "thesis.txt"]


def test_traces_of_versions_before_say_nothing(half_erased: Bucket) -> None:
    del half_erased[".zgroup"], half_erased["b/.zgroup"]
    half_erased[ERASING_KEY] = b""
    assert half_erased.foreign() == []
    before = set(half_erased)
    half_erased.finish_erasing()
    assert set(half_erased) == before


def test_what_a_process_erases_that_lives_is_left_to_it() -> None:
    trace = traces.trace_of(["a/0", ERASING_KEY])
    assert traces.to_erase(ERASING_KEY, trace) == ["a/0", ERASING_KEY]
    assert in_child(lambda: traces.to_erase(ERASING_KEY, trace)) == []
    assert traces.to_erase(ERASING_KEY, None) == []
    assert traces.to_erase(ERASING_KEY, in_child(lambda: traces.trace_of(["x"]))) == ["x"]


def test_names_are_relative_to_the_node() -> None:
    trace = traces.trace_of(["n/0", "n/é", "n/erasing.partial"])
    found = ["n/0", "n/é", "n/erasing.partial", "n/x/y"]
    assert traces.names_left(found, "n/erasing.partial", trace) == ["x/y"]
