"""Staging: the bytes of a state, copied to where a background thread can write them while the program goes
on.

There is one buffer for each shard that this process writes, used again from save to save. Slivers that other
processes have of it are put in by the way, so that what is written is whole shards.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from zchunk.wings.checkpoint.boxes import Box
from zchunk.wings.checkpoint.communicators import Communicator
from zchunk.wings.checkpoint.decomposition import Coords
from zchunk.wings.checkpoint.plan import ArrayPlan, Plan
from zchunk.wings.checkpoint.trees import Leaf
from zchunk.wings.checkpoint.values import Block, LazyArray

Items: TypeAlias = npt.NDArray[Any]


class Piece(NamedTuple):
    """A shard to write: the array's path, its coordinates, where it lies, and what is in it."""

    name: str
    coords: Coords
    box: Box
    items: Items


class Buffers:
    """The buffers of one save, for the next one that has the same shards."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Coords], Items] = {}
        self._used: dict[tuple[str, Coords], Items] = {}

    @property
    def nbytes(self) -> int:
        """Bytes that they take."""
        return sum(items.nbytes for items in self._kept.values())

    def get(self, name: str, coords: Coords, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Items:
        """Return a buffer for a shard, with anything in it."""
        found = self._kept.get((name, coords))
        if found is None or found.shape != shape or found.dtype != dtype:
            # Given back before there is another.
            self._kept.pop((name, coords), None)
            found = np.empty(shape, dtype)
        self._used[name, coords] = found
        return found

    def forget_others(self) -> None:
        """Keep the buffers that were asked for since the last call; give the others back."""
        self._kept, self._used = self._used, {}


def stage(
    plan: Plan, leaves: Mapping[str, Leaf], comm: Communicator, buffers: Buffers, copy: bool
) -> list[Piece]:
    """Return the shards that this process writes. Where there are slivers all processes exchange them.

    One that fails raises when it has taken part in all exchanges. The others do not learn of it here: what
    they have then is not whole, and they must ask before they commit it.

    Parameters
    ----------
    plan : Plan
        Of the save.
    leaves : mapping
        The arrays of the state of this process.
    comm : Communicator
        Of all processes.
    buffers : Buffers
        Used again.
    copy : bool
        Whether the state may change before the pieces are written; otherwise a part that is a whole shard is
        written from where it is.
    """
    pieces: list[Piece] = []
    failed: BaseException | None = None
    try:
        for name, array in plan.arrays.items():
            leaf = leaves.get(name)
            if leaf is not None and not isinstance(leaf, LazyArray):
                pieces.extend(_own_pieces(array, leaf, comm.rank, buffers, copy))
    except BaseException as error:
        # Such as too little memory for a copy.
        failed = error
    targets = {(piece.name, piece.coords): piece for piece in pieces}
    for name, array in plan.arrays.items():
        # All know the whole plan: they agree on this without a word.
        if array.parts.has_slivers:
            failed = _exchange(array, leaves.get(name), comm, targets, failed)
    if failed is not None:
        raise failed
    buffers.forget_others()
    return pieces


def _items(leaf: Block | Items) -> Items:
    return leaf.array if isinstance(leaf, Block) else leaf


def _own_pieces(
    array: ArrayPlan, leaf: Block | Items, rank: int, buffers: Buffers, copy: bool
) -> list[Piece]:
    items, own, pieces = _items(leaf), array.parts.boxes.get(rank), []
    for coords in array.parts.owned(rank):
        assert own is not None
        box = array.parts.box(coords)
        part = box.overlap(own)
        if not copy and part == box:
            pieces.append(Piece(array.name, coords, box, items[part.within(own)]))
            continue
        target = buffers.get(array.name, coords, box.shape, items.dtype)
        target[part.within(box)] = items[part.within(own)]
        pieces.append(Piece(array.name, coords, box, target))
    return pieces


def _exchange(
    array: ArrayPlan,
    leaf: Leaf | None,
    comm: Communicator,
    targets: dict[tuple[str, Coords], Piece],
    failed: BaseException | None,
) -> BaseException | None:
    """Send what this process has of shards of others, and put in what others have of its own.

    A process that has `failed` sends nothing. Returns its error.
    """
    outgoing: list[list[tuple[Coords, Box, Items]]] = [[] for _ in range(comm.size)]
    try:
        if failed is None and leaf is not None and not isinstance(leaf, LazyArray):
            items = _items(leaf)
            for coords, box in array.parts.slivers(comm.rank):
                part = items[box.within(array.parts.boxes[comm.rank])]
                outgoing[array.parts.owners[coords]].append((coords, box, np.ascontiguousarray(part)))
    except BaseException as error:
        failed = error
        outgoing = [[] for _ in range(comm.size)]
    incoming: list[list[tuple[Coords, Box, Items]]] = comm.alltoall(outgoing)
    try:
        for coords, box, part in chain.from_iterable(incoming if failed is None else ()):
            piece = targets[array.name, coords]
            piece.items[box.within(piece.box)] = part
    except BaseException as error:
        failed = error
    return failed
