"""Shards against NumPy: natively and generically, in every store, damaged, shared between threads, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests.engine.test_execute import executor
from zchunk.codecs import Blosc, GZip, Zstd
from zchunk.codecs.crc32c import Crc32c
from zchunk.codecs.shard_index import EMPTY
from zchunk.engine import native
from zchunk.engine.shard import Shard
from zchunk.errors import ChunkError
from zchunk.storage import KVStore, MemoryStore, ZipStore

CODECS: list[Any] = [
    [],
    [Blosc()],
    [Zstd(1)],
    [Crc32c()],
    [Blosc("zstd", 1), Crc32c()],
    [GZip(1), Crc32c()],
]


def sharded(
    shape: Any, shards: Any, chunks: Any, dtype: Any = "i4", store: Any = None, **kwargs: Any
) -> zchunk.Array:
    kwargs = {"compressors": [Blosc()], "zarr_format": 3} | kwargs
    return zchunk.create(shape, chunks=chunks, shards=shards, dtype=dtype, store=store, **kwargs)


BYTES = {"name": "bytes", "configuration": {"endian": "little"}}


def by_serializer(
    shards: tuple[int, ...],
    chunks: tuple[int, ...],
    codecs: list[Any],
    location: str,
    index_codecs: list[Any],
) -> dict[str, Any]:
    """The codec of shards as the metadata have it."""
    configuration = {
        "chunk_shape": chunks,
        "codecs": codecs,
        "index_codecs": index_codecs,
        "index_location": location,
    }
    return {"name": "sharding_indexed", "configuration": configuration}


def index_of(path: Path, n: int) -> np.ndarray:
    """The entries of a shard whose index, with a checksum, is at its end."""
    return np.frombuffer(path.read_bytes()[-16 * n - 4 : -4], "<u8").reshape(n, 2)


# ---- against NumPy


@st.composite
def arrays(draw: Any) -> tuple[Any, ...]:
    ndim = draw(st.integers(0, 3))
    chunks = tuple(draw(st.integers(1, 4)) for _ in range(ndim))
    shards = tuple(c * draw(st.integers(1, 3)) for c in chunks)
    shape = tuple(draw(st.integers(0, 15)) for _ in range(ndim))
    return shape, shards, chunks


def basic(draw: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    entries: list[Any] = []
    for n in shape:
        if n and draw(st.booleans()):
            entries.append(draw(st.integers(-n, n - 1)))
        else:
            start, stop = draw(st.integers(0, n)), draw(st.integers(0, n))
            entries.append(slice(start, stop, draw(st.sampled_from([1, 2, 3]))))
    return tuple(entries)


@pytest.mark.parametrize("name", ["native", "generic"])
@given(data=st.data())
def test_reads_and_writes_as_numpy(name: str, data: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    draw = data.draw
    shape, shards, chunks = draw(arrays())
    dtype = np.dtype(draw(st.sampled_from(["|u1", "<i4", ">f8", "<c8", "<M8[s]"])))
    store = draw(st.sampled_from([lambda: tmp_path_factory.mktemp("z"), lambda: None, lambda: {}]))()
    z = sharded(
        shape,
        shards,
        chunks,
        dtype,
        store,
        compressors=draw(st.sampled_from(CODECS)),
        order=draw(st.sampled_from("CF")),
        write_empty_chunks=draw(st.booleans()),
        fill_value=draw(st.sampled_from([0, 1])),
    )
    want = np.full(shape, z.fill_value, dtype)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    with executor(name):
        for _ in range(3):
            selection = basic(draw, shape)
            value = rng.integers(0, 3, want[selection].shape).astype(dtype)
            z[selection] = want[selection] = value
            np.testing.assert_array_equal(z[...], want)
        selection = basic(draw, shape)
        np.testing.assert_array_equal(z[selection], want[selection])
        if want.size and shape:
            picks = tuple(rng.integers(0, n, 3) for n in shape)
            np.testing.assert_array_equal(z.oindex[picks], want[np.ix_(*picks)])
            np.testing.assert_array_equal(z.vindex[picks], want[picks])
            z.oindex[picks] = 2
            want[np.ix_(*picks)] = np.array(2).astype(dtype)
            z.vindex[picks] = 1
            want[picks] = np.array(1).astype(dtype)
            np.testing.assert_array_equal(z[...], want)
    if store is not None:
        np.testing.assert_array_equal(zchunk.open(store, mode="r")[...], want)


def test_both_executors_write_the_same_chunks(tmp_path: Path) -> None:
    items = np.arange(600, dtype="i4").reshape(20, 30)
    found = {}
    for name in ("native", "generic"):
        with executor(name):
            z = sharded((20, 30), (10, 15), (5, 5), store=tmp_path / name)
            z[...] = items
            z[3:17, 4:29] = -items[3:17, 4:29]
        paths = sorted((tmp_path / name / "c").rglob("*"))
        found[name] = {p.relative_to(tmp_path / name): chunk_bytes(p, 6) for p in paths if p.is_file()}
    assert len(found["native"]) == 4
    assert found["native"] == found["generic"]


def chunk_bytes(path: Path, n: int) -> list[bytes | None]:
    raw = path.read_bytes()
    return [
        None if offset == EMPTY else raw[int(offset) : int(offset + nbytes)]
        for offset, nbytes in index_of(path, n)
    ]


@pytest.mark.parametrize("name", ["native", "generic"])
@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("index_codecs", [[BYTES], [BYTES, {"name": "crc32c"}]], ids=len)
def test_places_and_codecs_of_the_index(tmp_path: Path, location: str, index_codecs: Any, name: str) -> None:
    serializer = by_serializer((4, 6), (2, 3), [BYTES], location, index_codecs)
    how: Any = {"serializer": serializer, "compressors": None, "zarr_format": 3}
    z = zchunk.create((7, 7), chunks=(4, 6), dtype="i4", store=tmp_path, **how)
    want = np.arange(49, dtype="i4").reshape(7, 7)
    assert z.shards == (4, 6)
    assert z.chunks == (2, 3)
    with executor(name):
        z[:5] = want[:5]
        z[5:] = want[5:]
        np.testing.assert_array_equal(zchunk.open(tmp_path)[...], want)
    nbytes = 4 * 16 + 4 * (len(index_codecs) - 1)
    raw = (tmp_path / "c/0/0").read_bytes()
    assert len(raw) == nbytes + 4 * 24
    first = np.frombuffer(raw[:16] if location == "start" else raw[-nbytes:][:16], "<u8")
    assert first.tolist() == [nbytes if location == "start" else 0, 24]


def test_what_is_not_written_stays_as_it_is(tmp_path: Path) -> None:
    """Inner chunks that a write does not touch are neither decoded nor encoded."""
    z = sharded((8, 8), (8, 8), (4, 4), store=tmp_path)
    z[...] = 5
    path = tmp_path / "c/0/0"
    before = chunk_bytes(path, 4)
    z[4:, 4:] = 6
    after = chunk_bytes(path, 4)
    assert after[:3] == before[:3]
    assert after[3] != before[3]


def test_chunks_of_fill_values_are_not_stored(tmp_path: Path) -> None:
    z = sharded((8, 8), (8, 8), (4, 4), store=tmp_path, write_empty_chunks=False)
    z[:4, :4] = 3
    path = tmp_path / "c/0/0"
    assert (index_of(path, 4)[:, 0] == EMPTY).tolist() == [False, True, True, True]
    z[...] = 0
    assert not path.exists()
    assert (z[...] == 0).all()


def test_chunks_beyond_the_edge_are_not_stored(tmp_path: Path) -> None:
    z = sharded((5, 5), (8, 8), (4, 4), store=tmp_path)
    z[...] = 1
    assert (index_of(tmp_path / "c/0/0", 4)[:, 0] != EMPTY).all()
    z = sharded((3, 5), (8, 8), (4, 4), store=tmp_path, overwrite=True)
    z[...] = 1
    assert (index_of(tmp_path / "c/0/0", 4)[:, 0] == EMPTY).tolist() == [False, False, True, True]


def test_a_checkpoint_has_as_many_files_as_shards(tmp_path: Path) -> None:
    run = zchunk.open_group(tmp_path, mode="w", zarr_format=3)
    field = np.random.default_rng(1).random((16, 16))
    for n in range(64):
        run.create(f"f{n}", shape=(16, 16), chunks=(4, 4), shards=(8, 16), dtype="f8")[...] = field
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "zarr.json"]
    assert len(files) == 64 * 2


# ---- only what is needed is read


class Counting(dict):  # type: ignore[type-arg]
    """A mapping that can give ranges, and says how many bytes it gave."""

    given = 0

    def get_range(self, key: str, start: int, stop: int | None) -> bytes:
        found: bytes = self[key][start:stop]
        type(self).given += len(found)
        return found

    def size(self, key: str) -> int:
        return len(self[key])


@pytest.mark.parametrize("name", ["native", "generic"])
def test_a_store_gives_the_index_and_the_chunks_that_are_wanted(name: str) -> None:
    store = Counting()
    z = sharded((64, 64), (64, 64), (8, 8), "f8", store, compressors=None)
    z[...] = np.arange(4096.0).reshape(64, 64)
    Counting.given = 0
    with executor(name):
        np.testing.assert_array_equal(z[8:16, 8:16], np.arange(4096.0).reshape(64, 64)[8:16, 8:16])
    # The index again at the end: it is what it was.
    assert Counting.given == 2 * (64 * 16 + 4) + 512


@pytest.mark.parametrize("name", ["native", "generic"])
@pytest.mark.parametrize("nested", [False, True], ids=["plain", "nested"])
@pytest.mark.parametrize("kind", ["folder", "ranged", "mapping", "memory", "zip"])
def test_arrays_below_the_root(tmp_path: Path, kind: str, nested: bool, name: str) -> None:
    """The path of the array is none of a chunk's key in a shard, however that is read."""
    store = {"folder": tmp_path, "ranged": Counting(), "mapping": {}, "memory": MemoryStore()}.get(kind)
    if kind == "zip":
        store = ZipStore(tmp_path / "z.zip")
    how: dict[str, Any] = {"chunks": (2, 4), "shards": (8, 8)}
    if nested:
        inner = by_serializer((4, 4), (2, 2), [BYTES], "end", [BYTES])
        how = {"chunks": (8, 8), "serializer": by_serializer((8, 8), (4, 4), [inner], "start", [BYTES])}
    z = zchunk.create((12, 12), dtype="i4", store=store, path="a/b", zarr_format=3, compressors=None, **how)
    want = np.arange(144, dtype="i4").reshape(12, 12)
    with executor(name):
        z[...] = want
        z[3:9, 2] = want[3:9, 2] = 5
        np.testing.assert_array_equal(z[...], want)
        np.testing.assert_array_equal(z[7:9, 1:11:3], want[7:9, 1:11:3])
        picks = np.ix_([1, 9, 9], [2, 11])
        np.testing.assert_array_equal(z.oindex[[1, 9, 9], [2, 11]], want[picks])
        z.oindex[[1, 9], [2, 11]] = want[np.ix_([1, 9], [2, 11])] = -1
        np.testing.assert_array_equal(z[...], want)


