"""`SQLiteStore`: one file, many processes."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.store_conformance import StoreConformance, in_child
from zchunk.errors import ChangeInProgressError, StoreError
from zchunk.storage import SQLiteStore, Store


class TestSQLiteStore(StoreConformance):
    folders = False

    def make(self, path: Path) -> Store:
        # Syncing, thousands of times, is what takes long here.
        store = SQLiteStore(path)
        store.db.execute("PRAGMA synchronous = OFF")
        return store


class TestSQLiteStoreInMemory(StoreConformance):
    folders = False

    def make(self, path: Path) -> Store:
        return SQLiteStore(":memory:")

    def test_pickle(self, store: Store) -> None:
        with pytest.raises(pickle.PicklingError, match="memory"):
            pickle.dumps(store)

    def test_fork(self, store: Store) -> None:
        store["a"] = b"v"

        def use() -> str:
            with pytest.raises(StoreError, match="process"):
                store["a"]
            return "refused"

        assert in_child(use) == "refused"
        assert store["a"] == b"v"


def test_sqlite_patterns_are_no_patterns(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "db") as store:
        names = ["a_b", "a%b", "axb", "a_b0", "a_b/", "A_B", "a_b\U0001f600"]
        store.update({f"{name.rstrip('/')}/k": name.encode() for name in names})
        store.erase_prefix("a_b")
        assert sorted(store) == ["A_B/k", "a%b/k", "a_b0/k", "a_b\U0001f600/k", "axb/k"]
        assert store.list_dir("a%b") == ["k"]
        store.rename("a%b", "a_b")
        assert store["a_b/k"] == b"a%b"


def test_sqlite_opens_what_zarr_wrote_and_strangers(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "db")
    db.execute("PRAGMA encoding = 'UTF-16le'")
    db.execute("CREATE TABLE zarr(k TEXT PRIMARY KEY, v BLOB)")
    rows = [("a/k", b"v"), ("a\u012f", b"between"), ("../x", b"v"), ("t", "text"), ("n", None), ("", b"v")]
    db.executemany("INSERT INTO zarr VALUES (?, ?)", rows)
    db.execute("INSERT INTO zarr VALUES (x'ff', x'00')")
    db.commit()
    db.close()
    with SQLiteStore(tmp_path / "db") as store:
        assert sorted(store) == ["a/k", "a\u012f", "n", "t"]
        assert store.list_dir() == ["a", "a\u012f", "n", "t"]
        for key in ("t", "n"):
            with pytest.raises(StoreError, match="BLOB"):
                store[key]
        store.erase_prefix("a")
        assert "a\u012f" in store
    (tmp_path / "no").write_bytes(b"no database at all, " * 100)
    with pytest.raises(StoreError, match="not a database"):
        SQLiteStore(tmp_path / "no")


def test_sqlite_writes_many_or_none(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "db") as store:
        store["k"] = b"old"
        with pytest.raises(TypeError):
            store.set_many({"k": b"new", "l": "text"})
        assert dict(store) == {"k": b"old"}
        store.db.execute(
            "CREATE TRIGGER t BEFORE INSERT ON zarr WHEN NEW.k = 'bad' BEGIN SELECT RAISE(FAIL, 'no'); END"
        )
        with pytest.raises(StoreError, match="no"):
            store.set_many({"k": b"new", "bad": b"v"})
        assert dict(store) == {"k": b"old"}
        store["l"] = b"after"


def test_sqlite_waits_for_other_writers(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "db") as store, SQLiteStore(tmp_path / "db", timeout=0.01) as hasty:
        other = sqlite3.connect(tmp_path / "db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            hasty["k"] = b"v"
        timer = threading.Timer(0.2, lambda: other.execute("COMMIT"))
        timer.start()
        store["k"] = b"v"
        timer.join()
        other.close()
        assert hasty["k"] == b"v"


FORK = """
import os, sys, threading, time, zchunk
store = zchunk.SQLiteStore(sys.argv[1])
thread = threading.Thread(target=store.__setitem__, args=("a", b"value"))

def fork(connection, first):
    thread.start()
    time.sleep(0.1)
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)

