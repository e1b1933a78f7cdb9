"""Chunks that several threads encode together, and chunks that several read: the same bytes as from one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk import Blosc

SHAPE, CHUNKS = (300, 200, 70), (150, 128, 64)  # chunks of 4.7 MiB, some reach over the edge


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = zchunk.get_threads()
    yield
    zchunk.set_threads(before)


def values(kind: str, dtype: str, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    rng = np.random.default_rng(3)
    raw = rng.integers(0, 256, (*shape, np.dtype(dtype).itemsize), "u1")
    if kind == "mixed":
        # Some blocks compress, others do not.
        raw[: shape[0] // 2, : shape[1] // 3] //= 128
    elif kind == "smooth":
        raw //= 250
    return raw.view(dtype)[..., 0]


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize(
    "compressor", [Blosc("lz4"), Blosc("zstd", 1, Blosc.BITSHUFFLE), Blosc("lz4", 9, 0)], ids=repr
)
@pytest.mark.parametrize("kind", ["mixed", "random", "smooth"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4"])
@pytest.mark.each_value
def test_bytes_do_not_depend_on_the_threads(
    dtype: str, order: str, kind: str, compressor: Any, tmp_path: Path
) -> None:
    data = values(kind, dtype)
    for n in (1, 2, 3):
        zchunk.set_threads(n)
        z = zchunk.create(
            SHAPE, chunks=CHUNKS, dtype=dtype, order=order, compressor=compressor, store=tmp_path / str(n)
        )
        z[...] = data
        assert files(tmp_path / str(n)) == files(tmp_path / "1")
        assert z[...].tobytes() == data.tobytes()


def test_what_is_assigned_may_have_any_strides(tmp_path: Path) -> None:
    zchunk.set_threads(2)
    data = values("mixed", "<f4", (300, 256, 140))
    for name, part in (("reversed", data[::-1]), ("every second", data[:, :, ::2]), ("swapped", data.T)):
        z = zchunk.create(part.shape, chunks=CHUNKS, dtype="<f4", store=tmp_path / name)
        z[...] = part
        assert z[...].tobytes() == part.tobytes()
    z[...] = 7  # one item, repeated by strides of 0
    assert (z[...] == 7).all()


@pytest.mark.parametrize("compressor", [None, Blosc("lz4"), Blosc("lz4", shuffle=0)], ids=repr)
@pytest.mark.parametrize("kind", ["mixed", "random"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.each_value
def test_parts_of_one_chunk_are_read_by_many(order: str, kind: str, compressor: Any, tmp_path: Path) -> None:
    data = values(kind, "<f8")
    z = zchunk.create(SHAPE, chunks=SHAPE, dtype="<f8", order=order, compressor=compressor, store=tmp_path)
    z[...] = data
    for n in (1, 2, 5):
        zchunk.set_threads(n)
        for selection in (
            np.s_[...], np.s_[3:290, 7:150, 1:69], np.s_[::7, ::3], np.s_[:, :, 5], np.s_[17], np.s_[:, 4],
            np.s_[::-1, 3:, ::2], np.s_[299, 199, 69], np.s_[:2, :1],
        ):  # fmt: skip
            assert z[selection].tobytes() == data[selection].tobytes()


def test_a_failure_ends_all_threads(tmp_path: Path) -> None:
    zchunk.set_threads(3)
    z = zchunk.create(SHAPE, chunks=CHUNKS, dtype="<f8", store=tmp_path / "a", dimension_separator="/")
    (tmp_path / "a" / "1").touch()
    with pytest.raises(OSError, match=r"1/0/"):
        z[...] = values("mixed", "<f8")
    assert not list((tmp_path / "a").rglob("*.partial"))


def test_threads_that_write_the_same_large_chunks(tmp_path: Path) -> None:
    """Whole chunks and parts of them at once: nothing is lost, every chunk is one writer's or the other's."""
    zchunk.set_threads(2)
    shape = (4, 512, 1024)
    z = zchunk.create(shape, chunks=(2, 512, 1024), dtype="<i8", store=tmp_path)
    z[...] = 0

    def whole() -> None:
        for n in range(1, 6):
            z[:] = np.full(shape, 2 * n)

    def part() -> None:
        for n in range(1, 20):
            z[1, 5, 5] = -n

    workers = [threading.Thread(target=work) for work in (whole, part, whole)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    got = z[...]
    for chunk in (got[:2], got[2:]):
        counts = np.unique(chunk[chunk >= 0])
        assert len(counts) == 1
        assert counts[0] % 2 == 0


def _overwrite(path: str) -> None:
    zchunk.set_threads(2)
    z = zchunk.open_array(path, mode="r+")
    n = 0
    while True:
        n += 1
        z[...] = np.full(z.shape, n)


def test_a_killed_writer_leaves_old_or_new(tmp_path: Path) -> None:
    zchunk.create((4, 512, 1024), chunks=(2, 512, 1024), dtype="<i8", store=tmp_path)[...] = 0
    context = multiprocessing.get_context("spawn")
    for delay in (0.0, 0.05, 0.11):
        process = context.Process(target=_overwrite, args=(os.fspath(tmp_path),))
        process.start()
        start = (tmp_path / "1.0.0").stat().st_mtime_ns
        while (tmp_path / "1.0.0").stat().st_mtime_ns == start:
            time.sleep(0.001)
        time.sleep(delay)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        got = zchunk.open_array(tmp_path, mode="r")[...]
        assert len(np.unique(got[:2])) == len(np.unique(got[2:])) == 1


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("blocksize", [0, 1, 128, 150, 254])
@pytest.mark.parametrize("size", [129, 200, 255])
@pytest.mark.each_value
def test_blocks_that_end_inside_items(size: int, blocksize: int, threads: int, tmp_path: Path) -> None:
    """What a user may ask for: blocks smaller than an item, or no multiple of it."""
    zchunk.set_threads(threads)
    rng = np.random.default_rng(size)
    for shape, chunks in (((20, 16), (10, 8)), ((300, 150), (300, 100))):
        data = rng.integers(97, 100, (*shape, size), "u1").view(f"S{size}")[..., 0]
        for shuffle in (0, 1, 2):
            compressor = Blosc("lz4", 5, shuffle, blocksize)
            store = tmp_path / f"{shape[0]}-{shuffle}"
            z = zchunk.create(shape, chunks=chunks, dtype=data.dtype, compressor=compressor, store=store)
            z[...] = data
            assert (z[...] == data).all()
            assert (z[3:7, ::5] == data[3:7, ::5]).all()


def test_a_chunk_that_is_replaced_while_it_is_read_is_old_or_new(tmp_path: Path) -> None:
    """Also where several threads read parts of it."""
    zchunk.set_threads(3)
    z = zchunk.create((512, 1024), chunks=(512, 1024), dtype="<i8", compressor=None, store=tmp_path)
    z[...] = 0
    done = threading.Event()

    def write() -> None:
        for n in range(1, 60):
            z[...] = np.full(z.shape, n)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not done.is_set():
            assert len(np.unique(z[...])) == 1
    finally:
        writer.join()


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "codec", [None, Blosc("lz4"), Blosc("zstd", blocksize=1 << 22), Blosc(shuffle=0)], ids=repr
)
def test_parts_of_foreign_frames(codec: Any, tmp_path: Path) -> None:
    """Frames whose blocks are other than ours: few, or with items across their ends."""
    zchunk.set_threads(4)
    data = values("mixed", "<f8")
    z = zchunk.create(SHAPE, chunks=SHAPE, dtype="<f8", compressor=Blosc("lz4"), store=tmp_path)
    z[...] = data
    foreign = codec or Blosc("lz4", shuffle=0)
    # Bytes instead of items: another type size, and other blocks.
    items = np.frombuffer(data.tobytes(), "u1") if codec is None else data
    (tmp_path / "0.0.0").write_bytes(foreign.encode(items))
    assert z[...].tobytes() == data.tobytes()
    assert z[5:250, ::3, 7].tobytes() == data[5:250, ::3, 7].tobytes()