def test_index_is_read_again_when_the_file_is_another(tmp_path: Path) -> None:
    z = sharded((8,), (8,), (2,), store=tmp_path, compressors=None)
    z[...] = np.arange(8)
    path = tmp_path / "c/0"
    os.utime(path, ns=(10**18, 10**18))
    time.sleep(0.1)
    # Old enough for the index to be kept.
    assert z[:].tolist() == list(range(8))
    assert z[:].tolist() == list(range(8))
    assert z._current.indexes
    other = zchunk.open(tmp_path, mode="r+")
    other[:2] = 7
    assert z[:].tolist() == [7, 7, 2, 3, 4, 5, 6, 7]
    path.unlink()
    assert z[:].tolist() == [0] * 8


# ---- damage

N = 4


def spoilt(tmp_path: Path, change: Any, codecs: Any = None) -> Any:
    """An array of one shard of `N` chunks, whose bytes `change` has changed, with a right checksum."""
    z = sharded((8,), (8,), (2,), "i4", tmp_path, compressors=codecs)
    z[...] = np.arange(8)
    path = tmp_path / "c/0"
    raw = bytearray(path.read_bytes())
    entries = np.frombuffer(bytes(raw[-16 * N - 4 : -4]), "<u8").reshape(N, 2).copy()
    change(raw, entries)
    tail = entries.tobytes()
    path.write_bytes(bytes(raw[: -16 * N - 4]) + Crc32c().encode(tail))
    return zchunk.open(tmp_path, mode="r+")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ((1000, 8), "not within"),
        ((0, 1000), "not within"),
        ((2**64 - 9, 16), "not within"),
        ((2**63, 8), "not within"),
        ((EMPTY, 8), "only one"),
        ((0, EMPTY), "only one"),
        ((0, 7), "7 bytes"),
        ((0, 9), "9 bytes"),
        ((0, 0), "0 bytes"),
    ],
)
@pytest.mark.parametrize("name", ["native", "generic"])
def test_wrong_entries(tmp_path: Path, entry: tuple[int, int], reason: str, name: str) -> None:
    def change(raw: bytearray, entries: np.ndarray) -> None:
        entries[1] = entry

    z = spoilt(tmp_path, change)
    with executor(name):
        with pytest.raises(ChunkError, match=reason) as caught:
            z[...]
        assert "c/0" in str(caught.value)
        # What is beside it is neither lost nor hidden by a write that fails.
        with pytest.raises(ChunkError):
            z[2] = 5
    assert np.frombuffer((tmp_path / "c/0").read_bytes()[:8], "<i4").tolist() == [0, 1]


