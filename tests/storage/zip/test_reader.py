"""Zip archives as they are read: arrays from the file without Python, and archives in other stores."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zchunk
from tests.choice import rounds
from tests.sanitizers import not_sanitized
from tests.store_conformance import in_child
from zchunk.engine import execute
from zchunk.engine import native as executor
from zchunk.errors import ChunkError, ReadOnlyError, StoreError
from zchunk.storage import DirectoryStore, KVStore, MemoryStore, ZipStore
from zchunk.storage.zip.reader import Reader

BLOSC = [zchunk.Blosc(), zchunk.Blosc("zstd", shuffle=2)]
COMPRESSORS = [None, *BLOSC, zchunk.LZ4(), zchunk.Zstd(), zchunk.GZip(1)]
SELECTIONS: list[Any] = [
    ...,
    (5, 7),
    (slice(3, 41), slice(None, None, 3)),
    (slice(40, 20, -2), 11),
    (slice(0, 0), slice(None)),
]
CODECS = {"uncompressed": None, "blosc": zchunk.Blosc(), "zstd": zchunk.Zstd()}


def fill(store: Any, zarr_format: int = 2, **options: Any) -> np.ndarray[Any, Any]:
    """Put an array of 5 x 4 chunks, some missing, at a/z; return what is in it."""
    if zarr_format == 3 and "compressor" in options:
        options["compressors"] = [codec for codec in [options.pop("compressor")] if codec is not None]
    options = {"chunks": (10, 10), "dtype": "i4", "fill_value": 7, "zarr_format": zarr_format, **options}
    z = zchunk.create((47, 33), store=store, path="a/z", **options)
    z[:20] = np.arange(20 * 33).reshape(20, 33)
    z[40:, 5:25] = np.arange(7 * 20).reshape(7, 20) + 1000
    return np.asarray(z[...])


def both(monkeypatch: pytest.MonkeyPatch, read: Callable[[], Any]) -> tuple[Any, Any]:
    """What the native executor makes of it, which asks for no value, and what the generic one does."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a value was fetched")

    with monkeypatch.context() as patch:
        patch.setattr(execute, "native_enabled", True)
        patch.setattr(ZipStore, "get_many", refuse)
        patch.setattr(Reader, "read_many", refuse)
        patch.setattr(Reader, "read_ranges", refuse)
        native = read()
    with monkeypatch.context() as patch:
        patch.setattr(execute, "native_enabled", False)
        return native, read()


# ---- arrays in a file


