"""Stores in folders: keys, files, links, erasing."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zchunk
from tests.store_conformance import StoreConformance, in_child
from zchunk._ext.io.files import write_file
from zchunk.errors import InvalidKeyError, KeyBelowValueError, StoreError
from zchunk.runtime import threads
from zchunk.storage import (
    DirectoryStore,
    NestedDirectoryStore,
    Store,
)
from zchunk.storage.local import directory
from zchunk.storage.local import files as local_files

DURABILITIES = ["atomic", "fsync", "none"]


class TestDirectoryStore(StoreConformance):
    def make(self, path: Path) -> Store:
        return DirectoryStore(path)


class TestDirectoryStoreSynced(StoreConformance):
    def make(self, path: Path) -> Store:
        return DirectoryStore(path, durability="fsync")


class TestDirectoryStoreInPlace(StoreConformance):
    atomic = False

    def make(self, path: Path) -> Store:
        return DirectoryStore(path, durability="none")


class TestNestedDirectoryStore(StoreConformance):
    def make(self, path: Path) -> Store:
        return NestedDirectoryStore(path)


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_new_value_leaves_nothing_beside_it(tmp_path: Path, durability: Any) -> None:
    store = DirectoryStore(tmp_path, durability=durability)
    assert store.set_new("a/0", b"first")
    assert not store.set_new("a/0", b"second")
    # A folder holds no value.
    (tmp_path / "a" / "1" / "2").mkdir(parents=True)
    assert store.set_new("a/1", b"in its place")
    assert {key: store[key] for key in store} == {"a/0": b"first", "a/1": b"in its place"}
    assert files(tmp_path) == ["a/0", "a/1"]


def test_a_link_that_leads_nowhere_is_not_vacant(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    store = DirectoryStore(tmp_path)
    assert not store.is_vacant("link")
    assert store.is_vacant("nowhere")
    assert not store.is_vacant("x" * 300)


def test_what_may_be_a_link_is_not_taken_for_a_folder_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        DirectoryStore(tmp_path)._detach("loop/a")


def files(path: Path) -> list[str]:
    return sorted(str(p.relative_to(path)) for p in path.rglob("*") if not p.is_dir())


def test_directory_store_makes_its_folder_at_the_first_write(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    store = DirectoryStore(path)
    assert list(store) == store.list_dir() == []
    assert "k" not in store
    store.erase_prefix()
    assert not os.listdir(tmp_path)
    store["c/k"] = b"v"
    assert (path / "c" / "k").read_bytes() == b"v"
    assert store.path == str(path)
    assert store.dir_path("/c/") == str(path / "c")
    assert store.file_path("c/k") == str(path / "c" / "k")


@pytest.mark.parametrize("durability", DURABILITIES)
def test_directory_store_leaves_only_values(tmp_path: Path, durability: Any) -> None:
    store = DirectoryStore(tmp_path, durability=durability)
    for i in range(20):
        store[f"a/{i % 3}"] = bytes(i)
    assert files(tmp_path) == ["a/0", "a/1", "a/2"]
    mode = os.stat(tmp_path / "a" / "0").st_mode & 0o777
    (tmp_path / "plain").write_bytes(b"")
    assert mode == os.stat(tmp_path / "plain").st_mode & 0o777


def test_directory_store_ignores_unfinished_writes(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store["a/0"] = b"v"
    (tmp_path / "a" / "0.0123456789abcdef.partial").write_bytes(b"half")
    (tmp_path / "folder.partial").mkdir()
    store["folder.partial/k"] = b"a folder may be named so"
    assert sorted(store) == ["a/0", "folder.partial/k"]
    assert store.list_dir("a") == ["0"]
    assert store.getsize("a") == 1
    for operation in (store.__getitem__, store.__contains__, store.__delitem__, store.size):
        with pytest.raises(InvalidKeyError, match="unfinished"):
            operation("a/0.0123456789abcdef.partial")
    with pytest.raises(InvalidKeyError, match="unfinished"):
        store["x.partial"] = b"v"
    with pytest.raises(InvalidKeyError, match="unfinished"):
        store.rename("a/0", "x.partial")
    store.erase_prefix("a")
    assert files(tmp_path) == ["folder.partial/k"]


def test_directory_store_temporary_name(tmp_path: Path, with_calls: Any) -> None:
    code = """
