"""Arrays that are made with what they hold: all of it is there, or no array is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.storage import DirectoryStore, MemoryStore

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


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_a_stopped_call_leaves_does_not_look_complete(
    way: Callable[[Any, zchunk.Group], object], zarr_format: Any
) -> None:
    source, changes = _source(zarr_format), 0
    while True:
        store = _Stops()
        zchunk.open_group(store, zarr_format=zarr_format)
        store.left = changes
        try:
            way(store, source)
        except _Stopped:
            changes += 1
        else:
            break
        finally:
            store.left = -1
        for path, expected in (("a", DATA), ("g/b", DATA[::-1])):
            if zchunk.storage.contains_array(store, path):
                z = zchunk.open_array(store, "r", path=path)
                assert z[:].tolist() == expected.tolist()
                assert z.attrs.asdict() in ({"unit": "m"}, {})
    assert changes > 3
    assert zchunk.open_group(store, "r")["a"][:].tolist() == DATA.tolist()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("ndim", [0, 1, 2])
def test_a_new_array_does_not_show_what_is_left_of_another(
    zarr_format: Any, separator: Any, ndim: int, tmp_path: Path
) -> None:
    shape = (4,) * ndim
    encoding = {"dimension_separator": separator, "zarr_format": zarr_format, "store": tmp_path}
    z = zchunk.array(np.ones(shape), chunks=(2,) * ndim, path="a", **encoding)
    (tmp_path / "a" / z._format.array_key).unlink()
    (tmp_path / "a" / "notes.txt").write_text("mine")
    found = zchunk.zeros(shape, chunks=(2,) * ndim, path="a", **encoding)
    assert not np.any(found[...])
    assert (tmp_path / "a" / "notes.txt").read_text() == "mine"


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
