"""Stores in folders that go with the process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

from tests.store_conformance import StoreConformance
from zchunk.storage import (
    Store,
    TempStore,
)


class TestTempStore(StoreConformance):
    def make(self, path: Path) -> Store:
        return TempStore()


def test_temp_store_outlives_close() -> None:
    with TempStore(suffix="s", prefix="p") as store:
        name = os.path.basename(store.path)
        assert name.startswith("p")
        assert name.endswith("s")
        store["a/k"] = b"v"
        assert os.path.isdir(store.path)
    copy = pickle.loads(pickle.dumps(store))
    assert copy["a/k"] == store["a/k"] == b"v"
    copy.close()
    store.clear()
    assert not os.path.exists(store.path)


def test_temp_store_is_deleted_at_exit_by_its_process(tmp_path: Path) -> None:
    script = """
import os, sys
from zchunk.storage import TempStore
store = TempStore(dir=sys.argv[1])
store["k"] = b"v"
if os.fork() == 0:
    sys.exit(0)  # runs the exit handlers
os.wait()
assert store["k"] == b"v"
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert os.listdir(tmp_path) == []
