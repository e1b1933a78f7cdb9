"""Selections: reading and writing the items that a selection names.

Every method plans its kind of selection, then reads or writes by the plan: `_get` and `_set` are the way of
all. ``z[...]`` has a shorter one first, for selections that are planned in C at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from zchunk._ext.selection.slices import Plan
from zchunk._ext.selection.slices import plan_basic as plan_at_once
from zchunk.core.items import read, read_items, write, write_items
from zchunk.core.properties import ArrayProperties
from zchunk.engine.array import ChunkedArray
from zchunk.errors import ReadOnlyError
from zchunk.indexing import plans
from zchunk.indexing.arranged import Arranged
from zchunk.indexing.fields import pop_fields
from zchunk.runtime.lazy import LazyModule

if TYPE_CHECKING:
    import numpy.typing as npt

    from zchunk.indexing import brackets
    from zchunk.typing import (
        BasicSelection,
        BlockSelection,
        CoordinateSelection,
        Fields,
        MaskSelection,
        OrthogonalSelection,
        Selection,
    )

    _Index = int | np.integer[Any]
else:
    # For selections that are not planned in C at once.
    brackets = LazyModule("zchunk.indexing.brackets")

# How a kind of selection is planned.
Planner = Callable[[Any, ChunkedArray], Plan | Arranged]


def _items(selection: object, array: ChunkedArray) -> Plan | Arranged:
    return brackets.plan_items(selection, array.metadata.grid, array.metadata.innermost.order)


def _basic(selection: object, array: ChunkedArray) -> Plan:
    return plans.plan_basic(selection, array.metadata.grid)


def _orthogonal(selection: object, array: ChunkedArray) -> Plan:
    return plans.plan_orthogonal(selection, array.metadata.grid)


def _coordinates(selection: object, array: ChunkedArray) -> Plan:
    return plans.plan_coordinates(selection, array.metadata.grid, array.metadata.innermost.order)


def _mask(selection: object, array: ChunkedArray) -> Plan:
    return plans.plan_mask(selection, array.metadata.grid, array.metadata.innermost.order)


def _vindex(selection: object, array: ChunkedArray) -> Plan:
    return plans.plan_vindex(selection, array.metadata.grid, array.metadata.innermost.order)


def _blocks(selection: object, array: ChunkedArray) -> Plan:
    return plans.plan_blocks(selection, array.metadata.grid)


class Selections(ArrayProperties):
    """An array whose items are read and written, by selections of every kind."""

    def _check_writable(self) -> None:
        if self._access.read_only:
            raise ReadOnlyError(f"array {self.name or '/'!r} is read-only; open it with mode 'r+' or 'a'")

    # ---- any kind

    def _get(
        self, plan: Planner, selection: object, out: npt.NDArray[Any] | None = None, fields: Fields = None
    ) -> Any:
        array = self._current
        return read_items(array, plan(selection, array), out, fields)

    def _set(self, plan: Planner, selection: object, value: object, fields: Fields = None) -> None:
        self._check_writable()
        array = self._current
        write_items(array, plan(selection, array), value, fields)

    # ---- z[...]

    # One entry may leave one item, or rows of an array of more axes: that is known when it is read.
    @overload
    def __getitem__(self, selection: _Index | tuple[_Index, ...]) -> Any: ...
    @overload
    def __getitem__(self, selection: Selection) -> npt.NDArray[Any]: ...
    def __getitem__(self, selection: Selection) -> Any:
        """Return the items that a selection names, as NumPy does.

        Parameters
        ----------
        selection : tuple or single entry
            What NumPy takes: per axis an integer, a slice of any step, or a list or array of positions; a
            mask of one axis or several; an Ellipsis; None for a new axis; a field of a structured dtype, or
            several. If there are arrays for more than one axis, they are points, as in NumPy; `oindex` takes
            each by itself.

        Returns
        -------
        numpy.ndarray or NumPy scalar
            A scalar if every axis is selected by an integer.

        Raises
        ------
        BoundsCheckError
            An integer is out of range.
        SelectionError
            There is no such selection, or no such field.
        ChunkError
            A stored chunk cannot be what the metadata say.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z[1, ::2]
        array([4, 6])
        >>> z[[0, 2], 1]
        array([1, 9])
        >>> z[2, 3]
        np.int64(11)
        >>> z[z[...] % 5 == 0]
        array([ 0,  5, 10])
        >>> z[[0, 2], np.newaxis, [1, 3]]
        array([[ 1],
               [11]])
        """
        array = self._chunked if self._access.cache_metadata else self._current
        metadata = array.metadata
        plan = plan_at_once(selection, metadata.grid.shape, metadata.grid.chunk_shape)
        if plan is None:
            fields, rest = pop_fields(selection)
            return self._get(_items, rest, fields=fields)
        return read(array, plan)

    def __setitem__(self, selection: Selection, value: object) -> None:
        """Assign to the items that a selection names, as NumPy does.

        Parameters
        ----------
        selection : tuple or single entry
            As for ``z[...]``. If an item is selected repeatedly, the last of its values stays.
        value : array-like
            Broadcast to the selection and converted to the array's dtype.

        Raises
        ------
        BoundsCheckError, SelectionError
            As for ``z[...]``.
        ReadOnlyError
            The array was opened for reading.
        ValueError
            The value does not fit shape or dtype.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros((2, 4), chunks=2, dtype="i4")
        >>> z[0] = [1, 2, 3, 4]
        >>> z[:, -1] = 9
        >>> z[z[...] > 1] += 10
        >>> z[...]
        array([[ 1, 12, 13, 19],
               [ 0,  0,  0, 19]], dtype=int32)
        """
        self._check_writable()
        array = self._chunked if self._access.cache_metadata else self._current
        metadata = array.metadata
        plan = plan_at_once(selection, metadata.grid.shape, metadata.grid.chunk_shape)
        if plan is None:
            fields, rest = pop_fields(selection)
            self._set(_items, rest, value, fields)
        else:
            write(array, plan, value, metadata.dtype)

    # ---- basic

    def get_basic_selection(
        self,
        selection: BasicSelection = Ellipsis,
        out: npt.NDArray[Any] | None = None,
        fields: Fields = None,
    ) -> Any:
        """Return the items that integers, slices and an Ellipsis select.

        Parameters
        ----------
        selection : tuple or single entry, optional
            Per axis an integer or a slice of any step. An Ellipsis stands for whole axes, and so do entries
            that are left out at the end.
        out : numpy.ndarray, optional
            Read into this array of the result's shape, whatever its strides, and return it. Another dtype is
            converted as NumPy's assignment does.
        fields : str or sequence of str, optional
            Of a structured dtype: return only this field, or a structure of these.

        Returns
        -------
        numpy.ndarray or NumPy scalar
            A scalar if every axis is selected by an integer, as in NumPy.

        Raises
        ------
        BoundsCheckError
            An integer is out of range.
        SelectionError
            The selection is of another kind, or there is no such field.
        ChunkError
            A stored chunk cannot be what the metadata say.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.get_basic_selection((slice(None), 1))
        array([1, 5, 9])
        >>> out = np.empty((3, 2), "f4")
        >>> z.get_basic_selection((slice(None), slice(2)), out=out)
        array([[0., 1.],
               [4., 5.],
               [8., 9.]], dtype=float32)
        """
        return self._get(_basic, selection, out, fields)

    def set_basic_selection(self, selection: BasicSelection, value: object, fields: Fields = None) -> None:
        """Assign to the items that integers, slices and an Ellipsis select.

        Parameters
        ----------
        selection : tuple or single entry
            As for `get_basic_selection`.
        value : array-like
            Broadcast to the selection and converted to the array's dtype, as NumPy's assignment does.
        fields : str, optional
            Of a structured dtype: assign to this field only.

        Raises
        ------
        BoundsCheckError, SelectionError
            As for `get_basic_selection`.
        ReadOnlyError
            The array was opened for reading.
        ValueError
            The value does not fit shape or dtype.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.set_basic_selection((0, slice(2)), [7, 8])
        >>> z[0]
        array([7, 8, 2, 3])
        """
        self._set(_basic, selection, value, fields)

    # ---- by axis

    @property
    def oindex(self) -> Index:
        """``z.oindex[...]`` reads and writes orthogonal selections, see `get_orthogonal_selection`.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.oindex[[0, 2], [1, 3]]
        array([[ 1,  3],
               [ 9, 11]])
        """
        return Index(self, _orthogonal)

    def get_orthogonal_selection(
        self,
        selection: OrthogonalSelection,
        out: npt.NDArray[Any] | None = None,
        fields: Fields = None,
    ) -> Any:
        """Return the product of what is selected along every axis.

        Parameters
        ----------
        selection : tuple or single entry
            Per axis an integer, a slice, a list or 1-d array of integers in any order, repeated ones too, or
            a 1-d array of bool as long as the axis; an Ellipsis.
        out, fields : optional
            As for `get_basic_selection`.

        Returns
        -------
        numpy.ndarray or NumPy scalar
            With as many axes as there are entries that are not integers.

        Raises
        ------
        BoundsCheckError, SelectionError, ChunkError
            As for `get_basic_selection`.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.get_orthogonal_selection(([0, 2], [1, 3]))
        array([[ 1,  3],
               [ 9, 11]])
        """
        return self._get(_orthogonal, selection, out, fields)

    def set_orthogonal_selection(
        self, selection: OrthogonalSelection, value: object, fields: Fields = None
    ) -> None:
        """Assign to the product of what is selected along every axis.

        Parameters
        ----------
        selection : tuple or single entry
            As for `get_orthogonal_selection`. If an item is selected repeatedly, the last of its
            values stays.
        value, fields
            As for `set_basic_selection`, which raises the same errors.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.set_orthogonal_selection(([0, 2], [1, 3]), 0)
        >>> z[...]
        array([[ 0,  0,  2,  0],
               [ 4,  5,  6,  7],
               [ 8,  0, 10,  0]])
        """
        self._set(_orthogonal, selection, value, fields)

    # ---- points

    @property
    def vindex(self) -> Index:
        """``z.vindex[...]`` reads and writes points or by a mask, see `get_coordinate_selection`.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.vindex[[0, 2], [1, 3]]
        array([ 1, 11])
        """
        return Index(self, _vindex)

    def get_coordinate_selection(
        self,
        selection: CoordinateSelection,
        out: npt.NDArray[Any] | None = None,
        fields: Fields = None,
    ) -> npt.NDArray[Any]:
        """Return the items at points.

        Parameters
        ----------
        selection : tuple of array-like
            Per axis an integer or an array of integers; they are broadcast.
        out, fields : optional
            As for `get_basic_selection`.

        Returns
        -------
        numpy.ndarray
            Of the shape that the arrays are broadcast to; of one item if there are only integers.

        Raises
        ------
        BoundsCheckError, SelectionError, ChunkError
            As for `get_basic_selection`.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.get_coordinate_selection(([0, 2], [1, 3]))
        array([ 1, 11])
        """
        items: npt.NDArray[Any] = self._get(_coordinates, selection, out, fields)
        return items

    def set_coordinate_selection(
        self, selection: CoordinateSelection, value: object, fields: Fields = None
    ) -> None:
        """Assign to the items at points.

        Parameters
        ----------
        selection : tuple of array-like
            As for `get_coordinate_selection`. If an item is selected repeatedly, the last of its
            values stays.
        value : array-like
            Broadcast to the points, or as many items as there are points.
        fields : str, optional
            As for `set_basic_selection`, which raises the same errors.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.set_coordinate_selection(([0, 2], [1, 3]), [-1, -2])
        >>> z[0, 1], z[2, 3]
        (np.int64(-1), np.int64(-2))
        """
        self._set(_coordinates, selection, value, fields)

    def get_mask_selection(
        self,
        selection: MaskSelection,
        out: npt.NDArray[Any] | None = None,
        fields: Fields = None,
    ) -> npt.NDArray[Any]:
        """Return the items where a mask is true, in C order.

        Parameters
        ----------
        selection : array of bool
            Of the array's shape.
        out, fields : optional
            As for `get_basic_selection`, which raises the same errors.

        Returns
        -------
        numpy.ndarray
            1-d.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.get_mask_selection(z[...] % 5 == 0)
        array([ 0,  5, 10])
        """
        items: npt.NDArray[Any] = self._get(_mask, selection, out, fields)
        return items

    def set_mask_selection(self, selection: MaskSelection, value: object, fields: Fields = None) -> None:
        """Assign to the items where a mask is true.

        Parameters
        ----------
        selection : array of bool
            Of the array's shape.
        value, fields
            As for `set_coordinate_selection`.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.set_mask_selection(z[...] > 3, 0)
        >>> z[...]
        array([[0, 1, 2, 3],
               [0, 0, 0, 0],
               [0, 0, 0, 0]])
        """
        self._set(_mask, selection, value, fields)

    # ---- chunks

    @property
    def blocks(self) -> Index:
        """``z.blocks[...]`` reads and writes whole chunks, or shards, see `get_block_selection`.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.blocks[0, 1]
        array([[2, 3],
               [6, 7]])
        """
        return Index(self, _blocks)

    def get_block_selection(
        self,
        selection: BlockSelection = Ellipsis,
        out: npt.NDArray[Any] | None = None,
        fields: Fields = None,
    ) -> npt.NDArray[Any]:
        """Return the items of whole chunks, or of whole shards if there are some.

        Parameters
        ----------
        selection : tuple or single entry, optional
            Per axis the index of a chunk or a slice of them, without a step; an Ellipsis.
        out, fields : optional
            As for `get_basic_selection`, which raises the same errors.

        Returns
        -------
        numpy.ndarray
            With as many axes as the array has.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.get_block_selection((0, slice(1)))
        array([[0, 1],
               [4, 5]])
        """
        items: npt.NDArray[Any] = self._get(_blocks, selection, out, fields)
        return items

    def set_block_selection(self, selection: BlockSelection, value: object, fields: Fields = None) -> None:
        """Assign to the items of whole chunks.

        Parameters
        ----------
        selection : tuple or single entry
            As for `get_block_selection`.
        value, fields
            As for `set_basic_selection`, which raises the same errors.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
        >>> z.set_block_selection((0, 1), -1)
        >>> z[...]
        array([[ 0,  1, -1, -1],
               [ 4,  5, -1, -1],
               [ 8,  9, 10, 11]])
        """
        self._set(_blocks, selection, value, fields)


class Index:
    """``[...]`` with another kind of selection: what `oindex`, `vindex` and `blocks` give.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.array([1, 2, 3, 4], chunks=2)
    >>> z.vindex[[True, False, False, True]]
    array([1, 4])
    >>> z.vindex[[0, 1]] = 7
    >>> z.blocks[0]
    array([7, 7])
    """

    def __init__(self, array: Selections, plan: Planner) -> None:
        self._array = array
        self._plan = plan

    def __getitem__(self, selection: Selection | CoordinateSelection | MaskSelection) -> Any:
        """Return the items that a selection of this kind names."""
        fields, rest = pop_fields(selection)
        return self._array._get(self._plan, rest, fields=fields)

    def __setitem__(self, selection: Selection | CoordinateSelection | MaskSelection, value: object) -> None:
        """Assign to the items that a selection of this kind names."""
        fields, rest = pop_fields(selection)
        self._array._set(self._plan, rest, value, fields)
