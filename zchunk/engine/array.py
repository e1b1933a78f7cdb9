"""An array as the engine sees it: where its chunks are and how they are encoded."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

import numpy as np

from zchunk._ext.engine.job import Layout
from zchunk._ext.memory.copy import equals_fill
from zchunk._ext.threads.locks import Stripe, Stripes
from zchunk.codecs import CodecChain
from zchunk.codecs.registry import check_allowed
from zchunk.codecs.shard_index import ShardIndex
from zchunk.engine import chunk_cache
from zchunk.engine.chunk_cache import ChunkCache, Stamp
from zchunk.errors import ChunkError, ReadOnlyError
from zchunk.metadata import v3
from zchunk.metadata.array import ArrayMetadata
from zchunk.spec.fill_values import holds_only, object_fill
from zchunk.spec.keys import ChunkKeyEncoding, join
from zchunk.storage.base import Store
from zchunk.storage.local.directory import DURABILITY
from zchunk.storage.mapping import KVStore

# Most chunk shapes of a rectilinear grid that are kept ready.
_SHAPES = 256


class ChunkedArray:
    """An array as the engine sees it: where its chunks are and how they are encoded.

    Immutable; an `Array` makes a new one when its metadata change.

    Parameters
    ----------
    metadata : ArrayMetadata
        Of the array.
    store : Store
        Holds the chunks.
    path : str
        Of the array in the store, normalised.
    write_empty_chunks : bool
        Store chunks that hold nothing but fill values; erase them otherwise.
    synchronizer : mapping of keys to locks, optional
        Held by chunk key during a write.
    cache : ChunkCache, optional
        Keeps decoded chunks. Not those of Python objects, which readers could change.
    """

    def __init__(
        self,
        metadata: ArrayMetadata,
        store: Store,
        path: str,
        write_empty_chunks: bool = True,
        synchronizer: Any = None,
        cache: ChunkCache | None = None,
    ) -> None:
        self.metadata = metadata
        self.store = store
        self.path = path
        self.write_empty_chunks = write_empty_chunks
        self.synchronizer = synchronizer
        # Made once for all arrays with these metadata.
        self.chain: CodecChain = metadata.chain
        self.item: np.dtype[Any] = metadata.item
        self.fill: bytes = metadata.fill
        self.objects = metadata.dtype.hasobject
        self._cache = None if self.objects else cache
        # Of a rectilinear grid the regular arrays have it that its chunks are read as.
        self.cache = self._cache if metadata.edges is None else None
        self._by_shape: dict[tuple[int, ...], ChunkedArray] = {}
        self.meaning = None if self.cache is None else chunk_cache.meaning(metadata, self.fill)
        # Indexes of shards that were read, by the name of the shard, with what its file looked like.
        self.indexes: dict[str, tuple[Any, np.ndarray[Any, Any]]] = {}
        # Of the array in a shard: who writes holds the lock of the shard. Caches keep its chunks by the name
        # of the shard and their own; they are what they were if the shard is.
        self.in_shard = False
        self.prefix = ""
        self.stamp: tuple[Stamp | None, bool] | None = None
        root = store.root
        # None if the chunks are not files.
        self.folder = None if root is None else os.fsencode(os.path.join(root, path) if path else root)
        # Of a view that does nothing but convert items: what it is a view of.
        self.source: ChunkedArray | None = None
        # None if the native executor cannot run the codecs.
        self.layout = self._layout()

    def _layout(self) -> Layout | None:
        spec, metadata = self.chain.native_spec, self.metadata
        if spec is None or metadata.shards is not None or metadata.edges is not None:
            return None
        return Layout(
            metadata.chunk_shape,
            metadata.order,
            spec,
            self.fill_item.byteswap().tobytes() if metadata.swapped else self.fill,
            self.folder,
            metadata.chunk_key_encoding.separator,
            self.write_empty_chunks,
            self.durability,
            metadata.chunk_key_encoding.name == "default",
        )

    @cached_property
    def lock_seed(self) -> int:
        """Where threads that use other Array or store objects for the same chunks meet at the same locks."""
        where = self.where
        # Links below the folder of the store; how it is reached does not matter already.
        real = os.path.realpath(where) if self.path and os.path.isabs(where) else where
        return hash(real) & (2**64 - 1)

    @cached_property
    def where(self) -> str:
        """Name of the array in this process: the same through stores that begin at other folders above it."""
        return os.path.join(self.store.lock_identity.rstrip("/"), self.path).rstrip("/")

    @property
    def durability(self) -> int:
        """How files are replaced, as `zchunk._ext` has it."""
        return DURABILITY[getattr(self.store, "durability", "atomic")]

    def lock(self, name: str) -> AbstractContextManager[Any]:
        """Return what threads hold that change the chunk of this name."""
        return nullcontext() if self.in_shard else Stripe(self.lock_seed, name)

    def locks(self, names: Iterable[str]) -> AbstractContextManager[Any]:
        """Return what threads hold that change the chunks of these names."""
        return nullcontext() if self.in_shard else Stripes(self.lock_seed, names)

    def in_store(self, store: Store) -> ChunkedArray:
        """Return the array with other values, at other times, of the same chunks."""
        other = copy.copy(self)
        other.store, other.folder, other.where = store, None, self.where
        return other

    @cached_property
    def index(self) -> ShardIndex:
        """How the indexes of shards are encoded."""
        assert self.metadata.shards is not None
        return ShardIndex(self.metadata.shards)

    @cached_property
    def _inner(self) -> ChunkedArray:
        assert self.metadata.shards is not None
        # Inner chunks have no keys of their own; `zchunk.engine.shard.Shard` takes these.
        metadata = self.metadata.shards.inner.replace(chunk_key_encoding=ChunkKeyEncoding("v2", "."))
        inner = ChunkedArray(metadata, KVStore({}), "", self.write_empty_chunks, cache=self.cache)
        inner.in_shard = True
        inner.where = self.where
        return inner

    def inner(self, shard: Store, name: str, stamp: tuple[Stamp | None, bool]) -> ChunkedArray:
        """Return the array in the shard of this name, whose chunks are the values of `shard`.

        `stamp` is what the shard looks like, and whether that may be relied on, as of the file that it is.
        """
        # As copy.copy, in a fifth of the time.
        inner = object.__new__(ChunkedArray)
        inner.__dict__ |= self._inner.__dict__
        inner.store, inner.path = shard, self.path
        inner.prefix, inner.stamp = f"{self.prefix}{name}:", stamp
        return inner

    def with_chunks(self, chunk_shape: tuple[int, ...]) -> ChunkedArray:
        """Return a regular array whose chunks have this shape: some are chunks of this array, which has a
        rectilinear grid, with the same keys; the others are not to be asked for."""
        found = self._by_shape.get(chunk_shape)
        if found is None:
            metadata = v3.with_chunks(self.metadata, chunk_shape)
            found = ChunkedArray(
                metadata, self.store, self.path, self.write_empty_chunks, self.synchronizer, self._cache
            )
            if len(self._by_shape) >= _SHAPES:
                self._by_shape.clear()
            self._by_shape[chunk_shape] = found
        return found

    def check_writable(self) -> None:
        """Raise `ReadOnlyError` if chunks of this array cannot be written."""
        if self.metadata.edges is not None:
            raise ReadOnlyError(
                f"array {self.name!r} has a rectilinear chunk grid, which can be read only; copy it to write"
            )

    def look(self, name: str) -> tuple[Stamp | None, bool]:
        """Return what a chunk looks like, and whether that may be relied on.

        If it may, None says that there is no chunk, or if it is no file, that who writes it here forgets it.
        """
        if self.stamp is not None:
            return self.stamp
        return (None, True) if self.folder is None else chunk_cache.look(self.folder, name)

    @property
    def are_files(self) -> bool:
        """Whether chunks, or the shards that they are in, are files, which tell when they change."""
        return self.folder is not None if self.stamp is None else self.stamp[0] is not None

    def with_shape(self, shape: tuple[int, ...]) -> ChunkedArray:
        """Return the array as it is after a change of shape."""
        other = copy.copy(self)
        other.metadata = self.metadata.with_shape(shape)
        return other

    @property
    def name(self) -> str:
        """Path with a leading slash, for messages."""
        return "/" + self.path

    @property
    def fill_item(self) -> np.ndarray[Any, Any]:
        """One item that holds the fill value, padding included, as a 0-d array."""
        if self.objects:
            if self.metadata.dtype.names:
                # The fill value of a structure passes the codecs too.
                check_allowed(self.metadata.filters)
            return object_fill(self.metadata.fill_value, self.metadata.dtype)
        return np.ndarray((), self.metadata.dtype, self.fill)

    @property
    def raw_fill(self) -> Any:
        """The fill value as an item of plain bytes, or as an object."""
        return self.fill_item if self.objects else np.ndarray((), self.item, self.fill)

    def is_empty(self, chunk: np.ndarray[Any, Any]) -> bool:
        """Whether a chunk of `item` holds nothing but the fill value."""
        if self.objects:
            return holds_only(chunk, self.fill_item[()])
        return equals_fill(chunk.reshape(-1, order="A"), self.fill)

    def key(self, coords: Sequence[int]) -> str:
        """Return the store key of a chunk."""
        return self.key_of(self.metadata.chunk_key_encoding.encode(coords))

    def key_of(self, name: str) -> str:
        """Return the store key of the chunk of this name."""
        return name if self.in_shard else join(self.path, name)

    def erase(self, key: str) -> None:
        """Delete a chunk; that it was not there is fine."""
        self.store.erase_many([key])

    def error(self, key: str, detail: str, stored: int) -> ChunkError:
        """Return the error for a stored chunk that cannot be right."""
        return ChunkError(
            f"chunk {key!r} of array {self.name!r} in {self.store!r} cannot be decoded with "
            f"{self.chain!r}: {detail} ({stored} bytes stored, {self.chain.nbytes} expected)"
        )
