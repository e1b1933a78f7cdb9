"""`copy_store`: a hierarchy from one store to another, key by key, or converted to another Zarr format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from zchunk.convenience.copy_report import reporting
from zchunk.convenience.copying import copy, copy_all
from zchunk.convenience.opening import open
from zchunk.core.array import Array
from zchunk.engine import chunk_cache
from zchunk.errors import CopyError
from zchunk.hierarchy.groups import group
from zchunk.runtime.progress import reporting_progress
from zchunk.spec.keys import normalize_path
from zchunk.storage.base import Store
from zchunk.storage.checks import as_buffer
from zchunk.storage.mapping import as_store
from zchunk.storage.memory import MemoryStore


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
    *,
    zarr_format: int | None = None,
    progress: Any = None,
    create_kws: Mapping[str, Any] | None = None,
) -> tuple[int, int, int]:
    """Copy keys and values from one store to another, one at a time and without decoding chunks.

    With `zarr_format` the array or group at the path is copied instead, as `copy` does, and becomes one of
    that format.

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
    zarr_format : {None, 2, 3}, optional
        Convert to this version of the format.
    progress : bool or callable, optional
        As for `copy`; counts keys, or bytes of items with `zarr_format`.
    create_kws : mapping, optional
        With `zarr_format`: parameters of `create` for the arrays that are made.

    Returns
    -------
    n_copied, n_skipped, n_bytes_copied : int

    Raises
    ------
    CopyError
        A key is in `dest` already, and `if_exists` is ``"raise"``. Keys before it are copied.
    PathNotFoundError
        With `zarr_format`: nothing is at `source_path`.
    """
    if if_exists not in ("raise", "replace", "skip"):
        raise ValueError(f"if_exists is {if_exists!r}, not 'raise', 'replace' or 'skip'")
    below, to = (f"{path}/" if path else "" for path in map(normalize_path, (source_path, dest_path)))
    store = as_store(dest)
    if zarr_format is not None:
        if excludes is not None or includes is not None:
            raise ValueError("excludes and includes are for keys; with zarr_format nodes are copied")
        how = {"if_exists": if_exists, "dry_run": dry_run, "log": log, "progress": progress}
        parameters = {**(create_kws or {}), **how}
        return _convert(as_store(source), store, source_path, dest_path, zarr_format, parameters)
    if create_kws:
        raise ValueError("create_kws are for arrays that are made: give zarr_format too")
    with reporting(log, dry_run) as report:
        keys = _selected(source, below, _compiled(excludes, flags), _compiled(includes, flags))
        try:
            for key in _each(keys, progress):
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


def _each(keys: list[str], progress: Any) -> Iterator[str]:
    with reporting_progress(progress, lambda: len(keys), "keys") as advance:
        for key in keys:
            yield key
            advance(1)


def _convert(
    source: Store, dest: Store, source_path: str, dest_path: str, zarr_format: int, how: dict[str, Any]
) -> tuple[int, int, int]:
    """Copy the node at one path to the other, where it gets a format."""
    node, path = open(source, "r", path=source_path), normalize_path(dest_path)
    above, _, name = path.rpartition("/")
    if isinstance(node, Array):
        if not name:
            raise ValueError("an array is copied into a group; give dest_path, the path that it shall have")
        return copy(node, group(dest, path=above, zarr_format=zarr_format), name, **how)
    if how["dry_run"]:
        # Into nothing: what is there is not looked at.
        dest, path = MemoryStore(), ""
    return copy_all(node, group(dest, path=path, zarr_format=zarr_format), **how)


def _compiled(patterns: str | Sequence[str] | None, flags: int) -> list[re.Pattern[str]]:
    if patterns is None:
        return []
    return [re.compile(p, flags) for p in ([patterns] if isinstance(patterns, str) else patterns)]


def _selected(
    source: Mapping[str, Any], below: str, excludes: list[re.Pattern[str]], includes: list[re.Pattern[str]]
) -> list[str]:
    # Complete before anything is written: both stores may be one.
    return [
        key
        for key in sorted(source.keys())
        if key.startswith(below)
        and (
            not any(pattern.search(key) for pattern in excludes)
            or any(pattern.search(key) for pattern in includes)
        )
    ]
