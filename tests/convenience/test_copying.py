"""Copying arrays and groups, from and to HDF5 too: what arrives, what is in the way, what memory it takes."""

from __future__ import annotations

import inspect
import io
import sys
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.variants import NO_ARRAYS, Variant
from zchunk.codecs import Blosc, Zlib
from zchunk.convenience.copying import _copy_items
from zchunk.errors import CopyError

pytestmark = pytest.mark.usefixtures("variant")


def fill(group: Any) -> Any:
    """Put a small hierarchy into a group of zchunk's or h5py's."""
    foo = group.create_group("foo")
    foo.attrs["experiment"] = "weird science"
    baz = foo.create_dataset("bar/baz", data=np.arange(100), chunks=(50,))
    baz.attrs["units"] = "metres"
    group.create_dataset("spam", data=np.arange(100, 200, dtype="i2").reshape(20, 5), chunks=(10, 2))
    return group


def new(kind: str, path: Path) -> Iterator[Any]:
    if kind == "zchunk":
        yield zchunk.group(path)
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(path.with_suffix(".h5"), "w") as file:
            yield file


@pytest.fixture(params=["zchunk", "h5py"])
def source(request: pytest.FixtureRequest, variant: Variant, tmp_path: Path) -> Iterator[Any]:
    variant.needed &= request.param == "zchunk"
    yield from map(fill, new(request.param, tmp_path / "source"))


@pytest.fixture(params=["zchunk", "h5py"])
def dest(request: pytest.FixtureRequest, variant: Variant, tmp_path: Path) -> Iterator[Any]:
    variant.needed &= request.param == "zchunk"
    yield from new(request.param, tmp_path / "dest")


def check_same(a: Any, b: Any, attrs: bool = True) -> None:
    """Check that a copy has what the original has."""
    assert dict(b.attrs) == (dict(a.attrs) if attrs else {})
    if hasattr(a, "shape"):
        assert (b.shape, b.dtype, b.chunks) == (a.shape, a.dtype, a.chunks)
        np.testing.assert_array_equal(b[...], a[...])
    else:
        assert sorted(a) == sorted(b)
        for name in a:
            check_same(a[name], b[name], attrs)


# ---- what arrives


def test_a_group(source: Any, dest: Any) -> None:
    assert zchunk.copy(source["foo"], dest) == (3, 0, 800)
    check_same(source["foo"], dest["foo"])
    assert zchunk.copy(source["foo"], dest, name="x/y", without_attrs=True) == (3, 0, 800)
    check_same(source["foo"], dest["x/y"], attrs=False)


def test_an_array(source: Any, dest: Any) -> None:
    zchunk.copy(source["spam"], dest)
    check_same(source["spam"], dest["spam"])
    zchunk.copy(source["foo/bar/baz"], dest, "new/name", chunks=(30,))
    assert dest["new/name"].chunks == (30,)
    np.testing.assert_array_equal(dest["new/name"][...], np.arange(100))


def test_all_members(source: Any, dest: Any) -> None:
    source.attrs["root"] = 1
    dest.attrs["own"] = 2
    assert zchunk.copy_all(source, dest) == (4, 0, 1000)
    assert dict(dest.attrs) == {"root": 1, "own": 2}
    check_same(source["foo"], dest["foo"])
    check_same(source["spam"], dest["spam"])


def test_without_attributes_and_shallow(source: Any, dest: Any) -> None:
    source.attrs["root"] = 1
    zchunk.copy_all(source, dest, shallow=True, without_attrs=True)
    assert (list(dest), dict(dest.attrs)) == (["spam"], {})
    assert zchunk.copy(source, dest, "all", shallow=True) == (2, 0, 200)
    assert list(dest["all"]) == ["spam"]


def test_groups_that_are_there_stay(source: Any, dest: Any) -> None:
    dest.create_group("foo/other").attrs["x"] = 1
    zchunk.copy(source["foo"], dest)
    assert sorted(dest["foo"]) == ["bar", "other"]
    assert dest["foo/other"].attrs["x"] == 1
    check_same(source["foo/bar"], dest["foo/bar"])


