"""Native codecs beside numcodecs, python-lz4 and the standard library; the registry of all codecs."""

from __future__ import annotations

import copy
import gzip
import itertools
import lzma
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import lz4.block
import numcodecs
import numpy as np
import pytest

import zchunk
from zchunk import codecs
from zchunk._ext.codecs import dispatch
from zchunk.codecs import LZ4, Blosc, Codec, CodecChain, GZip, Zlib, Zstd, as_codec, get_codec, register_codec
from zchunk.codecs import registry as codec_registry
from tests import choice
from zchunk.errors import CodecError

SIZES = (0, 1, 3, 17, 1000, 32767, 65536, 65537, 300_000)

PAIRS = [
    *((LZ4(a), numcodecs.LZ4(a)) for a in (-5, 0, 1, 2, 50)),
    *((Zstd(level), numcodecs.Zstd(level)) for level in (-100, -1, 0, 1, 3, 9, 19, 22)),
    (Zstd(1, checksum=True), numcodecs.Zstd(1, checksum=True)),
    *((Zlib(level), numcodecs.Zlib(level)) for level in range(-1, 10)),
    *((GZip(level), numcodecs.GZip(level)) for level in range(-1, 10)),
    (Blosc(), numcodecs.Blosc()),
    (Blosc("zstd", 3, Blosc.BITSHUFFLE), numcodecs.Blosc("zstd", 3, numcodecs.Blosc.BITSHUFFLE)),
]
NATIVE = [LZ4(), Zstd(), Zstd(3, checksum=True), Zlib(), GZip(), Blosc(), Blosc("zlib", 9, 2)]


