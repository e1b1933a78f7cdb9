"""The codec chains of format 3: what they may be, and their bytes against those of other libraries."""

import itertools
import json
import warnings

import numpy as np
import pytest
import tensorstore
import zarr
import zarr.codecs.numcodecs as zarr_numcodecs
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import (
    BloscCodec,
    BytesCodec,
    Crc32cCodec,
    GzipCodec,
    ShardingCodec,
    TransposeCodec,
    ZstdCodec,
)

from zchunk.codecs import GZip, Zstd
from zchunk.codecs.crc32c import Crc32c
from zchunk.codecs.shard_index import EMPTY, ShardIndex, chain_of
from zchunk.codecs.sharding import ShardingCodec as OurSharding
from zchunk.codecs.transpose import ByteSwap, Transpose
from zchunk.errors import CodecError, MetadataError
from zchunk.metadata.v3 import document as v3
from zchunk.metadata.v3.codecs import MAX_NESTING, parse_codecs, render_codecs

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
BIG = {"name": "bytes", "configuration": {"endian": "big"}}
CRC = {"name": "crc32c"}
GZIP = {"name": "gzip", "configuration": {"level": 1}}


def transpose(*order):
    return {"name": "transpose", "configuration": {"order": list(order)}}


def sharding(chunk_shape, codecs=None, index_codecs=None, **more):
    configuration = {"chunk_shape": list(chunk_shape), "codecs": codecs or [LITTLE]}
    configuration["index_codecs"] = index_codecs or [LITTLE, CRC]
    return {"name": "sharding_indexed", "configuration": configuration | more}


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
            ([LITTLE, "lz77"], "codec 'lz77' is not known"),
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
            (["numcodecs.delta", sharding((2, 3))], "cannot follow filters other than 'transpose'"),
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


def document(codecs, **members):
    obj = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [4, 6],
        "data_type": "int32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4, 6]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": codecs,
    }
    return json.dumps(obj | members).encode()


def by_zarr(items, **options):
    """The metadata and the one chunk that zarr-python makes of `items`."""
    made = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"shape": items.shape, "chunks": items.shape, "dtype": items.dtype} | options
        z = zarr.create_array(zarr.storage.MemoryStore(made), **options)
        z[...] = items
    (key,) = made.keys() - {"zarr.json"}
    return made["zarr.json"].to_bytes(), made[key].to_bytes()


def to_zarr(raw, chunk):
    """The items that zarr-python reads from metadata and one chunk."""
    buffer = zarr.core.buffer.cpu.Buffer.from_bytes
    store = zarr.storage.MemoryStore({"zarr.json": buffer(raw), "c/0/0/0": buffer(chunk)})
    return zarr.open_array(store, mode="r")[...]


warnings.filterwarnings("ignore", message="Numcodecs codecs")
ITEMS = np.arange(4 * 6 * 8, dtype="<i4").reshape(4, 6, 8) * 7919 % 1000
CHAINS = {
    "default": {},
    "big": {"serializer": BytesCodec(endian="big")},
    "F": {"filters": [TransposeCodec(order=(2, 1, 0))]},
    "transposed": {"filters": [TransposeCodec(order=(1, 2, 0))], "serializer": BytesCodec(endian="big")},
    "two": {"filters": [TransposeCodec(order=(1, 2, 0)), TransposeCodec(order=(0, 2, 1))]},
    "blosc": {"compressors": [BloscCodec(cname="lz4", shuffle="bitshuffle")]},
    "many": {"compressors": [GzipCodec(), Crc32cCodec(), ZstdCodec(level=3, checksum=True)]},
    "delta": {"filters": [zarr_numcodecs.Delta(dtype="<i4")], "serializer": BytesCodec(endian="big")},
    "astype": {"filters": [zarr_numcodecs.AsType(encode_dtype="<i8", decode_dtype="<i4")]},
    "checksums": {
        "compressors": [zarr_numcodecs.CRC32(), zarr_numcodecs.Adler32(), zarr_numcodecs.Shuffle()],
    },
    "shard": {"serializer": ShardingCodec(chunk_shape=(2, 3, 4)), "compressors": [Crc32cCodec()]},
    "transposed shard": {
        "filters": [TransposeCodec(order=(1, 2, 0))],
        "serializer": ShardingCodec(
            chunk_shape=(2, 2, 4),
            codecs=[TransposeCodec(order=(2, 1, 0)), BytesCodec(endian="big"), GzipCodec()],
            index_codecs=[BytesCodec(endian="big")],
            index_location="start",
        ),
        "compressors": None,
    },
    "nested shard": {
        "serializer": ShardingCodec(
            chunk_shape=(2, 6, 4), codecs=[ShardingCodec(chunk_shape=(2, 3, 2), codecs=[BytesCodec()])]
        ),
        "compressors": [GzipCodec()],
    },
}


