"""Mistakes that a type checker finds before the program runs: it reports each of them, and nothing else.

What follows ``reported:`` is in its message.
"""

import numpy as np

import zchunk

zchunk.create((10, 10), chnks=(5, 5))  # reported: chnks
zchunk.create((10, 10), dtpye="f4")  # reported: dtpye
zchunk.create((10, 10), chunks=2.5)  # reported: float
zchunk.create((10, 10), zarr_format=5)  # reported: 5
zchunk.craete((10, 10))  # reported: craete

zchunk.zeros((10, 10), chnks=(5, 5))  # reported: chnks
zchunk.ones((10, 10), dtpye="f4")  # reported: dtpye
zchunk.full((10, 10), fill_value=1, chunks=2.5)  # reported: float
zchunk.array([1, 2, 3], zarr_format=5)  # reported: 5
zchunk.create_array(shape=(10, 10), chnks=(5, 5))  # reported: chnks
zchunk.zeros_like(np.zeros(3), dtpye="f4")  # reported: dtpye
zchunk.open_array("a.zarr", chunks=2.5)  # reported: float
zchunk.open_group("a.zarr", zarr_format=5)  # reported: 5
zchunk.open("a.zarr", mode="r", dtpye="f4")  # reported: open

run = zchunk.group()
run.create("a", shape=(10, 10), chnks=(5, 5))  # reported: chnks
run.create_dataset("b", shape=(10, 10), dtpye="f4")  # reported: dtpye
run.zeros("c", shape=(10, 10), chunks=2.5)  # reported: float
run.array("d", [1, 2, 3], chnks=2)  # reported: chnks
run.craete("e", shape=3)[0] = 1  # reported: callable

z = zchunk.zeros((10, 10))
z.reshape(100)  # reported: reshape
z.append([1, 2], axes=0)  # reported: axes
z[2.5]  # reported: float
z.read_only = "yes"  # reported: bool
z.resize((10, 10), (20, 20))  # reported: resize
z.resize(2.5)  # reported: float
z.shape = "10"  # reported: str
zchunk.create(10, meta_array=[])  # reported: list
run["f"] = {1, 2}  # reported: set
run.create_dataset("g", data={1, 2})  # reported: set
z.append({1, 2})  # reported: set
zchunk.zeros_like(None)  # reported: None

zchunk.copy(z, run, shalow=True)  # reported: shalow
zchunk.copy(z, run, chunks=2.5)  # reported: float
zchunk.copy(3, run)  # reported: Group
zchunk.copy_all(run, run, dtpye="f4")  # reported: dtpye
zchunk.rechunk(z, chnks=5)  # reported: chnks
zchunk.rechunk(z, 5, shards=2.5)  # reported: float
zchunk.rechunk(z, 5, executor="thread")  # reported: thread
zchunk.open_consolidated("a.zarr", synchroniser=None)  # reported: synchroniser
zchunk.open_consolidated("a.zarr", mode="w")  # reported: w
zchunk.save("a.zarr", [1, 2], compressor=None)  # reported: None
zchunk.save_array("a.zarr", [1, 2], compresor=None)  # reported: compresor
zchunk.tree(5)  # reported: Group

zchunk.MemoryStore(dimension_separator=",")  # reported: dimension_separator
zchunk.SQLiteStore("a.db", timout=5)  # reported: timout
zchunk.LMDBStore("a.lmdb", map_size="1GB")  # reported: map_size