@pytest.mark.parametrize(
    "options",
    [{}, {"order": "F"}, {"dtype": ">f8"}, {"dimension_separator": "/"}, {"zarr_format": 3}],
    ids=str,
)
@pytest.mark.parametrize("compressor", COMPRESSORS, ids=str)
def test_arrays_are_read_from_the_file(
    tmp_path: Path, compressor: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ZipStore(tmp_path / "a.zip", mode="w") as store:
        expected = fill(store, compressor=compressor, **options)
    z = zchunk.open_array(ZipStore(tmp_path / "a.zip", mode="r"), path="a/z", mode="r")
    for selection in SELECTIONS:
        for found in both(monkeypatch, lambda selection=selection: z[selection]):
            np.testing.assert_array_equal(found, expected[selection])
    rows, columns = [0, 46, 19, 19], [32, 5, 0, 31]
    for found in both(monkeypatch, lambda: z.vindex[rows, columns]):
        np.testing.assert_array_equal(found, expected[rows, columns])
    for found in both(monkeypatch, lambda: z.oindex[rows, columns]):
        np.testing.assert_array_equal(found, expected[np.ix_(rows, columns)])
    monkeypatch.setattr(executor, "_PLACES", 3)
    for found in both(monkeypatch, lambda: z[...]):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("where", ["end", "start"])
@pytest.mark.parametrize("chunks", [(5, 5), (2, 10)])
def test_shards_are_read_from_the_file(
    tmp_path: Path, where: str, chunks: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ZipStore(tmp_path / "a.zip", mode="w") as store:
        raw = {"name": "bytes", "configuration": {"endian": "little"}}
        configuration = {
            "chunk_shape": chunks,
            "codecs": [raw, {"name": "zstd", "configuration": {"level": 1, "checksum": False}}],
            "index_codecs": [raw, {"name": "crc32c"}],
            "index_location": where,
        }
        serializer = {"name": "sharding_indexed", "configuration": configuration}
        expected = fill(store, 3, serializer=serializer, compressors=())
    z = zchunk.open_array(ZipStore(tmp_path / "a.zip", mode="r"), path="a/z", mode="r")
    for selection in SELECTIONS:
        for found in both(monkeypatch, lambda selection=selection: z[selection]):
            np.testing.assert_array_equal(found, expected[selection])


def test_a_few_compressed_entries_do_no_harm(tmp_path: Path, path: str) -> None:
    with ZipStore(tmp_path / "a.zip", mode="w") as store:
        expected = fill(store)
    with ZipStore(tmp_path / "a.zip", compression=zipfile.ZIP_DEFLATED) as store:
        z = zchunk.open_array(store, path="a/z", mode="r+")
        z[:10] = expected[:10] = 3
        np.testing.assert_array_equal(z[...], expected)
        np.testing.assert_array_equal(z[20:], expected[20:])


def test_what_was_just_written_is_read(tmp_path: Path, path: str) -> None:
    store = ZipStore(tmp_path / "a.zip", mode="w")
    expected = fill(store)
    z = zchunk.open_array(store, path="a/z", mode="r+")
    for i in range(20):
        z[i, 3:] = expected[i, 3:] = i
        np.testing.assert_array_equal(z[...], expected)
    child = in_child(lambda: z[...].tolist())
    assert child == expected.tolist()
    # More than half of the file is dead: the archive is written anew.
    size = os.path.getsize(store.path)
    store.close()
    assert os.path.getsize(store.path) < size / 2
    with pytest.raises(StoreError, match="closed"):
        z[...]
    np.testing.assert_array_equal(zchunk.open_array(store.path, path="a/z", mode="r")[...], expected)


def test_readers_do_not_mind_that_the_archive_is_closed(tmp_path: Path) -> None:
    store = ZipStore(tmp_path / "a.zip", mode="w")
    z = zchunk.create((64, 1000), chunks=(1, 1000), dtype="i8", store=store, compressor=None)
    for _ in range(3):
        z[:] = 5
    errors: list[BaseException] = []
    started = threading.Event()

    def read() -> None:
        try:
            while True:
                assert (z[:] == 5).all()
                started.set()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert started.wait(30)
    store.close()
    for thread in threads:
        thread.join(30)
    assert [isinstance(e, StoreError) and "is closed" in str(e) for e in errors] == [True] * 3


def test_chunks_that_are_written_while_others_are_read(tmp_path: Path) -> None:
    store = ZipStore(tmp_path / "a.zip", mode="w")
    z = zchunk.create((50, 100), chunks=(1, 100), dtype="i8", store=store, compressor=None)
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            z[n % 50] = n % 50 + 1
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            found = z[:]
            assert ((found == 0) | (found == np.arange(1, 51)[:, None])).all()
    finally:
        stop.set()
        writer.join(30)
    store.close()


def test_a_store_of_ones_own_is_asked_for_values(tmp_path: Path) -> None:
    class Mine(ZipStore):
        def __getitem__(self, key: str) -> bytes:
            return super().__getitem__(key.replace("z/0.0", "z/1.0"))

        def get_many(self, keys: Any) -> dict[str, bytes]:
            return {key: self[key] for key in keys}

    with ZipStore(tmp_path / "a.zip", mode="w") as store:
        expected = fill(store)
    z = zchunk.open_array(Mine(tmp_path / "a.zip", mode="r"), path="a/z", mode="r")
    np.testing.assert_array_equal(z[:10, :10], expected[10:20, :10])


# ---- archives that lie


def chunk_of(path: Path, key: str) -> tuple[int, int]:
    """Where the bytes of an entry begin in the file, and how many there are."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(key)
    raw = path.read_bytes()
    header = raw[info.header_offset :][:30]
    names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return info.header_offset + 30 + names, info.compress_size


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("large", [False, True])
def test_the_crc_of_whole_chunks_is_checked(tmp_path: Path, codec: str, large: bool, path: str) -> None:
    file = tmp_path / "a.zip"
    shape = (2, 200_000 if large else 2000)
    data = np.random.default_rng(0).integers(0, 1000, shape, "u2")
    zchunk.save_array(str(file), data, chunks=(1, shape[1]), compressor=CODECS[codec])
    start, size = chunk_of(file, "0.0")
    raw = bytearray(file.read_bytes())
    # An uncompressed item, or what is last in a frame.
    raw[start + size - 1] ^= 1
    file.write_bytes(raw)
    z = zchunk.open_array(str(file), mode="r")
    np.testing.assert_array_equal(z[1], data[1])
    with pytest.raises((ChunkError, StoreError), match=r"chunk|entry"):
        z[...]
    with pytest.raises((ChunkError, StoreError), match=r"chunk|entry"):
        z[0]
    if large and codec != "zstd" and path == "native":
        # Of a part that is read alone, nothing is known.
        np.testing.assert_array_equal(z[0, :1000], data[0, :1000])
    else:
        with pytest.raises((ChunkError, StoreError), match=r"chunk|entry"):
            z[0, :1000]


def test_places_that_are_not_there(tmp_path: Path, path: str) -> None:
    file = tmp_path / "a.zip"
    zchunk.save_array(str(file), np.arange(1000), chunks=100, compressor=None)
    raw = file.read_bytes()
    central = raw.index(b"PK\1\2", raw.rindex(b"PK\3\4"))
    while raw[central + 46 :][:1] != b"3":
        central = raw.index(b"PK\1\2", central + 4)
    beyond = len(raw).to_bytes(4, "little")
    for at, value in ((20, beyond + beyond), (42, beyond), (42, (7).to_bytes(4, "little")), (8, b"\1\0")):
        file.write_bytes(raw[: central + at] + value + raw[central + at + len(value) :])
        z = zchunk.open_array(str(file), mode="r")
        np.testing.assert_array_equal(z[:300], np.arange(300))
        with pytest.raises((ChunkError, StoreError), match="'3'"):
            z[250:350]


def test_an_archive_that_is_cut_while_it_is_read(tmp_path: Path, path: str) -> None:
    file = tmp_path / "a.zip"
    zchunk.save_array(str(file), np.arange(1000), chunks=100, compressor=None)
    z = zchunk.open_array(str(file), mode="r")
    assert z[999] == 999
    os.truncate(file, 300)
    with pytest.raises((ChunkError, StoreError)):
        z[...]


@settings(max_examples=rounds(200), deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_damage_is_no_wrong_value(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Of a file, and of a value in another store, by both executors."""
    file = tmp_path_factory.mktemp("zip") / "a.zip"
    random = np.random.default_rng(seed)
    data = random.integers(0, 50, 400, "i4")
    codec = CODECS[random.choice(list(CODECS))]
    zchunk.save_array(str(file), data, chunks=100, compressor=codec, fill_value=None)
    raw = bytearray(file.read_bytes())
    places = {chunk_of(file, str(i)) for i in range(4)}
    start, size = list(places)[random.integers(4)]
    low, high = ((start, start + size), (0, len(raw)))[random.integers(2)]
    for position in random.integers(low, high, random.integers(1, 4)):
        raw[position] = random.integers(0, 256)
    file.write_bytes(raw)
    for native in (True, False):
        execute.native_enabled, before = native, execute.native_enabled
        try:
            for make in (lambda: ZipStore(file, mode="r"), lambda: ZipStore.over({"k": bytes(raw)}, "k")):
                try:
                    with make() as store:
                        z = zchunk.open_array(store, mode="r")
                        # Metadata are bytes of the archive, too; entries can lose their names.
                        if set(store) == {".zarray", "0", "1", "2", "3"} and z.shape == (400,):
                            np.testing.assert_array_equal(z[...], data)
                except (StoreError, ChunkError, ValueError):
                    continue
        finally:
            execute.native_enabled = before


# ---- archives in other stores


class Counting(MemoryStore):
    """Remembers what it was asked for."""

    concurrency = 4

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int]] = []

    def __getitem__(self, key: str) -> bytes:
        if key.endswith(".zip"):
            raise AssertionError("all of the archive was asked for")
        return super().__getitem__(key)

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        assert stop is not None
        self.asked.append((start, stop))
        return MemoryStore.__getitem__(self, key)[start:stop]

    def size(self, key: str) -> int:
        return len(MemoryStore.__getitem__(self, key))


