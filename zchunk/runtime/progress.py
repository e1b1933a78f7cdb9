"""Progress of long operations, shown as a bar or reported to a function."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

# Seconds between two lines, where there is no bar.
_INTERVAL = 0.5

# Called with how much was done since the last call.
Advance = Callable[[int], None]


@contextmanager
def reporting_progress(progress: object, total: Callable[[], int], unit: str) -> Iterator[Advance]:
    """Yield a function to call with how much was done since the last call.

    Parameters
    ----------
    progress : bool, None or callable
        True: a bar by tqdm if that is installed, else a line on standard error. A function is called with how
        much is done and how much there is, at the beginning, as it goes and at the end.
    total : callable
        Returns how much there is; called only if progress is wanted.
    unit : str
        Of what, for the bar.
    """
    if progress is None or progress is False:
        yield lambda amount: None
        return
    if progress is not True and not callable(progress):
        raise TypeError(f"progress is {progress!r:.80}, not a bool or a function of done and total")
    whole = total()
    if callable(progress):
        yield _counting(progress, whole)
        return
    try:
        bar = import_module("tqdm").tqdm(total=whole, unit=unit, unit_scale=True)
    except ImportError:
        line = _Line(unit)
        try:
            yield _counting(line, whole)
        finally:
            line.end()
        return
    with bar:
        yield bar.update


def _counting(function: Callable[[int, int], Any], total: int) -> Advance:
    done = 0

    def advance(amount: int) -> None:
        nonlocal done
        done += amount
        function(done, total)

    advance(0)
    return advance


class _Line:
    """A line on standard error that is written over."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.next = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self.next or done == total:
            self.next = now + _INTERVAL
            percent = 100 * done // total if total else 100
            print(f"\r{percent:3d} % of {total:,} {self.unit}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        print(file=sys.stderr)
