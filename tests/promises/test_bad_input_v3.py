"""Bad input of format 3: metadata that no array has, and shards that lie. Clear errors, and little memory."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

import zchunk
from zchunk.codecs import Blosc, GZip, Zstd
from zchunk.codecs.crc32c import Crc32c
from zchunk.errors import ChunkError, CodecError, MetadataError
from zchunk.metadata.v3 import document as v3


def pair(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


LITTLE, CRC = pair("bytes", endian="little"), {"name": "crc32c"}
INDEX = [LITTLE, CRC]


def sharding(inner: Any, codecs: Any = (LITTLE,), index: Any = INDEX, **more: Any) -> dict[str, Any]:
    return pair("sharding_indexed", chunk_shape=inner, codecs=list(codecs), index_codecs=index, **more)


GOOD: dict[str, Any] = {
    "zarr_format": 3, "node_type": "array", "shape": [4, 6], "data_type": "float64", "fill_value": 0.0,
    "chunk_grid": pair("regular", chunk_shape=[4, 6]), "chunk_key_encoding": pair("default", separator="/"),
    "codecs": [LITTLE],
}  # fmt: skip
GRID = pair("regular", chunk_shape=[2**20, 2**20])
DEEP: list[Any] = [LITTLE]
for _ in range(200):
    DEEP = [sharding([4, 6], DEEP)]
BAD: dict[str, dict[str, Any]] = {
    "unknown member": {"mine": {"a": 1}},
    "member that must be understood": {"mine": {"must_understand": True}},
    "member that is no object": {"mine": False},
    "grid": {"chunk_grid": pair("rectangular", chunk_shape=[4, 6])},
    "grid with more": {"chunk_grid": pair("regular", chunk_shape=[4, 6], more=1)},
    "grid of another number of axes": {"chunk_grid": pair("regular", chunk_shape=[4])},
    "grid of no length": {"chunk_grid": pair("regular", chunk_shape=[4, 0])},
    "huge chunks": {"chunk_grid": pair("regular", chunk_shape=[2**62, 2**62])},
    "huge shape": {"shape": [2**64, 6]},
    "many axes": {"shape": [1] * 65, "chunk_grid": pair("regular", chunk_shape=[1] * 65)},
    "keys": {"chunk_key_encoding": pair("hashed")},
    "separator": {"chunk_key_encoding": pair("default", separator="../")},
    "transformers": {"storage_transformers": [pair("indexed")]},
    "transformers of the draft": {"storage_transformers": [{"type": "indexed", "extension": "x"}]},
    "data type": {"data_type": "float8"},
    "data type of objects": {"data_type": "object"},
    "fill value": {"fill_value": "x"},
    "no codecs": {"codecs": []},
    "codec": {"codecs": [LITTLE, "snappy"]},
    "pickle": {"codecs": ["numcodecs.pickle"]},
    "two of arrays to bytes": {"codecs": [LITTLE, LITTLE]},
    "out of order": {"codecs": [CRC, LITTLE]},
    "transpose": {"codecs": [pair("transpose", order=[0, 0]), LITTLE]},
    "transpose of another number of axes": {"codecs": [pair("transpose", order=[0]), LITTLE]},
    "inner chunks that do not divide": {"codecs": [sharding([3, 6])]},
    "inner chunks of another number of axes": {"codecs": [sharding([4])]},
    "inner chunks larger than the shard": {"codecs": [sharding([8, 6])]},
    "inner chunks of no length": {"codecs": [sharding([0, 6])]},
    "inner chunks of negative length": {"codecs": [sharding([-1, 6])]},
    "shard with more": {"codecs": [sharding([2, 6], more=1)]},
    "place of the index": {"codecs": [sharding([2, 6], index_location="middle")]},
    "index of no fixed size": {"codecs": [sharding([2, 6], index=[LITTLE, pair("gzip", level=1)])]},
    "index in Blosc": {"codecs": [sharding([2, 6], index=[LITTLE, pair(
        "blosc", cname="lz4", clevel=1, shuffle="noshuffle", typesize=1, blocksize=0)])]},
    "index that is a shard": {"codecs": [sharding([2, 6], index=[sharding([1, 1, 1])])]},
    "index without codecs": {"codecs": [sharding([2, 6], index=[])]},
    "no codecs in a shard": {"codecs": [sharding([2, 6], [])]},
    "nested shards that do not divide": {"codecs": [sharding([2, 6], [sharding([2, 5])])]},
    "deep shards": {"codecs": DEEP[0:1]},
    "index of 16 TiB": {"chunk_grid": GRID, "codecs": [sharding([1, 1])]},
    "many codecs": {"codecs": [LITTLE, *[CRC] * 1000]},
}  # fmt: skip


def store_of(folder: Path, **changes: Any) -> Path:
    (folder / "a").mkdir()
    (folder / "a" / "zarr.json").write_text(json.dumps({**GOOD, **changes}))
    return folder


@pytest.mark.parametrize("label", BAD)
def test_metadata_that_no_array_has(tmp_path: Path, label: str) -> None:
    store = store_of(tmp_path, **BAD[label])
    for call in (zchunk.open, zchunk.open_array, zchunk.load):
        with pytest.raises((MetadataError, CodecError), match=r"a/zarr\.json"):
            call(store, path="a")


def test_members_that_need_not_be_understood(tmp_path: Path) -> None:
    """They are kept, too, when the array is changed."""
    mine = {"must_understand": False, "name": "mine", "configuration": {"a": [1]}}
    store = store_of(tmp_path, mine=mine)
    z = zchunk.open_array(store, path="a", mode="r+")
    z[...] = 1
    z.attrs["x"] = 2
    z.resize(8, 6)
    assert json.loads((tmp_path / "a" / "zarr.json").read_bytes())["mine"] == mine
    assert (z[:4] == 1).all()


def test_must_understand_of_what_has_a_name() -> None:
    """Not to be understood is no way for a codec or a grid to be passed over: chunks could not be read."""
    for changes in (
        {"codecs": [LITTLE, {"name": "mine", "must_understand": False}]},
        {"chunk_grid": {"name": "mine", "must_understand": False}},
        {"data_type": {"name": "mine", "must_understand": False}},
    ):
        with pytest.raises((MetadataError, CodecError), match="mine"):
            v3.parse_array(json.dumps({**GOOD, **changes}).encode(), "zarr.json")


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"null", b"[]", b"3", b"\xff\xfe", b"\0" * 99, b"[" * 100_000, b'{"a": 1}'],
    ids=lambda r: repr(r[:9]),
)
def test_metadata_that_are_no_object(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "zarr.json").write_bytes(raw)
    for mode in ("r", "r+", "a"):
        with pytest.raises(MetadataError, match=r"zarr\.json"):
            zchunk.open(tmp_path, mode)  # type: ignore[arg-type]
    assert (tmp_path / "zarr.json").read_bytes() == raw


# ---- shards

N = 4
ITEMS = 1 << 16
# What is in a shard that was not written by the codecs of its array.
CHAINS: dict[str, tuple[list[Any], Any]] = {
    "zstd": ([Zstd(1)], lambda raw: numcodecs.Zstd(1).encode(raw)),
    "zstd-crc32c": ([Zstd(1), Crc32c()], lambda raw: Crc32c().encode(numcodecs.Zstd(1).encode(raw))),
    "gzip": ([GZip(1)], lambda raw: numcodecs.GZip(1).encode(raw)),
    "blosc": ([Blosc("zstd", 1)], lambda raw: numcodecs.Blosc("zstd", 9).encode(raw)),
}


def forged(folder: Path, codecs: list[Any], second: bytes) -> zchunk.Array:
    """An array of one shard, whose second inner chunk is `second`."""
    z = zchunk.create(
        N * ITEMS, chunks=ITEMS, shards=N * ITEMS, dtype="u1", store=folder, path="a", zarr_format=3,
        compressors=codecs,
    )  # fmt: skip
    z[...] = 1
    path = folder / "a" / "c" / "0"
    raw = path.read_bytes()
    entries = np.frombuffer(raw[-16 * N - 4 : -4], "<u8").reshape(N, 2).copy()
    parts = [raw[int(o) : int(o + n)] for o, n in entries]
    parts[1] = second
    entries[:, 1] = [len(part) for part in parts]
    entries[1:, 0] = np.cumsum(entries[:-1, 1])
    entries[0, 0] = 0
    path.write_bytes(b"".join(parts) + bytes(Crc32c().encode(entries.tobytes())))
    return zchunk.open_array(folder, path="a", mode="r+")


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("nbytes", [0, 1, ITEMS - 1, ITEMS + 1, 4 * ITEMS])
@pytest.mark.parametrize("label", CHAINS)
def test_inner_chunk_of_another_size(tmp_path: Path, label: str, nbytes: int) -> None:
    codecs, encode = CHAINS[label]
    z = forged(tmp_path, codecs, bytes(encode(b"\1" * nbytes)))
    for read in (lambda: z[...], lambda: z[ITEMS], lambda: z[ITEMS : 2 * ITEMS : 7]):
        with pytest.raises(ChunkError, match=r"'1' of array '/a'.*in shard 'a/c/0'"):
            read()
    with pytest.raises(ChunkError):
        z[ITEMS] = 2
    # The others are none the worse, and the chunk can be replaced.
    assert (z[:ITEMS] == 1).all()
    assert (z[2 * ITEMS :] == 1).all()
    z[ITEMS : 2 * ITEMS] = 1
    assert (z[...] == 1).all()


BOMB = """
import resource, sys, zchunk
from zchunk.engine import execute
from zchunk.errors import ChunkError
execute.native_enabled = sys.argv[2] == "native"
z = zchunk.open_array(sys.argv[1], path="a", mode="r")
z[:1]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for read in (lambda: z[...], lambda: z[65536], lambda: z[65530:65540]):
    try:
        read()
    except ChunkError as error:
        assert "a/c/0" in str(error), error
    else:
        raise AssertionError("a bomb was read")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
