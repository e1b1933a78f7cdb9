"""`Series`: what a program writes step by step, and goes on writing after a restart without a step twice.

A series is a Zarr group with an axis of time. The lengths of its arrays are in the consolidated metadata of
the group, which are replaced in one step when the data are on the disk: a reader of these sees a time in all
fields or in none. Data beyond the length, which a killed program has left, nobody sees; they are overwritten.
"""

from __future__ import annotations

import copy
import math
import operator
import os
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, SupportsIndex

import numpy as np

from zchunk.core.access import Access
from zchunk.core.array import Array
from zchunk.creation.nodes import new_array
from zchunk.creation.parameters import make_metadata
from zchunk.creation.recipe import ArrayRecipe
from zchunk.errors import CheckpointError
from zchunk.metadata.consolidated import render3
from zchunk.metadata.formats import FORMAT3, find
from zchunk.metadata.v2 import parse_json, render_document
from zchunk.spec.keys import NODE_KEY, join
from zchunk.storage.local.directory import DirectoryStore
from zchunk.storage.memory import MemoryStore
from zchunk.wings.checkpoint.agreement import Agreement, Said, State, take_apart
from zchunk.wings.checkpoint.codecs import with_checksum
from zchunk.wings.checkpoint.communicators import as_communicator
from zchunk.wings.checkpoint.parameters import check_at_least_1, check_one_of
from zchunk.wings.checkpoint.plan import ArrayPlan, Plan
from zchunk.wings.checkpoint.staging import Buffers, Piece, stage
from zchunk.wings.checkpoint.trees import quote
from zchunk.wings.checkpoint.turns import OneAtATime, in_turn
from zchunk.wings.checkpoint.values import Block, Growing, as_plain
from zchunk.wings.checkpoint.vote import on_first, together

if TYPE_CHECKING:
    import numpy.typing as npt

    from zchunk.typing import CompressorsLike, PathLike

# An attribute of the group, which says how many steps a file holds.
_MARK = "zchunk_series"
# One item for each step, which the first process writes.
_AXES = {"step": np.dtype("i8"), "time": np.dtype("f8")}
_AXIS_CHUNK = 1024


class _Row(NamedTuple):
    """A step that is not written yet, with the shards of this process by its plan."""

    step: int
    time: float
    plan: Plan
    pieces: list[Piece]


