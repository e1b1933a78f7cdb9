"""What codecs that are bound to items have in common."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.codecs.base import Codec
from zchunk.codecs.bitround import BitRound
from zchunk.codecs.bound import items_in
from zchunk.codecs.cast_value import CastValue
from zchunk.codecs.packbits import PackBits
from zchunk.codecs.scale_offset import ScaleOffset

F4, U1 = np.dtype("f4"), np.dtype("u1")


def scale_of(offset: float, scale: float = 2) -> ScaleOffset:
    return ScaleOffset(F4, F4.type(offset), F4.type(scale), {"offset": offset, "scale": scale})


CODECS = [
    scale_of(1),
    CastValue(F4, U1, "nearest-even", None, [], [], {"data_type": "uint8"}),
    BitRound(F4, 3),
    PackBits(U1, 8, "none", None, None, {}),
]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.codec_id)
def test_what_a_codec_is(codec: ScaleOffset | CastValue | BitRound | PackBits) -> None:
    assert isinstance(codec, Codec)
    assert codec.get_config() == {"id": codec.codec_id, **codec.configuration}
    again = pickle.loads(pickle.dumps(codec))
    assert (again == codec, hash(again) == hash(codec), repr(again) == repr(codec)) == (True, True, True)
    items = np.arange(8).astype(codec.dtype)
    assert codec.decode(codec.encode(items)).tolist() == items.tolist()
    # Nobody changes it from outside.
    codec.configuration["more"] = 1
    assert "more" not in codec.configuration


def test_which_codecs_are_equal() -> None:
    assert scale_of(1) == scale_of(1)
    assert scale_of(1) != scale_of(2)
    # Both are the same number, but not the same text in the metadata.
    assert scale_of(1) != scale_of(1.0)
    assert BitRound(F4, 3) != BitRound(np.dtype("f8"), 3)
    assert PackBits(U1, 8, "none", None, None, {}) != PackBits(U1, 9, "none", None, None, {})
    assert len(set(CODECS)) == len(CODECS)
    assert repr(scale_of(1)) == "ScaleOffset(offset=1, scale=2)"


def test_bytes_as_items() -> None:
    assert items_in(b"\1\0\2\0", np.dtype("<u2")).tolist() == [1, 2]
    assert items_in(np.array([[1, 2], [3, 4]], "u1"), np.dtype("u1")).tolist() == [1, 2, 3, 4]
    assert items_in(b"", np.dtype("u2")).tolist() == []
    with pytest.raises(ValueError, match="3 bytes are no whole number of items of uint16"):
        items_in(b"abc", np.dtype("u2"))


def test_items_in_any_layout() -> None:
    """Items are taken in C order, wherever they lie: a transposition leaves them where they are."""
    items = np.arange(12, dtype="f4").reshape(3, 4)
    for layout in (items, np.asfortranarray(items), items[::-1, ::2]):
        assert scale_of(0).encode(layout).tolist() == (layout * 2).reshape(-1).tolist()
        assert scale_of(0).decode(layout).tolist() == (layout / 2).reshape(-1).tolist()


def test_no_more_is_decoded_than_is_possible() -> None:
    codec = CastValue(np.dtype("f8"), np.dtype("i1"), "nearest-even", None, [], [], {})
    assert codec.decode(bytes(4), limit=32).tolist() == [0.0] * 4
    with pytest.raises(ValueError, match="4 items of float64 take more than the 31 bytes possible"):
        codec.decode(bytes(4), limit=31)
    out = np.empty((2, 2))
    assert codec.decode(bytes([1, 2, 3, 4]), out) is out
    assert out.tolist() == [[1, 2], [3, 4]]


@given(st.sampled_from(CODECS), st.binary(max_size=64))
def test_any_bytes(codec: ScaleOffset | CastValue | BitRound | PackBits, data: bytes) -> None:
    """They are items, or it is said why not; and no more of them than they may be."""
    try:
        found = codec.decode(data, limit=8 * codec.dtype.itemsize)
    except ValueError:
        return
    assert found.dtype == codec.dtype
    assert found.size <= 8
