"""The chunk grid: how a shape is cut into equal chunks, and how users may say so."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from zchunk.errors import LengthTypeError
from zchunk.runtime.callers import caller_level
from zchunk.spec.chunk_sizes import chunks_of_size, parse_bytes

# The targets of h5py's and zarr 2's heuristic, in bytes.
_BASE = 256 * 1024
_SMALLEST = 128 * 1024
_LARGEST = 64 * 1024 * 1024


class RegularGrid(NamedTuple):
    """Chunks of one shape that cover an array from its origin; those at the far edges reach beyond it.

    Every entry of `chunk_shape` is at least 1. An axis of length 0 has no chunks.
    """

    shape: tuple[int, ...]
    chunk_shape: tuple[int, ...]

    @property
    def cdata_shape(self) -> tuple[int, ...]:
        """Number of chunks along every axis."""
        return tuple(-(-s // c) for s, c in zip(self.shape, self.chunk_shape, strict=True))

    @property
    def nchunks(self) -> int:
        """Number of chunks; 1 for a 0-d array."""
        return math.prod(self.cdata_shape)

    # ---- what `zchunk.spec.rectilinear_grid.RectilinearGrid` has too, where it is less simple

    @property
    def largest(self) -> tuple[int, ...]:
        """The greatest length of a chunk along every axis."""
        return self.chunk_shape

    @property
    def chunks(self) -> tuple[int, ...]:
        """Lengths of chunks along every axis, as users know them."""
        return self.chunk_shape

    @property
    def text(self) -> str:
        """`chunks` for people."""
        return str(self.chunk_shape)

    def shape_of(self, coords: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of a chunk, with what of it lies beyond the array."""
        return self.chunk_shape

    def span(self, axis: int, first: int, stop: int) -> slice:
        """Return the positions along an axis of the chunks from `first` to before `stop`."""
        return slice(first * self.chunk_shape[axis], stop * self.chunk_shape[axis])

    def begin_of(self, axis: int, position: int) -> int:
        """Return where along an axis the chunk with a position begins."""
        return position - position % self.chunk_shape[axis]

    def end_of(self, axis: int, position: int) -> int:
        """Return where along an axis the chunk with a position ends, which may be beyond the array."""
        return position - position % self.chunk_shape[axis] + self.chunk_shape[axis]

    @property
    def steps(self) -> tuple[int, ...]:
        """Lengths along every axis, all multiples of which, within the array, are bounds of chunks."""
        return self.chunk_shape


def guess_chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return the chunk shape that zarr 2.18 chooses for `shape`.

    Axes are halved in turn until a chunk is close to a size that grows slowly with the array's, between
    128 KiB and 64 MiB.
    """
    if itemsize == 0:
        return tuple(max(s, 1) for s in shape)
    lengths = [float(max(s, 1)) for s in shape]
    total = math.prod(lengths) * itemsize
    target = min(max(_BASE * 2 ** math.log10(total / 2**20), _SMALLEST), _LARGEST)
    axis = 0
    while True:
        items = math.prod(lengths)
        nbytes = items * itemsize
        close = nbytes < target or abs(nbytes - target) / target < 0.5
        if (close and nbytes < _LARGEST) or items == 1:
            return tuple(map(int, lengths))
        lengths[axis] = float(math.ceil(lengths[axis] / 2))
        axis = (axis + 1) % len(lengths)


def normalize_shape(shape: Any) -> tuple[int, ...]:
    """Return a user's shape, an integer or a sequence of them, as a tuple of lengths >= 0."""
    if shape is None:
        raise TypeError("shape is None; give the array's lengths")
    return _lengths(shape if _is_sequence(shape) else (shape,), "shape", 0)


def normalize_chunks(chunks: Any, shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return a user's `chunks` argument as one length >= 1 per axis, with zarr 2.18's meaning.

    Parameters
    ----------
    chunks : bool, int, str, sequence or None
        True or None: guess. A text such as ``"100MB"``: at most so many bytes.
        False: one chunk. An integer: that length along every axis. In a sequence, None
        or -1 is the axis' length, and axes beyond its end are not cut.
    shape : tuple of int
        The array's shape.
    itemsize : int
        Bytes of an item.
    """
    if chunks is None or chunks is True:
        return guess_chunks(shape, itemsize)
    if isinstance(chunks, str):
        return chunks_of_size(parse_bytes(chunks), shape, itemsize)
    if chunks is False:
        chunks = ()
    elif not _is_sequence(chunks):
        chunks = (chunks,) * len(shape)
    entries = list(chunks)
    if len(entries) > len(shape):
        raise ValueError(f"chunks {chunks!r:.80} has more entries than shape {shape} has axes")
    entries += [None] * (len(shape) - len(entries))
    # A chunk has at least one item, also along an axis of length 0.
    pairs = zip(shape, entries, strict=True)
    full = [max(s, 1) if c is None or c == -1 or c == s == 0 else c for s, c in pairs]
    return _lengths(full, "chunks", 1)


def lists_lengths(chunks: Any) -> bool:
    """Whether a user's `chunks` list the lengths of chunks along an axis: those of a rectilinear grid.

    Examples
    --------
    >>> lists_lengths((10, 5)), lists_lengths([[10, 20, 30], 5]), lists_lengths({"time": [31, 28]})
    (False, True, True)
    """
    if not isinstance(chunks, tuple | list | np.ndarray):
        if not isinstance(chunks, Mapping):
            # As an array has them, zchunk's or that of zarr 3.
            return hasattr(chunks, "chunk_shapes")
        chunks = [*chunks.values()]
    return any(type(entry) is not int and _is_sequence(entry) for entry in chunks)


def _is_sequence(obj: object) -> bool:
    if isinstance(obj, np.ndarray):
        return obj.ndim > 0
    return isinstance(obj, Iterable) and not isinstance(obj, str | bytes)


def _lengths(values: Iterable[Any], what: str, least: int) -> tuple[int, ...]:
    """Check that all `values` are integers from `least` to 2**63 - 1; zarr 2 warns of floats such as 2.0."""
    lengths = []
    for value in values:
        if isinstance(value, float) and value.is_integer():
            warnings.warn(
                f"{what} has the non-integer value {value!r}", UserWarning, stacklevel=caller_level()
            )
            value = int(value)
        try:
            length = -1 if isinstance(value, bool) else operator.index(value)
        except TypeError:
            raise LengthTypeError(
                f"{what} has {value!r:.80}, not an integer from {least} to 2**63 - 1"
            ) from None
        if not least <= length < 2**63:
            raise ValueError(f"{what} has {value!r:.80}, not an integer from {least} to 2**63 - 1")
        lengths.append(length)
    return tuple(lengths)
