"""Reading and writing what a selection of an array names: the methods that take selections."""

from __future__ import annotations

from typing import Any

import numpy as np

from zchunk import engine
from zchunk.indexing import Plan, plan_basic
from zchunk.values import broadcast, convert


class Selections:
    """Base of `zchunk.Array`: what reads and writes its items."""

    _chunked: engine.ChunkedArray
    _cache_metadata: bool

    @property
    def _current(self) -> engine.ChunkedArray:
        raise NotImplementedError

    def _check_writable(self) -> None:
        raise NotImplementedError

    # ---- read

    def __getitem__(self, selection: Any) -> Any:
        array = self._chunked if self._cache_metadata else self._current
        metadata = array.metadata
        plan = plan_basic(selection, metadata.grid)
        items = plan.empty(metadata.dtype, metadata.order)
        engine.read(array, plan, items)
        return items[()] if plan.scalar else items

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
        if out is None:
            return self[selection]
        array = self._current
        return _read_into(array, plan_basic(selection, array.metadata.grid), out)

    # ---- write

    def __setitem__(self, selection: Any, value: Any) -> None:
        self._check_writable()
        array = self._chunked if self._cache_metadata else self._current
        metadata = array.metadata
        plan = plan_basic(selection, metadata.grid)
        items = convert(value, metadata.dtype, array.path, plan.scalar)
        engine.write(array, plan, broadcast(items, plan, array.path))

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
        self[selection] = value


def _read_into(array: engine.ChunkedArray, plan: Plan, out: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is a {type(out).__name__}, not a numpy.ndarray")
    if out.shape != plan.shape:
        raise ValueError(f"out has shape {out.shape}, the selection {plan.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
    if out.dtype == array.metadata.dtype:
        engine.read(array, plan, np.asarray(out))
    else:
        items = plan.empty(array.metadata.dtype, array.metadata.order)
        engine.read(array, plan, items)
        out[...] = items
    return out
