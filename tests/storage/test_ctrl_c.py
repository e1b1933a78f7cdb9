"""Ctrl-C between any two lines of a store leaves nothing locked, also while its traceback is kept."""

from __future__ import annotations

import importlib
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import zchunk
from tests.between_lines import confined, interrupted

# The module whose lines are interrupted, and what makes a store.
KINDS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "memory": ("memory", lambda path: zchunk.MemoryStore()),
    "lru": ("lru", lambda path: zchunk.LRUStoreCache(zchunk.MemoryStore(), max_size=None)),
    "zip": ("zip.archive", lambda path: zchunk.ZipStore(path / "a.zip", mode="w")),
    "sqlite": ("databases.sqlite", lambda path: zchunk.SQLiteStore(":memory:")),
    "lmdb": ("databases.lmdb", lambda path: zchunk.LMDBStore(path / "lmdb", map_size=1 << 24)),
    "dbm": ("databases.dbm", lambda path: zchunk.DBMStore(path / "a.dbm")),
}


def use(store: Any) -> None:
    """Go through what takes locks."""
    store.update({"a": b"1", "b": b"2"})
    assert store["a"] == b"1"
    assert store.get("c") is None
    assert "b" in store
    store.modify("a", lambda old: b"3")
    assert store.set_new("c", b"4")
    assert sorted(store) == store.list_dir() == ["a", "b", "c"]
    store.erase_many(["a"])
    del store["b"]
    store.erase_prefix("")


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_between_lines_leaves_no_lock(kind: str, tmp_path: Path) -> None:
    name, make = KINDS[kind]
    if kind == "lmdb":
        pytest.importorskip("lmdb")
    store, module = make(tmp_path), importlib.import_module(f"zchunk.storage.{name}")
    use(store)
    kept: BaseException | None = None
    turn, turns, done = threading.Semaphore(0), range(1, 10_000), threading.Semaphore(0)
    failed: list[BaseException] = []
    finished = False

    def other() -> None:
        while turn.acquire():
            if finished:
                return
            try:
                store.erase_prefix("")
                store["z"] = b"5"
                assert store["z"] == b"5"
                del store["z"]
            except BaseException as error:
                failed.append(error)
            done.release()

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    for number in turns:
        try:
            with interrupted(module, interrupt, number) as lines:
                confined(partial(use, store))
        except KeyboardInterrupt as error:
            # As in a notebook, which keeps the last one.
            kept = error
        assert lines.handled == (lines.count >= number)
        if not lines.handled:
            break
        turn.release()
        assert done.acquire(timeout=60), traceback.format_exception(kept)
        assert failed == [], f"after line {number}"
    assert number > 10
    assert kept is not None
    use(store)
    finished = True
    turn.release()
    thread.join()
    assert sys.exc_info() == (None, None, None)
