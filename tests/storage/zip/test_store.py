"""What a store is to the library: optional methods, separators, locks."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.store_conformance import StoreConformance, in_child
from zchunk.errors import InvalidKeyError, ReadOnlyError, StoreError
from zchunk.storage import (
    Store,
    ZipStore,
)
from zchunk.storage.zip import archive
from zchunk.storage.zip.archive import Archive


def test_zip_store_never_has_two_entries_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for mode in ("w", "a", "a"):
        with ZipStore(path, mode=mode) as store:  # type: ignore[arg-type]
            for i in range(5):
                store[".zattrs"] = bytes([i]) * 10
                store["0.0"] = bytes([i]) * 1000
                store["gone"] = b"v"
                store.flush()
            del store["gone"]
        with zipfile.ZipFile(path) as theirs:
            assert sorted(theirs.namelist()) == [".zattrs", "0.0"]
            assert theirs.testzip() is None
            assert theirs.read("0.0") == bytes([4]) * 1000
    assert os.listdir(tmp_path) == ["a.zip"]


def test_zip_store_dead_space_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with ZipStore(path) as store:
        store["kept"] = os.urandom(50_000)
        os.chmod(path, 0o640)
        for _ in range(20):
            store["k"] = os.urandom(50_000)
        grown = os.path.getsize(path)
        expected = dict(store)
    assert grown > 1_000_000
    assert os.path.getsize(path) < 250_000
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["a.zip"]
    with zipfile.ZipFile(path) as theirs:
        assert theirs.testzip() is None
    with ZipStore(path, mode="r") as store:
        assert dict(store) == expected


def test_zip_store_failed_compaction_keeps_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zip"
    store = ZipStore(path)
    for i in range(20):
        store["k"] = bytes([i]) * 50_000

    def fail(*args: Any) -> None:
        raise OSError(28, "No space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        store.close()
    assert os.listdir(tmp_path) == ["a.zip"]
    assert dict(ZipStore(path, mode="r")) == {"k": bytes([19]) * 50_000}


def test_zip_store_does_not_touch_what_it_does_not_change(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    ZipStore(path).close()
    assert not path.exists()
    with ZipStore(path) as store:
        store["k"] = b"v"
    before = path.read_bytes()
    with ZipStore(path) as store:
        assert store["k"] == b"v"
        store.flush()
        store.clear()
        store["k"] = b"v"
        del store["k"]
        store["k"] = b"v"
    assert dict(ZipStore(path)) == {"k": b"v"}
    path.write_bytes(before)
    with ZipStore(path) as store:
        store.get("none")
        pickle.dumps(store)
    assert path.read_bytes() == before


def test_zip_store_modes(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with pytest.raises(FileNotFoundError):
        ZipStore(path, mode="r")
    with ZipStore(path, mode="x") as store:
        store["k"] = b"v"
    with pytest.raises(FileExistsError):
        ZipStore(path, mode="x")
    with ZipStore(path, mode="r") as store:
        for operation in (
            lambda: store.__setitem__("k", b"w"),
            lambda: store.__delitem__("k"),
            lambda: store.erase_prefix(),
            lambda: store.clear(),
            lambda: store.rename("k", "l"),
        ):
            with pytest.raises(ReadOnlyError, match="'r'"):
                operation()
        assert store["k"] == b"v"
    for mode in ("w", "x"):
        unused = ZipStore(path if mode == "w" else tmp_path / "new.zip", mode=mode)  # type: ignore[arg-type]
        assert list(unused) == []
        del unused
    # A store that was dropped before anything was written to it leaves what was there.
    assert dict(ZipStore(path, mode="r")) == {"k": b"v"}
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]
    with ZipStore(path, mode="w"):
        pass
    assert dict(ZipStore(path, mode="r")) == {}
    with ZipStore(path, mode="w") as store:
        store["l"] = b"w"
        assert path.stat().st_size > 0
    assert dict(ZipStore(path, mode="r")) == {"l": b"w"}
    with pytest.raises(ValueError, match="mode"):
        ZipStore(path, mode="r+")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="compression"):
        ZipStore(path, compression=5)
    with pytest.raises(ValueError, match=r"mode of a zip store is .*, not 'rw'"):
        ZipStore(path, "rw")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"compression is .*, not 'w'"):
        ZipStore(path, "w", mode="r")


def test_the_mode_may_be_the_second_argument(tmp_path: Path) -> None:
    with ZipStore(tmp_path / "a.zip", "w") as store:
        store["a"] = b"1"
    with ZipStore(tmp_path / "a.zip", "r") as store:
        assert (store.mode, store.compression, store["a"]) == ("r", zipfile.ZIP_STORED, b"1")


def test_zip_store_after_close(tmp_path: Path) -> None:
    store = ZipStore(tmp_path / "a.zip")
    store["k"] = b"v"
    store.close()
    store.close()
    for operation in (
        lambda: store["k"],
        lambda: store.__setitem__("k", b"w"),
        lambda: store.__delitem__("k"),
        lambda: "k" in store,
        lambda: list(store),
        lambda: len(store),
        lambda: store.list_dir(),
        lambda: store.size("k"),
        lambda: store.getsize(),
        lambda: store.get_range("k", 0, 1),
        lambda: store.flush(),
        lambda: store.erase_prefix(),
    ):
        with pytest.raises(StoreError, match="closed"):
            operation()
    with pickle.loads(pickle.dumps(store)) as copy:
        assert copy["k"] == b"v"


def test_zip_store_not_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    script = """
import os, signal, sys
from zchunk.storage import ZipStore
store = ZipStore(sys.argv[1], mode="w")
store["k"] = bytes(100_000)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert path.stat().st_size > 100_000
    for mode in ("r", "a"):
        with pytest.raises(StoreError, match="probably not closed"):
            ZipStore(path, mode=mode)  # type: ignore[arg-type]
    path.write_bytes(b"not a zip file at all")
    with pytest.raises(StoreError, match="no zip archive"):
        ZipStore(path)
    assert path.read_bytes() == b"not a zip file at all"
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="probably not closed"):
        ZipStore(path, mode="r")


