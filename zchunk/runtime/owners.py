"""Whether the process lives that has left something: by what it is known by, on this machine and on others.

A process is told by its machine, its number, and, where the system says so, the time when it began: numbers
are given again.
"""

from __future__ import annotations

import functools
import os
import re
import time
from typing import Literal, TypeAlias

from zchunk._ext.io.files import temp_number

# This process; another one of this machine, which surely lives; one that is gone; one that may be either.
Owner: TypeAlias = Literal["this", "lives", "gone", "unknown"]

# Seconds after which what another machine, or another container, has left counts as abandoned.
ABANDONED = 24 * 3600
# The same for what seems to be of this machine, by a process that is gone.
PERHAPS_ABANDONED = 3600
# What a process and its machine are known by; where it is missing, machines may look alike.
IDENTITY = ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid")

# Bits of the number of a temporary file: what is unique, the process, the machine.
_UNIQUE, _PROCESS = 24, 22
# States of a process that has ended and whose parent has not waited for it yet.
_ENDED = ([b"Z"], [b"X"])
_SIGNED = re.compile(rb"([0-9a-f]{24}) ([0-9]+) ([0-9]+)(\n|$)")


def process_of(number: int) -> int:
    """Return the number of the process that has made the number of a temporary file."""
    return number >> _UNIQUE & (1 << _PROCESS) - 1


def without_process(number: int) -> int:
    """Return the number of a temporary file as that of a process of this machine which is gone."""
    return number & ~((1 << _PROCESS) - 1 << _UNIQUE)


def machine_of(number: int) -> int:
    """Return the number of its machine."""
    return number >> _UNIQUE + _PROCESS


def lives(pid: int) -> bool:
    """Whether there is a process of this number that has not ended, waited for by its parent or not."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        # It is another user's.
        pass
    return pid > 0 and _status(pid)[:1] not in _ENDED


def signature() -> bytes:
    """Return what tells this process and this moment from all others: one line, without its end."""
    return b"%024x %d %d" % (temp_number(), _began_here(os.getpid()), int(time.time()))


def owner(value: bytes, age: float | None = None) -> Owner:
    """Return what has become of the process that has left a value with its signature at the beginning.

    Versions before did not sign; theirs is gone if the value has no known age, or one of an hour at least.
    """
    found = _SIGNED.match(value)
    if found is None:
        return "gone" if age is None or age > PERHAPS_ABANDONED else "unknown"
    number, own, age = int(found[1], 16), temp_number(), time.time() - int(found[3])
    if machine_of(number) != machine_of(own):
        return "gone" if age > ABANDONED else "unknown"
    pid = process_of(number)
    began = int(found[2])
    # Of other users' processes the system may not say when they began.
    if lives(pid) and (_began(pid) or began) == began:
        return "this" if pid == process_of(own) else "lives"
    return "gone" if all(map(os.path.exists, IDENTITY)) or age > PERHAPS_ABANDONED else "unknown"


def described(value: bytes) -> str:
    """Return which process has left a value with its signature at the beginning, for a message."""
    found = _SIGNED.match(value)
    if found is None:
        return "a process that has not signed"
    number = int(found[1], 16)
    if machine_of(number) != machine_of(temp_number()):
        return "a process of another machine, or of another container"
    pid = process_of(number)
    return "a thread of this process" if pid == os.getpid() else f"process {pid} of this machine"


@functools.cache
def _began_here(pid: int) -> int:
    """Return when this process began; a forked child has another number."""
    return _began(pid)


def _began(pid: int) -> int:
    """Return when a process began, in a measure of the system; 0 if it does not say."""
    try:
        return int(_status(pid)[19])
    except (IndexError, ValueError):
        return 0


def _status(pid: int) -> list[bytes]:
    """Return what the system says of a process, its state first; nothing if it does not say."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program, in parentheses, may hold anything.
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []
