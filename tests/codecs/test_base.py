"""What all native codecs take and give, beside numcodecs."""

from __future__ import annotations

import copy
import pickle
import struct
from typing import Any

import numcodecs
import numpy as np
import pytest

from tests import choice
from tests.codecs.test_registry import PAIRS
from zchunk import codecs
from zchunk._ext.codecs import dispatch
from zchunk.codecs import LZ4, Blosc, Codec, GZip, Zlib, Zstd

SIZES = (0, 1, 3, 17, 1000, 32767, 65536, 65537, 300_000)


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


@pytest.mark.one_in(2)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda codec: repr(codec))
def test_both_ways_with_numcodecs(ours: Codec, theirs: Any) -> None:
    for n in SIZES if choice.everything else SIZES[:-1]:
        for data in payloads(n):
            encoded = ours.encode(data)
            if n or ours.codec_id in ("zlib", "gzip"):  # theirs decode nothing to nothing but here
                assert bytes(theirs.decode(encoded)) == data
                assert bytes(ours.decode(bytes(theirs.encode(data)))) == data
            assert ours.decode(encoded) == data


@pytest.mark.parametrize(
    "codec", [LZ4(), LZ4(-1), Zstd(-100), Zstd(22), Blosc("zstd", 9), Blosc("blosclz", 9)], ids=repr
)
def test_others_have_room_for_the_worst(codec: Codec) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 1_000_000, np.uint8)
    for n in (*range(0, 300, 7), 4096, 65535, 65536, 131072, 131073, noise.size):
        assert codec.decode(codec.encode(noise[:n])) == noise[:n].tobytes()


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


@pytest.mark.parametrize("codec", [Blosc(), LZ4(), Zstd(), Zlib(), GZip()], ids=repr)
def test_parameters_do_not_change(codec: Any) -> None:
    """Arrays with the same metadata share them."""
    name = codec._parameters()[0]
    before = getattr(codec, name)
    with pytest.raises(AttributeError, match="make another codec"):
        setattr(codec, name, before)
    assert pickle.loads(pickle.dumps(codec)) == codec == copy.deepcopy(codec)
