"""Files that a command makes: under another name until they are whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from zchunk.wings.command_line.arguments import UsageError


@contextmanager
def new_file(path: str, overwrite: bool) -> Iterator[str]:
    """Give the name of a draft, which replaces the file at the end, and is deleted after an error.

    Examples
    --------
    >>> with new_file("out.txt", overwrite=False) as draft:
    ...     _ = open(draft, "w").write("all of it")
    >>> open("out.txt").read()
    'all of it'
    """
    if os.path.isdir(path):
        raise UsageError(f"{path!r} is a folder; name a file")
    if os.path.exists(path) and not overwrite:
        raise UsageError(f"{path!r} is there already; --overwrite replaces it")
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        raise UsageError(f"{path!r} cannot be written: there is no folder {folder!r}")
    draft = f"{path}.{os.getpid()}.partial"
    try:
        yield draft
        os.replace(draft, path)
    except BaseException as err:
        with suppress(OSError):
            os.remove(draft)
        if isinstance(err, OSError) and err.filename == draft:
            # The user knows no other name.
            err.filename = path
        raise