@pytest.mark.parametrize(
    ("kept", "reason"), [(3, "its index alone has 68 bytes"), (-10, "its index is wrong")]
)
def test_a_shard_that_is_cut_short_says_what_to_do(tmp_path: Path, kept: int, reason: str) -> None:
    z = spoilt(tmp_path, lambda raw, entries: None)
    path = tmp_path / "c" / "0"
    path.write_bytes(path.read_bytes()[:kept])
    words = rf"shard 'c/0' of array '/' in .* not written to its end: {reason}.*zchunk\.repair set it aside"
    with pytest.raises(ChunkError, match=words):
        z[...]


def test_chunks_may_overlap_and_come_in_any_order(tmp_path: Path) -> None:
    def change(raw: bytearray, entries: np.ndarray) -> None:
        entries[...] = [[24, 8], [4, 8], [0, 8], [0, 8]]

    z = spoilt(tmp_path, change)
    assert z[...].tolist() == [6, 7, 1, 2, 0, 1, 0, 1]
    z[0] = 9
    assert z[...].tolist() == [9, 7, 1, 2, 0, 1, 0, 1]


@pytest.mark.parametrize("name", ["native", "generic"])
def test_chunks_that_are_the_whole_shard_are_not_multiplied(tmp_path: Path, name: str) -> None:
    """A write of one chunk would copy all others."""

    def change(raw: bytearray, entries: np.ndarray) -> None:
        entries[...] = [0, len(raw)]

    z = spoilt(tmp_path, change, [Blosc()])
    size = (tmp_path / "c/0").stat().st_size
    with executor(name), pytest.raises(ChunkError, match="overlap"):
        z[0:2] = 5
    assert (tmp_path / "c/0").stat().st_size == size


