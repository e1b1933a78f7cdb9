"""Parameters of a `CheckpointManager`: checking them, and how many threads each of its processes uses."""

from __future__ import annotations

import os
from collections.abc import Sequence

from zchunk.runtime import threads as pool


def check_at_least_1(**numbers: int | None) -> None:
    """Raise `ValueError` for a number that is below 1, by its name."""
    for name, number in numbers.items():
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
            raise ValueError(f"{name} is {number!r}, not an integer of at least 1")


def check_one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    """Raise `ValueError` for a word that is not allowed."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, not one of {', '.join(map(repr, allowed))}")


def use_threads(threads: int | None, processes: int) -> int | None:
    """Use so many threads, or the share of one of some processes; return how many there were if it
    changes."""
    before = pool.get_threads()
    if threads is None:
        shared = processes > 1 and "ZCHUNK_THREADS" not in os.environ
        threads = min(before, max((os.cpu_count() or 1) // processes, 1)) if shared else before
    if threads == before:
        return None
    pool.set_threads(threads)
    return before
