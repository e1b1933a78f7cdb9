"""A group as xarray's engine sees it: names of axes, consolidated metadata, codecs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import zchunk

xr = pytest.importorskip("xarray")
dask = pytest.importorskip("dask")

pytestmark = pytest.mark.filterwarnings(
    # zarr's, about format 3.
    "ignore:.*does not have a Zarr V3 specification",
    "ignore:Consolidated metadata is currently not part",
)


FORMATS = pytest.mark.parametrize("version", [2, 3], ids=["v2", "v3"])


def test_consolidated_metadata_are_used_if_they_are_there(tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    root = zchunk.open_group(path, "w")
    root.create("a", shape=3, attributes={"_ARRAY_DIMENSIONS": ["x"]})
    with pytest.raises(KeyError):
        xr.open_dataset(path, engine="zchunk", consolidated=True)
    assert list(xr.open_dataset(path, engine="zchunk")) == ["a"]
    zchunk.consolidate_metadata(path)
    root.create("b", shape=3, attributes={"_ARRAY_DIMENSIONS": ["x"]})
    assert list(xr.open_dataset(path, engine="zchunk")) == ["a"]
    assert list(xr.open_dataset(path, engine="zchunk", consolidated=False)) == ["a", "b"]


@FORMATS
def test_axes_without_names_are_an_error_that_says_so(version: int) -> None:
    root = zchunk.group(zarr_format=version)
    root.create("a", shape=(3, 4))
    with pytest.raises(KeyError, match="no names for its 2 axes"):
        xr.open_dataset(root, engine="zchunk")
    assert not xr.open_dataset(root, engine="zchunk", drop_variables="a").variables


@FORMATS
@pytest.mark.parametrize("names", [3, "xy", ["x"], ["x", None], {"x": 1}, [], None])
def test_axes_with_impossible_names(version: int, names: Any) -> None:
    root = zchunk.group(zarr_format=version)
    root.create("a", shape=(3, 4), attributes={"_ARRAY_DIMENSIONS": names})
    if version == 3:
        document = json.loads(root.store["a/zarr.json"])
        root.store["a/zarr.json"] = json.dumps(document | {"dimension_names": names}).encode()
    with pytest.raises((KeyError, zchunk.MetadataError), match="a"):
        xr.open_dataset(root, engine="zchunk")


def test_nczarr_names_of_axes() -> None:
    store = zchunk.MemoryStore()
    zchunk.group(store, zarr_format=2).create("a", shape=3, dtype="i4")
    raw = store["a/.zarray"].decode().rstrip().removesuffix("}")
    store["a/.zarray"] = (raw + ', "_NCZARR_ARRAY": {"dimrefs": ["/x"]}}').encode()
    store["a/.zattrs"] = b'{"_NCProperties": "x", "units": "m"}'
    ds = xr.open_dataset(store, engine="zchunk")
    assert ds.a.dims == ("x",)
    assert ds.a.attrs == {"units": "m"}