library.record(folder, log)
DirectoryStore(folder / "s")["a/0.0"] = b"v"
"""
    ((partial, final),) = [names for call, *names in with_calls(tmp_path, code) if call == "rename"]
    assert final == "s/a/0.0"
    folder, name = os.path.split(partial)
    assert folder == "s/a"
    digits = name.removeprefix("0.0.").removesuffix(".partial")
    assert name == f"0.0.{digits}.partial"
    assert len(digits) == 24
    assert set(digits) <= set("0123456789abcdef")


def test_directory_store_syncs_many_keys_at_once(tmp_path: Path, with_calls: Any) -> None:
    code = """
import zchunk
store = DirectoryStore(folder / "s")
z = zchunk.create((70, 2), chunks=1, store=store, path="g/u", dimension_separator="/")
z[...] = 1
store["g/v/0"] = b"v"
library.watch(folder, Calls.SYNC)
library.list_to(log)
store.sync(["g/u/3", "g/u/4", "g/u/4/0", "g/v/0", "g/w/0"])
"""
    names = [name for _, name in with_calls(tmp_path, code)]
    assert sorted(names[:5]) == ["s/g/u/3/0", "s/g/u/3/1", "s/g/u/4/0", "s/g/u/4/1", "s/g/v/0"]
    # Every folder once, after those below it; the last has the name of the store's folder.
    folders = names[5:]
    assert sorted(folders[:-2]) == ["s/g", "s/g/u", "s/g/u/3", "s/g/u/4", "s/g/v"]
    assert folders[-2:] == ["s", str(tmp_path)]
    assert folders.index("s/g/u/3") < folders.index("s/g/u") < folders.index("s/g")


def test_directory_store_syncs_all_there_is(tmp_path: Path, with_calls: Any) -> None:
    code = """
store = DirectoryStore(folder / "s")
for number in range(100):
    store[f"a/{number}"] = b"v"
library.watch(folder, Calls.SYNC)
library.list_to(log)
store.sync()
"""
    names = [name for _, name in with_calls(tmp_path, code)]
    assert sorted(names[:100]) == sorted(f"s/a/{number}" for number in range(100))
    assert names[100:] == ["s/a", "s", str(tmp_path)]


def test_a_folder_behind_fsspec_is_synced_too(tmp_path: Path, with_calls: Any) -> None:
    pytest.importorskip("fsspec")
    code = """
import zchunk
store = zchunk.FSStore((folder / "s").as_uri())
store["a/0"] = store["b/0"] = b"v"
library.watch(folder, Calls.SYNC)
library.list_to(log)
store.sync("a")
store.sync(["b/0"])
"""
    names = [name for _, name in with_calls(tmp_path, code)]
    assert [name for name in names if name != str(tmp_path)] == ["s/a/0", "s/a", "s", "s/b/0", "s/b", "s"]


def test_a_new_key_is_tried_again_where_another_process_erases_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, write, asked = DirectoryStore(tmp_path), directory.write_file, []

    def write_later(path: bytes, data: Any, how: int, new: bool = False) -> None:
        asked.append(new)
        if len(asked) == 1:
            raise FileNotFoundError(2, "No such file or directory")
        write(path, data, how, new=new)

    monkeypatch.setattr(directory, "write_file", write_later)
    assert store.set_new("a/0", b"v")
    # Never as one that replaces another's.
    assert asked == [True, True]


def test_directory_store_failed_sync(tmp_path: Path, with_calls: Any) -> None:
    code = """
store = DirectoryStore(folder / "s")
store["a/k"] = b"v"
library.watch(folder)
library.strike(Strike(1, How.FAIL, Calls.SYNC, errno.ENOSPC))
try:
    store.sync("a")
except OSError as error:
    assert error.filename == str(folder / "s/a/k"), error.filename
else:
    raise AssertionError
"""
    with_calls(tmp_path, code)


def test_directory_store_syncs_what_is_gone(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "s")
    store.sync()
    store.sync("a/b")
    assert not (tmp_path / "s").exists()
    with pytest.raises(InvalidKeyError):
        store.sync("../a")


@pytest.mark.parametrize("call", ["WRITE", "CLOSE", "NAME", "SYNC"])
def test_directory_store_failed_write(tmp_path: Path, with_calls: Any, call: str) -> None:
    code = """
