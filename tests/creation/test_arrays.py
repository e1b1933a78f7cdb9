"""What creates arrays: defaults, parameters, data; the bytes that zarr 2.18 writes."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.creation.test_opening import files
from tests.nonsense import Nonsense
from tests.variants import NO_ARRAYS, Variant, only_v2
from zchunk.codecs import Zlib
from zchunk.errors import (
    CodecError,
    MetadataError,
)

pytestmark = pytest.mark.usefixtures("variant")


DEFAULT_ZARRAY = b"""{
    "chunks": [
        2,
        2
    ],
    "compressor": {
        "blocksize": 0,
        "clevel": 5,
        "cname": "lz4",
        "id": "blosc",
        "shuffle": 1
    },
    "dtype": "<f8",
    "fill_value": 0.0,
    "filters": null,
    "order": "C",
    "shape": [
        3,
        4
    ],
    "zarr_format": 2
}"""


ZGROUP = b'{\n    "zarr_format": 2\n}'


@only_v2("the bytes that zarr 2 writes")
def test_defaults_are_zarr_2s() -> None:
    store: dict[str, bytes] = {}
    zchunk.create((3, 4), chunks=2, store=store)
    assert store == {".zarray": DEFAULT_ZARRAY}


@pytest.mark.parametrize(
    ("make", "fill"),
    [(zchunk.zeros, 0), (zchunk.ones, 1), (zchunk.empty, None)],
)
def test_kinds(make: Any, fill: Any, variant: Variant) -> None:
    # There is no "undefined" in format 3.
    fill = fill if variant.kind == "v2" else fill or 0
    z = make((3, 4), chunks=2, dtype="i2")
    assert (z.fill_value, z.dtype, z.chunks, z.shape) == (fill, "i2", (2, 2), (3, 4))
    assert z[...].tolist() == [[fill or 0] * 4] * 3
    assert isinstance(z.store, zchunk.MemoryStore)


def test_full() -> None:
    assert zchunk.full(3, 7, dtype="u1")[:].tolist() == [7, 7, 7]
    assert np.isnan(zchunk.full(3, fill_value="NaN", dtype="f4")[:]).all()
    with pytest.raises(ValueError, match="fill_value"):
        zchunk.full(3, 256, dtype="u1")


def test_array_takes_shape_dtype_and_chunks(variant: Variant) -> None:
    source = np.arange(12, dtype=">i2").reshape(3, 4)
    z = zchunk.array(source, chunks=(2, 3), order="F", compressor=None)
    assert (z.shape, z.dtype, z.chunks, z.order) == ((3, 4), variant.dtype(source.dtype), (2, 3), "F")
    copy = zchunk.array(z, read_only=True)
    assert (copy.chunks, copy.read_only) == ((2, 3), True)
    np.testing.assert_array_equal(copy[...], source)
    assert zchunk.array([1, 2.5]).dtype == "f8"
    assert zchunk.array(3)[()] == 3
    assert zchunk.array(source, dtype="f4").dtype == "f4"


def test_array_of_dask_like_chunks() -> None:
    class Dask:
        shape, dtype, chunks = (4,), np.dtype("i4"), ((2, 2),)

        def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
            return np.arange(4, dtype="i4")

    assert zchunk.array(Dask())[:].tolist() == [0, 1, 2, 3]
    assert zchunk.zeros_like(Dask()).shape == (4,)


def test_like(variant: Variant) -> None:
    z = zchunk.create(
        (5, 6), chunks=(2, 3), dtype="i2", order="F", compressor=Zlib(3), fill_value=4, store={}, filters=None
    )
    for like, fill in (
        (zchunk.empty_like, None),
        (zchunk.zeros_like, 0),
        (zchunk.ones_like, 1),
        (zchunk.full_like, 4),
    ):
        new = like(z)
        assert (new.shape, new.chunks, new.dtype, new.order) == (z.shape, z.chunks, z.dtype, z.order)
        if variant.kind != "v2":
            fill = fill or 0
        assert (new.compressor, new.fill_value) == (Zlib(3), fill)
        assert (new.shards, new.zarr_format) == (z.shards, z.zarr_format)
        other = like(z, dtype="f4", shape=3, chunks=1)
        assert (other.dtype, other.chunks) == ("f4", (1,))
    new = zchunk.ones_like(np.zeros((2, 3), "u1"))
    assert (new.shape, new.dtype, new.fill_value) == ((2, 3), "u1", 1)
    assert new.compressor == zchunk.zeros(1, dtype="u1").compressor
    assert zchunk.full_like(np.zeros(2), fill_value=3)[:].tolist() == [3, 3]
    with pytest.raises(TypeError, match="fill_value"):
        zchunk.full_like(np.zeros(2))


def test_sub_array_dtype_gives_axes() -> None:
    z = zchunk.create((30,), chunks=(10,), dtype=np.dtype(("f4", (2,))))
    assert (z.shape, z.chunks, z.dtype) == ((30, 2), (10, 2), np.dtype("f4"))


@pytest.mark.parametrize(
    "dtype",
    [
        "U", "S", "V", "<U", ">U", "|S", "void", np.str_, np.bytes_, np.void,
        object, "O", "M8", "m8", [("a", "O")], "array", "array:", "array:nope",
    ],
)  # fmt: skip
def test_dtypes_that_are_refused(dtype: Any, variant: Variant, tmp_path: Path) -> None:
    variant.needed = False
    with pytest.raises(ValueError):
        zchunk.create(3, dtype=dtype, store=tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("dtype", ["U0", "S0", "V0", "<U0", np.dtype("U"), np.dtype("S"), np.dtype([])])
def test_dtypes_of_no_size_that_are_meant(dtype: Any, variant: Variant) -> None:
    if variant.kind != "v2" and dtype == np.dtype([]):
        dtype = "S0"
    assert zchunk.create(3, dtype=dtype).dtype == np.dtype(dtype)


@pytest.mark.parametrize("dtype", [np.str_, np.bytes_, "U", "S", "<U"])
def test_text_takes_its_size_from_the_data(dtype: Any) -> None:
    for data in (["abc", "d"], np.array(["abc", "d"]), np.array(["abc", "d"], "U9"), [1, 22]):
        expected = np.asarray(data, dtype=dtype)
        z = zchunk.array(data, dtype=dtype, chunks=1)
        assert z.dtype == expected.dtype
        np.testing.assert_array_equal(z[...], expected)
        again = zchunk.array(z, dtype=dtype)
        assert (again.dtype, again.chunks) == (expected.dtype, (1,))


def test_array_of_a_sub_array_dtype_is_numpys() -> None:
    dtype = np.dtype(("f4", (2,)))
    np.testing.assert_array_equal(zchunk.array([1, 2, 3], dtype=dtype)[...], np.asarray([1, 2, 3], dtype))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"compressor": "gzpi"}, {"compressor": {"id": "nope"}}, {"compressor": 3}, {"order": "K"},
        {"order": None},
        {"shape": -1}, {"shape": "x"}, {"shape": (2, None)}, {"shape": 2**63}, {"chunks": 0}, {"chunks": -2},
        {"chunks": (1, 1)}, {"chunks": "x"}, {"dtype": "nope"}, {"fill_value": "x"},
        {"dimension_separator": ":"},
        {"filters": ["x"]}, {"filters": [3]}, {"filters": 5}, {"filters": 0}, {"filters": "delta"},
        {"filters": Zlib()}, {"filters": {"id": "zlib"}}, {"nope": 1}, {"synchroniser": None},
        {"zarr_version": 4}, {"zarr_format": 1}, {"shards": 2, "zarr_format": 2},
        {"object_codec": "x"}, {"meta_array": Nonsense()},
        {"shape": 2**31, "chunks": 2**31, "dtype": "u1"},
        {"shape": 2**30, "chunks": False, "compressor": zchunk.LZ4()}, {"path": "a/../b"}, {"path": "a\0b"},
        {"path": ".."}, {"path": ".zarray"}, {"path": "a/.zgroup/b"}, {"path": "a/b.partial"},
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("name", ["a", "a.zip"])
def test_nonsense_is_refused_and_nothing_is_lost(
    name: str, kwargs: dict[str, Any], variant: Variant, tmp_path: Path
) -> None:
    if variant.kind != "v2" and "shards" in kwargs:
        kwargs = {"shards": 5, "chunks": 2}
    store = tmp_path / name
    zchunk.save(store, np.arange(3))
    before = files(tmp_path)
    for call, how in (
        (zchunk.create, {"overwrite": True}),
        (zchunk.open, {"mode": "w"}),
        (zchunk.open_array, {"mode": "w"}),
    ):
        with pytest.raises((ValueError, TypeError)):
            call(**{"shape": 3, "store": store, **how, **kwargs})  # type: ignore[operator]
        assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["a", "a.zip"])
def test_data_that_cannot_be_stored_lose_nothing(name: str, variant: Variant, tmp_path: Path) -> None:
    store = tmp_path / name
    zchunk.save(store, np.arange(3))
    before = files(tmp_path)
    overlapping = np.zeros(
        2, {"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [0, 2], "itemsize": 8}
    )
    for data, kwargs in (
        (["a", "b"], {"dtype": "i4"}), ([2**70], {"dtype": "i8"}), ([[1, 2], [3]], {}), ([object()], {}),
        *([(overlapping, {})] if variant.kind == "v2" else []),
        ([1], {"chunks": 0}), ([1], {"fill_value": "x"}),
    ):  # fmt: skip
        with pytest.raises((ValueError, OverflowError)):
            zchunk.array(data, store=store, overwrite=True, **kwargs)  # type: ignore[arg-type]
        assert files(tmp_path) == before
    with pytest.raises(TypeError, match="shape"):
        zchunk.open_array(store, "w")
    for call in (zchunk.open, zchunk.open_group):
        for kwargs in ({"path": ".."}, {"nope": 1}, {"zarr_version": 4}, {"meta_array": "x"}):
            with pytest.raises((ValueError, TypeError)):
                call(store, "w", **kwargs)  # type: ignore[operator]
    assert files(tmp_path) == before


def test_codecs_that_are_none() -> None:
    with pytest.raises(CodecError, match="did you mean 'zstd'"):
        zchunk.zeros(3, compressor="ztsd")
    for filters in (zchunk.codecs.Delta("f8"), 5, 0, "delta", {"id": "delta"}):
        with pytest.raises(CodecError, match="filters is a sequence of codecs"):
            zchunk.zeros(3, filters=filters)
    assert zchunk.zeros(3, filters=()).filters is None
    assert zchunk.zeros(3, filters=iter([zchunk.codecs.Delta("f8")])).filters == [zchunk.codecs.Delta("f8")]


@only_v2("filters that format 3 does not have in this place")
def test_chunk_limit_is_told_at_creation() -> None:
    with pytest.raises(MetadataError, match="smaller chunks"):
        zchunk.zeros(2**31, chunks=2**31, dtype="u1")
    assert zchunk.zeros(2**31, chunks=2**31, dtype="u1", compressor=None).nchunks == 1
    big = {"shape": 2**28, "chunks": False, "dtype": "f8"}
    Delta, Shuffle = zchunk.codecs.Delta, zchunk.codecs.Shuffle
    for filters in ([Delta("f8")], [Shuffle(8)], [Shuffle(8), zchunk.codecs.Quantize(3, "f8")]):
        with pytest.raises(MetadataError, match="'blosc'"):
            zchunk.zeros(**big, filters=filters)
    # Filters that halve the chunk, or may do so, leave room; one that doubles it does not.
    assert zchunk.zeros(**big, filters=[Delta("f8", "f4")]).nchunks == 1
    assert zchunk.zeros(**big, filters=[zchunk.Zstd()]).nchunks == 1
    with pytest.raises(MetadataError, match="'blosc'"):
        zchunk.zeros(**big | {"dtype": "f4"}, filters=[Delta("f4", "f8")])
    assert zchunk.zeros(3, filters=[Delta("S0", "S0")]).nchunks == 1


SIGNATURES = {
    "create": "shape chunks dtype compressor fill_value order store synchronizer overwrite path chunk_store "
    "filters cache_metadata cache_attrs read_only object_codec dimension_separator write_empty_chunks * "
    "zarr_version meta_array storage_transformers **kwargs",
    "open_array": "store mode shape chunks dtype compressor fill_value order synchronizer filters "
    "cache_metadata cache_attrs path object_codec chunk_store storage_options partial_decompress "
    "write_empty_chunks * zarr_version dimension_separator meta_array **kwargs",
    "open_like": "a path **kwargs",
    "open_group": "store mode cache_attrs synchronizer path chunk_store storage_options * zarr_version "
    "meta_array",
    "group": "store overwrite chunk_store cache_attrs synchronizer path * zarr_version meta_array",
    "open": "store mode * zarr_version path **kwargs",
    "save": "store *args zarr_version path **kwargs",
    "save_array": "store arr * zarr_version path **kwargs",
    "save_group": "store *args zarr_version path **kwargs",
    "copy": "source dest name shallow without_attrs log if_exists dry_run **create_kws",
    "copy_all": "source dest shallow without_attrs log if_exists dry_run **create_kws",
    "copy_store": "source dest source_path dest_path excludes includes flags if_exists dry_run log",
    "tree": "grp expand level",
    "load": "store zarr_version path",
    "open_consolidated": "store metadata_key mode **kwargs",
    # The synchronizer is zchunk's own.
    "consolidate_metadata": "store metadata_key * path synchronizer",
    "Array": "store path read_only chunk_store synchronizer cache_metadata cache_attrs partial_decompress "
    "write_empty_chunks zarr_version meta_array",
    "Group": "store path read_only chunk_store cache_attrs synchronizer zarr_version * meta_array",
}


# What zarr does not have.
OWN = {"cache_bytes", "checksum", "missing", "progress", "create_kws"}


# zarr 3's, which zarr 2 has not.
ZARR3 = {
    "zarr_format", "shards", "compressors", "serializer", "chunk_key_encoding", "dimension_names",
    "attributes", "storage_options", "config",
}  # fmt: skip


@NO_ARRAYS
@pytest.mark.parametrize("name", SIGNATURES)
def test_parameters_are_where_zarr_2_has_them(name: str) -> None:
    names, starred = [], False
    for parameter in inspect.signature(getattr(zchunk, name)).parameters.values():
        is_zarr3 = parameter.name in ZARR3 and parameter.name not in SIGNATURES[name].split()
        if (parameter.name in OWN and parameter.kind is not parameter.VAR_KEYWORD) or is_zarr3:
            assert parameter.kind is parameter.KEYWORD_ONLY
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            starred = True
            names.append("*")
        starred |= parameter.kind is parameter.VAR_POSITIONAL
        names.append(str(parameter.replace(annotation=parameter.empty, default=parameter.empty)))
    assert " ".join(names) == SIGNATURES[name]


@only_v2("the version is a parameter")
def test_zarrs_parameters_with_their_only_values() -> None:
    z = zchunk.open_array(
        {}, "w", 3, object_codec=None, storage_options=None, partial_decompress=True, zarr_version=2,
        meta_array=np.empty(()),
    )  # fmt: skip
    assert zchunk.open(z.store, zarr_version=2, partial_decompress=True) == z
    assert (
        zchunk.Array(z.store, partial_decompress=True, write_empty_chunks=False).write_empty_chunks is False
    )
    zchunk.create(3, zarr_version=2, meta_array=np.empty(()), storage_transformers=[])
    g = zchunk.open_group({}, storage_options={}, zarr_version=2, meta_array=np.empty(()))
    assert zchunk.group(g.store, zarr_version=2, meta_array=None) == g
    assert zchunk.Group(g.store, zarr_version=2, meta_array=np.empty(())) == g
    zchunk.save({}, [1], zarr_version=2)


@NO_ARRAYS
@pytest.mark.parametrize(
    ("call", "names"),
    [
        (zchunk.create, ["zarr_version", "meta_array", "storage_transformers"]),
        (zchunk.open_array, ["zarr_version", "meta_array"]),
        (zchunk.open_group, ["zarr_version", "meta_array"]),
        (zchunk.group, ["zarr_version", "meta_array"]),
        (zchunk.open, ["zarr_version"]),
        (zchunk.load, ["zarr_version"]),
        (zchunk.Array, ["zarr_version", "meta_array"]),
        (zchunk.Group, ["zarr_version", "meta_array"]),
    ],
)
def test_zarrs_parameters_with_other_values(call: Any, names: list[str]) -> None:
    wrong = {
        "zarr_version": 4, "meta_array": [1], "storage_transformers": ["x"],
    }  # fmt: skip
    for name in names:
        with pytest.raises(ValueError, match="zarr_format" if name == "zarr_version" else name):
            call({} if call is not zchunk.create else 3, **{name: wrong[name]})


def test_an_array_that_was_made_is_as_it_is_read(tmp_path):
    for store in (zchunk.DirectoryStore(tmp_path), zchunk.MemoryStore()):
        made = zchunk.create((4, 4), chunks=2, dtype="<U3", store=store, path="a/b", fill_value="x")
        read = zchunk.open(store, path="a/b")
        assert made.metadata is read.metadata
        made.resize(6, 4)
        read.refresh()
        assert made.shape == read.shape == (6, 4)
