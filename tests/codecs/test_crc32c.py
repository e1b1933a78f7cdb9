"""CRC-32C: the kernel, both ways, and the codec."""

import google_crc32c
import numcodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk._ext.codecs import crc32c
from zchunk.codecs.crc32c import Crc32c
from zchunk.errors import CodecError


class TestChecksum:
    # RFC 3720, B.4, and the check value of the catalogues.
    @pytest.mark.parametrize(
        ("data", "crc"),
        [
            (b"", 0),
            (b"123456789", 0xE3069283),
            (bytes(32), 0x8A9136AA),
            (b"\xff" * 32, 0x62A8AB43),
            (bytes(range(32)), 0x46DD794E),
            (bytes(range(31, -1, -1)), 0x113FDB5C),
        ],
    )
    @pytest.mark.parametrize("way", crc32c.ways())
    def test_known_values(self, data, crc, way):
        assert crc32c.checksum(data, by=way) == crc32c.checksum(data) == crc

    @given(st.binary(max_size=100), st.integers(0, 20000), st.integers(0, 15))
    def test_all_ways_agree_with_google(self, data, length, start):
        data = (data * (length // max(len(data), 1) + 1))[:length]
        view = memoryview(data)[start:]
        expected = google_crc32c.value(bytes(view))
        assert {crc32c.checksum(view, by=way) for way in crc32c.ways()} == {expected}
        assert crc32c.checksum(view) == expected

    # Those of the folding, then of the instruction.
    @pytest.mark.parametrize(
        "n", [255, 256, 257, 319, 320, 511, 512, 576, 1023, 1024, 3071, 3072, 3073, 6144, 100_000, 1_000_003]
    )
    def test_lengths_around_the_stretches(self, n):
        data = np.random.default_rng(n).bytes(n)
        expected = google_crc32c.value(data)
        assert {crc32c.checksum(data, by=way) for way in ("best", *crc32c.ways())} == {expected}

    @given(st.binary(max_size=2000), st.integers(0, 2000))
    def test_in_parts(self, data, at):
        whole = crc32c.checksum(data)
        for way in ("best", *crc32c.ways()):
            assert crc32c.checksum(data[at:], crc32c.checksum(data[:at]), by=way) == whole

    def test_a_way_that_the_processor_does_not_have(self):
        assert crc32c.ways()[-1] == "table"
        for way in {"fold", "instruction"} - set(crc32c.ways()):
            with pytest.raises(ValueError, match=way):
                crc32c.checksum(b"", by=way)

    def test_takes_buffers_only(self):
        with pytest.raises(TypeError):
            crc32c.checksum("text")
        with pytest.raises(BufferError):
            crc32c.checksum(memoryview(b"abcd")[::2])


class TestCodec:
    @given(st.binary(max_size=200), st.sampled_from(["start", "end"]))
    def test_same_bytes_as_numcodecs(self, data, location):
        ours, theirs = Crc32c(location), numcodecs.CRC32C(location)
        encoded = ours.encode(data)
        assert encoded == bytes(theirs.encode(data))
        assert bytes(ours.decode(encoded)) == data
        assert len(encoded) == len(data) + 4

    def test_bytes(self):
        assert Crc32c().encode(b"123456789") == b"123456789" + bytes.fromhex("839206e3")

    def test_arrays_in_the_order_of_their_memory(self):
        items = np.arange(6, dtype="<u2").reshape(2, 3)
        assert Crc32c().encode(items)[:-4] == items.tobytes()
        assert Crc32c().encode(items.T)[:-4] == items.tobytes()
        assert Crc32c().encode(np.empty(0, "M8[s]")) == bytes(4)

    def test_verifies(self):
        encoded = bytearray(Crc32c().encode(b"123456789"))
        encoded[2] ^= 1
        with pytest.raises(RuntimeError, match=r"checksum of 9 bytes is 0x[0-9a-f]{8}, expected 0xe3069283"):
            Crc32c().decode(encoded)
        with pytest.raises(RuntimeError, match="3 bytes are too few"):
            Crc32c().decode(b"abc")

    def test_into_out_and_limit(self):
        encoded = Crc32c().encode(b"1234")
        out = np.zeros(2, "u2")
        assert Crc32c().decode(encoded, out) is out
        assert out.tobytes() == b"1234"
        with pytest.raises(RuntimeError, match="4 bytes, expected 6"):
            Crc32c().decode(encoded, np.zeros(3, "u2"))
        with pytest.raises(RuntimeError, match="at most 3 are possible"):
            Crc32c().decode(encoded, limit=3)

    def test_config(self):
        assert Crc32c().get_config() == numcodecs.CRC32C().get_config() == {"id": "crc32c"}
        assert Crc32c.from_config({"location": "start"}) == Crc32c("start") != Crc32c()
        assert hash(Crc32c()) == hash(Crc32c("end"))
        assert repr(Crc32c("start")) == "Crc32c(location='start')"
        with pytest.raises(CodecError, match="location is 'middle'"):
            Crc32c("middle")