@pytest.mark.parametrize("size", [0, 1, 16 * N + 3])
def test_a_file_that_is_too_short(tmp_path: Path, size: int) -> None:
    z = spoilt(tmp_path, lambda raw, entries: None)
    path = tmp_path / "c/0"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ChunkError, match="index"):
        z[0]


def test_a_wrong_checksum_of_the_index(tmp_path: Path) -> None:
    z = spoilt(tmp_path, lambda raw, entries: None)
    path = tmp_path / "c/0"
    raw = bytearray(path.read_bytes())
    raw[-10] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ChunkError, match="checksum"):
        z[0]


@pytest.mark.parametrize("name", ["native", "generic"])
@pytest.mark.parametrize("codecs", [[Crc32c()], [Blosc(), Crc32c()], [Zstd(), Crc32c()]], ids=str)
def test_a_wrong_checksum_of_a_chunk_names_shard_and_chunk(tmp_path: Path, codecs: Any, name: str) -> None:
    def change(raw: bytearray, entries: np.ndarray) -> None:
        raw[int(entries[1][0])] ^= 1

    z = spoilt(tmp_path, change, codecs)
    with executor(name):
        with pytest.raises(ChunkError, match=r"'1' of array .* in shard 'c/0' .*0x"):
            z[...]
        with pytest.raises(ChunkError):
            z[2] = 3
        # The others can be read, and written.
        assert z[:2].tolist() == [0, 1]
        z[2:4] = [8, 9]
        assert z[...].tolist() == [0, 1, 8, 9, 4, 5, 6, 7]


BLOSC = {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0, "typesize": 2}


