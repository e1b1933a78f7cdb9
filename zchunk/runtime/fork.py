"""What every process makes for itself since it does not survive a fork: database handles, locks, caches.

Also here: whether other processes find the same values in a store.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

T = TypeVar("T")

# Held while something is made, and during a fork.
_making = threading.RLock()
_made: WeakSet[PerProcess[Any]] = WeakSet()
_gates: WeakSet[ForkGate] = WeakSet()
_shut: list[ForkGate] = []


class ForkGate:
    """A block that many threads may be in, but none while the process forks: a fork waits for them.

    For C libraries with locks and state of their own, which a child would find as they were. A thread that
    forks inside, from a signal handler, does not wait for itself: it goes on in the child, too.
    """

    def __init__(self) -> None:
        self._free = threading.Condition()
        # The threads that are inside, as often as they came in.
        self._inside: list[int] = []
        self._shutting = False
        with _making:
            _gates.add(self)

    def __enter__(self) -> None:
        with self._free:
            while self._shutting:
                self._free.wait()
            self._inside.append(threading.get_ident())

    def __exit__(self, *exc: object) -> None:
        with self._free:
            self._inside.remove(threading.get_ident())
            self._free.notify_all()

    def shut(self) -> None:
        """Wait until no other thread is inside, and let none in. If Ctrl-C ends that, the gate is open."""
        me = threading.get_ident()
        self._free.acquire()
        try:
            self._shutting = True
            while any(thread != me for thread in self._inside):
                self._free.wait()
        except BaseException:
            self.open()
            raise

    def open(self) -> None:
        """Let threads in again."""
        self._shutting = False
        self._free.notify_all()
        self._free.release()


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


def _before_fork() -> None:
    _making.acquire()
    for gate in list(_gates):
        gate.shut()
        _shut.append(gate)


def _after_fork() -> None:
    try:
        while _shut:
            _shut.pop().open()
    finally:
        _making.release()


def _after_fork_in_child() -> None:
    for inherited in _made:
        # Never destroyed, not even when the child ends: if SQLite closed its copy of a connection, it would
        # roll back what the parent is writing.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited._made))
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
