"""Array: a thin façade over metadata, indexing and engine."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Self

import numpy as np

from zchunk.codecs.registry import check_allowed
from zchunk.core.info import Items, array_items, class_name
from zchunk.core.iteration import Iteration
from zchunk.core.selections import Selections
from zchunk.core.views import remake_view
from zchunk.engine import chunk_cache, listing, resize
from zchunk.engine.array import ChunkedArray
from zchunk.engine.chunk_cache import ChunkCache
from zchunk.errors import ArrayNotFoundError, ReadOnlyError
from zchunk.indexing.values import convert
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.formats import Format, get_format, read_array
from zchunk.runtime.locks import metadata_lock
from zchunk.spec.regular_grid import normalize_shape
from zchunk.spec.versions import asked_format


class Array(Selections, Iteration):
    """A chunked, compressed N-d array in a store.

    Made by `zchunk.create`, `zchunk.open` and the like. Reading gives NumPy arrays, assigning takes them.
    An array holds no open files: it pickles, survives a fork, and may be shared between threads. Threads that
    write parts of one chunk, set attributes or append never lose an update of each other's.

    Parameters
    ----------
    store : MutableMapping
        Holds metadata and chunks.
    path : str, optional
        Of the array in the store.
    read_only : bool, optional
        Refuse changes.
    chunk_store : MutableMapping, optional
        Holds the chunks, if they are not in `store`.
    synchronizer : mapping of keys to locks, optional
        Held by chunk key while a chunk changes, for writers in several processes.
    cache_metadata : bool, optional
        Read the metadata once, and again only on `refresh`; otherwise before every operation.
    cache_attrs : bool, optional
        The same for the user attributes.
    partial_decompress : object, optional
        Ignored: of a chunk no more is decoded than is wanted, where the codecs allow it.
    write_empty_chunks : bool, optional
        Store chunks that hold nothing but the fill value; otherwise they are erased.
    zarr_version, zarr_format : {None, 2, 3}, optional
        Version of the format; found by itself if not given.
    meta_array : numpy.ndarray or None, optional
        Items are read into NumPy arrays.
    cache_bytes : int, optional
        Keep so many bytes of decoded chunks for the next read (see `zchunk.engine.chunk_cache`); none by
        default.

    Raises
    ------
    ArrayNotFoundError
        There is no array at `path`.
    MetadataError
        Its metadata are not those of an array.
    MixedFormatsError
        Nodes of both formats are at `path`, and no version is given.
    """

    # Where users have it from, as in zarr 2: `info` and pickles name it.
    __module__ = "zchunk.core"

    # Codecs that a user handed over, which run code from the data; see `zchunk.codecs.registry`.
    _trusted: frozenset[str] = frozenset()
    # Those that were written when the array was made.
    _made: ArrayMetadata | None = None

    def __init__(
        self,
        store: Any,
        path: str | None = None,
        read_only: bool = False,
        chunk_store: Any = None,
        synchronizer: Any = None,
        cache_metadata: bool = True,
        cache_attrs: bool = True,
        partial_decompress: Any = None,
        write_empty_chunks: bool = True,
        zarr_version: int | None = None,
        meta_array: Any = None,
        *,
        zarr_format: int | None = None,
        cache_bytes: int | ChunkCache | None = None,
    ) -> None:
        version = zarr_version
        if zarr_format is not None or zarr_version is not None:
            version = asked_format(zarr_version, zarr_format)
        super().__init__(
            store, path, read_only, chunk_store, synchronizer, cache_attrs, meta_array, cache_bytes
        )
        self._cache_metadata = bool(cache_metadata)
        self._write_empty_chunks = bool(write_empty_chunks)
        made, self._made = self._made, None
        fmt, metadata = self._read(version) if made is None else (get_format(made.zarr_format), made)
        self._of_format(fmt)
        self._chunked = self._engine_array(metadata)

    @classmethod
    def _trusting(
        cls, trusted: frozenset[str], *args: Any, made: ArrayMetadata | None = None, **kwargs: Any
    ) -> Self:
        """Return the array with these arguments, which may use the codecs `trusted`.

        `made` are its metadata, if it was made just now and they need not be read.
        """
        array = cls.__new__(cls)
        array._trusted, array._made = trusted, made
        array.__init__(*args, **kwargs)  # type: ignore[misc]
        return array

    def __reduce__(self) -> tuple[Any, ...]:
        # With the trust: who unpickles an array lets it run code anyway.
        make = partial(type(self)._trusting, self._trusted)
        if self._cache is not None:
            make = partial(make, cache_bytes=self._cache)
        args = (
            self._store,
            self._path,
            self._read_only,
            self._chunk_store,
            self._synchronizer,
            self._cache_metadata,
            self._attrs.cache,
            None,
            self._write_empty_chunks,
            self._format.version,
        )
        return (make, args) if self._viewed is None else (remake_view, (make, args, self._viewed))

    # ---- metadata

    def _read(self, version: int | None) -> tuple[Format, ArrayMetadata]:
        try:
            return read_array(self._store, self._path, version, self._trusted)
        except KeyError:
            which = "" if version is None else f" of format {version}"
            raise ArrayNotFoundError(
                f"no array{which} at path {'/' + self._path!r} in {self._store!r}"
            ) from None

    def _load(self, old: ChunkedArray) -> ChunkedArray:
        metadata = self._read(self._format.version)[1]
        return old if old.metadata is metadata else self._engine_array(metadata)

    def _engine_array(self, metadata: ArrayMetadata) -> ChunkedArray:
        return ChunkedArray(
            metadata,
            self.chunk_store,
            self._path,
            self._write_empty_chunks,
            self._synchronizer,
            self._cache,
        )

    @property
    def _current(self) -> ChunkedArray:
        """What the engine knows of the array, read again if metadata are not cached."""
        if not self._cache_metadata:
            self._chunked = self._load(self._chunked)
        return self._chunked

    def refresh(self) -> None:
        """Read the metadata again from the store, as after a resize by another process.

        Those of a view are not in the store: they stay.
        """
        if not self.is_view:
            self._chunked = self._load(self._chunked)

    @property
    def metadata(self) -> ArrayMetadata:
        """The array's metadata."""
        return self._current.metadata

    @property
    def name(self) -> str | None:
        """Path with a leading slash, as in h5py; None for an array at the root."""
        return "/" + self._path if self._path else None

    @property
    def basename(self) -> str | None:
        """Last part of the name."""
        return self._path.rpartition("/")[2] if self._path else None

    def _chunk_key(self, chunk_coords: tuple[int, ...]) -> str:
        """Return the store key of a chunk, by the name that programs have from zarr 2."""
        return self._current.key(chunk_coords)

    @property
    def read_only(self) -> bool:
        """Whether changes are refused. May be assigned."""
        return self._read_only

    @read_only.setter
    def read_only(self, value: bool) -> None:
        self._read_only = self._attrs.read_only = bool(value)

    @property
    def write_empty_chunks(self) -> bool:
        """Whether chunks that hold nothing but the fill value are stored."""
        return self._write_empty_chunks

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis. Assigning resizes."""
        return self.metadata.shape

    @shape.setter
    def shape(self, value: Any) -> None:
        self.resize(value)

    @property
    def nchunks_initialized(self) -> int:
        """Number of chunks that are stored; as in zarr 3 a shard that is there counts for all in it."""
        return listing.initialized(self._current)

    @property
    def nshards_initialized(self) -> int:
        """Number of shards that are stored, or of chunks where there are no shards."""
        return sum(1 for _ in listing.inside(self._current))

    @property
    def initialized(self) -> int:
        """The same by zarr 2's older name."""
        return self.nchunks_initialized

    @property
    def nbytes_stored(self) -> int:
        """Bytes that metadata, attributes and chunks take in the store, -1 if there is a value of no size."""
        try:
            total = self._store.getsize(self._path) + listing.chunk_nbytes(self._current)
            return total if self._chunk_store is None else total + self._chunk_store.getsize(self._path)
        except TypeError:
            return -1

    def info_items(self) -> Items:
        """Return the rows of `info`."""
        return array_items(self, self._store, self._chunk_store)

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        only = " read-only" if self._read_only else ""
        return f"<{class_name(self)}{name} {self.shape} {self.dtype}{only}>"

    # ---- like a NumPy array

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False:
            raise ValueError("an array in a store cannot become a NumPy array without a copy; use copy=None")
        items: np.ndarray[Any, Any] = self[...]
        return items if dtype is None else items.astype(dtype, copy=False)

    def _check_writable(self) -> None:
        if self._read_only:
            raise ReadOnlyError(f"array {self.name or '/'!r} is read-only; open it with mode 'r+' or 'a'")

    # ---- resize

    def resize(self, *args: Any) -> None:
        """Change the shape, in place. Items that are added have the fill value.

        Chunks that lie outside the new shape are erased. At any moment, also when the process is killed, the
        array is valid in its old or new shape.

        Parameters
        ----------
        *args : int or None, or sequence of them
            The new shape; as many axes as before. None keeps the length of an axis.

        Raises
        ------
        ReadOnlyError
            The array was opened for reading, or is a view.
        ValueError
            The shape has another number of axes, or a length below 0.
        """
        self._check_writable()
        wanted = args[0] if len(args) == 1 else args
        with self._changing() as array:
            shape = normalize_shape(_keep_lengths(wanted, array.metadata.shape))
            resize.resize(array, shape, self._publish)

    def append(self, data: Any, axis: int = 0) -> tuple[int, ...]:
        """Add `data` at the end of an axis and return the new shape.

        Parameters
        ----------
        data : array-like
            The same shape as the array, except along `axis`.
        axis : int, optional
            The axis that grows.

        Returns
        -------
        tuple of int

        Raises
        ------
        ReadOnlyError
            The array was opened for reading, or is a view.
        ValueError
            The data do not fit, or there is no such axis.
        """
        self._check_writable()
        with self._changing() as array:
            items = convert(data, array.metadata.dtype, array.path)
            return resize.append(array, items, operator.index(axis), self._publish)

    @contextmanager
    def _changing(self) -> Iterator[ChunkedArray]:
        """Give the array, as it is in the store, whose metadata shall change; to one thread at a time."""
        if self.is_view:
            raise ReadOnlyError(f"{self!r} is a view, whose metadata cannot change; change the array itself")
        key = self._key_prefix + self._format.array_key
        outer = nullcontext() if self._synchronizer is None else self._synchronizer[key]
        with outer, metadata_lock(self._store, key):
            self.refresh()
            check_allowed(self._chunked.metadata.codecs)
            try:
                yield self._chunked
            finally:
                chunk_cache.forget(self.chunk_store, self._path)

    def _publish(self, array: ChunkedArray) -> None:
        change = partial(self._format.changed, old=self._chunked.metadata, new=array.metadata)
        key = self._key_prefix + self._format.array_key
        if self._format.attrs_member is None and self._store.concurrency == 1:
            self._store[key] = change(None)
        else:
            # Attributes are there, too, or others far away.
            self._store.modify(key, change)
        self._chunked = array


def _keep_lengths(shape: Any, old: tuple[int, ...]) -> Any:
    """Return a user's `shape` with the `old` lengths in place of None."""
    if isinstance(shape, tuple | list) and len(shape) == len(old):
        return tuple(length if wanted is None else wanted for wanted, length in zip(shape, old, strict=True))
    return shape
