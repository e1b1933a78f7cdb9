"""Arrays of rectilinear grids that zchunk makes: written, resized, copied as NumPy and zarr 3.4 have it."""

from __future__ import annotations

import itertools
import json
import math
import pickle
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zchunk
import zchunk.zarr3
from tests.engine.test_execute import executor
from tests.indexing.test_brackets import in_brackets
from tests.spec.test_rectilinear_grid import basic, grid_json, orthogonal, stored
from zchunk.codecs import Blosc, Zstd
from zchunk.codecs.crc32c import Crc32c
from zchunk.errors import ChunkError, CodecError, MetadataError, SelectionError
from zchunk.wings.rechunking import target

CODECS: list[Any] = [[], [Blosc()], [Zstd(1)], [Blosc("zstd", 1), Crc32c()]]
DTYPES = ["|u1", "<i4", ">f8", "<c8", "<M8[s]", "<U3"]
ITEMS = np.arange(70, dtype="i4").reshape(10, 7)
CHUNKS = [[3, 3, 3, 1], [2, 5]]


@st.composite
def lengths(draw: st.DrawFn, length: int, unit: int = 1, listed: bool = False) -> Any:
    """Lengths of the chunks along an axis, as a user gives them: listed, or one for all."""
    if not listed and draw(st.booleans()):
        return draw(st.integers(1, 5)) * unit
    rest, found = length, []
    while rest > 0:
        found.append(min(draw(st.integers(1, 4)) * unit, rest))
        rest -= found[-1]
    return found or [unit * draw(st.integers(1, 3))]


