"""Code that runs between two lines of other code, as a signal handler may: before one line, or before all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any


class Lines:
    """The lines of a module that have run: how many, and before how many of them something was done."""

    def __init__(self) -> None:
        self.count = self.handled = 0


@contextmanager
def interrupted(module: ModuleType, handle: Callable[[], object], at: int | None = None) -> Iterator[Lines]:
    """Call `handle` before the line of `module` that is the `at`-th to run, of all before each if None.

    What `handle` calls is not interrupted.
    """
    lines = Lines()

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename != module.__file__:
            return None
        if event == "line":
            lines.count += 1
            if at is None or lines.count == at:
                lines.handled += 1
                sys.settrace(None)
                try:
                    handle()
                finally:
                    sys.settrace(trace)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)
