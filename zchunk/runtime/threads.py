"""The one thread pool of the process: how many threads work, and how they are called in.

`zchunk.runtime.workers` has its threads, and the reason why they are not those of `concurrent.futures`.
"""

from __future__ import annotations

import operator
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from zchunk._ext.threads.crew import LOOK, Shared
from zchunk._ext.threads.guards import Guard, holding
from zchunk.runtime.near_names import says_near_names
from zchunk.runtime.settings import at_least, config
from zchunk.runtime.workers import Pool, Task, Work, give_way

Item = TypeVar("Item")

# A signal handler may read and write while the code that it interrupts holds the lock: what the lock guards
# is whole wherever a handler can begin.
_lock = Guard()
_pool: Pool | None = None
_threads: int | None = None
_awake_until = 0
# Of threads that are in the background, by their numbers: how many threads each uses, and its helpers.
_background: dict[int, tuple[int, Pool]] = {}


def get_threads() -> int:
    """Return how many threads a read or write may use, the calling one included.

    So many compute at a time. More wait for files where these are slow, or are synced, as long as
    the read or write lasts.

    The number given to `set_threads`, which is the setting ``threading.max_workers`` of `zchunk.config`, else
    ``ZCHUNK_THREADS``, else the number of cores that this process may
    run on (under Slurm or in a container fewer than the machine has).

    Returns
    -------
    int

    Examples
    --------
    >>> import zchunk
    >>> zchunk.get_threads() >= 1
    True
    """
    global _threads
    if _background and (own := _background.get(threading.get_ident())) is not None:
        return own[0]
    if _threads is None:
        _threads = _default_threads()
    return _threads


@contextmanager
def in_background() -> Iterator[None]:
    """Let this thread, to its end, be one that gives way to others, and use one thread less than they may.

    Its helpers are its own, and give way, too. So a program that computes meanwhile keeps a core to itself;
    one that computes on all cores loses little. A thread does not get its priority back: it ends with this.
    """
    number, most = threading.get_ident(), max(get_threads() - 1, 1)
    pool = Pool(max(most - 1, 1), "zchunk_background")
    give_way()
    _background[number] = most, pool
    try:
        yield
    finally:
        del _background[number]
        pool.end()


@says_near_names
def set_threads(n: int | None) -> None:
    """Let reads and writes use `n` threads, the calling one included.

    Parameters
    ----------
    n : int or None
        At least 1; None for the default, see `get_threads`.

    Raises
    ------
    ValueError
        `n` is not such a number.

    Examples
    --------
    >>> import zchunk
    >>> zchunk.set_threads(2)
    >>> zchunk.get_threads()
    2
    >>> zchunk.set_threads(None)
    """
    if n is not None:
        n = _positive(n)
    config.set({"threading.max_workers": n})


def _changed(n: int | None) -> None:
    global _threads, _pool
    with _lock:
        _threads = n
        # Work under way keeps the threads it has; the next call makes a pool of the right size.
        if _pool is not None:
            _pool.end()
        _pool = None


def _positive(n: Any) -> int:
    try:
        number = 0 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"the number of threads is an integer >= 1, not {n!r}")
    return number


def _default_threads() -> int:
    chosen: int | None = config.get("threading.max_workers")
    if chosen is not None:
        return chosen
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


config.define("threading.max_workers", at_least(1, "an integer >= 1"), _changed)


def idle() -> int:
    """Return how many helpers would begin at once. They may be busy in the next moment."""
    most, own = get_threads() - 1, _background.get(threading.get_ident())
    pool = _pool if own is None else own[1]
    return most if pool is None else min(most, pool.idle)


def _the_pool() -> Pool:
    global _pool
    if (own := _background.get(threading.get_ident())) is not None:
        return own[1]
    if _pool is None:
        made = Pool(max(get_threads() - 1, 1), "zchunk")
        # A signal handler may have made one meanwhile.
        _pool = _pool or made
    return _pool


def submit(work: Work, helpers: int, tasks: list[Task[Any]] | None = None) -> list[Task[Any]]:
    """Have up to `helpers` threads of the pool call `work`. The caller may work on, and cancel the rest.

    Each task is added to `tasks` before it can begin, so that the caller knows of it also if Ctrl-C comes.

    Returns
    -------
    list of Task
        `tasks`, if given.
    """
    tasks = [] if tasks is None else tasks
    # Helpers could wait for what a signal handler has interrupted.
    if helpers < 1 or holding():
        return tasks
    with _lock:
        pool = _the_pool()
        try:
            for _ in range(helpers):
                tasks.append(Task(work))
                pool.submit(tasks[-1])
        except RuntimeError:
            # The interpreter shuts down, or the system starts no more threads: the caller does the rest.
            tasks.pop().cancel()
    return tasks


def awake() -> bool:
    """Whether the last work ended so recently that helpers still look out for more.

    A helper that looks out begins at once; to wake one up takes 50 µs. A caller that comes back as quickly as
    this may call helpers in for less work, since they stay awake.
    """
    return time.monotonic_ns() < _awake_until


def share(work: Shared, helpers: int) -> None:
    """Have up to `helpers` threads of the pool do the work too, without the GIL; then comes `finish`."""
    if holding():
        # As in `submit`.
        return
    with _lock:
        _the_pool().share(work, helpers)


def finish(work: Shared, cancel: Work) -> None:
    """Wait until no helper is at work on what was shared, also if Ctrl-C comes meanwhile.

    Then `cancel` is called to cut it short. Work that was never shared is finished.
    """
    global _awake_until
    interrupt: BaseException | None = None
    while True:
        try:
            # In slices, so that Python can deliver signals.
            if not work.wait(0.1):
                break
        except BaseException as err:
            cancel()
            interrupt = interrupt or err
    _awake_until = time.monotonic_ns() + LOOK
    if interrupt is not None:
        raise interrupt


def join(tasks: list[Task[Any]], cancel: Work) -> None:
    """Wait until no helper uses the caller's memory any more, also if Ctrl-C comes meanwhile.

    Tasks that no helper has begun are cancelled. After Ctrl-C `cancel` is called to cut short those that have
    begun. Raises what a task raised.
    """
    interrupt: BaseException | None = None
    for task in tasks:
        while True:
            try:
                error = None if task.cancel() else task.exception()
            except BaseException as err:
                # Raised in this thread, which waits: the helper is still at work.
                cancel()
                interrupt = interrupt or err
            else:
                interrupt = interrupt or error
                break
    if interrupt is not None:
        raise interrupt


def together(work: Work, helpers: int, cancel: Work) -> None:
    """Call `work` here and in up to `helpers` threads at a time, and raise what one of them raised."""
    tasks: list[Task[Any]] = []
    try:
        submit(work, helpers, tasks)
        work()
    except BaseException:
        cancel()
        # Ctrl-C is raised as such, whatever a helper raised.
        with suppress(Exception):
            join(tasks, cancel)
        raise
    join(tasks, cancel)


def each(items: Iterator[Item], count: int, work: Callable[[Item], None]) -> None:
    """Do the work on every one of `count` items, several at a time."""
    if count == 1:
        work(next(items))
        return
    lock, stop = threading.Lock(), False

    def some() -> None:
        while not stop:
            with lock:
                item = next(items, None)
            if item is None:
                return
            work(item)

    def cancel() -> None:
        nonlocal stop
        stop = True

    together(some, min(get_threads(), count) - 1, cancel)


def _after_fork() -> None:
    # Threads do not survive a fork.
    global _pool
    _pool = None
    _background.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
