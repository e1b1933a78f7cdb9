"""Arrays side by side, as one: `concat` and `stack`. Several are read at a time, each into its place."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk.core.items import check_out
from zchunk.core.lazy_views import LazyArray, LazyItems, LazyView
from zchunk.core.selections import Selections
from zchunk.indexing import pieces
from zchunk.indexing.composition import Composition, whole
from zchunk.indexing.fields import field_dtype
from zchunk.indexing.values import convert
from zchunk.runtime import requests, threads
from zchunk.runtime.near_names import says_near_names

if TYPE_CHECKING:
    import numpy.typing as npt

    from zchunk.typing import Fields


@says_near_names
def concat(arrays: Iterable[Selections | LazyItems], axis: int = 0) -> LazyView:
    """Return a view of arrays side by side along an axis, as `numpy.concatenate` does; nothing is read.

    Parameters
    ----------
    arrays : iterable of Array or LazyView
        Of the same shape, except along `axis`.
    axis : int, optional
        Along which they are.

    Returns
    -------
    LazyView

    Raises
    ------
    TypeError
        One of them is no stored array, nor a view of one.
    ValueError
        There is none, they do not fit together, or there is no such axis.

    Examples
    --------
    >>> import zchunk
    >>> a, b = zchunk.array([[1, 2], [3, 4]]), zchunk.array([[5], [6]])
    >>> v = zchunk.concat([a, b], axis=1)
    >>> v[1, ::-1].read()
    array([6, 4, 3])
    """
    parts = _parts(arrays, "concatenate")
    ndim = parts[0].ndim
    if not ndim:
        raise ValueError("arrays without axes cannot be concatenated; stack them")
    place = _axis(axis, ndim)
    for number, part in enumerate(parts):
        expected = (*parts[0].shape[:place], *parts[0].shape[place + 1 :])
        if part.ndim != ndim or (*part.shape[:place], *part.shape[place + 1 :]) != expected:
            raise ValueError(
                f"array {number} has shape {part.shape}, the first {parts[0].shape}: they may differ along "
                f"axis {place} only"
            )
    source = _Concatenation(tuple(parts), place)
    return LazyView(source, whole(source.shape))


@says_near_names
def stack(arrays: Iterable[Selections | LazyItems], axis: int = 0) -> LazyView:
    """Return a view of arrays one after the other along a new axis, as `numpy.stack` does; nothing is read.

    Parameters
    ----------
    arrays : iterable of Array or LazyView
        Of the same shape.
    axis : int, optional
        Of the result, along which they are.

    Returns
    -------
    LazyView

    Raises
    ------
    TypeError, ValueError
        As for `concat`.

    Examples
    --------
    >>> import zchunk
    >>> a, b = zchunk.array([1, 2, 3]), zchunk.array([4, 5, 6])
    >>> v = zchunk.stack([a, b.lazy[::-1]], axis=1)
    >>> v[...]
    array([[1, 6],
           [2, 5],
           [3, 4]])
    """
    parts = _parts(arrays, "stack")
    for number, part in enumerate(parts):
        if part.shape != parts[0].shape:
            raise ValueError(f"array {number} has shape {part.shape}, the first {parts[0].shape}")
    place = _axis(axis, parts[0].ndim + 1)
    return concat([part._select((*[slice(None)] * place, None)) for part in parts], place)


def _parts(arrays: Iterable[Selections | LazyItems], verb: str) -> list[LazyItems]:
    parts = []
    for number, array in enumerate(arrays):
        if not isinstance(array, Selections | LazyItems):
            raise TypeError(
                f"array {number} is a {type(array).__name__}, neither a stored array nor a view of one"
            )
        parts.append(LazyArray(array) if isinstance(array, Selections) else array)
    if not parts:
        raise ValueError(f"no arrays to {verb}")
    return parts


def _axis(axis: int, ndim: int) -> int:
    place = operator.index(axis)
    if not -ndim <= place < ndim:
        raise ValueError(f"axis {axis} is out of bounds for {ndim} axes")
    return place % ndim


class _Concatenation:
    """Parts side by side along an axis, as what views are of."""

    def __init__(self, parts: tuple[LazyItems, ...], axis: int) -> None:
        self.parts = parts
        self.axis = axis
        self.starts = list(accumulate([part.shape[axis] for part in parts], initial=0))
        self.dtype = np.result_type(*[part.dtype for part in parts])

    @property
    def shape(self) -> tuple[int, ...]:
        shape = self.parts[0].shape
        return (*shape[: self.axis], self.starts[-1], *shape[self.axis + 1 :])

    @property
    def arrays(self) -> tuple[Selections, ...]:
        return tuple([array for part in self.parts for array in part._source.arrays])

    @property
    def origins(self) -> tuple[tuple[int, ...], ...]:
        return self.parts[0].origins

    def edges(self, axis: int, first: int, last: int) -> Sequence[int]:
        if axis == self.axis:
            every = [n for part in self.parts for n in part.chunks[axis]]
        else:
            every = list(self.parts[0].chunks[axis])
        return [edge for edge in accumulate(every) if first < edge <= last]

    def read(
        self, selection: Composition, out: npt.NDArray[Any] | None, fields: Fields
    ) -> npt.NDArray[Any]:
        if out is None:
            out = np.empty(selection.shape, field_dtype(fields or (), self.dtype))
        check_out(out, selection.shape)
        parts = list(pieces.split(selection, self.axis, self.starts))
        work = partial(self._read_part, out, fields)
        remote = [array for array in self.arrays if array.chunk_store.concurrency > 1]
        if remote and len(parts) > 1:
            sizes = [(array.chunk_store, max(array.metadata.chunk_nbytes, 1)) for array in remote]
            most = min([store.batch_size(nbytes) for store, nbytes in sizes])
            requests.each(work, parts, most)
        elif parts:
            threads.each(iter(parts), len(parts), work)
        return out

    def _read_part(
        self, out: npt.NDArray[Any], fields: Fields, piece: tuple[int, Any, Composition]
    ) -> None:
        number, key, inner = piece
        part = self.parts[number]._then(inner, fields)
        # Where positions are selected, NumPy makes a copy.
        if isinstance(out, np.ndarray) and np.may_share_memory(place := out[key], out):
            part.read(place)
        else:
            out[key] = part.read()

    def write(self, selection: Composition, value: object, fields: Fields) -> None:
        for array in self.arrays:
            array._check_writable()
        shape = selection.shape
        items = convert(value, field_dtype(fields or (), self.dtype), "", ndim=len(shape))
        more = items.ndim - len(shape)
        try:
            # As in NumPy, leading axes of length 1 are ignored.
            items = np.broadcast_to(items[(0,) * more] if items.shape[:more] == (1,) * more else items, shape)
        except ValueError:
            message = f"cannot assign values of shape {items.shape} to a view of shape {shape}"
            raise ValueError(message) from None
        for number, key, inner in pieces.split(selection, self.axis, self.starts):
            self.parts[number]._then(inner, fields)._write(items[key])

    def identity(self, of: Callable[[Selections], object]) -> object:
        return self.axis, [part.identity(of) for part in self.parts]

    def __repr__(self) -> str:
        return f"{len(self.parts)} arrays side by side along axis {self.axis}"
