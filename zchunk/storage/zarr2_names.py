"""The methods of a store that zarr 2 has under other names, and that programs written for it call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from zchunk.runtime.lazy import LazyModule
from zchunk.spec.keys import ARRAY_KEY, join, normalize_path
from zchunk.storage.checks import DimensionSeparator

if TYPE_CHECKING:
    from zchunk.storage import mapping as _mapping
    from zchunk.storage.base import Store
    from zchunk.wings.zarr2 import metadata as _metadata
else:
    _metadata, _mapping = LazyModule("zchunk.wings.zarr2.metadata"), LazyModule("zchunk.storage.mapping")


class _Values(Protocol):
    """What the methods here ask of a store."""

    _dimension_separator: DimensionSeparator | None

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]: ...
    def set_many(self, items: Mapping[str, Any]) -> None: ...
    def erase_many(self, keys: Iterable[str]) -> None: ...
    def list_dir(self, path: str = "") -> list[str]: ...
    def erase_prefix(self, path: str = "") -> None: ...
    def _chunks(self, path: str, name: str) -> Iterator[str]: ...


class Zarr2Names:
    """Base of `zchunk.storage.Store`: zarr 2's names of what a store does by others."""

    @property
    def _metadata_class(self) -> Any:
        # Stores for zarr 2 that were made elsewhere ask for it.
        return _metadata.Metadata2

    @staticmethod
    def _ensure_store(store: object) -> Store:
        # Stores for zarr 2 that wrap another one call it.
        try:
            return _mapping.as_store(store)
        except TypeError as error:
            raise ValueError(str(error)) from None

    def is_readable(self) -> bool:
        """Whether values can be read: always.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.is_readable()
        True
        """
        return True

    def is_writeable(self) -> bool:
        """Whether there are methods for writing: always.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.is_writeable()
        True
        """
        return True

    def is_listable(self) -> bool:
        """Whether keys can be listed: always.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.is_listable()
        True
        """
        return True

    def is_erasable(self) -> bool:
        """Whether there are methods for deleting: always.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.is_erasable()
        True
        """
        return True

    def getitems(self: _Values, keys: Iterable[str], *, contexts: object = None) -> dict[str, bytes]:
        """Do what `get_many` does. `contexts` mean nothing here.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.set_many({"a/x": b"value", "a/y": b"other"})
        >>> store.getitems(["a/x", "a/z"])
        {'a/x': b'value'}
        """
        return self.get_many(keys)

    def setitems(self: _Values, values: Mapping[str, Any]) -> None:
        """Do what `set_many` does.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.setitems({"a/x": b"value"})
        >>> list(store)
        ['a/x']
        """
        self.set_many(values)

    def delitems(self: _Values, keys: Iterable[str]) -> None:
        """Do what `erase_many` does.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.set_many({"a/x": b"value", "a/y": b"other"})
        >>> store.delitems(["a/x"])
        >>> list(store)
        ['a/y']
        """
        self.erase_many(keys)

    def listdir(self: _Values, path: str | None = None) -> list[str]:
        """Do what `list_dir` does, except for an array in a store that has the separator ``/`` for all.

        There, the keys of chunks (``0/0``) come instead of the folders that they are in.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.set_many({"a/x": b"value", "a/y": b"other"})
        >>> store.listdir("/a/")
        ['x', 'y']
        """
        path = normalize_path(path)
        names = self.list_dir(path)
        if self._dimension_separator == "/" and ARRAY_KEY in names:
            return sorted(key for name in names for key in self._chunks(path, name))
        return names

    def _chunks(self: _Values, path: str, name: str) -> Iterator[str]:
        below = self.list_dir(join(path, name)) if name.isdecimal() else []
        for child in below:
            yield from (f"{name}/{key}" for key in self._chunks(join(path, name), child))
        if not below:
            yield name

    def rmdir(self: _Values, path: str | None = None) -> None:
        """Do what `erase_prefix` does.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.set_many({"a/x": b"value", "a/y": b"other"})
        >>> store.rmdir("a")
        >>> list(store)
        []
        """
        self.erase_prefix(normalize_path(path))
