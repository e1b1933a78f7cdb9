"""The Blosc codec: how it chooses its shuffle and its type size."""

from __future__ import annotations

import numcodecs
import numpy as np

from zchunk.codecs import Blosc, get_codec


def test_auto_shuffle_and_typesize() -> None:
    flags = {"u1": 4, "<i2": 1, "<f8": 1}
    for dtype, bit in flags.items():
        data = np.arange(1000).astype(dtype)
        assert Blosc(shuffle=-1).encode(data)[2] & 5 == bit
        assert bytes(numcodecs.Blosc(shuffle=-1).encode(data))[2] & 5 == bit
    assert Blosc(typesize=4).encode(bytes(1000))[3] == 4
    assert Blosc().encode(np.zeros(10, "V300"))[3] == 1
    assert Blosc(shuffle=-1, typesize=2).encode(np.arange(1000).astype("u1"))[2] & 5 == 1
    assert get_codec({"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": -1, "typesize": 8}) == Blosc(
        shuffle=-1, typesize=8
    )
