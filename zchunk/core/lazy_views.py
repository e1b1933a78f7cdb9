"""Lazy views: selections of an array that are read later.

A view holds an array and a `Composition`, which says where the items of the view are in it. Selecting from a
view composes; reading it is one read of the array by one plan, as if all had been selected at once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, TypeAlias, overload

import numpy as np

from zchunk._ext.selection.composed import compose_basic, plan_composed
from zchunk.core.selections import Selections
from zchunk.engine.array import ChunkedArray
from zchunk.errors import SelectionError
from zchunk.indexing import pieces
from zchunk.indexing.arranged import Arranged
from zchunk.indexing.brackets import select, select_orthogonal, select_vindex
from zchunk.indexing.composition import Composition, Span, axes_of, transposed, whole
from zchunk.indexing.fields import field_dtype, pop_fields
from zchunk.runtime.lazy import LazyModule

if TYPE_CHECKING:
    from types import EllipsisType

    import numpy.typing as npt

    from zchunk._ext.selection.slices import Plan
    from zchunk.core import tokens
    from zchunk.typing import CoordinateSelection, Fields, MaskSelection, OrthogonalSelection, Selection

    _Axes: TypeAlias = SupportsIndex | Sequence[SupportsIndex] | None
else:
    # For dask, and calls that resume.
    tokens = LazyModule("zchunk.core.tokens")

# ---- what views are of


class Source(Protocol):
    """What has the items of views."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def arrays(self) -> tuple[Selections, ...]:
        """The arrays below."""

    @property
    def origins(self) -> tuple[tuple[int, ...], ...]:
        """For every axis those of the first array that it goes along."""

    def edges(self, axis: int, first: int, last: int) -> Sequence[int]:
        """Return where chunks begin along an axis, after a position and up to another."""

    def read(
        self, selection: Composition, out: npt.NDArray[Any] | None, fields: Fields
    ) -> npt.NDArray[Any]:
        """Return the selected items, or fields of them; in `out` if that is given."""

    def write(self, selection: Composition, value: object, fields: Fields) -> None:
        """Assign to the selected items, or to a field of them."""

    def identity(self, of: Callable[[Selections], object]) -> object:
        """Return what tells these items from others, with `of` each of the arrays."""


def _plan(selection: Composition, array: ChunkedArray) -> Plan | Arranged:
    metadata = array.metadata
    grid = metadata.grid
    # At once where all is made of integers and slices.
    plan = plan_composed(selection.shape, selection.maps, Span, grid.shape, grid.chunk_shape)
    if plan is not None:
        return plan
    # It may have been resized.
    selection.check_within(metadata.shape)
    return selection.plan(grid, metadata.innermost.order)


class _Stored:
    """A stored array, as what views are of."""

    def __init__(self, array: Selections) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def arrays(self) -> tuple[Selections, ...]:
        return (self.array,)

    @property
    def origins(self) -> tuple[tuple[int, ...], ...]:
        return tuple([(axis,) for axis in range(self.array.ndim)])

    def edges(self, axis: int, first: int, last: int) -> Sequence[int]:
        grid, found = self.array.metadata.grid_of_chunks, []
        edge = grid.end_of(axis, first)
        while edge <= last:
            found.append(edge)
            edge = grid.end_of(axis, edge)
        return found

    def read(
        self, selection: Composition, out: npt.NDArray[Any] | None, fields: Fields
    ) -> npt.NDArray[Any]:
        items: npt.NDArray[Any] = self.array._get(_plan, selection, out, fields)
        return items

    def write(self, selection: Composition, value: object, fields: Fields) -> None:
        self.array._set(_plan, selection, value, fields)

    def identity(self, of: Callable[[Selections], object]) -> object:
        return of(self.array)

    def __repr__(self) -> str:
        return repr(self.array)


# ---- views


