"""Shards that one thread writes without the GIL: the same bytes as by batches, and what goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk._ext.engine.shard_job import ShardJob
from zchunk.engine.array import ChunkedArray
from zchunk.engine.shard import Shard
from zchunk.indexing.plans import plan_basic

ITEMS = np.arange(42 * 500, dtype="i4").reshape(42, 500)


def stored(folder: Path) -> bytes:
    return (folder / "c/0/0").read_bytes()


def shard_of(array: ChunkedArray, blank: bool) -> tuple[Shard, ChunkedArray]:
    shard = Shard(array, (0, 0), blank)
    return shard, array.inner(shard, shard.name, shard.stamp)


def job_of(inner: ChunkedArray, items: Any, selection: Any = ()) -> ShardJob:
    assert inner.layout is not None
    return ShardJob(inner.layout, plan_basic(selection, inner.metadata.grid), items, True, 0, 1)


def made(folder: Path, codecs: Any) -> zchunk.Array:
    return zchunk.create_array(
        folder, shape=(42, 500), dtype="i4", chunks=(3, 500), shards=(42, 500), compressors=codecs
    )


@pytest.mark.parametrize("codecs", [None, "lz4", [{"name": "crc32c"}]], ids=str)
@pytest.mark.parametrize("room", [1, 3, 100])
@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_the_bytes_are_those_of_batches(tmp_path: Path, codecs: Any, room: int, seconds: float) -> None:
    want = made(tmp_path / "want", codecs)
    z = made(tmp_path / "found", codecs)
    # The second time the shard is merged with what it has, and chunks go.
    parts = [((), ITEMS), (np.s_[1:29, 3:], ITEMS[1:29, 3:] + 1), (np.s_[:7], np.zeros((7, 500), "i4"))]
    for selection, items in parts:
        zchunk.set_threads(3)
        want[selection] = items
        zchunk.set_threads(None)
        shard, inner = shard_of(z._current, blank=False)
        with shard:
            job = job_of(inner, np.ascontiguousarray(items), selection)
            shard.begin(job, by_store=False)
            assert job.in_file
            slot, first = np.empty(room * job.bound, np.uint8), 0
            while first < job.total:
                left = job.pour(slot, first, seconds)
                assert left > first
                first = left
            assert job.failure() is None
            assert job.tasks == 0
            shard.finish(job)
    assert stored(tmp_path / "found") == stored(tmp_path / "want")
    np.testing.assert_array_equal(z[...], want[...])


def test_what_is_refused(tmp_path: Path) -> None:
    shard, inner = shard_of(made(tmp_path, None)._current, blank=True)
    with shard:
        job = job_of(inner, ITEMS)
        with pytest.raises(ValueError, match="no file was begun"):
            job.pour(bytearray(10), 0, 1)
        shard.begin(job, by_store=False)
        with pytest.raises(ValueError, match="10 bytes for chunks of 6000"):
            job.pour(bytearray(10), 0, 1)
        with pytest.raises(ValueError, match="chunk 14 of 14"):
            job.pour(np.empty(job.bound, np.uint8), 14, 1)
        job.make_slots(np.empty(job.bound, np.uint8), 0, 1)
        job.run()
        job.detach()
        with pytest.raises(ValueError, match="not flushed"):
            job.pour(np.empty(job.bound, np.uint8), 1, 1)
        job.flush()
        assert job.pour(np.empty(job.bound, np.uint8), 1, 9) == 14
        job.abort()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["zarr.json"]


def test_a_chunk_that_cannot_be_merged(tmp_path: Path) -> None:
    z = made(tmp_path, [{"name": "crc32c"}])
    z[...] = ITEMS
    raw = bytearray(stored(tmp_path))
    raw[6004 * 2 + 5] ^= 1
    (tmp_path / "c/0/0").write_bytes(raw)
    zchunk.set_threads(1)
    try:
        with pytest.raises(zchunk.errors.ChunkError, match="checksum"):
            z[1:, 1:] = ITEMS[1:, 1:]
    finally:
        zchunk.set_threads(None)
    assert stored(tmp_path) == raw
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["0", "zarr.json"]
