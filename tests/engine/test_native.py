"""The native executor, where it takes another way than the kernels."""

from __future__ import annotations

from pathlib import Path

import pytest

import zchunk


@pytest.mark.parametrize("dtype", ["<i4", ">i4"])
def test_chunks_of_which_there_is_not_even_a_folder(path: str, dtype: str, tmp_path: Path) -> None:
    """The fill value is read in its own byte order."""
    endian = {"name": "bytes", "configuration": {"endian": "big" if dtype[0] == ">" else "little"}}
    stores = {"store": {}, "path": "x", "chunk_store": tmp_path}
    z = zchunk.create(4, dtype=dtype, fill_value=1, zarr_format=3, serializer=endian, **stores)
    assert z[...].tolist() == [1] * 4
    z[1] = 7
    assert z[...].tolist() == [1, 7, 1, 1]