class LazyItems:
    """Items that are not read yet: what `LazyArray` and `LazyView` have in common.

    Parameters
    ----------
    source : Source
        Has the items.
    selection : Composition
        Which of its items these are.
    fields : str or list of str, optional
        Fields of the items.
    """

    def __init__(self, source: Source, selection: Composition, fields: Fields = None) -> None:
        self._source = source
        self._selection = selection
        self._fields = fields

    # ---- what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return self._selection.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an item."""
        return field_dtype(self._fields or (), self._source.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._selection.shape)

    @property
    def size(self) -> int:
        """Number of items."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def nbytes(self) -> int:
        """Bytes of the items."""
        return self.size * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Lengths, along every axis, of the pieces that lie in one chunk of the array, as dask has them.

        They are those of the chunks that are touched. Along axes of lists whose chunks alternate, or of
        points, there is one piece.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros((100, 100), chunks=(10, 50))
        >>> z.lazy[5:30, ::20].chunks
        ((5, 10, 10), (3, 2))
        """
        return pieces.lengths(self._selection, self._source.edges)

    @property
    def arrays(self) -> tuple[Selections, ...]:
        """The stored arrays that have the items: one, or several side by side."""
        return self._source.arrays

    @property
    def name(self) -> str | None:
        """Name of the array, None if there are several."""
        return self.arrays[0].name if len(self.arrays) == 1 else None

    @property
    def origins(self) -> tuple[tuple[int, ...], ...]:
        """For every axis those of the array that it goes along: several for points, none for a new axis.

        Of several arrays those of the first.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.zeros((2, 3, 4)).lazy[1, :, None].T.origins
        ((2,), (), (1,))
        """
        found: list[set[int]] = [set() for _ in self.shape]
        for axis_map, axes in zip(self._selection.maps, self._source.origins, strict=True):
            for place in axes_of(axis_map):
                found[place].update(axes)
        return tuple([tuple(sorted(axes)) for axes in found])

    def __len__(self) -> int:
        """Return the length of the first axis."""
        if not self.shape:
            raise TypeError("len() of a 0-d view")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.shape} {self.dtype} of {self._source!r}>"

    def identity(self, of: Callable[[Selections], object]) -> str:
        """Return text that is the same for the same items of the same arrays.

        Parameters
        ----------
        of : callable
            Returns what tells an array from others.
        """
        return tokens.composed_token(self._selection, (self._source.identity(of), self._fields))

    def __dask_tokenize__(self) -> tuple[str, str]:
        return "zchunk", self.identity(tokens.dask_token)

    # ---- selections

    def _then(self, selection: Composition, fields: Fields = None) -> LazyView:
        """Return the view of what is selected of this one."""
        return LazyView(self._source, self._selection.then(selection), self._narrowed(fields))

    def _narrowed(self, fields: Fields) -> Fields:
        if fields is None or fields == [] or fields == ():
            return self._fields
        dtype = field_dtype(fields, self.dtype)
        if isinstance(self._fields, str):
            raise SelectionError(f"{fields!r:.80} in field {self._fields!r}: select it of what is read")
        if isinstance(fields, str) and dtype.subdtype is not None:
            raise SelectionError(f"field {fields!r} has axes of its own: select it of what is read")
        return fields

    def _select(self, selection: Selection) -> LazyView:
        own = self._selection
        at_once = compose_basic(selection, own.shape, own.maps, Span)
        if at_once is not None:
            return LazyView(self._source, Composition(*at_once), self._fields)
        fields, rest = pop_fields(selection)
        return self._then(select(rest, own.shape), fields)

    def __setitem__(self, selection: Selection, value: object) -> None:
        """Assign to items of the array, as NumPy does.

        Parameters
        ----------
        selection : tuple or single entry
            As for ``z[...]``.
        value : array-like
            Broadcast to the selection, and converted to the array's dtype. If an item is selected repeatedly,
            the last of its values stays.

        Raises
        ------
        BoundsCheckError, SelectionError, ReadOnlyError, ValueError
            As for ``z[...] = value``.
        """
        self._select(selection)._write(value)

    @property
    def oindex(self) -> LazyIndex:
        """``v.oindex[...]`` selects the product of what is selected along every axis, and reads nothing.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.lazy[1:].oindex[[1, 0], [3, 0]].read()
        array([[11,  8],
               [ 7,  4]])
        """
        return LazyIndex(self, select_orthogonal)

    @property
    def vindex(self) -> LazyIndex:
        """``v.vindex[...]`` selects points, or by a mask, and reads nothing.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.lazy[1:].vindex[[1, 0], [3, 0]].read()
        array([11,  4])
        """
        return LazyIndex(self, select_vindex)

    @property
    def T(self) -> LazyView:
        """The view with its axes in reverse order."""
        return self.transpose()

    def transpose(self, *axes: _Axes) -> LazyView:
        """Return the view with its axes in another order, as `numpy.ndarray.transpose` does.

        Parameters
        ----------
        *axes : int, or sequence of int
            The axes in their new order; reversed if there are none.

        Returns
        -------
        LazyView

        Raises
        ------
        ValueError
            These are not the axes.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.zeros((2, 3, 4)).lazy.transpose(1, 2, 0).shape
        (3, 4, 2)
        """
        wanted: Any = axes[0] if len(axes) == 1 else axes
        if wanted is None or wanted == ():
            wanted = range(self.ndim)[::-1]
        elif not isinstance(wanted, Iterable):
            wanted = (wanted,)
        order = [operator.index(axis) for axis in wanted]
        if sorted([axis % max(self.ndim, 1) for axis in order]) != list(range(self.ndim)) or not all(
            -self.ndim <= axis < self.ndim for axis in order
        ):
            raise ValueError(f"{tuple(order)} is no order of the {self.ndim} axes")
        return self._then(transposed(self.shape, tuple([axis % self.ndim for axis in order])))

    # ---- items

    def read(self, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """Return the items.

        Parameters
        ----------
        out : numpy.ndarray, optional
            Read into this array of the view's shape, whatever its strides, and return it. Another dtype is
            converted as NumPy's assignment does.

        Returns
        -------
        numpy.ndarray
            Also if the view has no axes.

        Raises
        ------
        BoundsCheckError
            The array was resized since, and does not have all of the items.
        ChunkError
            A stored chunk cannot be what the metadata say.
        ValueError
            `out` has another shape.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.lazy[1:, ::2].T.read()
        array([[ 4,  8],
               [ 6, 10]])
        """
        return self._source.read(self._selection, out, self._fields)

    def _write(self, value: object) -> None:
        self._source.write(self._selection, value, self._fields)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a view of a stored array cannot become a NumPy array without a copy")
        items = self.read()
        return items if dtype is None else items.astype(dtype, copy=False)

    def __iter__(self) -> Iterator[LazyView]:
        """Iterate over the views of the first axis' items."""
        return (self._select(i) for i in range(len(self)))


class LazyArray(LazyItems):
    """All of an array, not read: what ``z.lazy`` is.

    Whatever is selected of it is a `LazyView`, and nothing is read.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros((100, 20, 10))
    >>> z.lazy[10:100][::2, :, 5].T
    <LazyView (20, 45) float64 of <zchunk.core.Array (100, 20, 10) float64>>
    """

    def __init__(self, array: Selections) -> None:
        super().__init__(_Stored(array), whole(array.shape))

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyArray, self._source.arrays

    def __getitem__(self, selection: Selection) -> LazyView:
        """Return the view of the items that a selection names, as NumPy means it.

        Parameters
        ----------
        selection : tuple or single entry
            As for ``z[...]``.

        Returns
        -------
        LazyView

        Raises
        ------
        BoundsCheckError, SelectionError
            As for ``z[...]``.
        """
        return self._select(selection)


class LazyView(LazyItems):
    """A selection of an array, or of arrays side by side, that is read when its items are asked for.

    ``v[...]``, `read` and `numpy.asarray` read; other selections, `T` and `transpose` give further views.
    What is composed costs what one selection of the array costs. Assigning writes to the array. The view is
    of the shape that the array had: if the array is resized so that items of the view are no longer there,
    reading them is an error.

    Examples
    --------
    >>> import numpy as np
    >>> import zchunk
    >>> z = zchunk.array(np.arange(24).reshape(4, 6), chunks=(2, 3))
    >>> v = z.lazy[1:, ::2].T
    >>> v[0]
    <LazyView (3,) int64 of <zchunk.core.Array (4, 6) int64>>
    >>> v[...]
    array([[ 6, 12, 18],
           [ 8, 14, 20],
           [10, 16, 22]])
    >>> v[0, :2] = -1
    >>> z[1:3, 0]
    array([-1, -1])
    """

    @overload
    def __getitem__(self, selection: EllipsisType | tuple[()]) -> Any: ...
    @overload
    def __getitem__(self, selection: Selection) -> LazyView: ...
    def __getitem__(self, selection: Selection) -> Any:
        """Return the view of the items that a selection names; for ``v[...]`` and ``v[()]`` read them all.

        Parameters
        ----------
        selection : tuple or single entry
            As for ``z[...]``, which raises the same errors.

        Returns
        -------
        LazyView, numpy.ndarray or NumPy scalar
            A scalar for ``v[()]`` of a view without axes.
        """
        if selection is Ellipsis:
            return self.read()
        if isinstance(selection, tuple) and not selection:
            return self.read()[()]
        return self._select(selection)


class LazyIndex:
    """``[...]`` with another kind of selection: what `oindex` and `vindex` of views give."""

    def __init__(self, items: LazyItems, compose: Callable[[Any, tuple[int, ...]], Composition]) -> None:
        self._items = items
        self._compose = compose

    def _select(self, selection: object) -> LazyView:
        fields, rest = pop_fields(selection)
        return self._items._then(self._compose(rest, self._items.shape), fields)

    def __getitem__(self, selection: OrthogonalSelection | CoordinateSelection | MaskSelection) -> LazyView:
        """Return the view of the items that a selection of this kind names."""
        return self._select(selection)

    def __setitem__(
        self, selection: OrthogonalSelection | CoordinateSelection | MaskSelection, value: object
    ) -> None:
        """Assign to the items that a selection of this kind names."""
        self._select(selection)._write(value)
