"""`N5Store` and `N5FSStore`, beside data that zarr 2.18.7 and tensorstore have written; the blocks of N5."""

from __future__ import annotations

import itertools
import json
import pickle
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import zchunk
from tests.store_conformance import LEGAL_KEYS, StoreConformance
from zchunk.codecs import GZip, N5ChunkWrapper
from zchunk.errors import MetadataError
from zchunk.n5 import N5_FORMAT, n5_attrs_key, n5_keywords
from zchunk.storage import FSStore, MemoryStore, N5FSStore, N5Store, Store, open_store

# What zarr 2.18.7 makes of a group, an uncompressed array with an attribute, and one with GZip(6).
GOLDEN = {
    "attributes.json": b'{\n    "n5": "2.0.0",\n    "of": "g"\n}',
    "raw/attributes.json": (
        b'{\n    "blockSize": [\n        3,\n        2\n    ],\n    "compression": {\n        "type": "raw"\n'
        b'    },\n    "dataType": "int16",\n    "dimensions": [\n        5,\n        3\n    ],\n'
        b'    "unit": "m"\n}'
    ),
    "raw/0/0": bytes.fromhex("000000020000000300000002000000010002000500060007"),
    "raw/0/1": bytes.fromhex("000000020000000300000002000a000b000c000000000000"),
    "raw/1/0": bytes.fromhex("000000020000000300000002000300040000000800090000"),
    "raw/1/1": bytes.fromhex("000000020000000300000002000d000e0000000000000000"),
    "gz/attributes.json": (
        b'{\n    "blockSize": [\n        2\n    ],\n    "compression": {\n        "level": 6,\n'
        b'        "type": "gzip",\n        "useZlib": false\n    },\n    "dataType": "float32",\n'
        b'    "dimensions": [\n        3\n    ]\n}'
    ),
    "gz/0": bytes.fromhex("00000001000000021f8b080012f5026b00ffb36f6060706060600000772ccd2a08000000"),
    "gz/1": bytes.fromhex("00000001000000021f8b080012f5026b00ff737060000300fd68b40808000000"),
}
# What zarr 2.18.7 shows of them.
GOLDEN_ARRAY = (
    b'{\n    "chunks": [\n        2,\n        3\n    ],\n    "compressor": {\n        "chunk_shape": [\n'
    b'            2,\n            3\n        ],\n        "compressor_config": null,\n'
    b'        "dtype": "<i2",\n        "id": "n5_wrapper"\n    },\n'
    b'    "dimension_separator": ".",\n    "dtype": "<i2",\n'
    b'    "fill_value": 0,\n    "filters": [],\n    "order": "C",\n    "shape": [\n        3,\n        5\n'
    b'    ],\n    "unit": "m",\n    "zarr_format": 2\n}'
)
_numbers = itertools.count()
Make = Callable[[Path], Store]


def in_memory(path: Path) -> Store:
    return N5FSStore(f"memory://{next(_numbers)}{path}")


MAKERS: dict[str, Make] = {"folder": N5Store, "fs": N5FSStore, "memory": in_memory}


@pytest.fixture(autouse=True)
def no_files_in_memory() -> Iterator[None]:
    yield
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture(params=MAKERS)
def store(request: Any, tmp_path: Path) -> Store:
    return MAKERS[request.param](tmp_path / "data")


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def write_golden(store: Store) -> None:
    for key, value in GOLDEN.items():
        store[key] = value


# --- stores