def test_properties_from_zchunk_to_zchunk(variant: Variant) -> None:
    g = zchunk.group({})
    a = g.create(
        "a", shape=(7, 5), chunks=(3, 2), dtype="f4", fill_value=np.nan, order="F", compressor=Zlib(4)
    )
    a[:2] = np.arange(10).reshape(2, 5)
    zchunk.copy(a, g, "b")
    b = g["b"]
    assert (b.shards, b.chunks, b.order, b.compressor) == (a.shards, a.chunks, a.order, a.compressor)
    # Chunks that are not stored are not stored in the copy.
    values = {key.partition("/")[2]: g.store[key] for key in g.store if key.startswith("a/")}
    assert values == {key.partition("/")[2]: g.store[key] for key in g.store if key.startswith("b/")}
    assert set(values) == {variant.array_key, *variant.keys(1, 3)}
    zchunk.copy(a, g, "c", compressor=None, order="C", fill_value=1, chunks=(2, 5), dimension_separator="/")
    c = g["c"]
    assert (c.compressor, c.order, c.fill_value, c.chunks) == (None, "C", 1, (2, 5))
    np.testing.assert_array_equal(c[...], a[...])


@pytest.mark.variants("v2", "v3", reason="replaces a chunk that is no shard")
def test_stored_chunks_are_copied_as_they_are(variant: Variant) -> None:
    g = zchunk.group({})
    g.array("a", np.zeros(10), chunks=5, compressor=Blosc("lz4"))
    # Another encoding of the same: what decoding and encoding again would not give.
    other = Blosc("zstd", 1).encode(np.zeros(5))
    g.store[f"a/{variant.chunk(1)}"] = other
    zchunk.copy(g["a"], g, "b")
    assert g.store[f"b/{variant.chunk(1)}"] == other
    # The empty chunks of this one are not to be stored.
    zchunk.copy(g["a"], g, "c", write_empty_chunks=False)
    assert g.store.list_dir("c") == [variant.array_key]


def test_copies_are_seen_by_who_has_cached_chunks() -> None:
    g = zchunk.group({}, cache_bytes=1 << 20)
    g["a"] = [1, 2]
    g["b"] = [3, 4]
    b = g["b"]
    assert b[...].tolist() == [3, 4]
    zchunk.copy(g["a"], g, "b", if_exists="replace")
    assert (b[...].tolist(), g["b"][...].tolist()) == ([1, 2], [1, 2])


def test_separators_may_differ(tmp_path: Path) -> None:
    g = zchunk.group({})
    a = g.array("a", np.arange(12).reshape(3, 4), chunks=2)
    dest = zchunk.group(zchunk.NestedDirectoryStore(tmp_path))
    zchunk.copy(a, dest)
    assert dest["a"].dimension_separator == "/"
    np.testing.assert_array_equal(dest["a"][...], a[...])


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3)])
def test_small_shapes(shape: tuple[int, ...], source: Any, dest: Any) -> None:
    if isinstance(source, zchunk.Group):
        # Longer chunks than the array, which HDF5 does not have.
        a = source.create_dataset("a", shape=shape, chunks=(5,) * len(shape), dtype="i4")
        a[...] = 7
    else:
        a = source.create_dataset("a", data=np.full(shape, 7, "i4"))
    zchunk.copy(a, dest)
    assert (dest["a"].shape, dest["a"].dtype) == (shape, np.dtype("i4"))
    np.testing.assert_array_equal(dest["a"][...], a[...])


def test_fill_values(source: Any, dest: Any) -> None:
    name = "fill_value" if isinstance(source, zchunk.Group) else "fillvalue"
    source.create_dataset("a", shape=10, chunks=(5,), dtype="i4", **{name: 42})
    zchunk.copy(source["a"], dest)
    assert getattr(dest["a"], "fill_value" if isinstance(dest, zchunk.Group) else "fillvalue") == 42
    assert (dest["a"][...] == 42).all()


@NO_ARRAYS
def test_codecs_from_hdf5_to_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        settings = {"compression": "gzip", "compression_opts": 3, "shuffle": True, "fletcher32": True}
        file.create_dataset("a", data=np.arange(10), chunks=(5,), **settings)
        file.create_dataset("contiguous", data=np.arange(10))
        zchunk.copy(file["a"], file, "b")
        zchunk.copy(file["contiguous"], file, "c")
        assert {name: getattr(file["b"], name) for name in settings} == settings
        assert file["c"].chunks is None
        assert file["c"][...].tolist() == list(range(10))


