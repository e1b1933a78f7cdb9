"""When a program is to stop: a signal has come, or the time that a batch system gives is nearly over.

A handler does nothing but set a flag. The processes agree on it between two steps, and save there.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

# What Slurm tells a job: when it ends, in seconds since 1970.
_SLURM = "SLURM_JOB_END_TIME"
# So many times the longest save is kept in reserve.
_RESERVE = 1.5


class Signals:
    """Notes that one of some signals has come, from its construction until `release`.

    Raises
    ------
    ValueError
        This is not the main thread, which alone can have handlers.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self.came = False
        self._before: dict[int, Any] = {}
        for number in numbers:
            self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        self.came = True

    def release(self) -> None:
        """Put back the handlers that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}


class TimeLimit:
    """The end of the time that the program has, if there is one, and what it needs before.

    Parameters
    ----------
    limit : float or datetime, optional
        Seconds from now, or a moment; by default what Slurm says.
    clock : callable, optional
        Returns seconds since 1970.
    """

    def __init__(self, limit: float | datetime | None, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last: float | None = None
        self.longest_step = 0.0
        self.longest_save = 0.0
        if isinstance(limit, datetime):
            self.end: float | None = limit.timestamp()
        elif limit is not None:
            self.end = clock() + float(limit)
        else:
            said = os.environ.get(_SLURM, "")
            self.end = float(said) if said.isdecimal() else None

    def step_done(self) -> None:
        """Take note that a step ends here."""
        now = self._clock()
        if self._last is not None:
            self.longest_step = max(self.longest_step, now - self._last)
        self._last = now

    def save_done(self, seconds: float) -> None:
        """Take note of how long a save took."""
        self.longest_save = max(self.longest_save, seconds)

    def is_near(self) -> bool:
        """Whether another step, and then a save, might not end in time."""
        if self.end is None:
            return False
        return self.end - self._clock() < _RESERVE * self.longest_save + self.longest_step
