"""zarr-python's arrays with zchunk's pipeline: items and keys are those that zarr-python has by itself."""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

zarr = pytest.importorskip("zarr", minversion="3.1", reason="zchunk.zarr_pipeline needs zarr-python 3.1")
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, TransposeCodec, ZstdCodec  # noqa: E402
from zarr.core.buffer import NDBuffer, cpu  # noqa: E402
from zarr.core.codec_pipeline import BatchedCodecPipeline  # noqa: E402
from zarr.storage import LocalStore, MemoryStore  # noqa: E402

import zchunk.zarr_pipeline  # noqa: E402
from tests.wings.zarr_pipeline.counting import counted  # noqa: E402
from zchunk._ext.memory import results  # noqa: E402
from zchunk.engine import execute  # noqa: E402

ZCHUNK = "zchunk.zarr_pipeline.ZchunkCodecPipeline"
DEFAULT = "zarr.core.codec_pipeline.BatchedCodecPipeline"
ITEMS = np.arange(30 * 40, dtype="i4").reshape(30, 40)
KINDS: dict[str, dict[str, Any]] = {
    "raw": {"compressors": None},
    "zstd": {"compressors": ZstdCodec(level=1)},
    "blosc": {"compressors": BloscCodec(cname="lz4", shuffle="shuffle", typesize=4)},
    "gzip-F": {"filters": [TransposeCodec(order=(1, 0))], "compressors": GzipCodec(level=1)},
    "big": {"serializer": BytesCodec(endian="big"), "compressors": None},
    "shards": {"shards": (14, 20)},
    "format 2": {"zarr_format": 2, "order": "F"},
    "format 2, big": {"zarr_format": 2, "dtype": ">i4", "compressors": None},
    "keys of format 2": {"chunk_key_encoding": {"name": "v2", "separator": "."}},
}


def make(store: Any, path: str | None = "a/b", **options: Any) -> Any:
    given = {"shape": ITEMS.shape, "chunks": (7, 10), "dtype": "i4", "name": path, "fill_value": 0}
    return zarr.create_array(store, **given | options)


def plain(z: Any) -> Any:
    """The same array as zarr-python has it without zchunk."""
    with zarr.config.set({"codec_pipeline.path": DEFAULT}):
        found = zarr.open_array(z.store, path=z.path, mode="r", zarr_format=z.metadata.zarr_format)
    assert type(found._async_array.codec_pipeline) is BatchedCodecPipeline
    return found


def keys(z: Any) -> set[str]:
    """The names of all values of a store."""

    async def listed() -> set[str]:
        return {key async for key in z.store.list()}

    return asyncio.run(listed())


