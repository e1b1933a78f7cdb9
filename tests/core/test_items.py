"""Every kind of items through a life of an array: made, partly written, resized, appended to, read again.

Among them those of the other byte order, of which format 3 says only how they are stored.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.engine.test_execute import items_of, same
from tests.variants import Variant
from zchunk.errors import MetadataError

pytestmark = pytest.mark.usefixtures("path")

DTYPES: list[Any] = [
    ">f4", ">i8", ">u2", ">c16", ">f2", ">U5", ">M8[s]", ">m8[25ms]", "<M8[ns]", "|S7", "|V5", "|b1", "<U3",
    [("a", "<i2"), ("b", [("c", "<f8"), ("d", "S3")])], [("a", ">i2"), ("b", [("c", ">f8"), ("d", "S3")])],
    np.dtype([("a", "u1"), ("b", ">f8")], align=True), str, bytes,
]  # fmt: skip
SHAPES = [(), (0,), (3, 0), (13,), (7, 9)]


def sample(dtype: Any, variant: Variant, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Items as they are shown."""
    if dtype not in (str, bytes):
        return items_of(np.dtype(dtype), shape, seed, 100).astype(variant.dtype(dtype))
    out = np.empty(shape, object)
    rng = np.random.default_rng(seed)
    for place in np.ndindex(shape):
        text = "é" * int(rng.integers(0, 30)) + str(place)
        out[place] = text if dtype is str else text.encode()
    return out


def check(z: zchunk.Array, expected: np.ndarray) -> None:
    again = zchunk.open_array(z.store, "r")
    for one in (z, again, pickle.loads(pickle.dumps(again))):
        found = one[...]
        assert one.dtype == expected.dtype
        if expected.dtype.hasobject or expected.dtype.names:
            # Not what is between fields.
            assert found.tolist() == expected.tolist()
        else:
            assert same(found, expected)
    if expected.ndim and expected.size:
        first = (0,) * expected.ndim
        assert z[first] == expected[first]
        # Any strides, of which some are negative.
        out = np.zeros((*expected.shape[:-1], 2 * expected.shape[-1]), expected.dtype, "F")[..., ::-2]
        assert z.get_basic_selection(..., out=out) is out
        assert out.tolist() == expected.tolist()
        picks = tuple(np.array([n - 1, 0, -1]) for n in expected.shape)
        assert z.oindex[picks].tolist() == expected[np.ix_(*picks)].tolist()
        assert z.vindex[picks].tolist() == expected[picks].tolist()


@pytest.mark.parametrize(("order", "cache_bytes"), [("C", None), ("F", 10**6)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_life(
    dtype: Any, shape: tuple[int, ...], order: Any, cache_bytes: Any, variant: Variant, tmp_path: Path
) -> None:
    if dtype in (str, bytes):
        fill = None if variant.kind == "v2" else dtype()
    else:
        fill = sample(dtype, variant, (1,), 5)[0]
    z = zchunk.create(
        shape, chunks=(2, 3)[: len(shape)], dtype=dtype, order=order, fill_value=fill, store=tmp_path,
        cache_bytes=cache_bytes, write_empty_chunks=False,
    )  # fmt: skip
    expected = np.full(shape, fill, object if dtype in (str, bytes) else variant.dtype(dtype))
    if dtype in (str, bytes) and variant.kind == "v2":
        # Chunks that are not there hold None, others "": see the tests of objects.
        z[...] = expected = np.full(shape, dtype(), object)
    check(z, expected)
    source = sample(dtype, variant, shape, 1)
    for selection in ((...,), (slice(1, -1),) * len(shape), (slice(None, None, -2),) * len(shape)):
        z[...] = expected
        z[selection] = source[selection]
        expected[selection] = source[selection]
        check(z, expected)
    if not shape:
        return
    if expected.dtype.names and expected.size:
        value = expected["b"][0].copy()
        z["b", 1:] = value
        expected["b"][1:] = value
        check(z, expected)
    more = sample(dtype, variant, (3, *shape[1:]), 2)
    z.append(more)
    expected = np.concatenate([expected, more]).astype(expected.dtype)
    check(z, expected)
    if dtype in (str, bytes) and variant.kind == "v2":
        return
    z.resize(1, *shape[1:])
    z.resize(6, *(n + 2 for n in shape[1:]))
    grown = np.full((6, *(n + 2 for n in shape[1:])), fill, expected.dtype)
    grown[(slice(1), *(slice(n) for n in shape[1:]))] = expected[:1]
    check(z, grown)


@pytest.mark.parametrize("dtype", [">f4", ">i8", ">M8[s]"])
def test_the_other_byte_order(dtype: str, variant: Variant, tmp_path: Path) -> None:
    """Format 3 stores it, and says so; what is read has that of the machine, as with zarr 3."""
    source = np.arange(1, 11).astype(dtype)
    z = zchunk.array(source, chunks=3, compressor=None, fill_value=7, store=tmp_path)
    shown = np.dtype(dtype) if variant.kind == "v2" else np.dtype(dtype).newbyteorder("=")
    assert z.dtype == z[...].dtype == z[1:3].dtype == z.oindex[[1]].dtype == shown
    assert (tmp_path / variant.chunk(0)).read_bytes()[: 3 * source.itemsize] == source[:3].tobytes()
    like = zchunk.empty_like(z)
    assert like.serializer == z.serializer
    out = np.zeros(10, dtype)
    z.get_basic_selection(out=out)
    assert out.tobytes() == source.tobytes()
    z.resize(14)
    assert z[9:].tolist() == np.array([10, 7, 7, 7, 7]).astype(dtype).tolist()
    view = z.view(dtype=np.dtype(f"u{source.itemsize}").newbyteorder(">" if variant.kind == "v2" else "="))
    assert view[:10].tobytes() == source.astype(shown).tobytes()
    assert z.astype("f8" if dtype != ">M8[s]" else "M8[ms]")[:10].tolist() == (
        source.astype("f8" if dtype != ">M8[s]" else "M8[ms]").tolist()
    )
    group = zchunk.group({}, zarr_format=2)
    zchunk.copy(z, group, "a")
    assert group["a"].dtype == np.dtype(dtype)
    assert group["a"][:10].tobytes() == source.tobytes()


@pytest.mark.variants("v3", "sharded", reason="format 2 has a byte order for each field")
def test_fields_of_both_byte_orders_are_refused(variant: Variant) -> None:
    with pytest.raises(MetadataError, match="both byte orders"):
        zchunk.zeros(3, dtype=[("a", "<i2"), ("b", ">i2")])
    assert zchunk.zeros(3, dtype=[("a", ">i2"), ("b", "S2"), ("c", "u1")])[0].tolist() == (0, b"", 0)


@pytest.mark.variants("v3", "sharded", reason="zarr 3 has tests of its own for format 2")
@pytest.mark.parametrize("dtype", [">f4", ">i8", ">c16", "<M8[ns]", "|S7", "<U3", "|b1"])
def test_zarr_3_reads_the_same(dtype: str, variant: Variant, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    z = zchunk.create((7, 9), chunks=(2, 3), dtype=dtype, store=tmp_path)
    source = sample(dtype, variant, (7, 9), 3)
    z[1:6, 2:] = source[1:6, 2:]
    np.testing.assert_array_equal(zarr.open_array(tmp_path, mode="r")[...], z[...])
