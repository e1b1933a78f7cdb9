"""Threads that wait for work, and the work that they are given.

Not `concurrent.futures`, whose import takes 5 ms and whose helpers need the GIL to begin: the work of kernels
is shared with threads that wait outside the GIL, and begins within a few microseconds
(`zchunk._ext.threads.crew`).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from zchunk._ext.threads.crew import Crew, Shared

Result = TypeVar("Result")
Work = Callable[[], Any]

# Beside one that does not, a thread that gives way gets a thirtieth of a core. What it does there costs the
# other more than as much again, by caches and by what the kernel does for it.
_NICE = 16


class Task(Generic[Result]):
    """Work that was handed to the pool, and is done once or, if it is cancelled in time, not at all.

    Parameters
    ----------
    work : callable
        Called without arguments.
    """

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work: Callable[[], Result] | None = work
        self._results: list[Result] = []
        self._error: BaseException | None = None
        # The first entry decides, in one step that Ctrl-C does not cut: the work is done by the thread whose
        # id it is, or was cancelled.
        self._claim: dict[str, list[int] | None] = {}
        # Held until the work is done.
        self._unfinished = threading.Lock()
        self._unfinished.acquire()

    def cancel(self) -> bool:
        """Return whether the work is not done and never will be: false if a thread has begun.

        That is another thread. One that asks after it has begun was interrupted by Ctrl-C in `run`.
        """
        claim = self._claim.setdefault("by", None)
        if claim is not None and (self.done or claim != [threading.get_ident()]):
            return False
        # What was to be worked on is let go at once, not when a helper comes across the task.
        self._work = None
        return True

    @property
    def done(self) -> bool:
        """Whether the work is done, so that nobody has to wait for it."""
        return not self._unfinished.locked()

    def exception(self) -> BaseException | None:
        """Wait until the work is done, and return what it raised; None if it was cancelled."""
        if self._claim.get("by", ()) is None:
            return None
        with self._unfinished:
            return self._error

    def result(self) -> Result:
        """Return what the work returned, or raise what it raised; do it here if no thread has begun."""
        self.run()
        error = self.exception()
        if error is None:
            return self._results[0]
        try:
            raise error
        finally:
            # The error keeps this frame, which must not keep the error.
            del self, error

    def run(self) -> None:
        """Do the work, unless a thread has begun or it was cancelled."""
        # A list of this call alone: with one value for all, the second of two that come at once would take
        # the claim of the first for its own.
        me = [threading.get_ident()]
        if self._claim.setdefault("by", me) is not me:
            return
        work, self._work = self._work, None
        try:
            if work is not None:
                self._results.append(work())
        except BaseException as error:
            self._error = error
        self._unfinished.release()
        # An error keeps this frame, which must not keep the task that keeps the error.
        del self


class Pool:
    """Up to `limit` threads, each started when there is work and no other thread waits for some.

    Parameters
    ----------
    limit : int
        Most threads.
    name : str
        What their names begin with.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._threads = 0
        self._crew = Crew()

    def submit(self, task: Task[Any]) -> None:
        """Have a thread do the task; `RuntimeError` if there can be none. For one thread at a time."""
        self._require(1)
        self._crew.put(task)

    def share(self, work: Shared, helpers: int) -> None:
        """Have up to `helpers` threads do the work, until it is waited for. For one thread at a time."""
        # The interpreter shuts down, or the system starts no more threads: the caller does the rest.
        with suppress(RuntimeError):
            self._require(helpers)
        work.share(self._crew, helpers)

    @property
    def idle(self) -> int:
        """How many threads would begin at once with what is submitted now."""
        return max(self._limit - self._crew.open, 0)

    def _require(self, helpers: int) -> None:
        """Start threads, so that `helpers` more can be at work if there may be as many."""
        wanted = min(self._crew.open + helpers, self._limit)
        while self._threads < wanted:
            # Counted first, for a signal handler that calls this while the thread starts.
            number = self._threads
            self._threads = number + 1
            try:
                # A daemon: it waits for work when the interpreter exits, which must not wait for it.
                threading.Thread(
                    target=_help, args=(self._crew,), name=f"{self._name}_{number}", daemon=True
                ).start()
            except BaseException:
                self._threads -= 1
                raise

    def end(self) -> None:
        """Let the threads end once all that was submitted is done."""
        for _ in range(self._threads):
            self._crew.put(None)


def _help(crew: Crew) -> None:
    finished = False
    while (task := crew.get(finished)) is not None:
        task.run()
        # What was worked on is not kept while waiting.
        task, finished = None, True


def give_way() -> None:
    """Let other threads of the machine come before this one, to its end, where threads have priorities.

    Threads that it starts give way, too.
    """
    # Elsewhere that of the whole process would change.
    if sys.platform == "linux":
        # Where it is forbidden the work is done all the same.
        with suppress(OSError):
            os.nice(_NICE)
