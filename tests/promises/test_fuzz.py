"""Chunks that lie: mutated frames either raise the right error or decode, never crash or allocate at will.

ZCHUNK_FUZZ_CASES says how many (`make fuzz` runs a million under AddressSanitizer), ZCHUNK_FUZZ_SEED which.
Some run in a child process with input and output next to pages that must not be touched, since the libraries
that do the decoding are not instrumented. The child is this file: ``python tests/promises/test_fuzz.py SEED
CASES``.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import random
import resource
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import zchunk
from zchunk._ext.codecs import dispatch
from zchunk._ext.codecs.crc32c import checksum
from zchunk.codecs import LZ4, Blosc, GZip, Zlib, Zstd
from zchunk.codecs.crc32c import Crc32c
from zchunk.errors import ChunkError
from zchunk.indexing import oindex

CASES = int(os.environ.get("ZCHUNK_FUZZ_CASES", "20000"))
SEED = int(os.environ.get("ZCHUNK_FUZZ_SEED", "0"))
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
EXTREMES = (0, 1, 2, 3, 4, 7, 15, 16, 17, 127, 128, 255, 256, 4095, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
CNAMES = ("lz4", "lz4hc", "zstd", "zlib", "blosclz")


class Frame(NamedTuple):
    """A valid chunk: the codec's spec, the bytes, and what they decode to."""

    name: str
    spec: tuple[int, ...]
    data: bytes
    nbytes: int
    blosc: bool


