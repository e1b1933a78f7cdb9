"""When a program is to stop: a signal has come, or the time that a batch system gives is nearly over.

A handler does nothing but set a flag. The processes agree on it between two steps, and save there.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, ClassVar

from zchunk.wings.checkpoint.parameters import check_seconds

# What Slurm tells a job: when it ends, in seconds since 1970.
_SLURM = "SLURM_JOB_END_TIME"
# So many times the longest save is kept in reserve.
_RESERVE = 1.5


class Signals:
    """Notes that one of some signals has come, from its construction until `release`.

    Those of one process may be released in any order: what was before the first of them comes back when the
    last is released. A handler that the program has set meanwhile stays.

    Raises
    ------
    TypeError, ValueError
        These are no signals that a program can handle; or this is not the main thread, which alone can have
        handlers.
    """

    # Of all of them, by number: those that wait for it, and the handler before them.
    _waiting: ClassVar[dict[int, list[Signals]]] = {}
    _before: ClassVar[dict[int, Any]] = {}

    def __init__(self, numbers: Iterable[int]) -> None:
        self.came = False
        self._numbers = check_signals(numbers)
        try:
            for number in self._numbers:
                self._waiting.setdefault(number, []).append(self)
                before = signal.signal(number, _note)
                if before is not _note:
                    self._before[number] = before
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Put back the handlers that were there before, if nobody else waits for the signals."""
        for number in self._numbers:
            waiting = self._waiting.get(number, [])
            if self in waiting:
                waiting.remove(self)
            if not waiting and signal.getsignal(number) is _note:
                handler = self._before.pop(number)
                signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _note(number: int, frame: object) -> None:
    for signals in Signals._waiting.get(number, ()):
        signals.came = True


def check_signals(numbers: object) -> tuple[int, ...]:
    """Return signals, each once; raise `TypeError` or `ValueError` if a program cannot handle them."""
    if not isinstance(numbers, Iterable) or isinstance(numbers, str):
        raise TypeError(f"signals is {numbers!r}, not a sequence such as [signal.SIGTERM]")
    found = tuple(dict.fromkeys(numbers))
    for number in found:
        if number not in signal.valid_signals() or number in (signal.SIGKILL, signal.SIGSTOP):
            raise ValueError(f"signals has {number!r}, which is no signal that a program can handle")
    return found


class TimeLimit:
    """The end of the time that the program has, if there is one, and what it needs before.

    Parameters
    ----------
    limit : float or datetime, optional
        Seconds from now, or a moment; by default what Slurm says.
    clock, ticks : callable, optional
        Return seconds since 1970; and seconds that only go forward, for how long a step takes, and what is
        left of seconds from now: a clock that is set would change both.

    Raises
    ------
    ValueError
        The limit is neither.
    """

    def __init__(
        self,
        limit: float | datetime | None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ticks = ticks
        self._last: float | None = None
        self.longest_step = 0.0
        self.longest_save = 0.0
        # By which of both clocks the program ends, and when.
        self._ends_by = clock
        self._end: float | None = None
        if isinstance(limit, datetime):
            self._end = limit.timestamp()
        elif limit is not None:
            check_seconds("time_limit", limit, ", or a datetime")
            self._ends_by, self._end = ticks, ticks() + float(limit)
        elif (said := os.environ.get(_SLURM, "")).isdecimal():
            self._end = float(said)

    def step_done(self) -> None:
        """Take note that a step ends here."""
        now = self._ticks()
        if self._last is not None:
            self.longest_step = max(self.longest_step, now - self._last)
        self._last = now

    def save_done(self, seconds: float) -> None:
        """Take note of how long a save took."""
        self.longest_save = max(self.longest_save, seconds)

    def is_near(self) -> bool:
        """Whether another step, and then a save, might not end in time."""
        if self._end is None:
            return False
        return self._end - self._ends_by() < _RESERVE * self.longest_save + self.longest_step