def put(store: Any, tmp_path: Path, compression: int = zipfile.ZIP_STORED, **options: Any) -> Any:
    """Put an archive with an array at dir/a.zip."""
    with ZipStore(tmp_path / "a.zip", mode="w", compression=compression) as archive:
        expected = fill(archive, **options)
    store["dir/a.zip"] = (tmp_path / "a.zip").read_bytes()
    return expected


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("options", [{}, {"zarr_format": 3, "shards": (20, 20)}], ids=str)
@pytest.mark.parametrize("other", ["memory", "folder"])
def test_archive_in_another_store(
    tmp_path: Path, other: str, options: dict[str, Any], compression: int, path: str
) -> None:
    below = Counting() if other == "memory" else DirectoryStore(tmp_path / "folder")
    expected = put(below, tmp_path, compression, **options)
    local = ZipStore(tmp_path / "a.zip", mode="r")
    store = ZipStore.over(below, "dir/a.zip")
    assert dict(store) == dict(local)
    assert store.get_many(["none", *local]) == dict(local)
    for key, value in local.items():
        assert store.size(key) == len(value)
        for start, stop in [(0, 0), (3, 20), (5, None), (10**6, None), (3, 10**6)]:
            assert store.get_range(key, start, stop) == value[start:stop]
        parts = [(0, 3), (2, 2), (5, 10**6), (10**6, 10**7)]
        assert store.get_ranges(key, parts) == local.get_ranges(key, parts)
        assert store.get_ranges(key, parts) == [value[start:stop] for start, stop in parts]
        with pytest.raises(ValueError, match="byte range"):
            store.get_ranges(key, [(3, 1)])
    for missing in (store.__getitem__, store.size, lambda key: store.get_ranges(key, [(0, 1)])):
        with pytest.raises(KeyError):
            missing("none")
    z = zchunk.open_array(store, path="a/z", mode="r")
    for selection in SELECTIONS:
        np.testing.assert_array_equal(z[selection], expected[selection])
    assert store.getsize("a/z") == local.getsize("a/z")
    with store.zf as names:
        assert sorted(names.namelist()) == store.keylist()
        assert names.testzip() is None


