"""zarr 3's members of arrays."""

from __future__ import annotations

import json

import numpy as np
import pytest

import zchunk
from tests.variants import only_v2
from zchunk.errors import ArrayNotFoundError

pytestmark = only_v2("formats are named")


def test_sizes_of_chunks() -> None:
    z = zchunk.zeros((100, 80), chunks=(15, 20), shards=(30, 40), zarr_format=3)
    assert z.read_chunk_sizes == ((15, 15, 15, 15, 15, 15, 10), (20, 20, 20, 20))
    assert z.write_chunk_sizes == ((30, 30, 30, 10), (40, 40))
    assert (z.nchunks, z.nshards) == (28, 8)
    z = zchunk.zeros((0, 80), chunks=(30, 40))
    assert z.read_chunk_sizes == z.write_chunk_sizes == ((), (40, 40))
    assert zchunk.zeros(()).read_chunk_sizes == ()


@pytest.mark.parametrize("version", [2, 3])
def test_members(version: int) -> None:
    z = zchunk.array(np.arange(6), chunks=3, path="a", zarr_format=version)
    assert z.update_attributes({"x": 1}) is z
    assert z.attrs["x"] == 1
    assert repr(z.info_complete()) == repr(z.info)
    assert z.store_path.path == "a"
    assert z.metadata.node_type == "array"
    key = "a/zarr.json" if version == 3 else "a/.zarray"
    stored = json.loads(z.store[key])
    found = z.metadata.to_dict()
    for document in (found, stored):
        document.pop("attributes", None)
    assert found == stored


def test_open() -> None:
    z = zchunk.zeros(4, zarr_format=3)
    assert zchunk.Array.open(z.store) == z
    assert zchunk.Array.open(z.store, config={"order": "F"}).config.order == "F"
    with pytest.raises(ArrayNotFoundError):
        zchunk.Array.open({})


def test_with_config() -> None:
    z = zchunk.zeros((4, 4), zarr_format=3, write_empty_chunks=False)
    other = z.with_config({"order": "F"})
    assert (other.config.order, other.config.write_empty_chunks) == ("F", False)
    assert other[...].flags.f_contiguous
    assert z[...].flags.c_contiguous
    view = z.view(dtype="i8").with_config({"order": "F"})
    assert view.is_view
    assert view.dtype == "i8"


def test_coroutines_say_what_to_use() -> None:
    z = zchunk.zeros(3)
    with pytest.raises(AttributeError, match=r"threads, not coroutines: .* asyncio\.to_thread"):
        _ = z.async_array
    assert not hasattr(z, "async_array")


def test_resize_by_zarr_3s_name() -> None:
    z = zchunk.zeros((4, 6), chunks=2)
    z.resize(new_shape=(5, None))
    assert z.shape == (5, 6)
    with pytest.raises(TypeError, match="given twice"):
        z.resize((4, 4), new_shape=(4, 4))  # type: ignore[call-overload]


def test_bytes_are_a_property_and_a_method() -> None:
    z = zchunk.zeros(4)
    assert z.nbytes_stored == z.nbytes_stored() > 0
