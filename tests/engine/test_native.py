"""The native executor, where it takes another way than the kernels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.choice import rounds
from tests.faults import library
from tests.variants import Variant, only_v2
from zchunk._ext.engine.job import Job
from zchunk.codecs import Blosc, Zlib
from zchunk.errors import ChunkError
from zchunk.indexing.plans import plan_basic


@contextmanager
def several_threads(count: int) -> Iterator[None]:
    zchunk.set_threads(count)
    try:
        yield
    finally:
        zchunk.set_threads(None)


@pytest.mark.parametrize("dtype", ["<i4", ">i4"])
def test_chunks_of_which_there_is_not_even_a_folder(path: str, dtype: str, tmp_path: Path) -> None:
    """The fill value is read in its own byte order."""
    endian = {"name": "bytes", "configuration": {"endian": "big" if dtype[0] == ">" else "little"}}
    stores = {"store": {}, "path": "x", "chunk_store": tmp_path}
    z = zchunk.create(4, dtype=dtype, fill_value=1, zarr_format=3, serializer=endian, **stores)
    assert z[...].tolist() == [1] * 4
    z[1] = 7
    assert z[...].tolist() == [1, 7, 1, 1]


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.each_value
def test_no_failure_of_a_helper_goes_unnoticed(threads: int, variant: Variant, tmp_path: Path) -> None:
    """The calling thread is done long before the chunk that a helper finds corrupt at its end."""
    z = zchunk.zeros((2, 1 << 19), chunks=(1, 1 << 19), compressor=Zlib(1), store=tmp_path)
    z[1] = np.random.default_rng(0).integers(0, 1000, 1 << 19)
    path = tmp_path / variant.chunk(1, 0)
    raw = bytearray(path.read_bytes())
    # Before the index, if it is a shard.
    raw[-1 - 16 * 6 - 4 if variant.sharded else -1] ^= 1
    path.write_bytes(raw)
    zchunk.set_threads(threads)
    try:
        for _ in range(30):
            with pytest.raises(ChunkError, match=r"1[./]0"):
                z[...]
    finally:
        zchunk.set_threads(None)


@pytest.mark.usefixtures("path")
def test_errors_of_the_system_are_raised(variant: Variant, tmp_path: Path) -> None:
    """A chunk that cannot be read is not a missing one."""
    z = zchunk.ones((4, 8), chunks=2, store=tmp_path)
    z[...] = 2
    path = tmp_path / variant.chunk(0, 3)
    path.unlink()
    path.symlink_to(path.name)
    with pytest.raises(OSError, match=str(path.relative_to(tmp_path))) as caught:
        z[...]
    assert isinstance(caught.value, OSError)
    assert (z[:, :6] == 2).all()
    z[0, 0] = 5
    assert z[0, 0] == 5


@pytest.mark.parametrize("chunks", [1, 2, 3])
@pytest.mark.parametrize("compressor", [None, Blosc("lz4", 1)])
@pytest.mark.usefixtures("variant")
def test_large_files_of_which_none_may_be_missing(chunks: int, compressor: Any, tmp_path: Path) -> None:
    """They are read as values: a chunk is one task, not several as where the job opens the files."""
    items = np.random.default_rng(0).integers(1, 250, chunks << 18)
    zchunk.array(items, chunks=1 << 18, compressor=compressor, store=tmp_path)
    out = np.zeros_like(items)
    with several_threads(2):
        strict: Any = zchunk.open_array(tmp_path, mode="r", missing="error")
        strict.get_basic_selection(..., out=out)
    np.testing.assert_array_equal(out, items)


@only_v2("of a chunk that is a file of its own")
def test_large_chunks_where_a_folder_stands_in_place_of_a_file(tmp_path: Path) -> None:
    """The store writes them, from bytes that are encoded a chunk at a time."""
    items = np.random.default_rng(0).integers(1, 250, 2 << 20)
    z = zchunk.zeros(2 << 20, chunks=1 << 20, dtype="i8", compressor=Blosc("lz4", 1), store=tmp_path)
    (tmp_path / "1").mkdir()
    with several_threads(2):
        z[:] = items
    np.testing.assert_array_equal(z[:], items)


def test_no_batch_of_a_job_on_files(tmp_path: Path) -> None:
    z = zchunk.zeros(4, chunks=2, store=tmp_path)
    array = z._chunked
    assert array.layout is not None
    job = Job(array.layout, plan_basic(slice(None), array.metadata.grid), np.zeros(4), False, 0, 1)
    with pytest.raises(ValueError, match="for a job whose chunks are files"):
        job.give(0, [None, None])


@pytest.mark.usefixtures("variant")
def test_descriptors_are_closed(tmp_path: Path) -> None:
    z = zchunk.zeros((400, 400), chunks=10, store=tmp_path)
    z[...] = 1
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(rounds(50)):
        z[...]
        z[0] = 2
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.one_in(3)
@pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
@pytest.mark.each_value
@pytest.mark.usefixtures("variant")
def test_results_that_no_cache_holds(dtype: str, tmp_path: Path) -> None:
    """They are written past the caches where they are aligned."""
    items = (np.arange((66 << 20) // np.dtype(dtype).itemsize) % 100_003).astype(dtype).reshape(-1, 512)
    z = zchunk.array(items, chunks=(3000, 333), store=tmp_path)
    memory = np.empty(items.nbytes + 16, "u1")
    for offset in (0, 1, 8):
        out = memory[offset : offset + items.nbytes].view(dtype).reshape(items.shape)
        z.get_basic_selection(out=out)
        assert np.array_equal(out, items)
    assert np.array_equal(z[::-1], items[::-1])


@only_v2("chunks in shards are no files")
@pytest.mark.parametrize("codec", [Blosc(), Blosc("zstd", 1, 2), Blosc("lz4", 5, 0)], ids=repr)
@pytest.mark.usefixtures("variant")
def test_chunks_after_one_that_does_not_compress(codec: Blosc, tmp_path: Path) -> None:
    """They are gathered before they are encoded, and become the same bytes."""
    random = np.random.default_rng(0)
    data = np.zeros((64, 6 * 64), "f4")
    for k in (0, 1, 3):
        data[:, 64 * k : 64 * (k + 1)] = random.integers(0, 2**32, (64, 64), "u4").view("f4")
    data[:, 4 * 64 :] = random.normal(size=(64, 2 * 64)).round(1)
    zchunk.set_threads(1)
    try:
        array = zchunk.array(data, chunks=64, compressor=codec, store=str(tmp_path / "a"))
    finally:
        zchunk.set_threads(None)
    for k in range(6):
        stored = (tmp_path / "a" / f"0.{k}").read_bytes()
        assert stored == codec.encode(np.ascontiguousarray(data[:, 64 * k : 64 * (k + 1)]))
    assert np.array_equal(array[...].view("u4"), data.view("u4"))


SYNCED = """
import numpy as np
import zchunk

