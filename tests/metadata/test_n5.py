"""The JSON of N5: what it may leave out, and what no array has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import zchunk
from tests.storage.test_n5 import MAKERS
from zchunk.errors import CodecError, MetadataError
from zchunk.n5 import n5_attrs_key
from zchunk.storage import N5Store, Store


@pytest.fixture(autouse=True)
def no_files_in_memory() -> Iterator[None]:
    yield
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture(params=MAKERS)
def store(request: Any, tmp_path: Path) -> Store:
    return MAKERS[request.param](tmp_path / "data")


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (ValueError, {"fill_value": 1}),
        (ValueError, {"fill_value": np.nan}),
        (ValueError, {"order": "F"}),
        (ValueError, {"filters": [numcodecs.Delta("f8")]}),
        (ValueError, {"dtype": str}),
        (TypeError, {"dtype": "S3"}),
        (TypeError, {"dtype": "U3"}),
        (TypeError, {"dtype": "c16"}),
        (TypeError, {"dtype": [("a", "i4"), ("b", "f8")], "fill_value": None}),
    ],
)
def test_what_n5_has_not(store: Store, error: type[Exception], arguments: dict[str, Any]) -> None:
    with pytest.raises(error, match="N5"):
        zchunk.create(**{"shape": (4, 4), "store": store} | arguments)
    assert list(store) == []


@pytest.mark.parametrize(
    ("compression", "config"),
    [
        ({"type": "gzip"}, {"id": "gzip", "level": -1}),
        ({"type": "bzip2"}, {"id": "bz2", "level": 9}),
        ({"type": "xz"}, {"id": "lzma", "format": 1, "check": -1, "preset": 6, "filters": None}),
        (
            {"type": "blosc", "cname": "zstd", "clevel": 1, "shuffle": 1, "nthreads": 4},
            {"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": 1, "blocksize": 0},
        ),
        # As zarr 2 writes it.
        ({"type": "zstd", "id": "zstd", "level": 3}, {"id": "zstd", "level": 3}),
    ],
)
def test_members_that_may_be_missing(
    tmp_path: Path, compression: dict[str, Any], config: dict[str, Any]
) -> None:
    attributes = {"dimensions": [4], "blockSize": [2], "dataType": "uint8", "compression": compression}
    (tmp_path / n5_attrs_key).write_text(json.dumps(attributes))
    codec = zchunk.open(N5Store(tmp_path)).compressor
    assert {name: codec.compressor_config[name] for name in config} == config


def attributes_with(**members: Any) -> bytes:
    found = {"dimensions": [4, 4], "blockSize": [2, 2], "dataType": "uint8", "compression": {"type": "raw"}}
    return json.dumps(
        {name: value for name, value in (found | members).items() if value is not ...}
    ).encode()


@pytest.mark.parametrize(
    ("members", "error", "match"),
    [
        ({"blockSize": ...}, MetadataError, "lacks blockSize"),
        ({"compression": ...}, MetadataError, "lacks compression"),
        ({"dataType": ...}, MetadataError, "lacks dataType"),
        ({"dataType": "object"}, MetadataError, "dataType 'object'"),
        ({"dataType": "i4,i4"}, MetadataError, "dataType"),
        ({"dataType": "datetime64[x]"}, MetadataError, "dataType"),
        ({"dataType": ["uint8"]}, MetadataError, "dataType"),
        ({"dimensions": 5}, MetadataError, "dimensions is 5"),
        ({"dimensions": [4, -1]}, MetadataError, "dimensions"),
        ({"dimensions": [4, 4, 4]}, MetadataError, "axes"),
        ({"blockSize": [2, 0]}, MetadataError, "blockSize"),
        ({"blockSize": [2, "2"]}, MetadataError, "blockSize"),
        ({"blockSize": [2**40, 2**40]}, MetadataError, "bytes"),
        ({"compression": None}, MetadataError, "compression"),
        ({"compression": {"type": 5}}, MetadataError, "compression"),
        ({"compression": {"type": "none such"}}, CodecError, "none such"),
        ({"compression": {"type": "gzip", "level": "x"}}, CodecError, "level"),
        ({"compression": {"type": "lz4", "blockSize": 65536}}, CodecError, "blockSize"),
        ({"compression": {"type": "pickle"}}, CodecError, "pickle"),
        (
            {"compression": {"type": "n5_wrapper", "dtype": "|u1", "chunk_shape": [2, 2]}},
            CodecError,
            "another",
        ),
    ],
)
def test_attributes_of_strangers(
    tmp_path: Path, members: dict[str, Any], error: type[Exception], match: str
) -> None:
    (tmp_path / n5_attrs_key).write_bytes(attributes_with(**members))
    # Codecs that are not trusted show when a chunk is read.
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "0").write_bytes(b"x")
    with pytest.raises(error, match=match):
        zchunk.open_array(N5Store(tmp_path), "r")[:]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_attributes_that_are_no_json(store: Store, raw: bytes) -> None:
    store[n5_attrs_key] = raw
    for operation in (
        lambda: zchunk.open(store, "r"),
        lambda: ".zarray" in store,
        lambda: store.__setitem__(".zattrs", b"{}"),
        lambda: store.list_dir(),
    ):
        with pytest.raises(MetadataError, match=n5_attrs_key):
            operation()
    # Listed by the name that N5 has for them, so that all other keys are found.
    assert list(store) == [n5_attrs_key]
    assert store[n5_attrs_key] == raw
    store.clear()
    assert list(store) == []
