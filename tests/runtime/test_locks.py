"""Counts of values that are being replaced, and the locks of metadata."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import zchunk
from tests.store_conformance import in_child
from zchunk.runtime.locks import Replacing, metadata_lock, state


def test_the_state_changes_with_every_replacement() -> None:
    before = state("a value")
    assert before is not None
    assert state("a value") == before
    with Replacing("a value"):
        assert state("a value") is None
        with Replacing("a value"):
            pass
        # The other one goes on.
        assert state("a value") is None
    assert state("a value") not in (None, before)


def test_a_replacement_that_fails_has_ended() -> None:
    before = state("b")
    with pytest.raises(KeyError), Replacing("b"):
        raise KeyError
    assert state("b") not in (None, before)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_the_parent_replaces_has_ended_in_a_child() -> None:
    with Replacing("c"):
        assert in_child(lambda: state("c") is not None)


def taken_by_a_thread(lock: object, seconds: float) -> bool:
    """Whether another thread gets a lock in so many seconds."""
    came = threading.Event()

    def work() -> None:
        with lock:  # type: ignore[attr-defined]
            came.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return came.wait(seconds)


def test_metadata_of_a_node_have_one_lock(tmp_path: Path) -> None:
    store, again = zchunk.DirectoryStore(tmp_path), zchunk.DirectoryStore(tmp_path)
    with metadata_lock(store, "a/.zattrs"):
        assert not taken_by_a_thread(metadata_lock(again, "a/.zarray"), 0.1)
        # The thread that has it may take it again to read.
        with metadata_lock(again, "a/zarr.json", changes=False):
            pass
    assert taken_by_a_thread(metadata_lock(again, "a/.zarray"), 20)
