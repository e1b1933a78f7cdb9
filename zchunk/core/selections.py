"""Selections: reading and writing the items that a selection names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zchunk._ext.selection.basic import Plan
from zchunk._ext.selection.basic import plan_basic as plan_at_once
from zchunk.core.properties import ArrayProperties
from zchunk.engine import execute
from zchunk.engine.array import ChunkedArray
from zchunk.errors import ReadOnlyError, SelectionError
from zchunk.indexing import plans
from zchunk.indexing.fields import field_dtype, pop_fields
from zchunk.indexing.values import broadcast, convert

# How a kind of selection is planned.
Planner = Callable[[Any, ChunkedArray], Plan]


def _items(selection: Any, array: ChunkedArray) -> Plan:
    return plans.plan_items(selection, array.metadata.grid, array.metadata.innermost.order)


def _basic(selection: Any, array: ChunkedArray) -> Plan:
    return plans.plan_basic(selection, array.metadata.grid)


def _orthogonal(selection: Any, array: ChunkedArray) -> Plan:
    return plans.plan_orthogonal(selection, array.metadata.grid)


def _coordinates(selection: Any, array: ChunkedArray) -> Plan:
    return plans.plan_coordinates(selection, array.metadata.grid, array.metadata.innermost.order)


def _mask(selection: Any, array: ChunkedArray) -> Plan:
    return plans.plan_mask(selection, array.metadata.grid, array.metadata.innermost.order)


def _vindex(selection: Any, array: ChunkedArray) -> Plan:
    return plans.plan_vindex(selection, array.metadata.grid, array.metadata.innermost.order)


def _blocks(selection: Any, array: ChunkedArray) -> Plan:
    return plans.plan_blocks(selection, array.metadata.grid)


class Selections(ArrayProperties):
    """An array whose items are read and written, by selections of every kind."""

    def _check_writable(self) -> None:
        if self._access.read_only:
            raise ReadOnlyError(f"array {self.name or '/'!r} is read-only; open it with mode 'r+' or 'a'")

    # ---- any kind

    def _get(self, plan: Planner, selection: Any, out: Any = None, fields: Any = None) -> Any:
        array = self._current
        found = plan(selection, array)
        if fields is None or fields == [] or fields == ():
            return _read(array, found) if out is None else _read_into(array, found, out)
        dtype = field_dtype(fields, array.metadata.dtype)
        items = _read(array, found)
        items = items[fields] if isinstance(fields, str) else _only(items, list(fields), dtype)
        return items if out is None else _copy(items, out)

    def _set(self, plan: Planner, selection: Any, value: Any, fields: Any = None) -> None:
        self._check_writable()
        array = self._current
        found, dtype, field = plan(selection, array), array.metadata.dtype, None
        if fields is not None and fields != [] and fields != ():
            if not isinstance(fields, str) and len(fields) > 1:
                raise SelectionError(
                    f"values can be assigned to one field at a time, not to {fields!r:.80}"
                )
            field = fields if isinstance(fields, str) else fields[0]
            dtype = field_dtype(field, dtype)
            if dtype.subdtype is not None:
                raise SelectionError(f"field {field!r} has axes of its own; assign whole items")
        _write(array, found, value, dtype, field)

    # ---- z[...]

    def __getitem__(self, selection: Any) -> Any:
        array = self._chunked if self._access.cache_metadata else self._current
        metadata = array.metadata
        plan = plan_at_once(selection, metadata.grid.shape, metadata.grid.chunk_shape)
        if plan is None:
            fields, selection = pop_fields(selection)
            return self._get(_items, selection, fields=fields)
        return _read(array, plan)

    def __setitem__(self, selection: Any, value: Any) -> None:
        self._check_writable()
        array = self._chunked if self._access.cache_metadata else self._current
        metadata = array.metadata
        plan = plan_at_once(selection, metadata.grid.shape, metadata.grid.chunk_shape)
        if plan is None:
            fields, selection = pop_fields(selection)
            self._set(_items, selection, value, fields)
        else:
            _write(array, plan, value, metadata.dtype)

    # ---- basic

    def get_basic_selection(
        self, selection: Any = Ellipsis, out: np.ndarray[Any, Any] | None = None, fields: Any = None
    ) -> Any:
        """Return the items that integers, slices and an Ellipsis select.

        Parameters
        ----------
        selection : tuple or single entry, optional
            Per axis an integer or a slice of any step; an Ellipsis, or what is missing at the end, stands for
            whole axes.
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
        """
        return self._get(_basic, selection, out, fields)

    def set_basic_selection(self, selection: Any, value: Any, fields: Any = None) -> None:
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
        """
        self._set(_basic, selection, value, fields)

    # ---- by axis

    @property
    def oindex(self) -> Index:
        """``z.oindex[...]`` reads and writes orthogonal selections, see `get_orthogonal_selection`."""
        return Index(self, _orthogonal)

    def get_orthogonal_selection(
        self, selection: Any, out: np.ndarray[Any, Any] | None = None, fields: Any = None
    ) -> Any:
        """Return the product of what is selected along every axis.

        Parameters
        ----------
        selection : tuple or single entry
            Per axis an integer, a slice, a list or 1-d array of integers in any order and repeated at
            will, or a 1-d array of bool as long as the axis; an Ellipsis.
        out, fields : optional
            As for `get_basic_selection`.

        Returns
        -------
        numpy.ndarray or NumPy scalar
            As many axes as there are entries that are no integers.

        Raises
        ------
        BoundsCheckError, SelectionError, ChunkError
            As for `get_basic_selection`.
        """
        return self._get(_orthogonal, selection, out, fields)

    def set_orthogonal_selection(self, selection: Any, value: Any, fields: Any = None) -> None:
        """Assign to the product of what is selected along every axis.

        Parameters
        ----------
        selection : tuple or single entry
            As for `get_orthogonal_selection`. If an item is selected repeatedly, the last of its
            values stays.
        value, fields
            As for `set_basic_selection`, which raises the same errors.
        """
        self._set(_orthogonal, selection, value, fields)

    # ---- points

    @property
    def vindex(self) -> Index:
        """``z.vindex[...]`` reads and writes points or by a mask, see `get_coordinate_selection`."""
        return Index(self, _vindex)

    def get_coordinate_selection(
        self, selection: Any, out: np.ndarray[Any, Any] | None = None, fields: Any = None
    ) -> Any:
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
        """
        return self._get(_coordinates, selection, out, fields)

    def set_coordinate_selection(self, selection: Any, value: Any, fields: Any = None) -> None:
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
        """
        self._set(_coordinates, selection, value, fields)

    def get_mask_selection(
        self, selection: Any, out: np.ndarray[Any, Any] | None = None, fields: Any = None
    ) -> Any:
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
        """
        return self._get(_mask, selection, out, fields)

    def set_mask_selection(self, selection: Any, value: Any, fields: Any = None) -> None:
        """Assign to the items where a mask is true.

        Parameters
        ----------
        selection : array of bool
            Of the array's shape.
        value, fields
            As for `set_coordinate_selection`.
        """
        self._set(_mask, selection, value, fields)

    # ---- chunks

    @property
    def blocks(self) -> Index:
        """``z.blocks[...]`` reads and writes whole chunks, or shards, see `get_block_selection`."""
        return Index(self, _blocks)

    def get_block_selection(
        self, selection: Any = Ellipsis, out: np.ndarray[Any, Any] | None = None, fields: Any = None
    ) -> Any:
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
            As many axes as the array has.
        """
        return self._get(_blocks, selection, out, fields)

    def set_block_selection(self, selection: Any, value: Any, fields: Any = None) -> None:
        """Assign to the items of whole chunks.

        Parameters
        ----------
        selection : tuple or single entry
            As for `get_block_selection`.
        value, fields
            As for `set_basic_selection`, which raises the same errors.
        """
        self._set(_blocks, selection, value, fields)


