"""Signal handlers that read and write arrays while the code that they interrupt does, as for checkpoints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no signals by a timer")

# A storm of signals, until the program has done what it says; one that hangs is killed with its stacks.
STORM = """
import faulthandler, itertools, os, signal, sys
import numpy as np
import zchunk
faulthandler.dump_traceback_later(400, exit=True)
folder, kind = sys.argv[1:]
handled, errors = 0, []

def handle(number, frame):
    global handled
    signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        handler()
        handled += 1
    except Exception as error:
        errors.append(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0002 + handled % 7 * 0.0003)

def storm():
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001)

def calm():
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
"""

READS = """
zchunk.set_threads(3)

def far():
    from obstore.store import MemoryStore
    return zchunk.storage.ObjectStore(MemoryStore())

store = {"folder": lambda: None, "memory": zchunk.MemoryStore, "far": far}[kind]()
where = lambda name: dict(store=folder + "/" + name) if store is None else dict(store=store, path=name)
data = np.arange(1 << 20, dtype="i8")
z = zchunk.open_array(mode="w", shape=data.shape, dtype="i8", chunks=1 << 15, **where("read"))
z[:] = data
other = zchunk.open_array(mode="w", shape=data.shape, dtype="i8", chunks=1 << 14, **where("other"))
written = itertools.count(1)

def handler():
    assert z[-1] == len(data) - 1
    other[:] = next(written)
    assert (other[::1000] == other[0]).all()
    other.attrs["written"] = int(other[0])

storm()
while handled < 100 and not errors:
    # Threads start anew, too.
    zchunk.set_threads(2 + handled % 3)
    assert (z[:] == data).all()
calm()
assert not errors, errors
print(handled)
"""


def run(program: str, *arguments: object) -> list[str]:
    command = [sys.executable, "-c", STORM + program, *map(os.fspath, map(str, arguments))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.split()


@pytest.mark.one_in(3)
@pytest.mark.parametrize("kind", ["folder", "memory", "far"])
def test_handlers_read_and_write_other_arrays(tmp_path: Path, kind: str) -> None:
    if kind == "far":
        pytest.importorskip("obstore")
    (handled,) = run(READS, tmp_path, kind)
    assert int(handled) >= 100
