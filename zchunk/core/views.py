"""Views: arrays that take the chunks of another one for something else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from zchunk.codecs import as_codec
from zchunk.core.decomposition import Decomposition
from zchunk.errors import CodecError, MetadataError
from zchunk.metadata.array import ArrayMetadata
from zchunk.runtime.lazy import LazyModule
from zchunk.runtime.near_names import says_near_names
from zchunk.spec.fill_values import normalize_fill_value
from zchunk.spec.regular_grid import normalize_chunks, normalize_shape

if TYPE_CHECKING:
    import numpy.typing as npt

    from zchunk.core import lazy_views
    from zchunk.typing import ChunksLike, CodecLike, FillValue, ShapeLike, Synchronizer
else:
    # For programs that select lazily.
    lazy_views = LazyModule("zchunk.core.lazy_views")


class Views(Decomposition):
    """An array of which there are views."""

    # What a view was made with; None if this is none.
    _viewed: dict[str, Any] | None = None

    @property
    def is_view(self) -> bool:
        """Whether this is another interpretation of the chunks of an array, made by `view` or `astype`."""
        return self._viewed is not None

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and not self.is_view and not getattr(other, "is_view", False)

    __hash__ = None  # type: ignore[assignment]

    @property
    def lazy(self) -> lazy_views.LazyArray:
        """All items, not read: ``z.lazy[...]`` gives views that are read when their items are asked for.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> v = z.lazy[1:][:, ::2].T
        >>> v.shape, v.chunks
        ((2, 2), ((1, 1), (1, 1)))
        >>> v.read()
        array([[ 4,  8],
               [ 6, 10]])
        """
        return lazy_views.LazyArray(self)

    @says_near_names
    def view(
        self,
        shape: ShapeLike | None = None,
        chunks: ChunksLike = None,
        dtype: npt.DTypeLike | None = None,
        fill_value: FillValue = None,
        filters: Iterable[CodecLike] | None = None,
        read_only: bool | None = None,
        synchronizer: Synchronizer | None = None,
    ) -> Self:
        """Return an array that takes the chunks of this one for something else.

        Nothing is copied, and what is written through the view is stored. A view has a shape of its own: it
        cannot be resized, and does not follow when the array is.

        Parameters
        ----------
        shape : int or sequence of int, optional
            Length of every axis.
        chunks : int, sequence of int or bool, optional
            Length of a chunk along every axis. A chunk must have as many bytes as one of the array.
        dtype : dtype-like, optional
            Type of an item.
        fill_value : scalar, optional
            Value of the items of missing chunks. Without it that of the array, if the dtype can hold it, else
            zeros.
        filters : sequence of codecs, optional
            What chunks pass before the compressor; ``[]`` for nothing.
        read_only : bool, optional
            Refuse changes.
        synchronizer : mapping of keys to locks, optional
            Held by chunk key while a chunk changes.

        Returns
        -------
        Array

        Raises
        ------
        CodecError
            There is no such filter.
        MetadataError
            There can be no such array.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.array([1, -1], dtype="i2")
        >>> z.view(dtype="u2")[:]
        array([    1, 65535], dtype=uint16)
        """
        wanted = {
            "shape": shape,
            "chunks": chunks,
            "dtype": dtype,
            "fill_value": fill_value,
            "filters": None if filters is None else _as_filters(filters),
        }
        wanted = {name: value for name, value in wanted.items() if value is not None}
        metadata = _reinterpret(self._metadata, **wanted)
        access = self._access._replace(
            # The metadata in the store are those of the array.
            cache_metadata=True,
            read_only=self.read_only if read_only is None else bool(read_only),
            synchronizer=self.synchronizer if synchronizer is None else synchronizer,
        )
        view = self._of(access, metadata)
        view._viewed = (self._viewed or {}) | wanted
        if fill_value is None and _converts_only(self._chunked.metadata, metadata):
            view._chunked = view._chunked.converting(self._chunked)
        return view

    @says_near_names
    def astype(self, dtype: npt.DTypeLike) -> Self:
        """Return a read-only view whose items are converted to `dtype` when they are read.

        Parameters
        ----------
        dtype : dtype-like
            Type of an item. Converted as `numpy.ndarray.astype` does.

        Returns
        -------
        Array

        Examples
        --------
        >>> import zchunk
        >>> zchunk.array([1, 2, 3]).astype("f4")[:]
        array([1., 2., 3.], dtype=float32)
        """
        import numcodecs

        dtype = np.dtype(dtype)
        metadata = self._metadata.innermost
        convert = numcodecs.AsType(encode_dtype=_stored_dtype(metadata), decode_dtype=dtype)
        return self.view(filters=[convert, *metadata.filters], dtype=dtype, read_only=True)


def remake_view(make: Any, args: tuple[Any, ...], viewed: dict[str, Any]) -> Any:
    """Return the view of ``make(*args)`` that `Array.view` makes of `viewed`.

    Nothing calls it but pickles of views that zchunk made before there was `zchunk.core.array.reopen`.
    """
    return make(*args).view(**viewed)


def _converts_only(old: ArrayMetadata, new: ArrayMetadata) -> bool:
    """Whether `new` is `old` with items that are converted to another dtype, and nothing else differs."""
    filters = new.innermost.filters
    same = (new.shape, new.chunk_shape, filters[1:])
    if (old.shape, old.chunk_shape, old.innermost.filters) != same:
        return False
    first: Any = filters[0] if filters else None
    return (
        getattr(first, "codec_id", None) == "astype"
        and first.encode_dtype == _stored_dtype(old.innermost)
        and first.decode_dtype == new.dtype
    )


def _stored_dtype(metadata: ArrayMetadata) -> np.dtype[Any]:
    """Return the dtype of items with the byte order in which they are stored."""
    return metadata.dtype.newbyteorder("S") if metadata.swapped else metadata.dtype


def _keeps_chunks(old: ArrayMetadata, new: ArrayMetadata) -> bool:
    """Whether `new` differs from `old` in the fill value at most, or converts items."""
    layouts = [(m.shape, m.chunk_shape, m.dtype, m.filters) for m in (old, new)]
    return layouts[0] == layouts[1] or _converts_only(old, new)


def _as_filters(filters: Iterable[Any]) -> tuple[Any, ...]:
    if isinstance(filters, str | dict) or not isinstance(filters, Iterable):
        raise CodecError(f"filters is a sequence of codecs, not {filters!r:.80}; write [codec] for one")
    return tuple(as_codec(codec) for codec in filters)


def _reinterpret(
    old: ArrayMetadata,
    shape: Any = None,
    chunks: Any = None,
    dtype: Any = None,
    fill_value: Any = None,
    filters: Any = None,
) -> ArrayMetadata:
    """Return metadata that differ from `old` in what is not None."""
    if old.edges is not None and (shape is not None or chunks is not None):
        raise _no_view(old)
    new_dtype = old.dtype if dtype is None else np.dtype(dtype)
    new_shape = old.shape if shape is None else normalize_shape(shape)
    changes: dict[str, Any] = {
        "dtype": new_dtype,
        "fill_value": _fill_value(old, new_dtype)
        if fill_value is None
        else normalize_fill_value(fill_value, new_dtype),
    }
    if dtype is not None:
        # The name of the data type in the metadata is that of the array's dtype.
        changes["data_type"] = None
    inner = old.innermost
    if filters is not None:
        # The filters get the items as they are stored.
        changes |= {"filters": filters, "swapped": False}
    elif inner.swapped and new_dtype.itemsize != inner.dtype.itemsize:
        raise MetadataError(
            f"items of {inner.dtype} are stored in the other byte order: they cannot be taken for {new_dtype}"
        )
    if old.edges is not None:
        new = old.replace(shape=new_shape, **changes)
        if not _keeps_chunks(old, new):
            raise _no_view(old)
        return new
    lengths = inner.chunk_shape
    if chunks is not None:
        lengths = normalize_chunks(chunks, new_shape, new_dtype.itemsize)
    return _cut(old, new_shape, lengths, changes)


def _cut(
    old: ArrayMetadata, shape: tuple[int, ...], chunks: tuple[int, ...], changes: dict[str, Any]
) -> ArrayMetadata:
    """Return `old` with another shape, other chunks and changes; shards have as many chunks as before."""
    if old.shards is None:
        return old.replace(shape=shape, chunk_shape=chunks, **changes)
    if len(chunks) != old.ndim:
        raise MetadataError(f"chunks has {len(chunks)} axes, the shards of the array have {old.ndim}")
    counts = zip(chunks, old.chunk_shape, old.innermost.chunk_shape, strict=True)
    shard = tuple(c * (s // i) for c, s, i in counts)
    shards = old.shards._replace(inner=_cut(old.shards.inner, shard, chunks, changes))
    own = {name: value for name, value in changes.items() if name not in ("filters", "swapped")}
    return old.replace(shape=shape, chunk_shape=shard, shards=shards, **own)


def _no_view(old: ArrayMetadata) -> MetadataError:
    return MetadataError(
        f"an array of shape {old.shape} with a rectilinear chunk grid can be viewed by astype or with "
        "another fill value, but its chunks cannot be taken for others"
    )


def _fill_value(old: ArrayMetadata, dtype: np.dtype[Any]) -> Any:
    """Return the fill value of `old` as one of `dtype`; None if it cannot be one."""
    if old.fill_value is None or dtype == old.dtype:
        return old.fill_value
    try:
        with np.errstate(all="raise"):
            return normalize_fill_value(np.asarray(old.fill_value).astype(dtype)[()], dtype)
    except (ValueError, TypeError, ArithmeticError):
        return None
