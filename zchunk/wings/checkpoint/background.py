"""The thread that does saves in the background: one for a manager, which waits there for the next one.

It is not started anew for each save: to start a thread is to wait until it runs, which takes milliseconds
where processes fill the cores, and `save` is to return when the state is copied.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any, TypeAlias

from zchunk.runtime.threads import in_background
from zchunk.runtime.workers import Task

_Tasks: TypeAlias = "SimpleQueue[Task[Any] | None]"


class Background:
    """A thread that does tasks one after the other, and gives way to the program. The first one starts it."""

    def __init__(self) -> None:
        self._tasks: _Tasks | None = None

    def put(self, task: Task[Any]) -> None:
        """Have the thread do a task, after those that it has.

        Raises
        ------
        RuntimeError
            The system starts no more threads.
        """
        if self._tasks is None:
            self._tasks = _start()
        self._tasks.put(task)

    def end(self) -> None:
        """Let the thread end when it has done what it has."""
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            tasks.put(None)

    def __del__(self) -> None:
        self.end()


def _start() -> _Tasks:
    """Start a thread, and return what it takes its tasks from."""
    tasks: _Tasks = SimpleQueue()
    try:
        # A daemon: it waits for tasks when the interpreter exits, which must not wait for it.
        threading.Thread(target=_serve, args=(tasks,), name="zchunk-checkpoint", daemon=True).start()
    except BaseException:
        # Ctrl-C can come when it waits for tasks already.
        tasks.put(None)
        raise
    return tasks


def _serve(tasks: _Tasks) -> None:
    # Others may still copy, so it has its priority before there is work.
    with in_background():
        while (task := tasks.get()) is not None:
            task.run()
            # What was written is not kept while waiting.
            del task
