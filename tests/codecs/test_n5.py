"""Blocks of N5, with what strangers may put into them."""

from __future__ import annotations

import json
import math
import pickle
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import zchunk
from tests.choice import rounds
from tests.metadata.test_n5 import attributes_with
from tests.storage.test_n5 import CODECS, MAKERS
from zchunk.codecs import GZip, N5ChunkWrapper, get_codec
from zchunk.errors import ChunkError, CodecError
from zchunk.n5 import n5_attrs_key
from zchunk.storage import MemoryStore, N5Store, Store


@pytest.fixture(autouse=True)
def no_files_in_memory() -> Iterator[None]:
    yield
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture(params=MAKERS)
def store(request: Any, tmp_path: Path) -> Store:
    return MAKERS[request.param](tmp_path / "data")


def header(*shape: int, mode: int = 0) -> bytes:
    return struct.pack(f">HH{len(shape)}I", mode, len(shape), *shape)


@pytest.mark.parametrize(
    ("block", "match"),
    [
        (b"", "begins with"),
        (header(2, 2)[:-1], "begins with"),
        (header(2, 2, mode=1) + bytes(8), "mode 1"),
        (header(2) + bytes(20), "1 axes"),
        (header(2, 3) + bytes(6), "larger"),
        (header(2**32 - 1, 2**32 - 1) + bytes(4), "larger"),
        (header(2, 2) + bytes(3), "3 bytes, not 4"),
        (header(2, 2) + bytes(5), "5 bytes, not 4"),
        (header(0, 2) + bytes(1), "1 bytes, not 0"),
    ],
)
def test_blocks_of_strangers(tmp_path: Path, block: bytes, match: str) -> None:
    store = N5Store(tmp_path)
    store[n5_attrs_key] = attributes_with()
    store["0/0"] = block
    with pytest.raises(ChunkError, match=match):
        zchunk.open_array(store, "r")[...]


@pytest.mark.parametrize("codec", [c for c, _ in CODECS if c is not None], ids=str)
def test_bombs(codec: Any) -> None:
    bomb = header(2, 2) + bytes(codec.encode(bytes(10_000_000)))
    with pytest.raises((ValueError, RuntimeError)):
        N5ChunkWrapper("u1", (2, 2), compressor=codec).decode(bomb)


def test_codec_of_a_stranger_in_a_zarr_array() -> None:
    store = MemoryStore()
    zchunk.create(4, chunks=4, dtype="u1", store=store)
    meta = json.loads(store[".zarray"])
    meta["compressor"] = N5ChunkWrapper("u1", (2**62,)).get_config()
    store[".zarray"] = json.dumps(meta).encode()
    store["0"] = header(1) + b"1"
    with pytest.raises(ChunkError, match="or fewer"):
        zchunk.open_array(store, "r")[...]


def test_codec_is_made_of_its_configuration() -> None:
    codec = N5ChunkWrapper(">f4", (2, 3), compressor=GZip(3))
    assert get_codec(codec.get_config()) == codec
    assert N5ChunkWrapper("f4", (2, 3), compressor_config={"id": "raw"}).compressor_config is None
    assert codec != N5ChunkWrapper(">f4", (3, 2), compressor=GZip(3))
    assert hash(codec) == hash(pickle.loads(pickle.dumps(codec)))
    assert "GZip" in repr(codec)
    with pytest.raises(ValueError, match="leave one out"):
        N5ChunkWrapper("f4", (2,), GZip().get_config(), GZip())
    for arguments in (("O", (2,)), ("S3", (2,)), ("f4", (0,)), ("f4", (2.5,))):
        with pytest.raises(CodecError, match="n5_wrapper"):
            N5ChunkWrapper(*arguments)


@settings(max_examples=rounds(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), shape=npst.array_shapes(min_dims=0, max_dims=4, max_side=5))
def test_codec_roundtrips(data: Any, shape: tuple[int, ...]) -> None:
    dtype = data.draw(st.sampled_from(["?", "u1", "<i2", ">i4", "<f8", ">f8", "<M8[s]"]))
    compressor = data.draw(st.sampled_from([None, GZip(), zchunk.Blosc(), numcodecs.BZ2()]))
    codec = N5ChunkWrapper(dtype, shape, compressor=compressor)
    chunk = np.frombuffer(
        data.draw(st.binary(min_size=64, max_size=64)) * 160, "u1", math.prod(shape) * codec.dtype.itemsize
    )
    chunk = (chunk & 1).view(dtype).reshape(shape) if dtype == "?" else chunk.view(dtype).reshape(shape)
    block = codec.encode(chunk)
    assert codec.encode(chunk.tobytes()) == block
    assert codec.decode(block).tobytes() == chunk.tobytes()
    out = np.empty(shape, dtype)
    assert codec.decode(block, out) is out
    assert out.tobytes() == chunk.tobytes()
    # A part of it, as others cut it off at the edges of an array.
    part = tuple(slice(0, data.draw(st.integers(0, n))) for n in shape)
    expected = np.zeros_like(chunk)
    expected[part] = chunk[part]
    block = codec.encode(np.asarray(chunk[part], dtype))
    assert codec.decode(block).tobytes() == expected.tobytes()


@settings(max_examples=rounds(200), deadline=None)
@given(
    raw=st.binary(max_size=60),
    codec=st.sampled_from([None, GZip(), zchunk.Blosc(), zchunk.Zstd(), zchunk.LZ4()]),
)
def test_any_bytes_as_blocks(raw: bytes, codec: Any) -> None:
    wrapper = N5ChunkWrapper("<i4", (3, 2), compressor=codec)
    for block in (raw, header(2, 3) + raw, header(1, 2) + raw):
        try:
            found = wrapper.decode(block)
        except (ValueError, RuntimeError):
            continue
        assert found.shape == (3, 2)


def test_out_that_cannot_be_filled() -> None:
    codec = N5ChunkWrapper("i4", (2, 2))
    block = codec.encode(np.ones((2, 2), "i4"))
    for out in (np.zeros(3, "i4"), np.zeros((2, 4), "i4")[:, ::2]):
        with pytest.raises(ValueError, match="out has"):
            codec.decode(block, out)
    raw = bytearray(16)
    codec.decode(block, raw)
    assert bytes(raw) == np.ones((2, 2), "i4").tobytes()