class Series(OneAtATime, Growing):
    """Fields over time in a Zarr group, which grows step by step.

    `append` adds a step, and `truncate` takes away those that a restarted program computes again. So a series
    has every step once, however often the program was killed. A killed program leaves a series that opens.

    All methods but ``len`` are collective: all processes call them, in the same order.

    Parameters
    ----------
    path : path
        The folder of the series; made if it is not there.
    comm : communicator, optional
        As for `CheckpointManager`.
    steps_per_file : int, optional
        So many steps are in one file of a field, and are kept in memory until then; 1 by default. A series
        that is there has its own.
    durability : {"fsync", "atomic"}, optional
        ``"fsync"``: steps that are written survive the machine. ``"atomic"``: the processes only.
    compressors : codec, sequence of codecs, "crc32c" or None, optional
        As for `CheckpointManager`; for a new series.
    attrs : mapping, optional
        Attributes of a new series.
    field_attrs : mapping, optional
        Attributes of fields by their names, also of ``step`` and ``time``, for a new series.

    Raises
    ------
    CheckpointError
        Something else is at `path`.
    ValueError
        A parameter has no valid value.

    Examples
    --------
    >>> import numpy as np
    >>> from zchunk.checkpoint import Series
    >>> with Series("output.zarr") as series:
    ...     for step in range(3):
    ...         series.append(step, 0.5 * step, {"u": np.full(4, step)})
    >>> import zchunk
    >>> group = zchunk.open_group("output.zarr", mode="r")
    >>> group["time"][:]
    array([0. , 0.5, 1. ])
    >>> group["u"][:, 0]
    array([0, 1, 2])
    """

    def __init__(
        self,
        path: PathLike,
        comm: Any = None,
        *,
        steps_per_file: int | None = None,
        durability: Literal["fsync", "atomic"] = "fsync",
        compressors: CompressorsLike | Literal["crc32c"] = "crc32c",
        attrs: Mapping[str, Any] | None = None,
        field_attrs: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        check_at_least_1(steps_per_file=steps_per_file)
        check_one_of("durability", durability, ("fsync", "atomic"))
        super().__init__()
        self.path = os.path.abspath(os.fspath(path))
        self._comm = as_communicator(comm)
        self._compressors = with_checksum(compressors)
        self._agreement = Agreement(self._comm, self._compressors, None)
        # A file that has some steps is replaced to have more: those must not be lost, so it is synced first.
        self._store = DirectoryStore(self.path, durability=durability)
        self._attributes: dict[str, Any]
        # The metadata of all arrays, by name; none before the first step.
        self._nodes: dict[str, dict[str, Any]]
        # Of fields that are not there yet: those of the first process.
        self._field_attributes: dict[str, dict[str, Any]]
        self._field_attributes, self._attributes, self._nodes = on_first(
            self._comm, lambda: (_checked(field_attrs), *self._open(steps_per_file, attrs))
        )
        self._length = _length_of(self._nodes)
        self._rows: list[_Row] = []
        self._last = self._last_row()
        self._buffers: list[Buffers] = []
        self._plans: tuple[Plan, Plan] | None = None
        self._closed = False

    def _open(
        self, steps_per_file: int | None, attrs: Mapping[str, Any] | None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Return attributes and metadata of what is there; make a series if nothing is."""
        there = find(self._store, "")
        if there is None:
            if names := self._store.list_dir(""):
                raise CheckpointError(
                    f"{self.path!r} has no {NODE_KEY}, but {', '.join(sorted(names)[:5])}: perhaps a series "
                    f"that has lost it, whose steps a new one would erase. Put its {NODE_KEY} back, or use "
                    "another folder"
                )
            attributes = {**(attrs or {}), _MARK: {"steps_per_file": steps_per_file or 1}}
            self._put(attributes, {})
            return attributes, {}
        document = parse_json(self._store[NODE_KEY], NODE_KEY) if there == (FORMAT3, "group") else {}
        attributes = document.get("attributes", {})
        if _MARK not in attributes:
            raise CheckpointError(
                f"{self.path!r} holds a Zarr {there[1]} that is no series; use another folder"
            )
        held = attributes[_MARK]["steps_per_file"]
        if steps_per_file not in (None, held):
            raise ValueError(f"the files of {self.path!r} hold {held} steps each, not {steps_per_file}")
        nodes: dict[str, dict[str, Any]] = document["consolidated_metadata"]["metadata"]
        for name, node in nodes.items():
            # Stored before those of the group: a killed program may have left lengths that it did not reach.
            if self._store.get(key := join(name, NODE_KEY)) != (value := render_document(node)):
                self._store[key] = value
        return attributes, nodes

    def __len__(self) -> int:
        """Return the number of steps, with those that are not written yet."""
        return self._length + len(self._rows)

    @property
    def last_step(self) -> int | None:
        """Number of the last step; None if there is none."""
        return None if self._last is None else self._last[0]

    # ---- growing

    @in_turn
    def append(self, step: SupportsIndex, time: float, fields: Mapping[str, Block | npt.ArrayLike]) -> None:
        """Add a step. Collective.

        Parameters
        ----------
        step : int
            Its number, larger than the last one.
        time : float
            Simulated time, larger than the last one.
        fields : mapping
            By name `Block`, or an array or scalar that all processes have alike; the same names, shapes and
            dtypes at every step. They may change as soon as this returns.

        Raises
        ------
        CheckpointError
            Processes append different steps.
        OSError
            A process could not write. All processes raise it.
        TypeError, ValueError
            The fields are not those of the series, or the step is not after the last one.

        Examples
        --------
        >>> from zchunk.checkpoint import Series
        >>> series = Series("output.zarr")
        >>> series.append(10, 0.1, {"energy": 2.5})
        >>> series.append(10, 0.1, {"energy": 2.5})
        Traceback (most recent call last):
        ...
        ValueError: step 10 is not after step 10, the last one of the series
        """
        apart = State.empty()

        def look() -> tuple[Said, float]:
            nonlocal apart
            self._check_open()
            apart = take_apart(_as_leaves(fields), self._comm.rank)
            self._check_after(operator.index(step), float(time))
            return self._agreement.say(step, True, apart), float(time)

        said = together(self._comm, look)
        if len({moment for _, moment in said}) > 1:
            raise CheckpointError(f"the processes append different times: {[moment for _, moment in said]}")
        given, _ = self._agreement.reach([one for one, _ in said], apart)
        plan = self._plan_of(given)
        if self._rows and self._rows[-1].plan is not plan:
            # Rows are written together, so they have the same shards on the same processes. All know this.
            self._write()
        while len(self._buffers) <= len(self._rows):
            self._buffers.append(Buffers())
        pieces = stage(plan, apart.leaves, self._comm, self._buffers[len(self._rows)], copy=True)
        self._rows.append(_Row(said[0][0].step, said[0][1], plan, pieces))
        self._last = self._rows[-1].step, self._rows[-1].time
        if len(self) % self._attributes[_MARK]["steps_per_file"] == 0:
            self._write()

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"the series {self.path!r} is closed")

    def _check_after(self, step: int, time: float) -> None:
        if not math.isfinite(time):
            raise ValueError(f"the time of step {step} is {time}")
        for name, new, last in zip(_AXES, (step, time), self._last or (-math.inf,) * 2, strict=True):
            if new <= last:
                raise ValueError(f"{name} {new} is not after {name} {last}, the last one of the series")

    def _plan_of(self, given: Plan) -> Plan:
        """Return the plan of a step, in the shards that the series has; of a new one they are made here."""
        if self._plans is not None and self._plans[0] is given:
            return self._plans[1]
        if not self._nodes:
            if unknown := sorted(self._field_attributes.keys() - given.arrays.keys() - _AXES.keys()):
                raise ValueError(f"field_attrs has {unknown}; the step has {sorted(given.arrays)}")
            self._nodes = dict(self._new_nodes(given))
        if given.arrays.keys() | _AXES != self._nodes.keys():
            own = sorted(self._nodes.keys() - _AXES)
            raise ValueError(f"the series has the fields {own}, and the step has {sorted(given.arrays)}")
        plan = Plan({name: self._fitted(array) for name, array in given.arrays.items()})
        self._plans = given, plan
        return plan

    def _fitted(self, array: ArrayPlan) -> ArrayPlan:
        metadata = _parsed(array.name, self._nodes[array.name])
        like = array.draft.placement.metadata
        assert like is not None
        want, have = (metadata.dtype, metadata.shape[1:]), (like.dtype, array.parts.shape)
        if want != have:
            raise ValueError(
                f"field {array.name!r} is {want[0]} {want[1]} in the series, and now {have[0]} {have[1]}"
            )
        if not array.parts.shape:
            return array
        shards = metadata.chunk_shape[1:], metadata.innermost.chunk_shape[1:]
        return array._replace(parts=array.parts.with_shards(*shards))

    def _new_nodes(self, plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the metadata of all arrays without a step."""
        for name, dtype in _AXES.items():
            recipe = ArrayRecipe((0,), (_AXIS_CHUNK,), dtype, dimension_names=("time",))
            yield name, self._new_node(name, recipe)
        steps = self._attributes[_MARK]["steps_per_file"]
        for name, array in plan.arrays.items():
            like, parts = array.draft.placement.metadata, array.parts
            assert like is not None
            chunks, shards = (1, *parts.chunk_shape), (steps, *parts.shard_shape)
            recipe = ArrayRecipe(
                shape=(0, *parts.shape),
                dtype=like.dtype,
                chunks=chunks if parts.shape else (_AXIS_CHUNK,),
                shards=None if chunks == shards or not parts.shape else shards,
                fill_value=like.fill_value,
                dimension_names=("time", *(like.dimension_names or ())),
            )
            yield name, self._new_node(name, recipe)

    def _new_node(self, name: str, recipe: ArrayRecipe) -> dict[str, Any]:
        metadata = make_metadata(recipe._replace(compressors=self._compressors), 3)
        node = parse_json(new_array(MemoryStore(), name, metadata).items[NODE_KEY], name)
        return node | {"attributes": self._field_attributes.get(name, {})}

    # ---- what is on the disk

    @in_turn
    def flush(self) -> int:
        """Write the steps that are in memory, and return the length, for a checkpoint. Collective.

        Examples
        --------
        >>> from zchunk.checkpoint import CheckpointManager, Series
        >>> series, manager = Series("output.zarr"), CheckpointManager("run.ckpt", async_save=False)
        >>> series.append(10, 0.1, {"energy": 2.5})
        >>> manager.save(10, {"series": series.flush()})
        True
        >>> series.append(11, 0.2, {"energy": 2.4})

        After a restart:

        >>> checkpoint = manager.restore()
        >>> series = Series("output.zarr")
        >>> series.truncate(0 if checkpoint is None else checkpoint["series"])
        >>> len(series), series.last_step
        (1, 10)
        """
        together(self._comm, self._check_open)
        self._write()
        return self._length

    def _write(self) -> None:
        """Write the rows: data, then the lengths."""
        if not self._rows:
            return
        nodes = {name: _with_length(node, len(self)) for name, node in self._nodes.items()}
        if not self._length:
            # What a killed program has left may be of other shards.
            on_first(self._comm, lambda: self._erase(nodes, 0))
        together(self._comm, lambda: self._write_rows(nodes))
        on_first(self._comm, lambda: self._put(self._attributes, nodes))
        self._nodes, self._length, self._rows = nodes, len(self), []

    def _write_rows(self, nodes: Mapping[str, dict[str, Any]]) -> None:
        rows = slice(self._length, len(self))
        if self._comm.rank == 0:
            for name in _AXES:
                self._array(name, nodes)[rows] = [getattr(row, name) for row in self._rows]
        for same in zip(*[row.pieces for row in self._rows], strict=True):
            assert len({(piece.name, piece.coords) for piece in same}) == 1
            # Of one step without a copy.
            items = same[0].items[np.newaxis] if len(same) == 1 else np.stack([piece.items for piece in same])
            self._array(same[0].name, nodes)[rows, *same[0].box.slices] = items

    def _array(self, name: str, nodes: Mapping[str, dict[str, Any]]) -> Array:
        """Return an array whose metadata need not be in the store."""
        array = Array._of(Access(self._store, name, 3), _parsed(name, nodes[name]))
        array._chunked = array._chunked.unpublished
        return array

    def _put(self, attributes: Mapping[str, Any], nodes: Mapping[str, dict[str, Any]]) -> None:
        """Store the metadata, those of the group last."""
        # It has those of the arrays, too, from which they are repaired: only the group has to be synced.
        store = DirectoryStore(self.path)
        for name, node in nodes.items():
            store[join(name, NODE_KEY)] = render_document(node)
        raw = FORMAT3.group_items(dict(attributes))[NODE_KEY]
        self._store[NODE_KEY] = render3(raw, dict(sorted(nodes.items())), NODE_KEY)

    def _erase(self, nodes: Mapping[str, dict[str, Any]], length: int) -> None:
        """Delete the files of steps from `length` on."""
        for name, node in nodes.items():
            if not length:
                self._store.erase_prefix(name)
                continue
            kept = -(-length // _parsed(name, node).chunk_shape[0])
            for row in self._store.list_dir(f"{name}/c"):
                if row.isdecimal() and int(row) >= kept:
                    self._store.erase_many([f"{name}/c/{row}"])
                    self._store.erase_prefix(f"{name}/c/{row}")

    @in_turn
    def truncate(self, length: SupportsIndex) -> None:
        """Take away all steps but the first ones, as many as a checkpoint says. Collective.

        Parameters
        ----------
        length : int
            What `flush` has returned; 0 where there is no checkpoint.

        Raises
        ------
        CheckpointError
            The series has not so many steps.

        Examples
        --------
        >>> from zchunk.checkpoint import Series
        >>> series = Series("output.zarr")
        >>> series.append(10, 0.1, {"energy": 2.5})
        >>> series.append(11, 0.2, {"energy": 2.4})
        >>> series.truncate(1)
        >>> len(series)
        1
        """
        self._check_length(length)
        count = operator.index(length)
        self._rows = self._rows[: max(count - self._length, 0)]
        if count < self._length:
            old = self._nodes
            # Without a step nothing is fixed.
            nodes = {name: _with_length(node, count) for name, node in old.items()} if count else {}

            def cut() -> None:
                self._put(self._attributes, nodes)
                self._erase(old, count)

            on_first(self._comm, cut)
            self._nodes, self._length, self._plans = nodes, count, None
        self._last = self._last_row()

    def _check_length(self, length: SupportsIndex) -> None:
        """Raise `CheckpointError` unless the series has so many steps. Collective."""

        def check() -> None:
            self._check_open()
            if not 0 <= operator.index(length) <= len(self):
                raise CheckpointError(
                    f"the series {self.path!r} has {len(self)} steps and cannot be cut to {length}: does the "
                    "checkpoint belong to it?"
                )

        together(self._comm, check)

    def _last_row(self) -> tuple[int, float] | None:
        if self._rows:
            return self._rows[-1].step, self._rows[-1].time
        if not self._length:
            return None
        return on_first(
            self._comm,
            lambda: (
                int(self._array("step", self._nodes)[self._length - 1]),
                float(self._array("time", self._nodes)[self._length - 1]),
            ),
        )

    def close(self) -> None:
        """Write the steps that are in memory. Collective.

        Examples
        --------
        >>> from zchunk.checkpoint import Series
        >>> series = Series("output.zarr", steps_per_file=10)
        >>> series.append(0, 0.0, {"energy": 2.5})
        >>> series.close()
        """
        if not self._closed:
            self.flush()
            self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error the other processes may be anywhere.
        if error is None:
            self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r}: {len(self)} steps>"


def _as_leaves(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as a state of arrays alone."""
    for name in fields:
        if name in _AXES or not isinstance(name, str) or quote(name) != name:
            raise ValueError(f"a field cannot have the name {name!r}")
    if not fields:
        raise ValueError("a step has at least one field")
    return {name: item if isinstance(item, Block) else as_plain(item) for name, item in fields.items()}


def _checked(field_attrs: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, Any]]:
    """Return a copy of the attributes of fields; raise an error if they cannot be stored."""
    found = {name: copy.deepcopy(dict(attrs)) for name, attrs in (field_attrs or {}).items()}
    for attrs in found.values():
        FORMAT3.group_items(attrs)
    return found


def _parsed(name: str, node: dict[str, Any]) -> Any:
    return FORMAT3.parse_array(render_document(node), name, "/", frozenset())


def _with_length(node: dict[str, Any], length: int) -> dict[str, Any]:
    return node | {"shape": [length, *node["shape"][1:]]}


def _length_of(nodes: Mapping[str, dict[str, Any]]) -> int:
    return int(nodes["step"]["shape"][0]) if nodes else 0
