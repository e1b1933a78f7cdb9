"""Many requests at a time to a store whose answers take time: threads that wait, more of them than cores.

No event loop: each request is a call that lets go of the GIL and returns when the answer is there.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import Any, Generic, Self, TypeVar

from zchunk._ext.threads.guards import Guard, holding
from zchunk.runtime.workers import Pool, Task

Item = TypeVar("Item")
Result = TypeVar("Result")

# `at_its_pace` looks at the first so many, and at one in so many after them. So many that wait longer than
# this, in nanoseconds, mean that the storage is slow: one alone may have lost its processor for a moment.
_LOOKED_AT, _LONG, _WAIT_NS = 8, 3, 50_000
# So many are read ahead at a time, and so many are worked on at a time.
_AHEAD, _SEVERAL = 256, 32

# Signal handlers may read and write, too.
_lock = Guard()
# By the number of their threads. A caller that needs a result which no thread has begun does the work itself.
_pools: dict[int, Pool] = {}


def _begin(
    work: Callable[[Item], Result], items: list[Item], most: int, waiting: deque[Task[Result]]
) -> None:
    """Hand the work on each item to one of `most` threads, and add it to `waiting` before it can begin."""
    if not items:
        return
    tasks = [Task(partial(work, item)) for item in items]
    waiting.extend(tasks)
    if holding():
        # Other threads could wait for what a signal handler has interrupted: the caller does the work.
        return
    with _lock:
        pool = _pools.get(most) or _pools.setdefault(most, Pool(most, "request"))
        try:
            for task in tasks:
                pool.submit(task)
        except RuntimeError:
            # The interpreter shuts down, or the system starts no more threads.
            pass


def in_order(work: Callable[[Item], Result], items: Iterable[Item], most: int) -> Iterator[list[Result]]:
    """Yield what `work` returns for the items, in their order: at least one, and what is there already.

    Up to `most` items are worked on at a time, by all callers together, and as many more wait to be worked on
    or yielded. If the end is not reached, nothing more is begun.
    """
    waiting: deque[Task[Result]] = deque()
    rest = iter(items)
    try:
        while True:
            _begin(work, list(islice(rest, 2 * most - len(waiting))), most, waiting)
            if not waiting:
                return
            done = [waiting[0].result()]
            waiting.popleft()
            while waiting and waiting[0].done:
                done.append(waiting[0].result())
                waiting.popleft()
            yield done
    finally:
        _cancel(waiting)


def at_its_pace(
    work: Callable[[Item], Result], items: Iterable[Item], ahead: Callable[[list[Item]], object]
) -> Iterator[Result]:
    """Yield what `work` returns for the items, in their order: one by one, as files mostly are read.

    Where it waits, as for a disk that is cold, `ahead` is called with the next items before the work on them.
    Where it waits all the same, as for a server that is asked each time, several are worked on at a time.
    """
    rest: Iterator[Item] = iter(items)
    yield from _until_it_waits(work, rest)
    while batch := list(islice(rest, _AHEAD)):
        ahead(batch)
        these = iter(batch)
        yield from _until_it_waits(work, these)
        left = list(these)
        if left:
            rest = chain(left, rest)
            break
    for results in in_order(work, rest, _SEVERAL):
        yield from results


def _until_it_waits(work: Callable[[Item], Result], items: Iterator[Item]) -> Iterator[Result]:
    """Yield what `work` returns for the items, until it has waited long for some of them."""
    long = 0
    for number, item in enumerate(items):
        # The clocks take their time, too.
        if number >= _LOOKED_AT and number % _LOOKED_AT:
            yield work(item)
            continue
        begun, busy = time.perf_counter_ns(), time.thread_time_ns()
        result = work(item)
        long += time.perf_counter_ns() - begun - (time.thread_time_ns() - busy) > _WAIT_NS
        yield result
        if long == _LONG:
            return


class Window(Generic[Item]):
    """Work on items that come one after the other, on `most` at a time; at its end all of it is done.

    After an error, or Ctrl-C, no more are begun, and what has begun is waited for.

    Parameters
    ----------
    work : callable
        Called with each item.
    most : int
        Items that are worked on at a time; as many more may wait.
    """

    def __init__(self, work: Callable[[Item], Any], most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: deque[Task[Any]] = deque()

    def add(self, items: Iterable[Item]) -> None:
        """Begin to work on more items, as soon as there is room."""
        rest = iter(items)
        while batch := list(islice(rest, max(2 * self._most - len(self._waiting), 1))):
            if len(self._waiting) >= 2 * self._most:
                self._finish_first()
            _begin(self._work, batch, self._most, self._waiting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: object, exc: object, tb: object) -> None:
        try:
            while exc_type is None and self._waiting:
                self._finish_first()
        finally:
            self._abandon()

    def _finish_first(self) -> None:
        # Ctrl-C may come before it is done: until then it is among those that are waited for.
        self._waiting[0].result()
        self._waiting.popleft()

    def _abandon(self) -> None:
        """Begin no more, and wait for what has begun; if Ctrl-C comes meanwhile, it is raised after that."""
        interrupt: BaseException | None = None
        while self._waiting:
            try:
                _cancel(self._waiting)
                if not self._waiting[0].cancel():
                    self._waiting[0].exception()
                self._waiting.popleft()
            except BaseException as err:
                interrupt = err
        if interrupt is not None:
            try:
                raise interrupt
            finally:
                # It keeps this frame, which must not keep it.
                del interrupt


def each(work: Callable[[Item], Any], items: Iterable[Item], most: int) -> None:
    """Do the work on every item, on `most` at a time."""
    with Window(work, most) as window:
        window.add(items)


def _cancel(waiting: Iterable[Task[Any]]) -> None:
    for task in waiting:
        task.cancel()


def _after_fork() -> None:
    # Threads do not survive a fork.
    _pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