store = zchunk.DirectoryStore(folder / sys.argv[1], durability=sys.argv[1])
kind = {"shards": (4, 4)} if sys.argv[2] == "shards" else {}
z = zchunk.create((8, 8), chunks=(2, 2), dtype="i4", store=store, path="a", zarr_format=3, **kind)
library.record(folder, log)
z[...] = np.arange(64).reshape(8, 8)
"""


@pytest.mark.parametrize("kind", ["chunks", "shards"])
def test_files_are_synced_one_by_one_and_folders_together(kind: str, tmp_path: Path) -> None:
    reason = library.reason_not_to()
    if reason is not None:
        pytest.skip(reason)

    def events(durability: str) -> list[str]:
        noted = library.run(tmp_path, SYNCED, durability, kind)
        return [
            "rename" if what == "rename" else "file" if path.endswith(".partial") else path
            for what, path, *_ in noted
            if what in ("sync begins", "rename")
        ]

    assert set(events("atomic")) == {"rename"}
    found = events("fsync")
    count = 4 if kind == "shards" else 16
    assert sorted(found[: 2 * count]) == ["file"] * count + ["rename"] * count
    # No file has its name before it is synced.
    for i in range(2 * count):
        assert found[:i].count("rename") <= found[:i].count("file")
    # The lowest first; each of them once.
    rows = [f"fsync/a/c/{i}" for i in range(2 if kind == "shards" else 4)]
    assert sorted(found[2 * count : -2]) == rows
    assert found[-2:] == ["fsync/a/c", "fsync/a"]
