"""What the processes agree on at the beginning of a save: the step, the arrays, and the values that each has.

Each says what it has, in one exchange. The parts of arrays, of which there may be many, are said only when
they are not those of the last save.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

from zchunk.errors import CheckpointError
from zchunk.metadata.formats import FORMAT3
from zchunk.wings.checkpoint import trees
from zchunk.wings.checkpoint.communicators import Communicator
from zchunk.wings.checkpoint.plan import Part, Plan, make_plan
from zchunk.wings.checkpoint.restoring import OWN_ATTRIBUTES
from zchunk.wings.checkpoint.trees import Leaf
from zchunk.wings.checkpoint.values import Block, Growing, LazyArray

if TYPE_CHECKING:
    from zchunk.typing import JSON


class State(NamedTuple):
    """The state of this process, taken apart.

    Parameters
    ----------
    document : JSON
        The tree, without the values of `PerRank`.
    leaves : dict
        Its arrays, by path, also those in `PerRank`.
    parts : dict
        What this process says of each of them.
    per_rank : dict
        The values of `PerRank` of this process, as documents, by path.
    growing : dict
        What grows beside the checkpoint, by path.
    """

    document: JSON
    leaves: dict[str, Leaf]
    parts: dict[str, Part]
    per_rank: dict[str, JSON]
    growing: dict[str, Growing]

    @classmethod
    def empty(cls) -> State:
        """Return a state of nothing."""
        return cls(None, {}, {}, {}, {})


class Place(NamedTuple):
    """Where a step is written until the commit, and whether the folder of all steps is there."""

    folder: str
    has_root: bool


class Said(NamedTuple):
    """What a process says at the beginning of a save, in one message.

    Parameters
    ----------
    step : int
        Its number.
    due : bool
        Whether it is to be saved.
    static : bool
        Whether something of it is static.
    parts : dict or None
        The arrays of this process; None if they are those of the last save.
    per_rank, lengths : dict
        Its values of `PerRank`, and the lengths of what grows.
    place : Place or None
        What the first process says for all.
    """

    step: int
    due: bool
    static: bool
    parts: dict[str, Part] | None
    per_rank: dict[str, JSON]
    lengths: dict[str, int]
    place: Place | None = None


def take_apart(state: dict[str, Any], rank: int) -> State:
    """Return the state of this process as a document and arrays.

    Raises
    ------
    TypeError, ValueError
        Something in it cannot be stored.
    """
    flat = trees.flatten(state)
    leaves, per_rank = dict(flat.leaves), dict[str, "JSON"]()
    parts = {name: Part.of(leaf, False, rank) for name, leaf in leaves.items()}
    for path, value in flat.per_rank.items():
        own = trees.flatten(value.value, f"{path}/{rank}")
        if (
            own.per_rank
            or own.growing
            or any(isinstance(leaf, Block | LazyArray) for leaf in own.leaves.values())
        ):
            raise TypeError(
                f"{path!r} is a PerRank with a Block, a dask array, a Series or another PerRank in it"
            )
        leaves |= own.leaves
        parts |= {name: Part.of(leaf, True, rank) for name, leaf in own.leaves.items()}
        per_rank[path] = own.document
    return State(flat.document, leaves, parts, per_rank, flat.growing)


class Agreement:
    """The plan of the last save, which holds for the next one unless a process says otherwise.

    Parameters
    ----------
    comm : Communicator
        Of all processes.
    compressors
        Of all arrays.
    files : int, optional
        The most shards of an array.
    """

    def __init__(self, comm: Communicator, compressors: Any, files: int | None) -> None:
        self._comm, self._compressors, self._files = comm, compressors, files
        self._parts: dict[str, Part] | None = None
        self._plan = Plan({})

    def say(self, step: SupportsIndex, due: bool, state: State, static: bool = False) -> Said:
        """Return what this process says."""
        number = operator.index(step)
        if number < 0:
            raise ValueError(f"step is {number}; steps count from 0")
        parts = None if state.parts == self._parts else state.parts
        lengths = {path: len(one) for path, one in state.growing.items()}
        return Said(number, due, static, parts, state.per_rank, lengths)

    def reach(self, said: Sequence[Said], state: State) -> tuple[Plan, JSON]:
        """Return the plan, and the document with the values of all; all processes call it.

        Raises
        ------
        CheckpointError
            The processes are at different steps, or have `PerRank` in different places.
        ValueError
            They say different things of an array.
        """
        for rank, other in enumerate(said):
            if other.step != said[0].step:
                raise CheckpointError(
                    f"rank 0 saves step {said[0].step}, rank {rank} saves step {other.step}"
                )
            if other.per_rank.keys() != said[0].per_rank.keys():
                raise CheckpointError(
                    f"rank 0 has PerRank at {sorted(said[0].per_rank)}, rank {rank} at "
                    f"{sorted(other.per_rank)}"
                )
            if other.lengths != said[0].lengths:
                raise CheckpointError(
                    f"rank 0 has Series of lengths {said[0].lengths}, rank {rank} {other.lengths}"
                )
        if any(other.parts is not None for other in said):
            self._parts = None
            everybody = self._comm.allgather(state.parts)
            # What all know is the same, and so is what follows from it, an error too.
            self._plan = make_plan(everybody, self._compressors, self._files)
            self._parts = state.parts
        values = {path: [other.per_rank[path] for other in said] for path in said[0].per_rank}
        return self._plan, trees.insert_per_rank(state.document, values)


def check_attributes(attrs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a copy of a caller's attributes, which may change as soon as `save` returns.

    Raises
    ------
    TypeError, ValueError
        They cannot be stored, or have a name that zchunk needs.
    """
    found = copy.deepcopy(dict(attrs or {}))
    if wrong := sorted(found.keys() & set(OWN_ATTRIBUTES)):
        raise ValueError(f"attrs has {', '.join(map(repr, wrong))}, which save sets itself; give other names")
    FORMAT3.group_items(found)
    return found


def check_time(time: float | None) -> float | None:
    """Return a simulated time as a number that JSON has.

    Raises
    ------
    TypeError, ValueError
        It is no number, or not finite.
    """
    if time is None:
        return None
    if not math.isfinite(time):
        raise ValueError(f"time is {time}; a simulated time is finite")
    return time if isinstance(time, int | float) else float(time)
