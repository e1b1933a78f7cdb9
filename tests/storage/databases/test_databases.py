"""The stores that are databases: SQLite, LMDB, dbm."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.errors import ChangeInProgressError, StoreError
from zchunk.storage import DBMStore, LMDBStore, SQLiteStore

# --- many processes, and processes that die

KINDS = {"sqlite": SQLiteStore, "lmdb": LMDBStore}
WRITER = """
import sys
from zchunk.storage import LMDBStore, SQLiteStore
kind, path, writer = sys.argv[1:]
store = {"sqlite": SQLiteStore, "lmdb": LMDBStore}[kind](path)
if kind == "sqlite":
    store.db.execute("PRAGMA synchronous = OFF")
print("ready", flush=True)
i = 0
while writer == "endless" or i < 40:
    if writer == "endless":
        store["k"] = bytes([i % 256]) * 200_000
        store.set_many({"x": b"%d" % i, "y": b"%d" % i})
    else:
        store[f"{writer}/{i}"] = f"{writer} {i}".encode()
    i += 1
store.close()
"""


def start(kind: str, path: Path, writer: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, kind, path, writer], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("kind", KINDS)
def test_many_processes(kind: str, tmp_path: Path) -> None:
    processes = [start(kind, tmp_path / "db", str(writer)) for writer in range(3)]
    for process in processes:
        assert process.wait(60) == 0
        process.stdout.close()  # type: ignore[union-attr]
    with KINDS[kind](tmp_path / "db") as store:
        assert dict(store) == {f"{w}/{i}": f"{w} {i}".encode() for w in range(3) for i in range(40)}


@pytest.mark.parametrize("kind", KINDS)
def test_killed_while_writing(kind: str, tmp_path: Path) -> None:
    for seconds in (0.03, 0.1, 0.2):
        process = start(kind, tmp_path / "db", "endless")
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
        with KINDS[kind](tmp_path / "db") as store:
            value = store.get("k", b"\0" * 200_000)
            assert value == value[:1] * 200_000
            assert store.get("x") == store.get("y")
            store["after"] = b"v"
            assert store["after"] == b"v"


FORKER = """
import os, sys, threading
from zchunk.storage import LMDBStore, SQLiteStore
kind, path = sys.argv[1:]
store = {"sqlite": SQLiteStore, "lmdb": LMDBStore}[kind](path)
if kind == "sqlite":
    store.db.execute("PRAGMA synchronous = OFF")
parent, done = os.getpid(), threading.Event()
def write():
    i = 0
    while not done.is_set():
        store.set_many({"x": b"%d" % i, "y": b"%d" % i, f"k{i % 7}": bytes(50_000)})
        i += 1
thread = threading.Thread(target=write)
thread.start()
for i in range(16):
    pid = os.fork()
    if pid == 0:
        if i in (3, 11):
            store["child"] = b"c"
        # Ends as a program does: destructors run.
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
done.set()
thread.join()
assert store["x"] == store["y"] and store["child"] == b"c" and len(store) == 10
store.close()
"""


@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", KINDS)
def test_children_that_end_while_the_parent_writes(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKER, kind, tmp_path / "db"]
    subprocess.run(command, check=True, timeout=60)
    with KINDS[kind](tmp_path / "db") as store:
        assert store["x"] == store["y"]
        assert kind != "sqlite" or store.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("make", [SQLiteStore, LMDBStore, DBMStore])
def test_closed(make: Any, tmp_path: Path) -> None:
    store = make(tmp_path / "new" / "db")
    store["k"] = b"v"
    store.close()
    store.close()
    for operation in (lambda: store["k"], lambda: "k" in store, lambda: list(store), store.list_dir):
        with pytest.raises(StoreError, match="closed"):
            operation()
    with pytest.raises(StoreError, match="closed"):
        store["k"] = b"w"
    with pickle.loads(pickle.dumps(store)) as copy:
        assert copy["k"] == b"v"
    with make(tmp_path / "new" / "db", dimension_separator="/") as again:
        assert again["k"] == b"v"
        assert again._dimension_separator == "/"
    with pytest.raises(ValueError, match="dimension_separator"):
        make(tmp_path / "other", dimension_separator="-")


@pytest.mark.parametrize("make", [SQLiteStore, LMDBStore, DBMStore])
def test_arrays(make: Any, tmp_path: Path) -> None:
    with make(tmp_path / "db") as store:
        data = np.arange(10_000).reshape(100, 100)
        root = zchunk.group(store)
        z = zchunk.array(data, chunks=(10, 10), store=store, path="a/b")
        assert (z[...] == data).all()
        assert sorted(root["a"]) == ["b"]
        assert z.nchunks_initialized == 100
    with make(tmp_path / "db") as store:
        assert (zchunk.open(store, "r", path="a/b")[5:7] == data[5:7]).all()


@pytest.mark.parametrize(("name", "package"), [("LMDBStore", "lmdb"), ("FSStore", "fsspec")])
def test_optional_packages(name: str, package: str, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"import zchunk\n"
        f"try: zchunk.{name}({str(tmp_path / 'x')!r})\n"
        "except ImportError as e: print(e)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert f"pip install {package}" in out


# ---- updates

KINDS_OF_MANY = {"SQLiteStore": "a.db", "LMDBStore": "a.lmdb"}
UPDATES = """
import sys, zchunk
from zchunk.storage import LMDBStore, SQLiteStore
kind, path, first = sys.argv[1:]
store = globals()[kind](path)
z = zchunk.open_array(store, mode="r+", path="z")
group = zchunk.open_group(store, mode="r+")
print("ready", flush=True)
sys.stdin.readline()
for i in range(int(first), 256, 4):
    z[i] = i + 1
    group.attrs[str(i)] = i
