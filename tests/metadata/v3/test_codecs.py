"""The chains of codecs that metadata of format 3 may have."""

import numcodecs
import numpy as np
import pytest

import zchunk
from tests.codecs.test_v3 import BIG, CRC, GZIP, LITTLE, document, sharding, transpose
from zchunk.codecs import GZip, Zstd
from zchunk.codecs.crc32c import Crc32c
from zchunk.codecs.sharding import ShardingCodec as OurSharding
from zchunk.codecs.transpose import ByteSwap
from zchunk.errors import CodecError, MetadataError
from zchunk.metadata.v3 import document as v3
from zchunk.metadata.v3.codecs import MAX_NESTING, parse_codecs, render_codecs


def parse(*codecs, dtype="i4", chunk_shape=(4, 6), fill_value=None, data_type=None):
    dtype = np.dtype(dtype)
    fill = dtype.type(0) if fill_value is None else fill_value
    return parse_codecs(list(codecs), dtype, chunk_shape, fill, data_type)


class TestChains:
    def test_plain(self):
        found = parse(LITTLE, {"name": "zstd", "configuration": {"level": 3, "checksum": True}}, CRC)
        assert found == {
            "order": "C",
            "filters": (),
            "compressors": (Zstd(3, True), Crc32c()),
            "swapped": False,
            "shards": None,
        }

    def test_names_alone(self):
        found = parse("bytes", "gzip", "zstd", "crc32c", dtype="i1")
        assert found["compressors"] == (GZip(5), Zstd(0), Crc32c())

    def test_byte_order(self):
        assert parse(BIG)["swapped"] is True
        assert parse(BIG, dtype="u1")["swapped"] is False
        assert parse("bytes", dtype="S5")["swapped"] is False
        with pytest.raises(CodecError, match="codec 'bytes' lacks endian, which int32 needs"):
            parse("bytes")
        with pytest.raises(CodecError, match="endian is 'middle'"):
            parse({"name": "bytes", "configuration": {"endian": "middle"}})

    def test_byte_order_of_what_a_filter_makes(self):
        astype = {"name": "numcodecs.astype", "configuration": {"encode_dtype": "u1"}}
        assert len(parse(astype, "bytes")["filters"]) == 1
        found = parse({"name": "numcodecs.delta", "configuration": {"astype": "i2"}}, BIG)
        assert found["filters"][1] == ByteSwap(np.dtype("i2"))
        assert found["swapped"] is False

    def test_transposes(self):
        assert parse(transpose(1, 0), LITTLE)["order"] == "F"
        assert parse(transpose(0, 1), LITTLE)["order"] == "C"
        assert parse(transpose(1, 0), transpose(1, 0), LITTLE)["order"] == "C"
        found = parse(transpose(1, 2, 0), LITTLE, chunk_shape=(2, 3, 4))
        assert found["order"] == "C"
        (codec,) = found["filters"]
        assert (codec.order, codec.shape, codec.encoded_shape) == ((1, 2, 0), (2, 3, 4), (3, 4, 2))
        # In a row they are one.
        (codec,) = parse(transpose(1, 2, 0), transpose(0, 2, 1), LITTLE, chunk_shape=(2, 3, 4))["filters"]
        assert codec.order == (1, 0, 2)
        assert parse({"name": "transpose", "configuration": {"order": "F"}}, LITTLE)["order"] == "F"

    def test_reshapes(self):
        def reshape(*sizes):
            return {"name": "reshape", "configuration": {"shape": list(sizes)}}

        chain = parse(reshape([0, 1], -1), transpose(1, 0), LITTLE, chunk_shape=(2, 3, 4))
        first, second = chain["filters"]
        assert (first.encoded_shape, second.shape, second.encoded_shape) == ((6, 4), (6, 4), (4, 6))
        assert chain["order"] == "C"
        shards = parse(reshape([0, 1], 4), sharding((3, 4)), chunk_shape=(2, 3, 4))["filters"][1]
        assert shards.get_config()["id"] == "sharding_indexed"
        delta = {"name": "numcodecs.delta", "configuration": {}}
        for sizes, words in [
            ([5], "another number of items"),
            ([-1, -1], "more than once"),
            ([0], "not a length, -1 or a list of axes"),
            ([2.0], "not a length"),
            ([True], "not a length"),
            ([["0"]], "not a length"),
            ([2**63], "not a length"),
            ([1] * 65, "a list of at most 64"),
        ]:
            with pytest.raises(CodecError, match=words):
                parse(reshape(*sizes), LITTLE)
        with pytest.raises(CodecError, match="cannot follow a filter that makes one axis"):
            parse(delta, reshape(24), LITTLE)
        with pytest.raises((CodecError, MetadataError), match="shape"):
            parse({"name": "reshape", "configuration": {"shape": "24"}}, LITTLE)

    def test_shards(self):
        shards = parse(sharding((2, 3), [LITTLE, GZIP]))["shards"]
        assert (shards.inner.shape, shards.inner.chunk_shape) == ((4, 6), (2, 3))
        assert shards.inner.compressors == (GZip(1),)
        assert shards.location == "end"
        assert shards.index_array.shape == (2, 2, 2)
        assert shards.index_array.compressors == (Crc32c(),)
        assert parse(sharding((2, 3), index_location="start"))["shards"].location == "start"
        nested = parse(sharding((2, 3), [sharding((1, 3))]))["shards"]
        assert nested.inner.shards.inner.chunk_shape == (1, 3)

    def test_shards_that_are_not_all(self):
        for chain in ([transpose(1, 0), sharding((3, 2))], [sharding((2, 3)), GZIP]):
            found = parse(*chain)
            assert found["shards"] is None
            assert found["order"] == "C"
            assert isinstance(found["filters"][-1], OurSharding)

    @pytest.mark.parametrize(
        ("chain", "words"),
        [
            ([], "from array to bytes is missing"),
            ([GZIP], "from array to bytes is missing"),
            ([LITTLE, LITTLE], "'bytes', from array to bytes, cannot follow 'bytes'"),
            ([GZIP, LITTLE], "'bytes', from array to bytes, cannot follow 'gzip', from bytes to bytes"),
            ([LITTLE, transpose(0, 1)], "'transpose', from array to array, cannot follow 'bytes'"),
            ([LITTLE, "lz77"], "codec 'lz77' is not known: zchunk has bitround, blosc, .*'numcodecs.zlib'"),
            ([LITTLE, "zlib"], "codec 'zlib' is not known; did you mean 'numcodecs.zlib'"),
            ([LITTLE, "zsdt"], "codec 'zsdt' is not known; did you mean 'zstd'"),
            (["vlen-utf8"], "'vlen-utf8' does not take items of int32"),
            ([transpose(0, 0), LITTLE], "no permutation of 2 axes"),
            ([transpose(0), LITTLE], "no permutation of 2 axes"),
            ([transpose(0, True), LITTLE], "not a list of integers"),
            ([transpose(0, -1), LITTLE], "no permutation"),
            (["transpose", LITTLE], "lacks 'order'"),
            ([LITTLE, {"name": "gzip", "configuration": {"level": -1}}], "level is -1"),
            ([LITTLE, {"name": "gzip", "configuration": {"level": 10}}], "level is 10"),
            ([LITTLE, {"name": "gzip", "configuration": {"lvl": 1}}], "has no parameter lvl"),
            ([LITTLE, {"name": "zstd", "configuration": {"checksum": 1}}], "checksum is 1"),
            ([LITTLE, {"name": "crc32c", "configuration": {"a": 1}}], "has no parameter a"),
            ([LITTLE, {"name": "crc32c", "location": "end"}], "unknown members 'location'"),
            ([LITTLE, {"name": "crc32c", "must_understand": 3}], "must_understand is 3"),
            ([LITTLE, "blosc"], "lacks the parameter clevel, cname, shuffle"),
            (
                [LITTLE, {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 1, "shuffle": 1}}],
                "shuffle is 1, not one of noshuffle",
            ),
            ([sharding((3, 3))], r"inner chunks of \(3, 3\) do not divide a shard of \(4, 6\)"),
            ([sharding((2,))], r"inner chunks of \(2,\) do not divide"),
            ([sharding((0, 3))], "chunk_shape has 0"),
            ([sharding((2, 3), index_location="middle")], "index_location is 'middle'"),
            ([sharding((2, 3), index_codecs=[LITTLE, GZIP])], "index_codecs: .*'gzip' makes depends on"),
            ([sharding((2, 3), index_codecs=[sharding((1, 1, 2))])], "an index cannot be a shard itself"),
            ([sharding((2, 3), codecs=[GZIP])], "from array to bytes is missing"),
            ([{"name": "sharding_indexed"}], "lacks 'chunk_shape', 'codecs', 'index_codecs'"),
            (["numcodecs.delta", sharding((2, 3))], "cannot follow filters of numcodecs"),
            (["numcodecs.delta", transpose(0, 1), LITTLE], "cannot follow a filter that makes one axis"),
            (["numcodecs.pickle"], "'pickle' runs code that is stored in the data"),
            (["numcodecs.json2"], "none that arrays of format 3 can have"),
            (["numcodecs.nosuch"], "nosuch"),
            ([LITTLE, {"name": "numcodecs.bz2", "configuration": {"id": "lzma"}}], "no parameter 'id'"),
            ([LITTLE, {"name": "numcodecs.bz2", "configuration": {"lvl": 2}}], "'bz2'"),
            (3, "codecs is 3"),
            ([3], r"codecs\[0\]: 3 is neither a name nor an object"),
            ([{"configuration": {}}], "neither a name nor an object"),
            ([{"name": "bytes", "configuration": []}], r"configuration of 'bytes' is \[\]"),
            ([LITTLE] * 65, "at most 64"),
        ],
    )
    def test_refused(self, chain, words):
        with pytest.raises((CodecError, MetadataError), match=words):
            parse_codecs(chain, np.dtype("i4"), (4, 6), np.int32(0))

    def test_objects(self):
        strings = {"dtype": "O", "data_type": "string", "fill_value": ""}
        found = parse(transpose(1, 0), "vlen-utf8", GZIP, **strings)
        assert found["order"] == "F"
        assert found["filters"][0].codec_id == "vlen-utf8"
        for codec, words in (
            ("vlen-bytes", "'vlen-bytes' does not take the data type 'string'"),
            (LITTLE, "'bytes' does not take the data type 'string'; 'vlen-utf8' does"),
        ):
            with pytest.raises(CodecError, match=words):
                parse(codec, **strings)
        with pytest.raises(CodecError, match=r"'numcodecs.delta' does not take strings"):
            parse("numcodecs.delta", "vlen-utf8", **strings)

    def test_nesting_is_bounded(self):
        codecs = [LITTLE]
        for depth in range(1, MAX_NESTING + 2):
            codecs = [sharding((4, 6), codecs)]
            if depth <= MAX_NESTING:
                parse(*codecs)
        with pytest.raises(CodecError, match="nested more than 8 deep"):
            parse(*codecs)

    def test_rendered_as_they_were(self):
        blosc = {"typesize": 4, "cname": "lz4", "clevel": 5, "shuffle": "bitshuffle", "blocksize": 0}
        chains = [
            [LITTLE],
            [BIG, {"name": "blosc", "configuration": blosc}],
            [transpose(1, 0), LITTLE, GZIP, CRC],
            [sharding((2, 3), [transpose(1, 0), LITTLE, GZIP], index_location="start")],
            [transpose(1, 0), sharding((3, 2), [BIG], [BIG], index_location="end"), CRC],
            [sharding((2, 3), [sharding((1, 3), index_location="end")], index_location="end")],
            [{"name": "numcodecs.delta", "configuration": {"dtype": "<i4", "astype": "<i2"}}, BIG],
            [LITTLE, {"name": "numcodecs.lz4", "configuration": {"acceleration": 2}}],
        ]
        for chain in chains:
            meta = v3.parse_array(document(chain), "zarr.json")
            assert render_codecs(meta) == chain


def test_codecs_of_bytes_among_the_filters_are_told_where_they_go() -> None:
    with pytest.raises(CodecError, match=r"give 'numcodecs.shuffle' in compressors, not in filters"):
        zchunk.create(10, dtype="i4", zarr_format=3, filters=[numcodecs.Shuffle(4)])
    z = zchunk.create(10, dtype="i4", zarr_format=3, compressors=[numcodecs.Shuffle(4), zchunk.Zstd()])
    z[:] = range(10)
    assert z[:].tolist() == [*range(10)]
