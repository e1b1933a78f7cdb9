"""Going through an array by chunks: iteration and checksums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zchunk
from tests.core.test_views import Counting
from tests.variants import Variant, only_v2
from zchunk.storage import KVStore

pytestmark = pytest.mark.usefixtures("path", "variant")


@pytest.mark.parametrize("shape", [(1,), (30,), (30, 4), (7, 3, 2), (0, 3), (3, 0)])
@pytest.mark.parametrize("chunk", [1, 2, 7, 100])
def test_islice(shape: tuple[int, ...], chunk: int) -> None:
    data = np.arange(np.prod(shape)).reshape(shape)
    z = zchunk.array(data, chunks=(chunk,) + (2,) * (len(shape) - 1))
    for start in (None, 0, 1, 5, 29, 40):
        for end in (None, 0, 1, 6, 30, 99):
            found, expected = list(z.islice(start, end)), list(data[start:end])
            assert len(found) == len(expected)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)
                assert type(one) is type(other)
    assert len(list(z)) == len(data)
    assert len(list(z.islice(np.int64(0), np.uint8(3)))) == min(3, len(data))


def test_iteration_reads_each_chunk_once(variant: Variant) -> None:
    store = Counting()
    z = zchunk.array(np.arange(60).reshape(20, 3), chunks=(6, 2), store=store)
    store.reads.clear()
    for _ in z.islice(1, 20):
        pass
    assert store.chunk_reads() == dict.fromkeys(variant.keys(4, 2), 1)
    store.reads.clear()
    items = z.islice(7, 13)
    assert store.reads == {}
    next(items)
    assert store.chunk_reads() == dict.fromkeys([variant.chunk(1, 0), variant.chunk(1, 1)], 1)


@pytest.mark.parametrize("bounds", [(-1, 0), (0, -1), (0.5, 1), (0, 0.5), ("a", None)])
def test_bounds_of_islice_are_checked(bounds: Any) -> None:
    with pytest.raises(ValueError, match="not an integer of at least 0"):
        zchunk.zeros(10).islice(*bounds)


def test_no_iteration_without_axes() -> None:
    z = zchunk.zeros(())
    with pytest.raises(TypeError, match="0-d"):
        iter(z)
    with pytest.raises(TypeError, match="0-d"):
        z.islice()


def test_digest(variant: Variant) -> None:
    import hashlib

    z = zchunk.array(np.arange(42), chunks=5, store=(store := KVStore({})), path="a/b")
    z.attrs["x"] = 1
    del store[f"a/b/{variant.chunk(2)}"]
    names = [key for key in variant.keys(9) if key != variant.chunk(2)]
    names += dict.fromkeys([variant.array_key, variant.attrs_key])
    stored = b"".join(store[f"a/b/{name}"] for name in names)
    assert z.digest() == hashlib.sha1(stored).digest()
    assert z.hexdigest() == hashlib.sha1(stored).hexdigest()
    assert z.hexdigest("md5") == hashlib.md5(stored).hexdigest()
    with pytest.raises(ValueError, match="hash"):
        z.digest("none such")


@only_v2("digests made by zarr 2")
def test_digests_are_those_of_zarr_2() -> None:
    """Values made by zarr 2.18.7; the chunks are stored raw, so that they do not depend on a compressor."""
    data = np.arange(35, dtype="<f4").reshape(5, 7)
    for golden, kwargs in GOLDEN:
        z = zchunk.create((5, 7), dtype="<f4", compressor=None, **kwargs)
        z[1:4, ::3] = data[1:4, ::3]
        z.attrs["b"] = [1, 2.5, None]
        z.attrs["a"] = {"é": "x"}
        assert z.hexdigest() == golden
    zero_d = zchunk.create((), dtype="<i2", compressor=None)
    zero_d[...] = 5
    assert zero_d.hexdigest() == ZERO_D


GOLDEN: list[tuple[str, dict[str, Any]]] = [
    ("73030336c0b1a224393ff6eaf3f8dafa473c57b3", {"chunks": (2, 3)}),
    ("68ec12daf303fcc52c574323a7a1f3ba27dc5faf", {"chunks": (5, 2), "order": "F", "fill_value": 1}),
    (
        "2bf3ab0c76396108c4b8e960a5a0241b75e8e7f8",
        {"chunks": (2, 3), "dimension_separator": "/", "fill_value": float("nan")},
    ),
    (
        "73030336c0b1a224393ff6eaf3f8dafa473c57b3",
        {"chunks": (2, 3), "path": "x/y", "write_empty_chunks": False},
    ),
]


ZERO_D = "955b64098f6e342c757df2eb722db4f65b5a7413"
