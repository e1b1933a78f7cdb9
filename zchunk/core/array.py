"""Array: what users hold, over metadata, indexing and engine.

An array is a chain of classes, each whole by itself and read in this order: `Node` (where it is),
`ArrayProperties` (what it is), `Selections` (reading and writing), `Decomposition` (by many processes),
`Views`, `Iteration`, `H5pyMethods`, and here `Array`, with what changes the metadata. So each part uses
nothing but what the ones before it bring.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Self, SupportsIndex, TypeAlias, TypeVar, overload

import numpy as np

from zchunk.codecs.registry import check_allowed
from zchunk.core.access import Access, access_to
from zchunk.core.array_config import as_config
from zchunk.core.h5py_methods import H5pyMethods
from zchunk.core.properties import find_array
from zchunk.engine import chunk_cache
from zchunk.engine.array import ChunkedArray
from zchunk.engine.chunk_cache import ChunkCache
from zchunk.errors import ReadOnlyError
from zchunk.indexing.values import convert
from zchunk.metadata.formats import given_array
from zchunk.runtime.lazy import LazyModule
from zchunk.runtime.metadata_locks import metadata_lock
from zchunk.runtime.near_names import says_near_names
from zchunk.spec.fill_values import normalize_fill_value
from zchunk.spec.regular_grid import normalize_shape
from zchunk.sync import outer_lock

if TYPE_CHECKING:
    import numpy.typing as npt

    from zchunk.core import info as reports
    from zchunk.core import pictures
    from zchunk.core.info import InfoReporter, Items
    from zchunk.engine import resize
    from zchunk.typing import (
        ArrayConfigLike,
        DataLike,
        MetaArray,
        Missing,
        StoreLike,
        Synchronizer,
        ZarrFormat,
    )

    # None keeps a length.
    _Lengths: TypeAlias = SupportsIndex | Iterable[SupportsIndex | None] | None
else:
    # Most programs that open an array read it.
    reports = LazyModule("zchunk.core.info")
    resize = LazyModule("zchunk.engine.resize")
    pictures = LazyModule("zchunk.core.pictures")

_R = TypeVar("_R")


class Array(H5pyMethods):
    """A chunked, compressed N-d array in a store.

    `zchunk.create`, `zchunk.open` and the like make one; this constructor opens the one that is in a store.
    Reading gives NumPy arrays, assigning takes them. An array holds no open files: it pickles, survives a
    fork, and may be shared between threads. Threads that write parts of one chunk, set attributes or append
    never lose an update of each other's.

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
        Ignored: zchunk decodes no more of a chunk than a selection needs, where the codecs allow it.
    write_empty_chunks : bool, optional
        Store chunks that hold nothing but the fill value; otherwise they are erased. By default as
        `zchunk.config` says, which is true.
    zarr_version, zarr_format : {None, 2, 3}, optional
        Version of the format; zchunk finds it if none is given.
    meta_array : numpy.ndarray or None, optional
        zarr's. zchunk takes a NumPy array only.
    cache_bytes : int, optional
        Keep so many bytes of decoded chunks for the next read (see `zchunk.engine.chunk_cache`); none by
        default.
    missing : {"fill", "error"}, optional
        What chunks that are not stored are read as: fill values, or a `ChunkNotFoundError` that names the
        chunk, to tell gaps from data. Assignments to parts of such chunks fill the rest in any case.
    config : mapping, optional
        As for `zchunk.create`.

    Raises
    ------
    ArrayNotFoundError
        There is no array at `path`.
    MetadataError
        Its metadata are not those of an array.
    MixedFormatsError
        Nodes of both formats are at `path`, and no version is given.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros((4, 6), chunks=(2, 3), dtype="i4")
    >>> z[1, :3] = 7
    >>> z[:2]
    array([[0, 0, 0, 0, 0, 0],
           [7, 7, 7, 0, 0, 0]], dtype=int32)
    >>> zchunk.Array(z.store, read_only=True)
    <zchunk.core.Array (4, 6) int32 read-only>
    """

    # Where users have it from, as in zarr 2: `info` and pickles name it.
    __module__ = "zchunk.core"

    def __init__(
        self,
        store: MutableMapping[str, Any],
        path: str | None = None,
        read_only: bool = False,
        chunk_store: MutableMapping[str, Any] | None = None,
        synchronizer: Synchronizer | None = None,
        cache_metadata: bool = True,
        cache_attrs: bool = True,
        partial_decompress: bool | None = None,
        write_empty_chunks: bool | None = None,
        zarr_version: ZarrFormat | None = None,
        meta_array: MetaArray = None,
        *,
        zarr_format: ZarrFormat | None = None,
        cache_bytes: int | ChunkCache | None = None,
        missing: Missing | None = None,
        config: ArrayConfigLike = None,
    ) -> None:
        access = access_to(
            store,
            path,
            is_open=True,
            read_only=read_only,
            chunk_store=chunk_store,
            synchronizer=synchronizer,
            cache_metadata=cache_metadata,
            cache_attrs=cache_attrs,
            cache_bytes=cache_bytes,
            missing=missing,
            config=config,
            write_empty_chunks=write_empty_chunks,
            zarr_version=zarr_version,
            zarr_format=zarr_format,
            meta_array=meta_array,
        )
        self._become(*find_array(access))

    _opening = __init__

    _arguments = (
        "store",
        "path",
        "read_only",
        "chunk_store",
        "synchronizer",
        "cache_metadata",
        "cache_attrs",
        None,
        "write_empty_chunks",
        "version",
    )

    # ---- pickles

    def __reduce__(self) -> tuple[Any, ...]:
        # With the trusted codecs: a program that unpickles an array lets it run code anyway.
        return reopen, (type(self), self._access, self._viewed)

    @classmethod
    def _trusting(cls, trusted: frozenset[str], *args: Any, **kwargs: Any) -> Self:
        """Return the array with these arguments of `Array`, which may use the codecs `trusted`.

        Nothing calls it but pickles that zchunk made before there was `reopen`.
        """
        return reopen(cls, cls(*args, **kwargs)._access._replace(trusted=trusted))

    # ---- what may be assigned

    @property
    def read_only(self) -> bool:
        """Whether changes are refused. May be assigned."""
        return self._access.read_only

    @read_only.setter
    def read_only(self, value: bool) -> None:
        self._access = self._access._replace(read_only=bool(value))
        self.attrs.read_only = bool(value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis. Assigning resizes."""
        return self._metadata.shape

    @shape.setter
    def shape(self, value: _Lengths) -> None:
        self.resize(value)

    @property
    def fill_value(self) -> Any:
        """Value of the items of missing chunks; None if they are undefined (zchunk reads zeros).

        May be assigned, which changes what missing chunks read as, and nothing that is stored.
        """
        return self._metadata.fill_value

    @fill_value.setter
    def fill_value(self, value: object) -> None:
        self._check_writable()

        def change(array: ChunkedArray) -> None:
            old = array.metadata
            metadata = old.replace_all(fill_value=normalize_fill_value(value, old.dtype))
            self._publish(self._engine_array(metadata))

        self._change(change)

    # ---- the same array used in another way

    @classmethod
    @says_near_names
    def open(cls, store: StoreLike, *, config: ArrayConfigLike = None) -> Self:
        """Open the array in a store, to read and change it (zarr 3's name).

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros(3, store="a.zarr")
        >>> zchunk.Array.open("a.zarr") == z
        True
        """
        return cls._of(*find_array(access_to(store, mode="r+", config=cls._configuration(config))))

    @classmethod
    def from_dict(cls, store_path: StoreLike, data: Mapping[str, Any]) -> Self:
        """Return the array that metadata say is at a place, without a look at what is there (zarr 3's name).

        Parameters
        ----------
        store_path : StorePath, path or Store
            The place.
        data : mapping
            JSON of the format, as `Array.metadata.to_dict` returns it.

        Raises
        ------
        MetadataError
            No array can be so.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.ones(3, dtype="i4", path="a")
        >>> zchunk.Array.from_dict(z.store_path, z.metadata.to_dict())[:]
        array([1, 1, 1], dtype=int32)
        """
        metadata = given_array(data)
        access = access_to(
            store_path, mode="r+", zarr_format=metadata.zarr_format, config=cls._configuration()
        )
        return cls._of(access, metadata)

    @says_near_names
    def with_config(self, config: ArrayConfigLike) -> Self:
        """Return the same array, used in another way.

        Parameters
        ----------
        config : mapping
            As for `zchunk.create`; what it does not say stays.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros((4, 4), zarr_format=3)
        >>> z.with_config({"order": "F"})[...].flags.f_contiguous
        True
        """
        access = self._access.configured(as_config(config, base=self.config))
        return reopen(type(self), access, self._viewed)

    # ---- how it shows itself

    @property
    def info(self) -> InfoReporter:
        """Table of the array's properties, as text and HTML.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.zeros((4, 6), chunks=(2, 3), dtype="i4").info  # doctest: +ELLIPSIS
        Type               : zchunk.core.Array
        Data type          : int32
        Shape              : (4, 6)
        Chunk shape        : (2, 3)
        ...
        """
        return reports.InfoReporter(self.info_items)

    def info_complete(self) -> InfoReporter:
        """Return `info`, which counts what is stored, too (zarr 3's name).

        Examples
        --------
        >>> import zchunk
        >>> "Chunks initialized : 0/1" in repr(zchunk.zeros(3).info_complete())
        True
        """
        return self.info

    def info_items(self) -> Items:
        """Return the rows of `info`.

        Examples
        --------
        >>> import zchunk
        >>> dict(zchunk.zeros(3, dtype="i4").info_items())["Data type"]
        'int32'
        """
        return reports.array_items(self, self._access)

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        only = " read-only" if self.read_only else ""
        return f"<{reports.class_name(self)}{name} {self.shape} {self.dtype}{only}>"

    def _repr_html_(self) -> str:
        return pictures.array_html(self)

    # ---- like a NumPy array

    def __len__(self) -> int:
        """Return the length of the first axis."""
        if not self.shape:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("an array in a store cannot become a NumPy array without a copy; use copy=None")
        items = self[...]
        return items if dtype is None else items.astype(dtype, copy=False)

    # ---- changes of the metadata

    def refresh(self) -> None:
        """Read the metadata again from the store, as after a resize by another process.

        Those of a view are not in the store: they stay.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros(3)
        >>> other = zchunk.Array(z.store)
        >>> z.resize(5)
        >>> other.shape
        (3,)
        >>> other.refresh()
        >>> other.shape
        (5,)
        """
        if not self.is_view:
            self._load()

    @overload
    def resize(self, shape: _Lengths, /) -> None: ...
    @overload
    def resize(self, *lengths: SupportsIndex | None) -> None: ...
    @overload
    def resize(self, *, new_shape: _Lengths) -> None: ...
    @says_near_names
    def resize(self, *args: Any, new_shape: Any = None) -> None:
        """Change the shape, in place. Items that are added have the fill value.

        Chunks that lie outside the new shape are erased. At any moment, also when the process is killed, the
        array is valid in its old or new shape. The lengths of chunks in a rectilinear grid stay; where the
        array grows beyond them, one chunk is added for the rest, as in zarr 3.

        Parameters
        ----------
        *args : int or None, or sequence of them
            The new shape; as many axes as before. None keeps the length of an axis.
        new_shape : int or sequence of int or None, optional
            The same by zarr 3's name.

        Raises
        ------
        ReadOnlyError
            The array was opened for reading, or is a view.
        ValueError
            The shape has another number of axes, or a length below 0.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.ones((2, 2), chunks=2)
        >>> z.resize(3, None)
        >>> z[...]
        array([[1., 1.],
               [1., 1.],
               [1., 1.]])
        """
        self._check_writable()
        if args and new_shape is not None:
            raise TypeError("the shape is given twice")
        wanted = new_shape if new_shape is not None else args[0] if len(args) == 1 else args

        def change(array: ChunkedArray) -> None:
            shape = normalize_shape(_keep_lengths(wanted, array.metadata.shape))
            resize.resize(array, shape, self._publish)

        self._change(change)

    @says_near_names
    def append(self, data: DataLike, axis: int = 0) -> tuple[int, ...]:
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

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.array([1, 2, 3], chunks=2)
        >>> z.append([4, 5])
        (5,)
        >>> z[:]
        array([1, 2, 3, 4, 5])
        """
        self._check_writable()
        # What is lazy is computed before the array is locked, for it may look at this array.
        given = np.asanyarray(data) if hasattr(data, "__array__") else data

        def change(array: ChunkedArray) -> tuple[int, ...]:
            metadata = array.metadata
            items = convert(
                given,
                metadata.dtype,
                array.path,
                ndim=metadata.ndim,
                object_codec=metadata.object_codec,
                fill_value=metadata.fill_value,
            )
            return resize.append(array, items, operator.index(axis), self._publish)

        return self._change(change)

    def _change(self, work: Callable[[ChunkedArray], _R]) -> _R:
        """Return what `work` does with the array as it is in the store, whose metadata one thread changes."""
        if self.is_view:
            raise ReadOnlyError(f"{self!r} is a view, whose metadata cannot change; change the array itself")
        key, synchronizer = self._key_prefix + self._format.array_key, self.synchronizer
        outer = nullcontext() if synchronizer is None else outer_lock(synchronizer, key)
        with outer, metadata_lock(self.store, key):
            self.refresh()
            check_allowed(self._chunked.metadata.codecs)
            try:
                return work(self._chunked)
            finally:
                chunk_cache.forget(self.chunk_store, self.path)

    def _publish(self, array: ChunkedArray) -> None:
        change = partial(self._format.changed, old=self._chunked.metadata, new=array.metadata)
        key, store = self._key_prefix + self._format.array_key, self.store
        if self._format.attrs_member is None and store.concurrency == 1:
            store[key] = change(None)
        else:
            # The attributes are under the same key, or processes on other machines may change it.
            store.modify(key, change)
        self._chunked = array


_A = TypeVar("_A", bound=Array)


def reopen(kind: type[_A], access: Access, viewed: dict[str, Any] | None = None) -> _A:
    """Return the array that is accessed in this way, or a view of it: what a pickle is of."""
    array = kind._of(*find_array(access))
    return array if viewed is None else array.view(**viewed)


def _keep_lengths(shape: object, old: tuple[int, ...]) -> Any:
    """Return a user's `shape` with the `old` lengths in place of None."""
    if isinstance(shape, tuple | list) and len(shape) == len(old):
        return tuple(length if wanted is None else wanted for wanted, length in zip(shape, old, strict=True))
    return shape
