"""The codec that swaps axes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.codecs.transpose import ByteSwap, Transpose
from zchunk.errors import CodecError


class TestTranspose:
    @given(st.integers(0, 4), st.data())
    def test_round_trip(self, ndim, data):
        shape = tuple(data.draw(st.integers(0, 4)) for _ in range(ndim))
        order = data.draw(st.sampled_from(list(itertools.permutations(range(ndim)))))
        dtype = data.draw(st.sampled_from(["i4", "S3", "O", "M8[s]"]))
        items = np.arange(int(np.prod(shape))).astype(dtype).reshape(shape)
        codec = Transpose(order, shape, np.dtype(dtype))
        encoded = codec.encode(items)
        assert encoded.flags.c_contiguous
        assert encoded.shape == codec.encoded_shape
        for stored in [encoded] if dtype == "O" else [encoded, encoded.reshape(-1), encoded.tobytes()]:
            decoded = codec.decode(stored)
            assert decoded.dtype == items.dtype
            assert decoded.shape == shape
            assert (decoded == items).all()

    def test_refused(self):
        codec = Transpose((1, 0), (2, 3), np.dtype("i4"))
        with pytest.raises(ValueError, match="20 bytes, expected 24"):
            codec.decode(bytes(20))
        with pytest.raises(ValueError, match="5 items, expected 6"):
            codec.decode(np.zeros(5, "i4"))
        with pytest.raises(CodecError, match="no permutation"):
            Transpose((0, 0), (2, 3), np.dtype("i4"))
        with pytest.raises(ValueError, match="not to object"):
            Transpose((1, 0), (2, 3), np.dtype("O")).decode(bytes(48))

    def test_equality(self):
        one, two = (Transpose((1, 0), (2, 3), np.dtype("i4")) for _ in range(2))
        assert one == two
        assert hash(one) == hash(two)
        assert one != Transpose((0, 1), (2, 3), np.dtype("i4"))
        assert one.get_config() == {"id": "transpose", "order": [1, 0]}
        assert ByteSwap(np.dtype("i2")).get_config()["id"] == "byteswap"