@pytest.mark.parametrize(
    "codecs",
    [
        [],
        [{"name": "blosc", "configuration": BLOSC}],
        [{"name": "zstd", "configuration": {"level": 1, "checksum": False}}],
        [{"name": "blosc", "configuration": BLOSC}, {"name": "crc32c"}],
    ],
    ids=len,
)
@pytest.mark.parametrize("location", ["start", "end"])
def test_mutated_shards_raise_or_decode(tmp_path: Path, codecs: Any, location: str) -> None:
    """No checksum keeps the index from being believed."""
    items = np.arange(900, dtype="u2").reshape(30, 30)
    serializer = by_serializer((30, 30), (5, 10), [BYTES, *codecs], location, [BYTES])
    z = zchunk.create(
        (30, 30),
        chunks=(30, 30),
        dtype="u2",
        store=tmp_path,
        zarr_format=3,
        serializer=serializer,
        compressors=None,
    )
    z[...] = items
    path = tmp_path / "c/0/0"
    good = path.read_bytes()
    rng = np.random.default_rng(5)
    for _ in range(300):
        raw = bytearray(good)
        for _ in range(rng.integers(1, 4)):
            raw[rng.integers(len(raw))] = rng.integers(256)
        if rng.random() < 0.2:
            del raw[rng.integers(len(raw)) :]
        path.write_bytes(raw)
        for name in ("native", "generic"):
            with executor(name):
                try:
                    assert z[3:28:2, 1:29].shape == (13, 28)
                except ChunkError:
                    pass


@pytest.mark.parametrize("shards", [(160, 1000), None], ids=["shard", "files"])
def test_chunks_that_lie_as_they_are_wanted(tmp_path: Path, shards: Any) -> None:
    """Read to where they are wanted, with checksums, which find every wrong bit; or in parts."""
    items = np.arange(160000, dtype="i4").reshape(160, 1000)
    z = zchunk.create_array(
        tmp_path, shape=items.shape, dtype="i4", chunks=(40, 1000), shards=shards, zarr_format=3,
        compressors=[{"name": "crc32c"}],
    )  # fmt: skip
    z[...] = items
    wide = np.zeros((160, 1002), "i4")
    for out in np.zeros_like(items), np.zeros_like(items, order="F"), wide[:, 1:-1]:
        z.get_basic_selection(..., out=out)
        np.testing.assert_array_equal(out, items)
    for selection in np.s_[40:120], np.s_[39:121], np.s_[80:120, 1:], np.s_[::-1], ([80, 3],):
        np.testing.assert_array_equal(z.oindex[selection], items[selection])
    np.testing.assert_array_equal(z[40:80], items[40:80])
    path = tmp_path / ("c/1/0" if shards is None else "c/0/0")
    good, start = path.read_bytes(), 0 if shards is None else 160004
    for at in 0, 65535, 65536, 159999, 160000, 160003:
        raw = bytearray(good)
        raw[start + at] ^= 16
        path.write_bytes(raw)
        with pytest.raises(ChunkError, match="checksum"):
            z[...]
        np.testing.assert_array_equal(z[80:], items[80:])
    if shards is None:
        for size in 0, 4, 160003:
            path.write_bytes(good[:size])
            with pytest.raises(ChunkError):
                z[40:80]
    path.write_bytes(good)
    np.testing.assert_array_equal(z[...], items)


# ---- threads and processes


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("compressor", [None, zchunk.Blosc("lz4")], ids=["raw", "lz4"])
def test_shards_are_the_same_whoever_writes_them(tmp_path: Path, threads: int, compressor: Any) -> None:
    # Batches of one shard by several threads, and shards by one thread each.
    data = np.arange(8 * 600 * 600, dtype="i4").reshape(8, 600, 600) % 10007
    try:
        for name, shard in ("one", 8), ("many", 1):
            zchunk.set_threads(threads)
            made = zchunk.create(
                data.shape, chunks=(1, 100, 300), shards=(shard, 600, 600), dtype="i4", zarr_format=3,
                compressors=compressor, store=str(tmp_path / name),
            )  # fmt: skip
            made[...] = data
            np.testing.assert_array_equal(made[...], data)
            files = [path for path in (tmp_path / name / "c").rglob("*") if path.is_file()]
            assert len(files) == 8 // shard
    finally:
        zchunk.set_threads(None)


def test_threads_that_write_parts_of_one_shard_lose_nothing(tmp_path: Path) -> None:
    for store in (tmp_path, MemoryStore(), KVStore({})):
        z = sharded((32, 32), (32, 32), (8, 8), store=store)
        want = np.arange(1, 1025, dtype="i4").reshape(32, 32)

        def work(n: int, z: Any = z, want: np.ndarray = want) -> None:
            for row in range(n, 32, 4):
                z[row] = want[row]

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        np.testing.assert_array_equal(z[...], want)


