"""What arrays say of themselves: shapes, numbers of chunks, sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.variants import Variant
from zchunk.codecs import Blosc

pytestmark = pytest.mark.usefixtures("path", "variant")


def test_properties(variant: Variant, tmp_path: Path) -> None:
    z = zchunk.create(
        (10, 7), chunks=(4, 3), dtype="<i2", fill_value=5, order="F", store=tmp_path, path="a/b"
    )
    assert (z.shape, z.dtype, z.chunks, z.ndim) == ((10, 7), np.dtype("<i2"), (4, 3), 2)
    assert (z.size, z.itemsize, z.nbytes, z.order) == (70, 2, 140, "F")
    assert (z.cdata_shape, z.nchunks, z.nchunks_initialized) == ((3, 3), 9, 0)
    compressor = z.compressor.get_config()
    # Which format 3 says.
    compressor.pop("typesize", None)
    assert compressor == Blosc("lz4", 5, Blosc.SHUFFLE).get_config()
    assert (z.filters, z.fill_value, type(z.fill_value)) == (None, 5, np.int16)
    assert (z.path, z.name, z.basename, z.read_only) == ("a/b", "/a/b", "b", False)
    assert z.store == zchunk.DirectoryStore(tmp_path)
    assert z.chunk_store is z.store
    assert (z.synchronizer, z.write_empty_chunks) == (None, True)
    assert z.dimension_separator == ("." if variant.kind == "v2" else "/")
    meta = (tmp_path / "a/b" / variant.array_key).stat().st_size
    assert z.nbytes_stored == meta
    z[0, 0] = 1
    assert z.nchunks_initialized == variant.initialized(z, (0, 0))
    assert z.nbytes_stored == meta + (tmp_path / "a/b" / variant.chunk(0, 0)).stat().st_size
    z.attrs["x"] = 1
    files = [p for p in (tmp_path / "a/b").rglob("*") if p.is_file()]
    assert z.nbytes_stored == sum(p.stat().st_size for p in files)


def test_values_of_no_size() -> None:
    store: dict[str, Any] = {}
    z = zchunk.ones(4, store=store, path="a/b")
    assert z._key_prefix == "a/b/"
    assert zchunk.zeros(3)._key_prefix == ""
    store[z._key_prefix + "x"] = [1, 2]
    assert z.nbytes_stored == -1
    assert "No. bytes stored" not in repr(z.info)


def test_properties_of_the_smallest() -> None:
    z = zchunk.zeros(())
    assert (z.shape, z.chunks, z.cdata_shape, z.nchunks) == ((), (), (1,), 1)
    assert (z.name, z.basename, z.path) == (None, None, "")
    z[...] = 3
    assert (z[()], type(z[()]), z[...].shape, type(z[...])) == (3, np.float64, (), np.ndarray)
    with pytest.raises(TypeError, match="0-d"):
        len(z)
    with pytest.raises(TypeError, match="0-d"):
        iter(z).__next__()
    assert zchunk.zeros((0, 3)).nchunks == 0
    assert zchunk.zeros((0, 3))[:].shape == (0, 3)


def test_nbytes_stored_counts_nested_chunks(variant: Variant, tmp_path: Path) -> None:
    z = zchunk.ones((4, 4), chunks=2, dimension_separator="/", store=tmp_path)
    z[...] = 2
    assert z.nbytes_stored == sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    assert z.nchunks_initialized == variant.all_initialized(z)