def test_neighbours_are_fetched_together(tmp_path: Path) -> None:
    below = Counting()
    values = {f"k/{i}": os.urandom(50_000) for i in range(40)}
    with ZipStore(tmp_path / "a.zip", mode="w") as archive:
        archive.set_many(values)
    below["a.zip"] = (tmp_path / "a.zip").read_bytes()
    store = ZipStore.over(below, "a.zip")
    # The end of the archive, in which the directory is.
    assert len(below.asked) == 1
    below.asked.clear()
    some = {f"k/{i}": values[f"k/{i}"] for i in range(10, 20)}
    assert store.get_many(some) == some
    assert len(below.asked) == 1
    assert sum(stop - start for start, stop in below.asked) < 510_000
    below.asked.clear()
    assert store.get_many(values) == values
    assert len(below.asked) == 1
    below.asked.clear()
    assert store.get_many(["k/1", "k/30"]) == {"k/1": values["k/1"], "k/30": values["k/30"]}
    assert len(below.asked) == 2
    below.asked.clear()
    assert store["k/7"] == values["k/7"]
    assert len(below.asked) == 1
    below.asked.clear()
    # Where the value begins is known by now.
    assert store.get_range("k/7", 100, 200) == values["k/7"][100:200]
    assert store.get_ranges("k/7", [(0, 9), (100, 200)]) == [values["k/7"][:9], values["k/7"][100:200]]
    assert sum(stop - start for start, stop in below.asked) == 209
    assert store.concurrency == 4
    assert archive.concurrency == 1


