"""Chunks by size and by names of axes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from zchunk.spec.chunk_sizes import chunks_of_size, parse_bytes

TEXTS = {
    "100": 100,
    "100 MB": 100_000_000,
    "100M": 100_000_000,
    "1e6": None,
    "5kB": 5000,
    "5.4 kB": 5400,
    "1KiB": 1024,
    "1.5GiB": 1610612736,
    ".5 kib": 512,
    "3Ti": 3 * 2**40,
    "12 b": 12,
    "0": None,
    "MB": None,
    "-1MB": None,
    "5 foos": None,
    "": None,
}


@pytest.mark.parametrize(("text", "size"), TEXTS.items())
def test_sizes(text: str, size: int | None) -> None:
    if size is None:
        with pytest.raises(ValueError, match="not 'auto' or a size such as '100MB'"):
            parse_bytes(text)
        with pytest.raises(ValueError, match="not 'auto' or a size such as '100MB'"):
            zchunk.zeros(10, chunks=text)
    else:
        assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["100 MB", "5.4 kB", "1KiB", "3Ti", "7"])
def test_sizes_are_those_of_dask(text: str) -> None:
    utils = pytest.importorskip("dask.utils")
    assert parse_bytes(text) == utils.parse_bytes(text)


@given(st.lists(st.integers(0, 300), max_size=4).map(tuple), st.integers(1, 16), st.integers(1, 100_000))
def test_chunks_are_as_large_as_they_may_be(shape: tuple[int, ...], itemsize: int, nbytes: int) -> None:
    chunk = chunks_of_size(nbytes, shape, itemsize)
    assert len(chunk) == len(shape)
    assert all(1 <= c <= max(n, 1) for c, n in zip(chunk, shape, strict=True))
    size = math.prod(chunk) * itemsize
    assert size <= max(nbytes, itemsize)
    # One chunk less along any axis would be too much.
    for axis, (c, n) in enumerate(zip(chunk, shape, strict=True)):
        if c < n:
            longer = math.ceil(n / (math.ceil(n / c) - 1))
            assert math.prod((*chunk[:axis], longer, *chunk[axis + 1 :])) * itemsize > nbytes


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_target_size(zarr_format: Any) -> None:
    z = zchunk.zeros((10_000, 10_000), chunks="100MB", dtype="f8", zarr_format=zarr_format)
    assert z.chunks == (3334, 3334)
    assert zchunk.zeros(10, chunks="1GB", zarr_format=zarr_format).chunks == (10,)
    assert zchunk.zeros((), chunks="1GB", zarr_format=zarr_format).chunks == ()


def test_a_target_size_in_shards() -> None:
    z = zchunk.zeros((4000, 4000), chunks="1MB", shards=(1000, 2000), dtype="f4", zarr_format=3)
    assert z.shards == (1000, 2000)
    assert z.chunks == (500, 500)
    z = zchunk.zeros((4000, 4000), chunks=(100, 100), shards="1MB", dtype="f4", zarr_format=3)
    assert z.shards == (400, 400)


def test_lengths_by_name() -> None:
    names = ("time", "y", "x")
    z = zchunk.zeros(
        (10, 64, 64), chunks={"x": 16, "time": 1}, shards={"time": 5, "x": 32}, dimension_names=names,
        zarr_format=3,
    )  # fmt: skip
    assert (z.chunks, z.shards) == ((1, 64, 16), (5, 64, 32))
    z = zchunk.zeros((10, 64), chunks={"x": 16}, attributes={"_ARRAY_DIMENSIONS": ["time", "x"]})
    assert z.chunks == (10, 16)


def test_names_that_no_axis_has() -> None:
    with pytest.raises(ValueError, match=r"^chunks by name, \{'x': 3\}, need dimension_names$"):
        zchunk.zeros((10, 64), chunks={"x": 3})
    with pytest.raises(ValueError, match=r"^chunks has 'z', but the axes are called \['time', 'x'\]$"):
        zchunk.zeros((10, 64), chunks={"z": 3}, dimension_names=["time", "x"], zarr_format=3)
