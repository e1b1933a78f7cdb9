"""Hierarchies opened by their consolidated metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.variants import NO_ARRAYS, Variant, only_v2
from zchunk.errors import (
    ConsolidatedMetadataNotFoundError,
    MetadataError,
    PathNotFoundError,
    ReadOnlyError,
)

pytestmark = pytest.mark.usefixtures("variant")


ZMETADATA = b"""{
    "metadata": {
        ".zattrs": {
            "title": "x"
        },
        ".zgroup": {
            "zarr_format": 2
        },
        "s/.zgroup": {
            "zarr_format": 2
        },
        "s/a/.zarray": {
            "chunks": [
                2
            ],
            "compressor": null,
            "dtype": "<f4",
            "fill_value": "NaN",
            "filters": null,
            "order": "C",
            "shape": [
                3
            ],
            "zarr_format": 2
        },
        "s/a/.zattrs": {
            "n": NaN,
            "units": "m",
            "v": [
                1,
                2.5,
                null
            ]
        }
    },
    "zarr_consolidated_format": 1
}"""


def fill(store: Any) -> None:
    g = zchunk.group(store)
    g.attrs["title"] = "x"
    a = g.create("s/a", shape=(3,), chunks=2, dtype="<f4", fill_value=np.nan, compressor=None)
    a.attrs.update(units="m", v=[1, 2.5, None])
    if a.zarr_format == 2:
        # Format 3 refuses it.
        a.attrs["n"] = float("nan")


@only_v2("the bytes that zarr 2 writes")
def test_consolidated_is_zarr_2s() -> None:
    store: dict[str, bytes] = {}
    fill(store)
    g = zchunk.consolidate_metadata(store)
    assert store[".zmetadata"] == ZMETADATA
    assert isinstance(g, zchunk.Group)


@pytest.mark.parametrize("kind", ["dict", "folder", "zip"])
def test_open_consolidated(kind: str, tmp_path: Path) -> None:
    store = {"dict": {}, "folder": tmp_path / "a", "zip": zchunk.ZipStore(tmp_path / "a.zip")}[kind]
    fill(store)
    zchunk.consolidate_metadata(store)
    g = zchunk.open_consolidated(store)
    assert (list(g), list(g["s"]), g.attrs.asdict(), g["s/a"].attrs["units"]) == (
        ["s"],
        ["a"],
        {"title": "x"},
        "m",
    )
    a = g["s/a"]
    assert np.isnan(a[...]).all()
    a[1:] = 5
    assert zchunk.open(store)["s/a"][...].tolist()[1:] == [5, 5]
    assert a.nchunks_initialized == 2
    for call in (
        lambda: g.attrs.put({}), lambda: a.attrs.update(x=1), lambda: a.resize(9), lambda: a.append([1]),
        lambda: g.create_group("new"), lambda: g.create("new", shape=1), lambda: g.__delitem__("s"),
    ):  # fmt: skip
        with pytest.raises(ReadOnlyError):
            call()
    assert zchunk.open(store)["s/a"][...].tolist()[1:] == [5, 5]
    assert zchunk.open_consolidated(store, mode="r", path="s/a").read_only
    with pytest.raises(ReadOnlyError):
        zchunk.open_consolidated(store, mode="r", path="s/a")[0] = 1


def test_consolidated_with_an_empty_chunk_store(variant: Variant) -> None:
    store: dict[str, bytes] = {}
    chunks: dict[str, bytes] = {}
    fill(store)
    zchunk.consolidate_metadata(store)
    g = zchunk.open_consolidated(store, chunk_store=chunks)
    g["s/a"][...] = 1
    keys = {f"s/a/{key}" for key in variant.keys(2)}
    assert set(chunks) == keys
    assert not keys & set(store)


@NO_ARRAYS
def test_consolidated_that_is_not_there_or_nonsense() -> None:
    with pytest.raises(ConsolidatedMetadataNotFoundError, match="zmetadata") as caught:
        zchunk.open_consolidated({})
    assert isinstance(caught.value, KeyError)
    empty: dict[str, bytes] = {}
    with pytest.raises(PathNotFoundError):
        zchunk.consolidate_metadata(empty)
    assert empty == {}
    for raw in (b"", b"[]", b"{}", b'{"zarr_consolidated_format": 2, "metadata": {}}', b"\xff"):
        with pytest.raises(MetadataError, match="zmetadata"):
            zchunk.open_consolidated({".zmetadata": raw})
    for mode in ("a", "w", "w-"):
        with pytest.raises(ValueError, match="mode"):
            zchunk.open_consolidated({}, mode=mode)  # type: ignore[arg-type]