store = DirectoryStore(folder / "s", durability="fsync")
store["a/k"] = b"old"
library.watch(folder, Calls[sys.argv[1]])
library.strike(Strike(1, How.FAIL, error=errno.ENOSPC))
try:
    store["a/k"] = b"new"
except OSError as error:
    assert error.strerror == "No space left on device", error
    assert error.filename == str(folder / "s/a/k"), error
else:
    os._exit(1)
"""
    with_calls(tmp_path, code, call)
    assert files(tmp_path / "s") == ["a/k"]
    assert DirectoryStore(tmp_path / "s")["a/k"] == b"old"


def test_directory_store_short_writes(tmp_path: Path, with_calls: Any) -> None:
    code = """
library.watch(folder, Calls.WRITE)
library.strike(Strike(1, How.SHORT, until=10))
DirectoryStore(folder / "s")["k"] = bytes(range(250)) * 40
assert library.end() > 10
"""
    with_calls(tmp_path, code)
    assert DirectoryStore(tmp_path / "s")["k"] == bytes(range(250)) * 40


def test_directory_store_short_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DirectoryStore(tmp_path)
    value = os.urandom(10_000)
    read = os.read
    store["k"] = value
    monkeypatch.setattr(os, "read", lambda fd, n: read(fd, min(n, 777)))
    assert store["k"] == value
    assert store.get_range("k", 100, 5000) == value[100:5000]


def test_directory_store_syncs_file_before_and_folders_after(tmp_path: Path, with_calls: Any) -> None:
    code = """
