"""`init_array` and `init_group`, among the stores as zarr 2.18 has them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import zchunk
from zchunk import storage
from zchunk.errors import ContainsArrayError, ContainsGroupError
from zchunk.storage import KVStore, MemoryStore, init_array, init_group, init_store
from zchunk.wings.zarr2 import KVStoreV3


def test_init_array() -> None:
    store: dict[str, bytes] = {}
    init_array(store, 1000, 100, path="/a/b/", dtype="i4", order="F", filters=[], dimension_separator="/")
    assert sorted(store) == [".zgroup", "a/.zgroup", "a/b/.zarray"]
    assert json.loads(store["a/b/.zarray"]) == {
        "chunks": [100], "compressor": storage.default_compressor.get_config(), "dimension_separator": "/",
        "dtype": "<i4", "fill_value": None, "filters": None, "order": "F", "shape": [1000], "zarr_format": 2,
    }  # fmt: skip
    assert init_store is init_array


@pytest.mark.parametrize("none", [None, "none", [], ""])
def test_no_compressor(none: Any) -> None:
    store: dict[str, bytes] = {}
    init_array(store, shape=10, compressor=none, fill_value=1)
    z = zchunk.Array(store)
    assert z.compressor is None
    assert z.fill_value == 1


def test_overwrite() -> None:
    store, chunks = MemoryStore(dimension_separator="/"), MemoryStore()
    init_array(store, 4, path="a", chunk_store=chunks)
    chunks["a/0"] = b"v"
    with pytest.raises(ContainsArrayError):
        init_array(store, 4, path="a")
    with pytest.raises(ContainsArrayError):
        init_group(store, path="a")
    init_group(store, path="a", overwrite=True, chunk_store=chunks)
    assert (sorted(store), list(chunks)) == ([".zgroup", "a/.zgroup"], [])
    with pytest.raises(ContainsGroupError):
        init_array(store, 4, path="a")
    with pytest.raises(ContainsGroupError):
        init_group(store, path="a")
    with pytest.raises(ValueError, match="storage_transformers"):
        init_array(store, 4, path="b", storage_transformers=[1])


def test_default_compressor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert zchunk.zeros(10).compressor == storage.default_compressor
    monkeypatch.setitem(vars(storage), "default_compressor", zchunk.Zlib(3))
    assert zchunk.zeros(10).compressor == zchunk.Zlib(3)


def test_zarrs_names_in_storage() -> None:
    names = storage.array_meta_key, storage.group_meta_key, storage.attrs_key
    assert names == (".zarray", ".zgroup", ".zattrs")
    assert storage.normalize_storage_path("/a//b\\c/") == "a/b/c"
    assert isinstance(storage.normalize_store_arg(None, zarr_version=2), MemoryStore)
    with pytest.raises(ValueError, match="zarr_format"):
        storage.normalize_store_arg({}, zarr_version=4)
    with pytest.warns(UserWarning, match="dict has no `listdir`"):
        assert storage.listdir({"a/b": b"", "a/c": b""}, "a") == ["b", "c"]
    assert storage.listdir(MemoryStore()) == []
    assert storage.getsize(object()) == -1
    raw: dict[str, Any] = {"a": None, "b": 1}
    assert storage.getsize(raw) == -1
    storage.rename(raw, "b", "c/d")
    assert raw == {"a": None, "c/d": 1}
    store = MemoryStore()
    assert all([store.is_readable(), store.is_writeable(), store.is_listable(), store.is_erasable()])
    store.setitems({"a": b"1", "b": b"2"})
    assert store.getitems(["a", "x"], contexts={}) == {"a": b"1"}
    store.delitems(["a", "x"])
    assert list(store) == ["b"]
    with pytest.warns(DeprecationWarning, match="MemoryStore"):
        assert isinstance(storage.DictStore(), MemoryStore)


def test_temporary_files_of_programs(tmp_path: Any) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"")
    for name in ("x1", "x2", "y"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "x3").mkdir()
    storage.atexit_rmtree(str(tmp_path / "d"))
    storage.atexit_rmtree(str(tmp_path / "missing"))
    storage.atexit_rmglob(str(tmp_path / "x*"))
    assert [path.name for path in tmp_path.iterdir()] == ["y"]


def test_storage_alone_has_them() -> None:
    code = "from zchunk.storage import init_array, FSStore, LRUStoreCache; print(init_array.__module__)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "zchunk.wings.zarr2.store_functions"


def test_stores_that_wrap_another() -> None:
    """What stores for zarr 2 that were made elsewhere call."""
    values: dict[str, bytes] = {}
    assert storage.Store._ensure_store(values) == KVStore(values)
    store = MemoryStore()
    assert storage.Store._ensure_store(store) is store
    for wrong in (None, object(), "path", KVStoreV3({})):
        with pytest.raises(ValueError, match=r"mapping|draft"):
            storage.Store._ensure_store(wrong)
