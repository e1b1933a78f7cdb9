"""The chain of codecs of an array."""

from __future__ import annotations

import numcodecs
import numpy as np
import pytest

from tests.codecs.test_registry import Flip
from zchunk.codecs import LZ4, Blosc, Codec, CodecChain, Zlib, Zstd


def field(n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    return np.round(np.sin(np.linspace(0, 20, n)) * 30 + rng.normal(0, 0.1, n), 1).astype("<f4")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("compressor", [None, Blosc(), Zlib(), numcodecs.BZ2(), LZ4()], ids=repr)
@pytest.mark.parametrize("filters", [(), (numcodecs.Delta("<f4"),), (numcodecs.Shuffle(4), Flip())])
def test_chain(filters: tuple[Codec, ...], compressor: Codec | None, order: str) -> None:
    a = field(60).reshape(3, 4, 5)
    bound = CodecChain(filters, () if compressor is None else (compressor,), a.dtype, a.shape, order)
    stored = bound.encode(a)
    assert bound.decode(bytes(stored)).tobytes() == a.tobytes() or filters
    np.testing.assert_allclose(bound.decode(bytes(stored)), a, rtol=1e-5)
    if not filters and compressor is None:
        assert bytes(stored) == a.tobytes(order)
    native = not filters and not isinstance(compressor, numcodecs.BZ2)
    assert (bound.native_spec is not None) == native
    assert repr(bound)


@pytest.mark.parametrize("compressor", [None, Blosc(), Zlib(), Zstd(), LZ4(), numcodecs.BZ2()], ids=repr)
def test_chain_refuses_other_sizes(compressor: Codec | None) -> None:
    codecs = () if compressor is None else (compressor,)
    bound = CodecChain((), codecs, np.dtype("<f4"), (10,), "C")
    other = CodecChain((), codecs, np.dtype("<f4"), (11,), "C")
    with pytest.raises((RuntimeError, ValueError)):
        bound.decode(other.encode(np.zeros(11, "<f4")))
