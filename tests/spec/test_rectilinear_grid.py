"""Rectilinear chunk grids: other libraries' arrays, selections against NumPy, and metadata that lie."""

from __future__ import annotations

import base64
import io
import itertools
import json
import math
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zchunk
from tests import GOLDEN
from tests.engine.test_execute import executor
from tests.indexing.test_brackets import in_brackets
from zchunk.codecs import Blosc, Zstd
from zchunk.codecs.crc32c import Crc32c
from zchunk.errors import ChunkError, CodecError, MetadataError, SelectionError
from zchunk.metadata.v3 import document as v3
from zchunk.spec.rectilinear_grid import ChunkShapes, RectilinearGrid, normalize_edges, resized

ARCHIVE = zipfile.ZipFile(GOLDEN / "rectilinear" / "zarr3.zip")
CASES = sorted({name.split("/")[0] for name in ARCHIVE.namelist()} - {"values"})


def lengths_of(edges: Any, length: int) -> list[int]:
    """The lengths of all chunks along an axis that hold items."""
    every = itertools.repeat(edges) if isinstance(edges, int) else expanded(edges)
    found: list[int] = []
    while sum(found) < length:
        found.append(next(every))
    return found


def expanded(edges: Any) -> Any:
    for edge in edges:
        n, count = (edge, 1) if isinstance(edge, int) else edge
        yield from itertools.repeat(n, count)