def samples(dtype: str, n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    wave = np.sin(np.linspace(0, 9, n)) * 100 + rng.normal(0, 0.5, n)
    return [np.round(wave, 1).astype(dtype), np.full(n, 3, dtype), rng.integers(0, 255, n).astype(dtype)]


def corpus() -> list[Frame]:
    """Frames of every native codec, of a few hundred bytes to 20 KB decoded."""
    frames = []
    for dtype, n in (("u1", 300), ("<i2", 5000), ("<f4", 777), ("<f8", 2500)):
        for data in samples(dtype, n):
            codecs = [LZ4(), Zstd(), Zstd(checksum=True), Zlib(6), GZip(1)]
            codecs += [
                Blosc(cname, 5, shuffle, blocksize)
                for cname in CNAMES
                for shuffle in (0, 1, 2)
                for blocksize in (0, 4096)
            ]
            for codec in codecs:
                frames.append(
                    Frame(
                        repr(codec),
                        codec.spec(data.itemsize),
                        codec.encode(data),
                        data.nbytes,
                        isinstance(codec, Blosc),
                    )
                )
    return frames


def put(data: bytearray, at: int, value: int) -> None:
    """Write a little-endian 32-bit number, as much of it as there is room for."""
    data[at : at + 4] = struct.pack("<I", value & 0xFFFFFFFF)[: max(0, len(data) - at)]


def mutate(rng: random.Random, data: bytes, others: list[bytes], blosc: bool) -> bytes:
    """Return `data` with one to three kinds of damage."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        n = len(out)
        kind = rng.randrange(9)
        if kind == 0 and n:  # bits
            for _ in range(rng.choice((1, 1, 2, 8))):
                out[rng.randrange(n)] ^= 1 << rng.randrange(8)
        elif kind == 1:  # truncation
            del out[rng.randrange(n + 1) :]
        elif kind == 2:  # extension
            out += rng.randbytes(rng.choice((1, 4, 100)))
        elif kind == 3 and n >= 4:  # a number in the header
            near = rng.choice((n, n - 1, n + 1, n - 16, n // 2))
            at = rng.choice((4, 8, 12)) if blosc and rng.random() < 0.6 else rng.randrange(min(n - 3, 20))
            put(out, at, rng.choice((*EXTREMES, near)))
        elif kind == 4 and n > 24 and blosc:  # a block's place, or the length of its first stream
            blocksize = struct.unpack_from("<I", out, 8)[0] or 1
            nblocks = min(-(-struct.unpack_from("<I", out, 4)[0] // blocksize), (n - 16) // 4) or 1
            entry = 16 + 4 * rng.randrange(nblocks)
            if rng.random() < 0.5:
                entry = struct.unpack_from("<I", out, entry)[0]
            if entry < n:
                put(out, entry, rng.choice((*EXTREMES, rng.randrange(n + 9), n - 4, n - 3)))
        elif kind == 5:  # the beginning of one frame, the end of another
            other = rng.choice(others)
            out[rng.randrange(n + 1) :] = other[rng.randrange(len(other) + 1) :]
        elif kind == 6:  # nonsense after the header
            keep = min(n, rng.choice((0, 2, 4, 16, 20, 24)))
            out[keep:] = rng.randbytes(n - keep)
        elif kind == 7 and n:  # a stretch of one value
            at = rng.randrange(n)
            stop = min(n, at + rng.choice((1, 4, 30, 300)))
            out[at:stop] = bytes([rng.choice((0, 1, 31, 32, 127, 128, 255))]) * (stop - at)
        elif kind == 8 and n:  # bytes moved
            at, size = rng.randrange(n), rng.choice((1, 3, 20))
            out[at : at + size], out[0:0] = b"", out[at : at + size] if rng.random() < 0.2 else b""
    if blosc and len(out) >= 16 and rng.random() < 0.7:
        put(out, 12, len(out))  # or the header alone refuses most
    return bytes(out)


def check_decode(spec: tuple[int, ...], data: bytes, nbytes: int) -> bool:
    """Decode; return whether that was possible."""
    try:
        assert len(dispatch.decode(spec, data, nbytes)) == nbytes
    except RuntimeError:
        return False
    return True


def test_corpus_is_valid() -> None:
    for frame in corpus():
        assert check_decode(frame.spec, frame.data, frame.nbytes), frame.name


def test_mutated_frames() -> None:
    rng = random.Random(SEED)
    frames = corpus()
    others = [frame.data for frame in frames]
    decoded = 0
    for _ in range(CASES * 6 // 10):
        frame = rng.choice(frames)
        decoded += check_decode(frame.spec, mutate(rng, frame.data, others, frame.blosc), frame.nbytes)
    # Were all refused by a first check, or all let through, this test would show little.
    assert 0.005 < decoded / (CASES * 6 // 10) < 0.6


def test_random_bytes_and_wrong_sizes() -> None:
    rng = random.Random(SEED)
    frames = corpus()
    for _ in range(min(CASES // 20, 20_000)):
        frame = rng.choice(frames)
        check_decode(frame.spec, rng.randbytes(rng.choice((0, 1, 3, 15, 16, 17, 40, 400))), frame.nbytes)
        nbytes = rng.choice((0, 1, frame.nbytes - 1, frame.nbytes + 1, frame.nbytes // 2, 2 * frame.nbytes))
        assert not check_decode(frame.spec, frame.data, nbytes), (frame.name, nbytes)


def test_next_to_forbidden_pages() -> None:
    command = [sys.executable, __file__, str(SEED), str(CASES * 3 // 10)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"{command} ended with {done.returncode} at {last}: {done.stderr[-2000:]}"
    assert last == ["done"]


# ---- whole arrays: large files are read lazily, partial selections by block

SHAPE = (90, 33, 40)
SELECTIONS = (
    (Ellipsis,),
    (3,),
    (slice(None), 7),
    (slice(None), slice(None), 39),
    (45, 16, 20),
    (slice(40, 44), slice(3, 5)),
    (slice(None, None, 7), slice(2, 30, 9), slice(1, None, 13)),
    (slice(89, None), slice(None, None, -1)),
)
# By axis: in order, in disorder and repeated along a slow axis, so that reading goes back; masks and slices.
_ROW = np.arange(0, 90, 4)
PICKS = (
    (_ROW, np.arange(1, 33, 5), np.arange(0, 40, 3)),
    (np.array([80, 3, 3, 3, 41]), np.array([32, 0, 0, 9]), np.array([39, 39, 1])),
    (slice(5, 70, 3), np.array([7, 7]), slice(None)),
    (np.arange(90) % 3 == 0, 12, np.arange(40) > 30),
)
POINTS = (
    (np.array([0, 89, 45, 45, 3]), np.array([0, 32, 7, 7, 31]), np.array([0, 39, 20, 20, 8])),
    tuple(np.random.default_rng(8).integers(0, n, 200) for n in SHAPE),
)


def array_codecs() -> list:
    codecs = [Blosc(cname, 5, shuffle) for cname in CNAMES for shuffle in (0, 1, 2)]
    codecs += [Blosc("lz4", 5, 1, 16384), Blosc("zstd", 1, 1, 2048), Blosc("lz4", 1, 1, 1001)]
    return [*codecs, Blosc("lz4", 0), LZ4(), Zstd(), Zlib(1), GZip(1), None]


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[zchunk.Array, Path, bytes, np.ndarray]]:
    """Arrays of one chunk, half of them of more than 128 KiB, with where the chunk is and its bytes."""
    rng = np.random.default_rng(3)
    wave = np.sin(np.arange(np.prod(SHAPE)).reshape(SHAPE) / 999)
    made = []
    for i, codec in enumerate(array_codecs()):
        for noise in (1e-3, 1e3):
            values = (wave + rng.normal(0, noise, SHAPE)).astype("<f4")
            if noise < 1:
                values = np.round(values, 1)
            folder = tmp_path_factory.mktemp(f"array{i}")
            z = zchunk.array(values, chunks=SHAPE, compressor=codec, store=str(folder))
            made.append((z, folder / "0.0.0", (folder / "0.0.0").read_bytes(), values))
    assert sum(len(data) > 131072 for _, _, data, _ in made) >= len(made) // 2
    return made


def reads(z: zchunk.Array, values: np.ndarray) -> Iterator[tuple[Callable[[], object], np.ndarray]]:
    """Yield what reads a selection, and what NumPy selects."""
    for selection in SELECTIONS:
        yield partial(z.__getitem__, selection), values[selection]
    for selection in PICKS:
        yield partial(z.oindex.__getitem__, selection), oindex(values, selection)
    for selection in POINTS:
        yield partial(z.vindex.__getitem__, selection), values[selection]


KINDS = len(SELECTIONS) + len(PICKS) + len(POINTS)


def read_all(z: zchunk.Array, values: np.ndarray) -> int:
    read = 0
    for select, like in reads(z, values):
        try:
            got = select()
        except ChunkError:
            continue
        assert np.shape(got) == like.shape
        read += 1
    return read


def test_arrays_are_right_when_intact(arrays: list[tuple[zchunk.Array, Path, bytes, np.ndarray]]) -> None:
    for z, _, _, values in arrays:
        for select, expected in reads(z, values):
            np.testing.assert_array_equal(select(), expected)


def test_arrays_with_mutated_chunks(arrays: list[tuple[zchunk.Array, Path, bytes, np.ndarray]]) -> None:
    rng = random.Random(SEED)
    others = [data for _, _, data, _ in arrays[:8]]
    read = 0
    cases = CASES // 10 // KINDS + 1
    for _ in range(cases):
        z, path, data, values = rng.choice(arrays)
        path.write_bytes(mutate(rng, data, others, isinstance(z.compressor, Blosc)))
        read += read_all(z, values)
        path.write_bytes(data)
    assert 0.05 < read / (cases * KINDS) < 0.95


def test_writing_into_a_mutated_chunk(arrays: list[tuple[zchunk.Array, Path, bytes, np.ndarray]]) -> None:
    # Half a chunk cannot be written without the other half: an error, and the file stays as it is.
    z, path, data, _ = arrays[0]
    damaged = data[: len(data) // 2]
    path.write_bytes(damaged)
    with pytest.raises(ChunkError):
        z[:3] = 0
    assert path.read_bytes() == damaged
    z[...] = 1
    assert (z[...] == 1).all()
    path.write_bytes(data)


# ---- shards: an index that lies, inner chunks that do, natively and by ranges

SHARD = (60, 33)
INNER = (10, 11)
_INDEX_CODECS = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]


class Shard(NamedTuple):
    """An array of one shard, where that is, and its bytes."""

    z: zchunk.Array
    path: Path
    data: bytes
    values: np.ndarray
    checked: bool
    at_start: bool


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Shard]:
    values = np.round(np.random.default_rng(3).normal(0, 9, SHARD), 1).astype("<f4")
    values[20:30] = 0
    made = []
    chains: list = [[], [Crc32c()], [Blosc()], [Blosc("zstd", 3)], [Zstd()], [GZip(1)], [Blosc(), Crc32c()]]
    for codecs in chains:
        for location in ("start", "end"):
            for checked in (False, True):
                folder = tmp_path_factory.mktemp("shard")
                how = {"shape": SHARD, "dtype": "<f4", "chunks": INNER, "compressors": codecs}
                how["zarr_format"] = 3
                plain = zchunk.create(store={}, **how)
                configuration = {
                    "chunk_shape": INNER,
                    "codecs": json.loads(plain.store["zarr.json"])["codecs"],
                    "index_codecs": _INDEX_CODECS[: 1 + checked],
                    "index_location": location,
                }
                serializer = {"name": "sharding_indexed", "configuration": configuration}
                z = zchunk.create(
                    store=folder,
                    write_empty_chunks=False,
                    **how | {"chunks": SHARD, "compressors": None, "serializer": serializer},
                )
                z[...] = values
                path = folder / "c" / "0" / "0"
                made.append(Shard(z, path, path.read_bytes(), values, checked, location == "start"))
    return made


def mutate_shard(rng: random.Random, shard: Shard, others: list[bytes]) -> bytes:
    """Damage entries of the index, with a right checksum most times, or what is beside it."""
    n = 16 * (SHARD[0] // INNER[0]) * (SHARD[1] // INNER[1])
    size = n + 4 * shard.checked
    if rng.random() < 0.3:
        return mutate(rng, shard.data, others, False)
    start = 0 if shard.at_start else len(shard.data) - size
    index = bytearray(shard.data[start : start + n])
    rest = bytearray(shard.data[:start] + shard.data[start + size :])
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        near = (len(shard.data), len(rest), size, 440, 444, rng.randrange(len(shard.data)), 2**63, 2**64 - 1)
        value = rng.choice((*EXTREMES, *near, 2**64 - rng.randrange(1, 999)))
        struct.pack_into("<Q", index, 8 * rng.randrange(n // 8), value)
    if rng.random() < 0.5 and rest:
        rest = bytearray(mutate(rng, bytes(rest), others, False))
    tail = checksum(index).to_bytes(4, "little") if shard.checked else b""
    if shard.checked and rng.random() < 0.1:
        tail = rng.randbytes(4)
    return bytes(index + tail + rest if shard.at_start else rest + index + tail)


SHARD_SELECTIONS = ((...,), (slice(5, 55, 3), slice(1, 30)), (25, 7), (slice(None), 32))


def test_mutated_shards(shards: list[Shard]) -> None:
    rng = random.Random(SEED)
    others = [shard.data for shard in shards[:8]]
    for shard in shards:
        assert np.array_equal(shard.z[...], shard.values)
    read = 0
    cases = CASES // 8
    for _ in range(cases):
        shard = rng.choice(shards)
        shard.path.write_bytes(mutate_shard(rng, shard, others))
        for selection in SHARD_SELECTIONS:
            try:
                assert shard.z[selection].shape == shard.values[selection].shape
                read += 1
            except ChunkError as err:
                if "c/0/0" not in str(err):
                    raise
        if rng.random() < 0.2:
            # A part is written or refused, never half of it.
            before = shard.path.read_bytes()
            try:
                shard.z[:7, 3] = 1
            except ChunkError:
                assert shard.path.read_bytes() == before
            else:
                assert (shard.z[:7, 3] == 1).all()
        shard.path.write_bytes(shard.data)
    assert 0.05 < read / (cases * len(SHARD_SELECTIONS)) < 0.95


# ---- the child

PAGE = mmap.PAGESIZE
PROT_NONE = 0
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Guarded:
    """Memory with a forbidden page on either side."""

    def __init__(self, room: int) -> None:
        self.room = -(-room // PAGE) * PAGE
        self.memory = mmap.mmap(-1, self.room + 2 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.low = base + PAGE
        for page in (base, self.low + self.room):
            assert libc.mprotect(page, PAGE, PROT_NONE) == 0

    def place(self, n: int, at_end: bool) -> ctypes.Array:
        return (ctypes.c_char * n).from_address(self.low + (self.room - n if at_end else 0))


def child(seed: int, cases: int) -> None:
    rng = random.Random(seed)
    frames = corpus()
    others = [frame.data for frame in frames]
    source, target = Guarded(1 << 20), Guarded(1 << 16)
    if not SANITIZED:
        # Taking memory for what a frame claims shows as MemoryError.
        limit = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE + (64 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for case in range(cases):
        if case % 500 == 0:
            print("case", case, flush=True)
        frame = rng.choice(frames)
        data = mutate(rng, frame.data, others, frame.blosc) if case >= len(frames) else frames[case].data
        if case < len(frames):
            frame = frames[case]
        stored = source.place(len(data), rng.random() < 0.8)
        ctypes.memmove(stored, data, len(data))
        try:
            dispatch.decode_into(frame.spec, stored, target.place(frame.nbytes, rng.random() < 0.8))
        except RuntimeError as err:
            if case < len(frames):
                raise AssertionError(f"{frame.name} is refused: {err}") from err
    print("done")


if __name__ == "__main__":
    child(int(sys.argv[1]), int(sys.argv[2]))
