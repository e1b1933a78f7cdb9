"""`partition`: the part of an array that each of some processes works on, so that files need not be
shared."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, SupportsIndex, TypeAlias

import numpy.typing as npt

from zchunk.wings.checkpoint.boxes import Box
from zchunk.wings.checkpoint.communicators import as_communicator
from zchunk.wings.checkpoint.values import Block

Slices: TypeAlias = tuple[slice, ...]


class Partition(NamedTuple):
    """The part of an array that one process works on.

    Parameters
    ----------
    interior : tuple of slice
        What it computes, as a selection of the global array.
    with_halo : tuple of slice
        What it needs for that: the interior and what lies around it in the array.
    global_shape : tuple of int
        Shape of the global array.
    dims : tuple of int
        Into how many parts each axis is divided.

    Examples
    --------
    >>> from zchunk.checkpoint import partition
    >>> part = partition((8, 8), 2, rank=1, halo=1)
    >>> part.offset, part.shape, part.local_shape
    ((4, 0), (4, 8), (5, 8))
    """

    interior: Slices
    with_halo: Slices
    global_shape: tuple[int, ...]
    dims: tuple[int, ...]

    @property
    def offset(self) -> tuple[int, ...]:
        """Where the interior begins in the global array."""
        return tuple([part.start for part in self.interior])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the interior."""
        return tuple([part.stop - part.start for part in self.interior])

    @property
    def local_shape(self) -> tuple[int, ...]:
        """Shape with halo: of the array that the process holds."""
        return tuple([part.stop - part.start for part in self.with_halo])

    @property
    def inner(self) -> Slices:
        """The interior, as a selection of the array that the process holds."""
        both = zip(self.interior, self.with_halo, strict=True)
        return tuple([slice(a.start - b.start, a.stop - b.start) for a, b in both])

    def block(self, array: npt.NDArray[Any], dimension_names: Sequence[str] | None = None) -> Block:
        """Return the interior of an array of `local_shape` as a `Block`.

        Examples
        --------
        >>> import numpy as np
        >>> from zchunk.checkpoint import partition
        >>> part = partition((8, 8), 2, rank=1, halo=1)
        >>> part.block(np.zeros(part.local_shape))
        Block([4:8, 0:8] of (8, 8), float64)
        """
        if array.shape != self.local_shape:
            raise ValueError(
                f"the array has shape {array.shape}; this part, with halo, has {self.local_shape}"
            )
        return Block(array[self.inner], self.offset, self.global_shape, dimension_names)


def partition(
    shape: Sequence[SupportsIndex] | SupportsIndex,
    comm: Any,
    dims: Sequence[int] | None = None,
    rank: int | None = None,
    halo: int | Sequence[int] = 0,
) -> Partition:
    """Return the part of an array that this process works on, of as many as there are processes.

    All parts have the same lengths but the last along an axis, which may have less, or nothing. So every part
    is one shard of a checkpoint and its process writes it alone: no data move between processes.

    Parameters
    ----------
    shape : int or sequence of int
        Shape of the global array.
    comm : communicator or int
        As for `CheckpointManager`; or the number of processes.
    dims : sequence of int, optional
        Into how many parts to divide each axis; 0 leaves the number to `partition`. By default parts are as
        close to cubes as the number of processes allows.
    rank : int, optional
        Which part: the number of this process, of which the communicator tells.
    halo : int or sequence of int, optional
        How many items around the interior a process needs.

    Returns
    -------
    Partition
        ``interior`` and ``with_halo`` are selections of the global array; ``inner`` is the interior in the
        array that the process holds, of ``local_shape``.

    Raises
    ------
    ValueError
        The number of processes is not the product of `dims`, or there is no such rank.

    Examples
    --------
    >>> from zchunk.checkpoint import partition
    >>> part = partition((100, 100), 4, rank=3, halo=1)
    >>> part.dims, part.interior
    ((2, 2), (slice(50, 100, None), slice(50, 100, None)))
    >>> part.local_shape, part.inner
    ((51, 51), (slice(1, 51, None), slice(1, 51, None)))
    """
    lengths = (
        (operator.index(shape),) if isinstance(shape, SupportsIndex) else tuple(map(operator.index, shape))
    )
    if isinstance(comm, SupportsIndex):
        size, rank = operator.index(comm), 0 if rank is None and operator.index(comm) == 1 else rank
    else:
        own = as_communicator(comm)
        size, rank = own.size, own.rank if rank is None else rank
    if size < 1:
        raise ValueError(f"there are no {size} processes")
    if rank is None or not 0 <= rank < size:
        raise ValueError(f"rank is {rank}; give one from 0 to {size - 1}")
    parts = divided(lengths, size, dims)
    around = (halo,) * len(lengths) if isinstance(halo, int) else tuple(halo)
    if len(around) != len(lengths):
        raise ValueError(f"halo {halo} has not as many numbers as shape {lengths}")
    box = part_of(lengths, parts, rank)
    wider = [
        slice(max(first - extra, 0), min(last + extra, length)) if last > first else slice(first, last)
        for first, last, extra, length in zip(box.start, box.stop, around, lengths, strict=True)
    ]
    return Partition(box.slices, tuple(wider), lengths, parts)


def divided(shape: tuple[int, ...], size: int, dims: Sequence[int] | None) -> tuple[int, ...]:
    """Return into how many parts each axis is divided: what `dims` leave open is chosen."""
    found = [0] * len(shape) if dims is None else list(dims)
    if len(found) != len(shape):
        raise ValueError(f"dims {dims} have not as many numbers as shape {shape}")
    left = size
    for count in found:
        if count < 0 or (count and left % count):
            raise ValueError(f"dims {dims} do not divide an array among {size} processes")
        left //= count or 1
    free = [axis for axis, count in enumerate(found) if not count]
    for axis in free:
        found[axis] = 1
    for factor in _factors(left) if free else ():
        # Where parts are longest; the first of equal axes, along which parts are in one piece.
        axis = max(free, key=lambda axis: (shape[axis] / found[axis], -axis))
        found[axis] *= factor
        left //= factor
    if left != 1:
        raise ValueError(f"dims {dims} do not divide an array of shape {shape} among {size} processes")
    return tuple(found)


def _factors(number: int) -> list[int]:
    """Return the prime factors of a number, the largest first."""
    found, factor = [], 2
    while number > 1:
        while number % factor == 0:
            found.append(factor)
            number //= factor
        factor += 1
    return found[::-1]


def part_of(shape: tuple[int, ...], dims: tuple[int, ...], rank: int) -> Box:
    """Return the part of a rank; ranks count along the last axis first, as in C."""
    coords = []
    for count in reversed(dims):
        rank, coord = divmod(rank, count)
        coords.append(coord)
    start, lengths = [], []
    for coord, count, length in zip(reversed(coords), dims, shape, strict=True):
        step = -(-length // count)
        first = min(coord * step, length)
        start.append(first)
        lengths.append(min(step, length - first))
    return Box(tuple(start), tuple(lengths))
