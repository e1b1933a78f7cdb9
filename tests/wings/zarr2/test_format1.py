"""Arrays of Zarr format 1, made into format 2."""

from __future__ import annotations

import json
from typing import Any

import numcodecs
import numpy as np
import pytest

import zchunk
from zchunk.errors import MetadataError
from zchunk.storage import MemoryStore, migrate_1to2
from zchunk.wings.zarr2 import format1

DATA = np.arange(25, dtype="<i4")


def old_array(codec: Any, compression: Any, options: Any) -> dict[str, bytes]:
    """The keys of a format 1 array, as zarr 1 wrote them."""
    meta = {
        "chunks": [10], "compression": compression, "compression_opts": options, "dtype": "<i4",
        "fill_value": 7, "order": "C", "shape": [25], "zarr_format": 1,
    }  # fmt: skip
    padded = np.concatenate([DATA, np.full(5, 7, "<i4")]).reshape(3, 10)
    raw = [row.tobytes() if codec is None else bytes(codec.encode(row)) for row in padded]
    chunks = {f"{i}": chunk for i, chunk in enumerate(raw)}
    return {"meta": json.dumps(meta).encode(), "attrs": b'{"a": 1}'} | chunks


@pytest.mark.parametrize("kind", [dict, MemoryStore])
@pytest.mark.parametrize(
    ("codec", "compression", "options"),
    [
        (None, None, None),
        (None, "none", None),
        (numcodecs.Zlib(1), "zlib", 1),
        (numcodecs.BZ2(9), "bz2", 9),
        (numcodecs.Zlib(), "zlib", None),
        (numcodecs.Blosc("lz4", 5, 1), "blosc", {"cname": "lz4", "clevel": 5, "shuffle": 1}),
    ],
    ids=str,
)
def test_migration(kind: Any, codec: Any, compression: Any, options: Any) -> None:
    store = kind()
    store.update(old_array(codec, compression, options))
    migrate_1to2(store)
    assert sorted(store) == [".zarray", ".zattrs", "0", "1", "2"]
    z = zchunk.open_array(store, mode="r")
    assert (z[...] == DATA).all()
    assert (z.fill_value, z.filters, dict(z.attrs)) == (7, None, {"a": 1})


@pytest.mark.parametrize("writes", range(5))
def test_migration_that_was_interrupted(writes: int) -> None:
    class Failing(dict):
        left = writes

        def __setitem__(self, key: str, value: bytes) -> None:
            self.change()
            super().__setitem__(key, value)

        def __delitem__(self, key: str) -> None:
            self.change()
            super().__delitem__(key)

        def change(self) -> None:
            if not self.left:
                raise OSError("no more")
            self.left -= 1

    store = Failing(old_array(None, None, None))
    if writes < 4:
        with pytest.raises(OSError, match="no more"):
            migrate_1to2(store)
        store.left = 10
    migrate_1to2(store)
    assert sorted(store) == [".zarray", ".zattrs", "0", "1", "2"]
    assert dict(zchunk.open_array(store, mode="r").attrs) == {"a": 1}


def test_metadata_both_ways() -> None:
    meta = {
        "zarr_format": 1, "shape": (4, 5), "chunks": (2, 5), "dtype": np.dtype([("a", "<i2"), ("b", "|S3")]),
        "compression": "blosc", "compression_opts": {"clevel": 1}, "fill_value": None, "order": "F",
    }  # fmt: skip
    assert format1.decode_metadata(format1.encode_metadata(meta)) == meta


@pytest.mark.parametrize(
    "change", [{"zarr_format": 2}, {"dtype": "x9"}, {"shape": 5}, {"chunks": ["a"]}, {"order": ...}], ids=str
)
def test_metadata_that_are_none(change: dict[str, Any]) -> None:
    store = old_array(None, None, None)
    obj = {k: v for k, v in (json.loads(store["meta"]) | change).items() if v is not ...}
    store["meta"] = json.dumps(obj).encode()
    before = dict(store)
    with pytest.raises(MetadataError):
        migrate_1to2(store)
    assert store == before
    with pytest.raises(KeyError):
        migrate_1to2({})
