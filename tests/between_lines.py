"""Code that runs between two lines of other code, as a signal handler may: before one line, or before all."""

from __future__ import annotations

import contextlib
import dis
import sys
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FrameType, ModuleType
from typing import Any


class Lines:
    """The lines of a module that have run: how many, and before how many of them something was done."""

    def __init__(self) -> None:
        self.count = self.handled = 0


@contextlib.contextmanager
def interrupted(module: ModuleType, handle: Callable[[], object], at: int | None = None) -> Iterator[Lines]:
    """Call `handle` before the line of `module` that is the `at`-th to run, of all before each if None.

    What it calls is not interrupted. It may raise: `try:` and what leaves a `with` block are none of the
    lines, since Python runs no signal handlers there, and one is added between a generator that is a context
    manager and its block.
    """
    lines = Lines()

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        code = frame.f_code
        entered = code is contextlib._GeneratorContextManager.__enter__.__code__
        if code.co_filename != module.__file__ and not entered:
            return None
        if (entered and event == "return") or (
            not entered and event == "line" and not _is_atomic(code, frame.f_lasti)
        ):
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


def confined(work: Callable[[], object]) -> None:
    """Call what is to be interrupted by an exception.

    Python 3.11 may take an exception that the code handles at that moment for handled ever after. A generator
    has a state of its own.
    """

    def steps() -> Iterator[None]:
        work()
        yield

    next(steps())


@cache
def _is_atomic(code: CodeType, offset: int) -> bool:
    """Whether the code at `offset` is `try:`, or calls the `__exit__` of a block that is left."""
    rest = [step for step in dis.get_instructions(code) if step.offset >= offset]
    names = [step.opname for step in rest[:2]]
    if names[0] == "NOP" or names == ["PUSH_EXC_INFO", "WITH_EXCEPT_START"]:
        return True
    while rest and rest[0].opname in ("SWAP", "POP_TOP", "ROT_TWO"):
        rest.pop(0)
    calls = [step.opname.startswith("LOAD_CONST") and step.argval is None for step in rest[:3]]
    return calls == [True] * 3
