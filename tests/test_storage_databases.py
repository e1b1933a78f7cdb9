"""The stores that are databases: SQLite, LMDB, dbm."""

from __future__ import annotations

import dbm.dumb
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_conformance import StoreConformance, in_child

import zchunk
from zchunk.errors import ReadOnlyError, StoreError
from zchunk.storage import DBMStore, LMDBStore, SQLiteStore, Store


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


class TestLMDBStore(StoreConformance):
    folders = False

    def make(self, path: Path) -> Store:
        return LMDBStore(path)


class TestDBMStore(StoreConformance):
    folders = False

    def make(self, path: Path) -> Store:
        path.parent.mkdir(parents=True, exist_ok=True)
        return DBMStore(path, open=dbm.dumb.open)

    def test_pickle(self, store: Store) -> None:
        store["a/0"] = b"v"
        dumped = pickle.dumps(store)
        store.close()
        assert pickle.dumps(store) == dumped
        copy = pickle.loads(dumped)
        assert copy == store
        assert dict(copy) == {"a/0": b"v"}
        copy.close()

    def test_fork(self, store: Store) -> None:
        store["a"] = b"v"

        def use() -> str:
            for operation in (lambda: store["a"], lambda: store.__setitem__("a", b"w"), lambda: list(store)):
                with pytest.raises(StoreError, match="forked"):
                    operation()
            store.close()
            return "refused"

        assert in_child(use) == "refused"
        assert store["a"] == b"v"