def test_local_headers_that_are_longer_than_the_directory_says(tmp_path: Path) -> None:
    """As some programs align values: what was fetched ends before the value does."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(3):
            info = zipfile.ZipInfo(f"k{i}")
            info.extra = b"\xff\xff\x10\x27" + bytes(10_000)
            archive.writestr(info, bytes([i]) * 1000)
            info.extra = b""
    below = Counting()
    below["a.zip"] = (tmp_path / "a.zip").read_bytes()
    expected = {f"k{i}": bytes([i]) * 1000 for i in range(3)}
    store = ZipStore.over(below, "a.zip")
    assert store._archive.entries["k1"].extra == b""
    assert store.get_many(expected) == dict(store) == expected


def test_large_directories_and_comments(tmp_path: Path) -> None:
    expected = {f"{i}/{'x' * 100}": b"%d" % i for i in range(1000)}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for key, value in expected.items():
            archive.writestr(key, value)
        archive.comment = b"c" * 65535
    below = Counting()
    below["a.zip"] = (tmp_path / "a.zip").read_bytes()
    assert dict(ZipStore.over(below, "a.zip")) == expected


def test_archive_in_another_store_is_read_only(tmp_path: Path) -> None:
    below = DirectoryStore(tmp_path / "folder")
    expected = put(below, tmp_path)
    store = ZipStore.over(below, "dir/a.zip", dimension_separator=".")
    for change in (
        lambda: store.__setitem__("k", b"v"),
        lambda: store.__delitem__("a/z/.zarray"),
        lambda: store.erase_prefix("a"),
        lambda: store.rename("a", "b"),
    ):
        with pytest.raises(ReadOnlyError, match=r"dir/a\.zip"):
            change()
    copy = pickle.loads(pickle.dumps(store))
    assert copy == store
    assert copy._dimension_separator == "."
    assert repr(copy) == repr(store) == f"ZipStore.over({below!r}, 'dir/a.zip')"
    assert store.lock_identity == copy.lock_identity
    assert store != ZipStore(tmp_path / "a.zip", mode="r")
    z = zchunk.open_array(copy, path="a/z", mode="r")
    assert in_child(lambda: z[...].tolist()) == expected.tolist()
    store.flush()
    store.close()
    for use in (lambda: store["k"], lambda: list(store), store.flush, lambda: store.get_many(["k"])):
        with pytest.raises(StoreError, match="closed"):
            use()


def test_what_is_no_archive(tmp_path: Path) -> None:
    below = KVStore({})
    with pytest.raises(FileNotFoundError, match=r"'a\.zip'"):
        ZipStore.over(below, "a.zip")
    for value in (b"", b"not a zip archive", bytes(100_000)):
        below["a.zip"] = value
        with pytest.raises(StoreError, match=r"'a\.zip'.*no zip archive"):
            ZipStore.over(below, "a.zip")
    expected = put(below, tmp_path)
    store = ZipStore.over(below, "dir/a.zip")
    z = zchunk.open_array(store, path="a/z", mode="r")
    np.testing.assert_array_equal(z[...], expected)
    # Chunks are not missing because the archive is.
    del below["dir/a.zip"]
    for read in (
        lambda: z[...],
        lambda: store["a/z/0.0"],
        lambda: store.get_range("a/z/0.0", 0, 9),
        lambda: store.get_ranges("a/z/0.0", [(0, 9)]),
    ):
        with pytest.raises(StoreError, match="deleted") as caught:
            read()
        assert not isinstance(caught.value, KeyError)


# ---- bombs

BOMB = 1 << 31

# What is read, by the key of the bomb in it.
BOMBED = {
    "a/z/0.0": "zchunk.open_array(store, path='a/z', mode='r')[:]",
    "a/z/0.1": "zchunk.open_array(store, path='a/z', mode='r')[0, 12:15]",
    "a/f/0": "zchunk.open_array(store, path='a/f', mode='r')[:]",
    "a/z/4.0": "zchunk.open_array(store, path='a/z', mode='r+')[40, 5] = 1",
    "s/c/0": "zchunk.open_array(store, path='s', mode='r')[:]",
    "s/c/1": "zchunk.open_array(store, path='s', mode='r+')[8] = 1",
    "b/.zattrs": "zchunk.open_group(store, path='b', mode='r').attrs.asdict()",
    "c/.zgroup": "zchunk.open_group(store, path='c', mode='r')",
    "d/.zarray": "zchunk.open_array(store, path='d', mode='r')",
    ".zmetadata": "zchunk.open_consolidated(store)",
    "e/zarr.json": "zchunk.open_group(store, path='e', mode='r')",
    "b/.zgroup": "store['b/.zgroup']",
}
# What passes chunks on as they are stored.
PASSED_ON = [
    "zchunk.open_array(store, path='a/z', mode='r').digest()",
    "zchunk.open_array(store, path='a/f', mode='r').hexdigest()",
    "zchunk.open_array(store, path='s', mode='r').digest()",
    "zchunk.copy(zchunk.open_array(store, path='a/z', mode='r'), zchunk.group(), 'z')",
    "zchunk.copy(zchunk.open_array(store, path='s', mode='r'), zchunk.group(zarr_format=3), 's')",
    "zchunk.copy_store(store, {}, 'a/z')",
    "zchunk.copy_store(store, zchunk.MemoryStore(), 's')",
    "zchunk.copy_store(store, {}, 'b')",
    "zchunk.copy_store(store, {}, includes='notes')",
]
MEASURED = """
import resource, sys, zchunk
from zchunk.errors import StoreError
store = zchunk.ZipStore(sys.argv[2], mode="r")
if sys.argv[1] == "in a cache":
    store = zchunk.LRUStoreCache(store, None)
