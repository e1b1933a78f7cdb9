"""The codec of a shard as a whole."""

import numpy as np
import pytest

from tests.codecs.test_v3 import CRC, document, sharding
from zchunk.metadata.v3 import document as v3


class TestSharding:
    def codec(self, **members):
        raw = document([sharding((2, 3)), CRC], **members)
        return v3.parse_array(raw, "zarr.json").filters[0]

    def test_fill_by_bits(self):
        codec = self.codec(data_type="float32", fill_value=0.0)
        items = np.zeros((4, 6), "f4")
        assert len(codec.encode(items)) == codec.index.nbytes
        items[0, 0] = -0.0
        assert len(codec.encode(items)) == codec.index.nbytes + 24
        assert np.signbit(codec.decode(codec.encode(items))[0, 0])
        codec = self.codec(data_type="float32", fill_value="0x7fc00001")
        items = np.full((4, 6), 0x7FC00001, "u4").view("f4")
        raw = codec.encode(items)
        assert len(raw) == codec.index.nbytes
        assert (codec.decode(raw).view("u4") == 0x7FC00001).all()

    def test_damage_names_the_inner_chunk(self):
        codec = self.codec()
        raw = bytearray(codec.encode(np.ones((4, 6), "i4")))
        entries = np.array([[0, 24], [24, 23], [48, 24], [72, 24]], np.uint64)
        raw[-codec.index.nbytes :] = codec.index.encode(entries)
        with pytest.raises(ValueError, match=r"inner chunk \(0, 1\) of a shard: .* 23 bytes, expected 24"):
            codec.decode(raw)
        with pytest.raises(ValueError, match="cannot hold its index"):
            codec.decode(b"abc")
        with pytest.raises(ValueError, match="shard index: checksum"):
            codec.decode(bytes(1000))

    def test_config(self):
        config = self.codec().get_config()
        assert config["id"] == "sharding_indexed"
        assert config["chunk_shape"] == [2, 3]
        assert "ShardingCodec(chunk_shape=(2, 3)" in repr(self.codec())
