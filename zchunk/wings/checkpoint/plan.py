"""The plan of a save: the arrays of a checkpoint, agreed on by all processes, with the writer of every shard.

It is made again only when a state has other arrays, shapes or parts than the last one: making it takes one
exchange of all parts, using it none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from zchunk.core.access import Access
from zchunk.core.array import Array
from zchunk.creation.drafts import Draft, make_draft
from zchunk.creation.recipe import ArrayRecipe
from zchunk.spec.keys import NODE_KEY
from zchunk.storage.base import Store
from zchunk.storage.memory import MemoryStore
from zchunk.wings.checkpoint.boxes import Box, whole
from zchunk.wings.checkpoint.decomposition import Decomposition, decompose, in_blocks
from zchunk.wings.checkpoint.trees import Leaf
from zchunk.wings.checkpoint.values import Block, LazyArray

# Drafts are made for a store; that of a save is another each time, and the metadata do not depend on it.
_NOWHERE = MemoryStore()


class Part(NamedTuple):
    """What one process says of an array of its state.

    Parameters
    ----------
    kind : str
        "block", or "array" of one that all have alike, "own" of one that no other process has, or "dask".
    dtype, shape : numpy.dtype, tuple of int
        Of the whole array.
    box : Box or None
        What the process has of it; of "dask" the longest block.
    dimension_names : tuple of str, optional
        Names of the axes.
    """

    kind: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    box: Box | None
    dimension_names: tuple[str, ...] | None

    @classmethod
    def of(cls, leaf: Leaf, own: bool, rank: int) -> Part:
        """Return what this process says of a leaf of its state."""
        if isinstance(leaf, LazyArray):
            lazy = leaf.array
            longest = Box((0,) * lazy.ndim, tuple([int(max(1, *sizes)) for sizes in lazy.chunks]))
            return cls("dask", lazy.dtype, tuple(map(int, lazy.shape)), longest, leaf.dimension_names)
        if isinstance(leaf, Block) and leaf.global_shape:
            box = leaf.box if leaf.array.size else None
            return cls("block", leaf.array.dtype, leaf.global_shape, box, leaf.dimension_names)
        # An array without axes has no parts: all have it alike.
        array = leaf.array if isinstance(leaf, Block) else leaf
        box = whole(array.shape) if array.size and (own or rank == 0) else None
        return cls("own" if own else "array", array.dtype, array.shape, box, None)


class ArrayPlan(NamedTuple):
    """An array of a checkpoint.

    Parameters
    ----------
    name : str
        Its path in the checkpoint.
    draft : Draft
        Its metadata, which are stored last.
    parts : Decomposition
        Its shards, and their writers.
    """

    name: str
    draft: Draft
    parts: Decomposition

    def array(self, store: Store) -> Array:
        """Return the array in the store that it is written to; its metadata are not there."""
        return self.draft._replace(access=self.draft.access._replace(store=store)).array

    @property
    def document(self) -> bytes:
        """The metadata, as they are stored."""
        return self.draft.placement.items[NODE_KEY]


class Plan(NamedTuple):
    """All arrays of a checkpoint, by their paths."""

    arrays: dict[str, ArrayPlan]


def groups_above(names: Iterable[str]) -> list[str]:
    """Return the paths of the groups above arrays, the root excluded."""
    found = {name[:end] for name in names for end, char in enumerate(name) if char == "/"}
    return sorted(found, key=lambda path: (path.count("/"), path))


def make_plan(everybody: Sequence[Mapping[str, Part]], compressors: Any, files: int | None) -> Plan:
    """Return the plan for what every process says of its arrays, by rank. Nothing is exchanged or written.

    Raises
    ------
    ValueError
        Processes say different things of an array, parts overlap or leave something out, or an array cannot
        be stored.
    """
    parts: dict[str, dict[int, Part]] = {}
    for rank, said in enumerate(everybody):
        for name, part in said.items():
            parts.setdefault(name, {})[rank] = part
    axes = {name for said in everybody for part in said.values() for name in part.dimension_names or ()}
    return Plan(
        {
            name: _array_plan(name, said, len(everybody), axes, compressors, files)
            for name, said in sorted(parts.items())
        }
    )


def _array_plan(
    name: str, said: dict[int, Part], size: int, axes: set[str], compressors: Any, files: int | None
) -> ArrayPlan:
    rank, first = next(iter(said.items()))
    if first.kind != "own" and len(said) < size:
        missing = next(rank for rank in range(size) if rank not in said)
        raise ValueError(
            f"array {name!r} is in the state of rank {rank} but not of rank {missing}; a process that "
            "has nothing of it gives a Block with a length of 0"
        )
    for other, part in said.items():
        if part._replace(box=None) != first._replace(box=None):
            raise ValueError(
                f"array {name!r}: rank {rank} has {_told(first)}, rank {other} has {_told(part)}"
            )
    dtype = first.dtype
    boxes = {rank: part.box for rank, part in said.items() if part.box is not None}
    if first.kind == "dask":
        if size > 1:
            raise ValueError(
                f"array {name!r} is a dask array, which one process saves, with its workers; there are "
                f"{size} processes: save it without comm, or give each process a Block"
            )
        decomposition = in_blocks(first.shape, dtype.itemsize, boxes[rank].shape, files)
    else:
        decomposition = decompose(name, first.shape, dtype.itemsize, boxes, files)
    recipe = ArrayRecipe(
        shape=first.shape,
        dtype=dtype,
        chunks=decomposition.chunk_shape,
        shards=None if decomposition.chunk_shape == decomposition.shard_shape else decomposition.shard_shape,
        compressors=compressors,
        fill_value=np.nan if dtype.kind in "fc" else 0 if dtype.kind in "iub" else None,
        dimension_names=first.dimension_names or _names_of_axes(name, first.shape, axes),
    )
    return ArrayPlan(name, make_draft(recipe, Access(_NOWHERE, name, 3)), decomposition)


def _names_of_axes(name: str, shape: tuple[int, ...], axes: set[str]) -> tuple[str, ...]:
    """Return names of axes for an array that has none: xarray needs some, and equal names are equal axes."""
    last = name.rpartition("/")[2]
    if len(shape) == 1 and last in axes:
        # The coordinates along an axis.
        return (last,)
    return tuple([f"{last}_axis{number}" for number in range(len(shape))])


def _told(part: Part) -> str:
    names = "" if part.dimension_names is None else f" with axes {part.dimension_names}"
    what = {
        "block": "a block of an array",
        "array": "an array",
        "own": "an array of its own",
        "dask": "a dask array",
    }[part.kind]
    return f"{what} of {part.dtype} {part.shape}{names}"
