"""Stores of zarr-python as stores of zchunk: those whose values lie where zchunk can reach them by itself.

A store of another class, even one derived from these, may do anything on the way, so that it is none of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from functools import partial
from typing import Any, Literal, NamedTuple

from zarr import storage
from zarr.core.buffer import cpu

from zchunk.errors import StoreError
from zchunk.storage.base import Store
from zchunk.storage.checks import as_bytes
from zchunk.storage.cloud.objects import ObjectStore
from zchunk.storage.local.directory import DirectoryStore
from zchunk.storage.zip.store import ZipStore

_IN_MEMORY = {storage.MemoryStore, getattr(storage, "ManagedMemoryStore", storage.MemoryStore)}
_PROTOTYPE = cpu.buffer_prototype
# What `zarr.storage.FsspecStore` makes of local files, and for which errors it says that there is no value.
_LOCAL = (
    "fsspec.implementations.asyn_wrapper.AsyncFileSystemWrapper",
    "fsspec.implementations.local.LocalFileSystem",
)
_MISSING = {FileNotFoundError, IsADirectoryError, NotADirectoryError}


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


class ArchiveStore(Store):
    """The values of a `zarr.storage.ZipStore` that may be written to, by its own methods and under its lock.

    What is written to an archive is in its directory only at the end, so that no other store would find it.

    Parameters
    ----------
    archive : zarr.storage.ZipStore
        An open one.
    """

    def __init__(self, archive: Any) -> None:
        self._archive = archive

    @property
    def lock_identity(self) -> str:
        return f"zarr-zip-{id(self._archive)}"

    def __getitem__(self, key: str) -> bytes:
        with self._archive._lock:
            found = self._archive._get(key, _PROTOTYPE)
        if found is None:
            raise KeyError(key)
        return bytes(found.to_bytes())

    def __setitem__(self, key: str, value: Any) -> None:
        with self._archive._lock:
            self._archive._set(key, cpu.Buffer.from_bytes(as_bytes(value)))

    def __delitem__(self, key: str) -> None:
        if key in self:
            # zarr-python raises its own error for it.
            raise StoreError(f"{key!r} cannot be deleted: it is in an archive")
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        with self._archive._lock:
            return key in self._archive._zf.NameToInfo

    def __iter__(self) -> Iterator[str]:
        with self._archive._lock:
            return iter(dict.fromkeys(self._archive._zf.namelist()))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Place(NamedTuple):
    """Where the values of a store lie."""

    kind: Literal["folder", "files", "memory", "zip", "archive", "bucket"]
    # An absolute path, the store itself, or the mapping or the bucket of obstore.
    at: Any
    # What the store says of it, and whether that depends on the working directory.
    given: Any
    moves: bool = False

    def is_of(self, store: Any) -> bool:
        """Whether the values of the store lie there still.

        A store can be moved, and a relative path leads elsewhere when the working directory changes.
        """
        given = getattr(store, _SAID[self.kind], None)
        return given is self.given and (not self.moves or os.path.abspath(given) == self.at)


# The attribute of a store that says where its values are.
_SAID = {
    "folder": "root",
    "files": "path",
    "memory": "_store_dict",
    "zip": "path",
    "archive": "_zf",
    "bucket": "store",
}


def place_of(store: Any) -> Place | None:
    """Return where the values of a store of zarr-python lie; None if zchunk does not reach them by itself."""
    kind = type(store)
    if kind is storage.LocalStore:
        return Place("folder", os.path.abspath(store.root), store.root, not os.path.isabs(store.root))
    if kind in _IN_MEMORY and not getattr(store, "path", ""):
        # Of a managed one with a path, keys begin with that.
        return Place("memory", store._store_dict, store._store_dict)
    if kind is storage.ZipStore and store._zmode != "r":
        return Place("archive", store, getattr(store, "_zf", None))
    if kind is storage.ZipStore and isinstance(store.path, os.PathLike):
        return Place("zip", os.path.abspath(store.path), store.path, not os.path.isabs(store.path))
    if kind is storage.ObjectStore:
        return Place("bucket", store.store, store.store)
    if kind is storage.FsspecStore and os.path.isabs(store.path) and _local_files(store) is not None:
        return Place("files", store.path, store.path)
    return None


def _local_files(store: Any) -> Any:
    """Return fsspec's local file system if a `zarr.storage.FsspecStore` is one of that and nothing else."""
    files = getattr(store.fs, "sync_fs", None)
    names = tuple(f"{type(fs).__module__}.{type(fs).__qualname__}" for fs in (store.fs, files))
    return files if names == _LOCAL and set(store.allowed_exceptions) == _MISSING else None


def is_writable(store: Any) -> bool:
    """Whether zchunk may write to a store; if not, zarr-python does, or says why it does not."""
    if store.read_only:
        return False
    # Without it a file system of fsspec makes no folders.
    return type(store) is not storage.FsspecStore or bool(_local_files(store).auto_mkdir)


def is_near(store: Any) -> bool:
    """Whether a store answers at once: no bucket."""
    return type(store) is not storage.ObjectStore


def store_at(place: Place) -> Store:
    """Return zchunk's store of a place."""
    return _STORES[place.kind](place.at)


_STORES: dict[str, Callable[[Any], Store]] = {
    "folder": DirectoryStore,
    "files": DirectoryStore,
    "memory": BufferStore,
    "zip": partial(ZipStore, mode="r"),
    "archive": ArchiveStore,
    "bucket": ObjectStore,
}