def test_zip_store_is_closed_when_collected_or_at_exit(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    store = ZipStore(path)
    store["k"] = b"v"
    del store
    assert dict(ZipStore(path, mode="r")) == {"k": b"v"}
    script = """
import os, sys
from zchunk.storage import ZipStore
store = ZipStore(sys.argv[1])
store["exit"] = b"v"
if os.fork() == 0:
    sys.exit(0)  # runs the exit handlers, which must not write
os.wait()
store["more"] = b"w"
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert dict(ZipStore(path, mode="r")) == {"k": b"v", "exit": b"v", "more": b"w"}


def test_zip_store_in_a_forked_child(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with ZipStore(path) as store:
        store["k"] = b"v" * 1000
        size = path.stat().st_size

        def child() -> list[str]:
            messages = []
            assert store["k"] == b"v" * 1000
            for operation in (
                lambda: store.__setitem__("c", b""),
                lambda: store.__delitem__("k"),
                store.flush,
            ):
                try:
                    operation()
                except StoreError as error:
                    messages.append(str(error))
            store.close()
            return messages

        messages = in_child(child)
        assert len(messages) == 3
        assert all("forked child can only read" in m for m in messages)
        assert path.stat().st_size == size
        store["l"] = b"w"
    assert dict(ZipStore(path, mode="r")) == {"k": b"v" * 1000, "l": b"w"}


def test_zip_store_pickle(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    store = ZipStore(path, mode="w", compression=zipfile.ZIP_DEFLATED, dimension_separator="/")
    store["k"] = b"v"
    copy = pickle.loads(pickle.dumps(store))
    assert (copy.mode, copy.compression, copy.allowZip64) == ("a", zipfile.ZIP_DEFLATED, True)
    assert copy._dimension_separator == "/"
    assert dict(copy) == {"k": b"v"}
    copy["l"] = b"w"
    with pytest.raises(StoreError, match="another writer"):
        store["m"] = b"x"
    copy.close()
    assert store["k"] == b"v"
    reader = ZipStore(path, mode="r")
    assert dict(reader) == {"k": b"v", "l": b"w"}
    assert pickle.loads(pickle.dumps(reader)).mode == "r"


def test_zip_store_replaced_under_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    store = ZipStore(path)
    store["k"] = b"v"
    os.unlink(path)
    with pytest.raises(StoreError, match="another writer"):
        store["l"] = b"w"
    with pytest.raises(StoreError, match="another writer"):
        store.close()


def test_zip_store_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    store = ZipStore(path)
    store["k"] = b"v" * 100
    pwrite, calls = os.pwrite, iter(range(100))

    def fail(fd: int, data: Any, offset: int) -> int:
        if next(calls) == 1:
            raise OSError(28, "No space left")
        return pwrite(fd, data[:9], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        with pytest.raises(OSError, match="No space"):
            store["k"] = b"w" * 100
        assert store["k"] == b"v" * 100
        store["l"] = b"x" * 100
    store.close()
    assert dict(ZipStore(path, mode="r")) == {"k": b"v" * 100, "l": b"x" * 100}


def test_zip_store_without_zip64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_ZIP32_SIZE", 5000)
    with ZipStore(tmp_path / "a.zip", allowZip64=False) as store:
        store["k"] = bytes(1000)
        with pytest.raises(StoreError, match="allowZip64"):
            store["l"] = bytes(5000)
    assert list(ZipStore(tmp_path / "a.zip", mode="r")) == ["k"]


def test_zip_store_many_entries(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with ZipStore(path) as store:
        for i in range(66_000):
            store[f"{i}"] = b""
    with zipfile.ZipFile(path) as theirs:
        assert len(theirs.namelist()) == 66_000
    with ZipStore(path) as store:
        store["k"] = b"v"
    assert len(ZipStore(path, mode="r")) == 66_001


def test_zip_store_keys_that_no_archive_can_hold(tmp_path: Path) -> None:
    with ZipStore(tmp_path / "a.zip") as store:
        with pytest.raises(StoreError, match="65,536"):
            store["x" * 70_000] = b"v"
        with pytest.raises(InvalidKeyError, match="surrogate"):
            store["\ud800"] = b"v"
        store["k"] = b"v"
    assert list(ZipStore(tmp_path / "a.zip", mode="r")) == ["k"]


def test_zip_store_readers_survive_close(tmp_path: Path) -> None:
    store = ZipStore(tmp_path / "a.zip")
    for i in range(50):
        store["k"] = bytes([i]) * 20_000
    errors: list[BaseException] = []
    started = threading.Event()

    def read() -> None:
        try:
            while True:
                value = store["k"]
                started.set()
                assert value == bytes([49]) * 20_000
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    store.close()
    for thread in threads:
        thread.join()
    assert len(errors) == 4
    assert all(isinstance(e, StoreError) and "is closed" in str(e) for e in errors)


def test_archive_by_zarrs_name(tmp_path: Path) -> None:
    with ZipStore(tmp_path / "a.zip") as store:
        store["a/b"] = b"value"
        with store.zf as archive:
            assert archive.namelist() == ["a/b"]
        store["c"] = b"v"
        with store.zf as archive:
            assert archive.read("c") == b"v"
        assert store["a/b"] == b"value"
    with pytest.raises(ValueError, match="closed"):
        store.zf.extractall()
    with ZipStore(tmp_path / "a.zip", mode="r") as store, store.zf as archive:
        assert sorted(archive.namelist()) == ["a/b", "c"]


def test_folders_in_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with ZipStore(path, mode="w") as store:
        store["a/k"] = b"v"
        for _ in range(2):
            store["a/"] = b""
        assert dict(store) == {"a/k": b"v"}
        for key, value in (("a/", b"v"), ("/", b""), ("a//", b""), ("../", b"")):
            with pytest.raises(InvalidKeyError):
                store[key] = value
    with zipfile.ZipFile(path) as file:
        assert sorted(file.namelist()) == ["a/", "a/k"]
        assert [oct(file.getinfo(name).external_attr >> 16) for name in ("a/", "a/k")] == ["0o40775", "0o644"]
        assert file.getinfo("a/").is_dir()
        file.extractall(tmp_path)
    assert (tmp_path / "a/k").read_bytes() == b"v"
    with ZipStore(path) as store:
        assert dict(store) == {"a/k": b"v"}
        store["b"] = b"w"
    assert sorted(zipfile.ZipFile(path).namelist()) == ["a/", "a/k", "b"]


# ---- archives that were not closed


def good_archive(path: Path, comment: bytes = b"") -> dict[str, bytes]:
    values = {"a": bytes(range(256)) * 9, "b/c": b"value", ".zattrs": b"{}"}
    with ZipStore(path, mode="w") as store:
        store._archive._comment = comment
        for key, value in values.items():
            store[key] = value
    return values


LIMITED = """
import resource, signal, sys
from zchunk.storage import ZipStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = ZipStore(sys.argv[1])
for i in range(int(sys.argv[2])):
    store[f"new/{i}"] = bytes(10)
# As a full disk: no directory fits.
resource.setrlimit(resource.RLIMIT_FSIZE, (store._archive._end + int(sys.argv[3]),) * 2)
try:
    store["large"] = bytes(100_000)
except OSError as error:
    print(error.errno)
try:
    store.close()
except OSError as error:
    print(error.errno)
"""


@pytest.mark.parametrize("room", [0, 10, 500])
def test_a_full_disk_leaves_the_archive_as_it_was(tmp_path: Path, room: int) -> None:
    pytest.importorskip("resource")
    path = tmp_path / "a.zip"
    values = good_archive(path)
    before = path.read_bytes()
    found = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), "50", str(room)], capture_output=True, text=True
    )
    assert found.stdout == "27\n27\n", found.stderr
    assert path.read_bytes() == before
    assert dict(ZipStore(path, mode="r")) == values


def test_a_flush_that_fails_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    values = good_archive(path)
    store = ZipStore(path)
    store["d"] = b"more"
    pwrite = os.pwrite

    def fail(fd: int, data: Any, offset: int) -> int:
        pwrite(fd, data[:9], offset)
        raise OSError(28, "No space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        with pytest.raises(OSError, match="No space"):
            store.flush()
    store.flush()
    assert dict(ZipStore(path, mode="r")) == {**values, "d": b"more"}
    store.close()


def test_closing_while_others_write_keeps_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for _ in range(50):
        store = ZipStore(path, mode="w")
        store["first"] = b"v" * 1000
        ready = threading.Barrier(5)

        def write(key: str, store: ZipStore = store, ready: threading.Barrier = ready) -> None:
            ready.wait()
            try:
                for i in range(20):
                    store[f"{key}/{i}"] = b"w" * 100
            except StoreError:
                # Closed.
                pass

        threads = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
        for thread in threads:
            thread.start()
        ready.wait()
        store.close()
        for thread in threads:
            thread.join()
        assert ZipStore(path, mode="r")["first"] == b"v" * 1000


def test_a_writer_that_waits_for_close_does_not_write(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    store = ZipStore(path, mode="w")
    store["k"] = b"v"
    archive = store._archive
    assert isinstance(archive, Archive)
    errors: list[BaseException] = []

    def write() -> None:
        try:
            store["l"] = b"w"
        except StoreError as error:
            errors.append(error)

    with archive._lock:
        thread = threading.Thread(target=write)
        thread.start()
        # It waits for the lock now, or will.
        thread.join(0.2)
        archive._close()
        size = path.stat().st_size
    thread.join()
    assert len(errors) == 1
    assert path.stat().st_size == size
    assert dict(ZipStore(path, mode="r")) == {"k": b"v"}


@pytest.mark.parametrize("durability", ["atomic", "fsync", "none"])
def test_what_is_synced(tmp_path: Path, durability: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("fsync", "replace", "pwrite"):
        real = getattr(os, name)

        def call(*args: Any, real: Any = real, name: str = name) -> Any:
            if not (calls and calls[-1] == name):
                calls.append(name)
            return real(*args)

        monkeypatch.setattr(os, name, call)
    path = tmp_path / "a.zip"
    with ZipStore(path, mode="w", durability=durability) as store:
        store["k"] = bytes(100_000)
    # Entries, then the directory, then the name in the folder.
    assert calls == (["pwrite", "fsync", "pwrite", "fsync"] if durability == "fsync" else ["pwrite"])
    calls.clear()
    with pickle.loads(pickle.dumps(ZipStore(path, durability=durability))) as store:
        assert store.durability == durability
        store["k"] = b"v"
    # What replaces the archive is on the disk before it does so.
    synced = ["fsync"] if durability == "fsync" else []
    assert calls == ["pwrite", "fsync", "replace", *synced]
    with pytest.raises(ValueError, match="durability"):
        ZipStore(path, durability="always")  # type: ignore[arg-type]


class TestZipStore(StoreConformance):
    folders = False
    child_writes = False
    pickles_share = False

    def make(self, path: Path) -> Store:
        path.parent.mkdir(exist_ok=True)
        return ZipStore(path)


class TestZipStoreDeflated(TestZipStore):
    def make(self, path: Path) -> Store:
        path.parent.mkdir(exist_ok=True)
        return ZipStore(path, compression=zipfile.ZIP_DEFLATED, mode="w")

    @pytest.mark.skip(reason="gives compressed sizes")
    def test_getsize(self, store: Store) -> None: ...
