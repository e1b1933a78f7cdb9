"""Zstd frames: without a size, in a row, with checksums."""

from __future__ import annotations

import itertools
import struct

import numcodecs
import numpy as np
import pytest

from zchunk._ext.codecs import dispatch
from zchunk.codecs import Zstd

# A Zstd frame by hand (RFC 8878): magic, a descriptor, a window of 128 KiB, then raw blocks and runs.


def unsized_frame(*blocks: bytes | tuple[int, int]) -> bytes:
    """Return a frame without content size, as streaming encoders write; a pair is a byte and how often."""
    frame = struct.pack("<IBB", 0xFD2FB528, 0, 7 << 3)
    for i, block in enumerate(blocks):
        last = int(i == len(blocks) - 1)
        if isinstance(block, bytes):
            frame += struct.pack("<I", last | 0 << 1 | len(block) << 3)[:3] + block
        else:
            frame += struct.pack("<I", last | 1 << 1 | block[1] << 3)[:3] + bytes([block[0]])
    return frame


def zstd_blocks(frame: bytes) -> int:
    """Count the blocks of one frame (RFC 8878, 3.1.1)."""
    descriptor = frame[4]
    single = descriptor >> 5 & 1
    at = 5 + (not single) + (single, 2, 4, 8)[descriptor >> 6] + (0, 1, 2, 4)[descriptor & 3]
    for count in itertools.count(1):
        header = int.from_bytes(frame[at : at + 3], "little")
        at += 3 + (1 if header >> 1 & 3 == 1 else header >> 3)
        if header & 1:
            return count
    raise AssertionError


def test_zstd_frames_without_size() -> None:
    for blocks, data in (
        ((b"hello",), b"hello"),
        ((b"hello ", b"", b"world"), b"hello world"),
        (((7, 131072), (8, 131072), b"end"), b"\x07" * 131072 + b"\x08" * 131072 + b"end"),
        ((b"",), b""),
    ):
        frame = unsized_frame(*blocks)
        assert dispatch.decoded_size(Zstd().spec(1), frame) == -1
        assert Zstd().decode(frame) == data
        assert bytes(numcodecs.Zstd().decode(frame)) == data
        assert dispatch.decode(Zstd().spec(1), frame, len(data)) == data
        assert Zstd().decode(frame, limit=len(data)) == data
        for nbytes in {len(data) + 1, max(0, len(data) - 1), 0} - {len(data)}:
            with pytest.raises(RuntimeError):
                dispatch.decode(Zstd().spec(1), frame, nbytes)
        if data:
            with pytest.raises(RuntimeError):
                Zstd().decode(frame, limit=len(data) - 1)


def test_zstd_blocks_are_not_split() -> None:
    """Blocks that end where the content changes save little, and take longer to decode."""
    random = np.random.default_rng(0)
    parts = [random.integers(start, start + 4, 100_000, np.uint8) for start in (0, 60, 120, 180) * 3]
    values = np.concatenate(parts)
    frame = Zstd(3).encode(values)
    assert zstd_blocks(frame) == -(-values.nbytes // (128 << 10))
    assert Zstd().decode(frame) == values.tobytes()


def test_zstd_frames_in_a_row() -> None:
    one, two = b"one" * 100, b"two" * 1000
    skippable = struct.pack("<II", 0x184D2A50, 4) + b"skip"
    for stored in (
        Zstd().encode(one) + Zstd(9, checksum=True).encode(two),
        skippable + Zstd().encode(one) + skippable + Zstd().encode(two) + skippable,
        unsized_frame(one) + Zstd().encode(two),
        Zstd().encode(one) + unsized_frame(two),
    ):
        assert Zstd().decode(stored) == one + two
        assert dispatch.decode(Zstd().spec(1), stored, len(one + two)) == one + two
        for nbytes in (len(one), len(two), 0, len(one + two) - 1, len(one + two) + 1):
            with pytest.raises(RuntimeError):
                dispatch.decode(Zstd().spec(1), stored, nbytes)
        with pytest.raises(RuntimeError):
            Zstd().decode(stored[:-1])
        with pytest.raises(RuntimeError):
            Zstd().decode(stored + b"x")
        with pytest.raises(RuntimeError):
            Zstd().decode(stored, limit=len(one))


def test_zstd_checksum_is_verified() -> None:
    data = np.random.default_rng(0).integers(0, 256, 1000, np.uint8).tobytes()
    stored = Zstd(checksum=True).encode(data)
    assert len(stored) == len(Zstd().encode(data)) + 4
    for at in (20, 500, len(stored) - 1):
        flipped = stored[:at] + bytes([stored[at] ^ 4]) + stored[at + 1 :]
        with pytest.raises(RuntimeError, match="corrupt"):
            Zstd().decode(flipped)
