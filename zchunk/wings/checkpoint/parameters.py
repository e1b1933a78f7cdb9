"""Parameters of a `CheckpointManager`: checking them, and how many threads each of its processes uses."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Real
from typing import ClassVar

from zchunk._ext.threads.guards import Guard
from zchunk.runtime.threads import get_threads, set_threads


def check_at_least_1(**numbers: int | None) -> None:
    """Raise `ValueError` for a number that is below 1, by its name."""
    for name, number in numbers.items():
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
            raise ValueError(f"{name} is {number!r}, not an integer of at least 1")


def check_seconds(name: str, seconds: object, others: str = "") -> None:
    """Raise `ValueError` for what is not a number of at least 0, or None; it names `others` that would do."""
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or not float(seconds) >= 0:
        raise ValueError(f"{name} is {seconds!r}, not seconds, of at least 0{others}")


def check_one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    """Raise `ValueError` for a word that is not allowed."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, not one of {', '.join(map(repr, allowed))}")


def use_threads(threads: int | None, processes: int) -> ThreadShare | None:
    """Use so many threads, or the share of one of some processes; None if that changes nothing."""
    before = get_threads()
    if threads is None:
        shared = processes > 1 and "ZCHUNK_THREADS" not in os.environ
        threads = min(before, max((os.cpu_count() or 1) // processes, 1)) if shared else before
    return None if threads == before else ThreadShare(threads)


class ThreadShare:
    """How many threads a manager lets this process use, until it is released, or is no more.

    Managers of one process may be closed in any order: what was before the first of them comes back when the
    last is released. A number that the program has set meanwhile stays.
    """

    # It lets its thread in again, since any line may be where the collector frees a manager.
    _lock: ClassVar = Guard()
    # Of all of them, the last one last.
    _asked: ClassVar[dict[int, int]] = {}
    _before: ClassVar[int]

    def __init__(self, threads: int) -> None:
        with self._lock:
            if not self._asked:
                ThreadShare._before = get_threads()
            self._asked[id(self)] = threads
            set_threads(threads)

    def release(self) -> None:
        """Let the process use what it used before, or what another manager asks for."""
        with self._lock:
            if id(self) not in self._asked:
                return
            *_, last = self._asked.values()
            del self._asked[id(self)]
            if get_threads() == last:
                *_, threads = self._before, *self._asked.values()
                set_threads(threads)

    def __del__(self) -> None:
        self.release()
