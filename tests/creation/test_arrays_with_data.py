"""Arrays that are made with what they hold: all of it is there, or no array is."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.creation.test_opening import files
from zchunk.errors import ForeignFilesError
from zchunk.storage import DirectoryStore, KVStore, LRUStoreCache, MemoryStore, N5FSStore, N5Store, Store

DATA = np.arange(1, 9, dtype="i4")


class _Stopped(BaseException):
    """What stops a process; nothing that it would still do is done."""


class _Stops(MemoryStore):
    """A store whose writer is stopped after some changes."""

    verbatim = True
    left = -1

    def _change(self) -> None:
        if self.left == 0:
            raise _Stopped
        self.left -= 1

    def __setitem__(self, key: str, value: Any) -> None:
        self._change()
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self._change()
        super().__delitem__(key)

    def erase_prefix(self, path: str = "") -> None:
        # Metadata go first when a node goes.
        keys = [key for key in self if key.startswith(path)]
        for key in sorted(keys, key=lambda key: not _is_metadata(key)):
            del self[key]

    def erase_many(self, keys: Any) -> None:
        for key in [key for key in keys if key in self]:
            del self[key]


def _is_metadata(key: str) -> bool:
    return key.rpartition("/")[2] in (".zarray", ".zattrs", ".zgroup", "zarr.json")


def _source(zarr_format: Any) -> zchunk.Group:
    group = zchunk.group(zarr_format=zarr_format)
    group.array("a", DATA, chunks=2, attributes={"unit": "m"})
    group.array("g/b", DATA[::-1], chunks=4, attributes={"unit": "m"})
    return group


WAYS: dict[str, Callable[[Any, zchunk.Group], object]] = {
    "array": lambda store, _: zchunk.array(DATA, chunks=2, store=store, path="a", attributes={"unit": "m"}),
    "save": lambda store, g: zchunk.save(store, a=g["a"]),
    "save_array": lambda store, g: zchunk.save_array(store, g["a"], path="a"),
    "create_dataset": lambda store, _: zchunk.open_group(store).create_dataset("a", data=DATA, chunks=2),
    "copy": lambda store, g: zchunk.copy(g["a"], zchunk.open_group(store)),
    "copy with other chunks": lambda store, g: zchunk.copy(g["a"], zchunk.open_group(store), chunks=3),
    "copy_all": lambda store, g: zchunk.copy_all(g, zchunk.open_group(store)),
    "copy_store": lambda store, g: zchunk.copy_store(g.store, store, if_exists="replace"),
    "rechunk": lambda store, g: zchunk.rechunk(g, 3, store),
}


STORES: dict[str, Callable[[_Stops], Store]] = {
    "itself": lambda store: store,
    "behind a cache": lambda store: LRUStoreCache(store, 1 << 20),
}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("over", STORES.values(), ids=STORES)
def test_what_a_stopped_call_leaves_does_not_look_complete(
    over: Callable[[_Stops], Store], way: Callable[[Any, zchunk.Group], object], zarr_format: Any
) -> None:
    source, changes = _source(zarr_format), 0
    while True:
        stops = _Stops()
        store = over(stops)
        zchunk.open_group(store, zarr_format=zarr_format)
        stops.left = changes
        try:
            way(store, source)
        except _Stopped:
            changes += 1
        else:
            break
        finally:
            stops.left = -1
        for path, expected in (("a", DATA), ("g/b", DATA[::-1])):
            if zchunk.storage.contains_array(store, path):
                z = zchunk.open_array(store, "r", path=path)
                assert z[:].tolist() == expected.tolist()
                assert z.attrs.asdict() in ({"unit": "m"}, {})
    assert changes > 3
    assert zchunk.open_group(store, "r")["a"][:].tolist() == DATA.tolist()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_metadata_come_last_in_a_dict(
    kind: Callable[[], Any], way: Callable[[Any, zchunk.Group], object], zarr_format: Any
) -> None:
    # Keys stay in the order in which they were first there.
    values = kind()
    zchunk.open_group(values, zarr_format=zarr_format)
    way(values, _source(zarr_format))
    keys = [key for key in values if key.startswith("a/")]
    assert [_is_metadata(key) for key in keys] == sorted(map(_is_metadata, keys))
    assert zchunk.open_group(values, "r")["a"][:].tolist() == DATA.tolist()


def test_what_a_store_makes_of_metadata(tmp_path: Path) -> None:
    class Own(N5Store):
        def __getitem__(self, key: str) -> bytes:
            return super().__getitem__(key)

    class OwnDict(dict[str, bytes]):
        def __getitem__(self, key: str) -> bytes:
            return super().__getitem__(key)

    value = zchunk.zeros((4, 6), chunks=(2, 3), compressor=zchunk.GZip(3)).store[".zarray"]
    for store in (N5Store(tmp_path / "a.n5"), N5FSStore(f"{tmp_path}/b.n5"), KVStore({}), MemoryStore()):
        store[".zarray"] = value
        for over in (store, LRUStoreCache(store, None)):
            assert over.as_read(".zarray", value) == store[".zarray"]
    for unknown in (Own(tmp_path / "c.n5"), KVStore(OwnDict()), LRUStoreCache(KVStore(OwnDict()), None)):
        assert unknown.as_read(".zarray", value) is None


@pytest.mark.parametrize("name", ["ABSStore", "DictStore", "NestedDirectoryStore", "TempStore"])
def test_stores_with_another_name_say_that_values_stay_as_they_are(name: str) -> None:
    assert vars(getattr(zchunk.storage, name)).get("verbatim") is True


def test_what_n5_does_not_have_is_refused_before_anything_is_erased(tmp_path: Path) -> None:
    zchunk.array(DATA, store=N5Store(tmp_path), path="a")
    with pytest.raises(ValueError, match="fill_value"):
        zchunk.full(3, 1, store=N5Store(tmp_path), path="a", overwrite=True)
    assert zchunk.open_array(N5Store(tmp_path), path="a")[:].tolist() == DATA.tolist()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("ndim", [0, 1, 2])
def test_a_new_array_does_not_take_files_of_others_for_its_chunks(
    zarr_format: Any, separator: Any, ndim: int, tmp_path: Path
) -> None:
    shape = (4,) * ndim
    encoding = {"dimension_separator": separator, "zarr_format": zarr_format, "store": tmp_path}
    z = zchunk.array(np.ones(shape), chunks=(2,) * ndim, path="a", **encoding)
    (tmp_path / "a" / z._format.array_key).unlink()
    (tmp_path / "a" / "notes.txt").write_text("mine")
    before = files(tmp_path)
    with pytest.raises(ForeignFilesError, match="as chunks"):
        zchunk.zeros(shape, chunks=(2,) * ndim, path="a", **encoding)
    assert files(tmp_path) == before
    # What killed makers have left is known by their mark.
    (tmp_path / "a" / ".unfinished").touch()
    os.utime(tmp_path / "a" / ".unfinished", (0, 0))
    found = zchunk.zeros(shape, chunks=(2,) * ndim, path="a", **encoding)
    assert not np.any(found[...])
    assert (tmp_path / "a" / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "a" / ".unfinished").exists()


def test_members_that_look_like_chunks_stay(tmp_path: Path) -> None:
    group = zchunk.open_group(tmp_path, "w")
    group["0"] = DATA
    (tmp_path / ".zgroup").unlink()
    zchunk.zeros(3, store=tmp_path, dimension_separator="/")
    assert zchunk.open_array(tmp_path, path="0")[:].tolist() == DATA.tolist()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_error_leaves_nothing(zarr_format: Any, tmp_path: Path) -> None:
    class Full(DirectoryStore):
        verbatim = True

        @property
        def root(self) -> None:  # type: ignore[override]
            return None

        def __setitem__(self, key: str, value: Any) -> None:
            if key.endswith("3"):
                raise OSError("no space left")
            super().__setitem__(key, value)

    store = Full(tmp_path)
    zchunk.array(DATA, store=store, path="b", zarr_format=zarr_format)
    with pytest.raises(OSError, match="no space"):
        zchunk.array(DATA, chunks=2, store=store, path="a", zarr_format=zarr_format)
    with pytest.raises(OSError, match="no space"):
        zchunk.copy(_source(zarr_format)["a"], zchunk.open_group(store, zarr_format=zarr_format), "d")
    assert not [key for key in store if key.startswith(("a/", "d/"))]
    assert zchunk.open_array(store, "r", path="b")[:].tolist() == DATA.tolist()
