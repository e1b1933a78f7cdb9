"""What is in a store while a node is erased key by key: the trace of it, which says which keys go.

A process that is killed meanwhile leaves the trace. So the next one knows what of the keys that are there was
to be erased, and what others have put there since.
"""

from __future__ import annotations

from collections.abc import Iterable

from zchunk.runtime.owners import owner, signature

# Names of what is not to be erased that an error shows.
_SHOWN = 5


def trace_of(keys: Iterable[str]) -> bytes:
    """Return the value of a trace while this process erases these keys."""
    return b"\n".join([signature(), *map(str.encode, keys)])


def names_left(found: Iterable[str], key: str, trace: bytes) -> list[str]:
    """Return some of the keys found beside the trace `key` that were not being erased, relative to its path.

    Versions before did not say what they erased: all of it may be that.
    """
    keys, start = _keys(trace), len(key) - len(key.rpartition("/")[2])
    left = {*found}.difference(keys, [key]) if keys else []
    return sorted(name[start:] for name in left)[:_SHOWN]


def to_erase(key: str, trace: bytes | None) -> list[str]:
    """Return the keys that a process which is gone had begun to erase, `key` of its trace at the end."""
    return _keys(trace) if trace is not None and owner(trace) in ("gone", "this") else []


def _keys(trace: bytes) -> list[str]:
    return trace.decode().split("\n")[1:]
