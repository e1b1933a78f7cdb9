"""Which files an array is stored in and which process writes each: every file has one writer.

A shard has the length of the longest part that a process has along every axis, so where the parts are equal
each is one shard. The process with the greatest part of a shard owns it. Others send it their slivers, so
that no two processes ever write to one file: there are no locks, and nothing is read back.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from zchunk.wings.checkpoint.boxes import Box, cell, cells

Coords: TypeAlias = tuple[int, ...]
# Files of an array: one for each process, for each machine, or at most so many.
Files: TypeAlias = Literal["rank", "node"] | int

# About as many bytes are in an inner chunk, uncompressed: the unit of reading and of checksums.
CHUNK_BYTES = 1 << 20


class Decomposition(NamedTuple):
    """How an array is divided into shards, and which process writes each.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    boxes : dict
        What each process has of it, by rank; those that have nothing are not there.
    shard_shape, chunk_shape : tuple of int
        Equal if an object holds one chunk.
    owners : dict
        The process that writes each shard.
    """

    shape: tuple[int, ...]
    boxes: Mapping[int, Box]
    shard_shape: tuple[int, ...]
    chunk_shape: tuple[int, ...]
    owners: dict[Coords, int]

    def with_shards(self, shard_shape: Coords, chunk_shape: Coords) -> Decomposition:
        """Return the same parts in other shards, such as those of an array that is there."""
        owners = _owners(self.boxes, shard_shape)
        return self._replace(shard_shape=shard_shape, chunk_shape=chunk_shape, owners=owners)

    def owned(self, rank: int) -> list[Coords]:
        """Return the shards that a process writes."""
        return [coords for coords, owner in self.owners.items() if owner == rank]

    def box(self, coords: Coords) -> Box:
        """Return the part of the array that is in a shard."""
        return cell(coords, self.shard_shape, self.shape)

    def slivers(self, rank: int) -> list[tuple[Coords, Box]]:
        """Return what a process has of shards that others own."""
        own = self.boxes.get(rank)
        if own is None:
            return []
        touched = [coords for coords in cells(own, self.shard_shape) if self.owners[coords] != rank]
        return [(coords, own.overlap(self.box(coords))) for coords in touched]

    @property
    def has_slivers(self) -> bool:
        """Whether any process has a part of a shard that another one owns."""
        return any(
            self.owners[coords] != rank
            for rank, box in self.boxes.items()
            for coords in cells(box, self.shard_shape)
        )


def decompose(
    name: str, shape: tuple[int, ...], itemsize: int, boxes: Mapping[int, Box], files: int | None = None
) -> Decomposition:
    """Divide an array whose parts are where they are.

    Parameters
    ----------
    name : str
        Of the array, for messages.
    shape : tuple of int
        Of the array.
    itemsize : int
        Bytes of an item.
    boxes : mapping of int to Box
        What each process has of it, by rank.
    files : int, optional
        Make no more shards than these; as many as there are parts by default.

    Raises
    ------
    ValueError
        Parts overlap, or they leave out something of the array.
    """
    check_tiling(name, shape, boxes)
    shard = _shard_shape(shape, boxes.values(), files)
    owners = _owners(boxes, shard)
    return Decomposition(shape, boxes, shard, inner_chunks(shard, itemsize), owners)


def in_blocks(
    shape: tuple[int, ...], itemsize: int, longest: Coords, files: int | None = None
) -> Decomposition:
    """Divide an array of which no process has a part: others write it, in blocks that are at most so long."""
    shard = _shard_shape(shape, [Box((0,) * len(shape), longest)], files)
    return Decomposition(shape, {}, shard, inner_chunks(shard, itemsize), {})


def check_tiling(name: str, shape: tuple[int, ...], boxes: Mapping[int, Box]) -> None:
    """Raise `ValueError` unless every item of the array is in exactly one box."""
    parts = list(boxes.items())
    if len(parts) > 1:
        starts = np.array([box.start for _, box in parts])
        stops = np.array([box.stop for _, box in parts])
        for number, (rank, box) in enumerate(parts[:-1]):
            later = slice(number + 1, None)
            meets = ((starts[later] < box.stop) & (stops[later] > box.start)).all(axis=1)
            if meets.any():
                other_rank, other = parts[number + 1 + int(meets.argmax())]
                raise ValueError(
                    f"array {name!r}: the blocks of ranks {rank} and {other_rank} overlap, {box.slices} and "
                    f"{other.slices}; give interiors, without halo"
                )
    have, want = sum(box.size for _, box in parts), math.prod(shape)
    if have != want:
        raise ValueError(
            f"array {name!r}: the blocks of all ranks have {have} items; an array of shape {shape} has {want}"
        )


def _shard_shape(shape: tuple[int, ...], boxes: Collection[Box], files: int | None) -> tuple[int, ...]:
    lengths = [max([1, *[box.shape[axis] for box in boxes]]) for axis in range(len(shape))]
    counts = [-(-length // part) for length, part in zip(shape, lengths, strict=True)]
    while files is not None and math.prod(counts) > max(files, 1):
        # The first axis with the most shards: they lie one after the other in memory.
        axis = max(range(len(counts)), key=lambda axis: (counts[axis], -axis))
        lengths[axis] *= 2
        counts[axis] = -(-shape[axis] // lengths[axis])
    return tuple([min(length, max(whole, 1)) for length, whole in zip(lengths, shape, strict=True)])


def _owners(boxes: Mapping[int, Box], shard: tuple[int, ...]) -> dict[Coords, int]:
    """Return the process with the greatest part of each shard, the first of those with as much."""
    parts: dict[Coords, dict[int, int]] = defaultdict(dict)
    for rank, box in boxes.items():
        for coords in cells(box, shard):
            start = tuple([coord * length for coord, length in zip(coords, shard, strict=True)])
            parts[coords][rank] = box.overlap(Box(start, shard)).size
    return {
        coords: max(sizes, key=lambda rank: (sizes[rank], -rank)) for coords, sizes in sorted(parts.items())
    }


def inner_chunks(shard: tuple[int, ...], itemsize: int, nbytes: int = CHUNK_BYTES) -> tuple[int, ...]:
    """Return the shape of the chunks in a shard: about so many bytes in each, in one piece of the shard.

    Axes are divided from the first on, by divisors of their length. A length with no fitting divisor, a prime
    number for instance, is divided into as much as is nearest; so a chunk may be larger, up to the shard.
    """
    chunk = list(shard)
    for axis, length in enumerate(shard):
        size = math.prod(chunk) * itemsize
        if size < 2 * nbytes:
            break
        chunk[axis] = min(_divisors(length), key=lambda part: abs(math.log(size * part / length / nbytes)))
    return tuple(chunk)


def _divisors(number: int) -> list[int]:
    small = [part for part in range(1, math.isqrt(number) + 1) if number % part == 0]
    return small + [number // part for part in reversed(small)]
