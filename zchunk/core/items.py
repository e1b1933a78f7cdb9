"""Items: reading and writing what a plan selects, whole items or fields of them.

Everything here takes the array as the engine has it, and a plan. Results are made here, and values brought to
the shape and dtype that the engine writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk._ext.selection.slices import Plan
from zchunk.core.properties import ArrayProperties
from zchunk.engine import execute
from zchunk.engine.array import ChunkedArray
from zchunk.errors import SelectionError
from zchunk.indexing.arranged import Arranged
from zchunk.indexing.fields import field_dtype
from zchunk.indexing.values import broadcast, convert

if TYPE_CHECKING:
    import numpy.typing as npt

    from zchunk.typing import Fields


def read(array: ChunkedArray, plan: Plan) -> Any:
    """Return the items that a plan selects: an array, or a scalar if the plan says so."""
    items = plan.empty(array.metadata.dtype, array.order)
    execute.read(array, plan, items)
    if array.text is not None:
        items = _returned(array, items)
    return items[()] if plan.scalar else items


def _returned(array: ChunkedArray, items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return items that were read, and that nothing else has, as what callers get."""
    if array.text is None:
        return items
    if array.metadata.fill_value is None:
        # Text that was never written.
        items[np.equal(items, np.array(None)).astype(bool)] = ""
    return items.astype(array.text)


def write(
    array: ChunkedArray,
    plan: Plan | Arranged,
    value: object,
    dtype: np.dtype[Any],
    field: str | None = None,
) -> None:
    """Assign a value to the items that a plan selects, or to a field of them that has this dtype."""
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
    items = broadcast(items, plan, array.path)
    execute.write(array, plan.plan if isinstance(plan, Arranged) else plan, items, field)


def read_items(
    array: ChunkedArray, plan: Plan | Arranged, out: npt.NDArray[Any] | None, fields: Fields
) -> Any:
    """Return the items that a plan selects, or fields of them; in `out` if that is given."""
    if isinstance(plan, Arranged):
        return _read_arranged(array, plan, out, fields)
    if fields is None or fields == [] or fields == ():
        return read(array, plan) if out is None else _read_into(array, plan, out)
    dtype = field_dtype(fields, array.metadata.dtype)
    items = read(array, plan)
    items = items[fields] if isinstance(fields, str) else _only(items, list(fields), dtype)
    return items if out is None else _copy(items, out)


def _read_arranged(
    array: ChunkedArray, plan: Arranged, out: npt.NDArray[Any] | None, fields: Fields
) -> npt.NDArray[Any]:
    whole = fields is None or fields == [] or fields == ()
    if plan.repeats and 0 in plan.shape:
        # A new axis is empty: nothing is to be read for it.
        items = _returned(array, np.empty(plan.shape, field_dtype(fields or (), array.metadata.dtype)))
    elif whole and isinstance(out, np.ndarray) and not plan.repeats:
        check_out(out, plan.shape)
        _read_into(array, plan.plan, plan.memory(np.asarray(out)))
        return out
    else:
        items = plan.result(read_items(array, plan.plan, None, fields))
    return items if out is None else _copy(items, out)


def write_items(array: ChunkedArray, plan: Plan | Arranged, value: object, fields: Fields) -> None:
    """Assign a value to the items that a plan selects, or to one field of them."""
    if fields is None or fields == [] or fields == ():
        write(array, plan, value, array.metadata.dtype)
        return
    if not isinstance(fields, str) and len(fields) > 1:
        raise SelectionError(f"values can be assigned to one field at a time, not to {fields!r:.80}")
    field = fields if isinstance(fields, str) else fields[0]
    dtype = field_dtype(field, array.metadata.dtype)
    if dtype.subdtype is not None:
        raise SelectionError(f"field {field!r} has axes of its own; assign whole items")
    write(array, plan, value, dtype, field)


def _read_into(array: ChunkedArray, plan: Plan, out: npt.NDArray[Any]) -> npt.NDArray[Any]:
    check_out(out, plan.shape)
    if not isinstance(out, np.ndarray) or out.dtype != array.metadata.dtype or not plan.takes(out):
        items = plan.empty(array.metadata.dtype, array.order)
        execute.read(array, plan, items)
        out[...] = _returned(array, items)
    else:
        execute.read(array, plan, np.asarray(out))
    return out


def _copy(items: Any, out: npt.NDArray[Any]) -> npt.NDArray[Any]:
    check_out(out, np.shape(items))
    out[...] = items
    return out


def check_out(out: object, shape: tuple[int, ...]) -> None:
    """Raise if nothing of this shape can be read into `out`."""
    # Another array in a store will do, too.
    if not isinstance(out, np.ndarray | ArrayProperties):
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
