"""An array as the engine sees it: where its chunks are and how they are encoded."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zchunk._ext.engine.job import Layout
from zchunk._ext.memory.copy import equals_fill
from zchunk.codecs import CodecChain
from zchunk.codecs.registry import check_allowed
from zchunk.codecs.shard_index import ShardIndex
from zchunk.engine import chunk_and_shard_locks, chunk_cache
from zchunk.engine.chunk_cache import ChunkCache, Stamp
from zchunk.errors import ChunkError, ChunkNotFoundError
from zchunk.metadata import v3
from zchunk.metadata.array import ArrayMetadata
from zchunk.runtime.lazy import cached_property
from zchunk.spec.fill_values import holds_only, object_fill
from zchunk.spec.keys import ChunkKeyEncoding
from zchunk.storage.base import Store
from zchunk.storage.local.directory import DURABILITY
from zchunk.storage.mapping import KVStore

if TYPE_CHECKING:
    from zchunk.typing import Synchronizer

# Most chunk shapes of a rectilinear grid that are kept ready.
_SHAPES = 256
# A file is synced as soon as it is written, its name when all are: see `zchunk._ext.io.files.Durability`.
_SYNCED = 3


class ChunkedArray:
    """An array as the engine sees it: where its chunks are and how they are encoded.

    Immutable: an `Array` makes a new one when its metadata change, and the methods below return other arrays.
    Only what is read or made of these facts is kept later, such as `indexes` and `routes`.

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
        Keeps decoded chunks. Chunks of Python objects are not kept, since a reader could change them.
    """

    metadata: ArrayMetadata
    store: Store
    path: str
    write_empty_chunks: bool
    synchronizer: Synchronizer | None
    # Made once for all arrays with these metadata.
    chain: CodecChain
    item: np.dtype[Any]
    fill: bytes
    objects: bool
    # The folder of the chunks; None if they are not files.
    folder: bytes | None
    # None if the native executor cannot run the codecs.
    layout: Layout | None
    cache: ChunkCache | None
    # What `zchunk.engine.execute` has found of the routes that the array takes.
    routes: dict[bool, Any]
    # Whether chunks are read through the cache: not those that have other chunks in them or other shapes,
    # which are read as chunks of other arrays.
    keeps_chunks = False
    # What equal bytes must share to be equal chunks in the cache.
    meaning: Any = None
    # Of a view that does nothing but convert items: what it is a view of.
    source: ChunkedArray | None = None
    # Whether it is an error to read a chunk that is not stored.
    missing_fails = False
    # Layout in memory of what is read, if it is not that of the chunks.
    memory_order: Literal["C", "F"] | None = None
    # The dtype of text of any length that is read, if that is not read as objects.
    text: np.dtype[Any] | None = None
    # Whether this is the array in a shard. A writer of it holds the lock of the shard.
    in_shard = False
    # Before the names of chunks in the cache: the names of the shards that they are in.
    prefix = ""
    # What the shard looks like, see `look`; its chunks are what they were if the shard is.
    stamp: tuple[Stamp | None, bool] | None = None
    # Raises if the metadata are gone, too, when the folder is not there. None if that is not to be asked.
    check_metadata: Callable[[], None] | None = None
    # Raises if the place is another process's by now. None if the array is not just being made.
    check_held: Callable[[], None] | None = None
    # Counts of the cache from before the shard was opened that the array is in; None if it is in none.
    since: list[int] | None = None

    def __init__(
        self,
        metadata: ArrayMetadata,
        store: Store,
        path: str,
        write_empty_chunks: bool = True,
        synchronizer: Synchronizer | None = None,
        cache: ChunkCache | None = None,
        check_metadata: Callable[[], None] | None = None,
    ) -> None:
        root, objects = store.root, metadata.dtype.hasobject
        # Item by item: with an update of the dictionary an array takes half as long again to make.
        facts = self.__dict__
        facts["metadata"] = metadata
        facts["store"] = store
        facts["path"] = path
        facts["write_empty_chunks"] = write_empty_chunks
        facts["synchronizer"] = synchronizer
        facts["chain"] = metadata.chain
        facts["item"] = metadata.item
        facts["fill"] = metadata.fill
        facts["objects"] = objects
        facts["folder"] = None if root is None else os.fsencode(os.path.join(root, path) if path else root)
        facts["cache"] = None if objects else cache
        if cache is not None and not objects and metadata.edges is None and metadata.shards is None:
            facts["keeps_chunks"] = True
            facts["meaning"] = chunk_cache.meaning(metadata, metadata.fill)
        if check_metadata is not None:
            facts["check_metadata"] = check_metadata
        facts["layout"] = self._layout(self.folder)
        facts["routes"] = {}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} is immutable: {name!r} cannot be assigned")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {type(self).__name__} is immutable: {name!r} cannot be deleted")

    def _with(self, **changes: Any) -> ChunkedArray:
        """Return an array that differs from this one in some attributes."""
        other = object.__new__(ChunkedArray)
        facts = vars(other)
        facts.update(vars(self))
        # These follow from what may have changed.
        facts["routes"] = {}
        facts.pop("_by_shape", None)
        facts.update(changes)
        return other

    def _layout(self, folder: bytes | None) -> Layout | None:
        spec, metadata = self.chain.native_spec, self.metadata
        if spec is None or metadata.shards is not None or metadata.edges is not None:
            return None
        return Layout(
            metadata.chunk_shape,
            metadata.order,
            spec,
            self.fill_item.byteswap().tobytes() if metadata.swapped else self.fill,
            folder,
            metadata.chunk_key_encoding.separator,
            self.write_empty_chunks,
            self.durability,
            metadata.chunk_key_encoding.name == "default",
        )

    @cached_property
    def values_layout(self) -> Layout | None:
        """The layout for chunks that the caller fetches and stores, also where they are files."""
        return self.layout if self.folder is None else self._layout(None)

    @cached_property
    def lock_seed(self) -> int:
        """Number by which all objects for the same array find the same locks of chunks and shards."""
        return chunk_and_shard_locks.seed_of(self.where, self.path)

    @cached_property
    def where(self) -> str:
        """Name of the array in this process: the same through stores that begin at other folders above it."""
        return os.path.join(self.store.lock_identity.rstrip("/"), self.store._folded(self.path)).rstrip("/")

    def check_there(self) -> None:
        """Raise if the array is gone: the folder of its chunks and its metadata, which may be elsewhere.

        Of one that is being made: if its place is another's.
        """
        if self.check_held is not None:
            self.check_held()
        elif self.check_metadata is not None and self.store.lost(self.path):
            self.check_metadata()

    @property
    def most_stored(self) -> int | None:
        """The most bytes that the value of a chunk, or of a shard, can have; None if that is not known.

        A shard may have as much space again that other chunks had once.
        """
        shards = self.metadata.shards
        if shards is None:
            return self.chain.most_stored
        inner = shards.inner.chain.most_stored
        count = math.prod(shards.index_array.shape[:-1])
        return None if inner is None else 2 * count * (inner + 16) + 2**20

    @property
    def durability(self) -> int:
        """How files are replaced, as `zchunk._ext` has it."""
        durability = getattr(self.store, "durability", "atomic")
        return _SYNCED if durability == "fsync" else DURABILITY[durability]

    @property
    def synced(self) -> bool:
        """Whether the names of files that were written are to be synced, see `native.sync_names`."""
        return self.folder is not None and self.durability == _SYNCED

    @property
    def direct(self) -> bool:
        """Whether shards go past the system's cache, see `DirectoryStore`."""
        return getattr(self.store, "direct", False)

    # ---- other arrays

    def with_shape(self, shape: tuple[int, ...]) -> ChunkedArray:
        """Return the array as it is after a change of shape."""
        # No route depends on the lengths.
        return self._with(metadata=self.metadata.with_shape(shape), routes=self.routes)

    def converting(self, source: ChunkedArray) -> ChunkedArray:
        """Return the array as a view that does nothing but convert the items of `source`."""
        return self._with(source=source)

    def in_store(self, store: Store) -> ChunkedArray:
        """Return the same array whose chunks are the values of another store at this moment."""
        return self._with(store=store, folder=None, where=self.where)

    @property
    def unpublished(self) -> ChunkedArray:
        """The array before its metadata are in the store, and before its folder is there."""
        return self._with(check_metadata=None)

    def held(self, check: Callable[[], None]) -> ChunkedArray:
        """Return the array while this process makes it: `check` raises if the place is another's by now."""
        return self._with(check_held=check)

    @property
    def requiring_chunks(self) -> ChunkedArray:
        """The array as one of which it is an error to read a chunk that is not stored."""
        # In a cache that others use too there may be fill values for chunks that are not stored.
        return self._with(missing_fails=True, meaning=("stored", self.meaning))

    def reading_as(self, order: Literal["C", "F"]) -> ChunkedArray:
        """Return the array as one whose items are read into memory of this layout."""
        return self._with(memory_order=order)

    def returning(self, text: np.dtype[Any]) -> ChunkedArray:
        """Return the array, which is of text of any length, as one that is read as such a dtype."""
        return self._with(text=text)

    @property
    def order(self) -> str:
        """Layout in memory of what is read."""
        return self.memory_order or self.metadata.innermost.order

    @property
    def sparing(self) -> ChunkedArray:
        """The array as one of which chunks that hold nothing but fill values are erased."""
        cache, check, stays = self.cache, self.check_metadata, self.metadata.fill_value is None
        return ChunkedArray(self.metadata, self.store, self.path, stays, self.synchronizer, cache, check)

    @property
    def uncached(self) -> ChunkedArray:
        """The array without its cache."""
        return self._with(keeps_chunks=False)

    @cached_property
    def indexes(self) -> dict[str, tuple[Any, np.ndarray[Any, Any]]]:
        """Indexes of shards that were read, by the name of the shard, with the stamp of its file."""
        return {}

    @cached_property
    def _by_shape(self) -> dict[tuple[int, ...], ChunkedArray]:
        return {}

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
        inner = inner._with(path=self.path, in_shard=True, where=self.where)
        return inner.requiring_chunks if self.missing_fails else inner

    @cached_property
    def _uncached_inner(self) -> ChunkedArray:
        return self._inner._with(cache=None, keeps_chunks=False)

    def inner(
        self,
        shard: Store,
        name: str,
        stamp: tuple[Stamp | None, bool],
        cached: bool = False,
        since: list[int] | None = None,
    ) -> ChunkedArray:
        """Return the array in the shard of this name.

        Parameters
        ----------
        shard : Store
            Its values are the chunks.
        name : str
            Of the shard.
        stamp : tuple
            What the shard looks like, and whether that may be relied on.
        cached : bool, optional
            Whether its chunks are read through the cache.
        since : list of int, optional
            `ChunkCache.generations` from before the shard was opened.
        """
        inner = self._inner if cached else self._uncached_inner
        # All of them are in stores of one kind, so they share their routes.
        return inner._with(
            store=shard, prefix=self.shard_prefix(name), stamp=stamp, since=since, routes=inner.routes
        )

    def shard_prefix(self, name: str) -> str:
        """Return the beginning of the names that the cache has for the chunks of a shard."""
        return f"{self.prefix}{name}:"

    def with_chunks(self, chunk_shape: tuple[int, ...]) -> ChunkedArray:
        """Return a regular array for the chunks of one shape of this array, which has a rectilinear grid.

        The keys are the same. Chunks of other shapes must not be read or written through it.
        """
        found = self._by_shape.get(chunk_shape)
        if found is None:
            metadata = v3.with_chunks(self.metadata, chunk_shape)
            found = ChunkedArray(
                metadata,
                self.store,
                self.path,
                self.write_empty_chunks,
                self.synchronizer,
                self.cache,
                self.check_metadata,
            )
            if self.missing_fails:
                found = found.requiring_chunks
            if len(self._by_shape) >= _SHAPES:
                self._by_shape.clear()
            self._by_shape[chunk_shape] = found
        return found

    # ---- chunks

    def look(self, name: str) -> tuple[Stamp | None, bool]:
        """Return what a chunk looks like, and whether that may be relied on.

        If it may, None says that there is no chunk, or that it is not a file; then the cache forgets it when
        it is written in this process.
        """
        if self.stamp is not None:
            return self.stamp
        if self.folder is None:
            return None, True
        found = chunk_cache.look(self.folder, name)
        if found == (None, True):
            # What is kept of chunks that are not there must not stand for an array that is gone.
            self.check_there()
        return found

    @property
    def are_files(self) -> bool:
        """Whether chunks, or the shards that they are in, are files, which tell when they change."""
        return self.folder is not None if self.stamp is None else self.stamp[0] is not None

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
            return object_fill(self.metadata.fill_object, self.metadata.dtype)
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
        return self.key_prefix + name

    @cached_property
    def key_prefix(self) -> str:
        """What stands before the name of a chunk in its store key."""
        return f"{self.path}/" if self.path and not self.in_shard else ""

    def erase(self, key: str) -> None:
        """Delete a chunk, if it is there."""
        self.store.erase_many([key])

    def not_stored(self, name: str) -> ChunkNotFoundError:
        """Return the error for a chunk of this name that is to be read; raise if the array is gone."""
        self.check_there()
        encoding, ndim = self.metadata.chunk_key_encoding, self.metadata.ndim
        where = f"{self.name!r} in {self.store!r:.200}"
        return ChunkNotFoundError(
            f"chunk {self.key_of(name)!r} at {encoding.decoder(ndim)(name)} of array {where} is not stored; "
            "it is read as fill values if the array is opened with missing='fill'"
        )

    def error(self, key: str, detail: str, stored: int) -> ChunkError:
        """Return the error for a stored chunk that cannot be right."""
        return ChunkError(
            f"chunk {key!r} of array {self.name!r} in {self.store!r} cannot be decoded with "
            f"{self.chain!r}: {detail} ({stored} bytes stored, {self.chain.nbytes} expected)"
        )
