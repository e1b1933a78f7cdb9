"""`copy_store`: keys and values from one store to another, as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from zchunk import chunk_cache
from zchunk.copylog import reporting
from zchunk.errors import CopyError
from zchunk.keys import normalize_path
from zchunk.storage.base import as_buffer, as_store


def copy_store(
    source: Mapping[str, Any],
    dest: MutableMapping[str, Any],
    source_path: str = "",
    dest_path: str = "",
    excludes: str | Sequence[str] | None = None,
    includes: str | Sequence[str] | None = None,
    flags: int = 0,
    if_exists: str = "raise",
    dry_run: bool = False,
    log: Any = None,
) -> tuple[int, int, int]:
    """Copy keys and values from one store to another, one at a time and without decoding chunks.

    Parameters
    ----------
    source : mapping
        Store to copy from.
    dest : MutableMapping
        Store to copy to.
    source_path, dest_path : str, optional
        Copy what is below the one path to below the other.
    excludes, includes : str or sequence of str, optional
        Regular expressions. A key of `source` in which one of `excludes` is found, but none of `includes`, is
        left out.
    flags : int, optional
        Of the regular expressions, as for `re.compile`.
    if_exists : {"raise", "replace", "skip"}, optional
        What to do with a key that is in `dest` already.
    dry_run : bool, optional
        Only log what would be copied.
    log : callable, path or file, optional
        Gets a line of text for each key, and a summary.

    Returns
    -------
    n_copied, n_skipped, n_bytes_copied : int

    Raises
    ------
    CopyError
        A key is in `dest` already, and `if_exists` is ``"raise"``. Keys before it are copied.
    """
    if if_exists not in ("raise", "replace", "skip"):
        raise ValueError(f"if_exists is {if_exists!r}, not 'raise', 'replace' or 'skip'")
    below, to = (f"{path}/" if path else "" for path in map(normalize_path, (source_path, dest_path)))
    store = as_store(dest)
    with reporting(log, dry_run) as report:
        try:
            for key in _selected(source, below, _compiled(excludes, flags), _compiled(includes, flags)):
                new = to + key[len(below) :]
                what = key if new == key else f"{key} -> {new}"
                if if_exists != "replace" and new in dest:
                    if if_exists == "raise":
                        raise CopyError(
                            f"key {new!r} is in the destination; use if_exists='replace' or 'skip'"
                        )
                    report.skip(what)
                    continue
                report.copy(what)
                if not dry_run:
                    value = source[key]
                    dest[new] = value
                    report.nbytes += len(as_buffer(value))
        finally:
            chunk_cache.forget(store, to.rstrip("/"))
        return report.counts()


def _compiled(patterns: str | Sequence[str] | None, flags: int) -> list[re.Pattern[str]]:
    if patterns is None:
        return []
    return [re.compile(p, flags) for p in ([patterns] if isinstance(patterns, str) else patterns)]


def _selected(
    source: Mapping[str, Any], below: str, excludes: list[re.Pattern[str]], includes: list[re.Pattern[str]]
) -> Iterator[str]:
    # Sorted, and so complete before anything is written: both stores may be one.
    for key in sorted(source.keys()):
        if key.startswith(below):
            excluded = any(pattern.search(key) for pattern in excludes)
            if not excluded or any(pattern.search(key) for pattern in includes):
                yield key
