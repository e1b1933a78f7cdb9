"""Pickles that a version of zchunk makes, for later versions to open: run it with the folder for them.

Those in `data/pickles` were made by the version 0.1.0 before its modules moved into rooms. They are never
made again: a new version adds a folder of its own.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zchunk

# Stands for the folder that the stores are in.
FOLDER = b"/the/folder"

OBJECTS: dict[str, Callable[[], Any]] = {
    "array-v2": lambda: zchunk.open("v2.zarr/a", mode="r+"),
    "array-v3": lambda: zchunk.open("v3.zarr/a", mode="r", cache_bytes=1 << 20),
    "array-sharded": lambda: zchunk.open("v3.zarr/s", mode="r+", synchronizer=zchunk.ThreadSynchronizer()),
    "view": lambda: zchunk.open("v2.zarr/a", mode="r").astype("f4"),
    "group": lambda: zchunk.open_group("v2.zarr", mode="r+"),
    "group-v3": lambda: zchunk.open_group("v3.zarr", mode="r"),
    "directory": lambda: zchunk.DirectoryStore("v2.zarr"),
    "nested": lambda: zchunk.NestedDirectoryStore("v2.zarr"),
    "memory": lambda: zchunk.MemoryStore(),
    "mapping": lambda: zchunk.KVStore({"a": b"1"}),
    "zip": lambda: zchunk.ZipStore("z.zip", mode="r"),
    "sqlite": lambda: zchunk.SQLiteStore("s.sqldb"),
    "n5": lambda: zchunk.N5Store("n.n5"),
    "lru": lambda: zchunk.LRUStoreCache(zchunk.DirectoryStore("v2.zarr"), max_size=None),
    "consolidated": lambda: zchunk.storage.ConsolidatedMetadataStore(zchunk.DirectoryStore("v2.zarr")),
    "processes": lambda: zchunk.ProcessSynchronizer("v2.sync"),
    "codecs": lambda: [zchunk.Blosc(), zchunk.LZ4(), zchunk.Zstd(), zchunk.Zlib(), zchunk.GZip()],
    "metadata": lambda: zchunk.open("v3.zarr/s", mode="r").metadata,
}


def make_data() -> None:
    """Make the stores that the pickles are about, in the current folder."""
    for version in (2, 3):
        group = zchunk.open_group(f"v{version}.zarr", mode="w", zarr_format=version)
        group.create_dataset("a", shape=(4, 6), chunks=(2, 3), dtype="i4")[...] = [[1, 2, 3, 4, 5, 6]] * 4
        group.attrs["of"] = version
    sharded = group.create("s", shape=8, chunks=2, shards=4, dtype="f8")
    sharded[...] = range(8)
    zchunk.consolidate_metadata("v2.zarr")
    with zchunk.ZipStore("z.zip", mode="w") as store:
        zchunk.array([1, 2, 3], store=store)
    zchunk.array([1, 2, 3], store=zchunk.SQLiteStore("s.sqldb"))
    zchunk.array([1, 2, 3], store=zchunk.N5Store("n.n5"))


if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    make_data()
    for name, make in OBJECTS.items():
        # Of protocol 0, which is text: the folder can be replaced by the one that a test has.
        data = pickle.dumps(make(), protocol=0)
        (folder / f"{name}.pickle").write_bytes(data.replace(os.getcwd().encode(), FOLDER))