"""


@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", KINDS_OF_MANY)
@pytest.mark.parametrize(("version", "shards"), [(2, None), (3, None), (3, 256)])
def test_processes_lose_no_update(kind: str, version: int, shards: int | None, tmp_path: Path) -> None:
    path = tmp_path / KINDS_OF_MANY[kind]
    cls = {"SQLiteStore": SQLiteStore, "LMDBStore": LMDBStore}[kind]
    store = cls(path)
    if kind == "SQLiteStore":
        store.db.execute("PRAGMA journal_mode = WAL")
    group = zchunk.group(store, zarr_format=version)
    options = {} if shards is None else {"shards": shards}
    z = group.create("z", shape=256, chunks=128, dtype="i4", **options)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", UPDATES, kind, path, str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for i in range(4)
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0] * 4
    assert z[:].tolist() == list(range(1, 257))
    assert dict(zchunk.open_group(store, mode="r").attrs) == {str(i): i for i in range(256)}


@pytest.mark.parametrize("kind", KINDS_OF_MANY)
def test_modify(kind: str, tmp_path: Path) -> None:
    cls = {"SQLiteStore": SQLiteStore, "LMDBStore": LMDBStore}[kind]
    store = cls(tmp_path / "a")
    seen: list[bytes | None] = []

    def change(old: bytes | None) -> bytes | None:
        seen.append(old)
        if len(seen) < 3:
            # As another process would.
            store["k"] = bytes([len(seen)])
        return (old or b"") + b"!"

    store.modify("k", change)
    assert seen == [None, b"\1", b"\2"]
    assert store["k"] == b"\2!"
    store.modify("k", lambda old: None)
    store.modify("k", lambda old: None)
    assert "k" not in store
    with pytest.raises(ZeroDivisionError):
        store.modify("k", lambda old: 1 // 0)
    store.modify("k", lambda old: np.arange(3, dtype="u1"))
    assert store["k"] == bytes(range(3))
    with pytest.raises(zchunk.errors.InvalidKeyError):
        store.modify("../k", lambda old: b"")


# --- signal handlers


@pytest.mark.parametrize("kind", KINDS)
def test_handlers_read_but_do_not_write_inside_a_transaction(kind: str, tmp_path: Path) -> None:
    store = KINDS[kind](tmp_path / "db")
    store["k"] = b"1"
    seen: list[object] = []

    def attempt(change: Callable[[], object]) -> None:
        try:
            change()
        except Exception as error:
            seen.append(type(error))

    def handle(number: int, frame: object) -> None:
        seen.extend([store["k"], list(store)])
        attempt(lambda: store.__setitem__("j", b"4"))
        attempt(lambda: store.set_many({"j": b"4"}))
        attempt(lambda: store.modify("k", lambda old: b"5"))
        attempt(lambda: store.__delitem__("k"))
        attempt(lambda: store.erase_prefix())

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        store._change(lambda transaction: signal.raise_signal(signal.SIGUSR1))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [b"1", ["k"], *[ChangeInProgressError] * 5]
    assert dict(store) == {"k": b"1"}
    store["k"] = b"6"
    assert dict(store) == {"k": b"6"}
