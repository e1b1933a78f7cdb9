"""Arrays and groups do the same in every store, near or far, in both formats and with shards."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.variants import NO_ARRAYS, Variant
from zchunk.errors import ReadOnlyError
from zchunk.storage import (
    DirectoryStore,
    FSStore,
    LRUStoreCache,
    MemoryStore,
    ObjectStore,
    RedisStore,
    SQLiteStore,
    Store,
    ZipStore,
    open_store,
)

_numbers = itertools.count()


class Made:
    """What makes stores; its methods are their kinds."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self.ask, self.folder = request.getfixturevalue, folder

    def memory(self) -> Store:
        return MemoryStore()

    def directory(self) -> Store:
        return DirectoryStore(self.folder / f"{next(_numbers)}.zarr")

    def zip(self) -> Store:
        return ZipStore(self.folder / f"{next(_numbers)}.zip")

    def sqlite(self) -> Store:
        return SQLiteStore(self.folder / f"{next(_numbers)}.sqlite")

    def obstore_memory(self) -> Store:
        return ObjectStore(pytest.importorskip("obstore.store").MemoryStore())

    def _bucket(self, server: str) -> Store:
        pytest.importorskip("obstore", reason="obstore is not installed")
        place = self.ask(server).new("a/x.zarr")
        return open_store(place.url, storage_options=place.options)

    def s3(self) -> Store:
        return self._bucket("fast_s3_server")

    def moto(self) -> Store:
        return self._bucket("s3_server")

    def azure(self) -> Store:
        return self._bucket("azure_server")

    def gcs(self) -> Store:
        return self._bucket("gcs_server")

    def gcsfs(self) -> Store:
        emulator = self.ask("gcs_emulator")
        return FSStore(emulator.new("x.zarr"), **emulator.options)

    def fsspec_memory(self) -> Store:
        pytest.importorskip("fsspec", reason="fsspec is not installed")
        return open_store(f"memory://remote-arrays/{next(_numbers)}.zarr")

    def redis(self) -> Store:
        pytest.importorskip("redis", reason="redis is not installed")
        server = self.ask("redis_server")
        return RedisStore(server.prefix(), host=server.host, port=server.port)

    def lru_over_s3(self) -> Store:
        return LRUStoreCache(self.s3(), max_size=1 << 20)


ALL = [name for name in vars(Made) if not name.startswith("_")]
# Without those that take their time.
KINDS = [name for name in ALL if name not in ("moto", "gcsfs")]


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    return Made(request, tmp_path)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def store(make: Made, kind: str) -> Iterator[Store]:
    with getattr(make, kind)() as found:
        yield found


def again(store: Store, z: zchunk.Array) -> zchunk.Array:
    """The array, opened anew."""
    return zchunk.open_array(store, "r", path=z.path)


@pytest.mark.each_value
def test_arrays(store: Store, variant: Variant) -> None:
    x = np.arange(7 * 10).reshape(7, 10)
    z = zchunk.create((7, 10), chunks=(2, 3), dtype="i4", store=store, path="g/a", fill_value=-1)
    assert (again(store, z)[:] == -1).all()
    z[:] = x
    assert (z[:] == x).all()
    # Parts of chunks, and of shards.
    for place, value in (
        ((slice(1, 4), slice(2, 8)), 100),
        ((0, 0), 5),
        ((slice(None, None, 2), 9), np.arange(4)),
    ):
        z[place] = x[place] = value
    z = again(store, z)
    for selection in ((slice(1, 6), slice(4, 9)), (3,), (-1, slice(None, None, 3)), (slice(0, 0),)):
        assert (z[selection] == x[selection]).all()
    rows, columns = [0, 5, 3], [9, 1, 1]
    assert (z.vindex[rows, columns] == x[rows, columns]).all()
    assert (z.oindex[[0, 2, 6], slice(2, 7)] == x[[0, 2, 6], 2:7]).all()
    assert (z.vindex[x > 40] == x[x > 40]).all()
    height, width = variant.blocks((2, 3))
    assert (z.blocks[1, 0] == x[height : 2 * height, :width]).all()
    z = zchunk.open_array(store, "r+", path="g/a")
    z.vindex[rows, columns] = x[rows, columns] = [7, 8, 9]
    z.oindex[[1, 4], [0, 8]] = 3
    x[np.ix_([1, 4], [0, 8])] = 3
    assert (again(store, z)[:] == x).all()
    with pytest.raises(ReadOnlyError):
        again(store, z)[0] = 1


