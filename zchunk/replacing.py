"""Counts the values that threads of this process are replacing, for readers of parts of them.

Who reads parts of one value, one after the other, learns here whether all were of the same one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SLOTS = 1024
# Signal handlers may read and write, too.
_lock = threading.RLock()
# How many replacements have begun and have ended, by hash of what is replaced.
_begun = [0] * _SLOTS
_ended = [0] * _SLOTS


def state(name: object) -> int | None:
    """Return a number that is another one after the value `name` was replaced; None while it is."""
    slot = hash(name) % _SLOTS
    with _lock:
        return _begun[slot] if _begun[slot] == _ended[slot] else None


@contextmanager
def replacing(name: object) -> Iterator[None]:
    """Say that the value `name` is being replaced."""
    slot = hash(name) % _SLOTS
    with _lock:
        _begun[slot] += 1
    try:
        yield
    finally:
        with _lock:
            _ended[slot] += 1


def _after_fork() -> None:
    # What other threads were replacing does not end in the child, and one may have held the lock.
    global _lock
    _lock = threading.RLock()
    _ended[:] = _begun


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