# ---- the common cases, all native


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds(kind: str, store: Any, installed: str) -> None:
    z = make(store, **KINDS[kind])
    with counted(native_writes=3, native_reads=5):
        z[...] = ITEMS
        z[3:20, 5] = -1
        z[29, 39] = 77
        expected = ITEMS.copy()
        expected[3:20, 5], expected[29, 39] = -1, 77
        np.testing.assert_array_equal(z[...], expected)
        np.testing.assert_array_equal(z[5, 3:], expected[5, 3:])
        np.testing.assert_array_equal(z[2:29:3, ::11], expected[2:29:3, ::11])
        assert z[29, 39] == 77
        assert z[-1].dtype == z.dtype
    np.testing.assert_array_equal(plain(z)[...], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_what_zarr_stored_is_read(kind: str, store: Any, pipeline: None) -> None:
    with zarr.config.set({"codec_pipeline.path": DEFAULT}):
        make(store, **KINDS[kind])[...] = ITEMS
    z = zarr.open_array(store, path="a/b", mode="r")
    with counted(native_reads=4):
        np.testing.assert_array_equal(z[...], ITEMS)
        np.testing.assert_array_equal(z.oindex[[3, 1, 20], 5:9], ITEMS[[3, 1, 20], 5:9])
        np.testing.assert_array_equal(z.vindex[[3, 1, 20], [9, 0, 39]], ITEMS[[3, 1, 20], [9, 0, 39]])
        block = (z.shards or z.chunks)[0]
        np.testing.assert_array_equal(z.blocks[1], ITEMS[block : 2 * block])


@pytest.mark.parametrize("dtype", ["bool", "u1", "f2", "f8", "c8", "M8[s]", "m8[ms]", "S3", "U2", "V8"])
def test_types(dtype: str, store: Any, installed: str) -> None:
    numbers = np.arange(24).astype(bool if dtype == "bool" else "u1")
    items = numbers.astype("i8").view(dtype) if dtype == "V8" else numbers.astype(dtype)
    z = zarr.create_array(store, shape=24, chunks=5, dtype=dtype)
    with counted(native_writes=1, native_reads=1):
        z[:] = items
        np.testing.assert_array_equal(z[:], items)
    np.testing.assert_array_equal(plain(z)[:], items)


def test_no_axes(store: Any, installed: str) -> None:
    for zarr_format in (2, 3):
        z = zarr.create_array(store, name=f"n{zarr_format}", shape=(), dtype="f8", zarr_format=zarr_format)
        with counted(native_writes=1, native_reads=2):
            z[...] = 2.5
            assert z[...] == 2.5
            assert z[()] == 2.5
        assert plain(z)[()] == 2.5


def test_names_that_look_like_chunks(store: Any, installed: str) -> None:
    for name in ("1/2", "c/0", "x.zarr/0.1", ""):
        for zarr_format in (2, 3):
            z = make(store, name or None, zarr_format=zarr_format, overwrite=True)
            with counted(native_writes=1, native_reads=1):
                z[...] = ITEMS
                np.testing.assert_array_equal(z[...], ITEMS)
            np.testing.assert_array_equal(plain(z)[...], ITEMS)


# ---- zarr's meaning


def test_empty_chunks_are_not_stored(store: Any, installed: str) -> None:
    z = make(store)
    z[...] = ITEMS
    stored = keys(z)
    z[:7, :20] = 0
    assert stored - keys(z) == {"a/b/c/0/0", "a/b/c/0/1"}
    z[0, 0] = 1
    z[0, 0] = 0
    assert "a/b/c/0/0" not in keys(z)
    stores = make(store, "empty", config={"write_empty_chunks": True})
    stores[...] = 0
    assert "empty/c/0/0" in keys(stores)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_any_nan_is_a_nan_that_fills(zarr_format: int, store: Any, installed: str) -> None:
    z = zarr.create_array(store, shape=6, chunks=2, dtype="f8", fill_value=math.nan, zarr_format=zarr_format)
    others = np.array([-math.nan, math.nan, 1, -math.nan, 2, 3])
    with counted(other_writes=1):
        z[:] = others
    chunk = "c/" if zarr_format == 3 else ""
    assert f"{chunk}0" not in keys(z)
    assert f"{chunk}1" in keys(z)
    with counted(native_writes=1):
        z[:] = [math.nan, math.nan, 1, 2, 3, math.nan] if installed == "pipeline" else np.arange(6.0)


def test_zeros_have_signs(store: Any, installed: str) -> None:
    z = zarr.create_array(store, name="one", shape=4, chunks=2, dtype="f8", fill_value=0.0)
    z[:] = np.array([-0.0, 0.0, 0.0, 0.0])
    assert "one/c/0" in keys(z)
    assert "one/c/1" not in keys(z)
    pairs = zarr.create_array(store, name="pairs", shape=4, chunks=2, dtype="c8", fill_value=0)
    with counted(other_writes=1):
        pairs[:] = np.array([complex(-0.0, 0.0), 0, 1, 0], "c8")
    assert "pairs/c/0" not in keys(pairs)


def test_undefined_fill_value(store: Any, installed: str) -> None:
    z = zarr.create_array(store, shape=4, chunks=2, dtype="i4", fill_value=None, zarr_format=2)
    with counted(native_writes=1, native_reads=1):
        z[2:] = 5
        np.testing.assert_array_equal(z[:], [0, 0, 5, 5])
    z[2:] = 0
    assert "1" not in keys(z)


def test_resize_and_append(store: Any, installed: str) -> None:
    z = zarr.create_array(store, shape=(7, 5), chunks=(4, 2), dtype="i4")
    z[...] = 1
    z.resize((9, 5))
    with counted(native_reads=1, native_writes=1):
        z[7:] = 2
        np.testing.assert_array_equal(z[...], np.repeat([1, 2], [7, 2])[:, None].repeat(5, 1))
    z.append(np.full((3, 5), 3, "i4"))
    z.resize((12, 8))
    z[:, 5:] = 4
    assert z[11, 4] == 3
    assert z[11, 7] == 4
    np.testing.assert_array_equal(plain(z)[...], z[...])


def test_values_of_other_byte_order(store: Any, installed: str) -> None:
    z = make(store)
    with counted(native_writes=1):
        z[...] = ITEMS.astype(">i4")
    np.testing.assert_array_equal(z[...], ITEMS)


def test_results_have_the_byte_order_of_the_array(store: Any, installed: str) -> None:
    z = make(store, zarr_format=2, dtype=">i4")
    z[...] = ITEMS
    assert z[...].dtype == np.dtype(">i4")
    out = np.empty(ITEMS.shape, "<i4")
    # The items of `out` are not those of the array.
    with counted(other_reads=1):
        z.get_basic_selection(out=cpu.NDBuffer(out))
    np.testing.assert_array_equal(out, ITEMS)


@pytest.fixture
def kept_long() -> Iterator[None]:
    """What results leave is kept, however slow the machine is."""
    results.keep_for(600)
    yield
    results.keep_for(0.5)
    zchunk.set_spare_memory(0)
    zchunk.set_spare_memory(None)


def test_large_results_leave_their_memory_to_the_next(
    tmp_path: Path, pipeline: None, kept_long: None
) -> None:
    z = zarr.create_array(LocalStore(tmp_path), shape=1 << 20, chunks=1 << 18, dtype="i8")
    z[:] = 7
    first = z[:]
    assert (first == 7).all()
    del first
    # The thread of zarr-python's loop may hold the result a moment longer.
    end = time.monotonic() + 60
    while results.kept() < 1 << 23:
        assert time.monotonic() < end
        time.sleep(0.01)
    # What a program gives to be filled is filled, whatever holds it.
    out = np.zeros(1 << 20, "i8")
    z.get_basic_selection(out=cpu.NDBuffer(out))
    assert (out == 7).all()
    buffer = cpu.NDBuffer.empty((1 << 20,), np.dtype("i8"))
    z.get_basic_selection(out=buffer)
    assert (buffer.as_numpy_array() == 7).all()


def test_order_of_results(store: Any, installed: str) -> None:
    z = make(store, config={"order": "F"})
    z[...] = ITEMS
    assert z[...].flags.f_contiguous
    assert not z[...].flags.c_contiguous
    assert make(store, "2", zarr_format=2, order="F")[...].flags.f_contiguous


def test_read_only_stores_raise_zarrs_error(tmp_path: Path, installed: str) -> None:
    make(LocalStore(tmp_path))[...] = ITEMS
    z = zarr.open_array(tmp_path, path="a/b", mode="r")
    with pytest.raises(ValueError, match="read-only") as ours, counted(other_writes=1):
        z[0] = 1
    with pytest.raises(ValueError, match="read-only") as zarrs:
        plain(z)[0] = 1
    assert str(ours.value) == str(zarrs.value)


def test_pipelines_within_shards_are_zarrs() -> None:
    found = zchunk.zarr_pipeline.ZchunkCodecPipeline.from_codecs([BytesCodec()])
    assert type(found) is BatchedCodecPipeline


@pytest.mark.skipif(
    not hasattr(zarr.core.array_spec.ArrayConfig.from_dict({}), "read_missing_chunks"),
    reason="this zarr-python always fills missing chunks",
)
@pytest.mark.parametrize("options", [{}, {"shards": (14, 20)}], ids=["chunks", "shards"])
def test_missing_chunks_may_be_errors(options: dict[str, Any], store: Any, installed: str) -> None:
    z = make(store, config={"read_missing_chunks": False}, **options)
    z[:14, :20] = 0
    z[0, 0] = 1
    with pytest.raises(zarr.errors.ChunkNotFoundError) as ours:
        z[...]
    with pytest.raises(zarr.errors.ChunkNotFoundError) as zarrs:
        plain(z).with_config({"read_missing_chunks": False})[...]
    assert str(ours.value) == str(zarrs.value)
    z[...] = ITEMS + 1
    with counted(native_reads=1):
        np.testing.assert_array_equal(z[...], ITEMS + 1)


def test_statuses(store: Any, pipeline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    z = make(store)
    z[:7, :10] = 1
    kind, found = type(z._async_array.codec_pipeline), []
    read = kind.read

    async def kept(*args: Any, **kwargs: Any) -> Any:
        found.append(await read(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(kind, "read", kept)
    with counted(native_reads=1):
        z[:7, :20]
    assert len(found[0]) == 2
    assert list(found[0]) == [{"status": "present"}, {"status": "missing"}]
    assert found[0][:1] == ({"status": "present"},)


def test_damaged_chunks_raise_zarrs_error(tmp_path: Path, installed: str) -> None:
    z = make(LocalStore(tmp_path), compressors=ZstdCodec())
    z[...] = ITEMS + 1
    (tmp_path / "a/b/c/1/1").write_bytes(b"nonsense")
    with pytest.raises(Exception) as zarrs:
        plain(z)[...]
    with pytest.raises(type(zarrs.value)), counted(other_reads=1):
        z[...]
    # What is written whole is not read.
    with counted(native_writes=1, native_reads=1):
        z[7:14] = 3
        assert (z[7:14] == 3).all()


def test_what_lies_beyond_the_edge(store: Any, installed: str) -> None:
    """A chunk that is written whole has fill values there, another keeps what it had."""
    for options in ({}, {"shards": (8, 8)}):
        found = []
        for native in (True, False):
            with zarr.config.set({"codec_pipeline.path": ZCHUNK if native else DEFAULT}):
                z = zarr.create_array(
                    store, name=f"{native}{len(options)}", shape=(9, 9), chunks=(4, 4), dtype="i4",
                    fill_value=-1, **options,
                )  # fmt: skip
                z[...] = 5
                z.resize((7, 7))
                z[4:, 4:] = 6
                z[5:, :4] = 7
                z[:4, 4:6] = 8
                z.resize((9, 9))
                found.append(z[...])
                # All that lies in the array, by a list and by an array.
                for value in ([[3] * 6] * 5, np.full((5, 6), 4, "i4")):
                    z.resize((5, 6))
                    z[...] = value
                    z.resize((9, 9))
                    found[-1] = np.concatenate([found[-1], z[...]])
        np.testing.assert_array_equal(*found)


# ---- what is zarr-python's


def test_other_items_are_zarrs(store: Any, installed: str) -> None:
    texts = zarr.create_array(store, name="t", shape=3, chunks=2, dtype=str)
    with counted(other_writes=1, other_reads=1):
        texts[:] = np.array(["a", "bc", "d"], object)
        assert list(texts[:]) == ["a", "bc", "d"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_structures(zarr_format: int, store: Any, installed: str) -> None:
    dtype = np.dtype([("x", "<i4"), ("y", "<f8"), ("name", "S3")])
    z = zarr.create_array(store, shape=4, chunks=2, dtype=dtype, zarr_format=zarr_format)
    # Not the same in all versions.
    empty = z.fill_value
    items = np.array([(1, 2.0, b"a"), (3, 4.0, b"bc"), empty, (7, -1.0, b"def")], dtype)
    with counted(native_reads=3, native_writes=2):
        z[:] = items
        np.testing.assert_array_equal(z[:], items)
        assert z[1]["y"] == 4
        z[3] = empty
        assert z[3] == empty
    assert not any(key.endswith("1") for key in keys(z)), "a chunk of fill values is stored"
    np.testing.assert_array_equal(plain(z)[:2], items[:2])
    # zarr-python's own error, another one in every version.
    with counted(other_reads=1), pytest.raises((TypeError, ValueError)):
        z["x"]
    # A zero with a sign is a fill value to zarr-python, which compares by field.
    signed = items[2:3].copy()
    signed["y"] = -0.0
    with counted(other_writes=1):
        z[2:3] = signed


def test_shards_in_an_order_that_was_asked_for_are_zarrs(installed: str) -> None:
    codec = zarr.codecs.ShardingCodec(chunk_shape=(7, 10))
    if not hasattr(codec, "subchunk_write_order"):
        pytest.skip("this zarr-python has one order of chunks in shards")
    serializer = zarr.codecs.ShardingCodec(chunk_shape=(7, 10), subchunk_write_order="colexicographic")
    z = make(MemoryStore(), chunks=(14, 20), serializer=serializer, compressors=None)
    with counted(other_writes=1, native_reads=1):
        z[...] = ITEMS
        np.testing.assert_array_equal(z[...], ITEMS)


class Derived(MemoryStore):
    """May do anything with its values."""


def test_other_stores_are_zarrs(installed: str) -> None:
    for store in (Derived(), zarr.storage.WrapperStore(MemoryStore())):
        z = make(store)
        with counted(other_writes=1, other_reads=1):
            z[...] = ITEMS
            np.testing.assert_array_equal(z[...], ITEMS)


class Odd(ZstdCodec):
    """A codec by the name of another one."""


def test_other_codecs_are_zarrs(store: Any, installed: str) -> None:
    for options in ({"compressors": Odd()}, {"compressors": Odd(), "shards": (14, 20)}):
        z = make(store, overwrite=True, **options)
        with counted(other_writes=1, other_reads=1):
            z[...] = ITEMS
            np.testing.assert_array_equal(z[...], ITEMS)


class OtherBuffer(cpu.NDBuffer):
    """Such as one of a GPU."""


def test_other_buffers_are_zarrs(store: Any, installed: str) -> None:
    z = make(store)
    z[...] = ITEMS
    prototype = zarr.core.buffer.BufferPrototype(buffer=cpu.Buffer, nd_buffer=OtherBuffer)
    with counted(other_reads=1):
        np.testing.assert_array_equal(z.get_basic_selection((3,), prototype=prototype), ITEMS[3])
    zarr.registry.register_ndbuffer(OtherBuffer)
    name = f"{OtherBuffer.__module__}.{OtherBuffer.__qualname__}"
    with zarr.config.set({"ndbuffer": name}), counted(other_reads=1, other_writes=1):
        z[3] = 1
        assert (z[3] == 1).all()
    assert isinstance(OtherBuffer(ITEMS), NDBuffer)


def test_chunks_of_several_shapes_are_zarrs(store: Any, installed: str) -> None:
    try:
        with zarr.config.set({"array.rectilinear_chunks": True}):
            z = make(store, chunks=[[10, 20], [40]])
    except (TypeError, ValueError) as err:
        pytest.skip(f"this zarr-python has no rectilinear grids: {err}")
    with zarr.config.set({"array.rectilinear_chunks": True}), counted(other_writes=1, other_reads=1):
        z[...] = ITEMS
        np.testing.assert_array_equal(z[...], ITEMS)


def test_the_fallback_is_chosen(store: Any, pipeline: None) -> None:
    fused = pytest.importorskip("zarr.core.codec_pipeline")
    if not hasattr(fused, "FusedCodecPipeline"):
        pytest.skip("this zarr-python has one pipeline")
    name = "zarr.core.codec_pipeline.FusedCodecPipeline"
    with zarr.config.set({"codec_pipeline.fallback": name}):
        z = make(store)
    assert type(z._async_array.codec_pipeline._own) is fused.FusedCodecPipeline
    itself = zarr.config.set({"codec_pipeline.fallback": ZCHUNK})
    with itself, pytest.raises(ValueError, match="stand in for"):
        make(store, "other")


# ---- threads, processes, loops


def test_the_loop_of_a_program_is_not_blocked(
    store: Any, pipeline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = make(store)
    threads: list[int] = []
    for name in ("read", "write"):
        work = getattr(execute, name)

        def noted(*args: Any, work: Any = work) -> None:
            threads.append(threading.get_ident())
            work(*args)

        monkeypatch.setattr(execute, name, noted)

    async def program() -> Any:
        await z._async_array.setitem((slice(None), slice(None)), ITEMS)
        await z._async_array.setitem((0, 0), 5)
        found = await asyncio.gather(*[z._async_array.getitem((i, slice(None))) for i in range(5)])
        return found, await z._async_array.getitem((0, 0))

    rows, item = asyncio.run(program())
    assert item == 5
    np.testing.assert_array_equal(np.array(rows)[1:], ITEMS[1:5])
    assert len(threads) == 8
    assert threading.get_ident() not in threads


def test_threads_that_share_a_chunk(store: Any, installed: str) -> None:
    z = zarr.create_array(store, shape=64, chunks=64, dtype="i4")

    def put(i: int) -> None:
        z[i] = i + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(64)))
    np.testing.assert_array_equal(z[:], np.arange(1, 65))


def test_pickles(tmp_path: Path, installed: str) -> None:
    z = make(LocalStore(tmp_path))
    z[...] = ITEMS
    again = pickle.loads(pickle.dumps(z))
    assert type(again._async_array.codec_pipeline) is zchunk.zarr_pipeline.ZchunkCodecPipeline
    np.testing.assert_array_equal(again[...], ITEMS)
    assert again._async_array.codec_pipeline == z._async_array.codec_pipeline
    with counted(native_reads=1):
        again[0]


def _sum(z: Any) -> int:
    return int(z[...].sum())


def test_forked_processes(tmp_path: Path, installed: str) -> None:
    z = make(LocalStore(tmp_path))
    z[...] = ITEMS
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_sum, [z, z, z]) == [int(ITEMS.sum())] * 3


@pytest.mark.slow
def test_dask(tmp_path: Path, installed: str) -> None:
    da = pytest.importorskip("dask.array")
    make(LocalStore(tmp_path))[...] = ITEMS
    x = da.from_zarr(zarr.open_array(tmp_path / "a/b", mode="r"))
    before = dict(zchunk.zarr_pipeline.calls)
    assert int(x.sum().compute(scheduler="threads")) == ITEMS.sum()
    after = zchunk.zarr_pipeline.calls
    assert after["native_reads"] - before["native_reads"] >= x.npartitions
    assert after["other_reads"] == before["other_reads"]
    z = make(LocalStore(tmp_path), "c")
    da.store(da.from_array(ITEMS, chunks=(7, 10)), z, lock=False, compute=True)
    np.testing.assert_array_equal(z[...], ITEMS)


def test_xarray(tmp_path: Path, installed: str) -> None:
    xr = pytest.importorskip("xarray")
    ds = xr.Dataset({"t": (("y", "x"), ITEMS * 0.5), "n": ("x", np.arange(40))})
    before = dict(zchunk.zarr_pipeline.calls)
    ds.to_zarr(tmp_path / "ds.zarr", consolidated=False)
    found = xr.open_dataset(tmp_path / "ds.zarr", engine="zarr", consolidated=False)
    xr.testing.assert_identical(ds, found.load())
    xr.testing.assert_identical(ds.isel(x=[3, 1], y=slice(2, 9)), found.isel(x=[3, 1], y=slice(2, 9)))
    after = zchunk.zarr_pipeline.calls
    assert after["native_reads"] - before["native_reads"] >= 2
    assert after["native_writes"] - before["native_writes"] >= 2
    assert after["other_reads"] == before["other_reads"]


def test_a_folder_that_moves(tmp_path: Path, installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make(LocalStore(tmp_path / name), fill_value=0)[...] = ITEMS + (name == "two")
    monkeypatch.chdir(tmp_path / "one")
    z = zarr.open_array("a/b")
    with counted(native_reads=2):
        assert z[0, 1] == 1
        monkeypatch.chdir(tmp_path / "two")
        assert z[0, 1] == 2


# ---- against zarr-python, at random


FORWARD = st.slices(9).filter(lambda s: s.step is None or s.step > 0)
SELECTION = st.one_of(st.integers(0, 4), st.just(slice(None)), FORWARD)


@given(
    data=st.data(),
    shape=st.lists(st.integers(5, 9), min_size=1, max_size=3).map(tuple),
    fill=st.sampled_from([0, 7]),
    zarr_format=st.sampled_from([2, 3]),
    sharded=st.booleans(),
)
def test_programs(data: Any, shape: tuple[int, ...], fill: int, zarr_format: int, sharded: bool) -> None:
    """The same steps, with zchunk and without, leave the same keys and the same items, within chunks too."""
    chunks = data.draw(st.tuples(*[st.integers(1, 5) for _ in shape]))
    options: dict[str, Any] = {"shards": tuple(2 * n for n in chunks)} if sharded and zarr_format == 3 else {}
    engine = data.draw(st.booleans())
    arrays = []
    for path in (ZCHUNK, DEFAULT):
        with zarr.config.set({"codec_pipeline.path": path}):
            z = zarr.create_array(
                MemoryStore(), shape=shape, chunks=chunks, dtype="i2", fill_value=fill,
                zarr_format=zarr_format, **options,
            )  # fmt: skip
            arrays.append(z)
    # zarr-python 3.1 cannot write to parts of shards by positions.
    kinds = ["basic", "resize", "fill"] if options else ["basic", "resize", "fill", "oindex", "vindex"]
    steps: list[Any] = []
    for number in range(data.draw(st.integers(1, 5))):
        kind = data.draw(st.sampled_from(kinds))
        now = arrays[0].shape
        if kind == "resize":
            steps.append((kind, data.draw(st.tuples(*[st.integers(5, 10) for _ in now]))))
        elif kind in ("basic", "fill"):
            steps.append((kind, data.draw(st.tuples(*[SELECTION for _ in now])), number + 1))
        else:
            length = data.draw(st.integers(1, 4))
            lists = [st.lists(st.integers(0, 4), min_size=length, max_size=length, unique=True)] * len(now)
            steps.append((kind, data.draw(st.tuples(*lists)), number + 1))
        with zchunk.zarr_pipeline.install(engine) if engine else zarr.config.set({}):
            for z in arrays:
                _take_step(z, *steps[-1])
    assert keys(arrays[0]) == keys(arrays[1])
    shape = tuple(-(-n // c) * c for n, c in zip(arrays[0].shape, arrays[0].shards or chunks, strict=True))
    for z in arrays:
        z.resize(shape)
    np.testing.assert_array_equal(arrays[0][...], arrays[1][...], err_msg=str(steps))


def _take_step(z: Any, kind: str, what: Any, number: int = 0) -> None:
    if kind == "resize":
        z.resize(what)
    elif kind == "fill":
        z[what] = z.fill_value
    else:
        of = z if kind == "basic" else getattr(z, kind)
        selected = np.asarray(of[what])
        of[what] = (np.arange(selected.size).reshape(selected.shape) + 10 * number).astype(z.dtype)
