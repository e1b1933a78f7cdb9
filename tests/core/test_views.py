"""Views, iteration by chunks, checksums: as zarr 2.18 has them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.variants import Variant
from zchunk.errors import ChunkError, CodecError, MetadataError, ReadOnlyError
from zchunk.storage import KVStore


class Counting(dict[str, bytes]):
    """A mapping that counts how often each key is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: dict[str, int] = {}

    def __getitem__(self, key: str) -> bytes:
        value = super().__getitem__(key)
        self.reads[key] = self.reads.get(key, 0) + 1
        return value

    def chunk_reads(self) -> dict[str, int]:
        return {key: n for key, n in self.reads.items() if key not in (".zarray", "zarr.json")}


pytestmark = pytest.mark.usefixtures("path", "variant")

# ---- views


def test_a_view_has_the_same_items() -> None:
    z = zchunk.array(np.arange(100, dtype="i2"), chunks=30)
    v = z.view()
    assert v.is_view
    assert not z.is_view
    assert type(v) is type(z)
    np.testing.assert_array_equal(v[...], z[...])
    v[5:40] = 7
    assert (z[5:40] == 7).all()
    z[0] = 9
    assert v[0] == 9


@pytest.mark.parametrize("compressor", [None, zchunk.Blosc(), zchunk.Zlib()])
def test_a_view_of_another_dtype(compressor: Any) -> None:
    data = np.arange(-50, 50, dtype="<i2")
    z = zchunk.array(data, chunks=30, compressor=compressor)
    np.testing.assert_array_equal(z.view(dtype="<u2")[:], data.view("<u2"))
    np.testing.assert_array_equal(z.view(dtype=">i2")[3:70:4], data.view(">i2")[3:70:4])
    bytewise = z.view(dtype="u1", shape=200, chunks=60)
    np.testing.assert_array_equal(bytewise[:], data.view("u1"))
    bytewise[:2] = (1, 1)
    assert z[0] == 257


def test_a_view_of_another_shape() -> None:
    z = zchunk.array(np.arange(12), chunks=6)
    v = z.view(shape=9)
    assert v.shape == (9,)
    assert z.shape == (12,)
    np.testing.assert_array_equal(v[:], np.arange(9))
    assert z.view(shape=20)[11:].tolist() == [11] + [0] * 8


def test_a_view_past_the_filters() -> None:
    numcodecs = pytest.importorskip("numcodecs")
    data = np.arange(40, dtype="i4") ** 2
    z = zchunk.array(data, chunks=10, filters=[numcodecs.Delta("i4")])
    v = z.view(filters=[])
    assert v.filters is None
    assert z.filters == [numcodecs.Delta("i4")]
    np.testing.assert_array_equal(v[:10], np.diff(data[:10], prepend=0))
    assert z.view(filters=[{"id": "delta", "dtype": "i4"}]).filters == z.filters
    with pytest.raises(CodecError, match="sequence of codecs"):
        z.view(filters="delta")  # type: ignore[arg-type]


def test_the_fill_value_of_a_view() -> None:
    z = zchunk.full(10, -1, chunks=5, dtype="i1")
    assert z.view(fill_value=42)[:].tolist() == [42] * 10
    assert z.view(dtype="u1")[0] == 255
    assert z.view(dtype="S1")[0] == b"-"
    nan = zchunk.full(10, np.nan, dtype="f8")
    assert nan.view(dtype="i8")[0] == 0
    assert np.isnan(nan.view(dtype=">f8")[0])
    assert zchunk.full(10, 3, dtype="i8").view(dtype="f8")[0] == 3.0
    with pytest.raises(ValueError, match="fill_value"):
        z.view(fill_value=1000)


def test_a_view_that_cannot_be() -> None:
    z = zchunk.array(np.ones((10, 10)), chunks=5)
    with pytest.raises(MetadataError, match="axes"):
        z.view(shape=100)
    with pytest.raises(ValueError, match="chunks"):
        z.view(chunks=(0, 3))
    # Chunks of another size than those that are stored.
    v = z.view(chunks=(4, 4))
    with pytest.raises(ChunkError):
        v[0]


def test_a_view_has_no_metadata_to_change() -> None:
    z = zchunk.zeros(10)
    v = z.view()
    for change in (
        lambda: v.resize(5),
        lambda: v.append([1]),
        lambda: setattr(v, "fill_value", 8),
        lambda: setattr(v, "shape", 3),
    ):
        with pytest.raises(PermissionError, match="view"):
            change()
    z.resize(5)
    v.refresh()
    assert v.shape == (10,)
    # Attributes are those of the array.
    v.attrs["a"] = 1
    assert z.attrs["a"] == 1


def test_a_read_only_view() -> None:
    z = zchunk.zeros(10)
    v = z.view(read_only=True)
    assert v.read_only
    assert not z.read_only
    for change in (lambda: v.__setitem__(0, 1), lambda: v.attrs.__setitem__("a", 1)):
        with pytest.raises(ReadOnlyError):
            change()
    z[0] = 1
    z.attrs["b"] = 1
    assert not v.view(read_only=False).read_only


