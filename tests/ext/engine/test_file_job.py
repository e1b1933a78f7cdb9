"""The CRC-32 of archives, by the same folding as CRC-32C."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk._ext.engine.file_job import crc32


@given(st.binary(max_size=2000), st.integers(0, 15))
def test_as_zlib(data: bytes, start: int) -> None:
    view = memoryview(data)[start:]
    assert crc32(view) == zlib.crc32(view)


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 319, 320, 511, 512, 576, 1000, 100_003])
def test_lengths_around_what_is_folded(n: int) -> None:
    data = np.random.default_rng(n).bytes(n)
    assert crc32(data) == zlib.crc32(data)
