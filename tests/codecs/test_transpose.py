"""The codec that swaps axes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.codecs.transpose import ByteSwap, Reshape, Transpose
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


class TestReshape:
    @given(st.lists(st.integers(1, 4), max_size=4), st.data())
    def test_round_trip(self, shape, data):
        cuts = sorted(data.draw(st.sets(st.integers(1, len(shape) - 1)))) if len(shape) > 1 else []
        groups = [
            tuple(range(a, b)) for a, b in itertools.pairwise([0, *cuts, len(shape)]) if a < b or not shape
        ]
        sizes = list(groups)
        if sizes and data.draw(st.booleans()):
            sizes[data.draw(st.integers(0, len(sizes) - 1))] = -1
        dtype = np.dtype(data.draw(st.sampled_from(["i4", "S3", "O", "M8[s]"])))
        items = np.arange(int(np.prod(shape))).astype(dtype).reshape(shape)
        codec = Reshape(tuple(sizes), tuple(shape), dtype)
        for order in "CF":
            encoded = codec.encode(np.asarray(items, order=order))
            assert encoded.flags.c_contiguous
            assert encoded.ravel().tolist() == items.ravel().tolist()
            assert encoded.shape == codec.encoded_shape
        assert codec.encoded_shape == tuple(int(np.prod([shape[axis] for axis in g])) for g in groups)
        for stored in [encoded] if dtype == "O" else [encoded, encoded.reshape(-1), encoded.tobytes()]:
            decoded = codec.decode(stored)
            assert decoded.shape == tuple(shape)
            assert (decoded == items).all()
            out = np.empty_like(items)
            assert codec.decode(stored, out) is out
            assert (out == items).all()

    def test_lengths(self):
        def stored(*sizes):
            return Reshape(sizes, (4, 3, 10), np.dtype("i4")).encoded_shape

        assert stored(12, 10) == (12, 10)
        assert stored((0, 1), 5, 2) == (12, 5, 2)
        assert stored(2, -1, (2,)) == (2, 6, 10)
        assert stored((0,), 1, (), (1, 2)) == (4, 1, 1, 30)
        assert stored(-1) == (120,)

    @pytest.mark.parametrize(
        ("sizes", "words"),
        [
            ((7,), "another number of items"),
            ((7, -1), "another number of items"),
            (((1,), (0,), (2,)), "in their order"),
            (((0, 0), -1), "in their order"),
            (((0, 3), -1), "in their order"),
            (((-1,), 120), "in their order"),
            ((2, (0,), 15), "axis 1 is not made of"),
            ((10, (1,), (0,)), "in their order"),
            ((10, (1,), 4), "axis 1 is not made of"),
        ],
    )
    def test_refused(self, sizes, words):
        with pytest.raises(CodecError, match=words):
            Reshape(sizes, (4, 3, 10), np.dtype("i4"))

    def test_equality(self):
        codec = Reshape(((0, 1), -1), (2, 3, 4), np.dtype("i4"))
        assert codec == Reshape(((0, 1), -1), (2, 3, 4), np.dtype("i4"))
        assert len({codec, Reshape(((0, 1), -1), (2, 3, 4), np.dtype("i4"))}) == 1
        assert codec != Reshape(((0, 1), 4), (2, 3, 4), np.dtype("i4"))
        assert codec.get_config() == {"id": "reshape", "shape": [[0, 1], -1]}
