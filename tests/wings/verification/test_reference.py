"""Chunks that the reference decoders decode otherwise are found."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.wings.verification import archives
from tests.wings.verification.archives import kinds
from zchunk.wings.verification.reference import Reference

for _package in ("blosc", "lz4.block"):
    pytest.importorskip(_package)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_in_order(zarr_format: int) -> None:
    store = zchunk.MemoryStore()
    archives.make(store, zarr_format)
    report = zchunk.verify(store, reference=True)
    assert report, str(report)


@pytest.mark.parametrize("codec", ["blosc", "blosc-zstd", "lz4", "zstd", "zlib", "gzip", None])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_codec_is_compared(codec: Any, order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    z = zchunk.create((4, 6), (3, 4), ">i2", codec, order=order, checksum=True)
    z[...] = np.arange(24).reshape(4, 6)
    assert zchunk.verify(z, reference=True)
    reference = Reference()
    items = np.zeros((3, 4), ">i2")
    assert "other contents" in str(reference(z._chunked, "0.0", items))
    monkeypatch.setitem(reference._decoders, z.filters[0].codec_id if z.filters else "x", lambda data: 1 / 0)
    assert codec is None or "ZeroDivisionError" in str(reference(z._chunked, "0.0", items))
    assert reference(z._chunked, "9.9", items) is None


def test_a_difference_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    store = zchunk.MemoryStore()
    archives.make(store, 3, "shards", "blosc")
    monkeypatch.setattr(Reference, "__call__", lambda self, array, key, items: "odd")
    found = kinds(zchunk.verify(store, reference=True))
    assert {kind for listed in found.values() for kind in listed} == {"chunk-differs"}
    assert found["shards/c/0/0"] == ["chunk-differs"] * 4


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blosc", None)
    with pytest.raises(ImportError, match="pip install blosc lz4"):
        zchunk.verify({}, reference=True)
