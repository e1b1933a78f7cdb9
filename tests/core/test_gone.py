"""Nodes whose folder is gone, as of a purged file system: an error, not fill values and orphan chunks."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.errors import NodeNotFoundError, PathNotFoundError

KINDS: dict[str, dict[str, Any]] = {
    "format 2": {},
    "format 2, nested": {"dimension_separator": "/"},
    "format 3": {"zarr_format": 3},
    "shards": {"zarr_format": 3, "shards": (4, 4)},
    "generic": {"compressor": zchunk.codec_registry["bz2"]()},
    "generic of format 3": {"zarr_format": 3, "compressors": [zchunk.codec_registry["bz2"]()]},
    "text": {"dtype": str},
    "cached": {"cache_bytes": 1 << 20},
    "raw": {"compressor": None},
}


@pytest.fixture(params=KINDS)
def z(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    options = {"dtype": "i4", "fill_value": 0} | KINDS[request.param]
    if options["dtype"] is str:
        options["fill_value"] = ""
    return zchunk.open_array(tmp_path / "run", "w", path="a/b", shape=(8, 4), chunks=(2, 2), **options)


def one(z: Any) -> Any:
    return "x" if z.dtype == object else 1


READS: dict[str, Callable[[Any], Any]] = {
    "all": lambda z: z[...],
    "an item": lambda z: z[3, 3],
    "a chunk": lambda z: z[:2, :2],
    "positions": lambda z: z.oindex[[0, 7]],
    "points": lambda z: z.vindex[[0, 7], [1, 1]],
    "attributes": lambda z: dict(z.attrs),
}
WRITES: dict[str, Callable[[Any], Any]] = {
    "all": lambda z: z.__setitem__(..., one(z)),
    "an item": lambda z: z.__setitem__((3, 3), one(z)),
    "a chunk": lambda z: z.__setitem__((slice(2), slice(2)), np.full((2, 2), one(z), z.dtype)),
    "nothing": lambda z: z.__setitem__(..., z.fill_value),
    "points": lambda z: z.vindex.__setitem__(([0, 7], [1, 1]), one(z)),
    "attributes": lambda z: z.attrs.update(units="m"),
    "append": lambda z: z.append(np.full((2, 4), one(z), z.dtype)),
    "resize": lambda z: z.resize(20, 4),
}


def assert_gone(z: Any, there: Path) -> None:
    for name, work in [*READS.items(), *WRITES.items()]:
        with pytest.raises(NodeNotFoundError):
            print(name, work(z))
    assert not there.exists()


@pytest.mark.parametrize("written", [False, True])
def test_the_folder_of_an_array_is_gone(z: Any, written: bool, tmp_path: Path) -> None:
    if written:
        z[...] = one(z)
    shutil.rmtree(tmp_path / "run/a/b")
    assert_gone(z, tmp_path / "run/a/b")


def test_the_folder_of_the_store_was_moved(z: Any, tmp_path: Path) -> None:
    z[...] = one(z)
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    with pytest.raises(PathNotFoundError, match=r"'/a/b' in .*run.* is gone"):
        z[...]
    assert_gone(z, tmp_path / "run")
    (tmp_path / "elsewhere").rename(tmp_path / "run")
    assert (z[...] == z[0, 0]).all()


def test_what_was_pickled(z: Any, tmp_path: Path) -> None:
    again = pickle.loads(pickle.dumps(z))
    shutil.rmtree(tmp_path / "run")
    assert_gone(again, tmp_path / "run")


def test_without_kernels(z: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zchunk.engine.execute.native_enabled", False)
    shutil.rmtree(tmp_path / "run")
    assert_gone(z, tmp_path / "run")


def test_attributes_of_groups(tmp_path: Path) -> None:
    for version in (2, 3):
        g = zchunk.open_group(tmp_path / "run", "w", path="g", zarr_format=version)
        fresh = zchunk.open_group(tmp_path / "run", path="g")
        g.attrs["n"] = 1
        assert g.attrs["n"] == 1
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(PathNotFoundError, match="gone"):
            g.attrs["n"] = 2
        with pytest.raises(PathNotFoundError, match="gone"):
            dict(fresh.attrs)
        assert not (tmp_path / "run").exists()


def test_chunks_elsewhere_that_were_never_written(tmp_path: Path) -> None:
    for version in (2, 3):
        chunks = tmp_path / f"chunks {version}"
        z = zchunk.create(
            (8, 4), chunks=(2, 2), store=tmp_path / f"{version}", chunk_store=chunks, zarr_format=version
        )
        assert not z[...].any()
        assert z[3, 3] == 0
        z[:2, :2] = 1
        assert z[...].sum() == 4
        shutil.rmtree(chunks)
        assert not z[...].any()
        z[...] = 1
        assert z[...].all()


def test_folders_of_chunks_that_are_not_there_yet(z: Any, tmp_path: Path) -> None:
    fill = z.fill_value
    assert (z[...] == fill).all()
    assert z[3, 3] == fill
    z[3, 3] = one(z)
    assert (z[...] != fill).sum() == 1


def test_consolidated_metadata(tmp_path: Path) -> None:
    g = zchunk.open_group(tmp_path / "run", "w")
    g.zeros("a", shape=4, chunks=2)
    zchunk.consolidate_metadata(tmp_path / "run")
    a = zchunk.open_consolidated(tmp_path / "run")["a"]
    # The metadata are read from one file, which is there.
    shutil.rmtree(tmp_path / "run/a")
    assert a[...].tolist() == [0, 0, 0, 0]
    os.rename(tmp_path / "run", tmp_path / "elsewhere")
    with pytest.raises(PathNotFoundError, match="gone"):
        a[...]
    with pytest.raises(PathNotFoundError, match="gone"):
        a[0] = 1
    assert not (tmp_path / "run").exists()


LISTS: dict[str, Callable[[Any], Any]] = {
    "names": lambda g: list(g),
    "keys": lambda g: list(g.keys()),
    "items": lambda g: list(g.items()),
    "length": lambda g: len(g),
    "arrays": lambda g: list(g.arrays()),
    "array_keys": lambda g: list(g.array_keys(recurse=True)),
    "groups": lambda g: list(g.groups()),
    "group_keys": lambda g: list(g.group_keys()),
    "tree": lambda g: repr(g.tree()),
    "html": lambda g: g.tree()._repr_html_(),
    "info": lambda g: repr(g.info),
    "visit": lambda g: g.visit(print),
    "visititems": lambda g: g.visititems(print),
    "copy_all": lambda g: zchunk.copy_all(g, zchunk.group()),
}
CHANGES: dict[str, Callable[[Any], Any]] = {
    "zeros": lambda g: g.zeros("b", shape=3),
    "create_group": lambda g: g.create_group("b"),
    "require_group": lambda g: g.require_group("a"),
    "require_dataset": lambda g: g.require_dataset("a", (3,)),
    "assignment": lambda g: g.__setitem__("b", [1, 2]),
    "move": lambda g: g.move("a", "b"),
    "delete": lambda g: g.__delitem__("a"),
}
PLACES: dict[str, Callable[[Path], Any]] = {
    "folder": zchunk.DirectoryStore,
    "lower case": lambda p: zchunk.DirectoryStore(p, normalize_keys=True),
    "nested": zchunk.NestedDirectoryStore,
    "N5": zchunk.N5Store,
    "fsspec": lambda p: zchunk.FSStore(str(p)),
}


def _group(store: Any, path: str, zarr_format: Any) -> zchunk.Group:
    if zarr_format == 3 and isinstance(store, zchunk.N5Store):
        pytest.skip("N5 is of format 2")
    g = zchunk.open_group(store, "w", path=path, zarr_format=zarr_format)
    g.zeros("a", shape=4, chunks=2)
    return g


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("path", ["", "g/h"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_listing_a_group(place: Callable[[Path], Any], path: str, zarr_format: Any, tmp_path: Path) -> None:
    g = _group(place(tmp_path / "run"), path, zarr_format)
    for work in LISTS.values():
        work(g)
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    for name, work in (LISTS | CHANGES).items():
        with pytest.raises(PathNotFoundError, match="gone"):
            print(name, work(g))
    # Names are only completed.
    assert "a" not in dir(g)
    assert not (tmp_path / "run").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "run")
    assert list(g) == ["a"]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_arrays_in_other_stores_of_files(
    place: Callable[[Path], Any], zarr_format: Any, tmp_path: Path
) -> None:
    g = _group(place(tmp_path / "run"), "g", zarr_format)
    z = g.zeros("z", shape=(8, 4), chunks=(2, 2), dtype="i4")
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    assert_gone(z, tmp_path / "run")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_groups_without_a_folder(zarr_format: Any, tmp_path: Path) -> None:
    obstore = pytest.importorskip("obstore.store")
    stores = (
        zchunk.MemoryStore(),
        {},
        zchunk.ObjectStore(obstore.MemoryStore(), "run"),
        zchunk.FSStore(f"memory://gone/{zarr_format}"),
        zchunk.ZipStore(tmp_path / "x.zip"),
        zchunk.SQLiteStore(":memory:"),
        zchunk.LRUStoreCache(zchunk.DirectoryStore(tmp_path / "run"), None),
    )
    for store in stores:
        g = zchunk.group(store, zarr_format=zarr_format)
        assert (list(g), len(g), list(g.arrays()), repr(g.tree())) == ([], 0, [], "/")
        g.zeros("a/b", shape=3)
        assert list(g) == ["a"]


def test_listing_consolidated_metadata(tmp_path: Path) -> None:
    zchunk.open_group(tmp_path / "run", "w").zeros("a", shape=4)
    zchunk.consolidate_metadata(tmp_path / "run")
    g = zchunk.open_consolidated(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    assert list(g) == ["a"]
