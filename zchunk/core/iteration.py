"""Going through an array: by rows, chunk by chunk, and the checksum of what is stored."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from zchunk.core.views import Views
from zchunk.runtime.lazy import LazyModule
from zchunk.runtime.near_names import says_near_names

if TYPE_CHECKING:
    from zchunk.engine import listing
else:
    listing = LazyModule("zchunk.engine.listing")


class Iteration(Views):
    """An array to go through."""

    @says_near_names
    def islice(self, start: int | None = None, end: int | None = None) -> Iterator[Any]:
        """Iterate over items ``start`` to ``end`` of the first axis, decoding each chunk once.

        Parameters
        ----------
        start : int, optional
            The first, 0 by default.
        end : int, optional
            One more than the last; the length of the axis at most, and by default.

        Returns
        -------
        iterator of numpy.ndarray or NumPy scalar
            What indexing by an integer gives. A row of chunks is read at a time, and the items share its
            memory.

        Raises
        ------
        TypeError
            The array has no axes.
        ValueError
            `start` or `end` is not an integer, or below 0.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.array([[1, 2], [3, 4], [5, 6]], chunks=2)
        >>> [row.tolist() for row in z.islice(1)]
        [[3, 4], [5, 6]]
        """
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        length = self._metadata.shape[0]
        first = 0 if start is None else _check_bound(start, "start")
        return self._rows(first, length if end is None else min(_check_bound(end, "end"), length))

    def _rows(self, start: int, end: int) -> Iterator[Any]:
        grid = self._metadata.grid
        while start < end:
            stop = min(grid.end_of(0, start), end)
            yield from self[start:stop]
            start = stop

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the first axis, as `islice` does."""
        return self.islice()

    # ---- checksums

    def stored_chunks(self) -> Iterator[tuple[int, ...]]:
        """Iterate over the coordinates of the chunks that are stored, in any order.

        They are found by listing the store, not by asking for each chunk. Coordinates are those of the chunks
        in `cdata_shape`: of an array with shards the chunks in them, as the index of each stored shard says.
        Of shards in shards they are those of the shards inside.

        Returns
        -------
        iterator of tuple of int

        Raises
        ------
        ChunkError
            What is stored is not a shard.
        PathNotFoundError
            The array is gone.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros((4, 6), chunks=(2, 3))
        >>> z[:2] = 1
        >>> sorted(z.stored_chunks())
        [(0, 0), (0, 1)]
        """
        return listing.stored(self._current)

    def missing_chunks(self) -> Iterator[tuple[int, ...]]:
        """Iterate over the coordinates of the chunks that are not stored, in C order.

        What they read as depends on ``missing=`` at opening: fill values, or an error. Coordinates are those
        of `stored_chunks`.

        Returns
        -------
        iterator of tuple of int

        Raises
        ------
        ChunkError
            What is stored is not a shard.
        PathNotFoundError
            The array is gone.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros((4, 6), chunks=(2, 3))
        >>> z[:2] = 1
        >>> list(z.missing_chunks())
        [(1, 0), (1, 1)]
        """
        return listing.missing(self._current)

    @says_near_names
    def digest(self, hashname: str = "sha1") -> bytes:
        """Return a checksum of the array as it is stored: its chunks, then its metadata and attributes.

        Equal arrays that are compressed in different ways have different checksums. It is the checksum that
        zarr 2.18 gives for the same stored bytes.

        Parameters
        ----------
        hashname : str, optional
            Any that `hashlib.new` knows.

        Returns
        -------
        bytes

        Examples
        --------
        >>> import zchunk
        >>> zchunk.array([1, 2]).digest() == zchunk.array([1, 2]).digest()
        True
        """
        import hashlib

        checksum = hashlib.new(hashname)
        array = self._chunked
        keys = map(array.key, itertools.product(*map(range, self._metadata.grid.cdata_shape)))
        nbytes = max(self._metadata.chunk_nbytes, 1)
        with closing(array.store.batches(keys, nbytes, array.most_stored)) as batches:
            for value in itertools.chain.from_iterable(batches):
                if value is not None:
                    checksum.update(value)
        for key in dict.fromkeys((self._key_prefix + self._format.array_key, self.attrs.key)):
            checksum.update(self.store.get(key, b""))
        return checksum.digest()

    @says_near_names
    def hexdigest(self, hashname: str = "sha1") -> str:
        """Return `digest` as hexadecimal digits.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.zeros(3, dtype="i4").hexdigest("md5")
        'e9442062c6a07c1dc028b909b2924c08'
        """
        return self.digest(hashname).hex()


def _check_bound(value: Any, name: str) -> int:
    try:
        index = operator.index(value)
    except TypeError:
        index = -1
    if index < 0:
        raise ValueError(f"{name} is {value!r:.80}, not an integer of at least 0")
    return index
