"""A program as a user writes it: both checkers accept every line."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import zchunk
from zchunk.codecs import Blosc, Zstd
from zchunk.storage import DirectoryStore


def arrays(folder: Path) -> None:
    z = zchunk.create((100, 100), chunks=(10, 10), dtype="f4")
    assert_type(z, zchunk.Array)
    zchunk.create(100)
    zchunk.create([100, 200], chunks=True, dtype=np.float32, compressor=None, order="F")
    zchunk.create(np.int64(7), chunks=[np.int64(3)], dtype=np.dtype("i8"), compressor=Blosc("zstd"))
    zchunk.create((100, 100), chunks=(10, None), store=folder / "a.zarr", fill_value=None, overwrite=True)
    zchunk.create(100, dtype=str, store=str(folder / "b.zarr"), filters=[Zstd(3)], dimension_separator="/")
    zchunk.create(100, dtype=[("x", "f4"), ("y", "i4", (2,))], store={}, path="group/c")
    zchunk.create(
        (100, 100),
        chunks="auto",
        shards="auto",
        compressors=[Blosc("lz4"), {"name": "crc32c"}],
        dimension_names=("y", None),
        attributes={"units": "K"},
        zarr_format=3,
        store=DirectoryStore(folder / "c.zarr"),
        synchronizer=zchunk.ThreadSynchronizer(),
    )
    zchunk.create_array("d.zarr", shape=(10, 10), dtype="i4", chunks=(5, 5), zarr_format=2)
    zchunk.create((60, 10), chunks=[[10, 20, 30], 5])
    zchunk.create((60, 10), chunks=(5, 5), shards=((20, 40), (10,)))
    zchunk.zeros((3, 3), chunks=2, dtype=int)
    zchunk.ones(3, dtype=bool)
    zchunk.empty((3,), zarr_format=None)
    zchunk.full(3, fill_value=4.5)
    zchunk.zeros_like(z, chunks=(5, 5))
    zchunk.full_like(z, fill_value=1)
    zchunk.array([1, 2, 3], chunks=2, dtype="u1")
    zchunk.array(np.arange(10).reshape(2, 5), compressor=None)


def items(z: zchunk.Array) -> None:
    assert_type(z.shape, tuple[int, ...])
    assert_type(z.dtype, np.dtype[Any])
    assert_type(z.ndim, int)
    assert_type(z.nbytes, int)
    assert_type(z.read_only, bool)
    row: npt.NDArray[Any] = z[3]
    print(row.mean(), z[0, 0], z[...], z[-1, ::-2], z[[1, 2]], z["field"], z[np.arange(3)])
    z[0] = 1
    z[:, 3:5] = np.zeros(2)
    z[...] = [[1, 2], [3, 4]]
    points: npt.NDArray[Any] = z.vindex[[0, 1], [2, 3]]
    z.oindex[[0, 1], :] = points
    print(z.blocks[0], z.oindex[z[:, 0] > 1], z.get_basic_selection((0, slice(None)), out=np.empty(3)))
    z.resize(10, 20)
    z.resize((10, 20))
    z.resize(10, None)
    z.resize([None, 20])
    z.shape = 10, 20
    assert_type(z.append(np.zeros((1, 20)), axis=0), tuple[int, ...])
    assert_type(z.attrs["units"], Any)
    z.attrs["units"] = "m"
    z.attrs.update(title="wind", levels=np.arange(3))
    z.attrs.update({"title": "wind"}, units="m")
    z.attrs.put({"title": "wind"})
    assert_type(z.hexdigest(), str)
    assert_type(z.astype("f8"), zchunk.Array)
    assert_type(z.view(dtype="i4"), zchunk.Array)
    print(np.asarray(z).sum(), len(z), list(z), z.info, z.nchunks_initialized)


def groups(folder: Path) -> Iterator[str]:
    run = zchunk.open_group(folder / "run.zarr", mode="w", zarr_format=3)
    assert_type(run, zchunk.Group)
    ocean = run.require_group("ocean")
    assert_type(ocean, zchunk.Group)
    t = ocean.create("t", shape=(3, 4), chunks=(1, 4), dtype="f4", shards=None)
    assert_type(t, zchunk.Array)
    assert_type(ocean.create_dataset("s", shape=3, data=[1, 2, 3]), zchunk.Array)
    assert_type(ocean.zeros("u", shape=3), zchunk.Array)
    assert_type(ocean.array("v", [1, 2, 3], chunks=2), zchunk.Array)
    member = run["ocean/t"]
    if isinstance(member, zchunk.Array):
        print(member[...].sum())
    else:
        assert_type(member, zchunk.Group)
        print(list(member.group_keys()))
    run["numbers"] = [1, 2, 3]
    run["more"] = t
    run["objects"] = [{"a": 1}, None]
    for name, array in ocean.arrays():
        assert_type(array, zchunk.Array)
        yield name
    for name, group in run.groups():
        assert_type(group, zchunk.Group)
        yield name
    with zchunk.open_group(store=folder / "run.zarr", mode="r", path="ocean") as again:
        print(again.tree(), "t" in again, len(again), again.attrs.asdict())
    run.move("ocean/u", "u")


def opened(folder: Path) -> None:
    assert_type(zchunk.open_array(folder / "a.zarr", mode="r"), zchunk.Array)
    zchunk.open_array("a.zarr", "w", shape=10, chunks=5, dtype="f4", fill_value=0)
    node = zchunk.open(folder / "a.zarr", mode="r")
    if isinstance(node, zchunk.Group):
        print(node.tree())
    else:
        print(node.chunks)
    made = zchunk.open("field.zarr", mode="w", shape=(512, 512), chunks=(64, 64), dtype="f4")
    print(made.attrs["units"])
    zchunk.save_array("x.zarr", np.arange(3), compressor=None)
    zchunk.save("x.zarr", np.arange(3))
    zchunk.save("y.zarr", a=np.arange(3), b=np.arange(4))
    zchunk.consolidate_metadata("run.zarr")
    print(zchunk.open_consolidated("run.zarr").attrs)
    zchunk.open_consolidated(
        "run.zarr", mode="r", path="ocean", cache_bytes=1 << 20, object_codec=None, zarr_version=2
    )
    zchunk.set_threads(2)
    assert_type(zchunk.get_threads(), int)


def stores(folder: Path) -> None:
    zchunk.SQLiteStore(folder / "a.db", timeout=5, dimension_separator="/")
    zchunk.LMDBStore(folder / "a.lmdb", map_size=1 << 30, readonly=True)
    zchunk.RedisStore("run", host="localhost", port=6379)
    store = zchunk.MemoryStore(dimension_separator=".")
    store["a"] = b"bytes"
    store.update({"b": b"bytes"})


def copied(other: Any) -> None:
    run = zchunk.open_group("run.zarr")
    zchunk.copy(run["a"], zchunk.open_group("other.zarr"), name="b")
    assert_type(zchunk.copy("run.zarr", other, "b", chunks=(5, 5), compressor=Zstd(3)), tuple[int, int, int])
    zchunk.copy(other["a"], run, dtype="f4", fill_value=0, compression="gzip", log=print)
    zchunk.copy_all(run, other, if_exists="skip", shards=None, attributes={"units": "K"}, progress=True)
    zchunk.copy_store({}, {}, source_path="a")
    zchunk.rechunk("a.zarr", (5, 20), "b.zarr", max_memory="64MB")
    zchunk.rechunk(run, {"a": (5, 20), "b": None}, shards=(50, 200), compressors=[Blosc("lz4")])
    zchunk.rechunk(run, {"time": -1, "x": 10}, dtype="f4", write_empty_chunks=False)
    with ThreadPoolExecutor(2) as executor:
        zchunk.rechunk("a.zarr", executor=executor, progress=lambda done, total: None)
    print(zchunk.tree(run), zchunk.tree(other), zchunk.tree("run.zarr", level=1))
    zchunk.zeros_like(other)