class TestBytes:
    @pytest.mark.parametrize("name", CHAINS)
    def test_against_zarr_python(self, name):
        items = ITEMS.copy()
        items[:2, :3, :4] = 0
        raw, chunk = by_zarr(items, **CHAINS[name])
        meta = v3.parse_array(raw, "zarr.json")
        chain = chain_of(meta)
        assert (chain.decode(chunk) == items).all()
        ours = bytes(chain.encode(items))
        assert (chain.decode(ours) == items).all()
        # zarr-python 3.1.6 does not read its own chunks of this kind.
        if name != "delta":
            assert (to_zarr(v3.render_array(meta), ours) == items).all()

    @pytest.mark.parametrize("location", ["start", "end"])
    def test_a_shard_alone_is_the_same_shard(self, location):
        items = ITEMS.copy()
        items[:2, :3, :4] = 0
        raw, chunk = by_zarr(
            items,
            serializer=ShardingCodec(chunk_shape=(2, 3, 4), codecs=[BytesCodec()], index_location=location),
            compressors=None,
        )
        meta = v3.parse_array(raw, "zarr.json")
        assert meta.filters == ()
        index = ShardIndex(meta.shards)
        start, stop = index.span(len(chunk))
        entries = index.decode(chunk[start:stop], len(chunk))
        assert entries[0].tolist() == [EMPTY, EMPTY]
        assert (entries[1:, 1] == 2 * 3 * 4 * 4).all()
        codec = OurSharding(meta.shards)
        assert (codec.decode(chunk) == items).all()
        assert (to_zarr(raw, codec.encode(items)) == items).all()

    def test_against_tensorstore(self, tmp_path):
        inner = [transpose(2, 1, 0), BIG, GZIP]
        chains = [
            [transpose(1, 2, 0), sharding((3, 4, 2), inner, [BIG, CRC], index_location="start")],
            [sharding((2, 3, 4), [transpose(1, 2, 0), sharding((3, 2, 1), inner)])],
            [sharding((2, 3, 4), [sharding((1, 3, 2), [LITTLE, CRC], [transpose(3, 1, 2, 0), LITTLE])])],
        ]
        for number, codecs in enumerate(chains):
            raw = document(
                codecs,
                shape=[4, 6, 8],
                chunk_grid={"name": "regular", "configuration": {"chunk_shape": [4, 6, 8]}},
            )
            folder = tmp_path / str(number)
            (folder / "c/0/0").mkdir(parents=True)
            (folder / "zarr.json").write_bytes(v3.render_array(v3.parse_array(raw, "zarr.json")))
            spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder)}}
            theirs = tensorstore.open(spec).result()
            theirs.write(ITEMS).result()
            meta = v3.parse_array((folder / "zarr.json").read_bytes(), "zarr.json")
            chunk = folder / "c/0/0/0"
            codec = OurSharding(meta.shards) if meta.shards else chain_of(meta)
            assert (codec.decode(chunk.read_bytes()) == ITEMS).all()
            chunk.write_bytes(codec.encode(ITEMS[::-1]))
            theirs = tensorstore.open(spec).result()
            assert (theirs.read().result() == ITEMS[::-1]).all()

    def test_transposed_delta(self):
        # zarr-python 3.1.6 does not read its own chunks of this kind.
        for order in ((2, 1, 0), (1, 2, 0)):
            raw = document(
                [transpose(*order), "numcodecs.delta", BIG],
                shape=[4, 6, 8],
                chunk_grid={"name": "regular", "configuration": {"chunk_shape": [4, 6, 8]}},
            )
            chain = chain_of(v3.parse_array(raw, "zarr.json"))
            chunk = chain.encode(ITEMS)
            deltas = np.diff(ITEMS.transpose(order).ravel(), prepend=0).astype(">i4")
            assert bytes(chunk) == deltas.tobytes()
            assert (chain.decode(chunk) == ITEMS).all()

    def test_strings_transposed(self):
        words = np.array([f"wörd {i}" * (i % 3) for i in range(24)], object).reshape(2, 3, 4)
        for order in ((2, 1, 0), (1, 2, 0)):
            raw = document(
                [transpose(*order), "vlen-utf8", "gzip"],
                shape=[2, 3, 4],
                data_type="string",
                fill_value="",
                chunk_grid={"name": "regular", "configuration": {"chunk_shape": [2, 3, 4]}},
            )
            meta = v3.parse_array(raw, "zarr.json")
            chunk = bytes(chain_of(meta).encode(words))
            assert (chain_of(meta).decode(chunk) == words).all()
            assert (to_zarr(v3.render_array(meta), chunk) == words).all()

    def test_strings_in_shards(self):
        words = np.array(["", "a", "bc", "", "", ""], object).reshape(1, 1, 6)
        raw = document(
            [sharding((1, 1, 2), ["vlen-utf8"]), CRC],
            shape=[1, 1, 6],
            data_type="string",
            fill_value="",
            chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1, 1, 6]}},
        )
        meta = v3.parse_array(raw, "zarr.json")
        chunk = bytes(chain_of(meta).encode(words))
        assert (chain_of(meta).decode(chunk) == words).all()
        assert (to_zarr(v3.render_array(meta), chunk) == words).all()


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
