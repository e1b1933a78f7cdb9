"""The crc32 codec: numcodecs' bytes, and the kernels that check it."""

from __future__ import annotations

import zlib

import numcodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from zchunk.codecs import CRC32
from zchunk.codecs.chain import CodecChain
from zchunk.engine import execute
from zchunk.errors import ChunkError

BLOSC = zchunk.Blosc("lz4", 5, 1)


@given(st.binary(max_size=200), st.sampled_from(["start", "end"]))
def test_same_bytes_as_numcodecs(data: bytes, location: str) -> None:
    ours, theirs = CRC32(location), numcodecs.CRC32(location)
    encoded = ours.encode(data)
    assert encoded == bytes(theirs.encode(data))
    assert bytes(ours.decode(encoded)) == data
    assert zchunk.codecs.as_codec(theirs) == ours
    assert ours.get_config()["id"] == theirs.get_config()["id"]


def test_the_usual_place_is_where_old_versions_look() -> None:
    assert CRC32().encode(b"123456789") == zlib.crc32(b"123456789").to_bytes(4, "little") + b"123456789"


@pytest.mark.parametrize("codec", [None, BLOSC, zchunk.LZ4(), zchunk.Zstd(), zchunk.GZip(), zchunk.Zlib()])
@pytest.mark.parametrize("checksum", [CRC32(), zchunk.codecs.Crc32c()])
def test_native_and_generic_routes_agree(codec: object, checksum: object, path: str) -> None:
    data = np.arange(200, dtype="f8").reshape(10, 20)
    filters = [] if codec is None else [codec]
    stored = []
    for order in "CF":
        z = zchunk.create((10, 20), (4, 8), "f8", checksum, order=order, filters=filters)
        assert z._chunked.chain.native_spec is not None
        z[...] = data
        z[3:5, 6:9] += 1
        expected = data.copy()
        expected[3:5, 6:9] += 1
        np.testing.assert_array_equal(z[...], expected)
        np.testing.assert_array_equal(z[2:7, ::3], expected[2:7, ::3])
        chain = CodecChain(tuple(filters), (checksum,), z.dtype, z.chunks, order)  # type: ignore[arg-type]
        stored.append(bytes(z.store["0.0"]))
        assert stored[-1] == bytes(chain.encode(expected[:4, :8]))
    assert len(stored) == 2


@pytest.mark.parametrize("native", [True, False])
def test_damage_is_noticed_by_partial_reads(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "native_enabled", native)
    z = zchunk.create(100_000, 100_000, "i4", CRC32(), filters=[BLOSC])
    z[:] = np.arange(100_000)
    raw = bytearray(z.store["0"])
    raw[-1] ^= 1
    z.store["0"] = bytes(raw)
    with pytest.raises(ChunkError, match="checksum"):
        z[:3]


def test_numcodecs_reads_what_the_kernels_write() -> None:
    z = zchunk.create(1000, 1000, "i4", CRC32(), filters=[BLOSC])
    z[:] = np.arange(1000)
    payload = numcodecs.CRC32().decode(z.store["0"])
    found = np.frombuffer(numcodecs.Blosc().decode(payload), "i4")
    np.testing.assert_array_equal(found, np.arange(1000))
