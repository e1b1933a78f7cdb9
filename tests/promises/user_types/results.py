"""What checkers know of the result of each call, and that results are taken as parameters."""

from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import zchunk

g = zchunk.group()
z = zchunk.zeros((4, 4), chunks=2, dtype="f4")
assert_type(z, zchunk.Array)
assert_type(g, zchunk.Group)
assert_type(z[...], npt.NDArray[Any])
assert_type(z[1:3, [0, 2]], npt.NDArray[Any])
assert_type(z[0, 0], Any)
assert_type(g["a"], zchunk.Array | zchunk.Group)
assert_type(g.create_group("b"), zchunk.Group)
assert_type(g.create("a", shape=(4, 4), chunks=(2, 2), dtype="f4"), zchunk.Array)
assert_type(zchunk.open("a.zarr", "w", shape=3), zchunk.Array)
assert_type(zchunk.open("a.zarr", "w"), zchunk.Group)
assert_type(zchunk.open("a.zarr", mode="r"), zchunk.Array | zchunk.Group)
assert_type(zchunk.open_array("a.zarr", mode="r"), zchunk.Array)
assert_type(zchunk.open_group("a.zarr", mode="r")["a"], zchunk.Array | zchunk.Group)
assert_type(dict(g.arrays()), dict[str, zchunk.Array])
z[...] = 1
z[0] = [1, 2, 3, 4]
z.oindex[[0, 2], :] = np.ones((2, 4))
z.vindex[[0, 2], [1, 3]] = 5
z.blocks[0, 1] = 3
z.resize(5, 4)
z.append(np.zeros((2, 4)))
z.fill_value = 3
z.attrs["a"] = [1, 2]
like = zchunk.create(
    z.shape, z.chunks, z.dtype, z.compressor, z.fill_value, z.order, filters=z.filters, path=z.path,
    store=z.store, chunk_store=z.chunk_store, synchronizer=z.synchronizer, zarr_format=z.zarr_format,
    dimension_separator=z.dimension_separator, dimension_names=z.dimension_names, shards=z.shards,
    attributes=z.attrs.asdict(), overwrite=True,
)
zchunk.zeros_like(like, shape=8, dtype=np.int16, store={})
zchunk.full_like(np.ones(3), fill_value=4)
zchunk.array([1, 2, 3], chunks=(2,), compressor=zchunk.Zstd(3), fill_value=2)
zchunk.create_array("a.zarr", name="x", data=np.ones(3), compressors=[zchunk.Zstd()], zarr_format=3)
zchunk.open_like(like, "b.zarr", mode="w", dtype="i4")
g.create_dataset("c", data=[1, 2], compression="gzip", compression_opts=4, shuffle=True, chunks=True)
g.require_dataset("c", shape=2, dtype="i8")
g.create_array("d", shape=(4, 4), chunks=(1, 1), shards="auto", dtype="u1")
g["e"] = [1, 2]
view = z.view(dtype="i4").astype("f8")
out: npt.NDArray[np.float32] = np.empty((4, 4), "f4")
z.get_basic_selection(np.s_[:4], out=out)
for name, node in g.items():
    if isinstance(node, zchunk.Group):
        print(name, node.name, list(node.groups()))
    else:
        print(name, node.shape, node[:].sum())
total = sum(array.nbytes for _, array in g.arrays(recurse=True))
