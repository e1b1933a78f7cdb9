"""What a store is to the library: optional methods, separators, locks."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from tests.store_conformance import in_child
from zchunk.storage import (
    DirectoryStore,
    KVStore,
    MemoryStore,
    NestedDirectoryStore,
    TempStore,
    ZipStore,
)
from zchunk.storage.local.trees import remove_tree

# --- any mapping


class Plain(MutableMapping[str, Any]):
    """A mapping with nothing but the five methods."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.data[key] = value

    def __delitem__(self, key: str) -> None:
        del self.data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


class Fast(Plain):
    """A mapping with the optional methods, which say what was called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []

    def __getattribute__(self, name: str) -> Any:
        single = ("get_range", "size", "list_dir", "erase_prefix", "close")
        if name in (*single, "get_many", "set_many", "erase_many"):
            results: dict[str, Any] = {"get_range": b"r", "get_many": {"k": bytearray(b"m")}, "size": 7}
            return lambda *args: self.calls.append((name, *args)) or results.get(name, ["b", "a"])
        return super().__getattribute__(name)


def test_optional_methods_are_used() -> None:
    fast = Fast()
    store = KVStore(fast)
    assert store.get_range("k", 1, 2) == b"r"
    assert store.get_many(["k"]) == {"k": b"m"}
    assert type(store.get_many(["k"])["k"]) is bytes
    store.set_many({"k": bytearray(b"v")})
    store.erase_many(iter(["k"]))
    assert store.size("k") == 7
    assert store.list_dir("p") == ["a", "b"]
    store.erase_prefix("p")
    store.close()
    assert fast.calls == [
        ("get_range", "k", 1, 2),
        ("get_many", ["k"]),
        ("get_many", ["k"]),
        ("set_many", {"k": b"v"}),
        ("erase_many", ["k"]),
        ("size", "k"),
        ("list_dir", "p"),
        ("erase_prefix", "p"),
        ("close",),
    ]


def test_what_cannot_be_erased(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store["a/b/k"] = store["a/c/k"] = b"v"
    os.chmod(tmp_path, 0o777)
    os.chmod(tmp_path / "a", 0o777)
    os.chmod(tmp_path / "a" / "b", 0)

    def child() -> None:
        # Relative, for another user may not look into the folders above.
        os.chdir(tmp_path)
        if os.getuid() == 0:
            os.setuid(65534)
        with pytest.raises(PermissionError, match="b"):
            remove_tree("a")

    try:
        in_child(child)
    finally:
        os.chmod(tmp_path / "a" / "b", 0o755)
    assert (tmp_path / "a" / "b" / "k").read_bytes() == b"v"


def test_dimension_separators(tmp_path: Path) -> None:
    assert DirectoryStore(tmp_path)._dimension_separator is None
    assert DirectoryStore(tmp_path, dimension_separator="/")._dimension_separator == "/"
    assert NestedDirectoryStore(tmp_path)._dimension_separator == "/"
    assert NestedDirectoryStore(tmp_path, dimension_separator=None)._dimension_separator == "/"
    assert ZipStore(tmp_path / "z.zip", dimension_separator="/")._dimension_separator == "/"
    assert TempStore(dimension_separator="/")._dimension_separator == "/"
    with pytest.raises(ValueError, match="dimension_separator"):
        NestedDirectoryStore(tmp_path, dimension_separator=".")
    with pytest.raises(ValueError, match="dimension_separator"):
        DirectoryStore(tmp_path, dimension_separator="_")


WRITER = """
import sys
from zchunk.storage import DirectoryStore
store = DirectoryStore(sys.argv[1], durability=sys.argv[2])
i = 0
while True:
    store["a/k"] = bytes([i % 256]) * 300_000
    if i == 0:
        print("started", flush=True)
    i += 1
"""


@pytest.mark.parametrize("durability", ["atomic", "fsync"])
def test_killed_writer_leaves_old_or_new(tmp_path: Path, durability: str) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), durability]
    for attempt in range(5):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.02 + 0.013 * attempt)
            process.send_signal(signal.SIGKILL)
        store = DirectoryStore(tmp_path)
        value = store["a/k"]
        assert len(value) == 300_000
        assert len(set(value)) == 1
        assert list(store) == ["a/k"]


def test_stores_of_the_same_values_share_their_locks(tmp_path):
    values = {}
    assert KVStore(values).lock_identity == KVStore(values).lock_identity
    assert KVStore(values).lock_identity != KVStore({}).lock_identity
    os.symlink(tmp_path, tmp_path / "link")
    store = DirectoryStore(tmp_path)
    assert store.lock_identity == DirectoryStore(tmp_path / "link").lock_identity
    assert store.lock_identity == KVStore(store).lock_identity
    copy = pickle.loads(pickle.dumps(DirectoryStore(tmp_path / "link")))
    assert store.lock_identity == copy.lock_identity
    os.rename(tmp_path / "link", tmp_path / "moved")
    (tmp_path / "link").mkdir()
    assert store.lock_identity != pickle.loads(pickle.dumps(copy)).lock_identity
    early = DirectoryStore(tmp_path / "late")
    assert early.lock_identity == str((tmp_path / "late").resolve())
    os.symlink(tmp_path, tmp_path / "late")
    assert early.lock_identity == store.lock_identity
    assert store.lock_identity != DirectoryStore(tmp_path / "other").lock_identity
    assert MemoryStore().lock_identity != MemoryStore().lock_identity
