"""The codec chains of format 3: what they may be, and their bytes against those of other libraries."""

import json
import warnings

import numpy as np
import pytest
import tensorstore
import zarr
import zarr.codecs.numcodecs as zarr_numcodecs
from zarr.codecs import (
    BloscCodec,
    BytesCodec,
    Crc32cCodec,
    GzipCodec,
    ShardingCodec,
    TransposeCodec,
    ZstdCodec,
)

from zchunk.codecs.shard_index import EMPTY, ShardIndex, chain_of
from zchunk.codecs.sharding import ShardingCodec as OurSharding
from zchunk.metadata.v3 import document as v3

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