def test_readers_see_a_shard_before_or_after(tmp_path: Path) -> None:
    z = sharded((64, 64), (64, 64), (8, 8), "i8", tmp_path)
    z[...] = 0
    stop = threading.Event()

    def write() -> None:
        n = 1
        while not stop.is_set():
            z[...] = n
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            found = z[...]
            assert (found == found[0, 0]).all()
    finally:
        stop.set()
        writer.join(60)


KILLED = """
import sys, numpy as np, zchunk
z = zchunk.open(sys.argv[1], mode="r+")
print("ready", flush=True)
n = 1
while True:
    z[...] = n
    n += 1
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_writer_leaves_old_or_new(tmp_path: Path) -> None:
    z = sharded((256, 256), (128, 256), (16, 16), "i8", tmp_path)
    z[...] = 0
    for delay in (0.001, 0.005, 0.02, 0.05):
        child = subprocess.Popen([sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(delay)
        child.kill()
        child.wait()
        child.stdout.close()
        for half in (z[:128], z[128:]):
            assert (half == half[0, 0]).all()
    z[...] = 5
    assert (z[...] == 5).all()
    left = [p.name for p in tmp_path.rglob("*.partial")]
    assert len(left) <= 8
    assert z.nchunks_initialized


def test_a_failure_while_encoding_leaves_the_old_shard(tmp_path: Path, monkeypatch: Any) -> None:
    z = sharded((8,), (8,), (2,), store=tmp_path)
    z[...] = 1
    before = (tmp_path / "c/0").read_bytes()

    def fail(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(native, "_drain", fail)
    with pytest.raises(KeyboardInterrupt):
        z[...] = 2
    monkeypatch.undo()
    assert (tmp_path / "c/0").read_bytes() == before
    assert os.listdir(tmp_path / "c") == ["0"]


def test_a_shard_in_place_is_whole_until_all_is_encoded(tmp_path: Path) -> None:
    store = zchunk.DirectoryStore(tmp_path, durability="none")
    z = sharded((8,), (8,), (2,), store=store, compressors=[Crc32c()])
    z[...] = np.arange(8)
    path = tmp_path / "c/0"
    raw = bytearray(path.read_bytes())
    raw[0] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ChunkError):
        z[0] = 5
    assert path.read_bytes() == raw
    z[:2] = 7
    assert z[...].tolist() == [7, 7, *range(2, 8)]


def test_a_folder_where_a_shard_shall_be(tmp_path: Path) -> None:
    """What becomes of it is the store's business, as for any key."""
    z = sharded((8,), (8,), (2,), store=tmp_path)
    (tmp_path / "c/0").mkdir(parents=True)
    (tmp_path / "c/0/1").write_bytes(b"x")
    assert z[...].tolist() == [0] * 8
    z[...] = 4
    assert (tmp_path / "c/0").is_file()
    assert z[...].tolist() == [4] * 8


# ---- the store that a shard is


def test_a_shard_is_a_store(tmp_path: Path) -> None:
    z = sharded((4, 6), (4, 6), (2, 3), store=tmp_path)
    z[:2, :3] = 1
    array = z._current
    with Shard(array, (0, 0)) as shard:
        assert list(shard) == ["0.0"]
        assert len(shard) == 1
        assert "0.1" not in shard
        assert shard.size("0.0") == len(shard["0.0"])
        assert shard.get_range("0.0", 2, 5) == shard["0.0"][2:5]
        with pytest.raises(KeyError):
            shard["1.1"]
        shard["1.1"] = b"abc"
        del shard["0.0"]
        assert dict(shard) == {"1.1": b"abc"}
        shard.save()
    assert chunk_bytes(tmp_path / "c/0/0", 4) == [None, None, None, b"abc"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc")
def test_a_shard_that_nobody_closes_closes_its_file(tmp_path: Path) -> None:
    z = sharded((4, 4), (4, 4), (2, 2), store=tmp_path)
    z[...] = 1
    before = len(os.listdir("/proc/self/fd"))
    shards = [Shard(z._chunked, (0, 0)) for _ in range(3)]
    assert len(os.listdir("/proc/self/fd")) == before + 3
    shards.clear()
    assert len(os.listdir("/proc/self/fd")) == before
