"""What chunks that are not stored mean: nothing without a fill value, else the empty value of the type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

import zchunk

EMPTY: dict[Any, Any] = {str: "", bytes: b"", "array:i4": np.empty(0, "i4")}


def _zeros(dtype: Any) -> Any:
    if dtype is not object and dtype not in EMPTY:
        return np.zeros(4, dtype)
    items = np.empty(4, object)
    items[:] = [EMPTY.get(dtype)] * 4
    return items


@pytest.mark.parametrize(
    "dtype", ["f8", ">i4", "?", "M8[s]", "c8", "U3", "S3", "V3", "i4,f8", *EMPTY, object]
)
@pytest.mark.parametrize("native", [True, False])
def test_without_a_fill_value_nothing_is_dropped(
    dtype: Any, native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Any = tmp_path if native else {}
    codec: Any = {"object_codec": numcodecs.JSON()} if dtype is object else {}
    z = zchunk.create(4, 2, dtype, fill_value=None, write_empty_chunks=False, store=store, **codec)
    zeros = _zeros(dtype)
    z[:] = zeros
    assert z.nchunks_initialized == 2
    # Chunk by chunk, and item by item.
    for step in (2, 1):
        z[:] = zeros
        for i in range(0, 4, step):
            z[i : i + step] = zeros[i : i + step]
        assert z.nchunks_initialized == 2
    z.append(zeros)
    assert z.nchunks_initialized == 4


def test_copies_without_a_fill_value() -> None:
    dest = zchunk.group()
    source = zchunk.create(4, 2, "i4", fill_value=None, store={})
    source[:] = 0
    for name, how in {"a": {"fill_value": None}, "b": {"chunks": 4}}.items():
        zchunk.copy(source, dest, name, write_empty_chunks=False, **how)
        assert dest[name].nchunks_initialized == dest[name].nchunks
    again = zchunk.rechunk(source, 1, write_empty_chunks=False)
    assert again.nchunks_initialized == 4


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("dtype", EMPTY)
def test_objects_that_were_never_written_are_empty(dtype: Any, zarr_format: Any) -> None:
    if (dtype, zarr_format) == ("array:i4", 3):
        pytest.skip("format 3 has no arrays of arrays")
    z = zchunk.zeros(3, chunks=3, dtype=dtype, zarr_format=zarr_format)
    z[1] = {str: "x", bytes: b"x"}.get(dtype, np.arange(2))
    for item in (z[0], *z[:][[0, 2]]):
        assert type(item) is type(EMPTY[dtype])
        np.testing.assert_array_equal(item, EMPTY[dtype])
    alone = zchunk.zeros((), dtype=dtype, zarr_format=zarr_format)
    np.testing.assert_array_equal(alone[()], EMPTY[dtype])
    assert alone[...].shape == ()
    assert type(alone[...].item()) is type(EMPTY[dtype])
    # As zarr 2 writes it.
    assert zarr_format == 3 or z.fill_value == 0
