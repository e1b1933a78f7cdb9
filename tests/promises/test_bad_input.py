"""Bad input gets a clear error, on both paths, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.codecs import LZ4, Blosc, GZip, Zlib, Zstd
from zchunk.engine import execute
from zchunk.errors import (
    BoundsCheckError,
    ChunkError,
    CodecError,
    InvalidKeyError,
    MetadataError,
    StoreError,
    ZchunkError,
)

pytestmark = pytest.mark.usefixtures("path")

COMPRESSORS = [
    None,
    Blosc(),
    Blosc("zstd", 3),
    Blosc("zlib", 3),
    Blosc("lz4", 0),
    LZ4(),
    Zstd(1),
    Zlib(1),
    GZip(1),
]
NBYTES = 20 * 30 * 8


def make(folder: Path, compressor: Any) -> tuple[zchunk.Array, Path]:
    z = zchunk.zeros((40, 30), chunks=(20, 30), compressor=compressor, store=folder, path="temperature/sea")
    z[...] = np.arange(40 * 30).reshape(40, 30)
    return z, folder / "temperature" / "sea" / "1.0"


def check_error(z: zchunk.Array, codec: Any, found: int | None) -> None:
    """Every way of reading the chunk says which it is; nothing else of the array is lost."""
    name = "no compressor" if codec is None else type(codec).__name__
    stored = os.stat(os.path.join(z.store.path, z.path, "1.0")).st_size
    for read in (lambda: z[...], lambda: z[25], lambda: z[25, 3], lambda: z[::-3, 5]):
        with pytest.raises(ChunkError) as caught:
            read()
        message = str(caught.value)
        assert "'/temperature/sea'" in message
        assert "'temperature/sea/1.0'" in message
        assert name in message
        assert f"{stored} bytes stored, {NBYTES} expected" in message
        if found is not None:
            assert str(found) in message
    assert z[:20].sum() == sum(range(600))


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
def test_truncated(compressor: Any, tmp_path: Path) -> None:
    z, chunk = make(tmp_path, compressor)
    raw = chunk.read_bytes()
    for size in sorted({1, 3, 4, 15, 16, 17, 20, len(raw) // 2, len(raw) - 1}):
        chunk.write_bytes(raw[:size])
        check_error(z, compressor, None)
    # A write of part of the chunk would lose the rest of it: refused, and the file stays.
    with pytest.raises(ChunkError):
        z[25] = 1
    assert chunk.read_bytes() == raw[: len(raw) - 1]
    z[20:] = 7
    assert (z[20:] == 7).all()


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
def test_empty_file(compressor: Any, tmp_path: Path) -> None:
    z, chunk = make(tmp_path, compressor)
    chunk.write_bytes(b"")
    check_error(z, compressor, None)


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
@pytest.mark.parametrize("nbytes", [NBYTES - 8, NBYTES + 8, 8, 60_000])
def test_chunk_of_another_size(compressor: Any, nbytes: int, tmp_path: Path) -> None:
    """A valid chunk of another array: the sizes are told."""
    z, chunk = make(tmp_path, compressor)
    other = zchunk.array(np.arange(nbytes // 8), chunks=False, compressor=compressor, store={})
    chunk.write_bytes(other.store["0"])
    check_error(z, compressor, None if isinstance(compressor, Zlib | GZip) else nbytes)


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
def test_foreign_files(compressor: Any, tmp_path: Path) -> None:
    z, chunk = make(tmp_path, compressor)
    for raw in (
        b"\0" * 100,
        b"\xff" * 100,
        b"PK\3\4" + bytes(60),
        b'{"zarr_format": 2}',
        random.Random(0).randbytes(500),
    ):
        chunk.write_bytes(raw)
        check_error(z, compressor, None)


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
def test_huge_files_take_no_memory(compressor: Any, tmp_path: Path) -> None:
    """A sparse file of a terabyte is refused by its size."""
    if not execute.native_enabled:
        pytest.skip("the generic path reads what the store gives")
    z, chunk = make(tmp_path, compressor)
    with chunk.open("r+b") as file:
        file.truncate(1 << 40)
    check_error(z, compressor, None)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
def test_flipped_bits_and_random_bytes_never_crash(compressor: Any, tmp_path: Path) -> None:
    z, chunk = make(tmp_path, compressor)
    raw = chunk.read_bytes()
    rng = random.Random(repr(compressor))
    for n in range(300):
        bad = bytearray(raw)
        # The first bytes are the headers, where a flip does most.
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(min(64, len(bad)) if n % 2 else len(bad))
            bad[at] ^= 1 << rng.randrange(8)
        chunk.write_bytes(bad)
        for read in (lambda: z[...], lambda: z[25], lambda: z[30, ::7]):
            try:
                read()
            except ChunkError as error:
                if "temperature/sea/1.0" not in str(error):
                    raise


def test_chunk_that_cannot_be_opened(tmp_path: Path) -> None:
    z, chunk = make(tmp_path, Blosc())
    chunk.unlink()
    chunk.symlink_to(chunk)
    with pytest.raises(OSError, match=r"1\.0"):
        z[...]
    with pytest.raises(OSError, match=r"1\.0"):
        z[25] = 1


# ---- metadata

GOOD = {
    "zarr_format": 2, "shape": [4, 6], "chunks": [2, 3], "dtype": "<f8", "compressor": None, "fill_value": 0,
    "order": "C", "filters": None,
}  # fmt: skip
_BLOSC = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
WRONG: dict[str, list[Any]] = {
    "shape": [None, 4, "4", [4], [-1, 6], [4.0, 6], [4, "6"], [True, 6], [2**63, 6], [4, 6, 1], {}],
    "chunks": [None, 2, [2], [0, 3], [-2, 3], [2.0, 3], [2**63, 3], ["2", 3], [False, 3], [2**40, 2**40]],
    "dtype": [
        None, 8, "", "f8", "<f7", "float64", "|O", "<M8", "<M8[x]", [["a"]], [["a", "<f7"]], {},
    ],
    "compressor": [
        3, "blosc", [], {}, {"id": 3}, {"id": "nope"}, _BLOSC | {"cname": "x"}, _BLOSC | {"clevel": 10},
        _BLOSC | {"shuffle": 7}, _BLOSC | {"blocksize": -1}, _BLOSC | {"x": 1},
    ],
    "filters": [3, {}, [3], [{"id": "nope"}], "delta"],
    "fill_value": ["x", [], {}, [1, 2], "nanx"],
    "order": [None, "K", "c", 1, []],
    "zarr_format": [None, 1, 3, "2", 2.5, True],
    "dimension_separator": [":", 1, ""],
}  # fmt: skip
BAD = [
    *({member: value} for member, values in WRONG.items() for value in values),
    {"chunks": [2**31, 1], "compressor": _BLOSC},
    {"shape": [1] * 65, "chunks": [1] * 65},
]


@pytest.mark.parametrize("change", BAD, ids=lambda c: json.dumps(c)[:60])
def test_metadata_that_no_array_has(change: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".zarray").write_text(json.dumps({**GOOD, **change}))
    for call in (zchunk.open, zchunk.open_array, zchunk.load):
        with pytest.raises(ValueError, match=r"a/\.zarray") as caught:
            call(tmp_path, path="a")
        assert isinstance(caught.value, MetadataError | CodecError)
    assert zchunk.open(tmp_path / "..", "a", path=f"{tmp_path.name}/b") is not None


@pytest.mark.parametrize("member", GOOD)
def test_metadata_that_lack_a_member(member: str, tmp_path: Path) -> None:
    (tmp_path / ".zarray").write_text(json.dumps({k: v for k, v in GOOD.items() if k != member}))
    with pytest.raises(MetadataError, match=f"lacks {member}"):
        zchunk.open(tmp_path)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"null", b"[]", b"3", b"\xff\xfe", b"\0" * 99, b"[" * 100_000, b'{"a": 1}'],
    ids=lambda r: repr(r[:9]),
)
def test_metadata_that_are_no_object(raw: bytes, tmp_path: Path) -> None:
    for name in (".zarray", ".zgroup"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(raw)
        for mode in ("r", "r+", "a"):
            with pytest.raises(MetadataError, match=name):
                zchunk.open(folder, mode)  # type: ignore[arg-type]
        assert (folder / name).read_bytes() == raw
    z = zchunk.zeros(3, store=tmp_path / "z")
    (tmp_path / "z" / ".zattrs").write_bytes(raw)
    if raw != b'{"a": 1}':
        with pytest.raises(MetadataError, match="zattrs"):
            z.attrs.asdict()
        with pytest.raises(MetadataError):
            z.attrs["x"] = 1
        assert (tmp_path / "z" / ".zattrs").read_bytes() == raw


def test_unknown_members_are_ignored(tmp_path: Path) -> None:
    (tmp_path / ".zarray").write_text(json.dumps({**GOOD, "more": {"x": 1}}))
    assert zchunk.open(tmp_path).shape == (4, 6)


# ---- keys and paths


@pytest.mark.parametrize("path", ["..", "../x", "a/..", "a/../../x", ".", "a/./b", "a\0b", b"a\0b"])
def test_paths_that_escape(path: Any, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for call in (
        lambda: zchunk.open(root, path=path), lambda: zchunk.create(3, store=root, path=path),
        lambda: zchunk.group(root, path=path), lambda: zchunk.save(root, np.arange(3), path=path),
        lambda: zchunk.load(root, path=path), lambda: zchunk.open(root, "r", path=path),
    ):  # fmt: skip
        with pytest.raises(InvalidKeyError):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["", "..", "../x", "/x", "a//b", "a/", "a\0", "a/../b", "./a", "a\\b"])
def test_keys_that_escape(key: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for store in (zchunk.DirectoryStore(root), zchunk.MemoryStore()):
        for call in (
            lambda store=store: store[key], lambda store=store: store.__setitem__(key, b""),
            lambda store=store: store.__delitem__(key),
        ):  # fmt: skip
            with pytest.raises(InvalidKeyError):
                call()
        assert key not in store
    assert list(tmp_path.iterdir()) == []


# ---- selections and values


def test_selection_and_value_errors_write_nothing(tmp_path: Path) -> None:
    z = zchunk.ones((4, 6), chunks=2, dtype="i4", store=tmp_path)
    for selection, value, error in (
        (4, 0, BoundsCheckError), ((0, -7), 0, IndexError), ((0, 0, 0), 0, IndexError), ("a", 0, IndexError),
        ([0, 1.5], 0, IndexError), (..., np.zeros((4, 5)), ValueError), (0, np.zeros(5), ValueError),
        (..., "x", ValueError), (..., 2**40, OverflowError), (..., [[1, 2], [3]], ValueError),
        (..., object(), TypeError),
        (slice(None, None, 0), 0, IndexError),
    ):  # fmt: skip
        with pytest.raises(error):
            z[selection] = value
        if error in (IndexError, BoundsCheckError):
            with pytest.raises(ZchunkError):
                z[selection]
    assert [p.name for p in tmp_path.iterdir()] == [".zarray"]


# ---- writes that fail

DISK_FULL = """
import resource, signal, sys, numpy as np, zchunk
z = zchunk.open_array(sys.argv[1], "r+")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    z[...] = np.random.default_rng(0).random(z.shape)
except OSError as error:
    print("OSError", error.errno, error.filename)
