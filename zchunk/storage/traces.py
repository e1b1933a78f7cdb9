"""What is in a store while a node is erased key by key: the trace of it, which says which keys go.

A process that is killed meanwhile leaves the trace. So the next one knows what of the keys that are there was
to be erased, and what others have put there since.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import TYPE_CHECKING

from zchunk.runtime.owners import owner, signature
from zchunk.spec.keys import ERASING_KEY, UNFINISHED_KEY, erase_rank, join

if TYPE_CHECKING:
    from zchunk.storage.base import Store

# Names of what is not to be erased that an error shows.
_SHOWN = 5


def erase_in_order(store: Store, path: str, keys: Iterable[str]) -> None:
    """Erase keys at and below a path, metadata first; with a trace if others may put values among them."""
    trace, ordered = join(path, ERASING_KEY), sorted(keys, key=erase_rank)
    start = bisect_left(ordered, 2, key=erase_rank)
    metadata, chunks = ordered[:start], ordered[start:]
    if metadata and chunks and store.shared:
        # It goes last.
        chunks = [*(key for key in chunks if key != trace), trace]
        store[trace] = trace_of(metadata + chunks)
    store._erase_found(metadata)
    store._erase_found(chunks)


def trace_of(keys: Iterable[str]) -> bytes:
    """Return the value of a trace while this process erases these keys."""
    return b"\n".join([signature(), *map(str.encode, keys)])


def names_left(found: Iterable[str], key: str, trace: bytes) -> list[str]:
    """Return some of the keys found beside the trace `key` that were not being erased, relative to its path.

    Versions before did not say what they erased: all of it may be that.
    """
    keys, start = _keys(trace), len(key) - len(key.rpartition("/")[2])
    left = {*found}.difference(keys, [key, key[:start] + UNFINISHED_KEY]) if keys else []
    return sorted(name[start:] for name in left)[:_SHOWN]


def to_erase(key: str, trace: bytes | None) -> list[str]:
    """Return the keys that a process which is gone had begun to erase, `key` of its trace at the end."""
    return _keys(trace) if trace is not None and owner(trace) in ("gone", "this") else []


def _keys(trace: bytes) -> list[str]:
    return trace.decode().split("\n")[1:]
