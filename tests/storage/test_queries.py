"""zarr 2's functions about what is in a store, for stores that are named by a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.storage.test_base import Plain
from zchunk import storage
from zchunk.errors import InvalidKeyError
from zchunk.storage import (
    KVStore,
    MemoryStore,
)


@pytest.mark.parametrize("name", ["x.zarr", "x.zip", "x.n5"])
@pytest.mark.parametrize("as_path", [str, Path])
def test_stores_by_their_path(tmp_path: Path, name: str, as_path: Any) -> None:
    path = as_path(tmp_path / name)
    assert not storage.contains_array(path)
    assert not storage.contains_group(path)
    zchunk.save_group(path, a=np.arange(3), b=np.arange(4))
    assert (storage.contains_group(path), storage.contains_group(path, "b")) == (True, False)
    assert (storage.contains_array(path), storage.contains_array(path, "a")) == (False, True)
    assert {"a", "b"} <= set(storage.listdir(path))
    assert storage.getsize(path, "a") > 3
    if name == "x.zip":
        # What a zip file holds is neither moved nor deleted.
        return
    storage.rename(path, "a", "c")
    assert zchunk.load(path, path="c").tolist() == [0, 1, 2]
    storage.rmdir(path, "b")
    assert set(zchunk.open_group(path, "r")) == {"c"}
    storage.rmdir(path)
    assert not storage.contains_group(path)


def test_nodes_without_an_object_by_their_path(tmp_path: Path) -> None:
    storage.init_group(str(tmp_path), path="g")
    storage.init_array(tmp_path, 3, path="g/a", chunk_store=tmp_path / "chunks")
    assert storage.contains_array(tmp_path, "g/a")


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "work")
    zchunk.save("~/a.zarr", np.arange(3))
    zchunk.save(Path("~/b.zip"), np.arange(3))
    zchunk.save("~mine", np.arange(3))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "b.zip", "work"]
    # Not the home folder of somebody with that name.
    assert [p.name for p in (tmp_path / "work").iterdir()] == ["~mine"]
    assert zchunk.load(tmp_path / "a.zarr").tolist() == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:.*no `listdir`:UserWarning")
@pytest.mark.parametrize("make", [dict, Plain, MemoryStore, lambda: KVStore({})])
def test_functions_take_any_mapping(make: Any) -> None:
    store = make()
    storage.as_store(store).set_many({"g/.zgroup": b"{}", "g/a/.zarray": b"{}", "g/a/0.0": b"01234"})
    assert storage.listdir(store, "/g/a") == [".zarray", "0.0"]
    assert storage.getsize(store, "g/a") == 7
    assert storage.contains_array(store, "/g/a")
    assert not storage.contains_array(store, "g")
    assert storage.contains_group(store, "g")
    assert not storage.contains_group(store)
    storage.rename(store, "g/a", "h/b")
    assert sorted(store) == ["g/.zgroup", "h/b/.zarray", "h/b/0.0"]
    storage.rmdir(store, "h/b")
    assert list(store) == ["g/.zgroup"]
    with pytest.raises(InvalidKeyError):
        storage.listdir(store, "../x")
