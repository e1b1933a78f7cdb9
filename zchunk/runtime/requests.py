"""Many requests at a time to a store that is far away: threads that wait, of which there are more than cores.

No event loop: each request is a call that lets go of the GIL and returns when the answer is there.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Self, TypeVar

from zchunk.runtime.workers import Pool, Task

Item = TypeVar("Item")
Result = TypeVar("Result")

_lock = threading.Lock()
# By the number of their threads. Who finds no thread free does the work itself.
_pools: dict[int, Pool] = {}


class _Request(Generic[Result]):
    """Work that has a result, done by a thread or, if none has begun when it is needed, by who needs it."""

    def __init__(self, work: Callable[[Any], Result], item: Any, most: int) -> None:
        self._result: list[Result] = []
        self.task = Task(lambda: self._result.append(work(item)))
        _submit(self.task, most)

    def result(self) -> Result:
        self.task.run()
        error = self.task.exception()
        if error is not None:
            raise error
        return self._result[0]


def _submit(task: Task, threads: int) -> None:
    with _lock:
        pool = _pools.get(threads)
        if pool is None:
            pool = _pools[threads] = Pool(threads, "request")
        try:
            pool.submit(task)
        except RuntimeError:
            # The interpreter shuts down, or the system starts no more threads.
            pass


def in_order(work: Callable[[Item], Result], items: Iterable[Item], most: int) -> Iterator[list[Result]]:
    """Yield what `work` returns for the items, in their order: at least one, and what is there already.

    Up to `most` items are worked on at a time, by all callers together, and as many more wait to be worked on
    or yielded. If the end is not reached, nothing more is begun.
    """
    waiting: deque[_Request[Result]] = deque()
    rest = iter(items)
    more = True
    try:
        while True:
            while more and len(waiting) < 2 * most:
                try:
                    item = next(rest)
                except StopIteration:
                    more = False
                else:
                    waiting.append(_Request(work, item, most))
            if not waiting:
                return
            done = [waiting[0].result()]
            waiting.popleft()
            while waiting and waiting[0].task.done:
                done.append(waiting[0].result())
                waiting.popleft()
            yield done
    finally:
        _abandon(waiting, wait=False)


class Window(Generic[Item]):
    """Work on items that come one after the other, on `most` at a time; at its end all of it is done.

    After an error no more are begun, and what has begun is waited for.
    """

    def __init__(self, work: Callable[[Item], Any], most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: deque[_Request[Any]] = deque()

    def add(self, items: Iterable[Item]) -> None:
        """Begin to work on more items, as soon as there is room."""
        for item in items:
            if len(self._waiting) >= 2 * self._most:
                self._waiting.popleft().result()
            self._waiting.append(_Request(self._work, item, self._most))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: object, exc: object, tb: object) -> None:
        try:
            while exc_type is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            _abandon(self._waiting, wait=True)


def each(work: Callable[[Item], Any], items: Iterable[Item], most: int) -> None:
    """Do the work on every item, on `most` at a time."""
    with Window(work, most) as window:
        window.add(items)


def _abandon(waiting: Iterable[_Request[Any]], wait: bool) -> None:
    begun = [request for request in waiting if not request.task.cancel()]
    for request in begun if wait else ():
        request.task.exception()


def _after_fork() -> None:
    # Threads do not survive a fork, and the lock may have been held by one of them.
    global _lock
    _lock = threading.Lock()
    _pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
