"""Arrays of zarr-python as arrays of the engine: which are, where they are, and what they take for empty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

zarr = pytest.importorskip("zarr", minversion="3.1", reason="zchunk.zarr_pipeline needs zarr-python 3.1")
from zarr.core.buffer import cpu  # noqa: E402

from zchunk.wings.zarr_pipeline.arrays import Source, find_source, items_of  # noqa: E402


def source_of(**options: Any) -> Source | None:
    given: dict[str, Any] = {"shape": (6, 6), "chunks": (2, 3), "dtype": "f8"}
    z = zarr.create_array({}, **given | options)
    return find_source(z.metadata, z.store)


def test_which_arrays() -> None:
    for options in ({}, {"zarr_format": 2}, {"shards": (4, 6)}, {"dtype": "U3"}, {"dtype": "M8[ns]"}):
        assert source_of(**options) is not None, options
    point = [("x", "<i4"), ("y", [("z", "<f8"), ("name", "S3")])]
    for zarr_format in (2, 3):
        assert source_of(dtype=point, zarr_format=zarr_format) is not None
    # Text of any length, and structures in another byte order.
    for dtype in (str, [("x", ">i4")]):
        assert source_of(dtype=dtype, zarr_format=2) is None, dtype


@pytest.mark.parametrize(
    ("options", "key", "found"),
    [
        ({}, "a/c/0/12", ("a/c/", "a", (0, 12))),
        ({}, "c/0/12", ("c/", "", (0, 12))),
        ({}, "c/c/0/12", ("c/c/", "c", (0, 12))),
        ({}, "a/0/12", None),
        ({}, "c/0/012", None),
        ({"zarr_format": 2}, "1/2/3.4", ("1/2/", "1/2", (3, 4))),
        ({"zarr_format": 2}, "3.4", ("", "", (3, 4))),
        ({"zarr_format": 2}, "3.4.5", None),
        ({"shape": 3, "chunks": 2}, "c/c/5", ("c/c/", "c", (5,))),
        ({"shape": (), "chunks": ()}, "a/c", ("a/c", "a", ())),
        ({"shape": (), "chunks": (), "zarr_format": 2}, "0", ("0", "", ())),
        (
            {"chunk_key_encoding": {"name": "v2", "separator": "/"}, "zarr_format": 2},
            "7/8/3/4",
            ("7/8/", "7/8", (3, 4)),
        ),
        ({"chunk_key_encoding": {"name": "default", "separator": "."}}, "a/c.3.4", ("a/c.", "a", (3, 4))),
    ],
)
def test_keys(options: dict[str, Any], key: str, found: Any) -> None:
    source = source_of(**options)
    assert source is not None
    assert source.split(key) == found


def test_the_array_of_the_engine_is_kept() -> None:
    z = zarr.create_array({}, shape=4, chunks=2, dtype="i4")
    source = find_source(z.metadata, z.store)
    assert source is not None
    array = source.array("", z.config)
    assert array is not None
    assert source.array("", z.config) is array
    assert not array.write_empty_chunks
    other = source.array("a", z.config)
    assert other is not None
    assert other.path == "a"


def test_a_store_that_is_not_open_is_none() -> None:
    z = zarr.create_array({}, shape=4, chunks=2, dtype="i4")
    source = find_source(z.metadata, zarr.storage.MemoryStore())
    assert source is not None
    assert source.array("", z.config) is None


@pytest.mark.parametrize(
    ("dtype", "fill", "value", "differs"),
    [
        ("f8", np.nan, [1, 2, 3], False),
        ("f8", np.nan, [1, np.nan, 3], False),
        ("f8", np.nan, [1, -np.nan, np.nan], True),
        ("f8", 0.0, [-0.0, -np.nan], False),
        ("c8", 0, [complex(0, -0.0)], True),
        ("c8", 0, [0, complex(-0.0, 1)], False),
        ("c16", complex(1, 2), [1 + 2j, -0.0], False),
        ("i4", 0, [0, 1], False),
        ("f4", np.nan, [], False),
    ],
)
def test_what_zarr_takes_for_the_fill_value(dtype: str, fill: Any, value: list[Any], differs: bool) -> None:
    source = source_of(dtype=dtype, fill_value=fill)
    assert source is not None
    assert source.differs_from_fill(np.array(value, dtype)) is differs


def test_what_zarr_takes_for_the_fill_value_of_structures() -> None:
    exact = source_of(dtype=[("x", "<i4"), ("s", "S2")], zarr_format=2)
    assert exact is not None
    assert not exact.several_fills
    dtype = np.dtype([("x", "<f8"), ("n", "<i2")])
    source = source_of(dtype=dtype, zarr_format=2, fill_value=(0.0, 0))
    assert source is not None
    for value, differs in (([(0.0, 0), (1.0, 2)], False), ([(-0.0, 0)], True), ([(-0.0, 1)], False)):
        assert source.differs_from_fill(np.array(value, dtype)) is differs, value
    source = source_of(dtype=dtype, zarr_format=2, fill_value=np.array((np.nan, 0), dtype)[()])
    assert source is not None
    # To zarr-python no NaN in a structure is a fill value.
    assert source.differs_from_fill(np.array([(np.nan, 0)], dtype))


def test_items_of_buffers() -> None:
    items = np.arange(3)
    assert items_of(cpu.NDBuffer(items)) is items
    assert items_of(cpu.NDBuffer(np.ma.masked_array(items))) is None
    assert items_of(items) is None
