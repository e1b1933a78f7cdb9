"""Node: what arrays and groups have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from zchunk.attributes import Attributes
from zchunk.chunk_cache import ChunkCache, as_cache
from zchunk.compat import check_unsupported
from zchunk.display import InfoReporter, Items
from zchunk.keys import ATTRS_KEY, normalize_path
from zchunk.storage.base import Store, as_store


class Node:
    """Base of `zchunk.Array` and `zchunk.Group`: where it is, and its attributes."""

    # Version of the format, by the name that programs ask zarr 2 for.
    _version = 2

    def __init__(
        self,
        store: Any,
        path: str | None,
        read_only: bool,
        chunk_store: Any,
        synchronizer: Any,
        cache_attrs: bool,
        zarr_version: int | None,
        meta_array: Any,
        cache_bytes: int | ChunkCache | None,
    ) -> None:
        check_unsupported(zarr_version, meta_array)
        self._store = as_store(store)
        self._chunk_store = None if chunk_store is None else as_store(chunk_store)
        self._path = normalize_path(path)
        # What all keys of the node begin with.
        self._key_prefix = self._path + "/" if self._path else ""
        self._read_only = bool(read_only)
        self._synchronizer = synchronizer
        self._cache = as_cache(cache_bytes)
        self._attrs = Attributes(
            self._store, self._key_prefix + ATTRS_KEY, self._read_only, cache_attrs, synchronizer
        )

    @property
    def store(self) -> Store:
        """The store that holds the metadata."""
        return self._store

    @property
    def chunk_store(self) -> Store:
        """The store that holds the chunks."""
        return self._store if self._chunk_store is None else self._chunk_store

    @property
    def path(self) -> str:
        """Path in the store, ``""`` for the root."""
        return self._path

    @property
    def read_only(self) -> bool:
        """Whether changes are refused."""
        return self._read_only

    @property
    def synchronizer(self) -> Any:
        """What hands out locks by key, or None."""
        return self._synchronizer

    @property
    def chunk_cache(self) -> ChunkCache | None:
        """The decoded chunks that are kept, None unless opened with ``cache_bytes``."""
        return self._cache

    @property
    def meta_array(self) -> np.ndarray[Any, Any]:
        """An array of the kind that reading gives, NumPy's (zarr 2's name)."""
        return np.empty(())

    @property
    def attrs(self) -> Attributes:
        """User attributes, a mapping that writes through to the store."""
        return self._attrs

    @property
    def info(self) -> InfoReporter:
        """Table of the node's properties, as text and HTML."""
        return InfoReporter(self.info_items)

    def info_items(self) -> Items:
        """Return the rows of `info`."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, type(self))
            and self.store == other.store
            and self.path == other.path
            and self.read_only == other.read_only
        )

    __hash__ = None  # type: ignore[assignment]