class N5Conformance(StoreConformance):
    """Not any key may have any value: metadata are JSON, and blocks are listed as chunks of arrays."""

    @pytest.mark.parametrize(
        "key", [key for key in LEGAL_KEYS if key not in (".zattrs", "0.0", "a/b/c/0.0.0")], ids=ascii
    )
    def test_legal_keys(self, store: Store, key: str) -> None:
        StoreConformance.test_legal_keys(self, store, key)

    test_behaves_as_a_dict: Any = None

    def test_list_dir(self, store: Store) -> None:
        for path in ("", "ab"):
            store[f"{path}/.zgroup".lstrip("/")] = b'{"zarr_format": 2}'
        for path in ("b", "a/c"):
            zchunk.array([[1, 2], [3, 4]], chunks=1, store=store, path=path)
        assert store.list_dir() == [".zgroup", "a", "ab", "b"]
        assert store.list_dir("b") == store.listdir("/b/") == [".zarray", "0.0", "0.1", "1.0", "1.1"]
        assert store.list_dir("a") == [".zgroup", "c"]
        assert not store.is_empty("a/c")
        assert store.is_empty("c")

    def test_erase_prefix(self, store: Store) -> None:
        for key in ("a/b/0", "a/b/1", "a/bc/0", "d/0"):
            store[key] = b"v"
        store["a/.zgroup"] = b'{"zarr_format": 2}'
        store.erase_prefix("a/b")
        assert sorted(store) == ["a/.zgroup", "a/bc/0", "d/0"]
        store.rmdir("/a/")
        assert list(store) == ["d/0"]
        store.clear()
        assert list(store) == []


class TestN5Store(N5Conformance):
    def make(self, path: Path) -> Store:
        return N5Store(path)


class TestN5FSStore(N5Conformance):
    def make(self, path: Path) -> Store:
        return N5FSStore(f"file://{path}")


class TestN5FSStoreMemory(N5Conformance):
    def make(self, path: Path) -> Store:
        return in_memory(path)


def test_golden(tmp_path: Path) -> None:
    store = N5Store(tmp_path)
    write_golden(store)
    assert store["raw/.zarray"] == GOLDEN_ARRAY
    assert json.loads(store["raw/.zattrs"]) == {"unit": "m"}
    keys = {"raw/.zarray", "raw/.zattrs", "raw/0.0", "raw/0.1", "raw/1.0", "raw/1.1", "gz/.zarray"}
    assert set(store) == keys | {".zgroup", ".zattrs", "gz/0", "gz/1"}
    assert set(store.get_many(store)) == set(store)
    root = zchunk.open_group(store, "r")
    assert root.attrs.asdict() == {"of": "g"}
    assert (root["raw"][...] == np.arange(15).reshape(3, 5)).all()
    assert root["raw"].dtype == np.dtype("i2")
    assert list(root["gz"]) == [1, 2, 3]
    assert root["gz"].compressor == N5ChunkWrapper("f4", (2,), compressor=GZip(6))


def test_the_same_is_written(tmp_path: Path) -> None:
    root = zchunk.group(N5Store(tmp_path))
    root.attrs["of"] = "g"
    raw = root.array("raw", np.arange(15, dtype="i2").reshape(3, 5), chunks=(2, 3), compressor=None)
    raw.attrs["unit"] = "m"
    root.array("gz", np.array([1, 2, 3], "f4"), chunks=2, compressor=numcodecs.GZip(6))
    found = files(tmp_path)
    for key in ("gz/0", "gz/1"):
        # Deflate gives the same items in other bytes.
        assert found[key][:8] == GOLDEN[key][:8]
        found[key] = GOLDEN[key]
    assert found == GOLDEN


def test_changes(store: Store) -> None:
    root = zchunk.group(store)
    data = np.random.default_rng(1).integers(0, 99, (13, 7, 5))
    z = root.array("a/b", data, chunks=(4, 3, 2))
    assert (z[...] == data).all()
    assert z.nchunks_initialized == z.nchunks == 36
    assert z.nbytes_stored == sum(len(value) for key, value in store.items() if key.startswith("a/b/"))
    assert z.fill_value == 0
    assert sorted(root["a"]) == ["b"]
    z.attrs.update(x=1, y=[2])
    z[3:9, 2] = -1
    data[3:9, 2] = -1
    z.resize(8, 7, 5)
    assert z.nchunks_initialized == 18
    z.resize(13, 7, 5)
    data[8:] = 0
    z.append(data)
    assert z.attrs.asdict() == {"x": 1, "y": [2]}
    assert (zchunk.open(store, "r", path="a/b")[...] == np.concatenate([data, data])).all()
    store.rename("a", "c/d")
    again = zchunk.open_array(pickle.loads(pickle.dumps(store)), "r+", path="c/d/b")
    assert (again[:13] == data).all()
    del again.attrs["x"], again.attrs["y"]
    assert "c/d/b/.zattrs" not in store
    assert "c/d/b/.zarray" in store
    del root["c/d"]
    assert sorted(store) == [".zgroup"]


