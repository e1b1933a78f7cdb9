"""What every process makes for itself, for it does not survive a fork: database handles, locks, caches."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

T = TypeVar("T")

_making = threading.RLock()
_alive: WeakSet[PerProcess[Any]] = WeakSet()


def _after_fork() -> None:
    # A thread of the parent may have held it.
    global _making
    _making = threading.RLock()
    for inherited in list(_alive):
        # Never destroyed, not even when the child ends: closing its copy of a connection, SQLite would roll
        # back what the parent is writing.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited._made))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class PerProcess(Generic[T]):
    """Calling it returns what `make` made in this process, which it makes at once and again after a fork."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made = (os.getpid(), make())
        _alive.add(self)

    def __call__(self) -> T:
        pid, made = self._made
        if pid == os.getpid():
            return made
        with _making:
            if self._made[0] != os.getpid():
                self._made = (os.getpid(), self._make())
            return self._made[1]
