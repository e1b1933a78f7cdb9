"""The locks of chunks and shards: which one a chunk has, and counts of values that are being replaced."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.runtime.test_metadata_locks import taken_by_a_thread
from tests.store_conformance import in_child
from zchunk.engine.chunk_and_shard_locks import Replacing, chunk_lock, chunk_locks, locks_to_change, state
from zchunk.errors import ChangeInProgressError


def test_a_chunk_has_one_lock_whatever_the_object(tmp_path: Path) -> None:
    zchunk.open_group(tmp_path).zeros("a", shape=4, chunks=1)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    below, above = zchunk.open(tmp_path / "a"), zchunk.open(tmp_path, path="a")
    linked = zchunk.open(tmp_path, path="link")
    with chunk_lock(below._current, "0"):
        for array in (above, linked):
            assert not taken_by_a_thread(chunk_lock(array._current, "0"), 0.05)
            assert not taken_by_a_thread(chunk_locks(array._current, ["0"]), 0.05)
            assert taken_by_a_thread(chunk_lock(array._current, "1"), 20)
    assert taken_by_a_thread(chunk_lock(above._current, "0"), 20)


def test_a_shard_has_one_lock_and_the_chunks_in_it_none(tmp_path: Path) -> None:
    z = zchunk.create((4, 4), chunks=(2, 2), shards=(4, 4), store=tmp_path)
    array, inner = z._current, z._current._inner
    with chunk_lock(array, "c/0/0"), chunk_lock(inner, "0.0"), chunk_locks(inner, ["0.0", "0.1"]):
        assert taken_by_a_thread(chunk_lock(inner, "0.0"), 20)
        assert not taken_by_a_thread(chunk_lock(array, "c/0/0"), 0.05)


@pytest.mark.parametrize("shards", [None, (4,)])
def test_a_writer_waits_for_the_lock_and_a_reader_does_not(tmp_path: Path, shards: object) -> None:
    z = zchunk.create(4, chunks=2, shards=shards, store=tmp_path, zarr_format=3, dtype="i4")
    name, done = "c/0", threading.Event()

    def write() -> None:
        z[:] = 5
        done.set()

    with chunk_lock(z._current, name):
        thread = threading.Thread(target=write)
        thread.start()
        assert not done.wait(0.05)
        assert z[:].tolist() == [0] * 4
    thread.join()
    assert z[:].tolist() == [5] * 4


def test_the_lock_of_a_synchronizer_comes_first() -> None:
    z = zchunk.create(4, chunks=2, synchronizer=zchunk.ThreadSynchronizer(), path="a")
    outer, lock = locks_to_change(z._current, "0", "a/0")
    with outer:
        assert not taken_by_a_thread(locks_to_change(z._current, "0", "a/0")[0], 0.05)
        with lock:
            pass
    without = zchunk.zeros(4)._current
    with locks_to_change(without, "0", "0")[0] as nothing:
        assert nothing is None


def test_a_change_inside_a_change_is_refused_by_name() -> None:
    z = zchunk.array(np.arange(4), chunks=2, path="a")
    with (
        chunk_lock(z._current, "0"),
        pytest.raises(ChangeInProgressError, match="chunk 'a/0' of array '/a' is being changed"),
        chunk_lock(z._current, "0"),
    ):
        pass


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
