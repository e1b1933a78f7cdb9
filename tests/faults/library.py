"""`calls.c`, which has calls on files counted, killed, failed, shortened and recorded: built and loaded.

It must be loaded before the C library, so a campaign starts itself again with it (`start_again`). Work is
done in children that a process forks when it has imported everything: a fork takes milliseconds, an import a
second.
"""

from __future__ import annotations

import ctypes
import enum
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

SOURCE = Path(__file__).with_name("calls.c")
_LOADED = "ZCHUNK_CALLS"
# A child that takes longer hangs.
_PATIENCE = 120.0


class Calls(enum.IntFlag):
    """Kinds of calls, as in `calls.c`."""

    MAKE = 1
    NAME = 2
    WRITE = 4
    SYNC = 8
    SIZE = 16
    OPEN = 32
    READ = 64
    STAT = 128
    CLOSE = 256
    MAP = 512
    LIST = 1024
    CHANGES = MAKE | NAME | WRITE | SYNC | SIZE


class How(enum.IntEnum):
    """What befalls a call, as in `calls.c`."""

    NOTHING = 0
    KILL = 1
    TEAR = 2
    FAIL = 3
    SHORT = 4
    SIGNAL = 5


class Strike(NamedTuple):
    """What befalls which calls: from the `at`-th of these kinds to the `until`-th, if not only that one.

    `error` is that of a call that fails, or a signal.
    """

    at: int
    how: How
    kinds: Calls = Calls.CHANGES
    error: int = 0
    until: int = 0


def reason_not_to() -> str | None:
    """Return why the library cannot be used here, None if it can."""
    if not sys.platform.startswith("linux"):
        return "LD_PRELOAD and /proc are Linux's"
    if shutil.which("cc") is None:
        return "no C compiler by the name of cc"
    return None


def build(folder: Path) -> Path:
    """Compile the library in a folder, and return its path."""
    made = folder / "calls.so"
    if not made.exists():
        # Several processes may do so at the same time.
        new = folder / f"calls-{os.getpid()}.so"
        options = ["-shared", "-fPIC", "-O1", "-Wall"]
        subprocess.run(["cc", *options, "-o", new, SOURCE, "-ldl"], check=True)
        new.rename(made)
    return made


def environment(library: Path) -> dict[str, str]:
    """Return the environment of a process in which the library is loaded."""
    preload = " ".join(filter(None, [os.environ.get("LD_PRELOAD"), str(library)]))
    return {**os.environ, "LD_PRELOAD": preload, _LOADED: str(library)}


def start_again(module: str, arguments: Sequence[str]) -> None:
    """Become a process that has loaded the library, if this one has not; return if it has."""
    if _LOADED in os.environ:
        return
    command = [sys.executable, "-m", module, *arguments]
    os.execve(sys.executable, command, environment(build(_built())))


def _built() -> Path:
    """Return the folder in which the library is, or will be."""
    folder = Path(tempfile.gettempdir(), f"zchunk-faults-{os.getuid()}-{int(SOURCE.stat().st_mtime)}")
    folder.mkdir(exist_ok=True)
    return folder


class Library:
    """The loaded library."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(os.environ[_LOADED])
        self._library.calls_count.restype = ctypes.c_long
        self._library.calls_strike.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_int, ctypes.c_int]

    def watch(self, folder: Path, kinds: Calls = Calls.CHANGES) -> None:
        """Count calls from now on."""
        self._library.calls_watch(os.fsencode(folder), int(kinds))

    def strike(self, strike: Strike) -> None:
        """Have something befall calls."""
        self._library.calls_strike(strike.at, max(strike.until, strike.at), int(strike.how), strike.error)

    def list_to(self, path: Path) -> None:
        """Write every call that counts to a file."""
        self._library.calls_list(os.fsencode(path))

    def record(self, folder: Path, log: Path) -> None:
        """Note every change of files in a folder."""
        self._library.calls_record(os.fsencode(folder), os.fsencode(log))

    @property
    def count(self) -> int:
        """How many calls there were since `watch`."""
        return int(self._library.calls_count())

    def end(self) -> int:
        """Count no more; return how many there were."""
        count = self.count
        self._library.calls_watch(b"", 0)
        return count


# What a program that `run` starts has: the library, the folder, and a file for calls or a record.
_BEGIN = f"""
import errno, os, sys
from pathlib import Path
from zchunk.storage import DirectoryStore
sys.path.append({str(SOURCE.parents[2])!r})
from tests.faults.library import Calls, How, Library, Strike
library, folder, log = Library(), Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
"""


def run(folder: Path, code: str, *argv: str) -> list[list[str]]:
    """Run code in a process with the library; return what it has listed, or recorded, below a folder.

    It has `library`, `folder`, the path `log` to list or record to, and `sys.argv`.
    """
    with tempfile.TemporaryDirectory() as made:
        log = Path(made, "log")
        done = subprocess.run(
            [sys.executable, "-c", _BEGIN + code, folder, log, *argv],
            env=environment(build(_built())), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        noted = log.read_text() if log.exists() else ""
    return [line.replace(f"{folder}/", "").split("\t") for line in noted.splitlines()]


class Ended(NamedTuple):
    """How a child has ended: what it returned, or the text of what it raised, or a signal."""

    value: Any = None
    error: str = ""
    signal: int = 0


def in_child(work: Callable[[], Any]) -> Ended:
    """Do some work in a forked child, and return how that ended."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        _work(work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        raw = _read(file.fileno(), pid)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return Ended(signal=os.WTERMSIG(status))
    if not raw:
        return Ended(error=f"the child has ended with {os.waitstatus_to_exitcode(status)} and said nothing")
    found: Ended = pickle.loads(raw)
    return found


def _work(work: Callable[[], Any], writing: int) -> NoReturn:
    import traceback

    try:
        try:
            ended = Ended(work())
        except BaseException:
            ended = Ended(error=traceback.format_exc(limit=-12))
        raw = pickle.dumps(ended)
        while raw:
            raw = raw[os.write(writing, raw) :]
    finally:
        os._exit(0)


def _read(fd: int, pid: int) -> bytes:
    """Read what the child says until it ends; kill it if it hangs."""
    import select

    found, end = b"", time.monotonic() + _PATIENCE
    while True:
        if not select.select([fd], [], [], max(end - time.monotonic(), 0))[0]:
            os.kill(pid, signal.SIGKILL)
            return pickle.dumps(Ended(error="the child hangs"))
        part = os.read(fd, 1 << 16)
        if not part:
            return found
        found += part
