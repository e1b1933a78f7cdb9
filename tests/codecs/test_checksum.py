"""What checksums of four bytes have in common."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.codecs import CRC32, Crc32c, get_codec
from zchunk.codecs.checksum import Checksum
from zchunk.errors import CodecError

CODECS = [CRC32(), CRC32("end"), Crc32c(), Crc32c("start")]


@pytest.mark.parametrize("codec", CODECS, ids=repr)
def test_round_trips(codec: Checksum) -> None:
    assert get_codec(codec.get_config()) == codec == pickle.loads(pickle.dumps(codec))
    assert hash(codec) == hash(get_codec(codec.get_config()))
    assert bytes(codec.decode(codec.encode(np.arange(3, dtype="i2")))) == b"\0\0\1\0\2\0"


@given(st.sampled_from(CODECS), st.binary(max_size=50), st.data())
def test_every_flipped_bit_is_noticed(codec: Checksum, data: bytes, draw: st.DataObject) -> None:
    encoded = bytearray(codec.encode(data))
    bit = draw.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RuntimeError, match="checksum of"):
        codec.decode(bytes(encoded))


def test_all_four_differ() -> None:
    assert len({codec.encode(b"value") for codec in CODECS}) == len(set(CODECS)) == 4
    assert CRC32() != "crc32"


@pytest.mark.parametrize("codec", CODECS, ids=repr)
def test_bounds(codec: Checksum) -> None:
    encoded = codec.encode(b"value")
    with pytest.raises(RuntimeError, match="at most 4"):
        codec.decode(encoded, limit=4)
    with pytest.raises(RuntimeError, match="too few"):
        codec.decode(encoded[:3])
    with pytest.raises(RuntimeError, match="expected 3"):
        codec.decode(encoded, out=bytearray(3))
    out = bytearray(5)
    assert codec.decode(encoded, out=out) is out
    assert out == b"value"


def test_a_place_that_there_is_not() -> None:
    with pytest.raises(CodecError, match="'crc32': location is 'middle'"):
        get_codec({"id": "crc32", "location": "middle"})