class Index:
    """``[...]`` with another kind of selection: what `oindex`, `vindex` and `blocks` give."""

    def __init__(self, array: Selections, plan: Planner) -> None:
        self._array = array
        self._plan = plan

    def __getitem__(self, selection: Any) -> Any:
        fields, selection = pop_fields(selection)
        return self._array._get(self._plan, selection, fields=fields)

    def __setitem__(self, selection: Any, value: Any) -> None:
        fields, selection = pop_fields(selection)
        self._array._set(self._plan, selection, value, fields)


# ---- results


def _read(array: ChunkedArray, plan: Plan) -> Any:
    items = plan.empty(array.metadata.dtype, array.metadata.innermost.order)
    execute.read(array, plan, items)
    return items[()] if plan.scalar else items


def _read_into(array: ChunkedArray, plan: Plan, out: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    _check_out(out, plan.shape)
    if not isinstance(out, np.ndarray) or out.dtype != array.metadata.dtype or not plan.takes(out):
        items = plan.empty(array.metadata.dtype, array.metadata.innermost.order)
        execute.read(array, plan, items)
        out[...] = items
    else:
        execute.read(array, plan, np.asarray(out))
    return out


def _copy(items: Any, out: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    _check_out(out, np.shape(items))
    out[...] = items
    return out


def _write(
    array: ChunkedArray, plan: Plan, value: Any, dtype: np.dtype[Any], field: str | None = None
) -> None:
    metadata = array.metadata
    fill_value = metadata.fill_value
    if field is not None and fill_value is not None:
        fill_value = fill_value[field]
    items = convert(
        value,
        dtype,
        array.path,
        plan.scalar,
        ndim=len(plan.shape),
        object_codec=metadata.object_codec,
        fill_value=fill_value,
    )
    execute.write(array, plan, broadcast(items, plan, array.path), field)


def _check_out(out: np.ndarray[Any, Any], shape: tuple[int, ...]) -> None:
    # Another array in a store does too.
    if not isinstance(out, np.ndarray | Selections):
        raise TypeError(f"out is a {type(out).__name__}, not a numpy.ndarray")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, the selection {shape}")
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise ValueError("out is read-only")


def _only(items: Any, fields: list[str], dtype: np.dtype[Any]) -> Any:
    """Return a structure of some fields, without the bytes of the others between."""
    result = np.empty(np.shape(items), dtype)
    for name in fields:
        result[name] = items[name]
    return result if np.ndim(items) else result[()]
