"""`copy_store`: a hierarchy from one store to another, key by key, or converted to another Zarr format."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from zchunk.convenience.copy_report import Report, reporting
from zchunk.convenience.copying import copy, copy_all
from zchunk.convenience.opening import open
from zchunk.core.array import Array
from zchunk.creation.opening import open_array
from zchunk.engine import chunk_cache
from zchunk.errors import CopyError, StoreError
from zchunk.hierarchy.groups import Group, group
from zchunk.metadata.v2 import parse_json
from zchunk.runtime.near_names import says_near_names
from zchunk.runtime.progress import reporting_progress
from zchunk.spec.keys import (
    ARRAY_KEY,
    ATTRS_KEY,
    CONSOLIDATED_KEY,
    GROUP_KEY,
    N5_KEY,
    NODE_KEY,
    UNFINISHED_KEY,
    join,
    normalize_path,
)
from zchunk.storage.base import Store
from zchunk.storage.checks import as_buffer, as_bytes
from zchunk.storage.mapping import as_store, check_mapping
from zchunk.storage.memory import MemoryStore
from zchunk.storage.queries import contains_array
from zchunk.storage.resolve import using_store

if TYPE_CHECKING:
    from zchunk.convenience.copy_report import LogLike
    from zchunk.typing import ProgressLike, StoreLike, ZarrFormat

# Values of so many bytes are copied without a look at what they belong to.
_LARGE = 1 << 26
# So many keys are sorted at a time.
_RUN = 1 << 15


@says_near_names
def copy_store(
    source: StoreLike | Mapping[str, Any] | Group,
    dest: StoreLike,
    source_path: str = "",
    dest_path: str = "",
    excludes: str | Sequence[str] | None = None,
    includes: str | Sequence[str] | None = None,
    flags: int = 0,
    if_exists: Literal["raise", "replace", "skip"] = "raise",
    dry_run: bool = False,
    log: LogLike = None,
    *,
    zarr_format: ZarrFormat | None = None,
    progress: ProgressLike = None,
    create_kws: Mapping[str, Any] | None = None,
) -> tuple[int, int, int]:
    """Copy keys and values from one store to another, one at a time and without decoding chunks.

    With `zarr_format` the array or group at the path is copied instead, as `copy` does, and becomes one of
    that format.

    The metadata of a node come after all chunks, those of the group at the top last: what a copy that was
    killed leaves does not look complete. An array that is replaced has none meanwhile.

    Parameters
    ----------
    source : path, mapping or Group
        Store to copy from; or a group in one, which is copied with all that is below it.
    dest : path or MutableMapping
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

    Examples
    --------
    >>> import zchunk
    >>> source, dest = zchunk.MemoryStore(), {}
    >>> zchunk.save(source, a=[1, 2], b=[3])
    >>> zchunk.copy_store(source, dest, excludes="^b")[:2]
    (3, 0)
    >>> zchunk.open_group(dest, "r")["a"][:]
    array([1, 2])
    """
    if if_exists not in ("raise", "replace", "skip"):
        raise ValueError(f"if_exists is {if_exists!r}, not 'raise', 'replace' or 'skip'")
    if zarr_format is None and create_kws:
        raise ValueError("create_kws are for arrays that are made: give zarr_format too")
    if zarr_format is not None and not excludes is includes is None:
        raise ValueError("excludes and includes are for keys; with zarr_format nodes are copied")
    with _reading(source, source_path) as (old, source_path), using_store(dest, "a") as store:
        if zarr_format is not None:
            how = {"if_exists": if_exists, "dry_run": dry_run, "log": log, "progress": progress}
            parameters = {**(create_kws or {}), **how}
            return _convert(as_store(old), store, source_path, dest_path, zarr_format, parameters)
        below, to = (f"{path}/" if path else "" for path in map(normalize_path, (source_path, dest_path)))
        selected = _Selected(_found(old, below, _compiled(excludes, flags), _compiled(includes, flags)))
        # What a mapping holds stays what it is, which a store over it would make bytes of.
        new: Any = dest if isinstance(dest, Mapping) else store
        with reporting(log, dry_run) as report:
            try:
                if if_exists == "replace" and not dry_run:
                    _unmake(old, new, {key: to + key[len(below) :] for key in selected.metadata})
                keys = ((key, to + key[len(below) :]) for key in selected)
                with reporting_progress(progress, lambda: len(selected), "keys") as advance:
                    _copy_keys(old, new, keys, if_exists, report, advance)
            finally:
                chunk_cache.forget(store, to.rstrip("/"))
            return report.counts()


@contextmanager
def _reading(
    source: StoreLike | Mapping[str, Any] | Group, path: str
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Give what to copy from, and the path in it."""
    if isinstance(source, Group):
        if source.chunk_store is not source.store:
            raise ValueError(f"{source!r} has its chunks in another store: copy both, or use copy_all")
        yield source.store, join(source.path, path) if path else source.path
    elif isinstance(source, Mapping):
        # One that cannot be changed is enough.
        check_mapping(source)
        yield source, path
    else:
        with using_store(source, "r") as store:
            yield store, path


def _unmake(source: Mapping[str, Any], dest: MutableMapping[str, Any], keys: Mapping[str, str]) -> None:
    """Delete the metadata of arrays that are replaced: chunks of both would be read as one array."""
    there = getattr(dest, "lock_identity", id(dest))
    in_place = there == getattr(source, "lock_identity", id(source))
    for old, new in keys.items():
        name = old.rpartition("/")[2]
        if name in (ARRAY_KEY, NODE_KEY, N5_KEY) and not (in_place and new in keys) and new in dest:
            document = parse_json(as_bytes(dest[new]), new)
            if document.get("node_type") != "group" and (name != N5_KEY or "dimensions" in document):
                del dest[new]