def test_one_item(store: Store) -> None:
    z = zchunk.zeros((), dtype="f8", store=store)
    z[...] = 42
    assert z.compressor.compressor_config is None  # type: ignore[union-attr]
    assert zchunk.open(store)[()] == 42
    assert sorted(store) == [".zarray", "0"]


def test_metadata_keys(store: Store) -> None:
    assert ".zgroup" not in store
    for key in (".zgroup", ".zarray", ".zattrs"):
        with pytest.raises(KeyError):
            store[key]
        with pytest.raises(KeyError):
            del store[key]
        store[n5_attrs_key] = b'{"foo": "bar"}'
        del store[key]
        assert n5_attrs_key not in store
    store[".zgroup"] = b'{"zarr_format": 2}'
    assert json.loads(store[n5_attrs_key]) == {"n5": N5_FORMAT}
    store[".zattrs"] = b'{"foo": 1}'
    store[".zattrs"] = b'{"bar": 2}'
    assert json.loads(store[n5_attrs_key]) == {"n5": N5_FORMAT, "bar": 2}
    assert store.size(".zattrs") == len(store[".zattrs"]) == len(store.get_range(".zattrs", 0))
    store.erase_many([".zarray", ".zattrs"])
    assert sorted(store) == [".zgroup"]
    with pytest.raises(KeyError):
        del store[".zattrs"]
    for wrong in (b"no JSON", b"[1]", b'{"zarr_format": 2}'):
        with pytest.raises(MetadataError, match="zarray"):
            store[".zarray"] = wrong
    assert sorted(store) == [".zgroup"]


def test_reserved_attributes(store: Store) -> None:
    zchunk.zeros((3, 2), store=store)
    z = zchunk.open(store)
    before = store[".zarray"]
    for name in n5_keywords:
        with pytest.warns(UserWarning, match="reserved N5 keyword"):
            z.attrs[name] = ""
    z.attrs["shape"] = z.attrs["compressor"] = "mine"
    assert zchunk.open(store).attrs.asdict() == {"shape": "mine", "compressor": "mine"}
    assert store[".zarray"] == before


def test_coordinates_reversed(store: Store) -> None:
    store["foo/10.20.30"] = b"v"
    assert store["foo/10.20.30"] == store["foo/30/20/10"] == b"v"
    assert store.get_many(["foo/10.20.30", "foo/1.2"]) == {"foo/10.20.30": b"v"}
    store.set_many({"foo/1.2": b"w"})
    assert store["foo/2/1"] == b"w"
    store.erase_many(["foo/1.2", "foo/10.20.30"])
    assert "foo/30/20/10" not in store
    assert list(store) == []


def test_other_files_beside_blocks(store: Store) -> None:
    zchunk.array(np.ones((4, 4)), chunks=2, store=store, path="a")
    for key in ("a/readme", "a/x/0", "a/2/x/0", "b/0/0"):
        store[key] = b"v"
    zchunk.array([1, 2, 3], chunks=2, store=store, path="b/5/6")
    # An array below an array is for strangers only.
    store["a/5/6/" + n5_attrs_key] = store["b/5/6/" + n5_attrs_key]
    assert {"a/5/6/.zarray"} <= set(store)
    chunks = {"a/0.0", "a/0.1", "a/1.0", "a/1.1"}
    assert chunks | {"a/readme", "a/x/0", "a/2/x/0", "b/0/0", "b/5/6/0", "b/5/6/1"} <= set(store)
    assert zchunk.open(store, path="a").nchunks_initialized == 4


@pytest.mark.parametrize("dtype", ["?", "u1", "<i2", ">i4", "u8", "f2", "f4", ">f8", "M8[ms]", "m8[s]"])
def test_dtypes(tmp_path: Path, dtype: str) -> None:
    data = np.arange(20).reshape(5, 4).astype(dtype)
    zchunk.array(data, store=tmp_path / "a.n5", chunks=3)
    found = zchunk.open(tmp_path / "a.n5")[...]
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    assert (found == data).all()


