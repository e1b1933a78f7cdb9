"""The model of array metadata: sizes, changes, limits."""

import pickle

import numpy as np
import pytest

import zchunk
from zchunk.errors import MetadataError
from zchunk.metadata import ArrayMetadata, v2


def meta(**members):
    defaults = {"shape": (5, 6), "dtype": np.dtype("<i4"), "chunk_shape": (2, 3), "fill_value": np.int32(0)}
    return ArrayMetadata(**(defaults | members))


class FakeCodec:
    def __init__(self, codec_id, max_size):
        self.codec_id = codec_id
        self.max_size = max_size


class TestModel:
    def test_sizes(self):
        m = meta()
        assert (m.ndim, m.size, m.nbytes, m.chunk_nbytes) == (2, 30, 120, 24)
        assert m.grid.cdata_shape == (3, 2)
        assert m.grid is m.grid

    def test_sizes_do_not_overflow(self):
        m = meta(shape=(2**62, 2**62), chunk_shape=(2**31, 2**29))
        assert m.nbytes == 2**126
        assert m.chunk_nbytes == 2**62

    def test_with_shape(self):
        m = meta()
        assert m.grid.shape == (5, 6)
        grown = m.with_shape((50, 6))
        assert grown.shape == grown.grid.shape == (50, 6)
        assert grown.replace(shape=m.shape).shape == m.shape
        with pytest.raises(MetadataError):
            m.with_shape((50, 6, 1))

    def test_is_frozen_and_pickles(self):
        m = meta()
        with pytest.raises(AttributeError):
            m.shape = (1, 1)
        assert v2.render_array(pickle.loads(pickle.dumps(m))) == v2.render_array(m)

    @pytest.mark.parametrize(
        ("members", "words"),
        [
            ({"shape": (5, -6)}, "shape has -6"),
            ({"shape": (5, 6.0)}, "shape has 6.0"),
            ({"shape": (5, True)}, "shape has True"),
            ({"shape": (5, 2**63)}, "shape has 9223372036854775808"),
            ({"chunk_shape": (0, 3)}, "chunks has 0"),
            ({"chunk_shape": (2,)}, "shape has 2 axes, chunks has 1"),
            ({"shape": (1,) * 65, "chunk_shape": (1,) * 65}, "65 axes, the limit is 64"),
            ({"order": "c"}, "order is 'c'"),
            ({"dimension_separator": "/"}, "dimension_separator is '/'"),
            ({"chunk_shape": (2**62, 2)}, "36893488147419103232 bytes"),
        ],
    )
    def test_refuses_what_no_array_can_be(self, members, words):
        with pytest.raises(MetadataError, match=words):
            meta(**members)

    @pytest.mark.parametrize(("zarr_format", "shards"), [(2, None), (3, None), (3, (200,))])
    def test_chunks_of_strangers_have_at_most_so_many_bytes(self, zarr_format, shards):
        store = zchunk.MemoryStore()
        given = {"zarr_format": zarr_format} | ({} if shards is None else {"shards": shards})
        zchunk.array(np.arange(1000), store=store, chunks=(100,), dtype="i8", **given)
        for _ in range(2):
            # What was opened before is looked at again.
            assert zchunk.open_array(store, "r")[7] == 7
            refused = pytest.raises(MetadataError, match=r"800 bytes .*'array\.max_chunk_bytes' .* 799")
            with zchunk.config.set({"array.max_chunk_bytes": 799}), refused:
                zchunk.open_array(store, "r")
            with zchunk.config.set({"array.max_chunk_bytes": 800}):
                assert zchunk.open_array(store, "r")[7] == 7
        with pytest.raises(ValueError, match=r"array\.max_chunk_bytes is 0, not a number of bytes"):
            zchunk.config.set({"array.max_chunk_bytes": 0})

    def test_64_axes_are_fine(self):
        assert meta(shape=(1,) * 64, chunk_shape=(1,) * 64).ndim == 64

    def test_codec_limit(self):
        limit = 2**31 - 1
        codec = FakeCodec("blosc", limit)
        m = meta(shape=(2**40,), dtype=np.dtype("i1"), chunk_shape=(limit,), compressors=(codec,))
        with pytest.raises(MetadataError) as info:
            m.replace(chunk_shape=(limit + 1,))
        for words in (
            "2147483648 bytes",
            "shape (1099511627776,)",
            "chunks (2147483648,)",
            "'blosc'",
            "2147483647",
        ):
            assert words in str(info.value)
        assert "choose smaller chunks" in str(info.value)
        # A filter before it may make the chunk smaller; no limit at all is fine too.
        m.replace(chunk_shape=(limit + 1,), filters=(FakeCodec("packbits", None),))
        m.replace(chunk_shape=(limit + 1,), compressors=(FakeCodec("zstd", None),))
        with pytest.raises(MetadataError, match="'lz4'"):
            m.replace(chunk_shape=(limit + 1,), filters=(FakeCodec("lz4", limit),))
