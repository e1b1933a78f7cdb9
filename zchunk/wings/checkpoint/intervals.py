"""When a step is to be saved: at multiples of some steps, when some seconds have passed, or always."""

from __future__ import annotations

import time
from collections.abc import Callable


class Interval:
    """Whether it is time to save.

    Parameters
    ----------
    steps : int or None
        At multiples of so many steps.
    seconds : float or None
        When so many seconds have passed since the last save began, or since this was made. With neither it is
        always time.
    clock : callable, optional
        Returns seconds, which only go forward.
    """

    def __init__(
        self, steps: int | None, seconds: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._steps, self._seconds, self._clock = steps, seconds, clock
        self._last = clock()

    @property
    def asks_clock(self) -> bool:
        """Whether processes may have different answers, of which one is to count for all."""
        return self._seconds is not None

    def is_due(self, step: int) -> bool:
        """Whether it is time, at a step."""
        if self._steps is None and self._seconds is None:
            return True
        if self._steps is not None and step % self._steps == 0:
            return True
        return self._seconds is not None and self._clock() - self._last >= self._seconds

    def now(self) -> float:
        """Return this moment, for `saved`."""
        return self._clock()

    def saved(self, begun: float) -> None:
        """Take note of a save that began at a moment."""
        self._last = begun
