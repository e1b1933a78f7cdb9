"""The one thread pool of the process: how many threads work, and how they are called in."""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_lock = threading.Lock()
_executor: ThreadPoolExecutor | None = None
_threads: int | None = None


def get_threads() -> int:
    """Return how many threads a read or write may use, the calling one included.

    What `set_threads` said, else ``ZCHUNK_THREADS``, else the number of cores this process may run on (which
    under Slurm or in a container is less than the machine has).
    """
    global _threads
    if _threads is None:
        _threads = _default_threads()
    return _threads


def set_threads(n: int | None) -> None:
    """Let reads and writes use `n` threads, the calling one included; None for the default."""
    global _threads, _executor
    if n is not None:
        n = _positive(n)
    with _lock:
        _threads = n
        # Work under way keeps the executor it has; the next call makes one of the right size.
        _executor = None


def _positive(n: Any) -> int:
    try:
        number = 0 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"the number of threads is an integer >= 1, not {n!r}")
    return number


def _default_threads() -> int:
    text = os.environ.get("ZCHUNK_THREADS", "")
    if text:
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"ZCHUNK_THREADS is {text!r}, not an integer >= 1")
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def submit(work: Callable[[], Any], helpers: int) -> list[Future[Any]]:
    """Have up to `helpers` threads of the pool call `work`. The caller may work on, and cancel the rest."""
    global _executor
    if helpers < 1:
        return []
    with _lock:
        if _executor is None:
            _executor = ThreadPoolExecutor(max(get_threads() - 1, 1), thread_name_prefix="zchunk")
        executor = _executor
    futures: list[Future[Any]] = []
    try:
        for _ in range(helpers):
            futures.append(executor.submit(work))
    except RuntimeError:
        # The interpreter shuts down, or the system starts no more threads: the caller does the rest.
        pass
    return futures


def _after_fork() -> None:
    # Threads do not survive a fork, and the lock may have been held by one of them.
    global _executor, _lock
    _lock = threading.Lock()
    _executor = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
