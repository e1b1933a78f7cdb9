"""The lock of a node's metadata: one, whichever store and key a thread asks by."""

from __future__ import annotations

import threading
from pathlib import Path

import zchunk
from zchunk.runtime.metadata_locks import metadata_lock


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
