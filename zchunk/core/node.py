"""Node: what arrays and groups have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk.core.attributes import Attributes
from zchunk.core.info import InfoReporter, Items
from zchunk.engine.chunk_cache import ChunkCache, as_cache
from zchunk.metadata.formats import Format
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.keys import normalize_path
from zchunk.spec.versions import check_unsupported
from zchunk.storage.base import Store
from zchunk.storage.mapping import as_store

if TYPE_CHECKING:
    from zchunk.core import tokens
else:
    # For dask only.
    tokens = LazyModule("zchunk.core.tokens")


class Node:
    """Base of `zchunk.Array` and `zchunk.Group`: where it is, and its attributes."""

    _format: Format
    _attrs: Attributes

    def __init__(
        self,
        store: Any,
        path: str | None,
        read_only: bool,
        chunk_store: Any,
        synchronizer: Any,
        cache_attrs: bool,
        meta_array: Any,
        cache_bytes: int | ChunkCache | None,
    ) -> None:
        check_unsupported(meta_array)
        self._store = as_store(store)
        self._chunk_store = None if chunk_store is None else as_store(chunk_store)
        self._path = normalize_path(path)
        # What all keys of the node begin with.
        self._key_prefix = self._path + "/" if self._path else ""
        self._read_only = bool(read_only)
        self._synchronizer = synchronizer
        self._cache = as_cache(cache_bytes)
        self._cache_attrs = bool(cache_attrs)

    def _of_format(self, fmt: Format) -> None:
        """Set what depends on the format, which is known once the node is found."""
        self._format = fmt
        self._attrs = Attributes(
            self._store,
            self._key_prefix + fmt.attrs_key,
            self._read_only,
            self._cache_attrs,
            self._synchronizer,
            member=fmt.attrs_member,
        )

    def __dask_tokenize__(self) -> Any:
        return tokens.dask_token(self)

    @property
    def zarr_format(self) -> int:
        """Version of the format, 2 or 3."""
        return self._format.version

    @property
    def _version(self) -> int:
        # By the name that programs ask zarr 2 for.
        return self._format.version

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
