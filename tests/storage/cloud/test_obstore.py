"""The calls of obstore, on a store in memory, and that no process uses it after a fork."""

from __future__ import annotations

import pytest

from tests.store_conformance import in_child
from zchunk.errors import StoreError

obstore = pytest.importorskip("obstore")

from zchunk.storage.cloud import obstore as calls  # noqa: E402


@pytest.fixture
def store() -> object:
    found = obstore.store.MemoryStore()
    for name in ("a/b", "a/c/d", "a/c/"):
        if not name.endswith("/"):
            obstore.put(found, name, name.encode())
    return found


def test_values(store: object) -> None:
    assert bytes(calls.get(store, "a/b")) == b"a/b"
    assert bytes(calls.get(store, "a/b", 3)) == b"a/b"
    with pytest.raises(ValueError, match="3 bytes, and 2 are possible"):
        calls.get(store, "a/b", 2)
    with pytest.raises(FileNotFoundError):
        calls.get(store, "nothing")
    value, version = calls.get_with_version(store, "a/b")
    assert value == b"a/b"
    obstore.put(store, "a/b", b"new")
    assert calls.get_with_version(store, "a/b")[1] != version


def test_parts(store: object) -> None:
    piece = calls.get_piece(store, "a/c/d", {"range": (2, 4)})
    assert (piece[0], piece[1]) == (b"c/", 5)


def test_lists(store: object) -> None:
    assert sorted(calls.list_all(store, None)) == ["a/b", "a/c/d"]
    assert calls.list_all(store, "a/c") == ["a/c/d"]
    assert calls.any_below(store, "a")
    assert not calls.any_below(store, "b")
    assert calls.any_key_below(store, "a/c")
    assert calls.any_key_below(store, "")
    assert not calls.any_key_below(store, "a/b")


def test_errors_are_brief() -> None:
    xml = "<?xml version='1'?><Error><Code>NoSuchBucket</Code><Message>none</Message></Error>"
    error = ValueError(f"Generic S3 error: {xml}\n\nDebug source: much")
    assert calls.brief(error) == "Generic S3 error: NoSuchBucket: none"
    assert calls.brief(ValueError("short")) == "short"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_of_a_process_that_has_used_it_is_refused() -> None:
    calls.enter()

    def child() -> str:
        with pytest.raises(StoreError, match="forked"):
            calls.enter()
        return "refused"

    assert in_child(child) == "refused"
    calls.enter()
