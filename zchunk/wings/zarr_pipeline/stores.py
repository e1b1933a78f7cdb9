"""Stores of zarr-python as stores of zchunk: those whose values lie where zchunk can reach them by itself.

A store of another class, even one derived from these, may do anything on the way, so that it is none of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, Literal, NamedTuple

from zarr import storage
from zarr.core.buffer import cpu

from zchunk.storage.base import Store
from zchunk.storage.checks import as_bytes
from zchunk.storage.cloud.objects import ObjectStore
from zchunk.storage.local.directory import DirectoryStore
from zchunk.storage.zip.store import ZipStore

_IN_MEMORY = {storage.MemoryStore, getattr(storage, "ManagedMemoryStore", storage.MemoryStore)}


class BufferStore(Store):
    """The values of a `zarr.storage.MemoryStore`.

    Parameters
    ----------
    buffers : MutableMapping
        The mapping of that store, from keys to buffers of zarr-python.
    """

    quick_lookups = True

    def __init__(self, buffers: MutableMapping[str, Any]) -> None:
        self._buffers = buffers

    @property
    def lock_identity(self) -> str:
        return f"zarr-memory-{id(self._buffers)}"

    def __getitem__(self, key: str) -> bytes:
        return bytes(self._buffers[key].to_bytes())

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        # Not copied: buffers in a store are replaced, never changed.
        found = {key: self._buffers.get(key) for key in keys}
        return {
            key: memoryview(buffer.as_numpy_array()).toreadonly()
            for key, buffer in found.items()
            if buffer is not None
        }

    def __setitem__(self, key: str, value: Any) -> None:
        self._buffers[key] = cpu.Buffer.from_bytes(as_bytes(value))

    def __delitem__(self, key: str) -> None:
        del self._buffers[key]

    def __contains__(self, key: object) -> bool:
        return key in self._buffers

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._buffers))

    def __len__(self) -> int:
        return len(self._buffers)


class Place(NamedTuple):
    """Where the values of a store lie."""

    kind: Literal["folder", "memory", "zip", "bucket"]
    # An absolute path, or the mapping or the bucket of obstore itself.
    at: Any
    # What the store says of it, and whether that depends on the working directory.
    given: Any
    moves: bool = False

    def is_of(self, store: Any) -> bool:
        """Whether the values of the store lie there still.

        A store can be moved, and a relative path leads elsewhere when the working directory changes.
        """
        given = getattr(store, _SAID[self.kind])
        return given is self.given and (not self.moves or os.path.abspath(given) == self.at)


# The attribute of a store that says where its values are.
_SAID = {"folder": "root", "memory": "_store_dict", "zip": "path", "bucket": "store"}


def place_of(store: Any) -> Place | None:
    """Return where the values of a store of zarr-python lie; None if zchunk does not reach them by itself."""
    kind = type(store)
    if kind is storage.LocalStore:
        return Place("folder", os.path.abspath(store.root), store.root, not os.path.isabs(store.root))
    if kind in _IN_MEMORY and not getattr(store, "path", ""):
        # Of a managed one with a path, keys begin with that.
        return Place("memory", store._store_dict, store._store_dict)
    if kind is storage.ZipStore and store._zmode == "r" and isinstance(store.path, os.PathLike):
        # What is written to an archive is in its directory only at the end.
        return Place("zip", os.path.abspath(store.path), store.path, not os.path.isabs(store.path))
    if kind is storage.ObjectStore:
        return Place("bucket", store.store, store.store)
    return None


def is_near(store: Any) -> bool:
    """Whether a store answers at once: no bucket."""
    return type(store) is not storage.ObjectStore


def store_at(place: Place) -> Store:
    """Return zchunk's store of a place."""
    if place.kind == "folder":
        return DirectoryStore(place.at)
    if place.kind == "memory":
        return BufferStore(place.at)
    return ZipStore(place.at, mode="r") if place.kind == "zip" else ObjectStore(place.at)
