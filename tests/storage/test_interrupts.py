"""Ctrl-C at any moment leaves no file open and no lock taken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Interrupts come some microseconds after an operation began: before, in and after its system calls.
INTERRUPTED = """
import os, random, signal, sys, zipfile
import zchunk
from zchunk._ext.threads import key_locks
from zchunk.storage import DirectoryStore, LRUStoreCache, ZipStore
folder, what = sys.argv[1:]
random.seed(1)
store = DirectoryStore(folder, durability="fsync")
store["k"] = bytes(100)
with ZipStore(f"{folder}/a.zip", mode="w") as archive:
    archive["k"] = bytes(100)
synchronizer = zchunk.ProcessSynchronizer(f"{folder}/locks")
cached = LRUStoreCache(store, 1000)

def hold():
    with synchronizer["k"]:
        with synchronizer["k"]:
            pass

def fill():
    cached["k"] = bytes(random.randrange(300))
    cached["l"]
    cached.list_dir()

operation = {
    "get": lambda: store["k"],
    "delete": lambda: store.erase_many(["l"]) or store.__setitem__("l", b""),
    "zip": lambda: ZipStore(f"{folder}/a.zip", mode="r")["k"],
    "lock": hold,
    "cache": fill,
}[what]
store["l"] = bytes(200)
for _ in range(20):
    operation()

def interrupt(signum, frame):
    # One that is late, on a busy machine, comes when the operation has ended.
    while frame is not None:
        if frame.f_code is operation.__code__:
            raise KeyboardInterrupt
        frame = frame.f_back

def opened():
    return [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{fd}")]

before = len(opened())
signal.signal(signal.SIGALRM, interrupt)
caught = 0
while caught < 1000:
    # Again and again: Python ignores one that comes while it collects an object.
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 6e-5), 0.01)
    try:
        while True:
            operation()
    except KeyboardInterrupt:
        caught += 1
signal.signal(signal.SIGALRM, signal.SIG_IGN)
assert len(opened()) == before, opened()
assert key_locks.entries() == {}
operation()
if what == "cache":
    cache = cached._process()
    assert cache.size == sum(map(len, cache.values.values()))
    assert not cache.changing()
    for key in "kl":
        assert cached[key] == store[key]
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
@pytest.mark.parametrize("what", ["get", "delete", "zip", "lock", "cache"])
def test_interrupts_leave_nothing_behind(what: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path), what]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