def test_objects() -> None:
    numcodecs = pytest.importorskip("numcodecs")
    g = zchunk.group()
    a = g.array("a", ["x", "yy", ""], dtype=str, chunks=2, filters=[numcodecs.Shuffle(1)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, kwargs in (("b", {}), ("c", {"chunks": 3, "compressor": None})):
            zchunk.copy(a, g, name, **kwargs)
            assert g[name].filters == a.filters
            assert g[name][...].tolist() == ["x", "yy", ""]


def test_strings_from_and_to_hdf5(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    numcodecs = pytest.importorskip("numcodecs")
    g = zchunk.group()
    for file in new("h5py", tmp_path / "a"):
        file["s"] = ["x", "yy"]
        zchunk.copy(file["s"], g, object_codec=numcodecs.VLenBytes())
        with pytest.raises(ValueError, match="object_codec"):
            zchunk.copy(file["s"], g, "other")
        assert g["s"][...].tolist() == [b"x", b"yy"]
        text = g.array("text", ["x", "yy"], dtype=str)
        zchunk.copy(text, file)
        assert file["text"].asstr()[...].tolist() == ["x", "yy"]


@pytest.mark.variants("v3", reason="format 2 has no names of axes")
def test_names_of_axes_to_hdf5(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    a = zchunk.ones((2, 3), chunks=2, dtype="i4", zarr_format=3, dimension_names=["t", None])
    for file in new("h5py", tmp_path / "a"):
        zchunk.copy(a, file, "a")
        assert [axis.label for axis in file["a"].dims] == ["t", ""]


def test_another_dtype(source: Any, dest: Any) -> None:
    zchunk.copy(source["spam"], dest, dtype="f4")
    assert dest["spam"].dtype == np.dtype("f4")
    np.testing.assert_array_equal(dest["spam"][...], source["spam"][...])


# ---- what is in the way


def test_an_array_in_the_way(source: Any, dest: Any) -> None:
    dest.create_dataset("baz", shape=(10,), dtype="i1")
    for kwargs in ({}, {"if_exists": "raise"}, {"dry_run": True}):
        with pytest.raises(CopyError, match="baz"):
            zchunk.copy(source["foo/bar/baz"], dest, **kwargs)
    assert zchunk.copy(source["foo/bar/baz"], dest, if_exists="skip") == (0, 1, 0)
    assert dest["baz"].shape == (10,)
    assert zchunk.copy(source["foo/bar/baz"], dest, if_exists="replace") == (1, 0, 800)
    check_same(source["foo/bar/baz"], dest["baz"])


def test_a_group_in_the_way_of_an_array(source: Any, dest: Any) -> None:
    dest.create_group("baz/x")
    with pytest.raises(CopyError):
        zchunk.copy(source["foo/bar/baz"], dest)
    assert zchunk.copy(source["foo/bar/baz"], dest, if_exists="skip") == (0, 1, 0)
    assert list(dest["baz"]) == ["x"]
    zchunk.copy(source["foo/bar/baz"], dest, if_exists="replace")
    check_same(source["foo/bar/baz"], dest["baz"])


def test_an_array_in_the_way_of_a_group(source: Any, dest: Any) -> None:
    dest.create_dataset("foo/bar", shape=(10,), dtype="f4")
    with pytest.raises(CopyError):
        zchunk.copy(source["foo"], dest)
    assert zchunk.copy(source["foo"], dest, if_exists="skip") == (1, 1, 0)
    assert dest["foo/bar"].shape == (10,)
    assert zchunk.copy(source["foo"], dest, if_exists="replace", dry_run=True) == (3, 0, 0)
    assert dest["foo/bar"].shape == (10,)
    zchunk.copy(source["foo"], dest, if_exists="replace")
    check_same(source["foo"], dest["foo"])


def test_skipping_what_is_whole() -> None:
    source, dest = fill(zchunk.group()), zchunk.group()
    a = dest.create_dataset("baz", shape=100, chunks=10, dtype="i8")
    a[:50] = 1
    assert zchunk.copy(source["foo/bar/baz"], dest, if_exists="skip_initialized") == (1, 0, 800)
    dest["baz"][...] = 5
    assert zchunk.copy(source["foo/bar/baz"], dest, if_exists="skip_initialized") == (0, 1, 0)
    assert (dest["baz"][...] == 5).all()
    # Shards that hold fewer chunks than they could.
    dest.create_dataset("edge", shape=100, chunks=40, dtype="i8")[...] = 1
    assert zchunk.copy(source["foo/bar/baz"], dest, "edge", if_exists="skip_initialized") == (0, 1, 0)


def test_skipping_what_is_whole_is_not_for_hdf5(tmp_path: Path) -> None:
    for file in new("h5py", tmp_path / "a"):
        with pytest.raises(ValueError, match="skip_initialized"):
            zchunk.copy(fill(zchunk.group())["foo"], file, if_exists="skip_initialized")
        assert list(file) == []


def test_dry_run(source: Any, dest: Any) -> None:
    assert zchunk.copy(source["foo"], dest, dry_run=True) == (3, 0, 0)
    assert zchunk.copy_all(source, dest, dry_run=True) == (4, 0, 0)
    assert (len(dest), dict(dest.attrs)) == (0, {})
    dest.create_dataset("foo/bar/baz", shape=(1,), dtype="f4")
    assert zchunk.copy(source["foo"], dest, dry_run=True, if_exists="skip") == (2, 1, 0)
    with pytest.raises(CopyError):
        zchunk.copy(source["foo"], dest, dry_run=True)


def test_copies_into_or_instead_of_the_source(source: Any, variant: Variant) -> None:
    for name, dest, if_exists in (
        ("foo", source["foo"], "raise"), ("foo", source["foo/bar"], "raise"), ("foo", source, "replace"),
        ("spam", source, "replace"), ("foo/bar/baz", source["foo/bar"], "skip_initialized"),
    ):  # fmt: skip
        if if_exists == "skip_initialized":
            if not isinstance(source, zchunk.Group):
                continue
            del source.store[f"foo/bar/baz/{variant.chunk(0)}"]
        with pytest.raises(CopyError):
            zchunk.copy(source[name], dest, if_exists=if_exists)
    # The group that holds the source would be deleted.
    with pytest.raises(CopyError):
        zchunk.copy(source["foo/bar/baz"], source, "foo", if_exists="replace")
    with pytest.raises(CopyError):
        zchunk.copy(source, source["foo"], "all")
    assert sorted(source["foo"]) == ["bar"]
    assert source["spam"][0, 0] == 100
    # Beside it, and above it, is fine.
    zchunk.copy(source["foo"], source, "foo2")
    check_same(source["foo"], source["foo2"])
    zchunk.copy(source["foo/bar"], source, "foo")
    check_same(source["foo/bar/baz"], source["foo/baz"])


def test_a_store_that_is_opened_twice_is_the_same(tmp_path: Path) -> None:
    g = fill(zchunk.open_group(tmp_path / "g"))
    zchunk.consolidate_metadata(tmp_path / "g")
    for again in (zchunk.open_group(tmp_path / "g"), zchunk.open_consolidated(tmp_path / "g")):
        with pytest.raises(CopyError):
            zchunk.copy(again["spam"], g, if_exists="replace")
        with pytest.raises(CopyError):
            zchunk.copy(again["foo"], g["foo/bar"])
    assert g["spam"][0, 0] == 100


def test_wrong_parameters(source: Any, dest: Any) -> None:
    with pytest.raises(ValueError, match="foobar"):
        zchunk.copy(source["foo"], dest, if_exists="foobar")
    with pytest.raises(ValueError, match="not a group"):
        zchunk.copy(source["foo"], source["spam"])
    with pytest.raises(TypeError, match="name"):
        zchunk.copy(source, dest)
    with pytest.raises(TypeError, match="name"):
        zchunk.copy(zchunk.zeros(3), dest)
    with pytest.raises(TypeError, match="log"):
        zchunk.copy(source["foo"], dest, log=True)
    assert len(dest) == 0


# ---- the log


def test_log(tmp_path: Path) -> None:
    source, dest = fill(zchunk.group()), zchunk.group()
    lines = ["copy /foo", "copy /foo/bar", "copy /foo/bar/baz (100,) int64"]
    seen: list[str] = []
    zchunk.copy(source["foo"], dest, log=seen.append)
    assert seen == [*lines, "all done: 3 copied, 0 skipped, 800 bytes copied"]
    file = io.StringIO()
    zchunk.copy(source["foo"], dest, log=file, if_exists="skip", dry_run=True)
    lines[2] = "skip /foo/bar/baz (100,) int64"
    assert file.getvalue().splitlines() == [*lines, "dry run: 2 copied, 1 skipped"]
    for path in (tmp_path / "log", str(tmp_path / "log")):
        zchunk.copy(source["foo"], zchunk.group(), log=path)
        assert (tmp_path / "log").read_text().endswith("all done: 3 copied, 0 skipped, 800 bytes copied\n")
    seen.clear()
    with pytest.raises(CopyError):
        zchunk.copy(source["foo"], dest, log=seen.append)
    assert seen == lines[:2]


# ---- how much at a time


@pytest.mark.parametrize("kwargs", [{}, {"chunks": (100, 100), "compressor": None}])
def test_memory(kwargs: dict[str, Any], tmp_path: Path) -> None:
    source, dest = zchunk.group(tmp_path / "a"), zchunk.group(tmp_path / "b")
    a = source.create("a", shape=(1000, 4000), chunks=(1000, 100), dtype="f4", compressor=None)
    for start in range(0, 4000, 100):
        a[:, start : start + 100] = start
    tracemalloc.start()
    try:
        zchunk.copy(a, dest, **kwargs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < a.nbytes / 4
    assert dest["a"][500, ::100].tolist() == list(range(0, 4000, 100))


@NO_ARRAYS
def test_large_pieces_are_cut() -> None:
    """Chunks that lie across each other are not combined to all of the array."""
    read = []

    class Source:
        shape, chunks, dtype = (20000, 20000), (1, 20000), np.dtype("f8")

        def __getitem__(self, selection: Any) -> None:
            read.append(tuple(s.stop - s.start for s in selection))

    class Target(dict[Any, Any]):
        chunks = (20000, 1)

        def __setitem__(self, key: Any, value: Any) -> None:
            pass

    _copy_items(Source(), Target(), lambda amount: None)
    assert set(read) == {(20000, 1)}
    read.clear()
    Source.chunks = (1, 100)
    Target.chunks = (50, 50)
    Source.shape = (100, 250)
    _copy_items(Source(), Target(), lambda amount: None)
    assert read == [(50, 100), (50, 100), (50, 50)] * 2


def test_into_itself_by_another_way(tmp_path: Path) -> None:
    outer = zchunk.open_group(zchunk.DirectoryStore(tmp_path / "p"))
    outer["g/a"] = [1, 2]
    inner = zchunk.open_group(zchunk.DirectoryStore(tmp_path / "p" / "g"))
    (tmp_path / "link").symlink_to(tmp_path / "p", target_is_directory=True)
    linked = zchunk.open_group(zchunk.DirectoryStore(tmp_path / "link"))
    for source, dest, name in ((inner, outer, "g/b"), (linked["g"], inner, "b"), (outer, inner, "b")):
        with pytest.raises(CopyError, match="in itself"):
            zchunk.copy(source, dest, name)
    with pytest.raises(CopyError, match="its source"):
        zchunk.copy(inner["a"], linked["g"], "a", if_exists="replace")
    assert list(outer["g"]) == ["a"]
    assert zchunk.copy(inner, outer, "gg")[0] == 2
    assert outer["gg/a"][:].tolist() == [1, 2]


def test_into_itself_with_other_chunks() -> None:
    store: dict[str, bytes] = {}
    plain, other = zchunk.group(store), zchunk.open_group(store, chunk_store={})
    plain["g/a"] = [1]
    for source, dest in ((plain["g"], other), (other["g"], plain)):
        with pytest.raises(CopyError, match="in itself"):
            zchunk.copy(source, dest, "g/b")
    with pytest.raises(CopyError, match="its source"):
        zchunk.copy(plain["g/a"], other["g"], "a", if_exists="replace")
    assert plain["g/a"][:].tolist() == [1]


def test_a_member_called_shape() -> None:
    source = zchunk.group()
    source["g/shape"] = [1, 2]
    dest = zchunk.group()
    for _ in range(2):
        assert zchunk.copy(source["g"], dest, if_exists="replace")[0] == 2
    assert dest["g/shape"][:].tolist() == [1, 2]
    shallow = zchunk.group()
    zchunk.copy_all(source, shallow, shallow=True)
    assert list(shallow) == []


@NO_ARRAYS
def test_hierarchies_deeper_than_python_nests() -> None:
    path = "/".join("a" * 200)
    source, dest = zchunk.group(), zchunk.group()
    source.create_group(path)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        copied = zchunk.copy_all(source, dest)
    finally:
        sys.setrecursionlimit(limit)
    assert copied[0] == 200
    assert path in dest


def test_nodes_that_are_named_by_their_paths(tmp_path: Path) -> None:
    fill(zchunk.open_group(tmp_path / "from.zarr", "w"))
    for dest in (str(tmp_path / "to.zarr"), tmp_path / "to.zip"):
        zchunk.copy(tmp_path / "from.zarr", dest, "g")
        zchunk.copy_all(str(tmp_path / "from.zarr"), dest)
        with zchunk.open_group(dest, "r") as found:
            assert found["g/foo/bar/baz"][:].tolist() == found["foo/bar/baz"][:].tolist() == list(range(100))
    with pytest.raises(TypeError, match="no name"):
        zchunk.copy(str(tmp_path / "from.zarr"), str(tmp_path / "to.zarr"))


# ---- lazy views


def test_a_lazy_view_is_copied_with_the_properties_of_its_array(variant: Variant) -> None:
    items = np.arange(20 * 6 * 4).reshape(20, 6, 4)
    source, dest = zchunk.group(), zchunk.group()
    names = ["t", "y", "x"]
    named: dict[str, Any] = (
        {"attributes": {"_ARRAY_DIMENSIONS": names, "unit": "m"}}
        if variant.kind == "v2"
        else {"dimension_names": names, "attributes": {"unit": "m"}}
    )
    z = source.create_dataset("z", data=items, chunks=(5, 3, 4), compressor=Zlib(1), **named)
    view = z.lazy[2:, :, None, [3, 0]][::2].T
    assert zchunk.copy(view, dest)[0] == 1
    new = dest["z"]
    np.testing.assert_array_equal(new[...], items[2:, :, None, [3, 0]][::2].T)
    assert new.chunks == (2, 1, 3, 5)
    assert new.compressor == z.compressor
    assert new.attrs["unit"] == "m"
    assert "_ARRAY_DIMENSIONS" not in new.attrs
    if variant.kind != "v2":
        assert new.dimension_names == ("x", None, "y", "t")
    zchunk.copy(z.lazy[:, 0].T, dest, "plane")
    if variant.kind == "v2":
        assert dest["plane"].attrs["_ARRAY_DIMENSIONS"] == ["x", "t"]
    else:
        assert dest["plane"].dimension_names == ("x", "t")


def test_side_by_side(variant: Variant) -> None:
    a, b = zchunk.array(np.arange(10), chunks=4, path="a"), zchunk.array(np.arange(6) / 2, chunks=4, path="b")
    dest = zchunk.group()
    with pytest.raises(TypeError, match="has no name; give the copy a name"):
        zchunk.copy(zchunk.concat([a, b]), dest)
    zchunk.copy(zchunk.concat([a, b]), dest, "both")
    assert (dest["both"].dtype, dest["both"].chunks, dict(dest["both"].attrs)) == (np.float64, (4,), {})
    np.testing.assert_array_equal(dest["both"][...], np.concatenate([np.arange(10), np.arange(6) / 2]))


def test_fields_and_points_of_a_view() -> None:
    items = np.zeros((6, 8), [("a", "i2"), ("b", "f4")])
    items["b"] = np.arange(48).reshape(6, 8)
    z, dest = zchunk.array(items, chunks=(2, 4), path="z"), zchunk.group()
    zchunk.copy(z.lazy["b"], dest, "field")
    assert (dest["field"].dtype, dest["field"].chunks) == (np.float32, (2, 4))
    np.testing.assert_array_equal(dest["field"][...], items["b"])
    zchunk.copy(z.lazy.vindex[items["b"] % 5 == 0], dest, "points")
    assert dest["points"].chunks == (8,)
    np.testing.assert_array_equal(dest["points"][...], items[items["b"] % 5 == 0])


def test_a_view_is_not_copied_over_its_array() -> None:
    g = zchunk.group()
    g["z"], g["y"] = np.arange(5), np.arange(5)
    for view in (g["z"].lazy[::-1], zchunk.concat([g["y"], g["z"]])):
        with pytest.raises(CopyError, match="and so its source"):
            zchunk.copy(view, g, "z", if_exists="replace")
    assert g["z"][...].tolist() == [0, 1, 2, 3, 4]


@NO_ARRAYS
def test_items_in_memory_are_refused_before_a_destination_is_made(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"type ndarray.*group\[name\] = items"):
        zchunk.copy(np.arange(3), tmp_path / "new.zarr", "a")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"type list.*zchunk\.save_array"):
        zchunk.copy_all([1, 2], tmp_path / "new.zarr")  # type: ignore[arg-type]
    assert not (tmp_path / "new.zarr").exists()


def test_a_view_to_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2, path="z", attributes={"unit": "m"})
    with h5py.File(tmp_path / "new.h5", "w") as file:
        zchunk.copy(z.lazy[:, ::-1].T, file)
        np.testing.assert_array_equal(file["z"][...], np.arange(12).reshape(3, 4)[:, ::-1].T)
        assert file["z"].attrs["unit"] == "m"
