"""Files of other programs are not deleted where a node would replace them; nothing is touched then."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.creation.nodes import erase
from zchunk.errors import ForeignFilesError
from zchunk.storage import DirectoryStore, FSStore, LRUStoreCache, N5Store, NestedDirectoryStore

ITEMS = np.arange(6).reshape(2, 3)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _dask_store(store: Any, path: str) -> None:
    da = pytest.importorskip("dask.array")
    importlib.import_module("zchunk.dask").store(
        da.from_array(ITEMS, chunks=2), store, path=path, overwrite=True
    )


def _to_zarr(store: Any, path: str) -> None:
    xarray = pytest.importorskip("xarray")
    importlib.import_module("zchunk.xarray")
    xarray.Dataset({"a": ("x", np.arange(3))}).zchunk.to_zarr(store, group=path or None, mode="w")


# What replaces the node at a path in a store.
REPLACE: dict[str, Callable[[Any, str], object]] = {
    "save": lambda s, p: zchunk.save(s, ITEMS, path=p),
    "save_two": lambda s, p: zchunk.save(s, ITEMS, ITEMS, path=p),
    "save_group": lambda s, p: zchunk.save_group(s, a=ITEMS, path=p),
    "create": lambda s, p: zchunk.create(3, store=s, path=p, overwrite=True),
    "array": lambda s, p: zchunk.array(ITEMS, store=s, path=p, overwrite=True),
    "open_array": lambda s, p: zchunk.open_array(s, "w", shape=3, path=p),
    "open_group": lambda s, p: zchunk.open_group(s, "w", path=p),
    "open": lambda s, p: zchunk.open(s, mode="w", path=p),
    "group": lambda s, p: zchunk.group(s, overwrite=True, path=p),
    "create_group": lambda s, p: zchunk.create_group(s, path=p, overwrite=True),
    "format3": lambda s, p: zchunk.create(3, store=s, path=p, overwrite=True, zarr_format=3),
    "rechunk": lambda s, p: zchunk.rechunk(zchunk.array(ITEMS), (1, 3), s, path=p, overwrite=True),
    "rechunk_without_overwrite": lambda s, p: zchunk.rechunk(zchunk.array(ITEMS), (1, 3), s, path=p),
    "dask_store": _dask_store,
    "to_zarr": _to_zarr,
}
STORES: dict[str, Callable[[Path], Any]] = {
    "path": str,
    "Path": Path,
    "file_url": lambda p: p.as_uri(),
    "DirectoryStore": DirectoryStore,
    "NestedDirectoryStore": NestedDirectoryStore,
    "N5Store": N5Store,
    "n5_path": lambda p: f"{p}.n5",
    "FSStore": lambda p: FSStore(str(p)),
    "fsspec": lambda p: _of_fsspec(p),
    "lru": lambda p: LRUStoreCache(DirectoryStore(p), None),
}


def _of_fsspec(path: Path) -> FSStore:
    # The files of fsspec itself, not those of a `DirectoryStore`.
    fsspec = pytest.importorskip("fsspec")
    return FSStore(path.name, fs=fsspec.filesystem("dir", path=str(path.parent), target_protocol="file"))


@pytest.mark.parametrize("path", ["", "a/b"])
@pytest.mark.parametrize("replace", REPLACE)
@pytest.mark.parametrize("kind", STORES)
def test_what_is_not_zarrs_is_not_replaced(tmp_path: Path, kind: str, replace: str, path: str) -> None:
    if replace == "format3" and "n5" in kind.lower():
        pytest.skip("N5 is of format 2")
    if kind.startswith(("FSStore", "fsspec")):
        pytest.importorskip("fsspec")
    folder = tmp_path / ("photos.n5" if kind == "n5_path" else "photos")
    folder.joinpath(path, "2024").mkdir(parents=True)
    folder.joinpath(path, "2024", "party.jpg").write_bytes(b"jpg")
    folder.joinpath(path, "notes.txt").write_bytes(b"notes")
    before = _files(tmp_path)
    with pytest.raises(ForeignFilesError, match=r"notes\.txt.* rmdir|2024.*notes\.txt") as caught:
        REPLACE[replace](STORES[kind](tmp_path / "photos"), path)
    assert "delete" in str(caught.value)
    assert _files(tmp_path) == before
    # How to go on.
    zchunk.storage.rmdir(STORES[kind](tmp_path / "photos"), path)
    REPLACE[replace](STORES[kind](tmp_path / "photos"), path)
    assert "notes.txt" not in os.listdir(folder / path)


def test_what_is_not_zarrs_is_not_replaced_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"jpg")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    with pytest.raises(ForeignFilesError):
        zchunk.open_group(tmp_path / "link", "w")
    # A file that is a link is a file, and a folder that is one is not looked into but stays.
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "elsewhere").symlink_to(tmp_path / "photos")
    with pytest.raises(ForeignFilesError, match="elsewhere"):
        zchunk.open_group(tmp_path / "links", "w")


def test_the_folder_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thesis.tex").write_bytes(b"tex")
    monkeypatch.chdir(tmp_path)
    for store in (".", "", tmp_path):
        with pytest.raises(ForeignFilesError, match=r"thesis\.tex"):
            zchunk.open_group(store, "w")
    assert (tmp_path / "thesis.tex").read_bytes() == b"tex"


def test_members_that_are_not_zarrs(tmp_path: Path) -> None:
    group = zchunk.open_group(tmp_path / "g")
    (tmp_path / "g" / "photos").mkdir()
    (tmp_path / "g" / "photos" / "a.jpg").write_bytes(b"jpg")
    for change in (
        lambda: group.__setitem__("photos", ITEMS),
        lambda: group.create_group("photos", overwrite=True),
        lambda: group.create_dataset("photos", data=ITEMS, overwrite=True),
        lambda: group.require_group("photos", overwrite=True),
    ):
        with pytest.raises(ForeignFilesError, match=r"a\.jpg"):
            change()
    # The group itself is Zarr's, and so is all in it.
    zchunk.open_group(tmp_path / "g", "w")
    assert not (tmp_path / "g" / "photos").exists()


def test_nodes_below_are_not_replaced(tmp_path: Path) -> None:
    # A folder of many arrays is no node itself.
    for name in ("a.zarr", "b.zarr"):
        zchunk.save(tmp_path / name, ITEMS)
    with pytest.raises(ForeignFilesError, match="zarr"):
        zchunk.save(tmp_path, ITEMS)
    np.testing.assert_array_equal(zchunk.load(tmp_path / "a.zarr"), ITEMS)


def test_a_chunk_store(tmp_path: Path) -> None:
    chunks = tmp_path / "chunks"
    chunks.mkdir()
    (chunks / "a.jpg").write_bytes(b"jpg")
    store = DirectoryStore(tmp_path / "s")
    with pytest.raises(ForeignFilesError, match=r"chunks.*a\.jpg"):
        zchunk.create(3, store=store, chunk_store=chunks, overwrite=True)
    assert not (tmp_path / "s").exists()
    # The chunks of a node have no metadata beside them.
    (chunks / "a.jpg").unlink()
    for _ in range(2):
        zchunk.create(3, store=store, chunk_store=chunks, overwrite=True)[:] = 1


@pytest.mark.parametrize(
    "name", [".zarray", ".zgroup", ".zattrs", ".zmetadata", "zarr.json", "attributes.json"]
)
def test_what_is_zarrs_is_replaced(tmp_path: Path, name: str) -> None:
    # Even where it cannot be read.
    (tmp_path / name).write_bytes(b"{}")
    (tmp_path / "0.0").write_bytes(b"chunk")
    zchunk.open_group(tmp_path, "w")
    assert set(_files(tmp_path)) == {".zgroup"}


def test_what_killed_writers_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".zarray.0123456789abcdef.partial").write_bytes(b"{")
    (tmp_path / "empty" / "folders").mkdir(parents=True)
    zchunk.open_group(tmp_path, "w")
    assert set(_files(tmp_path)) == {".zgroup"}


def test_other_modes_go_on(tmp_path: Path) -> None:
    (tmp_path / "README").write_bytes(b"readme")
    zchunk.open_group(tmp_path)
    zchunk.open_array(tmp_path, "a", path="a", shape=3)
    assert (tmp_path / "README").exists()


@pytest.mark.parametrize("mode", ["a", "w-"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"shape": 4, "chunks": 2},
        {"shape": (4, 4), "chunks": 2},
        {"shape": (4, 4), "chunks": 2, "dimension_separator": "/"},
        {"shape": 4, "chunks": 2, "zarr_format": 3},
    ],
    ids=["flat", "flat_2d", "nested", "v3"],
)
def test_a_new_array_leaves_folders_that_only_look_like_chunks(
    tmp_path: Path, mode: Any, parameters: dict[str, Any]
) -> None:
    for name in ["2023/jan.csv", "2024/feb.csv", "c/main.c", "1.2/readme", "2024/1/notes.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"mine")
    zchunk.array(ITEMS, store=tmp_path / "2024" / "march.zarr")
    # Its chunk is named as one of an array of two axes at the top.
    zchunk.array([1], store=tmp_path / "2025")
    before = _files(tmp_path)
    zchunk.open_array(tmp_path, mode, **parameters)
    after = _files(tmp_path)
    assert {name: after.get(name) for name in before} == before
    assert len(after) == len(before) + 1


def test_a_new_array_leaves_what_links_lead_to(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "0").write_bytes(b"mine")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0").symlink_to(other)
    zchunk.open_array(tmp_path / "a", "a", shape=(2, 2), chunks=1, dimension_separator="/")
    assert (other / "0").exists()


@pytest.mark.parametrize("mode", ["a", "w-", "w"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_file_that_looks_like_a_chunk_is_not_replaced(tmp_path: Path, mode: Any, zarr_format: Any) -> None:
    name = "2024" if zarr_format == 2 else "c/2024"
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"mine")
    for make in (
        lambda: zchunk.open_array(tmp_path, mode, shape=4, chunks=2, zarr_format=zarr_format),
        lambda: zchunk.array(ITEMS[0], store=tmp_path, overwrite=mode == "w", zarr_format=zarr_format),
    ):
        with pytest.raises(ForeignFilesError, match=r"2024.*rmdir"):
            make()
    assert _files(tmp_path) == {name: b"mine"}
    # A group has no chunks.
    if mode != "w":
        zchunk.open_group(tmp_path, mode, zarr_format=zarr_format)
        assert (tmp_path / name).read_bytes() == b"mine"


@pytest.mark.parametrize("separator", [".", "/"])
def test_a_new_array_has_no_chunks_of_a_former_one(tmp_path: Path, separator: Any) -> None:
    form = {"shape": (4, 4), "chunks": 2, "dimension_separator": separator}
    zchunk.open_array(tmp_path, "w", attributes={"a": 1}, **form)[:] = 1
    # The attributes say that it is an array's folder.
    (tmp_path / ".zarray").unlink()
    z = zchunk.open_array(tmp_path, "a", **form)
    assert not z[:].any()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".zarray", ".zattrs"]


def test_chunks_without_an_array_in_a_chunk_store(tmp_path: Path) -> None:
    form = {"store": tmp_path / "s", "chunk_store": tmp_path / "c", "shape": 4, "chunks": 2, "path": "a"}
    zchunk.create(**form)[:] = 1
    (tmp_path / "s" / "a" / ".zarray").unlink()
    with pytest.raises(ForeignFilesError, match="as chunks"):
        zchunk.create(**form)

    class Killed(BaseException):
        pass

    class Stopping(DirectoryStore):
        def erase_prefix(self, path: str = "") -> None:
            raise Killed

    # Deleting that is killed between the two stores says whose the chunks are.
    with pytest.raises(ForeignFilesError):
        zchunk.create(**form | {"overwrite": True})
    zchunk.storage.rmdir(DirectoryStore(tmp_path / "c"))
    zchunk.create(**form)[:] = 1
    with pytest.raises(Killed):
        erase(DirectoryStore(tmp_path / "s"), "a", Stopping(tmp_path / "c"))
    assert not zchunk.create(**form)[:].any()
    assert list(DirectoryStore(tmp_path / "c")) == []


@pytest.mark.parametrize("kind", ["memory", "fsspec_memory", "sqlite", "dict"])
def test_stores_of_ones_own_are_replaced(kind: str, tmp_path: Path) -> None:
    made: dict[str, Callable[[], Any]] = {
        "memory": zchunk.MemoryStore,
        "sqlite": lambda: zchunk.storage.SQLiteStore(tmp_path / "s.db"),
        "dict": dict,
        "fsspec_memory": lambda: FSStore("memory://photos"),
    }
    if kind == "fsspec_memory":
        pytest.importorskip("fsspec")
    store = made[kind]()
    store["notes.txt"] = b"notes"
    if kind == "fsspec_memory":
        # Buckets are like folders.
        with pytest.raises(ForeignFilesError, match=r"notes\.txt"):
            zchunk.open_group(store, "w")
    else:
        zchunk.open_group(store, "w")
        assert set(store) == {".zgroup"}
