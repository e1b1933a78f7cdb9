"""h5py's methods of data sets, for programs that come from there: items in place, by field, and as text."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk.core.iteration import Iteration
from zchunk.errors import GroupNotFoundError
from zchunk.runtime.lazy import LazyModule
from zchunk.runtime.near_names import says_near_names

if TYPE_CHECKING:
    from zchunk.hierarchy import groups
    from zchunk.hierarchy.groups import Group
    from zchunk.typing import Fields, Selection
else:
    # For `parent` only: groups are made of arrays.
    groups = LazyModule("zchunk.hierarchy.groups")


class Converted:
    """An array whose items are converted when they are read: what `Array.fields` and `Array.asstr` return."""

    def __init__(self, read: Callable[[Any], Any], array: H5pyMethods) -> None:
        self._read, self._array = read, array

    def __getitem__(self, selection: Selection) -> Any:
        return self._read(selection)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False:
            raise ValueError("items that are read are always a copy")
        return np.asarray(self._read(...), dtype)

    def __len__(self) -> int:
        return self._array.shape[0]

    def __repr__(self) -> str:
        return f"<{self._array!r}, converted when read>"


class H5pyMethods(Iteration):
    """An array with methods of h5py's data sets."""

    @property
    def maxshape(self) -> tuple[int | None, ...]:
        """How far every axis can be resized: None, without limit."""
        return (None,) * self.ndim

    @property
    def parent(self) -> Group:
        """The group that the array is in. It is a `GroupNotFoundError` if there is none."""
        access = self._access._replace(path=self.path.rpartition("/")[0], trusted=frozenset())
        if not self.path:
            raise GroupNotFoundError(f"{self!r} is at the root of {self.store!r:.200}: no group is above it")
        return groups.reopen(groups.Group, access)

    @says_near_names
    def read_direct(
        self,
        dest: np.ndarray[Any, Any],
        source_sel: Selection = None,
        dest_sel: Selection = None,
    ) -> None:
        """Read into an array of NumPy.

        Parameters
        ----------
        dest : numpy.ndarray
            Gets the items, converted to its dtype.
        source_sel, dest_sel : selection, optional
            What is read, and where in `dest` it goes: all by default.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array([1, 2, 3, 4])
        >>> dest = np.zeros(4, int)
        >>> z.read_direct(dest, np.s_[1:3], np.s_[2:])
        >>> dest
        array([0, 0, 2, 3])
        """
        where: Any = ... if dest_sel is None else dest_sel
        dest[where] = self[... if source_sel is None else source_sel]

    @says_near_names
    def write_direct(
        self,
        source: np.ndarray[Any, Any],
        source_sel: Selection = None,
        dest_sel: Selection = None,
    ) -> None:
        """Write from an array of NumPy.

        Parameters
        ----------
        source : numpy.ndarray
            Has the items.
        source_sel, dest_sel : selection, optional
            What of `source` is written, and where in this array it goes: all by default.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.zeros(4, dtype="i4")
        >>> z.write_direct(np.arange(4), np.s_[1:3], np.s_[2:])
        >>> z[:]
        array([0, 0, 1, 2], dtype=int32)
        """
        where: Any = ... if source_sel is None else source_sel
        self[... if dest_sel is None else dest_sel] = source[where]

    @says_near_names
    def iter_chunks(self, sel: slice | tuple[slice, ...] | None = None) -> Iterator[tuple[slice, ...]]:
        """Yield the selection of each chunk, in C order: of each shard where there are shards.

        Parameters
        ----------
        sel : slice or tuple of slice, optional
            Only what of the chunks lies in it, with steps of 1.

        Returns
        -------
        iterator of tuple of slice

        Raises
        ------
        ValueError
            `sel` is no slice with a step of 1 for every axis.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros((4, 5), chunks=(2, 3))
        >>> for selection in z.iter_chunks((slice(1, 4), slice(0, 3))):
        ...     print(selection)
        (slice(1, 2, 1), slice(0, 3, 1))
        (slice(2, 4, 1), slice(0, 3, 1))
        """
        shape = self.shape
        given = () if sel is None else sel if isinstance(sel, tuple) else (sel,)
        if len(given) > len(shape) or not all(isinstance(s, slice) and s.step in (None, 1) for s in given):
            raise ValueError(f"sel has a slice with a step of 1 for every axis, not {sel!r:.80}")
        bounds = [s.indices(n)[:2] for s, n in zip(given, shape, strict=False)]
        bounds += [(0, n) for n in shape[len(bounds) :]]
        return itertools.product(*(self._pieces(axis, *bound) for axis, bound in enumerate(bounds)))

    def _pieces(self, axis: int, start: int, stop: int) -> Iterator[slice]:
        grid = self._metadata.grid
        while start < stop:
            end = min(grid.end_of(axis, start), stop)
            yield slice(start, end, 1)
            start = end

    @says_near_names
    def fields(self, names: Fields) -> Converted:
        """Return a view of one or several fields: the items are read when it is indexed.

        Parameters
        ----------
        names : str or list of str
            Of fields. A name alone gives an array of that field.

        Returns
        -------
        Converted

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.array([(1, 2.5), (3, 4.5)], [("a", "i4"), ("b", "f8")]))
        >>> z.fields("b")[:]
        array([2.5, 4.5])
        """
        return Converted(lambda selection: self.get_basic_selection(selection, fields=names), self)

    @says_near_names
    def asstr(self, encoding: str = "utf-8", errors: str = "strict") -> Converted:
        """Return a view whose items are `str`: those of bytes are decoded when it is indexed.

        Parameters
        ----------
        encoding, errors : str, optional
            As for `bytes.decode`.

        Returns
        -------
        Converted

        Raises
        ------
        TypeError
            The items are neither text nor bytes.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.array([b"one", b"two"])
        >>> z.asstr()[0]
        'one'
        """
        if self.dtype.kind not in "SUOT":
            raise TypeError(f"items of {self.dtype} are no text; asstr is for text and bytes")

        def decode(item: Any) -> Any:
            return item.decode(encoding, errors) if isinstance(item, bytes) else item

        def read(selection: Any) -> Any:
            items = self[selection]
            if not isinstance(items, np.ndarray):
                return decode(items)
            decoded = np.empty(items.size, object)
            decoded[:] = [decode(item) for item in items.flat]
            return decoded.reshape(items.shape)

        return Converted(read, self)
