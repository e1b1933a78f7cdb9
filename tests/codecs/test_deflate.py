"""zlib and gzip, beside the standard library: streams, members and sizes."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest

from zchunk._ext.codecs import dispatch
from zchunk.codecs import Codec, GZip, Zlib


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


@pytest.mark.one_in(3)
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


@pytest.mark.one_in(3)
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
