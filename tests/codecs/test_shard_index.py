"""The index of a shard: where inner chunks are, and what it must not say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk._ext.codecs.crc32c import checksum
from zchunk.codecs import GZip
from zchunk.codecs.crc32c import Crc32c
from zchunk.codecs.shard_index import EMPTY, ShardIndex
from zchunk.errors import CodecError
from zchunk.metadata import ArrayMetadata
from zchunk.metadata.array import ShardFormat


def index(shape=(4, 6), chunks=(2, 2), location="end", **members):
    inner = ArrayMetadata(shape, np.dtype("i4"), chunks, np.int32(0), zarr_format=3)
    grid = tuple(s // c for s, c in zip(shape, chunks, strict=True)) + (2,)
    array = {"shape": grid, "dtype": np.dtype("u8"), "chunk_shape": grid, "fill_value": np.uint64(0)}
    array |= {"compressors": (Crc32c(),), "zarr_format": 3}
    return ShardIndex(ShardFormat(inner, ArrayMetadata(**(array | members)), location))


def raw(*entries):
    data = np.array(entries, "<u8").tobytes()
    return data + checksum(data).to_bytes(4, "little")


class TestShardIndex:
    def test_example_of_the_spec(self):
        found = index((64, 64), (32, 32))
        assert (found.nbytes, found.shape, found.location) == (68, (2, 2), "end")
        assert found.span(100) == (32, 100)
        assert index((64, 64), (32, 32), "start").span(100) == (0, 68)

    def test_layout(self):
        found = index((2, 4), (2, 2))
        entries = found.decode(raw((5, 6), (EMPTY, EMPTY)), 100)
        assert entries.tolist() == [[5, 6], [EMPTY, EMPTY]]
        assert entries.dtype == np.dtype("u8")
        assert entries.dtype.isnative
        assert entries.flags.c_contiguous
        assert found.encode(entries) == raw((5, 6), (EMPTY, EMPTY))

    @given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=6, max_size=6))
    def test_round_trip_in_every_form(self, entries):
        entries = np.array(entries, np.uint64)
        entries[2] = EMPTY
        for members in ({}, {"swapped": True}, {"order": "F"}, {"compressors": ()}):
            found = index(**members)
            encoded = found.encode(entries)
            assert len(encoded) == found.nbytes
            assert (found.decode(encoded, 2000) == entries).all()
        assert index(swapped=True, compressors=()).encode(entries) == entries.astype(">u8").tobytes()
        by_plane = entries.reshape(2, 3, 2).astype("<u8").tobytes("F")
        assert index(order="F", compressors=()).encode(entries) == by_plane

    def test_of_a_scalar(self):
        found = index((), ())
        assert (found.nbytes, found.shape) == (20, ())
        assert found.decode(raw((0, 9)), 29).tolist() == [[0, 9]]

    def test_gaps_overlaps_and_any_order_are_legal(self):
        entries = [(50, 10), (0, 10), (0, 10), (5, 10), (100, 0), (30, 0)]
        assert index().decode(raw(*entries), 100).tolist() == [list(e) for e in entries]

    def test_codecs_of_no_fixed_size(self):
        with pytest.raises(CodecError, match="'gzip' makes depends on the data"):
            index(compressors=(GZip(),))

    def test_index_of_another_grid(self):
        with pytest.raises(CodecError, match=r"shape \(3, 3, 2\), not \(2, 3, 2\)"):
            index(chunk_shape=(3, 3, 2))


class TestDamage:
    @pytest.mark.parametrize(
        ("entry", "words"),
        [
            ((90, 11), r"inner chunk \(0, 1\): offset 90, 11 bytes: not within the shard of 100 bytes"),
            ((101, 0), "offset 101, 0 bytes"),
            ((0, 101), "offset 0, 101 bytes"),
            ((2**64 - 2, 10), "offset 18446744073709551614, 10 bytes: not"),
            ((10, 2**64 - 2), "10, 18446744073709551614 bytes: not"),
            ((2**63, 2**63), "not within the shard"),
            ((EMPTY, 10), "offset 18446744073709551615, 10 bytes: only one of the two"),
            ((10, EMPTY), "only one of the two"),
            ((EMPTY, 0), "only one of the two"),
            ((0, EMPTY), "only one of the two"),
        ],
    )
    def test_entries_that_no_shard_has(self, entry, words):
        with pytest.raises(ValueError, match=words):
            index((2, 4), (2, 2)).decode(raw((0, 10), entry), 100)

    @pytest.mark.parametrize("n", [0, 35, 37])
    def test_length(self, n):
        with pytest.raises(ValueError, match=f"has {n} bytes, expected 36"):
            index((2, 4), (2, 2)).decode(bytes(n), 100)

    def test_checksum(self):
        data = bytearray(raw((0, 10), (10, 10)))
        data[0] ^= 4
        with pytest.raises(ValueError, match=r"checksum of 32 bytes is 0x.*, expected 0x"):
            index((2, 4), (2, 2)).decode(bytes(data), 100)

    def test_shard_smaller_than_its_index(self):
        with pytest.raises(ValueError, match="35 bytes cannot hold its index of 36 bytes"):
            index((2, 4), (2, 2)).span(35)

    @given(st.binary(min_size=96, max_size=96))
    def test_anything(self, data):
        found = index(compressors=())
        try:
            entries = found.decode(data, 1000)
        except ValueError:
            return
        for offset, nbytes in entries.tolist():
            assert (offset, nbytes) == (EMPTY, EMPTY) or offset + nbytes <= 1000
