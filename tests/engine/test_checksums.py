"""Chunks with a checksum, which is summed while they are read from a file or written to one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from zchunk.errors import ChunkError

CODECS: dict[str, Any] = {
    "raw": None,
    "blosc": zchunk.Blosc(),
    "plain": zchunk.Blosc(shuffle=0),
    "incompressible": zchunk.Blosc(clevel=0),
    "zstd": zchunk.Zstd(),
}
# More than a file that is read at once; and more than is written at once.
SHAPE, CHUNKS = (300, 260), (200, 130)
_random = np.random.default_rng(0)
VALUES = _random.integers(0, 1000, SHAPE) + _random.integers(0, 2, SHAPE) * 10**12


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str, bool], zchunk.Array]:
    folder = tmp_path_factory.mktemp("checked")
    made = {}
    for zarr_format in (2, 3):
        for name, codec in CODECS.items():
            for shards in (None, (200, 260)) if zarr_format == 3 else (None,):
                store = folder / f"{zarr_format}{name}{shards}"
                z = zchunk.create(
                    SHAPE, CHUNKS, "i8", store=store, zarr_format=zarr_format, compressors=codec,
                    checksum=True, shards=shards,
                )  # fmt: skip
                z[...] = VALUES
                made[zarr_format, name, shards is not None] = z
    return made


def slices(length: int) -> st.SearchStrategy[slice]:
    ends = st.integers(-length, length)
    return st.builds(slice, ends, ends, st.sampled_from([1, 1, 2, 7, -1, -3]))


@given(st.data())
def test_every_selection(arrays: Any, data: st.DataObject) -> None:
    z = arrays[data.draw(st.sampled_from(sorted(arrays)))]
    box = data.draw(st.tuples(slices(SHAPE[0]), slices(SHAPE[1])))
    np.testing.assert_array_equal(z[box], VALUES[box])
    rows = data.draw(st.lists(st.integers(0, SHAPE[0] - 1), max_size=5))
    np.testing.assert_array_equal(z.oindex[rows, box[1]], VALUES[rows][:, box[1]])


def test_whole_and_by_columns(arrays: Any) -> None:
    for z in arrays.values():
        np.testing.assert_array_equal(z[...], VALUES)
        turned = np.zeros(SHAPE[::-1], "i8").T
        z.get_basic_selection(out=turned)
        np.testing.assert_array_equal(turned, VALUES)


@given(st.data())
def test_a_flipped_bit_is_an_error_wherever_the_selection_is(arrays: Any, data: st.DataObject) -> None:
    z = arrays[data.draw(st.sampled_from(sorted(arrays)))]
    shards = z.shards is not None
    key = "c/0/0" if z.zarr_format == 3 else "0.0"
    path = Path(z.store.path, key)
    value = path.read_bytes()
    start, size = 0, len(value)
    if shards:
        # The first chunk of it.
        start, size = np.frombuffer(value[-36:-20], "<u8").tolist()
    bit = data.draw(st.integers(8 * start, 8 * (start + size) - 1))
    damaged = bytearray(value)
    damaged[bit // 8] ^= 1 << bit % 8
    row, column = data.draw(st.tuples(st.integers(0, 199), st.integers(0, 129)))
    for box in ((slice(row, row + 1), slice(column, column + 1)), (slice(0, 200), slice(0, 130)), ...):
        path.write_bytes(bytes(damaged))
        try:
            with pytest.raises(ChunkError, match="checksum"):
                z[box]
        finally:
            path.write_bytes(value)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_bytes_are_those_of_the_codecs(arrays: Any, zarr_format: int, name: str) -> None:
    z = arrays[zarr_format, name, False]
    chunk = np.ascontiguousarray(VALUES[:200, :130])
    value = bytes(z.store["c/0/0" if zarr_format == 3 else "0.0"])
    codecs = (*(z.filters or ()), *z.compressors) if zarr_format == 2 else z.compressors
    data: Any = value
    for codec in reversed(codecs):
        data = codec.decode(data)
    assert bytes(memoryview(data).cast("B")) == chunk.tobytes()
    # As the other executor writes them: nothing but the sum is put to the bytes.
    plain: Any = chunk
    for codec in codecs:
        plain = codec.encode(plain)
    assert value == bytes(plain)


@pytest.mark.parametrize("compressors", [None, zchunk.Blosc(), zchunk.Blosc(clevel=0)])
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("durability", ["atomic", "none", "fsync"])
@pytest.mark.each_value
def test_large_chunks_that_threads_write_together(
    compressors: Any, zarr_format: int, durability: Any, tmp_path: Path
) -> None:
    values = np.arange(3 << 20, dtype="i4").reshape(2, -1) // 5
    zchunk.set_threads(4)
    try:
        store = zchunk.DirectoryStore(tmp_path, durability=durability)
        z = zchunk.create(
            values.shape, (1, values.shape[1]), "i4", store=store, compressors=compressors,
            zarr_format=zarr_format, checksum=True,
        )  # fmt: skip
        for _ in range(2):
            z[...] = values
            np.testing.assert_array_equal(z[...], values)
            np.testing.assert_array_equal(z[:, 5:100_000:3], values[:, 5:100_000:3])
        assert zchunk.verify(store)
    finally:
        zchunk.set_threads(None)


def test_a_chunk_that_is_cut_off_or_too_long(arrays: Any) -> None:
    z = arrays[3, "raw", False]
    path = Path(z.store.path, "c/0/0")
    value = path.read_bytes()
    for damaged in (b"", value[:3], value[:4], value[:-1], value[:100_000], value + b"1", value[:-4]):
        path.write_bytes(damaged)
        for box in (..., (0, 0), (slice(0, 200), slice(0, 130))):
            with pytest.raises(ChunkError, match=r"checksum|truncated"):
                z[box]
    path.write_bytes(value + bytes(10**6))
    with pytest.raises(ChunkError, match="more than"):
        z[0, 0]
    path.write_bytes(value)
    np.testing.assert_array_equal(z[...], VALUES)
