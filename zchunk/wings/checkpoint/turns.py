"""Turns: one call of a manager or a series at a time.

Their calls share buffers and the order of messages, so a second one in the middle of the first would write
wrong values. It raises and does not wait: a signal handler would wait for the code that it interrupts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from zchunk.errors import CheckpointError

P = ParamSpec("P")
R = TypeVar("R")


class Call(NamedTuple):
    """A call that is at work: its name, and that of its thread."""

    name: str
    thread: str


class OneAtATime:
    """An object whose methods that `in_turn` decorates are called one at a time."""

    def __init__(self) -> None:
        # None or one.
        self._calls: dict[str, Call] = {}


Owner = TypeVar("Owner", bound=OneAtATime)


def in_turn(method: Callable[Concatenate[Owner, P], R]) -> Callable[Concatenate[Owner, P], R]:
    """Return a method that raises `CheckpointError` while another one of the object is at work."""
    name = method.__name__

    @wraps(method)
    def call(self: Owner, /, *args: P.args, **kwargs: P.kwargs) -> R:
        calls, mine = self._calls, Call(name, threading.current_thread().name)
        try:
            # In one step, for threads and for signal handlers.
            there = calls.setdefault("", mine)
            if there is not mine:
                raise CheckpointError(
                    f"{self!r}: {name} is called in thread {mine.thread!r} while {there.name} is at work in "
                    f"thread {there.thread!r}: its calls come one after the other. Make them in one thread, "
                    "or under a lock; in a signal handler set a flag, or give the signal as signals="
                )
            return method(self, *args, **kwargs)
        finally:
            # No call, after which Ctrl-C could come.
            if "" in calls and calls[""] is mine:
                del calls[""]

    return call