@st.composite
def grids(draw: st.DrawFn, most: int = 12) -> tuple[tuple[int, ...], Any, Any]:
    """A shape, and chunks and shards of it, of which one is rectilinear."""
    inner = draw(st.none() | st.integers(1, 3))
    unit = inner or 1
    shape = tuple(draw(st.lists(st.integers(0, most // unit), min_size=1, max_size=3)))
    shape = tuple([n * unit for n in shape])
    first = draw(st.integers(0, len(shape) - 1))
    listed = [draw(lengths(n, unit, axis == first)) for axis, n in enumerate(shape)]
    return (shape, listed, None) if inner is None else (shape, (unit,) * len(shape), listed)


def made(shape: Any, chunks: Any, shards: Any, **kwargs: Any) -> Any:
    return zchunk.create(shape, chunks=chunks, shards=shards, zarr_format=3, **kwargs)


def points(draw: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(
        np.array(draw(st.lists(st.integers(-n, n - 1), min_size=6, max_size=6))).reshape(2, 3) for n in shape
    )


# ---- writing


@pytest.mark.parametrize("name", ["native", "generic"])
@settings(max_examples=settings.default.max_examples // 2)
@given(data=st.data())
def test_writes_as_numpy(name: str, data: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    draw = data.draw
    shape, chunks, shards = draw(grids())
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    store = draw(st.sampled_from([lambda: {}, lambda: tmp_path_factory.mktemp("z")]))()
    z = made(
        shape,
        chunks,
        shards,
        dtype=dtype,
        store=store,
        compressors=draw(st.sampled_from(CODECS)),
        fill_value="7" if dtype.kind == "U" else 7,
        write_empty_chunks=draw(st.booleans()),
        order=draw(st.sampled_from("CF")),
        cache_bytes=draw(st.sampled_from([None, 10**6])),
    )
    wanted = np.full(shape, 7).astype(dtype)

    def values(shape: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng(draw(st.integers(0, 99))).integers(0, 9, shape).astype(dtype)

    with executor(name):
        for _ in range(4):
            kind = draw(st.sampled_from(["basic", "oindex", "brackets", "points", "mask", "blocks", "lazy"]))
            if kind == "basic":
                selection: Any = basic(draw, shape)
                z[selection] = wanted[selection] = values(wanted[selection].shape)
            elif kind == "oindex":
                selection = orthogonal(draw, shape)
                new = values(zchunk.indexing.oindex(wanted, selection).shape)
                z.oindex[selection] = new
                zchunk.indexing.oindex_set(wanted, selection, new)
            elif kind == "brackets":
                selection = draw(in_brackets(shape))
                z[selection] = wanted[selection] = values(wanted[selection].shape)
            elif kind == "points" and wanted.size:
                selection = points(draw, shape)
                z.vindex[selection] = wanted[selection] = values((2, 3))
            elif kind == "mask":
                mask = np.random.default_rng(1).random(shape) < 0.4
                new = values((int(mask.sum()),))
                z.set_mask_selection(mask, new)
                wanted[mask] = new
            elif kind == "blocks" and wanted.size:
                block = tuple(draw(st.integers(0, n - 1)) for n in z.metadata.grid.cdata_shape)
                span = tuple(z.metadata.grid.span(axis, b, b + 1) for axis, b in enumerate(block))
                z.blocks[block] = wanted[span] = values(wanted[span].shape)
            elif kind == "lazy":
                selection = basic(draw, shape)
                z.lazy[selection][...] = wanted[selection] = values(wanted[selection].shape)
            np.testing.assert_array_equal(z[...], wanted)
    np.testing.assert_array_equal(zchunk.open_array(store, mode="r")[...], wanted)
    if not z.write_empty_chunks and wanted.size:
        # In shards every chunk that is stored has other items.
        for coords in z.stored_chunks():
            grid = z.metadata.grid_of_chunks
            span = tuple(grid.span(axis, c, c + 1) for axis, c in enumerate(coords))
            assert (wanted[span] != z.fill_value).any()


@pytest.mark.usefixtures("path")
def test_whole_chunks_are_written_without_being_read(tmp_path: Path) -> None:
    z = made((9, 7), [[3, 3, 3], [2, 5]], None, dtype="i4", store=tmp_path)
    z[...] = 1
    # The last chunks reach beyond the array.
    z.resize(8, 6)
    for file in (tmp_path / "c").rglob("*"):
        if file.is_file():
            file.write_bytes(b"damaged")
    with pytest.raises(ChunkError):
        z[7, 5] = 2
    z[3:] = 5
    assert (z[3:] == 5).all()
    with pytest.raises(ChunkError):
        z[2]


@pytest.mark.usefixtures("path")
def test_chunks_that_hold_nothing_are_erased() -> None:
    z = made((10, 7), CHUNKS, None, dtype="i4", store=(store := {}), write_empty_chunks=False)
    z[...] = ITEMS
    z[:3] = 0
    z[9, 2:] = 0
    assert {key for key in store if key != "zarr.json"} == {"c/1/0", "c/1/1", "c/2/0", "c/2/1", "c/3/0"}
    assert list(z.missing_chunks()) == [(0, 0), (0, 1), (3, 1)]
    assert z.nchunks_initialized == 5


@pytest.mark.usefixtures("path")
def test_fields_of_structures() -> None:
    wanted = np.zeros((5, 4), [("a", "<i2"), ("b", "<f8")])
    z = made((5, 4), [[1, 4], 3], None, dtype=wanted.dtype)
    z["a", 1:] = wanted["a"][1:] = 3
    z.set_orthogonal_selection(([4, 0], [1]), 7.5, fields="b")
    wanted["b"][[4, 0], 1] = 7.5
    np.testing.assert_array_equal(z[...], wanted)


def test_objects() -> None:
    z = made((5, 4), [[1, 4], 3], None, dtype=str)
    z[2:, 1] = ["a", "ü", "語"]
    assert z[:, 1].tolist() == ["", "", "a", "ü", "語"]
    assert z[0, 0] == ""


def test_repeated_positions_keep_the_last_value() -> None:
    z = made(6, [[1, 2, 3]], None, dtype="i4")
    z[[5, 0, 5, 1, 0]] = [1, 2, 3, 4, 5]
    assert z[...].tolist() == [5, 4, 0, 0, 0, 3]
    z.vindex[[3, 3]] = [8, 9]
    assert z[3] == 9


def test_threads_that_share_chunks(tmp_path: Path) -> None:
    z = made((40, 30), [[7, 13, 20], [1, 29]], None, dtype="i4", store=tmp_path)
    start = threading.Barrier(4)

    def work(n: int) -> None:
        start.wait()
        for row in range(n, 40, 4):
            z[row] = row

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(z[...], np.arange(40)[:, None] + np.zeros(30, int))


def test_a_synchronizer(tmp_path: Path) -> None:
    class Locks(dict):  # type: ignore[type-arg]
        def __missing__(self, key: str) -> Any:
            return self.setdefault(key, threading.Lock())

    synchronizer = Locks()
    z = made((10, 7), CHUNKS, None, dtype="i4", store=tmp_path, synchronizer=synchronizer)
    z[...] = ITEMS
    z[5, 1:4] = 0
    assert z[5].tolist() == [35, 0, 0, 0, 39, 40, 41]
    assert {"c/0/0", "c/1/0", "c/1/1", "c/3/1"} <= synchronizer.keys()


def test_missing_chunks_are_an_error(tmp_path: Path) -> None:
    z = made((10, 7), CHUNKS, None, dtype="i4", store=tmp_path, missing="error")
    z[:6] = 1
    with pytest.raises(zchunk.errors.ChunkNotFoundError, match="c/2/0"):
        z[...]
    assert (z[2:6] == 1).all()


# ---- resizing


class Model:
    """What zarr 3.4 makes of the chunks of an axis: one is added for what grows beyond all."""

    def __init__(self, chunks: Any) -> None:
        self.chunks = chunks

    def resize(self, length: int, unit: int) -> None:
        if isinstance(self.chunks, list) and sum(self.chunks) < length:
            missing = length - sum(self.chunks)
            self.chunks = [*self.chunks, -(-missing // unit) * unit]

    def bounds(self, length: int) -> list[int]:
        """Where chunks end, up to a length; the length itself."""
        n = self.chunks
        ends = range(0, length + 1, n) if isinstance(n, int) else [0, *itertools.accumulate(n)]
        return [end for end in ends if end < length] + [length]

    def json(self) -> Any:
        if isinstance(self.chunks, int):
            return self.chunks
        runs = [(n, len(list(same))) for n, same in itertools.groupby(self.chunks)]
        return [n if count == 1 else [n, count] for n, count in runs]


@settings(max_examples=settings.default.max_examples // 2)
@given(data=st.data())
def test_resizes_and_appends_as_zarr(data: Any) -> None:
    draw = data.draw
    shape, chunks, shards = draw(grids(8))
    store: dict[str, Any] = {}
    z = made(shape, chunks, shards, dtype="i4", store=store, fill_value=-1, compressors=None)
    wanted = np.full(shape, -1, "i4")
    axes = [Model(axis) for axis in (chunks if shards is None else shards)]
    units = (1,) * len(shape) if shards is None else chunks
    for step in range(4):
        if draw(st.booleans()):
            axis = draw(st.integers(0, len(shape) - 1))
            more = wanted.shape[:axis] + (draw(st.integers(0, 6)),) + wanted.shape[axis + 1 :]
            items = np.random.default_rng(step).integers(0, 9, more).astype("i4")
            assert z.append(items, axis) == z.shape
            wanted = np.append(wanted, items, axis)
        else:
            new = tuple(draw(st.integers(0, 12)) for _ in shape)
            z.resize(new)
            kept = tuple(slice(min(a, b)) for a, b in zip(new, wanted.shape, strict=True))
            before, wanted = wanted, np.full(new, -1, "i4")
            wanted[kept] = before[kept]
        for axis, length, unit in zip(axes, wanted.shape, units, strict=True):
            axis.resize(length, unit)
        np.testing.assert_array_equal(z[...], wanted)
        z[...] = wanted = wanted + 1
        found = zchunk.open_array(store, mode="r")
        np.testing.assert_array_equal(found[...], wanted)
        document = json.loads(store["zarr.json"])
        assert document["shape"] == list(wanted.shape)
        assert document["chunk_grid"] == grid_json([axis.json() for axis in axes])
        assert found.metadata.grid.cdata_shape == z.metadata.grid.cdata_shape
        for key in store.keys() - {"zarr.json"}:
            coords = map(int, key.split("/")[1:])
            assert all(c < n for c, n in zip(coords, z.metadata.grid.cdata_shape, strict=True))


def test_what_shrinking_left_does_not_come_back(tmp_path: Path) -> None:
    z = made(30, [[10, 20]], None, dtype="i4", store=tmp_path)
    z[...] = 1
    z.resize(15)
    assert json.loads((tmp_path / "zarr.json").read_text())["chunk_grid"] == grid_json([[10, 20]])
    z.resize(25)
    assert z[...].tolist() == [1] * 15 + [0] * 10
    z.resize(0)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["zarr.json"]
    z.resize(45)
    assert z.write_chunk_sizes == ((10, 20, 15),)
    assert not z[...].any()


def test_an_axis_without_items_has_the_chunks_that_it_grows_into() -> None:
    z = made((0, 4), [[3, 5], [2, 2]], None, dtype="i4", store=(store := {}))
    assert (z.write_chunk_sizes, z.cdata_shape) == (((), (2, 2)), (0, 2))
    assert json.loads(store["zarr.json"])["chunk_grid"] == grid_json([[3, 5], [[2, 2]]])
    z.append(np.ones((4, 4)))
    z.append(np.ones((6, 4)))
    assert z.write_chunk_sizes == ((3, 5, 2), (2, 2))
    assert z[...].sum() == 40


def test_growing_into_shards_that_cannot_be_cut_is_refused() -> None:
    """Such an array can be opened: the chunks beyond it hold nothing."""
    store = stored(np.arange(6), [[2, 4]], inner=(2,))
    document = json.loads(store["zarr.json"]) | {"chunk_grid": grid_json([[2, 4, 1]])}
    store["zarr.json"] = json.dumps(document).encode()
    z, before = zchunk.open_array(store), dict(store)
    for change in (lambda: z.resize(7), lambda: z.append([1])):
        with pytest.raises(CodecError, match="do not divide a shard"):
            change()
    assert (store, z.shape) == (before, (6,))


# ---- making


@pytest.mark.parametrize(
    ("shape", "chunks", "written"),
    [
        ((60, 20), [[10, 20, 30], 5], [[10, 20, 30], 5]),
        ((60, 20), ([10, 20, 30], (5, 5, 10)), [[10, 20, 30], [[5, 2], 10]]),
        ((30,), [[10, 10, 10]], [[[10, 3]]]),
        ((30,), np.array([[10, 10, 10]]), [[[10, 3]]]),
        ((30, 4), [np.array([10, 20]), -1], [[10, 20], 4]),
        ((30, 4), [[10, 20], None], [[10, 20], 4]),
        ((30, 4), [[10, 20]], [[10, 20], 4]),
        ((30, 0), [[10, 20], -1], [[10, 20], 1]),
        ((40,), [[5, 5, 20, 5, 5]], [[[5, 2], 20, [5, 2]]]),
    ],
    ids=str,
)  # fmt: skip
def test_metadata_are_as_zarr_writes_them(shape: Any, chunks: Any, written: Any) -> None:
    z = zchunk.create(shape, chunks=chunks, store=(store := {}))
    assert z.zarr_format == 3
    assert json.loads(store["zarr.json"])["chunk_grid"] == grid_json(written)
    assert zchunk.open_array(store).metadata.edges == z.metadata.edges


def test_all_functions_make_them(tmp_path: Path) -> None:
    sizes = ((10, 20, 30), (5, 5, 5, 5))
    chunks = [[10, 20, 30], 5]
    data = np.arange(1200).reshape(60, 20)
    g = zchunk.open_group(tmp_path, mode="w", zarr_format=3)
    made = [
        zchunk.create_array(shape=(60, 20), dtype="i4", chunks=chunks),
        zchunk.create_array(data=data, chunks=chunks),
        zchunk.zeros((60, 20), chunks=chunks, dimension_names=["t", "x"]),
        zchunk.zeros((60, 20), chunks={"t": [10, 20, 30], "x": 5}, dimension_names=["t", "x"]),
        zchunk.array(data, chunks=chunks),
        zchunk.open_array(tmp_path / "o", mode="w", shape=(60, 20), chunks=chunks),
        g.create_array("a", shape=(60, 20), dtype="i4", chunks=chunks),
        g.create_dataset("b", data=data, chunks=chunks),
        g.require_dataset("c", shape=(60, 20), dtype="i4", chunks=chunks),
        g.zeros("d", shape=(60, 20), chunks=chunks),
    ]
    for z in made:
        assert (z.write_chunk_sizes, z.read_chunk_sizes, z.chunks, z.nchunks) == (sizes, sizes, sizes, 12)
    np.testing.assert_array_equal(made[1][...], data)
    np.testing.assert_array_equal(g["b"][...], data)
    assert "((10, 20, 30), (5*4,))" in repr(made[0].info)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(g["b"]))[...], data)


def test_shards() -> None:
    z = zchunk.create((120, 100), chunks=(10, 10), shards=[[60, 40, 20], [50, 50]], dtype="i4")
    assert (z.zarr_format, z.chunks, z.shards) == (3, (10, 10), ((60, 40, 20), (50, 50)))
    assert z.write_chunk_sizes == ((60, 40, 20), (50, 50))
    assert z.read_chunk_sizes == ((10,) * 12, (10,) * 10)
    assert z.nchunks == 120
    z[5:70] = 3
    assert (z[...] == 3).sum() == 65 * 100
    assert (z.nshards_initialized, z.nchunks_initialized) == (4, 100)
    assert "((60, 40, 20), (50*2,))" in repr(z.info)
    for chunks in (None, True, "auto", "100B"):
        (inner,) = zchunk.create(120, chunks=chunks, shards=[[60, 40, 20]]).chunks
        assert 60 % inner == 40 % inner == 20 % inner == 0
    assert zchunk.create((7, 6), chunks=(2, 2), shards=[-1, [2, 4]]).shards == ((7,), (2, 4))
    assert zchunk.create((7, 6), chunks=(2, 2), shards=[-1, [2, 4]]).metadata.edges == (8, (2, 4))


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"chunks": [[10, 20], [7]]}, "axis 0 lists .10, 20., 30 items in all, and the axis has 60"),
        ({"chunks": [[10, 20, 40], [7]]}, "70 items in all"),
        ({"chunks": [[10, 0, 50], [7]]}, "axis 0 has 0, not an integer from 1"),
        ({"chunks": [[10, -10, 60], [7]]}, "has -10, not an integer from 1"),
        ({"chunks": [[10.0, 50], [7]]}, "has 10.0, not an integer from 1"),
        ({"chunks": [[True, 59], [7]]}, "has True, not an integer from 1"),
        ({"chunks": [["10", 50], [7]]}, "has '10', not an integer from 1"),
        ({"chunks": [[None, 50], [7]]}, "has None, not an integer from 1"),
        ({"chunks": [[[10, 6]], [7]]}, "not an integer from 1"),
        ({"chunks": [[], [7]]}, "axis 0 lists no lengths"),
        ({"chunks": [[60], 0]}, "axis 1 has 0, not an integer from 1"),
        ({"chunks": [[60], "7"]}, "axis 1 has '7', not an integer from 1"),
        ({"chunks": [[60], [7], [1]]}, "more entries than shape"),
        ({"chunks": [[60], [7]], "zarr_format": 2}, "array is of format 2; add zarr_format=3"),
        ({"chunks": [[60], [7]], "shards": (60, 7)}, "list those of the shards"),
        ({"chunks": [[60], [7]], "shards": [[60], [7]]}, "list those of the shards"),
        ({"chunks": (10, 7), "shards": [[15, 45], [7]]}, "axis 0 are not made of whole chunks of 10"),
        ({"chunks": (10, 7), "shards": [[20, 20], [7]]}, "shards along axis 0 lists .20, 20., 40 items"),
        ({"chunks": {"x": [60]}}, "need dimension_names"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_refused(kwargs: Any, words: str) -> None:
    store: dict[str, Any] = {}
    with pytest.raises(ValueError, match=words):
        zchunk.create((60, 7), store=store, **kwargs)
    assert store == {}


def test_a_group_of_format_2_refuses_them() -> None:
    g = zchunk.group(store={})
    with pytest.raises(ValueError, match="add zarr_format=3"):
        g.create("a", shape=60, chunks=[[10, 50]])


def test_zarr_3_needs_a_setting() -> None:
    zarr: Any = zchunk.zarr3
    assert zarr.config.get("array.rectilinear_chunks") is False
    assert zchunk.config.get("array.rectilinear_chunks") is True
    g = zarr.create_group({})
    source = zchunk.create(30, chunks=[[10, 20]])
    calls = [
        lambda: zarr.create_array({}, shape=(60,), dtype="i4", chunks=[[10, 20, 30]]),
        lambda: zarr.create((60,), chunks=[[10, 20, 30]]),
        lambda: zarr.zeros((60,), chunks=[[10, 50]]),
        lambda: zarr.create_array({}, shape=(60,), dtype="i4", chunks=(10,), shards=[[20, 40]]),
        lambda: zarr.from_array({}, data=source),
        lambda: g.create_array("a", shape=(60,), dtype="i4", chunks=[[10, 20, 30]], overwrite=True),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"array\.rectilinear_chunks"):
            call()
    assert list(g) == []
    with zarr.config.set({"array.rectilinear_chunks": True}):
        for call in calls:
            assert call().metadata.edges is not None
    # What is there is used in any case.
    g["a"][...] = 1
    g["a"].append(np.ones(5))
    assert g["a"].write_chunk_sizes == ((10, 20, 30, 5),)
    with zchunk.config.set({"array.rectilinear_chunks": False}), pytest.raises(ValueError, match="setting"):
        zchunk.create(30, chunks=[[10, 20]])


def test_objects_of_zarr_3_that_describe_chunks() -> None:
    class RectilinearChunkGridMetadata:
        chunk_shapes = ((10, 10, 30), 5)

    z = zchunk.create((45, 9), chunks=RectilinearChunkGridMetadata())
    # They may reach beyond the array, as those that are stored.
    assert (z.metadata.edges, z.write_chunk_sizes) == ((((10, 2), 30), 5), ((10, 10, 25), (5, 4)))


def test_runs_cost_no_memory() -> None:
    tracemalloc.start()
    store = stored(np.zeros(2, "i4"), [1])
    document = json.loads(store["zarr.json"]) | {"shape": [10**12], "chunk_grid": grid_json([[[1, 10**12]]])}
    store["zarr.json"] = json.dumps(document).encode()
    z = zchunk.open_array(store)
    z[10**11] = 5
    z[10**11 + 5 : 10**11 + 9] = [1, 2, 3, 4]
    z.oindex[[7, 10**12 - 1]] = 6
    assert z.vindex[[7, 10**11, 10**11 + 6, 10**12 - 1]].tolist() == [6, 5, 2, 6]
    z.resize(10**11 + 1)
    z.resize(10**12 + 3)
    assert (z[10**11], z[10**12 - 1], z.nchunks) == (5, 0, 10**12 + 1)
    assert len(z.partition(3)) == 3
    assert tracemalloc.get_traced_memory()[1] < 3e6
    tracemalloc.stop()
    for edges in ([[[10**6, 10**6], [10**18, 3]]], [[[2, 2**62], [2**60, 2**62]]]):
        store["zarr.json"] = json.dumps(document | {"shape": [10], "chunk_grid": grid_json(edges)}).encode()
        z = zchunk.open_array(store)
        with pytest.raises((MetadataError, ValueError)):
            z.resize(2**63 - 1)
        assert z.shape == (10,)


# ---- copies and other programs


@pytest.mark.parametrize("shards", [None, CHUNKS])
def test_copies_have_the_same_grid(shards: Any) -> None:
    source = made((10, 7), CHUNKS if shards is None else (1, 1), shards, dtype="i4", store=(old := {}))
    source[:8] = ITEMS[:8]
    g = zchunk.group(store={}, zarr_format=3)
    zchunk.copy(source, g, name="same")
    zchunk.copy(source, g, name="other", compressors=[Zstd(3)])
    zchunk.copy(source, g, name="regular", chunks=(4, 4), shards=None)
    zchunk.copy(source, g, name="listed", chunks=[[4, 6], 7], shards=None)
    for name in g:
        np.testing.assert_array_equal(g[name][:8], ITEMS[:8])
        assert not g[name][8:].any()
    for name in ("same", "other"):
        assert (g[name].chunks, g[name].shards) == (source.chunks, source.shards)
        assert g[name].metadata.edges == source.metadata.edges
    copied = {key.removeprefix("same/"): value for key, value in g.store.items() if key.startswith("same/c")}
    assert copied == {key: value for key, value in old.items() if key != "zarr.json"}
    assert (g["regular"].chunks, g["listed"].chunks) == ((4, 4), ((4, 6), (7,)))
    assert zchunk.zeros_like(source).chunks == source.chunks
    assert zchunk.zeros_like(source, shape=(20, 20)).metadata.edges is None
    with zchunk.zarr3.config.set({"array.rectilinear_chunks": True}):
        kept = zchunk.zarr3.from_array({}, data=source, chunks="keep")
    assert kept.metadata.edges == source.metadata.edges
    np.testing.assert_array_equal(kept[...], source[...])


def test_copies_of_what_shrank() -> None:
    source = made((30,), [[10, 20]], None, dtype="i4")
    source.resize(12)
    zchunk.copy(source, g := zchunk.group(store={}, zarr_format=3), name="a")
    assert (g["a"].metadata.edges, g["a"].shape) == (((10, 20),), (12,))


@pytest.mark.parametrize("chunks", [[[1000, 2000, 3000], [70]], [[50, 50, 5900], 3], [[2500, 3500], 60]])
@pytest.mark.parametrize("enough", [1 << 12, 32 << 20])
def test_rechunked(chunks: Any, enough: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Regions are no larger, if one chunk is not.
    monkeypatch.setattr(target, "_ENOUGH", enough)
    items = np.arange(420_000).reshape(6000, 70)
    source = zchunk.array(items, chunks=(700, 40), zarr_format=3)
    z = zchunk.rechunk(source, chunks, target=tmp_path / "a", executor="threads")
    np.testing.assert_array_equal(z[...], items)
    assert z.write_chunk_sizes == zchunk.create((6000, 70), chunks=chunks).write_chunk_sizes
    back = zchunk.rechunk(z, (6000, 1))
    np.testing.assert_array_equal(back[...], items)


def test_gaps_stay_gaps_when_rechunked() -> None:
    source = zchunk.zeros((60, 7), chunks=(10, 7), dtype="i2", zarr_format=3)
    source[:10] = 1
    z = zchunk.rechunk(source, [[10, 20, 30], [7]])
    assert list(z.stored_chunks()) == [(0, 0)]


def test_dask(tmp_path: Path) -> None:
    da, zd = pytest.importorskip("dask.array"), pytest.importorskip("zchunk.dask")
    x = da.from_array(ITEMS, chunks=(4, 4))
    z = made((10, 7), CHUNKS, None, dtype="i4", store=tmp_path / "a")
    zd.store(x, z)
    np.testing.assert_array_equal(z[...], ITEMS)
    zd.store(x + 1, z, align="rechunk", compute_kws={"scheduler": "threads"})
    np.testing.assert_array_equal(z[...], ITEMS + 1)
    with pytest.raises(ValueError, match=r"share stored chunks of .*, which are .*3.3, 1.*align='rechunk'"):
        zd.store(x, z, compute_kws={"scheduler": "processes"})
    y = zd.from_zchunk(z)
    assert y.chunks == z.chunks
    again = zd.store(y, tmp_path / "b", zarr_format=3, chunks=y.chunks)
    assert again.chunks == z.chunks
    np.testing.assert_array_equal(again[...], ITEMS + 1)


@given(st.data())
def test_partitions_are_aligned(data: Any) -> None:
    shape, chunks, shards = data.draw(grids())
    z = made(shape, chunks, shards, dtype="i4", store={})
    wanted = np.zeros(shape, "i4")
    for number, region in enumerate(z.partition(data.draw(st.integers(1, 5)))):
        z.write(region, number + 1)
        wanted[region] = number + 1
    np.testing.assert_array_equal(z[...], wanted)
    assert wanted.all()
    if not wanted.size:
        return
    region = tuple(sorted((data.draw(st.integers(0, n - 1)), data.draw(st.integers(1, n)))) for n in shape)
    region = tuple(slice(a, max(b, a + 1)) for a, b in region)
    grid = z.metadata.grid
    cuts = [{grid.span(axis, c, c + 1).start for c in range(n)} | {shape[axis]}
            for axis, n in enumerate(grid.cdata_shape)]  # fmt: skip
    if all(part.start in cut and part.stop in cut for part, cut in zip(region, cuts, strict=True)):
        z.write(region, 0)
    else:
        with pytest.raises(SelectionError, match="lie inside"):
            z.write(region, 0)


def test_write_names_the_nearest_region() -> None:
    z = made((10, 7), CHUNKS, None, dtype="i4")
    words = r"inside chunks of \(\(3\*3, 1\), \(2, 5\)\); .* is \[3:9, 0:7\]"
    with pytest.raises(SelectionError, match=words):
        z.write(slice(4, 8), 1)
    with pytest.raises(SelectionError, match=r"chunks that it lies in are \[0:3, 0:7\]"):
        z.write(slice(0, 1), 1)


def test_lazy_views_say_their_chunks() -> None:
    z = made((10, 7), CHUNKS, None, dtype="i4")
    z[...] = ITEMS
    view = z.lazy[1:8, ::-1]
    assert view.chunks == ((2, 3, 2), (5, 2))
    view[0] = 0
    assert z[1].tolist() == [0] * 7
    both = zchunk.concat([z.lazy[:5], z.lazy[5:]])
    both[4:6] = 9
    assert (z[4:6] == 9).all()
    assert [(s[0].start, s[0].stop) for s in z.iter_chunks()][::2] == [(0, 3), (3, 6), (6, 9), (9, 10)]


def test_views_write_through() -> None:
    z = made((10, 7), CHUNKS, None, dtype="i4")
    z.view(fill_value=8)[0, 0] = 1
    assert (z[0, 0], z[0, 1]) == (1, 8)
    assert math.prod(z.shape) == z.size


def test_many_shapes(tmp_path: Path) -> None:
    edges = [list(range(1, 25)), list(range(1, 25))]
    items = np.arange(300 * 300, dtype="i4").reshape(300, 300)
    z = made((300, 300), edges, None, dtype="i4", compressors=None, store=tmp_path)
    z[...] = items
    z[::-7, 3::5] = items[::-7, 3::5] = 5
    np.testing.assert_array_equal(z[...], items)
    assert len(z._current._by_shape) <= 256
