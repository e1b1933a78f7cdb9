"""LZ4 blocks, beside python-lz4."""

from __future__ import annotations

import struct
from pathlib import Path

import lz4.block
import numpy as np
import pytest

import zchunk
from zchunk.codecs import LZ4, Blosc

SIZES = (0, 1, 3, 17, 1000, 32767, 65536, 65537, 300_000)


def field(n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    return np.round(np.sin(np.linspace(0, 20, n)) * 30 + rng.normal(0, 0.1, n), 1).astype("<f4")


def payloads(n: int) -> list[bytes]:
    rng = np.random.default_rng(n)
    text = b"".join(b"the quick brown fox %d jumps over the lazy dog\n" % i for i in range(n // 40 + 1))
    return [
        field(n // 4 + 1).tobytes()[:n],
        rng.integers(0, 256, n, np.uint8).tobytes(),
        bytes(n),
        (rng.random(n) < 0.1).astype("u1").tobytes(),
        text[:n],
    ]


def test_lz4_blocks_are_those_of_lz4() -> None:
    for n in SIZES:
        for data in payloads(n):
            stored = LZ4().encode(data)
            assert stored[:4] == struct.pack("<I", n)
            assert lz4.block.decompress(stored) == data
            assert LZ4().decode(lz4.block.compress(data)) == data
            assert LZ4().decode(lz4.block.compress(data, mode="high_compression")) == data


@pytest.mark.parametrize("length", [1, 12, 13, 40, 120, 399, 1000, 4000, 4095, 4096, 5000])
def test_lz4_of_small_chunks_does_not_depend_on_those_before(tmp_path: Path, length: int) -> None:
    """A thread goes on with LZ4's table of its last block, instead of clearing it."""
    rng = np.random.default_rng(length)
    items = rng.integers(0, 4, (200, length)).astype("u1")
    items[::7] = 255 * rng.random((29, length))
    items[1::7] = items[0]
    codec = Blosc("lz4", 5, Blosc.NOSHUFFLE)
    zchunk.set_threads(1)
    try:
        z = zchunk.create(items.shape, chunks=(1, length), dtype="u1", compressor=codec, store=tmp_path)
        z[...] = items
    finally:
        zchunk.set_threads(None)
    for row in range(len(items)):
        # With a state of its own.
        assert (tmp_path / f"{row}.0").read_bytes() == codec.encode(items[row])
