"""What runs the tasks, a few at a time: this process, an executor of `concurrent.futures`, or dask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from itertools import islice
from typing import Any

from zchunk.runtime.fork import is_shared
from zchunk.runtime.threads import each, get_threads
from zchunk.storage import Store
from zchunk.wings.rechunking.tasks import Job, Memory

# The schedulers of dask that use no other processes.
_WITH_THREADS = (None, "threads", "threading", "sync", "synchronous", "single-threaded")
# A function that is called with the number of each task that is done.
Done = Callable[[int], None]


class Threads:
    """The calling thread, and those of zchunk's pool.

    It runs one task at a time where reading and writing are native, and so use all threads; otherwise as many
    as there are threads.

    Attributes
    ----------
    workers : int
        How many tasks run at the same time in one process, whose memory they share.
    processes : bool
        Whether tasks run in other processes.
    fixed : bool
        Whether `workers` cannot be lowered.
    """

    processes = False
    fixed = False

    def __init__(self, native: bool) -> None:
        self.workers = 1 if native else get_threads()

    def run(self, job: Job, stage: int, numbers: Iterator[int], count: int, done: Done) -> None:
        """Run the `count` tasks of a stage."""
        if self.workers == 1:
            memory = Memory()
            for number in numbers:
                job.run(stage, number, memory)
                done(number)
            return

        def work(number: int) -> None:
            job.run(stage, number, Memory())
            done(number)

        if count:
            each(numbers, count, work)


class Futures:
    """An executor with the interface of `concurrent.futures`, or the client of a dask.distributed cluster."""

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self._submit: Any = executor.submit
        if _is_client(executor):
            threads = executor.nthreads().values()
            self.workers, self._pending = max(threads, default=1), 2 * max(sum(threads), 1)
            self._wait = import_module("distributed").wait
            # Tasks are not values: no two tasks are the same.
            self._submit = partial(executor.submit, pure=False)
            self.processes = self.fixed = True
        else:
            self._wait = import_module("concurrent.futures").wait
            self.workers, self._pending = getattr(executor, "_max_workers", get_threads()), 0
            self.fixed = False
            self.processes = not isinstance(executor, import_module("concurrent.futures").ThreadPoolExecutor)

    def run(self, job: Job, stage: int, numbers: Iterator[int], count: int, done: Done) -> None:
        """Run the tasks of a stage."""
        pending: dict[Any, int] = {}
        try:
            while True:
                for number in islice(numbers, (self._pending or self.workers) - len(pending)):
                    pending[self._submit(run_task, job, stage, number)] = number
                if not pending:
                    return
                finished = self._wait(list(pending), return_when="FIRST_COMPLETED").done
                for future in finished:
                    number = pending.pop(future)
                    future.result()
                    done(number)
        finally:
            # After an error: no task may run when the caller learns of it.
            for future in pending:
                future.cancel()
            if pending:
                self._wait([future for future in pending if not future.cancelled()])


class Dask:
    """dask's own schedulers, as they are configured: threads, processes or none."""

    fixed = False

    def __init__(self) -> None:
        self._dask = import_dask()
        self.workers = self._dask.config.get("num_workers", None) or get_threads()
        self.processes = self._dask.config.get("scheduler", None) not in _WITH_THREADS

    def run(self, job: Job, stage: int, numbers: Iterator[int], count: int, done: Done) -> None:
        """Run the tasks of a stage."""
        delayed = self._dask.delayed(run_task, pure=False)
        while batch := list(islice(numbers, 4 * self.workers)):
            tasks = [delayed(job, stage, number) for number in batch]
            self._dask.compute(*tasks, num_workers=self.workers)
            for number in batch:
                done(number)


Executor = Threads | Futures | Dask


def run_task(job: Job, stage: int, number: int) -> None:
    """Run a task, with memory of its own."""
    job.run(stage, number, Memory())


def make_executor(executor: object, native: bool) -> Threads | Futures | Dask:
    """Return the object that runs tasks for a user's `executor`."""
    if isinstance(executor, str) and executor == "threads":
        return Threads(native)
    if isinstance(executor, str) and executor == "dask":
        import_dask()
        try:
            # The client that the program has created, if there is one.
            return Futures(import_module("distributed").get_client())
        except (ImportError, ValueError):
            return Dask()
    if callable(getattr(executor, "submit", None)):
        return Futures(executor)
    raise ValueError(
        f"executor is {executor!r:.80}, not 'threads', 'dask', a client of dask.distributed or an executor "
        "of concurrent.futures"
    )


def import_dask() -> Any:
    """Return dask; if it is missing, the error says how to install it."""
    try:
        return import_module("dask")
    except ImportError as err:
        raise ImportError("executor='dask' needs dask: pip install 'dask[array]'") from err


def check_shared(store: Store, written: bool) -> None:
    """Raise `ValueError` if other processes would not see the same values, or must not write them."""
    if not is_shared(store) or (written and not store.many_writers):
        raise ValueError(
            f"{store!r} is of this process, and the executor uses others; use executor='threads'"
        )


def _is_client(executor: object) -> bool:
    return all(callable(getattr(executor, name, None)) for name in ("scheduler_info", "nthreads"))
