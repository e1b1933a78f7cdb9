"""Array: a thin façade over metadata, indexing and engine."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from zchunk import engine, resize
from zchunk.attributes import Attributes
from zchunk.codecs import Codec
from zchunk.display import InfoReporter, Items, class_name, human_size
from zchunk.errors import ArrayNotFoundError, ReadOnlyError
from zchunk.grid import normalize_shape
from zchunk.indexing import Plan, plan_basic
from zchunk.keys import ARRAY_KEY, ATTRS_KEY, join, normalize_path
from zchunk.metadata.model import ArrayMetadata
from zchunk.metadata.v2 import parse_array, render_array
from zchunk.storage.base import Store, as_store


class Array:
    """A chunked, compressed N-d array in a store.

    Made by `zchunk.create`, `zchunk.open` and the like. Reading gives NumPy arrays, assigning takes them.
    An array holds no open files: it pickles, survives a fork, and may be shared between threads. Threads that
    write parts of one chunk never lose an update; `resize` and `append` are for one thread at a time.

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
    write_empty_chunks : bool, optional
        Store chunks that hold nothing but the fill value; otherwise they are erased.

    Raises
    ------
    ArrayNotFoundError
        There is no array at `path`.
    MetadataError
        Its metadata are not those of an array.
    """

    def __init__(
        self,
        store: Any,
        path: str | None = None,
        read_only: bool = False,
        chunk_store: Any = None,
        synchronizer: Any = None,
        cache_metadata: bool = True,
        cache_attrs: bool = True,
        write_empty_chunks: bool = True,
    ) -> None:
        self._store = as_store(store)
        self._chunk_store = None if chunk_store is None else as_store(chunk_store)
        self._path = normalize_path(path)
        self._read_only = bool(read_only)
        self._synchronizer = synchronizer
        self._cache_metadata = bool(cache_metadata)
        self._write_empty_chunks = bool(write_empty_chunks)
        self._attrs = Attributes(self._store, join(self._path, ATTRS_KEY), self._read_only, cache_attrs, synchronizer)
        self._chunked = self._load()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (
            self._store,
            self._path,
            self._read_only,
            self._chunk_store,
            self._synchronizer,
            self._cache_metadata,
            self._attrs.cache,
            self._write_empty_chunks,
        )

    # ---- metadata

    def _load(self) -> engine.ChunkedArray:
        key = join(self._path, ARRAY_KEY)
        try:
            raw = self._store[key]
        except KeyError:
            raise ArrayNotFoundError(f"no array at path {'/' + self._path!r} in {self._store!r}") from None
        separator = getattr(self._store, "_dimension_separator", None) or "."
        return self._bind(parse_array(raw, key, separator))

    def _bind(self, metadata: ArrayMetadata) -> engine.ChunkedArray:
        return engine.ChunkedArray(
            metadata, self.chunk_store, self._path, self._write_empty_chunks, self._synchronizer
        )

    @property
    def _current(self) -> engine.ChunkedArray:
        """What the engine knows of the array, read again if metadata are not cached."""
        if not self._cache_metadata:
            self._chunked = self._load()
        return self._chunked

    def refresh(self) -> None:
        """Read the metadata again from the store, as after a resize by another process."""
        self._chunked = self._load()

    @property
    def metadata(self) -> ArrayMetadata:
        """The array's metadata."""
        return self._current.metadata

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
    def name(self) -> str | None:
        """Path with a leading slash, as in h5py; None for an array at the root."""
        return "/" + self._path if self._path else None

    @property
    def basename(self) -> str | None:
        """Last part of the name."""
        return self._path.rpartition("/")[2] if self._path else None

    @property
    def read_only(self) -> bool:
        """Whether changes are refused."""
        return self._read_only

    @read_only.setter
    def read_only(self, value: bool) -> None:
        self._read_only = self._attrs.read_only = bool(value)

    @property
    def synchronizer(self) -> Any:
        """What hands out locks by chunk key, or None."""
        return self._synchronizer

    @property
    def write_empty_chunks(self) -> bool:
        """Whether chunks that hold nothing but the fill value are stored."""
        return self._write_empty_chunks

    @property
    def attrs(self) -> Attributes:
        """User attributes, a mapping that writes through to the store."""
        return self._attrs

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis. Assigning resizes."""
        return self.metadata.shape

    @shape.setter
    def shape(self, value: Any) -> None:
        self.resize(value)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Length of a chunk along every axis."""
        return self.metadata.chunk_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an item."""
        return self.metadata.dtype

    @property
    def compressor(self) -> Codec | None:
        """Last codec of a chunk."""
        return self.metadata.compressor

    @property
    def filters(self) -> list[Codec] | None:
        """Codecs before the compressor, None if there are none."""
        return list(self.metadata.filters) or None

    @property
    def order(self) -> str:
        """Layout of the items in a chunk, ``"C"`` or ``"F"``."""
        return self.metadata.order

    @property
    def fill_value(self) -> Any:
        """Value of the items of missing chunks; None if they are undefined (zchunk reads zeros)."""
        return self.metadata.fill_value

    @property
    def dimension_separator(self) -> str:
        """What stands between the coordinates in a chunk's key."""
        return self.metadata.chunk_key_encoding.separator

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.metadata.ndim

    @property
    def size(self) -> int:
        """Number of items."""
        return self.metadata.size

    @property
    def itemsize(self) -> int:
        """Bytes of an item."""
        return self.metadata.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all items, uncompressed."""
        return self.metadata.nbytes

    @property
    def cdata_shape(self) -> tuple[int, ...]:
        """Number of chunks along every axis; ``(1,)`` for a 0-d array."""
        return self.metadata.grid.cdata_shape or (1,)

    @property
    def nchunks(self) -> int:
        """Number of chunks."""
        return self.metadata.grid.nchunks

    @property
    def nchunks_initialized(self) -> int:
        """Number of chunks that are stored."""
        array = self._current
        return sum(1 for _ in resize.listed_chunks(array, array.metadata.grid.cdata_shape))

    @property
    def nbytes_stored(self) -> int:
        """Bytes that metadata, attributes and chunks take in the store."""
        array = self._current
        total = self._store.getsize(self._path)
        if self._chunk_store is not None:
            total += self._chunk_store.getsize(self._path)
        if array.metadata.chunk_key_encoding.separator == "/" and array.metadata.ndim > 1:
            chunks = resize.listed_chunks(array, array.metadata.grid.cdata_shape)
            total += sum(self.chunk_store.size(array.key(coords)) for coords in chunks)
        return total

    @property
    def info(self) -> InfoReporter:
        """Table of the array's properties, as text and HTML."""
        return InfoReporter(self.info_items)

    def info_items(self) -> Items:
        """Return the rows of `info`."""
        metadata = self.metadata
        items = [] if self.name is None else [("Name", self.name)]
        items += [
            ("Type", class_name(self)),
            ("Data type", str(metadata.dtype)),
            ("Shape", str(metadata.shape)),
            ("Chunk shape", str(metadata.chunk_shape)),
            ("Order", metadata.order),
            ("Read-only", str(self._read_only)),
        ]
        items += [(f"Filter [{i}]", repr(codec)) for i, codec in enumerate(metadata.filters)]
        items.append(("Compressor", repr(metadata.compressor)))
        if self._synchronizer is not None:
            items.append(("Synchronizer type", class_name(self._synchronizer)))
        items.append(("Store type", class_name(self._store)))
        if self._chunk_store is not None:
            items.append(("Chunk store type", class_name(self._chunk_store)))
        stored = self.nbytes_stored
        items += [("No. bytes", human_size(metadata.nbytes)), ("No. bytes stored", human_size(stored))]
        if stored > 0:
            items.append(("Storage ratio", f"{metadata.nbytes / stored:.1f}"))
        items.append(("Chunks initialized", f"{self.nchunks_initialized}/{metadata.grid.nchunks}"))
        return items

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        only = " read-only" if self._read_only else ""
        return f"<{class_name(self)}{name} {self.shape} {self.dtype}{only}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Array)
            and self.store == other.store
            and self.path == other.path
            and self.read_only == other.read_only
        )

    __hash__ = None  # type: ignore[assignment]

    # ---- read

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        # A row of chunks at a time, so that each chunk is decoded once.
        for start in range(0, self.shape[0], self.chunks[0]):
            yield from self[start : start + self.chunks[0]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False:
            raise ValueError("an array in a store cannot become a NumPy array without a copy; use copy=None")
        items: np.ndarray[Any, Any] = self[...]
        return items if dtype is None else items.astype(dtype, copy=False)

    def __getitem__(self, selection: Any) -> Any:
        return self.get_basic_selection(selection)

    def get_basic_selection(self, selection: Any = Ellipsis, out: np.ndarray[Any, Any] | None = None) -> Any:
        """Return the items that integers, slices and an Ellipsis select.

        Parameters
        ----------
        selection : tuple or single entry, optional
            Per axis an integer or a slice of any step; an Ellipsis, or what is missing at the end, stands for
            whole axes.
        out : numpy.ndarray, optional
            Read into this array of the result's shape, whatever its strides, and return it. Another dtype is
            converted as NumPy's assignment does.

        Returns
        -------
        numpy.ndarray or NumPy scalar
            A scalar if every axis is selected by an integer, as in NumPy.

        Raises
        ------
        BoundsCheckError
            An integer is out of range.
        ChunkError
            A stored chunk cannot be what the metadata say.
        """
        array = self._current
        plan = plan_basic(selection, array.metadata.grid)
        if out is not None:
            return self._read_into(array, plan, out)
        items = np.empty(plan.shape, array.metadata.dtype)
        engine.read(array, plan, items)
        if plan.shape or selection is Ellipsis or (isinstance(selection, tuple) and Ellipsis in selection):
            return items
        return items[()]

    @staticmethod
    def _read_into(array: engine.ChunkedArray, plan: Plan, out: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if not isinstance(out, np.ndarray):
            raise TypeError(f"out is a {type(out).__name__}, not a numpy.ndarray")
        if out.shape != plan.shape:
            raise ValueError(f"out has shape {out.shape}, the selection {plan.shape}")
        if not out.flags.writeable:
            raise ValueError("out is read-only")
        if out.dtype == array.metadata.dtype:
            engine.read(array, plan, out)
        else:
            items = np.empty(plan.shape, array.metadata.dtype)
            engine.read(array, plan, items)
            out[...] = items
        return out

    # ---- write

    def __setitem__(self, selection: Any, value: Any) -> None:
        self.set_basic_selection(selection, value)

    def set_basic_selection(self, selection: Any, value: Any) -> None:
        """Assign to the items that integers, slices and an Ellipsis select.

        Parameters
        ----------
        selection : tuple or single entry
            As for `get_basic_selection`.
        value : array-like
            Broadcast to the selection and converted to the array's dtype, as NumPy's assignment does.

        Raises
        ------
        ReadOnlyError
            The array was opened for reading.
        ValueError
            The value does not fit shape or dtype.
        """
        self._check_writable()
        array = self._current
        plan = plan_basic(selection, array.metadata.grid)
        engine.write(array, plan, self._as_items(value, plan.shape))

    def _check_writable(self) -> None:
        if self._read_only:
            raise ReadOnlyError(f"array {self.name or '/'!r} is read-only; open it with mode 'r+' or 'a'")

    def _as_items(self, value: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """Return `value` as an array of this dtype, broadcast to `shape`."""
        dtype = self._chunked.metadata.dtype
        try:
            if not isinstance(value, np.ndarray | np.generic) and hasattr(value, "__array__"):
                value = np.asarray(value)
            if not isinstance(value, np.ndarray | np.generic):
                items = np.asarray(value, dtype)
            elif value.dtype == dtype:
                items = np.asarray(value)
            else:
                items = np.empty(value.shape, dtype)
                items[...] = value
        except (ValueError, TypeError, OverflowError) as err:
            err.add_note(f"while converting what is assigned to array {self.name or '/'!r} to its dtype {dtype}")
            raise
        while items.ndim > len(shape) and items.shape[0] == 1:
            items = items[0]
        try:
            return np.broadcast_to(items, shape)
        except ValueError:
            raise ValueError(
                f"cannot assign values of shape {items.shape} to a selection of shape {shape} "
                f"of array {self.name or '/'!r}"
            ) from None

    # ---- resize

    def resize(self, *args: Any) -> None:
        """Change the shape, in place. Items that are added have the fill value.

        Chunks that lie outside the new shape are erased. At any moment, also when the process is killed, the
        array is valid in its old or new shape.

        Parameters
        ----------
        *args : int or sequence of int
            The new shape; as many axes as before.
        """
        self._check_writable()
        new = normalize_shape(args[0] if len(args) == 1 else args)
        old = self.shape
        if len(new) != len(old):
            raise ValueError(f"cannot resize from shape {old} to {new}: the number of dimensions cannot change")
        low = tuple(map(min, old, new))
        if low != old:
            # Shrinking: the metadata first, then what they no longer refer to.
            self._publish(self._chunked.metadata.with_shape(low))
            resize.erase_outside(self._chunked)
        if low != new:
            # Growing: first what the new metadata will refer to.
            grown = self._bind(self._chunked.metadata.with_shape(new))
            resize.clear_growth(grown, low)
            self._publish(grown.metadata)

    def append(self, data: Any, axis: int = 0) -> tuple[int, ...]:
        """Add `data` at the end of an axis and return the new shape.

        Parameters
        ----------
        data : array-like
            The same shape as the array, except along `axis`.
        axis : int, optional
            The axis that grows.
        """
        self._check_writable()
        items = np.asanyarray(data)
        old = self.shape
        axis = operator.index(axis)
        if not -len(old) <= axis < len(old):
            raise ValueError(f"axis {axis} is out of range for an array of {len(old)} dimensions")
        axis %= len(old)
        if items.ndim != len(old) or any(i != axis and n != m for i, (n, m) in enumerate(zip(items.shape, old, strict=True))):
            raise ValueError(f"shape {items.shape} cannot be appended to shape {old} along axis {axis}")
        new = tuple(n + (items.shape[axis] if i == axis else 0) for i, n in enumerate(old))
        # Every item that is added is written, before the metadata say that it is there.
        grown = self._bind(self._chunked.metadata.with_shape(new))
        selection = tuple(slice(old[i] if i == axis else 0, None) for i in range(len(old)))
        plan = plan_basic(selection, grown.metadata.grid)
        engine.write(grown, plan, self._as_items(items, plan.shape))
        self._publish(grown.metadata)
        return new

    def _publish(self, metadata: ArrayMetadata) -> None:
        self._store[join(self._path, ARRAY_KEY)] = render_array(metadata)
        self._chunked = self._bind(metadata)