"""


@pytest.mark.parametrize("durability", ["atomic", "fsync"])
@pytest.mark.parametrize("compressor", [None, Blosc()], ids=repr)
def test_failing_write_keeps_the_old_chunk(compressor: Any, durability: str, tmp_path: Path) -> None:
    pytest.importorskip("resource")
    z = zchunk.zeros((100, 100), chunks=(50, 100), compressor=compressor, store=tmp_path)
    z[...] = 3
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    code = DISK_FULL.replace("sys.argv[1]", f"zchunk.DirectoryStore(sys.argv[1], durability={durability!r})")
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert result.stdout.startswith("OSError 27"), result.stderr
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        zchunk.zeros(3, store=tmp_path / "file")
    with pytest.raises(OSError, match="file"):
        zchunk.group(tmp_path).create("file/a", shape=3)
    with pytest.raises(OSError):
        zchunk.zeros(3, store=tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "x"


def test_block_table_that_makes_every_block_the_rest_of_the_file(tmp_path: Path) -> None:
    """A sparse file with little in it must not make a few rows cost the whole of it, again and again."""
    z = zchunk.open(tmp_path, mode="w", shape=(2048, 4096), chunks=(2048, 4096), dtype="i8")
    z[...] = np.arange(4096)
    chunk = tmp_path / "0.0"
    raw = bytearray(chunk.read_bytes())
    nblocks = 2048 * 4096 * 8 // int.from_bytes(raw[8:12], "little")
    assert nblocks >= 64
    limit = 2048 * 4096 * 8 + 16
    start = len(raw)
    for block in range(nblocks):
        raw[16 + 4 * block : 20 + 4 * block] = start.to_bytes(4, "little")
    raw[12:16] = limit.to_bytes(4, "little")
    chunk.write_bytes(raw)
    with chunk.open("r+b") as file:
        file.truncate(limit)
    with pytest.raises(ChunkError):
        z[7]


def test_stream_longer_than_what_it_decodes_to(tmp_path: Path) -> None:
    z, chunk = make(tmp_path, Blosc("zstd", 3))
    raw = bytearray(chunk.read_bytes())
    assert int.from_bytes(raw[8:12], "little") == NBYTES, "one block, one stream"
    raw[20:24] = (NBYTES + 1).to_bytes(4, "little")
    raw += bytes(2 * NBYTES)
    raw[12:16] = len(raw).to_bytes(4, "little")
    chunk.write_bytes(raw)
    check_error(z, Blosc("zstd", 3), NBYTES + 1)


@pytest.mark.parametrize("durability", ["none", "atomic", "fsync"])
def test_what_else_may_stand_in_a_chunks_place(durability: Any, tmp_path: Path) -> None:
    """A FIFO holds nobody up, and folders give way to what is written, on either path."""
    store = zchunk.DirectoryStore(tmp_path, durability=durability)
    z = zchunk.zeros((4, 4), chunks=(2, 4), store=store, overwrite=True, write_empty_chunks=False)
    (tmp_path / "0.0").mkdir()
    os.mkfifo(tmp_path / "1.0")
    assert (z[...] == 0).all()
    z[:2] = 5
    assert (z[:2] == 5).all()
    if durability == "none":
        with pytest.raises(OSError, match=r"1\.0"):
            z[2:] = 1
        os.unlink(tmp_path / "1.0")
    z[2:] = 6
    assert (z[2:] == 6).all()
    os.unlink(tmp_path / "1.0")
    (tmp_path / "1.0").mkdir()
    (tmp_path / "1.0" / "file").touch()
    # To erase the chunk is not to erase the folder.
    z[2:] = 0
    assert (tmp_path / "1.0" / "file").exists()
    z[2:] = 1
    assert (z[2:] == 1).all()
    assert (tmp_path / "1.0").is_file()


def test_file_in_the_place_of_an_inner_folder(tmp_path: Path) -> None:
    z = zchunk.zeros((4, 4), chunks=2, store=tmp_path, dimension_separator="/")
    (tmp_path / "1").write_bytes(b"")
    assert (z[...] == 0).all()
    with pytest.raises(StoreError, match="a file stands where"):
        z[...] = 1


def test_chunk_name_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    z = zchunk.zeros((10**11,) * 20, chunks=1, dtype="u1", store=tmp_path)
    last = (-1,) * 20
    z[last] = 9
    assert z[last] == 9
    assert [len(p.name) for p in tmp_path.iterdir() if p.name[0] != "."] == [20 * 11 + 19]
