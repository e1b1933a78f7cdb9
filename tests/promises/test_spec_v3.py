"""What the specification of format 3 gives as examples, through the API and as bytes in a store."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from typing import Any

import google_crc32c
import numcodecs
import numpy as np
import pytest

import zchunk
from zchunk.errors import MetadataError

pytestmark = pytest.mark.usefixtures("path")


def pair(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


LITTLE, BIG, CRC = pair("bytes", endian="little"), pair("bytes", endian="big"), {"name": "crc32c"}


def array(shape: Any, chunks: Any, codecs: list[Any], **more: Any) -> tuple[zchunk.Array, dict[str, bytes]]:
    """An array by its metadata, and the store that it is in."""
    obj = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": "int32",
        "chunk_grid": pair("regular", chunk_shape=chunks),
        "chunk_key_encoding": pair("default", separator="/"),
        "codecs": codecs,
        "fill_value": 0,
    }
    store = {"zarr.json": json.dumps(obj | more).encode()}
    return zchunk.open_array(store, mode="r+"), store


def test_group() -> None:
    raw = b'{"zarr_format": 3, "node_type": "group", "attributes": {"spam": "ham", "eggs": 42}}'
    group = zchunk.open_group({"zarr.json": raw}, mode="r")
    assert group.attrs.asdict() == {"spam": "ham", "eggs": 42}
    assert list(group) == []


@pytest.mark.parametrize(
    ("encoding", "key"),
    [
        ("default", "c/1/23/45"),
        (pair("default", separator="/"), "c/1/23/45"),
        (pair("default", separator="."), "c.1.23.45"),
        ("v2", "1.23.45"),
        (pair("v2", separator="/"), "1/23/45"),
    ],
)
def test_chunk_keys(encoding: Any, key: str) -> None:
    z, store = array([10, 100, 100], [1, 1, 1], [LITTLE], chunk_key_encoding=encoding)
    z[1, 23, 45] = 7
    assert store.keys() == {"zarr.json", key}


@pytest.mark.parametrize(
    ("encoding", "key"), [("default", "c"), (pair("default", separator="."), "c"), ("v2", "0")]
)
def test_chunk_key_without_axes(encoding: Any, key: str) -> None:
    z, store = array([], [], [LITTLE], chunk_key_encoding=encoding)
    z[...] = 7
    assert store[key] == b"\7\0\0\0"


@pytest.mark.parametrize(("codec", "raw"), [(LITTLE, b"\1\2\3\4"), (BIG, b"\4\3\2\1")], ids=["little", "big"])
def test_bytes(codec: Any, raw: bytes) -> None:
    z, store = array([1], [1], [codec])
    z[0] = 0x04030201
    assert store["c/0"] == raw
    assert zchunk.open_array(store)[0] == 0x04030201


def test_bytes_lacks_endian_where_there_is_one() -> None:
    array([1], [1], ["bytes"], data_type="uint8")
    with pytest.raises(ValueError, match="lacks endian"):
        array([1], [1], ["bytes"])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_transpose(order: tuple[int, ...]) -> None:
    """B[B_pos] = A[A_pos] with B_pos[i] = A_pos[order[i]]."""
    z, store = array([2, 3, 4], [2, 3, 4], [pair("transpose", order=order), LITTLE])
    a = np.arange(24, dtype="<i4").reshape(2, 3, 4)
    z[...] = a
    b = np.frombuffer(store["c/0/0/0"], "<i4").reshape([a.shape[axis] for axis in order])
    for position in np.ndindex(a.shape):
        assert b[tuple(position[axis] for axis in order)] == a[position]
    assert (zchunk.open_array(store)[1:, ::2, 3] == a[1:, ::2, 3]).all()


ITEMS = np.arange(600, dtype="<i4")
BLOSC = {"cname": "lz4", "clevel": 1, "shuffle": "shuffle", "typesize": 4, "blocksize": 0}


@pytest.mark.parametrize(
    ("codecs", "decode"),
    [
        ([pair("gzip", level=1)], gzip.decompress),
        ([pair("gzip", level=1)], lambda raw: zlib.decompress(raw, 31)),
        ([pair("zstd", level=1, checksum=False)], numcodecs.Zstd().decode),
        ([pair("zstd", level=1, checksum=True)], numcodecs.Zstd().decode),
        ([pair("blosc", **BLOSC)], numcodecs.Blosc().decode),
        ([CRC], lambda raw: raw[:-4]),
    ],
    ids=["gzip", "zlib", "zstd", "zstd-checksum", "blosc", "crc32c"],
)
def test_bytes_to_bytes(codecs: list[Any], decode: Any) -> None:
    z, store = array([600], [600], [LITTLE, *codecs])
    z[...] = ITEMS
    raw = store["c/0"]
    assert bytes(decode(raw)) == ITEMS.tobytes()
    if codecs == [CRC]:
        # Castagnoli's, little-endian, after the bytes.
        assert raw[-4:] == google_crc32c.value(ITEMS.tobytes()).to_bytes(4, "little")
    if codecs[0]["name"] == "zstd":
        # The frame header descriptor's flag for a checksum.
        assert raw[:4] == b"\x28\xb5\x2f\xfd"
        assert bool(raw[4] & 4) is codecs[0]["configuration"]["checksum"]
    assert (zchunk.open_array(store)[...] == ITEMS).all()


# The example of the sharding codec, with its shard of 64 by 64.
SHARDS = pair(
    "sharding_indexed",
    chunk_shape=[32, 32],
    codecs=[LITTLE, pair("gzip", level=1)],
    index_codecs=[LITTLE, CRC],
    index_location="end",
)


def test_sharding() -> None:
    z, store = array([64, 64], [64, 64], [SHARDS])
    assert (z.chunks, z.shards) == ((32, 32), (64, 64))
    a = np.arange(4096, dtype="<i4").reshape(64, 64)
    z[...] = a
    shard = store["c/0/0"]
    index = shard[-68:]
    assert index[-4:] == google_crc32c.value(index[:-4]).to_bytes(4, "little")
    entries = np.frombuffer(index[:-4], "<u8").reshape(2, 2, 2)
    for i, j in np.ndindex(2, 2):
        offset, nbytes = entries[i, j].tolist()
        chunk = np.frombuffer(gzip.decompress(shard[offset : offset + nbytes]), "<i4").reshape(32, 32)
        assert (chunk == a[32 * i : 32 * (i + 1), 32 * j : 32 * (j + 1)]).all()


def test_sharding_of_an_array_that_ends_within() -> None:
    """The index has all inner chunks, those beyond the array too: they are empty, 2**64 - 1 twice."""
    z, store = array([40, 20], [64, 64], [SHARDS])
    z[...] = 1
    entries = np.frombuffer(store["c/0/0"][-68:-4], "<u8").reshape(2, 2, 2)
    assert (entries[:, 1] == 2**64 - 1).all()
    assert (entries[:, 0] != 2**64 - 1).all()


def test_number_of_inner_chunks() -> None:
    """Of [32, 2] in [64, 64]: 64, of them 2 along the first axis."""
    z, _ = array(
        [64, 64], [64, 64], [pair("sharding_indexed", **SHARDS["configuration"] | {"chunk_shape": [32, 2]})]
    )
    assert z.metadata.shards.inner.grid.nchunks == 64
    assert z.metadata.shards is not None
    assert z.metadata.shards.index_array.shape == (2, 32, 2)


def test_a_shard_that_something_is_appended_to() -> None:
    """What the specification calls append-only: the old chunk and the old index become gaps."""
    z, store = array([64, 64], [64, 64], [SHARDS])
    z[...] = 1
    old = store["c/0/0"]
    entries = np.frombuffer(old[-68:-4], "<u8").copy()
    chunk = gzip.compress(np.full(1024, 9, "<i4").tobytes())
    entries[:2] = len(old), len(chunk)
    index = entries.tobytes()
    store["c/0/0"] = old + chunk + index + google_crc32c.value(index).to_bytes(4, "little")
    z = zchunk.open_array(store)
    assert (z[:32, :32] == 9).all()
    assert (z[32:] == 1).all()
    assert (z[:32, 32:] == 1).all()


@pytest.mark.parametrize(
    ("data_type", "fill", "item"),
    [
        ("bool", True, b"\1"),
        ("float32", "NaN", b"\0\0\xc0\x7f"),
        ("float32", "0x7fc00000", b"\0\0\xc0\x7f"),
        ("float64", "-Infinity", b"\0\0\0\0\0\0\xf0\xff"),
        ("complex64", [1, "NaN"], b"\0\0\x80\x3f\0\0\xc0\x7f"),
        ("r16", [1, 2], b"\1\2"),
    ],
)
def test_fill_values(data_type: str, fill: Any, item: bytes) -> None:
    codec = "bytes" if data_type in ("bool", "r16") else LITTLE
    z, _ = array([3], [2], [codec], data_type=data_type, fill_value=fill)
    assert z[...].tobytes() == item * 3


def test_extensions() -> None:
    """An unknown member may be passed over only if it says so."""
    array([1], [1], [LITTLE], extra={"must_understand": False, "name": "x", "configuration": {}})
    for extra in ({"name": "x"}, {"must_understand": True, "name": "x"}, "x", None):
        with pytest.raises(MetadataError, match="extra"):
            array([1], [1], [LITTLE], extra=extra)
    # A name alone is short for an object with nothing else in it.
    z, _ = array([1], [1], [{"name": "bytes", "must_understand": True}], data_type={"name": "uint8"})
    assert z.dtype == np.dtype("u1")
