"""What every process makes for itself since it does not survive a fork: database handles, caches.

A fork waits until no other thread holds a guard or is in the gate (`zchunk._ext.threads.guards`). Also here:
whether other processes find the same values in a store.
"""

from __future__ import annotations

import ctypes
import os
import pickle
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from zchunk._ext.threads.guards import Guard, open_again, shut

T = TypeVar("T")

# Held while something is made.
_making = Guard()
_made: WeakSet[PerProcess[Any]] = WeakSet()


class PerProcess(Generic[T]):
    """Returns, when called, what `make` made in this process; after a fork it is made again."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        with _making:
            self._made = (os.getpid(), make())
            _made.add(self)

    def __call__(self) -> T:
        pid, made = self._made
        if pid == os.getpid():
            return made
        with _making:
            if self._made[0] != os.getpid():
                self._made = (os.getpid(), self._make())
            return self._made[1]


def is_shared(store: Any) -> bool:
    """Whether a copy of a store in another process has the same values."""
    try:
        same: bool = pickle.loads(pickle.dumps(store)).lock_identity == store.lock_identity
    except (pickle.PicklingError, TypeError, AttributeError):
        return False
    return same


def _after_fork_in_child() -> None:
    for inherited in _made:
        # Never destroyed, not even when the child ends: if SQLite closed its copy of a connection, it would
        # roll back what the parent is writing.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited._made))
    open_again()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=shut, after_in_parent=open_again, after_in_child=_after_fork_in_child)
