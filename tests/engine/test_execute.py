"""Reading and writing against NumPy: every dtype, codec, order and selection, natively and generically."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import blosc
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import zchunk
from tests.variants import Variant, only_v2
from zchunk.codecs import LZ4, Blosc, GZip, Zlib, Zstd
from zchunk.engine import execute

pytestmark = pytest.mark.usefixtures("variant")

SIMPLE = ["|b1", "|i1", "|u1", "<i2", ">u2", "<i4", ">i8", "<u8", "<f2", ">f4", "<f8", "<c8", ">c16"]
DATES = ["<M8[ns]", ">M8[10us]", "<M8[D]", "<m8[s]", ">m8[25ms]"]
BYTES = [f"|S{n}" for n in (1, 3, 5, 7, 9, 11, 13, 17, 300)] + ["<U1", ">U4", "|V6", "|V16"]
STRUCTURED = [
    np.dtype([("a", "<i2"), ("b", ">f8")]),
    np.dtype([("a", "u1"), ("b", [("c", "<f4", (2, 3)), ("d", "S3")])]),
    np.dtype([("a", "u1"), ("b", "<f8")], align=True),
    np.dtype([("a", ">i2"), ("b", [("c", ">f8"), ("d", "S3")])]),
]
DTYPES = [np.dtype(name) for name in SIMPLE + DATES + BYTES] + STRUCTURED
COMPRESSORS = [
    None,
    Blosc(),
    Blosc("zstd", 1, Blosc.BITSHUFFLE),
    Blosc("lz4hc", 3, Blosc.NOSHUFFLE),
    Blosc("zlib", 1, Blosc.AUTOSHUFFLE, blocksize=256),
    Blosc("blosclz", 9, blocksize=64),
    Blosc("lz4", 0),
    Zstd(1),
    LZ4(),
    Zlib(1),
    GZip(1),
]


@contextlib.contextmanager
def executor(name: str) -> Iterator[None]:
    """Have the engine use the executor of this name."""
    before = execute.native_enabled
    execute.native_enabled = name == "native"
    try:
        yield
    finally:
        execute.native_enabled = before


def items_of(dtype: np.dtype, shape: tuple[int, ...], seed: int, values: int = 256) -> np.ndarray:
    """Any bytes are items of a dtype, but for bool and text."""
    rng = np.random.default_rng(seed)
    if dtype.kind == "U":
        return np.asarray(rng.integers(0, 9999, shape).astype(str), dtype)
    raw = rng.integers(0, 2 if dtype.kind == "b" else values, (*shape, dtype.itemsize), "u1")
    items = np.ndarray(shape, dtype, raw.tobytes()) if raw.size else np.empty(shape, dtype)
    clean = np.zeros(shape, dtype)
    # NumPy copies no padding between fields: it stays zero.
    clean[...] = items
    return clean


def same(a: Any, b: Any) -> bool:
    """Whether two arrays or NumPy scalars have the same dtype, shape and bits, padding included."""
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return False
    void = np.dtype((np.void, a.dtype.itemsize))
    return not a.dtype.itemsize or a.view(void).tobytes() == b.view(void).tobytes()


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@st.composite
def slices(draw: st.DrawFn, length: int) -> slice:
    bound = st.none() | st.integers(-length - 2, length + 2)
    step = draw(st.none() | st.integers(1, 4) | st.integers(-4, -1) | st.sampled_from([100, -100, 2**62]))
    return slice(draw(bound), draw(bound), step)


@st.composite
def selections(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    entries: list[Any] = []
    for length in shape:
        kinds = [slices(length)] + ([st.integers(-length, length - 1)] if length else [])
        entries.append(draw(st.one_of(kinds)))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(entries)))
        cut = draw(st.integers(at, len(entries)))
        entries[at:cut] = [Ellipsis]
    elif draw(st.booleans()):
        entries = entries[: draw(st.integers(0, len(entries)))]
    return tuple(entries)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    shape = tuple(draw(st.lists(st.integers(0, 9), max_size=5)))
    while np.prod(shape, dtype=int) > 3000:
        shape = shape[1:]
    return {
        "shape": shape,
        "chunks": tuple(draw(st.integers(1, max(n, 1) + 2)) for n in shape),
        "dtype": draw(st.sampled_from(DTYPES)),
        "order": draw(st.sampled_from("CF")),
        "dimension_separator": draw(st.sampled_from(["/", "."])),
        "compressor": draw(st.sampled_from(COMPRESSORS)),
        "fill_value": draw(st.sampled_from([0, None])),
        "write_empty_chunks": draw(st.booleans()),
    }


@given(data=st.data(), case=cases(), seed=st.integers(0, 99))
def test_writes_and_reads_as_numpy_does(
    data: st.DataObject, case: dict[str, Any], seed: int, variant: Variant
) -> None:
    """Two writes and two reads; both executors give the same array and the same files."""
    assume(variant.takes(case["dtype"]))
    writes = [data.draw(selections(case["shape"])) for _ in range(2)]
    reads = [data.draw(selections(case["shape"])) for _ in range(2)]
    # Few values, so that chunks of nothing but fill values occur.
    source = items_of(case["dtype"], case["shape"], seed, values=2 if case["write_empty_chunks"] else 1)
    expected = np.zeros(case["shape"], variant.dtype(case["dtype"]))
    for selection in writes:
        expected[selection] = source[selection]
    files = []
    for name in ("native", "generic"):
        with executor(name), tempfile.TemporaryDirectory() as folder:
            z = zchunk.create(store=folder, **case)
            assert execute.native_enabled == (name == "native")
            for selection in writes:
                z[selection] = source[selection]
            assert same(z[...], expected)
            for selection in reads:
                assert same(z[selection], expected[selection])
            files.append(variant.values(z))
    assert files[0] == files[1]


@given(
    data=st.data(),
    compressor=st.sampled_from(COMPRESSORS),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 9),
)
def test_out_of_any_strides(
    data: st.DataObject, compressor: Any, dtype: np.dtype, seed: int, variant: Variant
) -> None:
    assume(variant.takes(dtype))
    source = items_of(dtype, (7, 6, 5), seed)
    selection = data.draw(selections((7, 6, 5)))
    expected = source[selection if Ellipsis in selection else (*selection, ...)]
    steps = [data.draw(st.sampled_from([1, 2, -1, -3])) for _ in expected.shape]
    order = data.draw(st.sampled_from("CF"))
    for name in ("native", "generic"):
        with executor(name), tempfile.TemporaryDirectory() as folder:
            z = zchunk.array(source, chunks=(3, 4, 2), store=folder, compressor=compressor)
            memory = np.zeros([abs(s) * n for s, n in zip(steps, expected.shape, strict=True)], dtype, order)
            void = np.dtype((np.void, dtype.itemsize))
            around = memory.view(void).copy()
            window = (..., *(slice(None, None, s) for s in steps))
            assert z.get_basic_selection(selection, out=memory[window]) is not None
            assert same(memory[window], expected)
            # Nothing beside the window is touched.
            around[window] = expected.view(void)
            assert same(memory.view(void), around)


@pytest.mark.usefixtures("path")
def test_out_of_another_dtype_is_converted(tmp_path: Path) -> None:
    z = zchunk.array(np.arange(12).reshape(3, 4), chunks=(2, 2), store=tmp_path)
    out = np.zeros((3, 4), ">f4")
    assert z.get_basic_selection(out=out) is out
    np.testing.assert_array_equal(out, np.arange(12).reshape(3, 4))


@pytest.mark.parametrize(
    ("out", "error"),
    [
        (np.zeros((3, 5)), ValueError),
        (np.zeros(12), ValueError),
        ([0] * 12, TypeError),
        (np.broadcast_to(0.0, (3, 4)), ValueError),
    ],
)
@pytest.mark.usefixtures("path")
def test_out_that_does_not_fit(out: Any, error: type[Exception], tmp_path: Path) -> None:
    z = zchunk.zeros((3, 4), store=tmp_path)
    with pytest.raises(error, match="out"):
        z.get_basic_selection(out=out)


# ---- large chunks, of which only parts are read

SHAPE, CHUNKS = (90, 130, 110), (64, 128, 96)
PARTS = [
    np.s_[5], np.s_[:, 70], np.s_[:, :, 33], np.s_[17, 44, 101], np.s_[::13, 3:9, ::-7],
    np.s_[60:70, 120:, 90:100], np.s_[-1, -1], np.s_[:2], np.s_[1:64, 0:128, 0:96], np.s_[::-1, ::-1, 5],
]  # fmt: skip


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize(
    "compressor",
    [
        None,
        Blosc(),
        Blosc("zstd", 1, Blosc.BITSHUFFLE),
        Blosc("lz4", 5, 1, 4096),
        Blosc("lz4", 0),
        Blosc("zlib", 1),
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", ["<f8", "|u1", "|S7", ">i4"])
@pytest.mark.each_value
def test_parts_of_large_chunks(
    dtype: str, compressor: Any, order: str, variant: Variant, tmp_path: Path
) -> None:
    source = items_of(np.dtype(dtype), SHAPE, 1, values=40)
    z = zchunk.array(source, chunks=CHUNKS, store=tmp_path, compressor=compressor, order=order)
    assert max(p.stat().st_size for p in tmp_path.rglob("*")) > 128 << 10
    source = source.astype(variant.dtype(dtype))
    for part in PARTS:
        assert same(np.asarray(z[part]), np.asarray(source[part])), part


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("blocksize", [0, 1000, 4096, 65536])
@pytest.mark.parametrize("typesize", [1, 3, 4, 5, 8, 16, 200])
@pytest.mark.variants("v2", "v3", reason="replaces a chunk by its key")
@pytest.mark.each_value
def test_foreign_frames_with_other_typesize_and_blocks(
    typesize: int, blocksize: int, variant: Variant, tmp_path: Path
) -> None:
    """Items may straddle the blocks of a frame that was made with another type size."""
    source = items_of(np.dtype("<f8"), SHAPE, 2, values=50)
    z = zchunk.array(source, chunks=CHUNKS, store=tmp_path)
    whole = np.zeros(CHUNKS)
    whole[...] = source[:64, :128, :96]
    blosc.set_blocksize(blocksize)
    try:
        frame = blosc.compress(whole.tobytes(), typesize=typesize, clevel=3, cname="lz4")
    finally:
        blosc.set_blocksize(0)
    assert len(frame) > 128 << 10
    (tmp_path / variant.chunk(0, 0, 0)).write_bytes(frame)
    for part in PARTS:
        assert same(np.asarray(z[part]), np.asarray(source[part])), part
    # Partly written, the foreign frame is decoded and merged.
    z[3, 5:7] = source[3, 5:7] = 1
    assert same(z[...], source)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_any_number_of_threads(threads: int, tmp_path: Path) -> None:
    source = items_of(np.dtype("<i4"), (300, 400), 5)
    zchunk.set_threads(threads)
    try:
        z = zchunk.zeros((300, 400), chunks=(16, 33), dtype="<i4", store=tmp_path)
        z[1:, ::-1] = source[1:, ::-1]
        source[0] = 0
        assert same(z[...], source)
        assert same(z[::3, ::-2], source[::3, ::-2].copy())
    finally:
        zchunk.set_threads(None)


# ---- missing and empty chunks


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("fill", [0, 7, None])
def test_missing_chunks_are_the_fill_value(fill: int | None, variant: Variant, tmp_path: Path) -> None:
    z = zchunk.create(10, chunks=4, dtype="i2", fill_value=fill, store=tmp_path)
    np.testing.assert_array_equal(z[:], np.full(10, fill or 0))
    z[5] = 1
    np.testing.assert_array_equal(z[2:8], [fill or 0] * 3 + [1] + [fill or 0] * 2)
    assert z.nchunks_initialized == variant.initialized(z, 1)


@pytest.mark.usefixtures("path")
def test_nan_with_its_bits_is_what_counts_as_empty(variant: Variant, tmp_path: Path) -> None:
    z = zchunk.full(8, fill_value=np.nan, chunks=2, write_empty_chunks=False, store=tmp_path)
    z[:] = np.nan
    assert z.nchunks_initialized == 0
    z[0] = 1.0
    z[2:4] = np.array([0x7FF8000000000001] * 2, "u8").view("f8")
    assert z.nchunks_initialized == variant.initialized(z, 0, 1)
    assert z[2:3].view("u8")[0] == 0x7FF8000000000001
    zero = zchunk.zeros(4, chunks=2, write_empty_chunks=False, store=tmp_path / "zero")
    zero[0] = -0.0
    assert np.signbit(zero[0])


@pytest.mark.usefixtures("path")
def test_chunks_that_become_empty_are_erased(variant: Variant, tmp_path: Path) -> None:
    z = zchunk.full(10, fill_value=3, chunks=4, dtype="i4", write_empty_chunks=False, store=tmp_path)
    z[:] = np.arange(10)
    assert z.nchunks_initialized == variant.initialized(z, 0, 1, 2)
    z[4:8] = 3
    z[8] = 3
    assert z.nchunks_initialized == variant.initialized(z, 0, 2)
    z[9] = 3
    assert z.nchunks_initialized == variant.initialized(z, 0)
    np.testing.assert_array_equal(z[:], [0, 1, 2, 3, 3, 3, 3, 3, 3, 3])


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("write_empty", [True, False])
@only_v2("structures of format 3 have no padding")
def test_padding_of_structures_survives(write_empty: bool, tmp_path: Path) -> None:
    dtype = np.dtype([("a", "u1"), ("b", "<f8")], align=True)
    source = np.frombuffer(bytes(range(96)), dtype)
    z = zchunk.create(6, chunks=4, dtype=dtype, store=tmp_path, write_empty_chunks=write_empty)
    z[:] = source
    assert z[:].tobytes() == source.tobytes()


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("dtype", ["<U0", "|S0", "|V0"])
def test_dtypes_without_bytes(dtype: str, tmp_path: Path) -> None:
    """NumPy makes arrays of one character for them, and zarr 2 gives those; there is nothing to store."""
    z = zchunk.create((3, 4), chunks=2, dtype=dtype, store=tmp_path)
    z[...] = np.zeros((3, 4), dtype)
    z[0] = np.zeros((), dtype)[()]
    assert z.nchunks_initialized == 0
    assert same(z[1:], np.zeros((2, 4), dtype))
    assert z.dtype == np.dtype(dtype)
    assert z.dtype.itemsize == 0
    assert z.nbytes == 0
    with pytest.raises(ValueError, match="shape"):
        z[0] = np.zeros(3, dtype)
    z.resize(5, 4)
    z.append(np.zeros((1, 4), dtype))
    assert zchunk.open(str(tmp_path)).shape == (6, 4)


@pytest.mark.parametrize("native", ["native", "generic"])
@pytest.mark.parametrize("where", [None, "folder", "folder.zip"])
def test_routes_that_are_kept_are_those_of_the_table(where: str | None, native: str, tmp_path: Path) -> None:
    store = None if where is None else str(tmp_path / where)
    z = zchunk.create((6, 6), chunks=2, dtype="i4", store=store, cache_bytes=1 << 20)
    z[...] = items = np.arange(36, dtype="i4").reshape(6, 6)
    array = z._chunked
    with executor("native" if native == "generic" else "generic"):
        np.testing.assert_array_equal(z[...], items)
    with executor(native):
        np.testing.assert_array_equal(z[...], items)
        others = (
            array,
            array.uncached,
            array.converting(array.uncached),
            array.in_store(zchunk.MemoryStore()),
            array.with_shape((4, 4)),
            array.unpublished,
        )
        for other in others:
            expected = [(route.read, route.write) for route in execute.ROUTES if route.takes(other)]
            assert (other.routes.get(execute.native_enabled) or execute._routes(other)) == expected
            assert other.routes[execute.native_enabled] == expected