def test_the_synchronizer_of_a_view() -> None:
    mine, other = zchunk.ThreadSynchronizer(), zchunk.ThreadSynchronizer()
    z = zchunk.zeros(10, synchronizer=mine)
    assert z.view().synchronizer is mine
    assert z.view(synchronizer=other).synchronizer is other


def test_views_of_views_and_their_pickles(tmp_path: Path) -> None:
    z = zchunk.array(np.arange(100, dtype="<i2"), chunks=30, store=tmp_path, cache_metadata=False)
    v = z.view(dtype="<u2").view(shape=50)
    for one in (v, pickle.loads(pickle.dumps(v))):
        assert one.is_view
        assert (one.shape, one.dtype) == ((50,), np.dtype("<u2"))
        np.testing.assert_array_equal(one[:], np.arange(50))
    other = pickle.loads(pickle.dumps(z.astype("f4")))
    assert other.read_only
    assert other[3] == 3.0


def test_a_view_equals_nothing() -> None:
    z = zchunk.zeros(10)
    assert z == zchunk.Array(z.store)
    assert z.view() != z
    assert z != z.view()
    with pytest.raises(TypeError):
        hash(z)


# ---- astype


@pytest.mark.parametrize("dtype", ["f4", ">i8", "U5", "c8", "bool"])
@pytest.mark.parametrize("filters", [None, [{"id": "delta", "dtype": "i2"}]])
def test_astype(dtype: str, filters: Any) -> None:
    pytest.importorskip("numcodecs")
    data = np.arange(100, dtype="i2").reshape(20, 5)
    z = zchunk.array(data, chunks=(6, 3), filters=filters)
    v = z.astype(dtype)
    assert v.read_only
    assert v.is_view
    assert v.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(v[...], data.astype(dtype))
    np.testing.assert_array_equal(v[3:17:2, 4], data.astype(dtype)[3:17:2, 4])
    assert v[2, 2] == data.astype(dtype)[2, 2]
    assert np.asarray(v).dtype == np.dtype(dtype)
    with pytest.raises(ReadOnlyError):
        v[0] = 1
    assert z.dtype == np.dtype("i2")


def test_astype_of_missing_chunks_and_twice() -> None:
    pytest.importorskip("numcodecs")
    z = zchunk.full(10, 3, dtype="i2", chunks=4)
    z[0] = 300
    assert z.astype("f8")[:].tolist() == [300.0] + [3.0] * 9
    assert z.astype("u1").astype("f4")[:5].tolist() == [44.0, 3.0, 3.0, 3.0, 3.0]


def test_astype_of_objects_and_structures() -> None:
    numcodecs = pytest.importorskip("numcodecs")
    texts = np.array(["a", "bb", "ccc"] * 4, object)
    z = zchunk.array(texts, chunks=5, object_codec=numcodecs.VLenUTF8())
    for v in (z.astype("U3"), pickle.loads(pickle.dumps(z.astype("U3")))):
        assert v[...].tolist() == texts.tolist()
        assert v.oindex[[11, 0]].dtype == np.dtype("U3")
    data = np.array([(1, 2.5), (3, 4.5)], [("a", "i2"), ("b", "f8")])
    other = [("a", "f4"), ("b", "i8")]
    np.testing.assert_array_equal(zchunk.array(data).astype(other)[:], data.astype(other))


def test_astype_decodes_natively_and_through_the_cache(variant: Variant) -> None:
    pytest.importorskip("numcodecs")
    store = Counting()
    z = zchunk.array(np.arange(60.0).reshape(20, 3), chunks=(6, 3), store=store, cache_bytes=10**4)
    store.reads.clear()
    v = z.astype("i4")
    out = np.empty((3, 20), "f4").T
    for _ in range(2):
        assert [row.tolist() for row in v] == [[3 * n, 3 * n + 1, 3 * n + 2] for n in range(20)]
        np.testing.assert_array_equal(v.get_basic_selection(..., out=out), z[...])
        np.testing.assert_array_equal(v.vindex[[19, 0], [2, 0]], [59, 0])
    if not variant.sharded:
        assert store.chunk_reads() == {variant.chunk(n, 0): 1 for n in range(4)}
    assert (z.chunk_cache.misses, z.chunk_cache.used) == (4, 4 * 6 * 3 * 8)
    np.testing.assert_array_equal(v.view(fill_value=5)[...], z[...])


# ---- fill value


def test_the_fill_value_may_be_assigned(variant: Variant) -> None:
    store = KVStore({})
    z = zchunk.zeros(10, chunks=5, dtype="i4", store=store)
    z[:3] = 1
    z.fill_value = 7
    assert z.fill_value == 7
    assert z[:].tolist() == [1, 1, 1, 0, 0] + [7] * 5
    assert zchunk.open(store, mode="r")[9] == 7
    with pytest.raises(ValueError, match="fill_value"):
        z.fill_value = "x"
    if variant.kind == "v2":
        z.fill_value = None
        assert zchunk.open(store).fill_value is None
    z.read_only = True
    with pytest.raises(ReadOnlyError):
        z.fill_value = 1