@pytest.mark.each_value
@pytest.mark.parametrize("kind", ALL)
def test_shapes_and_attributes(store: Store, variant: Variant) -> None:
    z = zchunk.create(5, chunks=2, dtype="f8", store=store, path="a", fill_value=0.5)
    z[:] = np.arange(5)
    z.attrs["unit"] = "m"
    z.attrs.update(n=1, list=[1, {"a": None}])
    assert z.append(np.arange(5, 9)) == (9,)
    z.resize(3)
    z.resize(12)
    z[11] = 7
    del z.attrs["n"]
    found = again(store, z)
    assert found[:].tolist() == [0, 1, 2, *[0.5] * 8, 7]
    assert found.attrs.asdict() == {"unit": "m", "list": [1, {"a": None}]}
    assert found.nchunks_initialized >= 2


@pytest.mark.each_value
def test_groups(store: Store, variant: Variant) -> None:
    root = zchunk.open_group(store, "w")
    root.attrs["title"] = "all"
    for path in ("a/x", "a/b/y", "z"):
        root.create_dataset(path, data=np.arange(6), chunks=2)
    root.create_group("empty")
    root = zchunk.open_group(store, "a")
    assert sorted(root) == ["a", "empty", "z"]
    assert sorted(root.group_keys()) == ["a", "empty"]
    assert [name for name, _ in root.arrays()] == ["z"]
    found: list[str] = []
    root.visit(found.append)
    assert sorted(found) == ["a", "a/b", "a/b/y", "a/x", "empty", "z"]
    assert root["a/b/y"][3] == 3
    assert str(root.tree()).count("int64") == 3
    zchunk.consolidate_metadata(store)
    one = zchunk.open_consolidated(store)
    assert sorted(one["a"]) == ["b", "x"]
    assert one["a/x"][:].tolist() == list(range(6))
    assert one.attrs["title"] == "all"
    del root["a/b"]
    root.move("z", "empty/moved")
    assert "a/b" not in root
    assert "z" not in root
    assert sorted(root["a"]) == ["x"]
    assert root["empty/moved"][:].tolist() == list(range(6))
    zchunk.open_group(store, "w")
    assert [key for key in store if "/" in key] == []


@pytest.mark.each_value
def test_copies(make: Made, variant: Variant, kind: str) -> None:
    """From every kind of store to the next one."""
    with getattr(make, kind)() as one, getattr(make, KINDS[KINDS.index(kind) - 1])() as other:
        root = zchunk.open_group(one, "w")
        z = root.create_dataset("a/x", data=np.arange(30).reshape(5, 6), chunks=(2, 2))
        z.attrs["unit"] = "m"
        copied, skipped, _ = zchunk.copy_store(one, other)
        assert (copied, skipped) == (len(one), 0)
        assert dict(other) == dict(one)
        zchunk.copy(root["a/x"], zchunk.open_group(other, "a"), name="y")
        found = zchunk.open_group(other, "r")
        assert (found["a/x"][:] == z[:]).all()
        assert (found["y"][:] == z[:]).all()
        assert found["y"].attrs["unit"] == "m"


@NO_ARRAYS
def test_objects(store: Store) -> None:
    z = zchunk.create(3, chunks=2, dtype=object, object_codec=zchunk.JSON(), store=store, zarr_format=2)
    z[:] = np.array(["ä", None, [1, "b"]], dtype=object)
    assert zchunk.open(store, mode="r")[:].tolist() == ["ä", None, [1, "b"]]


def test_zip_archives_in_buckets(make: Made, variant: Variant) -> None:
    """They are read in place, and only read."""
    with make.zip() as local:
        assert isinstance(local, ZipStore)
        root = zchunk.open_group(local, "w")
        root.create_dataset("x", data=np.arange(1000).reshape(10, 100), chunks=(3, 30))
    server = make.ask("fast_s3_server")
    place = server.new("a")
    bucket = open_store(place.url, storage_options=place.options)
    bucket["x.zip"] = Path(local.path).read_bytes()
    server.network.clear()
    found = zchunk.open(f"{place.url}/x.zip", mode="r", storage_options=place.options)
    assert (found["x"][2:9, 50:] == np.arange(1000).reshape(10, 100)[2:9, 50:]).all()
    assert found["x"].nchunks_initialized == variant.all_initialized(found["x"])
    assert sorted(found) == ["x"]
    assert {method for method, _, span in server.network.requests() if span} == {"GET"}
    with pytest.raises(ReadOnlyError):
        found["x"].store["k"] = b"v"
    with pytest.raises(ReadOnlyError):
        zchunk.open(f"{place.url}/x.zip", mode="w", storage_options=place.options)