store._use(fork)
thread.join()
print(store["a"])
"""


def test_a_signal_handler_forks_while_another_thread_waits_for_the_connection(tmp_path: Path) -> None:
    # As in a handler that interrupts a read.
    command = [sys.executable, "-W", "ignore", "-c", FORK, tmp_path / "a.db"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "b'value'\n"


def test_two_stores_over_one_file_in_one_thread(tmp_path: Path) -> None:
    """As in a signal handler, which comes while the other one is at work: SQLite would wait for that."""
    with (
        SQLiteStore(tmp_path / "db", timeout=0.1) as store,
        SQLiteStore(tmp_path / "db", timeout=0.1) as other,
    ):
        store["k"] = b"v"

        def change(db: sqlite3.Connection) -> None:
            db.execute("REPLACE INTO zarr VALUES ('k', x'00')")
            # More than SQLite keeps in memory: it has the file for itself from here on.
            db.execute("PRAGMA cache_size = 5")
            db.executemany(
                "REPLACE INTO zarr VALUES (?, zeroblob(9999))", [(f"many/{i}",) for i in range(99)]
            )
            with pytest.raises(ChangeInProgressError, match="SQLite store"):
                other["k"] = b"w"
            with pytest.raises(ChangeInProgressError, match="SQLite store"):
                other.set_many({"k": b"w"})
            # It sees what is being written, as the store itself does.
            assert other["k"] == store["k"] == b"\0"
            with SQLiteStore(tmp_path / "db", timeout=0.1) as third:
                assert third["k"] == b"\0"

        store._change(change)
        assert other["k"] == b"\0"

        def read(db: sqlite3.Connection, first: bool) -> None:
            # Not to its end.
            rows = db.execute("SELECT k FROM zarr")
            rows.fetchone()
            other["k"] = b"w"
            other.set_many({"l": b"x"})
            rows.fetchall()

        store._use(read)
        assert store["k"] == b"w"
        assert other["l"] == b"x"


def test_two_stores_over_one_file_in_two_threads_take_turns(tmp_path: Path) -> None:
    with (
        SQLiteStore(tmp_path / "db", timeout=0.01) as store,
        SQLiteStore(tmp_path / "db", timeout=0.01) as other,
    ):
        thread = threading.Thread(target=other.__setitem__, args=("k", b"w"))

        def change(db: sqlite3.Connection) -> None:
            db.execute("REPLACE INTO zarr VALUES ('k', x'00')")
            thread.start()
            # It waits for its turn, longer than for another process.
            thread.join(0.3)
            assert thread.is_alive()

        store._change(change)
        thread.join(60)
        assert store["k"] == b"w"


def test_a_transaction_that_ctrl_c_left_is_rolled_back_for_all_stores(tmp_path: Path) -> None:
    with (
        SQLiteStore(tmp_path / "db", timeout=0.1) as store,
        SQLiteStore(tmp_path / "db", timeout=0.1) as other,
    ):
        store["k"] = b"v"
        turn = store._handle()[1]
        store.db.execute("BEGIN IMMEDIATE")
        store.db.execute("DELETE FROM zarr")
        turn.connection, turn.in_transaction = store.db, True
        other["l"] = b"w"
        assert dict(store) == {"k": b"v", "l": b"w"}
        turn.connection, turn.in_transaction = store.db, True
        store.close()
        assert dict(other) == {"k": b"v", "l": b"w"}


def test_durability(tmp_path: Path) -> None:
    def level(store: SQLiteStore) -> int:
        return int(store.db.execute("PRAGMA synchronous").fetchone()[0])

    # FULL; and EXTRA, which syncs the folder when a journal was deleted.
    assert level(SQLiteStore(tmp_path / "a")) == 2
    store = SQLiteStore(tmp_path / "a", durability="fsync")
    assert level(store) == 3
    assert level(pickle.loads(pickle.dumps(store))) == 3
    with pytest.raises(ValueError, match="durability is"):
        SQLiteStore(tmp_path / "a", durability="high")  # type: ignore[arg-type]


def test_an_erasing_on_a_full_disk_can_be_done_again(tmp_path: Path, with_calls: Any) -> None:
    code = """
import zchunk
at, struck = 1, True
while struck:
    store = zchunk.SQLiteStore(folder / f"{at}.sqlite")
    root = zchunk.open_group(store, "w")
    root.array("a", [1, 2, 3], chunks=1)
    library.watch(folder, Calls.MAKE | Calls.WRITE | Calls.SIZE | Calls.SYNC)
    library.strike(Strike(at, How.FAIL, error=errno.ENOSPC, until=1 << 40))
    try:
        del root["a"]
    except OSError:
        pass
    struck = library.end() >= at
    if "a" in root:
        del root["a"]
    store.remove_leftovers()
    assert not zchunk.verify(store).findings, zchunk.verify(store)
    store.close()
    at += 3
assert at > 9
"""
    with_calls(tmp_path, code)