BOMB_BYTES = 256 << 20


def deflated(nbytes: int) -> bytes:
    """A gzip stream of zeros, made piece by piece."""
    made = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(made.compress(bytes(1 << 20)) for _ in range(nbytes >> 20)) + made.flush()


@pytest.mark.one_in(2)
@pytest.mark.each_value
@pytest.mark.parametrize("name", ["native", "generic"])
@pytest.mark.parametrize("label", CHAINS)
def test_bombs_in_inner_chunks_take_no_memory(tmp_path: Path, label: str, name: str) -> None:
    """An inner chunk of 64 KiB that would decode to 256 MiB costs a few at most."""
    codecs, encode = CHAINS[label]
    bomb = deflated(BOMB_BYTES) if label == "gzip" else bytes(encode(bytes(BOMB_BYTES)))
    assert len(bomb) < 4 << 20
    forged(tmp_path, codecs, bomb)
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(tmp_path), name], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 24


SPARSE = """
import resource, sys, zchunk
from zchunk.errors import ChunkError, MetadataError
z = zchunk.open_array(sys.argv[1], path="a", mode="r+")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for call in (lambda: z[...], lambda: z[65536], lambda: z[0]):
    try:
        call()
    except ChunkError as error:
        assert "a/c/0" in str(error), error
    else:
        raise AssertionError("nonsense was read")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_sparse_shard_of_a_terabyte(tmp_path: Path) -> None:
    """Its index, at its end, says that no chunk is more than it has to be, or is refused."""
    forged(tmp_path, [], b"\1" * ITEMS)
    path = tmp_path / "a" / "c" / "0"
    entries = np.array([[0, 1 << 39]] * N, "<u8")
    with path.open("r+b") as file:
        file.truncate(1 << 40)
        file.seek(0, 2)
        file.write(bytes(Crc32c().encode(entries.tobytes())))
    done = subprocess.run(
        [sys.executable, "-c", SPARSE, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 24


HUGE = """
import json, resource, sys, zchunk
from zchunk.errors import ZchunkError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
z = zchunk.open_array(sys.argv[1], path="a", mode="r+")
for call in (lambda: z[0, 0], lambda: z.info, lambda: z.nchunks_initialized, lambda: repr(z)):
    try:
        call()
    except (ZchunkError, MemoryError) as error:
        print(type(error).__name__, error, file=sys.stderr)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [2**62, 2**62]},
        {"shape": [2**62, 6], "chunk_grid": pair("regular", chunk_shape=[2**31, 2**20])},
        {"shape": [2**40, 2**40], "chunk_grid": GRID, "codecs": [sharding([2**19, 2**19])]},
        {"shape": [2**40, 2**40], "chunk_grid": GRID, "codecs": [sharding([2**10, 2**10])]},
    ],
    ids=["shape", "chunks", "shards", "index"],
)
def test_huge_arrays_cost_nothing_before_they_are_read(tmp_path: Path, changes: dict[str, Any]) -> None:
    store_of(tmp_path, **changes)
    done = subprocess.run(
        [sys.executable, "-c", HUGE, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 64