def grid_json(edges: Any) -> dict[str, Any]:
    return {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": edges}}


def stored(items: np.ndarray, edges: Any, store: Any = None, skip: Any = (), **kwargs: Any) -> Any:
    """A store with an array of a rectilinear grid, each chunk of it written as an array of its own.

    Beyond the edge of the array are ones. The chunks `skip` are not written. With `inner`, chunks are shards.
    """
    store = {} if store is None else store
    inner = kwargs.pop("inner", None)
    lengths = [lengths_of(e, n) for e, n in zip(edges, items.shape, strict=True)]
    padded = np.ones([sum(axis) for axis in lengths], items.dtype)
    padded[tuple(map(slice, items.shape))] = items
    document: dict[str, Any] = {}
    for coords in itertools.product(*(range(max(len(axis), 1)) for axis in lengths)):
        starts = [sum(axis[:c]) for axis, c in zip(lengths, coords, strict=True)]
        units = inner or (1,) * items.ndim
        shape = tuple(axis[c] if axis else n for axis, c, n in zip(lengths, coords, units, strict=True))
        how = {"chunks": shape} if inner is None else {"chunks": inner, "shards": shape}
        part: dict[str, Any] = {}
        one = zchunk.create(shape, dtype=items.dtype, store=part, zarr_format=3, **how, **kwargs)
        if not document:
            document = json.loads(part["zarr.json"])
        if not items.size or coords in skip:
            continue
        one[...] = padded[tuple(slice(a, a + n) for a, n in zip(starts, shape, strict=True))]
        encoding = one.metadata.chunk_key_encoding
        store[encoding.encode(coords)] = part[encoding.encode((0,) * len(shape))]
    document |= {"shape": items.shape, "chunk_grid": grid_json(edges)}
    store["zarr.json"] = json.dumps(document).encode()
    return store


# ---- what others wrote


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("mapping", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, mapping: bool, tmp_path: Path) -> None:
    expected = json.loads(ARCHIVE.read(f"{case}/expected.json"))[""]
    wanted = np.load(io.BytesIO(ARCHIVE.read(f"values/{expected['values']}.npy")))
    files = {
        name.removeprefix(f"{case}/store/"): ARCHIVE.read(name)
        for name in ARCHIVE.namelist()
        if name.startswith(f"{case}/store/")
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    z: Any = zchunk.open(files if mapping else tmp_path, mode="r")

    assert (z.shape, z.dtype, z.order) == (wanted.shape, wanted.dtype, expected["order"])
    assert z.chunks == tuple(tuple(n) if isinstance(n, list) else n for n in expected["chunks"])
    assert z.shards == (expected["shards"] and tuple(map(tuple, expected["shards"])))
    assert (z.nchunks, z.nchunks_initialized) == (expected["nchunks"], expected["nchunks_initialized"])
    assert np.asarray(z.fill_value).tobytes() == base64.b64decode(expected["fill_value"])
    assert z.nbytes_stored == sum(map(len, files.values()))
    for selection in (..., slice(1, -1, 2), slice(None, None, -3), (..., -1)):
        np.testing.assert_array_equal(z[selection], wanted[selection])
    picks = [np.random.default_rng(axis).integers(0, n, 5) for axis, n in enumerate(z.shape)]
    np.testing.assert_array_equal(z.oindex[tuple(picks)], wanted[np.ix_(*picks)])
    np.testing.assert_array_equal(z.vindex[tuple(picks)], wanted[tuple(picks)])

    raw = json.loads(files["zarr.json"])
    rendered = json.loads(v3.render_array(v3.parse_array(files["zarr.json"], "zarr.json"), raw["attributes"]))
    # Codecs may spell out defaults.
    del rendered["codecs"], raw["codecs"]
    assert rendered == raw


def test_golden_data_are_there() -> None:
    assert len(CASES) == 30


# ---- against NumPy


@st.composite
def edges_of(draw: st.DrawFn, length: int, unit: int) -> Any:
    """Edges of an axis, in any form; all are multiples of `unit`."""
    edge = st.integers(1, 4).map(lambda n: n * unit)
    if draw(st.booleans()):
        return draw(edge)
    # Without any there is no shard to cut.
    least = int(unit > 1)
    entries = draw(st.lists(edge | st.tuples(edge, st.integers(1, 3)).map(list), min_size=least, max_size=4))
    missing = length - sum(expanded(entries))
    if missing > 0:
        entries.append(-(-missing // unit) * unit)
    if draw(st.integers(0, 3)) == 0:
        entries += [unit, [2 * unit, 10**12]]
    return entries


def basic(draw: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    bound = st.none() | st.integers(-14, 14)
    step = st.none() | st.integers(-5, 5).filter(bool)
    entries = [
        draw(st.builds(slice, bound, bound, step) | (st.integers(-n, n - 1) if n else st.just(slice(None))))
        for n in shape
    ]
    return tuple(entries)


def orthogonal(draw: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    entries = list(basic(draw, shape))
    for axis, n in enumerate(shape):
        kind = draw(st.integers(0, 2))
        if kind == 1:
            entries[axis] = np.array(draw(st.lists(st.integers(-n, n - 1) if n else st.nothing())), int)
        elif kind == 2:
            entries[axis] = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    return tuple(entries)


CODECS: list[Any] = [[], [Blosc()], [Zstd(1)], [Blosc("zstd", 1), Crc32c()]]
DTYPES = ["|u1", "<i4", ">f8", "<c8", "<M8[s]", "<U3"]


@pytest.mark.parametrize("name", ["native", "generic"])
@settings(max_examples=settings.default.max_examples // 2)
@given(data=st.data())
def test_reads_as_numpy(name: str, data: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    draw = data.draw
    shape = tuple(draw(st.lists(st.integers(0, 12), max_size=3)))
    inner = draw(st.none() | st.tuples(*(st.integers(1, 3) for _ in shape))) if shape else None
    edges = [draw(edges_of(n, inner[i] if inner else 1)) for i, n in enumerate(shape)]
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    items = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 9, shape).astype(dtype)
    chunks = [len(lengths_of(e, n)) for e, n in zip(edges, shape, strict=True)]
    every = list(itertools.product(*map(range, chunks)))
    skip = draw(st.sets(st.sampled_from(every), max_size=4)) if every else set()
    store = draw(st.sampled_from([lambda: None, lambda: tmp_path_factory.mktemp("z")]))()
    store = None if store is None else zchunk.DirectoryStore(store)
    store = stored(
        items,
        edges,
        store,
        skip,
        compressors=draw(st.sampled_from(CODECS)),
        order=draw(st.sampled_from("CF")),
        fill_value="7" if dtype.kind == "U" else 7,
        chunk_key_encoding=draw(st.sampled_from([("default", "/"), ("default", "."), ("v2", ".")])),
        inner=inner,
    )
    for coords in skip:
        begin = [sum(lengths_of(e, n)[:c]) for e, n, c in zip(edges, shape, coords, strict=True)]
        ends = [sum(lengths_of(e, n)[: c + 1]) for e, n, c in zip(edges, shape, coords, strict=True)]
        items[tuple(map(slice, begin, ends))] = np.array(7).astype(dtype)
    cache = draw(st.sampled_from([None, 0, 1000, 10**6]))
    z: Any = zchunk.open_array(store, mode="r", cache_bytes=cache)
    with executor(name):
        np.testing.assert_array_equal(z[...], items)
        for _ in range(3):
            selection = basic(draw, shape)
            np.testing.assert_array_equal(z[selection], items[selection])
            out = np.empty(items[selection].shape[::-1], dtype).T
            np.testing.assert_array_equal(z.get_basic_selection(selection, out=out), items[selection])
            selection = orthogonal(draw, shape)
            found = z.oindex[selection]
            np.testing.assert_array_equal(found, zchunk.indexing.oindex(items, selection))
            selection = draw(in_brackets(shape))
            np.testing.assert_array_equal(z[selection], items[selection])
        if items.size and shape:
            points = tuple(
                np.array(draw(st.lists(st.integers(-n, n - 1), min_size=6, max_size=6))).reshape(2, 3)
                for n in shape
            )
            np.testing.assert_array_equal(z.vindex[points], items[points])
        mask = np.random.default_rng(0).random(shape) < 0.4
        if shape:
            np.testing.assert_array_equal(z.vindex[mask], items[mask])
        if items.size:
            blocks = tuple(slice(draw(st.integers(0, n - 1)), draw(st.integers(0, n))) for n in chunks)
            starts = [[0, *itertools.accumulate(lengths_of(e, n))] for e, n in zip(edges, shape, strict=True)]
            spans = tuple(slice(s[b.start], s[b.stop]) for s, b in zip(starts, blocks, strict=True))
            np.testing.assert_array_equal(z.blocks[blocks], items[spans])
        if shape:
            rows = list(z)
            assert len(rows) == len(items)
            for row, wanted in zip(rows, items, strict=True):
                np.testing.assert_array_equal(row, wanted)
    if inner is None:
        assert z.nchunks == len(every)
        assert z.nchunks_initialized == len(every) - len(skip) if items.size else z.nchunks_initialized == 0
        assert tuple(map(sum, z.chunks)) == shape
    else:
        assert z.chunks == inner
        assert z.nchunks == math.prod(-(-n // c) for n, c in zip(shape, inner, strict=True))


@given(st.data())
def test_grid(data: Any) -> None:
    draw = data.draw
    length = draw(st.integers(0, 30))
    edges = draw(edges_of(length, 1))
    frozen = edges if isinstance(edges, int) else tuple(e if isinstance(e, int) else tuple(e) for e in edges)
    grid = RectilinearGrid((length,), (frozen,))
    lengths = lengths_of(edges, length)
    ends = list(itertools.accumulate(lengths))
    assert grid.cdata_shape == (len(lengths),)
    assert grid.lengths(0) == set(lengths)
    assert grid.largest[0] == max(lengths, default=grid.largest[0])
    assert sum(grid.chunks[0]) == length
    assert list(grid.chunks[0][:-1]) == lengths[:-1]
    assert [grid.shape_of((c,)) for c in range(len(lengths))] == [(n,) for n in lengths]
    for position in range(length):
        assert grid.end_of(0, position) == next(end for end in ends if end > position)
        assert grid.begin_of(0, position) == max([0, *(end for end in ends if end <= position)])
    bounds = {0, *ends[:-1]}
    steps = [n for n in range(1, length + 1) if all(m in bounds for m in range(0, length, n))]
    assert grid.steps == (min(steps, default=1),)
    for n in set(lengths):
        # Up to the end of the array, if the last chunk has this length.
        assert grid.extents((n,)) == (len(lengths) * n - (ends[-1] - length) * (lengths[-1] == n),)
    for first, stop in itertools.combinations_with_replacement(range(len(lengths) + 1), 2):
        span = (min(sum(lengths[:n]), length) for n in (first, stop))
        assert grid.span(0, first, stop) == slice(*span)


def test_edges_in_the_words_of_users() -> None:
    assert normalize_edges([[3, 3, 1], 5, -1, None], (7, 9, 0, 4)) == (((3, 2), 1), 5, 1, 4)
    assert normalize_edges([[3, 3, 1]], (7, 9)) == (((3, 2), 1), 9)
    assert normalize_edges([-1, [4, 4]], (7, 8), (4, 4), "shards") == (8, ((4, 2),))
    assert normalize_edges(np.array([[3, 4], [1, 6]]), (7, 7)) == ((3, 4), (1, 6))
    kept = ChunkShapes((5, ((3, 1), (3, 1), 1)), (5, 3))
    assert normalize_edges(kept, (7, 6)) == (5, ((3, 2), 1))
    assert "((3, 1), (3, 1), 1)" in repr(kept)


def test_edges_of_what_is_resized() -> None:
    assert resized(((10, 20), 7), (45, 45), (1, 1)) == ((10, 20, 15), 7)
    assert resized((((10, 2),),), (30,), (1,)) == (((10, 3),),)
    assert resized(((10, 20),), (5,), (1,)) == ((10, 20),)
    assert resized(((10, 20),), (35,), (10,)) == ((10, 20, 10),)
    assert resized(((10, 20),), (30,), (10,)) == ((10, 20),)


def test_steps_that_would_take_long_to_find() -> None:
    assert RectilinearGrid((10**12,), (((1, 10**12),),)).steps == (1,)
    assert RectilinearGrid((10**12 + 2,), (((1, 10**12), 2),)).steps == (10**12 + 2,)
    many = tuple(range(1, 9000))
    assert RectilinearGrid((sum(many),), (many,)).steps == (sum(many),)


# ---- kinds of items


def test_strings_and_structures() -> None:
    words = np.array([["a", "", "ü"], ["語", "b" * 50, "x"], ["q", "r", "s"]], object)
    z = zchunk.open_array(_strings(words))
    assert z[...].tolist() == words.tolist()
    assert z[::-1, 1:].tolist() == words[::-1, 1:].tolist()
    assert z.vindex[[0, 2], [2, 0]].tolist() == ["ü", "q"]
    structure = np.zeros((5, 4), [("a", "<i2"), ("b", "<f8")])
    structure["a"] = np.arange(20).reshape(5, 4)
    z = zchunk.open_array(stored(structure, [[1, 4], 3]))
    np.testing.assert_array_equal(z[...], structure)
    np.testing.assert_array_equal(z["a", 1:], structure["a"][1:])
    found = z.get_orthogonal_selection(([4, 0], [1]), fields="a")
    np.testing.assert_array_equal(found, structure["a"][[4, 0], 1:2])


def _strings(words: np.ndarray) -> dict[str, Any]:
    store: dict[str, Any] = {}
    for coords in itertools.product(range(2), range(2)):
        part: dict[str, Any] = {}
        place = words[([slice(0, 1), slice(1, 3)])[coords[0]], ([slice(0, 2), slice(2, 3)])[coords[1]]]
        one = zchunk.create(place.shape, chunks=place.shape, dtype=str, store=part, zarr_format=3)
        one[...] = place
        store["c/{}/{}".format(*coords)] = part["c/0/0"]
    document = json.loads(part["zarr.json"]) | {"shape": [3, 3], "chunk_grid": grid_json([[1, 2], [2, 1]])}
    store["zarr.json"] = json.dumps(document).encode()
    return store


def transposed(*order: int) -> dict[str, Any]:
    return {"name": "transpose", "configuration": {"order": order}}


BYTES = {"name": "bytes", "configuration": {"endian": "little"}}


def test_shards_of_transposed_chunks() -> None:
    """Sharding behind a transpose is a filter, which is made for each shape of chunks."""
    items = np.arange(72, dtype="i4").reshape(6, 12)
    inner = {"chunk_shape": [3, 2], "codecs": [BYTES], "index_codecs": [BYTES]}
    codecs = [transposed(1, 0), {"name": "sharding_indexed", "configuration": inner}]
    store: dict[str, Any] = {}
    for j, (start, stop) in enumerate([(0, 3), (3, 12)]):
        document = json.loads(stored(items, [[6], [3, 9]])["zarr.json"])
        shape = [6, stop - start]
        grid = {"name": "regular", "configuration": {"chunk_shape": shape}}
        part = {"zarr.json": json.dumps(document | {"shape": shape, "chunk_grid": grid, "codecs": codecs})}
        part["zarr.json"] = part["zarr.json"].encode()
        zchunk.open_array(part)[...] = items[:, start:stop]
        store[f"c/0/{j}"] = part["c/0/0"]
    document |= {"shape": [6, 12], "codecs": codecs}
    store["zarr.json"] = json.dumps(document | {"chunk_grid": grid_json([6, [3, 9]])}).encode()
    z = zchunk.open_array(store)
    np.testing.assert_array_equal(z[...], items)
    assert z.chunks == ((6,), (3, 9))
    store["zarr.json"] = json.dumps(document | {"chunk_grid": grid_json([6, [2, 1, 9]])}).encode()
    with pytest.raises(CodecError, match="do not divide"):
        zchunk.open_array(store)[...]


# ---- used

ITEMS = np.arange(70, dtype="i4").reshape(10, 7)
EDGES = [[[3, 3], 1], [2, 5]]


@pytest.fixture
def z(tmp_path: Path) -> Any:
    stored(ITEMS, EDGES, zchunk.DirectoryStore(tmp_path / "z"))
    return zchunk.open_array(tmp_path / "z", mode="r+")


def test_metadata_can_change(z: Any) -> None:
    z.attrs["units"] = "K"
    del z.store["c/0/0"]
    z.fill_value = 5
    for array in (z, zchunk.open_array(z.store)):
        assert array[:3, :2].tolist() == [[5, 5]] * 3
        assert array.chunks == ((3, 3, 3, 1), (2, 5))
    document = json.loads(z.store["zarr.json"])
    assert document["chunk_grid"] == grid_json(EDGES)
    assert document["attributes"] == {"units": "K"}


def test_views(z: Any) -> None:
    view = z.astype("f8")
    assert view.dtype == "f8"
    assert view.chunks == z.chunks
    np.testing.assert_array_equal(view[2:, ::-2], ITEMS[2:, ::-2].astype("f8"))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(view))[...], ITEMS)
    del z.store["c/0/0"]
    view = z.view(fill_value=8)
    assert (view[0, 0], z[0, 0], view[5, 5]) == (8, 0, ITEMS[5, 5])
    for wanted in ({"shape": (7, 10)}, {"chunks": (1, 7)}, {"dtype": "f4"}, {"filters": [Zstd()]}):
        with pytest.raises(MetadataError, match="rectilinear"):
            z.view(**wanted)


# ---- what is told of it


def test_properties(z: Any) -> None:
    assert z.chunks == ((3, 3, 3, 1), (2, 5))
    assert z.shards is None
    assert z.cdata_shape == (4, 2)
    assert z.nchunks == z.nchunks_initialized == 8
    assert z.nbytes_stored == sum(len(z.store[key]) for key in z.store)
    assert "((3*3, 1), (2, 5))" in repr(z.info)
    assert "8/8" in repr(z.info)
    assert isinstance(z.compressor, Blosc)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(z))[...], ITEMS)
    digest = z.hexdigest()
    assert digest == zchunk.open_array(z.store).hexdigest()
    del z.store["c/3/1"]
    assert z.hexdigest() != digest
    assert z.nchunks_initialized == 7
    assert z[9].tolist() == [*ITEMS[9, :2], 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("length", "edges", "text"),
    [
        (5, [5], "((5,),)"),
        (7, 3, "((3*2, 1),)"),
        (0, 3, "((),)"),
        (36, list(range(1, 9)), "((1, 2, 3, 4, 5, 6, 7, 8),)"),
        (45, list(range(1, 10)), "((1, 2, 3, 4, 5, 6, 7, 8, ...),)"),
        (10**12, [[1, 10**12]], "((1*1000000000000,),)"),
    ],
)
def test_text(length: int, edges: Any, text: str) -> None:
    frozen = edges if isinstance(edges, int) else tuple(e if isinstance(e, int) else tuple(e) for e in edges)
    assert RectilinearGrid((length,), (frozen,)).text == text


def test_blocks(z: Any) -> None:
    assert z.blocks[-1, 1].tolist() == ITEMS[9:, 2:].tolist()
    with pytest.raises(IndexError):
        z.blocks[4]
    with pytest.raises(SelectionError):
        z.blocks[::2]


def test_in_groups(tmp_path: Path) -> None:
    root = zchunk.open_group(tmp_path, mode="w", zarr_format=3)
    root["plain"] = np.arange(3)
    stored(ITEMS, EDGES, zchunk.DirectoryStore(tmp_path / "deep" / "z"))
    zchunk.consolidate_metadata(tmp_path, zarr_format=3)
    for group in (zchunk.open_group(tmp_path), zchunk.open_consolidated(tmp_path)):
        np.testing.assert_array_equal(group["deep/z"][...], ITEMS)
        assert group["deep/z"].chunks == ((3, 3, 3, 1), (2, 5))


# ---- copies


@pytest.mark.parametrize("inner", [None, (1, 1)])
def test_copy_to_format_2_has_chunks_like_the_largest(inner: Any) -> None:
    source = zchunk.open_array(stored(ITEMS, EDGES, inner=inner))
    group = zchunk.group(store={})
    zchunk.copy(source, group, name="z")
    copied = group["z"]
    np.testing.assert_array_equal(copied[...], ITEMS)
    assert copied.chunks == (inner or (3, 5))
    copied[...] = 0
    copied.resize(20, 20)


def test_copy_where_one_chunk_would_look_alike() -> None:
    source = zchunk.open_array(stored(ITEMS, EDGES))
    group = zchunk.group(store={}, zarr_format=2)
    zchunk.copy(source, group, name="z", chunks=ITEMS.shape)
    np.testing.assert_array_equal(group["z"][...], ITEMS)


def test_copy_of_other_kinds(z: Any, tmp_path: Path) -> None:
    zchunk.copy_store(z.store, target := {})
    np.testing.assert_array_equal(zchunk.open_array(target)[...], ITEMS)
    assert zchunk.zeros_like(z).chunks == z.chunks
    assert zchunk.zeros_like(z, zarr_format=2).chunks == (3, 5)
    assert zchunk.array(z).chunks == (3, 5)
    np.testing.assert_array_equal(zchunk.array(z)[...], ITEMS)
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "f.h5", "w") as f:
        zchunk.copy(z, f, name="z")
        assert f["z"].chunks == (3, 5)
        np.testing.assert_array_equal(f["z"][...], ITEMS)


# ---- files that change, or are damaged


@pytest.mark.usefixtures("path")
def test_cache(tmp_path: Path) -> None:
    store = zchunk.DirectoryStore(tmp_path)
    stored(ITEMS, EDGES, store)
    z: Any = zchunk.open_array(tmp_path, mode="r", cache_bytes=10**6)
    for _ in range(2):
        np.testing.assert_array_equal(z[...], ITEMS)
    stored(-ITEMS, EDGES, store)
    np.testing.assert_array_equal(z[...], -ITEMS)
    z = zchunk.open_array(dict(store), cache_bytes=10**6)
    for _ in range(2):
        np.testing.assert_array_equal(z[2:, 1], -ITEMS[2:, 1])
    assert z.chunk_cache.hits == len(z.chunk_cache) == 4


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("inner", [None, (1, 1)])
def test_a_damaged_chunk_is_named(tmp_path: Path, inner: Any) -> None:
    stored(ITEMS, EDGES, zchunk.DirectoryStore(tmp_path), inner=inner)
    file = tmp_path / "c" / "3" / "1"
    file.write_bytes(file.read_bytes()[:-3])
    z = zchunk.open_array(tmp_path, mode="r")
    np.testing.assert_array_equal(z[:9], ITEMS[:9])
    with pytest.raises(ChunkError, match="c/3/1"):
        z[...]


@pytest.mark.usefixtures("path")
def test_a_chunk_of_another_shape_is_refused() -> None:
    """What would fit one chunk is not taken for another."""
    store = stored(ITEMS, EDGES, compressors=None)
    store["c/0/0"], store["c/0/1"] = store["c/0/1"], store["c/0/0"]
    z = zchunk.open_array(store)
    for selection in ((0, 0), (0, 6)):
        with pytest.raises(ChunkError):
            z[selection]


# ---- metadata

META = json.loads(stored(ITEMS, EDGES)["zarr.json"])


def parse(shape: Any, edges: Any, **members: Any) -> Any:
    grid = edges if isinstance(edges, dict) else grid_json(edges)
    document = META | {"shape": shape, "chunk_grid": grid} | members
    return v3.parse_array(json.dumps(document).encode(), "zarr.json")


@pytest.mark.parametrize(
    "edges",
    [[4, [1, 2, 3]], [[[4, 2]], [[1, 3], 3]], [[4, 4, 4], 100], [[6], [[6, 1]]], [[1, [10**5, 10**15]], 6]],
)
def test_metadata_are_rendered_as_they_were(edges: Any) -> None:
    meta = parse([6, 6], edges)
    rendered = v3.render_array(meta)
    assert json.loads(rendered)["chunk_grid"] == grid_json(edges)
    assert v3.render_array(v3.parse_array(rendered, "zarr.json")) == rendered
    assert json.loads(v3.render_array(meta.replace(fill_value=np.int32(3))))["chunk_grid"] == grid_json(edges)


@pytest.mark.parametrize(
    ("shape", "edges", "words"),
    [
        ([6], [[1, 2]], "length 6 have the length 3"),
        ([6], [[]], "length 6 have the length 0"),
        ([6], [6, 6], "1 axes, chunk_shapes has 2"),
        ([6, 6], [6], "2 axes, chunk_shapes has 1"),
        ([6], 6, "chunk_shapes is 6, not a list"),
        ([6], [0], "has 0, not an integer"),
        ([6], [[6, 0]], "has 0, not an integer"),
        ([6], [-6], "has -6, not an integer"),
        ([6], [[[6, 0]]], "has 0, not an integer"),
        ([6], [[[0, 6]]], "has 0, not an integer"),
        ([6], [[[6, -1]]], "has -1, not an integer"),
        ([6], [[[6]]], "not a length and a count"),
        ([6], [[[6, 1, 1]]], "not a length and a count"),
        ([6], [[[[6], 1]]], "not an integer"),
        ([6], [[True, 5]], "has True, not an integer"),
        ([6], [6.0], "has 6.0, not an integer"),
        ([6], ["6"], "has '6', not an integer"),
        ([6], [None], "has None, not an integer"),
        ([6], [[2**63]], "not an integer"),
        ([6], [[[1, 2**63]]], "not an integer"),
        ([6], {"name": "rectilinear"}, "lacks 'chunk_shapes', 'kind'"),
        ([6], {"name": "rectilinear", "configuration": {"chunk_shapes": [6]}}, "lacks 'kind'"),
        (
            [6],
            {"name": "rectilinear", "configuration": {"kind": "url", "chunk_shapes": [6]}},
            "kind is 'url', not 'inline'",
        ),
        (
            [6],
            {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [6], "more": 1}},
            "unknown members 'more'",
        ),
        ([6], {"name": "rectangular", "configuration": {"chunk_shape": [[6]]}}, "'rectangular' is not known"),
        ([2**62], [[[1, 2**61], 2**61]], "cannot be counted"),
        ([2**62, 2**62], [2**61, 2**61], "too large for a rectilinear"),
        ([2**40], [[2**40]], "1099511627776 bytes|4398046511104 bytes"),
    ],
)
def test_metadata_that_lie(shape: Any, edges: Any, words: str) -> None:
    blosc = {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 1, "shuffle": "noshuffle"}}
    with pytest.raises(MetadataError, match=words):
        parse(shape, edges, codecs=[BYTES, blosc])


def test_shards_must_be_cut_evenly() -> None:
    inner = {"chunk_shape": [2, 3], "codecs": [BYTES], "index_codecs": [BYTES]}
    codecs = [{"name": "sharding_indexed", "configuration": inner}]
    assert parse([6, 6], [[2, 4], 6], codecs=codecs).shards is not None
    # Chunks that hold no items are none.
    assert parse([6, 6], [[2, 4, 1], 6], codecs=codecs).shards is not None
    assert parse([0, 6], [[2, 4], 6], codecs=codecs).shards is not None
    for edges in ([[1, 4, 1], 6], [[2, 4], [3, 2, 1]], [6, 4]):
        with pytest.raises(CodecError, match="do not divide a shard"):
            parse([6, 6], edges, codecs=codecs)


def test_runs_cost_no_memory() -> None:
    """Runs are neither listed when metadata are read nor when items are."""
    tracemalloc.start()
    store = {"zarr.json": json.dumps(META | {"shape": [10**12], "chunk_grid": grid_json([[[1, 10**12]]])})}
    store["zarr.json"] = store["zarr.json"].encode()
    z: Any = zchunk.open_array(store)
    assert z.nchunks == 10**12
    assert z.nchunks_initialized == 0
    assert "1*1000000000000" in repr(z.info)
    assert z[10**11 : 10**11 + 3].tolist() == [0, 0, 0]
    assert z[:: 10**11].tolist() == [0] * 10
    assert z.oindex[[5, 10**12 - 1]].tolist() == [0, 0]
    assert z.vindex[[5, 10**12 - 1]].tolist() == [0, 0]
    assert z.blocks[7:9].tolist() == [0, 0]
    with pytest.raises(MetadataError, match="too many to list"):
        _ = z.chunks
    assert zchunk.zeros_like(z, store={}, shape=5).chunks == (1,)
    for edges in ([[1, [10**12, 2**62]]], [[[2, 2**62], [2**60, 2**62]]]):
        assert parse([10], edges, codecs=[BYTES]).grid.nchunks in (2, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e6


def test_many_shapes_are_not_all_kept() -> None:
    edges = [list(range(1, 25)), list(range(1, 25))]
    items = np.arange(300 * 300, dtype="i4").reshape(300, 300)
    z = zchunk.open_array(stored(items, edges, compressors=None))
    np.testing.assert_array_equal(z[...], items)
    np.testing.assert_array_equal(z[::-7, 3::5], items[::-7, 3::5])
    assert len(z._current._by_shape) <= 256


@given(st.data())
def test_any_json_raises_our_errors_only(data: Any) -> None:
    leaf = st.none() | st.booleans() | st.integers(-1, 7) | st.floats()
    leaf |= st.sampled_from(["a", 2**63, 10**30])
    value = data.draw(st.recursive(leaf, lambda v: st.lists(v, max_size=3), max_leaves=8))
    try:
        meta = parse([6], grid_json(value))
    except (MetadataError, CodecError):
        return
    assert meta.grid.nchunks > 0
    assert json.loads(v3.render_array(meta))["chunk_grid"] == grid_json(value)