library.record(folder, log)
DirectoryStore(folder / "s", durability=sys.argv[1])["a/b/k"] = b"v"
"""

    def events(durability: str) -> list[str]:
        noted = with_calls(tmp_path, code, durability)
        return [
            "rename" if what == "rename" else "partial" if path.endswith(".partial") else path
            for what, path, *_ in noted
            if what in ("sync begins", "rename")
        ]

    # What the folders that were made are in, the file before it is renamed, its folder after.
    above = [str(tmp_path), "s", "s/a"]
    assert events("fsync") == [*above, "partial", "rename", "s/a/b"]
    assert events("fsync") == ["partial", "rename", "s/a/b"]
    assert events("atomic") == ["rename"]


def test_directory_store_syncs_a_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), fsync(fd))[1])
    store = DirectoryStore(tmp_path / "s", durability="fsync")
    store.erase_many(["a/missing", "missing/k"])
    store["a/k"] = store["a/l"] = b"v"
    assert synced == []
    store.erase_many(["a/k", "a/l"])
    assert len(synced) == 1


def test_directory_store_erases_many_as_a_subclass_erases_one(tmp_path: Path) -> None:
    erased = []

    class Noting(DirectoryStore):
        def __delitem__(self, key: str) -> None:
            erased.append(key)
            super().__delitem__(key)

    store = Noting(tmp_path)
    store["a"] = b"v"
    store["b/c"] = b"v"
    store.erase_many(["a", "b", "x"])
    assert erased == ["a"]
    assert dict(store) == {"b/c": b"v"}


def test_directory_store_existing_is_what_it_contains(tmp_path: Path) -> None:
    class Derived(DirectoryStore):
        def __contains__(self, key: object) -> bool:
            return key == "x/y"

    store = DirectoryStore(tmp_path / "s")
    keys = ["a/k", "a", "a/k/x", "b", "fifo", "link", "n" * 300, "gone"]
    assert store.existing(keys) == set()
    store["a/k"] = b"v"
    os.mkfifo(tmp_path / "s" / "fifo")
    os.symlink(tmp_path / "s" / "a" / "k", tmp_path / "s" / "link")
    os.symlink("nowhere", tmp_path / "s" / "gone")
    assert store.existing(iter(keys)) == {"a/k", "link"} == {key for key in keys if key in store}
    assert Derived(tmp_path / "s").existing(["a/k", "x/y"]) == {"x/y"}
    os.symlink("loop", tmp_path / "s" / "loop")
    with pytest.raises(OSError, match="symbolic") as caught:
        store.existing(["a/k", "loop"])
    assert caught.value.filename == str(tmp_path / "s" / "loop")


@pytest.mark.parametrize("durability", DURABILITIES)
def test_directory_store_link_that_leads_nowhere(tmp_path: Path, durability: Any) -> None:
    store = DirectoryStore(tmp_path / "s", durability=durability)
    store["x"] = b"v"
    os.symlink("nowhere", tmp_path / "s" / "link")
    for key in ("link/k", "link/b/k"):
        with pytest.raises(KeyBelowValueError, match="a file stands where"):
            store[key] = b"v"
    z = zchunk.create((4, 4), chunks=2, store=store, path="a", dimension_separator="/")
    os.symlink("nowhere", tmp_path / "s" / "a" / "1")
    with pytest.raises(KeyBelowValueError, match="a file stands where"):
        z[...] = 1
    os.unlink(tmp_path / "s" / "a" / "1")
    os.mkdir(tmp_path / "folder")
    os.symlink(tmp_path / "folder", tmp_path / "s" / "a" / "1")
    z[...] = 1
    assert sorted(os.listdir(tmp_path / "folder")) == ["0", "1"]


@pytest.mark.parametrize("way", ["many", "prefix"])
def test_directory_store_deletes_many_files_together(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not pytest's folder, which lets only its owner in.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        store = DirectoryStore(folder)
        keys = [f"a/{i}" for i in range(1000)]

        def erase() -> None:
            if way == "many":
                store.erase_many(keys)
            else:
                store.erase_prefix("a")

        def child() -> None:
            if os.getuid() == 0:
                # Root may delete everything.
                os.setuid(65534)
            assert store["a/999"] == b"v"
            with pytest.raises(PermissionError):
                erase()

        store.set_many(dict.fromkeys([*keys, "b"], b"v"))
        os.chmod(f"{folder}/a", 0o555)
        in_child(child)
        os.chmod(f"{folder}/a", 0o755)
        assert len(store) == 1001
        counts: list[int] = []
        each = threads.each
        with monkeypatch.context() as patch:
            patch.setattr(threads, "each", lambda *args: (counts.append(args[1]), each(*args)))
            erase()
        assert counts[0] > 10
        assert dict(store) == {"b": b"v"}


@pytest.mark.parametrize("durability", DURABILITIES)
def test_directory_store_file_and_folder_clash(tmp_path: Path, durability: Any) -> None:
    store = DirectoryStore(tmp_path / "s", durability=durability)
    store["a/b"] = b"v"
    with pytest.raises(KeyBelowValueError, match="a file stands"):
        store["a/b/c/d"] = b"v"
    assert files(tmp_path) == ["s/a/b"]
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"v")
    (tmp_path / "s" / "a" / "link").symlink_to(outside)
    (tmp_path / "s" / "link").symlink_to(outside)
    store["a"] = b"value"
    store["link"] = b"value"
    assert files(tmp_path) == ["outside/kept", "s/a", "s/link"]
    with pytest.raises(StoreError, match="not a folder"):
        DirectoryStore(tmp_path / "s" / "a")
    store.clear()
    store["a/b"] = b"v"
    assert files(tmp_path) == ["outside/kept", "s/a/b"]
    with pytest.raises(StoreError, match="not a folder"):
        DirectoryStore(tmp_path / "s" / "a" / "b")
    with pytest.raises(ValueError, match="NUL"):
        DirectoryStore("a\0b")
    with pytest.raises(ValueError, match="durability"):
        DirectoryStore(tmp_path, durability="maybe")  # type: ignore[arg-type]


def test_directory_store_other_failures_are_not_missing(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    os.symlink("loop", tmp_path / "loop")
    for operation in (store.__getitem__, store.__contains__, store.size, store.get):
        with pytest.raises(OSError, match="symbolic"):
            operation("loop")
    # By such a name there can be nothing.
    for key in ("x" * 256, "x/" * 5000 + "x"):
        assert key not in store
        assert store.get(key) is None
        assert store.list_dir(key) == []
        with pytest.raises(KeyError):
            store.size(key)
    with pytest.raises(OSError, match="too long"):
        store["x" * 256] = b"v"
    assert files(tmp_path) == ["loop"]


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), OSError(5, "I/O"), OSError(116, "stale")])
def test_directory_store_read_errors_propagate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    store = DirectoryStore(tmp_path)
    store["a/k"] = b"v"

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error

    for name in ("open", "stat", "listing", "unlink"):
        with monkeypatch.context() as patch:
            if name == "open":
                patch.setattr(directory, "Descriptor", fail)
            elif name == "listing":
                patch.setattr(local_files, "Listing", fail)
            else:
                patch.setattr(os, name, fail)
            operations: dict[str, list[Any]] = {
                "open": [lambda: store["a/k"], lambda: store.get_many(["a/k"])],
                "stat": [lambda: "a/k" in store, lambda: store.size("a/k")],
                "listing": [
                    lambda: list(store),
                    lambda: len(store),
                    lambda: store.list_dir("a"),
                    lambda: store.is_empty(),
                ],
                "unlink": [lambda: store.__delitem__("a/k")],
            }
            for operation in operations[name]:
                with pytest.raises(type(error), match=str(error.strerror)):
                    operation()
    assert dict(store) == {"a/k": b"v"}


def test_directory_store_forbidden_folder() -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Not pytest's folder, which lets only its owner in.
        os.chmod(folder, 0o755)
        store = DirectoryStore(folder)
        store["a/b/k"] = b"v"
        os.chmod(f"{folder}/a", 0)

        def child() -> None:
            if os.getuid() == 0:
                # Root may read everything.
                os.setuid(65534)
            assert store.list_dir() == ["a"]
            for operation in (
                lambda: store["a/k"],
                lambda: "a/k" in store,
                lambda: store.list_dir("a"),
                lambda: store.erase_prefix("a/b"),
                lambda: store.erase_prefix("a"),
            ):
                with pytest.raises(PermissionError):
                    operation()

        try:
            in_child(child)
        finally:
            os.chmod(f"{folder}/a", 0o755)
        assert store["a/b/k"] == b"v"


def test_directory_store_odd_files(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "s")
    store["a/k"] = b"v"
    os.mkfifo(tmp_path / "s" / "fifo")
    (tmp_path / "s" / "back\\slash").write_bytes(b"")
    assert "fifo" not in store
    with pytest.raises(KeyError):
        store["fifo"]
    assert list(store) == ["a/k"]


def test_directory_store_follows_links(tmp_path: Path) -> None:
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "real" / "sub" / "k").write_bytes(b"v")
    os.symlink(tmp_path / "real", tmp_path / "link")
    store = DirectoryStore(tmp_path / "link")
    os.symlink(tmp_path / "real" / "sub", tmp_path / "real" / "alias")
    os.symlink(tmp_path / "real", tmp_path / "real" / "sub" / "up")
    assert store["alias/k"] == b"v"
    assert sorted(store) == ["alias/k", "sub/k"]
    store.erase_prefix("alias")
    assert sorted(store) == ["sub/k"]
    store.erase_prefix()
    assert os.path.islink(tmp_path / "link")
    assert os.listdir(tmp_path / "real") == []
    store["k"] = b"v"
    assert (tmp_path / "real" / "k").read_bytes() == b"v"


def test_directory_store_erases_links_but_not_what_they_lead_to(tmp_path: Path) -> None:
    (tmp_path / "outside" / "folder").mkdir(parents=True)
    (tmp_path / "outside" / "file").write_bytes(b"v")
    store = DirectoryStore(tmp_path / "s")
    store["a/b/c/k"] = b"v"
    os.mkfifo(tmp_path / "s" / "a" / "fifo")
    for name in ("folder", "file", "missing"):
        os.symlink(tmp_path / "outside" / name, tmp_path / "s" / "a" / "b" / name)
    os.symlink(tmp_path / "s", tmp_path / "s" / "a" / "up")
    store["k"] = b"v"
    store.erase_prefix("a")
    assert os.listdir(tmp_path / "s") == ["k"]
    assert sorted(os.listdir(tmp_path / "outside")) == ["file", "folder"]


def test_directory_store_normalize_keys(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, normalize_keys=True)
    store["Foo/BAR"] = b"v"
    assert files(tmp_path) == ["foo/bar"]
    assert "FOO/bar" in store
    assert store.list_dir("FOO") == ["bar"]
    assert store.file_path("A") == str(tmp_path / "a")
    assert store.root is None
    store.erase_prefix("FOO")
    assert not list(store)


def test_directory_store_root(tmp_path: Path) -> None:
    class Logged(DirectoryStore):
        def list_dir(self, path: str = "") -> list[str]:
            return super().list_dir(path)

    class Upper(DirectoryStore):
        def __getitem__(self, key: str) -> bytes:
            return super().__getitem__(key).upper() * 2

    assert DirectoryStore(tmp_path).root == Logged(tmp_path).root == str(tmp_path)
    store = Upper(tmp_path)
    assert store.root is None
    store["k"] = b"ab"
    assert store.get_range("k", 1, 3) == b"BA"
    assert store.size("k") == 4
    for name in ("__setitem__", "__delitem__", "__contains__", "file_path"):
        method = getattr(DirectoryStore, name)
        changed = type(
            "Changed", (DirectoryStore,), {name: lambda self, *args, method=method: method(self, *args)}
        )
        assert changed(tmp_path).root is None


def test_directory_store_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = DirectoryStore("s")
    monkeypatch.chdir("/")
    store["k"] = b"v"
    assert files(tmp_path) == ["s/k"]


def test_directory_stores_are_equal_by_path(tmp_path: Path) -> None:
    assert DirectoryStore(tmp_path) == DirectoryStore(str(tmp_path) + "/")
    assert DirectoryStore(tmp_path) != DirectoryStore(tmp_path / "x")
    assert NestedDirectoryStore(tmp_path) == NestedDirectoryStore(tmp_path)
    assert NestedDirectoryStore(tmp_path) != DirectoryStore(tmp_path)
    assert DirectoryStore(tmp_path) != NestedDirectoryStore(tmp_path)


def _failing(number: int) -> Callable[..., None]:
    """Return what stands for a write of a new file that the system refuses."""

    def write(path: bytes, data: Any, durability: int, new: bool = False) -> None:
        if new:
            raise OSError(number, os.strerror(number), os.fsdecode(path))
        write_file(path, data, durability)

    return write


@pytest.mark.parametrize("name", ["ENOSPC", "EACCES", "EIO", "EDQUOT", "EROFS", "EMFILE"])
def test_a_file_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(directory, "write_file", _failing(getattr(errno, name)))
    with pytest.raises(OSError) as caught:
        DirectoryStore(tmp_path).set_new("a", b"value")
    assert caught.value.errno == getattr(errno, name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["EPERM", "EOPNOTSUPP", "ENOSYS", "EMLINK"])
def test_where_a_file_has_one_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(directory, "write_file", _failing(getattr(errno, name)))
    store = DirectoryStore(tmp_path)
    assert [store.set_new("a", value) for value in (b"one", b"two")] == [True, False]
    assert store["a"] == b"one"


def test_a_new_value_below_another_one(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store["a"] = b"value"
    with pytest.raises(KeyBelowValueError):
        store.set_new("a/b", b"value")


def test_metadata_are_never_written_in_place(tmp_path: Path, with_calls: Any) -> None:
    code = """
