"""What commands print: text and tables, JSON, colour on terminals, complaints in one line."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from zchunk.runtime.lazy import LazyModule

if TYPE_CHECKING:
    import json
else:
    json = LazyModule("json")

# What advice says of Python that has an option in a shell.
_REPAIR = re.compile(r"\brepair\((\w+)='(\w+)'\)")
_FORMAT = re.compile(r"\badd zarr_format=([23])\b")
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "bold": "1", "dim": "2"}


def coloured(text: str, colour: str, file: IO[str] | None = None) -> str:
    """Return text with a colour, if the file is a terminal and the user wants colours.

    Examples
    --------
    >>> import io
    >>> coloured("error", "red", io.StringIO())
    'error'
    """
    file = sys.stdout if file is None else file
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\033[{_COLOURS[colour]}m{text}\033[0m" if wanted and file.isatty() else text


def complain(command: str, text: str) -> None:
    """Print a line on standard error."""
    head = f"zchunk {command}:" if command else "zchunk:"
    print(coloured(head, "red", sys.stderr), text, file=sys.stderr)


def one_line(text: str) -> str:
    """Return text on one line, with what a terminal would obey made visible.

    Examples
    --------
    >>> one_line("two\\nlines")
    'two lines'
    """
    text = " ".join(text.split())
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def for_shells(text: str, path: str = "PATH") -> str:
    """Return text whose advice, as it is given to callers in Python, is what to write in a shell.

    Examples
    --------
    >>> for_shells("repair(bad_chunks='erase')", "run.zarr")
    'zchunk repair run.zarr --bad-chunks erase'
    >>> for_shells("the array is of format 2; add zarr_format=3")
    'the array is of format 2; add --format 3'
    """
    place = shlex.quote(path)
    text = _REPAIR.sub(lambda call: f"zchunk repair {place} --{call[1].replace('_', '-')} {call[2]}", text)
    return _FORMAT.sub(r"add --format \1", text)


def say(text: str) -> None:
    """Print text on standard output, whatever its encoding has."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def say_json(value: object) -> None:
    """Print a value as JSON; numbers that JSON does not have are text, as in Zarr's metadata."""
    say(json.dumps(as_json(value), indent=2, ensure_ascii=False, allow_nan=False))


def as_json(value: Any) -> Any:
    """Return a value as JSON has it.

    Examples
    --------
    >>> import numpy as np
    >>> as_json({"a": np.float32(1.5), "b": (np.nan, b"x"), "c": np.datetime64("2020-01-01")})
    {'a': 1.5, 'b': ['NaN', 'x'], 'c': '2020-01-01'}
    """
    if isinstance(value, np.ndarray):
        return as_json(value.tolist() if value.dtype.kind not in "mM" else value.astype(str).tolist())
    if isinstance(value, np.datetime64 | np.timedelta64):
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {str(key): as_json(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(member) for member in value]
    if isinstance(value, float):
        if value != value:
            return "NaN"
        return value if abs(value) != float("inf") else f"{'-' if value < 0 else ''}Infinity"
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def lines_of(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return the lines of a table; the columns in `right` are numbers.

    Examples
    --------
    >>> lines_of([("a", "1"), ("bcd", "20")], right=[1])
    ['a     1', 'bcd  20']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def size(nbytes: int) -> str:
    """Return a number of bytes for people.

    Examples
    --------
    >>> size(800), size(3 << 20)
    ('800 B', '3.0 MiB')
    """
    value, unit = float(nbytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{nbytes} B" if unit == "B" else f"{value:.1f} {unit}"
