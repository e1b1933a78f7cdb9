"""Jobs driven by hand: what they hold, and what changes while they are at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk import Blosc
from zchunk._ext.codecs import dispatch
from zchunk._ext.engine.job import Job
from zchunk._ext.engine.shard_job import ShardJob
from zchunk._ext.io.files import write_file
from zchunk.engine.array import ChunkedArray
from zchunk.indexing.plans import plan_basic
from zchunk.storage import MemoryStore


def engine_array(shape: Any, chunks: Any, dtype: str, **kwargs: Any) -> ChunkedArray:
    return zchunk.create(shape, chunks=chunks, dtype=dtype, **kwargs)._current


def job_of(array: ChunkedArray, out: np.ndarray[Any, Any], cls: type[Job] = Job) -> Any:
    assert array.layout is not None
    return cls(array.layout, plan_basic((), array.metadata.grid), out, False, 0, 2)


@pytest.mark.parametrize("blocks", [(2, 64), (64, 2)])
def test_every_item_is_read_though_a_header_changes_in_place(blocks: tuple[int, int], tmp_path: Path) -> None:
    """Tasks share the parts of a chunk; a writer in place replaces the frame by one with other blocks."""
    items = np.arange(4 << 20, dtype="i4")
    first, then = (Blosc("zstd", 1, blocksize=items.nbytes // n).encode(items) for n in blocks)
    array = engine_array(items.size, items.size, "i4", compressor=Blosc(), store=tmp_path)
    (tmp_path / "0").write_bytes(first)
    out = np.full(items.size, -1, "i4")
    job = job_of(array, out)
    assert job.tasks > 2
    # One task at a time.
    assert job.run(1e-9)
    with open(tmp_path / "0", "r+b") as file:
        file.write(then)
        file.truncate()
    while job.run(1e-9):
        pass
    assert job.failure() is None
    np.testing.assert_array_equal(out, items)


def test_values_cannot_be_moved_while_a_job_reads_them() -> None:
    array = engine_array(4, 2, "i4", compressor=None, store=MemoryStore())
    out = np.zeros(4, "i4")
    job = job_of(array, out)
    values = [bytearray(np.array([1, 2], "i4")), None]
    job.give(0, values)
    with pytest.raises(BufferError):
        values[0].extend(b"more")  # type: ignore[union-attr]
    while job.run():
        pass
    assert out.tolist() == [1, 2, 0, 0]
    job.give(1, [None])
    values[0].extend(b"more")  # type: ignore[union-attr]
    job.give(0, values)
    del job
    values[0].extend(b"more")  # type: ignore[union-attr]


def test_a_value_that_is_no_buffer_leaves_nothing_held() -> None:
    array = engine_array(4, 2, "i4", compressor=None, store=MemoryStore())
    job = job_of(array, np.zeros(4, "i4"))
    value = bytearray(8)
    with pytest.raises(TypeError):
        job.give(0, [value, 7])
    del job
    value.extend(b"more")


HALF, EMPTY = 2**63, 2**64 - 1


@pytest.mark.parametrize(
    "entry",
    [(0, HALF), (HALF, 0), (HALF, HALF), (8, EMPTY - 7), (1, 16), (17, 0), (EMPTY - 1, 2), (0, EMPTY)],
    ids=str,
)
def test_an_index_that_points_out_of_a_shard_in_memory_is_refused(entry: tuple[int, int]) -> None:
    array = engine_array(4, 2, "i4", compressor=None, store=MemoryStore())
    job = job_of(array, np.zeros(4, "i4"), ShardJob)
    with pytest.raises(ValueError, match="is outside 0 to 16"):
        job.attach((2,), np.array([[0, 8], entry], np.uint64), -1, bytes(16), 0)


@pytest.mark.parametrize("entry", [(0, HALF), (HALF, 8), (2**62, 2**62), (HALF - 1, HALF - 1)], ids=str)
def test_an_index_that_points_out_of_any_file_is_an_error(entry: tuple[int, int], tmp_path: Path) -> None:
    array = engine_array(4, 2, "i4", compressor=None, store=MemoryStore())
    job = job_of(array, np.zeros(4, "i4"), ShardJob)
    (tmp_path / "shard").write_bytes(bytes(16))
    with open(tmp_path / "shard", "rb") as file:
        job.attach((2,), np.array([[0, 8], entry], np.uint64), file.fileno(), None, 0)
        while job.run():
            pass
    assert job.failure() is not None


def test_an_index_that_is_not_aligned_is_refused() -> None:
    array = engine_array(4, 2, "i4", compressor=None, store=MemoryStore())
    job = job_of(array, np.zeros(4, "i4"), ShardJob)
    entries = np.frombuffer(bytes(33), np.uint64, 4, offset=1).reshape(2, 2)
    assert not entries.flags.aligned
    with pytest.raises(ValueError, match="aligned"):
        job.attach((2,), entries, -1, bytes(16), 0)


def test_a_shard_whose_index_has_its_checksum_in_front(tmp_path: Path) -> None:
    """Where the index lies in memory then, its numbers are not aligned."""
    index = [{"name": "bytes", "configuration": {"endian": "little"}}]
    index += [{"name": "numcodecs.crc32", "configuration": {"location": "start"}}]
    serializer = {
        "name": "sharding_indexed",
        "configuration": {"chunk_shape": [2], "codecs": index[:1], "index_codecs": index},
    }
    z = zchunk.create(8, chunks=4, dtype="i4", store=tmp_path, zarr_format=3, serializer=serializer)
    z[...] = np.arange(8)
    z[3] = 7
    assert z[...].tolist() == [0, 1, 2, 7, 4, 5, 6, 7]


@pytest.mark.parametrize("kind", ["raw", "blosc", "zstd", "lz4", "zlib", "gzip"])
def test_the_limit_of_what_is_stored_grows_with_the_chunk(kind: str) -> None:
    spec = (dispatch.KINDS[kind], 1, 0, 1, 0, 1, 0)
    sizes = [0, 1, 2**20, 2**40, 2**61, 2**62, 2**63 - 2**57, 2**63 - 1]
    limits = [dispatch.limit(spec, n) for n in sizes]
    assert all(limit >= n for n, limit in zip(sizes, limits, strict=True) if kind != "lz4" or n < 2**31)
    assert limits[:4] == sorted(limits[:4]) or kind == "lz4"


def test_a_file_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="path of the file is empty"):
        write_file(b"", b"x", 1)