elif sys.argv[1] == "in another store":
    store = zchunk.ZipStore.over(zchunk.DirectoryStore(sys.argv[3]), "a.zip")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for code in sys.argv[4:]:
    try:
        exec(code)
    except StoreError as error:
        assert str(2**31) in str(error), error
    else:
        raise AssertionError(f"a bomb was read: {code}")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def bomb() -> bytes:
    """2 GiB of text, deflated, of blocks that do not know each other and so are compressed once."""
    packer = zlib.compressobj(9, wbits=-15)
    packer.compress(b" ")
    packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * (1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (BOMB >> 24) + b"\3\0"


@not_sanitized("its own memory counts, too")
@pytest.mark.parametrize("where", ["in a file", "in a cache", "in another store"])
def test_bombs_take_no_memory(tmp_path: Path, where: str) -> None:
    pytest.importorskip("resource")
    path, packed = tmp_path / "a.zip", bomb()
    assert len(packed) < 4 << 20
    with ZipStore(path, mode="w") as store:
        fill(store)
        zchunk.zeros(10, dtype="i4", store=store, path="a/f", filters=[{"id": "delta", "dtype": "i4"}])[:] = 1
        zchunk.group(store, path="b")
        store.erase_many([".zgroup"])
        zchunk.create(16, chunks=2, shards=8, dtype="i4", store=store, path="s", zarr_format=3)[:] = 1
        for key in [*BOMBED, "notes.txt"]:
            store[key] = packed
            info = store._archive.entries[key]
            info.file_size, info.compress_type, info.CRC = BOMB, zipfile.ZIP_DEFLATED, 0
    command = [sys.executable, "-c", MEASURED, where, str(path), str(tmp_path), *BOMBED.values(), *PASSED_ON]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) < 50


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_compresses_well_is_read(tmp_path: Path, method: int) -> None:
    with ZipStore(tmp_path / "a.zip", compression=method) as store:
        group = zchunk.group(store)
        group.attrs["history"] = [0] * 200_000
        group.array("z", np.zeros(1 << 20), chunks=1 << 20, compressor=None, write_empty_chunks=True)
        filters = [{"id": "delta", "dtype": "f8"}]
        group.array("f", np.zeros(1 << 18), chunks=1 << 18, compressor=None, filters=filters)
        group.array("text", ["a" * 1000] * 2_000, dtype=str, compressor=None)
    group = zchunk.open_group(ZipStore(tmp_path / "a.zip", mode="r"), mode="r")
    assert len(group.attrs["history"]) == 200_000
    assert not group["z"][:].any()
    assert not group["f"][:].any()
    assert (group["text"][:] == "a" * 1000).all()
    dest = zchunk.group()
    zchunk.copy_all(group, dest)
    for name in group:
        assert dest[name].hexdigest() == group[name].hexdigest()


def test_large_chunks_that_compress_well_are_passed_on(tmp_path: Path) -> None:
    values = np.zeros(9 << 20)
    with ZipStore(tmp_path / "a.zip", compression=zipfile.ZIP_BZIP2) as store:
        how = {"compressor": None, "write_empty_chunks": True}
        zchunk.array(values, chunks=len(values), store=store, path="z", **how)
    z = zchunk.open_array(ZipStore(tmp_path / "a.zip", mode="r"), path="z", mode="r")
    for dest in ({}, zchunk.MemoryStore()):
        zchunk.copy_store(z.store, dest)
        assert len(dest["z/0"]) == values.nbytes
    dest = zchunk.group()
    zchunk.copy(z, dest)
    assert len(dest.store["z/0"]) == values.nbytes
