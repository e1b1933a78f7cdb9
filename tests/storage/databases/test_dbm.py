"""`DBMStore`: one process, any module of `dbm`."""

from __future__ import annotations

import dbm.dumb
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.store_conformance import StoreConformance, in_child
from zchunk.errors import ReadOnlyError, StoreError
from zchunk.storage import DBMStore, Store


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


def test_dbm_flags(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with pytest.raises(StoreError, match="dbm store"):
        DBMStore(path, flag="r", open=dbm.dumb.open)
    with DBMStore(path, flag="n", open=dbm.dumb.open) as store:
        store["k"] = b"v"
        dumped = pickle.dumps(store)
    # A copy of what replaced a database must not replace it again.
    with pickle.loads(dumped) as store:
        assert store["k"] == b"v"
    with DBMStore(path, flag="r", open=dbm.dumb.open) as store:
        assert store["k"] == b"v"
        with pytest.raises(ReadOnlyError):
            store["k"] = b"w"
        with pytest.raises(ReadOnlyError):
            del store["k"]
    with DBMStore(path, write_lock=False) as store, ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: store["k"], range(50))) == {b"v"}


def test_dbm_without_sync(tmp_path: Path) -> None:
    flags: list[str] = []

    class NoSync:
        """As ndbm's."""

        def __init__(self, path: str, flag: str, mode: int) -> None:
            self._db = dbm.dumb.open(path, flag, mode)  # type: ignore[arg-type]  # noqa: SIM115
            flags.append(flag)

        def __getattr__(self, name: str) -> Any:
            if name == "sync":
                raise AttributeError(name)
            return getattr(self._db, name)

        def __getitem__(self, key: bytes) -> bytes:
            return self._db[key]

        def __setitem__(self, key: bytes, value: bytes) -> None:
            self._db[key] = value

    with DBMStore(tmp_path / "db", flag="n", open=NoSync) as store:
        store["k"] = b"v"
        store.flush()
        assert store["k"] == b"v"
    assert flags == ["n", "c"]