CODECS = [
    (None, {"type": "raw"}),
    (numcodecs.Zlib(3), {"type": "gzip", "level": 3, "useZlib": True}),
    (numcodecs.GZip(2), {"type": "gzip", "level": 2, "useZlib": False}),
    (numcodecs.BZ2(4), {"type": "bzip2", "blockSize": 4}),
    (numcodecs.LZMA(), {"type": "xz", "preset": 6}),
    (numcodecs.LZMA(preset=2), {"type": "xz", "preset": 2}),
    (numcodecs.LZMA(2), {"type": "lzma", "format": 2, "check": -1, "preset": 6, "filters": None}),
    (
        numcodecs.LZMA(3, filters=[{"id": 3, "dist": 2}, {"id": 33, "preset": 1}]),
        {
            "type": "lzma",
            "format": 3,
            "check": -1,
            "preset": None,
            "filters": [{"id": 3, "dist": 2}, {"id": 33, "preset": 1}],
        },
    ),
    (
        zchunk.Blosc("zstd", 3, 2),
        {"type": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 2, "blocksize": 0},
    ),
    (zchunk.LZ4(), {"type": "lz4", "acceleration": 1}),
    (zchunk.Zstd(2), {"type": "zstd", "level": 2}),
]


@pytest.mark.parametrize(("codec", "expected"), CODECS, ids=[str(codec) for codec, _ in CODECS])
def test_compressions(tmp_path: Path, codec: Any, expected: dict[str, Any]) -> None:
    data = np.arange(100.0).reshape(10, 10)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        zchunk.array(data, store=N5Store(tmp_path), chunks=4, compressor=codec)
    assert [w.category for w in caught] == [RuntimeWarning] * (expected["type"] == "lzma")
    found = json.loads((tmp_path / n5_attrs_key).read_bytes())["compression"]
    assert found.items() >= expected.items()
    assert "id" not in found
    assert (zchunk.open(N5Store(tmp_path))[...] == data).all()