library.record(folder, log)
store = DirectoryStore(folder / "s", durability="none")
store["a/zarr.json"] = store["a/.zattrs"] = store["a/c/0"] = b"v"
"""
    renamed = [names[1] for call, *names in with_calls(tmp_path, code) if call == "rename"]
    assert renamed == ["s/a/zarr.json", "s/a/.zattrs"]


@pytest.mark.parametrize("cached", [False, True])
def test_shards_are_never_written_in_place(tmp_path: Path, with_calls: Any, cached: bool) -> None:
    code = """
import zchunk
library.record(folder, log)
store = DirectoryStore(folder / "s", durability="none")
if sys.argv[1] == "True":
    store = zchunk.LRUStoreCache(store, max_size=None)
for name, data in (("texts", ["a", "b", "c", "d"]), ("numbers", [1, 2, 3, 4])):
    zchunk.array(data, chunks=1, shards=2, store=store, path=name, zarr_format=3)
"""
    lines = with_calls(tmp_path, code, str(cached))
    names = [f"s/{name}/c/{number}" for name in ("texts", "numbers") for number in range(2)]
    renamed = [fields[1] for call, *fields in lines if call == "rename"]
    assert sorted(name for name in renamed if "/c/" in name) == sorted(names)
    assert not [call for call, path, *_ in lines if path in names and call != "rename"]
