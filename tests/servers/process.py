"""Start a program that listens on a port, wait until it does, and end it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import ROOT

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 5.0


def program(name: str) -> str | None:
    """Return where a program is: servers need not be on the path."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def with_parent(command: Sequence[str]) -> list[str]:
    """Return the command, changed so that Linux kills it when the thread that started it ends."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", *command] if setpriv else list(command)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process: ask, then kill."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def running(
    command: Sequence[str], port: int, *, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a command for as long as the context lasts; it begins when `port` accepts connections."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            with_parent(command), cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            if not _accepts(process, port):
                log.seek(0)
                said = log.read().decode(errors="replace")[-2000:]
                raise RuntimeError(f"{command[0]} does not listen on port {port} (it says: {said})")
            yield
        finally:
            stop(process)


def _accepts(process: subprocess.Popen[bytes], port: int) -> bool:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False
