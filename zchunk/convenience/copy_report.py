"""What a copy reports: a line for each thing, and how much there was."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias


class _File(Protocol):
    """An open text file."""

    def write(self, text: str, /) -> object: ...


LogLike: TypeAlias = Callable[[str], object] | str | os.PathLike[str] | _File | None
"""What takes the lines of a log: a function, an open file or the path of one to replace; None: nothing."""


class Report:
    """Counts and logs what is copied.

    Parameters
    ----------
    write : callable
        Takes a line of the log.
    dry_run : bool
        Nothing is really copied.
    """

    def __init__(self, write: Callable[[str], object], dry_run: bool) -> None:
        self.write = write
        self.dry_run = dry_run
        self.copied = self.skipped = self.nbytes = 0

    def copy(self, what: str) -> None:
        """Say and count that something is copied."""
        self.copied += 1
        self.write(f"copy {what}")

    def skip(self, what: str) -> None:
        """Say and count that something is not copied."""
        self.skipped += 1
        self.write(f"skip {what}")

    def counts(self) -> tuple[int, int, int]:
        """Return how many were copied and skipped, and the bytes."""
        return self.copied, self.skipped, self.nbytes


@contextmanager
def reporting(log: LogLike, dry_run: bool) -> Iterator[Report]:
    """Give a `Report` that logs to `log`, and let it end with a summary unless the copy fails.

    Parameters
    ----------
    log : callable, path, file or None
        Takes the lines: a function, a text file that is replaced or one that is open, nothing.
    dry_run : bool
        Nothing is really copied.
    """
    with _writer(log) as write:
        report = Report(write, dry_run)
        yield report
        done = "dry run" if dry_run else "all done"
        nbytes = "" if dry_run else f", {report.nbytes:,} bytes copied"
        write(f"{done}: {report.copied:,} copied, {report.skipped:,} skipped{nbytes}")


@contextmanager
def _writer(log: LogLike) -> Iterator[Callable[[str], object]]:
    if log is None:
        yield lambda line: None
    elif callable(log):
        yield log
    elif isinstance(log, str | os.PathLike):
        with open(log, "w", encoding="utf-8") as file:
            yield lambda line: print(line, file=file, flush=True)
    elif hasattr(log, "write"):
        # Not every object that can be written to can be flushed.
        into: Any = log
        yield lambda line: print(line, file=into, flush=hasattr(into, "flush"))
    else:
        raise TypeError(f"log is {log!r:.80}, not a function, a path or an open file")