def _copy_keys(
    source: Mapping[str, Any],
    dest: MutableMapping[str, Any],
    keys: Iterable[tuple[str, str]],
    if_exists: str,
    report: Report,
    advance: Callable[[int], None],
) -> None:
    """Copy values of the keys of one store to those of the other."""
    for old, new in keys:
        what = old if new == old else f"{old} -> {new}"
        if if_exists == "replace" or new not in dest:
            report.copy(what)
            if not report.dry_run:
                if isinstance(source, Store):
                    _refuse_larger(source, old)
                value = source[old]
                dest[new] = value
                report.nbytes += len(as_buffer(value))
        elif if_exists == "raise":
            raise CopyError(f"key {new!r} is in the destination; use if_exists='replace' or 'skip'")
        else:
            report.skip(what)
        advance(1)


def _refuse_larger(source: Store, key: str) -> None:
    """Raise `StoreError` if a value would be far larger than what is stored of it, and than it can be."""
    try:
        source.refuse_larger(key, _LARGE)
    except StoreError:
        source.refuse_larger(key, _most_stored(source, key))


def _most_stored(source: Store, key: str) -> int | None:
    """Return how many bytes a value can have as a chunk of the array above it; None if that is not known."""
    path = key
    while path:
        path = path.rpartition("/")[0]
        if contains_array(source, path):
            return open_array(source, "r", path=path)._current.most_stored
    return None


def _convert(
    source: Store, dest: Store, source_path: str, dest_path: str, zarr_format: ZarrFormat, how: dict[str, Any]
) -> tuple[int, int, int]:
    """Copy the node at one path to the other, where it gets a format."""
    node, path = open(source, "r", path=source_path), normalize_path(dest_path)
    above, _, name = path.rpartition("/")
    if isinstance(node, Array):
        if not name:
            raise ValueError("an array is copied into a group; give dest_path, the path of the copy")
        return copy(node, group(dest, path=above, zarr_format=zarr_format), name, **how)
    if how["dry_run"]:
        # Into nothing: what is there is not looked at.
        dest, path = MemoryStore(), ""
    return copy_all(node, group(dest, path=path, zarr_format=zarr_format), **how)


def _compiled(patterns: str | Sequence[str] | None, flags: int) -> list[re.Pattern[str]]:
    if patterns is None:
        return []
    return [re.compile(p, flags) for p in ([patterns] if isinstance(patterns, str) else patterns)]


def _found(
    source: Mapping[str, Any], below: str, excludes: list[re.Pattern[str]], includes: list[re.Pattern[str]]
) -> Iterator[str]:
    """Yield the keys of a store that are asked for."""
    return (
        key
        for key in source
        if key.startswith(below)
        and (
            not any(pattern.search(key) for pattern in excludes)
            or any(pattern.search(key) for pattern in includes)
        )
    )


class _Selected:
    """The keys to copy: chunks, then metadata, those of what lies deepest first.

    Complete before anything is written, for both stores may be one; and packed, for a million strings take
    many times the memory of their characters.
    """

    def __init__(self, found: Iterable[str]) -> None:
        self._packed, self._apart, self.metadata = list[str](), list[str](), list[str]()
        self._count, rest = 0, self._chunks(found)
        while run := sorted(islice(rest, _RUN)):
            self._count += len(run)
            self._packed.append("\0".join(run))
        there = set(self.metadata)
        self._apart = sorted(key for key in self._apart if not _is_left(key, there))
        self.metadata.sort(key=_order)

    def _chunks(self, found: Iterable[str]) -> Iterator[str]:
        """Yield the keys of chunks, and keep the others."""
        for key in found:
            name = key.rpartition("/")[2]
            if name in _METADATA:
                self.metadata.append(key)
            elif name == UNFINISHED_KEY or "\0" in key:
                # No store takes such a key, which is for it to say.
                self._apart.append(key)
            else:
                yield key

    def __len__(self) -> int:
        return self._count + len(self._apart) + len(self.metadata)

    def __iter__(self) -> Iterator[str]:
        yield from merge(*map(_unpacked, self._packed), self._apart)
        yield from self.metadata


def _unpacked(keys: str) -> Iterator[str]:
    start = 0
    while (end := keys.find("\0", start)) >= 0:
        yield keys[start:end]
        start = end + 1
    yield keys[start:]


def _is_left(key: str, there: Collection[str]) -> bool:
    """Whether a key is the mark beside a node: another process is about to replace that, or was killed."""
    path, _, name = key.rpartition("/")
    nodes = (join(path, node) for node in (ARRAY_KEY, GROUP_KEY, NODE_KEY))
    return name == UNFINISHED_KEY and any(node in there for node in nodes)


# Whether a node is there is told by the last of its keys; one that is consolidated is found by those.
_METADATA = {
    name: i
    for i, name in enumerate((ATTRS_KEY, N5_KEY, ARRAY_KEY, GROUP_KEY, NODE_KEY, CONSOLIDATED_KEY))
}


def _order(key: str) -> tuple[int, str, int]:
    path, _, name = key.rpartition("/")
    return -(path.count("/") + 1 if path else 0), path, _METADATA[name]