def test_which_store_is_opened(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.n5")
    assert type(store) is N5Store
    assert store == N5Store(tmp_path / "a.n5") != N5Store(tmp_path / "b.n5")
    assert store.root is None
    assert N5FSStore(str(tmp_path)) == N5FSStore(str(tmp_path)) != FSStore(str(tmp_path))
    assert zchunk.N5Store is N5Store
    assert zchunk.N5FSStore is N5FSStore
    with pytest.warns(UserWarning, match="dimension_separator"):
        N5FSStore(str(tmp_path), dimension_separator="/")


def test_arrays_like_others(tmp_path: Path) -> None:
    data = np.arange(35).reshape(7, 5)
    n5, other = zchunk.group(N5Store(tmp_path)), zchunk.group()
    a = n5.array("a", data, chunks=3, compressor=GZip(2))
    zchunk.copy(a, other)
    zchunk.copy(other["a"], n5, name="b")
    zchunk.copy(a, n5, name="c")
    like = zchunk.zeros_like(a, chunks=2, dtype="f4")
    like[...] = data
    assert other["a"].compressor == like.compressor == GZip(2)
    assert all((z[...] == data).all() for z in (other["a"], n5["b"], n5["c"], like))
    assert (a.astype("f4")[...] == data).all()
    n5.move("a", "d/e")
    assert (n5["d/e"][...] == data).all()


def test_copies_of_stored_chunks(tmp_path: Path) -> None:
    store = N5Store(tmp_path)
    data = np.arange(35).reshape(7, 5)
    zchunk.array(data, store=store, path="a", chunks=3)
    memory = MemoryStore()
    zchunk.copy_store(store, memory)
    z = zchunk.open_array(memory, "r+", path="a")
    assert (z[...] == data).all()
    z.resize(9, 5)
    z[7:] = 1
    assert zchunk.open_array(memory, "r", path="a")[7:].all()
    zchunk.consolidate_metadata(store)
    assert (zchunk.open_consolidated(N5Store(tmp_path))["a"][...] == data).all()


def test_threads_lose_no_change_of_metadata(tmp_path: Path) -> None:
    z = zchunk.zeros((1, 2), chunks=(1, 2), dtype="i4", store=N5Store(tmp_path))

    def work(thread: int) -> None:
        # Stores and arrays of their own.
        mine = zchunk.open_array(N5Store(tmp_path), "r+")
        for i in range(20):
            mine.attrs[f"{thread}-{i}"] = i
            mine.append(np.full((1, 2), thread + 1, "i4"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    z = zchunk.open_array(N5Store(tmp_path), "r")
    assert len(z.attrs) == 80
    assert z.shape == (81, 2)
    assert sorted(z[:, 0]) == [0] + [1] * 20 + [2] * 20 + [3] * 20 + [4] * 20


# --- other libraries


@pytest.mark.parametrize(
    "compression", [{"type": "raw"}, {"type": "gzip"}, {"type": "bzip2"}, {"type": "xz"}, {"type": "zstd"}]
)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64"])
def test_tensorstore(tmp_path: Path, compression: dict[str, Any], dtype: str) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    data = np.arange(13 * 7 * 5).reshape(13, 7, 5).astype(dtype)
    attributes = {
        "dimensions": data.shape[::-1],
        "blockSize": [2, 3, 4],
        "dataType": dtype,
        "compression": compression,
    }
    spec = {"driver": "n5", "kvstore": {"driver": "file", "path": f"{tmp_path}/x"}}
    theirs = tensorstore.open({**spec, "metadata": attributes}, create=True).result()
    theirs.write(data.T).result()
    ours = zchunk.open_array(N5Store(tmp_path), "r+", path="x")
    assert (ours[...] == data).all()
    ours[2:5, 3:, ::2] = 7
    ours.attrs["unit"] = "m"
    data[2:5, 3:, ::2] = 7
    found = tensorstore.open(spec, open=True).result().read().result()
    assert (data == found.T).all()


def test_tensorstore_reads_what_is_made_here(tmp_path: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    data = np.random.default_rng(3).normal(size=(9, 8))
    for i, (codec, expected) in enumerate(CODECS):
        if expected["type"] not in ("lz4", "lzma"):
            zchunk.array(data, store=N5Store(tmp_path), path=str(i), chunks=4, compressor=codec)
            spec = {"driver": "n5", "kvstore": {"driver": "file", "path": f"{tmp_path}/{i}"}}
            assert (data == tensorstore.open(spec, open=True).result().read().result().T).all()


def test_a_creation_that_fails_leaves_no_blocks(tmp_path: Path, with_calls: Any) -> None:
    code = """
import zchunk
store = zchunk.N5Store(folder / "s.n5")
zchunk.open_group(store, "w")
def make(name, overwrite):
    data = [[1, 2], [3, 4]]
    zchunk.array(data, chunks=1, dtype="i4", store=store, path=name, overwrite=overwrite)
for overwrite in (False, True):
    library.watch(folder, Calls.WRITE)
    library.strike(Strike(4, How.FAIL, error=errno.ENOSPC))
    try:
        make("a", overwrite)
    except OSError:
        assert library.end() >= 4
    else:
        raise AssertionError("it was swallowed")
    assert sorted(DirectoryStore(store.path)) == ["attributes.json"]
    make("a", overwrite)
    assert zchunk.open_array(store, "r", path="a")[1, 1] == 4
    del zchunk.open_group(store)["a"]
"""
    with_calls(tmp_path, code)


def test_a_mark_beside_a_complete_node_is_a_leftover(tmp_path: Path, with_calls: Any) -> None:
    code = """
import zchunk
from zchunk.runtime.owners import signature
store = zchunk.N5Store(folder / "s.n5")
zchunk.open_group(store, "w", path="g")
# As a process leaves it that is killed here; the other one is not complete.
store["g/.unfinished"] = store["h/.unfinished"] = signature()
"""
    with_calls(tmp_path, code)
    store = N5Store(tmp_path / "s.n5")
    assert store.remove_leftovers() == ["g/.unfinished"]
    assert "h/.unfinished" in store
