"""Codecs give no more than a chunk can have, and take no more memory."""

from __future__ import annotations

import lzma
from typing import Any

import numcodecs
import numpy as np
import pytest

from zchunk.codecs import CodecChain, Zstd


def test_chain_limits_what_comes_before_filters() -> None:
    bound = CodecChain((numcodecs.Delta("<f4"),), (Zstd(),), np.dtype("<f4"), (10,), "C")
    with pytest.raises(RuntimeError, match="announces"):
        bound.decode(Zstd().encode(bytes(5_000_000)))


def test_lzma_takes_no_more_memory_than_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    new = lzma.LZMADecompressor

    def decompressor(*args: Any, filters: Any = None) -> Any:
        asked.append(filters)
        return new(*args, filters=filters)

    items = np.arange(10_000, dtype="<f4")
    for size in (2**20, 3 * 2**29):
        filters = [{"id": lzma.FILTER_DELTA, "dist": 4}, {"id": lzma.FILTER_LZMA2, "dict_size": size}]
        written = lzma.compress(
            items, lzma.FORMAT_RAW, filters=[filters[0], filters[1] | {"dict_size": 2**20}]
        )
        bound = CodecChain(
            (), (numcodecs.LZMA(lzma.FORMAT_RAW, filters=filters),), items.dtype, items.shape, "C"
        )
        monkeypatch.setattr(lzma, "LZMADecompressor", decompressor)
        np.testing.assert_array_equal(bound.decode(written), items)
        assert asked.pop()[1]["dict_size"] <= max(4096, 16 * items.nbytes + 2**20)


@pytest.mark.parametrize("form", [lzma.FORMAT_XZ, lzma.FORMAT_ALONE])
def test_lzma_finds_filters_in_the_stream(form: int) -> None:
    filters: list[dict[str, int]] = [{"id": lzma.FILTER_DELTA, "dist": 4}] if form == lzma.FORMAT_XZ else []
    filters.append({"id": lzma.FILTER_LZMA2 if filters else lzma.FILTER_LZMA1, "preset": 1})
    items = np.arange(1000, dtype="<f4")
    bound = CodecChain((), (numcodecs.LZMA(form, filters=filters),), items.dtype, items.shape, "C")
    np.testing.assert_array_equal(bound.decode(bound.encode(items)), items)
