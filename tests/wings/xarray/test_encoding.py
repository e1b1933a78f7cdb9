"""Encodings of variables: text, fill values, attributes."""

from __future__ import annotations

import numpy as np
import pytest

import zchunk
from tests.wings.xarray.test_backend import FORMATS, pytestmark, xr
from tests.wings.xarray.test_writing import opened

__all__ = ["pytestmark"]
pytest.importorskip("zarr")


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 1")
@FORMATS
@pytest.mark.parametrize("chunks", [None, 2])
def test_text_of_numpy_2(version: int, chunks: int | None) -> None:
    words = np.array(["a", "", "größer"], dtype=np.dtypes.StringDType())
    ds = xr.Dataset({"words": ("x", words)})
    found = (ds if chunks is None else ds.chunk(chunks)).zchunk.to_zarr(zarr_format=version)
    assert opened(found.group).words.values.tolist() == words.tolist()


def test_attribute_fill_values_of_others() -> None:
    root = zchunk.group(zarr_format=3)
    for name, dtype, value in (("a", "f4", -1.0), ("b", "i2", 3), ("c", "f8", "AAAAAAAA+H8=")):
        root.create(name, shape=3, dtype=dtype, dimension_names=["x"], attributes={"_FillValue": value})
    ds = xr.open_dataset(root, mask_and_scale=False)
    assert ds.a.attrs["_FillValue"] == -1
    assert ds.b.attrs["_FillValue"] == 3
    assert np.isnan(ds.c.attrs["_FillValue"])
    for bad in ("AA", {}, [], "not base 64", None):
        root["c"].attrs["_FillValue"] = bad
        with pytest.raises(zchunk.MetadataError, match="'/c'"):
            xr.open_dataset(zchunk.open_group(root.store))


def test_attributes_without_json() -> None:
    for ds in (xr.Dataset(attrs={"bad": object()}), xr.Dataset({"a": ("x", [1], {"bad": object()})})):
        with pytest.raises(TypeError, match="Invalid attribute"):
            ds.zchunk.to_zarr()


@FORMATS
@pytest.mark.parametrize("given", ["parameter", "variable"])
def test_a_checksum(version: int, given: str) -> None:
    ds = xr.Dataset({"a": ("x", [1.5, 2.5, 3.5]), "b": ("x", [1, 2, 3])})
    encoding = None
    if given == "parameter":
        encoding = {"a": {"checksum": True, "chunks": (2,)}}
    else:
        ds.a.encoding["checksum"] = True
    group = ds.zchunk.to_zarr(encoding=encoding, zarr_format=version).group

    def last(found: zchunk.Group, name: str) -> str:
        return str(found[name].compressors[-1].codec_id)

    assert last(group, "a") == {2: "crc32", 3: "crc32c"}[version]
    assert last(group, "b") == "blosc"
    # What is written again keeps it, and it is no attribute.
    again = opened(group).load().zchunk.to_zarr(zarr_format=version).group
    assert last(again, "a") == last(group, "a")
    assert "checksum" not in again["a"].attrs
    assert ds.a.encoding.get("checksum") == (True if given == "variable" else None)
    with pytest.raises(TypeError, match="checksum is True or False"):
        ds.zchunk.to_zarr(encoding={"a": {"checksum": "crc32c"}}, zarr_format=version)