def field(n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    return np.round(np.sin(np.linspace(0, 20, n)) * 30 + rng.normal(0, 0.1, n), 1).astype("<f4")


def payloads(n: int) -> list[bytes]:
    rng = np.random.default_rng(n)
    text = b"".join(b"the quick brown fox %d jumps over the lazy dog\n" % i for i in range(n // 40 + 1))
    return [
        field(n // 4 + 1).tobytes()[:n],
        rng.integers(0, 256, n, np.uint8).tobytes(),
        bytes(n),
        (rng.random(n) < 0.1).astype("u1").tobytes(),
        text[:n],
    ]


# ---- the bytes


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda codec: repr(codec))
def test_both_ways_with_numcodecs(ours: Codec, theirs: Any) -> None:
    for n in SIZES if choice.everything else SIZES[:-1]:
        for data in payloads(n):
            encoded = ours.encode(data)
            if n or ours.codec_id in ("zlib", "gzip"):  # theirs decode nothing to nothing but here
                assert bytes(theirs.decode(encoded)) == data
                assert bytes(ours.decode(bytes(theirs.encode(data)))) == data
            assert ours.decode(encoded) == data


def test_lz4_blocks_are_those_of_lz4() -> None:
    for n in SIZES:
        for data in payloads(n):
            stored = LZ4().encode(data)
            assert stored[:4] == struct.pack("<I", n)
            assert lz4.block.decompress(stored) == data
            assert LZ4().decode(lz4.block.compress(data)) == data
            assert LZ4().decode(lz4.block.compress(data, mode="high_compression")) == data


@pytest.mark.parametrize("level", range(-1, 10))
def test_deflate_is_as_small_as_zlibs(level: int) -> None:
    """At most 2 % larger than Python's zlib at the same level (zlib-ng's own levels are up to 3.6 times)."""
    rng = np.random.default_rng(1)
    x = np.linspace(0, 60, 50_000)
    for data in (
        (np.sin(x) * 30 + 280).astype("<f4"),
        (np.sin(x) * 30 + 280 + rng.normal(0, 0.01, x.size)).astype("<f4"),
        np.round(np.sin(x) * 30 + 280 + rng.normal(0, 0.5, x.size), 2),
        rng.integers(-5, 6, x.size).cumsum().astype("<i4"),
        np.round(np.sin(x) * 1000 + rng.normal(0, 3, x.size)).astype("<i2"),
        np.full(x.size, 1.5),
        rng.integers(0, 256, x.size, np.uint8),
        *(np.frombuffer(data, np.uint8) for data in payloads(200_000)),
    ):
        for raw in (data.tobytes(), data.view(np.uint8).reshape(-1, data.itemsize).T.tobytes()):
            theirs = len(zlib.compress(raw, level))
            assert len(Zlib(level).encode(raw)) <= 1.02 * theirs + 16
            assert len(GZip(level).encode(raw)) <= 1.02 * theirs + 28


@pytest.mark.parametrize("codec", [*map(Zlib, range(10)), GZip(0), GZip(1), GZip(9)], ids=repr)
def test_deflate_has_room_for_the_worst(codec: Codec) -> None:
    """Incompressible data of every size; where the encoder's bound is too small, encoding fails."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, 3_000_000, np.uint8)
    # Nine-bit literals, the dearest in a block of fixed codes; and literals with a far match now and then.
    dear = rng.integers(144, 256, 300_000, np.uint8)
    sparse = noise[:300_000].copy()
    sparse[::50] = 7
    sizes = [*range(300), *range(300, 100_000, 1999), *(2**k + d for k in range(9, 18) for d in (-1, 0, 1))]
    for data in (noise, dear, sparse):
        for n in (*sizes, data.size):
            encoded = codec.encode(data[:n])
            assert len(encoded) <= n + n // 256 + 64
            if n % 7 == 0:
                assert (zlib.decompress if codec.codec_id == "zlib" else gzip.decompress)(encoded) == data[
                    :n
                ].tobytes()


@pytest.mark.parametrize(
    "codec", [LZ4(), LZ4(-1), Zstd(-100), Zstd(22), Blosc("zstd", 9), Blosc("blosclz", 9)], ids=repr
)
def test_others_have_room_for_the_worst(codec: Codec) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 1_000_000, np.uint8)
    for n in (*range(0, 300, 7), 4096, 65535, 65536, 131072, 131073, noise.size):
        assert codec.decode(codec.encode(noise[:n])) == noise[:n].tobytes()


def test_gzip_members() -> None:
    parts = [b"one", b"", b"two" * 1000, b"three"]
    whole = b"".join(parts)
    stored = b"".join(gzip.compress(part) for part in parts)
    assert GZip().decode(stored) == whole
    assert dispatch.decode(GZip().spec(1), stored, len(whole)) == whole
    out = bytearray(len(whole))
    assert GZip().decode(stored, out=out) is out
    assert out == whole
    for bad in (stored[:-1], stored + b"x", stored[:-9] + b"\xff" + stored[-8:], b"", stored[:9]):
        with pytest.raises(RuntimeError):
            GZip().decode(bad)
        with pytest.raises(RuntimeError):
            dispatch.decode(GZip().spec(1), bad, len(whole))
    for nbytes in (0, len(whole) - 1, len(whole) + 1):
        with pytest.raises(RuntimeError):
            dispatch.decode(GZip().spec(1), stored, nbytes)


def test_zlib_is_one_stream() -> None:
    stored = zlib.compress(b"a" * 100)
    for bad in (stored + stored, stored + b"x", stored[:-1], b"", stored[:-1] + b"\x00"):
        with pytest.raises(RuntimeError):
            Zlib().decode(bad)
        with pytest.raises(RuntimeError):
            dispatch.decode(Zlib().spec(1), bad, 100)
    dictionary = zlib.compressobj(zdict=b"aaaa")
    with pytest.raises(RuntimeError):
        dispatch.decode(Zlib().spec(1), dictionary.compress(b"aaaa") + dictionary.flush(), 4)


# A Zstd frame by hand (RFC 8878): magic, a descriptor, a window of 128 KiB, then raw blocks and runs.


def unsized_frame(*blocks: bytes | tuple[int, int]) -> bytes:
    """Return a frame without content size, as streaming encoders write; a pair is a byte and how often."""
    frame = struct.pack("<IBB", 0xFD2FB528, 0, 7 << 3)
    for i, block in enumerate(blocks):
        last = int(i == len(blocks) - 1)
        if isinstance(block, bytes):
            frame += struct.pack("<I", last | 0 << 1 | len(block) << 3)[:3] + block
        else:
            frame += struct.pack("<I", last | 1 << 1 | block[1] << 3)[:3] + bytes([block[0]])
    return frame


def zstd_blocks(frame: bytes) -> int:
    """Count the blocks of one frame (RFC 8878, 3.1.1)."""
    descriptor = frame[4]
    single = descriptor >> 5 & 1
    at = 5 + (not single) + (single, 2, 4, 8)[descriptor >> 6] + (0, 1, 2, 4)[descriptor & 3]
    for count in itertools.count(1):
        header = int.from_bytes(frame[at : at + 3], "little")
        at += 3 + (1 if header >> 1 & 3 == 1 else header >> 3)
        if header & 1:
            return count
    raise AssertionError


def test_zstd_frames_without_size() -> None:
    for blocks, data in (
        ((b"hello",), b"hello"),
        ((b"hello ", b"", b"world"), b"hello world"),
        (((7, 131072), (8, 131072), b"end"), b"\x07" * 131072 + b"\x08" * 131072 + b"end"),
        ((b"",), b""),
    ):
        frame = unsized_frame(*blocks)
        assert dispatch.decoded_size(Zstd().spec(1), frame) == -1
        assert Zstd().decode(frame) == data
        assert bytes(numcodecs.Zstd().decode(frame)) == data
        assert dispatch.decode(Zstd().spec(1), frame, len(data)) == data
        assert Zstd().decode(frame, limit=len(data)) == data
        for nbytes in {len(data) + 1, max(0, len(data) - 1), 0} - {len(data)}:
            with pytest.raises(RuntimeError):
                dispatch.decode(Zstd().spec(1), frame, nbytes)
        if data:
            with pytest.raises(RuntimeError):
                Zstd().decode(frame, limit=len(data) - 1)


def test_zstd_blocks_are_not_split() -> None:
    """Blocks that end where the content changes save little, and take longer to decode."""
    random = np.random.default_rng(0)
    parts = [random.integers(start, start + 4, 100_000, np.uint8) for start in (0, 60, 120, 180) * 3]
    values = np.concatenate(parts)
    frame = Zstd(3).encode(values)
    assert zstd_blocks(frame) == -(-values.nbytes // (128 << 10))
    assert Zstd().decode(frame) == values.tobytes()


def test_zstd_frames_in_a_row() -> None:
    one, two = b"one" * 100, b"two" * 1000
    skippable = struct.pack("<II", 0x184D2A50, 4) + b"skip"
    for stored in (
        Zstd().encode(one) + Zstd(9, checksum=True).encode(two),
        skippable + Zstd().encode(one) + skippable + Zstd().encode(two) + skippable,
        unsized_frame(one) + Zstd().encode(two),
        Zstd().encode(one) + unsized_frame(two),
    ):
        assert Zstd().decode(stored) == one + two
        assert dispatch.decode(Zstd().spec(1), stored, len(one + two)) == one + two
        for nbytes in (len(one), len(two), 0, len(one + two) - 1, len(one + two) + 1):
            with pytest.raises(RuntimeError):
                dispatch.decode(Zstd().spec(1), stored, nbytes)
        with pytest.raises(RuntimeError):
            Zstd().decode(stored[:-1])
        with pytest.raises(RuntimeError):
            Zstd().decode(stored + b"x")
        with pytest.raises(RuntimeError):
            Zstd().decode(stored, limit=len(one))


def test_zstd_checksum_is_verified() -> None:
    data = np.random.default_rng(0).integers(0, 256, 1000, np.uint8).tobytes()
    stored = Zstd(checksum=True).encode(data)
    assert len(stored) == len(Zstd().encode(data)) + 4
    for at in (20, 500, len(stored) - 1):
        flipped = stored[:at] + bytes([stored[at] ^ 4]) + stored[at + 1 :]
        with pytest.raises(RuntimeError, match="corrupt"):
            Zstd().decode(flipped)


def test_hostile_sizes_take_no_memory() -> None:
    """What claims to be huge is refused by `limit` before memory is taken, or for want of bytes."""
    huge = struct.pack("<IBQ", 0xFD2FB528, 0xE0, 2**62) + b"\x01\x00\x00"
    with pytest.raises(RuntimeError, match="announces"):
        Zstd().decode(huge, limit=1000)
    with pytest.raises((RuntimeError, MemoryError)):
        Zstd().decode(huge * 3)
    with pytest.raises(RuntimeError, match="announces 2147483647"):
        LZ4().decode(struct.pack("<I", 2**31 - 1) + b"x", limit=1000)
    with pytest.raises(RuntimeError):
        dispatch.decode(LZ4().spec(1), struct.pack("<I", 2**32 - 1), 100)
    for codec in (Zlib(9), GZip(9)):
        with pytest.raises(RuntimeError, match="more than the 100 bytes"):
            codec.decode(codec.encode(bytes(10_000_000)), limit=100)
        assert codec.decode(codec.encode(bytes(100)), limit=100) == bytes(100)


@pytest.mark.parametrize("codec", NATIVE, ids=repr)
def test_nonsense_is_an_error(codec: Codec) -> None:
    good = codec.encode(bytes(range(256)) * 20)
    for bad in (b"", b"x", b"nonsense", bytes(40), b"\xff" * 40, good[: len(good) // 2], good[:-1], good[1:]):
        with pytest.raises(RuntimeError):
            codec.decode(bad)
        with pytest.raises(RuntimeError):
            codec.decode(bad, out=bytearray(256 * 20))


# ---- the interface


@pytest.mark.parametrize("codec", NATIVE, ids=repr)
@pytest.mark.parametrize("dtype", ["u1", "<f8", ">f4", "M8[ns]", "m8[D]", "S5", "U3", "c16", "?", "V7"])
def test_arrays_of_every_layout(codec: Codec, dtype: str) -> None:
    n = np.dtype(dtype).itemsize
    raw = np.random.default_rng(0).integers(0, 2, 60 * n, np.uint8)
    a = raw.view(dtype).reshape(3, 4, 5)
    for array in (a, a.T, np.asfortranarray(a), a[::2], a[:, ::-1, 1:3], a[:0], a[1, 2, 3, ...]):
        stored = codec.encode(array)
        contiguous = array.flags.c_contiguous or array.flags.f_contiguous
        expected = array.tobytes("A" if contiguous else "C")
        assert codec.decode(stored) == expected
        if expected:
            assert bytes(numcodecs.get_codec(codec.get_config()).decode(stored)) == expected
        out = np.zeros(array.size, dtype)
        assert codec.decode(stored, out=out) is out
        assert out.tobytes() == expected
        for order in "CF":
            shaped = np.zeros(array.shape, dtype, order=order)
            codec.decode(stored, out=shaped)
            assert shaped.tobytes("A") == expected


@pytest.mark.parametrize("codec", NATIVE, ids=repr)
def test_structured_arrays(codec: Codec) -> None:
    dtype = np.dtype({"names": ["a", "b"], "formats": ["<i2", ("<f8", 2)], "offsets": [0, 8], "itemsize": 32})
    a = np.zeros((4, 3), dtype)
    a["a"], a["b"] = 5, 2.5
    out = np.empty((4, 3), dtype)
    codec.decode(codec.encode(a), out=out)
    assert (out == a).all()
    assert bytes(numcodecs.get_codec(codec.get_config()).decode(codec.encode(a))) == a.tobytes()


@pytest.mark.parametrize("codec", NATIVE, ids=repr)
def test_buffers_of_every_kind(codec: Codec) -> None:
    data = field(1000)
    for buf in (data.tobytes(), bytearray(data.tobytes()), memoryview(data), memoryview(data.tobytes())):
        stored = codec.encode(buf)
        assert isinstance(stored, bytes)
        for encoded in (stored, bytearray(stored), memoryview(stored), np.frombuffer(stored, np.uint8)):
            assert codec.decode(encoded) == data.tobytes()
    out = bytearray(data.nbytes)
    assert codec.decode(stored, out=out) is out
    assert out == data.tobytes()
    assert codec.decode(codec.encode(np.float64(1.5))) == np.float64(1.5).tobytes()


@pytest.mark.parametrize("codec", NATIVE, ids=repr)
def test_out_must_fit(codec: Codec) -> None:
    stored = codec.encode(field(100))
    for size in (0, 99, 101):
        with pytest.raises(RuntimeError):
            codec.decode(stored, out=np.zeros(size, "<f4"))
    with pytest.raises(ValueError, match="contiguous"):
        codec.decode(stored, out=np.zeros((100, 2), "<f4")[:, 0])
    readonly = np.zeros(100, "<f4")
    readonly.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        codec.decode(stored, out=readonly)
    assert not readonly.any()
    with pytest.raises((ValueError, BufferError)):
        codec.decode(stored, out=bytes(400))
    with pytest.raises(TypeError, match="Python objects"):
        codec.decode(stored, out=np.empty(50, object))
    with pytest.raises(TypeError, match="Python objects"):
        codec.encode(np.array(["a", None], object))
    with pytest.raises(TypeError):
        codec.encode([1, 2, 3])


def test_auto_shuffle_and_typesize() -> None:
    flags = {"u1": 4, "<i2": 1, "<f8": 1}
    for dtype, bit in flags.items():
        data = np.arange(1000).astype(dtype)
        assert Blosc(shuffle=-1).encode(data)[2] & 5 == bit
        assert bytes(numcodecs.Blosc(shuffle=-1).encode(data))[2] & 5 == bit
    assert Blosc(typesize=4).encode(bytes(1000))[3] == 4
    assert Blosc().encode(np.zeros(10, "V300"))[3] == 1
    assert Blosc(shuffle=-1, typesize=2).encode(np.arange(1000).astype("u1"))[2] & 5 == 1
    assert get_codec({"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": -1, "typesize": 8}) == Blosc(
        shuffle=-1, typesize=8
    )


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda codec: repr(codec))
def test_configuration(ours: Codec, theirs: Any) -> None:
    config = ours.get_config()
    other = dict(theirs.get_config())
    if not getattr(ours, "checksum", True):
        other.pop("checksum", None)  # some readers know no such member
    assert config == other
    assert get_codec(config) == ours
    assert get_codec(theirs.get_config()) == ours
    assert type(as_codec(theirs)) is type(ours)
    assert as_codec(theirs) == ours == as_codec(ours) == as_codec(config)


def test_equality_hash_repr_pickle() -> None:
    every = [ours for ours, _ in PAIRS] + [Blosc(blocksize=1024), Blosc(typesize=4), Blosc(shuffle=-1)]
    assert len({*every, *every}) == len(every)
    for codec in every:
        again = pickle.loads(pickle.dumps(codec))
        assert again == codec
        assert hash(again) == hash(codec)
        assert again.encode(bytes(500)) == codec.encode(bytes(500))
        names = {"SHUFFLE": 1, "BITSHUFFLE": 2, "NOSHUFFLE": 0, "AUTOSHUFFLE": -1}
        assert eval(repr(codec), {**vars(codecs), **names}) == codec
        assert codec not in (None, "zlib", 3, type(codec))
    assert Blosc() != Blosc(clevel=6)
    assert Zlib(3) != GZip(3)
    assert repr(Blosc("zstd", 3, 2)) == "Blosc(cname='zstd', clevel=3, shuffle=BITSHUFFLE, blocksize=0)"
    assert repr(Zstd(5)) == "Zstd(level=5, checksum=False)"


def test_defaults_are_those_of_numcodecs() -> None:
    for name in ("Blosc", "LZ4", "Zlib", "GZip"):
        assert getattr(codecs, name)().get_config() == getattr(numcodecs, name)().get_config()


@pytest.mark.parametrize(
    "config",
    [
        {"id": "blosc", "cname": "snappy"},
        {"id": "blosc", "cname": ["lz4"]},
        {"id": "blosc", "cname": None},
        {"id": "blosc", "clevel": 10},
        {"id": "blosc", "clevel": -1},
        {"id": "blosc", "clevel": "5"},
        {"id": "blosc", "clevel": True},
        {"id": "blosc", "clevel": 5.0},
        {"id": "blosc", "shuffle": 3},
        {"id": "blosc", "shuffle": -2},
        {"id": "blosc", "shuffle": None},
        {"id": "blosc", "blocksize": -1},
        {"id": "blosc", "blocksize": 2**31},
        {"id": "blosc", "typesize": 0},
        {"id": "blosc", "level": 1},
        {"id": "zlib", "level": 10},
        {"id": "zlib", "level": -2},
        {"id": "gzip", "level": None},
        {"id": "gzip", "clevel": 1},
        {"id": "zstd", "level": 23},
        {"id": "zstd", "level": -(2**40)},
        {"id": "lz4", "acceleration": 2**31},
        {"id": "lz4", "acceleration": "fast"},
        {"id": "delta"},
        {"id": "no-such-codec"},
        {"id": ""},
        {"id": None},
        {"id": 5},
        {"id": ["zlib"]},
        {},
        None,
        "zlib",
        [],
        {"id": "pickle"},
    ],
    ids=repr,
)
def test_bad_configurations(config: Any) -> None:
    with pytest.raises(CodecError) as caught:
        get_codec(config)
    assert str(caught.value)


def test_error_messages_say_what_and_which() -> None:
    with pytest.raises(CodecError, match=r"'blosc'.*clevel is 12, not an integer from 0 to 9"):
        Blosc(clevel=12)
    with pytest.raises(CodecError, match="'zlib' has no parameter 'strength'"):
        get_codec({"id": "zlib", "strength": 1})
    with pytest.raises(CodecError, match="'no-such-codec'"):
        get_codec({"id": "no-such-codec"})
    with pytest.raises(CodecError, match="'pickle' runs code"):
        get_codec({"id": "pickle", "protocol": 5})


def test_every_codec_of_numcodecs() -> None:
    parameters: dict[str, dict[str, Any]] = {
        "astype": {"encode_dtype": "<f4", "decode_dtype": "<f8"},
        "bitround": {"keepbits": 3},
        "categorize": {"labels": ["a"], "dtype": "U1"},
        "delta": {"dtype": "<i4"},
        "fixedscaleoffset": {"offset": 0, "scale": 1, "dtype": "<f8"},
        "quantize": {"digits": 1, "dtype": "<f8"},
        "vlen-array": {"dtype": "<i4"},
    }
    native = {"blosc", "lz4", "zstd", "zlib", "gzip", "crc32c"}
    for codec_id in numcodecs.registry.codec_registry:
        if codec_id == "pickle":
            continue
        codec = get_codec({"id": codec_id, **parameters.get(codec_id, {})})
        assert codec.codec_id == codec_id
        assert isinstance(codec, Codec)
        assert type(codec).__module__.startswith("zchunk" if codec_id in native else "numcodecs")
    assert codecs.Delta is numcodecs.Delta
    with pytest.raises(AttributeError, match="NoSuchCodec"):
        _ = codecs.NoSuchCodec


class Flip:
    """A user's codec."""

    codec_id = "flip"

    def encode(self, buf: Any) -> bytes:
        return bytes(255 - b for b in bytes(buf))

    def decode(self, buf: Any, out: Any = None) -> Any:
        return self.encode(buf)

    def get_config(self) -> dict[str, Any]:
        return {"id": self.codec_id}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Flip:
        return cls(**config)


def test_a_users_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_registry, "_registry", dict(codec_registry._registry))
    with pytest.raises(CodecError):
        get_codec({"id": "flip"})
    register_codec(Flip)
    register_codec(Flip, "other-name")
    assert isinstance(get_codec({"id": "flip"}), Flip)
    assert isinstance(get_codec({"id": "other-name"}), Flip)
    with pytest.raises(CodecError, match=r"flip.*TypeError"):
        get_codec({"id": "flip", "angle": 3})
    flip = Flip()
    assert as_codec(flip) is flip
    # Also one that is known to numcodecs only.
    monkeypatch.setitem(numcodecs.registry.codec_registry, "third", Flip)
    assert isinstance(get_codec({"id": "third"}), Flip)


def test_what_is_no_codec() -> None:
    for obj in (None, 5, "zlib", object(), Zlib, [Zlib()]):
        with pytest.raises(CodecError):
            as_codec(obj)
    delta = numcodecs.Delta("<i4")
    assert as_codec(delta) is delta


# ---- the chain of an array


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("compressor", [None, Blosc(), Zlib(), numcodecs.BZ2(), LZ4()], ids=repr)
@pytest.mark.parametrize("filters", [(), (numcodecs.Delta("<f4"),), (numcodecs.Shuffle(4), Flip())])
def test_chain(filters: tuple[Codec, ...], compressor: Codec | None, order: str) -> None:
    a = field(60).reshape(3, 4, 5)
    bound = CodecChain(filters, () if compressor is None else (compressor,), a.dtype, a.shape, order)
    stored = bound.encode(a)
    assert bound.decode(bytes(stored)).tobytes() == a.tobytes() or filters
    np.testing.assert_allclose(bound.decode(bytes(stored)), a, rtol=1e-5)
    if not filters and compressor is None:
        assert bytes(stored) == a.tobytes(order)
    native = not filters and not isinstance(compressor, numcodecs.BZ2)
    assert (bound.native_spec is not None) == native
    assert repr(bound)


@pytest.mark.parametrize("compressor", [None, Blosc(), Zlib(), Zstd(), LZ4(), numcodecs.BZ2()], ids=repr)
def test_chain_refuses_other_sizes(compressor: Codec | None) -> None:
    codecs = () if compressor is None else (compressor,)
    bound = CodecChain((), codecs, np.dtype("<f4"), (10,), "C")
    other = CodecChain((), codecs, np.dtype("<f4"), (11,), "C")
    with pytest.raises((RuntimeError, ValueError)):
        bound.decode(other.encode(np.zeros(11, "<f4")))


def test_chain_limits_what_comes_before_filters() -> None:
    bound = CodecChain((numcodecs.Delta("<f4"),), (Zstd(),), np.dtype("<f4"), (10,), "C")
    with pytest.raises(RuntimeError, match="announces"):
        bound.decode(Zstd().encode(bytes(5_000_000)))


def test_lzma_takes_no_more_memory_than_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    new = lzma.LZMADecompressor

    def decompressor(*args: Any, filters: Any = None) -> Any:
        asked.append(filters)
        return new(*args, filters=filters)

    items = np.arange(10_000, dtype="<f4")
    for size in (2**20, 3 * 2**29):
        filters = [{"id": lzma.FILTER_DELTA, "dist": 4}, {"id": lzma.FILTER_LZMA2, "dict_size": size}]
        written = lzma.compress(
            items, lzma.FORMAT_RAW, filters=[filters[0], filters[1] | {"dict_size": 2**20}]
        )
        bound = CodecChain(
            (), (numcodecs.LZMA(lzma.FORMAT_RAW, filters=filters),), items.dtype, items.shape, "C"
        )
        monkeypatch.setattr(lzma, "LZMADecompressor", decompressor)
        np.testing.assert_array_equal(bound.decode(written), items)
        assert asked.pop()[1]["dict_size"] <= max(4096, 16 * items.nbytes + 2**20)


@pytest.mark.parametrize("codec", [Blosc(), LZ4(), Zstd(), Zlib(), GZip()], ids=repr)
def test_parameters_do_not_change(codec: Any) -> None:
    """Arrays with the same metadata share them."""
    name = codec._parameters()[0]
    before = getattr(codec, name)
    with pytest.raises(AttributeError, match="make another codec"):
        setattr(codec, name, before)
    assert pickle.loads(pickle.dumps(codec)) == codec == copy.deepcopy(codec)


@pytest.mark.parametrize("length", [1, 12, 13, 40, 120, 399, 1000, 4000, 4095, 4096, 5000])
def test_lz4_of_small_chunks_does_not_depend_on_those_before(tmp_path: Path, length: int) -> None:
    """A thread goes on with LZ4's table of its last block, instead of clearing it."""
    rng = np.random.default_rng(length)
    items = rng.integers(0, 4, (200, length)).astype("u1")
    items[::7] = 255 * rng.random((29, length))
    items[1::7] = items[0]
    codec = Blosc("lz4", 5, Blosc.NOSHUFFLE)
    zchunk.set_threads(1)
    try:
        z = zchunk.create(items.shape, chunks=(1, length), dtype="u1", compressor=codec, store=tmp_path)
        z[...] = items
    finally:
        zchunk.set_threads(None)
    for row in range(len(items)):
        # With a state of its own.
        assert (tmp_path / f"{row}.0").read_bytes() == codec.encode(items[row])
